"""The loops of nearest-neighbour matching, over sorted scores; compiled for large studies.

Comparison units are sorted by score within each stratum. A treated unit looks outwards from its
own score, the nearer side first. Used units are passed over by following pointers to the next
free one, shortened on the way (Tarjan 1975, Efficiency of a good but not linear set union
algorithm, JACM 22), so that a whole run takes hardly more than one look at each unit. Pointers
never leave a stratum, so strata may run side by side.
"""
# ruff: noqa: C901, PLR0912, PLR0915, PLR0917

from __future__ import annotations

import heapq

import numpy as np

# The loops of sorting and merging scores; compiled for large studies.


def order_by_digits(keys: np.ndarray, spare: np.ndarray, bits: int) -> np.ndarray:
    """Return the places of whole numbers in order, equal ones as they stand.

    Each number is joined with its place; then digits of eight bits are sorted by counting, the
    lowest first (Knuth, The Art of Computer Programming 3, 5.2.5, algorithm R): a handful of
    readings, whatever the values are.

    Parameters
    ----------
    keys, spare : ndarray of int64, shape (n,)
        The numbers, at least 0 and below 2 to the power of 62 - `bits`; and room for as many.
        Both are overwritten.
    bits : int
        What places need.

    Returns
    -------
    ndarray of int64, shape (n,)
        One of the two arrays.

    Examples
    --------
    >>> keys = np.array([30, 10, 10, 0])
    >>> order_by_digits(keys, np.empty_like(keys), 3).tolist()
    [3, 1, 2, 0]
    """
    size = keys.shape[0]
    turns = (62 - bits + 7) // 8
    counts = np.zeros((turns, 256), dtype=np.int64)
    for place in range(size):
        left = keys[place]
        keys[place] = (left << bits) | place
        for turn in range(turns):
            counts[turn, left & 255] += 1
            left >>= 8
    for turn in range(turns):
        at, single = 0, False
        for digit in range(256):
            held = counts[turn, digit]
            single = single or held == size
            counts[turn, digit] = at
            at += held
        if single:
            continue
        low = bits + 8 * turn
        for place in range(size):
            digit = (keys[place] >> low) & 255
            spare[counts[turn, digit]] = keys[place]
            counts[turn, digit] += 1
        keys, spare = spare, keys
    for place in range(size):
        keys[place] &= (1 << bits) - 1
    return keys


def stand(
    scores: np.ndarray,
    starts: np.ndarray,
    own: np.ndarray,
    own_starts: np.ndarray,
    places: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    """Find where each unit of one arm stands in the other, within its stratum.

    Parameters
    ----------
    scores, own : ndarray of float
        Of the other arm and of this one, rising within strata.
    starts, own_starts : ndarray of int, shape (strata + 1,)
        Where each stratum begins.
    places, low, high : ndarray of int, as `own`
        Filled with the place of the first of `scores` that is not below, and the limits of its
        stratum.
    """
    for stratum in range(own_starts.shape[0] - 1):
        at, stop = starts[stratum], starts[stratum + 1]
        for unit in range(own_starts[stratum], own_starts[stratum + 1]):
            while at < stop and scores[at] < own[unit]:
                at += 1
            places[unit], low[unit], high[unit] = at, starts[stratum], stop


#: What stands in place of a match.
NOBODY, TOO_FAR = -1, -2
#: Distances that differ by less than this share of the scores' range are equal: sums in another
#: order must not decide who is matched.
TINY = 1e-12


def without_replacement(
    scores: np.ndarray,
    equal: np.ndarray,
    capacity: np.ndarray,
    own: np.ndarray,
    places: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    order: np.ndarray,
    closest: bool,
    width: float,
    near: np.ndarray,
    near_own: np.ndarray,
    widths: np.ndarray,
    family: np.ndarray,
    own_family: np.ndarray,
    found: np.ndarray,
) -> None:
    """Match without replacement: treated units choose in turn, in as many rounds as wanted.

    Parameters
    ----------
    scores, equal, capacity : arrays over the comparison units
        Scores, rising within strata; place of the first unit of the same score; how often each
        unit may be used.
    own, places, low, high : arrays over the treated units
        Score; place of the first comparison unit not below it; limits of the stratum.
    order : ndarray of int
        Treated units, first to choose first.
    closest : bool
        Whether the closest free pair of all goes first, `order` deciding between equals. A
        pair's distance only grows as units are used, so a heap of the distances last seen is
        enough: a pair that is no longer as close goes back with its new distance.
    width : float
        Caliper.
    near, near_own, widths : arrays (comparison, q), (treated, q) and (q,)
        Covariates with calipers of their own.
    family, own_family : arrays of int, or empty
        Units of one family are not matched with each other.
    found : ndarray of int, shape (treated, rounds)
        Filled with places of matches, or `NOBODY`, or `TOO_FAR`.
    """
    plain = widths.shape[0] == 0 and family.shape[0] == 0
    tiny = TINY * (scores.max() - scores.min()) if scores.shape[0] > 0 else 0.0
    after = np.arange(scores.shape[0] + 1, dtype=np.int32)
    before = np.arange(scores.shape[0] + 1, dtype=np.int32)
    for turn in range(found.shape[1]):
        heap = [(0.0, 0)]
        heap.pop()
        if closest:
            for rank in range(order.shape[0]):
                heap.append((0.0, rank))
        following = 0
        while following < order.shape[0] or len(heap) > 0:
            seen, rank = 0.0, following
            if closest:
                if len(heap) == 0:
                    break
                seen, rank = heapq.heappop(heap)
            else:
                following += 1
            unit = order[rank]
            if turn > 0 and found[unit, turn - 1] < 0:
                found[unit, turn] = found[unit, turn - 1]
                continue
            score, start, stop = own[unit], low[unit], high[unit]
            right, left = places[unit], places[unit]
            chosen, best = NOBODY, 0.0
            while True:
                while right < stop and after[right] != right:
                    step = after[right]
                    if step < stop:
                        after[right] = after[step]
                    right = step
                while left > start and before[left] != left:
                    step = before[left]
                    if step > start:
                        before[left] = before[step]
                    left = step
                ahead = scores[right] - score if right < stop else np.inf
                behind = score - scores[left - 1] if left > start else np.inf
                best = min(ahead, behind)
                if best == np.inf:
                    break
                if best > width:
                    chosen = TOO_FAR
                    break
                at = right
                if behind < ahead - tiny:
                    at = left - 1
                    if plain:
                        # Of equal scores the first that is free, as on the other side.
                        at = equal[at]
                        while after[at] != at:
                            at = after[at]
                fits = True
                for other in range(widths.shape[0]):
                    if abs(near[at, other] - near_own[unit, other]) > widths[other]:
                        fits = False
                if family.shape[0] > 0 and family[at] == own_family[unit]:
                    fits = False
                if fits:
                    chosen = at
                    break
                chosen = TOO_FAR
                if behind < ahead - tiny:
                    left -= 1
                else:
                    right += 1
            if closest and chosen >= 0 and best > seen + tiny:
                heapq.heappush(heap, (best, rank))
                continue
            found[unit, turn] = chosen
            if chosen >= 0:
                capacity[chosen] -= 1
                if capacity[chosen] <= 0:
                    after[chosen] = chosen + 1
                    before[chosen + 1] = chosen


def reach(
    scores: np.ndarray,
    own: np.ndarray,
    places: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    first: int,
    last: int,
    width: float,
    ratio: int,
    near: np.ndarray,
    near_own: np.ndarray,
    widths: np.ndarray,
    family: np.ndarray,
    own_family: np.ndarray,
    radius: np.ndarray,
    count: np.ndarray,
) -> None:
    """Find how far each treated unit must look for `ratio` matches, with replacement.

    Fills `radius` with the distance of the last match needed and `count` with the units within
    it, ties included (`NOBODY` or `TOO_FAR` where there is none), for treated units `first` to
    `last`. Other arguments as in `without_replacement`.
    """
    tiny = TINY * (scores.max() - scores.min()) if scores.shape[0] > 0 else 0.0
    for unit in range(first, last):
        score, start, stop = own[unit], low[unit], high[unit]
        right, left = places[unit], places[unit] - 1
        held, edge = 0, 0.0
        state = NOBODY
        while True:
            ahead = scores[right] - score if right < stop else np.inf
            behind = score - scores[left] if left >= start else np.inf
            nearest = min(ahead, behind)
            if nearest == np.inf:
                break
            if nearest > width or (held >= ratio and nearest > edge + tiny):
                state = TOO_FAR
                break
            at = right
            if behind < ahead - tiny:
                at = left
                left -= 1
            else:
                right += 1
            fits = True
            for other in range(widths.shape[0]):
                if abs(near[at, other] - near_own[unit, other]) > widths[other]:
                    fits = False
            if family.shape[0] > 0 and family[at] == own_family[unit]:
                fits = False
            if fits:
                held += 1
                if held <= ratio:
                    edge = nearest
            else:
                state = TOO_FAR
        radius[unit] = edge
        count[unit] = held if held > 0 else state


def collect(
    scores: np.ndarray,
    own: np.ndarray,
    places: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    first: int,
    last: int,
    near: np.ndarray,
    near_own: np.ndarray,
    widths: np.ndarray,
    family: np.ndarray,
    own_family: np.ndarray,
    count: np.ndarray,
    at_most: int,
    offsets: np.ndarray,
    matches: np.ndarray,
) -> None:
    """Write down the units that `reach` counted, nearest first, at most `at_most` each."""
    tiny = TINY * (scores.max() - scores.min()) if scores.shape[0] > 0 else 0.0
    for unit in range(first, last):
        want = min(count[unit], at_most)
        if want <= 0:
            continue
        score, start, stop = own[unit], low[unit], high[unit]
        right, left = places[unit], places[unit] - 1
        held, put = 0, offsets[unit]
        while held < want:
            ahead = scores[right] - score if right < stop else np.inf
            behind = score - scores[left] if left >= start else np.inf
            at = right
            if behind < ahead - tiny:
                at = left
                left -= 1
            else:
                right += 1
            fits = True
            for other in range(widths.shape[0]):
                if abs(near[at, other] - near_own[unit, other]) > widths[other]:
                    fits = False
            if family.shape[0] > 0 and family[at] == own_family[unit]:
                fits = False
            if fits:
                matches[put + held] = at
                held += 1
