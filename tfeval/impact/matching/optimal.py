"""Optimal pair matching on a score: as many pairs as can be, at the least total distance."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.compiled import for_size
from tfeval.impact.matching.optimal_loops import pairs_on_a_line
from tfeval.impact.matching.ordering import sorted_arm


def optimal_pairs(
    distance: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    ratio: int = 1,
    caliper: float | None = None,
    unit: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pair treated and comparison units at the least total distance, without replacement.

    The answer is exact: of all matchings with the most pairs, one with the least sum of absolute
    differences. Sorting aside, the work grows in proportion to the units.

    Parameters
    ----------
    distance : ndarray of float, shape (n,)
        The score that pairs should agree on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; pairs are made within.
    ratio : int, default 1
        Comparison units wanted for each treated unit. Where there are too few, the number of
        pairs is made as large as possible, so some treated have fewer, or none.
    caliper : float, optional
        Largest distance of a pair, in the units of the score; the bound is allowed.
    unit : ndarray, optional, shape (n,)
        Identifiers; they decide between equal scores, so that the order of rows does not.

    Returns
    -------
    treated_rows, control_rows : ndarray of int, shape (pairs,)
        Rows of each pair, in order of the treated row.

    Raises
    ------
    ParameterError
        If the ratio is not a whole number of at least 1.

    Notes
    -----
    The least total belongs to many matchings: two pairs that lie inside one another can be
    swapped for two that overlap. Here pairs follow the order of the scores, which of all of them
    has the smallest largest distance.

    References
    ----------
    Rosenbaum (1989), Optimal matching for observational studies, JASA 84. On a line: Karp and Li
    (1975), Two special cases of the assignment problem, Discrete Mathematics 13.

    Examples
    --------
    >>> score = np.array([0.4, 0.5, 0.45, 0.1])
    >>> arm = np.array([True, True, False, False])
    >>> rows, matches = optimal_pairs(score, arm)
    >>> rows.tolist(), matches.tolist()
    ([0, 1], [3, 2])
    """
    if ratio < 1 or ratio != int(ratio):
        raise ParameterError(f"ratio is a whole number of at least 1, not {ratio!r}.")
    size = len(distance)
    if not size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    line = sorted_arm(np.arange(size), np.asarray(distance, dtype=float), strata, unit)
    arms = treated[line.rows]
    # A treated unit that wants two stands twice in the same place.
    copies = np.where(arms, int(ratio), 1)
    ends = np.concatenate([[0], np.cumsum(copies)])
    places = np.repeat(np.arange(size), copies)
    most = int(min(ratio * np.count_nonzero(treated), np.count_nonzero(~treated)))
    own, matches = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = for_size(pairs_on_a_line, size)(
        line.scores[places],
        arms[places],
        ends[line.starts],
        np.inf if caliper is None else float(caliper),
        own,
        matches,
    )
    rows, others = line.rows[places[own[:found]]], line.rows[places[matches[:found]]]
    order = np.argsort(rows, kind="stable")
    return rows[order], others[order]
