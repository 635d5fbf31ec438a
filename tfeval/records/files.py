"""Why a file of an extract cannot be read, and how to mend it, without a word of its rows."""

from __future__ import annotations

import codecs
import gzip
from contextlib import suppress
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


def encoding_cure(path: Path) -> str:
    """Return what to do about a text file that is not UTF-8; empty if it is.

    Parameters
    ----------
    path : Path
        Ending in .csv or .csv.gz.
    """
    with suppress(OSError, EOFError):
        if encoding := _encoding(path):
            return (
                f"{path.name} is not UTF-8 but {encoding}: write it anew, such as by "
                f'`iconv -f {encoding} -t UTF-8`, or from a spreadsheet as "CSV UTF-8".'
            )
    return ""


def _encoding(path: Path) -> str:
    """Return the encoding that a file seems to be in; empty for UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
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
    asked = "SELECT table_name, table_schema FROM information_schema.tables "
    asked += "WHERE table_catalog = current_database()"
    places: dict[str, list[str]] = {}
    for name, place in connection.con.execute(asked).fetchall():
        if name in TABLES:
            places.setdefault(name, []).append(place)
    elsewhere = {name: found for name, found in places.items() if "main" not in found}
    for name, found in elsewhere.items():
        if len(found) > 1:
            raise DataError(
                f"{source} holds the table {name} in several schemas ({', '.join(sorted(found))}): "
                "keep one."
            )
    return {name: found[0] for name, found in elsewhere.items()}
