"""Chapter 6, the study of 2016: could it have known, and what did its silence leave open."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.interval_charts import reach_chart
from tfeval.display.tables import Table, table
from tfeval.impact.effects.power import detectable_effects
from tfeval.impact.effects.published import (
    evaluation_sources,
    published_effects,
)
from tfeval.money.costs import cost_sources
from tfeval.money.could_know import (
    cost_of_a_family,
    could_have_known,
    hidden_value,
)
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters.additional import Additional, nothing_table
from tfeval.report.chapters.common import about, of_phase, pounds
from tfeval.report.chapters.unmeasured import IMPOSSIBLE, design_sources
from tfeval.report.chapters.unmeasured import curve_table as curve_table  # noqa: PLC0414 (one chapter)
from tfeval.report.chapters.unmeasured import inputs_table as inputs_table  # noqa: PLC0414
from tfeval.report.chapters.unmeasured import small_trials_table as small_trials_table  # noqa: PLC0414
from tfeval.report.record import Record, keep, make_record


@of_phase("one")
def reach(price_year: int, edition: str) -> Chart:
    """Draw what the 2016 study could detect beside what would have paid for the programme.

    Parameters
    ----------
    price_year : int
    edition : str
        Of the Green Book.
    """
    rows = could_have_known(price_year=price_year, edition=edition)
    labels = [_label(row) for row in rows.to_dict("records")]
    listed = "; ".join(
        f"{label}: of {100 * row['share']:.1f} at most; detectable "
        f"{_ends(row['detectable_low'], row['detectable_high'])}, needed "
        f"{_ends(row['break_even_central'], row['break_even_total'])}"
        for label, row in zip(labels, rows.to_dict("records"), strict=True)
    )
    return reach_chart(
        labels, rows["detectable_low"], rows["detectable_high"], rows["break_even_central"],
        rows["break_even_total"], title="Could the 2016 study have seen an effect that pays?",
        alt=f"Two ranges for each outcome, in percentage points on a log scale, up to the share "
        f"that there is. {listed}.",
        most=100 * rows["share"], most_label="A fall to nothing: none can be larger",
        seen_label="Smallest change it would have seen: compared within authorities, to between",
        needed_label="Change that would pay by itself: for central costs, to all public costs",
        x_label="Percentage points (each step is ten times the last)", sources=_sources(),
    )  # fmt: skip


def _ends(low: float, high: float) -> str:
    """Write a range of falls; a missing one would be larger than the share."""
    if pd.isna(low):
        return IMPOSSIBLE
    return f"{low:.1f} to {IMPOSSIBLE if pd.isna(high) else f'{high:.1f}'}"


def _label(row: dict) -> str:
    return f"{outcome_label(row['outcome'])} ({row['population']})"


def _sources() -> list[Source]:
    costs = published("unit_costs")
    used = costs[costs["outcome"].isin(["looked_after", "out_of_work", "custody", "court_event",
                                        "jobseekers_allowance"])]  # fmt: skip
    found = [*design_sources(), *evaluation_sources("2019"), *distinct_sources(used),
             *cost_sources("one")]  # fmt: skip
    return list(dict.fromkeys(found))


_COULD = {
    "yes": "Yes, if it pays for central costs or more",
    "no": "No",
    "it depends": "Yes if families were compared within authorities, else perhaps not",
    "cannot pay": "It could never pay alone, not even by a fall to nothing",
    "cannot be seen": "It could not have been seen, even if it fell to nothing",
}


@of_phase("one")
def reach_table(price_year: int, edition: str) -> Table:
    """Return detectable and break-even effects by outcome, and whether the study could tell."""
    rows = could_have_known(price_year=price_year, edition=edition)
    frame = pd.DataFrame(
        {
            "Outcome": [_label(row) for row in rows.to_dict("records")],
            "Share without the programme": [
                f"{row.share:.1%} ({row.share_basis})" for row in rows.itertuples()
            ],
            "Smallest change it would have seen (points)": [
                _ends(row["detectable_low"], row["detectable_high"])
                for row in rows.to_dict("records")
            ],
            "Change that pays for central costs (points)": [
                _needed(value) for value in rows["break_even_central"]
            ],
            "Change that pays for all public costs (points)": [
                _needed(value) for value in rows["break_even_total"]
            ],
            "Would it have been seen?": [_verdict(row) for row in rows.to_dict("records")],
        }
    )
    return table(
        frame,
        caption="Could the 2016 study have known?",
        sources=design_sources(),
        notes=[
            "Seen: a significant difference in four of five such studies (80% power at the 5% "
            "level). 56 authorities; the smaller number compares families within each authority, "
            "the larger only between authorities.",
            "No share falls by more than itself: what would have to is said to be impossible, and "
            "is not a number.",
            "Pays: this outcome alone would cover what was spent, over five years, with half of "
            "an effect left in each further year. The money is public money.",
        ],
    )


def _needed(points: float) -> str:
    return "impossible" if pd.isna(points) else f"{points:.1f}"


def _verdict(row: dict) -> str:
    """Say whether a fall that pays would have been seen, and what no fall could do."""
    unseen = pd.isna(row["detectable_low"])
    parts = [_COULD["cannot be seen" if unseen and row["possible"] else row["could"]]]
    if unseen and not row["possible"]:
        parts.append("Nor would even that have been seen")
    elif not unseen and pd.isna(row["detectable_high"]):
        parts.append(
            "Compared only between authorities, not even a fall to nothing would have been seen"
        )
    if row["possible"] and not row["possible_total"]:
        parts.append("No fall could pay for all public costs")
    return ". ".join(parts)


@of_phase("one")
def silence_table(price_year: int, edition: str) -> Table:
    """Return what effects that the 2016 study could not rule out would be worth together."""
    frames = {name: hidden_value(name, price_year=price_year, edition=edition)
              for name in ("within", "between")}  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for pair in zip(*(frame.to_dict("records") for frame in frames.values()), strict=True):
        shown = [
            text for row in pair for text in (_points(row), _either(row["loss"], row["worth"]))
        ]
        rows.append((_label(pair[0]), *shown))
    within, between = (
        _either(float(frame["loss"].sum()), float(frame["worth"].sum()))
        for frame in frames.values()
    )
    rows.append(("All together, each at the same end", "", within, "", between))
    for view, words in (("central", "Central costs"), ("total", "All public costs")):
        cost = pounds(cost_of_a_family(view, price_year=price_year, edition=edition))
        rows.append((f"{words}, a family", "", cost, "", cost))
    columns = ["Outcome", "Compared within authorities: not ruled out (points)",
               "Within: worth a family", "Compared between authorities: not ruled out (points)",
               "Between: worth a family"]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="What “no consistent evidence of an effect” left open in 2016",
        sources=design_sources(),
        notes=[
            *published_effects("2016").notes[:2],
            "Out-of-work benefits stand for the allowance, which is one of them. School absence "
            "and anti-social behaviour are not here: nothing was published to judge them by.",
            "No share falls by more than itself, so a fall stops at the share without the "
            "programme.",
            "Costs and unit costs: sources under the chart above.",
        ],
    )


def _points(row: dict) -> str:
    return f"−{row['points']:.1f} to {row['rise']:.1f}"


def _either(loss: float, gain: float) -> str:
    return f"{about(-loss)} to {about(gain)}"


def open_range(
    price_year: int, edition: str, view: str = "central", side: str = "worth"
) -> tuple[float, float]:
    """Return what effects not ruled out in 2016 could bring, or lose, for each £1 spent.

    Parameters
    ----------
    price_year : int
    edition : str
    view : {"central", "total"}
        Whose £1.
    side : {"worth", "loss"}
        The gain that was not ruled out, or the loss; falls stop at nothing, so it is the larger.

    Returns
    -------
    tuple of float
        If families were compared within authorities, and if only between them.
    """
    cost = cost_of_a_family(view, price_year=price_year, edition=edition)
    inside, across = (
        float(hidden_value(name, price_year=price_year, edition=edition)[side].sum()) / cost
        for name in ("within", "between")
    )
    return inside, across


def records_table(found: Additional) -> Table:
    """Return what the records at hand could see of the programme's own results."""
    if found.effects is None:
        return nothing_table(found)
    row = detectable_effects(found.effects).to_dict("records")[0]
    held = found.effects.to_frame().to_dict("records")[0]
    lines = [
        ("Estimated effect (points)", 100 * held["estimate"]),
        ("Standard error (points)", 100 * row["std_error"]),
        ("Smallest effect seen four times in five (points)", 100 * row["detectable"]),
        ("The same, over the share that met the tests anyway (%)", 100 * row["relative"]),
    ]
    if row["detectable"] > 1 - held["mean_comparison"]:
        lines[2:] = [(lines[2][0], float("nan"))]  # more than all would have to meet the tests
    title = "What the records at hand could see: families who met the programme's tests"
    return table(
        pd.DataFrame(lines, columns=["", "Value"]),
        caption=f"{title} (simulated records)" if found.simulated else title,
        formats={"Value": lambda number: f"{number:.1f}".replace("-", "−")},
        notes=_errors(held),
    )


def _errors(held: dict[Any, Any]) -> str:
    """Say of which kind the error is, and of how many clusters."""
    if pd.isna(held["clusters"]):
        return f"Errors: {held['errors']}."
    return f"Errors: {held['errors']}, {held['clusters']:.0f} of them."


def facts(price_year: int, edition: str) -> dict[str, Record]:
    """Return what is recorded of the 2016 study: what it could see, and what it left open.

    Parameters
    ----------
    price_year : int
    edition : str
    """
    about = {"phase": "one", "price_year": price_year, "green_book_edition": edition}
    rows = could_have_known(price_year=price_year, edition=edition).to_dict("records")
    care = next(row for row in rows if row["outcome"] == "looked_after")
    made = [make_record("care_share", 100 * float(care["share"]), "%", digits=3, subject=about)]
    for name in ("detectable_low", "detectable_high", "break_even_central", "break_even_total"):
        value = float(care[name])
        said, unit = (IMPOSSIBLE, "") if pd.isna(value) else (value, "points")
        made.append(make_record(f"care_{name}", said, unit, digits=3, subject=about))
    for view in ("central", "total"):
        for side, word in (("worth", ""), ("loss", "_loss")):
            ends = zip(("within", "between"), open_range(price_year, edition, view, side),
                       strict=True)  # fmt: skip
            made += [
                make_record(f"open_2016_{view}_{how}{word}", end, "£ for each £1", subject=about)
                for how, end in ends
            ]
    return {record.name: record for record in made}


def record_known(phase: str, price_year: int, edition: str) -> None:
    """Record what the 2016 study could see of children looked after, and what it left open.

    Parameters
    ----------
    phase : str
        The study is of phase one: a page of phase two says nothing of it.
    price_year : int
    edition : str
    """
    for made in facts(price_year, edition).values() if phase_of(phase).claims.saving else ():
        keep(made)
