"""The parts that every notebook has: the answer box, the banner, where it came from."""

from __future__ import annotations

import math
import numbers
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import fact_html, significant, unmarked
from tfeval.errors import ReportError
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.report.fingerprint import code_hash, data_files, imported, installed_versions
from tfeval.report.gathering import gathered
from tfeval.report.subject import Subject, page_subject, shell, told

# Recorded tables: what later chapters and the pages of authorities look rows up in.

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
    if (here := gathered()) is not None:
        here.tables[name] = content
        return
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
    tables: dict[str, dict[str, Any]] = {}
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(TABLE_MIME)
            if content is None:
                continue
            content = {**content, **output.get("metadata", {}).get(TABLE_MIME, {})}
            if tables.setdefault(content["name"], content) != content:
                raise ReportError(f"{name} records the table {content['name']} twice.")
    return tables


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


#: What an output says that is a box.
BOX_MIME = "application/vnd.tfeval.box+json"
HEADLINE, DETAIL, SECTION = "Headline", "Detail", "section"
# JupyterLab has no style sheet of ours: its own colour there, light or dark, ours on the page.
_ANSWER = (
    "margin: 0 0 2rem; padding: var(--answer, 1rem 1.2rem); "
    "background: var(--pale, var(--jp-layout-color2, #f2f6f8)); "
    "border-left: .4rem solid var(--teal, #28a197)"
)
_LARGE = ' style="margin: 0; font-size: var(--headline, 1.25em); font-weight: 650"'


@dataclass(frozen=True)
class Box:
    """A box on the page.

    Attributes
    ----------
    kind : {"answer", "simulated", "alarm", "file", "section", "note", "tiles"}
        Which box.
    lines : tuple of (term, text)
        What it says; an empty term stands for a plain sentence. Of tiles: where each leads, and
        its number and words, a line each.
    simulated : bool
        Whether it says that records are simulated: of a section, or of all of the page.
    """

    kind: str
    lines: tuple[tuple[str, str], ...]
    simulated: bool = False

    def html(self) -> str:
        """Return the box as HTML."""
        if self.kind == "file":
            name, text = self.lines[0]
            link = f'<a href="{escape(name, quote=True)}">{escape(text)}</a>'
            return f'<p class="tfeval-file">{link}</p>'
        if self.kind == "tiles":
            return f'<ul class="tfeval-tiles">\n{"".join(map(_tile, self.lines))}</ul>'
        if self.kind == "note":
            return f"<p>{fact_html(self.lines[0][1])}</p>"
        if self.kind == SECTION:
            style = "border: 2px solid #a8430a; border-left-width: 10px; padding: 0.6em 1em"
            text = escape(self.lines[0][1])
            return f'<p class="banner" role="note" style="{style}"><strong>{text}</strong></p>'
        if self.kind != "answer":
            return "\n".join(_sentence(term, text) for term, text in self.lines)
        rows = "\n".join(
            f'<div class="tfeval-{escape(term.lower())}"><dt>{escape(term)}</dt>'
            f"<dd{_LARGE * (term == HEADLINE)}>{_said(term, text)}</dd></div>"
            for term, text in self.lines
        )
        return f'<dl class="tfeval-answer" style="{_ANSWER}">\n{rows}\n</dl>'

    def text(self) -> str:
        """Return the box as plain text."""
        named = self.kind != "tiles"  # where a tile leads is no word of it
        lines = (f"{term}: {text}" if term and named else text for term, text in self.lines)
        return unmarked("\n".join(lines))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # What the page and the manifest are told, so that nobody need read it from the words.
        content: dict[str, Any] = {"kind": self.kind, "simulated": self.simulated}
        content |= (
            {"headline": unmarked(dict(self.lines)[HEADLINE])} if self.kind == "answer" else {}
        )
        return {BOX_MIME: content, "text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()


def _said(term: str, text: str) -> str:
    """Return what a line of an answer says; of details, an item each."""
    if term != DETAIL:
        return fact_html(text)
    return "<ul>" + "".join(f"<li>{fact_html(one)}</li>" for one in text.splitlines()) + "</ul>"


def _tile(line: tuple[str, str]) -> str:
    number, _, words = (fact_html(part) for part in line[1].partition("\n"))
    link = f'<a href="{escape(line[0], quote=True)}">'
    return f"<li>{link}<strong>{number}</strong> <span>{words}</span></a></li>\n"


def boxes_of(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the boxes of an executed notebook say of themselves, in order.

    Parameters
    ----------
    notebook : mapping
        Its JSON.

    Examples
    --------
    >>> shown = {"data": simulated_banner()._repr_mimebundle_()}
    >>> boxes_of({"cells": [{"outputs": [shown]}]})
    [{'kind': 'simulated', 'simulated': True}]
    """
    return [
        output["data"][BOX_MIME]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if BOX_MIME in output.get("data", {})
    ]


def is_simulated(notebook: Mapping[str, Any]) -> bool:
    """Tell whether a notebook declares, or shows, that all its records are simulated."""
    declared = notebook["metadata"].get("tfeval", {}).get("simulated", False)
    boxes = [box for box in boxes_of(notebook) if box["kind"] != SECTION]
    return bool(declared) or any(box["simulated"] for box in boxes)


def shows_simulated(notebook: Mapping[str, Any]) -> bool:
    """Tell whether any part of a notebook is about simulated records."""
    return is_simulated(notebook) or any(box["simulated"] for box in boxes_of(notebook))


def headline_of(notebook: Mapping[str, Any]) -> str:
    """Return the headline of a notebook's answer box; empty if it has none."""
    return next((box["headline"] for box in boxes_of(notebook) if "headline" in box), "")


def section_banner(simulated: bool) -> Box:
    """Return what stands at the head of a section on linked records, on a page with others.

    Examples
    --------
    >>> section_banner(True)
    Simulated records: not findings about the programme. This holds for all of this section.
    """
    if not simulated:
        return Box(SECTION, (("", "From linked records: chapters 2 to 4 say what they hold."),))
    said = f"{SIMULATED}. This holds for all of this section."
    return Box(SECTION, (("", said),), simulated=True)


def _sentence(term: str, text: str) -> str:
    """Return one sentence of a banner; an alarm is announced at once by screen readers."""
    if term == "Alarm":
        style = "border: 4px solid #b10e1e; padding: 0.6em 1em"
        return (
            f'<div class="failure" role="alert" style="{style}"><p class="message">'
            f"{escape(text)}</p></div>"
        )
    style = "border: 2px solid #a8430a; border-left-width: 10px; padding: 0.6em 1em"
    return f'<p class="tfeval-simulated" style="{style}"><strong>{escape(text)}</strong></p>'


def answer(
    question: str, data: str, method: str, headline: str, detail: Sequence[str] = ()
) -> Box:  # fmt: skip
    """Return the answer box at the head of a notebook.

    Parameters
    ----------
    question, data, method, headline : str
        What is asked, of what, how, and the answer in one sentence or two.
    detail : sequence of str
        What else the page finds, a sentence or two each; beneath the answer.

    Examples
    --------
    >>> print(answer("How many?", "Published figures", "Counting", "650 families.").text())
    Headline: 650 families.
    Question: How many?
    Data: Published figures
    Method: Counting
    """
    more = ((DETAIL, "\n".join(detail)),) if detail else ()
    asking = (("Question", question), ("Data", data), ("Method", method))
    return Box("answer", ((HEADLINE, headline), *more, *asking))


def simulated_banner() -> Box:
    """Return the banner that every page on simulated records carries.

    Examples
    --------
    >>> simulated_banner()
    Simulated records: not findings about the programme
    """
    return Box("simulated", (("", SIMULATED),), simulated=True)


def provenance(**parameters: object) -> Table:
    """Return what a notebook's results were made with.

    Parameters
    ----------
    **parameters
        The notebook's parameters; an `AnalysisPlan` among them is named with its hash.

    Returns
    -------
    Table
        Versions of what has been imported by then, parameters, and a hash of the code and of
        each data file. So its cell is a notebook's last; tag it `nbval-ignore-output`, for it
        differs from machine to machine.
    """
    rows = [
        ("Analysis plan, SHA-256", f"{value.title}, version {value.version}", value.hash)
        if isinstance(value, AnalysisPlan)
        else ("Parameter", name, str(told(name, value)))
        for name, value in parameters.items()
    ]
    rows += [("Code", "tfeval, SHA-256", code_hash()[:12])]
    commit = git_commit()
    rows += [("Code", "git commit", commit)] if commit else []
    rows += [("Version", *item) for item in installed_versions(imported()).items()]
    rows += [("Data, SHA-256", item.name, item.sha256[:12]) for item in data_files()]
    frame = pd.DataFrame(rows, columns=["Kind", "What", "Value"])
    return table(frame, "What these results were made with", missing="unknown")


def git_commit() -> str | None:
    """Return the short git commit of the project's checkout, None if it is not one."""
    from tfeval.settings import project_folder  # noqa: PLC0415

    root = project_folder("notebooks").parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
