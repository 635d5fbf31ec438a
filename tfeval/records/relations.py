"""Tables of records: kept in an engine, typed; and what must hold between rows."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count as count_up
from typing import Any

import ibis
import ibis.expr.operations as ops
import pandas as pd

from tfeval.records.schema import TABLES, Column, Table

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
        return value.date()
    if is_now.is_string() and wanted != "string":
        # An empty field is how CSV writes null.
        return value.strip().nullif("").try_cast(wanted)
    if is_now == ibis.dtype(wanted) or (is_now.is_integer() and wanted == "int64"):
        return value if is_now == ibis.dtype(wanted) else value.cast(wanted)
    return value.try_cast(wanted)


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


#: A fault between rows: its column, its kind, and the expression that counts the rows.
Count = tuple[str, str, ibis.Value]
_FOREVER = "9999-12-31"


def relations(name: str, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    """Return the counts of faults between a table's rows and the rest of the extract.

    Parameters
    ----------
    name : str
        The table.
    tables : mapping of str to ibis.Table
        Every table of the extract, typed.
    """
    definition, table = TABLES[name], tables[name]
    present = set(table.columns)
    if set(definition.key) <= present:
        yield ", ".join(definition.key), "duplicate key", _duplicates(table, definition.key)
    for column, target in definition.links.items():
        other, key = target.split(".")
        if column in present and other in tables and key in tables[other].columns:
            yield column, f"not in {other}", _orphans(table, column, tables[other], key)
    spell = {definition.event_on, definition.ends_on, *definition.no_overlap}
    if definition.no_overlap and spell <= present:
        yield _begins(definition), "overlaps an earlier one", _overlaps(definition, table)
    if name == "families":
        yield from _families(tables)
    if definition.event_on in present:
        yield from _ages(definition, tables)
        yield from _covered(definition, tables)
        yield from _same_family(table, tables)
        yield from _unlinked(name, table, tables)
    if name == "family_moves":
        yield from _moves(tables)


def _begins(definition: Table) -> str:
    return str(definition.event_on)


def _duplicates(table: ibis.Table, key: tuple[str, ...]) -> ibis.Value:
    """Count the rows beyond the first of each key."""
    whole = table.filter([table[column].notnull() for column in key])
    counted = whole.group_by(list(key)).aggregate(times=whole.count())
    return (counted.times - 1).sum()


def _orphans(table: ibis.Table, column: str, other: ibis.Table, key: str) -> ibis.Value:
    known = other.select(found=other[key]).distinct()
    ours = table.filter(table[column].notnull()).select(sought=table[column])
    return ours.anti_join(known, ours.sought == known.found).count()


def _overlaps(definition: Table, table: ibis.Table) -> ibis.Value:
    begins, ends = str(definition.event_on), str(definition.ends_on)
    until = ibis.coalesce(table[ends], ibis.date(_FOREVER))
    spells = table.filter(table[begins].notnull()).select(
        *definition.no_overlap, begins=table[begins], until=until
    )
    before = ibis.window(
        group_by=list(definition.no_overlap),
        order_by=[spells.begins, spells.until],
        rows=(None, -1),
    )
    marked = spells.mutate(reach=spells.until.max().over(before))
    touch = marked.begins <= marked.reach if definition.closed else marked.begins < marked.reach
    return touch.sum()


def _families(tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    families, people = tables["families"], tables.get("people")
    if people is not None and {"family_id"} <= set(people.columns) & set(families.columns):
        yield (
            "family_id",
            "a family without people",
            _orphans(families, "family_id", people, "family_id"),
        )


def _ages(definition: Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    people, table = tables.get("people"), tables[definition.name]
    if people is None or not {"person_id", "birth_month"} <= set(people.columns):
        return
    if "person_id" not in table.columns:
        return
    born = people.select(person=people.person_id, born=people.birth_month)
    events = table.select(person_id=table.person_id, on=table[definition.event_on])
    aged = events.inner_join(born, events.person_id == born.person)
    column = _begins(definition)
    yield column, "before the person was born", (aged.on < aged.born).sum()
    if definition.ages is None:
        return
    youngest, too_old = definition.ages
    if youngest:
        young = (aged.on >= aged.born) & (aged.on < aged.born + ibis.interval(years=youngest))
        yield column, f"younger than {youngest}", young.sum()
    old = aged.on >= aged.born + ibis.interval(years=too_old)
    kind = "an adult in the school table" if definition.name == "school_terms" else (
        f"{too_old} or older"
    )  # fmt: skip
    yield column, kind, old.sum()


def _covered(definition: Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    """Count events after the last day that any authority is said to have sent of the table.

    Only a table that nobody is said to have sent, or one wholly past its coverage, is surely at
    fault: a family's authority on a day is for the cohort to work out.
    """
    window, table = tables.get("coverage"), tables[definition.name]
    needed = {"source_table", "covered_from", "covered_to"}
    if window is None or not needed <= set(window.columns):
        return
    mine = window.filter(window.source_table == definition.name)
    last = mine.aggregate(last=mine.covered_to.max())
    events = table.select(on=table[definition.event_on])
    late = events.cross_join(last)
    yield (
        _begins(definition),
        "after all coverage of the table",
        (late.last.isnull() | (late.on > late.last)).sum(),
    )


def _same_family(table: ibis.Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    people = tables.get("people")
    if people is None or not {"person_id", "family_id"} <= set(table.columns) & set(people.columns):
        return
    homes = people.select(person=people.person_id, home=people.family_id)
    events = table.select(person_id=table.person_id, family_id=table.family_id)
    joined = events.inner_join(homes, events.person_id == homes.person)
    yield "person_id", "a person of another family", (joined.family_id != joined.home).sum()


def _unlinked(name: str, table: ibis.Table, tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    flag, people = TABLES[name].linked, tables.get("people")
    if not flag or people is None or flag not in people.columns:
        return
    if "person_id" not in set(table.columns) & set(people.columns):
        return
    absent = people.filter(~people[flag]).select(person=people.person_id)
    rows = table.select(person_id=table.person_id)
    found = rows.semi_join(absent, rows.person_id == absent.person).count()
    yield "person_id", f"records of a person said not to be found ({flag})", found


def _moves(tables: Mapping[str, ibis.Table]) -> Iterator[Count]:
    moves, families = tables["family_moves"], tables.get("families")
    needed = {"family_id", "local_authority"}
    if families is None or not needed <= set(families.columns) & set(moves.columns):
        return
    if "moved_on" not in moves.columns:
        return
    home = ibis.window(group_by="family_id", order_by=moves.moved_on)
    again = moves.mutate(before=moves.local_authority.lag().over(home))
    yield (
        "local_authority",
        "a move to the authority the family was in",
        (again.local_authority == again.before).sum(),
    )
