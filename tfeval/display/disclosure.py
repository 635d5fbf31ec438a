"""Small numbers: what may be shown of counts and rates about people."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Counts below this are not shown, nor anything computed from so few (ONS and UK LLC: 10).
THRESHOLD = 10
#: Counts are shown to the nearest five.
BASE = 5


def safe_count(count: float) -> str:
    """Write a count of people or families as it may be shown.

    Parameters
    ----------
    count : float
        How many.

    Examples
    --------
    >>> safe_count(7), safe_count(0), safe_count(1234)
    ('fewer than 10', 'fewer than 10', '1,235')
    """
    if count < THRESHOLD:
        return f"fewer than {THRESHOLD}"
    return f"{BASE * round(count / BASE):,}"


def safe_mean(values: pd.Series, digits: int = 2) -> str:
    """Write a mean as it may be shown: not of fewer than ten, nor where fewer than ten differ.

    Parameters
    ----------
    values : Series
        One value a unit; missing ones are left out.
    digits : int, default 2
        Decimals.

    Notes
    -----
    A mean of a rare event gives away its count. So it is hidden where fewer than ten units have
    it, or fewer than ten have not.

    Examples
    --------
    >>> safe_mean(pd.Series([0.0] * 30 + [1.0] * 5)), safe_mean(pd.Series([0.0, 1.0] * 20))
    ('hidden', '0.50')
    """
    known = values.dropna()
    some = int((known != 0).sum())
    if len(known) < THRESHOLD or some < THRESHOLD or 0 < len(known) - some < THRESHOLD:
        return "hidden"
    return f"{known.mean():,.{digits}f}"


def hidden_parts(counts: np.ndarray) -> np.ndarray:
    """Tell which parts of a whole may not be shown, so that none can be worked out.

    Parameters
    ----------
    counts : ndarray of int, shape (parts, groups)
        How many of each group stand in each part; a group's parts add up to all of it.

    Returns
    -------
    ndarray of bool, shape (parts,)
        Parts of fewer than ten in some group, and, while a group's hidden parts together are
        fewer than ten, the next smallest part: otherwise the rest would give them away.

    Examples
    --------
    >>> hidden_parts(np.array([[4], [30], [200]])).tolist()
    [True, True, False]
    >>> hidden_parts(np.array([[12], [30], [200]])).tolist()
    [False, False, False]
    """
    hidden = np.asarray((counts < THRESHOLD).any(axis=1))
    smallest = counts.min(axis=1)
    while hidden.any() and not hidden.all():
        together = counts[hidden].sum(axis=0)
        if (together >= THRESHOLD).all():
            break
        hidden[np.where(hidden, np.inf, smallest).argmin()] = True
    return hidden
