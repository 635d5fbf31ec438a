"""What a table of linked records and its columns are: the one definition of both.

The rules that the database counts (`tfeval.records.rules`), the types (`tfeval.records.casting`)
and the data dictionary are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from tfeval.programme.published import published

#: No date in the records can be earlier.
EARLIEST = pd.Timestamp("1900-01-01")
#: The kinds of column, and what each is in Ibis.
IBIS_TYPES = {
    "identifier": "string",
    "category": "string",
    "authority": "string",
    "row number": "int64",
    "count": "int64",
    "date": "date",
    "month": "date",
    "flag": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    kind : str
        One of `IBIS_TYPES`; with it come the type and the rules of every value.
    unit, description : str
    nullable : bool
        Whether a value may be empty.
    required : bool
        Whether the column must be there.
    link : str or None
        "table.column" in which every value must be found.
    allowed : tuple of str
        Values that a category may take.
    """

    kind: str
    unit: str
    description: str
    nullable: bool = False
    required: bool = True
    link: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The column's type in Ibis."""
        return IBIS_TYPES[self.kind]


@dataclass(frozen=True)
class Table:
    """One table of the records.

    Attributes
    ----------
    name, description, answers : str
        Its name, what a row is, and what cannot be answered without it.
    columns : dict of str to Column
        By name, in order.
    key : tuple of str
        Columns that together name a row.
    needed : bool
        Whether an extract without it cannot be used at all.
    event_on : str or None
        The date on which a row begins, for an event of a person or family.
    ends_on : str or None
        The date on which it ends, for a spell, term or window.
    closed : bool
        Whether that last day belongs to it.
    no_overlap : tuple of str
        Within these columns no two rows may cover the same day.
    order : tuple of (str, str)
        Pairs of dates of which the second may not be earlier.
    ages : tuple of (int, int) or None
        Youngest, and first too old, age in whole years at `event_on`.
    """

    name: str
    description: str
    answers: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    needed: bool = False
    event_on: str | None = None
    ends_on: str | None = None
    closed: bool = False
    no_overlap: tuple[str, ...] = ()
    order: tuple[tuple[str, str], ...] = ()
    ages: tuple[int, int] | None = None

    @property
    def links(self) -> dict[str, str]:
        """Columns that must be found elsewhere, with the "table.column" to find them in."""
        return {name: column.link for name, column in self.columns.items() if column.link}


def identifier(description: str, *, link: str | None = None, empty: bool = False) -> Column:
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
    return Column("identifier", "pseudonym", description, empty, link=link)


def row_number(description: str) -> Column:
    """Return a column of whole numbers that only tell the table's rows apart."""
    return Column("row number", "none", description)


def day(description: str, *, empty: bool = False, needed: bool = True) -> Column:
    """Return a column of dates (days, no time of day)."""
    return Column("date", "day", description, empty, needed)


def month(description: str) -> Column:
    """Return a column of months, each written as its first day."""
    return Column("month", "month", description)


def category(
    description: str, values: Sequence[str], *, empty: bool = False, needed: bool = True
) -> Column:
    """Return a text column that takes one of a few values."""
    return Column("category", "none", description, empty, needed, allowed=tuple(values))


def authority(description: str) -> Column:
    """Return a column of upper-tier local authority codes of England, as in 2012-15."""
    return Column("authority", "ONS code", description)


def count(description: str, unit: str, *, empty: bool = False, needed: bool = True) -> Column:
    """Return a column of whole numbers from zero up."""
    return Column("count", unit, description, empty, needed)


def flag(description: str, *, empty: bool = False, needed: bool = True) -> Column:
    """Return a column of true and false."""
    return Column("flag", "yes or no", description, empty, needed)


@lru_cache(maxsize=1)
def authority_codes() -> tuple[str, ...]:
    """Return the ONS codes of the 152 upper-tier authorities, in order.

    Examples
    --------
    >>> len(authority_codes()), authority_codes()[0]
    (152, 'E06000001')
    """
    return tuple(sorted(published("local_authorities")["code"]))
