"""Claims in money: against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfeval.errors import DataError
from tfeval.money.claimed import (
    break_even_2015,
    break_even_share,
    implied_cost,
    implied_costs_2019,
    national_claim_rebuilt,
)


def test_break_even_shares_by_hand():
    shares = break_even_2015().set_index(["claim", "cost_counted"])["share"]
    both = "authority-contributed and central"
    assert shares[("Report, a family", both)] == pytest.approx(5214 / 11200)
    assert shares[("Press notice, a family", both)] == pytest.approx(5493 / 12000)
    assert shares[("National claim", "central only")] == pytest.approx(448 / 1200)
    assert shares[("National claim", both)] == pytest.approx(1048 / 1200)
    with pytest.raises(DataError, match="benefit above 0"):
        break_even_share(0, 1)


def test_the_2019_ratios_imply_one_cost():
    costs = implied_costs_2019().set_index("measure")
    assert round(costs.loc["economic", "cost"]) == 286
    assert round(costs.loc["fiscal", "cost"]) == 288
    # One cost fits both once rounding is allowed for.
    assert max(costs["low"]) < min(costs["high"])
    with pytest.raises(DataError, match="ratio above 1"):
        implied_cost(1, 1.0, 1, 0.01)


def test_implied_cost_covers_whatever_was_rounded():
    rng = np.random.default_rng(1)
    for cost, ratio in zip(rng.uniform(50, 900, 300), rng.uniform(1.05, 4, 300), strict=True):
        printed = implied_cost(round(cost * (ratio - 1)), round(ratio, 2), 1, 0.01)
        assert printed.low <= cost <= printed.high


def test_the_national_claim_is_gross():
    rebuilt = national_claim_rebuilt()
    assert rebuilt["gross"].min() == pytest.approx(105_671 * 11_200)
    assert (rebuilt["gross"] - rebuilt["cost"] == rebuilt["net"]).all()
    assert (rebuilt["net"] < 1.2e9).all()
    assert round(rebuilt["gross"].iloc[0] / 1e9, 1) == 1.2
