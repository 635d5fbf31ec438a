"""Rubin's rules: estimates of several imputations, and how they differ, as one.

Sources: Rubin (1987), Multiple imputation for nonresponse in surveys, section 3.3; Barnard and
Rubin (1999), Biometrika 86, equations 3 to 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

#: Intervals whose middle is further from the estimate, as a share of their width, are not by t.
_SYMMETRIC = 1e-6


@dataclass(frozen=True, eq=False)
class Pooled:
    """Estimates of several imputations as one.

    Attributes
    ----------
    estimate : ndarray, shape (rows,)
    covariance : ndarray, shape (rows, rows)
    freedom : ndarray, shape (rows,)
        Barnard and Rubin's.
    riv, share, fmi : ndarray, shape (rows,)
        Relative increase in variance, share of the variance that is between imputations, fraction
        of missing information.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    freedom: np.ndarray
    riv: np.ndarray
    share: np.ndarray
    fmi: np.ndarray

    @property
    def facts(self) -> dict[str, tuple[float, ...]]:
        """What is not in a table of effects, one number a row."""
        names = ("freedom", "riv", "share", "fmi")
        return {name: tuple(getattr(self, name).tolist()) for name in names}


def pooled(estimates: np.ndarray, covariances: np.ndarray, complete: np.ndarray) -> Pooled:
    """Pool estimates.

    Parameters
    ----------
    estimates : ndarray, shape (imputations, rows)
    covariances : ndarray, shape (imputations, rows, rows)
        NaN in the rows and columns of estimates without an error.
    complete : ndarray, shape (rows,)
        Degrees of freedom had nothing been missing; infinite where they are not known.

    Examples
    --------
    >>> found = pooled(np.array([[1.0], [3.0]]), np.full((2, 1, 1), 2.0), np.array([np.inf]))
    >>> found.estimate.tolist(), found.covariance.tolist(), found.riv.tolist()
    ([2.0], [[5.0]], [1.5])
    """
    count = len(estimates)
    middle = estimates.mean(axis=0)
    within = covariances.mean(axis=0)
    apart = estimates - middle
    # Estimates that agree to the last digits differ by rounding alone.
    scale = np.abs(estimates).max(axis=0)
    apart[:, np.abs(apart).max(axis=0) <= 1e-14 * scale] = 0.0
    between = (1 + 1 / count) * (apart.T @ apart) / (count - 1)
    total = within + between
    own, extra, whole = (np.diagonal(one) for one in (within, between, total))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole > 0, extra / whole, np.where(whole == 0, 0.0, np.nan))
        riv = np.where(own > 0, extra / own, np.where(extra > 0, np.inf, 0.0 * own))
        freedom = freedom_of(share, count, complete)
        few = np.where(np.isinf(freedom), 0.0, 2 / (freedom + 3))
        fmi = np.where(np.isinf(riv), 1.0, (riv + few) / (1 + riv))
    return Pooled(middle, total, np.where(np.isnan(whole), np.nan, freedom), riv, share, fmi)


def freedom_of(share: np.ndarray, count: int, complete: np.ndarray) -> np.ndarray:
    """Return Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    share : ndarray, shape (rows,)
        Of the variance that is between imputations.
    count : int
        Imputations.
    complete : ndarray, shape (rows,)
        Degrees of freedom of the complete data.

    Examples
    --------
    >>> freedom_of(np.array([0.0, 0.5, 0.5]), 5, np.array([20.0, 20.0, np.inf])).round(2).tolist()
    [18.26, 5.81, 16.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        old = np.where(share > 0, (count - 1) / share**2, np.inf)
        observed = np.where(
            np.isinf(complete), np.inf, (complete + 1) / (complete + 3) * complete * (1 - share)
        )
        return 1 / (1 / old + 1 / observed)


def complete_freedom(frames: Sequence[pd.DataFrame], level: float) -> np.ndarray:
    """Return the complete data's degrees of freedom of each row: the least of the imputations.

    Parameters
    ----------
    frames : sequence of DataFrame
        Tables of effects.
    level : float
        Of the intervals.

    Returns
    -------
    ndarray, shape (rows,)
        As a column `freedom` tells it; else as the width of the interval in errors does, where it
        is symmetric; else clusters less 1; else infinite.
    """
    found = []
    for frame in frames:
        told = _numbers(frame, "freedom")
        own = np.where(np.isnan(told), _by_width(frame, level), told)
        clusters = _numbers(frame, "clusters") - 1
        own = np.where(np.isnan(own), np.where(clusters >= 1, clusters, np.nan), own)
        found.append(np.where(np.isnan(own), np.inf, own))
    return np.min(found, axis=0)


def t_bounds(
    estimate: np.ndarray, error: np.ndarray, freedom: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of t intervals."""
    width = stdtrit(np.where(np.isnan(freedom), np.inf, freedom), 0.5 + level / 2) * error
    return estimate - width, estimate + width


def _by_width(frame: pd.DataFrame, level: float) -> np.ndarray:
    estimate, error, low, high = (
        _numbers(frame, name) for name in ("estimate", "std_error", "conf_low", "conf_high")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        width = (high - low) / 2 / error
        symmetric = np.abs((high + low) / 2 - estimate) <= _SYMMETRIC * (high - low)
    found = [
        _freedom_with(one, level) if even and np.isfinite(one) else np.nan
        for one, even in zip(width.tolist(), symmetric.tolist(), strict=True)
    ]
    return np.array(found)


def _freedom_with(width: float, level: float) -> float:
    """Return the degrees of freedom whose t interval is so many errors wide on either side."""
    from scipy.optimize import brentq  # noqa: PLC0415

    place = 0.5 + level / 2
    if width <= float(ndtri(place)) * (1 + 1e-7):
        return float("inf")

    def excess(log: float) -> float:
        return float(stdtrit(np.exp(log), place)) - width

    if excess(0.0) <= 0:
        return 1.0
    return float(np.exp(brentq(excess, 0.0, 18.0, xtol=1e-12)))


def _numbers(frame: pd.DataFrame, name: str) -> Any:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=float, na_value=np.nan)
