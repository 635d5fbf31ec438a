"""The loops of sorting and merging scores; compiled for large studies."""
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np


def sort_by_digits(keys: np.ndarray, spare: np.ndarray, shift: int) -> np.ndarray:
    """Sort whole numbers by their bits from `shift` to 62, equal ones as they stand.

    Digits of eight bits are sorted by counting, the lowest first (Knuth, The Art of Computer
    Programming 3, 5.2.5, algorithm R): a handful of readings, whatever the values are.

    Parameters
    ----------
    keys, spare : ndarray of int64, shape (n,)
        The numbers, at least 0 and below 2 to the 62; and room for as many. Both are overwritten.
    shift : int
        Bits below, which do not count.

    Returns
    -------
    ndarray of int64, shape (n,)
        One of the two arrays, sorted.

    Examples
    --------
    >>> keys = np.array([3 << 8, 1 << 8, (1 << 8) + 5, 0])
    >>> sort_by_digits(keys, np.empty_like(keys), 8).tolist()
    [0, 256, 261, 768]
    """
    size = keys.shape[0]
    turns = (62 - shift + 7) // 8
    counts = np.zeros((turns, 256), dtype=np.int64)
    for place in range(size):
        left = keys[place] >> shift
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
        low = shift + 8 * turn
        for place in range(size):
            digit = (keys[place] >> low) & 255
            spare[counts[turn, digit]] = keys[place]
            counts[turn, digit] += 1
        keys, spare = spare, keys
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
