"""The parts that every notebook has: the answer box, the banner, where it came from."""

from __future__ import annotations

import math
import numbers
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from bs4 import BeautifulSoup, Tag

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import fact_html, significant, unmarked
from tfeval.errors import ReportError
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.report.drawings import name_drawings
from tfeval.report.fingerprint import code_hash, data_files, imported, installed_versions
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


# The last pass over a page: nothing foreign, headings in order, tables and figures accessible.

_NBCONVERT_FILLER = "No description has been provided for this image"
_FORBIDDEN = ("script", "iframe", "object", "embed", "base", "form", "frame", "audio", "video",
              "applet", "source", "track")  # fmt: skip
_UNWANTED = ("style", "border", "ping", "align", "width")
_FETCHING = ("src", "srcset", "poster", "background", "data", "action", "formaction")


def finish(html: str, title: str) -> str:
    """Return the page cleaned, completed and checked.

    Parameters
    ----------
    html : str
        A document made from the layout template.
    title : str
        For messages.

    Raises
    ------
    ReportError
        If an image has no alternative text or would have to be fetched.
    """
    soup = BeautifulSoup(html, "html.parser")
    main = soup.find("main")
    if not isinstance(main, Tag):
        raise ReportError(f'The page "{title}" has no main part.')
    _remove_foreign(main)
    _check_images(main, title)
    name_drawings(main, title)
    _rewrite_links(main)
    _order_headings(main)
    _complete_tables(soup, main)
    _focusable_blocks(main)
    _contents(soup, main)
    return str(soup).replace("\r\n", "\n").strip() + "\n"


def _remove_foreign(main: Tag) -> None:
    for tag in main.find_all([*_FORBIDDEN, "style", "link", "meta"]):
        tag.decompose()
    for tag in main.find_all(True):
        for name in list(tag.attrs):
            kept = name == "width" and tag.find_parent("svg") is not None
            if name.startswith("on") or (name in _UNWANTED and not kept):
                del tag[name]
        if tag.name != "img":
            for name in _FETCHING:
                if name in tag.attrs:
                    del tag[name]


def _check_images(main: Tag, title: str) -> None:
    for number, image in enumerate(main.find_all("img"), start=1):
        alt = str(image.get("alt", "")).strip()
        if not alt or alt == _NBCONVERT_FILLER:
            raise ReportError(
                f'Figure {number} of "{title}" has no alternative text: draw it with a chart '
                "function of tfeval, or give the image's alt in its metadata or markdown."
            )
        if not str(image.get("src", "")).startswith("data:") or "srcset" in image.attrs:
            raise ReportError(
                f'Figure {number} of "{title}" would have to be fetched from elsewhere: '
                "attach the picture to the notebook."
            )


def _rewrite_links(main: Tag) -> None:
    for link in main.find_all("a"):
        target = str(link.get("href", "")).strip()
        parts = urlsplit(target)
        if parts.scheme not in ("", "http", "https", "mailto"):
            del link["href"]
        elif not parts.scheme and parts.path.endswith(".ipynb"):
            name = parts.path.rsplit("/", 1)[-1].removesuffix(".ipynb")
            link["href"] = f"../{name}/report.html"
        for name in ("target", "download"):
            link.attrs.pop(name, None)


def _order_headings(main: Tag) -> None:
    """Leave first-level headings to the page's title, skip no level, give each an id."""
    used = {str(tag["id"]) for tag in main.find_all(id=True)}
    level = 1
    for heading in main.find_all(re.compile(r"h[1-6]")):
        level = max(2, min(int(heading.name[1]), level + 1))
        heading.name = f"h{level}"
        if "id" not in heading.attrs:
            heading["id"] = _free_id(heading.get_text(), used)


def _free_id(text: str, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") or "section"
    name, number = base, 2
    while name in used or name == "main":
        name, number = f"{base}-{number}", number + 1
    used.add(name)
    return name


def _complete_tables(soup: BeautifulSoup, main: Tag) -> None:
    """Give headers a scope, and each table a box of its own to scroll in."""
    labels: dict[str, int] = {}
    for grid in main.find_all("table"):
        for cell in grid.find_all("th"):
            in_head = cell.find_parent("thead") is not None
            if not cell.get_text(strip=True):
                cell.name = "td"
                cell.attrs.pop("scope", None)
            elif "scope" not in cell.attrs:
                cell["scope"] = "col" if in_head else "row"
        caption = grid.find("caption")
        label = caption.get_text(" ", strip=True) if caption else "Table"
        box = soup.new_tag("div", attrs={"class": "scroll"})
        box.attrs.update(_region(label, labels))
        grid.wrap(box)


def _focusable_blocks(main: Tag) -> None:
    labels: dict[str, int] = {}
    for block in main.find_all("pre"):
        label = "Output" if "stream" in (block.get("class") or []) else "Code"
        block.attrs.update(_region(label, labels))


def _region(label: str, labels: dict[str, int]) -> dict[str, str]:
    """Return what lets a keyboard reach a box that scrolls; its name is unique on the page."""
    labels[label] = labels.get(label, 0) + 1
    numbered = label if labels[label] == 1 else f"{label} ({labels[label]})"
    return {"role": "region", "aria-label": numbered, "tabindex": "0"}


def _contents(soup: BeautifulSoup, main: Tag) -> None:
    nav = soup.find("nav", class_="contents")
    headings = main.find_all("h2")
    if not isinstance(nav, Tag):
        return
    if not headings:
        nav.decompose()
        return
    box = soup.new_tag("div")
    title = soup.new_tag("h2", attrs={"id": "contents"})
    title.string = "On this page"
    listed = soup.new_tag("ol")
    for heading in headings:
        item, link = soup.new_tag("li"), soup.new_tag("a", attrs={"href": f"#{heading['id']}"})
        link.string = heading.get_text(" ", strip=True)
        item.append(link)
        listed.append(item)
    nav.clear()
    box.extend([title, listed])
    nav.append(box)


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
