"""Chapter 1, the money: the budget, the ledger and what the rules explain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tfeval.display.charts import waterfall_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence, financial_year
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.could_know import costs_of_a_family
from tfeval.money.prices import deflate, discount_rates, edition_of, present_value
from tfeval.programme.claims import authority
from tfeval.programme.ledger import fundable, maximum_payable
from tfeval.programme.national import check_payments, ledger_by_year, ledger_sources, reconcile
from tfeval.programme.phases import Phase, phase
from tfeval.programme.programmes import programmes
from tfeval.programme.published import distinct_sources, published
from tfeval.report.chapters.common import (
    MEASURE_NAMES,
    as_published,
    of_phase,
    percent,
    pounds,
    span,
    with_sources,
)
from tfeval.report.record import Record, keep, make_record, record

ALL = "all"


def headline(name: str) -> Sentence:
    """Say in one sentence how far the payment rules explain a phase's budget.

    Parameters
    ----------
    name : str
        The phase.

    Examples
    --------
    >>> headline("two")
    'Of £920m, the payment rules explain £720m. Of the budget, £200m is left unexplained.'
    """
    said = facts(name)
    return Sentence(
        f"Of {said['budget']}, the payment rules explain {said['tariff_due'].ends()}. "
        f"{remainder_sentence(said)}"
    )


def facts(name: str) -> dict[str, Record]:
    """Return what is recorded of a phase's budget, from the rows of its reconciliation.

    Parameters
    ----------
    name : str
        The phase.
    """
    balance, about = reconcile(name), {"phase": name}
    guessed = [part for part in balance.parts if part.assumed]
    ranges = {
        "tariff_due": (balance.parts[0].low, balance.parts[0].high),
        "left_of_budget": balance.sourced_remainder,
        "remainder": balance.remainder,
    }
    if guessed:
        ranges["assumed"] = (
            sum(part.low for part in guessed), sum(part.high for part in guessed)
        )  # fmt: skip
    source = balance.total.sources[0].url if balance.total.sources else ""
    made = [make_record("budget", balance.budget, "£", digits=4, source=source, subject=about)]
    made += [
        make_record(key, low, "£", digits=4, interval=(low, high), subject=about)
        for key, (low, high) in ranges.items()
    ]
    if guessed:
        who = " and ".join(part.name for part in guessed)
        made.append(make_record("assumed_for", who, subject=about))
    return {record.name: record for record in made}


def remainder_sentence(said: Mapping[str, Record]) -> str:
    """Say what is left of a budget, and whether that is known where a part of it is assumed.

    Parameters
    ----------
    said : mapping of str to Record
        As from `facts`, or as chapter 1 recorded them.

    Examples
    --------
    >>> from tfeval.display.words import unmarked
    >>> unmarked(remainder_sentence(facts("one")))[:62]
    'All parts with a source leave £34.4m. Co-ordinators are known '
    """
    left = said["left_of_budget"]
    if "assumed" not in said:
        least, _ = _both(left)
        if least < 0:
            return f"The published parts exceed the budget: {left.ends()} is left."
        return f"Of the budget, {left.ends()} is left unexplained."
    assumed = said["assumed"]
    (left_low, left_high), (low, high) = _both(left), _both(assumed)
    verdict = "whether anything is left is not known"
    if left_high < low:
        verdict = "more than there is"
    elif left_low >= high:
        verdict = "less than there is"
    return (
        f"All parts with a source leave {left.ends()}. {said['assumed_for']} are known for a few "
        f"authorities: had all of them as much, they would take {assumed.ends()}, so that "
        f"{verdict}."
    )


def _both(record: Record) -> tuple[float, float]:
    return record.end("low").number, record.end("high").number


def record_budget(name: str) -> None:
    """Record a phase's budget and what explains it, and how the ledger meets published payments.

    Parameters
    ----------
    name : str
        The phase; payments are held against the ledger where it can be worked out.
    """
    for made in facts(name).values():
        keep(made)
    if not phase(name).costs.ledger:
        return
    checked = check_payments()
    verdicts = {"reproduced": "reproduced", "within": "within the tariff"}
    record("payments_checked", len(checked), subject={"phase": name})
    for key, verdict in verdicts.items():
        count = int((checked["verdict"] == verdict).sum())
        record(f"payments_{key}", count, subject={"phase": name})
    record("payments_missed", int((checked["miss"] != 0).sum()), subject={"phase": name})


def programme_table() -> Table:
    """Return the phases side by side."""
    rules = [phase(name) for name in programmes()]
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
    frame = pd.DataFrame(rows, index=[one.title for one in rules]).T.rename_axis("").reset_index()
    sources = [source for one in rules for source in (*one.budget.sources, *one.families.sources)]
    return table(frame, caption="The phases of the programme", sources=sources)


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


def reconciliation_table(name: str) -> Table:
    """Return a phase's budget beside its parts; it always adds up."""
    balance = reconcile(name)
    frame = balance.to_frame()
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
    cited = [source for part in balance.parts for source in part.sources]
    return table(
        shown,
        caption=f"What the budget went on, {phase(name).title}",
        sources=[*balance.total.sources, *cited],
        notes="The low remainder belongs to the high parts, and the high one to the low parts. "
        "Below zero, the parts exceed the budget: not all of them can have been paid in full. "
        "Rounded one by one, shares need not add up to 100%.",
    )


def reconciliation_chart(name: str) -> Chart:
    """Return the budget as a waterfall of its parts, each at its low end."""
    balance = reconcile(name)
    left = balance.remainder[1]
    listed = "; ".join(f"{part.name} {pounds(part.low)}" for part in balance.parts)
    return waterfall_chart(
        [part.name for part in balance.parts],
        [part.low / 1e6 for part in balance.parts],
        total=balance.budget / 1e6,
        total_label="Budget",
        remainder_label="Left unexplained",
        title=f"The parts, at their low ends, come to {pounds(balance.budget - left)} of "
        f"{pounds(balance.budget)}",
        subtitle="What the budget went on, each part at its low end, £ million",
        alt=f"Waterfall chart of the budget of {pounds(balance.budget)}: {listed}; "
        f"left unexplained {pounds(left)}.",
        sources=[
            *balance.total.sources,
            *(source for part in balance.parts for source in part.sources),
        ],
    )


def prices_table(name: str, assumptions: Assumptions) -> Table:
    """Return the budget in cash, in another year's prices, and as present value.

    Parameters
    ----------
    name : str
        The phase.
    assumptions : Assumptions
        The scenario: its prices, rates, timing and the year to which money is discounted.
    """
    rules, edition = phase(name), str(assumptions.green_book_edition)
    cash, base = rules.budget.pounds()[0], assumptions.discounted_to(name)
    years = list(rules.years)
    flows = [deflate(cash / len(years), year, assumptions.price_year) for year in years]
    yearly = [0.0] * (years[0] - base) + flows  # nothing of the budget before its first year
    values = [cash, sum(flows), present_value(np.array(yearly), edition, timing=assumptions.timing)]
    label = financial_year(assumptions.price_year)
    frame = pd.DataFrame(
        {
            "Basis": [
                "Cash, as published",
                f"In prices of {label}",
                f"In prices of {label}, present value in {financial_year(base)}",
            ],
            "Amount": values,
            "How": [
                "published",
                f"GDP deflator; the budget spread evenly over {len(years)} years",
                f"discounted at {discount_rates(edition)['rate'].iloc[0]:.1%} a year, "
                f"{edition_of(edition).label}",
            ],
        }
    )
    deflators = published("deflators")
    deflators = deflators[deflators["figure"] == "gdp_deflator_financial_year"]
    return table(
        frame,
        caption=f"The budget in other prices, {phase(name).title}",
        formats={"Amount": pounds},
        sources=[
            *rules.budget.sources,
            *distinct_sources(deflators, discount_rates(edition)),
        ],
        notes=[
            "The budget was not published by year: an even spread is our assumption.",
            assumptions.money_words(name),
        ],
    )


#: Sources that a cell can hold; more stand under the table.
_IN_A_CELL = 4


def family_costs_table(name: str, assumptions: Assumptions) -> Table:
    """Return every cost a family of this report: what is in each, whose it is, and which is used.

    Parameters
    ----------
    name : str
        The page's phase: a page says nothing of an earlier one.
    assumptions : Assumptions
        The scenario.
    """
    rows = costs_of_a_family(assumptions)
    kept = [one for one in programmes() if phase(one).start >= phase(name).start]
    rows = rows[rows["phase"].isin(kept)]
    money = {"cash": "cash", "scenario": f"prices of {financial_year(assumptions.price_year)}, "
             "present value"}  # fmt: skip
    frame = pd.DataFrame(
        {
            "Phase": [phase(one).title for one in rows["phase"]],
            "A family": rows["pounds"].to_numpy(),
            "What is in it": rows["what"].to_numpy(),
            "Whose figure": rows["whose"].to_numpy(),
            "Pounds of": [money[one] for one in rows["money"]],
            "Counted as the cost in this report": ["yes" if one else "no" for one in rows["used"]],
            "Source": [
                cited if len(cited) <= _IN_A_CELL else "all of those under the table"
                for cited in rows["sources"]
            ],
        }
    )
    return table(
        frame,
        caption="What a family cost: every figure of this report",
        formats={"A family": "£{:,.0f}".format},
        sources=list(dict.fromkeys(source for cited in rows["sources"] for source in cited)),
        notes=[f"{phase(one).title}: {assumptions.money_words(one)}" for one in kept],
    )


def _figures(rows: pd.DataFrame, caption: str) -> Table:
    frame = pd.DataFrame(
        {
            "Figure": rows["definition"],
            "As published": [as_published(row) for _, row in rows.iterrows()],
            "Period": rows["period"],
        }
    )
    return table(with_sources(frame, rows), caption=caption)


# Chapter 1, the ledger: fees and payments due, beside every payment that was published.


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
