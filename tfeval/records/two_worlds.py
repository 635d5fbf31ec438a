"""The same families with the programme and without it, and what is true of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from tfeval.programme.phases import Phase
from tfeval.records.listed_families import STATES, Entry, HistorySettings
from tfeval.records.simulate import Truth
from tfeval.records.weekly_states import Array, Calendar, Histories, Terms

HORIZONS = (6, 12, 18, 24)
FAR = np.iinfo(np.int64).max
_MONTH = 365.25 / 12
_HOME_EVENTS = ("asb_incidents", "domestic_abuse")
#: Days in states, by their names in a truth.
_DAYS = {"out_of_work": "out_of_work", "employed": "employment", "in_need": "in_need",
         "protection_plan": "protection_plan", "looked_after": "looked_after"}  # fmt: skip
_GROUPS = np.array(["below_threshold", "eligible", "attached"], object)


_SESSIONS = ("sessions_possible", "sessions_authorised", "sessions_unauthorised")


def months_after(days: Array, months: int) -> Array:
    """Return days so many calendar months later, the last of a month where it is shorter."""
    on = days.astype("datetime64[D]")
    begun = on.astype("datetime64[M]")
    then = begun + months
    place = (on - begun.astype("datetime64[D]")).astype(np.int64)
    last = (then + 1).astype("datetime64[D]").astype(np.int64) - 1
    return np.minimum(then.astype("datetime64[D]").astype(np.int64) + place, last)


@dataclass(frozen=True)
class Spells:
    """Days in a state: of a person, from a day on, until another (far away if it goes on)."""

    unit: Array
    state: Array
    first: Array
    ended: Array


@dataclass(frozen=True)
class World:
    """Families that lived and were listed, and what the programme makes of them."""

    lived: Histories
    entry: Entry
    settings: HistorySettings
    rules: Phase
    ids: Mapping[str, Array]  # pseudonyms of each "family" and "person"
    seeds: Mapping[str, np.random.SeedSequence]
    _ran: dict[tuple[str, int], Array] = field(default_factory=dict, repr=False)

    @property
    def calendar(self) -> Calendar:
        """The weeks."""
        return self.lived.calendar

    @cached_property
    def _names(self) -> dict[str, pa.Array]:
        return {kind: pa.array(names, pa.string()) for kind, names in self.ids.items()}

    def named(self, kind: str, places: Array, unknown: Array | None = None) -> pa.Array:
        """Return pseudonyms of families or people; null where `unknown`."""
        return self._names[kind].take(pa.array(places, mask=unknown))

    @cached_property
    def strength(self) -> tuple[Array, Array]:
        """How much of the effect each family has: never supported, and supported."""
        rng = np.random.default_rng(self.seeds["effects"])
        homes = self.lived.people.families
        responds = rng.random(homes) < self.settings.effect_share
        without = responds * self.helped * self.settings.other_help_strength
        return without, np.where(self.entry.matched, without, responds)

    @cached_property
    def helped(self) -> Array:
        """Who gets other help if not supported."""
        rng = np.random.default_rng(self.seeds["help"])
        return rng.random(self.lived.people.families) < self.settings.other_help

    @cached_property
    def supported(self) -> Array:
        """Which of the two worlds came about for each family: 1 if it was worked with."""
        return self.entry.worked_with.astype(np.int8)

    def factor(self, name: str, world: Array | int, family: Array, day: Array | int) -> Array:
        """Return by what an outcome of families is multiplied on a day, in a world of each."""
        full = self.settings.effects.get(name, 1.0) - 1
        if full == 0:
            return np.ones(1)
        since = day - self.entry.index[family]
        ramp = self.settings.effect_ramp_months * _MONTH
        grown = np.clip((since + 1) / ramp, 0.0, 1.0) if ramp else since >= 0
        strength = np.where(np.asarray(world) == 1, *(one[family] for one in self.strength[::-1]))
        return 1 + full * strength * grown

    def family_of(self, name: str) -> Array:
        """Return the family of each event."""
        unit = self.lived.events[name].unit
        return unit if name in _HOME_EVENTS else self.lived.people.family[unit]

    def happened(self, name: str, world: Array | int) -> Array:
        """Tell which events come about in a world; it may be one of each family."""
        one, family = self.lived.events[name], self.family_of(name)
        mine = world[family] if isinstance(world, np.ndarray) else world
        return one.mark < self.factor(name, mine, family, one.day)

    def custody(self, world: Array | int) -> Array:
        """Tell which offences end in custody."""
        one, family = self.lived.events["offences"], self.family_of("offences")
        mine = world[family] if isinstance(world, np.ndarray) else world
        factor = self.factor("custody", mine, family, one.more["ended"])
        sentenced = (one.more["outcome"] == 0) & (one.more["custody_mark"] < factor)
        return sentenced & self.happened("offences", world)

    def states(self, chain: str, world: int) -> Array:
        """Return everybody's states in a world: run again where an effect changes them."""
        changed = [
            (outcome, list(states))
            for outcome, (of, states) in STATES.items()
            if of == chain and outcome in self.settings.effects
        ]
        if not changed or not self.strength[world].any():
            return self.lived.states[chain]
        if (chain, world) in self._ran:
            return self._ran[chain, world]
        process = self.lived.chains[chain]

        def roots(week: Array, places: Array) -> Array:
            ratios = np.ones((len(process.rates), len(places)))
            day = self.calendar.monday(week)
            for outcome, states in changed:
                factor = self.factor(outcome, world, process.family[places], day)
                ratios[states] *= np.sqrt(factor)
            return ratios

        self._ran[chain, world] = process.run(self.calendar, self.lived.crisis, roots)
        return self._ran[chain, world]

    def _listed(self, chain: str) -> Array:
        """Return the places in a process of those whose family was listed."""
        return np.flatnonzero(self.entry.listed[self.lived.chains[chain].family] >= 0)

    def spells(self, chain: str, states: Array) -> Spells:
        """Return the spells in states above 0 of the listed, ended where the state changes."""
        units = self.lived.chains[chain].units
        mine = self._listed(chain)
        units, states = units[mine], states[:, mine]
        begins = np.ones(states.shape, bool)
        begins[1:] = states[1:] != states[:-1]
        week, unit = np.nonzero(begins)
        order = np.argsort(unit, kind="stable")
        week, unit = week[order], unit[order]
        until = np.append(week[1:], 0)  # where the next begins; 0 at the end of a person's weeks
        state = states[week, unit]
        person = units[unit]
        on = self.lived.people.weekday[person]
        first = self.calendar.monday(week) + on
        ended = np.where(until > 0, self.calendar.monday(until) + on, FAR)
        ended[ended > self.calendar.last] = FAR
        mask = (state > 0) & (first <= self.calendar.last)
        return Spells(person[mask], state[mask], first[mask], ended[mask])

    def observed_spells(self, chain: str) -> Spells:
        """Return the spells of the world that came about for each."""
        without, with_it = self.states(chain, 0), self.states(chain, 1)
        if with_it is without:
            return self.spells(chain, without)
        mine = self.supported[self.lived.chains[chain].family] == 1
        return self.spells(chain, np.where(mine, with_it, without))

    def terms(self, world: Array | int) -> dict[str, Array]:
        """Return what pupils' terms hold, each of shape (terms, pupils)."""
        if not isinstance(world, np.ndarray):
            return self._both_terms[world]
        without, with_it = self._both_terms
        mine = world[self.lived.people.family[self.lived.pupils]] == 1
        return {name: np.where(mine, with_it[name], without[name]) for name in without}

    @cached_property
    def _both_terms(self) -> tuple[dict[str, Array], dict[str, Array]]:
        without = self._terms(0)
        return without, self._terms(1) if self.settings.effects else without

    def _terms(self, world: int) -> dict[str, Array]:
        terms, lived, mine = Terms.of(self.lived), self.lived, self._listed("truant")
        missed = lived.missed[:, mine]
        usual = terms.missed(missed)
        then = usual
        if "sessions_unauthorised" in self.settings.effects and self.strength[world].any():
            days = self.calendar.monday(np.arange(self.calendar.weeks))[:, None]
            family = lived.chains["truant"].family[mine]
            factor = self.factor("sessions_unauthorised", world, family, days)
            rng = np.random.default_rng(self.seeds["rounding"])
            rest = rng.random(lived.missed.size).reshape(lived.missed.shape)
            # As many on average, whole each week.
            then = terms.missed(np.floor(missed * factor + rest[:, mine]))
        usual = np.minimum(usual, terms.possible)
        authorised = np.minimum(lived.authorised[:, mine], terms.possible - usual)
        counts = {name: np.zeros(terms.of_age.shape, np.int64) for name in _SESSIONS}
        for name, own in zip(
            _SESSIONS,
            (terms.possible, authorised, np.minimum(then, terms.possible - authorised)),
            strict=True,
        ):
            counts[name][:, mine] = own
        for name in ("fixed_exclusions", "permanent_exclusions"):
            counts[name] = terms.count(name, self.happened(name, world))
        return counts

    def truth(self) -> Truth:
        """Return both potential outcomes of every family that was listed."""
        without = Counter(self, 0)
        counters = (without, Counter(self, 1) if self.settings.effects else without)
        kept, family = self.entry.listed >= 0, self.lived.people.family
        month = month_of(self.entry.index)
        age = (month[family] - self.lived.people.birth_month) // 12
        persons, homes = [], []
        for months in HORIZONS:
            edge = months_after(self.entry.index, months)
            reached = kept & (edge <= self.calendar.last + 1)
            who, which = np.flatnonzero(reached[family]), np.flatnonzero(reached)
            person = {"person_id": self.ids["person"][who],
                      "family_id": self.ids["family"][family[who]],
                      "horizon_months": np.int16(months), "age_at_index": age[who]}  # fmt: skip
            home = {"family_id": self.ids["family"][which], "horizon_months": np.int16(months)}
            for world, counter in enumerate(counters):
                of_people, of_homes = counter.until(edge)
                person |= {f"y{world}_{name}": n[who] for name, n in of_people.items()}
                home |= {f"y{world}_{name}": n[which] for name, n in of_homes.items()}
            persons.append(pd.DataFrame(person))
            homes.append(pd.DataFrame(home))
        return Truth(
            families=self._families(kept),
            people_outcomes=pd.concat(persons, ignore_index=True),
            family_outcomes=pd.concat(homes, ignore_index=True),
            settings=self.settings,
        )

    def _families(self, kept: Array) -> pd.DataFrame:
        entry, lived = self.entry, self.lived
        weeks = np.arange(self.calendar.weeks)[:, None]
        past = lived.shocks & (weeks <= entry.listed) & (self.settings.crisis > 0)
        latest = np.where(past.any(axis=0), weeks[-1] - past[::-1].argmax(axis=0), -1)
        crisis = self.calendar.monday(latest).astype("datetime64[D]")
        crisis[latest < 0] = np.datetime64("NaT")
        met = [np.where(entry.met[name], f"{name} ", "") for name in self.rules.criteria]
        frame = pd.DataFrame(
            {
                "family_id": self.ids["family"],
                "group": _GROUPS[np.where(entry.attached >= 0, 2, entry.eligible * 1)],
                "kind": [" ".join(names).split() for names in zip(*met, strict=True)],
                "index_on": entry.index.astype("datetime64[D]"),
                "identified_on": entry.identified.astype("datetime64[D]"),
                "crisis_on": crisis,
                "need": entry.recorded,
                "unrecorded": np.log(lived.people.strain),
                "worked_with": entry.worked_with,
                "claimed_by_data_matching": entry.matched,
                "other_help": self.helped,
            }
        )
        frame["kind"] = frame["kind"].str.join("+")
        for name in ("index_on", "identified_on", "crisis_on"):
            frame[name] = frame[name].dt.date.where(frame[name].notna(), None)
        return frame[kept].reset_index(drop=True)


def month_of(days: Array) -> Array:
    """Return months counted from January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


class Counter:
    """Counts outcomes of one world from families' index days on."""

    def __init__(self, world: World, which: int) -> None:
        self._world, self._which = world, which
        offences = world.lived.events["offences"]
        happened = {name: world.happened(name, which) for name in world.lived.events}
        proven = happened["offences"] & (offences.more["outcome"] < 2)
        custody = world.custody(which)
        convicted = happened["offences"] & (offences.more["outcome"] == 0)
        self._people = {
            "proven_offences": (offences.unit[proven], offences.day[proven]),
            "convictions": (offences.unit[convicted], offences.more["ended"][convicted]),
            "custody": (offences.unit[custody], offences.more["ended"][custody]),
        }
        self._homes: dict[str, tuple[Array, Array]] = {}
        for name, own, many in (
            ("emergency_admissions", self._people, "emergency_admissions"),
            ("ae_attendances", self._people, "ae_attendances"),
            ("asb_incidents", self._homes, "asb_incidents"),
            ("domestic_abuse", self._homes, "domestic_abuse_incidents"),
        ):
            one = world.lived.events[name]
            own[many] = (one.unit[happened[name]], one.day[happened[name]])
        self._terms, self._held = Terms.of(world.lived), world.terms(which)
        chains = {of for of, _ in STATES.values()}
        self._spells = {name: world.spells(name, world.states(name, which)) for name in chains}

    def until(self, edge: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the counts of people, and of families, up to a day of each family."""
        family = self._world.lived.people.family
        begin = self._world.entry.index
        homes = {name: _within(unit, day, begin, edge) for name, (unit, day) in self._homes.items()}
        people = {
            name: _within(unit, day, begin[family], edge[family])
            for name, (unit, day) in self._people.items()
        }
        return people | self._sessions(edge) | self._days(edge), homes

    def _sessions(self, edge: Array) -> dict[str, Array]:
        pupils, family = self._world.lived.pupils, self._world.lived.people.family
        mine = family[pupils]
        whole = self._terms.of_age & (self._terms.first[:, None] >= self._world.entry.index[mine])
        whole &= self._terms.last[:, None] < edge[mine]
        sessions = {}
        for name, counts in self._held.items():
            sessions[name] = np.zeros(len(family), np.int64)
            sessions[name][pupils] = (counts * whole).sum(axis=0)
        return sessions

    def _days(self, edge: Array) -> dict[str, Array]:
        family = self._world.lived.people.family
        begin, edge = self._world.entry.index[family], edge[family]
        columns: dict[str, Array] = {}
        for name, outcome in _DAYS.items():
            chain, states = STATES[outcome]
            spells = self._spells[chain]
            mine = np.isin(spells.state, states)
            unit, first, ended = spells.unit[mine], spells.first[mine], spells.ended[mine]
            days = np.minimum(ended, edge[unit]) - np.maximum(first, begin[unit])
            total = np.bincount(unit, np.maximum(days, 0), minlength=len(family))
            open_then = (first <= edge[unit]) & (ended > edge[unit])
            columns[f"{name}_days"] = total.astype(np.int64)
            open_at = np.bincount(unit, open_then, minlength=len(family))
            columns[f"{name}_at"] = open_at > 0
        return columns


def _within(unit: Array, day: Array, begin: Array, edge: Array) -> Array:
    inside = (day >= begin[unit]) & (day < edge[unit])
    return np.bincount(unit[inside], minlength=len(begin))
