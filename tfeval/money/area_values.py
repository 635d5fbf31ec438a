"""Value for money by authority, from effects that are partly pooled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.rich import Tabled
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.display.words import amount, chance
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal_display import listed
from tfeval.money.appraisal_settings import within
from tfeval.money.appraise import appraise
from tfeval.money.drawing import normal_draws, parameters
from tfeval.money.model import Array, Model, Parameters
from tfeval.programme.outcomes import outcome_label

if TYPE_CHECKING:
    from tfeval.impact.effects.areas import AreaEffects


@dataclass(frozen=True, eq=False, repr=False)
class AreaAppraisals(Tabled):
    """Value by area. From `appraise_areas`.

    Attributes
    ----------
    frame : DataFrame
        One row an area: `name`, `families`, `cost`, `npv` (expected), `low`, `high`
        (pounds, present value), `npv_per_family`, `probability` (of at least 0), `rank`,
        `rank_low`, `rank_high` (1 for the highest value a family), `hidden`.
    level : float
        Of all intervals.
    settings : dict
    simulated : bool
    left_out : tuple of str
        Areas without an effect and an error on every outcome: neither valued nor ranked.
    by_area, national : tuple of str
        Outcomes valued at each area's own effect, and at the nation's.
    """

    frame: pd.DataFrame
    level: float
    settings: dict = field(default_factory=dict)
    simulated: bool = False
    left_out: tuple[str, ...] = ()
    by_area: tuple[str, ...] = ()
    national: tuple[str, ...] = ()

    def counted(self) -> str:
        """Say which outcomes are counted at whose effect."""
        own = ", ".join(outcome_label(name) for name in self.by_area)
        rest = ", ".join(outcome_label(name) for name in self.national)
        text = f"At each area's own effect, partly pooled: {own}."
        return f"{text} At the nation's effect: {rest}." if rest else text

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
                   "Probability that benefits reach costs", f"Rank ({share})"]  # fmt: skip
        notes = [
            "Effects are partly pooled; an area's rank is of its net value a family, and a wide "
            "interval says that the order is not known.",
            "Outcomes' effects are drawn as independent of each other within an area; prices, "
            "persistence and what a family cost are drawn once for all.",
            self.counted(),
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


def appraise_areas(
    effects: Mapping[str, AreaEffects],
    costs: pd.DataFrame | float,
    *,
    families: Mapping[str, float],
    reached: Mapping[int | str, float] | None = None,
    national: Effects | None = None,
    months: int = 12,
    draws: int = 4_000,
    seed: int = 1,
    correlation: float = 0.5,
    level: float = 0.95,
    **options: Any,
) -> AreaAppraisals:
    """Appraise every area at once, from partly pooled effects.

    Parameters
    ----------
    effects : mapping of str to AreaEffects
        By outcome, as from `pool_areas` or `Effects.pool`; the areas that all have are appraised.
    costs : DataFrame or float
        Of all families of `reached`; every family bears the same, and its doubt is shared.
    families : mapping of str to float
        Families reached in each area, by the names the effects use. Areas without effects are
        left out.
    reached : mapping of year to float, optional
        All families whom the costs are of, by the financial year in which they join; by default
        those of `families`, all in `first_year`.
    national : Effects, optional
        Effects on outcomes that are not known by area: each area has the nation's, so that its
        value is of the same outcomes as the nation's.
    months : int, default 12
        Window of the effects.
    draws, seed, correlation, level
        As in `Appraisal.uncertainty`.
    **options
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
    Only areas that have an effect with an error on every outcome of `effects` are valued and
    ranked; the others stand in `left_out`. Prices, persistence, costs and national effects are
    drawn once for all areas; effects by area from the joint posterior of each outcome, outcomes
    apart.
    """
    for name, value in (("draws", draws), ("correlation", correlation), ("level", level)):
        within(name, value)
    names = _common(effects, families)
    counts = np.array([float(families[name]) for name in names])
    whole = appraise(
        _means(effects, national, months), costs,
        families=reached or float(sum(families.values())), months=months, **options,
    )  # fmt: skip
    everybody, model = whole.settings.total_families, whole.model
    rng = np.random.default_rng(seed)
    drawn = {
        outcome: inputs.draws(draws, rng)[:, [list(inputs.frame["name"]).index(n) for n in names]]
        for outcome, inputs in effects.items()
    }
    grades = tuple(whole.valued.costs["grade"])
    common = normal_draws(model.estimate, model.covariance, draws, rng)
    inputs = parameters(model, common, grades, correlation, rng)
    means = {
        outcome: one.frame.set_index("name").loc[names, "pooled"].to_numpy(dtype=float)[None]
        for outcome, one in effects.items()
    }
    # An area's harm is a harm, also where the nation gains: optimism bias makes it grow.
    kept = [model.kept_of(at, means[outcome]) if outcome in means else model.kept[[at]]
            for at, outcome in enumerate(model.outcomes)]  # fmt: skip
    benefit, cost = _valued(model, inputs, drawn, kept), model.cost(inputs.cost)
    spent = np.outer(cost / everybody, counts)
    value = benefit / everybody * counts - spent
    mean = np.broadcast_to(_valued(model, model.point(), means, kept), (1, len(names)))[0]
    expected = mean / everybody * counts
    spending = float(model.cost(np.zeros(1))[0]) / everybody * counts
    frame = _summarised(names, counts, value, (expected - spending, spending), level)
    frame["hidden"] = _hidden(effects, names) | (counts < THRESHOLD)
    by_area = tuple(name for name in model.outcomes if name in effects)
    return AreaAppraisals(
        frame, level, {"draws": draws, "seed": seed, "correlation": correlation},
        any(inputs.simulated for inputs in effects.values()), _left_out(effects, families, names),
        by_area, tuple(name for name in model.outcomes if name not in effects),
    )  # fmt: skip


def _common(effects: Mapping[str, AreaEffects], families: Mapping[str, float]) -> list[str]:
    if not effects:
        raise ParameterError("Give the effects of areas on at least one outcome.")
    first, *others = (list(estimates.frame["name"]) for estimates in effects.values())
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
    for estimates in effects.values():
        known |= dict.fromkeys([*estimates.frame["name"], *estimates.settings.get("left_out", ())])
    return tuple(str(name) for name in known if name not in set(names))


def _means(effects: Mapping[str, AreaEffects], national: Effects | None, months: int) -> Effects:
    """Return the mean effects over areas, which settle what is valued and how, and the nation's."""
    rows = pd.DataFrame(
        {
            "outcome": list(effects),
            "months": months,
            "estimate": [estimates.mean for estimates in effects.values()],
            "std_error": 0.0,
        }
    )
    means = Effects(rows, np.zeros((len(rows), len(rows))))
    if national is None:
        return means
    others = [name for name in national.frame["outcome"] if name not in effects]
    return means.combine(national.select(others)) if others else means


def _valued(
    model: Model, inputs: Parameters, by_area: Mapping[str, Array], kept: list[Array]
) -> Array:
    """Return benefits, shape (draws, areas), as if all families were in each area."""
    slope = replace(model, kept=np.ones(len(model.kept))).slope(inputs)
    benefit = np.zeros((len(inputs), 1))
    for at, outcome in enumerate(model.outcomes):
        effect = by_area.get(outcome, inputs.effect[:, [at]])
        benefit = benefit + effect * slope[:, [at]] * kept[at]
    return benefit + np.sum(model.by_tie(inputs))


def _summarised(
    names: list[str], counts: Array, value: Array, expected: tuple[Array, Array], level: float
) -> pd.DataFrame:
    tail = (1 - level) / 2
    low, high = np.quantile(value, [tail, 1 - tail], axis=0)
    ranks = np.argsort(np.argsort(-value / counts, axis=1), axis=1) + 1
    rank = np.quantile(ranks, [0.5, tail, 1 - tail], axis=0, method="nearest")
    npv, cost = expected
    return pd.DataFrame(
        {
            "name": names,
            "families": counts,
            "cost": cost,
            "npv": npv,
            "low": low,
            "high": high,
            "npv_per_family": npv / counts,
            "probability": (value >= 0).mean(axis=0),
            "rank": rank[0],
            "rank_low": rank[1],
            "rank_high": rank[2],
        }
    )


def _hidden(effects: Mapping[str, AreaEffects], names: list[str]) -> np.ndarray:
    hidden = np.zeros(len(names), dtype=bool)
    for estimates in effects.values():
        hidden |= estimates.frame.set_index("name").loc[names, "hidden"].to_numpy(dtype=bool)
    return hidden
