"""Open what a department sent, and give each table as it came: a folder, a database, a workbook."""

from __future__ import annotations

import glob
import gzip
import shutil
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from tfeval.errors import DataError, suggest
from tfeval.records.files import database_cure, encoding_cure, refuse_log
from tfeval.records.folders import (
    contents,
    header,
    kind_of,
    line_of,
    parquet_columns,
    plain_name,
    read_csv,
    refuse_doubled,
)
from tfeval.records.preparation.mapping import ColumnRule, TableRule
from tfeval.records.private import duckdb_connection, private_folder
from tfeval.records.relations import cast

_BOOKS = (".xlsx", ".xlsm")
#: Rows of a worksheet: one that is full has lost what came after.
_FULL = 1_048_576
#: Stands for every column of a table.
ANY = "*"
_numbers = count()


@dataclass(frozen=True)
class Source:
    """An extract as it came.

    Attributes
    ----------
    path : Path
    connection : ibis backend
        Where its tables are read and worked on.
    work : Path
        A folder that nobody else can enter, for text that is written anew.
    """

    path: Path
    connection: Any
    work: Path

    def names(self) -> list[str]:
        """Return what a mapping can name: files and folders, tables of a database, sheets."""
        if self.path.is_dir():
            left = contents(self.path).ignored
            return sorted(one.name for one in self.path.iterdir() if one.name not in left)
        if is_book(self.path):
            return _sheets(self.path)
        if kind_of(self.path):
            return [self.path.name]
        question = "SELECT table_schema, table_name FROM information_schema.tables "
        question += "WHERE table_catalog = current_database() AND table_type = 'BASE TABLE'"
        places = self.connection.con.execute(question).fetchall()
        return sorted(name if place == "main" else f"{place}.{name}" for place, name in places)

    def read(self, rule: TableRule) -> ibis.Table:
        """Return a table as it came, its rows together.

        Raises
        ------
        DataError
            Naming the file and the line from which on it cannot be read; never what stands there.
        """
        known = self.names()
        tables: list[ibis.Table] = []
        for name in rule.source:
            if name not in known and name != rule.name:
                raise DataError(
                    f"tables.{rule.name}.from names nothing in {self.path.name}. "
                    f"{suggest(name, known)}"
                )
            tables += self._tables(self._meant(name, rule, known), rule)
        if not tables:
            raise DataError(
                f"{self.path.name} holds no file of {rule.name} that is read: Parquet, CSV, xlsx."
            )
        first = tables[0]
        for other in tables[1:]:
            if set(other.columns) != set(first.columns):
                raise DataError(
                    f"The files of {rule.name} differ in their columns: write them alike."
                )
        if len(tables) == 1:
            return first
        texts = [one.select(**{name: one[name].cast("string") for name in first.columns})
                 for one in tables]  # fmt: skip
        return ibis.union(*texts)

    def read_any(self, rule: TableRule) -> ibis.Table:
        """Return a table as it came for a look at it, whatever its columns are called."""
        return self.read(replace(rule, columns={"": ColumnRule(ANY)}))

    def _meant(self, name: str, rule: TableRule, known: list[str]) -> str:
        """Return the only thing there that is called like a table of the dictionary."""
        if name in known:
            return name
        alike = [one for one in known if plain_name(one.split(".")[0]) == plain_name(name)]
        if len(alike) != 1:
            raise DataError(
                f"{self.path.name} has {'nothing' if not alike else 'more than one thing'} called "
                f"{name}: say with tables.{rule.name}.from where it comes from."
            )
        return alike[0]

    def _tables(self, name: str, rule: TableRule) -> Iterator[ibis.Table]:
        if self.path.is_dir():
            place = self.path / name
            if place.is_dir():
                for file in sorted(one for one in place.rglob("*") if one.is_file()):
                    if kind_of(file) and not file.name.startswith(("_", ".")):
                        yield self._file(file, rule)
                return
            yield self._file(place, rule)
        elif is_book(self.path):
            yield self._sheet(self.path, name, rule)
        elif kind_of(self.path):
            yield self._file(self.path, rule)
        else:
            schema, mark, table = name.rpartition(".")
            yield self.connection.table(table, database=schema if mark else None)

    def _file(self, file: Path, rule: TableRule) -> ibis.Table:
        if is_book(file):
            sheets = _sheets(file)
            if not rule.sheet and len(sheets) != 1:
                raise DataError(f"{file.name} has {len(sheets)} sheets: say which with "
                                f"tables.{rule.name}.sheet.")  # fmt: skip
            return self._sheet(file, rule.sheet or sheets[0], rule)
        kind = kind_of(file)
        if not kind or not file.is_file():
            raise DataError(f"{file.name} is no kind of file that is read: Parquet, CSV, xlsx.")
        try:
            if kind == "parquet":
                refuse_doubled(parquet_columns(file), file.name)
                place = glob.escape(str(file))
                return self.connection.read_parquet(place, hive_partitioning=False)
            return self._text(file, rule)
        except DataError:
            raise
        except Exception as error:
            text = kind == "csv" and rule.encoding == "utf-8"
            if cure := encoding_cure(file) if text else "":
                raise DataError(f"{cure} Or say so with tables.{rule.name}.encoding.") from None
            raise DataError(
                f"{file.name} cannot be read as {kind}{line_of(error)}: see that it is whole, and "
                "that every line has as many fields as the first."
            ) from None

    def _text(self, file: Path, rule: TableRule) -> ibis.Table:
        if rule.encoding != "utf-8" or rule.skip_lines or rule.drop_last_lines:
            file = self._anew(file, rule)
        wanted = {one.source for one in rule.columns.values() if one.source}
        if ANY in wanted:
            wanted = set(header(file, rule.delimiter)[0])
        table = read_csv(self.connection, file, wanted, rule.delimiter)
        # Read once: each question would else parse the file again.
        return self.connection.create_table(f"tfeval_text_{next(_numbers)}", table, temp=True)

    def _anew(self, file: Path, rule: TableRule) -> Path:
        """Write a text file in UTF-8, without the lines before its names and after its rows."""
        target = self.work / f"{next(_numbers)}-{file.name.split('.')[0]}.csv"
        packed = file.name.lower().endswith(".gz")
        encoding = "utf-8-sig" if rule.encoding == "utf-8" else rule.encoding
        opened = gzip.open if packed else open
        waiting: deque[str] = deque()
        try:
            with (opened(file, "rt", encoding=encoding, newline="") as lines,
                  target.open("w", encoding="utf-8", newline="") as out):  # fmt: skip
                for at, line in enumerate(lines):
                    if at < rule.skip_lines:
                        continue
                    waiting.append(line)
                    if len(waiting) > rule.drop_last_lines:
                        out.write(waiting.popleft())
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise DataError(f"{file.name} is damaged, or not packed by gzip.") from None
        except UnicodeError:
            raise DataError(
                f"{file.name} is not {rule.encoding} throughout: say what it is with "
                f"tables.{rule.name}.encoding."
            ) from None
        return target

    def _sheet(self, file: Path, sheet: str, rule: TableRule) -> ibis.Table:
        table = _worksheet(file, sheet, rule.skip_lines, rule.drop_last_lines)
        return self.connection.create_table(f"tfeval_sheet_{next(_numbers)}", table, temp=True)


@contextmanager
def opened_source(path: Path) -> Iterator[Source]:
    """Open an extract, and leave nothing of it behind.

    Parameters
    ----------
    path : Path
        A folder, a DuckDB file, a workbook, or one file of text or Parquet.
    """
    if not path.exists():
        raise DataError(f"There is no extract {path.name}: give a folder, a file or a workbook.")
    plain = path.is_dir() or is_book(path) or kind_of(path)
    if not plain:
        refuse_log(path)
    try:
        connection = duckdb_connection() if plain else duckdb_connection(path)
    except Exception as fault:
        raise DataError(database_cure(path.name, fault)) from None
    work = private_folder()
    try:
        yield Source(path, connection, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        connection.disconnect()


def column_of(table: ibis.Table, place: str, rule: ColumnRule) -> ibis.Value:
    """Return the column that a mapping names, whatever space stands around its name.

    Raises
    ------
    DataError
        If there is none; with the nearest by name, if it is plainly a name.
    """
    names = {name.strip(): name for name in table.columns}
    if rule.source not in names:
        raise DataError(f"{place}.from names no column of its table: look at its first line.")
    return table[names[rule.source]]


def as_text(value: ibis.Value, place: str) -> tuple[ibis.Value, bool]:
    """Return a column as text, and whether it came as days.

    Raises
    ------
    DataError
        If its type is none that holds one value.
    """
    kind = value.type()
    if kind.is_string():
        return value, False
    if kind.is_date() or kind.is_timestamp():
        return cast(value, "date").cast("string"), True
    if kind.is_floating():
        return value.nullif(float("nan")).cast("string"), False
    if kind.is_numeric() or kind.is_boolean() or kind.is_uuid():
        return value.cast("string"), False
    raise DataError(f"{place} comes as a type that holds no single value: write it as text.")


def is_book(path: Path) -> bool:
    """Return whether a file is a workbook, by its name."""
    return path.is_file() and path.name.lower().endswith(_BOOKS)


def _book(file: Path) -> Any:
    try:
        openpyxl = import_module("openpyxl")  # an extra: few need it
    except ImportError:
        raise DataError(
            f"{file.name} is a workbook, and openpyxl is not installed: install tfeval[workbooks], "
            "or write each sheet as CSV UTF-8."
        ) from None
    try:
        return openpyxl.load_workbook(file, read_only=True, data_only=True)
    except Exception:
        raise DataError(f"{file.name} is damaged or no workbook: save it anew.") from None


def _sheets(file: Path) -> list[str]:
    book = _book(file)
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def _worksheet(file: Path, sheet: str, skip: int, drop: int) -> pa.Table:
    book = _book(file)
    try:
        if sheet not in book.sheetnames:
            raise DataError(f"{file.name} has no such sheet. {suggest(sheet, book.sheetnames)}")
        rows = [[_cell(one) for one in row] for row in book[sheet].iter_rows(values_only=True)]
    finally:
        book.close()
    if len(rows) >= _FULL:
        raise DataError(
            f"A sheet of {file.name} is full to its last row, so rows may have been lost: have the "
            "extract sent as CSV or Parquet."
        )
    rows = rows[skip : len(rows) - drop]
    rows = [row for row in rows if any(one is not None for one in row)]
    names = [one or "" for one in rows[0]] if rows else []
    used = [at for at, name in enumerate(names) if name.strip()]
    if len({names[at].strip().lower() for at in used}) < len(used) or not used:
        raise DataError(f"{file.name} names a column twice, or none, in the first line of a sheet.")
    if any(one is not None for row in rows[1:] for at, one in enumerate(row) if at not in used):
        raise DataError(f"{file.name} has values in a column without a name: name or remove it.")
    arrays = [pa.array([row[at] for row in rows[1:]], pa.string()) for at in used]
    return pa.table(dict(zip([names[at] for at in used], arrays, strict=True)))


def _cell(value: Any) -> str | None:
    """Return a cell as text: a day as YYYY-MM-DD, a whole number without a point."""
    if value is None:
        return None
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("T00:00:00", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
