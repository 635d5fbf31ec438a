"""Families and their people: who they are before anything happens to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.programme.programmes import programmes
from tfeval.programme.published import published
from tfeval.records.schema import PHASES, authority_codes
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

#: Families an authority has on average, by its kind, relative to a unitary one: an assumption.
_SIZE = {"county": 3.0, "metropolitan": 2.0, "london_borough": 1.3, "unitary": 1.0}
_KIND_SHARES = (0.18, 0.18, 0.22, 0.16, 0.14, 0.12)
_MOST_CHILDREN = 8
_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
#: Problems other than the processes, whose rates are of the same making.
SCHOOL_KIND = "school"


def day_number(value: object) -> int:
    """Return a date as days from 1970-01-01."""
    return int(np.datetime64(str(value), "D").astype(np.int64))


@dataclass(frozen=True)
class Authorities:
    """The 152 authorities and their random effects, the same in every block.

    Attributes
    ----------
    codes : str array (152,)
        ONS codes in order.
    share : float array (152,)
        Shares of the families.
    rate : dict of str to float array (152,)
        Effects on the log rate of each process, and of "school".
    selection : float array (152,)
        Effects on the log odds of attachment.
    """

    codes: np.ndarray
    share: np.ndarray
    rate: dict[str, np.ndarray]
    selection: np.ndarray


def authorities(settings: SimulationSettings, rng: np.random.Generator) -> Authorities:
    """Draw the authorities' sizes and effects."""
    codes = np.array(authority_codes())
    kind = published("local_authorities").set_index("code")["kind"].loc[codes]
    size = kind.map(_SIZE).to_numpy() * np.exp(rng.normal(0, 0.4, codes.size))
    names = [*PROCESSES, SCHOOL_KIND]
    return Authorities(
        codes=codes,
        share=size / size.sum(),
        rate={name: rng.normal(0, settings.authority_sd, codes.size) for name in names},
        selection=rng.normal(0, settings.authority_selection_sd, codes.size),
    )


@dataclass(frozen=True)
class Population:
    """One block of families and their people; arrays by family (n,) or person (p,).

    Attributes
    ----------
    family_id, person_id : array of bytes
        Made-up pseudonyms of 26 characters (130 bits).
    authority, phase, kind : int array (n,)
        Index of the authority; index into `PHASES`; index into `KINDS`.
    need, unrecorded : float array (n,)
        Standard normal: what raises bad outcomes, and the confounder that no record shows.
    identified, crisis : int array (n,)
        Days of identification, and on which the crisis before it began.
    in_crisis, helped : bool array (n,)
        Whether it was identified at a crisis; whether it gets other help where not attached.
    wait : float array (n,)
        Days from identification until attachment, if it is attached.
    family : int array (p,)
        Each person's family, ascending.
    birth : int array (p,)
        First day of the month of birth.
    role : int array (p,)
        Index into `ROLES`.
    female : bool array (p,)
        Sex.
    frailty : float array (p,)
        Standard normal, the person's own.
    """

    family_id: np.ndarray
    person_id: np.ndarray
    authority: np.ndarray
    phase: np.ndarray
    kind: np.ndarray
    need: np.ndarray
    unrecorded: np.ndarray
    identified: np.ndarray
    crisis: np.ndarray
    in_crisis: np.ndarray
    helped: np.ndarray
    wait: np.ndarray
    family: np.ndarray
    birth: np.ndarray
    role: np.ndarray
    female: np.ndarray
    frailty: np.ndarray

    @property
    def n_families(self) -> int:
        """How many families."""
        return self.need.size

    @property
    def n_people(self) -> int:
        """How many people."""
        return self.family.size

    def owner(self, of: str) -> np.ndarray:
        """Return the family of each unit of a process."""
        return self.family if of == "person" else np.arange(self.n_families)


def population(
    size: int, settings: SimulationSettings, areas: Authorities, rng: np.random.Generator
) -> Population:
    """Draw a block of families."""
    phase = _phases(rng.random(size), settings)
    identified = _identified(phase, settings, rng)
    people = _people(size, identified, settings, rng)
    number = people["family"].size
    long_wait = rng.uniform(*settings.long_wait_days, size)
    wait = np.where(
        rng.random(size) < settings.waiting_share,
        long_wait,
        rng.exponential(settings.wait_days, size),
    )
    return Population(
        family_id=pseudonyms(size, rng),
        person_id=pseudonyms(number, rng),
        authority=rng.choice(areas.codes.size, size, p=areas.share),
        phase=phase,
        kind=rng.choice(len(KINDS), size, p=_KIND_SHARES),
        need=rng.standard_normal(size),
        unrecorded=rng.standard_normal(size),
        identified=identified,
        crisis=(identified - rng.exponential(settings.crisis_lag_days, size)).astype(np.int32),
        in_crisis=rng.random(size) < settings.crisis_share,
        helped=rng.random(size) < settings.other_help_share,
        wait=wait,
        frailty=rng.standard_normal(number),
        **people,
    )


def _phases(chance: np.ndarray, settings: SimulationSettings) -> np.ndarray:
    """Return each family's phase: the later phases have the lowest numbers drawn."""
    shares = [settings.phase_shares.get(name, 0.0) for name in PHASES]
    edges = np.cumsum(shares[:0:-1])
    return (len(PHASES) - 1 - np.searchsorted(edges, chance, side="right")).astype(np.int8)


def _identified(
    phase: np.ndarray, settings: SimulationSettings, rng: np.random.Generator
) -> np.ndarray:
    """Draw days of identification: spread over the phase, and early enough for 24 months."""
    limit = day_number(settings.records_to) - int(26 * MONTH)
    identified = np.zeros(phase.size, dtype=np.int32)
    for number, (name, rules) in enumerate(programmes().items()):
        # Drawn for every phase that the settings name, so that shares do not change the draws.
        if name in settings.phase_shares:
            first = day_number(rules.start)
            last = max(first + 30, min(day_number(rules.end) - 150, limit))
            days = rng.integers(first, last, phase.size, dtype=np.int32)
            identified = np.where(phase == number, days, identified)
    return identified


def _people(
    size: int, identified: np.ndarray, settings: SimulationSettings, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw one or two carers, now and then another adult, and one to eight children."""
    carers = 1 + (rng.random(size) < 0.42)
    others = (rng.random(size) < 0.08).astype(int)
    children = np.minimum(1 + rng.poisson(settings.more_children, size), _MOST_CHILDREN)
    total = carers + others + children
    family = np.repeat(np.arange(size, dtype=np.int32), total)
    place = np.arange(family.size) - np.repeat(np.cumsum(total) - total, total)
    role = np.where(place < carers[family], 0, np.where(place < (carers + others)[family], 1, 2))
    age = rng.uniform(0.0, 17.5, family.size)
    oldest = np.zeros(size)
    np.maximum.at(oldest, family, np.where(role == 2, age, 0.0))
    # A carer is at least 16 years older than the oldest child.
    older = 16 + rng.gamma(4.0, 2.5, family.size)
    age = np.where(role == 0, oldest[family] + older, age)
    age = np.where(role == 1, rng.uniform(18.0, 70.0, family.size), age)
    born = identified[family] - (age * YEAR).astype(np.int32)
    female = rng.random(family.size) < np.where((role == 0) & (place == 0), 0.88, 0.5)
    female &= ~((role == 0) & (place == 1))
    return {
        "family": family,
        "birth": born.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
        .astype(np.int32),
        "role": role.astype(np.int8),
        "female": female,
    }  # fmt: skip


def pseudonyms(number: int, rng: np.random.Generator) -> np.ndarray:
    """Return made-up pseudonyms, as long as those of `pseudonymise`, as bytes."""
    letters = rng.integers(0, 32, (number, 26), dtype=np.uint8)
    return np.ascontiguousarray(_BASE32[letters]).view("S26").ravel()


def rates(
    process: Process, people: Population, areas: Authorities, settings: SimulationSettings
) -> np.ndarray:
    """Return the usual rate of a process, events a year, of each family or person.

    The multipliers have mean one over families, so `per_year`, times what the settings make of
    it, stays the mean.
    """
    family = people.owner(process.of)
    log_rate = process.loading * family_risk(process.name, process.kind, people, areas, settings)
    mean = process.per_year * settings.rate_ratios.get(process.name, 1.0)
    rate = mean * np.exp(log_rate[family])
    if process.of == "person":
        spread = settings.frailty
        rate *= np.exp(spread * people.frailty - spread**2 / 2)
    return rate


def family_risk(
    name: str, kind: str, people: Population, areas: Authorities, settings: SimulationSettings
) -> np.ndarray:
    """Return the log of each family's multiplier of a rate, with mean one over families."""
    variance = settings.need_loading**2 + settings.unrecorded_loading**2 + settings.authority_sd**2
    lift = np.log(settings.kind_ratio) if kind else 0.0
    share = _KIND_SHARES[KINDS.index(kind)] if kind else 0.0
    return (
        settings.need_loading * people.need
        + settings.unrecorded_loading * people.unrecorded
        + areas.rate[name][people.authority]
        + lift * (people.kind == (KINDS.index(kind) if kind else -1))
        - variance / 2
        - np.log(1 + share * (np.exp(lift) - 1))
    )


# Two worlds from the same random numbers: never attached, and attached on the index date.

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
        pool = draw(process, rate, window=window, crisis=crisis, highest=highest, rng=rng)
        drawn[name] = _of_age(pool, process, people, rng) if process.of == "person" else pool
    return drawn


def _of_age(
    pool: Candidates, process: Process, people: Population, rng: np.random.Generator
) -> Candidates:
    age = pool.start - people.birth[pool.unit]
    low, high = _limits(process)
    fit = (age >= low) & (age < high)
    if process.youth != 1.0:
        relative = np.where(age < 18 * YEAR, process.youth, 1.0) / max(process.youth, 1.0)
        fit &= rng.random(age.size) < relative
    return pool.keep(fit)


def _limits(process: Process) -> tuple[int, int]:
    """Return the ages of a process in days, rounded inwards: calendar years differ by a day."""
    youngest, too_old = process.ages
    return int(np.ceil(youngest * YEAR)), int(too_old * YEAR)


def point_worlds(
    name: str, pool: Candidates, people: Population, treatment: Treatment
) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidates of a point process happen, without and with the programme."""
    family = people.owner(PROCESSES[name].of)[pool.unit]
    without, programme = treatment.ratios(name, family, pool.start)
    return pool.mark < without, pool.mark < programme


def spell_worlds(
    pools: dict[str, Candidates], people: Population, treatment: Treatment
) -> dict[str, tuple[Spells, Spells]]:
    """Return the spells of every spell process, without and with the programme.

    The ratio of rates bears on the beginning of spells, and on how long those last on that are
    open at the index date. Nobody is in work while on an out-of-work benefit.
    """
    spells = {
        name: _spells(process, pools[name], people, treatment)
        for name, process in PROCESSES.items()
        if process.mean_days
    }
    work, jobs = (spells[name] for name in _WORK)
    spells["employment"] = (outside(jobs[0], work[0]), outside(jobs[1], work[1]))
    return spells


def _spells(
    process: Process, pool: Candidates, people: Population, treatment: Treatment
) -> tuple[Spells, Spells]:
    family = people.family[pool.unit]
    begins = treatment.ratios(process.name, family, pool.start)
    index = treatment.index[family]
    end = pool.start + pool.length
    oldest = people.birth[pool.unit] + _limits(process)[1]
    worlds = []
    for ratio, full in zip(begins, treatment.full(process.name), strict=True):
        lasts = index + (end - index) * np.exp(full[family])
        until = np.where((pool.start < index) & (end > index), lasts, end)
        happens = pool.mark < ratio
        stop = np.minimum(np.ceil(until), oldest).astype(np.int32)
        worlds.append(merge(pool.unit[happens], pool.start[happens], stop[happens]))
    return worlds[0], worlds[1]
