"""A design as a data frame, for models and charts that are not this package's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError
from tfeval.impact.design.set_weights import members_of_pairs
from tfeval.impact.study.covariates import free_name
from tfeval.impact.study.study import Study


def members(
    sets: np.ndarray | None, pairs: np.ndarray | None, shares: np.ndarray | None, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the members of a design's matched sets.

    Parameters
    ----------
    sets, pairs, shares : ndarray or None
        As `sets`, `pairs` and `pair_shares` of a design.
    method : str
        What an error calls the design.

    Returns
    -------
    rows, sets : ndarray of int, shape (members,)
    weights : ndarray of float, shape (members,), or None
        Within the set; None where each unit stands in one, and the design's weights hold.

    Raises
    ------
    ParameterError
        If the design has no sets.
    """
    if sets is not None:
        rows = np.flatnonzero(sets >= 0)
        return rows, sets[rows], None
    if pairs is None:
        raise ParameterError(
            f"{method}: this design has no matched sets. Leave pairs out, for one row a unit."
        )
    return members_of_pairs(pairs, shares)


def set_codes(sets: np.ndarray | None, size: int) -> pd.Series:
    """Return the codes of matched sets, missing for units in none (-1), or for all."""
    codes = pd.Series(np.full(size, -1) if sets is None else sets, dtype="Int64")
    return codes.mask(codes < 0)


def frame_of(
    study: Study, rows: np.ndarray, own: Mapping[str, Any], *, covariates: bool
) -> pd.DataFrame:
    """Return rows of a study with a design's own columns before the study's.

    Parameters
    ----------
    study : Study
    rows : ndarray of int
        Positions, which may repeat.
    own : mapping of str to array
        The design's columns, of these rows.
    covariates : bool
        Whether to add the covariates, as numbers.

    Returns
    -------
    DataFrame
        With the study's index. No two columns have the same name: the design's own keep theirs.
    """
    columns: dict[str, Any] = {name: pd.Series(values).array for name, values in own.items()}
    clusters = dict(study.clusters)
    if study.family is not None:
        clusters.setdefault("family", study.family)
    if study.strata is not None:
        columns["stratum"] = study.strata[rows]
    both = set()
    for name, codes in clusters.items():
        if name not in columns:
            both.add(name)
        columns[_free(name, "cluster", columns)] = codes[rows]
    if covariates:
        values = study.covariates.rows(rows)
        for place, column in enumerate(study.covariates.columns):
            # A number that is a cluster too tells clusters apart as well as their codes do.
            same = column.name == column.source and column.source in both
            name = column.name if same else _free(column.name, "covariate", columns)
            columns[name] = values[:, place]
    return pd.DataFrame(columns, index=study.index[rows])


def _free(name: str, role: str, columns: Mapping[str, Any]) -> str:
    return name if name not in columns else free_name(f"{name} ({role})", set(columns))
