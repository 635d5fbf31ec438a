"""Coordinates in which Mahalanobis distance is the ordinary one."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError

#: Directions with less than this share of the largest variance are left out. All covariates have
#: the same spread by then, so no unit has a say.
FLAT = 1e-9
#: A covariate varies if its standard deviation is more than this share of its own size.
STILL = 1e-12


def whitened(
    x: np.ndarray,
    treated: np.ndarray,
    covariance: str = "pooled",
    sampling: np.ndarray | None = None,
) -> np.ndarray:
    """Return coordinates whose ordinary distance is the Mahalanobis distance of `x`.

    Parameters
    ----------
    x : ndarray of float, shape (n, k)
        Covariates.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    covariance : {"pooled", "treated", "all"}
        Within both arms about their own means, as MatchIt; of the treated; or of everybody.
    sampling : ndarray of float, optional, shape (n,)
        Sampling weights.

    Returns
    -------
    ndarray of float, shape (n, at most k)
        The units and zeros of the covariates change nothing. Fewer than k where some do not vary;
        linear combinations of others add no distance of their own.

    Raises
    ------
    ParameterError
        If `covariance` is unknown, or no covariate varies in whom it is taken over.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0], [1.0, -3.0]])
    >>> z = whitened(x, np.array([True, True, False, False]))
    >>> float(((z[0] - z[1]) ** 2).sum().round(6))
    4.0
    """
    if covariance not in ("pooled", "treated", "all"):
        raise ParameterError(f'covariance is "pooled", "treated" or "all", not {covariance!r}.')
    groups = {"pooled": [treated, ~treated], "treated": [treated],
              "all": [np.ones(len(x), dtype=bool)]}[covariance]  # fmt: skip
    inside = groups[0] | groups[-1]
    still = STILL * np.abs(x[inside]).max(axis=0, initial=0.0)
    # About the lowest value, so that a covariate far from 0 keeps its digits.
    x = x - x[inside].min(axis=0, initial=np.inf)
    centred = x.copy()
    weights = np.ones(len(x)) if sampling is None else sampling
    for group in groups:
        centred[group] -= weights[group] @ x[group] / weights[group].sum()
    centred, weights = centred[inside], weights[inside]
    if (weights == weights[0]).all():
        spread = centred.T @ centred / max(len(centred) - len(groups), 1)
    else:
        share = weights / weights.sum()
        spread = (centred * share[:, None]).T @ centred / (1.0 - share @ share)
    kept = np.sqrt(np.diag(spread)) > still
    if not kept.any():
        raise ParameterError("Mahalanobis distance: no covariate varies within the arms.")
    return x[:, kept] @ _root_of_inverse(spread[np.ix_(kept, kept)])


def _root_of_inverse(spread: np.ndarray) -> np.ndarray:
    """Return the symmetric root of the (generalised) inverse of a covariance, for rows x.

    It is the one root that hangs smoothly on the covariance, also where covariates are alike in
    spread and unrelated, so that rounding turns no coordinates.
    """
    scale = np.sqrt(np.diag(spread))
    values, vectors = np.linalg.eigh(spread / np.outer(scale, scale))
    sound = values > FLAT * values[-1]
    root = vectors[:, sound] / np.sqrt(values[sound]) @ vectors[:, sound].T
    return root / scale[:, None]
