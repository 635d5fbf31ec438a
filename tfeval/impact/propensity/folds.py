"""Folds for cross-fitting: a unit's score then comes from a model that never saw it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.study.study import Study


def assign_folds(study: Study, folds: int, seed: int = 1) -> np.ndarray:
    """Put each unit into a fold.

    Parameters
    ----------
    study : Study
        Families stay together, if it has them. Otherwise the fold hangs on the unit's identifier
        and not on the order of rows, if it has one; and else on the row.
    folds : int
        At least 2.
    seed : int
        Another seed, other folds.

    Returns
    -------
    ndarray of int8, shape (n,)
        From 0.

    Raises
    ------
    DataError
        If a fold's complement lacks one arm.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [0, 1] * 50, "age": range(100), "id": range(100)})
    >>> first = assign_folds(study(frame, covariates="age", unit="id"), 2)
    >>> again = assign_folds(study(frame[::-1], covariates="age", unit="id"), 2)
    >>> (first == again[::-1]).all()
    np.True_
    """
    counted = study.sampling > 0
    if study.family is not None:
        # Numbered among those who count, so that the others have no say.
        keys = np.searchsorted(np.unique(study.family[counted]), study.family).astype(np.uint64)
    elif study.unit is not None:
        keys = pd.util.hash_array(np.asarray(study.unit), categorize=False)
    else:
        keys = np.cumsum(counted, dtype=np.uint64) - counted
    found = (mixed(keys, seed) % np.uint64(folds)).astype(np.int8)
    for fold in range(folds):
        rest = study.treated[counted & (found != fold)]
        if rest.all() or not rest.any():
            raise DataError(
                f"Without one of the {folds} folds, one arm is empty: too few units for "
                "cross-fitting. Ask for folds=1, or fewer folds."
            )
    return found


def mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Return keys scrambled by a seed, as even as random numbers.

    References
    ----------
    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA: the
    finalising function of SplitMix64.
    """
    with np.errstate(over="ignore"):
        z = keys + np.uint64(seed % 2**32 + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
