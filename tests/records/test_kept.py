"""Tables that an engine keeps are dropped when nothing needs them, and never within a query."""

from __future__ import annotations

import gc
import threading

import pytest

from tfeval.records.private import duckdb_connection
from tfeval.records.relations import kept_rows

KEPT = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'tfeval_kept%'"


@pytest.fixture
def connection():
    made = duckdb_connection()
    made.raw_sql("CREATE TABLE numbers AS SELECT range AS one, range % 7 AS seventh FROM range(99)")
    return made


def held(connection):
    return connection.raw_sql(KEPT).fetchone()[0]


def some(connection):
    return kept_rows(connection, connection.table("numbers").limit(3))


def test_a_table_is_there_for_as_long_as_it_is_referred_to(connection):
    other = duckdb_connection()
    other.raw_sql("CREATE TABLE numbers AS SELECT 1 AS one")
    kept = [some(connection) for _ in range(3)]
    assert held(connection) == 3 and [len(one.to_pandas()) for one in kept] == [3] * 3
    del kept[1:]
    gc.collect()
    beside = some(other)  # its connection is another, and has tables of its own
    assert held(connection) == 3 and held(other) == 1
    again = some(connection)
    assert held(connection) == 2
    assert len(kept[0].to_pandas()) == len(again.to_pandas()) == 3 and len(beside.to_pandas()) == 1


def test_who_lets_go_of_a_table_breaks_off_no_query(connection):
    """A worker's other threads collect garbage too: they ended the query that was under way."""
    garbage = [some(connection) for _ in range(300)]
    asked = connection.table("numbers").group_by("seventh").aggregate(many=lambda t: t.count())
    start = threading.Event()

    def collect():
        start.wait()
        while garbage:
            garbage.pop()
            gc.collect(0)

    thread = threading.Thread(target=collect)
    thread.start()
    start.set()
    asked_while = 0
    while thread.is_alive() or asked_while < 10:
        assert asked.to_pandas()["many"].sum() == 99
        asked_while += 1
    thread.join()
    some(connection)
    assert held(connection) == 1
