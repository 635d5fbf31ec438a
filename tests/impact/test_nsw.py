"""The National Supported Work experiment: do comparisons with the CPS recover its effect?

After LaLonde (1986), American Economic Review 76, and Dehejia and Wahba (1999), JASA 94.
"""

from __future__ import annotations

import pytest

from tests.impact.golden import nsw_cps
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.matching.match import match
from tfeval.impact.weighting.weight import weight

DESIGNS = {
    "nearest": lambda made: match(made, "nearest"),
    "nearest with replacement": lambda made: match(made, "nearest", replace=True),
    "full": lambda made: match(made, "full"),
    "kernel": lambda made: match(made, "kernel"),
    "inverse propensity": lambda made: weight(made, "inverse_propensity"),
    "entropy": lambda made: weight(made, "entropy"),
}


def test_the_experiments_own_effect():
    made, earnings = nsw_cps(experiment=True)
    assert earnings[made.treated].mean() - earnings[~made.treated].mean() == pytest.approx(
        1794.3424, abs=1e-3
    )


@pytest.mark.parametrize("name", DESIGNS)
def test_a_comparison_with_the_cps_holds_the_experiments_effect(name):
    made, earnings = nsw_cps()
    naive = earnings[made.treated].mean() - earnings[~made.treated].mean()
    assert naive == pytest.approx(-8497.5, abs=1)  # what no design leaves at
    row = estimate(DESIGNS[name](made), earnings).to_frame().iloc[0]
    assert row["conf_low"] < 1794.34 < row["conf_high"]
    assert abs(row["estimate"] - 1794.34) < 1000
