"""The committed tables of coverage: what is offered as a default covers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parent


def exempt(rows: pd.DataFrame) -> pd.Series:
    """Return which rows are offered with the warning that they do not cover."""
    matched = rows["design"].str.contains("nearest|full")
    difference = rows["method"] == "difference"
    wild = rows["errors"] == "wild"
    few = rows["setting"] == "crossed_few"
    counted = rows["errors"] == "abadie_imbens"
    return (difference & matched & ~counted) | (difference & wild) | few


@pytest.mark.parametrize("name", ["coverage.csv", "coverage_bootstrap.csv"])
def test_what_is_offered_without_a_warning_covers(name):
    rows = pd.read_csv(FOLDER / name)
    assert (rows["replications"] >= 1_990).all()
    held = rows[~exempt(rows)]
    assert held["coverage"].between(0.93, 0.97).all()
    assert held["type_one_error"].between(0.035, 0.065).all()


def test_what_is_warned_of_errs_as_the_warning_says():
    rows = pd.read_csv(FOLDER / "coverage.csv")
    few = rows["setting"] == "crossed_few"
    assert rows.loc[exempt(rows) & ~few, "coverage"].between(0.97, 0.995).all()
    adjusted = rows["method"] != "difference"
    assert rows.loc[few & adjusted, "type_one_error"].between(0.05, 0.08).all()
