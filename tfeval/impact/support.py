"""Common support: the scores at which both arms have units."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError

#: "both", or the lowest and highest score.
Support = str | tuple[float, float]


def common_support(
    score: np.ndarray, treated: np.ndarray, support: Support
) -> tuple[np.ndarray, tuple[float, float]]:
    """Say which units are within the common support.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)
    support : "both" or (float, float)
        "both": from the higher of the arms' lowest scores to the lower of their highest. Else
        the lowest and highest score, such as (0.1, 0.9).

    Returns
    -------
    inside : ndarray of bool, shape (n,)
    bounds : (float, float)

    References
    ----------
    Dehejia and Wahba (1999), Causal effects in nonexperimental studies, JASA 94; for fixed bounds
    Crump, Hotz, Imbens and Mitnik (2009), Dealing with limited overlap in estimation of average
    treatment effects, Biometrika 96.

    Examples
    --------
    >>> score = np.array([0.1, 0.5, 0.4, 0.9])
    >>> common_support(score, np.array([False, False, True, True]), "both")
    (array([False,  True,  True, False]), (0.4, 0.5))
    """
    if support == "both":
        own, other = score[treated], score[~treated]
        bounds = (max(own.min(), other.min()), min(own.max(), other.max()))
    else:
        bounds = _bounds(support)
    low, high = (float(bound) for bound in bounds)
    return (score >= low) & (score <= high), (low, high)


def _bounds(support: Support) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in support)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not 0.0 <= low < high <= 1.0:
        raise ParameterError(
            'support is "both", or the lowest and the highest score, such as (0.1, 0.9).'
        )
    return low, high
