"""The workbook calculates as the package does, and people and screen readers can read it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.appraised import effects_of, price_list, whole
from tests.money.sheets import read_workbook
from tfeval.errors import DataError, ReportError
from tfeval.programme.published import published

EFFECTS = {"offences": -0.2, "out_of_work": -12.0, "looked_after": 1.5, "employment": 6.0}
COSTS = pd.DataFrame(
    {
        "year": [2012, 2013, 2014], "line": ["Fees", "Fees", "Staff"], "amount": [3e5, 2e5, 1e5],
        "low": [3e5, 2e5, 0.0], "high": [3e5, 2e5, 3e5], "price_year": 2024,
        "payer": ["central government", "central government", "local authority"],
        "sources": ["One; Two", "One; Two", ""], "basis": "for a test",
        "urls": ["https://example.org/1 https://example.org/2"] * 2 + [""],
    }
)  # fmt: skip
ASKED = {
    "families": {2012: 300, 2014: 500}, "horizon": 4, "claims": 700,
    "persistence": {"": (0.5, 0.1, 1.0), "looked_after": 0.4},
    "optimism_bias": {"B": 0.1, "C": 0.3}, "relative_income": 0.7, "public_funds": 1.2,
    "displacement": 0.2, "base_year": 2011, "valued_share": 0.1,
}  # fmt: skip
ALL_LIVE = ("Summary", "Assumptions", "Families", "Effects", "Unit costs", "Costs", "Sources",
            "Persistence", "Profile", "Years of effect", "Discount rates", "Discounting", "Lines",
            "Years and payers", "Years")  # fmt: skip


def appraisal(effects=None, costs=COSTS, **asked):
    """Return an appraisal in which everything that a workbook can turn is in use."""
    rows = effects_of(effects or EFFECTS, 0.4, months=18)
    return tf.appraise(rows, costs, **{**ASKED, **asked})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("workbook") / "value.xlsx"
    found = appraisal()
    return found, found.to_workbook(path, found.uncertainty(draws=200)), read_workbook(path)


@pytest.fixture(scope="module")
def engine(written):
    """Return a function that calculates every cell anew, some of them turned."""
    why = "calculates the workbook: install formulas and openpyxl (see pyproject.toml)"
    pytest.importorskip("openpyxl", reason=why)
    formulas = pytest.importorskip("formulas", reason=why)
    _, path, _ = written
    model = formulas.ExcelModel().loads(str(path)).finish()

    def name(place: tuple[str, str]) -> str:
        return f"'[value.xlsx]{place[0].upper()}'!{place[1]}"

    def calculate(turned: dict[tuple[str, str], object], wanted: list[tuple[str, str]]) -> dict:
        inputs = {name(place): value for place, value in turned.items()}
        solved = model.calculate(inputs=inputs, outputs=[name(place) for place in wanted])
        return {place: solved[name(place)].value[0, 0] for place in wanted}

    return calculate


def formula_cells(sheets) -> list[tuple[str, str]]:
    return [(name, cell.address) for name, sheet in sheets.items() for row in sheet.rows
            for cell in row if cell.formula]  # fmt: skip


def accounts_of(engine, sheets, turned: dict) -> pd.DataFrame:
    """Return both accounts from the workbook's Summary, some cells turned."""
    measures = {"benefits": "Benefits", "costs": "Costs", "npv": "Net present value"}
    places = {
        (account, key): ("Summary", sheets["Summary"].cell(
            f"{account.capitalize()} account", Measure=measure).address)
        for account in ("fiscal", "social") for key, measure in measures.items()
    }  # fmt: skip
    found = engine(turned, list(places.values()))
    return pd.DataFrame(
        {key: [float(found[places[account, key]]) for account in ("fiscal", "social")]
         for key in measures}, index=["fiscal", "social"]
    )  # fmt: skip


def of_package(found) -> pd.DataFrame:
    """Return both accounts as an appraisal has them."""
    return found.accounts().set_index("account")[["benefits", "costs", "npv"]]


def test_with_nothing_turned_every_formula_gives_the_value_in_the_file(written, engine):
    _, _, sheets = written
    kept = {(name, cell.address): cell.value for name, sheet in sheets.items()
            for row in sheet.rows for cell in row}  # fmt: skip
    found = engine({}, formula_cells(sheets))
    assert len(found) > 300
    for place, value in found.items():
        if isinstance(kept[place], float):
            assert float(value) == pytest.approx(kept[place], rel=1e-9, abs=1e-9), place
        else:
            assert value == kept[place], place


def test_the_summary_is_the_page(written):
    found, _, sheets = written
    rows = sheets["Summary"].table
    accounts = found.accounts().set_index("account")
    measures = {"Benefits": "benefits", "Costs": "costs", "Net present value": "npv",
                "Benefit for each £1 of cost": "ratio"}  # fmt: skip
    for account in ("fiscal", "social"):
        shown = {row["Measure"].value: row[f"{account.capitalize()} account"].value for row in rows}
        each = {row["Measure"].value: row[f"{account.capitalize()} account, a family"].value
                for row in rows}  # fmt: skip
        for measure, name in measures.items():
            assert shown[measure] == pytest.approx(accounts.loc[account, name], abs=0.005)
        assert each["Costs"] == pytest.approx(accounts.loc[account, "costs"] / 800)
        payers = found.who().set_index("payer")[account]
        told = {name: shown[f"Benefits: {name}"] for name in payers.index}
        assert told == pytest.approx(payers.to_dict(), abs=0.005)
        assert sum(told.values()) == pytest.approx(shown["Benefits"], abs=0.005)
    assert shown["Net present value"] == pytest.approx(found.npv, abs=0.005)
    page = found.summary().set_index("measure")["value"]
    assert shown["Cost of each claimed result"] == pytest.approx(page["cost per claimed result"])
    for end in ("at least", "at most"):
        for measure in ("willingness to pay", "marginal value of public funds"):
            value = shown[f"{measure[0].upper()}{measure[1:]}, {end}"]
            assert value == pytest.approx(page[f"{measure}, {end}"])
    assert shown["First year from which benefits so far reach the costs"] == "never"
    lines = sheets["Lines"].table
    assert {row["Falls to"].value for row in lines} == set(found.who()["payer"])
    worth = sum(row["Present value, social account, pounds"].value for row in lines)
    assert worth == pytest.approx(found.benefits)


def test_the_year_of_payback_is_the_page_s(tmp_path):
    found = appraisal(effects={"offences": -2.0}, costs=COSTS.assign(amount=1e5, high=1e6, low=0),
                      relative_income=None)  # fmt: skip
    sheets = read_workbook(found.to_workbook(tmp_path / "value.xlsx"))
    measure = "First year from which benefits so far reach the costs"
    shown = sheets["Summary"].cell("Social account", Measure=measure)
    assert found.payback_year is not None
    assert shown.value[:4] == str(found.payback_year)


def priced(**changed):
    """Return published unit costs with another value of police time for an offence."""
    table = published("unit_costs")
    rows = (table["outcome"] == "offences") & (table["component"] == "police")
    return table.assign(
        **{name: table[name].where(~rows, value) for name, value in changed.items()}
    )


TURNED = {
    "one persistence": ("Assumptions", "Value", {"Assumption": "Persistence, one share for all"},
                        0.8, {"persistence": 0.8}),
    "nothing lasts": ("Assumptions", "Value", {"Assumption": "Persistence, one share for all"},
                      0.0, {"persistence": 0.0}),
    "its range": ("Assumptions", "Value", {"Assumption": "Persistence 1: at least"},
                  0.3, {"persistence": {"": (0.5, 0.3, 1.0), "looked_after": 0.4}}),
    "lag": ("Assumptions", "Value", {"Assumption": "Months from joining until an effect begins"},
            7, {"lag": 7}),
    "timing": ("Assumptions", "Value", {"Assumption": "When in the year money flows"},
               "end", {"timing": "end"}),
    "bias": ("Assumptions", "Value", {"Assumption": "Optimism bias, evidence of grade B"},
             0.5, {"optimism_bias": {"B": 0.5, "C": 0.3}}),
    "displacement": ("Assumptions", "Value", {"Assumption": "Gains in work that others lose"},
                     0.6, {"displacement": 0.6}),
    "income": ("Assumptions", "Value", {"Assumption": "Families' income over the median"},
               "not used", {"relative_income": None}),
    "mean of the range": (
        "Assumptions", "Value",
        {"Assumption": "Persistence 1: share left each further year, on average"},
        0.7, {"persistence": {"": (0.7, 0.1, 1.0), "looked_after": 0.4}}),
    "bias of C": ("Assumptions", "Value", {"Assumption": "Optimism bias, evidence of grade C"},
                0.0, {"optimism_bias": {"B": 0.1}}),
    "long lag": ("Assumptions", "Value",
                 {"Assumption": "Months from joining until an effect begins"}, 40, {"lag": 40}),
    "elasticity": ("Assumptions", "Value",
                   {"Assumption": "Elasticity of the marginal utility of income"},
                   2.0, {"elasticity": 2.0}),
    "public funds": ("Assumptions", "Value", {"Assumption": "What a pound of public money counts"},
                     1.0, {"public_funds": 1.0}),
    "cashable": ("Assumptions", "Value", {"Assumption": "Count only what stops being spent"},
                 "yes", {"cashable_only": True}),
    "unit cost": ("Unit costs", "Published value, pounds",
                  {"Outcome": "Offences", "Component": "police"}, 900.0,
                  {"unit_cost_table": priced(value=900.0, high=1e4)}),
    "conversion": ("Unit costs", "Divided by", {"Outcome": "Offences", "Component": "police"}, 0.25,
                   {"unit_cost_table": priced(divided_by=0.25)}),
    "own share": ("Unit costs", "Share of its own",
                  {"Outcome": "Offences", "Component": "police"}, 0.4,
                  {"unit_cost_table": priced(own=0.4, own_low=0.3, overlaps="custody: x")}),
    "units": ("Effects", "Units of the unit cost for each", {"Effect_on": "Offences"}, 3.0,
              {"convert": {"offences": ("offences", 3.0)}}),
    "effect": ("Effects", "Effect a family", {"Effect_on": "Looked after"}, -2.0,
               {"effects": {**EFFECTS, "looked_after": -2.0}}),
    "families": ("Families", "Families", {"Financial_year": "2014-15"}, 900,
                 {"families": {2012: 300, 2014: 900}}),
    "cost": ("Costs", "Amount, pounds", {"Cost_line": "Staff"}, 2.5e5,
             {"costs": COSTS.assign(amount=[3e5, 2e5, 2.5e5])}),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNED)
def test_a_turned_cell_is_the_package_asked_so(written, engine, name):
    before, _, sheets = written
    sheet, heading, where, value, asked = TURNED[name]
    place = sheet, sheets[sheet].cell(heading, **where).address
    shown, after = accounts_of(engine, sheets, {place: value}), of_package(appraisal(**asked))
    assert shown.to_numpy() == pytest.approx(after.to_numpy(), rel=1e-6)
    assert not np.allclose(after["npv"], of_package(before)["npv"], rtol=1e-5)


def test_turned_discount_rates_are_the_package_s(written, engine):
    before, _, sheets = written
    rates = sheets["Discount rates"].table
    place = "Assumptions", sheets["Assumptions"].cell(
        "Value", Assumption="Discount rate, one for all years").address  # fmt: skip
    first = tf.discount_rates("2026", "sensitivity").iloc[0]  # for all years that are reached
    assert first["to_year"] >= 10
    after = of_package(appraisal(rate="sensitivity"))
    assert not np.allclose(after["npv"], of_package(before)["npv"], rtol=1e-5)
    band = "Discount rates", rates[0]["Rate a year"].address
    for turned in ({place: first["rate"]}, {band: first["rate"]}):
        shown = accounts_of(engine, sheets, turned)
        assert shown.to_numpy() == pytest.approx(after.to_numpy(), rel=1e-6)


def test_three_cells_together_are_the_package_asked_so(written, engine):
    _, _, sheets = written
    turned = {}
    for name in ("one persistence", "unit cost", "families"):
        sheet, heading, where, value, _ = TURNED[name]
        turned[sheet, sheets[sheet].cell(heading, **where).address] = value
    after = appraisal(persistence=0.8, families={2012: 300, 2014: 900},
                      unit_cost_table=priced(value=900.0, high=1e4))  # fmt: skip
    shown = accounts_of(engine, sheets, turned)
    assert shown.to_numpy() == pytest.approx(of_package(after).to_numpy(), rel=1e-6)


def test_what_follows_is_a_formula_and_what_can_be_turned_is_not(written):
    _, _, sheets = written
    assert list(sheets)[:3] == ["Cover", "Contents", "Notes"]
    assert tuple(sheets)[3 : 3 + len(ALL_LIVE)] == ALL_LIVE
    # Numbers that stand: they name a row, or count steps.
    named = {"Begins in", "Months measured", "Year since joining", "Sign", "Further years"}
    for name in ("Summary", "Lines", "Years and payers", "Years", "Years of effect", "Discounting",
                 "Profile", "Persistence"):  # fmt: skip
        for row in sheets[name].table:
            for heading, cell in row.items():
                if isinstance(cell.value, float) and heading not in named:
                    assert cell.formula, (name, heading, cell.address)
    for name, heading, where, *_ in TURNED.values():
        assert not sheets[name].cell(heading, **where).formula
    assert sheets["Unit costs"].cell("Amount, pounds a unit", Outcome="Offences",
                                     Component="police").formula  # fmt: skip


def test_every_price_and_cost_leads_to_its_source(written):
    found, _, sheets = written
    urls = dict(zip(found.valued.costs["component"], found.valued.costs["url"], strict=True))
    for row in sheets["Unit costs"].table:
        link = sheets["Unit costs"].links[row["Source"].address]
        assert link == urls[row["Component"].value]
    costs = sheets["Costs"]
    first = costs.table[0]
    assert costs.links[first["Source"].address] == "https://example.org/1"
    to = costs.links[first["All sources"].address]
    sources = {row["Address"].value: row["Source"].address for row in sheets["Sources"].table}
    assert to.replace("$", "") == f"#'Sources'!{sources['https://example.org/1']}"
    assert [sheets["Sources"].links[at] for at in sources.values()] == list(sources)
    assert costs.table[2]["Source"].value == "[z]"


def test_published_costs_are_linked_by_their_titles(tmp_path):
    found = whole(horizon=2)
    path = found.to_workbook(tmp_path / "value.xlsx")
    assert path.stat().st_size < 1e6
    sheets = read_workbook(path)
    costs = sheets["Costs"]
    for row in costs.table:
        assert costs.links[row["Source"].address].startswith("http")
    for row in sheets["Sources"].table:
        assert sheets["Sources"].links[row["Source"].address] == row["Address"].value
        assert row["Source"].value != row["Address"].value


def test_the_scenario_stands_on_the_cover(written):
    _, _, sheets = written
    told = " ".join(str(row[0].value) for row in sheets["Cover"].rows)
    for words in ("2024-25 prices", "discounted to 2011-12", "Green Book 2026", "4 years from when",
                  "50% (between 10% and 100%)"):  # fmt: skip
        assert words in told


def test_simulated_records_are_said_to_be_so(tmp_path):
    simulated = replace(appraisal(), simulated=True)
    sheets = read_workbook(simulated.to_workbook(tmp_path / "value.xlsx"))
    assert sheets["Cover"].rows[0][0].value.startswith("Simulated records")


def test_people_and_screen_readers_can_read_it(written):
    _, path, sheets = written
    with zipfile.ZipFile(path) as book:
        names = [name for name in book.namelist() if re.match(r"xl/worksheets/sheet\d+", name)]
        tables = [name for name in book.namelist() if name.startswith("xl/tables/")]
        assert not any(b"mergeCell" in book.read(name) for name in names)
        assert b"Value for money" in book.read("docProps/core.xml")
        styles = book.read("xl/styles.xml")
        assert b"#,##0.00" in styles
    assert len(tables) == len(names) - 1  # one a sheet, none on the cover
    for name, sheet in sheets.items():
        if name == "Cover":
            continue
        for row in sheet.table:
            for heading, cell in row.items():
                assert cell.value not in (None, ""), (name, heading)
                assert "_" not in heading, name
                assert heading[:1].isupper(), (name, heading)
        assert max(sheet.widths) <= 111
        assert min(sheet.widths) >= 10
        if name not in ("Contents", "Notes"):
            assert max(sheet.widths) <= 46, name
            assert str(sheet.rows[sheet.frozen - 1][0].value) == next(iter(sheet.table[0])), name


def test_the_same_appraisal_is_the_same_file(tmp_path):
    one, other = (appraisal().to_workbook(tmp_path / f"{name}.xlsx") for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_a_workbook_needs_a_place_and_ten_families(tmp_path):
    found = appraisal()
    with pytest.raises(ReportError, match=r"an \.xlsx file"):
        found.to_workbook(tmp_path / "value.csv")
    with pytest.raises(ReportError, match="a folder that exists"):
        found.to_workbook(tmp_path / "nowhere" / "value.xlsx")
    with pytest.raises(DataError, match="fewer than 10 families"):
        appraisal(families=9).to_workbook(tmp_path / "value.xlsx")


def test_text_is_text_whatever_it_begins_with(tmp_path):
    """As a formula it would run on the machine of whoever opens the file."""
    starts = ("=", "+", "-", "@", "{=")
    bad = [f'{start}HYPERLINK("http://example.org","x")' for start in starts]
    prices = price_list(
        ("offences", bad[0], 100.0, "MoJ", "no"), ("girls", bad[4], 50.0, "MoJ", "no"), note=bad[1],
        definition=bad[2], conversion=bad[3], range_basis=bad[0], spread=0.2,
    ).assign(source_title=bad[0], publisher=bad[1], url="javascript:alert(1)", code=bad[2],
             date=bad[3])  # fmt: skip
    costs = COSTS.assign(
        line=bad[0], basis=bad[3], sources=bad[1], urls=f"{bad[0]} http://a.example"
    )
    effects = effects_of({"offences": -0.1, "girls": -0.2, bad[3]: 0.3}, 0.5)
    labels = {"offences": bad[0], "girls": bad[1], bad[3]: bad[2]}
    effects = replace(effects, settings={**effects.settings, "labels": labels})
    found = tf.appraise(effects, costs, families=1_000, unit_cost_table=prices,
                        optimism_bias=0.1, optimism_bias_source=bad[0])  # fmt: skip
    more = {"More": (pd.DataFrame({bad[0]: bad, "url": ["http://a.example"] * 5}), bad[1])}
    path = found.to_workbook(tmp_path / "value.xlsx", found.uncertainty(200), more)
    told, links, formulas = set(), set(), []
    for sheet in read_workbook(path).values():
        links |= set(sheet.links.values())
        told |= {str(cell.value) for row in sheet.rows for cell in row}
        formulas += [cell.formula for row in sheet.rows for cell in row if cell.formula]
    assert set(bad) <= told
    assert formulas
    assert not [text for text in formulas if "HYPERLINK" in text]
    assert not [link for link in links if not link.startswith(("http://", "https://", "#"))]


def test_what_has_no_price_stands_beside_what_has_and_moves_nothing(tmp_path):
    effects = effects_of({"fixed_exclusions": -0.3, "offences": -0.1}, 0.5)
    found = tf.appraise(effects, 100.0, families=1_000)
    sheets = read_workbook(found.to_workbook(tmp_path / "value.xlsx"))
    rows = {row["Effect on"].value: row for row in sheets["Effects"].table}
    assert list(rows) == ["Offences", "Fixed exclusions"]
    assert rows["Fixed exclusions"]["Units less a family"].value == "[z]"
    extra = rows["Fixed exclusions"]["Additional outcomes, all families"]
    assert extra.value == pytest.approx(-300)
    assert extra.formula
    assert len(sheets["Lines"].table) == len(found.valued.costs)
