"""How wrong a sum of estimates can be where nothing is known of how their errors go together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfeval.errors import DataError


def worst_case_error(weights: npt.ArrayLike, std_errors: npt.ArrayLike) -> float:
    """Return the largest standard error that a weighted sum of estimates can have.

    Published evaluations give standard errors, and no covariances. Whatever these are, the
    standard error of sum(w x estimate) is at most sum(|w| x std_error), which it reaches where
    all errors pull one way.

    Parameters
    ----------
    weights : array of float, shape (k,)
        Such as pounds for each unit of an effect.
    std_errors : array of float, shape (k,)

    Returns
    -------
    float
        In the unit of the sum.

    Raises
    ------
    DataError
        If lengths differ, or a standard error is negative or not known.

    References
    ----------
    Vohra (2024), Valid inference on functions of causal effects in the absence of microdata,
    arXiv:2410.00217.

    Examples
    --------
    >>> worst_case_error([1.0, -2.0], [3.0, 0.5])
    4.0
    """
    size, error = np.asarray(weights, dtype=float), np.asarray(std_errors, dtype=float)
    if size.shape != error.shape or size.ndim != 1:
        raise DataError("Give one standard error for each weight.")
    if not (error >= 0).all() or not np.isfinite(size).all():
        raise DataError("Standard errors are known, and not below 0; weights are finite.")
    return float(np.abs(size) @ error)
