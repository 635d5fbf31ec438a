"""Every way in gives the same records, and says what is missing or refused."""

from __future__ import annotations

import json
from pathlib import Path

import ibis
import pytest

from tfeval.errors import DataError, ParameterError
from tfeval.records.schema import TABLES
from tfeval.records.store import Records, open_records


def _copy(folder: Path, target: Path, *leave: str) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        if path.stem not in leave:
            (target / path.name).write_bytes(path.read_bytes())
    return target


def _sums(records: Records) -> dict[str, tuple]:
    """Return the rows of each table, and of two tables their contents."""
    terms = records.table("school_terms")
    spells = records.table("benefit_spells")
    return {
        **{name: (table.count().execute(),) for name, table in records.tables.items()},
        "contents": (
            terms.sessions_unauthorised.sum().execute(),
            terms.term_start.max().execute(),
            spells.ended_on.isnull().sum().execute(),
            spells.started_on.min().execute(),
        ),
    }


@pytest.fixture
def csv(folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "csv"
    target.mkdir()
    connection = ibis.duckdb.connect()
    for path in folder.glob("*.parquet"):
        connection.read_parquet(path).to_csv(target / f"{path.stem}.csv")
    (target / "about.json").write_bytes((folder / "about.json").read_bytes())
    return target


@pytest.fixture
def duck(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "extract.duckdb"
    connection = ibis.duckdb.connect(path)
    for file in folder.glob("*.parquet"):
        connection.con.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
    connection.disconnect()
    path.with_suffix(".json").write_bytes((folder / "about.json").read_bytes())
    return path


def test_every_way_in_gives_the_same_records(folder: Path, csv: Path, duck: Path, small) -> None:
    expected = _sums(small.records)
    for source in (folder, str(folder), csv, duck):
        records = open_records(source)
        assert records.simulated
        assert records.missing == {}
        assert _sums(records) == expected
    connection = ibis.duckdb.connect(duck, read_only=True)
    assert _sums(open_records(connection)) == expected


def test_types_are_those_of_the_schema(folder: Path, csv: Path) -> None:
    for source in (folder, csv):
        terms = open_records(source).table("school_terms").schema()
        assert terms["term_start"].is_date()
        assert terms["sessions_possible"].is_int64()
        assert terms["alternative_provision"].is_boolean()


def test_timestamps_become_dates(folder: Path, database) -> None:
    connection = database("ALTER TABLE families ALTER attached_on TYPE TIMESTAMP")
    families = open_records(connection).table("families")
    assert families.schema()["attached_on"].is_date()
    expected = open_records(folder).table("families").attached_on.max().execute()
    assert families.attached_on.max().execute() == expected


def test_columns_that_the_schema_does_not_know_stay_out_of_sight(database) -> None:
    records = open_records(database("ALTER TABLE people ADD ward INTEGER"))
    assert "ward" not in records.table("people").columns


def test_parts_in_a_folder_are_one_table(folder: Path, tmp_path: Path, small) -> None:
    target = _copy(folder, tmp_path / "parts", "offences")
    (target / "offences").mkdir()
    whole = ibis.duckdb.connect().read_parquet(folder / "offences.parquet")
    half = whole.offence_id.median().execute()
    whole.filter(whole.offence_id <= half).to_parquet(target / "offences" / "a.parquet")
    whole.filter(whole.offence_id > half).to_parquet(target / "offences" / "b.parquet")
    assert _sums(open_records(target)) == _sums(small.records)


def test_a_missing_table_narrows_and_says_so(folder: Path, tmp_path: Path) -> None:
    records = open_records(_copy(folder, tmp_path / "part", "offences", "coverage"))
    assert records.missing["offences"] == "offending and custody"
    with pytest.raises(DataError, match="cannot answer: offending and custody"):
        records.table("offences")
    with pytest.raises(DataError, match="Did you mean school_terms"):
        records.table("school_term")


@pytest.mark.parametrize("needed", [name for name, table in TABLES.items() if table.needed])
def test_a_needed_table_must_be_there(folder: Path, tmp_path: Path, needed: str) -> None:
    with pytest.raises(DataError, match=f"no table {needed}"):
        open_records(_copy(folder, tmp_path / "part", needed))


def test_a_needed_column_must_be_there(database) -> None:
    with pytest.raises(DataError, match=r"people\.birth_month"):
        open_records(database("ALTER TABLE people DROP birth_month"))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE people SET person_id = '9434765919' WHERE rowid = 5", r"person_id \(NHS number\)"),
        ("ALTER TABLE people ADD surname VARCHAR", r"surname \(its name\)"),
        (
            "UPDATE families SET family_id = 'M1 1AE' WHERE rowid < 3",
            r"family_id \(full postcode\)",
        ),
    ],
)
def test_real_identifiers_are_refused(database, sql: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as refused:
        open_records(database(sql))
    assert "9434765919" not in str(refused.value)
    assert "pseudonymise" in str(refused.value)


def test_what_is_not_an_extract_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="no extract nowhere: give"):
        open_records(tmp_path / "nowhere")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(DataError, match="not a DuckDB file"):
        open_records(tmp_path / "text.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="Tables found: none"):
        open_records(tmp_path / "empty")
    twice = _copy(folder, tmp_path / "twice")
    (twice / "people.csv").write_text("person_id\n")
    with pytest.raises(DataError, match="people twice"):
        open_records(twice)
    broken = _copy(folder, tmp_path / "broken")
    (broken / "people.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="people in broken cannot be read"):
        open_records(broken)


def test_about_says_when_the_records_end(folder: Path, tmp_path: Path) -> None:
    assert open_records(folder).ends_on.isoformat() == "2019-12-31"
    target = _copy(folder, tmp_path / "real")
    (target / "about.json").write_text("{}")
    assert not open_records(target).simulated
    (target / "about.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        open_records(target)
    (target / "about.json").write_text(json.dumps({"records_to": "2018-06-30"}))
    assert open_records(target).ends_on.year == 2018


def test_limits_on_memory_reach_duckdb(folder: Path, tmp_path: Path, small) -> None:
    records = open_records(folder, memory_limit="500MB", spill_to=tmp_path / "spill")
    limit, place = records.connection.con.execute(
        "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    ).fetchall()[0]
    assert limit.startswith("476")  # MiB
    assert Path(place).is_relative_to(tmp_path / "spill")
    assert _sums(records) == _sums(small.records)
    with pytest.raises(ParameterError, match="on the connection itself"):
        open_records(ibis.duckdb.connect(), memory_limit="1GB")
