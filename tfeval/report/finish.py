"""The last pass over a page: nothing foreign, headings in order, tables and figures accessible."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import takewhile
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from tfeval.display.words import day, unsigned_nothing
from tfeval.errors import ReportError
from tfeval.report.drawings import Drawings, name_drawings
from tfeval.report.page_sources import number_sources

_NBCONVERT_FILLER = "No description has been provided for this image"
_FORBIDDEN = ("script", "iframe", "object", "embed", "base", "form", "frame", "audio", "video",
              "applet", "source", "track")  # fmt: skip
#: A hyphen or a dash that stands for a minus: before a number and behind none.
_HYPHEN = re.compile(r"(?<![\w–-])[-–](?=£?\d)")
_SIGN = re.compile("[-–+\N{MINUS SIGN}]\N{WORD JOINER}?£?\\d")
_DAY = re.compile(r"(?<![\w/-])\d{4}-\d\d-\d\d(?![\w-])")
#: Sections about how a page was made, and rows from which a table is folded.
WORKINGS = ("Records", "Provenance")
_LONG = 10
#: Letters from which a table takes more than two printed sheets, and its rows that paper has then.
_SHEETS, _PRINTED = 9_000, 20
#: What announces an answer where it stands in its notebook.
_ANNOUNCED = "The answer in short."
#: Letters from which an answer is no headline any more, and is set as text.
_WORDY = 360
_UNWANTED = ("style", "border", "ping", "align", "width")
_FETCHING = ("src", "srcset", "poster", "background", "data", "action", "formaction")


def finish(html: str, title: str, places: Mapping[str, str] | None = None) -> str:
    """Return the page cleaned, put in order, completed and checked.

    Parameters
    ----------
    html : str
        A document made from the layout template.
    title : str
        For messages.
    places : mapping of str to str, optional
        Where the pages of other notebooks are; a link to one that has no page is none then.

    Raises
    ------
    ReportError
        If an image has no alternative text or would have to be fetched.
    """
    drawings = Drawings(lambda words: _with_days(_with_minus(words)))
    soup = BeautifulSoup(drawings.hold(html), "html.parser")
    main = soup.find("main")
    if not isinstance(main, Tag):
        raise ReportError(f'The page "{title}" has no main part.')
    _remove_foreign(main)
    _check_images(main, title)
    name_drawings(main, title, drawings)
    _rewrite_links(main, places)
    _one_minus(main)
    _days_in_words(main)
    _answer_first(main)
    _say_once(main)
    _no_empty_tables(soup, main)
    number_sources(soup, main)
    _fold_workings(main)
    _fold_tables(soup, main)
    _order_headings(main)
    _complete_tables(soup, main)
    _focusable_blocks(main)
    _contents(soup, main)
    return drawings.put_back(str(soup).replace("\r\n", "\n").strip()) + "\n"


def _remove_foreign(main: Tag) -> None:
    for tag in main.find_all([*_FORBIDDEN, "style", "link", "meta"]):
        tag.decompose()
    for tag in main.find_all(True):
        for name in list(tag.attrs):
            kept = name == "width" and tag.find_parent("svg") is not None
            if name.startswith("on") or (name in _UNWANTED and not kept):
                del tag[name]
        if tag.name != "img":
            for name in _FETCHING:
                if name in tag.attrs:
                    del tag[name]


def _check_images(main: Tag, title: str) -> None:
    for number, image in enumerate(main.find_all("img"), start=1):
        alt = str(image.get("alt", "")).strip()
        if not alt or alt == _NBCONVERT_FILLER:
            raise ReportError(
                f'Figure {number} of "{title}" has no alternative text: draw it with a chart '
                "function of tfeval, or give the image's alt in its metadata or markdown."
            )
        if not str(image.get("src", "")).startswith("data:") or "srcset" in image.attrs:
            raise ReportError(
                f'Figure {number} of "{title}" would have to be fetched from elsewhere: '
                "attach the picture to the notebook."
            )


def _rewrite_links(main: Tag, places: Mapping[str, str] | None) -> None:
    for link in main.find_all("a"):
        target = str(link.get("href", "")).strip()
        parts = urlsplit(target)
        if parts.scheme not in ("", "http", "https", "mailto"):
            del link["href"]
        elif not parts.scheme and parts.path.endswith(".ipynb"):
            name = parts.path.rsplit("/", 1)[-1].removesuffix(".ipynb")
            place = f"../{name}/report.html" if places is None else places.get(name, "")
            link["href"] = f"{place}#{parts.fragment}" if place and parts.fragment else place
            if not place:
                del link["href"]
        for name in ("target", "download"):
            link.attrs.pop(name, None)


def _one_minus(main: Tag) -> None:
    """Write one sign for less than nothing, and none before nothing, whoever wrote the number."""
    _write_words(main, _SIGN, _with_minus)


def _days_in_words(main: Tag) -> None:
    """Write days as readers do, wherever a notebook has them in digits."""
    _write_words(main, _DAY, _with_days)


def _write_words(main: Tag, which: re.Pattern[str], how: Callable[[str], str]) -> None:
    for text in main.find_all(string=which):
        said = how(text)
        if said != text and text.find_parent(["pre", "code"]) is None:
            text.replace_with(said)


def _with_minus(text: str) -> str:
    return unsigned_nothing(_HYPHEN.sub("\N{MINUS SIGN}", text)) if _SIGN.search(text) else text


def _with_days(text: str) -> str:
    return _DAY.sub(lambda one: day(one[0]), text)


def _answer_first(main: Tag) -> None:
    """Put the answer before all else but what says how far it can be trusted.

    What announced it in its old place goes.
    """
    answer = main.find("dl", class_="tfeval-answer")
    if not isinstance(answer, Tag):
        return
    said = answer.find("dd")
    if isinstance(said, Tag) and len(said.get_text()) > _WORDY:
        said["class"] = "wordy"
    for announced in main.find_all("p", string=_ANNOUNCED):
        announced.decompose()
    answer.extract()
    before = list(takewhile(_warns, main.find_all(True, recursive=False)))
    if before:
        before[-1].insert_after(answer)
    else:
        main.insert(0, answer)


def _warns(tag: Tag) -> bool:
    return bool({"banner", "failure"} & set(tag.get("class") or []))


def _say_once(main: Tag) -> None:
    """Leave out what a notebook says word for word as the page's own banner does."""
    first = main.find(True, recursive=False)
    if isinstance(first, Tag) and _warns(first):
        for said in main.find_all("p", class_="tfeval-simulated"):
            if said.get_text(strip=True) == first.get_text(strip=True):
                said.decompose()


def _no_empty_tables(soup: BeautifulSoup, main: Tag) -> None:
    """Put words in the place of a table without a row: its caption, and what stands under it."""
    for grid in main.select(".tfeval-table > table"):
        caption = grid.find("caption")
        if isinstance(caption, Tag) and not grid.select("tbody > tr"):
            paragraph = soup.new_tag("p")
            paragraph.string = f"{caption.get_text(' ', strip=True)}: nothing to show."
            grid.replace_with(paragraph)


def _fold_workings(main: Tag) -> None:
    """Put records and provenance behind the one control that parameters and code are behind."""
    control = main.find("details", class_="code", recursive=False)
    first = next((heading for heading in main.find_all("h2")
                  if heading.get_text(strip=True) in WORKINGS), None)  # fmt: skip
    if not isinstance(control, Tag):
        return
    if first is not None:
        top = first if first.parent is main else first.parent
        rest = [top, *top.next_siblings] if isinstance(top, Tag) else []
        kept = ("code", "sources")
        place = control.find("summary")
        for one in rest:
            if isinstance(one, Tag) and not set(kept) & set(one.get("class") or []):
                one.extract()
                if isinstance(place, Tag):
                    place.insert_after(one)
                place = one
    main.append(control.extract())


def _fold_tables(soup: BeautifulSoup, main: Tag) -> None:
    """Fold the detail: tables behind a section's first picture or table, and those too long."""
    shown = False
    for one in main.find_all(["h2", "h3", "figure", "div"]):
        if one.find_parent("details") is not None:
            continue
        if one.name == "div" and "tfeval-table" not in (one.get("class") or []):
            continue
        caption = one.find("caption")
        long = len(one.select("tbody > tr")) > _LONG
        if one.name == "div" and isinstance(caption, Tag) and (shown or long):
            # Paper cannot be unfolded: all stands there in full, but for what takes many sheets.
            box = soup.new_tag("details", attrs={"class": "detail"})
            summary = soup.new_tag("summary")
            summary.string = f"Table: {caption.get_text(' ', strip=True)}"
            one.wrap(box)
            box.insert(0, summary)
            if len(one.get_text()) > _SHEETS:
                box["class"] = "detail part"
                _say_where_the_rest_is(soup, one)
        shown = one.name not in ("h2", "h3")


def _say_where_the_rest_is(soup: BeautifulSoup, grid: Tag) -> None:
    rows = grid.select("tbody > tr")
    said = soup.new_tag("p", attrs={"class": "rest"})
    said.string = (
        f"Printed here: the first {min(_PRINTED, len(rows))} of {len(rows):,} rows. The page on "
        "screen has them all, under the name of this table."
    )
    for row in rows[_PRINTED:]:
        row["class"] = "screen"
    if len(rows) > _PRINTED:
        grid.append(said)


def _order_headings(main: Tag) -> None:
    """Leave first-level headings to the page's title, skip no level, give each an id."""
    used = {str(tag["id"]) for tag in main.find_all(id=True)}
    level = 1
    for heading in main.find_all(re.compile(r"h[1-6]")):
        level = max(2, min(int(heading.name[1]), level + 1))
        heading.name = f"h{level}"
        if "id" not in heading.attrs:
            heading["id"] = _free_id(heading.get_text(), used)


def _free_id(text: str, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") or "section"
    name, number = base, 2
    while name in used or name == "main":
        name, number = f"{base}-{number}", number + 1
    used.add(name)
    return name


def _complete_tables(soup: BeautifulSoup, main: Tag) -> None:
    """Give headers a scope, and each table a box of its own to scroll in."""
    labels: dict[str, int] = {}
    for grid in main.find_all("table"):
        for cell in grid.find_all("th"):
            in_head = cell.find_parent("thead") is not None
            if not cell.get_text(strip=True):
                cell.name = "td"
                cell.attrs.pop("scope", None)
            elif "scope" not in cell.attrs:
                cell["scope"] = "col" if in_head else "row"
        caption = grid.find("caption")
        label = caption.get_text(" ", strip=True) if caption else "Table"
        box = soup.new_tag("div", attrs={"class": "scroll"})
        box.attrs.update(_region(label, labels))
        grid.wrap(box)


def _focusable_blocks(main: Tag) -> None:
    labels: dict[str, int] = {}
    for block in main.find_all("pre"):
        label = "Output" if "stream" in (block.get("class") or []) else "Code"
        block.attrs.update(_region(label, labels))


def _region(label: str, labels: dict[str, int]) -> dict[str, str]:
    """Return what lets a keyboard reach a box that scrolls; its name is unique on the page."""
    labels[label] = labels.get(label, 0) + 1
    numbered = label if labels[label] == 1 else f"{label} ({labels[label]})"
    return {"role": "region", "aria-label": numbered, "tabindex": "0"}


def _contents(soup: BeautifulSoup, main: Tag) -> None:
    nav = soup.find("nav", class_="contents")
    headings = [one for one in main.find_all("h2") if one.find_parent("details") is None]
    if not isinstance(nav, Tag):
        return
    if not headings:
        nav.decompose()
        return
    box = soup.new_tag("div")
    title = soup.new_tag("h2", attrs={"id": "contents"})
    title.string = "On this page"
    listed = soup.new_tag("ol")
    for heading in headings:
        item, link = soup.new_tag("li"), soup.new_tag("a", attrs={"href": f"#{heading['id']}"})
        link.string = heading.get_text(" ", strip=True)
        item.append(link)
        listed.append(item)
    nav.clear()
    box.extend([title, listed])
    nav.append(box)
