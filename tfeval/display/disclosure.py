"""Small numbers: what may be shown of counts and rates about people."""

from __future__ import annotations

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
