from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup
from conftest import notebook

from tfeval.display.names import SIMULATED
from tfeval.errors import ReportError
from tfeval.report.finish import finish
from tfeval.report.notebook_parts import (
    BOX_MIME,
    answer,
    provenance,
    section_banner,
    simulated_banner,
)
from tfeval.report.publish import SIMULATED_PARTS, Page, math_html, publish


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
    assert [len(page.find_all(tag)) for tag in ("header", "main", "footer")] == [1] * 3
    assert [nav["aria-label"] for nav in page.find_all("nav")] == [
        "Contents", "Previous and next page"]  # fmt: skip
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
                     ("A second first-level heading", "#a-second-first-level-heading"),
                     ("Sources", "#sources")]  # fmt: skip
    assert all(page.find(id=target[1:]) for _, target in links)


def test_code_is_folded_away_but_there(page):
    blocks = page.main.find_all("pre", attrs={"aria-label": re.compile("^Code")})
    assert blocks and all(block.find_parent("details") for block in blocks)
    summaries = [tag.string for tag in page.main.find_all("summary")]
    code = [text for text in summaries if "code" in text]
    assert len(code) == 1 and "Data behind this figure" in summaries  # one control for all code
    steps = [tag.string for tag in page.select("details.code .step")]
    assert {"Parameters", "Recorded values"} <= set(steps)
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
    assert page.find(id=caption.a["href"][1:]).a["href"] == "https://www.parliament.uk/"
    cells = [cell.get_text() for cell in caption.table.find_all(["th", "td"])]
    assert cells == ["label", "value", "A", "100.5", "B", "not published"]


CITED = (
    '<table><thead><tr><th>Area</th><th>Source</th></tr></thead><tbody><tr><td>A</td><td>'
    '<a href="https://a.uk/">One; two &amp; three</a>, PAC</td></tr><tr><td>B</td><td>'
    '<a href="https://b.uk/">B</a>; <a href="https://a.uk/">One; two &amp; three</a>, PAC</td></tr>'
    '<tr><td>C</td><td><em>not published</em></td></tr></tbody></table>'
    '<div class="tfeval-under"><p>Sources: Unlinked, 2014; <a href="https://b.uk/">B</a></p></div>'
)  # fmt: skip


def test_a_source_is_numbered_listed_once_and_leads_back():
    page = shown(html(f'<div class="tfeval-table">{CITED}</div>'))
    listed = {item["id"]: item for item in page.select(".sources li")}
    said = [item.get_text().replace("↩", "").strip() for item in listed.values()]
    assert said == ["One; two & three, PAC", "B", "Unlinked, 2014"]
    cells = [row.find_all("td")[-1].get_text() for row in page.select("tbody tr")]
    assert cells == ["[1]", "[2] [1]", "not published"]
    for link in page.select("a.ref, a.back"):
        assert len(page.find_all(id=link["href"][1:])) == 1
    assert len(page.select("#source-1 .back")) == 2


def test_one_minus_stands_before_every_number_and_code_keeps_its_own():
    text = "<p>-5 (–£3) 2012-15 x-1 −2</p><pre>-5</pre><table><tr><td>-0.1% to -2</td></tr></table>"
    page = shown(html(text))
    assert page.main.p.string == "−5 (−£3) 2012-15 x-1 −2"
    assert page.main.pre.string == "-5" and page.main.td.string == "−0.1% to −2"


def test_nothing_has_no_sign():
    text = "<p>-0.0 (−0.00 to +0.4), -£0, −0.04, 2012-0</p><p>+0.0</p><pre>-0.0</pre><td>−0%</td>"
    page = shown(html(text))
    assert [p.string for p in page.main.find_all("p")] == [
        "0.0 (0.00 to +0.4), £0, −0.04, 2012-0", "0.0"]  # fmt: skip
    assert page.main.pre.string == "-0.0"


def test_a_folded_table_of_many_sheets_says_on_paper_where_its_rest_is():
    one = ('<div class="tfeval-table"><table><caption>C{}</caption><thead><tr><th>A</th></tr>'
           "</thead><tbody>{}</tbody></table></div>")  # fmt: skip
    given = ((1, "1"), (3, "1"), (60, "1"), (60, "word " * 40))
    page = shown(*(html(one.format(text, f"<tr><td>{text}</td></tr>" * rows))
                   for rows, text in given))  # fmt: skip
    folded = page.main.select("details.detail")
    assert [" ".join(tag["class"]) for tag in folded] == ["detail", "detail", "detail part"]
    assert [len(tag.select("tr.screen")) for tag in folded] == [0, 0, 40]
    assert "first 20 of 60 rows" in folded[2].find("p", class_="rest").string


def test_an_answer_s_details_are_a_list_beneath_it():
    told = answer("?", "Published", "Adding up", "£448m.", ["One & two.", "Three."])
    page = shown({"data": told._repr_mimebundle_()})
    terms = [dt.string for dt in page.main.select(".tfeval-answer dt")]
    assert terms == ["Headline", "Detail", "Question", "Data", "Method"]
    assert [li.string for li in page.main.select(".tfeval-detail li")] == ["One & two.", "Three."]
    assert told._repr_mimebundle_()[BOX_MIME]["headline"] == "£448m."


def test_a_table_without_a_row_is_words():
    one = "<thead><tr><th>A</th></tr></thead><tbody>{}</tbody>"
    page = shown(*(html(
        f'<div class="tfeval-table"><table><caption>C</caption>{one.format(row)}</table>'
        '<div class="tfeval-under"><p>None was found.</p></div></div>'
    ) for row in ("", "<tr><td>1</td></tr>")))  # fmt: skip
    assert len(page.main.find_all("table")) == 1
    assert "C: nothing to show. None was found." in page.main.get_text(" ", strip=True)


def test_every_printed_sheet_says_what_is_simulated():
    section = {"data": section_banner(True)._repr_mimebundle_()}
    for outputs, whole, said in (((), True, SIMULATED), ((section,), False, SIMULATED_PARTS),
                                 ((), False, "")):  # fmt: skip
        style = shown(*outputs, page=Page("T?", simulated=whole)).style.string
        rules = re.findall(r'@top-left { content: "(.+?)"; }', style)
        assert rules == ([said] if said else [])
        assert "size: A4" in style and "counter(page)" in style


def test_the_answer_stands_before_all_but_the_page_s_own_banner():
    said = {"data": answer("?", "Published", "Adding up", "£448m.")._repr_mimebundle_()}
    banner = {"data": section_banner(True)._repr_mimebundle_()}
    own = {"data": simulated_banner()._repr_mimebundle_()}
    first = html("<p>First</p><p>The answer in short.</p>")
    page = shown(own, first, banner, said, page=Page("T?", simulated=True))
    order = [" ".join(tag.get("class", [])) for tag in page.main.find_all(True, recursive=False)]
    assert order[:2] == ["banner", "tfeval-answer"] and order.count("banner") == 2
    assert page.main.get_text().count(SIMULATED) == 2  # the page's and the section's, no third
    text = page.main.get_text()
    assert "First" in text and "in short" not in text  # nothing announces what stands above


def test_records_and_provenance_come_last_and_folded_and_a_chapter_without_a_page_is_no_link():
    cells = ["# T?", ("code", "1"), "## Limits\n\n[there](01_a.ipynb#x), [gone](02_b.ipynb)",
             "## Records\n\nFor others.", ("code", "2"), "## Provenance"]  # fmt: skip
    page = BeautifulSoup(
        publish(notebook(cells), Page("T?", places={"01_a": "../01_a/report.html"})), "html.parser"
    )
    inside = page.main.find("details", class_="code")
    assert [tag.get_text() for tag in inside.find_all("h2")] == ["Records", "Provenance"]
    assert page.main.find_all(True, recursive=False)[-1] is inside
    assert [a.get_text() for a in page.nav.find_all("a")] == ["Limits"]
    links = {a.get_text(): a.get("href") for a in page.main.find_all("a")}
    assert links == {"there": "../01_a/report.html#x", "gone": None}


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
    assert [a["href"] for a in page.footer.find_all("a")] == [
        "../02_reads/report.html", "../../index.html"]  # fmt: skip


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
