"""Chapter 5, first half: what public statistics by authority say, by the registered plan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import period_chart
from tfeval.display.names import AREA_ANSWERS, FINDING_RULES, RULINGS
from tfeval.display.tables import Table, table
from tfeval.display.value_charts import marks_chart
from tfeval.display.words import Sentence, in_digits, pounds, significant
from tfeval.impact.effects.power import multiplier
from tfeval.impact.effects.words import p_words
from tfeval.impact.plan.areas import (
    MAIN,
    MOVED,
    NAIVE,
    NOT_ANSWERABLE,
    NOTHING_FOUND,
    AreaAnalysis,
    area_benchmarks,
)
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.could_know import cost_of_a_family
from tfeval.money.unit_costs import TAXPAYERS, unit_costs
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters.common import minus, of_phase, percent
from tfeval.report.record import Records, keep, make_record

#: What an outcome's changes are counted in, and the digits shown.
UNITS = {
    "claimant_rate": ("percentage points", 3),
    "persistent_absence": ("percentage points", 3),
    "fixed_exclusion_rate": ("per 100 pupils", 3),
    "permanent_exclusion_rate": ("per 100 pupils", 4),
    "looked_after_rate": ("per 10,000 children", 2),
}
#: Outcomes that have a unit cost, and which it is.
_PRICED = {
    "claimant_rate": "jobseekers_allowance",
    "permanent_exclusion_rate": "permanent_exclusions",
    "looked_after_rate": "looked_after",
}
_BENCHMARKS = {
    "claim_2015": "What the claim of 2015 would be, at most",
    "found_2019": "What the 2019 study found",
    "break_even": "What would repay the cost in a year",
}
_DAYS = 365
#: What figures say of a change of a certain size: keys of `names.RULINGS`.
MORE_THAN_ALL, RULED_OUT, IF_PARALLEL = "more_than_all", "ruled_out", "if_parallel"
NOT_RULED_OUT, TOO_SMALL, NOT_TOLD = "not_ruled_out", "too_small", "not_told"


def labels() -> dict[str, str]:
    """Return the names of the areas' outcomes, by key."""
    rows = published("area_measures")
    return dict(zip(rows["measure"], rows["label"], strict=True))


def sources_of(*measures: str) -> list[Source]:
    """Return where measures were published; by default those of the plan's estimates."""
    rows = published("area_measures").set_index("measure")
    return distinct_sources(rows.loc[list(measures or (*UNITS, "deprivation_2010"))])


def change(outcome: str, value: float) -> str:
    """Write a change with its sign, by the outcome's digits.

    Examples
    --------
    >>> change("looked_after_rate", -1.25), change("claimant_rate", 0.01)
    ('\N{MINUS SIGN}1.25', '+0.010')
    """
    digits = UNITS[outcome][1]
    return minus(f"{value:+.{digits}f}") if round(value, digits) else f"{0:.{digits}f}"


def size(outcome: str, value: float) -> str:
    """Write a size without its sign.

    Examples
    --------
    >>> size("looked_after_rate", -1.25)
    '1.25'
    """
    return f"{abs(value):.{UNITS[outcome][1]}f}"


def interval_words(row: Any) -> str:
    """Write an estimate with its interval; of a row with `outcome` and the numbers."""
    name = row["outcome"]
    low, high = (change(name, row[end]) for end in ("conf_low", "conf_high"))
    return f"{change(name, row['estimate'])} ({low} to {high})"


def headline(analysis: AreaAnalysis, phase: str = "one") -> Sentence:
    """Say in how many outcomes authorities with more of the programme moved differently.

    Parameters
    ----------
    analysis : AreaAnalysis
    phase : str, default "one"
        Of the page.
    """
    if phase != analysis.phase:
        return Sentence("Not published: how much of this phase each authority had.")
    rows, named = analysis.answers, labels()
    groups = {key: [named[name] for name in rows.loc[rows["answer"] == key, "outcome"]]
              for key in AREA_ANSWERS}  # fmt: skip
    moved, silent, never = (groups[key] for key in (MOVED, NOTHING_FOUND, NOT_ANSWERABLE))
    first = f"{_listed(moved)} moved" if moved else "none is shown to have moved"
    said = [f"Of {len(rows)} outcomes {first} with the programme."]
    said += [f"No effect was found on {_listed(silent)}."] if silent else []
    said += [f"The design cannot answer for {_listed(never)}."] if never else []
    claim = analysis.plan["benchmarks"]["claim_2015"]
    ruled: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        name = str(row["outcome"])
        ruled.setdefault(ruling(analysis, row, claim[name]), []).append(named[name])
    for key, sentence in _OF_CLAIM.items():
        if key in ruled:
            said.append(sentence.format(_listed(ruled[key])))
    return Sentence(" ".join(said))


#: What the headline says of a change as large as the whole claim of 2015.
_OF_CLAIM = {
    MORE_THAN_ALL: "All that was claimed in 2015 would be more than there was of {}.",
    RULED_OUT: "A change of that size is ruled out for {}.",
    IF_PARALLEL: "For {} it is ruled out only if trends were parallel.",
    TOO_SMALL: "For {} it would be too small to be seen.",
}


def _listed(names: Sequence[str]) -> str:
    lower = [f"{name[:1].lower()}{name[1:]}" for name in names]
    return " and ".join([", ".join(lower[:-1]), lower[-1]] if len(lower) > 1 else lower)


@of_phase("one")
def verdict_table(analysis: AreaAnalysis) -> Table:
    """Return the answer of each outcome, with the numbers that its rule looks at.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    named = labels()
    rows = [
        {
            "Outcome": f"{named[row['outcome']]} ({UNITS[row['outcome']][0]})",
            "Change (95% interval)": interval_words(row),
            "Trend before: p": p_words(row["pre_p"]),
            "p, corrected": p_words(row["holm_p"]),
            "p, by chance": p_words(row["randomisation_p"]),
            "One sign": "yes" if row["same_sign"] else "no",
            "Breaks down at": in_digits(2)(row["breakdown"]),
            "Answer": AREA_ANSWERS[row["answer"]],
            "Rules that do not hold": "; ".join(FINDING_RULES[key] for key in row["failed"]),
        }
        for row in analysis.answers.to_dict("records")
    ]
    rule = analysis.plan["finding"]
    return table(
        pd.DataFrame(rows),
        caption="Change in the rate of a whole authority, for 10 more targeted families for each "
        "10,000 children",
        sources=sources_of(),
        notes=[
            f"An outcome moved only if all five hold: p of the trend before at least "
            f"{rule['pre_trend']:.2f}; p corrected (Holm, {len(rows)} outcomes) below "
            f"{rule['adjusted_p']:.2f}; p by chance (doses exchanged between authorities of a "
            f"region, {analysis.plan['randomisation']['draws']:,} times) below "
            f"{rule['randomisation_p']:.2f}; one sign without each region, weighted, and with "
            f"completed targets; and the bounds for trends that were not parallel leave 0 out at "
            f"{rule['bounds']:g} times the largest break before.",
            f"Authorities: {_range(analysis.answers['units'])}. Deprivation of 2010 has a "
            "coefficient of its own in each year. Errors are by authority, with few authorities "
            "allowed for (CR2). P by chance is too small where high doses scatter more.",
            f"The plan was {analysis.registration}.",
        ],
    )


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


@of_phase("one")
def naive_chart(analysis: AreaAnalysis, outcome: str = "claimant_rate") -> Chart:
    """Draw the version that fails its own check beside the one that holds deprivation equal.

    Parameters
    ----------
    analysis : AreaAnalysis
    outcome : str
    """
    rows = analysis.coefficients[analysis.coefficients["outcome"] == outcome]
    headings = {NAIVE: "Places with more of it, as they are", MAIN: "Deprivation held equal"}
    last, equal = (rows.loc[rows["analysis"] == key, "estimate"].iloc[-1] for key in headings)
    return period_chart(
        {words: rows[rows["analysis"] == key] for key, words in headings.items()},
        alike=True,
        title=f"{labels()[outcome]}: what looks like success goes with deprivation",
        alt=f"Two event studies of the same outcome. As places are, the last year is {last:+.2f} "
        "against the year before the programme, with differences before it; with deprivation "
        f"held equal it is {equal:+.2f}.",
        y_label=UNITS[outcome][0],
        sources=sources_of(outcome, "deprivation_2010"),
    )


@of_phase("one")
def naive_table(analysis: AreaAnalysis) -> Table:
    """Return each outcome as it is read off and with deprivation held equal, trends before beside.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows = analysis.summaries.to_dict("records")
    by_analysis = {(row["outcome"], row["analysis"]): row for row in rows}
    named = labels()
    shown = [
        {
            "Outcome": f"{named[name]} ({unit})",
            "As places are": interval_words(by_analysis[name, NAIVE]),
            "Trend before: p ": p_words(by_analysis[name, NAIVE]["pre_p"]),
            "Deprivation held equal": interval_words(by_analysis[name, MAIN]),
            "Trend before: p": p_words(by_analysis[name, MAIN]["pre_p"]),
        }
        for name, (unit, _) in UNITS.items()
    ]
    return table(
        pd.DataFrame(shown),
        caption="What is read off when places are compared as they are, and what is left",
        sources=sources_of(),
        notes="The first is how a claim is read off trends, and is never a finding.",
    )


@of_phase("one")
def event_chart(analysis: AreaAnalysis) -> Chart:
    """Draw every first-rank outcome over the years, deprivation held equal.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows = analysis.coefficients[analysis.coefficients["analysis"] == MAIN]
    panels = {f"{labels()[name]} ({UNITS[name][0]})": rows[rows["outcome"] == name]
              for name in analysis.answers["outcome"]}  # fmt: skip
    moved = int((analysis.answers["answer"] == MOVED).sum())
    return period_chart(
        panels,
        title=f"{moved or 'None'} of {len(panels)} outcomes shown to have moved with the programme",
        subtitle="Change for 10 more families for each 10,000 children, year by year",
        alt="An event study for each outcome; before the line the authorities' trends "
        "should lie about 0, and after it an effect would show.",
        sources=sources_of(),
    )  # fmt: skip


# What could have been seen.


def benchmarks(analysis: AreaAnalysis, assumptions: Assumptions) -> pd.DataFrame:
    """Return what could have been seen beside what was claimed, found and needed, by outcome.

    Parameters
    ----------
    analysis : AreaAnalysis
    assumptions : Assumptions
        The scenario: its price year.

    Returns
    -------
    DataFrame
        Of `answers`, with `claim_2015`, `found_2019` and `break_even`: falls below 0.
    """
    costs = unit_costs(assumptions.price_year)
    costs = costs[costs["party"] == TAXPAYERS]
    a_year = costs["amount"] * np.where(costs["per"] == "person-day", _DAYS, 1)
    prices = a_year.groupby(costs["outcome"]).sum()
    made = area_benchmarks(
        analysis.plan, {name: float(prices[key]) for name, key in _PRICED.items()},
        cost_of_a_family("central", assumptions),
    )  # fmt: skip
    kept = ["outcome", "level", "mean_dose", "detectable", "conf_low", "conf_high", "answer",
            "trend_unseen"]  # fmt: skip
    return analysis.answers[kept].merge(made, on="outcome")


@of_phase("one")
def reach_chart(analysis: AreaAnalysis, assumptions: Assumptions) -> Chart:
    """Draw what could have been seen beside what was claimed, found and needed.

    Parameters
    ----------
    analysis : AreaAnalysis
    assumptions : Assumptions
    """
    rows, named = benchmarks(analysis, assumptions), labels()
    level, larger = rows["level"] / 100, rows["claim_2015"].abs() > rows["detectable"]
    seen = int((larger & (rows["answer"] != NOT_ANSWERABLE)).sum())
    return marks_chart(
        [named[name] for name in rows["outcome"]],
        {"Too small to be seen (80% power)": rows["detectable"] / level,
         **{words: rows[key].abs() / level for key, words in _BENCHMARKS.items()}},
        title="Were trends parallel, the claim of 2015 would have been seen in "
        f"{seen} of {len(rows)} outcomes",
        subtitle="What these figures could have seen, and what was said",
        alt="For each outcome a bar of changes too small to be seen, with marks for the claim of "
        "2015, the study of 2019 and what would repay the cost.",
        x_label="Fall, % of the rate before the programme",
        value_format=lambda value: f"{significant(value, 2):,g}%", sources=sources_of(),
    )  # fmt: skip


@of_phase("one")
def reach_table(analysis: AreaAnalysis, assumptions: Assumptions) -> Table:
    """Return what could have been seen beside what was claimed, found and needed, in figures.

    Parameters
    ----------
    analysis : AreaAnalysis
    assumptions : Assumptions
    """
    rows, named = benchmarks(analysis, assumptions), labels()
    shown = []
    for row in rows.to_dict("records"):
        name = row["outcome"]
        shown.append({
            "Outcome": f"{named[name]} ({UNITS[name][0]})", "Before": in_digits(3)(row["level"]),
            "Smallest change seen": size(name, row["detectable"]),
            "Smallest trend seen before": size(name, row["trend_unseen"]),
            **{words: _said(analysis, row, key) for key, words in _BENCHMARKS.items()},
        })  # fmt: skip
    assumed = analysis.plan["benchmarks"]
    return table(
        pd.DataFrame(shown),
        caption="What could have been seen, for 10 more families for each 10,000 children",
        sources=sources_of(),
        missing="no value",
        notes=[
            " ".join(str(assumed["claim_2015"]["why"]).split()),
            f"Assumed, since not published: {assumed['children_per_family']} children and "
            f"{assumed['adults_per_family']} adults a family, "
            f"{assumed['residents_16_64_per_child']:g} residents aged 16 to 64 for each child.",
            f"To repay: what a family cost central government "
            f"({pounds(cost_of_a_family('central', assumptions))}, prices of "
            f"{assumptions.price_year}) by this outcome alone within a year, at this report's unit "
            "costs to public bodies. Fixed exclusions and absence have none for a year.",
            "More than there was: at the mean dose the fall would exceed the rate before. "
            f"Ruled out: the 95% interval leaves a fall of that size out, and so does the one for "
            f"trends that were not parallel ({analysis.plan['finding']['bounds']:g} times the "
            "largest break before). Smallest change seen: 2.8 errors, as the plan has it; with "
            f"{analysis.answers['freedom'].min():.0f} degrees of freedom it is "
            f"{float(multiplier(analysis.answers['freedom'].min())):.2f}. Smallest trend seen "
            "before: carried to the middle of the years averaged; a smaller one passes the check.",
        ],
    )


@of_phase("one")
def rulings_table(analysis: AreaAnalysis) -> Table:
    """Return what public statistics say of the claim of 2015: ruled out, or not to be seen.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    claim, named = analysis.plan["benchmarks"]["claim_2015"], labels()
    shown = []
    for row in analysis.answers.to_dict("records"):
        name, value = row["outcome"], claim[row["outcome"]]
        shown.append({
            "Outcome": f"{named[name]} ({UNITS[name][0]})",
            "The claim, at most": change(name, value),
            "At the mean dose, of the rate before":
                percent(-value * row["mean_dose"] / row["level"]),
            "Change (95% interval)": interval_words(row),
            "Of the claim, at most left": _left(row["conf_low"], value, row),
            "If trends were not parallel": _left(wide_interval(analysis, name), value, row),
            "A change of that size is": RULINGS[ruling(analysis, row, value)],
        })  # fmt: skip
    return table(
        pd.DataFrame(shown),
        caption="The claim of 2015 against public statistics, for 10 more targeted families for "
        "each 10,000 children",
        sources=sources_of(),
        notes=[
            "The claim, at most: what it can mean for the rate of a whole authority, were all of "
            "it the programme's own; above 100% of the rate it cannot be. Of the claim, at most "
            "left: the largest fall that the interval holds, as a share of it; none where the "
            "interval holds no fall. Chapter 5 has the design, the plan and its limits.",
        ],
    )


def _left(low: float, value: float, row: Mapping[Hashable, Any]) -> str:
    """Write the share of a claimed fall that an interval leaves."""
    if row["answer"] == NOT_ANSWERABLE:
        return RULINGS[NOT_TOLD]
    return "all of it" if low <= value else percent(max(low / value, 0.0))


def wide_interval(analysis: AreaAnalysis, outcome: str) -> float:
    """Return the low end for trends as far from parallel as the rule of a finding asks."""
    rows = analysis.bounds.set_index(["outcome", "multiple"])["conf_low"]
    return float(rows[outcome, analysis.plan["finding"]["bounds"]])


def _said(analysis: AreaAnalysis, row: Mapping[Hashable, Any], key: str) -> str | None:
    """Write a benchmark, and what the interval says of it."""
    value = row[key]
    if pd.isna(value):
        return None
    return f"{change(row['outcome'], value)}: {RULINGS[ruling(analysis, row, value)]}"


def ruling(analysis: AreaAnalysis, row: Mapping[Hashable, Any], value: float) -> str:
    """Return what the figures say of a fall as large as a benchmark.

    Parameters
    ----------
    analysis : AreaAnalysis
    row : mapping
        One of `answers`.
    value : float
        The benchmark, below 0.

    Returns
    -------
    str
        A key: more than there was, if at the mean dose the fall exceeds the rate before. Ruled out
        where the interval leaves it out, and so does the one that allows for trends as far from
        parallel as the rule of a finding asks.
    """
    if -value * row["mean_dose"] > row["level"]:
        return MORE_THAN_ALL
    if row["answer"] == NOT_ANSWERABLE:
        return NOT_TOLD
    if row["conf_low"] <= value:
        return NOT_RULED_OUT if row["detectable"] <= abs(value) else TOO_SMALL
    return RULED_OUT if wide_interval(analysis, row["outcome"]) > value else IF_PARALLEL


def record_areas(analysis: AreaAnalysis, phase: str = "one") -> None:
    """Record the answer, its bound and what could have been seen, for chapters 6 and 8.

    Parameters
    ----------
    analysis : AreaAnalysis
    phase : str, default "one"
        Of the page: of another phase there is nothing to record.
    """
    if phase != analysis.phase:
        return
    counts, subject = analysis.answers["answer"].value_counts(), {"phase": analysis.phase}
    numbers = {key: counts.get(key, 0) for key in AREA_ANSWERS}
    for key, count in {"outcomes": len(analysis.answers), **numbers}.items():
        keep(make_record(f"areas_{key}", int(count), "outcomes", subject=subject))
    for row in analysis.answers.to_dict("records"):
        name, (unit, digits) = row["outcome"], UNITS[row["outcome"]]
        keep(make_record(f"areas_{name}", float(row["estimate"]), unit, digits=digits,
                         interval=(float(row["conf_low"]), float(row["conf_high"])),
                         subject=subject))  # fmt: skip
        keep(make_record(f"areas_{name}_detectable", float(row["detectable"]), unit,
                         digits=digits, subject=subject))  # fmt: skip


def areas_row(areas: Records | None) -> tuple[str, str, str] | None:
    """Return what public statistics by authority say, and what they could have seen.

    Parameters
    ----------
    areas : Records, optional
        Of chapter 5; it records nothing on the page of a phase that it is not of.
    """
    if areas is None or "areas_outcomes" not in areas:
        return None
    care, seen = areas["areas_looked_after_rate"], areas["areas_looked_after_rate_detectable"]
    return (
        "Did authorities with more of it change more?",
        f"Of {areas['areas_outcomes']} with public figures before and after, "
        f"{areas['areas_moved']:short} are shown to have moved with the programme; in "
        f"{areas['areas_nothing_found']:short} no effect was found; "
        f"{areas['areas_not_answerable']:short} cannot be answered.",
        f"Whole authorities, deprivation held equal, by a plan registered beforehand. Children "
        f"looked after: {care.interval()} {care.unit} for 10 more families for each 10,000 "
        f"children; a change below {seen:short} would not have been seen.",
    )
