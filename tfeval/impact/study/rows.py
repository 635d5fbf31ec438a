"""Reading the covariates of many units: by blocks, by samples, on threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tfeval.impact.study.compiled import LARGE, THREADS, in_parts
from tfeval.impact.study.covariates import BLOCK, Covariates


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
        if self.shift.any():
            block[1:] -= self.shift[:, None]
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


def thinned(covariates: Covariates, rows: np.ndarray | slice) -> Covariates:
    """Return the covariates of some units."""
    columns = covariates.columns
    if not isinstance(rows, slice) and len(rows) >= LARGE:
        columns = tuple(in_parts(lambda column: column.some(rows), [(one,) for one in columns]))
    else:
        columns = tuple(column.some(rows) for column in columns)
    return Covariates(columns, len(columns[0].held), covariates.reference)


def spread_rows(size: int, count: int) -> np.ndarray:
    """Return one row from each of `count` equal stretches, at random within it.

    Every so many rows exactly would miss one arm where rows follow a pattern.

    Examples
    --------
    >>> rows = spread_rows(1000, 10)
    >>> (rows // 100).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    step = size // count
    return np.arange(count) * step + np.random.default_rng(1).integers(0, step, count)


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
