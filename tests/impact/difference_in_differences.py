"""A design of its own in one file, as a user would write one: the change in those treated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import tfeval as tf


@dataclass(frozen=True, eq=False)
class DifferenceInDifferences:
    """Changes from before to after, of the treated less those of the comparison."""

    study: tf.Study
    before: pd.DataFrame
    kind: str = "difference_in_differences"
    estimand: str = "ATT"
    assumption: str = "without the programme both groups would have changed alike"
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def contrasts(self, outcomes, months):
        treated = self.study.treated
        rows, influence = [], []
        for name in outcomes:
            change = (outcomes[name] - self.before[name]).to_numpy(dtype=float)
            means = [change[arm].mean() for arm in (treated, ~treated)]
            own = np.where(treated, (change - means[0]) / treated.sum(),
                           -(change - means[1]) / (~treated).sum())  # fmt: skip
            rows.append({"outcome": name, "estimate": means[0] - means[1],
                         "n_treated": treated.sum(), "n_comparison": (~treated).sum()})  # fmt: skip
            influence.append(own)
        return tf.Contrasts(
            pd.DataFrame(rows), np.stack(influence, axis=1), dict(self.study.clusters)
        )

    def diagnostic(self):
        return self.before.groupby(self.study.treated).mean()
