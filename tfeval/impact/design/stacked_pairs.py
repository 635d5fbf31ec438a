"""Pairs of a matching with replacement, one row a member of each matched set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tfeval.impact.design.design import KEPT, Design
from tfeval.impact.design.set_weights import members_of_pairs


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
    rows, sets, weights = members_of_pairs(design.pairs, design.pair_shares)
    study = design.study.take(rows, np.zeros(len(rows), dtype=np.int64))
    units = np.unique(rows, return_inverse=True)[1]
    study = replace(study, clusters={**study.clusters, "unit": units})
    weights = weights * design.study.sampling[rows]
    target = weights * (np.arange(len(rows)) <= sets.max())  # the focal units stand first
    stacked = replace(
        design, study=study, weights=weights, target=target,
        fate=np.full(len(rows), KEPT, dtype=np.int8),
        sets=sets, pairs=None, pair_shares=None,
        score=None, distance=None, weight_model=None, folds=None, units=units, again=None,
    )  # fmt: skip
    return stacked, rows
