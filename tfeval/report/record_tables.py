"""Recorded tables: what later chapters and the pages of authorities look rows up in."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tfeval.display.words import significant
from tfeval.errors import ReportError
from tfeval.report.subject import Subject, page_subject, shell

TABLE_MIME = "application/vnd.tfeval.record-table+json"


def record_table(name: str, frame: pd.DataFrame, subject: object = None) -> None:
    """Display a table so that later chapters can read it.

    Whatever is in it leaves with the report: hide small numbers first.

    Parameters
    ----------
    name : str
        Unique in the notebook.
    frame : DataFrame
        Of numbers, text, True/False and missing values; its index is not kept.
    subject : Subject, mapping or dataclass, optional
        As in `record`.

    Raises
    ------
    ReportError
        If a value is none of these, or a number is infinite.

    Examples
    --------
    >>> record_table("areas", pd.DataFrame({"name": ["Sefton"], "effect": [-1 / 3]}))
    areas: table of 1 row
    """
    content = content_of(name, frame)
    about = (page_subject() if subject is None else Subject.of(subject)).written()
    content |= {"subject": about} if about else {}
    count = len(content["rows"])
    text = f"{name}: table of {count:,} row{'s' * (count != 1)}"
    if shell() is None:
        print(text)  # noqa: T201
        return
    from IPython.display import display  # noqa: PLC0415

    # As for a record: compared on what is shown, with all digits beside it.
    shown = content | content_of(name, frame, 6)
    whole = {TABLE_MIME: {"rows": content["rows"]}} if shown != content else {}
    display({TABLE_MIME: shown, "text/plain": text}, metadata=whole, raw=True)


def content_of(name: str, frame: pd.DataFrame, digits: int = 12) -> dict[str, Any]:
    """Return a table as JSON can hold it: name, columns, rows.

    Examples
    --------
    >>> content_of("a", pd.DataFrame({"x": [1.23456789, None]}))
    {'name': 'a', 'columns': ['x'], 'rows': [[1.23456789], [None]]}
    """
    columns = [str(column) for column in frame.columns]
    rows = [
        [_plain(value, f"{name}, column {column}", digits) for column, value in zip(columns, row,
                                                                                    strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]  # fmt: skip
    return {"name": name, "columns": columns, "rows": rows}


def frame_of(content: Mapping[str, Any]) -> pd.DataFrame:
    """Return a recorded table as a frame."""
    return pd.DataFrame(content["rows"], columns=content["columns"])


def tables_of(notebook: Mapping[str, Any], name: str = "the notebook") -> dict[str, dict[str, Any]]:
    """Return the tables among a notebook's outputs, by name.

    Raises
    ------
    ReportError
        If a name has two tables.
    """
    found: dict[str, dict[str, Any]] = {}
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(TABLE_MIME)
            if content is None:
                continue
            content = {**content, **output.get("metadata", {}).get(TABLE_MIME, {})}
            if found.setdefault(content["name"], content) != content:
                raise ReportError(f"{name} records the table {content['name']} twice.")
    return found


def _plain(value: Any, where: str, digits: int) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if type(value).__name__ in ("bool", "bool_"):  # numpy's too, by its old and new name
        return bool(value)
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return significant(value, digits)
    raise ReportError(f"The table {where}, holds what is no finite number, text or True/False.")
