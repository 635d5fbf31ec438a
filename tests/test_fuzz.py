"""Extracts spoilt by chance: each command answers or refuses in a line, and no row leaves."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.records.canaries import CANARIES, ROW, seen
from tfeval import cli
from tfeval.cohort.cohort import cohort
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records

#: How many extracts there are in all; `make fuzz` tries 500.
COUNT = "TFEVAL_SPOILT_EXTRACTS"
TABLES = ("families", "people", "benefit_spells")
WHO = "Zebediah Quillfeather 943 476 5919"
Rng = random.Random
Frame = pd.DataFrame


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("base") / "records", families=30, seed=11)[0]


@pytest.fixture(scope="module")
def frames(base) -> dict[str, Frame]:
    return {name: pd.read_parquet(base / f"{name}.parquet") for name in TABLES}


# --- what may happen to a table, to a file, and to a folder ------------------------------------


def some(rng: Rng, frame: Frame) -> tuple[str, list[int]]:
    """Return a column and some of its rows."""
    rows = rng.sample(range(len(frame)), min(len(frame), rng.choice([1, 3, 20])))
    return rng.choice(list(frame.columns)), rows


def cells(*values: object) -> Callable[[Rng, Frame], Frame]:
    """Return what puts one of some values into some cells of a column."""

    def change(rng: Rng, frame: Frame) -> Frame:
        column, rows = some(rng, frame)
        held = frame[column].astype(object)
        held.iloc[rows] = rng.choice(values)
        return frame.assign(**{column: held})

    return change


def whole(value: Callable[[Rng, pd.Series], object]) -> Callable[[Rng, Frame], Frame]:
    """Return what changes a whole column."""

    def change(rng: Rng, frame: Frame) -> Frame:
        column, _ = some(rng, frame)
        return frame.assign(**{column: value(rng, frame[column])})

    return change


def renamed(how: Callable[[str], str]) -> Callable[[Rng, Frame], Frame]:
    def change(rng: Rng, frame: Frame) -> Frame:
        column, _ = some(rng, frame)
        return frame.rename(columns={column: how(column)})

    return change


#: Of a table that is then written anew.
TABLE: dict[str, Callable[[Rng, Frame], Frame]] = {
    "column dropped": lambda rng, frame: frame.drop(columns=some(rng, frame)[0]),
    "columns dropped": lambda rng, frame: frame[rng.sample(list(frame.columns), 2)],
    "upper case": lambda _, frame: frame.rename(columns=str.upper),
    "a name in upper case": renamed(str.upper),
    "a name with space": renamed(lambda name: f" {name} "),
    "a name of SQL": renamed(lambda name: f'{name}"; DROP TABLE people; --'),
    "no name": renamed(lambda _: ""),
    "more columns": lambda rng, frame: frame.assign(
        surname=WHO, **{f"c{i}": rng.random() for i in range(40)}),
    "values swapped": lambda rng, frame: frame.set_axis(
        rng.sample(list(frame.columns), frame.shape[1]), axis=1),
    "a name": cells(*CANARIES, WHO),
    "text": cells("", " ", "NULL", "\0", "é", "x" * 100_000, "'; DROP TABLE people; --", "\n"),
    "no value": cells(None),
    "days as text": cells("31/12/2012", "2012-02-30", "epoch", "infinity", "2012-06-01x",
                          "99999-01-01", "-5-01-01", "20120601", "2012-05-31T23:00:00Z"),
    "numbers as text": cells("2.5", "1e400", "0x10", "1_000", "9" * 40, "-0", "nan", "+3"),
    "all empty": whole(lambda *_: None),
    "all a name": whole(lambda *_: WHO),
    "all one value": whole(lambda _, column: column.iloc[0]),
    "all huge": whole(lambda rng, _: rng.choice([2**63 - 1, -(2**63), 10**18])),
    "all floats": whole(lambda rng, _: rng.choice([2.5, float("inf"), float("nan"), 1e308])),
    "all flags": whole(lambda rng, _: rng.random() < 0.5),
    "all bytes": whole(lambda *_: WHO.encode()),
    "all lists": whole(lambda _, column: [[WHO]] * len(column)),
    "all records": whole(lambda _, column: [{"who": WHO}] * len(column)),
    "all days": whole(lambda *_: pd.Timestamp("1900-01-01")),
    "all late": whole(lambda *_: pd.Timestamp("2262-01-01")),
    "all hours": whole(lambda *_: pd.Timestamp("2013-06-01 23:30", tz="UTC")),
    "all times": whole(lambda *_: pd.Timestamp("2013-06-01 23:30").time()),
    "a kind of its own": whole(lambda _, column: column.astype(str).astype("category")),
    "space": whole(lambda _, column: " " + column.astype(str) + "\t"),
    "rows twice": lambda _, frame: pd.concat([frame] * 3),
    "rows gone": lambda _, frame: frame.iloc[:0],
    "one row": lambda _, frame: frame.iloc[:1],
    "rows of others": lambda rng, frame: frame.sample(frac=1, random_state=rng.randrange(99)),
}  # fmt: skip


def flipped(rng: Rng, content: bytes) -> bytes:
    held = bytearray(content)
    for _ in range(rng.choice([1, 8, 64])):
        held[rng.randrange(len(held))] ^= 1 << rng.randrange(8)
    return bytes(held)


def line(rng: Rng, content: bytes, text: str) -> bytes:
    held = content.split(b"\n")
    held.insert(rng.randrange(len(held) + 1), text.encode())
    return b"\n".join(held)


def recoded(encoding: str) -> Callable[[Rng, bytes], bytes]:
    return lambda _, content: (content.decode("utf-8", "replace") + "Zoé").encode(
        encoding, "replace"
    )


#: Of a file's bytes.
BYTES: dict[str, Callable[[Rng, bytes], bytes]] = {
    "cut": lambda rng, content: content[: rng.randrange(len(content))],
    "cut at its beginning": lambda rng, content: content[rng.randrange(len(content)) :],
    "flipped": flipped,
    "emptied": lambda *_: b"",
    "zeros": lambda _, content: bytes(len(content)),
    "noise": lambda rng, _: rng.randbytes(2_000),
    "twice": lambda _, content: content * 2,
    "a row between": lambda rng, content: line(rng, content, ROW + ",a,b,c,d,e"),
    "a short row": lambda rng, content: line(rng, content, WHO),
    "an open quote": lambda rng, content: line(rng, content, f'"{ROW}'),
    "a row with zero": lambda rng, content: line(rng, content, f"\0{ROW}"),
    "a title": lambda _, content: f"Extract for {WHO}\n".encode() + content,
    "no header": lambda _, content: ROW.encode() + b"\n" + content.partition(b"\n")[2],
    "other ends": lambda _, content: content.replace(b"\n", b"\r"),
    "UTF-16": recoded("utf-16"),
    "cp1252": recoded("cp1252"),
    "a mark": lambda _, content: b"\xef\xbb\xbf" + content,
    "HTML": lambda *_: f"<html><body>{WHO}</body></html>".encode(),
}
ABOUT = ("", "{", "[]", "null", '{"simulated": "false"}', '{"simulated": 1}', "\0" * 50, WHO,
         '{"records_to": "31/12/2019"}', '{"records_to": "0001-01-01"}', '{"simulated": true}',
         '{"title": ["' + WHO + '"]}', "[" * 20_000, '{"records_to": "9999-12-31"}',
         '{"records_from": "2019-01-01", "records_to": "2012-01-01"}')  # fmt: skip


def at_folder(rng: Rng, folder: Path, name: str) -> None:
    """Do something to the folder itself."""
    path = next(path for path in folder.iterdir() if path.stem == name)
    what = rng.randrange(10)
    if what == 0:
        path.unlink()
    elif what == 1:
        path.unlink()
        path.mkdir()
    elif what == 2:
        path.unlink()
        (folder / name).mkdir()
        (folder / name / "part.parquet").write_bytes(WHO.encode())
    elif what == 3:
        path.unlink()
        path.symlink_to(rng.choice([path, folder, folder / "nowhere"]))
    elif what == 4:
        path.rename(folder / f"{name}{rng.choice(['.csv', '.csv.gz', '.xlsx', '.CSV', ''])}")
    elif what == 5:
        (folder / f"{name}.csv").write_text(ROW)
    elif what == 6:
        (folder / rng.choice([f"~${name}.csv", f".{name}.csv", "[a].csv", "*.parquet"])).touch()
    elif what == 7:
        (folder / "about.json").write_text(rng.choice(ABOUT))
    elif what == 8:
        shutil.rmtree(folder)
        folder.mkdir()
    else:
        shutil.rmtree(folder)
        folder.write_text(WHO)


#: What a table may be in a database.
SQL = (
    "CREATE VIEW {0} AS SELECT * REPLACE (CAST(error('" + WHO + "') AS VARCHAR) AS {1}) FROM {0}_",
    "CREATE VIEW {0} AS SELECT CAST('" + WHO + "' AS DATE) AS {1} FROM {0}_",
    "CREATE VIEW {0} AS SELECT * FROM {0}_ ORDER BY random()",
    "CREATE SCHEMA dfe; CREATE TABLE dfe.{0} AS FROM {0}_",
    "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.{0} AS FROM {0}_; "
    "CREATE TABLE b.{0} AS FROM {0}_",
    "CREATE TABLE {0} AS SELECT * REPLACE (CAST(1 AS HUGEINT) AS {1}) FROM {0}_",
    "CREATE TABLE {0} AS SELECT * REPLACE (uuid() AS {1}) FROM {0}_",
    "CREATE TABLE {0} AS SELECT * REPLACE (INTERVAL 1 DAY AS {1}) FROM {0}_",
    "CREATE TABLE {0} AS SELECT * REPLACE ({{'who': '" + WHO + "'}} AS {1}) FROM {0}_",
    "CREATE TABLE {0} AS SELECT * REPLACE (NULL AS {1}) FROM {0}_",
    "CREATE TABLE {0} AS SELECT {1}, {1} AS again FROM {0}_",
    "CREATE TABLE {0} (who VARCHAR); INSERT INTO {0} VALUES ('" + WHO + "')",
)


def in_database(rng: Rng, base: Path, target: Path, name: str) -> Path:
    path = target.with_suffix(".duckdb")
    with duckdb.connect(str(path)) as connection:
        for table in TABLES:
            made = f"{table}_" if table == name else table
            connection.execute(f"CREATE TABLE {made} AS FROM '{base / table}.parquet'")
        key = "family_id" if name == "families" else "person_id"
        connection.execute(rng.choice(SQL).format(name, key))
    return path


def spoilt(rng: Rng, base: Path, frames: dict[str, Frame], target: Path) -> tuple[Path, str]:
    """Write an extract in which one thing is wrong; return where it is, and what is wrong."""
    name, how = rng.choice(TABLES), rng.choice(["table", "table", "bytes", "bytes", "folder", "db"])
    if how == "db":
        path = in_database(rng, base, target, name)
        if rng.random() < 0.4:
            kind = rng.choice(["cut", "flipped", "noise", "emptied"])
            path.write_bytes(BYTES[kind](rng, path.read_bytes()))
        return path, f"{how} {name}"
    target.mkdir()
    for table in dict.fromkeys(("families", "people", name)):
        shutil.copy(base / f"{table}.parquet", target)
    shutil.copy(base / "about.json", target)
    place, kind = target / f"{name}.parquet", ""
    if how == "folder":
        at_folder(rng, target, name)
        return target, f"{how} {name}"
    as_csv, frame = rng.random() < 0.6, frames[name]
    if how == "table":
        kind = rng.choice(list(TABLE))
        frame = TABLE[kind](rng, frame)
    if as_csv:
        place.unlink()
        place = target / f"{name}.csv"
        frame.to_csv(place, index=False, sep=rng.choice(",;"))
    elif how == "table":
        try:
            made = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowException, OverflowError):  # cells of several types
            texts = frame.astype(str).where(frame.notna(), None)
            made = pa.Table.from_pandas(texts, preserve_index=False)
        pq.write_table(made, place)
    if how == "bytes":
        kind = rng.choice(list(BYTES))
        place.write_bytes(BYTES[kind](rng, place.read_bytes()))
    return target, f"{how} {name} {kind} {'csv' if as_csv else 'parquet'}"


# --- the commands, as they are typed -----------------------------------------------------------


#: What each extract is asked in turn; a check takes the longest.
TURNS = ("check", "cohort", "pseudonymise", "prepare", "draft", "cohort", "pseudonymise", "prepare")
#: A mapping of an extract that is the dictionary's already.
MAPPING = "[tables.{0}.columns]\n{1}\n"


def typed(command: str, extract: Path, where: Path, key: Path) -> list[str]:
    """Return the words of a command."""
    mapping = ["--mapping", str(where / "mapping.toml")]
    more = {"check": ["--save", str(where / "report.txt")], "cohort": [],
            "pseudonymise": [str(where / "safe"), "--key-file", str(key)],
            "prepare": [str(where / "safe"), *mapping], "draft": [*mapping, "--draft"]}  # fmt: skip
    return ["prepare" if command == "draft" else command, str(extract), *more[command]]


def mapping_of(extract: Path, frames: dict[str, Frame]) -> str:
    """Return a mapping of the tables that are there, each column under its own name."""
    there = [one.name.casefold() for one in extract.iterdir()] if extract.is_dir() else TABLES
    return "".join(
        MAPPING.format(table, "\n".join(f'{one} = "{one}"' for one in frame))
        for table, frame in frames.items()
        if any(one.startswith(table) for one in there)
    )


def asked(words: list[str], monkeypatch) -> int:
    """Call the command line's own entry; `cohort`, which is no command, through it too."""

    def of_families() -> None:
        found = cohort(open_records(words[1]), phase="one", horizon=(6,))
        print(found.flow)  # noqa: T201
        sys.exit(0)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["tfeval", *words])
        if words[0] == "cohort":
            patch.setattr(cli, "app", of_families)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def run(base, frames, tmp_path, monkeypatch, capsys) -> Callable[[range], None]:
    return lambda seeds: asked_of(
        seeds, base=base, frames=frames, tmp_path=tmp_path, monkeypatch=monkeypatch, capsys=capsys
    )


def asked_of(seeds: range, *, base, frames, tmp_path, monkeypatch, capsys) -> None:
    key = tmp_path / "key"
    key.write_text(random.Random(0).randbytes(32).hex())
    key.chmod(0o600)
    wrong = []
    for seed in seeds:
        where = tmp_path / str(seed)
        where.mkdir()
        extract, what = spoilt(random.Random(seed), base, frames, where / "records")
        name = TURNS[seed % len(TURNS)]
        if name == "prepare":
            (where / "mapping.toml").write_text(mapping_of(extract, frames), encoding="utf-8")
        capsys.readouterr()
        code = asked(typed(name, extract, where, key), monkeypatch)
        said = capsys.readouterr()
        text = said.out + said.err
        left = ("report.txt", "mapping.toml", "safe/prepared.json")
        text += "".join((where / one).read_text("utf-8") for one in left if (where / one).is_file())
        faults = [
            code not in (0, 1, 2),
            bool(seen(text)),
            "Traceback" in text or "its traceback is in" in text,
            said.err.count("\n") > 1,
            code == 1 and not said.err and name != "check",
        ]
        if any(faults):
            wrong.append((seed, what, name, faults, said.err[-300:]))
        shutil.rmtree(where)
    assert not wrong, "\n".join(map(str, wrong))


def test_a_spoilt_extract_is_answered_or_refused(run):
    run(range(60))


@pytest.mark.slow(reason="each of many extracts is spoilt in another way")
def test_many_spoilt_extracts_too(run):
    run(range(60, int(os.environ.get(COUNT, "200"))))
