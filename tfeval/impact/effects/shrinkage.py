"""What is known of areas' effects, averaged over what is not known of how much they differ.

The model is that of `pooling`, with a flat prior of the mean and a prior of tau.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.effects.pooling import Rotated, reml, restricted_loglik, typical_variance
from tfeval.impact.means.variance import along_axes

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


PRIORS = {"half_cauchy": half_cauchy, "half_normal": half_normal, "flat": flat}


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of tau: nodes with their probabilities.

    Attributes
    ----------
    tau, probability : ndarray of float, shape (nodes,)
    """

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
    return (at + 1) / 2, weight / 2


def posterior(data: Rotated, prior: str, scale: float) -> Posterior:
    """Return the posterior of tau, the mean being flat a priori.

    Parameters
    ----------
    data : Rotated
    prior : {"half_cauchy", "half_normal", "flat"}
    scale : float
        Of the prior, in the estimates' unit.

    Raises
    ------
    ParameterError
        If the prior is flat and there are fewer than three areas: then it has no posterior.
    """
    if prior == "flat" and len(data.y) < 3:
        raise ParameterError("A flat prior of tau needs three areas: use half_cauchy.")
    u, weight = _nodes()
    middle = np.sqrt(reml(data) + typical_variance(data) / len(data.y) ** 0.5)
    tau = middle * u / (1 - u)
    log = restricted_loglik(data, tau**2) + PRIORS[prior](scale)(tau) - 2 * np.log1p(-u)
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
