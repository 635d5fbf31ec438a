"""Estimates of many outcomes in many populations, before their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.balance.rows import effective_sample_size
from tfeval.impact.design.design import Design
from tfeval.impact.means.influence import Influence, Means, Through, of_design
from tfeval.impact.means.outcomes import Outcomes

if TYPE_CHECKING:
    from tfeval.impact.means.influence import Means


# Which covariates the regressions of outcomes had to leave out, and why.

#: Why, by the name of the attribute of `Means`.
REASONS = {
    "aliased": "they do not vary or repeat others there",
    "crowded": "there are too few units for so many",
}
_ARMS = ("treated", "comparison units")
#: Names that a note gives before it counts the others.
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Covariates left out of regressions, gathered over populations."""

    names: tuple[str, ...] = ()  # (k,): source of each number that a unit has
    #: By reason and arm, for each source the populations in whose regression it, or a level of it,
    #: was left out.
    places: Mapping[tuple[str, int], dict[str, set[str]]] = field(default_factory=dict)

    def beside(self, population: str, means: Means) -> LeftOut:
        """Return these with what one population's regressions left out."""
        places = dict(self.places)
        for reason in REASONS:
            flags = getattr(means, reason)
            if flags is None or not flags.any():
                continue
            for arm, columns in enumerate(flags):
                own = {name: set(groups) for name, groups in places.get((reason, arm), {}).items()}
                for place in np.flatnonzero(columns):
                    own.setdefault(self.names[place], set()).add(population)
                if own:
                    places[reason, arm] = own
        return replace(self, places=places)

    def notes(self, populations: int) -> tuple[str, ...]:
        """Say it in words.

        Parameters
        ----------
        populations : int
            How many there are.
        """
        notes = []
        for (reason, arm), dropped in self.places.items():
            names = [*dropped][:_SHOWN]
            more = f" and {len(dropped) - _SHOWN} more" if len(dropped) > _SHOWN else ""
            several = len(set().union(*dropped.values()))
            where = f" in {several:,} of {populations:,} groups" if populations > 1 else ""
            notes.append(
                f"Left out of the outcomes' regression among {_ARMS[arm]}{where}, since "
                f"{REASONS[reason]}: {', '.join(names)}{more}."
            )
        return tuple(notes)


Method = Callable[..., Means]
#: Difference of two values, relative to the larger, that is rounding; and a mean or an error,
#: relative to the outcome's standard deviation.
SAME, NOTHING = 1e-12, 1e-10


@dataclass(frozen=True, eq=False)
class Block:
    """Effects that were estimated together: one population, outcomes known of the same units."""

    means: Means  # without influences
    columns: np.ndarray  # int: places of its outcomes among the effects

    @classmethod
    def of(cls, means: Means, columns: np.ndarray) -> Block:
        """Return a block without the influences, which the whole table holds."""
        none = np.empty((0, 0))
        return cls(replace(means, psi_treated=none, psi_comparison=none), columns)


@dataclass(frozen=True, eq=False)
class Estimates:
    """One column an effect."""

    #: For each effect: outcome, months, population, counts of units, effective sample size.
    rows: tuple[dict[str, Any], ...]
    #: treated, comparison: (effects,): mean outcomes; NaN where not estimable.
    treated: np.ndarray
    comparison: np.ndarray
    #: psi_treated, psi_comparison: (n, effects): influence of each unit on them.
    psi_treated: np.ndarray
    psi_comparison: np.ndarray
    part: np.ndarray  # (n, effects) bool: who has weight in each
    parameters: np.ndarray  # (effects,) int: coefficients estimated
    treated_arm: np.ndarray  # (n,) bool: who was treated
    blocks: tuple[Block, ...]
    #: Which covariates the regressions of outcomes had to leave out, and where.
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def effect(self) -> np.ndarray:
        """Differences of means, shape (effects,)."""
        return self.treated - self.comparison

    def fact(self, name: str) -> np.ndarray:
        """Return one entry of all rows, shape (effects,)."""
        return np.array([row[name] for row in self.rows])

    @cached_property
    def by_mean(self) -> tuple[np.ndarray, np.ndarray]:
        """One over both means, by effect; 0 where either is not above 0."""
        both = (self.treated > 0) & (self.comparison > 0)
        first, second = (
            1.0 / np.where(both, mean, np.inf) for mean in (self.treated, self.comparison)
        )
        return first, second

    @property
    def difference(self) -> Influence:
        """Influences on the difference."""
        return self.influence(self.psi_treated - self.psi_comparison)

    @property
    def log_ratio(self) -> Influence:
        """Influences on the logarithm of the ratio of means; 0 where it has none."""
        first, second = self.by_mean
        return self.influence(self.psi_treated * first - self.psi_comparison * second)

    def influence(self, psi: np.ndarray) -> Influence:
        """Return influences of the units that have weight in each effect."""
        return Influence(psi, self.part, self.parameters)

    def through(self, by_treated: np.ndarray, by_comparison: np.ndarray) -> Through | None:
        """Return how sums of both means hang on what was estimated before; None if they do not.

        Parameters
        ----------
        by_treated, by_comparison : ndarray of float, shape (effects,)
            What the means are multiplied by; the second is taken off.
        """
        sides: tuple[list[Through], list[Through]] = [], []
        for block in self.blocks:
            if block.means.through is None:
                return None
            for side, own in zip(sides, block.means.through, strict=True):
                side.append(own)
        order = np.argsort(np.concatenate([block.columns for block in self.blocks]))
        first, second = (
            Through(
                np.hstack([own.along for own in side])[:, order],
                np.hstack([own.moved for own in side])[:, order],
            )
            for side in sides
        )
        return first.less(second, by_treated, by_comparison)


def estimates_of(
    design: Design,
    outcomes: Outcomes,
    groups: dict[str, np.ndarray | None],
    method: Method,
    *,
    stacked: bool,
) -> Estimates:
    """Estimate every outcome in every population.

    Parameters
    ----------
    groups : dict of str to ndarray or None
        As from `populations`.
    method : callable
        From a `Sample` to `Means`.
    stacked : bool
        Whether influences count that the weights were estimated.
    """
    entries: list[tuple[dict[str, Any], Means, int, np.ndarray]] = []
    left_out = LeftOut(
        names=tuple(
            design.study.labels.get(one.source, one.source)
            for one in design.study.covariates.columns
        )
    )
    for population, within in groups.items():
        own: dict[int, tuple[dict[str, Any], Means, int, np.ndarray]] = {}
        for places, known in outcomes.by_missing():
            sample = of_design(
                design, outcomes.values[:, places], known, stacked=stacked, within=within,
                names=tuple(outcomes.names[place] for place in places),
                level=outcomes.level_of(places),
            )  # fmt: skip
            if not all(len(sample.arm(treated)) for treated in (True, False)):
                continue  # nobody of one arm has the outcome in this group
            means = method(sample)
            left_out = left_out.beside(population, means)
            counts = _counts(design, sample.weights, known, within)
            for at, place in enumerate(places):
                row = {
                    "outcome": outcomes.names[place],
                    "months": outcomes.months[place],
                    "population": population,
                    **counts,
                    **_facts(outcomes.values[:, place], sample.weights, design.study.treated),
                }
                own[place] = (row, means, at, sample.weights > 0)
        entries += [own[place] for place in sorted(own)]
    if not entries:
        raise DataError(
            "No effect can be estimated: in every group an arm has no unit whose outcome is known."
        )
    return _joined(entries, design.study.treated, outcomes, left_out)


def _counts(
    design: Design, weights: np.ndarray, known: np.ndarray, within: np.ndarray | None
) -> dict[str, Any]:
    treated = design.study.treated
    inside = design.weights > 0 if within is None else (design.weights > 0) & (within > 0)
    counted = design.rows_counted
    return {
        "n_treated": counted((weights > 0) & treated),
        "n_comparison": counted((weights > 0) & ~treated),
        "n_missing": counted(inside & ~known),
        "ess_treated": float(effective_sample_size(weights[treated])),
        "ess_comparison": float(effective_sample_size(weights[~treated])),
    }


def _facts(values: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> dict[str, Any]:
    """Return what rules on errors and disclosure look at, of the units with weight.

    `events_*` are units with anything but 0; `differing_*` the weighted share of an arm that
    differs from the value in the middle, where half of all have that; `low` and `high` the two
    values of an outcome that has no others, else NaN; `spread` the standard deviation of all, and
    0 where all are alike.
    """
    inside = np.flatnonzero(weights > 0)
    own, arm, weight = values[inside], treated[inside], weights[inside]
    low, high = float(own.min()), float(own.max())
    rounding = SAME * max(abs(low), abs(high))
    varies = high - low > rounding
    differing = np.abs(own - np.partition(own, len(own) // 2)[len(own) // 2]) > rounding
    if differing.mean() > 0.5:
        differing[:] = True  # no value is so common that the others are events
    two = varies and bool(((own == low) | (own == high)).all())
    shares: dict[str, float] = {}
    for name, which in (("treated", arm), ("comparison", ~arm)):
        shares[f"events_{name}"] = int(np.count_nonzero(own[which]))
        shares[f"differing_{name}"] = float(weight[which] @ differing[which] / weight[which].sum())
    other = weight[~arm] / weight[~arm].sum()
    rest = own[~arm]
    return {
        **shares,
        "sd_comparison": float(np.sqrt(other @ (rest - other @ rest) ** 2)),
        "spread": float(own.std()) if varies else 0.0,
        "low": low if two else np.nan,
        "high": high if two else np.nan,
    }


def _joined(
    entries: list[tuple[dict[str, Any], Means, int, np.ndarray]],
    treated: np.ndarray,
    outcomes: Outcomes,
    left_out: LeftOut,
) -> Estimates:
    level = np.array([outcomes.level_of([outcomes.names.index(row["outcome"])])[0]
                      for row, *_ in entries])  # fmt: skip
    means = {id(one): one for _, one, _, _ in entries}
    blocks = tuple(
        Block.of(one, np.array([place for at, place in sorted(
            (at, place) for place, (_, other, at, _) in enumerate(entries) if other is one
        )]))
        for one in means.values()
    )  # fmt: skip
    spread = np.array([row["spread"] for row, *_ in entries])

    def settled(arm: str) -> np.ndarray:
        """Return an arm's means; where nobody has the outcome 0, and not what rounding left."""
        mean = np.array([getattr(one, arm)[at] for _, one, at, _ in entries]) + level
        return np.where(np.abs(mean) <= NOTHING * spread, 0.0, mean)

    return Estimates(
        rows=tuple(row for row, *_ in entries),
        treated=settled("treated"),
        comparison=settled("comparison"),
        psi_treated=np.column_stack([one.psi_treated[:, at] for _, one, at, _ in entries]),
        psi_comparison=np.column_stack([one.psi_comparison[:, at] for _, one, at, _ in entries]),
        part=np.column_stack([weighted for *_, weighted in entries]),
        parameters=np.array([one.parameters for _, one, _, _ in entries]),
        treated_arm=treated,
        blocks=blocks,
        left_out=left_out,
    )
