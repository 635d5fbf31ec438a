"""Wild bootstrap intervals for every effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tfeval.impact.design.design import Design
from tfeval.impact.inference.inference import Asked, codes_of
from tfeval.impact.inference.intervals import Intervals, influence_intervals
from tfeval.impact.inference.wild import interval, p_value, regression_scores, signs
from tfeval.impact.means.estimates import Estimates
from tfeval.impact.means.means import of_design
from tfeval.impact.means.outcomes import Outcomes


def wild_intervals(
    design: Design,
    asked: Asked,
    what: tuple[Outcomes, Mapping[str, np.ndarray | None], str],
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
    outcomes, groups, method = what
    codes = codes_of(design, asked.clusters[0])
    rng = np.random.default_rng(seed)
    found = []
    for row in held.rows:
        place = outcomes.names.index(row["outcome"])
        known = ~np.isnan(outcomes.values[:, place])
        within = groups[row["population"]]
        sample = of_design(design, outcomes.values[:, [place]], known, stacked=False, within=within)
        scores = regression_scores(sample, 0, codes, method)
        drawn = signs(len(scores.own), draws, rng)
        found.append((*interval(scores, level, drawn), p_value(scores, 0.0, drawn)))
    low, high, p = np.array(found).T
    by_cluster = influence_intervals(design, replace(asked, kind="cluster"), held, level)
    return replace(by_cluster, low=low, high=high, p_value=p)
