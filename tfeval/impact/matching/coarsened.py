"""Coarsened exact matching: the same bin in every covariate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.matching.ordering import sorted_arm
from tfeval.impact.study.covariates import Column
from tfeval.impact.study.study import Study

# Subclassification: sets of neighbouring scores, between quantiles.


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
        codes = _cut(line.scores[first:last], arms, wanted, estimand)
        if codes.max() >= most:
            raise DataError(
                f"Subclassification: {codes.max() + 1} sets of at least {fewest} in each arm need "
                "more units than an arm has. Ask for fewer sets, or fewer units in a set."
            )
        sets[rows] = total + _filled(codes, arms, fewest)
        total += int(codes.max()) + 1
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


#: Cells are renumbered before their codes grow past what 64 bits hold.
_ROOM = 2**40
#: Share of a number's range that is rounding.
ROUNDING = 1e-12


def coarsened_sets(
    study: Study,
    cutpoints: Mapping[str, int | Sequence[float]] | None = None,
    grouping: Mapping[str, Sequence[Sequence[str]]] | None = None,
    eligible: np.ndarray | None = None,
) -> np.ndarray:
    """Put together all who fall in the same bin of every covariate, and stratum.

    Parameters
    ----------
    study : Study
        Who and on what.
    cutpoints : mapping of str to int or sequence of float, optional
        For a number, its bins: how many of equal width between its ends (0: every value its own;
        1: the covariate is left out), or the edges between them. By default as many as Sturges's
        rule says, 1 + log2 of the units, rounded up.
    grouping : mapping of str to sequence of sequences of str, optional
        For a category, levels that count as one; others stand alone.
    eligible : ndarray of bool, optional, shape (n,)
        Who may be matched at all; bins are drawn over all units.

    Returns
    -------
    ndarray of int, shape (n,)
        Each unit's cell, from 0 in the order of bins; -1 where a cell lacks one arm.

    Raises
    ------
    ParameterError
        If a name, level or number of bins does not fit.
    DataError
        If no cell holds both arms.

    Notes
    -----
    A value on an edge goes to the bin above. Missing values are a bin of their own.

    References
    ----------
    Iacus, King and Porro (2012), Causal inference without balance checking: coarsened exact
    matching, Political Analysis 20.

    Examples
    --------
    >>> from tfeval.impact.study.study import study
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 60.0]})
    >>> coarsened_sets(study(frame, covariates=["age"]), {"age": [40, 50]}).tolist()
    [0, 0, -1, -1]
    """
    cutpoints, grouping = dict(cutpoints or {}), dict(grouping or {})
    sources = _sources(study)
    _check(sources, cutpoints, grouping)
    cells = np.zeros(study.size, dtype=np.int64) if study.strata is None else study.strata
    size = int(cells.max()) + 1
    for name, columns in sources.items():
        if columns[0].level is None:
            bins = _binned(name, columns[0].raw, cutpoints.get(name))
        else:
            bins = _grouped(name, columns, study.covariates.reference[name], grouping.get(name, ()))
        count = int(bins.max()) + 1
        if size * count > _ROOM:
            cells, size = _renumbered(cells)
        cells, size = cells * count + bins, size * count
    return _with_both_arms(_renumbered(cells)[0], study.treated, eligible)


def _sources(study: Study) -> dict[str, list[Column]]:
    """Return the columns of each covariate, the indicators of missing values apart."""
    sources: dict[str, list[Column]] = {}
    for column in study.covariates.columns:
        if not column.absent:
            sources.setdefault(column.source, []).append(column)
    return sources


def _check(sources: dict[str, list[Column]], cutpoints: Mapping, grouping: Mapping) -> None:
    numbers = [name for name, columns in sources.items() if columns[0].level is None]
    categories = [name for name in sources if name not in numbers]
    for what, given, fitting, kind in (
        ("cutpoints", cutpoints, numbers, "a number"),
        ("grouping", grouping, categories, "a category"),
    ):
        for name in given:
            if name not in sources:
                raise ParameterError(f"{what}: no covariate {name}. {suggest(name, fitting)}")
            if name not in fitting:
                raise ParameterError(f"{what}: the covariate {name} is not {kind}.")


def _binned(name: str, values: np.ndarray, bins: int | Sequence[float] | None) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    absent = np.isnan(values)
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool) and bins == 0:
        codes = pd.factorize(values, sort=True)[0]
        return np.where(absent, codes.max() + 1, codes)
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool) and bins == 1:
        return np.zeros(len(values), dtype=np.int64)
    edges = _edges(name, values, bins)
    # Missing values sort last, so they go to a bin above all others.
    codes = np.searchsorted(edges, values, side="right")
    return np.where(absent, len(edges) + 1, codes)


def _edges(name: str, values: np.ndarray, bins: int | Sequence[float] | None) -> np.ndarray:
    if bins is None:
        bins = int(np.ceil(np.log2(len(values)) + 1))
    if isinstance(bins, int | np.integer) and not isinstance(bins, bool):
        if bins < 0:
            raise ParameterError(f"cutpoints: {name} cannot have {bins} bins.")
        low, high = np.nanmin(values), np.nanmax(values)
        # A value on an edge is so in any unit: the last digits of the edge must not decide.
        return np.linspace(low, high, bins + 1)[1:-1] - ROUNDING * (high - low)
    if isinstance(bins, str | bool | float) or not isinstance(bins, Iterable):
        raise ParameterError(f"cutpoints: {name} takes a number of bins, or a list of edges.")
    edges = np.unique(np.asarray(list(bins), dtype=float))
    if not np.isfinite(edges).all():
        raise ParameterError(f"cutpoints: the edges of {name} are finite numbers.")
    return edges


def _grouped(
    name: str, columns: list[Column], reference: str, groups: Sequence[Sequence[str]]
) -> np.ndarray:
    # Codes start at -1 where the category is missing in some rows.
    levels = {reference: 0}
    levels |= {column.name.removeprefix(f"{name}: "): int(column.level or 0) for column in columns}
    codes = np.asarray(columns[0].raw, dtype=np.int64) + 1
    merged = np.arange(max(levels.values()) + 2)
    for group in groups:
        if isinstance(group, str):
            raise ParameterError(f"grouping: {name} takes lists of levels, such as [['a', 'b']].")
        for level in map(str, group):
            if level not in levels:
                raise ParameterError(f"grouping: {name} has no level {level}.")
            merged[levels[level] + 1] = levels[str(group[0])] + 1
    return merged[codes]


def _renumbered(cells: np.ndarray) -> tuple[np.ndarray, int]:
    codes, levels = pd.factorize(cells)
    order = np.empty(len(levels), dtype=np.int64)
    order[np.argsort(levels)] = np.arange(len(levels))
    return order[codes], len(levels)


def _with_both_arms(
    cells: np.ndarray, treated: np.ndarray, eligible: np.ndarray | None
) -> np.ndarray:
    inside = np.ones(len(cells), dtype=bool) if eligible is None else eligible
    count = int(cells.max()) + 1
    both = np.bincount(cells[inside & treated], minlength=count) > 0
    both &= np.bincount(cells[inside & ~treated], minlength=count) > 0
    if not both.any():
        raise DataError(
            "Coarsened exact matching: no cell holds both arms. Ask for fewer bins, group levels, "
            "or leave covariates out."
        )
    numbers = np.where(both, np.cumsum(both) - 1, -1)
    return np.where(inside, numbers[cells], -1)
