"""Prognostic scores: what the comparison units' outcomes say each unit would have had."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.alignment import check_unique, in_order
from tfeval.impact.study.compiled import one_blas_thread
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study


def prognostic_scores(study: Study, prognosis: pd.DataFrame | pd.Series) -> dict[str, np.ndarray]:
    """Return one score a unit for each outcome, fitted on the comparison units only.

    Parameters
    ----------
    study : Study
        Who and on what.
    prognosis : DataFrame or Series
        A frame of outcomes, earlier or others, with the study's index: each is regressed on the
        covariates among the comparison units (least squares, sampling weights) and predicted for
        everyone. Or a Series of scores fitted elsewhere.

    Returns
    -------
    dict of str to ndarray of float, shape (n,)
        By name, as shown.

    Raises
    ------
    DataError
        If rows do not fit the study's, a column holds no numbers, or too few are known.

    References
    ----------
    Hansen (2008), The prognostic analogue of the propensity score, Biometrika 95(2): 481-488.
    Stuart, Lee and Leacy (2013), Prognostic score-based balance measures can be a useful
    diagnostic for propensity score methods, Journal of Clinical Epidemiology 66(8): S84-S90.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 0, 0], "age": [20.0, 30.0, 40.0, 50.0]})
    >>> outcome = pd.DataFrame({"arrears": [np.nan, 3.0, 4.0, 5.0]})
    >>> scores = prognostic_scores(study(frame, covariates=["age"]), outcome)
    >>> scores["prognostic score: arrears"].round(6).tolist()
    [2.0, 3.0, 4.0, 5.0]
    """
    if isinstance(prognosis, pd.Series):
        values = _numbers(in_order(prognosis, study.index, "The prognoses"))
        if not np.isfinite(values[study.sampling > 0]).all():
            raise DataError("The prognostic score is missing or infinite for some units.")
        named = "" if prognosis.name is None else f": {prognosis.name}"
        return {f"prognostic score{named}": values}
    if not isinstance(prognosis, pd.DataFrame) or not prognosis.shape[1]:
        raise ParameterError("prognosis is a frame of outcomes, or a Series of fitted scores.")
    check_unique(prognosis.columns, "The prognoses")
    frame = in_order(prognosis, study.index, "The prognoses")
    scores = {}
    for name in frame.columns:
        values = _numbers(frame[name])
        weights = np.where(np.isfinite(values) & ~study.treated, study.sampling, 0.0)
        if np.count_nonzero(weights) < study.covariates.count + 2:
            raise DataError(
                f"Prognosis {name}: too few comparison units have it for as many covariates. "
                "Give another outcome, or a Series of fitted scores."
            )
        filled = np.where(weights > 0, values, 0.0)
        with one_blas_thread(True):  # small blocks: threads would only wait
            scores[f"prognostic score: {name}"] = linear_fit(study.covariates, filled, weights)
    return scores


def linear_fit(covariates: Covariates, outcome: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the predictions of weighted least squares for every unit, block by block.

    Parameters
    ----------
    covariates : Covariates
        With an intercept added; a column that follows from the others does no harm.
    outcome, weights : ndarray of float, shape (n,)
        Units of weight 0 are not fitted on.
    """
    centre, scale = _location(covariates, weights)
    gram = np.zeros((covariates.count + 1,) * 2)
    moment = np.zeros(covariates.count + 1)
    for rows, block in covariates.blocks():
        x = _standard(block, centre, scale)
        weighted = x * weights[rows]
        gram += weighted @ x.T
        moment += weighted @ outcome[rows]
    size = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    solved = np.linalg.lstsq(gram / np.outer(size, size), moment / size, rcond=1e-12)[0] / size
    fitted = np.empty(covariates.size)
    for rows, block in covariates.blocks():
        fitted[rows] = solved @ _standard(block, centre, scale)
    return fitted


def _location(covariates: Covariates, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Rough is enough: it only keeps the sums well scaled.
    first = np.flatnonzero(weights)[0]
    start = covariates.block(first, first + 1)[:, 0].copy()
    total, squares = np.zeros(covariates.count), np.zeros(covariates.count)
    for rows, block in covariates.blocks():
        apart = block - start[:, None]
        total += apart @ weights[rows]
        squares += (apart * apart) @ weights[rows]
    mean = total / weights.sum()
    spread = np.sqrt(np.maximum(squares / weights.sum() - mean**2, 0.0))
    return start + mean, np.where(spread > 0, spread, 1.0)


def _standard(block: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    x = np.ones((len(block) + 1, block.shape[1]))
    np.subtract(block, centre[:, None], out=x[1:])
    x[1:] /= scale[:, None]
    return x


def _numbers(series: pd.Series) -> np.ndarray:
    return floats_of(series, f"Prognosis {series.name}")
