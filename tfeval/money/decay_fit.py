"""One share left a year, fitted to effects over several windows by generalised least squares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tfeval.money.persistence import Array

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects

YEAR = 12
#: Degrees of freedom from which errors are as good as known.
KNOWN = 1e8
#: A sum of squares that tells nothing more as it falls: keeps powers of it above 0.
_NOTHING = 2e-4


def middles(edges: Array) -> Array:
    """Return the middle of each part."""
    return (edges[1:] + edges[:-1]) / 2


def exposures(lengths: Iterable[int], shares: Array, months: int = YEAR) -> Array:
    """Return the effect over windows of some months at a pace of 1 a month, by the share left.

    Parameters
    ----------
    lengths : iterable of int
    shares : ndarray, shape (n,)
    months : int, default 12
        Of the first window, through which the pace is even; each twelve months after it run at one
        more power of the share, as `window_weights` has it.

    Returns
    -------
    ndarray, shape (n, windows)

    Examples
    --------
    >>> exposures([12, 18, 24, 36], np.array([0.5])).tolist()
    [[12.0, 15.0, 18.0, 21.0]]
    """
    ends = np.asarray(list(lengths))
    month = np.arange(ends.max())
    power = np.where(month < months, 0, 1 + (month - months) // YEAR)
    running = np.cumsum(np.asarray(shares)[:, None] ** power, axis=1)
    return running[:, ends - 1]


@dataclass(frozen=True, eq=False)
class Windows:
    """The effects that have a say, and what is needed to say what they would be."""

    own: pd.DataFrame
    joint: Array
    months: int
    averages: set[str]
    freedom: float

    @cached_property
    def names(self) -> list[str]:
        """Return the outcomes, each once."""
        return list(dict.fromkeys(self.own["outcome"]))

    def design(self, shares: Array) -> Array:
        """Return effects for a rate of 1 of each outcome, shape (shares, effects, outcomes)."""
        own = self.own
        at = exposures(own["months"], shares, self.months)
        at = at / np.where(own["outcome"].isin(self.averages), own["months"], 1)
        return at[:, :, None] * (own["outcome"].to_numpy()[:, None] == np.array(self.names))


@dataclass(frozen=True, eq=False)
class Fit:
    """Generalised least squares at each share: rates, their covariance, sums of squares."""

    rates: Array
    spread: Array
    explained: Array
    total: float

    def expected(self, design: Array, posterior: Array) -> tuple[Array, Array]:
        """Return effects of a design and their standard deviations, over all shares."""
        value = np.einsum("gqj,gj->gq", design, self.rates)
        within = np.einsum("gqi,gij,gqj->gq", design, self.spread, design)
        mean = posterior @ value
        return mean, np.sqrt(np.maximum(posterior @ (within + (value - mean) ** 2), 0.0))


def fitted_at(design: Array, effects: Array, joint: Array) -> Fit:
    """Return the best rates at each share, effects and their design in errors of their own."""
    error = np.sqrt(np.diag(joint))
    root = np.linalg.cholesky(joint / np.outer(error, error))
    y = np.linalg.solve(root, effects / error)
    x = np.linalg.solve(root, design / error[:, None])
    turned = x.transpose(0, 2, 1)
    spread = np.linalg.inv(turned @ x)
    rates = np.einsum("gij,gj->gi", spread, turned @ y)
    return Fit(rates, spread, np.einsum("gi,gi->g", rates, turned @ y), float(y @ y))


def log_likelihood(explained: Array, total: float, rates: int, freedom: float) -> Array:
    """Return the logarithm of how likely the effects are at each share, less a constant.

    Parameters
    ----------
    explained : ndarray, shape (shares,)
        Sum of squares that the best rates explain, in standard errors.
    total : float
        Sum of squares of the effects.
    rates : int
        Of outcomes.
    freedom : float
        Degrees of freedom of the covariance; infinite where it is known.

    Notes
    -----
    Effects are normal about their means with their covariance, which is estimated: so of Student's
    form (Sellentin and Heavens 2016). Rates are integrated out under Zellner's prior, normal with
    g times the covariance of their estimates, where g / (1 + g) is as likely to be any share (Liang
    et al. 2008, a = 4). The integral over g is an incomplete beta function.
    """
    from scipy.special import betainc  # noqa: PLC0415

    nu = min(freedom, KNOWN)
    squares = np.maximum(explained, _NOTHING)
    left = 1.0 + np.maximum(total - explained, 0.0) / nu
    a, b = rates / 2 + 1, (nu - rates - 1) / 2
    inside = betainc(a, b, squares / (nu * left + squares))
    return a * (np.log(nu * left) - np.log(squares)) - (nu + 1) / 2 * np.log(left) + np.log(inside)


def nearest(model: Windows, edges: Array, place: int) -> tuple[Array, float]:
    """Return the share about a part that fits all best, and the sum of squares that is left."""
    about = np.linspace(edges[max(place - 1, 0)], edges[min(place + 2, len(edges) - 1)], 400)
    fit = fitted_at(model.design(about), model.own["estimate"].to_numpy(), model.joint)
    best = fit.explained.argmax()
    return about[[best]], max(fit.total - float(fit.explained[best]), 0.0)


def tail(squares: float, spare: int, freedom: float) -> float:
    """Return how often a sum of squares is as large by chance (Hotelling's, of an estimated V)."""
    from scipy.special import fdtrc  # noqa: PLC0415

    if spare < 1:
        return np.nan
    nu = min(freedom, KNOWN)
    return float(fdtrc(spare, nu - spare + 1, squares / spare * (nu - spare + 1) / nu))


# Effects and the share err together: a first year seen too large leaves too little for the second.


def with_share(
    effects: Effects, windows: Windows, left: Array, posterior: Array, edges: Array
) -> pd.DataFrame:
    """Return how effects over the first window go with the share that was fitted.

    Parameters
    ----------
    effects : Effects
        Those fitted, among others of the same families.
    windows : Windows
        Those fitted.
    left : ndarray, shape (parts, effects fitted)
        What the best rates leave at each share.
    posterior, edges : ndarray
        As in `Decay`.

    Returns
    -------
    DataFrame
        `outcome`, `estimate`, `std_error`, `covariance` (of the effect and the share).

    Notes
    -----
    Given the share, what the rates leave is the expected error of the effects fitted; it is that of
    any effect that errs with them, by their covariance. For an effect that was fitted this is what
    least squares make of it at the share.
    """
    frame, joint = effects.to_frame(), effects.joint
    keys = pd.MultiIndex.from_frame(frame[["outcome", "months"]])
    fitted = keys.get_indexer(pd.MultiIndex.from_frame(windows.own[["outcome", "months"]]))
    rows = np.flatnonzero(
        (frame["months"] == windows.months) & np.isfinite(joint[:, fitted]).all(axis=1)
        & (frame["std_error"] > 0) & frame["estimate"].notna()
    )  # fmt: skip
    error = np.sqrt(np.diag(windows.joint))
    alike = windows.joint / np.outer(error, error)
    pull = np.linalg.solve(alike, joint[np.ix_(fitted, rows)] / error[:, None])
    apart = middles(edges) - posterior @ middles(edges)
    moved = -(posterior * apart) @ (left / error) @ pull
    first = frame.iloc[rows][["outcome", "estimate", "std_error"]].reset_index(drop=True)
    return first.assign(covariance=moved)
