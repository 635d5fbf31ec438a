"""Attacks on what is published: each finds cells on pages as they are shown, and none in a release.

The pages' way is tried too, so that an attack that has stopped working is noticed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.attacks import attacks
from tests.attacks.world import Line, as_shown, cells_of, families, released
from tfeval.release.ledger import Ledger
from tfeval.release.released import SECONDARY, release_cells
from tfeval.report.cells import together


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return families()


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(scope="module")
def published(people, ledger) -> dict[str, list[Line]]:
    cells = cells_of(people)
    return {"off": as_shown(cells), "on": released(cells, ledger)}


ATTACKS = {
    "two shares of one total": attacks.two_shares_of_one_total,
    "families from means": attacks.families_from_means,
    "a region less the authorities shown": attacks.region_less_shown,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_that_finds_cells_on_pages_finds_none_in_a_release(published, name):
    assert len(ATTACKS[name](published["off"])) >= 1
    assert ATTACKS[name](published["on"]) == []


def some_regions(lines: list[Line], regions: tuple[str, ...]) -> list[Line]:
    kept = [line for line in lines if line.area in regions or line.parent in regions]
    return [Line(**{**vars(line), "parent": ""}) if line.area in regions else line
            for line in kept]  # fmt: skip


def test_linear_programming_over_areas_and_wholes(published):
    regions = ("Region 1", "Region 4")
    off = attacks.programming(some_regions(published["off"], regions))
    on = attacks.programming(some_regions(published["on"], regions))
    assert off[0] > 5
    assert on[0] == 0 and on[1] >= off[1]


@pytest.mark.parametrize("between", [1, 2, 9])
def test_two_reports_that_differ_by_a_caliper(people, tmp_path, between):
    # 1,383 and 1,385 families, as with calipers of 0.19 and 0.2; or editions one family apart.
    wide = people.iloc[:1385].reset_index(drop=True)
    narrow = wide.iloc[: 1385 - between]
    sizes, truth = (len(narrow), len(wide)), wide["offences"].iloc[1385 - between :].sum()
    own = [cells_of(one, areas=False) for one in (narrow, wide)]
    assert attacks.difference_of_two(*(as_shown(one) for one in own), sizes) == truth
    lines = []
    for one in own:  # two commands, one ledger
        ledger = Ledger(tmp_path / "ledger")
        lines.append(released(one, ledger))
        ledger.save()
    assert attacks.difference_of_two(*lines, sizes) is None
    said = [[(line.number, line.low, line.high) for line in one] for one in lines]
    assert said[0] == said[1]


def test_two_reports_of_one_release_that_differ_by_a_caliper(people):
    wide, narrow = (people.iloc[:count].reset_index(drop=True) for count in (1_385, 1_380))
    both = together([cells_of(one, areas=False) for one in (wide, narrow)], ["wide", "narrow"])
    found = release_cells(both, Ledger()).frame
    said = [found[found["scope"] == scope].set_index("number") for scope in ("wide", "narrow")]
    assert (said[0]["released"].fillna(0) == said[1]["released"].fillna(0)).all()
    assert (said[0]["exact"] != said[1]["exact"]).any() and said[0]["shown"].any()


def parts_of(people: pd.DataFrame) -> list[pd.DataFrame]:
    """Return three parts, and all of them but for five families."""
    first, second, third = (people.iloc[at : at + 700] for at in (0, 700, 1_400))
    return [first, second, third, people.iloc[:2_095]]


def test_a_union_of_earlier_sets_but_for_five_families(people, tmp_path):
    truth, own = 2_100 - 2_095, []
    for part in parts_of(people):
        ledger = Ledger(tmp_path / "ledger")
        lines = released(cells_of(part.reset_index(drop=True), areas=False), ledger)
        own.append(attacks.by_area(lines, "families")["England"])
        ledger.save()
    assert all(line.shown for line in own[:3]) and not own[3].shown
    shown = [as_shown(cells_of(part.reset_index(drop=True), areas=False))
             for part in parts_of(people)]  # fmt: skip
    lines = [attacks.by_area(one, "families")["England"] for one in shown]
    counts = [(line.low + line.high) / 2 for line in lines]
    assert sum(counts[:3]) - counts[3] == truth


def test_more_families_apart_have_their_own_numbers(people, tmp_path):
    both = []
    for count in (1000, 1100):
        ledger = Ledger(tmp_path / "ledger")
        cells = cells_of(people.iloc[:count].reset_index(drop=True), areas=False)
        both.append(attacks.by_area(released(cells, ledger), "families")["England"])
        ledger.save()
    assert [line.low for line in both] == pytest.approx([1000 - 5.2, 1100 - 5.2])


def test_the_nation_is_not_the_sum_of_rounded_cells_and_the_gap_is_bounded(published):
    held = attacks.by_area(published["on"], "families")
    nation = held.pop("England")
    parts = [line for line in held.values() if line.parent == "England"]
    gap = sum(line.low + line.high for line in parts) / 2 - (nation.low + nation.high) / 2
    assert abs(gap) <= 5.2 * (len(parts) + 1)


def test_a_set_has_one_number_in_every_table(people, published, ledger):
    # The same families as a table of a region alone, in another order.
    own = people[people["area"].map(lambda code: int(code[1:]) % 9 == 4)].iloc[::-1]
    second = released(cells_of(own.reset_index(drop=True), areas=False), ledger)
    whole = attacks.by_area(published["on"], "custody")["Region 4"]
    alone = attacks.by_area(second, "custody")["England"]
    assert (whole.low, whole.high) == (alone.low, alone.high) and np.isfinite(whole.low)


def test_what_was_hidden_for_others_stays_hidden(tmp_path):
    cells, said = cells_of(families(2_500)), []
    for _ in range(2):
        ledger = Ledger(tmp_path / "ledger")
        said.append(release_cells(cells, ledger).frame[["shown", "released", "reason"]])
        ledger.save()
    assert (said[0]["reason"] == SECONDARY).any()
    pd.testing.assert_frame_equal(*said)
