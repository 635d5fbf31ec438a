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


def mahalanobis_pairs(
    x: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    ratio: int = 1,
    replace: bool = False,
    order: np.ndarray | None = None,
    closest: bool = False,
    caliper_score: np.ndarray | None = None,
    caliper: float | None = None,
    covariate_calipers: tuple[np.ndarray, np.ndarray] | None = None,
    covariance: str = "pooled",
    sampling: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    family: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Match each treated unit with its nearest comparison units by Mahalanobis distance.

    Parameters
    ----------
    x : ndarray of float, shape (n, k)
        Covariates that the distance is made of.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; matches are made within.
    ratio : int, default 1
        Matches wanted for each treated unit, found in as many rounds.
    replace : bool, default False
        Whether a comparison unit may serve several treated units.
    order : ndarray of int, optional
        Rows of all treated units, first to choose first; by default as the rows stand.
    closest : bool, default False
        Whether the closest free pair of all goes first; `order` then decides between equals.
    caliper_score, caliper : ndarray of float, shape (n,), and float, optional
        Only units this near on the score are compared; the bound is allowed.
    covariate_calipers : tuple of ndarray, shapes (n, q) and (q,), optional
        Values with limits of their own, and the limits.
    covariance : {"pooled", "treated", "all"}
        Whose covariance scales the distance; see `whitened`.
    sampling : ndarray of float, optional, shape (n,)
        Sampling weights, for the covariance.
    unit, family : ndarray, optional, shape (n,)
        `unit` decides between equally near units; a `family` is not matched to itself.

    Returns
    -------
    treated_rows, control_rows : ndarray of int, shape (pairs,)
        Rows of each pair, by treated row and then by round.

    Raises
    ------
    ParameterError
        If the work would be too much; calipers, strata or fewer covariates make it less.

    Notes
    -----
    The search is exact. With up to about five covariates, or with calipers and strata that leave
    few to compare, it passes over nearly all units; with twenty and no caliper it looks at most.

    References
    ----------
    Rubin (1980), Bias reduction using Mahalanobis-metric matching, Biometrics 36; within calipers
    on the propensity score: Rosenbaum and Rubin (1985), The American Statistician 39.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [5.0, 1.0], [4.0, 1.0], [1.0, 0.0], [9.0, 9.0]])
    >>> arm = np.array([True, True, False, False, False])
    >>> rows, matches = mahalanobis_pairs(x, arm)
    >>> rows.tolist(), matches.tolist()
    ([0, 1], [3, 2])
    """
    limits = _limits(len(x), caliper_score, caliper, covariate_calipers)
    points = whitened(np.asarray(x, dtype=float), treated, covariance, sampling)
    arms = arms_of(points, treated, strata, limits=limits, family=family, unit=unit)
    order = arms.own if order is None else order
    found = nearest_places(arms, np.searchsorted(arms.own, order), int(ratio), closest, replace)
    rows, matches, _, _ = rows_of(arms, found)
    return rows, matches


def mahalanobis_found(task: Any) -> Pairs:
    """Match as `match` asks; `task` is a `found.Task`."""
    study, chosen, calipers = task.study, task.chosen, task.calipers
    inside = np.flatnonzero(task.eligible)
    some = {name: None if codes is None else codes[inside]
            for name, codes in (("strata", study.strata), ("unit", study.unit),
                                ("family", task.family))}  # fmt: skip
    focal, score = task.focal[inside], task.along[inside]
    limits = _limits(
        len(inside), score, calipers.score, (calipers.covariates[inside], calipers.widths)
    )
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


def _limits(
    size: int,
    score: np.ndarray | None,
    caliper: float | None,
    others: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return all values with calipers, shape (size, q), and the calipers."""
    values, widths = (np.empty((size, 0)), np.empty(0)) if others is None else others
    if caliper is None or not np.isfinite(caliper):
        return values, widths
    if score is None:
        raise ParameterError("caliper needs the score that it limits: give caliper_score.")
    return np.column_stack([score, values]), np.concatenate([[caliper], widths])
