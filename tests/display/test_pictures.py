"""Pictures as SVG: every one that the chapters keep can be read, on a telephone too."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup

from tests.display.text_boxes import SVG, faults_of, words_of
from tfeval.display.charts import bar_chart, waterfall_chart
from tfeval.display.figures import CHART_MIME, SVG_MIME
from tfeval.report.publish import Page, publish
from tfeval.settings import project_folder

WORDS = {"title": "How far apart", "alt": "Bars that show how far apart two numbers are."}
LONG = ["Central government's costs alone, in that year's pounds", "Short"]
NOTEBOOKS = sorted(project_folder("notebooks").glob("*.ipynb"))
#: Bytes of a picture, at most.
MOST = 100_000


def stored(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = [one.get("data", {}) for cell in cells for one in cell.get("outputs", [])]
    return [("".join(data[SVG_MIME]), data[CHART_MIME]) for data in shown if CHART_MIME in data]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_words_of_a_stored_picture_touch_or_leave_it_or_are_too_small(path):
    for svg, chart in stored(path):
        assert faults_of(svg) == [], chart["title"]
        assert len(svg.encode()) <= MOST, chart["title"]


def test_the_chapters_keep_pictures_with_their_words():
    pictures = [one for path in NOTEBOOKS for one in stored(path)]
    assert len(pictures) > 25
    for svg, chart in pictures:
        root = ElementTree.fromstring(svg)
        named = {
            one.get("id"): one.text for one in root if one.tag in (f"{SVG}title", f"{SVG}desc")
        }
        assert root.get("role") == "img"
        assert [named[name] for name in root.get("aria-labelledby").split()] == [
            chart["title"], chart["alt"],
        ]  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    return waterfall_chart(LONG, [3, -1.0], total=2.5, **WORDS).svg()


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda one: ("y", float(one.get("y")) + 4), "touch"),
        (lambda one: ("x", -30.0), "outside"),
        (lambda one: ("font-size", 12), "small"),
    ],
)
def test_a_planted_fault_is_found(drawn, plant, fault):
    assert faults_of(drawn) == []
    root = ElementTree.fromstring(drawn)
    first = next(one for one in root.iter(f"{SVG}text") if one.text.startswith("How far"))
    name, value = plant(first)
    if fault == "touch":
        root.append(ElementTree.fromstring(ElementTree.tostring(first)))
    first.set(name, str(value))
    found = faults_of(ElementTree.tostring(root, encoding="unicode"))
    assert found and all(one.startswith(fault) for one in found)


def test_a_label_of_several_lines_is_held_at_its_end(drawn):
    lines = [one for one in ElementTree.fromstring(drawn).iter(f"{SVG}text")
             if one.text in LONG[0] and one.text]  # fmt: skip
    assert len(lines) > 1 and {one.get("text-anchor") for one in lines} == {"end"}
    assert len({one.get("x") for one in lines}) == 1
    assert " ".join(one.text for one in lines) == LONG[0]


def test_a_gain_and_a_loss_differ_in_hatch_and_sign(drawn):
    said = {one.text for one in words_of(drawn)}
    assert {"+3.0", "−1.0", "+0.5", "2.5", "Adds", "Takes away"} <= said
    bars = [one.get("fill") for one in ElementTree.fromstring(drawn).iter(f"{SVG}path")]
    assert any(fill and fill.startswith("url(#") for fill in bars)


def test_what_is_drawn_is_text_to_scale_and_escaped():
    svg = bar_chart(["<a> & @b", "c"], [50, 100], **WORDS).svg()
    root = ElementTree.fromstring(svg)
    assert "<a> & @b" in [one.text for one in root.iter(f"{SVG}text")]
    assert "date" not in svg.lower() and "<style" not in svg and "<use" not in svg
    bars = [one.get("d") for one in root.iter(f"{SVG}path") if one.get("fill") == "#12436d"]
    wide = [float(d[1:].split("L")[1].split()[0]) - float(d[1:].split()[0]) for d in bars]
    assert wide[0] == pytest.approx(wide[1] / 2, abs=0.2)


def test_two_pictures_on_a_page_share_no_name_and_lead_nowhere(drawn):
    foreign = '<a href="https://x.uk"><image href="https://x.uk/a.png"/></a><script>1</script>'
    bad = drawn.replace("</svg>", f'{foreign}<path fill="url(https://x.uk/b)"/></svg>')
    chart = waterfall_chart(LONG, [3, -1.0], total=2.5, **WORDS).content()
    outputs = [nbformat.v4.new_output("display_data", {SVG_MIME: svg, CHART_MIME: chart})
               for svg in (drawn, bad)]  # fmt: skip
    cell = nbformat.v4.new_code_cell("1", outputs=outputs)
    page = publish(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T?"), cell]),
                   Page("T?"))  # fmt: skip
    soup = BeautifulSoup(page, "html.parser")
    assert len(soup.main.find_all("svg")) == 2 and "x.uk" not in page and "script" not in page
    names = [one["id"] for one in soup.find_all(id=True)]
    assert len(names) == len(set(names))
    for svg in soup.main.find_all("svg"):
        used = {value.split("#")[1].rstrip(")") for one in svg.find_all(True)
                for value in one.attrs.values() if str(value).startswith("url(#")}  # fmt: skip
        assert used and used <= {one["id"] for one in svg.find_all(id=True)}
