"""What is made of counts says something of them: means shown beside hidden ones, other chapters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.attacks.attacks import programming
from tests.attacks.world import Line, released
from tfeval.release import released as layer
from tfeval.release.ledger import Ledger
from tfeval.release.released import release_cells
from tfeval.report.cells import Cells, Maker, together
from tfeval.report.chapters import group_cells
from tfeval.report.chapters.group_cells import add_counts, add_mean

NUMBERS = ("families", "compared", "known:offences", "with:offences")


def ledger(seed: int = 0) -> Ledger:
    book = Ledger()
    book.key = bytes([seed]) * 32
    return book


def cells(values: list[np.ndarray], kept: int = 1_000) -> Cells:
    """Return what chapters 2 and 4 count of areas, three to a region: their families' offences."""
    codes = [f"A{one}" for one in range(len(values))]
    code, own = np.repeat(codes, [len(one) for one in values]), np.concatenate(values)
    chosen = np.concatenate([np.arange(len(one)) < kept for one in values])
    maker = Maker(range(len(code)), code, {one: f"R{int(one[1:]) // 3}" for one in codes})
    for level, area, parent, inside in maker.areas:
        place = {"level": level, "area": area, "parent": parent, "months": 12, "arm": "treated"}
        maker.count(inside, number="families", **place)
        maker.count(inside & chosen, number="compared", **place)
        add_counts(maker, own, inside & chosen, "offences", "compared", name="offences", **place)
        add_mean(maker, own, inside & chosen, "mean:offences", np.ones(len(own)), name="offences",
                 **place)  # fmt: skip
    return maker.made()


def families(count: int, having: int) -> np.ndarray:
    return np.where(np.arange(count) < having, 2.0 + np.arange(count) % 3, 0.0)


def shown(lines: list[Line]) -> set[tuple[str, str]]:
    return {(line.area, line.number.partition(":")[0]) for line in lines if line.shown}


@pytest.mark.parametrize("lacking", [0, 4])
def test_a_mean_beside_a_hidden_count_does_not_say_that_all_have_it(lacking, monkeypatch):
    # Of as good as all families something is counted, as of absence from school.
    values = [families(60, 60 - lacking), *(families(60, 30) for _ in range(3))]
    on = shown(released(cells(values), ledger()))
    assert ("A0", "with") not in on and ("A0", "mean") in on
    # Where a mean was hidden as of few without it, one shown said that there was none.
    monkeypatch.setattr(group_cells, "least_of", lambda own: lacking or len(own))
    off = shown(released(cells(values), ledger()))
    assert (("A0", "mean") in off) == (lacking == 0)


def test_a_mean_does_not_say_that_a_hidden_count_is_ten(monkeypatch):
    # Of 23 with it in a region 11 are in the one area, which is hidden for the two in the last.
    small = [families(40, 11), families(40, 10), families(40, 2)]
    values = [*small, *(families(80, 40) for _ in range(3))]
    made = cells(values)
    on = programming(released(made, ledger()), numbers=NUMBERS)
    monkeypatch.setattr(layer, "counts_behind", lambda *_: {})
    off = programming(released(made, ledger()), numbers=NUMBERS)
    assert off[0] >= 1 and on[0] == 0 and on[1] >= 1


@pytest.mark.parametrize("elsewhere", [0, 9, 10])
def test_an_effect_says_nothing_of_an_area_whose_partners_live_elsewhere(elsewhere):
    # 40 of the programme in A beside 40 compared, of whom some live in B; 40 more live in A.
    code = np.repeat(["A", "A", "B"], [40, 80 - elsewhere, elsewhere])
    treated = np.arange(120) < 40
    maker = Maker(range(120), code, {"A": "R", "B": "R"})
    place = {"level": "authority", "area": "A", "parent": "R", "months": 12}
    for arm, own in (("treated", treated), ("comparison", ~treated)):
        add_counts(maker, np.tile([0.0, 2.0], 60), own & (code == "A"), "offences", "",
                   name="offences", arm=arm, **place)  # fmt: skip
    partners = treated | (np.arange(120) >= 80)
    maker.add(partners, kind="effect", number="effect:offences:nearest:difference:ATT", arm="both",
              **place)  # fmt: skip
    made = maker.made()
    frame = made.frame.assign(guarded=made.frame["outcome"].eq("offences"), when="12")
    sets = [made.rows_of(one) for one in range(len(made.starts) - 1)]
    (counts,) = layer.counts_behind(frame, sets).values()
    arms = {"treated", "comparison"} if elsewhere < 10 else {"treated"}
    assert set(frame["arm"].iloc[counts]) == arms


def test_one_set_has_one_number_in_two_reports_of_a_release(monkeypatch):
    """Two numbers of the same families say that others, a few families off, stand beside them."""
    values = [families(37, 12), families(44, 20), families(80, 40), families(90, 50)]
    both = together([cells(values, 31)] * 2, ["one", "two"])

    def numbers() -> int:
        frame = release_cells(both, ledger()).frame
        counts = frame[frame["kind"].eq("count") & frame["shown"]]
        return int(counts.groupby(["number", "area"])["released"].nunique().max())

    assert numbers() == 1
    near = Ledger.answer
    monkeypatch.setattr(Ledger, "answer", lambda *own: one if (one := near(*own)) and one["apart"]
                        else None)  # fmt: skip
    assert numbers() == 2


def test_whom_chapter_4_compares_is_among_whom_chapter_2_follows(monkeypatch):
    frame = pd.DataFrame({"kind": "count", "number": ["families", "compared"], "arm": "treated",
                          "area": "A", "set": [0, 1], "exact": [50, 43]})  # fmt: skip
    sets = [np.arange(50, dtype=np.uint64), np.arange(43, dtype=np.uint64)]
    assert layer.across(frame, sets) == ([({1: 1.0, 0: -1.0}, 0.0)], [(1, 0)])
    monkeypatch.setattr(layer, "_alike", lambda number: number)
    assert layer.across(frame, sets) == ([], [])


def test_copies_are_counts_that_rest_on_copies():
    values = [families(37, 12), families(44, 20), families(80, 40), families(90, 50)]
    two = together([cells(values), cells(values), cells(values, 35)], ["one", "two", "three"])
    frame = release_cells(two, ledger()).frame
    counts = frame[frame["kind"] == "count"]
    same = frame["scope"].iloc[counts["same"].to_numpy(dtype=int)].to_numpy()
    assert set(same[counts["scope"] == "two"]) == {"one"}
    own = counts[counts["scope"] == "three"]
    assert set(own.loc[own["same"].astype(int) != own.index, "number"]) == {"families"}
    # What is hidden of one is hidden of its copy.
    for _, one in counts[counts["scope"] != "three"].groupby(["number", "area"]):
        assert one["shown"].nunique() == 1
