"""The tables of an extract, as an evaluator would get them, from one block of families."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tfeval.programme.programmes import programmes
from tfeval.records.schema import ALL_CRITERIA, CLAIM_KINDS, PHASES, ROLES, TABLES
from tfeval.records.simulation import arrays
from tfeval.records.simulation.events import event_tables
from tfeval.records.simulation.happened import Happened, Supply
from tfeval.records.simulation.processes import YEAR
from tfeval.records.simulation.programme import NEVER
from tfeval.records.simulation.supply import MISSED


def extract(happened: Happened, supply: Supply, rng: np.random.Generator) -> dict[str, pa.Table]:
    """Return the tables of a block by name (all but `coverage`, which is of no block)."""
    person = arrays.text(happened.people.person_id)
    family = arrays.text(happened.people.family_id)
    tables = {
        "families": _families(happened, supply, family),
        "people": _people(happened, supply, person, family),
        "family_moves": _moves(supply, family),
        **event_tables(happened, supply, person, family, rng),
    }
    return {name: pa.table(columns) for name, columns in tables.items()}


def _families(happened: Happened, supply: Supply, family: pa.Array) -> dict[str, pa.Array]:
    people, course = happened.people, happened.course
    again = happened.again
    at = np.concatenate([np.arange(people.n_families), again.family])
    phase = np.concatenate([people.phase, np.full(again.family.size, again.phase, dtype=np.int8)])
    identified = np.concatenate([people.identified, again.identified])
    nominated = np.concatenate([course.nominated, again.nominated])

    def day(first: np.ndarray, second: np.ndarray) -> pa.Array:
        joined = np.concatenate([first, second])
        return arrays.dates(joined, joined == NEVER)

    none = np.full(again.family.size, NEVER, dtype=np.int32)
    attached = np.where(course.attached, course.index, NEVER)
    claimed = np.concatenate([course.claimed, none])
    kind = np.concatenate([course.claim_kind, np.zeros(none.size, dtype=np.int64)])
    authority = supply.residence.at(at, identified)
    return {
        "family_id": arrays.chosen(at, family),
        "phase": arrays.chosen(phase, PHASES),
        "local_authority": arrays.chosen(authority, supply.areas.codes.tolist()),
        "identified_on": arrays.dates(identified),
        "attached_on": day(attached, again.attached),
        **{
            name: pa.array(nominated[:, place], mask=~_asked(name, phase))
            for place, name in enumerate(ALL_CRITERIA)
            if TABLES["families"].columns[name].required or _asked(name, supply.phases).any()
        },
        "lead_practitioner_on": day(course.lead, again.lead),
        "plan_agreed_on": day(course.plan, none),
        "closed_on": day(course.closed, none),
        "claimed_on": arrays.dates(claimed, claimed == NEVER),
        "claim_kind": arrays.chosen(kind, CLAIM_KINDS, claimed == NEVER),
    }


def _asked(criterion: str, phase: np.ndarray) -> np.ndarray:
    return np.array([criterion in one.nominated for one in programmes().values()])[phase]


def _people(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array
) -> dict[str, pa.Array]:
    people = happened.people
    child = people.role == ROLES.index("child")
    grown = people.birth + 16 * YEAR <= supply.last
    return {
        "person_id": person,
        "family_id": arrays.chosen(people.family, family),
        "birth_month": arrays.dates(people.birth),
        "sex": arrays.chosen((~people.female).astype(int), ("female", "male")),
        "role": arrays.chosen(people.role, ROLES),
        "linked_school": pa.array(supply.links["school"] != MISSED, mask=~child),
        "linked_benefits": pa.array(supply.links["benefits"] != MISSED, mask=~grown),
    }


def _moves(supply: Supply, family: pa.Array) -> dict[str, pa.Array]:
    home = supply.residence
    moved = np.flatnonzero(home.moved_on <= supply.last)
    return {
        "family_id": arrays.chosen(moved, family),
        "moved_on": arrays.dates(home.moved_on[moved]),
        "local_authority": arrays.chosen(home.after[moved], supply.areas.codes.tolist()),
    }
