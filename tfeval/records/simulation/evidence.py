"""What the records show of a family before it was identified: the recorded part of selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.programme.phases import ABSENCE_AT_ENTRY, EXCLUSIONS_AT_ENTRY
from tfeval.records.simulation.population import Population
from tfeval.records.simulation.processes import YEAR, Candidates, Spells
from tfeval.records.simulation.school import SchoolTerms

#: Problems that records can show, in order.
PROBLEMS = ("crime", "school", "work", "children", "abuse", "health")


@dataclass(frozen=True)
class Evidence:
    """What the records of the year before identification show.

    Attributes
    ----------
    flags : bool array (n, 6)
        Whether each problem of `PROBLEMS` shows.
    score : float array (n,)
        Recorded need, about standard normal.
    """

    flags: np.ndarray
    score: np.ndarray


def evidence(
    found: dict[str, Candidates], spells: dict[str, Spells], terms: SchoolTerms, people: Population
) -> Evidence:
    """Return what the records show over the year before identification, in either world."""
    n = people.n_families
    until = people.identified
    since = until - int(YEAR)

    def events(name: str, owner: np.ndarray, young: bool = False) -> np.ndarray:
        one = found[name]
        family = owner[one.unit]
        inside = (one.mark < 1) & (one.start >= since[family]) & (one.start < until[family])
        if young:
            inside &= one.start - people.birth[one.unit] < 18 * YEAR
        return np.bincount(family[inside], minlength=n)

    def open_spell(name: str, lookback: int) -> np.ndarray:
        one = spells[name]
        family = people.family[one.unit]
        inside = (one.start < until[family]) & (one.end > until[family] - lookback)
        return np.bincount(family[inside], minlength=n)

    everyone = np.arange(n)
    crime = events("offences", people.family, True) + events("asb_incidents", everyone)
    abuse = events("domestic_abuse", everyone)
    health = events("emergency_admissions", people.family)
    work = open_spell("out_of_work", 1)
    care = sum(open_spell(k, int(YEAR)) for k in ("in_need", "protection_plan", "looked_after"))
    flags = np.column_stack(
        [crime > 0, _school_problem(terms, people), work > 0, care > 0, abuse > 0, health > 0]
    )
    total = sum(np.minimum(x, 4) for x in (crime, abuse, health, care, work))
    # About standard normal at the default settings.
    return Evidence(flags, (flags.sum(axis=1) - 2.4) / 1.3 * 0.6 + (total - 3.0) / 2.6 * 0.4)


def _school_problem(terms: SchoolTerms, people: Population) -> np.ndarray:
    family = people.family[terms.unit]
    before = (terms.end < people.identified[family]) & (
        terms.start >= people.identified[family] - int(YEAR)
    )
    rows = {k: v[before] for k, v in terms.counts[0].items()}
    unit = terms.unit[before]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(unit, values, minlength=people.n_people)

    problem = total(rows["sessions_unauthorised"]) >= ABSENCE_AT_ENTRY * np.maximum(
        total(terms.possible[before]), 1
    )
    problem |= total(rows["fixed_exclusions"]) >= EXCLUSIONS_AT_ENTRY
    problem |= total(rows["permanent_exclusions"] + terms.placed[before]) > 0
    return np.bincount(people.family[problem], minlength=people.n_families) > 0
