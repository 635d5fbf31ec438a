"""From effects and costs to value for money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.rich import Tabled
from tfeval.display.tables import Table
from tfeval.errors import DataError, ParameterError
from tfeval.money import account as measures
from tfeval.money.appraisal_display import plot, summary_table
from tfeval.money.appraisal_settings import AppraisalSettings, is_number, within
from tfeval.money.card import card_chart, card_frame, card_table, five_es_table
from tfeval.money.drawing import drawn
from tfeval.money.model import ACCOUNTS, Model
from tfeval.money.monetised import Valued
from tfeval.money.uncertainty import Uncertainty, break_even, one_way, schedules, switching_values
from tfeval.money.unit_costs import party_of
from tfeval.money.workbook import write_workbook

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


# How wrong a sum of estimates can be where nothing is known of how their errors go together.


def worst_case_error(weights: npt.ArrayLike, std_errors: npt.ArrayLike) -> float:
    """Return the largest standard error that a weighted sum of estimates can have.

    Published evaluations give standard errors, and no covariances. Whatever these are, the
    standard error of sum(w x estimate) is at most sum(|w| x std_error), which it reaches where
    all errors pull one way.

    Parameters
    ----------
    weights : array of float, shape (k,)
        Such as pounds for each unit of an effect.
    std_errors : array of float, shape (k,)

    Returns
    -------
    float
        In the unit of the sum.

    Raises
    ------
    DataError
        If lengths differ, or a standard error is negative or not known.

    References
    ----------
    Vohra (2024), Valid inference on functions of causal effects in the absence of microdata,
    arXiv:2410.00217.

    Examples
    --------
    >>> worst_case_error([1.0, -2.0], [3.0, 0.5])
    4.0
    """
    size, error = np.asarray(weights, dtype=float), np.asarray(std_errors, dtype=float)
    if size.shape != error.shape or size.ndim != 1:
        raise DataError("Give one standard error for each weight.")
    if not (error >= 0).all() or not np.isfinite(size).all():
        raise DataError("Standard errors are known, and not below 0; weights are finite.")
    return float(np.abs(size) @ error)


@dataclass(frozen=True, eq=False, repr=False)
class Appraisal(Tabled):
    """What effects were worth beside what they cost. From `appraise`.

    Attributes
    ----------
    frame : DataFrame
        Every line, counted in the perspective or not; see `lines`.
    model : Model
        The same as arrays.
    settings : AppraisalSettings
    effects : Effects
        All effects considered, valued or not, that have an estimate and an error.
    valued : Valued
        Effects that are valued, their unit costs, and what is left out.
    spent : DataFrame
        The programme's costs in the appraisal's prices.
    notes : tuple of str
    simulated : bool
        Whether the effects are of simulated records.
    """

    frame: pd.DataFrame
    model: Model
    settings: AppraisalSettings
    effects: Effects
    valued: Valued
    spent: pd.DataFrame
    notes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def lines(self) -> pd.DataFrame:
        """Every pound counted: one row a year, effect, component and payer, and the costs.

        undiscounted = -quantity x unit_cost x factor, where quantity = effect x families x
        profile x scale; `scale` is 1 unless converted, `factor` holds optimism bias and
        distributional weight. `term` is "mean" of the effect by what is expected to be left of it,
        and "together" of what is expected to be less, or more, because the two were estimated from
        the same families: there `profile` is their covariance in the year, and `effect` is 1.
        """
        own = self.frame[self.frame["counted"]]
        return own.drop(columns=["counted", "kept"]).reset_index(drop=True)

    def by(self, *columns: str) -> pd.DataFrame:
        """Return benefits, costs and net value by some of the lines' columns.

        Parameters
        ----------
        *columns : str
            Such as "payer", "year", "party", "outcome", "transfer", "grade".

        Returns
        -------
        DataFrame
            The columns, `benefits`, `costs`, `net` (present values) and `undiscounted`; each adds
            up to the whole.
        """
        return measures.grouped(self.lines, columns or ("kind",))

    @property
    def benefits(self) -> float:
        """Present value of benefits, pounds."""
        return float(self.lines.query("kind == 'benefit'")["present_value"].sum())

    @property
    def costs(self) -> float:
        """Present value of the programme's costs, pounds."""
        return 0.0 - float(self.lines.query("kind == 'cost'")["present_value"].sum())

    @property
    def npv(self) -> float:
        """Net present value: benefits less costs, pounds."""
        return self.benefits - self.costs

    @property
    def benefit_cost_ratio(self) -> float:
        """Benefits for each pound of cost."""
        return measures.ratio(self.benefits, self.costs)

    def accounts(self) -> pd.DataFrame:
        """Return the fiscal and the social account side by side.

        Returns
        -------
        DataFrame
            `account`, `benefits`, `costs`, `npv` (expected present values, pounds), `ratio`.
        """
        return measures.accounts(self.model)

    def who(self) -> pd.DataFrame:
        """Return benefits by who they fall to, in both accounts.

        Returns
        -------
        DataFrame
            `payer`, `party` (taxpayers for a public body), `fiscal`, `social` (expected present
            values, pounds; of the social account a transfer is one's gain and another's loss).
        """
        model = self.model
        rows = pd.DataFrame({"payer": model.payers, "party": map(party_of, model.payers)})
        rows = rows.assign(**{name: model.by_payer(model.point(), name)[0] for name in ACCOUNTS})
        return rows[(rows[list(ACCOUNTS)] != 0).any(axis=1)].reset_index(drop=True)

    @property
    def fiscal_benefits(self) -> float:
        """Present value of what public bodies no longer spend, transfers among it."""
        return float(self.model.by_outcome(self.model.point(), "fiscal").sum())

    @property
    def fiscal_return(self) -> float:
        """Public spending saved for each pound of cost."""
        return measures.ratio(self.fiscal_benefits, float(self.accounts()["costs"].iloc[0]))

    @property
    def payback_year(self) -> int | None:
        """First financial year from which the value so far is never again below 0, or None."""
        return measures.payback_year(self.lines)

    @property
    def cost_per_family(self) -> float:
        """Costs over families reached."""
        return self.costs / self.settings.total_families

    @property
    def cost_per_claimed(self) -> float:
        """Costs over claimed results; NaN where `claims` was not given."""
        return measures.ratio(self.costs, self.settings.claims or 0.0)

    @property
    def additional_results(self) -> float:
        """Results that there would not have been: effect x families; NaN without `result`."""
        if self.settings.result is None:
            return float("nan")
        rows = self.additional()
        return float(rows.loc[rows["outcome"] == self.settings.result, "additional"].iloc[0])

    @property
    def cost_per_additional(self) -> float:
        """Costs over additional results; infinite where there are none or fewer than none."""
        extra = self.additional_results
        if np.isnan(extra):
            return extra
        return self.costs / extra if extra > 0 else float("inf")

    @property
    def willingness_to_pay(self) -> tuple[float, float]:
        """Least and most that all but taxpayers gain, pounds; see `appraise`.

        What the support itself is worth to those served is not known: `valued_share` of its cost.
        """
        own = self.settings.valued_share * float(self.accounts()["costs"].iloc[0])
        low, high = measures.own_gains(self.frame)
        return low + own, high + own

    @property
    def marginal_value_of_public_funds(self) -> tuple[float, float]:
        """Willingness to pay over net cost to the public purse, at least and at most.

        NaN where nobody's gain is valued: there is nothing to set beside the cost.
        """
        net = float(self.accounts()["costs"].iloc[0]) - self.fiscal_benefits
        ends = self.willingness_to_pay
        if ends == (0.0, 0.0):
            return float("nan"), float("nan")
        low, high = (measures.marginal_value(end, net) for end in ends)
        return low, high

    def additional(self) -> pd.DataFrame:
        """Return additional outcomes over the window measured: effect x families reached.

        Returns
        -------
        DataFrame
            `outcome`, `months`, `effect`, `families`, `additional`, `low`, `high` (the effect's
            interval), `valued`. What would have happened anyway is in the comparison group.
        """
        return measures.additional(
            self.effects.to_frame(), self.settings.total_families, self.model.outcomes
        )

    def not_monetised(self) -> pd.DataFrame:
        """Return what could not be valued, or is counted elsewhere, and why.

        Returns
        -------
        DataFrame
            `what`, `kind` ("no_unit_cost", "counted_elsewhere", "not_estimated",
            "too_few", "not_in_account"), `reason`, `instead` (the outcome it is counted with),
            `share` (of a unit cost that is counted elsewhere), `account` (that lacks it: fiscal,
            social, both), `estimate`, `conf_low`, `conf_high`.
        """
        return self.valued.left_out.copy()

    def summary(self) -> pd.DataFrame:
        """Return every measure of value for money.

        Returns
        -------
        DataFrame
            `measure`, `value`, `unit` ("£", "£ for each £1", "year", "results", "families").
        """
        year = self.payback_year
        rows = [
            ("families reached", self.settings.total_families, "families"),
            ("benefits", self.benefits, "£"),
            ("costs", self.costs, "£"),
            ("net present value", self.npv, "£"),
            ("benefit-cost ratio", self.benefit_cost_ratio, "£ for each £1"),
            ("fiscal benefits", self.fiscal_benefits, "£"),
            ("fiscal return", self.fiscal_return, "£ for each £1"),
            ("payback year", float("nan") if year is None else float(year), "year"),
            ("cost per family", self.cost_per_family, "£"),
            ("cost per claimed result", self.cost_per_claimed, "£"),
            ("additional results", self.additional_results, "results"),
            ("cost per additional result", self.cost_per_additional, "£"),
        ]
        for end, worth, value in zip(("at least", "at most"), self.willingness_to_pay,
                                     self.marginal_value_of_public_funds, strict=True):  # fmt: skip
            rows.append((f"willingness to pay, {end}", worth, "£"))
            rows.append((f"marginal value of public funds, {end}", value, "£ for each £1"))
        return pd.DataFrame(rows, columns=["measure", "value", "unit"])

    def uncertainty(
        self, draws: int = 10_000, seed: int = 1, correlation: float = 0.5, level: float = 0.95
    ) -> Uncertainty:
        """Draw effects, unit costs, persistence and costs together.

        Parameters
        ----------
        draws : int, default 10,000
            From 100 to 1,000,000.
        seed : int
        correlation : float, default 0.5
            Between unit costs of one evidence grade, 0 to 1: assumed, since none is published.
        level : float, default 0.95
            Of intervals.

        Returns
        -------
        Uncertainty

        Raises
        ------
        DataError
            If an effect's standard error or covariance is not known.
        """
        for name, value in (("draws", draws), ("correlation", correlation), ("level", level)):
            within(name, value)
        if not is_number(seed) or seed != seed // 1 or seed < 0:
            raise ParameterError(f"seed is a whole number from 0 on, not {seed}.")
        effects, inputs = drawn(
            self.model, self.effects.to_frame(), self.effects.joint,
            tuple(self.valued.costs["grade"]), draws=int(draws), seed=int(seed),
            correlation=correlation,
        )  # fmt: skip
        benefits, costs = self.model.by_outcome(inputs).sum(axis=1), self.model.cost(inputs.cost)
        return Uncertainty(
            model=self.model, drawn=inputs, effects=effects, families=self.settings.total_families,
            npv=benefits - costs, benefits=benefits, costs=costs, level=level,
            settings={"draws": draws, "seed": seed, "correlation": correlation},
            simulated=self.simulated,
        )  # fmt: skip

    def worst_case(self, level: float = 0.95) -> tuple[float, float]:
        """Return an interval of the net present value that holds whatever the covariances.

        Only the effects' sampling errors count; see `worst_case_error`.
        """
        from scipy.special import ndtri  # noqa: PLC0415

        slope = self.model.slope(self.model.point())[0]
        half = float(ndtri((1 + within("level", level)) / 2)) * worst_case_error(
            slope, self.model.std_error
        )
        return self.npv - half, self.npv + half

    def break_even(self) -> pd.DataFrame:
        """Return the effect on each outcome at which value is 0; see `break_even`."""
        return break_even(self.model, self.valued.effects)

    def switching_values(self) -> pd.DataFrame:
        """Return where each group of parameters turns the answer; see `switching_values`."""
        return switching_values(self.model)

    def one_way(self, level: float = 0.95) -> pd.DataFrame:
        """Return the value with one thing at a time at its ends; see `one_way`."""
        from scipy.special import ndtri  # noqa: PLC0415

        reach = float(ndtri((1 + within("level", level)) / 2))
        return one_way(
            self.model, tuple(self.valued.effects["grade"]),
            schedules(len(self.model.years), self.settings.timing), reach,
        )  # fmt: skip

    def five_es(self, drawn: Uncertainty | None = None) -> Table:
        """Return economy, efficiency, effectiveness, equity and cost-effectiveness as evidence."""
        return five_es_table(self, drawn)

    def card_frame(self, drawn: Uncertainty | None = None) -> pd.DataFrame:
        """Return costs and benefits of one family in both accounts; see `card`."""
        return card_frame(self, drawn)

    def card(self, drawn: Uncertainty | None = None) -> Table:
        """Return what the programme cost and brought for one family, and to whom.

        Parameters
        ----------
        drawn : Uncertainty, optional
            For the chances that it pays for itself and that it is worth more than it cost.
        """
        return card_table(self, drawn)

    def card_plot(self) -> Chart:
        """Draw benefits of one family by party and payer, beside its cost."""
        return card_chart(self)

    def to_workbook(
        self,
        path: str | Path,
        drawn: Uncertainty | None = None,
        more: Mapping[str, tuple[pd.DataFrame, str]] | None = None,
    ) -> Path:
        """Write every pound, price and source as an accessible workbook; see `write_workbook`."""
        return write_workbook(self, path, drawn, more)

    def table(self) -> Table:
        """Return every measure as a table for readers."""
        return summary_table(self)

    def plot(self, kind: str = "waterfall") -> Chart:
        """Draw benefits less costs ("waterfall"), "payers" by year, or a "tornado"."""
        return plot(self, kind)
