"""Pairs of a matching with replacement, one row a member of each matched set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfeval.impact.design.design import KEPT, Design


def are_stacked(design: Design, clusters: tuple[str, ...]) -> bool:
    """Say whether some of the clusters are the sets of a matching with replacement."""
    return "pair" in clusters and design.sets is None and design.pairs is not None


def stacked_pairs(design: Design) -> tuple[Design, np.ndarray]:
    """Return the design of the stacked pairs, and the row of the study that each of its rows is.

    Parameters
    ----------
    design : Design
        By matching with replacement, for the ATT or the ATC.

    Returns
    -------
    design : Design
        With matched sets, and with a cluster "unit" that holds all rows of one unit: a unit that
        serves several sets is in each of them.
    rows : ndarray of int

    References
    ----------
    Abadie and Spiess (2022), Robust post-matching inference, JASA 117, on matching without
    replacement; with it units repeat, and both sets and units are clusters, as Austin and Cafri
    (2020), Variance estimation when using propensity-score matching with replacement with
    survival or time-to-event outcomes, Statistics in Medicine 39.
    """
    assert design.pairs is not None  # as `are_stacked` has it
    focal, matches = design.pairs.T
    own, sets = np.unique(focal, return_inverse=True)
    shares = 1.0 / np.bincount(sets)[sets] if design.pair_shares is None else design.pair_shares
    rows = np.concatenate([own, matches])
    study = design.study.take(rows, np.zeros(len(rows), dtype=np.int64))
    units = np.unique(rows, return_inverse=True)[1]
    study = replace(study, clusters={**study.clusters, "unit": units})
    weights = np.concatenate([np.ones(len(own)), shares]) * design.study.sampling[rows]
    target = weights * (np.arange(len(rows)) < len(own))
    stacked = replace(
        design, study=study, weights=weights, target=target,
        fate=np.full(len(rows), KEPT, dtype=np.int8),
        sets=np.concatenate([np.arange(len(own)), sets]), pairs=None, pair_shares=None,
        score=None, distance=None, weight_model=None, folds=None, units=units, again=None,
    )  # fmt: skip
    return stacked, rows
