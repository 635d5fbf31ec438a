"""Bounds when trends differ: R's sets, plain programmes, coverage, and what must not matter."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.stats import norm

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.panel.robust_sets import (
    HybridTests,
    RelativeMagnitudes,
    Smoothness,
    Windows,
    folded_quantile,
    least_favourable,
)

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {
    "bc_first": ("bc", [2009], 2012, 2004),
    "bc_mean": ("bc", [2009, 2010, 2011, 2012], 2012, 2004),
    "bc_one": ("bc", [2009], 2009, 2004),
    "ours_partial": ("ours", [2013, 2014, 2015, 2016, 2017, 2018], 2018, 2008),
}


@cache
def study(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    rows = pd.read_csv(GOLDEN / "trend_bounds_data.csv").query("case == @name")
    sigma = rows.filter(regex=r"^v\d").to_numpy()[:, : len(rows)]
    return rows["beta"].to_numpy(), sigma, rows["period"].to_numpy(), int(rows["base"].iloc[0])


@cache
def golden() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "trend_bounds.csv")


def arguments(case: str) -> tuple[tuple, dict]:
    """Return a case as the public verb has it; later periods are weighted 0 as R has them."""
    name, post, last, _ = CASES[case]
    beta, sigma, times, base = study(name)
    some = times <= last
    after = [int(one) for one in times[some] if one > base]
    weights = [1 / len(post) if one in post else 0.0 for one in after]
    return (beta[some], sigma[np.ix_(some, some)]), {
        "times": times[some], "base": base, "pre": times[times < base], "post": after,
        "post_weights": weights,
    }  # fmt: skip


def windows_of(case: str) -> Windows:
    (beta, sigma), named = arguments(case)
    before = len(named["pre"])
    times = np.insert(named["times"], before, named["base"])
    return Windows(beta, sigma, times, before, np.array(named["post_weights"]))


def sets_of(case: str, grid: int = 1000) -> RelativeMagnitudes:
    return RelativeMagnitudes(windows_of(case), 0.95, grid)


def value(case: str, restriction: str, multiple: float, quantity: str) -> float:
    rows = golden().query(
        "case == @case and restriction == @restriction and multiple == @multiple "
        "and quantity == @quantity and pair == 0"
    )
    return float(rows["value"].item())


def pairs(case: str, multiple: float, quantity: str) -> np.ndarray:
    rows = golden().query(
        "case == @case and restriction == 'relative_magnitudes' and multiple == @multiple "
        "and quantity == @quantity and pair > 0"
    )
    return rows.sort_values("pair")["value"].to_numpy()


def grid_of(case: str) -> np.ndarray:
    ends = [value(case, "relative_magnitudes", 0, f"grid_{end}") for end in ("low", "high")]
    return np.linspace(*ends, 401)


# R and other people's numbers.


@pytest.mark.parametrize("multiple", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("case", CASES)
def test_each_test_accepts_what_r_accepts_given_its_critical_value(case, multiple):
    tests = sets_of(case).at(multiple)
    tests = replace(tests, critical=pairs(case, multiple, "critical"))
    accepted = tests.each_accepted(grid_of(case))
    if case == "bc_one":
        # With one period after, R's second stage does not know that the first was passed: it
        # keeps a little more. Ours is the hybrid test as published, as R has it otherwise.
        kept, accepted = accepted, replace(tests, size=-1.0).each_accepted(grid_of(case))
        free = replace(tests, critical=np.full(len(kept), np.inf))
        accepted &= free.each_accepted(grid_of(case))
        assert (accepted >= kept).all()
    np.testing.assert_array_equal(accepted.sum(axis=1), pairs(case, multiple, "accepted"))
    first = np.where(accepted.any(axis=1), accepted.argmax(axis=1) + 1.0, np.nan)
    np.testing.assert_array_equal(first, pairs(case, multiple, "first"))
    kept = grid_of(case)[accepted.any(axis=0)]
    ends = [value(case, "relative_magnitudes", multiple, end) for end in ("low", "high")]
    np.testing.assert_allclose(kept[[0, -1]], ends, rtol=1e-12)


@pytest.mark.parametrize("multiple", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("case", CASES)
def test_sets_are_r_s_to_its_grid(case, multiple):
    ends = sets_of(case).interval(multiple)
    low, high = (value(case, "relative_magnitudes", multiple, end) for end in ("low", "high"))
    # R draws its critical values a thousand times, which moves ends a little.
    slack = np.diff(grid_of(case))[0] + 0.005 * (high - low)
    np.testing.assert_allclose(ends, [low, high], rtol=0, atol=slack)


@pytest.mark.parametrize("case", ["bc_mean", "ours_partial"])
def test_critical_values_are_those_that_r_draws(case):
    sets = sets_of(case)
    rows, _ = sets.vertices(1.0)
    found = least_favourable(rows @ sets.windows.sigma @ rows.transpose(0, 2, 1), 0.05)
    drawn = pairs(case, 1.0, "critical_5")
    # Five thousand draws tell such a quantile to about 0.03 (the density there is near 0.1).
    np.testing.assert_allclose(found, drawn, atol=0.1)
    assert abs((found - drawn).mean()) < 0.035


@pytest.mark.parametrize("case", CASES)
def test_intervals_of_fixed_length_are_r_s(case):
    given, named = arguments(case)
    bends = sorted(
        golden().query("case == @case and restriction == 'smoothness'")["multiple"].unique()
    )
    found = tf.trend_bounds(*given, restriction="smoothness", multiples=bends, **named).frame
    for row in found.itertuples():
        half = value(case, "smoothness", row.multiple, "half")
        # R halves towards the best standard error until it knows it to six digits.
        assert (row.conf_high - row.conf_low) / 2 == pytest.approx(half, rel=1e-6)
        low = value(case, "smoothness", row.multiple, "low")
        assert row.conf_low == pytest.approx(low, abs=1e-4 * half)


@pytest.mark.parametrize(("name", "case"), [("bc", "bc_mean"), ("ours", "ours_partial")])
def test_the_second_voice_agrees(name, case):
    second = pd.read_csv(GOLDEN / "trend_bounds_diff_diff.csv").query("case == @name")
    given, named = arguments(case)
    lows = second.query("quantity == 'low'")
    highs = second.query("quantity == 'high'")["value"].to_numpy()
    found = tf.trend_bounds(*given, restriction="smoothness", multiples=lows["at"], **named).frame
    width = highs - lows["value"].to_numpy()
    np.testing.assert_allclose(found["conf_high"] - found["conf_low"], width, rtol=1e-6)
    np.testing.assert_array_less(np.abs(found["conf_high"] - highs), 1e-4 * width)
    slopes = second.query("quantity == 'slope'")["value"]
    frame = tf.pre_trend(*given, **named).frame
    np.testing.assert_allclose(frame["slope"], slopes, rtol=1e-9)


# What follows from the definition, by plain linear programmes.


def identified(beta, gaps, before, weights, multiple):
    """Return the effects that some violation allows, coefficients known: two programmes a pair."""
    levels = np.insert(np.eye(len(beta)), before, 0.0, axis=0)
    steps = np.diff(levels, axis=0) / gaps[:, None]
    contrast = np.concatenate([np.zeros(before), weights])
    ends = []
    for largest in (*steps[:before], *-steps[:before]):
        own = np.where(np.arange(len(steps)) < before, 1.0, multiple)[:, None] * largest
        within = np.concatenate([steps - own, -steps - own])
        for sign in (1, -1):
            found = linprog(sign * contrast, within, np.zeros(len(within)),
                            np.eye(len(beta))[:before], beta[:before], (None, None))  # fmt: skip
            if found.status == 0:
                ends.append(contrast @ (beta - found.x))
    return min(ends), max(ends)


@pytest.mark.parametrize("case", ["bc_mean", "bc_first", "ours_partial"])
def test_without_noise_the_set_is_the_identified_set(case):
    (beta, sigma), named = arguments(case)
    windows = windows_of(case)
    found = tf.trend_bounds(beta, 1e-16 * sigma, multiples=[0.5, 1, 2], **named).frame
    for row in found.itertuples():
        expected = identified(beta, windows.gaps, windows.before, windows.weights, row.multiple)
        np.testing.assert_allclose([row.conf_low, row.conf_high], expected, atol=1e-6)
        r = [value(case, "relative_magnitudes", row.multiple, f"identified_{end}")
             for end in ("low", "high")]  # fmt: skip
        np.testing.assert_allclose(expected, r, rtol=1e-9)


def test_a_step_over_a_period_without_coefficient_counts_by_its_length():
    (beta, sigma), named = arguments("ours_partial")
    kept = named["times"] != 2012
    named |= {"times": named["times"][kept], "post": named["post"][1:],
              "post_weights": named["post_weights"][1:]}  # fmt: skip
    sigma = sigma[np.ix_(kept, kept)]
    found = tf.trend_bounds(beta[kept], 1e-16 * sigma, multiples=[1], **named)
    gaps = np.array([1.0] * 3 + [2.0] + [1.0] * 5)
    expected = identified(beta[kept], gaps, 3, np.full(6, 1 / 6), 1.0)
    row = found.frame.iloc[0]
    np.testing.assert_allclose([row.conf_low, row.conf_high], expected, atol=1e-6)
    # It is what the period with a coefficient and weight 0 gives, for no such period can help.
    whole = identified(beta, np.ones(10), 3, np.array([0, *[1 / 6] * 6]), 1.0)
    np.testing.assert_allclose(expected, whole, atol=1e-9)


def test_one_period_before_and_one_after_in_closed_form():
    named = {"times": [1, 3], "base": 2, "pre": [1], "post": [3]}
    found = tf.trend_bounds([0.3, 2.0], np.diag([1e-16, 1e-16]), multiples=[0, 0.5, 2], **named)
    np.testing.assert_allclose(found.frame["conf_low"], [2, 1.85, 1.4], atol=1e-6)
    np.testing.assert_allclose(found.frame["conf_high"], [2, 2.15, 2.6], atol=1e-6)
    assert found.breakdown == pytest.approx(2 / 0.3, abs=1e-4)
    # Parallel trends leave the usual interval.
    usual = tf.trend_bounds([0.3, 2.0], np.diag([0.2, 0.5]), multiples=[0], **named).frame.iloc[0]
    half = norm.ppf(0.975) * np.sqrt(0.5)
    np.testing.assert_allclose([usual.conf_low, usual.conf_high], [2 - half, 2 + half], rtol=1e-9)


@pytest.mark.parametrize("case", ["bc_one", "bc_first", "bc_mean", "ours_partial"])
def test_the_largest_vertex_is_the_optimum_of_the_programme(case):
    sets, rng = sets_of(case), np.random.default_rng(3)
    windows, multiple = sets.windows, 0.7
    tests = sets.at(multiple)
    after = windows.steps[windows.before :]
    nuisance = np.linalg.svd(windows.weights[None])[2][1:]  # effects that leave the mean as it is
    unit = windows.weights / (windows.weights @ windows.weights)
    for pair in range(2 * windows.before):
        beta = rng.multivariate_normal(windows.beta, windows.sigma)
        effect = rng.normal(windows.estimate, 3 * windows.std_error)
        largest = np.concatenate(
            [windows.steps[: windows.before], -windows.steps[: windows.before]]
        )
        rows = np.concatenate([after, -after]) - multiple * largest[pair]
        error = np.sqrt(np.einsum("ij,jk,ik->i", rows, windows.sigma, rows))
        value = rows @ beta - rows[:, windows.before :] @ (effect * unit)
        within = -np.column_stack([error, rows[:, windows.before :] @ nuisance.T])
        found = linprog([1, *[0] * len(nuisance)], within, -value, bounds=(None, None))
        vertices = sets.vertices(multiple)[0][pair] @ beta - tests.shift[pair] * effect
        assert vertices.max() == pytest.approx(found.fun, abs=1e-9)


def test_the_largest_bias_is_the_optimum_of_a_programme_and_no_interval_is_shorter():
    windows, rng, bend = windows_of("bc_mean"), np.random.default_rng(4), 0.02
    found = Smoothness(windows, 0.95)
    low, high = found.interval(bend)
    levels = np.insert(np.eye(8), 4, 0.0, axis=0)
    bends = np.diff(levels, n=2, axis=0)

    def half(weights):
        programme = linprog(-weights, np.concatenate([bends, -bends]), np.full(14, bend),
                            bounds=(None, None))  # fmt: skip
        if programme.status != 0:
            return np.inf, np.inf
        error = np.sqrt(weights @ windows.sigma @ weights)
        return folded_quantile(-programme.fun / error, 0.95) * error, -programme.fun

    penalties = np.linspace(0, found.penalty_most, 9)
    for penalty in penalties:
        weights, bias, _ = found.estimator(penalty)
        assert half(weights)[1] == pytest.approx(bend * bias, rel=1e-7)
    # Weights before that keep a straight trend out differ by these.
    free = np.linalg.svd(np.arange(-4, 0)[None].astype(float))[2][1:]
    best = min(half(found.estimator(one)[0])[0] for one in penalties)
    assert (high - low) / 2 <= best + 1e-12
    centre = min(penalties, key=lambda one: half(found.estimator(one)[0])[0])
    for _ in range(100):
        moved = found.estimator(centre)[0].copy()
        moved[:4] += rng.normal(scale=10 ** rng.uniform(-3, 0)) * rng.normal(size=3) @ free
        assert half(moved)[0] >= (high - low) / 2 - 1e-9


# Coverage where the truth is within the restriction.

AWAY = np.array([-3, -2, -1, 1, 2, 3])
DRAWS = 4000
NOISE = 0.3 * (np.eye(6) + 0.5)
VIOLATIONS = {
    "none": np.zeros(6),
    "first": np.array([1.0, 0.2, 0.1, 0.8, 1.6, 2.4]),
    "rising": np.array([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5]),
    "falling": np.array([-0.3, 0.5, 0.3, -0.8, -1.6, -2.4]),
}


@cache
def rate(name: str, multiple: float, weights: tuple[float, ...], times: tuple[int, ...]) -> float:
    """Return the share of draws whose set has the true effect, nought."""
    violation, rng = VIOLATIONS[name], np.random.default_rng(7)
    place = [list(AWAY).index(time) for time in times if time]
    noise = NOISE[np.ix_(place, place)] * 0.1
    axis = np.array(sorted({0, *range(-3, 0)}) + list(range(1, len(place) - 2)))
    windows = Windows(violation[place], noise, axis, 3, np.array(weights))
    sets = RelativeMagnitudes(windows, 0.95, 1000)
    tests = sets.at(multiple)
    rows = sets.vertices(multiple)[0]
    draws = rng.multivariate_normal(windows.beta, noise, DRAWS)
    many = HybridTests(  # each draw's pairs in one
        (draws @ rows.transpose(0, 2, 1)).swapaxes(0, 1).reshape(-1, 4),
        np.tile(tests.shift, (DRAWS, 1)), np.tile(tests.covariance, (DRAWS, 1, 1)),
        np.tile(tests.critical, DRAWS), tests.size,
    )  # fmt: skip
    return float(many.each_accepted(np.zeros(1)).reshape(DRAWS, -1).any(axis=1).mean())


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_within_the_restriction_is_covered(name):
    # The largest steps after are those before: within at 1.
    assert rate(name, 1.0, (0.0, 0.5, 0.5), tuple(AWAY)) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / DRAWS)


def test_a_partly_treated_period_left_out_as_if_it_were_no_step_is_not_covered():
    # As if the second period after followed the base: its violation is two steps, not one.
    assert rate("first", 1.0, (0.5, 0.5), (-3, -2, -1, 2, 3)) < 0.9


@pytest.mark.parametrize("bend", [0.0, 0.05, 0.3])
def test_the_interval_of_fixed_length_covers_as_often_as_it_says(bend):
    windows = Windows(np.zeros(6), NOISE, np.arange(-3, 4), 3, np.array([0.0, 0.5, 0.5]))
    found = Smoothness(windows, 0.95)
    low, high = found.interval(bend)
    rng, bends = (
        np.random.default_rng(5),
        np.diff(np.insert(np.eye(6), 3, 0.0, axis=0), n=2, axis=0),
    )
    penalties = np.linspace(0, found.penalty_most, 400)
    halves = [folded_quantile(bend * bias / error, 0.95) * error
              for _, bias, error in map(found.estimator, penalties)]  # fmt: skip
    weights, _, error = found.estimator(penalties[int(np.argmin(halves))])
    rates = []
    for signs in [*rng.choice([-1, 1], (40, 5)), np.zeros(5)]:
        violation = np.linalg.lstsq(bends, bend * signs, rcond=None)[0] + rng.normal() * AWAY
        bias = weights @ violation  # a straight trend of any slope has none
        rates.append(norm.cdf((high - bias) / error) - norm.cdf((low - bias) / error))
    assert min(rates) > 0.95 - 1e-4
    if bend == 0:
        np.testing.assert_allclose(rates, 0.95, atol=1e-9)


# What must and must not matter.


@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
def test_intervals_widen_with_the_multiple(restriction):
    rng = np.random.default_rng(6)
    for _ in range(3):
        beta = rng.multivariate_normal(VIOLATIONS["rising"], NOISE)
        frame = tf.trend_bounds(
            beta, NOISE, times=AWAY, base=0, pre=AWAY[:3], post=AWAY[3:], grid=200,
            restriction=restriction, multiples=np.linspace(0, 2, 6),
        ).frame  # fmt: skip
        assert (np.diff(frame["conf_high"] - frame["conf_low"]) > 0).all()


@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
def test_scale_shift_sign_and_order_do_not_matter(restriction):
    (beta, sigma), named = arguments("bc_mean")
    many = np.array([0.25, 0.5]) * (1 if restriction == "relative_magnitudes" else 0.04)
    given = {"restriction": restriction, **named}
    usual = tf.trend_bounds(beta, sigma, multiples=many, **given)
    ends = usual.frame[["conf_low", "conf_high"]].to_numpy()
    close = {"rtol": 0, "atol": 1e-7 * usual.std_error}

    unit = 1 if restriction == "relative_magnitudes" else 1000
    larger = tf.trend_bounds(1000 * beta, 1e6 * sigma, multiples=unit * many, **given)
    np.testing.assert_allclose(larger.frame[["conf_low", "conf_high"]] / 1000, ends, **close)
    assert larger.breakdown == pytest.approx(unit * usual.breakdown, rel=1e-4)

    effect = np.where(named["times"] > named["base"], 7.0, 0.0)
    moved = tf.trend_bounds(beta + effect, sigma, multiples=many, **given)
    np.testing.assert_allclose(moved.frame[["conf_low", "conf_high"]] - 7, ends, **close)

    other = tf.trend_bounds(-beta, sigma, multiples=many, **given)
    np.testing.assert_allclose(-other.frame[["conf_high", "conf_low"]], ends, **close)

    # In any order, with the base's own row of noughts among them.
    order = np.array([4, 0, 8, 2, 6, 1, 7, 3, 5])
    whole = np.zeros((9, 9))
    whole[:8, :8] = sigma
    shuffled = tf.trend_bounds(
        pd.Series(np.append(beta, 0.0)[order]), pd.DataFrame(whole[np.ix_(order, order)]),
        multiples=many, **(given | {"times": np.append(named["times"], 2008)[order]}),
    )  # fmt: skip
    np.testing.assert_allclose(shuffled.frame[["conf_low", "conf_high"]], ends, **close)
    if restriction == "smoothness":  # a straight trend on top changes nothing that is covered
        trend = 3.0 * (named["times"] - named["base"])
        steep = tf.trend_bounds(beta + trend, sigma, multiples=many, **given)
        np.testing.assert_allclose(steep.frame[["conf_low", "conf_high"]], ends, atol=1e-9)


def test_periods_without_part_are_left_out_and_said():
    (beta, sigma), named = arguments("ours_partial")
    del named["post_weights"]
    found = tf.trend_bounds(beta, sigma, **(named | {"pre": [2009, 2010], "post": [2013, 2014]}))
    assert found.dropped == (2008, 2015, 2016, 2017, 2018)
    assert found.weights.to_dict() == {2012: 0.0, 2013: 0.5, 2014: 0.5}
    some = [1, 2, 3, 4, 5]
    alone = tf.trend_bounds(
        beta[some], sigma[np.ix_(some, some)], times=named["times"][some], base=2011,
        pre=[2009, 2010], post=[2013, 2014],
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.to_frame(), alone.to_frame())


@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
def test_nought_comes_in_at_the_breakdown(restriction):
    (beta, sigma), named = arguments("bc_mean")
    found = tf.trend_bounds(beta, sigma, restriction=restriction, multiples=[0], **named)
    edge = found.breakdown
    assert 0 < edge < found.searched < np.inf
    around = tf.trend_bounds(
        beta, sigma, restriction=restriction, multiples=[edge * 0.999, edge * 1.001], **named
    )
    assert around.frame["excludes_zero"].tolist() == [True, False]
    at = tf.trend_bounds(beta, sigma, restriction=restriction, multiples=[found.searched], **named)
    assert not at.frame["excludes_zero"].any()
    weak = tf.trend_bounds(beta / 10, sigma, restriction=restriction, **named)
    assert weak.breakdown == 0


def test_without_any_step_before_what_was_searched_is_said():
    found = tf.trend_bounds(
        [0.0, 0.0, 50.0], np.diag([1e-8, 1e-8, 1.0]), times=[1, 2, 4], base=3, pre=[1, 2], post=[4]
    )
    assert found.breakdown == found.searched == 100


# The test of the trend before.


@pytest.mark.parametrize("freedom", [None, 12])
def test_power_and_the_bias_left_are_those_of_many_draws(freedom):
    rng, many = np.random.default_rng(8), 200_000
    named = {"times": AWAY, "base": 0, "pre": AWAY[:3], "post": AWAY[4:], "freedom": freedom}
    frame = tf.pre_trend(np.zeros(6), NOISE, **named).frame
    for row in frame.itertuples():
        draws = rng.multivariate_normal(row.slope * AWAY, NOISE, many)
        scale = rng.chisquare(freedom, many) / freedom if freedom else 1.0
        inner = np.linalg.inv(NOISE[:3, :3])
        statistic = np.einsum("ij,jk,ik->i", draws[:, :3], inner, draws[:, :3]) / scale
        null = rng.multivariate_normal(np.zeros(3), NOISE[:3, :3], many)
        null_statistic = np.einsum("ij,jk,ik->i", null, inner, null) / scale
        critical = np.quantile(null_statistic, 0.95)
        assert (statistic > critical).mean() == pytest.approx(row.power, abs=0.006)
        passed = draws[statistic <= critical][:, 4:].mean(axis=1)
        assert row.bias == pytest.approx(2.5 * row.slope)
        assert passed.mean() == pytest.approx(row.bias_if_passed, abs=5 * passed.std() / 400)
        # What passes is worse than the trend itself: those whose noise hid it before.
        assert row.bias_if_passed > row.bias


def test_the_joint_test_is_statsmodels_own():
    import statsmodels.api as sm

    rng = np.random.default_rng(9)
    design = rng.normal(size=(60, 4))
    fitted = sm.OLS(design @ [0.2, -0.1, 0.3, 1.0] + rng.normal(size=60), design).fit()
    theirs = fitted.wald_test(np.eye(4)[:3], use_f=True, scalar=True)
    named = {"times": [1, 2, 3, 5], "base": 4, "pre": [1, 2, 3]}
    found = tf.pre_trend(fitted.params, fitted.cov_params(), freedom=fitted.df_resid, **named)
    assert found.p_f == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.p_value == found.p_f
    theirs = fitted.wald_test(np.eye(4)[:3], use_f=False, scalar=True)
    assert found.statistic == pytest.approx(theirs.statistic, rel=1e-9)
    assert found.p_chi_square == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.frame[["bias", "bias_if_passed"]].isna().all(axis=None)


# Mistakes.


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"restriction": "smooth"}, ParameterError, "Did you mean smoothness"),
        ({"multiples": [-1]}, ParameterError, "multiples must be numbers of 0 or more"),
        ({"multiples": []}, ParameterError, "at least one"),
        ({"level": 95}, ParameterError, "level must be between 0 and 1"),
        ({"grid": 3}, ParameterError, "grid is how many"),
        ({"pre": [2004, 2009]}, ParameterError, "pre must name periods before the base"),
        ({"pre": []}, ParameterError, "pre must name periods before the base"),
        ({"post": [2013]}, ParameterError, "No coefficient for 2013"),
        ({"post": [2009, 2009]}, ParameterError, "post must name each period once"),
        ({"post": []}, ParameterError, "post must name"),
        ({"post_weights": [1]}, ParameterError, "1 post_weights for 4 periods"),
        ({"post_weights": [0] * 4}, ParameterError, "not all of them 0"),
        ({"times": [2004] * 8}, ParameterError, "each period once"),
        ({"times": [2004]}, DataError, "do not fit"),
        ({"pre": [2004, 2006], "restriction": "smoothness"}, ParameterError, "every period"),
        ({"multiple": 1}, ParameterError, "Did you mean multiples"),
    ],
)
def test_mistakes_are_said(changed, error, words):
    (beta, sigma), named = arguments("bc_mean")
    del named["post_weights"]
    with pytest.raises(error, match=words):
        tf.trend_bounds(beta, sigma, **(named | changed))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda beta, sigma: (np.where(np.arange(8) == 2, np.nan, beta), sigma), "1 of 8 periods"),
        (lambda beta, sigma: (beta, sigma + np.triu(sigma, 1)), "not symmetric"),
        (lambda beta, sigma: (beta, -sigma), "not above 0"),
        (lambda beta, sigma: (beta, 0 * sigma), "not above 0"),
    ],
)
def test_what_is_no_covariance_is_refused(spoil, words):
    (beta, sigma), named = arguments("bc_mean")
    with pytest.raises(DataError, match=words):
        tf.trend_bounds(*spoil(beta, sigma), **named)


def test_a_singular_covariance_before_is_no_test():
    with pytest.raises(DataError, match="singular"):
        tf.pre_trend([1, 1, 2], np.ones((3, 3)), times=[1, 2, 4], base=3, pre=[1, 2], post=[4])
    with pytest.raises(ParameterError, match="freedom"):
        tf.pre_trend([1, 2], np.eye(2), times=[1, 3], base=2, pre=[1], freedom=0)


@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
@pytest.mark.parametrize("loading", [[1, 1, 1, 1, 1], [-3, -2, -1, 1, 2]])
def test_periods_that_move_as_one_are_refused_and_divide_by_nothing(loading, restriction):
    covariance = 0.01 * np.outer(loading, loading)
    with pytest.raises(DataError, match="singular, as with fewer clusters than periods"):
        tf.trend_bounds(
            [0.0, 0.1, 0.2, 1.0, 1.1], covariance, times=[-4, -3, -2, 0, 1], base=-1,
            pre=[-4, -3, -2], post=[0, 1], restriction=restriction,
        )  # fmt: skip
