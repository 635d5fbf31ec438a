"""The units that count: those of sampling weight 0 are not in the sample asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.study.rows import thinned
from tfeval.impact.study.study import Study


def rows_that_count(study: Study) -> np.ndarray | None:
    """Return the rows with a sampling weight above 0; None if all have one.

    Raises
    ------
    DataError
        If an arm has none.
    """
    if study.weight is None or study.weight.all():
        return None
    counted = study.weight > 0
    for who, arm in (("treated", study.treated), ("comparison", ~study.treated)):
        if not (counted & arm).any():
            raise DataError(f"No {who} unit has a sampling weight above 0: nobody to compare.")
    return np.flatnonzero(counted)


def of_rows(study: Study, rows: np.ndarray) -> Study:
    """Return the study of some rows, each once: labels and identifiers stay.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 40.0]})
    >>> of_rows(study(frame, covariates="age"), np.array([1, 2])).index.tolist()
    [1, 2]
    """
    return replace(
        study,
        treated=study.treated[rows],
        covariates=thinned(study.covariates, rows),
        index=study.index[rows],
        clusters={name: codes[rows] for name, codes in study.clusters.items()},
        strata=None if study.strata is None else study.strata[rows],
        weight=None if study.weight is None else study.weight[rows],
        unit=None if study.unit is None else study.unit[rows],
        family=None if study.family is None else study.family[rows],
    )
