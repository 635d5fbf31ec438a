"""Local polynomials at a cutoff: estimates and robust intervals of Calonico and others (2014)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

# Why not the package rdrobust: it brings plotnine, and gives no unit's influence. Its numbers in R
# are what the tests hold these to.

KERNELS = ("triangular", "epanechnikov", "uniform")
#: Constants of the pilot bandwidth, by kernel.
_PILOT = {"triangular": 2.576, "epanechnikov": 2.34, "uniform": 1.843}
#: Neighbours from whom a unit's residual is taken.
NEIGHBOURS = 3
#: Share of repeated values of a side from which bandwidths reach so many values at least.
_REPEATED, _VALUES = 0.2, 10
#: Units without which no bandwidth is chosen.
FEWEST_FOR_BANDWIDTH = 20


@dataclass(frozen=True, eq=False)
class Points:
    """Units around a cutoff, as every estimate takes them."""

    x: np.ndarray  # (n,): the running variable less the cutoff: 0 and more is above
    outcome: np.ndarray  # (n,)
    treated: np.ndarray | None  # (n,): who was treated, for a fuzzy design
    covariates: np.ndarray  # (n, k)
    clusters: np.ndarray | None = None  # (n,) int

    def some(self, rows: np.ndarray) -> Points:
        """Return some of the units: a mask, or their positions."""
        return replace(
            self, x=self.x[rows], outcome=self.outcome[rows], covariates=self.covariates[rows],
            treated=None if self.treated is None else self.treated[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
        )  # fmt: skip

    @property
    def columns(self) -> np.ndarray:
        """Outcome, treatment if fuzzy, covariates: shape (n, 1 + fuzzy + k)."""
        first = [self.outcome] if self.treated is None else [self.outcome, self.treated]
        return np.column_stack([*first, self.covariates])


@dataclass(frozen=True, eq=False)
class Jump:
    """What an estimator found at a cutoff."""

    estimate: float
    std_error: float
    low: float
    high: float
    p_value: float
    influence: np.ndarray  # (n,): squares, summed by unit or cluster, are the squared error
    used: np.ndarray  # (n,) bool: who was within the bandwidth
    #: below, above: the outcome's mean at the cutoff, from either side.
    below: float
    above: float
    #: n_below, n_above: units used.
    n_below: int
    n_above: int
    support: tuple[int, int]  # values of the running variable used, below and above
    bandwidth: float
    bias_bandwidth: float = math.nan  # of the correction; NaN where none is made
    conventional: float = math.nan  # the estimate before correction
    first_stage: float = math.nan  # the jump in who is treated; NaN where sharp
    bias_bound: float = math.nan  # of the worst bias; NaN where none is bounded
    freedom: float = math.inf  # of Student's t; infinite for the normal
    p_randomisation: float = math.nan  # by permutation; NaN where none was drawn
    events: tuple[int, int] = (0, 0)  # units used whose outcome is not 0, below and above


def kernel_weights(distance: np.ndarray, kernel: str) -> np.ndarray:
    """Return weights of units by their distance in bandwidths; 0 beyond 1.

    Examples
    --------
    >>> kernel_weights(np.array([0.0, -0.5, 2.0]), "triangular").tolist()
    [1.0, 0.5, 0.0]
    """
    away = np.abs(distance)
    if kernel == "uniform":
        return 0.5 * (away <= 1)
    return np.where(away <= 1, 1 - away if kernel == "triangular" else 0.75 * (1 - away**2), 0.0)


def neighbour_residuals(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return each unit's difference from its nearest neighbours, scaled to its own variance.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Ascending.
    values : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        sqrt(J / (J + 1)) times the value less the mean of the J others with the nearest values of
        `x`: the nearest values, with all their units, until there are three.
    """
    if len(x) < 2:
        return np.full(len(x), np.nan)
    support, first, counts = np.unique(x, return_index=True, return_counts=True)
    values = values - values.mean()
    before = np.concatenate([[0], np.cumsum(counts)])
    sums = np.concatenate([[0.0], np.cumsum(np.add.reduceat(values, first))])
    low, high = np.arange(len(support)), np.arange(len(support))
    needed = min(NEIGHBOURS, len(x) - 1)
    padded = np.concatenate([[-np.inf], support, [np.inf]])
    while (short := before[high + 1] - before[low] - 1 < needed).any():
        left, right = support - padded[low], padded[high + 2] - support
        low, high = low - (short & (left <= right)), high + (short & (right <= left))
    others = np.repeat(before[high + 1] - before[low] - 1, counts)
    total = np.repeat(sums[high + 1] - sums[low], counts)
    return np.sqrt(others / (others + 1)) * (values - (total - values) / others)


def robust_jump(
    points: Points,
    *,
    order: int = 1,
    kernel: str = "triangular",
    bandwidth: float | None = None,
    bias_bandwidth: float | None = None,
    level: float = 0.95,
) -> Jump:
    """Return the bias-corrected jump at the cutoff, with its robust interval.

    Parameters
    ----------
    points : Points
        Covariates are taken off with slopes common to both sides.
    order : int, default 1
        Of the polynomial; the bias is estimated by one of an order more.
    kernel : {"triangular", "epanechnikov", "uniform"}
    bandwidth : float, optional
        By default the one with the least mean squared error, common to both sides.
    bias_bandwidth : float, optional
        Of the bias; by default chosen likewise, or `bandwidth` where that is given.

    Returns
    -------
    Jump
        Errors are from three nearest neighbours; with clusters they are sums of residuals by
        cluster, with the small-sample factor of either side. A cluster that lies on both sides
        counts as one.

    References
    ----------
    Calonico, Cattaneo and Titiunik (2014), Robust nonparametric confidence intervals for
    regression-discontinuity designs, Econometrica 82; Calonico, Cattaneo, Farrell and Titiunik
    (2019), Regression discontinuity designs using covariates, Review of Economics and Statistics
    101.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 400)
    >>> wave = np.sin(7 * np.arange(400))
    >>> line = Points(x, 2 * x + 3 * (x >= 0) + 0.1 * wave, None, np.empty((400, 0)))
    >>> round(robust_jump(line).estimate, 1)
    3.0
    """
    rows = np.argsort(points.x, kind="stable")
    data = points.some(rows)
    sides = [data.some(data.x < 0), data.some(data.x >= 0)]
    if bandwidth is None:
        bandwidth, chosen = bandwidths(*sides, order=order, kernel=kernel)
        bias_bandwidth = chosen if bias_bandwidth is None else bias_bandwidth
    bias_bandwidth = bandwidth if bias_bandwidth is None else bias_bandwidth
    fits = [_Fit.of(side, bandwidth, bias_bandwidth, order, kernel) for side in sides]
    fuzzy = points.treated is not None
    gamma = _slopes(fits[0].products + fits[1].products, 1 + fuzzy)
    plain = [fit.plain @ fit.side.columns for fit in fits]
    corrected = [fit.corrected @ fit.side.columns for fit in fits]
    jump, moved = plain[1] - plain[0], corrected[1] - corrected[0]
    combination = _combination(jump, gamma, fuzzy)
    # A ratio is corrected by its linear part at the conventional estimate.
    conventional = _adjusted(jump, gamma, 0)
    if fuzzy:
        conventional = conventional / _adjusted(jump, gamma, 1)
    estimate = float(conventional + combination @ (moved - jump))
    placed, used = np.empty(len(rows)), np.empty(len(rows), dtype=bool)
    placed[rows] = np.concatenate(
        [sign * fit.influence(combination) for sign, fit in zip((-1, 1), fits, strict=True)]
    )
    used[rows] = np.concatenate([fit.used for fit in fits])
    error = math.sqrt(summed_squares(placed, points.clusters))
    freedom = cluster_freedom(points.clusters, used)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    near = [fit.side.x[fit.used] for fit in fits]
    below, above = (float(_adjusted(part, gamma, 0)) for part in plain)
    return Jump(
        estimate, error, estimate - reach, estimate + reach,
        2 * float(stdtr(freedom, -abs(estimate) / error)) if error > 0 else math.nan, placed, used,
        below, above, len(near[0]), len(near[1]),
        (len(np.unique(near[0])), len(np.unique(near[1]))), bandwidth, bias_bandwidth,
        float(conventional), float(_adjusted(jump, gamma, 1)) if fuzzy else math.nan,
        freedom=freedom,
    )  # fmt: skip


def cluster_freedom(clusters: np.ndarray | None, used: np.ndarray) -> float:
    """Return t's degrees of freedom: clusters that are used less one, or the normal's.

    Bell and McCaffrey (2002), Bias reduction in standard errors for linear regression with
    multi-stage samples, Survey Methodology 28, on why the normal refuses too much.
    """
    return math.inf if clusters is None else max(len(np.unique(clusters[used])) - 1.0, 1.0)


def summed_squares(influence: np.ndarray, clusters: np.ndarray | None) -> float:
    """Return the sum of squares of influences, summed by cluster first."""
    sums = influence if clusters is None else np.bincount(clusters, influence)
    return float(sums @ sums)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One side's polynomials: weights with which values are summed to its limit at the cutoff.

    `products` are weighted cross products of what the polynomial leaves of the columns.
    """

    side: Points
    plain: np.ndarray
    corrected: np.ndarray
    used: np.ndarray
    window: np.ndarray
    powers: np.ndarray
    weights: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, side: Points, h: float, b: float, order: int, kernel: str) -> _Fit:
        u = side.x / h
        near, wide = kernel_weights(u, kernel), kernel_weights(side.x / b, kernel)
        powers = u[:, None] ** np.arange(order + 2)
        own = powers[:, : order + 1]
        inverse = _inverse((own.T * near) @ own)
        plain = inverse[0] @ (own.T * near)
        # What the next power, left out of the polynomial, adds to it: estimated and taken off.
        ahead = _inverse((powers.T * wide) @ powers)[order + 1] @ (powers.T * wide)
        corrected = plain - float(plain @ u ** (order + 1)) * ahead
        columns = side.columns
        inside = (own.T * near) @ columns
        products = (columns.T * near) @ columns - inside.T @ inverse @ inside
        return cls(side, plain, corrected, near > 0, (near > 0) | (wide > 0), powers, wide,
                   products)  # fmt: skip

    def influence(self, combination: np.ndarray) -> np.ndarray:
        """Return each unit's influence on the side's limit of a combination of the columns."""
        influence = np.zeros(len(self.side.x))
        rows = self.window
        values = (self.side.columns @ combination)[rows]
        if self.side.clusters is None:
            left = neighbour_residuals(self.side.x[rows], values)
        else:
            own, weights = self.powers[rows], self.weights[rows]
            slopes = _inverse((own.T * weights) @ own) @ ((own.T * weights) @ values)
            left = (values - own @ slopes) * math.sqrt(
                _small_sample(self.side.clusters[rows], own.shape[1])
            )
        influence[rows] = self.corrected[rows] * left
        return influence


def bandwidths(left: Points, right: Points, *, order: int, kernel: str) -> tuple[float, float]:
    """Return the bandwidths of the estimate and of its bias with the least mean squared error.

    Parameters
    ----------
    left, right : Points
        Ascending in x.

    References
    ----------
    Calonico, Cattaneo and Farrell (2020), Optimal bandwidth choice for robust bias-corrected
    inference in regression discontinuity designs, Econometrics Journal 23.
    """
    treated = (left.treated, right.treated)
    if any(side is not None and np.ptp(side) == 0 for side in treated):
        # All or none of a side are treated: the ratio's own bandwidth is not defined.
        left, right = replace(left, treated=None), replace(right, treated=None)
    sides = (left, right)
    x = np.concatenate([left.x, right.x])
    values = [np.unique(np.abs(side.x)) for side in sides]
    quartiles = np.quantile(x, [0.25, 0.75], method="averaged_inverted_cdf")
    spread = min(x.std(ddof=1), np.ptp(quartiles) / 1.349)
    widest = float(np.abs(x).max())
    repeated = max(1 - len(own) / len(side.x) for own, side in zip(values, sides, strict=True))
    narrowest = 0.0
    if repeated >= _REPEATED:
        narrowest = max(float(own[min(_VALUES, len(own)) - 1]) for own in values) + 1e-8
    pilot = max(min(_PILOT[kernel] * spread * sum(map(len, values)) ** -0.2, widest), narrowest)

    def chosen(order: int, nu: int, within: tuple[float, float], regular: bool) -> float:
        v, b, r = np.transpose([
            _terms(side, kernel, order=order, nu=nu, h=pilot, wide=own, regular=regular)
            for side, own in zip(sides, within, strict=True)
        ])  # fmt: skip
        width = (v.sum() / ((b[1] - b[0]) ** 2 + r.sum())) ** (1 / (2 * order + 3))
        return float(np.fmin(width, widest))  # where nothing bends or varies, all

    ranges = float(np.abs(left.x).max()), float(np.abs(right.x).max())
    first = max(chosen(order + 2, order + 2, ranges, False), narrowest)
    bias = chosen(order + 1, order + 1, (first, first), True)
    return chosen(order, 0, (bias, bias), True), bias


def _terms(
    side: Points, kernel: str, *, order: int, nu: int, h: float, wide: float, regular: bool
) -> tuple[float, float, float]:
    """Return variance, bias and regularisation of a derivative's estimate, as constants of h."""
    u = side.x / h
    weights = kernel_weights(u, kernel)
    near = side.some(weights > 0)
    u, weights = u[weights > 0], weights[weights > 0]
    powers = u[:, None] ** np.arange(order + 1)
    inverse = _inverse((powers.T * weights) @ powers)
    columns, fuzzy = near.columns, near.treated is not None
    inside = (powers.T * weights) @ columns
    products = (columns.T * weights) @ columns - inside.T @ inverse @ inside
    gamma = _slopes(products, 1 + fuzzy)
    fitted = (inverse @ inside)[nu] * math.factorial(nu) / h**nu
    combination = _combination(fitted, gamma, fuzzy)
    variance = _variance(near, powers, weights, inverse, combination)[nu, nu]
    constant = float(inverse[nu] @ ((powers.T * weights) @ u ** (order + 1)))
    far = kernel_weights(side.x / wide, kernel)
    broad = side.some(far > 0)
    far = far[far > 0]
    powers = (broad.x / wide)[:, None] ** np.arange(order + 2)
    inverse = _inverse((powers.T * far) @ powers)
    next_one = (inverse @ ((powers.T * far) @ broad.columns))[order + 1] / wide ** (order + 1)
    factor = 2 * (order + 1 - nu)
    regularised = 0.0
    if regular:
        own = _variance(broad, powers, far, inverse, combination)[order + 1, order + 1]
        regularised = factor * 3 * constant**2 * own / wide ** (2 * (order + 1))
    return (
        (2 * nu + 1) * h * variance,
        math.sqrt(factor) * constant * float(combination @ next_one),
        regularised,
    )


def _variance(
    side: Points, powers: np.ndarray, weights: np.ndarray, inverse: np.ndarray,
    combination: np.ndarray,
) -> np.ndarray:  # fmt: skip
    values = side.columns @ combination
    if side.clusters is None:
        scores = powers * (weights * neighbour_residuals(side.x, values))[:, None]
    else:
        left = values - powers @ (inverse @ ((powers.T * weights) @ values))
        codes = np.unique(side.clusters, return_inverse=True)[1]
        scores = np.stack([np.bincount(codes, one) for one in (powers.T * (weights * left))], 1)
        scores *= math.sqrt(_small_sample(side.clusters, powers.shape[1]))
    return inverse @ (scores.T @ scores) @ inverse


def _small_sample(clusters: np.ndarray, columns: int) -> float:
    count, n = len(np.unique(clusters)), len(clusters)
    if count < 2 or n <= columns:
        return math.nan
    return (n - 1) / (n - columns) * count / (count - 1)


def _slopes(products: np.ndarray, first: int) -> np.ndarray:
    """Return slopes on the covariates, shape (k, first), of the columns that stand before them."""
    return np.linalg.pinv(products[first:, first:], hermitian=True) @ products[first:, :first]


def _adjusted(values: np.ndarray, gamma: np.ndarray, place: int) -> np.float64:
    """Return a column's value less what covariates give it; numpy's, which may be divided by 0."""
    return np.float64(values[place] - values[gamma.shape[1] :] @ gamma[:, place])


def _combination(values: np.ndarray, gamma: np.ndarray, fuzzy: bool) -> np.ndarray:
    """Return the columns' weights in the estimate; of a ratio, in its linear part at `values`."""
    own = np.concatenate([[1.0], np.zeros(int(fuzzy)), -gamma[:, 0]])
    if not fuzzy:
        return own
    outcome, taken = _adjusted(values, gamma, 0), _adjusted(values, gamma, 1)
    return own / taken - outcome / taken**2 * np.concatenate([[0.0, 1.0], -gamma[:, 1]])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    try:
        np.linalg.cholesky(matrix)
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(matrix, hermitian=True)
