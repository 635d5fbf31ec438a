"""A design of the units that count, as one of the whole study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfeval.impact.design.design import NOT_ASKED, Design
from tfeval.impact.study.study import Study


def of_whole(design: Design, study: Study, rows: np.ndarray) -> Design:
    """Return a design of some rows of a study as a design of all of them.

    Parameters
    ----------
    design : Design
        Of the study of `rows` alone.
    study : Study
    rows : ndarray of int
        Positions in `study`, rising.

    Returns
    -------
    Design
        The other units have weight 0, stand in no set or pair, have no score (NaN), and were not
        in the sample asked for.
    """

    def spread(values: np.ndarray, rest: float = 0.0) -> np.ndarray:
        found = np.full(study.size, rest, dtype=values.dtype)
        found[rows] = values
        return found

    models = tuple(
        replace(model, residual=spread(model.residual), slope=spread(model.slope))
        for model in design.weight_models
    )
    return replace(
        design,
        study=study,
        weights=spread(design.weights),
        fate=spread(design.fate, NOT_ASKED),
        target=spread(design.target),
        sets=None if design.sets is None else spread(design.sets, -1),
        pairs=None if design.pairs is None else rows[design.pairs],
        score=None if design.score is None else spread(design.score, np.nan),
        distance=None if design.distance is None else spread(design.distance, np.nan),
        weight_model=models if isinstance(design.weight_model, tuple) else next(iter(models), None),
        # Predictions need a fold; that of units without weight has no say.
        folds=None if design.folds is None else spread(design.folds),
    )
