"""What of a panel enters a regression of an outcome on a dose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.panel.panel import Panel
from tfeval.impact.panel.two_way import Cells


@dataclass(frozen=True, eq=False)
class Prepared:
    """What of a panel enters the regression."""

    cells: Cells
    units: np.ndarray  # int: their rows in the panel
    times: np.ndarray  # int: periods with any value, ascending; the base is one of them
    dose: np.ndarray  # (units,)
    scale: float  # a coefficient times this is for one unit of the dose
    codes: np.ndarray | None  # (units,) int: clusters from 0

    @property
    def dated(self) -> np.ndarray:
        """Return the periods but the base."""
        return np.delete(self.times, self.cells.base)

    def residual_dose(self) -> np.ndarray:
        """Return what is left of the dose, given a constant and the covariates."""
        rows, weights = self.cells.regressors[:, :-1], self.cells.weights
        root = np.sqrt(weights)
        fit = np.linalg.lstsq(rows * root[:, None], self.dose * root, rcond=None)[0]
        return self.dose - rows @ fit


def detrended(values: np.ndarray, times: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Take each unit's own slope over some periods off; a unit without one is missing."""
    own = values[:, before]
    seen = np.isfinite(own)
    count = seen.sum(axis=1, keepdims=True)
    dates = np.where(seen, times[before].astype(float), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(seen, dates - dates.sum(axis=1, keepdims=True) / count, 0.0)
        slope = (apart * np.where(seen, own, 0.0)).sum(axis=1) / (apart**2).sum(axis=1)
    return values - slope[:, None] * (times - times[before][-1])


def columns_of(
    panel: Panel, dosing: str, by_time: Iterable[str], weighting: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dose, covariates and weights of all units, missing as NaN."""
    count = len(panel.units)
    dose = panel.numbers(dosing)
    weights = np.ones(count) if weighting is None else panel.numbers(weighting)
    if (weights < 0).any():
        raise DataError(f"{int((weights < 0).sum())} units have a negative {weighting}.")
    parts = [np.empty((count, 0))]
    for name in by_time:
        column = panel.fixed[name] if name in panel.fixed else pd.Series(panel.column(name))
        if pd.api.types.is_numeric_dtype(column):
            parts.append(panel.numbers(name)[:, None])
        else:
            codes, levels = pd.factorize(column, sort=True)
            dummies = (codes[:, None] == np.arange(1, len(levels))).astype(float)
            dummies[codes < 0] = np.nan
            parts.append(dummies)
    return dose, np.concatenate(parts, axis=1), weights


def regressors_of(
    name: str, dose: np.ndarray, covariates: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return a constant, the covariates that say something new, and the dose, on one scale."""
    root, held = np.sqrt(weights), [np.ones(len(dose))]
    basis = root[:, None] / np.linalg.norm(root)
    for place, column in enumerate((*covariates.T, dose)):
        centred = column - np.average(column, weights=weights)
        size = np.linalg.norm(root * centred)
        left = root * centred
        for _ in range(2):  # twice: the second takes off what rounding left
            left = left - basis @ (basis.T @ left)
        # Against the column itself, so that a constant far from nought is seen as one.
        if np.linalg.norm(left) > 1e-8 * max(size, 1e-6 * np.linalg.norm(root * column)):
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
            held.append(centred * (np.sqrt(weights.sum()) / size))
        elif place == covariates.shape[1]:
            raise DataError(
                f"The dose {name} is the same for all {len(dose)} units, or follows from "
                "the covariates by period: nothing is left to compare."
            )
    size = np.linalg.norm(root * (dose - np.average(dose, weights=weights)))
    return np.column_stack(held), float(np.sqrt(weights.sum()) / size)
