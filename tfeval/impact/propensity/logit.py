"""The logistic regression of being treated on the covariates, for few units and for millions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.propensity.newton import TOLERANCE, Solution, Terms, solve, solved, step_size
from tfeval.impact.study.blocks import Reader, parts, reader, steps, thinned
from tfeval.impact.study.checks import sources_of
from tfeval.impact.study.covariates import LARGE, Covariates, in_parts, one_blas_thread

#: Decimals of the linear predictor that are told apart.
DIGITS = 11
#: Linear predictor whose exponential is near the largest number there is.
FAR = 700.0


@dataclass(frozen=True, eq=False)
class LogitFit(Solution):
    """A logistic regression."""

    #: score, residual: (n,): probability, and sampling weight times (treated less probability).
    score: np.ndarray
    residual: np.ndarray


def logit_terms(treated: np.ndarray, weight: np.ndarray | None) -> Terms:
    """Return minus the log likelihood of a block, its residuals and curvatures."""

    def terms(
        eta: np.ndarray, block: slice, curvature: bool
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        arm = treated[block].astype(float)
        score = np.negative(eta)
        with np.errstate(over="ignore"):
            np.exp(score, out=score)
        score += 1.0
        value = np.log(score) if curvature else None
        if value is not None and eta.min() < -FAR:
            # One unit far from the others must not make the sum infinite.
            np.copyto(value, -eta, where=eta < -FAR)
        np.reciprocal(score, out=score)
        residual = arm - score
        own = None if weight is None else weight[block]
        if own is not None:
            residual *= own
        if value is None:
            return 0.0, residual, None
        value += eta * (1.0 - arm)
        curved = score * (1.0 - score)
        if own is None:
            return float(value.sum()), residual, curved
        return float(value @ own), residual, curved * own

    return terms


def fit_logit(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None = None
) -> LogitFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    weight : ndarray of float, shape (n,), optional
        Sampling weights.

    Raises
    ------
    DataError
        If covariates tell the arms apart perfectly, or the fit does not converge.
    """
    share = float(np.clip(np.average(treated, weights=weight), 1e-3, 0.999))
    found = solve(
        covariates,
        lambda rows: logit_terms(treated[rows], None if weight is None else weight[rows]),
        np.log(share / (1.0 - share)),
        lambda: _refuse_separation(covariates, treated, weight),
        lambda sizes: _not_converged(covariates, sizes),
    )
    score, residual = scores(found.linear, treated, weight)
    return LogitFit(
        found.coefficients,
        found.information,
        found.linear,
        found.redundant,
        found.left,
        score,
        residual,
    )


def scores(
    linear: np.ndarray, treated: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and weighted residuals from linear predictors; shapes (n,).

    The linear predictors are rounded in place: sums taken in another order differ in the last
    digits, which must not break ties between units that are the same.
    """
    score, residual = np.empty(len(linear)), np.empty(len(linear))

    def part(start: int, stop: int) -> None:
        for block in steps(start, stop):
            own = score[block]
            np.round(linear[block], DIGITS, out=linear[block])
            np.negative(linear[block], out=own)
            with np.errstate(over="ignore"):
                np.exp(own, out=own)
            own += 1.0
            np.reciprocal(own, out=own)
            np.subtract(treated[block], own, out=residual[block])
            if weight is not None:
                residual[block] *= weight[block]

    in_parts(part, parts(len(linear)))
    return score, residual


def _refuse_separation(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None
) -> None:
    counts = covariates.count
    low, high = np.full((2, counts), np.inf), np.full((2, counts), -np.inf)
    for block, x in covariates.blocks():
        counted = np.ones(x.shape[1], bool) if weight is None else weight[block] > 0
        for arm in (0, 1):
            own = x[:, counted & (treated[block] == bool(arm))]
            if own.shape[1]:
                np.minimum(low[arm], own.min(axis=1), out=low[arm])
                np.maximum(high[arm], own.max(axis=1), out=high[arm])
    apart = (low[1] >= high[0]) | (low[0] >= high[1])
    names = [name for name, one in zip(covariates.names, apart, strict=True) if one]
    if names:
        named = sources_of(covariates, names)[:5]
        raise DataError(
            f"{', '.join(named)}: tells treated from comparison units without overlap (above "
            "some value, or in some category, all are of one arm), so no propensity score exists. "
            "Leave it out, group its categories, or leave out the units that have no counterpart."
        )


def _not_converged(covariates: Covariates, sizes: np.ndarray) -> DataError:
    named = sources_of(covariates, [covariates.names[at] for at in np.argsort(-sizes)[:3]])
    return DataError(
        "The logistic regression does not converge: together the covariates tell treated from "
        f"comparison units almost perfectly. Look first at {', '.join(named)}."
    )


# The logistic regression once more for each fold, without the fold.


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
