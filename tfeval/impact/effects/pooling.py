"""Partial pooling: estimates that differ by more than their errors, drawn towards their mean.

The model is y ~ N(theta, V), theta ~ N(mu, tau^2 I), with V known. Everything happens in the axes
of V's eigenvectors, where the sampling errors are independent, so estimates whose errors go
together cost no more than others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.means.influence import along_axes


@dataclass(frozen=True, eq=False)
class Rotated:
    """Estimates in the axes where their errors are independent."""

    #: y, x, d: (k,): estimates, the constant 1, and the errors' variances, in those axes.
    y: np.ndarray
    x: np.ndarray
    d: np.ndarray
    axes: np.ndarray  # (k, k): columns are the axes

    def weights(self, tau2: np.ndarray | float) -> np.ndarray:
        """Return inverse variances, shape (len(tau2), k)."""
        return 1.0 / (self.d + np.atleast_1d(tau2)[:, None])

    def mean(self, tau2: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean effect and its variance for each tau^2."""
        w = self.weights(tau2)
        precision = w @ (self.x * self.x)
        return w @ (self.x * self.y) / precision, 1.0 / precision

    def q(self, tau2: np.ndarray | float) -> np.ndarray:
        """Return the weighted sum of squares about the mean, Cochran's Q at tau^2 = 0."""
        mean, _ = self.mean(tau2)
        gap = self.y - mean[:, None] * self.x
        return (self.weights(tau2) * gap * gap).sum(axis=1)


def rotated(estimates: np.ndarray, covariance: np.ndarray) -> Rotated:
    """Return estimates in the axes of their covariance.

    Parameters
    ----------
    estimates : ndarray of float, shape (k,)
    covariance : ndarray, shape (k, k)
        Of the sampling errors, or its diagonal, shape (k,).
    """
    if covariance.ndim == 1:
        return Rotated(estimates, np.ones(len(estimates)), covariance, np.eye(len(estimates)))
    d, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    if not d[0] > 1e-12 * d[-1]:
        raise DataError(
            "The areas' estimates have a covariance that is not positive definite: some are the "
            "sum or the copy of others. Leave those out, or give the standard errors alone."
        )
    return Rotated(axes.T @ estimates, axes.sum(axis=0), d, axes)


def restricted_loglik(data: Rotated, tau2: np.ndarray) -> np.ndarray:
    """Return the restricted log likelihood of tau^2, up to a constant, shape (len(tau2),).

    It is the likelihood with the mean integrated out (Gelman et al., Bayesian Data Analysis, 3rd
    edition, equation 5.21).
    """
    _, variance = data.mean(tau2)
    return 0.5 * (np.log(data.weights(tau2)).sum(axis=1) + np.log(variance) - data.q(tau2))


def reml(data: Rotated) -> float:
    """Return tau^2 by restricted maximum likelihood.

    References
    ----------
    Viechtbauer (2005), Journal of Educational and Behavioral Statistics 30(3).

    Examples
    --------
    >>> found = reml(rotated(np.array([0.0, 1.0, 5.0]), np.ones(3)))
    >>> round(found, 6)  # equal errors: the estimates' variance less the error's
    6.0
    """
    # The likelihood may have two tops: a coarse look first, then the slope's zero near the best.
    widest = np.ptp(data.axes @ data.y) ** 2 + data.d.max()
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 2.0, 400) * widest])
    best = int(np.argmax(restricted_loglik(data, grid)))
    if best == 0 and _slope(data, 0.0) <= 0:
        return 0.0
    from scipy.optimize import brentq  # noqa: PLC0415

    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if _slope(data, low) * _slope(data, high) > 0:
        return float(grid[best])
    return float(brentq(lambda at: _slope(data, at), low, high, xtol=1e-14 * widest, rtol=1e-13))


def _slope(data: Rotated, tau2: float) -> float:
    w = data.weights(tau2)[0]
    mean, variance = data.mean(tau2)
    gap = w * (data.y - mean[0] * data.x)
    return float(gap @ gap - w.sum() + variance[0] * ((w * data.x) @ (w * data.x)))


def paule_mandel(data: Rotated) -> float:
    """Return the tau^2 at which Q equals its degrees of freedom.

    References
    ----------
    Paule and Mandel (1982), Journal of Research of the National Bureau of Standards 87(5).
    """
    tau2 = _tau2_at(data, len(data.y) - 1)
    return 0.0 if np.isnan(tau2) else tau2


def q_profile(data: Rotated, level: float) -> tuple[float, float]:
    """Return the interval of tau^2 that Cochran's Q does not refuse.

    Returns
    -------
    low, high : float
        `low` is 0 where Q does not tell the areas apart. `high` is NaN where the estimates differ
        by less than their errors alone would have them, so that no tau^2 fits.

    References
    ----------
    Viechtbauer (2007), Confidence intervals for the amount of heterogeneity in meta-analysis,
    Statistics in Medicine 26.

    Examples
    --------
    >>> low, high = q_profile(rotated(np.array([0.0, 1.0, 5.0]), np.ones(3)), 0.95)
    >>> round(low, 3), round(high, 1)
    (0.898, 275.5)
    """
    from scipy.special import chdtri  # noqa: PLC0415

    freedom, beyond = len(data.y) - 1, (1 - level) / 2
    # The quantiles of chi-squared by the probability above them.
    low, high = (_tau2_at(data, float(chdtri(freedom, above))) for above in (beyond, 1 - beyond))
    return 0.0 if np.isnan(low) else low, high


def _tau2_at(data: Rotated, wanted: float) -> float:
    """Return the tau^2 at which Q is so large; NaN where it is smaller at 0 already."""
    if data.q(0.0)[0] <= wanted:
        return np.nan
    from scipy.optimize import brentq  # noqa: PLC0415

    high = float(np.ptp(data.axes @ data.y) ** 2 + data.d.max())
    while data.q(high)[0] > wanted:
        high *= 4
    return float(brentq(lambda at: data.q(at)[0] - wanted, 0.0, high, rtol=1e-13))


def typical_variance(data: Rotated) -> float:
    """Return the errors' typical variance s^2, so that I^2 = tau^2 / (tau^2 + s^2).

    References
    ----------
    Higgins and Thompson (2002), Statistics in Medicine 21, equation 9.
    """
    w = data.weights(0.0)[0]
    wx = w * data.x
    return float((len(w) - 1) / (w.sum() - wx @ wx / (wx @ data.x)))


def knapp_hartung(data: Rotated, tau2: float, *, modified: bool = True) -> tuple[float, float]:
    """Return the mean and its standard error, for t with k - 1 degrees of freedom.

    Parameters
    ----------
    modified : bool, default True
        Never below the error that takes tau^2 for known, as few alike areas would give.

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20; modified as in Röver, Knapp and Friede
    (2015), BMC Medical Research Methodology 15:99.
    """
    mean, variance = data.mean(tau2)
    factor = float(data.q(tau2)[0] / (len(data.y) - 1))
    factor = max(factor, 1.0) if modified else factor
    return float(mean[0]), float(np.sqrt(factor * variance[0]))


# What is known of areas' effects, averaged over what is not known of how much they differ.
# The model is that of `pooling`, with a flat prior of the mean and a prior of tau.

#: Nodes of the integral over tau.
_NODES = 256


def half_cauchy(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the log density of a half-Cauchy, whose median is its scale."""
    return lambda tau: -np.log1p((tau / scale) ** 2)


def half_normal(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the log density of a half-normal."""
    return lambda tau: -0.5 * (tau / scale) ** 2


def flat(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the log density of a prior that is flat in tau."""
    return lambda tau: np.zeros(len(tau))


LOG_PRIORS = {"half_cauchy": half_cauchy, "half_normal": half_normal, "flat": flat}


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of tau: nodes with their probabilities."""

    #: tau, probability: (nodes,).
    tau: np.ndarray
    probability: np.ndarray

    def quantile(self, share: float) -> float:
        """Return a quantile of tau."""
        # Each node stands for the stretch between its neighbours' midpoints.
        ends = np.concatenate([[0.0], np.cumsum(self.probability)])
        edges = (self.tau[1:] + self.tau[:-1]) / 2
        edges = np.concatenate([[0.0], edges, self.tau[-1:]])
        return float(np.interp(share, ends, edges))


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights between 0 and 1."""
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    nodes = (at + 1) / 2, weight / 2
    for one in nodes:
        one.setflags(write=False)
    return nodes


def posterior(data: Rotated, prior: str, scale: float) -> Posterior:
    """Return the posterior of tau, the mean being flat a priori.

    Parameters
    ----------
    prior : {"half_cauchy", "half_normal", "flat"}
    scale : float
        Of the prior, in the estimates' unit.
    """
    if prior == "flat" and len(data.y) < 3:
        raise ParameterError("A flat prior of tau needs three areas: use half_cauchy.")
    u, weight = _nodes()
    middle = np.sqrt(reml(data) + typical_variance(data) / len(data.y) ** 0.5)
    tau = middle * u / (1 - u)
    log = restricted_loglik(data, tau**2) + LOG_PRIORS[prior](scale)(tau) - 2 * np.log1p(-u)
    density = weight * np.exp(log - log.max())
    return Posterior(tau, density / density.sum())


def shrunken(data: Rotated, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each area's effect and its variance given tau, the mean integrated out.

    Returns
    -------
    mean, variance : ndarray of float, shape (len(tau), k)

    References
    ----------
    Gelman et al., Bayesian Data Analysis, 3rd edition, equations 5.17 and 5.20; in rotated axes.
    """
    tau2 = np.asarray(tau, dtype=float) ** 2
    centre, spread = data.mean(tau2)
    own = tau2[:, None] * data.weights(tau2)
    pull = (1 - own) * data.x
    mean = (own * data.y + pull * centre[:, None]) @ data.axes.T
    moved = pull @ data.axes.T
    variance = (own * data.d) @ (data.axes**2).T + spread[:, None] * moved**2
    return mean, variance


def mixture_quantile(
    share: float, mean: np.ndarray, variance: np.ndarray, probability: np.ndarray
) -> np.ndarray:
    """Return quantiles of mixtures of normals by halving.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    mean, variance : ndarray of float, shape (parts, k)
    probability : ndarray of float, shape (parts,)

    Examples
    --------
    >>> found = mixture_quantile(0.975, np.zeros((1, 1)), np.ones((1, 1)), np.ones(1))
    >>> found.round(4).tolist()
    [1.96]
    """
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    error = np.sqrt(variance)
    some = probability > 1e-13
    mean, error, probability = mean[some], error[some], probability[some]
    # A mixture's quantile lies between those of its parts.
    parts = mean + ndtri(share) * error
    low, high = parts.min(axis=0), parts.max(axis=0)
    for _ in range(48):
        at = (low + high) / 2
        below = probability @ ndtr((at - mean) / error) < share
        low, high = np.where(below, at, low), np.where(below, high, at)
    return (low + high) / 2


def rank_draws(data: Rotated, known: Posterior, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of all areas' effects together, shape (draws, k)."""
    tau = known.tau[rng.choice(len(known.tau), size=draws, p=known.probability)]
    mean, variance = data.mean(tau**2)
    centre = mean + np.sqrt(variance) * rng.standard_normal(draws)
    own = tau[:, None] ** 2 * data.weights(tau**2)
    inside = own * data.y + (1 - own) * centre[:, None] * data.x
    return inside @ data.axes.T + along_axes(data.axes, np.sqrt(own * data.d), draws, rng)
