"""Counts of outcomes over windows about the index date, and what of them was seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import chain

import ibis
import numpy as np
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.columns import BEFORE, Window, column_of
from tfeval.cohort.entry import FAR, as_date, as_number, first_day
from tfeval.errors import ParameterError, in_own_words
from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.records.relations import unread
from tfeval.records.schema import TABLES, authority_codes
from tfeval.records.store import Records

# Counting over windows: each event table is read once, for all windows together.


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
        people = records.rows("people").select("person_id", "family_id")
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
    rows = records.rows(table)
    kind = wanted[0].kind
    # Incidents are of a family, and of one of its people only where that is known.
    who = "family_id" if "family_id" in rows.columns and not by_person else "person_id"
    flags = {f"is_{row.name}": _counts(rows, row) for row in wanted}
    if kind == "days":
        begun = rows["started_on"].epoch_days()
        done = rows["ended_on"].epoch_days().fill_null(FAR)
        flags |= _without_overlap(rows[who], begun, done, flags)
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


def _without_overlap(
    who: ibis.Value, begun: ibis.Value, done: ibis.Value, flags: Mapping[str, ibis.Value]
) -> dict[str, ibis.Value]:
    """Return, by outcome, from when a spell's days are new: a person's day counts once."""
    earlier = ibis.window(group_by=who, order_by=[begun, done], rows=(None, -1))
    starts = {}
    for name, flag in flags.items():
        reached = ibis.ifelse(flag & begun.notnull(), done, None).max().over(earlier)
        starts[name.replace("is_", "new_", 1)] = ibis.greatest(begun, reached.fill_null(begun))
    return starts


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
        days = ibis.least(joined["to"], end) - ibis.greatest(joined[f"new_{wanted.name}"], start)
        return _sum(ibis.ifelse(flag & (days > 0), days, 0))
    on = joined[f"on_{wanted.name}"]
    return _sum(ibis.ifelse(flag & (on >= start) & (on < end), 1, 0))


def _sum(counts: ibis.Value) -> ibis.Value:
    # Engines give sums of whole numbers different types; as floats they are exact below 2^53.
    return counts.cast("float64").sum().cast("int64")


def most_periods(records: Records) -> int:
    """Return in how many periods, at most, an authority sent a table: with a gap there are two."""
    if "coverage" not in records.tables:
        return 1
    most = records.keep(_most_periods, records).to_pandas()["periods"].iloc[0]
    return 1 if pd.isna(most) else int(most)


def _most_periods(records: Records) -> ibis.Table:
    each = _periods(records.rows("coverage")).group_by("local_authority", "source_table")
    return each.aggregate(periods=_.count()).aggregate(periods=_.periods.max())


def follow_up(
    records: Records, units: ibis.Table, spans: tuple[Window, ...], tables: list[str], periods: int
) -> ibis.Table:
    """Return how long each unit was followed, and over which days its authority sent each table.

    `periods` is as from `most_periods`: each has its own columns, the first day and that after the
    last.
    """
    end = ibis.literal(records.ends_on).epoch_days() + 1
    censored = ibis.ifelse(
        (units["treated"] == 0) & units["attached_on"].notnull(),
        ibis.least(units["attached_on"].epoch_days(), end),
        end,
    )
    followed = units.select(
        "unit", "local_authority", *_edges(spans), followed_to=censored,
        placed=units["local_authority"].isin(list(authority_codes())),
    )  # fmt: skip
    if "coverage" not in records.tables:
        return followed.drop("local_authority")
    cover = _periods(records.rows("coverage"))
    cover = cover.mutate(place=ibis.row_number().over(
        group_by=["local_authority", "source_table"], order_by=cover["from"]
    ))  # fmt: skip
    # An authority without a row sent nothing.
    sent = cover.group_by("local_authority").aggregate(
        **{
            f"{table}_{edge}_{place}": ibis.ifelse(
                (cover["source_table"] == table) & (cover["place"] == place), cover[edge], None
            ).max()
            for table in tables
            for edge in ("from", "to")
            for place in range(periods)
        }
    )
    return followed.left_join(sent, "local_authority").drop(
        "local_authority", "local_authority_right"
    )


def _periods(coverage: ibis.Table) -> ibis.Table:
    """Return periods that were sent, as day numbers: those that touch are one.

    Such as before and after an authority's code changed.
    """
    rows = coverage.select(
        "local_authority", "source_table",
        **{"from": coverage["covered_from"].epoch_days(),
           "to": coverage["covered_to"].epoch_days() + 1},
    )  # fmt: skip
    keys = ["local_authority", "source_table"]
    earlier = ibis.window(group_by=keys, order_by=[rows["from"], rows["to"]], rows=(None, -1))
    begins = rows["from"] > rows["to"].max().over(earlier)
    marked = rows.mutate(begins=as_number(begins.fill_null(False)))
    until = ibis.window(group_by=keys, order_by=[marked["from"], marked["to"]], rows=(None, 0))
    numbered = marked.mutate(number=marked["begins"].sum().over(until))
    return numbered.group_by([*keys, "number"]).aggregate(
        **{"from": numbered["from"].min(), "to": numbered["to"].max()}
    )


#: What is known of a source over a horizon, as a column is called.
STATE = "state"


def seen_of(
    records: Records,
    units: ibis.Table,
    followed: ibis.Table,
    table: str,
    wanted: tuple[list[Outcome], tuple[Window, ...]],
) -> ibis.Table:
    """Return a table's counts of all units: 0 where nothing is recorded, missing where not seen.

    With them, the state of the table's records over each horizon, a key of `SEEN`; missing for who
    was not followed.
    """
    outcomes, spans = wanted
    own = [row for row in outcomes if row.table == table and row.counted]
    joined = followed
    for more in (
        counted(records, units, table, own, spans),
        _unlinked(records, units, table, spans),
        _unreadable(records, units, table, own),
    ):
        if more is not None:
            joined = joined.left_join(more, "unit").drop("unit_right")
    yes, columns = ibis.literal(True), {}
    for span in spans:
        start, end = joined[span.start], joined[span.end]
        covered = linked = read = followed_on = yes
        sent = [name for name in joined.columns if name.startswith(f"{table}_from_")]
        if sent:  # in one period all of it
            covered = ibis.or_(*(
                (joined[name] <= start) & (joined[name.replace("_from_", "_to_")] >= end)
                for name in sent
            ))  # fmt: skip
        if column_of("unlinked", span.name) in joined.columns:
            linked = joined[column_of("unlinked", span.name)].fill_null(0) == 0
        if "unreadable" in joined.columns:
            read = joined["unreadable"].fill_null(0) == 0
        if span.timing != BEFORE:
            followed_on = joined["followed_to"] >= end
            columns[column_of(STATE, span.name)] = ibis.cases(
                (~followed_on, ibis.null("string")),
                (~covered.fill_null(False) & ~joined["placed"].fill_null(False), "not_placed"),
                (~covered.fill_null(False), "not_covered"),
                (~linked, "not_linked"),
                (~read, "unreadable"),
                else_="seen",
            )
        known = covered & linked & read & followed_on
        for column in (column_of(row.name, span.name) for row in own):
            columns[column] = ibis.ifelse(known, joined[column].fill_null(0), ibis.null("int64"))
    return joined.select("unit", **columns)


def _unlinked(
    records: Records, units: ibis.Table, table: str, spans: tuple[Window, ...]
) -> ibis.Table | None:
    """Return units with somebody who would be in a source and was not found there, by window."""
    definition, people = TABLES[table], records.rows("people")
    if definition.expected is None or definition.linked not in people.columns:
        return None
    youngest, too_old = definition.expected
    # Of a person in two families, the row of the unit's own.
    who = [name for name in ("family_id", "person_id") if name in units.columns]
    lost = people.filter(~people[definition.linked].fill_null(False)).select(*who, "birth_month")
    joined = units.select("unit", *who, *_edges(spans)).inner_join(lost, who)

    def birthday(years: int, *, months: int = 0) -> ibis.Value:
        later = ibis.interval(months=12 * years + months)
        return as_date(joined["birth_month"] + later).epoch_days()

    of_age = {
        column_of("unlinked", span.name): as_number(
            # The day of birth is not kept: it may be the month's last.
            # Whose birth cannot be read may be of age.
            (
                (birthday(youngest) < joined[span.end])
                & (birthday(too_old, months=1) > joined[span.start])
            ).fill_null(True)
        ).max()
        for span in spans
    }
    return joined.group_by("unit").aggregate(**of_age)


def _unreadable(
    records: Records, units: ibis.Table, table: str, own: list[Outcome]
) -> ibis.Table | None:
    """Return units with a row of which a value that counts cannot be read: it may be any day's."""
    raw, definition = records.sent[table], TABLES[table]
    looked_at = {name for name in (definition.event_on, definition.ends_on) if name}
    for row in own:
        looked_at |= {row.column, row.above_zero, *(name for name, _values in row.where)}
    lost = [unread(raw[name], definition.columns[name])
            for name in sorted(looked_at) if name in raw.columns]  # fmt: skip
    rows = records.rows(table)
    by_person = "person_id" in units.columns
    who = "family_id" if "family_id" in rows.columns and not by_person else "person_id"
    affected = raw.filter(ibis.or_(*lost)).select(**{who: raw[who].cast("string")}).distinct()
    if who == "person_id" and not by_person:
        people = records.rows("people").select("person_id", "family_id")
        affected, who = (
            affected.inner_join(people, "person_id").select("family_id").distinct(),
            "family_id",
        )
    joined = units.select("unit", who).inner_join(affected, who)
    return joined.select("unit", unreadable=ibis.literal(1)).distinct()


@in_own_words("Outcomes around the index date cannot be counted")
def outcomes_around(
    families: Cohort,
    records: Records,
    spans: Mapping[str, tuple[int, int]],
    *,
    censored: bool = True,
) -> pd.DataFrame:
    """Count a cohort's outcomes over any months around its index dates.

    Parameters
    ----------
    families : Cohort
    records : Records
        Those that the cohort was made from.
    spans : mapping of str to (int, int)
        Of each window its name, the month it begins and the month it ends, 0 being the index date:
        ``(-24, -12)`` is the year that ended a year before it.
    censored : bool, default True
        Whether a comparison family has no outcome over a window in which it was treated.

    Returns
    -------
    DataFrame
        One row a unit, in the order of `to_pandas`; columns of two levels, window and outcome.
        Missing where the records do not cover the window, or begin after its first day.

    Raises
    ------
    DataError
        If the records are others than the cohort's.
    ParameterError
        If a window ends after the index date and the cohort's outcomes are closed.

    Examples
    --------
    >>> from tfeval.cohort.cohort import cohort
    >>> from tfeval.records.simulate import simulate
    >>> records = simulate(families=400, seed=1).records
    >>> found = cohort(records, horizon=12)
    >>> again = outcomes_around(found, records, {"after": (0, 12)})["after"]
    >>> again["offences"].equals(found.outcomes(12)["offences"])
    True
    """
    if any(end > 0 for _start, end in spans.values()):
        families.check_open()
    if families.origin is not None and families.units is not families.origin.units:
        raise ParameterError("The index dates are not the cohort's own: make it with cohort.")
    return counts_around(families.units, records, spans, censored=censored)


def counts_around(
    units: ibis.Table,
    records: Records,
    spans: Mapping[str, tuple[int, int]],
    *,
    censored: bool = True,
) -> pd.DataFrame:
    """Count outcomes of any units over months around their index dates; as `outcomes_around`.

    Parameters
    ----------
    units : ibis.Table
        `unit`, `family_id`, `local_authority`, `index_on`, `treated` and `attached_on`.
    records, spans, censored
        As of `outcomes_around`.

    Returns
    -------
    DataFrame
        One row a unit, in the order of `unit`.
    """
    if any(end > 0 for _start, end in spans.values()):
        records.opened.append("")
    edges = {month: f"edge_{at}" for at, month in enumerate(sorted({*chain(*spans.values())}))}
    units = records.keep(_edged, units, tuple(edges.items()), censored)
    made = tuple(
        Window(name, edges[start], edges[end], end - start) for name, (start, end) in spans.items()
    )
    outcomes = cohort_outcomes(records.tables)
    tables = list(dict.fromkeys(row.table for row in outcomes))
    reach = records.keep(follow_up, records, units, made, tables, most_periods(records))
    days = reach.order_by("unit").to_pandas()
    begun = (first_day(records) - date(1970, 1, 1)).days
    totals = {}
    for table in tables:
        own = [row for row in outcomes if row.table == table and row.counted]
        seen = records.keep(seen_of, records, units, reach, table, (outcomes, made))
        counts = seen.order_by("unit").to_pandas()
        for span in made:
            known = days[span.start] >= begun
            for row in own:
                counted_there = counts[column_of(row.name, span.name)].astype("float64")
                totals[span.name, row.name] = counted_there.where(known)
    for row in outcomes:
        for span in made if row.parts else ():
            parts = sum(totals[span.name, part] for part in row.parts)
            totals[span.name, row.name] = parts / totals[span.name, row.column].replace(0.0, np.nan)
    return pd.DataFrame(totals).rename_axis(columns=["window", "outcome"])


def _edged(units: ibis.Table, edges: tuple[tuple[int, str], ...], censored: bool) -> ibis.Table:
    """Add the days so many months from the index date; without censoring, nobody is treated."""
    days = {
        name: as_date(units["index_on"] + ibis.interval(months=month)).epoch_days()
        for month, name in edges
    }
    units = units.mutate(**days)
    return units if censored else units.mutate(attached_on=ibis.null("date"))
