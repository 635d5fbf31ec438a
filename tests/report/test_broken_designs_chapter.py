"""Chapter 5's table of broken designs says what its rows say, and every key has words."""

from __future__ import annotations

import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.report.chapters import broken_designs
from tfeval.report.chapters.broken_designs import BrokenDesigns


def row(design, world, verdict, **more):
    return {
        "design": design, "world": world, "draws": 400, "given": 1.0, "bias": -0.25,
        "bias_error": 0.01, "coverage": 0.5, "coverage_error": 0.025, "flagged": 0.3,
        "flagged_error": 0.023, "misled": 0.35, "misled_error": 0.024, "verdict": verdict, **more,
    }  # fmt: skip


@pytest.fixture
def found():
    return BrokenDesigns(pd.DataFrame([
        row("event_study", "clean", "holds", bias=0.0, coverage=0.95),
        row("event_study", "trend", "seen"), row("event_study", "break", "silent"),
        row("two_way", "clean", "holds", flagged=None, flagged_error=None),
        row("two_way", "differ", "silent", flagged=None, flagged_error=None, misled=1.0),
        row("threshold", "rule", "silent", misled=0.6),
    ]), {"seed": 5, "rules": {"check": "p below 0.05"}})  # fmt: skip


def test_every_key_has_words_and_no_words_lack_a_key():
    rows = broken_designs.read_broken_designs().rows
    assert set(rows["design"]) == set(broken_designs.DESIGNS)
    assert set(rows["world"]) == set(broken_designs.WORLDS)
    assert set(rows["verdict"]) <= set(broken_designs.VERDICTS)


def test_the_headline_counts_rows_and_names_the_worst_that_has_a_check(found):
    said = broken_designs.headline(found)
    assert "Of 4 ways" in said and "checks see 1, and of 3 nothing would tell" in said
    assert "threshold in a score where something else has the same cutoff: it misleads in 60%" in (
        said
    )
    assert said.startswith("Simulated records")


def test_the_table_shows_the_numbers_and_what_has_no_check(found):
    shown = broken_designs.broken_table(found, ["event_study", "two_way"]).text()
    assert "−0.25 (±0.020)" in shown and "50% (2)" in shown and "has no check" in shown
    assert "seed 5" in shown and "rule: p below 0.05." in shown and "Simulated records" in shown
    assert "threshold" not in shown


def test_the_silent_stand_with_the_most_misleading_first(found):
    shown = broken_designs.silent_table(found).text()
    places = [shown.index(broken_designs.WORLDS[name]) for name in ("differ", "rule", "break")]
    assert places == sorted(places)
    assert broken_designs.WORLDS["trend"] not in shown


def test_an_unknown_design_and_a_table_without_its_first_line_are_refused(
    found, tmp_path, monkeypatch
):
    with pytest.raises(ParameterError, match="No design event"):
        broken_designs.broken_table(found, ["event"])
    (tmp_path / "audit").mkdir()
    monkeypatch.setattr(broken_designs, "project_folder", lambda _: tmp_path)
    with pytest.raises(DataError, match="There is no table"):
        broken_designs.read_broken_designs()
    found.rows.to_csv(tmp_path / "audit" / broken_designs.TABLE)
    with pytest.raises(DataError, match="lacks"):
        broken_designs.read_broken_designs()


def test_chapters_have_it():
    assert tf.chapters.broken_designs is broken_designs
