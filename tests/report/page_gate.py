"""What a made page may not say: contradictions, broken grammar of numbers, links to nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from tfeval.report.record import Record

NOUNS = (
    "families|authorities|areas|outcomes|effects|months|years|weeks|terms|points|designs|checks|"
    "pages|rows|periods|children|people|records|studies|results|groups|choices"
)
AN = "authority area effect outcome answer evaluation estimate interval error offence absence"
#: What is read of words: a pattern, and what is wrong where it stands.
PATTERNS = (
    (rf"(?<![\d,.£/])1 ({NOUNS})\b", "one of a plural"),
    (rf"\b[Aa] ({'|'.join(AN.split())})\b", "a before a vowel"),
    (r"(?<![\w–-])[-–](?=£?\d)", "a hyphen or dash for a minus"),
    (r"(?<![\w.,])−£?0(\.0+)?(?![\d.,]*\d)", "a minus before nothing"),
    (r"\d\.0(m|bn)\b", "an amount with a nought behind the point"),
    (r"\b(nan|NaN|<NA>)\b|^(None|inf)$", "a value that is none"),
    (r"\b(\w+) \1\b(?<!\bhad had)(?<!\bthat that)", "a word twice"),
)
SHARES = ("share", "chance", "probability")


def words_of(page: BeautifulSoup) -> list[str]:
    """Return the words of a page by block, without its code."""
    made = BeautifulSoup(str(page.find("main")), "html.parser")
    for tag in made.select("pre, code, .sources, details.code"):
        tag.decompose()
    for tag in made.find_all(["td", "th", "p", "li", "h2", "h3", "caption", "summary", "dd"]):
        tag.append("\n")
    text = made.get_text().replace("\u2060", "")
    return [line.strip() for line in text.splitlines() if line.strip()]


def word_faults(page: BeautifulSoup) -> list[str]:
    """Return what is wrong in the words of a page."""
    return [
        f"{wrong}: …{line[max(found.start() - 40, 0) : found.end() + 20]}…"
        for line in words_of(page)
        for pattern, wrong in PATTERNS
        for found in re.finditer(pattern, line)
    ]


def table_faults(page: BeautifulSoup) -> list[str]:
    """Return shares that cannot be: columns called a share or a chance, outside 0 to 100%."""
    found = []
    for table in page.find_all("table"):
        heads = [cell.get_text().strip().lower() for cell in table.select("thead tr > *")]
        for row in table.select("tbody tr"):
            for head, cell in zip(heads, row.find_all(["td", "th"]), strict=False):
                said = re.fullmatch(r"([\d.,−-]+)%", cell.get_text().strip())
                if said and head.startswith(SHARES):
                    value = float(said[1].replace(",", "").replace("−", "-"))
                    if not 0 <= value <= 100:
                        found.append(f"{head} of {said[0]}")
    return found


def link_faults(path: Path, pages: dict[Path, BeautifulSoup]) -> list[str]:
    """Return links and anchors of a page that lead nowhere, and sources that lead to none."""
    page, found = pages[path], []
    places = {one: {str(tag["id"]) for tag in held.find_all(id=True)}
              for one, held in pages.items()}  # fmt: skip
    ids = [str(tag["id"]) for tag in page.find_all(id=True)]
    found += [f"the id {one} stands twice" for one in sorted(set(ids)) if ids.count(one) > 1]
    for link in page.find_all("a", href=True):
        parts = urlsplit(str(link["href"]))
        if parts.scheme:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        if not target.is_file():
            found.append(f"{link['href']}: there is no such page")
        elif parts.fragment and parts.fragment not in places.get(target, {parts.fragment}):
            found.append(f"{link['href']}: there is no such place")
    return found


def record_faults(records: dict[str, Record]) -> list[str]:
    """Return recorded shares, chances and counts that cannot be."""
    found = []
    for name, one in records.items():
        if isinstance(one.value, str | bool):
            continue
        ends = [one.value, *(end for end in (one.low, one.high) if end is not None)]
        if one.unit == "probability" and not all(0 <= end <= 1 for end in ends):
            found.append(f"{name}: a chance of {ends}")
        if name.endswith("_share") and one.subject.basis == "published":
            found += [f"{name}: {end}" for end in ends if not 0 <= end <= 100]
        if one.unit in ("families", "outcomes") and min(ends) < 0:
            found.append(f"{name}: {min(ends)} {one.unit}")
        if len(ends) == 3 and not ends[1] <= ends[0] <= ends[2] and name != "remainder":
            found.append(f"{name}: {ends[0]} outside of {ends[1]} to {ends[2]}")
    return found


def falls(series: Iterable[tuple[str, float]]) -> list[str]:
    """Return where a cumulative count, in the order of its dates, falls."""
    return [f"{after[0]}: {after[1]:g} after {before[1]:g}"
            for before, after in pairwise(series) if after[1] < before[1]]  # fmt: skip


def unsourced(page: BeautifulSoup, own: str, records: dict[str, dict[str, Record]]) -> list[str]:
    """Return published facts on a page without a way to their source.

    A page that states published facts lists sources, or links to the chapter that does; an address
    that a record holds is among the sources of that chapter.
    """
    found, links = [], {str(a["href"]).split("/")[1] for a in page.select("main a[href^='../']")}
    listed = {str(a["href"]) for a in page.select(".sources a[href]")}
    for element in page.find_all("data"):
        notebook, _, name = element["value"].rpartition("/")
        one = records[notebook or own][name.partition(".")[0]]
        if one.subject.basis != "published":
            continue
        if not listed and (notebook or own) not in links:
            found.append(f"{element['value']}: no source, and no link to its chapter")
        if one.source and notebook in ("", own) and one.source not in listed:
            found.append(f"{element['value']}: {one.source} is not among the sources")
    return found
