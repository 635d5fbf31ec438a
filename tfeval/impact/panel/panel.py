"""Units by periods: what every design over time takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError, suggest


@dataclass(frozen=True, eq=False)
class Panel(Rich):
    """Outcomes of units over periods, and what is fixed for each unit.

    Attributes
    ----------
    units : Index
        Their labels, in order.
    times : ndarray of int
        The periods, ascending; they need not follow each other without a gap.
    outcomes : mapping of str to ndarray of float, shape (units, times)
        By name. What is missing is NaN, never 0.
    fixed : DataFrame
        One row a unit, in the order of `units`: doses, covariates, clusters, weights, and the
        period in which a unit was first treated.
    simulated : bool
        Whether the records are simulated.
    """

    units: pd.Index
    times: np.ndarray
    outcomes: Mapping[str, np.ndarray]
    fixed: pd.DataFrame
    simulated: bool = False

    def __post_init__(self) -> None:
        shape = len(self.units), len(self.times)
        for name, values in self.outcomes.items():
            if np.shape(values) != shape:
                raise DataError(f"Outcome {name} is {np.shape(values)}, and the panel {shape}.")
        if len(self.fixed) != shape[0]:
            raise DataError(f"{len(self.fixed)} rows are fixed for {shape[0]} units.")
        if (np.diff(self.times) <= 0).any():
            raise DataError("The periods of a panel must ascend, each once.")

    @cached_property
    def place(self) -> dict[int, int]:
        """Return the column of each period."""
        return {int(time): column for column, time in enumerate(self.times)}

    def outcome(self, name: str) -> np.ndarray:
        """Return an outcome, units by periods.

        Raises
        ------
        ParameterError
            If there is none of the name.
        """
        if name not in self.outcomes:
            raise ParameterError(f"No outcome {name} in the panel. {suggest(name, self.outcomes)}")
        return self.outcomes[name]

    def column(self, name: str) -> np.ndarray:
        """Return a fixed column, one value a unit.

        Raises
        ------
        ParameterError
            If there is none of the name.
        """
        if name not in self.fixed:
            known = map(str, self.fixed.columns)
            raise ParameterError(f"{name} is not fixed by unit. {suggest(name, known)}")
        return self.fixed[name].to_numpy()

    def numbers(self, name: str) -> np.ndarray:
        """Return a fixed column as numbers, missing as NaN.

        Raises
        ------
        ParameterError
            If there is none of the name.
        DataError
            If it holds no numbers.
        """
        self.column(name)
        try:
            return pd.to_numeric(self.fixed[name]).to_numpy(dtype=float, na_value=np.nan)
        except (TypeError, ValueError):
            raise DataError(
                f"Column {name} of the panel must hold numbers: give a category as columns of 0 "
                "and 1."
            ) from None

    def take(self, kept: np.ndarray) -> Panel:
        """Return the panel of some units: a mask of all units, or their positions."""
        return replace(
            self,
            units=self.units[kept],
            outcomes={name: values[kept] for name, values in self.outcomes.items()},
            fixed=self.fixed[kept] if np.asarray(kept).dtype == bool else self.fixed.iloc[kept],
        )

    def during(self, times: Iterable[int]) -> Panel:
        """Return the panel of some periods.

        Raises
        ------
        ParameterError
            If it has not all of them.
        """
        wanted = sorted({int(time) for time in times})
        lacking = [str(time) for time in wanted if time not in self.place]
        if lacking:
            raise ParameterError(f"The panel has no period {', '.join(lacking)}.")
        columns = [self.place[time] for time in wanted]
        return replace(
            self,
            times=self.times[columns],
            outcomes={name: values[:, columns] for name, values in self.outcomes.items()},
        )


def panel(
    frame: pd.DataFrame,
    *,
    unit: str,
    time: str,
    outcomes: Iterable[str],
    fixed: Iterable[str] = (),
    simulated: bool = False,
) -> Panel:
    """Return units by periods from a table with one row a unit and period.

    Parameters
    ----------
    frame : DataFrame
        Rows in any order. A unit without a row in some period has no outcome there.
    unit, time : str
        Columns: labels of units, and whole numbers of periods.
    outcomes : iterable of str
        Columns of numbers; missing ones stay missing.
    fixed : iterable of str, optional
        Columns with one value a unit: doses, covariates, clusters, weights, first treated period.
    simulated : bool, default False
        Whether the records are simulated.

    Returns
    -------
    Panel
        Units in the order of their labels, periods ascending.

    Raises
    ------
    ParameterError
        If the table lacks a column.
    DataError
        If a unit has two rows in a period, or a fixed column changes within a unit.

    Examples
    --------
    >>> rows = pd.DataFrame({"area": ["a", "a", "b"], "year": [2011, 2012, 2011],
    ...                      "rate": [1.0, 2.0, 3.0], "dose": [5.0, 5.0, 7.0]})
    >>> made = panel(rows, unit="area", time="year", outcomes=["rate"], fixed=["dose"])
    >>> made.outcome("rate")
    array([[ 1.,  2.],
           [ 3., nan]])
    >>> made.column("dose")
    array([5., 7.])
    """
    outcomes, fixed = list(outcomes), list(fixed)
    for name in (unit, time, *outcomes, *fixed):
        if name not in frame:
            known = map(str, frame.columns)
            raise ParameterError(f"The table has no column {name}. {suggest(name, known)}")
    if frame[unit].isna().any() or frame[time].isna().any():
        raise DataError(f"Columns {unit} and {time} of a panel may not be missing.")
    whole = pd.to_numeric(frame[time], errors="coerce")
    if not (whole % 1 == 0).all():
        raise DataError(f"Column {time} must hold whole numbers of periods.")
    rows, units = _codes(frame[unit])
    columns, times = pd.factorize(whole.astype("int64"), sort=True)
    cells = np.bincount(rows * len(times) + columns)
    twice = len(frame) - np.count_nonzero(cells)
    if twice:
        raise DataError(
            f"{twice} rows of the table repeat a {unit} and {time}: a panel has one row for each."
        )
    held = {}
    for name in outcomes:
        values = np.full((len(units), len(times)), np.nan)
        values[rows, columns] = pd.to_numeric(frame[name]).to_numpy(dtype=float, na_value=np.nan)
        held[name] = values
    places = np.empty(len(units), dtype=np.int64)
    places[rows[::-1]] = np.arange(len(rows))[::-1]  # the last written is a unit's first row
    changing = [name for name in fixed if _changes(frame[name], places[rows])]
    if changing:
        raise DataError(f"Within a {unit}, {', '.join(changing)} must not change over {time}.")
    first = pd.DataFrame(
        {name: frame[name].array[places] for name in fixed}, index=range(len(units))
    )
    return Panel(units, np.asarray(times, dtype=np.int64), held, first, simulated)


def _codes(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Return the place of each label among all in order, and these."""
    if not column.is_monotonic_increasing:
        rows, labels = pd.factorize(column, sort=True)
        return rows, pd.Index(labels)
    values = column.to_numpy()
    new = np.append(np.ones(min(len(values), 1), dtype=bool), values[1:] != values[:-1])
    return np.cumsum(new) - 1, pd.Index(column[new], name=None)


def _changes(column: pd.Series, first: np.ndarray) -> bool:
    """Tell whether some row's value is not that of its unit's first row."""
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"
    values = column.to_numpy() if plain else pd.factorize(column)[0]
    differs = values != values[first]
    if plain and column.dtype.kind == "f" and differs.any():
        differs &= ~(np.isnan(values) & np.isnan(values[first]))
    return bool(differs.any())
