"""The logistic regression once more for each fold, without the fold."""

from __future__ import annotations

import numpy as np

from tfeval.impact.propensity.logit import LogitFit, fit_logit
from tfeval.impact.propensity.newton import TOLERANCE, solved, step_size
from tfeval.impact.study.compiled import LARGE, in_parts, one_blas_thread
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.rows import Reader, parts, reader, steps, thinned


def linear_out_of_fold(
    covariates: Covariates,
    treated: np.ndarray,
    weight: np.ndarray | None,
    folds: np.ndarray,
    full: LogitFit,
) -> np.ndarray:
    """Return each unit's linear predictor from the fit without its fold.

    Parameters
    ----------
    covariates : Covariates
    treated : ndarray of bool, shape (n,)
    weight : ndarray of float, shape (n,), or None
        Sampling weights.
    folds : ndarray of int, shape (n,)
        From 0.
    full : LogitFit
        Of all units, where the fits begin: all folds advance in the same reading, with the full
        fit's information in proportion, which is nearly theirs where units are many.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    count = int(folds.max()) + 1
    if covariates.size >= LARGE:
        linear = _together(covariates, treated, weight, folds, full)
        if linear is not None:
            return linear
    linear = np.empty(covariates.size)
    own = np.ones(covariates.size) if weight is None else weight
    for fold in range(count):
        held = folds == fold
        fit = fit_logit(covariates, treated, np.where(held, 0.0, own))
        linear[held] = fit.linear[held]
    return linear


def _together(
    covariates: Covariates,
    treated: np.ndarray,
    weight: np.ndarray | None,
    folds: np.ndarray,
    full: LogitFit,
) -> np.ndarray | None:
    # None if the steps do not shrink: then the full fit's information is not near a fold's.
    some = thinned(covariates, slice(None, None, max(1, covariates.size // 10_000)))
    scale = reader(covariates, some).scale
    rows = Reader(covariates, np.zeros(covariates.count), scale)
    held = np.bincount(folds, weights=weight)
    shares = 1.0 - held / held.sum()
    found = np.repeat(full.coefficients[:, None], len(shares), axis=1)
    linear, last = np.empty(covariates.size), np.inf
    with one_blas_thread(True):
        gradient = _first_gradients(rows, full.residual, folds, len(shares))
        for _ in range(12):
            ahead = np.column_stack(
                [solved(full.information * share, gradient[:, fold])
                 for fold, share in enumerate(shares)]
            )  # fmt: skip
            size = max(
                step_size(ahead[:, fold], found[:, fold], scale) for fold in range(len(held))
            )
            if size < TOLERANCE:
                return linear
            if not size < 0.3 * last:
                return None
            found, last = found + ahead, size
            gradient = _gradients(rows, found, treated, weight, folds, linear)
    return None


def _first_gradients(
    rows: Reader, residual: np.ndarray, folds: np.ndarray, count: int
) -> np.ndarray:
    # At the full fit's coefficients all of a fold's terms are known, and sum to 0 with the rest's.
    def part(start: int, stop: int) -> np.ndarray:
        room, gradient = rows.room(), np.zeros((1 + rows.covariates.count, count))
        for block in steps(start, stop):
            x = rows.read(block.start, block.stop, room)
            apart = np.where(folds[block] == np.arange(count)[:, None], residual[block], 0)
            gradient -= np.dot(x, apart.T)
        return gradient

    return np.sum(in_parts(part, parts(rows.size)), axis=0)


def _gradients(  # noqa: PLR0917
    rows: Reader,
    coefficients: np.ndarray,
    treated: np.ndarray,
    weight: np.ndarray | None,
    folds: np.ndarray,
    linear: np.ndarray,
) -> np.ndarray:
    # Column f: the gradient over units outside fold f at its own coefficients.
    count = coefficients.shape[1]

    def part(start: int, stop: int) -> np.ndarray:
        room, gradient = rows.room(), np.zeros(coefficients.shape)
        for block in steps(start, stop):
            x = rows.read(block.start, block.stop, room)
            own = folds[block]
            eta = np.dot(coefficients.T, x)
            linear[block] = np.take_along_axis(eta, own[None].astype(np.intp), axis=0)[0]
            np.negative(eta, out=eta)
            with np.errstate(over="ignore"):
                np.exp(eta, out=eta)
            eta += 1.0
            np.reciprocal(eta, out=eta)
            residual = np.subtract(treated[block].astype(float), eta, out=eta)
            residual *= own != np.arange(count)[:, None]
            if weight is not None:
                residual *= weight[block]
            gradient += np.dot(x, residual.T)
        return gradient

    return np.sum(in_parts(part, parts(rows.size)), axis=0)
