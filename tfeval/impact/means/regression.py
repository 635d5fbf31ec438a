"""Regression adjustment: outcomes as both arms' regressions predict them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.impact.means.linear_outcomes import (
    centred,
    cross_products_by_group,
    predictions,
    weighted_centre,
)
from tfeval.impact.means.means import Means, Sample, Tally, blocks
from tfeval.impact.study.rows import Reader
from tfeval.impact.study.study import Study


@dataclass(frozen=True, eq=False)
class Fit:
    """A weighted least-squares fit on centred covariates.

    Attributes
    ----------
    coefficients : ndarray, shape (1 + k, outcomes)
        The first are the intercepts: means at the centre.
    inverse : ndarray, shape (1 + k, 1 + k)
        Of the weighted cross-product.
    rank : int
    """

    coefficients: np.ndarray
    inverse: np.ndarray
    rank: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return fitted values at centred covariates, shape (rows, outcomes)."""
        return self.coefficients[0] + x @ self.coefficients[1:]


def cross_products(
    x: np.ndarray, weights: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z'WZ and Z'WY of Z = (1, x), read in blocks."""
    count, outcomes = x.shape[1] + 1, values.shape[1]
    gram, right = np.zeros((count, count)), np.zeros((count, outcomes))
    for part in blocks(len(x)):
        z = np.empty((part.stop - part.start, count))
        z[:, 0], z[:, 1:] = 1.0, x[part]
        scaled = z * weights[part, None]
        gram += scaled.T @ z
        right += scaled.T @ values[part]
    return gram, right


def solved(gram: np.ndarray, right: np.ndarray) -> Fit:
    """Solve the normal equations; covariates that repeat others do not matter."""
    half = half_inverse(gram)
    inverse = half @ half.T
    return Fit(inverse @ right, inverse, half.shape[1])


def half_inverse(gram: np.ndarray) -> np.ndarray:
    """Return H with HH' the inverse, shape (1 + k, rank): directions that hold nothing left out."""
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    keep = values > values[-1] * len(values) * 1e-11
    return vectors[:, keep] / np.sqrt(values[keep]) / scale[:, None]


def fitted(rows: Reader, weights: np.ndarray, values: np.ndarray, units: np.ndarray) -> Fit:
    """Fit some units' regression on what a reader gives; `units` of bool, shape (n,)."""
    gram, right = cross_products_by_group(rows, weights, values, np.where(units, 0, -1), 1)
    return solved(gram[0], right[0])


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
    interactions, the covariates centred there.

    References
    ----------
    Robins (1986), Mathematical Modelling 7; Lin (2013), Agnostic notes on regression adjustments
    to experimental data, Annals of Applied Statistics 7, section 4; Ho, Imai, King and Stuart
    (2007), Political Analysis 15, on adjusting after matching.
    """
    rows = centred(sample.study.covariates, centre_of(sample))
    target = np.flatnonzero(sample.target > 0)
    share = sample.target[target, None] / sample.target[target].sum()
    found, parameters = [], 0
    fits = _fits(rows, sample.study.treated, sample.weights, sample.values)
    for treated, fit in zip((True, False), fits, strict=True):
        own, tally = sample.arm(treated), Tally(sample)
        every = predictions(rows, np.column_stack([fit.inverse[0], fit.coefficients]))
        residual = sample.values[own] - every[own, 1:]
        tally.through_weights(own, every[own, :1] * residual)
        if not fixed:
            tally.beside_weights(target, share * (every[target, 1:] - fit.coefficients[0]))
        parameters += fit.rank
        found.append((fit.coefficients[0], tally.psi))
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters)


def adjusted_pair(
    study: Study, weights: np.ndarray, target: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return the means of `adjusted_means` alone, without influences; shape (2, outcomes)."""
    rows = centred(study.covariates, weighted_centre(study.covariates, target, threads=False))
    fits = _fits(rows, study.treated, weights, values, threads=False)
    return np.array([fit.coefficients[0] for fit in fits])


def _fits(
    rows: Reader,
    treated: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    threads: bool = True,
) -> list[Fit]:
    """Fit each arm's regression, the treated's first."""
    arms = np.where(weights > 0, np.where(treated, np.int8(0), np.int8(1)), np.int8(-1))
    sums = cross_products_by_group(rows, weights, values, arms, 2, threads)
    return [solved(gram, right) for gram, right in zip(*sums, strict=True)]


def covariance_adjusted_means(sample: Sample) -> Means:
    """Return means whose difference is the treatment's coefficient beside common slopes.

    Notes
    -----
    The analysis of covariance. Where effects differ between units it weighs them by the
    treatment's residual variance, so it is not the ATT; offered for comparison with studies that
    used it.
    """
    rows = np.flatnonzero(sample.weights > 0)
    treated = sample.study.treated[rows].astype(float)
    covariates = sample.study.covariates.rows(rows)
    weights = sample.weights[rows]
    x = np.column_stack([treated, covariates - weights @ covariates / weights.sum()])
    fit = solved(*cross_products(x, weights, sample.values[rows]))
    effect = fit.coefficients[1]
    residual = sample.values[rows] - fit.predict(x)
    leverage = fit.inverse[1, 0] + x @ fit.inverse[1, 1:]
    own = sample.arm(True)
    total = sample.weights[own].sum()
    mean = sample.weights[own] @ sample.values[own] / total
    tally, difference = Tally(sample), Tally(sample)
    tally.through_weights(own, (sample.values[own] - mean) / total)
    difference.through_weights(rows, leverage[:, None] * residual)
    return Means(mean, mean - effect, tally.psi, tally.psi - difference.psi, fit.rank)
