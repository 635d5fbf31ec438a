"""Worlds whose truth is known, and the simulators that make them: both are data, one row each."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from tfeval.errors import ParameterError, suggest

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
    "everything": World("much goes wrong together, as in the simulated records of the other chapters"),
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
    """

    words: str
    where: str
    base: Mapping[str, Any]
    worlds: Mapping[str, Mapping[str, Any] | str]
    effects: Mapping[str, Mapping[str, Any]]

    def simulate(self, **settings: Any) -> SimulatedRecords:
        """Simulate with these settings."""
        module, _, name = self.where.partition(":")
        return getattr(import_module(module), name)(**settings)


#: On what there is a known effect: a ratio of rates below 1, reached over six months.
_ON = ("absence", "exclusions", "offences", "custody", "asb_incidents", "out_of_work", "in_need",
       "protection_plan", "looked_after", "emergency_admissions", "ae_attendances",
       "domestic_abuse")  # fmt: skip
_FEWER = dict.fromkeys(_ON, 0.8)
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
        base={
            "phase_shares": {"one": 1.0}, "records_to": date(2017, 6, 30),
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
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One replication of one world: all that decides its numbers, and nothing else.

    Attributes
    ----------
    simulator, world, effects : str
        Keys of `SIMULATORS` and `WORLDS`, and one of the world's effects.
    families : int
        In the records.
    seed : int
        Of the audit.
    replication : int
        From 0.
    """

    simulator: str
    world: str
    effects: str
    families: int
    seed: int
    replication: int

    @property
    def drawn_from(self) -> int:
        """Seed of this replication: the same with and without an effect, in any order of work."""
        words = [self.seed, zlib.crc32(self.world.encode()), self.replication]
        return int(np.random.SeedSequence(words).generate_state(1)[0])


def tasks(
    *,
    worlds: tuple[str, ...] = (),
    effects: tuple[str, ...] = (),
    simulators: tuple[str, ...] = ("rates",),
    replications: int,
    families: int,
    seed: int,
) -> list[Task]:
    """Return the replications of worlds, the first of all worlds before the second of any.

    Parameters
    ----------
    worlds, effects : tuple of str
        By default all that the simulator can make.
    simulators : tuple of str
        Keys of `SIMULATORS`.
    replications, families, seed : int
        As in `Task`.

    Raises
    ------
    ParameterError
        If a name is unknown, a number not positive, or a named world cannot be made.

    Examples
    --------
    >>> made = tasks(worlds=("crisis",), replications=2, families=400, seed=1)
    >>> [(one.effects, one.replication) for one in made]
    [('none', 0), ('known', 0), ('none', 1), ('known', 1)]
    """
    named: list[tuple[Iterable[str], Iterable[str]]] = [
        (simulators, SIMULATORS), (worlds, WORLDS), (effects, EFFECTS),
    ]  # fmt: skip
    for given, known in named:
        for name in given:
            if name not in set(known):
                raise ParameterError(f'The audit knows no "{name}". {suggest(name, known)}')
    if replications < 1 or families < 1 or seed < 0:
        raise ParameterError("An audit needs a replication and a family at least, and no seed < 0.")
    made = []
    for simulator in simulators:
        offered = SIMULATORS[simulator].worlds
        for world in worlds or WORLDS:
            reason = offered.get(world, "not in the simulator's row")
            if not isinstance(reason, str):
                made += [(simulator, world, one) for one in WORLDS[world].effects
                         if not effects or one in effects]  # fmt: skip
            elif worlds:
                raise ParameterError(f'Simulator "{simulator}" cannot make "{world}": {reason}.')
    return [Task(*names, families, seed, number)
            for number in range(replications) for names in made]  # fmt: skip


def settings_of(task: Task, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return all that a replication's simulator is asked for, and `authorities`.

    Parameters
    ----------
    task : Task
    changes : mapping, optional
        Settings that imitate an extract, over those of the base; `authorities` is how many it has.

    Raises
    ------
    ParameterError
        If the simulator cannot make the world.

    Examples
    --------
    >>> settings_of(Task("rates", "authorities_56", "none", 560, 1, 0))["families"]
    1520
    """
    simulator, world = SIMULATORS[task.simulator], WORLDS[task.world]
    own = simulator.worlds[task.world]
    if isinstance(own, str):
        raise ParameterError(f'Simulator "{task.simulator}" cannot make "{task.world}": {own}.')
    like = dict(changes or {})
    # Gaps of an extract stand where all is together; elsewhere each world has its own or none.
    gaps = {name: like.pop(name) for name in GAPS if name in like}
    own = {**own, **gaps} if task.world == "everything" else own
    merged = {**simulator.base, **like, **own, **simulator.effects[task.effects]}
    few = min(world.authorities, merged.pop("authorities", ALL_AUTHORITIES))
    number = round(task.families * ALL_AUTHORITIES / few)
    return {**merged, "authorities": few, "families": number, "seed": task.drawn_from}


def simulated(task: Task, changes: Mapping[str, Any] | None = None) -> SimulatedRecords:
    """Simulate the records of one replication: about `task.families` families.

    Parameters
    ----------
    task : Task
    changes : mapping, optional
        As in `settings_of`.
    """
    settings = settings_of(task, changes)
    few = settings.pop("authorities")
    made = SIMULATORS[task.simulator].simulate(**settings)
    return made if few == ALL_AUTHORITIES else _of_authorities(made, few)


def _of_authorities(made: SimulatedRecords, number: int) -> SimulatedRecords:
    """Return what authorities drawn at random would send: their families, and no others'."""
    from tfeval.records.schema import authority_codes  # noqa: PLC0415
    from tfeval.records.store import from_tables  # noqa: PLC0415

    rng = np.random.default_rng([made.seed, number])
    codes = rng.choice(authority_codes(), number, replace=False).tolist()
    records = made.records
    families = records.raw["families"]
    first = families.group_by("family_id").aggregate(first_on=families["identified_on"].min())
    home = families.inner_join(first, "family_id")
    home = home.filter((home["identified_on"] == home["first_on"])
                       & home["local_authority"].isin(codes))  # fmt: skip
    kept = home.select("family_id").distinct().cache()
    people = records.raw["people"].semi_join(kept, "family_id").select("person_id").cache()

    def own(table: Any) -> Any:
        if "family_id" in table.columns:
            return table.semi_join(kept, "family_id")
        if "person_id" in table.columns:
            return table.semi_join(people, "person_id")
        return table.filter(table["local_authority"].isin(codes))

    tables = {name: own(table).to_pyarrow() for name, table in records.raw.items()}
    ids = set(kept.to_pandas()["family_id"])
    frames = {name: getattr(made.truth, name)
              for name in ("families", "people_outcomes", "family_outcomes")}  # fmt: skip
    truth = replace(made.truth, **{name: frame[frame["family_id"].isin(ids)]
                                   for name, frame in frames.items()})  # fmt: skip
    return replace(
        made, truth=truth,
        records=from_tables(tables, about=records.about, source=records.source),
    )  # fmt: skip
