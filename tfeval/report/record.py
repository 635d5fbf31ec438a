"""Recorded values: the numbers that later chapters quote and tests check."""

from __future__ import annotations

import json
import math
import numbers
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.display.words import MINUS, significant, written
from tfeval.errors import ReportError, TfevalError, suggest
from tfeval.paths import project_folder
from tfeval.report.record_tables import frame_of, tables_of

if TYPE_CHECKING:
    import pandas as pd

RECORD_MIME = "application/vnd.tfeval.record+json"

_seen: dict[str, tuple[Record, tuple[str, int]]] = {}


@dataclass(frozen=True)
class Record:
    """One recorded value.

    Attributes
    ----------
    name : str
        Unique in its notebook.
    value : float, int, str or bool
        Rounded to six significant digits unless asked otherwise.
    unit : str
        "families", "£m", "£ for each £1", "%"; empty for a pure number or text.
    """

    name: str
    value: float | int | str | bool
    unit: str = ""

    def __str__(self) -> str:
        """Return the value with its unit, as it is written in a sentence."""
        text = self.value if isinstance(self.value, str) else written(self.value)
        if self.unit.startswith("£"):
            return f"£{text}{self.unit[1:]}".replace("£-", f"{MINUS}£")
        return f"{text}%" if self.unit == "%" else f"{text} {self.unit}".rstrip()

    def text(self) -> str:
        """Return "name: value unit"."""
        return f"{self.name}: {self}"


class Records(Mapping[str, Record]):
    """The records of one notebook by name; a missing name raises an error that suggests another."""

    def __init__(
        self,
        notebook: str,
        records: Mapping[str, Record],
        tables: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.notebook = notebook
        self._records = dict(records)
        self._tables = dict(tables or {})

    def __getitem__(self, name: str) -> Record:
        if name not in self._records:
            known = suggest(name, self._records) if self._records else "It recorded nothing."
            raise TfevalError(f"{self.notebook} has no record {name}. {known}")
        return self._records[name]

    def table(self, name: str) -> pd.DataFrame:
        """Return a recorded table.

        Raises
        ------
        TfevalError
            If the notebook recorded no such table.
        """
        if name not in self._tables:
            known = suggest(name, self._tables) if self._tables else "It recorded none."
            raise TfevalError(f"{self.notebook} has no table {name}. {known}")
        return frame_of(self._tables[name])

    # Mapping's own versions expect a KeyError.
    def __contains__(self, name: object) -> bool:
        return name in self._records

    def get(self, name: str, default: Any = None) -> Any:
        """Return the record, or `default` where there is none."""
        return self._records.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return "\n".join(record.text() for record in self._records.values())


def record(name: str, value: Any, unit: str = "", digits: int = 6) -> None:
    """Display a value so that later chapters can read it and tests can check it.

    Parameters
    ----------
    name : str
        Unique in the notebook.
    value : int, float, str or bool
        Numbers are rounded to `digits` significant digits, so that another machine's last bit
        changes nothing.
    unit : str, default ""
        "families", "£m", "%".
    digits : int, default 6
        Significant digits.

    Raises
    ------
    ReportError
        If the name has another value already, or the value is not a finite number, text or
        True/False.

    Examples
    --------
    >>> record("claimed_families", 116654, "families")
    claimed_families: 116,654 families
    """
    made = make_record(name, value, unit, digits)
    place = _place()
    before, earlier = _seen.get(name, (made, place))
    cell_ran_again = earlier[0] == place[0] and earlier[1] != place[1]
    if before != made and not cell_ran_again:
        raise ReportError(
            f'The record {name} has the value "{before}" already and cannot also be "{made}": '
            "give the second one a name of its own."
        )
    _seen[name] = (made, place)
    _display(made)


def make_record(name: str, value: Any, unit: str = "", digits: int = 6) -> Record:
    """Return a checked and rounded record without showing it.

    Examples
    --------
    >>> make_record("share", 609 / 650, digits=3)
    Record(name='share', value=0.937, unit='')
    """
    if not name or name.strip() != name:
        raise ReportError("A record needs a name without spaces around it.")
    if type(value).__name__ in ("bool", "bool_"):  # numpy's too, by its old and new name
        value = bool(value)
    if not isinstance(value, bool | str | numbers.Real):
        raise ReportError(
            f"The record {name} is a {type(value).__name__}: record a number, text or True/False."
        )
    if isinstance(value, numbers.Real) and not math.isfinite(value):
        raise ReportError(f"The record {name} is not a finite number: check what it is made from.")
    return Record(name, significant(value, digits), unit)


def _shell() -> Any:
    # A process without IPython should not pay for importing it.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _place() -> tuple[str, int]:
    """Return the running cell and its execution, which tell a second run from a second use."""
    shell = _shell()
    if shell is None or not hasattr(shell, "get_parent"):
        return "", 0
    cell = shell.get_parent().get("metadata", {}).get("cellId", "")
    return cell, shell.execution_count if cell else 0


def _display(made: Record) -> None:
    content = {"name": made.name, "value": made.value, "unit": made.unit}
    if _shell() is None:
        print(made.text())  # noqa: T201
        return
    from IPython.display import display  # noqa: PLC0415

    display({RECORD_MIME: content, "text/plain": made.text()}, raw=True)


def read_records(notebook: str, folder: str | Path = "stored") -> Records:
    """Read what a notebook recorded.

    Parameters
    ----------
    notebook : str
        Its name, with or without .ipynb.
    folder : str or Path, default "stored"
        "stored" for the outputs kept inside the project's notebook; else the folder of a report,
        or several joined as paths are, of which the first that has the notebook counts.

    Returns
    -------
    Records
        Name to `Record`.

    Raises
    ------
    TfevalError
        If the notebook or its records are not there.
    """
    name = notebook.removesuffix(".ipynb")
    if str(folder) == "stored":
        path = project_folder("notebooks") / f"{name}.ipynb"
        known = [item.stem for item in path.parent.glob("*.ipynb")]
        if not path.is_file():
            raise TfevalError(f"There is no stored notebook {name}. {suggest(name, known)}")
        content = json.loads(path.read_text(encoding="utf-8"))
        return Records(name, records_of(content, name), tables_of(content, name))
    folders = [Path(part) for part in str(folder).split(os.pathsep)]
    found = [part / name / "records.json" for part in folders]
    path = next((each for each in found if each.is_file()), found[0])
    if not path.is_file():
        known = sorted(item.parent.name for part in folders for item in part.glob("*/records.json"))
        raise TfevalError(
            f"The report has no records of {name}: run that notebook first. {suggest(name, known)}"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = {row["name"]: Record(**row) for row in content["records"]}
    return Records(name, rows, content.get("tables"))


def records_of(notebook: Mapping[str, Any], name: str = "the notebook") -> dict[str, Record]:
    """Return the records among a notebook's outputs.

    Parameters
    ----------
    notebook : mapping
        The notebook's JSON content.
    name : str
        For messages.

    Raises
    ------
    ReportError
        If a name has two values.
    """
    found: dict[str, Record] = {}
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(RECORD_MIME)
            if content is None:
                continue
            made = Record(content["name"], content["value"], content.get("unit", ""))
            if found.setdefault(made.name, made) != made:
                raise ReportError(f"{name} records {made.name} twice with different values.")
    return found
