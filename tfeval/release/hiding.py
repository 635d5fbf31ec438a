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
        without are ten or more too; `exhaustive`, which parts make up their whole; and inside
        `exact`.

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
    order = [np.arange(len(frame)), frame["n"].to_numpy(dtype=float), level, earlier]
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
    places = {key: place for place, key in enumerate(_keys(part))}
    equal, slack = _tree(part)
    less, by = _between(part, places) if counts else ([], [])
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
    for place in np.flatnonzero((part["sensitive"] & ~part["shown"]).to_numpy(dtype=bool)):
        unit = float(part["need"].iloc[place])
        targets.append({int(place): 1.0})
        about.append((int(cells[place]), False, unit))
        base = places.get(_base_key(part, int(place), "base"))
        if counts and base is not None:
            targets.append({base: 1.0, int(place): -1.0})
            about.append((int(cells[place]), True, unit))
    return _Block(low, high, _matrix(equal, size), np.array(slack),
                  _matrix(less, size), np.array(by), _matrix(targets, size), about)  # fmt: skip


def _keys(part: pd.DataFrame) -> list[tuple[str, int, str, str]]:
    return list(zip(part["number"], part["when"], part["arm"], part["area"], strict=True))


def _base_key(part: pd.DataFrame, place: int, column: str) -> tuple[str, int, str, str]:
    row = part.iloc[place]
    return row[column], row["when"], row["arm"], row["area"]


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
    exact = part["exact"].to_numpy(dtype=float) if "exact" in part else None
    area, around = part["area"].to_numpy(), part["parent"].to_numpy()
    for members in part.groupby(_TREE, sort=False).indices.values():
        areas = dict(zip(area[members], members, strict=True))
        inside: dict[int, list[int]] = {}
        for place in members:
            if (parent := areas.get(around[place])) is not None:
                inside.setdefault(int(parent), []).append(int(place))
        for parent, children in inside.items():
            total = 1.0 if counts[parent] else float(weight[children].sum())
            share = weight[children] / total
            rows.append({parent: 1.0, **dict(zip(children, -share, strict=True))})
            gap = 0.0 if exact is None else abs(exact[parent] - (share * exact[children]).sum())
            slack.append(float(gap))
    return rows, slack


def _between(
    part: pd.DataFrame, places: dict[tuple[str, int, str, str], int]
) -> tuple[list[dict[int, float]], list[float]]:
    """Return what holds between counts of one area: a part is no more than its whole."""
    rows: list[dict[int, float]] = []
    by: list[float] = []
    wholes: dict[int, list[int]] = {}
    shown, guarded = part["shown"].to_numpy(dtype=bool), part["guarded"].to_numpy(dtype=bool)
    keys = _keys(part)
    for column in ("base", "within"):
        for place, named in enumerate(part[column]):
            whole = places.get((named, *keys[place][1:])) if named else None
            if whole is None:
                continue
            rows.append({place: 1.0, whole: -1.0})
            # Shown: those who have it not are ten or more too, or it would be hidden.
            at_least = column == "base" and shown[place] and guarded[place]
            by.append(-float(THRESHOLD) if at_least else 0.0)
            if column == "within":
                wholes.setdefault(whole, []).append(place)
    # No family has two parts of a whole; and where it says so, each that has the whole has one.
    exhaustive = part["exhaustive"].to_numpy(dtype=bool)
    for whole, parts in wholes.items():
        rows.append({whole: -1.0, **dict.fromkeys(parts, 1.0)})
        by.append(0.0)
        if exhaustive[parts].all():
            rows.append({whole: 1.0, **dict.fromkeys(parts, -1.0)})
            by.append(0.0)
    return rows, by


def _matrix(rows: list[dict[int, float]], size: int) -> sparse.csr_matrix:
    data = [value for row in rows for value in row.values()]
    columns = [column for row in rows for column in row]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return sparse.csr_matrix((data, columns, ends), shape=(len(rows), size))


def _reached(block: _Block) -> tuple[list[Reach], list[np.ndarray]]:
    """Return how near each target is come to, and what binds each that is too near.

    Every point that a programme finds is one that what is shown allows, for all targets at once.
    So a few programmes for many show most to be safe, and the others are looked at one by one.
    """
    solve = _Programme(block)
    need = np.array([unit for _, _, unit in block.about]) * (1 - _EXACT)
    at = block.targets @ solve(np.zeros(len(block.low)))[0]
    low, high = at.copy(), at.copy()

    def look(objective: np.ndarray) -> np.ndarray:
        point, binding = solve(objective)
        values = block.targets @ point
        np.minimum(low, values, out=low)
        np.maximum(high, values, out=high)
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
