"""School terms: absence and exclusions of each pupil, in both worlds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.records.schema import OFFENCE_OUTCOMES
from tfeval.records.simulation.population import (
    SCHOOL_KIND,
    Authorities,
    Population,
    Treatment,
    day_number,
    family_risk,
)
from tfeval.records.simulation.processes import YEAR, Candidates
from tfeval.records.simulation.settings import SimulationSettings

# How offences end: proven or not, and in custody or not.

# Shares of outcomes and of custody given a conviction are assumptions; those of custody are set
# so that its frequency comes near the published one (see `processes.PROCESSES`).
_CONVICTED, _CAUTIONED = 0.55, 0.25
_CUSTODY_YOUNG, _CUSTODY_ADULT = 0.13, 0.27
_MEAN_DELAY, _SHORTEST_DELAY = 80.0, 7
_MEAN_SENTENCE = {"young": 120.0, "adult": 200.0}
CONVICTED, CAUTIONED, NOT_PROVEN, PENDING = range(len(OFFENCE_OUTCOMES))


@dataclass(frozen=True)
class Disposals:
    """How each candidate offence would end; arrays (m,).

    Attributes
    ----------
    outcome : int array
        Index into `OFFENCE_OUTCOMES`, once it has ended.
    on : int array
        Day on which it ends.
    custody_mark : float array
        Uniform over the highest ratio, below the chance of custody where convicted.
    days : int array
        Length of the sentence, if custodial.
    """

    outcome: np.ndarray
    on: np.ndarray
    custody_mark: np.ndarray
    days: np.ndarray

    def keep(self, chosen: np.ndarray) -> Disposals:
        """Return some of them."""
        return Disposals(
            self.outcome[chosen], self.on[chosen], self.custody_mark[chosen], self.days[chosen]
        )


def disposals(offences: Candidates, people: Population, rng: np.random.Generator) -> Disposals:
    """Draw how each candidate offence ends."""
    size = offences.unit.size
    ending = rng.random(size)
    outcome = np.where(
        ending < _CONVICTED,
        CONVICTED,
        np.where(ending < _CONVICTED + _CAUTIONED, CAUTIONED, NOT_PROVEN),
    )
    delay = _SHORTEST_DELAY + rng.exponential(_MEAN_DELAY, size)
    young = _young(offences, people)
    mean = np.where(young, _MEAN_SENTENCE["young"], _MEAN_SENTENCE["adult"])
    return Disposals(
        outcome=outcome,
        on=(offences.start + delay).astype(np.int32),
        custody_mark=rng.random(size) / np.where(young, _CUSTODY_YOUNG, _CUSTODY_ADULT),
        days=(1 + rng.exponential(mean)).astype(np.int32),
    )


def custody(
    offences: Candidates, ends: Disposals, people: Population, treatment: Treatment
) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidate offences would end in custody, without and with the programme."""
    family = people.family[offences.unit]
    without, programme = treatment.ratios("custody", family, offences.start)
    convicted = ends.outcome == CONVICTED
    return convicted & (ends.custody_mark < without), convicted & (ends.custody_mark < programme)


def _young(offences: Candidates, people: Population) -> np.ndarray:
    return offences.start - people.birth[offences.unit] < 18 * YEAR


#: Terms of the school year: first and last day (month, day) and sessions (half days).
_TERMS = (((1, 5), (3, 31), 118), ((4, 16), (7, 22), 124), ((9, 3), (12, 20), 142))
# Means of the families' pupils. No comparison rate was published: assumptions, high against the
# general school population because school problems are a way into the programme.
_AUTHORISED = 0.045
_UNAUTHORISED = 0.035
_FIXED = 0.06
_PERMANENT = 0.0010
_ROW_SPREAD = 0.6
_SECONDARY_AGE = 11
_COUNTS = (
    "sessions_authorised",
    "sessions_unauthorised",
    "fixed_exclusions",
    "permanent_exclusions",
)


@dataclass(frozen=True)
class SchoolTerms:
    """Pupils' terms in pupil and date order; arrays (m,).

    Attributes
    ----------
    unit : int array
        Index of the person.
    start, end : int array
        First and last day of term.
    possible : int array
        Sessions.
    counts : tuple of two dicts of int arrays
        Absences and exclusions, without and with the programme.
    placed, meals, needs : bool array
        Was in alternative provision from the beginning; free school meals; special needs.
    """

    unit: np.ndarray
    start: np.ndarray
    end: np.ndarray
    possible: np.ndarray
    counts: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    placed: np.ndarray
    meals: np.ndarray
    needs: np.ndarray


@dataclass(frozen=True)
class SchoolDraws:
    """Pupils' terms before either world: usual means and the random numbers common to both."""

    unit: np.ndarray
    start: np.ndarray
    end: np.ndarray
    possible: np.ndarray
    usual: dict[str, np.ndarray]
    dither: dict[str, np.ndarray]
    placed: np.ndarray
    meals: np.ndarray
    needs: np.ndarray


def school_draws(
    people: Population, areas: Authorities, settings: SimulationSettings, rng: np.random.Generator
) -> SchoolDraws:
    """Draw the terms of everybody who is of school age and role child in them."""
    start, end, sessions = _calendar(settings)
    pupils = np.flatnonzero(people.role == 2).astype(np.int32)
    age = (start[None, :] - people.birth[pupils][:, None]) / YEAR
    at, term = np.nonzero((age >= 5) & (age < 16))
    # A pupil is now and then on no roll for a term.
    enrolled = rng.random(at.size) > 0.02
    at, term = at[enrolled], term[enrolled]
    unit = pupils[at]
    chance = rng.random((3, people.n_people))
    poor = 0.35 + 0.08 * np.clip(people.need, -2, 2)[people.family]
    return SchoolDraws(
        unit=unit,
        start=start[term],
        end=end[term],
        possible=sessions[term] - rng.integers(0, 6, unit.size, dtype=np.int32),
        usual=_means(
            people, areas, settings, unit=unit, start=start[term], age=age[at, term], rng=rng
        ),
        dither={name: rng.random(unit.size, dtype=np.float32) for name in _COUNTS},
        placed=chance[0][unit] < 0.012,
        meals=(chance[1] < poor)[unit],
        needs=chance[2][unit] < 0.22,
    )


def _calendar(settings: SimulationSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, last = day_number(settings.records_from), day_number(settings.records_to)
    rows = []
    for year in range(settings.records_from.year, settings.records_to.year + 1):
        for begin, finish, sessions in _TERMS:
            start = day_number(f"{year}-{begin[0]:02d}-{begin[1]:02d}")
            end = day_number(f"{year}-{finish[0]:02d}-{finish[1]:02d}")
            if start >= first and end <= last:
                rows.append((start, end, sessions))
    start, end, sessions = np.array(rows, dtype=np.int32).T
    return start, end, sessions


def _means(
    people: Population,
    areas: Authorities,
    settings: SimulationSettings,
    *,
    unit: np.ndarray,
    start: np.ndarray,
    age: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the usual shares of sessions missed, and exclusions a term."""
    family = people.family[unit]
    own = np.exp(settings.frailty * people.frailty - settings.frailty**2 / 2)[unit]
    risk = np.exp(family_risk("school", SCHOOL_KIND, people, areas, settings))[family] * own
    since = start + 40 - people.crisis[family]
    fading = np.exp(-np.maximum(since, 0) / max(settings.crisis_days, 1e-9)) * (since >= 0)
    risk *= 1 + 0.5 * settings.crisis_height * people.in_crisis[family] * fading
    noise = rng.standard_normal(unit.size, dtype=np.float32) * np.float32(_ROW_SPREAD)
    risk *= np.exp(noise - np.float32(_ROW_SPREAD**2 / 2))
    older = np.where(age >= _SECONDARY_AGE, 1.5, 0.4)
    return {
        "sessions_authorised": _AUTHORISED * np.sqrt(risk),
        "sessions_unauthorised": _UNAUTHORISED * risk * np.sqrt(older),
        "fixed_exclusions": _FIXED * risk * older,
        "permanent_exclusions": _PERMANENT * risk * older,
    }


def school_terms(draws: SchoolDraws, people: Population, treatment: Treatment) -> SchoolTerms:
    """Return the terms in both worlds.

    A count is the whole part of its mean plus a uniform number, the same in both worlds: its mean
    is exact, and with no effect the worlds are equal. Absence cannot exceed the sessions possible.
    """
    family = people.family[draws.unit]
    absence = treatment.ratios("absence", family, draws.start)
    exclusion = treatment.ratios("exclusions", family, draws.start)
    worlds = []
    for missed, excluded in zip(absence, exclusion, strict=True):
        mean = {
            "sessions_authorised": draws.usual["sessions_authorised"] * missed * draws.possible,
            "sessions_unauthorised": draws.usual["sessions_unauthorised"] * missed * draws.possible,
            "fixed_exclusions": draws.usual["fixed_exclusions"] * excluded,
            "permanent_exclusions": np.minimum(draws.usual["permanent_exclusions"] * excluded, 0.5),
        }
        counts = {k: (mean[k] + draws.dither[k]).astype(np.int32) for k in _COUNTS}
        unauthorised = np.minimum(counts["sessions_unauthorised"], draws.possible)
        counts["sessions_unauthorised"] = unauthorised
        counts["sessions_authorised"] = np.minimum(
            counts["sessions_authorised"], draws.possible - unauthorised
        )
        worlds.append(counts)
    return SchoolTerms(
        draws.unit, draws.start, draws.end, draws.possible, (worlds[0], worlds[1]),
        draws.placed, draws.meals, draws.needs,
    )  # fmt: skip


def in_alternative_provision(terms: SchoolTerms, permanent: np.ndarray) -> np.ndarray:
    """Return whether each term is spent in alternative provision: placed, or excluded before."""
    total = np.cumsum(permanent) - permanent
    head = np.ones(terms.unit.size, dtype=bool)
    head[1:] = terms.unit[1:] != terms.unit[:-1]
    before = np.maximum.accumulate(np.where(head, total, 0))
    return terms.placed | (total > before)
