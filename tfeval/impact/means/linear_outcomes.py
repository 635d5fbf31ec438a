"""Linear regressions of outcomes on the covariates, which are read block by block."""

from __future__ import annotations

import numpy as np

from tfeval.impact.study.compiled import LARGE, in_parts, one_blas_thread
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.rows import Reader, parts, steps


def centred(covariates: Covariates, centre: np.ndarray) -> Reader:
    """Return a reader of (1, covariates less `centre`)."""
    return Reader(covariates, centre, np.ones(1 + covariates.count))


def weighted_centre(
    covariates: Covariates, weights: np.ndarray, threads: bool = True
) -> np.ndarray:
    """Return the covariates' weighted means, shape (k,).

    Parameters
    ----------
    covariates : Covariates
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
    rows : Reader
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
    rows : Reader
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
    rows : Reader
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
