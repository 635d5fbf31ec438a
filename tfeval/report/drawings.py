"""Drawings on a page: with words, leading nowhere, with names that no other has."""

from __future__ import annotations

import re

from bs4 import Tag

from tfeval.errors import ReportError

#: What a drawing of numbers has no use for, and what would fetch or move.
_UNWANTED = ("a", "image", "use", "foreignobject", "animate", "set", "animatetransform")
_OWN = re.compile(r"url\(#[\w-]+\)")


def name_drawings(main: Tag, title: str) -> None:
    """Clean the drawings of a page in place.

    Parameters
    ----------
    main : Tag
        The page's main part.
    title : str
        For messages.

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


def _rename(tag: Tag, named: dict[str, str]) -> None:
    for name, value in list(tag.attrs.items()):
        text = str(value)
        if "href" in name or ("url(" in text and not _OWN.fullmatch(text)):
            del tag[name]
        elif name in ("id", "aria-labelledby", "fill", "clip-path"):
            parts = re.split(r"([\w-]+)", text)
            tag[name] = "".join(named.get(part, part) for part in parts)
