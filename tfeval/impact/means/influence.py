"""Mean outcomes of both arms as sums of influences, and how such sums vary together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tfeval.impact.design.design import Design, WeightModel
from tfeval.impact.means.least_squares import Fit, centred, predictions, products
from tfeval.impact.study.study import Study

#: Share of a variance that must be left when what was estimated before is counted.
LEAST = 0.05


@dataclass(frozen=True, eq=False)
class Spread:
    """How estimates vary together."""

    covariance: np.ndarray  # (estimates, estimates)
    freedom: np.ndarray  # (estimates,): degrees of freedom of t; infinite for the normal
    #: (estimates,): how many, where errors are by cluster (the fewer of two); NaN otherwise.
    clusters: np.ndarray


@dataclass(frozen=True, eq=False)
class Through:
    """How estimates hang on coefficients that were estimated before, each in its own unit."""

    #: (k, estimates): covariance of the estimate, the coefficients known, with their estimating
    #: equations.
    along: np.ndarray
    moved: np.ndarray  # (k, estimates): by how much a coefficient moves the estimate

    def less(self, other: Through, own: np.ndarray, its: np.ndarray) -> Through:
        """Return that of `own` times these estimates less `its` times the other ones."""
        return Through(own * self.along - its * other.along, own * self.moved - its * other.moved)

    def added_to(self, covariance: np.ndarray) -> np.ndarray:
        """Return the covariance with what the coefficients' estimation adds or takes off.

        In a small sample more may be taken off than there is: there the coefficients count as
        known.
        """
        before = np.diag(covariance)
        after = before + 2.0 * (self.along * self.moved).sum(axis=0) + (self.moved**2).sum(axis=0)
        counts = after > LEAST * before
        along, moved = self.along * counts, self.moved * counts
        cross = along.T @ moved
        return covariance + cross + cross.T + moved.T @ moved


@dataclass(frozen=True, eq=False)
class Influence:
    """Influences on some estimates, and who they come from."""

    psi: np.ndarray  # (n, estimates)
    part: np.ndarray  # (n, estimates) bool: who has weight in each
    parameters: np.ndarray  # (estimates,) int: coefficients estimated


def sums_by(values: np.ndarray, codes: np.ndarray, least: int = 0) -> np.ndarray:
    """Return sums by code, shape (codes, columns); units with codes below 0 are left out.

    There are as many codes as there are, and at `least` so many.

    Examples
    --------
    >>> sums_by(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0])).tolist()
    [[5.0], [2.0]]
    """
    inside = codes >= 0
    count = max(int(codes.max(initial=-1)) + 1, least)
    if not inside.all():
        values, codes = values[inside], codes[inside]
    return np.column_stack([np.bincount(codes, column, count) for column in values.T])


def clustered(influence: Influence, codes: np.ndarray) -> Spread:
    """Return covariance that lets the units of a cluster be alike.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Cluster of each unit; below 0 for none.

    Notes
    -----
    With the factor G/(G - 1) times (n - 1)/(n - k), and t with G - 1 degrees of freedom.

    References
    ----------
    Liang and Zeger (1986), Biometrika 73; Cameron and Miller (2015), A practitioner's guide to
    cluster-robust inference, Journal of Human Resources 50, sections II.C and VI.
    """
    count = clusters_of(influence.part, codes)
    factor = cluster_factor(influence.part, influence.parameters, count)
    sums = sums_by(influence.psi, codes) * factor
    return Spread(sums.T @ sums, count - 1.0, count)


def unit_factor(part: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return HC1's factor on influences, the root of n/(n - k); shape (estimates,).

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29.
    """
    units = part.sum(axis=0)
    return np.sqrt(units / np.maximum(units - parameters, 1))


def cluster_factor(part: np.ndarray, parameters: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return CR1's factor on sums by cluster, shape (estimates,); `count` as by `clusters_of`."""
    units, few = part.sum(axis=0), np.maximum(count - 1, 1)
    return np.sqrt(count / few * (units - 1) / np.maximum(units - parameters, 1))


def clusters_of(part: np.ndarray, codes: np.ndarray, arm: np.ndarray | None = None) -> np.ndarray:
    """Return how many clusters have units with weight, by estimate.

    Parameters
    ----------
    part : ndarray of bool, shape (n, estimates)
    codes : ndarray of int, shape (n,)
        Below 0 for units in none.
    arm : ndarray of bool, optional, shape (n,)
        Whose units count; by default everybody's.
    """
    distinct: dict[bytes, float] = {}
    counts, inside = np.empty(part.shape[1]), codes >= 0 if arm is None else arm & (codes >= 0)
    for place, own in enumerate(part.T):
        key = np.packbits(own).tobytes()
        if key not in distinct:
            distinct[key] = float(np.count_nonzero(np.bincount(codes[own & inside])))
        counts[place] = distinct[key]
    return counts


def crossed(codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the codes of two clusterings and of their intersection."""
    first, second = codes
    joint = np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)[1].ravel()
    return first, second, joint


def two_way(influence: Influence, codes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Spread:
    """Return covariance that lets units be alike within either of two clusterings.

    Parameters
    ----------
    codes : tuple of ndarray of int, shapes (n,)
        As from `crossed`.

    Notes
    -----
    The sum of both less that by their intersection; negative directions are set to zero, as
    Cameron, Gelbach and Miller do.

    References
    ----------
    Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering, Journal of
    Business and Economic Statistics 29, equations 2.11 to 2.13.
    """
    one, other, both = (clustered(influence, by) for by in codes)
    total = one.covariance + other.covariance - both.covariance
    fewer = np.minimum(one.clusters, other.clusters)
    return Spread(_without_negatives(total), fewer - 1.0, fewer)


def _without_negatives(matrix: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] >= 0:
        return matrix
    fixed = (vectors * np.maximum(values, 0)) @ vectors.T
    return fixed * np.outer(scale, scale)


def joint_normal(covariance: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of a joint normal about 0, shape (draws, k); the covariance may be singular.

    Parameters
    ----------
    covariance : ndarray, shape (k, k)

    Examples
    --------
    >>> joint_normal(np.ones((2, 2)), 3, np.random.default_rng(1)).std(axis=1).round(6).tolist()
    [0.0, 0.0, 0.0]
    """
    values, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    return along_axes(axes, np.sqrt(np.maximum(values, 0.0)), draws, rng)


def along_axes(
    axes: np.ndarray, spread: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return joint normal draws about 0 that are independent along some axes, shape (draws, k).

    They are made by the symmetric root: noise is drawn as the estimates stand and turned to the
    axes and back. The axes' signs, and their directions where spreads are alike, hang on rounding,
    and so would draws that were made along them.

    Parameters
    ----------
    axes : ndarray, shape (k, k)
        Columns are the axes.
    spread : ndarray, shape (k,) or (draws, k)
        Standard deviations along them.
    """
    return (rng.standard_normal((draws, len(axes))) @ axes * spread) @ axes.T


# Mean outcomes under each arm, with each unit's influence on them.


@dataclass(frozen=True, eq=False)
class Sample:
    """What an estimator works on: one design, some outcomes, and who of it counts."""

    study: Study
    #: weights, target: (n,): of the design; 0 where an outcome is missing or a unit is not in the
    #: population.
    weights: np.ndarray
    target: np.ndarray
    values: np.ndarray  # (n, outcomes): known where `weights` or `target` is above 0; less `level`
    sampling: np.ndarray  # (n,)
    folds: np.ndarray | None = None  # (n,) int
    #: Where errors are to count that the weights were estimated.
    models: tuple[WeightModel, ...] = ()
    known: np.ndarray | None = None  # (n,) bool: whose outcomes are known; None for everybody's
    names: tuple[str, ...] = ()  # of the outcomes, for errors

    def arm(self, treated: bool) -> np.ndarray:
        """Return rows of one arm that have weight."""
        arm = self.study.treated if treated else ~self.study.treated
        return np.flatnonzero(arm & (self.weights > 0))

    def is_target(self, rows: np.ndarray) -> bool:
        """Say whether an arm's rows, as weighted, are the population that the estimand is about."""
        own, target = self.weights[rows], self.target[rows]
        if not (target > 0).all() or len(rows) != np.count_nonzero(self.target > 0):
            return False
        return bool(np.allclose(own / own.sum(), target / target.sum(), rtol=1e-12, atol=0.0))


@dataclass(frozen=True, eq=False)
class Part:
    """What some units add to a mean: the sum of lever times residual."""

    rows: np.ndarray  # (rows,) int: units of a weighted regression
    weights: np.ndarray  # (rows,): in the regression
    lever: np.ndarray  # (rows,) or (rows, outcomes): what a residual of 1 adds
    residual: np.ndarray  # (rows, outcomes)
    #: (k, k): of the regression's weighted cross-product; None for a mean.
    inverse: np.ndarray | None = None
    #: Gives the regressors, shape (rows, k); None for a mean.
    regressors: Callable[[], np.ndarray] | None = None
    of_target: bool = False  # whether it is how predictions vary with the target's covariates

    def fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the regressors and the inverse, those of a mean too."""
        if self.regressors is None or self.inverse is None:
            return np.ones((len(self.rows), 1)), np.array([[1.0 / self.weights.sum()]])
        return self.regressors(), self.inverse

    @cached_property
    def leverage(self) -> np.ndarray:
        """Each unit's own part in its fitted value, shape (rows,)."""
        if self.regressors is None:
            return self.weights / self.weights.sum()
        z, inverse = self.fit()
        return self.weights * np.einsum("ij,jk,ik->i", z, inverse, z)


@dataclass(frozen=True, eq=False)
class Means:
    """Mean outcomes with and without the programme."""

    #: treated, comparison: (outcomes,): less the sample's level; NaN where they cannot be
    #: estimated.
    treated: np.ndarray
    comparison: np.ndarray
    #: psi_treated, psi_comparison: (n, outcomes): influence of each unit.
    psi_treated: np.ndarray
    psi_comparison: np.ndarray
    parameters: int  # coefficients of the regression behind it, for small-sample factors
    #: What makes up the treated's mean and the comparison's, where small-sample errors need it.
    parts: tuple[tuple[Part, ...], tuple[Part, ...]] = ((), ())
    #: aliased, crowded: (2, k) bool: covariates left out of the treated's and of the comparison's
    #: regression, since they repeat others or do not vary there; and since there are too few units.
    aliased: np.ndarray | None = None
    crowded: np.ndarray | None = None
    #: How the treated's and the comparison units' means hang on what was estimated before, where
    #: their influences do not say it.
    through: tuple[Through, Through] | None = None


class Tally:
    """Gathers the influences on one arm's mean."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.psi = np.zeros((sample.study.size, sample.values.shape[1]))

    def through_weights(self, rows: np.ndarray, slopes: np.ndarray) -> None:
        """Add what comes through the weights: `slopes` is the mean's derivative by weight."""
        self.psi[rows] += self.sample.weights[rows, None] * slopes
        for model in self.sample.models:
            if np.any(model.slope[rows]):
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


def weighted_means(sample: Sample) -> Means:
    """Return weighted means of both arms (Hájek).

    Notes
    -----
    Their difference is the coefficient of the treatment in a weighted regression on it alone.
    """
    return both_means(arm_mean(sample, True), arm_mean(sample, False), parameters=2)


@dataclass(frozen=True, eq=False)
class Side:
    """One arm's mean."""

    mean: np.ndarray  # (outcomes,)
    psi: np.ndarray  # (n, outcomes): influence of each unit
    parts: tuple[Part, ...]  # what makes it up
    fits: tuple[Fit, ...] = ()  # regressions behind it: none, one, or one a fold


def arm_mean(sample: Sample, treated: bool) -> Side:
    """Return one arm's weighted mean."""
    rows, tally = sample.arm(treated), Tally(sample)
    weights = sample.weights[rows]
    share = weights / weights.sum()
    mean = share @ sample.values[rows]
    residual = sample.values[rows] - mean
    tally.through_weights(rows, residual / weights.sum())
    return Side(mean, tally.psi, (Part(rows, weights, share, residual),))


def both_means(treated: Side, comparison: Side, parameters: int) -> Means:
    """Return both arms' means, with what either's regressions left out."""
    count = max((len(fit.aliased) for fit in (*treated.fits, *comparison.fits)), default=0)
    aliased, crowded = (
        np.array([
            np.any([getattr(fit, what) for fit in side.fits] or [[False] * count], axis=0)
            for side in (treated, comparison)
        ])
        for what in ("aliased", "crowded")
    )  # fmt: skip
    return Means(
        treated.mean, comparison.mean, treated.psi, comparison.psi, parameters,
        parts=(treated.parts, comparison.parts), aliased=aliased, crowded=crowded,
    )  # fmt: skip


def of_design(
    design: Design,
    values: np.ndarray,
    known: np.ndarray,
    *,
    stacked: bool,
    within: np.ndarray | None = None,
    names: tuple[str, ...] = (),
    level: np.ndarray | None = None,
) -> Sample:
    """Return the sample of a design for some outcomes.

    Parameters
    ----------
    values : ndarray of float, shape (n, outcomes)
    known : ndarray of bool, shape (n,)
        Whose outcomes are known.
    stacked : bool
        Whether errors count that the weights were estimated.
    within : ndarray of float, optional, shape (n,)
        Multiplies the weights: the part each unit plays in a population.
    names : tuple of str, optional
        Of the outcomes.
    level : ndarray of float, optional, shape (outcomes,)
        Taken off the values.
    """
    if level is not None and level.any():
        values = values - level
    part = known.astype(float) if within is None else known * within
    return Sample(
        study=design.study,
        weights=design.weights * part,
        target=design.target * part,
        values=np.where(known[:, None], values, 0.0) if not known.all() else values,
        sampling=design.study.sampling,
        folds=design.folds,
        models=tuple(_scaled(one, part) for one in design.weight_models) if stacked else (),
        known=None if known.all() else known,
        names=names,
    )


def _scaled(model: WeightModel, part: np.ndarray) -> WeightModel:
    return model if (part == 1).all() else replace(model, slope=model.slope * part)
