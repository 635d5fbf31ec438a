"""What a cohort is asked for, and the measures it holds."""

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


@dataclass(frozen=True)
class Measure:
    """Something counted over a window before or after the index date.

    Attributes
    ----------
    name : str
        Its name; columns add `_before`, or the months after.
    table : str
        Where it is counted.
    kind : {"events", "family_events", "days", "sessions"}
        Events of people or of the family; days of spells; sums over whole school terms.
    column : str
        The date (events), nothing (days), or what is summed (sessions).
    among : tuple of (str, tuple)
        Column and the values that count.
    unit, description : str
        For the data dictionary of the cohort.
    """

    name: str
    table: str
    kind: str
    column: str
    unit: str
    description: str
    among: tuple[tuple[str, tuple[str, ...]], ...] = ()


def _days(name: str, table: str, what: str, column: str = "", values: tuple = ()) -> Measure:
    among = ((column, values),) if column else ()
    return Measure(name, table, "days", "", "person-days", f"Days {what}, over all people.", among)


def _term(name: str, column: str, unit: str, what: str) -> Measure:
    return Measure(name, "school_terms", "sessions", column, unit, f"{what}, over all children.")


def _event(name: str, table: str, column: str, what: str, **among: tuple[str, ...]) -> Measure:
    kind = "family_events" if table in ("asb_incidents", "domestic_abuse_incidents") else "events"
    return Measure(name, table, kind, column, "events", what, tuple(among.items()))


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


def measures() -> tuple[Measure, ...]:
    """Return everything that a cohort counts, before and after the index date."""
    from tfeval.records.schema import OUT_OF_WORK_BENEFITS, PROVEN_OUTCOMES  # noqa: PLC0415

    return (
        _term("sessions_possible", "sessions_possible", "half days", "Sessions possible"),
        _term("sessions_authorised", "sessions_authorised", "half days", "Absence authorised"),
        _term("sessions_unauthorised", "sessions_unauthorised", "half days",
              "Absence unauthorised"),
        _term("fixed_exclusions", "fixed_exclusions", "exclusions", "Fixed exclusions"),
        _term("permanent_exclusions", "permanent_exclusions", "exclusions", "Permanent exclusions"),
        _event("offences", "offences", "offence_on", "Proven offences.", outcome=PROVEN_OUTCOMES),
        _event("custody", "offences", "outcome_on", "Custodial sentences."),
        _event("asb_incidents", "asb_incidents", "incident_on", "Anti-social behaviour."),
        _days("out_of_work", "benefit_spells", "on an out-of-work benefit", "benefit",
              OUT_OF_WORK_BENEFITS),
        _days("employment", "employment_spells", "in work"),
        _days("in_need", "social_care_episodes", "in need", "kind", ("in_need",)),
        _days("protection_plan", "social_care_episodes", "on a protection plan", "kind",
              ("protection_plan",)),
        _days("looked_after", "social_care_episodes", "looked after", "kind", ("looked_after",)),
        _event("emergency_admissions", "hospital_episodes", "arrived_on", "Emergency admissions.",
               kind=("emergency_admission",)),
        _event("ae_attendances", "hospital_episodes", "arrived_on", "Visits to A&E.",
               kind=("ae_attendance",)),
        _event("domestic_abuse", "domestic_abuse_incidents", "incident_on", "Domestic abuse."),
    )  # fmt: skip
