"""One block of families, from the random numbers to the tables and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfeval.programme.programmes import programmes
from tfeval.records.schema import ALL_CRITERIA, CLAIM_KINDS, PHASES, ROLES, TABLES
from tfeval.records.simulation import processes
from tfeval.records.simulation.events import (
    COVERED_TABLES,
    MISSED,
    Coverage,
    Happened,
    Supply,
    coverage,
    event_tables,
    links,
    residence,
    second_times,
)
from tfeval.records.simulation.outcomes import Worlds, truth_tables
from tfeval.records.simulation.population import (
    Authorities,
    Population,
    Treatment,
    authorities,
    candidates,
    day_number,
    point_worlds,
    population,
    spell_worlds,
)
from tfeval.records.simulation.processes import PROCESSES, YEAR, Candidates, Spells
from tfeval.records.simulation.programme import NEVER, Course, course, evidence
from tfeval.records.simulation.school import (
    Disposals,
    SchoolDraws,
    custody,
    disposals,
    school_draws,
    school_terms,
)
from tfeval.records.simulation.settings import SimulationSettings

# Write tables to Parquet as they come, one file a table.


class TableWriters:
    """Open Parquet files of a folder, one for each table, closed together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> TableWriters:
        return self

    def write(self, tables: dict[str, pa.Table]) -> None:
        """Append a row group to each table."""
        for name, table in tables.items():
            whole = table.unify_dictionaries()
            if name not in self._writers:
                self._writers[name] = pq.ParquetWriter(
                    self._folder / f"{name}.parquet",
                    whole.schema,
                    compression="zstd",
                    # Readers then see plain text, not this writer's dictionaries.
                    store_schema=False,
                )
            self._writers[name].write_table(whole)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()


# The tables of an extract, as an evaluator would get them, from one block of families.


def extract(happened: Happened, supply: Supply, rng: np.random.Generator) -> dict[str, pa.Table]:
    """Return the tables of a block by name (all but `coverage`, which is of no block)."""
    person = processes.text(happened.people.person_id)
    family = processes.text(happened.people.family_id)
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
        return processes.dates(joined, joined == NEVER)

    none = np.full(again.family.size, NEVER, dtype=np.int32)
    attached = np.where(course.attached, course.index, NEVER)
    claimed = np.concatenate([course.claimed, none])
    kind = np.concatenate([course.claim_kind, np.zeros(none.size, dtype=np.int64)])
    authority = supply.residence.at(at, identified)
    return {
        "family_id": processes.chosen(at, family),
        "phase": processes.chosen(phase, PHASES),
        "local_authority": processes.chosen(authority, supply.areas.codes.tolist()),
        "identified_on": processes.dates(identified),
        "attached_on": day(attached, again.attached),
        **{
            name: pa.array(nominated[:, place], mask=~_needed(name, phase))
            for place, name in enumerate(ALL_CRITERIA)
            if TABLES["families"].columns[name].required or _needed(name, supply.phases).any()
        },
        "lead_practitioner_on": day(course.lead, again.lead),
        "plan_agreed_on": day(course.plan, none),
        "closed_on": day(course.closed, none),
        "claimed_on": processes.dates(claimed, claimed == NEVER),
        "claim_kind": processes.chosen(kind, CLAIM_KINDS, claimed == NEVER),
    }


def _needed(criterion: str, phase: np.ndarray) -> np.ndarray:
    return np.array([criterion in one.nominated for one in programmes().values()])[phase]


def _people(
    happened: Happened, supply: Supply, person: pa.Array, family: pa.Array
) -> dict[str, pa.Array]:
    people = happened.people
    child = people.role == ROLES.index("child")
    grown = people.birth + 16 * YEAR <= supply.last
    return {
        "person_id": person,
        "family_id": processes.chosen(people.family, family),
        "birth_month": processes.dates(people.birth),
        "sex": processes.chosen((~people.female).astype(int), ("female", "male")),
        "role": processes.chosen(people.role, ROLES),
        "linked_school": pa.array(supply.links["school"] != MISSED, mask=~child),
        "linked_benefits": pa.array(supply.links["benefits"] != MISSED, mask=~grown),
        "linked_health": pa.array(supply.links["health"] != MISSED),
    }


def _moves(supply: Supply, family: pa.Array) -> dict[str, pa.Array]:
    home = supply.residence
    moved = np.flatnonzero(home.moved_on <= supply.last)
    return {
        "family_id": processes.chosen(moved, family),
        "moved_on": processes.dates(home.moved_on[moved]),
        "local_authority": processes.chosen(home.after[moved], supply.areas.codes.tolist()),
    }


#: Families in a block. Each block has its own stream of random numbers, so what is simulated
#: does not depend on how many blocks are held at once.
BLOCK_FAMILIES = 4096


@dataclass(frozen=True)
class Context:
    """What all blocks share."""

    seed: int
    settings: SimulationSettings
    areas: Authorities
    coverage: Coverage


@dataclass(frozen=True)
class Block:
    """The tables of the extract and of the truth, by name."""

    records: dict[str, pa.Table]
    truth: dict[str, pa.Table]


def context(seed: int, settings: SimulationSettings) -> Context:
    """Draw what all blocks share."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    areas = authorities(settings, rng)
    return Context(seed, settings, areas, coverage(areas, settings, rng))


def coverage_table(shared: Context) -> pa.Table:
    """Return the table `coverage`: authorities that sent nothing of a table have no row for it."""
    codes = shared.areas.codes
    rows = [(table, np.flatnonzero(shared.coverage.sent(table))) for table in COVERED_TABLES]
    sent = np.concatenate([at for _, at in rows])
    return pa.table(
        {
            "local_authority": codes[sent].tolist(),
            "source_table": [table for table, at in rows for _ in at],
            "covered_from": processes.dates(np.full(sent.size, shared.coverage.first)),
            "covered_to": processes.dates(
                np.concatenate([shared.coverage.last[table][at] for table, at in rows])
            ),
        }
    )


def simulate_block(number: int, size: int, shared: Context) -> Block:
    """Simulate one block of families.

    Parameters
    ----------
    number : int
        Which block; its random numbers depend on the seed and on this alone.
    size : int
        How many families.
    shared : Context
        What all blocks share.
    """
    root = np.random.SeedSequence(shared.seed, spawn_key=(1, number))
    who, what, terms, choice, arrival = map(np.random.default_rng, root.spawn(5))
    settings, areas = shared.settings, shared.areas
    people = population(size, settings, areas, who)
    pools = candidates(people, areas, settings, what)
    drawn = school_draws(people, areas, settings, terms)
    ends = disposals(pools["offences"], people, what)
    steps = _programme(people, pools, drawn, areas=areas, settings=settings, rng=choice)
    treatment = Treatment(steps.index, people.kind, steps.worked_with, people.helped, settings)
    worlds = _worlds(people, pools, drawn, ends, treatment)
    happened = Happened(
        people=people,
        course=steps,
        again=second_times(people, steps, settings, choice),
        **_observed(people, steps.attached, pools, ends, worlds),
    )
    supply = Supply(
        areas=areas,
        coverage=shared.coverage,
        residence=residence(people, areas, settings, arrival),
        links=links(people, settings, arrival),
        first=day_number(settings.records_from),
        last=day_number(settings.records_to),
        block=number,
        phases=np.array([at for at, name in enumerate(PHASES) if settings.phase_shares.get(name)]),
    )
    return Block(
        records=extract(happened, supply, arrival),
        truth=truth_tables(people, steps, pools, ends, worlds=worlds, last=supply.last),
    )


def _programme(
    people: Population,
    pools: dict[str, Candidates],
    drawn: SchoolDraws,
    *,
    areas: Authorities,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> Course:
    """Choose families by what the world without the programme shows."""
    index = (people.identified + people.wait).astype(np.int32)
    never = np.zeros(people.n_families, dtype=bool)
    without = Treatment(index, people.kind, never, people.helped, settings)
    spells = {name: pair[0] for name, pair in spell_worlds(pools, people, without).items()}
    shown = evidence(pools, spells, school_terms(drawn, people, without), people)
    better = _better(pools, people, without)
    return course(shown, better, people=people, areas=areas, settings=settings, rng=rng)


def _better(pools: dict[str, Candidates], people: Population, without: Treatment) -> np.ndarray:
    """Return whose crime and anti-social behaviour is less in the year after than before."""
    change = np.zeros(people.n_families)
    for name in ("offences", "asb_incidents"):
        one = pools[name]
        family = people.owner(PROCESSES[name].of)[one.unit]
        since = one.start - without.index[family]
        happens = point_worlds(name, one, people, without)[0] & (np.abs(since) < YEAR)
        sign = np.where(since >= 0, 1.0, -1.0)
        change += np.bincount(family[happens], sign[happens], minlength=people.n_families)
    return change < 0


def _worlds(
    people: Population,
    pools: dict[str, Candidates],
    drawn: SchoolDraws,
    ends: Disposals,
    treatment: Treatment,
) -> Worlds:
    points = {
        name: point_worlds(name, pools[name], people, treatment)
        for name, process in PROCESSES.items()
        if not process.mean_days
    }
    sentenced = custody(pools["offences"], ends, people, treatment)
    return Worlds(
        points=points,
        custody=(sentenced[0] & points["offences"][0], sentenced[1] & points["offences"][1]),
        spells=spell_worlds(pools, people, treatment),
        terms=school_terms(drawn, people, treatment),
    )


def _observed(
    people: Population,
    attached: np.ndarray,
    pools: dict[str, Candidates],
    ends: Disposals,
    worlds: Worlds,
) -> dict[str, Any]:
    """Return what happened: with the programme for the attached, without it for the others."""
    reached = {
        name: attached[people.owner(PROCESSES[name].of)[pools[name].unit]] for name in worlds.points
    }
    happens = {
        name: np.where(reached[name], programme, without)
        for name, (without, programme) in worlds.points.items()
    }
    sentenced = np.where(reached["offences"], worlds.custody[1], worlds.custody[0])
    return {
        "points": {name: pools[name].keep(chosen) for name, chosen in happens.items()},
        "spells": {
            name: _either(pair, attached[people.family]) for name, pair in worlds.spells.items()
        },
        "terms": worlds.terms,
        "disposals": ends.keep(happens["offences"]),
        "in_custody": sentenced[happens["offences"]],
    }


def _either(pair: tuple[Spells, Spells], reached: np.ndarray) -> Spells:
    without, programme = pair
    ours, theirs = without.keep(~reached[without.unit]), programme.keep(reached[programme.unit])
    joined = Spells(*(np.concatenate([getattr(ours, k), getattr(theirs, k)])
                      for k in ("unit", "start", "end")))  # fmt: skip
    return joined.keep(np.lexsort((joined.start, joined.unit)))
