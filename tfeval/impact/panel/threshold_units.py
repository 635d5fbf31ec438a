"""What a threshold is made of: units, their running variable, and settings that fit together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Real

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.display.tables import exact_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study, study

#: Number of criteria a family met at identification: made from a cohort where it is asked for.
CRITERIA_MET = "criteria_met"


def check_bounds(discrete: str, curvature: float | Mapping[str, float] | None, fuzzy: bool) -> None:
    """Refuse bounds on curvature that are none, or that the design lacks."""
    if discrete == "honest" and curvature is None:
        raise ParameterError("An honest interval needs a bound: give curvature.")
    if fuzzy and isinstance(curvature, int | float):
        raise ParameterError(
            'A fuzzy threshold needs two bounds: curvature={"OUTCOME": ..., "treated": ...}.'
        )
    bounds = curvature.values() if isinstance(curvature, Mapping) else [curvature or 0.0]
    if not all(isinstance(bound, Real) and 0 <= bound < math.inf for bound in bounds):
        raise ParameterError("curvature is a bound of 0 or more, for each outcome.")


def units_of(
    records: pd.DataFrame | Study | Cohort, rule: tuple[str, float], treated: str | None,
    covariates: list[str], cluster: str | None,
) -> tuple[Study, np.ndarray]:  # fmt: skip
    """Return the study of the units, and the running variable less the cutoff."""
    running, cutoff = rule
    if isinstance(records, Study):
        x = _of_study(records, running, covariates) - cutoff
        _check_sides(x, running, cutoff)
        _check_treated(records.treated, x, treated, records.treated_name)
        return records, x
    simulated = False
    if isinstance(records, Cohort):
        frame, simulated = records.to_pandas(), records.simulated
        met = [name for name in frame if str(name).startswith("met_")]
        frame = frame.assign(**{CRITERIA_MET: frame[met].sum(axis=1)})
        cluster = "local_authority" if cluster is None else cluster
    elif isinstance(records, pd.DataFrame):
        frame = records
    else:
        raise ParameterError("A threshold is made from a DataFrame, a study or a cohort.")
    for name in (running, *covariates, *([treated] if treated else [])):
        if name not in frame:
            known = suggest(name, map(str, frame.columns))
            raise ParameterError(f"The table has no column {name}. {known}")
    x = _numbers(frame[running], running) - cutoff
    _check_sides(x, running, cutoff)
    if isinstance(records, Cohort):
        _check_treated(frame["treated"].to_numpy(dtype=bool), x, treated, "treated")
    if treated is None:
        treated = f"{running} of {cutoff:g} or more"
        frame = frame.assign(**{treated: x >= 0})
    made = study(frame, treated=treated, covariates=[running, *covariates], cluster=cluster)
    return replace(made, simulated=simulated or made.simulated), x


def _of_study(made: Study, running: str, covariates: Iterable[str]) -> np.ndarray:
    if made.weight is not None or made.strata is not None:
        raise ParameterError("A threshold takes no sampling weights and no strata.")
    sources = {column.source for column in made.covariates.columns}
    for name in (running, *covariates):
        if name not in sources:
            raise ParameterError(f"{name} is no covariate of the study. {suggest(name, sources)}")
    own = [one for one in made.covariates.columns if one.source == running]
    if own[0].level is not None:
        raise DataError(f"Running variable {running} holds categories: it must hold numbers.")
    return _numbers(pd.Series(own[0].raw), running)


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    values = floats_of(column, f"Running variable {name}")
    if lacking := int((~np.isfinite(values)).sum()):
        raise DataError(
            f"{name} is missing or infinite in {exact_count(lacking)} rows: leave out who has no "
            "side, and say so."
        )
    return values


def _check_sides(x: np.ndarray, running: str, cutoff: float) -> None:
    if (x < 0).all() or (x >= 0).all():
        raise DataError(f"All units are on one side of {cutoff:g} in {running}: none to compare.")


def _check_treated(arms: np.ndarray, x: np.ndarray, treated: str | None, known: str) -> None:
    """Refuse to take who is above for who was treated, where the records say otherwise."""
    if treated is None and (arms != (x >= 0)).any():
        raise ParameterError(
            f'Some are treated below the cutoff, or not treated above: say treated="{known}".'
        )
    if treated is not None and treated != known:
        raise ParameterError(f'Who was treated is "{known}" here, not "{treated}".')


def check_covariates(made: Study, columns: tuple[str, ...], x: np.ndarray) -> None:
    """Refuse what says the side and nothing else: given it, there is no jump to be found."""
    for name in columns:
        values = made.covariates.column(name)
        if not any(np.ptp(values[side]) for side in (x < 0, x >= 0)):
            raise DataError(f"{name} says on which side of the cutoff a unit is, and no more: "
                            "leave it out.")  # fmt: skip
