"""The project's notebooks keep the rules; and the rules are shown to catch what breaks them."""

from __future__ import annotations

import ast
import copy
import json
import re
from dataclasses import fields

import pytest

import tfeval as tf
from tests.notebook_rules import faults
from tfeval.report.parameters import declared, notebook_parameters, read_notebook
from tfeval.settings import project_folder

STORED = sorted(project_folder("notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", STORED, ids=[path.stem for path in STORED])
def test_a_notebook_keeps_the_rules(path):
    assert faults(json.loads(path.read_text(encoding="utf-8")), path.stem) == []


def markdown(text):
    return {"cell_type": "markdown", "source": text, "metadata": {}}


def code(text, count, *outputs, tags=()):
    return {"cell_type": "code", "source": text, "metadata": {"tags": list(tags)},
            "execution_count": count, "outputs": list(outputs)}  # fmt: skip


def shown(html):
    return {"output_type": "execute_result", "data": {"text/html": html, "image/png": "/tmp/a"}}


GOOD = {
    "nbformat": 4,
    "metadata": {},
    "cells": [
        markdown("# What did it cost?"),
        code("import tfeval as tf\nimport pandas as pd", 1),
        code('phase: str = "one"  # which phase', 2, tags=["parameters"]),
        code("tf.answer()", 3, shown('<dl class="tfeval-answer"></dl>')),
        markdown("## Budget\n\nWhat follows."),
        code("tf.table()", 4, shown("<table></table>")),
        markdown("## Limits"),
        markdown("## Records"),
        code("tf.record()", 5),
        markdown("## Provenance"),
        code("tf.provenance()", 6, shown("<table></table>")),
    ],
}


def test_a_good_notebook_has_no_fault():
    assert faults(GOOD, "01_x") == []


def edit(place, **changes):
    def changed(cells):
        cells[place] = {**cells[place], **changes}

    return changed


BAD = [
    (edit(0, source="# What it cost"), "question mark"),
    (edit(0, cell_type="code", outputs=[], execution_count=None), "question mark"),
    (edit(1, source="import pandas as pd"), "import tfeval as tf is missing"),
    (edit(1, source="import tfeval as tf\nimport numpy as np"), "import numpy as np"),
    (edit(1, source="import tfeval as tf\nfrom tfeval import money"), "from tfeval import money"),
    (edit(2, source="phase = 'one'"), "no typed parameter"),
    (edit(2, source='phase: str = "one"'), "no comment"),
    (edit(2, metadata={}), "no parameters cell"),
    (edit(3, metadata={"tags": ["parameters"]}), "2 cells tagged parameters"),
    (edit(3, outputs=[]), "0 answer boxes"),
    (edit(5, source="def f():\n    return 1"), "has a def"),
    (edit(5, source="class A: pass"), "has a class"),
    (edit(5, source="for i in []: pass"), "has a for"),
    (edit(5, source="while False: pass"), "has a while"),
    (edit(5, source="f = lambda: 1"), "has a lambda"),
    (edit(5, source="%matplotlib inline"), "not plain Python"),
    (edit(5, source="\n".join("x = 1" for _ in range(11))), "11 lines"),
    (edit(5, execution_count=9), "run once from top to bottom"),
    (edit(5, execution_count=None), "run once from top to bottom"),
    (edit(5, outputs=[{"output_type": "error", "ename": "E"}]), "stored with an error"),
    (edit(5, outputs=[{"output_type": "stream", "text": "/home/a/x.csv"}]), "path of a machine"),
    (edit(5, outputs=[shown("C:\\Users\\someone")]), "path of a machine"),
    (edit(4, cell_type="code", outputs=[shown("x")]), "without prose"),
    (edit(7, source="## Recorded"), "last headings"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"), BAD, ids=[str(number) for number in range(len(BAD))]
)
def test_each_broken_rule_is_caught(change, message):
    notebook = copy.deepcopy(GOOD)
    change(notebook["cells"])
    assert any(message in fault for fault in faults(notebook, "01_x"))


def test_a_notebook_without_outputs_is_caught():
    notebook = copy.deepcopy(GOOD)
    for cell in notebook["cells"]:
        cell.pop("outputs", None)
    assert any("without outputs" in fault for fault in faults(notebook, "01_x"))


def test_an_address_on_the_web_is_no_path_of_a_machine():
    notebook = copy.deepcopy(GOOD)
    link = '<a href="https://www.gov.uk/home/office/a.pdf">a</a> read/home/b'
    notebook["cells"][5]["outputs"] = [shown(link)]
    assert faults(notebook, "01_x") == []


def test_an_empty_notebook_is_no_good_one():
    assert len(faults({"cells": [], "metadata": {}}, "01_x")) >= 4


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_parameters_mean_what_is_defined_once(path):
    """The default and the line of help of a notebook's parameter are those of its definition."""
    defaults = {field.name: field.default for kind in (tf.Specification, tf.Assumptions)
                for field in fields(kind)}  # fmt: skip
    meanings = declared()
    for item in notebook_parameters(read_notebook(path), path.stem):
        if item.name in meanings:
            assert item.help == meanings[item.name].words
            assert item.default == defaults[item.name]


@pytest.mark.parametrize("path", STORED, ids=[path.stem for path in STORED])
def test_a_notebook_names_the_chapters_it_reads(path):
    """What the runner runs first is what the cells read."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    read = set(re.findall(r'tf\.read_records\("(\w+)"', "\n".join(cells)))
    assert read == set(content["metadata"].get("tfeval", {}).get("reads", ()))


def calls():
    """Return what the code of each notebook calls of the package, in dots: tf.match, ..."""
    found = {}
    for path in STORED:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code_of = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        nodes = [node for node in ast.walk(ast.parse(code_of)) if isinstance(node, ast.Attribute)]
        found[path.stem] = {ast.unparse(node) for node in nodes}
    return found


def test_notebooks_show_the_package():
    """No chapter loads an analysis; together they call at least 25 public names."""
    used = calls()
    assert not [name for names in used.values() for name in names if name.endswith(".load")]
    public = {name for names in used.values() for name in names
              if name.startswith("tf.") and name.removeprefix("tf.") in tf.__all__}  # fmt: skip
    assert len(public) >= 25, sorted(public)


def test_a_reader_of_chapter_4_sees_cohort_design_balance_estimate():
    shown_there = calls()["04_impact"]
    assert {"tf.cohort", "tf.study", "tf.design", "tf.balance", "tf.estimate"} <= shown_there


@pytest.mark.parametrize("name", ["03_comparison_group", "04_impact", "07_value_for_money",
                                  "09_known_truth", "explore"])  # fmt: skip
def test_every_picture_of_simulated_records_says_so_itself(name):
    """A picture leaves its page: the banner at the head does not go with it."""
    cells = read_notebook(project_folder("notebooks") / f"{name}.ipynb")["cells"]
    shown = [out["data"] for cell in cells for out in cell.get("outputs", []) if "data" in out]
    titles = ["".join(one["text/plain"]).split("\n")[0] for one in shown if "image/svg+xml" in one]
    assert titles and [one for one in titles if not one.startswith("Simulated")] == []
