"""Balance gives no family away: one odd family that makes the standard deviation, and few left out.

Each property is held to differences worked out anew without the families that matter most.
"""

from __future__ import annotations

import numpy as np
import pytest

from tfeval.release.keys import unit_of
from tfeval.report.cells import FEW, least_of, most, moved_by, tenth
from tfeval.report.chapters.group_cells import _difference, _spread

ODD = {"none": 0, "one": 1, "five": 5}


def people(odd: int, scale: float = 1.0, size: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Return days out of work of two groups, of which the first has more, and a few odd ones."""
    rng = np.random.default_rng(3)
    treated = np.arange(size) < size // 2
    values = rng.gamma(2.0, scale, size) + 0.5 * scale * treated
    values[:odd] = 20_000.0 * scale * (1 + np.arange(odd))
    return values, treated


def smd(values: np.ndarray, treated: np.ndarray) -> float:
    """A difference over the standard deviation of the treated."""
    return over_spread(values, treated, np.ones(len(values), dtype=bool), "treated")[0]


def to_first_order(values: np.ndarray, treated: np.ndarray) -> dict[str, float]:
    """What families move it by while the standard deviation's own move is taken as small."""
    sd, pulls = values[treated].std(ddof=1), np.zeros(len(values))
    for which in (True, False):
        own = treated == which
        apart = np.abs(values[own] - values[own].mean()) / sd
        pulls[own] = (apart + abs(smd(values, treated)) / 2 * abs(apart**2 - 1)) / own.sum()
    return {"largest": pulls.max(), "drop": most(pulls), "tenth": tenth(pulls)}


def bound(values: np.ndarray, treated: np.ndarray) -> dict[str, float]:
    ones, difference = np.ones(len(values)), smd(values, treated)
    spread = _spread(values, treated, ones, "treated")
    sd = float(values[treated].std(ddof=1))
    made = _difference(values, treated, ones, difference, sd, spread)
    assert made is not None and made[1] == min(map(least_of, (values[treated], values[~treated])))
    return made[2]


def worst(values: np.ndarray, treated: np.ndarray) -> float:
    """How far it moves without up to nine: the most extreme of either group, and any by chance."""
    rng, whole, far = np.random.default_rng(1), smd(values, treated), 0.0
    for which in (True, False):
        order = np.flatnonzero(treated == which)[np.argsort(values[treated == which])]
        sets = [order[-count:] for count in range(1, FEW + 1)] + [order[:FEW]]
        sets += [rng.choice(order, FEW) for _ in range(20)]
        for gone in sets:
            left = ~np.isin(np.arange(len(values)), gone)
            far = max(far, abs(smd(values[left], treated[left]) - whole))
    return far


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_family_does_not_make_a_difference_that_goes_with_it(odd):
    values, treated = people(ODD[odd])
    moved, apart = bound(values, treated), worst(values, treated)
    unit = unit_of(moved["largest"], moved["drop"], moved["tenth"])
    if ODD[odd]:
        # Most of the variance is theirs. To first order it moved by more than its unit.
        assert np.isnan(unit) or apart < unit
        assert apart > unit_of(*to_first_order(values, treated).values())
    else:
        assert apart <= moved["drop"] < 3 * apart and unit <= 2**-6


@pytest.mark.parametrize("tail", [1.05, 1.5, 3.0])
@pytest.mark.parametrize("denominator", ["treated", "pooled"])
def test_nine_families_move_a_difference_by_no_more_than_is_said(tail, denominator):
    rng = np.random.default_rng(int(10 * tail))
    for _ in range(5):
        values, treated = rng.pareto(tail, 600), rng.random(600) < 0.5
        every, ones = np.ones(600, dtype=bool), np.ones(600)
        whole, sd = over_spread(values, treated, every, denominator)
        spread = _spread(values, treated, ones, denominator)
        made = _difference(values, treated, ones, whole, sd, spread)
        assert made is not None
        for which in (True, False):
            order = np.argsort(np.where(treated == which, values, -1.0))
            for count in (1, 3, FEW):
                left = ~np.isin(np.arange(600), order[-count:])
                far = abs(over_spread(values, treated, left, denominator)[0] - whole)
                assert far <= made[2]["drop"] * (1 + 1e-9)
                assert count > 1 or far <= made[2]["largest"] * (1 + 1e-9)


def over_spread(
    values: np.ndarray, treated: np.ndarray, left: np.ndarray, denominator: str
) -> tuple[float, float]:
    """A difference over the standard deviation of those left, and that."""
    arms = [values[left & (treated == which)] for which in (True, False)]
    squares = [own.var(ddof=1) for own in arms]
    sd = float(np.sqrt(squares[0] if denominator == "treated" else sum(squares) / 2))
    return float(arms[0].mean() - arms[1].mean()) / sd, sd


def test_a_mean_of_one_odd_family_is_bounded_exactly():
    values = np.append(np.full(999, 1.0), 5_000.0)
    mean, moved = moved_by(values)
    assert abs(mean - values[:-1].mean()) == pytest.approx(moved["largest"] * 1000 / 999)
