"""Chapter 1, the money: the budget, the ledger and what the rules explain."""

from __future__ import annotations

import pandas as pd

from tfeval.money.prices import deflate, discount_rates, present_value
from tfeval.programme.claims import authority
from tfeval.programme.ledger import fundable, maximum_payable
from tfeval.programme.ledger_check import check_payments
from tfeval.programme.national import ledger_by_year, ledger_sources, reconcile
from tfeval.programme.phases import RESULT_KINDS, phase
from tfeval.programme.published import distinct_sources, published
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    PHASE_TITLES,
    as_published,
    percent,
    pounds,
    span,
    with_sources,
)
from tfeval.report.charts import waterfall_chart
from tfeval.report.figures import Chart
from tfeval.report.tables import Table, table

ALL = "all"


def headline(name: str) -> str:
    """Say in one sentence how far the payment rules explain a phase's budget.

    Parameters
    ----------
    name : {"one", "two"}
        The phase.

    Examples
    --------
    >>> headline("two")
    'Of £920.0m, the payment rules explain £720.0m. Of the budget, £200.0m is left unexplained.'
    """
    found = reconcile(name)
    return (
        f"Of {pounds(found.budget)}, the payment rules explain {due_text(name)}. "
        f"{remainder_text(name)}"
    )


def due_text(name: str) -> str:
    """Write what is due under a phase's tariff.

    Parameters
    ----------
    name : {"one", "two"}
        The phase.
    """
    due = reconcile(name).parts[0]
    return span(due.low, due.high, pounds)


def remainder_text(name: str) -> str:
    """Say how much of a phase's budget its published parts leave unexplained.

    Parameters
    ----------
    name : {"one", "two"}
        The phase.

    Examples
    --------
    >>> remainder_text("one")
    'The published parts together lie between £155,600 below the budget and £45.4m above it.'
    """
    low, high = reconcile(name).remainder
    if low >= 0:
        return f"Of the budget, {span(low, high, pounds)} is left unexplained."
    return (
        f"The published parts together lie between {pounds(high)} below the budget and "
        f"{pounds(-low)} above it."
    )


def programme_table() -> Table:
    """Return both phases side by side."""
    rules = [phase(name) for name in PHASE_TITLES]
    rows = {
        "Budget of central government": [pounds(one.budget.pounds()[0]) for one in rules],
        "Families to be reached": [f"{one.families.value:,.0f}" for one in rules],
        "Headline problems": [str(len(one.criteria)) for one in rules],
        "Problems that make a family eligible": [str(one.criteria_needed) for one in rules],
        "Most that a funded family earned": [
            pounds(one.tariff.maximum(one.tariff.years[-1])) for one in rules
        ],
        "Share of families funded": [percent(one.tariff.funded_share) for one in rules],
        "Most that the tariff could pay": [
            pounds(maximum_payable(one.families.value, one.tariff)) for one in rules
        ],
    }
    frame = pd.DataFrame(rows, index=list(PHASE_TITLES.values())).T.rename_axis("").reset_index()
    found = [source for one in rules for source in (*one.budget.sources, *one.families.sources)]
    return table(frame, caption="The two phases of the programme", sources=found)


def budget_table() -> Table:
    """Return every published figure about the budget, conflicting ones side by side."""
    return _figures(published("budget"), "The budget of the programme, as published")


def departments_table() -> Table:
    """Return the departments that paid, and how many they were said to be."""
    rows = published("departments")
    frame = pd.DataFrame(
        {
            "Department": rows["department"],
            "What was published": [
                row["definition"] if pd.isna(row["value"]) else as_published(row)
                for _, row in rows.iterrows()
            ],
        }
    )
    return table(
        with_sources(frame, rows), caption="Who paid: sources differ on how many departments"
    )


def ledger_table(name: str) -> Table:
    """Return fees and payments due by year paid and kind.

    Parameters
    ----------
    name : {"one", "two"}
        The phase. Phase two's families were not published by year, so only the most that its
        tariff could pay is known.
    """
    if name == "two":
        return _ledger_two()
    lines = ledger_by_year()
    lines["text"] = [
        span(low, high, pounds) for low, high in zip(lines["low"], lines["high"], strict=True)
    ]
    wide = lines.pivot_table(index="kind", columns="paid_year", values="text", aggfunc="first")
    wide = wide.reindex(["attachment", *RESULT_KINDS]).rename(index=MEASURE_NAMES)
    frame = wide.rename_axis(index="Paid for", columns=None).reset_index()
    note = (
        "Ranges come from the families worked with at the end of 2013-14, which were not "
        "published: between the counts of December 2013 and June 2014. Families attached first "
        "are taken to be claimed first; kinds of result keep the shares last published."
    )
    return table(
        frame,
        caption="Fees and payments due under the tariff, phase one",
        sources=ledger_sources("one"),
        notes=note,
    )


def _ledger_two() -> Table:
    rules = phase("two")
    families, tariff = rules.families.value, rules.tariff
    year = tariff.years[0]
    fee = tariff.attachment_fee[year]
    result = tariff.maximum(year) - fee
    rows = [
        ("Attachment fees", fee, families * fee),
        ("Results payments", result, families * result),
        ("Together", fee + result, families * (fee + result)),
    ]
    return table(
        pd.DataFrame(rows, columns=["Paid for", "A family", f"{families:,.0f} families"]),
        caption="The most that phase two's tariff could pay",
        formats={"A family": pounds, f"{families:,.0f} families": pounds},
        sources=ledger_sources("two"),
    )


def reconciliation_table(name: str) -> Table:
    """Return a phase's budget beside its parts; it always adds up."""
    found = reconcile(name)
    frame = found.to_frame()
    shown = pd.DataFrame(
        {
            "Part": frame["part"],
            "Amount": [
                span(*pair, pounds) for pair in zip(frame["low"], frame["high"], strict=True)
            ],
            "Share of the budget": [
                span(*pair, percent)
                for pair in zip(frame["share_low"], frame["share_high"], strict=True)
            ],
            "Basis": frame["basis"],
        }
    )
    cited = [source for part in found.parts for source in part.sources]
    return table(
        shown,
        caption=f"What the budget went on, {PHASE_TITLES[name]}",
        sources=[*found.total.sources, *cited],
        notes="The low remainder belongs to the high parts, and the high one to the low parts. "
        "Below zero, the parts exceed the budget: not all of them can have been paid in full.",
    )


def reconciliation_chart(name: str) -> Chart:
    """Return the budget as a waterfall of its parts, each at its low end."""
    found = reconcile(name)
    left = found.remainder[1]
    listed = "; ".join(f"{part.name} {pounds(part.low)}" for part in found.parts)
    return waterfall_chart(
        [part.name for part in found.parts],
        [part.low / 1e6 for part in found.parts],
        total=found.budget / 1e6,
        total_label="Budget",
        remainder_label="Left unexplained",
        title=f"What the payment rules explain of {pounds(found.budget)}, low ends (£ million)",
        alt=f"Waterfall chart of the budget of {pounds(found.budget)}: {listed}; "
        f"left unexplained {pounds(left)}.",
        sources=[
            *found.total.sources,
            *(source for part in found.parts for source in part.sources),
        ],
    )


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


def prices_table(name: str, price_year: int, edition: str) -> Table:
    """Return the budget in cash, in another year's prices, and as present value.

    Parameters
    ----------
    name : {"one", "two"}
        The phase.
    price_year : int
        Financial year by its first calendar year.
    edition : str
        Green Book edition whose discount rates apply.
    """
    rules = phase(name)
    cash = rules.budget.pounds()[0]
    years = list(range(rules.start.year, rules.end.year))
    flows = [deflate(cash / len(years), year, price_year) for year in years]
    values = [cash, sum(flows), present_value(flows, edition)]
    label = f"{price_year}-{(price_year + 1) % 100:02d}"
    frame = pd.DataFrame(
        {
            "Basis": [
                "Cash, as published",
                f"In prices of {label}",
                f"In prices of {label}, present value in {years[0]}-{(years[0] + 1) % 100:02d}",
            ],
            "Amount": values,
            "How": [
                "published",
                f"GDP deflator; the budget spread evenly over {len(years)} years",
                f"discounted at {discount_rates(edition)['rate'].iloc[0]:.1%} a year, "
                f"Green Book {edition}",
            ],
        }
    )
    deflators = published("deflators")
    deflators = deflators[deflators["figure"] == "gdp_deflator_financial_year"]
    return table(
        frame,
        caption=f"The budget in other prices, {PHASE_TITLES[name]}",
        formats={"Amount": pounds},
        sources=[
            *rules.budget.sources,
            *distinct_sources(deflators, discount_rates(edition)),
        ],
        notes="The budget was not published by year: an even spread is our assumption.",
    )


def funded_families(targeted: float) -> int:
    """Return how many of an authority's targeted families phase one funded."""
    return int(fundable([targeted], phase("one").tariff.funded_share)[0])


def _verdict(row: pd.Series) -> str:
    missed = "" if row["miss"] == 0 else f" by {pounds(abs(row['miss']))}"
    return f"{row['verdict'].capitalize()}{missed}: {row['why']}"


def _figures(rows: pd.DataFrame, caption: str) -> Table:
    frame = pd.DataFrame(
        {
            "Figure": rows["definition"],
            "As published": [as_published(row) for _, row in rows.iterrows()],
            "Period": rows["period"],
        }
    )
    return table(with_sources(frame, rows), caption=caption)
