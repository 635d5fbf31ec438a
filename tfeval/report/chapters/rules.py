"""Chapter 1, the rules: who was eligible, what counted as a result, what was paid for it."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.programme.ledger import year_two_release
from tfeval.programme.phases import phase
from tfeval.programme.published import distinct_sources, figure, published
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    as_published,
    not_published,
    percent,
    pounds,
    with_sources,
)


def eligibility_table(name: str) -> Table:
    """Return who was eligible in a phase."""
    return _rules("eligibility", name, "Who was eligible")


def results_table(name: str) -> Table:
    """Return what counted as a result in a phase."""
    return _rules("results_definitions", name, "What counted as a result")


def tariff_table(name: str) -> Table:
    """Return what was paid for a funded family, by the year it was attached."""
    rules = phase(name)
    tariff = rules.tariff
    frame = pd.DataFrame({"Year of attachment": tariff.years})
    if tariff.attachment_fee:
        frame["Attachment fee"] = [tariff.attachment_fee[year] for year in tariff.years]
    for kind in rules.result.paid:
        frame[f"Result: {MEASURE_NAMES[kind].lower()}"] = [
            tariff.results_payment[(year, kind)] for year in tariff.years
        ]
    frame["At most"] = [tariff.maximum(year) for year in tariff.years]
    rows = published("tariff")
    formats = dict.fromkeys(frame.columns[1:], pounds)
    note = (
        "Progress to work is paid beside the first kind of result; continuous employment instead "
        "of both. No source seen says whether a result is paid at the rate of the year of "
        "attachment or of the claim: the ledger takes the year of attachment, so that fee and "
        "result never exceed the published maximum."
    )
    return table(
        frame,
        caption=f"Payment for each funded family, {rules.title}",
        formats=formats,
        sources=distinct_sources(rows[rows["phase"] == name]),
        notes=note if rules.result.progress else None,
    )


def year_two_table(name: str = "one") -> Table:
    """Return the tiers of year two's fees and where England and authorities stood."""
    rules = phase(name)
    if not rules.costs.ledger:
        return not_published("The tiers of year two", f"Tiers of fees of {rules.words}")
    worked = figure("progress_national", "worked_with", as_of="2013-03")
    agreed = figure("progress_national", "agreed_year_one")
    rows = [
        (
            "England",
            f"{worked.value:,.0f}",
            f"{agreed.value:,.0f}",
            percent(worked.value / agreed.value),
            percent(year_two_release(worked.value, agreed.value)),
        )
    ]
    columns = [
        "Area",
        "Worked with by March 2013",
        "Agreed for year one",
        "Share",
        "Year-two fees released in the first quarter",
    ]
    full, half = (figure("tariff", f"year_two_threshold_{tier}") for tier in ("full", "half"))
    note = (
        f"From {full.value:.0f}% of the families agreed, all of the fees; from {half.value:.0f}%, "
        "half, and the rest on catching up; below, none until it improved. Numbers agreed were "
        "not published by authority."
    )
    found = (*full.sources, *worked.sources, *agreed.sources)
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The tiers of year two",
        sources=found,
        notes=note,
    )


def _rules(name: str, which: str, caption: str) -> Table:
    rows = published(name)
    rows = rows[rows["phase"] == which]
    frame = pd.DataFrame(
        {
            "Rule": rows["definition"],
            "Threshold": [
                "" if pd.isna(row["value"]) else as_published(row) for _, row in rows.iterrows()
            ],
            "In words": rows["text"],
        }
    )
    return table(with_sources(frame, rows), caption=f"{caption}, {phase(which).title}", missing="")
