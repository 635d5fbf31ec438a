"""From a table of effects to the ones that can be valued, and the reasons for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tfeval.display.disclosure import THRESHOLD
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.words import hidden_rows, not_estimated, status_words
from tfeval.money.appraisal_settings import AppraisalSettings
from tfeval.money.overlaps import check_double_counting
from tfeval.money.profiles import profile
from tfeval.money.unit_costs import no_price, unit_costs

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects

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
