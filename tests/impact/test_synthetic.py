"""Areas against weighted areas: slow references, regressions, invariance, known truth, flags."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.stats import t as student

import tfeval as tf
from tfeval.impact.panel import two_way_weights as core
from tfeval.impact.panel.panel import drawing_order

SDID, SC, DID = core.KINDS


def drawn(seed=1, *, units=14, treated=2, periods=12, first=9, effect=0.0, spread=1.0):
    """Return a panel with unit and period effects and one factor; the last units are treated."""
    rng = np.random.default_rng(seed)
    load = rng.uniform(0, 2, units)
    factor = np.cumsum(rng.normal(size=periods))
    values = rng.normal(0, 3, (units, 1)) + rng.normal(0, 1, periods) + np.outer(load, factor)
    values = values + rng.normal(0, spread, (units, periods))
    values[units - treated :, first:] += effect
    return made(values, treated)


def made(values, treated, **outcomes):
    """Return values as a panel from 2001 on, the last `treated` units being treated."""
    units, periods = values.shape
    fixed = pd.DataFrame({"pilot": np.arange(units) >= units - treated})
    names = pd.Index([f"area {at:02d}" for at in range(units)])
    times = 2001 + np.arange(periods)
    return tf.Panel(names, times, {"rate": values, **outcomes}, fixed)


def fit(held, kind=SDID, **settings):
    return tf.synthetic("pilot", first=2010, kind=kind, **settings).fit(held, "rate")


# ------------------------------------------------------------------- weights are the optimum


def slow_weights(points, goal, penalty, *, intercept):
    """Weights by a general solver: |A w + c - b|^2 + penalty |w|^2, w on the simplex."""
    size = points.shape[1]

    def loss(at):
        left = points @ at[:size] + (at[size] if intercept else 0) - goal
        return left @ left + penalty * at[:size] @ at[:size]

    def slope(at):
        left = points @ at[:size] + (at[size] if intercept else 0) - goal
        return np.append(
            2 * points.T @ left + 2 * penalty * at[:size], 2 * left.sum() if intercept else 0
        )

    found = minimize(
        loss, np.append(np.full(size, 1 / size), 0.0), jac=slope, method="SLSQP",
        bounds=[(0, 1)] * size + [(None, None)],
        constraints={"type": "eq", "fun": lambda at: at[:size].sum() - 1,
                     "jac": lambda _: np.append(np.ones(size), 0)},
        options={"ftol": 1e-15, "maxiter": 2000},
    )  # fmt: skip
    return found.x[:size], found.fun


@pytest.mark.parametrize("kind", [SDID, SC])
@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_a_general_solver(kind, seed):
    held = drawn(seed, units=9, periods=14)
    found = fit(held, kind)
    values = held.outcome("rate")
    early, late = values[:-2, :9], values[:-2, 9:].mean(axis=1)
    noise = np.diff(early, axis=1).std(ddof=1)
    zeta = noise * (2 * 5) ** 0.25 if kind == SDID else 1e-6 * noise
    goal = values[-2:, :9].mean(axis=0)
    weights, loss = slow_weights(early.T, goal, 9 * zeta**2, intercept=kind == SDID)
    left = early.T @ found.unit_weights.to_numpy() - goal
    left = left - left.mean() * (kind == SDID)
    own = left @ left + 9 * zeta**2 / found.effective_units
    assert own <= loss * (1 + 1e-9)
    assert found.unit_weights.to_numpy() == pytest.approx(weights, abs=1e-5)
    if kind == SDID:
        times, _ = slow_weights(early, late, 7 * (1e-6 * noise) ** 2, intercept=True)
        assert found.time_weights.to_numpy() == pytest.approx(times, abs=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 1e-9, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (12, 12)])
def test_weights_meet_the_conditions_of_an_optimum(penalty, shape):
    rng = np.random.default_rng(int(penalty * 10) + shape[0])
    points = rng.normal(size=(40, *shape)) + rng.normal(size=(40, shape[0], 1))
    counts = rng.integers(0, 3, (40, shape[1])).astype(float)
    weights = core.simplex_weights(points, penalty, counts)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all() and (weights[counts == 0] == 0).all()
    # Half the slope of the loss, by copy: the same wherever there is weight, no lower elsewhere.
    copies = np.where(counts > 0, weights / np.where(counts > 0, counts, 1), 0)
    slope = np.einsum("smn,sm->sn", points, np.einsum("smn,sn->sm", points, weights))
    slope += penalty * copies
    level = (slope * weights).sum(axis=1, keepdims=True)
    scale = (points**2).sum(axis=1).mean()
    assert (slope - level)[counts > 0].min() > -1e-10 * scale
    assert np.abs((slope - level)[weights > 0]).max() < 1e-10 * scale


def test_repeated_points_are_as_if_written_out():
    rng = np.random.default_rng(5)
    points, counts = rng.normal(size=(1, 5, 6)) + 1, np.array([[1.0, 0, 3, 2, 1, 1]])
    for penalty in (1e-6, 0.5):
        whole = np.repeat(points, counts[0].astype(int), axis=2)
        apart = core.simplex_weights(whole, penalty, np.ones((1, 8)))[0]
        owners = np.repeat(np.arange(6), counts[0].astype(int))
        together = core.simplex_weights(points, penalty, counts)[0]
        assert together == pytest.approx(np.bincount(owners, apart, minlength=6), abs=1e-9)


def test_a_unit_that_is_the_treated_takes_all_weight_and_same_units_share_it():
    values = drawn(2).outcome("rate").copy()
    values[3] = values[-2:].mean(axis=0)
    assert fit(made(values, 2), SC).unit_weights.iloc[3] == pytest.approx(1, abs=1e-6)
    values[5] = values[3]
    shared = fit(made(values, 2), SC).unit_weights
    assert shared.iloc[[3, 5]].to_numpy() == pytest.approx([0.5, 0.5], abs=1e-6)


# ------------------------------------------------------------------- estimates are regressions


def two_way_regression(held, weights=None):
    values = held.outcome("rate")
    units, periods = values.shape
    pilot = held.column("pilot")
    unit, time = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    on = (pilot[unit] & (held.times[time] >= 2010)).astype(float)
    dummies = [on, *(unit == at for at in range(units)), *(time == at for at in range(1, periods))]
    design = np.column_stack(dummies).astype(float)
    weights = np.ones(len(on)) if weights is None else weights.ravel()
    return sm.WLS(values.ravel(), design, weights=weights).fit().params[0]


def test_difference_in_differences_is_the_two_way_regression():
    held = drawn(3, effect=1.0)
    assert fit(held, DID).estimate == pytest.approx(two_way_regression(held), abs=1e-10)


@pytest.mark.filterwarnings("ignore:The design matrix")  # units without weight say nothing
def test_synthetic_difference_in_differences_is_the_weighted_two_way_regression():
    held = drawn(3, effect=1.0)
    found = fit(held)
    unit = np.append(found.unit_weights, [0.5, 0.5])
    time = np.append(found.time_weights, np.full(3, 1 / 3))
    assert found.estimate == pytest.approx(two_way_regression(held, np.outer(unit, time)), abs=1e-9)


@pytest.mark.parametrize("kind", core.KINDS)
def test_the_path_averages_to_the_estimate(kind):
    held = drawn(4)
    found = fit(held, kind)
    late = found.path["time"] >= 2010
    assert found.path["gap"][late].mean() == pytest.approx(found.estimate, abs=1e-12)
    assert found.path["gap"].to_numpy() == pytest.approx(
        found.path["treated"] - found.path["synthetic"], abs=1e-12
    )
    weighted = found.path["gap"] * found.path["weight"]
    assert weighted[~late].sum() == pytest.approx(0, abs=1e-10)
    if kind == SC:  # in levels: what is drawn is the weighted units themselves
        drawn_path = found.unit_weights.to_numpy() @ held.outcome("rate")[:-2]
        assert found.path["synthetic"].to_numpy() == pytest.approx(drawn_path, abs=1e-12)


# ------------------------------------------------------------------- invariance


@pytest.mark.parametrize("kind", core.KINDS)
def test_order_and_names_of_units_change_nothing(kind):
    held = drawn(5)
    order = np.random.default_rng(1).permutation(len(held.units))
    moved = held.take(order)
    named = tf.Panel(pd.Index(range(14)), held.times, held.outcomes, held.fixed)
    one = fit(held, kind)
    for other in (fit(moved, kind), fit(named, kind)):
        assert other.estimate == pytest.approx(one.estimate, abs=1e-8)
        assert other.std_error == pytest.approx(one.std_error, rel=1e-7)
    assert fit(moved, kind).unit_weights[one.unit_weights.index].to_numpy() == pytest.approx(
        one.unit_weights.to_numpy(), abs=1e-7
    )


@pytest.mark.parametrize("errors", ["placebo", "bootstrap"])
def test_draws_among_units_hang_on_no_name(errors):
    held = drawn(5, units=24, treated=4)
    moved = held.take(np.random.default_rng(1).permutation(24))
    other = tf.Panel(held.units, held.times, {"rate": 5 - 3 * moved.outcome("rate")}, moved.fixed)
    one, same = (fit(panel, DID, errors=errors, draws=50) for panel in (held, other))
    assert same.std_error == pytest.approx(3 * one.std_error, rel=1e-9)


@pytest.mark.parametrize("kind", core.KINDS)
def test_scale_and_shift_of_the_outcome_carry_over(kind):
    held = drawn(5)
    one, other = fit(held, kind), fit(made(7 - 100 * held.outcome("rate"), 2), kind)
    assert other.estimate == pytest.approx(-100 * one.estimate, rel=1e-6)
    assert other.std_error == pytest.approx(100 * one.std_error, rel=1e-6)
    assert other.unit_weights.to_numpy() == pytest.approx(one.unit_weights.to_numpy(), abs=1e-6)


@pytest.mark.parametrize("kind", core.KINDS)
def test_unit_effects_change_only_a_synthetic_control(kind):
    held = drawn(6)
    more = np.random.default_rng(2).normal(0, 5, (14, 1))
    other = fit(made(held.outcome("rate") + more, 2), kind).estimate
    one = fit(held, kind).estimate
    assert (abs(other - one) < 1e-7) == (kind != SC)


@pytest.mark.parametrize("kind", core.KINDS)
def test_period_effects_change_nothing_given_the_noise(kind):
    held = drawn(6)
    more = np.random.default_rng(2).normal(0, 5, 12)
    shifted = made(held.outcome("rate") + more, 2)
    one, other = fit(held, kind, noise=1.3), fit(shifted, kind, noise=1.3)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-6)
    assert other.std_error == pytest.approx(one.std_error, rel=1e-5)
    # The noise of the paper is about one mean change: a line changes nothing, other effects do.
    line = made(held.outcome("rate") + 2.0 * np.arange(12), 2)
    assert fit(line, kind).estimate == pytest.approx(fit(held, kind).estimate, abs=1e-6)
    assert (abs(fit(shifted, kind).estimate - one.estimate) > 1e-4) == (kind == SDID)


# ------------------------------------------------------------------- errors, by slow loops


def rebuilt(held, units, pilot, kind, **settings):
    """Fit by the public call on units written out, however often."""
    values = held.outcome("rate")[units]
    fixed = pd.DataFrame({"pilot": pilot})
    again = tf.Panel(pd.Index(range(len(units))), held.times, {"rate": values}, fixed)
    return fit(again, kind, **settings)


def noise_for(held, kind, count=2):
    """Return the noise with which a fit on `count` treated has the penalty of the whole one's."""
    noise = np.diff(held.outcome("rate")[:-2, :9], axis=1).std(ddof=1)
    return noise * (2 / count) ** 0.25 if kind == SDID else noise


@pytest.mark.parametrize("kind", core.KINDS)
def test_placebos_are_fits_with_others_in_place_of_the_treated(kind):
    held = drawn(7, units=8)
    found = fit(held, kind)
    noise = noise_for(held, kind)
    slow = []
    for pair in combinations(range(6), 2):
        units = [at for at in range(6) if at not in pair] + list(pair)
        slow.append(rebuilt(held, units, [False] * 4 + [True] * 2, kind, noise=noise).estimate)
    assert found.sets.tolist() == [list(pair) for pair in combinations(range(6), 2)]
    assert found.drawn.effect == pytest.approx(slow, abs=1e-6)
    assert found.std_error == pytest.approx(np.std(slow), rel=1e-6)
    over = found.estimate / found.std_error
    assert found.p_value == pytest.approx(2 * student.sf(abs(over), 5), rel=1e-9)
    reach = student.ppf(0.975, 5) * found.std_error
    assert found.conf_high - found.estimate == pytest.approx(reach, rel=1e-9)
    turn = found.placebos
    for at in range(6):
        units = [other for other in range(6) if other != at] + [at]
        one = rebuilt(held, units, [False] * 5 + [True], kind, noise=noise)
        gap = one.path["gap"].to_numpy()
        early = gap[:9] - (gap[:9].mean() if kind != SC else 0)
        ratio = np.sqrt((gap[9:] ** 2).mean() / (early**2).mean())
        assert turn.iloc[at + 1][["estimate", "ratio"]].to_numpy(dtype=float) == pytest.approx(
            [one.estimate, ratio], rel=1e-5
        )
    assert turn["p_value"].iloc[0] == pytest.approx((turn["ratio"] >= turn["ratio"].iloc[0]).mean())


@pytest.mark.parametrize("kind", [SDID, DID])
def test_the_jackknife_leaves_each_unit_out_and_holds_weights(kind):
    held = drawn(8, units=8, treated=3)
    found = fit(held, kind, errors="jackknife")
    weights, times = found.unit_weights.to_numpy(), found.time_weights.to_numpy()
    values, slow = held.outcome("rate"), []
    for out in range(8):
        own = np.delete(weights, out) / np.delete(weights, out).sum() if out < 5 else weights
        rest = np.delete(values, out, axis=0)
        gap = rest[len(own) :].mean(axis=0) - own @ rest[: len(own)]
        slow.append(gap[9:].mean() - times @ gap[:9])
    assert found.jackknife == pytest.approx(slow, abs=1e-10)
    assert found.std_error == pytest.approx(np.sqrt(7 * np.var(slow)), rel=1e-10)
    assert np.sum(found.influence**2) * 8 / 7 == pytest.approx(found.std_error**2, rel=1e-10)


@pytest.mark.parametrize("kind", core.KINDS)
def test_the_bootstrap_fits_units_written_out(kind):
    held = drawn(9, units=8)
    found = fit(held, kind, errors="bootstrap", draws=20)
    rng, slow = np.random.default_rng(1), []
    place = np.argsort(drawing_order(held.outcome("rate")))
    while len(slow) < 20:
        counts = rng.multinomial(8, np.full(8, 1 / 8))[place]
        if not 0 < counts[:6].sum() < 8:
            continue
        units = np.repeat(np.arange(8), counts)
        noise = noise_for(held, kind, counts[6:].sum())
        slow.append(rebuilt(held, units, units >= 6, kind, noise=noise).estimate)
    assert found.bootstrap == pytest.approx(slow, abs=1e-5)
    assert found.std_error == pytest.approx(np.std(slow), rel=1e-5)


def test_permutations_rank_the_estimate_and_their_interval_is_what_they_do_not_refuse():
    held = drawn(10, units=10, effect=2.0)
    found = fit(held, errors="permutation", level=0.8)
    sizes = np.abs(found.drawn.effect)
    assert len(sizes) == 28
    assert found.p_value == pytest.approx((1 + (sizes >= abs(found.estimate)).sum()) / 29)
    values = held.outcome("rate")

    def p_of(effect):
        shifted = values.copy()
        shifted[-2:, 9:] -= effect
        return fit(made(shifted, 2), errors="permutation", level=0.8).p_value

    assert found.conf_low < found.estimate < found.conf_high
    for end, inwards in ((found.conf_low, 1), (found.conf_high, -1)):
        assert p_of(end + inwards * 1e-6) > 0.2
        assert p_of(end - inwards * 1e-6) <= 0.2


def test_sets_at_random_have_each_unit_as_often():
    found = fit(drawn(11, units=32), draws=400)
    assert found.sets.shape == (400, 2)
    assert (found.sets[:, 0] != found.sets[:, 1]).all()
    often = np.bincount(found.sets.ravel(), minlength=28)
    assert ((often - 800 / 30) ** 2 / (800 / 30)).sum() < 60  # chi-squared, 29 degrees


# ------------------------------------------------------------------- known truth


def worlds(count, *, effect=1.0):
    """Return panels in which who has more of a factor that grows is treated."""
    rng = np.random.default_rng(20)
    for _ in range(count):
        load = np.append(rng.uniform(0, 2, 30), rng.uniform(0.9, 1.7, 3))
        factor = np.cumsum(rng.normal(0.3, 0.5, 25))
        values = rng.normal(0, 0.3, (33, 1)) + np.outer(load, factor)
        values = values + rng.normal(0, 0.5, (33, 25))
        values[30:, 20:] += effect
        yield made(values, 3)


def test_synthetic_comparisons_find_a_known_effect_where_parallel_trends_fail():
    count, kinds = 100, (DID, SDID, SC)
    effect, inside = np.empty((count, 3)), np.empty((count, 3), dtype=bool)
    for world, held in enumerate(worlds(count)):
        for place, kind in enumerate(kinds):
            one = tf.synthetic("pilot", first=2021, kind=kind, draws=40).fit(held, "rate")
            effect[world, place] = one.estimate
            inside[world, place] = kind == DID or one.conf_low < 1.0 < one.conf_high
    bias, error = effect.mean(axis=0) - 1, effect.std(axis=0) / np.sqrt(count)
    assert bias[0] > 8 * error[0]
    assert (np.abs(bias[1:]) < 0.15 * bias[0]).all()
    assert (inside.mean(axis=0)[1:] > 0.88).all()  # 94% and 92% over 300 worlds


def test_placebo_intervals_hold_at_their_level_where_trends_are_parallel():
    rng, inside, ranks = np.random.default_rng(30), [], []
    for _ in range(150):
        held = made(rng.normal(size=(20, 1)) + rng.normal(size=(20, 8)), 1)
        one = tf.synthetic("pilot", first=2006, kind=DID).fit(held, "rate")
        inside.append(one.conf_low < 0 < one.conf_high)
        ranks.append(
            tf.synthetic("pilot", first=2006, kind=DID, errors="permutation")
            .fit(held, "rate")
            .p_value
        )
    assert 0.92 < np.mean(inside) < 0.98
    assert np.mean(np.array(ranks) <= 0.2) == pytest.approx(0.2, abs=0.08)


# ------------------------------------------------------------------- what bears on it


def test_treated_units_outside_what_weights_can_reach_are_flagged():
    held = drawn(12, units=30)
    inside = tf.synthetic("pilot", first=2010).diagnostic(held)
    assert not inside["poor_fit"].any()
    values = held.outcome("rate").copy()
    values[-2:] += 6 * np.sin(np.arange(12))  # a cycle that no comparison unit has
    outside = tf.synthetic("pilot", first=2010).diagnostic(made(values, 2))
    assert outside["poor_fit"].all() and outside["fit_ratio"].iloc[0] > 2
    above = made(held.outcome("rate") + 40.0 * held.column("pilot")[:, None], 2)
    assert fit(above, SC).diagnostic()["poor_fit"].all()
    assert not fit(above, SDID).diagnostic()["poor_fit"].any()  # a level is allowed for


def test_one_unit_that_carries_the_comparison_is_flagged_and_its_loss_is_in_the_range():
    values = drawn(13).outcome("rate").copy()
    values[0] = values[-2:].mean(axis=0)
    values[0, 9:] -= 5  # and it alone says that there was an effect
    found = fit(made(values, 2), SC)
    row = found.diagnostic().iloc[0]
    assert row["one_unit"] and row["largest_weight"] > 0.99
    assert row["effective_units"] == pytest.approx(1, abs=1e-3)
    without = fit(made(values[1:], 2), SC).estimate
    assert min(abs(row["without_low"] - without), abs(row["without_high"] - without)) < 1e-5


# ------------------------------------------------------------------- staggered, covariates


def staggered(seed=14):
    held = drawn(seed, units=12, treated=5, effect=1.0)
    first = np.full(12, np.nan)
    first[7:] = [2010, 2010, 2010, 2008, 2008]
    return tf.Panel(held.units, held.times, held.outcomes, held.fixed.assign(first=first))


@pytest.mark.parametrize("kind", core.KINDS)
def test_staggered_effects_average_over_treated_cells(kind):
    held = staggered()
    design = tf.synthetic("pilot", first="first", kind=kind, draws=30)
    found = design.fit(held, "rate")
    starts = held.column("first")
    parts = {}
    for start in (2008, 2010):
        kept = np.isnan(starts) | (starts == start)
        parts[start] = tf.synthetic("pilot", first=start, kind=kind).fit(held.take(kept), "rate")
    cells = {2008: 2 * 5, 2010: 3 * 3}
    mean = sum(cells[start] * parts[start].estimate for start in cells) / 19
    assert found.first == (2008, 2010)
    assert found.estimate == pytest.approx(mean, abs=1e-9)
    assert found.unit_weights.sum() == pytest.approx(1)
    assert found.units[7:].tolist() == ["area 10", "area 11", "area 07", "area 08", "area 09"]
    # A placebo set stands as the treated do: its first two from 2008, the others from 2010.
    one = found.sets[0]
    rest = [at for at in range(7) if at not in one]
    slow = 0.0
    for start, own in ((2008, one[:2]), (2010, one[2:])):
        values = held.outcome("rate")[[*rest, *own]]
        noise = parts[start].blocks[0].noise
        part = tf.synthetic("pilot", first=start, kind=kind, noise=noise)
        slow += cells[start] * part.fit(made(values, len(own)), "rate").estimate / 19
    assert found.drawn.effect[0] == pytest.approx(slow, abs=1e-6)


def test_staggered_jackknife_and_bootstrap_count_the_cells_that_are_left():
    held = staggered()
    found = tf.synthetic("pilot", first="first", errors="jackknife").fit(held, "rate")
    # Units are in the order of the first treated period: the eighth is one of two from 2008.
    early, late = found.blocks
    times = [one.times[0] for one in found.solved]
    units = [one.units[0] for one in found.solved]
    gap = [block.treated - weights @ block.comparison
           for block, weights in zip((early, late), units, strict=True)]  # fmt: skip
    early_gap, late_gap = gap[0][1], gap[1].mean(axis=0)
    slow = (5 * (early_gap[7:].mean() - times[0] @ early_gap[:7])
            + 9 * (late_gap[9:].mean() - times[1] @ late_gap[:9])) / 14  # fmt: skip
    assert found.jackknife[7] == pytest.approx(slow, abs=1e-10)
    counts = np.ones((1, 12))
    assert core.resampled(found.blocks, counts)[0] == pytest.approx(found.estimate, abs=1e-9)
    counts[0, 7:9] = 0  # nobody from 2008 was drawn
    assert core.resampled(found.blocks, counts)[0] == pytest.approx(
        found.solved[1].effect[0], abs=1e-9
    )


def test_a_covariate_that_explains_the_difference_is_taken_off():
    rng = np.random.default_rng(15)
    held = drawn(15, units=40, effect=1.0, spread=0.1)
    extra = rng.normal(size=(40, 12))
    extra[-2:, 9:] += 3
    moved = made(held.outcome("rate") + 2.0 * extra, 2, extra=extra)
    plain = fit(moved, DID).estimate
    without = fit(moved, DID, covariates=["extra"])
    assert without.slopes["extra"] == pytest.approx(2.0, abs=0.1)
    assert without.estimate == pytest.approx(fit(held, DID).estimate, abs=0.4)
    assert plain - without.estimate == pytest.approx(6.0, abs=1.5)


# ------------------------------------------------------------------- the seam, and refusals


def test_estimate_keeps_its_errors_and_they_go_together():
    held = drawn(16, units=30, treated=4, effect=2.0)
    twice = made(held.outcome("rate"), 4, double=2 * held.outcome("rate"))
    for errors in ("placebo", "jackknife", "permutation"):
        design = tf.synthetic("pilot", first=2010, errors=errors)
        assert isinstance(design, tf.AnyDesign)
        effects = tf.estimate(design, twice)
        one = design.fit(twice, "rate")
        row = effects.to_frame().set_index("outcome").loc["rate"]
        for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "errors"):
            assert row[name] == getattr(one, name)
        assert row["mean_treated"] - row["mean_comparison"] == pytest.approx(one.estimate)
        assert effects.correlation()[0, 1] == pytest.approx(1, abs=1e-6)
        assert np.sqrt(np.diag(effects.joint)) == pytest.approx(effects.frame["std_error"])
    corrected = effects.with_corrections("holm").to_frame()
    assert (corrected["p_adjusted"] >= corrected["p_value"]).all()
    assert "synthetic difference-in-differences" in effects.table().text()


def test_one_treated_unit_goes_together_by_the_placebos():
    held = drawn(17, units=20, treated=1)
    both = made(held.outcome("rate"), 1, other=drawn(18, units=20, treated=1).outcome("rate"))
    design = tf.synthetic("pilot", first=2010)
    effects = tf.estimate(design, both)
    fits = [design.fit(both, name).drawn.effect for name in ("rate", "other")]
    assert effects.correlation()[0, 1] == pytest.approx(np.corrcoef(fits)[0, 1], abs=1e-9)


def test_nations_are_too_few_for_an_interval_and_it_says_so_by_having_none():
    rng = np.random.default_rng(19)
    index = 100 * np.exp(np.cumsum(rng.normal(-0.02, 0.01, (4, 12)), axis=1))
    index = 100 * index / index[:, :1]
    names = pd.Index(["Northern Ireland", "Scotland", "Wales", "England"])
    fixed = pd.DataFrame({"pilot": [False, False, False, True]})
    held = tf.Panel(names, 2004 + np.arange(12), {"rate": index}, fixed, simulated=True)
    design = tf.synthetic("pilot", first=2012, errors="permutation")
    found = design.fit(held, "rate")
    assert found.p_value >= 1 / 4
    assert np.isnan(found.conf_low) and np.isnan(found.conf_high)
    assert found.path["treated"].tolist() == pytest.approx(index[3].tolist())
    assert found.path["synthetic"].between(index[:3].min() - 10, 110).all()
    assert tf.estimate(design, held).simulated


def test_the_chart_draws_the_path_and_says_what_it_shows():
    held = drawn(19, effect=3.0)
    found = fit(tf.Panel(held.units, held.times, held.outcomes, held.fixed, simulated=True))
    chart = found.plot()
    assert chart.data["Treated"].tolist() == found.path["treated"].tolist()
    assert chart.data["Weighted comparison"].to_numpy() == pytest.approx(found.path["synthetic"])
    assert chart.title.startswith("Simulated records: Rate") and " above " in chart.alt
    assert "synthetic difference-in-differences" in repr(found)
    both = tf.synthetic("pilot", first="first").fit(staggered(), "rate")
    gap = both.plot().data
    shares = np.repeat([10 / 19, 9 / 19], 12)
    mean = (both.path["treated"] * shares).groupby(both.path["time"]).sum()
    assert gap["Treated"].to_numpy() == pytest.approx(mean.to_numpy())


def test_outcomes_that_do_not_vary_have_no_error():
    flat = made(np.repeat(np.arange(14.0)[:, None], 12, axis=1), 2)
    row = tf.estimate(tf.synthetic("pilot", first=2010), flat).to_frame().iloc[0]
    assert row["status"] == "no_variation"
    assert row["estimate"] == pytest.approx(0, abs=1e-12) and np.isnan(row["p_value"])


def test_missing_cells_are_refused_or_their_units_counted():
    values = drawn(20).outcome("rate").copy()
    values[2, 4] = np.nan
    held = made(values, 2)
    with pytest.raises(tf.DataError, match="1 of 14 units have missing cells of rate"):
        fit(held)
    found = fit(held, missing="drop")
    assert found.dropped == 1 and "area 02" not in found.unit_weights.index
    assert found.estimate == pytest.approx(fit(made(np.delete(values, 2, axis=0), 2)).estimate)
    row = tf.estimate(tf.synthetic("pilot", first=2010, missing="drop"), held).to_frame().iloc[0]
    assert row["n_missing"] == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kind": "synthetic"}, "kind 'synthetic' is not offered"),
        ({"errors": "robust"}, "errors 'robust' is not offered"),
        ({"errors": "jackknife", "kind": SC}, "not valid for a synthetic control"),
        ({"draws": 3}, "at least 20"),
        ({"level": 95}, "level"),
        ({"noise": 0.0}, "above 0"),
        ({"first": 2010.5}, "whole number"),
        ({"missing": "fill"}, "not offered"),
        ({"treatment": "pilot"}, "has no setting treatment"),
    ],
)
def test_settings_that_do_not_fit_are_refused(asked, message):
    with pytest.raises(tf.ParameterError, match=message):
        tf.synthetic("pilot", **{"first": 2010, **asked})


@pytest.mark.parametrize(
    ("make", "asked", "fault", "message"),
    [
        (drawn, {"first": 2002}, tf.DataError, "1 periods before"),
        (drawn, {"first": 2020}, tf.DataError, "0 after"),
        (drawn, {"first": "pilot_from"}, tf.ParameterError, "not fixed by unit"),
        (lambda: made(np.ones((3, 12)), 3), {}, tf.DataError, "0 comparison and 3 treated"),
        (lambda: drawn(treated=8), {}, tf.ParameterError, "more comparison units than the 8"),
        (lambda: drawn(treated=1), {"errors": "jackknife"}, tf.ParameterError, "two treated"),
        (lambda: drawn(treated=1), {"errors": "bootstrap"}, tf.ParameterError, "two treated"),
    ],
)
def test_panels_that_cannot_be_compared_are_refused_in_one_line(make, asked, fault, message):
    with pytest.raises(fault, match=message) as caught:
        tf.estimate(tf.synthetic("pilot", **{"first": 2010, **asked}), make())
    assert "\n" not in str(caught.value)


def test_first_periods_must_go_with_the_treated():
    held = drawn(21)
    held = tf.Panel(held.units, held.times, held.outcomes, held.fixed.assign(start=2010.0))
    with pytest.raises(tf.DataError, match="12 units have a first treated period"):
        tf.synthetic("pilot", first="start").fit(held, "rate")
    own = tf.synthetic("pilot", first=2010, level=0.9)
    assert tf.estimate(own, held).level == 0.9
    with pytest.raises(tf.ParameterError, match=r"give estimate level=0\.9"):
        tf.estimate(own, held, level=0.8)
    with pytest.raises(tf.ParameterError, match="give diagnostic a panel"):
        tf.synthetic("pilot", first=2010).diagnostic()
