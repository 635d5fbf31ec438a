"""The loops of sorting and merging scores; compiled for large studies."""
# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np


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
