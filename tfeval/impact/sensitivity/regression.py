"""The weighted regression of outcomes on treatment and covariates, in a few sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tfeval.impact.means.linear_outcomes import (
    centred,
    cross_products_by_group,
    weighted_centre,
)
from tfeval.impact.study.aliased import aliased, magnitude_of
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.rows import thinned

#: What is left of a variance is rounding below this share of it.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Strength:
    """Partial R2 of a covariate's columns with the treatment and with the outcome."""

    r2_treatment: float
    r2_outcome: float


@dataclass(frozen=True)
class Regression:
    """One outcome's regression on treatment and covariates, weighted.

    Attributes
    ----------
    units, covariates : int
        Rows with weight, and covariate columns that say something of their own.
    dof : int
        Residual degrees of freedom.
    estimate, std_error : float
        Of the treatment; the error for equal variances and independent units.
    partial_r2 : float
        Of the treatment with the outcome, given the covariates.
    short, r2_short : float
        Coefficient and R2 without covariates.
    r2 : float
        With covariates.
    variance, residual, outcome_variance : float
        Of the treatment, of what covariates leave of it, and of the outcome.
    strengths : mapping of str to Strength or None
        Of each covariate of the frame; None where it says nothing that the others do not.
    """

    units: int
    covariates: int
    dof: int
    estimate: float
    std_error: float
    partial_r2: float
    short: float
    r2_short: float
    r2: float
    variance: float
    residual: float
    outcome_variance: float
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
    covariates : Covariates
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
    """Cross-products of the covariates, and with and of (treatment, outcomes); all centred.

    Attributes
    ----------
    gram : ndarray, shape (1 + k, 1 + k)
    right : ndarray, shape (1 + k, 1 + outcomes)
    own : ndarray, shape (1 + outcomes, 1 + outcomes)
    magnitude : ndarray, shape (k,)
        The covariates' mean squares about 0.
    sources : tuple of str, length k
        Column of the frame that each comes from.
    units : int
    """

    gram: np.ndarray
    right: np.ndarray
    own: np.ndarray
    magnitude: np.ndarray
    sources: tuple[str, ...]
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
