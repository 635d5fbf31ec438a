"""Optimal pair matching on a score: as many pairs as can be, at the least total distance."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError
from tfeval.impact.matching.full_loops import pairs_on_a_line
from tfeval.impact.matching.ordering import Arm, sorted_arm
from tfeval.impact.study.covariates import for_size


def optimal_pairs(  # noqa: PLR0917
    distance: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    ratio: int = 1,
    caliper: float | None = None,
    unit: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pair treated and comparison units at the least total distance, without replacement.

    The answer is exact: of all matchings that match the most treated units, one with the least sum
    of absolute differences. Sorting aside, the work grows in proportion to the units.

    Parameters
    ----------
    distance : ndarray of float, shape (n,)
        The score that pairs should agree on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; pairs are made within.
    ratio : int, default 1
        Comparison units wanted for each treated unit. Where there are enough, each gets as many
        at the least total. Where there are too few within reach, as many treated as possible get
        one, then of those as many as possible another (see the notes).
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

    With a ratio above 1 and too few comparison units, a matching with the most pairs would leave
    treated units out so that others get several. If it does, matches are shared out in rounds
    instead, as in nearest-neighbour matching; the total is the least for the numbers shared out,
    which are not themselves chosen to make it small.

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
    width = np.inf if caliper is None else float(caliper)
    own, matches = _least(line, arms, np.where(arms, int(ratio), 1), width)
    if ratio > 1 and len(own) < ratio * np.count_nonzero(arms):
        shares = _shared_out(line, arms, int(ratio), width)
        if np.count_nonzero(shares[arms]) > len(np.unique(own)):
            own, matches = _least(line, arms, shares, width)
    rows, others = line.rows[own], line.rows[matches]
    order = np.lexsort((np.abs(line.scores[own] - line.scores[matches]), rows))
    return rows[order], others[order]


def _least(
    line: Arm, arms: np.ndarray, copies: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return places of the pairs, where units stand as often as they may be matched."""
    ends = np.concatenate([[0], np.cumsum(copies)])
    places = np.repeat(np.arange(len(arms)), copies)
    most = int(min(copies[arms].sum(), copies[~arms].sum()))
    own, matches = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = for_size(pairs_on_a_line, len(arms))(
        line.scores[places], arms[places], ends[line.starts], width, own, matches
    )
    return places[own[:found]], places[matches[:found]]


def _shared_out(line: Arm, arms: np.ndarray, ratio: int, width: float) -> np.ndarray:
    """Return how many matches each unit may have: as many as it got in rounds of one each."""
    shares = np.where(arms, 0, 1)
    still = np.ones(len(arms), dtype=np.int64)
    for _ in range(ratio):
        own, matches = _least(line, arms, still, width)
        shares[own] += 1
        still[arms] = 0
        still[own], still[matches] = 1, 0
    return shares
