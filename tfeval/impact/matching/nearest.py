"""Nearest-neighbour matching on a score, k to 1, with or without replacement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict, Unpack

import numpy as np

from tfeval.impact.matching.nearest_loops import NOBODY, collect, reach, without_replacement
from tfeval.impact.matching.ordering import Arm, first_equal, matching_order, sorted_arm, standing
from tfeval.impact.study.covariates import LARGE, THREADS, for_size, in_parts

#: Marks rows that are not of the arm.
ABSENT = -9
ORDERS = ("largest", "smallest", "random", "closest", "data")


@dataclass(frozen=True, eq=False)
class Calipers:
    """Limits on how far apart the two units of a pair may be."""

    score: float  # on the score, in its own unit; infinite for none
    covariates: np.ndarray  # (n, q): values of the covariates with limits of their own
    widths: np.ndarray  # (q,): those limits


class Among(TypedDict, total=False):
    """Who may be matched with whom; arrays of shape (n,)."""

    eligible: np.ndarray | None  # bool: who may be matched at all
    strata: np.ndarray | None  # within which matches are made
    unit: np.ndarray | None  # breaks ties
    family: np.ndarray | None  # not matched to itself
    calipers: Calipers | None  # limits on the distance


@dataclass(frozen=True, eq=False)
class Pairs:
    """Matches found."""

    #: rows, matches: (pairs,) int: positions in the study of a treated unit and of its match.
    rows: np.ndarray
    matches: np.ndarray
    shares: np.ndarray | None  # what a match counts for its treated unit, where matches are tied
    unmatched: np.ndarray  # int: positions of the treated units that found none
    reasons: np.ndarray  # int: for each of them, `nearest_loops.NOBODY` or `TOO_FAR`


@dataclass(frozen=True, eq=False)
class _Field:
    """Both arms, sorted, and where each treated unit stands among the comparison units."""

    treated: Arm
    other: Arm
    places: np.ndarray
    low: np.ndarray
    high: np.ndarray
    limits: tuple[np.ndarray, ...]
    width: float  # the caliper on the score


def no_calipers(size: int) -> Calipers:
    """Return calipers that refuse nobody, for `size` units."""
    return Calipers(np.inf, np.empty((size, 0)), np.empty(0))


def nearest_pairs(
    score: np.ndarray,
    treated: np.ndarray,
    *,
    ratio: int = 1,
    order: str = "largest",
    seed: int = 1,
    **among: Unpack[Among],
) -> Pairs:
    """Match each treated unit with its nearest free comparison units, without replacement.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
        What is matched on.
    treated : ndarray of bool, shape (n,)
        Who was treated.
    ratio : int, default 1
        Matches wanted for each treated unit, found in as many rounds.
    order : {"largest", "smallest", "random", "closest", "data"}
        Who chooses first: by score, at random, the closest pair of all, or as the rows stand.
    seed : int
        Of the random order.
    **among
        See `Among`.

    References
    ----------
    Rosenbaum and Rubin (1985), Constructing a control group using multivariate matched sampling
    methods that incorporate the propensity score, The American Statistician 39.

    Examples
    --------
    >>> score = np.array([0.2, 0.8, 0.15, 0.7, 0.3])
    >>> found = nearest_pairs(score, np.array([True, True, False, False, False]))
    >>> found.rows.tolist(), found.matches.tolist()
    ([0, 1], [2, 3])
    """
    field = _field(score, treated, **among)
    found = np.full((len(field.treated.rows), ratio), NOBODY, dtype=np.int64)
    first = order if order != "closest" else "smallest"
    for_size(without_replacement, len(score))(
        field.other.scores,
        first_equal(field.other),
        np.ones(len(field.other.rows), dtype=np.int32),
        field.treated.scores,
        field.places,
        field.low,
        field.high,
        matching_order(field.treated, first, seed, among.get("unit")),
        order == "closest",
        field.width,
        *field.limits,
        found,
    )
    return _pairs_of(field, found)


def nearest_with_replacement(
    score: np.ndarray,
    treated: np.ndarray,
    *,
    ratio: int = 1,
    ties: str = "average",
    **among: Unpack[Among],
) -> Pairs:
    """Match each treated unit with its nearest comparison units, which may serve several.

    Parameters
    ----------
    score, treated, ratio, **among
        As in `nearest_pairs`.
    ties : {"average", "first"}
        Whether all units as near as the last one needed count, each an equal share, so that the
        order of rows has no say; or only the first of them.

    References
    ----------
    Abadie and Imbens (2006), Large sample properties of matching estimators for average
    treatment effects, Econometrica 74, section 2.1: units tied at the last match all count.

    Examples
    --------
    >>> score = np.array([0.5, 0.4, 0.6, 0.9])
    >>> found = nearest_with_replacement(score, np.array([True, False, False, False]))
    >>> found.matches.tolist(), found.shares.tolist()
    ([2, 1], [0.5, 0.5])
    """
    field = _field(score, treated, **among)
    units = len(field.treated.rows)
    radius, count = np.empty(units), np.empty(units, dtype=np.int64)
    stands = (field.other.scores, field.treated.scores, field.places, field.low, field.high)
    cuts = [0, units] if units < 50_000 else np.linspace(0, units, THREADS + 1).astype(int).tolist()
    parts = list(pairwise(cuts))
    look, write = for_size(reach, len(score)), for_size(collect, len(score))
    in_parts(
        lambda low, high: look(*stands, low, high, field.width, ratio, *field.limits, radius,
                               count),
        parts,
    )  # fmt: skip
    at_most = ratio if ties == "first" else len(field.other.rows)
    taken = np.clip(count, 0, at_most)
    offsets = np.concatenate([[0], np.cumsum(taken)])
    matches = np.empty(offsets[-1], dtype=np.int64)
    in_parts(
        lambda low, high: write(*stands, low, high, *field.limits, count, at_most, offsets,
                                matches),
        parts,
    )  # fmt: skip
    return Pairs(
        rows=np.repeat(field.treated.rows, taken),
        matches=field.other.rows[matches],
        shares=np.repeat(1.0 / np.maximum(taken, 1), taken),
        unmatched=field.treated.rows[count < 0],
        reasons=count[count < 0],
    )


def _field(
    score: np.ndarray,
    treated: np.ndarray,
    *,
    eligible: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    family: np.ndarray | None = None,
    calipers: Calipers | None = None,
) -> _Field:
    """Sort both arms and find where each treated unit stands among the comparison units."""
    calipers = calipers or no_calipers(len(score))
    inside = np.ones(len(score), dtype=bool) if eligible is None else eligible
    arms = [
        (np.flatnonzero(mask), score, strata, unit)
        for mask in (treated & inside, ~treated & inside)
    ]
    own, other = in_parts(sorted_arm, arms, threads=len(score) >= LARGE)
    places, low, high = standing(own, other)
    values = calipers.covariates
    families = [np.empty(0, dtype=np.int64)] * 2 if family is None else [
        family[other.rows], family[own.rows]]  # fmt: skip
    limits = (values[other.rows], values[own.rows], calipers.widths, *families)
    return _Field(own, other, places, low, high, limits, calipers.score)


def _pairs_of(field: _Field, found: np.ndarray) -> Pairs:
    """Turn places in the sorted arms into rows of the study, in order of the treated row."""
    units = field.treated.rows
    last = int(units.max(initial=-1))
    chosen = np.full((last + 1, found.shape[1]), ABSENT, dtype=np.int64)
    chosen[units] = found
    rows = np.flatnonzero(chosen[:, 0] != ABSENT)
    found = chosen[rows]
    matched = found >= 0
    lone = ~matched[:, 0]
    return Pairs(
        rows=np.repeat(rows, matched.sum(axis=1)),
        matches=field.other.rows[found[matched]],
        shares=None,
        unmatched=rows[lone],
        reasons=found[lone, 0],
    )
