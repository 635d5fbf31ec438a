"""Chapter 6, what the studies could know: the errors of 2019, and what 2016 left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import reach_chart
from tfeval.display.names import ACCOUNTS, PAY_FOR, PAYS_FOR, capital
from tfeval.display.tables import Table, table
from tfeval.impact.effects.power import detectable_effects
from tfeval.impact.effects.published import (
    evaluation_sources,
    published_effects,
)
from tfeval.money.additional import sources_of_prices
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.claimed import implied_costs_2019
from tfeval.money.costs import cost_sources
from tfeval.money.could_know import (
    OUTCOMES,
    TOGETHER,
    cost_of_a_family,
    could_have_known,
    hidden_value,
    together,
)
from tfeval.money.evaluation_2019 import views
from tfeval.money.rebuilt_2019 import cost_of_a_family_2019
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters.additional import Additional, nothing_table
from tfeval.report.chapters.common import about, minus, of_phase, pounds, span
from tfeval.report.chapters.unmeasured import IMPOSSIBLE, design_sources
from tfeval.report.record import Record, keep, make_record

#: Views of costs in a sentence.
COST_WORDS = {
    "total": "all public costs",
    "central": "central costs",
    "marginal": "costs that grow with families",
}
# The analysis of 2019: what its ratios imply, and its effects as intervals.


def ratios_table() -> Table:
    """Return the cost that each published ratio of 2019 implies, and of how many families."""
    frame, each = implied_costs_2019(), cost_of_a_family_2019()
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
            "So many families, at a hypothesis of their cost": each["families"],
            "Benefit a family, then": each["benefit"],
        }
    )
    rows, rules = published("evaluations"), phase_of("two")
    rows = rows[rows["figure"].str.contains("economic|fiscal")]
    a_family, budget = each["a_family"].iloc[0], pounds(rules.budget.pounds()[0])
    return table(
        shown,
        caption="The 2019 cost-benefit analysis recomputed: cost = net benefit / (ratio - 1)",
        formats={
            "For each £1": "£{:.2f}",
            "Net benefit (£m)": "{:,.0f}",
            "Implied cost (£m)": "{:,.0f}",
            shown.columns[5]: lambda count: f"{round(count, -2):,.0f}",
            shown.columns[6]: pounds,
        },
        sources=[*distinct_sources(rows), *rules.budget.sources, *rules.families.sources],
        notes=[
            "Both ratios imply one cost, once rounding is allowed for.",
            f"Hypothesis: a family was costed at {pounds(a_family)}, which is {budget} over "
            f"{rules.families.value:,.0f} families: central government's money alone. Then the "
            "implied cost is of as many families as are shown. The arithmetic supports it; the "
            "number of families in the analysis was not read.",
        ],
    )


def intervals_table() -> Table:
    """Return the published effects of 2019 with the most that their errors can be."""
    effects = published_effects("2019")
    rows = effects.to_frame().to_dict("records")
    frame = pd.DataFrame(
        {
            "Outcome": [f"{outcome_label(row['outcome'])} ({row['population']})" for row in rows],
            "On the programme, and comparison": [
                f"{row['mean_treated']:.1%} and {row['mean_comparison']:.1%}" for row in rows
            ],
            "Difference (points)": [minus(f"{100 * row['estimate']:.1f}") for row in rows],
            "Error, at most": [f"{100 * row['std_error']:.2f}" for row in rows],
            "95% interval, at most": [
                minus(f"{100 * row['conf_low']:.1f} to {100 * row['conf_high']:.1f}")
                for row in rows
            ],
            "People in each group, at least": [_implied(row) for row in rows],
        }
    )
    return table(
        frame,
        caption="The effects published in 2019, as intervals",
        sources=evaluation_sources("2019"),
        notes=[
            *effects.notes,
            "People in each group: how many, if all were independent, give an error of that size "
            "at the published shares. The sizes themselves were not published where seen.",
        ],
    )


def _implied(row: dict) -> str:
    variance = sum(share * (1 - share) for share in (row["mean_treated"], row["mean_comparison"]))
    return f"{round(variance / row['std_error'] ** 2, -2):,.0f}"


# The study of 2016: could it have known, and what did its silence leave open.


@of_phase("one")
def reach(assumptions: Assumptions) -> Chart:
    """Draw what the 2016 study could detect beside changes whose value reaches the costs.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario.
    """
    rows, account = _reached(assumptions), assumptions.perspective
    labels = [_label(row) for row in rows.to_dict("records")]
    listed = "; ".join(
        f"{label}: of {100 * row['share']:.1f} at most; detectable "
        f"{_ends(row['detectable_low'], row['detectable_high'])}, needed "
        f"{_ends(row['needed_low'], row['needed_high'])}"
        for label, row in zip(labels, rows.to_dict("records"), strict=True)
    )
    seen, perhaps = (int((rows["could"] == key).sum()) for key in ("yes", "it depends"))
    return reach_chart(
        labels, rows["detectable_low"], rows["detectable_high"], rows["needed_low"],
        rows["needed_high"],
        title=f"{seen or 'None'} of {len(rows)} outcomes would surely have shown the 2016 study "
        f"an effect that {PAYS_FOR[account]} what was spent"
        + f", {perhaps} perhaps" * bool(perhaps),
        subtitle="What could be seen beside what would be needed, each outcome alone",
        alt=f"Two ranges for each outcome, in percentage points on a log scale, up to the share "
        f"that there is. {listed}.",
        most=100 * rows["share"], most_label="A fall to nothing: none can be larger",
        seen_label="Smallest change it would have seen: compared within authorities, to between",
        needed_label=f"Change that alone would {PAY_FOR[account]} what was spent: the least of "
        "the costs shown, to the most",
        x_label="Percentage points (each step is ten times the last)", sources=_sources(),
    )  # fmt: skip


def _reached(assumptions: Assumptions) -> pd.DataFrame:
    """Return what was detectable and what reaches the costs, over all costs that are shown."""
    rows = could_have_known(assumptions=assumptions)
    paid = rows[[f"break_even_{view}" for view in views(assumptions)]]
    return rows.assign(needed_low=paid.min(axis=1), needed_high=paid.max(axis=1, skipna=False))


def _ends(low: float, high: float) -> str:
    """Write a range of falls; a missing one would be larger than the share."""
    if pd.isna(low):
        return IMPOSSIBLE
    return f"{low:.1f} to {IMPOSSIBLE if pd.isna(high) else f'{high:.1f}'}"


def _label(row: dict) -> str:
    return f"{outcome_label(row['outcome'])} ({row['population']})"


def _sources() -> list[Source]:
    cited = [*design_sources(), *evaluation_sources("2019"), *sources_of_prices(OUTCOMES.items()),
             *cost_sources("one")]  # fmt: skip
    return list(dict.fromkeys(cited))


_COULD = {
    "yes": "Yes, if it {pays_for} central costs or more",
    "no": "No",
    "it depends": "Yes if families were compared within authorities, else perhaps not",
    "cannot pay": "Alone, at its price here, it could never {pay_for} any of these costs, not even "
    "by a fall to nothing",
    "cannot be seen": "It could not have been seen, even if it fell to nothing",
}


@of_phase("one")
def reach_table(assumptions: Assumptions) -> Table:
    """Return detectable and break-even effects by outcome, and whether the study could tell.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario.
    """
    rows, account = could_have_known(assumptions=assumptions), assumptions.perspective
    lines = rows.to_dict("records")
    columns: dict[str, list[str]] = {
        "Outcome": [_label(row) for row in lines],
        "Share without the programme": [
            f"{row['share']:.1%} ({row['share_basis']})" for row in lines
        ],
        "Smallest change it would have seen (points)": [
            _ends(row["detectable_low"], row["detectable_high"]) for row in lines
        ],
    }
    for view in views(assumptions):
        columns[f"Change that {PAYS_FOR[account]} {COST_WORDS[view]} (points)"] = [
            _needed(value) for value in rows[f"break_even_{view}"]
        ]
    columns["Would it have been seen?"] = [
        _verdict(row, views(assumptions), account) for row in lines
    ]
    return table(
        pd.DataFrame(columns),
        caption="Could the 2016 study have known?",
        sources=design_sources(),
        notes=[
            "Seen: a significant difference in four of five such studies (80% power at the 5% "
            "level). 56 authorities; the smaller number compares families within each authority, "
            "the larger only between authorities.",
            "No share falls by more than itself: what would have to is said to be impossible, and "
            "is not a number.",
            f"{capital(PAYS_FOR[account])}: this outcome alone, to {ACCOUNTS[account]}, comes to "
            f"what was spent. {assumptions.words('one')}",
            *_social(account),
        ],
    )


def _social(account: str) -> list[str]:
    """Say what everybody's account holds, and leaves out, of what is priced here."""
    return [
        "A benefit no longer claimed is the public purse's gain and the claimant's loss: to "
        "everybody it is worth only the health that comes with work.",
        "Convictions and sentences are priced at what courts and prisons cost: what the victims "
        "of the offences behind them suffered is not in it, so to everybody they are worth more.",
    ] * (account == "social")


def _needed(points: float) -> str:
    return "impossible" if pd.isna(points) else f"{points:.1f}"


def _verdict(row: dict, names: Sequence[str], account: str) -> str:
    """Say whether a fall worth the costs would have been seen, and what no fall could do."""
    unseen, can = pd.isna(row["detectable_low"]), [row[f"possible_{view}"] for view in names]
    verdict = _COULD["cannot be seen" if unseen and any(can) else row["could"]]
    parts = [verdict.format(pays_for=PAYS_FOR[account], pay_for=PAY_FOR[account])]
    if unseen and not any(can):
        parts.append("Nor would even that have been seen")
    elif not unseen and pd.isna(row["detectable_high"]):
        parts.append(
            "Compared only between authorities, not even a fall to nothing would have been seen"
        )
    if any(can):
        parts += [
            f"No fall could {PAY_FOR[account]} {COST_WORDS[view]}"
            for view, possible in zip(names, can, strict=True)
            if not possible
        ]
    return ". ".join(parts)


@of_phase("one")
def silence_table(assumptions: Assumptions) -> Table:
    """Return what effects that the 2016 study could not rule out would be worth together.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario.
    """
    frames = {name: hidden_value(name, assumptions=assumptions) for name in ("within", "between")}
    rows: list[tuple[str, ...]] = []
    for pair in zip(*(frame.to_dict("records") for frame in frames.values()), strict=True):
        shown = [
            text for row in pair for text in (_points(row), _either(row["loss"], row["worth"]))
        ]
        rows.append((_label(pair[0]), *shown))
    for how, words in TOGETHER.items():
        within, between = (together(frame, how) for frame in frames.values())
        rows.append((f"All together, {words}", "", _either(*reversed(within)), "",
                     _either(*reversed(between))))  # fmt: skip
    for view in views(assumptions):
        cost = pounds(cost_of_a_family(view, assumptions))
        words = COST_WORDS[view]
        rows.append((f"{words[:1].upper()}{words[1:]}, a family", "", cost, "", cost))
    columns = ["Outcome", "Compared within authorities: not ruled out (points)",
               "Within: worth a family", "Compared between authorities: not ruled out (points)",
               "Between: worth a family"]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="What “no consistent evidence of an effect” left open in 2016, in money to "
        f"{ACCOUNTS[assumptions.perspective]}",
        sources=design_sources(),
        notes=[
            *published_effects("2016").notes[:2],
            "Out-of-work benefits stand for the allowance, which is one of them. School absence "
            "and anti-social behaviour are not here: nothing was published to judge them by.",
            "No share falls by more than itself, so a fall stops at the share without the "
            "programme. In quadrature: the root of the sum of squares; it is unlikely that every "
            "outcome lies at the same end, and at worst they do.",
            f"Costs and unit costs: sources under the chart above. {assumptions.words('one')}",
            *_social(assumptions.perspective),
        ],
    )


def _points(row: dict) -> str:
    return f"−{row['points']:.1f} to {row['rise']:.1f}"


def _either(loss: float, gain: float) -> str:
    return f"{about(-loss)} to {about(gain)}"


def open_range(assumptions: Assumptions, view: str, how: str = "quadrature") -> pd.DataFrame:
    """Return what effects not ruled out in 2016 could bring, or lose, for each £1 spent.

    Parameters
    ----------
    assumptions : Assumptions
    view : str
        Whose £1: one of the views of costs.
    how : {"quadrature", "worst"}
        How the outcomes are taken together.

    Returns
    -------
    DataFrame
        Index "within" and "between" (how families were compared); `worth` and `loss`, the larger
        since falls stop at nothing.
    """
    cost = cost_of_a_family(view, assumptions)
    ends = {name: together(hidden_value(name, assumptions=assumptions), how)
            for name in ("within", "between")}  # fmt: skip
    return pd.DataFrame(ends, index=["worth", "loss"]).T / cost


def records_table(additional: Additional) -> Table:
    """Return what the records at hand could see of the programme's own results."""
    if additional.effects is None:
        return nothing_table(additional)
    row = detectable_effects(additional.effects).to_dict("records")[0]
    effect = additional.effects.to_frame().to_dict("records")[0]
    lines = [
        ("Estimated effect (points)", 100 * effect["estimate"]),
        ("Standard error (points)", 100 * row["std_error"]),
        ("Smallest effect seen four times in five (points)", 100 * row["detectable"]),
        ("The same, over the share that met the tests anyway (%)", 100 * row["relative"]),
    ]
    if row["detectable"] > 1 - effect["mean_comparison"]:
        lines[2:] = [(lines[2][0], float("nan"))]  # more than all would have to meet the tests
    title = "What the records at hand could see: families who met the programme's tests"
    return table(
        pd.DataFrame(lines, columns=["", "Value"]),
        caption=f"{title} (simulated records)" if additional.simulated else title,
        formats={"Value": lambda number: f"{number:.1f}".replace("-", "−")},
        notes=_errors(effect),
    )


def _errors(effect: dict[Any, Any]) -> str:
    """Say of which kind the error is, and of how many clusters."""
    if pd.isna(effect["clusters"]):
        return f"Errors: {effect['errors']}."
    return f"Errors: {effect['errors']}, {effect['clusters']:.0f} of them."


def facts(assumptions: Assumptions) -> dict[str, Record]:
    """Return what is recorded of the 2016 study: what it could see, and what it left open.

    Parameters
    ----------
    assumptions : Assumptions
    """
    about, names = {"phase": "one", **asdict(assumptions)}, views(assumptions)
    rows = could_have_known(assumptions=assumptions).to_dict("records")
    care = next(row for row in rows if row["outcome"] == "looked_after")
    made = [make_record("care_share", 100 * float(care["share"]), "%", digits=3, subject=about)]
    for name in ("detectable_low", "detectable_high", *(f"break_even_{view}" for view in names)):
        value = float(care[name])
        said, unit = (IMPOSSIBLE, "") if pd.isna(value) else (value, "points")
        made.append(make_record(f"care_{name}", said, unit, digits=3, subject=about))
    for view in names:
        for how, mark in (("quadrature", ""), ("worst", "_worst")):
            for place, ends in open_range(assumptions, view, how).iterrows():
                made += [
                    make_record(f"open_2016_{view}_{place}{word}{mark}", float(ends[side]),
                                "£ for each £1", subject=about)
                    for side, word in (("worth", ""), ("loss", "_loss"))
                ]  # fmt: skip
    return {record.name: record for record in made}


def record_known(phase: str, assumptions: Assumptions) -> None:
    """Record what the 2016 study could see of children looked after, and what it left open.

    Parameters
    ----------
    phase : str
        The study is of phase one: a page of phase two says nothing of it.
    assumptions : Assumptions
    """
    for made in facts(assumptions).values() if phase_of(phase).claims.saving else ():
        keep(made)
