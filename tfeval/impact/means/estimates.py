"""Estimates of many outcomes in many populations, before their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfeval.errors import DataError
from tfeval.impact.design.design import Design
from tfeval.impact.design.set_weights import effective_sample_size
from tfeval.impact.means.means import Means, of_design
from tfeval.impact.means.outcomes import Outcomes
from tfeval.impact.means.variance import Influence, Through

Method = Callable[..., Means]


@dataclass(frozen=True, eq=False)
class Estimates:
    """One column an effect.

    Attributes
    ----------
    rows : tuple of dict
        For each effect: outcome, months, population, counts of units, effective sample size.
    treated, comparison : ndarray of float, shape (effects,)
        Mean outcomes.
    difference, log_ratio : Influence
        Influences on the difference, and on the logarithm of the ratio (0 where it has none).
    """

    rows: tuple[dict[str, Any], ...]
    treated: np.ndarray
    comparison: np.ndarray
    difference: Influence
    log_ratio: Influence

    @property
    def effect(self) -> np.ndarray:
        """Differences of means, shape (effects,)."""
        return self.treated - self.comparison


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
    design : Design
    outcomes : Outcomes
    groups : dict of str to ndarray or None
        As from `populations`.
    method : callable
        From a `Sample` to `Means`.
    stacked : bool
        Whether influences count that the weights were estimated.

    Raises
    ------
    DataError
        If no group has an outcome in both arms; a group that has none is left out.
    """
    held: list[tuple[dict[str, Any], Means, int, np.ndarray]] = []
    for population, within in groups.items():
        own: dict[int, tuple[dict[str, Any], Means, int, np.ndarray]] = {}
        for places, known in outcomes.by_missing():
            sample = of_design(
                design, outcomes.values[:, places], known, stacked=stacked, within=within,
                names=tuple(outcomes.names[place] for place in places),
            )  # fmt: skip
            if not all(len(sample.arm(treated)) for treated in (True, False)):
                continue  # nobody of one arm has the outcome in this group
            means = method(sample)
            counts = _counts(design, sample.weights, known, within)
            for at, place in enumerate(places):
                row = {
                    "outcome": outcomes.names[place],
                    "months": outcomes.months[place],
                    "population": population,
                    **counts,
                    **_events(sample.values[:, at], sample.weights, design.study.treated),
                }
                own[place] = (row, means, at, sample.weights > 0)
        held += [own[place] for place in sorted(own)]
    if not held:
        raise DataError(
            "No effect can be estimated: in every group an arm has no unit whose outcome is known."
        )
    return _joined(held)


def _counts(
    design: Design, weights: np.ndarray, known: np.ndarray, within: np.ndarray | None
) -> dict[str, Any]:
    treated = design.study.treated
    asked = design.weights > 0 if within is None else (design.weights > 0) & (within > 0)
    return {
        "n_treated": int(np.count_nonzero(weights[treated])),
        "n_comparison": int(np.count_nonzero(weights[~treated])),
        "n_missing": int(np.count_nonzero(asked & ~known)),
        "ess_comparison": float(effective_sample_size(weights[~treated])),
    }


def _events(values: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> dict[str, float]:
    """Count units with anything but 0, by arm; and the comparison units' standard deviation."""
    some = (values != 0) & (weights > 0)
    share = weights[~treated] / weights[~treated].sum()
    own = values[~treated]
    return {
        "events_treated": int(np.count_nonzero(some & treated)),
        "events_comparison": int(np.count_nonzero(some & ~treated)),
        "sd_comparison": float(np.sqrt(share @ (own - share @ own) ** 2)),
    }


def _joined(held: list[tuple[dict[str, Any], Means, int, np.ndarray]]) -> Estimates:
    treated = np.array([means.treated[at] for _, means, at, _ in held])
    comparison = np.array([means.comparison[at] for _, means, at, _ in held])
    part = np.column_stack([weighted for *_, weighted in held])
    parameters = np.array([means.parameters for _, means, _, _ in held])
    first = np.column_stack([means.psi_treated[:, at] for _, means, at, _ in held])
    second = np.column_stack([means.psi_comparison[:, at] for _, means, at, _ in held])
    both = (treated > 0) & (comparison > 0)
    one = np.ones(len(held))
    by_treated, by_comparison = (
        1.0 / np.where(both, mean, np.inf) for mean in (treated, comparison)
    )
    ratio = first * by_treated - second * by_comparison
    return Estimates(
        rows=tuple(row for row, *_ in held),
        treated=treated,
        comparison=comparison,
        difference=Influence(first - second, part, parameters, _through(held, one, one)),
        log_ratio=Influence(ratio, part, parameters, _through(held, by_treated, by_comparison)),
    )


def _through(
    held: list[tuple[dict[str, Any], Means, int, np.ndarray]],
    by_treated: np.ndarray,
    by_comparison: np.ndarray,
) -> Through | None:
    sides: tuple[list[Through], list[Through]] = [], []
    for _, means, at, _ in held:
        if means.through is None:
            return None
        for side, one in zip(sides, means.through, strict=True):
            side.append(Through(one.along[:, at], one.moved[:, at]))
    first, second = (
        Through(
            np.column_stack([one.along for one in side]),
            np.column_stack([one.moved for one in side]),
        )
        for side in sides
    )
    return first.less(second, by_treated, by_comparison)
