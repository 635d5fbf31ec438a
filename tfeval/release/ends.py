"""How near a reader comes to hidden numbers: the ends of each under all that is shown.

Areas of one number are sums or means of one another, which two passes bound exactly; numbers of
one area bound one another, for which there are linear programmes (HiGHS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from tfeval.errors import ReportError

#: Rounds of one programme for many cells, before those left are looked at one by one.
_ROUNDS, _STALE, _DOWN = 400, 8, 3
#: A programme's answer is so exact, relative to the unit.
EXACT = 1e-6


@dataclass(frozen=True)
class Reach:
    """How near a reader comes to one hidden number.

    Attributes
    ----------
    cell : int
        Row of the frame.
    complement : bool
        Whether it is about those who have it not.
    low, high : float
        The least and the most that it can be.
    protection : float
        How far apart they must lie.
    """

    cell: int
    complement: bool
    low: float
    high: float
    protection: float

    @property
    def safe(self) -> bool:
        """Whether it cannot be computed to within its protection."""
        return self.high - self.low >= self.protection * (1 - EXACT)


@dataclass
class Block:
    """Cells that know of each other: variables, what holds between them, what is hidden."""

    low: np.ndarray
    high: np.ndarray
    equal: sparse.csr_matrix
    slack: np.ndarray
    less: sparse.csr_matrix
    by: np.ndarray
    targets: sparse.csr_matrix
    about: list[tuple[int, bool, float]]
    truth: np.ndarray | None


def reached(block: Block, known: np.ndarray | None = None) -> tuple[list[Reach], list[np.ndarray]]:
    """Return how near each target is come to, and what binds each that is too near.

    Parameters
    ----------
    block : Block
    known : ndarray of float, shape (targets, 2), optional
        The least and the most that were found while more was shown.

    Notes
    -----
    Every point that what is shown allows, it allows for all targets at once; and from each point
    every number can move by itself, as far as `_Moves` tells without a programme. The truth is
    such a point, inside. So next to all targets are seen to be safe from a few points; the others
    are looked at one by one.
    """
    solve, moves = _Programme(block), _Moves(block)
    need = np.array([unit for _, _, unit in block.about]) * (1 - EXACT)
    start = block.truth
    if start is None or not moves.allow(start):
        start = solve(np.zeros(len(block.low)))[0]
    low, high = moves.ends(start)
    if known is not None:
        low, high = np.minimum(low, known[:, 0]), np.maximum(high, known[:, 1])

    def look(objective: np.ndarray) -> np.ndarray:
        point, binding = solve(objective)
        least, most = moves.ends(point)
        np.minimum(low, least, out=low)
        np.maximum(high, most, out=high)
        return binding

    rng, stale, before = np.random.default_rng(1), 0, len(need)
    for turn in range(_ROUNDS):
        waiting = high - low < need
        if not waiting.any() or stale >= _STALE:
            break
        # Of those that share what room there is, the one that weighs most takes it.
        weight = rng.random(len(need)) ** 4 * waiting / need
        look(block.targets.T @ (weight if turn % 4 == _DOWN else -weight))
        left = int((high - low < need).sum())
        stale, before = (stale + 1 if left == before else 0), left
    bad = []
    for place in np.flatnonzero(high - low < need):
        if high[place] - low[place] < need[place]:
            own = block.targets[place].toarray().ravel()
            binds = look(own) | look(-own)
            if high[place] - low[place] < need[place]:
                bad.append(np.flatnonzero(binds))
    ends = zip(block.about, low, high, strict=True)
    return [Reach(*about[:2], float(a), float(b), about[2]) for about, a, b in ends], bad


class _Moves:
    """How far each number can move from a point, with all those of other names held.

    Then what holds between numbers are bounds on each, and the areas of one number are a tree of
    sums, whose ends follow from one pass up and one down.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.rows, self.columns = block.less.nonzero()
        self.often = block.less.data
        self.target, self.moved = block.targets.nonzero()
        self.sign = block.targets.data
        # Sums of areas by how deep they lie: parts before their whole.
        equal = block.equal.tocsr()
        above = np.full(len(block.low), -1)
        row, column, share = (
            np.repeat(np.arange(equal.shape[0]), np.diff(equal.indptr)),
            equal.indices,
            -equal.data,
        )
        child, parent = share > 0, column[share < 0]
        above[column[child]] = row[child]
        self.levels = []
        todo = np.ones(equal.shape[0], dtype=bool)
        while todo.any():
            waits = np.zeros_like(todo)
            waits[above[parent[todo]][above[parent[todo]] >= 0]] = True
            now = todo & ~waits
            own = child & now[row]
            self.levels.append(
                (row[own], column[own], share[own], np.flatnonzero(now), parent[now])
            )
            todo &= ~now

    def allow(self, point: np.ndarray) -> bool:
        """Tell whether what is shown allows a point."""
        block = self.block
        scale = EXACT * np.maximum(1.0, np.abs(point))
        return bool(
            (point >= block.low - scale).all() and (point <= block.high + scale).all()
            and (np.abs(block.equal @ point) <= block.slack + EXACT).all()
            and (block.less @ point <= block.by + EXACT).all()
        )  # fmt: skip

    def ends(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the most that each target can be, moved by one number alone."""
        low, high = self.hull(*self._alone(point), point)
        at = self.block.targets @ point
        one, other = (self.sign * (end[self.moved] - point[self.moved]) for end in (low, high))
        least, most = at.copy(), at.copy()
        np.minimum.at(least, self.target, at[self.target] + np.minimum(one, other))
        np.maximum.at(most, self.target, at[self.target] + np.maximum(one, other))
        return least, most

    def _alone(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of each variable where all others are held, but for sums of areas."""
        low, high = self.block.low.copy(), self.block.high.copy()
        room = np.maximum(self.block.by - self.block.less @ point, 0.0)[self.rows] / np.abs(
            self.often
        )
        up = self.often > 0
        np.minimum.at(high, self.columns[up], point[self.columns[up]] + room[up])
        np.maximum.at(low, self.columns[~up], point[self.columns[~up]] - room[~up])
        return low, high

    def hull(
        self, low: np.ndarray, high: np.ndarray, point: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return the ends of each area where wholes are the sums of their parts."""
        size, gap = self.block.equal.shape[0], self.block.slack
        sums: list[tuple[np.ndarray, np.ndarray]] = []
        for row, child, share, own, whole in self.levels:
            least, most = (np.bincount(row, share * end[child], size) for end in (low, high))
            low[whole] = np.maximum(low[whole], least[own] - gap[own])
            high[whole] = np.minimum(high[whole], most[own] + gap[own])
            sums.append((least, most))
        for (row, child, share, own, whole), (least, most) in zip(
            self.levels[::-1], sums[::-1], strict=True
        ):
            whole_low, whole_high = np.zeros(size), np.zeros(size)
            whole_low[own], whole_high[own] = low[whole] - gap[own], high[whole] + gap[own]
            before_low, before_high = low[child].copy(), high[child].copy()
            rest_low = least[row] - share * before_low
            rest_high = most[row] - share * before_high
            high[child] = np.minimum(before_high, (whole_high[row] - rest_low) / share)
            low[child] = np.maximum(before_low, (whole_low[row] - rest_high) / share)
        return np.minimum(low, point), np.maximum(high, point)


class _Programme:
    """The programmes of a block: what they have in common is made ready once."""

    def __init__(self, block: Block) -> None:
        self.block = block
        tight = block.slack == 0
        near = sparse.vstack([block.equal[~tight], -block.equal[~tight]])
        self.less = sparse.vstack([block.less, near], format="csr")
        gaps = block.slack[~tight]
        self.by = np.concatenate([block.by, gaps, gaps])
        self.equal = block.equal[tight]
        self.bounds = np.column_stack([block.low, block.high])

    def __call__(self, objective: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the objective is least, and which variables' bounds hold it there."""
        solution = _solved(objective, self.less, self.by, self.equal, self.bounds)
        return solution.x, (
            np.abs(solution.lower.marginals) + np.abs(solution.upper.marginals)
        ) > EXACT


def _solved(
    objective: np.ndarray, less: sparse.csr_matrix, by: np.ndarray, equal: sparse.csr_matrix,
    bounds: np.ndarray,
) -> Any:  # fmt: skip
    solution = linprog(
        objective,
        A_ub=less if less.shape[0] else None, b_ub=by if less.shape[0] else None,
        A_eq=equal if equal.shape[0] else None,
        b_eq=np.zeros(equal.shape[0]) if equal.shape[0] else None,
        bounds=bounds, method="highs",
    )  # fmt: skip
    if solution.x is None:
        raise ReportError(
            "The numbers shown contradict each other: a part is more than its whole. Make the "
            "pages again, all from the same records."
        )
    return solution
