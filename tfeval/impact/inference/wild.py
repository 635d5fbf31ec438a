"""Wild cluster bootstrap: intervals that hold with few clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.inference.intervals import Intervals, influence_intervals, ruling_of
from tfeval.impact.inference.rules import Asked, codes_of
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.influence import Sample, of_design, sums_by
from tfeval.impact.means.least_squares import cross_products, solved
from tfeval.impact.means.methods import METHODS, REGRESSIONS, centre_of
from tfeval.impact.means.outcomes import Outcomes

#: Up to so many clusters every draw of signs is used, not a sample of them.
_ALL_DRAWS = 12


@dataclass(frozen=True, eq=False)
class Scores:
    """Cluster sums of one weighted regression, under the null of any effect."""

    effect: float  # coefficient of the treatment
    #: score, per_effect: (clusters,): each cluster's part in the coefficient with residuals
    #: restricted to no effect, and what a unit of effect under the null takes off it.
    score: np.ndarray
    per_effect: np.ndarray
    #: feedback, feedback_per_effect: (clusters, clusters): what refitting gives back to each
    #: cluster from each, likewise.
    feedback: np.ndarray
    feedback_per_effect: np.ndarray
    own: np.ndarray  # (clusters,): each cluster's part with the residuals of the fit itself


def regression_scores(sample: Sample, place: int, codes: np.ndarray, method: str) -> Scores:
    """Return the cluster sums of the treatment's coefficient in the regression behind a method.

    Parameters
    ----------
    place : int
        Of the outcome.
    codes : ndarray of int, shape (n,)
    method : {"difference", "covariance_adjusted", "adjusted"}
        Regression on the treatment; beside the covariates; or with interactions, the covariates
        centred at the target's means.
    """
    rows = np.flatnonzero(sample.weights > 0)
    weights, values = sample.weights[rows], sample.values[rows, place]
    clusters = np.unique(codes[rows], return_inverse=True)[1]
    count = int(clusters.max()) + 1
    if count < 3:
        raise DataError("A wild cluster bootstrap needs three clusters or more.")
    z = _regressors(sample, rows, method)
    whole, right = cross_products(z, weights, values[:, None])
    fit = solved(whole, right, units=len(rows), first=1)
    lever = fit.inverse[1]  # the treatment stands after the constant
    others = np.delete(np.arange(len(whole)), 1)
    kept = np.isin(others, fit.kept)
    others = others[kept]
    held = solved(whole[np.ix_(others, others)], right[others])
    full = np.column_stack([np.ones(len(rows)), z])
    residual = values - full[:, others] @ held.coefficients[:, 0]
    apart = full[:, 1] - full[:, others] @ (held.inverse @ whole[others, 1])
    products = [_by_cluster(full, weights * by, clusters) for by in (residual, apart)]
    grams = np.stack([_gram(full, weights, clusters == at) for at in range(count)])
    back = grams @ lever @ fit.inverse
    own = weights * (full @ lever) * (values - full @ fit.coefficients[:, 0])
    return Scores(
        effect=float(fit.coefficients[1, 0]),
        score=products[0] @ lever,
        per_effect=products[1] @ lever,
        feedback=back @ products[0].T,
        feedback_per_effect=back @ products[1].T,
        own=np.bincount(clusters, own, count),
    )


def _regressors(sample: Sample, rows: np.ndarray, method: str) -> np.ndarray:
    regressors = METHODS[method].regressors
    if regressors is None:
        named = ", ".join(f'"{name}"' for name in REGRESSIONS)
        raise ParameterError(
            f"The wild bootstrap is for the methods {named}, which are regressions."
        )
    treated = sample.study.treated[rows].astype(float)[:, None]
    return regressors(treated, lambda: sample.study.covariates.rows(rows) - centre_of(sample))


def _by_cluster(full: np.ndarray, weights: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    return sums_by(full * weights[:, None], clusters)


def _gram(full: np.ndarray, weights: np.ndarray, inside: np.ndarray) -> np.ndarray:
    part = full[inside]
    return (part * weights[inside, None]).T @ part


def signs(clusters: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return Rademacher draws, shape (clusters, draws): all of them where they are few.

    Examples
    --------
    >>> signs(3, 999, np.random.default_rng(1)).shape
    (3, 8)
    """
    if clusters <= _ALL_DRAWS:
        numbers = np.arange(2**clusters)
        return 1.0 - 2.0 * ((numbers[None, :] >> np.arange(clusters)[:, None]) & 1)
    return rng.integers(0, 2, size=(clusters, draws)) * 2.0 - 1.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the draws give, as polynomials in the distance of the null from the estimate."""

    moved: np.ndarray  # (2, draws): the drawn effect less the null: constant and slope
    spread: np.ndarray  # (3, draws): its squared standard error: constant, slope and square
    error: float  # standard error seen
    effect: float  # estimate

    def p_value(self, null: float) -> float:
        """Return the two-sided p-value of an effect, residuals restricted to it."""
        apart = null - self.effect
        moved = self.moved[0] + apart * self.moved[1]
        spread = self.spread[0] + apart * (self.spread[1] + apart * self.spread[2])
        seen = abs(apart) / self.error
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.abs(moved) / np.sqrt(spread)
        # A draw of one sign throughout repeats what was seen: it counts half (mid-p).
        more, same = drawn > seen * (1 + 1e-9), np.abs(drawn - seen) <= seen * 1e-9
        return float((more.sum() + 0.5 * same.sum()) / len(drawn))


def drawn_by(scores: Scores, draws: np.ndarray) -> Drawn:
    """Return what draws of signs give, for any null.

    Parameters
    ----------
    draws : ndarray, shape (clusters, draws)
        As from `signs`.
    """
    score = scores.score - scores.effect * scores.per_effect
    feedback = scores.feedback - scores.effect * scores.feedback_per_effect
    own = score[:, None] * draws - feedback @ draws
    slope = scores.feedback_per_effect @ draws - scores.per_effect[:, None] * draws
    return Drawn(
        moved=np.stack([score @ draws, -scores.per_effect @ draws]),
        spread=np.stack([(own**2).sum(axis=0), 2 * (own * slope).sum(axis=0),
                         (slope**2).sum(axis=0)]),
        error=float(np.sqrt(np.sum(scores.own**2))),
        effect=scores.effect,
    )  # fmt: skip


def p_value(scores: Scores, null: float, draws: np.ndarray) -> float:
    """Return the two-sided p-value of an effect, residuals restricted to it.

    Parameters
    ----------
    null : float
        The effect under test.
    draws : ndarray, shape (clusters, draws)
        As from `signs`.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Bootstrap-based improvements for inference with clustered
    errors, Review of Economics and Statistics 90; computed as in Roodman, Nielsen, MacKinnon and
    Webb (2019), Fast and wild, Stata Journal 19.
    """
    return drawn_by(scores, draws).p_value(null)


def interval(scores: Scores, level: float, draws: np.ndarray) -> tuple[float, float]:
    """Return the effects that the bootstrap does not refuse, by inverting the test."""
    held = drawn_by(scores, draws)
    ends = []
    for side in (-held.error, held.error):
        near, far = 0.0, 2.0
        while held.p_value(scores.effect + side * far) > 1 - level:
            near, far = far, far * 2
            if far > 1e4:
                break
        for _ in range(40):
            middle = (near + far) / 2
            if held.p_value(scores.effect + side * middle) > 1 - level:
                near = middle
            else:
                far = middle
        ends.append(scores.effect + side * (near + far) / 2)
    return ends[0], ends[1]


#: Outcomes, populations and the method's name.
What = tuple[Outcomes, Mapping[str, np.ndarray | None], str]


def wild_intervals(
    design: Design,
    asked: Asked,
    what: What,
    held: Estimates,
    *,
    level: float,
    draws: int,
    seed: int,
) -> Intervals:
    """Return intervals of differences by a wild cluster bootstrap.

    Parameters
    ----------
    design, asked, held, level
        As elsewhere.
    what : tuple
        Outcomes, populations and the method's name.
    draws, seed : int
        Of the signs; with 12 clusters or fewer all are used.

    Notes
    -----
    Weights and the target's covariates count as known. The standard error and the relative
    change's interval are those by cluster.
    """
    codes = codes_of(design, asked.clusters[0])
    ruling = ruling_of(design, asked, held)
    rng = np.random.default_rng(seed)
    by_cluster = influence_intervals(design, replace(asked, kind="cluster"), held, level)
    found = np.full((3, len(held.rows)), np.nan)
    for place in np.flatnonzero(ruling.estimated & by_cluster.ruling.estimated).tolist():
        scores = regression_scores(sample_of(design, what, held, place), 0, codes, what[2])
        drawn = signs(len(scores.own), draws, rng)
        found[:, place] = (*interval(scores, level, drawn), p_value(scores, 0.0, drawn))
    low, high, p = found
    status = np.where(ruling.estimated, by_cluster.ruling.status, ruling.status)
    ruling = replace(ruling, status=status)
    return replace(by_cluster, low=low, high=high, p_value=p, ruling=ruling).withheld()


def sample_of(design: Design, what: What, held: Estimates, place: int) -> Sample:
    """Return the sample behind one effect, its weights known."""
    outcomes, groups, _ = what
    row = held.rows[place]
    at = outcomes.names.index(row["outcome"])
    return of_design(
        design, outcomes.values[:, [at]], ~np.isnan(outcomes.values[:, at]), stacked=False,
        within=groups[row["population"]], level=outcomes.level_of([at]),
    )  # fmt: skip
