"""Covariance of estimates from influences: by unit, by cluster, by two clusterings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Share of a variance that must be left when what was estimated before is counted.
LEAST = 0.05


@dataclass(frozen=True, eq=False)
class Spread:
    """How estimates vary together.

    Attributes
    ----------
    covariance : ndarray, shape (estimates, estimates)
    freedom : ndarray of float, shape (estimates,)
        Degrees of freedom of t; infinite for the normal.
    clusters : ndarray of float, shape (estimates,)
        How many, where errors are by cluster (the fewer of two); NaN otherwise.
    """

    covariance: np.ndarray
    freedom: np.ndarray
    clusters: np.ndarray


@dataclass(frozen=True, eq=False)
class Through:
    """How estimates hang on coefficients that were estimated before, these in units of their own.

    Attributes
    ----------
    along : ndarray of float, shape (k, estimates)
        Covariance of the estimate, the coefficients known, with their estimating equations.
    moved : ndarray of float, shape (k, estimates)
        By how much a coefficient moves the estimate.
    """

    along: np.ndarray
    moved: np.ndarray

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
    """Influences on some estimates, and who they come from.

    Attributes
    ----------
    psi : ndarray, shape (n, estimates)
    part : ndarray of bool, shape (n, estimates)
        Who has weight in each.
    parameters : ndarray of int, shape (estimates,)
        Coefficients estimated.
    through : Through or None
        What else they hang on, where that does not go by units.
    """

    psi: np.ndarray
    part: np.ndarray
    parameters: np.ndarray
    through: Through | None = None

    @property
    def units(self) -> np.ndarray:
        """Units with weight, by estimate."""
        return self.part.sum(axis=0)


def robust(influence: Influence) -> Spread:
    """Return heteroskedasticity-robust covariance (HC1).

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29: HC1.

    Examples
    --------
    >>> psi = np.array([[0.5], [-0.5], [0.0]])
    >>> robust(Influence(psi, psi != 0, np.array([0]))).covariance
    array([[0.5]])
    """
    scaled = influence.psi * unit_factor(influence)
    count, covariance = scaled.shape[1], scaled.T @ scaled
    if influence.through is not None:
        covariance = influence.through.added_to(covariance)
    return Spread(covariance, np.full(count, np.inf), np.full(count, np.nan))


def sums_by(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return sums by code, shape (codes, columns); units with codes below 0 are left out.

    Examples
    --------
    >>> sums_by(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0])).tolist()
    [[5.0], [2.0]]
    """
    inside = codes >= 0
    count = int(codes.max(initial=-1)) + 1
    if not inside.all():
        values, codes = values[inside], codes[inside]
    return np.column_stack([np.bincount(codes, column, count) for column in values.T])


def clustered(influence: Influence, codes: np.ndarray) -> Spread:
    """Return covariance that lets the units of a cluster be alike.

    Parameters
    ----------
    influence : Influence
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
    sums = sums_by(influence.psi, codes) * cluster_factor(influence, count)
    return Spread(sums.T @ sums, count - 1.0, count)


def unit_factor(influence: Influence) -> np.ndarray:
    """Return HC1's factor on influences, the root of n/(n - k); shape (estimates,)."""
    units = influence.units
    return np.sqrt(units / np.maximum(units - influence.parameters, 1))


def cluster_factor(influence: Influence, count: np.ndarray) -> np.ndarray:
    """Return CR1's factor on sums by cluster, shape (estimates,); `count` as by `clusters_of`."""
    units = influence.units
    few = np.maximum(count - 1, 1)
    return np.sqrt(count / few * (units - 1) / np.maximum(units - influence.parameters, 1))


def clusters_of(part: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return how many clusters have units with weight, by estimate."""
    distinct: dict[bytes, float] = {}
    counts = np.empty(part.shape[1])
    for place in range(part.shape[1]):
        key = np.packbits(part[:, place]).tobytes()
        if key not in distinct:
            distinct[key] = len(np.unique(codes[part[:, place] & (codes >= 0)]))
        counts[place] = distinct[key]
    return counts


def two_way(influence: Influence, codes: Sequence[np.ndarray]) -> Spread:
    """Return covariance that lets units be alike within either of two clusterings.

    Notes
    -----
    The sum of both less that by their intersection; negative directions are set to zero, as
    Cameron, Gelbach and Miller do.

    References
    ----------
    Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering, Journal of
    Business and Economic Statistics 29, equations 2.11 to 2.13.
    """
    first, second = codes
    joint = np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)[1].ravel()
    one, other, both = (clustered(influence, by) for by in (first, second, joint))
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
