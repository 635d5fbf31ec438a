"""An appraisal's uncertainty: joint draws, intervals, acceptability, the value of information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.tables import Table
from tfeval.errors import ParameterError, suggest
from tfeval.money.appraisal_display import acceptability_plot, uncertainty_table
from tfeval.money.information import information_values
from tfeval.money.model import Array, Model, Parameters
from tfeval.programme.outcomes import is_more_better
from tfeval.programme.published import figure

MEASURES = ("npv", "benefits", "costs", "benefit_cost_ratio")


@dataclass(frozen=True, eq=False)
class Uncertainty:
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
        tail = (1 - (level or self.level)) / 2
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
            `measure`, `estimate` (everything at its estimate), `mean` (of the draws; it differs
            where a range is lopsided), `low`, `high`.
        """
        point = self.model.point()
        cost = float(self.model.cost(point.cost)[0])
        benefit = float(self.model.by_outcome(point).sum())
        at = {"npv": benefit - cost, "benefits": benefit, "costs": cost,
              "benefit_cost_ratio": benefit / cost if cost > 0 else np.nan}  # fmt: skip
        rows = [
            (name, at[name], float(np.mean(getattr(self, name))), *self.interval(name))
            for name in MEASURES
        ]
        return pd.DataFrame(rows, columns=["measure", "estimate", "mean", "low", "high"])

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
            `payer`, `net` (mean of the draws), `low`, `high`; pounds.
        """
        net = np.einsum("dyp,y->dp", self.by_year_payer(), self.model.discount)
        tail = (1 - self.level) / 2
        low, high = np.quantile(net, [tail, 1 - tail], axis=0)
        return pd.DataFrame(
            {"payer": self.model.payers, "net": net.mean(axis=0), "low": low, "high": high}
        )

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
        asked = np.asarray(willingness, dtype=float)
        if asked.ndim != 1 or not len(asked) or not np.isfinite(asked).all():
            raise ParameterError("willingness is a row of amounts in pounds, such as [0, 1, 2].")
        if outcome is None:
            won = self.benefits[:, None] - asked * self.costs[:, None] >= 0
        else:
            gained = self.gained(outcome)
            won = self.npv[:, None] + asked * gained[:, None] >= 0
        return pd.DataFrame({"willingness": asked, "probability": won.mean(axis=0)})

    def gained(self, outcome: str) -> Array:
        """Return units gained in the measured window in each draw, shape (draws,).

        Less of what costs, more of results and of days in work.
        """
        if outcome not in self.effects:
            known = suggest(outcome, self.effects.columns)
            raise ParameterError(f"The appraisal has no effect on {outcome}. {known}")
        better = 1.0 if is_more_better(outcome) else -1.0
        return better * self.families * self.effects[outcome].to_numpy()

    def information(self, evaluation_cost: float | None = None) -> pd.DataFrame:
        """Return what it would be worth to know more, beside what the evaluation cost.

        Parameters
        ----------
        evaluation_cost : float, optional
            In pounds; by default the published ceiling of the national evaluation's contract, in
            cash.

        Returns
        -------
        DataFrame
            `known`, `value` (pounds, present value), `evaluations` (how many such evaluations it
            would pay for).
        """
        found = information_values(self.model, self.drawn, self.npv)
        cost = evaluation_cost
        if cost is None:
            cost = figure("budget", "evaluation_contract").pounds()[0]
        return found.assign(evaluations=found["value"] / cost)

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

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()
