"""What a file holds that a reader may find, part by part: also what is not seen when it is opened.

Nothing of it is trusted: a file that cannot be taken apart is at fault for that alone.
"""

from __future__ import annotations

import html
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Comment, Tag

_MARKUP = (".html", ".htm", ".xhtml", ".svg", ".xml")
_PLAIN = (".csv", ".txt", ".md", ".tsv", ".log", ".yml", ".yaml", ".toml", ".tex", ".css")
_DATA = (".json", ".ipynb", ".geojson")
_BOOKS = (".xlsx", ".xlsm", ".docx", ".pptx", ".ods", ".odt", ".odp", ".zip")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp")
#: Attributes that say how a page is built.
_BUILT = {"class", "id", "style", "href", "lang", "role", "scope", "for", "headers", "type",
          "charset", "name", "tabindex", "colspan", "rowspan"}  # fmt: skip
#: Faults of office documents, by what their parts hold.
_WITHIN = {
    "a live formula": re.compile(r"<(?:\w+:)?f[ >/]|table:formula=|w:instrText"),
    "a defined name": re.compile(r"<definedName "),
    "a hidden sheet, row or column": re.compile(
        r'(?:state="(?:very)?[hH]idden"|hidden="(?:1|true)")'
    ),
    "a link to elsewhere": re.compile(r'TargetMode="External"'),
    "who made it": re.compile(
        r"<(?:dc:creator|cp:lastModifiedBy|meta:initial-creator|Company|Manager)>[^<]+<"
    ),
}
_ASIDE = {"comment": "a comment", "docProps/custom": "properties of its own",
          "customXml": "data of its own", "media": "a picture", "embeddings": "a file within it",
          "vbaProject": "a macro", "externalLink": "a link to elsewhere",
          "pivotCache": "data behind a table", "revision": "changes kept"}  # fmt: skip
_PDF = {"/EmbeddedFile": "a file within it", "/JavaScript": "a script", "/Author": "who made it",
        "/Image": "a picture", "/Annots": "a comment"}  # fmt: skip
#: No file is unpacked beyond this, in bytes.
_MOST = 50_000_000

Part = tuple[str, str]


def parts_of(path: Path) -> Iterator[Part]:
    """Yield what a file holds: the name of each part, and its text.

    Raises
    ------
    ValueError
        If it cannot be taken apart.
    """
    suffix = path.suffix.lower()
    if suffix in _MARKUP:
        yield from _markup(path.read_text(encoding="utf-8"))
    elif suffix in _PLAIN:
        yield "", path.read_text(encoding="utf-8-sig")
    elif suffix in _DATA:
        yield "", "\n".join(_flat(json.loads(path.read_text(encoding="utf-8-sig"))))
    elif suffix in _BOOKS:
        yield from _book(path)
    elif suffix == ".pdf":
        yield from _pdf(path.read_bytes())
    elif suffix in _PICTURES:
        yield from _picture(path)
    else:
        raise ValueError(suffix)


def kept_aside(path: Path) -> Iterator[str]:
    """Yield what is at fault whatever it says: formulas, macros, drawings, who made it."""
    suffix = path.suffix.lower()
    if suffix in _BOOKS:
        yield from _in_book(path)
    elif suffix == ".pdf":
        yield from _in_pdf(path.read_bytes())
    elif suffix in _PICTURES:
        yield "a picture, whose words cannot be looked through"
    elif suffix in _MARKUP:
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        if soup.find(["svg", "canvas", "path", "polyline"]):
            yield "a drawing, whose coordinates hold data"
    elif suffix == ".ipynb" and '"image/' in path.read_text(encoding="utf-8"):
        yield "a picture"


def _in_book(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for item in _items(archive):
            text = archive.read(item).decode("utf-8", "replace")
            reasons = [reason for start, reason in _ASIDE.items() if start in item.filename]
            reasons += [reason for reason, test in _WITHIN.items() if test.search(text)]
            yield from (f"{item.filename}: {reason}" for reason in reasons)
        if archive.comment:
            yield "a comment of the archive"


def _in_pdf(content: bytes) -> Iterator[str]:
    whole = content.decode("latin-1") + "".join(text for _, text in _pdf(content))
    yield from (reason for word, reason in _PDF.items() if word in whole)


def _markup(text: str) -> Iterator[Part]:
    soup = BeautifulSoup(text, "html.parser")
    yield "", soup.get_text("\n")
    for one in soup.find_all(string=lambda item: isinstance(item, Comment)):
        yield "a comment", html.unescape(str(one))
    for tag in soup.find_all(True):
        if isinstance(tag, Tag):
            for name, value in tag.attrs.items():
                if name not in _BUILT:
                    yield f"attribute {name}", value if isinstance(value, str) else " ".join(value)


def _flat(content: Any) -> Iterator[str]:
    """Yield each key and value of data, as they are read: escapes are no hiding place."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield str(name)
            yield from _flat(value)
    elif isinstance(content, list):
        for value in content:
            yield from _flat(value)
    else:
        yield str(content)


def _items(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    items = archive.infolist()
    if sum(item.file_size for item in items) > _MOST:
        raise ValueError(archive.filename)
    return items


def _book(path: Path) -> Iterator[Part]:
    with zipfile.ZipFile(path) as book:
        for item in _items(book):
            text = book.read(item).decode("utf-8", "replace")
            if item.filename.endswith((".xml", ".rels")):
                # Numbers of cells, text and properties; those of the layout are attributes.
                text = html.unescape(re.sub(r"<[^>]*>", "\n", text))
            yield item.filename, text


def _pdf(content: bytes) -> Iterator[Part]:
    """Yield the text strings of a PDF: of its pages, outlines and properties."""
    packed, room = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL), _MOST
    for one in [content, *packed]:
        text = one
        if one is not content:
            with suppress(zlib.error):
                text = zlib.decompressobj().decompress(one, room + 1)
            room -= len(text)
        if room < 0:
            raise ValueError("stream")
        words = [_pdf_string(raw) for raw in re.findall(rb"\(((?:\\.|[^()\\])*)\)", text)]
        words += [bytes.fromhex(raw.decode()).decode("utf-16-be", "replace")
                  for raw in re.findall(rb"<((?:[0-9A-Fa-f]{4})+)>", text)]  # fmt: skip
        yield "", "\n".join(words) + "\n" + text.decode("latin-1") * (b"<x:xmpmeta" in text)


def _pdf_string(raw: bytes) -> str:
    plain = re.sub(rb"\\([0-7]{1,3})", lambda one: bytes([int(one[1], 8) & 255]), raw)
    return plain.replace(b"\\", b"").decode("latin-1")


def _picture(path: Path) -> Iterator[Part]:
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib

    try:
        with Image.open(path) as drawn:
            properties: dict[Any, Any] = dict(drawn.info)
            properties |= dict(drawn.getexif())
    except OSError as fault:
        raise ValueError(path.suffix) from fault
    for name, value in properties.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        yield f"property {name}", text if str(name) not in ("dpi", "gamma", "srgb") else ""
