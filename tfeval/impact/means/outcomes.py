"""Outcomes beside a study: the same units in the same order, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.study.blocks import check_unique, in_order, numbers_rows
from tfeval.impact.study.numbers import floats_of, plain
from tfeval.impact.study.study import Study
from tfeval.programme.outcomes import OUTCOMES

# Subgroups: what part each unit plays in the effect on one group.

WHOLE = "all"


def populations(design: Design, by: pd.Series | np.ndarray | None) -> dict[str, np.ndarray | None]:
    """Return for each group the part that each unit plays in the effect on it, shape (n,).

    Parameters
    ----------
    by : Series or ndarray, optional, shape (n,)
        Group of each unit, such as its local authority; missing for none.

    Returns
    -------
    dict of str to ndarray or None
        For `by` None, one entry that leaves the design as it is.

    Notes
    -----
    Groups are of those whom the estimand is about: for the ATT the treated, for the ATC the
    comparison units, for the ATE all. Where there are matched sets, the others belong to a group
    as far as these, of their set, do, whatever their own group: a pair across authorities counts
    for the treated unit's, in the ATT. For the ATE all of a set count for a group by the share of
    the set that is of the group. Without sets, both arms are those of the group itself.
    """
    if by is None:
        return {WHOLE: None}
    labels = labels_of(design, by)
    groups: dict[str, np.ndarray | None] = {}
    for label in _groups(design, labels):
        part = _part(design, labels == label)
        inside = part * design.weights > 0
        if inside[design.study.treated].any() and inside[~design.study.treated].any():
            groups[label] = part
    if not groups:
        raise DataError("No group has both treated and comparison units.")
    return groups


def _focal(design: Design) -> np.ndarray:
    """Return whom the estimand is about, of those with weight."""
    treated, kept = design.study.treated, design.weights > 0
    return kept & {"ATT": treated, "ATC": ~treated}.get(design.estimand, True)


def _groups(design: Design, labels: np.ndarray) -> list[str]:
    return sorted(set(labels[_focal(design)]) - {""})


def groups_left_out(
    design: Design, by: pd.Series | np.ndarray | None, groups: int, effects: int, outcomes: int
) -> tuple[str, ...]:
    """Say which groups and effects have nobody to compare.

    Parameters
    ----------
    by : Series or ndarray, optional, shape (n,)
    groups, effects, outcomes : int
        Groups with both arms, effects that could be estimated, and outcomes.
    """
    if by is None:
        return ()
    lost = len(_groups(design, labels_of(design, by))) - groups
    lacking = {"ATT": "comparison units", "ATC": "treated units"}.get(
        design.estimand, "units of both arms"
    )
    notes = [f"{lost:,} groups without {lacking} are left out."] if lost else []
    if less := groups * outcomes - effects:
        notes.append(f"{less:,} effects are left out: one arm has no outcome in the group.")
    return tuple(notes)


def labels_of(design: Design, by: pd.Series | np.ndarray) -> np.ndarray:
    """Return the group of each unit in the study's order, as text; "" for none."""
    if isinstance(by, pd.Series):
        by = in_order(by, design.study.index, "The groups (by)")
    if isinstance(by, str) or np.ndim(by) != 1 or len(by) != design.study.size:
        raise DataError(
            "by: one group for each of the study's units is needed, as a Series with the study's "
            "index or an array in its order."
        )
    series = plain(by if isinstance(by, pd.Series) else pd.Series(by))
    whole = series.dtype.kind == "f" and bool(
        ((series % 1 == 0) & (series.abs() < 2**53) | series.isna()).all()
    )
    # A number beside which others are missing is written as it is without them: 7, not 7.0.
    series = series.astype("Int64") if whole else series
    series = pd.Series(series.astype(object).to_numpy())
    return series.where(series.notna(), "").astype(str).to_numpy()


def _part(design: Design, inside: np.ndarray) -> np.ndarray:
    """Return what each unit counts in the effect on some units, `inside`."""
    study, focal = design.study, _focal(design)
    if design.sets is not None:
        own, whole = (
            np.bincount(design.sets[rows], study.sampling[rows], int(design.sets.max()) + 1)
            for rows in (focal & inside & (design.sets >= 0), focal & (design.sets >= 0))
        )
        share = np.divide(own, whole, out=np.zeros(len(own)), where=whole > 0)
        part = np.where(design.sets >= 0, share[design.sets], 0.0)
        return part if design.estimand == "ATE" else np.where(focal, inside, part)
    if design.pairs is None:
        return inside.astype(float)
    part = (inside & focal).astype(float)
    rows, matches = design.pairs.T
    shares = np.ones(len(rows)) if design.pair_shares is None else design.pair_shares
    whole = np.bincount(matches, shares, study.size)
    own = np.bincount(matches, shares * part[rows], study.size)
    used = whole > 0
    part[used] = own[used] / whole[used]
    return part


_LEVELS = ["outcome", "months"]
#: What tells one cohort from another.
_WHICH = ("phase", "comparison", "treatment", "level", "seed")
_OTHER_COHORT = (
    "The outcomes are of another cohort than the study: its units are others. Make the study from "
    "this cohort, or give the outcomes of the study's own."
)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What happened to each unit of a study."""

    names: tuple[str, ...]
    months: tuple[int | None, ...]  # after the index date; None where not known
    values: np.ndarray  # (n, outcomes): NaN where missing, and for units of sampling weight 0
    #: (outcomes,): taken off while estimating and put back, so that where an outcome's 0 lies has
    #: no say.
    level: np.ndarray | None = None
    #: Whether they are a cohort's, so that the registry says what they are called.
    registered: bool = False

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


def arm_counts(values: np.ndarray, treated: np.ndarray) -> dict[str, float]:
    """Return units, events and means by arm, and how many are missing, as tables of effects have.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        An outcome, NaN where it is missing.
    treated : ndarray of bool, shape (n,)

    Examples
    --------
    >>> counts = arm_counts(np.array([2.0, 0.0, 1.0, np.nan]), np.array([True, True, False, False]))
    >>> counts["n_treated"], counts["events_treated"], counts["mean_treated"], counts["n_missing"]
    (2, 1, 1.0, 1)
    """
    known = ~np.isnan(values)
    counts: dict[str, float] = {"n_missing": int((~known).sum())}
    for name, arm in (("treated", known & treated), ("comparison", known & ~treated)):
        counts[f"n_{name}"] = int(arm.sum())
        counts[f"events_{name}"] = int((arm & (values != 0)).sum())
        counts[f"mean_{name}"] = float(values[arm].mean())
    return counts


def aligned(
    study: Study, outcomes: pd.DataFrame | pd.Series | Cohort, months: int | None = None
) -> Outcomes:
    """Return outcomes in the order of a study's units.

    Parameters
    ----------
    outcomes : DataFrame, Series or Cohort
        Numbers; the index is the study's, in any order. From a cohort, or its `outcomes`, those
        over `months`.
    months : int, optional
        After the index date.

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
    if isinstance(outcomes, Cohort):
        outcomes = _of_cohort(study, outcomes, months)
    frame = outcomes.to_frame() if isinstance(outcomes, pd.Series) else outcomes
    if not isinstance(frame, pd.DataFrame) or frame.shape[1] == 0:
        raise ParameterError(
            "outcomes is a DataFrame or Series with the study's index, or a cohort."
        )
    check_unique(frame.columns, "The outcomes")
    names, spans = _names(frame, months)
    frame = in_order(_same_cohort(study, frame), study.index, "The outcomes")
    both = [name for name in names if name in _sources(study)]
    if both:
        raise DataError(f"{', '.join(both[:5])}: a covariate of the study, so no outcome.")
    values = np.column_stack([_numbers(frame.iloc[:, at], name) for at, name in enumerate(names)])
    if study.weight is not None and not study.weight.all():
        # Who is not in the sample has no outcome that counts.
        values[study.weight == 0] = np.nan
    _check_arms(study, names, values)
    for name, own in zip(names, values.T, strict=True):
        if name == study.treated_name or _is_treatment(study, own):
            raise DataError(
                f"Outcome {name} is the treatment: it says who was treated, not what came of it. "
                "Leave it out."
            )
    registered = "cohort" in frame.attrs and all(name in OUTCOMES for name in names)
    return Outcomes(names, spans, values, registered=registered)


def _names(frame: pd.DataFrame, months: int | None) -> tuple[tuple[str, ...], Any]:
    """Return each column's outcome and its months, which a cohort's outcomes know themselves."""
    if frame.columns.nlevels > 1:
        if list(frame.columns.names) != _LEVELS:
            raise ParameterError(
                "outcomes: columns of two levels are those of a cohort's outcomes(): outcome and "
                "months. Give one level."
            )
        pairs = [(str(pair[0]), int(pair[1])) for pair in frame.columns]
        if months is not None and {own for _, own in pairs} != {months}:
            raise ParameterError(f"outcomes: these are not all over {months} months: leave months "
                                 "out, or give families.outcomes(months).")  # fmt: skip
        return tuple(name for name, _ in pairs), tuple(own for _, own in pairs)
    own = frame.attrs.get("months")
    if months is not None and own not in (None, months):
        raise ParameterError(f"outcomes: these are over {own} months, not {months}.")
    names = tuple(str(name) for name in frame.columns)
    return names, (own if months is None else months,) * len(names)


def _same_cohort(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Refuse outcomes that say they are of another cohort; of the whole one, take the study's."""
    cohort = frame.attrs.get("cohort")
    if not cohort or not study.cohort:
        return frame
    if any(study.cohort.get(name) != cohort[name] for name in _WHICH):
        raise DataError(_OTHER_COHORT)
    whole = len(frame) == cohort["units"] and numbers_rows(frame.index)
    return frame.loc[study.index] if whole and study.index.isin(frame.index).all() else frame


def _of_cohort(study: Study, cohort: Cohort, months: int | None) -> pd.DataFrame:
    """Return a cohort's outcomes; refuse a cohort whose units are others than the study's."""
    outcomes, frame = cohort.outcomes(months), cohort.to_pandas()
    inside = bool(study.index.isin(frame.index).all())
    if study.unit is not None and "unit" in frame and inside:
        # The identifiers say that labels mean the same units, also where these are row numbers.
        frame = frame.loc[study.index]
        inside = bool((frame["unit"].to_numpy() == study.unit).all())
    if not inside:
        raise DataError(_OTHER_COHORT)
    return outcomes.loc[study.index]


def _sources(study: Study) -> set[str]:
    return {column.source for column in study.covariates.columns}


def _numbers(series: pd.Series, name: str) -> np.ndarray:
    values = floats_of(series, f"Outcome {name}")
    if np.isinf(values).any():
        raise DataError(f"Outcome {name} is infinite in some rows. Correct it, or make it missing.")
    return values


def _is_treatment(study: Study, values: np.ndarray) -> bool:
    """Say whether an outcome is 1 for the treated and 0 for the others, wherever it is known."""
    for part in (slice(0, 1000), slice(None)):
        own = values[part]
        if not ((own == study.treated[part]) | np.isnan(own)).all():
            return False
    return True


def _check_arms(study: Study, names: tuple[str, ...], values: np.ndarray) -> None:
    for who, arm in (("treated", study.treated), ("comparison", ~study.treated)):
        for place in np.flatnonzero(np.isnan(values[arm]).all(axis=0)).tolist():
            raise DataError(
                f"Outcome {names[place]} is missing for every {who} unit. Leave it out, or "
                "choose a horizon that the records cover."
            )
