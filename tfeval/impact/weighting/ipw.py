"""Inverse propensity weights."""

from __future__ import annotations

import numpy as np


def inverse_propensity(
    linear: np.ndarray, treated: np.ndarray, estimand: str
) -> tuple[np.ndarray, np.ndarray]:
    """Weigh each unit by one over the probability of its arm, relative to the estimand's.

    Parameters
    ----------
    linear : ndarray of float, shape (n,)
        Log odds of being treated.
    treated : ndarray of bool, shape (n,)
    estimand : {"ATT", "ATC", "ATE"}
        For the ATT, 1 for a treated unit and the odds of being treated for a comparison unit; for
        the ATC the other way round; for the ATE, one over the probability of the unit's arm.

    Returns
    -------
    weights : ndarray, shape (n,)
    slope : ndarray, shape (n,)
        Their derivative with respect to the log odds.

    References
    ----------
    Hirano, Imbens and Ridder (2003), Efficient estimation of average treatment effects using the
    estimated propensity score, Econometrica 71; Morgan and Todd (2008), A diagnostic routine for
    the detection of consequential heterogeneity of causal effects, Sociological Methodology 38.

    Examples
    --------
    >>> weights, slope = inverse_propensity(np.log([3.0, 0.5]), np.array([True, False]), "ATT")
    >>> weights.tolist(), slope.tolist()
    ([1.0, 0.5], [0.0, 0.5])
    """
    # The odds of the unit's other arm; from log odds they keep their digits near 0 and 1.
    other = np.where(treated, -linear, linear)
    np.exp(other, out=other)
    sign = np.where(treated, -1.0, 1.0)
    if estimand == "ATE":
        return 1.0 + other, sign * other
    own = treated if estimand == "ATT" else ~treated
    return np.where(own, 1.0, other), np.where(own, 0.0, sign * other)
