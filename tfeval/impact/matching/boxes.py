"""Nearest units in several dimensions: a search through boxes, or plainly for small studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.matching.mahalanobis_loops import NOBODY, TIED, TOO_FAR, plant, search
from tfeval.impact.study.covariates import LARGE, for_size

#: Units in the smallest boxes of the tree.
LEAF = 16
#: Comparisons times dimensions from which a matching is refused: a quarter of an hour.
MOST_WORK = 5e11


@dataclass(frozen=True, eq=False)
class Arms:
    """Both arms, the comparison units stratum by stratum; what is compared, and the limits."""

    own: np.ndarray
    other: np.ndarray
    own_strata: np.ndarray
    starts: np.ndarray
    points: np.ndarray
    near: np.ndarray
    widths: np.ndarray
    family: np.ndarray | None


def arms_of(
    points: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None,
    *,
    limits: tuple[np.ndarray, np.ndarray],
    family: np.ndarray | None,
    unit: np.ndarray | None,
) -> Arms:
    """Sort the comparison units by stratum and identifier."""
    near, widths = limits
    codes = np.zeros(len(points), dtype=np.int64) if strata is None else strata
    own, other = np.flatnonzero(treated), np.flatnonzero(~treated)
    # By identifier, so that the order of rows decides nothing.
    other = other if unit is None else other[np.argsort(unit[other], kind="stable")]
    other = other[np.argsort(codes[other], kind="stable")]
    counts = np.bincount(codes[other], minlength=int(codes.max(initial=0)) + 1)
    return Arms(
        own=own,
        other=other,
        own_strata=codes[own],
        starts=np.concatenate([[0], np.cumsum(counts)]),
        points=points,
        near=near,
        widths=widths,
        family=family,
    )


def nearest_places(
    arms: Arms, turns: np.ndarray, ratio: int, closest: bool, replace: bool
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
    return np.where(found >= 0, tree.order[np.maximum(found, 0)], found)


def _refuse_endless(comparisons: float, dimensions: int) -> None:
    if comparisons * max(dimensions, 1) > MOST_WORK:
        raise ParameterError(
            f"Mahalanobis matching would compare about {comparisons / 1e9:,.0f} billion pairs in "
            f"{dimensions} dimensions. Give a caliper on the propensity score, match within "
            "strata, or use fewer covariates (on=...)."
        )


def _plainly(arms: Arms, turns: np.ndarray, replace: bool, found: np.ndarray) -> None:
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
            if families is not None and arms.family is not None:
                some &= families[part] != arms.family[row]
            if replace and turn:
                some[found[unit, :turn] - part.start] = False
            if not some.any():
                continue
            apart = np.zeros(len(some))
            for values, value in zip(points[:, part], arms.points[row], strict=True):
                apart += (values - value) ** 2
            apart[~some] = np.inf
            # The first of those that are as near, by identifier.
            match = part.start + int(np.argmax(apart <= apart.min() * (1.0 + TIED)))
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


def _planted(arms: Arms, size: int) -> _Tree:
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
    homes = np.repeat(ends, np.diff(spans[ends]).ravel())
    return _Tree(order, homes, spans[:count], children[:count], parents[:count], boxes[:count],
                 limits[:count], roots)  # fmt: skip


def _treated(arms: Arms, tree: _Tree) -> tuple[np.ndarray, ...]:
    family = np.empty(0, dtype=np.int64) if arms.family is None else arms.family[arms.own]
    return arms.points[arms.own], arms.near[arms.own], family, tree.roots[arms.own_strata]


def _others(arms: Arms, tree: _Tree) -> tuple[np.ndarray, ...]:
    rows = arms.other[tree.order]
    family = np.empty(0, dtype=np.int64) if arms.family is None else arms.family[rows]
    free = np.diff(tree.spans).ravel()
    # Comparison units stand by stratum and identifier, so their own order breaks ties.
    return (arms.points[rows], arms.near[rows], arms.widths, family, tree.order, tree.homes,
            tree.spans, tree.children, tree.parents, tree.boxes, tree.limits, free,
            np.zeros(len(rows), dtype=bool))  # fmt: skip


def rows_of(arms: Arms, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, matches, the treated without one, and why."""
    matched = found >= 0
    lone = ~matched[:, 0]
    rows = np.repeat(arms.own, matched.sum(axis=1))
    return rows, arms.other[found[matched]], arms.own[lone], found[lone, 0]
