"""The logistic regression again for many draws of clusters, without a copy of any row.

A cluster drawn c times counts c times. Draws are worked on several at once, so that a block of
covariates is read from memory once for all of them; each starts at the fit of all units and takes
Newton's steps with the information that its clusters have there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.impact.propensity.logit import fit_logit
from tfeval.impact.propensity.newton import step_size
from tfeval.impact.study.aliased import aliased
from tfeval.impact.study.rows import Reader, reader, steps, thinned
from tfeval.impact.study.study import Study

#: A refit is done where the next step would be this small (in standard deviations); the first,
#: from sums by cluster, is about 1e-2, the second 1e-4 and the third 1e-6.
TOLERANCE = 1e-7
#: Passes over the units after which a draw is left to the fit from scratch.
PASSES = 20
#: Clusters times squared covariates up to which each cluster's own information is kept.
MOST = 4_000_000
#: Rows read at a time: few enough that a block of all draws stays in the cache.
ROWS = 2048


@dataclass(frozen=True, eq=False)
class Refits:
    """What all draws share.

    Attributes
    ----------
    study : Study
    codes : ndarray of int, shape (n,)
        Cluster of each unit.
    rows : Reader
    start : ndarray, shape (k,)
        Coefficients of the fit of all units, of the covariates as `rows` reads them.
    linear, score : ndarray, shape (n,)
        Linear predictor and probability there.
    gradient : ndarray or None, shape (clusters, k)
        Residuals times x there, by cluster; None where there are many.
    information : ndarray, shape (clusters, k, k) or (k, k)
        There, by cluster; or in sum, where there are many clusters.
    """

    study: Study
    codes: np.ndarray
    rows: Reader
    start: np.ndarray
    linear: np.ndarray
    score: np.ndarray
    gradient: np.ndarray | None
    information: np.ndarray

    def information_of(self, counts: np.ndarray) -> np.ndarray:
        """Return each draw's information, shape (draws, k, k)."""
        if self.information.ndim == 2:
            return np.tile(self.information, (len(counts), 1, 1))
        return np.tensordot(counts, self.information, 1)

    def moved(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Refit some draws.

        Parameters
        ----------
        counts : ndarray of int, shape (draws, clusters)
            How often each cluster was drawn.

        Returns
        -------
        moved : ndarray of float32, shape (draws, n)
            By how much the linear predictor differs from that of all units; small, so single
            precision keeps it to about 1e-9.
        reached : ndarray of bool, shape (draws,)
            Whether the draw's equations hold there.
        """
        information = self.information_of(counts)
        going = np.array([not aliased(one).any() for one in information])
        information[~going] = np.eye(len(self.start))
        held = np.empty((len(counts), self.study.size), dtype=np.float32)
        shift = np.zeros((len(counts), len(self.start)))
        last, done = np.full(len(counts), np.inf), np.zeros(len(counts), dtype=bool)
        known = self.gradient is not None
        gradient = counts @ self.gradient if known else self._pass(shift, held, counts)
        for _ in range(PASSES):
            step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
            size = self._sizes(step, shift)
            going &= size < last
            shift[going] += step[going]
            # A step shrinks as much as the one before did, at least: so far is the next known.
            with np.errstate(divide="ignore", invalid="ignore"):
                shrunk = np.where(np.isfinite(last), size / last, 1.0)
            done |= going & (shrunk * size < TOLERANCE)
            going &= ~done
            if not going.any():
                break
            last = size
            gradient = self._pass(shift, held, counts)
        self._pass(shift, held)
        return held, done

    def _sizes(self, step: np.ndarray, shift: np.ndarray) -> np.ndarray:
        found = self.start + shift
        return np.array([step_size(*one, self.rows.scale) for one in zip(step, found, strict=True)])

    def _pass(
        self, shift: np.ndarray, held: np.ndarray, counts: np.ndarray | None = None
    ) -> np.ndarray:
        """Fill `held`; with counts, return the summed residuals times x too, by draw."""
        gradient, room, study = np.zeros(shift.shape), self.rows.room(), self.study
        shift = shift.astype(np.float32)
        single = None if counts is None else counts.astype(np.float32)
        one = np.float32(1.0)
        for block in steps(0, study.size, ROWS):
            x = self.rows.read(block.start, block.stop, room).astype(np.float32)
            moved = np.dot(shift, x)
            held[:, block] = moved
            if single is None:
                continue
            # With e the exponential of the move, a probability p becomes p e / (1 + p (e - 1)).
            score = self.score[block].astype(np.float32)
            residual = np.exp(moved, out=moved)
            under = residual - one
            under *= score
            under += one
            residual *= score
            residual /= under
            np.subtract(study.treated[block], residual, out=residual)
            residual *= np.take(single, self.codes[block], axis=1)
            if study.weight is not None:
                residual *= study.weight[block].astype(np.float32)
            gradient += np.dot(residual, x.T)
        return gradient


def refits_of(study: Study, codes: np.ndarray) -> Refits | None:
    """Fit all units, and return what the refits of draws share; None where a column is redundant.

    Parameters
    ----------
    study : Study
    codes : ndarray of int, shape (n,)
        Clusters from 0.

    Raises
    ------
    DataError
        If covariates tell the arms apart.
    """
    fit = fit_logit(study.covariates, study.treated, study.weight)
    if fit.redundant:
        return None
    rows = reader(study.covariates)
    start = fit.coefficients.copy()
    start[0] += rows.shift @ start[1:]
    curvature = fit.score * (1.0 - fit.score) * study.sampling
    few = (int(codes.max()) + 1) * len(start) ** 2 <= MOST
    groups = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]) if (
        few) else [slice(None)]  # fmt: skip
    sums = [_sums(rows, group, fit.residual, curvature) for group in groups]
    gradient = np.stack([first for first, _ in sums]) if few else None
    information = np.stack([second for _, second in sums]) if few else sums[0][1]
    return Refits(study, codes, rows, start, fit.linear, fit.score, gradient, information)


def _sums(
    rows: Reader, group: np.ndarray | slice, residual: np.ndarray, curvature: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the summed residual times x, and curvature times x x', of some units."""
    part = Reader(thinned(rows.covariates, group), rows.shift, rows.scale)
    residual, curvature, room = residual[group], curvature[group], rows.room()
    gradient, products = np.zeros(len(rows.scale)), np.zeros((len(rows.scale), len(rows.scale)))
    for block in steps(0, part.size):
        x = part.read(block.start, block.stop, room)
        gradient += x @ residual[block]
        products += (x * curvature[block]) @ x.T
    return gradient, products
