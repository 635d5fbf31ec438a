"""What a simulation assumes: every number of it, with its source where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from tfeval.errors import ParameterError, suggest
from tfeval.programme.programmes import programmes

#: Kinds of family: the problem that weighs most. Each raises the rates of its own records.
KINDS = ("crime", "school", "work", "children", "abuse", "health")
#: Outcomes on which the programme may have an effect. `custody` is a custodial sentence given a
#: conviction, on top of an effect on `offences`; `absence` is of both kinds.
OUTCOMES = (
    "absence",
    "exclusions",
    "offences",
    "custody",
    "asb_incidents",
    "out_of_work",
    "employment",
    "in_need",
    "protection_plan",
    "looked_after",
    "emergency_admissions",
    "ae_attendances",
    "domestic_abuse",
)
#: Processes that make events, by name; their rates stand in `processes`.
PROCESS_NAMES = ("offences", "asb_incidents", "domestic_abuse", "ae_attendances",
                 "emergency_admissions", "out_of_work", "employment", "in_need",
                 "protection_plan", "looked_after")  # fmt: skip
#: Effects, as ratios of rates, that come near the differences which the phase two evaluation
#: reported (MHCLG 2019, as quoted by Family Law Week and Locum Today; `evaluation_outcomes.csv`):
#: looked after 1.7% against 2.5%, adult custody 1.2% against 1.6%, juvenile conviction 3.9%
#: against 4.6%, Jobseeker's Allowance 9.3% against 10.5%. Its other outcomes showed no effect.
PHASE_TWO_EFFECTS: dict[str, float] = {
    "looked_after": 0.68,
    "offences": 0.85,
    "custody": 0.88,
    "out_of_work": 0.88,
}
#: Shares of families assessed under the rules of each phase: assumed.
PHASE_SHARES: Mapping[str, float] = MappingProxyType(
    {name: one.simulation.share for name, one in programmes().items() if one.simulation.share}
)
#: Shares of attached families for which a result was claimed, by phase; where assumed, as said in
#: `data/programmes`.
CLAIMED_SHARES: Mapping[str, float] = MappingProxyType(
    {name: one.simulation.claimed for name, one in programmes().items()}
)
#: Records must go on for so long after the first day of a phase whose families are simulated.
_FOLLOWED = timedelta(days=365)
USUAL_RATES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class SimulationSettings:
    """The world that is simulated. Shares lie between 0 and 1; loadings are on the log scale.

    Attributes
    ----------
    effects : mapping
        Ratio of an outcome's rate with the programme to its rate without, by outcome (`OUTCOMES`);
        or for an outcome a mapping from kind of family (`KINDS`) to ratio. Outcomes and kinds left
        out have a ratio of 1. Reached in equal steps over `effect_ramp_months`, then lasting.
    effect_ramp_months : float
        Months from attachment until the full effect.
    records_from, records_to : date
        First and last day of the records.
    phase_shares : mapping
        Share of families assessed under the rules of each phase, by its name; they add up to 1.
    attached_share, eligible_share : float
        Shares of all families that meet the criteria, and that are ever attached.
    waiting_share, wait_days, long_wait_days : float, float, (float, float)
        Of the attached, the share that waits long; the mean wait of the others; the range of the
        long waits.
    selection_recorded, selection_unrecorded : float
        Change in the log odds of attachment for one standard deviation more of need as recorded
        before identification, and of the unrecorded confounder.
    unrecorded_loading, need_loading, frailty : float
        How much the unrecorded confounder, the family's need, and the person alone move the log
        rates of bad outcomes.
    kind_ratio : float
        Ratio by which a family's kind raises the rates of its own problem.
    crisis_share, crisis_height, crisis_days, crisis_lag_days : float
        Share of families identified at a crisis; excess of rates at its start, as a multiple; mean
        time until it fades; mean time from its start to identification.
    other_help_share, other_help_strength : float
        Share of families that would get other help where not attached, and that help's effect
        relative to the programme's on the log scale.
    authority_sd, authority_selection_sd : float
        Standard deviations of the authorities' random effects on log rates, and on the log odds of
        attachment.
    no_data_share, late_data_share, late_months : float, float, (int, int)
        Share of authorities that send nothing of a local table, or whose records of it stop early,
        and how many months early.
    missed_link_share, false_link_share : float
        Share of people whose records in a source were not found, and of people who got somebody
        else's.
    data_matched_share : float
        Of the attached in phase one, the share that was claimed after data-matching, without work,
        because their records looked better already. Their attachment is dated back.
    claimed_shares : mapping
        Share of attached families for which a result was claimed, by phase.
    move_share, again_share : float
        Share of families that move to another authority, and of phase one's attached families that
        are identified and attached again in phase two, at least 24 months later.
    rate_ratios : mapping
        Ratio of a process's rate to its usual one, by its name (`PROCESSES`); usual where left
        out. For records that imitate others.
    more_children : float
        Children a family has on average beyond its first, before the most that there can be.
    """

    effects: Mapping[str, float | Mapping[str, float]] = field(
        default_factory=lambda: dict(PHASE_TWO_EFFECTS)
    )
    effect_ramp_months: float = 6.0
    records_from: date = date(2010, 1, 1)
    records_to: date = date(2019, 12, 31)
    phase_shares: Mapping[str, float] = field(default_factory=lambda: dict(PHASE_SHARES))
    attached_share: float = 0.25
    eligible_share: float = 0.60
    waiting_share: float = 0.25
    wait_days: float = 40.0
    long_wait_days: tuple[float, float] = (180.0, 540.0)
    selection_recorded: float = 0.5
    selection_unrecorded: float = 0.25
    unrecorded_loading: float = 0.20
    need_loading: float = 0.35
    frailty: float = 0.7
    kind_ratio: float = 2.0
    crisis_share: float = 0.6
    crisis_height: float = 2.0
    crisis_days: float = 120.0
    crisis_lag_days: float = 45.0
    other_help_share: float = 0.25
    other_help_strength: float = 0.4
    authority_sd: float = 0.15
    authority_selection_sd: float = 0.4
    no_data_share: float = 0.04
    late_data_share: float = 0.08
    late_months: tuple[int, int] = (6, 18)
    missed_link_share: float = 0.05
    false_link_share: float = 0.01
    data_matched_share: float = 0.10
    claimed_shares: Mapping[str, float] = field(default_factory=lambda: dict(CLAIMED_SHARES))
    move_share: float = 0.05
    again_share: float = 0.04
    rate_ratios: Mapping[str, float] = field(default_factory=dict)
    more_children: float = 0.9

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing, before anything is simulated."""
        self._check_shares()
        self._check_effects()
        self._check_rates()
        if self.eligible_share < self.attached_share:
            raise ParameterError("attached_share cannot be above eligible_share.")
        if (self.records_from, self.records_to) > (date(2011, 4, 1), date.max) or (
            self.records_to < date(2016, 4, 1)
        ):
            raise ParameterError(
                "The records must begin by 1 April 2011 and end after 1 April 2016: a year before "
                "the programme, and at least a year after phase one's first families."
            )
        self._check_phases()

    def _check_shares(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name.endswith("_share"):
                values = value if isinstance(value, tuple) else (value,)
                if not all(0 <= each <= 1 for each in values):
                    raise ParameterError(f"{one.name} is a share: give a number from 0 to 1.")
            elif one.name.endswith(("_sd", "_days", "_height", "_months")):
                values = value if isinstance(value, tuple) else (value,)
                if any(each < 0 for each in values):
                    raise ParameterError(f"{one.name} cannot be negative.")

    def _check_phases(self) -> None:
        for field_name in ("phase_shares", "claimed_shares"):
            for name, share in getattr(self, field_name).items():
                if name not in programmes():
                    raise ParameterError(f"No phase {name}. {suggest(name, programmes())}")
                if not 0 <= share <= 1:
                    raise ParameterError(f"{field_name} are shares: give numbers from 0 to 1.")
        if abs(sum(self.phase_shares.values()) - 1) > 1e-9:
            raise ParameterError("phase_shares must add up to 1: give each phase its share.")
        for name, share in self.phase_shares.items():
            needed = programmes()[name].start + _FOLLOWED
            if share and self.records_to < needed:
                raise ParameterError(
                    f"Families of {programmes()[name].words} need records to {needed} or later, "
                    f"not {self.records_to}: set records_to."
                )

    def _check_effects(self) -> None:
        for outcome, effect in self.effects.items():
            if outcome not in OUTCOMES:
                raise ParameterError(f"No outcome {outcome}. {suggest(outcome, OUTCOMES)}")
            by_kind = effect if isinstance(effect, Mapping) else {"": effect}
            for kind, ratio in by_kind.items():
                if kind not in ("", *KINDS):
                    raise ParameterError(f"No kind of family {kind}. {suggest(kind, KINDS)}")
                if not 0 < ratio <= 5:
                    raise ParameterError(
                        f"The effect on {outcome} is a ratio of rates: above 0, at most 5."
                    )

    def _check_rates(self) -> None:
        for name, ratio in self.rate_ratios.items():
            if name not in PROCESS_NAMES:
                raise ParameterError(f"No process {name}. {suggest(name, PROCESS_NAMES)}")
            if not 0 < ratio <= 20:
                raise ParameterError(f"rate_ratios: {name} is a ratio above 0, at most 20.")
        if not 0 <= self.more_children <= 5:
            raise ParameterError("more_children is a mean from 0 to 5.")

    def ratio(self, outcome: str, kind: str) -> float:
        """Return the full effect on an outcome in a kind of family, as a ratio of rates."""
        effect = self.effects.get(outcome, 1.0)
        return float(effect.get(kind, 1.0) if isinstance(effect, Mapping) else effect)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values that JSON can hold."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return {k: _plain(v) for k, v in plain.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> SimulationSettings:
        """Return the settings that `as_dict` wrote."""
        usual = cls()
        read: dict[str, Any] = {}
        for name, value in plain.items():
            if isinstance(getattr(usual, name), date):
                read[name] = date.fromisoformat(value)
            else:
                read[name] = tuple(value) if isinstance(value, list) else value
        return cls(**read)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def settings_of(arguments: Mapping[str, Any]) -> SimulationSettings:
    """Return the settings among the arguments of a simulation.

    Examples
    --------
    >>> settings_of({"families": 100, "crisis_share": 0.9}).crisis_share
    0.9
    """
    known = [one.name for one in fields(SimulationSettings) if one.name in arguments]
    return SimulationSettings(**{name: arguments[name] for name in known})
