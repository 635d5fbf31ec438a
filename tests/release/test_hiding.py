"""How near a reader comes, against every table that would look the same."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from tfeval.errors import ReportError
from tfeval.release.hiding import hide_more, reach


def table(rows: list[tuple], **more: object) -> pd.DataFrame:
    names = ["number", "area", "parent", "base", "exact", "released", "shown"]
    frame = pd.DataFrame(rows, columns=names)
    frame = frame.assign(kind="count", months=12, arm="treated", within="", exhaustive=False,
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
