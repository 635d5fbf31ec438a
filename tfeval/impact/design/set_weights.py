"""From matched sets or pairs to weights."""

from __future__ import annotations

import numpy as np


def weights_from_sets(sets: np.ndarray, treated: np.ndarray, estimand: str = "ATT") -> np.ndarray:
    """Weigh units by their matched set.

    Parameters
    ----------
    sets : ndarray of int, shape (n,)
        Code of each unit's set from 0; -1 for a unit in none. Each set has both arms.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    estimand : {"ATT", "ATC", "ATE"}
        Whose covariates both arms are weighted to.

    Returns
    -------
    ndarray of float, shape (n,)
        For the ATT: 1 for a treated unit, and for a comparison unit its set's treated over its
        set's comparison units, scaled so that they sum to the matched comparison units.

    References
    ----------
    Hansen (2004), Full matching in an observational study of coaching for the SAT, JASA 99; the
    scale as in Stuart, King, Imai and Ho (2011), MatchIt, Journal of Statistical Software 42(8).

    Examples
    --------
    >>> sets = np.array([0, 0, 0, 1, 1, -1])
    >>> treated = np.array([True, False, False, True, False, False])
    >>> weights_from_sets(sets, treated).round(2).tolist()
    [1.0, 0.75, 0.75, 1.0, 1.5, 0.0]
    """
    rows = np.flatnonzero(sets >= 0)
    codes, arm = sets[rows], treated[rows]
    both = np.bincount(codes)
    n_treated = np.bincount(codes[arm], minlength=len(both))
    n_other = both - n_treated
    target = {"ATT": n_treated, "ATC": n_other, "ATE": both}[estimand]
    shares = []
    for own in (n_treated, n_other):
        share = np.divide(target, own, out=np.zeros(len(own)), where=own > 0)
        total = share @ own
        shares.append((share * (own.sum() / total) if total > 0 else share)[codes])
    weights = np.zeros(len(sets))
    weights[rows] = np.where(arm, *shares)
    return weights


def weights_from_pairs(
    rows: np.ndarray, matches: np.ndarray, size: int, shares: np.ndarray | None = None
) -> np.ndarray:
    """Weigh units by the pairs they stand in, for the ATT.

    Parameters
    ----------
    rows, matches : ndarray of int, shape (pairs,)
        Positions of the treated unit and of its match; a match may serve several.
    size : int
        Units in the study.
    shares : ndarray of float, optional
        What a match counts within its treated unit's matches, such as 0.5 for one of two tied;
        by default equal.

    Returns
    -------
    ndarray of float, shape (size,)
        1 for each matched treated unit; a match has the sum of its shares, scaled so that
        matches sum to their number.

    Examples
    --------
    >>> weights_from_pairs(np.array([0, 1, 1]), np.array([2, 2, 3]), 4).round(3).tolist()
    [1.0, 1.0, 1.5, 0.5]
    """
    if shares is None:
        per = np.bincount(rows, minlength=size)
        shares = 1.0 / per[rows]
    weights = np.bincount(matches, weights=shares, minlength=size)
    if len(matches):
        weights *= np.count_nonzero(weights) / weights.sum()
    weights[rows] = 1.0
    return weights


def members_of_pairs(
    pairs: np.ndarray, shares: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the members of matched sets, one each time a unit serves one.

    Parameters
    ----------
    pairs : ndarray of int, shape (pairs, 2)
        Rows of the focal unit and of its match; a match may serve several.
    shares : ndarray of float, optional, shape (pairs,)
        What a match counts within its set; by default equal.

    Returns
    -------
    rows, sets : ndarray of int, shape (sets + pairs,)
        The focal units first, one a set; then their matches.
    weights : ndarray of float, shape (sets + pairs,)
        1 for a focal unit; for a match its share.

    Examples
    --------
    >>> [found.tolist() for found in members_of_pairs(np.array([[4, 0], [4, 1], [7, 0]]))]
    [[4, 7, 0, 1, 0], [0, 1, 0, 0, 1], [1.0, 1.0, 0.5, 0.5, 1.0]]
    """
    focal, matches = pairs.T
    own, sets = np.unique(focal, return_inverse=True)
    shares = 1.0 / np.bincount(sets)[sets] if shares is None else shares
    return (
        np.concatenate([own, matches]),
        np.concatenate([np.arange(len(own)), sets]),
        np.concatenate([np.ones(len(own)), shares]),
    )


def effective_sample_size(weights: np.ndarray) -> float:
    """Return Kish's effective sample size, the square of the sum over the sum of squares.

    Examples
    --------
    >>> effective_sample_size(np.array([1.0, 1.0, 0.0, 2.0])).round(3)
    np.float64(2.667)
    """
    largest = weights.max(initial=0.0)
    if not largest > 0:
        return 0.0
    scaled = weights / largest
    return scaled.sum() ** 2 / (scaled @ scaled)
