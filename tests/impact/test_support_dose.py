"""Outcomes by dose of support: DoubleML's numbers, least squares, known truth, hidden need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.neighbors import KNeighborsRegressor

import tfeval as tf
from tests.impact.golden import FOLDER


def drawn(n=600, seed=1, hidden=0.0, areas=0):
    """Return families whose support follows need, recorded and, if asked, not recorded."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"need": rng.normal(size=n), "age": rng.normal(size=n)})
    unseen = hidden * rng.normal(size=n)
    if areas:
        frame["area"] = rng.integers(areas, size=n)
    frame["support_months"] = 6 + frame["need"] + unseen + rng.normal(size=n)
    outcome = 3 + frame["need"] + unseen - 0.2 * frame["support_months"] + rng.normal(size=n)
    return frame, outcome.rename("offences")


@pytest.mark.parametrize("outcome", ["y", "yb"])
@pytest.mark.parametrize(
    ("case", "model"), [("linear", None), ("neighbours", KNeighborsRegressor(25))]
)
def test_cross_fitted_effects_are_those_of_doubleml(case, model, outcome):
    data = pd.read_csv(FOLDER / "clustered_data.csv")
    golden = pd.read_csv(FOLDER / "support_dose.csv").set_index(["case", "quantity"])["value"]
    design = tf.support_dose(data, "x1", covariates=["x2", "x3", "b1"], model=model)
    design = replace(design, folds=np.arange(len(data)) % 5)
    row = tf.estimate(design, data[outcome]).to_frame().iloc[0]
    r = golden[f"{case}_{outcome}"].astype(float)
    assert row["estimate"] == pytest.approx(r["estimate"], rel=1e-6)
    n = len(data)
    assert row["std_error"] == pytest.approx(r["std_error"] * np.sqrt(n / (n - 1)), rel=1e-6)


@pytest.mark.parametrize("areas", [0, 30])
def test_without_folds_it_is_least_squares(areas):
    frame, outcome = drawn(areas=areas)
    design = tf.support_dose(
        frame, covariates=["need", "age"], folds=1, cluster="area" if areas else None
    )
    row = tf.estimate(design, outcome).to_frame().iloc[0]
    kind = {"cov_type": "HC0"}
    if areas:
        kind = {"cov_type": "cluster",
                "cov_kwds": {"groups": frame["area"], "use_correction": False}}  # fmt: skip
    lines = sm.add_constant(frame[["support_months", "need", "age"]])
    fit = sm.OLS(outcome, lines).fit(**kind)
    count = areas or len(frame)
    assert row["estimate"] == pytest.approx(fit.params["support_months"])
    error = fit.bse["support_months"] * np.sqrt(count / (count - 1))
    assert row["std_error"] == pytest.approx(error)
    assert row["errors"] == ("cluster" if areas else "robust")
    share = sm.OLS(frame["support_months"], lines[["const", "need", "age"]]).fit().rsquared
    assert row["dose_left"] == pytest.approx(1 - share)


def test_intervals_hold_the_truth_where_need_is_recorded():
    held = []
    for seed in range(120):
        frame, outcome = drawn(n=300, seed=seed)
        design = tf.support_dose(frame, covariates=["need", "age"])
        row = tf.estimate(design, outcome).to_frame().iloc[0]
        held.append(row["conf_low"] <= -0.2 <= row["conf_high"])
    assert 0.89 <= np.mean(held) <= 0.99


def test_need_that_is_not_recorded_turns_the_sign_and_the_bounds_say_so():
    frame, outcome = drawn(n=3000, hidden=1.0)
    design = tf.support_dose(frame, covariates=["need", "age"])
    row = tf.estimate(design, outcome).to_frame().iloc[0]
    assert row["conf_low"] > 0  # support looks harmful: the truth is -0.2
    bounds = design.diagnostic(outcome, times=1.0).set_index("covariate")
    # One more need like the one recorded would undo it; one more age would not.
    assert bounds.loc["need", "conf_low"] < 0 < bounds.loc["age", "conf_low"]
    assert bounds["robustness_value"].iloc[0] < 0.4
    known, outcome = drawn(n=3000)
    weaker = tf.support_dose(known, covariates=["need", "age"]).diagnostic(outcome, times=1)
    assert weaker["robustness_value_interval"].iloc[0] > 0


def test_bounds_are_those_of_the_regression():
    frame, outcome = drawn()
    found = tf.support_dose(frame, covariates=["need", "age"]).diagnostic(outcome, times=1)
    lines = sm.add_constant(frame[["support_months", "need", "age"]])
    fit = sm.OLS(outcome, lines).fit()
    t = fit.tvalues["support_months"]
    f2 = t**2 / fit.df_resid
    # Cinelli and Hazlett (2020), equation 15.
    assert found["robustness_value"].iloc[0] == pytest.approx((np.sqrt(f2**2 + 4 * f2) - f2) / 2)
    before = tf.support_dose(frame, covariates=["need", "age"]).diagnostic()
    rest = sm.OLS(frame["support_months"], lines[["const", "age"]]).fit().ssr
    whole = sm.OLS(frame["support_months"], lines[["const", "need", "age"]]).fit().ssr
    assert before.set_index("covariate").loc["need", "r2_dose"] == pytest.approx(1 - whole / rest)


def test_neither_order_nor_scale_matters():
    frame, outcome = drawn()
    frame["id"] = np.arange(len(frame)) + 100
    found = tf.estimate(tf.support_dose(frame, covariates=["need"], unit="id"), outcome).to_frame()
    order = np.random.default_rng(1).permutation(len(frame))
    mixed = frame.iloc[order].assign(support_months=lambda one: 4 * one["support_months"])
    other = tf.estimate(
        tf.support_dose(mixed, covariates=["need"], unit="id"), 3 * outcome.iloc[order] + 1
    ).to_frame()
    for name in ("estimate", "std_error"):
        assert other.loc[0, name] == pytest.approx(0.75 * found.loc[0, name])


def test_a_missing_outcome_is_left_out_and_several_vary_together():
    frame, outcome = drawn()
    both = pd.DataFrame({"offences": outcome, "same": -2 * outcome})
    both.loc[::4, "same"] = np.nan
    effects = tf.estimate(tf.support_dose(frame, covariates=["need"], folds=1), both)
    rows = effects.to_frame().set_index("outcome")
    assert rows.loc["same", "n_missing"] == 150 and rows.loc["offences", "n_missing"] == 0
    known = both["same"].notna()
    alone = tf.estimate(
        tf.support_dose(frame[known], covariates=["need"], folds=1), both.loc[known, "same"]
    ).to_frame()
    assert rows.loc["same", "estimate"] == pytest.approx(alone.loc[0, "estimate"])
    assert effects.correlation()[0, 1] < -0.7
    assert "dose follows need" in effects.table().text()


def test_few_who_say_anything_of_the_dose_have_a_wide_interval_or_none():
    frame, outcome = drawn()
    frame["area"], place = frame.index % 3, np.arange(len(frame))

    def row(outcome=outcome, **columns):
        cluster = "area" if columns.pop("by_area", False) else None
        design = tf.support_dose(frame.assign(**columns), covariates="need", cluster=cluster)
        return tf.estimate(design, pd.Series(outcome, frame.index, name="y")).to_frame().iloc[0]

    assert row(by_area=True)["status"] == "few_clusters"
    assert row(support_months=(place < 8) * 1.0)["status"] == "few_units"
    assert row(np.where(place < 15, outcome, np.nan))["status"] == "few_units"
    assert row(frame["need"] * 2 + 1)["status"] == "no_variation"  # was an effect of rounding
    # One family's dose is far from all others': t knows of two units, not of hundreds.
    far = row(support_months=frame["support_months"].where(place > 0, 1e5))
    assert far["freedom"] == 1 and row()["freedom"] > 100


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dose": "supports"}, "no column supports"),
        ({"folds": 0}, "from 1 to 50"),
        ({"covariates": None}, "covariates"),
        ({"dose": "same"}, "does not vary"),
        ({"dose": "gaps"}, "missing or infinite in 200 rows"),
        ({"level": 2}, "level"),
        ({"seed": "first"}, "seed"),
        ({"model": "forest"}, "regressor"),
    ],
)
def test_what_is_wrong_is_said(given, message):
    frame, _ = drawn()
    frame["same"], frame["gaps"] = 3.0, frame["age"].where(frame.index % 3 > 0)
    with pytest.raises(tf.TfevalError, match=message):
        tf.support_dose(frame, **{"covariates": ["need"], **given})


@pytest.mark.slow(reason="records and a cohort of them are made: twelve seconds, however few")
def test_months_of_support_are_counted_from_records():
    records = tf.simulate(families=600, seed=1).records
    families = tf.cohort(records, phase="one", horizon=12, comparison="waiting")
    design = tf.support_dose(families, extract=records, within=6, covariates=["children"])
    frame = families.to_pandas()
    frame = frame[frame["treated"] == 1].reset_index(drop=True)
    table = records.table("families").to_pandas().query("phase == 'one'").set_index("family_id")
    assert len(design.dose) == len(frame)
    for place, row in frame.iterrows():
        own = table.loc[row["family_id"]]
        lead, closed = own["lead_practitioner_on"], own["closed_on"]
        stop = pd.Timestamp(row["index_on"]) + pd.DateOffset(months=6)
        if not pd.isna(closed):
            stop = min(stop, pd.Timestamp(closed))
        start = max(pd.Timestamp(row["index_on"]), pd.Timestamp(lead))
        months = max((stop - start).days, 0) / (365.25 / 12)
        assert design.dose[place] == pytest.approx(months)
    effects = tf.estimate(design, families, months=12)
    assert effects.simulated and effects.to_frame()["errors"].eq("cluster").all()
