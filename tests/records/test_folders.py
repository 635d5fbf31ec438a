"""Files of a folder: read whole, however they are named and laid, or said; none vanishes."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tfeval.errors import DataError
from tfeval.records.check import check_records
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records

NAME = "benefit_spells"


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("few") / "records", families=60, seed=7)[0]


@pytest.fixture(scope="module")
def frame(few) -> pd.DataFrame:
    return pd.read_parquet(few / f"{NAME}.parquet")


@pytest.fixture
def extract(few, tmp_path) -> Path:
    """Families and people, to which a test adds benefits."""
    target = tmp_path / "records"
    target.mkdir()
    for name in ("families.parquet", "people.parquet", "about.json"):
        shutil.copy(few / name, target)
    return target


def rows(found: pd.DataFrame) -> pd.DataFrame:
    """Return rows as text in one order: what an analyst would compare by hand."""
    texts = found.astype(object).where(found.notna(), "").astype(str)
    texts = texts.apply(lambda column: column.str.removesuffix(" 00:00:00"))
    return texts.sort_values(list(texts.columns)).reset_index(drop=True)


def parts(
    how: str, *, drop: bool = False, key: str = "year"
) -> Callable[[Path, pd.DataFrame], None]:
    """Return what writes a table into folders named after a column."""

    def write(extract: Path, frame: pd.DataFrame) -> None:
        values = frame["started_on"].astype(str).str[:4] if key == "year" else frame[key]
        for value, group in frame.groupby(values):
            place = extract / NAME / f"{key}={value}"
            place.mkdir(parents=True)
            own = group.drop(columns=key) if drop else group
            if how == "parquet":
                own.to_parquet(place / "part-0.snappy.parquet", index=False)
            else:
                # Columns in another order in every other part.
                order = list(own.columns)[:: -1 if len(own) % 2 else 1]
                own[order].to_csv(place / "part-0.csv", index=False)
        (extract / NAME / "_SUCCESS").touch()
        (extract / NAME / "_metadata").write_bytes(b"PAR1")
        (extract / NAME / f".{key}.crc").touch()

    return write


def named(name: str, **how) -> Callable[[Path, pd.DataFrame], None]:
    def write(extract: Path, frame: pd.DataFrame) -> None:
        if "parquet" in name.lower() or name.lower().endswith("pq"):
            frame.to_parquet(extract / name, index=False)
        else:
            frame.to_csv(extract / name, index=False, **how)

    return write


def deep(extract: Path, frame: pd.DataFrame) -> None:
    for at, place in enumerate(("", "2013", "2013/june")):
        (extract / NAME / place).mkdir(parents=True, exist_ok=True)
        frame.iloc[at::3].to_parquet(extract / NAME / place / f"p{at}.parquet", index=False)


#: Ways in which the same rows come.
READ = {
    "capitals": named(f"{NAME}.CSV"),
    "tabs in .txt": named(f"{NAME}.txt", sep="\t"),
    ".tsv": named(f"{NAME}.tsv", sep="\t"),
    "packed, in capitals": named(f"{NAME}.CSV.GZ", compression="gzip"),
    ".pq": named(f"{NAME}.pq"),
    ".PARQUET": named(f"{NAME}.PARQUET"),
    "hive": parts("parquet"),
    "hive, of CSV": parts("csv"),
    "hive, the column in the folder's name alone": parts("parquet", drop=True, key="benefit"),
    "hive, so too of CSV": parts("csv", drop=True, key="benefit"),
    "folders in folders": deep,
    "old line ends": named(f"{NAME}.csv", lineterminator="\r"),
}


@pytest.mark.parametrize("way", READ)
def test_every_row_is_read_however_it_comes(way, extract, frame):
    READ[way](extract, frame)
    found = open_records(extract).table(NAME).to_pandas()
    pd.testing.assert_frame_equal(rows(found[frame.columns]), rows(frame))
    report = check_records(extract, only=[NAME])
    assert report.clean and report.rows[NAME] == len(frame)


def test_the_report_says_of_how_many_files_a_table_is(extract, frame):
    parts("parquet")(extract, frame)
    years = frame["started_on"].astype(str).str[:4].nunique()
    assert (
        f"{NAME}: {round(len(frame), -1)} rows, of {years} files" in check_records(extract).text()
    )


def packed(extract: Path, frame: pd.DataFrame) -> None:
    with zipfile.ZipFile(extract / f"{NAME}.zip", "w") as file:
        file.writestr(f"{NAME}.csv", frame.to_csv(index=False))


def folder_with(name: str) -> Callable[[Path, pd.DataFrame], None]:
    def write(extract: Path, frame: pd.DataFrame) -> None:
        (extract / NAME).mkdir()
        frame.iloc[:5].to_parquet(extract / NAME / "a.parquet", index=False)
        (extract / NAME / name).parent.mkdir(parents=True, exist_ok=True)
        (extract / NAME / name).write_bytes(b"rows")

    return write


def two_kinds(extract: Path, frame: pd.DataFrame) -> None:
    folder_with("b.csv")(extract, frame)


def wider(extract: Path, frame: pd.DataFrame) -> None:
    (extract / NAME).mkdir()
    frame.to_csv(extract / NAME / "a.csv", index=False)
    frame.drop(columns="ended_on").to_csv(extract / NAME / "b.csv", index=False)


def as_bytes(name: str, how: Callable[[bytes], bytes]) -> Callable[[Path, pd.DataFrame], None]:
    return lambda extract, frame: (
        (extract / name).write_bytes(how(frame.to_csv(index=False).encode())) and None
    )


#: What would vanish, or be half read: each is refused when opened, in one line with a cure.
REFUSED = {
    "a zip": (packed, "is not read. Unpack it here."),
    "a workbook": (as_bytes(f"{NAME}.xlsx", bytes), "Write each sheet as CSV UTF-8"),
    "of a statistics program": (as_bytes(f"{NAME}.sas7bdat", bytes), "Write it as Parquet or CSV"),
    "of no known kind": (as_bytes(f"{NAME}.data", bytes), "It is no kind of file that is read"),
    "without an ending": (as_bytes(NAME, bytes), "It is no kind of file that is read"),
    "a zip among parts": (folder_with("b.zip"), "Unpack it here."),
    "two kinds of part": (two_kinds, "parts in CSV and in Parquet: keep one kind"),
    "a table of a lake": (folder_with("_delta_log/0.json"), "may hold rows deleted since"),
    "another lake": (folder_with("metadata/v1.metadata.json"), "may hold rows deleted since"),
    "a wider part": (wider, "differ in the columns or types of ended_on"),
    "a folder of nothing": (lambda extract, _: (extract / NAME).mkdir(), "fill or remove it"),
    "a table in capitals": (named(f"{NAME.upper()}.csv"), f"spells {NAME} in another way"),
    "packed, and not named so": (as_bytes(f"{NAME}.csv", gzip.compress), "is packed by gzip"),
    "a workbook called CSV": (as_bytes(f"{NAME}.csv", lambda _: b"PK\x03\x04 rows"), "workbook"),
    "Parquet called CSV": (as_bytes(f"{NAME}.csv", lambda _: b"PAR1 rows"), "is a Parquet file"),
    "names in capitals": (
        lambda extract, frame: named(f"{NAME}.csv")(extract, frame.rename(columns=str.upper)),
        "in another way (capitals, space)"),
    "one name with space": (
        lambda extract, frame: named(f"{NAME}.parquet")(
            extract, frame.rename(columns={"ended_on": "Ended on"})),
        "spells ended_on in another way"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_vanish_is_refused_with_its_cure(what, extract, frame):
    write, told = REFUSED[what]
    write(extract, frame)
    with pytest.raises(DataError) as fault:
        open_records(extract)
    assert told in str(fault.value) and "\n" not in str(fault.value)


def test_documents_are_no_faults_and_what_may_hold_records_is(extract):
    for name in ("README.md", "notes.txt", "codes.pdf", "LICENCE"):
        (extract / name).write_text("words")
    report = check_records(extract, only=["people"])
    assert report.clean and report.ignored == ("LICENCE", "README.md", "codes.pdf", "notes.txt")
    for name in ("all_tables.zip", "old.xlsx", "families_2.parquet"):
        (extract / name).write_bytes(b"rows")
    found = {one.table: one.kind for one in check_records(extract).faults}
    assert found["all_tables.zip"] == found["old.xlsx"] == "a file that is not read"
    assert found["families_2"] == "unknown table"


def test_a_column_named_almost_so_is_a_fault_and_others_are_listed(few, extract):
    beds = pd.read_parquet(few / "hospital_episodes.parquet")
    beds = beds.rename(columns={"bed_days": "bed_day"}).assign(ward="A", **{"Jane Doe, 1": 1})
    beds.to_parquet(extract / "hospital_episodes.parquet")
    report = check_records(extract, only=["hospital_episodes"])
    (fault,) = [one for one in report.faults if one.column == "bed_days"]
    assert fault.kind == "a column named almost so"
    assert "hospital_episodes.ward" in report.unknown_columns and "Jane" not in report.text()


def test_a_table_of_a_database_named_almost_so_is_a_fault(extract, tmp_path):
    path = tmp_path / "records.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name in ("families", "people"):
            connection.execute(f"CREATE TABLE {name} AS FROM '{extract / name}.parquet'")
        connection.execute("CREATE TABLE benefit_spell (a INT); CREATE TABLE log (a INT)")
    found = [one for one in check_records(path).faults if one.kind == "unknown table"]
    assert [(one.table, one.advice) for one in found] == [
        ("benefit_spell", "Did you mean benefit_spells?")]  # fmt: skip
