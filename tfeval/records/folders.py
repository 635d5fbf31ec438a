"""Read the tables of a folder: one file or parts of one, and whatever else lies there is said."""

from __future__ import annotations

import csv
import glob
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import ibis

from tfeval.errors import DataError
from tfeval.records.files import encoding_cure, passed_over, unread_cure
from tfeval.records.schema import TABLES

ABOUT = "about.json"
#: What `tfeval prepare` writes beside the tables.
PREPARED = "prepared.json"
_PARQUET = (".parquet", ".parq", ".pq")
_TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt")
_CURES = {
    "csv": "see that every line has as many fields as the first, that text with commas stands in "
    "quotes, and that it is UTF-8",
    "parquet": "see that the file is whole, and make it again if it is not",
}
#: How engines that write folders by the values of a column write no value.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """A file of a table, and the values of columns that the folders above it say.

    Attributes
    ----------
    path : Path
    kind : str
        "parquet" or "csv".
    said : tuple of (str, str)
        From names of folders like `year=2013`.
    """

    path: Path
    kind: str
    said: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a folder holds.

    Attributes
    ----------
    tables : dict of str to tuple of Part
        By name, known to the schema or not.
    unread : dict of str to str
        Files that may hold records and are not read, with what to do.
    ignored : tuple of str
        Files that hold none: hidden ones, what programs leave, documents.
    """

    tables: dict[str, tuple[Part, ...]]
    unread: dict[str, str]
    ignored: tuple[str, ...]


def contents(folder: Path) -> Contents:
    """Return the tables in a folder and all else that lies there.

    Raises
    ------
    DataError
        If it holds a table twice, in parts of two kinds, or as a table of a lake, whose files may
        hold rows that were deleted.
    """
    tables: dict[str, tuple[Part, ...]] = {}
    unread: dict[str, str] = {}
    ignored = []
    for path in sorted(folder.iterdir()):
        name = path.name.split(".")[0]
        if path.name in (ABOUT, PREPARED):
            continue
        parts: tuple[Part, ...] = ()
        if passed_over(path.name):
            ignored.append(path.name)
        elif path.is_dir():
            parts = _parts(path, name, folder.name, unread)
        elif (kind := kind_of(path)) and path.is_file() and _is_table(path, name):
            parts = (Part(path, kind),)
        elif cure := unread_cure(path, known=name in TABLES):
            unread[path.name] = cure
        else:
            ignored.append(path.name)
        if parts and name in tables:
            raise DataError(f"{folder.name} holds the table {name} twice: keep one file of it.")
        if parts:
            tables[name] = parts
    return Contents(tables, unread, tuple(ignored))


def _is_table(path: Path, name: str) -> bool:
    return name in TABLES or not path.name.lower().endswith(".txt")


def kind_of(path: Path) -> str:
    """Return how a file is read, by its name: "parquet", "csv", or empty.

    Examples
    --------
    >>> [kind_of(Path(name)) for name in ("a.PQ", "a.snappy.parquet", "a.CSV.gz", "a.xlsx")]
    ['parquet', 'parquet', 'csv', '']
    """
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return "parquet"
    return "csv" if name.removesuffix(".gz").endswith(_TEXT) else ""


def _parts(place: Path, name: str, source: str, unread: dict[str, str]) -> tuple[Part, ...]:
    """Return the files of a table in a folder of its own, at whatever depth."""
    parts = []
    for path in sorted(place.rglob("*")):
        inner = path.relative_to(place)
        if path.name in ("_delta_log", "_hoodie") or path.name.endswith(".metadata.json"):
            raise DataError(
                f"{name} in {source} is a table of a lake (Delta, Iceberg or Hudi): its files may "
                "hold rows deleted since. Write it anew as Parquet, and give that."
            )
        # Engines leave _SUCCESS, _metadata and the like.
        left = any(passed_over(one) or one.startswith("_") for one in inner.parts)
        if path.is_dir() or left:
            continue
        said = tuple((key, unquote(value)) for key, mark, value in
                     (one.partition("=") for one in inner.parts[:-1]) if mark)  # fmt: skip
        if len({key for key, _ in said}) < len(said):
            raise DataError(f"{name} in {source} has folders that name one column twice.")
        if (kind := kind_of(path)) and path.is_file():
            parts.append(Part(path, kind, said))
        elif cure := unread_cure(path, known=name in TABLES):
            unread[f"{place.name}/{inner.as_posix()}"] = cure
    if len({part.kind for part in parts}) > 1:
        raise DataError(f"{name} in {source} has parts in CSV and in Parquet: keep one kind.")
    if not parts and name in TABLES:
        unread[place.name] = "A folder without a part in Parquet or CSV: fill or remove it."
    return tuple(parts)


def read_folder(folder: Path, connection: Any, contents_read: Contents) -> None:
    """Read the tables that the schema knows, each under its name.

    Parameters
    ----------
    folder : Path
    connection : ibis backend
        DuckDB.
    contents_read : Contents
        Of the folder.

    Raises
    ------
    DataError
        Naming the table and the line from which on it cannot be read; never what stands there.
    """
    for name, parts in contents_read.tables.items():
        if name not in TABLES:
            continue
        kind = parts[0].kind
        try:
            (_read_parquet if kind == "parquet" else _read_text)(connection, name, parts)
        except DataError:
            raise
        except Exception as error:
            cures = (encoding_cure(part.path) for part in parts) if kind == "csv" else ()
            if cure := next(filter(None, cures), ""):
                raise DataError(cure) from None
            raise DataError(
                f"{name} in {folder.name} cannot be read as {kind}{line_of(error)}: {_CURES[kind]}."
            ) from None


def line_of(error: Exception) -> str:
    """Return from which line on DuckDB could not read a CSV file: all of its text that leaves."""
    line = re.search(r"CSV Error on Line: ([0-9]+)", str(error))
    return f" from line {line[1]} on" if line else ""


def _read_parquet(connection: Any, name: str, parts: tuple[Part, ...]) -> None:
    for part in parts:
        refuse_doubled(parquet_columns(part.path), part.path.name)
    _refuse_unlike([part.path for part in parts], name)
    places: dict[tuple[tuple[str, str], ...], list[str]] = {}
    columns = set(parquet_columns(parts[0].path))
    for part in parts:
        # Names are taken as they stand: neither as patterns nor, with a =, as columns.
        places.setdefault(_new(part, name, columns), []).append(glob.escape(str(part.path)))
    if set(places) == {()}:
        connection.read_parquet(places[()], table_name=name, hive_partitioning=False)
        return
    tables = [_with(connection.read_parquet(files, hive_partitioning=False), said)
              for said, files in places.items()]  # fmt: skip
    connection.create_view(name, _together(tables, name))


def _read_text(connection: Any, name: str, parts: tuple[Part, ...]) -> None:
    # As text: a wrong value is a counted fault, no failed read. Once: each question would else
    # parse the file again.
    known = set(TABLES[name].columns)
    tables = [read_csv(connection, part.path, known) for part in parts]
    columns = set(tables[0].columns)
    tables = [_with(table, _new(part, name, columns))
              for table, part in zip(tables, parts, strict=True)]  # fmt: skip
    connection.create_table(name, _together(tables, name))


def _new(part: Part, name: str, columns: set[str]) -> tuple[tuple[str, str], ...]:
    """Return what folders say of columns of the schema that the files themselves lack."""
    return tuple((key, value) for key, value in part.said
                 if key in TABLES[name].columns and key not in columns)  # fmt: skip


def _with(table: ibis.Table, said: tuple[tuple[str, str], ...]) -> ibis.Table:
    return table.mutate(**{
        key: ibis.null("string") if value == _NO_VALUE else ibis.literal(value)
        for key, value in said
    }) if said else table  # fmt: skip


def _together(tables: list[ibis.Table], name: str) -> ibis.Table:
    first = tables[0].columns
    for other in tables[1:]:
        if differ := set(first) ^ set(other.columns):
            raise DataError(_unlike(name, differ))
    return ibis.union(*(table.select(*first) for table in tables)) if len(tables) > 1 else tables[0]


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns, as they stand there."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    return list(pq.read_schema(path).names)


def _refuse_unlike(parts: list[Path], name: str) -> None:
    """Refuse parts of one table whose columns or types differ: they would fail row by row."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    schemas = [{(one.name, str(one.type)) for one in pq.read_schema(part)} for part in parts]
    for other in schemas[1:]:
        if differ := schemas[0] ^ other:
            raise DataError(_unlike(name, {column for column, _ in differ}))


def _unlike(name: str, columns: set[str]) -> str:
    named = sorted(columns & set(TABLES[name].columns)) or ["columns that the schema lacks"]
    return f"The parts of {name} differ in the columns or types of {', '.join(named)}: " + (
        "write them alike."
    )


# Read CSV by its own first line: nothing about a file is guessed from its rows.

_DELIMITERS = (",", ";", "\t", "|")
#: A first line longer than this is no line of names.
_LONGEST_HEADER = 100_000


def read_csv(connection: Any, path: Path, known: set[str], delimiter: str = "") -> ibis.Table:
    """Return a CSV file as a table of text, columns named by its first line.

    A reader that guesses takes a row for the names where a line has a field too many, and the
    row then stands in messages as names do. Here the first line alone says what the names and
    the delimiter are; a line with other fields than it has is an error.

    Parameters
    ----------
    connection : ibis backend
        DuckDB.
    path : Path
        Text, or text packed by gzip, then ending in .gz.
    known : set of str
        Names of which the first line must hold one at least.
    delimiter : str, optional
        What stands between fields; by default what comes most in the first line.

    Raises
    ------
    DataError
        If the first line names no known column, or one twice.
    """
    names, delimiter = header(path, delimiter)
    if not known & set(names):
        raise DataError(encoding_cure(path) or _no_header(path, names, known))
    refuse_doubled(names, f"{path.name}", " in its first line")
    if path.name.lower().endswith(".gz"):
        _refuse_damaged(path)
    return connection.read_csv(
        glob.escape(str(path)), hive_partitioning=False,
        columns=dict.fromkeys(names, "VARCHAR"),
        auto_detect=False, header=True, delim=delimiter, quote='"', escape='"',
        null_padding=False, ignore_errors=False,
        compression="gzip" if path.name.lower().endswith(".gz") else "none",
    )  # fmt: skip


def refuse_doubled(names: list[str], source: str, where: str = "") -> None:
    """Refuse names of columns that are one to an engine, which would read the first and rename.

    Raises
    ------
    DataError
        Naming the file alone.
    """
    if len({name.lower() for name in names}) < len(names) or "" in names or "\0" in "".join(names):
        raise DataError(f"{source} names a column twice or not at all{where}.")


def _refuse_damaged(path: Path) -> None:
    """Refuse a packed file that is cut or altered: DuckDB does not look at its check sum."""
    try:
        with gzip.open(path, "rb") as stream:
            while stream.read(1 << 20):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path.name} is damaged, or not packed by gzip: pack it anew.") from None


def _no_header(path: Path, names: list[str], known: set[str]) -> str:
    if spelt_otherwise(names, known):
        return (
            f"{path.name} spells the names of its columns in another way (capitals, space): spell "
            "them as data/README.md does, or have `tfeval prepare` do it."
        )
    return (
        f"{path.name} does not begin with the names of its columns: its first line must name "
        "them as data/README.md does."
    )


def header(path: Path, delimiter: str = "") -> tuple[list[str], str]:
    """Return the fields of a file's first line, and what stands between them.

    Parameters
    ----------
    path : Path
        As for `read_csv`.
    delimiter : str, optional
        Where it is known.
    """
    packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            line = stream.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path.name} cannot be read, or is not packed by gzip.") from None
    line = line.splitlines()[0] if line.strip() else ""
    delimiter = delimiter or max(_DELIMITERS, key=line.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter


def spelt_otherwise(
    names: Iterator[str] | list[str] | tuple[str, ...], known: set[str]
) -> set[str]:
    """Return the known names that lack, and that a given one is but for capitals and space.

    Examples
    --------
    >>> spelt_otherwise(["PERSON ID", "benefit"], {"person_id", "benefit"})
    {'person_id'}
    """
    given = set(names)
    folded = {plain_name(name) for name in given}
    return {name for name in known - given if plain_name(name) in folded}


def plain_name(name: str) -> str:
    """Return a name without capitals, space and punctuation, so that spellings of it are one.

    Examples
    --------
    >>> plain_name(" Person-ID ")
    'personid'
    """
    return re.sub(r"[\W_]+", "", name).casefold()
