"""Who is nominated, attached, worked with and claimed for: the programme's own choices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from tfeval.programme.phases import ABSENCE_AT_ENTRY, EXCLUSIONS_AT_ENTRY, phase
from tfeval.programme.programmes import Result, programmes
from tfeval.records.schema import ALL_CRITERIA, CLAIM_KINDS
from tfeval.records.simulation.population import Authorities, Population, day_number
from tfeval.records.simulation.processes import MONTH, YEAR, Candidates, Spells
from tfeval.records.simulation.school import SchoolTerms
from tfeval.records.simulation.settings import CLAIMED_SHARES, SimulationSettings

# What the records show of a family before it was identified: the recorded part of selection.

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
    pools: dict[str, Candidates], spells: dict[str, Spells], terms: SchoolTerms, people: Population
) -> Evidence:
    """Return what the records show over the year before identification, in either world."""
    n = people.n_families
    until = people.identified
    since = until - int(YEAR)

    def events(name: str, owner: np.ndarray, young: bool = False) -> np.ndarray:
        one = pools[name]
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


#: Most that a need which no record shows counts, beside 2 for one that a record shows: assumed.
_UNRECORDED = 2.0
#: Chance that more criteria are met than needed.
_ONE_MORE = 0.45
# Of the results claimed to February 2015, 10,508 of 105,671 were for continuous employment
# (Written answer 226403); of those to October 2014, 7,347 of 85,303 were beside progress to work
# (`progress_national.csv`).
_CLAIM_SHARES = {"continuous_employment": 10508 / 105671, "progress_to_work": 7347 / 85303}
#: Median time on the programme in phase one, months (National Evaluation; `evaluations.csv`).
_MEDIAN_MONTHS = 15
#: Days that a result must have lasted: 13 weeks in work (Written answer 226403).
_SHORTEST_CLAIM = 91
NEVER = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Course:
    """What the programme did; arrays by family (n,), days with `NEVER` for none.

    Attributes
    ----------
    nominated : bool array (n, criteria)
        By `ALL_CRITERIA`.
    eligible, attached, data_matched, worked_with : bool array
        Whether the family met the criteria; was ever attached; was claimed for without work.
    index : int array
        Day of attachment, or on which it would have been.
    lead, plan, closed, claimed : int array
        Days.
    claim_kind : int array
        Index into `CLAIM_KINDS`.
    """

    nominated: np.ndarray
    eligible: np.ndarray
    attached: np.ndarray
    data_matched: np.ndarray
    index: np.ndarray
    lead: np.ndarray
    plan: np.ndarray
    closed: np.ndarray
    claimed: np.ndarray
    claim_kind: np.ndarray

    @property
    def worked_with(self) -> np.ndarray:
        """Whether attachment means, or would have meant, work with the family."""
        return ~self.data_matched


def course(
    shown: Evidence,
    better: np.ndarray,
    *,
    people: Population,
    areas: Authorities,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> Course:
    """Draw who is eligible, attached and claimed for.

    Parameters
    ----------
    shown : Evidence
        Of the year before identification.
    better : bool array (n,)
        Whether the family's records look better in the year after the index date than in the year
        before, if it is never attached: those that data-matching finds.
    """
    n = people.n_families
    eligible = rng.random(n) < _chance(1.0 * shown.score, settings.eligible_share)
    nominated = _nominate(eligible, shown, people, rng)
    log_odds = (
        settings.selection_recorded * shown.score
        + settings.selection_unrecorded * people.unrecorded
        + areas.selection[people.authority]
    )
    share = settings.attached_share / settings.eligible_share if settings.eligible_share else 0.0
    chance = np.zeros(n)
    chance[eligible] = _chance(log_odds[eligible], share)
    index = (people.identified + people.wait).astype(np.int32)
    last = _by_phase(people, [_last_day(one.end, settings) for one in programmes().values()])
    in_time = index <= last
    chosen = rng.random(n) < chance
    matched_share = settings.data_matched_share * _data_matching(people)
    worked = chosen & in_time & (rng.random(n) >= matched_share)
    year_left = index + int(YEAR) + 1 <= last
    data_matched = _matched(
        eligible & year_left & ~chosen, better, worked, people=people, settings=settings, rng=rng
    )
    attached = worked | data_matched
    return Course(
        nominated, eligible, attached, data_matched, index,
        **_work(worked, index, settings, rng),
        **_claims(
            attached, data_matched,
            index=index, last=last, people=people, settings=settings, rng=rng,
        ),
    )  # fmt: skip


def _by_phase(people: Population, values: list) -> np.ndarray:
    """Return each family's value, from one for each phase in order."""
    return np.array(values)[people.phase]


def _data_matching(people: Population) -> np.ndarray:
    return _by_phase(people, [one.simulation.data_matched for one in programmes().values()])


def _last_day(end: date, settings: SimulationSettings) -> int:
    return min(day_number(end), day_number(settings.records_to) - int(6 * MONTH))


def _chance(log_odds: np.ndarray, share: float) -> np.ndarray:
    """Return logistic probabilities whose mean is `share`, by bisection on the intercept."""
    if share <= 0 or share >= 1 or not log_odds.size:
        return np.full(log_odds.size, float(np.clip(share, 0, 1)))
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = (low + high) / 2
        mean = (1 / (1 + np.exp(-(log_odds + middle)))).mean()
        low, high = (middle, high) if mean < share else (low, middle)
    return 1 / (1 + np.exp(-(log_odds + low)))


def _nominate(
    eligible: np.ndarray, shown: Evidence, people: Population, rng: np.random.Generator
) -> np.ndarray:
    """Nominate as many criteria as the rule needs (below the threshold: one fewer), best first.

    Phase one: three of three, or two and the local filter; below it: two without the filter.
    What no record shows is nominated by chance.
    """
    n = eligible.size
    nominated = np.zeros((n, len(ALL_CRITERIA)), dtype=bool)
    own = people.kind[:, None] == np.arange(len(PROBLEMS))
    strength = shown.flags * 2.0 + own * 0.5 + rng.random((n, len(PROBLEMS)))
    more = rng.random(n) < _ONE_MORE
    local = rng.random(n) < 0.5
    for number, (name, rules) in enumerate(programmes().items()):
        mine = people.phase == number
        if not mine.any():
            continue
        needed = phase(name).criteria_needed
        met = np.where(eligible, needed, needed - 1)
        met = met - (eligible & local) if rules.has_local_discretion else met + (eligible & more)
        own = np.column_stack([
            strength[:, PROBLEMS.index(need.problem)] if need.problem
            else rng.random(n) * _UNRECORDED for need in rules.needs
        ])  # fmt: skip
        rank = np.argsort(np.argsort(-own, axis=1), axis=1)
        columns = [ALL_CRITERIA.index(need.name) for need in rules.needs]
        nominated[np.ix_(mine, columns)] = (rank < met[:, None])[mine]
        if rules.has_local_discretion:
            place = ALL_CRITERIA.index(rules.discretion)
            nominated[:, place] |= eligible & (local | more) & mine
    return nominated


def _matched(
    left: np.ndarray,
    better: np.ndarray,
    worked: np.ndarray,
    *,
    people: Population,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """Choose families never worked with whose records improved, for their share of claims."""
    matching = _data_matching(people)
    pool = left & better & matching
    share = settings.data_matched_share
    wanted = (worked & matching).sum() * share / max(1 - share, 1e-9)
    return pool & (rng.random(pool.size) < min(1.0, wanted / max(pool.sum(), 1)))


def _work(
    worked: np.ndarray, index: np.ndarray, settings: SimulationSettings, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    last = day_number(settings.records_to)
    lead = index + rng.exponential(14, index.size).astype(np.int32)
    plan = lead + rng.gamma(2.0, 20.0, index.size).astype(np.int32)
    months = _MEDIAN_MONTHS * np.exp(rng.normal(0, 0.4, index.size))
    closed = np.maximum(plan, index + (months * MONTH).astype(np.int32))
    days = {"lead": lead, "plan": plan, "closed": closed}
    return {k: np.where(worked & (v <= last), v, NEVER) for k, v in days.items()}


def _claims(
    attached: np.ndarray,
    data_matched: np.ndarray,
    *,
    index: np.ndarray,
    last: np.ndarray,
    people: Population,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    shares = {**CLAIMED_SHARES, **settings.claimed_shares}
    share = _by_phase(people, [shares[name] for name in programmes()])
    claimed = attached & ((rng.random(index.size) < share) | data_matched)
    claimed &= index + _SHORTEST_CLAIM <= last
    # Many claims came in the last months before a phase closed.
    day = np.minimum(index + rng.integers(180, 500, index.size), last)
    day = np.where(data_matched, np.minimum(np.maximum(day, index + int(YEAR)), last), day)
    kind = rng.random(index.size)
    kinds = np.array([_claim_kinds(kind, one.result) for one in programmes().values()])
    return {
        "claimed": np.where(claimed, day, NEVER).astype(np.int32),
        "claim_kind": kinds[people.phase, np.arange(index.size)],
    }


def _claim_kinds(chance: np.ndarray, result: Result) -> np.ndarray:
    """Return a kind of claim for each number drawn: of those without a share, the rest."""
    rest = result.behaviour or result.name
    kinds = np.full(chance.size, CLAIM_KINDS.index(rest))
    edge = 0.0
    for name, share in _CLAIM_SHARES.items():
        if name in result.claims:
            kinds[(chance >= edge) & (chance < edge + share)] = CLAIM_KINDS.index(name)
            edge += share
    return kinds
