"""Chapter 6, the study of 2016: could it have known, and what did its silence leave open."""

from __future__ import annotations

import pandas as pd

from tfeval.display.claim_charts import reach_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.impact.effects.power import detectable_effects, minimum_detectable_effect
from tfeval.impact.effects.published import (
    LABELS,
    evaluation_sources,
    phase_one_inputs,
    published_effects,
)
from tfeval.money.costs import cost_sources
from tfeval.money.could_know import (
    cost_of_a_family,
    could_have_known,
    detectable_curve,
    hidden_value,
)
from tfeval.money.people import people_in_family
from tfeval.programme.published import Source, distinct_sources, figure, published
from tfeval.report.chapters.additional import Additional, nothing_table
from tfeval.report.chapters.common import about, pounds
from tfeval.report.record import record

_RECORDS = (10_000.0, 20_000.0, 50_000.0, 100_000.0)
_ALIKE = (0.01, 0.02, 0.05)


def inputs_table() -> Table:
    """Return what is known of the 2016 study's design, and what is assumed."""
    rows = [(item.what, item.value, item.basis) for item in phase_one_inputs()]
    rows += [
        (f"{item.population.capitalize()} in a family", item.value,
         f"{item.basis}; between {item.low:.1f} and {item.high:.1f}")
        for item in people_in_family().values()
    ]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["What", "Number", "Basis"]),
        caption="What the 2016 study is judged by",
        formats={"Number": lambda number: f"{number:,.10g}" if number > 10 else f"{number:.3g}"},
        sources=_design_sources(),
        notes="Its sizes by outcome, the alikeness of an authority's families and its standard "
        "errors were not published where seen.",
    )


def _design_sources() -> list[Source]:
    found = [source for item in phase_one_inputs() for source in item.sources]
    found += [source for item in people_in_family().values() for source in item.sources]
    return list(dict.fromkeys(found))


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
        f"{label}: detectable {row.detectable_low:.1f} to {row.detectable_high:.1f}, "
        f"needed {row.break_even_central:.1f} to {row.break_even_total:.1f}"
        for label, row in zip(labels, rows.itertuples(), strict=True)
    )
    return reach_chart(
        labels, rows["detectable_low"], rows["detectable_high"], rows["break_even_central"],
        rows["break_even_total"], title="Could the 2016 study have seen an effect that pays?",
        alt=f"Two ranges for each outcome, in percentage points on a log scale. {listed}.",
        seen_label="Smallest change it would have seen: compared within authorities, to between",
        needed_label="Change that would pay by itself: for central costs, to all public costs",
        x_label="Percentage points (each step is ten times the last)", sources=_sources(),
    )  # fmt: skip


def _label(row: dict) -> str:
    return f"{LABELS[row['outcome']]} ({row['population']})"


def _sources() -> list[Source]:
    costs = published("unit_costs")
    used = costs[costs["outcome"].isin(["looked_after", "out_of_work", "custody", "court_event",
                                        "jobseekers_allowance"])]  # fmt: skip
    found = [*_design_sources(), *evaluation_sources("2019"), *distinct_sources(used),
             *cost_sources("one")]  # fmt: skip
    return list(dict.fromkeys(found))


_COULD = {
    "yes": "Yes",
    "no": "No",
    "it depends": "Yes if families were compared within authorities, else perhaps not",
}


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
                f"{row.detectable_low:.1f} to {row.detectable_high:.1f}"
                for row in rows.itertuples()
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
        sources=_design_sources(),
        notes=[
            "Seen: a significant difference in four of five such studies (80% power at the 5% "
            "level). 56 authorities; the smaller number compares families within each authority, "
            "the larger only between authorities.",
            "Pays: this outcome alone would cover what was spent, over five years, with half of "
            "an effect left in each further year. The money is public money.",
        ],
    )


def _needed(points: float) -> str:
    return "more than all" if points > 100 else f"{points:.1f}"


def _verdict(row: dict) -> str:
    if not row["possible"]:
        return "It could never pay alone: nothing like so many had the outcome"
    return _COULD[row["could"]]


def curve_table() -> Table:
    """Return the detectable effect by number of records and how alike an authority's families are.

    The number of records was published in words only, so all plausible ones are shown.
    """
    share = figure("evaluation_outcomes", "effect", outcome="looked after child",
                   population="children")  # fmt: skip
    rate = _comparison_rate()
    parts = []
    for alike in _ALIKE:
        curve = detectable_curve({"": rate}, _RECORDS, alike)
        inside, across = (curve[name] for name in curve)
        parts.append([f"{a:.2f} to {b:.2f}" for a, b in zip(inside, across, strict=True)])
    frame = pd.DataFrame({"Records, both groups": [f"{count:,.0f}" for count in _RECORDS]})
    for alike, column in zip(_ALIKE, parts, strict=True):
        frame[f"{alike:.0%} of the variance between authorities"] = column
    return table(
        frame,
        caption=f"Smallest change in children looked after that 56 authorities would show, from "
        f"{rate:.1%} (points)",
        sources=[*_design_sources(), *share.sources],
        notes="The first number compares families within authorities, the second between them. "
        "More records help little where whole authorities are compared: there are still 56.",
    )


def _comparison_rate() -> float:
    rows = published("evaluation_outcomes")
    rows = rows[(rows["outcome"] == "looked after child") & rows["comparison"].notna()]
    return float(rows["comparison"].iloc[0]) / 100


def silence_table(price_year: int, edition: str) -> Table:
    """Return what effects that the 2016 study could not rule out would be worth together."""
    frames = {name: hidden_value(name, price_year=price_year, edition=edition)
              for name in ("within", "between")}  # fmt: skip
    both = pd.concat(frames, axis=1)
    rows: list[tuple[str, ...]] = []
    for row, *numbers in zip(frames["within"].to_dict("records"), *_pairs(both), strict=True):
        points, worth = numbers[:2], numbers[2:]
        shown = [text for pair in zip(map(_points, points), map(_either, worth), strict=True)
                 for text in pair]  # fmt: skip
        rows.append((_label(row), *shown))
    within, between = (_either(float(frame["worth"].sum())) for frame in frames.values())
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
        sources=_design_sources(),
        notes=[
            *published_effects("2016").notes[:2],
            "Out-of-work benefits stand for the allowance, which is one of them. School absence "
            "and anti-social behaviour are not here: nothing was published to judge them by.",
            "Costs and unit costs: sources under the chart above.",
        ],
    )


def _pairs(both: pd.DataFrame) -> list[list[float]]:
    """Return the points and the worth of each outcome, within authorities and between."""
    order = [(name, column) for column in ("points", "worth") for name in ("within", "between")]
    return [both[pair].to_numpy(dtype=float).tolist() for pair in order]


def _points(end: float) -> str:
    return f"−{end:.1f} to {end:.1f}"


def _either(worth: float) -> str:
    return f"{about(-worth)} to {about(worth)}"


def open_range(price_year: int, edition: str, view: str = "central") -> tuple[float, float]:
    """Return what effects not ruled out in 2016 could bring, or cost, for each £1 spent.

    Parameters
    ----------
    price_year : int
    edition : str
    view : {"central", "total"}
        Whose £1.

    Returns
    -------
    tuple of float
        If families were compared within authorities, and if only between them.
    """
    cost = cost_of_a_family(view, price_year=price_year, edition=edition)
    inside, across = (
        float(hidden_value(name, price_year=price_year, edition=edition)["worth"].sum()) / cost
        for name in ("within", "between")
    )
    return inside, across


def small_trials_table() -> Table:
    """Return what the Manchester trial of phase one could have seen."""
    treated = figure("evaluations", "trial_treated")
    other = figure("evaluations", "trial_comparison")
    rows = [
        (f"{share:.0%}", 100 * minimum_detectable_effect(treated.value, other.value, share=share))
        for share in (0.1, 0.3, 0.5)
    ]
    return table(
        pd.DataFrame(rows, columns=["Share without the programme", "Smallest change (points)"]),
        caption=f"The Manchester trial: {treated.value:,.0f} families against {other.value:,.0f}",
        formats={"Smallest change (points)": "{:.0f}".format},
        sources=list(treated.sources),
        notes="80% power at the 5% level, families taken as independent. “No difference” in a "
        "trial of this size says little.",
    )


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
    title = "What the records at hand could see: families who met the programme's tests"
    return table(
        pd.DataFrame(lines, columns=["", "Value"]),
        caption=f"{title} (simulated records)" if found.simulated else title,
        formats={"Value": lambda number: f"{number:.1f}".replace("-", "−")},
        notes=f"Errors by authority, {row['freedom'] + 1:.0f} of them.",
    )


def record_known(price_year: int, edition: str) -> None:
    """Record what the 2016 study could see of children looked after, and what it left open."""
    rows = could_have_known(price_year=price_year, edition=edition).to_dict("records")
    care = next(row for row in rows if row["outcome"] == "looked_after")
    for name in ("detectable_low", "detectable_high", "break_even_central", "break_even_total"):
        record(f"care_{name}", float(care[name]), "points", digits=3)
    for view in ("central", "total"):
        inside, across = open_range(price_year, edition, view)
        record(f"open_2016_{view}_within", inside, "£ for each £1", digits=3)
        record(f"open_2016_{view}_between", across, "£ for each £1", digits=3)
