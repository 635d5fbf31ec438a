"""Doses permuted among units, and estimates without some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError, check_seed
from tfeval.impact.panel.event_estimates import Prepared
from tfeval.impact.panel.event_study import EventStudy
from tfeval.impact.panel.panel import Panel, drawing_order

#: Draws taken at a time, so that memory stays small.
_CHUNK = 1000
#: Statistics this close are the same.
_SAME = 1e-9
#: From doses, shape (draws, units), to summaries.
Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Randomised(Rich):
    """A test by permuted doses.

    Attributes
    ----------
    p_value : float
        (1 + draws at least as far from nought as what was seen) / (1 + draws).
    draws : int
    statistics : ndarray, shape (draws,)
        The summary, by permuted doses.
    observed : float
    """

    p_value: float
    draws: int
    statistics: np.ndarray
    observed: float


def randomise(
    design: EventStudy,
    panel: Panel,
    outcome: str,
    *,
    within: str | None = None,
    draws: int = 9999,
    seed: int = 1,
) -> Randomised:
    """Test an event study's summary by permuting doses among units.

    What is left of the dose, given the covariates by period, is permuted among the units of a
    stratum, and the whole regression is fitted again with each permuted dose: exactly, with missing
    cells too.

    Parameters
    ----------
    design : EventStudy
    panel : Panel
    outcome : str
    within : str, optional
        Column of strata, fixed by unit; by default doses go among all units.
    draws, seed : int

    Returns
    -------
    Randomised

    Raises
    ------
    DataError
        If a unit has no stratum, or no stratum has two units whose doses differ.
    ParameterError
        If there are no draws, or what is given is no event study or panel.

    Notes
    -----
    The test is of no effect on any unit, and holds where units could have changed places: where
    those with a high dose vary more for other reasons, p is too small, and errors by cluster say
    more.

    References
    ----------
    Kennedy (1995), Randomization tests in econometrics, Journal of Business and Economic
    Statistics 13, on residuals that are permuted.

    Examples
    --------
    >>> from tfeval.impact.panel.event_study import event_study
    >>> rng = np.random.default_rng(1)
    >>> dose = rng.uniform(size=40)
    >>> rate = rng.normal(size=(40, 4)) + np.outer(dose, [0, 0, 3, 3])
    >>> made = Panel(pd.RangeIndex(40), np.arange(4), {"rate": rate}, pd.DataFrame({"dose": dose}))
    >>> randomise(event_study("dose", base=1, post=[2, 3]), made, "rate", draws=999).p_value
    0.001
    """
    _check(design, panel, draws, seed)
    prepared = design.prepared(panel, outcome)
    strata = _strata(panel, prepared, within)
    dose = prepared.residual_dose()
    if not any(np.ptp(dose[own]) > _SAME * np.ptp(dose) for own in strata):
        raise DataError(f"Within each {within} doses are alike: none can change places.")
    summary = np.isin(prepared.dated, design.post) / len(design.post)
    statistic = _whole if prepared.cells.whole else _with_missing
    by = statistic(prepared, summary)
    observed = float(by(dose[None, :])[0])
    rng, drawn = np.random.default_rng(seed), np.empty(draws)
    for start in range(0, draws, _CHUNK):
        part = slice(start, min(start + _CHUNK, draws))
        doses = np.empty((part.stop - start, len(dose)))
        for own in strata:
            doses[:, own] = rng.permuted(np.broadcast_to(dose[own], doses[:, own].shape), axis=1)
        drawn[part] = by(doses)
    far = int((np.abs(drawn) >= abs(observed) * (1 - _SAME)).sum())
    return Randomised((1 + far) / (1 + draws), draws, drawn, observed)


def leave_out(design: EventStudy, panel: Panel, outcome: str, by: str) -> pd.DataFrame:
    """Return an event study's summary without each level of a column.

    Parameters
    ----------
    design : EventStudy
    panel : Panel
    outcome : str
    by : str
        Column fixed by unit, such as the region. A unit without a value is never left out.

    Returns
    -------
    DataFrame
        One row a level: left_out, units, estimate, std_error, freedom, conf_low, conf_high,
        p_value.
    """
    levels = panel.column(by)
    rows = []
    for level in pd.unique(pd.Series(levels).dropna().sort_values()):
        estimates = design.fit(panel.take(levels != level), outcome)
        rows.append({"left_out": level, "units": estimates.units, "estimate": estimates.estimate,
                     "std_error": estimates.std_error, "freedom": estimates.freedom,
                     "conf_low": estimates.conf_low, "conf_high": estimates.conf_high,
                     "p_value": estimates.p_value})  # fmt: skip
    return pd.DataFrame(rows)


def _check(design: Any, panel: Any, draws: Any, seed: Any) -> None:
    if not isinstance(design, EventStudy) or not isinstance(panel, Panel):
        raise ParameterError(
            "randomise takes an event_study and a panel, which hold dose and outcome."
        )
    if not isinstance(draws, Integral) or draws < 1:
        raise ParameterError(f"draws is a whole number from 1 on, not {draws!r}.")
    check_seed(seed)


def _strata(panel: Panel, prepared: Prepared, within: str | None) -> list[np.ndarray]:
    order = drawing_order(prepared.cells.outcome)
    if within is None:
        return [order]
    codes = pd.factorize(panel.column(within)[prepared.units][order])[0]
    if (codes < 0).any():
        raise DataError(f"{int((codes < 0).sum())} units have no {within} to permute doses within.")
    strata = [order[codes == code] for code in range(codes.max() + 1)]
    if max(map(len, strata)) < 2:
        raise DataError(f"Each {within} has one unit: no doses can be permuted. Use another.")
    return strata


def _whole(prepared: Prepared, summary: np.ndarray) -> Statistic:
    """Return the summary as a function of doses, shape (draws, units), no cell missing.

    The regression is then one cross-section of each unit's mean change since the base.
    """
    cells, outcome = prepared.cells, prepared.cells.outcome
    change = np.delete(outcome - outcome[:, [cells.base]], cells.base, axis=1) @ summary
    root = np.sqrt(cells.weights)
    basis = np.linalg.qr(cells.regressors[:, :-1] * root[:, None])[0]
    change = change * root
    change = (change - basis @ (basis.T @ change)) * root

    def of(doses: np.ndarray) -> np.ndarray:
        rooted = doses * root
        whole = (rooted**2).sum(axis=1)
        left = whole - ((rooted @ basis) ** 2).sum(axis=1)
        sure = left > _SAME * whole
        # A dose that follows from the covariates has no slope: as far from nought as can be.
        return np.where(sure, (doses @ change) / np.where(sure, left, 1.0), np.inf)

    return of


def _with_missing(prepared: Prepared, summary: np.ndarray) -> Statistic:
    """Return the same where cells are missing: all columns but the dose's are projected out."""
    cells = prepared.cells
    rows, weights = cells.regressors[:, :-1], cells.weights
    count, k, times = len(rows), rows.shape[1], len(summary)
    grams, values = np.empty((count, times, times)), np.empty((count, times))
    for own in cells.patterns:
        grams[own.units] = own.regressors.T @ own.regressors
        values[own.units] = own.outcome @ own.regressors
    grams *= weights[:, None, None]
    values *= weights[:, None]
    others = np.einsum("ij,ist,il->jslt", rows, grams, rows, optimize=True).reshape(k * times, -1)
    size, vectors = np.linalg.eigh(others)
    sure = size > size.max() * 1e-11
    root = vectors[:, sure] / np.sqrt(size[sure])
    right = root.T @ np.einsum("ij,is->js", rows, values).ravel()
    # The products of a dose with the others are linear in it, and with itself quadratic.
    crossed = np.einsum("ij,ist->ijst", rows, grams).reshape(count, k * times, times)
    crossed = np.tensordot(crossed, root, axes=(1, 0)).reshape(count, -1)

    def of(doses: np.ndarray) -> np.ndarray:
        both = (doses @ crossed).reshape(len(doses), times, -1)
        own = (doses**2 @ grams.reshape(count, -1)).reshape(-1, times, times)
        matrix = own - both @ both.transpose(0, 2, 1)
        sums = (doses @ values - both @ right)[:, :, None]
        try:
            return np.linalg.solve(matrix, sums)[:, :, 0] @ summary
        except np.linalg.LinAlgError:
            raise DataError(
                "Some permuted doses leave nothing to compare in a period: too few units are seen "
                "there. Leave the period out, or permute within larger strata."
            ) from None

    return of
