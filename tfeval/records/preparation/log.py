"""What was changed in an extract, told without a value and without small counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tfeval.display.rich import Rich
from tfeval.records.check import shown
from tfeval.records.identifiers import plain_names


@dataclass(frozen=True, order=True)
class Change:
    """What was done to values of one column, or could not be.

    Attributes
    ----------
    table, column : str
        Where; `column` is empty for rows of a table.
    rule : str
        What was done, or why it could not be.
    values : int
        How many, exactly.
    """

    table: str
    column: str
    rule: str
    values: int = field(compare=False)

    def text(self) -> str:
        """Return one line, its count as it may be shown.

        Examples
        --------
        >>> Change("people", "sex", "word of the mapping", 4).text()
        'people.sex: word of the mapping, fewer than 10'
        """
        place = f"{self.table}{'.' if self.column else ''}{self.column}"
        return f"{place}: {self.rule}, {shown(self.values, exact=False)}"


@dataclass(frozen=True, repr=False)
class Prepared(Rich):
    """What `prepare` did. It shows itself with small counts hidden, and never a value.

    Attributes
    ----------
    folder : Path
        Where the extract is in the dictionary's form.
    rows : dict of str to int
        Rows of each table, exactly.
    changes : tuple of Change
        What was done, by table, column and rule.
    unread : tuple of Change
        What could not be read, and why: marked or set missing, as the mapping says.
    left_out : tuple of str
        Columns of the extract that the mapping names nowhere.
    lacking : tuple of str
        Columns and tables that the dictionary needs and the mapping does not give.
    """

    folder: Path
    rows: dict[str, int]
    changes: tuple[Change, ...]
    unread: tuple[Change, ...]
    left_out: tuple[str, ...]
    lacking: tuple[str, ...]

    def text(self) -> str:
        """Return the log as lines of text, small counts hidden."""
        lines = [f"Written for you alone: {self.folder}"]
        lines += [f"  {name}: {shown(n, exact=False)} rows" for name, n in self.rows.items()]
        for title, what in (("Changed", self.changes), ("Could not be read", self.unread)):
            if what:
                lines += [f"{title}, by place and rule:", *(f"  {one.text()}" for one in what)]
        if self.left_out:
            lines.append(f"Not copied, in no mapping: {', '.join(plain_names(self.left_out))}")
        if self.lacking:
            lines.append(f"Still lacking, and needed: {', '.join(self.lacking)}")
        return "\n".join([*lines, f"Next: tfeval check {self.folder}"])

    __str__ = __repr__ = text

    def to_frame(self) -> pd.DataFrame:
        """Return one row a change: table, column, rule, values (text), whether they were read."""
        both = ((self.changes, True), (self.unread, False))
        return pd.DataFrame(
            [(one.table, one.column, one.rule, shown(one.values, exact=False), read)
             for what, read in both for one in what],
            columns=["table", "column", "rule", "values", "read"],
        )  # fmt: skip
