"""Regression adjustment: outcomes as both arms' regressions predict them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfeval.impact.means.least_squares import (
    Fit,
    centred,
    cross_products,
    cross_products_by_group,
    predictions,
    solved,
    weighted_centre,
)
from tfeval.impact.means.means import Means, Part, Sample, Side, Tally, arm_mean, both_means
from tfeval.impact.study.rows import Reader
from tfeval.impact.study.study import Study


def centre_of(sample: Sample) -> np.ndarray:
    """Return the target population's mean covariates, shape (k,)."""
    return weighted_centre(sample.study.covariates, sample.target)


def adjusted_means(sample: Sample, *, fixed: bool = False) -> Means:
    """Return both arms' mean outcomes at the target population's covariates (g-computation).

    Parameters
    ----------
    sample : Sample
    fixed : bool, default False
        Whether the population's covariates count as fixed, as packages that average over the
        rows at hand have it. By default they are a sample too, and the errors say so.

    Notes
    -----
    Each arm has its own weighted regression on the covariates; the difference of their values at
    the population's means is the coefficient of the treatment in one regression with
    interactions, the covariates centred there. An arm that is itself the population, its
    covariates a sample, needs no regression: for the ATT, the treated. Covariates that do not vary
    in an arm, or repeat others there, are left out of its regression; so are those too many for
    its units.

    References
    ----------
    Robins (1986), Mathematical Modelling 7; Lin (2013), Agnostic notes on regression adjustments
    to experimental data, Annals of Applied Statistics 7, section 4; Ho, Imai, King and Stuart
    (2007), Political Analysis 15, on adjusting after matching.
    """
    rows = centred(sample.study.covariates, centre_of(sample))
    plain = [not fixed and sample.is_target(sample.arm(treated)) for treated in (True, False)]
    fits = _fits(rows, sample.study.treated, sample.weights, sample.values, plain=plain)
    first, second = (
        _side(sample, rows, fit, treated, fixed)
        for treated, fit in zip((True, False), fits, strict=True)
    )
    # An arm that needs no regression counts as if it had one, as in other packages.
    ranks = [fit.rank for fit in fits if fit is not None]
    return both_means(first, second, 2 * sum(ranks) // len(ranks))


def _side(sample: Sample, rows: Reader, fit: Fit | None, treated: bool, fixed: bool) -> Side:
    if fit is None:
        return arm_mean(sample, treated)
    own, tally = sample.arm(treated), Tally(sample)
    every = predictions(rows, np.column_stack([fit.inverse[0], fit.coefficients]))
    residual, weights = sample.values[own] - every[own, 1:], sample.weights[own]
    tally.through_weights(own, every[own, :1] * residual)
    kept = fit.kept
    parts = [
        Part(
            own, weights, weights * every[own, 0], residual,
            fit.inverse[np.ix_(kept, kept)], regressors(rows, own, kept),
        )
    ]  # fmt: skip
    if not fixed:
        target = np.flatnonzero(sample.target > 0)
        share = sample.target[target] / sample.target[target].sum()
        off = every[target, 1:] - fit.coefficients[0]
        tally.beside_weights(target, share[:, None] * off)
        parts.append(Part(target, sample.target[target], share, off, of_target=True))
    return Side(fit.coefficients[0], tally.psi, tuple(parts), (fit,))


def regressors(rows: Reader, own: np.ndarray, kept: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what reads some units' regressors, shape (units, kept), when they are needed."""

    def read() -> np.ndarray:
        x = rows.covariates.rows(own) - rows.shift
        return np.column_stack([np.ones(len(own)), x])[:, kept]

    return read


def adjusted_pair(
    study: Study, weights: np.ndarray, target: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return the means of `adjusted_means` alone, without influences; shape (2, outcomes)."""
    rows = centred(study.covariates, weighted_centre(study.covariates, target, threads=False))
    fits = _fits(rows, study.treated, weights, values, threads=False)
    return np.array([fit.coefficients[0] for fit in fits if fit is not None])


def _fits(  # noqa: PLR0917
    rows: Reader,
    treated: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    threads: bool = True,
    plain: list[bool] | None = None,
) -> list[Fit | None]:
    """Fit each arm's regression, the treated's first; None for an arm that needs none."""
    plain = plain or [False, False]
    own, other = (np.int8(-1 if none else at) for at, none in enumerate(plain))
    arms = np.where(weights > 0, np.where(treated, own, other), np.int8(-1))
    units = np.bincount(arms + 1, minlength=3)[1:]
    sums = cross_products_by_group(rows, weights, values, arms, 2, threads)
    return [
        None if none else solved(gram, right, shift=rows.shift, units=int(count))
        for none, gram, right, count in zip(plain, *sums, units, strict=True)
    ]


def covariance_adjusted_means(sample: Sample) -> Means:
    """Return means whose difference is the treatment's coefficient beside common slopes.

    Notes
    -----
    The analysis of covariance. Where effects differ between units it weighs them by the
    treatment's residual variance, so it is not the ATT; offered for comparison with studies that
    used it.
    """
    rows = np.flatnonzero(sample.weights > 0)
    weights = sample.weights[rows]
    covariates = sample.study.covariates
    centre = weighted_centre(covariates, sample.weights)

    def beside_treatment() -> np.ndarray:
        treated = sample.study.treated[rows].astype(float)
        return np.column_stack([treated, covariates.rows(rows) - centre])

    x, shift = beside_treatment(), np.r_[0.0, centre]
    sums = cross_products(x, weights, sample.values[rows])
    fit = solved(*sums, shift=shift, units=len(rows), first=1)
    effect, kept = fit.coefficients[1], fit.kept
    residual = sample.values[rows] - fit.predict(x)
    lever = weights * (fit.inverse[1, 0] + x @ fit.inverse[1, 1:])
    own = arm_mean(sample, True)
    difference = Tally(sample)
    difference.through_weights(rows, (lever / weights)[:, None] * residual)

    def read() -> np.ndarray:
        # Again when a small sample needs them: so many numbers are not kept.
        return np.column_stack([np.ones(len(rows)), beside_treatment()])[:, kept]

    part = Part(rows, weights, -lever, residual, fit.inverse[np.ix_(kept, kept)], read)
    return Means(
        own.mean, own.mean - effect, own.psi, own.psi - difference.psi, fit.rank,
        parts=(own.parts, (*own.parts, part)), aliased=np.stack([fit.aliased[1:]] * 2),
        crowded=np.stack([fit.crowded[1:]] * 2),
    )  # fmt: skip
