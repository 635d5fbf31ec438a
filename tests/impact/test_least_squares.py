"""Regressions of outcomes whose columns repeat one another, or do not vary in an arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfeval as tf
from tests.impact.small_sample_cases import independent
from tfeval.errors import TfevalError
from tfeval.impact.means.least_squares import UNITS_PER_COEFFICIENT, cross_products, solved

DESIGNS = {
    "unweighted": tf.unweighted,
    "unweighted, ATE": lambda made: tf.unweighted(made, "ATE"),
    "inverse propensity": tf.weight,
    "inverse propensity, ATE": lambda made: tf.weight(made, estimand="ATE"),
    "overlap": lambda made: tf.weight(made, "overlap"),
    "entropy, ATE": lambda made: tf.weight(made, "entropy", estimand="ATE"),
    "cross-fitted": lambda made: tf.weight(made, folds=2),
    "nearest": tf.match,
    "nearest, ATC": lambda made: tf.match(made, estimand="ATC", replace=True),
    "with replacement": lambda made: tf.match(made, replace=True),
    "full": lambda made: tf.match(made, "full", caliper=None),
    "subclass": lambda made: tf.match(made, "subclass", number=3),
}
METHODS = ("difference", "adjusted", "covariance_adjusted", "doubly_robust")
ERRORS = (None, "robust", "hc2", "hc3", "cluster", "cr2", "cr3", "two_way", "pair",
          "abadie_imbens", "wild", "bootstrap")  # fmt: skip
COVARIATES = ["x", "again", "area_score", "kind", "nearly"]
_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def drawn(seed: int, size: int = 240) -> pd.DataFrame:
    """Draw covariates that repeat others, do not vary in areas or arms, or vary by rounding."""
    rng = np.random.default_rng(seed)
    area = rng.integers(0, 12, size)
    x = rng.normal(size=size)
    treated = (rng.random(size) < 1 / (1 + np.exp(0.6 - 0.7 * x))).astype(int)
    frame = pd.DataFrame({"treated": treated, "x": x, "area": area})
    frame["other"] = rng.integers(0, 11, size)
    frame["again"] = 3.0 - 2.0 * x
    frame["area_score"] = np.round(rng.normal(size=12), 1)[area]
    frame["kind"] = rng.choice(["a", "b", "c"], size, p=[0.6, 0.35, 0.05])
    frame["nearly"] = np.where(rng.random(size) < 0.5, 0.3, 0.1 + 0.2)
    frame["y"] = x + frame["area_score"] + treated + rng.normal(size=size)
    frame["yes"] = (rng.random(size) < 0.4).astype(float)
    return frame


def effects(frame, outcomes, design, method, errors, by, **more):  # noqa: PLR0917
    made = tf.study(frame, covariates=more.pop("covariates", COVARIATES),
                    cluster=["area", "other"], fewest=1)  # fmt: skip
    asked = {"cluster": ("area", "other")} if errors == "two_way" else {}
    if errors in ("wild", "bootstrap"):
        asked["draws"] = 99
    groups = (frame["area"] % 3).map({0: "north", 1: "south", 2: "west"}) if by else None
    return tf.estimate(
        DESIGNS[design](made), outcomes, method=method, errors=errors, by=groups, **asked, **more
    )


@pytest.mark.slow(reason="200 draws over every design, method and kind of error")
@settings(max_examples=200, deadline=None, suppress_health_check=_SLOW)
@given(
    seed=st.integers(0, 10_000),
    design=st.sampled_from(sorted(DESIGNS)),
    method=st.sampled_from(METHODS),
    errors=st.sampled_from(ERRORS),
    by=st.booleans(),
    level=st.sampled_from([-1e6, -3.0, 0.1, 1000.0, 1e6]),
    scale=st.sampled_from([1e-6, 0.01, 7.0, 1e5]),
)
def test_where_an_outcomes_zero_lies_and_its_unit_have_no_say(  # noqa: PLR0917
    seed, design, method, errors, by, level, scale
):
    frame = drawn(seed)
    y = frame[["y", "yes"]]
    both = pd.concat([y, (y + level).add_suffix(" moved"), (y * scale).add_suffix(" scaled")],
                     axis=1)  # fmt: skip
    try:
        found = effects(frame, both, design, method, errors, by)
    except TfevalError as error:
        assert "\n" not in str(error)
        return
    rows = found.to_frame().set_index(["population", "outcome"])
    for population in rows.index.unique(0):
        own = rows.loc[population]
        for name in y:
            one, moved, scaled = (own.loc[name + more] for more in ("", " moved", " scaled"))
            spread = y[name].std()
            assert one["status"] == moved["status"] == scaled["status"]
            for what in ("estimate", "std_error", "conf_low", "conf_high"):
                near = {"abs": 1e-8 * spread, "nan_ok": True}
                assert moved[what] == pytest.approx(one[what], rel=0, **near), what
                near["abs"] *= 10  # the level of the scaled one is another
                assert scaled[what] / scale == pytest.approx(one[what], rel=0, **near), what
            assert abs(one["estimate"]) < 20 or np.isnan(one["estimate"])


@settings(max_examples=25, deadline=None, suppress_health_check=_SLOW)
@given(
    seed=st.integers(0, 10_000),
    design=st.sampled_from(["unweighted", "unweighted, ATE"]),
    method=st.sampled_from(METHODS),
    errors=st.sampled_from(["robust", "cr2", "wild"]),
)
def test_a_covariate_that_says_nothing_changes_nothing_but_the_note(seed, design, method, errors):
    frame = drawn(seed)
    frame["same"] = 4.2
    frame["twice"] = 2.0 * frame["x"] - 1.0
    plain = effects(frame, frame["y"], design, method, errors, True, covariates=["x"])
    for more in ("same", "twice"):
        found = effects(frame, frame["y"], design, method, errors, True, covariates=["x", more])
        for what in ("estimate", "std_error", "p_value", "freedom"):
            assert found.to_frame()[what].to_numpy() == pytest.approx(
                plain.to_frame()[what].to_numpy(), rel=1e-8, nan_ok=True
            )
        if method in ("adjusted", "doubly_robust") and more == "twice":  # the study drops "same"
            assert any("repeat others there: twice." in note for note in found.notes)


def test_an_area_level_covariate_does_not_move_the_effects_of_areas():
    # 4,000 units, 48 areas, a score to one decimal among the covariates, a true effect of 1.
    rng = np.random.default_rng(5)
    area = rng.integers(0, 48, 4000)
    frame = pd.DataFrame({"treated": rng.random(4000) < 0.4, "x": rng.normal(size=4000)})
    frame["z"] = np.round(rng.normal(5, 2, size=48), 1)[area]
    y = 100.0 + frame["x"] + 3 * frame["z"] + frame["treated"] + rng.normal(size=4000)
    made = tf.study(frame, covariates=["x", "z"])
    for design in (tf.unweighted(made), tf.weight(made), tf.match(made)):
        for method in ("adjusted", "doubly_robust"):
            found = tf.estimate(design, y, by=area, method=method)
            assert found.to_frame()["estimate"].sub(1.0).abs().max() < 1.5
            assert abs(found.pool().mean - 1.0) < 0.15
            within = "in 48 of 48 groups, since they do not vary or repeat others there: z."
            # Matches come from other areas too, among whom the score varies.
            assert any(within in note for note in found.notes) or design.sets is not None


def test_a_level_without_known_outcomes_in_one_arm_is_left_out_there():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"treated": rng.random(800) < 0.5, "x": rng.normal(size=800)})
    frame["kind"] = rng.choice(["a", "b", "c"], 800)
    y = frame["x"] + frame["treated"] + rng.normal(size=800)
    y = y.mask(~frame["treated"] & (frame["kind"] == "c"))
    made = tf.study(frame, covariates=["x", "kind"])
    found = [tf.estimate(tf.unweighted(made), y + more).to_frame().iloc[0] for more in (0, 1000)]
    assert found[0]["estimate"] == pytest.approx(1.0, abs=0.3)
    assert found[1]["estimate"] == pytest.approx(found[0]["estimate"], abs=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_estimates_are_those_of_statsmodels_with_the_same_columns_dropped(seed):
    frame = drawn(seed)
    made = tf.study(frame, covariates=COVARIATES, fewest=1)
    x = made.covariates.matrix
    for design in (tf.unweighted(made), tf.weight(made), tf.match(made, replace=True)):
        found = tf.estimate(design, frame["y"], errors="robust").to_frame().iloc[0]
        centre = np.average(x, axis=0, weights=design.target)
        means = []
        for arm in (made.treated, ~made.treated):
            rows = np.flatnonzero(arm & (design.weights > 0))
            z = np.column_stack([np.ones(len(rows)), x[rows] - centre])
            # What varies by rounding alone is no column of its own.
            z[:, 1:][:, np.ptp(x[rows], axis=0) < 1e-12] = 0.0
            fit = sm.WLS(frame["y"].to_numpy()[rows], independent(z),
                         weights=design.weights[rows]).fit()  # fmt: skip
            means.append(fit.params[0])
        assert found["estimate"] == pytest.approx(means[0] - means[1], rel=1e-8)


def test_too_many_covariates_for_a_small_arm_leave_those_on_which_it_is_apart():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, 6))
    x[:, 4] += 5.0  # far from the centre, 0
    fit = solved(*cross_products(x, np.ones(12), rng.normal(size=(12, 1))), units=12)
    assert fit.rank == 12 // UNITS_PER_COEFFICIENT
    assert not fit.crowded[4] and fit.crowded.sum() == 6 - (fit.rank - 1)


def test_more_covariates_than_units_in_a_group_give_no_wild_effect():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(900, 10)), columns=list("abcdefghij"))
    frame["treated"] = rng.random(900) < 0.5
    y = frame["a"] + frame["treated"] + rng.normal(size=900)
    made = tf.study(frame, covariates=list("abcdefghij"))
    group = np.arange(900) % 60  # 15 units each
    for method in ("adjusted", "doubly_robust"):
        found = tf.estimate(tf.weight(made), y, by=group, method=method)
        assert found.to_frame()["estimate"].sub(1.0).abs().max() < 3.5
        assert any("too few units for so many" in note for note in found.notes)


def test_a_covariate_missing_for_whole_areas_does_not_move_their_effects():
    rng = np.random.default_rng(11)
    area = rng.integers(0, 30, 3000)
    frame = pd.DataFrame({"treated": rng.random(3000) < 0.4, "x": rng.normal(size=3000)})
    y = 25.0 + frame["x"] + frame["treated"] + rng.normal(size=3000)
    frame["x"] = frame["x"].mask(area < 12)
    made = tf.study(frame, covariates=["x"])
    for design in (tf.unweighted(made), tf.weight(made)):
        for method in ("adjusted", "doubly_robust"):
            found = tf.estimate(design, y.rename("y"), by=area, method=method)
            assert found.to_frame()["estimate"].sub(1.0).abs().max() < 1.5
            assert abs(found.pool().mean - 1.0) < 0.15
            assert any("x" in note and "regression" in note for note in found.notes)
