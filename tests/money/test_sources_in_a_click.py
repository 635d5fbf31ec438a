"""Every unit cost and every line of cost, on pages and in the workbook, is a click from its source.

Pages are the stored notebooks' outputs, of which made pages are printed: every row is looked at.
"""

from __future__ import annotations

import json
import re
from html import escape

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

import tfeval as tf
from tests.money.appraised import effects_of
from tests.money.sheets import read_workbook
from tfeval.money.costs import cost_lines
from tfeval.money.unit_costs import second_opinions, unit_costs
from tfeval.settings import project_folder

SPENT = tf.programme_costs("one", price_year=2024)


def shown(notebook: str, caption: str) -> list[dict[str, Tag]]:
    """Return the rows of the one table whose caption begins so, by heading."""
    path = project_folder("notebooks") / f"{notebook}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [one for cell in cells for one in cell.get("outputs", [])]
    first = escape(caption)
    html = ["".join(one.get("data", {}).get("text/html", "")) for one in outputs]
    tables = [BeautifulSoup(text, "html.parser").table for text in html
              if re.search(f"<caption[^>]*>{re.escape(first)}", text)]  # fmt: skip
    assert len(tables) == 1, (caption, len(tables))
    names = [one.get_text(strip=True) for one in tables[0].thead.find_all("th")]
    return [dict(zip(names, row.find_all(["th", "td"]), strict=True))
            for row in tables[0].tbody.find_all("tr")]  # fmt: skip


def links(cell: Tag) -> list[str]:
    return [str(one["href"]) for one in cell.find_all("a", href=True)]


@pytest.mark.parametrize(
    ("caption", "registry"),
    [("Unit costs, in prices of", unit_costs(2024)), ("What other sources say", second_opinions())],
)
def test_each_unit_cost_of_chapter_7_links_to_the_address_of_its_own_source(caption, registry):
    rows = shown("07_value_for_money", caption)
    assert len(rows) == len(registry) > 10
    for row, known in zip(rows, registry.to_dict("records"), strict=True):
        assert row["What is counted"].get_text(strip=True) == known["component"]
        assert links(row["Source"]) == [known["url"]], known["component"]
        assert known["url"].startswith("http")


def test_each_cost_line_of_chapter_7_links_to_every_source_it_has():
    rows = shown("07_value_for_money", "What is counted as the programme's cost")
    lines = {(line.name, line.payer): line for line in cost_lines("one")}
    assert {(row["Cost line"].get_text(strip=True), row["Paid by"].get_text(strip=True))
            for row in rows} == set(lines)  # fmt: skip
    assert len(rows) == len(lines)
    for row in rows:
        line = lines[row["Cost line"].get_text(strip=True), row["Paid by"].get_text(strip=True)]
        assert links(row["Source"]) == [source.url for source in line.sources]
        assert links(row["Source"])


def test_each_cost_of_a_family_in_chapter_6_links_to_its_source_or_to_all_beneath():
    rows = shown("06_claims_against_impact", "What a family cost")
    assert len(rows) == len(tf.costs_of_a_family())
    for row in rows:
        ours = row["Whose figure"].get_text(strip=True) == "ours"
        told = row["Source"].get_text(strip=True)
        assert links(row["Source"]) or (ours and told == "all of those under the table")


def test_every_row_of_the_workbook_that_has_a_price_has_its_link(tmp_path):
    priced = unit_costs(2024)
    effects = effects_of(dict.fromkeys(sorted(set(priced["outcome"])), 0.01), 0.3)
    found = tf.appraise(effects, SPENT, families=1_000)
    sheets = read_workbook(found.to_workbook(tmp_path / "value.xlsx"))
    urls = priced.set_index("component").groupby(level=0)["url"].agg(set)
    for name, heading, words in (("Unit costs", "Source", "Component"),
                                 ("Lines", "Source of the unit cost", "Component")):  # fmt: skip
        sheet = sheets[name]
        assert len(sheet.table) >= len(found.valued.costs)
        for row in sheet.table:
            assert sheet.links[row[heading].address] in urls[row[words].value]
    costs, sources = sheets["Costs"], sheets["Sources"]
    assert len(costs.table) == len(SPENT)
    expected = {key: set(" ".join(rows["urls"]).split()) for key, rows in SPENT.groupby("line")}
    for row in costs.table:
        assert costs.links[row["Source"].address] in expected[row["Cost line"].value]
    listed = pd.DataFrame([(row["Cost line"].value, sources.links[row["Source"].address])
                           for row in sources.table], columns=["line", "url"])  # fmt: skip
    assert {key: set(rows) for key, rows in listed.groupby("line")["url"]} == expected
