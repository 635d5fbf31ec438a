"""Tables of records: written whole, kept in an engine, typed; and what looks like identifiers."""

from __future__ import annotations

import re
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count as count_up
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import pandas as pd

from tfeval.errors import DataError, TfevalError
from tfeval.records.schema import TABLES, Column, Table

# Recognise real-world identifiers, which have no place in an extract.

# Write folders whole or not at all.


@contextmanager
def written_whole(*targets: Path) -> Iterator[list[Path]]:
    """Give folders to write in, which take their names only when all is written.

    Parameters
    ----------
    *targets : Path
        Folders to be made; none may exist, so nothing is ever overwritten.

    Raises
    ------
    TfevalError
        If one exists.
    """
    for target in targets:
        if target.exists():
            raise TfevalError(f"{target} exists already: remove it, or choose another folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
    drafts = [target.with_name(f".{target.name}-{uuid.uuid4().hex[:12]}") for target in targets]
    try:
        for draft in drafts:
            draft.mkdir()
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            draft.rename(target)
    finally:
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)


# Steps of a query, worked out once for all extracts of one form and settings.

#: Tables kept in an engine, by names of one width, so that one can stand for another in a query.
_KEPT = "tfeval_kept_{:09d}"
_NAMES = re.compile(r"tfeval_kept_[0-9]{9}")
_numbers = count_up()


@dataclass(frozen=True)
class _Query:
    """A step as DuckDB reads it: its inputs by the names they had, what comes out of it."""

    sql: str
    inputs: tuple[str, ...]
    schema: ibis.Schema


#: By step, form of the inputs and settings: to put one into SQL takes ten times as long as to run.
_queries: dict[str, _Query] = {}
#: Forms of the tables kept, by name: their columns, which are all that a step's words hang on.
_forms: dict[str, str] = {}


def kept(connection: Any, form: str, step: Callable[..., ibis.Table], *inputs: Any) -> ibis.Table:
    """Return a step's rows, kept by the engine until nothing refers to them.

    Parameters
    ----------
    connection : ibis backend
    form : str
        Names and types of the tables of the extract.
    step : callable
        A function, by name, of its inputs alone: what it returns must follow from the form of
        the tables and from the settings, never from rows that it looked at.
    *inputs : object
        Tables kept before, settings (told apart by their `repr`), and what else the form says.

    Notes
    -----
    DuckDB runs the query of the last time with other tables in their places; other engines put
    the step into SQL each time.
    """
    tables = [one for one in inputs if isinstance(one, ibis.Table)]
    ours = all(getattr(one.op(), "name", "") in _forms for one in tables)
    if connection.name != "duckdb" or not ours:
        return step(*inputs).cache()
    names = tuple(one.get_name() for one in tables)
    said = [_forms[one.get_name()] if isinstance(one, ibis.Table) else "" if hasattr(one, "tables")
            else repr(one) for one in inputs]  # fmt: skip
    key = sha256(repr((form, step.__module__, step.__qualname__, said)).encode()).hexdigest()
    known = _queries.get(key)
    if known is None:
        made = step(*inputs)
        known = _Query(str(connection.compile(made)), names, made.schema())
        _queries[key] = known
    renamed = dict(zip(known.inputs, names, strict=True))
    sql = _NAMES.sub(lambda name: renamed[name[0]], known.sql)
    return _held(connection, f"AS {sql}", known.schema)


def kept_frame(connection: Any, frame: pd.DataFrame) -> ibis.Table:
    """Return a small table as one of the engine's."""
    held = ibis.memtable(frame)
    if connection.name != "duckdb":
        # Spark keeps no in-memory table with a cached one unless a query has used it before.
        connection.execute(held.limit(1))
        return held
    view = _KEPT.format(next(_numbers))
    connection.con.register(view, frame)
    try:
        schema = held.schema()
        columns = ", ".join(f'"{name}"' for name in schema)
        return _held(connection, f"AS SELECT {columns} FROM {view}", schema)
    finally:
        connection.con.unregister(view)


def _held(connection: Any, what: str, schema: ibis.Schema) -> ibis.Table:
    name = _KEPT.format(next(_numbers))
    connection.raw_sql(f'CREATE TEMP TABLE "{name}" {what}')
    table = ops.DatabaseTable(name=name, schema=schema, source=connection,
                              namespace=ops.Namespace())  # fmt: skip
    _forms[name] = repr(schema)
    weakref.finalize(table, _dropped, connection, name).atexit = False
    return table.to_expr()


def _dropped(connection: Any, name: str) -> None:
    _forms.pop(name, None)
    with suppress(Exception):  # the connection may be closed before
        connection.raw_sql(f'DROP TABLE IF EXISTS "{name}"')


# Give columns the types of the schema, whatever they came as.


def typed(table: ibis.Table, definition: Table) -> ibis.Table:
    """Return the schema's columns of a table, in its order and with its types.

    A value that cannot be read as its type becomes null; `check_records` counts those.
    """
    columns = {}
    for name, column in definition.columns.items():
        if name in table.columns:
            columns[name] = cast(table[name], column.type)
    return table.select(**columns)


def cast(value: ibis.Value, wanted: str) -> ibis.Value:
    """Return a column as a type, null where it cannot be."""
    is_now = value.type()
    if wanted == "date" and is_now.is_timestamp():
        return value.date() if is_now.timezone is None else _in_london(value)
    if is_now.is_string() and wanted != "string":
        # An empty field is how CSV writes null.
        return _read(value.strip().nullif(""), wanted)
    if wanted == "int64" and (is_now.is_floating() or is_now.is_decimal()):
        whole = value.try_cast(wanted)
        exact = whole.cast("float64") == value.cast("float64")
        return ibis.ifelse(exact, whole, ibis.null(wanted))
    if is_now == ibis.dtype(wanted) or (is_now.is_integer() and wanted == "int64"):
        return value if is_now == ibis.dtype(wanted) else value.cast(wanted)
    return value.try_cast(wanted)


#: How text must be written to be a date or a whole number. A time after the day is passed over;
#: one with a zone must be midnight, or the day could be another one here. An engine left to
#: itself takes "2013-06-01x", "epoch" and 2.5, which it rounds.
_DATE = r"^[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?|"
_DATE += r"[T ]00:00(:00([.]0+)?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?$"
_WHOLE = r"^[+-]?[0-9]+([.]0*)?$"


def _read(text: ibis.Value, wanted: str) -> ibis.Value:
    """Return text as a type, null where it is not written as that."""
    if wanted == "date":
        return ibis.ifelse(text.re_search(_DATE), text, ibis.null("string")).try_cast("date")
    if wanted == "int64":
        whole = ibis.ifelse(text.re_search(_WHOLE), text, ibis.null("string"))
        return whole.re_replace(r"[.]0*$", "").try_cast("int64")
    return text.try_cast(wanted)


def _in_london(at: ibis.Value) -> ibis.Value:
    """Return the day in London of a time: by Greenwich, or of the hour after it in summer.

    An hour ahead from the last Sunday of March to that of October (of 1968 to 1971 all the year;
    before 1996 other Sundays, of which no month hangs), so midnights in London keep their date.
    """
    year, date = at.year(), at.month() * 100 + at.day()
    # Days from the last Sunday to the month's end; five quarters of a year are its weekdays.
    turn = ((5 * year) / 4).floor().cast("int64")
    march, october = 331 - (turn + 4) % 7, 1031 - (turn + 1) % 7
    always = ((year == 1968) & (date >= 218)) | year.between(1969, 1970)
    always = always | ((year == 1971) & (date < 1031))
    summer = always | ((date >= march) & (date < october))
    late = (at.hour() == 23) & summer  # at other hours the day is the same
    return ibis.ifelse(late, at + ibis.interval(hours=1), at).date()


def unread(value: ibis.Value, column: Column) -> ibis.BooleanValue:
    """Return whether a value that must be there, or is, cannot be read as its type or category.

    Parameters
    ----------
    value : ibis expression
        A column as it came.
    column : Column
        What the schema says of it.
    """
    read = cast(value, column.type)
    there = ibis.literal(True)
    if column.nullable:
        there = value.strip().nullif("").notnull() if value.type().is_string() else value.notnull()
    wrong = there & read.isnull()
    return wrong | ~read.isin(column.allowed).fill_null(True) if column.allowed else wrong


#: Patterns of whole values, for the regular expressions of DuckDB, PostgreSQL and Spark alike.
PATTERNS = {
    "UPN": r"^[A-Za-z][0-9]{11}[0-9A-Za-z]$",
    "National Insurance number": (
        r"^[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?"
        r"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]$"
    ),
    "full postcode": r"^[A-Za-z]{1,2}[0-9][0-9A-Za-z]? ?[0-9][A-Za-z]{2}$",
    "email address": r"^[^@ ]+@[^@ ]+[.][^@ ]+$",
    "name": r"^[A-Z][A-Za-z'-]+,? ([A-Z][.]? )?[A-Z][A-Za-z'-]+$",
    "full date of birth": r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}/[0-9]{2}/[0-9]{4})$",
}
_TEN_DIGITS = r"^[0-9]{3} ?[0-9]{3} ?[0-9]{4}$"
#: Columns that by their name hold identifying facts, whatever is in them.
IDENTIFYING_COLUMNS = (
    r"(?i)(^|_)(forename|surname|first_?name|last_?name|full_?name|name|post_?code"
)
IDENTIFYING_COLUMNS += r"|address|nhs(_?(no|number|id))?|upn|nino|ni_?(no|number)"
IDENTIFYING_COLUMNS += r"|date_?of_?birth|birth_?date|dob|e_?mail|phone|telephone|mobile|uprn)($|_)"
KINDS = ("NHS number", *PATTERNS)
_FIRST_ROWS = 1000


def looks_like(value: ibis.Value, kind: str) -> ibis.Value:
    """Return whether text looks like a kind of real identifier.

    Parameters
    ----------
    value : ibis string expression
        A text column.
    kind : str
        One of `KINDS`.
    """
    if kind == "NHS number":
        return _nhs_number(value)
    return value.re_search(PATTERNS[kind])


def suspect(value: ibis.Value) -> ibis.Value:
    """Return whether text may look like a real identifier: quick, and never wrongly false."""
    return value.re_search("|".join([*PATTERNS.values(), _TEN_DIGITS]))


def _nhs_number(value: ibis.Value) -> ibis.Value:
    # Ten digits whose weighted sum, the check digit with weight one, is a multiple of 11: any
    # ten-digit key would match a looser pattern. By character code, so that text cannot fail.
    digits = value.replace(" ", "")
    total = sum((digits.substr(i, 1).ascii_str() - 48) * (10 - i) for i in range(10))
    return value.re_search(_TEN_DIGITS) & (total % 11 == 0)


def scanned_columns(name: str, table: ibis.Table) -> list[str]:
    """Return the columns of a table in which a real identifier could stand.

    Dates that the schema asks for, and codes of authorities, are not among them.
    """
    known = TABLES[name].columns
    dated = {column for column, one in known.items() if one.kind in ("date", "month")}
    return [
        column
        for column, kind in table.schema().items()
        if (kind.is_string() or kind.is_integer())
        and column not in dated
        and (column not in known or known[column].kind in ("identifier", "category"))
    ]


def as_text(value: ibis.Value) -> ibis.Value:
    """Return a column as text without space around it."""
    return (value if value.type().is_string() else value.cast("string")).strip()


def refuse_identifiers(tables: Mapping[str, ibis.Table]) -> None:
    """Refuse tables whose first rows, or names of columns, look identifying.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables as they came.

    Raises
    ------
    DataError
        Naming table, column and kind of identifier; never a value.
    """
    found = [
        f"{name}.{column} (its name)"
        for name, table in tables.items()
        for column in identifying_names(name, table)
    ]
    for name, table in tables.items():
        found += [f"{name}.{column} ({kinds})" for column, kinds in _in_first_rows(name, table)]
    if found:
        raise DataError(
            f"Real identifiers are refused: {', '.join(found)}. Replace them with "
            "`tfeval pseudonymise`, or drop the column, and open the result."
        )


def _in_first_rows(name: str, table: ibis.Table) -> Iterator[tuple[str, str]]:
    columns = scanned_columns(name, table)
    if not columns:
        return
    first = table.select(*columns).limit(_FIRST_ROWS)
    counts = first.aggregate(**{c: suspect(as_text(first[c])).sum() for c in columns}).to_pyarrow()
    for column in columns:
        if counts[column][0].as_py():
            values = first.select(value=first[column], times=ibis.literal(1))
            kinds = count_kinds(values)
            if kinds:
                yield column, " or ".join(kinds)


def count_kinds(values: ibis.Table) -> dict[str, int]:
    """Return how many rows look like each kind of real identifier, kinds without any left out.

    Parameters
    ----------
    values : ibis.Table
        `value`, and `times` that it comes.
    """
    text = as_text(values.value)
    counts = values.aggregate(
        **{
            f"k{place}": looks_like(text, kind).ifelse(values.times, 0).sum()
            for place, kind in enumerate(KINDS)
        }
    ).to_pyarrow()
    found = {kind: counts[f"k{place}"][0].as_py() for place, kind in enumerate(KINDS)}
    return {kind: int(number) for kind, number in found.items() if number}


def identifying_names(name: str, table: ibis.Table) -> list[str]:
    """Return columns that are not in the schema and have an identifying name."""
    known = TABLES[name].columns
    return [
        column
        for column in table.columns
        if column not in known and re.search(IDENTIFYING_COLUMNS, column)
    ]
