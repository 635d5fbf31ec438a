"""Newton's method for a convex sum over units, read block by block.

A method gives the terms of one block (value, residual, curvature of each unit); here they are
summed over blocks on two threads, and the coefficients found. No copy of the covariates is kept.
Products are taken by `np.dot`, which lets the other thread run meanwhile; `@` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfeval.impact.study.compiled import in_parts
from tfeval.impact.study.covariates import BLOCK
from tfeval.impact.study.rows import Reader, parts, steps

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
            gradient += np.dot(x, residual)
            if curved is not None:
                for tile in steps(0, x.shape[1], TILE):
                    scaled = weighted[:, : tile.stop - tile.start]
                    np.multiply(x[:, tile], curved[tile], out=scaled)
                    information += np.dot(x[:, tile], scaled.T)
        return value, gradient, information

    found = in_parts(part, parts(rows.size))
    return Sums(
        float(sum(one[0] for one in found)),
        np.sum([one[1] for one in found], axis=0),
        np.sum([one[2] for one in found], axis=0),
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
    rows : Reader
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

    Raises
    ------
    NotConvergedError
    """
    held = np.zeros(len(start)) if hold is None else hold
    found, last, value = start, start, np.inf
    for count in range(STEPS):
        sums = sweep(rows, found, terms)
        more = sums.value + 0.5 * held @ found**2
        if not np.isfinite(more) and value == np.inf:
            break
        if not more <= value + 1e-10 * abs(value):
            found = (found + last) / 2.0
            continue
        step = solved(sums.matrix + np.diag(held), sums.gradient - held * found)
        if not np.isfinite(step).all():
            break
        value, last, found = more, found, found + step
        if step_size(step, found, rows.scale) < near:
            return found, sums.matrix
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
    rows : Reader
    terms : callable
    start : ndarray, shape (k,)
    information : ndarray, shape (k, k)
        Nearly that of the solution.
    near : float
        As in `newton`.
    """
    found, last = start, np.inf
    for _ in range(8):
        step = solved(information, sweep(rows, found, terms, curvature=False).gradient)
        size = step_size(step, found, rows.scale)
        if not size < 0.2 * last:
            return found
        found, shrunk, last = found + step, size / last, size
        if size * shrunk < 0.3 * near and shrunk > 0:
            break
    return found
