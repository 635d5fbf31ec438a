"""The parts that every notebook has: the answer box, the banner, where it came from."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from html import escape

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.report.fingerprint import code_hash, data_files, imported, installed_versions

SIMULATED = "Simulated records: not findings about the programme"


@dataclass(frozen=True)
class Box:
    """A box on the page.

    Attributes
    ----------
    kind : {"answer", "simulated", "alarm", "file", "section"}
        Which box.
    lines : tuple of (term, text)
        What it says; an empty term stands for a plain sentence.
    """

    kind: str
    lines: tuple[tuple[str, str], ...]

    def html(self) -> str:
        """Return the box as HTML."""
        if self.kind == "file":
            name, text = self.lines[0]
            link = f'<a href="{escape(name, quote=True)}">{escape(text)}</a>'
            return f'<p class="tfeval-file">{link}</p>'
        if self.kind == "section":
            style = "border: 2px solid #a8430a; border-left-width: 10px; padding: 0.6em 1em"
            text = escape(self.lines[0][1])
            return f'<p class="banner" role="note" style="{style}"><strong>{text}</strong></p>'
        if self.kind != "answer":
            return "\n".join(_sentence(term, text) for term, text in self.lines)
        rows = "\n".join(
            f'<div class="tfeval-{escape(term.lower())}"><dt>{escape(term)}</dt>'
            f"<dd>{escape(text)}</dd></div>"
            for term, text in self.lines
        )
        return f'<dl class="tfeval-answer">\n{rows}\n</dl>'

    def text(self) -> str:
        """Return the box as plain text."""
        return "\n".join(f"{term}: {text}" if term else text for term, text in self.lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()


def section_banner(simulated: bool) -> Box:
    """Return what stands at the head of a section on linked records, on a page with others.

    Examples
    --------
    >>> section_banner(True)
    Simulated records: not findings about the programme. This holds for all of this section.
    """
    if not simulated:
        return Box("section", (("", "From linked records: chapters 2 to 4 say what they hold."),))
    return Box("section", (("", f"{SIMULATED}. This holds for all of this section."),))


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
    lines = (("Headline", headline), ("Question", question), ("Data", data), ("Method", method))
    return Box("answer", lines)


def simulated_banner() -> Box:
    """Return the banner that every page on simulated records carries.

    Examples
    --------
    >>> simulated_banner()
    Simulated records: not findings about the programme
    """
    return Box("simulated", (("", SIMULATED),))


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
