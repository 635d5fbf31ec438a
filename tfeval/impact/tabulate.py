"""Estimates and their intervals as the one table of effects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.impact.design import Design
from tfeval.impact.effects import COLUMNS, Effects
from tfeval.impact.estimates import Estimates
from tfeval.impact.intervals import Intervals


def tabulated(
    design: Design,
    held: Estimates,
    intervals: Intervals,
    *,
    method: str,
    errors: str,
    level: float,
) -> Effects:
    """Return effects with the columns `COLUMNS`, in order of population and outcome."""
    frame = pd.DataFrame(list(held.rows))
    effect, comparison = held.effect, held.comparison
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(comparison > 0, effect / comparison, np.nan)
    frame = frame.assign(
        estimand=design.estimand,
        method=method,
        errors=errors,
        estimate=effect,
        std_error=np.sqrt(np.maximum(np.diag(intervals.covariance), 0.0)),
        conf_low=intervals.low,
        conf_high=intervals.high,
        p_value=intervals.p_value,
        p_adjusted=np.nan,
        relative=relative,
        relative_low=intervals.relative_low,
        relative_high=intervals.relative_high,
        mean_treated=held.treated,
        mean_comparison=comparison,
        clusters=intervals.clusters,
        planned=pd.array([pd.NA] * len(frame), dtype="boolean"),
    )
    frame["months"] = frame["months"].astype("Int64")
    settings = {"design": design.method, **design.settings}
    return Effects(
        frame=frame.reindex(columns=list(COLUMNS)),
        joint=intervals.covariance,
        level=level,
        settings=settings,
        notes=design.notes,
        simulated=design.study.simulated,
    )
