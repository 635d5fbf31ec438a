"""Chapter 3: who the families are compared with, and whether the groups are alike."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.names import SIMULATED, VERDICTS, estimand_words
from tfeval.display.tables import Table, safe_count, table
from tfeval.display.words import simulated_mark, worded
from tfeval.errors import TfevalError, public_line
from tfeval.impact.balance.balance import Balance
from tfeval.impact.balance.tables import BALANCED, NOT_BALANCED, PARTLY
from tfeval.impact.design.design import Design
from tfeval.impact.specification import DESIGNS, Specification
from tfeval.impact.study.study import Study
from tfeval.programme.claims import member_bounds, unpublished_bounds
from tfeval.programme.published import distinct_sources, published, sources
from tfeval.records.store import Records
from tfeval.report.chapters.common import month, of_phase, span
from tfeval.report.notebook_parts import Box

# Chapter 6: what the total of a group of authorities says of each of its members.


@of_phase("one")
def group_table(area_code: str, as_of: str) -> Table:
    """Return what a group's total says of each of its authorities.

    Parameters
    ----------
    area_code, as_of : str
        As in `tfeval.programme.claims.member_bounds`.
    """
    bounds = member_bounds(area_code, as_of)
    silent = unpublished_bounds(area_code, as_of)
    rows = published("progress_areas")
    rows = rows[(rows["area_code"] == area_code) & (rows["as_of"] == as_of)]
    total = rows[rows["figure"] == "turned_around"].iloc[0]
    whole = "{:,.0f}".format
    lines = [
        (row["area"], "" if pd.isna(row["published"]) else whole(row["published"]),
         span(row["low"], row["high"], whole))
        for _, row in bounds.iterrows()
    ]  # fmt: skip
    if len(silent["areas"]) > 1:
        both = " and ".join(silent["areas"])
        lines.append((f"{both} together", "", span(silent["low"], silent["high"], whole)))
    lines.append((f"{total['area']} in all", whole(total["value"]), whole(total["value"])))
    members = published("progress_local")
    used = members[members["area_code"].isin(bounds["code"])]
    return table(
        pd.DataFrame(
            lines, columns=["Authority", f"Published for {month(as_of)}", "Must lie within"]
        ),
        caption=f"Families turned around in {total['area']}, {month(as_of)}",
        sources=[*sources(rows), *distinct_sources(used)],
        notes="Counts only grow, and the members add up to the total: so each authority lies "
        "between its last count before and its first after, and within what the others leave.",
    )


def banner(records: Records, balance: Balance) -> Box | None:
    """Return what stands at the head of the page: that records are simulated, that balance failed.

    Parameters
    ----------
    records : Records
    balance : Balance
    """
    lines = [("", SIMULATED)] if records.simulated else []
    if warning := alarm(balance):
        lines.append(("Alarm", warning))
    return (
        Box("simulated" if records.simulated else "alarm", tuple(lines), records.simulated)
        if lines
        else None
    )


def alarm(balance: Balance) -> str:
    """Say that the groups are not alike and in what; empty where they are, or nearly."""
    verdict = balance.verdict()
    if verdict.word != NOT_BALANCED:
        return ""
    return (
        "The groups are NOT ALIKE before the programme, so no difference in outcomes can be read "
        f"as its effect. {' '.join(verdict.reasons())}"
    )


def headline(design: Design, balance: Balance) -> str:
    """Say in one sentence who is compared, and whether the groups are alike."""
    label = simulated_mark(design.study.simulated)
    worst = balance.to_frame()["smd_after"].abs().max()
    verdict = {BALANCED: "alike", PARTLY: "only partly alike", NOT_BALANCED: "NOT ALIKE"}
    return (
        f"{label}{safe_count(design.kept(True))} families on the programme beside "
        f"{safe_count(design.kept(False))} comparison families; after the design the groups "
        f"are {verdict[balance.verdict().word]} in what was recorded, the largest standardised "
        f"difference {worst:.2f}."
    )


def method_line(design: Design) -> str:
    """Say in one line how families are compared, and whose effect that is."""
    return f"{design.title}; estimand {estimand_words(design.estimand)}."


def groups_table(groups: Mapping[str, str]) -> Table:
    """Return the comparison groups on offer, and what each is."""
    rows = [(name.replace("_", " "), what) for name, what in groups.items()]
    return table(
        pd.DataFrame(rows, columns=["Comparison group", "Who is in it"]),
        caption="Comparison groups a report can be run with",
    )


def covariates_table(families: Cohort, study: Study) -> Table:
    """Return every covariate of the cohort, where it comes from, and why any was left out."""
    known = families.columns.set_index("name")
    rows = []
    for name in families.covariates:
        column = known.loc[name]
        why = study.left_out.get(name, "")
        used = f"left out: it {why}" if why else "compared"
        rows.append((families.labels[name], column["description"] or "Counted", column["unit"],
                     column["source_table"], used))  # fmt: skip
    frame = pd.DataFrame(rows, columns=["Covariate", "What it is", "Unit", "Table", "Use"])
    return table(
        frame,
        caption="What families are compared on",
        notes="All over the twelve months before the index date. Where a covariate is missing, "
        "that it is missing is compared too.",
    )


def worst_covariate(families: Cohort, balance: Balance) -> str:
    """Return the covariate, a number, in which the groups differed most before the design."""
    frame = balance.to_frame()
    frame = frame[(frame["kind"] == "number") & frame["source"].isin(families.covariates)]
    return str(frame["covariate"].iloc[int(frame["smd_before"].abs().to_numpy().argmax())])


def designs_table(study: Study, specification: Specification) -> Table:
    """Return every design beside the one chosen: whom it keeps, and how alike the groups are."""
    rows = []
    for name, row in DESIGNS.items():
        if not row.adjusts:
            continue
        words = row.words
        try:
            design = row.make(study, specification.caliper)
        except TfevalError as fault:
            rows.append(
                (
                    name.replace("_", " "),
                    words,
                    "",
                    "",
                    "",
                    f"not possible: {worded(public_line(fault), study.labels)}",
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
                " ".join([f"{VERDICTS[alike.verdict().word]}.", *alike.verdict().reasons()]),
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
