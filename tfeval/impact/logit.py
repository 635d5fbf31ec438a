"""The logistic regression of being treated on the covariates, for few units and for millions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.compiled import in_parts
from tfeval.impact.covariates import Covariates
from tfeval.impact.newton import (
    TOLERANCE,
    NotConvergedError,
    Reader,
    Sums,
    Terms,
    newton,
    own_threads,
    parts,
    reader,
    solved,
    step_size,
    steps,
    sweep,
    thinned,
)

#: Least and most units whose fit starts the fit of all, where there are at least four times more.
SAMPLE = (6_000, 50_000)
#: Share of a covariate's variance that the others must leave unexplained.
REDUNDANT = 1e-10


@dataclass(frozen=True, eq=False)
class LogitFit:
    """A logistic regression.

    Attributes
    ----------
    coefficients : ndarray, shape (1 + count,)
        The intercept first; 0 for a redundant covariate.
    information : ndarray, shape (1 + count, 1 + count)
        Of the coefficients; that of a redundant one is so large that it does not move.
    linear, score, residual : ndarray, shape (n,)
        Linear predictor, probability, and sampling weight times (treated less probability).
    redundant : tuple of str
        Covariates that are a combination of those before them.
    """

    coefficients: np.ndarray
    information: np.ndarray
    linear: np.ndarray
    score: np.ndarray
    residual: np.ndarray
    redundant: tuple[str, ...]


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
    covariates : Covariates
    treated : ndarray of bool, shape (n,)
    weight : ndarray of float, shape (n,), optional
        Sampling weights.

    Raises
    ------
    DataError
        If covariates tell the arms apart perfectly, or the fit does not converge.
    """
    with own_threads(covariates.size):
        start = _start(covariates, treated, weight)
        kept = np.flatnonzero(~_redundant(start, treated, weight))
        if len(kept) < covariates.count:
            columns = tuple(covariates.columns[place] for place in kept)
            start = _start(replace(covariates, columns=columns), treated, weight)
        rows, terms = start.rows, logit_terms(treated, weight)
        try:
            found, information = newton(
                rows,
                terms,
                start.coefficients,
                start.information,
                lambda: _refuse_separation(rows, treated, weight),
            )
        except NotConvergedError as error:
            raise _not_converged(rows, error.coefficients) from None
        found, linear = _settled(rows, terms, found, information)
    score, residual = scores(linear, treated, weight)
    places = np.r_[0, 1 + kept]
    coefficients = np.zeros(1 + covariates.count)
    coefficients[places] = rows.unshifted(found)
    names = tuple(name for place, name in enumerate(covariates.names) if place not in kept)
    whole = _whole(rows.unshifted_information(information), places, len(coefficients))
    return LogitFit(coefficients, whole, linear, score, residual, names)


@dataclass(frozen=True, eq=False)
class _Start:
    # Where the steps begin; `information` is nearly the solution's, where a sample gave it.
    rows: Reader
    coefficients: np.ndarray
    products: np.ndarray
    information: np.ndarray | None = None


def _start(covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None) -> _Start:
    # Few units: the log odds. Many: a few steps on a sample, held back by as much as one unit
    # would, so that a rare category absent from one arm of the sample does not run away.
    least, most = SAMPLE
    wanted = min(most, max(least, covariates.size // 16))
    step = covariates.size // wanted if covariates.size >= 4 * least else 1
    sample = thinned(covariates, step) if step > 1 else covariates
    rows = reader(covariates, sample)
    few = replace(rows, covariates=sample)
    arm, own = treated[::step], None if weight is None else weight[::step]
    share = np.average(arm, weights=own) if own is None or own.any() else 0.5
    share = np.clip(share, 1e-3, 0.999)
    found = np.zeros(1 + covariates.count)
    found[0] = np.log(share / (1.0 - share))
    terms = logit_terms(arm, own)
    sums = sweep(few, found, terms)
    products = _of(sums)
    if step == 1:
        return _Start(rows, found, products)
    hold = np.diag(np.r_[1e-3, 0.25 * _largest_squares(few)])
    for _ in range(4):
        found = found + solved(_of(sums) + hold, sums.gradient - hold @ found)
        sums = sweep(few, found, terms)
    return _Start(rows, found, products, _of(sums) * (covariates.size / sample.size) + hold)


def _of(sums: Sums) -> np.ndarray:
    assert sums.information is not None
    return sums.information


def _largest_squares(rows: Reader) -> np.ndarray:
    most = np.zeros(rows.covariates.count)
    for _, block in rows.covariates.blocks():
        np.maximum(most, np.abs(block - rows.shift[:, None]).max(axis=1), out=most)
    return most**2


def _redundant(start: _Start, treated: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    # What is redundant in all rows is so in a sample; what a sample suspects, all rows decide.
    suspect = redundant(start.products)
    if suspect.any() and start.information is not None:
        terms = logit_terms(treated, weight)
        return redundant(_of(sweep(start.rows, np.zeros(len(start.products)), terms)))
    return suspect


def redundant(information: np.ndarray) -> np.ndarray:
    """Say which covariates are a combination of the intercept and those before them.

    Parameters
    ----------
    information : ndarray, shape (1 + count, 1 + count)
        Weighted cross-products, the intercept first.

    Returns
    -------
    ndarray of bool, shape (count,)

    Examples
    --------
    >>> x = np.array([[1, 1, 1, 1.0], [0, 1, 0, 1], [1, 0, 1, 0], [1, 2, 3, 4]])
    >>> redundant(x @ x.T).tolist()
    [False, True, False]
    """
    left = information.copy()
    count = len(left) - 1
    found = np.zeros(count, dtype=bool)
    left -= np.outer(left[:, 0], left[0]) / left[0, 0]
    own = np.diagonal(left).copy()
    for place in range(1, count + 1):
        pivot = left[place, place]
        if (
            not pivot > REDUNDANT * own[place]
            or not own[place] > REDUNDANT * (information[place, place])
        ):
            found[place - 1] = True
            continue
        left -= np.outer(left[:, place], left[place]) / pivot
    return found


def _settled(
    rows: Reader, terms: Terms, found: np.ndarray, information: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # The last reading gives the linear predictor, and proves that the equations hold there.
    linear = np.empty(rows.size)
    for _ in range(5):
        sums = sweep(rows, found, terms, curvature=False, linear=linear)
        step = solved(information, sums.gradient)
        if step_size(step, found, rows.scale) < TOLERANCE:
            break
        found = found + step
    return found, linear


def scores(
    linear: np.ndarray, treated: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and weighted residuals from linear predictors; shapes (n,)."""
    score, residual = np.empty(len(linear)), np.empty(len(linear))

    def part(start: int, stop: int) -> None:
        for block in steps(start, stop):
            own = score[block]
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


def _whole(information: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    # A redundant coefficient stays at 0: so much is known of it that nothing moves it.
    whole = np.diag(np.full(count, 1e12 * np.diagonal(information).max()))
    whole[np.ix_(places, places)] = information
    return whole


def _refuse_separation(rows: Reader, treated: np.ndarray, weight: np.ndarray | None) -> None:
    counts = rows.covariates.count
    low, high = np.full((2, counts), np.inf), np.full((2, counts), -np.inf)
    for block, x in rows.covariates.blocks():
        counted = np.ones(x.shape[1], bool) if weight is None else weight[block] > 0
        for arm in (0, 1):
            own = x[:, counted & (treated[block] == bool(arm))]
            if own.shape[1]:
                np.minimum(low[arm], own.min(axis=1), out=low[arm])
                np.maximum(high[arm], own.max(axis=1), out=high[arm])
    apart = (low[1] >= high[0]) | (low[0] >= high[1])
    names = [name for name, one in zip(rows.covariates.names, apart, strict=True) if one]
    if names:
        raise DataError(
            f"{', '.join(names[:5])}: tells treated from comparison units without overlap (above "
            "some value, or in some category, all are of one arm), so no propensity score exists. "
            "Leave it out, group its categories, or leave out the units that have no counterpart."
        )


def _not_converged(rows: Reader, coefficients: np.ndarray) -> DataError:
    size = np.abs(coefficients[1:]) * rows.scale[1:]
    names = [rows.covariates.names[place] for place in np.argsort(-size)[:3]]
    return DataError(
        "The logistic regression does not converge: together the covariates tell treated from "
        f"comparison units almost perfectly. Look first at {', '.join(names)}."
    )
