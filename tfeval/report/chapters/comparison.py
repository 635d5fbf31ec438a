"""Chapter 3: who the families are compared with, and whether the groups are alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import comparison_groups
from tfeval.display.disclosure import safe_count
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError, public_line
from tfeval.impact.balance.balance import Balance
from tfeval.impact.design.design import Design
from tfeval.impact.design.set_weights import ESTIMANDS
from tfeval.impact.matching.match import match
from tfeval.impact.study.study import Study, study
from tfeval.impact.weighting.weight import weight
from tfeval.report.chapters.common import outcome_label
from tfeval.report.chapters.linked import cohort_of
from tfeval.report.notebook_parts import Box, simulated_banner

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


_COVARIATES = {
    "sessions_possible": "School sessions possible",
    "sessions_authorised": "Sessions missed, authorised",
    "sessions_unauthorised": "Sessions missed, unauthorised",
    "met_crime_asb": "Met: crime and anti-social behaviour",
    "met_work": "Met: out of work",
}


#: A covariate's column in a message.
_COLUMN = re.compile(r"\b(?:[a-z][a-z_]*_before|met_[a-z_]+)\b")


def covariate_label(name: str) -> str:
    """Return a covariate's name for readers, from its column.

    Examples
    --------
    >>> covariate_label("out_of_work_before"), covariate_label("met_education")
    ('Out-of-work benefits', 'Met: education')
    >>> covariate_label("absence_before: missing"), covariate_label("young_children")
    ('Absence from school: not recorded', 'Young children')
    """
    if name.endswith(": missing"):
        return f"{covariate_label(name.removesuffix(': missing'))}: not recorded"
    stem = name.removesuffix("_before")
    if stem in _COVARIATES:
        return _COVARIATES[stem]
    try:
        return outcome_label(stem)
    except KeyError:
        words = stem.replace("met_", "met: ", 1).replace("_", " ")
        return words[:1].upper() + words[1:]


def worded(text: str) -> str:
    """Return a message with the covariates' columns in it named for readers.

    Examples
    --------
    >>> worded("Left out: absence_before (where it is missing), met_work.")
    'Left out: Absence from school (where it is missing), Met: out of work.'
    """
    return _COLUMN.sub(lambda found: covariate_label(found[0]), text)


def _in_words(made: Study) -> Study:
    columns = tuple(
        replace(column, name=covariate_label(column.name)) for column in made.covariates.columns
    )
    return replace(made, covariates=replace(made.covariates, columns=columns))


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
    name : str
        Of the design, one of `DESIGNS`.
    """

    cohort: Cohort
    study: Study
    design: Design
    balance: Balance
    caliper: float
    name: str


def load(
    extract: str, phase: str, comparison: str, horizon: int, *, design: str, caliper: float
) -> Comparison:
    """Build the cohort, the study and the design. No outcome is read.

    Parameters
    ----------
    extract : str
        "simulated", or a folder or DuckDB file.
    phase : str
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
    made = _in_words(study(found, months=horizon))
    chosen = DESIGNS[design][1](made, caliper)
    return Comparison(found, made, chosen, chosen.balance(), caliper, design)


def banner(found: Comparison, extract: str) -> Box | None:
    """Return what stands at the head of the page: that records are simulated, that balance failed.

    Parameters
    ----------
    found : Comparison
        As from `load`.
    extract : str
        As a report's parameter gives it.
    """
    word = found.balance.verdict().word
    lines = [("", simulated_banner().lines[0][1])] if found.study.simulated else []
    if word == "not balanced":
        lines.append(("Alarm", alarm(found)))
    return Box("simulated" if found.study.simulated else "alarm", tuple(lines)) if lines else None


def alarm(found: Comparison) -> str:
    """Say that the groups are not alike and in what; empty where they are, or nearly.

    Parameters
    ----------
    found : Comparison
        As from `load`.
    """
    verdict = found.balance.verdict()
    if verdict.word != "not balanced":
        return ""
    return (
        "The groups are NOT ALIKE before the programme, so no difference in outcomes can be read "
        f"as its effect. {' '.join(verdict.reasons())}"
    )


def headline(found: Comparison) -> str:
    """Say in one sentence who is compared, and whether the groups are alike."""
    label = "Simulated records: " if found.study.simulated else ""
    worst = found.balance.to_frame()["smd_after"].abs().max()
    verdict = {"balanced": "alike", "partly": "only partly alike", "not balanced": "NOT ALIKE"}
    return (
        f"{label}{safe_count(found.design.kept(True))} families on the programme beside "
        f"{safe_count(found.design.kept(False))} comparison families; after the design the groups "
        f"are {verdict[found.balance.verdict().word]}, the largest standardised difference "
        f"{worst:.2f}."
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
    """Return every covariate of the cohort, where it comes from, and why any was left out."""
    known = found.cohort.columns.set_index("name")
    rows = []
    for name in found.cohort.covariates:
        told = known.loc[name]
        why = found.study.left_out.get(name, "")
        used = f"left out: it {why}" if why else "compared"
        rows.append((covariate_label(name), told["description"] or "Counted", told["unit"],
                     told["source_table"], used))  # fmt: skip
    frame = pd.DataFrame(rows, columns=["Covariate", "What it is", "Unit", "Table", "Use"])
    return table(
        frame,
        caption="What families are compared on",
        notes="All over the twelve months before the index date. Where a covariate is missing, "
        "that it is missing is compared too.",
    )


def balance_table(found: Comparison) -> Balance:
    """Return how alike the groups are before and after, headed by a warning where they are not."""
    return found.balance


def love_plot(found: Comparison) -> Chart | Table:
    """Draw the standardised differences before and after."""
    return found.balance.plot()


def overlap_chart(found: Comparison) -> Chart | Table:
    """Draw the propensity scores of both groups, before and after."""
    return found.design.overlap()


def distribution_chart(found: Comparison) -> Chart | Table:
    """Draw the covariate in which the groups differed most, by group, before and after."""
    frame = found.balance.to_frame()
    frame = frame[(frame["kind"] == "number") & frame["source"].isin(found.cohort.covariates)]
    worst = frame["covariate"].iloc[int(frame["smd_before"].abs().to_numpy().argmax())]
    return found.design.distribution(str(worst))


def estimand_words(found: Comparison) -> str:
    """Say whose effect the design is about."""
    name = found.design.estimand
    return f"estimand {name}, {ESTIMANDS[name]}"


def designs_table(found: Comparison) -> Table:
    """Return every design beside the one chosen: whom it keeps, and how alike the groups are."""
    rows = []
    for name, (words, made) in DESIGNS.items():
        try:
            design = made(found.study, found.caliper)
        except TfevalError as fault:
            rows.append(
                (
                    name.replace("_", " "),
                    words,
                    "",
                    "",
                    "",
                    f"not possible: {worded(public_line(fault))}",
                )
            )
            continue
        alike = design.balance()
        rows.append(
            (
                name.replace("_", " "),
                words,
                safe_count(design.kept(True)),
                safe_count(design.ess["comparison"]),
                f"{alike.to_frame()['smd_after'].abs().max():.3f}",
                " ".join([f"{alike.verdict().word}.", *alike.verdict().reasons()]),
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
