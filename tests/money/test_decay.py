"""The share of an effect left each year: against integrals by brute force, known shares, rules."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, wishart

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.money.decay_fit import exposures
from tfeval.money.persistence import profile, window_weights

#: Cumulative sums of independent months: the error of twelve months is 1.
WINDOWS = (12, 18, 24)
NAMES = ("offences", "out_of_work", "in_need", "looked_after", "employment", "domestic_abuse")


def covariance(count: int, windows=WINDOWS, together: float = 0.3) -> np.ndarray:
    """Return the covariance of effects, by outcome and then by window."""
    alike = np.full((count, count), together) + (1 - together) * np.eye(count)
    return np.kron(alike, np.minimum.outer(windows, windows) / 12)


def effects(
    values: np.ndarray, joint: np.ndarray, windows=WINDOWS, names=NAMES, **more
) -> tf.Effects:
    """Return effects by outcome and then by window."""
    count = len(values) // len(windows)
    rows = pd.DataFrame(
        {
            "outcome": np.repeat(names[:count], len(windows)), "months": [*windows] * count,
            "estimate": values, "std_error": np.sqrt(np.diag(joint)), **more,
        }
    )  # fmt: skip
    return tf.Effects(rows, joint)


def expected(rates, share: float, windows=WINDOWS) -> np.ndarray:
    """Return effects by their rule, month by month."""
    sums = [sum(share ** (month // 12) for month in range(window)) / 12 for window in windows]
    return np.kron(rates, sums)


# ------------------------------------------------------------------ the posterior


def by_brute_force(values, joint, windows, months, share) -> float:
    """Return the logarithm of the likelihood, rates and their spread integrated over a grid."""
    sums = [sum(1.0 if t < months else share ** (1 + (t - months) // 12) for t in range(window))
            for window in windows]  # fmt: skip
    x = np.kron(np.eye(2), np.array(sums)[:, None])
    precision = np.linalg.inv(joint)
    spread = np.linalg.inv(x.T @ precision @ x)
    best = spread @ x.T @ precision @ values
    nodes, node_weights = np.polynomial.legendre.leggauss(30)
    steps = np.linspace(-8, 8, 81)
    total = 0.0
    for node, weight in zip((nodes + 1) / 2, node_weights / 2, strict=True):
        wide = np.sqrt(node * np.diag(spread))
        first, second = (node * at + steps * width for at, width in zip(best, wide, strict=True))
        rates = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)
        prior = multivariate_normal.pdf(rates, np.zeros(2), node / (1 - node) * spread)
        gap = values - rates @ x.T
        like = np.exp(-np.einsum("abi,ij,abj->ab", gap, precision, gap) / 2)
        total += weight * (prior * like).sum() * np.prod(wide * (steps[1] - steps[0]))
    return math.log(total)


@pytest.mark.parametrize("months", [6, 12])
def test_two_outcomes_over_four_windows_are_as_brute_force_has_them(months):
    windows = (6, 12, 18, 24) if months == 6 else (12, 18, 24, 36)
    joint = covariance(2, windows) * np.outer([1] * 4 + [3] * 4, [1] * 4 + [3] * 4)
    values = np.array([1.5, 3.1, 3.4, 4.4, 2.0, 3.0, 6.5, 5.0])
    found = tf.decay(effects(values, joint, windows), months=months)
    at = np.array([0, 60, 180, 300, 420, 499])
    slowly = [by_brute_force(values, joint, windows, months, share) for share in found.grid[at]]
    quickly = np.log(found.posterior[at] / found.prior[at])
    assert quickly - quickly[0] == pytest.approx(np.array(slowly) - slowly[0], abs=1e-5)
    assert np.ptp(quickly) > 0.5  # there is something to agree on


def test_one_outcome_with_independent_errors_has_a_closed_form():
    first, second, s, t = -2.4, -2.9, 0.8, 0.5
    found = tf.decay(effects(np.array([first, second]), np.diag([s**2, t**2]), (12, 24)))
    log = []
    for p in found.grid:
        squares = 1 / s**2 + (1 + p) ** 2 / t**2
        half = (first / s**2 + second * (1 + p) / t**2) ** 2 / squares / 2
        inner = math.sqrt(math.pi) / 2 * math.erf(math.sqrt(half)) - math.sqrt(half) * math.exp(
            -half
        )
        log.append(half - 1.5 * math.log(half) + math.log(inner))
    by_hand = found.prior * np.exp(np.array(log) - max(log))
    assert found.posterior == pytest.approx(by_hand / by_hand.sum(), rel=1e-6)


def test_a_sharp_decay_known_well_is_found():
    values = expected([4.0, -3.0], 0.37)
    found = tf.decay(effects(values, covariance(2) * 1e-8))
    assert found.mean == pytest.approx(0.37, abs=0.002)
    assert found.interval[1] - found.interval[0] < 0.01
    assert found.p_value > 0.05  # nor is the fit judged at the middle of a part
    assert (found.outcomes["p_value"] > 0.05).all()
    wrong = tf.decay(effects(np.array([4.0, 9.0, 2.0]), covariance(1) * 0.01))
    assert wrong.p_value < 1e-6
    assert "does not fit" in wrong.words()


def test_outcomes_without_an_effect_tell_nothing():
    # A prior under which every rate is as likely would put the mean near 0.3.
    found = tf.decay(effects(np.zeros(18), covariance(6)), persistence=(0.6, 0.1, 0.9))
    assert found.posterior == pytest.approx(found.prior, rel=1e-3)
    assert found.says_little
    assert "say little" in found.words()


def test_names_units_and_the_order_of_rows_have_no_say():
    rng = np.random.default_rng(1)
    joint = covariance(3)
    values = expected([3.0, -2.0, 0.5], 0.4) + rng.multivariate_normal(np.zeros(9), joint)
    own = tf.decay(effects(values, joint))
    scale = np.repeat([1000.0, -0.01, 1.0], 3)
    scaled = effects(values * scale, joint * np.outer(scale, scale), names=("c", "a", "b"))
    assert tf.decay(scaled).posterior == pytest.approx(own.posterior, rel=1e-6)
    order = rng.permutation(9)
    turned = tf.Effects(scaled.frame.iloc[order], scaled.joint[np.ix_(order, order)])
    again = tf.decay(turned)
    assert again.posterior == pytest.approx(own.posterior, rel=1e-6)
    fits = again.outcomes.set_index("outcome")["chi_square"]
    assert fits[["c", "a", "b"]].to_numpy() == pytest.approx(own.outcomes["chi_square"], rel=1e-6)


def test_a_mean_over_the_window_says_what_the_sum_says():
    rng = np.random.default_rng(2)
    joint = covariance(2)
    values = expected([3.0, -2.0], 0.4) + rng.multivariate_normal(np.zeros(6), joint)
    share = 1 / np.r_[WINDOWS, np.ones(3)]
    named = effects(values * share, joint * np.outer(share, share), names=("absence", "offences"))
    own = tf.decay(effects(values, joint)).posterior
    assert tf.decay(named).posterior == pytest.approx(own, rel=1e-6)  # its unit is a share
    other = effects(named.frame["estimate"].to_numpy(), named.joint, names=("level", "offences"))
    assert tf.decay(other, averages="level").posterior == pytest.approx(own, rel=1e-6)
    assert np.abs(tf.decay(other).posterior - own).max() > 1e-4


def test_a_shorter_window_has_no_say_and_is_shown():
    windows = (6, *WINDOWS)
    joint = covariance(1, windows)
    late = tf.decay(effects(np.array([0.0, 6.0, 8.0, 10.0]), joint, windows))
    even = tf.decay(effects(np.array([3.0, 6.0, 8.0, 10.0]), joint, windows))
    assert (late.posterior == even.posterior).all()
    assert late.windows["fitted"].isna().tolist() == [True, False, False, False]
    assert "Windows shorter than 12 months" in late.table().text()


# ------------------------------------------------------------------ calibration over many draws


@pytest.mark.slow(reason="1,200 draws, each fitted whole")
def test_intervals_hold_the_share_drawn_from_the_prior():
    rng = np.random.default_rng(3)
    joint, held, little = covariance(6), 0, 0
    root, given = np.linalg.cholesky(joint), (0.4, 0.0, 1.0)
    for _ in range(1_200):
        half = rng.random() < 0.6  # below 0.4 with probability (1 - 0.4) / 1
        share = rng.uniform(0.0, 0.4) if half else rng.uniform(0.4, 1.0)
        rates = rng.normal(size=6) * [0, 0, 0, 3, 3, 6]
        values = expected(rates, share) + root @ rng.normal(size=18)
        found = tf.decay(effects(values, joint), persistence=given)
        low, high = found.interval
        held += low <= share <= high
        little += found.says_little
    assert 0.935 <= held / 1_200 <= 0.965
    assert little < 900  # intervals are no narrower only where there is little to learn


@pytest.mark.slow(reason="600 draws, each fitted whole")
def test_intervals_hold_where_the_covariance_is_estimated_from_few_clusters():
    rng = np.random.default_rng(4)
    joint, held, freedom = covariance(2), 0, 14
    root = np.linalg.cholesky(joint)
    for _ in range(600):
        share = rng.random()
        values = expected([4.0, -4.0], share) + root @ rng.normal(size=6)
        seen = wishart.rvs(freedom, joint / freedom, random_state=rng)
        low, high = tf.decay(effects(values, seen, freedom=freedom)).interval
        held += low <= share <= high
    assert 0.93 <= held / 600 <= 0.97


def test_the_fit_is_a_chi_square_on_its_degrees_of_freedom():
    rng = np.random.default_rng(5)
    joint = covariance(2)
    root, squares = np.linalg.cholesky(joint), []
    for _ in range(120):
        values = expected([2.0, 0.0], 0.5) + root @ rng.normal(size=6)
        found = tf.decay(effects(values, joint), persistence=0.5)
        squares.append([found.chi_square, *found.outcomes["chi_square"]])
    assert found.freedom == 4
    assert found.outcomes["freedom"].tolist() == [2.0, 2.0]
    error = np.sqrt(2 * np.array([4, 2, 2]) / 120)
    assert (np.abs(np.mean(squares, axis=0) - [4, 2, 2]) < 3.5 * error).all()


# ------------------------------------------------------------------ what an appraisal takes


def test_the_fit_and_the_appraisal_let_effects_run_on_alike():
    shares = np.array([0.0, 0.3, 1.0])
    for place, share in enumerate(shares):
        for months, years in ((12, 4), (18, 3), (6, 2), (24, 5)):
            ours = exposures([12 * years], shares, months)[place, 0] / months
            assert ours == pytest.approx(profile(months, years, 0, share).sum(), rel=1e-12)
            powers = share ** np.arange(years + 1)
            assert ours == pytest.approx((powers @ window_weights(months, years)).sum())


def test_moments_are_those_of_the_draws():
    found = tf.decay(effects(expected([3.0], 0.6), covariance(1)), persistence=(0.3, 0.1, 0.9))
    drawn = found.quantile(np.random.default_rng(6).random(200_000))
    assert drawn.shape == (200_000,)
    powers = drawn[:, None] ** np.arange(4)
    error = powers.std(axis=0) / np.sqrt(200_000)
    assert (np.abs(powers.mean(axis=0) - found.moments(3)) <= 4 * error + 1e-12).all()
    assert 0.1 <= drawn.min() < drawn.max() <= 0.9


def test_what_is_assumed_has_the_share_as_its_mean():
    rng = np.random.default_rng(7)
    found = tf.decay(effects(np.zeros(3), covariance(1)), persistence=(0.3, 0.1, 0.9))
    assert found.assumed[0] == pytest.approx(0.3)
    below = rng.random(200_000) < (0.9 - 0.3) / (0.9 - 0.1)
    drawn = np.where(below, rng.uniform(0.1, 0.3, 200_000), rng.uniform(0.3, 0.9, 200_000))
    assert found.assumed[1:] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.005)


@pytest.mark.parametrize("given", [0.0, 1.0, 0.4, (0.5, 0.5, 0.9), (0.0, 0.0, 1.0)])
def test_a_share_without_a_range_is_not_updated(given):
    found = tf.decay(effects(expected([9.0], 0.7), covariance(1) * 1e-4), persistence=given)
    share = given if isinstance(given, float) else given[0]
    assert found.certain
    assert found.moments(3) == pytest.approx([share**power for power in range(4)], rel=1e-15)
    assert set(found.quantile(np.random.default_rng(8).random(5))) == {share}
    assert "no say" in found.words()
    assert found.outcomes["chi_square"].notna().all()
    found.plot()


# ------------------------------------------------------------------ what cannot be known


def unknown(found: tf.Decay, why: str) -> bool:
    """Say whether the share is as assumed for one reason, and is shown so."""
    assert "as was assumed" in found.words()
    assert found.words() in found.table().text()
    found.plot().png()
    return found.why == why and (found.posterior == found.prior).all()


def test_where_records_cannot_tell_the_share_is_as_assumed():
    given = effects(expected([3.0], 0.6), covariance(1))
    assert unknown(tf.decay(given, months=24), "one_window")
    assert unknown(tf.decay(effects(*[np.full(3, 2.0), np.ones((3, 3))])), "repeated")
    few = effects(expected([3.0], 0.6), covariance(1), freedom=4.0)
    assert unknown(tf.decay(few), "few_clusters")
    none = tf.Effects(given.frame.iloc[:0], np.empty((0, 0)))
    assert unknown(tf.decay(none), "one_window")


def test_outcomes_that_can_have_no_say_are_named():
    joint = covariance(3)
    given = effects(
        expected([3.0, 1.0, 1.0], 0.6), joint, names=("offences", "arrest", "custody"),
        n_treated=200.0, n_comparison=200.0,
        events_treated=[60.0] * 6 + [4.0] * 3, events_comparison=60.0,
        mean_treated=0.5, mean_comparison=0.5,
    )  # fmt: skip
    found = tf.decay(given)
    assert found.left_out == {"arrest": "ever", "custody": "alone"}
    alone = tf.decay(given, outcome="offences")
    assert found.posterior == pytest.approx(alone.posterior)
    text = found.table().text()
    assert "No say: Custody" in text
    assert "No say: Arrest" in text
    no_error = given.joint.copy()
    no_error[1] = no_error[:, 1] = np.nan
    kept = tf.decay(tf.Effects(given.frame, no_error)).windows
    assert kept["months"].tolist() == [12, 24]


def test_what_is_given_is_checked():
    given = effects(expected([3.0], 0.6), covariance(1))
    twice = tf.combine_effects([given, given])
    with pytest.raises(ParameterError, match="several effects over one window"):
        tf.decay(twice)
    with pytest.raises(DataError, match="how many months"):
        tf.decay(tf.Effects(given.frame.assign(months=None), given.joint))
    with pytest.raises(ParameterError, match="averages names no effect"):
        tf.decay(given, averages=["offenses"])
    with pytest.raises(ParameterError, match="Persistence is the share"):
        tf.decay(given, persistence=1.4)
    with pytest.raises(ParameterError, match="months is a whole number"):
        tf.decay(given, months=0)
    assert (
        tf.decay(tf.Effects(given.frame, given.joint, simulated=True))
        .words()
        .startswith("Simulated records: ")
    )
