"""The report's chapters outside: their own notebooks, run where there are no records.

A chapter's page is made by running the notebook that the package holds, as it is, without an
extract. What needs no records runs and is shown. What reads chapter 4's records is given those
that released cells make. Where a cell shows what released cells hold, that stands in its place;
every other cell fails for want of records, and one line says that it stays inside. So no number
can be on the page that is neither published nor follows from the table of released cells.
"""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import tfeval
from tfeval.display import release_words as words
from tfeval.display.figures import CHART_MIME, SVG_MIME, Chart
from tfeval.errors import TfevalError
from tfeval.release.released_parts import PARTS
from tfeval.release.values import Numbers, chosen, write_records
from tfeval.report.fingerprint import source
from tfeval.report.notebook_parts import Box
from tfeval.report.parameters import read_notebook
from tfeval.settings import project_folder

#: The chapters made outside, and what each needs of the table of cells.
CHAPTERS = {
    "02_families_and_data": ("count", "known:before:"),
    "03_comparison_group": ("balance", ""),
    "04_impact": ("effect", ""),
    "07_value_for_money": ("effect", ""),
}
#: A page stops before the cells that call these: how it was made is told of the page inside.
_END = ("tf.record(", "tf.provenance(")
_EXTRACT, _RECORDS = "extract", "records"


def chapter_pages(register: pd.DataFrame, about: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return title and page of each chapter of which anything is released, by its notebook.

    Parameters
    ----------
    register : DataFrame
        The table of released cells; nothing else of the records is read.
    about : mapping of str to str
        The choices that it rests on.
    """
    from tfeval.report.publish import Page, publish  # noqa: PLC0415 - heavy

    made = {}
    numbers = Numbers(register, about)
    with TemporaryDirectory() as folder:
        names = [name for name, need in CHAPTERS.items() if _has(numbers, *need)]
        if any(CHAPTERS[name][0] == "effect" for name in names):
            write_records(Path(folder), numbers)
        for name in names:
            notebook, title = run(name, numbers, folder)
            page = Page(title=title, scope=f"{words.CHAPTER} {words.about_words(about)}",
                        simulated=numbers.simulated, home="index.html", places={})  # fmt: skip
            made[name] = title, publish(notebook, page)
    return made


def _has(numbers: Numbers, kind: str, start: str) -> bool:
    return bool(numbers.of(kind)["number"].str.startswith(start).any())


def run(name: str, numbers: Numbers, folder: str) -> tuple[dict[str, Any], str]:
    """Run a chapter's notebook without records; return it with what it shows, and its title.

    Parameters
    ----------
    name : str
        Of the notebook.
    numbers : Numbers
        What was released.
    folder : str
        Where chapter 4's records are, made of released cells.
    """
    notebook = read_notebook(project_folder("notebooks") / f"{name}.ipynb")
    given = chosen(name, numbers.about)
    # No path to records: whatever asks for an extract finds no such name.
    space: dict[str, Any] = {key: one for key, one in given.items() if key != _EXTRACT}
    space |= {"tf": tfeval} | ({_RECORDS: folder} if _RECORDS in given else {})
    cells = []
    for cell in notebook["cells"]:
        text = source(cell)
        if cell["cell_type"] == "markdown":
            cells.append(cell)
        elif text.startswith(_END):
            break
        elif "parameters" not in cell.get("metadata", {}).get("tags", []):
            shown = _shown(name, text, numbers, space)
            outputs = [] if shown is None else [_output(shown)]
            cells.append({**cell, "outputs": outputs, "execution_count": None})
    if cells and cells[-1]["cell_type"] == "markdown":  # the heading of what is left out
        cells.pop()
    title = source(notebook["cells"][0]).partition("\n")[0].removeprefix("# ")
    return {**notebook, "cells": cells}, title


def _shown(name: str, text: str, numbers: Numbers, space: dict[str, Any]) -> Any:
    """Return what stands in a cell's place: a released part, what it makes, or that it stays."""
    parts: Mapping[str, Callable[[Numbers, str], Any]] = PARTS.get(name, {})
    for key, make in parts.items():
        if key in text if key.endswith("(") else key == text:
            try:
                return make(numbers, text)
            except TfevalError:  # too little is released for it
                return _STAYS
    *first, last = ast.parse(text).body
    value = last.value if isinstance(last, ast.Expr) else None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for line in first if value else [*first, last]:
                exec(compile(ast.Module([line], []), name, "exec"), space)
            if value is None:
                return None
            return eval(compile(ast.Expression(value), name, "eval"), space)
    except Exception:
        return _STAYS if value else None


_STAYS = Box("note", (("", words.STAYS),))


def _output(shown: Any) -> dict[str, Any]:
    from IPython.core.formatters import DisplayFormatter  # noqa: PLC0415

    if isinstance(shown, Chart):  # a page shows the drawing, and no picture beside it
        data = {SVG_MIME: shown.svg(), CHART_MIME: shown.content(), "text/plain": shown.text()}
        return {"output_type": "display_data", "data": data, "metadata": {}}
    data, metadata = DisplayFormatter().format(shown)
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def told(name: str) -> frozenset[str]:
    """Return the parameters of a chapter that a release may tell."""
    return frozenset(chosen(name, {})) - {_EXTRACT, _RECORDS, "local_authority"}
