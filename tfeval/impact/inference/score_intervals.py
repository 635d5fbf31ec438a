"""Intervals of a difference of two shares that hold where few have the outcome, or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr


@dataclass(frozen=True, eq=False)
class Shares:
    """Both arms' shares of units with the larger of an outcome's two values; one entry an effect.

    Attributes
    ----------
    treated, comparison : ndarray of float
    size_treated, size_comparison : ndarray of float
        Independent units that a share is as well known as.
    correlation : ndarray of float
        Of both shares' errors.
    """

    treated: np.ndarray
    comparison: np.ndarray
    size_treated: np.ndarray
    size_comparison: np.ndarray
    correlation: np.ndarray


def as_if_of(share: np.ndarray, variance: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return how many independent units a share with this variance would be of.

    Parameters
    ----------
    share, variance : ndarray of float
    size : ndarray of float
        Stands where nobody or everybody has the outcome, and its variance says nothing.
    """
    spread = share * (1.0 - share)
    known = (variance > 0) & (spread > 0)
    return np.where(known, spread / np.where(known, variance, 1.0), size)


def wilson(share: np.ndarray, size: np.ndarray, quantile: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return Wilson's limits of a share.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22.

    Examples
    --------
    >>> low, high = wilson(np.array([0.0]), np.array([100.0]), np.array([1.96]))
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0], [0.037])
    """
    square = quantile**2 / size
    centre = (share + square / 2) / (1 + square)
    reach = np.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def limits(shares: Shares, quantile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return limits of the difference from Wilson's limits of both shares.

    Parameters
    ----------
    shares : Shares
    quantile : ndarray of float
        Of t or the normal, by effect.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17, method 10; with correlated shares: Zou and Donner (2008),
    Construction of confidence limits about effect measures, Statistics in Medicine 27.
    """
    first, second = shares.treated, shares.comparison
    low_first, high_first = wilson(first, shares.size_treated, quantile)
    low_second, high_second = wilson(second, shares.size_comparison, quantile)
    effect = first - second

    def reach(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(one**2 + other**2 - 2 * shares.correlation * one * other, 0.0))

    low = effect - reach(first - low_first, high_second - second)
    return low, effect + reach(high_first - first, second - low_second)


def p_values(shares: Shares, freedom: np.ndarray) -> np.ndarray:
    """Return two-sided p-values: the level at which the interval just reaches no effect."""
    near, far = np.zeros(len(freedom)), np.full(len(freedom), 60.0)
    for _ in range(60):
        middle = (near + far) / 2
        low, high = limits(shares, middle)
        holds = (low <= 0) & (high >= 0)
        near, far = np.where(holds, near, middle), np.where(holds, middle, far)
    return 2 * stdtr(freedom, -near)
