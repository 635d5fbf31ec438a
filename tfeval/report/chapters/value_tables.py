"""Chapter 7: what would change the answer, what is left out, and value by authority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import range_chart
from tfeval.display.names import ACCOUNTS, NOT_VALUED, PAY_FOR, capital
from tfeval.display.tables import Table, table
from tfeval.display.words import amount, chance, financial_year, pounds, simulated_mark
from tfeval.errors import TfevalError, public_line
from tfeval.impact.effects.areas import AreaEffects, pool_areas
from tfeval.impact.effects.power import detectable_effects
from tfeval.impact.effects.words import decimals, number
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.area_values import AreaAppraisals, appraise_areas
from tfeval.money.costs import cost_lines, programme_costs
from tfeval.money.could_know import cost_of_a_family
from tfeval.money.decisions import evaluation_cost
from tfeval.money.unit_costs import TAXPAYERS, overlap_of
from tfeval.programme.outcomes import OUTCOMES, outcome_label
from tfeval.programme.published import Source
from tfeval.report.chapters.common import about, span, with_sources
from tfeval.report.chapters.evidence import Unvalued, or_why
from tfeval.report.chapters.impact import not_shown
from tfeval.report.chapters.known import COST_WORDS
from tfeval.report.chapters.value import Value, information
from tfeval.report.record import Records

_FEWEST_AREAS = 3
_SMALL = "In one group too few families have it, or lack it: its value would tell of them."


@or_why
def break_even_table(value: Value) -> Table:
    """Return the effect at which value turns, beside the estimate and what could have been seen.

    Parameters
    ----------
    value : Value
        As from `load`.
    """
    seen = detectable_effects(value.appraisal.effects, level=0.95).set_index("outcome")
    names = dict(zip(value.appraisal.valued.effects["outcome"],
                     value.appraisal.valued.effects["name"], strict=True))  # fmt: skip
    rows = []
    for row in value.appraisal.break_even().to_dict("records"):
        name = str(row["outcome"]) if row["outcome"] in seen.index else names[row["outcome"]]
        detectable, digits = float(seen["detectable"][name]), decimals(seen["std_error"][name])
        needed = row["break_even"]
        if np.isnan(needed):
            visible = "worth nothing in this account"
        elif not row["possible"]:
            visible = "more than there is to reduce"
        else:
            visible = "yes" if abs(needed) >= detectable else "no: too small to have been seen"
        rows.append((
            outcome_label(name, unit=True), number(row["estimate"], digits),
            number(detectable, digits),
            "none would" if np.isnan(needed) else number(needed, decimals(abs(needed) / 10)),
            visible,
        ))  # fmt: skip
    account = value.appraisal.settings.perspective
    columns = ["Outcome", "Effect estimated", "Smallest effect the study could see",
               f"Effect that alone would {PAY_FOR[account]} all the costs",
               "Could it have been seen?"]  # fmt: skip
    times = " to ".join(
        dict.fromkeys(f"{end:.2f}" for end in seen["multiplier"].agg(["min", "max"]))
    )
    notes = [
        "Could see: found at the 5% level four times in five, "
        f"{times} standard errors (Bloom 1995).",
        "Alone: with no other outcome changed, over the years of the appraisal, in money to "
        f"{ACCOUNTS[account]}.",
    ]
    caption = (
        f"The effect that would {PAY_FOR[account]} the programme's costs, beside what could have "
        "been known"
    )
    return table(pd.DataFrame(rows, columns=columns), caption=caption, notes=value.marked(notes))


@or_why
def switching_table(value: Value) -> Table:
    """Return what each group of parameters would have to be for value to turn."""
    rows = [
        (row["parameter"].capitalize(), f"{row['estimate']:,.2f}",
         "nothing in its range" if np.isnan(row["switches_at"]) else f"{row['switches_at']:,.2f}",
         row["unit"])
        for row in value.appraisal.switching_values().to_dict("records")
    ]  # fmt: skip
    columns = ["Parameter", "Taken as", "Value turns at", "Unit"]
    return table(
        pd.DataFrame(rows, columns=columns), caption="What would turn the answer",
        notes=value.marked([]),
    )  # fmt: skip


@or_why
def information_table(value: Value) -> Table:
    """Return what it would be worth to know more, beside what the evaluation cost."""
    frame = information(value)
    rows = [
        (row["known"].capitalize(), amount(row["value"]), amount(row["error"]),
         f"{row['evaluations']:,.1f}")
        for row in frame.to_dict("records")
    ]  # fmt: skip
    columns = ["If this were known for certain", "It would be worth", "Monte Carlo error",
               "National evaluations"]  # fmt: skip
    shown = pd.DataFrame(rows, columns=columns)
    cited: tuple[Source, ...] = ()
    beside = "What a national evaluation of this phase cost was not published where looked."
    cost = evaluation_cost(value.appraisal, value.phase)
    if cost.phase == value.phase:
        cited = cost.sources
        beside = (
            f"National evaluation: its contract's published ceiling, {pounds(cost.cash)} in cash, "
            f"{amount(cost.value)} in the prices and at the year of all pounds here."
        )
    else:
        shown = shown.drop(columns=columns[-1])
    notes = value.marked([
        "Expected gain from deciding with the knowledge rather than without it. Where the answer "
        "is the same whatever one learns, knowing is worth nothing for this decision.",
        f"Of {len(value.drawn.npv):,} draws: £0 without an error says that in none of them another "
        "answer would have been better.",
        beside,
    ])  # fmt: skip
    return table(
        shown, caption="What knowing more would be worth", notes=notes, sources=list(cited),
    )  # fmt: skip


@or_why
def not_monetised_table(value: Value) -> Table:
    """Return what is not in the account, and why."""
    estimated = set(value.impact.table("effects")["outcome"])
    rows = []
    for row in value.appraisal.not_monetised().to_dict("records"):
        name, colon, component = str(row["what"]).partition(": ")
        known = name in estimated or name in OUTCOMES
        what = outcome_label(name) + colon + component if known else str(row["what"])
        rows.append((what, NOT_VALUED[row["kind"]], _reason(row)))
    rows += [
        (outcome_label(name), NOT_VALUED["too_few"], _SMALL) for name in not_shown(value.impact)
    ]
    return table(
        pd.DataFrame(rows, columns=["What", "Why it is not counted", "Reason"]),
        caption="What could not be valued, or is counted elsewhere", notes=value.marked([]),
    )  # fmt: skip


def _reason(row: Mapping[Any, Any]) -> str:
    """Return a reason with the name of the outcome that is kept, for readers."""
    kept, text = row["instead"], str(row["reason"])
    if row["share"] == row["share"]:
        names, why = overlap_of(text)
        where = ", ".join(outcome_label(name) for name in names)
        return f"{row['share']:.0%} of it, with {where}: {why}"
    if isinstance(row["account"], str):
        return f"{text} ({'both accounts' if row['account'] == 'both' else row['account']})"
    if kept in OUTCOMES:
        return f"{outcome_label(kept)}: counted there: {text}"
    # What follows is advice to who calls the package.
    return text.partition(" Appraise ")[0]


def area_values(impact: Records, valued: Value | Unvalued) -> AreaAppraisals | str:
    """Appraise every authority that may be shown, its effects partly pooled; or say why not.

    Parameters
    ----------
    impact : Records
        Of chapter 4: effects by authority on the primary outcomes.
    valued : Value or Unvalued
        As from `load`: of outcomes that no authority can show alone it gives the nation's effects,
        and authorities spend what each family cost nationally, with the same doubt.

    Returns
    -------
    AreaAppraisals or str
        Why no authority can be appraised.

    Notes
    -----
    Authorities that are too small to show count in chapter 4's pooling and not here, where their
    effects are not known; those without an error that holds count in neither.
    """
    if isinstance(valued, Unvalued):
        return valued.appraisal.why
    rows = impact.table("areas")
    rows = rows[~rows["hidden"].astype(bool)]
    enough = rows.groupby("outcome")["name"].size()
    outcomes = [str(name) for name, count in enough.items() if count >= _FEWEST_AREAS]
    shown = [set(rows.loc[rows["outcome"] == name, "name"]) for name in outcomes]
    names = sorted(set.intersection(*shown)) if shown else []
    if len(names) < _FEWEST_AREAS:
        return (
            f"Fewer than {_FEWEST_AREAS} authorities have enough families to show, and an error "
            "that holds."
        )
    counts = rows.drop_duplicates("name").set_index("name").loc[names, "treated"]
    families = {str(name): float(text.replace(",", "")) for name, text in counts.items()}
    settings = {key: value for key, value in valued.settings.items() if key != "families"}
    worth = valued.appraisal
    costs = worth.spent.assign(price_year=worth.settings.price_year)
    try:
        pooled = {name: _pooled(rows, name, names, valued) for name in outcomes}
        return appraise_areas(
            pooled, costs, families=families, reached=valued.settings["families"],
            national=worth.effects, **settings,
        )  # fmt: skip
    except TfevalError as fault:
        return public_line(fault)


def _pooled(rows: pd.DataFrame, outcome: str, names: list[str], value: Value) -> AreaEffects:
    own = rows[rows["outcome"] == outcome].set_index("name").loc[names]
    return pool_areas(
        own["estimate"], own["std_error"], names, label=outcome_label(outcome, unit=True),
        simulated=value.appraisal.simulated,
    )  # fmt: skip


def area_values_record(areas: AreaAppraisals | str | None) -> pd.DataFrame:
    """Return value by authority as a table to record; a family's value, and ranks.

    Parameters
    ----------
    areas : AreaAppraisals, str or None
        As from `area_values`; of what is not known there are no rows.
    """
    columns = ["name", "npv_per_family", "low", "high", "probability", "rank", "rank_low",
               "rank_high", "of"]  # fmt: skip
    if areas is None or isinstance(areas, str):
        return pd.DataFrame(columns=columns)
    frame = areas.to_frame()
    each = frame[["low", "high"]].div(frame["families"], axis=0)
    frame = frame.assign(low=each["low"], high=each["high"], of=len(frame))
    return frame.loc[~frame["hidden"].astype(bool), columns]


def area_values_chart(
    rows: pd.DataFrame, simulated: bool, area: str = "", account: str = ""
) -> Chart | Table:
    """Draw the authorities' net value a family, the best and the worst with one marked.

    Parameters
    ----------
    rows : DataFrame
        As from `area_values_record`.
    simulated : bool
    area : str, optional
        The authority to show among them.
    account : str, optional
        Whose account values are of, by its key.
    """
    whose = f" to {ACCOUNTS[account]}" if account else ""
    title = f"Net value{whose} a family by authority, partly pooled"
    if rows.empty:
        said = pd.DataFrame({"": ["No value by authority is known: too few have enough families."]})
        return table(said, caption=title)
    rows = rows.sort_values("rank", kind="stable").reset_index(drop=True)
    ends = set(rows.index[:8]) | set(rows.index[-8:]) | set(rows.index[rows["name"] == area])
    shown = rows.loc[sorted(ends)]
    part = "" if len(shown) == len(rows) else f": {len(shown)} of {len(rows)}, both ends"
    ranks = [
        f"{'▶ ' if row['name'] == area else ''}{row['name']} (rank {row['rank_low']:.0f} to "
        f"{row['rank_high']:.0f})"
        for row in shown.to_dict("records")
    ]
    best = shown.iloc[0]
    alt = (
        f"Interval chart of the net value a family in {len(shown)} of the {len(rows)} authorities "
        "valued; "
        f"highest {best['name']}, {amount(best['npv_per_family'])}, whose rank lies between "
        f"{best['rank_low']:.0f} and {best['rank_high']:.0f}."
    )
    heading = f"{title}{part}"
    paying = int((rows["high"] >= 0).sum())
    finding = f"benefits may reach costs in {paying or 'none'} of {len(rows)} authorities valued"
    # Where nobody is near to paying, a line at 0 would leave the intervals no room.
    near = shown["high"].max() + 2 * (shown["high"].max() - shown["low"].min()) >= 0
    return range_chart(
        ranks, shown["low"], shown["high"], alt=alt,
        title=f"Simulated records: {finding}" if simulated else capital(finding), subtitle=heading,
        x_label="£ a family less its cost, with 95% intervals", reference=0.0 if near else None,
        reference_label="benefits reach costs", value_format="{:,.0f}",
    )  # fmt: skip


def area_value_sentence(rows: pd.DataFrame, area: str, simulated: bool, account: str = "") -> str:
    """Say what the programme was worth in one authority, or why that cannot be said.

    Parameters
    ----------
    rows : DataFrame
        As from `area_values_record`.
    area : str
        Official name.
    simulated : bool
    account : str, optional
        Whose account values are of, by its key.
    """
    label = simulated_mark(simulated)
    own = rows[rows["name"] == area] if len(rows) else rows
    if rows.empty:
        return (
            f"{label}what the programme was worth in {area}, or in any one authority, is not known "
            "from these records."
        )
    if own.empty:
        return (
            f"{label}too few families of {area} are in the comparison to show what the programme "
            "was worth there; the national answer stands in its place."
        )
    row = own.iloc[0]
    ends = f"{about(row['low'])} to {about(row['high'])}"
    ranks = f"anything from {row['rank_low']:.0f} to {row['rank_high']:.0f}"
    whose = f" to {ACCOUNTS[account]}" if account else ""
    return (
        f"{label}in {area} the net value{whose} is "
        f"{about(row['npv_per_family'])} a family ({ends}); the probability that benefits reach "
        f"the costs is {chance(row['probability'])}; rank {row['rank']:.0f} of {row['of']:.0f}, "
        f"but {ranks}."
    )


def cost_lines_table(phase: str, assumptions: Assumptions) -> Table:
    """Return what the programme is counted to have cost, line by line, each with its sources.

    Parameters
    ----------
    phase : str
    assumptions : Assumptions
        The scenario: which costs count, and in whose prices.
    """
    spent = programme_costs(phase, assumptions.costs, assumptions.price_year)
    cited = {(line.name, line.payer): line.sources for line in cost_lines(phase)}
    rows = spent.groupby(["line", "payer"], sort=False, as_index=False).agg(
        {"year": ["min", "max"], "amount": "sum", "low": "sum", "high": "sum", "basis": "first"}
    )
    rows.columns = ["line", "payer", "first", "last", "amount", "low", "high", "basis"]
    frame = pd.DataFrame({
        "Cost line": rows["line"],
        "Paid by": rows["payer"],
        "Years": [first if first == last else f"{first} to {last}"
                  for first, last in zip(rows["first"], rows["last"], strict=True)],
        "Amount": [pounds(one) for one in rows["amount"]],
        "Low to high": [span(*ends, pounds) for ends in zip(rows["low"], rows["high"],
                                                            strict=True)],
        "How it was arrived at": rows["basis"],
        "Source": [cited[key] for key in zip(rows["line"], rows["payer"], strict=True)],
    })  # fmt: skip
    each = cost_of_a_family(assumptions.costs, assumptions, phase)
    return table(
        frame, caption=f"What is counted as the programme's cost: {COST_WORDS[assumptions.costs]}, "
        f"in prices of {financial_year(assumptions.price_year)}",
        notes=f"Together {pounds(rows['amount'].sum())}, not discounted. For each family to be "
        f"reached, discounted: £{each:,.0f}.",
    )  # fmt: skip


def unit_costs_table(costs: pd.DataFrame) -> Table:
    """Return unit costs with their range, payer, grade and source.

    Parameters
    ----------
    costs : DataFrame
        As from `unit_costs`.
    """
    # A registry's name where there is one; a row of a published cost may have none.
    labels = [OUTCOMES[name].label if name in OUTCOMES else name for name in costs["outcome"]]
    frame = pd.DataFrame(
        {
            "Outcome": labels,
            "What is counted": costs["component"].to_numpy(),
            "Falls to": costs["payer"].to_numpy(),
            "£": [_price(value, value) for value in costs["amount"]],
            "Low to high": [
                f"{_price(low, high)} to {_price(high, high)}"
                for low, high in zip(costs["low"], costs["high"], strict=True)
            ],
            "For each": costs["per"].to_numpy(),
            "Its own share": [f"{share:.0%}" for share in costs["own"]],
            "Cashable": [
                f"{share:.0%}" if party == TAXPAYERS else ""
                for share, party in zip(costs["cashable"], costs["party"], strict=True)
            ],
            "Grade": costs["grade"].to_numpy(),
        }
    )
    year = financial_year(int(costs["price_year"].iloc[0]))
    notes = [
        "Low to high: what the mean may be, not what a case may cost. The amount is the mean.",
        "Its own share: the part that no other outcome's price holds; the rest is counted there.",
    ]
    caption = f"Unit costs, in prices of {year}"
    return table(with_sources(frame, costs), caption=caption, notes=notes, missing="")


def second_opinions_table(rows: pd.DataFrame) -> Table:
    """Return what other sources say of the same costs; they are shown, and not computed with.

    Parameters
    ----------
    rows : DataFrame
        As from `second_opinions`.
    """
    frame = pd.DataFrame(
        {
            "Outcome": [OUTCOMES[name].label if name in OUTCOMES else name
                        for name in rows["outcome"]],
            "What is counted": rows["component"].to_numpy(),
            "£": [_price(value, value) for value in rows["value"]],
            "Prices of": rows["price_year"].to_numpy(),
            "For each": rows["period"].to_numpy(),
            "What it is": rows["definition"].to_numpy(),
            "Why it is not computed with": rows["note"].to_numpy(),
        }
    )  # fmt: skip
    caption = "What other sources say of the same costs"
    return table(with_sources(frame, rows), caption=caption, missing="")


def _price(value: float, largest: float) -> str:
    """Write pounds, in pence too where the largest beside them is under 100."""
    return f"{value:,.0f}" if largest >= 100 else f"{value:,.2f}"
