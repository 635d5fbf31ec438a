"""Estimates and their intervals as the one table of effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.design.design import Design
from tfeval.impact.effects.columns import COLUMNS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.inference.inference import Asked
from tfeval.impact.inference.intervals import Intervals
from tfeval.impact.inference.pooled import for_pooling
from tfeval.impact.inference.rules import Ruling
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.study.study import Study


def tabulated(
    design: Design,
    held: Estimates,
    intervals: Intervals,
    *,
    method: str,
    errors: Asked,
    level: float,
    notes: tuple[str, ...] = (),
) -> Effects:
    """Return effects with the columns `COLUMNS`, in order of population and outcome."""
    ruling = intervals.ruling
    effect = np.where(ruling.estimable, held.effect, np.nan)
    comparison = held.comparison
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(comparison > 0, effect / comparison, np.nan)
    count = len(held.rows)
    columns = {name: [row[name] for row in held.rows] for name in held.rows[0]}
    computed = {
        "months": pd.array(columns["months"], dtype="Int64"),
        "estimand": [design.estimand] * count,
        "method": [method] * count,
        "errors": errors.words_of(ruling.kind),
        "estimate": effect,
        "std_error": np.sqrt(np.maximum(np.diag(intervals.covariance), 0.0)),
        "conf_low": intervals.low,
        "conf_high": intervals.high,
        "p_value": intervals.p_value,
        "p_adjusted": np.full(count, np.nan),
        "relative": relative,
        "relative_low": intervals.relative_low,
        "relative_high": intervals.relative_high,
        "mean_treated": held.treated,
        "mean_comparison": comparison,
        "clusters": intervals.clusters,
        "freedom": intervals.freedom,
        "small_sample": [
            "" if plain or not known else "score" if rare else str(kind)
            for kind, rare, known, plain in zip(
                ruling.kind, ruling.rare, ruling.estimated, _plain(ruling), strict=True
            )
        ],
        "status": [str(one) for one in ruling.status],
        "planned": [None] * count,
    }
    frame = pd.DataFrame({name: {**columns, **computed}[name] for name in COLUMNS})
    settings = {"design": design.method, **design.settings, **_of_study(design.study)}
    return Effects(
        frame=frame,
        joint=intervals.covariance,
        level=level,
        settings=settings,
        notes=(*design.notes, *notes),
        pooling=for_pooling(held),
        simulated=design.study.simulated,
    )


def _plain(ruling: Ruling) -> np.ndarray:
    """Return which errors are of the form that their name says by itself."""
    return np.isin(ruling.kind, ("hc1", "cr1", "two_way", "given")) & ~ruling.rare


def _of_study(study: Study) -> dict[str, Any]:
    """Return what a plan may have fixed about the study."""
    used = {column.source for column in study.covariates.columns} | set(study.left_out)
    before = {name for name, timing in study.timing.items() if timing == "before"}
    return {
        "cohort": study.cohort,
        "study_units": study.size,
        "within": study.strata_names,
        "covariates": tuple(sorted(used)),
        "covariates_not_used": tuple(sorted(before - used)) if study.timing else None,
        "covariates_added": tuple(sorted(used - before)),
    }
