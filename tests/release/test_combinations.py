"""Sums and differences of earlier sets, against every one of them tried."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from tfeval.release.combinations import Combinations


def weights(sets: list[set[int]], signs: tuple[int, ...]) -> dict[int, int]:
    held: dict[int, int] = {}
    for one, sign in zip(sets, signs, strict=True):
        for family in one:
            held[family] = held.get(family, 0) + sign
    return held


def slow(new: set[int], sets: list[set[int]]) -> bool:
    """Try every sum and difference of two and three."""
    for count in (2, 3):
        for chosen in permutations(range(len(sets)), count):
            for signs in product((1, -1), repeat=count - 1):
                left = weights([new, *(sets[one] for one in chosen)],
                               (1, -1, *(-one for one in signs)))  # fmt: skip
                if 1 <= sum(map(abs, left.values())) <= 9:
                    return True
    return False


def packed(one: set[int]) -> np.ndarray:
    return np.array(sorted(one), dtype=np.uint64)


def test_it_finds_what_trying_all_finds():
    rng = np.random.default_rng(1)
    everybody = [int(one) for one in rng.integers(0, 2**63, 400)]
    blocks = [set(everybody[at : at + 40]) for at in range(0, 400, 40)]
    sets = [*blocks[:4], blocks[4] | blocks[5] | blocks[6], blocks[0] | blocks[7]]
    held = Combinations()
    for one in sets:
        held.add(packed(one))
    found = []
    for _ in range(40):
        new = set().union(*(blocks[one] for one in rng.choice(8, int(rng.integers(1, 4)), False)))
        new -= set(rng.choice(sorted(new), int(rng.integers(0, 6)), False).tolist())
        new |= set(rng.choice(everybody[320:], int(rng.integers(0, 8)), False).tolist())
        found.append(held.isolate(packed(new)))
        assert found[-1] == slow(new, sets)
    assert 4 < sum(found) < 36


@pytest.mark.parametrize(
    ("new", "isolates"),
    [
        (range(7, 60), True),  # A + B without seven
        (range(60), False),  # A + B exactly: nobody is left
        (range(3, 30), True),  # A - C, which C leaves of A, but for three more
        (range(20, 60), False),  # of A only a part: twenty are left
    ],
)
def test_unions_differences_and_complements(new, isolates):
    keys = np.random.default_rng(2).integers(0, 2**63, 90).astype(np.uint64)
    held = Combinations()
    for one in (range(30), range(30, 60), range(60, 90), [*range(3), *range(60, 90)]):
        held.add(np.sort(keys[list(one)]))
    assert held.isolate(np.sort(keys[list(new)])) == isolates
