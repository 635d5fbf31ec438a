"""From results claimed to results caused: by hand, and in simulated groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import DataError
from tfeval.impact.effects.effects import Effects
from tfeval.money.additional import Range, cost_per, own_share, results_of, surviving


def effect(**columns):
    row = {"outcome": "turned_around", "estimate": 0.1, "std_error": 0.02, "conf_low": 0.06,
           "conf_high": 0.14, "mean_treated": 0.5, "mean_comparison": 0.4, "relative": 0.25,
           "relative_low": 0.14, "relative_high": 0.37}  # fmt: skip
    return Effects(pd.DataFrame([row | columns]), np.array([[0.0004]]))


def test_by_hand():
    found = results_of(effect(), claimed=0.99)
    # Of 100 families 50 met the tests and 40 would have: 10 of the 50 are the programme's own.
    assert found.own.value == pytest.approx(10 / 50)
    assert found.anyway + found.additional.value == pytest.approx(found.met)
    # £1.2bn claimed: a fifth is its own, and does not cover £448m.
    gross, net = surviving(1.2e9, found.own, 448e6)
    assert gross.value == pytest.approx(240e6)
    assert net.value == pytest.approx(-208e6)
    assert net.low < net.value < net.high
    # £3,300 for each of 99 claims in 100 is £32,670 for each of 10 additional.
    assert cost_per(3_300 * 0.99, found.additional).value == pytest.approx(32_670)


def test_an_interval_across_nothing_has_no_dearest_end():
    found = cost_per(1000.0, Range(0.02, -0.01, 0.05))
    assert found.low == pytest.approx(20_000)
    assert found.high == np.inf
    assert cost_per(1000.0, Range(-0.02, -0.04, -0.01)).value == np.inf


def test_the_interval_of_the_own_share_covers_the_truth():
    """Clustered groups of known rates: the share is covered about as often as it says."""
    rng = np.random.default_rng(7)
    truth, covered, draws = own_share(0.36 / 0.30 - 1), 0, 300
    for _ in range(draws):
        areas = np.repeat(np.arange(40), 30)
        treated = np.tile(np.arange(30) % 2 == 0, 40)
        level = np.repeat(rng.normal(0, 0.05, 40), 30)
        met = rng.random(1200) < np.where(treated, 0.36, 0.30) + level
        frame = pd.DataFrame({"treated": treated, "area": areas, "x": rng.normal(size=1200)})
        made = tf.study(frame, covariates=["x"], cluster="area")
        effects = tf.estimate(
            tf.weight(made, "inverse_propensity"), pd.Series(met.astype(float), name="met")
        )
        own = results_of(effects, 1.0).own
        covered += own.low <= truth <= own.high
    assert 0.91 < covered / draws < 0.99


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"mean_comparison": 0.0, "relative": np.nan}, "none of the comparison group"),
        ({"mean_treated": np.nan}, "not known"),
    ],
)
def test_what_cannot_be_said_is_refused(columns, says):
    with pytest.raises(DataError, match=says):
        results_of(effect(**columns), 1.0)


def test_one_effect_and_a_share_are_needed():
    with pytest.raises(DataError, match="one effect"):
        results_of(tf.published_effects("2019"), 1.0)
    with pytest.raises(DataError, match="between 0 and 1"):
        results_of(effect(), 99)
