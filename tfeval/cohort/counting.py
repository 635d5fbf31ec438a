"""Counting over windows: each event table is read once, for all windows together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import ibis
from ibis import _

from tfeval.cohort.settings import BASELINE_MONTHS, Measure, as_date
from tfeval.records.store import Records

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


def windows(horizons: Iterable[int]) -> tuple[Window, ...]:
    """Return the window before the index date and those after it."""
    after = tuple(Window(str(months), "day0", f"day{months}", months) for months in horizons)
    return (Window("before", "day_before", "day0", BASELINE_MONTHS), *after)


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
    wanted: list[Measure],
    spans: tuple[Window, ...],
) -> ibis.Table:
    """Count all measures of one table over all windows, in one pass.

    Parameters
    ----------
    records : Records
        The extract.
    units : ibis.Table
        `unit`, `family_id` and the edges of the windows; with `person_id`, one row a person, of
        whom only the events known to be theirs count.
    table : str
        The table to read.
    wanted : list of Measure
        Its measures.
    spans : tuple of Window
        The windows.

    Returns
    -------
    ibis.Table
        `unit` and a column "measure_window" for each; units without any row are left out.
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
        f"{measure.name}_{span.name}": _total(joined, measure, span)
        for measure in wanted
        for span in spans
    }
    return joined.group_by("unit").aggregate(**sums)


def _edges(spans: tuple[Window, ...]) -> list[str]:
    return sorted({edge for span in spans for edge in (span.start, span.end)})


def _dated(records: Records, table: str, wanted: list[Measure], *, by_person: bool) -> ibis.Table:
    """Return only the rows and columns that count, with dates as day numbers."""
    rows = records.table(table)
    kind = wanted[0].kind
    who = "family_id" if kind == "family_events" and not by_person else "person_id"
    flags = {f"is_{measure.name}": _counts(rows, measure) for measure in wanted}
    if kind == "days":
        begun = rows["started_on"].epoch_days()
        done = rows["ended_on"].epoch_days().fill_null(_FAR)
    elif kind == "sessions":
        begun, done = rows["term_start"].epoch_days(), rows["term_end"].epoch_days() + 1
        flags = {measure.column: rows[measure.column] for measure in wanted}
    else:
        dates = {f"on_{m.name}": rows[m.column].epoch_days() for m in wanted}
        begun = ibis.least(*dates.values()) if len(dates) > 1 else next(iter(dates.values()))
        done = (
            ibis.greatest(*dates.values()) if len(dates) > 1 else next(iter(dates.values()))
        ) + 1
        flags |= dates
    narrowed = rows.select(**{who: rows[who], "from": begun, "to": done}, **flags)
    if kind == "sessions":
        return narrowed
    return narrowed.filter(ibis.or_(*(narrowed[f"is_{m.name}"] for m in wanted)))


def _counts(rows: ibis.Table, measure: Measure) -> ibis.Value:
    """Tell whether a row counts towards a measure."""
    if measure.name == "custody":
        return rows["outcome_on"].notnull() & (rows["custody_days"] > 0)
    passed = ibis.literal(True)
    for column, values in measure.among:
        passed = passed & rows[column].isin(values)
    return passed


def _total(joined: ibis.Table, measure: Measure, span: Window) -> ibis.Value:
    start, end = joined[span.start], joined[span.end]
    if measure.kind == "sessions":
        whole = (joined["from"] >= start) & (joined["to"] <= end)
        return _sum(ibis.ifelse(whole, joined[measure.column], 0))
    flag = joined[f"is_{measure.name}"]
    if measure.kind == "days":
        held = ibis.least(joined["to"], end) - ibis.greatest(joined["from"], start)
        return _sum(ibis.ifelse(flag & (held > 0), held, 0))
    on = joined[f"on_{measure.name}"]
    return _sum(ibis.ifelse(flag & (on >= start) & (on < end), 1, 0))


def _sum(counts: ibis.Value) -> ibis.Value:
    # Engines give sums of whole numbers different types; as floats they are exact below 2^53.
    return counts.cast("float64").sum().cast("int64")
