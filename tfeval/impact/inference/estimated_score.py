"""What estimating the propensity score does to the error of matching on it."""

from __future__ import annotations

import numpy as np

from tfeval.impact.design.design import Design
from tfeval.impact.matching.ordering import first_equal, sorted_arm, standing
from tfeval.impact.means.least_squares import fitted, half_inverse
from tfeval.impact.means.linear_outcomes import (
    centred,
    cross_products_by_group,
    predictions,
    products,
    weighted_centre,
)
from tfeval.impact.means.variance import Through


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
