"""Check an extract: every fault at once, as counts that the database makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import ParameterError, in_own_words, suggest
from tfeval.programme.outcomes import PROVEN_OUTCOMES
from tfeval.programme.programmes import programmes
from tfeval.records.between_rows import relations
from tfeval.records.identifiers import (
    as_text,
    count_kinds,
    identifying_names,
    scanned_columns,
    suspect,
)
from tfeval.records.relations import cast
from tfeval.records.schema import ALL_CRITERIA, EARLIEST, TABLES, Column, Table, authority_codes
from tfeval.records.store import Records, connect, unknown_tables

# What must hold within a row: of every column by its kind, and of the columns of each table.

#: A fault of a row: its column, its kind, and the expression that is true of a row at fault.
Rule = tuple[str, str, ibis.Value]
_LONGEST_TERM = 150


def row_rules(
    definition: Table, raw: ibis.Table, typed: Callable[[str], ibis.Value], ends_on: date
) -> Iterator[Rule]:
    """Return the rules of a table's rows.

    Parameters
    ----------
    definition : Table
        The table.
    raw : ibis.Table
        It as it came.
    typed : function
        Gives a column with its type; null where it could not be read as that.
    ends_on : date
        The last day of the records.
    """
    for name, column in definition.columns.items():
        if name in raw.columns:
            yield from _column_rules(name, column, raw=raw, typed=typed, ends_on=ends_on)
    present = set(raw.columns)
    for first, second in definition.order:
        if {first, second} <= present:
            spell = definition.ends_on == second and not definition.closed
            early = typed(second) <= typed(first) if spell else typed(second) < typed(first)
            yield second, f"before {first}" if not spell else f"not after {first}", early
    for needs, rule in _TABLE_RULES.get(definition.name, ()):
        if needs <= present:
            yield from rule(typed)


def _column_rules(
    name: str,
    column: Column,
    *,
    raw: ibis.Table,
    typed: Callable[[str], ibis.Value],
    ends_on: date,
) -> Iterator[Rule]:
    kind, value, came = column.kind, typed(name), raw[name]
    blank = came.isnull()
    if came.type().is_string():
        blank = blank | (came.strip() == "")
        if kind in ("identifier", "category", "authority"):
            yield name, "space around it", (came != came.strip()) & ~blank
    if not column.nullable:
        yield name, "empty", blank
    if not came.type().is_string() or kind not in ("identifier", "category", "authority"):
        yield name, "cannot be read as its type", value.isnull() & ~blank
    if kind == "category":
        yield name, "unknown value", ~blank & value.notin(list(column.allowed))
    elif kind == "authority":
        yield name, "unknown authority", ~blank & value.notin(list(authority_codes()))
    elif column.most is not None:
        yield name, "negative", value < 0
        yield name, f"more than {column.most:,}", value > column.most
    elif kind in ("date", "month"):
        earliest = ibis.date(EARLIEST.date().isoformat())
        yield name, "before 1900", value < earliest
        yield name, "1 January 1900, which programs write for no date", value == earliest
        yield name, "after the records end", value > ibis.date(ends_on.isoformat())
    if kind == "month":
        yield name, "not the first day of a month", value.day() != 1


def _sessions(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    possible = typed("sessions_possible")
    missed = typed("sessions_authorised") + typed("sessions_unauthorised")
    # The same as attendance below 0%; attendance above 100% is a negative absence.
    yield "sessions_unauthorised", "more sessions missed than possible", missed > possible
    attended = possible - missed
    yield "sessions_possible", "attendance above 100%", (attended > possible) & (possible >= 0)


def _long_terms(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    last = typed("term_start") + ibis.interval(days=_LONGEST_TERM)
    yield "term_end", "longer than a term", typed("term_end") > last


def _offences(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    outcome, ended = typed("outcome"), typed("outcome_on")
    proven = outcome.isin(list(PROVEN_OUTCOMES))
    yield (
        "custody_days",
        "custody without a conviction",
        (typed("custody_days") > 0) & (outcome != "convicted"),
    )
    yield "outcome_on", "a pending offence with a date", (outcome == "pending") & ended.notnull()
    yield "outcome_on", "a proven offence without a date", proven & ended.isnull()


def _phases(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    for name, rules in programmes().items():
        mine = typed("phase") == name
        for column in ("identified_on", "attached_on"):
            day = typed(column)
            # A family may be identified before its phase begins, but not attached.
            early = day < ibis.date(rules.start.isoformat())
            late = day > ibis.date(rules.end.isoformat())
            outside = late if column == "identified_on" else early | late
            yield column, f"outside {rules.words}", mine & outside


def _criterion(column: str, typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    for name, rules in programmes().items():
        mine = typed("phase") == name
        if column in rules.nominated:
            yield column, f"not said in {rules.words}", mine & typed(column).isnull()
        else:
            yield column, f"not a criterion of {rules.words}", mine & typed(column).notnull()


def _attachment(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    never = typed("attached_on").isnull()
    for column in ("lead_practitioner_on", "plan_agreed_on", "closed_on", "claimed_on"):
        yield column, "of a family never attached", never & typed(column).notnull()


def _claims(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    kind, on = typed("claim_kind"), typed("claimed_on")
    yield "claim_kind", "a claim without a kind", on.notnull() & kind.isnull()
    yield "claim_kind", "a kind without a claim", on.isnull() & kind.notnull()
    wrong = ibis.literal(False)
    for name, rules in programmes().items():
        wrong = wrong | ((typed("phase") == name) & kind.notin(list(rules.result.claims)))
    yield "claim_kind", "not a result of its phase", wrong


def _ages(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    oldest = typed("birth_month") + ibis.interval(years=120)
    born_late = oldest < ibis.date("2012-04-01")
    yield "birth_month", "over 120 when the programme began", born_late


def _beds(typed: Callable[[str], ibis.Value]) -> Iterator[Rule]:
    only = (typed("kind") != "emergency_admission") & (typed("bed_days") > 0)
    yield "bed_days", "nights without an admission", only


_TableRule = tuple[set[str], Callable[[Callable[[str], ibis.Value]], Iterator[Rule]]]
_TABLE_RULES: dict[str, tuple[_TableRule, ...]] = {
    "school_terms": (
        ({"sessions_possible", "sessions_authorised", "sessions_unauthorised"}, _sessions),
        ({"term_start", "term_end"}, _long_terms),
    ),
    "offences": (({"outcome", "outcome_on", "custody_days"}, _offences),),
    "families": (
        ({"phase", "identified_on", "attached_on"}, _phases),
        *(({"phase", column}, partial(_criterion, column)) for column in ALL_CRITERIA),
        ({"attached_on", "lead_practitioner_on", "plan_agreed_on", "closed_on", "claimed_on"},
         _attachment),
        ({"phase", "claimed_on", "claim_kind"}, _claims),
    ),
    "people": (({"birth_month"}, _ages),),
    "hospital_episodes": (({"kind", "bed_days"}, _beds),),
}  # fmt: skip


# What the checks of an extract found, told without a row's values and without small counts.

#: Counts from 1 to 9 are not shown outside the secure environment.
SMALLEST_SHOWN = 10


@dataclass(frozen=True, order=True)
class Fault:
    """One kind of fault in one place.

    Attributes
    ----------
    table, column : str
        Where; `column` is empty for a fault of the whole table.
    kind : str
        What is wrong.
    rows : int or None
        How many rows have it, exactly; None where rows are not what is counted.
    advice : str
        What to do.
    """

    table: str
    column: str
    kind: str
    rows: int | None = field(default=None, compare=False)
    advice: str = field(default="", compare=False)

    def text(self, *, exact: bool = False) -> str:
        """Return one line; its count exact only inside the secure environment.

        Examples
        --------
        >>> Fault("people", "sex", "unknown value", 4, "Correct it.").text()
        'people.sex: unknown value, fewer than 10 rows'
        """
        counted = "" if self.rows is None else f", {shown(self.rows, exact=exact)} rows"
        return f"{self.table}{'.' if self.column else ''}{self.column}: {self.kind}{counted}"


@dataclass(frozen=True)
class CheckReport(Rich):
    """All that the checks of an extract found.

    Attributes
    ----------
    source : str
        What was checked.
    simulated : bool
        Whether the records are simulated.
    faults : tuple of Fault
        In order of table, column and kind; empty for a clean extract.
    rows : mapping of str to int
        Rows of each table.
    narrowed : mapping of str to str
        What the extract lacks without being at fault, and what can therefore not be answered.
    ignored : tuple of str
        Files that were passed over: hidden, or left by a program beside one it has open.

    Notes
    -----
    `Fault.rows` is exact. It is for the terminal inside the secure environment; `text()` and
    `to_frame()` are for what leaves it: counts of 1 to 9 become "fewer than 10" and larger ones
    are rounded to the nearest ten.
    """

    source: str
    simulated: bool
    faults: tuple[Fault, ...]
    rows: Mapping[str, int]
    narrowed: Mapping[str, str]
    ignored: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def to_frame(self, *, exact: bool = False) -> pd.DataFrame:
        """Return one row a fault: table, column, kind, rows (text), advice.

        Parameters
        ----------
        exact : bool, default False
            Show exact counts. Only inside the secure environment.
        """
        return pd.DataFrame(
            [
                (one.table, one.column, one.kind, shown(one.rows, exact=exact), one.advice)
                for one in self.faults
            ],
            columns=["table", "column", "kind", "rows", "advice"],
        )

    def text(self, *, exact: bool = False) -> str:
        """Return the report as lines of text.

        Parameters
        ----------
        exact : bool, default False
            Show exact counts. Only inside the secure environment.
        """
        lines = [f"{self.source}{' (simulated)' if self.simulated else ''}"]
        lines += [
            f"  {name}: {shown(number, exact=exact)} rows" for name, number in self.rows.items()
        ]
        if self.ignored:
            lines.append(f"Not read, hidden or left by a program: {', '.join(self.ignored)}")
        if self.narrowed:
            lines.append("Not in the extract, so it narrows what can be answered:")
            lines += [f"  {name}: {what}" for name, what in self.narrowed.items()]
        lines.append(
            "No fault found." if self.clean else f"{len(self.faults)} kinds of fault, by place:"
        )
        lines += [
            f"  {one.text(exact=exact)}" + (f". {one.advice}" if one.advice else "")
            for one in self.faults
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the report with small counts hidden."""
        return self.text()


def shown(count: int | None, *, exact: bool) -> str:
    """Return a count as it may be shown.

    Examples
    --------
    >>> shown(7, exact=False), shown(1234, exact=False), shown(7, exact=True)
    ('fewer than 10', '1,230', '7')
    """
    if count is None:
        return ""
    if exact or count == 0:
        return f"{count:,}"
    if count < SMALLEST_SHOWN:
        return f"fewer than {SMALLEST_SHOWN}"
    return f"{round(count, -1):,}"


#: What to do about faults of rows that their name does not say.
_ADVICE = {
    "unknown authority": "Codes are those of April 2011, as data/published/local_authorities.csv "
    "has them: give an authority whose code changed later its earlier one."
}
_PSEUDONYMISE = "Replace it with `tfeval pseudonymise`, or drop the column."


@in_own_words("The extract cannot be checked to its end")
def check_records(
    records: Records | str | Path | Any, *, only: Collection[str] | None = None
) -> CheckReport:
    """Check everything about an extract and report every fault at once.

    Parameters
    ----------
    records : Records, path or Ibis connection
        Open records, or what `open_records` takes; unlike it this opens any extract, however
        faulty.
    only : collection of str, optional
        Tables to check, by their names; by default all. Their links to others are checked too.

    Returns
    -------
    CheckReport
        Faults by table, column, kind and number of rows; never a value of a row.

    Notes
    -----
    Every rule is an aggregate that the database computes; no row is read into memory. Faults
    between tables are looked for only where the columns they need are there.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> report = check_records(simulate(families=60, seed=1).records)
    >>> report.clean
    True
    """
    found = records if isinstance(records, Records) else connect(records)
    checked = _chosen(found, only)
    faults: list[Fault] = [one for one in _shape(found) if only is None or one.table in only]
    rows = {}
    for name in checked:
        counts, rows[name] = _row_faults(found, name)
        faults += [*counts, *_identifiers(name, found.raw[name]), *_between_rows(found, name)]
    return CheckReport(
        source=found.source,
        simulated=found.simulated,
        faults=tuple(sorted(faults)),
        rows=rows,
        narrowed={**found.missing, **_optional(found)},
        ignored=found.ignored,
    )


def _chosen(records: Records, only: Collection[str] | None) -> list[str]:
    for name in only or ():
        if name not in TABLES:
            raise ParameterError(f"There is no table {name}. {suggest(name, TABLES)}")
    return [name for name in records.raw if only is None or name in only]


def _shape(records: Records) -> Iterator[Fault]:
    for name, table in TABLES.items():
        if name not in records.raw:
            if table.needed:
                yield Fault(name, "", "missing table", None, "Nothing can be answered without it.")
            continue
        raw = records.raw[name]
        for column, definition in table.columns.items():
            if column not in raw.columns:
                if definition.required:
                    yield Fault(name, column, "missing column", None, "Add it.")
            elif not _fits(raw[column].type(), definition):
                advice = f"It must hold a {definition.type}."
                yield Fault(name, column, "wrong type", None, advice)
        for column in identifying_names(name, raw):
            yield Fault(name, column, "an identifying column", None, _PSEUDONYMISE)
    for name, near in unknown_tables(records).items():
        yield Fault(name, "", "unknown table", None, near)


def _fits(kind: Any, wanted: Column) -> bool:
    """Return whether a column's type can hold what it should; text is judged row by row."""
    if kind.is_string():
        return True
    if wanted.type == "date":
        return kind.is_date() or kind.is_timestamp()
    if wanted.type == "int64":
        return kind.is_integer()
    if wanted.type == "boolean":
        return kind.is_boolean()
    return wanted.kind == "identifier" and kind.is_integer()


def _optional(records: Records) -> Mapping[str, str]:
    return {
        f"{name}.{column}": definition.description.rstrip(".")
        for name, raw in records.raw.items()
        for column, definition in TABLES[name].columns.items()
        if not definition.required and column not in raw.columns
    }


def _row_faults(records: Records, name: str) -> tuple[list[Fault], int]:
    raw, columns = records.raw[name], TABLES[name].columns

    def read(column: str) -> ibis.Value:
        return cast(raw[column], columns[column].type)

    rules = [
        rule
        for rule in row_rules(TABLES[name], raw, read, records.ends_on)
        if _fits(raw[rule[0]].type(), columns[rule[0]])
    ]
    sums = {f"r{place}": expression.sum() for place, (_, _, expression) in enumerate(rules)}
    counted = raw.aggregate(n=raw.count(), **sums).to_pyarrow().to_pylist()[0]
    faults = [
        Fault(name, column, kind, int(counted[f"r{place}"]), _ADVICE.get(kind, ""))
        for place, (column, kind, _) in enumerate(rules)
        if counted[f"r{place}"]
    ]
    return faults, int(counted["n"])


def _identifiers(name: str, raw: ibis.Table) -> Iterator[Fault]:
    for column in scanned_columns(name, raw):
        # Each value once: patterns cost more than grouping, and a person has many rows.
        values = raw.group_by(raw[column].name("value")).aggregate(times=raw.count())
        doubtful = values.filter(suspect(as_text(values.value)))
        for kind, rows in count_kinds(doubtful, name, column).items():
            yield Fault(name, column, f"looks like a {kind}", rows, _PSEUDONYMISE)


def _between_rows(records: Records, name: str) -> Iterator[Fault]:
    for column, kind, count in relations(name, records.tables):
        rows = records.connection.to_pyarrow(count).as_py()
        if rows:
            yield Fault(name, column, kind, int(rows))
