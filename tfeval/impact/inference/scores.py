"""Each effect's influences, summed and made whole as its errors ask, by arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfeval.impact.inference.rules import Ruling
from tfeval.impact.inference.small_samples import (
    Moments,
    by_cluster,
    by_unit,
    together,
    unit_moments,
)
from tfeval.impact.means.estimates import Block, Estimates
from tfeval.impact.means.means import Part
from tfeval.impact.means.variance import cluster_factor, clusters_of, sums_by, unit_factor

BY_CLUSTER = ("cr1", "cr2", "cr3")


@dataclass(frozen=True, eq=False)
class Scores:
    """What is squared and summed for a variance.

    Attributes
    ----------
    treated, comparison : ndarray, shape (n or clusters, effects)
        Of both means, in units or clusters.
    freedom : ndarray of float, shape (effects,)
        Degrees of freedom of the difference's error; infinite for the normal.
    clusters : ndarray of float, shape (effects,)
        How many; NaN where by unit.
    """

    treated: np.ndarray
    comparison: np.ndarray
    freedom: np.ndarray
    clusters: np.ndarray


def unit_scores(held: Estimates, ruling: Ruling) -> Scores:
    """Return scores by unit: HC1, and HC2 or HC3 where a ruling says so."""
    factor = np.where(ruling.kind == "hc1", unit_factor(held.part, held.parameters), 1.0)
    first, second = held.psi_treated * factor, held.psi_comparison * factor
    freedom = np.full(len(held.rows), np.inf)
    for block in held.blocks:
        columns = block.columns
        for kind in ("hc2", "hc3"):
            at = np.flatnonzero((ruling.kind[columns] == kind) & ruling.estimated[columns])
            if not len(at):
                continue
            for psi, parts in zip((first, second), block.means.parts, strict=True):
                for part in parts:
                    more = (by_unit(part, kind) - 1.0)[:, None] * _added(part)
                    psi[np.ix_(part.rows, columns[at])] += more[:, at]
            freedom[columns[at]] = _unit_freedom(block, at, kind)
    return Scores(first, second, freedom, np.full(len(held.rows), np.nan))


def cluster_scores(held: Estimates, ruling: Ruling, codes: np.ndarray) -> Scores:
    """Return scores by cluster: CR1, and CR2 or CR3 where a ruling says so."""
    count = clusters_of(held.part, codes)
    usual = cluster_factor(held.part, held.parameters, count)
    factor = np.where(ruling.kind == "cr1", usual, 1.0)
    first, second = (
        sums_by(psi, codes) * factor for psi in (held.psi_treated, held.psi_comparison)
    )
    freedom = np.maximum(count - 1.0, 1.0)
    for block in held.blocks:
        columns = block.columns
        for kind in ("cr2", "cr3"):
            at = np.flatnonzero((ruling.kind[columns] == kind) & ruling.estimated[columns])
            if len(at):
                freedom[columns[at]] = _make_whole(block, at, codes, kind, (first, second))
    return Scores(first, second, freedom, count)


def _make_whole(
    block: Block, at: np.ndarray, codes: np.ndarray, kind: str, sums: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Put a block's residuals right in the sums; return the degrees of freedom."""
    columns = block.columns[at]
    moments: list[list[Moments]] = [[] for _ in at]
    for side, parts in enumerate(block.means.parts):
        for part in parts:
            has_errors = _counts(block, part)
            own = codes[part.rows]
            counted = own >= 0
            if not counted.all():
                part = _some(part, counted)  # noqa: PLW2901
                own = own[counted]
            added = sums_by(_added(part), own)
            total = len(sums[side])
            for place, column in enumerate(columns):
                lever = part.lever if part.lever.ndim == 1 else part.lever[:, at[place]]
                if place == 0 or part.lever.ndim > 1:
                    whole, found = by_cluster(part, lever, own, total, kind)
                sums[side][: len(added), column] -= added[:, at[place]]
                sums[side][:, column] += whole[:, at[place]]
                if has_errors:
                    moments[place].append(found)
    return np.array([together(found).freedom() for found in moments])


def _unit_freedom(block: Block, at: np.ndarray, kind: str) -> np.ndarray:
    found = np.empty(len(at))
    for place, column in enumerate(at):
        several = []
        for part in _in_difference(block):
            lever = part.lever if part.lever.ndim == 1 else part.lever[:, column]
            several.append(unit_moments(part, lever, by_unit(part, kind)))
        found[place] = _apart(several).freedom()
        if all(part.lever.ndim == 1 for part in _in_difference(block)):
            found[:] = found[place]
            break
    return found


def _apart(several: list[Moments]) -> Moments:
    """Return the moments of regressions of other units: their rows one after the other."""
    ends = np.cumsum([len(one.own) for one in several])
    size = int(ends[-1])
    padded = []
    for one, end in zip(several, ends, strict=True):
        own, factor = np.zeros(size), np.zeros((size, one.factor.shape[1]))
        own[end - len(one.own) : end] = one.own
        factor[end - len(one.own) : end] = one.factor
        padded.append(Moments(own, factor, one.core))
    return together(padded)


def _in_difference(block: Block) -> list[Part]:
    return [part for side in block.means.parts for part in side if _counts(block, part)]


def _counts(block: Block, part: Part) -> bool:
    """Say whether a part has errors of its own in the difference.

    What varies with the target's covariates alone has not; a part of both means cancels.
    """
    sides = [any(part is one for one in side) for side in block.means.parts]
    return not part.of_target and not all(sides)


def _added(part: Part) -> np.ndarray:
    return (part.lever if part.lever.ndim > 1 else part.lever[:, None]) * part.residual


def _some(part: Part, rows: np.ndarray) -> Part:
    z, inverse = part.fit()
    z = z[rows]
    return Part(
        part.rows[rows], part.weights[rows], part.lever[rows], part.residual[rows], inverse,
        lambda: z, part.of_target,
    )  # fmt: skip
