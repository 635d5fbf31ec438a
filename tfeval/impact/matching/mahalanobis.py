"""Nearest-neighbour matching on Mahalanobis distance, within calipers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.compiled import LARGE, for_size
from tfeval.impact.covariates import Covariates
from tfeval.impact.matching.mahalanobis_loops import NOBODY, TOO_FAR, plant, search
from tfeval.impact.matching.nearest import Pairs
from tfeval.impact.matching.ordering import matching_order, sorted_arm
from tfeval.impact.matching.whitening import whitened

#: Units in the smallest boxes of the tree.
LEAF = 16
#: Comparisons times dimensions from which a matching is refused: a quarter of an hour.
MOST_WORK = 5e11


@dataclass(frozen=True, eq=False)
class _Arms:
    """Both arms, the comparison units stratum by stratum; what is compared, and the limits."""

    own: np.ndarray
    other: np.ndarray
    own_strata: np.ndarray
    starts: np.ndarray
    points: np.ndarray
    near: np.ndarray
    widths: np.ndarray
    family: np.ndarray | None
    ranks: np.ndarray


def mahalanobis_pairs(
    x: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    ratio: int = 1,
    replace: bool = False,
    order: np.ndarray | None = None,
    closest: bool = False,
    caliper_score: np.ndarray | None = None,
    caliper: float | None = None,
    covariate_calipers: tuple[np.ndarray, np.ndarray] | None = None,
    covariance: str = "pooled",
    sampling: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    family: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Match each treated unit with its nearest comparison units by Mahalanobis distance.

    Parameters
    ----------
    x : ndarray of float, shape (n, k)
        Covariates that the distance is made of.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; matches are made within.
    ratio : int, default 1
        Matches wanted for each treated unit, found in as many rounds.
    replace : bool, default False
        Whether a comparison unit may serve several treated units.
    order : ndarray of int, optional
        Rows of all treated units, first to choose first; by default as the rows stand.
    closest : bool, default False
        Whether the closest free pair of all goes first; `order` then decides between equals.
    caliper_score, caliper : ndarray of float, shape (n,), and float, optional
        Only units this near on the score are compared; the bound is allowed.
    covariate_calipers : tuple of ndarray, shapes (n, q) and (q,), optional
        Values with limits of their own, and the limits.
    covariance : {"pooled", "treated", "all"}
        Whose covariance scales the distance; see `whitened`.
    sampling : ndarray of float, optional, shape (n,)
        Sampling weights, for the covariance.
    unit, family : ndarray, optional, shape (n,)
        `unit` decides between equally near units; a `family` is not matched to itself.

    Returns
    -------
    treated_rows, control_rows : ndarray of int, shape (pairs,)
        Rows of each pair, by treated row and then by round.

    Raises
    ------
    ParameterError
        If the work would be too much; calipers, strata or fewer covariates make it less.

    Notes
    -----
    The search is exact. With up to about five covariates, or with calipers and strata that leave
    few to compare, it passes over nearly all units; with twenty and no caliper it looks at most.

    References
    ----------
    Rubin (1980), Bias reduction using Mahalanobis-metric matching, Biometrics 36; within calipers
    on the propensity score: Rosenbaum and Rubin (1985), The American Statistician 39.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [5.0, 1.0], [4.0, 1.0], [1.0, 0.0], [9.0, 9.0]])
    >>> arm = np.array([True, True, False, False, False])
    >>> rows, matches = mahalanobis_pairs(x, arm)
    >>> rows.tolist(), matches.tolist()
    ([0, 1], [3, 2])
    """
    near, widths = _limits(len(x), caliper_score, caliper, covariate_calipers)
    points = whitened(np.asarray(x, dtype=float), treated, covariance, sampling)
    arms = _arms(points, treated, strata, near, widths, family, unit)
    order = arms.own if order is None else order
    found = _found(arms, np.searchsorted(arms.own, order), int(ratio), closest, replace)
    rows, matches, _, _ = _rows_of(arms, found)
    return rows, matches


def mahalanobis_found(task: Any) -> Pairs:
    """Match as `match` asks; `task` is a `found.Task`."""
    study, chosen, calipers = task.study, task.chosen, task.calipers
    inside = np.flatnonzero(task.eligible)
    some = {name: None if codes is None else codes[inside]
            for name, codes in (("strata", study.strata), ("unit", study.unit),
                                ("family", task.family))}  # fmt: skip
    focal, score = task.focal[inside], task.along[inside]
    near, widths = _limits(
        len(inside), score, calipers.score, (calipers.covariates[inside], calipers.widths)
    )
    x = _chosen(study.covariates, chosen.on).rows(inside)
    points = whitened(x, focal, "pooled", study.sampling[inside])
    arms = _arms(points, focal, some["strata"], near, widths, some["family"], some["unit"])
    closest = chosen.order == "closest"
    own = sorted_arm(arms.own, score, some["strata"], some["unit"])
    first = matching_order(own, "largest" if closest else chosen.order, chosen.seed, some["unit"])
    turns = np.searchsorted(arms.own, own.rows[first])
    found = _found(arms, turns, int(chosen.ratio), closest, chosen.replace)
    rows, matches, lone, reasons = _rows_of(arms, found)
    return Pairs(inside[rows], inside[matches], None, inside[lone], reasons)


def _chosen(covariates: Covariates, on: tuple[str, ...]) -> Covariates:
    """Return some covariates, by the name of the number or of its source; all for none."""
    known = {column.name for column in covariates.columns}
    known |= {column.source for column in covariates.columns}
    for name in on:
        if name not in known:
            raise ParameterError(f"on: there is no covariate {name}. {suggest(name, known)}")
    columns = tuple(
        column
        for column in covariates.columns
        if not on or column.name in on or column.source in on
    )
    return Covariates(columns, covariates.size, covariates.reference)


def _limits(
    size: int,
    score: np.ndarray | None,
    caliper: float | None,
    others: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return all values with calipers, shape (size, q), and the calipers."""
    values, widths = (np.empty((size, 0)), np.empty(0)) if others is None else others
    if caliper is None or not np.isfinite(caliper):
        return values, widths
    if score is None:
        raise ParameterError("caliper needs the score that it limits: give caliper_score.")
    return np.column_stack([score, values]), np.concatenate([[caliper], widths])


def _arms(
    points: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None,
    near: np.ndarray,
    widths: np.ndarray,
    family: np.ndarray | None,
    unit: np.ndarray | None,
) -> _Arms:
    codes = np.zeros(len(points), dtype=np.int64) if strata is None else strata
    own, other = np.flatnonzero(treated), np.flatnonzero(~treated)
    # By identifier, so that the order of rows decides nothing.
    other = other if unit is None else other[np.argsort(unit[other], kind="stable")]
    other = other[np.argsort(codes[other], kind="stable")]
    counts = np.bincount(codes[other], minlength=int(codes.max(initial=0)) + 1)
    return _Arms(
        own=own,
        other=other,
        own_strata=codes[own],
        starts=np.concatenate([[0], np.cumsum(counts)]),
        points=points,
        near=near,
        widths=widths,
        family=family,
        ranks=np.arange(len(other)),
    )


def _found(
    arms: _Arms, turns: np.ndarray, ratio: int, closest: bool, replace: bool
) -> np.ndarray:
    """Return places among the comparison units, shape (treated, ratio); by `turns`."""
    found = np.full((len(arms.own), ratio), NOBODY, dtype=np.int64)
    size = len(arms.own) + len(arms.other)
    if size < LARGE and not closest:
        _plainly(arms, turns, replace, found)
        return found
    tree = _planted(arms, size)
    run = for_size(search, size)
    probes = turns[:: max(1, len(turns) // 64)]
    if size >= LARGE:
        looked = run(*_treated(arms, tree), probes, False, True, *_others(arms, tree),
                     found[:, :1].copy())  # fmt: skip
        _refuse_endless(looked / len(probes) * len(turns) * ratio, arms.points.shape[1])
    run(*_treated(arms, tree), turns, closest, replace, *_others(arms, tree), found)
    return found


def _refuse_endless(comparisons: float, dimensions: int) -> None:
    if comparisons * max(dimensions, 1) > MOST_WORK:
        raise ParameterError(
            f"Mahalanobis matching would compare about {comparisons / 1e9:,.0f} billion pairs in "
            f"{dimensions} dimensions. Give a caliper on the propensity score, match within "
            "strata, or use fewer covariates (on=...)."
        )


def _plainly(arms: _Arms, turns: np.ndarray, replace: bool, found: np.ndarray) -> None:
    """Compare with everybody, unit by unit, for small studies."""
    free = np.ones(len(arms.other), dtype=bool)
    points = np.ascontiguousarray(arms.points[arms.other].T)
    near, families = arms.near[arms.other], None
    if arms.family is not None:
        families = arms.family[arms.other]
    for turn in range(found.shape[1]):
        for unit in turns:
            if turn and found[unit, turn - 1] < 0:
                found[unit, turn] = found[unit, turn - 1]
                continue
            row, stratum = arms.own[unit], arms.own_strata[unit]
            part = slice(arms.starts[stratum], arms.starts[stratum + 1])
            some = free[part].copy()
            found[unit, turn] = TOO_FAR if some.any() else NOBODY
            some &= (np.abs(near[part] - arms.near[row]) <= arms.widths).all(axis=1)
            if families is not None:
                some &= families[part] != arms.family[row]
            if replace and turn:
                some[found[unit, :turn] - part.start] = False
            if not some.any():
                continue
            apart = np.zeros(len(some))
            for values, value in zip(points[:, part], arms.points[row], strict=True):
                apart += (values - value) ** 2
            apart[~some] = np.inf
            match = part.start + int(np.argmin(apart))
            found[unit, turn] = match
            free[match] = replace


@dataclass(frozen=True, eq=False)
class _Tree:
    """Boxes of the comparison units, as `mahalanobis_loops.plant` fills them."""

    order: np.ndarray
    homes: np.ndarray
    spans: np.ndarray
    children: np.ndarray
    parents: np.ndarray
    boxes: np.ndarray
    limits: np.ndarray
    roots: np.ndarray


def _planted(arms: _Arms, size: int) -> _Tree:
    points, near = arms.points[arms.other], arms.near[arms.other]
    units, strata = len(points), len(arms.starts) - 1
    most = 4 * units // LEAF + 2 * strata + 2
    order, roots = np.empty(units, dtype=np.int64), np.empty(strata, dtype=np.int64)
    spans, children = (np.empty((most, 2), dtype=np.int64) for _ in range(2))
    parents = np.empty(most, dtype=np.int64)
    boxes = np.empty((most, 2, points.shape[1]))
    limits = np.empty((most, 2, near.shape[1]))
    count = for_size(plant, size)(points, near, arms.widths, arms.starts, LEAF, order, spans,
                                  children, parents, boxes, limits, roots)  # fmt: skip
    ends = np.flatnonzero(children[:count, 0] < 0)
    ends = ends[np.argsort(spans[ends, 0])]
    homes = np.empty(units, dtype=np.int64)
    homes[order] = np.repeat(ends, np.diff(spans[ends]).ravel())
    return _Tree(order, homes, spans[:count], children[:count], parents[:count], boxes[:count],
                 limits[:count], roots)  # fmt: skip


def _treated(arms: _Arms, tree: _Tree) -> tuple[np.ndarray, ...]:
    family = np.empty(0, dtype=np.int64) if arms.family is None else arms.family[arms.own]
    return arms.points[arms.own], arms.near[arms.own], family, tree.roots[arms.own_strata]


def _others(arms: _Arms, tree: _Tree) -> tuple[np.ndarray, ...]:
    family = np.empty(0, dtype=np.int64) if arms.family is None else arms.family[arms.other]
    free = np.diff(tree.spans).ravel()
    return (arms.points[arms.other], arms.near[arms.other], arms.widths, family, arms.ranks,
            tree.order, tree.homes, tree.spans, tree.children, tree.parents, tree.boxes,
            tree.limits, free, np.zeros(len(arms.other), dtype=bool))  # fmt: skip


def _rows_of(
    arms: _Arms, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, matches, the treated without one, and why."""
    matched = found >= 0
    lone = ~matched[:, 0]
    rows = np.repeat(arms.own, matched.sum(axis=1))
    return rows, arms.other[found[matched]], arms.own[lone], found[lone, 0]
