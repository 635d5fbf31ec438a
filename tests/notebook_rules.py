"""The rules that every notebook of the project keeps, checked on its JSON."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from tfeval.errors import TfevalError
from tfeval.report.fingerprint import source
from tfeval.report.parameters import notebook_parameters

IMPORTS = {"import tfeval as tf", "import pandas as pd"}
LAST_HEADINGS = ["Limits", "Records", "Provenance"]
_BANNED = {
    ast.FunctionDef: "def", ast.AsyncFunctionDef: "def", ast.ClassDef: "class", ast.For: "for",
    ast.While: "while", ast.Lambda: "lambda",
}  # fmt: skip
_MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])/(home|root|Users|tmp|var|opt|private|mnt|workspace|work|usr)/[\w.-]+"
    r"|[A-Z]:\\\\Users|site-packages|ipykernel_\d+"
)


def faults(notebook: dict[str, Any], name: str) -> list[str]:
    """Return every rule that a notebook breaks, in words; none for a good one."""
    cells = [{**cell, "source": source(cell)} for cell in notebook["cells"]]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    return [
        *_title(cells), *_parameters(notebook, name), *_code(code), *_answer(code),
        *_prose_before_code(cells), *_last_headings(cells), *_outputs(code),
    ]  # fmt: skip


def _title(cells: list[dict[str, Any]]) -> list[str]:
    first = cells[0] if cells else {"cell_type": "none", "source": ""}
    line = first["source"].strip().split("\n")[0]
    good = first["cell_type"] == "markdown" and line.startswith("# ") and line.endswith("?")
    return [] if good else ["the first cell is no title that ends in a question mark"]


def _parameters(notebook: dict[str, Any], name: str) -> list[str]:
    try:
        found = notebook_parameters(notebook, name)
    except TfevalError as fault:
        return [str(fault)]
    return [] if found else ["there is no parameters cell"]


def _code(code: list[dict[str, Any]]) -> list[str]:
    found = []
    for number, cell in enumerate(code, start=1):
        where = f"code cell {number}"
        lines = [line for line in cell["source"].splitlines() if line.strip()]
        # A parameter has a line of its own, however many there are.
        parameters = "parameters" in cell.get("metadata", {}).get("tags", [])
        if len(lines) > 10 and not parameters:
            found.append(f"{where} has {len(lines)} lines")
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError:
            found.append(f"{where} is not plain Python")
            continue
        for node in ast.walk(tree):
            if type(node) in _BANNED:
                found.append(f"{where} has a {_BANNED[type(node)]}")
            if isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node) not in IMPORTS:
                found.append(f"{where}: {ast.unparse(node)}")
    if not any("import tfeval as tf" in cell["source"] for cell in code):
        found.append("import tfeval as tf is missing")
    return found


def _answer(code: list[dict[str, Any]]) -> list[str]:
    shown = [cell for cell in code if "tfeval-answer" in json.dumps(cell.get("outputs", []))]
    return [] if len(shown) == 1 else [f"{len(shown)} answer boxes are shown, not one"]


def _prose_before_code(cells: list[dict[str, Any]]) -> list[str]:
    """A table or figure is led in by prose: no two cells that show something stand together."""
    found, shown_before = [], True
    number = 0
    for cell in cells:
        if cell["cell_type"] == "markdown":
            shown_before = False
            continue
        number += 1
        if not _shows(cell):
            continue
        if shown_before:
            found.append(f"code cell {number} shows something without prose before it")
        shown_before = True
    return found


def _shows(cell: dict[str, Any]) -> bool:
    kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
    text = json.dumps(cell.get("outputs", []))
    return any(kind in ("text/html", "image/png") for kind in kinds) and "tfeval-answer" not in text


def _last_headings(cells: list[dict[str, Any]]) -> list[str]:
    headings = [
        line.lstrip("# ").strip()
        for cell in cells
        if cell["cell_type"] == "markdown"
        for line in cell["source"].splitlines()
        if re.match(r"##\s", line)
    ]
    if headings[-3:] == LAST_HEADINGS:
        return []
    return [f"the last headings are {headings[-3:]}, not {LAST_HEADINGS}"]


def _outputs(code: list[dict[str, Any]]) -> list[str]:
    found = []
    counts = [cell.get("execution_count") for cell in code if cell["source"].strip()]
    if counts != list(range(1, len(counts) + 1)):
        found.append("it is not stored as run once from top to bottom: tfeval store")
    if not any(cell.get("outputs") for cell in code):
        found.append("it is stored without outputs: tfeval store")
    for number, cell in enumerate(code, start=1):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append(f"code cell {number} is stored with an error")
            words = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            path = _MACHINE_PATH.search(json.dumps([words, output.get("text", "")]))
            if path:
                found.append(f"code cell {number} shows a path of a machine: {path[0]}")
    return found
