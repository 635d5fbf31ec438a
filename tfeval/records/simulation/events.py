"""The event tables of an extract, from one block of families."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tfeval.records.schema import (
    BENEFITS,
    HOSPITAL_KINDS,
    OFFENCE_OUTCOMES,
    SOCIAL_CARE_KINDS,
    TABLES,
)
from tfeval.records.simulation import processes
from tfeval.records.simulation.population import Population
from tfeval.records.simulation.processes import YEAR, Candidates, Spells
from tfeval.records.simulation.school import PENDING, in_alternative_provision
from tfeval.records.simulation.supply import Happened, Supply, clip_spells, linked

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
    found, ends = happened.points["offences"], happened.disposals
    arrives, under = linked(
        found.unit, found.start, supply.links["police"], "offences", happened.people
    )
    arrives &= found.start >= supply.first
    start, on = found.start[arrives], ends.on[arrives]
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


def _local(found: Candidates, table: str, supply: Supply) -> Candidates:
    """Return the family events that an authority sent."""
    authority = supply.residence.at(found.unit, found.start)
    last = supply.coverage.last[table][authority]
    return found.keep((found.start >= supply.first) & (found.start <= last))


def _member(
    found: Candidates, youngest: int, known: float, people: Population, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return somebody of each event's family, and where nobody is named."""
    head = np.searchsorted(people.family, np.arange(people.n_families + 1))
    size = np.diff(head)[found.unit]
    who = head[found.unit] + (rng.random(found.unit.size) * size).astype(int)
    old_enough = found.start - people.birth[who] >= youngest * YEAR
    return who, ~old_enough | (rng.random(found.unit.size) >= known)


def _asb(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    found = _local(happened.points["asb_incidents"], "asb_incidents", supply)
    who, unknown = _member(found, 10, 0.7, happened.people, rng)
    action = rng.choice(len(_ACTIONS), found.unit.size, p=[0.55, 0.25, 0.1, 0.04, 0.06])
    return {
        "incident_id": processes.numbers(found.unit.size, supply.block),
        "family_id": processes.chosen(found.unit, family),
        "person_id": processes.chosen(who, person, unknown),
        "incident_on": processes.dates(found.start),
        "action": processes.chosen(action, _ACTIONS),
    }


def _abuse(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array, rng: np.random.Generator
) -> dict[str, pa.Array]:
    name = "domestic_abuse_incidents"
    found = _local(happened.points["domestic_abuse"], name, supply)
    who, unknown = _member(found, 16, 0.9, happened.people, rng)
    risk = rng.choice(len(_RISKS), found.unit.size, p=[0.6, 0.28, 0.12])
    return {
        "incident_id": processes.numbers(found.unit.size, supply.block),
        "family_id": processes.chosen(found.unit, family),
        "person_id": processes.chosen(who, person, unknown),
        "incident_on": processes.dates(found.start),
        "risk": processes.chosen(risk, _RISKS, rng.random(found.unit.size) < 0.1),
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
    found = [
        _spells(happened.spells[kind], None, "social_care_episodes", happened, supply)
        for kind in SOCIAL_CARE_KINDS
    ]
    unit = np.concatenate([spells.unit for spells, _ in found])
    start = np.concatenate([spells.start for spells, _ in found])
    end = np.concatenate([spells.end for spells, _ in found])
    still = np.concatenate([open_ for _, open_ in found])
    kind = np.repeat(np.arange(len(found)), [spells.unit.size for spells, _ in found])
    order = np.lexsort((start, unit))
    return {
        "person_id": processes.chosen(unit[order], person),
        "kind": processes.chosen(kind[order], SOCIAL_CARE_KINDS),
        "started_on": processes.dates(start[order]),
        "ended_on": processes.dates(end[order], still[order]),
    }
