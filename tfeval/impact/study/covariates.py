"""Covariates as numbers: categories and missing values made explicit, read in blocks of rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided

from tfeval.display.tables import exact_count
from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.numbers import (
    CATEGORY,
    NUMBERS,
    TEXT,
    kind_of,
    numbers_of,
    plain,
    refusal,
)

# Loops that are compiled where a study is large, and run as plain Python where it is small.

#: Units from which compiling pays: below, the import of the compiler alone takes longer.
LARGE = 5_000
#: Threads for work that can be cut into parts.
THREADS = 2


@cache
def _machine_code(function: Callable) -> Callable:
    from numba import njit  # noqa: PLC0415

    # Kept beside the module or in the user's cache: the set-up step compiles, and no user waits.
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        # There is nowhere to keep it: compiled anew by each process that needs it.
        return njit(nogil=True)(function)


def for_size(function: Callable, size: int) -> Callable:
    """Return a loop as it is for few units, compiled for many.

    Parameters
    ----------
    function : callable
        Arrays and numbers in, arrays and numbers out; calls no function of ours.
    size : int
        Units it will run over.
    """
    return _machine_code(function) if size >= LARGE else function


def in_parts(work: Callable[..., Any], parts: list[tuple], threads: bool = True) -> list[Any]:
    """Run the parts, on a few threads where there are several; return what each gives, in order."""
    if len(parts) == 1 or not threads:
        return [work(*part) for part in parts]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda part: work(*part), parts))


@contextmanager
def one_blas_thread(wanted: bool) -> Iterator[None]:
    """Keep the linear algebra to one thread, where our own threads share out the rows."""
    if not wanted:
        yield
        return
    with _linear_algebra("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _linear_algebra(_with_scipy: bool) -> Any:
    # Looked for once: to go through all that a process has loaded takes milliseconds each time.
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415

    return ThreadpoolController()


#: Rows read at a time: a block of 20 columns then stays in a processor's cache.
BLOCK = 8192
MISSING = ("indicator", "refuse")
#: Ends the name of the column that says where a covariate is missing.
ABSENT = ": missing"


@dataclass(frozen=True, eq=False)
class Column:
    """One number a unit, worked out block by block from a column of the frame."""

    name: str  # as shown: the source's name, with the level after it for a category
    source: str  # column of the frame
    #: The source's values, or the codes of its levels; never a copy of a float column.
    raw: np.ndarray
    level: int | None = None  # code that counts as 1, for a category
    fill: float | None = None  # stands for a missing number
    absent: bool = False  # whether the column says that the source is missing

    def some(self, rows: np.ndarray | slice) -> Column:
        """Return the column of some units alone."""
        return replace(self, raw=self.raw[rows])

    def write(self, start: int, stop: int, out: np.ndarray) -> None:
        """Put the numbers of rows `start` to `stop` into `out`."""
        part = self.raw[start:stop]
        if self.level is not None:
            np.equal(part, self.level, out=out, casting="unsafe")
        elif self.absent:
            np.isnan(part, out=out, casting="unsafe")
        else:
            out[:] = part
            if self.fill is not None:
                out[np.isnan(out)] = self.fill


@dataclass(frozen=True, eq=False)
class Covariates:
    """The covariates of a study: `size` units, each `len(names)` numbers."""

    #: In order; a category of m levels gives m - 1 of them, a number with missing values two.
    columns: tuple[Column, ...]
    size: int  # units
    reference: dict[str, str]  # for each category, the level left out

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def count(self) -> int:
        """How many numbers a unit has."""
        return len(self.columns)

    def block(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Return rows `start` to `stop` as an array of shape (count, rows)."""
        stop = min(stop, self.size)
        out = np.empty((self.count, stop - start)) if out is None else out[:, : stop - start]
        for place, piece in self._pieces:
            if isinstance(piece, Column):
                piece.write(start, stop, out[place])
            else:
                out[place : place + len(piece)] = piece[:, start:stop]
        return out

    @cached_property
    def _pieces(self) -> list[tuple[int, Column | np.ndarray]]:
        # Columns that stand one after the other in a frame's block are read at once.
        pieces: list[tuple[int, Column | np.ndarray]] = []
        place = 0
        while place < self.count:
            first, count = self.columns[place], 1
            while place + count < self.count and _follows(
                first, self.columns[place + count], count
            ):
                count += 1
            if count > 1:
                shape, strides = (count, self.size), (first.raw.nbytes, first.raw.itemsize)
                pieces.append((place, as_strided(first.raw, shape, strides, writeable=False)))
            else:
                pieces.append((place, first))
            place += count
        return pieces

    def blocks(self, rows: int = BLOCK) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of rows and their numbers, shape (count, rows); the array is reused."""
        buffer = np.empty((self.count, min(rows, max(self.size, 1))))
        for start in range(0, self.size, rows):
            stop = min(start + rows, self.size)
            yield slice(start, stop), self.block(start, stop, buffer)

    @cached_property
    def matrix(self) -> np.ndarray:
        """All numbers, shape (size, count); kept once asked for, so for small studies."""
        return np.ascontiguousarray(self.block(0, self.size).T)

    def rows(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the numbers of some units, shape (rows, count), in the order given."""
        parts = [column.some(rows) for column in self.columns]
        size = len(parts[0].raw)
        out = np.empty((self.count, size))
        for place, part in enumerate(parts):
            part.write(0, size, out[place])
        return out.T

    def column(self, name: str) -> np.ndarray:
        """Return one column's numbers, shape (size,)."""
        place = self.names.index(name)
        out = np.empty(self.size)
        self.columns[place].write(0, self.size, out)
        return out


def encoded(
    frame: pd.DataFrame,
    names: Iterable[str],
    missing: str = "indicator",
    counted: np.ndarray | None = None,
) -> Covariates:
    """Return columns of a frame as covariates.

    Parameters
    ----------
    frame : DataFrame
        One row a unit.
    names : iterable of str
        Columns: numbers, true or false, or categories (text, categorical). Numbers in a column of
        objects, such as decimals, are numbers; dates are refused, and so are text and numbers in
        one column.
    missing : {"indicator", "refuse"}
        What a missing value becomes: the mean, with a column of its own that says so (in a
        category: a level of its own); or an error.
    counted : ndarray of bool, optional, shape (n,)
        Whose values decide means and levels, where not everybody counts.

    Notes
    -----
    No two columns have the same name: where "x: missing" is the name of a covariate or a level
    already, the other becomes "x: missing (2)".

    References
    ----------
    Rosenbaum and Rubin (1984), Reducing bias in observational studies using subclassification on
    the propensity score, JASA 79: appendix B, missing-value indicators.
    """
    if missing not in MISSING:
        raise ParameterError(f'missing is "indicator" or "refuse", not {missing!r}.')
    names = list(names)
    taken = set(names)
    columns: list[Column] = []
    reference: dict[str, str] = {}
    for name in names:
        series = plain(frame[name])
        kind = kind_of(series)
        if kind == NUMBERS:
            values = numbers_of(series, f"Covariate {name}")
            columns += _number(name, values, missing, counted, taken)
        elif kind in (TEXT, CATEGORY):
            dummies, left_out = _category(name, series, missing, counted, taken)
            columns += dummies
            reference[name] = left_out
        else:
            raise DataError(refusal(frame[name], f"Covariate {name}", kind))
    return Covariates(tuple(columns), len(frame), reference)


def _follows(first: Column, other: Column, places: int) -> bool:
    """Say whether a column lies so many columns after another in the same array."""
    array, own = first.raw, other.raw
    if array.base is None or own.base is not array.base or array.dtype != own.dtype:
        return False
    if not (array.flags.c_contiguous and own.flags.c_contiguous) or len(array) != len(own):
        return False
    asis = all(one.level is None and one.fill is None and not one.absent for one in (first, other))
    return asis and own.ctypes.data - array.ctypes.data == places * array.nbytes


def _number(
    name: str, values: np.ndarray, missing: str, counted: np.ndarray | None, taken: set[str]
) -> list[Column]:
    if values.dtype == bool:
        return [Column(name, name, values.view(np.int8))]
    if not np.issubdtype(values.dtype, np.floating):
        return [Column(name, name, values)]
    with np.errstate(invalid="ignore", over="ignore"):
        total = values.sum(dtype="float64")
    if np.isfinite(total):
        return [Column(name, name, values)]
    if (endless := int(np.isinf(values).sum())) > 0:
        raise DataError(
            f"Covariate {name} is infinite in {exact_count(endless)} rows. Correct it, or make it "
            "missing."
        )
    unknown = np.isnan(values)
    if not unknown.any():
        return [Column(name, name, values)]
    inside, unknown = (values, unknown) if counted is None else (values[counted], unknown[counted])
    absent = int(unknown.sum())
    if absent == len(inside):
        raise DataError(f"Covariate {name} is missing in every row. Leave it out.")
    mean = float(np.nanmean(inside, dtype="float64"))
    if not absent:
        return [Column(name, name, values, fill=mean)]
    _refuse_missing(name, absent, missing)
    return [Column(name, name, values, fill=mean),
            Column(free_name(f"{name}{ABSENT}", taken), name, values, absent=True)]  # fmt: skip


def _category(
    name: str, series: pd.Series, missing: str, counted: np.ndarray | None, taken: set[str]
) -> tuple[list[Column], str]:
    column = series.astype("category")
    inside = column if counted is None else column[counted]
    column = column.cat.set_categories(inside.cat.remove_unused_categories().cat.categories)
    codes = column.cat.codes.to_numpy()
    levels = [str(level) for level in column.cat.categories]
    if len(levels) > 200:
        raise DataError(
            f"Covariate {name} has {len(levels):,} levels. Group them, or give the column as "
            "strata to compare within."
        )
    if len(levels) == 0:
        raise DataError(f"Covariate {name} is missing in every row. Leave it out.")
    if absent := int(((codes if counted is None else codes[counted]) < 0).sum()):
        _refuse_missing(name, absent, missing)
    numbers = [*range(len(levels)), -1] if absent else list(range(len(levels)))
    shown = [free_name(f"{name}: {text}", taken) for text in [*levels, "missing"][: len(numbers)]]
    columns = [
        Column(text, name, codes, level=number)
        for text, number in list(zip(shown, numbers, strict=True))[1:]
    ]
    return columns, shown[0].removeprefix(f"{name}: ")


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it: with (2), (3) and so on where it is.

    Examples
    --------
    >>> free_name("x: missing", {"x: missing"})
    'x: missing (2)'
    """
    label, count = name, 1
    while label in taken:
        count += 1
        label = f"{name} ({count})"
    taken.add(label)
    return label


def _refuse_missing(name: str, count: int, missing: str) -> None:
    if missing == "refuse":
        raise DataError(
            f"Covariate {name} is missing in {exact_count(count)} rows. Say missing='indicator' "
            "to keep them with a column that says so, or leave the covariate out."
        )
