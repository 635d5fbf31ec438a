"""Standard errors for matching with replacement, where no bootstrap is right."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.design import Design
from tfeval.impact.matching.nearest import Pairs, nearest_with_replacement
from tfeval.impact.study import Study
from tfeval.impact.variance import Spread


def abadie_imbens(
    design: Design, values: np.ndarray, known: np.ndarray, neighbours: int = 1
) -> Spread:
    """Return the covariance of ATT estimates from matching with replacement.

    Parameters
    ----------
    design : Design
        With pairs, made with replacement on a distance.
    values : ndarray of float, shape (n, outcomes)
    known : ndarray of bool, shape (n,)
        Whose outcomes are known.
    neighbours : int, default 1
        Of the same arm, to judge how much outcomes vary among units alike.

    Raises
    ------
    ParameterError
        If the design is not one with replacement.

    Notes
    -----
    The mean of the squared differences of treated units from their matches around the estimate,
    plus what the repeated use of comparison units adds. The propensity score counts as known; as
    Abadie and Imbens (2016) show, counting its estimation can move the error of the ATT either
    way.

    References
    ----------
    Abadie and Imbens (2006), Large sample properties of matching estimators for average
    treatment effects, Econometrica 74, theorem 7 and equation 14.
    """
    pairs, shares = _pairs(design, known)
    study = design.study
    weight = study.sampling
    rows, matches = pairs.T
    imputed = _sums(rows, shares[:, None] * values[matches], study.size)
    matched = np.zeros(study.size, dtype=bool)
    matched[rows] = True
    total = weight[matched].sum()
    gap = (values - imputed)[matched]
    estimate = weight[matched] @ gap / total
    around = weight[matched, None] * (gap - estimate)
    first = around.T @ around
    # A unit used K times adds (K^2 - sum of squared shares) times its own variance.
    used = np.bincount(matches, weight[rows] * shares, study.size)
    squared = np.bincount(matches, (weight[rows] * shares) ** 2, study.size)
    often = used > 0
    residual = _within_arm(design, values, known, often, neighbours)
    second = (residual * (used**2 - squared)[often, None]).T @ residual
    return Spread((first + second) / total**2)


def _pairs(design: Design, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs with known outcomes and what each counts for its treated unit."""
    if design.pairs is None or design.sets is not None or design.estimand != "ATT":
        raise ParameterError(
            "Abadie-Imbens errors are for the ATT by matching with replacement; errors by cluster "
            'or "pair" are for the others.'
        )
    both = known[design.pairs].all(axis=1)
    pairs = design.pairs[both]
    shares = np.ones(len(pairs)) if design.pair_shares is None else design.pair_shares[both]
    whole = np.bincount(pairs[:, 0], shares, design.study.size)
    return pairs, shares / whole[pairs[:, 0]]


def _sums(rows: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(rows, column, size) for column in values.T])


def _within_arm(
    design: Design, values: np.ndarray, known: np.ndarray, wanted: np.ndarray, neighbours: int
) -> np.ndarray:
    """Return each wanted comparison unit's scaled difference from the nearest of its own arm.

    Its square estimates the outcome's variance at the unit's distance: J/(J + 1) times the
    squared difference from the mean of J neighbours.
    """
    arm = known & ~design.study.treated
    near = _neighbours(design.study, design.distance, arm, wanted, neighbours)
    mean = _sums(near.rows, near.shares[:, None] * values[near.matches], design.study.size)
    held = np.bincount(near.rows, minlength=design.study.size)[wanted]
    scale = np.sqrt(held / (held + 1.0))
    return scale[:, None] * (values - mean)[wanted]


def _neighbours(
    study: Study,
    distance: np.ndarray | None,
    arm: np.ndarray,
    wanted: np.ndarray,
    neighbours: int,
) -> Pairs:
    if distance is None:
        raise ParameterError("Abadie-Imbens errors need the distance that was matched on.")
    # Each wanted unit as if treated, all of the arm as its pool, itself left out as a family.
    seekers, pool = np.flatnonzero(wanted), np.flatnonzero(arm)
    rows = np.concatenate([seekers, pool])
    focal = np.arange(len(rows)) < len(seekers)
    found = nearest_with_replacement(
        distance[rows],
        focal,
        strata=None if study.strata is None else study.strata[rows],
        family=rows,
        ratio=neighbours,
    )
    shares = found.shares if found.shares is not None else np.ones(len(found.rows))
    return Pairs(rows[found.rows], rows[found.matches], shares, found.unmatched, found.reasons)
