"""Designs that make their own contrasts: taken by estimate, corrections, tables, appraisal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import tfeval as tf
from tests.impact.difference_in_differences import DifferenceInDifferences
from tfeval.impact.specification import DESIGNS, DesignRow


def drawn(n=400, seed=1, areas=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(size=n), "treated": rng.random(n) < 0.4})
    if areas:
        frame["area"] = rng.integers(areas, size=n)
    before = pd.DataFrame({name: rng.normal(size=n) for name in ("offences", "absence")})
    after = before + rng.normal(size=(n, 2)) + 0.5 * frame[["treated"]].to_numpy()
    made = tf.study(frame, covariates=["age"], cluster="area" if areas else None)
    return made, before, after


def test_estimate_takes_it_and_agrees_with_a_regression_of_changes():
    made, before, after = drawn()
    effects = tf.estimate(DifferenceInDifferences(made, before), after, months=12)
    frame = effects.to_frame().set_index("outcome")
    for name in after:
        fit = sm.OLS(after[name] - before[name], sm.add_constant(made.treated.astype(float))).fit(
            cov_type="HC0"
        )
        assert frame.loc[name, "estimate"] == pytest.approx(fit.params["x1"], abs=1e-12)
        n = made.size
        assert frame.loc[name, "std_error"] == pytest.approx(
            fit.bse["x1"] * np.sqrt(n / (n - 1)), rel=1e-10
        )
    assert frame["months"].tolist() == [12, 12]
    assert "both groups would have changed alike" in effects.notes[0]
    # The joint covariance: what a regression of both together says.
    assert effects.joint[0, 1] == pytest.approx(effects.joint[1, 0])
    assert abs(effects.correlation()[0, 1]) < 1


def test_errors_by_cluster_are_those_of_statsmodels():
    made, before, after = drawn(areas=30)
    effects = tf.estimate(DifferenceInDifferences(made, before), after[["offences"]])
    change = after["offences"] - before["offences"]
    fit = sm.OLS(change, sm.add_constant(made.treated.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": made.clusters["area"], "use_correction": False}
    )
    row = effects.to_frame().iloc[0]
    assert row["std_error"] == pytest.approx(fit.bse["x1"] * np.sqrt(30 / 29), rel=1e-10)
    assert row["freedom"] == 29
    assert row["errors"] == "cluster"


def test_results_lead_on_as_from_any_design():
    made, before, after = drawn()
    effects = tf.estimate(DifferenceInDifferences(made, before), after, months=12)
    corrected = effects.with_corrections("holm").to_frame()
    assert (corrected["p_adjusted"] >= corrected["p_value"]).all()
    assert "Offences" in effects.table().text()
    worth = tf.appraise(effects.select("offences"), 1e6, families=1000)
    assert np.isfinite(worth.npv)


def test_few_units_and_no_variation_have_no_error():
    made, before, after = drawn(n=10, seed=4)
    few = tf.estimate(DifferenceInDifferences(made, before), after).to_frame()
    assert few["status"].tolist() == ["few_units", "few_units"]
    assert few["std_error"].isna().all()
    made, before, _ = drawn()
    same = tf.estimate(DifferenceInDifferences(made, before), before + 1.0).to_frame()
    assert same["status"].tolist() == ["no_variation", "no_variation"]


def test_it_is_one_row_of_the_designs_on_offer(monkeypatch):
    made, before, after = drawn()
    row = DesignRow(
        "changes compared", lambda study, _caliper: DifferenceInDifferences(study, before)
    )
    monkeypatch.setitem(DESIGNS, "difference_in_differences", row)
    spec = tf.Specification(design="difference_in_differences")
    chosen = tf.design(made, spec.design)
    assert tf.estimate(chosen, after).to_frame()["method"].iloc[0] == spec.design


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"errors": "abadie_imbens"}, "robust"),
        ({"cluster": "area"}, "no clusters"),
        ({"cluster": ("a", "b")}, "name one"),
        ({"level": 2}, "level"),
    ],
)
def test_what_it_has_not_is_refused(asked, message):
    made, before, after = drawn()
    with pytest.raises(tf.ParameterError, match=message):
        tf.estimate(DifferenceInDifferences(made, before), after, **asked)


def test_what_is_no_design_is_still_refused():
    with pytest.raises(tf.ParameterError, match="takes a design"):
        tf.estimate(object(), pd.DataFrame({"a": [1.0]}))
