"""From a table of effects to the ones that can be valued, and the reasons for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.words import hidden_rows, not_estimated, status_words
from tfeval.money.appraisal_settings import AppraisalSettings
from tfeval.money.model import profile
from tfeval.money.unit_costs import no_price, unit_costs

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


# Counting twice: which unit costs hold the same pounds, and which of them to keep.

CHOICES = ("refuse", "keep_larger")


@dataclass(frozen=True)
class Overlap:
    """Two outcomes whose unit costs hold some of the same pounds.

    Attributes
    ----------
    larger, smaller : str
        Outcomes. The cost of the first is the wider or nearer to what is measured.
    component : str
        The part of the smaller one's cost that the larger already holds; empty for all of it.
    reason : str
        Why they overlap.
    """

    larger: str
    smaller: str
    reason: str
    component: str = ""

    @property
    def whole(self) -> bool:
        """Whether one of the two outcomes has to go, and not only a component."""
        return not self.component

    def __str__(self) -> str:
        """Return the pair as it is named in a message."""
        part = f" ({self.component})" if self.component else ""
        return f"{self.larger} with {self.smaller}{part}: {self.reason}"


_TIERS = "a child on the higher tier has the case management of the lower one too"
_WORK = "both hold the benefit that ends when a claimant enters work"
_CRIME = "the average cost of a crime holds it already"
_ENTRY = "the first year of a young offender holds it already"
_SPILL = "the outcome itself is measured, and this part stands for it"

#: Every known overlap. Where neither is worth more, the first of each is kept.
OVERLAPS = (
    Overlap("looked_after", "protection_plan", _TIERS),
    Overlap("looked_after", "in_need", _TIERS),
    Overlap("protection_plan", "in_need", _TIERS),
    Overlap("out_of_work", "employment", _WORK),
    Overlap("out_of_work", "jobseekers_allowance", "the allowance is one of the benefits"),
    Overlap("jobseekers_allowance", "employment", _WORK),
    Overlap("offences", "arrest", _CRIME),
    Overlap("offences", "court_event", _CRIME),
    Overlap("first_time_entry", "offences", _ENTRY),
    Overlap("first_time_entry", "arrest", _ENTRY),
    Overlap("first_time_entry", "court_event", _ENTRY),
    Overlap("first_time_entry", "custody", _ENTRY),
    Overlap("custody", "offences", "custody is measured by itself", "prison"),
    Overlap("offences", "sessions_unauthorised", _SPILL, "crime"),
    Overlap("offences", "permanent_exclusions", _SPILL, "crime"),
    Overlap("offences", "domestic_abuse", _SPILL, "justice"),
    Overlap("offences", "domestic_abuse", _SPILL, "police"),
    Overlap("looked_after", "sessions_unauthorised", _SPILL, "social services"),
    Overlap("protection_plan", "sessions_unauthorised", _SPILL, "social services"),
    Overlap("in_need", "sessions_unauthorised", _SPILL, "social services"),
    Overlap("looked_after", "permanent_exclusions", _SPILL, "social services"),
    Overlap("protection_plan", "permanent_exclusions", _SPILL, "social services"),
    Overlap("in_need", "permanent_exclusions", _SPILL, "social services"),
    Overlap("looked_after", "domestic_abuse", _SPILL, "children's social services"),
    Overlap("protection_plan", "domestic_abuse", _SPILL, "children's social services"),
    Overlap("in_need", "domestic_abuse", _SPILL, "children's social services"),
    Overlap("emergency_admissions", "domestic_abuse", _SPILL, "health"),
    Overlap("ae_attendances", "domestic_abuse", _SPILL, "health"),
    Overlap("emergency_admissions", "offences", _SPILL, "health"),
    Overlap("ae_attendances", "offences", _SPILL, "health"),
    Overlap("emergency_admissions", "out_of_work", _SPILL, "health"),
    Overlap("ae_attendances", "out_of_work", _SPILL, "health"),
    Overlap("emergency_admissions", "employment", _SPILL, "health"),
    Overlap("ae_attendances", "employment", _SPILL, "health"),
    Overlap("emergency_admissions", "jobseekers_allowance", _SPILL, "health"),
    Overlap("ae_attendances", "jobseekers_allowance", _SPILL, "health"),
    Overlap("permanent_exclusions", "sessions_unauthorised", "both pay for schooling elsewhere",
            "alternative education"),
)  # fmt: skip


def overlap_rules() -> pd.DataFrame:
    """Return every known overlap between unit costs.

    Returns
    -------
    DataFrame
        `larger`, `smaller` (outcomes), `component` (of the smaller, empty for all of it),
        `reason`.

    Examples
    --------
    >>> overlap_rules().iloc[0, :2].tolist()
    ['looked_after', 'protection_plan']
    """
    rows = [(rule.larger, rule.smaller, rule.component, rule.reason) for rule in OVERLAPS]
    return pd.DataFrame(rows, columns=["larger", "smaller", "component", "reason"])


def overlaps(outcomes: Iterable[str]) -> list[Overlap]:
    """Return the overlaps among some outcomes.

    Parameters
    ----------
    outcomes : iterable of str
        Names with a unit cost.

    Examples
    --------
    >>> [rule.smaller for rule in overlaps(["looked_after", "protection_plan", "asb_incidents"])]
    ['protection_plan']
    """
    asked = set(outcomes)
    return [rule for rule in OVERLAPS if rule.larger in asked and rule.smaller in asked]


def check_double_counting(
    outcomes: Iterable[str],
    on_overlap: str = "refuse",
    values: Mapping[str, float] | None = None,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Refuse outcomes that hold the same pounds twice, or say which rows to keep.

    Where two whole outcomes overlap, the one of larger value is kept. Where an outcome holds a
    component that stands for another outcome, the component goes and the measured outcome stays.

    Parameters
    ----------
    outcomes : iterable of str
        Names with a unit cost.
    on_overlap : {"refuse", "keep_larger"}
        What to do with an overlap. Refused unless the choice is made explicitly.
    values : mapping of str to float, optional
        Value of each outcome in pounds (its effect times its unit cost, say), of either sign;
        needed to compare outcomes that are counted in different units. By default, the order
        of `overlap_rules` decides.
    table : DataFrame, optional
        Unit costs to use instead of the published ones, as in `unit_costs`.

    Returns
    -------
    DataFrame
        One row a component of every outcome: `outcome`, `component`, `kept`, `instead` (the outcome
        that is kept in its place), `because`.

    Raises
    ------
    DataError
        If outcomes overlap and `on_overlap` is "refuse"; the message lists every pair.
    ParameterError
        If an outcome has no unit cost or no value, or the choice is unknown.

    Examples
    --------
    >>> kept = check_double_counting(["looked_after", "protection_plan"], "keep_larger")
    >>> kept.loc[kept["kept"], "outcome"].tolist()
    ['looked_after']
    """
    asked = list(dict.fromkeys(outcomes))
    if on_overlap not in CHOICES:
        raise ParameterError(f"There is no choice {on_overlap}. {suggest(on_overlap, CHOICES)}")
    rows = unit_costs(2014, asked, table)[["outcome", "component"]]
    found = overlaps(asked)
    if found and on_overlap == "refuse":
        listed = "\n".join(f"- {rule}" for rule in found)
        raise DataError(
            f"These outcomes hold the same pounds twice:\n{listed}\n"
            'Leave one of each out, or choose on_overlap="keep_larger".'
        )
    dropped = _dropped_outcomes([rule for rule in found if rule.whole], asked, values)
    rivals = [
        dropped.get(outcome) or _part_rival(outcome, component, found, dropped)
        for outcome, component in rows.itertuples(index=False)
    ]
    return rows.assign(
        kept=[not name for name, _ in rivals], instead=[name for name, _ in rivals],
        because=[why for _, why in rivals],
    )  # fmt: skip


def _dropped_outcomes(
    rules: list[Overlap], asked: list[str], values: Mapping[str, float] | None
) -> dict[str, tuple[str, str]]:
    """Walk from the most valuable outcome down; each kept one drops its rivals."""
    if values is not None:
        missing = [name for name in asked if name not in values]
        if missing:
            raise ParameterError(f"No value of {', '.join(missing)}: give one in pounds for each.")
    rank = {name: len(asked) - place for place, name in enumerate(_by_rules(rules, asked))}
    order = sorted(asked, key=lambda name: (-abs(values[name]) if values else 0.0, -rank[name]))
    dropped: dict[str, tuple[str, str]] = {}
    for name in order:
        if name in dropped:
            continue
        for rule in rules:
            rival = {rule.larger: rule.smaller, rule.smaller: rule.larger}.get(name)
            if rival and rival not in dropped and order.index(rival) > order.index(name):
                dropped[rival] = name, rule.reason
    return dropped


def _by_rules(rules: list[Overlap], asked: list[str]) -> list[str]:
    """Return outcomes so that the larger of every rule comes before its smaller."""
    left, order = list(asked), []
    while left:
        name = next(n for n in left if not any(r.smaller == n and r.larger in left for r in rules))
        order.append(name)
        left.remove(name)
    return order


def _part_rival(
    outcome: str, component: str, found: list[Overlap], dropped: Mapping[str, Any]
) -> tuple[str, str]:
    for rule in found:
        if (rule.smaller, rule.component) == (outcome, component) and rule.larger not in dropped:
            return rule.larger, rule.reason
    return "", ""


_SMALL = (
    f"In one arm fewer than {THRESHOLD} families have it, or lack it: its value would tell of them."
)
_NO_ESTIMATE = "Its effect is not known."
_NO_ERROR = "Its standard error is not known: it would count as certain."
_NEVER = (
    ("Families' own wellbeing", "No record holds it, and no sourced value of it was read."),
    ("Earnings of those who find work", "Only the benefit that ends is held, not what is earned."),
    ("Harm to victims of crime", "The unit costs held of crimes are those of public services."),
    ("Children's later lives", "Beyond the horizon of the records."),
)


class NothingValuedError(DataError, ParameterError):
    """Of all effects none can be valued: too few, without an error, or without a unit cost."""


@dataclass(frozen=True, eq=False)
class Valued:
    """Effects that can be valued, their unit costs, and what is left out.

    Attributes
    ----------
    effects : DataFrame
        One row a valued effect: `name` (as in the table of effects), `outcome` (of the unit
        cost), `scale`, `months`, and the columns of effects.
    rows : ndarray of int
        Their rows in the effects chosen.
    costs : DataFrame
        Unit costs that are counted, as from `unit_costs`.
    left_out : DataFrame
        `what`, `kind`, `reason`, `estimate`, `conf_low`, `conf_high`.
    """

    effects: pd.DataFrame
    rows: np.ndarray
    costs: pd.DataFrame
    left_out: pd.DataFrame


def chosen(effects: Effects, months: int | None) -> Effects:
    """Return the effects to appraise: one row an outcome.

    Raises
    ------
    ParameterError
        If an outcome stands in several rows, or a window is not known.
    """
    frame = effects.to_frame()
    if months is not None and frame["months"].notna().any():
        if months not in set(frame["months"].dropna()):
            held = ", ".join(f"{value:.0f}" for value in sorted(set(frame["months"].dropna())))
            raise ParameterError(f"There are no effects over {months} months, only over {held}.")
        effects = effects.select(months=months)
        frame = effects.to_frame()
    elif months is None and frame["months"].isna().any():
        raise ParameterError(
            "Some effects do not say over how many months they were measured: give months=."
        )
    repeated = sorted(set(frame.loc[frame["outcome"].duplicated(), "outcome"]))
    if repeated:
        raise ParameterError(
            f"{repeated[0]} stands in several rows: give months=, or select one population, "
            "method and estimand of the effects first."
        )
    return effects


def without_small(effects: Effects) -> tuple[Effects, list[str]]:
    """Return the effects that may be shown, and the names of those that tell of too few.

    A value that can be traced gives its effect away, so what may not be shown is not valued.

    Raises
    ------
    NothingValuedError
        If nothing may be shown.
    """
    frame = effects.to_frame()
    hidden = hidden_rows(frame)
    if hidden.all():
        raise NothingValuedError(
            f"Fewer than {THRESHOLD} families of one arm have, or lack, each of these outcomes: "
            "nothing can be appraised that may be shown."
        )
    names = list(frame.loc[hidden, "outcome"])
    return (effects.select(list(frame.loc[~hidden, "outcome"])) if names else effects), names


def without_error(effects: Effects) -> tuple[Effects, list[dict]]:
    """Return the effects that have an estimate and an error, and the rows of what has not.

    An effect that is not known is no zero, and one without an error is not certain.

    Parameters
    ----------
    effects : Effects
        As from `without_small`.

    Returns
    -------
    effects : Effects
    left_out : list of dict
        Rows of `Valued.left_out`, each with its reason.

    Raises
    ------
    NothingValuedError
        If no effect has both.

    Examples
    --------
    >>> from tfeval.impact.effects.effects import Effects
    >>> rows = pd.DataFrame({"outcome": ["a", "b"], "estimate": [1.0, 2.0],
    ...                      "std_error": [0.5, np.nan], "status": ["estimated", "few_events"]})
    >>> kept, left = without_error(Effects(rows, np.diag([0.25, np.nan])))
    >>> kept.names, left[0]["what"], left[0]["kind"]
    (['a'], 'b', 'not_estimated')
    """
    frame = effects.to_frame()
    lacks = np.array([bool(_why_not(row, effects)) for row in frame.to_dict("records")], dtype=bool)
    left = [
        _left(row, row["outcome"], "not_estimated", _why_not(row, effects))
        for row in frame[lacks].to_dict("records")
    ]
    if lacks.all():
        reasons = " ".join(dict.fromkeys(row["reason"] for row in left))
        raise NothingValuedError(
            f"None of {len(frame)} effects has an error to value it with. {reasons}"
        )
    return (effects.select(list(frame.loc[~lacks, "outcome"])) if left else effects), left


def _why_not(row: dict, effects: Effects) -> str:
    """Say why an effect cannot be valued; empty where it can."""
    if not_estimated(row["status"]):
        return status_words(row["status"], effects.settings.get("who", "families"))
    if not np.isfinite(row["estimate"]):
        return _NO_ESTIMATE
    return "" if np.isfinite(row["std_error"]) else _NO_ERROR


def valued(
    effects: Effects,
    asked: AppraisalSettings,
    table: pd.DataFrame | None,
    small: Sequence[str] = (),
    unknown: Sequence[dict] = (),
) -> Valued:
    """Sort effects into those with a unit cost and those without, and settle overlaps.

    Parameters
    ----------
    effects : Effects
        As from `without_error`.
    asked : AppraisalSettings
    table : DataFrame, optional
        Unit costs to use instead of the published ones.
    small : sequence of str
        Effects left out because they tell of too few.
    unknown : sequence of dict
        Rows of those left out because they have no estimate or no error.

    Raises
    ------
    NothingValuedError
        If none of the effects has a unit cost.
    ParameterError
        If a conversion names an unknown outcome.
    DataError
        If overlaps are refused and there are some.
    """
    frame = effects.to_frame()
    months = frame["months"].fillna(asked.months or np.nan).astype(float)
    held = set(unit_costs(asked.price_year, table=table)["outcome"])
    pairs = [asked.convert.get(name, (name, 1.0)) for name in frame["outcome"]]
    strange = sorted({to for to, _ in asked.convert.values()} - held)
    if strange:
        raise ParameterError(f"convert: there is no unit cost of {strange[0]}.")
    frame = frame.assign(
        name=frame["outcome"], months=months,
        outcome=[to for to, _ in pairs], scale=[scale for _, scale in pairs],
    )  # fmt: skip
    priced = frame["outcome"].isin(held)
    left = [_no_cost(row) for row in frame[~priced].to_dict("records")]
    if not priced.any():
        raise NothingValuedError(
            "None of these effects has a unit cost. "
            + " ".join(sorted({r["reason"] for r in left}))
        )
    found = frame[priced]
    costs, dropped = _settled(found, asked, table)
    kept = found["outcome"].isin(costs["outcome"])
    left += [_dropped(row, found) for row in dropped.to_dict("records")]
    left += unknown
    left += [{"what": name, "kind": "too_few", "reason": _SMALL} for name in small]
    never = [{"what": what, "kind": "not_in_account", "reason": why} for what, why in _NEVER]
    columns = ["what", "kind", "reason", "instead", "estimate", "conf_low", "conf_high"]
    return Valued(
        effects=found[kept].reset_index(drop=True),
        rows=np.flatnonzero(priced.to_numpy())[kept.to_numpy()],
        costs=costs.reset_index(drop=True),
        left_out=pd.DataFrame([*left, *never], columns=columns),
    )


def _settled(
    found: pd.DataFrame, asked: AppraisalSettings, table: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the unit costs that are counted, and those that would count pounds twice."""
    costs = unit_costs(asked.price_year, found["outcome"], table)
    values: dict[str, float] | None = None
    if asked.on_overlap == "keep_larger":
        each = costs.groupby("outcome")["amount"].sum()
        worth = [_years(row, asked) for row in found.to_dict("records")]
        pounds = found["estimate"] * found["scale"] * worth * found["outcome"].map(each)
        sums = pounds.groupby(found["outcome"]).sum()
        values = {str(name): float(value) for name, value in sums.items()}
    how = "refuse" if asked.on_overlap == "refuse" else "keep_larger"
    kept = check_double_counting(found["outcome"], how, values, table)
    told = costs.merge(kept, on=["outcome", "component"], how="left", validate="one_to_one")
    counted = told["kept"].to_numpy(dtype=bool)
    return costs[counted], told[~counted]


def _years(row: dict, asked: AppraisalSettings) -> float:
    lasting = asked.persistence.get(row["name"]) or asked.persistence.get("")
    share = lasting.share if lasting else 0.0
    return float(profile(int(row["months"]), asked.horizon, asked.lag, share).sum())


def _no_cost(row: dict) -> dict:
    return _left(row, row["name"], "no_unit_cost", no_price(row["name"]))


def _dropped(row: dict, found: pd.DataFrame) -> dict:
    own = found[found["outcome"] == row["outcome"]].iloc[0].to_dict()
    what = f"{own['name']}: {row['component']}"
    return {**_left(own, what, "counted_elsewhere", row["because"]), "instead": row["instead"]}


def _left(row: dict, what: str, kind: str, reason: str) -> dict:
    ends = {name: row[name] for name in ("estimate", "conf_low", "conf_high")}
    return {"what": what, "kind": kind, "reason": reason, **ends}
