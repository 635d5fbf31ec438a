"""Check an extract: every fault at once, as counts that the database makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import ParameterError, TfevalError, in_own_words, is_out_of_room, suggest
from tfeval.programme.authority_codes import renamed_codes
from tfeval.records.between_rows import relations
from tfeval.records.folders import spelt_otherwise
from tfeval.records.identifiers import (
    count_kinds,
    identifying_names,
    plain_names,
    scanned_columns,
    shown_name,
)
from tfeval.records.relations import read_as
from tfeval.records.schema import TABLES, Column
from tfeval.records.store import Records, connect, unknown_tables
from tfeval.records.within_rows import OVER_SEVERAL, PART_OF_ONE, row_rules

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
        Files that were passed over: hidden, left by a program, documents.
    files : mapping of str to int
        How many files each table of a folder was read from.
    unknown_columns : tuple of str
        Columns ("table.column") that the schema does not know and nothing is read from; names that
        are not plainly names are counted only.
    renamed : mapping of str to int
        Rows by "table.column" whose code of an authority is of other years and is read as that of
        2012-15, exactly.

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
    files: Mapping[str, int] = field(default_factory=dict)
    unknown_columns: tuple[str, ...] = ()
    renamed: Mapping[str, int] = field(default_factory=dict)

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
            f"  {name}: {shown(number, exact=exact)} rows{self._parts(name)}"
            for name, number in self.rows.items()
        ]
        for place, number in self.renamed.items():
            count = shown(number, exact=exact)
            lines.append(f"Codes of other years, read as those of 2012-15: {place}, {count} rows")
        if self.ignored:
            lines.append(f"Not read, no records in it: {', '.join(self.ignored)}")
        if self.unknown_columns:
            lines.append(f"Columns not read, unknown: {', '.join(self.unknown_columns)}")
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

    def _parts(self, name: str) -> str:
        return f", of {self.files[name]} files" if self.files.get(name, 1) > 1 else ""

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
    "has them; give a district its county's.",
    PART_OF_ONE: "`tfeval prepare` takes the part for the whole if the mapping says so "
    "(authorities.parts).",
    OVER_SEVERAL: "Whose it was cannot be told from the code: give the earlier one, or let "
    "`tfeval prepare` leave these families out (authorities.across).",
}
_DAMAGED = "It is damaged, holds text that is no UTF-8, or a view that fails: write it anew."
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
    extract = records if isinstance(records, Records) else connect(records)
    checked = _chosen(extract, only)
    faults: set[Fault] = {one for one in _shape(extract) if only is None or one.table in only}
    rows: dict[str, int] = {}
    for name in checked:
        for part in (_row_faults(extract, name, rows), _identifiers(extract, name, rows),
                     _between_rows(extract, name)):  # fmt: skip
            faults |= _to_its_end(name, part)
    return CheckReport(
        source=extract.source,
        simulated=extract.simulated,
        faults=tuple(sorted(faults)),
        rows=rows,
        narrowed={**extract.missing, **_optional(extract)},
        ignored=extract.ignored,
        files={name: extract.files[name] for name in checked if name in extract.files},
        unknown_columns=tuple(plain_names(
            f"{name}.{column}" for name in checked for column in extract.sent[name].columns
            if column not in TABLES[name].columns)),
        renamed=_renamed(extract, list(rows)),
    )  # fmt: skip


def _to_its_end(name: str, part: Iterator[Fault]) -> set[Fault]:
    """Return what one look at a table finds: that it cannot be read is a fault as others are."""
    try:
        return set(part)
    except Exception as fault:
        if isinstance(fault, TfevalError) or is_out_of_room(fault):
            raise  # no fault of the table
        return {Fault(name, "", "cannot be read to its end", None, _DAMAGED)}


def _renamed(records: Records, names: list[str]) -> dict[str, int]:
    """Count the rows with a code that an authority of 2012-15 had in other years."""
    counts: Counter[str] = Counter()
    for name in names:
        raw = records.sent[name]
        for column, one in TABLES[name].columns.items():
            if one.kind == "authority" and column in raw.columns and raw[column].type().is_string():
                times = raw[column].isin(list(renamed_codes())).sum().to_pyarrow().as_py()
                counts[f"{name}.{column}"] = int(times or 0)
    return dict(+counts)


def _chosen(records: Records, only: Collection[str] | None) -> list[str]:
    for name in only or ():
        if name not in TABLES:
            raise ParameterError(f"There is no table {name}. {suggest(name, TABLES)}")
    return [name for name in records.sent if only is None or name in only]


def _shape(records: Records) -> Iterator[Fault]:
    for name, table in TABLES.items():
        if name in records.sent:
            yield from _columns(name, records.sent[name])
        elif table.needed:
            yield Fault(name, "", "missing table", None, "Nothing can be answered without it.")
    for name, near in unknown_tables(records).items():
        yield Fault(shown_name(name, "table"), "", "unknown table", None, near)
    for name, cure in records.unread.items():
        yield Fault(name, "", "a file that is not read", None, cure)


def _columns(name: str, raw: ibis.Table) -> Iterator[Fault]:
    columns = TABLES[name].columns
    meant = spelt_otherwise(raw.columns, set(columns))
    unknown = [one.casefold() for one in raw.columns if one not in columns]
    for column, definition in columns.items():
        if column in raw.columns:
            if not _fits(raw[column].type(), definition):
                yield Fault(name, column, "wrong type", None, f"It must hold a {definition.type}.")
        elif definition.required:
            advice = "Spell it so." if column in meant else "Add it."
            yield Fault(name, column, "missing column", None, advice)
        elif column in meant or get_close_matches(column, unknown, n=1, cutoff=0.85):
            yield Fault(name, column, "a column named almost so", None, "Spell it so.")
    for column in identifying_names(name, raw):
        yield Fault(name, shown_name(column), "an identifying column", None, _PSEUDONYMISE)


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
        for name, raw in records.sent.items()
        for column, definition in TABLES[name].columns.items()
        if not definition.required and column not in raw.columns
    }


def _row_faults(records: Records, name: str, rows: dict[str, int]) -> Iterator[Fault]:
    raw, columns = records.sent[name], TABLES[name].columns

    def read(column: str) -> ibis.Value:
        return read_as(raw[column], columns[column])

    rules = [
        rule
        for rule in row_rules(TABLES[name], raw, read, records.ends_on)
        if _fits(raw[rule[0]].type(), columns[rule[0]])
    ]
    sums = {f"r{place}": expression.sum() for place, (_, _, expression) in enumerate(rules)}
    counted = raw.aggregate(n=raw.count(), **sums).to_pyarrow().to_pylist()[0]
    rows[name] = int(counted["n"])
    for place, (column, kind, _) in enumerate(rules):
        if number := counted[f"r{place}"]:
            yield Fault(name, column, kind, int(number), _ADVICE.get(kind, ""))


def _identifiers(records: Records, name: str, rows: Mapping[str, int]) -> Iterator[Fault]:
    raw = records.sent[name]
    columns, many = scanned_columns(name, raw), _AT_ONCE // max(rows.get(name, _AT_ONCE), 1)
    # A question takes its time however few rows there are. Not every database can stack columns.
    size = min(max(many, 1), _MOST_COLUMNS) if records.connection.name == "duckdb" else 1
    for begin in range(0, len(columns), size):
        for column, kinds in count_kinds(raw, name, columns[begin : begin + size]).items():
            for kind, number in kinds.items():
                yield Fault(name, shown_name(column), f"looks like a {kind}", number,
                            _PSEUDONYMISE)  # fmt: skip


#: How many values are looked at in one question at most, and of how many columns.
_AT_ONCE, _MOST_COLUMNS = 2_000_000, 250


def _between_rows(records: Records, name: str) -> Iterator[Fault]:
    tables = {one: records.rows(one) for one in records.tables}
    # Columns of no table cost as much to put into a question as others do.
    tables = {one: rows.select([column for column in rows.columns if column in TABLES[one].columns])
              for one, rows in tables.items()}  # fmt: skip
    for column, kind, count in relations(name, tables):
        rows = records.connection.to_pyarrow(count).as_py()
        if rows:
            yield Fault(name, column, kind, int(rows))
