"""Randomisation inference where the treatment was given to whole clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.inference.inference import Asked, codes_of
from tfeval.impact.inference.intervals import Intervals, influence_intervals, ruling_of
from tfeval.impact.inference.rules import FEW_CLUSTERS
from tfeval.impact.inference.wild import What, sample_of
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.least_squares import cross_products, solved
from tfeval.impact.means.means import Sample
from tfeval.impact.means.methods import METHODS, REGRESSIONS
from tfeval.impact.means.regression import centre_of
from tfeval.impact.means.variance import sums_by

#: Differences that rounding alone makes do not tell draws apart.
_TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Permuted:
    """Differences of means under other allocations, as straight lines in the effect under test.

    Attributes
    ----------
    outcome, treatment : ndarray, shape (allocations,)
        Difference of the outcome's means, and of the treatment's; the first are as it was.
    """

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
    rng : numpy.random.Generator

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
    asked: Asked,
    what: What,
    held: Estimates,
    *,
    level: float,
    draws: int,
    seed: int,
) -> Intervals:
    """Return intervals of effects that are the same for all, by permuting clusters.

    Parameters
    ----------
    design, asked, held, level
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
    codes = codes_of(design, asked.clusters[0])
    _check(design, codes, what[2])
    ruling, rng = ruling_of(design, asked, held), np.random.default_rng(seed)
    status = ruling.status.copy()
    by_unit = influence_intervals(design, replace(asked, kind="robust", clusters=()), held, level)
    found = np.full((3, len(held.rows)), np.nan)
    for place in np.flatnonzero(ruling.estimated).tolist():
        sample = sample_of(design, what, held, place)
        rows = np.flatnonzero(sample.weights > 0)
        own = np.unique(codes[rows], return_inverse=True)[1]
        values = _left(sample, rows, what[2])
        test = permuted(values, sample.weights[rows], sample.study.treated[rows], own, draws, rng)
        ends = test.interval(level)
        if np.isfinite(ends).all():
            found[:, place] = *ends, test.p_value(0.0)
        else:
            status[place] = FEW_CLUSTERS
    low, high, p = found
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
