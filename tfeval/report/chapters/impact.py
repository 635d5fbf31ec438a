"""Chapter 4: what the programme caused, compared with similar families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfeval.display.disclosure import THRESHOLD
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.errors import DataError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.multiple import METHODS
from tfeval.impact.effects.words import hidden_rows
from tfeval.impact.plan.analysis_plan import AnalysisPlan, read_plan
from tfeval.programme.outcomes import outcome_label, outcome_words, reported_outcomes
from tfeval.report.chapters.comparison import Comparison, estimand_words, worded
from tfeval.report.chapters.comparison import load as load_comparison


@dataclass(frozen=True)
class Impact:
    """What chapter 4 shows.

    Attributes
    ----------
    comparison : Comparison
        Cohort, study and design.
    effects : Effects
        Of every outcome over the horizon, corrected for their number.
    plan : AnalysisPlan
        What was planned.
    horizon : int
        Months after the index date.
    estimator : str
        As in `estimate`.
    extract : str
        Where the records are.
    """

    comparison: Comparison
    effects: Effects
    plan: AnalysisPlan
    horizon: int
    estimator: str
    extract: str


def load(
    extract: str,
    phase: str,
    comparison: str,
    horizon: int,
    *,
    design: str,
    caliper: float,
    estimator: str,
) -> Impact:
    """Build the comparison, then read the outcomes and estimate.

    Parameters
    ----------
    extract, phase, comparison, horizon, design, caliper
        As in chapter 3.
    estimator : str
        "adjusted", "difference", "doubly_robust" or "covariance_adjusted".
    """
    found = load_comparison(extract, phase, comparison, horizon, design=design, caliper=caliper)
    plan = read_plan()
    effects = estimate(
        found.design, outcomes_of(found, horizon), months=horizon, method=estimator, plan=plan
    )
    roles = [plan.role(name) for name in effects.frame["outcome"]]
    apart = replace(
        effects, frame=effects.frame.assign(role=roles),
        notes=tuple(worded(note) for note in effects.notes),
    )  # fmt: skip
    corrected = apart.with_corrections(plan.correction["method"], family="role")
    return Impact(found, corrected, plan, horizon, estimator, extract)


def outcomes_of(found: Comparison, months: int) -> pd.DataFrame:
    """Return the outcomes shown: those recorded for enough families of both groups.

    Raises
    ------
    DataError
        If there is none.
    """
    frame = found.cohort.outcomes(months).loc[found.study.index]
    names = [name for name in reported_outcomes() if name in frame]
    inside = found.design.weights > 0
    arms = (inside & found.study.treated, inside & ~found.study.treated)
    kept = [
        name for name in names
        if all(frame.loc[arm, name].notna().sum() >= THRESHOLD for arm in arms)
    ]  # fmt: skip
    if not kept:
        raise DataError(
            f"No outcome over {months} months is recorded for {THRESHOLD} families or more of "
            "both groups: choose another horizon, comparison group or design."
        )
    return frame[kept]


def with_units(effects: Effects) -> Effects:
    """Return effects whose outcomes are named with their units."""
    words = outcome_words(effects.frame["outcome"], unit=True)
    return replace(effects, settings={**effects.settings, **words})


def headline(found: Impact) -> str:
    """Say in one sentence for which outcomes an effect can be told from none."""
    frame = found.effects.to_frame()
    primary = frame[[found.plan.role(name) == "primary" for name in frame["outcome"]]]
    count = len(found.plan.primary)
    label = "Simulated records: " if found.comparison.study.simulated else ""
    if not primary["planned"].astype(bool).all():
        label += "exploratory, not as planned: "
    if found.comparison.balance.verdict().word == "partly":
        label += "the groups are only partly alike; "
    if found.comparison.balance.verdict().word == "not balanced":
        return (
            f"{label}the groups are NOT ALIKE before the programme, so none of the {count} primary "
            "outcomes can be read as its effect."
        )
    known, unknown = told_apart(primary, found.plan)
    clear = known[known["p_adjusted"] < 0.05]
    if not len(known):
        return f"{label}no effect on any of {count} primary outcomes can be given: {unknown}."
    rest = f" Nothing is said of the others: {unknown}." if unknown else ""
    of = (
        f"of {count} primary outcomes" if not unknown else
        f"of {len(known)} of {count} primary outcomes that have an interval"
    )  # fmt: skip
    if not len(clear):
        return (
            f"{label}{of} at {found.horizon} months, none differs from the comparison families by "
            "more than chance would make it. That is not the same as no effect: the intervals say "
            f"how large one could be.{rest}"
        )
    listed = "; ".join(_in_words(row) for _, row in clear.iterrows())
    return (
        f"{label}{of} at {found.horizon} months, {len(clear)} can be told from no effect after "
        f"correction for their number: {listed}.{rest}"
    )


def told_apart(primary: pd.DataFrame, plan: AnalysisPlan) -> tuple[pd.DataFrame, str]:
    """Return the primary effects that have an interval and may be shown, and why others do not.

    Parameters
    ----------
    primary : DataFrame
        Columns of a table of effects.
    plan : AnalysisPlan
        Whose primary outcomes are all accounted for.

    Returns
    -------
    known : DataFrame
    unknown : str
        Outcomes by what is missing; empty where nothing is.
    """
    hidden = hidden_rows(primary)
    lacks = primary["conf_low"].isna() | primary["conf_high"].isna()
    none = primary["estimate"].isna() & ~hidden
    there = set(primary["outcome"])
    parts = {
        "not recorded for enough families": [name for name in plan.primary if name not in there],
        "too few families to show": primary.loc[hidden, "outcome"],
        "not estimable": primary.loc[none, "outcome"],
        "estimated without an interval": primary.loc[lacks & ~none & ~hidden, "outcome"],
    }
    told = [
        f"{', '.join(_lower(name) for name in names)} ({why})"
        for why, names in parts.items()
        if len(names)
    ]
    return primary[~hidden & ~lacks], "; ".join(told)


def _lower(name: str) -> str:
    label = outcome_label(name)
    return label[0].lower() + label[1:]


def _in_words(row: pd.Series) -> str:
    label = _lower(row["outcome"])
    if row[["relative", "relative_low", "relative_high"]].isna().any():
        return label
    ends = f"{row['relative_low']:+.0%} to {row['relative_high']:+.0%}"
    return f"{label} {row['relative']:+.0%} ({ends})"


def effects_table(found: Impact) -> Table:
    """Return every effect with its interval, planned ones first."""
    return grouped(with_units(in_order(found)), found.plan).table()


def in_order(found: Impact) -> Effects:
    """Return the effects in order of their role in the plan."""
    ranks = {"primary": 0, "secondary": 1, "exploratory": 2}
    names = found.effects.frame["outcome"]
    order = np.argsort([ranks[found.plan.role(name)] for name in names], kind="stable")
    joint = found.effects.joint[np.ix_(order, order)]
    return replace(found.effects, frame=found.effects.frame.iloc[order], joint=joint)


def grouped(effects: Effects, plan: AnalysisPlan) -> Effects:
    """Return effects with each outcome's role in the plan as its group."""
    names = effects.frame["outcome"]
    groups = {name: f"{plan.role(name).capitalize()} outcomes" for name in names}
    return replace(effects, settings={**effects.settings, "groups": groups})


def forest(found: Impact) -> Chart | Table:
    """Draw every effect relative to the comparison families; say so where there is none to draw."""
    try:
        return grouped(in_order(found), found.plan).plot("relative")
    except DataError:
        said = "No effect can be drawn: too few families to show, no interval, or no mean above 0."
        return table(pd.DataFrame({"": [said]}), caption="Effects relative to the comparison")


def plan_table(found: Impact) -> Table:
    """Return what was planned, and what of this page was not."""
    rows = [
        ("Plan", f"{found.plan.title}, version {found.plan.version}, {found.plan.date:%d %B %Y}"),
        ("Hash of the plan", found.plan.hash),
        ("Primary outcomes", _listed(found.plan.primary)),
        ("Secondary outcomes", _listed(found.plan.secondary)),
        ("Horizons", ", ".join(f"{months} months" for months in found.plan.horizons)),
    ]
    planned = found.effects.frame["planned"].to_numpy(dtype=bool)
    rows.append(("Estimand", estimand_words(found.comparison).removeprefix("estimand ")))
    rows.append(("Correction for many outcomes", METHODS[found.plan.correction["method"]]))
    rows.append(("Effects on this page as planned", f"{planned.sum()} of {len(planned)}"))
    return table(
        pd.DataFrame(rows, columns=["Part", "What it says"]),
        caption="The analysis plan, written before outcomes were read",
        notes=[
            "Effects that were not planned are marked exploratory wherever they stand.",
            "The plan corrects the primary outcomes of both its horizons together; a page shows "
            "one horizon, and corrects those of it.",
        ],
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(outcome_label(name) for name in names)
