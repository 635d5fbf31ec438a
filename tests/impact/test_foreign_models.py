"""Models of statsmodels and pyfixest as effects: what they said, and nothing else."""

from __future__ import annotations

import math
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import tfeval as tf
from tests.impact.simulated import simulated
from tfeval.display import names
from tfeval.impact.effects.effects import COLUMNS

FRAME, NAMES = simulated(600)
FRAME["area"] = np.arange(600) % 25
RNG = np.random.default_rng(2)
FRAME["y"] = FRAME["x0"] + 0.3 * FRAME["treated"] + RNG.normal(size=600)
FRAME["b"] = (FRAME["y"] > 0).astype(int)
FRAME["n"] = RNG.poisson(1.5, size=600)
X = sm.add_constant(FRAME[["treated", *NAMES]])
CLUSTER = {"cov_type": "cluster", "cov_kwds": {"groups": FRAME["area"]}}
MODELS = {
    "OLS": lambda: sm.OLS(FRAME["y"], X).fit(),
    "OLS, HC3": lambda: sm.OLS(FRAME["y"], X).fit(cov_type="HC3"),
    "OLS, HC1 with t": lambda: sm.OLS(FRAME["y"], X).fit(cov_type="HC1", use_t=True),
    "OLS, cluster": lambda: sm.OLS(FRAME["y"], X).fit(**CLUSTER),
    "OLS, cluster with t": lambda: sm.OLS(FRAME["y"], X).fit(**CLUSTER, use_t=True),
    "OLS, arrays": lambda: sm.OLS(FRAME["y"].to_numpy(), X.to_numpy()).fit(),
    "WLS": lambda: sm.WLS(FRAME["y"], X, FRAME["sw"]).fit(**CLUSTER),
    "by formula": lambda: smf.wls("y ~ treated + x0", FRAME, weights=FRAME["sw"]).fit(),
    "Logit": lambda: sm.Logit(FRAME["b"], X).fit(disp=False, **CLUSTER),
    "Probit": lambda: sm.Probit(FRAME["b"], X).fit(disp=False),
    "Poisson": lambda: sm.Poisson(FRAME["n"], X).fit(disp=False, cov_type="HC0"),
    "GLM, binomial": lambda: sm.GLM(FRAME["b"], X, sm.families.Binomial()).fit(**CLUSTER),
    "GLM, Poisson": lambda: sm.GLM(FRAME["n"], X, sm.families.Poisson()).fit(),
    "GLM, gaussian": lambda: sm.GLM(FRAME["y"], X, var_weights=FRAME["sw"]).fit(),
    "quantiles": lambda: sm.QuantReg(FRAME["y"], X).fit(q=0.5),
}


@pytest.mark.parametrize("level", [0.95, 0.9])
@pytest.mark.parametrize("name", MODELS)
def test_a_row_says_what_the_model_said(name, level):
    result = MODELS[name]()
    place = 1
    term = list(result.model.exog_names)[place]
    found = tf.Effects.from_statsmodels(result, term, level=level, months=12)
    row = found.to_frame().iloc[0]
    assert found.to_frame().columns[: len(COLUMNS)].tolist() == list(COLUMNS)
    assert row["estimate"] == np.asarray(result.params)[place]
    assert row["std_error"] == np.asarray(result.bse)[place]
    assert row["p_value"] == np.asarray(result.pvalues)[place]
    interval = np.asarray(result.conf_int(alpha=1 - level))[place]
    assert (row["conf_low"], row["conf_high"]) == tuple(interval)
    assert found.level == level and row["months"] == 12
    assert found.joint[0, 0] == pytest.approx(np.asarray(result.cov_params())[place, place])
    assert row["n_treated"] + row["n_comparison"] == result.nobs
    assert type(result.model).__name__ in row["method"]
    # The interval is made anew from the error and the degrees of freedom that are told.
    from scipy.stats import norm, t

    freedom = row["freedom"]
    far = norm.isf((1 - level) / 2) if math.isinf(freedom) else t.isf((1 - level) / 2, freedom)
    assert row["estimate"] + far * row["std_error"] == pytest.approx(row["conf_high"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "freedom"),
    [("OLS", 594), ("OLS, HC3", math.inf), ("OLS, HC1 with t", 594), ("OLS, cluster", math.inf),
     ("OLS, cluster with t", 24), ("Logit", math.inf)],
)  # fmt: skip
def test_degrees_of_freedom_are_those_it_was_tested_with(name, freedom):
    term = list(MODELS[name]().model.exog_names)[1]
    row = tf.Effects.from_statsmodels(MODELS[name](), term).to_frame().iloc[0]
    assert row["freedom"] == freedom


@pytest.mark.parametrize(
    ("name", "errors", "clusters"),
    [("OLS", "iid", None), ("OLS, HC3", "hc3", None), ("WLS", "cluster", 25),
     ("GLM, binomial", "cluster", 25)],
)  # fmt: skip
def test_errors_are_keys_and_said_in_words(name, errors, clusters):
    found = tf.Effects.from_statsmodels(MODELS[name](), "treated")
    row = found.to_frame().iloc[0]
    assert row["errors"] == errors and row["method"].startswith("statsmodels.")
    assert row["clusters"] == clusters if clusters else math.isnan(row["clusters"])
    text = found.table().text()
    assert names.ERRORS[errors] in text
    assert names.method_words(row["method"], row["outcome_model"]) in text


@pytest.mark.parametrize(
    ("name", "scale"),
    [("Logit", "log odds ratio"), ("GLM, binomial", "log odds ratio"), ("Probit", "probit index"),
     ("Poisson", "log ratio of rates"), ("GLM, Poisson", "log ratio of means")],
)  # fmt: skip
def test_another_scale_is_never_taken_for_a_difference(name, scale):
    design = tf.weight(tf.study(FRAME, covariates=NAMES))
    for given in (None, design):
        found = tf.Effects.from_statsmodels(MODELS[name](), "treated", design=given)
        row = found.to_frame().iloc[0]
        assert row["estimand"] == "coefficient" and names.SCALES[row["scale"]] == scale
        assert f"Estimand: coefficient of treated, a {scale}." in " ".join(
            found.table().text().split()
        )
        assert f"A {scale}, not a difference in the outcome's own unit: not for money." in (
            found.notes
        )
    plain = tf.Effects.from_statsmodels(MODELS["GLM, gaussian"](), "treated", design=design)
    assert plain.to_frame()["estimand"][0] == "ATT"


@pytest.mark.parametrize(
    ("formula", "term", "estimand"),
    [("y ~ treated + x0", "treated", "ATT"), ("y ~ treated + x0", "x0", "coefficient"),
     ("y ~ treated*x0", "treated", "coefficient_at_zero"),
     ("y ~ treated*x0", "treated:x0", "coefficient"),
     ("y ~ treated + treated_before", "treated", "ATT")],
)  # fmt: skip
def test_the_designs_estimand_is_that_of_the_treatment_alone(formula, term, estimand):
    design = tf.weight(tf.study(FRAME, covariates=NAMES))
    frame = FRAME.assign(treated_before=FRAME["x1"])
    fitted = smf.wls(formula, frame, weights=design.weights).fit()
    found = tf.Effects.from_statsmodels(fitted, term, design=design)
    row = found.to_frame().iloc[0]
    assert row["estimand"] == estimand and row["term"] == term
    text = names.estimand_words(estimand, term)
    assert f"Estimand: {text}." in " ".join(found.table().text().split())
    named = tf.Effects.from_statsmodels(fitted, term, design=design, estimand="CATE")
    assert named.to_frame()["estimand"][0] == "CATE"


def test_behind_a_design_it_is_the_packages_own_difference():
    design = tf.match(tf.study(FRAME, covariates=NAMES))
    held = design.to_frame()
    fitted = sm.WLS(FRAME["y"][held.index], sm.add_constant(held["treated"]), held["weight"]).fit()
    theirs = tf.Effects.from_statsmodels(fitted, "treated", design=design)
    ours = tf.estimate(design, FRAME["y"], method="difference")
    row, own = theirs.to_frame().iloc[0], ours.to_frame().iloc[0]
    for name in ("estimate", "mean_treated", "mean_comparison", "n_treated", "n_comparison",
                 "events_treated", "events_comparison", "ess_comparison"):  # fmt: skip
        assert row[name] == pytest.approx(own[name], rel=1e-9)
    assert row["estimand"] == own["estimand"] and row["outcome"] == "y"
    both = tf.combine_effects([ours, theirs])
    assert len(both.to_frame()) == 2 and len(both.names) == len(set(both.names))
    assert both.plot() is not None and theirs.plot() is not None


def test_small_numbers_are_hidden_as_in_any_other_table():
    rare = FRAME.assign(y=0.0)
    rare.loc[rare.index[rare["treated"] == 1][:4], "y"] = 1.0
    rare.loc[rare.index[rare["treated"] == 0][:40], "y"] = 1.0
    found = tf.Effects.from_statsmodels(smf.ols("y ~ treated", rare).fit(), "treated")
    assert "hidden" in found.table().text()
    assert "hidden" not in tf.Effects.from_statsmodels(MODELS["OLS"](), "treated").table().text()


def test_counted_rows_count_as_often_as_they_stand_for():
    cells = FRAME.groupby(["treated", "b"]).size().rename("count").reset_index()
    x = sm.add_constant(cells[["treated"]])
    family = sm.families.Binomial()
    grouped = sm.GLM(cells["b"], x, family, freq_weights=cells["count"]).fit()
    single = sm.GLM(FRAME["b"], sm.add_constant(FRAME["treated"]), family).fit()
    columns = ["estimate", "std_error", "n_treated", "n_comparison", "events_treated",
               "events_comparison", "mean_treated"]  # fmt: skip
    one, other = (
        tf.Effects.from_statsmodels(fit, "treated").to_frame()[columns].iloc[0].astype(float)
        for fit in (grouped, single)
    )
    np.testing.assert_allclose(one, other, rtol=1e-8)


def test_a_dose_has_no_arms():
    row = tf.Effects.from_statsmodels(MODELS["OLS"](), "x0", outcome="years").to_frame().iloc[0]
    assert math.isnan(row["n_treated"]) and math.isnan(row["mean_comparison"])
    assert row["outcome"] == "years"


def test_units_with_several_rows_count_once():
    design = tf.match(tf.study(FRAME, covariates=NAMES), replace=True, ratio=3)
    held = design.to_frame(pairs=True)
    x = sm.add_constant(held["treated"])
    fitted = sm.WLS(FRAME["y"][held.index].to_numpy(), x, held["weight"]).fit()
    row = tf.Effects.from_statsmodels(fitted, "treated", design=design).to_frame().iloc[0]
    assert row["n_comparison"] == design.kept(False) < (held["treated"] == 0).sum()


def test_a_model_without_errors_gives_an_estimate_alone():
    result = SimpleNamespace(
        model=SimpleNamespace(exog_names=["treated"], endog_names="y"), params=np.array([0.5])
    )
    found = tf.Effects.from_statsmodels(result, "treated")
    row = found.to_frame().iloc[0]
    assert row["estimate"] == 0.5 and row["status"] == "no_error"
    assert row[["std_error", "conf_low", "p_value", "freedom"]].isna().all()


class Feols:
    """What pyfixest 0.60 offers of `feols("y ~ treated + x0 | area", weights="sw")`.

    Its names and kinds, with round numbers: the package itself is not in the environment.
    """

    _method, _vcov_type_detail, _depvar, _N, _df_t = "feols", "CRV1", "y", 600, np.float64(24.0)
    _clustervar, _G, _fixef, _has_weights, _weights_name = (
        ["area"],
        [25, 25, 25],
        "area",
        True,
        "sw",
    )
    _data = FRAME

    def coef(self):
        return pd.Series({"treated": 0.25, "x0": 1.0}).rename_axis("Coefficient")

    def se(self):
        return pd.Series({"treated": 0.1, "x0": 0.05})

    def pvalue(self):
        from scipy.stats import t

        return pd.Series({"treated": 2 * t.sf(2.5, 24), "x0": 1e-9})

    def confint(self, alpha=0.05):
        from scipy.stats import t

        far = t.isf(alpha / 2, 24)
        return pd.DataFrame({"low": [0.25 - far * 0.1, 0.9], "high": [0.25 + far * 0.1, 1.1]},
                            index=["treated", "x0"])  # fmt: skip


def test_pyfixest_is_read_by_its_methods():
    found = tf.Effects.from_pyfixest(Feols(), "treated", level=0.9)
    row = found.to_frame().iloc[0]
    assert row[["estimate", "std_error"]].tolist() == [0.25, 0.1]
    assert row["conf_high"] == pytest.approx(0.25 + 0.1 * 1.7108820799094282)  # t(24), 5%
    assert row["freedom"] == 24 and row["clusters"] == 25 and row["outcome"] == "y"
    assert row["method"] == "pyfixest.feols"
    assert "weighted least squares with fixed effects of area (pyfixest feols)" in found.notes[0]
    assert (row["errors"], row["cluster"]) == ("crv1", "area")
    assert "clustered (CRV1) by area" in " ".join(found.table().text().split())
    treated = FRAME["treated"] == 1
    assert row["n_treated"] == treated.sum()
    assert row["mean_treated"] == pytest.approx(
        np.average(FRAME["y"][treated], weights=FRAME["sw"][treated])
    )


def test_pyfixest_without_what_is_private_still_gives_a_row():
    bare = SimpleNamespace(
        **{name: getattr(Feols(), name) for name in ("coef", "se", "pvalue", "confint")}
    )
    row = tf.Effects.from_pyfixest(bare, "treated", outcome="y").to_frame().iloc[0]
    assert row["std_error"] == 0.1 and math.isnan(row["n_treated"]) and math.isnan(row["freedom"])
    with pytest.raises(tf.ParameterError, match="does not name its outcome"):
        tf.Effects.from_pyfixest(bare, "treated")


def test_pyfixest_itself_if_it_is_there():
    fixest = pytest.importorskip("pyfixest")
    fitted = fixest.feols("y ~ treated + x0 | area", FRAME, weights="sw", vcov={"CRV1": "area"})
    row = tf.Effects.from_pyfixest(fitted, "treated").to_frame().iloc[0]
    tidy = fitted.tidy().loc["treated"]
    assert row["estimate"] == pytest.approx(tidy["Estimate"])
    assert row["conf_high"] == pytest.approx(tidy["97.5%"])
    assert row["freedom"] == 24 and row["clusters"] == 25


WRONG = {
    "no such term": (lambda: tf.Effects.from_statsmodels(MODELS["OLS"](), "traeted"),
                     "no coefficient traeted. Did you mean treated?"),
    "not fitted": (lambda: tf.Effects.from_statsmodels(sm.OLS(FRAME["y"], X), "treated"),
                   "takes a fitted model such as sm.WLS(...).fit(), not a OLS"),
    "a frame": (lambda: tf.Effects.from_statsmodels(FRAME, "treated"), "not a DataFrame"),
    "several equations": (
        lambda: tf.Effects.from_statsmodels(
            sm.MNLogit(FRAME["area"] % 3, X).fit(disp=False), "treated"), "several equations"),
    "a level in percent": (lambda: tf.Effects.from_statsmodels(MODELS["OLS"](), level=95),
                           "level lies from 0.5"),
    "no design": (lambda: tf.Effects.from_statsmodels(MODELS["OLS"](), "treated", design=FRAME),
                  "design is one from match"),
    "an unknown setting": (lambda: tf.Effects.from_statsmodels(MODELS["OLS"](), desing=None),
                           "Did you mean design?"),
    "statsmodels for pyfixest": (lambda: tf.Effects.from_pyfixest(MODELS["OLS"](), "treated"),
                                 "from_pyfixest takes a fitted model"),
    "several models": (
        lambda: tf.Effects.from_pyfixest(SimpleNamespace(fetch_model=None), "treated"),
        "fetch_model(0)"),
    "no such term, pyfixest": (lambda: tf.Effects.from_pyfixest(Feols(), "x9"),
                               "no coefficient x9. Known: treated, x0."),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_in_one_line(mistake):
    call, says = WRONG[mistake]
    with pytest.raises(tf.ParameterError) as caught:
        call()
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_what_comes_of_it_holds_no_rows_of_the_model():
    found = tf.Effects.from_statsmodels(MODELS["WLS"](), "treated")
    assert len(pickle.dumps(found)) < 20_000  # the model alone holds 600 rows of 6 numbers
