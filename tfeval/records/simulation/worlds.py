"""Two worlds from the same random numbers: never attached, and attached on the index date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.records.simulation.population import Authorities, Population, day_number, rates
from tfeval.records.simulation.processes import (
    MONTH,
    PROCESSES,
    YEAR,
    Candidates,
    Process,
    Spells,
    draw,
    merge,
    outside,
)
from tfeval.records.simulation.settings import KINDS, SimulationSettings

_WORK = ("out_of_work", "employment")


@dataclass(frozen=True)
class Treatment:
    """How the two worlds of a block of families differ; arrays by family (n,).

    Attributes
    ----------
    index : int array
        Day of attachment; where never attached, the day on which it would have been.
    kind : int array
        Index into `KINDS`.
    worked_with : bool array
        Whether attachment means work with the family; if not, both worlds are the same.
    helped : bool array
        Whether it gets other help where not attached.
    settings : SimulationSettings
        Effects.
    """

    index: np.ndarray
    kind: np.ndarray
    worked_with: np.ndarray
    helped: np.ndarray
    settings: SimulationSettings

    def full(self, outcome: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the log of the full ratio of each family: if never attached, if attached."""
        ratios = np.array([self.settings.ratio(outcome, kind) for kind in KINDS])
        programme = np.log(ratios)[self.kind]
        without = np.where(self.helped, self.settings.other_help_strength, 0.0) * programme
        return without, np.where(self.worked_with, programme, without)

    def ramp(self, family: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return how far an effect has been reached on a day, from 0 to 1."""
        months = (day - self.index[family]) / MONTH
        if not self.settings.effect_ramp_months:
            return (months >= 0).astype(float)
        return np.clip(months / self.settings.effect_ramp_months, 0.0, 1.0)

    def ratios(
        self, outcome: str, family: np.ndarray, day: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ratios to the usual rate on given days, without and with the programme."""
        without, programme = self.full(outcome)
        ramp = self.ramp(family, day)
        return np.exp(without[family] * ramp), np.exp(programme[family] * ramp)


def highest_ratio(outcome: str, settings: SimulationSettings) -> float:
    """Return the largest ratio that any world reaches, at least 1."""
    largest = max(1.0, *(settings.ratio(outcome, kind) for kind in KINDS))
    # Other help can be stronger than the programme, if the settings say so.
    return largest ** max(1.0, settings.other_help_strength)


def candidates(
    people: Population, areas: Authorities, settings: SimulationSettings, rng: np.random.Generator
) -> dict[str, Candidates]:
    """Draw all candidates of a block, at ages at which each process can happen."""
    window = (day_number(settings.records_from), day_number(settings.records_to))
    drawn = {}
    for name, process in PROCESSES.items():
        family = people.owner(process.of)
        height = settings.crisis_height * people.in_crisis[family]
        crisis = (people.crisis[family], height, settings.crisis_days)
        rate = rates(process, people, areas, settings) * max(process.youth, 1.0)
        highest = highest_ratio(name, settings)
        found = draw(process, rate, window=window, crisis=crisis, highest=highest, rng=rng)
        drawn[name] = _of_age(found, process, people, rng) if process.of == "person" else found
    return drawn


def _of_age(
    found: Candidates, process: Process, people: Population, rng: np.random.Generator
) -> Candidates:
    age = found.start - people.birth[found.unit]
    low, high = _limits(process)
    fit = (age >= low) & (age < high)
    if process.youth != 1.0:
        relative = np.where(age < 18 * YEAR, process.youth, 1.0) / max(process.youth, 1.0)
        fit &= rng.random(age.size) < relative
    return found.keep(fit)


def _limits(process: Process) -> tuple[int, int]:
    """Return the ages of a process in days, rounded inwards: calendar years differ by a day."""
    youngest, too_old = process.ages
    return int(np.ceil(youngest * YEAR)), int(too_old * YEAR)


def point_worlds(
    name: str, found: Candidates, people: Population, treatment: Treatment
) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidates of a point process happen, without and with the programme."""
    family = people.owner(PROCESSES[name].of)[found.unit]
    without, programme = treatment.ratios(name, family, found.start)
    return found.mark < without, found.mark < programme


def spell_worlds(
    found: dict[str, Candidates], people: Population, treatment: Treatment
) -> dict[str, tuple[Spells, Spells]]:
    """Return the spells of every spell process, without and with the programme.

    The ratio of rates bears on the beginning of spells, and on how long those last on that are
    open at the index date. Nobody is in work while on an out-of-work benefit.
    """
    spells = {
        name: _spells(process, found[name], people, treatment)
        for name, process in PROCESSES.items()
        if process.mean_days
    }
    work, jobs = (spells[name] for name in _WORK)
    spells["employment"] = (outside(jobs[0], work[0]), outside(jobs[1], work[1]))
    return spells


def _spells(
    process: Process, found: Candidates, people: Population, treatment: Treatment
) -> tuple[Spells, Spells]:
    family = people.family[found.unit]
    begins = treatment.ratios(process.name, family, found.start)
    index = treatment.index[family]
    end = found.start + found.length
    oldest = people.birth[found.unit] + _limits(process)[1]
    worlds = []
    for ratio, full in zip(begins, treatment.full(process.name), strict=True):
        lasts = index + (end - index) * np.exp(full[family])
        until = np.where((found.start < index) & (end > index), lasts, end)
        happens = found.mark < ratio
        stop = np.minimum(np.ceil(until), oldest).astype(np.int32)
        worlds.append(merge(found.unit[happens], found.start[happens], stop[happens]))
    return worlds[0], worlds[1]
