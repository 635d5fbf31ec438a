"""The propensity score against R, statsmodels, its own equations, and its invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

import tfeval as tf
from tests.impact.golden import data, numbers, study_of
from tests.impact.simulated import simulated
from tfeval.errors import DataError, ParameterError
from tfeval.impact.propensity import logit
from tfeval.impact.propensity.logit import fit_logit
from tfeval.impact.propensity.propensity import assign_folds, fit_propensity, mixed
from tfeval.impact.study.numbers import aliased
from tfeval.impact.study.study import study


def glm(frame: pd.DataFrame, names: list[str], treated: str = "treated", weight=None):
    """Fit the same model by an independent package."""
    x = sm.add_constant(frame[names].to_numpy(float))
    return sm.GLM(
        frame[treated].to_numpy(), x, family=sm.families.Binomial(), freq_weights=weight
    ).fit(tol=1e-14, maxiter=100)


def coefficients(golden: dict[str, float]) -> list[float]:
    """Return R's coefficients."""
    return [value for name, value in golden.items() if name.startswith("coef[")]


def test_coefficients_are_those_of_r_on_the_lalonde_data():
    golden = numbers("lalonde")["lalonde_ps_logit"]
    found = fit_propensity(study_of("lalonde"))
    # R stops at a change in deviance of 1e-8, and writes ten digits.
    np.testing.assert_allclose(found.coefficients, coefficients(golden), rtol=5e-8)
    treated = data("lalonde")["treat"].to_numpy() == 1
    assert found.score[treated].sum() == pytest.approx(golden["ps_sum_treated"], rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_coefficients_are_those_of_r_with_and_without_sampling_weights(weighted):
    golden = numbers("clustered")["clustered_ps_logit" + ("_sw" if weighted else "")]
    found = fit_propensity(study_of("clustered", weighted=weighted))
    np.testing.assert_allclose(found.coefficients, coefficients(golden), rtol=2e-11)
    assert found.linear.std(ddof=1) == pytest.approx(golden["linear_predictor_sd_all"], rel=1e-11)
    assert found.score.std(ddof=1) == pytest.approx(golden["ps_sd_all"], rel=1e-11)


@pytest.mark.parametrize("size", [400, 60_000])
@pytest.mark.parametrize("weight", [None, "sw"])
def test_small_and_large_fits_agree_with_statsmodels(size, weight):
    frame, names = simulated(size)
    found = fit_propensity(study(frame, covariates=names, weight=weight))
    other = glm(frame, names, weight=frame[weight] if weight else None)
    np.testing.assert_allclose(found.coefficients, other.params, atol=1e-9)
    np.testing.assert_allclose(found.score, other.fittedvalues, atol=1e-9)
    np.testing.assert_allclose(np.linalg.inv(found.information), other.cov_params(), rtol=1e-5)


@pytest.mark.parametrize("size", [400, 60_000])
def test_the_residuals_are_orthogonal_to_the_covariates(size):
    frame, names = simulated(size)
    found = fit_propensity(study(frame, covariates=names, weight="sw"))
    x = sm.add_constant(frame[names].to_numpy())
    scale = np.abs(x * found.residual[:, None]).sum(axis=0)
    assert np.all(np.abs(x.T @ found.residual) < 1e-10 * scale)


@pytest.mark.parametrize("size", [500, 30_000])
def test_neither_the_order_of_rows_nor_the_units_of_a_covariate_matter(size):
    frame, names = simulated(size)
    kept = frame.copy()
    first = fit_propensity(study(frame, covariates=names, unit="id", weight="sw"), folds=3)
    order = np.random.default_rng(1).permutation(size)
    again = fit_propensity(study(frame.iloc[order], covariates=names, unit="id", weight="sw"),
                           folds=3)  # fmt: skip
    np.testing.assert_allclose(again.linear, first.linear[order], atol=1e-9)
    assert (again.folds == first.folds[order]).all()
    moved = frame.assign(x0=frame["x0"] * 1e6 + 3e7, x1=-frame["x1"] / 1e5 + 2015)
    other = fit_propensity(study(moved, covariates=names[::-1], unit="id", weight="sw"), folds=3)
    np.testing.assert_allclose(other.linear, first.linear, atol=2e-8)
    pd.testing.assert_frame_equal(frame, kept)


def test_a_weight_of_two_is_a_row_twice_and_one_of_nothing_no_row():
    frame, names = simulated(600)
    counts = np.random.default_rng(3).integers(0, 3, len(frame))
    repeated = frame.loc[np.repeat(frame.index, counts)]
    one = fit_propensity(study(frame.assign(sw=counts), covariates=names, weight="sw"))
    two = fit_propensity(study(repeated, covariates=names))
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-9)
    np.testing.assert_allclose(one.information, two.information, rtol=1e-9)


def test_redundant_covariates_are_left_out_in_order_and_named():
    frame, names = simulated(500)
    more = frame.assign(twice=2 * frame["x0"] + frame["x1"] - 7, last=frame["x3"] ** 2)
    plain = fit_propensity(study(more, covariates=[*names, "last"]))
    found = fit_propensity(study(more, covariates=[*names, "twice", "last"]))
    np.testing.assert_allclose(found.linear, plain.linear, atol=1e-9)
    assert found.coefficients[5] == 0.0
    assert "twice" in found.notes[0] and "last" not in found.notes[0]
    # What is redundant moves nothing: the other units' influence is the same.
    inverse = np.linalg.inv(found.information)
    kept = [0, 1, 2, 3, 4, 6]
    np.testing.assert_allclose(
        inverse[np.ix_(kept, kept)], np.linalg.inv(plain.information), rtol=1e-6
    )
    assert np.abs(inverse[5]).max() < 1e-9


def test_a_category_too_rare_for_the_sample_is_fitted_and_not_taken_for_redundant():
    frame, names = simulated(60_000)
    frame["rare"] = 0
    frame.loc[[5, 21, 333, 40_001, 51_234], "rare"] = 1
    frame.loc[[5, 21], "treated"] = 1
    frame.loc[[333, 40_001, 51_234], "treated"] = 0
    found = fit_propensity(study(frame, covariates=[*names, "rare"]))
    other = glm(frame, [*names, "rare"])
    np.testing.assert_allclose(found.coefficients, other.params, atol=1e-8)
    assert not found.notes


def test_redundancy_agrees_with_the_rank():
    rng = np.random.default_rng(0)
    for _ in range(50):
        x = np.c_[np.ones(40), rng.integers(-2, 3, (40, 7)) @ rng.integers(-1, 2, (7, 8))]
        kept = np.flatnonzero(~aliased(x.T @ x))
        assert len(kept) + 1 == np.linalg.matrix_rank(x)
        assert np.linalg.matrix_rank(x[:, np.r_[0, kept + 1]]) == len(kept) + 1


@pytest.mark.parametrize("size", [300, 30_000])
def test_separation_is_refused_and_the_covariate_named(size):
    frame, names = simulated(size)
    above = frame.assign(late=frame["treated"] * 3.0 + np.random.default_rng(0).random(size))
    with pytest.raises(DataError, match="late: tells treated from comparison"):
        fit_propensity(study(above, covariates=[*names, "late"]))
    rare = frame.assign(area="b")
    rare.loc[rare.index[rare["treated"] == 0][:12], "area"] = "c"
    with pytest.raises(DataError, match=r"area \(1 of its 2 levels\): tells"):
        fit_propensity(study(rare, covariates=[*names, "area"]))


def test_separation_by_covariates_together_is_refused_too():
    frame, names = simulated(300)
    frame["treated"] = (frame["x0"] + frame["x1"] > 0.5).astype(int)
    with pytest.raises(DataError, match=r"together the covariates.*x[01]"):
        fit_propensity(study(frame, covariates=names))


@pytest.mark.parametrize("size", [700, 30_000])
@pytest.mark.parametrize("weight", [None, "sw"])
def test_a_score_comes_from_the_other_folds(size, weight):
    frame, names = simulated(size)
    made = study(frame, covariates=names, unit="id", weight=weight)
    found = fit_propensity(made, folds=4)
    for fold in range(4):
        held = found.folds == fold
        assert 0.2 < held.mean() < 0.3
        rest = frame[~held]
        other = glm(rest, names, weight=rest[weight] if weight else None)
        linear = sm.add_constant(frame.loc[held, names].to_numpy()) @ other.params
        np.testing.assert_allclose(found.linear[held], linear, atol=1e-8)


def test_folds_far_from_alike_fall_back_to_fits_of_their_own(monkeypatch):
    frame, names = simulated(8_000)
    made = study(frame, covariates=names)
    full = fit_logit(made.covariates, made.treated)
    folds = (frame["x0"] > 0).astype(int).to_numpy()
    together = []
    real = logit._together
    monkeypatch.setattr(
        logit, "_together", lambda *args: together.append(real(*args)) or together[-1]
    )
    found = logit.linear_out_of_fold(made.covariates, made.treated, None, folds, full)
    other = glm(frame[folds == 1], names)
    expected = sm.add_constant(frame.loc[folds == 0, names].to_numpy()) @ other.params
    np.testing.assert_allclose(found[folds == 0], expected, atol=1e-8)
    assert together, "many units begin together"


def test_families_stay_in_one_fold_and_seeds_differ():
    frame, names = simulated(3_000)
    made = study(frame, covariates=names, family="family", unit="id")
    folds = assign_folds(made, 5)
    assert pd.Series(folds).groupby(frame["family"]).nunique().max() == 1
    assert np.bincount(folds).min() > 400
    assert 0.15 < (folds == assign_folds(made, 5, seed=2)).mean() < 0.25


def test_text_identifiers_assign_folds_by_the_unit():
    frame = data("lalonde").reset_index()
    first, again = (
        assign_folds(study(one, treated="treat", covariates=["age"], unit="id"), 5)
        for one in (frame, frame[::-1])
    )
    assert (first == again[::-1]).all() and np.bincount(first).min() > 80


def test_scrambled_keys_are_even():
    counts = np.bincount((mixed(np.arange(100_000, dtype=np.uint64), 1) % np.uint64(7)).astype(int))
    # Chi-squared with 6 degrees of freedom: 22.5 has a chance of 1 in 1,000.
    assert ((counts - 100_000 / 7) ** 2 / (100_000 / 7)).sum() < 22.5


def test_a_classifier_is_cloned_cross_fitted_and_weighted():
    frame, names = simulated(800)
    made = study(frame, covariates=names, unit="id", weight="sw")
    # With C this large it is the same model, by another fitter.
    model = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000)
    found = fit_propensity(made, model)
    ours = fit_propensity(made, folds=5)
    assert not hasattr(model, "coef_")
    assert (found.folds == ours.folds).all()
    np.testing.assert_allclose(found.score, ours.score, atol=1e-5)
    whole = fit_propensity(made, model, folds=1)
    np.testing.assert_allclose(whole.score, fit_propensity(made).score, atol=1e-5)
    assert whole.folds is None and found.model == "LogisticRegression"


def test_a_classifier_that_cannot_weigh_says_so_and_scores_stay_off_the_edge():
    frame, names = simulated(300)
    made = study(frame, covariates=names, weight="sw")
    found = fit_propensity(made, KNeighborsClassifier(3))
    assert "does not use the sampling weights" in found.notes[0]
    assert "away from 0 and 1" in found.notes[1]
    assert np.isfinite(found.linear).all()
    assert not fit_propensity(made, GaussianNB()).notes


def test_a_random_classifier_follows_the_seed():
    frame, names = simulated(300)
    made = study(frame, covariates=names)
    model = RandomForestClassifier(20, min_samples_leaf=10)
    first = fit_propensity(made, model, seed=3).score
    assert (first == fit_propensity(made, model, seed=3).score).all()
    assert (first != fit_propensity(made, model, seed=4).score).any()


@pytest.mark.parametrize(
    ("model", "folds", "message"),
    [
        ("probit", 1, "model is"),
        (GaussianNB, 1, "model is"),
        (object(), 1, "model is"),
        ("logit", 0, "folds is"),
        ("logit", 2.5, "folds is"),
    ],
)
def test_wrong_settings_are_refused(model, folds, message):
    frame, names = simulated(200)
    with pytest.raises(ParameterError, match=message):
        fit_propensity(study(frame, covariates=names), model, folds=folds)


def test_too_few_units_for_the_folds():
    frame = pd.DataFrame({"treated": [1, 0, 0, 0, 0, 0], "age": [3.0, 1, 2, 4, 5, 6]})
    with pytest.raises(DataError, match="too few units for cross-fitting"):
        fit_propensity(study(frame, covariates=["age"]), folds=2)


def test_it_is_public_and_shows_itself():
    assert repr(tf.fit_propensity(study_of("lalonde"), folds=2)) == (
        "Propensity: logit, 2 folds, 615 units"
    )


def test_rows_in_a_pattern_do_not_lead_the_sample_astray():
    frame, names = simulated(40_000)
    frame = frame.sort_values("treated", kind="stable").reset_index(drop=True)
    # One treated row, then three others, again and again: a step of any multiple of four is fatal.
    treated, others = frame[frame["treated"] == 1][:8_000], frame[frame["treated"] == 0][:24_000]
    order = np.c_[np.arange(8_000), 8_000 + np.arange(24_000).reshape(8_000, 3)].ravel()
    mixed_up = pd.concat([treated, others], ignore_index=True).iloc[order]
    found = fit_propensity(study(mixed_up, covariates=names))
    np.testing.assert_allclose(found.coefficients, glm(mixed_up, names).params, atol=1e-9)


def test_units_that_are_the_same_have_the_same_score():
    frame, names = simulated(30_000)
    twice = pd.concat([frame, frame], ignore_index=True).sample(frac=1.0, random_state=1)
    found = pd.Series(fit_propensity(study(twice, covariates=names)).linear, index=twice.index)
    assert (found.groupby(twice["id"]).nunique() == 1).all()


@pytest.mark.parametrize("treated", [0, 1])
def test_one_unit_far_from_all_others_is_fitted_too(treated):
    frame, names = simulated(300)
    row = frame.index[frame["treated"] == treated][0]
    frame.loc[row, "x3"] = -1e5 if treated else 1e5
    found = fit_propensity(study(frame, covariates=names))
    scaled = frame.assign(x3=frame["x3"] / 1e4)
    with np.errstate(over="ignore"):
        other = glm(scaled, names).params / [1, 1, 1, 1, 1e4]
    np.testing.assert_allclose(found.coefficients, other, rtol=1e-5, atol=1e-8)
