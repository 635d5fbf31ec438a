"""Files as departments send them: what is read rightly, and what is refused with its cure."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pytest

from tfeval.errors import DataError, in_own_words
from tfeval.records.check import check_records
from tfeval.records.files import encoding_cure, passed_over
from tfeval.records.relations import cast
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("few") / "records", families=60, seed=7)[0]


@pytest.fixture
def extract(few, tmp_path) -> Path:
    """Families, people and their benefits, which a test may spoil."""
    target = tmp_path / "records"
    target.mkdir()
    for name in ("families.parquet", "people.parquet", "benefit_spells.parquet", "about.json"):
        shutil.copy(few / name, target)
    return target


def counted(extract: Path, *tables: str) -> dict[str, int | None]:
    return {f"{one.table}.{one.column}: {one.kind}": one.rows
            for one in check_records(extract, only=tables).faults}  # fmt: skip


def as_csv(extract: Path, name: str) -> Path:
    path = extract / f"{name}.parquet"
    target = path.with_suffix(".csv")
    pd.read_parquet(path).to_csv(target, index=False)
    path.unlink()
    return target


# --- days and numbers -------------------------------------------------------------------------


def as_read(values: pa.Array | list[str], kind: str = "date") -> list:
    connection = ibis.duckdb.connect()
    table = connection.create_table("t", pa.table({"v": values}))
    return [one["v"] for one in table.select(v=cast(table.v, kind)).to_pyarrow().to_pylist()]


@pytest.mark.parametrize("zone", ["Europe/London", "UTC"])
def test_midnights_keep_their_date(zone):
    """Every day since summer time is as it is now, against the time zones of the system."""
    days = pd.date_range("1996-01-01", "2025-12-31", tz=zone)
    at = days.tz_convert("UTC")
    assert as_read(pa.array(at, pa.timestamp("us", "UTC"))) == [day.date() for day in days]
    # As text a midnight is read as it is written, and another time of another zone is a fault.
    assert as_read([day.isoformat() for day in days]) == [day.date() for day in days]
    local = [day.date() if one.hour == 0 else None for day, one in zip(days, at, strict=True)]
    assert as_read(at.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()) == local


def test_a_time_has_the_day_it_has_in_london():
    hours = pd.date_range("2012-01-01", "2014-01-01", freq="h", tz="UTC")
    local = hours.tz_convert("Europe/London")
    assert as_read(pa.array(hours, pa.timestamp("us", "UTC"))) == [one.date() for one in local]
    # Of a time without a zone nothing is changed.
    naive = hours.tz_localize(None)
    assert as_read(pa.array(naive, pa.timestamp("us"))) == [one.date() for one in naive]


def test_births_keep_their_month_under_the_older_rules():
    firsts = pd.date_range("1950-01-01", "2020-01-01", freq="MS", tz="Europe/London")
    got = as_read(pa.array(firsts.tz_convert("UTC"), pa.timestamp("us", "UTC")))
    assert got == [day.date() for day in firsts]


@pytest.mark.parametrize("text", ["2013-06-01x", "epoch", "infinity", "2013-06-01T25", "31/12/2013",
                                  "01-May-2013", "41000", "2013-05-31T23:00:00Z",
                                  "2013-05-31 23:00:00+00", "2013-02-30", "-5-01-01"])  # fmt: skip
def test_what_is_not_written_as_a_date_is_none(text):
    assert as_read([text]) == [None]


@pytest.mark.parametrize("text", ["2013-06-01", " 2013-06-01 ", "2013-6-1", "2013/06/01",
                                  "2013-06-01 00:00:00", "2013-06-01T00:00:00.000+01:00",
                                  "2013-06-01T00:00:00Z", "2013-06-01 13:30"])  # fmt: skip
def test_what_is_a_date_is_read(text):
    assert str(as_read([text])[0]) == "2013-06-01"


def test_a_number_that_is_not_whole_is_none_and_never_rounded():
    texts = ["2.5", "2.0", "2", "+3", "-4", "1e3", "0x10", "1_000", "9" * 30, "nan", "", "2,5"]
    whole = [None, 2, 2, 3, -4] + [None] * 7
    assert as_read(texts, "int64") == whole
    assert as_read(pa.array([2.5, 2.0, float("nan"), float("inf"), None]), "int64") == [
        None, 2, None, None, None]  # fmt: skip


def test_half_a_night_and_the_first_day_of_1900_are_faults(few, extract):
    beds = pd.read_parquet(few / "hospital_episodes.parquet")
    admitted = beds.index[beds["kind"] == "emergency_admission"][:3]
    beds["bed_days"] = beds["bed_days"].astype("Int64").astype("string")
    beds.loc[admitted, "bed_days"] = "2.5"
    beds.to_csv(extract / "hospital_episodes.csv", index=False)
    people = pd.read_parquet(extract / "people.parquet")
    people["birth_month"] = pd.to_datetime(people["birth_month"])
    people.loc[people.index[:4], "birth_month"] = pd.Timestamp("1900-01-01")
    people.to_parquet(extract / "people.parquet")
    found = counted(extract, "people", "hospital_episodes")
    assert found["hospital_episodes.bed_days: cannot be read as its type"] == len(admitted)
    assert found["people.birth_month: 1 January 1900, which programs write for no date"] == 4


def test_faults_count_rows_of_their_table_and_not_of_those_it_is_joined_to(extract):
    people = pd.read_parquet(extract / "people.parquet")
    spells = pd.read_parquet(extract / "benefit_spells.parquet")
    early = spells.index[:5]
    spells["started_on"] = pd.to_datetime(spells["started_on"])
    spells.loc[early, "started_on"] = pd.Timestamp("1910-01-01")
    spells.to_parquet(extract / "benefit_spells.parquet")
    kind = "benefit_spells.started_on: before the person was born"
    once = counted(extract, "benefit_spells")
    assert once[kind] == 5
    pd.concat([people] * 50).to_parquet(extract / "people.parquet")
    assert counted(extract, "benefit_spells") == once
    # Slow and obvious: a spell is too early if any of its person's rows says so.
    born = pd.to_datetime(people.set_index("person_id")["birth_month"])
    at = pd.to_datetime(spells["started_on"])
    young = sum(
        bool(born[who] <= on < born[who] + pd.DateOffset(years=16))
        for who, on in zip(spells["person_id"], at, strict=True)
    )
    assert once.get("benefit_spells.started_on: younger than 16", 0) == young


def test_a_person_of_two_families_is_at_home_in_both(few, extract):
    shutil.copy(few / "domestic_abuse_incidents.parquet", extract)
    people = pd.read_parquet(extract / "people.parquet")
    path = extract / "domestic_abuse_incidents.parquet"
    incidents = pd.read_parquet(path)
    known = incidents.index[incidents["person_id"].notna()]
    assert len(known) >= 2
    kind = "domestic_abuse_incidents.person_id: a person of another family"
    assert kind not in counted(extract, path.stem)
    moved = known[:2]
    other = people["family_id"][people["family_id"] != incidents.loc[moved[0], "family_id"]].iloc[0]
    incidents.loc[moved[0], "family_id"] = other
    incidents.to_parquet(path)
    assert counted(extract, path.stem)[kind] == 1
    who = incidents.loc[moved[0], "person_id"]
    second = people[people["person_id"] == who].assign(family_id=other)
    pd.concat([people, second]).to_parquet(extract / "people.parquet")
    assert kind not in counted(extract, path.stem)


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("cp1252", "WINDOWS-1252"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"),
     ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32")],
)  # fmt: skip
def test_another_encoding_is_named_with_its_cure_which_cures(extract, encoding, named):
    path = as_csv(extract, "people")
    text = path.read_text(encoding="utf-8")
    held = text.replace(text.split("\n")[3].split(",")[0], "Zoé Quillfeather", 1)
    path.write_bytes(held.encode(encoding))
    with pytest.raises(DataError) as refused:
        open_records(extract)
    told = str(refused.value)
    assert told.startswith(f"people.csv is not UTF-8 but {named}: write it anew, such as by `iconv")
    assert "Zo" not in told and "\n" not in told
    iconv = shutil.which("iconv")
    if iconv:
        words = told.partition("`")[2].partition("`")[0].split()
        done = subprocess.run([iconv, *words[1:], str(path)], capture_output=True, check=True)
        assert done.stdout.decode("utf-8").removeprefix("\ufeff") == held


def test_utf_8_is_never_called_anything_else(tmp_path):
    path = tmp_path / "a.csv"
    for text in ("person_id\n", "person_id,é\n" * 300_000, "\ufeffperson_id\n", "", "naïve €"):
        path.write_text(text, encoding="utf-8")
        assert encoding_cure(path) == ""


def test_what_a_program_left_is_passed_over_and_said(extract):
    people = (extract / "people.parquet").read_bytes()
    left = ["._people.parquet", ".people.csv", "Thumbs.db", "people.csv~", "~$people.csv"]
    for name in left:
        (extract / name).write_bytes(people)
    report = check_records(extract, only=["people"])
    assert report.clean and report.ignored == tuple(sorted(left))
    assert "Not read, no records in it: ._people.parquet, " in report.text()
    assert not passed_over("people.parquet") and not passed_over("about.json")
    assert open_records(extract).ignored == report.ignored


@pytest.fixture
def database(extract, tmp_path) -> Path:
    path = tmp_path / "records.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA dfe")
        for file in extract.glob("*.parquet"):
            connection.execute(f"CREATE TABLE dfe.{file.stem} AS FROM '{file}'")
    shutil.copy(extract / "about.json", path.with_suffix(".json"))
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as fault:
        open_records(path)
    assert "\n" not in str(fault.value)
    assert str(path.parent) not in str(fault.value)
    return str(fault.value)


def test_tables_in_another_schema_are_found_and_never_guessed(database, extract):
    found, expected = open_records(database), open_records(extract)
    assert set(found.tables) == set(expected.tables)
    for name in found.tables:
        rows = found.table(name).count().execute()
        assert rows == expected.table(name).count().execute() > 0
    found.connection.disconnect()
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.people AS FROM dfe.people")
    assert "people in several schemas (dfe, other): keep one" in refused(database)
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE people AS FROM dfe.people LIMIT 7")
    assert open_records(database).raw["people"].count().execute() == 7


def test_a_database_held_by_a_writer_is_said_to_be(database):
    holds = f"import duckdb, sys; c = duckdb.connect({str(database)!r}); print('held', flush=True)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{holds}; sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    assert "is open in another program that may write to it: close it" in refused(database)
    holder.communicate(b"")
    assert open_records(database).raw


def checksum(block: bytes) -> int:
    """DuckDB's of a block: its words, each times a prime, folded by exclusive or."""
    total = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        total ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return total


def test_a_database_of_a_newer_version_is_said_to_be(database):
    content = bytearray(database.read_bytes())
    assert content[8:12] == b"DUCK"
    assert struct.unpack("<Q", content[:8])[0] == checksum(bytes(content[8:4096]))
    content[12:20] = struct.pack("<Q", 2_000)
    content[:8] = struct.pack("<Q", checksum(bytes(content[8:4096])))
    database.write_bytes(content)
    told = refused(database)
    assert f"by another version of DuckDB than {duckdb.__version__}: write its tables" in told


def test_what_is_damaged_or_no_database_is_said_to_be(database):
    content = database.read_bytes()
    database.write_bytes(content[:20] + b"\xff" * 20 + content[40:])
    assert "is damaged or not whole" in refused(database)
    database.write_bytes(b"hello" * 2_000)
    assert "is not a DuckDB file: give one, or a folder" in refused(database)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_said_to_be_full():
    @in_own_words("The extract cannot be pseudonymised")
    def write() -> None:
        duckdb.connect().execute("COPY (FROM range(100000)) TO '/dev/full' (FORMAT csv)")

    with pytest.raises(DataError, match=r"withheld\): memory or disk is full, so make room\.$"):
        write()
