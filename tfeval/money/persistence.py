"""How long effects last: a share left each year, its range, and the years in which it falls."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tfeval.errors import ParameterError

Array = npt.NDArray[np.float64]

# Ranges whose value is their mean: what a page prints is what is expected.


def chance_below(low: Any, middle: Any, high: Any) -> Array:
    """Return the probability of the part below the middle, of which the middle is the mean."""
    width = np.asarray(high - low, dtype=float)
    return np.divide(high - middle, width, out=np.ones(width.shape), where=width > 0)


def uniform_moments(edges: Array, weights: Array, most: int) -> Array:
    """Return expected powers 0 to `most` of what is uniform within parts, shape (most + 1,).

    Parameters
    ----------
    edges : ndarray, shape (parts + 1,)
        Rising.
    weights : ndarray, shape (parts,)
        Probability of each part.

    Examples
    --------
    >>> uniform_moments(np.array([0.0, 1.0]), np.array([1.0]), 2).round(3).tolist()
    [1.0, 0.5, 0.333]
    """
    powers, start, end = np.arange(1, most + 2)[:, None], edges[:-1], edges[1:]
    within = (end**powers - start**powers) / (powers * (end - start))
    return np.asarray(within @ weights, dtype=float)


def split_uniform(share: Array, low: Any, middle: Any, high: Any) -> Array:
    """Return quantiles of a distribution between low and high whose mean is the middle.

    Below the middle it is uniform, with probability (high - middle) / (high - low), and above it
    uniform too. No mode has to be known, and a lopsided range leaves the mean where it is.

    Parameters
    ----------
    share : ndarray
        Between 0 and 1.
    low, middle, high : float or ndarray
        They broadcast against `share`. At an end of the range the middle is certain.

    Examples
    --------
    >>> split_uniform(np.array([0.0, 0.75, 1.0]), 0.0, 1.0, 4.0).tolist()
    [0.0, 1.0, 4.0]
    """
    low, middle, high = (np.asarray(end, dtype=float) for end in (low, middle, high))
    below = chance_below(low, middle, high)
    part = np.divide(share, below, out=np.ones(np.broadcast_shapes(np.shape(share), below.shape)),
                     where=below > 0)  # fmt: skip
    rest = np.divide(share - below, 1 - below, out=np.zeros_like(part), where=below < 1)
    drawn = np.where(part < 1, low + (middle - low) * part, middle + (high - middle) * rest)
    return np.where((low < middle) & (middle < high), drawn, middle)


#: Persistence as a number, as the number with its low and its high, or as what records say.
Given = Any
#: Where a standard normal has next to nothing beyond, and steps between.
_NORMAL = np.linspace(-8.5, 8.5, 5_001)


@dataclass(frozen=True)
class Persistence:
    """The share of an effect that is left in each further year after the window measured.

    Attributes
    ----------
    share, low, high : float
        Between 0 (gone once the window ends) and 1 (never fades); in the second year after the
        window the share squared is left, and so on. The share is the mean of `split_uniform`
        over the range; at an end of it, it is certain.
    """

    share: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether there is no range."""
        return not self.low < self.share < self.high

    def moments(self, most: int) -> Array:
        """Return the expected share to the power 0 to `most`, shape (most + 1,).

        Examples
        --------
        >>> Persistence(0.5, 0.0, 1.0).moments(2).round(3).tolist()
        [1.0, 0.5, 0.333]
        """
        if self.certain:
            return np.asarray(self.share ** np.arange(most + 1), dtype=float)
        below = float(chance_below(self.low, self.share, self.high))
        edges = np.array([self.low, self.share, self.high])
        return uniform_moments(edges, np.array([below, 1 - below]), most)

    def quantile(self, share: Array) -> Array:
        """Return shares left, from uniform draws."""
        return split_uniform(share, self.low, self.share, self.high)

    def __str__(self) -> str:
        """Return the share with its range, in words."""
        if self.certain:
            return f"{self.share:.0%}"
        return f"{self.share:.0%} (between {self.low:.0%} and {self.high:.0%})"


def persistence_of(given: Given) -> Any:
    """Return persistence from a number, from (share, low, high), or from what records say.

    Raises
    ------
    ParameterError
        If it is none of these, or not 0 <= low <= share <= high <= 1.

    Examples
    --------
    >>> persistence_of(0.5)
    Persistence(share=0.5, low=0.5, high=0.5)
    """
    if hasattr(given, "moments") and hasattr(given, "quantile"):
        return given
    parts = tuple(given) if isinstance(given, tuple | list) else (given,) * 3
    whole = len(parts) == 3 and all(
        isinstance(part, Real) and not isinstance(part, bool) for part in parts
    )
    if not whole or not 0 <= parts[1] <= parts[0] <= parts[2] <= 1:
        raise ParameterError(
            "Persistence is the share of an effect left in each further year: one number between "
            f"0 and 1, or (share, low, high) in that order of meaning, not {given}."
        )
    share, low, high = map(float, parts)
    return Persistence(share, low, high)


def normal_moments(persistence: Any, most: int) -> Array:
    """Return how powers of persistence go with the standard normal that it is drawn by.

    Parameters
    ----------
    persistence : Persistence or Decay
    most : int

    Returns
    -------
    ndarray, shape (most + 1,)
        E[z x share**n] for n from 0 to `most`, where the share is the quantile of Phi(z).

    Examples
    --------
    >>> normal_moments(Persistence(0.5, 0.0, 1.0), 1).round(4).tolist()  # 1 / (2 sqrt(pi))
    [0.0, 0.2821]
    """
    from scipy.special import ndtr  # noqa: PLC0415

    weight = np.exp(-(_NORMAL**2) / 2) / np.sqrt(2 * np.pi) * (_NORMAL[1] - _NORMAL[0])
    share = persistence.quantile(ndtr(_NORMAL))
    moments = (weight * _NORMAL) @ share[:, None] ** np.arange(most + 1)
    return np.asarray(np.r_[0.0, moments[1:]], dtype=float)


# When an effect comes and how long it lasts: measured window, lag, persistence, horizon.


def window_weights(months: int, horizon: int, lag: int = 0) -> npt.NDArray[np.float64]:
    """Return how much of a measured effect falls in each year, by power of persistence.

    An effect measured over `months` months runs at an even pace through them; each twelve
    months after run at that pace times one more power of persistence; nothing counts beyond the
    horizon.

    Parameters
    ----------
    months : int
        Length of the window over which the effect was measured.
    horizon : int
        Years counted, from when a family joins.
    lag : int, default 0
        Months from joining until the effect begins.

    Returns
    -------
    ndarray of float, shape (horizon + 1, horizon)
        Row n is multiplied by persistence to the power n; columns are years since joining. A
        window that lies within the horizon has a first row that adds up to 1.

    Examples
    --------
    >>> window_weights(12, 3)[:3].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> window_weights(18, 2).round(3)[:2].tolist()
    [[0.667, 0.333], [0.0, 0.333]]
    """
    month = np.arange(12 * horizon)
    since = month - lag
    power = np.where(since < months, 0, 1 + (since - months) // 12)
    weights = np.zeros((horizon + 1, 12 * horizon))
    going = since >= 0
    weights[power[going], month[going]] = 1.0
    return weights.reshape(horizon + 1, horizon, 12).sum(axis=2) / months


def profile(months: int, horizon: int, lag: int, persistence: Given) -> npt.NDArray[np.float64]:
    """Return the expected share of a measured effect that falls in each year since joining.

    Parameters
    ----------
    months, horizon, lag : int
        As in `window_weights`.
    persistence : float, (share, low, high) or Persistence

    Returns
    -------
    ndarray of float, shape (horizon,)

    Examples
    --------
    >>> profile(12, 3, 0, 0.5).tolist()
    [1.0, 0.5, 0.25]
    """
    return persistence_of(persistence).moments(horizon) @ window_weights(months, horizon, lag)


def reached(
    families: dict[int, float], weights: npt.NDArray[np.float64], years: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return families times weights in each financial year.

    Parameters
    ----------
    families : dict of int to float
        Families by the financial year in which they join.
    weights : ndarray, shape (powers, horizon)
        As from `window_weights`.
    years : tuple of int
        Financial years to fill; they hold all that the weights need.

    Returns
    -------
    ndarray of float, shape (powers, years)

    Examples
    --------
    >>> reached({2012: 10, 2013: 20}, window_weights(12, 1), (2012, 2013)).tolist()
    [[10.0, 20.0], [0.0, 0.0]]
    """
    filled = np.zeros((len(weights), len(years)))
    for joined, count in families.items():
        start = years.index(joined)
        filled[:, start : start + weights.shape[1]] += count * weights
    return filled
