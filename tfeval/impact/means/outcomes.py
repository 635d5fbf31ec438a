"""Outcomes beside a study: the same units in the same order, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.alignment import check_unique, in_order
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happened to each unit of a study.

    Attributes
    ----------
    names : tuple of str
    months : tuple of int or None
        After the index date; None where not known.
    values : ndarray of float, shape (n, outcomes)
        NaN where missing, and for units of sampling weight 0.
    level : ndarray of float or None, shape (outcomes,)
        Taken off while estimating and put back, so that where an outcome's 0 lies has no say.
    """

    names: tuple[str, ...]
    months: tuple[int | None, ...]
    values: np.ndarray
    level: np.ndarray | None = None

    def levelled(self) -> Outcomes:
        """Return the outcomes with their means as levels."""
        return replace(self, level=np.nanmean(self.values, axis=0))

    def of_rows(self, rows: np.ndarray) -> Outcomes:
        """Return the outcomes of some rows, which may repeat."""
        return replace(self, values=self.values[rows])

    def level_of(self, places: list[int]) -> np.ndarray:
        """Return the levels of some outcomes, 0 where none were set."""
        return np.zeros(len(places)) if self.level is None else self.level[places]

    def by_missing(self) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield groups of outcomes that are known of the same units, and those units.

        Yields
        ------
        places : list of int
            Of the outcomes.
        known : ndarray of bool, shape (n,)
        """
        groups: dict[bytes, list[int]] = {}
        masks: dict[bytes, np.ndarray] = {}
        for place in range(self.values.shape[1]):
            known = ~np.isnan(self.values[:, place])
            key = b"" if known.all() else np.packbits(known).tobytes()
            groups.setdefault(key, []).append(place)
            masks[key] = known
        for key, places in groups.items():
            yield places, masks[key]


def aligned(
    study: Study, outcomes: pd.DataFrame | pd.Series | Cohort, months: int | None = None
) -> Outcomes:
    """Return outcomes in the order of a study's units.

    Parameters
    ----------
    study : Study
    outcomes : DataFrame, Series or Cohort
        Numbers; the index is the study's, in any order. From a cohort, the outcomes over
        `months`.
    months : int, optional
        After the index date.

    Raises
    ------
    ParameterError
        If months are not among the cohort's.
    DataError
        If the index is another, two have one name, or an outcome is not a number, infinite,
        missing in a whole arm, a covariate of the study, or its treatment.

    Examples
    --------
    >>> from tfeval.impact.study.study import study as make
    >>> frame = pd.DataFrame({"treated": [1, 0, 0], "age": [3.0, 1.0, 2.0], "y": [1, 0, 1]})
    >>> aligned(make(frame, covariates=["age"]), frame["y"]).names
    ('y',)
    """
    if months is not None and (
        isinstance(months, bool) or not isinstance(months, int | np.integer)
    ):
        raise ParameterError(f"months is a whole number, such as 12, not {months!r}.")
    spans: dict[str, int | None] = {}
    if isinstance(outcomes, Cohort):
        held = outcomes.columns[outcomes.columns["timing"] == "after"]
        known = sorted(set(held["months"]))
        if months is not None and months not in known:
            raise ParameterError(f"The cohort has no outcomes at {months} months, only at {known}.")
        names = list(held["name"]) if months is None else outcomes.outcomes(months)
        spans = dict(zip(held["name"], held["months"].astype(int), strict=True))
        outcomes = _of_cohort(study, outcomes)[names]
    frame = outcomes.to_frame() if isinstance(outcomes, pd.Series) else outcomes
    if not isinstance(frame, pd.DataFrame) or frame.shape[1] == 0:
        raise ParameterError(
            "outcomes is a DataFrame or Series with the study's index, or a cohort."
        )
    check_unique(frame.columns, "The outcomes")
    frame = in_order(frame, study.index, "The outcomes")
    both = [str(name) for name in frame.columns if name in _sources(study)]
    if both:
        raise DataError(f"{', '.join(both[:5])}: a covariate of the study, so no outcome.")
    values = np.column_stack([_numbers(frame.iloc[:, at]) for at in range(frame.shape[1])])
    if study.weight is not None and not study.weight.all():
        # Who is not in the sample has no outcome that counts.
        values[study.weight == 0] = np.nan
    _check_arms(study, frame, values)
    names = [str(name) for name in frame.columns]
    for name, own in zip(names, values.T, strict=True):
        if name == study.treated_name or _is_treatment(study, own):
            raise DataError(
                f"Outcome {name} is the treatment: it says who was treated, not what came of it. "
                "Leave it out."
            )
    return Outcomes(tuple(names), tuple(spans.get(name, months) for name in names), values)


def _of_cohort(study: Study, cohort: Cohort) -> pd.DataFrame:
    """Return a cohort's rows; refuse a cohort whose units are others than the study's."""
    frame = cohort.to_pandas()
    inside = bool(study.index.isin(frame.index).all())
    if study.unit is not None and "unit" in frame and inside:
        # The identifiers say that labels mean the same units, also where these are row numbers.
        frame = frame.loc[study.index]
        inside = bool((frame["unit"].to_numpy() == study.unit).all())
    if not inside:
        raise DataError(
            "The outcomes are of another cohort than the study: its units are others. Make the "
            "study from this cohort, or give the outcomes of the study's own."
        )
    return frame


def _sources(study: Study) -> set[str]:
    return {column.source for column in study.covariates.columns}


def _numbers(series: pd.Series) -> np.ndarray:
    values = floats_of(series, f"Outcome {series.name}")
    if np.isinf(values).any():
        raise DataError(
            f"Outcome {series.name} is infinite in some rows. Correct it, or make it missing."
        )
    return values


def _is_treatment(study: Study, values: np.ndarray) -> bool:
    """Say whether an outcome is 1 for the treated and 0 for the others, wherever it is known."""
    for part in (slice(0, 1000), slice(None)):
        own = values[part]
        if not ((own == study.treated[part]) | np.isnan(own)).all():
            return False
    return True


def _check_arms(study: Study, frame: pd.DataFrame, values: np.ndarray) -> None:
    for who, arm in (("treated", study.treated), ("comparison", ~study.treated)):
        for place in np.flatnonzero(np.isnan(values[arm]).all(axis=0)).tolist():
            raise DataError(
                f"Outcome {frame.columns[place]} is missing for every {who} unit. Leave it out, or "
                "choose a horizon that the records cover."
            )
