"""Rounding by key: a few families fewer move no number by more than a unit."""

from __future__ import annotations

import numpy as np
import pytest

from tfeval.release.keys import (
    COUNT_UNIT,
    NOISE,
    cell_key,
    digits_of,
    noise,
    record_keys,
    rounded,
    unit_of,
)
from tfeval.report.cells import moved_by

KEY = b"k" * 32


def said(keys: np.ndarray, value: float, unit: float, number: str = "mean") -> float:
    return rounded(value, unit, noise(number, cell_key(keys), KEY))


def cases(rng: np.random.Generator) -> list[np.ndarray]:
    n = int(rng.integers(20, 400))
    heavy = rng.pareto(1.1, n) * rng.choice([1.0, 100.0])
    one = np.append(rng.poisson(1.0, n).astype(float), 10.0 ** rng.integers(1, 6))
    return [heavy, one, rng.poisson(0.4, n).astype(float), (rng.random(n) < 0.5).astype(float),
            rng.normal(0, 1, n)]  # fmt: skip


def test_leaving_out_any_nine_moves_no_mean_by_more_than_a_unit():
    rng = np.random.default_rng(1)
    moved, larger = [], 0
    for _ in range(150):
        for values in cases(rng):
            keys = record_keys(rng.integers(0, 2**63, len(values)).astype(np.uint64), KEY)
            mean, pulls = moved_by(values)
            unit = unit_of(**pulls)
            before = said(keys, mean, unit)
            order = np.argsort(values)
            for out in (order[-9:], order[:9], order[-1:], rng.choice(len(values), 5, False)):
                left = np.delete(values, out)
                again, own_pulls = moved_by(left)
                own = unit_of(**own_pulls)
                if not np.isfinite(own):
                    continue
                after = said(np.delete(keys, out), again, own)
                moved.append(abs(after - before) / max(unit, own))
                larger += own != unit
    assert max(moved) <= 1.0
    assert max(moved) == 1.0 and larger > 50  # both happen: the property can fail


def test_a_unit_is_ten_times_the_largest_contribution_and_no_more_where_ten_are_alike():
    rng = np.random.default_rng(5)
    for n in rng.integers(200, 3_000, 200):
        _, pulls = moved_by((np.arange(n) < n // 3).astype(float))
        assert 10 * pulls["largest"] <= unit_of(**pulls) < 2.001 * 10 * pulls["largest"]
    # Where nine stand out the unit without them is small, and this one has to be wider.
    _, pulls = moved_by(np.append(np.zeros(500), np.full(9, 40.0)))
    assert unit_of(**pulls) >= pulls["drop"] / 0.48


def test_a_narrower_unit_would_not_hold():
    values = np.append(np.zeros(60), np.full(9, 40.0))
    mean, pulls = moved_by(values)
    keys = record_keys(np.arange(69, dtype=np.uint64), KEY)
    narrow = pulls["drop"] / 3
    after = said(keys[:60], 0.0, narrow)
    assert abs(after - said(keys, mean, narrow)) > narrow


def test_leaving_out_any_nine_moves_no_count_by_more_than_a_unit():
    rng = np.random.default_rng(2)
    keys = record_keys(rng.integers(0, 2**63, 300).astype(np.uint64), KEY)
    counts = {n: said(keys[:n], n, COUNT_UNIT, "count") for n in range(10, 301)}
    for n in range(19, 301):
        for fewer in range(1, 10):
            assert 0 <= counts[n] - counts[n - fewer] <= COUNT_UNIT
    # At the edge the key decides, for each set anew.
    edge = [said(keys[at : at + 15], 15, COUNT_UNIT, "count") for at in range(280)]
    assert {10.0, 20.0} == set(edge)


def test_a_number_hangs_on_the_set_and_the_key_alone():
    families = np.random.default_rng(3).integers(0, 2**63, 50).astype(np.uint64)
    keys, other = record_keys(families, KEY), record_keys(families, b"x" * 32)
    assert cell_key(keys) == cell_key(keys[::-1])
    assert cell_key(keys) == sum(int(one) for one in keys) % 2**64
    assert noise("count", cell_key(keys), KEY) == noise("count", cell_key(keys[::-1]), KEY)
    assert noise("count", cell_key(keys), KEY) != noise("mean", cell_key(keys), KEY)
    assert cell_key(keys) != cell_key(other)


def test_noise_is_even_over_its_range():
    drawn = np.sort([noise("count", one, KEY) for one in range(4000)])
    ideal = np.linspace(-NOISE, NOISE, 4000)
    assert np.abs(drawn - ideal).max() < 0.03 * NOISE * 2


@pytest.mark.parametrize("unit", [2.0**one for one in range(-12, 6)])
def test_digits_tell_multiples_apart_and_no_more(unit):
    shown = {f"{unit * one:.{digits_of(unit)}f}" for one in range(200)}
    assert len(shown) == 200
    if unit < 1:
        assert len({f"{unit * one:.{digits_of(unit) - 1}f}" for one in range(200)}) < 200
