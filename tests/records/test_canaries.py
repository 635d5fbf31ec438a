"""No fault of an extract makes a row leave: canaries x faults x ways to read."""

from __future__ import annotations

import traceback
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pytest
from canaries import CANARIES, CSV, PARTS, csv_extract, parts_extract, seen

from tfeval.cohort.cohort import cohort
from tfeval.errors import DataError, TfevalError, in_own_words, public_line
from tfeval.records.check import check_records
from tfeval.records.pseudonyms import pseudonymise
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records

KEY = b"8c1d0fe2b7a94c53a1f06d2e97b84f3c"


def everything(extract: Path, target: Path) -> list[str]:
    """Return all that each way to read an extract lets out: what it returns, and its traceback."""
    ways = {
        "open": lambda: str(open_records(extract)),
        "check": lambda: check_records(extract).text(exact=True),
        "cohort": lambda: str(cohort(open_records(extract)).flow),
        "pseudonymise": lambda: str(pseudonymise(extract, target, KEY)),
    }
    out = []
    for name, way in ways.items():
        try:
            out.append(way())
        except TfevalError as fault:
            text = str(fault)
            assert "\n" not in text or name == "check"
            assert fault.__cause__ is None
            assert fault.__context__ is None
            out.append("".join(traceback.format_exception(fault)))
    return out


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """So few families that reading them four ways takes no time; where a fault lies is the same."""
    return simulate_to(tmp_path_factory.mktemp("few") / "records", families=60, seed=7)[0]


#: The fault with which an extract can be opened.
READABLE = "dates that are none"
PACKED = pytest.mark.slow(reason="every fault once more, in a compressed file")


@pytest.mark.parametrize(
    "packed", [pytest.param(False, id="plain"), pytest.param(True, id="gzip", marks=PACKED)]
)
@pytest.mark.parametrize("fault", CSV)
def test_no_row_of_a_malformed_csv_leaves(few, tmp_path, fault, packed):
    # Where people cannot be read, no way in comes to the tables after them.
    only = () if fault == READABLE else ("families", "people")
    extract = csv_extract(few, tmp_path / "extract", CSV[fault], packed, only)
    texts = everything(extract, tmp_path / "new")
    assert ("Traceback" in texts[0]) == (fault != READABLE)
    for text in texts:
        assert not seen(text), text


@pytest.mark.parametrize("kind", PARTS)
def test_no_row_of_parts_that_differ_leaves(folder, tmp_path, kind):
    extract = parts_extract(folder, tmp_path / "extract", kind)
    texts = everything(extract, tmp_path / "new")
    assert all("differ in the columns or types" in text for text in texts)
    for text in texts:
        assert not seen(text), text


def test_a_malformed_csv_says_which_line(folder, tmp_path):
    extract = csv_extract(folder, tmp_path / "extract", CSV["unquoted comma later"])
    with pytest.raises(DataError, match=r"cannot be read as csv from line [0-9]+ on: see that"):
        open_records(extract)
    extract = csv_extract(folder, tmp_path / "other", CSV["no header"])
    with pytest.raises(DataError, match="does not begin with the names of its columns"):
        open_records(extract)


def test_a_fault_that_comes_late_stays_private_too(folder, tmp_path):
    """A view fails only when its rows are read: in the cohort, long after it was opened."""
    path = tmp_path / "extract.duckdb"
    connection = duckdb.connect(path)
    for file in folder.glob("*.parquet"):
        connection.execute(f"CREATE TABLE {file.stem}_ AS FROM '{file}'")
        columns = "* REPLACE (CASE WHEN rowid > 1200 THEN CAST(error('Zebediah 9434765919') AS "
        columns += "VARCHAR) ELSE family_id END AS family_id)"
        chosen = columns if file.stem == "people" else "*"
        connection.execute(f"CREATE VIEW {file.stem} AS SELECT {chosen} FROM {file.stem}_")
    connection.close()
    for text in everything(path, tmp_path / "new"):
        assert not seen(text), text
    faults = {fault.table: fault.kind for fault in check_records(path).faults}
    assert faults["people"] == "cannot be read to its end"
    with pytest.raises(DataError, match=r"its own text is withheld\): run tfeval check"):
        cohort(open_records(path), phase="one", horizon=12)


@pytest.mark.parametrize(
    "foreign",
    [duckdb.ConversionException, duckdb.DataError, ibis.common.exceptions.IbisError,
     pd.errors.ParserError, ValueError, KeyError, OSError, UnicodeError, RecursionError],
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_a_librarys_words_are_never_chained(foreign):
    first, second = CANARIES[:2]  # not written out: a traceback shows lines of code

    @in_own_words("It cannot be read")
    def read() -> None:
        try:
            raise foreign(first)
        except Exception as fault:
            raise RuntimeError(second) from fault

    with pytest.raises(DataError) as caught:
        read()
    assert not seen("".join(traceback.format_exception(caught.value)))
    assert public_line(foreign(first)).startswith(f"{foreign.__name__};")

    @in_own_words("It cannot be read")
    def chained() -> None:
        try:
            raise foreign(first)
        except Exception as fault:
            raise DataError("One line of ours.") from fault

    with pytest.raises(DataError, match="One line of ours") as caught:
        chained()
    assert not seen("".join(traceback.format_exception(caught.value)))


def test_a_wrong_call_is_told_as_python_tells_it(folder):
    with pytest.raises(TypeError, match="unexpected keyword argument 'horizons'"):
        cohort(open_records(folder), horizons=12)
