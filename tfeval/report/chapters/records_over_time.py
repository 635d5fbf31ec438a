"""Chapter 5, second half: designs over time on linked records, beside chapter 4's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.entry import criteria_columns
from tfeval.display.figures import Chart
from tfeval.display.interval_charts import period_chart
from tfeval.display.names import SIMULATED, capital
from tfeval.display.tables import Table, table
from tfeval.errors import DataError, public_line
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import (
    HIDDEN,
    decimals,
    hidden_rows,
    p_words,
    status_words,
    with_interval,
)
from tfeval.impact.inference.rules import ESTIMATED, FEWEST_CLUSTERS
from tfeval.impact.panel.group_time import GroupTime
from tfeval.impact.panel.group_time_effects import GroupTimeEffects
from tfeval.impact.panel.panel import Panel
from tfeval.impact.panel.threshold import threshold
from tfeval.impact.plan.analysis_plan import read_plan
from tfeval.impact.sensitivity.moderation import heterogeneity
from tfeval.impact.sensitivity.support_dose import support_dose
from tfeval.impact.study.study import Study
from tfeval.programme.outcomes import outcome_label, outcome_words
from tfeval.programme.phases import phase
from tfeval.records.store import Records
from tfeval.report.chapters.impact import or_why_not, primary_outcomes
from tfeval.report.chapters.linked import kept_result, parts_of

#: The effects by group and period of each outcome, or why there are none.
Fits = Mapping[str, GroupTimeEffects | str]


def fits(design: GroupTime, panel: Panel) -> Fits:
    """Return the effects by group and period of each outcome of a panel, or why there are none.

    Parameters
    ----------
    design : GroupTime
        Where the panel has too few of its clusters for errors by cluster, those are by family.
    panel : Panel
    """
    by = design.cluster
    if by is not None and len(pd.unique(pd.Series(panel.column(by)))) < FEWEST_CLUSTERS:
        design = replace(design, cluster=None)
    return {name: _fit_or_why(design, panel, name) for name in panel.outcomes}


def _fit_or_why(design: GroupTime, panel: Panel, name: str) -> GroupTimeEffects | str:
    try:
        return design.fit(panel, name)
    except DataError as fault:
        return public_line(fault)


def _hidden(frame: pd.DataFrame) -> np.ndarray:
    means = {"mean_treated": np.nan, "mean_comparison": np.nan}
    return hidden_rows(frame if set(means) <= set(frame) else frame.assign(**means))


def _overall(effects: GroupTimeEffects | str) -> str:
    if isinstance(effects, str):
        return effects
    return _words(effects.aggregate("overall").frame, 1.0)


def _words(rows: pd.DataFrame, share: float) -> str:
    """Return the first row's effect in words, or why it is not shown."""
    row = rows.iloc[0]
    if _hidden(rows)[0]:
        return HIDDEN
    if not np.isfinite(row["std_error"]):
        return status_words(row["status"], "families")
    value, low, high, error = (
        share * float(row[name]) for name in ("estimate", "conf_low", "conf_high", "std_error")
    )
    return with_interval(value, low, high, decimals(error))


def _trend_before(effects: GroupTimeEffects | str) -> str:
    return p_words(np.nan if isinstance(effects, str) else float(effects.pre_trend["p_value"]))


def beside_table(by_outcome: Fits, matched: Effects | Table, months: int) -> Table:
    """Return the average effect by staggered entry beside that of matched families.

    Parameters
    ----------
    by_outcome : Fits
        As from `fits`.
    matched : Effects or Table
        Of chapter 4's design over a year; or the table that says why there are none.
    months : int
        In a period of the panel.
    """
    rows = matched.to_frame() if isinstance(matched, Effects) else pd.DataFrame({"outcome": []})
    shown = []
    for name, one in by_outcome.items():
        own = rows[rows["outcome"] == name]
        shown.append({
            "Outcome": outcome_label(name),
            "By staggered entry": _overall(one),
            "Trend before: p": _trend_before(one),
            "Matched families": None if own.empty else _words(own, months / own["months"].iloc[0]),
        })  # fmt: skip
    return table(
        pd.DataFrame(shown),
        caption=f"Effect in a period of {months} months (95% interval), two designs on the same "
        "records",
        missing="not in it",
        notes=[
            *([SIMULATED] if _simulated(by_outcome) else []),
            "By staggered entry: families attached in the same period since they were identified, "
            "beside those not attached yet, change against change (Callaway and Sant'Anna 2021); "
            f"errors by {_errors_by(by_outcome)}. Matched families: chapter 4's design over a "
            "year, its effect spread evenly over the periods. The first needs parallel trends, the "
            "second nothing unrecorded that matters; where they part, one of these is wrong.",
        ],
    )


def _estimated(by_outcome: Fits) -> list[GroupTimeEffects]:
    return [one for one in by_outcome.values() if not isinstance(one, str)]


def _simulated(by_outcome: Fits) -> bool:
    return any(one.simulated for one in _estimated(by_outcome))


def _errors_by(by_outcome: Fits) -> str:
    by = {one.settings.cluster for one in _estimated(by_outcome)} - {None}
    return "authority" if by else "family"


def entry_chart(by_outcome: Fits, outcomes: tuple[str, ...]) -> Chart | Table:
    """Draw effects by period from attachment, with bands that hold all periods at once.

    Parameters
    ----------
    by_outcome : Fits
        As from `fits`.
    outcomes : tuple of str
        Which of them to draw; those without an effect that may be shown are left out. A table
        says so where none is left.
    """
    panels: dict[str, pd.DataFrame] = {}
    bands, apart = {True: 0, False: 0}, {True: 0, False: 0}  # before attachment, and after
    hidden = 0
    for name in outcomes:
        one = by_outcome[name]
        if isinstance(one, str):
            continue
        rows = one.aggregate("event").frame
        estimated, few = rows["status"].eq(ESTIMATED).to_numpy(), _hidden(rows)
        hidden += int((estimated & few).sum())
        rows = rows[estimated & ~few]
        if rows.empty:
            continue
        low, high = rows["band_low"].astype(float), rows["band_high"].astype(float)
        before = rows["event"].to_numpy(dtype=float) < 0
        clear = ((low > 0) | (high < 0)).to_numpy()
        for is_before in bands:
            bands[is_before] += int((before == is_before).sum())
            apart[is_before] += int((clear & (before == is_before)).sum())
        panels[outcome_label(name)] = pd.DataFrame({
            "time": rows["event"].astype(int), "window": np.where(before, "pre", "post"),
            "estimate": rows["estimate"].astype(float), "conf_low": low, "conf_high": high,
        })  # fmt: skip
    if not panels:
        said = {"": ["No period has an effect, of enough families, that may be shown."]}
        return table(pd.DataFrame(said), caption="Effects by period from attachment")
    title = (
        f"{apart[False] or 'none'} of {bands[False]} bands after attachment leave nought out, "
        f"{apart[True] or 'none'} of {bands[True]} before" + f"; {hidden} hidden" * bool(hidden)
    )
    return period_chart(
        panels, title=f"Simulated records: {title}" if _simulated(by_outcome) else capital(title),
        subtitle="Effects by period from attachment",
        alt=f"Points with bands by period since attachment, for {len(panels)} outcomes. Bands "
        f"leave nought out in {apart[True]} periods before attachment and {apart[False]} after.",
    )  # fmt: skip


def dose_effects(families: Cohort, records: Records) -> Effects | Table:
    """Return what more months of support went with, of the plan's primary outcomes, or why not.

    Parameters
    ----------
    families : Cohort
    records : Records
        Of the same extract.
    """
    chosen = primary_outcomes(families.outcomes(12), read_plan())

    def made() -> Effects:
        effects = estimate(support_dose(families, extract=records), chosen, months=12)
        words = outcome_words(map(str, chosen))
        settings = {**effects.settings, **words, "title": "More months of support: differences"}
        return replace(effects, settings=settings)

    return or_why_not(made)


def differences(compared: Study, families: Cohort) -> Table:
    """Return whether effects on the plan's primary outcomes differ by the criteria that are met.

    Parameters
    ----------
    compared : Study
        Of the cohort.
    families : Cohort
    """
    chosen = primary_outcomes(families.outcomes(12), read_plan())
    columns = {one.source for one in compared.covariates.columns}
    criteria = [
        name for name in criteria_columns(phase(families.settings.phase)) if name in columns
    ]
    named = compared.named(outcome_words(map(str, chosen))["labels"])

    def made() -> Table:
        # The table alone: models take a second to read again.
        return or_why_not(lambda: heterogeneity(named, chosen, criteria, months=12).table())

    return kept_result(
        families.records, made, heterogeneity.__name__, families.settings, chosen, criteria,
        named.covariates.names, *parts_of(compared),
    )  # fmt: skip


def threshold_checks(families: Cohort, needed: int) -> Any:
    """Return the checks of a threshold in the number of criteria met, or why there are none.

    Parameters
    ----------
    families : Cohort
        With the comparison "below_threshold".
    needed : int
        Criteria that admit a family.
    """
    return or_why_not(
        lambda: threshold(families, "criteria_met", needed, treated="treated").diagnostic()
    )
