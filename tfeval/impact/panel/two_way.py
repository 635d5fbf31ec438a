"""Two-way fixed effects of units by periods: coefficients by period, with CR2 errors, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.inference.rules import ENOUGH_CLUSTERS
from tfeval.impact.means.estimates import NOTHING
from tfeval.impact.means.influence import sums_by

# Units have columns r (a constant, covariates, the dose last), which stand in the regression with a
# coefficient of their own in each period but the base. Demeaned within a unit, the regressors of
# unit i are B_S (x) r_i', where B_S depends on the periods S in which it was seen alone. Sums over
# cells are thus sums over patterns of missing cells, and no matrix of cells is ever made. Weights
# are those of units, so demeaning is plain and the unit effects stand in no other formula.

#: Eigenvalues below this are nought.
_NO_EIGENVALUE = 1e-10
#: What is left of a residual's variance, of 1, where its cluster determines a coefficient.
_LOST = 1e-7
#: Up to so many different clusters their joint moments are taken pair by pair.
_BY_PAIR = 2000
#: Units taken at once; of so few the values stay in the processor's cache.
_CHUNK, _PIECE = 20_000, 1024


@dataclass(frozen=True, eq=False)
class Cells:
    """An outcome of units over periods, with what the regression takes from it."""

    #: (units, times): NaN where missing. Each unit has two values or more, each period one.
    outcome: np.ndarray
    #: (units, k): a constant, covariates, and the dose last; no column follows from those before
    #: it.
    regressors: np.ndarray
    weights: np.ndarray  # (units,)
    base: int  # column of the period left out

    @cached_property
    def seen(self) -> np.ndarray:
        """Which cells are not missing, shape (units, times)."""
        return np.isfinite(self.outcome)

    @cached_property
    def whole(self) -> bool:
        """Whether no cell is missing."""
        return bool(self.seen.all())

    @cached_property
    def patterns(self) -> list[Pattern]:
        """Return units by the periods in which they were seen."""
        if self.whole:
            return [self._pattern(self.seen[0], np.arange(len(self.seen)))]
        codes = np.unique(np.packbits(self.seen, axis=1), axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(codes, kind="stable")
        each = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        return [self._pattern(self.seen[own[0]], own) for own in each]

    def _pattern(self, seen: np.ndarray, units: np.ndarray) -> Pattern:
        count = int(seen.sum())
        # An orthonormal basis of what is left when a unit's mean is taken off.
        rotation = np.linalg.qr(np.eye(count) - 1 / count)[0][:, : count - 1]
        regressors = np.delete(np.eye(self.outcome.shape[1]), self.base, axis=1)[seen]
        values = self.outcome if self.whole else self.outcome[units][:, seen]
        return Pattern(units, rotation.T @ regressors, values, rotation)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Units seen in the same periods, their own means taken off by a rotation."""

    units: np.ndarray  # int
    regressors: np.ndarray  # (seen - 1, times - 1): of each period but the base
    values: np.ndarray  # (units, seen)
    rotation: np.ndarray  # (seen, seen - 1)

    def among(self, values: np.ndarray) -> np.ndarray:
        """Return their part of values of all units."""
        return values if len(self.units) == len(values) else values[self.units]

    @cached_property
    def outcome(self) -> np.ndarray:
        """Return the rotated values, shape (units, seen - 1)."""
        return self.values @ self.rotation

    def parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the same in pieces that stay in the processor's cache, each with its place."""
        for start in range(0, len(self.values), _PIECE):
            part = slice(start, start + _PIECE)
            yield part, self.values[part] @ self.rotation


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients of all columns in all periods but the base."""

    cells: Cells
    coefficients: np.ndarray  # (times - 1, k)
    #: inverse, middle: ((times - 1) k, (times - 1) k): M = (Z'WZ)^-1, generalised, and M Z'WWZ M.
    inverse: np.ndarray
    middle: np.ndarray

    @cached_property
    def residuals(self) -> list[np.ndarray]:
        """Return residuals by pattern, in its rotation, each of shape (units, seen - 1)."""
        rows, by, each = self.cells.regressors, self.coefficients.T, self.cells.patterns
        return [own.outcome - (own.among(rows) @ by) @ own.regressors.T for own in each]

    @property
    def dose(self) -> np.ndarray:
        """The dose's coefficients, one a period but the base."""
        return self.coefficients[:, -1]

    @cached_property
    def levers(self) -> np.ndarray:
        """Return M's columns of the dose, shape ((times - 1) k, times - 1)."""
        k = self.cells.regressors.shape[1]
        return self.inverse[:, k - 1 :: k]


def fitted(cells: Cells) -> Fit:
    """Return the weighted least squares fit."""
    k, times = cells.regressors.shape[1], cells.outcome.shape[1] - 1
    size = k * times
    normal, square, right = np.zeros((size, size)), np.zeros((size, size)), np.zeros((times, k))
    for own in cells.patterns:
        rows = own.among(cells.regressors)
        weighted = rows * own.among(cells.weights)[:, None]
        gram = own.regressors.T @ own.regressors
        normal += np.kron(gram, rows.T @ weighted)
        square += np.kron(gram, weighted.T @ weighted)
        right += own.regressors.T @ sum(values.T @ weighted[part] for part, values in own.parts())
    # For a whole panel the product of two small inverses would do; this costs nothing either.
    inverse = np.linalg.pinv(normal, rcond=1e-11, hermitian=True)
    kept = normal @ inverse
    places = np.arange(k - 1, size, k)
    lost = np.abs(kept[:, places] - np.eye(size)[:, places]).max(axis=0) > 1e-6
    if lost.any():
        raise DataError(
            f"The dose has no coefficient of its own in {int(lost.sum())} periods: the covariates, "
            "or missing cells, determine it there. Leave covariates or periods out."
        )
    coefficients = (inverse @ right.ravel()).reshape(times, k)
    return Fit(cells, coefficients, inverse, inverse @ square @ inverse)


@dataclass(frozen=True, eq=False)
class Moments:
    """What CR2 variances vary by: quadratic forms of the clusters under independent errors.

    For cluster g and coefficient s let q be the adjusted lever; the covariance of the sums of two
    clusters is delta D + F C F'. Clusters that are alike are held once, with their count.
    """

    own: np.ndarray  # (kinds, coefficients, coefficients): D
    factors: np.ndarray  # (kinds, coefficients, width): F
    core: np.ndarray  # (width, width): C
    count: np.ndarray  # (kinds,)

    def combined(self, by: np.ndarray) -> Moments:
        """Return those of linear combinations, shape (combinations, coefficients)."""
        return Moments(by @ self.own @ by.T, by @ self.factors, self.core, self.count)

    @cached_property
    def expected(self) -> np.ndarray:
        """Return the expected covariance, shape (coefficients, coefficients)."""
        return np.einsum("g,gst->st", self.count, self.own + self._alone)

    @cached_property
    def _alone(self) -> np.ndarray:
        return self.factors @ self.core @ self.factors.transpose(0, 2, 1)

    @cached_property
    def _across(self) -> Callable[[int, int], np.ndarray]:
        """Return P_st of all pairs of clusters; the last ones are kept, as memory allows."""
        by, core = self.factors.swapaxes(0, 1), self.core
        return lru_cache(max(2, 10**7 // by.shape[1] ** 2))(lambda s, t: by[s] @ core @ by[t].T)

    def product(self, s: int, t: int, u: int, v: int) -> float:
        """Return the sum over pairs of clusters of P_st times P_uv."""
        one, two = self.own[:, s, t], self.own[:, u, v]
        diagonal = one * (two + self._alone[:, u, v]) + two * self._alone[:, s, t]
        if len(self.count) <= _BY_PAIR:
            apart = float(self.count @ (self._across(s, t) * self._across(u, v)) @ self.count)
        else:
            by, count = self.factors.swapaxes(0, 1), self.count[:, None]
            rows, columns = (count * by[s]).T @ by[u], (count * by[t]).T @ by[v]
            apart = float(np.sum((self.core.T @ rows @ self.core) * columns))
        return float(self.count @ diagonal) + apart


@dataclass(frozen=True, eq=False)
class Errors:
    """Covariance of the dose's coefficients, and degrees of freedom of what is made of them."""

    #: (units, coefficients): adjusted; squared sums over clusters add up to the covariance.
    influence: np.ndarray
    covariance: np.ndarray  # (coefficients, coefficients)
    clusters: int
    #: (coefficients,) bool: which of them one cluster alone determines, so that its residuals say
    #: nothing of how it varies.
    alone: np.ndarray
    moments: Moments | None = None  # none without Satterthwaite's degrees of freedom
    #: Degrees of freedom of every combination, where there is one for all.
    same: float = field(default=np.nan)
    nothing: float = 0.0  # an error so small is rounding

    def scaled(self, by: float) -> Errors:
        """Return the errors of the coefficients times a number."""
        self.influence[...] *= by  # its own, and large
        return replace(self, covariance=self.covariance * by**2, nothing=self.nothing * by)

    def freedom(self, by: np.ndarray) -> float:
        """Return the degrees of freedom of a linear combination of the coefficients."""
        if self.moments is None:
            return self.same
        return _satterthwaite(self.moments.combined(by[None, :]))

    def unsure(self, by: np.ndarray) -> bool:
        """Tell whether combinations have a part in what one cluster alone determines."""
        return bool((np.asarray(by)[..., self.alone] != 0).any())

    def wald(self, values: np.ndarray, by: np.ndarray) -> tuple[float, float]:
        """Return Hotelling's F of combinations all nought, NaN if singular, and HTZ's freedom.

        Parameters
        ----------
        values : ndarray, shape (coefficients,)
        by : ndarray, shape (combinations, coefficients)
        """
        count, apart, joint = len(by), by @ values, by @ self.covariance @ by.T
        if self.unsure(by):
            return np.nan, self.same
        if np.linalg.matrix_rank(joint, hermitian=True) < count:
            return np.nan, self.same  # as where nobody's outcome moved in a period
        squared = float(apart @ np.linalg.solve(joint, apart))
        freedom = self.same
        if self.moments is not None:
            own = self.moments.combined(by)
            rooted = _inverse_root(own.expected[None])[0]
            own = own.combined(rooted)
            pairs = product(range(count), repeat=2)
            total = sum(own.product(s, s, t, t) + own.product(s, t, t, s) for s, t in pairs)
            freedom = count * (count + 1) / total if total > 0 else np.nan
        left = freedom - count + 1
        return (left / freedom / count * squared if left > 0 else np.nan), left


def errors_of(fit: Fit, codes: np.ndarray | None, small_sample: str) -> Errors:
    """Return the errors by unit, or by cluster of units.

    Parameters
    ----------
    codes : ndarray of int, shape (units,), optional
        Clusters from 0; without them by unit.
    small_sample : {"cr2", "cr1"}
        Bell and McCaffrey's with independent errors of one variance as the working model, or
        G/(G - 1) (n - 1)/(n - k), where unit effects are not in k.
    """
    scores, nothing = _influence(fit), _nothing(fit.cells)
    count = len(scores) if codes is None else int(codes.max()) + 1
    if small_sample == "cr1":
        alone = np.full(scores.shape[1], _apart(fit, codes) < ENOUGH_CLUSTERS)
        observed = int(np.count_nonzero(fit.cells.seen))
        rank = int(np.linalg.matrix_rank(fit.inverse, hermitian=True)) + 1
        scores *= np.sqrt(count / (count - 1) * (observed - 1) / (observed - rank))
        return Errors(
            scores, _covariance(scores, codes), count, alone, None, float(count - 1), nothing
        )
    if codes is None and fit.cells.whole:
        room, moments, one = _of_whole(fit)
        scores *= _root(room)[:, None]
        same, flags = np.nan if one else _satterthwaite(moments), np.full(scores.shape[1], one)
        return Errors(scores, scores.T @ scores, count, flags, None, same, nothing)
    made = _of_units(fit) if codes is None else _of_clusters(fit, codes, count)
    scores, moments, alone = made
    return Errors(scores, _covariance(scores, codes), count, alone, moments, nothing=nothing)


def _nothing(cells: Cells) -> float:
    """Return an error that would be rounding: of the outcome's deviation, and of its size."""
    own = cells.outcome.ravel() if cells.whole else cells.outcome[cells.seen]
    centre, pieces = own.mean(), range(0, len(own), _CHUNK)
    square = sum(((own[at : at + _CHUNK] - centre) ** 2).sum() for at in pieces)
    largest = max(own.max(), -own.min())
    return float(NOTHING * np.sqrt(square / len(own)) + NOTHING**1.4 * largest)


def _apart(fit: Fit, codes: np.ndarray | None) -> int:
    """Return how many clusters have a dose that is not the commonest one."""
    place, values = pd.factorize(fit.cells.regressors[:, -1], sort=True)
    others = np.flatnonzero(place != np.bincount(place, minlength=len(values)).argmax())
    return len(others) if codes is None else len(np.unique(codes[others]))


def _beyond(room: np.ndarray, lever: np.ndarray) -> np.ndarray:
    """Tell which levers lie where nothing is left of a cluster's residuals.

    Parameters
    ----------
    room : ndarray, shape (..., cells, cells)
    lever : ndarray, shape (..., cells, coefficients)
    """
    values, vectors = np.linalg.eigh(room)
    turned = vectors.swapaxes(-1, -2) @ lever
    size = (turned**2).sum(axis=-2)
    lost = (np.where(values[..., None] > _LOST, 0.0, turned) ** 2).sum(axis=-2)
    flags = lost > _LOST * size
    return flags.reshape(-1, flags.shape[-1]).any(axis=0)


def sums_of(fit: Fit, by: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a bootstrap of one combination of the dose's coefficients needs of each unit.

    Parameters
    ----------
    by : ndarray, shape (coefficients,)

    Returns
    -------
    lever : ndarray, shape (columns,)
        The combination as a sum of Z'Wy.
    scores, products : ndarray, shape (units, columns)
        Z'W times the residuals, and Z'WZ times the lever.
    """
    lever = fit.levers @ by
    cells, products = fit.cells, np.empty((len(fit.cells.outcome), len(lever)))
    wide = lever.reshape(fit.coefficients.shape)
    for own in cells.patterns:
        rows = cells.regressors[own.units]
        moved = (rows @ wide.T) @ (own.regressors.T @ own.regressors)
        products[own.units] = _outer(moved, rows) * cells.weights[own.units, None]
    return lever, _scores(fit), products


def _scores(fit: Fit) -> np.ndarray:
    """Return each unit's Z'W times its residuals, shape (units, columns)."""
    cells = fit.cells
    scores = np.empty((len(cells.outcome), fit.coefficients.size))
    for own, residuals in zip(cells.patterns, fit.residuals, strict=True):
        rows = cells.regressors[own.units] * cells.weights[own.units, None]
        scores[own.units] = _outer(residuals @ own.regressors, rows)
    return scores


def _influence(fit: Fit) -> np.ndarray:
    """Return those times the dose's levers, shape (units, coefficients), without making them."""
    cells, wide = fit.cells, fit.levers.reshape(*fit.coefficients.shape, -1)
    influence = np.empty((len(cells.outcome), len(fit.coefficients)))
    for own in cells.patterns:
        rows = own.among(cells.regressors)
        weighted = rows * own.among(cells.weights)[:, None]
        levers = [(one, own.regressors @ wide[:, at]) for at, one in enumerate(weighted.T)]
        if cells.whole:  # then they are one lever of units times one of periods
            apart = np.linalg.inv(own.regressors.T @ own.regressors)
            by_unit = weighted @ np.linalg.inv(rows.T @ weighted)[:, -1]
            levers = [(by_unit, own.regressors @ apart)]
        for part, values in own.parts():
            left = values - (rows[part] @ fit.coefficients.T) @ own.regressors.T
            total = sum(by[part, None] * (left @ one) for by, one in levers)
            influence[own.units[part]] = total
    return influence


def _outer(by_time: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return (by_time[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)


def _covariance(influence: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    sums = influence if codes is None else sums_by(influence, codes)
    return sums.T @ sums


def _satterthwaite(moments: Moments) -> float:
    apart = moments.product(0, 0, 0, 0)
    return float(moments.expected[0, 0] ** 2 / apart) if apart > 0 else np.nan


def _root(values: np.ndarray) -> np.ndarray:
    """Return 1/sqrt, nought where there is nothing."""
    sure = values > _NO_EIGENVALUE
    return np.where(sure, 1 / np.sqrt(np.where(sure, values, 1.0)), 0.0)


def _inverse_root(matrices: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrices)
    return vectors * _root(values)[:, None, :] @ vectors.transpose(0, 2, 1)


def _core(inverse: np.ndarray, middle: np.ndarray) -> np.ndarray:
    return np.block([[middle, -inverse], [-inverse, np.zeros_like(inverse)]])


def _of_whole(fit: Fit) -> tuple[np.ndarray, Moments, bool]:
    """Return what a unit's residuals keep of their variance, and the moments, no cell missing.

    And whether one unit determines the coefficients.

    All periods have the same regressors, so the regression is one cross-section for each
    difference between periods, and what holds of one holds of each combination.
    """
    cells = fit.cells
    rows, weights = cells.regressors, cells.weights
    weighted = rows * weights[:, None]
    inverse = np.linalg.inv(rows.T @ weighted)
    middle = inverse @ (weighted.T @ weighted) @ inverse
    room = 1 - 2 * np.einsum("ij,jk,ik->i", weighted, inverse, rows, optimize=True)
    room += np.einsum("ij,jk,ik->i", rows, middle, rows, optimize=True)
    lever = weights * (rows @ inverse[:, -1])
    most = np.abs(lever).max()
    alone = bool(((room < _LOST) & (np.abs(lever) > 1e-6 * most)).any())
    lever = lever * _root(room)
    factors = np.concatenate([rows, weighted], axis=1) * lever[:, None]
    core = _core(inverse, middle)
    moments = Moments((lever**2)[:, None, None], factors[:, None, :], core, np.ones(len(rows)))
    return room, moments, alone


def _of_units(fit: Fit) -> tuple[np.ndarray, Moments, np.ndarray]:
    """Return adjusted scores of units, and the moments; units that are alike are taken once."""
    cells, times = fit.cells, len(fit.coefficients)
    k = cells.regressors.shape[1]
    scores = np.empty((len(cells.outcome), times))
    inverse, middle = (
        one.reshape(times, k, times, k).transpose(1, 3, 0, 2).reshape(k * k, times * times)
        for one in (fit.inverse, fit.middle)
    )
    wide = fit.levers.reshape(times, k, times)
    kinds, kind_of = [], np.zeros(len(cells.outcome), dtype=np.int64)
    alone = np.zeros(times, dtype=bool)
    for column in (cells.weights, *cells.regressors.T):
        values, codes = np.unique(column, return_inverse=True)
        kind_of = np.unique(kind_of * len(values) + codes, return_inverse=True)[1]
    for own, residuals in zip(cells.patterns, fit.residuals, strict=True):
        _, first, codes, count = np.unique(
            kind_of[own.units], return_index=True, return_inverse=True, return_counts=True
        )
        rows, weights = cells.regressors[own.units[first]], cells.weights[own.units[first]]
        pairs = _outer(rows, rows)
        spread = (2 * weights[:, None] * (pairs @ inverse) - pairs @ middle).reshape(
            -1, times, times
        )
        room = np.eye(len(own.regressors)) - own.regressors @ spread @ own.regressors.T
        lever = np.einsum("at,tjq,uj->uaq", own.regressors, wide, rows, optimize=True)
        lever *= weights[:, None, None]
        alone |= _beyond(room, lever)
        lever = _inverse_root(room) @ lever
        back = own.regressors.T @ lever
        first = (back[:, :, None, :] * rows[:, None, :, None]).reshape(len(rows), times * k, times)
        factors = np.concatenate([first, first * weights[:, None, None]], axis=1)
        kinds.append((lever.transpose(0, 2, 1) @ lever, factors.transpose(0, 2, 1), count))
        for start in range(0, len(codes), _CHUNK):
            part = slice(start, start + _CHUNK)
            moved = residuals[part, None, :] @ lever[codes[part]]
            scores[own.units[part]] = moved[:, 0]
    square, factors, count = (np.concatenate(one) for one in zip(*kinds, strict=True))
    return scores, Moments(square, factors, _core(fit.inverse, fit.middle), count), alone


def _of_clusters(fit: Fit, codes: np.ndarray, count: int) -> tuple[np.ndarray, Moments, np.ndarray]:
    """Return adjusted scores of units, and the moments, by clusters of several units."""
    cells = fit.cells
    scores = np.empty((len(cells.outcome), len(fit.coefficients)))
    kinds, alone = [], np.zeros(len(fit.coefficients), dtype=bool)
    for code in range(count):
        inside, parts, residuals, weights = [], [], [], []
        for own, left in zip(cells.patterns, fit.residuals, strict=True):
            places = np.flatnonzero(codes[own.units] == code)
            units = own.units[places]
            rows = cells.regressors[units]
            parts.append(np.einsum("at,uj->uatj", own.regressors, rows).reshape(
                -1, fit.coefficients.size))  # fmt: skip
            inside.append(np.repeat(units, len(own.regressors)))
            residuals.append(left[places].ravel())
            weights.append(np.repeat(cells.weights[units], len(own.regressors)))
        z, unit, residual, weight = map(np.concatenate, (parts, inside, residuals, weights))
        weighted = z * weight[:, None]
        both = np.concatenate([z, weighted], axis=1)
        # What is adjusted lies in the span of both, which is small where a cluster is large.
        basis = np.linalg.qr(both)[0] if len(z) > both.shape[1] else np.eye(len(z))
        near, far = basis.T @ z, basis.T @ weighted
        lost = far @ fit.inverse @ near.T
        room = np.eye(basis.shape[1]) - lost - lost.T + near @ fit.middle @ near.T
        own = far @ fit.levers
        alone |= _beyond(room, own)
        lever = basis @ (_inverse_root(room[None])[0] @ own)
        factors = np.concatenate([z.T @ lever, weighted.T @ lever])
        kinds.append((lever.T @ lever, factors.T))
        places, where = np.unique(unit, return_inverse=True)
        scores[places] = sums_by(lever * residual[:, None], where)
    own_moments, all_factors = (np.stack(one) for one in zip(*kinds, strict=True))
    moments = Moments(own_moments, all_factors, _core(fit.inverse, fit.middle), np.ones(count))
    return scores, moments, alone
