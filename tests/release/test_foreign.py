"""A number that is no cell is found wherever it is put in a file, or the place is a fault."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

import pytest
from PIL import Image, PngImagePlugin

from tfeval.release.scan import faults

SECRET = "3.14159"
UNKNOWN = "a number that is no registered cell"


def zipped(name: str, text: str, comment: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as book:
        book.writestr(name, text)
        book.comment = comment.encode()
    return made.getvalue()


def pdf(text: str, *, packed: bool) -> bytes:
    stream = f"BT ({text}) Tj ET".encode()
    held = zlib.compress(stream) if packed else stream
    return b"%PDF-1.7\n1 0 obj<<>>stream\n" + held + b"\nendstream endobj\n"


def png(text: str) -> bytes:
    made, told = io.BytesIO(), PngImagePlugin.PngInfo()
    told.add_text("Comment", text)
    Image.new("L", (1, 1)).save(made, "PNG", pnginfo=told)
    return made.getvalue()


WIDE = "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in SECRET)
ENTITIES = "".join(f"&#{ord(one)};" for one in SECRET)
SVG = f"<svg><path d='M0 0L{SECRET} 1'/></svg>"
PLACES: dict[str, tuple[str, str | bytes, str]] = {
    "text of a page": ("a.html", f"<p>{SECRET}</p>", UNKNOWN),
    "entities": ("a.html", f"<p>{ENTITIES}</p>", UNKNOWN),
    "wide digits": ("a.html", f"<p>{WIDE}</p>", UNKNOWN),
    "an attribute": ("a.html", f"<p title='{SECRET}'>a</p>", "attribute title: line 1: " + UNKNOWN),
    "data of an element": ("a.html", f"<p data-n='{SECRET}'>a</p>", "attribute data-n: "),
    "a description": ("a.html", f"<img alt='{SECRET}'>", "attribute alt: line 1: " + UNKNOWN),
    "a comment": ("a.html", f"<!-- {SECRET} -->", "a comment: line 1: " + UNKNOWN),
    "words of a drawing": ("a.svg", f"<svg><text>{SECRET}</text></svg>", UNKNOWN),
    "coordinates": ("a.svg", SVG, "a drawing, whose coordinates hold data"),
    "an embedded picture": ("a.html", "<img src='data:image/png;base64,aaaa'>", "embedded data"),
    "escapes of JSON": ("a.json", json.dumps({"a": SECRET}).replace("3", "\\u0033"), UNKNOWN),
    "a name in JSON": ("a.json", json.dumps({SECRET: "a"}), UNKNOWN),
    "an output": ("a.ipynb", json.dumps({"cells": [{"outputs": [{"text": [SECRET]}]}]}), UNKNOWN),
    "metadata": ("a.ipynb", json.dumps({"metadata": {"a": {"b": SECRET}}}), UNKNOWN),
    "a picture of a notebook": ("a.ipynb", json.dumps({"data": {"image/png": "aa"}}), "a picture"),
    "a table": ("a.csv", f"a,b\n1,{SECRET}\n", UNKNOWN),
    "a formula after a semicolon": ("a.csv", "a;b\na;=B1\n", "a live formula"),
    "a cell": ("a.xlsx", zipped("xl/worksheets/sheet1.xml", f"<v>{SECRET}</v>"), UNKNOWN),
    "a text of cells": ("a.xlsx", zipped("xl/sharedStrings.xml", f"<t>{SECRET}</t>"), UNKNOWN),
    "a note": ("a.xlsx", zipped("xl/comments1.xml", "<t>a</t>"), "a comment"),
    "a name": ("a.xlsx", zipped("xl/workbook.xml", "<definedName n='a'>"), "a defined name"),
    "a sheet": ("a.xlsx", zipped("xl/workbook.xml", '<sheet state="veryHidden"/>'), "a hidden"),
    "properties": ("a.docx", zipped("docProps/custom.xml", "<a/>"), "properties of its own"),
    "a file within": ("a.docx", zipped("word/embeddings/a.bin", "a"), "a file within it"),
    "of the archive": ("a.xlsx", zipped("a.xml", "", SECRET), "a comment of the archive"),
    "a string of a PDF": ("a.pdf", pdf(SECRET, packed=False), UNKNOWN),
    "a packed stream": ("a.pdf", pdf(SECRET, packed=True), UNKNOWN),
    "octal digits": ("a.pdf", pdf(SECRET.replace("3", "\\063"), packed=True), UNKNOWN),
    "an author": ("a.pdf", b"%PDF-1.7\n<</Author (a)>>", "who made it"),
    "a picture's text": ("a.png", png(SECRET), "property Comment: line 1: " + UNKNOWN),
    "a picture": ("a.jpg", b"no picture", "cannot be looked through"),
    "an archive that is none": ("a.xlsx", b"PK", "cannot be looked through"),
    "another kind": ("a.parquet", b"PAR1", "cannot be looked through"),
    "an identifier in wide digits": ("a.txt", "\uff11\uff19 Jan 1980", "full date of birth"),
}


@pytest.mark.parametrize("place", PLACES)
def test_it_is_found(tmp_path, place):
    name, content, words = PLACES[place]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    told = faults(tmp_path)
    assert any(words in fault for fault in told), told
    assert any("was not written by tfeval release" in fault for fault in told)
    assert not any(SECRET in fault for fault in told)


def test_what_says_nothing_is_only_foreign(tmp_path):
    (tmp_path / "a.html").write_text("<p class='a1'>Nothing here.</p>")
    (tmp_path / "a.html").chmod(0o600)
    tmp_path.chmod(0o700)
    only = ["index.html: is not there, or is no file", "a.html: was not written by tfeval release"]
    assert faults(tmp_path) == only
