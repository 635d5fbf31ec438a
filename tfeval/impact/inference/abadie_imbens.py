"""Errors for matching with replacement, where the usual bootstrap is not right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.inference.estimated_score import through_score
from tfeval.impact.matching.nearest import Pairs, nearest_with_replacement
from tfeval.impact.means.least_squares import fitted
from tfeval.impact.means.linear_outcomes import centred, predictions
from tfeval.impact.means.means import Means, Sample
from tfeval.impact.means.regression import centre_of


def with_abadie_imbens(
    sample: Sample,
    *,
    design: Design,
    method: Callable[[Sample], Means],
    adjusted: bool,
    estimated: bool = False,
) -> Means:
    """Return a method's means, with influences as Abadie and Imbens have them.

    Parameters
    ----------
    sample : Sample
        Of `design`.
    design : Design
        By matching with replacement on a distance, for the ATT.
    method : callable
        From the sample to its means.
    adjusted : bool
        Whether the method takes off what the covariates predict among the comparison units.
    estimated : bool, default False
        Whether errors count that the propensity score was estimated; see `through_score`.

    Raises
    ------
    ParameterError
        If the design is not one with replacement.

    Notes
    -----
    The error squared is the spread of treated units' differences from their matches, plus what
    the repeated use of comparison units adds: (K^2 - K') times a unit's own variance, where K
    sums its shares in matches and K' their squares. A unit's variance comes from its nearest
    neighbour in its own arm. Counting the score's estimation can move the error of the ATT
    either way.

    References
    ----------
    Abadie and Imbens (2006), Large sample properties of matching estimators for average
    treatment effects, Econometrica 74, theorem 7 and equation 14; with adjustment: the same
    (2011), Bias-corrected matching estimators, Journal of Business and Economic Statistics 29.
    """
    means = method(sample)
    known = np.ones(sample.study.size, dtype=bool) if sample.known is None else sample.known
    pairs, shares = _pairs(design, sample, known)
    rows, matches = pairs.T
    values = sample.values
    predicted = _predicted(sample) if adjusted else np.zeros_like(values)
    residual = np.where(known[:, None], values - predicted, 0.0)
    weight = np.zeros(sample.study.size)
    weight[rows] = sample.study.sampling[rows]
    share = weight[:, None] / weight.sum()
    imputed = predicted + _sums(rows, shares[:, None] * residual[matches], sample.study.size)
    used = np.bincount(matches, weight[rows] * shares, sample.study.size)
    squared = np.bincount(matches, (weight[rows] * shares) ** 2, sample.study.size)
    own = np.zeros_like(values)
    often = used > 0
    more = np.sqrt(np.maximum(used**2 - squared, 0.0))[often, None]
    own[often] = more * _within_arm(design, residual, known, often) / weight.sum()
    through = None
    if estimated:
        through = through_score(
            design, values, known,
            share=share[:, 0], used=used / weight.sum(), means=(means.treated, means.comparison),
        )  # fmt: skip
    return replace(
        means,
        through=through,
        psi_treated=share * (values - means.treated),
        psi_comparison=share * (imputed - means.comparison) + own,
        parameters=0,
        parts=((), ()),
    )


def _pairs(design: Design, sample: Sample, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs with known outcomes and what each counts for its treated unit."""
    if design.pairs is None or design.sets is not None or design.estimand != "ATT":
        raise ParameterError(
            "Abadie-Imbens errors are for the ATT by nearest-neighbour matching with replacement; "
            'use errors="cluster", "pair" or "robust".'
        )
    if design.distance is None:
        raise ParameterError("Abadie-Imbens errors need the distance that was matched on.")
    both = known[design.pairs].all(axis=1) & (sample.weights[design.pairs] > 0).all(axis=1)
    pairs = design.pairs[both]
    shares = np.ones(len(pairs)) if design.pair_shares is None else design.pair_shares[both]
    whole = np.bincount(pairs[:, 0], shares, design.study.size)
    return pairs, shares / whole[pairs[:, 0]]


def _predicted(sample: Sample) -> np.ndarray:
    """Return what the matched comparison units' regression predicts for everybody."""
    rows = centred(sample.study.covariates, centre_of(sample))
    matched = ~sample.study.treated & (sample.weights > 0)
    line = fitted(rows, sample.weights, sample.values, matched)
    return predictions(rows, line.coefficients)


def _sums(rows: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    return np.column_stack([np.bincount(rows, column, size) for column in values.T])


def _within_arm(
    design: Design, values: np.ndarray, known: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return wanted units' scaled differences from the nearest of their own arm.

    The square of one estimates the outcome's variance at that unit's distance.
    """
    arm = known & ~design.study.treated
    near = _neighbours(design, arm, wanted)
    shares = np.ones(len(near.rows)) if near.shares is None else near.shares
    mean = _sums(near.rows, shares[:, None] * values[near.matches], design.study.size)
    held = np.bincount(near.rows, minlength=design.study.size)[wanted]
    scale = np.sqrt(held / (held + 1.0))
    return scale[:, None] * (values - mean)[wanted]


def _neighbours(design: Design, arm: np.ndarray, wanted: np.ndarray) -> Pairs:
    assert design.distance is not None  # refused by `_pairs`
    # Each wanted unit seeks, as if treated, in the whole arm, itself left out as its own family.
    seekers, pool = np.flatnonzero(wanted), np.flatnonzero(arm)
    rows = np.concatenate([seekers, pool])
    strata = design.study.strata
    found = nearest_with_replacement(
        design.distance[rows],
        np.arange(len(rows)) < len(seekers),
        strata=None if strata is None else strata[rows],
        family=rows,
    )
    return replace(found, rows=rows[found.rows], matches=rows[found.matches])
