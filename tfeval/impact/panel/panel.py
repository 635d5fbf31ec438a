"""Units by periods: what every design over time takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.display.tables import exact_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.inference.rules import NOT_IN_PANEL
from tfeval.impact.study.checks import names_of
from tfeval.impact.study.numbers import MIXED, TEXT, floats_of, kind_of, numbers_of, plain


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

    def numbers(self, name: str, *, infinite: bool = False) -> np.ndarray:
        """Return a fixed column as numbers, missing as NaN; infinite ones are refused if not asked.

        Raises
        ------
        ParameterError
            If there is none of the name.
        DataError
            If it holds no numbers, or infinite ones.
        """
        self.column(name)
        if kind_of(plain(self.fixed[name])) in (TEXT, MIXED):
            raise DataError(
                f"Column {name} of the panel must hold numbers: give a category as columns of 0 "
                "and 1."
            )
        read = floats_of if infinite else _finite
        return read(self.fixed[name], f"Column {name} of the panel")

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
    outcomes: str | Iterable[str],
    fixed: str | Iterable[str] = (),
    simulated: bool = False,
) -> Panel:
    """Return units by periods from a table with one row a unit and period.

    Parameters
    ----------
    frame : DataFrame
        Rows in any order. A unit without a row in some period has no outcome there.
    unit, time : str
        Columns: labels of units, and whole numbers of periods.
    outcomes : str or iterable of str
        Columns of numbers; missing ones stay missing.
    fixed : str or iterable of str, optional
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
        If a unit has two rows in a period, a fixed column changes within a unit, or an outcome
        holds no numbers or infinite ones.

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
    outcomes, fixed = names_of(outcomes), names_of(fixed)
    whole = _checked(frame, unit, time, (*outcomes, *fixed))
    grid = _Grid.of(frame[unit], whole)
    if grid.twice:
        raise DataError(
            f"{grid.twice} rows of the table repeat a {unit} and {time}: a panel has one row for "
            "each."
        )
    measures = {name: grid.spread(_finite(frame[name], f"Outcome {name}")) for name in outcomes}
    changing = [name for name in fixed if grid.changes(frame[name])]
    if changing:
        raise DataError(f"Within a {unit}, {', '.join(changing)} must not change over {time}.")
    first = pd.DataFrame(
        {name: frame[name].array[grid.places] for name in fixed}, index=range(len(grid.units))
    )
    return Panel(grid.units, grid.times, measures, first, simulated)


def drawing_order(values: np.ndarray) -> np.ndarray:
    """Return units in an order that hangs on nothing but their outcomes, for draws among them.

    Parameters
    ----------
    values : ndarray, shape (units, times)
        Missing cells count as if they were as expected.

    Returns
    -------
    ndarray of int, shape (units,)

    Notes
    -----
    By the sizes of what is left without unit and period means, rounded: neither names nor rows,
    the outcome's unit, its sign, nor constants by unit or period bear on a draw.
    """
    left = np.ma.masked_invalid(values)
    spread = float(np.ma.filled(left.std(), 0.0)) or 1.0
    for _ in range(100):
        left = left - left.mean(axis=1).reshape(-1, 1)
        by_time = left.mean(axis=0)
        left = left - by_time
        if not np.abs(by_time).max() > 1e-13 * spread:
            break
    return np.lexsort(np.round(np.abs(left.filled(0.0)) / spread, 9).T)


Fit = TypeVar("Fit")


def each_fitted(
    fit: Callable[[str], Fit], names: Iterable[str]
) -> Iterator[tuple[str, Fit | None]]:
    """Yield what a design makes of each outcome, None of one that it cannot take.

    Such a one harms no other; where all are such, the first's fault is raised.
    """
    faults: list[DataError] = []
    names = list(names)
    for name in names:
        try:
            made: Fit | None = fit(name)
        except DataError as fault:
            faults.append(fault)
            made = None
        yield name, made
    if faults and len(faults) == len(names):
        raise faults[0]


def not_fitted(name: str) -> dict[str, object]:
    """Return the row of an outcome that a design cannot take."""
    return {"outcome": name, "estimate": np.nan, "status": NOT_IN_PANEL}


def _checked(frame: pd.DataFrame, unit: str, time: str, others: Iterable[str]) -> np.ndarray:
    """Return the period of each row, of a table that has what a panel is made of."""
    for name in (unit, time, *others):
        if name not in frame:
            known = map(str, frame.columns)
            raise ParameterError(f"The table has no column {name}. {suggest(name, known)}")
        if isinstance(frame[name], pd.DataFrame):
            raise DataError(f"The table has more than one column {name}: give each its own name.")
    if not len(frame):
        raise DataError("The table has no rows: a panel needs units and periods.")
    if frame[unit].isna().any() or frame[time].isna().any():
        raise DataError(f"Columns {unit} and {time} of a panel may not be missing.")
    periods = numbers_of(frame[time], f"Column {time}")
    if periods.dtype.kind not in "iu" and not (np.isfinite(periods) & (periods % 1 == 0)).all():
        raise DataError(f"Column {time} must hold whole numbers of periods.")
    return periods.astype(np.int64, copy=False)


def _finite(column: pd.Series, what: str) -> np.ndarray:
    values = floats_of(column, what)
    if infinite := int(np.isinf(values).sum()):
        raise DataError(
            f"{what} is infinite in {exact_count(infinite)} rows: make it missing where it is not "
            "known."
        )
    return values


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where the rows of a table stand among units and periods."""

    units: pd.Index
    times: np.ndarray  # int, ascending
    places: np.ndarray  # (units,) int: the first row of each
    #: (rows,) int: unit and period of each row; none where rows stand by unit and period, none
    #: lacking.
    cells: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, units: pd.Series, times: np.ndarray) -> _Grid:
        """Return the places of rows by their units and periods."""
        rows, labels, places = None, None, None
        if units.is_monotonic_increasing:
            values = units.to_numpy()
            places = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
            labels = pd.Index(units.iloc[places], name=None)
            count = len(times) // len(labels)
            wide = times[: count * len(labels)].reshape(-1, count)
            if (
                wide.size == len(times)
                and (places == np.arange(len(labels)) * count).all()
                and (np.diff(wide[0]) > 0).all()
                and (wide == wide[0]).all()
            ):
                return cls(labels, wide[0].copy(), places)
            rows = np.repeat(np.arange(len(labels)), np.diff(np.append(places, len(times))))
        else:
            rows, unique = pd.factorize(units, sort=True)
            labels = pd.Index(unique)
            places = np.empty(len(labels), dtype=np.int64)
            places[rows[::-1]] = np.arange(len(rows))[::-1]  # the last written is the first row
        columns, dates = pd.factorize(times, sort=True)
        return cls(labels, dates, places, (rows, columns))

    @property
    def twice(self) -> int:
        """How many rows repeat a unit and period."""
        if self.cells is None:
            return 0
        rows, columns = self.cells
        seen = np.bincount(rows * len(self.times) + columns)
        return len(rows) - int(np.count_nonzero(seen))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return a column as units by periods, NaN where there is no row."""
        shape = len(self.units), len(self.times)
        if self.cells is None:
            return np.array(values).reshape(shape)
        wide = np.full(shape, np.nan)
        wide[self.cells] = values
        return wide

    def changes(self, column: pd.Series) -> bool:
        """Tell whether some row's value is not that of its unit's first row."""
        plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"
        values: np.ndarray = column.to_numpy() if plain else pd.factorize(column)[0]
        if self.cells is None:
            values = np.ascontiguousarray(values)
            if values.itemsize == 8:  # bit by bit, those missing among them
                other = np.zeros(len(values), dtype=bool)
                np.not_equal(values.view("i8")[1:], values.view("i8")[:-1], out=other[1:])
                if not other.reshape(len(self.units), -1)[:, 1:].any():
                    return False
            values = values.reshape(len(self.units), -1)
            first = values[:, :1]
        else:
            first = values[self.places[self.cells[0]]]
        differs = values != first
        if plain and column.dtype.kind == "f" and differs.any():
            differs &= ~(np.isnan(values) & np.isnan(first))
        return bool(differs.any())
