"""Cells that chapters write beside their pages, against the families themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from tests.release.conftest import write_report
from tests.report.analyses import analysis, page, run
from tfeval.cohort.analysis_table import Cohort
from tfeval.release import chapters
from tfeval.release.ledger import Ledger
from tfeval.release.release import release
from tfeval.release.released import release_cells
from tfeval.release.scan import faults
from tfeval.report.cells import (
    FILE,
    family_hashes,
    keep_cells,
    most,
    moved_by,
    read_cells,
    together,
)
from tfeval.report.chapters import cells as chapter
from tfeval.report.chapters import linked


@pytest.fixture(scope="module")
def found():
    with linked.simulated_families(3_000):
        return analysis()


@pytest.fixture(scope="module")
def cells(found):
    return chapter.impact_cells(found)


def members(cells, place: int) -> set[int]:
    return set(cells.families[cells.rows_of(int(cells.frame["set"].iloc[place]))].tolist())


def test_counts_and_sets_are_the_families(found, cells):
    frame = found.families.to_pandas().loc[found.study.index].reset_index(drop=True)
    frame["offences"] = found.outcomes()["offences"].to_numpy()
    own = frame[(found.design.weights > 0) & (frame["treated"] == 1)]
    wanted = {"compared": own, "known:offences": own[own["offences"].notna()],
              "with:offences": own[own["offences"] > 0]}  # fmt: skip
    rows = cells.frame
    for number, families in wanted.items():
        codes = families["local_authority"]
        regions = codes.map(chapter.regions())
        for area, kept in (("England", codes.notna()), ("London", regions == "London"),
                           (codes.iloc[0], codes == codes.iloc[0])):  # fmt: skip
            (place,) = np.flatnonzero((rows["number"] == number) & (rows["arm"] == "treated")
                                      & (rows["area"] == area))  # fmt: skip
            assert rows["value"].iloc[place] == kept.sum()
            assert members(cells, place) == set(
                family_hashes(families.loc[kept, "family_id"]).tolist())  # fmt: skip


def test_areas_hold_each_other(cells):
    rows = cells.frame[(cells.frame["kind"] == "count") & (cells.frame["arm"] == "treated")]
    for number in ("compared", "with:offences"):
        own = rows[rows["number"] == number]
        levels = [own.loc[own["level"] == level, "value"].sum()
                  for level in ("authority", "region", "england")]  # fmt: skip
        assert all(first == second for first, second in pairwise(levels))


def test_no_mean_or_effect_by_area_is_of_noughts_and_ones(cells):
    # Counts say it already: a second number of another unit would sharpen them.
    means = cells.frame[(cells.frame["kind"] == "mean") & (cells.frame["least"] >= 10)]
    assert len(means) > 30
    assert not np.isclose(means["value"], means["events"] / means["n"], rtol=1e-9).any()


def test_effects_are_the_pages_and_few_families_move_them_by_no_more(found, cells):
    rows = cells.frame[(cells.frame["kind"] == "effect") & (cells.frame["level"] == "england")]
    page_rows = found.effects.to_frame().set_index("outcome")
    estimates = page_rows.loc[rows["outcome"], "estimate"]
    assert np.allclose(rows["value"], estimates, equal_nan=True)
    # With the plain difference the bound is exact, whichever nine are left out.
    region = cells.frame[(cells.frame["kind"] == "effect") & (cells.frame["area"] == "London")]
    row = region[region["outcome"] == "asb_incidents"].iloc[0]
    codes = found.families.to_pandas().loc[found.study.index, "local_authority"].astype(str)
    part = (codes.map(chapter.regions()) == "London").to_numpy() & found.study.treated
    pairs = found.design.pairs[part[found.design.pairs[:, 0]]]
    values = found.outcomes()["asb_incidents"].to_numpy()
    held = values[found.design.weights > 0]
    cap = np.sort(held[~np.isnan(held)])[-10]  # ten reach it, of fewer than a thousand
    assert row["number"].endswith(":capped") and cap < np.nanmax(values)
    values = values.clip(max=cap)
    arms = [values[pairs[:, side]] for side in (0, 1)]
    arms = [one[~np.isnan(one)] for one in arms]
    effect = arms[0].mean() - arms[1].mean()
    assert row["value"] == pytest.approx(effect)
    assert row["largest"] == pytest.approx(
        max(np.abs(one - one.mean()).max() / len(one) for one in arms))  # fmt: skip
    top = np.argsort(arms[0])[-9:]
    moved = abs(np.delete(arms[0], top).mean() - arms[1].mean() - effect)
    assert 0 < moved <= row["drop"] * (1 + 1e-9)


def test_every_covariate_has_its_rows_though_few_tell_it_apart(found, cells):
    columns = found.families.columns
    every = set(columns.loc[columns["timing"] == "before", "name"])
    assert every - {column.source for column in found.study.covariates.columns}
    rows = cells.frame[cells.frame["kind"] == "balance"]
    assert set(rows["number"]) == {f"balance:{word}:{name}" for word in ("before", "after")
                                   for name in every}  # fmt: skip


@pytest.mark.parametrize("first", [10, 9])
def test_an_outcome_known_for_nine_or_ten_has_the_same_rows(found, monkeypatch, first):
    """Of two editions a family apart; what was said stays said, and hidden what was hidden."""
    whole, book, editions = Cohort.outcomes(found.families, found.horizon), Ledger(), []
    own = found.study.index[~found.study.treated & (found.design.weights > 0)]
    for count in (first, 19 - first):
        spoilt = whole.copy()
        spoilt.loc[spoilt["custody"].notna() & ~spoilt.index.isin(own[:count]), "custody"] = np.nan
        spoilt.loc[own[:count], "custody"] = 2.0
        spoilt.loc[found.study.index[found.study.treated], "custody"] = 2.0
        monkeypatch.setattr(Cohort, "outcomes", lambda *_, spoilt=spoilt: spoilt)
        assert ("custody" in found.outcomes()) == (count == 10)
        made = release_cells(chapter.impact_cells(found), book).frame
        editions.append(made[made["outcome"].eq("custody") | made["number"].eq("known:custody")])
    key = ["number", "arm", "area"]
    one, other = (rows.set_index(key)[["shown", "released"]] for rows in editions)
    assert len(one) > 4
    pd.testing.assert_frame_equal(one, other)


def test_results_nest(tmp_path):
    with linked.simulated_families(3_000):
        made = chapter.families_cells(page())
    rows = made.frame[(made.frame["area"] == "England") & (made.frame["arm"] == "treated")]
    value = rows.set_index("number")["value"]
    parts = rows[rows["within"] == "result:turned_around"]["number"]
    assert len(parts) == 2
    assert 0 < value[parts].sum() <= value["result:turned_around"] <= value["families"]


def test_cells_are_kept_and_read_again(cells, tmp_path, monkeypatch):
    monkeypatch.delenv("TFEVAL_KEEPS_FILES", raising=False)
    monkeypatch.chdir(tmp_path)
    keep_cells(lambda: pytest.fail("made for nobody"))
    keep_cells(lambda: cells, tmp_path)
    again = read_cells(tmp_path / FILE)
    assert again.frame.equals(cells.frame)
    assert (again.members == cells.members).all() and again.about["simulated"]
    both = together([again, cells])
    assert len(both.frame) == len(cells.frame)  # the same cells, once


def test_a_bound_is_that_of_the_worst_nine():
    rng = np.random.default_rng(1)
    for _ in range(50):
        values, weights = rng.pareto(1.5, 30), rng.uniform(0.5, 2, 30)
        mean, moved = moved_by(values, weights)
        for _ in range(30):
            out = rng.choice(30, int(rng.integers(1, 10)), replace=False)
            left = np.delete(np.arange(30), out)
            again, rest = moved_by(values[left], weights[left])
            assert abs(again - mean) <= moved["drop"] * (1 + 1e-9)
            assert rest["largest"] >= moved["tenth"]
        assert moved["largest"] <= moved["drop"] and most(values, 1) == values.max()


def test_nine_families_move_a_cap_and_the_mean_under_it_by_no_more_than_is_said():
    rng = np.random.default_rng(1)
    for count in (40, 400, 4_000):
        values = np.append(rng.pareto(1.5, count), np.zeros(count))
        cap = chapter.cap_of(values)
        for out in (np.argsort(values)[-9:], rng.choice(count, 9, replace=False)):
            again = chapter.cap_of(np.delete(values, out))
            assert cap.low <= again.at <= cap.high
            moved = abs(values.clip(max=again.at).mean() - values.clip(max=cap.at).mean())
            assert moved <= cap.moved(values, np.ones(len(values)))
        assert (values >= cap.at).sum() >= 10 and (values > cap.at).sum() <= max(9, count / 100)


@pytest.mark.slow(reason="chapters 2 and 4 from their notebooks, then a release of them")
def test_what_the_notebooks_write_can_be_released(kept, tmp_path, monkeypatch):
    monkeypatch.setenv("TFEVAL_KEEPS_FILES", "yes")
    areas = chapters.areas_made()[:20:9]  # each takes a second, twice; a region, two authorities
    monkeypatch.setattr(chapters, "areas_made", lambda: areas)
    with linked.simulated_families(3_000):
        for name in ("02_families_and_data", "04_impact"):
            monkeypatch.chdir(tmp_path)
            run(name, kept)
            write_report(tmp_path / "reports" / "national" / name, read_cells(tmp_path / FILE))
    made = release(tmp_path / "reports", tmp_path / "outside", tmp_path / "ledger")
    assert made.scopes[0][1] > 200
    pages = {path.name for path in (made.outside / "national").glob("0*.html")}
    assert pages == {f"{name}.html" for name in chapters.CHAPTERS}
    assert faults(made.outside, Ledger(tmp_path / "ledger")) == []
