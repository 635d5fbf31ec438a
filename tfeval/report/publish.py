"""A notebook as one accessible HTML file that needs no network and no script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from threading import get_ident
from typing import Any

import nbformat
import pandas as pd
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from tfeval.display.figures import CHART_MIME, SVG_MIME
from tfeval.display.names import SIMULATED, plain
from tfeval.display.tables import Citation, source_line, table
from tfeval.display.words import day
from tfeval.errors import ReportError
from tfeval.report.fingerprint import source
from tfeval.report.finish import finish
from tfeval.report.notebook_parts import TABLE_MIME, is_simulated, shows_simulated
from tfeval.report.plan import notices, without_plans
from tfeval.report.record import RECORD_MIME

# A cell's outputs as HTML: charts as figures with their data, text, tables, errors.

_SHOWN_LINES = 200
_YEARS = ("time", "year")
_FIRST = re.compile(r"\d{4}-\d\d-01")


def render_output(output: Mapping[str, Any]) -> str:
    """Return one output of a cell as HTML."""
    if output["output_type"] == "stream":
        return _stream(output)
    if output["output_type"] == "error":
        return _error(output)
    data = output.get("data", {})
    kind = next((kind for kind in _SHOWN if kind in data), "text/plain")
    return _SHOWN.get(kind, _plain)(data, output.get("metadata", {}))


def only_records(outputs: list[Mapping[str, Any]]) -> bool:
    """Tell whether a cell shows recorded values and nothing else."""
    kinds = [output.get("data", {}) for output in outputs]
    return bool(kinds) and all(RECORD_MIME in kind or TABLE_MIME in kind for kind in kinds)


def _record(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return f'<p class="record">{escape(_text(data["text/plain"]))}</p>'


def _html(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return _text(data["text/html"])


def _latex(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return math_html(_text(data["text/latex"]).strip().strip("$"), block=True)


def _picture(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    kind = "image/png" if "image/png" in data else "image/jpeg"
    return f"<figure>{_image(data[kind], kind, metadata.get(kind, {}).get('alt', ''))}</figure>"


def _plain(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return f'<pre class="stream">{escape(_shortened(_text(data.get("text/plain", ""))))}</pre>'


def _figure(data: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    chart = data[CHART_MIME]
    cited = tuple(Citation(**source) for source in chart["sources"])
    line = f"<p>{source_line(cited, html=True)}</p>" if cited else ""
    drawn = chart["data"]
    frame = pd.DataFrame(drawn["rows"], columns=drawn["columns"]).apply(_dated)
    frame = frame.rename(columns=plain)
    behind = table(frame, f"Data: {chart['title']}").html()
    return (
        f"<figure>{_drawing(data, chart['alt'])}\n<figcaption>{line}"
        f"<details><summary>Data behind this figure</summary>{behind}</details>"
        "</figcaption></figure>"
    )


def _dated(column: pd.Series) -> pd.Series:
    """Return years without a comma, and days that are all the first of a month as months."""
    if column.name in _YEARS and pd.api.types.is_integer_dtype(column):
        return column.astype(str)
    first = column.map(lambda one: isinstance(one, str) and bool(_FIRST.fullmatch(one)))
    return column.str[:7].map(day) if len(column) and first.all() else column


def _drawing(data: Mapping[str, Any], alt: str) -> str:
    # Records of earlier runs may hold no SVG.
    if SVG_MIME not in data:
        return _image(data["image/png"], "image/png", alt)
    return _text(data[SVG_MIME]).strip()


def _image(content: str | list[str], kind: str, alt: str) -> str:
    packed = "".join(_text(content).split())
    return f'<img src="data:{kind};base64,{packed}" alt="{escape(alt, quote=True)}">'


def _stream(output: Mapping[str, Any]) -> str:
    kind = "stream stderr" if output["name"] == "stderr" else "stream"
    return f'<pre class="{kind}">{escape(_shortened(_text(output["text"])))}</pre>'


def _shortened(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= _SHOWN_LINES:
        return "\n".join(lines)
    left_out = f"[{len(lines) - _SHOWN_LINES:,} lines left out; the notebook has them all]"
    half = _SHOWN_LINES // 2
    return "\n".join([*lines[:half], left_out, *lines[-half:]])


def _error(output: Mapping[str, Any]) -> str:
    # Never the traceback: a library's text in it may quote a row.
    return f'<p class="message">{escape(output["ename"])}: {escape(output["evalue"])}</p>'


def _text(content: str | list[str]) -> str:
    return content if isinstance(content, str) else "".join(content)


def math_html(formula: str, *, block: bool) -> str:
    r"""Return a TeX formula as MathML.

    Raises
    ------
    ReportError
        If the formula cannot be read.

    Examples
    --------
    >>> math_html("x", block=False)[:30]
    '<math xmlns="http://www.w3.org'
    """
    from latex2mathml.converter import convert  # noqa: PLC0415

    try:
        made = convert(formula.strip(), display="block" if block else "inline")
    except Exception as fault:
        kind = type(fault).__name__
        raise ReportError(f"The formula {formula.strip()} cannot be read ({kind}).") from None
    unknown = re.search(r">(\\[A-Za-z]+)<", made)
    if unknown:
        raise ReportError(f"The formula {formula.strip()} has the unknown command {unknown[1]}.")
    return made


# The first kind that an output has is the one shown.
_SHOWN: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    RECORD_MIME: _record,
    TABLE_MIME: _record,
    CHART_MIME: _figure,
    "text/html": _html,
    "text/latex": _latex,
    "image/png": _picture,
    "image/jpeg": _picture,
}


#: What runs along each printed sheet of a page that is about simulated records in part.
SIMULATED_PARTS = "Sections marked so are about simulated records: not findings"
TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Page:
    """What a page says beside the notebook's cells.

    Attributes
    ----------
    title : str
        The one first-level heading.
    scope : str
        What the report is about: "England" or an authority, and changed parameters.
    date : str
        The day on which it was made, as readers write it.
    made : tuple of (term, text)
        For the footer: parameters, versions, hashes.
    home : str
        Link to the report's index; empty for none.
    simulated : bool
        Whether the run used simulated records.
    failed_in : int or None
        The code cell that failed; 0 if none can be blamed, None if nothing failed.
    message : str
        What went wrong.
    private : str
        The file beside the page that holds the traceback; empty for none.
    accepted : mapping, optional
        Of the records that the page rests on: `faults`, one line each, and the `reason` why they
        were accepted.
    places : mapping of str to str, optional
        Where the pages of other notebooks are, by their names.
    before, after : tuple of (link, title), optional
        The pages that are read before and after this one.
    """

    title: str
    scope: str = ""
    date: str = ""
    made: tuple[tuple[str, str], ...] = ()
    home: str = ""
    simulated: bool = False
    failed_in: int | None = None
    message: str = ""
    private: str = ""
    accepted: Mapping[str, Any] | None = None
    places: Mapping[str, str] | None = None
    before: tuple[str, str] | None = None
    after: tuple[str, str] | None = None

    def shown(self, notebook: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the template shows."""
        failure = None
        if self.failed_in is not None:
            place = f"It failed in code cell {self.failed_in}." if self.failed_in else ""
            where = place or "No single cell is to blame."
            if self.private:
                where += f" The traceback is beside this page, in {self.private}, for its owner."
            failure = {"message": self.message, "where": where}
        plans = notices(notebook)
        whole = self.simulated or is_simulated(notebook)
        parts = SIMULATED_PARTS if shows_simulated(notebook) else ""
        return {
            **vars(self),
            "made": (*self.made, *(plan.made for plan in plans)),
            "simulated": SIMULATED if whole else "",
            "running": SIMULATED if whole else parts,
            "failure": failure,
            "plans": plans,
        }


class _Renderer(IPythonRenderer):
    """Markdown whose mathematics is MathML."""

    def block_math(self, body: str) -> str:
        return math_html(body, block=True)

    def inline_math(self, body: str) -> str:
        return math_html(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)


def _prose(cell: Mapping[str, Any]) -> str:
    renderer = _Renderer(
        escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True
    )
    return MarkdownWithMath(renderer=renderer).render(cell["source"])


def publish(notebook: Mapping[str, Any], page: Page) -> str:
    """Return an executed notebook as one HTML page.

    Parameters
    ----------
    notebook : mapping
        Its JSON.
    page : Page
        Title, footer and state.

    Returns
    -------
    str
        A whole HTML5 document.

    Raises
    ------
    ReportError
        If a figure has no alternative text, a formula cannot be read, or something would have
        to be fetched from elsewhere.
    """
    node = nbformat.from_dict(_without_title(notebook, page))
    html, _ = _exporter(get_ident()).from_notebook_node(node, {"page": page.shown(notebook)})
    return finish(html, page.title, page.places)


class _Exporter(HTMLExporter):
    """Fills the template; what HTMLExporter parses the whole page for, `finish` does."""

    def from_notebook_node(
        self, nb: nbformat.NotebookNode, resources: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        return super(HTMLExporter, self).from_notebook_node(nb, resources, **more)


@lru_cache(maxsize=8)
def _exporter(_: int) -> _Exporter:
    """Return the exporter of a thread: to read its templates takes as long as to fill them."""
    folder = str(TEMPLATES)
    made = _Exporter(
        template_name="page", extra_template_basedirs=[folder], extra_template_paths=[folder]
    )
    made.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3"))
    made.register_filter("prose", _prose)
    made.register_filter("render_output", render_output)
    made.register_filter("only_records", only_records)
    return made


def _without_title(notebook: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """Return the notebook as its page shows it.

    Without its first heading and words about a plan, which are the page's, and what never ran.
    """
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        text = source(cell)
        if cell["cell_type"] == "markdown" and not any(c["cell_type"] == "markdown" for c in cells):
            first, _, rest = text.lstrip().partition("\n")
            text = rest if first.startswith("# ") else text
        shown = {"outputs": without_plans(cell["outputs"])} if "outputs" in cell else {}
        cells.append({**cell, "source": text, **shown})
        errors = [o for o in cell.get("outputs", []) if o["output_type"] == "error"]
        if page.failed_in is not None and errors:
            break
    return {**notebook, "cells": cells}
