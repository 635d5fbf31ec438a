"""What tests read of a workbook: each cell's value, formula and address, from the file's XML."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINKS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True)
class Cell:
    """A cell: where it is, what it shows, and the formula behind it."""

    address: str
    value: str | float | None
    formula: str = ""


@dataclass(frozen=True)
class Read:
    """A sheet: its rows, links by address, widths in characters, and the row that is frozen."""

    name: str
    rows: list[list[Cell]]
    links: dict[str, str]
    widths: list[float]
    frozen: int

    @property
    def table(self) -> list[dict[str, Cell]]:
        """Rows of the table, by heading: from the widest row on."""
        width = max(map(len, self.rows))
        first = next(at for at, row in enumerate(self.rows) if len(row) == width)
        names = [str(cell.value) for cell in self.rows[first]]
        return [dict(zip(names, row, strict=True)) for row in self.rows[first + 1 :]]

    def cell(self, heading: str, **where: object) -> Cell:
        """Return the one cell under a heading whose row begins with these words."""
        found = [row for row in self.table
                 if all(row[name.replace("_", " ")].value == value
                        for name, value in where.items())]  # fmt: skip
        assert len(found) == 1, (heading, where, len(found))
        return found[0][heading]


def read_workbook(path: str | Path) -> dict[str, Read]:
    """Return the sheets of a workbook by their names."""
    with zipfile.ZipFile(path) as book:
        root = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        words = ["".join(part.itertext()) for part in root.iter(f"{MAIN}si")]
        listed = ElementTree.fromstring(book.read("xl/workbook.xml"))
        found = {}
        for at, sheet in enumerate(listed.iter(f"{MAIN}sheet"), 1):
            tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{at}.xml"))
            about = f"xl/worksheets/_rels/sheet{at}.xml.rels"
            kept = ElementTree.fromstring(book.read(about)) if about in book.namelist() else ()
            to = {one.get("Id"): one.get("Target") for one in kept}
            found[sheet.get("name")] = _read(sheet.get("name"), tree, words, to)
    return found


def _read(name: str, tree: ElementTree.Element, words: list[str], to: dict) -> Read:
    rows = [[_cell(cell, words) for cell in row.iter(f"{MAIN}c")]
            for row in tree.iter(f"{MAIN}row")]  # fmt: skip
    links = {one.get("ref"): to.get(one.get(LINK)) or f"#{one.get('location')}"
             for one in tree.iter(f"{MAIN}hyperlink")}  # fmt: skip
    widths = [float(one.get("width")) for one in tree.iter(f"{MAIN}col")
              for _ in range(int(one.get("min")), int(one.get("max")) + 1)]  # fmt: skip
    pane = tree.find(f".//{MAIN}pane")
    return Read(name, rows, links, widths, 0 if pane is None else int(pane.get("ySplit", 0)))


def _cell(cell: ElementTree.Element, words: list[str]) -> Cell:
    value, formula = cell.find(f"{MAIN}v"), cell.findtext(f"{MAIN}f", "")
    shown: str | float | None = None if value is None else value.text
    if value is not None and cell.get("t") == "s":
        shown = words[int(value.text)]
    elif value is not None and cell.get("t", "n") == "n":
        shown = float(value.text)
    return Cell(cell.get("r"), shown, formula)
