"""Chapter 9 says what the table's rows say, no more, and where the table has none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.audit.summary import ANY_PRIMARY, COLUMNS, PRIMARY_MEAN, KnownTruth, reach
from tfeval.audit.worlds import SIMULATORS, WORLDS
from tfeval.report.chapters import known_truth

SPEC = tf.Specification()


def row(world, bias, error=0.5, outcome=PRIMARY_MEAN, **more):
    return {
        "simulator": "rates", "world": world, "effects": "none", "families": 4_000,
        "comparison": "not_yet_treated", "horizon": 12, "design": "nearest",
        "estimator": "adjusted", "outcome": outcome, "replications": 100, "estimated": 100,
        "bias_percent": bias, "bias_percent_error": error, "why": "", **more,
    }  # fmt: skip


def table_of(*rows):
    return KnownTruth(pd.DataFrame(rows).reindex(columns=list(COLUMNS)), {"families": 4_000})


def test_the_headline_is_of_the_rows():
    found = table_of(
        row("nothing_wrong", 0.4), row("crisis", 1.0), row("selection_unrecorded", 9.0),
        row("linkage_error", -2.0),
        row("crisis", np.nan, outcome=ANY_PRIMARY, headline_wrong=0.31),
    )  # fmt: skip
    said = known_truth.headline(found, SPEC)
    assert "off by +0.4% (±1.0) of its mean over 100 draws" in said
    assert f"furthest where {WORLDS['selection_unrecorded'].words} (rates), by +9.0%" in said
    assert f"31% of draws where {WORLDS['crisis'].words} (rates)" in said


def test_an_error_within_chance_is_not_told():
    found = table_of(row("nothing_wrong", 0.4), row("crisis", 1.0, error=0.9))
    said = known_truth.headline(found, SPEC)
    assert "in none of 1 other worlds can its error be told from chance" in said
    few = table_of(row("crisis", 9.0, error=0.1, replications=2, estimated=2))
    assert reach(few.rows.to_dict("records")[0]) != pytest.approx(0.0)
    assert "furthest" not in known_truth.headline(few, SPEC)


def test_the_map_is_as_strong_as_the_draws_are():
    found = table_of(
        row("nothing_wrong", 0.4), row("crisis", -9.0, error=1.0),
        row("linkage_error", 9.0, error=4.0), row("late_missing", 8.0, estimated=2),
        row("authorities_56", 1.0, error=3.0), row("data_matching", np.nan, estimated=0),
    )  # fmt: skip
    chart = known_truth.bias_chart(found, SPEC)
    own = chart.data[chart.data["column"] == "not yet treated"].set_index("row")["value"]
    half = 1.984  # of Student's t, 99 degrees of freedom
    expected = [0.0, -(9 - half), 9 - 4 * half, 0.0, 0.0, np.nan]
    worlds = ("nothing_wrong", "crisis", "linkage_error", "late_missing", "authorities_56",
              "data_matching")  # fmt: skip
    for world, value in zip(worlds, expected, strict=True):
        label = next(name for name in own.index if WORLDS[world].words in name.lower())
        assert own[label] == pytest.approx(value, abs=0.01, nan_ok=True)
    assert "1 of 5 comparisons are off by more than 5%, 1 by less; 3 need more" in chart.title


def test_designs_are_told_by_what_they_change():
    found = table_of(
        row("crisis", 1.0, design="overlap"), row("crisis", 2.0),
        row("crisis", 3.0, design="overlap", estimator="difference"),
        row("linkage_error", 4.0, estimator="difference"),
    )  # fmt: skip
    made = known_truth.designs_table(found, SPEC)
    heads = ["World", "As chosen", "Overlap weights", "Overlap weights, difference of weighted "
             "means", "Difference of weighted means"]  # fmt: skip
    assert list(made.columns) == heads
    texts = [[one.text for one in line[1:]] for line in made.rows]
    assert texts == [["+2.0 (±1.0)", "+1.0 (±1.0)", "+3.0 (±1.0)", "no row"],
                     ["no row", "no row", "no row", "+4.0 (±1.0)"]]  # fmt: skip


def test_of_few_draws_no_share_is_told():
    found = table_of(
        row("crisis", 1.0, replications=4, estimated=4),
        row("crisis", np.nan, outcome=ANY_PRIMARY, headline_wrong=1.0, replications=4),
        row("crisis", 1.0, outcome="absence", coverage=1.0, coverage_error=0.0, replications=4),
    )
    assert "100%" not in known_truth.headline(found, SPEC)
    assert "too few draws" in known_truth.intervals_table(found, SPEC).text()


def test_where_the_table_has_no_row_the_page_says_so():
    other = tf.Specification(comparison="waiting", horizon=18)
    found = table_of(row("crisis", 1.0))
    assert "has no row for waiting" in known_truth.headline(found, other)
    chart = known_truth.bias_chart(found, SPEC)
    assert set(chart.data.loc[chart.data["column"] == "waiting", "text"]) == {"no row"}
    text = known_truth.lacking_table(found, SPEC).text()
    assert "not run yet" in text
    for reason in SIMULATORS["rates"].worlds.values():
        if isinstance(reason, str):
            assert reason in text


def test_what_could_not_be_estimated_is_counted():
    found = table_of(
        row("crisis", np.nan, estimated=3),
        row("crisis", np.nan, outcome="absence", estimated=3, why="few_units"),
    )
    assert "not estimated in 97 of 100 draws: few units" in (
        known_truth.lacking_table(found, SPEC).text()
    )


def test_the_committed_table_fills_the_chapter():
    found = tf.read_known_truth()
    for shows in (known_truth.bias_table, known_truth.intervals_table, known_truth.designs_table,
                  known_truth.full_table, known_truth.lacking_table):  # fmt: skip
        assert shows(found, SPEC).rows
    chart = known_truth.bias_chart(found, SPEC)
    own = chart.data[chart.data["column"] == "not yet treated"]
    can = [not isinstance(settings, str) for row in SIMULATORS.values()
           for settings in row.worlds.values()]  # fmt: skip
    assert own["value"].notna().all() and len(own) == sum(can)
    assert "Draws of each world, waiting" in known_truth.made_table(found).text()
    assert "this design is off by" in known_truth.in_short(found)
    assert known_truth.this_choice(SPEC).rows == known_truth.bias_table(found, SPEC).rows
