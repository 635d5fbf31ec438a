"""How many authorities claimed every family, beside how many chance would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.errors import DataError


@dataclass(frozen=True)
class FullMarks:
    """How many authorities claimed every family, beside how many chance would give.

    Attributes
    ----------
    authorities : int
        Authorities with a target.
    known : int
        Those of them with an exact claim.
    observed : int
        Those that claimed exactly every family targeted.
    expected : float
        How many of the known ones would, if each family were turned around independently at one
        common share.
    probability : float
        Chance of as many as observed or more among the known ones.
    share : float
        The common share.
    early : int
        Those observed that are known only because they had reached all their families early: they
        were chosen by the answer.
    expected_all : float
        How many of all authorities with a target would, by the same chance.
    probability_all : float
        Chance of as many as observed or more among all authorities with a target.
    unchosen_known, unchosen_observed : int
        `known` and `observed` without the early ones.
    unchosen_expected, unchosen_probability : float
        By the same chance, among the known ones without the early ones.
    """

    authorities: int
    known: int
    observed: int
    expected: float
    probability: float
    share: float
    early: int = 0
    expected_all: float = 0.0
    probability_all: float = 1.0
    unchosen_known: int = 0
    unchosen_observed: int = 0
    unchosen_expected: float = 0.0
    unchosen_probability: float = 1.0


def full_marks(claims: pd.DataFrame, share: float) -> FullMarks:
    """Compare the number of authorities that claimed all their families with chance.

    Under a common share p the chance that authority i claims all its n_i families is p to the
    power n_i; the number that do is a Poisson-binomial variable, summed exactly. It is compared
    with chance three times: among the authorities with an exact claim; among these without the
    ones that are known because they stand at 100%; and among all with a target, of which one
    without an exact claim counts as not having claimed all, so that the comparison favours chance.

    Parameters
    ----------
    claims : DataFrame
        `targeted`, `turned_around` (may be missing) and `exact`, as from `final_claims`; also
        `early`, if any are known only because they had reached all their families early.
    share : float
        The common share, such as the national one.

    Raises
    ------
    DataError
        If the share is not between 0 and 1.

    Examples
    --------
    >>> two = pd.DataFrame({"targeted": [1, 2], "turned_around": [1, None], "exact": [True, False]})
    >>> found = full_marks(two, 0.5)
    >>> found.known, found.observed, found.expected, found.expected_all
    (1, 1, 0.5, 0.75)
    """
    if not 0 <= share <= 1:
        raise DataError(f"A share lies between 0 and 1, not at {share:g}.")
    exact = claims[claims["exact"].astype(bool)]
    full = exact["turned_around"] == exact["targeted"]
    early = exact["early"].astype(bool) if "early" in exact else full & False
    rest = exact[~early]
    observed, others = int(full.sum()), int((full & ~early).sum())
    known_mean, known_tail = _by_chance(exact["targeted"], share, observed)
    all_mean, all_tail = _by_chance(claims["targeted"], share, observed)
    rest_mean, rest_tail = _by_chance(rest["targeted"], share, others)
    return FullMarks(
        authorities=len(claims), known=len(exact), observed=observed, expected=known_mean,
        probability=known_tail, share=share, early=int((full & early).sum()),
        expected_all=all_mean, probability_all=all_tail, unchosen_known=len(rest),
        unchosen_observed=others, unchosen_expected=rest_mean, unchosen_probability=rest_tail,
    )  # fmt: skip


def _by_chance(targeted: pd.Series, share: float, least: int) -> tuple[float, float]:
    """Return how many would claim all their families, and the chance of at least so many."""
    chance = share ** targeted.to_numpy(dtype=float)
    spread = np.array([1.0])
    for probability in chance:
        spread = np.convolve(spread, [1 - probability, probability])
    return float(chance.sum()), min(1.0, float(spread[least:].sum()))
