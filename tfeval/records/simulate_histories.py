"""A second simulator, written without the first: records of families that live week by week."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tfeval.errors import ParameterError
from tfeval.programme.phases import Phase
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import figure
from tfeval.records.listed_families import Entry, HistorySettings, entry
from tfeval.records.schema import ALL_CRITERIA, OFFENCE_OUTCOMES, SOCIAL_CARE_KINDS, TABLES
from tfeval.records.simulate import TITLE, SimulatedRecords
from tfeval.records.store import from_tables
from tfeval.records.two_worlds import FAR, World, months_after
from tfeval.records.weekly_states import (
    JOBSEEKER,
    UNWELL_BENEFIT,
    WORK,
    Array,
    Calendar,
    Histories,
    Terms,
    histories,
    month_start,
)
from tfeval.settings import while_shared

_SPARE = (1.5, 3.0, 6.0)  # families that live for each that is identified
_LIVED_BEFORE, _LIVED_AFTER = 19, 25  # months before the phase, and after it
#: Sent by authorities themselves; the others come from national records.
_LOCAL = ("asb_incidents", "social_care_episodes", "domestic_abuse_incidents")
_BENEFITS = {JOBSEEKER: "jobseekers_allowance", UNWELL_BENEFIT: "employment_support_allowance"}
_CARE = dict(enumerate(SOCIAL_CARE_KINDS, 1))
_ROLES = np.array(["parent_or_carer", "other_adult", "child"], object)
#: Of results claimed, 10,508 of 105,671 were continuous employment (progress_national.csv).
_EMPLOYED = 0.10
_STEPS = ("lived", "areas", "listing", "places", "queue", "waits", "matching", "moves", "effects",
          "help", "rounding", "ids", "case", "cover", "links", "victims")  # fmt: skip


def simulate_histories(
    *,
    families: int,
    seed: int,
    phase: str = "one",
    effects: Mapping[str, float] | None = None,
    effect_ramp_months: float = 0.0,
    effect_share: float = 1.0,
    crisis: float = 4.0,
    crisis_days: float = 120.0,
    crises_a_year: float = 0.5,
    places: float = 0.5,
    selection_recorded: float = 0.0,
    selection_unrecorded: float = 0.0,
    informative_waits: float = 0.0,
    data_matched: float = 0.0,
    other_help: float = 0.0,
    other_help_strength: float = 0.5,
    missed_links: float = 0.0,
    false_links: float = 0.0,
    authorities: int = 152,
    late_authorities: float = 0.0,
    late_months: int = 6,
    missing_authorities: float = 0.0,
    entry_by_year: tuple[float, ...] = (1.0,),
    moved: float = 0.0,
) -> SimulatedRecords:
    """Simulate linked records a second way, which shares nothing with `simulate` but the schema.

    People pass between states week by week: at school or truant, in work or on a benefit,
    offending or not, in care or not. A family is identified when its own records meet the
    phase's criteria, at the pace that was published, and waits until it is called; so families
    are seen at their worst and get better by themselves. With crises, shocks at random times
    speed up the ways into trouble and fade. Without any setting nothing is wrong: no effect, and
    who gets a place, and when, depends on nothing but chance and the authority.

    Parameters
    ----------
    families : int
        How many are identified, in one phase; up to some ten thousands.
    seed : int
        The same seed, number and settings give the same records.
    phase, effects, effect_ramp_months, effect_share, crisis, ...
        The world that is simulated: the attributes of `HistorySettings`, which says what each is
        and has the same defaults.

    Returns
    -------
    SimulatedRecords
        Records, and the truth beside them: both potential outcomes from the same chances, so that
        without an effect they are equal row by row. `need` is the standardised number of
        incidents in the year before identification, `unrecorded` the family's own proneness to
        trouble. A family matched from records alone is attached and not worked with: its two
        outcomes are equal.

    Raises
    ------
    ParameterError
        If a setting is unknown or out of its range, or too few families meet the criteria.

    Notes
    -----
    Levels are those published: shares of the comparison groups in `evaluation_outcomes.csv`,
    families with three or more children in `evaluations.csv`, the pace of identification and
    entry in `progress_national.csv`, sizes of authorities in `progress_local.csv`. What was not
    published is assumed, and said so in `tfeval/records/weekly_states.py`.

    Examples
    --------
    >>> made = simulate_histories(families=200, seed=1)
    >>> made.records.table("families").count().execute()
    200
    >>> bool((made.truth.effects()["effect"] == 0).all())
    True
    """
    options = dict(locals(), effects=effects or {})
    settings = HistorySettings(**{name: options[name] for name in HistorySettings.__match_args__})
    if families < 1 or seed < 0:
        raise ParameterError("families must be at least 1, and seed not negative.")
    world = _world(families, seed, settings, phase_of(phase))
    tables = linked(world, covered(world, everything(world)))
    about = {
        "simulated": True,
        "title": TITLE,
        "families": families,
        "seed": seed,
        "records_from": _iso(world.calendar.origin),
        "records_to": _iso(world.calendar.last),
    }
    return SimulatedRecords(
        records=from_tables(
            {name: tables[name] for name in TABLES}, about=about, source=f"{TITLE} (seed {seed})"
        ),
        truth=world.truth(),
        seed=seed,
    )


def _iso(day: int) -> str:
    return date.fromordinal(day + date(1970, 1, 1).toordinal()).isoformat()


def _world(families: int, seed: int, settings: HistorySettings, rules: Phase) -> World:
    """Let enough families live that so many are identified."""
    seeds = dict(zip(_STEPS, np.random.SeedSequence(seed).spawn(len(_STEPS)), strict=True))
    first, last = (
        date.fromisoformat(str(np.datetime64(day, "M") + months) + "-01")
        for day, months in ((rules.start, -_LIVED_BEFORE), (rules.end, _LIVED_AFTER + 1))
    )
    calendar = Calendar.between(first, date.fromordinal(last.toordinal() - 1))
    lived, joined = _lives(families, settings, rules, calendar, seeds)
    rng = np.random.default_rng(seeds["ids"])
    ids = {
        kind: np.array([f"{kind[0]}{one:016x}" for one in rng.integers(0, 2**63, n)], object)
        for kind, n in (("family", lived.people.families), ("person", len(lived.people.family)))
    }
    return World(lived, joined, settings, rules, ids, seeds)


#: While lives are shared, the last, by all that they hang on.
_shared: ContextVar[dict[str, tuple[Histories, Entry]] | None] = ContextVar("lives", default=None)


def lives_shared() -> AbstractContextManager[None]:
    """Let worlds simulated one after another, that differ in effects alone, share their lives."""
    return while_shared(_shared)


def _lives(
    families: int, settings: HistorySettings, rules: Phase, calendar: Calendar,
    seeds: Mapping[str, np.random.SeedSequence],
) -> tuple[Histories, Entry]:  # fmt: skip
    """Return what befell families without a programme, and who of them was listed and joined."""
    without = replace(settings, effects={}, effect_ramp_months=0.0, effect_share=1.0)
    key = repr((families, seeds["lived"].entropy, without))
    shared = _shared.get()
    last = {} if shared is None else shared
    if key in last:
        return last[key]
    crisis = (settings.crisis, settings.crisis_days, settings.crises_a_year)
    for spare in _SPARE:
        homes = int(families * spare) + 40
        lived = histories(homes, seeds["lived"], calendar, rules.start, crisis)
        joined = entry(lived, settings, rules, families, seeds)
        if (joined.listed >= 0).sum() == families:
            last.clear()
            last[key] = lived, joined
            return lived, joined
    raise ParameterError(
        "In this world too few families meet the phase's criteria: let more authorities begin "
        "early, or make crises more frequent."
    )


def dates(days: Array, empty: Array | None = None) -> pa.Array:
    """Return days as dates, null where `empty`."""
    return pa.array(days.astype("datetime64[D]"), mask=empty)


def everything(world: World) -> dict[str, pa.Table]:
    """Return all tables as they would be if every authority sent and every link were found."""
    return {
        "families": _families(world),
        "people": _people(world),
        "family_moves": _moves(world),
        "school_terms": _school(world),
        "offences": _offences(world),
        "asb_incidents": _incidents(world, "asb_incidents", "action"),
        "benefit_spells": _spells(world, "work", "benefit", _BENEFITS),
        "employment_spells": _spells(world, "work", "", {WORK: ""}),
        "social_care_episodes": _spells(
            world, "care", "kind", dict(enumerate(SOCIAL_CARE_KINDS, 1))
        ),
        "hospital_episodes": _hospital(world),
        "domestic_abuse_incidents": _incidents(world, "domestic_abuse", "risk"),
    }


def _families(world: World) -> pa.Table:
    entry, rules, end = world.entry, world.rules, world.calendar.last
    kept = np.flatnonzero(entry.listed >= 0)
    rng = np.random.default_rng(world.seeds["case"])
    n, homes = len(kept), len(entry.listed)
    attached, by_hand = entry.attached[kept], entry.worked_with[kept]
    lead = attached + rng.integers(0, 21, homes)[kept]
    plan = lead + rng.integers(7, 60, homes)[kept]
    median = figure("evaluations", "time_on_programme").low
    closed = attached + (median * 30.4 * np.exp(rng.normal(0, 0.35, homes)))[kept].astype(np.int64)
    after = 60 + rng.gamma(4.0, 60.0, homes)[kept].astype(np.int64)
    phase_end = (rules.end - date(1970, 1, 1)).days
    claimed = np.maximum(np.minimum(attached + after, phase_end), attached + 1)
    claimed = np.where(by_hand, claimed, entry.claimed[kept])
    has = np.where(by_hand, rng.random(homes)[kept] < rules.simulation.claimed, entry.matched[kept])
    behaviour = rules.result.behaviour or rules.result.name
    works = (rng.random(homes)[kept] < _EMPLOYED) & by_hand & bool(rules.result.employment)
    kind = np.where(works, rules.result.employment, behaviour).astype(object)
    columns: dict[str, Any] = {
        "family_id": world.named("family", kept),
        "phase": np.full(n, rules.name, object),
        "local_authority": np.array(entry.codes, object)[entry.authority[kept]],
        "identified_on": dates(entry.identified[kept]),
        "attached_on": dates(attached, attached < 0),
    }
    for name in ALL_CRITERIA:
        met = entry.met.get(name)
        columns[name] = pa.nulls(n, pa.bool_()) if met is None else pa.array(met[kept])
    columns |= {
        "lead_practitioner_on": dates(lead, ~by_hand),
        "plan_agreed_on": dates(plan, ~by_hand),
        "closed_on": dates(closed, ~by_hand | (closed > end)),
        "claimed_on": dates(claimed, ~has | (claimed > end)),
        "claim_kind": pa.array(kind, pa.string(), mask=~has | (claimed > end)),
    }
    return pa.table(columns)


def _living(world: World) -> Array:
    """Return the people of families that were listed."""
    return np.flatnonzero(world.entry.listed[world.lived.people.family] >= 0)


def _people(world: World) -> pa.Table:
    people, who = world.lived.people, _living(world)
    return pa.table(
        {
            "person_id": world.named("person", who),
            "family_id": world.named("family", people.family[who]),
            "birth_month": dates(month_start(people.birth_month[who])),
            "sex": np.where(people.male[who], "male", "female").astype(object),
            "role": _ROLES[people.role[who]],
        }
    )


def _moves(world: World) -> pa.Table:
    entry = world.entry
    who = np.flatnonzero((entry.listed >= 0) & (entry.moved < FAR))
    codes = np.array(entry.codes, object)
    return pa.table(
        {
            "family_id": world.named("family", who),
            "moved_on": dates(entry.moved[who]),
            "local_authority": pa.array(codes[entry.moved_to[who]], pa.string()),
        }
    )


def _school(world: World) -> pa.Table:
    lived, terms = world.lived, Terms.of(world.lived)
    counts = world.terms(world.supported)
    listed = world.entry.listed[lived.people.family[lived.pupils]] >= 0
    pupil, term = np.nonzero((terms.of_age & listed).T)
    gone = counts["permanent_exclusions"].cumsum(axis=0) > 0
    return pa.table(
        {
            "person_id": world.named("person", lived.pupils[pupil]),
            "term_start": dates(terms.first[term]),
            "term_end": dates(terms.last[term]),
            **{name: count[term, pupil] for name, count in counts.items()},
            "alternative_provision": gone[term, pupil],
        }
    )


def _offences(world: World) -> pa.Table:
    one = world.lived.events["offences"]
    rows = np.flatnonzero(
        world.happened("offences", world.supported)
        & (world.entry.listed[world.family_of("offences")] >= 0)
    )
    custody = world.custody(world.supported)[rows]
    outcome = one.more["outcome"][rows]
    return pa.table(
        {
            "offence_id": np.arange(len(rows)),
            "person_id": world.named("person", one.unit[rows]),
            "offence_on": dates(one.day[rows]),
            "outcome": np.array(OFFENCE_OUTCOMES, object)[outcome],
            "outcome_on": dates(one.more["ended"][rows], outcome == 3),
            "custody_days": np.where(custody, one.more["custody_days"][rows], 0),
        }
    )


def _incidents(world: World, name: str, column: str) -> pa.Table:
    """Return incidents of families; of a third one of its parents is known to be concerned."""
    one, people = world.lived.events[name], world.lived.people
    rows = np.flatnonzero(
        world.happened(name, world.supported) & (world.entry.listed[one.unit] >= 0)
    )
    table = {"domestic_abuse": "domestic_abuse_incidents"}.get(name, name)
    parent = np.searchsorted(people.family, one.unit[rows])
    unknown = np.random.default_rng([*world.seeds["victims"].generate_state(2), len(name)]).random(
        len(one.unit)
    )[rows]
    values = TABLES[table].columns[column].allowed
    return pa.table(
        {
            "incident_id": np.arange(len(rows)),
            "family_id": world.named("family", one.unit[rows]),
            "person_id": world.named("person", parent, unknown > 1 / 3),
            "incident_on": dates(one.day[rows]),
            column: np.array(values, object)[one.more[column][rows]],
        }
    )


def _spells(world: World, chain: str, column: str, kinds: Mapping[int, str]) -> pa.Table:
    spells = world.observed_spells(chain)
    rows = np.flatnonzero(np.isin(spells.state, list(kinds)))
    columns = {"person_id": world.named("person", spells.unit[rows])}
    if column:
        names = np.array([kinds.get(one, "") for one in range(4)], object)
        columns[column] = names[spells.state[rows]]
    ended = spells.ended[rows]
    columns["started_on"] = dates(spells.first[rows])
    columns["ended_on"] = dates(np.where(ended == FAR, 0, ended), ended == FAR)
    return pa.table(columns)


def _hospital(world: World) -> pa.Table:
    parts = []
    for name, kind in (("ae_attendances", "ae_attendance"),
                       ("emergency_admissions", "emergency_admission")):  # fmt: skip
        one = world.lived.events[name]
        rows = np.flatnonzero(
            world.happened(name, world.supported) & (world.entry.listed[world.family_of(name)] >= 0)
        )
        parts.append(
            pa.table(
                {
                    "person_id": world.named("person", one.unit[rows]),
                    "arrived_on": dates(one.day[rows]),
                    "kind": np.full(len(rows), kind, object),
                    "bed_days": one.more.get("bed_days", np.zeros(len(one.unit), np.int64))[rows],
                }
            )
        )
    both = pa.concat_tables(parts)
    return both.add_column(0, "episode_id", pa.array(np.arange(len(both))))


# What is lost on the way into an extract: by authorities that sent late or not, and by links.


def covered(world: World, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Add the table of coverage, and leave out what authorities did not send."""
    entry, settings, calendar = world.entry, world.settings, world.calendar
    rng = np.random.default_rng(world.seeds["cover"])
    n = len(entry.codes)
    missing = rng.random(n) < settings.missing_authorities
    late = rng.random(n) < settings.late_authorities
    begin = np.array([(world.rules.start - date(1970, 1, 1)).days])
    late_from = months_after(begin, -settings.late_months)[0]
    since = np.where(late, late_from, calendar.origin)
    rows = []
    for table in TABLES["coverage"].columns["source_table"].allowed:
        sent = np.flatnonzero(~missing | (table not in _LOCAL))
        rows.append(
            pa.table(
                {
                    "local_authority": np.array(entry.codes, object)[sent],
                    "source_table": np.full(len(sent), table, object),
                    "covered_from": dates(
                        since[sent] if table in _LOCAL else np.full(len(sent), calendar.origin)
                    ),
                    "covered_to": dates(np.full(len(sent), calendar.last)),
                }
            )
        )
    lacking = missing | late
    extract = {**tables, "coverage": pa.concat_tables(rows)}
    for name in _LOCAL if lacking.any() else ():
        extract[name] = _sent(world, tables[name], np.where(missing, FAR, since))
    return extract


def _sent(world: World, table: pa.Table, since: Array) -> pa.Table:
    """Return the rows that began where and when an authority sent records."""
    entry, people = world.entry, world.lived.people
    if "family_id" in table.column_names:
        place = {one: at for at, one in enumerate(world.ids["family"])}
        family = np.array([place[one] for one in table["family_id"].to_pylist()], np.int64)
    else:
        place = {one: at for at, one in enumerate(world.ids["person"])}
        family = people.family[[place[one] for one in table["person_id"].to_pylist()]]
    on = "incident_on" if "incident_on" in table.column_names else "started_on"
    day = table[on].to_numpy().astype("datetime64[D]").astype(np.int64)
    home = np.where(day >= entry.moved[family], entry.moved_to[family], entry.authority[family])
    return table.filter(pa.array(day >= since[home]))


def linked(world: World, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Say who was found in the school and benefit records, and lose or swap rows of the others."""
    settings, people = world.settings, world.lived.people
    who = _living(world)
    extract = dict(tables)
    draws = np.random.default_rng(world.seeds["links"]).random((4, len(people.family)))
    for row, (flag, names, youngest) in enumerate(
        (("linked_school", ("school_terms",), 4),
         ("linked_benefits", ("benefit_spells", "employment_spells"), 16))
    ):  # fmt: skip
        missed = draws[2 * row] < settings.missed_links
        extract["people"] = extract["people"].append_column(flag, pa.array(~missed[who]))
        swapped = np.flatnonzero((draws[2 * row + 1] < settings.false_links) & ~missed)
        swapped = np.intersect1d(swapped, who)
        swapped = swapped[np.argsort(people.birth_month[swapped], kind="stable")]
        to = np.arange(len(people.family))
        to[swapped] = np.roll(swapped, 1)
        if missed.any() or len(swapped):
            for name in names:
                extract[name] = _relinked(world, extract[name], to, missed, youngest)
    return extract


def _relinked(world: World, table: pa.Table, to: Array, missed: Array, youngest: int) -> pa.Table:
    """Return a table's rows under the people they were linked to, without those not found."""
    place = {one: at for at, one in enumerate(world.ids["person"])}
    person = to[[place[one] for one in table["person_id"].to_pylist()]]
    on = "term_start" if "term_start" in table.column_names else "started_on"
    day = table[on].to_numpy().astype("datetime64[D]").astype(np.int64)
    people = world.lived.people
    mask = ~missed[person] & (day >= people.birthday(youngest)[person])
    if on == "term_start":
        mask &= day < people.birthday(19)[person]
    moved = table.set_column(0, "person_id", world.named("person", person))
    return moved.filter(pa.array(mask))
