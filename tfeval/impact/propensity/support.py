"""Common support: who has anybody like them in the other arm."""

from __future__ import annotations

import numpy as np

from tfeval.errors import ParameterError


def on_support(
    score: np.ndarray, treated: np.ndarray, support: str | tuple[float, float] | None
) -> np.ndarray:
    """Return who lies where both arms do.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        Probability of being treated.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    support : {"both", "treated", "comparison"}, (low, high) or None
        Who is held to the other arm's range of scores: both arms, or one. Or the lowest and
        highest probability kept.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ParameterError
        If the support is not one of these.

    References
    ----------
    Dehejia and Wahba (1999), Causal effects in nonexperimental studies, JASA 94 (range of the
    other arm); Crump, Hotz, Imbens and Mitnik (2009), Dealing with limited overlap in estimation
    of average treatment effects, Biometrika 96 (fixed limits such as 0.1 and 0.9).

    Examples
    --------
    >>> score = np.array([0.9, 0.4, 0.5, 0.1])
    >>> on_support(score, np.array([True, True, False, False]), "both").tolist()
    [False, True, True, False]
    """
    if support is None:
        return np.ones(len(score), dtype=bool)
    if not isinstance(support, str):
        low, high = _limits(support)
        return (score >= low) & (score <= high)
    if support not in ("both", "treated", "comparison"):
        raise _unknown()
    kept = np.ones(len(score), dtype=bool)
    for held, arm in (("treated", treated), ("comparison", ~treated)):
        if support in ("both", held):
            other = score[~arm]
            kept[arm] = (score[arm] >= other.min()) & (score[arm] <= other.max())
    return kept


def _limits(support: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(limit) for limit in support)
    except (TypeError, ValueError):
        raise _unknown() from None
    if not 0.0 <= low < high <= 1.0:
        raise _unknown()
    return low, high


def _unknown() -> ParameterError:
    return ParameterError(
        'support is "both", "treated" or "comparison", or the lowest and the highest probability, '
        "such as (0.1, 0.9)."
    )
