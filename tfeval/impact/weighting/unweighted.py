"""The design in which nobody is matched or weighted: what all others are measured against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfeval.errors import ParameterError, names_settings, suggest
from tfeval.impact.design.design import KEPT, NOT_ASKED, Design
from tfeval.impact.study.study import Study, check_study

ESTIMANDS = ("ATT", "ATE", "ATC")


@names_settings
def unweighted(study: Study, estimand: str = "ATT") -> Design:
    """Compare everybody treated with everybody who was not, as they are.

    With `estimate(design, y, method="difference")` the naive difference of means; with
    `method="adjusted"` regression adjustment alone.

    Parameters
    ----------
    study : Study
        Sampling weights count, strata do not.
    estimand : {"ATT", "ATE", "ATC"}
        At whose covariates regression adjustment takes both arms' means. The naive difference is
        the same for all.

    Returns
    -------
    Design
        Weights are the sampling weights.

    Raises
    ------
    ParameterError
        If the estimand is unknown.

    References
    ----------
    Imbens and Rubin (2015), Causal inference for statistics, social, and biomedical sciences,
    chapter 7, on regression alone, and how it extrapolates where arms do not overlap.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 40.0]})
    >>> unweighted(study(frame, covariates=["age"])).weights.tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    check_study(study, "unweighted")
    if estimand not in ESTIMANDS:
        raise ParameterError(
            f"estimand {estimand!r} is not offered. {suggest(str(estimand), ESTIMANDS)}"
        )
    counted = study.sampling > 0
    whose = {"ATT": study.treated, "ATC": ~study.treated}.get(estimand, counted)
    notes = [
        "Nobody was matched or weighted: what the arms differ in stays in the naive difference, "
        "and regression alone fills in where they do not overlap."
    ]
    if study.strata is not None:
        notes.append("The strata were not used.")
    design = Design(
        study, "unweighted", estimand, study.sampling.astype(float),
        np.where(counted, KEPT, NOT_ASKED).astype(np.int8),
        {"method": "unweighted", "within": None},
        study.sampling * whose, notes=tuple(notes),
    )  # fmt: skip
    return replace(design, again=lambda other: unweighted(other, estimand))
