"""What every design answers, with time or without: the seam that `estimate` takes designs by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from tfeval.errors import DataError


@dataclass(frozen=True, eq=False)
class Contrasts:
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
    n_treated, n_comparison : int
        Units in either group, where `rows` does not say.

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

    Attributes
    ----------
    kind : str
        Its key, such as "difference_in_differences".
    estimand : str
        Whose effect it is.
    assumption : str
        What must be true for the contrast to be an effect, in one sentence.
    notes : tuple of str
        What a reader must know.
    simulated : bool
        Whether the records are simulated.
    """

    kind: str
    estimand: str
    assumption: str
    notes: tuple[str, ...]
    simulated: bool

    def contrasts(self, outcomes: Any, months: int | None) -> Contrasts:
        """Return the estimates for outcomes, with influences."""

    def diagnostic(self) -> Any:
        """Return what bears on the assumption: balance, trends before, density at a threshold."""
