"""Tiny notebooks and a small project to run them in."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import tfeval as tf
from tests.report.analyses import Kept
from tfeval.programme import claims
from tfeval.report import fingerprint, record
from tfeval.report.chapters import impact, specifications, value
from tfeval.report.plan import plan
from tfeval.report.run import run_jobs

PARAMETERS = """phase: str = "one"  # phase of the programme
price_year: int = 2014  # prices of this financial year
rate: float | None = None  # discount rate
"""
OK = [
    "# What did it cost?",
    ("code", "from tfeval.display.charts import bar_chart\n"
             "from tfeval.report.notebook_parts import answer, provenance\n"
             "from tfeval.report.record import record\n"
             "from tfeval.display.tables import table\nimport pandas as pd"),
    ("code", 'answer("What did it cost?", "Published", "Adding up", "£448 million <in all>.")'),
    ("parameters", PARAMETERS),
    "## Budget\n\n#### Deep\n\nA share $s = \\frac{a}{b}$ of [the claims](02_reads.ipynb), "
    "[source](https://www.gov.uk/), [bad](javascript:alert(1)).\n\n$$\\sum_i x_i$$\n\n"
    "# A second first-level heading",
    ("code", 'frame = pd.DataFrame({"Department": ["A", "B"], "Budget": [100.5, None]})\n'
             'source = {"title": "HC 711", "url": "https://www.parliament.uk/", "status": "read"}\n'
             'table(frame, "Budget by department", sources=[source])'),
    ("code", 'bar_chart(frame["Department"], frame["Budget"], title="One paid for half",\n'
             '          alt="Bar chart: department A paid 100.5, B is not published.",\n'
             '          sources=[source])'),
    ("code", "frame"),
    ("code", 'for number in range(500):\n    print("line", number)'),
    ("code", 'record("budget", 448.0000001, "£m")\nrecord("price_year", price_year)'),
    ("code", "provenance(phase=phase)"),
]  # fmt: skip
READS = [
    "# What was claimed?",
    ("parameters", 'records: str = "stored"  # where the chapters it reads are\n'),
    ("code", "from tfeval.report.record import read_records, record\n"
             'before = read_records("01_ok", records)\n'
             'record("twice", before["budget"].value * 2, "£m")\n'
             'record("price_year_read", before["price_year"].value)'),
]  # fmt: skip
BROKEN = [
    "# Does it break?",
    ("code", 'print("before the fault")'),
    ("code", "from tfeval.errors import DataError\n"
             'raise DataError("Table families: 3 rows without a date. Give each a date.")'),
    ("code", 'print("after the fault")'),
]  # fmt: skip
READS_BROKEN = [
    "# Does it go on?",
    ("parameters", 'records: str = "stored"  # where the chapters it reads are\n'),
    ("code", "1"),
]
AREA = [
    "# What happened here?",
    ("parameters", 'local_authority: str = "Sefton"  # one authority\n'),
    ("code", "local_authority"),
]


def notebook(cells: list, **metadata: object) -> nbformat.NotebookNode:
    """Build a notebook from markdown strings and (kind, source) pairs, ids by position."""
    made = []
    for number, cell in enumerate(cells):
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell, id=f"c{number}"))
        else:
            kind, source = cell
            tags = {"tags": ["parameters"]} if kind == "parameters" else {}
            made.append(nbformat.v4.new_code_cell(source, id=f"c{number}", metadata=tags))
    return nbformat.v4.new_notebook(cells=made, metadata={"tfeval": metadata} if metadata else {})


@pytest.fixture(scope="session")
def write() -> Callable:
    """A function that writes a notebook into a folder."""

    def written(folder: Path, name: str, cells: list, **metadata: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook(cells, **metadata), str(path))
        return path

    return written


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with four authorities, five price years and two Green Book editions."""
    root = tmp_path_factory.mktemp("project")
    tables = {
        "local_authorities": [
            {"code": "E08000014", "name": "Sefton"},
            {"code": "E08000012", "name": "Liverpool"},
            {"code": "E06000017", "name": "Rutland"},
            {"code": "E06000010", "name": "Kingston upon Hull, City of"},
        ],
        "deflators": [
            {"figure": "gdp_deflator_financial_year", "period": f"{year}-{year % 100 + 1}"}
            for year in range(2012, 2017)
        ]
        + [{"figure": "gdp_deflator_calendar_year", "period": "1999"}],
        "discount_rates": [{"edition": edition} for edition in ("2003", "2022", "2003")],
    }
    folder = root / "data" / "published"
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    (root / "notebooks").mkdir()
    return root


@pytest.fixture
def facts(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project in place of the real one."""
    for module in (claims, fingerprint):
        monkeypatch.setattr(module, "project_folder", lambda name: project / name)
    return project


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory, project: Path, write: Callable
) -> SimpleNamespace:
    """Five notebooks run once: two good, one that fails, one that reads it, one of an area."""
    folder = tmp_path_factory.mktemp("notebooks")
    out = tmp_path_factory.mktemp("reports")
    write(folder, "01_ok", OK)
    write(folder, "02_reads", READS, reads=["01_ok"])
    write(folder, "03_broken", BROKEN)
    write(folder, "04_reads_broken", READS_BROKEN, reads=["03_broken"])
    write(folder, "local_authority", AREA)
    with pytest.MonkeyPatch.context() as patch:
        for module in (claims, fingerprint):
            patch.setattr(module, "project_folder", lambda name: project / name)
        names = ["04_reads_broken", "02_reads"]  # what they read comes along
        jobs = plan(names, {}, folder)
        outcomes = run_jobs(jobs, out)
    return SimpleNamespace(
        folder=folder, out=out, outcomes={item.notebook: item for item in outcomes}, jobs=jobs
    )


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Records of notebooks that are run in a test, in the place of their outputs."""
    held = Kept()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tf, "read_records", held.read, raising=False)
    for module in (record, value):
        monkeypatch.setattr(module, "keep", held.keep)
    for module in (tf, impact, specifications):
        monkeypatch.setattr(module, "record_table", held.record_table, raising=False)
    return held
