"""Units in order of stratum and score, with ties broken the same way on every run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.impact.matching.nearest_loops import order_by_digits, stand
from tfeval.impact.study.covariates import LARGE, for_size, in_parts


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm's units, sorted by stratum, score and tie-break."""

    rows: np.ndarray  # (units,) int: positions in the study
    scores: np.ndarray  # (units,): rising within a stratum
    starts: np.ndarray  # (strata + 1,) int: where each stratum begins


def sorted_arm(
    rows: np.ndarray,
    score: np.ndarray,
    strata: np.ndarray | None = None,
    unit: np.ndarray | None = None,
) -> Arm:
    """Sort one arm's rows.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the arm's units, rising.
    score : ndarray of float, shape (n,)
        Of all units.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0 of all units.
    unit : ndarray, optional, shape (n,)
        Identifiers; they decide between equal scores, so that the order of rows does not.

    Examples
    --------
    >>> arm = sorted_arm(np.array([0, 2, 3]), np.array([0.5, 9.0, 0.1, 0.5]))
    >>> arm.rows.tolist(), arm.scores.tolist()
    ([2, 0, 3], [0.1, 0.5, 0.5])
    """
    if strata is None:
        starts = np.array([0, len(rows)])
        scores, order = ascending(score[rows])
        found = rows[order]
    else:
        codes = strata[rows]
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=strata.max() + 1))])
        grouped = rows[_by_code(codes)]
        values = score[grouped]
        found, scores = np.empty_like(grouped), np.empty_like(values)
        middle = int(np.searchsorted(starts, len(rows) // 2))
        parts = [(0, middle), (middle, len(starts) - 1)] if len(rows) > 50_000 else [
            (0, len(starts) - 1)]  # fmt: skip

        def sort_strata(first: int, last: int) -> None:
            for low, high in zip(starts[first:last], starts[first + 1 : last + 1], strict=True):
                scores[low:high], order = ascending(values[low:high])
                found[low:high] = grouped[low:high][order]

        in_parts(sort_strata, parts)
    _break_ties(found, scores, starts, unit)
    return Arm(found, scores, starts)


def ascending(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values sorted, and the order that sorts them, equal ones as they stand.

    Whole numbers in place of the values are sorted many times as fast. Where so many digits do
    not fit, the slow way is taken.

    Examples
    --------
    >>> values, order = ascending(np.array([0.5, 0.1, 0.5, 0.2]))
    >>> values.tolist(), order.tolist()
    ([0.1, 0.2, 0.5, 0.5], [1, 3, 0, 2])
    """
    size = len(values)
    low, high = (values.min(), values.max()) if size else (0.0, 0.0)
    if size < 1_000 or not np.isfinite(high - low) or not high > low:
        return _slowly(values)
    bits = size.bit_length()
    scaled = values - low
    scaled *= 2.0 ** (62 - bits) / (high - low)
    keys = scaled.astype(np.int64)
    if size >= LARGE:
        keys = for_size(order_by_digits, size)(keys, scaled.view(np.int64), bits)
    else:
        keys = np.argsort(keys, kind="stable")
    del scaled
    found = values[keys]
    if len(wrong := _falling(found)):
        # Values too near to each other for their digits change places.
        keys[wrong], keys[wrong + 1] = keys[wrong + 1], keys[wrong]
        found = values[keys]
        if len(_falling(found)):
            return _slowly(values)
    return found, keys


def _slowly(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values, kind="stable")
    return values[order], order


def _falling(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(values[1:] < values[:-1])


def standing(own: Arm, other: Arm) -> np.ndarray:
    """Return where each unit of one arm stands in the other; see `stand` for the three rows."""
    found = np.empty((3, len(own.rows)), dtype=np.int64)
    size = len(own.rows) + len(other.rows)
    for_size(stand, size)(other.scores, other.starts, own.scores, own.starts, *found)
    return found


def first_equal(arm: Arm) -> np.ndarray:
    """Return for each unit the place of the first one of its stratum with the same score."""
    places = np.arange(len(arm.scores), dtype=np.int32)
    begins = arm.starts[(arm.starts > 0) & (arm.starts < len(places))]
    same = arm.scores[1:] == arm.scores[:-1]
    same[begins - 1] = False
    places[1:][same] = 0
    return np.maximum.accumulate(places, out=places)


def _by_code(codes: np.ndarray) -> np.ndarray:
    # Small integers are sorted by counting, which is stable and linear.
    small = codes.astype(np.uint16) if codes.max(initial=0) < 65536 else codes
    return np.argsort(small, kind="stable")


def _break_ties(
    rows: np.ndarray, scores: np.ndarray, starts: np.ndarray, unit: np.ndarray | None
) -> None:
    """Put units of equal score in order of identifier, or of row; in place."""
    same = scores[1:] == scores[:-1]
    if not same.any():
        return
    edge = starts[(starts > 0) & (starts < len(rows))] - 1
    same[edge] = False
    run = np.concatenate([[0], np.cumsum(~same)])
    tied = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same]))
    key = rows[tied] if unit is None else unit[rows[tied]]
    ranks = np.unique(key, return_inverse=True)[1]
    rows[tied] = rows[tied][np.lexsort((ranks, run[tied]))]


def matching_order(arm: Arm, order: str, seed: int, unit: np.ndarray | None) -> np.ndarray:
    """Return places in a sorted arm in the order in which its units choose.

    Parameters
    ----------
    arm : Arm
        The treated.
    order : {"largest", "smallest", "random", "data"}
        By score; by a permutation of the identifiers; or as the rows stand.
    seed : int
        Of the permutation.
    unit : ndarray, optional
        Identifiers; without them a permutation depends on the order of rows.
    """
    places = np.arange(len(arm.rows))
    if order == "data":
        return np.argsort(arm.rows, kind="stable")
    if order == "random":
        key = arm.rows if unit is None else unit[arm.rows]
        standing = np.argsort(key, kind="stable")
        return standing[np.random.default_rng(seed).permutation(len(places))]
    if len(arm.starts) > 2:
        # Strata do not compete, so the order matters only within each.
        sizes = np.diff(arm.starts)
        within = places - np.repeat(arm.starts[:-1], sizes)
        flipped = np.repeat(arm.starts[1:] - 1, sizes) - within
        falling = flipped
    else:
        falling = places[::-1]
    return np.ascontiguousarray(_in_tie_order(arm, places if order == "smallest" else falling))


def _in_tie_order(arm: Arm, order: np.ndarray) -> np.ndarray:
    """Keep the order of equal scores: the first of them first, whichever way the scores run."""
    scores = arm.scores[order]
    same = scores[1:] == scores[:-1]
    if not same.any() or (np.diff(order[:2]) > 0).all():
        return order
    run = np.concatenate([[0], np.cumsum(~same)])
    return order[np.lexsort((order, run))]
