"""Calipers in the units of what they limit."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.matching.nearest import Calipers
from tfeval.impact.matching.settings import Settings
from tfeval.impact.study.naming import known_names
from tfeval.impact.study.study import Study


def calipers_of(study: Study, chosen: Settings, along: np.ndarray) -> Calipers:
    """Return the calipers asked for as distances.

    Parameters
    ----------
    study : Study
        For the covariates and their spread.
    chosen : Settings
        With `caliper`, `calipers`, their unit and whose spread it is.
    along : ndarray of float, shape (n,)
        The score that `caliper` limits.

    Raises
    ------
    ParameterError
        If a covariate is unknown.
    """
    values = [_covariate(study, name) for name in chosen.calipers]
    widths = list(chosen.calipers.values())
    width = np.inf if chosen.caliper is None else chosen.caliper
    if chosen.caliper_unit == "sd":
        if np.isfinite(width):
            width *= _spread(along, study, chosen.caliper_spread)
        widths = [
            wide * _spread(column, study, chosen.caliper_spread)
            for wide, column in zip(widths, values, strict=True)
        ]
    stacked = np.column_stack(values) if values else np.empty((study.size, 0))
    return Calipers(float(width), stacked, np.array(widths, dtype=float))


def _covariate(study: Study, name: str) -> np.ndarray:
    if name not in study.covariates.names:
        raise ParameterError(
            f"There is no covariate {name} to put a caliper on. "
            f"{suggest(name, known_names(study.covariates))}"
        )
    return study.covariates.column(name)


def _spread(values: np.ndarray, study: Study, whose: str) -> float:
    """Return the standard deviation that is a caliper's unit.

    Sampling weights do not enter: a caliper is about who is alike, not about how many.
    """
    if whose == "all":
        return float(np.std(values, ddof=1))
    arms = [study.treated] if whose == "treated" else [study.treated, ~study.treated]
    return float(np.sqrt(np.mean([np.var(values[arm], ddof=1) for arm in arms])))
