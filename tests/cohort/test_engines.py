"""The same cohort from other engines, to the last digit: PostgreSQL and Spark where they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from tests.cohort.extracts import as_records, tables_of
from tfeval.cohort.cohort import cohort
from tfeval.records.simulate import simulate
from tfeval.records.store import open_records

pytestmark = pytest.mark.engine
CASES = [
    ("one", "waiting", "family"),
    ("two", "not_yet_treated", "person"),
    ("two", "other_authorities", "family"),
    ("one", "below_threshold", "family"),
]


@pytest.fixture(scope="module")
def tables():
    return tables_of(simulate(families=150, seed=3).records)


def postgres_bin() -> Path | None:
    found = [Path(path).parent for path in [shutil.which("initdb")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgres(tables):
    folder = postgres_bin()
    if folder is None:
        pytest.skip("no PostgreSQL server: install postgresql to run this")
    if find_spec("psycopg") is None:
        pytest.skip("no psycopg")
    root = os.geteuid() == 0
    if root and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    # Not below pytest's own folder, which is closed to the server's user.
    place = Path(tempfile.mkdtemp(prefix="tfeval-"))
    data = place / "data"
    if root:
        shutil.chown(place, "postgres")
    run = ["runuser", "-u", "postgres", "--"] if root else []

    def tool(*words: str) -> None:
        done = subprocess.run([*run, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    tool(str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-k {place} -c listen_addresses='' -c fsync=off"
    control = str(folder / "pg_ctl")
    tool(control, "-D", str(data), "-w", "-o", options, "-l", str(place / "log"), "start")
    import ibis

    connection = ibis.postgres.connect(host=str(place), user="postgres", database="postgres")
    for name, table in tables.items():
        connection.create_table(name, table)
    yield connection
    connection.disconnect()
    tool(control, "-D", str(data), "-m", "immediate", "stop")
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def spark(tables):
    if find_spec("pyspark") is None:
        pytest.skip("no pyspark: install ibis-framework[pyspark] to run this")
    if shutil.which("java") is None:
        pytest.skip("no Java, which Spark needs")
    import ibis
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    connection = ibis.pyspark.connect(session)
    for name, table in tables.items():
        session.createDataFrame(
            table.to_pandas(date_as_object=True).astype(object).where(lambda f: f.notna(), None),
            schema=_spark_schema(table),
        ).createOrReplaceTempView(name)
    yield connection
    session.stop()


def _spark_schema(table):
    from ibis.backends.pyspark.datatypes import PySparkSchema
    from ibis.formats.pyarrow import PyArrowSchema

    return PySparkSchema.from_ibis(PyArrowSchema.to_ibis(table.schema))


def equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    assert len(found) == len(expected) > 0
    for name in expected:
        left, right = found[name], expected[name]
        if name.endswith("_on"):
            left, right = pd.to_datetime(left), pd.to_datetime(right)
        if pd.api.types.is_numeric_dtype(right):
            left, right = left.astype(float), right.astype(float)
            assert ((left == right) | (left.isna() & right.isna())).all(), name
        else:
            assert list(left) == list(right), name


@pytest.mark.parametrize(("phase", "comparison", "level"), CASES)
@pytest.mark.parametrize("engine", ["postgres", "spark"])
def test_another_engine_gives_the_same_rows(  # noqa: PLR0917
    request, tables, engine, phase, comparison, level
):
    records = open_records(request.getfixturevalue(engine))
    asked = {"phase": phase, "comparison": comparison, "level": level, "horizon": (6, 24)}
    found = cohort(records, **asked).to_pandas()
    equal(found, cohort(as_records(tables, records.ends_on), **asked).to_pandas())
