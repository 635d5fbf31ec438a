"""Tables that a screen reader, JupyterLab and a code host all show well.

The renderer is our own because semantics are the point: pandas' Styler needs an id and a class for
every cell and a style sheet that code hosts remove, and other table libraries write presentation
where a header's scope should be. The HTML is the same on every run.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from tfeval.display.words import Format, day, fact_html, is_missing, unmarked, written
from tfeval.errors import ReportError, SourceError, suggest

# Citations under tables and figures: every published number leads to its source in one click.

_NAMES = {
    "title": ("title", "source_title", "source"),
    "publisher": ("publisher",),
    "published": ("published", "date"),
    "url": ("url",),
    "status": ("status",),
}


@dataclass(frozen=True)
class Citation:
    """A source as a reader meets it."""

    #: title, publisher, published, url, status: `published` is YYYY, YYYY-MM or YYYY-MM-DD; all but
    #: `title` may be empty.
    title: str
    publisher: str = ""
    published: str = ""
    url: str = ""
    status: str = ""

    def html(self) -> str:
        """Return the citation as HTML; only an http(s) address becomes a link."""
        title = escape(self.title)
        if is_web_address(self.url):
            title = f'<a href="{escape(self.url, quote=True)}">{title}</a>'
        return ", ".join([title, *(escape(part) for part in self._details())])

    def text(self) -> str:
        """Return the citation as plain text, with its address."""
        line = ", ".join([self.title, *self._details()])
        return f"{line} <{self.url}>" if self.url else line

    def _details(self) -> list[str]:
        publisher = "" if self.publisher == self.title else self.publisher
        unsure = "" if self.status in ("", "read") else f"{self.status}, not checked in the source"
        return [part for part in (publisher, day(self.published), unsure) if part]


def is_web_address(url: str) -> bool:
    """Tell whether `url` is an http(s) address with a host.

    Examples
    --------
    >>> is_web_address("https://www.gov.uk/"), is_web_address("javascript:alert(1)")
    (True, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def is_source(value: object) -> bool:
    """Tell whether a table's cell holds a source: a mapping or object with a title and an address.

    Examples
    --------
    >>> is_source({"title": "HC 711", "url": "https://www.parliament.uk/"}), is_source("HC 711")
    (True, False)
    """
    if isinstance(value, Citation):
        return True
    if isinstance(value, Mapping):
        return "url" in value and any(name in value for name in _NAMES["title"])
    return not isinstance(value, str) and hasattr(value, "title") and hasattr(value, "url")


def citation(source: object) -> Citation:
    """Return any kind of source as a `Citation`.

    Parameters
    ----------
    source : Citation, str, mapping, Series or object
        With title (or source_title), publisher, published (or date), url and status, as far as
        they are known; a string is a title.
    """
    if isinstance(source, Citation):
        return source
    if isinstance(source, str):
        return Citation(source)
    fields = {name: _field(source, spellings) for name, spellings in _NAMES.items()}
    if not fields["title"]:
        raise SourceError("A source has no title: give title (or source_title), publisher, url.")
    return Citation(**fields)


def _field(source: Any, spellings: tuple[str, ...]) -> str:
    for name in spellings:
        if isinstance(source, Mapping | pd.Series):
            value = source.get(name)
        else:
            value = getattr(source, name, None)
        if value is not None and not callable(value) and not pd.isna(value):
            return str(value)
    return ""


def citations(sources: object) -> tuple[Citation, ...]:
    """Return sources of any kind as citations, each once, in the order given.

    Parameters
    ----------
    sources : None, source, DataFrame or iterable of sources
        A frame counts row by row.

    Examples
    --------
    >>> frame = pd.DataFrame({"source_title": ["HC 711"] * 2, "date": "2016-12-20"})
    >>> citations(frame)[0].text()
    'HC 711, 20 December 2016'
    >>> len(citations(frame))
    1
    """
    if sources is None:
        return ()
    if isinstance(sources, pd.DataFrame):
        rows: Iterable[object] = [row for _, row in sources.iterrows()]
    elif isinstance(sources, str | Mapping | pd.Series) or is_source(sources):
        rows = [sources]
    else:
        rows = sources  # type: ignore[assignment]
    return tuple(dict.fromkeys(citation(row) for row in rows))


def source_line(found: tuple[Citation, ...], *, html: bool) -> str:
    """Return the line "Source: ..." for under a table or figure, or an empty string."""
    if not found:
        return ""
    word = "Source" if len(found) == 1 else "Sources"
    return f"{word}: " + "; ".join(item.html() if html else item.text() for item in found)


# Small numbers: what may be shown of counts and rates about people.

#: Counts below this are not shown, nor anything computed from so few (ONS and UK LLC: 10).
THRESHOLD = 10
#: Counts are shown to the nearest five.
BASE = 5


def safe_count(count: float) -> str:
    """Write a count of people or families as it may be shown.

    Parameters
    ----------
    count : float
        How many.

    Examples
    --------
    >>> safe_count(7), safe_count(0), safe_count(1234)
    ('fewer than 10', 'fewer than 10', '1,235')
    """
    if count < THRESHOLD:
        return f"fewer than {THRESHOLD}"
    return f"{BASE * round(count / BASE):,}"


def exact_count(count: int) -> str:
    """Write a count of rows as an error may say it: exactly, unless it is small.

    Examples
    --------
    >>> exact_count(7), exact_count(1234)
    ('fewer than 10', '1,234')
    """
    return f"{count:,}" if count >= THRESHOLD else f"fewer than {THRESHOLD}"


def safe_mean(values: pd.Series, digits: int = 2) -> str:
    """Write a mean as it may be shown: not of fewer than ten, nor where fewer than ten differ.

    Parameters
    ----------
    values : Series
        One value a unit; missing ones are left out.
    digits : int, default 2
        Decimals.

    Notes
    -----
    A mean of a rare event gives away its count. So it is hidden where fewer than ten units have
    it, or fewer than ten have not.

    Examples
    --------
    >>> safe_mean(pd.Series([0.0] * 30 + [1.0] * 5)), safe_mean(pd.Series([0.0, 1.0] * 20))
    ('hidden', '0.50')
    """
    known = values.dropna()
    some = int((known != 0).sum())
    if len(known) < THRESHOLD or some < THRESHOLD or 0 < len(known) - some < THRESHOLD:
        return "hidden"
    return f"{known.mean():,.{digits}f}"


def hidden_parts(counts: np.ndarray) -> np.ndarray:
    """Tell which parts of a whole may not be shown, so that none can be worked out.

    Parameters
    ----------
    counts : ndarray of int, shape (parts, groups)
        How many of each group stand in each part; a group's parts add up to all of it.

    Returns
    -------
    ndarray of bool, shape (parts,)
        Parts of fewer than ten in some group, and, while a group's hidden parts together are
        fewer than ten, the next smallest part: otherwise the rest would give them away.

    Examples
    --------
    >>> hidden_parts(np.array([[4], [30], [200]])).tolist()
    [True, True, False]
    >>> hidden_parts(np.array([[12], [30], [200]])).tolist()
    [False, False, False]
    """
    hidden = np.asarray((counts < THRESHOLD).any(axis=1))
    smallest = counts.min(axis=1)
    while hidden.any() and not hidden.all():
        together = counts[hidden].sum(axis=0)
        if (together >= THRESHOLD).all():
            break
        hidden[np.where(hidden, np.inf, smallest).argmin()] = True
    return hidden


@dataclass(frozen=True)
class Cell:
    """One cell: its text, its HTML, and whether it is a number or missing."""

    text: str
    html: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table ready to show; display it as the last line of a notebook's cell.

    Attributes
    ----------
    caption : str
        What the table shows.
    columns : tuple of str
        Headings.
    kinds : tuple of {"text", "number"}
        How each column is aligned.
    rows : tuple of tuple of Cell
        As long as `columns`, each.
    headers : int
        How many leading columns are row headers.
    sources : tuple of Citation
        Shown under the table as links.
    notes : tuple of str
        Shown under the sources.
    """

    caption: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    headers: int = 1
    sources: tuple[Citation, ...] = ()
    notes: tuple[str, ...] = ()

    def html(self) -> str:
        """Return the table as semantic HTML."""
        head = "".join(
            f'<th scope="col"{_align(kind)}>{escape(name)}</th>'
            for name, kind in zip(self.columns, self.kinds, strict=True)
        )
        body = "\n".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        below = [f"<p>{source_line(self.sources, html=True)}</p>"] if self.sources else []
        below += [f"<p>{fact_html(note)}</p>" for note in self.notes]
        under = f'\n<div class="tfeval-under">{"".join(below)}</div>' if below else ""
        return (
            f'<div class="tfeval-table">\n<table>\n<caption>{fact_html(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>{under}\n</div>"
        )

    def _row(self, row: tuple[Cell, ...]) -> str:
        cells = []
        for place, (cell, kind) in enumerate(zip(row, self.kinds, strict=True)):
            tag, scope = ("th", ' scope="row"') if place < self.headers else ("td", "")
            content = f"<em>{cell.html}</em>" if cell.kind == "missing" else cell.html
            cells.append(f"<{tag}{scope}{_align(kind)}>{content}</{tag}>")
        return "".join(cells)

    def text(self) -> str:
        """Return the table as plain text."""
        frame = pd.DataFrame([[cell.text for cell in row] for row in self.rows])
        frame = frame.reindex(columns=range(len(self.columns)))
        body = frame.to_string(index=False, header=list(self.columns)) if self.rows else "(no rows)"
        below = [source_line(self.sources, html=False)] if self.sources else []
        return unmarked("\n".join([self.caption, "", body, *below, *self.notes]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}

    def __repr__(self) -> str:
        return self.text()


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    formats: Mapping[str, Format] | None = None,
    sources: object = None,
    notes: str | Iterable[str] | None = None,
    index: bool = False,
    missing: str | Mapping[str, str] = "not published",
) -> Table:
    """Return a frame as a table for readers.

    Parameters
    ----------
    frame : DataFrame
        What to show, one row a line; a cell may hold a source, shown as a link.
    caption : str
        What the table shows, in one sentence.
    formats : mapping of column to format, optional
        Such as ``{"share": "{:.1%}"}``, or a function of the value.
    sources : DataFrame or iterable of sources, optional
        With title (or source_title), publisher, published (or date), url, status.
    notes : str or iterable of str, optional
        Lines under the table.
    index : bool, default False
        Show the index as the first column or columns.
    missing : str or mapping of column to str, default "not published"
        What stands where a value is missing.

    Raises
    ------
    ReportError
        If the caption is empty, or a format names a column that is not there.

    Examples
    --------
    >>> frame = pd.DataFrame({"Authority": ["Sefton", "Wirral"], "Families": [609, None]})
    >>> print(table(frame, "Families turned around").text())
    Families turned around
    <BLANKLINE>
    Authority      Families
       Sefton           609
       Wirral not published
    """
    if not caption.strip():
        raise ReportError("A table needs a caption that says what it shows.")
    shown = frame.reset_index() if index else frame
    names = [_label(name) for name in shown.columns]
    formats = dict(formats or {})
    for name in formats:
        if name not in names:
            raise ReportError(
                f'The table "{caption}" has no column {name} to format. {suggest(name, names)}'
            )
    columns = [shown.iloc[:, place] for place in range(shown.shape[1])]
    cells = [
        [_cell(value, formats.get(name), _missing(missing, name), name) for value in column]
        for name, column in zip(names, columns, strict=True)
    ]
    return Table(
        caption=caption,
        columns=tuple(names),
        kinds=tuple(_kind(column) for column in cells),
        rows=tuple(zip(*cells, strict=True)),
        headers=frame.index.nlevels if index else 1,
        sources=citations(sources),
        notes=(notes,) if isinstance(notes, str) else tuple(notes or ()),
    )


def _align(kind: str) -> str:
    # JupyterLab has no style sheet of ours, so the alignment is said twice.
    side = "right" if kind == "number" else "left"
    return f' class="{kind}" style="text-align: {side}"'


def _label(name: Any) -> str:
    parts = name if isinstance(name, tuple) else (name,)
    return ", ".join(str(part) for part in parts if part != "")


def _missing(missing: str | Mapping[str, str], name: str) -> str:
    return missing if isinstance(missing, str) else missing.get(name, "not published")


def _cell(value: Any, how: Format | None, missing: str, column: str) -> Cell:
    if is_source(value):
        found = citation(value)
        return Cell(found.text(), found.html())
    if isinstance(value, list | tuple) and value and all(is_source(item) for item in value):
        several = citations(value)
        texts, links = zip(*((item.text(), item.html()) for item in several), strict=True)
        return Cell("; ".join(texts), "; ".join(links))
    if is_missing(value):
        return Cell(missing, escape(missing), "missing")
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if how is None and is_number and "year" in column.lower() and float(value).is_integer():
        how = "{:.0f}"
    try:
        text = written(value, how)
    except (ValueError, TypeError) as fault:
        raise ReportError(f"The format of column {column} does not fit a value: {fault}") from None
    return Cell(unmarked(text), fact_html(text), "number" if is_number else "text")


def _kind(column: list[Cell]) -> str:
    kinds = {cell.kind for cell in column} - {"missing"}
    return "number" if kinds == {"number"} else "text"
