"""From a table of effects to the ones that can be valued, and the reasons for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.words import hidden_rows, not_estimated, status_words
from tfeval.money.appraisal_settings import RANGES, AppraisalSettings
from tfeval.money.unit_costs import no_price, unit_costs
from tfeval.programme.outcomes import OUTCOMES

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


# Counting twice: outcomes that are two measures of the same pounds. Unit costs that hold part of
# another's are netted in their own table, by a share that is the same whatever else is valued.


@dataclass(frozen=True)
class SamePounds:
    """Two outcomes that are measures of the same pounds.

    Attributes
    ----------
    wider, narrower : str
        Outcomes.
    reason : str
    whole : bool
        Whether one row of the wider holds the pounds of several payers, so that it holds the
        narrower's whoever pays them.
    """

    wider: str
    narrower: str
    reason: str
    whole: bool = False

    def __str__(self) -> str:
        """Return the pair as it is named in a message."""
        return f"{self.wider} with {self.narrower}: {self.reason}"


_CRIME = "the average cost of a crime holds it already"
_ENTRY = "the first year of a young offender holds it already"
_SAME = (
    SamePounds("out_of_work", "jobseekers_allowance", "the allowance is one of the benefits"),
    SamePounds("offences", "arrest", _CRIME),
    SamePounds("offences", "court_event", _CRIME),
    *(
        SamePounds("first_time_entry", name, _ENTRY, whole=True)
        for name in ("offences", "arrest", "court_event", "custody", "custody_juvenile")
    ),
)


def same_pounds() -> pd.DataFrame:
    """Return the pairs of outcomes that are measures of the same pounds.

    Returns
    -------
    DataFrame
        `wider`, `narrower` (outcomes), `reason`.

    Examples
    --------
    >>> same_pounds().iloc[0, :2].tolist()
    ['out_of_work', 'jobseekers_allowance']
    """
    rows = [(rule.wider, rule.narrower, rule.reason) for rule in _SAME]
    return pd.DataFrame(rows, columns=["wider", "narrower", "reason"])


def counted_once(
    values: Mapping[tuple[str, str], float], on_overlap: str = "net"
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return what to leave out so that no public pound is counted twice.

    Of outcomes that measure the same pounds and move value the same way, those are kept that are
    worth most together without a pair among them: the whole, or its parts if they come to more.
    Pounds are the same where one payer's are, or where one row holds those of several payers.
    Where outcomes move value apart, or one does not move it, both stay. So an effect of nothing
    changes nothing, and a harm never raises value, whatever else is in the table. What victims and
    others bear is nobody else's, and always stays.

    Parameters
    ----------
    values : mapping of (str, str) to float
        Value of each outcome to each public payer, pounds.
    on_overlap : {"net", "refuse"}

    Returns
    -------
    dict of (str, str) to (str, str)
        Outcome and payer left out, to the outcome it is counted with, and why.

    Raises
    ------
    DataError
        If there are such pairs, and they are refused; the message lists them.

    Examples
    --------
    >>> counted_once({("out_of_work", "DWP"): 10.0, ("jobseekers_allowance", "DWP"): 4.0})
    {('jobseekers_allowance', 'DWP'): ('out_of_work', 'the allowance is one of the benefits')}
    >>> counted_once({("offences", "MoJ"): 10.0, ("arrest", "Home Office/police"): 4.0})
    {}
    """
    pairs = _pairs(outcome for outcome, _ in values)
    if pairs and on_overlap == "refuse":
        listed = "; ".join(map(str, pairs))
        raise DataError(
            f"These outcomes are measures of the same pounds: {listed}. Leave one of each out, or "
            'choose on_overlap="net".'
        )
    left: dict[tuple[str, str], tuple[str, str]] = {}
    for sign in (1, -1):
        worth = {key: sign * value for key, value in values.items() if sign * value > 0}
        same = {(one, other): rule for one, other in permutations(worth, 2) for rule in pairs
                if {one[0], other[0]} == {rule.wider, rule.narrower}
                and (rule.whole or one[1] == other[1])}  # fmt: skip
        clash = {key: {other for one, other in same if one == key} for key in worth}
        kept = _worth_most(worth, clash, frozenset(worth))
        for (gone, other), rule in same.items():
            if gone not in kept and other in kept:
                left.setdefault(gone, (other[0], rule.reason))
    return left


def _pairs(outcomes: Iterable[str]) -> list[SamePounds]:
    """Return the rules of which both outcomes are there."""
    there = set(outcomes)
    return [rule for rule in _SAME if {rule.wider, rule.narrower} <= there]


_Key = tuple[str, str]


def _worth_most(
    worth: Mapping[_Key, float], clash: Mapping[_Key, set[_Key]], among: frozenset[_Key]
) -> frozenset[_Key]:
    """Return those, no two of which are of the same pounds, that are worth most together."""
    tied = [key for key in worth if key in among and clash[key] & among]
    if not tied:
        return among
    # One is in or out; the one with most ties settles most.
    one = max(tied, key=lambda key: len(clash[key] & among))
    ways = (_worth_most(worth, clash, among - clash[one]),
            _worth_most(worth, clash, among - {one}))  # fmt: skip
    return max(ways, key=lambda keys: sum(worth[key] for key in keys))


_TWICE = "It is valued as that outcome, whose own effect is in the table: the same, measured twice."
_SMALL = (
    f"In one arm fewer than {THRESHOLD} families have it, or lack it: its value would tell of them."
)
_NO_ESTIMATE = "Its effect is not known."
_NO_ERROR = "Its standard error is not known: it would count as certain."
#: What an account lacks: the account, what, and why.
LACKS = (
    ("social", "Families' wellbeing, and health in life years", "No record counts either."),
    ("social", "What care, custody and a plan do to child and family", "No sourced value."),
    ("social", "Victims' harm and lost output of domestic abuse", "None by incident was read."),
    ("social", "Neighbours' harm from anti-social behaviour", "No sourced value by incident."),
    ("social", "Lost leisure of those who find work, and what employers gain", "Not valued here."),
    (
        "social",
        "Later earnings after exclusion, care or custody",
        "No effect on them was measured.",
    ),
    ("social", "Offences never proven, and their victims", "A proven offence counts as one."),
    ("fiscal", "Care proceedings", "Records hold days in care, and no entries into it."),
    ("fiscal", "Services that families were brought to", "Not in the records."),
    ("both", "Children's later lives", "Beyond the horizon of the records."),
)
#: Outcomes that stand for offences and whose price leaves victims out; and what then is lacking.
WITHOUT_VICTIMS = ("arrest", "court_event", "first_time_entry", "custody", "custody_juvenile")
_VICTIMS = (
    "social", "Victims' harm of the offences behind convictions, arrests and sentences",
    "Their prices are of police, courts and prisons alone; it is counted with offences, which are "
    "not in this account.",
)  # fmt: skip


class NothingValuedError(DataError, ParameterError):
    """Of all effects none can be valued: too few, without an error, or without a unit cost."""


@dataclass(frozen=True, eq=False)
class Valued:
    """Effects that can be valued, their unit costs, and what is left out.

    Attributes
    ----------
    effects : DataFrame
        One row a valued effect: `name` (as in the table of effects), `outcome` (of the unit
        cost), `scale`, `months`, `grade` (the worst of all its unit costs), and the columns of
        effects.
    rows : ndarray of int
        Their rows in the effects chosen.
    costs : DataFrame
        Unit costs that are counted, as from `unit_costs`.
    left_out : DataFrame
        `what`, `kind`, `reason`, `instead` (outcome it is counted with), `share` (of the unit
        cost that is counted elsewhere), `account` (that lacks it), `estimate`, `conf_low`,
        `conf_high`.
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
    _check_months(frame["months"])
    if months is not None and frame["months"].notna().any():
        if months not in set(frame["months"].dropna()):
            spans = ", ".join(f"{value:.0f}" for value in sorted(set(frame["months"].dropna())))
            raise ParameterError(f"There are no effects over {months} months, only over {spans}.")
        effects = effects.select(months=months)
        frame = effects.to_frame()
    elif months is None and frame["months"].isna().any():
        raise ParameterError(
            "Some effects do not say over how many months they were measured: give months=."
        )
    if frame["population"].nunique() > 1:
        raise ParameterError(
            "The effects are of several populations, and one number of families is not theirs: "
            "select one population, and appraise each with its own families."
        )
    repeated = sorted(set(frame.loc[frame["outcome"].duplicated(), "outcome"]))
    if repeated:
        raise ParameterError(
            f"{repeated[0]} stands in several rows: give months=, or select one population, "
            "method and estimand of the effects first."
        )
    return effects


def _check_months(months: pd.Series) -> None:
    """Refuse windows that are none: an effect is spread over the months that it was measured."""
    low, high, _ = RANGES["months"]
    known = months.dropna().astype(float)
    odd = int((~known.between(low, high) | (known % 1 != 0)).sum())
    if odd:
        raise DataError(
            f"The effects' months: no whole number from {low} to {high} in {odd} rows: say over "
            "how many months each was measured."
        )


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
    return "" if 0 <= row["std_error"] < np.inf else _NO_ERROR


def valued(
    effects: Effects,
    settings: AppraisalSettings,
    table: pd.DataFrame | None,
    worth: Callable[[Valued], Mapping[tuple[str, str], float]],
    *,
    small: Sequence[str] = (),
    unknown: Sequence[dict] = (),
) -> Valued:
    """Sort effects into those with a unit cost and those without, and settle overlaps.

    Parameters
    ----------
    effects : Effects
        As from `without_error`.
    settings : AppraisalSettings
    table : DataFrame, optional
        Unit costs to use instead of the published ones.
    worth : callable
        Returns what each outcome of all that has a price is worth to each public payer, pounds: as
        the account has it, so that what is left out is what it would have counted less of.
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
    frame = effects.to_frame().reset_index(drop=True)
    months = frame["months"].fillna(settings.months or np.nan).astype(float)
    costs = unit_costs(settings.price_year, table=table)
    costed = set(costs["outcome"])
    pairs = [settings.convert.get(name, (name, 1.0)) for name in frame["outcome"]]
    strange = sorted({to for to, _ in settings.convert.values()} - costed)
    if strange:
        raise ParameterError(f"convert: there is no unit cost of {strange[0]}.")
    frame = frame.assign(
        name=frame["outcome"], months=months,
        outcome=[to for to, _ in pairs], scale=[scale for _, scale in pairs],
    )  # fmt: skip
    frame, left = _once_measured(frame, settings)
    priced = frame["outcome"].isin(costed)
    left += [_no_cost(row) for row in frame[~priced].to_dict("records")]
    if not priced.any():
        raise NothingValuedError(
            "None of these effects has a unit cost. "
            + " ".join(sorted({r["reason"] for r in left}))
        )
    costs = costs[costs["outcome"].isin(frame.loc[priced, "outcome"])].reset_index(drop=True)
    frame["grade"] = frame["outcome"].map(costs.groupby("outcome")["grade"].max())
    gone = _counted_twice(frame[priced], costs, worth, settings.on_overlap)
    keys = pd.MultiIndex.from_frame(costs[["outcome", "payer"]])
    twice = costs[keys.isin(list(gone))]
    costs = costs.drop(twice.index)
    kept = priced & frame["outcome"].isin(costs["outcome"])
    for row in frame[priced & ~kept].to_dict("records"):
        instead, reason = next(why for (name, _), why in gone.items() if name == row["outcome"])
        left.append(_left(row, row["name"], "counted_elsewhere", reason, instead))
    for row in twice[twice["outcome"].isin(costs["outcome"])].to_dict("records"):
        instead, reason = gone[row["outcome"], row["payer"]]
        left.append({"what": f"{row['outcome']}: {row['component']}", "kind": "counted_elsewhere",
                     "reason": reason, "instead": instead, "share": 1.0})  # fmt: skip
    left += [
        {"what": f"{row['outcome']}: {row['component']}", "kind": "counted_elsewhere",
         "reason": row["overlaps"], "share": 1 - row["own"]}
        for row in costs[costs["own"] < 1].to_dict("records")
    ]  # fmt: skip
    left += unknown
    left += [{"what": name, "kind": "too_few", "reason": _SMALL} for name in small]
    left += [{"what": what, "kind": "not_in_account", "reason": why, "account": account}
             for account, what, why in (*LACKS, *_without_victims(costs))]  # fmt: skip
    columns = ["what", "kind", "reason", "instead", "share", "account", "estimate", "conf_low",
               "conf_high"]  # fmt: skip
    return Valued(
        effects=frame[kept].reset_index(drop=True),
        rows=frame.index[kept].to_numpy(),
        costs=costs.reset_index(drop=True),
        left_out=pd.DataFrame(left, columns=columns),
    )


def _counted_twice(
    priced: pd.DataFrame, costs: pd.DataFrame,
    worth: Callable[[Valued], Mapping[tuple[str, str], float]], on_overlap: str,
) -> dict[tuple[str, str], tuple[str, str]]:  # fmt: skip
    """Return what `counted_once` leaves out of all that has a price."""
    if not _pairs(costs["outcome"]):
        return {}
    whole = Valued(priced.reset_index(drop=True), priced.index.to_numpy(), costs, priced[:0])
    return counted_once(worth(whole), on_overlap)


def _once_measured(
    frame: pd.DataFrame, settings: AppraisalSettings
) -> tuple[pd.DataFrame, list[dict]]:
    """Leave out effects that are valued as an outcome whose own effect stands beside them.

    Of outcomes of the registry: names of one's own may be of other people.
    """
    again = (frame["name"] != frame["outcome"]) & frame["name"].isin(list(OUTCOMES))
    # Counted with one that is valued as itself: two that stand for each other both stay.
    again &= frame["outcome"].isin(set(frame.loc[frame["name"] == frame["outcome"], "name"]))
    rows = frame[again].to_dict("records")
    if rows and settings.on_overlap == "refuse":
        raise DataError(
            f"{rows[0]['name']} and {rows[0]['outcome']} measure the same: leave one out, or "
            'choose on_overlap="net".'
        )
    left = [_left(row, row["name"], "counted_elsewhere", _TWICE, row["outcome"]) for row in rows]
    return frame[~again], left


def _without_victims(costs: pd.DataFrame) -> tuple[tuple[str, str, str], ...]:
    costed = set(costs["outcome"])
    return (_VICTIMS,) if costed & set(WITHOUT_VICTIMS) and "offences" not in costed else ()


def _no_cost(row: dict) -> dict:
    return _left(row, row["name"], "no_unit_cost", no_price(row["name"]))


def _left(row: dict, what: str, kind: str, reason: str, instead: str = "") -> dict:
    ends = {name: row[name] for name in ("estimate", "conf_low", "conf_high")}
    return {"what": what, "kind": kind, "reason": reason, "instead": instead, **ends}
