"""Chapter 5: what a reviewer objects to public statistics over time, each answered by numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.display.words import in_digits, significant
from tfeval.impact.plan.areas import (
    COMPLETED,
    GRANT,
    MAIN,
    NAIVE,
    SUPPRESSED,
    WEIGHTED,
    AreaAnalysis,
    held_equal,
)
from tfeval.programme.areas import area_measures, area_statistics, nation_statistics
from tfeval.programme.published import distinct_sources
from tfeval.report.chapters.common import minus, of_phase, percent
from tfeval.report.chapters.over_time import UNITS, change, interval_words, labels, size, sources_of

# The first objections, each with its number.


def _cells(analysis: AreaAnalysis, key: str) -> dict[str, str | None]:
    """Return one analysis of every outcome: estimate and error, where it was made."""
    rows = analysis.summaries[analysis.summaries["analysis"] == key]
    return {**dict.fromkeys(UNITS), **_with_errors(rows)}


def _with_errors(rows: pd.DataFrame) -> dict[str, str]:
    numbers = zip(rows["outcome"], rows["estimate"], rows["std_error"], strict=True)
    return {name: f"{change(name, value)} ({size(name, error)})" for name, value, error in numbers}


def _answers(analysis: AreaAnalysis, column: str, form: str) -> dict[str, str]:
    rows = analysis.answers.set_index("outcome")[column]
    return {name: form.format(rows[name]) for name in UNITS}


def _least_and_most(analysis: AreaAnalysis) -> dict[str, str]:
    grouped = analysis.regions.groupby("outcome")["estimate"]
    return {name: f"{change(name, grouped.min()[name])} to {change(name, grouped.max()[name])}"
            for name in UNITS}  # fmt: skip


def _later(analysis: AreaAnalysis) -> dict[str, str]:
    rows = analysis.coefficients
    return _with_errors(rows[(rows["analysis"] == MAIN) & (rows["time"] == 2016)])


@of_phase("one")
def objections_table(analysis: AreaAnalysis) -> Table:
    """Return what a reviewer objects first, what was done about it, and what it changes.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    left, together = dose_and_cuts(analysis)
    rows: list[tuple[str, str, Mapping[str, str | None]]] = [
        ("", "The estimate (its error)", _cells(analysis, MAIN)),
        ("Deprivation", "Not held equal at all", _cells(analysis, NAIVE)),
        ("Deprivation", "Held equal along a curve", _cells(analysis, "deprivation, curved")),
        ("Deprivation", "Held equal in five domains", _cells(analysis, "five domains")),
        ("Austerity", "Each authority's trend before, carried on", _cells(analysis, "own trends")),
        ("Austerity", "Cuts until 2012-13 held equal (not in the plan)",
         _with_errors(held_equal(analysis, cuts(analysis)))),
        ("Other reforms", "Compared within regions", _cells(analysis, "region by year")),
        ("The choice of dose", "Targets completed by a model", _cells(analysis, COMPLETED)),
        ("The choice of dose", "For £1 of grant a child, 2013-14", _cells(analysis, GRANT)),
        ("The choice of outcomes", "A child counts, not an authority",
         _cells(analysis, "weighted by children")),
        ("The choice of outcomes", "Children of one year beneath the rate",
         _cells(analysis, "one population")),
        ("The window", "The year 2016 in place of 2013 to 2015", _later(analysis)),
        ("The window", "Before from 2001", _cells(analysis, "long trend")),
        ("Few authorities", "Degrees of freedom of the error",
         _answers(analysis, "freedom", "{:.0f}")),
        ("Spatial correlation", "p, doses exchanged within regions",
         _answers(analysis, "randomisation_p", "{:.2f}")),
        ("Spatial correlation", "p, errors by region (wild; not in the plan)",
         _answers(analysis, "region_p", "{:.2f}")),
        ("Spatial correlation", "Without each region: least to most", _least_and_most(analysis)),
        ("Known targets alone", "Weighted to be like all authorities", _cells(analysis, WEIGHTED)),
        ("Many tests", "p before correction", _answers(analysis, "p_value", "{:.2f}")),
        ("Many tests", "p after it (Holm)", _answers(analysis, "holm_p", "{:.2f}")),
        ("Suppressed numbers", "Each taken for 1", _cells(analysis, f"{SUPPRESSED}1")),
        ("Suppressed numbers", "Each taken for 2", _cells(analysis, f"{SUPPRESSED}2")),
    ]  # fmt: skip
    named = labels()
    frame = pd.DataFrame(
        [{"Objection": what, "What was done": how,
          **{f"{named[name]} ({UNITS[name][0]})": cells[name] for name in UNITS}}
         for what, how, cells in rows]
    )  # fmt: skip
    analyses = len(analysis.summaries) + len(analysis.regions) + len(analysis.thirds)
    return table(
        frame,
        caption="What a reviewer objects first, each answered by numbers",
        sources=sources_of(),
        missing="not asked",
        notes=[
            f"Everything that was run is on this page: {analyses} summaries of {len(UNITS)} "
            "outcomes, as the plan lists them.",
            f"Austerity: cuts followed deprivation, which is held equal by year. What is left of "
            f"the dose and the change in spending on family support from 2010-11 to 2012-13 have a "
            f"correlation of {minus(f'{together:+.2f}')} ({left} authorities). Spending after "
            "that may have been changed by the programme.",
            "Other reforms: what came in by region is taken out. One that came at the same time "
            "where doses were high is not: this design then misleads, and no check tells (below, "
            "something else changed at the same time).",
        ],
    )


def cuts(analysis: AreaAnalysis) -> pd.Series:
    """Return the change in spending on family support from 2010-11 to 2012-13, by authority.

    Parameters
    ----------
    analysis : AreaAnalysis

    Returns
    -------
    Series of float
        Pounds a child, by code; missing where either year is.
    """
    spent = area_statistics(["family_support_spending"], [2011, 2013], wide=True)
    spent = spent.pivot_table(index="code", columns="year", values="family_support_spending")
    return (spent[2013] - spent[2011]).reindex(analysis.areas.units)


def dose_and_cuts(analysis: AreaAnalysis) -> tuple[int, float]:
    """Return over how many authorities, and how, the dose left goes with cuts in spending.

    Parameters
    ----------
    analysis : AreaAnalysis

    Returns
    -------
    count : int
    correlation : float
        Of the target rate given deprivation with the change in spending on family support,
        given deprivation.
    """
    fixed = analysis.areas.fixed.set_axis(analysis.areas.units)
    frame = pd.DataFrame({
        "dose": fixed[analysis.plan["doses"]["main"]],
        "change": cuts(analysis),
        "deprivation": fixed["deprivation_2010"],
    }).dropna()  # fmt: skip
    terms = np.column_stack([np.ones(len(frame)), frame["deprivation"]])
    left = [frame[name] - terms @ np.linalg.lstsq(terms, frame[name], rcond=None)[0]
            for name in ("dose", "change")]  # fmt: skip
    return len(frame), float(np.corrcoef(*left)[0, 1])


# How firm it is: trends that were not parallel, other ways to cut the dose, who is known.


@of_phase("one")
def bounds_table(analysis: AreaAnalysis) -> Table:
    """Return intervals that allow for trends that were not parallel.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows = analysis.bounds
    named = labels()
    shown = []
    for name in UNITS:
        own = rows[rows["outcome"] == name]
        shown.append({
            "Outcome": f"{named[name]} ({UNITS[name][0]})",
            **{f"{row['multiple']:g} times": f"{change(name, row['conf_low'])} to "
               f"{change(name, row['conf_high'])}" for row in own.to_dict("records")},
        })  # fmt: skip
    return table(
        pd.DataFrame(shown),
        caption="95% intervals where trends were not parallel",
        notes="A step from a year to the next may depart from parallel by so many times the "
        "largest such step before the programme (Rambachan and Roth 2023, relative magnitudes).",
    )


@of_phase("one")
def thirds_table(analysis: AreaAnalysis) -> Table:
    """Return the middle and highest third of the dose against the lowest.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows, named = analysis.thirds.to_dict("records"), labels()
    intervals = {(row["outcome"], row["analysis"]): interval_words(row) for row in rows}
    shown = [
        {
            "Outcome": f"{named[name]} ({UNITS[name][0]})",
            "Middle third": intervals[name, "second_third"],
            "Highest third": intervals[name, "third_third"],
        }
        for name in UNITS
    ]
    scale = analysis.plan["doses"]["scale"]
    middle, highest = (scale * row["dose"] for row in rows[:2])
    return table(
        pd.DataFrame(shown),
        caption="Thirds of the dose against the lowest third, deprivation held equal",
        notes=f"Targeted families for each 10,000 children, mean of the third: "
        f"{middle:.0f} and {highest:.0f}. A line through doses mixes such steps.",
    )


@of_phase("one")
def weights_table(analysis: AreaAnalysis) -> Table:
    """Return how much the line through doses rests on each part of them.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    main, scale = analysis.plan["doses"]["main"], analysis.plan["doses"]["scale"]
    known = scale * analysis.areas.fixed[main].dropna()
    ends = [-np.inf, *np.quantile(known, [1 / 3, 2 / 3]), np.inf]
    words = ["Lowest third", "Middle third", "Highest third"]
    given = analysis.dose_weights
    parts = pd.cut(given["dose"] * scale, ends, labels=words)
    shares = given.assign(part=parts).pivot_table(
        index="part", columns="outcome", values="weight", aggfunc="sum", observed=False
    )
    least, most = shares.min(axis=1), shares.max(axis=1)
    bands = known.groupby(pd.cut(known, ends, labels=words), observed=False)
    shown = pd.DataFrame({
        "Doses": words,
        "Families for each 10,000 children": [f"{low:.0f} to {high:.0f}" for low, high in
                                              zip(bands.min(), bands.max(), strict=True)],
        "Authorities": bands.size().to_numpy(),
        "Weight": [percent(low) if percent(low) == percent(high)
                   else f"{percent(low)} to {percent(high)}"
                   for low, high in zip(least, most, strict=True)],
    })  # fmt: skip
    fewest = int(analysis.regions["units"].min())
    return table(
        shown, caption="What the line through doses rests on",
        notes=[
            "The weight of a slope between two neighbouring doses (Yitzhaki 1996; Callaway, "
            "Goodman-Bacon and Sant'Anna 2024), least and most over the outcomes.",
            f"The smallest regression, without one region, has {fewest} authorities, so the wild "
            "errors that the plan keeps for fewer than 40 were not needed.",
        ],
    )  # fmt: skip


@of_phase("one")
def selection_table(analysis: AreaAnalysis) -> Table:
    """Return authorities with a known target beside all, before and after weighting.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows = analysis.selection
    words = {"log_children": "Children (logarithm)", "deprivation_2010": "Deprivation, 2010"}
    shown = pd.DataFrame({
        "Measure": [words.get(name, f"In {name}") for name in rows["measure"]],
        "All": rows["all"], "Target known": rows["known"], "Known, weighted": rows["weighted"],
    })  # fmt: skip
    formats = dict.fromkeys(shown.columns[1:], "{:.2f}")
    known = int(analysis.areas.fixed[analysis.plan["doses"]["main"]].notna().sum())
    return table(
        shown, caption=f"The {known} authorities whose target is known, and all",
        formats=formats,
        notes="A target is known where a newspaper, a councillor or a council page printed it. "
        f"The smallest fitted chance of being known is {percent(rows['least_chance'].iloc[0])}.",
    )  # fmt: skip


# What has no estimate: nations without the programme, and outcomes of the second rank.

_NATIONS = ("England", "Scotland", "Wales", "Northern Ireland")


@of_phase("one")
def nations_chart(measure: str = "claimant_rate", years: range = range(2005, 2018)) -> Chart:
    """Draw England beside nations without the programme, as indices of 2012.

    Parameters
    ----------
    measure : str, default "claimant_rate"
    years : range
    """
    rows = nation_statistics([measure], years, base=2012)
    wide = rows[rows["nation"].isin(_NATIONS)].pivot_table(
        index="year", columns="nation", values="value"
    )
    wide = wide[[name for name in _NATIONS if name in wide]]
    england = float(wide["England"][2015])
    others = wide.drop(columns="England").loc[2015]
    return line_chart(
        wide, title=f"{rows['label'].iloc[0]}: {england:.0f} in England in 2015, "
        f"{others.min():.0f} to {others.max():.0f} without the programme",
        subtitle="Index, 2012 = 100",
        alt=f"A line a nation. In 2015 England stands at {england:.0f}, and the "
        f"nations without the programme from {others.min():.0f} to {others.max():.0f}.",
        reference=100.0, sources=distinct_sources(rows),
    )  # fmt: skip


@of_phase("one")
def nations_table(years: Sequence[int] = (2009, 2012, 2015, 2016)) -> Table:
    """Return every series that England has beside a nation without the programme, as indices.

    Parameters
    ----------
    years : sequence of int
    """
    rows = nation_statistics(base=2012)
    rows = rows[rows["nation"].isin(_NATIONS)].dropna(subset="value")
    both = rows.groupby("measure")["nation"].agg(lambda nations: {"England"} < set(nations))
    rows = rows[rows["measure"].map(both)]
    wide = rows.pivot_table(index=["label", "nation"], columns="year", values="value", sort=False)
    wide = wide[[year for year in years if year in wide]].reset_index()
    shown = wide.rename(columns={"label": "Measure", "nation": "Nation"}).rename(columns=str)
    return table(
        shown, caption="England beside nations without the programme, 2012 = 100",
        formats=dict.fromkeys(shown.columns[2:], "{:.0f}"), sources=distinct_sources(rows),
        notes="Nations count differently, so levels are not comparable, and each had reforms of "
        "its own. Four series cannot carry an effect: this shows whether England broke away, and "
        "no more.",
    )  # fmt: skip


@of_phase("one")
def second_rank_table() -> Table:
    """Return outcomes that are described and not estimated: means of authorities, and why."""
    rows = area_measures(role="outcome", rank="second")
    statistics = area_statistics(list(rows["measure"]), wide=True)
    shown = []
    for row in rows.to_dict("records"):
        years = statistics.groupby("year")[row["measure"]].mean().dropna()
        first, last = int(years.index[0]), int(years.index[-1])
        means = {"First": years[first], "2013": years.get(2013, np.nan), "Last": years[last]}
        shown.append({
            "Outcome": f"{row['label']} ({row['unit']})", "Years": f"{first} to {last}",
            **{words: significant(value, 3) for words, value in means.items()},
            "Why no estimate": row["use"],
        })  # fmt: skip
    return table(
        pd.DataFrame(shown), caption="Outcomes of the second rank: means over authorities",
        formats=dict.fromkeys(("First", "2013", "Last"), in_digits(3)),
        sources=distinct_sources(rows),
    )  # fmt: skip


@of_phase("one")
def seen_table(analysis: AreaAnalysis) -> Table:
    """Return what had been estimated on these figures before the plan, and was read.

    Parameters
    ----------
    analysis : AreaAnalysis
    """
    rows = pd.DataFrame([
        {"Look": one["look"].capitalize(), "Authorities": one["authorities"] or np.nan,
         "Tests": one["tests"] or np.nan, "What": " ".join(one["what"].split())}
        for one in analysis.plan["seen"]
    ])  # fmt: skip
    return table(
        rows, caption="The plan is not blind: what was known when it was written",
        formats={"Authorities": "{:.0f}", "Tests": "{:.0f}"}, missing="",
    )  # fmt: skip
