"""A cluster bootstrap that repeats everything: the model, the design and the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.design import Design
from tfeval.impact.estimates import Estimates, Method, estimates_of
from tfeval.impact.inference import Asked, codes_of
from tfeval.impact.intervals import Intervals, from_spreads
from tfeval.impact.outcomes import Outcomes
from tfeval.impact.populations import populations
from tfeval.impact.variance import Spread

#: Clusters below which draws of them are mostly draws of the same.
FEWEST = 5


@dataclass(frozen=True, eq=False)
class Repeat:
    """What is repeated in each draw."""

    design: Design
    asked: Asked
    outcomes: Outcomes
    by: Any
    method: Method

    def check(self) -> None:
        """Refuse what a bootstrap does not get right or cannot repeat.

        Raises
        ------
        ParameterError
        DataError
            If there are too few clusters to draw from.
        """
        if self.design.pairs is not None and self.design.sets is None:
            raise ParameterError(
                "Matching with replacement is not smooth, and a bootstrap that matches anew gets "
                "its error wrong (Abadie and Imbens 2008, Econometrica 76). "
                'Use errors="abadie_imbens" or "cluster".'
            )
        if self.design.again is None:
            raise ParameterError(
                "This design cannot be made anew, since its scores or distances were given. "
                "Let the design fit them, or use other errors."
            )
        name = self.asked.clusters[0]
        if name == "pair":
            raise ParameterError("Sets change with every draw. Give clusters such as authorities.")
        if len(np.unique(codes_of(self.design, name))) < FEWEST:
            raise DataError(
                f"A cluster bootstrap draws clusters, and there are fewer than {FEWEST} ({name}). "
                'Cluster by something with more groups, or use errors="robust" or "pair".'
            )


def cluster_draws(codes: np.ndarray, draws: int, seed: int) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield rows and copies of as many clusters as there are, drawn with replacement.

    Examples
    --------
    >>> rows, copies = next(cluster_draws(np.array([0, 0, 1]), 1, seed=3))
    >>> len(rows) == len(copies)
    True
    """
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    starts = np.concatenate([[0], ends[:-1]])
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = np.sort(rng.integers(0, len(ends), size=len(ends)))
        rows = np.concatenate([order[starts[at] : ends[at]] for at in drawn])
        turn = np.arange(len(drawn)) - np.searchsorted(drawn, drawn)
        yield rows, np.repeat(turn, (ends - starts)[drawn])


def bootstrap_intervals(
    repeat: Repeat, held: Estimates, *, level: float, draws: int, seed: int
) -> Intervals:
    """Return normal intervals with the bootstrap's covariance.

    Raises
    ------
    DataError
        If more than one draw in twenty gives no design.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90, section III.B
    (pairs cluster bootstrap).
    """
    repeat.check()
    codes = codes_of(repeat.design, repeat.asked.clusters[0])
    found, ratios, failed = [], [], 0
    for rows, copies in cluster_draws(codes, draws, seed):
        try:
            one = _once(repeat, rows, copies)
        except DataError:
            failed += 1
            if failed > draws / 20:
                raise
            continue
        if len(one.rows) == len(held.rows):
            found.append(one.effect)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios.append(np.log(one.treated / one.comparison))
    covariance = np.atleast_2d(np.cov(np.array(found), rowvar=False))
    count = np.full(len(held.rows), float(len(np.unique(codes))))
    spread = Spread(covariance, count - 1.0, count)
    return from_spreads(held, spread, np.std(np.array(ratios), axis=0, ddof=1), level)


def _once(repeat: Repeat, rows: np.ndarray, copies: np.ndarray) -> Estimates:
    again = repeat.design.again
    assert again is not None  # refused by `check`
    design = again(repeat.design.study.take(rows, copies))
    outcomes = replace(repeat.outcomes, values=repeat.outcomes.values[rows])
    by = None if repeat.by is None else np.asarray(repeat.by)[rows]
    groups = populations(design, by)
    return estimates_of(design, outcomes, groups, repeat.method, stacked=False)
