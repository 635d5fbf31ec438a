"""What a made page may not claim: more than its verdicts, rows, sums and units carry."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bs4 import BeautifulSoup, Tag

from tests.report.page_gate import NUMBER, half, number_of, words_of

#: Words that only a comparison of high confidence carries, and what takes them back.
SURE = re.compile(
    r"\b(strong|clear|compelling|conclusive|robust) evidence\b|\bproves?\b|\bproven that\b"
    r"|\bconfidently\b|\b(are|is|be) confident\b|\b(undoubted|certain|unquestionab)ly\b"
    r"|\b(had|has|have|made|makes) no (effect|impact|difference)\b|\bdid (work|not work)\b"
    r"|\b(shows|showed) (that )?(there (is|was) )?no (effect|impact)\b|\bdefinitive(ly)?\b"
)
TAKEN_BACK = re.compile(r"\b(not|no|nor|never|none|nobody|cannot|without|neither|if|were)\b|[“\"]",
                        re.IGNORECASE)  # fmt: skip
ALIKE = {"balanced": "alike|balanced", "partly": "only partly alike|partly balanced",
         "not_balanced": "NOT ALIKE|not balanced"}  # fmt: skip
#: A sentence that lists outcomes, the column that says so of each, and how its cells begin.
LISTS = (
    (r"No effect was found on ([^.]*)\.", "Answer", r"No effect found"),
    (r"design cannot answer for ([^.]*)\.", "Answer", r"Not answerable"),
    (r"of that size is ruled out for ([^.]*)\.", "A change of that size is", r"ruled out$"),
    (r"For ([^.]*) it is ruled out only if", "A change of that size is", r"ruled out only if"),
)
INTERVAL = rf"{NUMBER}(?: points)? to {NUMBER}"
DOWN = r"\b(fell|falls?|dropped|declined?|decreased|reductions?|fewer|lower|lost|loss(?:es)?)\b"
UP = r"\b(rose|rises?|grew|increased?|higher|gain(?:s|ed)?|more)\b"
CHANGES = ("change", "difference", "effect")
TOTALS = re.compile(r"(all|in all|all together|total|.* in all)", re.IGNORECASE)
#: Columns whose last, by name, is the first less the second.
LESS = (("Met the tests", "Would have anyway", "Additional"),
        ("Mean, treated", "Mean, comparison", "Difference"))  # fmt: skip
PERIODS = {"one": "2012-15", "two": "2015-20"}
MONTH = rf"(?:{'|'.join(calendar.month_name[1:])}) \d{{4}}"
COUNTS = {word: count for count, word in enumerate(
    ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 2
)}  # fmt: skip
#: Nouns that prose counts in words, by the column that has one in each row.
COUNTED = {"regions": "Region", "outcomes": "Outcome", "nations": "Nation", "designs": "Design",
           "accounts": "Account", "aspects": "Aspect",
           "worlds": "World", "checks": "Check"}  # fmt: skip
#: Keys in place of words, columns that hold words alone, and columns that hold years.
KEY = r"(?<![\w/.@=#&-])[a-z]+_[a-z_]+(?![\w/=.(])"
NAMED = ("Design", "Outcome", "Measure", "Check", "Comparison group", "Changed", "To")
YEARS = ("time", "period", "year")
#: What is counted out of a whole, by one name; and what says why a whole is less than another.
WHOLES = {"effects": "effects", "areas": "areas", "authorities": "authorities",
          "designs": "designs", "choices": "choices", "specifications": "choices"}  # fmt: skip
LESS_OF = re.compile(r"\b(shown|hidden|not (drawn|counted|estimated)|left out|alike|valued|exact"
                     r"|known|with|without|too (few|small)|that regression)\b")  # fmt: skip
UNTOLD = r"cannot be told|too small to be seen|[Nn]ot answerable"


@dataclass(frozen=True)
class Grid:
    """A table: its caption, its columns, its rows of text, what is said under it, its section."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: str
    section: str

    def column(self, start: str) -> int | None:
        """Return the place of the first column whose heading begins so."""
        return next((at for at, head in enumerate(self.heads) if head.startswith(start)), None)

    def cells(self, at: int) -> list[str]:
        """Return the cells of a column."""
        return [row[at] for row in self.rows if len(row) > at]


def _said(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").replace("\u2060", "").split()).replace(" ,", ",")


@dataclass(frozen=True)
class Figure:
    """A picture: its title, its description, its section."""

    title: str
    described: str
    section: str


class Read:
    """What a page says: its lines, its tables, its pictures, and its prose by section."""

    def __init__(self, page: BeautifulSoup) -> None:
        self.lines = words_of(page)
        self.grids: list[Grid] = []
        self.figures: list[Figure] = []
        self.prose: dict[str, str] = {}
        section = ""
        for tag in page.select("main h2, main table, main svg, main p, main li, .tfeval-under"):
            if tag.name == "h2":
                section = _said(tag)
                self.prose[section] = section
            elif tag.name == "table":
                self.grids.append(_grid(tag, section))
            elif tag.name == "svg" and tag.title:
                described = _said(tag.desc) if tag.desc else ""
                self.figures.append(Figure(_said(tag.title), described, section))
            elif "tfeval-under" in (tag.get("class") or ()) and self.grids:
                last = self.grids[-1]
                self.grids[-1] = replace(last, notes=f"{last.notes} {_said(tag)}")
            elif tag.find_parent(class_="tfeval-under") is None:
                self.prose[section] = f"{self.prose.get(section, '')} {_said(tag)}"


def _grid(table: Tag, section: str) -> Grid:
    return Grid(
        _said(table.caption) if table.caption else "",
        tuple(_said(cell) for cell in table.select("thead tr:last-of-type > *")),
        tuple(tuple(_said(cell) for cell in row.find_all(["th", "td"]))
              for row in table.select("tbody tr")), "", section,
    )  # fmt: skip


def _first(text: str) -> tuple[str, str, str] | None:
    """Return the number that a cell begins with, unless it is the start of a range."""
    found = re.match(rf"{NUMBER}(?! to )(?![\w-])", text)
    return found.groups()[:3] if found else None


def _interval(text: str) -> tuple[float, float, float] | None:
    """Return the first interval of a text, and half of its last digit."""
    found = re.search(INTERVAL, text)
    if not found:
        return None
    ends = found.groups()
    unit = ends[2] or ends[5]
    return (number_of(ends[0], ends[1], unit), number_of(ends[3], ends[4], unit),
            max(half(ends[1], unit), half(ends[4], unit)))  # fmt: skip


# Words of confidence against the verdicts that the page records.


def confidence_faults(
    page: Read, confidence: str | None = None, balance: str | None = None
) -> list[str]:
    """Return words that say more than the diagnostics' verdict, and verdicts against numbers.

    Parameters
    ----------
    page : Read
    confidence, balance : str, optional
        As the chapter records them; words that need more are faults.
    """
    found = []
    for line in page.lines:
        for one in SURE.finditer(line):
            before = line[: one.start()].rpartition(". ")[2]
            if confidence != "high" and not TAKEN_BACK.search(before):
                found.append(f"surer than the verdict ({confidence}): {line[:120]}")
        for level in re.findall(r"\bConfidence: (high|moderate|low|none)\b", line):
            if confidence is not None and level != confidence:
                found.append(f"confidence {level}, recorded {confidence}: {line[:120]}")
        said = re.search(r"groups are (only partly alike|alike|NOT ALIKE|\w+ balanced|balanced)",
                         line)  # fmt: skip
        if said and balance and not re.fullmatch(ALIKE[balance], said[1]):
            found.append(f"groups {said[1]}, recorded {balance}: {line[:120]}")
    return [*found, *_check_faults(page.grids), *_list_faults(page)]


def _check_faults(tables: list[Grid]) -> list[str]:
    """Return verdicts of checks and designs that their own numbers do not carry."""
    found: list[str] = []
    verdicts: dict[str, str] = {}
    for grid in tables:
        verdict, p = grid.column("Verdict"), grid.column("p, adjusted")
        sizes = [grid.column("Not ruled out"), grid.column("Matters from")]
        largest = grid.column("Largest standardised difference")
        for row in grid.rows if verdict is not None else ():
            said = row[verdict or 0]
            if grid.column("Check") == 0 and p is not None:
                verdicts[row[0].lower()] = said
                chance = re.search(r"[\d.]+", row[p])
                small = chance is not None and float(chance[0]) < 0.05
                # A shift told from none passes where it is certainly too small to matter.
                ends = [float(row[at]) for at in sizes if at is not None and row[at][0].isdigit()]
                reach, margin = ends if len(ends) == 2 else (small, not small)
                wrong = {"passed": reach > margin, "FAILED": reach < margin or not small}
                if chance and wrong.get(said):
                    found.append(f"{row[0]}: {said} at an adjusted p of {row[p]}")
            if largest is not None and said.startswith("balanced") and float(row[largest]) > 0.1:
                found.append(f"{row[0]}: {said} at {row[largest]}")
    return found + [fault for grid in tables for fault in _sureness_faults(grid, verdicts)]


def _sureness_faults(grid: Grid, verdicts: Mapping[str, str]) -> list[str]:
    """Return what the table of confidence says of checks otherwise than their own table."""
    found, said = [], dict(row[:2] for row in grid.rows if len(row) == 2)
    if "Checks failed" not in said or not verdicts:
        return []
    failed = {check for check, verdict in verdicts.items() if verdict == "FAILED"}
    if failed != _names(said["Checks failed"]):
        found.append(f"checks failed: {said['Checks failed']}, of {sorted(failed)}")
    unjudged = next((text for key, text in said.items() if "not be judged" in key), "")
    silent = {check for check, verdict in verdicts.items() if verdict.startswith("cannot")}
    excused = {"negative controls"} if "negative control" in grid.notes else set()
    if silent - excused != _names(unjudged) - excused:
        found.append(f"not judged: {unjudged}, of {sorted(silent)}")
    if said.get("Confidence") == "high" and failed:
        found.append(f"high confidence, with failed checks: {sorted(failed)}")
    return found


def _names(listed: str) -> set[str]:
    return set(listed.lower().split(", ")) - {"none", ""}


def _list_faults(page: Read) -> list[str]:
    """Return sentences that list other outcomes than the column that says it of each."""
    found, text = [], " ".join(page.lines)
    for pattern, head, start in LISTS:
        for grid in page.grids:
            at = grid.column(head)
            if at is None or grid.heads[0] != "Outcome":
                continue
            rows = {row[0].partition(" (")[0].lower() for row in grid.rows
                    if re.match(start, row[at])}  # fmt: skip
            for said in re.finditer(pattern, text):
                listed = set(re.split(r", | and ", said[1].lower()))
                if listed != rows:
                    found.append(f"{said[0]}: {sorted(rows)} by the table {grid.caption}")
    return found


def significance_faults(page: Read) -> list[str]:
    """Return what is called significant over an interval with 0, and p that its interval denies."""
    found = []
    lines = [*page.lines, *(" | ".join(row) for grid in page.grids for row in grid.rows)]
    for line in lines:
        held = _interval(line)
        said = re.search(r"(?<!not )(?<!not statistically )\bsignificant(ly)?\b", line)
        if said and held and held[0] < -held[2] and held[1] > held[2]:
            found.append(f"significant over 0: {line[:140]}")
    for grid in page.grids:
        p, places = grid.column("p"), [at for at, head in enumerate(grid.heads)
                                       if "95% interval" in head]  # fmt: skip
        if p is None or grid.heads[p] != "p":
            continue
        for row in grid.rows:
            chance = re.fullmatch(r"(under )?([\d.]+)", row[p])
            for held in (_interval(row[at]) for at in places[:1]):
                if chance is None or held is None or min(map(abs, held[:2])) <= held[2]:
                    continue
                if (float(chance[2]) < 0.05) != (held[0] > 0 or held[1] < 0):
                    found.append(f"p {row[p]} beside {row[places[0]]}: {row[:2]}")
    return found


# Headings and titles against what stands beneath them.


def heading_faults(page: Read) -> list[str]:
    """Return headings and titles that the rows beneath deny: direction, most, none, counts."""
    found = []
    for line in page.lines:
        for verb, wrong in ((DOWN, 1), (UP, -1)):
            for one in re.finditer(rf"{verb} from {NUMBER} (?:[\w ]{{0,25}} )?to {NUMBER}", line):
                first, last = number_of(*one.groups()[1:4]), number_of(*one.groups()[4:7])
                if (last - first) * wrong > 0:
                    found.append(f"the other way: {one[0]}")
    for one in page.figures:
        found += _quantity_faults(one.title, one.described)
        found += _whole_faults(one)
    for grid in page.grids:
        found += _quantity_faults(grid.caption, grid.notes)
        changes = [at for at, head in enumerate(grid.heads) if head.lower().startswith(CHANGES)]
        for at in changes[:1]:
            numbers = [number_of(*one) for one in map(_first, grid.cells(at)) if one]
            for verb, sign in ((DOWN, 1), (UP, -1)):
                said = re.search(verb, f"{grid.section} {grid.caption}")
                other = re.search(UP if sign > 0 else DOWN, f"{grid.section} {grid.caption}")
                if said and not other and numbers and all(one * sign > 0 for one in numbers):
                    found.append(f"{said[0]}, and every row the other way: {grid.caption}")
    return [*found, *_answer_faults(page)]


def _whole_faults(figure: Figure) -> list[str]:
    """Return a whole that the title counts of, where the picture is drawn of another."""
    said = re.match(r"(?:Simulated records: )?[Oo]f (\d[\d,]*) [a-z]", figure.title)
    drawn = re.search(r"\bper (\d[\d,]*)\b", figure.described)
    other = said and drawn and said[1] != drawn[1]
    return [f"of {said[1]}, drawn per {drawn[1]}: {figure.title}"] if other else []


def _quantity_faults(title: str, beneath: str) -> list[str]:
    """Return words of quantity that the first count of the title, or beneath it, denies."""
    found = []
    count = re.search(r"(\d[\d,]*) of (?:the )?(\d[\d,]*)", f"{title}. {beneath}")
    if not count:
        return []
    part, whole = (int(one.replace(",", "")) for one in count.groups())
    if re.search(r"(?<!at )\b([Mm]ost|majority)\b(?! of what| alike)", title) and 2 * part <= whole:
        found.append(f"most, and {count[0]}: {title}")
    for of, verb in re.findall(r"\b(?:[Nn]one|[Nn]o) of (\d+ \w+) (\w+)", title):
        some = re.search(rf"\b[1-9]\d* of {of} {verb}\b", f"{title}. {beneath}")
        found += [f"none, and {some[0]}: {title}"] if some else []
    if re.search(r"^[Aa]ll (?!of|that|the same)", title) and part != whole:
        found.append(f"all, and {count[0]}: {title}")
    return found


def _answer_faults(page: Read) -> list[str]:
    """Return titles that count outcomes otherwise than the table of their section answers."""
    found = []
    for figure in page.figures:
        said = re.search(
            r"\b(None|none|\d+) of (\d+) (\w+s)\b.*?(?:, (\d+) perhaps)?$", figure.title
        )
        if not said:
            continue
        count = 0 if said[1].lower() == "none" else int(said[1])
        for grid in page.grids:
            if grid.section != figure.section or len(grid.rows) != int(said[2]):
                continue
            for at, head in enumerate(grid.heads):
                cells = grid.cells(at)
                yes = sum(cell.lower().startswith("yes") for cell in cells)
                if head.endswith("?") and head[:1].isupper() and at:
                    if yes != count + int(said[4] or 0):
                        found.append(f"{figure.title}: {yes} by {head}")
                elif "seen" in figure.title and at and "claim" in head.lower():
                    untold = sum(bool(re.search(UNTOLD, cell)) for cell in cells)
                    if count + untold > len(cells):
                        found.append(f"{figure.title}: {untold} untold by {head}")
    return found


# Sums, as they are shown.


def total_faults(page: Read) -> list[str]:
    """Return parts that do not add up to the total shown, or by rounding without a word."""
    found = []
    for grid in page.grids:
        said = "round" in f"{grid.notes} {grid.caption}".lower()
        start = 0
        for end, row in enumerate(grid.rows):
            last, whole = end == len(grid.rows) - 1, TOTALS.fullmatch(row[0])
            if not (whole or last) or end - start < 2:
                continue
            for at, cell in enumerate(row[1:], start=1):
                share = last and cell in ("100%", "100.0%") and grid.heads[at].startswith("Share")
                if share or (whole and re.fullmatch(NUMBER, cell)):
                    parts = [one[at] for one in grid.rows[start:end] if len(one) > at]
                    found += _added(parts, cell, said, f"{grid.caption}, {grid.heads[at]}")
            start = end + 1
        for first, second, last in LESS:
            places = [grid.column(one) for one in (first, second, last)]
            if None in places or "APE" in grid.notes:
                continue
            for row in grid.rows:
                numbers = [_first(row[at]) for at in places if at is not None]
                if all(numbers) and len({one[2] for one in numbers[:2] if one}) == 1:
                    found += _subtracted(numbers, said, f"{grid.caption}: {row[:2]}")  # type: ignore[arg-type]
    return found


def _added(parts: list[str], whole: str, said: bool, where: str) -> list[str]:
    numbers, total = [_first(part) for part in parts], _first(whole)  # what is blank is not 0
    if total is None or len(numbers) < 2 or any(one is None for one in numbers):
        return []
    known = [one for one in numbers if one is not None]
    if len({bool(one[2] == "%") for one in [*known, total]}) > 1:
        return []
    apart = abs(sum(number_of(*one) for one in known) - number_of(*total))
    least = half(*total[1:])
    if apart > 1.0001 * (least + sum(half(*one[1:]) for one in known)):
        return [f"parts and total are {apart:g} apart: {where}"]
    return [f"rounded without a word: {where}"] if apart > 1.0001 * least and not said else []


def _subtracted(numbers: list[tuple[str, str, str]], said: bool, where: str) -> list[str]:
    first, second, last = (number_of(*one) for one in numbers)
    percent = numbers[0][2] == "%"
    slack = sum(half(one[1], None if percent else one[2]) for one in numbers)
    apart = abs(first - second - last)
    if apart > 1.0001 * slack:
        return [f"{first:g} less {second:g} is not {last:g}: {where}"]
    whole = all("." not in one[1] for one in numbers)
    return [f"rounded without a word: {where}"] if whole and apart > 0.5 and not said else []


# Units: points and percent, a family and all of them, millions and billions.


def unit_faults(page: Read) -> list[str]:
    """Return percent for points and points for percent, totals for a family, and m for bn."""
    found = [fault for line in page.lines for fault in (*_points(line), *_products(line))]
    for grid in page.grids:
        for row in grid.rows:
            for head, cell in zip(grid.heads[1:], row[1:], strict=False):
                found += _cell_faults(grid.caption, head, row[0], cell)
    cells = {cell for grid in page.grids for row in grid.rows for cell in row}
    told = _units("\n".join(line for line in page.lines if line not in cells))
    tabled = _units("\n".join(cells))
    # Two cells may have three digits in common by chance; what is said has them of a cell.
    return found + [f"£{digits}m and £{digits}bn" for digits, one in told.items()
                    if len(one) > 1 or tabled.get(digits, one).isdisjoint(one)]  # fmt: skip


def _units(text: str) -> dict[str, set[str]]:
    """Return the units of pounds that stand with each three digits or more."""
    units: dict[str, set[str]] = {}
    for digits, unit in re.findall(r"£(\d[\d,.]*\d)(bn|m)\b", text):
        if len(digits.replace(".", "").replace(",", "").strip("0")) >= 3:
            units.setdefault(digits, set()).add(unit)
    return units


def _points(line: str) -> list[str]:
    found = []
    for one in re.finditer(rf"{NUMBER} and {NUMBER}: {NUMBER}( points)?", line):
        first, second, change = one.groups()[:3], one.groups()[3:6], one.groups()[6:9]
        if not first[2] == second[2] == "%":
            continue
        gap = number_of(*first) - number_of(*second) - number_of(*change)
        if change[2] == "%" or not one[10]:
            found.append(f"percent for points: {one[0]}")
        elif abs(gap) > half(first[1], None) + 1e-9:
            found.append(f"another difference: {one[0]}")
    return found


def _products(line: str) -> list[str]:
    found = []
    shares = rf"£{NUMBER}.{{0,90}}?£{NUMBER} for each of ([\d,]+) \w+"
    for one in re.finditer(shares, line):
        whole, each = number_of(*one.groups()[:3]), number_of(*one.groups()[3:6])
        if abs(each * float(one[7].replace(",", "")) / whole - 1) > 0.01:
            found.append(f"not the product: {one[0]}")
    return found


def _cell_faults(caption: str, head: str, label: str, cell: str) -> list[str]:
    where = f"{cell} of {label}, {head}: {caption}"
    relative = re.search(r"share|of the rate|left|relative|interval holds|%", head.lower())
    points = re.search(r"\((percentage )?points\)", f"{label} {head}")
    if points and not relative and re.match(r"[−+]?[\d.]+%", cell):
        return [f"percent for points: {where}"]
    if head.startswith("Relative") and " points" in cell:
        return [f"points for percent: {where}"]
    if re.search(r"\b(a|per|one|each) family\b", f"{head} {caption.partition(',')[0]}"):
        amount = re.match(rf"£?{NUMBER}", cell)
        if amount and "£" in cell and amount[3] in ("m", "bn"):
            return [f"a total for a family: {where}"]
    wide = re.search(r"\((£m|£bn)\)", head)
    if wide and re.search(r"\d(bn|m)\b", cell):
        return [f"a unit twice: {where}"]
    return []


# Phases, dates, signs and counts in words.


def key_faults(page: Read) -> list[str]:
    """Return keys in place of words, and years with a comma."""
    found = []
    for one in page.figures:
        found += [f"{key}: {one.title}" for key in re.findall(KEY, f"{one.title} {one.described}")]
    for grid in page.grids:
        said = " | ".join((grid.caption, *grid.heads, grid.notes))
        found += [f"{key}: {grid.caption}" for key in re.findall(KEY, said)]
        for at, head in enumerate(grid.heads):
            if head.lower() in YEARS:
                found += [f"{cell} for a year: {grid.caption}" for cell in grid.cells(at)
                          if re.fullmatch(r"[12],\d{3}", cell)]  # fmt: skip
            if head in NAMED:
                found += [f"{cell}: {grid.caption}" for cell in grid.cells(at)
                          if re.search(KEY, cell)]  # fmt: skip
    return found


def phase_faults(page: Read) -> list[str]:
    """Return phases with another's years, and captions of one date over columns of another."""
    found = []
    for line in page.lines:
        for name, years in re.findall(r"\b[Pp]hase (one|two)(?:,| \() ?(\d{4}-\d\d)\b", line):
            if years != PERIODS[name]:
                found.append(f"phase {name}, {years}: {line[:100]}")
    for grid in page.grids:
        months = set(re.findall(MONTH, grid.caption))
        above = set(re.findall(MONTH, " ".join(grid.heads)))
        if months and above and not months & above:
            found.append(f"{sorted(months)} over {sorted(above)}: {grid.caption}")
        named = [years for years in PERIODS.values() if years in grid.caption]
        at = grid.column("Period")
        periods = set(grid.cells(at)) if at is not None else set()
        if len(named) == 1 and periods & set(PERIODS.values()) - set(named):
            found.append(f"{named[0]} over {sorted(periods)}: {grid.caption}")
    return found


def sign_faults(page: Read) -> list[str]:
    """Return signs that their words deny, and ranges in words that run backwards."""
    found = []
    for line in page.lines:
        found += [
            f"a sign twice: {one[0]}"
            for one in re.finditer(rf"(?:{DOWN}|{UP}) (?:\w+ )?(?:by|of) [−-]£?\d[\d,.]*", line)
        ]
        for one in re.finditer(rf"\bbetween {NUMBER} and {NUMBER}(?![\d-])", line):
            low, high = one.groups()[:3], one.groups()[3:6]
            if number_of(low[0], low[1], low[2] or high[2]) > number_of(*high):
                found.append(f"from more to less: {one[0]}")
    return found


def count_faults(page: Read) -> list[str]:
    """Return counts in words that the rows beneath do not have."""
    found = []
    for grid in page.grids:
        said = re.match(rf"(?:Simulated records: )?({'|'.join(COUNTS)}) ([a-z]+s)\b", grid.caption,
                        re.IGNORECASE)  # fmt: skip
        if said and len(grid.rows) != COUNTS[said[1].lower()]:
            found.append(f"{said[0]}, and {len(grid.rows)} rows")
    for section, text in page.prose.items():
        tables = [grid for grid in page.grids if grid.section == section]
        for word, noun in re.findall(
            rf"\b({'|'.join(COUNTS)}) ({'|'.join(COUNTED)})\b", text, re.IGNORECASE
        ):
            for grid in tables:
                if COUNTED[noun.lower()] not in grid.heads:
                    continue
                distinct = len(set(grid.cells(grid.heads.index(COUNTED[noun.lower()]))) - {""})
                if distinct != COUNTS[word.lower()]:
                    found.append(f"{word} {noun}, and {distinct} in {grid.caption}")
    return found


def whole_faults(page: Read) -> list[str]:
    """Return counts of one thing out of two wholes, where the lesser whole is not explained."""
    wholes: dict[str, dict[int, list[str]]] = {}
    # By whole sentences: a picture's words are in lines, which part a count from its reason.
    texts = [text for one in page.figures for text in (one.title, one.described)]
    texts += [text for one in page.grids for text in (one.caption, *one.notes.split(". "))]
    texts += [text for one in page.prose.values() for text in one.split(". ")]
    counted = (
        rf"\b(?:[Nn]one of|\d+ of|under) (?:the )?(\d[\d,]*) (?:other )?({'|'.join(WHOLES)})\b"
    )
    said = [(noun, size, text) for text in texts for size, noun in re.findall(counted, text)]
    said += [
        (noun, size[1], " | ".join(row))
        for grid in page.grids for row in grid.rows for noun in WHOLES
        if noun in row[0].lower() and (size := re.match(r"\d+ of (\d+)\b", row[-1]))
    ]  # fmt: skip
    for noun, size, line in said:
        sizes = wholes.setdefault(WHOLES[noun], {})
        sizes.setdefault(int(size.replace(",", "")), []).append(line)
    return [
        f"of {size} and of {max(sizes)} {noun}: {line[:120]}"
        for noun, sizes in wholes.items() for size, lines in sizes.items() for line in lines
        if size < max(sizes) and not LESS_OF.search(line)
    ]  # fmt: skip


def claim_faults(page: BeautifulSoup, recorded: Mapping[str, str] | None = None) -> list[str]:
    """Return every fault of this module; `recorded` has the page's `confidence` and `balance`."""
    checks = (significance_faults, heading_faults, total_faults, unit_faults, key_faults,
              phase_faults, sign_faults, count_faults, whole_faults)  # fmt: skip
    read = Read(page)
    said = confidence_faults(read, **(recorded or {}))
    return [*said, *(fault for check in checks for fault in check(read))]
