"""Chapters 3, 4, 5, 7 and 8 on few families and on one authority: run to the end, and say why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import tfeval as tf
from tests.report.analyses import Kept, run
from tests.report.test_value_chapters import claims
from tfeval.report.chapters import summary

ONE = "E08000014"
DEFAULTS = {"price_year": 2024, "green_book_edition": "2026"}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few") / "records"
    tf.simulate_to(folder, families=340, seed=5)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Make an extract as one authority would send it: all families its own, no table of others."""
    folder = tmp_path_factory.mktemp("one") / "records"
    tf.simulate_to(folder, families=1_500, seed=7)
    for name in ("families", "family_moves", "coverage"):
        path = folder / f"{name}.parquet"
        frame = pd.read_parquet(path)
        if name == "coverage":
            frame = frame[frame["local_authority"] == ONE]
        frame.assign(local_authority=ONE).to_parquet(path)
    return folder


def pages(extract: Path, kept: Kept) -> dict[str, str]:
    """Run chapters 3, 4, 5 and 7 and the parts of 8 that read them."""
    names = ("03_comparison_group", "04_impact", "07_value_for_money")
    found = {name[:2]: run(name, kept, extract=str(extract))
             for name in (*names, "05_areas_and_time")}  # fmt: skip
    comparison, impact, worth = (kept.read(name) for name in names)
    found["08"] = "\n".join([
        summary.records_answers(comparison, impact, worth, claims()).text(),
        summary.area_table("all", impact, worth).text(),
        summary.area_table("Sefton", impact, worth).text(),
        summary.pounds_table(worth, claims()).text(),
    ])  # fmt: skip
    return found


@pytest.mark.slow(reason="chapters 3, 4 and 7 whole, with every other choice of chapter 4")
def test_few_families_run_to_the_end(few, kept):
    found = pages(few, kept)
    for text in found.values():
        assert " nan" not in text.lower()
    assert "NOT ALIKE" in found["04"]
    assert "No effect. Comparison, waiting:" in found["04"]
    assert "Pooling needs at least two areas" in found["04"]
    assert "too few families to show; what that is worth is not known" in found["07"]
    assert "Fewer than 3 authorities" in found["07"]
    assert "Not known by authority. Pooling needs" in found["08"]


@pytest.mark.slow(reason="chapters 3, 4 and 7 whole, with every other choice of chapter 4")
def test_one_authority_runs_to_the_end_with_errors_by_family_and_says_so(one, kept):
    found = pages(one, kept)
    for text in found.values():
        assert " nan" not in text.lower()
    assert "exploratory, not as planned" in found["04"]
    assert "where clustered by local authority was planned" in found["04"]
    assert "they say nothing of how the effect differs between one local authority" in found["04"]
    effects = kept.read("04_impact").table("effects")
    assert effects["std_error"].notna().any()
    assert effects["errors"].eq("robust").all()
    assert not effects["planned"].any()
    assert "Pooling needs at least two areas" in found["04"]
    assert "Fewer than 3 authorities" in found["07"]


def test_a_table_that_one_authority_never_sent_is_left_out_and_named(one, kept, tmp_path):
    folder = tmp_path / "records"
    shutil.copytree(one, folder)
    path = folder / "coverage.parquet"
    frame = pd.read_parquet(path)
    frame[frame["source_table"] != "domestic_abuse_incidents"].to_parquet(path)
    text = run("03_comparison_group", kept, extract=str(folder))
    assert "left out: it is missing for everybody" in text
