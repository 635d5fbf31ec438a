"""One group against others between two periods: estimates, and each unit's influence on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from tfeval.impact.inference.rules import (
    COLLINEAR,
    ESTIMATED,
    NO_COMPARISON,
    NO_OVERLAP,
    NO_TREATED,
    REFERENCE,
)
from tfeval.impact.panel.group_logit import BLOCK, Arm, Near, are_many, blocks, is_singular, logit

#: How the comparison is made alike: the keys of `method`.
DOUBLY_ROBUST, REGRESSION, WEIGHTING = "doubly_robust", "regression", "inverse_weighting"
METHODS = (DOUBLY_ROBUST, REGRESSION, WEIGHTING)
#: A linear predictor from which a unit's probability of the group is 0.999: no overlap.
FAR = float(np.log(0.999 / 0.001))


@dataclass(frozen=True, eq=False)
class Sample:
    """Units in the order of their groups."""

    x: np.ndarray  # (1 + covariates, n): ones, then the covariates
    weight: np.ndarray  # (n,): sampling weights
    y: np.ndarray  # (times, n)
    starts: np.ndarray  # (groups + 1,) int: group g holds units starts[g] to starts[g + 1]

    def groups(self, wanted: tuple[int, ...]) -> list[slice]:
        """Return where groups stand; those side by side in one."""
        slices: list[slice] = []
        for group in sorted(wanted):
            start, stop = int(self.starts[group]), int(self.starts[group + 1])
            if slices and slices[-1].stop == start:
                slices[-1] = slice(slices[-1].start, stop)
            else:
                slices.append(slice(start, stop))
        return [part for part in slices if part.stop > part.start]

    def among(self, kept: np.ndarray, times: list[int]) -> Sample:
        """Return the sample of some units (a mask) and periods."""
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return Sample(self.x[:, kept], self.weight[kept], self.y[times][:, kept], starts)

    @cached_property
    def single(self) -> tuple[np.ndarray, np.ndarray]:
        """Covariates and weights in single precision, for steps that need no more."""
        return self.x.astype(np.float32), self.weight.astype(np.float32)

    @cached_property
    def even(self) -> bool:
        """Whether every unit weighs 1."""
        return bool((self.weight == 1.0).all())

    @cached_property
    def room(self) -> tuple[np.ndarray, np.ndarray]:
        """Odds and probabilities of one fit at a time, each (n,): memory that is not asked anew."""
        return np.empty(self.x.shape[1]), np.empty(self.x.shape[1])

    @cached_property
    def products(self) -> tuple[np.ndarray, np.ndarray]:
        """Weighted products of x with x and y: (groups, k, k) and (groups, k, times)."""
        k, count = len(self.x), len(self.starts) - 1
        xx, xy = np.zeros((count, k, k)), np.zeros((count, k, len(self.y)))
        for group in range(count):
            for block in blocks(self.groups((group,))):
                weighted = self.x[:, block] * self.weight[block]
                xx[group] += weighted @ self.x[:, block].T
                xy[group] += weighted @ self.y[:, block].T
        return xx, xy


@dataclass(frozen=True)
class Arms:
    """The groups whose effect a row is, and those they are compared with."""

    treated: tuple[int, ...]
    comparison: tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """A group in a period, and since which period it changed; both as places among the periods."""

    group: int
    time: int
    later: int
    base: int
    arms: Arms

    @property
    def row(self) -> dict[str, Any]:
        """What a period set against itself is."""
        return {"estimate": 0.0, "n_left_out": 0, "status": REFERENCE}


Rows = list[dict[str, Any]]


def fill_panel(
    sample: Sample, plan: list[Cell], method: str, mix: np.ndarray | None = None
) -> tuple[Rows, np.ndarray]:
    """Return rows of estimates and influences, (cells, n), from units' own changes.

    With `mix`, shape (sums, cells), influences are summed by it, shape (sums, n), over the cells
    that have an estimate.
    """
    units = sample.x.shape[1]
    influence = np.zeros((len(plan) if mix is None else len(mix), units))
    rows: Rows = []
    whole = np.isfinite(sample.y).all()
    room = None if mix is None else np.empty((max(sample.y.shape[0], 1), units))
    for _, cells in groupby(plan, key=lambda cell: cell.arms.treated):
        near: Near | None = None
        # Periods with the same comparison share all but the outcomes.
        for (arms, fixed), some in groupby(cells, lambda one: (one.arms, one.later == one.base)):
            own, counts = list(some), counted(sample.starts, arms)
            places = slice(len(rows), len(rows) + len(own))
            if fixed:
                rows += [{**cell.row, **counts} for cell in own]
                continue
            out = influence[places] if room is None else room[: len(own)]
            if not whole:
                out[:] = 0.0
                rows += [_fill_seen(sample, *one, method) for one in zip(own, out, strict=True)]
            else:
                later, base = zip(*((one.later, one.base) for one in own), strict=True)
                pairs = Pairs(arms.treated[0], arms.comparison, later, base)
                fit = panel_fit(sample, pairs, method, out, near)
                near = fit.near
                rows += [{"estimate": one, **counts, "n_left_out": 0, "status": fit.status}
                         for one in fit.estimate]  # fmt: skip
            if mix is not None:
                known = np.isfinite([row["estimate"] for row in rows[places]])
                _add(sample, arms, mix[:, places] * known, out, influence)
    return rows, influence


def _add(
    sample: Sample, arms: Arms, mix: np.ndarray, out: np.ndarray, influence: np.ndarray
) -> None:
    """Add influences to the sums that they are part of."""
    used, room = list(zip(*np.nonzero(mix), strict=True)), np.empty(BLOCK)
    for block in blocks(sample.groups((*arms.treated, *arms.comparison))):
        part = room[: block.stop - block.start]
        for row, place in used:
            influence[row, block] += np.multiply(mix[row, place], out[place, block], out=part)


def _fill_seen(sample: Sample, cell: Cell, out: np.ndarray, method: str) -> dict[str, Any]:
    """Fill in one group and period from the units that are seen in both of its periods."""
    counts, both = counted(sample.starts, cell.arms), [cell.later, cell.base]
    kept = np.isfinite(sample.y[both]).all(axis=0)
    part, own = sample.among(kept, both), np.zeros((1, int(kept.sum())))
    pairs = Pairs(cell.arms.treated[0], cell.arms.comparison, (0,), (1,))
    fit = panel_fit(part, pairs, method, own)
    out[kept] = own[0]
    had = counted(part.starts, cell.arms)
    return {"estimate": fit.estimate[0], **had, "status": fit.status,
            "n_left_out": sum(counts.values()) - sum(had.values())}  # fmt: skip


def counted(starts: np.ndarray, arms: Arms) -> dict[str, int]:
    """Return how many units either arm has."""
    sizes = np.diff(starts)
    return {"n_treated": int(sizes[list(arms.treated)].sum()),
            "n_comparison": int(sizes[list(arms.comparison)].sum())}  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """A group, those it is compared with, and pairs of periods, as rows of y."""

    treated: int
    comparison: tuple[int, ...]
    later: tuple[int, ...]
    base: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Fit:
    """What two by two groups and periods give."""

    estimate: np.ndarray  # (pairs,)
    status: str = ESTIMATED  # `ESTIMATED`, or why there is none; for all pairs
    near: Near | None = None  # where a fit of the same group may start


def panel_fit(
    sample: Sample, pairs: Pairs, method: str, out: np.ndarray, near: Near | None = None
) -> Fit:
    """Return a group's effects in some periods, from changes since their bases.

    Parameters
    ----------
    sample : Sample
        Without missing outcomes in the periods.
    method : str
        One of `METHODS`.
    out : ndarray, shape (pairs, n)
        Where the influences are written; the sum of squares is the variance.
    near : Near, optional
        Of the same group with another comparison.

    Notes
    -----
    Sant'Anna and Zhao (2020), equations 2.2 to 2.5 and 3.1, with normalised weights, a logistic
    propensity score by maximum likelihood and a linear outcome model by least squares. All that
    depends on the covariates alone is computed once for all periods: products of covariates and
    outcomes by group add up to any comparison group.
    """
    nothing = np.full(len(pairs.later), np.nan)
    own, others = sample.groups((pairs.treated,)), sample.groups(pairs.comparison)
    if not own or not others:
        return Fit(nothing, NO_COMPARISON if own else NO_TREATED)
    xx, xy = sample.products
    later, base, among = list(pairs.later), list(pairs.base), list(pairs.comparison)
    changes, gram = xy[:, :, later] - xy[:, :, base], xx[among].sum(axis=0)
    if len(sample.x) == 1:
        method = REGRESSION  # without covariates all three are the difference of mean changes
    if method != WEIGHTING and is_singular(gram):
        return Fit(nothing, COLLINEAR)
    total = float(xx[pairs.treated][0, 0])
    mean = xx[pairs.treated][0] / total
    beta, along = np.zeros((len(gram), len(later))), np.zeros(len(gram))
    if method != WEIGHTING:
        beta = np.linalg.solve(gram, changes[among].sum(axis=0))
    first = changes[pairs.treated][0] / total - mean @ beta
    odds = None
    if method != REGRESSION:
        odds = odds_of(sample, pairs, beta, near, out)
        if odds is None:
            out[:] = 0.0
            return Fit(nothing, NO_OVERLAP)
    if method != WEIGHTING:
        along = np.linalg.solve(gram, mean if odds is None else mean - odds.covariates)
    _write(sample, pairs, Fitted(beta, first, along, total), odds, out)
    if odds is None:
        return Fit(first)
    return Fit(
        first - odds.mean - odds.left, near=(odds.coefficients, float(xx[among, 0, 0].sum()))
    )


@dataclass(frozen=True, eq=False)
class Fitted:
    """The comparison's regression of changes, and what the group changed beyond it."""

    beta: np.ndarray  # (k, pairs)
    first: np.ndarray  # (pairs,): mean of the group's changes less their regression
    along: np.ndarray  # (k,): how the estimates answer to the regression's scores
    total: float  # the group's weight


@dataclass(frozen=True, eq=False)
class Odds:
    """Comparison units weighted by the odds of being in the group."""

    coefficients: np.ndarray  # (k,): of the logistic regression of the group on the covariates
    weights: np.ndarray  # (n,): odds times sampling weights, where there are comparison units
    #: (n,): probabilities of the arm that a unit is not in, times sampling weights.
    chances: np.ndarray
    total: float  # sum of the weights
    covariates: np.ndarray  # (k,): weighted means
    mean: np.ndarray  # (pairs,): weighted means of the changes less their regression
    #: (k, pairs): how the estimates answer to the scores of the logistic regression.
    slope: np.ndarray
    left: np.ndarray  # (pairs,): what these scores, which are nearly 0, still add


def odds_of(
    sample: Sample, pairs: Pairs, beta: np.ndarray, near: Near | None, out: np.ndarray
) -> Odds | None:
    """Return the comparison units' odds, or None where the group does not overlap with them.

    Their changes less the regression are left in `out`.
    """
    own, others = sample.groups((pairs.treated,)), sample.groups(pairs.comparison)
    xx = sample.products[0]
    products = xx[pairs.treated], xx[list(pairs.comparison)].sum(axis=0)
    fitted = logit(_arms(sample, own, others), near, products)
    if fitted is None:
        return None
    coefficients, information = fitted
    weights, chances = sample.room
    score, highest = np.zeros(len(beta)), -np.inf
    for block in blocks(own):
        x, odds = sample.x[:, block], chances[block]
        highest = max(highest, _odds(coefficients, x, odds))
        chance = np.reciprocal(np.add(odds, 1.0, out=odds), out=odds)  # of not being in it
        if not sample.even:
            chance *= sample.weight[block]
        score += x @ chance
    room = np.empty((2 + len(pairs.later), BLOCK))
    sums = np.zeros((len(beta), len(room)))
    for block in blocks(others):
        x, odds, chance = sample.x[:, block], weights[block], chances[block]
        highest = max(highest, _odds(coefficients, x, odds))
        np.divide(odds, np.add(odds, 1.0, out=chance), out=chance)
        if not sample.even:
            odds *= sample.weight[block]
            chance *= sample.weight[block]
        part = room[:, : x.shape[1]]
        part[0], part[1] = chance, odds
        np.multiply(_changes(sample, pairs, beta, block, out), odds, out=part[2:])
        sums += x @ part.T
    if highest >= FAR:
        return None
    totals, changes = sums[:, 1], sums[:, 2:]
    mean = changes[0] / totals[0]
    slope = np.linalg.solve(information, (changes - np.outer(totals, mean)) / totals[0])
    return Odds(
        coefficients,
        weights,
        chances,
        totals[0],
        totals / totals[0],
        mean,
        slope,
        (score - sums[:, 0]) @ slope,
    )


def _arms(sample: Sample, own: list[slice], others: list[slice]) -> list[Arm]:
    many = are_many(sum(part.stop - part.start for part in (*own, *others)))
    x, weight = sample.single if many else (sample.x, sample.weight)
    return [
        (x[:, part], None if sample.even else weight[part], arm)
        for parts, arm in ((own, 1.0), (others, 0.0)) for part in parts
    ]  # fmt: skip


def _odds(coefficients: np.ndarray, x: np.ndarray, out: np.ndarray) -> float:
    """Write units' odds of the group, and return the largest logarithm of one."""
    np.matmul(coefficients, x, out=out)
    highest = float(out.max())
    np.exp(out, out=out)
    return highest


def _changes(
    sample: Sample, pairs: Pairs, beta: np.ndarray, block: slice, out: np.ndarray
) -> np.ndarray:
    """Write units' changes less their regression into `out`; return them."""
    part = np.matmul(beta.T, sample.x[:, block], out=out[:, block])
    for own, later, base in zip(part, pairs.later, pairs.base, strict=True):
        np.subtract(sample.y[later, block], own, out=own)
        np.subtract(own, sample.y[base, block], out=own)
    return part


def _write(
    sample: Sample, pairs: Pairs, fitted: Fitted, odds: Odds | None, out: np.ndarray
) -> None:
    """Write the influences of the group's units, and of those it is compared with."""
    rows = np.empty((len(pairs.later), BLOCK))
    for block in blocks(sample.groups((pairs.treated,))):
        x, weight = sample.x[:, block], sample.weight[block]
        part = _changes(sample, pairs, fitted.beta, block, out)
        part -= fitted.first[:, None]
        part *= weight / fitted.total
        if odds is not None:
            scored = np.matmul(odds.slope.T, x, out=rows[:, : x.shape[1]])
            scored *= odds.chances[block]
            part -= scored
    for block in blocks(sample.groups(pairs.comparison)):
        x = sample.x[:, block]
        share = fitted.along @ x
        if not sample.even:
            share *= sample.weight[block]
        if odds is None:
            _changes(sample, pairs, fitted.beta, block, out)
            out[:, block] *= -share
            continue
        part = out[:, block]  # as `odds_of` left it
        ratio = odds.weights[block] * (1.0 / odds.total)
        share += ratio
        part *= np.negative(share, out=share)
        scored = np.matmul(odds.slope.T, x, out=rows[:, : x.shape[1]])
        scored *= odds.chances[block]
        part += scored
        part += np.multiply(odds.mean[:, None], ratio, out=scored)
