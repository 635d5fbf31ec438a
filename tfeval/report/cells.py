"""Typed cells: every number about families that a page may show, with what a release asks of it.

A page is for those inside. What may leave is made from cells, which a chapter writes beside its
page: each number with how many families it rests on, how far a few of them can move it, and which
families they are. The file stays inside.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError
from tfeval.settings import KEEPS_FILES

FILE = "cells.npz"
KINDS = ("count", "mean", "effect", "balance")
LEVELS = ("authority", "region", "england")
ENGLAND = "England"
#: A number must not tell apart sets that differ by fewer families than may be counted.
FEW = THRESHOLD - 1
#: At the end of the name of a number of values cut down to a cap.
CAPPED = ":capped"
COLUMNS = ("kind", "number", "outcome", "months", "arm", "level", "area", "parent", "base",
           "within", "value", "error", "n", "events", "least", "largest", "drop", "tenth",
           "error_drop", "signed", "unit", "set")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one or several pages.

    Attributes
    ----------
    frame : DataFrame
        One row a cell, `COLUMNS`: `kind`; `number`, what is counted or estimated, as a key;
        `outcome`, `months`, `arm`; `level` of its `area`, and the `parent` that holds the area;
        `base`, the number of those among whom it counts; `within`, the number that it is a part
        of; `value`, exact, with its standard `error`; `n` families, `events` of them with the
        outcome; `least`, the smallest count that it would give away; `largest`, the largest
        contribution of one family, `drop`, the most that leaving out any nine moves it
        (`error_drop` the same of the error), and `tenth`, what `largest` then still is;
        `signed`, whether it can be below 0; `unit`; `set`, whose it is.
    families : ndarray of uint64, shape (families,)
        A hash of each family's pseudonym.
    members : ndarray of uint32
        Places in `families`, set after set.
    starts : ndarray of int64, shape (sets + 1,)
        Where each set begins.
    about : mapping
        Notebook, parameters, whether the records are simulated.
    """

    frame: pd.DataFrame
    families: np.ndarray
    members: np.ndarray
    starts: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)

    def rows_of(self, number: int) -> np.ndarray:
        """Return the places in `families` of a set."""
        return self.members[self.starts[number] : self.starts[number + 1]]

    def save(self, path: Path) -> None:
        """Write the cells; inside only."""
        rows = self.frame.astype(object).where(self.frame.notna(), None)
        content = {"about": dict(self.about), "rows": rows.to_numpy().tolist()}
        with path.open("wb") as stream:
            np.savez_compressed(stream, told=np.array(json.dumps(content)), families=self.families,
                                members=self.members, starts=self.starts)  # fmt: skip


def read_cells(path: Path) -> Cells:
    """Read what `Cells.save` wrote.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        content, arrays = read_archive(path, "families", "members", "starts")
        frame = _typed(pd.DataFrame(content["rows"], columns=list(COLUMNS)))
        families, members, starts = arrays
        made = Cells(frame, families, members, starts, {**content["about"]})
        whole = _is_whole(made)
    except Exception:  # whatever a library says of what is no such table
        whole = False
    if not whole:
        raise DataError(f"{path} holds no cells: run its page again.")
    return made


def read_archive(path: Path, *names: str) -> tuple[Any, list[np.ndarray]]:
    """Return what is told in an archive, and its arrays of some names.

    Raises
    ------
    ValueError
        If it is no such archive: whatever a library says of it.
    """
    try:
        if path.is_file():  # to open a pipe would wait for somebody to write
            with np.load(path, allow_pickle=False) as archive:
                return json.loads(str(archive["told"])), [archive[name] for name in names]
    except Exception as fault:
        raise ValueError(path.name) from fault
    raise ValueError(path.name)


def are_sets(members: np.ndarray, starts: np.ndarray) -> bool:
    """Tell whether these are sets, each in order, and where each begins."""
    if members.ndim != 1 or starts.ndim != 1 or {members.dtype.kind, starts.dtype.kind} - {*"iu"}:
        return False
    ends = len(starts) and starts[0] == 0 and starts[-1] == len(members)
    ordered = (members[1:] > members[:-1]) | np.isin(np.arange(1, len(members)), starts)
    return bool(ends and (np.diff(starts) >= 0).all() and ordered.all())


def _is_tree(frame: pd.DataFrame) -> bool:
    """Tell whether authorities lie in regions, and regions in England."""
    level, inside = frame["level"], frame["parent"]
    below = inside.eq(frame["level"].map({"region": ENGLAND, "england": ""}))
    below |= level.eq("authority") & ~inside.isin(
        {ENGLAND, *frame.loc[level == "authority", "area"]}
    )
    return bool(below.all())


def _is_whole(made: Cells) -> bool:
    """Tell whether cells are of sets that are there, and of kinds and places that there are."""
    frame, families = made.frame, made.families
    numbers = frame[list(_NUMBERS)].abs()
    counted = numbers[frame["kind"] == "count"].drop(columns=["error", "error_drop"])
    # Families may move a number by any amount: that is hidden.
    numbers[["largest", "drop"]] = numbers[["largest", "drop"]].replace(np.inf, 0.0)
    return bool(
        are_sets(made.members, made.starts) and are_sets(families, np.array([0, len(families)]))
        and families.dtype == np.uint64 and made.members.dtype == np.uint32
        and (made.members < len(families)).all() and len(frame)
        and frame["set"].between(0, len(made.starts) - 2).all()
        and frame["kind"].isin(KINDS).all() and _is_tree(frame)
        and (numbers.isna() | (numbers < _FAR)).all(axis=None) and counted.notna().all(axis=None)
    )  # fmt: skip


_TEXT = ("kind", "number", "outcome", "arm", "level", "area", "parent", "base", "within", "unit")
_WHOLE = ("months", "set")
_NUMBERS = tuple(name for name in COLUMNS if name not in (*_TEXT, *_WHOLE, "signed"))
#: Nothing in records is larger.
_FAR = 1e15


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds: dict[str, Any] = dict.fromkeys(_TEXT, str) | dict.fromkeys(_WHOLE, int)
    kinds |= {name: float for name in COLUMNS if name not in kinds}
    return frame.astype(kinds | {"signed": bool})


def together(several: Iterable[Cells], scopes: Sequence[str] = ()) -> Cells:
    """Return the cells of several pages as one.

    Parameters
    ----------
    several : iterable of Cells
    scopes : sequence of str, optional
        Whose report each is of: the same number of two reports is two cells.
    """
    parts = list(several)
    if not parts:
        none = np.zeros(0, dtype=np.uint64)
        empty = _typed(pd.DataFrame(columns=list(COLUMNS)))
        return Cells(empty, none, none.astype(np.uint32), np.zeros(1, dtype=np.int64))
    families, place = np.unique(np.concatenate([one.families for one in parts]),
                                return_inverse=True)  # fmt: skip
    ends = np.cumsum([0, *(len(one.families) for one in parts)])
    frames, members, starts, sets, used = [], [], [np.zeros(1, dtype=np.int64)], 0, 0
    for one, begin, scope in zip(parts, ends[:-1], scopes or [""] * len(parts), strict=True):
        frames.append(one.frame.assign(set=one.frame["set"] + sets, scope=scope))
        members.append(place[begin + one.members.astype(np.int64)].astype(np.uint32))
        starts.append(one.starts[1:] + used)
        sets, used = sets + len(one.starts) - 1, used + len(one.members)
    frame = pd.concat(frames, ignore_index=True)
    # Two pages may show one number of one population: it is one cell.
    first = ~frame.duplicated(["scope", "number", "months", "arm", "area"])
    simulated = any(one.about.get("simulated", False) for one in parts)
    return Cells(frame[first].reset_index(drop=True), families, np.concatenate(members),
                 np.concatenate(starts), {"simulated": simulated})  # fmt: skip


def family_hashes(identifiers: Iterable[object]) -> np.ndarray:
    """Return 64 bits of each family's pseudonym, shape (families,).

    Examples
    --------
    >>> first, other, same = family_hashes(["a", "b", "a"])
    >>> bool(first == same), bool(first == other)
    (True, False)
    """
    packed = b"".join(
        hashlib.blake2b(str(one).encode(), digest_size=8).digest() for one in identifiers
    )
    return np.frombuffer(packed, dtype="<u8").astype(np.uint64)


def most(contributions: np.ndarray, count: int = FEW) -> float:
    """Return the sum of the largest few contributions, in size.

    Examples
    --------
    >>> most(np.array([-3.0, 1.0, 2.0]), 2)
    5.0
    """
    size = np.abs(contributions)
    if len(size) > count:
        size = np.partition(size, len(size) - count)[-count:]
    return float(size.sum())


def tenth(contributions: np.ndarray) -> float:
    """Return the tenth largest contribution, in size: one so large is left, whichever nine go.

    Examples
    --------
    >>> tenth(np.append(np.full(10, -2.0), 9.0)), tenth(np.ones(9))
    (2.0, 0.0)
    """
    size = np.abs(contributions)
    return float(np.partition(size, len(size) - FEW - 1)[-FEW - 1]) if len(size) > FEW else 0.0


def moved_by(
    values: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, dict[str, float]]:
    """Return a mean, and how far families can move it.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    weights : ndarray of float, shape (n,), optional

    Returns
    -------
    mean : float
    moved : dict of str to float
        `largest`, the largest contribution: a family's distance from the mean times its share of
        the weight. `drop`, how far any nine move it, holds exactly: leaving families out moves a
        weighted mean by the sum of their weights times distances, over the weight that is left.
        `tenth`, what `largest` is at least without any nine: those left are as far from a mean
        that has moved by `drop` at most.

    Examples
    --------
    >>> mean, moved = moved_by(np.array([0.0] * 50 + [1.0] * 50))
    >>> round(mean, 2), {name: round(one, 4) for name, one in moved.items()}
    (0.5, {'largest': 0.005, 'drop': 0.0495, 'tenth': 0.0045})
    """
    weights = np.ones(len(values)) if weights is None else weights
    mean = float(np.average(values, weights=weights))
    pulls = weights * np.abs(values - mean)
    left = weights.sum() - most(weights)
    drop = float(most(pulls) / left) if left > 0 else np.inf
    stays = tenth(pulls) / weights.sum() - weights.max() * drop / left if left > 0 else 0.0
    return mean, {"largest": float(pulls.max() / weights.sum()), "drop": drop,
                  "tenth": max(float(stays), 0.0)}  # fmt: skip


def least_of(values: np.ndarray) -> int:
    """Return the smallest count that a mean of some values gives away.

    How many are 0 it tells where it is a share, and not where ten are neither 0 nor 1. Whether it
    is shown must not tell none from few of them either; but it tells that ten are not 0, of few
    families nearly all.

    Examples
    --------
    >>> least_of(np.repeat([0.0, 1.0], [5, 45])), least_of(np.repeat([0.0, 1.0, 2.0], [5, 35, 10]))
    (5, 45)
    """
    events, plain = int(np.count_nonzero(values)), more_than_one(values) <= FEW
    few = plain or len(values) < 2 * THRESHOLD
    return min(events, len(values) - events) if few else events


def more_than_one(values: np.ndarray) -> int:
    """Return how many values are neither 0 nor 1: without them a mean is a share, as counts say it.

    Examples
    --------
    >>> more_than_one(np.array([0.0, 1.0, 3.0, 0.5]))
    2
    """
    return int(np.count_nonzero((values != 0) & (values != 1)))


class Maker:
    """Gathers the cells of one page.

    Parameters
    ----------
    families : iterable of str
        Pseudonyms; a cell names its families by their places here.
    authorities : iterable of str
        Of each family, by ONS code.
    regions : mapping of str to str
        Authority to region.
    """

    def __init__(
        self, families: Iterable[object], authorities: Iterable[object], regions: Mapping[str, str]
    ) -> None:
        hashes, self._place = np.unique(family_hashes(families), return_inverse=True)
        self._families = hashes
        self._rows: list[dict[str, Any]] = []
        self._sets: list[np.ndarray] = []
        self._known: dict[bytes, int] = {}
        # Every area, whether any family lives there or not: a row that is not there would say none.
        codes = np.array([str(one) for one in authorities], dtype=object)
        region = np.array([regions.get(code, "") for code in codes], dtype=object)
        self.areas: list[tuple[str, str, str, np.ndarray]] = [
            ("england", ENGLAND, "", np.ones(len(codes), dtype=bool))
        ]
        for name in sorted({*regions.values()} - {""}):
            self.areas.append(("region", name, ENGLAND, region == name))
        for code in sorted(regions):
            self.areas.append(("authority", code, regions[code], codes == code))

    def add(self, rows: np.ndarray, **cell: Any) -> None:
        """Add a cell of some families.

        Parameters
        ----------
        rows : ndarray of int or bool
            Places among the families given.
        **cell
            Columns of `COLUMNS`; those left out are empty.
        """
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        members = np.unique(self._place[rows]).astype(np.uint32)
        own = members.tobytes()
        if own not in self._known:
            self._known[own] = len(self._sets)
            self._sets.append(members)
        blank: dict[str, Any] = dict.fromkeys(_TEXT, "") | {"months": 0, "signed": False}
        self._rows.append({**dict.fromkeys(COLUMNS, np.nan), **blank, **cell,
                           "set": self._known[own]})  # fmt: skip

    def count(self, rows: np.ndarray, among: np.ndarray | None = None, **cell: Any) -> None:
        """Add a count of families, and of how many it says that they have not what is counted."""
        count = int(np.count_nonzero(rows))
        least = count if among is None else min(count, int(np.count_nonzero(among)) - count)
        self.add(rows, kind="count", value=count, n=count, events=count, least=least, largest=1.0,
                 drop=float(FEW), tenth=1.0, unit="families", **cell)  # fmt: skip

    def none(self, rows: np.ndarray | None = None, **cell: Any) -> None:
        """Add a cell without a number: hidden, as one of few is, so that nothing tells them apart.

        `rows` are the families that it would be of: an edition a few families away then keeps
        what was told, or hidden.
        """
        nothing = dict.fromkeys(("n", "events", "least", "largest", "drop", "tenth"), 0.0)
        self.add(np.zeros(0, dtype=np.int64) if rows is None else rows, **nothing, **cell)

    def made(self, **about: Any) -> Cells:
        """Return the cells gathered."""
        starts = np.cumsum([0, *(len(one) for one in self._sets)]).astype(np.int64)
        members = np.concatenate([np.zeros(0, dtype=np.uint32), *self._sets])
        frame = _typed(pd.DataFrame(self._rows, columns=list(COLUMNS)))
        return Cells(frame, self._families, members, starts, about)


def keep_cells(make: Callable[[], Cells], folder: Path | None = None) -> None:
    """Write cells beside a report's page; elsewhere, as in JupyterLab, none are made."""
    if folder is not None or KEEPS_FILES in os.environ:
        make().save((folder or Path()) / FILE)
