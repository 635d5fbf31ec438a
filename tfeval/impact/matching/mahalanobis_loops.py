"""The loops of nearest-neighbour matching in several dimensions; compiled for large studies.

Comparison units stand in a tree of boxes (Bentley 1975, Multidimensional binary search trees used
for associative searching, Communications of the ACM 18). A search passes over boxes that are
farther than the nearest unit found, wholly outside a caliper, or used up.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917, C901

from __future__ import annotations

import heapq

import numpy as np

#: What stands in place of a match.
NOBODY, TOO_FAR = -1, -2
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
