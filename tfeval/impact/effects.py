"""The one table of effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

#: Columns of every table of effects, in order. Differences and means are in the outcome's own
#: unit; `relative` is the difference over `mean_comparison`; `p_adjusted` is NaN until corrected.
COLUMNS = (
    "outcome",
    "population",
    "months",
    "estimand",
    "method",
    "errors",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "p_adjusted",
    "relative",
    "relative_low",
    "relative_high",
    "mean_treated",
    "mean_comparison",
    "n_treated",
    "n_comparison",
    "n_missing",
    "events_treated",
    "events_comparison",
    "ess_comparison",
    "clusters",
    "planned",
)


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects of one design on many outcomes, with how they vary together.

    Attributes
    ----------
    frame : DataFrame
        One row an effect, columns `COLUMNS`.
    joint : ndarray, shape (rows, rows)
        Covariance of the estimates.
    level : float
        Of the confidence intervals.
    settings : mapping
        Of the design and the estimate.
    notes : tuple of str
        What a reader must know.
    simulated : bool
        Whether the records are simulated.
    """

    frame: pd.DataFrame
    joint: np.ndarray
    level: float = 0.95
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def to_frame(self) -> pd.DataFrame:
        """Return the effects, one a row, with the columns `COLUMNS`."""
        return self.frame.copy()

    def covariance(self) -> pd.DataFrame:
        """Return the joint covariance of the estimates, named by outcome."""
        names = self.frame["outcome"].tolist()
        return pd.DataFrame(self.joint, index=names, columns=names)
