"""Why a file of an extract cannot be read, and how to mend it, without a word of its rows."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tfeval.errors import DataError
from tfeval.records.schema import TABLES

#: Marks at a file's beginning, longest first, and the encoding that they are of.
_MARKS = ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
          (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))  # fmt: skip
_BLOCK = 1 << 20
#: Bytes that Windows-1252 gives no character to.
_UNUSED = frozenset(b"\x81\x8d\x8f\x90\x9d")
_LEFT_BY_WINDOWS = ("thumbs.db", "desktop.ini")


def passed_over(name: str) -> bool:
    """Tell whether a file is hidden, or what a program leaves beside the file it has open.

    Examples
    --------
    >>> passed_over("~$people.csv"), passed_over(".people.csv.swp"), passed_over("people.csv")
    (True, True, False)
    """
    return name.startswith((".", "~")) or name.endswith("~") or name.lower() in _LEFT_BY_WINDOWS


#: Files that hold records for sure or may, and that are not read: by what they end in.
_UNREAD = {
    "Unpack it here.": (".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".gz"),
    "Write each sheet as CSV UTF-8, or have `tfeval prepare` read it.": (
        ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
    "Write it as Parquet or CSV.": (
        ".sav", ".zsav", ".por", ".dta", ".sas7bdat", ".xpt", ".rds", ".rda", ".rdata", ".feather",
        ".arrow", ".orc", ".avro", ".json", ".jsonl", ".ndjson", ".xml", ".mdb", ".accdb",
        ".sqlite", ".sqlite3", ".db", ".dbf", ".dat", ".fst", ".hdf", ".h5", ".pkl"),
    "Give the file itself in place of its folder.": (".duckdb", ".ddb"),
}  # fmt: skip
_NOT_TEXT = ((b"\x1f\x8b", "is packed by gzip: name it so, by .csv.gz"),
             (b"PK\x03\x04", "is a zip file or a workbook, no text: unpack it, or save it as CSV"),
             (b"PAR1", "is a Parquet file: name it so, by .parquet"),
             (b"\xd0\xcf\x11\xe0", "is a workbook of old and no text: save it as CSV"))  # fmt: skip


def unread_cure(path: Path, *, known: bool) -> str:
    """Return what to do about a file that is not read; empty if it holds no records.

    Parameters
    ----------
    path : Path
    known : bool
        Whether it is named like a table of the schema: then it does hold records.

    Examples
    --------
    >>> unread_cure(Path("people.zip"), known=True), unread_cure(Path("notes.md"), known=False)
    ('Unpack it here.', '')
    """
    name = path.name.lower()
    for cure, ends in _UNREAD.items():
        if name.endswith(ends):
            return cure
    return "It is no kind of file that is read: write it as Parquet or CSV." if known else ""


def encoding_cure(path: Path) -> str:
    """Return what to do about a text file that is not UTF-8; empty if it is.

    Parameters
    ----------
    path : Path
        Text, or text packed by gzip, then ending in .gz.
    """
    with suppress(OSError, EOFError):
        with path.open("rb") as stream:
            first = stream.read(8)
        if path.suffix.lower() != ".gz":
            for mark, cure in _NOT_TEXT:
                if first.startswith(mark):
                    return f"{path.name} {cure}."
        if encoding := encoding_of(path):
            return (
                f"{path.name} is not UTF-8 but {encoding}: write it anew, such as by "
                f'`iconv -f {encoding} -t UTF-8`, or from a spreadsheet as "CSV UTF-8".'
            )
    return ""


def encoding_of(path: Path) -> str:
    """Return the encoding that a file seems to be in; empty for UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = gzip.open if path.suffix.lower() == ".gz" else open
    # What is damaged says so where it is read.
    with suppress(OSError, EOFError, zlib.error), read(path, "rb") as stream:
        first = stream.read(_BLOCK)
        for mark, name in _MARKS:
            if first.startswith(mark):
                return name
        # Half of the bytes of English in UTF-16 are zero; text in UTF-8 has none.
        if 4 * first[:1000].count(0) > len(first[:1000]):
            return "UTF-16LE" if first[1:2] == b"\0" else "UTF-16BE"
        block, odd = first, False
        while block:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                odd = True
            if odd and not _UNUSED.isdisjoint(block):
                return "ISO-8859-1"
            if odd:
                return "WINDOWS-1252"
            block = stream.read(_BLOCK)
    return ""


def refuse_log(path: Path) -> None:
    """Refuse a DuckDB file beside which lies what was written to it last.

    DuckDB reads as much of such a log as it can, and says nothing of the rest.

    Raises
    ------
    DataError
        If there is one that is not empty.
    """
    log = path.with_name(f"{path.name}.wal")
    if os.path.lexists(log) and not (log.is_file() and not log.stat().st_size):
        raise DataError(
            f"{path.name} is not whole: what was written last is in {log.name}. Open it in DuckDB, "
            "run CHECKPOINT and close it; or give a copy made once it is closed."
        )


def database_cure(name: str, fault: Exception) -> str:
    """Return why a DuckDB file could not be opened, and what to do.

    Parameters
    ----------
    name : str
        The file's name.
    fault : Exception
        DuckDB's: only what kind it is of is told.
    """
    import duckdb  # noqa: PLC0415

    text = str(fault).lower()
    if "lock on file" in text or "another process" in text:
        return (
            f"{name} is open in another program that may write to it: close it there, or give a "
            "copy made once it is closed."
        )
    if "version" in text and ("we can only read" in text or "storage" in text):
        return (
            f"{name} was written by another version of DuckDB than {duckdb.__version__}: write "
            "its tables there as Parquet, by EXPORT DATABASE, and give that folder."
        )
    if "corrupt" in text or "checksum" in text:
        return f"{name} is damaged or not whole: copy or make it again."
    if "permission" in text or isinstance(fault, PermissionError):
        return f"{name} may not be read by you: ask its owner."
    return f"{name} is not a DuckDB file: give one, or a folder."


def almost_tables(connection: Any, known: set[str]) -> tuple[str, ...]:
    """Return the tables of a DuckDB database that are named almost like one that it lacks.

    Parameters
    ----------
    connection : ibis backend
    known : set of str
        Tables of the schema that it has.
    """
    if connection.name != "duckdb":
        return ()
    question = "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_catalog = "
    names = connection.con.execute(f"{question}current_database()").fetchall()
    lacking = [name for name in TABLES if name not in known]
    return tuple(sorted(
        name for (name,) in names
        if name not in TABLES and get_close_matches(name.casefold(), lacking, n=1, cutoff=0.85)
    ))  # fmt: skip


def in_schemas(connection: Any, source: str) -> dict[str, str]:
    """Return in which schema of a DuckDB database each table lies that the main one lacks.

    Parameters
    ----------
    connection : ibis backend
    source : str
        What to call it.

    Raises
    ------
    DataError
        If several schemas hold a table, and the main one does not.
    """
    if connection.name != "duckdb":
        return {}
    query = "SELECT table_name, table_schema FROM information_schema.tables "
    query += "WHERE table_catalog = current_database()"
    places: dict[str, list[str]] = {}
    for name, place in connection.con.execute(query).fetchall():
        if name in TABLES:
            places.setdefault(name, []).append(place)
    elsewhere = {name: names for name, names in places.items() if "main" not in names}
    for name, names in elsewhere.items():
        if len(names) > 1:
            raise DataError(
                f"{source} holds the table {name} in several schemas ({', '.join(sorted(names))}): "
                "keep one."
            )
    return {name: names[0] for name, names in elsewhere.items()}
