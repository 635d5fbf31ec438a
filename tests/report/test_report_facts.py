"""A made report says each recorded fact in one way: on every page and in the workbook."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import tfeval as tf
from tests.money.sheets import read_workbook
from tests.report import claim_gate, page_gate
from tests.report.test_report_browser import chromium
from tfeval.display.words import fact
from tfeval.programme.claims import claims_by_authority
from tfeval.report.execute import execute
from tfeval.report.parameters import read_notebook
from tfeval.report.plan import plan
from tfeval.report.record import Record, from_content, make_record
from tfeval.report.reports_index import write_index
from tfeval.report.run import run_jobs
from tfeval.settings import project_folder

MARKS = ("\ue000", "\ue001", "\ue002")
PAGES = ("01_programme_and_budget", "06_claims_against_impact", "07_value_for_money", "08_summary",
         "08_annex")  # fmt: skip


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


@contextmanager
def printing():
    """Give functions for how many sheets a page prints to, and how high it stands at a width."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install chromium, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page()

        def sheets(file: Path) -> int:
            tab.goto(file.as_uri())
            pdf = tab.pdf(prefer_css_page_size=True)
            return max(int(count) for count in re.findall(rb"/Type /Pages\s*/Count (\d+)", pdf))

        def height(file: Path, width: int) -> int:
            tab.set_viewport_size({"width": width, "height": 900})
            tab.goto(file.as_uri())
            return int(tab.evaluate("document.documentElement.scrollHeight"))

        yield sheets, height
        browser.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """The summary, an authority's page and all that they read, on a small extract."""
    folder = tmp_path_factory.mktemp("report")
    tf.simulate_to(folder / "records", families=4_000, seed=3)
    jobs = plan(["08_summary", "08_annex"], {"extract": str(folder / "records")},
                project_folder("notebooks"))  # fmt: skip
    jobs += [job for job in plan(["local_authority"], {
        "extract": str(folder / "records"), "local_authority": "Sefton"},
        project_folder("notebooks")) if job.chapter.name == "local_authority"]  # fmt: skip
    outcomes = run_jobs(jobs, folder / "out")
    assert [item.error for item in outcomes if not item.good] == []
    write_index(folder / "out")
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


@pytest.fixture(scope="module")
def opened(made) -> dict[Path, BeautifulSoup]:
    """All pages of that report and its index, read."""
    pages = [folder / "report.html" for folder in made.values()]
    paths = [*pages, made["08_summary"].parent.parent / "index.html"]
    return {path.resolve(): BeautifulSoup(
        re.sub(r'src="data:[^"]*"', 'src="data:,"', path.read_text(encoding="utf-8")),
        "html.parser") for path in paths}  # fmt: skip


@pytest.mark.slow(reason="makes a whole report")
def test_no_page_contradicts_itself_or_leads_nowhere(made, opened):
    records = {name: read(folder) for name, folder in made.items()}
    found = {
        path.parent.name: [
            *page_gate.word_faults(page), *page_gate.table_faults(page),
            *page_gate.sum_faults(page), *page_gate.drawing_faults(page), *page_gate.falling(page),
            *page_gate.link_faults(path, opened), *claim_gate.claim_faults(page),
            *((*page_gate.unsourced(page, path.parent.name, records),
               *page_gate.not_marked(page, path.parent.name, records))
              if path.parent.name in records else []),
        ]
        for path, page in opened.items()
    }  # fmt: skip
    found |= {f"{name}, records": page_gate.record_faults(held) for name, held in records.items()}
    found["records"] = page_gate.twice_faults(records)
    assert {name: told for name, told in found.items() if told} == {}
    titles = [page.title.string for page in opened.values()]
    assert len(titles) == len(set(titles))
    area = opened[(made["local_authority"] / "report.html").resolve()]
    assert area.h1.string.startswith("Sefton: ") and area.title.string.startswith("Sefton: ")


@pytest.mark.slow(reason="makes a whole report")
def test_the_summary_states_published_facts_alone_and_the_index_lists_it_first(made, opened):
    records = {name: read(folder) for name, folder in made.items()}
    page = opened[(made["08_summary"] / "report.html").resolve()]
    stated = [one["value"].split(".")[0].rpartition("/") for one in page.find_all("data")]
    bases = {records[book][name].subject.basis for book, _, name in stated}
    assert len(stated) > 20 and bases == {"published"}
    index = opened[(made["08_summary"].parent.parent / "index.html").resolve()]
    assert "08_summary" in index.main.table.find("a")["href"]


@pytest.mark.slow(reason="makes a whole report")
@pytest.mark.browser
def test_pages_keep_to_their_budgets(made, opened):
    budgets = {"08_summary": 2}
    with printing() as (sheets, height):
        for path in opened:
            name, size = path.parent.name, path.stat().st_size
            assert sheets(path) <= budgets.get(name, 20), name
            assert size < 1_000_000, f"{name}: {size}"
        assert height(made["06_claims_against_impact"] / "report.html", 1200) < 15_000


def test_the_gate_finds_what_it_is_for(tmp_path):
    def page(text: str) -> BeautifulSoup:
        return BeautifulSoup(f'<main id="main">{text}</main>', "html.parser")

    bad = ("1 families", "a authority", "it fell by -5", "it fell (–£3)", "£448.0m", "a nan here",
           "the the end", "fell by −0.0%", "rose by +0.0%", "lost −£0", "12 family",
           "on 2015-05-01", "£5 million", "£−5", "5 per cent", "5 m here", "+−5",
           "none () here", "6.5e−06", "2463.0% of it", "run it`", "paid by the MoJ")  # fmt: skip
    for text in bad:
        assert len(page_gate.word_faults(page(f"<p>{text}</p>"))) == 1, text
    good = ("11 families, £1 families, 1 of 5 outcomes, an authority, 2012-15, −5 to −3, £448m, "
            "none known, 0.1 points, −0.05, −0.0012, the 2016 study, 12 family-years")  # fmt: skip
    assert page_gate.word_faults(page(f"<p>{good}</p><pre>-5 nan</pre>")) == []
    grid = (
        "<table><thead><tr><th>Share</th></tr></thead><tbody><tr><td>{}%</td></tr></tbody></table>"
    )
    assert page_gate.table_faults(page(grid.format("98.9"))) == []
    assert page_gate.table_faults(page(grid.format("100.4"))) == ["share of 100.4%"]
    path = (tmp_path / "report.html").resolve()
    path.touch()
    there = page(
        '<a href="#main">a</a><a href="report.html#main">b</a><a href="https://a.uk">c</a>'
    )
    assert page_gate.link_faults(path, {path: there}) == []
    gone = page('<a href="#gone">a</a><a href="../x/report.html">b</a><i id="main"></i>')
    assert len(page_gate.link_faults(path, {path: gone})) == 3
    impossible = (("a", 1.2, "probability"), ("b_share", 101.0, "%"), ("c", -1, "families"))
    held = {name: make_record(name, value, unit, subject={"phase": "one"})
            for name, value, unit in impossible}  # fmt: skip
    assert len(page_gate.record_faults(held)) == 3
    assert page_gate.falls([("2014-05", 300.0), ("2015-02", 727.0), ("2015-05", 700.0)]) == [
        "2015-05: 700 after 727"]  # fmt: skip
    books = {"06": {"n": make_record("n", 1, source="https://a.uk/", subject={"phase": "one"})}}
    said = '<data value="06/n">1</data>'
    assert len(page_gate.unsourced(page(said), "08", books)) == 1
    linked = f'{said}<a href="../06/report.html">6</a>'
    assert page_gate.unsourced(page(linked), "08", books) == []
    assert len(page_gate.unsourced(page(said.replace("06/", "")), "06", books)) == 2


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("1,355 of 1,300 families", "more than all"),
        ("116,654 of the 117,910 families (98.0%)", "another share"),
        ("116,654 of 117,910 families (98.9%), 1 of 3, £5m of £3bn", ""),
        ("£1.05bn (£1.2bn to £1.4bn)", "outside"),
        ("−2.1% (−1.9% to −0.3%)", "outside"),
        ("0.06 (0.07 to 0.02 points)", "from more to less"),
        ("−2.1 (−3.0 to −1.2), £448m (£0.4bn to £0.5bn), 5.2% (5.16 to 5.3%)", ""),
        ("over 3 years (2012 to 2015)", ""),
    ],
)  # fmt: skip
def test_numbers_that_contradict_their_neighbours_are_found(text, wrong):
    page = BeautifulSoup(f"<main><p>{text}</p></main>", "html.parser")
    found = page_gate.sum_faults(page)
    assert len(found) == bool(wrong) and all(wrong in one for one in found)


def test_pictures_counts_and_records_that_contradict_themselves_are_found():
    drawn = ("<main><figure><svg><title>899 of 900 claimed</title><desc>900 families</desc>"
             "<text>{}</text></svg></figure></main>")  # fmt: skip
    pages = [BeautifulSoup(drawn.format(last), "html.parser") for last in ("727", "899")]
    assert [len(page_gate.drawing_faults(page)) for page in pages] == [1, 0]
    row = "<tr><th>{}</th><td>Turned around</td><td>{} families</td></tr>"
    heads = "<th>As of</th><th>Measure</th><th>As published</th>"
    rows = [row.format(day, count) for day, count in (("May 2013", 9), ("June 2013", "8"))]
    grids = [f"<main><table><thead><tr>{heads}</tr></thead><tbody>{''.join(one)}</tbody></table>"
             for one in (rows, rows[::-1])]  # fmt: skip
    told = [page_gate.falling(BeautifulSoup(grid, "html.parser")) for grid in grids]
    assert [len(one) for one in told] == [1, 0]
    held = {value: make_record("npv", value, "£", subject={"phase": "one", "extract": "simulated"})
            for value in (5.0, 6.0)}  # fmt: skip
    books = {"07": {"npv": held[5.0]}, "08": {"npv": held[6.0]}}
    assert len(page_gate.twice_faults(books)) == 1
    assert page_gate.twice_faults({"07": {"npv": held[5.0]}, "08": {"npv": held[5.0]}}) == []
    said = '<main>{}<p>It was <data value="07/npv">£5</data>{}</p></main>'
    marks = [("", ""), ("", " in simulated records"), ('<p class="banner">Simulated</p>', "")]
    found = [page_gate.not_marked(BeautifulSoup(said.format(*one), "html.parser"), "08", books)
             for one in marks]  # fmt: skip
    assert [len(one) for one in found] == [1, 0, 0]


def test_an_authority_s_chart_ends_where_its_headline_does_and_never_falls():
    claims = claims_by_authority()
    claims = claims[claims["area"].isin(("Wirral", "Bristol", "Wakefield", "Leeds", "Kent"))]
    drawn = 0
    for row in claims.itertuples():
        chart = tf.chapters.authority.progress_chart(row.area)
        said = getattr(chart, "alt", "")
        if not said:
            continue
        drawn += 1
        assert f"Turned around {row.turned_around:,.0f}" in said, row.area
        one = chart.data["Turned around"].dropna()
        assert page_gate.falls(zip(one.index.astype(str), one, strict=True)) == [], row.area
    assert drawn >= 3


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
