"""Standard errors, intervals and p-values of estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.impact.design.design import Design
from tfeval.impact.inference.pooled import Moments, by_cluster, by_unit, together, unit_moments
from tfeval.impact.inference.rules import (
    DETERMINED,
    Asked,
    Ruling,
    check_clusters,
    check_fitted,
    clusterings,
    counted_clusters,
    ruled,
)
from tfeval.impact.means.estimates import NOTHING, Block, Estimates
from tfeval.impact.means.influence import (
    Part,
    Spread,
    cluster_factor,
    clusters_of,
    crossed,
    sums_by,
    two_way,
    unit_factor,
)

# Each effect's influences, summed and made whole as its errors ask, by arm.

BY_CLUSTER = ("cr1", "cr2", "cr3")


@dataclass(frozen=True, eq=False)
class Scores:
    """What is squared and summed for a variance."""

    #: treated, comparison: (n or clusters, effects): of both means, in units or clusters.
    treated: np.ndarray
    comparison: np.ndarray
    #: (effects,): degrees of freedom of the difference's error; infinite for the normal.
    freedom: np.ndarray
    clusters: np.ndarray  # (effects,): how many; NaN where by unit


def unit_scores(stats: Estimates, ruling: Ruling) -> Scores:
    """Return scores by unit: HC1, and HC2 or HC3 where a ruling says so."""
    factor = np.where(ruling.kind == "hc1", unit_factor(stats.part, stats.parameters), 1.0)
    first, second = stats.psi_treated * factor, stats.psi_comparison * factor
    freedom = np.full(len(stats.rows), np.inf)
    for block in stats.blocks:
        columns = block.columns
        for kind in ("hc2", "hc3"):
            at = np.flatnonzero((ruling.kind[columns] == kind) & ruling.estimated[columns])
            if not len(at):
                continue
            for psi, parts in zip((first, second), block.means.parts, strict=True):
                for part in parts:
                    more = (by_unit(part, kind) - 1.0)[:, None] * _added(part)
                    psi[np.ix_(part.rows, columns[at])] += more[:, at]
            freedom[columns[at]] = _unit_freedom(block, at, kind)
    return Scores(first, second, freedom, np.full(len(stats.rows), np.nan))


def cluster_scores(stats: Estimates, ruling: Ruling, codes: np.ndarray) -> Scores:
    """Return scores by cluster: CR1, and CR2 or CR3 where a ruling says so."""
    count = clusters_of(stats.part, codes)
    usual = cluster_factor(stats.part, stats.parameters, count)
    factor = np.where(ruling.kind == "cr1", usual, 1.0)
    first, second = (
        sums_by(psi, codes) * factor for psi in (stats.psi_treated, stats.psi_comparison)
    )
    freedom = np.maximum(count - 1.0, 1.0)
    for block in stats.blocks:
        columns = block.columns
        for kind in ("cr2", "cr3"):
            at = np.flatnonzero((ruling.kind[columns] == kind) & ruling.estimated[columns])
            if len(at):
                freedom[columns[at]] = _make_whole(block, at, codes, kind, (first, second))
    return Scores(first, second, freedom, count)


def _make_whole(
    block: Block, at: np.ndarray, codes: np.ndarray, kind: str, sums: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Put a block's residuals right in the sums; return the degrees of freedom."""
    columns = block.columns[at]
    moments: list[list[Moments]] = [[] for _ in at]
    for side, parts in enumerate(block.means.parts):
        for part in parts:
            has_errors = _counts(block, part)
            own = codes[part.rows]
            counted = own >= 0
            if not counted.all():
                part = _some(part, counted)  # noqa: PLW2901
                own = own[counted]
            added = sums_by(_added(part), own)
            total = len(sums[side])
            for place, column in enumerate(columns):
                lever = part.lever if part.lever.ndim == 1 else part.lever[:, at[place]]
                if place == 0 or part.lever.ndim > 1:
                    whole, moment = by_cluster(part, lever, own, total, kind)
                sums[side][: len(added), column] -= added[:, at[place]]
                sums[side][:, column] += whole[:, at[place]]
                if has_errors:
                    moments[place].append(moment)
    return np.array([together(moment).freedom() for moment in moments])


def _unit_freedom(block: Block, at: np.ndarray, kind: str) -> np.ndarray:
    freedom = np.empty(len(at))
    for place, column in enumerate(at):
        several = []
        for part in _in_difference(block):
            lever = part.lever if part.lever.ndim == 1 else part.lever[:, column]
            several.append(unit_moments(part, lever, by_unit(part, kind)))
        freedom[place] = _apart(several).freedom()
        if all(part.lever.ndim == 1 for part in _in_difference(block)):
            freedom[:] = freedom[place]
            break
    return freedom


def _apart(several: list[Moments]) -> Moments:
    """Return the moments of regressions of other units: their rows one after the other."""
    ends = np.cumsum([len(one.own) for one in several])
    size = int(ends[-1])
    padded = []
    for one, end in zip(several, ends, strict=True):
        own, factor = np.zeros(size), np.zeros((size, one.factor.shape[1]))
        own[end - len(one.own) : end] = one.own
        factor[end - len(one.own) : end] = one.factor
        padded.append(Moments(own, factor, one.core))
    return together(padded)


def _in_difference(block: Block) -> list[Part]:
    return [part for side in block.means.parts for part in side if _counts(block, part)]


def _counts(block: Block, part: Part) -> bool:
    """Say whether a part has errors of its own in the difference.

    What varies with the target's covariates alone has not; a part of both means cancels.
    """
    sides = [any(part is one for one in side) for side in block.means.parts]
    return not part.of_target and not all(sides)


def _added(part: Part) -> np.ndarray:
    return (part.lever if part.lever.ndim > 1 else part.lever[:, None]) * part.residual


def _some(part: Part, rows: np.ndarray) -> Part:
    z, inverse = part.fit()
    z = z[rows]
    return Part(
        part.rows[rows], part.weights[rows], part.lever[rows], part.residual[rows], inverse,
        lambda: z, part.of_target,
    )  # fmt: skip


# Intervals of a difference of two shares that hold where few have the outcome, or none.


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of both arms with the larger of an outcome's two values, one entry an effect."""

    treated: np.ndarray
    comparison: np.ndarray
    #: size_treated, size_comparison: independent units that a share is as well known as.
    size_treated: np.ndarray
    size_comparison: np.ndarray
    correlation: np.ndarray  # of both shares' errors


def as_if_of(share: np.ndarray, variance: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return how many independent units a share with this variance would be of.

    Parameters
    ----------
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


#: A ratio of means whose interval reaches further than this many times says nothing.
FURTHEST = 100.0


@dataclass(frozen=True, eq=False)
class Intervals:
    """One entry an effect; arrays of shape (effects,) but for the covariance."""

    #: (effects, effects): NaN in the rows and columns of effects without an error.
    covariance: np.ndarray
    #: low, high, p_value: of the difference.
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    #: relative_low, relative_high: of the difference over the comparison mean; NaN where a mean is
    #: not above 0, or so near that the ratio could be any.
    relative_low: np.ndarray
    relative_high: np.ndarray
    clusters: np.ndarray  # NaN where errors are not by cluster
    freedom: np.ndarray  # degrees of freedom of t; infinite for the normal
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


def ruling_of(design: Design, scheme: Asked, stats: Estimates) -> Ruling:
    """Return what the rules say of each effect under the errors asked for.

    Raises
    ------
    DataError
        If errors by cluster were asked for, and there is one cluster only.
    """
    check_fitted(stats)
    # Matched sets are many, or as the design made them: only other clusters are counted.
    named = [name for name in scheme.clusters if name != "pair"]
    codes = clusterings(scheme if scheme.kind == "pair" else replace(scheme, clusters=tuple(named)),
                        design)  # fmt: skip
    counted = counted_clusters(stats, codes)
    if not scheme.automatic:
        check_clusters(scheme.kind, counted)
    return ruled(scheme.kind, stats, counted, automatic=scheme.automatic)


def influence_intervals(design: Design, scheme: Asked, stats: Estimates, level: float) -> Intervals:
    """Return intervals by sums of influences; the ratio's on the logarithmic scale."""
    ruling = ruling_of(design, scheme, stats)
    codes = clusterings(scheme, design)
    if scheme.kind == "two_way":
        return _two_way_intervals(stats, crossed(codes), ruling, level)
    own = np.isin(ruling.kind, BY_CLUSTER)
    if not own.any():
        summed = _summed(stats, unit_scores(stats, ruling))
    else:
        summed = _summed(stats, cluster_scores(stats, ruling, codes[0]))
        if not own.all():
            summed = summed.where(own, _summed(stats, unit_scores(stats, ruling)))
    covariance, log_variance = summed.covariance, summed.log_ratio
    one = np.ones(len(stats.rows))
    if (through := stats.through(one, one)) is not None:
        log_through = stats.through(*stats.by_mean)
        assert log_through is not None  # the same effects
        covariance = through.added_to(covariance)
        log_variance = np.diag(log_through.added_to(np.diag(log_variance)))
    spread = Spread(covariance, summed.freedom, summed.clusters)
    by_arm = summed.treated, summed.comparison
    return from_spreads(stats, spread, np.sqrt(log_variance), level, ruling, by_arm)


def _two_way_intervals(
    stats: Estimates,
    codes: tuple[np.ndarray, np.ndarray, np.ndarray],
    ruling: Ruling,
    level: float,
) -> Intervals:
    spread, ratio = (two_way(one, codes) for one in (stats.difference, stats.log_ratio))
    by_arm = None
    if (ruling.rare & ruling.estimated).any():
        first, second = (
            np.diag(two_way(stats.influence(psi), codes).covariance)
            for psi in (stats.psi_treated, stats.psi_comparison)
        )
        by_arm = first, second
    return from_spreads(stats, spread, np.sqrt(np.diag(ratio.covariance)), level, ruling, by_arm)


@dataclass(frozen=True, eq=False)
class _Summed:
    """Squared and summed scores; arrays of shape (effects,) but for the covariance."""

    covariance: np.ndarray  # (effects, effects): of differences
    #: log_ratio, treated, comparison: variances of the logarithm of the ratio of means, and of both
    #: means.
    log_ratio: np.ndarray
    treated: np.ndarray
    comparison: np.ndarray
    #: freedom, clusters: as in `Scores`.
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


def _summed(stats: Estimates, scores: Scores) -> _Summed:
    by_treated, by_comparison = stats.by_mean
    difference = scores.treated - scores.comparison
    ratio = scores.treated * by_treated - scores.comparison * by_comparison
    squares = [(one**2).sum(axis=0) for one in (ratio, scores.treated, scores.comparison)]
    return _Summed(
        difference.T @ difference, squares[0], squares[1], squares[2], scores.freedom,
        scores.clusters,
    )  # fmt: skip


def from_spreads(  # noqa: PLR0917
    stats: Estimates,
    spread: Spread,
    ratio_error: np.ndarray,
    level: float,
    ruling: Ruling,
    by_arm: tuple[np.ndarray, np.ndarray] | None = None,
) -> Intervals:
    """Return t intervals from covariances, by score where a ruling says so.

    Parameters
    ----------
    spread : Spread
        Of the differences.
    ratio_error : ndarray of float, shape (effects,)
        Of the logarithm of the ratio of means.
    by_arm : tuple of two ndarray, optional
        Variances of both means, for intervals by score.
    """
    error = np.sqrt(np.maximum(np.diag(spread.covariance), 0.0))
    nothing = ruling.estimated & ~(error > NOTHING * stats.fact("spread"))
    nothing &= ~ruling.rare
    ruling = replace(ruling, status=np.where(nothing, DETERMINED, ruling.status))
    width = stdtrit(spread.freedom, 0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stdtr(spread.freedom, -np.abs(stats.effect / error))
        ratio = np.log(stats.treated / stats.comparison)
        known = (stats.treated > 0) & (stats.comparison > 0)
        known &= (stats.fact("events_treated") > 0) & (stats.fact("events_comparison") > 0)
        ratio = np.where(known & (width * ratio_error < np.log(FURTHEST)), ratio, np.nan)
    low, high = stats.effect - width * error, stats.effect + width * error
    rare = ruling.rare & ruling.estimated
    if by_arm is not None and rare.any():
        low[rare], high[rare], p_value[rare] = _by_score(
            stats, error, by_arm, spread.freedom, width, rare
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
    stats: Estimates,
    error: np.ndarray,
    by_arm: tuple[np.ndarray, np.ndarray],
    freedom: np.ndarray,
    width: np.ndarray,
    rare: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return limits and p-values, in the outcome's unit, of the effects asked for."""
    low, high = stats.fact("low")[rare], stats.fact("high")[rare]
    apart = high - low
    first, second = (
        np.clip((mean[rare] - low) / apart, 0.0, 1.0) for mean in (stats.treated, stats.comparison)
    )
    variances = [one[rare] / apart**2 for one in by_arm]
    size_treated, size_comparison = (
        as_if_of(share, variance, stats.fact(f"ess_{arm}")[rare])
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
