"""What would change the answer: break-even effects, switching values, one-way ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tfeval.money.discounting import discount_factors, edition_of, editions, proposals
from tfeval.money.model import Array, Model, Parameters

_NONE = float("nan")


def break_even(model: Model, effects: pd.DataFrame) -> pd.DataFrame:
    """Return the effect on each outcome at which the programme would just pay for itself.

    Parameters
    ----------
    model : Model
    effects : DataFrame
        The valued effects, in the model's order: `conf_low`, `conf_high`, `mean_comparison`.

    Returns
    -------
    DataFrame
        `outcome`, `estimate`, `conf_low`, `conf_high`, `mean_comparison`; `break_even` (the effect
        at which the net present value is 0 if nothing else changed), `relative` (over the
        comparison's mean), `given_others` (the same with all other effects at their estimates),
        `possible` (whether there is so much to reduce). Effects are in the outcome's unit; NaN
        where no effect would do, as where the outcome is worth nothing in the perspective.
    """
    point = model.point()
    worth = (model.years_of(point.persistence) * model.worth(point.amount))[0]
    cost = float(model.cost(point.cost)[0])
    value = model.by_outcome(point)[0]
    alone = _needed(model, np.full(len(worth), cost), worth)
    others = _needed(model, cost - (value.sum() - value), worth)
    mean = effects["mean_comparison"].to_numpy(dtype=float)
    relative = np.divide(alone, mean, out=np.full(len(mean), _NONE), where=mean > 0)
    return pd.DataFrame(
        {
            "outcome": model.outcomes,
            "estimate": model.estimate,
            "conf_low": effects["conf_low"].to_numpy(dtype=float),
            "conf_high": effects["conf_high"].to_numpy(dtype=float),
            "mean_comparison": mean,
            "break_even": alone,
            "relative": relative,
            "given_others": others,
            "possible": np.where(np.isfinite(alone), ~(relative < -1), False),
        }
    )


def _needed(model: Model, pounds: Array, worth: Array) -> Array:
    """Return effects that are worth so many pounds, the optimism bias undone."""
    cut = np.divide(pounds, worth, out=np.full(len(worth), _NONE), where=worth != 0)
    kept = 1 - model.bias * model.sign * np.sign(cut)
    raw = np.divide(cut, kept, out=np.full(len(cut), _NONE), where=kept > 0)
    return -raw / model.scale


def switching_values(model: Model) -> pd.DataFrame:
    """Return what each group of parameters would have to be for value to turn.

    Returns
    -------
    DataFrame
        `parameter`, `estimate`, `switches_at` (NaN where nothing in its range turns it), `unit`.
        Effects, unit costs and the programme's costs are multiples of what they are.
    """
    point = model.point()
    cost, benefit = float(model.cost(point.cost)[0]), float(model.by_outcome(point).sum())
    times = cost / benefit if benefit > 0 else _NONE
    rows = [
        ("all effects", 1.0, times, "times the estimates"),
        ("all unit costs", 1.0, times, "times the amounts"),
        ("programme costs", 1.0, benefit / cost if cost > 0 and benefit > 0 else _NONE,
         "times the amounts"),
        ("persistence", float(model.persistence[:, 1].mean()), _persistence_root(model, point),
         "share left each year"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["parameter", "estimate", "switches_at", "unit"])


def _persistence_root(model: Model, point: Parameters) -> float:
    """Return the lowest persistence, common to all outcomes, at which the value is 0."""
    from scipy.optimize import brentq  # noqa: PLC0415

    def value(share: float) -> float:
        held = np.full((1, len(model.persistence)), share)
        return float(model.value(point.with_(persistence=held))[0])

    grid = np.linspace(0.0, 1.0, 101)
    sign = np.sign([value(float(share)) for share in grid])
    turns = np.flatnonzero(sign[1:] * sign[:-1] <= 0)
    if not len(turns):
        return _NONE
    return float(brentq(value, grid[turns[0]], grid[turns[0] + 1]))


def schedules(years: int, timing: str) -> dict[str, Array]:
    """Return discount factors by every edition and proposal, sensitivity rates too."""
    found = {}
    for name in [*editions(), *proposals()]:
        for rate in ("standard", "sensitivity"):
            if rate in edition_of(name).kinds:
                found[f"{name}, {rate}"] = discount_factors(years - 1, name, rate, timing)
    return found


def one_way(
    model: Model, grades: Sequence[str], discounts: Mapping[str, Array], reach: float
) -> pd.DataFrame:
    """Return the net present value with one thing at a time at its low and its high.

    Parameters
    ----------
    model : Model
    grades : sequence of str
        Evidence grade of each outcome's unit costs.
    discounts : mapping of str to ndarray
        Other discount factors, by their label.
    reach : float
        Standard errors on each side of an effect.

    Returns
    -------
    DataFrame
        `parameter`, `kind`, `at_low`, `at_high` (net present value with the parameter at its low
        and high end), `swing`; the widest first. Discounting: its ends are the lowest and
        highest value over all schedules.
    """
    point = model.point()
    rows = [*_effect_rows(model, point, reach), *_unit_rows(model, point, grades)]
    ends = [
        float(model.value(point.with_(persistence=model.persistence[None, :, at]))[0])
        for at in (0, 2)
    ]
    rows.append(("Persistence", "persistence", *ends))
    ends = [float(model.value(point.with_(cost=np.array([at])))[0]) for at in (-1.0, 1.0)]
    rows.append(("Programme costs", "programme costs", *ends))
    others = [
        float(replace(model, discount=factors).value(point)[0]) for factors in discounts.values()
    ]
    rows.append(("Discounting", "discounting", min(others), max(others)))
    frame = pd.DataFrame(rows, columns=["parameter", "kind", "at_low", "at_high"])
    frame["swing"] = (frame["at_high"] - frame["at_low"]).abs()
    return frame.sort_values("swing", ascending=False, kind="stable", ignore_index=True)


def _effect_rows(model: Model, point: Parameters, reach: float) -> list[tuple]:
    rows = []
    for at, name in enumerate(model.outcomes):
        ends = []
        for side in (-reach, reach):
            effect = point.effect.copy()
            effect[0, at] += side * model.std_error[at]
            ends.append(float(model.value(point.with_(effect=effect))[0]))
        rows.append((f"Effect: {name}", "effects", *ends))
    return rows


def _unit_rows(model: Model, point: Parameters, grades: Sequence[str]) -> list[tuple]:
    rows = []
    for at, name in enumerate(model.outcomes):
        own = np.unique(model.unit[model.of == at])
        ends = []
        for side in (model.low, model.high):
            amount = point.amount.copy()
            amount[0, own] = side[own]
            ends.append(float(model.value(point.with_(amount=amount))[0]))
        rows.append((f"Unit cost: {name} (grade {grades[at]})", "unit costs", *ends))
    return rows
