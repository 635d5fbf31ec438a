"""The parts that every notebook has: the answer box, the banner, where it came from."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from tfeval.display.facts import fact_html, unmarked
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.report.fingerprint import code_hash, data_files, imported, installed_versions

#: What an output says that is a box.
BOX_MIME = "application/vnd.tfeval.box+json"
HEADLINE, SECTION = "Headline", "section"
# JupyterLab has no style sheet of ours; on the page its variables stand in for these values.
_ANSWER = (
    "margin: 0 0 2rem; padding: var(--answer, 1rem 1.2rem); background: var(--pale, #f2f6f8); "
    "border-left: .4rem solid var(--teal, #28a197)"
)
_LARGE = ' style="margin: 0; font-size: var(--headline, 1.25em); font-weight: 650"'


@dataclass(frozen=True)
class Box:
    """A box on the page.

    Attributes
    ----------
    kind : {"answer", "simulated", "alarm", "file", "section", "note"}
        Which box.
    lines : tuple of (term, text)
        What it says; an empty term stands for a plain sentence.
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
            f"<dd{_LARGE * (term == HEADLINE)}>{fact_html(text)}</dd></div>"
            for term, text in self.lines
        )
        return f'<dl class="tfeval-answer" style="{_ANSWER}">\n{rows}\n</dl>'

    def text(self) -> str:
        """Return the box as plain text."""
        lines = (f"{term}: {text}" if term else text for term, text in self.lines)
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


def answer(question: str, data: str, method: str, headline: str) -> Box:
    """Return the answer box at the head of a notebook.

    Parameters
    ----------
    question, data, method, headline : str
        What is asked, of what, how, and the answer in one sentence.

    Examples
    --------
    >>> print(answer("How many?", "Published figures", "Counting", "650 families.").text())
    Headline: 650 families.
    Question: How many?
    Data: Published figures
    Method: Counting
    """
    lines = ((HEADLINE, headline), ("Question", question), ("Data", data), ("Method", method))
    return Box("answer", lines)


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
        else ("Parameter", name, str(value))
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
    from tfeval.paths import project_folder  # noqa: PLC0415

    root = project_folder("notebooks").parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
