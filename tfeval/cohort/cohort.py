"""One analysis table from linked records: who, when, covariates before, outcomes after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import (
    BASELINE_MONTHS,
    COMPARISONS,
    TREATMENTS,
    Cohort,
    Settings,
    column_of,
)
from tfeval.cohort.entry import (
    WHEN,
    as_date,
    candidates,
    criteria_columns,
    described_columns,
    entered,
    flow,
    people_of,
    units_of,
    with_time,
)
from tfeval.errors import in_own_words
from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.programme.phases import phase as phase_of
from tfeval.records.store import Records

# Counting over windows: each event table is read once, for all windows together.

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
    first = ibis.least(*(joined[span.start] for span in spans))
    last = ibis.greatest(*(joined[span.end] for span in spans))
    joined = joined.filter((joined["to"] > first) & (joined["from"] < last))
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


_WHO = ("unit", "family_id", "treated", "local_authority", "index_on", "identified_on")


@in_own_words("The cohort cannot be built")
def cohort(
    records: Records,
    *,
    phase: str = "one",
    horizon: int | Iterable[int] = 12,
    comparison: str = "not_yet_treated",
    seed: int = 1,
    level: str = "family",
    treatment: str = "supported",
) -> Cohort:
    """Build the cohort of one phase: treated families and a comparison group.

    Parameters
    ----------
    records : Records
        As from `open_records`.
    phase : str
        Phase of the programme.
    horizon : int or iterable of int, default 12
        Months after the index date: any of 6, 12, 18, 24.
    comparison : {"not_yet_treated", "waiting", "below_threshold", "other_authorities"}
        Who the treated are compared with; `COMPARISONS` says what each is.
    seed : int
        For the index dates of comparison families.
    level : {"family", "person"}
        One row a family, or one a person; people's rows hold only events known to be theirs.
    treatment : {"supported", "claimed", "data_matched_apart"}
        Which attachments are the treatment; `TREATMENTS` says what each is. Families attached by
        matching of records alone were chosen because their records had improved: counted as
        treated, they make a programme look good that does nothing.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        If a setting is unknown.
    DataError
        If a needed table is missing, or nobody was attached.

    Notes
    -----
    A count over a window is missing, not zero, where the authority's records of that table do
    not cover the window, where the records end before it, and, for a comparison family treated
    within it, where the comparison ends (it is censored at its treatment).

    References
    ----------
    Hernán and Robins (2016), Using big data to emulate a target trial, American Journal of
    Epidemiology 183(8): index dates and no immortal time.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> found = cohort(simulate(families=400, seed=1).records, phase="one", horizon=12)
    >>> found.to_pandas()["treated"].isin([0, 1]).all()
    np.True_
    """
    months = (horizon,) if isinstance(horizon, int) else tuple(sorted(set(horizon)))
    settings = Settings(phase, comparison, months, seed, level, treatment)
    rules = phase_of(phase)
    found = candidates(records, settings, rules).cache()
    spans = windows(months)
    units = units_of(records, entered(found))
    units = units if level == "family" else people_of(records, units)
    units = with_windows(with_time(units, rules), months).cache()
    held = cohort_outcomes(records.tables)
    own = [
        *criteria_columns(rules),
        *(name for name, _text, _unit in WHEN),
        *(name for name, _text in described_columns(level)),
    ]
    table = _joined(records, units, held, spans, own)
    return Cohort(
        table=table,
        columns=_described(held, spans, level, criteria_columns(rules)),
        flow=flow(found, settings),
        settings=settings,
        left_out=dict(records.missing),
        simulated=records.simulated,
        units=units,
    )


def _joined(
    records: Records,
    units: ibis.Table,
    held: list[Outcome],
    spans: tuple[Window, ...],
    more: list[str],
) -> ibis.Table:
    """Put the counts beside the units; missing where they could not have been seen."""
    tables = list(dict.fromkeys(row.table for row in held))
    followed = follow_up(records, units, spans, tables).cache()
    wide = units.select(*_WHO, *more)
    for table in tables:
        own = [row for row in held if row.table == table and row.counted]
        # Each table's counts are kept narrow: one expression for all takes seconds to put into SQL.
        seen = _seen(followed, counted(records, units, table, own, spans), table, own, spans)
        wide = wide.left_join(seen.cache(), "unit").drop("unit_right")
    names = [column_of(row.name, span.name) for row, span in _measured(held, spans)]
    return wide.mutate(**_ratios(wide, held, spans)).select(*_WHO, *more, *names).cache()


def _measured(held: list[Outcome], spans: tuple[Window, ...]) -> Iterator[tuple[Outcome, Window]]:
    """Yield what the cohort has of each outcome: after the index date, and before if a baseline."""
    for row in held:
        for span in spans:
            if row.baseline or span.name != BEFORE:
                yield row, span


def follow_up(
    records: Records, units: ibis.Table, spans: tuple[Window, ...], tables: list[str]
) -> ibis.Table:
    """Return how long each unit was followed, and over which days its authority sent each table."""
    end = ibis.literal(records.ends_on).epoch_days() + 1
    censored = ibis.ifelse(
        (units["treated"] == 0) & units["attached_on"].notnull(),
        ibis.least(units["attached_on"].epoch_days(), end),
        end,
    )
    followed = units.select("unit", "local_authority", *_edges(spans), followed_to=censored)
    if "coverage" not in records.tables:
        return followed.drop("local_authority")
    cover = records.table("coverage")
    days = {
        "from": cover["covered_from"].epoch_days(),
        "to": cover["covered_to"].epoch_days() + 1,
    }
    # An authority without a row sent nothing: a cover that ends before it begins.
    sent = cover.group_by("local_authority").aggregate(
        **{
            f"{table}_{edge}": ibis.ifelse(cover["source_table"] == table, day, None).max()
            for table in tables
            for edge, day in days.items()
        }
    )
    return followed.left_join(sent, "local_authority").drop(
        "local_authority", "local_authority_right"
    )


def _seen(
    followed: ibis.Table,
    counts: ibis.Table,
    table: str,
    own: list[Outcome],
    spans: tuple[Window, ...],
) -> ibis.Table:
    """Return a table's counts of all units: 0 where nothing is recorded, missing where not seen."""
    joined = followed.left_join(counts, "unit").drop("unit_right")
    seen = {}
    for span in spans:
        start, end = joined[span.start], joined[span.end]
        known = ibis.literal(True)
        if f"{table}_to" in joined.columns:
            known = (joined[f"{table}_from"] <= start) & (joined[f"{table}_to"] >= end)
        if span.name != BEFORE:
            known = known & (joined["followed_to"] >= end)
        for column in (column_of(row.name, span.name) for row in own):
            seen[column] = ibis.ifelse(known, joined[column].fill_null(0), ibis.null("int64"))
    return joined.select("unit", **seen)


def _ratios(
    wide: ibis.Table, held: list[Outcome], spans: tuple[Window, ...]
) -> dict[str, ibis.Value]:
    """Return outcomes that are shares of a count; missing where that is 0."""
    found = {}
    for row, span in _measured([row for row in held if not row.counted], spans):
        whole = wide[column_of(row.column, span.name)].nullif(0).cast("float64")
        parts = sum(wide[column_of(part, span.name)] for part in row.parts)
        found[column_of(row.name, span.name)] = parts.cast("float64") / whole
    return found


def _described(
    held: list[Outcome], spans: tuple[Window, ...], level: str, criteria: list[str]
) -> pd.DataFrame:
    """Return what each column is, and whether it lies before or after the index date."""
    who = [(name, "", "who", 0, "families", "", "") for name in _WHO]
    who += [(name, "", "before", 0, "families", "0 or 1", "Criterion met.") for name in criteria]
    who += [(name, "", "before", 0, "families", unit, text) for name, text, unit in WHEN]
    who += [
        (name, "", "who" if name == "person_id" else "before", 0, "people", "", text)
        for name, text in described_columns(level)
    ]
    counts = [
        (column_of(row.name, span.name), row.name, span.timing, span.months, row.table, row.unit,
         row.description)
        for row, span in _measured(held, spans)
    ]  # fmt: skip
    columns = ["name", "outcome", "timing", "months", "source_table", "unit", "description"]
    return pd.DataFrame([*who, *counts], columns=columns)


def treatments() -> dict[str, str]:
    """Return the treatments by name, with what each is.

    Examples
    --------
    >>> sorted(treatments())[-1]
    'supported'
    """
    return dict(TREATMENTS)


def comparison_groups() -> dict[str, str]:
    """Return the comparison groups by name, with what each is.

    Examples
    --------
    >>> sorted(comparison_groups())[0]
    'below_threshold'
    """
    return dict(COMPARISONS)
