"""Chapter 6, the causes: who would have met the programme's own tests anyway."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.results import results_tests
from tfeval.display.disclosure import THRESHOLD
from tfeval.display.facts import Sentence
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import hidden_rows
from tfeval.impact.specification import Specification
from tfeval.money.additional import Range, Results, results_of
from tfeval.programme.programmes import programmes
from tfeval.report.chapters.linked import records_of
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Record, keep, make_record

#: The families that results are shown per.
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
    families : Cohort
        Treated and comparison families.
    design : Design
        Who is compared with whom.
    effects : Effects or None
        On having met the tests.
    results : Results or None
        None where the records cannot say.
    why : str
        Why they cannot.
    """

    phase: str
    horizon: int
    families: Cohort
    design: Design
    effects: Effects | None
    results: Results | None
    why: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""
        return self.design.study.simulated


def results_met(
    extract: str, families: Cohort, design: Design, specification: Specification
) -> Additional:
    """Put both groups to the programme's own tests.

    Parameters
    ----------
    extract : str
        Where the records are.
    families : Cohort
    design : Design
        Of a study of these families.
    specification : Specification
    """
    phase, horizon = specification.phase, specification.horizon
    held = (phase, horizon, families, design)
    try:
        effects = _effect(extract, families, design, specification)
        if hidden_rows(effects.to_frame()).any():
            return Additional(*held, None, None,
                              "too few families met the tests for numbers to be shown")  # fmt: skip
        results = results_of(effects, _claimed(extract, families, design, phase))
    except TfevalError as fault:
        return Additional(*held, None, None, str(fault))
    return Additional(*held, effects, results)


def _effect(
    extract: str, families: Cohort, design: Design, specification: Specification
) -> Effects:
    phase, months = specification.phase, specification.horizon
    name = programmes()[phase].result.name
    tests = results_tests(records_of(extract, phase), families, months).set_index("unit")
    units = families.to_pandas().loc[design.study.index, "unit"]
    met = tests[name].reindex(units).set_axis(design.study.index)
    return estimate(design, met.rename(name), months=months)


def _claimed(extract: str, families: Cohort, design: Design, phase: str) -> float:
    """Return the share of the families compared for whom a result was claimed.

    Fewer than ten without a claim, or with one, are not told: they count with the others.
    """
    rows = records_of(extract, phase).table("families")
    rows = rows.filter(rows["phase"] == phase).select("family_id", "claimed_on").to_pandas()
    claimed = rows.set_index("family_id")["claimed_on"].notna()
    frame = families.to_pandas().loc[design.study.index]
    kept = design.study.treated & (design.weights > 0)
    own = claimed.reindex(frame.loc[kept, "family_id"]).fillna(False).astype(bool)
    yes, no = int(own.sum()), int((~own).sum())
    if no < THRESHOLD:
        return 1.0
    return 0.0 if yes < THRESHOLD else yes / (yes + no)


def banner(found: Additional) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return Box("simulated", (("", _PARTLY),), simulated=True) if found.simulated else None


def headline(found: Additional) -> Sentence:
    """Say in one sentence how many results the programme added."""
    if found.results is None:
        return Sentence(f"The records cannot say who would have met the tests anyway: {found.why}.")
    said, label = facts(found), "In simulated records" if found.simulated else "In the records"
    return Sentence(
        f"{label}, of {PER:,} families {said['results_claimed']:short} were claimed, "
        f"{said['results_met']:short} met the tests and {said['results_anyway']:short} would have "
        f"met them anyway: {said['results_additional'].interval()} were additional."
    )


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


def facts(found: Additional) -> dict[str, Record]:
    """Return what is recorded of results: the steps of 1,000 families, with their intervals."""
    if found.results is None:
        return {"results_unknown": make_record("results_unknown", found.why)}
    held, unit = found.results, f"of {PER:,} families"
    label = "simulated" if found.simulated else "records"
    steps = {"claimed": held.claimed, "met": held.met, "anyway": held.anyway}
    made = [make_record("results_basis", label)]
    made += [make_record(f"results_{name}", PER * share, unit, digits=3)
             for name, share in steps.items()]  # fmt: skip
    ranges = {
        "results_additional": (held.additional.times(PER), unit),
        "own_share": (held.own.times(100), "%"),
    }
    made += [
        make_record(name, one.value, unit, digits=3, interval=(one.low, one.high))
        for name, (one, unit) in ranges.items()
    ]
    return {record.name: record for record in made}


def record_results(found: Additional) -> None:
    """Record the steps per 1,000 families, with the interval, for later chapters."""
    for made in facts(found).values():
        keep(made)
