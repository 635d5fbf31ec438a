"""What every design answers, with time or without: the seam that `estimate` takes designs by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError
from tfeval.impact.balance.rows import members_of_pairs
from tfeval.impact.design.design import KEPT, Design

# Pairs of a matching with replacement, one row a member of each matched set.


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


@dataclass(frozen=True, eq=False)
class Contrasts(Rich):
    """What a design estimated, and how each of its units bears on it.

    Attributes
    ----------
    rows : DataFrame
        One row an effect: `outcome` and `estimate`, and any other column of a table of effects
        that is known (months, population, mean_comparison, n_treated, n_comparison, ...).
    influence : ndarray of float, shape (units, effects)
        Of each unit on each estimate, in the estimate's unit: an estimate's variance is about the
        sum of squares. A unit is what was drawn, such as a family or an authority with all its
        years.
    clusters : mapping of str to ndarray, shape (units,)
        Codes of clusters that units belong to, by name; errors are by the first, if there is one.

    Raises
    ------
    DataError
        If the shapes do not fit together.
    """

    rows: pd.DataFrame
    influence: np.ndarray
    clusters: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        units, effects = np.shape(self.influence)
        if effects != len(self.rows):
            raise DataError(f"{len(self.rows)} effects have influences of {effects}.")
        for name, codes in self.clusters.items():
            if np.shape(codes) != (units,):
                raise DataError(f"Clusters {name}: one code a unit is needed, for {units} units.")


@runtime_checkable
class AnyDesign(Protocol):
    """A design that makes its own contrasts: a panel, areas, a threshold.

    What it says of itself may be attributes, frozen or not, or properties.
    """

    @property
    def kind(self) -> str:
        """Its key, such as "difference_in_differences"."""

    @property
    def estimand(self) -> str:
        """Whose effect it is."""

    @property
    def assumption(self) -> str:
        """What must be true for the contrast to be an effect, in one sentence."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""

    def contrasts(self, outcomes: Any, months: int | None) -> Contrasts:
        """Return the estimates for outcomes, with influences."""

    def diagnostic(self) -> Any:
        """Return what bears on the assumption: balance, trends before, density at a threshold."""
