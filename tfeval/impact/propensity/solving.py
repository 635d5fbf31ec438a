"""From covariates and terms to coefficients: a start, what is redundant, the solution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.propensity.newton import (
    TOLERANCE,
    NotConvergedError,
    Terms,
    approach,
    newton,
    solved,
    step_size,
    sweep,
)
from tfeval.impact.study.aliased import aliased, magnitude_of
from tfeval.impact.study.compiled import LARGE, one_blas_thread
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.rows import Reader, reader, spread_rows, thinned

#: Least and most units whose fit starts the fit of all, where there are at least four times more.
SAMPLE = (6_000, 50_000)
#: Size of the sample's last step, whose own error is larger; and of the last step of all units.
ROUGH, CLOSE = 1e-3, 3e-6
#: The terms of some rows.
TermsOf = Callable[[np.ndarray | slice], Terms]
EVERYONE = slice(None)


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients that set the summed residuals times x to 0.

    Attributes
    ----------
    coefficients : ndarray, shape (1 + count,)
        The intercept first; 0 for a redundant covariate.
    information : ndarray, shape (1 + count, 1 + count)
        That of a redundant coefficient is so large that it does not move.
    linear : ndarray, shape (n,)
        Linear predictor.
    redundant : tuple of str
        Covariates that are a combination of those before them.
    """

    coefficients: np.ndarray
    information: np.ndarray
    linear: np.ndarray
    redundant: tuple[str, ...]


def solve(
    covariates: Covariates,
    terms_of: TermsOf,
    intercept: float,
    watch: Callable[[], None],
    failed: Callable[[np.ndarray], Exception],
) -> Solution:
    """Find the coefficients.

    Parameters
    ----------
    covariates : Covariates
    terms_of : callable
        See `TermsOf`; a sample of the units starts the fit of many.
    intercept : float
        Where to begin.
    watch : callable
        Raises if it knows why the steps do not shrink.
    failed : callable
        From the size of the coefficients, in standard deviations and in the covariates' order,
        to the error to raise where there is no solution.
    """
    with one_blas_thread(covariates.size >= LARGE):
        terms = terms_of(EVERYONE)
        start = _start(covariates, terms_of, intercept)
        kept = np.flatnonzero(~_redundant(start, terms))
        squares = start.squares
        if len(kept) < covariates.count:
            columns = tuple(covariates.columns[place] for place in kept)
            start = _start(replace(covariates, columns=columns), terms_of, intercept)
        rows, places = start.rows, np.r_[0, 1 + kept]
        try:
            found, information = _found(start, terms, intercept, watch)
        except NotConvergedError as error:
            sizes = np.zeros(1 + covariates.count)
            sizes[places] = np.abs(error.coefficients) * rows.scale
            raise failed(sizes[1:]) from None
        found, linear = _settled(rows, terms, found, information)
    coefficients = np.zeros(1 + covariates.count)
    coefficients[places] = rows.unshifted(found)
    names = tuple(name for place, name in enumerate(covariates.names) if place not in kept)
    whole = _whole(rows.unshifted_information(information), places, squares)
    return Solution(coefficients, whole, linear, names)


@dataclass(frozen=True, eq=False)
class _Start:
    # Where the steps begin; `information` is nearly the solution's, where a sample gave it.
    rows: Reader
    coefficients: np.ndarray
    products: np.ndarray
    information: np.ndarray | None = None
    sampled: bool = False

    @property
    def squares(self) -> np.ndarray:
        """Weighted sums of squares of (1, x), shape (1 + count,)."""
        return np.diagonal(self.rows.unshifted_information(self.products))


def _start(covariates: Covariates, terms_of: TermsOf, intercept: float) -> _Start:
    # The fit of a sample is held back by as much as one unit would, so that a rare category that
    # is absent from one arm of the sample does not run away.
    least, most = SAMPLE
    many = covariates.size >= 4 * least
    wanted = min(most, max(least, covariates.size // 16))
    chosen = spread_rows(covariates.size, wanted) if many else EVERYONE
    sample = thinned(covariates, chosen) if many else covariates
    rows = reader(covariates, sample)
    few, terms = replace(rows, covariates=sample), terms_of(chosen)
    found = np.zeros(1 + covariates.count)
    found[0] = intercept
    products = sweep(few, found, terms).matrix
    if not many:
        return _Start(rows, found, products)
    largest = _largest_squares(few)
    hold = np.r_[1e-3, np.where(largest > 0, 0.25 * largest, 1.0)]
    try:
        near, information = newton(few, terms, found, hold=hold, near=ROUGH)
    except NotConvergedError:
        return _Start(rows, found, products, sampled=True)
    if not largest.all():
        # The sample knows nothing of a category that it does not hold.
        return _Start(rows, near, products, sampled=True)
    whole = information * (covariates.size / sample.size) + np.diag(hold)
    return _Start(rows, near, products, whole, sampled=True)


def _found(
    start: _Start, terms: Terms, intercept: float, watch: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    rows, near = start.rows, start.coefficients
    if not start.sampled:
        return newton(rows, terms, near, watch=watch)
    try:
        if start.information is not None:
            near = approach(rows, terms, near, start.information, CLOSE)
        return newton(rows, terms, near, near=CLOSE, watch=watch)
    except NotConvergedError:
        # The sample led astray.
        plain = np.zeros(len(near))
        plain[0] = intercept
        return newton(rows, terms, plain, watch=watch)


def _largest_squares(rows: Reader) -> np.ndarray:
    most = np.zeros(rows.covariates.count)
    for _, block in rows.covariates.blocks():
        np.maximum(most, np.abs(block - rows.shift[:, None]).max(axis=1), out=most)
    return most**2


def _redundant(start: _Start, terms: Terms) -> np.ndarray:
    # What is redundant in all rows is so in a sample; what a sample suspects, all rows decide.
    shift = start.rows.shift
    suspect = aliased(start.products, magnitude_of(start.products, shift))
    if suspect.any() and start.sampled:
        products = sweep(start.rows, np.zeros(len(start.products)), terms).matrix
        return aliased(products, magnitude_of(products, shift))
    return suspect


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


def _whole(information: np.ndarray, places: np.ndarray, squares: np.ndarray) -> np.ndarray:
    # A redundant coefficient stays at 0: so much is known of it, in its own unit, that nothing
    # moves it.
    own = np.where(squares > 0, squares, np.diagonal(information).max())
    whole = np.diag(1e12 * own)
    whole[np.ix_(places, places)] = information
    return whole
