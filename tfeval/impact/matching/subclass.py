"""Subclassification: sets of neighbouring scores, between quantiles."""

from __future__ import annotations

import numpy as np

from tfeval.errors import DataError, ParameterError
from tfeval.impact.matching.ordering import sorted_arm


def subclass_sets(
    score: np.ndarray,
    treated: np.ndarray,
    *,
    number: int = 6,
    estimand: str = "ATT",
    fewest: int = 1,
    strata: np.ndarray | None = None,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """Cut the score at quantiles and put everybody in a set.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated, or anything that rises with it.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    number : int, default 6
        Sets wanted, in each stratum if there are strata; fewer where quantiles coincide, or where
        a stratum has too few of one arm.
    estimand : {"ATT", "ATC", "ATE"}
        Whose quantiles: those of the treated, of the comparison units, or of all.
    fewest : int, default 1
        Units of each arm that every set needs. A set with fewer takes the nearest by score from
        its neighbours, arm by arm.
    strata : ndarray of int, optional, shape (n,)
        Codes from 0; each is cut at its own quantiles.
    unit : ndarray, optional, shape (n,)
        Identifiers; they decide between equal scores where units change sets.

    Returns
    -------
    ndarray of int, shape (n,)
        Each unit's set, from 0 in order of strata and scores; -1 in strata without `fewest`
        units of each arm.

    Raises
    ------
    ParameterError
        If `number` or `fewest` is out of range, or the estimand is unknown.
    DataError
        Without strata, if there are not `fewest` units of each arm for every set.

    Notes
    -----
    A score on a boundary goes to the set above. Quantiles interpolate linearly (type 7).

    References
    ----------
    Rosenbaum and Rubin (1984), Reducing bias in observational studies using subclassification on
    the propensity score, JASA 79; boundaries as in Stuart, King, Imai and Ho (2011), MatchIt,
    Journal of Statistical Software 42(8).

    Examples
    --------
    >>> score = np.array([0.1, 0.2, 0.6, 0.7, 0.15, 0.65])
    >>> arm = np.array([True, True, True, True, False, False])
    >>> subclass_sets(score, arm, number=2).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    if number < 2 or fewest < 1:
        raise ParameterError("number is at least 2 and fewest at least 1.")
    if estimand not in ("ATT", "ATC", "ATE"):
        raise ParameterError(f"estimand is ATT, ATC or ATE, not {estimand!r}.")
    sets = np.full(len(score), -1, dtype=np.int64)
    if not len(score):
        return sets
    line = sorted_arm(np.arange(len(score)), np.asarray(score, dtype=float), strata, unit)
    total = 0
    for first, last in zip(line.starts[:-1], line.starts[1:], strict=True):
        rows = line.rows[first:last]
        arms = treated[rows]
        most = int(min(np.count_nonzero(arms), np.count_nonzero(~arms))) // fewest
        if strata is None and most < 1:
            raise DataError(
                f"Subclassification: fewer than {fewest} units of an arm. Ask for fewer in a set."
            )
        if most < 1:
            continue
        wanted = number if strata is None else min(number, most)
        found = _cut(line.scores[first:last], arms, wanted, estimand)
        if found.max() >= most:
            raise DataError(
                f"Subclassification: {found.max() + 1} sets of at least {fewest} in each arm need "
                "more units than an arm has. Ask for fewer sets, or fewer units in a set."
            )
        sets[rows] = total + _filled(found, arms, fewest)
        total += int(found.max()) + 1
    return sets


def _cut(scores: np.ndarray, arms: np.ndarray, number: int, estimand: str) -> np.ndarray:
    """Return the sets of rising scores, those that hold anybody numbered from 0."""
    whose = {"ATT": arms, "ATC": ~arms, "ATE": np.ones(len(arms), dtype=bool)}[estimand]
    edges = np.unique(np.quantile(scores[whose], np.arange(1, number) / number))
    return np.unique(np.searchsorted(edges, scores, side="right"), return_inverse=True)[1]


def _filled(sets: np.ndarray, arms: np.ndarray, fewest: int) -> np.ndarray:
    """Move boundaries, arm by arm, until each set has enough; `sets` rise."""
    filled = sets.copy()
    count = int(sets.max()) + 1
    for arm in (arms, ~arms):
        own = int(np.count_nonzero(arm))
        ends = np.cumsum(np.bincount(sets[arm], minlength=count))
        # Each boundary leaves enough below it, and then enough above.
        for place in range(count):
            below = ends[place - 1] if place else 0
            ends[place] = max(ends[place], below + fewest)
        ends[-1] = own
        for place in range(count - 2, -1, -1):
            ends[place] = min(ends[place], ends[place + 1] - fewest)
        filled[arm] = np.searchsorted(ends, np.arange(own), side="right")
    return filled
