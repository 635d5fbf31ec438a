"""Chapter 1, the ledger: fees and payments due, beside every payment that was published."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.programme.claims import authority
from tfeval.programme.ledger import fundable
from tfeval.programme.national import check_payments, ledger_by_year, ledger_sources
from tfeval.programme.phases import Phase, phase
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    as_published,
    of_phase,
    pounds,
    span,
    with_sources,
)

ALL = "all"


def ledger_table(name: str) -> Table:
    """Return fees and payments due by year paid and kind.

    Parameters
    ----------
    name : str
        The phase. Where families were not published by year, only the most that its tariff could
        pay is known.
    """
    rules = phase(name)
    if not rules.costs.ledger:
        return _most_payable(rules)
    lines = ledger_by_year()
    lines["text"] = [
        span(low, high, pounds) for low, high in zip(lines["low"], lines["high"], strict=True)
    ]
    wide = lines.pivot_table(index="kind", columns="paid_year", values="text", aggfunc="first")
    wide = wide.reindex(["attachment", *rules.result.paid]).rename(index=MEASURE_NAMES)
    frame = wide.rename_axis(index="Paid for", columns=None).reset_index()
    note = (
        "Ranges come from the families worked with at the end of 2013-14, which were not "
        "published: between the counts of December 2013 and June 2014. Families attached first "
        "are taken to be claimed first; kinds of result keep the shares last published."
    )
    return table(
        frame,
        caption=f"Fees and payments due under the tariff, {rules.words}",
        sources=ledger_sources(name),
        notes=note,
    )


def _most_payable(rules: Phase) -> Table:
    families, tariff = rules.families.value, rules.tariff
    year = tariff.years[0]
    fee = tariff.fee(year)
    result = tariff.maximum(year) - fee
    rows = [
        ("Attachment fees", fee, families * fee),
        ("Results payments", result, families * result),
        ("Together", fee + result, families * (fee + result)),
    ]
    if not tariff.attachment_fee:
        rows = rows[1:2]
    return table(
        pd.DataFrame(rows, columns=["Paid for", "A family", f"{families:,.0f} families"]),
        caption=f"The most that the tariff could pay, {rules.words}",
        formats={"A family": pounds, f"{families:,.0f} families": pounds},
        sources=ledger_sources(rules.name),
    )


@of_phase("one")
def payments_table(local_authority: str = ALL) -> Table:
    """Return the ledger held against each payment that was published.

    Parameters
    ----------
    local_authority : str, default "all"
        Only those of this authority.
    """
    rows = check_payments()
    if local_authority != ALL:
        rows = rows[rows["area_code"] == authority(local_authority)["code"]]
    rows = rows.sort_values(["area", "period"], kind="stable")
    frame = pd.DataFrame(
        {
            "Authority": rows["area"],
            "What": rows["definition"],
            "Published": [as_published(row) for _, row in rows.iterrows()],
            "The ledger": [
                span(low, high, pounds) for low, high in zip(rows["low"], rows["high"], strict=True)
            ],
            "Verdict": [_verdict(row) for _, row in rows.iterrows()],
        }
    )
    note = None if len(rows) else "No payment to this authority was found in a published source."
    return table(
        with_sources(frame, rows), caption="The ledger beside every published payment", notes=note
    )


def _verdict(row: pd.Series) -> str:
    missed = "" if row["miss"] == 0 else f" by {pounds(abs(row['miss']))}"
    return f"{row['verdict'].capitalize()}{missed}: {row['why']}"


def funded_families(targeted: float, name: str = "one") -> int:
    """Return how many of an authority's targeted families a phase funded."""
    return int(fundable([targeted], phase(name).tariff.funded_share)[0])
