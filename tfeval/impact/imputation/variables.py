"""Columns of a frame as variables that can be imputed and that predict one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.impact.imputation.draws import category_donors, number_donors

#: A variable known in fewer units says too little to be imputed from.
FEWEST = 10
_MOST_LEVELS = 200
_NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float")


@dataclass(frozen=True, eq=False)
class Variable:
    """One column: a number, or a category as codes.

    Attributes
    ----------
    name : str
    known : ndarray of bool, shape (n,)
    values : ndarray of float, shape (n,)
        The numbers, or the codes from 0; NaN or -1 where missing.
    levels : int
        How many levels; 0 for a number.
    """

    name: str
    known: np.ndarray
    values: np.ndarray
    levels: int = 0

    @property
    def missing(self) -> np.ndarray:
        """Rows that are missing."""
        return np.flatnonzero(~self.known)

    def predictors(self, donors: np.ndarray | None) -> np.ndarray:
        """Return what predicts others, shape (n, columns), with missing rows taken from donors."""
        values = self.values
        if donors is not None and len(donors):
            values = values.copy()
            values[self.missing] = values[donors]
        if not self.levels:
            return values[:, None]
        return (values[:, None] == np.arange(1, self.levels)).astype(float)

    def drawn(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a known row for each missing one, given predictors of shape (n, k)."""
        if self.levels:
            return category_donors(x, self.known, self.values.astype(np.int64), rng)
        return number_donors(x, self.known, self.values, rng)

    def within(self, rows: np.ndarray) -> Variable:
        """Return the variable of some rows."""
        return Variable(self.name, self.known[rows], self.values[rows], self.levels)


def variable_of(frame: pd.DataFrame, name: str) -> Variable:
    """Return a column as a variable.

    Raises
    ------
    DataError
        If it is neither numbers nor a category, is infinite, has too many levels, or is known
        in too few rows to complete it.
    """
    series = frame[name]
    known = series.notna().to_numpy(dtype=bool)
    if not known.all() and known.sum() < FEWEST:
        raise DataError(
            f"{name} is known in fewer than {FEWEST} rows: too few to complete it from. Leave it "
            "out."
        )
    if _is_number(series, name):
        values = np.full(len(series), np.nan)
        values[known] = series[known].to_numpy(dtype=float)
        if np.isinf(values).any():
            count = int(np.isinf(values).sum())
            some = f"{count:,}" if count >= FEWEST else f"fewer than {FEWEST}"
            raise DataError(f"{name} is infinite in {some} rows. Correct it, or make it missing.")
        return Variable(name, known, values)
    codes, levels = pd.factorize(series, sort=False)
    if len(levels) > _MOST_LEVELS:
        raise DataError(
            f"{name} has {len(levels):,} levels: too many for a category. Group them first."
        )
    return Variable(name, known, codes.astype(float), max(len(levels), 1))


def _is_number(series: pd.Series, name: str) -> bool:
    dtype: Any = series.dtype
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(dtype):
        return not pd.api.types.is_complex_dtype(dtype)
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind in _NUMBERS:
        return True
    if kind in ("string", "boolean", "empty"):
        return False
    raise DataError(
        f"{name} holds {kind} values ({dtype}): give numbers or a category, such as an age in "
        "years for a date of birth."
    )
