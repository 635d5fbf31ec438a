"""What readers see of an appraisal: tables, charts, the workbook; nothing of small numbers."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import tfeval as tf
from tests.money.appraised import CRIME, PLAIN, correlated, effects_of, whole
from tfeval.display.words import amount
from tfeval.errors import DataError, ParameterError, ReportError

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_workbook(path) -> dict[str, list[list]]:
    """Return the cells of each sheet, by its name."""
    with zipfile.ZipFile(path) as book:
        root = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        words = ["".join(part.itertext()) for part in root.iter(f"{MAIN}si")]
        names = [
            sheet.get("name")
            for sheet in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
        ]
        found = {}
        for at, name in enumerate(names, 1):
            sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{at}.xml"))
            found[name] = [
                [_value(cell, words) for cell in row.iter(f"{MAIN}c")]
                for row in sheet.iter(f"{MAIN}row")
            ]
    return found


def _value(cell, words):
    value = cell.find(f"{MAIN}v")
    if value is None:
        return None
    return words[int(value.text)] if cell.get("t") == "s" else float(value.text)


def table_of(rows: list[list]) -> list[dict]:
    """Return a sheet's table: from the widest row on."""
    width = max(len(row) for row in rows)
    first = next(at for at, row in enumerate(rows) if len(row) == width)
    return [dict(zip(rows[first], row, strict=True)) for row in rows[first + 1 :]]


def test_every_pound_in_the_workbook_is_its_factors_and_they_add_up(tmp_path):
    found = whole(claims=116_654, horizon=3)
    drawn = found.uncertainty(draws=200)
    path = found.to_workbook(tmp_path / "value.xlsx", drawn)
    sheets = read_workbook(path)
    assert list(sheets)[:2] == ["Cover", "Contents"]
    lines = table_of(sheets["Lines"])
    assert sum(row["Present value"] for row in lines) == pytest.approx(found.npv)
    prices = {(row["Outcome"], row["Component"]): row for row in table_of(sheets["Unit costs"])}
    for row in lines:
        if row["Kind"] == "cost":
            continue
        quantity = row["Effect"] * row["Families"] * row["Profile"]
        assert row["Quantity"] == pytest.approx(quantity)
        pounds = -row["Quantity"] * row["Unit cost"] * row["Factor"]
        assert row["Undiscounted"] == pytest.approx(pounds)
        assert row["Present value"] == pytest.approx(pounds * row["Discount factor"])
        price = prices[(row["Outcome"], row["Component"])]
        assert abs(row["Unit cost"]) == pytest.approx(abs(price["Amount"]))
        assert price["Source title"]
        assert price["Url"].startswith("https://")
    summary = {row["Measure"]: row["Value"] for row in table_of(sheets["Summary"])}
    assert summary["net present value"] == pytest.approx(found.npv)
    asked = {row["Parameter"]: row for row in table_of(sheets["Parameters"])}
    assert asked["horizon"]["Value asked"] == "3"
    assert asked["horizon"]["Range"] == "1 to 60 years"


def test_the_workbook_is_accessible_and_the_same_again(tmp_path):
    found = whole(horizon=2)
    one, other = (found.to_workbook(tmp_path / f"{name}.xlsx") for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as book:
        sheets = [name for name in book.namelist() if re.match(r"xl/worksheets/sheet\d+", name)]
        tables = [name for name in book.namelist() if name.startswith("xl/tables/")]
        assert not any(b"mergeCell" in book.read(name) for name in sheets)
        assert b"Value for money" in book.read("docProps/core.xml")
    assert len(tables) == len(sheets) - 1  # one a sheet, none on the cover
    for name, rows in read_workbook(one).items():
        if name not in ("Cover", "Contents", "Notes"):
            cells = [value for row in table_of(rows) for value in row.values()]
            assert all(value is not None for value in cells), name


def test_a_workbook_needs_a_place_and_ten_families(tmp_path):
    found = tf.appraise(effects_of({"offences": -0.1}), 1.0, families=20)
    with pytest.raises(ReportError, match=r"an \.xlsx file"):
        found.to_workbook(tmp_path / "value.csv")
    with pytest.raises(ReportError, match="a folder that exists"):
        found.to_workbook(tmp_path / "nowhere" / "value.xlsx")
    few = tf.appraise(effects_of({"offences": -0.1}), 1.0, families=9)
    with pytest.raises(DataError, match="fewer than 10 families"):
        few.to_workbook(tmp_path / "value.xlsx")


def test_effects_of_too_few_are_not_valued_and_their_size_is_not_told():
    small = {"events_treated": [50.0, 4.0], "events_comparison": [90.0, 40.0],
             "n_treated": 500.0, "n_comparison": 900.0}  # fmt: skip
    effects = effects_of({"offences": -0.1234, "custody": -0.0567}, **small)
    found = tf.appraise(effects, 1.0, families=1_000)
    assert found.model.outcomes == ("offences",)
    assert "1 of 2 outcomes" in found.table().text()
    left = found.not_monetised().set_index("what")
    assert left.loc["custody", "kind"] == "too_few"
    assert np.isnan(left.loc["custody", "estimate"])
    assert list(found.additional()["outcome"]) == ["offences"]
    with pytest.raises(DataError, match="nothing can be appraised that may be shown"):
        tf.appraise(effects.select("custody"), 1.0, families=1_000)
    with pytest.raises(ParameterError, match="no effect on custody"):
        tf.appraise(effects, 1.0, families=1_000, result="custody")


def test_tables_say_what_an_appraisal_says():
    effects = effects_of({"offences": -0.2, "turned_around": 0.05}, 0.3)
    found = tf.appraise(
        effects, 20_000, families=1_000, horizon=3, claims=800, result="turned_around",
        unit_cost_table=CRIME, **PLAIN,
    )  # fmt: skip
    text = found.table().text()
    assert "£31,494" in text
    assert "£2.57" in text
    assert "2012-13" in text  # payback
    drawn = found.uncertainty(draws=500)
    assert "500 joint draws" in drawn.table().text()
    five = found.five_es(drawn).text()
    for part in ("£20 for each of 1,000 families", "£25 for each of 800 results claimed",
                 "Additional results: 50, at £400 each"):  # fmt: skip
        assert part in five
    assert "score" not in five.lower()
    assert "never" in tf.appraise(effects, 1e9, families=1_000).table().text()


def test_simulated_records_are_said_to_be_so_everywhere():
    found = whole(horizon=2)
    simulated = replace(found, simulated=True)
    drawn = simulated.uncertainty(draws=200)
    for shown in (simulated.table(), simulated.five_es(), drawn.table()):
        assert "Simulated records" in shown.caption
        assert "Simulated records: not findings" in shown.notes[0]
    for kind in ("waterfall", "payers", "tornado"):
        assert simulated.plot(kind).title.startswith("Simulated records")
        assert not found.plot(kind).title.startswith("Simulated")
    assert drawn.plot().title.startswith("Simulated records")


def test_charts_draw_what_an_appraisal_says():
    found = whole(horizon=3)
    fall = found.plot().data.set_index("label")["value"]
    assert fall["Net present value"] == pytest.approx(found.npv / 1e6)
    years = found.plot("payers").data
    assert years["Net"].sum() == pytest.approx(found.benefits / 1e6)
    widest = found.one_way()["swing"].max()
    tornado = found.plot("tornado").data.iloc[0]
    assert abs(tornado["at_high"] - tornado["at_low"]) == pytest.approx(widest / 1e6)
    drawn = found.uncertainty(draws=300)
    curve = drawn.plot().data
    assert curve["Worth it"].is_monotonic_decreasing
    assert drawn.plot("offences", most=100.0).data["willingness"].max() == 100.0
    with pytest.raises(ParameterError, match="no plot pie"):
        found.plot("pie")


def test_amounts():
    written = [amount(float("nan"), "year"), amount(2012.0, "year"), amount(-0.5, "£ for each £1")]
    assert written == ["never", "2012-13", "\N{MINUS SIGN}\N{WORD JOINER}£0.50"]


def test_designs_are_appraised_alike():
    effects = correlated(effects_of({"offences": -0.2, "custody": -0.001}, 0.5))
    asked = {"families": 1_000, "horizon": 2, "persistence": 0.5}
    weaker = replace(effects, frame=effects.frame.assign(estimate=effects.frame["estimate"] / 10))
    found = tf.appraise_designs({"one": effects, "two": weaker}, 100_000, draws=500, **asked)
    alone = tf.appraise(effects, 100_000, **asked)
    row = found.frame.set_index("design").loc["one"]
    assert row["npv"] == pytest.approx(alone.npv)
    assert (row["low"], row["high"]) == alone.uncertainty(draws=500).interval()
    assert found.range == (found.frame["npv"].min(), found.frame["npv"].max())
    assert found.same_sign == (len(set(found.frame["npv"] >= 0)) == 1)
    assert "under each design" in found.table().text()
    assert len(found.plot().data) == 2
    with pytest.raises(ParameterError, match="at least one design"):
        tf.appraise_designs({}, 1.0, families=10)
