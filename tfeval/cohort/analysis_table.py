"""The analysis table that a cohort is, and what it is asked for; how it is built is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from tfeval.errors import ParameterError, in_own_words, suggest
from tfeval.programme.outcomes import OUTCOMES
from tfeval.programme.phases import CRITERIA

if TYPE_CHECKING:
    import ibis


# What a cohort is asked for, and what its columns are called.

#: Months after the index date at which outcomes are taken.
HORIZONS = (6, 12, 18, 24)
#: Months before the index date over which covariates are taken.
BASELINE_MONTHS = 12
LEVELS = ("family", "person")
#: What no design mends, said at every effect against such a group.
CAVEATS = {
    "waiting": "Families that waited are chosen by what came after: they joined later, and only "
    "those that had not joined by the end of the horizon are followed.",
    "below_threshold": "Families below the threshold are kept out by a rule that looked at the "
    "year before identification, and were never on the programme: without any effect they look "
    "better than those on it, whatever is held equal.",
}
#: Which attachments are the treatment; what else was attached, by another rule, is none.
TREATMENTS = {
    "supported": "attached and given a lead practitioner",
    "claimed": "attached in any way, by matching of records alone too",
    "data_matched_apart": "attached by matching of records alone, without a lead practitioner",
}
#: What is known of a unit from one source over a window. Only what was seen is counted.
SEEN = {
    "seen": "Seen",
    "not_covered": "Not sent by the authority for all of the time",
    "not_linked": "Somebody in it was not found in the source, or not looked for",
    "unreadable": "A row of it has a value that cannot be read",
}
COMPARISONS = {
    "waiting": "eligible, attached later: followed until attached",
    "not_yet_treated": "eligible and not attached by the index date: followed until attached",
    "below_threshold": "met one criterion fewer than needed, never attached",
    "other_authorities": "eligible and never attached, in the quarter of authorities that "
    "attached the smallest share of their eligible families",
}


# The windows over which outcomes are counted.

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
    treatment : str
        A key of `TREATMENTS`.
    """

    phase: str
    comparison: str
    horizons: tuple[int, ...]
    seed: int
    level: str = "family"
    treatment: str = "supported"

    def __post_init__(self) -> None:
        if self.phase not in CRITERIA:
            raise ParameterError(f"There is no phase {self.phase}. {suggest(self.phase, CRITERIA)}")
        if self.comparison not in COMPARISONS:
            known = suggest(self.comparison, COMPARISONS)
            raise ParameterError(f"There is no comparison group {self.comparison}. {known}")
        if self.treatment not in TREATMENTS:
            known = suggest(self.treatment, TREATMENTS)
            raise ParameterError(f"There is no treatment {self.treatment}. {known}")
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
        A window's name, or the months after the index date.
    """
    return f"{outcome}_{window}"


@dataclass(frozen=True)
class Cohort:
    """An analysis table, not yet read, and how it came about.

    Attributes
    ----------
    table : ibis.Table
        One row a unit: a family as treated, or as comparison. A family attached later may stand
        in it twice, once in each arm; `family_id` tells.
    columns : DataFrame
        One row a column: `name`, `outcome` (as in `tfeval.programme.outcomes`; empty for who the
        unit is), `window` ("before" the index date, "before_identification", or months after),
        `timing` ("who", "before", "after"), `months`, `source_table`, `unit`, `description`. A
        column measured after the index date is never a covariate.
    flow : DataFrame
        Families left after each step, by arm; exact.
    sources : DataFrame
        By `source_table`: of the units followed to the last horizon, `treated` and `comparison`
        by `state` of its records over it, a key of `SEEN`; exact.
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
    sources: pd.DataFrame
    settings: Settings
    left_out: dict[str, str]
    simulated: bool
    units: ibis.Table = field(repr=False)
    _frame: list[pd.DataFrame] = field(default_factory=list, repr=False)

    @property
    def covariates(self) -> list[str]:
        """Names of the columns measured before the index date."""
        return list(self.columns.loc[self.columns["timing"] == "before", "name"])

    @property
    def labels(self) -> dict[str, str]:
        """Covariates' names for readers, by column."""
        rows = self.columns[self.columns["timing"] == "before"]
        return {name: _label(name, outcome, window) for name, outcome, window
                in zip(rows["name"], rows["outcome"], rows["window"], strict=True)}  # fmt: skip

    @property
    def horizons(self) -> list[int]:
        """Months after the index date over which outcomes are held."""
        return sorted(set(self.columns.loc[self.columns["timing"] == "after", "months"]))

    def outcomes(self, months: int | None = None) -> pd.DataFrame:
        """Return the outcomes after the index date, one row a unit, in the order of `to_pandas`.

        Parameters
        ----------
        months : int, optional
            After the index date; by default all that the cohort has.

        Returns
        -------
        DataFrame
            One column an outcome, by its name in `tfeval.programme.outcomes`; without `months`
            the columns have two levels, `outcome` and `months`. Missing where the records do not
            cover the time or the unit was not followed.

        Raises
        ------
        ParameterError
            If the cohort has no outcomes at these months.

        Examples
        --------
        >>> from tfeval.cohort.cohort import cohort
        >>> from tfeval.records.simulate import simulate
        >>> families = cohort(simulate(families=400, seed=1).records, horizon=(6, 12))
        >>> families.outcomes(12)["offences"].ge(0).any()
        np.True_
        >>> families.outcomes().columns.names
        FrozenList(['outcome', 'months'])
        """
        rows = self.columns[self.columns["timing"] == "after"]
        if months is not None:
            if months not in self.horizons:
                raise ParameterError(
                    f"The cohort has no outcomes at {months} months, only at {self.horizons}."
                )
            rows = rows[rows["months"] == months]
        frame = self._named(rows)
        frame.attrs["months"] = months
        if months is None:
            frame.columns = pd.MultiIndex.from_frame(rows[["outcome", "months"]])
        return frame

    def followed(self, months: int) -> pd.Series:
        """Return whether each unit has any outcome over a horizon, in the order of `to_pandas`.

        It has none where a comparison family was attached within it, or the records end or do not
        cover it.

        Parameters
        ----------
        months : int
            After the index date.
        """
        return self.outcomes(months).notna().any(axis=1)

    def baseline(self) -> pd.DataFrame:
        """Return the same outcomes over the months before the index date, as `outcomes` does.

        They are among the covariates.
        """
        return self._named(self.columns[self.columns["window"] == BEFORE])

    def _named(self, rows: pd.DataFrame) -> pd.DataFrame:
        whole = self.to_pandas()
        frame = whole[list(rows["name"])].set_axis(list(rows["outcome"]), axis=1)
        # Read by `estimate`: whose outcomes these are.
        frame.attrs = {"cohort": whole.attrs["cohort"]}
        return frame

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
                "seed": held.seed, "treatment": held.treatment, "units": len(rows),
            }  # fmt: skip
            self._frame.append(rows.reset_index(drop=True))
        return self._frame[0].copy()


#: Covariates that are no outcomes, where the column's own words would not do.
_LABELS = {
    "met_crime_asb": "Met: crime and anti-social behaviour",
    "met_work": "Met: out of work",
    "days_identified": "Days since identification",
    "days_into_phase": "Days since the phase began",
    "in_autumn": "Enters in September to December",
    "in_summer": "Enters in May to August",
}


def _label(name: str, outcome: str, window: str) -> str:
    if outcome:
        when = ", year before identification" if window == IDENTIFIED else ""
        return OUTCOMES[outcome].label + when
    words = name.replace("met_", "met: ", 1).replace("_", " ")
    return _LABELS.get(name, words[:1].upper() + words[1:])
