"""Errors of groups' effects with one variance an arm, for pooling over groups that are small.

A group's own variance is hardly known where few of it were treated, and a weight of one over it is
largest where it came out too small by chance. Here all groups together say how outcomes vary within
an arm of a group; what differs between groups are the units and how they are weighted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tfeval.impact.inference.rules import FEWEST_EVENTS_POOLED, FEWEST_POOLED, expected_events
from tfeval.impact.means.estimates import Block, Estimates
from tfeval.impact.means.means import Part


@dataclass(frozen=True, eq=False)
class ForPooling:
    """Effects by group as they enter pooling.

    Attributes
    ----------
    estimates : ndarray of float, shape (effects,)
    covariance : ndarray, shape (effects, effects)
        With one variance an arm; 0 between outcomes. NaN for groups that do not count.
    """

    estimates: np.ndarray
    covariance: np.ndarray

    def some(self, rows: np.ndarray) -> ForPooling:
        """Return those of some effects."""
        return replace(
            self, estimates=self.estimates[rows], covariance=self.covariance[np.ix_(rows, rows)]
        )


@dataclass(frozen=True, eq=False)
class _Sum:
    """A group's lever times residual, of units of one kind."""

    kind: str
    rows: np.ndarray
    lever: np.ndarray
    residual: np.ndarray
    left: float


def for_pooling(held: Estimates) -> ForPooling | None:
    """Return what pooling over groups needs; None where there is one group, or parts are not known.

    Notes
    -----
    A group counts with `FEWEST_POOLED` units in each arm, and if `FEWEST_EVENTS_POOLED` of an arm
    would have the rarer values of the outcome were it like all groups together. Weights count as
    known.
    """
    populations = held.fact("population")
    if len(set(populations)) < 2 or not all(block.means.parts[0] for block in held.blocks):
        return None
    count = len(held.rows)
    covariance = np.zeros((count, count))
    units = np.minimum(held.fact("n_treated"), held.fact("n_comparison"))
    counts = (units >= FEWEST_POOLED) & (expected_events(held) >= FEWEST_EVENTS_POOLED)
    sums: dict[int, list[_Sum]] = {}
    for block in held.blocks:
        for at, column in enumerate(block.columns):
            sums[int(column)] = _sums(block, at, held.treated_arm)
    for outcome in set(held.fact("outcome")):
        columns = np.flatnonzero(held.fact("outcome") == outcome)
        own = _covariance([sums[int(column)] for column in columns], len(held.treated_arm))
        out = ~counts[columns]
        own[out], own[:, out] = np.nan, np.nan
        covariance[np.ix_(columns, columns)] = own
    return ForPooling(held.effect, covariance)


def _sums(block: Block, at: int, treated: np.ndarray) -> list[_Sum]:
    """Return a group's parts, those of the same units and levers together."""
    found: list[tuple[Part, np.ndarray, np.ndarray]] = []
    first, second = block.means.parts
    for sign, side, beside in ((1.0, first, second), (-1.0, second, first)):
        for part in side:
            if any(part is other for other in beside):
                continue  # of both means, so of no difference
            lever = part.lever if part.lever.ndim == 1 else part.lever[:, at]
            residual = sign * part.residual[:, at]
            for place, (other, its, before) in enumerate(found):
                same = np.array_equal(other.rows, part.rows) and np.allclose(
                    its, lever, rtol=1e-9, atol=0.0
                )
                if same:
                    found[place] = (other, its, before + residual)
                    break
            else:
                found.append((part, lever, residual))
    return [
        _Sum(_kind(part, treated), part.rows, lever, residual, float((1 - part.leverage).sum()))
        for part, lever, residual in found
    ]


def _kind(part: Part, treated: np.ndarray) -> str:
    arm = treated[part.rows]
    return "treated" if arm.all() else "comparison" if not arm.any() else "both"


def _covariance(groups: list[list[_Sum]], size: int) -> np.ndarray:
    from scipy.sparse import csc_array  # noqa: PLC0415

    total = np.zeros((len(groups), len(groups)))
    for kind in ("treated", "comparison", "both"):
        own = [(place, one) for place, group in enumerate(groups) for one in group
               if one.kind == kind]  # fmt: skip
        left = sum(one.left for _, one in own)
        if not left > 0:
            continue
        variance = sum(float(one.residual @ one.residual) for _, one in own) / left
        rows = np.concatenate([one.rows for _, one in own])
        places = np.repeat([place for place, _ in own], [len(one.rows) for _, one in own])
        levers = csc_array(
            (np.concatenate([one.lever for _, one in own]), (rows, places)), (size, len(groups))
        )  # few units count in several groups
        total += variance * (levers.T @ levers).toarray()
    return total
