"""Errors of groups' effects with one variance an arm, for pooling over groups that are small.

A group's own variance is hardly known where few of it were treated, and a weight of one over it is
largest where it came out too small by chance. Here all groups together say how outcomes vary within
an arm of a group; what differs between groups are the units and how they are weighted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.inference.rules import FEWEST_EVENTS_POOLED, FEWEST_POOLED, expected_events
from tfeval.impact.means.estimates import Block, Estimates
from tfeval.impact.means.influence import Part, sums_by

# Errors that hold where few units or few clusters decide: HC2, HC3, CR2, CR3, and their t.
# An estimate is a sum of parts, each a weighted regression's lever times residual. A residual is
# smaller than the error it stands for, by as much as its own units pulled the regression; here that
# is put back, unit by unit or cluster by cluster, and the degrees of freedom of the estimated
# variance are found from its first two moments (Satterthwaite) were errors alike and independent.

#: Directions whose error the regression leaves nothing of are left as they are.
_NO_DIRECTION = 1e-10


@dataclass(frozen=True, eq=False)
class Moments:
    """The matrix P of a variance's quadratic form: diag(own) + factor core factor'."""

    own: np.ndarray  # (clusters,)
    factor: np.ndarray  # (clusters, m)
    core: np.ndarray  # (m, m)

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
    kind : {"hc2", "hc3"}
        One over the root of what is left of a unit's error, or one over it.

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29; Long and Ervin (2000), The American
    Statistician 54.
    """
    left = 1.0 - part.leverage
    left = np.where(left > _NO_DIRECTION, left, 1.0)
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
    along = sums_by(z * pulled[:, None], codes, count)
    weighted = sums_by(z * (weights * pulled)[:, None], codes, count)
    squares = np.bincount(codes, pulled**2, count)
    return sums, _moments(squares, along, weighted, inverse, z, weights)


def _whole(  # noqa: PLR0917
    z: np.ndarray, w: np.ndarray, inverse: np.ndarray, core: np.ndarray, own: np.ndarray, kind: str
) -> np.ndarray:
    """Return A' times a cluster's levers, A its adjustment matrix, without forming it."""
    if kind == "cr3":
        # A = (I - Z M Z'W)^-1 and A' = I + W Z (M^-1 - Z'WZ)^-1 Z'.
        left = np.linalg.inv(inverse) - (z * w[:, None]).T @ z
        return own + (z * w[:, None]) @ (np.linalg.pinv(left, rcond=_NO_DIRECTION) @ (z.T @ own))
    # A = B^-1/2 with B = I + U core U', U = (Z, WZ): identity but in the span of U.
    spanned, upper = np.linalg.qr(np.hstack([z, z * w[:, None]]))
    values, vectors = np.linalg.eigh(upper @ core @ upper.T)
    left = 1.0 + values
    root = np.where(left > _NO_DIRECTION, 1.0 / np.sqrt(np.maximum(left, _NO_DIRECTION)), 0.0)
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


@dataclass(frozen=True, eq=False)
class ForPooling:
    """Effects by group as they enter pooling."""

    estimates: np.ndarray  # (effects,)
    #: (effects, effects): with one variance an arm; 0 between outcomes. NaN for groups that do not
    #: count.
    covariance: np.ndarray

    def some(self, rows: np.ndarray) -> ForPooling:
        """Return those of some effects."""
        return replace(
            self, estimates=self.estimates[rows], covariance=self.covariance[np.ix_(rows, rows)]
        )


@dataclass(frozen=True, eq=False)
class _Sum:
    """A group's lever times residual, of units of one kind."""

    kind: str
    rows: np.ndarray
    lever: np.ndarray
    residual: np.ndarray
    left: float


def for_pooling(estimates: Estimates) -> ForPooling | None:
    """Return what pooling over groups needs; None where there is one group, or parts are not known.

    Notes
    -----
    A group counts with `FEWEST_POOLED` units in each arm, and if `FEWEST_EVENTS_POOLED` of an arm
    would have the rarer values of the outcome were it like all groups together. Weights count as
    known.
    """
    populations = estimates.fact("population")
    if len(set(populations)) < 2 or not all(block.means.parts[0] for block in estimates.blocks):
        return None
    count = len(estimates.rows)
    covariance = np.zeros((count, count))
    units = np.minimum(estimates.fact("n_treated"), estimates.fact("n_comparison"))
    counts = (units >= FEWEST_POOLED) & (expected_events(estimates) >= FEWEST_EVENTS_POOLED)
    sums: dict[int, list[_Sum]] = {}
    for block in estimates.blocks:
        for at, column in enumerate(block.columns):
            sums[int(column)] = _sums(block, at, estimates.treated_arm)
    for outcome in set(estimates.fact("outcome")):
        columns = np.flatnonzero(estimates.fact("outcome") == outcome)
        own = _covariance([sums[int(column)] for column in columns], len(estimates.treated_arm))
        out = ~counts[columns]
        own[out], own[:, out] = np.nan, np.nan
        covariance[np.ix_(columns, columns)] = own
    return ForPooling(estimates.effect, covariance)


def _sums(block: Block, at: int, treated: np.ndarray) -> list[_Sum]:
    """Return a group's parts, those of the same units and levers together."""
    parts: list[tuple[Part, np.ndarray, np.ndarray]] = []
    first, second = block.means.parts
    for sign, side, beside in ((1.0, first, second), (-1.0, second, first)):
        for part in side:
            if any(part is other for other in beside):
                continue  # of both means, so of no difference
            lever = part.lever if part.lever.ndim == 1 else part.lever[:, at]
            residual = sign * part.residual[:, at]
            for place, (other, its, before) in enumerate(parts):
                same = np.array_equal(other.rows, part.rows) and np.allclose(
                    its, lever, rtol=1e-9, atol=0.0
                )
                if same:
                    parts[place] = (other, its, before + residual)
                    break
            else:
                parts.append((part, lever, residual))
    return [
        _Sum(_kind(part, treated), part.rows, lever, residual, float((1 - part.leverage).sum()))
        for part, lever, residual in parts
    ]


def _kind(part: Part, treated: np.ndarray) -> str:
    arm = treated[part.rows]
    return "treated" if arm.all() else "comparison" if not arm.any() else "both"


def _covariance(groups: list[list[_Sum]], size: int) -> np.ndarray:
    from scipy.sparse import csc_array  # noqa: PLC0415

    total = np.zeros((len(groups), len(groups)))
    for kind in ("treated", "comparison", "both"):
        own = [(place, one) for place, group in enumerate(groups) for one in group
               if one.kind == kind]  # fmt: skip
        left = sum(one.left for _, one in own)
        if not left > 0:
            continue
        variance = sum(float(one.residual @ one.residual) for _, one in own) / left
        rows = np.concatenate([one.rows for _, one in own])
        places = np.repeat([place for place, _ in own], [len(one.rows) for _, one in own])
        levers = csc_array(
            (np.concatenate([one.lever for _, one in own]), (rows, places)), (size, len(groups))
        )  # few units count in several groups
        total += variance * (levers.T @ levers).toarray()
    return total
