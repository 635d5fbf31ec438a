"""What the data say of each outcome in each population, worked out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtrc, ndtr  # scipy.stats takes a second to import

from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.means.outcomes import WHOLE, Outcomes, labels_of, populations
from tfeval.impact.sensitivity.regression import Regression, regressions

# Rosenbaum's bounds: how far matched pairs could be from a toss of a coin. Within a pair the odds
# that the one rather than the other was treated may be as far as gamma from even. Source: Rosenbaum
# (2002), Observational Studies, 2nd edition, sections 4.3.2 and 4.3.3.

#: Up to so many pairs that differ, the signed ranks' distribution is worked out exactly.
EXACT = 100
#: Differences nearer than so many units in the last place of the outcome count as equal.
_PLACES = 32
_LARGEST_GAMMA = 2.0**40

Tail = Callable[[float], float]


@dataclass(frozen=True, eq=False)
class PairTest:
    """A test of matched pairs whose assignment may be biased."""

    pairs: int  # with both outcomes known
    differing: int  # of these, pairs whose outcomes differ: only they say anything
    #: From the chance that a pair differs in the direction seen to the probability of a statistic
    #: at least as extreme.
    tail: Tail

    def bounds(self, gamma: float) -> tuple[float, float]:
        """Return the least and the greatest two-sided p-value at a gamma."""
        low, high = self.tail(1 / (1 + gamma)), self.tail(gamma / (1 + gamma))
        return min(1.0, 2 * low), min(1.0, 2 * high)

    def limit(self, alpha: float) -> float:
        """Return the gamma at which the greatest p-value reaches `alpha`; 1 if it always has."""
        from scipy.optimize import brentq  # noqa: PLC0415

        def excess(gamma: float) -> float:
            return self.bounds(gamma)[1] - alpha

        if excess(1.0) >= 0:
            return 1.0
        high = 2.0
        while excess(high) < 0:
            high *= 2
            if high > _LARGEST_GAMMA:
                return float("inf")
        return float(brentq(excess, high / 2, high, xtol=1e-10, rtol=1e-10))


def matched_pairs(design: Design) -> np.ndarray | str:
    """Return the rows of each pair, treated first, shape (pairs, 2); or why there are none."""
    if design.pairs is not None and design.sets is None:
        return "matched with replacement: a comparison unit may stand in several pairs"
    if design.sets is None:
        return "the design has no matched pairs"
    rows = np.flatnonzero((design.sets >= 0) & (design.weights > 0))
    codes, arm = design.sets[rows], design.study.treated[rows]
    count = int(codes.max(initial=-1)) + 1
    sizes = [np.bincount(codes[one], minlength=count) for one in (arm, ~arm)]
    both = (sizes[0] > 0) & (sizes[1] > 0)
    if (sizes[0][both] > 1).any() or (sizes[1][both] > 1).any():
        return "matched sets hold more than two units: the bounds are for pairs"
    if not both.any():
        return "the design has no matched pairs"
    pairs = np.full((count, 2), -1)
    pairs[codes[arm], 0], pairs[codes[~arm], 1] = rows[arm], rows[~arm]
    return pairs[both]


def pair_test(first: np.ndarray, second: np.ndarray, *, binary: bool) -> PairTest | str:
    """Return the test of pairs' outcomes, or why there is none.

    Parameters
    ----------
    first, second : ndarray of float, shape (pairs,)
        Outcomes of the treated and of their matches; pairs with one missing are left out.
    binary : bool
        McNemar's test of 0/1 outcomes; otherwise Wilcoxon's signed ranks.

    Examples
    --------
    Smoking and lung cancer: of 122 pairs of which one died, in 110 it was the heavier smoker
    (Rosenbaum 2002, section 4.3.2; p-values there are one-sided, and by the normal distribution).

    >>> died = np.repeat([1.0, 0.0], [110, 12])
    >>> test = pair_test(died, 1 - died, binary=True)
    >>> [round(test.bounds(gamma)[1] / 2, 4) for gamma in (4, 5, 6)]
    [0.002, 0.0232, 0.0969]
    """
    known = ~np.isnan(first) & ~np.isnan(second)
    if not known.any():
        return "no pair has both outcomes"
    first, second = first[known], second[known]
    largest = max(np.abs(first).max(), np.abs(second).max())
    difference, least = first - second, _PLACES * np.finfo(float).eps * largest
    difference = difference[np.abs(difference) > least]
    if not len(difference):
        return "no pair differs in the outcome"
    if binary:
        more = int(max((difference > 0).sum(), (difference < 0).sum()))
        tail: Tail = lambda chance: float(bdtrc(more - 1, len(difference), chance))  # noqa: E731
    else:
        tail = signed_rank_tail(difference, least)
    return PairTest(len(first), len(difference), tail)


def signed_rank_tail(difference: np.ndarray, least: float, *, exact: bool | None = None) -> Tail:
    """Return the tail of the signed-rank statistic in the direction that it lies.

    Parameters
    ----------
    difference : ndarray of float, shape (pairs,)
        None of them 0.
    least : float
        Sizes nearer than this are tied, and share their mean rank.
    exact : bool, optional
        By the distribution itself, by default up to `EXACT` pairs; else by the normal one.
    """
    twice = _twice_ranks(np.abs(difference), least)
    positive = int(twice[difference > 0].sum())
    statistic = max(positive, int(twice.sum()) - positive)
    if exact if exact is not None else len(difference) <= EXACT:
        return lambda chance: _exact_tail(twice, statistic, chance)
    ranks, value = twice / 2, statistic / 2
    total, squares = float(ranks.sum()), float(ranks @ ranks)

    def tail(chance: float) -> float:
        error = np.sqrt(squares * chance * (1 - chance))
        return float(ndtr((total * chance - value) / error))

    return tail


def _twice_ranks(sizes: np.ndarray, least: float) -> np.ndarray:
    """Return twice the mean ranks, which are whole numbers."""
    order = np.argsort(sizes, kind="stable")
    group = np.cumsum(np.r_[0, np.diff(sizes[order]) > least])
    ends = np.cumsum(np.bincount(group))
    starts = np.r_[0, ends[:-1]] + 1
    ranks = np.empty(len(sizes), dtype=np.int64)
    ranks[order] = (starts + ends)[group]
    return ranks


def _exact_tail(twice: np.ndarray, statistic: int, chance: float) -> float:
    """Return P(sum of ranks >= statistic), each rank counting with probability `chance`."""
    share = np.zeros(int(twice.sum()) + 1)
    share[0], reach = 1.0, 0
    for rank in twice.tolist():
        moved = share[: reach + 1] * chance
        share[: reach + 1] *= 1 - chance
        share[rank : reach + rank + 1] += moved
        reach += rank
    return float(min(share[statistic:].sum(), 1.0))


_NOT_A_GROUP = "the population's units are not known: give by, as the effects were estimated"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the data say of an outcome in a population; text in place of what they cannot say."""

    binary: bool  # whether the outcome is 0 or 1
    deviation: float  # its standard deviation within arms: the root of the arms' mean variance
    regression: Regression | str  # with the design's weights
    before: Regression | str  # of the units as they were before the design made covariates alike
    pairs: PairTest | str


@dataclass(frozen=True, eq=False)
class Seen:
    """A design with outcomes, and what was found of them so far."""

    design: Design
    outcomes: Outcomes
    by: pd.Series | np.ndarray | None  # (n,): groups of the treated
    benchmarks: tuple[str, ...]  # covariates whose strength is asked for
    yardstick: str = "before"  # "before", "design": where `Evidence.before` is measured

    @cached_property
    def labels(self) -> np.ndarray | None:
        """Group of each unit, where groups were given."""
        return None if self.by is None else labels_of(self.design, self.by)

    @cached_property
    def groups(self) -> dict[str, np.ndarray | None]:
        """The part each unit plays in each population."""
        own = {} if self.labels is None else populations(self.design, self.labels)
        return {WHOLE: None, **own}

    @cached_property
    def pairs(self) -> np.ndarray | str:
        """Rows of each pair."""
        return matched_pairs(self.design)

    @cached_property
    def so_far(self) -> dict[tuple[int, str], Evidence]:
        """What was worked out so far, by outcome's place and population."""
        return {}

    def of(self, effect: dict[Any, Any]) -> Evidence:
        """Return what the data say of an effect; outcomes known of the same units go together."""
        place, population = self.place(effect), str(effect["population"])
        if (place, population) not in self.so_far:
            places, known = next(one for one in self.outcomes.by_missing() if place in one[0])
            self.so_far.update(self.evidence(places, known, population))
        return self.so_far[place, population]

    def place(self, effect: dict[Any, Any]) -> int:
        """Return the outcome's place among those given."""
        name, months = str(effect["outcome"]), effect.get("months")
        places = [at for at, one in enumerate(self.outcomes.names) if one == name]
        if len(places) > 1 and not pd.isna(months):
            places = [at for at in places if self.outcomes.months[at] == months]
        if len(places) != 1:
            near = suggest(name, self.outcomes.names)
            raise ParameterError(
                f"The effects are of {name}, which is not among the outcomes given. {near}"
                if not places else f"More than one of the outcomes given is named {name}."
            )  # fmt: skip
        return places[0]

    def evidence(
        self, places: list[int], known: np.ndarray, population: str
    ) -> dict[tuple[int, str], Evidence]:
        """Work out what the data say of some outcomes, known of the same units."""
        values = self.outcomes.values[:, places]  # noqa: PD011
        part = self.groups.get(population)
        weights = self.design.weights * known * (1.0 if part is None else part)
        inside = 1.0 if part is None else self.labels == population
        regression: list[Regression | str] = [_NOT_A_GROUP] * len(places)
        before = regression
        if population in self.groups:
            regression = before = self.regressions(weights, values)
            if self.yardstick == "before":
                before = self.regressions(self.design.study.sampling * known * inside, values)
        sample = values[known & (self.design.weights > 0)]
        results = {}
        for at, place in enumerate(places):
            binary = bool(np.isin(sample[:, at], (0.0, 1.0)).all())
            results[place, population] = Evidence(
                binary,
                _deviation(values[:, at], weights, self.design.study.treated),
                regression[at],
                before[at],
                self.test(values[:, at], population, binary),
            )
        return results

    def regressions(self, weights: np.ndarray, values: np.ndarray) -> list[Regression | str]:
        """Return the regressions of outcomes on treatment and covariates."""
        study = self.design.study
        if not (weights[study.treated].any() and weights[~study.treated].any()):
            return ["an arm has no unit whose outcome is known"] * values.shape[1]
        known = np.where((weights > 0)[:, None], values, 0.0)
        return regressions(study.covariates, study.treated, weights, known, self.benchmarks)

    def test(self, values: np.ndarray, population: str, binary: bool) -> PairTest | str:
        """Return the test of the pairs whose treated unit is in the population."""
        if population not in self.groups:
            return _NOT_A_GROUP
        if isinstance(self.pairs, str):
            return self.pairs
        first, second = self.pairs.T
        part = self.groups[population]
        if part is not None:
            inside = part[first] > 0
            first, second = first[inside], second[inside]
        return pair_test(values[first], values[second], binary=binary)


def _deviation(values: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> float:
    variances = []
    for arm in (treated, ~treated):
        rows = np.flatnonzero(arm & (weights > 0))
        if not len(rows):
            return float("nan")
        share, own = weights[rows] / weights[rows].sum(), values[rows] - values[rows[0]]
        spread = own - share @ own
        rounding = 1e-13 * np.abs(values[rows]).max()
        variances.append(share @ spread**2 if np.abs(spread).max() > rounding else 0.0)
    return float(np.sqrt(np.mean(variances)))
