"""Chapter 4: what the programme caused, compared with similar families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.display.words import written
from tfeval.errors import TfevalError
from tfeval.impact.analysis_plan import AnalysisPlan, read_plan
from tfeval.impact.areas import AreaEffects
from tfeval.impact.effect_words import hidden_rows
from tfeval.impact.effects import Effects, combine_effects
from tfeval.impact.estimate import estimate
from tfeval.report.chapters.common import OUTCOMES
from tfeval.report.chapters.comparison import Comparison
from tfeval.report.chapters.comparison import load as load_comparison
from tfeval.report.chapters.linked import truth_of
from tfeval.report.domains import authorities
from tfeval.report.record import record

#: What simulated truths call the outcomes of a cohort, and how often they count.
_TRUE_NAMES = {
    "fixed_exclusions": "fixed_exclusions",
    "permanent_exclusions": "permanent_exclusions",
    "offences": "proven_offences",
    "custody": "custody",
    "asb_incidents": "asb_incidents",
    "out_of_work": "out_of_work_days",
    "employment": "employed_days",
    "in_need": "in_need_days",
    "protection_plan": "protection_plan_days",
    "looked_after": "looked_after_days",
    "emergency_admissions": "emergency_admissions",
    "ae_attendances": "ae_attendances",
    "domestic_abuse": "domestic_abuse_incidents",
}


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
    area : str
        The authority, or "all".
    extract : str
        Where the records are.
    """

    comparison: Comparison
    effects: Effects
    plan: AnalysisPlan
    horizon: int
    estimator: str
    area: str
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
    local_authority: str = "all",
) -> Impact:
    """Build the comparison, then read the outcomes and estimate.

    Parameters
    ----------
    extract, phase, comparison, horizon, design, caliper
        As in chapter 3.
    estimator : str
        "adjusted", "difference", "doubly_robust" or "covariance_adjusted".
    local_authority : str, default "all"
        The authority whose own effects are shown beside those of all.
    """
    found = load_comparison(extract, phase, comparison, horizon, design=design, caliper=caliper)
    plan = read_plan()
    effects = estimate(
        found.design, _outcomes(found, horizon), months=horizon, method=estimator, plan=plan
    )
    roles = [plan.role(name) for name in effects.frame["outcome"]]
    apart = replace(named(effects), frame=effects.frame.assign(role=roles))
    corrected = apart.with_corrections(plan.correction["method"], family="role")
    return Impact(found, corrected, plan, horizon, estimator, local_authority, extract)


def _outcomes(found: Comparison, months: int) -> pd.DataFrame:
    """Return the outcomes shown, where they vary in both groups and enough families have them."""
    frame = found.cohort.to_pandas().loc[found.study.index]
    names = [f"{name}_{months}" for name in OUTCOMES if f"{name}_{months}" in frame]
    kept = found.design.weights > 0
    arms = (kept & found.study.treated, kept & ~found.study.treated)
    return frame[
        [name for name in names if all(frame.loc[arm, name].notna().sum() >= 10 for arm in arms)]
    ]


def named(effects: Effects) -> Effects:
    """Return effects with the outcomes' names for readers."""
    measures = {name: name.rpartition("_")[0] for name in effects.frame["outcome"].unique()}
    labels = {name: OUTCOMES[measure][0] for name, measure in measures.items()}
    units = {name: OUTCOMES[measure][1] for name, measure in measures.items()}
    settings = {**effects.settings, "labels": labels, "units": units, "who": "families"}
    return replace(effects, settings=settings)


def headline(found: Impact) -> str:
    """Say in one sentence for which outcomes an effect can be told from none."""
    frame = found.effects.to_frame()
    primary = frame[[found.plan.role(name) == "primary" for name in frame["outcome"]]]
    clear = primary[primary["p_adjusted"] < 0.05]
    label = "Simulated records: " if found.comparison.study.simulated else ""
    listed = "; ".join(_in_words(row) for _, row in clear.iterrows())
    count = len(primary)
    if not len(clear):
        return (
            f"{label}of {count} primary outcomes at {found.horizon} months, none differs from the "
            "comparison families by more than chance would make it. That is not the same as no "
            "effect: the intervals say how large one could be."
        )
    return (
        f"{label}of {count} primary outcomes at {found.horizon} months, {len(clear)} can be told "
        f"from no effect after correction for their number: {listed}."
    )


def _in_words(row: pd.Series) -> str:
    label = OUTCOMES[row["outcome"].rpartition("_")[0]][0].lower()
    if pd.isna(row["relative"]):
        return label
    ends = f"{row['relative_low']:+.0%} to {row['relative_high']:+.0%}"
    return f"{label} {row['relative']:+.0%} ({ends})"


def effects_table(found: Impact) -> Table:
    """Return every effect with its interval, planned ones first."""
    return in_order(found).table()


def in_order(found: Impact) -> Effects:
    """Return the effects in order of their role in the plan."""
    ranks = {"primary": 0, "secondary": 1, "exploratory": 2}
    names = found.effects.frame["outcome"]
    order = np.argsort([ranks[found.plan.role(name)] for name in names], kind="stable")
    joint = found.effects.joint[np.ix_(order, order)]
    return replace(found.effects, frame=found.effects.frame.iloc[order], joint=joint)


def forest(found: Impact) -> Chart:
    """Draw every effect relative to the comparison families, with its interval."""
    groups = {
        name: f"{found.plan.role(name)} outcomes".capitalize()
        for name in found.effects.frame["outcome"]
    }
    effects = in_order(found)
    return replace(effects, settings={**effects.settings, "groups": groups}).plot("relative")


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
    rows.append(("Effects on this page as planned", f"{planned.sum()} of {len(planned)}"))
    return table(
        pd.DataFrame(rows, columns=["", "What it says"]),
        caption="The analysis plan, written before outcomes were read",
        notes="Effects that were not planned are marked exploratory wherever they stand.",
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(OUTCOMES[name][0] for name in names if name in OUTCOMES)


def estimators_table(found: Impact) -> Table:
    """Return the primary effects by every estimator on the same design."""
    outcomes = _outcomes(found.comparison, found.horizon)
    primary = outcomes[[name for name in outcomes if found.plan.role(str(name)) == "primary"]]
    parts = []
    for method in ("adjusted", "difference", "doubly_robust", "covariance_adjusted"):
        try:
            parts.append(
                estimate(found.comparison.design, primary, months=found.horizon, method=method)
            )
        except TfevalError:
            continue
    return named(combine_effects(parts)).table()


def truth_table(found: Impact) -> Table:
    """Return the known effects of simulated records beside the estimates.

    Parameters
    ----------
    found : Impact
        As from `load`.
    """
    truth = truth_of(found.extract)
    if truth is None:
        note = pd.DataFrame({"": ["These are real records: the true effect is not known."]})
        return table(note, caption="The truth beside the estimates")
    design = found.comparison.design
    frame = found.comparison.cohort.to_pandas().loc[found.comparison.study.index]
    families = frame.loc[design.target > 0, "family_id"]
    known = truth.by_family(found.horizon).reindex(families.unique())
    rows = []
    shown = in_order(found).to_frame()
    for _, row in shown[~hidden_rows(shown)].iterrows():
        measure = row["outcome"].rpartition("_")[0]
        if measure not in _TRUE_NAMES:
            continue
        true = float(known[_TRUE_NAMES[measure]].mean())
        inside = "yes" if row["conf_low"] <= true <= row["conf_high"] else "no"
        rows.append(
            (OUTCOMES[measure][0], _number(true), _number(row["estimate"]),
             f"{_number(row['conf_low'])} to {_number(row['conf_high'])}", inside)
        )  # fmt: skip
    columns = ["Outcome", "True effect", "Estimate", "95% interval", "Interval holds the truth"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The truth beside the estimates, for the families compared",
        notes="Only simulated records know both what happened and what would have happened. One "
        "interval in twenty misses by chance.",
    )


def _number(value: float) -> str:
    return written(float(f"{value:.3g}"))


def areas(found: Impact, outcome: str = "out_of_work") -> AreaEffects:
    """Estimate one outcome's effect in every authority, partly pooled.

    Parameters
    ----------
    found : Impact
        As from `load`.
    outcome : str, default "out_of_work"
        A measure.
    """
    name = f"{outcome}_{found.horizon}"
    frame = found.comparison.cohort.to_pandas().loc[found.comparison.study.index]
    titles = frame["local_authority"].map(authorities()).fillna(frame["local_authority"])
    effects = estimate(
        found.comparison.design, frame[[name]], months=found.horizon, method="difference",
        errors="robust", by=titles,
    )  # fmt: skip
    return named(effects).pool(name)


def areas_chart(found: Impact, outcome: str = "out_of_work") -> Chart | Table:
    """Draw an outcome's effect in every authority, the one of the report marked.

    Parameters
    ----------
    found : Impact
        As from `load`.
    outcome : str, default "out_of_work"
        A measure.
    """
    pooled = areas(found, outcome)
    names = set(pooled.to_frame().loc[~pooled.to_frame()["hidden"], "name"])
    return pooled.plot([found.area] if found.area in names else [])


def record_effects(found: Impact) -> None:
    """Record the effects that may be shown, with error and interval, for later chapters."""
    frame = found.effects.to_frame()
    for _, row in frame[~hidden_rows(frame)].iterrows():
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            record(f"{row['outcome']}_{column}", float(row[column]))
    record("effective_comparison_families", round(found.comparison.design.ess["comparison"], -1))
