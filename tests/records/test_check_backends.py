"""What opening and checking ask can be said to PostgreSQL and Spark too, not to DuckDB alone."""

from __future__ import annotations

from datetime import date

import ibis
import pytest

from tfeval.records.between_rows import relations
from tfeval.records.identifiers import as_text, scanned_columns, suspect
from tfeval.records.relations import cast, typed
from tfeval.records.schema import TABLES
from tfeval.records.within_rows import row_rules


def _empty(name: str) -> ibis.Table:
    columns = TABLES[name].columns
    types = {c: one.type for c, one in columns.items()}
    return ibis.table(types, name=name)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "pyspark"])
@pytest.mark.parametrize("name", TABLES)
def test_every_question_compiles(name: str, dialect: str) -> None:
    raw = _empty(name)
    columns = TABLES[name].columns
    rules = list(
        row_rules(
            TABLES[name],
            raw,
            lambda column: cast(raw[column], columns[column].type),
            date(2019, 12, 31),
        )
    )
    assert rules
    counts = raw.aggregate(**{f"r{i}": rule.sum() for i, (_, _, rule) in enumerate(rules)})
    assert ibis.to_sql(counts, dialect=dialect)
    for column in scanned_columns(name, raw):
        asked = raw.aggregate(any=suspect(as_text(raw[column])).sum())
        assert ibis.to_sql(asked, dialect=dialect)
    tables = {other: typed(_empty(other), TABLES[other]) for other in TABLES}
    for _, _, count in relations(name, tables):
        assert ibis.to_sql(count, dialect=dialect)
