"""A mistake gets one message: what is wrong, where, what to do; nothing about single rows."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.impact.simulated import simulated
from tfeval.errors import DataError, ParameterError, TfevalError

FRAME, NAMES = simulated(300)
#: Stands in a row of every frame below, and in no message.
SECRET = 7041.776
FRAME.loc[5, "x3"] = SECRET
FRAME["area"] = np.arange(300) % 7
FRAME["y"] = FRAME[NAMES[:3]].sum(axis=1)
Y = FRAME["y"]
APART = FRAME.assign(x0=5 * FRAME["treated"] + 0.1 * FRAME["x1"])
SPLIT = FRAME.assign(s=np.where(FRAME["treated"] == 1, "a", "b"))
ONE = FRAME.assign(area=1)


def of(frame: pd.DataFrame = FRAME, **roles):
    return tf.study(frame, **{"covariates": NAMES, **roles})


def effect(y=Y, frame: pd.DataFrame = FRAME, roles: dict | None = None, **asked):
    return tf.estimate(tf.match(of(frame, **(roles or {}))), y, **asked)


WRONG = {
    # Who and on what.
    "a constant covariate": (
        lambda: of(FRAME.assign(x0=1.0)),
        ("x0", "the same value in every row", "Leave it out"),
    ),
    "a covariate always missing": (
        lambda: of(FRAME.assign(x0=np.nan)),
        ("x0 is missing in every row", "Leave it out"),
    ),
    "a covariate missing in few rows": (
        lambda: of(FRAME.assign(x0=FRAME["x0"].where(FRAME.index > 3)), missing="refuse"),
        ("x0 is missing in fewer than 10 rows", "missing='indicator'"),
    ),
    "a covariate missing in many rows": (
        lambda: of(FRAME.assign(x0=FRAME["x0"].where(FRAME.index > 33)), missing="refuse"),
        ("x0 is missing in 34 rows", "missing='indicator'"),
    ),
    "an infinite covariate": (
        lambda: of(FRAME.assign(x0=FRAME["x0"].mask(FRAME.index == 3, np.inf))),
        ("x0 is infinite in fewer than 10 rows", "Correct it"),
    ),
    "a date for a covariate": (
        lambda: of(FRAME.assign(x0=pd.date_range("2012-01-01", periods=300))),
        ("x0 is of type datetime64", "such as an age in years"),
    ),
    "a name for every unit": (
        lambda: of(FRAME.assign(x0=FRAME["id"].astype(str))),
        ("x0 has 300 levels", "Group them"),
    ),
    "no covariates": (lambda: of(covariates=[]), ("at least one covariate",)),
    "covariates not named": (lambda: tf.study(FRAME), ("Name the covariates",)),
    "an unknown column": (lambda: of(cluster="aera"), ("no column aera", "Did you mean area?")),
    "the treatment as a covariate": (
        lambda: of(covariates=["x0", "treated"]),
        ("treated says who was treated",),
    ),
    "a covariate twice": (lambda: of(covariates=["x0", "x0"]), ("x0 is named twice",)),
    "everybody treated": (
        lambda: of(FRAME.assign(treated=1)),
        ("Every row is treated", "nobody to compare with"),
    ),
    "nobody treated": (lambda: of(FRAME.assign(treated=0)), ("Every row is comparison",)),
    "treatment missing": (
        lambda: of(FRAME.assign(treated=FRAME["treated"].where(FRAME.index > 5))),
        ("treated is missing in fewer than 10 rows",),
    ),
    "treatment of three kinds": (
        lambda: of(FRAME.assign(treated=FRAME.index % 3)),
        ("treated holds other values than 0 and 1", "Say 1 for units on the programme"),
    ),
    "negative sampling weights": (
        lambda: of(FRAME.assign(sw=-FRAME["sw"]), weight="sw"),
        ("sw: a sampling weight is a number of at least 0", "correct them"),
    ),
    "missing sampling weights": (
        lambda: of(FRAME.assign(sw=FRAME["sw"].where(FRAME.index > 5)), weight="sw"),
        ("sw: a sampling weight is a number", "leave these units out"),
    ),
    "weights that sum to nothing": (
        lambda: of(FRAME.assign(sw=FRAME["treated"].astype(float)), weight="sw"),
        ("sw: the weights of the comparison units sum to nothing", "Check the column"),
    ),
    "an identifier twice": (
        lambda: of(FRAME.assign(id=FRAME["id"].mask(FRAME.index == 1, FRAME["id"][0])), unit="id"),
        ("id does not identify the units", "one identifier a row"),
    ),
    "a stratum missing": (
        lambda: of(FRAME.assign(s=FRAME["x0"].where(FRAME.index > 5)), strata="s"),
        ("s is missing in some rows", "a code of their own"),
    ),
    "no frame": (
        lambda: tf.study(None, covariates=NAMES),
        ("a cohort or a Parquet file",),
    ),
    "no rows": (lambda: of(FRAME.iloc[:0]), ("The frame has no rows",)),
    "months of a frame": (lambda: of(months=12), ("months goes with a cohort",)),
    # Designs.
    "separation": (
        lambda: tf.match(of(APART)),
        ("x0: tells treated from comparison units without overlap", "Leave it out"),
    ),
    "separation, weighting": (lambda: tf.weight(of(APART)), ("x0: tells treated", "Leave it out")),
    "separation, entropy balancing": (
        lambda: tf.weight(of(APART), "entropy"),
        ("x0: no weights make the means the same", "Leave out"),
    ),
    "no overlap": (
        lambda: tf.match(of(), distance=10.0 * of().treated, caliper=0.01),
        ("no pair could be made", "the caliper is too narrow", "Widen it"),
    ),
    "no common support": (
        lambda: tf.match(of(), support=(0.999, 1.0)),
        ("no pair could be made", "the arms do not overlap", "Widen the support"),
    ),
    "no common support, weighting": (
        lambda: tf.weight(of(), support=(0.999, 1.0)),
        ("no treated unit is left", "common support"),
    ),
    "a bandwidth of nothing": (
        lambda: tf.match(of(), "kernel", bandwidth=1e-12),
        ("the bandwidth is too narrow", "Widen it"),
    ),
    "empty strata": (
        lambda: tf.match(of(SPLIT, strata="s")),
        ("no stratum of s holds both arms", "Make strata wider"),
    ),
    "empty strata, weighting": (
        lambda: tf.weight(of(SPLIT, strata="s"), within="strata"),
        ("no stratum of s holds both arms", "Make strata wider"),
    ),
    "cells too fine": (
        lambda: tf.match(of(), "coarsened_exact", cutpoints=dict.fromkeys(NAMES, 100)),
        ("no cell holds both arms", "fewer bins"),
    ),
    "a frame for a study": (lambda: tf.match(FRAME), ("match takes a study, not a DataFrame",)),
    "a frame for a study, weighting": (lambda: tf.weight(FRAME), ("weight takes a study",)),
    "an unknown matching": (lambda: tf.match(of(), "neerest"), ("Did you mean nearest?",)),
    "an unknown weighting": (lambda: tf.weight(of(), "entropie"), ("Did you mean entropy?",)),
    "an unknown setting": (lambda: tf.match(of(), calliper=1), ("Did you mean caliper?",)),
    "an unknown setting, weighting": (lambda: tf.weight(of(), trin=1), ("Did you mean trim?",)),
    "an unknown setting, study": (lambda: of(clusters="area"), ("Did you mean cluster?",)),
    "an estimand that it has not": (
        lambda: tf.match(of(), estimand="ATE"),
        ("only ATT and ATC", 'For the ATE there is "full"'),
    ),
    "a caliper in words": (lambda: tf.match(of(), caliper="narrow"), ("a number above 0",)),
    "a caliper below 0": (lambda: tf.match(of(), caliper=-1), ("caliper is a number above 0",)),
    "a caliper on nothing": (
        lambda: tf.match(of(), calipers={"x9": 1}),
        ("no covariate x9", "Known: x0"),
    ),
    "calipers without widths": (lambda: tf.match(of(), calipers=["x0"]), ('{"age": 0.2}',)),
    "half a match": (lambda: tf.match(of(), ratio=1.5), ("ratio is a whole number",)),
    "a support of one number": (lambda: tf.match(of(), support=0.1), ("two probabilities",)),
    "an unknown model": (lambda: tf.match(of(), model="probit"), ("scikit-learn classifier",)),
    "distances of others": (
        lambda: tf.match(of(), distance=np.ones(3)),
        ("one finite number for each of the 300 units",),
    ),
    # Effects.
    "an outcome outside 0 and 1": (
        lambda: effect(outcome_model="logistic"),
        ("y: values outside 0 to 1", 'outcome_model="linear"'),
    ),
    "an outcome that covariates determine": (
        lambda: tf.estimate(
            tf.weight(of()), (FRAME["x0"] > 0).astype(int).rename("z"), outcome_model="logistic"
        ),
        ("The logistic model of z does not settle", 'outcome_model="linear"'),
    ),
    "an outcome missing in an arm": (
        lambda: effect(Y.where(FRAME["treated"] == 0)),
        ("Outcome y is missing for every treated unit", "Leave it out"),
    ),
    "an infinite outcome": (
        lambda: effect(Y.mask(FRAME.index == 3, np.inf)),
        ("Outcome y is infinite", "Correct it"),
    ),
    "an outcome in words": (lambda: effect(Y.astype(str) + "?"), ("y is not a number", "0 and 1")),
    "an outcome of others": (
        lambda: effect(Y.rename(lambda row: row + 1000)),
        ("The outcomes lack 300 of the study's 300 units", "same index"),
    ),
    "an outcome of most": (
        lambda: effect(Y.iloc[3:]),
        ("lack fewer than 10 of the study's 300 units", "same index"),
    ),
    "an outcome whose rows cannot be told apart": (
        lambda: effect(Y.iloc[::-1], FRAME.set_index("area")),
        ("is not unique", "names each unit once"),
    ),
    "an outcome that is a covariate": (
        lambda: effect(FRAME["x0"]),
        ("x0: a covariate of the study, so no outcome",),
    ),
    "an array": (lambda: effect(Y.to_numpy()), ("with the study's index",)),
    "one cluster": (
        lambda: effect(frame=ONE, roles={"cluster": "area"}, errors="cluster"),
        ("There is one cluster only", "Cluster by something"),
    ),
    "one cluster, bootstrap": (
        lambda: effect(frame=ONE, roles={"cluster": "area"}, errors="bootstrap", draws=99),
        ("fewer than 5 (area)", "Cluster by something"),
    ),
    "one cluster, wild": (
        lambda: effect(frame=ONE, roles={"cluster": "area"}, errors="wild", method="difference"),
        ("needs three clusters or more",),
    ),
    "no cluster": (lambda: effect(errors="cluster"), ("needs a cluster", "cluster=")),
    "an unknown cluster": (
        lambda: effect(roles={"cluster": "area"}, cluster="aera"),
        ("a cluster named aera", "Did you mean area?"),
    ),
    "unknown errors": (lambda: effect(errors="clusterd"), ("Did you mean cluster?",)),
    "an unknown estimator": (lambda: effect(method="regress"), ("method 'regress'", "Known:")),
    "an unknown setting, effect": (lambda: effect(error="pair"), ("Did you mean errors?",)),
    "a level in percent": (lambda: effect(level=95), ("level lies from 0.5",)),
    "months in words": (lambda: effect(months="12"), ("months is a whole number",)),
    "groups of others": (
        lambda: effect(by=FRAME["area"].iloc[:9]),
        ("The groups (by) lack 291 of the study's 300 units", "same index"),
    ),
    "groups by a name": (lambda: effect(by="area"), ("by: one group for each",)),
    "groups of one arm": (
        lambda: tf.estimate(tf.weight(of()), Y, by=FRAME["treated"]),
        ("No group has both",),
    ),
    "a study for a design": (lambda: tf.estimate(of(), Y), ("estimate takes a design",)),
    "an unknown threshold": (
        lambda: tf.match(of()).balance(threshold=1),
        ("Did you mean thresholds?",),
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_in_one_message(mistake):
    call, fragments = WRONG[mistake]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TfevalError) as caught:
            call()
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message
    assert "\n" not in message and len(message) < 400
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert "7041" not in message
    held = set(FRAME["id"].astype(str)) | {str(value) for value in FRAME["x0"]}
    assert not held & set(re.findall(r"-?\d+(?:\.\d+)?", message))


@pytest.fixture(scope="module")
def records():
    return tf.simulate(families=1500, seed=1).records


@pytest.fixture(scope="module")
def families(records):
    return tf.cohort(records, phase="one", horizon=(6, 12))


def test_a_covariate_of_a_cohort_that_is_an_outcome(families):
    late = families.columns.query("timing == 'after' and months == 12")["name"].iloc[0]
    for rows in (families, families.to_pandas(), families.to_pandas().iloc[::2].copy()):
        with pytest.raises(ParameterError, match=f"{late}: measured after the index date"):
            tf.study(rows, covariates=["people", late])


def test_months_that_the_cohort_has_not(families):
    made = tf.study(families)
    for call in (
        lambda: tf.study(families, months=18),
        lambda: tf.estimate(tf.match(made), families, months=18),
    ):
        with pytest.raises(ParameterError, match=r"no outcomes at 18 months, only at \[6, 12\]"):
            call()


def test_outcomes_of_another_cohort(families, records):
    other = tf.cohort(records, phase="two", horizon=(6, 12))
    assert len(other.to_pandas()) > len(families.to_pandas())  # so every label is there
    with pytest.raises(DataError, match="of another cohort than the study"):
        tf.estimate(tf.match(tf.study(families)), other, months=12)


def test_groups_and_effects_with_nobody_to_compare_are_left_out_and_counted():
    group = np.where(FRAME["treated"] == 1, FRAME["area"] % 4, np.minimum(FRAME["area"] % 4, 2))
    noisy = Y + np.random.default_rng(1).normal(size=len(Y))  # Y is what the covariates say
    y = pd.DataFrame({"y": noisy, "z": noisy.mask((group == 0) & (FRAME["treated"] == 0))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tf.estimate(tf.weight(of()), y, by=group, errors="robust")
    held = found.to_frame()
    assert held.groupby("population")["outcome"].agg(list).to_dict() == {
        "0": ["y"], "1": ["y", "z"], "2": ["y", "z"],
    }  # fmt: skip
    assert held["estimate"].notna().all() and held["std_error"].gt(0).all()
    assert any("1 groups without comparison units" in note for note in found.notes)
    assert any("1 effects are left out" in note for note in found.notes)


def test_groups_in_another_order_are_those_of_the_units():
    made, by = of(cluster="area"), (FRAME["x0"] > 0).map({True: "high", False: "low"})
    mixed = by.sample(frac=1.0, random_state=1)
    for asked in ({"errors": "robust"}, {"errors": "bootstrap", "draws": 99}):
        one, other = (
            tf.estimate(tf.weight(made), Y, by=groups, **asked).to_frame() for groups in (by, mixed)
        )
        pd.testing.assert_frame_equal(one, other)
