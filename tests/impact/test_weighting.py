"""Weights against WeightIt, their own equations, closed forms and what they must not depend on."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

import tfeval as tf
from tests.impact.golden import data, numbers, study_of, weights
from tests.impact.simulated import simulated
from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import LONE_STRATUM, OFF_SUPPORT, TRIMMED
from tfeval.impact.propensity.propensity import fit_propensity
from tfeval.impact.study.study import study
from tfeval.impact.weighting.weight import weight

SCORED = [("ipw_att", "ATT"), ("ipw_ate", "ATE"), ("ipw_atc", "ATC"), ("ipw_ato", "ATO")]
METHOD = {"ATO": "overlap"}


def golden_design(case: str, estimand: str, sampled: bool, method: str | None = None):
    """Return our design of a case of the clustered frame, and R's numbers."""
    made = study_of("clustered", weighted=sampled)
    design = weight(made, method or METHOD.get(estimand, "inverse_propensity"), estimand=estimand)
    return design, f"clustered_{case}" + ("_sw" if sampled else "")


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize(("case", "estimand"), SCORED)
def test_inverse_propensity_and_overlap_weights_are_weightits(case, estimand, sampled):
    design, name = golden_design(case, estimand, sampled)
    golden = weights("clustered")[name]
    expected = golden["weight"].to_numpy() * design.study.sampling
    # WeightIt's glm stops at a change in deviance of 1e-8.
    np.testing.assert_allclose(design.weights, expected, rtol=1e-6)
    np.testing.assert_allclose(design.score, golden["distance"], rtol=1e-6)


@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
def test_lalonde_weights_and_sizes_are_weightits(estimand):
    case = f"lalonde_ipw_{estimand.lower()}"
    design = weight(study_of("lalonde"), estimand=estimand)
    np.testing.assert_allclose(design.weights, weights("lalonde")[case]["weight"], rtol=1e-6)
    for who, arm in (("treated", "treated"), ("comparison", "control")):
        expected = numbers("lalonde")[case][f"w_ess_{arm}"]
        assert design.ess[who] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("sampled", [False, True])
def test_entropy_weights_are_those_of_newtons_method_in_r(sampled):
    design, name = golden_design("ebal_att", "ATT", sampled, "entropy")
    golden = numbers("clustered")[f"{name}_exact"]
    arm = ~design.study.treated
    own = design.weights[arm] / design.weights[arm].sum()
    assert own.max() == pytest.approx(golden["wsw_max_control_sum1"], rel=1e-9)
    assert 1 / (own @ own) == pytest.approx(golden["wsw_ess_control"], rel=1e-9)
    given = weights("clustered")[name]["weight"].to_numpy() * design.study.sampling
    gap = np.abs(own - given[arm] / given[arm].sum()).max()
    assert gap == pytest.approx(golden["max_abs_gap_to_weightit_sum1"], rel=1e-2)
    for outcome, label in (("y", ""), ("yb", "yb.")):
        values = data("clustered")[outcome].to_numpy()
        treated = np.average(values[~arm], weights=design.weights[~arm])
        expected = golden[f"{label}att_wdiff_est"]
        assert treated - own @ values[arm] == pytest.approx(expected, rel=1e-9)


def test_lalonde_entropy_weights_are_those_of_newtons_method_in_r():
    design = weight(study_of("lalonde"), "entropy")
    golden = numbers("lalonde")["lalonde_ebal_att_exact"]
    arm = ~design.study.treated
    assert design.ess["comparison"] == pytest.approx(golden["w_ess_control"], rel=1e-9)
    assert design.weights[arm].sum() == pytest.approx(185, rel=1e-10)
    own = design.weights[arm] / design.weights[arm].sum()
    assert own.max() == pytest.approx(golden["w_max_control_sum1"], rel=1e-9)


def stacked_error(design, values: np.ndarray, cluster: np.ndarray | None = None) -> float:
    """Return the error of a weighted difference, by the equations written out in full."""
    made, model, w = design.study, design.weight_model, design.weights
    x = np.c_[np.ones(made.size), made.covariates.matrix]
    psi, slope = np.zeros(made.size), np.zeros(x.shape[1])
    for arm, sign in ((made.treated, 1.0), (~made.treated, -1.0)):
        total = w[arm].sum()
        off = np.where(arm, values - w[arm] @ values[arm] / total, 0.0)
        psi += sign * w * off / total
        slope += sign * x.T @ (model.slope * off) / total
    psi += model.residual * (x @ np.linalg.solve(model.information, slope))
    if cluster is None:
        return float(np.sqrt(psi @ psi))
    sums = np.bincount(cluster, weights=psi)
    count = len(np.unique(cluster))
    return float(np.sqrt(sums @ sums * count / (count - 1)))


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize(("case", "estimand"), [*SCORED, ("ebal_att", "ATT")])
def test_errors_that_count_the_weights_estimation_are_weightits(case, estimand, sampled):
    method = "entropy" if case.startswith("ebal") else None
    design, name = golden_design(case, estimand, sampled, method)
    golden, frame = numbers("clustered")[name], data("clustered")
    if method == "entropy":
        # WeightIt takes the treated units' means as known; the test after the next says why we
        # do not.
        model = design.weight_model
        known = np.where(design.study.treated, 0.0, model.residual)
        design = replace(design, weight_model=replace(model, residual=known))
    for outcome, label in (("y", ""), ("yb", "yb.")):
        values = frame[outcome].to_numpy(float)
        expected = f"{label}{estimand.lower()}_lm_wi_mest"
        assert stacked_error(design, values) == pytest.approx(golden[f"{expected}_se"], rel=1e-6)
        areas = stacked_error(design, values, design.study.cluster("area"))
        assert areas == pytest.approx(golden[f"{expected}_area_se"], rel=1e-6)


@pytest.mark.parametrize(("case", "estimand"), [("ipw_att", "ATT"), ("ipw_ate", "ATE")])
def test_lalonde_errors_that_count_the_weights_estimation_are_weightits(case, estimand):
    design = weight(study_of("lalonde"), estimand=estimand)
    found = stacked_error(design, data("lalonde")["re78"].to_numpy())
    assert found == pytest.approx(numbers("lalonde")[f"lalonde_{case}"]["eff_mest_se"], rel=1e-5)


@pytest.mark.parametrize("method", ["inverse_propensity", "entropy"])
def test_the_errors_are_the_spread_of_estimates(method):
    rng = np.random.default_rng(0)
    found, errors = [], []
    for _ in range(400):
        x = rng.normal(size=(600, 2))
        treated = rng.random(600) < 1 / (1 + np.exp(1 - x @ [0.6, -0.4]))
        values = x @ [2.0, 1.0] + treated * (1 + 0.5 * x[:, 0]) + rng.normal(size=600)
        frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "treated": treated})
        design = weight(study(frame, covariates=["a", "b"]), method)
        w = design.weights
        other = np.average(values[~treated], weights=w[~treated])
        found.append(values[treated].mean() - other)
        errors.append(stacked_error(design, values))
    # The spread of 400 estimates is known within 3.5% (one error); WeightIt's for entropy
    # balancing is twice too large here.
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.1)


@pytest.mark.parametrize("method", ["inverse_propensity", "overlap", "entropy"])
def test_the_weight_models_equations_hold_and_its_slope_is_the_derivative(method):
    made = study_of("clustered", weighted=True)
    design = weight(made, method)
    model, x = design.weight_model, np.c_[np.ones(made.size), made.covariates.matrix]
    assert np.abs(x.T @ model.residual).max() < 1e-8
    # Move the parameters a little: weights and equations must move as the model says.
    step = np.array([1.0, -2.0, 1.0, 0.5, 1.0, -1.0, 2.0]) * 1e-6
    eta = x @ step
    if method == "entropy":
        moved = np.where(made.treated, design.weights, design.weights * np.exp(eta))
        residual = np.where(made.treated, design.weights, -moved)
    else:
        score = 1 / (1 + np.exp(-design.distance - eta))
        residual = made.sampling * (made.treated - score)
        other = {"inverse_propensity": score / (1 - score), "overlap": score}[method]
        own = {"inverse_propensity": 1.0, "overlap": 1 - score}[method]
        moved = made.sampling * np.where(made.treated, own, other)
    np.testing.assert_allclose(moved - design.weights, model.slope * eta, atol=1e-9)
    np.testing.assert_allclose(-x.T @ residual, model.information @ step, rtol=1e-4)


@pytest.mark.parametrize("size", [800, 40_000])
@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_entropy_balances_exactly_in_small_and_large_studies(size, estimand):
    frame, names = simulated(size)
    made = study(frame, covariates=names, weight="sw")
    design = weight(made, "entropy", estimand=estimand)
    x = made.covariates.matrix
    wanted = np.average(x, axis=0, weights=design.target)
    for arm in (made.treated, ~made.treated):
        got = np.average(x[arm], axis=0, weights=design.weights[arm])
        np.testing.assert_allclose(got, wanted, atol=1e-10)
        assert design.weights[arm].sum() == pytest.approx(design.target.sum(), rel=1e-10)
        # The form of the solution: weights are the base times the exponential of a line in x.
        log = np.log(design.weights[arm] / made.sampling[arm])
        line = np.c_[np.ones(arm.sum()), x[arm]]
        assert np.abs(log - line @ np.linalg.lstsq(line, log, rcond=None)[0]).max() < 1e-8


def test_overlap_weights_balance_exactly_and_target_themselves():
    made = study_of("clustered", weighted=True)
    design = weight(made, "overlap")
    x = made.covariates.matrix
    means = [np.average(x[arm], axis=0, weights=design.weights[arm])
             for arm in (made.treated, ~made.treated)]  # fmt: skip
    np.testing.assert_allclose(*means, atol=1e-10)
    np.testing.assert_allclose(design.target, made.sampling * design.score * (1 - design.score))
    assert design.estimand == "ATO"


def test_targets_are_the_population_of_the_estimand():
    made = study_of("clustered", weighted=True)
    sampling = made.sampling
    for estimand, target in (
        ("ATT", sampling * made.treated), ("ATC", sampling * ~made.treated), ("ATE", sampling),
    ):  # fmt: skip
        np.testing.assert_array_equal(weight(made, estimand=estimand).target, target)


def test_a_saturated_model_gives_the_shares_of_its_cells():
    frame = pd.DataFrame(
        {"old": [0] * 50 + [1] * 50, "treated": ([1] * 10 + [0] * 40) + [1, 0] * 25}
    )
    made = study(frame, covariates=["old"])
    expected = np.where(made.treated, 1.0, np.where(frame["old"] == 1, 1.0, 0.25))
    np.testing.assert_allclose(weight(made).weights, expected, rtol=1e-9)
    np.testing.assert_allclose(weight(made, "entropy").weights, expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["inverse_propensity", "entropy"])
@pytest.mark.parametrize("size", [600, 30_000])
def test_neither_the_order_of_rows_nor_the_units_of_a_covariate_matter(method, size):
    frame, names = simulated(size)
    first = weight(study(frame, covariates=names, weight="sw"), method).weights
    order = np.random.default_rng(2).permutation(size)
    again = weight(study(frame.iloc[order], covariates=names, weight="sw"), method).weights
    np.testing.assert_allclose(again, first[order], rtol=1e-9)
    moved = frame.assign(x0=frame["x0"] * -1e5 + 7e6, x2=frame["x2"] / 1e4 + 2015)
    other = weight(study(moved, covariates=names[::-1], weight="sw"), method).weights
    np.testing.assert_allclose(other, first, rtol=1e-6)


def test_sampling_weights_can_be_scaled():
    frame, names = simulated(600)
    for method in ("inverse_propensity", "overlap", "entropy"):
        one = weight(study(frame, covariates=names, weight="sw"), method)
        ten = weight(
            study(frame.assign(sw=10 * frame["sw"]), covariates=names, weight="sw"), method
        )
        np.testing.assert_allclose(ten.weights, 10 * one.weights, rtol=1e-9)


def test_stabilised_weights_keep_the_means_and_sum_to_the_arms():
    made = study_of("clustered")
    plain = weight(made, estimand="ATE").weights
    stable = weight(made, estimand="ATE", stabilise=True)
    for arm in (made.treated, ~made.treated):
        ratio = stable.weights[arm] / plain[arm]
        np.testing.assert_allclose(ratio, arm.mean(), rtol=1e-9)
    values = data("clustered")["y"].to_numpy()
    error = numbers("clustered")["clustered_ipw_ate"]["ate_lm_wi_mest_se"]
    assert stacked_error(stable, values) == pytest.approx(error, rel=1e-6)


def test_support_leaves_out_and_says_so():
    made = study_of("clustered")
    design = weight(made, support="both")
    golden = numbers("clustered")["clustered_nn_discard_both"]
    out = design.fate == OFF_SUPPORT
    assert (out & made.treated).sum() == golden["n_discarded_treated"]
    assert (out & ~made.treated).sum() == golden["n_discarded_control"]
    assert not design.weights[out].any() and not design.target[out].any()
    assert not design.weight_model.slope[out].any()
    narrow = weight(made, support=(0.2, 0.4))
    kept = (narrow.score >= 0.2) & (narrow.score <= 0.4)
    assert ((narrow.weights > 0) == kept).all()
    assert any("left out: the effect is that on the rest" in note for note in narrow.notes)


def test_extreme_weights_are_capped_or_left_out():
    made = study_of("clustered")
    plain, capped = weight(made), weight(made, trim=0.9)
    bound = capped.settings["trimmed_at"]
    others = plain.weights[~made.treated]
    assert bound in others and (others <= bound).mean() == pytest.approx(0.9, abs=0.001)
    np.testing.assert_array_equal(capped.weights[~made.treated], np.minimum(others, bound))
    assert (capped.weights[made.treated] == 1).all()
    extreme = plain.weights > capped.weights
    assert not capped.weight_model.slope[extreme].any()
    assert any("capped" in note for note in capped.notes)
    without = weight(made, trim=0.9, trimmed="exclude")
    assert ((without.fate == TRIMMED) == extreme).all() and not without.weights[extreme].any()
    np.testing.assert_array_equal(without.weights[~extreme], plain.weights[~extreme])


@pytest.mark.parametrize("method", ["inverse_propensity", "entropy"])
def test_within_strata_each_stratum_is_weighted_by_itself(method):
    frame = data("clustered")
    names = ["x1", "x3"]
    frame = pd.concat([frame, frame[frame["treat"] == 1][:5].assign(region=9)])
    made = study(frame, treated="treat", covariates=names, strata="region", weight="sw")
    design = weight(made, method, within="strata")
    for region in range(1, 6):
        rows = (frame["region"] == region).to_numpy()
        alone = weight(study(frame[rows], treated="treat", covariates=names, weight="sw"), method)
        np.testing.assert_allclose(design.weights[rows], alone.weights, rtol=1e-9)
        np.testing.assert_allclose(design.target[rows], alone.target, rtol=1e-9)
    lone = (frame["region"] == 9).to_numpy()
    assert (design.fate[lone] == LONE_STRATUM).all() and not design.weights[lone].any()
    assert design.weight_model is None
    assert any("within strata" in note for note in design.notes)
    assert any("strata were not used" in note for note in weight(made, method).notes)


def test_cross_fitted_scores_and_classifiers_have_no_weight_model():
    made = study_of("clustered")
    for settings in ({"folds": 3}, {"model": LogisticRegression()}):
        design = weight(made, **settings)
        assert design.weight_model is None and design.folds is not None
        assert any("take the weights as known" in note for note in design.notes)


def test_a_given_score_is_used_as_it_is():
    made = study_of("clustered")
    known = fit_propensity(made)
    np.testing.assert_array_equal(weight(made, propensity=known).weights, weight(made).weights)
    assert weight(made, propensity=known).again is None


def test_a_design_can_be_made_again_for_drawn_rows():
    made = study_of("clustered", weighted=True)
    rows = np.random.default_rng(0).integers(0, made.size, made.size)
    drawn = made.take(rows, np.zeros(made.size, dtype=np.int64))
    for settings in ({"trim": 0.95}, {"method": "entropy"}, {"support": "both"}):
        again = weight(made, **settings).again(drawn)
        np.testing.assert_array_equal(again.weights, weight(drawn, **settings).weights)


def test_means_outside_the_range_are_refused_by_name():
    frame, names = simulated(500)
    above = frame.assign(high=frame["treated"] * 10 + frame["x0"].clip(-3, 3))
    with pytest.raises(DataError, match="high: no weights make the means the same"):
        weight(study(above, covariates=[*names, "high"]), "entropy")
    rare = frame.assign(only=((frame["treated"] == 1) & (frame["x0"] > 0)).astype(int))
    with pytest.raises(DataError, match="only: no weights"):
        weight(study(rare, covariates=[*names, "only"]), "entropy")


def test_means_outside_the_hull_of_all_covariates_are_refused():
    rng = np.random.default_rng(0)
    around = rng.uniform(-1, 1, (400, 2))
    around = around[np.abs(around).sum(axis=1) < 1]
    frame = pd.DataFrame(np.r_[around, np.full((30, 2), 0.6)], columns=["a", "b"])
    frame["treated"] = np.r_[np.zeros(len(around)), np.ones(30)]
    frame.loc[frame["treated"] == 1, ["a", "b"]] += rng.normal(0, 0.01, (30, 2))
    with pytest.raises(DataError, match=r"all covariates the same at once.*[ab]"):
        weight(study(frame, covariates=["a", "b"]), "entropy")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ipw"}, "No weighting method"),
        ({"estimand": "ATO"}, "Inverse propensity weights are for"),
        ({"method": "overlap", "estimand": "ATT"}, "Overlap weights are for"),
        ({"method": "entropy", "support": "both"}, "no propensity score"),
        ({"support": "wide"}, "support is"),
        ({"support": (0.9, 0.1)}, "support is"),
        ({"trim": 1.5}, "trim is a quantile"),
        ({"trim": 0.9, "trimmed": "drop"}, "trimmed is"),
        ({"stabilise": True}, "stabilise is for"),
        ({"within": "strata"}, "made with strata"),
        ({"within": "region"}, "within is"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        weight(study_of("lalonde"), **settings)


def test_scores_of_another_study_are_refused():
    with pytest.raises(ParameterError, match="another study"):
        weight(study_of("lalonde"), propensity=fit_propensity(study_of("clustered")))


def test_separation_within_a_stratum_says_so_without_naming_it():
    frame, names = simulated(400)
    frame["area"] = np.where(np.arange(400) < 60, "secret", "other")
    frame.loc[frame["area"] == "secret", "x1"] = frame["treated"] * 5 + frame["x1"] / 9
    with pytest.raises(DataError, match="Within a stratum of area: x1: tells") as refused:
        weight(study(frame, covariates=names, strata="area"), within="strata")
    assert "secret" not in str(refused.value)


def test_weights_recover_a_known_effect():
    rng = np.random.default_rng(5)
    frame, names = simulated(20_000, seed=5)
    x = frame[names].to_numpy()
    values = 2.0 * frame["treated"] + x @ [1.0, -1.0, 0.5, 2.0] + rng.normal(size=len(frame))
    values += frame["treated"] * x[:, 0]
    made = study(frame, covariates=names)
    own, arm = made.treated, ~made.treated
    truth = {"ATT": 2 + x[own, 0].mean(), "ATC": 2 + x[arm, 0].mean(), "ATE": 2 + x[:, 0].mean()}
    for method in ("inverse_propensity", "entropy"):
        for estimand, expected in truth.items():
            w = weight(made, method, estimand=estimand).weights
            found = np.average(values[own], weights=w[own]) - np.average(
                values[arm], weights=w[arm]
            )
            # Four standard errors of a difference of 20,000 units are under 0.12.
            assert found == pytest.approx(expected, abs=0.12)


def test_it_is_public():
    assert inspect.unwrap(tf.weight) is weight
    assert "Inverse propensity weights" in repr(tf.weight(study_of("lalonde")))


def weights_exist(x: np.ndarray, mean: np.ndarray) -> bool:
    """Say by linear programming whether weights above 0 give rows of x a mean."""
    z = (x - mean) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    count = len(z)
    found = linprog(
        np.r_[np.zeros(count), -1.0],  # the least of the weights, as large as can be
        A_ub=np.c_[-np.eye(count), np.ones(count)], b_ub=np.zeros(count),
        A_eq=np.c_[np.c_[z, np.ones(count)].T, np.zeros(z.shape[1] + 1)],
        b_eq=np.r_[np.zeros(z.shape[1]), 1.0], bounds=[(0, None)] * count + [(None, None)],
    )  # fmt: skip
    return found.status == 0 and found.x[-1] * count > 1e-9


def apart(seed: int) -> pd.DataFrame:
    """Return units of which some of the treated lie away from the others, in heavy tails."""
    rng = np.random.default_rng(seed)
    size, count = rng.choice([20, 60, 200]), rng.integers(1, 8)
    x = rng.normal(size=(size, count))
    for place, kind in enumerate(rng.random(count)):
        if kind < 0.3:
            x[:, place] = np.exp(rng.uniform(0.5, 2.5) * x[:, place])
        elif kind < 0.5:
            x[:, place] = rng.random(size) < 0.15
    treated = np.r_[True, False, rng.random(size - 2) < rng.choice([0.1, 0.5, 0.9])]
    push = rng.choice([0.3, 1, 2, 3]) * (rng.random(count) < 0.5)
    x[treated] += push * np.maximum(x.std(axis=0), 0.1)
    return pd.DataFrame(x).add_prefix("x").assign(treated=treated)


def test_entropy_finds_weights_where_they_exist_and_says_where_they_do_not():
    outcomes = {True: 0, False: 0}
    for seed in range(160):
        frame = apart(seed)
        names = [name for name in frame if name != "treated" and frame[name].nunique() > 1]
        made = study(frame, covariates=names)
        x, arm = made.covariates.matrix, made.treated
        exist = weights_exist(x[~arm], x[arm].mean(axis=0))
        outcomes[exist] += 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if exist:
                w = weight(made, "entropy").weights[~arm]
                gap = np.average(x[~arm], axis=0, weights=w) - x[arm].mean(axis=0)
                assert (np.abs(gap) <= 1e-7 * x.std(axis=0)).all(), seed
            else:
                with pytest.raises(DataError, match=r"no weights|No weights"):
                    weight(made, "entropy")
    assert min(outcomes.values()) > 40


def tilted(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return units whose treated have the means of a known, extreme tilt of the others."""
    rng = np.random.default_rng(seed)
    size, count = int(rng.choice([10, 60, 200, 1000, 8000, 40000])), int(rng.integers(1, 8))
    x = rng.normal(size=(size, count))
    for place in range(count):
        kind = rng.random()
        if kind < 0.3:
            x[:, place] = np.exp(rng.uniform(0.5, 3) * x[:, place])
        elif kind < 0.5:
            x[:, place] = rng.random(size) < 0.15
    strength, slope = rng.choice([1, 3, 6, 10, 20]), rng.normal(size=count)
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    tilt = z @ (strength * slope / np.linalg.norm(slope))
    known = np.exp(tilt - tilt.max())
    known /= known.sum()
    frame = pd.DataFrame(np.r_[x, [known @ x] * 2]).add_prefix("x")
    return frame.assign(treated=np.arange(size + 2) >= size), known


# The first four by Newton's method from equal weights; from there it does not reach the others.
@pytest.mark.parametrize("seed", [1, 9, 26, 33, 16, 70, 163, 191, 328, 331, 359])
def test_entropy_finds_extreme_weights_that_are_known(seed):
    frame, known = tilted(seed)
    names = [name for name in frame if name != "treated"]
    found = weight(study(frame, covariates=names), "entropy").weights[: len(known)]
    np.testing.assert_allclose(found / found.sum(), known, atol=1e-8)


def test_odds_without_end_are_an_error_and_not_a_weight():
    frame, names = simulated(400)
    made = study(frame, covariates=names)
    fitted = fit_propensity(made)
    sure = replace(fitted, linear=np.where(np.arange(400) == np.argmin(made.treated), 800.0,
                                           fitted.linear))  # fmt: skip
    with pytest.raises(DataError, match="endless for fewer than 10 units"):
        weight(made, propensity=sure)
    assert weight(made, propensity=sure, trim=0.9).weights.max() < 1e3
