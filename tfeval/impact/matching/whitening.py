"""Coordinates in which Mahalanobis distance is the ordinary one."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError

#: Directions with less than this share of the largest variance are left out.
FLAT = 1e-9


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
        Fewer than k where covariates are linear combinations of others.

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
    return x @ _root_of_inverse(spread)


def _root_of_inverse(spread: np.ndarray) -> np.ndarray:
    """Return L with L L' the (generalised) inverse of a covariance; scale does not matter."""
    scale = np.sqrt(np.diag(spread))
    kept = scale > FLAT * scale.max(initial=0.0)
    if not kept.any():
        raise ParameterError("Mahalanobis distance: no covariate varies within the arms.")
    scale = scale[kept]
    values, vectors = np.linalg.eigh(spread[np.ix_(kept, kept)] / np.outer(scale, scale))
    sound = values > FLAT * values[-1]
    root = np.zeros((len(kept), int(sound.sum())))
    root[kept] = vectors[:, sound] / np.sqrt(values[sound]) / scale[:, None]
    return root
