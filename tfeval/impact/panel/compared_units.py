"""Those who are compared over time, by group: joint covariance, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tfeval.impact.means.influence import sums_by

#: Units, or clusters, of each group from which errors are as good as known.
_MANY = 1000


@dataclass(frozen=True, eq=False)
class Units:
    """Those who were compared, in the order of their groups."""

    places: np.ndarray  # (n,) int: their rows in the panel
    size: int  # rows of the panel
    starts: np.ndarray  # (groups + 1,) int: group g holds units starts[g] to starts[g + 1]
    weight: np.ndarray  # (n,): sampling weights
    clusters: np.ndarray | None  # (n,) int: codes from 0
    missing: int  # others, whose covariates or outcomes are missing

    @cached_property
    def totals(self) -> np.ndarray:
        """Weight by group."""
        return np.diff(np.concatenate([[0.0], np.cumsum(self.weight)])[self.starts])

    @cached_property
    def _present(self) -> np.ndarray:
        assert self.clusters is not None
        groups = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        presence = np.zeros((len(self.starts) - 1, self.cluster_count or 0), dtype=bool)
        presence[groups, self.clusters] = True
        return presence

    def count(self, groups: Iterable[int]) -> int:
        """Return how many units some groups have."""
        return int(np.diff(self.starts)[list(groups)].sum())

    def count_clusters(self, groups: Iterable[int]) -> int:
        """Return how many clusters have units of some groups."""
        return int(self._present[list(groups)].any(axis=0).sum())

    @property
    def cluster_count(self) -> int | None:
        """How many clusters there are, if any."""
        return None if self.clusters is None else int(self.clusters.max()) + 1

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """Return the joint covariance of estimates from influences, shape (estimates, n)."""
        if self.clusters is not None and len(influence):
            influence = np.stack([np.bincount(self.clusters, weights=row) for row in influence])
        return influence @ influence.T

    def hotelling(self, influence: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
        """Return F's second freedom, and what Wald's statistic of effects times is F."""
        white = np.linalg.solve(np.linalg.cholesky(variance), influence)
        q = len(influence)
        varies = bias = size = 0.0
        for own, count in self._by_group(white):
            square, trace, left = own @ own.T, (own**2).sum(), max(count - 1.0, 1.0)
            varies += (trace**2 + (square**2).sum()) / left
            bias, size = bias + trace * count / left, size + trace
        freedom = float(min((q + 1) / q * size**2 / varies, (self.cluster_count or np.inf) - 1))
        left = freedom - q + 1
        return left, left / (freedom * q) * size / bias

    def student(self, influence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each effect's degrees of freedom, and what its error times is unbiased.

        Shapes (effects,). Welch's: each group's part of the variance is of its own units or
        clusters. Of many, infinite and 1.
        """
        few = int(np.diff(self.starts).min(initial=_MANY))
        if self.clusters is not None:
            few = min(few, int(self._present.sum(axis=1).min(initial=_MANY)))
        if few >= _MANY or not len(influence):
            return np.full(len(influence), np.inf), np.ones(len(influence))
        varies, size, plain = np.zeros((3, len(influence)))
        for own, count in self._by_group(influence):
            square, left = (own**2).sum(axis=1), max(count - 1.0, 1.0)
            part = square * count / left
            varies += part**2 / left
            size += part
            plain += square
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.minimum(size**2 / varies, (self.cluster_count or np.inf) - 1)
            return freedom, np.sqrt(size / plain)

    def _by_group(self, influence: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
        """Yield each group's influences, of its units or clusters, and how many these are.

        Those of unequal size count as fewer (Kish): their sum squared by the sum of squares.
        """
        for start, end in pairwise(self.starts):
            own, size = influence[:, start:end], self.weight[start:end]
            if self.clusters is not None:
                codes = np.unique(self.clusters[start:end], return_inverse=True)[1]
                own, size = sums_by(own.T, codes).T, np.bincount(codes, weights=size)
            yield own, float(size.sum() ** 2 / max((size**2).sum(), np.finfo(float).tiny))

    def by_row(self, influence: np.ndarray) -> np.ndarray:
        """Return influences by row of the panel: (rows, estimates)."""
        full = np.zeros((len(influence), self.size))
        full[:, self.places] = influence
        return full.T
