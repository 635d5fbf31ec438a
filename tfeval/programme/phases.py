"""The phases of the programme: what their files and the published figures say of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError, SourceError, suggest
from tfeval.programme.programmes import Programme, programmes
from tfeval.programme.published import Figure, Source, figure, published

#: Needs of each phase, in order.
CRITERIA = {name: tuple(need.name for need in one.needs) for name, one in programmes().items()}
#: Results that a local authority could be paid for, in any phase.
RESULT_KINDS = tuple(
    dict.fromkeys(kind for one in programmes().values() for kind in one.result.paid)
)


@dataclass(frozen=True)
class Tariff:
    """What central government paid for each funded family, by the year it was attached.

    Attributes
    ----------
    years : tuple of str
        Financial years of attachment, in order, such as "2012-13".
    attachment_fee : mapping of str to float
        Pounds a family at attachment, by year of attachment; empty where there is no fee.
    results_payment : mapping of (str, str) to float
        Pounds a family for a result, by year of attachment and kind of result.
    funded_share : float
        The share of families that attract payment.
    """

    years: tuple[str, ...]
    attachment_fee: Mapping[str, float]
    results_payment: Mapping[tuple[str, str], float]
    funded_share: float

    def __post_init__(self) -> None:
        # Phases are kept from call to call, so nobody may change them.
        for name in ("attachment_fee", "results_payment"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def fee(self, year: str) -> float:
        """Return the fee of a family attached in `year`, in pounds: 0 where there is none."""
        return self.attachment_fee.get(year, 0.0)

    def maximum(self, year: str) -> float:
        """Return the most that one funded family attached in `year` could earn, in pounds.

        A family is paid for its problems resolved, with progress to work beside it, or for
        continuous employment: never for both.
        """
        if year not in self.years:
            raise ParameterError(f"The tariff has no year {year}. {suggest(year, self.years)}")
        pay = {kind: sum_ for (of, kind), sum_ in self.results_payment.items() if of == year}
        work = pay.pop("continuous_employment", 0.0)
        return self.fee(year) + max(sum(pay.values()), work)


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
    employment_weeks : float or None
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
    employment_weeks: float | None
    admission_free_months: int | None


@dataclass(frozen=True, kw_only=True)
class Phase(Programme, Rich):
    """One phase of the programme: what its file says, with the published figures it names.

    Attributes
    ----------
    budget, families : Figure
        Central budget, and families to be reached.
    criteria : tuple of str
        Columns of the headline problems.
    criteria_needed : int
        How many make a family eligible without further test.
    tariff : Tariff
        What was paid for.
    results : ResultsTest
        What counted as a result.
    """

    budget: Figure
    families: Figure
    criteria: tuple[str, ...]
    criteria_needed: int
    tariff: Tariff
    results: ResultsTest

    def latest_claim(self) -> Figure:
        """Return the latest published count of its results: the last of all, if `claims.final`."""
        claims = self.claims
        return figure("progress_national", claims.latest, as_of=claims.as_of, period=self.period)


@lru_cache(maxsize=8)
def phase(name: str, folder: Path | None = None) -> Phase:
    """Return a phase, its rules read from `data/programmes` and its numbers from the figures.

    Parameters
    ----------
    name : {"one", "two", "supporting_families"}
        Phase one (2012-15) or two (2015-20), or Supporting Families (2022-25).
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
    >>> phase("two").tariff.maximum("2015-20"), phase("supporting_families").criteria_needed
    (1800.0, 3)
    """
    known = programmes()
    if name not in known:
        raise ParameterError(f"There is no phase {name}. {suggest(name, known)}")
    rules = known[name]
    return Phase(
        **{one.name: getattr(rules, one.name) for one in fields(rules)},
        budget=figure("budget", rules.budget_figure, folder=folder),
        families=figure(
            "progress_national", rules.families_figure, folder=folder, period=rules.period
        ),
        criteria=CRITERIA[name],
        criteria_needed=int(figure("eligibility", rules.needed_figure, folder=folder).value),
        tariff=_tariff(rules, folder),
        results=_results_test(name, folder),
    )


# Whom the decision after a phase was about.


@dataclass(frozen=True)
class NextCohort(Rich):
    """The families about whom is decided next. From `next_cohort`.

    Attributes
    ----------
    phase : str
        The phase that follows; the one asked for where none does.
    families : float
    years_later : int
        Financial years from the start of the one to the start of the other.
    sources : tuple of Source
    """

    phase: str
    families: float
    years_later: int
    sources: tuple[Source, ...]


def next_cohort(name: str) -> NextCohort:
    """Return the families of the phase that follows, as `data/programmes` has it.

    After the last phase there is none: then as many families as in it, as long after.

    Examples
    --------
    >>> found = next_cohort("one")
    >>> found.phase, found.families, found.years_later
    ('two', 400000.0, 3)
    >>> next_cohort("supporting_families").phase
    'supporting_families'
    """
    own = phase(name)
    folder = own.file.rpartition("/")[0]
    after = [one for one in programmes().values()
             if one.start > own.start and one.file.rpartition("/")[0] == folder]  # fmt: skip
    if not after:
        return NextCohort(name, own.families.value, len(own.years), own.families.sources)
    following = phase(min(after, key=lambda one: one.start).name)
    later = following.start.year - own.start.year
    return NextCohort(following.name, following.families.value, later, following.families.sources)


def period(name: str) -> str:
    """Return a phase's period as the published tables write it.

    Examples
    --------
    >>> period("two")
    '2015-20'
    """
    return phase(name).period


def _tariff(rules: Programme, folder: Path | None) -> Tariff:
    rows = published("tariff", folder=folder)
    rows = rows[rows["phase"] == rules.name]
    fees = rows[rows["kind"] == "attachment"]
    results = rows[rows["kind"].isin(rules.result.paid)]
    share = rows[rows["figure"] == "funded_share"]["value"]
    return Tariff(
        years=tuple(dict.fromkeys([*fees["attached_year"], *results["attached_year"]])),
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
    definitions = rows[rows["phase"] == name].drop_duplicates("figure").set_index("figure")["value"]

    def number(key: str) -> float | None:
        value = definitions.get(key)
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
        employment_weeks=number("employment_weeks"),
        admission_free_months=whole("admission_free_months"),
    )


# Which headline problems a family has, and whether they make it eligible.

#: Phase one, education: fixed exclusions, and the share of sessions missed without authorisation,
#: over the last three terms (Nottinghamshire County Council, 2013, quoted in
#: `data/published/eligibility.csv`).
EXCLUSIONS_AT_ENTRY = 3
ABSENCE_AT_ENTRY = 0.15


def eligible(problems: pd.DataFrame, phase: Phase) -> pd.Series:
    """Return how each family is eligible: "national", "local" or "no".

    A family with as many of the phase's problems as it asks for is eligible. In phase one that is
    all three; one with two may be included where it also meets the authority's local filter (high
    cost).

    Parameters
    ----------
    problems : DataFrame
        One row a family; one bool column for each of `phase.nominated`: its criteria, and in phase
        one `local_discretion` (whether the authority's own filter is met).
    phase : Phase
        The phase whose rule applies.

    Returns
    -------
    Series of str
        Indexed as `problems`.

    Raises
    ------
    DataError
        If a criterion's column is missing or holds an empty cell.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> family = pd.DataFrame({"crime_asb": [True], "education": [True], "work": [False],
    ...                        "local_discretion": [True]})
    >>> eligible(family, phase("one")).tolist()
    ['local']
    """
    _require(problems, list(phase.nominated))
    met = problems[list(phase.criteria)].astype(bool).sum(axis=1)
    kind = pd.Series("no", index=problems.index)
    if phase.has_local_discretion:
        one_short = met == phase.criteria_needed - 1
        kind[one_short & problems[phase.discretion].astype(bool)] = "local"
    kind[met >= phase.criteria_needed] = "national"
    return kind


def _require(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(f"Families table: column {', '.join(missing)} is missing: add it.")
    empty = [name for name in columns if frame[name].isna().any()]
    if empty:
        count = int(frame[empty].isna().any(axis=1).sum())
        raise DataError(
            f"Families table: column {', '.join(empty)} is empty in {count} rows: "
            "say yes or no for each family, or leave the family out."
        )
