"""Errors that hold where few units or few clusters decide: HC2, HC3, CR2, CR3, and their t.

An estimate is a sum of parts, each a weighted regression's lever times residual. A residual is
smaller than the error it stands for, by as much as its own units pulled the regression; here that
is put back, unit by unit or cluster by cluster, and the degrees of freedom of the estimated
variance are found from its first two moments (Satterthwaite) were errors alike and independent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tfeval.impact.means.means import Part

#: Directions whose error the regression leaves nothing of are left as they are.
NOTHING = 1e-10


@dataclass(frozen=True, eq=False)
class Moments:
    """The matrix P of a variance's quadratic form: diag(own) + factor core factor'.

    Attributes
    ----------
    own : ndarray, shape (clusters,)
    factor : ndarray, shape (clusters, m)
    core : ndarray, shape (m, m)
    """

    own: np.ndarray
    factor: np.ndarray
    core: np.ndarray

    def freedom(self) -> float:
        """Return Satterthwaite's degrees of freedom, the squared trace of P over that of PP.

        References
        ----------
        Bell and McCaffrey (2002), Survey Methodology 28, section 4; Pustejovsky and Tipton
        (2018), Journal of Business and Economic Statistics 36, equation 11.
        """
        inside = self.factor @ self.core
        across = np.einsum("ij,ij->i", inside, self.factor)
        gram = (self.factor.T @ self.factor) @ self.core
        trace = self.own.sum() + across.sum()
        square = (self.own**2).sum() + 2 * (self.own * across).sum() + np.sum(gram * gram.T)
        return float(trace**2 / square) if square > 0 else np.nan


def together(several: Iterable[Moments]) -> Moments:
    """Return the moments of a sum of regressions that share no unit."""
    parts = list(several)
    sizes = [part.core.shape[0] for part in parts]
    core, ends = np.zeros((sum(sizes), sum(sizes))), np.cumsum(sizes)
    for part, size, end in zip(parts, sizes, ends, strict=True):
        core[end - size : end, end - size : end] = part.core
    own = np.sum([part.own for part in parts], axis=0)
    return Moments(own, np.hstack([part.factor for part in parts]), core)


def by_unit(part: Part, kind: str) -> np.ndarray:
    """Return by how much each unit's residual is too small, shape (rows,).

    Parameters
    ----------
    part : Part
    kind : {"hc2", "hc3"}
        One over the root of what is left of a unit's error, or one over it.

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29; Long and Ervin (2000), The American
    Statistician 54.
    """
    left = 1.0 - part.leverage
    left = np.where(left > NOTHING, left, 1.0)
    return 1.0 / (np.sqrt(left) if kind == "hc2" else left)


def unit_moments(part: Part, lever: np.ndarray, scale: np.ndarray) -> Moments:
    """Return the moments of a variance by units; `scale` as from `by_unit`."""
    z, inverse = part.fit()
    pulled = (lever * scale)[:, None]
    return _moments((lever * scale) ** 2, z * pulled, z * part.weights[:, None] * pulled,
                    inverse, z, part.weights)  # fmt: skip


def by_cluster(
    part: Part, lever: np.ndarray, codes: np.ndarray, count: int, kind: str
) -> tuple[np.ndarray, Moments]:
    """Return what each cluster adds to the estimate, its residuals made whole; and the moments.

    Parameters
    ----------
    part : Part
    lever : ndarray, shape (rows,)
        Of one outcome, or of all.
    codes : ndarray of int, shape (rows,)
        Cluster of each of the part's rows.
    count : int
        Clusters.
    kind : {"cr2", "cr3"}
        With the symmetric root of the inverse of what is left of a cluster's errors, were these
        alike and independent; or with the inverse of one less the cluster's own leverage.

    Returns
    -------
    sums : ndarray, shape (clusters, outcomes)
    moments : Moments

    References
    ----------
    Bell and McCaffrey (2002), Survey Methodology 28; with weights and an identity working model:
    Pustejovsky and Tipton (2018), Journal of Business and Economic Statistics 36, equation 7.
    """
    z, inverse = part.fit()
    weights = part.weights
    core = _core(z, weights, inverse)
    sums = np.zeros((count, part.residual.shape[1]))
    pulled = np.zeros(len(weights))
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        own = lever[rows]
        pulled[rows] = _whole(z[rows], weights[rows], inverse, core, own, kind)
        sums[codes[rows[0]]] = pulled[rows] @ part.residual[rows]
    along = _sums(codes, z * pulled[:, None], count)
    weighted = _sums(codes, z * (weights * pulled)[:, None], count)
    squares = np.bincount(codes, pulled**2, count)
    return sums, _moments(squares, along, weighted, inverse, z, weights)


def _whole(  # noqa: PLR0917
    z: np.ndarray, w: np.ndarray, inverse: np.ndarray, core: np.ndarray, own: np.ndarray, kind: str
) -> np.ndarray:
    """Return A' times a cluster's levers, A its adjustment matrix, without forming it."""
    if kind == "cr3":
        # A = (I - Z M Z'W)^-1 and A' = I + W Z (M^-1 - Z'WZ)^-1 Z'.
        left = np.linalg.inv(inverse) - (z * w[:, None]).T @ z
        return own + (z * w[:, None]) @ (np.linalg.pinv(left, rcond=NOTHING) @ (z.T @ own))
    # A = B^-1/2 with B = I + U core U', U = (Z, WZ): identity but in the span of U.
    spanned, upper = np.linalg.qr(np.hstack([z, z * w[:, None]]))
    values, vectors = np.linalg.eigh(upper @ core @ upper.T)
    left = 1.0 + values
    root = np.where(left > NOTHING, 1.0 / np.sqrt(np.maximum(left, NOTHING)), 0.0)
    axes = spanned @ vectors
    return own + axes @ ((root - 1.0) * (axes.T @ own))


def _core(z: np.ndarray, w: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return C with (I - H)(I - H)' = I + U C U', H = Z M Z'W and U = (Z, WZ)."""
    twice = inverse @ ((z * (w**2)[:, None]).T @ z) @ inverse
    return np.block([[twice, -inverse], [-inverse, np.zeros_like(inverse)]])


def _moments(  # noqa: PLR0917
    own: np.ndarray,
    along: np.ndarray,
    weighted: np.ndarray,
    inverse: np.ndarray,
    z: np.ndarray,
    w: np.ndarray,
) -> Moments:
    return Moments(own, np.hstack([along, weighted]), _core(z, w, inverse))


def _sums(codes: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.column_stack([np.bincount(codes, column, count) for column in values.T])
