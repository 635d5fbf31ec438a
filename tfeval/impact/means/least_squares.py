"""Weighted least squares on covariates that may repeat one another, or not vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.impact.study.blocks import Reader, parts, steps
from tfeval.impact.study.covariates import LARGE, Covariates, in_parts, one_blas_thread
from tfeval.impact.study.numbers import aliased, magnitude_of

# Linear regressions of outcomes on the covariates, which are read block by block.


def centred(covariates: Covariates, centre: np.ndarray) -> Reader:
    """Return a reader of (1, covariates less `centre`)."""
    return Reader(covariates, centre, np.ones(1 + covariates.count))


def weighted_centre(
    covariates: Covariates, weights: np.ndarray, threads: bool = True
) -> np.ndarray:
    """Return the covariates' weighted means, shape (k,).

    Parameters
    ----------
    weights : ndarray of float, shape (n,)
    threads : bool
        False where the caller has threads of its own.
    """
    rows = centred(covariates, np.zeros(covariates.count))
    total = products(rows, weights[:, None], threads)[:, 0]
    return total[1:] / total[0]


def products(rows: Reader, values: np.ndarray, threads: bool = True) -> np.ndarray:
    """Return Z'Y, Z being what the reader gives; shape (1 + k, columns).

    Parameters
    ----------
    values : ndarray of float, shape (n, columns)
    threads : bool
        False where the caller has threads of its own.
    """

    def part(start: int, stop: int) -> np.ndarray:
        room, total = rows.room(), np.zeros((1 + rows.covariates.count, values.shape[1]))
        for block in steps(start, stop):
            total += np.dot(rows.read(block.start, block.stop, room), values[block])
        return total

    with one_blas_thread(threads and rows.size >= LARGE):
        return np.sum(in_parts(part, parts(rows.size), threads), axis=0)


def cross_products_by_group(  # noqa: PLR0917
    rows: Reader,
    weights: np.ndarray,
    values: np.ndarray,
    groups: np.ndarray,
    count: int,
    threads: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z'WZ and Z'WY of each group of units, Z being what the reader gives.

    Parameters
    ----------
    weights : ndarray of float, shape (n,)
    values : ndarray of float, shape (n, outcomes)
    groups : ndarray of int, shape (n,)
        From 0; negative for units that do not count.
    count : int
        Groups.
    threads : bool
        False where the caller has threads of its own.

    Returns
    -------
    gram : ndarray, shape (count, 1 + k, 1 + k)
    right : ndarray, shape (count, 1 + k, outcomes)
    """
    width, outcomes = 1 + rows.covariates.count, values.shape[1]

    def part(start: int, stop: int) -> np.ndarray:
        room, sums = rows.room(), np.zeros((count, width, width + outcomes))
        for block in steps(start, stop):
            x, own = rows.read(block.start, block.stop, room), groups[block]
            for group in range(count):
                at = np.flatnonzero(own == group)
                if not len(at):
                    continue
                z = x if len(at) == x.shape[1] else np.take(x, at, axis=1)
                scaled = z * weights[block][at]
                sums[group, :, :width] += np.dot(scaled, z.T)
                sums[group, :, width:] += np.dot(scaled, values[block][at])
        return sums

    with one_blas_thread(threads and rows.size >= LARGE):
        sums = np.sum(in_parts(part, parts(rows.size), threads), axis=0)
    return sums[:, :, :width], sums[:, :, width:]


def predictions(
    rows: Reader, coefficients: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return every unit's linear predictors, shape (n, outcomes).

    Parameters
    ----------
    coefficients : ndarray, shape (1 + k, outcomes), or with groups (count, 1 + k, outcomes)
    groups : ndarray of int, optional, shape (n,)
        Whose coefficients a unit has.
    """
    many = coefficients if groups is not None else coefficients[None]
    count, width, outcomes = many.shape
    flat = np.ascontiguousarray(many.transpose(0, 2, 1).reshape(count * outcomes, width))
    found = np.empty((rows.size, outcomes))

    def part(start: int, stop: int) -> None:
        room = rows.room()
        for block in steps(start, stop):
            every = np.dot(flat, rows.read(block.start, block.stop, room))
            if groups is not None:
                every = every.reshape(count, outcomes, -1)
                own = groups[block].astype(np.intp)[None, None]
                every = np.take_along_axis(every, own, axis=0)[0]
            found[block] = every.T

    with one_blas_thread(rows.size >= LARGE):
        in_parts(part, parts(rows.size))
    return found


#: Units that a regression must have for each of its coefficients; see `tests/coverage`.
UNITS_PER_COEFFICIENT = 3
_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Fit:
    """A weighted least-squares fit."""

    #: (1 + k, outcomes): the first are the intercepts: means at the centre. 0 for what was left
    #: out.
    coefficients: np.ndarray
    #: (1 + k, 1 + k): of the weighted cross-product; 0 in the rows and columns of what was left
    #: out.
    inverse: np.ndarray
    #: (k,) bool: columns left out since they say nothing that those before do not.
    aliased: np.ndarray
    crowded: np.ndarray  # (k,) bool: columns left out since there are too few units for so many

    @property
    def rank(self) -> int:
        """Coefficients estimated, the intercept's too."""
        return 1 + int(np.count_nonzero(~self.aliased & ~self.crowded))

    @property
    def kept(self) -> np.ndarray:
        """Places of the coefficients estimated, the intercept's first."""
        return np.r_[0, 1 + np.flatnonzero(~self.aliased & ~self.crowded)]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return fitted values at centred covariates, shape (rows, outcomes)."""
        return self.coefficients[0] + x @ self.coefficients[1:]


def solved(
    gram: np.ndarray,
    right: np.ndarray,
    *,
    shift: np.ndarray | None = None,
    units: int | None = None,
    first: int = 0,
) -> Fit:
    """Solve the normal equations; columns that repeat others are left out, never the intercept.

    Parameters
    ----------
    gram : ndarray, shape (1 + k, 1 + k)
        Weighted cross-products of (1, x), the intercept first.
    right : ndarray, shape (1 + k, outcomes)
    shift : ndarray, optional, shape (k,)
        What was taken off the columns beforehand.
    units : int, optional
        How many there are. With fewer than `UNITS_PER_COEFFICIENT` a coefficient, only those
        columns stay on which the units' mean lies furthest from the centre, in their own standard
        deviations: those that adjustment is for.
    first : int, default 0
        Columns that stay however few units there are.
    """
    repeated = aliased(gram, magnitude_of(gram, shift))
    crowded = np.zeros(len(repeated), dtype=bool)
    if units is not None:
        most = max(units // UNITS_PER_COEFFICIENT - 1 - first, 0)
        crowded = _crowded(gram, ~repeated & (np.arange(len(repeated)) >= first), most)
    kept = np.r_[0, 1 + np.flatnonzero(~repeated & ~crowded)]
    half = half_of(gram[np.ix_(kept, kept)])
    inverse, coefficients = np.zeros(gram.shape), np.zeros(right.shape)
    inverse[np.ix_(kept, kept)] = half @ half.T
    coefficients[kept] = half @ (half.T @ right[kept])
    return Fit(coefficients, inverse, repeated, crowded)


def half_inverse(gram: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
    """Return H with HH' the inverse, shape (1 + k, rank); 0 in the rows of what is left out."""
    kept = np.r_[0, 1 + np.flatnonzero(~aliased(gram, magnitude_of(gram, shift)))]
    half = np.zeros((len(gram), len(kept)))
    half[kept] = half_of(gram[np.ix_(kept, kept)])
    return half


def fitted(rows: Reader, weights: np.ndarray, values: np.ndarray, units: np.ndarray) -> Fit:
    """Fit some units' regression on what a reader gives; `units` of bool, shape (n,)."""
    gram, right = cross_products_by_group(rows, weights, values, np.where(units, 0, -1), 1)
    counted = int(np.count_nonzero(units & (weights > 0)))
    return solved(gram[0], right[0], shift=rows.shift, units=counted)


def cross_products(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z'WZ and Z'WY of Z = (1, x), read in blocks."""
    count = x.shape[1] + 1
    gram, right = np.zeros((count, count)), np.zeros((count, values.shape[1]))
    for part in steps(0, len(x), _ROWS):
        z = np.column_stack([np.ones(part.stop - part.start), x[part]])
        scaled = z * weights[part, None]
        gram += scaled.T @ z
        right += scaled.T @ values[part]
    return gram, right


def _crowded(gram: np.ndarray, sound: np.ndarray, most: int) -> np.ndarray:
    """Return the sound columns that must go so that `most` are left."""
    places = np.flatnonzero(sound)
    out = np.zeros(len(sound), dtype=bool)
    if len(places) <= most:
        return out
    off = gram[0, 1 + places] ** 2 / gram[0, 0]
    apart = off / (np.diagonal(gram)[1 + places] - off)
    out[places[np.argsort(-apart, kind="stable")[most:]]] = True
    return out


def half_of(gram: np.ndarray) -> np.ndarray:
    """Return H with HH' the inverse of a matrix of full rank, columns scaled first."""
    scale = np.sqrt(np.diagonal(gram))
    if not scale.all():
        return np.zeros(gram.shape)  # nobody has weight
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    return vectors / np.sqrt(np.maximum(values, np.finfo(float).eps ** 2)) / scale[:, None]
