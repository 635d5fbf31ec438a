"""The report outside: its own notebooks, run where there are no records.

A page is made by running the notebook that the package holds, as it is, without an extract. What
needs no records runs and is shown. What reads other chapters' records is given those that pages
made before it recorded, of which chapter 4's are made of released cells. Where a cell shows what
released cells hold, that stands in its place; every other cell fails for want of records, and one
line says that it stays inside. So no number can be on the page that is neither published nor
follows from the table of released cells.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pandas as pd

import tfeval
from tfeval.display import release_words as words
from tfeval.display.figures import CHART_MIME, SVG_MIME, Chart
from tfeval.errors import TfevalError
from tfeval.programme.claims import authorities, regions
from tfeval.release.released_parts import BOUND, PARTS, effects_headline
from tfeval.release.values import IMPACT, Numbers, chosen, notebook_of, write_records
from tfeval.report.fingerprint import source
from tfeval.report.finish import WORKINGS
from tfeval.report.gathering import gathering
from tfeval.report.notebook_parts import Box, section_banner
from tfeval.report.plan import AREA, REGION

#: The chapters made outside, each after those that it reads, and what it needs of the table of
#: cells: a kind, and how the names of its numbers begin.
CHAPTERS: Mapping[str, tuple[str, str] | None] = {
    "01_programme_and_budget": None,
    "02_families_and_data": ("count", "known:before:"),
    "03_comparison_group": ("balance", ""),
    "04_impact": ("effect", "effect:"),
    "05_areas_and_time": None,
    "06_claims_against_impact": None,
    "07_value_for_money": ("effect", "effect:"),
    "08_summary": ("effect", "effect:"),
    "08_annex": ("effect", "effect:"),
    "09_known_truth": None,
}
#: Of which every number is of the records: marked as a whole where these are simulated.
_OF_RECORDS = ("02_families_and_data", "03_comparison_group", "04_impact", "07_value_for_money")
#: What is recorded is kept for the pages that read it, and not shown; how it was made is told of
#: the page inside.
_MADE = "tf.provenance("
_EXTRACT, _RECORDS = "extract", "records"
#: Pages of areas that are worth a process of their own.
_FEWEST = 20
#: Choices of what a page shows, and of what lies elsewhere: none of a release's.
_NOT_TOLD = frozenset({_EXTRACT, _RECORDS, AREA, REGION, "audit"})
#: Parameters that may say anything, and what stands for it: a text of the package's own.
FREE_TEXT: Mapping[str, str] = {"optimism_bias_source": words.SOURCE_INSIDE}


@dataclass(frozen=True)
class Area:
    """An area that has a page, whether anything of it is released or not.

    Attributes
    ----------
    notebook, parameter : str
        What makes its page, and which of its parameters names it.
    key, name : str
        As cells have it, and for readers.
    """

    notebook: str
    parameter: str
    key: str
    name: str

    @property
    def file(self) -> str:
        """Name of its page."""
        return f"{quote(self.key.replace(' ', '_'), safe='')}.html"


def areas_made() -> list[Area]:
    """Return the areas that have pages: every region and authority, so that none tells a thing."""
    by_name = sorted(authorities().items(), key=lambda one: one[1])
    return [*(Area("region", REGION, name, name) for name in regions()),
            *(Area("local_authority", AREA, code, name) for code, name in by_name)]  # fmt: skip


@dataclass
class Pages:
    """What is made of a table of released cells.

    Attributes
    ----------
    chapters : dict of str to (title, page)
        By notebook.
    areas : dict of Area to page
    """

    chapters: dict[str, tuple[str, str]] = field(default_factory=dict)
    areas: dict[Area, str] = field(default_factory=dict)


def pages_made(
    register: pd.DataFrame, about: Mapping[str, str], tables: Callable[[str], str]
) -> Pages:  # fmt: skip
    """Return the pages of chapters and areas.

    Parameters
    ----------
    register : DataFrame
        The table of released cells; nothing else of the records is read.
    about : mapping of str to str
        The choices that it rests on.
    tables : callable
        From an area to its released numbers, as HTML.
    """
    from tfeval.report.publish import Page, publish  # noqa: PLC0415 - heavy

    made, numbers = Pages(), Numbers(register, about)
    names = [name for name, need in CHAPTERS.items() if need is None or _has(numbers, *need)]
    scope = f"{words.CHAPTER} {words.about_words(about)}"
    places = {name: f"{name}.html" for name in names}
    with TemporaryDirectory() as folder:
        headline = effects_headline(numbers) if IMPACT in names else ""
        write_records(Path(folder), numbers, headline)
        for name in names:
            notebook, title = run(name, numbers, folder)
            page = Page(title=title, scope=scope, home="index.html", places=places,
                        simulated=numbers.simulated and name in _OF_RECORDS)  # fmt: skip
            made.chapters[name] = title, publish(notebook, page)
        areas = areas_made()
        make = _AreaPages(numbers, folder, scope, places, tables)
        made.areas = dict(zip(areas, _each(make, areas), strict=True))
    return made


@dataclass(frozen=True)
class _AreaPages:
    """Makes the page of an area."""

    numbers: Numbers
    folder: str
    scope: str
    places: Mapping[str, str]
    tables: Callable[[str], str]

    def __call__(self, area: Area) -> str:
        from tfeval.report.publish import Page, publish  # noqa: PLC0415 - heavy

        notebook, title = run(area.notebook, self.numbers, self.folder,
                              {area.parameter: area.name})  # fmt: skip
        notebook["cells"] += _released_numbers(self.numbers, self.tables(area.key))
        return publish(notebook, Page(title=title, scope=f"{area.name}. {self.scope}",
                                      home="index.html", places=self.places))  # fmt: skip


_maker: Callable[[Area], str] | None = None


def _each(make: Callable[[Area], str], areas: list[Area]) -> list[str]:
    """Return each area's page: by as many processes as there are processors, where they fork."""
    workers = min(os.cpu_count() or 1, len(areas) // _FEWEST)
    if workers < 2 or "fork" not in get_all_start_methods():
        return [make(area) for area in areas]
    # What a fork inherits need not be packed.
    with ProcessPoolExecutor(workers, get_context("fork"), _begin, (make,)) as pool:
        return list(pool.map(_one, areas, chunksize=4))


def _begin(make: Callable[[Area], str]) -> None:
    global _maker  # noqa: PLW0603 - of a process that was forked for it
    _maker = make


def _one(area: Area) -> str:
    assert _maker is not None
    return _maker(area)


def _released_numbers(numbers: Numbers, html: str) -> list[dict[str, Any]]:
    heading = {"cell_type": "markdown", "id": "released-heading", "metadata": {},
               "source": f"## {words.AREA_NUMBERS}"}  # fmt: skip
    table = {"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}
    outputs = [_output(section_banner(numbers.simulated)), table]
    return [heading, {**_BLANK, "outputs": outputs}]


#: A cell without a text is left out of a page.
_BLANK: dict[str, Any] = {
    "cell_type": "code", "id": "released-numbers", "metadata": {}, "source": "# From cells.csv",
    "execution_count": None,
}  # fmt: skip


def _has(numbers: Numbers, kind: str, start: str) -> bool:
    return bool(numbers.of(kind)["number"].str.startswith(start).any())


def run(
    name: str, numbers: Numbers, folder: str, place: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    """Run a notebook without records; return it with what it shows, and its title.

    Parameters
    ----------
    name : str
        Of the notebook.
    numbers : Numbers
        What was released.
    folder : str
        Where the records of other pages are, all made of released cells and published figures.
        What this one records is put there too, unless it is of one place.
    place : mapping of str to str, optional
        The parameter that names an area, and the area.
    """
    notebook, _ = notebook_of(name)
    given = chosen(name, numbers.about, place or {})
    # No path to records: whatever asks for an extract finds no such name.
    given = {key: one for key, one in given.items() if key != _EXTRACT}
    space: dict[str, Any] = {"tf": tfeval, **given}
    space |= {key: make(numbers) for key, make in BOUND.get(name, {}).items()}
    if _RECORDS in given:
        space[_RECORDS] = folder
    cells: list[dict[str, Any]] = []
    visible = True
    with gathering({key: one for key, one in given.items() if key != _RECORDS}) as kept:
        for cell in notebook["cells"]:
            text = source(cell)
            if cell["cell_type"] == "markdown":
                visible &= text.split()[1:2] != [WORKINGS[0]]
                cells += [cell] * visible
            elif text.startswith(_MADE) or (place and not visible):
                break
            elif "parameters" not in cell.get("metadata", {}).get("tags", []):
                shown = _shown(name, text, numbers, space)
                outputs = [] if shown is None else [_output(shown)] * visible
                cells += [{**cell, "outputs": outputs, "execution_count": None}] * visible
    if not (place or (Path(folder) / name).exists()):
        (Path(folder) / name).mkdir(mode=0o700)
        (Path(folder) / name / "records.json").write_text(json.dumps(kept.content(name)))
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


def told() -> frozenset[str]:
    """Return the parameters of chapters that a release may tell."""
    return frozenset[str]().union(*(chosen(name, {}) for name in CHAPTERS)) - _NOT_TOLD


def told_as(name: str, value: object) -> str:
    """Return a parameter's value as a release tells it: of a free text that there is one.

    Examples
    --------
    >>> told_as("caliper", 0.2), told_as("optimism_bias_source", "")
    ('0.2', '')
    >>> told_as("optimism_bias_source", "=cmd|' /C calc'!A0")
    'a source that is told inside'
    """
    return FREE_TEXT[name] if value and name in FREE_TEXT else str(value)
