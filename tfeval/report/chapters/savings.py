"""Chapter 6, the money: the savings claimed, what they need to hold, and what was found."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.money.claimed import break_even_2015, implied_costs_2019, national_claim_rebuilt
from tfeval.programme.phases import phase
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters.common import (
    month,
    not_published,
    of_another,
    of_phase,
    percent,
    pounds,
    span,
    with_sources,
)


@of_phase("one")
def break_even_table() -> Table:
    """Return the share of the claimed benefit that must be the programme's own to break even."""
    frame = break_even_2015().rename(
        columns={
            "claim": "Claim",
            "cost_counted": "Cost counted",
            "benefit": "Gross benefit claimed",
            "cost": "Cost",
            "share": "Share that must be its own",
        }
    )
    return table(
        frame,
        caption="How much of the change must be the programme's own for it to break even",
        formats={
            "Gross benefit claimed": pounds,
            "Cost": pounds,
            "Share that must be its own": percent,
        },
        sources=claim_sources(),
        notes="One less the share is the deadweight at which the programme just pays for itself. "
        "Central cost a family is the whole budget over the families targeted. Benefits are gross, "
        "over 12 months, from seven areas, with no comparison group.",
    )


@of_phase("one")
def rebuilt_table() -> Table:
    """Return the national claim of £1.2bn rebuilt from families and benefit a family."""
    frame = national_claim_rebuilt().assign(as_of=lambda rows: rows["as_of"].map(month))
    frame.columns = pd.Index(
        ["As of", "Families claimed", "Benefit a family", "Gross", "Cost of helping them", "Net"]
    )
    formats = dict.fromkeys(frame.columns[2:], pounds) | {"Families claimed": "{:,.0f}"}
    return table(
        frame,
        caption="The claim of £1.2bn, rebuilt: gross, with all of every family's change counted",
        formats=formats,
        sources=claim_sources(),
    )


def claim_sources() -> list[Source]:
    """Return the sources of the 2015 claim and of the money it is held against."""
    rows = published("benefits_claim_2015")
    used = rows[
        rows["figure"].isin(
            ["gross_benefit_per_family", "average_cost_per_family", "national_claim"]
        )
    ]
    budget = published("budget")
    money = budget[budget["figure"].isin(["phase_one_budget", "local_contribution_expected"])]
    return distinct_sources(used, money)


def ratios_table() -> Table:
    """Return the cost that each published ratio of the 2019 analysis implies."""
    frame = implied_costs_2019()
    shown = pd.DataFrame(
        {
            "Measure": frame["measure"].str.capitalize() + " benefit",
            "For each £1": frame["ratio"],
            "Net benefit (£m)": frame["net"],
            "Implied cost (£m)": frame["cost"],
            "Allowing for rounding (£m)": [
                span(low, high, "{:.1f}".format)
                for low, high in zip(frame["low"], frame["high"], strict=True)
            ],
        }
    )
    rows = published("evaluations")
    rows = rows[rows["figure"].str.contains("economic|fiscal")]
    return table(
        shown,
        caption="The 2019 cost-benefit analysis recomputed: cost = net benefit / (ratio - 1)",
        formats={
            "For each £1": "£{:.2f}",
            "Net benefit (£m)": "{:,.0f}",
            "Implied cost (£m)": "{:,.0f}",
        },
        sources=distinct_sources(rows),
        notes="Both ratios imply one cost, once rounding is allowed for.",
    )


def findings_table(name: str, page: str = "") -> Table:
    """Return what the national evaluations found, by outcome.

    Parameters
    ----------
    name : str
        The phase.
    page : str, optional
        The page's phase: a page says nothing of findings on an earlier one.
    """
    rows = published("evaluation_outcomes")
    rules = phase(name)
    if page and rules.start < phase(page).start:
        return of_another(name)
    rows = rows[rows["evaluation"] == rules.evaluation.name]
    caption = f"What the national evaluations found, {rules.title}"
    if rows.empty:
        return not_published(caption, f"A study of the impact of {rules.words}")
    frame = pd.DataFrame(
        {
            "Outcome": rows["outcome"].str.capitalize() + " (" + rows["population"] + ")",
            "Months after": rows["months"],
            "On the programme, and comparison": [_against(row) for row in rows.to_dict("records")],
            "Finding": rows["finding"],
        }
    )
    if rows["value"].isna().all():
        frame = frame.drop(columns="On the programme, and comparison")
    return table(
        with_sources(frame, rows),
        caption=caption,
        notes="An estimate that is not statistically significant is not an estimate of zero: "
        "without its standard error, which was not published where seen, its range is unknown.",
    )


def _against(row: dict) -> str:
    if pd.isna(row["value"]):
        return "not published where seen"
    return (
        f"{row['treated']:.1f}% and {row['comparison']:.1f}%: {row['value']:+.1f} points".replace(
            "-", "\N{MINUS SIGN}"
        )
    )


def finding_2016() -> str:
    """Return the finding of the 2016 national impact study, as published."""
    rows = published("evaluations")
    found = rows[rows["figure"] == "headline"]
    found = found[found["phase"] == phase("one").name]
    return str(found["text"].iloc[0])


def effects_with_values() -> int:
    """Return how many effects of the 2019 study were seen with their values."""
    rows = published("evaluation_outcomes")
    return int(rows[rows["evaluation"] == phase("two").evaluation.name]["value"].notna().sum())
