"""Optimal full matching on a score: everybody in a set, at the least total distance."""

from __future__ import annotations

import numpy as np

from tfeval.impact.matching.full_loops import nearest_other, stars_on_a_line
from tfeval.impact.matching.ordering import sorted_arm
from tfeval.impact.study.compiled import for_size


def full_sets(
    distance: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    caliper: float | None = None,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Put everybody in a matched set of one treated unit or one comparison unit.

    The answer is exact: the sum of absolute differences between the one and the others, over all
    sets, is the least there is. Sorting aside, the work grows in proportion to the units.

    Parameters
    ----------
    distance : ndarray of float, shape (n,)
        The score that sets should agree on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; sets are made within.
    caliper : float, optional
        Largest distance between the one and the others of a set, in the units of the score; the
        bound is allowed. Those with nobody of the other arm within it are in no set.
    unit : ndarray, optional, shape (n,)
        Identifiers; they decide between equal scores, so that the order of rows does not.

    Returns
    -------
    ndarray of int, shape (n,)
        Each unit's set, from 0 in order of strata and scores; -1 for those in none.

    References
    ----------
    Rosenbaum (1991), A characterization of optimal designs for observational studies, JRSS B 53:
    full matching is best. Hansen and Klopfer (2006), Optimal full matching and related designs via
    network flows, JCGS 15. On a line: Colannino et al. (2007), Efficient many-to-many point
    matching in one dimension, Graphs and Combinatorics 23.

    Examples
    --------
    >>> score = np.array([0.10, 0.12, 0.11, 0.80, 0.90])
    >>> full_sets(score, np.array([True, False, False, True, False])).tolist()
    [0, 0, 0, 1, 1]
    """
    size = len(distance)
    sets = np.full(size, -1, dtype=np.int64)
    if not size:
        return sets
    line = sorted_arm(np.arange(size), np.asarray(distance, dtype=float), strata, unit)
    arms = treated[line.rows]
    width = np.inf if caliper is None else float(caliper)
    apart = np.empty(size)
    for_size(nearest_other, size)(line.scores, arms, line.starts, apart)
    inside = np.isfinite(apart) & (apart <= width)
    before = np.concatenate([[0], np.cumsum(inside)])
    found = np.full(int(before[-1]), -1, dtype=np.int64)
    for_size(stars_on_a_line, size)(
        line.scores[inside], arms[inside], before[line.starts], width, found
    )
    # Centres are numbered in order of place, which the order of rows does not change.
    centres = np.zeros(len(found), dtype=bool)
    centres[found] = True
    sets[line.rows[inside]] = (np.cumsum(centres) - 1)[found]
    return sets
