"""One block of families, from the random numbers to the tables and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tfeval.records.schema import PHASES
from tfeval.records.simulation import arrays
from tfeval.records.simulation.again import second_times
from tfeval.records.simulation.evidence import evidence
from tfeval.records.simulation.extract import extract
from tfeval.records.simulation.happened import Happened, Supply
from tfeval.records.simulation.justice import Disposals, custody, disposals
from tfeval.records.simulation.outcomes import Worlds, truth_tables
from tfeval.records.simulation.population import (
    Authorities,
    Population,
    authorities,
    day_number,
    population,
)
from tfeval.records.simulation.processes import PROCESSES, YEAR, Candidates, Spells
from tfeval.records.simulation.programme import Course, course
from tfeval.records.simulation.school import SchoolDraws, school_draws, school_terms
from tfeval.records.simulation.settings import SimulationSettings
from tfeval.records.simulation.supply import COVERED_TABLES, Coverage, coverage, links, residence
from tfeval.records.simulation.worlds import Treatment, candidates, point_worlds, spell_worlds

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
            "covered_from": arrays.dates(np.full(sent.size, shared.coverage.first)),
            "covered_to": arrays.dates(
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
    found = candidates(people, areas, settings, what)
    drawn = school_draws(people, areas, settings, terms)
    ends = disposals(found["offences"], people, what)
    steps = _programme(people, found, drawn, areas=areas, settings=settings, rng=choice)
    treatment = Treatment(steps.index, people.kind, steps.worked_with, people.helped, settings)
    worlds = _worlds(people, found, drawn, ends, treatment)
    happened = Happened(
        people=people,
        course=steps,
        again=second_times(people, steps, settings, choice),
        **_observed(people, steps.attached, found, ends, worlds),
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
        truth=truth_tables(people, steps, found, ends, worlds=worlds, last=supply.last),
    )


def _programme(
    people: Population,
    found: dict[str, Candidates],
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
    spells = {name: pair[0] for name, pair in spell_worlds(found, people, without).items()}
    shown = evidence(found, spells, school_terms(drawn, people, without), people)
    better = _better(found, people, without)
    return course(shown, better, people=people, areas=areas, settings=settings, rng=rng)


def _better(found: dict[str, Candidates], people: Population, without: Treatment) -> np.ndarray:
    """Return whose crime and anti-social behaviour is less in the year after than before."""
    change = np.zeros(people.n_families)
    for name in ("offences", "asb_incidents"):
        one = found[name]
        family = people.owner(PROCESSES[name].of)[one.unit]
        since = one.start - without.index[family]
        happens = point_worlds(name, one, people, without)[0] & (np.abs(since) < YEAR)
        sign = np.where(since >= 0, 1.0, -1.0)
        change += np.bincount(family[happens], sign[happens], minlength=people.n_families)
    return change < 0


def _worlds(
    people: Population,
    found: dict[str, Candidates],
    drawn: SchoolDraws,
    ends: Disposals,
    treatment: Treatment,
) -> Worlds:
    points = {
        name: point_worlds(name, found[name], people, treatment)
        for name, process in PROCESSES.items()
        if not process.mean_days
    }
    sentenced = custody(found["offences"], ends, people, treatment)
    return Worlds(
        points=points,
        custody=(sentenced[0] & points["offences"][0], sentenced[1] & points["offences"][1]),
        spells=spell_worlds(found, people, treatment),
        terms=school_terms(drawn, people, treatment),
    )


def _observed(
    people: Population,
    attached: np.ndarray,
    found: dict[str, Candidates],
    ends: Disposals,
    worlds: Worlds,
) -> dict[str, Any]:
    """Return what happened: with the programme for the attached, without it for the others."""
    reached = {
        name: attached[people.owner(PROCESSES[name].of)[found[name].unit]] for name in worlds.points
    }
    happens = {
        name: np.where(reached[name], programme, without)
        for name, (without, programme) in worlds.points.items()
    }
    sentenced = np.where(reached["offences"], worlds.custody[1], worlds.custody[0])
    return {
        "points": {name: found[name].keep(chosen) for name, chosen in happens.items()},
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
