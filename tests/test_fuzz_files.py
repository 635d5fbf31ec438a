"""A hundred kinds of file that nobody would send on purpose: read rightly, or refused in a line."""

from __future__ import annotations

import decimal
import gzip
import os
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.records.canaries import seen
from tests.test_fuzz import WHO, asked, mapping_of, typed
from tfeval.records.simulate import simulate_to

TABLES = ("families", "people", "offences")
#: What is done to an extract; a path, where it is no longer where it was.
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("base") / "records", families=12, seed=5)[0]


# --- what is done to one column, one file, one folder, one database ------------------------------


def column(table: str, name: str, made: Callable[[pa.Array], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        rows = pq.read_table(path)
        values = made(rows[name].combine_chunks())
        at = rows.schema.get_field_index(name)
        pq.write_table(rows.set_column(at, name, pa.array(values)), path)

    return spoil


def every(table: str, name: str, value: object, kind: pa.DataType | None = None) -> Spoil:
    return column(table, name, lambda held: pa.array([value] * len(held), kind))


def named(*more: tuple[str, object], table: str = "people") -> Spoil:
    """Return what adds columns of any name, known or not, twice or not."""

    def spoil(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        rows = pq.read_table(path)
        added = [pa.array([value] * len(rows)) for _, value in more]
        names = [*rows.schema.names, *(name for name, _ in more)]
        pq.write_table(pa.table([*rows.columns, *added], names=names), path)

    return spoil


def raw(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "people.parquet"
        path.write_bytes(change(path.read_bytes()))

    return spoil


def csv(change: Callable[[bytes], bytes], table: str = "people", name: str = "", **how) -> Spoil:
    def spoil(folder: Path) -> None:
        rows = pd.read_parquet(folder / f"{table}.parquet")
        (folder / f"{table}.parquet").unlink()
        place = folder / (name or f"{table}.csv")
        place.write_bytes(change(rows.to_csv(index=False, **how).encode()))

    return spoil


def days(change: Callable[[pd.Series], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "offences.parquet"
        rows = pd.read_parquet(path)
        path.unlink()
        rows["offence_on"] = change(pd.to_datetime(rows["offence_on"]))
        rows.to_csv(folder / "offences.csv", index=False)

    return spoil


def apart(change: Callable[[Path, pd.DataFrame], object]) -> Spoil:
    """Return what writes people anew, in a folder of their own."""

    def spoil(folder: Path) -> None:
        path = folder / "people.parquet"
        rows = pd.read_parquet(path)
        path.unlink()
        (folder / "people").mkdir()
        change(folder / "people", rows)

    return spoil


def part(rows: pd.DataFrame, *place: str | Path) -> None:
    path = Path(*place)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False) if path.suffix == ".csv" else rows.to_parquet(path)


def instead(make: Callable[[Path], object], name: str = "people.csv") -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / "people.parquet").unlink()
        make(folder / name)

    return spoil


def database(*queries: str) -> Spoil:
    def spoil(folder: Path) -> Path:
        path = folder.with_suffix(".duckdb")
        with duckdb.connect(str(path)) as connection:
            for table in TABLES:
                connection.execute(f"CREATE TABLE {table} AS FROM '{folder / table}.parquet'")
            for query in queries:
                connection.execute(query)
        return path

    return spoil


def view(columns: str) -> Spoil:
    return database("ALTER TABLE people RENAME TO p_", f"CREATE VIEW people AS SELECT {columns}")


def typed_as(kind: str, value: str, name: str = "custody_days") -> Spoil:
    return database(f"ALTER TABLE offences ALTER {name} TYPE {kind} USING {value}")


def spoilt_database(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(folder: Path) -> Path:
        path = Path(str(database()(folder)))
        path.write_bytes(change(path.read_bytes()))
        return path

    return spoil


def logged(change: Callable[[bytes], bytes] = bytes) -> Spoil:
    """Return what leaves a row in the log beside a database, as a writer that was killed does."""

    def spoil(folder: Path) -> Path:
        path, apart = Path(str(database()(folder))), folder.with_suffix(".open")
        with duckdb.connect(str(path)) as connection:
            connection.execute("INSERT INTO people FROM people LIMIT 1")
            log = path.with_name(f"{path.name}.wal")
            shutil.copy(log, apart)
        log.write_bytes(change(apart.read_bytes()))
        apart.unlink()
        return path

    return spoil


def sqlite(path: Path) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (person_id)")
    return path


def swap(old: bytes, new: bytes, times: int = -1) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new, times)


def recoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda content: content.decode().encode(encoding)


def zipped(content: bytes) -> bytes:
    from io import BytesIO

    with zipfile.ZipFile(out := BytesIO(), "w") as archive:
        archive.writestr("people.csv", content)
    return out.getvalue()


def bad_sum(content: bytes) -> bytes:
    held = bytearray(gzip.compress(content))
    held[-8] ^= 255
    return bytes(held)


def two_members(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(gzip.compress(b"".join(one)) for one in (lines[:9], lines[9:]))


def in_groups(folder: Path) -> None:
    rows = pq.read_table(folder / "people.parquet")
    with pq.ParquetWriter(folder / "people.parquet", rows.schema) as writer:
        for each in (rows.slice(0, 0), rows, rows.slice(0, 0)):
            writer.write_table(each)


def moved(change: Callable[[Path, Path], object]) -> Spoil:
    return lambda folder: change(folder, folder / "people.parquet")


READ, FAULT = "No fault found", "kinds of fault"
LINES = "cannot be read as csv from line"
LOGGED = "is not whole: what was written last is in"
WHOLE = "cannot be read as parquet: see that the file is whole"
TWICE = "names a column twice or not at all"
NO_NAMES = "does not begin with the names of its columns"
NOT_READ = "a file that is not read"
ENDS = "cannot be read to its end"
ENCODED = "is not UTF-8 but"
LONDON, ABROAD = "Europe/London", "America/New_York"
FAR = date(9999, 12, 31)

#: What is done, and what `tfeval check` says.
KINDS: dict[str, tuple[Spoil, str]] = {
    # Parquet
    "a column twice": (named(("person_id", WHO)), TWICE),
    "a column twice but for capitals": (named(("PERSON_ID", WHO)), TWICE),
    "an optional column twice": (named(("claim_kind", None), table="families"), TWICE),
    "an unknown column twice": (named(("x", WHO), ("x", WHO)), TWICE),
    "a column without a name": (named(("", 1)), TWICE),
    "a name with a zero byte": (named(("a\0b", 1)), TWICE),
    "a name that is a row": (named((WHO, 1)), READ),
    "a name that is a row, over one": (named((WHO, WHO)), "whose name is not shown: looks like"),
    "a name of 10,000 letters": (named(("x" * 10_000, 1)), READ),
    "a dictionary": (column("people", "sex", lambda a: a.dictionary_encode()), READ),
    "a dictionary of keys": (column("people", "person_id", lambda a: a.dictionary_encode()), READ),
    "long text": (column("people", "person_id", lambda a: a.cast(pa.large_string())), READ),
    "bytes for keys": (column("people", "person_id", lambda a: a.cast(pa.binary())), FAULT),
    "decimal": (column("offences", "custody_days", lambda a: a.cast(pa.decimal128(38, 0))), FAULT),
    "decimal of parts": (every("offences", "custody_days", decimal.Decimal("2.5")), FAULT),
    "longer decimal": (every("offences", "custody_days", decimal.Decimal(1), pa.decimal256(60, 0)),
                       FAULT),
    "records": (every("people", "sex", {"who": WHO}), FAULT),
    "a map": (every("people", "sex", [("a", WHO)], pa.map_(pa.string(), pa.string())), FAULT),
    "lists for keys": (every("people", "person_id", [WHO]), FAULT),
    "half floats": (every("offences", "custody_days", np.float16(2)), FAULT),
    "numbers past all": (every("offences", "custody_days", 2**64 - 1, pa.uint64()), FAULT),
    "numbers past counting": (every("offences", "offence_id", decimal.Decimal(10**37)), FAULT),
    "nothing below nothing": (every("offences", "custody_days", -0.0), FAULT),
    "without end": (every("offences", "custody_days", float("inf")), FAULT),
    "flags of 2": (every("families", "crime_asb", 2), FAULT),
    "no type": (every("people", "sex", None), FAULT),
    "no keys": (every("people", "person_id", None), FAULT),
    "midnights of London": (column("offences", "offence_on", lambda a: pd.to_datetime(
        a.to_pandas()).dt.tz_localize(LONDON)), READ),
    "midnights of New York": (column("offences", "offence_on", lambda a: pd.to_datetime(
        a.to_pandas()).dt.tz_localize(ABROAD)), READ),
    "nanoseconds": (column("offences", "offence_on", lambda a: a.cast(pa.timestamp("ns"))), READ),
    "a day as milliseconds": (column("offences", "offence_on", lambda a: a.cast(pa.date64())),
                              READ),
    "times after all": (every("offences", "offence_on", 2**62, pa.timestamp("us")), FAULT),
    "the last day": (every("offences", "offence_on", FAR), FAULT),
    "the first day": (every("offences", "offence_on", date(1, 1, 1)), FAULT),
    "hours": (every("offences", "offence_on", time(1, 2)), FAULT),
    "durations": (every("offences", "custody_days", timedelta(days=3)), FAULT),
    "pictures in codes": (every("families", "local_authority", "E08000012😀"), FAULT),
    "pictures for words": (every("people", "sex", "👩"), FAULT),
    "zero bytes in keys": (column("people", "person_id", lambda a: [f"{x}\0" for x in
                                                                    a.to_pylist()]), FAULT),
    "text that is none": (column("people", "sex", lambda a: pa.Array.from_buffers(
        pa.string(), len(a), pa.array([b"\xff\xfe"] * len(a), pa.binary()).buffers())), ENDS),
    "empty groups of rows": (in_groups, READ),
    "no rows": (moved(lambda _, p: pq.write_table(pq.read_table(p).slice(0, 0), p)), FAULT),
    "no columns": (moved(lambda _, p: pq.write_table(pa.table({}), p)), WHOLE),
    "no bytes": (raw(lambda _: b""), WHOLE),
    "another mark": (raw(lambda held: held[:-4] + b"PARE"), WHOLE),
    "a foot without end": (raw(lambda held: held[:-8] + b"\xff\xff\xff\x7fPAR1"), WHOLE),
    "a damaged page": (raw(lambda held: held[:60] + bytes(500) + held[560:]), ENDS),
    "packed": (raw(gzip.compress), WHOLE),
    "text": (raw(lambda _: f"person_id\n{WHO}\n".encode()), WHOLE),
    "another database": (moved(lambda _, p: (p.unlink(), sqlite(p))), WHOLE),
    # CSV
    "names twice": (csv(swap(b"sex", b"person_id", 1)), TWICE),
    "names in two lines": (csv(lambda held: held.split(b"\n")[0] + b"\n" + held), FAULT),
    "a short row": (csv(swap(b"\n", b"\n" + WHO.encode() + b"\n", 1)), LINES),
    "a mark": (csv(lambda held: b"\xef\xbb\xbf" + held), READ),
    "two marks": (csv(lambda held: b"\xef\xbb\xbf" * 2 + held), "a column named almost so|missing"),
    "UTF-16 unmarked": (csv(recoded("utf-16-le")), ENCODED),
    "UTF-16 marked": (csv(recoded("utf-16")), ENCODED),
    "UTF-32": (csv(recoded("utf-32")), ENCODED),
    "EBCDIC": (csv(recoded("cp500")), ENCODED),
    "a zero byte in a word": (csv(swap(b"female", b"fem\0ale")), FAULT),
    "zero bytes at the end": (csv(lambda held: held + bytes(4096)), LINES),
    "an end of DOS": (csv(lambda held: held + b"\x1a"), LINES),
    "an open quote first": (csv(swap(b"\n", b'\n"', 1)), LINES),
    "an open quote before names": (csv(lambda held: b'"' + held), NO_NAMES),
    "an open quote last": (csv(lambda held: held + b'"' + WHO.encode()), LINES),
    "a quote within": (csv(swap(b"female", b'fem"ale', 3)), FAULT),
    "backslashes": (csv(swap(b"female", b'"fem\\"ale"', 3)), LINES),
    "single quotes": (csv(swap(b"female", b"'female'", 3)), FAULT),
    "a line end in quotes": (csv(swap(b"female", b'"fem\nale"', 3)), FAULT),
    "ends of two kinds": (csv(swap(b"\n", b"\r\n", 5)), "cannot be read as csv"),
    "ends of Windows": (csv(swap(b"\n", b"\r\n")), READ),
    "ends of old": (csv(swap(b"\n", b"\r")), READ),
    "three marks an end": (csv(swap(b"\n", b"\r\r\n")), "cannot be read as csv"),
    "1e400": (csv(swap(b",0\n", b",1e400\n"), "offences"), FAULT),
    "400 digits": (csv(swap(b",0\n", b"," + b"9" * 400 + b"\n"), "offences"), FAULT),
    "minus nought": (csv(swap(b",0\n", b",-0\n"), "offences"), READ),
    "decimal commas": (csv(swap(b";0\n", b";0,0\n"), "offences", sep=";"), FAULT),
    "thousands": (csv(swap(b",0\n", b',"1,000"\n'), "offences"), FAULT),
    "a spreadsheet's days": (days(lambda on: (on - pd.Timestamp("1899-12-30")).dt.days), FAULT),
    "a day of year 1": (days(lambda _: "0001-01-01"), FAULT),
    "years of two digits": (days(lambda on: on.dt.strftime("%y-%m-%d")), FAULT),
    "hours with a zone": (days(lambda on: on.dt.strftime("%Y-%m-%dT23:30:00+01:00")), FAULT),
    "digits of Arabic": (days(lambda on: on.dt.strftime("%Y-%m-%d").str.translate(
        str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))), FAULT),
    "a formula": (csv(swap(b"female", b'"=HYPERLINK(""http://x"")"', 3)), FAULT),
    "names alone": (csv(lambda held: held.split(b"\n")[0]), FAULT),
    "empty lines": (csv(swap(b"\n", b"\n\n", 4)), READ),
    "empty lines first": (csv(lambda held: b"\n\n" + held), NO_NAMES),
    "space alone": (csv(lambda _: b" " * 5_000), NO_NAMES),
    "nothing": (csv(lambda _: b""), NO_NAMES),
    "a line for a spreadsheet": (csv(lambda held: b"sep=,\n" + held), NO_NAMES),
    "a comma behind all": (csv(swap(b"\n", b",\n")), TWICE),
    "a line without end": (csv(lambda held: held + b"x" * 3_000_000 + b"\n"), LINES),
    "tabs": (csv(bytes, sep="\t"), READ),
    "another delimiter": (csv(bytes, sep="^"), NO_NAMES),
    "two delimiters": (csv(swap(b",", b";", 60)), LINES),
    # packed
    "cut": (csv(lambda held: gzip.compress(held)[:-99], name="people.csv.gz"), "is damaged"),
    "altered": (csv(bad_sum, name="people.csv.gz"), "is damaged"),
    "in two": (csv(two_members, name="people.csv.gz"), READ),
    "not packed": (csv(bytes, name="people.csv.gz"), "not packed by gzip"),
    "empty": (csv(lambda _: b"", name="people.csv.gz"), NO_NAMES),
    "packed and not so called": (csv(gzip.compress), "is packed by gzip"),
    "an archive so called": (csv(zipped), "is a zip file"),
    # folders
    "a loop": (moved(lambda _, p: (p.unlink(), p.symlink_to(p))), NOT_READ),
    "a loop among parts": (apart(lambda f, rows: (part(rows, f, "a.parquet"),
                                                  (f / "b.parquet").symlink_to(f / "b.parquet"))),
                           NOT_READ),
    "a folder named like a file": (instead(Path.mkdir, "people.parquet"), NOT_READ),
    "another table's, so": (lambda folder: (folder / "offences.csv").mkdir(), NOT_READ),
    "parts in a folder named like a file": (moved(lambda f, p: (
        p.rename(f / "x"), p.mkdir(), (f / "x").rename(p / "part.parquet"))), READ),
    "a file of no table": (lambda folder: (folder / f"{WHO}.csv").touch(),
                           "whose name is not shown: unknown table"),
    "a pipe": (instead(os.mkfifo), NOT_READ),
    "a pipe among parts": (apart(lambda f, rows: (part(rows, f, "a.parquet"),
                                                  os.mkfifo(f / "b.parquet"))), NOT_READ),
    "a device": (instead(lambda p: p.symlink_to("/dev/zero")), NOT_READ),
    "folders with and without a value": (apart(lambda f, rows: (
        part(rows[::2], f, "year=2013", "a.parquet"), part(rows[1::2], f, "a.parquet"))), READ),
    "folders of two kinds": (apart(lambda f, rows: (
        part(rows[::2], f, "year=2013", "a.parquet"), part(rows[1::2], f, "month=1", "a.parquet"))),
        READ),
    "a folder in place of a column, once": (apart(lambda f, rows: (
        part(rows[::2], f, "sex=male", "a.parquet"),
        part(rows[1::2].drop(columns="sex"), f, "sex=female", "a.parquet"))), "differ in the"),
    "folders that contradict": (apart(lambda f, rows: part(
        rows.drop(columns="sex"), f, "sex=female", "sex=male", "a.parquet")), "one column twice"),
    "parts in another order": (apart(lambda f, rows: (
        part(rows[::2], f, "a.csv"), part(rows[1::2][rows.columns[::-1]], f, "b.csv"))), READ),
    "an empty part": (apart(lambda f, rows: (part(rows, f, "a.csv"), (f / "b.csv").touch())),
                      NO_NAMES),
    "a name of two cases": (moved(lambda f, p: (shutil.copy(p, f / "People.parquet"),)), FAULT),
    "a quote in a name": (apart(lambda f, rows: part(rows, f, "a'; DROP.parquet")), READ),
    "a pattern for a name": (apart(lambda f, rows: part(rows, f, "[a]*?.parquet")), READ),
    "about.json a folder": (lambda f: ((f / "about.json").unlink(), (f / "about.json").mkdir()),
                            "is not a file"),
    "about.json a loop": (lambda f: ((f / "about.json").unlink(),
                                     (f / "about.json").symlink_to(f / "about.json")),
                          "is not a file"),
    "about.json in UTF-16": (lambda f: (f / "about.json").write_text("{}", "utf-16"), "not JSON"),
    "about.json with half a letter": (
        lambda f: (f / "about.json").write_text('{"simulated": true, "title": "\\ud800"}'), READ),
    "about.json with 10,000 digits": (
        lambda f: (f / "about.json").write_text('{"x": ' + "9" * 10_000 + "}"), "is not JSON"),
    # databases
    "a macro": (database("CREATE MACRO up(x) AS upper(x)", "ALTER TABLE people RENAME TO p_",
                         "CREATE VIEW people AS SELECT * REPLACE (up(sex) AS sex) FROM p_"), FAULT),
    "a macro for a table": (database("ALTER TABLE people RENAME TO p_",
                                     "CREATE MACRO people() AS TABLE SELECT * FROM p_"), FAULT),
    "a view": (view("* FROM p_"), READ),
    "a view of one row": (view(f"'{WHO}' AS person_id, 'b' AS family_id"), FAULT),
    "a view of settings": (view("* REPLACE (current_setting('temp_directory') AS sex) FROM p_"),
                           FAULT),
    "a view that fails late": (view(f"* REPLACE (CASE WHEN sex = 'male' THEN error('{WHO}') ELSE "
                                    "sex END AS sex) FROM p_"), ENDS),
    "an enum": (database("CREATE TYPE s AS ENUM ('female', 'male')",
                         "ALTER TABLE people ALTER sex TYPE s"), READ),
    "an enum of keys": (database("CREATE TYPE i AS ENUM (SELECT person_id FROM people)",
                                 "ALTER TABLE people ALTER person_id TYPE i"), READ),
    "bits": (typed_as("BIT", "'1'::BIT"), FAULT),
    "hours of a zone": (typed_as("TIMETZ", "'12:00:00+01'::TIMETZ", "offence_on"), FAULT),
    "a union": (typed_as("UNION(a VARCHAR, b BIGINT)", "outcome", "outcome"), FAULT),
    "days for ever": (database("UPDATE offences SET offence_on = 'infinity'::DATE"), FAULT),
    "days before": (database("UPDATE offences SET offence_on = '-4000-01-01'::DATE"), FAULT),
    "huge numbers": (typed_as("HUGEINT", "170141183460469231731687303715884105727"), FAULT),
    "huge keys": (typed_as("UHUGEINT", "1", "person_id"), FAULT),
    "another schema": (database("CREATE SCHEMA x", "CREATE TABLE x.people AS FROM people",
                                "DROP TABLE people"), READ),
    "two schemas": (database("CREATE SCHEMA x", "CREATE TABLE x.people AS FROM people LIMIT 2"),
                    READ),
    "a quote in its name": (database('ALTER TABLE people RENAME TO "People ""x"'), FAULT),
    "a log beside it": (logged(), LOGGED),
    "half a log beside it": (logged(lambda held: held[: len(held) // 2]), LOGGED),
    "anything for a log": (logged(lambda _: WHO.encode()), LOGGED),
    "an empty log beside it": (logged(lambda _: b""), FAULT),
    "nothing in it": (spoilt_database(lambda _: b""), "is not a DuckDB file|missing table|empty"),
    "of another maker": (lambda folder: sqlite(folder.with_suffix(".duckdb")), "not a DuckDB file"),
    "half of it": (spoilt_database(lambda held: held[: len(held) // 2]), f"{ENDS}|tfeval: "),
    "zeros in it": (spoilt_database(lambda held: held[:4096] + bytes(8192) + held[12288:]),
                    f"{ENDS}|tfeval: "),
}  # fmt: skip


def commands(extract: Path, where: Path, frames: dict[str, pd.DataFrame], names: tuple[str, ...]):
    """Return each command's name and words."""
    key = where / "key"
    key.write_text("8c1d0fe2b7a94c53a1f06d2e97b84f3c9")
    key.chmod(0o600)
    for name in names:
        if name == "prepare":
            (where / "mapping.toml").write_text(mapping_of(extract, frames), encoding="utf-8")
        (where / "safe").exists() and shutil.rmtree(where / "safe")
        yield name, typed(name, extract, where, key)
        (where / "mapping.toml").unlink(missing_ok=True)


def answers(kind: str, places: tuple[Path, Path], names: tuple[str, ...], monkeypatch, capsys):
    """Spoil an extract, ask each command, and return what the first said."""
    base, where = places
    extract = where / "records"
    extract.mkdir()
    for file in (*(f"{table}.parquet" for table in TABLES), "about.json"):
        shutil.copy(base / file, extract)
    moved_to = KINDS[kind][0](extract)
    extract = moved_to if isinstance(moved_to, Path) else extract
    frames = {table: pd.read_parquet(base / f"{table}.parquet") for table in TABLES}
    first = ""
    for name, words in commands(extract, where, frames, names):
        capsys.readouterr()
        code = asked(words, monkeypatch)
        said = capsys.readouterr()
        text = said.out + said.err
        first = first or text
        what = (kind, name, code, text[-400:])
        assert code in (0, 1), what
        assert not seen(text) and "raceback" not in text, what
        assert said.err.count("\n") == (code == 1 and bool(said.err)), what
        assert said.err or code == 0 or name == "check", what
        assert code == 0 or not (where / "safe").exists(), what
        assert not [one for one in where.iterdir() if one.name.startswith(".")], what
    return first


#: One of each sort, and all that were read wrongly or said badly once.
QUICK = ("a column twice", "an optional column twice", "a name with a zero byte", "cut",
         "numbers past all", "a name that is a row, over one", "text that is none",
         "a zero byte in a word", "altered",
         "a pipe among parts", "folders that contradict", "about.json a loop",
         "a view that fails late", "midnights of London", "in two",
         "half a log beside it", "anything for a log")  # fmt: skip


@pytest.mark.parametrize("kind", QUICK)
def test_what_was_read_wrongly_is_read_or_refused(kind, base, tmp_path, monkeypatch, capsys):
    said = answers(kind, (base, tmp_path), ("check", "pseudonymise"), monkeypatch, capsys)
    assert re.search(KINDS[kind][1], said), said


@pytest.mark.slow(reason="a hundred and more kinds through each of five commands")
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_file_breaks_a_command(kind, base, tmp_path, monkeypatch, capsys):
    every_command = ("check", "cohort", "pseudonymise", "prepare", "draft")
    said = answers(kind, (base, tmp_path), every_command, monkeypatch, capsys)
    assert re.search(KINDS[kind][1], said), said
