"""Standard errors, intervals and p-values of estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.impact.design.design import Design
from tfeval.impact.inference.inference import Asked, spread_of
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.variance import Spread

#: A ratio of means whose interval reaches further than this many times says nothing.
FURTHEST = 100.0


@dataclass(frozen=True, eq=False)
class Intervals:
    """One entry an effect; arrays of shape (effects,) but for the covariance.

    Attributes
    ----------
    covariance : ndarray, shape (effects, effects)
    low, high, p_value : ndarray of float
        Of the difference.
    relative_low, relative_high : ndarray of float
        Of the difference over the comparison mean; NaN where a mean is not above 0, or so near
        that the ratio could be any.
    clusters : ndarray of float
        NaN where errors are not by cluster.
    """

    covariance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    relative_low: np.ndarray
    relative_high: np.ndarray
    clusters: np.ndarray


def influence_intervals(design: Design, asked: Asked, held: Estimates, level: float) -> Intervals:
    """Return intervals by sums of influences; the ratio's on the logarithmic scale."""
    spread = spread_of(asked, design, held.difference)
    ratio = spread_of(asked, design, held.log_ratio)
    return from_spreads(held, spread, np.sqrt(np.diag(ratio.covariance)), level)


def from_spreads(
    held: Estimates, spread: Spread, ratio_error: np.ndarray, level: float
) -> Intervals:
    """Return t intervals from covariances."""
    error = np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
    width = stdtrit(spread.freedom, 0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stdtr(spread.freedom, -np.abs(held.effect / error))
        ratio = np.log(held.treated / held.comparison)
        known = (held.treated > 0) & (held.comparison > 0)
        ratio = np.where(known & (width * ratio_error < np.log(FURTHEST)), ratio, np.nan)
    return Intervals(
        covariance=spread.covariance,
        low=held.effect - width * error,
        high=held.effect + width * error,
        p_value=np.where(error > 0, p_value, np.nan),
        relative_low=np.expm1(ratio - width * ratio_error),
        relative_high=np.expm1(ratio + width * ratio_error),
        clusters=spread.clusters,
    )
