"""Worlds whose truth is known, and the simulators that make them: both are data, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.calls import public
from tfeval.cohort.cohort import cohort
from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError
from tfeval.programme.outcomes import outcome
from tfeval.records.simulation.events import LOCAL_TABLES
from tfeval.records.simulation.settings import PROCESS_NAMES, SimulationSettings
from tfeval.records.store import Records

if TYPE_CHECKING:
    from tfeval.records.simulate import SimulatedRecords


#: With no effect at all; with one on everything; with one in some kinds of family alone.
NONE, KNOWN, SOME = "none", "known", "some"
EFFECTS = {
    NONE: "no effect",
    KNOWN: "an effect on every outcome",
    SOME: "an effect in some families",
}
ALL_AUTHORITIES = 152
PHASE = "one"
#: Settings by which an extract has gaps, where one is imitated.
GAPS = ("missed_link_share", "no_data_share", "late_data_share", "late_months",
        "data_matched_share")  # fmt: skip


@dataclass(frozen=True)
class World:
    """One world: what is wrong in it.

    Attributes
    ----------
    words : str
        What goes wrong, for readers.
    effects : tuple of str
        Effects it is run with: `NONE`, `KNOWN`, `SOME`.
    treatment : str
        Which attachments the analyst counts as the treatment, a key of `TREATMENTS`.
    authorities : int
        How many authorities, drawn at random, send their families.
    """

    words: str
    effects: tuple[str, ...] = (NONE, KNOWN)
    treatment: str = "supported"
    authorities: int = ALL_AUTHORITIES


#: Worlds by key: each switches one thing on, the last two many. A new one is a row here, and its
#: settings (or why there are none) in each row of `SIMULATORS`.
WORLDS: dict[str, World] = {
    "nothing_wrong": World("nothing is wrong"),
    "crisis": World("families are identified at a crisis that fades"),
    "selection_recorded": World("families with more need on record are attached more often"),
    "selection_unrecorded": World("families with more need that nobody recorded are attached more"),
    "data_matching": World(
        "some are claimed after their records improved, and not counted as treated"
    ),
    "data_matching_claimed": World(
        "some are claimed after their records improved, and counted as treated", treatment="claimed"
    ),
    "informative_waits": World("how long families wait depends on their need"),
    "other_help": World("many families not attached get other help", effects=(KNOWN,)),
    "linkage_error": World("people are not found in a source, or are taken for somebody else"),
    "late_missing": World("authorities send a local table late, or never"),
    "authorities_56": World("56 of 152 authorities take part", authorities=56),
    "some_families": World("the programme works in some families alone", effects=(SOME,)),
    "staggered_entry": World("authorities begin at different times"),
    "study_2016": World(
        "much is as in the study of 2016: 56 authorities, all claimed counted, sources with gaps",
        treatment="claimed", authorities=56,
    ),
    "everything": World("much goes wrong together, as in the records of the other chapters"),
}  # fmt: skip


@dataclass(frozen=True)
class Simulator:
    """One simulator: where it is, and how it makes each world.

    Attributes
    ----------
    words : str
        For readers.
    where : str
        "module:function". It takes `families`, `seed` and settings by keyword, and returns
        `SimulatedRecords`.
    base : mapping
        Settings under which nothing is wrong.
    worlds : mapping of str to mapping or str
        By key of `WORLDS`, what a world changes of them; or in words why it cannot be made.
    effects : mapping of str to mapping
        Settings of each kind of effect.
    imitates : bool
        Whether it takes the settings of `imitation`.
    """

    words: str
    where: str
    base: Mapping[str, Any]
    worlds: Mapping[str, Mapping[str, Any] | str]
    effects: Mapping[str, Mapping[str, Any]]
    imitates: bool = False

    def simulate(self, **settings: Any) -> SimulatedRecords:
        """Simulate with these settings."""
        module, _, name = self.where.partition(":")
        return public(getattr(import_module(module), name))(**settings)


#: On what there is a known effect: a ratio of rates below 1, reached over six months.
_ON = ("absence", "exclusions", "offences", "custody", "asb_incidents", "out_of_work", "in_need",
       "protection_plan", "looked_after", "emergency_admissions", "ae_attendances",
       "domestic_abuse")  # fmt: skip
_FEWER = dict.fromkeys(_ON, 0.8)
# In the other simulator absence is unauthorised sessions, and exclusions are of two kinds.
_RENAMED = {"absence": ("sessions_unauthorised",),
            "exclusions": ("fixed_exclusions", "permanent_exclusions")}  # fmt: skip
_FEWER_STATES = {
    own: ratio for name, ratio in _FEWER.items() for own in _RENAMED.get(name, (name,))
}
_KINDS = ("crime", "school", "work")
_CRISIS = {"crisis_share": 0.6}
_LINKS = {"missed_link_share": 0.15, "false_link_share": 0.03}
# Phase one ends in 2015 and the records in 2017: what is so late is missing of its families.
_GAPS = {"no_data_share": 0.1, "late_data_share": 0.2, "late_months": (30, 54)}
_UNRECORDED = {"selection_unrecorded": 0.6, "unrecorded_loading": 0.3}

#: Simulators by key. A second one is one row.
SIMULATORS: dict[str, Simulator] = {
    "rates": Simulator(
        words="events by rates, both potential outcomes from the same draws (tfeval.simulate)",
        where="tfeval.records.simulate:simulate",
        imitates=True,
        base={
            "phase_shares": {PHASE: 1.0}, "records_to": date(2017, 6, 30),
            "selection_recorded": 0.0, "selection_unrecorded": 0.0, "crisis_share": 0.0,
            "other_help_share": 0.0, "no_data_share": 0.0, "late_data_share": 0.0,
            "missed_link_share": 0.0, "false_link_share": 0.0, "data_matched_share": 0.0,
            "move_share": 0.0, "again_share": 0.0,
        },
        worlds={
            "nothing_wrong": {},
            "crisis": _CRISIS,
            "selection_recorded": {"selection_recorded": 0.8},
            "selection_unrecorded": _UNRECORDED,
            "data_matching": {"data_matched_share": 0.2},
            "data_matching_claimed": {"data_matched_share": 0.2},
            "informative_waits": "in this simulator waits do not depend on the family",
            "other_help": {"other_help_share": 0.5, "other_help_strength": 0.6},
            "linkage_error": _LINKS,
            "late_missing": _GAPS,
            "authorities_56": {},
            "some_families": {},
            "staggered_entry": "in this simulator all authorities begin on one day",
            "study_2016": {
                **_CRISIS, **_LINKS, **_GAPS, "selection_recorded": 0.5,
                "selection_unrecorded": 0.25, "data_matched_share": 0.1, "move_share": 0.05,
            },
            "everything": {
                **_CRISIS, "selection_recorded": 0.5, "selection_unrecorded": 0.25,
                "other_help_share": 0.25, "no_data_share": 0.04, "late_data_share": 0.08,
                "missed_link_share": 0.05, "false_link_share": 0.01, "data_matched_share": 0.1,
                "move_share": 0.05, "again_share": 0.0,
            },
        },
        effects={
            NONE: {"effects": {}},
            KNOWN: {"effects": {**_FEWER, "employment": 1.2}},
            SOME: {"effects": {
                **{name: dict.fromkeys(_KINDS, ratio * 0.75) for name, ratio in _FEWER.items()},
                "employment": dict.fromkeys(_KINDS, 1.4),
            }},
        },
    ),
    "histories": Simulator(
        words="people passing between states week by week, families identified by their own "
        "records (tfeval.simulate_histories)",
        where="tfeval.records.simulate_histories:simulate_histories",
        base={"phase": PHASE, "crisis": 0.0},
        worlds={
            "nothing_wrong": {},
            "crisis": {"crisis": 4.0},
            "selection_recorded": {"selection_recorded": 0.8},
            "selection_unrecorded": {"selection_unrecorded": 0.8},
            "data_matching": {"data_matched": 0.5},
            "data_matching_claimed": {"data_matched": 0.5},
            "informative_waits": {"informative_waits": 0.8},
            "other_help": {"other_help": 0.5, "other_help_strength": 0.6},
            "linkage_error": {"missed_links": 0.1, "false_links": 0.02},
            "late_missing": {"late_authorities": 0.2, "missing_authorities": 0.1},
            "authorities_56": {},
            "some_families": {},
            "staggered_entry": {"entry_by_year": (0.5, 0.3, 0.2)},
            "study_2016": {
                "crisis": 4.0, "missed_links": 0.1, "false_links": 0.02, "late_authorities": 0.2,
                "missing_authorities": 0.1, "selection_recorded": 0.5,
                "selection_unrecorded": 0.25, "data_matched": 0.3, "moved": 0.05,
            },
            "everything": {
                "crisis": 4.0, "selection_recorded": 0.5, "selection_unrecorded": 0.25,
                "informative_waits": 0.4, "other_help": 0.25, "missed_links": 0.05,
                "false_links": 0.01, "late_authorities": 0.08, "missing_authorities": 0.04,
                "data_matched": 0.3, "moved": 0.05,
            },
        },
        effects={
            NONE: {"effects": {}},
            KNOWN: {"effects": {**_FEWER_STATES, "employment": 1.2}},
            SOME: {
                "effects": {name: ratio * 0.75 for name, ratio in _FEWER_STATES.items()}
                | {"employment": 1.4},
                "effect_share": 0.5,
            },
        },
    ),
}  # fmt: skip


# Settings of the simulator that imitate an extract; only counts and means of it are read.

#: Families of the simulation that the extract's means are set against, and rounds of it.
_FAMILIES, _ROUNDS = 6_000, 2
#: Waits of more days are long ones.
_LONG = 180.0
#: Fewest families whose means are taken.
_FEWEST = 10 * THRESHOLD


@dataclass(frozen=True)
class Aggregates:
    """What is read of an extract: counts and means over all families of phase one.

    Attributes
    ----------
    families, authorities : int
        Assessed in the phase, and where.
    attached, eligible, data_matched : float
        Shares of the families; of the attached, the share without a lead practitioner.
    wait, long_waits : float
        Mean days of waits up to 180 days, and the share of the attached that waited longer.
    children : float
        Mean number under 18 on the index date.
    rates : mapping of str to float
        Mean over the twelve months before the index date, a family, by outcome.
    missed_links : float
        Share of people not found in a source.
    no_data, late_data : float
        Shares of authorities that sent nothing of a local table, or whose records of it stop
        before those of most.
    late_months : (int, int)
        How early these stop.
    """

    families: int
    authorities: int
    attached: float
    eligible: float
    data_matched: float
    wait: float
    long_waits: float
    children: float
    rates: Mapping[str, float]
    missed_links: float = 0.0
    no_data: float = 0.0
    late_data: float = 0.0
    late_months: tuple[int, int] = (0, 0)


def aggregates(records: Records) -> Aggregates:
    """Read the counts and means of an extract.

    Parameters
    ----------
    records : Records

    Raises
    ------
    DataError
        If it holds fewer than a hundred families of phase one: means of so few tell of each.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> found = aggregates(simulate(families=900, seed=1, phase_shares={"one": 1.0}).records)
    >>> found.families, 0.2 < found.attached < 0.3, found.rates["asb_incidents"] > 0
    (900, True, True)
    """
    families = cohort(records, phase=PHASE, horizon=6, treatment="claimed")
    steps = families.flow.set_index("step")
    assessed, attached, eligible = (
        int(steps[arm].iloc[place])
        for arm, place in (("treated", 0), ("treated", 1), ("comparison", 1))
    )
    if min(assessed, attached, eligible) < _FEWEST:
        raise DataError(
            f"The extract holds fewer than {_FEWEST} families of phase one, attached or eligible: "
            "too few to imitate. Name a larger one."
        )
    frame = families.to_pandas()
    own = records.rows("families")
    own = own.filter(own["phase"] == PHASE)
    matched = own.filter(own["attached_on"].notnull() & own["lead_practitioner_on"].isnull())
    waits = frame.loc[frame["treated"] == 1, "days_identified"]
    before = families.baseline()
    return Aggregates(
        families=assessed,
        authorities=int(own["local_authority"].nunique().execute()),
        attached=attached / assessed,
        eligible=eligible / assessed,
        data_matched=int(matched.count().execute()) / attached,
        wait=float(waits[waits <= _LONG].mean()),
        long_waits=float((waits > _LONG).mean()),
        children=float(frame["children"].mean()),
        rates={name: float(before[name].mean()) for name in _imitated() if name in before},
        missed_links=_missed(records),
        **_gaps(records),
    )


def _imitated() -> list[str]:
    return [name for name in PROCESS_NAMES if outcome(name).in_cohort]


def _missed(records: Records) -> float:
    people = records.rows("people")
    shares = [
        float(1 - people[name].cast("int8").mean().execute())
        for name in ("linked_school", "linked_benefits") if name in people.columns
    ]  # fmt: skip
    known = [share for share in shares if not np.isnan(share)]
    return float(np.mean(known)) if known else 0.0


def _gaps(records: Records) -> dict[str, Any]:
    """Return which share of authorities sent nothing of a local table, or stopped early."""
    if "coverage" not in records.tables:
        return {}
    cover = records.rows("coverage").to_pandas()
    everywhere = cover["local_authority"].nunique()
    local = cover[cover["source_table"].isin(LOCAL_TABLES)]
    tables = local["source_table"].nunique()
    if not everywhere or not tables:
        return {}
    days = pd.to_datetime(local["covered_to"])
    early = (days.max() - days).dt.days / 30.4
    late = early[early > 1]
    months = (int(late.quantile(0.1)), int(np.ceil(late.quantile(0.9)))) if len(late) else (0, 0)
    return {
        "no_data": 1 - len(local) / (everywhere * tables),
        "late_data": len(late) / (everywhere * tables),
        "late_months": months,
    }


def imitation(extract: Aggregates, simulator: str = "rates", seed: int = 1) -> dict[str, Any]:
    """Return settings under which simulated records have an extract's counts and means.

    Parameters
    ----------
    extract : Aggregates
        Of the extract.
    simulator : str, default "rates"
        A key of `SIMULATORS`; only those that call `tfeval.simulate` can imitate.
    seed : int, default 1
        Of the simulations that means are set against.

    Returns
    -------
    dict
        Settings over those of the base, and `authorities`.

    Notes
    -----
    Rates and the number of children are set by simulating as the world "everything" does, and
    multiplying each by what is lacking, twice. Absence from school is not imitated.
    """
    usual = SimulationSettings()
    changes: dict[str, Any] = {
        "authorities": min(extract.authorities, ALL_AUTHORITIES),
        "attached_share": extract.attached,
        "eligible_share": max(extract.eligible, extract.attached),
        "waiting_share": extract.long_waits,
        # The mean of those up to the limit is below that of the distribution they are cut from.
        "wait_days": max(extract.wait, 1.0) if np.isfinite(extract.wait) else usual.wait_days,
        "missed_link_share": extract.missed_links,
        "no_data_share": extract.no_data,
        "late_data_share": extract.late_data,
        "late_months": extract.late_months,
        "data_matched_share": extract.data_matched,
        "rate_ratios": dict.fromkeys(extract.rates, 1.0),
        "more_children": usual.more_children,
    }
    row = SIMULATORS[simulator]
    own = row.worlds["everything"]
    for _ in range(_ROUNDS):
        settings = {
            **row.base,
            **(own if isinstance(own, Mapping) else {}),
            **row.effects["none"],
            **{name: value for name, value in changes.items() if name != "authorities"},
        }
        mine = aggregates(row.simulate(families=_FAMILIES, seed=seed, **settings).records)
        ratios = changes["rate_ratios"]
        changes["rate_ratios"] = {
            name: float(np.clip(ratios[name] * _ratio(value, mine.rates.get(name, 0.0)), 0.05, 20))
            for name, value in extract.rates.items()
        }
        more = changes["more_children"] + extract.children - mine.children
        changes["more_children"] = float(np.clip(more, 0.0, 5.0))
    return changes


def _ratio(wanted: float, mine: float) -> float:
    known = np.isfinite(wanted) and wanted > 0 and mine > 0
    return float(wanted / mine) if known else 1.0
