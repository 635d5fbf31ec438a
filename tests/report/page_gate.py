"""What a made page may not say: contradictions, broken grammar of numbers, links to nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from tfeval.report.record import Record

NOUNS = (
    "families|authorities|areas|outcomes|effects|months|years|weeks|terms|points|designs|checks|"
    "pages|rows|periods|children|people|records|studies|results|groups|choices"
)
ONES = "family authority area outcome effect month year week child record study check row"
AN = "authority area effect outcome answer evaluation estimate interval error offence absence"
#: What is read of words: a pattern, and what is wrong where it stands.
PATTERNS = (
    (rf"(?<![\d,.£/])1 ({NOUNS})\b", "one of a plural"),
    (rf"\b[Aa] ({'|'.join(AN.split())})\b", "a before a vowel"),
    (r"(?<![\w–-])[-–](?=£?\d)", "a hyphen or dash for a minus"),
    (r"(?<![\w.,])[−+]£?0(\.0+)?(?![\d.,]*\d)", "a sign before nothing"),
    (r"\de[+−-]\d", "a number as a computer writes it"),
    (r"`", "a mark of code that nothing reads"),
    (r"(?<![\d.,])\d{4,}(\.\d+)?%", "thousands without a comma"),
    (r"\d\.0(m|bn)\b", "an amount with a nought behind the point"),
    (r"\b(nan|NaN|<NA>)\b|^(None|inf)$", "a value that is none"),
    (r"\b(\w+) \1\b(?<!\bhad had)(?<!\bthat that)", "a word twice"),
    (
        rf"(?<![\d,.£/–−-])(?!(?:19|20)\d\d )([2-9]|\d[\d,]*\d) ({'|'.join(ONES.split())})\b(?!-)",
        "several of a singular",
    ),
    (r"\b\d{4}-[01]\d-[0-3]\d\b", "a day not as readers write it"),
    (r"%%|£\s\d|£−|\d (million|billion)\b|\bper cent\b|\d (m|bn)\b", "a unit written otherwise"),
    (r"\bno of \d|\d of \d+ \w+s have benefits", "no of several"),
    (r"[+−-][+−]\d|[(][)]|(?<=\w) [,;.](?=\s)|\.\.(?!\.)", "signs that do not go together"),
)
#: Short names of departments, and what must stand on a page that has them.
SHORT = {"DWP": "Department for Work and Pensions", "HMRC": "HM Revenue and Customs",
         "MoJ": "Ministry of Justice", "DfE": "Department for Education",
         "DHSC": "Department of Health and Social Care"}  # fmt: skip
#: A number as pages write it; its sign, its digits, its unit.
NUMBER = r"([−+-]?)\u2060?£?(\d[\d,]*(?:\.\d+)?)(%|bn|m|k)?(?![\d.]*\d)"
YEARS = r"(19|20)\d\d (19|20)\d\d"
TIMES = {"bn": 1e9, "m": 1e6, "k": 1e3}
SHARES = ("share", "chance", "probability")
#: Columns that hold a chance as a number from 0 to 1.
CHANCES = ("p", "p, adjusted", "p-value")


def words_of(page: BeautifulSoup) -> tuple[str, ...]:
    """Return the words of a page by block, without its code."""
    return _words(str(page.find("main")))


@lru_cache(maxsize=4)  # each check of a page asks for them
def _words(main: str) -> tuple[str, ...]:
    made = BeautifulSoup(main, "html.parser")
    for tag in made.select("pre, .sources, details.code"):
        tag.decompose()
    for tag in made.find_all("code"):
        tag.string = "code"
    blocks = ["td", "th", "p", "li", "h2", "h3", "caption", "summary", "dd", "dt"]
    for tag in made.find_all([*blocks, "title", "desc", "text"]):
        tag.append("\n")
    text = made.get_text().replace("\u2060", "")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def word_faults(page: BeautifulSoup) -> list[str]:
    """Return what is wrong in the words of a page."""
    text = "\n".join(words_of(page))
    short = [f"a short name that nothing spells out: {short}" for short, words in SHORT.items()
             if re.search(rf"\b{short}\b", text) and words not in text]  # fmt: skip
    return short + [
        f"{wrong}: …{line[max(found.start() - 40, 0) : found.end() + 20]}…"
        for line in words_of(page)
        for pattern, wrong in PATTERNS
        for found in re.finditer(pattern, line)
    ]


def number_of(sign: str, digits: str, unit: str | None) -> float:
    """Return what a number comes to that is written as `NUMBER`."""
    value = float(digits.replace(",", "")) * TIMES.get(unit or "", 1)
    return -value if sign in ("−", "-") else value


def _beyond(one: tuple[str, ...], low: float, high: float) -> bool:
    slack = half(one[1], one[2])
    return not low - slack <= number_of(*one) <= high + slack


def half(digits: str, unit: str | None) -> float:
    """Return half of the last digit's unit: how far rounding can move a number."""
    decimals = len(digits.partition(".")[2])
    return 0.5 * 10.0**-decimals * TIMES.get(unit or "", 1)


def sum_faults(page: BeautifulSoup) -> list[str]:
    """Return numbers that contradict those beside them.

    Parts above their whole, shares that are not the part's, ranges from more to less, and
    estimates outside of their own interval.
    """
    told = [line.replace("\u2060", "") for line in words_of(page)]
    return [fault for line in told for fault in (*_part_faults(line), *_range_faults(line))]


def _part_faults(line: str) -> list[str]:
    found = []
    shares = rf"{NUMBER} of (?:the )?{NUMBER}(?:[ \w]*? \(([\d.]+)%\))?"
    for match in re.finditer(shares, line):
        part, whole, share = match.groups()[:3], match.groups()[3:6], match[7]
        if part[2] or whole[2] or not number_of(*whole):
            continue
        percent = 100 * number_of(*part) / number_of(*whole)
        if percent > 100:
            found.append(f"more than all: {match[0]}")
        elif share and abs(percent - float(share)) > half(share, None) + 1e-9:
            found.append(f"another share: {match[0]}, which is {percent:.2f}%")
    return found


def _range_faults(line: str) -> list[str]:
    found = []
    for match in re.finditer(rf"(?:{NUMBER} )?\({NUMBER} to {NUMBER}[^()]*\)", line):
        one, low, high = match.groups()[:3], match.groups()[3:6], match.groups()[6:9]
        if re.fullmatch(YEARS, f"{low[1]} {high[1]}"):
            continue
        least, most = number_of(low[0], low[1], low[2] or high[2]), number_of(*high)
        if low[2] in (None, high[2]) and least > most:
            found.append(f"from more to less: {match[0]}")
        elif one[1] and one[2] == high[2] and _beyond(one, least, most):
            found.append(f"outside of its interval: {match[0]}")
    return found


def drawing_faults(page: BeautifulSoup) -> list[str]:
    """Return numbers of a picture's title that neither it, its data nor its description have."""
    found = []
    for figure in page.find_all("figure"):
        title = figure.select_one("svg > title")
        if title is None:
            continue
        rest = " ".join(tag.get_text(" ") for tag in figure.select("text, desc, td, caption"))
        known = {
            one.replace(",", "").lstrip("0") for one in re.findall(r"\d[\d,]*(?:\.\d+)?", rest)
        }
        for said in re.findall(r"\d[\d,]*(?:\.\d+)?", title.get_text()):
            if said.replace(",", "").lstrip("0") not in known:
                found.append(f"{said} in the title alone: {title.get_text()}")
    return found


def not_marked(page: BeautifulSoup, own: str, records: dict[str, dict[str, Record]]) -> list[str]:
    """Return facts of simulated records where neither page, section nor table says so."""
    if page.select_one(".banner") is not None:
        return []
    found = []
    for element in page.find_all("data"):
        notebook, _, name = element["value"].rpartition("/")
        if records[notebook or own][name.partition(".")[0]].subject.basis != "simulated":
            continue
        around = element.find_parent(["table", "li", "p", "dd"]) or element
        if "simulated" not in around.get_text().lower():
            found.append(f"{element['value']}: simulated, and not said so")
    return found


def twice_faults(records: dict[str, dict[str, Record]]) -> list[str]:
    """Return facts of one name and subject that two notebooks record with two numbers."""
    held: dict[tuple[str, str], dict[str, object]] = {}
    for notebook, own in records.items():
        for name, one in own.items():
            about = repr(one.subject.written())
            held.setdefault((name, about), {})[notebook] = (one.value, one.low, one.high, one.unit)
    return [f"{name}: {told}" for (name, _), told in held.items() if len(set(told.values())) > 1]


def falling(page: BeautifulSoup) -> list[str]:
    """Return cumulative counts that fall in a table of counts by day."""
    found = []
    for table in page.find_all("table"):
        heads = [cell.get_text().strip() for cell in table.select("thead tr > *")]
        if heads[:3] != ["As of", "Measure", "As published"]:
            continue
        series: dict[str, list[tuple[str, float]]] = {}
        for row in table.select("tbody tr"):
            day, what, said = (cell.get_text().strip() for cell in row.find_all(["th", "td"])[:3])
            count = re.fullmatch(r"(?:about |over |more than )?([\d,]+) families", said)
            if count and "share" not in what.lower():
                series.setdefault(what, []).append((day, float(count[1].replace(",", ""))))
        found += [f"{what}, {one}" for what, told in series.items() for one in falls(told)]
    return found


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
                chance = re.fullmatch(r"[−-]?[\d.]+", cell.get_text().strip())
                if chance and head in CHANCES and not 0 <= float(chance[0].replace("−", "-")) <= 1:
                    found.append(f"{head} of {chance[0]}")
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
    return [f"{after[0]}: {after[1]:g} after {before[1]:g}" for before, after in pairwise(series)
            if after[1] < before[1] and after[0] != before[0]]  # fmt: skip


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
