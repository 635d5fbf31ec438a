"""Chapter 4: what the programme caused, compared with similar families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.figures import Chart
from tfeval.display.names import CORRECTIONS, capital, estimand_words
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.display.words import simulated_mark
from tfeval.errors import DataError, TfevalError, public_line
from tfeval.impact.balance.balance import Balance
from tfeval.impact.balance.tables import NOT_BALANCED, PARTLY
from tfeval.impact.design.design import Design
from tfeval.impact.effects.columns import MADE_BY
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import hidden_rows, made_words
from tfeval.impact.plan.analysis_plan import ROLES, AnalysisPlan
from tfeval.impact.specification import DESIGNS, Specification
from tfeval.impact.study.study import Study
from tfeval.programme.outcomes import outcome_label, outcome_words, reported_outcomes
from tfeval.report.chapters.linked import Made, kept_result, parts_of
from tfeval.report.notebook_parts import record_table
from tfeval.report.record import Records, record


@dataclass(frozen=True, eq=False)
class Analysis:
    """What chapter 4 is about: the results of its cells, together.

    Attributes
    ----------
    specification : Specification
        What was chosen.
    extract : str
        Where the records are.
    families : Cohort
        Treated and comparison families.
    design : Design
        Who is compared with whom.
    balance : Balance
        How alike the groups are.
    effects : Effects
        Of the outcomes shown, corrected for their number.
    plan : AnalysisPlan
        What was planned.
    """

    specification: Specification
    extract: str
    families: Cohort
    design: Design
    balance: Balance
    effects: Effects
    plan: AnalysisPlan

    @property
    def study(self) -> Study:
        """Those followed over the horizon, and their covariates."""
        return self.design.study

    @property
    def horizon(self) -> int:
        """Months after the index date."""
        return self.specification.horizon

    def outcomes(self) -> pd.DataFrame:
        """Return the outcomes shown."""
        return outcomes_shown(self.families, self.design, self.horizon, self.plan)

    def kept(self, make: Callable[[Analysis], Made]) -> Made:
        """Return what a function of it and the records gives, as `kept_result` keeps it."""
        return kept_result(
            self.families.records, lambda: make(self), make.__qualname__, self.specification,
            self.plan.hash, self.balance.verdict().word,
            outcomes_recorded(self.families, self.design, self.horizon, self.plan),
            *_compared(self.design, self.families),
        )  # fmt: skip


def _compared(design: Design, families: Cohort) -> tuple[Any, ...]:
    """Return what decides results of a design of a cohort, as `kept_result` takes it."""
    makers = [(name, row.make.__module__, row.make.__qualname__)
              for name, row in DESIGNS.items()]  # fmt: skip
    return (
        makers, families.settings, families.labels, families.to_pandas(), design.title,
        design.estimand, design.weights, design.target, *parts_of(design.study),
    )  # fmt: skip


def outcomes_shown(
    families: Cohort, design: Design, months: int, plan: AnalysisPlan | None = None
) -> pd.DataFrame:
    """Return the outcomes shown: those recorded for enough families of both groups.

    Parameters
    ----------
    families : Cohort
    design : Design
        Of a study of these families.
    months : int
        After the index date.
    plan : AnalysisPlan, optional
        Which outcomes come first: the primary ones, then the secondary. Without one they come
        in the order of the registry.

    Raises
    ------
    DataError
        If there is none.
    """
    frame = outcomes_recorded(families, design, months, plan)
    kept = known_enough(frame, design)
    if not kept:
        raise DataError(
            f"No outcome over {months} months is recorded for {THRESHOLD} families or more of "
            "both groups: choose another horizon, comparison group or design."
        )
    return frame[kept]


def outcomes_recorded(
    families: Cohort, design: Design, months: int, plan: AnalysisPlan | None = None
) -> pd.DataFrame:
    """Return all outcomes that there are records of, however few families they are known for."""
    frame = families.outcomes(months).loc[design.study.index]
    every = [name for name in reported_outcomes() if name in frame]
    if plan is not None:
        every = sorted(every, key=lambda name: ROLES.index(plan.role(name)))
    return frame[every]


def known_enough(outcomes: pd.DataFrame, design: Design) -> list[str]:
    """Return the outcomes that enough families of both groups have a value of."""
    inside, treated = design.weights > 0, design.study.treated
    return [
        str(name) for name, values in outcomes.items()
        if all(values[inside & arm].notna().sum() >= THRESHOLD for arm in (treated, ~treated))
    ]  # fmt: skip


def opened(families: Cohort, plan: AnalysisPlan) -> Cohort:
    """Open a cohort's outcomes under a plan; under one that is not registered too, and say so.

    Parameters
    ----------
    families : Cohort
        Closed, since it was given the plan.
    plan : AnalysisPlan
    """
    return families.open(plan if plan.registration.good else None)


def primary_outcomes(outcomes: pd.DataFrame, plan: AnalysisPlan) -> pd.DataFrame:
    """Return those of the outcomes that the plan has as primary."""
    return outcomes[[name for name in outcomes if plan.role(str(name)) == "primary"]]


def or_why_not(verb: Callable[..., Any], *given: Any, title: str = "", **settings: Any) -> Any:
    """Return what a verb makes of what it is given, or a table that says why it cannot.

    Parameters
    ----------
    verb : callable
        Such as `estimate` or `by_statsmodels`.
    title : str, optional
        In place of the result's own.
    *given, **settings
        As it takes them, such as a design and outcomes.
    """
    try:
        made = _made(verb, *given, **settings)
        return replace(made, settings={**made.settings, "title": title}) if title else made
    except TfevalError as fault:
        said = pd.DataFrame({"": [public_line(fault)]})
        return table(said, caption="Not possible for these families and choices")


def _made(verb: Callable[..., Any], *given: Any, **settings: Any) -> Any:
    """Return what a verb gives; of a design of simulated records, as `kept_result` keeps it."""
    records, design = settings.get("records"), given[0] if given else None
    if records is None or not isinstance(design, Design):
        return verb(*given, **settings)
    said = {name: value for name, value in settings.items() if name != "records"}
    return kept_result(
        records, lambda: verb(*given, **settings), verb.__module__, verb.__qualname__, said,
        design.settings, *_compared(*given),
    )  # fmt: skip


def headline(analysis: Analysis) -> str:
    """Say in one sentence for which outcomes an effect can be told from none."""
    frame = analysis.effects.to_frame()
    primary = frame[[analysis.plan.role(name) == "primary" for name in frame["outcome"]]]
    count = len(analysis.plan.primary)
    label = simulated_mark(analysis.study.simulated)
    if not primary["planned"].astype(bool).all():
        label += "exploratory, not as planned: "
    if analysis.balance.verdict().word == PARTLY:
        label += "the groups are only partly alike; "
    if analysis.balance.verdict().word == NOT_BALANCED:
        return (
            f"{label}the groups are NOT ALIKE before the programme, so none of the {count} primary "
            "outcomes can be read as its effect."
        )
    known, unknown = told_apart(primary, analysis.plan)
    clear = known[known["p_adjusted"] < 0.05]
    if not len(known):
        return f"{label}no effect on any of {count} primary outcomes can be given: {unknown}."
    rest = f" Nothing is said of the others: {unknown}." if unknown else ""
    of = (
        f"of {count} primary outcomes" if not unknown else
        f"of {len(known)} of {count} primary outcomes that have an interval"
    )  # fmt: skip
    if not len(clear):
        alone = known[(known["conf_low"] > 0) | (known["conf_high"] < 0)]
        said = "; ".join(_in_words(row) for _, row in alone.iterrows())
        but = f" Not corrected, {len(alone)} would: {said}." if said else ""
        return (
            f"{label}{of} at {analysis.horizon} months, none differs from the comparison families "
            f"by more than chance would make it, once corrected for their number.{but} That is not "
            f"the same as no effect: the intervals say how large one could be.{rest}"
        )
    listed = "; ".join(_in_words(row) for _, row in clear.iterrows())
    return (
        f"{label}{of} at {analysis.horizon} months, {len(clear)} can be told from no effect after "
        f"correction for their number: {listed}.{rest}"
    )


def method_line(analysis: Analysis) -> str:
    """Say in one line how effects were estimated, and whose they are."""
    method = made_words(analysis.effects.frame)["method"][0]
    design = analysis.design
    return f"{design.title}; {method}; estimand {estimand_words(design.estimand)}."


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
    reasons = [
        f"{', '.join(_lower(name) for name in names)} ({why})"
        for why, names in parts.items()
        if len(names)
    ]
    return primary[~hidden & ~lacks], "; ".join(reasons)


def _lower(name: str) -> str:
    label = outcome_label(name)
    return label[0].lower() + label[1:]


def _in_words(row: pd.Series) -> str:
    label = _lower(row["outcome"])
    if row[["relative", "relative_low", "relative_high"]].isna().any():
        return label
    ends = f"{row['relative_low']:+.0%} to {row['relative_high']:+.0%}"
    return f"{label} {row['relative']:+.0%} ({ends})"


def forest(analysis: Analysis) -> Chart | Table:
    """Draw every effect relative to the comparison families; say so where there is none to draw."""
    try:
        return analysis.effects.plot("relative")
    except DataError:
        said = "No effect can be drawn: too few families to show, no interval, or no mean above 0."
        return table(pd.DataFrame({"": [said]}), caption="Effects relative to the comparison")


def plan_table(analysis: Analysis) -> Table:
    """Return what was planned, and what of this page was not."""
    rows = [
        (
            "Plan",
            f"{analysis.plan.title}, version {analysis.plan.version}, "
            f"{analysis.plan.date:%d %B %Y}",
        ),
        ("Hash of the plan", analysis.plan.hash),
        ("Register", capital(str(analysis.plan.registration))),
        ("Primary outcomes", _listed(analysis.plan.primary)),
        ("Secondary outcomes", _listed(analysis.plan.secondary)),
        ("Horizons", ", ".join(f"{months} months" for months in analysis.plan.horizons)),
    ]
    planned = analysis.effects.frame["planned"].to_numpy(dtype=bool)
    rows.append(("Estimand", estimand_words(analysis.design.estimand)))
    rows.append(("Correction for many outcomes", CORRECTIONS[analysis.plan.correction["method"]]))
    hidden = int(hidden_rows(analysis.effects.frame).sum())
    few = (
        f"; {hidden} {'is' if hidden == 1 else 'are'} hidden, of too few families" if hidden else ""
    )
    rows.append(("Effects on this page as planned", f"{planned.sum()} of {len(planned)}{few}"))
    return table(
        pd.DataFrame(rows, columns=["Part", "What it says"]),
        caption="The analysis plan",
        notes=[
            "Effects that were not planned are marked exploratory wherever they stand.",
            "A register shows the order of its lines, and that none was changed by itself; only "
            "who keeps a copy of it elsewhere, as git does, can show that it was not written anew.",
        ],
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(outcome_label(name) for name in names)


# What chapter 4 records for the chapters on value, and how they read it.

_KEPT = ["outcome", "months", "estimand", *MADE_BY, "estimate", "std_error", "conf_low",
         "conf_high", "p_value", "p_adjusted", "relative", "relative_low", "relative_high",
         "mean_comparison", "sd_comparison", "ess_comparison", "small_sample", "status",
         "planned", "role"]  # fmt: skip

_NOT_SHOWN, _BETWEEN = "outcomes_not_shown", "; "


def record_effects(analysis: Analysis) -> None:
    """Record the effects that may be shown, and how they vary together.

    Parameters
    ----------
    analysis : Analysis
    """
    effects = analysis.effects
    frame = effects.to_frame()
    kept = np.flatnonzero(~hidden_rows(frame))
    shown = frame[_KEPT].iloc[kept]
    # An effective number is a count of families: no finer than counts are shown.
    shown["ess_comparison"] = shown["ess_comparison"].round(-1)
    record_table("effects", shown)
    hidden = [str(name) for name in frame["outcome"].iloc[np.flatnonzero(hidden_rows(frame))]]
    if hidden:
        record(_NOT_SHOWN, _BETWEEN.join(hidden))
    joint = effects.joint[np.ix_(kept, kept)]
    record_table("covariance", pd.DataFrame(joint, columns=shown["outcome"].tolist()))
    counts = analysis.families.outcomes(analysis.horizon).loc[analysis.study.index]
    possible = counts.get("sessions_possible")
    if possible is not None and possible.notna().any():
        record("sessions_possible", float(possible.mean()), "half days a family", digits=3)
    record("horizon", analysis.horizon, "months")
    record("balance", analysis.balance.verdict().word)
    record("comparison", analysis.specification.comparison)
    record("design", analysis.specification.design)
    record("estimator", analysis.specification.estimator)
    record("simulated", analysis.study.simulated)
    record("families_followed", round(analysis.study.n_treated, -1), "families")
    record("effective_comparison_families", round(analysis.design.ess["comparison"], -1))


def not_shown(impact: Records) -> list[str]:
    """Return the outcomes that chapter 4 hides, since their numbers would tell of too few.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    record = impact.get(_NOT_SHOWN)
    return [] if record is None else str(record.value).split(_BETWEEN)


def read_effects(impact: Records) -> Effects:
    """Return the effects that chapter 4 recorded, with their joint covariance.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    frame = impact.table("effects")
    return Effects(
        frame=frame, joint=impact.table("covariance").to_numpy(dtype=float),
        settings={**outcome_words(frame["outcome"]), "who": "families"},
        simulated=bool(impact["simulated"].value),
    )  # fmt: skip
