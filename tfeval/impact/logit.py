"""Logistic regression by Newton's method over blocks of rows, without a copy of the covariates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.compiled import in_parts
from tfeval.impact.covariates import BLOCK, Covariates

#: Units from which a fit starts on a part of the rows.
_MANY = 60_000
_STEPS = 30


@dataclass(frozen=True, eq=False)
class Logit:
    """A fit on covariates less their centre.

    Attributes
    ----------
    coefficients : ndarray, shape (1 + k,)
        Intercept at the centre, then slopes; 0 for a covariate that others determine.
    centre : ndarray, shape (k,)
    information : ndarray, shape (1 + k, 1 + k)
        Minus the second derivative of the log-likelihood.
    aliased : tuple of int
        Covariates that others determine.
    """

    coefficients: np.ndarray
    centre: np.ndarray
    information: np.ndarray
    aliased: tuple[int, ...] = ()


@dataclass(eq=False)
class Rows:
    """Rows a fit reads: covariates, who was treated, weights."""

    covariates: Covariates
    treated: np.ndarray
    weight: np.ndarray | None
    centre: np.ndarray

    def blocks(self, start: int, stop: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices and (1, x - centre) of shape (1 + k, rows); the array is reused."""
        count = self.covariates.count
        held = np.ones((count + 1, min(BLOCK, max(stop - start, 1))))
        for low in range(start, stop, BLOCK):
            high = min(low + BLOCK, stop)
            part = held[:, : high - low]
            self.covariates.block(low, high, part[1:])
            part[1:] -= self.centre[:, None]
            yield slice(low, high), part

    def parts(self) -> list[tuple[int, int]]:
        """Return the ranges of rows that threads share out."""
        size = len(self.treated)
        if size < _MANY:
            return [(0, size)]
        middle = size // 2 // BLOCK * BLOCK
        return [(0, middle), (middle, size)]


def fit_logit(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None = None
) -> Logit:
    """Fit the probability of being treated.

    Parameters
    ----------
    covariates : Covariates
        Of n units, k numbers each.
    treated : ndarray of bool, shape (n,)
    weight : ndarray of float, optional, shape (n,)
        Sampling weights.

    Raises
    ------
    DataError
        If covariates separate the arms, so that there is no fit.

    Notes
    -----
    A large fit starts from one on every sixteenth row; one or two full steps then leave an error
    far below that of the data, and a last step reuses the second derivative.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 4.4.
    """
    size = len(treated)
    start = np.zeros(covariates.count + 1)
    centre, spread = _centre(covariates)
    if size >= _MANY:
        some = _every(covariates, treated, weight, size // (_MANY // 2))
        start = _newton(Rows(*some, centre), start, spread, rough=True).coefficients
    with one_blas_thread(size >= _MANY):
        return _newton(Rows(covariates, treated, weight, centre), start, spread, rough=False)


def _centre(covariates: Covariates) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations of some of the rows: they only condition the sums."""
    step = max(1, covariates.size // 20_000)
    x = covariates.rows(slice(None, None, step))
    spread = x.std(axis=0)
    return x.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _every(
    covariates: Covariates, treated: np.ndarray, weight: np.ndarray | None, step: int
) -> tuple[Covariates, np.ndarray, np.ndarray | None]:
    # Every so many rows of each arm, however the rows are sorted.
    rows = np.sort(np.concatenate([np.flatnonzero(arm)[::step] for arm in (treated, ~treated)]))
    columns = tuple(column.some(rows) for column in covariates.columns)
    part = Covariates(columns, len(rows), covariates.reference)
    return part, treated[rows], None if weight is None else weight[rows]


def _newton(rows: Rows, start: np.ndarray, spread: np.ndarray, *, rough: bool) -> Logit:
    scale = np.concatenate([[1.0], spread])
    beta, fall = start, np.inf
    aliased: tuple[int, ...] = ()
    last = np.zeros_like(start)
    for turn in range(_STEPS):
        gradient, information, deviance = passed(rows, beta)
        if rough:
            information = information + np.diag(np.diag(information) * 1e-6 + 1e-9 / scale**2)
        elif turn == 0:
            aliased = _aliased(information, scale)
        step = _solve(information, gradient, aliased)
        if turn and deviance > fall + 1e-7 * abs(fall):
            # Too far: half the last step back.
            last = last / 2
            beta = beta - last
            continue
        beta, fall, last = beta + step, deviance, step
        size = np.abs(step * scale).max() / max(1.0, np.abs(beta * scale).max())
        if size < (1e-3 if rough else 1e-5):
            break
    else:
        _refuse_separation(rows, beta)
    if not rough:
        if np.abs(beta * scale)[1:].max(initial=0.0) > 25:
            _refuse_separation(rows, beta)
        # The step before was of order 1e-5, so one with the old derivative leaves 1e-10 and less.
        gradient = passed(rows, beta, second=False)[0]
        beta = beta + _solve(information, gradient, aliased)
    return Logit(beta, rows.centre, information, tuple(int(at) - 1 for at in aliased))


def passed(
    rows: Rows, beta: np.ndarray, *, second: bool = True
) -> tuple[np.ndarray, np.ndarray, float]:
    """Read the rows once: gradient, information and deviance at some coefficients."""
    parts = in_parts(lambda low, high: _part(rows, beta, low, high, second), rows.parts())
    gradients, informations, deviances = zip(*parts, strict=True)
    return sum(gradients), sum(informations), sum(deviances)


def _part(
    rows: Rows, beta: np.ndarray, low: int, high: int, second: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    from scipy.special import expit  # noqa: PLC0415

    count = len(beta)
    gradient, information, deviance = np.zeros(count), np.zeros((count, count)), 0.0
    for at, z in rows.blocks(low, high):
        linear = beta @ z
        probability = expit(linear)
        treated = rows.treated[at]
        residual = treated - probability
        if rows.weight is not None:
            residual *= rows.weight[at]
        gradient += z @ residual
        if not second:
            continue
        variance = probability * (1.0 - probability)
        loss = np.logaddexp(0.0, np.where(treated, -linear, linear)) if high < _MANY else None
        if rows.weight is not None:
            variance *= rows.weight[at]
        if loss is not None:
            deviance += loss.sum() if rows.weight is None else loss @ rows.weight[at]
        np.multiply(z, np.sqrt(variance), out=z)
        information += z @ z.T
        z[0] = 1.0
    return gradient, information, deviance


def predict(fit: Logit, covariates: Covariates, treated: np.ndarray) -> np.ndarray:
    """Return linear predictors, shape (n,)."""
    rows = Rows(covariates, treated, None, fit.centre)
    linear = np.empty(len(treated))

    def fill(low: int, high: int) -> None:
        for at, z in rows.blocks(low, high):
            linear[at] = fit.coefficients @ z

    with one_blas_thread(len(treated) >= _MANY):
        in_parts(fill, rows.parts())
    return linear


def _solve(information: np.ndarray, gradient: np.ndarray, aliased: tuple) -> np.ndarray:
    keep = np.setdiff1d(np.arange(len(gradient)), aliased)
    scale = np.sqrt(np.maximum(np.diag(information)[keep], 1e-300))
    part = information[np.ix_(keep, keep)] / np.outer(scale, scale)
    step = np.zeros(len(gradient))
    step[keep] = np.linalg.lstsq(part, gradient[keep] / scale, rcond=1e-14)[0] / scale
    return step


def _aliased(information: np.ndarray, scale: np.ndarray) -> tuple[int, ...]:
    """Return places that earlier ones determine, as R leaves them out."""
    work = information / np.outer(scale, scale)
    whole = np.diag(work).copy()
    found: list[int] = []
    for place in range(len(work)):
        if work[place, place] <= 1e-9 * max(whole[place], 1e-12 * whole[0]):
            found.append(place)
            continue
        row = work[place] / work[place, place]
        work = work - np.outer(work[:, place], row)
        work[place] = 0.0
        work[:, place] = 0.0
    return tuple(found)


def _refuse_separation(rows: Rows, beta: np.ndarray) -> None:
    names, treated = rows.covariates.names, rows.treated
    apart = []
    for place, name in enumerate(names):
        values = rows.covariates.rows(slice(None))[:, place]
        first, other = values[treated], values[~treated]
        if first.min() >= other.max() or other.min() >= first.max() or _empty_cell(values, treated):
            apart.append(name)
    if not apart:
        spread = rows.covariates.rows(slice(None)).std(axis=0)
        apart = [names[int(np.argmax(np.abs(beta[1:]) * spread))]]
    raise DataError(
        f"The covariates separate treated from comparison units, so there is no propensity score; "
        f"look at {', '.join(apart[:5])}. Leave it out, group its levels, or compare within a "
        "population where both arms occur."
    )


def _empty_cell(values: np.ndarray, treated: np.ndarray) -> bool:
    levels = np.unique(values)
    if len(levels) != 2:
        return False
    return any(not (treated[values == level] == arm).any() for level in levels for arm in (0, 1))


@contextmanager
def one_blas_thread(wanted: bool) -> Iterator[None]:
    """Keep the linear algebra to one thread, where our own threads share out the rows."""
    if not wanted:
        yield
        return
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        yield
