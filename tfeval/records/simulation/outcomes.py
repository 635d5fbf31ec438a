"""From two worlds to the tables of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tfeval.programme.outcomes import PROVEN_OUTCOMES
from tfeval.records.simulation import processes
from tfeval.records.simulation.population import Population
from tfeval.records.simulation.processes import YEAR, Candidates, Spells
from tfeval.records.simulation.programme import Course
from tfeval.records.simulation.school import CAUTIONED, CONVICTED, Disposals, SchoolTerms
from tfeval.records.simulation.settings import KINDS

# The truth of a simulation: both potential outcomes of everybody, at each horizon.

#: Months after the index date.
HORIZONS = (6, 12, 18, 24)


def add_months(day: np.ndarray, months: int) -> np.ndarray:
    """Return days some calendar months later, or the month's last day where it is shorter.

    Parameters
    ----------
    day : int array
        Days from 1970-01-01.
    months : int
        How many months later.

    Examples
    --------
    >>> end_of_august = np.datetime64("2013-08-31").astype(int)
    >>> add_months(np.array([end_of_august]), 6).astype("datetime64[D]").tolist()
    [datetime.date(2014, 2, 28)]
    """
    dates = np.asarray(day).astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    of_month = (dates - month.astype("datetime64[D]")).astype(np.int64)
    later = month + months
    longest = ((later + 1).astype("datetime64[D]") - later.astype("datetime64[D]")).astype(
        np.int64
    ) - 1
    first = later.astype("datetime64[D]").astype(np.int64)
    return (first + np.minimum(of_month, longest)).astype(np.int32)


def horizon_days(index: np.ndarray) -> np.ndarray:
    """Return the end of each horizon, itself excluded, as an array (n, 4) of days."""
    return np.column_stack([add_months(index, months) for months in HORIZONS])


def counted(
    unit: np.ndarray,
    day: np.ndarray,
    index: np.ndarray,
    ends: np.ndarray,
    n_units: int,
    *,
    since: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Return how many events (or how much of a weight) lie from the index date to each horizon.

    Parameters
    ----------
    unit, day : int array (m,)
        Whose event, and its day.
    index : int array (n,)
        Index date of each unit.
    ends : int array (n, 4)
        From `horizon_days`.
    n_units : int
        n.
    since : int array (m,), optional
        Day that must not lie before the index date, where it is not `day`: a term's first.
    weight : array (m,), optional
        What each event counts.

    Returns
    -------
    int array (n, 4)
    """
    inside = (day if since is None else since) >= index[unit]
    unit, day = unit[inside], day[inside]
    bin_of = (day[:, None] >= ends[unit]).sum(axis=1)
    width = len(HORIZONS) + 1
    weights = None if weight is None else weight[inside].astype(float)
    total = np.bincount(unit * np.int64(width) + bin_of, weights, minlength=n_units * width)
    return total.reshape(n_units, width)[:, :-1].cumsum(axis=1).astype(np.int32)


def covered(spells: Spells, index: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the days that spells cover from the index date to each horizon, and whether at it.

    Returns
    -------
    int array (n, 4), bool array (n, 4)
        Days, and whether a spell is open on the horizon's own day.
    """
    n = index.size
    near = (spells.end > index[spells.unit]) & (spells.start <= ends[spells.unit, -1])
    unit, start, end = spells.unit[near], spells.start[near], spells.end[near]
    begins = np.maximum(start, index[unit])
    days = np.empty((n, len(HORIZONS)), dtype=np.int32)
    at = np.empty((n, len(HORIZONS)), dtype=bool)
    for place in range(len(HORIZONS)):
        horizon = ends[unit, place]
        length = np.maximum(np.minimum(end, horizon) - begins, 0)
        days[:, place] = np.bincount(unit, length, minlength=n)
        at[:, place] = np.bincount(unit[(start <= horizon) & (end > horizon)], minlength=n) > 0
    return days, at


GROUPS = ("attached", "eligible", "below_threshold")
_PROVEN = tuple({"convicted": CONVICTED, "cautioned": CAUTIONED}[name] for name in PROVEN_OUTCOMES)
_SCHOOL = (
    "sessions_authorised",
    "sessions_unauthorised",
    "fixed_exclusions",
    "permanent_exclusions",
)
_DAYS = {"out_of_work": "out_of_work", "employment": "employed", "in_need": "in_need",
         "protection_plan": "protection_plan", "looked_after": "looked_after"}  # fmt: skip


@dataclass(frozen=True)
class Worlds:
    """Pairs: without, and with the programme.

    Attributes
    ----------
    points : dict of str to (bool array, bool array)
        Which candidates of each point process happen.
    custody : (bool array, bool array)
        Which candidate offences end in custody.
    spells : dict of str to (Spells, Spells)
        Spells of each kind.
    terms : SchoolTerms
        School terms, which hold both worlds.
    """

    points: dict[str, tuple[np.ndarray, np.ndarray]]
    custody: tuple[np.ndarray, np.ndarray]
    spells: dict[str, tuple[Spells, Spells]]
    terms: SchoolTerms


def truth_tables(
    people: Population,
    course: Course,
    pools: dict[str, Candidates],
    ends: Disposals,
    *,
    worlds: Worlds,
    last: int,
) -> dict[str, pa.Table]:
    """Return what was true: of families, and the outcomes of people and families.

    Horizons that end after the records (day `last`) have no row.
    """
    family = processes.text(people.family_id)
    by_person = _horizons(people.family, course, last)
    by_family = _horizons(np.arange(people.n_families), course, last)
    age = np.floor((course.index[people.family] - people.birth) / YEAR)
    return {
        "families": _families(people, course, family),
        "people_outcomes": _long(
            by_person,
            {
                "person_id": (processes.text(people.person_id), np.arange(people.n_people)),
                "family_id": (family, people.family),
            },
            {"age_at_index": age},
            [
                _person_outcomes(people, by_person, pools, ends, worlds=worlds, world=world)
                for world in (0, 1)
            ],
        ),
        "family_outcomes": _long(
            by_family,
            {"family_id": (family, np.arange(people.n_families))},
            {},
            [_family_outcomes(people, by_family, pools, worlds, w) for w in (0, 1)],
        ),
    }


@dataclass(frozen=True)
class _Horizons:
    """Index date (n,), ends of the horizons (n, 4), and which of them the records reach (n, 4)."""

    index: np.ndarray
    ends: np.ndarray
    reached: np.ndarray


def _horizons(family: np.ndarray, course: Course, last: int) -> _Horizons:
    index = course.index[family]
    ends = horizon_days(index)
    return _Horizons(index, ends, ends <= last + 1)


def _families(people: Population, course: Course, family: pa.Array) -> pa.Table:
    group = np.where(course.attached, 0, np.where(course.eligible, 1, 2))
    return pa.table(
        {
            "family_id": family,
            "group": processes.chosen(group, GROUPS),
            "kind": processes.chosen(people.kind, KINDS),
            "index_on": processes.dates(course.index),
            "identified_on": processes.dates(people.identified),
            "crisis_on": processes.dates(people.crisis, ~people.in_crisis),
            "need": people.need.astype(np.float32),
            "unrecorded": people.unrecorded.astype(np.float32),
            "worked_with": pa.array(course.attached & course.worked_with),
            "claimed_by_data_matching": pa.array(course.data_matched),
            "other_help": pa.array(people.helped),
        }
    )


def _person_outcomes(
    people: Population,
    at: _Horizons,
    pools: dict[str, Candidates],
    ends: Disposals,
    *,
    worlds: Worlds,
    world: int,
) -> dict[str, np.ndarray]:
    n = people.n_people

    def events(name: str, also: np.ndarray | None = None) -> np.ndarray:
        happens = worlds.points[name][world]
        one = pools[name].keep(happens if also is None else happens & also)
        return counted(one.unit, one.start, at.index, at.ends, n)

    sentenced = worlds.custody[world]
    outcomes = {
        "proven_offences": events("offences", np.isin(ends.outcome, _PROVEN)),
        "convictions": events("offences", ends.outcome == CONVICTED),
        "custody": counted(
            pools["offences"].unit[sentenced], ends.on[sentenced], at.index, at.ends, n
        ),
        "emergency_admissions": events("emergency_admissions"),
        "ae_attendances": events("ae_attendances"),
    }
    terms = worlds.terms
    for name, weight in (("sessions_possible", terms.possible), *(
        (name, terms.counts[world][name]) for name in _SCHOOL
    )):  # fmt: skip
        outcomes[name] = counted(
            terms.unit, terms.end, at.index, at.ends, n, since=terms.start, weight=weight
        )
    for process, name in _DAYS.items():
        days, open_then = covered(worlds.spells[process][world], at.index, at.ends)
        outcomes[f"{name}_days"], outcomes[f"{name}_at"] = days, open_then
    return outcomes


def _family_outcomes(
    people: Population, at: _Horizons, pools: dict[str, Candidates], worlds: Worlds, world: int
) -> dict[str, np.ndarray]:
    outcomes = {}
    for process, name in (("asb_incidents",) * 2, ("domestic_abuse", "domestic_abuse_incidents")):
        one = pools[process].keep(worlds.points[process][world])
        outcomes[name] = counted(one.unit, one.start, at.index, at.ends, people.n_families)
    return outcomes


def _long(
    at: _Horizons,
    keys: dict[str, tuple[pa.Array, np.ndarray]],
    facts: dict[str, np.ndarray],
    worlds: list[dict[str, np.ndarray]],
) -> pa.Table:
    """Return one row a unit and horizon, with y0_ and y1_ columns."""
    row, place = np.nonzero(at.reached)
    columns = {name: processes.chosen(index[row], values) for name, (values, index) in keys.items()}
    columns["horizon_months"] = pa.array(np.array(HORIZONS, dtype=np.int16)[place])
    for name, values in facts.items():
        columns[name] = pa.array(values[row].astype(np.int16))
    for number, world in enumerate(worlds):
        for name, values in world.items():
            kind = bool if values.dtype == bool else np.int16
            columns[f"y{number}_{name}"] = pa.array(values[row, place].astype(kind))
    return pa.table(columns)
