"""What a cohort is asked for, and what its columns are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfeval.errors import ParameterError, suggest
from tfeval.programme.phases import CRITERIA

#: Months after the index date at which outcomes are taken.
HORIZONS = (6, 12, 18, 24)
#: Months before the index date over which covariates are taken.
BASELINE_MONTHS = 12
LEVELS = ("family", "person")
COMPARISONS = {
    "waiting": "eligible, attached later: followed until attached",
    "not_yet_treated": "eligible and not attached by the index date: followed until attached",
    "below_threshold": "met one criterion fewer than needed, never attached",
    "other_authorities": "eligible and never attached, in the quarter of authorities that "
    "attached the smallest share of their eligible families",
}


@dataclass(frozen=True)
class Settings:
    """What a cohort is asked for.

    Attributes
    ----------
    phase : str
        Phase of the programme.
    comparison : str
        A key of `COMPARISONS`.
    horizons : tuple of int
        Months after the index date.
    seed : int
        For the index dates of comparison families.
    level : {"family", "person"}
        What a row is.
    """

    phase: str
    comparison: str
    horizons: tuple[int, ...]
    seed: int
    level: str = "family"

    def __post_init__(self) -> None:
        if self.phase not in CRITERIA:
            raise ParameterError(f"There is no phase {self.phase}. {suggest(self.phase, CRITERIA)}")
        if self.comparison not in COMPARISONS:
            known = suggest(self.comparison, COMPARISONS)
            raise ParameterError(f"There is no comparison group {self.comparison}. {known}")
        if self.level not in LEVELS:
            raise ParameterError(f"There is no level {self.level}. {suggest(self.level, LEVELS)}")
        odd = [months for months in self.horizons if months not in HORIZONS]
        if odd or not self.horizons:
            raise ParameterError(f"A horizon is one of {', '.join(map(str, HORIZONS))} months.")


def column_of(outcome: str, window: str | int) -> str:
    """Return the column of the analysis table with an outcome's counts over a window.

    The one place where such a name is made. Nothing takes it apart: `Cohort.columns` says which
    outcome and months a column is of.

    Parameters
    ----------
    outcome : str
    window : str or int
        "before", or the months after the index date.
    """
    return f"{outcome}_{window}"


def as_number(flag: Any) -> Any:
    """Return 1 where an Ibis flag holds and 0 elsewhere; not every engine casts flags."""
    import ibis  # noqa: PLC0415

    return ibis.ifelse(flag, 1, 0)


def as_date(day: Any) -> Any:
    """Return an Ibis date shifted by an interval as a date again.

    Ibis holds it to be one already; some engines make it a time.
    """
    return day.cast("timestamp").cast("date")


def as_long(number: Any) -> Any:
    """Return a whole Ibis number as one of 64 bits, which some engines only say that it is."""
    return number.cast("float64").cast("int64")
