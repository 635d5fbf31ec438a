"""Differences of effects between families: DoubleML's numbers, known truths, what is not shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import tfeval as tf
from tests.impact.golden import FOLDER
from tfeval.errors import ParameterError
from tfeval.impact.propensity.propensity import fit_classifier
from tfeval.impact.sensitivity.moderation import Moderation

LINEAR = {"model": LinearRegression(), "classifier": "logit"}
MODELS = {
    "linear": (LinearRegression(), LogisticRegression(C=1e10, tol=1e-12, max_iter=10_000)),
    "neighbours": (KNeighborsRegressor(25), KNeighborsClassifier(25)),
}


def drawn(seed=1, n=800, more=0.0, few=False, order=slice(None)):
    """Families of whom those in work gain `more` than the others; need decides who is treated."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"need": rng.normal(size=n), "age": rng.normal(size=n)})
    frame["work"] = rng.random(n) < (0.02 if few else 0.5)
    frame["unit"] = rng.permutation(n)
    frame["treated"] = rng.random(n) < 1 / (1 + np.exp(0.4 - 0.6 * frame["need"]))
    gain = -0.5 - more * frame["work"]
    y = 4 + frame["need"] + gain * frame["treated"] + rng.normal(size=n)
    study = tf.study(frame.iloc[order], covariates=["need", "age", "work"], unit="unit")
    return study, y.rename("offences")


@pytest.mark.parametrize("outcome", ["y", "yb"])
@pytest.mark.parametrize("case", MODELS)
def test_it_is_doubleml_whole_and_by_group(case, outcome):
    data = pd.read_csv(FOLDER / "clustered_data.csv")
    golden = pd.read_csv(FOLDER / "moderation.csv").set_index(["case", "quantity"])["value"]
    wanted = golden[f"{case}_{outcome}"].astype(float)
    study = tf.study(data, treated="treat", covariates=["x1", "x2", "x3", "b1"])
    model, classifier = MODELS[case]
    folds = np.arange(len(data)) % 5
    score, _ = fit_classifier(study, classifier, folds, 1)
    design = Moderation(study, score, folds, model, ("b1",))
    rows = tf.estimate(design, data[outcome]).to_frame().set_index("population")
    factor = np.sqrt(len(data) / (len(data) - 1))
    for name, quantity, error in (("all", "estimate", "std_error"),
                                  ("b1", "difference", "difference_error")):  # fmt: skip
        assert rows.loc[name, "estimate"] == pytest.approx(wanted[quantity], rel=1e-6)
        assert rows.loc[name, "std_error"] == pytest.approx(wanted[error] * factor, rel=1e-6)


def test_where_effects_are_alike_few_differences_survive_and_intervals_hold():
    """Over many draws, all questions of a draw together: at most the level, give or take chance."""
    wrong, held = [], []
    for seed in range(150):
        study, y = drawn(seed, n=500)
        found = tf.heterogeneity(study, y, **LINEAR)
        wrong.append(len(found.surviving) > 0)
        row = found.effects.frame.iloc[0]
        held.append(row["conf_low"] <= -0.5 <= row["conf_high"])
    assert np.mean(wrong) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 150)
    assert abs(np.mean(held) - 0.95) <= 2.5 * np.sqrt(0.05 * 0.95 / 150)


def test_where_effects_differ_it_is_seen_and_nothing_else():
    gaps, names = [], []
    for seed in range(40):
        found = tf.heterogeneity(*drawn(seed, n=1500, more=1.0), **LINEAR)
        rows = found.to_frame().set_index("population")
        gaps.append((rows.loc["work", "estimate"] + 1) / rows.loc["work", "std_error"])
        names += found.surviving["population"].tolist()
    assert abs(np.mean(gaps)) <= 3 / np.sqrt(40) and 0.6 < np.std(gaps) < 1.4
    assert names.count("work") == 40 and names.count("age") <= 5
    assert names.count("predicted") >= 38  # models of other folds find who gains, too


def test_what_does_not_survive_is_not_shown():
    study, y = drawn(3)
    found = tf.heterogeneity(study, y, **LINEAR)
    text = found.table().text()
    assert found.surviving.empty and "nothing that survives" in text
    every = found.to_frame()
    assert len(every) == 4 and "4 differences were asked about" in text
    shown = found.table()
    assert {row[shown.columns.index("Difference")].text for row in shown.rows} == {""}
    # Seen in four of five draws, or somewhat more: Romano-Wolf is no weaker than Bonferroni.
    size = float(every.set_index("population").loc["work", "detectable"])
    seen = ["work" in set(tf.heterogeneity(*drawn(seed, more=size), **LINEAR).surviving[
            "population"]) for seed in range(80)]  # fmt: skip
    assert 0.7 <= np.mean(seen) <= 0.95


def test_groups_of_few_tell_nothing():
    study, y = drawn(4, few=True)
    rows = tf.heterogeneity(study, y, **LINEAR).to_frame().set_index("population")
    assert rows.loc["work", "status"] == "few_units" and np.isnan(rows.loc["work", "estimate"])
    assert np.isfinite(rows.loc["need", "estimate"])


def test_order_scale_and_level_of_the_outcome_change_nothing():
    study, y = drawn(5)
    first = tf.heterogeneity(study, y, **LINEAR).to_frame()
    order = np.random.default_rng(0).permutation(study.size)
    again = tf.heterogeneity(drawn(5, order=order)[0], y, **LINEAR).to_frame()
    other = tf.heterogeneity(study, 10 * y + 3, **LINEAR).to_frame()
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(again[name], first[name], rtol=1e-8)
        np.testing.assert_allclose(other[name], 10 * first[name], rtol=1e-8)


def test_what_is_wrong_is_said():
    study, y = drawn(6)
    with pytest.raises(ParameterError, match="no covariate wrk"):
        tf.heterogeneity(study, y, "wrk")
    with pytest.raises(ParameterError, match="folds is 2 or more"):
        tf.heterogeneity(study, y, folds=1, **LINEAR)
    with pytest.raises(ParameterError, match="There is no correction none"):
        tf.heterogeneity(study, y, correction="none", **LINEAR)
