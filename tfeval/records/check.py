"""Check an extract: every fault at once, as counts that the database makes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import ibis

from tfeval.errors import ParameterError, in_own_words, suggest
from tfeval.records.casting import cast
from tfeval.records.columns import Column
from tfeval.records.faults import CheckReport, Fault
from tfeval.records.identifiers import (
    as_text,
    count_kinds,
    identifying_names,
    scanned_columns,
    suspect,
)
from tfeval.records.relations import relations
from tfeval.records.rules import row_rules
from tfeval.records.schema import TABLES
from tfeval.records.store import Records, connect, unknown_tables

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
        Fault(name, column, kind, int(counted[f"r{place}"]))
        for place, (column, kind, _) in enumerate(rules)
        if counted[f"r{place}"]
    ]
    return faults, int(counted["n"])


def _identifiers(name: str, raw: ibis.Table) -> Iterator[Fault]:
    for column in scanned_columns(name, raw):
        # Each value once: patterns cost more than grouping, and a person has many rows.
        values = raw.group_by(raw[column].name("value")).aggregate(times=raw.count())
        doubtful = values.filter(suspect(as_text(values.value)))
        if doubtful.count().to_pyarrow().as_py():
            for kind, rows in count_kinds(doubtful).items():
                yield Fault(name, column, f"looks like a {kind}", rows, _PSEUDONYMISE)


def _between_rows(records: Records, name: str) -> Iterator[Fault]:
    for column, kind, count in relations(name, records.tables):
        rows = records.connection.to_pyarrow(count).as_py()
        if rows:
            yield Fault(name, column, kind, int(rows))
