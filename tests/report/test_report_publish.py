from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup
from conftest import notebook

from tfeval.display.names import SIMULATED
from tfeval.errors import ReportError
from tfeval.report.notebook_parts import answer, finish, provenance, simulated_banner
from tfeval.report.publish import Page, math_html, publish


def shown(*outputs, cells=(), page=None, **metadata):
    """Publish a notebook whose one code cell has these outputs."""
    made = notebook(["# Title?", *cells, ("code", "1")], **metadata)
    made["cells"][-1]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, **output} for output in outputs
    ]
    return BeautifulSoup(publish(made, page or Page("Title?")), "html.parser")


def html(text):
    return {"data": {"text/html": text, "text/plain": ""}}


@pytest.fixture(scope="module")
def page(built):
    return BeautifulSoup(built.outcomes["01_ok"].page.read_text(encoding="utf-8"), "html.parser")


def test_the_document_is_html5_in_british_english_with_landmarks(built, page):
    text = built.outcomes["01_ok"].page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert page.html["lang"] == "en-GB" and page.title.string.startswith("What did it cost?")
    assert [len(page.find_all(tag)) for tag in ("header", "nav", "main", "footer")] == [1] * 4
    assert page.body.find("a")["href"] == "#main" and page.find(id="main").name == "main"


def test_there_is_nothing_to_fetch_and_nothing_to_run(page):
    assert not page.find_all(["script", "iframe", "object", "embed"])
    assert [link["href"] for link in page.find_all("link")] == ["data:,"]
    assert all(image["src"].startswith("data:") for image in page.find_all("img"))
    style = "".join(tag.string for tag in page.find_all("style"))
    assert "url(" not in style and "@import" not in style
    assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]


def test_one_first_heading_and_no_level_is_skipped(page):
    levels = [int(tag.name[1]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.h1.string == "What did it cost?"
    assert page.main.find(string="A second first-level heading").parent.name == "h2"


def test_contents_lead_to_the_second_level_headings(page):
    links = [(a.string, a["href"]) for a in page.nav.find_all("a")]
    assert links == [("Budget", "#budget"),
                     ("A second first-level heading", "#a-second-first-level-heading")]  # fmt: skip
    assert all(page.find(id=target[1:]) for _, target in links)


def test_code_is_folded_away_but_there(page):
    blocks = page.main.find_all("pre", attrs={"aria-label": re.compile("^Code")})
    assert blocks and all(block.find_parent("details") for block in blocks)
    summaries = [tag.string for tag in page.main.find_all("summary")]
    assert {"Code", "Parameters", "Recorded values", "Data behind this figure"} <= set(summaries)
    assert not [tag for tag in page.find_all("details") if "open" in tag.attrs]


def test_no_code_is_lost_and_none_stands_before_the_answer(built, page):
    shown = "".join(block.get_text() for block in page.main.find_all("pre"))
    content = next(job.chapter.content for job in built.jobs if job.chapter.name == "01_ok")
    sources = [cell["source"] for cell in content["cells"] if cell["cell_type"] == "code"]
    assert len(sources) >= 8 and all("".join(source) in shown for source in sources)
    assert page.main.find(["dl", "details"]).name == "dl"
    last = shown_code(notebook(["# T?", ("code", "x = 1")]))
    assert "x = 1" in last


def shown_code(made):
    return BeautifulSoup(publish(made, Page("T?")), "html.parser").main.get_text()


def test_a_chart_is_a_figure_with_words_source_and_data(page):
    drawn = page.main.figure.svg
    assert drawn.desc.string == "Bar chart: department A paid 100.5, B is not published."
    assert drawn["role"] == "img" and "not published" in [
        one.string for one in drawn.find_all("text")
    ]
    assert [page.find(id=name).name for name in drawn["aria-labelledby"].split()] == [
        "title", "desc",
    ]  # fmt: skip
    caption = page.main.figure.figcaption
    assert caption.a["href"] == "https://www.parliament.uk/"
    cells = [cell.get_text() for cell in caption.table.find_all(["th", "td"])]
    assert cells == ["label", "value", "A", "100.5", "B", "not published"]


def test_tables_have_scopes_and_boxes_that_a_keyboard_reaches(page):
    labels = []
    for table in page.main.find_all("table"):
        assert all(th.get("scope") in ("col", "row") for th in table.find_all("th"))
        box = table.parent
        assert box["role"] == "region" and box["tabindex"] == "0"
        labels.append(box["aria-label"])
    assert len(labels) == len(set(labels)) >= 3
    assert not page.main.find_all(style=True)


def test_mathematics_is_mathml(page):
    assert [tag["display"] for tag in page.main.find_all("math")] == ["inline", "block"]
    assert "$" not in page.main.find("div", class_="prose").get_text()


def test_links_go_to_pages_and_never_run_code(page):
    links = {
        a.get_text(): a.get("href") for a in page.main.find("div", class_="prose").find_all("a")
    }
    assert links == {"the claims": "../02_reads/report.html", "source": "https://www.gov.uk/",
                     "bad": None}  # fmt: skip


def test_long_output_is_shortened_with_that_said(page):
    text = page.main.find("pre", string=re.compile("line 0")).string
    assert "300 lines left out" in text and text.endswith("line 499")
    assert len(text.split("\n")) == 201


def test_the_footer_says_how_the_page_was_made(page):
    text = page.footer.get_text(" ")
    assert "phase = one, price_year = 2014" in text and "SHA-256" in text
    assert page.footer.find("a")["href"] == "../../index.html"


def test_the_answer_s_text_is_escaped(page):
    assert page.find(class_="tfeval-headline").dd.string == "£448 million <in all>."


@pytest.mark.parametrize("alt", [None, "", "  "])
def test_an_image_without_words_fails(alt):
    metadata = {} if alt is None else {"image/png": {"alt": alt}}
    with pytest.raises(ReportError, match=r'Figure 1 of "Title\?" has no alternative text'):
        shown({"data": {"image/png": "AAAA", "text/plain": ""}, "metadata": metadata})
    with pytest.raises(ReportError, match="no alternative text"):
        shown(html('<img src="data:image/png;base64,AAAA">'))


def test_an_image_with_words_passes():
    metadata = {"image/png": {"alt": "A line that rises."}}
    made = shown({"data": {"image/png": "AA\nAA\n"}, "metadata": metadata})
    assert made.img["alt"] == "A line that rises." and made.img["src"].endswith("base64,AAAA")


@pytest.mark.parametrize(
    "source", ["https://x.uk/a.png", "figure.png", "//x.uk/a.png", "file:///a"]
)
def test_an_image_from_elsewhere_fails(source):
    with pytest.raises(ReportError, match="fetched from elsewhere"):
        shown(html(f'<img src="{source}" alt="A line that rises.">'))


def test_what_is_foreign_is_removed():
    made = shown(html(
        '<script>alert(1)</script><style>@import "https://x.uk/a.css";</style>'
        '<p onclick="x()" style="background:url(https://x.uk/a.png)">kept</p>'
        '<table background="https://x.uk/"><tr><th></th><th>a</th></tr></table>'
        '<iframe src="https://x.uk"></iframe><link rel="stylesheet" href="https://x.uk/a.css">'
    ))  # fmt: skip
    text = str(made.main)
    assert "kept" in text and "x.uk" not in text and "script" not in text and "onclick" not in text
    assert made.main.find("th")["scope"] == "row"


def test_simulated_records_are_said_on_the_page():
    by_run = shown(page=Page("Title?", simulated=True))
    by_metadata = shown(simulated=True)
    banner = {"output_type": "display_data", "data": simulated_banner()._repr_mimebundle_()}
    by_banner = shown({**banner, "metadata": {}})
    for made in (by_run, by_metadata, by_banner):
        assert SIMULATED in made.main.find(class_="banner").get_text()
    assert shown().find(class_="banner") is None


def test_a_warning_and_an_error_are_readable():
    made = notebook(["# Title?", ("code", "1")])
    made["cells"][-1]["outputs"] = [
        {"output_type": "stream", "name": "stderr", "text": "careful <now>\n"},
        {"output_type": "error", "ename": "ValueError", "evalue": "a < b", "traceback": ["here"]},
    ]
    page = BeautifulSoup(publish(made, Page("Title?")), "html.parser")
    assert page.find("pre", class_="stderr").string == "careful <now>"
    assert page.find(class_="message").string == "ValueError: a < b"


def test_a_formula_that_cannot_be_read_is_named():
    assert math_html("x^2", block=True).startswith("<math")
    with pytest.raises(ReportError, match=r"formula x\^ cannot be read"):
        math_html("x^", block=False)
    with pytest.raises(ReportError, match=r"unknown command \\foo"):
        math_html("\\foo{x}", block=False)


def test_a_page_without_headings_has_no_empty_contents():
    assert shown().nav is None


def test_a_document_without_main_is_refused():
    with pytest.raises(ReportError, match="no main part"):
        finish("<html></html>", "x")


def test_the_boxes_read_well_as_text():
    box = answer("What?", "Figures", "Adding", "£448m & more")
    assert box._repr_mimebundle_()["text/plain"].startswith("Headline: £448m & more")
    assert "&amp; more" in box.html()
    rows = provenance(phase="one").text()
    assert "phase" in rows and "pandas" in rows and "SHA-256" in rows


def test_attachments_are_shown():
    made = notebook(["# T?", "![A line that rises](attachment:a.png)", ("code", "1")])
    made["cells"][1]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    page = BeautifulSoup(publish(json.loads(json.dumps(made)), Page("T?")), "html.parser")
    assert (
        page.img["src"] == "data:image/png;base64,AAAA" and page.img["alt"] == "A line that rises"
    )
