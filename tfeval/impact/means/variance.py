"""Covariance of estimates from influences: by unit, by cluster, by two clusterings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
