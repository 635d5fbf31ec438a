"""What of the events reaches an extract, and the event tables that it makes of one block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tfeval.programme.programmes import programmes
from tfeval.records.schema import (
    ALL_CRITERIA,
    BENEFITS,
    HOSPITAL_KINDS,
    OFFENCE_OUTCOMES,
    SOCIAL_CARE_KINDS,
    TABLES,
)
from tfeval.records.simulation import processes
from tfeval.records.simulation.population import Authorities, Population, day_number
from tfeval.records.simulation.processes import MONTH, YEAR, Candidates, Spells
from tfeval.records.simulation.programme import Course
from tfeval.records.simulation.school import (
    PENDING,
    Disposals,
    SchoolTerms,
    in_alternative_provision,
)
from tfeval.records.simulation.settings import SimulationSettings

# Families of one phase that are identified and attached again in the next.

#: Months after the first attachment that stay free of a second, so that the truth is of one.
_APART = 25


@dataclass(frozen=True)
class Again:
    """Second times; arrays by case.

    Attributes
    ----------
    family : int array
        Index of the family.
    identified, attached, lead : int array
        Days.
    nominated : bool array (., criteria)
        By `ALL_CRITERIA`.
    phase : int
        Index into `PHASES` of the phase in which they come back.
    """

    family: np.ndarray
    identified: np.ndarray
    attached: np.ndarray
    lead: np.ndarray
    nominated: np.ndarray
    phase: int


def second_times(
    people: Population, course: Course, settings: SimulationSettings, rng: np.random.Generator
) -> Again:
    """Draw second times. They change no outcome: work has been done once already."""
    n = people.n_families
    number, rules = next(
        (at, one) for at, one in enumerate(programmes().values()) if one.simulation.again
    )
    start, end = day_number(rules.start), day_number(rules.end)
    later = course.index + int(_APART * MONTH) + rng.integers(0, 400, n)
    identified = np.maximum(later, start + rng.integers(0, 90, n)).astype(np.int32)
    attached = identified + rng.exponential(settings.wait_days, n).astype(np.int32)
    lead = attached + 14
    fits = course.attached & ~course.data_matched & (people.phase == number - 1)
    fits &= lead <= min(end, day_number(settings.records_to))
    family = np.flatnonzero(fits & (rng.random(n) < settings.again_share))
    nominated = np.zeros((family.size, len(ALL_CRITERIA)), dtype=bool)
    pairs = rules.simulation.again
    for place, pair in enumerate(pairs):
        rows = np.flatnonzero(np.arange(family.size) % len(pairs) == place)
        for name in pair:
            nominated[rows, ALL_CRITERIA.index(name)] = True
    return Again(family, identified[family], attached[family], lead[family], nominated, number)


#: Tables that each authority sends itself; the others come from national sources.
LOCAL_TABLES = ("asb_incidents", "social_care_episodes", "domestic_abuse_incidents")
COVERED_TABLES = TABLES["coverage"].columns["source_table"].allowed
#: National sources that are linked person by person.
SOURCES = ("police", "school", "benefits", "health")
MISSED = -1


@dataclass(frozen=True)
class Coverage:
    """Last day covered by authority (152,) of each table; before `first` where none was sent."""

    first: int
    last: dict[str, np.ndarray]

    def sent(self, table: str) -> np.ndarray:
        """Return which authorities sent a table."""
        return self.last[table] >= self.first


def coverage(
    areas: Authorities, settings: SimulationSettings, rng: np.random.Generator
) -> Coverage:
    """Draw which authority sends which table, and until when."""
    first, end = day_number(settings.records_from), day_number(settings.records_to)
    last = {table: np.full(areas.codes.size, end, dtype=np.int32) for table in COVERED_TABLES}
    for table in LOCAL_TABLES:
        chance = rng.random(areas.codes.size)
        early = rng.integers(*settings.late_months, areas.codes.size, endpoint=True) * MONTH
        none = chance < settings.no_data_share
        late = ~none & (chance < settings.no_data_share + settings.late_data_share)
        last[table][late] = (end - early[late]).astype(np.int32)
        last[table][none] = first - 1
    return Coverage(first, last)


@dataclass(frozen=True)
class Residence:
    """Where families live: before and from `moved_on` (never: after all records)."""

    before: np.ndarray
    after: np.ndarray
    moved_on: np.ndarray

    def at(self, family: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return the authority of families on given days."""
        return np.where(day >= self.moved_on[family], self.after[family], self.before[family])


def residence(
    people: Population, areas: Authorities, settings: SimulationSettings, rng: np.random.Generator
) -> Residence:
    """Draw which families move to another authority, and when."""
    n = people.n_families
    first, last = day_number(settings.records_from), day_number(settings.records_to)
    moves = rng.random(n) < settings.move_share
    day = rng.integers(first + 1, last + 1, n, dtype=np.int32)
    step = rng.integers(1, areas.codes.size, n)
    # A family is identified by the authority it lives in: its moves come after.
    moves &= day > people.identified
    return Residence(
        before=people.authority,
        after=np.where(moves, (people.authority + step) % areas.codes.size, people.authority),
        moved_on=np.where(moves, day, np.iinfo(np.int32).max),
    )


def links(
    people: Population, settings: SimulationSettings, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw under whose pseudonym each person's records arrive in each source.

    Returns
    -------
    dict of str to int array (p,)
        Index of a person, or `MISSED`. False links go round among people of nearly the same age,
        because linkage mistakes people for others who look alike on paper.
    """
    linkage = {}
    for source in SOURCES:
        chance = rng.random(people.n_people)
        link = np.arange(people.n_people, dtype=np.int32)
        false = np.flatnonzero(chance < settings.false_link_share)
        false = false[np.lexsort((people.birth[false], people.role[false]))]
        link[false] = np.roll(false, 1)
        share = settings.false_link_share
        link[(chance >= share) & (chance < share + settings.missed_link_share)] = MISSED
        linkage[source] = link
    return linkage


def linked(
    unit: np.ndarray, day: np.ndarray, link: np.ndarray, table: str, people: Population
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows arrive, and the person each is filed under.

    Rows that the person is too young or too old for are dropped, as linkage rejects them.
    """
    under = link[unit]
    low, high = TABLES[table].ages or (0, 120)
    age = day - people.birth[under]
    return (under != MISSED) & (age >= np.ceil(low * YEAR)) & (age < int(high * YEAR)), under


def clip_spells(spells: Spells, first: int, last: np.ndarray | int) -> tuple[Spells, np.ndarray]:
    """Return spells seen from the first to the last day covered, and which are still open then.

    A spell that another of the same unit follows is closed when its coverage ends: a family that
    moved is in the records of its next authority by then.

    Parameters
    ----------
    spells : Spells
        By unit and start.
    first : int
        First day covered.
    last : int array (m,) or int
        Last day covered of each spell.
    """
    last = np.broadcast_to(last, spells.unit.shape)
    seen = (spells.start <= last) & (spells.end > first)
    kept, last = spells.keep(seen), last[seen]
    still = kept.end > last
    followed = np.zeros(still.size, dtype=bool)
    followed[:-1] = kept.unit[1:] == kept.unit[:-1]
    end = np.where(still & followed, last + 1, kept.end).astype(np.int32)
    return Spells(kept.unit, kept.start, end), still & ~followed


# What came about in a block of families, and what of it reaches the extract.


@dataclass(frozen=True)
class Happened:
    """What happened to a block of families, in the one world that came about."""

    people: Population
    course: Course
    again: Again
    points: dict[str, Candidates]
    spells: dict[str, Spells]
    terms: SchoolTerms
    disposals: Disposals
    in_custody: np.ndarray


@dataclass(frozen=True)
class Supply:
    """What reaches the extract: coverage, residence and links, first and last day, block number.

    `phases` are the indices into `PHASES` of those that have families in any block.
    """

    areas: Authorities
    coverage: Coverage
    residence: Residence
    links: dict[str, np.ndarray]
    first: int
    last: int
    block: int
    phases: np.ndarray


#: Days between which Universal Credit replaced the older benefits for new claims: an assumption
#: near the full service's roll-out.
_UNIVERSAL_CREDIT = (16436, 17866)  # 1 January 2015, 1 December 2018
_ACTIONS = TABLES["asb_incidents"].columns["action"].allowed
_RISKS = TABLES["domestic_abuse_incidents"].columns["risk"].allowed


def event_tables(
    happened: Happened,
    supply: Supply,
    person: pa.Array,
    family: pa.Array,
    rng: np.random.Generator,
) -> dict[str, dict[str, pa.Array]]:
    """Return the columns of every event table.

    Parameters
    ----------
    happened, supply : Happened, Supply
        What came about, and what of it arrives.
    person, family : pyarrow.Array
        The pseudonyms.
    rng : numpy.random.Generator
        For details that no outcome depends on.
    """
    return {
        "school_terms": _school(happened, supply, person),
        "offences": _offences(happened, supply, person),
        "asb_incidents": _asb(happened, supply, person, family, rng),
        "benefit_spells": _benefits(happened, supply, person, rng),
        "employment_spells": _employment(happened, supply, person),
        "social_care_episodes": _social_care(happened, supply, person),
        "hospital_episodes": _hospital(happened, supply, person, rng),
        "domestic_abuse_incidents": _abuse(happened, supply, person, family, rng),
    }


def _school(happened: Happened, supply: Supply, person: pa.Array) -> dict[str, pa.Array]:
    people, terms = happened.people, happened.terms
    attached = happened.course.attached[people.family[terms.unit]]
    counts = {
        name: np.where(attached, terms.counts[1][name], terms.counts[0][name])
        for name in terms.counts[0]
    }
    placed = in_alternative_provision(terms, counts["permanent_exclusions"])
    arrives, under = linked(terms.unit, terms.start, supply.links["school"], "school_terms", people)
    return {
        "person_id": processes.chosen(under[arrives], person),
        "term_start": processes.dates(terms.start[arrives]),
        "term_end": processes.dates(terms.end[arrives]),
        "sessions_possible": processes.whole(terms.possible[arrives]),
        **{name: processes.whole(values[arrives]) for name, values in counts.items()},
        "alternative_provision": pa.array(placed[arrives]),
        "free_school_meals": pa.array(terms.meals[arrives]),
        "special_needs": pa.array(terms.needs[arrives]),
    }


def _offences(happened: Happened, supply: Supply, person: pa.Array) -> dict[str, pa.Array]:
    events, ends = happened.points["offences"], happened.disposals
    arrives, under = linked(
        events.unit, events.start, supply.links["police"], "offences", happened.people
    )
    arrives &= events.start >= supply.first
    start, on = events.start[arrives], ends.on[arrives]
    pending = on > supply.last
    return {
        "offence_id": processes.numbers(start.size, supply.block),
        "person_id": processes.chosen(under[arrives], person),
        "offence_on": processes.dates(start),
        "outcome": processes.chosen(
            np.where(pending, PENDING, ends.outcome[arrives]), OFFENCE_OUTCOMES
        ),
        "outcome_on": processes.dates(on, pending),
        "custody_days": processes.whole(
            np.where(happened.in_custody & (ends.on <= supply.last), ends.days, 0)[arrives]
        ),
    }


def _local(events: Candidates, table: str, supply: Supply) -> Candidates:
    """Return the family events that an authority sent."""
    authority = supply.residence.at(events.unit, events.start)
    last = supply.coverage.last[table][authority]
    return events.keep((events.start >= supply.first) & (events.start <= last))


def _member(
    events: Candidates, youngest: int, known: float, people: Population, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return somebody of each event's family, and where nobody is named."""
    head = np.searchsorted(people.family, np.arange(people.n_families + 1))
    size = np.diff(head)[events.unit]
    who = head[events.unit] + (rng.random(events.unit.size) * size).astype(int)
    old_enough = events.start - people.birth[who] >= youngest * YEAR
    return who, ~old_enough | (rng.random(events.unit.size) >= known)


def _asb(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    events = _local(happened.points["asb_incidents"], "asb_incidents", supply)
    who, unknown = _member(events, 10, 0.7, happened.people, rng)
    action = rng.choice(len(_ACTIONS), events.unit.size, p=[0.55, 0.25, 0.1, 0.04, 0.06])
    return {
        "incident_id": processes.numbers(events.unit.size, supply.block),
        "family_id": processes.chosen(events.unit, family),
        "person_id": processes.chosen(who, person, unknown),
        "incident_on": processes.dates(events.start),
        "action": processes.chosen(action, _ACTIONS),
    }


def _abuse(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    name = "domestic_abuse_incidents"
    events = _local(happened.points["domestic_abuse"], name, supply)
    who, unknown = _member(events, 16, 0.9, happened.people, rng)
    risk = rng.choice(len(_RISKS), events.unit.size, p=[0.6, 0.28, 0.12])
    return {
        "incident_id": processes.numbers(events.unit.size, supply.block),
        "family_id": processes.chosen(events.unit, family),
        "person_id": processes.chosen(who, person, unknown),
        "incident_on": processes.dates(events.start),
        "risk": processes.chosen(risk, _RISKS, rng.random(events.unit.size) < 0.1),
    }


def _hospital(
    happened: Happened, supply: Supply, person: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    both = [happened.points[name] for name in ("emergency_admissions", "ae_attendances")]
    unit = np.concatenate([one.unit for one in both])
    start = np.concatenate([one.start for one in both])
    kind = np.repeat([0, 1], [one.unit.size for one in both])
    arrives, under = linked(
        unit, start, supply.links["health"], "hospital_episodes", happened.people
    )
    arrives &= start >= supply.first
    nights = np.where(kind == 0, rng.geometric(0.35, unit.size) - 1, 0)
    order = np.lexsort((start[arrives], under[arrives]))
    return {
        "episode_id": processes.numbers(order.size, supply.block),
        "person_id": processes.chosen(under[arrives][order], person),
        "arrived_on": processes.dates(start[arrives][order]),
        "kind": processes.chosen(kind[arrives][order], HOSPITAL_KINDS),
        "bed_days": processes.whole(nights[arrives][order]),
    }


def _spells(
    spells: Spells, source: str | None, table: str, happened: Happened, supply: Supply
) -> tuple[Spells, np.ndarray]:
    """Return the spells that arrive, under whom they are filed, and which are open at the end."""
    people = happened.people
    if source is None:
        authority = supply.residence.at(people.family[spells.unit], spells.start)
        return clip_spells(spells, supply.first, supply.coverage.last[table][authority])
    seen, still = clip_spells(spells, supply.first, supply.last)
    arrives, under = linked(seen.unit, seen.start, supply.links[source], table, people)
    return Spells(under[arrives], seen.start[arrives], seen.end[arrives]), still[arrives]


def _benefits(
    happened: Happened, supply: Supply, person: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    people = happened.people
    seen, still = _spells(
        happened.spells["out_of_work"], "benefits", "benefit_spells", happened, supply
    )
    # What somebody claims is mostly a matter of who they are: sick, lone parent, or looking.
    usual = rng.choice(4, people.n_people, p=[0.37, 0.33, 0.04, 0.26])[seen.unit]
    changes = rng.uniform(*_UNIVERSAL_CREDIT, people.n_families)[people.family[seen.unit]]
    benefit = np.where(seen.start >= changes, BENEFITS.index("universal_credit_out_of_work"), usual)
    return {
        "person_id": processes.chosen(seen.unit, person),
        "benefit": processes.chosen(benefit, BENEFITS),
        "started_on": processes.dates(seen.start),
        "ended_on": processes.dates(seen.end, still),
    }


def _employment(happened: Happened, supply: Supply, person: pa.Array) -> dict[str, pa.Array]:
    seen, still = _spells(
        happened.spells["employment"], "benefits", "employment_spells", happened, supply
    )
    return {
        "person_id": processes.chosen(seen.unit, person),
        "started_on": processes.dates(seen.start),
        "ended_on": processes.dates(seen.end, still),
    }


def _social_care(happened: Happened, supply: Supply, person: pa.Array) -> dict[str, pa.Array]:
    episodes = [
        _spells(happened.spells[kind], None, "social_care_episodes", happened, supply)
        for kind in SOCIAL_CARE_KINDS
    ]
    unit = np.concatenate([spells.unit for spells, _ in episodes])
    start = np.concatenate([spells.start for spells, _ in episodes])
    end = np.concatenate([spells.end for spells, _ in episodes])
    still = np.concatenate([open_ for _, open_ in episodes])
    kind = np.repeat(np.arange(len(episodes)), [spells.unit.size for spells, _ in episodes])
    order = np.lexsort((start, unit))
    return {
        "person_id": processes.chosen(unit[order], person),
        "kind": processes.chosen(kind[order], SOCIAL_CARE_KINDS),
        "started_on": processes.dates(start[order]),
        "ended_on": processes.dates(end[order], still[order]),
    }
