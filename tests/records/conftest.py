"""Small simulated extracts: clean, on disk, and in a database that a test may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq
import pytest

from tfeval.records.simulate import SimulatedRecords, simulate, simulate_to


@pytest.fixture(scope="session")
def small() -> SimulatedRecords:
    """Return simulated records of 400 families."""
    return simulate(families=400, seed=7)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same records as a folder of Parquet; not to be changed."""
    return simulate_to(tmp_path_factory.mktemp("extract") / "records", families=400, seed=7)[0]


@pytest.fixture(scope="session")
def filled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same records as a DuckDB file; not to be changed."""
    path = tmp_path_factory.mktemp("database") / "records.duckdb"
    connection = ibis.duckdb.connect(path)
    for table in sorted(folder.glob("*.parquet")):
        connection.create_table(table.stem, pq.read_table(table))
    connection.disconnect()
    return path


@pytest.fixture
def database(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that spoils a private copy of the records by SQL and gives a connection."""

    def spoil(*statements: str) -> ibis.BaseBackend:
        copy = shutil.copy(filled, tmp_path_factory.mktemp("spoilt"))
        connection = ibis.duckdb.connect(copy)
        for statement in statements:
            connection.con.execute(statement)
        return connection

    return spoil
