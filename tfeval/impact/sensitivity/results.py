"""How sensitive effects are to what was not measured, for computing and for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tfeval.display.tables import Table
from tfeval.impact.effects.effects import Effects
from tfeval.impact.sensitivity.tables import (
    benchmarks_table,
    bounds_table,
    sensitivity_table,
)


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How strong something unmeasured would have to be to change each effect.

    Made by `sensitivity`. Wherever a number is missing, the row's column `..._reason` says why.

    Attributes
    ----------
    frame : DataFrame
        One row an effect. `outcome` to `errors` and `estimate` to `conf_high` are the effect's;
        `binary`, whether the outcome is 0 or 1;
        `risk_ratio` with `_low` and `_high`, `e_value`, `e_value_interval`;
        `pairs`, `pairs_differing`, `gamma_limit` (the gamma at which the greatest p-value passes
        1 less the effects' level);
        `robustness_value`, `robustness_value_interval`, `partial_r2`, `r2`,
        `regression_estimate`, `regression_std_error`, `regression_dof`;
        `benchmark` (the covariate whose like would take most off), `benchmark_estimate`,
        `benchmark_low`, `benchmark_high`;
        `oster_delta`, `oster_beta` (at a delta of 1), `oster_r_max`, `oster_short` and `oster_long`
        (the treatment's coefficient without and with covariates);
        `e_value_reason`, `gamma_reason`, `robustness_reason`, `benchmark_reason`,
        `oster_reason`.
    bounds : DataFrame
        One row an effect and gamma: `row` (the effect's, from 0), `gamma`, `p_low`, `p_high`
        (two-sided).
    benchmarks : DataFrame
        One row an effect, covariate and number of times: `row`, `covariate`, `times`,
        `r2_treatment`, `r2_outcome`, `estimate`, `std_error`, `conf_low`, `conf_high`, `reason`.
    effects : Effects
        What it is about.
    settings : mapping
        `r_max`, `gamma`, `times`.
    notes : tuple of str
        What each number means, in plain words.
    """

    frame: pd.DataFrame
    bounds: pd.DataFrame
    benchmarks: pd.DataFrame
    effects: Effects
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row an effect: exact, for computing."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return one row an effect as a table for readers, small numbers hidden."""
        return sensitivity_table(self.frame, self.effects, self.notes)

    def bounds_table(self) -> Table:
        """Return the bounds on p-values of matched pairs, as a table for readers."""
        return bounds_table(self.bounds, self.effects)

    def benchmarks_table(self) -> Table:
        """Return the effects had the unmeasured been like each covariate, for readers."""
        return benchmarks_table(self.benchmarks, self.effects)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()
