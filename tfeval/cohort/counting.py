"""Counting over windows: each event table is read once, for all windows together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import ibis
from ibis import _

from tfeval.cohort.settings import BASELINE_MONTHS, as_date, column_of
from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.records.store import Records

BEFORE = "before"
_FAR = 2_000_000  # a day number after every date: the end of a spell that goes on


@dataclass(frozen=True)
class Window:
    """A time before or after the index date.

    Attributes
    ----------
    name : str
        "before", or the months after.
    start, end : str
        Columns of the units with its first day and the first day after it, as day numbers.
    months : int
        Its length.
    """

    name: str
    start: str
    end: str
    months: int

    @property
    def timing(self) -> str:
        """Whether it lies "before" or "after" the index date."""
        return BEFORE if self.name == BEFORE else "after"


def windows(horizons: Iterable[int]) -> tuple[Window, ...]:
    """Return the window before the index date and those after it."""
    after = tuple(Window(str(months), "day0", f"day{months}", months) for months in horizons)
    return (Window(BEFORE, "day_before", "day0", BASELINE_MONTHS), *after)


def baseline_labels() -> dict[str, str]:
    """Return the columns of outcomes before the index date, with their names for readers.

    Examples
    --------
    >>> baseline_labels()["offences_before"]
    'Proven offences'
    """
    return {column_of(row.name, BEFORE): row.label for row in cohort_outcomes() if row.baseline}


def with_windows(units: ibis.Table, horizons: Iterable[int]) -> ibis.Table:
    """Add the edges of the windows as day numbers.

    Parameters
    ----------
    units : ibis.Table
        With `index_on`.
    horizons : iterable of int
        Months after.

    Notes
    -----
    A window before is [index - 12 months, index), one after is [index, index + months): what
    happens on the index date itself is after it.
    """
    edges = {
        f"day{months}": as_date(units["index_on"] + ibis.interval(months=months)).epoch_days()
        for months in horizons
    }
    return units.mutate(
        day_before=as_date(units["index_on"] - ibis.interval(months=BASELINE_MONTHS)).epoch_days(),
        day0=_.index_on.epoch_days(),
        **edges,
    )


def counted(
    records: Records,
    units: ibis.Table,
    table: str,
    wanted: list[Outcome],
    spans: tuple[Window, ...],
) -> ibis.Table:
    """Count all outcomes of one table over all windows, in one pass.

    Parameters
    ----------
    records : Records
        The extract.
    units : ibis.Table
        `unit`, `family_id` and the edges of the windows; with `person_id`, one row a person, of
        whom only the events known to be theirs count.
    table : str
        The table to read.
    wanted : list of Outcome
        Counted there.
    spans : tuple of Window
        The windows.

    Returns
    -------
    ibis.Table
        `unit` and a column for each outcome and window; units without any row are left out.
    """
    rows = _dated(records, table, wanted, by_person="person_id" in units.columns)
    one_each = "person_id" in units.columns
    who = "person_id" if one_each else "family_id"
    reach = units.select("unit", who, *_edges(spans))
    if "person_id" in rows.columns and not one_each:
        people = records.table("people").select("person_id", "family_id")
        reach = reach.inner_join(people, "family_id").drop("family_id")
    joined = reach.inner_join(rows, "person_id" if "person_id" in rows.columns else "family_id")
    last = ibis.greatest(*(joined[span.end] for span in spans))
    joined = joined.filter((joined["to"] > joined["day_before"]) & (joined["from"] < last))
    sums = {
        column_of(row.name, span.name): _total(joined, row, span)
        for row in wanted
        for span in spans
    }
    return joined.group_by("unit").aggregate(**sums)


def _edges(spans: tuple[Window, ...]) -> list[str]:
    return sorted({edge for span in spans for edge in (span.start, span.end)})


def _dated(records: Records, table: str, wanted: list[Outcome], *, by_person: bool) -> ibis.Table:
    """Return only the rows and columns that count, with dates as day numbers."""
    rows = records.table(table)
    kind = wanted[0].kind
    # Incidents are of a family, and of one of its people only where that is known.
    who = "family_id" if "family_id" in rows.columns and not by_person else "person_id"
    flags = {f"is_{row.name}": _counts(rows, row) for row in wanted}
    if kind == "days":
        begun = rows["started_on"].epoch_days()
        done = rows["ended_on"].epoch_days().fill_null(_FAR)
    elif kind == "sums":
        begun, done = rows["term_start"].epoch_days(), rows["term_end"].epoch_days() + 1
        flags = {row.column: rows[row.column] for row in wanted}
    else:
        dates = {f"on_{m.name}": rows[m.column].epoch_days() for m in wanted}
        begun = ibis.least(*dates.values()) if len(dates) > 1 else next(iter(dates.values()))
        done = (
            ibis.greatest(*dates.values()) if len(dates) > 1 else next(iter(dates.values()))
        ) + 1
        flags |= dates
    narrowed = rows.select(**{who: rows[who], "from": begun, "to": done}, **flags)
    if kind == "sums":
        return narrowed
    return narrowed.filter(ibis.or_(*(narrowed[f"is_{m.name}"] for m in wanted)))


def _counts(rows: ibis.Table, wanted: Outcome) -> ibis.Value:
    """Tell whether a row counts towards an outcome."""
    passed = ibis.literal(True)
    if wanted.kind == "events":
        passed = rows[wanted.column].notnull()
    for column, values in wanted.where:
        passed = passed & rows[column].isin(values)
    return passed & (rows[wanted.above_zero] > 0) if wanted.above_zero else passed


def _total(joined: ibis.Table, wanted: Outcome, span: Window) -> ibis.Value:
    start, end = joined[span.start], joined[span.end]
    if wanted.kind == "sums":
        whole = (joined["from"] >= start) & (joined["to"] <= end)
        return _sum(ibis.ifelse(whole, joined[wanted.column], 0))
    flag = joined[f"is_{wanted.name}"]
    if wanted.kind == "days":
        held = ibis.least(joined["to"], end) - ibis.greatest(joined["from"], start)
        return _sum(ibis.ifelse(flag & (held > 0), held, 0))
    on = joined[f"on_{wanted.name}"]
    return _sum(ibis.ifelse(flag & (on >= start) & (on < end), 1, 0))


def _sum(counts: ibis.Value) -> ibis.Value:
    # Engines give sums of whole numbers different types; as floats they are exact below 2^53.
    return counts.cast("float64").sum().cast("int64")
