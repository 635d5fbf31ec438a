"""From covariates and terms to coefficients: a start, what is redundant, the solution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.study.blocks import Reader, parts, reader, spread_rows, steps, thinned
from tfeval.impact.study.covariates import BLOCK, LARGE, Covariates, in_parts, one_blas_thread
from tfeval.impact.study.numbers import aliased, magnitude_of

# Newton's method for a convex sum over units, read block by block.
# A method gives the terms of one block (value, residual, curvature of each unit); here they are
# summed over blocks on two threads, and the coefficients found. No copy of the covariates is kept.
# Products are taken by `np.dot`, which lets the other thread run meanwhile; `@` does not.

#: From the linear predictor of a block, its rows, and whether more than the residual is wanted:
#: the summed value (else 0), residuals, and curvatures (else None).
Terms = Callable[[np.ndarray, slice, bool], tuple[float, np.ndarray, np.ndarray | None]]

#: Rows whose products are summed at a time: products of so few stay in the nearest cache.
TILE = 2048
#: A step this small (in standard deviations) has converged.
TOLERANCE = 1e-12
#: A step of Newton's this small is the last.
NEAR = 1e-6
#: Steps after which the method gives up.
STEPS = 40


class NotConvergedError(Exception):
    """No finite coefficients were found; the caller knows what that means."""

    def __init__(self, coefficients: np.ndarray) -> None:
        super().__init__()
        self.coefficients = coefficients


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over units: of the value, of residual times x, and of curvature times x x'."""

    value: float
    gradient: np.ndarray
    matrix: np.ndarray


def sweep(
    rows: Reader,
    coefficients: np.ndarray,
    terms: Terms,
    curvature: bool = True,
    linear: np.ndarray | None = None,
) -> Sums:
    """Sum the terms over all units.

    Parameters
    ----------
    coefficients : ndarray, shape (k,)
    terms : callable
        See `Terms`.
    curvature : bool
        Whether value and information are wanted too, which takes twice as long.
    linear : ndarray, shape (n,), optional
        Filled with the linear predictor.
    """

    def part(start: int, stop: int) -> tuple[float, np.ndarray, np.ndarray]:
        count = len(coefficients)
        room, buffer, weighted = rows.room(), np.empty(BLOCK), np.empty((count, TILE))
        value, gradient, information = 0.0, np.zeros(count), np.zeros((count, count))
        for block in steps(start, stop):
            x = rows.read(block.start, block.stop, room)
            eta = buffer[: x.shape[1]] if linear is None else linear[block]
            np.dot(coefficients, x, out=eta)
            more, residual, curved = terms(eta, block, curvature)
            value += more
            gradient += np.dot(x, residual)
            if curved is not None:
                for tile in steps(0, x.shape[1], TILE):
                    scaled = weighted[:, : tile.stop - tile.start]
                    np.multiply(x[:, tile], curved[tile], out=scaled)
                    information += np.dot(x[:, tile], scaled.T)
        return value, gradient, information

    partials = in_parts(part, parts(rows.size))
    return Sums(
        float(sum(one[0] for one in partials)),
        np.sum([one[1] for one in partials], axis=0),
        np.sum([one[2] for one in partials], axis=0),
    )


def solved(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the step, with rows and columns scaled first; NaN where there is none."""
    scale = np.sqrt(np.maximum(np.diagonal(information), np.finfo(float).tiny))
    try:
        return np.linalg.solve(information / np.outer(scale, scale), gradient / scale) / scale
    except np.linalg.LinAlgError:
        return np.full(len(gradient), np.nan)


def step_size(step: np.ndarray, coefficients: np.ndarray, scale: np.ndarray) -> float:
    """Return the largest change, in standard deviations, relative to the largest coefficient."""
    return float(np.max(np.abs(step) * scale) / max(1.0, np.max(np.abs(coefficients) * scale)))


def newton(
    rows: Reader,
    terms: Terms,
    start: np.ndarray,
    *,
    hold: np.ndarray | None = None,
    near: float = NEAR,
    watch: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients that set the summed residuals times x to 0, and the information.

    Parameters
    ----------
    terms : callable
        Of a convex value.
    start : ndarray, shape (k,)
    hold : ndarray, shape (k,), optional
        Pulls each coefficient towards 0, as an information would.
    near : float
        Size of the last step, in standard deviations; the one after would be about its square.
    watch : callable
        Called where the steps do not shrink as they should; raises if it knows why.

    Returns
    -------
    coefficients : ndarray, shape (k,)
    information : ndarray, shape (k, k)
        As it was before the last step, so within about `near` of the solution's.
    """
    ridge = np.zeros(len(start)) if hold is None else hold
    betas, last, value = start, start, np.inf
    for count in range(STEPS):
        sums = sweep(rows, betas, terms)
        with np.errstate(over="ignore", invalid="ignore"):
            more = sums.value + 0.5 * ridge @ betas**2
        if not np.isfinite(more) and value == np.inf:
            break
        if not more <= value + 1e-10 * abs(value):
            betas = (betas + last) / 2.0
            continue
        step = solved(sums.matrix + np.diag(ridge), sums.gradient - ridge * betas)
        if not np.isfinite(step).all():
            break
        value, last, betas = more, betas, betas + step
        if step_size(step, betas, rows.scale) < near:
            return betas, sums.matrix
        if count in (8, 16):
            watch()
    watch()
    raise NotConvergedError(last)


def approach(
    rows: Reader, terms: Terms, start: np.ndarray, information: np.ndarray, near: float
) -> np.ndarray:
    """Return coefficients nearer to the solution, by steps with a fixed information.

    They cost a third of Newton's; they are taken while each shrinks well, and until one of
    Newton's will be the last.

    Parameters
    ----------
    start : ndarray, shape (k,)
    information : ndarray, shape (k, k)
        Nearly that of the solution.
    near : float
        As in `newton`.
    """
    betas, last = start, np.inf
    for _ in range(8):
        step = solved(information, sweep(rows, betas, terms, curvature=False).gradient)
        size = step_size(step, betas, rows.scale)
        if not size < 0.2 * last:
            return betas
        betas, shrunk, last = betas + step, size / last, size
        if size * shrunk < 0.3 * near and shrunk > 0:
            break
    return betas


#: Least and most units whose fit starts the fit of all, where there are at least four times more.
SAMPLE = (6_000, 50_000)
#: Size of the sample's last step, whose own error is larger; and of the last step of all units.
ROUGH, CLOSE = 1e-3, 3e-6
#: The terms of some rows.
TermsOf = Callable[[np.ndarray | slice], Terms]
EVERYONE = slice(None)


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients that set the summed residuals times x to 0."""

    coefficients: np.ndarray  # (1 + count,): the intercept first; 0 for a redundant covariate
    #: (1 + count, 1 + count): that of a redundant coefficient is so large that it does not move.
    information: np.ndarray
    linear: np.ndarray  # (n,): linear predictor
    redundant: tuple[str, ...]  # covariates that are a combination of those before them
    #: Largest of the summed residuals times x, in standard deviations of x: rounding, where there
    #: is a solution.
    left: float


def solve(
    covariates: Covariates,
    terms_of: TermsOf,
    intercept: float,
    watch: Callable[[], None],
    failed: Callable[[np.ndarray], Exception],
    *,
    rescue: Callable[[Reader], np.ndarray] | None = None,
) -> Solution:
    """Find the coefficients.

    Parameters
    ----------
    terms_of : callable
        See `TermsOf`; a sample of the units starts the fit of many.
    intercept : float
        Where to begin.
    watch : callable
        Raises if it knows why the steps do not shrink.
    failed : callable
        From the size of the coefficients, in standard deviations and in the covariates' order,
        to the error to raise where there is no solution.
    rescue : callable, optional
        Slower steps from the start, where these fail: returns coefficients near the solution, or
        raises `NotConvergedError`.
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
            betas, information = _solution(start, terms, intercept, watch, rescue)
            betas, linear, left = _settled(rows, terms, betas, information)
        except NotConvergedError as error:
            sizes = np.zeros(1 + covariates.count)
            sizes[places] = np.abs(error.coefficients) * rows.scale
            raise failed(sizes[1:]) from None
    coefficients = np.zeros(1 + covariates.count)
    coefficients[places] = rows.unshifted(betas)
    names = tuple(name for place, name in enumerate(covariates.names) if place not in kept)
    whole = _whole(rows.unshifted_information(information), places, squares)
    return Solution(coefficients, whole, linear, names, left)


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
    betas = np.zeros(1 + covariates.count)
    betas[0] = intercept
    products = sweep(few, betas, terms).matrix
    if not many:
        return _Start(rows, betas, products)
    largest = _largest_squares(few)
    hold = np.r_[1e-3, np.where(largest > 0, 0.25 * largest, 1.0)]
    try:
        near, information = newton(few, terms, betas, hold=hold, near=ROUGH)
    except NotConvergedError:
        return _Start(rows, betas, products, sampled=True)
    if not largest.all():
        # The sample knows nothing of a category that it does not hold.
        return _Start(rows, near, products, sampled=True)
    whole = information * (covariates.size / sample.size) + np.diag(hold)
    return _Start(rows, near, products, whole, sampled=True)


def _solution(
    start: _Start,
    terms: Terms,
    intercept: float,
    watch: Callable[[], None],
    rescue: Callable[[Reader], np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    rows, near = start.rows, start.coefficients
    plain = np.r_[intercept, np.zeros(len(near) - 1)]
    if start.sampled:
        try:
            if start.information is not None:
                near = approach(rows, terms, near, start.information, CLOSE)
            return newton(rows, terms, near, near=CLOSE, watch=watch)
        except NotConvergedError:
            near = plain  # the sample led astray
    try:
        return newton(rows, terms, near, watch=watch)
    except NotConvergedError:
        if rescue is None:
            raise
        near = rescue(rows)
    try:
        return newton(rows, terms, near, watch=watch)
    except NotConvergedError:
        # So little curvature that rounding moves the coefficients: what is left decides.
        return near, sweep(rows, near, terms).matrix


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
    rows: Reader, terms: Terms, betas: np.ndarray, information: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    # The last reading gives the linear predictor, and proves that the equations hold there.
    linear = np.empty(rows.size)
    for _ in range(5):
        sums = sweep(rows, betas, terms, curvature=False, linear=linear)
        step = solved(information, sums.gradient)
        size = step_size(step, betas, rows.scale)
        if size < TOLERANCE:
            break
        if not size < np.inf:
            raise NotConvergedError(betas)
        betas = betas + step
    return betas, linear, float(np.max(np.abs(sums.gradient) / rows.scale))


def _whole(information: np.ndarray, places: np.ndarray, squares: np.ndarray) -> np.ndarray:
    # A redundant coefficient stays at 0: so much is known of it, in its own unit, that nothing
    # moves it.
    own = np.where(squares > 0, squares, np.diagonal(information).max())
    whole = np.diag(1e12 * own)
    whole[np.ix_(places, places)] = information
    return whole
