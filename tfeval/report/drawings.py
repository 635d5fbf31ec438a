"""Drawings on a page: with words, leading nowhere, with names that no other has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape, unescape

from bs4 import Tag

from tfeval.errors import ReportError

#: What a drawing of numbers has no use for, and what would fetch or move.
_UNWANTED = ("a", "image", "use", "foreignobject", "animate", "set", "animatetransform")
_OWN = re.compile(r"url\(#([\w-]+)\)")
#: What `tfeval.display.svg` writes: words, definitions, then shapes that lead nowhere.
_NAMES = ("clip-path|cx|cy|d|fill|fill-opacity|font-size|font-style|font-weight|opacity|r|stroke|"
          "stroke-dasharray|stroke-dashoffset|stroke-opacity|stroke-width|text-anchor|transform|"
          "x|y")  # fmt: skip
_ATTRIBUTES = rf'(?: (?:{_NAMES})="(?:url\(#[\w-]+\)|rotate\([-\d. ]*\)|[^"<>&()]*)")*'
_WORDS = "(?:[^<>&]|&(?:amp|lt|gt);)*"
_SHAPE = rf"<(path|circle|text)({_ATTRIBUTES})(?:/>|>({_WORDS})</text>)\n"
_BODY = re.compile(
    r"(<svg [^<>]*>\n<title[^<>]*>[^<>]*</title>\n<desc[^<>]*>[^<>]*</desc>\n"
    rf"(?:<defs>.*</defs>\n)?)((?:{_SHAPE})+)(?=</svg>)"
)
_ONE = re.compile(_SHAPE)
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_HELD = "\N{OBJECT REPLACEMENT CHARACTER}drawing "
_PLACE = re.compile(rf"{_HELD}\d+;")


class Drawings:
    """The shapes of a page's own drawings, held apart while the rest of it is put in order.

    They are most of a page's elements, and are written as they would be read and written again.

    Parameters
    ----------
    words : callable
        How a text is written on the page.
    """

    def __init__(self, words: Callable[[str], str]) -> None:
        self._words = words
        self._held: dict[str, str] = {}

    def hold(self, html: str) -> str:
        """Return a page without the shapes of its own drawings."""
        return html if _HELD in html else _BODY.sub(self._take, html)

    def _take(self, drawing: re.Match[str]) -> str:
        name = f"{_HELD}{len(self._held)};"
        self._held[name] = drawing[2]
        return f"{drawing[1]}{name}"

    def name(self, drawn: Tag, named: Mapping[str, str]) -> None:
        """Give what a drawing's shapes refer to the names it has on the page."""
        for place in _PLACE.findall(drawn.get_text()):
            self._held[place] = _OWN.sub(
                lambda own: f"url(#{named.get(own[1], own[1])})", self._held[place]
            )

    def put_back(self, html: str) -> str:
        """Return the page with all its shapes."""
        for name, shapes in self._held.items():
            html = html.replace(name, _ONE.sub(self._written, shapes), 1)
        return html

    def _written(self, shape: re.Match[str]) -> str:
        kind, attributes, words = shape.groups()
        listed = "".join(f' {name}="{value}"' for name, value in
                         sorted(_ATTRIBUTE.findall(attributes)))  # fmt: skip
        said = escape(self._words(unescape(words)), quote=False) if words else ""
        return f"<{kind}{listed}>{said}</{kind}>\n"


def name_drawings(main: Tag, title: str, drawings: Drawings) -> None:
    """Clean the drawings of a page in place.

    Parameters
    ----------
    main : Tag
        The page's main part.
    title : str
        For messages.
    drawings : Drawings
        What is held of them.

    Raises
    ------
    ReportError
        If a drawing has no title or no description.
    """
    for number, drawn in enumerate(main.find_all("svg"), start=1):
        words = {one.name: one.get_text(strip=True) for one in drawn.find_all(["title", "desc"])}
        if not words.get("title") or not words.get("desc"):
            raise ReportError(
                f'Drawing {number} of "{title}" has no title or no description: draw it with a '
                "chart function of tfeval."
            )
        for tag in drawn.find_all(_UNWANTED):
            tag.decompose()
        named = {str(tag["id"]): f"figure{number}-{place}"
                 for place, tag in enumerate(drawn.find_all(id=True))}  # fmt: skip
        for tag in [drawn, *drawn.find_all(True)]:
            _rename(tag, named)
        drawings.name(drawn, named)


def _rename(tag: Tag, named: Mapping[str, str]) -> None:
    for name, value in list(tag.attrs.items()):
        text = str(value)
        if "href" in name or ("url(" in text and not _OWN.fullmatch(text)):
            del tag[name]
        elif name in ("id", "aria-labelledby", "fill", "clip-path"):
            parts = re.split(r"([\w-]+)", text)
            tag[name] = "".join(named.get(part, part) for part in parts)
