"""Families whose members pass from state to state, week by week, without any programme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: However hard pressed, people pass to another state with at most this probability a week, or
#: that of the fastest way out of a state.
_FASTEST = 0.10
#: Events are drawn up to this often as usual, so that an effect may raise them as well.
MOST_RAISED = 2.0
YEAR = 52
_STRAIN_SD, _FRAILTY_SD = 0.45, 0.5
_SESSIONS = 10

# States of adults: weekly probabilities to pass from the row to the column. Levels were set so
# that 10.5% of adults claim Jobseeker's Allowance in months 19 to 24 (evaluation_outcomes.csv).
NEITHER, WORK, JOBSEEKER, UNWELL_BENEFIT = range(4)
_ADULT = np.array(
    [
        [0.0, 0.0060, 0.0012, 0.0040],
        [0.0030, 0.0, 0.0036, 0.0012],
        [0.0060, 0.0330, 0.0, 0.0100],
        [0.0030, 0.0020, 0.0004, 0.0],
    ]
)
# States of children in social care; 2.5% looked after in months 19 to 24 (the same table).
IN_NEED, PLAN, LOOKED_AFTER = 1, 2, 3
_CARE = np.array(
    [
        [0.0, 0.0022, 0.0, 0.0],
        [0.0180, 0.0, 0.0045, 0.0001],
        [0.0060, 0.0160, 0.0, 0.00135],
        [0.0050, 0.0050, 0.0, 0.0],
    ]
)
#: Spells of trouble: weekly probabilities of its beginning and its end; assumed.
_SPELLS = {
    "truant": (0.0065, 0.085),
    "offending": (0.0016, 0.070),
    "antisocial": (0.0100, 0.080),
    "abusive": (0.0055, 0.085),
    "ill": (0.0110, 0.170),
}
#: Weekly probability of an event outside a spell, and within one: assumed for what has no
#: published share.
_EVENTS = {
    "fixed_exclusions": (0.0004, 0.035),
    "permanent_exclusions": (0.000004, 0.0008),
    "offences": (0.0002, 0.070),
    "asb_incidents": (0.0080, 0.350),
    "domestic_abuse": (0.0035, 0.220),
    "ae_attendances": (0.0070, 0.080),
    "emergency_admissions": (0.0008, 0.045),
}
#: How an offence ends: convicted, cautioned, not proven, pending; and custody of a conviction.
#: Levels for 4.6% of juveniles convicted, 0.8% of them and 1.6% of adults in custody within two
#: years (evaluation_outcomes.csv).
_ENDS = (0.21, 0.40, 0.29)
_CUSTODY = {"child": 0.14, "adult": 0.36}
#: Sessions missed of ten in a week, as quantiles: at ease, and in a spell of truancy.
_MISSED = np.array(
    [[0] * 27 + [1, 1, 1, 2, 3], [2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 7, 8, 10] * 2], np.uint8
)
#: Children in a family; tuned so that 40% of those on the programme have three or more
#: (evaluations.csv, families_three_children).
_CHILDREN = (0.295, 0.335, 0.22, 0.095, 0.055)
_SECOND_ADULT, _OTHER_ADULT = 0.45, 0.06


@dataclass(frozen=True)
class Calendar:
    """Weeks from a Monday on, and the school terms that lie in them; days count from 1970."""

    origin: int
    weeks: int
    last: int
    term_first: Array
    term_weeks: Array

    @classmethod
    def between(cls, first: date, last: date) -> Calendar:
        """Return the weeks that hold both days, and the terms wholly within."""
        epoch = date(1970, 1, 1)
        day = (first - epoch).days
        origin, end = day - first.weekday(), (last - epoch).days
        weeks = (end - origin) // 7 + 1
        begin, long = [], []
        for year in range(first.year, last.year + 1):
            for month, on, length in ((1, 4, 13), (4, 14, 14), (9, 1, 15)):
                start = date(year, month, on)
                week = ((start - epoch).days + (7 - start.weekday()) % 7 - origin) // 7
                if week >= 0 and week + length < weeks:
                    begin.append(week)
                    long.append(length)
        return cls(origin, weeks, end, np.array(begin), np.array(long))

    def school_weeks(self, term: int) -> Array:
        """Return a term's weeks without its half-term holiday."""
        weeks = self.term_first[term] + np.arange(self.term_weeks[term])
        return weeks[weeks != self.term_first[term] + 6]

    def monday(self, week: Any) -> Any:
        """Return the first day of a week."""
        return self.origin + 7 * np.asarray(week, np.int64)

    def week_from(self, day: Array) -> Array:
        """Return the first week that lies wholly from a day on."""
        return -((self.origin - day) // 7)


@dataclass(frozen=True)
class Population:
    """Who there is: one row a person, families in order, parents before children."""

    family: Array
    birth_month: Array
    role: Array  # 0 parent or carer, 1 other adult, 2 child
    male: Array
    strain: Array  # of each family, mean 1
    weekday: Array  # on which a person's states change
    families: int

    def birthday(self, years: int) -> Array:
        """Return the day from which people are so old, by their month of birth."""
        return month_start(self.birth_month + 12 * years)


@dataclass(frozen=True)
class Events:
    """Events of units (people or families) that happen if a family's multiplier is above `mark`.

    `mark` is uniform below `MOST_RAISED`: with a multiplier of 1 the events of the world without
    a programme happen, with a smaller one some of the same.
    """

    unit: Array
    day: Array
    mark: Array
    more: Mapping[str, Array]


@dataclass(frozen=True)
class Chain:
    """A process over states: who, when, how fast; enough to run it again under an effect."""

    seed: np.random.SeedSequence
    units: Array
    family: Array
    rates: Array
    pressed: Array  # transitions that strain and crisis speed up
    scale: Array
    window: tuple[Array, Array]  # the first week, and the one after the last: else state 0

    def run(
        self,
        calendar: Calendar,
        crisis: Array,
        change: Callable[[Array, Array], Array] | None = None,
    ) -> Array:
        """Return the state of each unit in each week, shape (weeks, units).

        `change(weeks, places)` gives the roots of states' multipliers, by state: ways into one are
        multiplied by it and ways out divided, so that in the long run the odds of being there
        are multiplied by its square.
        """
        rng, (begins, ends) = np.random.default_rng(self.seed), self.window
        n, weeks, kinds = len(self.units), calendar.weeks, len(self.rates)
        settled = np.linalg.matrix_power(self.rates + np.diag(1 - self.rates.sum(1)), 1000)[0]
        state = np.minimum(np.searchsorted(settled.cumsum(), rng.random(n)), kinds - 1)
        state[(begins > 0) | (ends <= 0)] = 0
        # In most weeks nothing can change: only those in which something may are looked at.
        fastest = max(_FASTEST, self.rates.sum(axis=1).max())
        week, unit = cells_of(chances(rng, weeks * n, fastest), weeks, n)
        drawn = rng.random(len(week), dtype=np.float32) * np.float32(fastest)
        if begins.max() > 0 or ends.min() < weeks:
            inside = (begins[unit] <= week) & (week < ends[unit])
            week, unit, drawn = week[inside], unit[inside], drawn[inside]
        push = self.scale[unit].astype(np.float32) * crisis[week, self.family[unit]]
        roots = None if change is None else change(week, unit)
        then = np.empty((kinds, len(week)), np.uint8)
        for now in range(kinds):
            then[now], below = now, np.float32(0)
            for to in np.flatnonzero(self.rates[now]):
                rate = np.float32(self.rates[now, to])
                hazard = rate * push if self.pressed[now, to] else rate
                if roots is not None:
                    hazard = hazard * roots[to] / roots[now]
                above = below + hazard
                then[now, (drawn >= below) & (drawn < above)] = to
                below = np.float32(above)
        edges = np.searchsorted(week, np.arange(weeks + 1))
        leaving = np.argsort(ends, kind="stable")
        left = np.searchsorted(ends[leaving], np.arange(-1, weeks), side="right")
        history, state = np.empty((weeks, n), np.uint8), state.astype(np.uint8)
        for at in range(weeks):
            some = slice(edges[at], edges[at + 1])
            here = unit[some]
            state[here] = then[:, some][state[here], np.arange(len(here))]
            state[leaving[left[at] : left[at + 1]]] = 0
            history[at] = state
        return history


@dataclass(frozen=True)
class Histories:
    """What befell every family without a programme."""

    calendar: Calendar
    people: Population
    shocks: Array  # (weeks, families): whether a crisis began
    crisis: Array  # (weeks, families): by what transitions are sped up
    events: Mapping[str, Events]
    chains: Mapping[str, Chain]
    states: Mapping[str, Array]
    missed: Array  # (weeks, pupils): sessions missed without authorisation
    authorised: Array  # (terms, pupils)

    @property
    def pupils(self) -> Array:
        """Places of those who are ever at school."""
        return self.chains["truant"].units


@dataclass(frozen=True)
class Terms:
    """School terms of pupils: everything of shape (terms, pupils)."""

    lived: Histories
    first: Array  # day, of each term
    last: Array
    possible: Array  # sessions, (terms, 1)
    of_age: Array

    @classmethod
    def of(cls, lived: Histories) -> Terms:
        """Return the terms of all who are ever pupils, of age in those they are at school."""
        calendar, people = lived.calendar, lived.people
        first = calendar.monday(calendar.term_first)
        last = calendar.monday(calendar.term_first + calendar.term_weeks) - 3
        count = np.array([10 * len(calendar.school_weeks(t)) for t in range(len(first))])
        from_day, to_day = people.birthday(5)[lived.pupils], people.birthday(16)[lived.pupils]
        of_age = (first[:, None] >= from_day) & (last[:, None] < to_day)
        return cls(lived, first, last, count[:, None], of_age)

    def count(self, name: str, happens: Array) -> Array:
        """Count the events that happened."""
        one = self.lived.events[name]
        place = np.searchsorted(self.lived.pupils, one.unit[happens])
        term = np.searchsorted(self.first, one.day[happens], side="right") - 1
        cells = np.bincount(term * len(self.lived.pupils) + place, minlength=self.of_age.size)
        return cells.reshape(self.of_age.shape)

    def missed(self, weekly: Array) -> Array:
        """Add up sessions missed in each week."""
        weeks = map(self.lived.calendar.school_weeks, range(len(self.first)))
        return np.stack([weekly[of].sum(axis=0, dtype=np.int64) for of in weeks])


def month_start(month: Array) -> Array:
    """Return the first day of months counted from January 1970."""
    return np.asarray(month).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def cells_of(places: Array, weeks: int, units: int) -> tuple[Array, Array]:
    """Return the week and the unit of ascending places in (weeks, units), week after week."""
    starts = np.arange(weeks + 1) * units
    week = np.repeat(np.arange(weeks), np.diff(np.searchsorted(places, starts)))
    return week, places - starts[week]


def chances(rng: np.random.Generator, trials: int, chance: float) -> Array:
    """Return which of many trials succeed, each with the same chance, by the gaps between them."""
    size = int(trials * chance + 8 * (trials * chance) ** 0.5 + 20)
    places = rng.geometric(chance, size=size).cumsum() - 1
    while places[-1] < trials:
        places = np.concatenate([places, places[-1] + rng.geometric(chance, size=size).cumsum()])
    return places[: np.searchsorted(places, trials)]


def histories(
    families: int,
    seed: np.random.SeedSequence,
    calendar: Calendar,
    entry: date,
    crisis: tuple[float, float, float],
) -> Histories:
    """Let families live through all weeks.

    Parameters
    ----------
    families : int
        How many.
    seed : SeedSequence
        Every process has a stream of its own, so that a change of one leaves the others alone.
    calendar : Calendar
        The weeks.
    entry : date
        About when families are identified: ages are drawn as on that day.
    crisis : tuple of float
        By how much a shock raises transitions, days over which it fades, shocks a year.
    """
    names = ("people", "shocks", *_SPELLS, "work", "care", *_EVENTS, "ends", "missed", "authorised")
    seeds = dict(zip(names, seed.spawn(len(names)), strict=True))
    people = _population(families, np.random.default_rng(seeds["people"]), calendar, entry)
    shocks, push = _shocks(families, np.random.default_rng(seeds["shocks"]), calendar, crisis)
    chains = _chains(people, calendar, seeds)
    states = {name: chain.run(calendar, push) for name, chain in chains.items()}
    events = {
        name: _events(name, seeds[name], chains[of], states[of], calendar)
        for name, of in (
            ("fixed_exclusions", "truant"), ("permanent_exclusions", "truant"),
            ("offences", "offending"), ("asb_incidents", "antisocial"),
            ("domestic_abuse", "abusive"), ("ae_attendances", "ill"),
            ("emergency_admissions", "ill"),
        )
    }  # fmt: skip
    events["offences"] = _ended(events["offences"], seeds["ends"], people, calendar)
    missed = _missed(states["truant"], np.random.default_rng(seeds["missed"]), calendar)
    ill = np.random.default_rng(seeds["authorised"])
    usual = ill.beta(2.0, 38.0, missed.shape[1])
    authorised = np.stack(
        [
            ill.binomial(_SESSIONS * len(calendar.school_weeks(term)), usual)
            for term in range(len(calendar.term_first))
        ]
    )
    return Histories(calendar, people, shocks, push, events, chains, states, missed, authorised)


def _population(
    families: int, rng: np.random.Generator, calendar: Calendar, entry: date
) -> Population:
    month = (entry.year - 1970) * 12 + entry.month - 1
    children = 1 + rng.choice(len(_CHILDREN), families, p=_CHILDREN)
    two, other = rng.random(families) < _SECOND_ADULT, rng.random(families) < _OTHER_ADULT
    sizes = 1 + two + other + children
    family = np.repeat(np.arange(families), sizes)
    place = np.arange(len(family)) - np.repeat(sizes.cumsum() - sizes, sizes)
    adults = np.repeat(1 + two + other, sizes)
    role = np.where(place >= adults, 2, 0)
    role[(place == adults - 1) & np.repeat(other, sizes)] = 1
    eldest = rng.uniform(6 * 12, 17.5 * 12, families)[family]
    gaps = 12 + rng.exponential(22.0, len(family))
    born = eldest - (place - adults) * gaps
    # Who would be born much later stands somewhere among the others.
    born = np.where(born > -18, born, rng.uniform(0.0, 1.0, len(family)) * eldest)
    parent = eldest + 12 * (17 + rng.gamma(4.0, 2.2, len(family)))
    born = np.where(role == 2, born, np.where(role == 1, rng.uniform(216, 720, len(role)), parent))
    shape = rng.normal(0.0, _STRAIN_SD, families)
    lone = (place == 0) & (role == 0)
    return Population(
        family=family,
        birth_month=(month - born).astype(np.int64),
        role=role,
        male=np.where(lone, rng.random(len(family)) < 0.1, rng.random(len(family)) < 0.55),
        strain=np.exp(shape - _STRAIN_SD**2 / 2),
        weekday=rng.integers(0, 5, len(family)),
        families=families,
    )


def _shocks(
    families: int, rng: np.random.Generator, calendar: Calendar, crisis: tuple[float, float, float]
) -> tuple[Array, Array]:
    height, days, a_year = crisis
    shocks = rng.random((calendar.weeks, families), dtype=np.float32) < a_year / YEAR
    level = np.zeros(families, np.float32)
    push = np.empty((calendar.weeks, families), np.float32)
    for week in range(calendar.weeks):
        level = np.where(shocks[week], np.float32(1), level * np.float32(np.exp(-7 / days)))
        push[week] = 1 + height * level
    return shocks, push


def _chains(
    people: Population, calendar: Calendar, seeds: Mapping[str, np.random.SeedSequence]
) -> dict[str, Chain]:
    """Return who is in which process, from and to which week, and how fast it moves for them."""
    rng = np.random.default_rng(seeds["people"].spawn(1)[0])
    person = np.exp(rng.normal(0.0, _FRAILTY_SD, len(people.family)) - _FRAILTY_SD**2 / 2)
    strain = people.strain[people.family]
    every = np.arange(len(people.family))

    def ages(first: int, too_old: int) -> tuple[Array, Array]:
        return (
            calendar.week_from(people.birthday(first)),
            calendar.week_from(people.birthday(too_old) + 1) - 1,
        )

    def chain(name: str, rates: Array, years: tuple[int, int], scale: Array) -> Chain:
        begins, ends = ages(*years)
        units = every[(ends > 0) & (begins < calendar.weeks) & (ends > begins)]
        pressed = np.triu(rates > 0, 1)
        if name == "work":  # out of work and onto a benefit; no crisis brings anybody into work
            pressed = np.zeros_like(pressed)
            pressed[[NEITHER, NEITHER, WORK, WORK], [JOBSEEKER, UNWELL_BENEFIT] * 2] = True
        return Chain(seeds[name], units, people.family[units], rates, pressed, scale[units],
                     (begins[units], ends[units]))  # fmt: skip

    def trouble(name: str) -> Array:
        begin, end = _SPELLS[name]
        return np.array([[0.0, begin], [end, 0.0]])

    teens = np.where(calendar.week_from(people.birthday(11)) < calendar.weeks // 2, 1.6, 0.5)
    crime = np.where(people.male, 1.5, 0.5) * np.where(people.role == 2, 1.0, 0.9)
    chains = {
        "truant": chain("truant", trouble("truant"), (5, 16), strain * person * teens),
        "offending": chain("offending", trouble("offending"), (12, 60), strain * person * crime),
        "ill": chain("ill", trouble("ill"), (0, 110), strain * person),
        "work": chain("work", _ADULT, (18, 65), strain),
        "care": chain("care", _CARE, (0, 18), strain * person),
    }
    homes = np.arange(people.families)
    always = (np.zeros(len(homes), np.int64), np.full(len(homes), calendar.weeks))
    for name in ("antisocial", "abusive"):
        rates = trouble(name)
        chains[name] = Chain(seeds[name], homes, homes, rates, np.triu(rates > 0, 1), people.strain,
                            always)  # fmt: skip
    return chains


def _events(
    name: str,
    seed: np.random.SeedSequence,
    chain: Chain,
    states: Array,
    calendar: Calendar,
) -> Events:
    """Draw the events of a process: seldom outside a spell, often within one."""
    rng = np.random.default_rng(seed)
    cells, within = states.ravel(), np.flatnonzero(states)
    quiet, spell = (MOST_RAISED * rate for rate in _EVENTS[name])
    outside = chances(rng, len(cells), quiet)
    places = np.concatenate(
        [outside[cells[outside] == 0], within[chances(rng, len(within), spell)]]
    )
    # Those outside spells come first, so places do not ascend.
    week, unit = np.divmod(places, len(chain.units))
    mask = (week >= chain.window[0][unit]) & (week < chain.window[1][unit])
    if "exclusions" in name:
        at_school = np.zeros(calendar.weeks, bool)
        for term in range(len(calendar.term_first)):
            at_school[calendar.school_weeks(term)] = True
        mask &= at_school[week]
    week, unit = week[mask], unit[mask]
    n = len(week)
    mark = rng.random(n) * MOST_RAISED
    day = calendar.monday(week) + rng.integers(0, 5 if "exclusions" in name else 7, n)
    more = {}
    if name == "asb_incidents":
        more["action"] = rng.choice(5, n, p=[0.50, 0.24, 0.12, 0.04, 0.10])
    if name == "emergency_admissions":
        more["bed_days"] = rng.geometric(0.4, n) - 1
    if name == "domestic_abuse":
        more["risk"] = rng.choice(3, n, p=[0.6, 0.28, 0.12])
    known = day <= calendar.last
    more = {name: values[known] for name, values in more.items()}
    return Events(chain.units[unit[known]], day[known], mark[known], more)


def _ended(
    offences: Events, seed: np.random.SeedSequence, people: Population, calendar: Calendar
) -> Events:
    """Say how and when each offence ends; what has not ended when the records do is pending."""
    rng = np.random.default_rng(seed)
    n = len(offences.unit)
    outcome = np.searchsorted(np.cumsum(_ENDS), rng.random(n), side="right")
    ended = offences.day + 14 + rng.exponential(55.0, n).astype(np.int64)
    outcome[ended > calendar.last] = 3
    adult = offences.day >= people.birthday(18)[offences.unit]
    custody = rng.random(n) / np.where(adult, _CUSTODY["adult"], _CUSTODY["child"])
    days = 28 + rng.exponential(120.0, n).astype(np.int64)
    more = {"outcome": outcome, "ended": ended, "custody_mark": custody, "custody_days": days}
    return Events(offences.unit, offences.day, offences.mark, more)


def _missed(truant: Array, rng: np.random.Generator, calendar: Calendar) -> Array:
    """Draw sessions missed without authorisation in each week of school."""
    missed = np.zeros(truant.shape, np.uint8)
    for term in range(len(calendar.term_first)):
        weeks = calendar.school_weeks(term)
        drawn = rng.integers(0, _MISSED.shape[1], (len(weeks), truant.shape[1]), dtype=np.uint8)
        missed[weeks] = _MISSED[truant[weeks], drawn]
    return missed
