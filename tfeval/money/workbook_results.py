"""What follows from an appraisal's sheets, as formulas: lines, years, and the summary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.words import financial_year
from tfeval.impact.effects.words import made_words
from tfeval.money.account import account
from tfeval.money.appraisal_display import labels_of
from tfeval.money.appraisal_settings import WORK
from tfeval.money.model import ACCOUNTS
from tfeval.money.unit_costs import TAXPAYERS, party_of
from tfeval.money.workbook_courses import courses, tied
from tfeval.money.workbook_formulas import (
    NONE,
    Appraised,
    Book,
    Column,
    Sheet,
    input_sheets,
    said,
)
from tfeval.programme.published import published, published_tables

#: Sheets in the order of the workbook: results, then what they are made of.
ORDER = ("Summary", "Assumptions", "Families", "Effects", "Unit costs", "Costs", "Sources",
         "Persistence", "Profile", "Years of effect", "Discount rates", "Discounting", "Lines",
         "Years and payers", "Years")  # fmt: skip
#: What adding up in another order may move.
PENNY = 0.005


def live_sheets(appraised: Appraised) -> list[Sheet]:
    """Return the sheets in which every number that follows from others is a formula.

    Parameters
    ----------
    appraised : Appraisal

    Returns
    -------
    list of Sheet
        The results first, then what they are made of.
    """
    book = input_sheets(appraised)
    for made in (_effects, _sources, _costs, _lines, _cells, _by_year, _summary):
        sheet = made(appraised, book)
        book[sheet.name] = sheet
    return [book[name] for name in ORDER if len(book[name])]


def _effects(appraised: Appraised, book: Book) -> Sheet:
    """Return every effect considered, those that are valued first."""
    priced = book["Unit costs"]
    model, words = appraised.model, labels_of(appraised)
    frame = appraised.effects.to_frame()
    frame["method"] = made_words(frame)["method"]
    place = {name: at for at, name in enumerate(model.outcomes)}
    frame = frame.assign(at=frame["outcome"].map(place).fillna(len(place)))
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    valued = [name in place for name in frame["outcome"]]
    rest = [NONE] * (len(frame) - len(place))
    costed = appraised.valued.effects["outcome"]
    of_cost = appraised.valued.costs.reset_index(drop=True)
    rows_of = {name: list(rows.index) for name, rows in of_cost.groupby("outcome")}
    grades = list(appraised.valued.effects["grade"])
    work = ["yes" if name in WORK else "no" for name in costed]
    kept = []
    for at, name in enumerate(costed):
        amounts = "+".join(priced.cell("amount", row) for row in rows_of[name])
        gain = f"SIGN(-{{estimate}}*{{scale}}*IF({amounts}<0,-1,1))"
        moved = f"*(1-{book.assumed('displacement')})" if work[at] == "yes" else ""
        kept.append(f"(1-{book.assumed(f'bias_{grades[at]}')}*{gain}){moved}")
    cut = list(model.reduction(model.estimate[None, :])[0])
    reached = appraised.settings.total_families
    extra = [
        Column(f"extra_{key}", f"Additional outcomes, all families{ending}",
               list(frame[key] * reached), "pounds",
               [f"{{{key}}}*{book.assumed('total')}" if np.isfinite(value) else ""
                for value in frame[key]])
        for key, ending in (("estimate", ""), ("conf_low", ", from"), ("conf_high", ", to"))
    ]  # fmt: skip
    labels = {"population": "Of whom", "estimand": "Estimand", "method": "Method"}
    spread = {"std_error": "Standard error", "conf_low": "Interval from",
              "conf_high": "Interval to", "mean_comparison": "Comparison's mean"}  # fmt: skip
    return Sheet(
        "Effects", "Effects for one family over the months measured",
        "Turn: the effect, or the units of the unit cost for each unit of it. A fall is negative; "
        "a unit less = - effect x units x share counted. Standard errors do not move the value.",
        (
            Column("name", "Effect on", [words[name] for name in frame["outcome"]], "long"),
            Column("estimate", "Effect a family", list(frame["estimate"]), "number",
                   turn=valued),
            Column("scale", "Units of the unit cost for each", [*model.scale, *rest], "any",
                   turn=valued),
            Column("work", "Work, which may displace", [*work, *rest]),
            Column("grade", "Grade of its unit costs", [*grades, *rest]),
            Column("kept", "Share counted", [*model.kept, *rest], "number",
                   [*kept, *("" for _ in rest)]),
            Column("cut", "Units less a family", [*cut, *rest], "number",
                   ["-{estimate}*{scale}*{kept}" if one else "" for one in valued]),
            Column("months", "Months measured", list(frame["months"]), "year"),
            *(Column(key, text, list(frame[key]), "number") for key, text in spread.items()),
            *extra,
            *(Column(key, text, [said(value) if value else NONE for value in frame[key]], "long")
              for key, text in labels.items()),
        ),
    )  # fmt: skip


def _sources(appraised: Appraised, _: Book) -> Sheet:
    """Return the sources of the programme's costs, one a row."""
    titles: dict[str, list[str]] = {}
    for name in published_tables():
        rows = published(name)
        if "source_title" not in rows:  # statistics of areas, whose measures have the sources
            continue
        for title, url in zip(rows["source_title"], rows["url"], strict=True):
            titles.setdefault(url, []).append(title)
    sources = []
    for row in appraised.spent.drop_duplicates(["line", "urls"]).to_dict("records"):
        for url in str(row["urls"]).split():
            named = [title for title in titles.get(url, []) if title in str(row["sources"])]
            sources.append((row["line"], (named[0] if named else url, url), url))
    columns: list[Any] = list(zip(*sources, strict=True)) or [(), (), ()]
    return Sheet(
        "Sources", "Every source of the programme's costs", "One row a cost line and source.",
        (
            Column("line", "Cost line", columns[0], "long"),
            Column("source", "Source", columns[1], "link"),
            Column("url", "Address", columns[2], "long"),
        ),
    )  # fmt: skip


def _costs(appraised: Appraised, book: Book) -> Sheet:
    links, discount = book["Sources"], book["Discounting"]
    rows, model = appraised.spent, appraised.model
    at = [int(year) - model.years[0] for year in rows["year"]]
    worth = rows["amount"].to_numpy(dtype=float) * model.discount[at]
    first: dict[tuple[str, str], int] = {}
    for place, (line, url) in enumerate(zip(links.of("line"), links.of("url"), strict=True)):
        first.setdefault((line, url), place)
    source, every = [], []
    for row in rows.to_dict("records"):
        urls = str(row["urls"]).split()
        place = first.get((row["line"], urls[0]), 0) if urls else 0
        source.append(links.of("source")[place] if urls else NONE)
        every.append((f"{len(urls)} sources", f"internal:{links.cell('source', place)}")
                     if len(urls) > 1 else NONE)  # fmt: skip
    return Sheet(
        "Costs", "The programme's costs in the appraisal's prices",
        "Turn: the amount. Present value = amount x discount factor.",
        (
            Column("line", "Cost line", list(rows["line"]), "long"),
            Column("label", "Financial year", [financial_year(int(y)) for y in rows["year"]]),
            Column("year", "Begins in", list(rows["year"].astype(int)), "year"),
            Column("payer", "Paid by", list(rows["payer"])),
            Column("amount", "Amount, pounds", list(rows["amount"]), "pounds", turn=True),
            Column("low", "At least, pounds", list(rows["low"]), "pounds"),
            Column("high", "At most, pounds", list(rows["high"]), "pounds"),
            Column("factor", "Discount factor", model.discount[at], "number",
                   [discount.cell("factor", place) for place in at]),
            Column("fiscal", "Present value, fiscal account, pounds", worth, "pounds",
                   "{amount}*{factor}"),
            Column("social", "Present value, social account, pounds",
                   worth * model.cost_factor[1], "pounds", f"{{fiscal}}*{book.assumed('funds')}"),
            Column("source", "Source", source, "link"),
            Column("every", "All sources", every, "link"),
            Column("basis", "Basis", list(rows["basis"]), "long"),
        ),
    )  # fmt: skip


def _lines(appraised: Appraised, book: Book) -> Sheet:
    """Return one row a component of an effect's value and payer."""
    priced, effects, years = (book[name] for name in ("Unit costs", "Effects", "Years of effect"))
    model, words = appraised.model, labels_of(appraised)
    rows = account(appraised.valued.effects, appraised.valued.costs, appraised.settings)
    # An effect that was estimated with what is left of it has its rows again, for a unit of it.
    apart = courses(appraised)[len(model.reach) :]
    again = [np.flatnonzero(model.of == at) for at in tied(appraised)]
    order = np.concatenate([np.arange(len(rows)), *again])
    rows, of, unit = rows.iloc[order].reset_index(drop=True), model.of[order], model.unit[order]
    more, first = len(order) - len(model.of), model.reduction(model.estimate[None, :])[0][model.of]
    each = model.reduction(np.ones((1, len(model.outcomes))))[0][of]
    cut = np.where(np.arange(len(order)) < len(first), np.resize(first, len(order)), each)
    course = [f"Profile {model.group[at] + 1}" for at in model.of]
    course += [one.name for one, places in zip(apart, again, strict=True) for _ in places]
    made = [effects.cell("cut", at) for at in model.of]
    made += [f"-{effects.cell('scale', at)}*{effects.cell('kept', at)}" for at in of[-more:]][:more]
    reach_of = {
        one.name: float(one.left @ one.reach @ model.discount) for one in courses(appraised)
    }
    reached = np.array([reach_of[name] for name in course])
    turned = rows["turned"].to_numpy(dtype=float)
    public = (rows["party"] == TAXPAYERS).to_numpy()
    worth = cut * reached * model.amount[unit] * turned
    own = np.where(public | (rows["transfer"] == "yes"), 0.0, cut * model.amount[unit] * reached)
    cash = [f'IF({book.assumed("cash")}="yes",{priced.cell("cash", at)},1)' for at in unit]
    theirs = f'IF({book.assumed("cash")}="yes",0,1)'
    weigh = [f"{book.assumed('weight')}*{theirs}" if party == "participants" else theirs
             for party in rows["party"]]  # fmt: skip
    span = years.span("profile"), years.span("discounted")
    return Sheet(
        "Lines", "Every pound counted: effect x units x families and years x unit cost, by payer",
        "Follows. Present value = units less x families and years x unit cost x sign x what a "
        "pound counts. A transfer stands twice: the public body's, and the families' with -1."
        + " Rows of a profile named Together hold the covariance of an effect and what is left of "
        "it, for one unit of the effect." * bool(apart),
        (
            Column("effect", "Effect on", [words[name] for name in rows["line"]], "long"),
            Column("component", "Component", list(rows["component"]), "long"),
            Column("payer", "Falls to", list(rows["payer"])),
            Column("party", "Party", list(rows["party"])),
            Column("cut", "Units less a family", cut, "number",
                   made),
            Column("profile", "Profile", course),
            Column("reached", "Families and years, discounted", reached, "pounds",
                   f"SUMIFS({span[1]},{span[0]},{{profile}})"),
            Column("amount", "Unit cost, pounds", model.amount[unit], "pounds",
                   [priced.cell("amount", at) for at in unit]),
            Column("sign", "Sign", turned, "year"),
            Column("fiscal", "What a pound counts, fiscal", rows["fiscal"], "number",
                   [text if one else "0" for text, one in zip(cash, public, strict=True)]),
            Column("social", "What a pound counts, social", rows["social"], "number",
                   [f"{text}*{book.assumed('funds')}" if one else other
                    for text, other, one in zip(cash, weigh, public, strict=True)]),
            *(Column(f"{name}_worth", f"Present value, {name} account, pounds",
                     worth * rows[name].to_numpy(dtype=float), "pounds",
                     f"{{cut}}*{{reached}}*{{amount}}*{{sign}}*{{{name}}}") for name in ACCOUNTS),
            *(Column(f"{name}_each", f"Pounds for one family and year, {name}",
                     cut * model.amount[unit] * turned * rows[name].to_numpy(dtype=float),
                     "pounds", f"{{cut}}*{{amount}}*{{sign}}*{{{name}}}") for name in ACCOUNTS),
            Column("own", "Gain of others than taxpayers, no transfer, pounds", own, "pounds",
                   ["0" if not_own else "{cut}*{reached}*{amount}"
                    for not_own in public | (rows["transfer"] == "yes")]),
            Column("source", "Source of the unit cost",
                   [priced.of("source")[at] for at in unit], "link"),
        ),
    )  # fmt: skip


def _cells(appraised: Appraised, book: Book) -> Sheet:
    """Return benefits and costs by financial year and payer, in both accounts."""
    lines, years, spent = (book[name] for name in ("Lines", "Years of effect", "Costs"))
    model = appraised.model
    rows = []
    for place, year in enumerate(model.years):
        at = [row for row, one in enumerate(years.of("year")) if one == year]
        for column, payer in enumerate(model.payers):
            cost = float(model.costs[1, place, column])
            if cost or (at and (model.payer == column).any()):
                made = [_of_year(lines, years, at, name) for name in ACCOUNTS]
                rows.append((financial_year(year), year, payer, party_of(payer), cost, place, *made,
                             book["Discounting"].cell("factor", place)))  # fmt: skip
    columns = list(zip(*rows, strict=True))
    places, spending = list(columns[5]), np.array(columns[4])
    at_payer = [model.payers.index(payer) for payer in columns[2]]
    point, factor = model.point(), model.discount[places]
    fiscal, social = (
        replace(model, account=name).benefits(point)[0][places, at_payer] for name in ACCOUNTS
    )
    funds = book.assumed("funds")
    costs = (f"SUMIFS({spent.span('amount')},{spent.span('year')},{{year}},"
             f"{spent.span('payer')},{{payer}})")  # fmt: skip
    return Sheet(
        "Years and payers", "Benefits and costs by financial year and by whom they fall to",
        "Follows. Benefits = families times share of the effect x pounds for one family and year.",
        (
            Column("label", "Financial year", columns[0]),
            Column("year", "Begins in", columns[1], "year"),
            Column("payer", "Falls to", columns[2]),
            Column("party", "Party", columns[3]),
            Column("fiscal", "Benefits, fiscal, pounds", fiscal, "pounds", columns[6]),
            Column("social", "Benefits, social, pounds", social, "pounds", columns[7]),
            Column("cost", "Costs, pounds", spending, "pounds", costs),
            Column("factor", "Discount factor", factor, "number", columns[8]),
            Column("fiscal_net", "Net present value, fiscal, pounds", (fiscal - spending) * factor,
                   "pounds", "({fiscal}-{cost})*{factor}"),
            Column("social_net", "Net present value, social, pounds",
                   (social - spending * model.cost_factor[1]) * factor, "pounds",
                   f"({{social}}-{{cost}}*{funds})*{{factor}}"),
        ),
    )  # fmt: skip


def _of_year(lines: Sheet, years: Sheet, rows: list[int], name: str) -> str:
    """Return a payer's benefits in a year: over the profiles, which have a row each."""
    return "+".join(
        f"{years.cell('reached', row)}*SUMIFS({lines.span(f'{name}_each')},"
        f"{lines.span('payer')},{{payer}},{lines.span('profile')},{years.cell('profile', row)})"
        for row in rows
    ) or "0"  # fmt: skip


def _by_year(_: Appraised, book: Book) -> Sheet:
    """Return what the programme has brought by each year, and whether that is its cost for good."""
    cells = book["Years and payers"]
    frame = pd.DataFrame({column.key: list(column.cells) for column in cells.columns})
    sums = frame.groupby("year", sort=True)[["fiscal_net", "social_net"]].sum()
    columns = [
        Column("label", "Financial year", [financial_year(year) for year in sums.index]),
        Column("year", "Begins in", list(sums.index), "year"),
    ]
    for name in ACCOUNTS:
        net, total, back = (f"{name}_{what}" for what in ("net", "so_far", "back"))
        so_far = sums[net].cumsum().to_numpy()
        flags = [int(so_far[row:].min() >= -PENNY) for row in range(len(so_far))]
        # From the last year back: not below 0 now, nor in any year to come.
        paid = [f"IF(AND({{{total}}}>=-{PENNY},{{{back}+1}}=1),1,0)"] * (len(so_far) - 1)
        columns += [
            Column(net, f"Net present value of the year, {name}, pounds", list(sums[net]),
                   "pounds", f"SUMIFS({cells.span(net)},{cells.span('year')},{{year}})"),
            Column(total, f"So far, {name}, pounds", so_far, "pounds",
                   [f"{{{net}}}", *[f"{{{total}-1}}+{{{net}}}"] * (len(so_far) - 1)]),
            Column(back, f"Benefits so far reach the costs from here on, {name} (1: yes)", flags,
                   "year",
                   [*paid, f"IF({{{total}}}>=-{PENNY},1,0)"]),
        ]  # fmt: skip
    return Sheet(
        "Years", "Net value by financial year, and so far", "Follows from Years and payers.",
        tuple(columns),
    )  # fmt: skip


def _summary(appraised: Appraised, book: Book) -> Sheet:
    """Return both accounts: benefits, costs, net value and ratio, in all and a family."""
    lines, spent, cells, by_year = (
        book[name] for name in ("Lines", "Costs", "Years and payers", "Years")
    )
    rows = _Rows(appraised, book)
    accounts = appraised.accounts().set_index("account")
    rows.add("Families reached", "families", appraised.settings.total_families,
             [book.assumed("total")] * 2)  # fmt: skip
    rows.pounds("Benefits", "everybody", accounts["benefits"],
                [f"SUM({lines.span(f'{name}_worth')})" for name in ACCOUNTS])  # fmt: skip
    for one in appraised.who().to_dict("records"):
        made = [f"SUMIFS({lines.span(f'{name}_worth')},{lines.span('payer')},"
                f'"{one["payer"]}")' for name in ACCOUNTS]  # fmt: skip
        rows.pounds(f"Benefits: {one['payer']}", one["party"], pd.Series(one), made)
    rows.pounds("Costs", "everybody", accounts["costs"],
                [f"SUM({spent.span(name)})" for name in ACCOUNTS])  # fmt: skip
    for payer in dict.fromkeys(appraised.spent["payer"]):
        mine = [place for place, name in enumerate(spent.of("payer")) if name == payer]
        value = pd.Series({
            name: sum(spent.of(name)[at] for at in mine)
            for name in ACCOUNTS
        })  # fmt: skip
        made = [f'SUMIFS({spent.span(name)},{spent.span("payer")},"{payer}")'
                for name in ACCOUNTS]  # fmt: skip
        rows.pounds(f"Costs: {payer}", party_of(payer), value, made)
    rows.pounds(
        "Net present value",
        "everybody",
        accounts["npv"],
        [f"{rows.at('Benefits', name)}-{rows.at('Costs', name)}" for name in ACCOUNTS],
    )
    rows.add(
        "Benefit for each £1 of cost",
        "£ for each £1",
        accounts["ratio"],
        [_over(rows.at("Benefits", name), rows.at("Costs", name)) for name in ACCOUNTS],
    )
    back = [(by_year.span(f"{name}_back"), by_year.span("label")) for name in ACCOUNTS]
    rows.add("First year from which benefits so far reach the costs", "year", _payback(by_year),
             [f'IF(SUM({flags})=0,"never",INDEX({labels},MATCH(1,{flags},0)))'
              for flags, labels in back])  # fmt: skip
    claims, place = appraised.settings.claims, book.assumed("claims")
    rows.add("Cost of each claimed result", "£",
             [cost / claims if claims else None for cost in accounts["costs"]],
             [f'IF(ISNUMBER({place}),{rows.at("Costs", name)}/{place},"{NONE}")'
              for name in ACCOUNTS])  # fmt: skip
    _results(rows, appraised, book["Effects"])
    _willing(rows, appraised, book)
    rows.add("Check: years and payers less net present value", "£", [0.0, 0.0],
             [f"ROUND(SUM({cells.span(f'{name}_net')})-{rows.at('Net present value', name)},2)"
              for name in ACCOUNTS])  # fmt: skip
    return rows.sheet()


class _Rows:
    """Rows of the summary, each with its value and formula in both accounts."""

    def __init__(self, appraised: Appraised, book: Book) -> None:
        self.families, self.total = appraised.settings.total_families, book.assumed("total")
        self.rows: list[tuple] = []

    def at(self, measure: str, name: str) -> str:
        """Return the address of a measure in an account."""
        row = next(at for at, one in enumerate(self.rows) if one[0] == measure)
        return _SUMMARY.own(name, row)

    def add(self, measure: str, unit: str, value: Any, made: list[str], party: str = NONE) -> None:
        """Add a measure that has no value a family."""
        both = [value, value] if isinstance(value, float) else list(value)
        self.rows.append((measure, party, unit, *both, NONE, NONE, *made, "", ""))

    def pounds(self, measure: str, party: str, value: pd.Series, made: list[str]) -> None:
        """Add pounds, in all and a family."""
        both = [float(value[name]) for name in ACCOUNTS]
        row = len(self.rows)
        each = [f"{_SUMMARY.own(name, row)}/{self.total}" for name in ACCOUNTS]
        self.rows.append((measure, party, "£", *both, *(one / self.families for one in both),
                          *made, *each))  # fmt: skip

    def sheet(self) -> Sheet:
        """Return the summary."""
        columns = list(zip(*self.rows, strict=True))
        return Sheet(
            _SUMMARY.name, _SUMMARY.title, _SUMMARY.about,
            tuple(
                Column(one.key, one.heading, columns[at], one.kind,
                       columns[at + 4] if at > 2 else "")
                for at, one in enumerate(_SUMMARY.columns)
            ),
        )  # fmt: skip


_SUMMARY = Sheet(
    "Summary", "Value for money: the fiscal and the social account",
    "Follows from all other sheets. Fiscal: the public purse alone. Social: everybody; a transfer "
    "is the public purse's gain and the families' loss. Present values, pounds.",
    (
        Column("measure", "Measure", (), "long"), Column("party", "Party", ()),
        Column("unit", "Unit", ()), Column("fiscal", "Fiscal account", (), "pounds"),
        Column("social", "Social account", (), "pounds"),
        Column("fiscal_each", "Fiscal account, a family", (), "pounds"),
        Column("social_each", "Social account, a family", (), "pounds"),
    ),
)  # fmt: skip


def _over(over: str, under: str) -> str:
    return f'IF({under}=0,"{NONE}",{over}/{under})'


def _payback(by_year: Sheet) -> list[Any]:
    years = []
    for name in ACCOUNTS:
        flags = by_year.of(f"{name}_back")
        years.append(by_year.of("label")[flags.index(1)] if 1 in flags else "never")
    return years


def _results(rows: _Rows, appraised: Appraised, effects: Sheet) -> None:
    """Add the results that there would not have been, and what each cost."""
    name = appraised.settings.result
    if name is None:
        return
    at = effects.of("name").index(labels_of(appraised)[name])
    extra = effects.cell("extra_estimate", at)
    rows.add("Additional results", "results", appraised.additional_results, [extra, extra])
    costs = appraised.accounts()["costs"]
    more = appraised.additional_results
    rows.add(
        "Cost of each additional result",
        "£",
        [cost / more if more > 0 else float("inf") for cost in costs],
        [f'IF({extra}>0,{rows.at("Costs", one)}/{extra},"no end")' for one in ACCOUNTS],
    )


def _willing(rows: _Rows, appraised: Appraised, book: Book) -> None:
    """Add what all but taxpayers gain, and that over the public purse's net cost."""
    lines = book["Lines"]
    theirs = f'SUMIFS({lines.span("own")},{lines.span("party")},"participants")'
    rest = f"SUM({lines.span('own')})-{theirs}"
    own = f"{book.assumed('valued')}*{rows.at('Costs', 'fiscal')}"
    net = f"({rows.at('Costs', 'fiscal')}-{rows.at('Benefits', 'fiscal')})"
    ends = list(zip(("at least", "at most"), ("MIN", "MAX"), appraised.willingness_to_pay,
                    appraised.marginal_value_of_public_funds, strict=True))  # fmt: skip
    for end, pick, worth, _ in ends:
        made = f"{rest}+{pick}(0,{theirs})+{own}"
        rows.rows.append((f"Willingness to pay, {end}", "all but taxpayers", "£", NONE, worth, NONE,
                          NONE, "", made, "", ""))  # fmt: skip
    each = {end: rows.at(f"Willingness to pay, {end}", "social") for end, *_ in ends}
    nobody = f"AND({','.join(f'{place}=0' for place in each.values())})"
    for end, _, _, value in ends:
        willing = each[end]
        made = (f'IF({nobody},"{NONE}",IF({net}>0,{willing}/{net},'
                f'IF({willing}>=0,"no end","{NONE}")))')  # fmt: skip
        rows.rows.append((f"Marginal value of public funds, {end}", NONE, "£ for each £1", NONE,
                          value, NONE, NONE, "", made, "", ""))  # fmt: skip
