"""What enters an event study, and what it finds: coefficients by period, their summary, trends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc, stdtr, stdtrit

from tfeval.display.names import SIMULATED, WINDOWS
from tfeval.display.rich import Tabled
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.words import decimals, label_of, number, p_words, with_interval
from tfeval.impact.panel.panel import Panel
from tfeval.impact.panel.two_way import Cells, Errors, Fit

if TYPE_CHECKING:
    from tfeval.display.figures import Chart


@dataclass(frozen=True, eq=False)
class Prepared:
    """What of a panel enters the regression."""

    cells: Cells
    units: np.ndarray  # int: their rows in the panel
    times: np.ndarray  # int: periods with any value, ascending; the base is one of them
    dose: np.ndarray  # (units,)
    scale: float  # a coefficient times this is for one unit of the dose
    codes: np.ndarray | None  # (units,) int: clusters from 0

    @property
    def dated(self) -> np.ndarray:
        """Return the periods but the base."""
        return np.delete(self.times, self.cells.base)

    def residual_dose(self) -> np.ndarray:
        """Return what is left of the dose, given a constant and the covariates."""
        rows, weights = self.cells.regressors[:, :-1], self.cells.weights
        root = np.sqrt(weights)
        fit = np.linalg.lstsq(rows * root[:, None], self.dose * root, rcond=None)[0]
        return self.dose - rows @ fit


def detrended(values: np.ndarray, times: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Take each unit's own slope over some periods off; a unit without one is missing."""
    own = values[:, before]
    seen = np.isfinite(own)
    count = seen.sum(axis=1, keepdims=True)
    dates = np.where(seen, times[before].astype(float), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(seen, dates - dates.sum(axis=1, keepdims=True) / count, 0.0)
        slope = (apart * np.where(seen, own, 0.0)).sum(axis=1) / (apart**2).sum(axis=1)
    return values - slope[:, None] * (times - times[before][-1])


def columns_of(
    panel: Panel, dosing: str, by_time: Iterable[str], weighting: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dose, covariates and weights of all units, missing as NaN."""
    count = len(panel.units)
    dose = panel.numbers(dosing)
    weights = np.ones(count) if weighting is None else panel.numbers(weighting)
    if (weights < 0).any():
        raise DataError(f"{int((weights < 0).sum())} units have a negative {weighting}.")
    parts = [np.empty((count, 0))]
    for name in by_time:
        column = panel.fixed[name] if name in panel.fixed else pd.Series(panel.column(name))
        if pd.api.types.is_numeric_dtype(column):
            parts.append(panel.numbers(name)[:, None])
        else:
            codes, levels = pd.factorize(column, sort=True)
            dummies = (codes[:, None] == np.arange(1, len(levels))).astype(float)
            dummies[codes < 0] = np.nan
            parts.append(dummies)
    return dose, np.concatenate(parts, axis=1), weights


def regressors_of(
    name: str, dose: np.ndarray, covariates: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return a constant, the covariates that say something new, and the dose, on one scale."""
    root, regressors = np.sqrt(weights), [np.ones(len(dose))]
    basis = root[:, None] / np.linalg.norm(root)
    for place, column in enumerate((*covariates.T, dose)):
        centred = column - np.average(column, weights=weights)
        size = np.linalg.norm(root * centred)
        left = root * centred
        for _ in range(2):  # twice: the second takes off what rounding left
            left = left - basis @ (basis.T @ left)
        # Against the column itself, so that a constant far from nought is seen as one.
        if np.linalg.norm(left) > 1e-8 * max(size, 1e-6 * np.linalg.norm(root * column)):
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
            regressors.append(centred * (np.sqrt(weights.sum()) / size))
        elif place == covariates.shape[1]:
            raise DataError(
                f"The dose {name} is the same for all {len(dose)} units, or follows from "
                "the covariates by period: nothing is left to compare."
            )
    size = np.linalg.norm(root * (dose - np.average(dose, weights=weights)))
    return np.column_stack(regressors), float(np.sqrt(weights.sum()) / size)


# What an event study finds: coefficients by period, their summary, and what bears on it.

#: Errors of a trend that 80% power at a 5% test asks for.
DETECTABLE = 2.8
_FIELDS = ("estimate", "std_error", "freedom", "conf_low", "conf_high", "p_value")


@dataclass(frozen=True)
class JointTest:
    """The joint test that all coefficients before are nought."""

    statistic: float  # F
    restrictions: int  # its first degrees of freedom
    freedom: float  # its second
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


@dataclass(frozen=True, eq=False, repr=False)
class EventEstimates(Tabled):
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
    slope_before: float
    units: int
    clusters: int
    cells: int
    missing_cells: int
    left_out: int
    binary: bool
    treated: int
    level: float
    simulated: bool
    _prepared: Prepared
    _errors: Errors
    _labels: pd.Index
    _post: np.ndarray
    _before: Callable[[], JointTest]

    @cached_property
    def pre_trend(self) -> JointTest:
        """The joint test that the pre coefficients are all nought, missing if there are none.

        It is HTZ with CR2 errors, whichever errors the intervals have: with CR1 a plain F refuses
        30% to 65% of true noughts where four of 60 units are treated.
        """
        return self._before()

    @cached_property
    def influence(self) -> pd.DataFrame:
        """Each unit's influence on each coefficient: sums by cluster squared are `covariance`."""
        return pd.DataFrame(
            self._errors.influence, index=self._labels, columns=self.covariance.columns
        )

    @property
    def determined(self) -> bool:
        """Whether too few units or clusters determine the summary for it to have an error."""
        return self._errors.unsure(np.isin(self.covariance.columns, self._post))

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

    def table(self) -> Table:
        """Return the coefficients and their summary as a table for readers."""
        digits = decimals(self.std_error)
        share = f"{self.level:.0%}"
        lines = []
        rows: list[Any] = self.coefficients.to_dict("records")
        for row in [*rows, {"time": "Mean after", **vars(self)}]:
            known = row["estimate"], row["conf_low"], row["conf_high"]
            reason = "nought by design" if row.get("window") == "base" else "not estimated"
            lines.append([str(row["time"]), WINDOWS.get(row.get("window", ""), ""),
                          reason if np.isnan(known[2]) else with_interval(*known, digits),
                          "" if np.isnan(row["p_value"]) else p_words(row["p_value"])])  # fmt: skip
        notes = [f"{SIMULATED}."] * self.simulated
        few = self.units < THRESHOLD  # units may be families
        notes.append(f"{safe_count(self.units) if few else self.units} units over "
                     f"{len(self.covariance) + 1} periods, {self.missing_cells:,} cells missing; "
                     f"units left out: {safe_count(self.left_out)}.")  # fmt: skip
        test = self.pre_trend
        if np.isfinite(test.p_value):
            notes.append(f"All coefficients before nought: p {p_words(test.p_value)}.")
        if np.isfinite(self.slope_before):
            seen = number(self.slope_before, digits)
            notes.append(f"A trend before that brings {seen} by the periods averaged would have "
                         "been seen four times in five; a smaller one probably not.")  # fmt: skip
        columns = ["Period", "Window", f"Difference ({share} interval)", "p"]
        heading = f"{label_of(self.outcome, {})}: change since the base period, by the dose"
        return table(pd.DataFrame(lines, columns=columns), heading, notes=notes)

    def plot(self) -> Chart:
        """Return the coefficients with their intervals as a chart."""
        from tfeval.display.interval_charts import period_chart  # noqa: PLC0415

        rows = self.coefficients.dropna(subset="estimate")
        tallies = {}
        for name in ("pre", "post"):
            own = rows[rows["window"] == name]
            apart = int(((own["conf_low"] > 0) | (own["conf_high"] < 0)).sum())
            tallies[name] = f"{apart} of {len(own)}"
        label = label_of(self.outcome, {})
        marked = " (simulated records)" if self.simulated else ""
        return period_chart(
            {label: rows},
            title=f"{label}: change since the base period, by the dose{marked}",
            alt=f"Points with intervals by period, and a line at nought. Intervals leave nought "
            f"out in {tallies['pre']} periods before and in {tallies['post']} averaged after.",
            y_label="By one unit of the dose",
        )  # fmt: skip

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
    if errors.unsure(by) or not error > errors.nothing * np.abs(by).max():
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
    exact: Callable[[], Errors],
    trends: bool,
    **known: Any,
) -> EventEstimates:
    """Return the estimates of a fitted outcome.

    Parameters
    ----------
    errors : Errors
        In the outcome's unit for one unit of the dose.
    level : float
        Of the intervals.
    exact : callable
        Gives the errors of the test before, made when it is asked for.
    trends : bool
        Whether units' own trends were taken off.
    **known
        `outcome`, `windows` (of each period of the panel), `left_out`, `labels`, `simulated`.
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
    seen = prepared.cells.seen
    labels = known["labels"]
    return EventEstimates(
        outcome=known["outcome"],
        coefficients=coefficients,
        covariance=pd.DataFrame(
            np.where(errors.alone[:, None] | errors.alone, np.nan, errors.covariance),
            index=dated,
            columns=dated,
        ),
        **vars(_combined(values, errors, inside["post"] / inside["post"].sum(), level)),
        slope_before=np.nan if trends else _slope_before(prepared, errors, inside),
        units=len(labels),
        clusters=errors.clusters,
        cells=int(np.count_nonzero(seen)),
        missing_cells=int(seen.size - np.count_nonzero(seen)),
        left_out=known["left_out"],
        binary=bool(((prepared.dose == 0) | (prepared.dose == 1)).all()),
        treated=int((prepared.dose > 0).sum()),
        level=level,
        simulated=known["simulated"],
        _prepared=prepared,
        _errors=errors,
        _labels=labels,
        _post=dated[inside["post"]],
        _before=partial(_pre_trend, values, np.eye(len(dated))[tested], exact),
    )


def _pre_trend(values: np.ndarray, by: np.ndarray, exact: Callable[[], Errors]) -> JointTest:
    if not len(by):
        return JointTest(np.nan, 0, np.nan, np.nan)
    statistic, freedom = exact().wald(values, by)
    p = float(fdtrc(len(by), freedom, statistic)) if np.isfinite(statistic) else np.nan
    return JointTest(statistic, len(by), freedom, p)


def _slope_before(prepared: Prepared, errors: Errors, inside: dict[str, np.ndarray]) -> float:
    if not inside["pre"].any():
        return np.nan
    # The least squares slope over the pre coefficients and the base's nought.
    dated, base = prepared.dated, int(prepared.times[prepared.cells.base])
    middle = np.append(dated[inside["pre"]], base).mean()
    apart = np.where(inside["pre"], dated - middle, 0.0)
    by = apart / ((apart**2).sum() + (base - middle) ** 2)
    if errors.unsure(by):
        return np.nan
    error = float(np.sqrt(by @ errors.covariance @ by))
    return DETECTABLE * error * float(dated[inside["post"]].mean() - base)
