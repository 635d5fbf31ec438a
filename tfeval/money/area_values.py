"""Value for money by authority, from effects that are partly pooled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.display.words import amount, chance
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal_display import listed
from tfeval.money.appraisal_settings import within
from tfeval.money.appraise import appraise
from tfeval.money.drawing import parameters
from tfeval.money.model import Array, Model

if TYPE_CHECKING:
    from tfeval.impact.effects.areas import AreaEffects


@dataclass(frozen=True, eq=False)
class AreaAppraisals:
    """Value by area. From `appraise_areas`.

    Attributes
    ----------
    frame : DataFrame
        One row an area: `name`, `families`, `cost`, `npv` (mean of the draws), `low`, `high`
        (pounds, present value), `npv_per_family`, `probability` (of at least 0), `rank`,
        `rank_low`, `rank_high` (1 for the highest value a family), `hidden`.
    level : float
        Of all intervals.
    settings : dict
    simulated : bool
    left_out : tuple of str
        Areas without an effect and an error on every outcome: neither valued nor ranked.
    """

    frame: pd.DataFrame
    level: float
    settings: dict = field(default_factory=dict)
    simulated: bool = False
    left_out: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the areas, one a row: exact, for computing."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return the areas as a table for readers, the best value a family first."""
        rows = []
        for row in self.frame.sort_values(["hidden", "rank"]).to_dict("records"):
            shown = (
                amount(row["npv_per_family"]), amount(row["npv"]),
                f"{amount(row['low'])} to {amount(row['high'])}", chance(row["probability"]),
                f"{row['rank']:.0f} ({row['rank_low']:.0f} to {row['rank_high']:.0f})",
            )  # fmt: skip
            values = ("hidden",) * len(shown) if row["hidden"] else shown
            rows.append((row["name"], safe_count(row["families"]), *values))
        share = f"{self.level:.0%} interval"
        columns = ["Area", "Families", "Net value a family", "Net present value", share,
                   "Probability that it pays", f"Rank ({share})"]  # fmt: skip
        notes = [
            "Effects are partly pooled; an area's rank is of its net value a family, and a wide "
            "interval says that the order is not known.",
            "Outcomes' effects are drawn as independent of each other within an area.",
        ]
        if self.frame["hidden"].any():
            notes.append(
                f"Hidden: areas with fewer than {THRESHOLD} families in an arm, or with an outcome."
            )
        if self.left_out:
            notes.append(
                f"Left out, neither valued nor ranked, for want of an effect with an error on "
                f"every outcome: {len(self.left_out)} of {len(self.left_out) + len(self.frame)} "
                f"areas ({listed(self.left_out)})."
            )
        notes += [f"{SIMULATED}."] * self.simulated
        caption = "Value for money by area, partly pooled"
        return table(pd.DataFrame(rows, columns=columns), caption, notes=notes)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()


def appraise_areas(
    effects: Mapping[str, AreaEffects],
    costs: pd.DataFrame | float,
    *,
    families: Mapping[str, float],
    area_costs: Mapping[str, float] | None = None,
    months: int = 12,
    draws: int = 4_000,
    seed: int = 1,
    correlation: float = 0.5,
    level: float = 0.95,
    **asked: Any,
) -> AreaAppraisals:
    """Appraise every area at once, from partly pooled effects.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        By outcome, as from `pool_areas` or `Effects.pool`; the areas that all have are appraised.
    costs : DataFrame or float
        Of all areas of `families` together; shared by families.
    families : mapping of str to float
        Families reached in each area, by the names the effects use; all join in `first_year`.
        Areas without effects bear their share of the costs, and are left out.
    area_costs : mapping of str to float, optional
        Present value of each area's own costs, in place of a share of `costs`.
    months : int, default 12
        Window of the effects.
    draws, seed, correlation, level
        As in `Appraisal.uncertainty`.
    **asked
        As in `appraise`.

    Returns
    -------
    AreaAppraisals

    Raises
    ------
    ParameterError
        As in `appraise`.
    DataError
        If no area has all the effects, or one has no families.

    Notes
    -----
    Only areas that have an effect with an error on every outcome are valued and ranked; the
    others stand in `left_out`. Prices, persistence and the shape of costs are drawn once for all
    areas; effects by area from the joint posterior of each outcome, outcomes apart.
    """
    for name, value in (("draws", draws), ("correlation", correlation), ("level", level)):
        within(name, value)
    names = _common(effects, families)
    counts = np.array([float(families[name]) for name in names])
    everybody = float(sum(families.values()))
    whole = appraise(_means(effects, months), costs, families=everybody, months=months, **asked)
    rng = np.random.default_rng(seed)
    drawn = {
        outcome: held.draws(draws, rng)[:, [list(held.frame["name"]).index(n) for n in names]]
        for outcome, held in effects.items()
    }
    grades = tuple(whole.found.costs["grade"])
    benefit, cost = _valued(whole.model, drawn, grades, correlation, rng)
    benefit, cost = benefit / everybody, cost / everybody
    spent = np.outer(cost, counts)
    if area_costs is not None:
        spent = np.broadcast_to([float(area_costs[name]) for name in names], benefit.shape)
    value = benefit * counts - spent
    frame = _summarised(names, counts, value, spent, level)
    frame["hidden"] = _hidden(effects, names) | (counts < THRESHOLD)
    return AreaAppraisals(
        frame, level, {"draws": draws, "seed": seed, "correlation": correlation},
        any(held.simulated for held in effects.values()), _left_out(effects, families, names),
    )  # fmt: skip


def _common(effects: Mapping[str, AreaEffects], families: Mapping[str, float]) -> list[str]:
    if not effects:
        raise ParameterError("Give the effects of areas on at least one outcome.")
    first, *others = (list(held.frame["name"]) for held in effects.values())
    names = [name for name in first if all(name in other for other in others)]
    if not names:
        raise DataError("No area has effects on all of the outcomes.")
    lacking = [name for name in names if not families.get(name, 0) > 0]
    if lacking:
        raise DataError(f"Families reached are not given for {', '.join(lacking[:5])}.")
    return names


def _left_out(
    effects: Mapping[str, AreaEffects], families: Mapping[str, float], names: list[str]
) -> tuple[str, ...]:
    known = dict.fromkeys(families)
    for held in effects.values():
        known |= dict.fromkeys([*held.frame["name"], *held.settings.get("left_out", ())])
    return tuple(str(name) for name in known if name not in set(names))


def _means(effects: Mapping[str, AreaEffects], months: int) -> Effects:
    """Return the mean effects over areas, which settle what is valued and how."""
    rows = pd.DataFrame(
        {
            "outcome": list(effects),
            "months": months,
            "estimate": [held.mean for held in effects.values()],
            "std_error": 0.0,
        }
    )
    return Effects(rows, np.zeros((len(rows), len(rows))))


def _valued(
    model: Model, drawn: Mapping[str, Array], grades: tuple[str, ...], correlation: float,
    rng: np.random.Generator,
) -> tuple[Array, Array]:  # fmt: skip
    """Return benefits (draws, areas), as if all families were in each area, and costs (draws,)."""
    first = next(iter(drawn.values()))
    flat = np.zeros((len(first), len(model.outcomes)))
    held = parameters(model, flat, grades, correlation, rng)
    worth = model.years_of(held.powers) * model.worth(held.amount) * model.scale * model.kept
    benefit = np.zeros(first.shape)
    for at, outcome in enumerate(model.outcomes):
        benefit -= drawn[outcome] * worth[:, [at]]
    return benefit, model.cost(held.cost)


def _summarised(
    names: list[str], counts: Array, value: Array, spent: Array, level: float
) -> pd.DataFrame:
    tail = (1 - level) / 2
    low, high = np.quantile(value, [tail, 1 - tail], axis=0)
    ranks = np.argsort(np.argsort(-value / counts, axis=1), axis=1) + 1
    rank = np.quantile(ranks, [0.5, tail, 1 - tail], axis=0, method="nearest")
    return pd.DataFrame(
        {
            "name": names,
            "families": counts,
            "cost": spent.mean(axis=0),
            "npv": value.mean(axis=0),
            "low": low,
            "high": high,
            "npv_per_family": value.mean(axis=0) / counts,
            "probability": (value >= 0).mean(axis=0),
            "rank": rank[0],
            "rank_low": rank[1],
            "rank_high": rank[2],
        }
    )


def _hidden(effects: Mapping[str, AreaEffects], names: list[str]) -> np.ndarray:
    hidden = np.zeros(len(names), dtype=bool)
    for held in effects.values():
        hidden |= held.frame.set_index("name").loc[names, "hidden"].to_numpy(dtype=bool)
    return hidden
