"""Tables of records: written whole, kept in an engine, typed."""

from __future__ import annotations

import json
import re
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count as count_up
from pathlib import Path
from typing import Any
from uuid import uuid4

import ibis
import ibis.expr.operations as ops
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tfeval.programme.authority_codes import renamed_codes
from tfeval.records.schema import Column, Table

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
#: Hashes of how tables came to be, by name, where that decides every row of theirs.
_contents: dict[str, str] = {}
#: Tables that nothing refers to, with the connection each is in: dropped there before the next is
#: kept. Who lets go of one may be the collector of garbage, in whatever thread and in the middle
#: of a query, which DuckDB breaks off for any other statement.
_left: deque[tuple[Callable[[], Any], str]] = deque()


@dataclass(frozen=True)
class Shelf:
    """Where steps' rows are kept for other processes: of records simulated from a seed, no others.

    Attributes
    ----------
    folder : Path
        Under a hash of all that the records, and the code named here, rest on.
    code : tuple of str
        Beginnings of names of modules: rows of their steps alone are kept.
    """

    folder: Path
    code: tuple[str, ...]


def kept(
    connection: Any, form: str, step: Callable[..., ibis.Table], *inputs: Any,
    shelf: Shelf | None = None,
) -> ibis.Table:  # fmt: skip
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
    shelf : Shelf, optional
        Where other processes find the rows.

    Notes
    -----
    DuckDB runs the query of the last time with other tables in their places; other engines put
    the step into SQL each time.
    """
    tables = [one for one in inputs if isinstance(one, ibis.Table)]
    ours = all(getattr(one.op(), "name", "") in _forms for one in tables)
    if connection.name != "duckdb":
        return step(*inputs).cache()
    if not ours:
        return kept_rows(connection, step(*inputs))
    names = tuple(one.get_name() for one in tables)
    said = [_forms[one.get_name()] if isinstance(one, ibis.Table) else "" if hasattr(one, "tables")
            else repr(one) for one in inputs]  # fmt: skip
    key = sha256(repr((form, step.__module__, step.__qualname__, said)).encode()).hexdigest()
    place, content = None, ""
    if shelf is not None and step.__module__.startswith(shelf.code):
        content = _content(key, inputs)
        place = shelf.folder / f"{content}.parquet" if content else None
    if place is not None:
        with suppress(OSError, KeyError, pa.ArrowException):  # not there, or spoilt
            return _taken(connection, place, content)
    began = time.perf_counter()
    known = _queries.get(key)
    if known is None:
        made = step(*inputs)
        known = _Query(str(connection.compile(made)), names, made.schema())
        _queries[key] = known
    renamed = dict(zip(known.inputs, names, strict=True))
    sql = _NAMES.sub(lambda name: renamed[name[0]], known.sql)
    table = _stored(connection, f"AS {sql}", known.schema, content)
    if place is not None and time.perf_counter() - began > _QUICK:
        with suppress(OSError):  # no room
            _put(connection, table, place)
    return table


def kept_rows(connection: Any, table: ibis.Table) -> ibis.Table:
    """Return a table's rows as they are now, kept by the engine until nothing refers to them."""
    if connection.name != "duckdb":
        return table.cache()
    return _stored(connection, f"AS {connection.compile(table)}", table.schema())


def kept_frame(connection: Any, frame: pd.DataFrame, *, shelf: Shelf | None = None) -> ibis.Table:
    """Return a small table as one of the engine's."""
    table = ibis.memtable(frame)
    if connection.name != "duckdb":
        # Spark keeps no in-memory table with a cached one unless a query has used it before.
        connection.execute(table.limit(1))
        return table
    view = _KEPT.format(next(_numbers))
    connection.con.register(view, frame)
    try:
        schema = table.schema()
        columns = ", ".join(f'"{name}"' for name in schema)
        content = ""
        if shelf is not None:
            rows = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
            content = sha256(repr(schema).encode() + rows).hexdigest()
        return _stored(connection, f"AS SELECT {columns} FROM {view}", schema, content)
    finally:
        connection.con.unregister(view)


#: Seconds below which rows are made sooner than written and read.
_QUICK = 0.1


def _content(key: str, inputs: tuple[Any, ...]) -> str:
    """Return a hash of all that decides a step's rows; empty where not all of it is known."""
    before = [_contents.get(one.get_name(), "") for one in inputs if isinstance(one, ibis.Table)]
    return sha256(" ".join([key, *before]).encode()).hexdigest() if all(before) else ""


def _put(connection: Any, table: ibis.Table, place: Path) -> None:
    rows = connection.con.sql(f'FROM "{table.get_name()}"')
    kinds = {
        name: (str(kind), str(engine))
        for (name, kind), engine in zip(table.schema().items(), rows.types, strict=True)
    }
    with shelved(place) as draft:
        made = rows.to_arrow_table().replace_schema_metadata({"kinds": json.dumps(kinds)})
        pq.write_table(made, draft)


@contextmanager
def shelved(place: Path) -> Iterator[Path]:
    """Give a file to write in, which takes its place on a shelf when all of it is written."""
    place.parent.mkdir(mode=0o700, exist_ok=True)
    draft = place.with_name(f".{place.stem}-{uuid4().hex[:12]}")
    try:
        yield draft
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def _taken(connection: Any, place: Path, content: str) -> ibis.Table:
    rows = pq.read_table(place)
    kinds = json.loads(rows.schema.metadata[b"kinds"])
    view = _KEPT.format(next(_numbers))
    connection.con.register(view, rows)
    try:
        typed_as = [f'"{name}"::{engine} AS "{name}"' for name, (_, engine) in kinds.items()]
        schema = ibis.schema({name: kind for name, (kind, _) in kinds.items()})
        sql = f"AS SELECT {', '.join(typed_as)} FROM {view}"
        return _stored(connection, sql, schema, content)
    finally:
        connection.con.unregister(view)


def _stored(connection: Any, what: str, schema: ibis.Schema, content: str = "") -> ibis.Table:
    _drop_left(connection)
    name = _KEPT.format(next(_numbers))
    connection.raw_sql(f'CREATE TEMP TABLE "{name}" {what}')
    table = ops.DatabaseTable(name=name, schema=schema, source=connection,
                              namespace=ops.Namespace())  # fmt: skip
    _forms[name] = repr(schema)
    if content:
        _contents[name] = content
    weakref.finalize(table, _leave, weakref.ref(connection), name).atexit = False
    return table.to_expr()


def _leave(where: Callable[[], Any], name: str) -> None:
    _forms.pop(name, None)
    _contents.pop(name, None)
    _left.append((where, name))


def _drop_left(connection: Any) -> None:
    for _ in range(len(_left)):
        with suppress(IndexError):  # another thread was before
            where, name = _left.popleft()
            if where() is connection:
                connection.raw_sql(f'DROP TABLE IF EXISTS "{name}"')
            elif where() is not None:
                _left.append((where, name))


# Give columns the types of the schema, whatever they came as.


def typed(table: ibis.Table, definition: Table) -> ibis.Table:
    """Return the schema's columns of a table, in its order and with its types.

    A value that cannot be read as its type becomes null; `check_records` counts those.
    """
    columns = {}
    for name, column in definition.columns.items():
        if name in table.columns:
            columns[name] = read_as(table[name], column)
    return table.select(**columns)


def read_as(value: ibis.Value, column: Column) -> ibis.Value:
    """Return a column as the schema has it: its type, and of an authority its code of 2012-15.

    A code that the same area had in other years is read as that of 2012-15; one whose area is
    part of an authority of then, or lies over several, stays as it is, for checks to find.
    """
    read = cast(value, column.type)
    if column.kind != "authority":
        return read
    return read.cases(*renamed_codes().items(), else_=read)


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
    return value if is_now == ibis.dtype(wanted) else value.try_cast(wanted)


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
