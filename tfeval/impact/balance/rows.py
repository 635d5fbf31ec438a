"""The rows of a table of balance: every covariate, level, missing-value indicator and score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD, hidden_parts
from tfeval.impact.balance.measures import Arms, Comparison, compare, compare_levels, standardised
from tfeval.impact.study.blocks import of_rows, rows_that_count
from tfeval.impact.study.covariates import Column, Covariates, free_name
from tfeval.impact.study.study import Study

#: Columns of every table of balance, in order. `sd` is what differences are divided by; `hidden`
#: says that fewer than ten units have or lack the covariate, so its means may not be shown.
COLUMNS = (
    "covariate",
    "source",
    "kind",
    "mean_treated_before",
    "mean_comparison_before",
    "smd_before",
    "variance_ratio_before",
    "ks_before",
    "mean_treated_after",
    "mean_comparison_after",
    "smd_after",
    "variance_ratio_after",
    "ks_after",
    "sd",
    "hidden",
)


class Compared(Protocol):
    """What balance reads of a design; named here because a design imports balance."""

    @property
    def study(self) -> Study: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def estimand(self) -> str: ...  # noqa: D102
    @property
    def weights(self) -> np.ndarray: ...  # noqa: D102
    @property
    def score(self) -> np.ndarray | None: ...  # noqa: D102
    @property
    def distance(self) -> np.ndarray | None: ...  # noqa: D102
    @property
    def ess(self) -> dict[str, float]: ...  # noqa: D102
    def kept(self, treated: bool) -> int: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Item:
    """What is compared in one go: a covariate, or all levels of a category."""

    names: tuple[str, ...]
    source: str
    kind: str
    measure: Callable[[Arms], list[Comparison]]


def balance_frame(
    design: Compared, denominator: str, scores: Mapping[str, np.ndarray], squares: bool
) -> pd.DataFrame:
    """Return one row a covariate, with the columns `COLUMNS`.

    Parameters
    ----------
    denominator : {"treated", "comparison", "pooled"}
        Whose unadjusted standard deviation differences are divided by.
    scores : mapping of str to ndarray, shape (n,)
        Prognostic scores by name.
    squares : bool
        Whether to add the square of each covariate of more than two values.
    """
    study = design.study
    arms = Arms(study.treated, study.sampling, design.weights)
    items = [*_covariates(study.covariates), *_scores(design, scores)]
    # One after another: two threads were slower, as each column is short of memory, not of work.
    rows = [row for item in items for row in _measured(item, arms, squares)]
    frame = pd.DataFrame([_row(item, each, hide, denominator) for item, each, hide in rows])
    taken: set[str] = set()
    frame["covariate"] = [free_name(str(name), taken) for name in frame["covariate"]]
    return frame[list(COLUMNS)]


def reference_column(covariates: Covariates, source: str) -> Column:
    """Return the level of a category that the covariates leave out, as a column."""
    level = next(column for column in covariates.columns if column.source == source)
    return replace(level, name=f"{source}: {covariates.reference[source]}", level=0)


def level_columns(covariates: Covariates, source: str) -> list[Column]:
    """Return all levels of a category as columns, the one that is left out first."""
    own = [column for column in covariates.columns if column.source == source]
    return [reference_column(covariates, source), *own]


def hidden_levels(comparisons: Sequence[Comparison]) -> np.ndarray:
    """Tell which levels of a category may not be shown; shape (levels,)."""
    have = np.array([each.have for each in comparisons])
    lack = np.array([each.lack for each in comparisons])
    # A level that fewer than ten lack gives the others away.
    return hidden_parts(np.where((lack > 0) & (lack < THRESHOLD), 0, have))


def _covariates(covariates: Covariates) -> Iterator[Item]:
    seen = set()
    for column in covariates.columns:
        if column.level is None:
            kind = "missing" if column.absent else "number"
            yield Item((column.name,), column.source, kind, partial(_one, column))
        elif column.source not in seen:
            seen.add(column.source)
            levels = level_columns(covariates, column.source)
            codes = [each.level for each in levels if each.level is not None]
            measure = partial(compare_levels, column.raw, codes)
            yield Item(tuple(each.name for each in levels), column.source, "level", measure)


def _scores(design: Compared, scores: Mapping[str, np.ndarray]) -> Iterator[Item]:
    own = [("propensity score", design.score), ("linear predictor", design.distance)]
    for name, values in own:
        if values is not None and not (name != own[0][0] and values is design.score):
            yield Item((name,), name, "score", partial(_values, values))
    for name, values in scores.items():
        yield Item((name,), name, "prognosis", partial(_values, values))


def _one(column: Column, arms: Arms) -> list[Comparison]:
    if column.absent:
        return [compare(np.isnan(column.raw), arms)]
    return _values(column.raw, arms)


def _values(values: np.ndarray, arms: Arms) -> list[Comparison]:
    # The mean that stands for a missing value would make the arms look alike: those who have the
    # value are compared, and the missing-value indicator compares the rest.
    if values.dtype.kind == "f" and not np.isfinite(values.sum()):
        known = np.isfinite(values)
        values, arms = values[known], arms.only(known)
    return [compare(values, arms)]


def _measured(item: Item, arms: Arms, squares: bool) -> list[tuple[Item, Comparison, bool]]:
    comparisons = item.measure(arms)
    have = np.array([each.have for each in comparisons])
    lack = np.array([each.lack for each in comparisons])
    if item.kind == "level":
        hidden = hidden_levels(comparisons)
        return [
            (replace(item, names=(name,)), each, bool(hide))
            for name, each, hide in zip(item.names, comparisons, hidden, strict=True)
        ]
    only = comparisons[0]
    rare = bool((have < THRESHOLD).any())
    if only.binary:
        rare = rare or bool(((lack > 0) & (lack < THRESHOLD)).any())
        kind = "binary" if item.kind == "number" else item.kind
        return [(replace(item, kind=kind), only, rare)]
    rows = [(item, only, rare)]
    if squares and item.kind == "number" and isinstance(item.measure, partial):
        values = np.square(item.measure.args[0].raw, dtype=float)
        square = replace(item, names=(f"{item.names[0]} squared",), kind="square")
        rows.append((square, _values(values, arms)[0], rare))
    return rows


def _row(item: Item, measures: Comparison, hide: bool, denominator: str) -> dict[str, object]:
    treated, comparison, every = measures.sd
    pooled = float(np.sqrt((treated**2 + comparison**2) / 2))
    sd = {"treated": treated, "comparison": comparison, "pooled": pooled}[denominator]
    sd = sd if sd > 0 else every
    row: dict[str, object] = {
        "covariate": item.names[0], "source": item.source, "kind": item.kind,
        "sd": sd, "hidden": hide,
    }  # fmt: skip
    for place, when in enumerate(("before", "after")):
        difference = measures.mean_treated[place] - measures.mean_comparison[place]
        row |= {
            f"mean_treated_{when}": measures.mean_treated[place],
            f"mean_comparison_{when}": measures.mean_comparison[place],
            f"smd_{when}": standardised(difference, sd, measures.span),
            f"variance_ratio_{when}": measures.variance_ratio[place],
            f"ks_{when}": measures.ks[place],
        }
    return row


# A design without the units that are not in the sample, for comparing its arms.


@dataclass(frozen=True, eq=False)
class _InSample:
    # What balance reads of a design.
    study: Study
    title: str
    estimand: str
    weights: np.ndarray
    score: np.ndarray | None
    distance: np.ndarray | None
    ess: dict[str, float] = field(default_factory=dict)

    def kept(self, treated: bool) -> int:
        arm = self.study.treated if treated else ~self.study.treated
        return int(np.count_nonzero(arm & (self.weights > 0)))


def in_sample(design: Compared) -> Compared:
    """Return a design of the units with a sampling weight alone: the same if all have one."""
    rows = rows_that_count(design.study)
    if rows is None:
        return design
    return _InSample(
        of_rows(design.study, rows),
        design.title,
        design.estimand,
        design.weights[rows],
        None if design.score is None else design.score[rows],
        None if design.distance is None else design.distance[rows],
        design.ess,
    )


# From matched sets or pairs to weights.


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
