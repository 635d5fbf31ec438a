"""Bootstrap estimates by counts of clusters: the same numbers as from copied rows, far sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tfeval.impact.design.design import Design
from tfeval.impact.inference.refits import Refits, refits_of
from tfeval.impact.matching.nearest_loops import NOBODY, without_replacement
from tfeval.impact.matching.ordering import first_equal, sorted_arm, standing
from tfeval.impact.means.means import weighted_means
from tfeval.impact.means.outcomes import Outcomes
from tfeval.impact.means.regression import adjusted_means, adjusted_pair
from tfeval.impact.study.compiled import LARGE, for_size, in_parts, one_blas_thread
from tfeval.impact.study.study import Study
from tfeval.impact.weighting.ipw import inverse_propensity

#: Numbers of linear predictors that are held at a time, by each thread.
ROOM = 24_000_000
#: What a design must have been asked for, to be repeated by counts; else rows are copied.
_NEAREST = {"method": "nearest", "replace": False, "ratio": 1, "calipers": {}, "support": None,
            "model": "logit", "folds": 1}  # fmt: skip
_WEIGHTS = {"method": "inverse_propensity", "support": None, "trim": None, "stabilise": False,
            "within": None, "model": "logit"}  # fmt: skip

_ORDERS = ("largest", "smallest", "closest")
#: Weights from a draw's linear predictors and counts of units; all 0 where no pair can be made.
Weigh = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class ByCounts:
    """What is done in each draw.

    Attributes
    ----------
    refits : Refits
    weigh : callable
    outcomes : tuple
        Those known of the same units: their places, who these units are (None for everybody),
        and the values less their level, shape (n, places).
    adjust : bool
        Whether means are adjusted by regression.
    estimand : str
    level : ndarray of float, shape (outcomes,)
    """

    refits: Refits
    weigh: Weigh = field(repr=False)
    outcomes: tuple[tuple[list[int], np.ndarray | None, np.ndarray], ...]
    adjust: bool
    estimand: str
    level: np.ndarray

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
    design : Design
    outcomes : Outcomes
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
