"""Newton's method for a convex sum over units, read block by block.

A method gives the terms of one block (value, residual, curvature of each unit); here they are
summed over blocks on two threads, and the coefficients found. No copy of the covariates is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tfeval.impact.compiled import LARGE, THREADS, in_parts
from tfeval.impact.covariates import BLOCK, Covariates

#: From the linear predictor of a block, its rows, and whether more than the residual is wanted:
#: the summed value (else 0), residuals, and curvatures (else None).
Terms = Callable[[np.ndarray, slice, bool], tuple[float, np.ndarray, np.ndarray | None]]

#: Rows whose products are summed at a time: products of so few stay in the nearest cache.
TILE = 2048
#: A step this small (in standard deviations) has converged.
TOLERANCE = 1e-10
#: Steps after which the method gives up.
STEPS = 40


class NotConvergedError(Exception):
    """No finite coefficients were found; the caller knows what that means."""

    def __init__(self, coefficients: np.ndarray) -> None:
        super().__init__()
        self.coefficients = coefficients


@dataclass(frozen=True, eq=False)
class Reader:
    """Covariates with a leading 1, each shifted by a constant.

    Attributes
    ----------
    covariates : Covariates
    shift : ndarray, shape (count,)
        Taken off each covariate where its mean is many standard deviations from 0, so that sums
        of squares keep their digits; 0 elsewhere.
    scale : ndarray, shape (1 + count,)
        Standard deviations, 1 for the intercept.
    """

    covariates: Covariates
    shift: np.ndarray
    scale: np.ndarray

    @property
    def size(self) -> int:
        """Units."""
        return self.covariates.size

    def room(self) -> np.ndarray:
        """Return an array that holds a block, shape (1 + count, rows)."""
        room = np.empty((1 + self.covariates.count, min(BLOCK, max(self.size, 1))))
        room[0] = 1.0
        return room

    def read(self, start: int, stop: int, room: np.ndarray) -> np.ndarray:
        """Return rows `start` to `stop` in `room`, shape (1 + count, rows)."""
        block = room[:, : stop - start]
        self.covariates.block(start, stop, block[1:])
        for place in np.flatnonzero(self.shift):
            block[1 + place] -= self.shift[place]
        return block

    def unshifted(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the coefficients of the covariates as they are."""
        found = coefficients.copy()
        found[0] -= self.shift @ coefficients[1:]
        return found

    def unshifted_information(self, information: np.ndarray) -> np.ndarray:
        """Return the information on the coefficients of the covariates as they are."""
        back = np.eye(len(information))
        back[1:, 0] = self.shift
        return back @ information @ back.T


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over units: of the value, of residual times x, and of curvature times x x'."""

    value: float
    gradient: np.ndarray
    information: np.ndarray | None


def reader(covariates: Covariates, sample: Covariates | None = None) -> Reader:
    """Return a reader; means and standard deviations are those of a sample, if given."""
    total = np.zeros(covariates.count)
    squares = np.zeros(covariates.count)
    known = covariates if sample is None else sample
    first = known.block(0, 1)
    for _, block in known.blocks():
        np.subtract(block, first, out=block)
        total += block.sum(axis=1)
        squares += np.einsum("ij,ij->i", block, block)
    mean = total / known.size
    deviation = np.sqrt(np.maximum(squares / known.size - mean**2, 0.0))
    mean += first[:, 0]
    far = np.abs(mean) > 10.0 * deviation
    scale = np.where(deviation > 0, deviation, 1.0)
    return Reader(covariates, np.where(far, mean, 0.0), np.r_[1.0, scale])


def thinned(covariates: Covariates, step: int) -> Covariates:
    """Return every `step`-th unit."""
    columns = tuple(replace(one, values=one.values[::step].copy()) for one in covariates.columns)
    return Covariates(columns, len(range(0, covariates.size, step)), covariates.reference)


def parts(size: int) -> list[tuple[int, int]]:
    """Return the ranges of rows that threads take; the same on every machine."""
    if size < LARGE:
        return [(0, size)]
    cuts = [size * place // THREADS for place in range(THREADS + 1)]
    return list(pairwise(cuts))


def steps(start: int, stop: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield the blocks of rows between `start` and `stop`."""
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


@contextmanager
def own_threads(size: int) -> Iterator[None]:
    """Keep the linear algebra to one thread each, where the rows are cut into parts."""
    if size < LARGE:
        yield
        return
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, user_api="blas"):
        yield


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
    rows : Reader
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
        room, held, weighted = rows.room(), np.empty(BLOCK), np.empty((count, TILE))
        value, gradient, information = 0.0, np.zeros(count), np.zeros((count, count))
        for block in steps(start, stop):
            x = rows.read(block.start, block.stop, room)
            eta = held[: x.shape[1]] if linear is None else linear[block]
            np.dot(coefficients, x, out=eta)
            more, residual, curved = terms(eta, block, curvature)
            value += more
            gradient += x @ residual
            if curved is not None:
                for tile in steps(0, x.shape[1], TILE):
                    np.multiply(x[:, tile], curved[tile], out=weighted[:, : tile.stop - tile.start])
                    information += x[:, tile] @ weighted[:, : tile.stop - tile.start].T
        return value, gradient, information

    found = in_parts(part, parts(rows.size))
    return Sums(
        float(sum(one[0] for one in found)),
        np.sum([one[1] for one in found], axis=0),
        np.sum([one[2] for one in found], axis=0) if curvature else None,
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
    information: np.ndarray | None = None,
    watch: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients that set the summed residuals times x to 0, and the information.

    Parameters
    ----------
    rows : Reader
    terms : callable
        Of a convex value.
    start : ndarray, shape (k,)
    information : ndarray, shape (k, k), optional
        Nearly that of the solution: then cheap steps with it come first.
    watch : callable
        Called where the steps do not shrink as they should; raises if it knows why.

    Returns
    -------
    coefficients : ndarray, shape (k,)
    information : ndarray, shape (k, k)
        Within a relative 1e-6 of the solution's.

    Raises
    ------
    NotConvergedError
    """
    found = start if information is None else _approach(rows, terms, start, information)
    value, last, size = np.inf, found, np.inf
    for count in range(STEPS):
        sums = sweep(rows, found, terms)
        if not sums.value <= value + 1e-10 * abs(value):
            found = (found + last) / 2.0
            continue
        step = solved(sums.information, sums.gradient)  # type: ignore[arg-type]
        if not np.isfinite(step).all():
            break
        value, last, found = sums.value, found, found + step
        size = step_size(step, found, rows.scale)
        if size < 1e-6:
            return found, sums.information  # type: ignore[return-value]
        if count in (8, 16):
            watch()
    watch()
    raise NotConvergedError(last)


def _approach(rows: Reader, terms: Terms, start: np.ndarray, information: np.ndarray) -> np.ndarray:
    # Steps with a fixed information cost half of Newton's; kept while each shrinks tenfold.
    found, last = start, np.inf
    for _ in range(4):
        step = solved(information, sweep(rows, found, terms, curvature=False).gradient)
        size = step_size(step, found, rows.scale)
        if not size < 0.1 * last:
            return found
        found, last = found + step, size
        if size < 1e-4:
            break
    return found
