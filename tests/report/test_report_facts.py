"""A made report says each recorded fact in one way: on every page and in the workbook."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import tfeval as tf
from tests.money.sheets import read_workbook
from tfeval.display.words import fact
from tfeval.report.execute import execute
from tfeval.report.parameters import read_notebook
from tfeval.report.plan import plan
from tfeval.report.record import Record, from_content, make_record
from tfeval.report.run import run_jobs
from tfeval.settings import project_folder

MARKS = ("\ue000", "\ue001", "\ue002")
PAGES = ("01_programme_and_budget", "06_claims_against_impact", "07_value_for_money", "08_summary")


def faults(html: str, own: str, records: dict[str, dict[str, Record]]) -> list[str]:
    """Return every fact on a page that is not its record, formatted once; and marks left over.

    The page says itself which record a number states: `<data value="notebook/name">words</data>`.
    """
    found = [f"a mark is left over {html.count(mark)} times" for mark in MARKS if mark in html]
    for element in BeautifulSoup(html, "html.parser").find_all("data"):
        notebook, _, name = element["value"].rpartition("/")
        name, _, side = name.partition(".")
        record = records.get(notebook or own, {}).get(name)
        if record is None:
            found.append(f"{element['value']}: there is no such record")
            continue
        record = record.end(side) if side else record
        forms = {fact(record.value, record.unit, record.digits, short=short)
                 for short in (False, True)}  # fmt: skip
        if element.get_text() not in forms:
            found.append(f"{element['value']}: {element.get_text()} and not {sorted(forms)}")
    return found


def read(folder: Path) -> dict[str, Record]:
    content = json.loads((folder / "records.json").read_text(encoding="utf-8"))
    return {row["name"]: from_content(row) for row in content["records"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """The summary, an authority's page and all that they read, on a small extract."""
    folder = tmp_path_factory.mktemp("report")
    tf.simulate_to(folder / "records", families=4_000, seed=3)
    jobs = plan(["08_summary", "local_authority"], {"extract": str(folder / "records")},
                project_folder("notebooks"))  # fmt: skip
    outcomes = run_jobs(jobs, folder / "out")
    assert [item.error for item in outcomes if not item.good] == []
    return {item.notebook: item.page.parent for item in outcomes}


@pytest.mark.slow(reason="makes a whole report")
def test_every_fact_on_every_page_is_its_record_formatted_once(made):
    records = {name: read(folder) for name, folder in made.items()}
    for name, folder in made.items():
        html = (folder / "report.html").read_text(encoding="utf-8")
        assert faults(html, name, records) == [], name
        stated = BeautifulSoup(html, "html.parser").find_all("data")
        assert bool(stated) or name not in PAGES, name
        told = (folder / "notebook.ipynb").read_text(encoding="utf-8")
        assert not any(mark in told or json.dumps(mark)[1:-1] in told for mark in MARKS), name
    assert not any(
        mark in str(record.value) for held in records.values() for record in held.values()
        for mark in MARKS
    )  # fmt: skip


@pytest.mark.slow(reason="makes a whole report")
def test_the_workbook_and_the_records_hold_the_same_numbers(made):
    folder = made["07_value_for_money"]
    records, sheets = read(folder), read_workbook(folder / "value_for_money.xlsx")
    account = f"{sheets['Assumptions'].cell('Value', Assumption='Account of the page').value}"
    column = f"{account.capitalize()} account"
    pairs = {"benefits": "Benefits", "costs": "Costs", "npv": "Net present value",
             "benefit_cost_ratio": "Benefit for each £1 of cost",
             "families": "Families reached"}  # fmt: skip
    shown = {name: sheets["Summary"].cell(column, Measure=measure).value
             for name, measure in pairs.items()}  # fmt: skip
    shown["cost_per_family"] = sheets["Summary"].cell(f"{column}, a family", Measure="Costs").value
    shown["fiscal_ratio"] = sheets["Summary"].cell(
        "Fiscal account", Measure=pairs["benefit_cost_ratio"]).value  # fmt: skip
    for name, value in shown.items():
        assert value == pytest.approx(records[name].number, rel=1e-9), name
    for side, heading in (("low", "From"), ("high", "To")):
        value = sheets["Uncertainty"].cell(heading, Account=account, Measure=pairs["npv"]).value
        assert value == pytest.approx(records["npv"].end(side).number, rel=1e-9)
    designs = sheets["Designs"].table
    net = [row["Net present value"].value for row in designs]
    assert min(net) == pytest.approx(records["npv_least_design"].number, rel=1e-9)
    assert max(net) == pytest.approx(records["npv_most_design"].number, rel=1e-9)
    # One interval has one pair of ends: the chosen design's is the page's own.
    chosen = next(row for row in designs if row["Design"].value == "as chosen")
    ends = [chosen["From"].value, chosen["To"].value]
    assert ends == pytest.approx([records["npv"].low, records["npv"].high], rel=1e-9)
    assert sum(value >= 0 for value in net) == records["designs_paying"].number


@pytest.mark.slow(reason="makes a whole report")
def test_every_record_carries_its_subject(made):
    value, claims = (read(made[name]) for name in ("07_value_for_money", PAGES[1]))
    about = value["npv"].subject
    assert (about.phase, about.price_year, about.horizon, about.basis) == (
        "one", 2024, 12, "simulated")  # fmt: skip
    assert dict(about.choices)["estimator"] == "adjusted"
    assert "records" not in json.dumps(about.written()).replace("records#", "")
    assert claims["claimed_families"].subject.basis == "published"
    assert claims["ratio_2019_total"].subject.phase == "two"
    assert claims["own_share"].subject.basis == "simulated"


@pytest.mark.slow(reason="makes a whole report")
@pytest.mark.parametrize("name", ["07_value_for_money", "08_summary", "local_authority"])
def test_a_notebook_opened_by_hand_refuses_stored_records_of_another_phase(tmp_path, name):
    content = read_notebook(project_folder("notebooks") / f"{name}.ipynb")
    _, failure = execute(content, {"phase": "two", "price_year": 2015}, tmp_path)
    assert failure is not None and failure.own
    assert "records of phase one" in failure.message
    assert "this page asks for phase two" in failure.message
    assert not list(tmp_path.glob("*.xlsx"))


def test_a_number_that_is_not_its_record_is_found():
    held = {"07": {"npv": make_record("npv", -1.296e9, "£", interval=(-1.43e9, -0.6994e9))}}
    good = '<data value="npv">−\u2060£1.3bn</data> <data value="07/npv.high">−\u2060£699m</data>'
    assert faults(good, "07", held) == []
    assert "£700m" in faults(good.replace("699", "700"), "07", held)[0]
    assert "no such record" in faults('<data value="nvp">1</data>', "07", held)[0]
    assert "left over" in faults(f"{MARKS[0]}npv", "07", held)[0]


def test_a_table_of_facts_keeps_its_marks_in_html_alone():
    record = make_record("npv", -1.296e9, "£", interval=(-1.43e9, -0.6994e9))
    shown = tf.table(pd.DataFrame({"Value": [record.interval()]}), "What it was worth")
    assert '<data value="npv.low">' in shown.html()
    assert not any(mark in shown.html() + shown.text() for mark in MARKS)
    box = tf.answer("?", "Published", "Adding up", f"It is {record}.")
    assert box.html().count("<data") == 1
    assert box.text().startswith("Headline: It is −\u2060£1.3bn.")
