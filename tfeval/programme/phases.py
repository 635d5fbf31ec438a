"""The two phases of the programme: dates, criteria, tariff and results tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd

from tfeval.errors import ParameterError, SourceError, suggest
from tfeval.programme.published import Figure, figure, published

#: Results a local authority could be paid for.
RESULT_KINDS = ("crime_asb_education", "progress_to_work", "continuous_employment")


@dataclass(frozen=True)
class Tariff:
    """What central government paid for each funded family, by the year it was attached.

    Attributes
    ----------
    years : tuple of str
        Financial years of attachment, in order, such as "2012-13".
    attachment_fee : dict of str to float
        Pounds a family at attachment, by year of attachment.
    results_payment : dict of (str, str) to float
        Pounds a family for a result, by year of attachment and kind of result.
    funded_share : float
        The share of families that attract payment.
    """

    years: tuple[str, ...]
    attachment_fee: dict[str, float]
    results_payment: dict[tuple[str, str], float]
    funded_share: float

    def maximum(self, year: str) -> float:
        """Return the most that one funded family attached in `year` could earn, in pounds.

        A family is paid for crime, anti-social behaviour and education, with progress to work
        beside it, or for continuous employment: never for both.
        """
        pay = self.results_payment
        behaviour = pay.get((year, "crime_asb_education"), 0.0)
        progress = pay.get((year, "progress_to_work"), 0.0)
        work = pay.get((year, "continuous_employment"), 0.0)
        return self.attachment_fee[year] + max(behaviour + progress, work)


@dataclass(frozen=True)
class ResultsTest:
    """The thresholds of the tests a family had to pass; None where a phase has no such test.

    Attributes
    ----------
    unauthorised_absence_below : float or None
        Share of possible sessions, each child, over the terms of the test.
    attendance_at_least : float or None
        Share of possible sessions, each child, over the terms of the test.
    fixed_exclusions_below : int or None
        Fixed exclusions, each child, over the terms of the test.
    school_terms : int
        Consecutive terms that are looked at.
    asb_reduction : float or None
        Share by which the family's anti-social behaviour must have fallen.
    offending_reduction : float or None
        Share by which the minors' offending must have fallen (1 = none at all).
    offending_months : int
        Months that are looked at.
    employment_weeks : float
        Weeks in work, off out-of-work benefits.
    admission_free_months : int or None
        Months without an emergency hospital admission.
    """

    unauthorised_absence_below: float | None
    attendance_at_least: float | None
    fixed_exclusions_below: int | None
    school_terms: int
    asb_reduction: float | None
    offending_reduction: float | None
    offending_months: int
    employment_weeks: float
    admission_free_months: int | None


@dataclass(frozen=True)
class Phase:
    """One phase of the programme.

    Attributes
    ----------
    name : {"one", "two"}
        Its name in parameters and records.
    start, end : date
        First and last day.
    budget, families : Figure
        Central budget, and families to be reached.
    criteria : tuple of str
        Headline problems.
    criteria_needed : int
        How many make a family eligible without further test.
    tariff : Tariff
        What was paid for.
    results : ResultsTest
        What counted as a result.
    """

    name: str
    start: date
    end: date
    budget: Figure
    families: Figure
    criteria: tuple[str, ...]
    criteria_needed: int
    tariff: Tariff
    results: ResultsTest


#: Phase one's fourth, local, criterion is a filter for families that meet two of the three.
CRITERIA = {
    "one": ("crime_asb", "education", "work"),
    "two": (
        "crime_asb",
        "school_attendance",
        "children_need_help",
        "work_finance",
        "domestic_abuse",
        "health",
    ),
}
_DATES = {
    "one": (date(2012, 4, 1), date(2015, 5, 31)),
    "two": (date(2015, 4, 1), date(2020, 3, 31)),
}


@lru_cache(maxsize=8)
def phase(name: str, folder: Path | None = None) -> Phase:
    """Return a phase, its numbers read from the published figures.

    Parameters
    ----------
    name : {"one", "two"}
        Phase one (2012-15) or two (2015-20).
    folder : Path, optional
        Where the published tables lie.

    Raises
    ------
    ParameterError
        If there is no such phase.

    Examples
    --------
    >>> one = phase("one")
    >>> one.tariff.attachment_fee["2012-13"], one.tariff.maximum("2014-15")
    (3200.0, 4000.0)
    >>> phase("two").tariff.maximum("2015-20")
    1800.0
    """
    if name not in CRITERIA:
        raise ParameterError(f"There is no phase {name}. {suggest(name, CRITERIA)}")
    start, end = _DATES[name]
    return Phase(
        name=name,
        start=start,
        end=end,
        budget=figure("budget", f"phase_{name}_budget", folder=folder),
        families=figure("progress_national", "targeted", folder=folder, period=period(name)),
        criteria=CRITERIA[name],
        criteria_needed=int(
            figure("eligibility", f"phase_{name}_criteria_needed", folder=folder).value
        ),
        tariff=_tariff(name, folder),
        results=_results_test(name, folder),
    )


def period(name: str) -> str:
    """Return a phase's period as the published tables write it.

    Examples
    --------
    >>> period("two")
    '2015-20'
    """
    return {"one": "2012-15", "two": "2015-20"}[name]


def _tariff(name: str, folder: Path | None) -> Tariff:
    rows = published("tariff", folder=folder)
    rows = rows[rows["phase"] == name]
    fees = rows[rows["kind"] == "attachment"]
    results = rows[rows["kind"].isin(RESULT_KINDS)]
    share = rows[rows["figure"] == "funded_share"]["value"]
    return Tariff(
        years=tuple(fees["attached_year"]),
        attachment_fee=_agreed(fees, ["attached_year"]),
        results_payment=_agreed(results, ["attached_year", "kind"]),
        funded_share=float(share.iloc[0]) if len(share) else 1.0,
    )


def _agreed(rows: pd.DataFrame, keys: list[str]) -> dict:
    grouped = rows.groupby(keys[0] if len(keys) == 1 else keys, sort=False)["value"]
    if (grouped.nunique() > 1).any():
        raise SourceError("tariff.csv gives two amounts for one payment: settle which one applied.")
    return grouped.first().to_dict()


def _results_test(name: str, folder: Path | None) -> ResultsTest:
    rows = published("results_definitions", folder=folder)
    found = rows[rows["phase"] == name].drop_duplicates("figure").set_index("figure")["value"]

    def number(key: str) -> float | None:
        value = found.get(key)
        return None if value is None or pd.isna(value) else float(value)

    def percent(key: str) -> float | None:
        value = number(key)
        return None if value is None else value / 100

    def whole(key: str) -> int | None:
        value = number(key)
        return None if value is None else int(value)

    return ResultsTest(
        unauthorised_absence_below=percent("unauthorised_absence_below"),
        attendance_at_least=percent("attendance_at_least"),
        fixed_exclusions_below=whole("fixed_exclusions_below"),
        school_terms=whole("school_terms") or 3,
        asb_reduction=percent("asb_reduction"),
        offending_reduction=percent("offending_reduction"),
        offending_months=whole("offending_months") or 6,
        employment_weeks=number("employment_weeks") or 0.0,
        admission_free_months=whole("admission_free_months"),
    )
