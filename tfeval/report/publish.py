"""A notebook as one accessible HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from tfeval.display.names import SIMULATED
from tfeval.report.accessible import finish
from tfeval.report.fingerprint import source
from tfeval.report.notebook_parts import is_simulated
from tfeval.report.outputs import math_html, only_records, render_output
from tfeval.report.planned import notices, without_plans

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
    """

    title: str
    scope: str = ""
    made: tuple[tuple[str, str], ...] = ()
    home: str = ""
    simulated: bool = False
    failed_in: int | None = None
    message: str = ""
    private: str = ""

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
        return {
            **vars(self),
            "made": (*self.made, *(plan.made for plan in plans)),
            "simulated": SIMULATED if self.simulated or is_simulated(notebook) else "",
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
    folder = str(TEMPLATES)
    exporter = HTMLExporter(
        template_name="page", extra_template_basedirs=[folder], extra_template_paths=[folder]
    )
    exporter.register_filter("prose", _prose)
    exporter.register_filter("render_output", render_output)
    exporter.register_filter("only_records", only_records)
    html, _ = exporter.from_notebook_node(node, {"page": page.shown(notebook)})
    return finish(html, page.title)


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
