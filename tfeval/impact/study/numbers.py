"""Columns as numbers: one way for every role, whatever a frame holds them in."""

from __future__ import annotations

import datetime
from decimal import Decimal
from numbers import Complex, Real
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import exact_count
from tfeval.errors import DataError

# Which columns of a regression say nothing of their own.

#: Share of a column's variance that the intercept and the columns before must leave unexplained.
ALIASED = 1e-10
#: Numbers beyond this are no measurements, and their squares and products overflow.
LARGEST = 1e50
#: A sum of squares below this is none: its inverse overflows.
_NO_SQUARE = 1e-100
#: Squared standard deviation, as a share of the mean square about 0, that is rounding alone.
ROUNDING = 1e-24


def aliased(gram: np.ndarray, magnitude: np.ndarray | None = None) -> np.ndarray:
    """Say which columns are a combination of the intercept and those before them.

    Parameters
    ----------
    gram : ndarray, shape (1 + k, 1 + k)
        Weighted cross-products of (1, x), the intercept first.
    magnitude : ndarray, optional, shape (k,)
        Weighted sums of squares of the columns before anything was taken off them, see
        `magnitude_of`: what varies by less than their digits is rounding. By default those of
        `gram`.

    Returns
    -------
    ndarray of bool, shape (k,)

    Notes
    -----
    Columns are taken in order and swept out one by one, as in the limited pivoting of R's `lm`:
    the intercept stays, and of columns that say the same the first. A column is measured against
    itself alone, so no unit matters.

    Examples
    --------
    >>> x = np.array([[1, 1, 1, 1.0], [0, 1, 0, 1], [1, 0, 1, 0], [1, 2, 3, 4]])
    >>> aliased(x @ x.T).tolist()
    [False, True, False]
    """
    left = np.array(gram, dtype=float)
    count = len(left) - 1
    flags = np.zeros(count, dtype=bool)
    if not left[0, 0] > 0:
        return ~flags
    left -= np.outer(left[:, 0], left[0]) / left[0, 0]
    own, square = np.diagonal(left).copy(), np.diagonal(gram)
    floor = np.maximum(ROUNDING * (square[1:] if magnitude is None else magnitude), _NO_SQUARE)
    for place in range(1, count + 1):
        pivot = left[place, place]
        if not pivot > max(ALIASED * own[place], floor[place - 1]) or not own[place] > (
            ALIASED * square[place]
        ):
            flags[place - 1] = True
            continue
        left -= np.outer(left[:, place], left[place]) / pivot
    return flags


def magnitude_of(gram: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """Return the columns' weighted sums of squares before a shift was taken off, shape (k,)."""
    square = np.diagonal(gram)[1:]
    if shift is None:
        return square
    return square + 2.0 * shift * gram[0, 1:] + shift**2 * gram[0, 0]


NUMBERS, TEXT, CATEGORY, MIXED = "numbers", "text", "a category", "text and numbers"
#: What cannot be a number by itself, and what to give in its place.
INSTEAD = {
    "dates": "a number, such as an age in years for a date of birth, or the days since a date",
    "durations": "a number, such as the days: column.dt.days",
    "periods": "a number, such as the months since the first of them",
    "times of day": "a number, such as the hour",
    "intervals": "a number, such as their middle, or text for a category",
    "complex numbers": "real numbers, such as the real part",
    "neither numbers nor text": "one number or one text a row",
}
_DATES, _DURATIONS, _PERIODS, _TIMES, _INTERVALS, _COMPLEX, OTHER = INSTEAD
_BY_LETTER = {"b": NUMBERS, "i": NUMBERS, "u": NUMBERS, "f": NUMBERS,
              "c": _COMPLEX, "M": _DATES, "m": _DURATIONS}  # fmt: skip
#: What pandas calls the values of a column of objects, where they are of one kind.
_BY_NAME = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal", "boolean"), NUMBERS),
    **dict.fromkeys(("datetime64", "datetime", "date"), _DATES),
    **dict.fromkeys(("timedelta64", "timedelta"), _DURATIONS),
    "empty": NUMBERS, "string": TEXT, "categorical": CATEGORY, "time": _TIMES,
    "period": _PERIODS, "interval": _INTERVALS, "complex": _COMPLEX, "bytes": OTHER,
}  # fmt: skip
_BY_TYPE: tuple[tuple[str, tuple[type, ...]], ...] = (
    (_DATES, (datetime.date, np.datetime64)),
    (_DURATIONS, (datetime.timedelta, np.timedelta64)),
    (NUMBERS, (Real, Decimal, np.bool_)),
    (_COMPLEX, (Complex,)),
    (TEXT, (str,)),
)


def plain(series: pd.Series) -> pd.Series:
    """Return a column as pandas holds it without pyarrow and without masks.

    Both kinds of frame then give the same results. A column of NumPy's numbers is returned as it
    is. The levels of an unordered dictionary are sorted, as those of text are.

    Examples
    --------
    >>> plain(pd.Series([1, None], dtype="Int64")).tolist()
    [1.0, nan]
    """
    dtype: Any = series.dtype
    if isinstance(dtype, np.dtype):
        return series
    if isinstance(dtype, pd.ArrowDtype):
        return _without_arrow(series)
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(np.asarray(series), index=series.index, name=series.name)
    if pd.api.types.is_numeric_dtype(dtype) and hasattr(dtype, "numpy_dtype"):
        whole = not series.isna().any()
        values = series.to_numpy(dtype.numpy_dtype) if whole else series.to_numpy(
            "float64", na_value=np.nan)  # fmt: skip
        return pd.Series(values, index=series.index, name=series.name, copy=False)
    return series


def _without_arrow(series: pd.Series) -> pd.Series:
    import pyarrow as pa  # noqa: PLC0415

    chunks = pa.chunked_array(pa.array(series))
    if pa.types.is_dictionary(chunks.type):
        chunks = chunks.unify_dictionaries()
    elif pa.types.is_string_view(chunks.type):
        chunks = chunks.cast(pa.large_string())
    column = chunks.to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype) and not column.dtype.ordered:
        column = column.cat.set_categories(sorted(column.cat.categories))
    column.index, column.name = series.index, series.name
    return column


def kind_of(series: pd.Series) -> str:
    """Return what a `plain` column holds: numbers, text, a category, both, or one of `INSTEAD`.

    True and false are numbers, and so are decimals and whatever else Python counts as real, in
    a column of objects too. A column in which everything is missing holds numbers, none known.

    Examples
    --------
    >>> from decimal import Decimal
    >>> kind_of(pd.Series([Decimal("1.5"), 2, None])), kind_of(pd.Series([1, "a"]))
    ('numbers', 'text and numbers')
    """
    dtype: Any = series.dtype
    if isinstance(dtype, np.dtype):
        return _kind_of_objects(series) if dtype.kind == "O" else _BY_LETTER.get(dtype.kind, OTHER)
    if isinstance(dtype, pd.CategoricalDtype):
        return CATEGORY
    for kind, types in ((TEXT, pd.StringDtype), (_DATES, pd.DatetimeTZDtype),
                        (_PERIODS, pd.PeriodDtype), (_INTERVALS, pd.IntervalDtype)):  # fmt: skip
        if isinstance(dtype, types):
            return kind
    return OTHER


def _kind_of_objects(series: pd.Series) -> str:
    name = pd.api.types.infer_dtype(series, skipna=True)
    if name in _BY_NAME:
        return _BY_NAME[name]
    values = series.to_numpy()
    kinds = {_kind_of_type(each) for each in set(map(type, values[np.asarray(pd.notna(values))]))}
    if len(kinds) == 1:
        return kinds.pop()
    for kind in (_DATES, _DURATIONS, _COMPLEX):
        if kind in kinds and not kinds & {TEXT, OTHER}:
            return kind
    return MIXED if kinds == {TEXT, NUMBERS} else OTHER


def _kind_of_type(kind: type) -> str:
    return next((name for name, types in _BY_TYPE if issubclass(kind, types)), OTHER)


def numbers_of(series: pd.Series, what: str) -> np.ndarray:
    """Return a column's numbers, shape (n,), in their own type and uncopied where NumPy holds them.

    Parameters
    ----------
    series : Series
        Of any type. A category counts if its levels are numbers.
    what : str
        What an error calls the column, such as "Outcome arrears".

    Returns
    -------
    ndarray of bool, int or float
        NaN where missing; whole numbers have none.

    Examples
    --------
    >>> from decimal import Decimal
    >>> numbers_of(pd.Series([Decimal("0.5"), None, True]), "Outcome y").tolist()
    [0.5, nan, 1.0]
    >>> numbers_of(pd.Series(pd.to_datetime(["2012-04-01"])), "Outcome y").tolist()
    Traceback (most recent call last):
    tfeval.errors.DataError: Outcome y is of type datetime64[ns], dates: give a number, such as an \
age in years for a date of birth, or the days since a date.
    """
    column = plain(series)
    kind = kind_of(column)
    if kind == CATEGORY:
        column = pd.Series(np.asarray(column), index=column.index)
        kind = kind_of(column)
        kind = CATEGORY if kind == TEXT else kind
    if kind != NUMBERS:
        raise DataError(refusal(series, what, kind))
    values = column.to_numpy() if column.dtype != object else _floats(column.to_numpy(), what)
    if values.dtype.kind == "f":
        _refuse_huge(values, what)
    return values


def floats_of(series: pd.Series, what: str) -> np.ndarray:
    """Return a column's numbers as floats, shape (n,), NaN where missing; see `numbers_of`."""
    return np.asarray(numbers_of(series, what), dtype=np.float64)


def refusal(series: pd.Series, what: str, kind: str) -> str:
    """Say that a column is not a number, and what to give instead."""
    if kind in INSTEAD:
        return f"{what} is of type {series.dtype}, {kind}: give {INSTEAD[kind]}."
    if kind == MIXED:
        return (
            f"{what} holds text and numbers in one column: make all of it numbers with "
            "pd.to_numeric, or all of it text with astype(str) where it is a category."
        )
    return (
        f"{what} is not a number ({series.dtype}, {kind}). Give numbers, such as 0 and 1 for no "
        "and yes."
    )


def _refuse_huge(values: np.ndarray, what: str) -> None:
    # Those that are infinite are each caller's to refuse, in its own words.
    most = float(max(np.fmax.reduce(values, initial=0.0), -np.fmin.reduce(values, initial=0.0)))
    if LARGEST < most < np.inf:
        rows = int(np.count_nonzero(np.abs(values) > LARGEST))
        raise DataError(
            f"{what} is beyond {LARGEST:.0e} in {exact_count(rows)} rows. Correct it, or give it "
            "in another unit."
        )


def _floats(values: np.ndarray, what: str) -> np.ndarray:
    known = np.asarray(pd.notna(values))
    floats = np.full(len(values), np.nan)
    try:
        floats[known] = values[known].astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        raise DataError(
            f"{what} holds numbers too large for 64 bits, or not numbers in some rows. Correct "
            "them, or make them missing."
        ) from None
    return floats
