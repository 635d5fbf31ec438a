"""Mean outcomes under each arm, with each unit's influence on them.

Every estimator here gives, for each arm and outcome, the mean mu and one number a unit, psi, that
says how mu moves with that unit. Errors of any kind are sums of psi: by unit, by cluster, by
matched set. References: Huber (1967); Tsiatis (2006), Semiparametric theory and missing data,
chapter 3; for weighted least squares White (1980), Econometrica 48.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.design.design import Design, WeightModel
from tfeval.impact.means.linear_outcomes import centred, predictions, products
from tfeval.impact.means.variance import Through
from tfeval.impact.study.study import Study

_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Sample:
    """What an estimator works on: one design, some outcomes, and who of it counts.

    Attributes
    ----------
    study : Study
    weights, target : ndarray of float, shape (n,)
        Of the design; 0 where an outcome is missing or a unit is not in the population.
    values : ndarray of float, shape (n, outcomes)
        Known where `weights` or `target` is above 0.
    sampling : ndarray of float, shape (n,)
    folds : ndarray of int or None, shape (n,)
    model : WeightModel or None
        Where errors are to count that the weights were estimated.
    known : ndarray of bool or None, shape (n,)
        Whose outcomes are known; None for everybody's.
    names : tuple of str
        Of the outcomes, for errors.
    """

    study: Study
    weights: np.ndarray
    target: np.ndarray
    values: np.ndarray
    sampling: np.ndarray
    folds: np.ndarray | None = None
    model: WeightModel | None = None
    known: np.ndarray | None = None
    names: tuple[str, ...] = ()

    def arm(self, treated: bool) -> np.ndarray:
        """Return rows of one arm that have weight."""
        arm = self.study.treated if treated else ~self.study.treated
        return np.flatnonzero(arm & (self.weights > 0))


@dataclass(frozen=True, eq=False)
class Means:
    """Mean outcomes with and without the programme.

    Attributes
    ----------
    treated, comparison : ndarray of float, shape (outcomes,)
    psi_treated, psi_comparison : ndarray of float, shape (n, outcomes)
        Influence of each unit.
    parameters : int
        Coefficients of the regression behind it, for small-sample factors.
    through : tuple of Through or None
        How the treated's and the comparison units' means hang on what was estimated before,
        where their influences do not say it.
    """

    treated: np.ndarray
    comparison: np.ndarray
    psi_treated: np.ndarray
    psi_comparison: np.ndarray
    parameters: int
    through: tuple[Through, Through] | None = None


class Tally:
    """Gathers the influences on one arm's mean."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.psi = np.zeros((sample.study.size, sample.values.shape[1]))

    def through_weights(self, rows: np.ndarray, slopes: np.ndarray) -> None:
        """Add what comes through the weights: `slopes` is the mean's derivative by weight."""
        self.psi[rows] += self.sample.weights[rows, None] * slopes
        model = self.sample.model
        if model is not None and np.any(model.slope[rows]):
            self._through_model(model, rows, slopes)

    def beside_weights(self, rows: np.ndarray, influence: np.ndarray) -> None:
        """Add influence that has nothing to do with the weights."""
        self.psi[rows] += influence

    def _through_model(self, model: WeightModel, rows: np.ndarray, slopes: np.ndarray) -> None:
        # Stacked estimating equations (Lunceford and Davidian 2004, Statistics in Medicine 23):
        # a unit moves the weights' parameters, and these move the mean.
        study, moves = self.sample.study, np.zeros(self.psi.shape)
        moves[rows] = model.slope[rows, None] * slopes

        none = np.zeros(study.covariates.count)
        read = centred(study.covariates, none if model.centre is None else model.centre)
        held = slice(0 if model.intercept else 1, None)
        moved = np.zeros((1 + len(none), self.psi.shape[1]))
        moved[held] = np.linalg.solve(model.information, products(read, moves)[held])
        self.psi += model.residual[:, None] * predictions(read, moved)


def blocks(size: int) -> Iterator[slice]:
    """Yield slices that cover `size` rows."""
    for start in range(0, size, _ROWS):
        yield slice(start, min(start + _ROWS, size))


def weighted_means(sample: Sample) -> Means:
    """Return weighted means of both arms (Hájek).

    Notes
    -----
    Their difference is the coefficient of the treatment in a weighted regression on it alone.
    """
    found = []
    for treated in (True, False):
        rows = sample.arm(treated)
        share = sample.weights[rows] / sample.weights[rows].sum()
        mean = share @ sample.values[rows]
        tally = Tally(sample)
        slopes = (sample.values[rows] - mean) / sample.weights[rows].sum()
        tally.through_weights(rows, slopes)
        found.append((mean, tally.psi))
    (first, psi_first), (second, psi_second) = found
    return Means(first, second, psi_first, psi_second, parameters=2)


def of_design(
    design: Design,
    values: np.ndarray,
    known: np.ndarray,
    *,
    stacked: bool,
    within: np.ndarray | None = None,
    names: tuple[str, ...] = (),
) -> Sample:
    """Return the sample of a design for some outcomes.

    Parameters
    ----------
    design : Design
    values : ndarray of float, shape (n, outcomes)
    known : ndarray of bool, shape (n,)
        Whose outcomes are known.
    stacked : bool
        Whether errors count that the weights were estimated.
    within : ndarray of float, optional, shape (n,)
        Multiplies the weights: the part each unit plays in a population.
    names : tuple of str, optional
        Of the outcomes.
    """
    part = known.astype(float) if within is None else known * within
    return Sample(
        study=design.study,
        weights=design.weights * part,
        target=design.target * part,
        values=np.where(known[:, None], values, 0.0) if not known.all() else values,
        sampling=design.study.sampling,
        folds=design.folds,
        model=_scaled(design.weight_model, part) if stacked else None,
        known=None if known.all() else known,
        names=names,
    )


def _scaled(model: WeightModel | None, part: np.ndarray) -> WeightModel | None:
    if model is None or (part == 1).all():
        return model
    return replace(model, slope=model.slope * part)
