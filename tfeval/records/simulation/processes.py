"""The events that families and people meet: their rates, and how they are drawn.

Every record but a school term begins as a *candidate*: a unit, a day, and a uniform mark. A
candidate happens in a world if its mark lies below that world's rate relative to the highest, so
both potential outcomes come from the same random numbers (thinning; Lewis and Shedler 1979, Naval
Research Logistics Quarterly 26, 403-413, algorithm 1). Spells are candidates with a length, and
those of one unit that touch are merged: an M/G/infinity busy period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

# From arrays of a simulation to Arrow columns.


def text(values: np.ndarray) -> pa.Array:
    """Return fixed-width bytes as an Arrow column of text."""
    width = values.dtype.itemsize
    offsets = np.arange(values.size + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(values)
    return pa.StringArray.from_buffers(values.size, pa.py_buffer(offsets), pa.py_buffer(data))


def chosen(
    index: np.ndarray, values: pa.Array | Sequence[str], empty: np.ndarray | None = None
) -> pa.Array:
    """Return values picked by index, dictionary-encoded; null where `empty`."""
    codes = pa.array(index.astype(np.int32), mask=empty)
    words = values if isinstance(values, pa.Array) else pa.array(list(values), type=pa.string())
    return pa.DictionaryArray.from_arrays(codes, words)


def dates(day: np.ndarray, empty: np.ndarray | None = None) -> pa.Array:
    """Return days from 1970-01-01 as dates; null where `empty`."""
    return pa.array(day.astype(np.int32), mask=empty).view(pa.date32())


def whole(values: np.ndarray) -> pa.Array:
    """Return whole numbers as 32-bit integers."""
    return pa.array(values.astype(np.int32))


def numbers(count: int, block: int) -> pa.Array:
    """Return row numbers that no other block gives."""
    return pa.array(np.arange(count, dtype=np.int64) + (block << 24))


YEAR = 365.25
MONTH = YEAR / 12


@dataclass(frozen=True)
class Process:
    """One kind of event.

    Attributes
    ----------
    name : str
        As in `OUTCOMES`.
    per_year : float
        Mean rate, a year, of the people (or families) it can happen to, outside a crisis.
    of : {"person", "family"}
        Whom it happens to.
    kind : str
        The kind of family (`KINDS`) in which it is more frequent.
    ages : (int, int)
        Youngest, and first too old, age.
    youth : float
        Rate under 18, relative to `per_year`.
    mean_days : float
        Mean length of a spell; 0 for a point event.
    crisis : float
        How far a crisis raises it, relative to `crisis_height`.
    loading : float
        1 if need raises it, -1 if need lowers it.
    """

    name: str
    per_year: float
    of: str = "person"
    kind: str = ""
    ages: tuple[int, int] = (0, 110)
    youth: float = 1.0
    mean_days: float = 0.0
    crisis: float = 0.0
    loading: float = 1.0


# Rates are set so that without the programme the attached come near the comparison group of the
# phase two evaluation (MHCLG 2019; `evaluation_outcomes.csv`): over 24 months 4.6% of juveniles
# convicted, 0.8% and 1.6% of juveniles and adults in custody; in months 19-24 2.5% of children
# looked after, 10.5% of adults on Jobseeker's Allowance. No comparison rate was published for the
# other outcomes: theirs are assumptions, chosen to be plausible for families with several
# problems.
PROCESSES = {
    process.name: process
    for process in (
        Process("offences", 0.042, kind="crime", ages=(10, 60), youth=0.95, crisis=0.6),
        Process("asb_incidents", 0.50, "family", kind="crime", crisis=1.0),
        Process("domestic_abuse", 0.30, "family", kind="abuse", crisis=1.0),
        Process("ae_attendances", 0.45, kind="health", crisis=0.3),
        Process("emergency_admissions", 0.07, kind="health", crisis=0.3),
        Process("out_of_work", 0.28, kind="work", ages=(18, 65), mean_days=480, crisis=0.3),
        Process("employment", 0.55, kind="work", ages=(17, 66), mean_days=700, loading=-1.0),
        Process("in_need", 0.09, kind="children", ages=(0, 18), mean_days=240, crisis=1.0),
        Process("protection_plan", 0.020, kind="children", ages=(0, 18), mean_days=270, crisis=1.0),
        Process("looked_after", 0.0117, kind="children", ages=(0, 18), mean_days=500, crisis=0.8),
    )
}


@dataclass(frozen=True)
class Candidates:
    """Events that may happen, of one process.

    Attributes
    ----------
    unit : int array (m,)
        Index of the person or family.
    start : int array (m,)
        Day, from 1970-01-01.
    mark : float array (m,)
        Uniform on [0, highest ratio): it happens where the world's ratio is above it.
    length : float array (m,)
        Days; empty for a point event.
    """

    unit: np.ndarray
    start: np.ndarray
    mark: np.ndarray
    length: np.ndarray

    def keep(self, chosen: np.ndarray) -> Candidates:
        """Return some of the candidates."""
        length = self.length[chosen] if self.length.size else self.length
        return Candidates(self.unit[chosen], self.start[chosen], self.mark[chosen], length)


@dataclass(frozen=True)
class Spells:
    """Spells by unit and start; an end is the first day on which the spell no longer held."""

    unit: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def keep(self, chosen: np.ndarray) -> Spells:
        """Return some of the spells."""
        return Spells(self.unit[chosen], self.start[chosen], self.end[chosen])


def draw(
    process: Process,
    rate: np.ndarray,
    *,
    window: tuple[int, int],
    crisis: tuple[np.ndarray, np.ndarray, float],
    highest: float,
    rng: np.random.Generator,
) -> Candidates:
    """Return the candidates of a process.

    Parameters
    ----------
    process : Process
        What is drawn.
    rate : float array (n,)
        Events a year of each unit, outside a crisis.
    window : (int, int)
        First day and last day of the records; spells may begin up to four mean lengths earlier.
    crisis : (array (n,), array (n,), float)
        Day on which each unit's crisis begins, its height (0: no crisis), and its mean days.
    highest : float
        The largest ratio to the usual rate that a world may reach, at least 1.
    rng : numpy.random.Generator
        Source of randomness.

    Notes
    -----
    A crisis adds a second Poisson process of rate `rate * height * exp(-(t - start)/days)`: its
    number has mean `rate * height * days` and its times are start plus exponential.
    """
    first = window[0] - int(4 * process.mean_days)
    last = window[1] + 1
    usual = rng.poisson(rate * highest * ((last - first) / YEAR))
    begins, height, days = crisis
    extra = rng.poisson(rate * highest * process.crisis * height * (days / YEAR))
    everyone = np.arange(rate.size, dtype=np.int32)
    unit = np.concatenate([np.repeat(everyone, usual), np.repeat(everyone, extra)])
    uniform = rng.integers(first, last, usual.sum(), dtype=np.int32)
    fading = begins[np.repeat(everyone, extra)] + rng.exponential(days, extra.sum())
    start = np.concatenate([uniform, np.minimum(fading, last).astype(np.int32)])
    mark = rng.random(unit.size, dtype=np.float32) * np.float32(highest)
    length = (
        1 + rng.exponential(process.mean_days, unit.size)
        if process.mean_days
        else np.empty(0, dtype=np.float64)
    )
    drawn = Candidates(unit, start, mark, length)
    return drawn.keep(start < last)


def merge(unit: np.ndarray, start: np.ndarray, end: np.ndarray) -> Spells:
    """Return spells that cover the same days of each unit, with none that touch.

    Parameters
    ----------
    unit, start, end : int array (m,)
        Spells in any order, ends excluded; those with `end <= start` cover nothing.

    Examples
    --------
    >>> found = merge(np.array([0, 0, 0, 1]), np.array([5, 0, 20, 3]), np.array([9, 5, 22, 4]))
    >>> found.unit.tolist(), found.start.tolist(), found.end.tolist()
    ([0, 0, 1], [0, 20, 3], [9, 22, 4])
    """
    some = end > start
    unit, start, end = unit[some], start[some], end[some]
    if not unit.size:
        return Spells(unit, start, end)
    # Shifted so far apart by unit that one running maximum serves all of them.
    shift = unit.astype(np.int64) * (1 << 20)
    order = np.argsort(shift + start, kind="stable")
    unit, begins, stops = unit[order], (shift + start)[order], (shift + end)[order]
    reach = np.maximum.accumulate(stops)
    fresh = np.ones(unit.size, dtype=bool)
    fresh[1:] = begins[1:] > reach[:-1]
    heads = np.flatnonzero(fresh)
    tails = np.append(heads[1:], unit.size) - 1
    base = shift[order][heads]
    return Spells(
        unit[heads], (begins[heads] - base).astype(np.int32), (reach[tails] - base).astype(np.int32)
    )


def outside(spells: Spells, others: Spells) -> Spells:
    """Return the parts of spells that others, merged and of the same units, do not cover.

    Examples
    --------
    >>> one = Spells(np.array([0]), np.array([0]), np.array([10]))
    >>> found = outside(one, Spells(np.array([0]), np.array([4]), np.array([6])))
    >>> found.start.tolist(), found.end.tolist()
    ([0, 6], [4, 10])
    """
    unit = np.concatenate([spells.unit, spells.unit, others.unit, others.unit])
    day = np.concatenate([spells.start, spells.end, others.start, others.end])
    step = np.repeat(np.array([1, -1, -4, 4]), [spells.unit.size] * 2 + [others.unit.size] * 2)
    order = np.lexsort((day, unit))
    unit, day = unit[order], day[order]
    # On only where one of ours is open and none of theirs: then the running sum is 1.
    on = np.cumsum(step[order]) == 1
    follows = np.flatnonzero(on[:-1])
    start, end = day[follows], day[follows + 1]
    return merge(unit[follows], start, end)
