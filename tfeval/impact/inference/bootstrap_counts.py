"""Bootstrap estimates by counts of clusters: the same numbers as from copied rows, far sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tfeval.impact.design.design import Design
from tfeval.impact.matching.nearest_loops import NOBODY, without_replacement
from tfeval.impact.matching.ordering import first_equal, sorted_arm, standing
from tfeval.impact.means.influence import weighted_means
from tfeval.impact.means.methods import adjusted_means, adjusted_pair
from tfeval.impact.means.outcomes import Outcomes
from tfeval.impact.propensity.logit import fit_logit
from tfeval.impact.propensity.newton import step_size
from tfeval.impact.study.blocks import Reader, reader, steps, thinned
from tfeval.impact.study.covariates import LARGE, for_size, in_parts, one_blas_thread
from tfeval.impact.study.numbers import aliased
from tfeval.impact.study.study import Study
from tfeval.impact.weighting.weights import inverse_propensity

# The logistic regression again for many draws of clusters, without a copy of any row.
# A cluster drawn c times counts c times. Draws are worked on several at once, so that a block of
# covariates is read from memory once for all of them; each starts at the fit of all units and takes
# Newton's steps with the information that its clusters have there.

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
    """What all draws share."""

    study: Study
    codes: np.ndarray  # (n,) int: cluster of each unit
    rows: Reader
    #: (k,): coefficients of the fit of all units, of the covariates as `rows` reads them.
    start: np.ndarray
    #: linear, score: (n,): linear predictor and probability there.
    linear: np.ndarray
    score: np.ndarray
    #: (clusters, k): residuals times x there, by cluster; None where there are many.
    gradient: np.ndarray | None
    #: (clusters, k, k) or (k, k): there, by cluster; or in sum, where there are many clusters.
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


#: Numbers of linear predictors that are held at a time, by each thread.
ROOM = 24_000_000
#: What a design must have been asked for, to be repeated by counts; else rows are copied.
_NEAREST = {"method": "nearest", "replace": False, "ratio": 1, "calipers": {}, "support": None,
            "model": "logit", "folds": 1}  # fmt: skip
_WEIGHTS = {"method": "inverse_propensity", "support": None, "trim": None, "stabilise": False,
            "within": None, "model": "logit"}  # fmt: skip
#: Weights from a draw's linear predictors and counts of units; all 0 where no pair can be made.
Weigh = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class ByCounts:
    """What is done in each draw."""

    refits: Refits
    weigh: Weigh = field(repr=False)
    #: Those known of the same units: their places, who these units are (None for everybody), and
    #: the values less their level, shape (n, places).
    outcomes: tuple[tuple[list[int], np.ndarray | None, np.ndarray], ...]
    adjust: bool  # whether means are adjusted by regression
    estimand: str
    level: np.ndarray  # (outcomes,)

    def means(self, counts: np.ndarray) -> Iterator[np.ndarray | None]:
        """Yield for each draw both arms' means, shape (2, outcomes); None where none was found.

        Parameters
        ----------
        counts : ndarray of int, shape (draws, clusters)
        """
        size = self.refits.study.size
        several = int(np.clip(ROOM // size, 1, 64))
        parts = [(counts[at : at + several],) for at in range(0, len(counts), several)]
        with one_blas_thread(size >= LARGE):
            for found in in_parts(self._some, parts, threads=size >= LARGE):
                yield from found

    def _some(self, counts: np.ndarray) -> list[np.ndarray | None]:
        moved, reached = self.refits.moved(counts)
        found: list[np.ndarray | None] = []
        for draw, fits in enumerate(reached):
            drawn = counts[draw][self.refits.codes]
            weights = self.weigh(self.refits.linear + moved[draw], drawn) if fits else None
            found.append(None if weights is None else self._pair(weights, drawn))
        return found

    def _pair(self, weights: np.ndarray, drawn: np.ndarray) -> np.ndarray | None:
        study = self.refits.study
        pair = np.empty((2, sum(len(places) for places, *_ in self.outcomes)))
        for places, known, values in self.outcomes:
            own = weights if known is None else weights * known
            if not (own[study.treated].any() and own[~study.treated].any()):
                return None
            if self.adjust:
                target = _target(study, own, drawn, self.estimand)
                pair[:, places] = adjusted_pair(study, own, target, values)
            else:
                pair[:, places] = [_mean(study.treated, own, values),
                                   _mean(~study.treated, own, values)]  # fmt: skip
        return pair + self.level


def by_counts(
    design: Design, outcomes: Outcomes, method: Callable[..., Any], codes: np.ndarray
) -> ByCounts | None:
    """Return what repeats a design and its estimates by counts of clusters.

    Parameters
    ----------
    method : callable
        From a sample to means, as `estimate` chooses it.
    codes : ndarray of int, shape (n,)
        Clusters.

    Returns
    -------
    ByCounts or None
        None for what only copies of rows can repeat: anything but pairs of nearest neighbours
        without replacement or inverse propensity weights, on a logistic regression, with the
        difference of means or its linear regression adjustment.
    """
    adjust = getattr(method, "func", None) is adjusted_means
    if not adjust and method is not weighted_means:
        return None
    weigh = _pairs(design) or _odds(design)
    refits = None if weigh is None else refits_of(design.study, codes)
    if weigh is None or refits is None:
        return None
    level = outcomes.level_of(list(range(len(outcomes.names))))
    groups = []
    for places, known in outcomes.by_missing():
        values = outcomes.values[:, places] - level[places]
        whole = bool(known.all())
        own = values if whole else np.where(known[:, None], values, 0.0)
        groups.append((places, None if whole else known, own))
    return ByCounts(refits, weigh, tuple(groups), adjust, design.estimand, level)


def _pairs(design: Design) -> Weigh | None:
    study, asked = design.study, design.settings
    if any(asked.get(name, name) != value for name, value in _NEAREST.items()):
        return None
    shared = (
        study.family is not None
        and np.intersect1d(study.family[study.treated], study.family[~study.treated]).size
    )
    if (
        study.strata is not None
        or shared
        or asked["order"] not in ("largest", "smallest", "closest")
    ):
        return None
    focal = ~study.treated if design.estimand == "ATC" else study.treated
    return partial(_matched, study, focal, asked)


def _matched(
    study: Study, focal: np.ndarray, asked: Any, linear: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """Return how many copies of each unit are matched, times its sampling weight."""
    score = linear if asked["distance"] == "linear" else 1.0 / (1.0 + np.exp(-linear))
    width = np.inf if asked["caliper"] is None else float(asked["caliper"])
    if np.isfinite(width) and asked["caliper_unit"] == "sd":
        width *= _spread(score, drawn, study.treated, asked["caliper_spread"])
    copies = matched_copies(score, focal, drawn, width, asked["order"])
    return copies * study.weight if study.weight is not None else copies


def matched_copies(
    score: np.ndarray, focal: np.ndarray, drawn: np.ndarray, width: float, order: str
) -> np.ndarray:
    """Return how many of each unit's copies find a match, 1 to 1 and without replacement.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
    focal : ndarray of bool, shape (n,)
        Whose matches are sought.
    drawn : ndarray of int, shape (n,)
        Copies of each unit.
    width : float
        Caliper, in the score's unit.
    order : {"largest", "smallest", "closest"}

    Examples
    --------
    >>> score, focal = np.array([0.5, 0.4, 0.8]), np.array([True, False, False])
    >>> matched_copies(score, focal, np.array([3, 2, 1]), 0.2, "largest").tolist()
    [2.0, 2.0, 0.0]
    """
    own, other = (sorted_arm(np.flatnonzero(arm & (drawn > 0)), score) for arm in (focal, ~focal))
    copies = np.repeat(np.arange(len(own.rows)), drawn[own.rows])
    turns = np.arange(len(copies))
    capacity = drawn[other.rows].astype(np.int32)
    found = np.full((len(copies), 1), NOBODY, dtype=np.int64)
    none = np.empty(0, dtype=np.int64)
    for_size(without_replacement, len(score))(
        other.scores,
        first_equal(other),
        capacity,
        own.scores[copies],
        *standing(own, other)[:, copies],
        np.ascontiguousarray(turns[::-1]) if order == "largest" else turns,
        order == "closest",
        width,
        np.empty((len(other.rows), 0)),
        np.empty((len(copies), 0)),
        np.empty(0),
        none,
        none,
        found,
    )
    matched = np.zeros(len(score))
    matched[other.rows] = drawn[other.rows] - capacity
    matched[own.rows] = np.bincount(copies[found[:, 0] >= 0], minlength=len(own.rows))
    return matched


def _odds(design: Design) -> Weigh | None:
    asked = design.settings
    plain = all(asked.get(name, name) == value for name, value in _WEIGHTS.items())
    if not plain or asked.get("folds") not in (None, 1):
        return None
    study, estimand = design.study, design.estimand

    def weigh(linear: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        weights = inverse_propensity(linear, study.treated, estimand)[0] * drawn
        return weights if study.weight is None else weights * study.weight

    return weigh


def _target(study: Study, weights: np.ndarray, drawn: np.ndarray, estimand: str) -> np.ndarray:
    """Return the weights of the population that the estimand is about; shape (n,)."""
    if estimand == "ATE":
        return drawn * study.sampling * (weights > 0)
    # The arm that is itself the target: its matched copies, or all of them.
    return weights * (study.treated if estimand == "ATT" else ~study.treated)


def _mean(arm: np.ndarray, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    own = weights * arm
    return own @ values / own.sum()


def _spread(values: np.ndarray, drawn: np.ndarray, treated: np.ndarray, whose: str) -> float:
    """Return the standard deviation over the copies that is a caliper's unit."""
    every = drawn.astype(float)
    arms = {"all": [every], "treated": [every * treated],
            "pooled": [every * treated, every * ~treated]}[whose]  # fmt: skip
    found = []
    for copies in arms:
        total, weighted = copies.sum(), copies * values
        mean = weighted.sum() / total
        found.append((weighted @ values - total * mean**2) / (total - 1))
    return float(np.sqrt(np.mean(found)))
