"""Sums and differences of sets released earlier, and whether a new one isolates a few families.

Whoever has the counts of A, B and C has those of A + B, A - B, A + B - C and so on: of a union of
sets that do not meet, of what a part leaves of its whole, of overlaps. A new set that differs from
such a combination by one to nine families tells of those. All pairs and triples would be too many
to look at; but each family falls into one part in sixteen, several times over by different digits
of its key, and a combination that leaves few families leaves none of them in most parts: there the
sums of keys are equal, and are found by sorting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tfeval.report.cells import FEW

#: How often families are parted, and into how many parts. That nine avoid all chosen parts each
#: time has a chance of one in seven hundred; that five do, of one in a hundred thousand.
_TIMES, _BITS = 8, 4
#: Families are counted in so many heaps, whose differences bound those of sets.
HEAPS = 32
#: Sets beyond which combinations of three are not looked for: there would be too many.
_MOST = 1_500


def _sums(families: np.ndarray) -> np.ndarray:
    """Return the sum of the keys of those in each chosen part, modulo 2^64, shape (times,)."""
    mask = np.uint64((1 << _BITS) - 1)
    return np.array([
        families[(families >> np.uint64(_BITS * turn + 8)) & mask == 0].sum(dtype=np.uint64)
        for turn in range(_TIMES)
    ], dtype=np.uint64)  # fmt: skip


def heaps_of(families: np.ndarray) -> np.ndarray:
    """Return how many families fall into each of some heaps, shape (heaps,).

    What two sets' heaps differ by is no more than what the sets do.
    """
    return np.bincount((families % HEAPS).astype(np.int64), minlength=HEAPS)


@dataclass
class Combinations:
    """Sets of one number, told in earlier releases.

    Attributes
    ----------
    sets : list of ndarray of uint64
        Record keys, sorted.
    """

    sets: list[np.ndarray] = field(default_factory=list)

    def add(self, families: np.ndarray) -> None:
        """Add a set."""
        self.sets.append(families)
        for made in ("_keys", "_sizes", "_heaps", "_pairs"):
            self.__dict__.pop(made, None)

    def isolate(self, families: np.ndarray) -> bool:
        """Tell whether a set differs from a sum or difference of two or three by one to nine."""
        if len(self.sets) < 2:
            return False
        own, heaps, size = _sums(families), heaps_of(families), len(families)
        seen: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        for turn in np.flatnonzero(own):  # a part without any of its families says nothing
            for signs, places in self._candidates(own[turn], size, heaps, int(turn)):
                if len(set(places)) == len(places) and (signs, places) not in seen:
                    seen.add((signs, places))
                    if 0 < self._left(families, signs, places) <= FEW:
                        return True
        return False

    @cached_property
    def _keys(self) -> np.ndarray:
        return np.array([_sums(one) for one in self.sets], dtype=np.uint64)

    @cached_property
    def _heaps(self) -> np.ndarray:
        return np.array([heaps_of(one) for one in self.sets])

    @cached_property
    def _sizes(self) -> np.ndarray:
        return np.array([len(one) for one in self.sets], dtype=np.int64)

    @cached_property
    def _pairs(self) -> dict[int, list[tuple[np.ndarray, ...]]]:
        """Of sums (1) and differences (-1) of two, by turn: values sorted, sizes and places."""
        count = len(self.sets)
        first, second = np.triu_indices(count, 1)
        both = (np.concatenate([first, second]), np.concatenate([second, first]))
        by_sign: dict[int, list[tuple[np.ndarray, ...]]] = {1: [], -1: []}
        for turn in range(_TIMES):
            keys = self._keys[:, turn]
            for sign, (a, b) in ((1, (first, second)), (-1, both)):
                values = keys[a] + keys[b] if sign > 0 else keys[a] - keys[b]
                order = np.argsort(values, kind="stable")
                sizes = self._sizes[a] + sign * self._sizes[b]
                by_sign[sign].append((values[order], sizes[order], a[order], b[order]))
        return by_sign

    def _candidates(
        self, own: np.uint64, size: int, heaps: np.ndarray, turn: int
    ) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Yield signs, and places of the sets that may make this one."""
        keys = self._keys[:, turn]
        none = np.array([-1])
        # Two: A + B, A - B. Three: (A + B) + C, (A + B) - C, (A - B) - C.
        wanted = [(1, 0, none), (-1, 0, none)]
        if len(self.sets) <= _MOST:
            everyone = np.arange(len(self.sets))
            wanted += [(1, 1, everyone), (1, -1, everyone), (-1, -1, everyone)]
        for sign, third, places in wanted:
            values, sizes, a, b = self._pairs[sign][turn]
            others = np.where(places < 0, np.uint64(0), keys[places])
            beside = np.where(places < 0, 0, self._sizes[places])
            target = own - others if third > 0 else own + others
            start, stop = (np.searchsorted(values, target, side) for side in ("left", "right"))
            counts = stop - start
            if not counts.any():
                continue
            which = np.repeat(np.arange(len(places)), counts)
            at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            at += np.repeat(start, counts)
            near = np.abs(sizes[at] + third * beside[which] - size) <= FEW
            first, second, last = a[at[near]], b[at[near]], places[which[near]]
            off = self._heaps[first] + sign * self._heaps[second] - heaps
            off += third * self._heaps[last]
            for place in np.flatnonzero(np.abs(off).sum(axis=1) <= FEW):
                ends = () if third == 0 else (int(last[place]),)
                yield (1, sign, third), (int(first[place]), int(second[place]), *ends)

    def _left(
        self, families: np.ndarray, signs: tuple[int, ...], places: tuple[int, ...]
    ) -> int:  # fmt: skip
        """Return by how many families, each as often as it counts, a set differs from a sum."""
        signed = zip(places, signs, strict=False)
        parts = [(families, 1), *((self.sets[one], -sign) for one, sign in signed)]
        keys, place = np.unique(np.concatenate([one for one, _ in parts]), return_inverse=True)
        weight = np.concatenate([np.full(len(one), sign) for one, sign in parts])
        return int(np.abs(np.bincount(place, weights=weight, minlength=len(keys))).sum())
