"""A cluster bootstrap that repeats everything: the model, the design and the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.design.design import Design
from tfeval.impact.inference.bootstrap_counts import by_counts
from tfeval.impact.inference.inference import Asked, codes_of
from tfeval.impact.inference.intervals import Intervals, from_spreads, ruling_of
from tfeval.impact.means.estimates import Estimates, Method, estimates_of
from tfeval.impact.means.outcomes import Outcomes, populations
from tfeval.impact.means.variance import Spread

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

    @cached_property
    def counted(self) -> np.ndarray:
        """Rows that are drawn: a unit of sampling weight 0 stands for nobody."""
        return np.flatnonzero(self.design.study.sampling > 0)

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


def cluster_counts(clusters: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each cluster is drawn, with replacement; shape (draws, clusters).

    Examples
    --------
    >>> cluster_counts(5, 2, seed=3).sum(axis=1).tolist()
    [5, 5]
    """
    rng = np.random.default_rng(seed)
    return np.array([
        np.bincount(rng.integers(0, clusters, size=clusters), minlength=clusters)
        for _ in range(draws)
    ])  # fmt: skip


def copied_rows(codes: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a draw, cluster by cluster, and which copy of its cluster each is of.

    Examples
    --------
    >>> rows, copies = copied_rows(np.array([0, 1, 0]), np.array([2, 0]))
    >>> rows.tolist(), copies.tolist()
    ([0, 2, 0, 2], [0, 0, 1, 1])
    """
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    drawn = np.repeat(np.arange(len(counts)), counts)
    turn = np.arange(len(drawn)) - np.searchsorted(drawn, drawn)
    return (
        np.concatenate([parts[at] for at in drawn]),
        np.repeat(turn, [len(parts[at]) for at in drawn]),
    )


def bootstrap_intervals(
    repeat: Repeat, held: Estimates, *, level: float, draws: int, seed: int
) -> Intervals:
    """Return normal intervals with the bootstrap's covariance.

    Raises
    ------
    DataError
        If more than one draw in twenty gives no design.

    Notes
    -----
    Every draw fits the model, makes the design and estimates anew. Pairs of nearest neighbours and
    inverse propensity weights are repeated by counts of clusters: the logistic regression then
    stops where its next step would be below `refits.TOLERANCE`, and scores are as from a fit from
    scratch to about 1e-7. Which of two comparison units so near to each other is matched may
    differ. Everything else copies rows, which takes far longer where there are many.

    References
    ----------
    Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90, section III.B
    (pairs cluster bootstrap).
    """
    repeat.check()
    ruling = ruling_of(repeat.design, repeat.asked, held)
    size = len(held.rows)
    if not ruling.estimated.any():
        none = np.full(size, np.nan)
        return from_spreads(held, Spread(np.diag(none), none, none), none, level, ruling)
    names = codes_of(repeat.design, repeat.asked.clusters[0])[repeat.counted]
    codes = np.unique(names, return_inverse=True)[1]
    counts = cluster_counts(int(codes.max()) + 1, draws, seed)
    means = np.array([pair for pair in replicates(repeat, codes, counts)
                      if pair.shape[1] == size])  # fmt: skip
    covariance = np.atleast_2d(np.cov(means[:, 0] - means[:, 1], rowvar=False))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(means[:, 0] / means[:, 1])
    count = np.full(size, float(counts.shape[1]))
    spread = Spread(covariance, count - 1.0, count)
    return from_spreads(held, spread, np.std(ratios, axis=0, ddof=1), level, ruling)


def replicates(
    repeat: Repeat, codes: np.ndarray, counts: np.ndarray, *, copying: bool = False
) -> Iterator[np.ndarray]:
    """Yield both arms' means for each draw, shape (2, effects).

    Parameters
    ----------
    repeat : Repeat
    codes : ndarray of int, shape (counted,)
        Clusters from 0 of the rows counted, none without units.
    counts : ndarray of int, shape (draws, clusters)
    copying : bool
        Whether rows are copied even where counts would do: slow, to compare with.

    Raises
    ------
    DataError
        If more than one draw in twenty gives no design.
    """
    quick = None
    whole = len(repeat.counted) == repeat.design.study.size
    if not copying and repeat.by is None and whole:
        quick = by_counts(repeat.design, repeat.outcomes, repeat.method, codes)
    pairs = quick.means(counts) if quick is not None else iter([None] * len(counts))
    failed = 0
    for draw, pair in zip(counts, pairs, strict=True):
        if pair is not None:
            yield pair
            continue
        try:
            rows, copies = copied_rows(codes, draw)
            one = _once(repeat, repeat.counted[rows], copies)
        except DataError:
            failed += 1
            if failed > len(counts) / 20:
                raise
            continue
        yield np.array([one.treated, one.comparison])


def _once(repeat: Repeat, rows: np.ndarray, copies: np.ndarray) -> Estimates:
    again = repeat.design.again
    assert again is not None  # refused by `check`
    design = again(repeat.design.study.take(rows, copies))
    outcomes = replace(repeat.outcomes, values=repeat.outcomes.values[rows])
    by = None if repeat.by is None else np.asarray(repeat.by)[rows]
    groups = populations(design, by)
    return estimates_of(design, outcomes, groups, repeat.method, stacked=False)
