"""What a table of the records is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandera.pandas as pa


@dataclass(frozen=True)
class Table:
    """One table of the records.

    Attributes
    ----------
    name, description, answers : str
        Its name, what a row is, and what cannot be answered without it.
    schema : pandera.DataFrameSchema
        Its columns. Each column's `metadata` holds `kind`, `unit`, `link` ("table.column" or
        None) and `values` (those allowed, or empty).
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
    schema: pa.DataFrameSchema
    key: tuple[str, ...]
    needed: bool = False
    event_on: str | None = None
    ends_on: str | None = None
    closed: bool = False
    no_overlap: tuple[str, ...] = ()
    order: tuple[tuple[str, str], ...] = ()
    ages: tuple[int, int] | None = None

    @property
    def columns(self) -> dict[str, pa.Column]:
        """The columns by name, in order."""
        return self.schema.columns

    @property
    def links(self) -> dict[str, str]:
        """Columns that must be found elsewhere, with the "table.column" to find them in."""
        found = {name: column.metadata["link"] for name, column in self.columns.items()}
        return {name: link for name, link in found.items() if link}


def table(name: str, description: str, answers: str, columns: dict, **more: Any) -> Table:
    """Return a table, its columns gathered into a pandera schema."""
    schema = pa.DataFrameSchema(columns, name=name, description=description, strict=False)
    return Table(name, description, answers, schema, **more)
