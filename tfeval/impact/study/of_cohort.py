"""What a study takes from a cohort: who was followed, and on what they are compared."""

from __future__ import annotations

import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.errors import DataError


def followed(cohort: Cohort, months: int | None) -> pd.DataFrame:
    """Return the units of a cohort with any outcome over a horizon: the others were censored."""
    frame = cohort.to_pandas()
    if months is None:
        return frame
    kept = frame[cohort.outcomes(months).notna().any(axis=1)]
    if not (kept["treated"] == 0).any():
        raise DataError(
            f"No family of the comparison group {cohort.settings.comparison} could be followed for "
            f"{months} months: choose a shorter horizon or another comparison group."
        )
    kept.attrs["cohort"] = {**frame.attrs["cohort"], "units": len(kept), "followed": months}
    return kept


def own_covariates(cohort: Cohort) -> tuple[list[str], dict[str, str]]:
    """Return the covariates that a cohort is compared on, and why others are left out."""
    names = cohort.covariates
    if cohort.settings.comparison != "below_threshold":
        return names, {}
    criteria = [name for name in names if name.startswith("met_")]
    reason = "decides who is treated and who is compared"
    return [name for name in names if name not in criteria], dict.fromkeys(criteria, reason)
