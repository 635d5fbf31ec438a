"""What an appraisal rests on, as sheets: assumptions, prices, persistence, discounting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.display.words import financial_year
from tfeval.money.appraisal_display import labels_of
from tfeval.money.persistence import Persistence
from tfeval.money.prices import discount_rates
from tfeval.money.unit_costs import GRADES
from tfeval.money.workbook_courses import courses, lastings

#: An `Appraisal`, whose file imports this one.
Appraised = Any
#: Row of every sheet's headings, counted from 0: room for a title and what can be turned.
HEADINGS = 3
#: Stands where there is nothing to say.
NONE = "[z]"
_NAMED = re.compile(r"\{(\w+)([+-]1)?\}")
AS_DRAWN, AS_LISTED, NOT_USED = "as drawn", "as listed", "not used"


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    Attributes
    ----------
    key : str
        How formulas name it: "{key}" is its cell in the same row, "{key-1}" in the one before.
    heading : str
    cells : list
        What a program reads that does not calculate; (text, address) for a link.
    kind : str
        One of `KINDS` of `tfeval.money.workbook`.
    formula : str or list of str, optional
        One for all rows, or one a row; "" for a row that has none.
    turn : bool or list of bool
        Whether a reader may turn it; or which of its cells.
    """

    key: str
    heading: str
    cells: Any
    kind: str = "text"
    formula: str | Sequence[str] = ""
    turn: bool | Sequence[bool] = False


@dataclass(frozen=True)
class Sheet:
    """A sheet with one table, whose cells others refer to."""

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0].cells)

    def of(self, key: str) -> list[Any]:
        """Return a column's cells."""
        return list(next(column.cells for column in self.columns if column.key == key))

    def cell(self, key: str, row: int = 0) -> str:
        """Return the address of a cell, from any sheet."""
        return f"'{self.name}'!{self.own(key, row)}"

    def own(self, key: str, row: int) -> str:
        """Return the address of a cell, from this sheet."""
        at = next(at for at, column in enumerate(self.columns) if column.key == key)
        return f"${_letters(at)}${HEADINGS + 2 + row}"

    def span(self, key: str, first: int = 0, last: int | None = None) -> str:
        """Return the address of a column's rows, or of some of them, the last among them."""
        end = len(self) - 1 if last is None else last
        return f"{self.cell(key, first)}:{self.own(key, end)}"

    def formulas(self) -> list[tuple[int, int, str]]:
        """Return row and column, counted from 0 below the headings, and formula of each."""
        cells = []
        for at, column in enumerate(self.columns):
            texts = column.formula
            for row in range(len(self)):
                text = texts if isinstance(texts, str) else texts[row]
                if text:
                    cells.append((row, at, f"={self._placed(text, row)}"))
        return cells

    def _placed(self, text: str, row: int) -> str:
        def address(match: re.Match[str]) -> str:
            return self.own(match[1], row + int(match[2] or 0))

        return _NAMED.sub(address, text)


@dataclass(frozen=True)
class Keyed(Sheet):
    """A sheet whose rows have names."""

    keys: tuple[str, ...] = ()

    def at(self, key: str) -> str:
        """Return the address of a row's value."""
        return self.cell("value", self.keys.index(key))


def _letters(at: int) -> str:
    first, last = divmod(at, 26)
    return (chr(64 + first) if first else "") + chr(65 + last)


class Book(dict[str, Sheet]):
    """Sheets by their names, and the assumptions in force."""

    def assumed(self, key: str) -> str:
        """Return the address of an assumption."""
        sheet = self["Assumptions"]
        assert isinstance(sheet, Keyed)
        return sheet.at(key)


def input_sheets(appraised: Appraised) -> Book:
    """Return what an appraisal rests on, sheet by sheet, each after those that it refers to."""
    book = Book()
    for made in (_families, _assumptions, _rates, _discounting, _persistence, _profile,
                 _years_of_effect, _unit_costs):  # fmt: skip
        sheet = made(appraised, book)
        book[sheet.name] = sheet
    return book


def _families(appraised: Appraised, _: Book) -> Sheet:
    by_year = appraised.settings.families
    return Sheet(
        "Families", "Families reached, by the year in which they join", "Turn: families.",
        (
            Column("label", "Financial year", [financial_year(year) for year in by_year]),
            Column("year", "Begins in", list(by_year), "year"),
            Column("families", "Families", list(by_year.values()), "count", turn=True),
        ),
    )  # fmt: skip


def _assumptions(appraised: Appraised, book: Book) -> Sheet:
    joined = book["Families"]
    terms, model = appraised.settings, appraised.model
    rows: list[tuple[str, str, Any, str, str]] = [
        ("override", "Persistence, one share for all", AS_DRAWN, "",
         f"a share of an effect left each further year, 0 to 1; {AS_DRAWN}: sheet Persistence"),
        ("rate", "Discount rate, one for all years", AS_LISTED, "",
         f"a year, such as 0.035; {AS_LISTED}: sheet Discount rates"),
        ("timing", "When in the year money flows", terms.timing, "", "mid or end"),
        ("lag", "Months from joining until an effect begins", terms.lag, "", "months"),
        ("displacement", "Gains in work that others lose", terms.displacement, "", "a share"),
    ]  # fmt: skip
    whose = f"; as run from {terms.optimism_bias_source}" * bool(terms.optimism_bias_source)
    rows += [
        (f"bias_{grade}", f"Optimism bias, evidence of grade {grade}", terms.optimism_bias[grade],
         "", f"benefits shrink and harms grow by this share{whose}") for grade in GRADES
    ]  # fmt: skip
    for at, share in enumerate(lastings(appraised)):
        if isinstance(share, Persistence):
            rows += [
                (f"{end}_{at}", f"Persistence {at + 1}: {what}", getattr(share, end), "", "a share")
                for end, what in (("share", "share left each further year, on average"),
                                  ("low", "at least"), ("high", "at most"))
            ]  # fmt: skip
    elastic = "IF(ISNUMBER({income}),{income}^-{elasticity},1)"
    rows += [
        ("funds", "What a pound of public money counts", terms.public_funds, "",
         "pounds, in the social account"),
        ("cash", "Count only what stops being spent", "yes" if terms.cashable_only else "no", "",
         "yes or no"),
        ("income", "Families' income over the median", terms.relative_income or NOT_USED, "",
         f"0.1 to 2; {NOT_USED}: no distributional weights"),
        ("elasticity", "Elasticity of the marginal utility of income", terms.elasticity, "", ""),
        ("weight", "What a pound of the families counts", terms.weight, elastic, "pounds"),
        ("valued", "Share of its cost that families value the support at", terms.valued_share, "",
         "a share"),
        ("claims", "Results claimed", terms.claims or "not given", "", "results"),
        ("total", "Families reached", terms.total_families, f"SUM({joined.span('families')})",
         "families"),
        ("base", "Year to which money is discounted", financial_year(model.years[0]), "fixed", ""),
        ("price", "Year of prices", financial_year(terms.price_year), "fixed", "GDP deflators"),
        ("edition", "Green Book edition of the discount rates", f"{terms.edition}, {terms.rate}",
         "fixed", ""),
        ("horizon", "Years counted from when a family joins", terms.horizon, "fixed", "years"),
        ("account", "Account of the page", terms.perspective, "fixed", "both are in Summary"),
        ("overlap", "Two measures of the same pounds", terms.on_overlap, "fixed",
         "net: only the one worth more is counted"),
        ("result", "Effect that is a result's", terms.result or "not given", "fixed", ""),
        ("convert", "Effects valued by another outcome's unit cost",
         "; ".join(f"{name}: {to[1]:g} of {to[0]}" for name, to in terms.convert.items()) or "none",
         "fixed", ""),
    ]  # fmt: skip
    places = {key: f"$B${HEADINGS + 2 + at}" for at, (key, *_) in enumerate(rows)}
    made = ["" if text == "fixed" else text.format(**places) for *_, text, _ in rows]
    turned = {"": "turn it", "fixed": "fixed: run the appraisal again"}
    return Keyed(
        "Assumptions", "What is assumed, and what can be turned",
        "Turn: the values of rows that say so. Effects, unit costs, costs, families and discount "
        "rates are turned in their own sheets.",
        (
            Column("name", "Assumption", [row[1] for row in rows], "long"),
            Column("value", "Value", [row[2] for row in rows], "any", made,
                   [not row[3] for row in rows]),
            Column("unit", "Unit and range", [row[4] or NONE for row in rows], "long"),
            Column("how", "In this workbook", [turned.get(row[3], "follows") for row in rows]),
        ),
        tuple(row[0] for row in rows),
    )  # fmt: skip


def _rates(appraised: Appraised, _: Book) -> Sheet:
    rows = discount_rates(appraised.settings.edition, appraised.settings.rate)
    return Sheet(
        "Discount rates", "Discount rates by years after the base year", "Turn: the rates.",
        (
            Column("first", "From year", list(rows["from_year"].astype(int)), "year"),
            Column("last", "To year", list(rows["to_year"].astype(int)), "year"),
            Column("rate", "Rate a year", list(rows["rate"]), "rate", turn=True),
            Column("source", "Source", list(zip(rows["source_title"], rows["url"], strict=True)),
                   "link"),
        ),
    )  # fmt: skip


def _discounting(appraised: Appraised, book: Book) -> Sheet:
    rates = book["Discount rates"]
    model, schedule = appraised.model, discount_rates(
        appraised.settings.edition, appraised.settings.rate
    )  # fmt: skip
    last = schedule["to_year"].to_numpy(dtype=int)
    into = np.minimum(np.arange(1, len(model.years) + 1), last.max())
    band = np.searchsorted(last, into)
    rate = schedule["rate"].to_numpy(dtype=float)[band]
    start = np.concatenate([[1.0], np.cumprod(1 / (1 + rate[:-1]))])
    return Sheet(
        "Discounting", "From money of each year to present value",
        "Follows from Discount rates and Assumptions. Each year's factor is the one before, over "
        "one plus the rate; in the middle of a year, half a year more.",
        (
            Column("label", "Financial year", [financial_year(year) for year in model.years]),
            Column("year", "Begins in", list(model.years), "year"),
            Column("rate", "Rate into the next year", rate, "rate",
                   [f"IF(ISNUMBER({book.assumed('rate')}),{book.assumed('rate')},"
                    f"{rates.cell('rate', at)})" for at in band]),
            Column("start", "Factor as the year begins", start, "number",
                   ["1", *["{start-1}/(1+{rate-1})"] * (len(start) - 1)]),
            Column("factor", "Discount factor", model.discount, "number",
                   f'IF({book.assumed("timing")}="mid",{{start}}/SQRT(1+{{rate}}),{{start}})'),
        ),
    )  # fmt: skip


def _persistence(appraised: Appraised, book: Book) -> Sheet:
    most = appraised.model.horizon
    persistences, apart = lastings(appraised), courses(appraised)[len(appraised.model.reach) :]
    blocks = len(persistences) + len(apart)
    power = list(range(most + 1)) * blocks
    of = [at for at in range(blocks) for _ in range(most + 1)]
    names = [f"Persistence {at + 1}" for at in range(len(persistences))] + [
        one.name for one in apart
    ]
    words = [*map(str, persistences), *(one.words for one in apart)]
    expected = []
    for at, one in enumerate(persistences):
        if not isinstance(one, Persistence):
            expected += [""] * (most + 1)
            continue
        share, low, high = (book.assumed(f"{end}_{at}") for end in ("share", "low", "high"))
        further = "({power}+1)"
        parts = [f"({end}^{further}-{start}^{further})/({further}*({end}-{start}))"
                 for start, end in ((low, share), (share, high))]  # fmt: skip
        ranged = f"(({high}-{share})*{parts[0]}+({share}-{low})*{parts[1]})/({high}-{low})"
        certain = f"IF({{power}}=0,1,{share}^{{power}})"
        expected += [f"IF(AND({low}<{share},{share}<{high}),{ranged},{certain})"] * (most + 1)
    value = np.concatenate(
        [*(one.moments(most) for one in persistences), *(one.left for one in apart)]
    )
    expected += [""] * (len(apart) * (most + 1))
    # A share that is given goes with no effect.
    given = f"IF({{power}}=0,1,{book.assumed('override')}^{{power}})"
    fixed = [given if at < len(persistences) else "0" for at in of]
    return Sheet(
        "Persistence", "Share of an effect left in each further year, expected over its range",
        "Follows from Assumptions. The mean of a power is not the power of the mean: what is "
        "expected to be left is more than the expected share, compounded.",
        (
            Column("which", "Persistence", [names[at] for at in of]),
            Column("words", "As assumed", [words[at] for at in of], "long"),
            Column("power", "Further years", power, "year"),
            Column("expected", "Share left, expected", value, "number", expected),
            Column("used", "Share left, as used", value, "number",
                   [f"IF(ISNUMBER({book.assumed('override')}),{text},{{expected}})"
                    for text in fixed]),
        ),
    )  # fmt: skip


def _profile(appraised: Appraised, book: Book) -> Sheet:
    """Return the share of a measured effect by year since joining.

    Twelve months hold two powers of persistence at most: the one that they begin with, and the
    next.
    """
    lasting = book["Persistence"]
    lag, horizon = int(appraised.settings.lag), appraised.model.horizon
    rows = []
    for course in courses(appraised):
        one, months, left = course.block, course.months, course.left
        span = lasting.span("used", one * (horizon + 1), (one + 1) * (horizon + 1) - 1)
        for since in range(horizon):
            first, begins = 12 * since, lag + months
            power = 0 if first < begins else 1 + (first - begins) // 12
            ends = (lag if power == 0 else begins + 12 * (power - 1), begins + 12 * power)
            now = max(0, min(first + 12, ends[1]) - max(first, ends[0]))
            then = max(0, first + 12 - max(first, ends[1]))
            after = left[power + 1] if then else 0.0
            share = (now * left[power] + then * after) / months
            rows.append(
                (
                    course.name,
                    course.words,
                    months,
                    since + 1,
                    power,
                    now,
                    then,
                    left[power],
                    after,
                    share,
                    span,
                )
            )
    columns = list(zip(*rows, strict=True))
    opens, measured = "12*({since}-1)", f"({book.assumed('lag')}+{{months}})"
    closes = f"({measured}+12*{{power}})"
    starts = f"IF({{power}}=0,{book.assumed('lag')},{closes}-12)"
    return Sheet(
        "Profile", "Share of the effect measured that falls in each year since joining",
        "Follows from Assumptions and Persistence: the months of the year before and after a "
        "further year's share is left, over the months measured.",
        (
            Column("profile", "Profile", columns[0]),
            Column("words", "Of effects with", columns[1], "long"),
            Column("months", "Months measured", columns[2], "year"),
            Column("since", "Year since joining", columns[3], "year"),
            Column("power", "Further years as it begins", columns[4], "year",
                   f"IF({opens}<{measured},0,1+INT(({opens}-{measured})/12))"),
            Column("now", "Months of these", columns[5], "year",
                   f"MAX(0,MIN({opens}+12,{closes})-MAX({opens},{starts}))"),
            Column("then", "Months of one more", columns[6], "year",
                   f"MAX(0,{opens}+12-MAX({opens},{closes}))"),
            Column("left", "Share left in these", columns[7], "number",
                   [f"INDEX({span},{{power}}+1)" for span in columns[10]]),
            Column("after", "Share left in one more", columns[8], "number",
                   [f"IF({{then}}=0,0,INDEX({span},{{power}}+2))" for span in columns[10]]),
            Column("share", "Share of the effect", columns[9], "number",
                   "({now}*{left}+{then}*{after})/{months}"),
        ),
    )  # fmt: skip


def _years_of_effect(appraised: Appraised, book: Book) -> Sheet:
    joined, shape, discount = (book[name] for name in ("Families", "Profile", "Discounting"))
    model, rows = appraised.model, []
    horizon, starts = model.horizon, list(appraised.settings.families)
    for at, course in enumerate(courses(appraised)):
        reached = course.left @ course.reach
        for place, year in enumerate(model.years):
            parts = [
                f"{joined.cell('families', row)}*{shape.cell('share', at * horizon + year - start)}"
                for row, start in enumerate(starts) if 0 <= year - start < horizon
            ]  # fmt: skip
            if parts:
                rows.append(
                    (
                        course.name,
                        financial_year(year),
                        year,
                        reached[place],
                        model.discount[place],
                        reached[place] * model.discount[place],
                        "+".join(parts),
                        discount.cell("factor", place),
                    )
                )
    columns = list(zip(*rows, strict=True))
    return Sheet(
        "Years of effect", "Families times share of the effect, in each financial year",
        "Follows from Families, Profile and Discounting: each year's families by the share of the "
        "effect that falls so long after they join.",
        (
            Column("profile", "Profile", columns[0]),
            Column("label", "Financial year", columns[1]),
            Column("year", "Begins in", columns[2], "year"),
            Column("reached", "Families times share", columns[3], "pounds", columns[6]),
            Column("factor", "Discount factor", columns[4], "number", columns[7]),
            Column("discounted", "Discounted", columns[5], "pounds", "{reached}*{factor}"),
        ),
    )  # fmt: skip


def _unit_costs(appraised: Appraised, _: Book) -> Sheet:
    rows, words = appraised.valued.costs, labels_of(appraised)
    shares = rows["value"] * rows["times"] / rows["divided_by"] * rows["own"]
    amount = rows["amount"]
    prices = np.divide(amount, shares, out=np.ones(len(rows)), where=shares.to_numpy() != 0)
    text = {
        "conversion": "How it becomes one unit", "overlaps": "What another outcome's price holds",
        "range_basis": "What the range rests on", "definition": "Definition", "note": "Note",
    }  # fmt: skip
    return Sheet(
        "Unit costs", "What one unit of each outcome costs, and whom, in the appraisal's prices",
        "Turn: the amount, or what it is made of. Amount = published value x times / divided by x "
        "share of its own x price factor. One row a component.",
        (
            Column("outcome", "Outcome", [word_of(name, words) for name in rows["outcome"]]),
            Column("component", "Component", list(rows["component"])),
            Column("payer", "Falls to", list(rows["payer"])),
            Column("amount", "Amount, pounds a unit", list(amount), "pounds",
                   "{value}*{times}/{divided}*{own}*{prices}", turn=True),
            Column("low", "At least, pounds", list(rows["low"]), "pounds"),
            Column("high", "At most, pounds", list(rows["high"]), "pounds"),
            Column("per", "Unit", list(rows["per"])),
            Column("value", "Published value, pounds", list(rows["value"]), "pounds", turn=True),
            Column("times", "Times", list(rows["times"]), "any", turn=True),
            Column("divided", "Divided by", list(rows["divided_by"]), "any", turn=True),
            Column("own", "Share of its own", list(rows["own"]), "share", turn=True),
            Column("prices", "Price factor", prices, "number", turn=True),
            Column("year", "Published in prices of",
                   [financial_year(int(year)) for year in rows["original_price_year"]]),
            Column("index", "Price index", [said(name) for name in rows["price_index"]]),
            Column("cash", "Share that stops being spent", list(rows["cashable"]), "share",
                   turn=True),
            Column("transfer", "Transfer", list(rows["transfer"])),
            Column("priced", "Average or marginal", list(rows["priced"])),
            Column("grade", "Grade", list(rows["grade"])),
            Column("source", "Source",
                   list(zip(rows["source_title"], rows["url"], strict=True)), "link"),
            Column("publisher", "Publisher", list(rows["publisher"]), "long"),
            Column("date", "Date", [str(date) for date in rows["date"]]),
            Column("code", "Code", list(rows["code"])),
            *(Column(key, heading, list(rows[key]), "long") for key, heading in text.items()),
        ),
    )  # fmt: skip


def word_of(name: Any, words: dict[str, str]) -> str:
    """Return an outcome's name in words."""
    return words.get(str(name)) or said(name)


def said(name: Any) -> str:
    """Return a key as words."""
    text = str(name).replace("_", " ").replace("gdp", "GDP")
    return text[:1].upper() + text[1:]
