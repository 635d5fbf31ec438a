"""How values are written for a reader: numbers, dates, missing values."""

from __future__ import annotations

import datetime as dt
import math
import numbers
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

Format = str | Callable[[Any], str]
#: Stands before a negative amount: a true minus sign from which no line's end parts the pound sign.
MINUS = "\N{MINUS SIGN}\N{WORD JOINER}"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August",
           "September", "October", "November", "December")  # fmt: skip


#: What sums of numbers of about 1 leave in place of 0.
ROUNDING = 1e-15


def settled(value: float) -> float:
    """Return a number without its last digits, which hang on the processor that added it up.

    Means of few units lie exactly between two numbers that readers see: 37.59375, or a bit less;
    and two means that are the same differ by 0, or by what rounding leaves.

    Examples
    --------
    >>> settled(37.59374999999999), settled(-1 / 3), settled(0.1 + 0.2 - 0.3)
    (37.59375, -0.333333333333, 0.0)
    """
    return 0.0 if abs(value) < ROUNDING else float(f"{value:.12g}")


def significant(value: Any, digits: int = 6) -> Any:
    """Round a number to significant digits, keeping its kind; leave anything else as it is.

    Examples
    --------
    >>> significant(116654.49), significant(0.123456789), significant(2), significant("Sefton")
    (116654.0, 0.123457, 2, 'Sefton')
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return number
    return float(f"{settled(number):.{digits}g}")


def plain(value: Any, digits: int = 6) -> Any:
    """Return a value as JSON can hold it: numbers rounded, dates in ISO form, missing as None.

    Examples
    --------
    >>> plain(pd.Timestamp("2015-05-01")), plain(float("nan")), plain(1 / 3)
    ('2015-05-01', None, 0.333333)
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return bool(value)
    if is_missing(value):
        return None
    if isinstance(value, numbers.Real):
        rounded = significant(value, digits)
        return rounded if math.isfinite(rounded) else str(rounded)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def is_missing(value: Any) -> bool:
    """Tell whether a single value is None, NaN, NaT or NA."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def day(text: str) -> str:
    """Write an ISO date, or a part of one, as British readers do.

    Examples
    --------
    >>> day("2016-12-20"), day("2015-05"), day("2012-13")
    ('20 December 2016', 'May 2015', '2012-13')
    """
    found = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d))?", text)
    if not found or not 1 <= int(found[2]) <= 12:
        return text
    written = f"{_MONTHS[int(found[2]) - 1]} {found[1]}"
    return f"{int(found[3])} {written}" if found[3] else written


def written(value: Any, how: Format | None = None) -> str:
    """Return one value as text.

    Parameters
    ----------
    value : object
        Not missing.
    how : str or callable, optional
        A format such as "{:,.0f}" or a function. By default whole numbers get thousands
        separators, other numbers six significant digits, dates are written out.

    Examples
    --------
    >>> written(116654), written(0.98935), written(True), written(0.94, "{:.0%}")
    ('116,654', '0.98935', 'yes', '94%')
    """
    if how is not None:
        value = settled(value) if isinstance(value, float) else value
        return how(value) if callable(how) else how.format(value)
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        number = significant(value)
        return f"{number:,.0f}" if float(number).is_integer() else f"{number:,}"
    if isinstance(value, dt.date):
        return day(str(plain(value)))
    return str(value)


def pounds(value: float) -> str:
    """Write an amount as readers do: £1.2bn, £448m, £585,600, −£1,400.

    Examples
    --------
    >>> pounds(448e6), pounds(1.2e9), pounds(585_600)
    ('£448.0m', '£1.20bn', '£585,600')
    >>> pounds(-1_400) == MINUS + "£1,400"
    True
    """
    sign, size = (MINUS if value < 0 else ""), abs(value)
    if size >= 1e9:
        return f"{sign}£{size / 1e9:,.2f}bn"
    if size >= 1e7:
        return f"{sign}£{size / 1e6:,.1f}m"
    return f"{sign}£{size:,.0f}"


def about(value: float) -> str:
    """Write an uncertain amount to three digits.

    Examples
    --------
    >>> about(124_078), about(9_465_318), about(699.9e6), about(1.378e9)
    ('£124,000', '£9.47m', '£700m', '£1.38bn')
    """
    rounded = float(f"{value:.3g}")
    size = abs(rounded)
    for scale, letters in ((1e9, "bn"), (1e6, "m")):
        if size >= scale:
            places = max(2 - int(math.log10(size / scale)), 0)
            return f"{MINUS if rounded < 0 else ''}£{size / scale:,.{places}f}{letters}"
    return pounds(rounded)
