"""The committed table of checks: clean studies pass, broken ones are seen or said to be silent."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

TABLE = Path(__file__).parent / "diagnostics.csv"
OF_NONE = ("placebo_outcomes", "placebo_index_date", "trend_before")
FEW, MANY = 4_000, 40_000


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(TABLE, comment="#")


def share(rows: pd.DataFrame, **of: object) -> tuple[float, int]:
    """Return the share of draws with the rows' words, over all chosen, and how many draws."""
    for name, value in {"planted": 0.0, "families": FEW, **of}.items():
        rows = rows[rows[name].isin(value) if isinstance(value, tuple) else rows[name] == value]
    draws = rows.drop_duplicates(["simulator", "world", "check", "planted"])["draws"].sum()
    return float((rows["share"] * rows["draws"]).sum() / draws), int(draws)


def test_it_says_how_it_was_made(rows):
    about = json.loads(TABLE.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "))
    assert {"seed", "draws", "seconds"} <= set(about)
    error = (rows["share"] * (1 - rows["share"]) / rows["draws"]) ** 0.5
    assert rows["share_error"].to_numpy() == pytest.approx(error.to_numpy(), abs=1e-3)
    four = rows[rows["check"].isin([*OF_NONE, "censoring"])]
    whole = four.groupby(["simulator", "world", "families", "planted", "check"])["share"]
    assert whole.sum().to_numpy() == pytest.approx(1.0, abs=1e-3)


def test_clean_studies_fail_no_oftener_than_is_said(rows):
    for chosen in ({"check": "placebo_outcomes", "word": "differs", "clean": True},
                   {"check": "trend_before", "word": "differs", "clean": True},
                   {"check": "overlap", "word": "failed", "clean": True},
                   {"check": "censoring", "word": "differs", "clean": True},
                   {"check": "any_of_none", "world": ("nothing_wrong", "crisis")}):  # fmt: skip
        failed, draws = share(rows, **chosen)
        # Three Monte Carlo errors above one of 20, which is for all checks of no effect together.
        assert failed <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5, chosen
    # It asks more than the design needs, and says so.
    assert share(rows, check="placebo_index_date", world="selection_recorded",
                 word="differs")[0] > 0.5  # fmt: skip


def test_all_outcomes_at_once_see_what_none_sees_alone(rows):
    own = rows[rows["check"].isin(OF_NONE) & (rows["families"] == FEW)]
    assert own["detectable"].lt(0.07).all() and own["detectable_single"].gt(0.12).all()
    seen = share(rows, check="any_of_none", simulator="histories", world="selection_unrecorded")
    assert seen[0] > 0.5


@pytest.mark.parametrize("families", [FEW, MANY])
def test_what_matters_is_never_passed_and_less_of_it_fails_with_more_families(rows, families):
    own = {"check": "placebo_outcomes", "world": "nothing_wrong", "families": families}
    passed, fails = [
        {by: share(rows, planted=by, word=words, **own)[0] for by in (0.0, 0.01, 0.02, 0.04, 0.08)}
        for words in (("alike", "small"), "differs")
    ]
    assert passed[0.08] == 0 and fails[0.08] == 1
    assert passed[0.0] >= passed[0.04] >= passed[0.08]
    assert fails[0.0] <= fails[0.04] <= fails[0.08]


def test_what_is_told_from_none_in_a_whole_programme_and_does_not_matter_passes(rows):
    own = {"check": "placebo_outcomes", "families": 400_000}
    assert share(rows, planted=(0.01, 0.02), word="small", **own)[0] == 1.0
    assert share(rows, planted=0.08, word="differs", **own)[0] == 1.0
    passed = share(rows, check="placebo_outcomes", word=("alike", "small"),
                   world="selection_unrecorded")  # fmt: skip
    assert passed[0] < 0.25


def test_the_words_of_confidence_are_good_where_nothing_is_wrong(rows):
    good = share(rows, check="confidence", world="nothing_wrong")[0]
    bad = share(rows, check="confidence", world="selection_unrecorded")[0]
    assert good > 0.5 and bad == 0
