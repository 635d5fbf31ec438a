"""Pictures that give an overview: the map, the flow, the money, the years, the choices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.charts import waterfall_chart
from tfeval.display.figures import Chart
from tfeval.display.pictures import (
    choices_chart,
    flow_chart,
    pairs_chart,
    tile_chart,
    time_chart,
)
from tfeval.display.tables import Table, safe_count, table
from tfeval.display.words import financial_year, pounds, simulated_mark
from tfeval.impact.design.design import Design
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.prices import deflate, present_value
from tfeval.programme.claims import claims_by_authority
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import phase
from tfeval.programme.programmes import programmes
from tfeval.programme.published import distinct_sources, figure, published
from tfeval.programme.tiles import tiles
from tfeval.report.chapters.common import month
from tfeval.report.chapters.corroboration import BETTER, WORSE, direction
from tfeval.report.chapters.impact import Analysis
from tfeval.report.chapters.specifications import KEYS, changed, others

# Chapter 6: what was published of each authority.

_NOTHING = "No share of a target published"


def claims_map(name: str) -> Chart:
    """Draw the latest published claim of each of the 152 authorities as a map of tiles.

    Parameters
    ----------
    name : str
        The phase.
    """
    claims = claims_by_authority(phase=name)
    places = tiles().merge(claims[["code", "share", "exact", "as_of"]], on="code", how="left")
    full = "100% of the families to be turned around"
    fewer, early = "Fewer, at the end: the share in %", "Fewer, at an earlier count"
    known = places["share"].notna()
    last = places["as_of"].fillna("") >= f"{phase(name).end:%Y-%m}"
    whole = known & (places["share"] >= 1)
    places["kind"] = np.select([~known, whole, last], [_NOTHING, full, fewer], early)
    share = (100 * places["share"]).round().clip(upper=99)
    places["text"] = np.where(known & ~whole, share.map("{:.0f}".format), "")
    kinds = [full, fewer, early, _NOTHING]
    count = int(known.sum())
    counts = places["kind"].value_counts()
    listed = "; ".join(f"{kind}: {counts.get(kind, 0)}" for kind in kinds)
    return tile_chart(
        places, kinds,
        title=f"What {len(places) - count} of {len(places)} authorities claimed was not published "
        "where we looked",
        subtitle=f"Latest published claim of each authority, {phase(name).title}",
        alt=f"Map of England in tiles of one size, an authority each. {listed}.",
    )  # fmt: skip


def effects_2019() -> Chart:
    """Draw what the study of 2019 published of each outcome, read with its values or not."""
    rows = published("evaluation_outcomes")
    rows = rows[rows["evaluation"] == phase("two").evaluation.name]
    known = rows[rows["treated"].notna() & rows["comparison"].notna()]
    rest = rows.drop(known.index)
    falls = int((known["treated"] < known["comparison"]).sum())
    shown = pd.concat([known, rest])
    labels = [f"{row['outcome'][0].upper()}{row['outcome'][1:]} ({row['population']}, months "
              f"{row['months']})" for row in shown.to_dict("records")]  # fmt: skip
    texts = [f"{row['treated']:.1f}% against {row['comparison']:.1f}%"
             for row in known.to_dict("records")]  # fmt: skip
    texts += [str(text) for text in rest["finding"]]
    return pairs_chart(
        labels, {"Comparison": shown["comparison"], "On the programme": shown["treated"]}, texts,
        title=f"{len(known)} effects of 2019 were read with their values, "
        f"{'all' if falls == len(known) else falls} of them falls; {len(rest)} were not",
        subtitle="Published results of the second study; errors were not published where we looked",
        alt="Two marks a row, the comparison's share and that of those on the programme. "
        + "; ".join(f"{label}: {text}" for label, text in zip(labels, texts, strict=True)) + ".",
        x_label="% of people with the outcome",
        sources=distinct_sources(shown),
    )  # fmt: skip


# Chapter 1: the money and the years.


def money_bridge(name: str, assumptions: Assumptions) -> Chart:
    """Draw the way from the budget to what it and what was expected beside it are worth today.

    Parameters
    ----------
    name : str
        The phase.
    assumptions : Assumptions
        The scenario: its prices, rates, timing and the year to which money is discounted.
    """
    rules = phase(name)
    cash, cited = rules.budget.pounds()[0], [*rules.budget.sources]
    steps, sums = [("Central government's budget", cash)], {}
    if "contribution_expected" in rules.costs.lines:
        beside = figure("budget", "local_contribution_expected")
        steps.append(("Expected of authorities and partners, in kind included",
                      beside.pounds()[0]))  # fmt: skip
        cited += beside.sources
        sums = {2: "Announced and expected, cash"}
    spent = sum(value for _, value in steps)
    years, base = list(rules.years), assumptions.discounted_to(name)
    flows = [deflate(spent / len(years), year, assumptions.price_year) for year in years]
    yearly = np.array([0.0] * (years[0] - base) + flows)
    now = present_value(yearly, str(assumptions.green_book_edition), timing=assumptions.timing)
    label = financial_year(assumptions.price_year)
    sums[len(steps) + 1] = f"In prices of {label}"
    steps += [(f"Rise of prices to {label}", sum(flows) - spent),
              (f"Discounting to {financial_year(base)}", now - sum(flows))]  # fmt: skip
    deflators = published("deflators")
    deflators = deflators[deflators["figure"] == "gdp_deflator_financial_year"]
    listed = "; ".join(f"{words} {pounds(value)}" for words, value in steps)
    link = " is " if len(sums) == 1 else f" with what was expected beside it is {pounds(spent)}, "
    return waterfall_chart(
        [words for words, _ in steps], [value / 1e6 for _, value in steps], subtotals=sums,
        title=f"{pounds(cash)}{link}{pounds(sum(flows))} in prices of {label}",
        subtitle=f"From the budget to what it is worth today, {rules.title}, in millions of pounds",
        alt=f"Waterfall chart. {listed}; present value {pounds(now)}.",
        total_label=f"Present value in {financial_year(base)}", value_format="{:,.0f}",
        sources=[*cited, *distinct_sources(deflators)],
    )  # fmt: skip


#: What was promised, claimed and found: a table of `data/published`, a figure of it, what tells
#: its row from others, and words in which {} is the figure.
_EVENTS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("budget", "local_authority_share", {}, "Phase one announced, with {} for authorities"),
    ("progress_national", "targeted", {"period": "2012-15"}, "Phase one: {} to be turned around"),
    ("budget", "extension_2015_16", {}, "Phase two announced, with {} for its first year"),
    ("benefits_claim_2015", "national_claim", {}, "The department claims to have saved {}"),
    ("progress_national", "targeted", {"period": "2015-20"}, "Phase two: up to {}"),
    ("progress_national", "turned_around", {"as_of": "2015-05"}, "{} claimed as turned around"),
    ("evaluations", "headline", {"phase": "one"},
     "The national study finds no consistent evidence of impact"),
    ("benefits_claim_2015", "national_claim", {"publisher": "House of Commons PAC"},
     "A committee of Parliament calls the claimed saving an overstatement"),
    ("evaluations", "economic_benefit_per_pound", {},
     "The second study gives {} of benefit for each £1"),
    ("progress_national", "targeted", {"period": "2022-25"}, "Supporting Families: {} to help"),
)  # fmt: skip


def timeline() -> Chart:
    """Draw the years of the programme: what was promised, claimed and found, each from a source."""
    rows = pd.DataFrame(_happened()).sort_values("date", kind="stable")
    spans = {phase(name).title: (_year(f"{phase(name).start}"), _year(f"{phase(name).end}"))
             for name in programmes()}  # fmt: skip
    claimed, evaluated = (rows.loc[rows["key"] == key, "date"].iloc[0]
                      for key in ("turned_around", "headline"))  # fmt: skip
    months = round(12 * (_year(evaluated) - _year(claimed)))
    listed = "; ".join(
        f"{month(row['date'][:7])}: {row['text']}" for row in rows.to_dict("records")
    )
    return time_chart(
        [_year(date) for date in rows["date"]], [month(date[:7]) for date in rows["date"]],
        rows["text"].tolist(), spans=spans,
        title=f"The first national study came {months} months after the last claim",
        subtitle=f"What was promised, claimed and found. Bars, from the top: {'; '.join(spans)}",
        alt=f"A line of time. {listed}.",
        sources=[source for cited in rows["sources"] for source in cited],
    )  # fmt: skip


def _happened() -> Iterator[dict[str, object]]:
    for name, key, where, words in _EVENTS:
        rows = published(name)
        rows = rows[rows["figure"] == key]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        row = rows.iloc[[0]]
        date = str(row["as_of" if "as_of" in row else "date"].iloc[0])
        yield {"date": date, "key": key, "text": words.format(_amount(row)),
               "sources": distinct_sources(row)}  # fmt: skip


def _amount(row: pd.DataFrame) -> str:
    """Write the figure of a row in its unit."""
    value, unit = row["value"].iloc[0], str(row["unit"].iloc[0])
    if unit not in _POUNDS:
        return f"{value:,.0f} {unit}"
    return pounds(value * _POUNDS[unit]) if _POUNDS[unit] > 1 else f"£{value:.2f}"


#: Pounds of a unit.
_POUNDS = {"£m": 1e6, "£bn": 1e9, "£ per £1": 1.0}


def _year(date: str) -> float:
    """Return a date (YYYY-MM or YYYY-MM-DD) as a year with its part, a month at its middle.

    Examples
    --------
    >>> _year("2015-07-01"), round(_year("2015-05"), 3)
    (2015.5, 2015.375)
    """
    year, months, *day = (int(part) for part in date.split("-"))
    return year + (months - 1 + ((day[0] - 1) / 30 if day else 0.5)) / 12


# Chapter 3: who was left after each step.


def flow(families: Cohort, design: Design) -> Chart:
    """Draw who was left after each step from the records to the comparison, small numbers hidden.

    Parameters
    ----------
    families : Cohort
    design : Design
        Made from them.
    """
    months = families.settings.horizons[-1]
    seen, arm = families.followed(months), families.to_pandas()["treated"]
    rows = families.flow.to_dict("records")
    steps = [str(row["step"]).capitalize() for row in rows]
    steps += [f"Followed for {months} months", "Kept by the design"]
    counts, lost = {}, {}
    for name, label, treated in (("treated", "On the programme", True),
                                 ("comparison", "Comparison", False)):  # fmt: skip
        left = [int(row[name]) for row in rows]
        left += [int((seen & (arm == treated)).sum()), int(design.kept(treated))]
        counts[label] = [safe_count(count) for count in left]
        # Nobody is hidden as few are: that none were left out would tell of the few who were.
        lost[label] = [""] + [
            f"{safe_count(before - after)} left out" for before, after in pairwise(left)
        ]
    ends = {label: (numbers[0], numbers[-1]) for label, numbers in counts.items()}
    summary = "; ".join(f"{label}: {first} at first, {last} at last"
                     for label, (first, last) in ends.items())  # fmt: skip
    mark = simulated_mark(design.study.simulated)
    kept, against = (numbers[-1] for numbers in counts.values())
    return flow_chart(
        steps, counts, lost,
        title=f"{mark}{kept} families on the programme are compared with {against}",
        subtitle=f"Who was left after each step: {design.title}",
        alt=f"A flow from the records to the comparison in {len(steps)} steps. {summary}.",
    )  # fmt: skip


# Chapter 4: one effect under many choices.


def choices(analysis: Analysis, rows: pd.DataFrame) -> Chart | Table:
    """Draw the primary effects under each specification, each in its own unit.

    Parameters
    ----------
    analysis : Analysis
    rows : DataFrame
        As from `tfeval.chapters.specifications.specifications`.
    """
    primary = [name for name in dict.fromkeys(rows["outcome"])
               if name and analysis.plan.role(name) == "primary"]  # fmt: skip
    own = tuple(rows[list(KEYS)].iloc[0])
    if not primary or rows["conf_low"].isna().all():
        said = pd.DataFrame({"": ["No primary effect has an interval: nothing to draw."]})
        return table(said, caption="Primary effects under each specification")
    rows = rows[rows["why"] == ""]
    groups = [(keys, part.set_index("outcome"))
              for keys, part in rows.groupby(list(KEYS), sort=False)]  # fmt: skip
    labels = [_choice(keys, own) for keys, _ in groups]
    panels = {
        outcome_label(name): pd.DataFrame(
            [part.loc[name, _ENDS].tolist() if name in part.index else [np.nan] * 3
             for _, part in groups], columns=["value", "low", "high"], dtype=float,
        ).reset_index(drop=True)
        for name in primary
    }  # fmt: skip
    judged = others(rows, analysis.plan)
    ways = [_ways(part) for part in judged.values()]
    count, better, worse = (sum(map(bool, ways)), *(sum(way in one for one in ways)
                                                    for way in (BETTER, WORSE)))  # fmt: skip
    chosen = groups[0][1].loc[[name for name in primary if name in groups[0][1].index]]
    link = ", and as chosen," if count and _ways(chosen.reset_index()) else ""
    mark = "Simulated records: in" if analysis.study.simulated else "In"
    left = len(groups) - 1 - len(judged)
    rest = f"; {left} not counted" if left else ""
    return choices_chart(
        labels, panels, bold=[keys == own for keys, _ in groups],
        title=f"{mark} {count or 'none'} of {len(judged)} other choices{link} an interval "
        f"leaves 0 out: {better} for better, {worse} for worse{rest}",
        subtitle=f"Primary effects over {analysis.horizon} months, each in its own unit, one "
        "choice changed at a time; not corrected for their number. Wide intervals go beyond the "
        "edge",
        alt=f"Effects with 95% intervals as chosen and under {len(labels) - 1} other choices, a "
        f"panel for each of {len(panels)} outcomes. Bold: as chosen. Not counted: another "
        "treatment and the naive difference, which answer another question, groups that are not "
        "alike, and the same estimates again.",
    )  # fmt: skip


_ENDS = ["estimate", "conf_low", "conf_high"]


def _ways(effects: pd.DataFrame) -> set[str]:
    """Return the ways in which intervals leave no effect out."""
    return {way for row in effects.to_dict("records") if (way := direction(row))}


def _choice(keys: Any, own: tuple[str, ...]) -> str:
    what, key = changed(keys, own)
    return what if keys == own else f"{what}: {key.partition(':')[0]}"
