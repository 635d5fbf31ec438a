"""The analysis table that a cohort is, apart from how it is built: light to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from tfeval.cohort.settings import Settings
from tfeval.errors import in_own_words

if TYPE_CHECKING:
    import ibis


@dataclass(frozen=True)
class Cohort:
    """An analysis table, not yet read, and how it came about.

    Attributes
    ----------
    table : ibis.Table
        One row a unit: a family as treated, or as comparison. A family attached later may stand
        in it twice, once in each arm; `family_id` tells.
    columns : DataFrame
        One row a column: `name`, `timing` ("who", "before", "after"), `months`, `source_table`,
        `unit`, `description`. A column measured after the index date is never a covariate.
    flow : DataFrame
        Families left after each step, by arm; exact.
    settings : Settings
        What was asked for.
    left_out : dict of str to str
        Tables the extract lacks, and what is therefore not in the cohort.
    simulated : bool
        Whether the records are simulated.
    units : ibis.Table
        The units with the edges of their windows as day numbers.
    """

    table: ibis.Table
    columns: pd.DataFrame
    flow: pd.DataFrame
    settings: Settings
    left_out: dict[str, str]
    simulated: bool
    units: ibis.Table = field(repr=False)
    _frame: list[pd.DataFrame] = field(default_factory=list, repr=False)

    @property
    def covariates(self) -> list[str]:
        """Names of the columns measured before the index date."""
        return list(self.columns.loc[self.columns["timing"] == "before", "name"])

    def outcomes(self, months: int) -> list[str]:
        """Return the names of the columns measured over so many months after the index date."""
        rows = self.columns[self.columns["timing"] == "after"]
        return list(rows.loc[rows["months"] == months, "name"])

    @in_own_words("The cohort cannot be read")
    def to_pandas(self) -> pd.DataFrame:
        """Return the rows, in order of unit; read once and kept."""
        if not self._frame:
            rows = self.table.order_by("unit").to_pandas()
            # A study reads the timing, and refuses a covariate measured after the index date.
            rows.attrs["timing"] = dict(
                zip(self.columns["name"], self.columns["timing"], strict=True)
            )
            # And an analysis plan reads who was compared with whom.
            held = self.settings
            rows.attrs["cohort"] = {
                "phase": held.phase, "comparison": held.comparison, "level": held.level,
                "seed": held.seed, "units": len(rows),
            }  # fmt: skip
            self._frame.append(rows.reset_index(drop=True))
        return self._frame[0].copy()
