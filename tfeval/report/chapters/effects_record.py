"""What chapter 4 records for the chapters on value, and how they read it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.impact.effects.columns import MADE_BY
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import hidden_rows
from tfeval.programme.outcomes import outcome_words
from tfeval.report.chapters.impact import Analysis
from tfeval.report.record import Records, record
from tfeval.report.record_tables import record_table

_KEPT = ["outcome", "months", "estimand", *MADE_BY, "estimate", "std_error", "conf_low",
         "conf_high", "p_value", "p_adjusted", "relative", "relative_low", "relative_high",
         "mean_comparison", "sd_comparison", "ess_comparison", "small_sample", "status",
         "planned", "role"]  # fmt: skip

_NOT_SHOWN, _BETWEEN = "outcomes_not_shown", "; "


def record_effects(found: Analysis) -> None:
    """Record the effects that may be shown, and how they vary together.

    Parameters
    ----------
    found : Analysis
    """
    effects = found.effects
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
    counts = found.families.outcomes(found.horizon).loc[found.study.index]
    possible = counts.get("sessions_possible")
    if possible is not None and possible.notna().any():
        record("sessions_possible", float(possible.mean()), "half days a family", digits=3)
    record("horizon", found.horizon, "months")
    record("balance", found.balance.verdict().word)
    record("comparison", found.specification.comparison)
    record("design", found.specification.design)
    record("estimator", found.specification.estimator)
    record("simulated", found.study.simulated)
    record("families_followed", round(found.study.n_treated, -1), "families")
    record("effective_comparison_families", round(found.design.ess["comparison"], -1))


def not_shown(impact: Records) -> list[str]:
    """Return the outcomes that chapter 4 hides, since their numbers would tell of too few.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    held = impact.get(_NOT_SHOWN)
    return [] if held is None else str(held.value).split(_BETWEEN)


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
