"""A design as a data frame: what other people's models see is what the design says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import tfeval as tf
from tests.impact.simulated import simulated

FRAME, NAMES = simulated(600)
FRAME = FRAME.set_index("id", drop=False)
FRAME["area"] = np.arange(600) % 20
FRAME["kind"] = np.where(FRAME["x1"] > 0, "b", "a")
Y = (FRAME["x0"] + 0.3 * FRAME["treated"] + np.random.default_rng(2).normal(size=600)).rename("y")
FIRST = ["treated", "weight", "set", "score", "distance", "fate", "sampling_weight"]
DESIGNS = {
    "pairs": lambda made: tf.match(made, caliper=0.2),
    "two to one": lambda made: tf.match(made, ratio=2, caliper=None),
    "with replacement": lambda made: tf.match(made, replace=True, ratio=2),
    "for the comparison": lambda made: tf.match(made, estimand="ATC", replace=True),
    "full": lambda made: tf.match(made, "full"),
    "subclass": lambda made: tf.match(made, "subclass", estimand="ATE"),
    "kernel": lambda made: tf.match(made, "kernel"),
    "coarsened": lambda made: tf.match(made, "coarsened_exact", cutpoints=dict.fromkeys(NAMES, 2)),
    "weights": lambda made: tf.weight(made, estimand="ATE"),
    "entropy": lambda made: tf.weight(made, "entropy"),
    "nobody": tf.unweighted,
}


def of(**roles) -> tf.Study:
    return tf.study(FRAME, **{"covariates": NAMES, "cluster": "area", **roles})


def by_statsmodels(frame: pd.DataFrame, *columns: str):
    x = sm.add_constant(frame[["treated", *columns]])
    return sm.WLS(Y.loc[frame.index].to_numpy(), x, weights=frame["weight"])


@pytest.mark.parametrize("sampling", [None, "sw"])
@pytest.mark.parametrize("name", DESIGNS)
def test_statsmodels_behind_a_design_gives_the_same_difference(name, sampling):
    design = DESIGNS[name](of(weight=sampling))
    own = tf.estimate(design, Y, method="difference").to_frame()["estimate"].iloc[0]
    frame = design.to_frame()
    assert by_statsmodels(frame).fit().params["treated"] == pytest.approx(own, abs=1e-10)
    assert frame.columns[:7].tolist() == FIRST
    assert (frame["weight"] > 0).all() and (frame["fate"] == "kept").all()
    assert len(frame) == design.kept(True) + design.kept(False)


@pytest.mark.parametrize("name", DESIGNS)
def test_everybody_is_there_when_asked_for_and_nothing_is_moved(name):
    design = DESIGNS[name](of(weight="sw"))
    frame = design.to_frame(all=True)
    assert frame.index.equals(FRAME.index)
    np.testing.assert_array_equal(frame["weight"], design.weights)
    np.testing.assert_array_equal(frame["treated"], FRAME["treated"])
    np.testing.assert_array_equal(frame["sampling_weight"], FRAME["sw"])
    np.testing.assert_array_equal(frame["area"], FRAME["area"])
    assert frame.groupby(["treated", "fate"], observed=True).size().sum() == 600
    counted = design.counts.set_index(["arm", "fate"])["units"]
    for (arm, fate), units in counted.items():
        found = frame[(frame["treated"] == (arm == "treated")) & (frame["fate"] == fate)]
        assert len(found) == units
    if design.sets is None:
        assert frame["set"].isna().all()
    else:
        np.testing.assert_array_equal(frame["set"].fillna(-1), design.sets)


@pytest.mark.parametrize("sampling", [None, "sw"])
@pytest.mark.parametrize(
    "name", ["pairs", "two to one", "with replacement", "for the comparison", "full"]
)
def test_members_of_sets_have_a_row_each_time(name, sampling):
    design = DESIGNS[name](of(weight=sampling))
    frame = design.to_frame(pairs=True)
    assert frame["set"].notna().all() and frame["set"].is_monotonic_increasing
    arms = frame.groupby("set")["treated"].agg(["min", "max", "first"])
    assert (arms["min"] == 0).all() and (arms["max"] == 1).all() and (arms["first"] == 1).all()
    per = frame["treated"].groupby(frame.index).size()
    if design.pairs is not None:
        focal = 0 if design.estimand == "ATC" else 1
        assert (frame["treated"] == focal).sum() == len(np.unique(design.pairs[:, 0]))
        served = np.bincount(design.pairs[:, 1], minlength=600)
        for unit, times in per[frame.loc[frame["treated"] != focal].index.unique()].items():
            assert times == served[FRAME.index.get_loc(unit)]
    # What a unit weighs over all of its rows is what the design gives it, up to the arm's scale.
    whole = frame["weight"].groupby(frame.index).sum()
    held = pd.Series(design.weights, FRAME.index)[whole.index]
    treated = FRAME["treated"][whole.index] == 1
    for arm in (treated, ~treated):
        ratio = (whole / held)[arm]
        assert ratio.std() < 1e-12 * ratio.mean() or len(ratio) == 1
    own = tf.estimate(design, Y, method="difference").to_frame()["estimate"].iloc[0]
    assert by_statsmodels(frame).fit().params["treated"] == pytest.approx(own, abs=1e-10)


def test_errors_by_matched_set_are_those_of_statsmodels():
    design = tf.match(of(cluster=None), caliper=0.2)
    frame = design.to_frame()
    groups = {"groups": frame["set"].astype(int), "use_correction": False}
    theirs = by_statsmodels(frame).fit(cov_type="cluster", cov_kwds=groups).bse["treated"]
    ours = (
        tf.estimate(design, Y, method="difference", errors="pair").to_frame()["std_error"].iloc[0]
    )
    # Clusters alone are corrected for: g / (g - 1), as the package counts them.
    count = frame["set"].nunique()
    assert theirs * np.sqrt(count / (count - 1)) == pytest.approx(ours, rel=2e-3)


def test_covariates_are_the_studys_numbers():
    frame = FRAME.assign(x0=FRAME["x0"].where(FRAME["x0"] < 1))
    made = tf.study(frame, covariates=[*NAMES, "kind"])
    found = tf.match(made).to_frame(all=True, covariates=True)
    assert found.columns[7:].tolist() == list(made.covariates.names)
    assert {"x0: missing", "kind: b"} < set(found.columns)
    np.testing.assert_array_equal(found.iloc[:, 7:].astype(float), made.covariates.matrix)


def test_analysis_of_covariance_by_statsmodels_is_the_packages():
    design = tf.match(of())
    frame = design.to_frame(covariates=True)
    theirs = by_statsmodels(frame, *NAMES).fit().params["treated"]
    ours = tf.estimate(design, Y, method="covariance_adjusted").to_frame()["estimate"].iloc[0]
    assert theirs == pytest.approx(ours, abs=1e-10)


def test_names_of_the_study_never_cover_those_of_the_design():
    taken = dict(zip(NAMES, ["weight", "score", "set", "fate", "stratum"], strict=False))
    frame = FRAME.rename(columns=taken).assign(distance=FRAME["area"], one=FRAME["area"] % 4)
    own = [*taken.values(), "one", *NAMES[len(taken) :]]
    made = tf.study(frame, covariates=own, cluster=["distance", "one"], strata="one", family="id")
    found = tf.match(made, "full").to_frame(all=True, covariates=True)
    assert found.columns.is_unique and found.columns[:7].tolist() == FIRST
    np.testing.assert_array_equal(found["weight (covariate)"], frame["weight"])
    np.testing.assert_array_equal(found["distance (cluster)"], FRAME["area"])
    np.testing.assert_array_equal(found["stratum"], frame["one"])
    np.testing.assert_array_equal(found["one"], frame["one"])
    assert found["family"].nunique() == 600


def test_who_is_not_in_the_sample_has_no_row_and_says_so():
    frame = FRAME.assign(sw=FRAME["sw"].where(np.arange(600) % 5 > 0, 0.0))
    design = tf.match(tf.study(frame, covariates=NAMES, weight="sw"), replace=True)
    out = frame.index[frame["sw"] == 0]
    assert not set(out) & set(design.to_frame().index)
    assert not set(out) & set(design.to_frame(pairs=True).index)
    assert (design.to_frame(all=True).loc[out, "fate"] == "not_asked").all()


@pytest.mark.parametrize("name", ["weights", "kernel", "nobody"])
def test_sets_that_are_not_there_are_refused_in_one_line(name):
    design = DESIGNS[name](of())
    with pytest.raises(tf.ParameterError, match=r"no matched sets\. Leave pairs out") as caught:
        design.to_frame(pairs=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(tf.ParameterError, match="without all=True"):
        tf.match(of()).to_frame(pairs=True, all=True)


def test_the_frame_is_the_callers_own():
    design = tf.match(of())
    before = design.weights.copy()
    frame = design.to_frame(all=True, covariates=True)
    frame["weight"] = 0.0
    np.testing.assert_array_equal(design.weights, before)
    np.testing.assert_array_equal(design.to_frame(all=True)["weight"], before)
