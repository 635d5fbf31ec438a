"""How offences end: proven or not, and in custody or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.records.schema import OFFENCE_OUTCOMES
from tfeval.records.simulation.population import Population
from tfeval.records.simulation.processes import YEAR, Candidates
from tfeval.records.simulation.worlds import Treatment

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


def disposals(found: Candidates, people: Population, rng: np.random.Generator) -> Disposals:
    """Draw how each candidate offence ends."""
    size = found.unit.size
    ending = rng.random(size)
    outcome = np.where(
        ending < _CONVICTED,
        CONVICTED,
        np.where(ending < _CONVICTED + _CAUTIONED, CAUTIONED, NOT_PROVEN),
    )
    delay = _SHORTEST_DELAY + rng.exponential(_MEAN_DELAY, size)
    young = _young(found, people)
    mean = np.where(young, _MEAN_SENTENCE["young"], _MEAN_SENTENCE["adult"])
    return Disposals(
        outcome=outcome,
        on=(found.start + delay).astype(np.int32),
        custody_mark=rng.random(size) / np.where(young, _CUSTODY_YOUNG, _CUSTODY_ADULT),
        days=(1 + rng.exponential(mean)).astype(np.int32),
    )


def custody(
    found: Candidates, ends: Disposals, people: Population, treatment: Treatment
) -> tuple[np.ndarray, np.ndarray]:
    """Return which candidate offences would end in custody, without and with the programme."""
    family = people.family[found.unit]
    without, programme = treatment.ratios("custody", family, found.start)
    convicted = ends.outcome == CONVICTED
    return convicted & (ends.custody_mark < without), convicted & (ends.custody_mark < programme)


def _young(found: Candidates, people: Population) -> np.ndarray:
    return found.start - people.birth[found.unit] < 18 * YEAR
