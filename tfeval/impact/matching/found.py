"""Each method's answer in one shape: sets or pairs, weights, and why others were left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tfeval.impact.design.design import LONE_STRATUM, NONE_LEFT, NOT_NEEDED, OUTSIDE_CALIPER
from tfeval.impact.design.set_weights import weights_from_pairs, weights_from_sets
from tfeval.impact.matching.nearest import (
    Calipers,
    Pairs,
    nearest_pairs,
    nearest_with_replacement,
)
from tfeval.impact.matching.nearest_loops import TOO_FAR
from tfeval.impact.matching.settings import Settings
from tfeval.impact.study.study import Study


@dataclass(frozen=True, eq=False)
class Found:
    """What a method found.

    Attributes
    ----------
    weights : ndarray of float, shape (n,)
        Without sampling weights.
    fate : ndarray of int8, shape (n,)
        Why a unit has no weight, as in `design.FATES`; read only where the weight is 0.
    sets : ndarray of int or None, shape (n,)
    pairs : ndarray of int or None, shape (pairs, 2)
    shares : ndarray of float or None, shape (pairs,)
    """

    weights: np.ndarray
    fate: np.ndarray
    sets: np.ndarray | None = None
    pairs: np.ndarray | None = None
    shares: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What a method works on: the focal arm is the one matches are found for."""

    study: Study
    chosen: Settings
    along: np.ndarray
    eligible: np.ndarray
    calipers: Calipers

    @property
    def focal(self) -> np.ndarray:
        """The treated; for the ATC, the comparison units."""
        return ~self.study.treated if self.chosen.estimand == "ATC" else self.study.treated

    @property
    def family(self) -> np.ndarray | None:
        """Codes of families, where one stands in both arms."""
        codes = self.study.family
        if codes is None:
            return None
        both = np.zeros(codes.max() + 1, dtype=np.int8)
        both[codes[self.study.treated]] |= 1
        both[codes[~self.study.treated]] |= 2
        return codes if (both == 3).any() else None


def find(task: Task) -> Found:
    """Run the method chosen."""
    return _METHODS[task.chosen.method](task)


def _nearest(task: Task) -> Found:
    study, chosen = task.study, task.chosen
    whole = None if task.eligible.all() else task.eligible
    among: dict[str, Any] = {
        "eligible": whole,
        "strata": study.strata,
        "unit": study.unit,
        "family": task.family,
        "calipers": task.calipers,
        "ratio": int(chosen.ratio),
    }
    if chosen.replace:
        found = nearest_with_replacement(task.along, task.focal, ties=chosen.ties, **among)
    else:
        found = nearest_pairs(task.along, task.focal, order=chosen.order, seed=chosen.seed, **among)
    return _from_pairs(task, found)


def _from_pairs(task: Task, found: Pairs) -> Found:
    size = task.study.size
    pairs = np.column_stack([found.rows, found.matches])
    fate = _fate(task)
    fate[found.unmatched] = np.where(found.reasons == TOO_FAR, OUTSIDE_CALIPER, NONE_LEFT)
    lone = _lone(task)
    fate[lone & ~(fate == OUTSIDE_CALIPER)] = LONE_STRATUM
    shares, sets = found.shares, None
    if not task.chosen.replace:
        codes = _run_codes(found.rows)
        shares = 1.0 / np.bincount(codes)[codes]
        sets = np.full(size, -1, dtype=np.int64)
        sets[found.rows] = sets[found.matches] = codes
    weights = weights_from_pairs(found.rows, found.matches, size, shares)
    return Found(weights, fate, sets=sets, pairs=pairs, shares=found.shares)


def _run_codes(rows: np.ndarray) -> np.ndarray:
    """Return codes from 0 of rows, in their order; those of rows that rise are counted along."""
    steps = np.diff(rows)
    if (steps < 0).any():
        return np.unique(rows, return_inverse=True)[1]
    codes = np.zeros(len(rows), dtype=np.int64)
    np.cumsum(steps > 0, out=codes[1:])
    return codes


def _from_sets(task: Task, sets: np.ndarray) -> Found:
    weights = weights_from_sets(sets, task.study.treated, task.chosen.estimand)
    fate = _fate(task)
    fate[task.focal] = NONE_LEFT if task.chosen.method != "full" else OUTSIDE_CALIPER
    fate[_lone(task)] = LONE_STRATUM
    return Found(weights, fate, sets=sets)


def _optimal(task: Task) -> Found:
    from tfeval.impact.matching.optimal import optimal_pairs  # noqa: PLC0415

    inside = np.flatnonzero(task.eligible)
    rows, matches = optimal_pairs(
        task.along[inside],
        task.focal[inside],
        strata=None if task.study.strata is None else task.study.strata[inside],
        ratio=int(task.chosen.ratio),
        caliper=_width(task),
        unit=None if task.study.unit is None else task.study.unit[inside],
    )
    rows, matches = inside[rows], inside[matches]
    lone = np.setdiff1d(np.flatnonzero(task.focal & task.eligible), rows)
    return _from_pairs(task, Pairs(rows, matches, None, lone, np.full(len(lone), TOO_FAR)))


def _full(task: Task) -> Found:
    from tfeval.impact.matching.full import full_sets  # noqa: PLC0415

    return _from_sets(task, _inside(task, partial(full_sets, caliper=_width(task))))


def _subclass(task: Task) -> Found:
    from tfeval.impact.matching.subclass import subclass_sets  # noqa: PLC0415

    chosen = task.chosen
    method = partial(
        subclass_sets, number=chosen.number, estimand=chosen.estimand, fewest=chosen.fewest
    )
    return _from_sets(task, _inside(task, method))


def _coarsened(task: Task) -> Found:
    from tfeval.impact.matching.coarsened import coarsened_sets  # noqa: PLC0415

    chosen = task.chosen
    return _from_sets(
        task, coarsened_sets(task.study, chosen.cutpoints, chosen.grouping, task.eligible)
    )


def _kernel(task: Task) -> Found:
    from tfeval.impact.matching.kernel import kernel_weights  # noqa: PLC0415

    study, chosen = task.study, task.chosen
    inside = np.flatnonzero(task.eligible)
    shape = "uniform" if chosen.method == "radius" else chosen.kernel
    given, codes = kernel_weights(
        task.along[inside],
        study.treated[inside],
        study.sampling[inside],
        strata=None if study.strata is None else study.strata[inside],
        bandwidth=chosen.bandwidth,
        kernel=shape,
    )
    weights, fate = np.zeros(study.size), _fate(task)
    weights[inside], fate[inside] = given, codes
    return Found(weights, fate)


def _mahalanobis(task: Task) -> Found:
    from tfeval.impact.matching.mahalanobis import mahalanobis_found  # noqa: PLC0415

    return _from_pairs(task, mahalanobis_found(task))


def _inside(task: Task, method: Callable[..., np.ndarray]) -> np.ndarray:
    """Run a method that gives sets on the eligible units, and put the sets back in place."""
    inside = np.flatnonzero(task.eligible)
    strata, unit = (
        None if codes is None else codes[inside] for codes in (task.study.strata, task.study.unit)
    )
    sets = np.full(task.study.size, -1, dtype=np.int64)
    sets[inside] = method(task.along[inside], task.study.treated[inside], strata=strata, unit=unit)
    return sets


def _width(task: Task) -> float | None:
    return None if np.isinf(task.calipers.score) else task.calipers.score


def _fate(task: Task) -> np.ndarray:
    return np.where(task.focal, np.int8(NONE_LEFT), np.int8(NOT_NEEDED))


def _lone(task: Task) -> np.ndarray:
    """Return who stands in a stratum without anybody of the other arm."""
    strata, treated = task.study.strata, task.study.treated
    if strata is None:
        return np.zeros(task.study.size, dtype=bool)
    count = int(strata.max()) + 1
    own = np.bincount(strata[treated & task.eligible], minlength=count)
    other = np.bincount(strata[~treated & task.eligible], minlength=count)
    return ((own == 0) | (other == 0))[strata]


_METHODS: dict[str, Callable[[Task], Found]] = {
    "nearest": _nearest,
    "optimal": _optimal,
    "full": _full,
    "subclass": _subclass,
    "coarsened_exact": _coarsened,
    "kernel": _kernel,
    "radius": _kernel,
    "mahalanobis": _mahalanobis,
}
