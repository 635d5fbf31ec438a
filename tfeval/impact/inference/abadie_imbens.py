"""Errors for matching with replacement, where the usual bootstrap is not right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.matching.nearest import Pairs, nearest_with_replacement
from tfeval.impact.matching.ordering import first_equal, sorted_arm, standing
from tfeval.impact.means.influence import Means, Sample, Through, sums_by
from tfeval.impact.means.least_squares import (
    centred,
    cross_products_by_group,
    fitted,
    half_inverse,
    predictions,
    products,
    weighted_centre,
)
from tfeval.impact.means.methods import centre_of

# What estimating the propensity score does to the error of matching on it.


def can_count(design: Design) -> bool:
    """Say whether the errors of a design can count that its score was estimated.

    Parameters
    ----------
    design : Design
        That is so where it was matched, for the ATT and with replacement, on the logistic
        regression of all its units, without strata and sampling weights.
    """
    asked, study = design.settings, design.study
    fitted = asked.get("model") == "logit" and asked.get("folds") == 1 and design.score is not None
    plain = study.weight is None and study.strata is None
    nearest = asked.get("method") == "nearest" and design.sets is None and design.estimand == "ATT"
    return fitted and plain and nearest and asked.get("distance") in ("linear", "probability")


def local_means(distance: np.ndarray, values: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Return, for every unit, the mean of the pool's values at about its distance.

    Parameters
    ----------
    distance : ndarray of float, shape (n,)
    values : ndarray of float, shape (n, outcomes)
    pool : ndarray of int
        Rows whose values count: about the square root of their number around each unit, with
        all that are as far, so that the order of rows has no say; a unit of the pool is left out
        of its own mean.

    Examples
    --------
    >>> distance, values = np.arange(6.0), np.array([[1.0], [2], [3], [4], [5], [6]])
    >>> local_means(distance, values, np.arange(6))[2:4].ravel().round(2).tolist()
    [2.33, 3.33]
    """
    arm = sorted_arm(pool, distance)
    sums = np.zeros((len(pool) + 1, values.shape[1]))
    np.cumsum(values[arm.rows], axis=0, out=sums[1:])
    begins = first_equal(arm)
    cuts = np.append(np.flatnonzero(np.diff(begins)) + 1, len(pool))
    ends = np.repeat(cuts, np.diff(cuts, prepend=0))
    half = max(1, int(np.ceil(np.sqrt(len(pool)) / 2)))
    every, middle = sorted_arm(np.arange(len(distance)), distance), np.empty(len(distance), int)
    middle[every.rows] = standing(every, arm)[0]
    low = begins[np.clip(middle - half, 0, len(pool) - 1)]
    high = ends[np.clip(middle + half - 1, 0, len(pool) - 1)]
    total, count = sums[high] - sums[low], (high - low).astype(float)[:, None]
    total[pool] -= values[pool]
    count[pool] -= 1.0
    return total / np.maximum(count, 1.0)


def through_score(
    design: Design,
    values: np.ndarray,
    known: np.ndarray,
    *,
    share: np.ndarray,
    used: np.ndarray,
    means: tuple[np.ndarray, np.ndarray],
) -> tuple[Through, Through]:
    """Return how both arms' means hang on the estimated score.

    Parameters
    ----------
    design : Design
        Of which `can_count` holds.
    values : ndarray of float, shape (n, outcomes)
        Anything where not known.
    known : ndarray of bool, shape (n,)
    share : ndarray of float, shape (n,)
        Of each matched treated unit in the mean; 0 for all others.
    used : ndarray of float, shape (n,)
        How much each comparison unit counts in the mean.
    means : tuple of ndarray of float, shape (outcomes,)
        Of the treated and of their matches.

    Returns
    -------
    treated, comparison : Through

    Notes
    -----
    Let s be the estimating equations of the score, I their information, c the covariance of the
    estimate with them if the score were known, and d the derivative of the estimand by the
    score's coefficients. The error squared changes by -c' I^-1 c + d' I^-1 d (theorem 2). The
    covariance is taken unit by unit, with local means by arm for what the score alone predicts.
    For the logistic regression d is the mean over the treated of x (1 - p) times what is left of
    the outcomes' regressions on x; among comparison units, weighted by p, so that d is right
    whether these are straight lines or not. For the treated c and d are the same, so their mean
    does not hang on the score.

    References
    ----------
    Abadie and Imbens (2016), Matching on the estimated propensity score, Econometrica 84,
    theorem 2 and section 4.
    """
    study, score, distance = design.study, design.score, design.distance
    assert score is not None  # as `can_count` has it
    assert distance is not None
    filled = np.where(known[:, None], values, 0.0)
    other = known & ~study.treated
    smooth = local_means(distance, filled, np.flatnonzero(other))
    residual = (study.treated - score)[:, None]
    psi_treated = share[:, None] * (filled - means[0])
    psi_comparison = share[:, None] * (smooth - means[1]) + used[:, None] * (filled - smooth)
    rows = centred(study.covariates, weighted_centre(study.covariates, share))
    line = fitted(rows, score, filled, other).coefficients
    moved = (share * (1.0 - score))[:, None] * (predictions(rows, line) - means[1])
    everybody = np.zeros(study.size, dtype=np.int8)
    gram, _ = cross_products_by_group(rows, score * (1.0 - score), filled[:, :0], everybody, 1)
    sums = products(rows, np.hstack([residual * psi_treated, residual * psi_comparison, moved]))
    first, second, slope = np.split(half_inverse(gram[0], rows.shift).T @ sums, 3, axis=1)
    return Through(first, np.zeros_like(first)), Through(second, slope - second)


def with_abadie_imbens(
    sample: Sample,
    *,
    design: Design,
    method: Callable[[Sample], Means],
    adjusted: bool,
    estimated: bool = False,
) -> Means:
    """Return a method's means, with influences as Abadie and Imbens have them.

    Parameters
    ----------
    sample : Sample
        Of `design`.
    design : Design
        By matching with replacement on a distance, for the ATT.
    method : callable
        From the sample to its means.
    adjusted : bool
        Whether the method takes off what the covariates predict among the comparison units.
    estimated : bool, default False
        Whether errors count that the propensity score was estimated; see `through_score`.

    Raises
    ------
    ParameterError
        If the design is not one with replacement.

    Notes
    -----
    The error squared is the spread of treated units' differences from their matches, plus what
    the repeated use of comparison units adds: (K^2 - K') times a unit's own variance, where K
    sums its shares in matches and K' their squares. A unit's variance comes from its nearest
    neighbour in its own arm. Counting the score's estimation can move the error of the ATT
    either way.

    References
    ----------
    Abadie and Imbens (2006), Large sample properties of matching estimators for average
    treatment effects, Econometrica 74, theorem 7 and equation 14; with adjustment: the same
    (2011), Bias-corrected matching estimators, Journal of Business and Economic Statistics 29.
    """
    means = method(sample)
    known = np.ones(sample.study.size, dtype=bool) if sample.known is None else sample.known
    pairs, shares = _pairs(design, sample, known)
    rows, matches = pairs.T
    values = sample.values
    predicted = _predicted(sample) if adjusted else np.zeros_like(values)
    residual = np.where(known[:, None], values - predicted, 0.0)
    weight = np.zeros(sample.study.size)
    weight[rows] = sample.study.sampling[rows]
    share = weight[:, None] / weight.sum()
    imputed = predicted + sums_by(shares[:, None] * residual[matches], rows, sample.study.size)
    used = np.bincount(matches, weight[rows] * shares, sample.study.size)
    squared = np.bincount(matches, (weight[rows] * shares) ** 2, sample.study.size)
    own = np.zeros_like(values)
    often = used > 0
    more = np.sqrt(np.maximum(used**2 - squared, 0.0))[often, None]
    own[often] = more * _within_arm(design, residual, known, often) / weight.sum()
    through = None
    if estimated:
        through = through_score(
            design, values, known,
            share=share[:, 0], used=used / weight.sum(), means=(means.treated, means.comparison),
        )  # fmt: skip
    return replace(
        means,
        through=through,
        psi_treated=share * (values - means.treated),
        psi_comparison=share * (imputed - means.comparison) + own,
        parameters=0,
        parts=((), ()),
    )


def _pairs(design: Design, sample: Sample, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs with known outcomes and what each counts for its treated unit."""
    if design.pairs is None or design.sets is not None or design.estimand != "ATT":
        raise ParameterError(
            "Abadie-Imbens errors are for the ATT by nearest-neighbour matching with replacement; "
            'use errors="cluster", "pair" or "robust".'
        )
    if design.distance is None:
        raise ParameterError("Abadie-Imbens errors need the distance that was matched on.")
    both = known[design.pairs].all(axis=1) & (sample.weights[design.pairs] > 0).all(axis=1)
    pairs = design.pairs[both]
    shares = np.ones(len(pairs)) if design.pair_shares is None else design.pair_shares[both]
    whole = np.bincount(pairs[:, 0], shares, design.study.size)
    return pairs, shares / whole[pairs[:, 0]]


def _predicted(sample: Sample) -> np.ndarray:
    """Return what the matched comparison units' regression predicts for everybody."""
    rows = centred(sample.study.covariates, centre_of(sample))
    matched = ~sample.study.treated & (sample.weights > 0)
    line = fitted(rows, sample.weights, sample.values, matched)
    return predictions(rows, line.coefficients)


def _within_arm(
    design: Design, values: np.ndarray, known: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return wanted units' scaled differences from the nearest of their own arm.

    The square of one estimates the outcome's variance at that unit's distance.
    """
    arm = known & ~design.study.treated
    near = _neighbours(design, arm, wanted)
    shares = np.ones(len(near.rows)) if near.shares is None else near.shares
    mean = sums_by(shares[:, None] * values[near.matches], near.rows, design.study.size)
    held = np.bincount(near.rows, minlength=design.study.size)[wanted]
    scale = np.sqrt(held / (held + 1.0))
    return scale[:, None] * (values - mean)[wanted]


def _neighbours(design: Design, arm: np.ndarray, wanted: np.ndarray) -> Pairs:
    assert design.distance is not None  # refused by `_pairs`
    # Each wanted unit seeks, as if treated, in the whole arm, itself left out as its own family.
    seekers, pool = np.flatnonzero(wanted), np.flatnonzero(arm)
    rows = np.concatenate([seekers, pool])
    strata = design.study.strata
    found = nearest_with_replacement(
        design.distance[rows],
        np.arange(len(rows)) < len(seekers),
        strata=None if strata is None else strata[rows],
        family=rows,
    )
    return replace(found, rows=rows[found.rows], matches=rows[found.matches])
