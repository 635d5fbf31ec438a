"""Read CSV by its own first line: nothing about a file is guessed from its rows."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import ibis

from tfeval.errors import DataError

_DELIMITERS = (",", ";", "\t", "|")
#: A first line longer than this is no line of names.
_LONGEST_HEADER = 100_000


def read_csv(connection: Any, path: Path, known: set[str]) -> ibis.Table:
    """Return a CSV file as a table of text, columns named by its first line.

    A reader that guesses takes a row for the names where a line has a field too many, and the
    row then stands in messages as names do. Here the first line alone says what the names and
    the delimiter are; a line with other fields than it has is an error.

    Parameters
    ----------
    connection : ibis backend
        DuckDB.
    path : Path
        Ending in .csv or .csv.gz.
    known : set of str
        Names of which the first line must hold one at least.

    Raises
    ------
    DataError
        If the first line names no known column, or one twice.
    """
    names, delimiter = _header(path, known)
    return connection.read_csv(
        str(path),
        columns=dict.fromkeys(names, "VARCHAR"),
        auto_detect=False, header=True, delim=delimiter, quote='"', escape='"',
        null_padding=False, ignore_errors=False,
        compression="gzip" if path.suffix == ".gz" else "none",
    )  # fmt: skip


def _header(path: Path, known: set[str]) -> tuple[list[str], str]:
    packed = path.suffix == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        line = stream.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    line = line.splitlines()[0] if line.strip() else ""
    delimiter = max(_DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if not known & set(names):
        raise DataError(
            f"{path.name} does not begin with the names of its columns: its first line must name "
            "them as data/README.md does."
        )
    if len(set(names)) < len(names) or "" in names:
        raise DataError(f"{path.name} names a column twice or not at all in its first line.")
    return names, delimiter
