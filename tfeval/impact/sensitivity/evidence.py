"""What the data say of each outcome in each population, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.impact.design.design import Design
from tfeval.impact.means.outcomes import WHOLE, Outcomes, labels_of, populations
from tfeval.impact.sensitivity.regression import Regression, regressions
from tfeval.impact.sensitivity.rosenbaum import PairTest, matched_pairs, pair_test

_NOT_A_GROUP = "the population's units are not known: give by, as the effects were estimated"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the data say of an outcome in a population; text in place of what they cannot say.

    Attributes
    ----------
    binary : bool
        Whether the outcome is 0 or 1.
    deviation : float
        Its standard deviation within arms: the root of the arms' mean variance.
    regression : Regression or str
        With the design's weights.
    before : Regression or str
        Of the units as they were before the design made covariates alike.
    pairs : PairTest or str
    """

    binary: bool
    deviation: float
    regression: Regression | str
    before: Regression | str
    pairs: PairTest | str


@dataclass(frozen=True, eq=False)
class Seen:
    """A design with outcomes, and what was found of them so far.

    Attributes
    ----------
    design : Design
    outcomes : Outcomes
    by : Series or ndarray or None, shape (n,)
        Groups of the treated.
    benchmarks : tuple of str
        Covariates whose strength is asked for.
    yardstick : {"before", "design"}
        Where `Evidence.before` is measured.
    """

    design: Design
    outcomes: Outcomes
    by: pd.Series | np.ndarray | None
    benchmarks: tuple[str, ...]
    yardstick: str = "before"

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
    def found(self) -> dict[tuple[int, str], Evidence]:
        """What was worked out so far, by outcome's place and population."""
        return {}

    def of(self, effect: dict[Any, Any]) -> Evidence:
        """Return what the data say of an effect; outcomes known of the same units go together."""
        place, population = self.place(effect), str(effect["population"])
        if (place, population) not in self.found:
            places, known = next(one for one in self.outcomes.by_missing() if place in one[0])
            self.found.update(self.evidence(places, known, population))
        return self.found[place, population]

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
        held = values[known & (self.design.weights > 0)]
        found = {}
        for at, place in enumerate(places):
            binary = bool(np.isin(held[:, at], (0.0, 1.0)).all())
            found[place, population] = Evidence(
                binary,
                _deviation(values[:, at], weights, self.design.study.treated),
                regression[at],
                before[at],
                self.test(values[:, at], population, binary),
            )
        return found

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
