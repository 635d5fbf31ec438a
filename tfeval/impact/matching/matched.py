"""Each method's answer in one shape: sets or pairs, weights, and why others were left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.balance.rows import weights_from_pairs, weights_from_sets
from tfeval.impact.design.design import LONE_STRATUM, NONE_LEFT, NOT_NEEDED, OUTSIDE_CALIPER
from tfeval.impact.matching.boxes import arms_of, nearest_places, rows_of
from tfeval.impact.matching.nearest import (
    Calipers,
    Pairs,
    nearest_pairs,
    nearest_with_replacement,
)
from tfeval.impact.matching.nearest_loops import TOO_FAR
from tfeval.impact.matching.optimal import full_sets, optimal_pairs
from tfeval.impact.matching.ordering import matching_order, sorted_arm
from tfeval.impact.matching.settings import Settings
from tfeval.impact.study.checks import known_names
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.study import Study

# Coordinates in which Mahalanobis distance is the ordinary one.

#: Directions with less than this share of the largest variance are left out. All covariates have
#: the same spread by then, so no unit has a say.
FLAT = 1e-9
#: A covariate varies if its standard deviation is more than this share of its own size.
STILL = 1e-12


def whitened(
    x: np.ndarray,
    treated: np.ndarray,
    covariance: str = "pooled",
    sampling: np.ndarray | None = None,
) -> np.ndarray:
    """Return coordinates whose ordinary distance is the Mahalanobis distance of `x`.

    Parameters
    ----------
    x : ndarray of float, shape (n, k)
        Covariates.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    covariance : {"pooled", "treated", "all"}
        Within both arms about their own means, as MatchIt; of the treated; or of everybody.
    sampling : ndarray of float, optional, shape (n,)
        Sampling weights.

    Returns
    -------
    ndarray of float, shape (n, at most k)
        The units and zeros of the covariates change nothing. Fewer than k where some do not vary;
        linear combinations of others add no distance of their own.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0], [1.0, -3.0]])
    >>> z = whitened(x, np.array([True, True, False, False]))
    >>> float(((z[0] - z[1]) ** 2).sum().round(6))
    4.0
    """
    if covariance not in ("pooled", "treated", "all"):
        raise ParameterError(f'covariance is "pooled", "treated" or "all", not {covariance!r}.')
    groups = {"pooled": [treated, ~treated], "treated": [treated],
              "all": [np.ones(len(x), dtype=bool)]}[covariance]  # fmt: skip
    inside = groups[0] | groups[-1]
    still = STILL * np.abs(x[inside]).max(axis=0, initial=0.0)
    # About the lowest value, so that a covariate far from 0 keeps its digits.
    x = x - x[inside].min(axis=0, initial=np.inf)
    centred = x.copy()
    weights = np.ones(len(x)) if sampling is None else sampling
    for group in groups:
        centred[group] -= weights[group] @ x[group] / weights[group].sum()
    centred, weights = centred[inside], weights[inside]
    if (weights == weights[0]).all():
        spread = centred.T @ centred / max(len(centred) - len(groups), 1)
    else:
        share = weights / weights.sum()
        spread = (centred * share[:, None]).T @ centred / (1.0 - share @ share)
    kept = np.sqrt(np.diag(spread)) > still
    if not kept.any():
        raise ParameterError("Mahalanobis distance: no covariate varies within the arms.")
    return x[:, kept] @ _root_of_inverse(spread[np.ix_(kept, kept)])


def _root_of_inverse(spread: np.ndarray) -> np.ndarray:
    """Return the symmetric root of the (generalised) inverse of a covariance, for rows x.

    It is the one root that hangs smoothly on the covariance, also where covariates are alike in
    spread and unrelated, so that rounding turns no coordinates.
    """
    scale = np.sqrt(np.diag(spread))
    values, vectors = np.linalg.eigh(spread / np.outer(scale, scale))
    sound = values > FLAT * values[-1]
    root = vectors[:, sound] / np.sqrt(values[sound]) @ vectors[:, sound].T
    return root / scale[:, None]


# Nearest-neighbour matching on Mahalanobis distance, within calipers.


def mahalanobis_found(task: Any) -> Pairs:
    """Match as `match` asks; `task` is a `Task`.

    The search is exact. With up to about five covariates, or with calipers and strata that leave
    few to compare, it passes over nearly all units; with twenty and no caliper it looks at most.

    References
    ----------
    Rubin (1980), Bias reduction using Mahalanobis-metric matching, Biometrics 36; within calipers
    on the propensity score: Rosenbaum and Rubin (1985), The American Statistician 39.
    """
    study, chosen, calipers = task.study, task.chosen, task.calipers
    inside = np.flatnonzero(task.eligible)
    some = {name: None if codes is None else codes[inside]
            for name, codes in (("strata", study.strata), ("unit", study.unit),
                                ("family", task.family))}  # fmt: skip
    focal, score = task.focal[inside], task.along[inside]
    limits = calipers.covariates[inside], calipers.widths
    if np.isfinite(calipers.score):
        limits = np.column_stack([score, limits[0]]), np.r_[calipers.score, limits[1]]
    x = _chosen(study.covariates, chosen.on).rows(inside)
    points = whitened(x, focal, "pooled", study.sampling[inside])
    arms = arms_of(
        points, focal, some["strata"], limits=limits, family=some["family"], unit=some["unit"]
    )
    closest = chosen.order == "closest"
    own = sorted_arm(arms.own, score, some["strata"], some["unit"])
    first = matching_order(own, "largest" if closest else chosen.order, chosen.seed, some["unit"])
    turns = np.searchsorted(arms.own, own.rows[first])
    found = nearest_places(arms, turns, int(chosen.ratio), closest, chosen.replace)
    rows, matches, lone, reasons = rows_of(arms, found)
    return Pairs(inside[rows], inside[matches], None, inside[lone], reasons)


def _chosen(covariates: Covariates, on: tuple[str, ...]) -> Covariates:
    """Return some covariates, by the name of the number or of its source; all for none."""
    known = {column.name for column in covariates.columns}
    known |= {column.source for column in covariates.columns}
    for name in on:
        if name not in known:
            near = suggest(name, known_names(covariates))
            raise ParameterError(f"on: there is no covariate {name}. {near}")
    columns = tuple(
        column
        for column in covariates.columns
        if not on or column.name in on or column.source in on
    )
    return Covariates(columns, covariates.size, covariates.reference)


@dataclass(frozen=True, eq=False)
class Matched:
    """What a method found."""

    weights: np.ndarray  # (n,): without sampling weights
    #: (n,) int8: why a unit has no weight, as in `design.FATES`; read only where the weight is 0.
    fate: np.ndarray
    sets: np.ndarray | None = None  # (n,) int
    pairs: np.ndarray | None = None  # (pairs, 2) int
    shares: np.ndarray | None = None  # (pairs,)


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


def find(task: Task) -> Matched:
    """Run the method chosen."""
    return _METHODS[task.chosen.method](task)


def _nearest(task: Task) -> Matched:
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


def _from_pairs(task: Task, found: Pairs) -> Matched:
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
    return Matched(weights, fate, sets=sets, pairs=pairs, shares=found.shares)


def _run_codes(rows: np.ndarray) -> np.ndarray:
    """Return codes from 0 of rows, in their order; those of rows that rise are counted along."""
    steps = np.diff(rows)
    if (steps < 0).any():
        return np.unique(rows, return_inverse=True)[1]
    codes = np.zeros(len(rows), dtype=np.int64)
    np.cumsum(steps > 0, out=codes[1:])
    return codes


def _from_sets(task: Task, sets: np.ndarray) -> Matched:
    weights = weights_from_sets(sets, task.study.treated, task.chosen.estimand)
    fate = _fate(task)
    fate[task.focal] = NONE_LEFT if task.chosen.method != "full" else OUTSIDE_CALIPER
    fate[_lone(task)] = LONE_STRATUM
    return Matched(weights, fate, sets=sets)


def _optimal(task: Task) -> Matched:
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


def _full(task: Task) -> Matched:
    return _from_sets(task, _inside(task, partial(full_sets, caliper=_width(task))))


def _subclass(task: Task) -> Matched:
    from tfeval.impact.matching.coarsened import subclass_sets  # noqa: PLC0415

    chosen = task.chosen
    method = partial(
        subclass_sets, number=chosen.number, estimand=chosen.estimand, fewest=chosen.fewest
    )
    return _from_sets(task, _inside(task, method))


def _coarsened(task: Task) -> Matched:
    from tfeval.impact.matching.coarsened import coarsened_sets  # noqa: PLC0415

    chosen = task.chosen
    return _from_sets(
        task, coarsened_sets(task.study, chosen.cutpoints, chosen.grouping, task.eligible)
    )


def _kernel(task: Task) -> Matched:
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
    return Matched(weights, fate)


def _mahalanobis(task: Task) -> Matched:
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


_METHODS: dict[str, Callable[[Task], Matched]] = {
    "nearest": _nearest,
    "optimal": _optimal,
    "full": _full,
    "subclass": _subclass,
    "coarsened_exact": _coarsened,
    "kernel": _kernel,
    "radius": _kernel,
    "mahalanobis": _mahalanobis,
}
