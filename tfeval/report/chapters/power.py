"""Chapter 6, the power of published studies: what they are judged by, and what they could see."""

from __future__ import annotations

import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.impact.effects.power import minimum_detectable_effect
from tfeval.impact.effects.published import phase_one_inputs
from tfeval.money.could_know import detectable_curve
from tfeval.money.people import people_in_family
from tfeval.programme.published import Source, figure, published
from tfeval.report.chapters.common import of_phase

#: Stands where a fall would have to be larger than the share that there is.
IMPOSSIBLE = "more than a fall to nothing"
_RECORDS = (10_000.0, 20_000.0, 50_000.0, 100_000.0)
_ALIKE = (0.01, 0.02, 0.05)


@of_phase("one")
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
        sources=design_sources(),
        notes="Its sizes by outcome, the alikeness of an authority's families and its standard "
        "errors were not published where seen.",
    )


def design_sources() -> list[Source]:
    """Return the sources of what the 2016 study is judged by."""
    found = [source for item in phase_one_inputs() for source in item.sources]
    found += [source for item in people_in_family().values() for source in item.sources]
    return list(dict.fromkeys(found))


@of_phase("one")
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
        parts.append([_curve_ends(a, b) for a, b in zip(inside, across, strict=True)])
    frame = pd.DataFrame({"Records, both groups": [f"{count:,.0f}" for count in _RECORDS]})
    for alike, column in zip(_ALIKE, parts, strict=True):
        frame[f"{alike:.0%} of the variance between authorities"] = column
    return table(
        frame,
        caption=f"Smallest change in children looked after that 56 authorities would show, from "
        f"{rate:.1%} (points)",
        sources=[*design_sources(), *share.sources],
        notes="The first number compares families within authorities, the second between them. "
        "More records help little where whole authorities are compared: there are still 56.",
    )


def _curve_ends(low: float, high: float) -> str:
    ends = (IMPOSSIBLE if pd.isna(end) else f"{end:.2f}" for end in (low, high))
    return " to ".join(dict.fromkeys(ends))


def _comparison_rate() -> float:
    rows = published("evaluation_outcomes")
    rows = rows[(rows["outcome"] == "looked after child") & rows["comparison"].notna()]
    return float(rows["comparison"].iloc[0]) / 100


@of_phase("one")
def small_trials_table() -> Table:
    """Return what the Manchester trial of phase one could have seen."""
    treated = figure("evaluations", "trial_treated")
    other = figure("evaluations", "trial_comparison")
    found = {
        share: 100 * minimum_detectable_effect(treated.value, other.value, share=share)
        for share in (0.1, 0.3, 0.5)
    }
    rows = [
        (f"{share:.0%}", *("impossible" if points > 100 * most else f"{points:.0f}"
                           for most in (share, 1 - share)))
        for share, points in found.items()
    ]  # fmt: skip
    columns = ["Share without the programme", "Smallest fall (points)", "Smallest rise (points)"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption=f"The Manchester trial: {treated.value:,.0f} families against {other.value:,.0f}",
        sources=list(treated.sources),
        notes="80% power at the 5% level, families taken as independent. “No difference” in a "
        "trial of this size says little.",
    )
