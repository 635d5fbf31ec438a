"""Wild bootstrap intervals for every effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tfeval.impact.design.design import Design
from tfeval.impact.inference.inference import Asked, codes_of
from tfeval.impact.inference.intervals import Intervals, influence_intervals, ruling_of
from tfeval.impact.inference.wild import interval, p_value, regression_scores, signs
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.means import Sample, of_design
from tfeval.impact.means.outcomes import Outcomes

#: Outcomes, populations and the method's name.
What = tuple[Outcomes, Mapping[str, np.ndarray | None], str]


def wild_intervals(
    design: Design,
    asked: Asked,
    what: What,
    held: Estimates,
    *,
    level: float,
    draws: int,
    seed: int,
) -> Intervals:
    """Return intervals of differences by a wild cluster bootstrap.

    Parameters
    ----------
    design, asked, held, level
        As elsewhere.
    what : tuple
        Outcomes, populations and the method's name.
    draws, seed : int
        Of the signs; with 12 clusters or fewer all are used.

    Notes
    -----
    Weights and the target's covariates count as known. The standard error and the relative
    change's interval are those by cluster.
    """
    codes = codes_of(design, asked.clusters[0])
    ruling = ruling_of(design, asked, held)
    rng = np.random.default_rng(seed)
    by_cluster = influence_intervals(design, replace(asked, kind="cluster"), held, level)
    found = np.full((3, len(held.rows)), np.nan)
    for place in np.flatnonzero(ruling.estimated & by_cluster.ruling.estimated).tolist():
        scores = regression_scores(sample_of(design, what, held, place), 0, codes, what[2])
        drawn = signs(len(scores.own), draws, rng)
        found[:, place] = (*interval(scores, level, drawn), p_value(scores, 0.0, drawn))
    low, high, p = found
    status = np.where(ruling.estimated, by_cluster.ruling.status, ruling.status)
    ruling = replace(ruling, status=status)
    return replace(by_cluster, low=low, high=high, p_value=p, ruling=ruling).withheld()


def sample_of(design: Design, what: What, held: Estimates, place: int) -> Sample:
    """Return the sample behind one effect, its weights known."""
    outcomes, groups, _ = what
    row = held.rows[place]
    at = outcomes.names.index(row["outcome"])
    return of_design(
        design, outcomes.values[:, [at]], ~np.isnan(outcomes.values[:, at]), stacked=False,
        within=groups[row["population"]], level=outcomes.level_of([at]),
    )  # fmt: skip
