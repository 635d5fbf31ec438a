"""The weighted regression of outcomes on treatment and covariates, in a few sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.rich import Tabled
from tfeval.display.tables import Table
from tfeval.impact.effects.effects import Effects
from tfeval.impact.means.least_squares import (
    centred,
    cross_products_by_group,
    weighted_centre,
)
from tfeval.impact.sensitivity.tables import (
    benchmarks_table,
    bounds_table,
    sensitivity_table,
)
from tfeval.impact.study.blocks import thinned
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.numbers import aliased, magnitude_of

# Selection on the unobserved relative to the observed: how the estimate moves with covariates.
# Source: Oster (2019), Unobservable selection and coefficient stability: theory and evidence,
# Journal of Business and Economic Statistics 37, proposition 2.

#: Smaller than this share of the sum of its terms, a denominator is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Stability:
    """A regression without covariates beside one with them."""

    #: short, long: the treatment's coefficient without and with covariates.
    short: float
    long: float
    #: r2_short, r2_long, r2_most: of the two, and of one that has the unobserved too.
    r2_short: float
    r2_long: float
    r2_most: float
    variance: float  # of the treatment
    residual: float  # of what covariates leave of the treatment
    outcome_variance: float

    @property
    def _terms(self) -> tuple[float, float, float, float, float]:
        moved = self.short - self.long
        gained = (self.r2_long - self.r2_short) * self.outcome_variance
        left = (self.r2_most - self.r2_long) * self.outcome_variance
        return moved, gained, left, self.variance, self.residual


def polynomial(stability: Stability) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients a and b, highest first: the bias v solves a(v) = delta b(v).

    Notes
    -----
    The cubic of proposition 2, sorted by delta. v is the long coefficient less the true one.
    """
    moved, gained, left, variance, residual = stability._terms
    third = residual * (variance - residual)
    second = residual * variance * moved
    own = np.array([third, 2 * second, gained * residual + variance * residual * moved**2, 0.0])
    times = np.array([third, second, left * (variance - residual), left * moved * variance])
    return own, times


def delta_for(stability: Stability, beta: float = 0.0) -> float:
    """Return how strong selection on the unobserved must be for the true effect to be `beta`.

    Returns
    -------
    float
        Relative to selection on the observed; negative where it must go the other way. NaN where
        no strength would do it.

    Examples
    --------
    Weight and fuel use of R's 32 cars, given power and acceleration, with a highest R2 of 0.9:

    >>> cars = Stability(-5.34447, -4.35880, 0.752833, 0.834768, 0.9, 0.957379, 0.378344, 36.3241)
    >>> round(delta_for(cars), 2)
    1.15
    """
    bias = stability.long - beta
    powers = bias ** np.arange(3, -1, -1)
    own, times = polynomial(stability)
    over, under = own * powers, times * powers
    if not abs(under.sum()) > _ROUNDING * np.abs(under).sum():
        return float("nan")
    return float(over.sum() / under.sum())


def beta_at(stability: Stability, delta: float = 1.0) -> float:
    """Return the effect adjusted for the unobserved, at a strength of selection on it.

    Parameters
    ----------
    delta : float, default 1
        As strong as selection on the observed. Above 0.

    Returns
    -------
    float
        NaN where no real solution has the right sign.

    Notes
    -----
    Of the real roots those are kept whose bias lies on the side to which dropping the covariates
    moved the estimate (assumption 3 says so for a delta above 0: the bias is the unobserved's
    covariance with the treatment over what is left of the treatment's variance). With delta 1
    there is exactly one; otherwise the nearest to the estimate is taken.
    """
    own, times = polynomial(stability)
    moved = stability.short - stability.long
    coefficients = own - delta * times
    # In units of the movement, so that no coefficient is small for its unit alone.
    if moved == 0:
        return stability.long
    coefficients = coefficients * moved ** np.arange(3, -1, -1)
    largest = np.abs(coefficients).max()
    if not largest > 0:
        return float("nan")
    coefficients[np.abs(coefficients) < _ROUNDING**2 * largest] = 0.0
    roots = np.roots(coefficients / largest)
    real = roots.real[np.abs(roots.imag) <= 1e-8 * np.maximum(np.abs(roots), 1e-300)]
    fits = real[real >= 0]
    return float(stability.long - moved * fits.min()) if len(fits) else float("nan")


# How sensitive effects are to what was not measured, for computing and for readers.


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Tabled):
    """How strong something unmeasured would have to be to change each effect.

    Made by `sensitivity`. Wherever a number is missing, the row's column `..._reason` says why.

    Attributes
    ----------
    frame : DataFrame
        One row an effect. `outcome` to `errors` and `estimate` to `conf_high` are the effect's;
        `binary`, whether the outcome is 0 or 1;
        `risk_ratio` with `_low` and `_high`, `e_value`, `e_value_interval`;
        `pairs`, `pairs_differing`, `gamma_limit` (the gamma at which the greatest p-value passes
        1 less the effects' level);
        `robustness_value`, `robustness_value_interval`, `partial_r2`, `r2`,
        `regression_estimate`, `regression_std_error`, `regression_dof`;
        `benchmark` (the covariate whose like would take most off), `benchmark_estimate`,
        `benchmark_low`, `benchmark_high`;
        `oster_delta`, `oster_beta` (at a delta of 1), `oster_r_max`, `oster_short` and `oster_long`
        (the treatment's coefficient without and with covariates);
        `e_value_reason`, `gamma_reason`, `robustness_reason`, `benchmark_reason`,
        `oster_reason`.
    bounds : DataFrame
        One row an effect and gamma: `row` (the effect's, from 0), `gamma`, `p_low`, `p_high`
        (two-sided).
    benchmarks : DataFrame
        One row an effect, covariate and number of times: `row`, `covariate`, `times`,
        `r2_treatment`, `r2_outcome`, `estimate`, `std_error`, `conf_low`, `conf_high`, `reason`.
    effects : Effects
        What it is about.
    settings : mapping
        `r_max`, `gamma`, `times`.
    notes : tuple of str
        What each number means, in plain words.
    """

    frame: pd.DataFrame
    bounds: pd.DataFrame
    benchmarks: pd.DataFrame
    effects: Effects
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row an effect: exact, for computing."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return one row an effect as a table for readers, small numbers hidden."""
        return sensitivity_table(self.frame, self.effects, self.notes)

    def bounds_table(self) -> Table:
        """Return the bounds on p-values of matched pairs, as a table for readers."""
        return bounds_table(self.bounds, self.effects)

    def benchmarks_table(self) -> Table:
        """Return the effects had the unmeasured been like each covariate, for readers."""
        return benchmarks_table(self.benchmarks, self.effects)


#: What is left of a variance is rounding below this share of it.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Strength:
    """Partial R2 of a covariate's columns with the treatment and with the outcome."""

    r2_treatment: float
    r2_outcome: float


@dataclass(frozen=True)
class Regression:
    """One outcome's regression on treatment and covariates, weighted."""

    #: units, covariates: rows with weight, and covariate columns that say something of their own.
    units: int
    covariates: int
    dof: int  # residual degrees of freedom
    #: estimate, std_error: of the treatment; the error for equal variances and independent units.
    estimate: float
    std_error: float
    partial_r2: float  # of the treatment with the outcome, given the covariates
    #: short, r2_short: coefficient and R2 without covariates.
    short: float
    r2_short: float
    r2: float  # with covariates
    #: variance, residual, outcome_variance: of the treatment, of what covariates leave of it, and
    #: of the outcome.
    variance: float
    residual: float
    outcome_variance: float
    #: Of each covariate of the frame; None where it says nothing that the others do not.
    strengths: Mapping[str, Strength | None] = field(default_factory=dict)


def regressions(
    covariates: Covariates,
    treated: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    benchmarks: tuple[str, ...],
) -> list[Regression | str]:
    """Return the regression of each outcome, or why there is none.

    Parameters
    ----------
    treated : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
        Rows without weight do not count.
    values : ndarray of float, shape (n, outcomes)
        Known wherever a row has weight.
    benchmarks : tuple of str
        Columns of the frame, each with all the numbers it was made into.
    """
    rows = np.flatnonzero(weights > 0)
    x, share = thinned(covariates, rows), weights[rows] / weights[rows].sum()
    arm, y = treated[rows].astype(float), values[rows]
    largest = np.abs(y).max(axis=0, initial=0.0)
    y = y - share @ y
    same = np.sqrt(share @ y**2) <= 1e-13 * largest
    both = np.column_stack([arm - share @ arm, y])
    centre = weighted_centre(x, share)
    zero = np.zeros(len(rows), dtype=np.int64)
    gram, right = cross_products_by_group(centred(x, centre), share, both, zero, 1)
    own = both.T @ (both * share[:, None])
    sources = tuple(one.source for one in x.columns)
    magnitude = magnitude_of(gram[0], centre)
    sums = Sums(gram[0], right[0], own, magnitude, sources, len(rows))
    return [
        "the outcome does not vary" if same[place] else sums.regression(place + 1, benchmarks)
        for place in range(y.shape[1])
    ]


@dataclass(frozen=True, eq=False)
class Sums:
    """Cross-products of the covariates, and with and of (treatment, outcomes); all centred."""

    gram: np.ndarray  # (1 + k, 1 + k)
    right: np.ndarray  # (1 + k, 1 + outcomes)
    own: np.ndarray  # (1 + outcomes, 1 + outcomes)
    magnitude: np.ndarray  # (k,): the covariates' mean squares about 0
    sources: tuple[str, ...]  # (k,): column of the frame that each comes from
    units: int

    @cached_property
    def kept(self) -> np.ndarray:
        """Columns that are no combination of the intercept and those before, shape (k,)."""
        return ~aliased(self.gram, self.magnitude)

    @cached_property
    def _without(self) -> dict[str, np.ndarray]:
        return {}

    def without(self, name: str) -> np.ndarray:
        """Return which columns of the other covariates say something of their own, shape (k,).

        Which of the others stay is decided without this one, so that order does not matter.
        """
        if name not in self._without:
            others = np.array([source != name for source in self.sources])
            at = np.r_[0, 1 + np.flatnonzero(others)]
            columns = np.zeros(len(others), dtype=bool)
            columns[others] = ~aliased(self.gram[np.ix_(at, at)], self.magnitude[others])
            self._without[name] = columns
        return self._without[name]

    def left(self, columns: np.ndarray, place: int) -> np.ndarray:
        """Return what some columns leave of (treatment, an outcome): cross-products, (2, 2)."""
        at = np.r_[0, 1 + np.flatnonzero(columns)]
        inner, both = self.gram[np.ix_(at, at)], [0, place]
        scale = np.sqrt(np.diagonal(inner))
        sides = self.right[np.ix_(at, both)] / scale[:, None]
        fitted = sides.T @ np.linalg.solve(inner / np.outer(scale, scale), sides)
        return self.own[np.ix_(both, both)] - fitted

    def regression(self, place: int, benchmarks: tuple[str, ...]) -> Regression | str:
        """Return the regression of the outcome in one column of `own`, or why there is none."""
        none = np.zeros(len(self.kept), dtype=bool)
        (before, joint), (_, total) = self.left(none, place)
        whole = self.left(self.kept, place)
        (residual, shared), (_, rest) = whole
        count = int(np.count_nonzero(self.kept))
        dof = self.units - count - 2
        if dof < 2:
            return "too few units for the covariates"
        if residual <= ROUNDING * before:
            return "the covariates tell who was treated"
        unexplained = rest - shared**2 / residual
        if unexplained <= ROUNDING * total:
            return "treatment and covariates explain the outcome wholly"
        return Regression(
            units=self.units, covariates=count, dof=dof, estimate=shared / residual,
            std_error=float(np.sqrt(unexplained / dof / residual)),
            partial_r2=shared**2 / (residual * rest), short=joint / before,
            r2_short=joint**2 / (before * total), r2=1 - unexplained / total, variance=before,
            residual=residual, outcome_variance=total,
            strengths={name: self.strength(name, place, whole) for name in benchmarks},
        )  # fmt: skip

    def strength(self, name: str, place: int, whole: np.ndarray) -> Strength | None:
        """Return how much the columns of a covariate explain that the others do not.

        `whole` is what all columns leave of (treatment, the outcome), as from `left`.
        """
        columns = self.without(name)
        if np.count_nonzero(columns) >= np.count_nonzero(self.kept):
            return None
        (less, shared_less), (_, rest_less) = self.left(columns, place)
        (residual, shared), (_, rest) = whole
        without = rest_less - shared_less**2 / less
        explained = 1 - (rest - shared**2 / residual) / without
        return Strength(float(max(1 - residual / less, 0.0)), float(max(explained, 0.0)))
