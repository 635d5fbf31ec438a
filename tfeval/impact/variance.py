"""Standard errors from influences: by unit, by cluster, by two clusterings, by matched set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.errors import DataError


@dataclass(frozen=True, eq=False)
class Spread:
    """How estimates vary together.

    Attributes
    ----------
    covariance : ndarray, shape (estimates, estimates)
    freedom : float
        Degrees of freedom of t; infinite for the normal.
    clusters : int or None
        How many, where errors are by cluster; the fewer of two.
    """

    covariance: np.ndarray
    freedom: float = np.inf
    clusters: int | None = None


def robust(psi: np.ndarray, units: int, parameters: int) -> Spread:
    """Return heteroskedasticity-robust covariance (HC1).

    Parameters
    ----------
    psi : ndarray, shape (n, estimates)
        Influences; 0 for units without a part.
    units : int
        Units with weight.
    parameters : int
        Coefficients estimated.

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29: HC1.

    Examples
    --------
    >>> psi = np.array([[0.5], [-0.5], [0.0]])
    >>> robust(psi, units=2, parameters=0).covariance
    array([[0.5]])
    """
    return Spread(psi.T @ psi * (units / max(units - parameters, 1)))


def sums_by(psi: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return sums of influences by cluster, shape (clusters, estimates); codes below 0 are out."""
    inside = codes >= 0
    count = int(codes.max(initial=-1)) + 1
    if inside.all():
        return np.column_stack([np.bincount(codes, column, count) for column in psi.T])
    return np.column_stack([np.bincount(codes[inside], column[inside], count) for column in psi.T])


def clustered(
    psi: np.ndarray, codes: np.ndarray, units: int, parameters: int, *, part: np.ndarray
) -> Spread:
    """Return covariance that lets the units of a cluster be alike.

    Parameters
    ----------
    psi : ndarray, shape (n, estimates)
    codes : ndarray of int, shape (n,)
        Cluster of each unit.
    units, parameters : int
        As in `robust`.
    part : ndarray of bool, shape (n,)
        Who has weight; clusters are counted among them.

    Raises
    ------
    DataError
        If there is one cluster only.

    Notes
    -----
    With the factor G/(G - 1) times (n - 1)/(n - k), and t with G - 1 degrees of freedom.

    References
    ----------
    Liang and Zeger (1986), Biometrika 73; Cameron and Miller (2015), A practitioner's guide to
    cluster-robust inference, Journal of Human Resources 50, sections II.C and VI.
    """
    present = np.unique(codes[part & (codes >= 0)])
    count = len(present)
    if count < 2:
        raise DataError(
            "There is one cluster only, so nothing says how clusters vary. Cluster by something "
            "with more groups, such as the family or the matched pair."
        )
    sums = sums_by(psi, codes)
    factor = count / (count - 1) * (units - 1) / max(units - parameters, 1)
    return Spread(sums.T @ sums * factor, freedom=count - 1, clusters=count)


def two_way(
    psi: np.ndarray,
    codes: tuple[np.ndarray, np.ndarray],
    units: int,
    parameters: int,
    *,
    part: np.ndarray,
) -> Spread:
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
    width = int(second.max()) + 2
    # A unit in no set of a clustering is a cluster of its own there.
    joint = np.unique(first * width + second, return_inverse=True)[1]
    one = clustered(psi, first, units, parameters, part=part)
    other = clustered(psi, second, units, parameters, part=part)
    both = clustered(psi, joint, units, parameters, part=part)
    total = one.covariance + other.covariance - both.covariance
    fewer = min(one.clusters or 0, other.clusters or 0)
    return Spread(_without_negatives(total), freedom=fewer - 1, clusters=fewer)


def _without_negatives(matrix: np.ndarray) -> np.ndarray:
    if len(matrix) == 1:
        return np.maximum(matrix, 0.0)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] >= 0:
        return matrix
    fixed = (vectors * np.maximum(values, 0)) @ vectors.T
    return fixed * np.outer(scale, scale)
