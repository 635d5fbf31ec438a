"""Nothing that came leaves: hundreds of canaries in every column; files, lines and errors read."""

from __future__ import annotations

import random
import sys
import traceback
from datetime import date
from functools import cache
from pathlib import Path

import ibis
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfeval.cli import main
from tfeval.errors import DataError
from tfeval.records.allow_list import is_none, read_columns, spelt
from tfeval.records.identifiers import folded
from tfeval.records.pseudonyms import new_key, pseudonymise, read_key
from tfeval.records.schema import TABLES, Column, authority_codes
from tfeval.records.simulate import simulate_to

_FULL = str.maketrans("0123456789abcdefghijklmnopqrstuvwxyz", "".join(
    chr(0xFF10 + n) for n in range(10)) + "".join(chr(0xFF41 + n) for n in range(26)))  # fmt: skip
#: How one fact is written: separators by word, case, characters not seen, text around it.
WAYS = {
    "plain": " ".join, "close": "".join, "hyphens": "-".join, "dots": ".".join, "slashes": "/".join,
    "double": "  ".join, "no-break": "\u00a0".join, "thin": "\u2009".join, "unseen": "\u200b".join,
    "soft": "\u00ad".join, "lower": lambda words: " ".join(words).lower(),
    "upper": lambda words: " ".join(words).upper(),
    "full width": lambda words: " ".join(words).lower().translate(_FULL),
    "in text": lambda words: f"rang about {' '.join(words)}; no answer",
    "quoted": lambda words: f'"{" ".join(words)}"',
    "bracketed": lambda words: f"({'-'.join(words)})",
    "formula": lambda words: "=" + " ".join(words),
    "two lines": "\n".join, "padded": lambda words: f"  {' '.join(words)} ",
    "after a code": lambda words: f"convicted {' '.join(words)}",
}  # fmt: skip
FACTS = (
    ("943", "476", "5919"), ("401", "023", "2137"), ("JG", "12", "34", "56", "C"),
    ("H", "801200001001"), ("ZZ99", "9ZZ"), ("Mrs", "Zebediah", "Quillfeather"),
    ("zebediah", "quillfeather"), ("zeb@quillfeather", "example"), ("07700", "900123"),
    ("+44", "151", "496", "0123"), ("17", "May", "1980"), ("12", "Quillfeather", "Street"),
)  # fmt: skip
CANARIES = sorted({way(fact) for fact in FACTS for way in WAYS.values()})
#: Columns that may not be set missing: there every canary must be refused.
NEEDED = {(name, column) for name, table in TABLES.items() for column, one in table.columns.items()
          if one.nullable and one.kind in ("date", "flag")}  # fmt: skip


def test_there_are_many_canaries():
    assert len(CANARIES) >= 200


@cache
def _keys() -> tuple[str, ...]:
    return tuple(key for one in CANARIES if len(key := folded(one).replace(" ", "")) > 5)


def leaks(texts: list[str]) -> list[str]:
    """Return texts that hold a canary, as it was written or folded."""
    found = []
    for text in texts:
        tight = folded(text).replace(" ", "")
        if any(one in text for one in CANARIES) or any(key in tight for key in _keys()):
            found.append(text)
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("base") / "records", families=60, seed=7)[0]


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("key") / "key"
    new_key(file)
    return file


def planted(base: Path, target: Path, *, needed: bool) -> Path:
    """Write tables of text in which every column holds every canary once, and other places too."""
    target.mkdir()
    rng = random.Random(8)
    for name, table in TABLES.items():
        rows = pd.read_parquet(base / f"{name}.parquet").astype("string")
        rows = pd.concat([rows] * (len(CANARIES) // max(len(rows), 1) + 1), ignore_index=True)
        rows = rows.reindex(range(len(CANARIES)))
        for column in table.columns:
            if needed or (name, column) not in NEEDED:
                rows[column] = rng.sample(CANARIES, len(CANARIES))
        rows["note"] = rng.sample(CANARIES, len(CANARIES))
        rows["Mrs Zebediah Quillfeather"] = "x"
        if rng.random() < 0.5:
            rows.to_parquet(target / f"{name}.parquet")
        else:
            rows.to_csv(target / f"{name}.csv", index=False)
    (target / "Zebediah Quillfeather.csv").write_text("943 476 5919\n")
    (target / "about.json").write_text('{"title": "Mrs Zebediah Quillfeather", "note": "ZZ99 9ZZ"}')
    return target


def run(monkeypatch, capsys, *words: object) -> tuple[int, str]:
    """Run the command as it is typed, and return its status and all that it said."""
    monkeypatch.setattr(sys, "argv", ["tfeval", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_no_canary_leaves_by_a_refusal(base, key, tmp_path, monkeypatch, capsys):
    source = planted(base, tmp_path / "source", needed=True)
    status, said = run(monkeypatch, capsys, "pseudonymise", source, tmp_path / "out",
                       "--key-file", key, "--set-missing")  # fmt: skip
    assert status == 1
    assert said.count("\n") == 1
    with pytest.raises(DataError) as refused:
        pseudonymise(source, tmp_path / "out", read_key(key))
    assert leaks([said, *traceback.format_exception(refused.value)]) == []
    for name, table in TABLES.items():
        for column, one in table.columns.items():
            free = one.kind in ("identifier", "row number")
            assert (f"{name}.{column} (" in str(refused.value)) == (not free)
            assert (f"{name}.{column} (" in said) == ((name, column) in NEEDED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_no_canary_leaves_by_an_extract(base, key, tmp_path, monkeypatch, capsys):
    source = planted(base, tmp_path / "source", needed=False)
    target = tmp_path / "out"
    status, said = run(monkeypatch, capsys, "pseudonymise", source, target, "--key-file", key,
                       "--set-missing")  # fmt: skip
    assert status == 0, said
    assert leaks(said.splitlines()) == []
    assert "columns of people whose names are not shown (1)" in said
    assert "tables whose names are not shown (1)" in said
    assert sorted(path.stem for path in target.iterdir()) == sorted([*TABLES, "about"])
    about = (target / "about.json").read_text()
    assert leaks([about]) == []
    for name, table in TABLES.items():
        file = target / f"{name}.parquet"
        raw = file.read_bytes().decode("latin-1") + str(pq.read_metadata(file).metadata)
        assert not any(one in raw for one in CANARIES)
        rows = pd.read_parquet(file)
        assert set(rows.columns) <= set(table.columns)
        assert len(rows) == len(CANARIES)
        for column, one in ((name, table.columns[name]) for name in rows.columns):
            values = rows[column].dropna().astype(str).unique().tolist()
            if one.kind != "identifier":  # of which 26 letters hold no word, but may hold few
                assert leaks(values) == [], column
            if (name, column) not in NEEDED and one.kind in ("category", "authority", "count"):
                assert values == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("custody_days", [9434765919, 19800517, 170580, 7700900123, -1, 10_001]),
        ("custody_days", [9434765919.0, 2.5, float("inf")]),
        ("custody_days", [True, True]),
        ("custody_days", pd.to_datetime(["1980-05-17"])),
        ("outcome", [9434765919, 0]),
        ("outcome", [["Zebediah"], ["Quillfeather"]]),
        ("outcome", [b"Zebediah", b"Quillfeather"]),
        ("offence_on", [9434765919, 29358]),
        ("offence_on", pd.to_datetime(["1880-05-17", "2250-01-01"])),
    ],
)
def test_no_number_or_type_passes_for_another(column, values):
    table = ibis.memtable(pd.DataFrame({column: values}))
    read = read_columns("offences", table, {column: TABLES["offences"].columns[column]},
                        date(2019, 12, 31))[column]  # fmt: skip
    assert table.select(value=read.value).to_pandas()["value"].isna().all()
    assert read.stray is not None
    assert read.stray.rows == len(values)


def slow(text: str, column: Column) -> object:
    """Return what may pass of a text, by the words of the rule, one value at a time."""
    bare = text.strip(" \t\n\r\v\f")
    if column.kind in ("category", "authority"):
        known = authority_codes() if column.kind == "authority" else column.allowed
        return text if text in known else spelt(text, column)
    if column.kind == "count":
        good = bare.isascii() and bare.isdigit() and len(bare) < 7 and int(bare) <= column.most
        return int(bare) if good else None
    if column.kind == "flag":
        words = {**dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
                 **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False)}  # fmt: skip
        return words.get(bare.lower())
    try:
        day = date.fromisoformat(bare) if len(bare) == 10 and bare.isascii() else None
    except ValueError:
        return None
    return day if day and date(1900, 1, 1) <= day <= date(2019, 12, 31) else None


COLUMNS = {
    column: TABLES[name].columns[column]
    for name, columns in {
        "offences": ("offence_on", "outcome", "custody_days"),
        "families": ("local_authority", "attached_on", "crime_asb", "claim_kind"),
        "people": ("sex",),
    }.items()
    for column in columns
}
VALUES = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from([*CANARIES, "female", "Female", "MALE ", "parent or carer", "E06000001",
                     "hartlepool", "convicted", "0", "10000", "10001", "007", "true", "No", "yes",
                     "2013-02-29", "2012-02-29", "1899-12-31", "2020-01-01", "2013-1-5", "NULL"]),
    st.dates(date(1890, 1, 1), date(2030, 1, 1)).map(str),
    st.integers(-10, 20_000).map(str),
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=25))
def test_what_passes_is_what_a_slow_reading_lets_pass(texts):
    table = ibis.memtable(pd.DataFrame({column: pd.array(texts, "string") for column in COLUMNS}))
    found = read_columns("offences", table, COLUMNS, date(2019, 12, 31))
    passed = table.select(**{column: one.value for column, one in found.items()}).to_pyarrow()
    for column, one in COLUMNS.items():
        wanted = [slow(text, one) for text in texts]
        assert passed[column].to_pylist() == wanted
        unknown = one.kind in ("category", "authority")
        strays = [text for text, value in zip(texts, wanted, strict=True) if value is None
                  and text.strip(" \t\n\r\v\f") and not is_none(text, unknown=unknown)]  # fmt: skip
        stray = found[column].stray
        assert (stray.rows if stray else 0) == len(strays)
