"""Pages in a real browser: nothing fetched, nothing to run, no accessibility fault."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from PIL import Image
from test_report_index import listed

from tests.display.text_boxes import ABOVE, BELOW, Words
from tfeval.report.publish import Page, publish
from tfeval.report.reports_index import write_index
from tfeval.settings import project_folder

pytestmark = pytest.mark.browser


def chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in names)]
    return next((path for path in found if path), None)


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install chromium, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe() -> str:
    folder = find_spec("axe_core_python").submodule_search_locations[0]
    return (Path(folder) / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def pages(built, facts):
    index = write_index(built.out)
    yield [index, *sorted(built.out.glob("*/*/report.html"))]
    index.unlink()


def opened(context, path, requests):
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    return page


def fetched(requests, path):
    return [url for url in requests if not url.startswith("data:") and url != path.as_uri()]


@pytest.fixture(scope="module")
def chapters(tmp_path_factory):
    """Return the project's own notebooks as pages, from the outputs they are kept with."""
    folder, made = tmp_path_factory.mktemp("chapters"), []
    for stored in sorted(project_folder("notebooks").glob("*.ipynb")):
        notebook = nbformat.read(stored, as_version=4)
        path = folder / f"{stored.stem}.html"
        path.write_text(publish(notebook, Page(title=stored.stem)), encoding="utf-8")
        made.append(path)
    return made


#: All rules and every fault; of what passes only how much it is, which is quick to find.
AXE = """([where, rules]) => axe.run(where, {resultTypes: ["violations"], ...rules}).then(found =>
[found.passes.length, found.violations.map(fault => [fault.id, fault.nodes[0].html])])"""
EVERYWHERE, WITHOUT_CONTRAST = "html", {"rules": {"color-contrast": {"enabled": False}}}
#: Contrast is of a kind of words: colour, size, weight and all that lies behind them. Marks one
#: of each kind that was not marked before; returns how many those are, and how many it sees.
KINDS = """() => {
  const behind = one => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const {backgroundColor, backgroundImage, opacity} = getComputedStyle(at);
      const layer = [backgroundColor, backgroundImage, opacity].join();
      if (layer !== layers.at(-1)) layers.push(layer);
    }
    return layers.join("|");
  };
  document.querySelectorAll("[data-kind]").forEach(one => one.removeAttribute("data-kind"));
  window.measured ??= new Set();
  let marked = 0, seen = 0;
  for (const one of document.querySelectorAll("body *")) {
    const words = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!words || !one.checkVisibility()) continue;
    const {color, fill, fontSize, fontWeight} = getComputedStyle(one);
    const kind = [color, fill, fontSize, fontWeight, one.namespaceURI, behind(one)].join("/");
    seen += 1;
    if (measured.has(kind)) continue;
    measured.add(kind);
    one.setAttribute("data-kind", marked += 1);
  }
  return [marked, seen];
}"""
LOOKS = {
    "wide": ((1280, 900), {}),
    "telephone": ((360, 900), {}),
    "paper": ((794, 1123), {"media": "print"}),
    "own colours": ((1280, 900), {"media": "screen", "forced_colors": "active"}),
}


def accessibility_faults(page, axe) -> list[list[str]]:
    """Return what axe says of a page on a desk, a telephone, paper and in colours of one's own."""
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    # Shadows at the edges of wide tables: axe leaves out what lies on a gradient.
    page.add_style_tag(content=".scroll { background: none !important }")
    page.evaluate(axe)
    faults, before = [], 0
    for look, ((width, height), media) in LOOKS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media)
        marked, seen = page.evaluate(KINDS)
        runs = [("[data-kind]", {"runOnly": ["color-contrast"]})] * bool(marked)
        if look != "own colours" or seen != before:  # else the same elements are there
            runs.append((EVERYWHERE, WITHOUT_CONTRAST))
        for where, rules in runs:
            passes, violations = page.evaluate(AXE, [where, rules])
            assert passes > (10 if rules is WITHOUT_CONTRAST else 0)
            faults += [[look, *fault] for fault in violations]
        before = before or seen
        if media.get("media") != "print":
            assert page.evaluate("document.documentElement.scrollWidth") <= width, look
    return faults


@pytest.mark.parametrize("which", ["pages", "chapters"])
def test_no_request_and_no_accessibility_fault(browser, axe, request, which):
    for path in request.getfixturevalue(which):
        requests: list[str] = []
        context = browser.new_context()
        page = opened(context, path, requests)
        assert accessibility_faults(page, axe) == [], path
        assert fetched(requests, path) == [], path
        context.close()


SPOILT = """main p { color: #999 !important }
@media (width < 400px) { td { color: #aaa !important } }
@media print { caption { background: #333 !important } }
@media (forced-colors: active) { h2 { forced-color-adjust: none; color: #ddd !important } }"""


def test_words_that_are_hard_to_read_in_one_look_alone_are_a_fault(browser, axe, chapters):
    page = browser.new_page()
    page.goto(chapters[0].as_uri())
    page.add_style_tag(content=SPOILT)
    faults = accessibility_faults(page, axe)
    page.close()
    assert {kind for _, kind, _ in faults} == {"color-contrast"}
    assert {look for look, _, _ in faults} == set(LOOKS)


def test_one_of_each_kind_of_words_stands_for_all(browser, axe, chapters):
    page = browser.new_page(viewport={"width": 360, "height": 900})
    page.goto(chapters[0].as_uri())
    page.evaluate(axe)
    assert page.evaluate(AXE, [EVERYWHERE, {}])[1] == []
    page.close()


#: Every line of words in every drawing: how large it is shown, and where, in the drawing's units.
DRAWN = """[...document.querySelectorAll('figure > svg')].map(svg => {
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return [svg.querySelector('title').textContent, svg.viewBox.baseVal.width,
    [...svg.querySelectorAll('text')].filter(one => one.textContent.trim()).map(one => {
      const box = one.getBBox(), size = Number(one.getAttribute('font-size'));
      const base = Number(one.getAttribute('y'));
      return [one.textContent, size * scale, box.x, box.x + box.width,
              base - ABOVE * size, base + BELOW * size]})]})"""
#: Pixels at which words can be read.
LEAST = 9
#: Tables whose caption is cut, or which leave the names of their rows behind when scrolled.
LOST = """[...document.querySelectorAll('main .scroll')].filter(box => {
  const name = box.querySelector('tbody th'), caption = box.querySelector('caption');
  if (!box.checkVisibility() || !caption) return false;
  const cut = caption.getBoundingClientRect().right > innerWidth;
  box.scrollLeft = 9999;
  const left = box.getBoundingClientRect().left;
  return cut || name && box.scrollLeft > 60 && name.getBoundingClientRect().left < left - 1;
}).map(box => box.ariaLabel)"""


def test_drawings_and_tables_can_be_read_on_a_telephone(browser, chapters):
    page, seen = browser.new_page(viewport={"width": 390, "height": 800}), 0
    for path in chapters:
        page.goto(path.as_uri())
        assert page.evaluate(LOST) == [], path.stem
        script = DRAWN.replace("ABOVE", str(ABOVE)).replace("BELOW", str(BELOW))
        for title, wide, words in page.evaluate(script):
            seen += 1
            boxes = [Words(text, size, left, top, right, bottom)
                     for text, size, left, right, top, bottom in words]  # fmt: skip
            assert min(one.size for one in boxes) >= LEAST, title
            assert [one.text for one in boxes if one.left < -1 or one.right > wide + 1] == [], title
            met = [(one.text, other.text) for place, one in enumerate(boxes)
                   for other in boxes[place + 1 :] if one.meets(other)]  # fmt: skip
            assert met == [], title
    assert seen > 25
    page.close()


def test_a_page_needs_no_script(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    path = next(path for path in pages if path.parent.name == "01_ok")
    requests: list[str] = []
    page = opened(context, path, requests)
    assert page.locator("h1").inner_text() == "What did it cost?"
    assert page.locator("figure > svg").first.is_visible()
    assert not page.locator("details.code pre").first.is_visible()
    page.locator("details.code summary").first.click()
    assert page.locator("details.code pre").first.is_visible()
    assert fetched(requests, path) == []
    context.close()


@pytest.fixture
def searched(built, facts, tmp_path):
    """Return an index with four authorities."""
    shutil.copytree(built.out, tmp_path / "out")
    listed(tmp_path / "out", {"Wirral": "Claimed 9 of 10", "Sefton": "Claimed 10 of 10",
                              "Ångford": "No claim", "Leeds": "Claimed 100 of 120"})  # fmt: skip
    return write_index(tmp_path / "out")


def test_the_list_of_areas_is_searched_and_sorted(browser, axe, searched):
    context = browser.new_context(viewport={"width": 390, "height": 900})
    requests: list[str] = []
    page = opened(context, searched, requests)
    rows = page.locator("table.listed tbody tr:visible th")
    assert rows.all_inner_texts() == ["Leeds", "Sefton", "Wirral", "Ångford"]
    field = page.get_by_label("Search")
    field.fill("ang")  # accents do not matter, nor does case
    assert rows.all_inner_texts() == ["Ångford"]
    assert page.get_by_role("status").inner_text() == "1 of 4 shown"
    page.evaluate(axe)
    assert page.evaluate(AXE, [EVERYWHERE, {}])[1] == [] and fetched(requests, searched) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    field.fill("CLAIMED 100")
    assert rows.all_inner_texts() == ["Leeds"]
    field.fill("")
    by_claim = page.get_by_role("button", name="In short")
    by_claim.press("Enter")  # a number is sorted as one
    assert rows.all_inner_texts() == ["Wirral", "Sefton", "Leeds", "Ångford"]
    by_claim.press("Enter")
    assert rows.all_inner_texts()[0] == "Ångford"
    column = page.locator("table.listed th", has=by_claim)
    assert column.get_attribute("aria-sort") == "descending"
    context.close()


def test_a_keyboard_reaches_the_main_part_first(browser, pages):
    page = browser.new_page()
    page.goto(pages[0].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.close()


def test_print_hides_code_and_keeps_figures(browser, pages):
    page = browser.new_page()
    page.goto(next(path for path in pages if path.parent.name == "01_ok").as_uri())
    page.emulate_media(media="print")
    assert not page.locator("details.code").first.is_visible()
    assert page.locator("figure > svg").first.is_visible()
    page.close()


#: Tables outside of figures and workings: their rows, those that are drawn, those said to be not.
PRINTED = """[...document.querySelectorAll('main table')].filter(one =>
  !one.closest('figcaption, details.code')).map(one => {
  const rows = [...one.querySelectorAll('tbody tr')], seen = rows.filter(row =>
    row.checkVisibility() && row.getBoundingClientRect().height > 5);
  const rest = one.closest('.tfeval-table')?.querySelector('.rest');
  const said = rest && rest.checkVisibility() ? rest.textContent : '';
  return [one.textContent.slice(0, 60), rows.length, seen.length, said]})"""


def test_paper_has_every_row_or_says_where_the_rest_is(browser, chapters):
    page, folded = browser.new_page(), 0
    page.emulate_media(media="print")
    for path in chapters:
        page.goto(path.as_uri())
        for table, rows, seen, said in page.evaluate(PRINTED):
            folded += rows > 10
            assert seen == rows or f"first {seen} of {rows}" in said, (path.stem, table)
            assert seen >= min(rows, 20), (path.stem, table)
    assert folded > 20
    page.close()


def test_a_browser_that_darkens_pages_leaves_colours_that_carry_meaning(browser, chapters):
    """A phone's browser turns the colours of a page that does not forbid it."""
    dark = browser.browser_type.launch(
        executable_path=chromium(),
        args=["--no-sandbox", "--disable-gpu", "--blink-settings=forceDarkModeEnabled=true"],
    )
    html = next(path for path in chapters if path.stem == "08_summary").read_text("utf-8")
    page, corners = dark.new_page(color_scheme="dark"), []
    for text in (html, html.replace("color-scheme: only light;", "")):
        page.set_content(text)
        shot = Image.open(BytesIO(page.screenshot()))
        corners.append(min(shot.getpixel((2, shot.height - 2))[:3]))
    dark.close()
    assert corners[0] == 255 and corners[1] < 50
