"""The columns of an analysis table: windows over which outcomes are counted, and names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tfeval.programme.outcomes import OUTCOMES

#: Months before the index date over which covariates are taken.
BASELINE_MONTHS = 12

BEFORE = "before"
#: The year that decided who was eligible: what a rule looked at, a comparison must hold equal.
IDENTIFIED = "before_identification"


@dataclass(frozen=True)
class Window:
    """A time before or after the index date.

    Attributes
    ----------
    name : str
        "before", "before_identification", or the months after.
    start, end : str
        Columns of the units with its first day and the first day after it, as day numbers.
    months : int
        Its length.
    """

    name: str
    start: str
    end: str
    months: int

    @property
    def timing(self) -> str:
        """Whether it lies "before" or "after" the index date."""
        return BEFORE if self.name in (BEFORE, IDENTIFIED) else "after"


def windows(horizons: Iterable[int]) -> tuple[Window, ...]:
    """Return the windows before the index date and before identification, and those after."""
    after = tuple(Window(str(months), "day0", f"day{months}", months) for months in horizons)
    return (
        Window(BEFORE, "day_before", "day0", BASELINE_MONTHS),
        Window(IDENTIFIED, "day_before_identified", "day_identified", BASELINE_MONTHS),
        *after,
    )


def column_of(outcome: str, window: str | int) -> str:
    """Return the column of the analysis table with an outcome's counts over a window.

    The one place where such a name is made. Nothing takes it apart: `Cohort.columns` says which
    outcome and months a column is of.

    Parameters
    ----------
    outcome : str
    window : str or int
        A window's name, or the months after the index date.
    """
    return f"{outcome}_{window}"


#: Covariates that are no outcomes, where the column's own words would not do.
_LABELS = {
    "met_crime_asb": "Met: crime and anti-social behaviour",
    "met_work": "Met: out of work",
    "days_identified": "Days since identification",
    "days_into_phase": "Days since the phase began",
    "in_autumn": "Enters in September to December",
    "in_summer": "Enters in May to August",
}


def label_of(row: Mapping[Any, Any]) -> str:
    """Return a column's name for readers, by its row of `Cohort.columns`."""
    name, outcome = str(row["name"]), str(row["outcome"])
    if outcome:
        when = ", year before identification" if row["window"] == IDENTIFIED else ""
        return OUTCOMES[outcome].label + when
    if row["months"]:
        return f"School sessions due in the {row['months']} months after"
    words = name.replace("met_", "met: ", 1).replace("_", " ")
    return _LABELS.get(name, words[:1].upper() + words[1:])


@lru_cache(maxsize=1)
def _covariates() -> dict[str, str]:
    rows: list[dict[str, Any]] = [
        {"name": column_of(name, window), "outcome": name, "window": window, "months": 0}
        for name in OUTCOMES for window in (BEFORE, IDENTIFIED)
    ]  # fmt: skip
    return {row["name"]: label_of(row) for row in rows}


def covariate_label(name: str) -> str:
    """Return the name for readers of a covariate's column.

    Examples
    --------
    >>> covariate_label("offences_before_identification"), covariate_label("young_children")
    ('Proven offences, year before identification', 'Young children')
    """
    known = _covariates().get(name)
    return known or label_of({"name": name, "outcome": "", "window": BEFORE, "months": 0})
