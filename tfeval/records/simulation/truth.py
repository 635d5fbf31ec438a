"""The truth of a simulation: both potential outcomes of everybody, at each horizon."""

from __future__ import annotations

import numpy as np

from tfeval.records.simulation.processes import Spells

#: Months after the index date.
HORIZONS = (6, 12, 18, 24)


def add_months(day: np.ndarray, months: int) -> np.ndarray:
    """Return days some calendar months later, or the month's last day where it is shorter.

    Parameters
    ----------
    day : int array
        Days from 1970-01-01.
    months : int
        How many months later.

    Examples
    --------
    >>> end_of_august = np.datetime64("2013-08-31").astype(int)
    >>> add_months(np.array([end_of_august]), 6).astype("datetime64[D]").tolist()
    [datetime.date(2014, 2, 28)]
    """
    dates = np.asarray(day).astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    of_month = (dates - month.astype("datetime64[D]")).astype(np.int64)
    later = month + months
    longest = ((later + 1).astype("datetime64[D]") - later.astype("datetime64[D]")).astype(
        np.int64
    ) - 1
    first = later.astype("datetime64[D]").astype(np.int64)
    return (first + np.minimum(of_month, longest)).astype(np.int32)


def horizon_days(index: np.ndarray) -> np.ndarray:
    """Return the end of each horizon, itself excluded, as an array (n, 4) of days."""
    return np.column_stack([add_months(index, months) for months in HORIZONS])


def counted(
    unit: np.ndarray,
    day: np.ndarray,
    index: np.ndarray,
    ends: np.ndarray,
    n_units: int,
    *,
    since: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Return how many events (or how much of a weight) lie from the index date to each horizon.

    Parameters
    ----------
    unit, day : int array (m,)
        Whose event, and its day.
    index : int array (n,)
        Index date of each unit.
    ends : int array (n, 4)
        From `horizon_days`.
    n_units : int
        n.
    since : int array (m,), optional
        Day that must not lie before the index date, where it is not `day`: a term's first.
    weight : array (m,), optional
        What each event counts.

    Returns
    -------
    int array (n, 4)
    """
    inside = (day if since is None else since) >= index[unit]
    unit, day = unit[inside], day[inside]
    bin_of = (day[:, None] >= ends[unit]).sum(axis=1)
    width = len(HORIZONS) + 1
    weights = None if weight is None else weight[inside].astype(float)
    total = np.bincount(unit * np.int64(width) + bin_of, weights, minlength=n_units * width)
    return total.reshape(n_units, width)[:, :-1].cumsum(axis=1).astype(np.int32)


def covered(spells: Spells, index: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the days that spells cover from the index date to each horizon, and whether at it.

    Returns
    -------
    int array (n, 4), bool array (n, 4)
        Days, and whether a spell is open on the horizon's own day.
    """
    n = index.size
    near = (spells.end > index[spells.unit]) & (spells.start <= ends[spells.unit, -1])
    unit, start, end = spells.unit[near], spells.start[near], spells.end[near]
    begins = np.maximum(start, index[unit])
    days = np.empty((n, len(HORIZONS)), dtype=np.int32)
    at = np.empty((n, len(HORIZONS)), dtype=bool)
    for place in range(len(HORIZONS)):
        horizon = ends[unit, place]
        length = np.maximum(np.minimum(end, horizon) - begins, 0)
        days[:, place] = np.bincount(unit, length, minlength=n)
        at[:, place] = np.bincount(unit[(start <= horizon) & (end > horizon)], minlength=n) > 0
    return days, at
