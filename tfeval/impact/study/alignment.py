"""Rows beside a study's: one rule for outcomes, groups, distances and prognoses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tfeval.errors import DataError

Rows = TypeVar("Rows", pd.Series, pd.DataFrame)


def in_order(given: Rows, index: pd.Index, what: str) -> Rows:
    """Return rows in the order of a study's index.

    Parameters
    ----------
    given : DataFrame or Series
        With the study's labels, in any order, and perhaps others.
    index : Index
        Of the study.
    what : str
        What an error calls the rows, in the plural: "The outcomes".

    Raises
    ------
    DataError
        If labels lack or are not unique; or if the study's rows are known by their numbers
        alone (unnamed labels 0, 1, 2 and so on) and those given are not exactly these. A filter
        and a `reset_index` number rows anew, and others would then be taken for them.

    Examples
    --------
    >>> rows = pd.Series([1.0, 2.0], index=["a", "b"])
    >>> in_order(rows, pd.Index(["b", "a"]), "The outcomes").tolist()
    [2.0, 1.0]
    """
    if given.index.equals(index):
        return given
    if not given.index.is_unique or not index.is_unique:
        raise DataError(
            f"{what}: the index differs from the study's, and is not unique, so rows cannot be "
            "told apart. Give both one index that names each unit once."
        )
    places = given.index.get_indexer(index)
    if missing := int(np.count_nonzero(places < 0)):
        some = f"{missing:,}" if missing >= 10 else "fewer than 10"
        raise DataError(
            f"{what} lack {some} of the study's {len(index):,} units: give them the same "
            "index as the frame the study was made from."
        )
    if len(given) != len(index) and numbers_rows(index):
        raise DataError(
            f"{what} have more rows than the study, whose index only numbers its rows: a filter "
            "may have numbered them anew. Give the study's own rows alone, or both an index that "
            "identifies the units, such as frame.set_index('id')."
        )
    return given.iloc[places]


def check_unique(names: Iterable[Any], what: str) -> None:
    """Refuse names of which two are the same as shown.

    Parameters
    ----------
    names : iterable
    what : str
        What an error calls them, in the plural: "The outcomes".

    Raises
    ------
    DataError
    """
    shown = [str(name) for name in names]
    if twice := [name for name, count in Counter(shown).items() if count > 1]:
        raise DataError(f"{what}: {', '.join(twice[:5])} is named twice. Give each its own name.")


def numbers_rows(index: pd.Index) -> bool:
    """Say whether an index only numbers its rows, in whatever order: unnamed labels from 0.

    Examples
    --------
    >>> numbers_rows(pd.RangeIndex(3)), numbers_rows(pd.Index([7, 9]))
    (True, False)
    """
    if index.nlevels > 1 or index.name is not None or not len(index):
        return False
    if not pd.api.types.is_integer_dtype(index.dtype):
        return False
    return bool(index.is_unique and index.min() == 0 and index.max() == len(index) - 1)
