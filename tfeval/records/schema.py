"""The tables of linked family records: columns, types, units, allowed values, keys and links.

This module is the only place where they are defined. The checks (`tfeval.records.check`), the
simulator and the data dictionary (`data/README.md`) are made from it.

Conventions
-----------
- A spell is half-open: `started_on` is its first day, `ended_on` the first day on which it no
  longer held; empty `ended_on` means that it still held when the records end.
- A term, and a window of coverage, is closed: its last day belongs to it.
- A point event (offence, incident, hospital episode) lies on one day; several may share it.
- Absence of a row means "nothing happened" only where `coverage` says the authority's records
  were sent for that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from tfeval.programme.outcomes import OUT_OF_WORK_BENEFITS
from tfeval.programme.programmes import programmes
from tfeval.programme.published import published

# What a table of linked records and its columns are: the one definition of both.
# The rules that the database counts (`tfeval.records.check`), the types
# (`tfeval.records.relations`) and the data dictionary are made from it.

#: No date in the records can be earlier.
EARLIEST = pd.Timestamp("1900-01-01")
#: The kinds of column, and what each is in Ibis.
IBIS_TYPES = {
    "identifier": "string",
    "category": "string",
    "authority": "string",
    "row number": "int64",
    "count": "int64",
    "date": "date",
    "month": "date",
    "flag": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    kind : str
        One of `IBIS_TYPES`; with it come the type and the rules of every value.
    unit, description : str
    nullable : bool
        Whether a value may be empty.
    required : bool
        Whether the column must be there.
    link : str or None
        "table.column" in which every value must be found.
    allowed : tuple of str
        Values that a category may take.
    most : int or None
        The largest that a count may be; a larger number counts something else.
    """

    kind: str
    unit: str
    description: str
    nullable: bool = False
    required: bool = True
    link: str | None = None
    allowed: tuple[str, ...] = ()
    most: int | None = None

    @property
    def type(self) -> str:
        """The column's type in Ibis."""
        return IBIS_TYPES[self.kind]


@dataclass(frozen=True)
class Table:
    """One table of the records.

    Attributes
    ----------
    name, description, answers : str
        Its name, what a row is, and what cannot be answered without it.
    columns : dict of str to Column
        By name, in order.
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
    linked : str
        The flag of `people` that says whether a person was found in the source; empty if none.
    expected : tuple of (int, int) or None
        Youngest, and first too old, age in whole years of those who would be in the source: of
        them, nothing is known without a link.
    """

    name: str
    description: str
    answers: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    needed: bool = False
    event_on: str | None = None
    ends_on: str | None = None
    closed: bool = False
    no_overlap: tuple[str, ...] = ()
    order: tuple[tuple[str, str], ...] = ()
    ages: tuple[int, int] | None = None
    linked: str = ""
    expected: tuple[int, int] | None = None

    @property
    def links(self) -> dict[str, str]:
        """Columns that must be found elsewhere, with the "table.column" to find them in."""
        return {name: column.link for name, column in self.columns.items() if column.link}


def identifier(description: str, *, link: str | None = None, empty: bool = False) -> Column:
    """Return a column of pseudonyms: text, never a real-world number or name.

    Parameters
    ----------
    description : str
        What it identifies.
    link : str, optional
        "table.column" in which every value must be found.
    empty : bool, default False
        Whether it may be null.
    """
    return Column("identifier", "pseudonym", description, empty, link=link)


def row_number(description: str) -> Column:
    """Return a column of whole numbers that only tell the table's rows apart."""
    return Column("row number", "none", description)


def day(description: str, *, empty: bool = False, needed: bool = True) -> Column:
    """Return a column of dates (days, no time of day)."""
    return Column("date", "day", description, empty, needed)


def month(description: str) -> Column:
    """Return a column of months, each written as its first day."""
    return Column("month", "month", description)


def category(
    description: str, values: Sequence[str], *, empty: bool = False, needed: bool = True
) -> Column:
    """Return a text column that takes one of a few values."""
    return Column("category", "none", description, empty, needed, allowed=tuple(values))


def authority(description: str) -> Column:
    """Return a column of upper-tier local authority codes of England, as in 2012-15."""
    return Column("authority", "ONS code", description)


def count(description: str, unit: str, *, most: int, needed: bool = True) -> Column:
    """Return a column of whole numbers from zero up to the most that one can be."""
    return Column("count", unit, description, required=needed, most=most)


def flag(description: str, *, empty: bool = False, needed: bool = True) -> Column:
    """Return a column of true and false."""
    return Column("flag", "yes or no", description, empty, needed)


@lru_cache(maxsize=1)
def authority_codes() -> tuple[str, ...]:
    """Return the ONS codes of the 152 upper-tier authorities, in order.

    Examples
    --------
    >>> len(authority_codes()), authority_codes()[0]
    (152, 'E06000001')
    """
    return tuple(sorted(published("local_authorities")["code"]))


PHASES = tuple(programmes())
#: Every criterion of any phase, in order; `local_discretion` is phase one's local filter.
ALL_CRITERIA = tuple(dict.fromkeys(name for one in programmes().values() for name in one.nominated))
CLAIM_KINDS = tuple(
    dict.fromkeys(kind for one in programmes().values() for kind in one.result.claims)
)
ROLES = ("parent_or_carer", "other_adult", "child")
OFFENCE_OUTCOMES = ("convicted", "cautioned", "not_proven", "pending")
BENEFITS = (*OUT_OF_WORK_BENEFITS, "universal_credit_in_work")
SOCIAL_CARE_KINDS = ("in_need", "protection_plan", "looked_after")
HOSPITAL_KINDS = ("emergency_admission", "ae_attendance")


def _person() -> Column:
    return identifier("The person.", link="people.person_id")


def _family() -> Column:
    return identifier("The family.", link="families.family_id")


def _spell() -> dict[str, Column]:
    return {
        "started_on": day("First day."),
        "ended_on": day("First day on which it no longer held; empty if it still did.", empty=True),
    }


def _criterion(name: str) -> Column:
    of = [one for one in programmes().values() if name in one.nominated]
    words = ", ".join(one.words for one in of)
    text = f"Nominated at identification: {name.replace('_', ' ')} ({words})."
    elsewhere = "" if len(of) == len(PHASES) else " Empty in rows of other phases."
    needed = not all(one.columns_optional for one in of)
    return flag(text + elsewhere, empty=bool(elsewhere), needed=needed)


#: Compulsory schooling; and from the first age at which work or a benefit is on record to pension.
_SCHOOL_AGES, _WORKING_AGES = (5, 16), (16, 66)
#: No term of an English school has more half-day sessions; a school year has about 380.
_SESSIONS = 200
#: Over 27 years: a sentence or a stay beyond it is written so. Six digits are no length of time.
_DAYS = 10_000

_SPELL: dict[str, Any] = {
    "event_on": "started_on",
    "ends_on": "ended_on",
    "order": (("started_on", "ended_on"),),
}

_TABLES = (
    Table(
        "families",
        "One row a family and phase in which an authority identified or assessed it, whether "
        "or not it was then attached; a family attached in both phases has two rows.",
        "nothing can be answered",
        {
            "family_id": identifier("The family; the same in both phases."),
            "phase": category("Phase under whose rules it was assessed.", PHASES),
            "local_authority": authority("Authority that identified it."),
            "identified_on": day("Day on which it was identified or assessed."),
            "attached_on": day("Day on which it joined the programme; empty if never.", empty=True),
            **{name: _criterion(name) for name in ALL_CRITERIA},
            "lead_practitioner_on": day("Lead practitioner allocated; empty if none.", empty=True),
            "plan_agreed_on": day("Whole-family plan agreed; empty if none.", empty=True),
            "closed_on": day("Case closed; empty if open or never attached.", empty=True),
            "claimed_on": day("Day of the result claimed for it; empty if none.", empty=True),
            "claim_kind": category("Kind of result claimed.", CLAIM_KINDS, empty=True),
        },
        key=("family_id", "phase"),
        needed=True,
        order=(
            ("identified_on", "attached_on"),
            ("attached_on", "lead_practitioner_on"),
            ("attached_on", "plan_agreed_on"),
            ("attached_on", "closed_on"),
            ("attached_on", "claimed_on"),
        ),
    ),
    Table(
        "people",
        "One row a person, in one family.",
        "nothing can be answered",
        {
            "person_id": identifier("The person."),
            "family_id": _family(),
            "birth_month": month("Month of birth, as its first day; the day is not kept."),
            "sex": category("Sex as recorded.", ("female", "male", "unknown")),
            "role": category("Place in the family, not age.", ROLES),
            "linked_school": flag("Found in the pupil database; empty if not looked for.",
                                  empty=True, needed=False),
            "linked_benefits": flag("Found in the benefit and tax records; empty if not looked "
                                    "for.", empty=True, needed=False),
            "linked_health": flag("Traced in the health service's register; empty if not looked "
                                  "for.", empty=True, needed=False),
        },
        key=("person_id",),
        needed=True,
    ),
    Table(
        "family_moves",
        "One row a move of a family to another authority.",
        "families are taken to stay in the authority that identified them",
        {
            "family_id": _family(),
            "moved_on": day("First day in the new authority."),
            "local_authority": authority("The new authority."),
        },
        key=("family_id", "moved_on"),
    ),
    Table(
        "coverage",
        "One row an authority and a table of which it (or its national source) sent records.",
        "every authority is taken to have sent every table for all dates",
        {
            "local_authority": authority("The authority."),
            "source_table": category("The table covered.", (
                "families", "school_terms", "offences", "asb_incidents", "benefit_spells",
                "employment_spells", "social_care_episodes", "hospital_episodes",
                "domestic_abuse_incidents")),
            "covered_from": day("First day covered."),
            "covered_to": day("Last day covered."),
        },
        key=("local_authority", "source_table"),
        order=(("covered_from", "covered_to"),),
    ),
    Table(
        "school_terms",
        "One row a pupil and term.",
        "absence and exclusion from school",
        {
            "person_id": _person(),
            "term_start": day("First day of term."),
            "term_end": day("Last day of term."),
            "sessions_possible": count("Sessions the pupil could attend.", "half days",
                                       most=_SESSIONS),
            "sessions_authorised": count("Sessions missed with authorisation.", "half days",
                                         most=_SESSIONS),
            "sessions_unauthorised": count("Sessions missed without authorisation.", "half days",
                                           most=_SESSIONS),
            "fixed_exclusions": count("Fixed-period exclusions begun.", "exclusions",
                                      most=_SESSIONS),
            "permanent_exclusions": count("Permanent exclusions.", "exclusions", most=9),
            "alternative_provision": flag("In alternative provision or a pupil referral unit."),
            "free_school_meals": flag("Eligible for free school meals.", needed=False),
            "special_needs": flag("Has special educational needs.", needed=False),
        },
        key=("person_id", "term_start"),
        event_on="term_start",
        ends_on="term_end",
        closed=True,
        no_overlap=("person_id",),
        order=(("term_start", "term_end"),),
        ages=(4, 20),
        linked="linked_school",
        expected=_SCHOOL_AGES,
    ),
    Table(
        "offences",
        "One row an offence of which a person was accused.",
        "offending and custody",
        {
            "offence_id": row_number("Tells offences apart."),
            "person_id": _person(),
            "offence_on": day("Day of the offence."),
            "outcome": category("How it ended.", OFFENCE_OUTCOMES),
            "outcome_on": day("Day on which it ended; empty if pending.", empty=True),
            "custody_days": count("Length of custodial sentence, given on outcome_on; 0 if none.",
                                  "days", most=_DAYS),
        },
        key=("offence_id",),
        event_on="offence_on",
        order=(("offence_on", "outcome_on"),),
        ages=(10, 120),
    ),
    Table(
        "asb_incidents",
        "One row an incident of anti-social behaviour, of a family or one of its people.",
        "anti-social behaviour",
        {
            "incident_id": row_number("Tells incidents apart."),
            "family_id": _family(),
            "person_id": identifier("The person, if known.", link="people.person_id", empty=True),
            "incident_on": day("Day of the incident."),
            "action": category("Strongest action taken.", ("none", "warning", "contract",
                               "injunction", "housing_action"), needed=False),
        },
        key=("incident_id",),
        event_on="incident_on",
    ),
    Table(
        "benefit_spells",
        "One row a spell on a benefit.",
        "out-of-work benefits",
        {"person_id": _person(), "benefit": category("The benefit.", BENEFITS), **_spell()},
        key=("person_id", "benefit", "started_on"),
        no_overlap=("person_id", "benefit"),
        ages=(16, 120),
        linked="linked_benefits",
        expected=_WORKING_AGES,
        **_SPELL,
    ),
    Table(
        "employment_spells",
        "One row a spell in paid work, jobs held at the same time merged into one spell.",
        "employment",
        {"person_id": _person(), **_spell()},
        key=("person_id", "started_on"),
        no_overlap=("person_id",),
        ages=(13, 120),
        linked="linked_benefits",
        expected=_WORKING_AGES,
        **_SPELL,
    ),
    Table(
        "social_care_episodes",
        "One row a spell of children's social care; a child may be in two kinds at once.",
        "children in need, protection plans and looked-after children",
        {"person_id": _person(), "kind": category("Kind.", SOCIAL_CARE_KINDS), **_spell()},
        key=("person_id", "kind", "started_on"),
        no_overlap=("person_id", "kind"),
        ages=(0, 18),
        **_SPELL,
    ),
    Table(
        "hospital_episodes",
        "One row an emergency admission or a visit to accident and emergency.",
        "emergency admissions and visits to accident and emergency",
        {
            "episode_id": row_number("Tells episodes apart."),
            "person_id": _person(),
            "arrived_on": day("Day of arrival."),
            "kind": category("Kind.", HOSPITAL_KINDS),
            "bed_days": count("Nights in hospital.", "days", most=_DAYS, needed=False),
        },
        key=("episode_id",),
        event_on="arrived_on",
        ages=(0, 120),
        linked="linked_health",
        expected=(0, 120),
    ),
    Table(
        "domestic_abuse_incidents",
        "One row an incident of domestic abuse reported in a family.",
        "domestic abuse",
        {
            "incident_id": row_number("Tells incidents apart."),
            "family_id": _family(),
            "person_id": identifier("The victim, if known.", link="people.person_id", empty=True),
            "incident_on": day("Day of the incident."),
            "risk": category("Assessed risk.", ("standard", "medium", "high"), empty=True,
                             needed=False),
        },
        key=("incident_id",),
        event_on="incident_on",
    ),
)  # fmt: skip

#: The tables by name, in the order of the data dictionary.
TABLES: dict[str, Table] = {one.name: one for one in _TABLES}
