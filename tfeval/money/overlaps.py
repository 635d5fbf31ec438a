"""Counting twice: which unit costs hold the same pounds, and which of them to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.money.unit_costs import unit_costs

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
