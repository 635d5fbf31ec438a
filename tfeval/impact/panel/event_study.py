"""Event studies: outcomes of units over periods by a dose, with two-way fixed effects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.protocol import Contrasts
from tfeval.impact.effects.columns import check_level
from tfeval.impact.inference.rules import FEW_CLUSTERS
from tfeval.impact.inference.wild import Scores, interval, p_value, signs
from tfeval.impact.means.influence import sums_by
from tfeval.impact.panel.event_estimates import (
    EventEstimates,
    Prepared,
    columns_of,
    detrended,
    estimates_of,
    regressors_of,
)
from tfeval.impact.panel.panel import Panel, each_fitted, not_fitted
from tfeval.impact.panel.two_way import Cells, Errors, errors_of, fitted, sums_of

KIND = "event_study"
#: What is estimated: of a dose of 0 or 1, and of any other.
ESTIMANDS = {True: "ATT", False: "dose_slope"}
SMALL_SAMPLES = ("cr2", "cr1")
#: Where a period may stand.
WINDOWS = ("earlier", "pre", "base", "partly", "post", "later")
#: Clusters that a wild bootstrap takes, whose memory grows with their square.
_MOST_CLUSTERS = 5000


class Wild(NamedTuple):
    """The summary by a wild cluster bootstrap: a two-sided p-value and an interval."""

    p_value: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True)
class EventStudy(Rich):
    """A design over time: settings only, so that a plan can hold it. Made by `event_study`."""

    dose: str
    base: int
    post: tuple[int, ...]
    pre: tuple[int, ...] | None = None
    by_time: tuple[str, ...] = ()
    trends: bool = False
    weights: str | None = None
    cluster: str | None = None
    small_sample: str = "cr2"
    level: float = 0.95
    simulated: bool = False

    @property
    def kind(self) -> str:
        """Its key."""
        return KIND

    @property
    def estimand(self) -> str:
        """Of a dose that is not 0 or 1; `contrasts` says ATT where it is."""
        return ESTIMANDS[False]

    @property
    def assumption(self) -> str:
        """What must be true for the slope to be an effect."""
        alike = " alike in the covariates" if self.by_time else ""
        trend = ", but for each unit's own linear trend" if self.trends else ""
        return (
            f"units{alike} with a high dose would have moved, at a low dose, as those with a low "
            f"dose did{trend}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        said = ["If effects differ between units and the dose went where they are larger, the "
                "slope mixes both."]  # fmt: skip
        if self.trends:
            said.append("Each unit's linear trend of the periods before is carried on.")
        return tuple(said)

    def window(self, time: int) -> str:
        """Return which window a period is in."""
        if time == self.base:
            return "base"
        if time in self.post:
            return "post"
        if time < self.base:
            return "pre" if self.pre is None or time in self.pre else "earlier"
        return "partly" if time < max(self.post) else "later"

    def fit(self, panel: Panel, outcome: str) -> EventEstimates:
        """Estimate one outcome.

        Parameters
        ----------
        panel : Panel
            All its periods are in the regression.
        outcome : str

        Returns
        -------
        EventEstimates

        Raises
        ------
        ParameterError
            If the panel lacks a period or column.
        DataError
            If the base or a post period has no value, or the dose follows from the covariates.
        """
        prepared = self.prepared(panel, outcome)
        fit = fitted(prepared.cells)

        def errors(kind: str) -> Errors:
            return errors_of(fit, prepared.codes, kind).scaled(prepared.scale)

        own = errors(self.small_sample)
        return estimates_of(
            prepared, fit, own, level=self.level, trends=self.trends, outcome=outcome,
            exact=(lambda: own) if self.small_sample == "cr2" else partial(errors, "cr2"),
            windows={int(time): self.window(int(time)) for time in panel.times},
            left_out=len(panel.units) - len(prepared.units), labels=panel.units[prepared.units],
            simulated=panel.simulated,
        )  # fmt: skip

    def wild(self, panel: Panel, outcome: str, *, draws: int = 9999, seed: int = 1) -> Wild:
        """Return the summary's p-value and interval by a wild cluster bootstrap.

        Parameters
        ----------
        panel : Panel
        outcome : str
        draws, seed : int
            Of Rademacher signs, residuals restricted to the null; with 12 clusters or fewer all
            signs are used.

        Returns
        -------
        Wild

        Raises
        ------
        DataError
            With fewer than three clusters.
        ParameterError
            With more than 5,000: then errors by cluster hold.

        References
        ----------
        Cameron, Gelbach and Miller (2008), Bootstrap-based improvements for inference with
        clustered errors, Review of Economics and Statistics 90; Roodman, Nielsen, MacKinnon and
        Webb (2019), Fast and wild, Stata Journal 19.
        """
        scores = self._wild_scores(panel, outcome)
        drawn = signs(len(scores.own), draws, np.random.default_rng(seed))
        low, high = interval(scores, self.level, drawn)
        return Wild(p_value(scores, 0.0, drawn), low, high)

    def contrasts(self, outcomes: Panel, months: int | None = None) -> Contrasts:
        """Return the summary of each outcome of a panel, with influences."""
        rows, influence = [], np.zeros((len(outcomes.units), len(outcomes.outcomes)))
        codes = np.arange(len(outcomes.units))
        if self.cluster is not None:
            codes = pd.factorize(outcomes.column(self.cluster))[0]
        fits = each_fitted(partial(self.fit, outcomes), outcomes.outcomes)
        for place, (name, fit) in enumerate(fits):
            if fit is None:
                rows.append(not_fitted(name))
                influence[:, place] = np.nan
                continue
            post = fit.influence[list(self.post)].mean(axis=1)
            # An effect's variance is n/(n - 1) times the sum of squares, of n units or clusters.
            count = len(codes) if self.cluster is None else len(np.unique(codes))
            own = outcomes.units.get_indexer(post.index)
            influence[own, place] = post * np.sqrt((count - 1) / count)
            rows.append(_row(self, name, fit) | self._with_outcome(outcomes, name, own, fit))
            if fit.determined:
                influence[:, place] = np.nan
        clusters = {} if self.cluster is None else {self.cluster: codes}
        return Contrasts(pd.DataFrame(rows), influence, clusters)

    def _with_outcome(
        self, panel: Panel, name: str, units: np.ndarray, fit: EventEstimates
    ) -> dict[str, int]:
        """Return how many units of either arm have the outcome in a period compared."""
        if not fit.binary:
            return {}
        compared = [panel.place[time] for time in (self.base, *self.post)]
        had = (np.nan_to_num(panel.outcome(name)[np.ix_(units, np.array(compared))]) != 0).any(
            axis=1
        )
        treated = panel.numbers(self.dose)[units] == 1
        return {"events_treated": int((had & treated).sum()),
                "events_comparison": int((had & ~treated).sum())}  # fmt: skip

    def diagnostic(self, panel: Panel | None = None) -> pd.DataFrame:
        """Return what bears on the assumption: each outcome's trend before.

        Parameters
        ----------
        panel : Panel
            The design holds no outcomes.

        Returns
        -------
        DataFrame
            outcome, statistic, restrictions, freedom, p_value, slope_before.

        Raises
        ------
        ParameterError
            Without a panel.

        References
        ----------
        Roth (2022), Pretest with caution: event-study estimates after testing for parallel
        trends, American Economic Review: Insights 4.
        """
        if panel is None:
            raise ParameterError("The trend before is the outcomes': call diagnostic(panel).")
        rows = []
        for name in panel.outcomes:
            fit = self.fit(panel, name)
            rows.append({"outcome": name, **vars(fit.pre_trend),
                         "slope_before": fit.slope_before})  # fmt: skip
        return pd.DataFrame(rows)

    def prepared(self, panel: Panel, outcome: str) -> Prepared:
        """Return what of a panel enters the regression."""
        values = panel.outcome(outcome)
        for time in (self.base, *self.post, *(self.pre or ())):
            if time not in panel.place:
                raise ParameterError(f"The panel has no period {time}, which the design names.")
        if self.trends:
            values = detrended(values, panel.times, self._before(panel))
        dose, covariates, weights = columns_of(panel, self.dose, self.by_time, self.weights)
        kept = np.isfinite(dose) & np.isfinite(weights) & (weights > 0)
        kept &= np.isfinite(covariates).all(axis=1)
        seen = np.isfinite(values)
        if not seen.all():
            kept &= seen.sum(axis=1) > 1
        columns = seen[kept].any(axis=0)
        for time in (self.base, *self.post):
            if not columns[panel.place[time]]:
                raise DataError(
                    f"Outcome {outcome} has no value in {time}, which the design compares: name "
                    "other periods."
                )
        rows, scale = regressors_of(self.dose, dose[kept], covariates[kept], weights[kept])
        values = values if columns.all() and kept.all() else values[np.ix_(kept, columns)]
        times = panel.times[columns]
        base = int(np.flatnonzero(times == self.base)[0])
        codes = None
        if self.cluster is not None:
            codes, names = pd.factorize(panel.column(self.cluster)[kept])
            if (codes < 0).any():
                raise DataError(
                    f"{int((codes < 0).sum())} units have no {self.cluster} to be clustered by."
                )
        count = int(kept.sum()) if codes is None else len(names)
        if count < 2:
            raise DataError(f"{count} clusters with outcome {outcome}: nothing says how they vary.")
        cells = Cells(values, rows, weights[kept], base)
        return Prepared(cells, np.flatnonzero(kept), times, dose[kept], scale, codes)

    def _before(self, panel: Panel) -> np.ndarray:
        return np.array([self.window(int(time)) in ("pre", "base") for time in panel.times])

    def _wild_scores(self, panel: Panel, outcome: str) -> Scores:
        prepared = self.prepared(panel, outcome)
        fit = fitted(prepared.cells)
        by = np.isin(prepared.dated, self.post) / len(self.post) * prepared.scale
        lever, scores, products = sums_of(fit, by)
        if prepared.codes is not None:
            scores, products = (sums_by(one, prepared.codes) for one in (scores, products))
        if len(scores) < 3:
            raise DataError("A wild cluster bootstrap needs three clusters or more.")
        if len(scores) > _MOST_CLUSTERS:
            raise ParameterError(
                f"A wild cluster bootstrap is for few clusters, and here are {len(scores)}."
            )
        effect = float(by @ fit.dose)
        own, per_effect = scores @ lever, products @ lever
        total = per_effect.sum()
        back = products @ fit.inverse
        return Scores(
            effect=effect,
            score=own + effect / total * per_effect,
            per_effect=per_effect / total,
            feedback=back @ (scores + effect / total * products).T,
            feedback_per_effect=back @ (products / total).T,
            own=own,
        )


def event_study(
    dose: str,
    *,
    base: int,
    post: Iterable[int],
    pre: Iterable[int] | None = None,
    by_time: Iterable[str] = (),
    trends: bool = False,
    weights: str | None = None,
    cluster: str | None = None,
    small_sample: str = "cr2",
    level: float = 0.95,
) -> EventStudy:
    """Return a design: outcomes over time by a dose, with unit and period effects.

    Parameters
    ----------
    dose : str
        Column fixed by unit: 0 or 1 for treated or not, or any number.
    base : int
        The period left out: all coefficients are changes since then.
    post : iterable of int
        Periods averaged into the summary.
    pre : iterable of int, optional
        Periods whose coefficients are tested; the base may be named. By default all before it.
    by_time : iterable of str
        Columns fixed by unit that have a coefficient of their own in every period; those of text
        become one column for each level but the first.
    trends : bool
        Whether each unit's linear trend of the pre window (base included) is carried on: its own
        least squares slope over those periods is taken off its outcome before the regression. The
        slope is not estimated with the periods after, which an effect would bend. A unit with
        fewer than two values there is left out. Pre coefficients are then free of any slope, so
        the test before has one restriction fewer.
    weights : str, optional
        Column of units' weights.
    cluster : str, optional
        Column of clusters of units; by default each unit is one.
    small_sample : {"cr2", "cr1"}
        CR2 with Satterthwaite's degrees of freedom; or G/(G - 1) (n - 1)/(n - k), with t on G - 1.
        Neither has an error for what one unit or cluster determines alone, such as an effect on
        one treated unit, and CR1 none where fewer than 12 have another dose than the commonest:
        with four it refuses a true nought in 13% of draws. The test before is CR2's with both.
    level : float
        Of the intervals.

    Returns
    -------
    EventStudy
        ``fit(panel, outcome)`` estimates; ``tf.estimate(design, panel)`` gives the summaries of all
        outcomes as effects.

    Raises
    ------
    ParameterError
        If a setting is none of these, or the windows overlap.

    Notes
    -----
    Missing cells are left out and counted, never filled; the regression is exact with them.

    With a dose that every unit has some of, no level of effect is identified, only how outcomes
    differ along the dose, and that under a strong form of parallel trends (Callaway, Goodman-Bacon
    and Sant'Anna 2024, Difference-in-differences with a continuous treatment). `dose_weights` are
    the weights of the slopes at each dose that the regression averages. With one period before,
    one after and a dose of 0 or 1 this is difference in differences.

    CR2 takes independent errors of one variance as the working model: Bell and McCaffrey (2002),
    Bias reduction in standard errors for linear regression with multi-stage samples, Survey
    Methodology 28; Pustejovsky and Tipton (2018), Small-sample methods for cluster-robust variance
    estimation and hypothesis testing in fixed effects models, Journal of Business and Economic
    Statistics 36, who also have the test HTZ that `pre_trend` is.

    Examples
    --------
    >>> from tfeval.impact.panel.panel import Panel
    >>> rng = np.random.default_rng(1)
    >>> dose = rng.uniform(size=60)
    >>> rate = rng.normal(size=(60, 1)) + rng.normal(size=(60, 6)) / 20
    >>> rate[:, 3:] += dose[:, None] * 2
    >>> units = Panel(pd.RangeIndex(60), np.arange(2009, 2015), {"rate": rate},
    ...               pd.DataFrame({"dose": dose}))
    >>> found = event_study("dose", base=2011, post=[2012, 2013, 2014]).fit(units, "rate")
    >>> round(found.estimate, 1), found.conf_low < 2 < found.conf_high
    (2.0, True)
    """
    post = tuple(sorted({int(time) for time in post}))
    pre = None if pre is None else tuple(sorted({int(time) for time in pre} - {int(base)}))
    if not post:
        raise ParameterError("post names no period.")
    if min(post) <= base:
        raise ParameterError("Periods of post come after the base.")
    if pre is not None and any(time > base for time in pre):
        raise ParameterError("Periods of pre come before the base.")
    if small_sample not in SMALL_SAMPLES:
        raise ParameterError(f'small_sample is "cr2" or "cr1", not {small_sample!r}.')
    check_level(level)
    names = (by_time,) if isinstance(by_time, str) else tuple(by_time)
    return EventStudy(
        dose=dose, base=int(base), post=post, pre=pre, by_time=names, trends=bool(trends),
        weights=weights, cluster=cluster, small_sample=small_sample, level=level,
    )  # fmt: skip


def _row(design: EventStudy, name: str, fit: EventEstimates) -> dict[str, object]:
    row: dict[str, object] = {
        "outcome": name, "estimate": fit.estimate, "std_error": fit.std_error,
        "conf_low": fit.conf_low, "conf_high": fit.conf_high, "p_value": fit.p_value,
        "freedom": fit.freedom, "estimand": ESTIMANDS[fit.binary],
        "errors": "cr2" if design.small_sample == "cr2" else "cluster",
        "cluster": design.cluster or "unit", "clusters": float(fit.clusters),
        "term": design.dose, "status": FEW_CLUSTERS if fit.determined else None,
    }  # fmt: skip
    if fit.binary:
        row |= {"n_treated": fit.treated, "n_comparison": fit.units - fit.treated}
    return row
