"""Weighted two-way comparisons: unit weights, time weights and effects, many samples at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SYNTHETIC_DID = "synthetic_difference_in_differences"
SYNTHETIC_CONTROL = "synthetic_control"
DID = "difference_in_differences"
KINDS = (SYNTHETIC_DID, SYNTHETIC_CONTROL, DID)

#: Of the noise: a penalty that only makes weights unique, as in synthdid.
_LEAST = 1e-6
#: Penalties below this part of the points' mean squared length go to non-negative least squares.
_STRONG = 1e-4
#: Newton steps; what has not ended by then goes to non-negative least squares.
_STEPS = 60
#: Numbers held at a time by a batch of samples.
_BATCH = 400_000


def noise_of(comparison: np.ndarray) -> float:
    """Return the standard deviation of first differences, units by periods before."""
    return float(np.diff(comparison, axis=1).std(ddof=1))


@dataclass(frozen=True, eq=False)
class Block:
    """Comparison units beside those first treated in one period."""

    kind: str  # one of `KINDS`
    comparison: np.ndarray  # (units, periods)
    treated: np.ndarray  # (treated units, periods)
    before: int  # how many periods come before the first treated one
    noise: float  # standard deviation that the penalties are multiples of

    @property
    def cells(self) -> int:
        """How many cells are treated."""
        return self.treated.shape[0] * (self.treated.shape[1] - self.before)

    @property
    def penalty(self) -> float:
        """Zeta of the unit weights (Arkhangelsky and others 2021, equation 5)."""
        return self.noise * (self.cells**0.25 if self.kind == SYNTHETIC_DID else _LEAST)

    def contrasts(self, series: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return gaps from each series' own level over time weights, periods last."""
        level = np.einsum("...t,...t->...", series[..., : self.before], times)
        return series - level[..., None]


@dataclass(frozen=True, eq=False)
class Solved:
    """Weights of each sample and what follows: gaps (samples, periods), effects, fits.

    `fit` is the root mean squared gap before: about its own mean where a difference in level is
    allowed for, else about 0; `after` the root mean squared gap after.
    """

    units: np.ndarray
    times: np.ndarray
    gaps: np.ndarray
    effect: np.ndarray
    fit: np.ndarray
    after: np.ndarray


def solve(block: Block, targets: np.ndarray, counts: np.ndarray) -> Solved:
    """Return weights and effects of samples of comparison units.

    Parameters
    ----------
    block : Block
        Its kind, comparison units, periods and noise; not its treated units.
    targets : ndarray, shape (samples, periods)
        Mean outcome of what stands as treated.
    counts : ndarray of float, shape (samples, units)
        How often each comparison unit is in the sample.

    Notes
    -----
    The effect is the mean gap after: the treated less the weighted comparison, less the same over
    the periods before by time weights (none in a synthetic control).
    """
    outcome, before = block.comparison, block.before
    units = _unit_weights(block, targets, counts)
    if block.kind == SYNTHETIC_CONTROL:
        times = np.zeros((len(targets), before))
    elif block.kind == DID:
        times = np.full((len(targets), before), 1 / before)
    else:
        times = _time_weights(block, counts)
    gaps = block.contrasts(targets - units @ outcome, times)
    early = gaps[:, :before]
    if block.kind != SYNTHETIC_CONTROL:
        early = early - early.mean(axis=1, keepdims=True)
    return Solved(
        units, times, gaps, gaps[:, before:].mean(axis=1), np.sqrt((early**2).mean(axis=1)),
        np.sqrt((gaps[:, before:] ** 2).mean(axis=1)),
    )  # fmt: skip


def _unit_weights(block: Block, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    if block.kind == DID:
        return counts / counts.sum(axis=1, keepdims=True)
    periods = block.before
    points, goals = block.comparison[:, :periods].T, targets[:, :periods]
    if block.kind == SYNTHETIC_DID:  # a difference in level is allowed for
        points = points - points.mean(axis=0)
        goals = goals - goals.mean(axis=1, keepdims=True)
    size = max(1, _BATCH // points.size)
    found = [
        simplex_weights(
            points - goals[start : start + size, :, None], periods * block.penalty**2,
            counts[start : start + size],
        )
        for start in range(0, len(goals), size)
    ]  # fmt: skip
    return np.concatenate(found)


def _time_weights(block: Block, counts: np.ndarray) -> np.ndarray:
    early, late = block.comparison[:, : block.before], block.comparison[:, block.before :]
    points = early - late.mean(axis=1, keepdims=True)
    found = np.empty((len(counts), block.before))
    even = np.ones(block.before)
    for sample, count in enumerate(counts):
        total = count.sum()
        centred = points - (count @ points) / total
        # Its triangle has the same inner products in fewer rows.
        root = np.asarray(np.linalg.qr(np.sqrt(count)[:, None] * centred, mode="r"))
        found[sample] = _least_squares(root, total * (_LEAST * block.noise) ** 2, even)
    return found


# ------------------------------------------------------- the point of least norm of a hull


def simplex_weights(points: np.ndarray, penalty: float, counts: np.ndarray) -> np.ndarray:
    """Return the weights on a simplex that bring points nearest to 0.

    Parameters
    ----------
    points : ndarray, shape (samples, rows, points)
        One point a column: what is weighted, less what is to be met.
    penalty : float
        On the sum of squared weights.
    counts : ndarray, shape (samples, points)
        How often a point is there; copies share its weight alike. 0 leaves a point out.

    Returns
    -------
    ndarray, shape (samples, points)
        At least 0, each row adding to 1, at the optimum of ``|points w|^2 + penalty |w|^2``.

    Notes
    -----
    With ``w`` proportional to ``max(0, 1 - points'u)``, ``u`` minimises ``penalty |u|^2 +
    |max(0, 1 - points'u)|^2``: convex, without bounds, and in as many unknowns as there are rows.
    Newton's method with a line search ends at its optimum in finitely many steps (Mangasarian
    2002, A finite Newton method for classification). Where the penalty is too small for that,
    non-negative least squares with one further row of ones finds the same weights (Lawson and
    Hanson 1974, chapter 23), without squaring the points.

    Examples
    --------
    >>> simplex_weights(np.array([[[-1.0, 2.0]]]), 0.0, np.ones((1, 2))).round(6)
    array([[0.666667, 0.333333]])
    """
    left = (points * (counts > 0)[:, None, :]) ** 2
    scale = left.sum(axis=(1, 2)) / np.maximum((counts > 0).sum(axis=1), 1)
    weights = np.zeros(counts.shape)
    done = np.zeros(len(points), dtype=bool)
    strong = np.flatnonzero((penalty > _STRONG * scale) & (scale > 0))
    if len(strong):
        size = np.sqrt(scale[strong])
        weights[strong], done[strong] = _newton(
            points[strong] / size[:, None, None], penalty / scale[strong], counts[strong]
        )
    for sample in np.flatnonzero(~done):
        weights[sample] = _least_squares(points[sample], penalty, counts[sample])
    return weights


def _newton(
    points: np.ndarray, penalty: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of each sample, and whether the optimum was reached."""
    samples, rows, _ = points.shape
    dual, identity = np.zeros((samples, rows)), np.eye(rows)
    done = np.zeros(samples, dtype=bool)

    def slack_of(which: np.ndarray, at: np.ndarray) -> np.ndarray:
        return 1 - np.matmul(at[:, None, :], points[which])[:, 0]

    def value(which: np.ndarray, at: np.ndarray) -> np.ndarray:
        hinge = np.maximum(slack_of(which, at), 0) ** 2
        return penalty[which] * (at**2).sum(axis=1) + (counts[which] * hinge).sum(axis=1)

    for _ in range(_STEPS):
        which = np.flatnonzero(~done)
        if not len(which):
            break
        at, slack = dual[which], slack_of(which, dual[which])
        active = np.where(slack > 0, counts[which], 0.0)
        weighted = points[which] * active[:, None, :]
        hessian = np.matmul(weighted, points[which].transpose(0, 2, 1))
        hessian += penalty[which, None, None] * identity
        step = np.linalg.solve(hessian, weighted.sum(axis=2)[..., None])[..., 0] - at
        length, before = np.ones(len(which)), value(which, at)
        for _ in range(30):
            worse = value(which, at + length[:, None] * step) > before * (1 + 1e-14)
            if not worse.any():
                break
            length[worse] /= 2
        dual[which] = at + length[:, None] * step
        same = ((slack_of(which, dual[which]) > 0) == (slack > 0)) | (counts[which] == 0)
        small = np.abs(step).max(axis=1) <= 1e-13 * np.abs(dual[which]).max(axis=1)
        done[which] = (same.all(axis=1) & (length == 1)) | small
    weights = counts * np.maximum(slack_of(np.arange(samples), dual), 0)
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1), done & (total[:, 0] > 0)


def _least_squares(points: np.ndarray, penalty: float, counts: np.ndarray) -> np.ndarray:
    from scipy.optimize import nnls  # noqa: PLC0415 (takes long to import)

    held = np.flatnonzero(counts > 0)
    columns = points[:, held]
    scale = np.sqrt((columns**2).sum() / len(held))
    weights = np.zeros(len(counts))
    if scale == 0:  # every point meets the target
        weights[held] = counts[held] / counts[held].sum()
        return weights
    root = np.diag(np.sqrt(penalty / counts[held]) / scale)
    system = np.vstack([columns / scale, root, np.ones(len(held))])
    goal = np.zeros(len(system))
    goal[-1] = 1
    found, _ = nnls(system, goal, maxiter=50 * len(held))
    weights[held] = found / found.sum()
    return weights


# -------------------------------------------------------------- blocks, together


@dataclass(frozen=True, eq=False)
class Drawn:
    """Of each sample: its effect, its fit before and its root mean squared gap after."""

    effect: np.ndarray
    fit: np.ndarray
    after: np.ndarray


def together(solved: Sequence[Solved], cells: np.ndarray) -> Drawn:
    """Return samples' effects and fits over blocks, by treated cells (of all samples or each)."""
    shares = cells / cells.sum(axis=-1, keepdims=True)

    def over(values: list[np.ndarray]) -> np.ndarray:
        return (np.stack(values, axis=-1) * shares).sum(axis=-1)

    return Drawn(
        over([one.effect for one in solved]), np.sqrt(over([one.fit**2 for one in solved])),
        np.sqrt(over([one.after**2 for one in solved])),
    )  # fmt: skip


def cells_of(blocks: Sequence[Block]) -> np.ndarray:
    """Return how many cells each block treats."""
    return np.array([block.cells for block in blocks], dtype=float)


def fitted(blocks: Sequence[Block]) -> list[Solved]:
    """Return each block's own weights and effect, as one sample."""
    return [
        solve(block, block.treated.mean(axis=0)[None], np.ones((1, len(block.comparison))))
        for block in blocks
    ]


def without_each(blocks: Sequence[Block]) -> Drawn:
    """Return what is estimated with each comparison unit left out in turn, weights made again."""
    size = len(blocks[0].comparison)
    counts = 1.0 - np.eye(size)
    solved = [
        solve(block, np.repeat(block.treated.mean(axis=0)[None], size, axis=0), counts)
        for block in blocks
    ]
    return together(solved, cells_of(blocks))


def placebo(blocks: Sequence[Block], sets: np.ndarray) -> Drawn:
    """Return what is estimated with sets of comparison units in place of the treated.

    Parameters
    ----------
    sets : ndarray of int, shape (samples, treated units)
        Positions of comparison units; those of the first block's treated come first. The truly
        treated are in no sample, and penalties stay what they were (Algorithm 4).
    """
    counts = np.ones((len(sets), len(blocks[0].comparison)))
    np.put_along_axis(counts, sets, 0.0, axis=1)
    ends = np.cumsum([len(block.treated) for block in blocks])
    solved = [
        solve(block, block.comparison[part].mean(axis=1), counts)
        for block, part in zip(blocks, np.split(sets, ends[:-1], axis=1), strict=True)
    ]
    return together(solved, cells_of(blocks))


def resampled(blocks: Sequence[Block], counts: np.ndarray) -> np.ndarray:
    """Return effects in samples of all units, weights made again (Algorithm 2).

    Parameters
    ----------
    counts : ndarray, shape (samples, units)
        Comparison units first, then the treated, block by block; some of either in each sample.
    """
    size = len(blocks[0].comparison)
    ends = size + np.cumsum([0, *(len(block.treated) for block in blocks)])
    solved, cells = [], []
    for block, start, end in zip(blocks, ends, ends[1:], strict=False):
        own = counts[:, start:end]
        many = own.sum(axis=1)
        # A block without any unit in a sample has no cells there, and any target will do.
        shares = (
            np.where(many[:, None] > 0, own, 1) / np.where(many > 0, many, end - start)[:, None]
        )
        solved.append(solve(block, shares @ block.treated, counts[:, :size]))
        cells.append(many * (block.treated.shape[1] - block.before))
    return together(solved, np.stack(cells, axis=1)).effect


def left_out(blocks: Sequence[Block], solved: Sequence[Solved]) -> np.ndarray:
    """Return the effect with each unit left out and weights held (Algorithm 3).

    Returns
    -------
    ndarray, shape (units,)
        Comparison units first, then the treated, block by block. NaN where what is left cannot
        be compared: the one unit with weight, or a block's one treated unit.
    """
    cells, effects = cells_of(blocks), []
    own = np.array([one.effect[0] for one in solved])
    comparison = np.zeros(len(blocks[0].comparison))
    for block, one, share in zip(blocks, solved, cells / cells.sum(), strict=True):
        weights, times = one.units[0], one.times[0]
        each = block.contrasts(block.comparison, times)[:, block.before :].mean(axis=1)
        middle = weights @ each
        rest = np.where(weights < 1, 1 - weights, np.nan)
        comparison += share * (one.effect[0] + middle - (middle - weights * each) / rest)
    effects.append(comparison)
    for at, (block, one) in enumerate(zip(blocks, solved, strict=True)):
        size, late = block.treated.shape[0], block.treated.shape[1] - block.before
        each = block.contrasts(block.treated, one.times[0])[:, block.before :].mean(axis=1)
        without = own[at] - (each - each.mean()) / (size - 1) if size > 1 else np.full(1, np.nan)
        left = cells - late * (np.arange(len(cells)) == at)
        others = left @ own - left[at] * own[at]
        with np.errstate(invalid="ignore", divide="ignore"):
            effects.append((others + left[at] * without) / left.sum())
    return np.concatenate(effects)
