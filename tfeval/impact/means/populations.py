"""Subgroups: what part each unit plays in the effect on one group of the treated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.design.design import Design

WHOLE = "all"


def populations(design: Design, by: pd.Series | np.ndarray | None) -> dict[str, np.ndarray | None]:
    """Return for each group of the treated the part that each unit plays, shape (n,).

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
    Where there are matched sets, a comparison unit belongs to a group as far as the treated of
    its set do, whatever its own group: a pair across authorities counts for the treated unit's.
    Otherwise comparison units are those of the group itself.
    """
    if by is None:
        return {WHOLE: None}
    labels = labels_of(design, by)
    treated = design.study.treated & (design.weights > 0)
    found: dict[str, np.ndarray | None] = {}
    for label in sorted(set(labels[treated]) - {""}):
        part = _part(design, labels == label)
        if (part * design.weights)[~design.study.treated].sum() > 0:
            found[label] = part
    if not found:
        raise DataError("No group has both treated and comparison units.")
    return found


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
    kept = design.study.treated & (design.weights > 0)
    lost = len(set(labels_of(design, by)[kept]) - {""}) - found
    notes = [f"{lost:,} groups without comparison units are left out."] if lost else []
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
    if isinstance(by, pd.Series) and not by.index.equals(design.study.index):
        if not design.study.index.isin(by.index).all() or not by.index.is_unique:
            raise DataError(
                "by has another index than the study: give a Series with one group for each of "
                "its units."
            )
        by = by.reindex(design.study.index)
    if isinstance(by, str) or len(by) != design.study.size:
        raise DataError(
            "by: one group for each of the study's units is needed, as a Series with the study's "
            "index or an array in its order."
        )
    series = pd.Series(np.asarray(by, dtype=object))
    return series.where(series.notna(), "").astype(str).to_numpy()


def _part(design: Design, inside: np.ndarray) -> np.ndarray:
    """Return 1 for the group's treated, and for comparison units their share in the group."""
    study = design.study
    part = (inside & study.treated).astype(float)
    if design.sets is None and design.pairs is None:
        return inside.astype(float)
    if design.sets is not None:
        held = (design.sets >= 0) & study.treated
        count = int(design.sets.max()) + 1
        whole = np.bincount(design.sets[held], study.sampling[held], count)
        own = np.bincount(design.sets[held], (study.sampling * part)[held], count)
        share = np.divide(own, whole, out=np.zeros(count), where=whole > 0)
        others = (design.sets >= 0) & ~study.treated
        part[others] = share[design.sets[others]]
        return part
    assert design.pairs is not None
    rows, matches = design.pairs.T
    shares = np.ones(len(rows)) if design.pair_shares is None else design.pair_shares
    whole = np.bincount(matches, shares, study.size)
    own = np.bincount(matches, shares * part[rows], study.size)
    used = whole > 0
    part[used] = own[used] / whole[used]
    return part
