"""Weights stratum by stratum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.propensity.propensity import Propensity
from tfeval.impact.study.sample import of_rows
from tfeval.impact.study.study import Study
from tfeval.impact.weighting.estimated import AS_KNOWN, Estimated


def by_stratum(
    study: Study, weighted: Callable[[Study], Estimated]
) -> tuple[Estimated, np.ndarray]:
    """Weigh within each stratum.

    Parameters
    ----------
    study : Study
        With strata.
    weighted : callable
        Weights of one stratum.

    Returns
    -------
    found : Estimated
        Without a weight model; scores are NaN where there is nobody to compare with.
    alone : ndarray of bool, shape (n,)
        Units of strata without one of the arms.

    Raises
    ------
    DataError
        If a stratum's weights cannot be found.
    """
    assert study.strata is not None
    order = np.argsort(study.strata, kind="stable")
    cuts = np.flatnonzero(np.diff(study.strata[order])) + 1
    weights, alone = np.zeros(study.size), np.zeros(study.size, dtype=bool)
    linear, score, residual = (np.full(study.size, np.nan) for _ in range(3))
    notes, name = [AS_KNOWN.format(why="they are estimated within strata")], ""
    for rows in np.split(order, cuts):
        own, arm = study.sampling[rows], study.treated[rows]
        if not own[arm].sum() > 0 or not own[~arm].sum() > 0:
            alone[rows] = True
            continue
        try:
            found = weighted(replace(of_rows(study, rows), strata=None))
        except DataError as error:
            where = " and ".join(study.strata_names)
            raise DataError(f"Within a stratum of {where}: {error}") from None
        weights[rows] = found.weights
        notes += [note for note in found.notes if note not in notes]
        if found.propensity is not None:
            name = found.propensity.model
            linear[rows], score[rows] = found.propensity.linear, found.propensity.score
            residual[rows] = found.propensity.residual
    none = np.empty(0)
    scores = Propensity(score, linear, none, np.empty((0, 0)), residual, False, None, name)
    return Estimated(weights, scores if name else None, (), tuple(notes)), alone
