"""What came about in a block of families, and what of it reaches the extract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.records.simulation.again import Again
from tfeval.records.simulation.justice import Disposals
from tfeval.records.simulation.population import Authorities, Population
from tfeval.records.simulation.processes import Candidates, Spells
from tfeval.records.simulation.programme import Course
from tfeval.records.simulation.school import SchoolTerms
from tfeval.records.simulation.supply import Coverage, Residence


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
