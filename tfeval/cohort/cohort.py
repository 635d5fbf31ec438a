"""One analysis table from linked records: who, when, covariates before, outcomes after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _

from tfeval.cohort.analysis_table import (
    COMPARISONS,
    HORIZONS,
    SEEN,
    TREATMENTS,
    Cohort,
    Origin,
    Registrable,
    Settings,
)
from tfeval.cohort.columns import BEFORE, Window, column_of, windows
from tfeval.cohort.counting import STATE, follow_up, most_periods, seen_of
from tfeval.cohort.entry import (
    LEAN,
    candidates,
    considered,
    criteria_columns,
    entered,
    flow,
    of_group,
)
from tfeval.cohort.units import (
    WHEN,
    described_columns,
    people_of,
    units_of,
    with_time,
    with_windows,
)
from tfeval.display.tables import safe_count
from tfeval.errors import DataError, in_own_words
from tfeval.programme.outcomes import Outcome, cohort_outcomes
from tfeval.programme.phases import Phase
from tfeval.programme.phases import phase as phase_of
from tfeval.records.store import Records

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
    plan: Registrable | None = None,
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
    plan : AnalysisPlan, optional
        Keeps outcomes closed until `open` is called with this plan, registered.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        If a setting is unknown.
    DataError
        If a needed table is missing, nobody was attached, or somebody stands twice in a family.

    Notes
    -----
    A count over a window is missing, not zero, where the authority's records of that table do
    not cover the window; where somebody in the unit who would be in the source was not found
    there, or not looked for (`Table.linked`); where a row of the unit has a value that cannot be
    read; where the records end before it; and, for a comparison family treated within it, where
    the comparison ends (it is censored at its treatment). `Cohort.sources` counts the first three.

    A family whose rows of the phase say two things is in neither arm, since which holds cannot be
    read; rows that say the same are one. One that moved twice on a day was nowhere known then.

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
    ahead = records.ahead.get((phase, seed, level, treatment))
    if ahead is not None and set(months) <= set(ahead.months):
        screened, every = ahead.screened[comparison], ahead.counts
        units, table, states = _taken(records, every, screened, months, settings)
    else:
        _refuse_repeated(records)
        pool = considered(records, settings, rules)
        screened = candidates(records, settings, rules, pool, (comparison,))
        every = _counted(records, screened, level, months, rules)
        units, table = every.units, every.table
        states = _states_of(records, every, units, months)
    due = {name: after for name, after in every.due.items() if after in months}
    spans = windows(months)
    columns = _described(every.outcomes, spans, level, criteria_columns(rules), due)
    made = Cohort(
        table=table,
        columns=columns,
        flow=flow(records, screened, settings),
        sources=_by_source(states, every.sources),
        settings=settings,
        left_out=dict(records.missing),
        simulated=records.simulated,
        units=units,
        records=records,
        origin=Origin(table, columns.copy(), settings, units, records.opened),
    )
    if plan is None:
        records.opened.append("")
    return made if plan is None else made.close()


def _refuse_repeated(records: Records) -> None:
    """Refuse people who stand twice in a family: all of them would be counted twice."""
    rows = int(records.keep(_repeated, records).to_pandas()["rows"].fillna(0).iloc[0])
    if rows:
        raise DataError(
            f"Table people: {safe_count(rows)} rows name somebody of a family again, so all that "
            "is recorded of them would count twice: keep one row each."
        )


def _repeated(records: Records) -> ibis.Table:
    people = records.rows("people").filter(_.person_id.notnull())
    each = people.group_by("person_id", "family_id").aggregate(times=_.count())
    return each.aggregate(rows=(each["times"] - 1).sum())


@dataclass(frozen=True)
class _Counts:
    """Units and their counts over some horizons.

    Attributes
    ----------
    units : ibis.Table
    table : ibis.Table
        What they are, and their outcomes.
    seen : tuple of ibis.Table
        Counts and states of each source.
    sources : list of str
        Tables of the extract.
    outcomes : list of Outcome
    due : dict of str to int
        Columns of sessions due, with their months after the index date.
    """

    units: ibis.Table
    table: ibis.Table
    seen: tuple[ibis.Table, ...]
    sources: list[str]
    outcomes: list[Outcome]
    due: dict[str, int]

    def horizon_columns(self, months: tuple[int, ...]) -> tuple[str, ...]:
        """Return the columns of the units that are of other horizons."""
        other = [after for after in HORIZONS if after not in months]
        names = [name for after in other for name in (f"day{after}", _SESSIONS_DUE.format(after))]
        return tuple(name for name in names if name in self.units.columns)


@dataclass(frozen=True)
class _Ahead:
    """What all cohorts of one phase, seed, level and treatment are taken from."""

    screened: dict[str, ibis.Table]
    counts: _Counts
    months: tuple[int, ...]


def count_ahead(
    records: Records, *, phase: str = "one", seed: int = 1, level: str = "family",
    treatment: str = "supported", horizons: tuple[int, ...] = HORIZONS,
) -> None:  # fmt: skip
    """Count for whoever may be compared over every horizon, so that each cohort is quick.

    A family's index date and counts are the same in every comparison group, so `cohort` takes its
    rows and columns from these counts, and gives what it gives without them. It counts once
    for all, which takes up to twice as long as one cohort, and keeps that while the records are
    held.

    Parameters
    ----------
    records : Records
    phase, seed, level, treatment
        As for `cohort`.
    horizons : tuple of int
        Months after; cohorts of others are built anew.

    Raises
    ------
    TfevalError
        As `cohort` does.
    """
    key = (phase, seed, level, treatment)
    if key in records.ahead:
        return
    settings = Settings(phase, next(iter(COMPARISONS)), horizons, seed, level, treatment)
    rules = phase_of(phase)
    _refuse_repeated(records)
    pool = considered(records, settings, rules)
    screened = candidates(records, settings, rules, pool, tuple(COMPARISONS))
    counts = _counted(records, screened, level, horizons, rules)
    groups = {name: records.keep(of_group, screened, name) for name in COMPARISONS}
    if horizons == HORIZONS:  # so that what a reader may ask is in the engine's words already
        for months in horizons:
            _taken(records, counts, groups[settings.comparison], (months,), settings)
    records.ahead[key] = _Ahead(groups, counts, horizons)


def _taken(
    records: Records, every: _Counts, screened: ibis.Table, months: tuple[int, ...],
    settings: Settings,
) -> tuple[ibis.Table, ibis.Table, pd.DataFrame]:  # fmt: skip
    """Return units, table and states of one comparison group from what was counted for all."""
    units = records.keep(_of_group, every.units, screened, every.horizon_columns(months))
    names = _columns_of(
        every.outcomes, months, settings.level, phase_of(settings.phase), bool(every.due)
    )
    table = records.keep(_narrowed, every.table, units, tuple(names))
    return units, table, _states_of(records, every, units, months)


def _states_of(
    records: Records, every: _Counts, units: ibis.Table, months: tuple[int, ...]
) -> pd.DataFrame:
    last = column_of(STATE, max(months))
    return records.keep(_states, units, every.sources, last, *every.seen).to_pandas()


def _counted(
    records: Records, screened: ibis.Table, level: str, months: tuple[int, ...], rules: Phase
) -> _Counts:
    units = records.keep(_units, records, screened, level, months, rules)
    outcomes, due = cohort_outcomes(records.tables), {}
    if "school_terms" in records.tables:
        calendar = records.keep_frame(_calendar(records))
        units = records.keep(_with_sessions, units, calendar, months)
        due = {_SESSIONS_DUE.format(after): after for after in months}
    spans, tables = windows(months), list(dict.fromkeys(row.table for row in outcomes))
    followed = records.keep(follow_up, records, units, spans, tables, most_periods(records))
    # Each table's counts are kept narrow: one expression for all takes seconds to put into SQL.
    seen = [
        records.keep(seen_of, records, units, followed, table, (outcomes, spans))
        for table in tables
    ]
    table = records.keep(_beside, units, outcomes, spans, _who(level, rules, due), *seen)
    return _Counts(units, table, tuple(seen), tables, outcomes, due)


def _who(level: str, rules: Phase, due: Iterable[str]) -> list[str]:
    """Return the columns of the units that the cohort has."""
    return [
        *criteria_columns(rules),
        *(name for name, _text, _unit in WHEN),
        *due,
        *(name for name, _text in described_columns(level)),
    ]


def _columns_of(
    outcomes: list[Outcome], months: tuple[int, ...], level: str, rules: Phase, by_term: bool
) -> list[str]:
    due = [_SESSIONS_DUE.format(after) for after in months] if by_term else []
    measured = _measured(outcomes, windows(months))
    names = [column_of(row.name, span.name) for row, span in measured]
    return [*_WHO, *_who(level, rules, due), *names]


def _of_group(units: ibis.Table, screened: ibis.Table, other: tuple[str, ...]) -> ibis.Table:
    """Return the units of one comparison group and the treated, without other horizons."""
    return units.semi_join(entered(screened), ["family_id", "treated"]).drop(*other)


def _narrowed(table: ibis.Table, units: ibis.Table, names: tuple[str, ...]) -> ibis.Table:
    return table.semi_join(units, "unit").select(*names)


def _units(
    records: Records, screened: ibis.Table, level: str, months: tuple[int, ...], rules: Phase
) -> ibis.Table:
    units = units_of(records, entered(screened))
    units = units if level == "family" else people_of(records, units)
    return with_windows(with_time(units, rules), months)


#: A count of sessions hangs on how many terms fit in whole, and so on the day of entry.
_SESSIONS_DUE = "sessions_due_{}"


def _calendar(records: Records) -> pd.DataFrame:
    """Return the school terms: first day, first day after, and two sessions a weekday.

    Authorities' dates differ: of each third of a school year, those of most pupils stand for all.
    """
    terms = records.keep(_term_dates, records).to_pandas().dropna()
    start = pd.to_datetime(terms["term_start"])
    end = pd.to_datetime(terms["term_end"])
    middle = start + (end - start) // 2 + pd.Timedelta(days=LEAN)
    months = middle.dt.year * 12 + middle.dt.month + 3  # from September on a year is the next
    terms = terms.assign(start=start.dt.date, stop=end.dt.date, third=months // 4)
    order = {"third": True, "pupils": False, "start": True, "stop": True}
    most = terms.sort_values(list(order), ascending=list(order.values())).drop_duplicates("third")
    first = most["start"].to_numpy("datetime64[D]")
    after = most["stop"].to_numpy("datetime64[D]") + 1
    # Of the calendar alone: what pupils could attend may itself be moved by the programme.
    sessions = 2 * np.busday_count(first, after)
    return pd.DataFrame(
        {"start": first.astype("int64"), "stop": after.astype("int64"), "sessions": sessions}
    )


def _term_dates(records: Records) -> ibis.Table:
    terms = records.rows("school_terms")
    return terms.group_by("term_start", "term_end").aggregate(pupils=_.count())


def _with_sessions(units: ibis.Table, calendar: ibis.Table, months: tuple[int, ...]) -> ibis.Table:
    """Add the sessions of the terms that lie wholly within the months after the index date."""
    last = f"day{months[-1]}"
    reach = units.select("unit", "day0", *(f"day{after}" for after in months))
    inside = reach.inner_join(
        calendar, [reach["day0"] <= calendar["start"], reach[last] >= calendar["stop"]]
    )
    due = {
        _SESSIONS_DUE.format(after): ibis.ifelse(
            inside["stop"] <= inside[f"day{after}"], inside["sessions"], 0
        )
        .sum()
        .cast("int64")
        for after in months
    }
    joined = units.left_join(inside.group_by("unit").aggregate(**due), "unit").drop("unit_right")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in due})


def _states(units: ibis.Table, tables: list[str], last: str, *seen: ibis.Table) -> ibis.Table:
    """Return how many units of each arm have each state of each source."""
    arms = units.select("unit", "treated")
    each = []
    for table, one in zip(tables, seen, strict=True):
        both = one.select("unit", state=one[last]).inner_join(arms, "unit")
        counts = both.group_by("treated", "state").aggregate(units=_.count())
        each.append(counts.mutate(source_table=ibis.literal(table)))
    return ibis.union(*each) if len(each) > 1 else each[0]


def _by_source(states: pd.DataFrame, tables: list[str]) -> pd.DataFrame:
    """Return a row for each source and state, also of nobody."""
    states, keys = states[states["state"].notna()], ["source_table", "state"]
    every = pd.MultiIndex.from_product([tables, list(SEEN)], names=keys)
    arms = {
        name: states[states["treated"] == arm].set_index(keys)["units"].reindex(every)
        for name, arm in (("treated", 1), ("comparison", 0))
    }
    return pd.DataFrame(arms).fillna(0).astype(int).reset_index()


def _beside(
    units: ibis.Table, outcomes: list[Outcome], spans: tuple[Window, ...], more: list[str],
    *seen: ibis.Table,
) -> ibis.Table:  # fmt: skip
    wide = units.select(*_WHO, *more)
    for one in seen:
        known = [column_of(STATE, span.name) for span in spans if span.timing != BEFORE]
        wide = wide.left_join(one.drop(*known), "unit").drop("unit_right")
    names = [column_of(row.name, span.name) for row, span in _measured(outcomes, spans)]
    return wide.mutate(**_ratios(wide, outcomes, spans)).select(*_WHO, *more, *names)


def _measured(
    outcomes: list[Outcome], spans: tuple[Window, ...]
) -> Iterator[tuple[Outcome, Window]]:
    """Yield what the cohort has of each outcome: after the index date, and before if a baseline."""
    for row in outcomes:
        for span in spans:
            if row.baseline or span.timing != BEFORE:
                yield row, span


def _ratios(
    wide: ibis.Table, outcomes: list[Outcome], spans: tuple[Window, ...]
) -> dict[str, ibis.Value]:
    """Return outcomes that are shares of a count; missing where that is 0."""
    ratios = {}
    for row, span in _measured([row for row in outcomes if not row.counted], spans):
        whole = wide[column_of(row.column, span.name)].nullif(0).cast("float64")
        parts = sum(wide[column_of(part, span.name)] for part in row.parts)
        ratios[column_of(row.name, span.name)] = parts.cast("float64") / whole
    return ratios


def _described(
    outcomes: list[Outcome],
    spans: tuple[Window, ...],
    level: str,
    criteria: list[str],
    due: dict[str, int],
) -> pd.DataFrame:
    """Return what each column is, and whether it lies before or after the index date."""
    who = [(name, "", "", "who", 0, "families", "", "") for name in _WHO]
    who += [(name, "", "", BEFORE, 0, "families", "0 or 1", "Criterion met.") for name in criteria]
    who += [(name, "", "", BEFORE, 0, "families", unit, text) for name, text, unit in WHEN]
    # Known on the index date: what a school year holds after it, not what a pupil did.
    who += [(name, "", "", BEFORE, after, "school_terms", "half days",
             f"Sessions of whole terms within {after} months of the index date, by the calendar.")
            for name, after in due.items()]  # fmt: skip
    who += [
        (name, "", "", "who" if name == "person_id" else BEFORE, 0, "people", "", text)
        for name, text in described_columns(level)
    ]
    counts = [
        (column_of(row.name, span.name), row.name, span.name, span.timing, span.months, row.table,
         row.unit, row.description)
        for row, span in _measured(outcomes, spans)
    ]  # fmt: skip
    columns = [
        "name", "outcome", "window", "timing", "months", "source_table", "unit", "description",
    ]  # fmt: skip
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
