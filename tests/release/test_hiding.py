"""How near a reader comes, against every table that would look the same."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import ReportError
from tfeval.release.hiding import hide_more, reach
from tfeval.release.ledger import Ledger
from tfeval.release.released import across, release_cells
from tfeval.report.cells import Cells, Maker, together


def table(rows: list[tuple], **more: object) -> pd.DataFrame:
    names = ["number", "area", "parent", "base", "exact", "released", "shown"]
    frame = pd.DataFrame(rows, columns=names)
    frame = frame.assign(kind="count", months=12, arm="treated", within="", lacking=np.nan,
                         unit=10.0, need=10.0, n=frame["exact"], signed=False,
                         guarded=frame["base"] != "", **more)  # fmt: skip
    frame["level"] = np.where(frame["parent"] == "", "region", "authority")
    return frame.assign(sensitive=~frame["shown"])


TABLE = [
    ("families", "R", "", "", 37, 40.0, True),
    ("families", "A", "R", "", 12, 10.0, True),
    ("families", "B", "R", "", 18, 20.0, True),
    ("families", "C", "R", "", 7, np.nan, False),
]


def test_the_reach_is_that_of_every_table_that_would_look_the_same():
    seen = []
    for a, b, c in product(range(10, 40), range(10, 40), range(40)):
        if abs(a - 10) <= 5.5 and abs(b - 20) <= 5.5 and abs(a + b + c - 40) <= 5.5:
            seen.append(c)
    (found,) = reach(table(TABLE).drop(columns="exact"))
    assert int(np.ceil(found.low)) == min(seen)
    assert int(np.floor(found.high)) == max(seen)
    assert found.safe


def test_a_number_that_is_given_away_is_hidden_by_another():
    # A region of about 20 with two of at least ten each leaves next to nothing.
    rows = [("families", "R", "", "", 21, 20.0, True), ("families", "A", "R", "", 11, 10.0, True),
            ("families", "B", "R", "", 10, 10.0, True),
            ("families", "C", "R", "", 0, np.nan, False)]  # fmt: skip
    (found,) = reach(table(rows))
    assert not found.safe
    more, reached = hide_more(table(rows))
    assert more.tolist() in ([False, True, False, False], [False, False, True, False])
    assert all(one.safe for one in reached)
    (left,) = reach(table(rows).assign(shown=lambda f: f["shown"] & ~more))
    assert left.safe


def test_who_has_it_not_is_protected_too():
    # Of 24 families 19 have it: hidden, since five have not.
    rows = [("families", "A", "", "", 24, 20.0, True), ("custody", "A", "", "families", 19, np.nan,
                                                          False)]  # fmt: skip
    found = reach(table(rows))
    assert [one.complement for one in found] == [False, True]
    assert all(one.safe for one in found)


def test_numbers_that_contradict_each_other_are_refused():
    rows = [("families", "R", "", "", 20, 20.0, True), ("families", "A", "R", "", 60, 60.0, True),
            ("families", "C", "R", "", 3, np.nan, False)]  # fmt: skip
    with pytest.raises(ReportError, match="contradict"):
        reach(table(rows).drop(columns="exact"))


def of_means(hidden: set[tuple[str, str]]) -> pd.DataFrame:
    """Means of two groups in a region and its two areas, and the effects between them."""
    rows = []
    for area, parent, n, pair in (("R", "", 200, (1.0, 0.8)), ("A", "R", 150, (1.2, 0.9)),
                                  ("B", "R", 50, (0.4, 0.5))):  # fmt: skip
        kinds = {"mean": (*zip(("treated", "comparison"), pair, strict=True),),
                 "effect": (("both", pair[0] - pair[1]),)}  # fmt: skip
        for kind, values in kinds.items():
            for arm, value in values:
                name = "mean:x:nearest:capped"
                name = name if kind == "mean" else "effect:x:nearest:difference:ATT:capped"
                shown = (kind, area) not in hidden
                rows.append({
                    "kind": kind, "number": name, "arm": arm, "area": area, "parent": parent,
                    "level": "authority" if parent else "region", "n": n, "exact": value,
                    "released": round(value, 2) if shown else np.nan, "shown": shown,
                    "need": 0.5 if kind == "effect" else 0.01,
                })  # fmt: skip
    frame = pd.DataFrame(rows).assign(months=12, base="", within="", lacking=np.nan, unit=0.01,
                                      signed=True, guarded=False)  # fmt: skip
    return frame.assign(sensitive=~frame["shown"])


def test_an_effect_is_known_from_two_means():
    # B's effect is what the region's leaves; theirs follow from means, which need not be hidden.
    frame = of_means({("mean", "B"), ("effect", "B")})
    more, reached = hide_more(frame)
    left = frame[frame["shown"] & ~more]
    shown = {(row["arm"], row["area"]) for row in left.to_dict("records")}
    known = [("both", area) in shown or {("treated", area), ("comparison", area)} <= shown
             for area in ("R", "A")]  # fmt: skip
    assert more.any() and not all(known)
    assert len(reached) == 3 and all(one.safe for one in reached)


def two_times(first: list[bool], second: list[bool], third: list[bool] | None = None) -> Cells:
    """Cells of one number over several months, or in several reports, of some families."""
    made = []
    for months, held in ((6, first), (12, second), (18, third)):
        if held is not None:
            maker = Maker(map(str, range(len(held))), ["E1"] * len(held), {})
            maker.count(np.array(held), number="with:x", arm="treated", level="england",
                        area="England", months=months)  # fmt: skip
            made.append(maker.made())
    return together(made)


def test_horizons_know_each_other():
    # Within 6 months twelve have it, within 12 months fifteen: three families between them.
    near = two_times([place < 12 for place in range(60)], [place < 15 for place in range(60)])
    assert _across_of(near) == ([({0: 1.0, 1: -1.0}, 0.0)], [(0, 1)])
    # Nobody is within anybody.
    none = two_times([place < 12 for place in range(60)], [place > 40 for place in range(60)])
    assert _across_of(none) == ([], [])


def test_two_phases_make_up_the_whole():
    # Thirteen of fourteen, both said as ten: that leaves at most five, and so one more is hidden.
    cells = two_times([place < 1 for place in range(14)], [place >= 1 for place in range(14)],
                      [True] * 14)  # fmt: skip
    bounds, near = _across_of(cells)
    for sign in (1.0, -1.0):
        assert ({2: sign, 0: -sign, 1: -sign}, 0.0) in bounds
    assert near == [(1, 2)]
    found = release_cells(cells, Ledger())
    assert found.frame["reason"].tolist().count("small") == 1
    assert found.frame["shown"].sum() == 1
    assert found.reached and all(one.safe for one in found.reached)


def _across_of(cells: Cells) -> tuple:
    frame = cells.frame.assign(exact=cells.frame["value"])
    return across(frame, [cells.rows_of(place) for place in range(len(cells.starts) - 1)])
