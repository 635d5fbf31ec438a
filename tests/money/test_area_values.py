"""Value by area: national sums, shrinkage, ranks, small areas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import effects_of
from tfeval.errors import DataError, ParameterError

NAMES = [f"Area {at}" for at in range(12)]
FAMILIES = {name: 200.0 + 50 * at for at, name in enumerate(NAMES)}
FIXED = {"persistence": 0.5, "horizon": 3}


def pooled(seed: int, mean: float, spread: float, error: float, treated: float = 200.0):
    rng = np.random.default_rng(seed)
    true = rng.normal(mean, spread, len(NAMES))
    counts = np.full(len(NAMES), treated)
    return tf.pool_areas(
        rng.normal(true, error), np.full(len(NAMES), error), NAMES,
        n_treated=counts, n_comparison=counts * 3,
    )  # fmt: skip


def both(**asked):
    return {
        "offences": pooled(1, -0.3, 0.2, 0.05, **asked),
        "looked_after": pooled(2, -4.0, 3.0, 1.0, **asked),
    }


def test_areas_add_up_to_an_appraisal_of_the_mean_where_all_are_alike():
    exact = {"offences": tf.pool_areas(np.full(12, -0.3), np.full(12, 1e-9), NAMES,
                                          prior_scale=1e-12)}  # fmt: skip
    table_costs = 200_000.0
    found = tf.appraise_areas(exact, table_costs, families=FAMILIES, draws=4_000, **FIXED)
    whole = tf.appraise(
        effects_of({"offences": -0.3}), table_costs, families=sum(FAMILIES.values()), **FIXED
    )
    # The mean over areas' draws is what is expected, to the error of 4,000 draws.
    assert found.frame["npv"].sum() == pytest.approx(whole.npv, rel=0.03)
    assert found.frame["cost"].sum() == pytest.approx(whole.costs, rel=1e-9)
    each = found.frame["npv_per_family"]
    assert each.max() == pytest.approx(each.min(), rel=1e-5)


def test_better_effects_rank_higher_and_intervals_hold_ranks():
    found = tf.appraise_areas(both(), 1e5, families=FAMILIES, draws=1_000, **FIXED)
    frame = found.to_frame()
    assert (frame["rank_low"] <= frame["rank"]).all()
    assert (frame["rank"] <= frame["rank_high"]).all()
    assert frame["rank"].corr(frame["npv_per_family"], method="spearman") < -0.9
    assert (frame["low"] <= frame["npv"]).all()
    again = tf.appraise_areas(both(), 1e5, families=FAMILIES, draws=1_000, **FIXED)
    assert again.frame.equals(frame)


def test_what_no_area_shows_is_at_the_nation_s_effect_and_costs_are_shared_with_their_doubt():
    costs = pd.DataFrame({"year": [2012], "amount": [1e5], "low": [5e4], "high": [3e5],
                          "price_year": [2024]})  # fmt: skip
    asked = {"families": FAMILIES, "reached": {2012: 20_000.0}, "draws": 4_000, **FIXED}
    alone = tf.appraise_areas(both(), costs, **asked)
    nation = effects_of({"emergency_admissions": -0.5, "offences": 9.0}, 0.1)
    found = tf.appraise_areas(both(), costs, national=nation, **asked)
    assert found.by_area == ("offences", "looked_after")  # and not the nation's offences
    assert found.national == ("emergency_admissions",)
    whole = tf.appraise(
        nation.select(["emergency_admissions"]), costs, families={2012: 20_000.0}, **FIXED
    )
    more = (found.frame["npv"] - alone.frame["npv"]) / found.frame["families"]
    assert np.allclose(more, whole.benefits / 20_000)
    # Every family bears the same cost, whose doubt does not fall with the number of areas.
    assert np.allclose(found.frame["cost"] / found.frame["families"], whole.costs / 20_000)
    width = (alone.frame["high"] - alone.frame["low"]) / alone.frame["families"]
    assert (width > (2.5e5 * 0.9 / 20_000)).all()
    assert "At the nation's effect: Emergency admissions." in found.counted()


def test_an_area_s_harm_grows_by_optimism_bias_where_the_nation_gains():
    """Once it shrank with the nation's gain: half of the harm was taken for optimism."""
    estimates = np.where(np.arange(12) == 3, 0.5, -0.1)
    exact = {"offences": tf.pool_areas(estimates, np.full(12, 1e-4), NAMES)}
    asked = {"families": FAMILIES, "draws": 200, **FIXED}
    plain, found = (
        tf.appraise_areas(exact, 0.0, optimism_bias=bias, **asked).frame["npv_per_family"]
        for bias in (0.0, {"C": 0.4})
    )
    ratio = (found / plain).to_numpy()
    assert ratio == pytest.approx(np.where(np.arange(12) == 3, 1.4, 0.6))


def test_small_areas_count_and_are_not_shown():
    effects = both()
    counts = np.full(12, 200.0)
    counts[3] = 6.0
    effects["offences"] = tf.pool_areas(
        np.linspace(-0.5, 0.1, 12), np.full(12, 0.1), NAMES, n_treated=counts, n_comparison=counts
    )
    few = FAMILIES | {"Area 5": 4.0}
    found = tf.appraise_areas(effects, 1e5, families=few, draws=200, **FIXED)
    hidden = found.frame.set_index("name")["hidden"]
    assert set(hidden[hidden].index) == {"Area 3", "Area 5"}
    lines = {line.split()[1]: line for line in found.table().text().splitlines() if "Area " in line}
    assert "hidden" in lines["3"]
    assert "fewer than 10" in lines["5"]


def test_mistakes_get_a_message():
    with pytest.raises(ParameterError, match="at least one outcome"):
        tf.appraise_areas({}, 1.0, families=FAMILIES)
    with pytest.raises(DataError, match="not given for Area 11"):
        tf.appraise_areas(
            both(), 1.0, families={k: v for k, v in FAMILIES.items() if k[-2:] != "11"}
        )
    other = tf.pool_areas([0.1, 0.2], [0.1, 0.1], ["A", "B"])
    with pytest.raises(DataError, match="No area has effects on all"):
        tf.appraise_areas({**both(), "custody": other}, 1.0, families=FAMILIES)
