"""Citations under tables and figures: every published number leads to its source in one click."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from tfeval.display.words import day
from tfeval.errors import SourceError

_NAMES = {
    "title": ("title", "source_title", "source"),
    "publisher": ("publisher",),
    "published": ("published", "date"),
    "url": ("url",),
    "status": ("status",),
}


@dataclass(frozen=True)
class Citation:
    """A source as a reader meets it.

    Attributes
    ----------
    title, publisher, published, url, status : str
        `published` is YYYY, YYYY-MM or YYYY-MM-DD; all but `title` may be empty.
    """

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

    Raises
    ------
    SourceError
        If it has no title.
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
