"""The few kinds of column that linked records are made of, as pandera columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
import pandera.pandas as pa

from tfeval.programme.published import published

#: No date in the records can be earlier.
EARLIEST = pd.Timestamp("1900-01-01")


def identifier(description: str, *, link: str | None = None, empty: bool = False) -> pa.Column:
    """Return a column of pseudonyms: text, never a real-world number or name.

    Parameters
    ----------
    description : str
        What it identifies.
    link : str, optional
        "table.column" in which every value must be found.
    empty : bool, default False
        Whether it may be null.
    """
    return _column("string", description, "identifier", "pseudonym", link=link, empty=empty)


def row_number(description: str) -> pa.Column:
    """Return a column of whole numbers that only tell the table's rows apart."""
    return _column("Int64", description, "row number", "none")


def day(description: str, *, empty: bool = False, needed: bool = True) -> pa.Column:
    """Return a column of dates (days, no time of day)."""
    return _column("datetime64[ns]", description, "date", "day", empty=empty, needed=needed)


def month(description: str) -> pa.Column:
    """Return a column of months, each written as its first day."""
    return _column("datetime64[ns]", description, "month", "month")


def category(
    description: str, values: Sequence[str], *, empty: bool = False, needed: bool = True
) -> pa.Column:
    """Return a text column that takes one of a few values."""
    return _column(
        "string", description, "category", "none", empty=empty, needed=needed,
        check=pa.Check.isin(list(values)), values=tuple(values),
    )  # fmt: skip


def authority(description: str) -> pa.Column:
    """Return a column of upper-tier local authority codes of England, as in 2012-15."""
    return _column(
        "string", description, "authority", "ONS code",
        check=pa.Check(lambda codes: codes.isin(authority_codes()), error="unknown authority"),
    )  # fmt: skip


def count(description: str, unit: str, *, empty: bool = False, needed: bool = True) -> pa.Column:
    """Return a column of whole numbers from zero up."""
    return _column(
        "Int64", description, "count", unit, empty=empty, needed=needed, check=pa.Check.ge(0)
    )


def flag(description: str, *, empty: bool = False, needed: bool = True) -> pa.Column:
    """Return a column of true and false."""
    return _column("boolean", description, "flag", "yes or no", empty=empty, needed=needed)


@lru_cache(maxsize=1)
def authority_codes() -> tuple[str, ...]:
    """Return the ONS codes of the 152 upper-tier authorities, in order.

    Examples
    --------
    >>> len(authority_codes()), authority_codes()[0]
    (152, 'E06000001')
    """
    return tuple(sorted(published("local_authorities")["code"]))


def _column(
    dtype: str,
    description: str,
    kind: str,
    unit: str,
    *,
    link: str | None = None,
    empty: bool = False,
    needed: bool = True,
    check: pa.Check | None = None,
    values: tuple[str, ...] = (),
) -> pa.Column:
    metadata: dict[str, Any] = {"kind": kind, "unit": unit, "link": link, "values": values}
    return pa.Column(
        dtype,
        checks=check,
        nullable=empty,
        required=needed,
        coerce=True,
        description=description,
        metadata=metadata,
    )
