"""Optimal, full, coarsened, subclass, kernel and Mahalanobis: R, brute force, plain references."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.impact.golden import COVARIATES, data, numbers, pairs, weights
from tests.impact.mahalanobis import mahalanobis_pairs
from tfeval.errors import DataError, ParameterError
from tfeval.impact.balance.rows import weights_from_sets
from tfeval.impact.matching import boxes, kernel
from tfeval.impact.matching.coarsened import coarsened_sets, subclass_sets
from tfeval.impact.matching.kernel import KERNELS, kernel_weights
from tfeval.impact.matching.matched import whitened
from tfeval.impact.matching.optimal import full_sets, optimal_pairs
from tfeval.impact.study.study import study


def theirs(case: str) -> pd.DataFrame:
    """Return R's weights and distances in order of the data."""
    return weights(case.split("_", maxsplit=1)[0])[case]


def number(case: str, quantity: str) -> float:
    return numbers(case.split("_", maxsplit=1)[0])[case][quantity]


def arms(case: str) -> np.ndarray:
    return data(case.split("_", maxsplit=1)[0])["treat"].to_numpy() == 1


def numbers_of(name: str) -> np.ndarray:
    return pd.get_dummies(data(name)[COVARIATES[name]], drop_first=True).to_numpy(dtype=float)


def total_of(sets: np.ndarray, score: np.ndarray, treated: np.ndarray) -> float:
    return sum(
        np.abs(score[(sets == code) & treated][:, None] - score[(sets == code) & ~treated]).sum()
        for code in range(sets.max() + 1)
    )


# ------------------------------------------------------------------ against R


@pytest.mark.parametrize(
    ("case", "ratio", "quantity"),
    [
        ("lalonde_optimal_1to1_tight", 1, "sum_abs_pair_distance"),
        ("clustered_optimal_tight", 1, "sum_pair_distance"),
        ("clustered_optimal_ratio2_tight", 2, "sum_pair_distance"),
    ],
)
def test_optimal_pairs_have_the_total_and_the_units_of_optmatch(case, ratio, quantity):
    rows, treated = theirs(case), arms(case)
    score = rows["distance"].to_numpy()
    own, matches = optimal_pairs(score, treated, ratio=ratio)
    assert np.abs(score[own] - score[matches]).sum() == pytest.approx(
        number(case, quantity), abs=1e-8
    )
    assert (np.bincount(own, minlength=len(score))[treated] == ratio).all()
    assert set(matches) == set(np.flatnonzero(~treated & (rows["weight"].to_numpy() > 0)))


@pytest.mark.parametrize(
    ("case", "quantity"),
    [
        ("lalonde_full_optmatch_tight", "sum_abs_pair_distance"),
        ("clustered_full_tight", "sum_pair_distance"),
        ("clustered_full_exact_region_tight", "sum_pair_distance"),
        ("clustered_full_discard_both_tight", "sum_pair_distance"),
        ("clustered_full_sw_tight", "sum_pair_distance"),
        ("clustered_full_ate_tight", "sum_pair_distance"),
    ],
)
def test_full_matching_has_the_total_and_the_number_of_sets_of_optmatch(case, quantity):
    treated, score = arms(case), theirs(case)["distance"].to_numpy()
    strata = data("clustered")["region"].to_numpy() if "region" in case else None
    inside = np.ones(len(score), dtype=bool)
    if "discard" in case:
        low = max(score[treated].min(), score[~treated].min())
        high = min(score[treated].max(), score[~treated].max())
        inside = (score >= low) & (score <= high)
    sets = np.full(len(score), -1)
    sets[inside] = full_sets(score[inside], treated[inside], strata)
    assert total_of(sets, score, treated) == pytest.approx(number(case, quantity), abs=1e-8)
    assert sets.max() + 1 == number(case, "n_subclasses")
    weights = weights_from_sets(sets, treated, "ATE" if "ate" in case else "ATT")
    # Sets of equal total can swap who is the second of two: the weights are those of R as a list,
    # except on LaLonde, where whole sets tie.
    if "lalonde" not in case:
        ours, r = np.sort(weights[~treated]), np.sort(theirs(case)["weight"].to_numpy()[~treated])
        assert ours == pytest.approx(r, abs=1e-8)


@pytest.mark.parametrize("name", ["age", "educ", "re74", "re75", "married", "nodegree"])
def test_full_matching_balances_lalonde_as_optmatch_does(name):
    case = "lalonde_full_optmatch_tight"
    treated, values = arms(case), data("lalonde")[name].to_numpy(dtype=float)
    sets = full_sets(theirs(case)["distance"].to_numpy(), treated)
    weights = weights_from_sets(sets, treated)
    apart = values[treated].mean() - np.average(values[~treated], weights=weights[~treated])
    spread = values[treated].std(ddof=1)
    if name in ("married", "nodegree"):
        spread = values[treated].std()
    assert apart / spread == pytest.approx(number(case, f"bal.Diff.Adj[{name}]"), abs=1e-8)


@pytest.mark.parametrize(
    ("case", "wanted", "estimand"),
    [
        ("lalonde_subclass5", 5, "ATT"),
        ("clustered_subclass6", 6, "ATT"),
        ("clustered_subclass6_ate", 6, "ATE"),
        ("clustered_subclass6_sw", 6, "ATT"),
    ],
)
def test_subclass_weights_are_those_of_matchit(case, wanted, estimand):
    score = theirs(case)["distance"].to_numpy()
    sets = subclass_sets(score, arms(case), number=wanted, estimand=estimand)
    weights = weights_from_sets(sets, arms(case), estimand)
    assert weights == pytest.approx(theirs(case)["weight"].to_numpy(), abs=1e-8)


@pytest.mark.parametrize("estimand", ["ATT", "ATE"])
def test_coarsened_weights_are_those_of_matchit(estimand):
    case = "clustered_cem" if estimand == "ATT" else "clustered_cem_ate"
    made = study(data("clustered"), treated="treat", covariates=COVARIATES["clustered"])
    cuts = {"x1": [-1, 0, 1], "x2": [0.8, 1.2, 1.8], "x3": [3.5, 5, 6.5], "b1": 0}
    sets = coarsened_sets(made, cuts)
    assert sets.max() + 1 == number(case, "n_subclasses")
    weights = weights_from_sets(sets, made.treated, estimand)
    assert weights == pytest.approx(theirs(case)["weight"].to_numpy(), abs=1e-8)


@pytest.mark.parametrize("large", [0, 10**9], ids=["boxes", "plain"])
@pytest.mark.parametrize(
    ("case", "asked"),
    [
        ("clustered_nn_mahalanobis", {}),
        ("clustered_nn_mahalanobis_repl", {"replace": True}),
        ("clustered_nn_mahalanobis_sw", {"sampling": "sw"}),
        ("clustered_nn_mahvars_cal", {"caliper": 0.2}),
        ("clustered_nn_mahvars_cal_repl", {"caliper": 0.2, "replace": True}),
    ],
)
def test_mahalanobis_pairs_are_those_of_matchit(case, asked, large, monkeypatch):
    monkeypatch.setattr(boxes, "LARGE", large)
    x, treated, asked = numbers_of("clustered"), arms(case), dict(asked)
    if "sampling" in asked:
        asked["sampling"] = data("clustered")["sw"].to_numpy()
    if "caliper" in asked:
        score = theirs(case)["distance"].to_numpy()
        asked |= {"caliper": 0.2 * score.std(ddof=1), "caliper_score": score}
        own = np.flatnonzero(treated)
        asked["order"] = own[np.argsort(-score[own], kind="stable")]
        x = x[:, :3]
    names = data("clustered").index.to_numpy()
    own, matches = mahalanobis_pairs(x, treated, **asked)
    assert set(zip(names[own], names[matches], strict=True)) == pairs(case)


def test_mahalanobis_on_lalonde_differs_from_matchit_only_between_equal_units():
    x, treated, held = numbers_of("lalonde"), arms("lalonde"), data("lalonde")
    own, matches = mahalanobis_pairs(x, treated)
    r = dict(pairs("lalonde_nn_mahalanobis"))
    alike = held[COVARIATES["lalonde"]]
    for row, match in zip(held.index[own], held.index[matches], strict=True):
        assert r[row] == match or (alike.loc[r[row]] == alike.loc[match]).all()


def test_mahalanobis_distance_is_that_of_matchit():
    treated = arms("clustered")
    for case, columns in (("clustered_nn_mahalanobis", 6), ("clustered_nn_mahvars_cal", 3)):
        z = whitened(numbers_of("clustered")[:, :columns], treated)
        apart = np.sqrt(((z[treated][0] - z[~treated][0]) ** 2).sum())
        expected = number(case, "dist_first_treated_first_control")
        assert apart == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------ against brute force


@st.composite
def lines(draw, most: int = 8):
    """Draw a score, arms and a caliper: coarse values tie, and the caliper often binds."""
    size = draw(st.integers(2, most))
    treated = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    values = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    stretch = draw(st.sampled_from([1.0, 2.0]))
    caliper = draw(st.sampled_from([None, 1.0, 2.0, 3.0, 5.0]))
    return np.array(values, dtype=float) ** stretch, treated, caliper


def best_pairs(score, treated, caliper, ratio):
    """Return most treated matched, most pairs for them, and least total, by trying everything."""
    width = np.inf if caliper is None else caliper
    others = np.flatnonzero(~treated)
    best = (0, 0, 0.0)
    rows = np.flatnonzero(treated)

    def go(place, free, got, pairs, total):
        nonlocal best
        if place == len(rows):
            best = min(best, (-got, -pairs, total))
            return
        near = [c for c in free if abs(score[c] - score[rows[place]]) <= width]
        chosen = [()]
        for c in near:
            chosen += [(*some, c) for some in chosen if len(some) < ratio]
        for some in chosen:
            cost = sum(abs(score[c] - score[rows[place]]) for c in some)
            go(place + 1, free - set(some), got + bool(some), pairs + len(some), total + cost)

    go(0, frozenset(others), 0, 0, 0.0)
    return -best[0], -best[1], best[2]


@given(lines())
@settings(max_examples=300, deadline=None)
def test_optimal_pairs_are_the_best_of_all(line):
    score, treated, caliper = line
    own, matches = optimal_pairs(score, treated, caliper=caliper)
    apart = np.abs(score[own] - score[matches])
    got, pairs, total = best_pairs(score, treated, caliper, 1)
    assert (len(own), apart.sum()) == (pairs, pytest.approx(total, abs=1e-9))
    assert got == len(set(own)) == len(set(matches))
    assert (apart <= (np.inf if caliper is None else caliper)).all()


@given(lines(7), st.sampled_from([2, 3]))
@settings(max_examples=200, deadline=None)
def test_several_matches_leave_no_treated_out_who_could_have_one(line, ratio):
    score, treated, caliper = line
    own, matches = optimal_pairs(score, treated, ratio=ratio, caliper=caliper)
    got, pairs, total = best_pairs(score, treated, caliper, ratio)
    assert len(set(own)) == got
    assert len(set(matches)) == len(matches) <= pairs
    assert np.bincount(own, minlength=1).max() <= ratio
    if len(own) == ratio * np.count_nonzero(treated):
        assert np.abs(score[own] - score[matches]).sum() == pytest.approx(total, abs=1e-9)


def cheapest_cover(score, treated, caliper):
    """Return the least total of links that touch everybody who can be, by trying all of them."""
    width = np.inf if caliper is None else caliper
    own, others = np.flatnonzero(treated), np.flatnonzero(~treated)
    links = [(i, j) for i in own for j in others if abs(score[i] - score[j]) <= width]
    everybody = frozenset(unit for link in links for unit in link)
    reach = {frozenset(): 0.0}
    # Each unit in turn is touched by one of its links, unless it is already.
    for unit in sorted(everybody):
        after: dict[frozenset, float] = {}
        for touched, cost in reach.items():
            ways = [(touched, cost)] if unit in touched else [
                (touched | set(link), cost + abs(score[link[0]] - score[link[1]]))
                for link in links if unit in link]  # fmt: skip
            for state, value in ways:
                after[state] = min(value, after.get(state, np.inf))
        reach = after
    return len(everybody), min(reach.values())


@given(lines())
@settings(max_examples=300, deadline=None)
def test_full_matching_is_the_cheapest_of_all(line):
    score, treated, caliper = line
    sets = full_sets(score, treated, caliper=caliper)
    units, total = cheapest_cover(score, treated, caliper)
    assert np.count_nonzero(sets >= 0) == units
    assert total_of(sets, score, treated) == pytest.approx(total, abs=1e-9)
    for code in range(sets.max() + 1):
        one, more = score[(sets == code) & treated], score[(sets == code) & ~treated]
        assert min(len(one), len(more)) == 1
        assert caliper is None or np.abs(one[:, None] - more).max() <= caliper


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("caliper", [None, 0.02])
def test_compiled_totals_are_those_of_an_assignment_solver(ratio, caliper):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(3)
    treated = rng.random(6000) < 0.1
    score = rng.normal(size=6000) + treated
    copies, others = np.repeat(np.flatnonzero(treated), ratio), np.flatnonzero(~treated)
    apart = np.abs(score[copies][:, None] - score[others])
    allowed = apart <= (np.inf if caliper is None else caliper)
    ours = optimal_pairs(score, treated, ratio=ratio, caliper=caliper)
    gain = np.where(allowed, apart - 1e4, 0.0)
    one, two = linear_sum_assignment(gain)
    kept = allowed[one, two]
    if len(set(ours[0])) == len(set(copies[one[kept]])):
        assert len(ours[0]) == kept.sum()
        total = np.abs(score[ours[0]] - score[ours[1]]).sum()
        assert total == pytest.approx(apart[one, two][kept].sum(), rel=1e-9)
    # A cover is everybody's nearest, less what pairs save (Keijsper and Pendavingh 1998).
    apart = np.where(allowed, apart, np.inf)
    if ratio == 1:
        apart = apart[np.isfinite(apart.min(axis=1))]
        apart = apart[:, np.isfinite(apart.min(axis=0))]
        least = apart.min(axis=1), apart.min(axis=0)
        saved = np.maximum(least[0][:, None] + least[1] - apart, 0.0)
        one, two = linear_sum_assignment(-saved)
        sets = full_sets(score, treated, caliper=caliper)
        total = least[0].sum() + least[1].sum() - saved[one, two].sum()
        assert total_of(sets, score, treated) == pytest.approx(total, rel=1e-9)
        assert np.count_nonzero(sets >= 0) == sum(apart.shape)


# ------------------------------------------------------------------ kernels

SHAPES = {
    "epanechnikov": lambda u: np.maximum(0, 1 - u**2),
    "uniform": lambda u: 1.0 * (u <= 1),
    "biweight": lambda u: np.maximum(0, 1 - u**2) ** 2,
    "tricube": lambda u: np.maximum(0, 1 - u**3) ** 3,
    "gaussian": lambda u: np.exp(-(u**2) / 2),
}


def slow_kernel(score, treated, sampling, strata, bandwidth, shape):  # noqa: PLR0917
    """Add up each treated unit's shares, one by one; returns weights times sampling weights."""
    weights = np.zeros(len(score))
    for row in np.flatnonzero(treated):
        near = ~treated & (strata == strata[row])
        share = np.where(near, sampling * SHAPES[shape](np.abs(score - score[row]) / bandwidth), 0)
        if share.sum() > 0:
            weights[row] = sampling[row]
            weights += sampling[row] * share / share.sum()
    return weights


@pytest.mark.parametrize("shape", KERNELS)
@pytest.mark.parametrize("bandwidth", [0.004, 0.06, 0.5])
@pytest.mark.parametrize("large", [0, 10**9], ids=["running totals", "all pairs"])
def test_kernel_weights_are_those_of_a_slow_sum(shape, bandwidth, large, monkeypatch):
    monkeypatch.setattr(kernel, "LARGE", large)
    rng = np.random.default_rng(5)
    size = 1500
    treated = rng.random(size) < 0.3
    score = rng.random(size) ** 2
    score[:200] = score[:200].round(2)
    if shape == "gaussian" and bandwidth < 0.06:
        # Beyond 8 bandwidths the normal kernel is cut off; here nobody is so far.
        score = np.round(score, 2)
    sampling, strata = rng.exponential(size=size) ** 2, rng.integers(0, 3, size)
    weights, fate = kernel_weights(
        score, treated, sampling, strata, bandwidth=bandwidth, kernel=shape
    )
    slow = slow_kernel(score, treated, sampling, strata, bandwidth, shape)
    if shape == "gaussian" and bandwidth < 0.06:
        matched = treated & (weights > 0)
        assert matched.sum() > 0.9 * treated.sum()
    else:
        assert weights * sampling == pytest.approx(slow, rel=1e-9, abs=1e-9 * slow.max())
        assert ((fate == 0) == (slow > 0)).all()
    totals = [(weights * sampling)[arm].sum() for arm in (treated, ~treated)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-10)


def test_kernel_weights_keep_their_digits_beside_large_totals():
    # One treated unit just inside the bound of few, beside a crowd that it does not reach.
    score = np.concatenate([[0.0], [0.0999, 0.09995], 0.10001 + np.zeros(20_000), [0.1]])
    treated = np.zeros(len(score), dtype=bool)
    treated[[0, -1]] = True
    ones = np.ones(len(score))
    weights, _ = kernel_weights(score, treated, ones, bandwidth=0.1, kernel="tricube")
    shares = SHAPES["tricube"](score[1:3] / 0.1)
    crowd = SHAPES["tricube"](np.abs(score - 0.1) / 0.1)[1:-1]
    expected = shares / shares.sum() + crowd[:2] / crowd.sum()
    assert weights[1:3] == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------ Mahalanobis


def slow_mahalanobis(  # noqa: PLR0917
    z, treated, strata, ratio, replace, order, closest, score, caliper, unit
):
    """Look at every pair, every time."""
    got: dict[int, list[int]] = {row: [] for row in order}
    free = set(np.flatnonzero(~treated))
    seat = {row: place for place, row in enumerate(order)}

    def nearest(row):
        fits = [
            (float(f"{((z[c] - z[row]) ** 2).sum():.8e}"), unit[c], c)
            for c in free
            if strata[c] == strata[row]
            and abs(score[c] - score[row]) <= caliper
            and c not in got[row]
        ]
        return min(fits, default=None)

    going = list(order)
    for _ in range(ratio):
        waiting, going = going, []
        while waiting:
            found = {row: nearest(row) for row in (waiting if closest else waiting[:1])}
            reached = [row for row in found if found[row] is not None]
            waiting = [row for row in waiting if row not in found or row in reached]
            if not reached:
                continue
            row = min(reached, key=lambda row: (found[row][0], seat[row]))
            got[row].append(found[row][2])
            going.append(row)
            waiting.remove(row)
            if not replace:
                free.discard(found[row][2])
    return {(row, match) for row in got for match in got[row]}


@pytest.mark.parametrize("large", [0, 10**9], ids=["boxes", "plain"])
@pytest.mark.parametrize("seed", range(12))
def test_mahalanobis_matches_are_those_of_a_slow_search(seed, large, monkeypatch):
    monkeypatch.setattr(boxes, "LARGE", large)
    monkeypatch.setattr(boxes, "LEAF", [2, 3, 16][seed % 3])
    rng = np.random.default_rng(seed)
    size = 150
    treated = rng.random(size) < 0.35
    x = rng.normal(size=(size, 3)) if seed % 2 else rng.integers(0, 4, (size, 2)).astype(float)
    asked = {"ratio": 1 + seed % 3, "replace": seed % 4 == 0, "closest": seed % 5 == 1}
    strata, score, unit = rng.integers(0, 3, size), rng.random(size), rng.permutation(size)
    order = rng.permutation(np.flatnonzero(treated))
    own, matches = mahalanobis_pairs(
        x, treated, strata, order=order, caliper_score=score, caliper=0.3, unit=unit, **asked
    )
    slow = slow_mahalanobis(
        whitened(x, treated), treated, strata, order=order, score=score, caliper=0.3, unit=unit,
        **asked,
    )  # fmt: skip
    assert set(zip(own.tolist(), matches.tolist(), strict=True)) == slow


def test_a_family_is_not_matched_with_itself_and_covariates_keep_their_calipers(monkeypatch):
    rng = np.random.default_rng(2)
    x, treated = rng.normal(size=(300, 2)), rng.random(300) < 0.3
    family, limited = rng.integers(0, 20, 300), rng.normal(size=(300, 1))
    asked = {"family": family, "covariate_calipers": (limited, np.array([0.5]))}
    found = []
    for large in (0, 10**9):
        monkeypatch.setattr(boxes, "LARGE", large)
        own, matches = mahalanobis_pairs(x, treated, **asked)
        assert (family[own] != family[matches]).all()
        assert (np.abs(limited[own] - limited[matches]) <= 0.5).all()
        found.append((own.tolist(), matches.tolist()))
    assert found[0] == found[1]


def test_a_hopeless_mahalanobis_matching_is_refused(monkeypatch):
    monkeypatch.setattr(boxes, "MOST_WORK", 1e6)
    rng = np.random.default_rng(1)
    x, treated = rng.normal(size=(6000, 8)), rng.random(6000) < 0.3
    with pytest.raises(ParameterError, match="caliper on the propensity score"):
        mahalanobis_pairs(x, treated)


def test_redundant_covariates_and_scale_change_no_match():
    rng = np.random.default_rng(4)
    x, treated = rng.normal(size=(200, 3)), rng.random(200) < 0.3
    plain = mahalanobis_pairs(x, treated)
    more = np.column_stack([x * [1e6, 1e-6, 1.0], x[:, 0] + x[:, 1], np.ones(200)])
    assert np.array_equal(plain, mahalanobis_pairs(more, treated))


# ------------------------------------------------------------------ what always holds


def partition(sets: np.ndarray, names: np.ndarray) -> set[frozenset]:
    return {frozenset(names[sets == code]) for code in range(sets.max() + 1)}


@pytest.mark.parametrize("size", [400, 6000])
def test_the_order_of_rows_decides_nothing(size):
    rng = np.random.default_rng(6)
    treated = rng.random(size) < 0.3
    score = rng.normal(size=size).round(2) + treated
    strata, unit, new = rng.integers(0, 4, size), rng.permutation(size), rng.permutation(size)
    kinds = {
        "optimal": lambda *a, unit: optimal_pairs(*a, ratio=2, caliper=0.1, unit=unit),
        "mahalanobis": lambda s, t, g, unit: mahalanobis_pairs(
            np.column_stack([s, s**2]), t, g, unit=unit, order=_by_unit(t, unit)
        ),
    }
    for method in kinds.values():
        once = method(score, treated, strata, unit=unit)
        again = method(score[new], treated[new], strata[new], unit=unit[new])
        one, two = (
            set(zip(names[own].tolist(), names[match].tolist(), strict=True))
            for names, (own, match) in ((unit, once), (unit[new], again))
        )
        assert one == two
    for sets_of in (full_sets, subclass_sets):
        once = sets_of(score, treated, strata=strata, unit=unit)
        again = sets_of(score[new], treated[new], strata=strata[new], unit=unit[new])
        assert np.array_equal(once[new], again)
    once = kernel_weights(score, treated, np.ones(size), strata)[0]
    again = kernel_weights(score[new], treated[new], np.ones(size), strata[new])[0]
    assert again == pytest.approx(once[new], rel=1e-9)


def _by_unit(treated: np.ndarray, unit: np.ndarray) -> np.ndarray:
    own = np.flatnonzero(treated)
    return own[np.argsort(unit[own])]


@pytest.mark.parametrize("size", [300, 6000])
def test_strata_are_matched_as_if_alone(size):
    rng = np.random.default_rng(7)
    treated, strata = rng.random(size) < 0.4, rng.integers(0, 5, size)
    treated[strata == 3] = True
    score = rng.normal(size=size)
    own, matches = optimal_pairs(score, treated, strata, caliper=0.2)
    sets, weights = full_sets(score, treated, strata, caliper=0.2), kernel_weights(
        score, treated, np.ones(size), strata, bandwidth=0.1)[0]  # fmt: skip
    assert (strata[own] == strata[matches]).all()
    assert (sets[strata == 3] == -1).all()
    for code in range(5):
        inside = np.flatnonzero(strata == code)
        alone = optimal_pairs(score[inside], treated[inside], caliper=0.2)
        here = strata[own] == code
        assert np.array_equal(own[here], inside[alone[0]])
        assert np.array_equal(matches[here], inside[alone[1]])
        part = full_sets(score[inside], treated[inside], caliper=0.2)
        assert partition(part, inside) == partition(
            np.unique(np.append(sets[inside], -1), return_inverse=True)[1][:-1] - 1, inside
        )
        if not treated[inside].all():
            some = kernel_weights(
                score[inside], treated[inside], np.ones(len(inside)), bandwidth=0.1
            )
            assert weights[inside] == pytest.approx(some[0], rel=1e-9)


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 3]), st.sampled_from([2, 4]))
@settings(max_examples=60, deadline=None)
def test_every_subclass_has_enough_and_keeps_the_order(seed, fewest, wanted):
    rng = np.random.default_rng(seed)
    treated = np.arange(40) < 18
    score = (rng.random(40) ** 3).round(int(rng.integers(1, 4)))
    sets = subclass_sets(score, treated, number=wanted, fewest=fewest)
    for arm in (treated, ~treated):
        assert np.bincount(sets[arm], minlength=sets.max() + 1).min() >= fewest
        order = np.argsort(score[arm], kind="stable")
        assert (np.diff(sets[arm][order]) >= 0).all()


def test_too_few_for_the_subclasses_is_an_error():
    treated = np.arange(10) < 4
    with pytest.raises(DataError, match="Ask for fewer"):
        subclass_sets(np.arange(10.0), treated, number=4, fewest=2)


def test_coarsening_groups_levels_and_gives_missing_values_a_bin():
    data = pd.DataFrame(
        {
            "treated": [1, 0, 1, 0, 1, 0],
            "age": [30.0, np.nan, np.nan, 31.0, 62.0, 60.0],
            "area": ["a", "b", "c", "b", "c", "a"],
        }
    )
    made = study(data, covariates=["age", "area"])
    groups = {"area": [["b", "c"]]}
    assert coarsened_sets(made, {"age": [60]}, groups).tolist() == [-1, 0, 0, -1, -1, -1]
    everybody = {"area": [["a", "b", "c"]]}
    assert coarsened_sets(made, {"age": [60]}, everybody).tolist() == [0, 2, 2, 0, 1, 1]
    some = np.array([True, True, True, False, True, True])
    assert coarsened_sets(made, {"age": [60]}, everybody, some).tolist() == [-1, 1, 1, -1, 0, 0]
    assert coarsened_sets(made, {"age": 1}, groups).tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("cutpoints", "grouping", "what"),
    [
        ({"agee": 3}, None, "Did you mean age"),
        ({"area": 3}, None, "not a number"),
        ({"age": "many"}, None, "number of bins"),
        (None, {"area": [["a", "z"]]}, "no level z"),
        (None, {"area": ["a", "b"]}, "lists of levels"),
    ],
)
def test_coarsening_refuses_what_does_not_fit(cutpoints, grouping, what):
    data = pd.DataFrame({"treated": [1, 0, 1], "age": [1.0, 2.0, 3.0], "area": ["a", "b", "a"]})
    with pytest.raises(ParameterError, match=what):
        coarsened_sets(study(data, covariates=["age", "area"]), cutpoints, grouping)


@pytest.mark.parametrize("asked", [{"kernel": "triangle"}, {"bandwidth": 0.0}])
def test_unknown_kernels_are_refused(asked):
    with pytest.raises(ParameterError):
        kernel_weights(np.arange(4.0), np.arange(4) < 2, np.ones(4), **asked)
