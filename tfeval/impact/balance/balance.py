"""Balance: how alike the arms of a design are in what was measured before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tfeval.calls import Checked
from tfeval.display.tables import Table
from tfeval.errors import DataError, ParameterError
from tfeval.impact.balance.rows import Compared, balance_frame, in_sample
from tfeval.impact.balance.tables import (
    Verdict,
    alert_html,
    alert_text,
    balance_table,
    checked,
    judge,
)
from tfeval.impact.study.blocks import check_unique, in_order, rows_that_count
from tfeval.impact.study.covariates import Covariates, one_blas_thread
from tfeval.impact.study.numbers import floats_of
from tfeval.impact.study.study import Study

if TYPE_CHECKING:
    from tfeval.display.figures import Chart


# Prognostic scores: what the comparison units' outcomes say each unit would have had.


def prognostic_scores(study: Study, prognosis: pd.DataFrame | pd.Series) -> dict[str, np.ndarray]:
    """Return one score a unit for each outcome, fitted on the comparison units only.

    Parameters
    ----------
    study : Study
        Who and on what.
    prognosis : DataFrame or Series
        A frame of outcomes, earlier or others, with the study's index: each is regressed on the
        covariates among the comparison units (least squares, sampling weights) and predicted for
        everyone. Or a Series of scores fitted elsewhere.

    Returns
    -------
    dict of str to ndarray of float, shape (n,)
        By name, as shown.

    References
    ----------
    Hansen (2008), The prognostic analogue of the propensity score, Biometrika 95(2): 481-488.
    Stuart, Lee and Leacy (2013), Prognostic score-based balance measures can be a useful
    diagnostic for propensity score methods, Journal of Clinical Epidemiology 66(8): S84-S90.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 0, 0], "age": [20.0, 30.0, 40.0, 50.0]})
    >>> outcome = pd.DataFrame({"arrears": [np.nan, 3.0, 4.0, 5.0]})
    >>> scores = prognostic_scores(study(frame, covariates=["age"]), outcome)
    >>> scores["prognostic score: arrears"].round(6).tolist()
    [2.0, 3.0, 4.0, 5.0]
    """
    if isinstance(prognosis, pd.Series):
        values = _numbers(in_order(prognosis, study.index, "The prognoses"))
        if not np.isfinite(values[study.sampling > 0]).all():
            raise DataError("The prognostic score is missing or infinite for some units.")
        named = "" if prognosis.name is None else f": {prognosis.name}"
        return {f"prognostic score{named}": values}
    if not isinstance(prognosis, pd.DataFrame) or not prognosis.shape[1]:
        raise ParameterError("prognosis is a frame of outcomes, or a Series of fitted scores.")
    check_unique(prognosis.columns, "The prognoses")
    frame = in_order(prognosis, study.index, "The prognoses")
    scores = {}
    for name in frame.columns:
        values = _numbers(frame[name])
        weights = np.where(np.isfinite(values) & ~study.treated, study.sampling, 0.0)
        if np.count_nonzero(weights) < study.covariates.count + 2:
            raise DataError(
                f"Prognosis {name}: too few comparison units have it for as many covariates. "
                "Give another outcome, or a Series of fitted scores."
            )
        filled = np.where(weights > 0, values, 0.0)
        with one_blas_thread(True):  # small blocks: threads would only wait
            scores[f"prognostic score: {name}"] = linear_fit(study.covariates, filled, weights)
    return scores


def linear_fit(covariates: Covariates, outcome: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the predictions of weighted least squares for every unit, block by block.

    Parameters
    ----------
    covariates : Covariates
        With an intercept added; a column that follows from the others does no harm.
    outcome, weights : ndarray of float, shape (n,)
        Units of weight 0 are not fitted on.
    """
    centre, scale = _location(covariates, weights)
    gram = np.zeros((covariates.count + 1,) * 2)
    moment = np.zeros(covariates.count + 1)
    for rows, block in covariates.blocks():
        x = _standard(block, centre, scale)
        weighted = x * weights[rows]
        gram += weighted @ x.T
        moment += weighted @ outcome[rows]
    size = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    solved = np.linalg.lstsq(gram / np.outer(size, size), moment / size, rcond=1e-12)[0] / size
    fitted = np.empty(covariates.size)
    for rows, block in covariates.blocks():
        fitted[rows] = solved @ _standard(block, centre, scale)
    return fitted


def _location(covariates: Covariates, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Rough is enough: it only keeps the sums well scaled.
    first = np.flatnonzero(weights)[0]
    start = covariates.block(first, first + 1)[:, 0].copy()
    total, squares = np.zeros(covariates.count), np.zeros(covariates.count)
    for rows, block in covariates.blocks():
        apart = block - start[:, None]
        total += apart @ weights[rows]
        squares += (apart * apart) @ weights[rows]
    mean = total / weights.sum()
    spread = np.sqrt(np.maximum(squares / weights.sum() - mean**2, 0.0))
    return start + mean, np.where(spread > 0, spread, 1.0)


def _standard(block: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    x = np.ones((len(block) + 1, block.shape[1]))
    np.subtract(block, centre[:, None], out=x[1:])
    x[1:] /= scale[:, None]
    return x


def _numbers(series: pd.Series) -> np.ndarray:
    return floats_of(series, f"Prognosis {series.name}")


#: Whose unadjusted standard deviation differences are divided by, unless told.
DENOMINATORS = {"ATT": "treated", "ATC": "comparison", "ATE": "pooled", "ATO": "pooled"}
POPULATIONS = {
    "ATT": "the treated",
    "ATC": "the comparison units",
    "ATE": "all units",
    "ATO": "all units",
}


@dataclass(frozen=True, eq=False)
class Balance(Checked):
    """How alike two arms are, before and after a design. Made by `balance`.

    Attributes
    ----------
    frame : DataFrame
        One row a covariate, columns `COLUMNS`: exact, for computing. What is shown hides the
        means that give away fewer than ten units.
    design : str
        In words, for headings.
    estimand : str
    denominator : {"treated", "comparison", "pooled"}
        Whose unadjusted standard deviation differences are divided by.
    thresholds : mapping of str to float
        What the verdict asks for.
    ess_share : dict of str to float
        Effective sample size over units kept, by arm.
    dropped : float
        Share left out of those whom the estimand is about, by sampling weight; for the ATO 0.
    simulated : bool
        Whether the records are simulated.
    """

    frame: pd.DataFrame
    design: str
    estimand: str
    denominator: str
    thresholds: Mapping[str, float]
    ess_share: dict[str, float] = field(default_factory=dict)
    dropped: float = 0.0
    simulated: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Return one row a covariate, with fixed columns and exact numbers."""
        return self.frame.copy()

    def verdict(self) -> Verdict:
        """Return whether the arms are alike, by which thresholds, and what fails them."""
        population = POPULATIONS[self.estimand]
        return judge(self.frame, self.thresholds, self.ess_share, self.dropped, population)

    def summary(self) -> Table:
        """Return the balance of every covariate as a table for readers."""
        return balance_table(
            self.frame, self.verdict(), self.design, self.denominator, self.simulated
        )

    def plot(self) -> Chart:
        """Return the love plot: standardised differences before and after, sorted."""
        from tfeval.impact.balance.charts import love_plot  # noqa: PLC0415

        return love_plot(self.frame, self.thresholds, self.design, self.denominator, self.simulated)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        table, verdict = self.summary(), self.verdict()
        return {
            "text/html": alert_html(verdict, self.design) + "\n" + table.html(),
            "text/plain": alert_text(verdict, self.design) + "\n\n" + table.text(),
        }

    def __repr__(self) -> str:
        return self._repr_mimebundle_()["text/plain"]


def balance(
    design: Compared,
    *,
    prognosis: pd.DataFrame | pd.Series | None = None,
    thresholds: Mapping[str, float] | None = None,
    squares: bool = False,
    denominator: str | None = None,
) -> Balance:
    """Compare the arms of a design in every covariate, before and after.

    Parameters
    ----------
    design : Design
        Who is compared with whom, with what weight.
    prognosis : DataFrame or Series, optional
        Outcomes, earlier or others, or one fitted score, with the study's index: adds prognostic
        scores, fitted on the comparison units only; see `prognostic_scores`. The outcomes are
        used here alone and kept nowhere.
    thresholds : mapping of str to float, optional
        Changes to `tfeval.impact.balance.tables.THRESHOLDS`.
    squares : bool, default False
        Also compare the square of each covariate of more than two values.
    denominator : {"treated", "comparison", "pooled"}, optional
        Whose unadjusted standard deviation differences are divided by. By default of the treated
        for the ATT, of the comparison units for the ATC, else the root mean square of both.

    Returns
    -------
    Balance

    Raises
    ------
    ParameterError
        If a threshold or denominator is unknown.
    DataError
        If the prognosis does not fit the study.

    Notes
    -----
    Means before carry the sampling weights, after the design's weights, which hold them.
    Differences are standardised for shares too, by sqrt(p (1 - p)). Every level of a category is
    compared, the reference level included. Where the chosen standard deviation is zero, that of
    all units stands in, as in cobalt. A covariate with missing values is compared among the
    units that have it, and its missing-value indicator by itself. In samples of a few hundred,
    Kolmogorov-Smirnov distances above 0.1 come about by chance.

    References
    ----------
    Rubin (2001), Using propensity scores to help design observational studies, Health Services
    and Outcomes Research Methodology 2: 169-188. Stuart (2010), Matching methods for causal
    inference, Statistical Science 25(1): 1-21. Definitions as in Greifer, cobalt 4.5 (R).

    Examples
    --------
    >>> from tfeval.impact.design.design import Design
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 1, 0, 0, 0], "age": [20.0, 30, 20, 30, 70]})
    >>> made = study(frame, covariates=["age"])
    >>> weights = np.array([1.0, 1, 1, 1, 0])
    >>> fate = np.array([0, 0, 0, 0, 1], dtype="int8")
    >>> found = balance(Design(made, "By hand", "ATT", weights, fate, {}, target=weights))
    >>> found.to_frame()[["covariate", "smd_before", "smd_after"]].round(2)
      covariate  smd_before  smd_after
    0       age       -2.12        0.0
    >>> found.verdict().word
    'balanced'
    """
    chosen = DENOMINATORS[design.estimand] if denominator is None else denominator
    if chosen not in ("treated", "comparison", "pooled"):
        raise ParameterError(
            f'denominator is "treated", "comparison" or "pooled", not {denominator!r}.'
        )
    limits = checked(thresholds)
    rows = rows_that_count(design.study)
    scores = {} if prognosis is None else prognostic_scores(design.study, prognosis)
    scores = {name: each if rows is None else each[rows] for name, each in scores.items()}
    design = in_sample(design)
    study = design.study
    kept = {"treated": design.kept(True), "comparison": design.kept(False)}
    return Balance(
        frame=balance_frame(design, chosen, scores, squares),
        design=design.title,
        estimand=design.estimand,
        denominator=chosen,
        thresholds=limits,
        ess_share={arm: design.ess[arm] / count for arm, count in kept.items()},
        dropped=_dropped(design),
        simulated=study.simulated,
    )


def _dropped(design: Compared) -> float:
    # Overlap weights choose their own population: nobody in it is left out.
    treated, sampling = design.study.treated, design.study.sampling
    about = {"ATT": treated, "ATC": ~treated, "ATE": np.ones_like(treated)}.get(design.estimand)
    if about is None:
        return 0.0
    return float(sampling[about & (design.weights == 0)].sum() / sampling[about].sum())
