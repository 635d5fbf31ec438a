"""Estimators at a cutoff: of adjacent values, honest to a bound, and which one has an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from scipy.special import chndtrix, ndtr, ndtri, stdtr, stdtrit

from tfeval.errors import ParameterError, check_seed, suggest
from tfeval.impact.inference.rules import (
    ESTIMATED,
    FEW_CLUSTERS,
    FEW_EVENTS,
    FEW_SUPPORT,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_EVENTS,
    FEWEST_F,
    FEWEST_SUPPORT,
    FEWEST_UNITS,
    NO_ERROR,
    NO_VARIATION,
    WEAK_FIRST_STAGE,
)
from tfeval.impact.panel.local_polynomial import (
    FEWEST_FOR_BANDWIDTH,
    KERNELS,
    Jump,
    Points,
    cluster_freedom,
    kernel_weights,
    neighbour_residuals,
    robust_jump,
    summed_squares,
)

#: Units from which labels are not permuted: the normal does as well.
_MANY = 10_000
#: Worst biases, in errors, from which one tail alone counts.
_FAR = 10.0


def honest_jump(
    points: Points,
    curvature: float,
    *,
    curvature_treated: float = 0.0,
    kernel: str = "triangular",
    bandwidth: float | None = None,
    level: float = 0.95,
) -> Jump | None:
    """Return the local linear jump with an interval that holds whatever the curve, up to a bound.

    Parameters
    ----------
    curvature : float
        Bound on the size of the second derivative of the outcome's mean given the running
        variable, on either side, in units of the outcome over squared units of the variable.
    curvature_treated : float, default 0
        The same of the share treated, for a fuzzy design.
    kernel : {"triangular", "epanechnikov", "uniform"}
    bandwidth : float, optional
        By default the one with the least greatest mean squared error.

    Returns
    -------
    Jump or None
        None where a side has fewer than two values within the bandwidth: the jump could then be
        anything. The interval is the estimate plus and minus an error times the critical value of
        a normal with the worst bias.

    References
    ----------
    Kolesár and Rothe (2018), Inference in regression discontinuity designs with a discrete running
    variable, American Economic Review 108: bounds on the second derivative; Armstrong and Kolesár
    (2020), Simple and honest confidence intervals in nonparametric regression, Quantitative
    Economics 11.

    Examples
    --------
    >>> x = np.repeat([-2.0, -1.0, 0.0, 1.0], 50)
    >>> noise = np.tile(np.sin(7 * np.arange(50)), 4)
    >>> steps = Points(x, x + 3 * (x >= 0) + noise, None, np.empty((200, 0)))
    >>> found = honest_jump(steps, 0.5, bandwidth=2, kernel="uniform")
    >>> round(found.estimate, 6), round(found.bias_bound, 6)
    (3.0, 0.5)
    """
    x = points.x
    if min(len(np.unique(x[x < 0])), len(np.unique(x[x >= 0]))) < 2:
        return None
    if bandwidth is None:
        bandwidth = _best_bandwidth(points, curvature, kernel)
    used = np.argsort(x, kind="stable")
    used = used[kernel_weights(x[used] / bandwidth, kernel) > 0]
    near = points.some(used)
    x, above = near.x, near.x >= 0
    support = len(np.unique(x[~above])), len(np.unique(x[above]))
    if min(support) < 2:
        return None
    lines = np.column_stack([above, np.ones(len(x)), x * above, x, near.covariates])
    root = np.sqrt(kernel_weights(x / bandwidth, kernel))
    solved = np.linalg.pinv(lines * root[:, None]) * root
    fitted, estimate, first, own = _ratio(near, solved)
    bound = curvature
    if near.treated is not None:
        bound = (curvature + curvature_treated * abs(estimate)) / abs(first)
    influence = np.zeros(len(points.x))
    influence[used] = solved[0] * _left_over(near, lines, solved, own)
    error = math.sqrt(summed_squares(influence, points.clusters))
    bias = float(bound / 2 * abs((solved[0] * x**2 * np.where(above, -1, 1)).sum()))
    worst, size = (bias / error, abs(estimate) / error) if error > 0 else (math.nan, math.nan)
    freedom = cluster_freedom(points.clusters, used)
    # Few clusters: the reach grows as Student's t does, whatever the bias.
    wider = float(stdtrit(freedom, (1 + level) / 2) / ndtri((1 + level) / 2))
    reach, size = critical_value(worst, level) * wider * error, size / wider
    return Jump(
        float(estimate), error, float(estimate - reach), float(estimate + reach),
        float(ndtr(worst - size) + ndtr(-worst - size)), influence, _mask(used, len(influence)),
        float(fitted[1]), float(fitted[0] + fitted[1]), int((~above).sum()), int(above.sum()),
        support, bandwidth, conventional=float(estimate), first_stage=float(first),
        bias_bound=bias, freedom=freedom,
    )  # fmt: skip


def _ratio(
    near: Points, solved: np.ndarray
) -> tuple[np.ndarray, np.float64, np.float64, np.ndarray]:
    """Return the outcome's coefficients, the jump, the treatment's, and whose jump the jump is.

    The last are outcomes; in a fuzzy design the linear part of the ratio at its estimate.
    """
    fitted = solved @ near.outcome
    if near.treated is None:
        return fitted, fitted[0], np.float64(math.nan), near.outcome
    first = (solved @ near.treated)[0]
    estimate = fitted[0] / first
    return fitted, estimate, first, (near.outcome - estimate * near.treated) / first


def _mask(rows: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


def _left_over(
    near: Points, lines: np.ndarray, solved: np.ndarray, own: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Return residuals: of neighbours on each side, or where there are clusters of the lines."""
    slopes = solved @ own
    if near.clusters is not None:
        return own - lines @ slopes
    adjusted = own - near.covariates @ slopes[4:]
    sides = (near.x < 0, near.x >= 0)
    return np.concatenate([neighbour_residuals(near.x[one], adjusted[one]) for one in sides])


def critical_value(worst: float, level: float) -> float:
    """Return how many errors an interval reaches, where the bias may be `worst` errors.

    Examples
    --------
    >>> [round(critical_value(worst, 0.95), 3) for worst in (0.0, 1.0, 20.0)]
    [1.96, 2.646, 21.645]
    """
    if not worst < _FAR:
        return worst + float(ndtri(level))
    return math.sqrt(float(chndtrix(level, 1, worst**2)))


def within_variance(x: np.ndarray, values: np.ndarray) -> float:
    """Return the variance of units with the same value of the running variable, pooled.

    Where no value repeats, that of nearest neighbours.
    """
    codes, count = np.unique(x, return_inverse=True)[1], len(np.unique(x))
    if count == len(x):
        rows = np.argsort(x, kind="stable")
        return float(np.mean(neighbour_residuals(x[rows], values[rows]) ** 2))
    means = np.bincount(codes, values) / np.bincount(codes)
    return float(((values - means[codes]) ** 2).sum() / (len(x) - count))


def _best_bandwidth(points: Points, curvature: float, kernel: str) -> float:
    """Return the bandwidth with the least worst squared bias and variance together."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415

    sides = [points.some(points.x < 0), points.some(points.x >= 0)]
    x, counts = np.unique(points.x, return_counts=True)
    above = x >= 0
    spread = np.where(above, *(within_variance(one.x, one.outcome) for one in sides[::-1]))
    lines = np.column_stack([above, np.ones(len(x)), x * above, x])
    least = max(np.sort(np.abs(x[~above]))[1], x[above][1])
    widest = float(np.abs(x).max())

    def worst(h: float) -> float:
        root = np.sqrt(kernel_weights(x / h, kernel) * counts)
        if min(np.count_nonzero(root[above]), np.count_nonzero(root[~above])) < 2:
            return math.inf
        # Of each unit: the units of a value share its weight.
        slope = (np.linalg.pinv(lines * root[:, None])[0] * root) / counts
        bias = curvature / 2 * (counts * slope * x**2 * np.where(above, -1, 1)).sum()
        return float(bias**2 + (counts * slope**2 * spread).sum())

    if kernel == "uniform":
        near = np.unique(np.abs(x))
        return float(min(near[near >= least], key=worst))
    if widest <= least:
        return 2 * float(least)  # two values on a side: any bandwidth that has both
    best = minimize_scalar(
        worst, bounds=(float(least), widest), method="bounded", options={"xatol": 1e-12 * widest}
    )
    return float(best.x)


def adjacent_jump(
    points: Points,
    *,
    bandwidth: float | None = None,
    level: float = 0.95,
    draws: int = 999,
    rng: np.random.Generator | None = None,
) -> Jump | None:
    """Return the difference between the values next to the cutoff, as if these were drawn by lot.

    Parameters
    ----------
    points : Points
        Covariates are adjusted for with slopes common to both sides.
    bandwidth : float, optional
        All units within it; by default those with the last value below and the first above.
    rng : Generator, optional
        Of permutations, which give `p_randomisation`; none without it, with clusters, or with
        more than 10,000 units.

    Returns
    -------
    Jump or None
        None where a side has nobody. Errors are HC2 with Welch's degrees of freedom; by cluster
        CR1, with one less than the clusters.

    References
    ----------
    Cattaneo, Frandsen and Titiunik (2015), Randomization inference in the regression discontinuity
    design, Journal of Causal Inference 3.

    Examples
    --------
    >>> x = np.repeat([-1.0, 0.0, 1.0], 20)
    >>> steps = Points(x, 3.0 * (x >= 0) + np.tile([0.0, 1.0], 30), None, np.empty((60, 0)))
    >>> round(adjacent_jump(steps).estimate, 6)
    3.0
    """
    x = points.x
    if not ((x < 0).any() and (x >= 0).any()):
        return None
    edges = (x[x < 0].max(), x[x >= 0].min()) if bandwidth is None else (-bandwidth, bandwidth)
    used = np.flatnonzero((x >= edges[0]) & (x <= edges[1]))
    near = points.some(used)
    above = near.x >= 0
    counts = int((~above).sum()), int(above.sum())
    if min(counts) < 2:
        return None
    centred = near.covariates - near.covariates.mean(axis=0)
    lines = np.column_stack([above, np.ones(len(used)), centred])
    solved = np.linalg.pinv(lines)
    fitted, estimate, first, own = _ratio(near, solved)
    influence = np.zeros(len(x))
    influence[used], freedom = _by_lines(near, lines, solved, own)
    error = math.sqrt(summed_squares(influence, points.clusters))
    reach = error * float(
        stdtrit(freedom, (1 + level) / 2) if freedom < math.inf else ndtri((1 + level) / 2)
    )
    by_lot = math.nan
    if rng is not None and near.clusters is None and len(used) <= _MANY:
        by_lot = _by_permutation(near.outcome - centred @ fitted[2:], above, draws, rng)
    return Jump(
        float(estimate), error, float(estimate - reach), float(estimate + reach),
        2 * float(stdtr(freedom, -abs(estimate) / error)) if error > 0 else math.nan, influence,
        _mask(used, len(x)), float(fitted[1]), float(fitted[0] + fitted[1]), *counts,
        (len(np.unique(near.x[~above])), len(np.unique(near.x[above]))),
        float(np.abs(near.x).max()), conventional=float(estimate), first_stage=float(first),
        freedom=freedom, p_randomisation=by_lot,
    )  # fmt: skip


def _by_lines(
    near: Points, lines: np.ndarray, solved: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return influences on the jump, HC2 or by cluster CR1, and degrees of freedom."""
    left = own - lines @ (solved @ own)
    n, k = lines.shape
    if near.clusters is not None:
        groups = len(np.unique(near.clusters))
        factor = (n - 1) / (n - k) * groups / (groups - 1) if groups > 1 and n > k else math.nan
        return solved[0] * left * math.sqrt(factor), groups - 1.0
    leverage = np.minimum(np.einsum("ij,ji->i", lines, solved), 1 - 1e-12)
    influence = solved[0] * left / np.sqrt(1 - leverage)
    sides = [near.x < 0, near.x >= 0]
    parts = np.array([(influence[side] ** 2).sum() for side in sides])
    own_freedom = np.array([side.sum() - 1 for side in sides])
    if not parts.sum() > 0:
        return influence, math.inf
    return influence, float(parts.sum() ** 2 / (parts**2 / own_freedom).sum())


def _by_permutation(
    values: np.ndarray, above: np.ndarray, draws: int, rng: np.random.Generator
) -> float:
    """Return the share of permutations with a difference of means as large, with the actual one."""
    n, count = len(values), int(above.sum())
    values = values - values.mean()
    # With a mean of 0 the difference is the sum of one side times a constant.
    actual = abs(float(values[above].sum()))
    sums = np.array([rng.permutation(values)[:count].sum() for _ in range(draws)])
    beyond = int((np.abs(sums) >= actual * (1 - 1e-9) - 1e-12 * n).sum())
    return (1 + beyond) / (1 + draws)


#: The order of a polynomial may be from 0 to.
_MOST_ORDER = 3
#: Ways to an estimate, and the key of each in a table of effects.
METHODS = {
    "continuous": "local_polynomial", "honest": "honest_local_linear",
    "adjacent": "local_randomisation",
}  # fmt: skip


@dataclass(frozen=True)
class Estimator:
    """A way to an estimate with its settings."""

    mode: str  # a key of `METHODS`
    #: kernel, order, bandwidth, level: as `threshold` takes them.
    kernel: str = "triangular"
    order: int = 1
    bandwidth: float | None = None
    level: float = 0.95
    #: draws, seed: of permutations.
    draws: int = 999
    seed: int = 1

    def __post_init__(self) -> None:
        if self.mode not in METHODS:
            known = suggest(str(self.mode), METHODS)
            raise ParameterError(f"discrete={self.mode!r} is not offered. {known}")
        if self.kernel not in KERNELS:
            known = suggest(str(self.kernel), KERNELS)
            raise ParameterError(f"There is no kernel {self.kernel!r}. {known}")
        if self.order not in range(_MOST_ORDER + 1):
            raise ParameterError(
                f"order is a whole number from 0 to {_MOST_ORDER}, not {self.order!r}."
            )
        wide = self.bandwidth
        if wide is not None and not (isinstance(wide, Real) and 0 < wide < math.inf):
            raise ParameterError(f"bandwidth is a number above 0, not {self.bandwidth!r}.")
        check_seed(self.seed)

    def jump(
        self, points: Points, curvature: float = 0.0, curvature_treated: float = 0.0
    ) -> tuple[Jump | None, str]:
        """Return what is found at the cutoff, or None, and its status: estimated, or why it lacks.

        Parameters
        ----------
        curvature, curvature_treated : float
            For "honest".
        """
        if np.ptp(points.outcome) == 0:
            return None, NO_VARIATION
        support = min(len(np.unique(points.x[side])) for side in (points.x < 0, points.x >= 0))
        units = min((points.x < 0).sum(), (points.x >= 0).sum())
        if self.mode == "continuous" and support < FEWEST_SUPPORT:
            return None, FEW_SUPPORT
        if units < FEWEST_UNITS or len(points.x) < FEWEST_FOR_BANDWIDTH:
            return None, FEW_UNITS
        with np.errstate(divide="ignore", invalid="ignore"):  # nobody moved: an infinite ratio
            effect = self._estimated(points, curvature, curvature_treated)
        if effect is None:
            return None, FEW_SUPPORT if self.mode == "honest" else FEW_UNITS
        events = effect.used & (points.outcome != 0)
        sides = ((events & side).sum() for side in (points.x < 0, points.x >= 0))
        effect = replace(effect, events=(int(next(sides)), int(next(sides))))
        status = self._status(points, effect)
        if status == ESTIMATED and points.treated is not None:
            taken = replace(points, outcome=points.treated, treated=None)
            status = self._first_stage(taken, effect, curvature_treated)
        return effect, status

    def _estimated(
        self, points: Points, curvature: float, curvature_treated: float
    ) -> Jump | None:  # fmt: skip
        if self.mode == "honest":
            return honest_jump(
                points, curvature, curvature_treated=curvature_treated, kernel=self.kernel,
                bandwidth=self.bandwidth, level=self.level,
            )  # fmt: skip
        if self.mode == "adjacent":
            return adjacent_jump(
                points, bandwidth=self.bandwidth, level=self.level, draws=self.draws,
                rng=np.random.default_rng(self.seed) if self.draws else None,
            )  # fmt: skip
        return robust_jump(
            points, order=self.order, kernel=self.kernel, bandwidth=self.bandwidth,
            level=self.level,
        )  # fmt: skip

    def _status(self, points: Points, effect: Jump) -> str:
        sides = (effect.used & (points.x < 0), effect.used & (points.x >= 0))
        values, counts = np.unique(points.outcome[effect.used], return_counts=True)
        smaller = min(effect.n_below, effect.n_above)
        clusters = math.inf
        if points.clusters is not None:
            clusters = min(len(np.unique(points.clusters[side])) for side in sides)
        for refused, why in (
            (self.mode == "continuous" and min(effect.support) < FEWEST_SUPPORT, FEW_SUPPORT),
            (smaller < FEWEST_UNITS, FEW_UNITS),
            (clusters < FEWEST_CLUSTERS, FEW_CLUSTERS),
            # As many of either value as a side would have, were both alike.
            (len(values) == 2 and smaller * counts.min() < FEWEST_EVENTS * counts.sum(),
             FEW_EVENTS),
            (not (math.isfinite(effect.std_error) and effect.std_error > 0), NO_ERROR),
        ):  # fmt: skip
            if refused:
                return why
        return ESTIMATED

    def _first_stage(self, taken: Points, effect: Jump, curvature_treated: float) -> str:
        """Say whether the cutoff moves enough units for a ratio to have an interval."""
        own = replace(self, bandwidth=effect.bandwidth, draws=0)
        if self.mode == "adjacent":
            own = replace(own, bandwidth=self.bandwidth)
        first = own._estimated(taken, curvature_treated, 0.0)
        strong = first is not None and first.estimate**2 > FEWEST_F * first.std_error**2
        return ESTIMATED if strong else WEAK_FIRST_STAGE
