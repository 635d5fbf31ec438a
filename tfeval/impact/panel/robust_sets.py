"""Sets for an effect when trends differ by steps or bends, and power of the test of trends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special
from scipy.optimize import brentq, lsq_linear
from scipy.special import log_ndtr, ndtr, ndtri

Array = np.ndarray
#: Share of the level that goes to the first stage of the hybrid test.
_FIRST_STAGE = 0.1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
#: Standard deviations beyond which a normal variable is not integrated.
_FAR = 9.0
_HALVINGS = 30
_SECANTS = 8
#: Multiples tried for where nought comes in, and halvings before the first that lets it.
_SCAN = 16
#: Slopes this near to 1, and variances this small beside another, are rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Windows:
    """Coefficients before and after a base whose own is nought, in order of time."""

    beta: Array  # (before + after,)
    sigma: Array  # (before + after, before + after)
    times: Array  # (before + 1 + after,): the base stands between
    before: int
    #: (after,): of the mean after that is asked about; 0 where a period only hands the violation
    #: on.
    weights: Array

    @cached_property
    def contrast(self) -> Array:
        """The weighted mean after, as weights of all coefficients."""
        return np.concatenate([np.zeros(self.before), self.weights])

    @property
    def estimate(self) -> float:
        """The mean after if trends are parallel."""
        return float(self.contrast @ self.beta)

    @property
    def std_error(self) -> float:
        """Of the estimate."""
        return float(np.sqrt(self.contrast @ self.sigma @ self.contrast))

    @cached_property
    def gaps(self) -> Array:
        """Lengths of the steps from period to period, shape (before + after,)."""
        return np.diff(self.times).astype(float)

    @cached_property
    def steps(self) -> Array:
        """Rows that take each step out of the coefficients, shape (before + after, same)."""
        levels = np.insert(np.eye(len(self.beta)), self.before, 0.0, axis=0)
        return np.diff(levels, axis=0)

    @cached_property
    def carried(self) -> Array:
        """How much of each step after the base is in the mean after, shape (after,)."""
        return np.cumsum(self.weights[::-1])[::-1]


def folded_quantile(shift: float, level: float) -> float:
    """Return the quantile of the absolute value of a normal variable with mean `shift`.

    Examples
    --------
    >>> round(folded_quantile(0.0, 0.95), 4), round(folded_quantile(5.0, 0.95), 4)
    (1.96, 6.6449)
    """
    low, high = shift + ndtri(level), shift + ndtri((1 + level) / 2)
    if shift > _FAR:
        return float(low)
    return float(
        brentq(lambda at: ndtr(at - shift) - ndtr(-at - shift) - level, low, high, xtol=1e-14)
    )


@dataclass(frozen=True, eq=False)
class Smoothness:
    """Fixed-length intervals for trends that bend by at most so much a period.

    Notes
    -----
    The centre is linear in the coefficients and right for any straight trend. Its weights
    before are minus the second differences of sums C, of which those from the base on are given
    by the weights after: the largest bias is the bend times the sum of their absolute values. The
    shortest interval is then a lasso in the free sums, at the penalty where both meet.
    """

    windows: Windows
    level: float

    @cached_property
    def _quadratic(self) -> tuple[Array, Array, Array, Array]:
        """Return base weights, their directions, and hessian and gradient of half the variance."""
        before, sigma = self.windows.before, self.windows.sigma
        sums = np.zeros(before)
        sums[-1] = -self.windows.carried.sum()
        bends = np.eye(before) - 2 * np.eye(before, k=-1) + np.eye(before, k=-2)
        start = self.windows.contrast.copy()
        start[:before] = -bends @ sums
        moves = np.zeros((len(start), before - 1))
        moves[:before] = -bends[:, :-1]
        return start, moves, moves.T @ sigma @ moves, moves.T @ sigma @ start

    @cached_property
    def least_bias(self) -> float:
        """Largest bias of the estimator that has least, for a bend of one."""
        later = np.cumsum(self.windows.carried[::-1])
        return float(np.abs(later).sum())

    @cached_property
    def penalty_most(self) -> float:
        """Penalty from which on the estimator has least bias."""
        gradient = self._quadratic[3]
        return float(np.abs(gradient).max()) if len(gradient) else 0.0

    def estimator(self, penalty: float) -> tuple[Array, float, float]:
        """Return weights, the largest bias for a bend of one, and the standard error."""
        start, moves, hessian, gradient = self._quadratic
        free = np.zeros(len(gradient))
        if len(free) and penalty < self.penalty_most:
            root = np.linalg.cholesky(hessian)
            target = np.linalg.solve(root, gradient)
            pull = free
            if penalty > 0:
                inverse = np.linalg.inv(root)
                pull = lsq_linear(inverse, -target, (-penalty, penalty), method="bvls", tol=1e-15).x
                # Sums whose pull is short of the penalty are nought: solve for the others alone.
                moving = np.abs(pull) >= penalty * (1 - 1e-9)
                free[moving] = -np.linalg.solve(
                    hessian[np.ix_(moving, moving)], (gradient + pull)[moving]
                )
            else:
                free = -np.linalg.solve(hessian, gradient)
        weights = start + moves @ free
        variance = weights @ self.windows.sigma @ weights
        return weights, self.least_bias + float(np.abs(free).sum()), float(np.sqrt(variance))

    def interval(self, bend: float) -> tuple[float, float]:
        """Return the shortest interval of fixed length that holds for such bends."""

        def excess(penalty: float) -> float:
            _, bias, error = self.estimator(penalty)
            shift = bend * bias / error
            quantile = folded_quantile(shift, self.level)
            slope = np.tanh(quantile * shift)
            return bend * error * slope / (quantile - shift * slope) - penalty

        penalty = 0.0
        if bend > 0 and self.penalty_most > 0:
            penalty = self.penalty_most
            if excess(penalty) < 0:
                penalty = brentq(excess, 0.0, penalty, xtol=1e-13 * penalty, rtol=1e-13)
        weights, bias, error = self.estimator(penalty)
        centre = float(weights @ self.windows.beta)
        half = folded_quantile(bend * bias / error, self.level) * error
        return centre - half, centre + half

    @cached_property
    def furthest(self) -> float:
        """A bend at which nought is within: no centre is further off than the bias alone."""
        penalties = np.linspace(0.0, self.penalty_most, 33)
        centres = [abs(self.estimator(one)[0] @ self.windows.beta) for one in penalties]
        return max(centres) / self.least_bias

    def excludes_zero(self, bend: float) -> bool:
        """Whether the interval leaves out nought."""
        low, high = self.interval(bend)
        return low > 0 or high < 0


@dataclass(frozen=True, eq=False)
class RelativeMagnitudes:
    """Hybrid conditional sets for steps at most a multiple of the largest step before.

    Notes
    -----
    The restriction is a union over which step before (or its negative) is the largest. Given
    that, the test is whether some violation satisfies linear inequalities; its statistic is the
    largest of few combinations of them, the vertices of the dual programme. They are known, so
    that no programme is solved: the mean after is too high, or too low, for the multiple, or the
    step taken as largest has the wrong sign (one for each step after, of which only those of
    most and least weight can matter). For one step after, that is no vertex but lies between
    the first two, which changes nothing.
    """

    windows: Windows
    level: float
    grid: int

    @cached_property
    def _before(self) -> Array:
        """The steps before, a time, and their negatives: which may be largest."""
        windows = self.windows
        rows = windows.steps[: windows.before] / windows.gaps[: windows.before, None]
        return np.concatenate([rows, -rows])

    @cached_property
    def reach(self) -> float:
        """What the mean after gains from a step of one a time."""
        gaps = self.windows.gaps[self.windows.before :]
        return float(np.abs(self.windows.carried) @ gaps)

    @cached_property
    def largest(self) -> float:
        """The largest step before, a time."""
        return float(np.abs(self._before @ self.windows.beta).max())

    @property
    def furthest(self) -> float:
        """A multiple at which nought is within, for certain."""
        bound = self.reach * self.largest
        return abs(self.windows.estimate) / bound if bound > 0 else np.inf

    def vertices(self, multiple: float) -> tuple[Array, Array]:
        """Return vertices, shape (pairs, 4, coefficients), and what the effect takes from each."""
        windows = self.windows
        largest = self._before if multiple > 0 else self._before[:1]
        gaps, carried = windows.gaps[windows.before :], windows.carried
        after = windows.steps[windows.before :]
        bound = multiple * gaps[None, :, None] * largest[:, None, :]
        up = _deviation(after[None] - bound, windows.sigma)
        down = _deviation(-after[None] - bound, windows.sigma)
        positive, negative = np.maximum(carried, 0), np.maximum(-carried, 0)
        scale_up = up @ positive + down @ negative
        scale_down = down @ positive + up @ negative
        own = multiple * self.reach * largest
        sign = 2 * multiple * gaps / (up + down)
        rows = np.stack(
            [
                (windows.contrast - own) / scale_up[:, None],
                (-windows.contrast - own) / scale_down[:, None],
                -sign.max(axis=1)[:, None] * largest,
                -sign.min(axis=1)[:, None] * largest,
            ],
            axis=1,
        )
        zero = np.zeros(len(largest))
        return rows, np.stack([1 / scale_up, -1 / scale_down, zero, zero], axis=1)

    def at(self, multiple: float) -> HybridTests:
        """Return the tests for one multiple."""
        rows, shift = self.vertices(multiple)
        covariance = rows @ self.windows.sigma @ rows.transpose(0, 2, 1)
        alpha = 1 - self.level
        first = alpha * _FIRST_STAGE
        critical = least_favourable(covariance, first)
        return HybridTests(
            rows @ self.windows.beta, shift, covariance, critical, (alpha - first) / (1 - first)
        )

    def interval(self, multiple: float) -> tuple[float, float]:
        """Return the ends of the set for one multiple."""
        tests, estimate = self.at(multiple), self.windows.estimate
        inner = multiple * self.reach * self.largest
        low, high = tests.range()
        return (
            tests.end(estimate - inner, low, self.grid),
            tests.end(estimate + inner, high, self.grid),
        )

    def excludes_zero(self, multiple: float) -> bool:
        """Whether the set leaves out nought, and all beyond it."""
        estimate = self.windows.estimate
        if abs(estimate) <= multiple * self.reach * self.largest:
            return False
        tests = self.at(multiple)
        low, high = tests.range()
        edge = min(low, 0.0) if estimate > 0 else max(high, 0.0)
        return not tests.accepted(np.linspace(0.0, edge, self.grid // 4)).any()


def _deviation(rows: Array, sigma: Array) -> Array:
    return np.sqrt(np.einsum("...i,ij,...j->...", rows, sigma, rows).clip(min=0))


@dataclass(frozen=True, eq=False)
class HybridTests:
    """One test for each step that may be the largest; an effect stays if any lets it."""

    start: Array  # (pairs, vertices): vertices' values at an effect of nought
    shift: Array  # (pairs, vertices): what a unit of the effect takes from them
    covariance: Array  # (pairs, vertices, vertices)
    critical: Array  # (pairs,): least favourable critical values of the first stage
    size: float  # of the second stage

    def range(self) -> tuple[float, float]:
        """Return ends beyond which the first stage rejects every effect."""
        kept = (self.start[:, 2:] <= self.critical[:, None]).all(axis=1)
        ends = (self.start[kept, :2] - self.critical[kept, None]) / self.shift[kept, :2]
        return float(ends[:, 0].min()), float(ends[:, 1].max())

    def accepted(self, effects: Array) -> Array:
        """Return whether each effect is in the set."""
        return np.asarray(self.each_accepted(effects).any(axis=0))

    def each_accepted(self, effects: Array) -> Array:
        """Return whether each test lets each effect be, shape (pairs, effects)."""
        values = self.start[:, None, :] - self.shift[:, None, :] * effects[None, :, None]
        which = values.argmax(axis=2)
        top = np.take_along_axis(values, which[..., None], axis=2)[..., 0]
        pair = np.arange(len(values))[:, None]
        own = self.covariance[pair, which, which]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.covariance[pair, which] / own[..., None]
            bound = (values - slope * top[..., None]) / (1 - slope)
        low = np.where(slope < 1 - _ROUNDING, bound, -np.inf).max(axis=2)
        high = np.where(slope > 1 + _ROUNDING, bound, np.inf).min(axis=2)
        high = np.minimum(high, self.critical[:, None])
        error = np.sqrt(own)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            p_value = _tail(top / error, low / error, high / error)
            rejected = (top > self.critical[:, None]) | ((top > 0) & (p_value < self.size))
        return np.where(own > 0, ~rejected, top <= 0)

    def end(self, inside: float, outside: float, points: int) -> float:
        """Return the furthest accepted effect on the way from one accepted to one that is not."""
        effects = np.linspace(inside, outside, max(points // 2, 2))
        last = int(np.flatnonzero(self.accepted(effects)).max(initial=0))
        if last == len(effects) - 1:
            return outside
        kept, gone = effects[last], effects[last + 1]
        for _ in range(_HALVINGS):
            middle = (kept + gone) / 2
            if self.accepted(np.array([middle]))[0]:
                kept = middle
            else:
                gone = middle
        return float(kept)


def _tail(value: Array, low: Array, high: Array) -> Array:
    """Return P(Z > value) of a standard normal between low and high, exact far out too."""
    base = log_ndtr(-low)
    end = np.exp(log_ndtr(-high) - base)
    tail = (np.exp(log_ndtr(-value) - base) - end) / (1 - end)
    return np.where(end < 1 - 1e-13, tail, (high - value) / (high - low))


def least_favourable(covariance: Array, size: float) -> Array:
    """Return what the largest vertex exceeds with a probability if all inequalities just hold.

    Parameters
    ----------
    covariance : ndarray, shape (pairs, 4, 4)
        The last two vertices are multiples of one variable, and so is the sum of the first two
        by their scales: all is known of two normal variables, and integrated over one.

    Returns
    -------
    ndarray, shape (pairs,)
    """
    # Given the third vertex, the first two are two ends of one normal variable.
    first, second, sign = (covariance[:, one, one] for one in range(3))
    known = sign > _ROUNDING * first
    spread = np.sqrt(np.where(known, sign, 1.0))
    load = np.where(known[:, None], covariance[:, :2, 2] / spread[:, None], 0.0)
    alone = np.stack([first, second], axis=1)
    left = np.sqrt(np.maximum(alone - load**2, _ROUNDING**2 * alone))
    # The logarithm of the tail is nearly straight in small steps: secants find it in a few.
    at = np.sqrt(covariance.diagonal(axis1=1, axis2=2).max(axis=1)) * ndtri(1 - size / 2)
    before, tail_before = 0.95 * at, _tail_of(0.95 * at, spread * known, load, left, size)
    for _ in range(_SECANTS):
        tail = _tail_of(at, spread * known, load, left, size)
        slope = (tail - tail_before) / np.where(at == before, 1.0, at - before)
        step = np.where(slope < 0, -tail / np.where(slope < 0, slope, -1.0), 0.0)
        before, tail_before, at = at, tail, np.maximum(at + step, at / 2)
    return at


def _tail_of(critical: Array, spread: Array, load: Array, left: Array, size: float) -> Array:
    """Return the logarithm of the chance that a vertex exceeds the critical value, over size."""
    outside = 1 - _inside(critical, spread, load, left)
    return np.log(np.maximum(outside, np.finfo(float).tiny) / size)


def _inside(critical: Array, spread: Array, load: Array, left: Array) -> Array:
    """Return the probability that no vertex exceeds the critical value."""
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(spread > 0, np.minimum(critical / spread, _FAR), _FAR)
    half = (most + _FAR) / 2
    at = -_FAR + half[:, None] * (_NODES + 1)
    ends = (critical[:, None, None] - load[:, :, None] * at[:, None, :]) / left[:, :, None]
    mass = np.maximum(ndtr(ends[:, 0]) - ndtr(-ends[:, 1]), 0.0)
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    return half * ((mass * density) @ _WEIGHTS)


def breakdown(excludes_zero: Callable[[float], bool], searched: float) -> float:
    """Return where nought first comes in, from below."""
    if not excludes_zero(0.0):
        return 0.0
    tried = np.linspace(0.0, searched, _SCAN + 1)
    within = next((at for at, one in enumerate(tried) if at and not excludes_zero(one)), None)
    if within is None:
        return float(searched)
    low, high = tried[within - 1], tried[within]
    for _ in range(_SCAN):
        middle = (low + high) / 2
        low, high = (middle, high) if excludes_zero(middle) else (low, middle)
    return float(low)


@dataclass(frozen=True)
class Wald:
    """A Wald test of several coefficients, by chi-squared or, with finite freedom, by F."""

    count: int
    freedom: float
    size: float

    def below(self, value: float, noncentral: float = 0.0, more: int = 0) -> float:
        """Return P(statistic < value), with so many more degrees of freedom above."""
        count = self.count + more
        if np.isinf(self.freedom):
            return float(special.chndtr(value, count, noncentral))
        return float(special.ncfdtr(count, self.freedom, noncentral, value / count))

    def tail(self, value: float) -> float:
        """Return the p-value."""
        if np.isinf(self.freedom):
            return float(special.chdtrc(self.count, value))
        return float(special.fdtrc(self.count, self.freedom, value / self.count))

    @property
    def critical(self) -> float:
        """The statistic from which on the test rejects."""
        if np.isinf(self.freedom):
            return float(special.chdtri(self.count, self.size))
        return float(self.count * special.fdtri(self.count, self.freedom, 1 - self.size))

    def noncentral(self, power: float) -> float:
        """Return the noncentrality at which the test has a power."""
        critical, most = self.critical, 1.0
        while self.below(critical, most) > 1 - power:
            most *= 2
        return float(brentq(lambda at: self.below(critical, at) - (1 - power), 0.0, most))

    def shrunk(self, noncentral: float) -> float:
        """Return what is left of the coefficients' mean in the samples that pass."""
        critical = self.critical
        return self.below(critical, noncentral, more=2) / self.below(critical, noncentral)
