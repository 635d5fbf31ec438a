"""Subgroups: what part each unit plays in the effect on one group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.design.design import Design
from tfeval.impact.study.alignment import in_order
from tfeval.impact.study.numbers import plain

WHOLE = "all"


def populations(design: Design, by: pd.Series | np.ndarray | None) -> dict[str, np.ndarray | None]:
    """Return for each group the part that each unit plays in the effect on it, shape (n,).

    Parameters
    ----------
    design : Design
    by : Series or ndarray, optional, shape (n,)
        Group of each unit, such as its local authority; missing for none.

    Returns
    -------
    dict of str to ndarray or None
        For `by` None, one entry that leaves the design as it is.

    Raises
    ------
    DataError
        If the groups do not fit the study, or none has both arms.

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
    found: dict[str, np.ndarray | None] = {}
    for label in _groups(design, labels):
        part = _part(design, labels == label)
        held = part * design.weights > 0
        if held[design.study.treated].any() and held[~design.study.treated].any():
            found[label] = part
    if not found:
        raise DataError("No group has both treated and comparison units.")
    return found


def _focal(design: Design) -> np.ndarray:
    """Return whom the estimand is about, of those with weight."""
    treated, kept = design.study.treated, design.weights > 0
    return kept & {"ATT": treated, "ATC": ~treated}.get(design.estimand, True)


def _groups(design: Design, labels: np.ndarray) -> list[str]:
    return sorted(set(labels[_focal(design)]) - {""})


def groups_left_out(
    design: Design, by: pd.Series | np.ndarray | None, found: int, effects: int, outcomes: int
) -> tuple[str, ...]:
    """Say which groups and effects have nobody to compare.

    Parameters
    ----------
    design : Design
    by : Series or ndarray, optional, shape (n,)
    found, effects, outcomes : int
        Groups with both arms, effects that could be estimated, and outcomes.
    """
    if by is None:
        return ()
    lost = len(_groups(design, labels_of(design, by))) - found
    lacking = {"ATT": "comparison units", "ATC": "treated units"}.get(
        design.estimand, "units of both arms"
    )
    notes = [f"{lost:,} groups without {lacking} are left out."] if lost else []
    if less := found * outcomes - effects:
        notes.append(f"{less:,} effects are left out: one arm has no outcome in the group.")
    return tuple(notes)


def labels_of(design: Design, by: pd.Series | np.ndarray) -> np.ndarray:
    """Return the group of each unit in the study's order, as text; "" for none.

    Raises
    ------
    DataError
        If there is not one for each unit.
    """
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
