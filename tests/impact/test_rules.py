"""When an effect has an error: too few, too rare, nothing to estimate; others are unharmed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.inference import rules
from tfeval.impact.inference.intervals import Shares, limits, p_values, wilson


def people(size: int = 600, share: float = 0.4, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=size), "area": rng.integers(0, 20, size)})
    frame["treated"] = (rng.random(size) < share).astype(int)
    frame["y"] = frame["x"] + frame["treated"] + rng.normal(size=size)
    return frame


def of(frame: pd.DataFrame, **roles) -> object:
    return tf.study(frame, covariates=["x"], **roles)


def statuses(effects) -> dict[str, str]:
    return dict(zip(effects.to_frame()["outcome"], effects.to_frame()["status"], strict=True))


EVERY = {
    None: {},
    "robust": {},
    "hc2": {},
    "hc3": {},
    "cluster": {},
    "cr2": {},
    "wild": {"draws": 99},
    "bootstrap": {"draws": 99},
    "pair": {},
}


@pytest.mark.parametrize("errors", EVERY)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -7.3e8])
def test_an_outcome_that_does_not_vary_is_not_estimable_and_harms_no_other(errors, value):
    frame = people().assign(same=value)
    frame["nearly"] = np.where(frame["x"] > 0, 0.3, 0.1 + 0.2)  # the same but for rounding
    design = tf.match(of(frame, cluster="area"))
    found = tf.estimate(
        design, frame[["same", "y", "nearly"]], errors=errors, method="difference", **EVERY[errors]
    )
    alone = tf.estimate(
        design, frame[["y"]], errors=errors, method="difference", **EVERY[errors]
    ).to_frame()
    assert statuses(found) == {"same": "no_variation", "y": "estimated", "nearly": "no_variation"}
    rows = found.to_frame().set_index("outcome")
    missing = ["estimate", "std_error", "conf_low", "p_value"]
    assert rows.loc[["same", "nearly"], missing].isna().all(axis=None)
    for what in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert rows.loc["y", what] == pytest.approx(alone[what].iloc[0], rel=1e-6)
    assert "not estimable" in repr(found)
    corrected = tf.correct(found, "romano_wolf").to_frame().set_index("outcome")
    assert corrected["p_adjusted"].notna().tolist() == [False, True, False]


def test_one_rare_outcome_does_not_stop_the_logistic_models_of_others():
    frame = people().assign(nobody=0.0)
    frame["yes"] = (frame["y"] > 0).astype(float)
    frame["in_one_arm"] = ((frame["treated"] == 1) & (frame["x"] > 0.5)).astype(float)
    design = tf.weight(of(frame))
    for method in ("adjusted", "doubly_robust"):
        found = tf.estimate(
            design, frame[["nobody", "yes", "in_one_arm"]], method=method, outcome_model="logistic"
        )
        alone = tf.estimate(design, frame["yes"], method=method, outcome_model="logistic")
        assert statuses(found) == {
            "nobody": "no_variation", "yes": "estimated", "in_one_arm": "not_fitted",
        }  # fmt: skip
        row = found.to_frame().set_index("outcome").loc["yes"]
        assert row["estimate"] == pytest.approx(alone.to_frame()["estimate"].iloc[0], rel=1e-9)


@pytest.mark.parametrize("method", ["difference", "adjusted", "doubly_robust"])
def test_what_covariates_determine_leaves_nothing_to_chance(method):
    frame = people()
    y = 2 * frame["x"] + 1e6 if method != "difference" else 2.0 * frame["treated"] + 1.0
    found = tf.estimate(tf.unweighted(of(frame)), y.rename("y"), method=method).to_frame().iloc[0]
    assert found["status"] == "determined"
    assert np.isnan(found["std_error"]) and np.isnan(found["conf_low"])


@pytest.mark.parametrize("few", [1, 2, 3, 5, 8, 11, 12, 20])
def test_a_group_of_few_treated_has_no_error_of_its_own(few):
    frame = people(2000)
    group = np.where(frame["treated"] == 1, "large", "rest")
    group[np.flatnonzero(frame["treated"] == 1)[:few]] = "small"
    group[np.flatnonzero(frame["treated"] == 0)[:500]] = "small"
    group[np.flatnonzero(frame["treated"] == 0)[500:]] = "large"
    for design in (tf.unweighted(of(frame)), tf.weight(of(frame)), tf.weight(of(frame), folds=3)):
        for method in ("difference", "adjusted", "doubly_robust", "covariance_adjusted"):
            found = tf.estimate(design, frame["y"], by=group, method=method).to_frame()
            row = found.set_index("population").loc["small"]
            assert row["n_treated"] == few
            if few < rules.FEWEST_UNITS:
                assert row["status"] == "few_units"
                assert np.isnan(row["std_error"]) and np.isfinite(row["estimate"])
            else:
                assert row["status"] == "estimated" and row["small_sample"] == "hc2"
                assert row["freedom"] < 3 * few


@pytest.mark.parametrize("few", [1, 2, 3])
@pytest.mark.parametrize("errors", [None, "cluster", "cr2", "cr3", "wild", "bootstrap"])
def test_a_treatment_of_few_clusters_has_no_error(few, errors):
    frame = people().assign(treated=lambda frame: (frame["area"] < few).astype(int))
    design = tf.unweighted(of(frame, cluster="area"))
    asked = {"draws": 99} if errors in ("wild", "bootstrap") else {}
    found = tf.estimate(design, frame["y"], errors=errors, method="difference", **asked)
    row = found.to_frame().iloc[0]
    assert row["status"] == "few_clusters"
    assert np.isnan(row["p_value"]) and np.isfinite(row["estimate"])
    assert "at least 4 of each are needed" in repr(found)


def test_two_clusters_that_are_the_arms_have_no_error():
    frame = people().assign(area=lambda frame: frame["treated"])
    found = tf.estimate(tf.unweighted(of(frame, cluster="area")), frame["y"]).to_frame().iloc[0]
    assert found["status"] == "few_clusters" and np.isnan(found["p_value"])


def test_one_cluster_has_errors_by_unit_and_says_so():
    frame = people().assign(area=1)
    design = tf.match(of(frame, cluster="area"))
    found = tf.estimate(design, frame["y"])
    plain = tf.estimate(tf.match(of(frame)), frame["y"], errors="robust")
    assert found.to_frame()["std_error"].tolist() == plain.to_frame()["std_error"].tolist()
    assert found.to_frame()["errors"].tolist() == plain.to_frame()["errors"].tolist()
    assert any("of one area, errors are by unit" in note for note in found.notes)
    with pytest.raises(DataError, match="one cluster only"):
        tf.estimate(design, frame["y"], errors="cluster")


def test_areas_that_are_the_clusters_have_errors_by_unit_within():
    frame = people(4000)
    design = tf.weight(of(frame, cluster="area"))
    found = tf.estimate(design, frame["y"], by=frame["area"])
    assert (found.to_frame()["status"] == "estimated").all()
    assert found.to_frame()["errors"].eq("robust").all()


@pytest.mark.parametrize("few", [1, 2, 4])
def test_randomisation_over_clusters_is_the_count_of_all_allocations(few):
    from itertools import combinations

    frame = people(240, seed=few)
    frame["area"] = np.arange(240) % 8
    frame["treated"] = (frame["area"] < few).astype(int)
    effects = tf.estimate(
        tf.unweighted(of(frame, cluster="area")), frame["y"], errors="randomisation",
        method="difference", draws=20_000,
    ).to_frame().iloc[0]  # fmt: skip
    areas = sorted(frame["area"].unique())

    def apart(chosen, y) -> float:
        inside = frame["area"].isin(chosen)
        return y[inside].mean() - y[~inside].mean()

    def p(effect: float) -> float:
        y = frame["y"] - effect * frame["treated"]
        seen = abs(apart(range(few), y))
        every = [abs(apart(chosen, y)) for chosen in combinations(areas, few)]
        return float(np.mean([one >= seen - 1e-9 for one in every]))

    if few == 1:  # one in eight is the smallest p there can be
        assert effects["status"] == "few_clusters"
        return
    assert effects["p_value"] == pytest.approx(p(0.0), abs=1e-12)
    wide = effects["conf_high"] - effects["conf_low"]
    for end, out in ((effects["conf_low"], -1), (effects["conf_high"], 1)):
        assert p(end + out * 1e-6 * wide) < 0.05 <= p(end - out * 1e-6 * wide)


def test_randomisation_is_refused_where_it_does_not_hold():
    frame = people()
    with pytest.raises(DataError, match="varies within 20 of 20 clusters"):
        tf.estimate(tf.unweighted(of(frame, cluster="area")), frame["y"], errors="randomisation")
    whole = frame.assign(treated=(frame["area"] < 8).astype(int))
    with pytest.raises(ParameterError, match="weighs nobody"):
        tf.estimate(tf.weight(of(whole, cluster="area")), frame["y"], errors="randomisation")


def test_intervals_of_few_events_are_newcombes():
    # Newcombe (1998), table II: 56/70 against 48/80 and 0/10 against 0/10, method 10.
    for (a, m, b, n), ends in {
        (56, 70, 48, 80): (0.0524, 0.3339), (9, 10, 3, 10): (0.1705, 0.8090),
        (0, 10, 0, 10): (-0.2775, 0.2775), (10, 10, 0, 20): (0.6791, 1.0),
    }.items():  # fmt: skip
        shares = Shares(*(np.array([v]) for v in (a / m, b / n, m, n, 0.0)))
        low, high = limits(shares, np.array([1.959964]))
        assert (low[0], high[0]) == pytest.approx(ends, abs=2e-4)
        p = p_values(shares, np.array([np.inf]))[0]
        assert (p < 0.05) == (ends[0] > 0 or ends[1] < 0)


def test_wilson_holds_no_event_at_the_rule_of_three():
    low, high = wilson(np.array([0.0]), np.array([300.0]), np.array([1.959964]))
    assert low[0] == 0 and high[0] == pytest.approx(3.84 / 303.84, rel=1e-3)


def test_matched_pairs_without_events_have_no_interval_of_width_0():
    frame = people(1200, 0.05)
    frame["rare"] = 0.0
    frame.loc[frame.index[frame["treated"] == 0][:6], "rare"] = 1.0
    found = tf.estimate(tf.match(of(frame)), frame["rare"], errors="pair").to_frame().iloc[0]
    assert found["status"] in ("few_events", "no_variation")
    assert np.isnan(found["conf_low"])


def test_pooling_leaves_small_areas_out_and_says_how_many():
    rng = np.random.default_rng(3)
    sizes = np.r_[np.full(5, 3), np.full(20, 25)]
    area = np.concatenate([np.repeat(np.arange(25), sizes), np.repeat(np.arange(25), 40)])
    frame = pd.DataFrame({"treated": np.arange(len(area)) < sizes.sum()})
    frame["x"] = rng.normal(size=len(area))
    y = (rng.normal(size=len(area)) + frame["x"]).rename("y")
    found = tf.estimate(tf.unweighted(of(frame)), y, by=area)
    pooled = found.pool()
    assert len(pooled.frame) == 20 and len(pooled.settings["left_out"]) == 5
    assert "so left out: " in repr(pooled) and "fewer than 5 in an arm" in repr(pooled)


def test_errors_for_pooling_are_one_variance_an_arm():
    # Written out: what a difference of means has, with both arms' variances over all areas.
    frame = people(3000)
    design = tf.unweighted(of(frame))
    found = tf.estimate(design, frame["y"], by=frame["area"], method="difference")
    groups = frame.groupby(["treated", "area"])["y"]
    left = frame["y"] - groups.transform("mean")
    count = groups.size()
    variance = {arm: (left[frame["treated"] == arm] ** 2).sum()
                / ((frame["treated"] == arm).sum() - 20) for arm in (0, 1)}  # fmt: skip
    for place, name in enumerate(found.to_frame()["population"]):
        own = sum(variance[arm] / count[arm, int(name)] for arm in (0, 1))
        assert found.pooling.covariance[place, place] == pytest.approx(own, rel=1e-9)
    assert np.abs(found.pooling.covariance - np.diag(np.diag(found.pooling.covariance))).max() == 0
