"""What of the events reaches an extract: authorities that send none or late, and linkage error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.programme.programmes import programmes
from tfeval.records.schema import ALL_CRITERIA, TABLES
from tfeval.records.simulation.population import Authorities, Population, day_number
from tfeval.records.simulation.processes import MONTH, YEAR, Candidates, Spells
from tfeval.records.simulation.programme import Course
from tfeval.records.simulation.school import Disposals, SchoolTerms
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
    found = {}
    for source in SOURCES:
        chance = rng.random(people.n_people)
        link = np.arange(people.n_people, dtype=np.int32)
        false = np.flatnonzero(chance < settings.false_link_share)
        false = false[np.lexsort((people.birth[false], people.role[false]))]
        link[false] = np.roll(false, 1)
        share = settings.false_link_share
        link[(chance >= share) & (chance < share + settings.missed_link_share)] = MISSED
        found[source] = link
    return found


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
