"""Small simulated extracts: clean, on disk, and in a database that a test may spoil."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def database(folder: Path) -> Callable[..., ibis.BaseBackend]:
    """Return a function that spoils a private copy of the records by SQL and gives a connection."""

    def spoil(*statements: str) -> ibis.BaseBackend:
        connection = ibis.duckdb.connect()
        for path in sorted(folder.glob("*.parquet")):
            connection.create_table(path.stem, pq.read_table(path))
        for statement in statements:
            connection.con.execute(statement)
        return connection

    return spoil
