"""An appraisal's uncertainty: joint draws, intervals, acceptability, what turns the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table
from tfeval.errors import ParameterError, suggest
from tfeval.money.account import accounts
from tfeval.money.appraisal_display import acceptability_plot, uncertainty_table
from tfeval.money.appraisal_settings import within
from tfeval.money.model import ACCOUNTS, Array, Model, Parameters
from tfeval.money.prices import (
    discount_factors,
    discount_rates,
    edition_of,
    editions,
    proposals,
)
from tfeval.programme.outcomes import OUTCOMES, is_more_better

# What would change the answer: break-even effects, switching values, one-way ranges.

_NONE = float("nan")


def break_even(model: Model, effects: pd.DataFrame) -> pd.DataFrame:
    """Return the effect on each outcome at which benefits just reach the costs, in one account.

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
        `possible` (whether there is so much to reduce and, of a share, so much to gain). Effects
        are in the outcome's unit; NaN where no effect would do, as where the outcome is worth
        nothing in the perspective.
    """
    point = model.point()
    worth = (model.years_of(point.powers) * model.worth(point.amount))[0]
    cost = float(model.cost(point.cost)[0])
    value = model.by_outcome(point)[0]
    alone = _needed(model, np.full(len(worth), cost), worth)
    others = _needed(model, cost - (value.sum() - value), worth)
    mean = effects["mean_comparison"].to_numpy(dtype=float)
    shares = np.array([OUTCOMES[name].unit == "0 or 1" if name in OUTCOMES else False
                       for name in effects["outcome"]], dtype=bool)  # fmt: skip
    full = shares & (mean + alone > 1)
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
            "possible": np.where(np.isfinite(alone), ~(relative < -1) & ~full, False),
        }
    )


def _needed(model: Model, pounds: Array, worth: Array) -> Array:
    """Return effects that are worth so many pounds, the optimism bias undone."""
    unit = worth * model.scale
    bare = -np.divide(pounds, unit, out=np.full(len(worth), _NONE), where=unit != 0)
    # By what the effect is: with weights more of a transfer may be worth more, and be a harm.
    kept = np.array([float(model.kept_of(at, one)) for at, one in enumerate(bare)])
    return np.divide(bare, kept, out=np.full(len(worth), _NONE), where=kept > 0)


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
        ("persistence", float(point.powers[0, :, 1].mean()), _persistence_root(model, point),
         "share left each year"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["parameter", "estimate", "switches_at", "unit"])


def _persistence_root(model: Model, point: Parameters) -> float:
    """Return the lowest persistence, common to all outcomes, at which the value is 0."""
    from scipy.optimize import brentq  # noqa: PLC0415

    def value(share: float) -> float:
        return float(model.value(point.with_(powers=model.powers([share])))[0])

    grid = np.linspace(0.0, 1.0, 101)
    sign = np.sign([value(float(share)) for share in grid])
    turns = np.flatnonzero(sign[1:] * sign[:-1] <= 0)
    if not len(turns):
        return _NONE
    return float(brentq(value, grid[turns[0]], grid[turns[0] + 1]))


def schedules(years: int, timing: str) -> dict[str, Array]:
    """Return discount factors by every edition and proposal that reaches so far, by label."""
    factors = {}
    for name in [*editions(), *proposals()]:
        for rate in ("standard", "sensitivity"):
            if rate not in edition_of(name).kinds:
                continue
            if years <= discount_rates(name, rate)["to_year"].max() + 1:
                factors[f"{name}, {rate}"] = discount_factors(years - 1, name, rate, timing)
    return factors


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
    ends = []
    for at in (0.0, 1.0):
        shares = np.array([one.quantile(np.array([at]))[0] for one in model.persistence])
        powers = shares[None, :, None] ** np.arange(model.horizon + 1.0)
        ends.append(float(model.value(point.with_(powers=powers))[0]))
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


MEASURES = ("npv", "benefits", "costs", "benefit_cost_ratio")


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Tabled):
    """Joint draws of an appraisal. From `Appraisal.uncertainty`.

    Attributes
    ----------
    model : Model
    drawn : Parameters
        Everything drawn that has a price.
    effects : DataFrame
        Draws of every effect, those without a unit cost too; one column an outcome.
    families : float
        Families reached.
    npv, benefits, costs : ndarray, shape (draws,)
        Present values in pounds.
    level : float
        Of intervals.
    settings : dict
        Seed, number of draws, correlation of unit costs.
    simulated : bool
        Whether the effects are of simulated records.
    """

    model: Model
    drawn: Parameters
    effects: pd.DataFrame
    families: float
    npv: Array
    benefits: Array
    costs: Array
    level: float
    settings: dict
    simulated: bool = False

    @property
    def benefit_cost_ratio(self) -> Array:
        """Benefits over costs in each draw; NaN where there are no costs."""
        return np.divide(
            self.benefits, self.costs, out=np.full(len(self.costs), np.nan), where=self.costs > 0
        )

    def interval(self, of: str = "npv", level: float | None = None) -> tuple[float, float]:
        """Return the interval between equal tails of the draws.

        Parameters
        ----------
        of : {"npv", "benefits", "costs", "benefit_cost_ratio"}
        level : float, optional
            Between 0.5 and 0.999.
        """
        if of not in MEASURES:
            raise ParameterError(f"There is no interval of {of}. {suggest(of, MEASURES)}")
        tail = (1 - (self.level if level is None else within("level", level))) / 2
        low, high = np.quantile(getattr(self, of), [tail, 1 - tail])
        return float(low), float(high)

    def probability(self, at_least: float = 1.0) -> float:
        """Return the share of draws in which each pound spent brings at least so many pounds."""
        return float(np.mean(self.benefits - at_least * self.costs >= 0))

    def to_frame(self) -> pd.DataFrame:
        """Return each measure with its interval.

        Returns
        -------
        DataFrame
            `measure`, `estimate` (expected; of the ratio, expected benefits over expected costs),
            `low`, `high`.
        """
        rows = self.accounts().set_index("account").loc[self.model.account]
        at = {"npv": rows["npv"], "benefits": rows["benefits"], "costs": rows["costs"],
              "benefit_cost_ratio": rows["ratio"]}  # fmt: skip
        measures = [(name, at[name], *self.interval(name)) for name in MEASURES]
        return pd.DataFrame(measures, columns=["measure", "estimate", "low", "high"])

    def accounts(self) -> pd.DataFrame:
        """Return the fiscal and the social account side by side, from the same draws.

        Returns
        -------
        DataFrame
            `account`, `benefits`, `costs`, `npv` (expected present values, pounds), `ratio`, the
            intervals `npv_low`, `npv_high`, `ratio_low`, `ratio_high`, and `probability` (that
            benefits are at least the costs).
        """
        rows, tail = [], (1 - self.level) / 2
        for account in ACCOUNTS:
            gained = self.model.by_outcome(self.drawn, account).sum(axis=1)
            spent = self.model.cost(self.drawn.cost, account)
            ratio = np.divide(gained, spent, out=np.full(len(spent), _NONE), where=spent > 0)
            ends = [np.quantile(one, [tail, 1 - tail]) for one in (gained - spent, ratio)]
            rows.append((*ends[0], *ends[1], float(np.mean(gained >= spent))))
        columns = ["npv_low", "npv_high", "ratio_low", "ratio_high", "probability"]
        return accounts(self.model).join(pd.DataFrame(rows, columns=columns))

    def by_year_payer(self) -> Array:
        """Return undiscounted net value, shape (draws, years, payers).

        Years and payers are `model.years` and `model.payers`.
        """
        return self.model.benefits(self.drawn) - self.model.spent(self.drawn.cost)

    def by_payer(self) -> pd.DataFrame:
        """Return the present value that falls to each payer, with its interval.

        Returns
        -------
        DataFrame
            `payer`, `net` (expected), `low`, `high`; pounds.
        """
        drawn = np.einsum("dyp,y->dp", self.by_year_payer(), self.model.discount)
        point = self.model.point()
        flows = (self.model.benefits(point) - self.model.spent(point.cost))[0]
        tail = (1 - self.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        net = self.model.discount @ flows
        return pd.DataFrame({"payer": self.model.payers, "net": net, "low": low, "high": high})

    def acceptability(
        self, willingness: Sequence[float] | Array, outcome: str | None = None
    ) -> pd.DataFrame:
        """Return the probability that the programme is worth it at each willingness to pay.

        Parameters
        ----------
        willingness : sequence of float
            Without an outcome: pounds of benefit asked for each pound of cost. With one: pounds
            that one unit of it less is worth, beside the savings counted already (one more, for a
            result or a day in work).
        outcome : str, optional
            Any effect of the appraisal, with a unit cost or without.

        Returns
        -------
        DataFrame
            `willingness`, `probability`.

        References
        ----------
        Fenwick, Claxton and Sculpher (2001), Health Economics 10(8): acceptability curves.
        """
        try:
            amounts = np.asarray(willingness, dtype=float)
        except (TypeError, ValueError):
            amounts = np.array([])
        if amounts.ndim != 1 or not len(amounts) or not np.isfinite(amounts).all():
            raise ParameterError("willingness is a row of amounts in pounds, such as [0, 1, 2].")
        if outcome is None:
            won = self.benefits[:, None] - amounts * self.costs[:, None] >= 0
        else:
            gained = self.gained(outcome)
            won = self.npv[:, None] + amounts * gained[:, None] >= 0
        return pd.DataFrame({"willingness": amounts, "probability": won.mean(axis=0)})

    def gained(self, outcome: str) -> Array:
        """Return units gained in the measured window in each draw, shape (draws,).

        Less of what costs, more of results and of days in work.
        """
        if outcome not in self.effects:
            known = suggest(outcome, self.effects.columns)
            raise ParameterError(f"The appraisal has no effect on {outcome}. {known}")
        better = 1.0 if is_more_better(outcome) else -1.0
        return better * self.families * self.effects[outcome].to_numpy()

    def table(self) -> Table:
        """Return the measures with their intervals as a table for readers."""
        return uncertainty_table(self)

    def plot(self, outcome: str | None = None, most: float | None = None) -> Chart:
        """Draw the acceptability curve.

        Parameters
        ----------
        outcome : str, optional
            As in `acceptability`.
        most : float, optional
            Where the axis ends; by default £3 for each £1, or £50,000 a unit of the outcome.
        """
        return acceptability_plot(self, outcome, most)
