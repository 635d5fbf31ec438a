"""Chapter 6, the causes: who would have met the programme's own tests anyway."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.cohort.results import results_tests
from tfeval.display.disclosure import THRESHOLD
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import hidden_rows
from tfeval.money.additional import Range, Results, results_of
from tfeval.report.chapters import comparison as groups
from tfeval.report.chapters.linked import records_of
from tfeval.report.notebook_parts import Box
from tfeval.report.record import record

#: The result of each phase, and the families it is shown per.
TESTS = {"one": "turned_around", "two": "sustained_progress"}
WORDS = {"one": "turned around", "two": "significant and sustained progress"}
PER = 1_000
_PARTLY = (
    f"{SIMULATED}. On this page that holds for the parts marked “simulated records”; all others "
    "are published figures"
)


@dataclass(frozen=True)
class Additional:
    """What the records say of the results claimed.

    Attributes
    ----------
    phase : str
    horizon : int
        Months after the index date at which the tests are taken.
    comparison : groups.Comparison
        Who the families are compared with.
    effects : Effects or None
        On having met the tests.
    results : Results or None
        None where the records cannot say.
    why : str
        Why they cannot.
    """

    phase: str
    horizon: int
    comparison: groups.Comparison
    effects: Effects | None
    results: Results | None
    why: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""
        return self.comparison.study.simulated


def load(
    extract: str, phase: str, comparison: str, horizon: int, *, design: str, caliper: float
) -> Additional:
    """Put both groups to the programme's own tests.

    Parameters
    ----------
    extract, phase, comparison, horizon, design, caliper
        As in `tfeval.report.chapters.comparison.load`.
    """
    found = groups.load(extract, phase, comparison, horizon, design=design, caliper=caliper)
    try:
        effects = _effect(extract, found, phase, horizon)
        if hidden_rows(effects.to_frame()).any():
            return Additional(phase, horizon, found, None, None,
                              "too few families met the tests for numbers to be shown")  # fmt: skip
        results = results_of(effects, _claimed(extract, found, phase))
    except TfevalError as fault:
        return Additional(phase, horizon, found, None, None, str(fault))
    return Additional(phase, horizon, found, effects, results)


def _effect(extract: str, found: groups.Comparison, phase: str, horizon: int) -> Effects:
    tests = results_tests(records_of(extract), found.cohort, horizon).set_index("unit")
    units = found.cohort.to_pandas().loc[found.study.index, "unit"]
    met = tests[TESTS[phase]].reindex(units).set_axis(found.study.index)
    return estimate(found.design, met.rename(f"{TESTS[phase]}_{horizon}"), months=horizon)


def _claimed(extract: str, found: groups.Comparison, phase: str) -> float:
    """Return the share of the families compared for whom a result was claimed.

    Fewer than ten without a claim, or with one, are not told: they count with the others.
    """
    rows = records_of(extract).table("families")
    rows = rows.filter(rows["phase"] == phase).select("family_id", "claimed_on").to_pandas()
    claimed = rows.set_index("family_id")["claimed_on"].notna()
    frame = found.cohort.to_pandas().loc[found.study.index]
    kept = found.study.treated & (found.design.weights > 0)
    own = claimed.reindex(frame.loc[kept, "family_id"]).fillna(False).astype(bool)
    yes, no = int(own.sum()), int((~own).sum())
    if no < THRESHOLD:
        return 1.0
    return 0.0 if yes < THRESHOLD else yes / (yes + no)


def banner(found: Additional) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return Box("simulated", (("", _PARTLY),), simulated=True) if found.simulated else None


def headline(found: Additional) -> str:
    """Say in one sentence how many results the programme added."""
    if found.results is None:
        return f"The records cannot say who would have met the tests anyway: {found.why}."
    held, label = found.results, "In simulated records" if found.simulated else "In the records"
    return (
        f"{label}, of {PER:,} families {each(held.claimed)} were claimed, {each(held.met)} met "
        f"the tests and {each(held.anyway)} would have met them anyway: "
        f"{interval(held.additional.times(PER))} were additional."
    )


def each(share: float) -> str:
    """Write a share as families of 1,000."""
    return f"{share * PER:,.0f}"


def interval(number: Range, digits: int = 0) -> str:
    """Write a number with its interval, rounded to decimals or, below 0, to tens."""
    value, low, high = (
        f"{round(end, digits):,.0f}".replace("-", "\N{MINUS SIGN}")
        for end in (number.value, number.low, number.high)
    )
    return f"{value} ({low} to {high})"


def nothing_table(found: Additional) -> Table:
    """Return why the records cannot say what was additional."""
    return table(
        pd.DataFrame({"What is missing": [found.why]}),
        caption="Who would have met the tests anyway is not known from these records",
    )


def record_results(found: Additional) -> None:
    """Record the steps per 1,000 families, with the interval, for later chapters."""
    if found.results is None:
        record("results_unknown", found.why)
        return
    held, unit = found.results, f"of {PER:,} families"
    label = "simulated" if found.simulated else "records"
    record("results_basis", label)
    record("results_claimed", round(held.claimed * PER), unit)
    record("results_met", round(held.met * PER), unit)
    record("results_anyway", round(held.anyway * PER), unit)
    record("results_additional", round(held.additional.value * PER), unit)
    record("results_additional_low", round(held.additional.low * PER), unit)
    record("results_additional_high", round(held.additional.high * PER), unit)
    record("additional_share", 100 * held.additional.value, "%", digits=3)
    record("additional_share_low", 100 * held.additional.low, "%", digits=3)
    record("additional_share_high", 100 * held.additional.high, "%", digits=3)
    record("own_share", 100 * held.own.value, "%", digits=3)
    record("own_share_low", 100 * held.own.low, "%", digits=3)
    record("own_share_high", 100 * held.own.high, "%", digits=3)
