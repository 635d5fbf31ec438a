"""Who is identified, waits and joins: by families' own records, the phase's rules and its pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.programme.phases import Phase
from tfeval.programme.programmes import programmes
from tfeval.programme.published import figure, published
from tfeval.records.schema import authority_codes
from tfeval.records.weekly_states import (
    IN_NEED,
    JOBSEEKER,
    LOOKED_AFTER,
    MOST_RAISED,
    PLAN,
    UNWELL_BENEFIT,
    WORK,
    YEAR,
    Array,
    Calendar,
    Histories,
    Terms,
)

#: Outcomes of which events are thinned, and of which ways into and out of states change.
STATES = {
    "out_of_work": ("work", (JOBSEEKER, UNWELL_BENEFIT)),
    "employment": ("work", (WORK,)),
    "in_need": ("care", (IN_NEED,)),
    "protection_plan": ("care", (PLAN,)),
    "looked_after": ("care", (LOOKED_AFTER,)),
}
CHANGED = (
    "sessions_unauthorised", "fixed_exclusions", "permanent_exclusions", "offences", "custody",
    "asb_incidents", "domestic_abuse", "emergency_admissions", "ae_attendances", *STATES,
)  # fmt: skip
_SHARES = (
    "effect_share", "places", "data_matched", "other_help", "other_help_strength", "missed_links",
    "false_links", "late_authorities", "missing_authorities", "moved",
)  # fmt: skip
_RANGES = {
    "effect_ramp_months": (0, 60), "crisis": (0, 20), "crisis_days": (1, 3650),
    "crises_a_year": (0, 12), "late_months": (0, 12), "authorities": (1, 152),
    "selection_recorded": (-5, 5), "selection_unrecorded": (-5, 5), "informative_waits": (-5, 5),
}  # fmt: skip
#: The first families were listed about three months before the phase began.
_LISTED_BEFORE = 91
_BELOW_LISTED = 0.5  # how often a family below the threshold is listed, against an eligible one
_NOTICED = 5.0  # by how much an event makes a family likelier to be listed in its week
_SPEED_SD = 0.6  # of authorities' speeds, log scale
_HALF_YEAR, _MATCHED_AFTER = 26, 39


@dataclass(frozen=True)
class HistorySettings:
    """The world of `simulate_histories`; nothing is wrong in it unless asked for.

    Attributes
    ----------
    phase : str
        Phase whose criteria, dates and pace of entry hold.
    effects : mapping of str to float
        Outcome to what the programme multiplies it by, above 0 and up to 2: 0.8 is a fifth less.
        Events are thinned or added in that ratio. Of out_of_work, employment, in_need,
        protection_plan and looked_after the ways in and out change so that in the long run the
        odds of the state are multiplied: days change later and by less. Empty: no effect.
    effect_ramp_months : float
        Months after attachment until an effect is whole; 0: at once.
    effect_share : float
        Share of families on whom the programme has an effect.
    crisis : float
        By how much a shock raises ways into trouble: 4 makes them five times as likely; 0: none.
    crisis_days : float
        Days over which that fades to 37%.
    crises_a_year : float
        Shocks a family has a year, at random.
    places : float
        Share of eligible families for which there is a place.
    selection_recorded, selection_unrecorded : float
        By how much the log odds of a place rise with one standard deviation of the incidents
        recorded in the year before identification, and of the family's own proneness to trouble,
        of which nothing is recorded.
    informative_waits : float
        By how much the log chance to be called next rises with one standard deviation of the
        incidents of the last three months.
    data_matched : float
        Share of eligible families without a place whose incidents fell by 60% that are claimed
        for that, without a practitioner.
    other_help, other_help_strength : float
        Share of families that get other help if not supported, and how much of the programme's
        effect it has.
    missed_links, false_links : float
        Shares of people whose rows in the school and benefit records are not found, or are
        another person's of about the same age.
    authorities : int
        How many of the 152 authorities are in the extract.
    late_authorities, late_months : float, int
        Share of authorities that sent records of incidents and social care only from so many
        months before the phase on.
    missing_authorities : float
        Share that sent no such records.
    entry_by_year : tuple of float
        Shares of authorities that begin in the first, second... year of the phase.
    moved : float
        Share of families that move to another authority.
    """

    phase: str = "one"
    effects: Mapping[str, float] = field(default_factory=dict)
    effect_ramp_months: float = 0.0
    effect_share: float = 1.0
    crisis: float = 4.0
    crisis_days: float = 120.0
    crises_a_year: float = 0.5
    places: float = 0.5
    selection_recorded: float = 0.0
    selection_unrecorded: float = 0.0
    informative_waits: float = 0.0
    data_matched: float = 0.0
    other_help: float = 0.0
    other_help_strength: float = 0.5
    missed_links: float = 0.0
    false_links: float = 0.0
    authorities: int = 152
    late_authorities: float = 0.0
    late_months: int = 6
    missing_authorities: float = 0.0
    entry_by_year: tuple[float, ...] = (1.0,)
    moved: float = 0.0

    def __post_init__(self) -> None:
        if self.phase not in programmes():
            raise ParameterError(
                f"There is no phase {self.phase}. {suggest(self.phase, programmes())}"
            )
        for name, factor in self.effects.items():
            if name not in CHANGED:
                raise ParameterError(f"No effect on {name} is simulated. {suggest(name, CHANGED)}")
            if not 0 < factor <= MOST_RAISED:
                raise ParameterError(f"effects: {name} must be above 0 and at most {MOST_RAISED}.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} is a share: give 0 to 1.")
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ParameterError(f"{name} must be from {least:g} to {most:g}.")
        if abs(sum(self.entry_by_year) - 1) > 1e-9 or min(self.entry_by_year) < 0:
            raise ParameterError("entry_by_year holds shares that add up to 1.")

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return {**asdict(self), "effects": dict(self.effects)}


@dataclass(frozen=True)
class Entry:
    """Who was identified, who joined and when; one value a family that lived. Days from 1970."""

    codes: tuple[str, ...]  # of the authorities in the extract
    authority: Array  # place in them
    listed: Array  # week of identification; -1 if never
    identified: Array  # its day
    met: Mapping[str, Array]
    eligible: Array
    recorded: Array  # standardised incidents of the year before identification
    attached: Array  # day; -1 if never
    matched: Array  # attached by matching of records alone
    index: Array  # day of attachment, or on which it would have been
    claimed: Array  # day of a claim made by matching alone; -1 if none
    moved: Array  # day of a move; beyond all days if none
    moved_to: Array

    @property
    def worked_with(self) -> Array:
        """Whether the programme worked with the family."""
        return (self.attached >= 0) & ~self.matched


def needs(lived: Histories, rules: Phase) -> dict[str, Array]:
    """Return in which weeks each family meets each nominated criterion by its own records.

    Arrays are of shape (weeks, families). Local discretion, for a family of high cost, is read as
    one with social care, domestic abuse or an emergency admission.
    """
    events, people, states = lived.events, lived.people, lived.states
    offences = events["offences"]
    minor = offences.day < people.birthday(18)[offences.unit]
    proven = minor & (offences.more["outcome"] < 2)
    acted = events["asb_incidents"].more["action"] >= 2
    crime = weekly(lived, "offences", proven) + weekly(lived, "asb_incidents", acted)
    trouble = {
        "crime": over(crime, YEAR) > 0,
        "school": _out_of_school(lived, rules),
        "work": _anybody(lived, "work", states["work"] >= JOBSEEKER),
        "children": _anybody(lived, "care", states["care"] > 0),
        "abuse": over(weekly(lived, "domestic_abuse"), YEAR) > 0,
        "health": over(weekly(lived, "emergency_admissions"), YEAR) > 0,
    }
    none = np.zeros_like(trouble["crime"])
    criteria = {need.name: trouble.get(need.problem, none) for need in rules.needs}
    if rules.has_local_discretion:
        criteria[rules.discretion] = trouble["children"] | trouble["abuse"] | trouble["health"]
    return criteria


def weekly(lived: Histories, name: str, which: Array | None = None) -> Array:
    """Count events of each family in each week, in the world without a programme."""
    one = lived.events[name]
    happens = one.mark < 1
    if which is not None:
        happens &= which
    homes = lived.people.families
    family = one.unit[happens]
    if name not in ("asb_incidents", "domestic_abuse"):
        family = lived.people.family[family]
    week = (one.day[happens] - lived.calendar.origin) // 7
    cells = np.bincount(week * homes + family, minlength=lived.calendar.weeks * homes)
    return cells.astype(np.int16).reshape(lived.calendar.weeks, homes)


def over(counts: Array, weeks: int) -> Array:
    """Return counts over so many weeks up to each."""
    total = counts.cumsum(axis=0, dtype=np.int16)
    late = total.copy()
    late[weeks:] -= total[:-weeks]
    return late


def incidents(lived: Histories) -> Array:
    """Count what agencies see of each family in each week."""
    total = weekly(lived, "offences")
    for name in ("asb_incidents", "fixed_exclusions", "domestic_abuse"):
        total += weekly(lived, name)
    return total


def _anybody(lived: Histories, chain: str, state: Array) -> Array:
    """Tell when (in each row) something holds for anybody of a family."""
    family, families = lived.chains[chain].family, lived.people.families
    first = np.flatnonzero(np.diff(family, prepend=-1))
    flags = np.zeros((len(state), families), bool)
    flags[:, family[first]] = np.logical_or.reduceat(state, first, axis=1)
    return flags


def _out_of_school(lived: Histories, rules: Phase) -> Array:
    """Tell who has a child out of school, by its last three whole terms."""
    calendar = lived.calendar
    terms = Terms.of(lived)
    excluded = terms.count("fixed_exclusions", lived.events["fixed_exclusions"].mark < 1)
    for_good = terms.count("permanent_exclusions", lived.events["permanent_exclusions"].mark < 1)

    def last_three(per_term: Array) -> Array:
        total = per_term.astype(np.int32).cumsum(axis=0)
        total[3:] -= total[:-3].copy()
        return total

    possible = last_three(terms.possible * terms.of_age)
    missed = last_three(terms.missed(lived.missed) * terms.of_age)
    out = for_good.cumsum(axis=0) > 0
    out |= last_three(excluded) >= figure("eligibility", "exclusions_at_entry").low
    most = figure("eligibility", "unauthorised_absence_at_entry").low / 100
    out |= (missed >= most * possible) & (possible > 0)
    least = rules.results.attendance_at_least
    if least is not None:
        absent = missed + last_three(lived.authorised * terms.of_age)
        out |= (absent > (1 - least) * possible) & (possible > 0)
    out &= terms.of_age
    homes = _anybody(lived, "truant", out)
    ended = calendar.term_first + calendar.term_weeks
    latest = np.searchsorted(ended, np.arange(calendar.weeks), side="right") - 1
    return homes[np.maximum(latest, 0)] & (latest >= 0)[:, None]


def drawn_at_pace(
    rng: np.random.Generator,
    weights: Callable[[int], Array],
    quota: Array,
    weeks: tuple[int, int],
) -> Array:
    """Draw families from those who are ready, week by week, as many as the pace allows.

    Parameters
    ----------
    rng : Generator
    weights : function of the week
        A weight for each family, 0 where it is not ready.
    quota : array of float
        How many are to have been drawn by the end of each week.
    weeks : tuple of int
        First week and the one after the last.

    Returns
    -------
    array of int
        The week of each family; -1 if it was never drawn.

    Notes
    -----
    The smallest of exponential times with these rates is a draw without replacement in which each
    next one is taken with a probability in proportion to its weight.

    References
    ----------
    Efraimidis and Spirakis (2006), Weighted random sampling with a reservoir, Information
    Processing Letters 97(5).
    """
    drawn = np.full(len(weights(weeks[0])), -1)
    taken = 0
    for week in range(*weeks):
        times = rng.exponential(size=len(drawn))
        weight = weights(week)
        pool = np.flatnonzero((weight > 0) & (drawn < 0))
        wanted = min(int(quota[week] + 1e-9) - taken, len(pool))
        if wanted > 0:
            order = np.argsort(times[pool] / weight[pool], kind="stable")
            drawn[pool[order[:wanted]]] = week
            taken += wanted
    return drawn


def published_pace(rules: Phase, measure: str, calendar: Calendar, first: date) -> Array:
    """Return the share reached by the end of each week, as the department's counts grew.

    A phase of which no counts were published grows evenly until a year before its end.
    """
    rows = published("progress_national")
    rows = rows[(rows["figure"] == measure) & (rows["period"] == rules.period)].sort_values("as_of")
    shares = np.maximum.accumulate(rows["value"].to_numpy(float))
    # A count of a month is one of its end.
    days = (rows["as_of"].to_numpy("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64)
    if len(rows) < 3:
        days, shares = np.array([(rules.end - date(1970, 1, 1)).days - 365]), np.ones(1)
    begin = (first - date(1970, 1, 1)).days
    ends = calendar.monday(np.arange(calendar.weeks)) + 6
    return np.interp(ends, np.append(begin, days), np.append(0.0, shares / shares[-1]))


def standardised(values: Array, among: Array) -> Array:
    """Return values less their mean, in standard deviations, among some families."""
    some = values[among]
    return (values - some.mean()) / (some.std() or 1.0) if len(some) else np.zeros(len(values))


def entry(
    lived: Histories,
    settings: HistorySettings,
    rules: Phase,
    families: int,
    seeds: Mapping[str, np.random.SeedSequence],
) -> Entry:
    """Let authorities list families, give places, and call those who wait.

    Parameters
    ----------
    lived : Histories
        More families than are to be identified.
    settings : HistorySettings
    rules : Phase
    families : int
        How many are identified, if so many ever meet enough criteria.
    seeds : mapping of str to SeedSequence
        One a step, so that a change of one leaves the others alone.
    """
    draw = {name: np.random.default_rng(seed) for name, seed in seeds.items()}
    calendar, homes = lived.calendar, lived.people.families
    begin, end = ((day - date(1970, 1, 1)).days for day in (rules.start, rules.end))
    areas = _authorities(settings, calendar, begin, homes, draw["areas"])
    flags = needs(lived, rules)
    seen = incidents(lived)
    met = np.sum([flags[name] for name in rules.criteria], axis=0, dtype=np.int8)
    nearly = met == rules.criteria_needed - 1
    enough = (met >= rules.criteria_needed) | (nearly & flags.get(rules.discretion, False))
    likely = np.where(enough, 1.0, _BELOW_LISTED * nearly) * np.where(seen > 0, 1 + _NOTICED, 1.0)
    since = date.fromordinal(rules.start.toordinal() - _LISTED_BEFORE)
    first, opened, last = (
        int(calendar.week_from(np.array(day))) for day in (begin - _LISTED_BEFORE, begin, end - 5)
    )
    listed = drawn_at_pace(
        draw["listing"],
        lambda week: likely[week] * (week >= areas.opens),
        published_pace(rules, "identified", calendar, since) * families,
        (first, last),
    )
    at = (np.maximum(listed, 0), np.arange(homes))
    eligible = enough[at] & (listed >= 0)
    recorded = standardised(np.log1p(over(seen, YEAR)[at]), eligible)
    place = _places(settings, eligible, recorded, lived.people.strain, draw["places"])
    lately = np.log1p(over(seen, YEAR // 4)) if settings.informative_waits else seen

    def called(week: int) -> Array:
        urgent = np.exp(settings.informative_waits * standardised(lately[week], eligible))
        return np.where(place & (listed < week), areas.speed * urgent, 0.0)

    joined = drawn_at_pace(
        draw["queue"],
        called,
        published_pace(rules, "worked_with", calendar, rules.start) * place.sum(),
        (opened, last),
    )
    weekday = lived.people.weekday[np.searchsorted(lived.people.family, at[1])]
    identified = np.where(listed >= 0, calendar.monday(at[0]) + weekday, -1)
    attached = calendar.monday(joined) + draw["queue"].integers(0, 5, homes)
    attached = np.where(joined >= 0, attached, -1)
    waits = (attached - identified)[attached >= 0]
    would = identified + draw["waits"].choice(waits if len(waits) else np.array([90]), homes)
    improved = improved_on(lived, at[0], end) if settings.data_matched else -1
    chosen = draw["matching"].random(homes) < settings.data_matched
    claimed = np.where(eligible & (attached < 0) & chosen, improved, -1)
    attached = np.where(claimed >= 0, np.clip(would, begin, claimed), attached)
    return Entry(
        codes=areas.codes,
        authority=areas.authority,
        listed=listed,
        identified=identified,
        met={name: flag[at] for name, flag in flags.items()},
        eligible=eligible,
        recorded=recorded,
        attached=attached,
        matched=claimed >= 0,
        index=np.where(attached >= 0, attached, would),
        claimed=claimed,
        moved=areas.moved,
        moved_to=areas.moved_to,
    )


def _places(
    settings: HistorySettings, among: Array, seen: Array, strain: Array, rng: np.random.Generator
) -> Array:
    """Say for which of the eligible families there is a place."""
    with np.errstate(divide="ignore"):
        odds = np.log(settings.places) - np.log1p(-settings.places)
    odds = odds + settings.selection_recorded * seen
    odds = odds + settings.selection_unrecorded * standardised(np.log(strain), among)
    return among & (rng.random(len(among)) < 1 / (1 + np.exp(-odds)))


@dataclass(frozen=True)
class Areas:
    """The authorities in the extract; of each family which, from when on, how fast, and moves."""

    codes: tuple[str, ...]
    authority: Array
    opens: Array  # week
    speed: Array
    moved: Array  # day; beyond all days if never
    moved_to: Array


#: The City of London, whose 25 families were read once draws were kept: they stay as they were.
_READ_LATER = "E09000001"


def _authorities(
    settings: HistorySettings, calendar: Calendar, begin: int, homes: int, rng: np.random.Generator
) -> Areas:
    """Draw authorities, families' among them by published targets, beginnings, speeds, moves."""
    known, n = authority_codes(), settings.authorities
    chosen = np.sort(rng.permutation(len(known))[:n])
    rows = published("progress_local").query("figure == 'targeted' and area_code != @_READ_LATER")
    targets = rows.groupby("area_code")["value"].max().astype(float)
    sizes = targets.reindex([known[one] for one in chosen]).fillna(targets.median()).to_numpy()
    authority = rng.choice(len(chosen), homes, p=sizes / sizes.sum())
    year = rng.choice(len(settings.entry_by_year), len(chosen), p=settings.entry_by_year)
    opens = np.where(year > 0, calendar.week_from(begin + year * 365), 0)
    speed = np.exp(rng.normal(0.0, _SPEED_SD, len(chosen)))
    moves = rng.random(homes) < settings.moved * (n > 1)
    day = rng.integers(calendar.origin + 365, calendar.last - 30, homes)
    return Areas(
        codes=tuple(known[one] for one in chosen),
        authority=authority,
        opens=opens[authority],
        speed=speed[authority],
        moved=np.where(moves, day, np.iinfo(np.int64).max),
        moved_to=(authority + rng.integers(1, max(2, n), homes)) % n,
    )


def improved_on(lived: Histories, listed: Array, end: int) -> Array:
    """Return the day on which records alone would earn a claim; -1 where they would not.

    Anti-social behaviour and offending over half a year, nine months after identification, are
    down by 60% on the half year before it, and there were some (results_definitions.csv).
    """
    every = np.arange(lived.people.families)
    count = over(weekly(lived, "offences") + weekly(lived, "asb_incidents"), _HALF_YEAR)
    week = listed + _MATCHED_AFTER
    inside = week < lived.calendar.weeks
    before, after = count[listed, every], count[np.where(inside, week, 0), every]
    share = 1 - figure("results_definitions", "asb_reduction", phase="one").low / 100
    day = lived.calendar.monday(week)
    return np.where(inside & (before > 0) & (after <= share * before) & (day <= end), day, -1)
