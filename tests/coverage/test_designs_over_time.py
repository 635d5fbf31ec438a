"""The committed table of designs over time follows from its seed, and says what it must say."""

from __future__ import annotations

import designs_over_time as made
import numpy as np
import pandas as pd
import pytest

from tfeval.report.chapters.broken_designs import (
    CLEAN,
    HOLDS,
    REFUSED,
    SEEN,
    SILENT,
    TABLE,
    read_broken_designs,
)

FOUND = read_broken_designs()
CELLS = {(cell.design, cell.world): cell for cell in made.cells()}
#: Run again whole: quick ones, where all holds and where it does not.
WHOLE = [("two_way", "clean"), ("two_way", "differ"), ("difference_in_differences", "factor")]
#: These allow for more than there is where nothing is broken.
WIDE = {"bounds_steps", "threshold_honest"}


@pytest.fixture(scope="module")
def rows():
    return FOUND.rows.set_index(["design", "world"])


def test_every_cell_is_in_it_once_with_its_draws():
    told = FOUND.rows.set_index(["design", "world"])["draws"].to_dict()
    assert len(told) == len(FOUND.rows) == len(CELLS)
    assert told == {key: cell.draws for key, cell in CELLS.items()}
    assert made.TABLE == TABLE


def test_it_says_how_it_was_made():
    about = FOUND.about
    assert about["seed"] == made.SEED and about["rules"] == made.RULES
    assert 0 < about["processor_seconds"] < 600
    assert {"python", "numpy", "scipy", "pandas", "tfeval"} == set(about["versions"])


def test_a_draw_of_every_cell_follows_from_the_seed():
    kept = pd.read_csv(made.FOLDER / made.SAMPLE)
    names = zip(kept["design"], kept["world"], kept["draw"], strict=True)
    again = pd.DataFrame([CELLS[design, world].run(number) for design, world, number in names])
    assert set(zip(kept["design"], kept["world"], strict=True)) == set(CELLS)
    for name in kept.columns[2:]:
        np.testing.assert_allclose(
            again[name].astype(float), kept[name].astype(float), rtol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("key", WHOLE, ids="/".join)
def test_whole_cells_follow_from_the_seed(key, rows):
    again = made.summary(made.run(CELLS[key])).iloc[0]
    for name in ("bias", "bias_error", "spread", "coverage", "flagged", "misled"):
        assert again[name] == pytest.approx(rows.loc[key, name], rel=1e-3, nan_ok=True), name


def test_shares_and_verdicts_are_those_of_draws_worked_by_hand():
    """Four draws: one holds, one misses unflagged, one misses flagged, one has no interval."""
    clean = pd.DataFrame({
        "design": "d", "world": CLEAN, "draw": range(4), "truth": 0.0, "estimate": 0.0,
        "conf_low": -1.0, "conf_high": 1.0, "check": [False, False, False, True],
    })  # fmt: skip
    broken = clean.assign(
        world="b", estimate=[0.5, 2.0, 2.0, 3.5], conf_low=[-1, 1, 1, np.nan],
        conf_high=[1, 3, 3, np.nan], check=[False, False, True, False],
    )  # fmt: skip
    table = made.summary(pd.concat([clean, broken])).set_index("world")
    told = table.loc["b"]
    assert (told["given"], told["bias"], told["flagged"], told["misled"]) == (0.75, 2.0, 0.25, 0.25)
    assert told["coverage"] == pytest.approx(1 / 3)
    assert told["bias_error"] == pytest.approx(np.std([0.5, 2, 2, 3.5], ddof=1) / 2)
    assert table["verdict"].tolist() == ["holds", "silent"]


@pytest.mark.parametrize(
    ("row", "alarms", "verdict"),
    [
        ({"given": 1.0, "coverage": 0.95, "flagged": 0.9, "misled": 0.0}, 0.0, HOLDS),
        ({"given": 1.0, "coverage": 0.3, "flagged": 0.8, "misled": 0.1}, 0.1, SEEN),
        ({"given": 1.0, "coverage": 0.3, "flagged": 0.4, "misled": 0.4}, 0.1, SILENT),
        ({"given": 1.0, "coverage": 0.8, "flagged": 0.4, "misled": 0.01}, 0.1, SEEN),
        ({"given": 1.0, "coverage": 0.3, "flagged": 0.8, "misled": 0.0}, 0.7, SILENT),
        ({"given": 0.2, "coverage": 0.95, "flagged": 0.0, "misled": 0.0}, 0.0, REFUSED),
        ({"given": 1.0, "coverage": 0.3, "flagged": np.nan, "misled": 0.7}, np.nan, SILENT),
    ],
)
def test_a_check_that_always_flags_sees_nothing(row, alarms, verdict):
    assert made.verdict(row, alarms) == verdict


# ------------------------------------------------------------------ what the table says


@pytest.mark.parametrize("design", FOUND.rows["design"].unique())
def test_where_nothing_is_broken_designs_are_right(design, rows):
    row = rows.loc[(design, CLEAN)]
    assert row["given"] == 1
    # Means bend there as much as the bound allows: honest intervals are as wide for it.
    assert design == "threshold_honest" or abs(row["bias"]) <= 3 * row["bias_error"]
    assert 0.92 <= row["coverage"] <= (1.0 if design in WIDE else 0.98)


def test_a_broken_world_holds_is_seen_or_is_said_to_be_silent(rows):
    assert set(rows["verdict"]) <= {HOLDS, SEEN, SILENT, REFUSED}
    for (design, _), row in rows.iterrows():
        alarms = rows.loc[(design, CLEAN), "flagged"]
        assert row["verdict"] == made.verdict(row.to_dict(), alarms)
        if row["verdict"] == SEEN:
            assert row["flagged"] > 0.5 or row["misled"] < 0.05


def test_two_way_fixed_effects_fail_where_group_time_effects_do_not(rows):
    wrong, right = rows.loc[("two_way", "differ")], rows.loc[("group_time", "differ")]
    assert abs(wrong["bias"]) > 20 * wrong["bias_error"] and wrong["coverage"] < 0.1
    assert abs(right["bias"]) <= 3 * right["bias_error"] and right["coverage"] > 0.92


def test_weights_make_up_for_a_factor_that_changes_alone_do_not(rows):
    alone = rows.loc[("difference_in_differences", "factor")]
    weighted = rows.loc[("synthetic_difference_in_differences", "factor")]
    assert alone["bias"] > 20 * alone["bias_error"] and alone["coverage"] < 0.8
    assert abs(weighted["bias"]) < abs(alone["bias"]) / 4


def test_what_happens_at_the_same_time_is_silent_everywhere(rows):
    for design in ("event_study", "group_time", "synthetic_difference_in_differences",
                   "synthetic_control", "difference_in_differences"):  # fmt: skip
        assert rows.loc[(design, "break"), "verdict"] == SILENT
    for design in ("threshold", "threshold_adjacent"):
        assert rows.loc[(design, "rule"), "verdict"] == SILENT


def test_a_test_before_sees_a_steep_trend_and_lets_a_third_of_it_pass(rows):
    for design in ("event_study", "group_time"):
        steep, slight = rows.loc[(design, "trend")], rows.loc[(design, "small_trend")]
        assert steep["verdict"] == SEEN and slight["verdict"] == SILENT
        assert steep["pre_trend"] > 0.7 and slight["pre_trend"] < 0.3


def test_permuted_doses_refuse_too_often_where_noise_grows_with_the_dose(rows):
    assert rows.loc[("permutation", "spread"), "coverage"] < 0.85
    assert rows.loc[("permutation", "spread"), "verdict"] == SILENT
    assert rows.loc[("event_study", "spread"), "coverage"] > 0.88


def test_each_check_sees_what_it_is_for(rows):
    for design, world, check in (
        ("threshold", "moved", "density"), ("threshold", "other", "covariates"),
        ("threshold_adjacent", "moved", "heap"), ("threshold_adjacent", "other", "covariates"),
        ("threshold_adjacent", "sloped", "placebo_cutoffs"),
        ("threshold_honest", "bent", "curvature"), ("threshold_honest", "moved", "heap"),
        ("synthetic_control", "above", "poor_fit"), ("synthetic_control", "outside", "poor_fit"),
        ("group_time", "dip", "pre_trend"), ("group_time", "anticipation", "pre_trend"),
        ("event_study", "anticipation", "pre_trend"),
    ):  # fmt: skip
        seen, alarms = rows.loc[(design, world), check], rows.loc[(design, CLEAN), check]
        assert seen > 0.5 and seen > 4 * alarms, (design, world, check)
