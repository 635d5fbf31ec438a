"""Errors by repetition: a cluster bootstrap of everything, and other allocations of treatment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.inference.bootstrap_counts import by_counts
from tfeval.impact.inference.intervals import (
    Intervals,
    from_spreads,
    influence_intervals,
    ruling_of,
)
from tfeval.impact.inference.rules import FEW_CLUSTERS, Asked, codes_of
from tfeval.impact.inference.wild import What, sample_of
from tfeval.impact.means.estimates import Estimates, Method, estimates_of
from tfeval.impact.means.influence import Sample, Spread, sums_by
from tfeval.impact.means.least_squares import cross_products, solved
from tfeval.impact.means.methods import METHODS, REGRESSIONS, centre_of
from tfeval.impact.means.outcomes import Outcomes, populations

#: Clusters below which draws of them are mostly draws of the same.
FEWEST = 5


@dataclass(frozen=True, eq=False)
class Repeat:
    """What is repeated in each draw."""

    design: Design
    scheme: Asked
    outcomes: Outcomes
    by: Any
    method: Method

    @cached_property
    def counted(self) -> np.ndarray:
        """Rows that are drawn: a unit of sampling weight 0 stands for nobody."""
        return np.flatnonzero(self.design.study.sampling > 0)

    def check(self) -> None:
        """Refuse what a bootstrap does not get right or cannot repeat."""
        if self.design.pairs is not None and self.design.sets is None:
            raise ParameterError(
                "Matching with replacement is not smooth, and a bootstrap that matches anew gets "
                "its error wrong (Abadie and Imbens 2008, Econometrica 76). "
                'Use errors="abadie_imbens" or "cluster".'
            )
        if self.design.again is None:
            raise ParameterError(
                "This design cannot be made anew, since its scores or distances were given. "
                "Let the design fit them, or use other errors."
            )
        name = self.scheme.clusters[0]
        if name == "pair":
            raise ParameterError("Sets change with every draw. Give clusters such as authorities.")
        if len(np.unique(codes_of(self.design, name))) < FEWEST:
            raise DataError(
                f"A cluster bootstrap draws clusters, and there are fewer than {FEWEST} ({name}). "
                'Cluster by something with more groups, or use errors="robust" or "pair".'
            )


def cluster_counts(clusters: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each cluster is drawn, with replacement; shape (draws, clusters).

    Examples
    --------
    >>> cluster_counts(5, 2, seed=3).sum(axis=1).tolist()
    [5, 5]
    """
    rng = np.random.default_rng(seed)
    return np.array([
        np.bincount(rng.integers(0, clusters, size=clusters), minlength=clusters)
        for _ in range(draws)
    ])  # fmt: skip


def copied_rows(codes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a draw, cluster by cluster, and which copy of its cluster each is of.

    Examples
    --------
    >>> rows, copies = copied_rows(np.array([0, 1, 0]), np.array([2, 0]))
    >>> rows.tolist(), copies.tolist()
    ([0, 2, 0, 2], [0, 0, 1, 1])
    """
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    drawn = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(drawn)) - np.searchsorted(drawn, drawn)
    return (
        np.concatenate([parts[at] for at in drawn]),
        np.repeat(turn, [len(parts[at]) for at in drawn]),
    )


def bootstrap_intervals(
    repeat: Repeat, stats: Estimates, *, level: float, draws: int, seed: int
) -> Intervals:
    """Return normal intervals with the bootstrap's covariance.

    Raises
    ------
    DataError
        If more than one draw in twenty gives no design.

    Notes
    -----
    Every draw fits the model, makes the design and estimates anew. Pairs of nearest neighbours and
    inverse propensity weights are repeated by counts of clusters: the logistic regression then
    stops where its next step would be below `refits.TOLERANCE`, and scores are as from a fit from
    scratch to about 1e-7. Which of two comparison units so near to each other is matched may
    differ. Everything else copies rows, which takes far longer where there are many.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90, section III.B
    (pairs cluster bootstrap).
    """
    repeat.check()
    ruling = ruling_of(repeat.design, repeat.scheme, stats)
    size = len(stats.rows)
    if not ruling.estimated.any():
        none = np.full(size, np.nan)
        return from_spreads(stats, Spread(np.diag(none), none, none), none, level, ruling)
    names = codes_of(repeat.design, repeat.scheme.clusters[0])[repeat.counted]
    codes = np.unique(names, return_inverse=True)[1]
    counts = cluster_counts(int(codes.max()) + 1, draws, seed)
    means = np.array([pair for pair in replicates(repeat, codes, counts)
                      if pair.shape[1] == size])  # fmt: skip
    covariance = np.atleast_2d(np.cov(means[:, 0] - means[:, 1], rowvar=False))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_error = np.std(np.log(means[:, 0] / means[:, 1]), axis=0, ddof=1)
    count = np.full(size, float(counts.shape[1]))
    spread = Spread(covariance, count - 1.0, count)
    return from_spreads(stats, spread, ratio_error, level, ruling)


def replicates(
    repeat: Repeat, codes: np.ndarray, counts: np.ndarray, *, copying: bool = False
) -> Iterator[np.ndarray]:
    """Yield both arms' means for each draw, shape (2, effects).

    Parameters
    ----------
    codes : ndarray of int, shape (counted,)
        Clusters from 0 of the rows counted, none without units.
    counts : ndarray of int, shape (draws, clusters)
    copying : bool
        Whether rows are copied even where counts would do: slow, to compare with.

    Raises
    ------
    DataError
        If more than one draw in twenty gives no design.
    """
    quick = None
    whole = len(repeat.counted) == repeat.design.study.size
    if not copying and repeat.by is None and whole:
        quick = by_counts(repeat.design, repeat.outcomes, repeat.method, codes)
    pairs = quick.means(counts) if quick is not None else iter([None] * len(counts))
    failed = 0
    for draw, pair in zip(counts, pairs, strict=True):
        if pair is not None:
            yield pair
            continue
        try:
            rows, copies = copied_rows(codes, draw)
            one = _once(repeat, repeat.counted[rows], copies)
        except DataError:
            failed += 1
            if failed > len(counts) / 20:
                raise
            continue
        yield np.array([one.treated, one.comparison])


def _once(repeat: Repeat, rows: np.ndarray, copies: np.ndarray) -> Estimates:
    again = repeat.design.again
    assert again is not None  # refused by `check`
    design = again(repeat.design.study.take(rows, copies))
    outcomes = replace(repeat.outcomes, values=repeat.outcomes.values[rows])
    by = None if repeat.by is None else np.asarray(repeat.by)[rows]
    groups = populations(design, by)
    return estimates_of(design, outcomes, groups, repeat.method, stacked=False)


# Randomisation inference where the treatment was given to whole clusters.

#: Differences that rounding alone makes do not tell draws apart.
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Permuted:
    """Differences of means under other allocations, as straight lines in the effect under test."""

    #: outcome, treatment: (allocations,): difference of the outcome's means, and of the
    #: treatment's; the first are as it was.
    outcome: np.ndarray
    treatment: np.ndarray

    def p_value(self, effect: float) -> float:
        """Return how often an allocation gives as large a difference from the effect."""
        drawn = np.abs(self.outcome - effect * self.treatment)
        return float(np.mean(drawn >= drawn[0] * (1 - _TIE) - np.finfo(float).tiny))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the effects that are not refused; endless where none can be.

        Notes
        -----
        Each other allocation is as far off as the one that was where the effect crosses one of
        two values; between neighbouring ones the p-value does not change.
        """
        own, beside = (self.outcome[0], self.treatment[0]), (self.outcome[1:], self.treatment[1:])
        with np.errstate(divide="ignore", invalid="ignore"):
            turns = np.concatenate([
                (own[0] - beside[0]) / (own[1] - beside[1]),
                (own[0] + beside[0]) / (own[1] + beside[1]),
            ])  # fmt: skip
        turns = np.unique(turns[np.isfinite(turns)])
        centre = own[0] / own[1]
        lower, higher = turns[turns <= centre][::-1], turns[turns >= centre]
        step = _TIE * np.ptp(turns)
        return (
            self._end(lower, centre, -1.0, step, level),
            self._end(higher, centre, 1.0, step, level),
        )

    def _end(
        self, turns: np.ndarray, centre: float, sign: float, least: float, level: float
    ) -> float:
        """Return the first turn beyond which an effect is refused, from the estimate outwards."""
        near, far = 0, len(turns)
        while near < far:  # p falls along the way
            middle = (near + far) // 2
            step = max(1e3 * _TIE * abs(turns[middle] - centre), least)
            if self.p_value(turns[middle] + sign * step) < 1 - level - _TIE:
                far = middle
            else:
                near = middle + 1
        return float(turns[near]) if near < len(turns) else sign * np.inf


def permuted(  # noqa: PLR0917
    values: np.ndarray,
    weights: np.ndarray,
    treated: np.ndarray,
    codes: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> Permuted:
    """Return the differences of weighted means under other allocations of whole clusters.

    Parameters
    ----------
    values, weights : ndarray of float, shape (n,)
    treated : ndarray of bool, shape (n,)
        The same for all of a cluster.
    codes : ndarray of int, shape (n,)
        Clusters from 0.
    draws : int
        All allocations where they are no more than this, else so many at random.

    References
    ----------
    Fisher (1935), The design of experiments; Rosenbaum (2002), Covariance adjustment in
    randomized experiments and observational studies, Statistical Science 17; for few treated
    clusters MacKinnon and Webb (2020), Journal of Econometrics 218.
    """
    sums = sums_by(np.column_stack([weights, weights * values, weights * treated]), codes)
    own = sums_by(treated[:, None].astype(float), codes)[:, 0] > 0
    count = int(own.sum())
    total = comb(len(own), count)
    if total <= draws:
        chosen = np.zeros((total, len(own)))
        for row, places in enumerate(combinations(range(len(own)), count)):
            chosen[row, list(places)] = 1.0
        first = int(np.flatnonzero((chosen == own).all(axis=1))[0])
        chosen[[0, first]] = chosen[[first, 0]]
    else:
        chosen = np.array([own, *(rng.permutation(own) for _ in range(draws))], dtype=float)
    inside, outside = chosen @ sums, (1.0 - chosen) @ sums
    return Permuted(
        inside[:, 1] / inside[:, 0] - outside[:, 1] / outside[:, 0],
        inside[:, 2] / inside[:, 0] - outside[:, 2] / outside[:, 0],
    )


def randomisation_intervals(
    design: Design,
    scheme: Asked,
    what: What,
    stats: Estimates,
    *,
    level: float,
    draws: int,
    seed: int,
) -> Intervals:
    """Return intervals of effects that are the same for all, by permuting clusters.

    Parameters
    ----------
    design, scheme, stats, level
        As elsewhere.
    what : tuple
        Outcomes, populations and the method's name.
    draws, seed : int
        Of the allocations, where there are more.

    Raises
    ------
    ParameterError
        If the design weighs units by anything but sampling, or the method has no such test.
    DataError
        If the treatment varies within a cluster.

    Notes
    -----
    The test is of the difference of means of what the covariates leave of the outcome, the effect
    under test taken off the treated; the estimate stays the method's own. It is exact where any
    of the clusters could have been treated as well, however few were. The standard error is the
    one that would give the interval's width under the normal.
    """
    codes = codes_of(design, scheme.clusters[0])
    _check(design, codes, what[2])
    ruling, rng = ruling_of(design, scheme, stats), np.random.default_rng(seed)
    status = ruling.status.copy()
    by_unit = influence_intervals(design, replace(scheme, kind="robust", clusters=()), stats, level)
    limits = np.full((3, len(stats.rows)), np.nan)
    for place in np.flatnonzero(ruling.estimated).tolist():
        sample = sample_of(design, what, stats, place)
        rows = np.flatnonzero(sample.weights > 0)
        own = np.unique(codes[rows], return_inverse=True)[1]
        values = _left(sample, rows, what[2])
        test = permuted(values, sample.weights[rows], sample.study.treated[rows], own, draws, rng)
        ends = test.interval(level)
        if np.isfinite(ends).all():
            limits[:, place] = *ends, test.p_value(0.0)
        else:
            status[place] = FEW_CLUSTERS
    low, high, p = limits
    from scipy.special import ndtri  # noqa: PLC0415

    error = (high - low) / (2 * ndtri(0.5 + level / 2))
    covariance = np.diag(error**2)
    clusters = np.full(len(p), float(len(np.unique(codes))))
    return replace(
        by_unit, covariance=covariance, low=low, high=high, p_value=p, clusters=clusters,
        relative_low=np.full(len(p), np.nan), relative_high=np.full(len(p), np.nan),
        freedom=np.full(len(p), np.inf), ruling=replace(ruling, status=status),
    ).withheld()  # fmt: skip


def _check(design: Design, codes: np.ndarray, method: str) -> None:
    study = design.study
    if not np.allclose(design.weights, study.sampling):
        raise ParameterError(
            'errors="randomisation" goes with a design that weighs nobody: make it with '
            "unweighted(study). Matches and weights would differ under another allocation."
        )
    if method not in REGRESSIONS:
        named = ", ".join(f'"{name}"' for name in REGRESSIONS)
        raise ParameterError(f'errors="randomisation" goes with the methods {named}.')
    sums = sums_by(np.column_stack([study.treated, np.ones(study.size)]).astype(float), codes)
    mixed = int(np.count_nonzero((sums[:, 0] > 0) & (sums[:, 0] < sums[:, 1])))
    if mixed:
        raise DataError(
            f"The treatment varies within {mixed:,} of {len(sums):,} clusters, so it was not "
            'given to whole clusters: use errors="cluster".'
        )


def _left(sample: Sample, rows: np.ndarray, method: str) -> np.ndarray:
    """Return what the covariates leave of the outcome; all of it for the plain difference."""
    values = sample.values[rows, 0]
    if not METHODS[method].adjusts:
        return values
    x = sample.study.covariates.rows(rows) - (centre := centre_of(sample))
    weights = sample.weights[rows]
    sums = cross_products(x, weights, values[:, None])
    fit = solved(*sums, shift=centre, units=len(rows))
    return values - fit.predict(x)[:, 0]
