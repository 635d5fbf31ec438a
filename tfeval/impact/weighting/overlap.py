"""Overlap weights."""

from __future__ import annotations

import numpy as np


def overlap(score: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weigh each unit by the probability of the other arm.

    The effect is that on units that could have been in either arm. After a logistic regression
    the means of its covariates are the same in both arms exactly.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)

    Returns
    -------
    weights : ndarray, shape (n,)
    slope : ndarray, shape (n,)
        Their derivative with respect to the log odds.

    References
    ----------
    Li, Morgan and Zaslavsky (2018), Balancing covariates via propensity score weighting, JASA
    113, section 3.1 and theorem 3.

    Examples
    --------
    >>> weights, slope = overlap(np.array([0.75, 0.25]), np.array([True, False]))
    >>> weights.tolist(), slope.tolist()
    ([0.25, 0.25], [-0.1875, 0.1875])
    """
    both = score * (1.0 - score)
    return np.where(treated, 1.0 - score, score), np.where(treated, -both, both)
