"""Nearest units in several dimensions: a search through boxes, or plainly for small studies."""
# ruff: noqa: PLR0912, PLR0915, PLR0917, C901

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.matching.nearest_loops import NOBODY, TOO_FAR
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
    """Boxes of the comparison units, as `plant` fills them."""

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


# The loops of nearest-neighbour matching in several dimensions; compiled for large studies.
# Comparison units stand in a tree of boxes (Bentley 1975, Multidimensional binary search trees used
# for associative searching, Communications of the ACM 18). A search passes over boxes that are
# farther than the nearest unit found, wholly outside a caliper, or used up.

#: Squared distances that differ by less than this share are equal: the last digits, which hang on
#: the units of the covariates, must not decide who is matched.
TIED = 1e-9


def plant(
    points: np.ndarray,
    near: np.ndarray,
    widths: np.ndarray,
    starts: np.ndarray,
    leaf: int,
    order: np.ndarray,
    spans: np.ndarray,
    children: np.ndarray,
    parents: np.ndarray,
    boxes: np.ndarray,
    limits: np.ndarray,
    roots: np.ndarray,
) -> int:
    """Fill a tree for each stratum; return the number of boxes.

    Parameters
    ----------
    points : ndarray of float, shape (m, k)
        The comparison units, stratum by stratum.
    near : ndarray of float, shape (m, q)
        Values with calipers.
    widths : ndarray of float, shape (q,)
    starts : ndarray of int, shape (strata + 1,)
    leaf : int
        Units in the smallest boxes.
    order : ndarray of int, shape (m,)
        Filled: units in order of boxes.
    spans, children : ndarray of int, shape (boxes, 2)
        Filled: where each box's units stand in `order`; its two parts, or -1.
    parents : ndarray of int, shape (boxes,)
    boxes, limits : ndarray of float, shape (boxes, 2, k) and (boxes, 2, q)
        Filled: smallest and largest values.
    roots : ndarray of int, shape (strata,)
        Filled; -1 for a stratum without units.
    """
    dimensions, limited = points.shape[1], near.shape[1]
    for at in range(order.shape[0]):
        order[at] = at
    count = 0
    for stratum in range(starts.shape[0] - 1):
        roots[stratum] = -1
        if starts[stratum] == starts[stratum + 1]:
            continue
        roots[stratum] = count
        spans[count, 0], spans[count, 1] = starts[stratum], starts[stratum + 1]
        parents[count] = -1
        at, count = count, count + 1
        while at < count:
            first, last = spans[at, 0], spans[at, 1]
            children[at, 0] = children[at, 1] = -1
            # A box wider than a caliper is cut across it, others where the units spread most.
            widest, side = 0.0, 0
            for axis in range(dimensions):
                low, high = np.inf, -np.inf
                for place in range(first, last):
                    value = points[order[place], axis]
                    low, high = min(low, value), max(high, value)
                boxes[at, 0, axis], boxes[at, 1, axis] = low, high
                if high - low > widest:
                    widest, side = high - low, axis
            beyond = 1.0
            for axis in range(limited):
                low, high = np.inf, -np.inf
                for place in range(first, last):
                    value = near[order[place], axis]
                    low, high = min(low, value), max(high, value)
                limits[at, 0, axis], limits[at, 1, axis] = low, high
                if high - low > beyond * widths[axis]:
                    beyond = (high - low) / widths[axis] if widths[axis] > 0 else np.inf
                    widest, side = high - low, dimensions + axis
            if last - first > leaf and widest > 0:
                values = np.empty(last - first)
                for place in range(first, last):
                    unit = order[place]
                    values[place - first] = (
                        points[unit, side] if side < dimensions else near[unit, side - dimensions]
                    )
                order[first:last] = order[first:last][np.argsort(values)]
                middle = (first + last) // 2
                for part in range(2):
                    children[at, part], parents[count] = count, at
                    spans[count, 0] = first if part == 0 else middle
                    spans[count, 1] = middle if part == 0 else last
                    count += 1
            at += 1
    return count


def search(
    own: np.ndarray,
    own_near: np.ndarray,
    own_family: np.ndarray,
    own_roots: np.ndarray,
    turns: np.ndarray,
    closest: bool,
    replace: bool,
    points: np.ndarray,
    near: np.ndarray,
    widths: np.ndarray,
    family: np.ndarray,
    ranks: np.ndarray,
    homes: np.ndarray,
    spans: np.ndarray,
    children: np.ndarray,
    parents: np.ndarray,
    boxes: np.ndarray,
    limits: np.ndarray,
    free: np.ndarray,
    used: np.ndarray,
    found: np.ndarray,
) -> int:
    """Match treated units in turn, in as many rounds as wanted; return the units looked at.

    Parameters
    ----------
    own, own_near, own_family, own_roots : arrays over the treated units
        Places, values with calipers, family (or empty), and the tree of the stratum.
    turns : ndarray of int
        Treated units, first to choose first.
    closest : bool
        Whether the closest free pair of all goes first, `turns` deciding between equals.
    replace : bool
        Whether comparison units stay free.
    points, near, widths, family, ranks : arrays over the comparison units
        In the tree's order: places, values with calipers, the calipers, family (or empty), and
        who goes first of equally near units.
    homes, spans, children, parents, boxes, limits
        The tree, from `plant`; `homes` is the smallest box of each unit.
    free : ndarray of int, shape (boxes,)
        Free units in each box; counted down.
    used : ndarray of bool, shape (m,)
        Filled.
    found : ndarray of int, shape (treated, rounds)
        Filled with matches, or `NOBODY`, or `TOO_FAR`.
    """
    dimensions = points.shape[1]
    looked = 0
    stack = np.empty(256, np.int64)
    bounds = np.empty(256)
    part_bounds = np.empty(2)
    for turn in range(found.shape[1]):
        heap = [(0.0, 0, 0)]
        heap.pop()
        if closest:
            for rank in range(turns.shape[0]):
                heap.append((-np.inf, rank, -1))
        following = 0
        while following < turns.shape[0] or len(heap) > 0:
            rank, match = following, -1
            if closest:
                if len(heap) == 0:
                    break
                _, rank, match = heapq.heappop(heap)
            else:
                following += 1
            unit = turns[rank]
            if turn > 0 and found[unit, turn - 1] < 0:
                found[unit, turn] = found[unit, turn - 1]
                continue
            if match < 0 or used[match]:
                match, best, best_rank, edge = -1, np.inf, 0, np.inf
                depth = 0
                if own_roots[unit] >= 0 and free[own_roots[unit]] > 0:
                    stack[0], bounds[0] = own_roots[unit], 0.0
                    depth = 1
                reason = NOBODY if depth == 0 else TOO_FAR
                while depth > 0:
                    depth -= 1
                    box = stack[depth]
                    if bounds[depth] > edge:
                        continue
                    if children[box, 0] < 0:
                        for other in range(spans[box, 0], spans[box, 1]):
                            if used[other]:
                                continue
                            looked += 1
                            apart = 0.0
                            for axis in range(dimensions):
                                step = points[other, axis] - own[unit, axis]
                                apart += step * step
                                if apart > edge:
                                    break
                            tied = apart >= best * (1.0 - TIED)
                            if apart > edge or (tied and ranks[other] > best_rank and match >= 0):
                                continue
                            fits = True
                            for axis in range(widths.shape[0]):
                                if abs(near[other, axis] - own_near[unit, axis]) > widths[axis]:
                                    fits = False
                            if family.shape[0] > 0 and family[other] == own_family[unit]:
                                fits = False
                            if replace:
                                for past in range(turn):
                                    if found[unit, past] == other:
                                        fits = False
                            if fits:
                                match, best, best_rank = other, min(apart, best), ranks[other]
                                edge = best * (1.0 + TIED)
                        continue
                    for part in range(2):
                        child = children[box, part]
                        bound = 0.0
                        for axis in range(dimensions):
                            value = own[unit, axis]
                            step = 0.0
                            if value < boxes[child, 0, axis]:
                                step = boxes[child, 0, axis] - value
                            elif value > boxes[child, 1, axis]:
                                step = value - boxes[child, 1, axis]
                            bound += step * step
                        for axis in range(widths.shape[0]):
                            value = own_near[unit, axis]
                            if (
                                limits[child, 0, axis] - value > widths[axis]
                                or value - limits[child, 1, axis] > widths[axis]
                            ):
                                bound = np.inf
                        part_bounds[part] = bound if free[child] > 0 else np.inf
                    nearer = 0 if part_bounds[0] <= part_bounds[1] else 1
                    for part in (1 - nearer, nearer):
                        if part_bounds[part] <= edge and part_bounds[part] < np.inf:
                            stack[depth], bounds[depth] = children[box, part], part_bounds[part]
                            depth += 1
                if match < 0:
                    found[unit, turn] = reason
                    continue
                if closest:
                    key = np.round(np.log(best) / TIED) if best > 0.0 else -np.inf
                    heapq.heappush(heap, (key, rank, match))
                    continue
            found[unit, turn] = match
            if not replace:
                used[match] = True
                box = homes[match]
                while box >= 0:
                    free[box] -= 1
                    box = parents[box]
    return looked
