"""What the checks of an extract found, told without a row's values and without small counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

#: Counts from 1 to 9 are not shown outside the secure environment.
SMALLEST_SHOWN = 10


@dataclass(frozen=True, order=True)
class Fault:
    """One kind of fault in one place.

    Attributes
    ----------
    table, column : str
        Where; `column` is empty for a fault of the whole table.
    kind : str
        What is wrong.
    rows : int or None
        How many rows have it, exactly; None where rows are not what is counted.
    advice : str
        What to do.
    """

    table: str
    column: str
    kind: str
    rows: int | None = field(default=None, compare=False)
    advice: str = field(default="", compare=False)


@dataclass(frozen=True)
class CheckReport:
    """All that the checks of an extract found.

    Attributes
    ----------
    source : str
        What was checked.
    simulated : bool
        Whether the records are simulated.
    faults : tuple of Fault
        In order of table, column and kind; empty for a clean extract.
    rows : mapping of str to int
        Rows of each table.
    narrowed : mapping of str to str
        What the extract lacks without being at fault, and what can therefore not be answered.

    Notes
    -----
    `Fault.rows` is exact. It is for the terminal inside the secure environment; `text()` and
    `to_frame()` are for what leaves it: counts of 1 to 9 become "fewer than 10" and larger ones
    are rounded to the nearest ten.
    """

    source: str
    simulated: bool
    faults: tuple[Fault, ...]
    rows: Mapping[str, int]
    narrowed: Mapping[str, str]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def to_frame(self, *, exact: bool = False) -> pd.DataFrame:
        """Return one row a fault: table, column, kind, rows (text), advice.

        Parameters
        ----------
        exact : bool, default False
            Show exact counts. Only inside the secure environment.
        """
        return pd.DataFrame(
            [
                (one.table, one.column, one.kind, shown(one.rows, exact=exact), one.advice)
                for one in self.faults
            ],
            columns=["table", "column", "kind", "rows", "advice"],
        )

    def text(self, *, exact: bool = False) -> str:
        """Return the report as lines of text.

        Parameters
        ----------
        exact : bool, default False
            Show exact counts. Only inside the secure environment.
        """
        lines = [f"{self.source}{' (simulated)' if self.simulated else ''}"]
        lines += [
            f"  {name}: {shown(number, exact=exact)} rows" for name, number in self.rows.items()
        ]
        if self.narrowed:
            lines.append("Not in the extract, so it narrows what can be answered:")
            lines += [f"  {name}: {what}" for name, what in self.narrowed.items()]
        lines.append(
            "No fault found." if self.clean else f"{len(self.faults)} kinds of fault, by place:"
        )
        lines += [
            "  "
            + f"{one.table}{'.' if one.column else ''}{one.column}: {one.kind}"
            + (f", {shown(one.rows, exact=exact)} rows" if one.rows is not None else "")
            + (f". {one.advice}" if one.advice else "")
            for one in self.faults
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the report with small counts hidden."""
        return self.text()


def shown(count: int | None, *, exact: bool) -> str:
    """Return a count as it may be shown.

    Examples
    --------
    >>> shown(7, exact=False), shown(1234, exact=False), shown(7, exact=True)
    ('fewer than 10', '1,230', '7')
    """
    if count is None:
        return ""
    if exact or count == 0:
        return f"{count:,}"
    if count < SMALLEST_SHOWN:
        return f"fewer than {SMALLEST_SHOWN}"
    return f"{round(count, -1):,}"
