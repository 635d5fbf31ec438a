"""Standard errors, intervals and p-values of estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.impact.design.design import Design
from tfeval.impact.inference.inference import Asked, clusterings
from tfeval.impact.inference.rules import (
    DETERMINED,
    Ruling,
    check_clusters,
    check_fitted,
    counted_clusters,
    ruled,
)
from tfeval.impact.inference.score_intervals import Shares, as_if_of, limits, p_values
from tfeval.impact.inference.scores import BY_CLUSTER, Scores, cluster_scores, unit_scores
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.variance import Spread, crossed, two_way

#: A ratio of means whose interval reaches further than this many times says nothing.
FURTHEST = 100.0
#: An error this small, relative to the outcome's standard deviation, is rounding.
NOTHING = 1e-10


@dataclass(frozen=True, eq=False)
class Intervals:
    """One entry an effect; arrays of shape (effects,) but for the covariance.

    Attributes
    ----------
    covariance : ndarray, shape (effects, effects)
        NaN in the rows and columns of effects without an error.
    low, high, p_value : ndarray of float
        Of the difference.
    relative_low, relative_high : ndarray of float
        Of the difference over the comparison mean; NaN where a mean is not above 0, or so near
        that the ratio could be any.
    clusters : ndarray of float
        NaN where errors are not by cluster.
    freedom : ndarray of float
        Degrees of freedom of t; infinite for the normal.
    ruling : Ruling
    """

    covariance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    relative_low: np.ndarray
    relative_high: np.ndarray
    clusters: np.ndarray
    freedom: np.ndarray
    ruling: Ruling

    def withheld(self) -> Intervals:
        """Return the intervals without those of effects that have no error."""
        known = self.ruling.estimated
        gone: dict[str, Any] = {
            name: np.where(known, getattr(self, name), np.nan)
            for name in ("low", "high", "p_value", "relative_low", "relative_high", "freedom")
        }
        both = np.outer(known, known)
        return replace(self, covariance=np.where(both, self.covariance, np.nan), **gone)


def ruling_of(design: Design, asked: Asked, held: Estimates) -> Ruling:
    """Return what the rules say of each effect under the errors asked for.

    Raises
    ------
    DataError
        If errors by cluster were asked for, and there is one cluster only.
    """
    check_fitted(held)
    # Matched sets are many, or as the design made them: only other clusters are counted.
    named = [name for name in asked.clusters if name != "pair"]
    codes = clusterings(asked if asked.kind == "pair" else replace(asked, clusters=tuple(named)),
                        design)  # fmt: skip
    counted = counted_clusters(held, codes)
    if not asked.automatic:
        check_clusters(asked.kind, counted)
    return ruled(asked.kind, held, counted, automatic=asked.automatic)


def influence_intervals(design: Design, asked: Asked, held: Estimates, level: float) -> Intervals:
    """Return intervals by sums of influences; the ratio's on the logarithmic scale."""
    ruling = ruling_of(design, asked, held)
    codes = clusterings(asked, design)
    if asked.kind == "two_way":
        return _two_way_intervals(held, crossed(codes), ruling, level)
    own = np.isin(ruling.kind, BY_CLUSTER)
    if not own.any():
        summed = _summed(held, unit_scores(held, ruling))
    else:
        summed = _summed(held, cluster_scores(held, ruling, codes[0]))
        if not own.all():
            summed = summed.where(own, _summed(held, unit_scores(held, ruling)))
    covariance, log_variance = summed.covariance, summed.log_ratio
    one = np.ones(len(held.rows))
    if (through := held.through(one, one)) is not None:
        log_through = held.through(*held.by_mean)
        assert log_through is not None  # the same effects
        covariance = through.added_to(covariance)
        log_variance = np.diag(log_through.added_to(np.diag(log_variance)))
    spread = Spread(covariance, summed.freedom, summed.clusters)
    by_arm = summed.treated, summed.comparison
    return from_spreads(held, spread, np.sqrt(log_variance), level, ruling, by_arm)


def _two_way_intervals(
    held: Estimates,
    codes: tuple[np.ndarray, np.ndarray, np.ndarray],
    ruling: Ruling,
    level: float,
) -> Intervals:
    spread, ratio = (two_way(one, codes) for one in (held.difference, held.log_ratio))
    by_arm = None
    if (ruling.rare & ruling.estimated).any():
        first, second = (
            np.diag(two_way(held.influence(psi), codes).covariance)
            for psi in (held.psi_treated, held.psi_comparison)
        )
        by_arm = first, second
    return from_spreads(held, spread, np.sqrt(np.diag(ratio.covariance)), level, ruling, by_arm)


@dataclass(frozen=True, eq=False)
class _Summed:
    """Squared and summed scores; arrays of shape (effects,) but for the covariance.

    Attributes
    ----------
    covariance : ndarray, shape (effects, effects)
        Of differences.
    log_ratio, treated, comparison : ndarray of float
        Variances of the logarithm of the ratio of means, and of both means.
    freedom, clusters : ndarray of float
        As in `Scores`.
    """

    covariance: np.ndarray
    log_ratio: np.ndarray
    treated: np.ndarray
    comparison: np.ndarray
    freedom: np.ndarray
    clusters: np.ndarray

    def where(self, own: np.ndarray, other: _Summed) -> _Summed:
        """Return these for some effects and other ones for the rest, and between the two."""
        rest = {
            item.name: np.where(own, getattr(self, item.name), getattr(other, item.name))
            for item in fields(self)[1:]
        }
        both = np.outer(own, own)
        return _Summed(np.where(both, self.covariance, other.covariance), **rest)


def _summed(held: Estimates, scores: Scores) -> _Summed:
    by_treated, by_comparison = held.by_mean
    difference = scores.treated - scores.comparison
    ratio = scores.treated * by_treated - scores.comparison * by_comparison
    squares = [(one**2).sum(axis=0) for one in (ratio, scores.treated, scores.comparison)]
    return _Summed(
        difference.T @ difference, squares[0], squares[1], squares[2], scores.freedom,
        scores.clusters,
    )  # fmt: skip


def from_spreads(  # noqa: PLR0917
    held: Estimates,
    spread: Spread,
    ratio_error: np.ndarray,
    level: float,
    ruling: Ruling,
    by_arm: tuple[np.ndarray, np.ndarray] | None = None,
) -> Intervals:
    """Return t intervals from covariances, by score where a ruling says so.

    Parameters
    ----------
    held : Estimates
    spread : Spread
        Of the differences.
    ratio_error : ndarray of float, shape (effects,)
        Of the logarithm of the ratio of means.
    level : float
    ruling : Ruling
    by_arm : tuple of two ndarray, optional
        Variances of both means, for intervals by score.
    """
    error = np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
    nothing = ruling.estimated & ~(error > NOTHING * held.fact("spread"))
    nothing &= ~ruling.rare
    ruling = replace(ruling, status=np.where(nothing, DETERMINED, ruling.status))
    width = stdtrit(spread.freedom, 0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stdtr(spread.freedom, -np.abs(held.effect / error))
        ratio = np.log(held.treated / held.comparison)
        known = (held.treated > 0) & (held.comparison > 0)
        ratio = np.where(known & (width * ratio_error < np.log(FURTHEST)), ratio, np.nan)
    low, high = held.effect - width * error, held.effect + width * error
    rare = ruling.rare & ruling.estimated
    if by_arm is not None and rare.any():
        low[rare], high[rare], p_value[rare] = _by_score(
            held, error, by_arm, spread.freedom, width, rare
        )
    return Intervals(
        covariance=spread.covariance,
        low=low,
        high=high,
        p_value=p_value,
        relative_low=np.expm1(ratio - width * ratio_error),
        relative_high=np.expm1(ratio + width * ratio_error),
        clusters=spread.clusters,
        freedom=spread.freedom,
        ruling=ruling,
    ).withheld()


def _by_score(  # noqa: PLR0917
    held: Estimates,
    error: np.ndarray,
    by_arm: tuple[np.ndarray, np.ndarray],
    freedom: np.ndarray,
    width: np.ndarray,
    rare: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return limits and p-values, in the outcome's unit, of the effects asked for."""
    low, high = held.fact("low")[rare], held.fact("high")[rare]
    apart = high - low
    first, second = (
        np.clip((mean[rare] - low) / apart, 0.0, 1.0) for mean in (held.treated, held.comparison)
    )
    variances = [one[rare] / apart**2 for one in by_arm]
    size_treated, size_comparison = (
        as_if_of(share, variance, held.fact(f"ess_{arm}")[rare])
        for share, variance, arm in zip(
            (first, second), variances, ("treated", "comparison"), strict=True
        )
    )
    both = np.sqrt(variances[0] * variances[1])
    shared = (variances[0] + variances[1] - (error[rare] / apart) ** 2) / 2
    correlation = np.divide(shared, both, out=np.zeros(len(both)), where=both > 0)
    shares = Shares(first, second, size_treated, size_comparison, np.clip(correlation, -1, 1))
    below, above = limits(shares, width[rare])
    return below * apart, above * apart, p_values(shares, freedom[rare])
