"""Sensitivity to what was not measured: published numbers, enumeration, algebra, known truth."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, rankdata
from scipy.stats import t as student

import tfeval as tf
from tests.impact.golden import COVARIATES, data, design_of, numbers, pairs
from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.sensitivity.evidence import pair_test, signed_rank_tail
from tfeval.impact.sensitivity.regression import (
    Stability,
    beta_at,
    delta_for,
    polynomial,
    regressions,
)
from tfeval.impact.sensitivity.values import (
    adjusted,
    benchmark_strength,
    e_value,
    interval_e_value,
    ratio_of_difference,
    robustness_value,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def frame_of(size: int = 600, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=size), "b": rng.integers(0, 2, size)})
    frame["region"] = rng.choice(["north", "south", "east"], size)
    odds = -0.6 + 0.7 * frame["x"] + 0.3 * (frame["region"] == "north")
    frame["treated"] = (rng.random(size) < 1 / (1 + np.exp(-odds))).astype(int)
    frame["y"] = 3 + frame["x"] + 0.5 * frame["b"] - 0.6 * frame["treated"] + rng.normal(size=size)
    share = 0.5 - 0.2 * frame["treated"] + 0.1 * np.tanh(frame["x"])
    frame["d"] = (rng.random(size) < share).astype(float)
    return frame


FRAME = frame_of()
STUDY = tf.study(FRAME, covariates=["x", "b", "region"])
MATCHED = tf.match(STUDY, caliper=0.2)
WEIGHTED = tf.weight(STUDY)


def effects_of(outcome: str = "y", **columns) -> Effects:
    row = {"outcome": outcome, "estimate": -0.5, "std_error": 0.1, "conf_low": -0.7,
           "conf_high": -0.3, "mean_treated": 0.4, "mean_comparison": 0.9,
           "relative_low": -0.7, "relative_high": -0.4}  # fmt: skip
    rows = pd.DataFrame([{**row, **columns}])
    return Effects(rows, np.array([[0.01]]))


def plain(made, weights=None) -> Design:
    """Return a design that keeps everybody."""
    given = np.ones(made.size) if weights is None else weights
    fate = np.zeros(made.size, dtype=np.int8)
    return Design(made, "everybody", "ATE", given, fate, {}, made.sampling)


# E-values


@pytest.mark.parametrize(
    ("ratio", "low", "high", "expected", "expected_interval"),
    [
        (3.9, 1.8, 8.7, 7.26, 3.0),  # VanderWeele and Ding (2017): breastfeeding, infant deaths
        (0.80, 0.71, 0.91, 1.81, 1.43),  # the same: breastfeeding, leukaemia
        (10.73, 8.02, 14.36, 20.95, 15.52),  # package EValue: smoking, lung cancer
    ],
)
def test_published_e_values(ratio, low, high, expected, expected_interval):
    assert float(e_value(ratio)) == pytest.approx(expected, abs=0.005)
    assert float(interval_e_value(low, high)) == pytest.approx(expected_interval, abs=0.005)


@pytest.mark.parametrize("ratio", [1.0, 1.0001, 1.7, 40.0, 0.3, 1e-9])
def test_an_e_value_is_where_the_bounding_factor_is_the_ratio(ratio):
    # Ding and VanderWeele (2016): RR_EU RR_UD / (RR_EU + RR_UD - 1), both equal.
    found = float(e_value(ratio))
    assert found**2 / (2 * found - 1) == pytest.approx(max(ratio, 1 / ratio))


def test_e_values_of_numbers_and_of_0_and_1():
    found = tf.sensitivity(MATCHED, FRAME[["y", "d"]])
    rows, effects = found.to_frame(), tf.estimate(MATCHED, FRAME[["y", "d"]]).to_frame()
    kept = MATCHED.weights > 0
    arms = [FRAME["y"][kept & (FRAME["treated"] == arm)] for arm in (0, 1)]
    deviation = np.sqrt((arms[0].var(ddof=0) + arms[1].var(ddof=0)) / 2)
    ratio = np.exp(0.91 * effects["estimate"][0] / deviation)
    assert rows["risk_ratio"][0] == pytest.approx(ratio)
    assert rows["e_value"][0] == pytest.approx(1 / ratio + np.sqrt(1 / ratio * (1 / ratio - 1)))
    assert rows["risk_ratio_high"][0] == pytest.approx(
        float(ratio_of_difference(effects["conf_high"][0], deviation))
    )
    risk = effects["mean_treated"][1] / effects["mean_comparison"][1]
    assert rows["risk_ratio"][1] == pytest.approx(risk)
    assert rows["risk_ratio_low"][1] == pytest.approx(1 + effects["relative_low"][1])
    assert rows["binary"].tolist() == [False, True]


def test_an_interval_that_holds_no_effect_has_the_e_value_1():
    found = tf.sensitivity(WEIGHTED, FRAME["y"], effects_of(conf_low=-0.7, conf_high=0.1))
    assert found.to_frame()["e_value_interval"].tolist() == [1.0]
    assert found.to_frame()["e_value"][0] > 1


def test_a_mean_that_is_not_above_0_has_no_ratio():
    found = tf.sensitivity(WEIGHTED, FRAME["d"], effects_of("d", mean_comparison=-0.01))
    row = found.to_frame().iloc[0]
    assert np.isnan(row["e_value"])
    assert "not above 0" in row["e_value_reason"]
    assert any("E-value: not estimable: a mean is not above 0" in note for note in found.notes)


# Matched pairs


LEAD = np.array([38, 23, 41, 18, 37, 36, 23, 62, 31, 34, 24, 14, 21, 17, 16, 20, 15, 10, 45, 39, 22,
                 35, 49, 48, 44, 35, 43, 39, 34, 13, 73, 25, 27.0])  # fmt: skip
LEAD_CONTROL = np.array([16, 18, 18, 24, 19, 11, 10, 15, 16, 18, 18, 13, 19, 10, 16, 16, 24, 13, 9,
                         14, 21, 19, 7, 18, 19, 12, 11, 22, 25, 16, 13, 11, 13.0])  # fmt: skip


def enumerated(difference: np.ndarray, chances: np.ndarray) -> float:
    """Return P(rank sum as large as seen) over every assignment, each pair with its chance."""
    ranks = rankdata(np.abs(difference))
    seen = max(ranks[difference > 0].sum(), ranks[difference < 0].sum())
    total = 0.0
    for signs in product((0, 1), repeat=len(ranks)):
        up = np.array(signs, dtype=bool)
        if ranks[up].sum() >= seen - 1e-9:
            total += np.prod(np.where(up, chances, 1 - chances))
    return total


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gamma", [1.0, 1.5, 4.0])
def test_signed_rank_bounds_are_those_of_every_assignment(seed, gamma):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 6, 9).astype(float)
    second = rng.integers(0, 4, 9).astype(float)
    difference = (first - second)[first != second]
    test = pair_test(first, second, binary=False)
    low, high = test.bounds(gamma)
    for bound, chance in ((low, 1 / (1 + gamma)), (high, gamma / (1 + gamma))):
        expected = enumerated(difference, np.full(len(difference), chance))
        assert bound == pytest.approx(min(1.0, 2 * expected))


def test_no_unmeasured_cause_does_worse_than_the_bounds():
    difference, gamma = np.array([3.0, 1.0, -0.5, 2.0, 2.0, -4.0]), 2.5
    worst = [
        enumerated(difference, np.where(pattern, gamma, 1.0) / (1 + gamma))
        for pattern in product((False, True), repeat=len(difference))
    ]
    low, high = pair_test(difference, np.zeros(6), binary=False).bounds(gamma)
    assert 2 * min(worst) == pytest.approx(low)
    assert min(1.0, 2 * max(worst)) == pytest.approx(high)


def test_signed_ranks_as_the_package_rbounds_has_them():
    expected = numbers("sensitivity")
    chosen = pairs("lalonde_nn_1to1_cal")
    earned = data("lalonde")["re78"]
    rows = [(earned[one], earned[other]) for one, other in sorted(chosen)]
    cases = {"lead": (LEAD, LEAD_CONTROL), "lalonde_pairs": tuple(np.array(rows).T)}
    for case, (first, second) in cases.items():
        difference = (first - second)[first != second]
        ranks = rankdata(np.abs(difference))
        upward = ranks[difference > 0].sum() >= ranks.sum() / 2
        tail = signed_rank_tail(difference, 1e-9, exact=False)
        for name, value in expected[case].items():
            gamma = float(name.split("_")[1])
            chance = (gamma if name.startswith("upper") else 1.0) / (1 + gamma)
            # rbounds takes the probability of a large sum, whichever way the data lie.
            found = tail(chance) if upward else 1 - tail(1 - chance)
            assert found == pytest.approx(value, abs=6e-5), (case, name)


def test_the_normal_distribution_is_near_the_exact_one():
    rng = np.random.default_rng(2)
    difference = rng.normal(0.3, 1, 90)
    exact, near = (signed_rank_tail(difference, 1e-12, exact=way) for way in (True, False))
    for chance in (0.4, 0.5, 0.6):
        assert near(chance) == pytest.approx(exact(chance), abs=0.004)


def test_mcnemar_bounds_are_tails_of_the_binomial_near_those_published():
    # Rosenbaum (2002), section 4.3.2: Hammond's pairs of smokers; one-sided, and by the normal
    # distribution there.
    died = np.repeat([1.0, 0.0], [110, 12])
    test = pair_test(died, 1 - died, binary=True)
    for gamma, published in {1: 0.0, 4: 0.0036, 5: 0.03, 6: 0.1}.items():
        found = test.bounds(gamma)[1] / 2
        chance = gamma / (1 + gamma)
        assert found == pytest.approx(binomtest(110, 122, chance, "greater").pvalue)
        assert found == pytest.approx(published, abs=0.008)


def test_mcnemar_bounds_as_the_package_rbounds_has_them_one_pair_on():
    # rbounds leaves the number seen out of the tail, so it has the bound of one pair more.
    expected = numbers("sensitivity")
    for case, more, fewer in (("smoking", 110, 12), ("lalonde_work", 22, 20)):
        worse = np.repeat([1.0, 0.0], [more + 1, fewer - 1])
        test = pair_test(worse, 1 - worse, binary=True)
        for name, value in expected[case].items():
            side, gamma = name.split("_")[0], name.rpartition("_")[2]
            if side in ("lower", "upper"):
                bounds = dict(zip(("lower", "upper"), _tails(test, float(gamma)), strict=True))
                assert bounds[side] == pytest.approx(value, abs=6e-6), (case, name)


def _tails(test, gamma: float) -> tuple[float, float]:
    return test.tail(1 / (1 + gamma)), test.tail(gamma / (1 + gamma))


@pytest.mark.parametrize("binary", [True, False])
def test_the_limit_is_the_gamma_where_the_p_value_passes(binary):
    rng = np.random.default_rng(5)
    first, second = (rng.random(400) < share for share in (0.5, 0.3))
    noise = 0.0 if binary else rng.normal(size=400)
    test = pair_test(first + noise, second.astype(float), binary=binary)
    limit = test.limit(0.05)
    assert limit > 1
    assert test.bounds(limit)[1] == pytest.approx(0.05)
    assert test.bounds(limit * 0.99)[1] < 0.05 < test.bounds(limit * 1.01)[1]
    assert test.bounds(limit)[0] < 0.05


def test_where_nothing_is_concluded_the_limit_is_1():
    even = np.array([1.0, -1.0, 2.0, -2.0, 3.0])
    assert pair_test(even, np.zeros(5), binary=False).limit(0.05) == 1.0
    one = pair_test(np.array([1.0]), np.array([0.0]), binary=False)
    assert one.bounds(1.0) == (1.0, 1.0)
    assert one.limit(0.05) == 1.0


def test_pairs_do_not_depend_on_the_outcomes_level_or_scale():
    values = np.round(FRAME["y"].to_numpy(), 1)  # with ties and zeros
    limits, differing = [], set()
    for moved in (values, values + 1e6, values * 1000, values / 7e5):
        found = tf.sensitivity(MATCHED, pd.Series(moved, name="y"), effects_of())
        limits.append(found.to_frame()["gamma_limit"][0])
        differing.add(int(found.to_frame()["pairs_differing"][0]))
    assert limits == pytest.approx([limits[0]] * 4)
    assert len(differing) == 1


@pytest.mark.parametrize(
    ("design", "reason"),
    [
        (WEIGHTED, "no matched pairs"),
        (tf.match(STUDY, replace=True), "matched with replacement"),
        (tf.match(STUDY, "full"), "more than two units"),
    ],
    ids=["weights", "replacement", "full"],
)
def test_without_pairs_there_are_no_bounds(design, reason):
    found = tf.sensitivity(design, FRAME["y"], effects_of())
    assert reason in found.to_frame()["gamma_reason"][0]
    assert np.isnan(found.to_frame()["gamma_limit"][0])
    assert found.bounds.empty
    assert "Gamma: not estimable" in " ".join(found.notes)


def test_pairs_without_a_difference_or_with_missing_outcomes():
    same = FRAME["y"] * 0 + 2.0
    same[MATCHED.weights == 0] = 5.0
    found = tf.sensitivity(MATCHED, same.rename("y"), effects_of()).to_frame().iloc[0]
    assert found["gamma_reason"] == "no pair differs in the outcome"
    assert found["robustness_reason"] == "the outcome does not vary"
    lost = FRAME["y"].where(np.arange(len(FRAME)) % 3 > 0)
    found = tf.sensitivity(MATCHED, lost, effects_of()).to_frame().iloc[0]
    sets = pd.Series(MATCHED.sets)[MATCHED.sets >= 0]
    known = lost.notna().to_numpy()[sets.index]
    assert found["pairs"] == (pd.Series(known).groupby(sets.to_numpy()).sum() == 2).sum()


# Omitted variables


def weighted_fit(frame: pd.DataFrame, outcome: str, columns: list[str], weights: np.ndarray):
    import statsmodels.api as sm

    return sm.WLS(frame[outcome], sm.add_constant(frame[columns].astype(float)), weights).fit()


def test_darfur_as_published():
    # Cinelli and Hazlett (2020), section 5, and the tests of the package PySensemakr.
    rows = pd.read_csv(GOLDEN / "darfur.csv.gz")
    villages = pd.get_dummies(rows.pop("village"), prefix="v", drop_first=True, dtype=float)
    rows = pd.concat([rows, villages], axis=1)
    names = [name for name in rows if name not in ("peacefactor", "directlyharmed")]
    made = tf.study(rows, treated="directlyharmed", covariates=names)
    effect = effects_of("peacefactor")
    found = tf.sensitivity(plain(made), rows["peacefactor"], effect, benchmarks="female")
    row = found.to_frame().iloc[0]
    assert row["regression_dof"] == 783
    assert row["regression_estimate"] == pytest.approx(0.09731582, abs=1e-8)
    assert row["regression_std_error"] == pytest.approx(0.02325654, abs=1e-8)
    assert row["partial_r2"] == pytest.approx(0.02187309, abs=1e-8)
    assert row["robustness_value"] == pytest.approx(0.1387764, abs=1e-7)
    assert row["robustness_value_interval"] == pytest.approx(0.07625797, abs=1e-7)
    published = {
        "r2_treatment": [0.00916428667504862, 0.0183285733500972, 0.0274928600251459],
        "r2_outcome": [0.12464092303637, 0.249324064199975, 0.374050471038094],
        "estimate": [0.0752202712144491, 0.0529151723844518, 0.0303960234641548],
        "std_error": [0.0218733277437572, 0.0203500620779637, 0.0186700648170924],
        "conf_low": [0.032282966, 0.012968035, -0.006253282],
        "conf_high": [0.11815758, 0.09286231, 0.06704533],
    }
    for name, values in published.items():
        # There intervals have a degree of freedom more than the regression with the confounder.
        near = 1e-6 if name.startswith("conf") else 1e-8
        assert found.benchmarks[name].tolist() == pytest.approx(values, abs=near), name
    assert row["benchmark"] == "female"
    assert row["benchmark_estimate"] == pytest.approx(0.0752202712144491)


@pytest.mark.parametrize(("with_treatment", "with_outcome"), [(0.05, 0.3), (0.4, 0.1), (0.01, 1.0)])
def test_the_regression_with_the_confounder_gives_what_was_said(with_treatment, with_outcome):
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.2, 3.0, len(FRAME))
    root = np.sqrt(weights)
    x = np.column_stack([np.ones(len(FRAME)), FRAME["x"], FRAME["b"]]) * root[:, None]
    d, y = FRAME["treated"] * root, FRAME["y"] * root

    def left(values, columns):
        return values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]

    def unit(values):
        return values / np.sqrt(values @ values)

    both = np.column_stack([x, d])
    rest = unit(left(y, both))
    noise = unit(left(rng.normal(size=len(d)), np.column_stack([both, y])))
    own = np.sqrt(with_outcome) * rest + np.sqrt(1 - with_outcome) * noise
    direction = np.sign(unit(left(d, x)) @ y)
    z = np.sqrt(with_treatment) * direction * unit(left(d, x)) + np.sqrt(1 - with_treatment) * own
    frame = FRAME.assign(z=z / root)
    with_z = weighted_fit(frame, "y", ["treated", "x", "b", "z"], weights)
    without = weighted_fit(frame, "y", ["treated", "x", "b"], weights)
    found = adjusted(without.params["treated"], without.bse["treated"], without.df_resid,
                     with_treatment, with_outcome)  # fmt: skip
    assert found.estimate == pytest.approx(with_z.params["treated"], rel=1e-8)
    assert found.std_error == pytest.approx(with_z.bse["treated"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("t", "dof"), [(4.18, 783), (2.5, 40), (-3.0, 12), (30.0, 8), (9.0, 5), (1.2, 100), (60.0, 30)]
)
def test_robustness_values_are_where_the_worst_confounder_undoes_the_estimate(t, dof):
    critical = float(student.ppf(0.975, dof - 1))

    def worst_t(share: float) -> float:
        grid = np.linspace(0, share, 400)
        outcome, treatment = np.meshgrid(grid, grid)
        bias = np.sqrt(outcome * treatment / (1 - treatment) * dof)
        error = np.sqrt(np.maximum(1 - outcome, 1e-300) / (1 - treatment) * dof / (dof - 1))
        return float(((abs(t) - bias) / error).min())

    found = robustness_value(t, dof, critical)
    if abs(t) / np.sqrt(dof) <= critical / np.sqrt(dof - 1):
        assert found == 0
        return
    assert worst_t(found * 0.995) > critical > worst_t(min(found * 1.005 + 1e-6, 1 - 1e-9))
    plainly = robustness_value(t, dof)
    assert np.sqrt(plainly**2 / (1 - plainly) * dof) == pytest.approx(abs(t))
    assert plainly > found


def test_the_regression_is_statsmodels_with_the_designs_weights():
    design, rows = design_of("lalonde_ipw_att"), data("lalonde")
    y, treated, names = "re78", "treat", COVARIATES["lalonde"]
    found = tf.sensitivity(design, rows[y], effects_of(y, estimand=design.estimand),
                           yardstick="design", times=1)  # fmt: skip
    row, groups = found.to_frame().iloc[0], {}
    wide = pd.get_dummies(rows[names], drop_first=True, dtype=float)
    frame = pd.concat([wide, rows[[y, treated]].astype(float)], axis=1)
    columns = list(wide)
    kept = design.weights > 0
    frame, weights = frame[kept], design.weights[kept]
    full = weighted_fit(frame, y, [treated, *columns], weights)
    assert row["regression_estimate"] == pytest.approx(full.params[treated])
    assert row["regression_std_error"] == pytest.approx(full.bse[treated])
    assert row["regression_dof"] == full.df_resid
    assert row["r2"] == pytest.approx(full.rsquared)
    without_treatment = weighted_fit(frame, y, columns, weights)
    assert row["partial_r2"] == pytest.approx(1 - full.ssr / without_treatment.ssr)
    short = weighted_fit(frame, y, [treated], weights)
    assert row["oster_short"] == pytest.approx(short.params[treated])
    treatment = weighted_fit(frame, treated, columns, weights)
    for name in names:
        others = [one for one in columns if one != name and not one.startswith(f"{name}_")]
        less = weighted_fit(frame, y, [treated, *others], weights)
        less_treatment = weighted_fit(frame, treated, others, weights)
        groups[name] = (1 - treatment.ssr / less_treatment.ssr, 1 - full.ssr / less.ssr)
    for one in found.benchmarks.to_dict("records"):
        expected = benchmark_strength(*groups[one["covariate"]], 1)
        assert (one["r2_treatment"], one["r2_outcome"]) == pytest.approx(expected, rel=1e-6)


def test_a_covariate_that_the_design_made_alike_still_measures_the_unmeasured():
    # x and u are alike in all they do, and u is not measured: the bound must reach the truth, 0.
    rng = np.random.default_rng(11)
    x, u = rng.normal(size=(2, 4000))
    treated = rng.random(4000) < 1 / (1 + np.exp(-0.7 * x - 0.7 * u))
    frame = pd.DataFrame({"x": x, "treated": treated, "y": x + u + rng.normal(size=4000)})
    made = tf.weight(tf.study(frame, covariates=["x"]))
    before, within = (
        tf.sensitivity(made, frame["y"], yardstick=where).to_frame().iloc[0]
        for where in ("before", "design")
    )
    assert before["conf_low"] > 0.3
    assert before["benchmark_estimate"] < 0.05
    assert within["benchmark_estimate"] > 0.3
    assert within["robustness_value"] == before["robustness_value"]


def test_a_category_is_a_benchmark_whole_and_so_is_a_number_that_may_be_missing():
    lost = FRAME.assign(x=FRAME["x"].where(FRAME.index % 5 > 0))
    made = tf.weight(tf.study(lost, covariates=["x", "b", "region"]))
    found = tf.sensitivity(made, lost["y"], times=2)
    assert found.benchmarks["covariate"].tolist() == ["x", "b", "region"]


def test_impossible_strengths_are_said_so():
    assert benchmark_strength(0.45, 0.2, 3) is None
    assert benchmark_strength(1.0, 0.2, 1) is None
    assert benchmark_strength(0.2, 0.9, 3)[1] == 1.0


# Selection on the unobserved


@pytest.mark.parametrize("case", ["mtcars_1.1", "mtcars_1.3", "lalonde_1.1", "lalonde_1.3"])
def test_delta_and_beta_as_the_package_robomit_has_them(case):
    expected = numbers("sensitivity")[case]
    stability = STABILITIES[case.split("_")[0]](expected["r2_most"])
    assert delta_for(stability) == pytest.approx(expected["delta"], abs=2e-6)
    for delta in (0.5, 1.0):
        found = beta_at(stability, delta)
        assert found == pytest.approx(expected[f"beta_{delta:g}"], abs=2e-6, rel=1e-8)
    # Beyond 1 robomit takes the nearest root, whatever its sign; it is a root of ours too.
    own, times = polynomial(stability)
    bias = stability.long - expected["beta_1.5"]
    terms = (own - 1.5 * times) * bias ** np.arange(3, -1, -1)
    assert abs(terms.sum()) < 1e-5 * np.abs(terms).sum()


def _cars(most: float) -> Stability:
    # Weight and miles per gallon in R's mtcars, horsepower and quarter mile as covariates.
    return Stability(-5.344471572722677, -4.358797200261, 0.752832793658265, 0.834767761705,
                     most, 0.957378967741935, 0.378344448931, 36.3241028225806)  # fmt: skip


def _lalonde(most: float) -> Stability:
    rows = data("lalonde")
    made = tf.study(rows, treated="treat", covariates=COVARIATES["lalonde"])
    found = regressions(
        made.covariates, made.treated, np.ones(made.size), rows[["re78"]].to_numpy(dtype=float), ()
    )[0]
    return Stability(found.short, found.estimate, found.r2_short, found.r2, most, found.variance,
                     found.residual, found.outcome_variance)  # fmt: skip


STABILITIES = {"mtcars": _cars, "lalonde": _lalonde}


def constructed(beta: float, delta: float, seed: int) -> Stability:
    """Return what the two regressions show where the unobserved is related by a known delta."""
    rng = np.random.default_rng(seed)
    first, second, noise = rng.uniform(0.3, 2.0, 3)  # variances of the indices and of the error
    with_first = rng.uniform(0.1, 0.5) * np.sqrt(first)
    with_second = delta * with_first * second / first  # Oster (2019), assumption of proportion
    x = with_first**2 / first + with_second**2 / second + rng.uniform(0.5, 2.0)
    # Covariances of (x, first index, second index, outcome).
    names = np.diag([x, first, second])
    names[0, 1:] = names[1:, 0] = with_first, with_second
    effect = np.array([beta, 1.0, 1.0])
    cross, outcome = names @ effect, effect @ names @ effect + noise
    short, long = cross[0] / x, np.linalg.solve(names[:2, :2], cross[:2])
    return Stability(
        short, long[0], cross[0] ** 2 / x / outcome, long @ cross[:2] / outcome,
        1 - noise / outcome, x, x - with_first**2 / first, outcome,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("beta", [0.0, 0.7, -1.2])
def test_the_true_effect_comes_back_where_selection_is_as_strong_as_said(seed, beta):
    alike = constructed(beta, 1.0, seed)
    assert beta_at(alike) == pytest.approx(beta, abs=1e-9)
    for delta in (0.3, 1.7, -0.5):
        other = constructed(beta, delta, seed)
        assert delta_for(other, beta) == pytest.approx(delta)
        own, times = polynomial(other)
        bias = other.long - beta
        terms = (own - delta * times) * bias ** np.arange(3, -1, -1)
        assert abs(terms.sum()) < 1e-9 * np.abs(terms).sum()
    weaker = constructed(beta, 0.3, seed)
    assert beta_at(weaker, 0.3) == pytest.approx(beta, abs=1e-9)


def _approximate(stability):
    """Return the adjusted effect with coefficients taken as proportional: Oster (2019), 3.2."""
    gained = stability.r2_long - stability.r2_short
    left = stability.r2_most - stability.r2_long
    return stability.long - (stability.short - stability.long) * left / gained


def test_the_approximation_holds_where_it_should_and_only_there():
    base = _cars(0.918)
    # Covariates that explain next to nothing of the treatment, and so move the estimate little.
    near = Stability(base.long + 1e-4, base.long, base.r2_short, base.r2_short + 0.2,
                     base.r2_short + 0.3, 1.0, 1 - 1e-6, 1.0)  # fmt: skip
    assert near.long - beta_at(near) == pytest.approx(near.long - _approximate(near), rel=1e-3)
    assert abs(beta_at(base) - _approximate(base)) > 0.01


def test_an_estimate_that_covariates_do_not_move_stays():
    still = Stability(0.4, 0.4, 0.1, 0.3, 0.39, 1.0, 0.9, 1.0)
    assert beta_at(still) == 0.4


# The verb


def test_level_and_scale_of_an_outcome_change_what_they_should():
    base, moved, scaled = (
        tf.sensitivity(WEIGHTED, pd.Series(values, name="y")).to_frame().iloc[0]
        for values in (FRAME["y"], FRAME["y"] + 1e6, FRAME["y"] * 1e4)
    )
    shares = ["e_value", "e_value_interval", "robustness_value", "robustness_value_interval",
              "partial_r2", "r2", "oster_delta", "oster_r_max", "regression_dof"]  # fmt: skip
    amounts = ["regression_estimate", "regression_std_error", "oster_beta", "oster_short",
               "benchmark_estimate", "benchmark_low"]  # fmt: skip
    for name in shares:
        assert moved[name] == pytest.approx(base[name], rel=1e-5), name
        assert scaled[name] == pytest.approx(base[name], rel=1e-8), name
    for name in amounts:
        assert moved[name] == pytest.approx(base[name], rel=1e-5), name
        assert scaled[name] == pytest.approx(1e4 * base[name], rel=1e-8), name


def test_covariates_that_repeat_others_change_nothing_and_measure_nothing():
    frame = FRAME.assign(again=2 * FRAME["x"] - 3, both=FRAME["x"] + FRAME["b"])
    once = tf.sensitivity(plain(STUDY), FRAME["y"], effects_of()).to_frame().iloc[0]
    orders = (["x", "b", "region", "again", "both"], ["both", "again", "region", "b", "x"])
    for names in orders:
        made = tf.study(frame, covariates=names)
        found = tf.sensitivity(plain(made), frame["y"], effects_of())
        row = found.to_frame().iloc[0]
        for name in ("regression_estimate", "robustness_value", "oster_delta", "regression_dof"):
            assert row[name] == pytest.approx(once[name], rel=1e-6), name
        rows = found.benchmarks.set_index("covariate")
        for name in ("x", "b", "again", "both"):
            assert rows.loc[name, "estimate"].isna().all()
            reason = "says nothing that the other covariates do not"
            assert (rows.loc[name, "reason"] == reason).all()
        assert rows.loc["region", "estimate"].notna().all()


def test_a_covariate_that_does_not_vary_in_the_design_is_left_out_never_the_intercept():
    weights = np.where(FRAME["b"] == 1, 1.0, 0.0)
    level = FRAME["y"] + 500
    made = tf.study(FRAME, covariates=["b", "x"])
    row = tf.sensitivity(plain(made, weights), level, effects_of()).to_frame().iloc[0]
    some = FRAME[FRAME["b"] == 1]
    fit = weighted_fit(some, "y", ["treated", "x"], np.ones(len(some)))
    assert row["regression_estimate"] == pytest.approx(fit.params["treated"])
    alone = tf.study(FRAME, covariates=["b"])
    row = tf.sensitivity(plain(alone, weights), level, effects_of(), yardstick="design")
    found = row.to_frame().iloc[0]
    fit = weighted_fit(some, "y", ["treated"], np.ones(len(some)))
    assert found["regression_estimate"] == pytest.approx(fit.params["treated"])
    assert found["oster_reason"] == "no covariate says anything of its own"
    assert found["benchmark_reason"] == "no covariate is there to measure by"


DEGENERATE = {
    "constant": (FRAME["y"] * 0 + 1.0, "the outcome does not vary"),
    "constant, large": (FRAME["y"] * 0 + 1e9 / 3, "the outcome does not vary"),
    "explained": (FRAME["treated"] * 2.0 + FRAME["x"], "explain the outcome wholly"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_outcomes_of_which_nothing_can_be_said(case):
    values, reason = DEGENERATE[case]
    found = tf.sensitivity(WEIGHTED, values.rename("y"), effects_of())
    row = found.to_frame().iloc[0]
    for name in ("robustness_reason", "oster_reason", "benchmark_reason"):
        assert reason in row[name]
    assert np.isnan(row[["robustness_value", "partial_r2", "oster_delta"]].astype(float)).all()
    assert "not estimable" in found.table().text()


def test_covariates_that_tell_who_was_treated():
    frame = FRAME.assign(x=FRAME["treated"] * 3.0)
    made = plain(tf.study(frame, covariates=["x", "b"]))
    row = tf.sensitivity(made, frame["y"], effects_of()).to_frame().iloc[0]
    assert row["robustness_reason"] == "the covariates tell who was treated"


def test_few_units():
    frame = FRAME.iloc[:6].assign(treated=[1, 0, 1, 0, 1, 0])
    made = plain(tf.study(frame, covariates=["x", "b", "region"]))
    row = tf.sensitivity(made, frame["y"], effects_of()).to_frame().iloc[0]
    assert row["robustness_reason"] == "too few units for the covariates"
    two = FRAME.iloc[:2].assign(treated=[1, 0], b=[0, 1])
    made = plain(tf.study(two, covariates=["x"]))
    pair = Design(made.study, "a pair", "ATT", np.ones(2), made.fate, {}, np.ones(2),
                  sets=np.zeros(2, dtype=int))  # fmt: skip
    row = tf.sensitivity(pair, two["y"], effects_of(estimand="ATT")).to_frame().iloc[0]
    assert (row["pairs"], row["gamma_limit"]) == (1, 1.0)


def test_an_effect_without_an_interval_concludes_nothing():
    unknown = {"std_error": np.nan, "conf_low": np.nan, "conf_high": np.nan}
    ratio = {"relative_low": np.nan, "relative_high": np.nan}
    for name in ("y", "d"):
        found = tf.sensitivity(MATCHED, FRAME[name], effects_of(name, **unknown, **ratio))
        row = found.to_frame().iloc[0]
        assert row["e_value"] > 1
        hidden = ["e_value_interval", "gamma_limit", "robustness_value_interval", "benchmark_low"]
        assert np.isnan(row[hidden].astype(float)).all()
        assert row["robustness_value"] > 0
        assert row["gamma_reason"] == "the effect has no valid interval"
        assert found.bounds.empty
        assert found.benchmarks[["conf_low", "conf_high"]].isna().all(axis=None)
        assert found.table().text()


def test_an_effect_that_cannot_be_estimated_has_no_sensitivity():
    effect = effects_of(estimate=np.nan, std_error=np.nan, conf_low=np.nan, conf_high=np.nan)
    found = tf.sensitivity(MATCHED, FRAME["y"], effect)
    row = found.to_frame().iloc[0]
    names = ["e_value", "gamma_limit", "robustness_value", "oster_beta"]
    assert np.isnan(row[names].astype(float)).all()
    assert row["oster_reason"] == "the effect cannot be estimated"
    assert found.benchmarks.empty
    for shown in (found.table(), found.bounds_table(), found.benchmarks_table()):
        assert shown.html()


def test_groups_are_those_of_the_effects():
    by = FRAME["region"]
    effects = tf.estimate(WEIGHTED, FRAME[["y", "d"]], by=by)
    found = tf.sensitivity(WEIGHTED, FRAME[["y", "d"]], effects, by=by).to_frame()
    assert len(found) == 6
    for region, own in found[found["outcome"] == "y"].set_index("population").iterrows():
        rows = (by == region).to_numpy()
        fit = weighted_fit(FRAME[rows], "y", ["treated", "x", "b"], WEIGHTED.weights[rows])
        assert own["regression_estimate"] == pytest.approx(fit.params["treated"])
    again = tf.sensitivity(WEIGHTED, FRAME[["y", "d"]], by=by).to_frame()
    pd.testing.assert_frame_equal(found, again)
    without = tf.sensitivity(WEIGHTED, FRAME[["y", "d"]], effects).to_frame()
    assert without["robustness_reason"].str.contains("give by").all()
    matched = tf.sensitivity(MATCHED, FRAME["y"], by=by).to_frame()
    assert matched["pairs"].sum() == MATCHED.kept(treated=True)


def test_rows_follow_the_effects_and_keep_their_order():
    effects = tf.estimate(WEIGHTED, FRAME[["y", "d"]])
    turned = effects.select("d").combine(effects.select("y"))
    found = tf.sensitivity(WEIGHTED, FRAME[["y", "d"]], turned)
    assert found.to_frame()["outcome"].tolist() == ["d", "y"]
    plainly = tf.sensitivity(WEIGHTED, FRAME[["y", "d"]]).to_frame()
    both = found.to_frame().set_index("outcome")["robustness_value"]
    assert both["y"] == plainly["robustness_value"][0]


def test_small_numbers_are_hidden_from_readers():
    effect = effects_of(n_treated=9, n_comparison=500)
    found = tf.sensitivity(MATCHED, FRAME["y"], effect)
    for shown in (found.table(), found.bounds_table(), found.benchmarks_table()):
        text = shown.text().splitlines()[3]
        assert "hidden" in text
        assert not any(sign in text for sign in ("0.", "1.", "−"))


def test_the_table_says_what_its_numbers_mean():
    found = tf.sensitivity(MATCHED, FRAME[["y", "d"]])
    text = repr(found)
    for word in ("E-value:", "Gamma:", "Robustness value:", "Delta:", "do not say whether"):
        assert word in text
    assert "text/html" in found._repr_mimebundle_()
    assert found.bounds["gamma"].unique().tolist() == [1.25, 1.5, 2.0, 3.0]
    assert (found.bounds["p_low"] <= found.bounds["p_high"]).all()


WRONG = {
    "no design": (lambda: tf.sensitivity(FRAME, FRAME["y"]), "takes a design"),
    "an unknown setting": (
        lambda: tf.sensitivity(WEIGHTED, FRAME["y"], gama=2),
        "Did you mean gamma",
    ),
    "an unknown benchmark": (
        lambda: tf.sensitivity(WEIGHTED, FRAME["y"], benchmarks="regoin"),
        "Did you mean region",
    ),
    "gamma under 1": (lambda: tf.sensitivity(WEIGHTED, FRAME["y"], gamma=0.5), "at least 1"),
    "gamma of text": (lambda: tf.sensitivity(WEIGHTED, FRAME["y"], gamma="two"), "give numbers"),
    "times of 0": (lambda: tf.sensitivity(WEIGHTED, FRAME["y"], times=0), "above 0"),
    "r_max of 1": (lambda: tf.sensitivity(WEIGHTED, FRAME["y"], r_max=0.9), "above 1"),
    "a yardstick": (
        lambda: tf.sensitivity(WEIGHTED, FRAME["y"], yardstick="befor"),
        "Did you mean before",
    ),
    "another outcome": (
        lambda: tf.sensitivity(WEIGHTED, FRAME["y"], effects_of("z")),
        "not among the outcomes",
    ),
    "another estimand": (
        lambda: tf.sensitivity(WEIGHTED, FRAME["y"], effects_of(estimand="ATE")),
        "estimated with",
    ),
    "no effects": (lambda: tf.sensitivity(WEIGHTED, FRAME["y"], "effects"), "at least one effect"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_gets_one_message(case):
    act, words = WRONG[case]
    with pytest.raises((ParameterError, DataError), match=words) as caught:
        act()
    assert "\n" not in str(caught.value)
