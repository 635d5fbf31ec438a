"""When an effect comes and how long it lasts: measured window, lag, persistence, horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfeval.errors import ParameterError

#: Persistence as a number, or as the number with its low and its high.
Given = float | tuple[float, float, float]


@dataclass(frozen=True)
class Persistence:
    """The share of an effect that is left in each further year after the window measured.

    Attributes
    ----------
    share, low, high : float
        Between 0 (gone once the window ends) and 1 (never fades); in the second year after the
        window the share squared is left, and so on.
    """

    share: float
    low: float
    high: float


def persistence_of(given: Given) -> Persistence:
    """Return persistence from a number, or from (share, low, high).

    Raises
    ------
    ParameterError
        If it is neither, or not 0 <= low <= share <= high <= 1.

    Examples
    --------
    >>> persistence_of(0.5)
    Persistence(share=0.5, low=0.5, high=0.5)
    """
    parts = tuple(given) if isinstance(given, tuple | list) else (given,) * 3
    whole = len(parts) == 3 and all(isinstance(part, int | float) for part in parts)
    if not whole or not 0 <= parts[1] <= parts[0] <= parts[2] <= 1:
        raise ParameterError(
            "Persistence is the share of an effect left in each further year: one number between "
            f"0 and 1, or (share, low, high) in that order of meaning, not {given}."
        )
    share, low, high = map(float, parts)
    return Persistence(share, low, high)


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


def profile(months: int, horizon: int, lag: int, persistence: float) -> npt.NDArray[np.float64]:
    """Return the share of a measured effect that falls in each year since joining.

    Parameters
    ----------
    months, horizon, lag : int
        As in `window_weights`.
    persistence : float
        Between 0 and 1.

    Returns
    -------
    ndarray of float, shape (horizon,)

    Examples
    --------
    >>> profile(12, 3, 0, 0.5).tolist()
    [1.0, 0.5, 0.25]
    """
    powers = float(persistence) ** np.arange(horizon + 1)
    return powers @ window_weights(months, horizon, lag)


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
