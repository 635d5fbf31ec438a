"""Nearest-neighbour matching on Mahalanobis distance, within calipers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfeval.errors import ParameterError, suggest
from tfeval.impact.matching.boxes import arms_of, nearest_places, rows_of
from tfeval.impact.matching.nearest import Pairs
from tfeval.impact.matching.ordering import matching_order, sorted_arm
from tfeval.impact.matching.whitening import whitened
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.naming import known_names


def mahalanobis_found(task: Any) -> Pairs:
    """Match as `match` asks; `task` is a `found.Task`.

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
