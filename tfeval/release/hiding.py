"""What is hidden so that nothing shown gives it away: linear programming over all that is shown.

A cell that rests on fewer than ten is hidden. Others may give it away: a region less the
authorities shown, families less those with a result, a whole less its parts. Whoever reads
knows that each number shown lies within its rounding, and that parts make up their whole. How near
that brings a hidden number is the least and the most that it can be under all of it together: two
linear programmes (HiGHS). Where they are nearer to each other than the number needs, a further
cell is hidden. Reference: Fischetti and Salazar (2001), Management Science 47.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from tfeval.display.tables import THRESHOLD
from tfeval.errors import ReportError
from tfeval.release.ends import EXACT, Block, Reach
from tfeval.release.ends import reached as reached_of
from tfeval.release.keys import REACH
from tfeval.report.cells import CAPPED

_LEVELS = {"authority": 0, "region": 1, "england": 2}
_TREE = ["kind", "number", "when", "arm"]
#: Nothing is known to be larger than this, in units.
_FAR = 1e7


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
    return [one for block in _blocks(_ready(frame)) for one in reached_of(block)[0]]


def _ready(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    frame = frame if "when" in frame else frame.assign(when=frame["months"])
    return frame if "same" in frame else frame.assign(same=np.arange(len(frame)), at_least=0.0)


def hide_more(
    frame: pd.DataFrame, across: Sequence[Bound] = (), apart: Sequence[tuple[int, int]] = (),
    behind: Mapping[int, Sequence[int]] | None = None,
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
    behind : mapping of int to sequence of int, optional
        Of means and effects, the counts that they say something of: where one is hidden for the
        sake of others, so are they.

    Returns
    -------
    hidden : ndarray of bool, shape (rows,)
        In addition to those not shown.
    reached : list of Reach
        All of them safe.
    """
    frame = _ready(frame)
    shown, sensitive = (frame[one].to_numpy(dtype=bool).copy() for one in ("shown", "sensitive"))
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
    copies, same = _copies(frame), frame["same"].to_numpy()
    parts = _components(frame, {one for pair in apart for one in pair})
    counts = frame["kind"].eq("count").to_numpy()
    for cells in sorted(parts, key=lambda rows: not counts[rows[0]]):  # others rest on counts
        if not counts[cells[0]]:
            _hide_with_counts(behind or {}, shown, sensitive)
        part, before = frame.iloc[cells], None
        while True:
            block = _block(part.assign(shown=shown[cells]), cells, across, apart, copies)
            nearest, bad = reached_of(block, before)
            if not bad:
                reached += nearest
                break
            # What is hidden more leaves a reader all the room that there was.
            before = np.array([(one.low, one.high) for one in nearest])
            for one in _next_to_hide(cells, bad, shown, rank):
                shown[one] = False
        shown = shown[same]
    _hide_with_counts(behind or {}, shown, sensitive)
    return frame["shown"].to_numpy(dtype=bool) & ~shown, reached


def _hide_with_counts(
    behind: Mapping[int, Sequence[int]], shown: np.ndarray, sensitive: np.ndarray
) -> None:  # fmt: skip
    """Hide means and effects of which a count is hidden for the sake of others."""
    for row, counts in behind.items():
        shown[row] &= not any(not shown[one] and not sensitive[one] for one in counts)


def _copies(frame: pd.DataFrame) -> dict[tuple[str, str, str, str], int]:
    """Return by key the row that stands for a copy of it."""
    others = frame[frame["same"] != np.arange(len(frame))]
    return dict(zip(_keys(others), others["same"].astype(int), strict=True))


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


def _blocks(frame: pd.DataFrame) -> list[Block]:
    return [_block(frame.iloc[cells], cells) for cells in _components(frame)]


def _components(
    frame: pd.DataFrame, also: Collection[int] = frozenset()
) -> list[np.ndarray]:  # fmt: skip
    """Return rows that can know of each other: counts of one arm; an effect and its two means."""
    own = pd.Series([_mean_of(number) or number for number in frame["number"]], index=frame.index)
    key = own + "|" + frame["when"].astype(str)
    key = key.where(frame["kind"] != "count", "count|" + frame["arm"].astype(str))
    first = frame["same"].to_numpy() == np.arange(len(frame))
    groups = [np.asarray(rows)[first[rows]]
              for rows in frame.groupby(key, sort=True).indices.values()]  # fmt: skip
    sensitive = frame["sensitive"].to_numpy(dtype=bool) | np.isin(np.arange(len(frame)), [*also])
    return [rows for rows in groups if sensitive[rows].any()]


def _block(
    part: pd.DataFrame, cells: np.ndarray, across: Sequence[Bound] = (),
    apart: Sequence[tuple[int, int]] = (),
    copies: Mapping[tuple[str, str, str, str], int] | None = None,
) -> Block:  # fmt: skip
    part = part.reset_index(drop=True)
    counts = bool((part["kind"] == "count").all())
    size = len(part)
    low, high = _bounds(part, counts)
    keys = _keys(part)
    local = {int(cell): place for place, cell in enumerate(cells)}
    places = {key: local[row] for key, row in (copies or {}).items() if row in local}
    places |= {key: place for place, key in enumerate(keys)}
    equal, slack = _tree(part)
    less, by = (_between if counts else _effects)(part, keys, places)
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
    return Block(low, high, _matrix(equal, size), np.array(slack), _matrix(less, size),
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
    if counts:  # whole numbers, and ten or more where shown, or where a mean says so
        low = np.maximum(low, np.where(shown, 0.0, np.fmin(part["at_least"], known)))
        low = np.where(shown, np.maximum(np.ceil(low - EXACT), float(THRESHOLD)), low)
        # But for one that was told before, and would be hidden now.
        low = np.where(shown, np.minimum(low, known), low)
        high = np.floor(high + EXACT)
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


def _mean_of(number: str) -> str:
    """Return the name of the means between which a plain effect lies; "" of other numbers.

    Examples
    --------
    >>> _mean_of("effect:offences:nearest:difference:ATT:capped"), _mean_of("with:offences")
    ('mean:offences:nearest:capped', '')
    """
    kind, *parts = number.split(":")
    capped = CAPPED * number.endswith(CAPPED)
    return f"mean:{parts[0]}:{parts[1]}{capped}" if kind == "effect" and len(parts) > 2 else ""


def _effects(
    part: pd.DataFrame, keys: list[tuple[str, str, str, str]],
    places: dict[tuple[str, str, str, str], int],
) -> tuple[list[dict[int, float]], list[float]]:  # fmt: skip
    """Return that an effect is a group's mean less the other's, but for what a model makes of it.

    The last is known inside alone: without it nothing is said.
    """
    rows: list[dict[int, float]] = []
    by: list[float] = []
    exact = part["exact"].to_numpy(dtype=float) if "exact" in part else np.full(len(part), np.nan)
    for place, (number, when, _, area) in enumerate(keys):
        name = _mean_of(number)
        one, other = (places.get((name, when, arm, area)) for arm in ("treated", "comparison"))
        if one is None or other is None:
            continue
        gap = abs(exact[place] - exact[one] + exact[other])
        if np.isfinite(gap):
            rows += [{place: sign, one: -sign, other: sign} for sign in (1.0, -1.0)]
            by += [gap, gap]
    return rows, by


def _matrix(rows: list[dict[int, float]], size: int) -> sparse.csr_matrix:
    data = [value for row in rows for value in row.values()]
    columns = [column for row in rows for column in row]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return sparse.csr_matrix((data, columns, ends), shape=(len(rows), size))
