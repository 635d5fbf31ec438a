"""The ledger of releases: which number of which families has left, so that none leaves twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.records.private import open_to_others, write_private, written_whole
from tfeval.release.combinations import HEAPS, Combinations, heaps_of
from tfeval.report.cells import FEW, are_sets, read_archive

KEY, RELEASES = "key", "releases"
_BYTES = 32


@dataclass
class _Numbers:
    """What has left of one number: its sets, their sizes and heaps, and what was said."""

    sets: list[np.ndarray] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    _heaps: np.ndarray = field(default_factory=lambda: np.zeros((8, HEAPS), dtype=np.int64))

    def take(self, families: np.ndarray, said: dict[str, Any]) -> None:
        """Add a set."""
        if len(self.sets) == len(self._heaps):
            self._heaps = np.concatenate([self._heaps, np.zeros_like(self._heaps)])
        self._heaps[len(self.sets)] = heaps_of(families)
        self.sets.append(families)
        self.said.append(said)

    def near(self, families: np.ndarray) -> np.ndarray:
        """Return the places of all sets that may differ by few families, and of some others."""
        apart = np.abs(self._heaps[: len(self.sets)] - heaps_of(families)).sum(axis=1)
        return np.flatnonzero(apart <= FEW)


class Ledger:
    """Numbers released, with the sets of families that they are of.

    Parameters
    ----------
    folder : Path, optional
        Where it is kept, with its key; made if it is not there. Without one it forgets, and its
        key is drawn anew.

    Raises
    ------
    TfevalError
        If others than its owner can read it, or it cannot be read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._numbers: dict[str, _Numbers] = {}
        self._cells: dict[str, list[tuple[np.ndarray, dict[str, Any]]]] = {}
        self._values: dict[str, set[tuple[float, float, str]]] = {}
        self._earlier: dict[str, Combinations] = {}
        self._new: list[tuple[str, np.ndarray, dict[str, Any]]] = []
        #: Hashes of the tables of cells that left, which linear programmes proved, and whether
        #: numbers of earlier releases stood in each.
        self.tables: dict[str, bool | None] = {}
        self._new_tables: dict[str, bool] = {}
        self._releases = 0
        if folder is None:
            self.key = secrets.token_bytes(_BYTES)
            return
        if not os.path.lexists(folder):
            with written_whole(folder, private=True) as (draft,):
                write_private(draft / KEY, secrets.token_hex(_BYTES))
                (draft / RELEASES).mkdir()
        parts = {"folder": folder, KEY: folder / KEY, RELEASES: folder / RELEASES}
        for name, path in parts.items():
            if not (path.is_file() if name == KEY else path.is_dir()):
                raise TfevalError(f"{folder} is no ledger of releases: it has no {name}.")
            if open_to_others(path):
                raise TfevalError(f"{path} is open to others than its owner: chmod go= it first.")
        self.key = _key_in(folder / KEY)
        names = {path.name for path in (folder / RELEASES).glob("[!.]*")}
        for name in (_name_of(number) for number in range(1, len(names) + 1)):
            if name not in names:
                raise DataError(
                    f"{folder / RELEASES} lacks {name}, or has what is no release: put back the "
                    "ledger's copy of it."
                )
            self._read(folder / RELEASES / name)
            self._releases += 1

    def _read(self, path: Path) -> None:
        try:
            record, (members, starts) = read_archive(path, "members", "starts")
            if not are_sets(members, starts) or record.get("key", own := _mark(self.key)) != own:
                raise ValueError(path.name)
            self._take_all(record, members, starts)
        except Exception:  # whatever is wrong with it
            raise DataError(
                f"{path} cannot be read, or was made with another key: put back the ledger's copy."
            ) from None

    def _take_all(
        self, record: Mapping[str, Any], members: np.ndarray, starts: np.ndarray
    ) -> None:  # fmt: skip
        tables = record.get("tables", ())
        # An older ledger does not say which had numbers of earlier releases.
        self.tables |= tables if isinstance(tables, dict) else dict.fromkeys(tables)
        for row in record["numbers"]:
            place = range(len(starts) - 1).index(row["set"])
            families = members[starts[place] : starts[place + 1]].astype(np.uint64)
            if row["released"] is not None:
                _ = float(row["released"]), float(row["unit"]), float(row["error"] or 0.0)
            self._take(row["number"], families, row)
            if row["released"] is not None:
                group = str(row.get("group", row["number"]))
                self._earlier.setdefault(group, Combinations()).add(families)

    def _take(self, number: str, families: np.ndarray, said: dict[str, Any]) -> None:
        self._cells.setdefault(str(said.get("cell")), []).append((families, said))
        if not said.get("few"):
            self._numbers.setdefault(number, _Numbers()).take(families, said)

    def stays(self, cell: str, families: np.ndarray) -> dict[str, Any] | None:
        """Return what became of a cell when its families were these, or all but a few of them.

        Parameters
        ----------
        cell : str
            Its number, months, group and area.
        families : ndarray of uint64
            Record keys, sorted.

        Returns
        -------
        mapping or None
            With `few`, whether it was hidden as of fewer than ten; else as from `answer`.
        """
        for other, said in self._cells.get(cell, ()):
            differ = len(np.setxor1d(families, other, assume_unique=True))
            if differ <= FEW:
                return {"few": False, **said, "apart": differ}
        return None

    def answer(self, number: str, families: np.ndarray) -> dict[str, Any] | None:
        """Return what was said of this number for these families, or for all but a few of them.

        Parameters
        ----------
        number : str
        families : ndarray of uint64
            Record keys, sorted.

        Returns
        -------
        mapping or None
            Of the nearest set that differs by at most nine families, with `apart`, by how many,
            and `new` if it is of the release that is being made.
            Its `released` is None where it was hidden so that others cannot be worked out.
        """
        entry = self._numbers.get(number)
        if entry is None:
            return None
        best: dict[str, Any] | None = None
        for place in entry.near(families):
            other = entry.sets[place]
            differ = len(np.setxor1d(families, other, assume_unique=True))
            said = entry.said[place]
            # Of two as near, what was told stays told.
            rank = (differ, said["released"] is None)
            if differ <= FEW and (best is None or rank < (best["apart"], best["released"] is None)):
                best = {**said, "apart": differ}
        return best

    def isolates(self, group: str, families: np.ndarray) -> bool:
        """Tell whether a set and two or three of earlier releases tell of one to nine families.

        Parameters
        ----------
        group : str
            Of numbers that can be set against each other, as `add` was told.
        families : ndarray of uint64
            Record keys, sorted.
        """
        earlier = self._earlier.get(group)
        return earlier is not None and earlier.isolate(families)

    def has(self, kind: str, number: str, value: str, unit: float, error: str = "") -> bool:
        """Tell whether a printed number was released, with its error, of whatever families."""
        named = "count" if kind == "count" else number
        pairs = self._values.setdefault(named, set())
        if not pairs:
            for key, numbers in self._numbers.items():
                if key == named or key.startswith(f"{named}:"):
                    pairs |= {
                        (float(one["released"]), float(one["unit"]), error_words(one["error"]))
                        for one in numbers.said if one["released"] is not None
                    }  # fmt: skip
        digits = len(value.partition(".")[2])
        return any(one == unit and f"{said:.{digits}f}" == value and own == error
                   for said, one, own in pairs)  # fmt: skip

    def add(self, number: str, families: np.ndarray, said: Mapping[str, Any]) -> dict[str, Any]:
        """Note that a number is released; return what is kept of it, which `untell` takes back."""
        row = {**said, "new": True}
        self._values.clear()
        self._take(number, families, row)
        self._new.append((number, families, row))
        return row

    def untell(self, row: dict[str, Any]) -> None:
        """Note that a number of this release was hidden after all, for the sake of others."""
        row |= dict.fromkeys(("released", "unit", "error"))

    def add_table(self, table: str, earlier: bool) -> bool:
        """Note the hash of a table of cells, and whether numbers of earlier releases stand in it.

        Returns
        -------
        bool
            Whether they did when it first left: again, it says nothing else. So what was stopped
            between the ledger and its end is, when repeated, as if it had not been.
        """
        before = self.tables.get(table)
        self._new_tables[table] = earlier if before is None else before
        return self._new_tables[table]

    def next_release(self) -> str:
        """Return the name of the release that `save` will keep."""
        return _name_of(self._releases + 1).removesuffix(".npz")

    def save(self) -> str:
        """Keep what was added; return the release's name."""
        name = self.next_release()
        if self.folder is None:
            return name
        sets: dict[bytes, int] = {}
        parts: list[np.ndarray] = []
        rows = []
        for number, families, row in self._new:
            own = families.tobytes()
            if own not in sets:
                sets[own] = len(parts)
                parts.append(families)
            kept = {name: one for name, one in row.items() if name != "new"}
            rows.append({**kept, "number": number, "set": sets[own]})
        record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "numbers": rows,
                  "tables": self._new_tables, "key": _mark(self.key)}  # fmt: skip
        packed = io.BytesIO()
        np.savez_compressed(packed, told=np.array(json.dumps(record)), members=_joined(parts),
                            starts=np.cumsum([0, *(len(one) for one in parts)]))  # fmt: skip
        try:
            write_private(self.folder / RELEASES / f"{name}.npz", packed.getvalue())
        except ParameterError:  # nothing here was held to it
            raise TfevalError(
                f"Another release came into {self.folder} meanwhile: run the same again."
            ) from None
        self._releases += 1
        self.tables |= self._new_tables
        self._new, self._new_tables = [], {}
        return name


def error_words(error: float | None) -> str:
    """Write a released error, or nothing.

    Examples
    --------
    >>> error_words(0.0625), error_words(None)
    ('0.0625', '')
    """
    return "" if error is None or not np.isfinite(error) else f"{error:.4g}"


def _name_of(number: int) -> str:
    return f"{number:04d}.npz"


def _key_in(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        key = b""
    if len(key) != _BYTES:  # a part of it would round, and know families, by other numbers
        raise DataError(f"{path} is not the key of a ledger: put back the ledger's copy of it.")
    return key


def _mark(key: bytes) -> str:
    """Return what tells a key from others, and is none."""
    return hashlib.blake2b(RELEASES.encode(), digest_size=8, key=key).hexdigest()


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])
