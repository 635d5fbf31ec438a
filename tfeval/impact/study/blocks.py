"""Reading the covariates of many units: by blocks, by samples, on threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tfeval.display.tables import exact_count
from tfeval.errors import DataError
from tfeval.impact.study.covariates import BLOCK, LARGE, THREADS, Covariates, in_parts
from tfeval.impact.study.study import Study

# Rows beside a study's: one rule for outcomes, groups, distances and prognoses.

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
        raise DataError(
            f"{what} lack {exact_count(missing)} of the study's {len(index):,} units: give them "
            "the same index as the frame the study was made from."
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
    what : str
        What an error calls them, in the plural: "The outcomes".
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


@dataclass(frozen=True, eq=False)
class Reader:
    """Covariates with a leading 1, each shifted by a constant."""

    covariates: Covariates
    #: (count,): taken off each covariate where its mean is many standard deviations from 0, so that
    #: sums of squares keep their digits; 0 elsewhere.
    shift: np.ndarray
    scale: np.ndarray  # (1 + count,): standard deviations, 1 for the intercept

    @property
    def size(self) -> int:
        """Units."""
        return self.covariates.size

    def room(self) -> np.ndarray:
        """Return an array that holds a block, shape (1 + count, rows)."""
        room = np.empty((1 + self.covariates.count, min(BLOCK, max(self.size, 1))))
        room[0] = 1.0
        return room

    def read(self, start: int, stop: int, room: np.ndarray) -> np.ndarray:
        """Return rows `start` to `stop` in `room`, shape (1 + count, rows)."""
        block = room[:, : stop - start]
        self.covariates.block(start, stop, block[1:])
        if self.shift.any():
            block[1:] -= self.shift[:, None]
        return block

    def unshifted(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the coefficients of the covariates as they are."""
        betas = coefficients.copy()
        betas[0] -= self.shift @ coefficients[1:]
        return betas

    def unshifted_information(self, information: np.ndarray) -> np.ndarray:
        """Return the information on the coefficients of the covariates as they are."""
        back = np.eye(len(information))
        back[1:, 0] = self.shift
        return back @ information @ back.T


def reader(covariates: Covariates, sample: Covariates | None = None) -> Reader:
    """Return a reader; means and standard deviations are those of a sample, if given."""
    total = np.zeros(covariates.count)
    squares = np.zeros(covariates.count)
    known = covariates if sample is None else sample
    first = known.block(0, 1)
    for _, block in known.blocks():
        np.subtract(block, first, out=block)
        total += block.sum(axis=1)
        squares += np.einsum("ij,ij->i", block, block)
    mean = total / known.size
    deviation = np.sqrt(np.maximum(squares / known.size - mean**2, 0.0))
    mean += first[:, 0]
    far = np.abs(mean) > 10.0 * deviation
    scale = np.where(deviation > 0, deviation, 1.0)
    return Reader(covariates, np.where(far, mean, 0.0), np.r_[1.0, scale])


def thinned(covariates: Covariates, rows: np.ndarray | slice) -> Covariates:
    """Return the covariates of some units."""
    columns = covariates.columns
    if not isinstance(rows, slice) and len(rows) >= LARGE:
        columns = tuple(in_parts(lambda column: column.some(rows), [(one,) for one in columns]))
    else:
        columns = tuple(column.some(rows) for column in columns)
    return Covariates(columns, len(columns[0].raw), covariates.reference)


def spread_rows(size: int, count: int) -> np.ndarray:
    """Return one row from each of `count` equal stretches, at random within it.

    Every so many rows exactly would miss one arm where rows follow a pattern.

    Examples
    --------
    >>> rows = spread_rows(1000, 10)
    >>> (rows // 100).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    step = size // count
    return np.arange(count) * step + np.random.default_rng(1).integers(0, step, count)


def parts(size: int) -> list[tuple[int, int]]:
    """Return the ranges of rows that threads take; the same on every machine."""
    if size < LARGE:
        return [(0, size)]
    cuts = [size * place // THREADS for place in range(THREADS + 1)]
    return list(pairwise(cuts))


def steps(start: int, stop: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield the blocks of rows between `start` and `stop`."""
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))


# The units that count: those of sampling weight 0 are not in the sample asked for.


def rows_that_count(study: Study) -> np.ndarray | None:
    """Return the rows with a sampling weight above 0; None if all have one."""
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
