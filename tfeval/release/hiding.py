"""What is hidden so that nothing shown gives it away: linear programming over all that is shown.

A cell that rests on fewer than ten is hidden. Others may give it away: a region less the
authorities shown, families less those with a result, a whole less its parts. Whoever reads
knows that each number shown lies within its rounding, and that parts make up their whole. How near
that brings a hidden number is the least and the most that it can be under all of it together: two
linear programmes (HiGHS). Where they are nearer to each other than the number needs, a further
cell is hidden. Reference: Fischetti and Salazar (2001), Management Science 47.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from tfeval.display.tables import THRESHOLD
from tfeval.errors import ReportError
from tfeval.release.keys import REACH

_LEVELS = {"authority": 0, "region": 1, "england": 2}
_TREE = ["kind", "number", "when", "arm"]
#: Rounds of one programme for many cells, before those left are looked at one by one.
_ROUNDS, _STALE, _DOWN = 400, 8, 3
#: A programme's answer is so exact, relative to the unit.
_EXACT = 1e-6
#: Nothing is known to be larger than this, in units.
_FAR = 1e7


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
        return self.high - self.low >= self.protection * (1 - _EXACT)


@dataclass
class _Block:
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


#: That a sum of cells, each so many times, is at most so much.
Bound = tuple[dict[int, float], float]


def reach(frame: pd.DataFrame) -> list[Reach]:
    """Return how near a reader of all cells shown comes to each hidden one.

    Parameters
    ----------
    frame : DataFrame
        Columns kind, number, months (or `when`, which tells reports apart too), arm, level, area,
        parent, base, within, n, signed; `released`, `unit` and `shown`; `sensitive`, which of the
        hidden must be protected, and by how much: `need`; `guarded`, of which counts those
        without are ten or more too; `lacking`, how many of a whole at most have none of its parts
        (NaN where ten or more may); and inside `exact`.

    Raises
    ------
    ReportError
        If the numbers shown contradict each other.
    """
    return [one for block in _blocks(_ready(frame)) for one in _reached(block)[0]]


def _ready(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    return frame if "when" in frame else frame.assign(when=frame["months"])


def hide_more(
    frame: pd.DataFrame, across: Sequence[Bound] = (), apart: Sequence[tuple[int, int]] = (),
) -> tuple[np.ndarray, list[Reach]]:  # fmt: skip
    """Return which further cells to hide, and how near a reader then comes to each hidden one.

    Parameters
    ----------
    frame : DataFrame
        As for `reach`.
    across : sequence of (mapping, float), optional
        What else holds between counts, as of horizons and phases: by rows of the frame, how often
        each counts, and what the sum is at most.
    apart : sequence of (int, int), optional
        Rows of two counts of which the first is within the second, and between which fewer than
        ten families lie: their difference must stay unknown.

    Returns
    -------
    hidden : ndarray of bool, shape (rows,)
        In addition to those not shown.
    reached : list of Reach
        All of them safe.
    """
    frame = _ready(frame)
    shown = frame["shown"].to_numpy(dtype=bool).copy()
    level = frame["level"].map(_LEVELS).to_numpy(dtype=float)
    # What an earlier release told cannot be hidden any more: it comes last.
    earlier = (
        frame["apart"].to_numpy() >= 0 if "apart" in frame else np.zeros(len(frame), dtype=bool)
    )
    # Not by exact numbers: which of two was hidden would tell which is smaller.
    size = np.where(frame["kind"] == "count", frame["released"], frame["n"].round(-1))
    order = [np.arange(len(frame)), size.astype(float), level, earlier]
    rank = np.lexsort(order).argsort()
    reached: list[Reach] = []
    for cells in _components(frame, {one for pair in apart for one in pair}):
        part = frame.iloc[cells]
        while True:
            nearest, bad = _reached(_block(part.assign(shown=shown[cells]), cells, across, apart))
            if not bad:
                reached += nearest
                break
            for one in _next_to_hide(cells, bad, shown, rank):
                shown[one] = False
    return frame["shown"].to_numpy(dtype=bool) & ~shown, reached


def _next_to_hide(
    cells: np.ndarray, bad: list[np.ndarray], shown: np.ndarray, rank: np.ndarray
) -> list[int]:
    """Return the cells to hide next: for each number that is too near, the least that binds it."""
    chosen: set[int] = set()
    for binds in bad:
        near = [int(one) for one in cells[binds] if shown[one]]
        near = near or [int(one) for one in cells if shown[one]]
        if not near:
            raise ReportError(
                "Nothing is left to hide, and a hidden number can still be worked out."
            )
        if not chosen.intersection(near):
            chosen.add(min(near, key=lambda one: rank[one]))
    return sorted(chosen)


def _blocks(frame: pd.DataFrame) -> list[_Block]:
    return [_block(frame.iloc[cells], cells) for cells in _components(frame)]


def _components(
    frame: pd.DataFrame, also: Collection[int] = frozenset()
) -> list[np.ndarray]:  # fmt: skip
    """Return rows that can know of each other: counts of one arm; each other number by itself."""
    key = frame[_TREE].astype(str).agg("|".join, axis=1)
    key = key.where(frame["kind"] != "count", "count|" + frame["arm"].astype(str))
    groups = [np.asarray(rows) for rows in frame.groupby(key, sort=True).indices.values()]
    sensitive = frame["sensitive"].to_numpy(dtype=bool) | np.isin(np.arange(len(frame)), [*also])
    return [rows for rows in groups if sensitive[rows].any()]


def _block(
    part: pd.DataFrame, cells: np.ndarray, across: Sequence[Bound] = (),
    apart: Sequence[tuple[int, int]] = (),
) -> _Block:  # fmt: skip
    part = part.reset_index(drop=True)
    counts = bool((part["kind"] == "count").all())
    size = len(part)
    low, high = _bounds(part, counts)
    keys = _keys(part)
    places = {key: place for place, key in enumerate(keys)}
    equal, slack = _tree(part)
    less, by = _between(part, keys, places) if counts else ([], [])
    local = {int(cell): place for place, cell in enumerate(cells)}
    for row, most in across:
        if counts and row.keys() <= local.keys():
            less.append({local[cell]: often for cell, often in row.items()})
            by.append(most)
    targets: list[dict[int, float]] = []
    about: list[tuple[int, bool, float]] = []
    for inner, outer in apart:
        if inner in local and outer in local:
            targets.append({local[outer]: 1.0, local[inner]: -1.0})
            about.append((outer, True, float(THRESHOLD)))
    need, bases = part["need"].to_numpy(dtype=float), part["base"].to_numpy()
    for place in map(int, np.flatnonzero(part["sensitive"] & ~part["shown"])):
        targets.append({place: 1.0})
        about.append((int(cells[place]), False, need[place]))
        base = places.get((bases[place], *keys[place][1:])) if counts else None
        if base is not None:
            targets.append({base: 1.0, place: -1.0})
            about.append((int(cells[place]), True, need[place]))
    truth = np.nan_to_num(part["exact"].to_numpy(dtype=float)) if "exact" in part else None
    return _Block(low, high, _matrix(equal, size), np.array(slack), _matrix(less, size),
                  np.array(by), _matrix(targets, size), about, truth)  # fmt: skip


def _keys(part: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    return list(zip(part["number"], part["when"], part["arm"], part["area"], strict=True))


def _bounds(part: pd.DataFrame, counts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most that each number can be by what is shown of it."""
    unit, released = part["unit"].to_numpy(dtype=float), part["released"].to_numpy(dtype=float)
    shown, signed = (part[name].to_numpy(dtype=bool) for name in ("shown", "signed"))
    known = part["exact"].to_numpy(dtype=float) if "exact" in part else released
    # The number of a set released before may lie further off than rounding alone would have it.
    off = np.maximum(REACH * unit, np.abs(np.where(shown, known - released, 0.0)))
    far = _FAR * float(np.nanmax(np.append(unit, part["need"])))
    low = np.where(signed, -far, 0.0)
    low = np.where(shown, np.maximum(released - off, low), low)
    high = np.where(shown, released + off, far)
    if counts:  # whole numbers, and ten or more where shown
        low = np.where(shown, np.maximum(np.ceil(low - _EXACT), float(THRESHOLD)), low)
        # But for one that was told before, and would be hidden now.
        low = np.where(shown, np.minimum(low, known), low)
        high = np.floor(high + _EXACT)
    return low, high


def _tree(part: pd.DataFrame) -> tuple[list[dict[int, float]], list[float]]:
    """Return that each area is the sum, or the mean, of those within it; and by how much it is not.

    The last is known inside alone, where areas do not quite add up (a family without an area, a
    weighted mean): else it is 0.
    """
    rows, slack = [], []
    counts = part["kind"].eq("count").to_numpy()
    weight = np.where(counts, 1.0, part["n"].to_numpy(dtype=float))
    exact = np.nan_to_num(part["exact"].to_numpy(dtype=float)) if "exact" in part else None
    area, around = part["area"].to_numpy(), part["parent"].to_numpy()
    for members in part.groupby(_TREE, sort=False).indices.values():
        areas = dict(zip(area[members], members, strict=True))
        inside: dict[int, list[int]] = {}
        for place in members:
            if (parent := areas.get(around[place])) is not None:
                inside.setdefault(int(parent), []).append(int(place))
        for parent, children in inside.items():
            total = 1.0 if counts[parent] else float(weight[children].sum())
            if total <= 0:  # nobody's mean says nothing of others'
                continue
            share = weight[children] / total
            rows.append({parent: 1.0, **dict(zip(children, -share, strict=True))})
            gap = 0.0 if exact is None else abs(exact[parent] - (share * exact[children]).sum())
            slack.append(float(gap))
    return rows, slack


def _between(
    part: pd.DataFrame, keys: list[tuple[str, str, str, str]],
    places: dict[tuple[str, str, str, str], int],
) -> tuple[list[dict[int, float]], list[float]]:  # fmt: skip
    """Return what holds between counts of one area: a part is no more than its whole."""
    rows: list[dict[int, float]] = []
    by: list[float] = []
    wholes: dict[int, list[int]] = {}
    shown, guarded = part["shown"].to_numpy(dtype=bool), part["guarded"].to_numpy(dtype=bool)
    exact = part["exact"].to_numpy(dtype=float) if "exact" in part else None
    for column in ("base", "within"):
        for place, named in enumerate(part[column]):
            whole = places.get((named, *keys[place][1:])) if named else None
            if whole is None:
                continue
            rows.append({place: 1.0, whole: -1.0})
            # Shown: those who have it not are ten or more too, or it would be hidden.
            at_least = float(THRESHOLD) * (column == "base" and shown[place] and guarded[place])
            by.append(-at_least if exact is None else -min(at_least, exact[whole] - exact[place]))
            if column == "within":
                wholes.setdefault(whole, []).append(place)
    # No family has two parts of a whole; and all but so few that have the whole have one.
    lacking = part["lacking"].to_numpy(dtype=float)
    for whole, parts in wholes.items():
        rows.append({whole: -1.0, **dict.fromkeys(parts, 1.0)})
        by.append(0.0)
        if np.isfinite(few := lacking[parts].max()):
            rows.append({whole: 1.0, **dict.fromkeys(parts, -1.0)})
            by.append(float(few))
    return rows, by


def _matrix(rows: list[dict[int, float]], size: int) -> sparse.csr_matrix:
    data = [value for row in rows for value in row.values()]
    columns = [column for row in rows for column in row]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return sparse.csr_matrix((data, columns, ends), shape=(len(rows), size))


def _reached(block: _Block) -> tuple[list[Reach], list[np.ndarray]]:
    """Return how near each target is come to, and what binds each that is too near.

    Every point that what is shown allows, it allows for all targets at once; and from each point
    every number can move by itself, as far as `_Moves` tells without a programme. The truth is
    such a point, inside. So next to all targets are seen to be safe from a few points; the others
    are looked at one by one.
    """
    solve, moves = _Programme(block), _Moves(block)
    need = np.array([unit for _, _, unit in block.about]) * (1 - _EXACT)
    start = block.truth
    if start is None or not moves.allow(start):
        start = solve(np.zeros(len(block.low)))[0]
    low, high = moves.ends(start)

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

    def __init__(self, block: _Block) -> None:
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
        scale = _EXACT * np.maximum(1.0, np.abs(point))
        return bool(
            (point >= block.low - scale).all() and (point <= block.high + scale).all()
            and (np.abs(block.equal @ point) <= block.slack + _EXACT).all()
            and (block.less @ point <= block.by + _EXACT).all()
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

    def __init__(self, block: _Block) -> None:
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
        ) > _EXACT


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
