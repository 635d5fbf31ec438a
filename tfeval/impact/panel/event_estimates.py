"""What an event study finds: coefficients by period, their summary, and what bears on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc, stdtr, stdtrit

from tfeval.errors import ParameterError
from tfeval.impact.panel.prepared import Prepared
from tfeval.impact.panel.two_way import Errors, Fit

#: Errors of a trend that 80% power at a 5% test asks for.
DETECTABLE = 2.8
_FIELDS = ("estimate", "std_error", "freedom", "conf_low", "conf_high", "p_value")


@dataclass(frozen=True)
class PreTrend:
    """The joint test that all coefficients before are nought.

    Attributes
    ----------
    statistic : float
        F.
    restrictions : int
        Its first degrees of freedom.
    freedom : float
        Its second.
    p_value : float
    """

    statistic: float
    restrictions: int
    freedom: float
    p_value: float


@dataclass(frozen=True)
class Combination:
    """A linear combination of the coefficients, with its error and interval."""

    estimate: float
    std_error: float
    freedom: float
    conf_low: float
    conf_high: float
    p_value: float


@dataclass(frozen=True, eq=False)
class EventEstimates:
    """Coefficients of a dose by period, their summary, and what bears on it.

    Attributes
    ----------
    outcome : str
    coefficients : DataFrame
        One row a period: time, window ("earlier", "pre", "base", "partly", "post", "later"),
        estimate, std_error, freedom, conf_low, conf_high, p_value. The base is 0 without an error;
        a period without any value has no estimate.
    covariance : DataFrame
        Over the periods with a coefficient.
    estimate, std_error, freedom, conf_low, conf_high, p_value : float
        Of the summary, the mean of the post coefficients.
    pre_trend : PreTrend
        That the pre coefficients are all nought; missing values if there are none to test.
    slope_before : float
        The smallest linear trend over the pre window that would have been seen in 80% of cases
        (2.8 errors of the slope), carried from the base to the middle of the post window: what the
        summary would be by such a trend alone. Missing with own trends, which leave no slope.
    units, clusters, cells, missing_cells, left_out : int
        Units and cells in the regression, missing cells of those units, and units left out:
        without a dose, covariate or weight, or seen in fewer than two periods.
    binary : bool
        Whether the dose is 0 or 1.
    treated : int
        Units with a dose above 0.
    """

    outcome: str
    coefficients: pd.DataFrame
    covariance: pd.DataFrame
    estimate: float
    std_error: float
    freedom: float
    conf_low: float
    conf_high: float
    p_value: float
    pre_trend: PreTrend
    slope_before: float
    units: int
    clusters: int
    cells: int
    missing_cells: int
    left_out: int
    binary: bool
    treated: int
    level: float
    _prepared: Prepared
    _errors: Errors
    _labels: pd.Index

    @cached_property
    def influence(self) -> pd.DataFrame:
        """Each unit's influence on each coefficient: sums by cluster squared are `covariance`."""
        return pd.DataFrame(
            self._errors.influence, index=self._labels, columns=self.covariance.columns
        )

    @cached_property
    def residual_dose(self) -> pd.Series:
        """By unit, the dose less what a constant and the covariates say of it."""
        rest = self._prepared.residual_dose()
        return pd.Series(rest, index=self._labels, name="residual_dose")

    @cached_property
    def dose_weights(self) -> pd.DataFrame:
        """How the regression weights slopes along the dose.

        Columns dose; `weight`, of the slope between it and the dose below, which add up to 1; and
        `density`, the weight for each unit of dose. With covariates some may be negative. Yitzhaki
        (1996), On using linear regressions in welfare economics, Journal of Business and Economic
        Statistics 14; Callaway, Goodman-Bacon and Sant'Anna (2024).
        """
        prepared = self._prepared
        weighted = prepared.cells.weights * prepared.residual_dose()
        levels, place = np.unique(prepared.dose, return_inverse=True)
        sums = np.bincount(place, weighted, len(levels))
        above = np.cumsum(sums[::-1])[::-1][1:] / (weighted @ prepared.dose)
        return pd.DataFrame(
            {"dose": levels[1:], "weight": above * np.diff(levels), "density": above}
        )

    def combine(self, weights: Mapping[int, float]) -> Combination:
        """Return a linear combination of the coefficients, by period.

        Parameters
        ----------
        weights : mapping of int to float
            By period; the base may be among them.

        Raises
        ------
        ParameterError
            If a period has no coefficient.

        Examples
        --------
        The mean of two periods less that of two before: `estimates.combine({2013: 0.5, 2014: 0.5,
        2010: -0.5, 2011: -0.5})`.
        """
        known = self.coefficients.set_index("time")["estimate"].dropna()
        lacking = [str(time) for time in weights if time not in known.index]
        if lacking:
            raise ParameterError(f"No coefficient in {', '.join(lacking)}.")
        by = np.array([float(weights.get(int(time), 0.0)) for time in self.covariance.columns])
        values = known.reindex(self.covariance.columns).to_numpy()
        return _combined(values, self._errors, by, self.level)


def _combined(values: np.ndarray, errors: Errors, by: np.ndarray, level: float) -> Combination:
    estimate = float(by @ values)
    error = float(np.sqrt(by @ errors.covariance @ by))
    if not error > 0:
        return Combination(estimate, *[np.nan] * 5)
    freedom = errors.freedom(by)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = float(2 * stdtr(freedom, -abs(estimate) / error))
    return Combination(estimate, error, freedom, estimate - reach, estimate + reach, p)


def estimates_of(
    prepared: Prepared,
    fit: Fit,
    errors: Errors,
    *,
    level: float,
    exact: bool,
    trends: bool,
    **known: Any,
) -> EventEstimates:
    """Return the estimates of a fitted outcome.

    Parameters
    ----------
    prepared : Prepared
    fit : Fit
    errors : Errors
        In the outcome's unit for one unit of the dose.
    level : float
        Of the intervals.
    exact : bool
        Whether the test before is HTZ, else a plain F.
    trends : bool
        Whether units' own trends were taken off.
    **known
        `outcome`, `windows` (of each period of the panel), `left_out`, `labels`.
    """
    values, dated, windows = fit.dose * prepared.scale, prepared.dated, known["windows"]
    inside = {
        name: np.array([windows[int(time)] == name for time in dated]) for name in ("pre", "post")
    }
    rows = np.full((len(windows), len(_FIELDS)), np.nan)
    for place, (time, window) in enumerate(windows.items()):
        if window == "base":
            rows[place, 0] = 0.0
        elif time in dated:
            own = (dated == time).astype(float)
            rows[place] = tuple(vars(_combined(values, errors, own, level)).values())
    coefficients = pd.DataFrame(rows, columns=list(_FIELDS))
    coefficients.insert(0, "time", list(windows))
    coefficients.insert(1, "window", list(windows.values()))
    tested = np.flatnonzero(inside["pre"])[int(trends) :]  # with trends the first follows
    seen = np.isfinite(prepared.cells.outcome)
    labels = known["labels"]
    return EventEstimates(
        outcome=known["outcome"],
        coefficients=coefficients,
        covariance=pd.DataFrame(errors.covariance, index=dated, columns=dated),
        **vars(_combined(values, errors, inside["post"] / inside["post"].sum(), level)),
        pre_trend=_pre_trend(values, errors, np.eye(len(dated))[tested], exact=exact),
        slope_before=np.nan if trends else _slope_before(prepared, errors, inside),
        units=len(labels),
        clusters=errors.clusters,
        cells=int(seen.sum()),
        missing_cells=int(seen.size - seen.sum()),
        left_out=known["left_out"],
        binary=bool(np.isin(prepared.dose, (0, 1)).all()),
        treated=int((prepared.dose > 0).sum()),
        level=level,
        _prepared=prepared,
        _errors=errors,
        _labels=labels,
    )


def _pre_trend(values: np.ndarray, errors: Errors, by: np.ndarray, *, exact: bool) -> PreTrend:
    if not len(by):
        return PreTrend(np.nan, 0, np.nan, np.nan)
    statistic, freedom = errors.wald(values, by, exact=exact)
    p = float(fdtrc(len(by), freedom, statistic)) if np.isfinite(statistic) else np.nan
    return PreTrend(statistic, len(by), freedom, p)


def _slope_before(prepared: Prepared, errors: Errors, inside: dict[str, np.ndarray]) -> float:
    if not inside["pre"].any():
        return np.nan
    # The least squares slope over the pre coefficients and the base's nought.
    dated, base = prepared.dated, int(prepared.times[prepared.cells.base])
    middle = np.append(dated[inside["pre"]], base).mean()
    apart = np.where(inside["pre"], dated - middle, 0.0)
    by = apart / ((apart**2).sum() + (base - middle) ** 2)
    error = float(np.sqrt(by @ errors.covariance @ by))
    return DETECTABLE * error * float(dated[inside["post"]].mean() - base)
