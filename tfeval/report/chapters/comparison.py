"""Chapter 3: who the families are compared with, and whether the groups are alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import comparison_groups
from tfeval.display.disclosure import safe_count
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.balance import Balance
from tfeval.impact.design import Design
from tfeval.impact.match import match
from tfeval.impact.study import Study, study
from tfeval.impact.weight import weight
from tfeval.report.chapters.linked import banner_of, cohort_of, records_of
from tfeval.report.notebook_parts import Box

#: Designs by the name a report's parameter gives, with what each does to a study.
DESIGNS: dict[str, tuple[str, Callable[[Study, float], Design]]] = {
    "nearest": (
        "each family with its nearest comparison family",
        lambda made, width: match(made, "nearest", caliper=width, order="random"),
    ),
    "nearest_within_authority": (
        "each family with the nearest of its own authority",
        lambda made, width: match(
            _within_authority(made), "nearest", caliper=width, order="random"
        ),
    ),
    "full": (
        "sets of families alike, everybody used",
        lambda made, width: match(made, "full", caliper=width),
    ),
    "inverse_propensity": (
        "comparison families weighted by the odds of being on the programme",
        lambda made, _width: weight(made, "inverse_propensity"),
    ),
    "entropy": (
        "comparison families weighted until the means agree",
        lambda made, _width: weight(made, "entropy"),
    ),
    "overlap": (
        "both groups weighted to those who could have been in either",
        lambda made, _width: weight(made, "overlap"),
    ),
}


def _within_authority(made: Study) -> Study:
    return replace(made, strata=made.cluster("local_authority"), strata_names=("local_authority",))


@dataclass(frozen=True)
class Comparison:
    """What chapter 3 shows.

    Attributes
    ----------
    cohort : Cohort
        Treated and comparison families.
    study : Study
        Those followed over the horizon, and their covariates.
    design : Design
        Who is compared with whom.
    balance : Balance
        How alike the groups are.
    caliper : float
        Of designs with one, in standard deviations.
    """

    cohort: Cohort
    study: Study
    design: Design
    balance: Balance
    caliper: float


def load(
    extract: str, phase: str, comparison: str, horizon: int, *, design: str, caliper: float
) -> Comparison:
    """Build the cohort, the study and the design. No outcome is read.

    Parameters
    ----------
    extract : str
        "simulated", or a folder or DuckDB file.
    phase : {"one", "two"}
    comparison : str
        Comparison group by name.
    horizon : int
        Months after the index date over which families must have been followed.
    design : str
        One of `DESIGNS`.
    caliper : float
        In standard deviations of the linear predictor.
    """
    found = cohort_of(extract, phase, comparison, horizon)
    made = study(found, months=horizon)
    chosen = DESIGNS[design][1](made, caliper)
    return Comparison(found, made, chosen, chosen.balance(), caliper)


def banner(found: Comparison, extract: str) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return banner_of(records_of(extract)) if found.study.simulated else None


def headline(found: Comparison) -> str:
    """Say in one sentence who is compared, and whether the groups are alike."""
    label = "Simulated records: " if found.study.simulated else ""
    worst = found.balance.to_frame()["smd_after"].abs().max()
    return (
        f"{label}{safe_count(found.design.kept(True))} families on the programme beside "
        f"{safe_count(found.design.kept(False))} comparison families; after the design the groups "
        f"are {found.balance.verdict().word}, the largest standardised difference {worst:.2f}."
    )


def groups_table() -> Table:
    """Return the comparison groups on offer, and what each is."""
    rows = [(name.replace("_", " "), what) for name, what in comparison_groups().items()]
    return table(
        pd.DataFrame(rows, columns=["Comparison group", "Who is in it"]),
        caption="Comparison groups a report can be run with",
    )


def left_out_table(found: Comparison) -> Table:
    """Return who was kept and who was left out, and why."""
    return found.design.left_out()


def covariates_table(found: Comparison) -> Table:
    """Return the covariates that were left out, and why."""
    rows = [(_words(name), why) for name, why in found.study.left_out.items()]
    frame = pd.DataFrame(rows, columns=["Covariate", "Left out because it"])
    note = None if rows else "All covariates of the cohort are in the comparison."
    return table(frame, caption="Covariates not compared on", notes=note)


def _words(name: str) -> str:
    return name.removesuffix("_before").replace("_", " ")


def balance_table(found: Comparison) -> Balance:
    """Return how alike the groups are before and after, headed by a warning where they are not."""
    return found.balance


def love_plot(found: Comparison) -> Chart | Table:
    """Draw the standardised differences before and after."""
    return found.balance.plot()


def overlap_chart(found: Comparison) -> Chart | Table:
    """Draw the propensity scores of both groups, before and after."""
    return found.design.overlap()


def designs_table(found: Comparison) -> Table:
    """Return every design beside the one chosen: whom it keeps, and how alike the groups are."""
    rows = []
    for name, (words, made) in DESIGNS.items():
        try:
            design = made(found.study, found.caliper)
        except TfevalError as fault:
            rows.append((name.replace("_", " "), words, "", "", "", f"not possible: {fault}"))
            continue
        alike = design.balance()
        rows.append(
            (
                name.replace("_", " "),
                words,
                safe_count(design.kept(True)),
                safe_count(design.ess["comparison"]),
                f"{alike.to_frame()['smd_after'].abs().max():.3f}",
                alike.verdict().word,
            )
        )
    columns = [
        "Design",
        "What it does",
        "Families on the programme kept",
        "Comparison families, effective number",
        "Largest standardised difference",
        "Verdict",
    ]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="Other ways to the comparison, before any outcome is read",
        notes="The overlap design answers another question: the effect where both groups meet.",
    )
