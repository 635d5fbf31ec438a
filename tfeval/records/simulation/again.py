"""Families of one phase that are identified and attached again in the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.programme.programmes import programmes
from tfeval.records.schema import ALL_CRITERIA
from tfeval.records.simulation.population import Population, day_number
from tfeval.records.simulation.processes import MONTH
from tfeval.records.simulation.programme import Course
from tfeval.records.simulation.settings import SimulationSettings

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
