"""Released cells as files: a table of them, and pages that are made from that table alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tfeval.report
from tfeval.display import release_words as words
from tfeval.errors import TfevalError
from tfeval.programme.claims import authorities
from tfeval.release.chapters import Pages, pages_made
from tfeval.release.keys import moves
from tfeval.release.ledger import error_words
from tfeval.release.released import Released, ends, printed
from tfeval.release.values import moved_words, outcome_name
from tfeval.report.plan import reading_place

REGISTER, ABOUT, INDEX = "cells.csv", "about.csv", "index.html"
#: Among the choices: whether numbers of earlier releases stand among those of this one.
EARLIER = words.EARLIER
#: What of a cell may leave: nothing exact, no number of families but as a count of its own.
COLUMNS = ("id", "kind", "number", "outcome", "months", "arm", "level", "area", "name", "parent",
           "base", "within", "guarded", "signed", "shown", "value", "unit", "error",
           "low", "high", "unit_of")  # fmt: skip
_ENGLAND, _AUTHORITY = "england", "authority"


def register_of(released: Released) -> pd.DataFrame:
    """Return the table of what leaves, all as text."""
    names = authorities()
    rows = []
    for row in released.frame.to_dict("records"):
        own: dict[str, Any] = {name: row.get(name, "") for name in COLUMNS}
        shown = bool(row["shown"])
        unit, value, error = row["unit"], row["released"], row["released_error"]
        own |= {
            "id": "|".join(map(str, (row["number"], row["months"], row["arm"], row["area"]))),
            "name": names.get(row["area"], row["area"]),
            "value": printed(value, unit, row["kind"]) if shown else "",
            "unit": repr(float(unit)) if shown else "", "error": "", "low": "", "high": "",
        }  # fmt: skip
        if shown and np.isfinite(error):
            own["error"] = error_words(error)
            # From what is written, so that whoever reads it can work them out.
            said = ends(float(own["value"]), float(own["error"]))
            own["low"], own["high"] = (printed(one, unit, row["kind"]) for one in said)
        flags = ("guarded", "signed", "shown")
        rows.append(own | {name: "yes" if bool(row[name]) else "no" for name in flags})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(str)


def read_register(path: Path) -> pd.DataFrame:
    """Return a written table of cells, all as text."""
    frame = _read(path) if path.is_file() else pd.DataFrame()  # nobody may write to a pipe
    if list(frame.columns) != list(COLUMNS):
        raise TfevalError(f"{path.name} is no table of released cells: its columns are others.")
    return frame


def _read(place: Path | io.StringIO) -> pd.DataFrame:
    return pd.read_csv(place, dtype=str, keep_default_na=False, encoding="utf-8")


def read_about(path: Path) -> dict[str, str]:
    """Return the choices that a release rests on."""
    if not path.is_file():
        raise TfevalError(f"{path.name} is not there, or no file.")
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row["value"] for row in csv.DictReader(stream)}


def files_of(register: pd.DataFrame, about: Mapping[str, str]) -> dict[str, str]:
    """Return every file of one scope, by name: made from the table of cells and nothing else."""
    return {
        REGISTER: csv_of(register),
        ABOUT: _csv(("name", "value"), about.items()),
        **pages_of(register, about),
    }


def csv_of(register: pd.DataFrame) -> str:
    """Return the table of cells as it is written."""
    return register.to_csv(index=False, lineterminator="\n")


def _csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def pages_of(register: pd.DataFrame, about: Mapping[str, str]) -> dict[str, str]:
    """Return a page for each chapter and area; that of England's cells is the index."""
    england = register[register["level"] == _ENGLAND]
    areas = register[register["level"] == _AUTHORITY]
    made = _made(register.to_csv(index=False), tuple(about.items()))
    files = {f"{name}.html": page for name, (_, page) in made.chapters.items()}
    files |= {area.file: page for area, page in made.areas.items()}
    titles = [(f"{name}.html", title) for name, (title, _) in made.chapters.items()]
    listed = {words.CHAPTERS: sorted(titles, key=lambda one: reading_place(one[0][:-5])),
              words.AREAS: [(area.file, area.name) for area in made.areas]}  # fmt: skip
    effects = england[england["kind"].eq("effect") & england["shown"].eq("yes")]
    lines = [*words.READ, *moved_words(effects), *_rounding(england),
             *_rounding(areas, words.BY_AUTHORITY)]  # fmt: skip
    files[INDEX] = _page(words.TITLE, england, about, [*lines, *words.STAY_INSIDE], listed)
    return files


@lru_cache(maxsize=2)
def _made(text: str, about: tuple[tuple[str, str], ...]) -> Pages:
    """Return what the same table and choices make, as written and as checked, once."""
    register = _read(io.StringIO(text))
    by_area = dict(iter(register.groupby("area")))
    none = register.iloc[:0]
    return pages_made(register, dict(about), lambda area: _tables_html(by_area.get(area, none)))


def _tables_html(rows: pd.DataFrame) -> str:
    """Return an area's released numbers, with how to read them."""
    lines = [words.READ[1], *_rounding(rows)]
    said = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    return said + _template("released_tables.html.j2").render(tables=_tables(rows)).strip()


def _page(
    title: str, rows: pd.DataFrame, about: Mapping[str, str], lines: list[str],
    links: Mapping[str, list[tuple[str, str]]] | None = None,
) -> str:  # fmt: skip
    return render(
        title=title, about=words.about_words(about), lines=lines, links=links or {},
        tables=_tables(rows),
        simulated=words.SIMULATED_NOTE if about.get("simulated") == "yes" else "",
    )  # fmt: skip


def _tables(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [made for kind in words.TABLES if (made := _table(kind, rows))]


def render(**parts: Any) -> str:
    """Return a page of the release's template."""
    return f"{_template('release.html.j2').render(**parts).strip()}\n"


@lru_cache
def _template(name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415 - not needed to compute

    folder = Path(tfeval.report.__file__).resolve().parent / "templates"
    pages = Environment(loader=FileSystemLoader(folder), autoescape=False)
    return pages.get_template(f"page/{name}")


def _rounding(rows: pd.DataFrame, where: str = words.HERE) -> list[str]:
    """Say how much of the errors is rounding: from released numbers alone."""
    own = rows[rows["kind"].eq("effect") & rows["error"].ne("")]
    if own.empty:
        return []
    unit, error = own["unit"].astype(float), own["error"].astype(float)
    share = float(np.median(np.minimum(unit**2 / 12 / error**2, 1.0)))
    return [words.SHARE_OF_ERROR.format(where=where, share=f"{share:.0%}")]


def _table(kind: str, rows: pd.DataFrame) -> dict[str, Any] | None:
    own = rows[rows["kind"] == kind]
    if own.empty:
        return None
    arms = [arm for arm in words.ARMS if arm in set(own["arm"])]
    made = []
    for number, group in own.groupby("number", sort=False):
        by_arm = {str(row["arm"]): row for _, row in group.iterrows()}
        first = group.iloc[0]
        none = {"id": "", "text": words.HIDDEN, "more": ""}
        cells = [_cell(by_arm[arm]) if arm in by_arm else none for arm in arms]
        units = [f"{float(one):.2g}" for one in dict.fromkeys(group["unit"]) if one]
        rounded = {"id": "", "text": " and ".join(units) or words.HIDDEN, "more": ""}
        extra = [rounded] if kind in ("mean", "effect") else []
        if kind == "effect":
            far = moves(first["unit"] or 0.0, first["error"])
            text = words.HIDDEN if first["shown"] != "yes" else f"{far:.2f}"
            extra.append({"id": "", "text": text.replace("nan", words.NOT_KNOWN), "more": ""})
        made.append({"label": _label(kind, str(number), first), "cells": [*cells, *extra]})
    headings = [words.ARMS[arm] for arm in arms]
    if kind in ("mean", "effect"):
        headings += ["Rounded to", words.MOVED_BY][: 1 + (kind == "effect")]
    return {"title": words.TABLES[kind], "columns": ["What", *headings], "rows": made}


def _cell(row: pd.Series) -> dict[str, str]:
    if row["shown"] != "yes":
        return {"id": "", "text": words.HIDDEN, "more": ""}
    more = f" ({row['low']} to {row['high']})" if row["low"] else ""
    if row["kind"] == "effect" and not more:
        more = f" ({words.NO_INTERVAL})"
    return {"id": row["id"], "text": row["value"], "more": more}


def _label(kind: str, number: str, row: pd.Series) -> str:
    parts = number.split(":")
    said = f", {row['months']} months" + "".join(words.MORE.get(one, "") for one in parts)
    if kind in ("mean", "effect"):
        unit = f", {row['unit_of']}" if row["unit_of"] else ""
        return f"{outcome_name(row['outcome'])}{unit}{said}"
    named = outcome_name(parts[-1]) if len(parts) > 1 else ""
    return words.number_words(number, named) + said


def is_multiple(value: str, unit: float) -> bool:
    """Tell whether a printed number is a multiple of its unit, up to the digits that it has.

    Examples
    --------
    >>> is_multiple("-0.28", 2**-5), is_multiple("0.29", 2**-5), is_multiple("1231", 10)
    (True, False, False)
    """
    number, digits = float(value), len(value.partition(".")[2])
    return abs(number - unit * round(number / unit)) <= 0.5 * 10**-digits * (digits > 0) + 1e-9


def index_of(folder: Path) -> str:
    """Return the page that lists the reports of a release."""
    scopes = sorted(path.parent for path in folder.glob(f"*/{INDEX}"))
    abouts = [read_about(path / ABOUT) for path in scopes]
    simulated = any(about.get("simulated") == "yes" for about in abouts)
    links = [(f"{path.name}/{INDEX}", words.about_words(about) or path.name)
             for path, about in zip(scopes, abouts, strict=True)]  # fmt: skip
    return render(title=words.TITLE, about="", lines=words.READ, tables=[],
                  links={words.REPORTS: links},
                  simulated=words.SIMULATED_NOTE if simulated else "")  # fmt: skip


def count_of(register: pd.DataFrame) -> tuple[int, int]:
    """Return how many cells are shown, and how many hidden."""
    shown = int(np.count_nonzero(register["shown"] == "yes"))
    return shown, len(register) - shown
