"""A design without the units that are not in the sample, for comparing its arms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfeval.impact.balance.rows import Compared
from tfeval.impact.study.sample import of_rows, rows_that_count
from tfeval.impact.study.study import Study


@dataclass(frozen=True, eq=False)
class _InSample:
    # What balance reads of a design.
    study: Study
    title: str
    estimand: str
    weights: np.ndarray
    score: np.ndarray | None
    distance: np.ndarray | None
    ess: dict[str, float] = field(default_factory=dict)

    def kept(self, treated: bool) -> int:
        arm = self.study.treated if treated else ~self.study.treated
        return int(np.count_nonzero(arm & (self.weights > 0)))


def in_sample(design: Compared) -> Compared:
    """Return a design of the units with a sampling weight alone: the same if all have one."""
    rows = rows_that_count(design.study)
    if rows is None:
        return design
    return _InSample(
        of_rows(design.study, rows),
        design.title,
        design.estimand,
        design.weights[rows],
        None if design.score is None else design.score[rows],
        None if design.distance is None else design.distance[rows],
        design.ess,
    )
