"""Corrections for many outcomes, against statsmodels, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.multiple import correct, from_replicates, romano_wolf, stepped
from tfeval.impact.means.influence import joint_normal


def holm(p):
    return stepped(np.asarray(p), "holm")


def by_definition(p, method):
    """Step down (Holm) or up (Benjamini and Hochberg) as the papers tell it."""
    count, order = len(p), sorted(range(len(p)), key=lambda at: p[at])
    out = np.empty(count)
    for at in range(count):
        if method == "holm":
            steps = [(count - rank) * p[order[rank]] for rank in range(order.index(at) + 1)]
            out[at] = min(1.0, max(steps))
        else:
            ranks = range(order.index(at), count)
            out[at] = min(1.0, *(count * p[order[rank]] / (rank + 1) for rank in ranks), 1.0)
    return out


def alike(count: int, rho: float) -> np.ndarray:
    return rho + (1 - rho) * np.eye(count)


def effects(t, correlation=None, p=None, **columns) -> Effects:
    t = np.asarray(t, dtype=float)
    rows = pd.DataFrame({"outcome": [f"y{at}" for at in range(len(t))], "estimate": t,
                         "std_error": 1.0, "p_value": 2 * norm.sf(abs(t)) if p is None else p,
                         **columns})  # fmt: skip
    return Effects(rows, np.eye(len(t)) if correlation is None else correlation)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("method", ["holm", "benjamini_hochberg"])
def test_holm_and_benjamini_hochberg_are_those_of_their_papers(method, seed):
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.uniform(size=6), rng.uniform(size=6) / 50, [0.2, 0.2, 0.0, 1.0]])
    assert np.allclose(stepped(p, method), by_definition(p, method))
    with_gaps = np.insert(p, [0, 5], np.nan)
    found = stepped(with_gaps, method)
    assert np.isnan(found[[0, 6]]).all()
    assert np.allclose(found[~np.isnan(with_gaps)], by_definition(p, method))
    assert np.isnan(stepped(np.full(2, np.nan), method)).all()


def one_by_one(t, draws):
    """Romano and Wolf's steps as they are told: drop the largest, look at the rest."""
    left, out, so_far = list(range(len(t))), np.empty(len(t)), 0.0
    while left:
        at = max(left, key=lambda place: abs(t[place]))
        largest = np.abs(draws[:, left]).max(axis=1)
        so_far = max(so_far, (np.sum(largest >= abs(t[at])) + 1) / (len(draws) + 1))
        out[at] = so_far
        left.remove(at)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_romano_wolf_steps_down_one_by_one(seed):
    rng = np.random.default_rng(seed)
    draws = joint_normal(alike(6, 0.4), 500, rng)
    t = rng.normal(size=6) * 2
    assert np.array_equal(romano_wolf(t, draws), one_by_one(t, draws))


def test_romano_wolf_under_independence_is_holm_with_sidak_s_bound():
    t = np.array([3.1, -2.6, 2.2, 1.0, 0.3])
    p = 2 * norm.sf(abs(t))
    sidak = np.maximum.accumulate(1 - (1 - p) ** np.arange(5, 0, -1))
    found = romano_wolf(t, np.random.default_rng(1).normal(size=(200_000, 5)))
    assert np.allclose(found, sidak, atol=0.004)
    assert (found <= holm(p) + 0.004).all()


def test_estimates_that_are_one_cost_no_more_than_one():
    t = np.full(10, 2.3)
    found = romano_wolf(t, joint_normal(np.ones((10, 10)), 100_000, np.random.default_rng(2)))
    assert np.allclose(found, 2 * norm.sf(2.3), atol=0.002)
    made = effects(t, np.ones((10, 10)))
    assert correct(made, "romano_wolf").frame["p_adjusted"].max() < 0.025
    assert correct(made, "holm").frame["p_adjusted"].max() > 0.2


def test_correlation_makes_romano_wolf_find_more_than_holm():
    rng = np.random.default_rng(3)
    correlation, shift = alike(12, 0.8), np.array([2.7] * 4 + [0.0] * 8)
    null = joint_normal(correlation, 4000, rng)
    t = joint_normal(correlation, 400, rng) + shift
    ours = np.array([(romano_wolf(row, null) < 0.05)[:4].mean() for row in t]).mean()
    theirs = np.array(
        [(by_definition(2 * norm.sf(abs(row)), "holm") < 0.05)[:4].mean() for row in t]
    ).mean()
    assert ours > theirs + 0.05


@pytest.mark.parametrize(("rho", "count", "true"), [(0.0, 5, 0), (0.6, 8, 0), (0.6, 8, 3)])
def test_false_findings_are_as_rare_as_said(rho, count, true):
    # 2,000 families of outcomes; `true` of them have large effects, and are no false findings.
    rng = np.random.default_rng(4)
    correlation = alike(count, rho)
    null = joint_normal(correlation, 4000, rng)
    shift = np.where(np.arange(count) < true, 6.0, 0.0)
    t = joint_normal(correlation, 2000, rng) + shift
    wrong = [(romano_wolf(row, null)[true:] < 0.05).any() for row in t]
    assert 0.035 <= np.mean(wrong) <= 0.065
    unadjusted = np.mean([(2 * norm.sf(abs(row[true:])) < 0.05).any() for row in t])
    assert unadjusted > 0.1


def test_bootstrap_replicates_do_what_normal_draws_do():
    rng = np.random.default_rng(5)
    correlation = alike(5, 0.5)
    t = np.array([3.0, 2.4, 2.0, 1.0, 0.1])
    made = effects(t, correlation)
    replicates = t + joint_normal(correlation, 20_000, rng)
    found = made.with_corrections("romano_wolf", replicates=replicates).frame["p_adjusted"]
    assert np.allclose(found, correct(made, "romano_wolf").frame["p_adjusted"], atol=0.012)
    with pytest.raises(ParameterError, match="Only romano_wolf"):
        made.with_corrections("holm", replicates=replicates)
    with pytest.raises(ParameterError, match="all 5 estimates"):
        made.with_corrections("romano_wolf", replicates=replicates[:, :2])


def test_an_unknown_p_leaves_the_family():
    t = [3.0, np.nan, 2.0]
    p = np.array([0.003, np.nan, 0.045])
    for method in ("holm", "benjamini_hochberg", "romano_wolf"):
        found = correct(effects(t, p=p), method).frame["p_adjusted"]
        assert np.isnan(found[1]) and found[0] < 0.01 and found[2] < 0.06
    assert np.isnan(correct(effects([1.0], p=np.nan), "romano_wolf").frame["p_adjusted"]).all()
    draws = np.random.default_rng(1).normal(size=(200, 2))
    assert np.isnan(from_replicates(np.array([np.nan, 2.0]), draws, np.array([0.1, 0.1]))[0])


def test_few_clusters_keep_their_degrees_of_freedom():
    # p from t with 4 degrees of freedom is far above the normal's; no adjusted p is below it.
    t = np.array([3.0, 2.5, 2.0])
    p = 2 * student.sf(t, 4)
    found = correct(effects(t, alike(3, 0.9), p=p), "romano_wolf").frame["p_adjusted"]
    assert (found >= p).all() and (found.diff().dropna() >= 0).all()


def test_families_are_corrected_apart_and_rows_keep_their_places():
    made = effects([2.5, 2.4, 0.1, 2.3], planned=[True, False, True, False])
    apart = correct(made, "holm", family="planned").frame["p_adjusted"]
    p = made.frame["p_value"].to_numpy()
    assert np.allclose(apart[[0, 2]], holm(p[[0, 2]])) and np.allclose(
        apart[[1, 3]], holm(p[[1, 3]])
    )
    together = correct(made, "holm")
    assert np.allclose(together.frame["p_adjusted"], holm(p))
    assert together.settings["correction"] == {
        "method": "holm", "family": (), "seed": 1, "drawn": True,
    }  # fmt: skip
    assert made.frame["p_adjusted"].isna().all() and "correction" not in made.settings


def test_the_same_seed_gives_the_same_numbers():
    made = effects([2.5, 2.4, 0.1, 2.3], alike(4, 0.3))
    first, again, other = (
        correct(made, "romano_wolf", seed=seed).frame["p_adjusted"].to_numpy() for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.allclose(first, other, atol=0.01)


def test_what_cannot_be_corrected_is_refused():
    made = effects([2.0, 1.0])
    with pytest.raises(ParameterError, match="Did you mean holm"):
        correct(made, "hohlm")
    with pytest.raises(ParameterError, match="no column plan"):
        correct(made, family="plan")
    with pytest.raises(ParameterError, match="at least 99 rows"):
        romano_wolf(np.zeros(2), np.zeros((50, 2)))
    with pytest.raises(ParameterError, match="one column"):
        romano_wolf(np.zeros(2), np.zeros((500, 3)))


@pytest.mark.parametrize("draw", ["null", "ranks", "money"])
def test_draws_do_not_hang_on_how_rounding_turned_the_axes(draw, monkeypatch):
    """Other processors give eigenvectors other signs, and turn those of equal eigenvalues."""
    from tfeval.impact.effects.pooling import posterior, rank_draws, rotated
    from tfeval.money.drawing import normal_draws

    covariance = np.kron(np.eye(3), alike(2, 0.5)) + 0.01

    def drawn():
        rng = np.random.default_rng(3)
        if draw == "null":
            return joint_normal(covariance, 20, rng)
        if draw == "money":
            return normal_draws(np.arange(6.0), covariance, 20, rng)
        data = rotated(np.array([0.3, -1, 2, 0.5, 0, 1]), covariance)
        return rank_draws(data, posterior(data, "half_cauchy", 1.0), 20, rng)

    before, given = drawn(), np.linalg.eigh

    def turned(matrix):
        values, vectors = given(matrix)
        alike_ = np.flatnonzero(np.isclose(values, values[0]))
        pair = vectors[:, alike_[:2]] @ np.array([[0.6, -0.8], [0.8, 0.6]])
        vectors = -vectors
        vectors[:, alike_[:2]] = pair
        return values, vectors

    monkeypatch.setattr(np.linalg, "eigh", turned)
    assert np.abs(drawn() - before).max() < 1e-7
