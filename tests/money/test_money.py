"""Prices and claims in money: against closed forms and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfeval.errors import DataError, ParameterError
from tfeval.money.claimed import (
    break_even_2015,
    break_even_share,
    implied_cost,
    implied_costs_2019,
    national_claim_rebuilt,
)
from tfeval.money.prices import (
    deflate,
    discount_factors,
    discount_rates,
    editions,
    present_value,
    price_years,
)


def test_deflating_there_and_back_changes_nothing():
    for year in price_years():
        assert deflate(deflate(100.0, 2012, year), year, 2012) == pytest.approx(100.0)
    assert deflate(100.0, 2014, 2014) == 100.0
    assert deflate(74.0662, 2014, 2024) == pytest.approx(100.0)


def test_a_year_without_deflator_names_the_range():
    with pytest.raises(ParameterError, match="use a year from 2002 to 2025"):
        deflate(1.0, 1990, 2014)


@pytest.mark.parametrize("edition", ["2003", "2022", "2026"])
def test_the_annuity_and_the_kink_at_year_31(edition):
    factors = discount_factors(80, edition)
    annuity = (1 - 1.035**-30) / 0.035
    assert factors[1:31].sum() == pytest.approx(annuity, rel=1e-12)
    assert factors[30] == pytest.approx(1.035**-30)
    assert factors[31] == pytest.approx(1.035**-30 / 1.03)
    assert factors[75] == pytest.approx(1.035**-30 * 1.03**-45)
    assert factors[76] == pytest.approx(1.035**-30 * 1.03**-45 / 1.025)


def test_health_is_discounted_less_and_2003_had_no_such_rate():
    assert discount_factors(10, "2022", "health")[10] == pytest.approx(1.015**-10)
    with pytest.raises(ParameterError, match="2003 has no health rate"):
        discount_rates("2003", "health")
    with pytest.raises(ParameterError, match="no Green Book edition 2023"):
        discount_rates("2023")


def test_the_review_that_is_not_in_force_is_no_edition():
    assert editions() == ["2003", "2022", "2026"]


def test_a_schedule_leaves_no_year_out():
    for edition in editions():
        bands = discount_rates(edition)
        assert bands["from_year"].iloc[0] == 0
        assert (bands["from_year"].iloc[1:].to_numpy() == bands["to_year"].iloc[:-1] + 1).all()
        assert (np.diff(bands["rate"]) < 0).all()


def test_present_value_by_hand():
    assert present_value(np.array([0, 103.5, 0, 1.035**3]), "2022") == pytest.approx(101.0)


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
