"""Which columns of a regression say nothing of their own."""

from __future__ import annotations

import numpy as np

#: Share of a column's variance that the intercept and the columns before must leave unexplained.
ALIASED = 1e-10
#: Squared standard deviation, as a share of the mean square about 0, that is rounding alone.
ROUNDING = 1e-24


def aliased(gram: np.ndarray, magnitude: np.ndarray | None = None) -> np.ndarray:
    """Say which columns are a combination of the intercept and those before them.

    Parameters
    ----------
    gram : ndarray, shape (1 + k, 1 + k)
        Weighted cross-products of (1, x), the intercept first.
    magnitude : ndarray, optional, shape (k,)
        Weighted sums of squares of the columns before anything was taken off them, see
        `magnitude_of`: what varies by less than their digits is rounding. By default those of
        `gram`.

    Returns
    -------
    ndarray of bool, shape (k,)

    Notes
    -----
    Columns are taken in order and swept out one by one, as in the limited pivoting of R's `lm`:
    the intercept stays, and of columns that say the same the first. A column is measured against
    itself alone, so no unit matters.

    Examples
    --------
    >>> x = np.array([[1, 1, 1, 1.0], [0, 1, 0, 1], [1, 0, 1, 0], [1, 2, 3, 4]])
    >>> aliased(x @ x.T).tolist()
    [False, True, False]
    """
    left = np.array(gram, dtype=float)
    count = len(left) - 1
    found = np.zeros(count, dtype=bool)
    if not left[0, 0] > 0:
        return ~found
    left -= np.outer(left[:, 0], left[0]) / left[0, 0]
    own, square = np.diagonal(left).copy(), np.diagonal(gram)
    floor = ROUNDING * (square[1:] if magnitude is None else magnitude)
    for place in range(1, count + 1):
        pivot = left[place, place]
        if not pivot > max(ALIASED * own[place], floor[place - 1]) or not own[place] > (
            ALIASED * square[place]
        ):
            found[place - 1] = True
            continue
        left -= np.outer(left[:, place], left[place]) / pivot
    return found


def magnitude_of(gram: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """Return the columns' weighted sums of squares before a shift was taken off, shape (k,)."""
    square = np.diagonal(gram)[1:]
    if shift is None:
        return square
    return square + 2.0 * shift * gram[0, 1:] + shift**2 * gram[0, 0]
