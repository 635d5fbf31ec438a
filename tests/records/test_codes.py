"""Codes of authorities change: those of other years are read as 2012's, or said, never lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tfeval.cohort.cohort import cohort
from tfeval.programme.authority_codes import across, codes_over_time, parts_of, renamed_codes
from tfeval.records import relations
from tfeval.records.allow_list import spelt
from tfeval.records.check import check_records
from tfeval.records.schema import TABLES, authority_codes
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records

GATESHEAD, LATER = "E08000020", "E08000037"
#: The orders that changed upper-tier authorities from 2010 to 2023, by their years, written down
#: apart from the table: how many authorities ended and how many began.
ORDERS = {2013: (2, 2), 2019: (3, 2), 2020: (1, 1), 2021: (1, 2), 2023: (3, 4)}


def test_the_table_has_the_orders_that_changed_authorities():
    codes = codes_over_time().values()
    for year, (ended, began) in ORDERS.items():
        assert sum(bool(one.valid_to) and one.valid_to.year == year for one in codes) == ended
        assert sum(bool(one.valid_from) and one.valid_from.year == year for one in codes) == began
    live = [one for one in codes if one.valid_to is None]
    # 152, less ten that ended, and eleven that began: England has had 153 since April 2023.
    assert len(live) == 152 - 10 + 11 == 153
    assert set(codes_over_time()) == set(authority_codes()) | {*renamed_codes(), *parts_of(),
                                                               *across()}  # fmt: skip


def test_every_day_has_each_authority_of_2012_15_once_or_in_parts():
    for day in pd.date_range("2009-04-01", "2023-12-01", freq="MS").date:
        live = [one for one in codes_over_time().values()
                if (one.valid_from or day) <= day <= (one.valid_to or day)]  # fmt: skip
        touched = [code for one in live for code in one.authorities]
        assert set(touched) == set(authority_codes())
        whole = [one.authorities[0] for one in live if one.area == "same"]
        assert len(whole) == len(set(whole))
        rest = {code for one in live if one.area != "same" for code in one.authorities}
        assert not rest & set(whole)


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    folder, _ = simulate_to(tmp_path_factory.mktemp("codes") / "records", families=120, seed=7)
    return changed(folder, folder.parent / "one", lambda codes: codes.map(lambda _: GATESHEAD))


def changed(source: Path, target: Path, how, tables=("families", "family_moves")) -> Path:
    shutil.copytree(source, target)
    for name in tables:
        frame = pd.read_parquet(target / f"{name}.parquet")
        frame["local_authority"] = how(frame["local_authority"])
        frame.to_parquet(target / f"{name}.parquet")
    return target


def half(code: str):
    return lambda codes: codes.where(codes.index % 2 == 0, code)


def outcomes(extract: Path) -> pd.DataFrame:
    return cohort(open_records(extract), phase="one", horizon=(6,)).to_pandas()


def test_a_later_code_is_the_same_authority_in_families_and_coverage(few, tmp_path, monkeypatch):
    mixed = changed(few, tmp_path / "mixed", half(LATER))
    mixed = changed(mixed, tmp_path / "all", lambda codes: codes.replace(GATESHEAD, LATER),
                    ("coverage",))  # fmt: skip
    checked = ["families", "coverage"]
    report = check_records(mixed, only=checked)
    assert set(report.renamed) >= {"families.local_authority", "coverage.local_authority"}
    assert "Codes of other years, read as those of 2012-15: families.local_auth" in report.text()
    kinds = {one.kind for one in report.faults}
    assert kinds == {one.kind for one in check_records(few, only=checked).faults}
    expected = outcomes(few)
    pd.testing.assert_frame_equal(outcomes(mixed), expected)
    counted = [name for name in expected if name.endswith("_6")]
    assert expected[counted].notna().any().all()
    # The attack: without the table the authority is another one, and nothing is known of it.
    monkeypatch.setattr(relations, "renamed_codes", lambda: {"none": "none"})
    monkeypatch.setattr(relations, "_queries", {})  # which hold the codes
    lost = cohort(open_records(mixed), phase="one", horizon=(6,))
    assert set(lost.sources["state"]) >= {"not_placed"}
    assert lost.to_pandas()[counted].notna().sum().sum() < expected[counted].notna().sum().sum()


@pytest.mark.parametrize(
    ("code", "told"),
    [("E06000058", "over several authorities of 2012-15"),
     ("E06000061", "part of an authority of 2012-15"),
     ("E07000100", "unknown authority"), ("W06000015", "unknown authority")],
)  # fmt: skip
def test_what_is_not_one_to_one_is_said_and_its_sources_are_not_called_unsent(
    few, tmp_path, code, told
):
    mixed = changed(few, tmp_path / "mixed", half(code), ("families",))
    (line,) = [one for one in check_records(mixed, only=["families"]).faults
               if one.column == "local_authority"]  # fmt: skip
    frame = pd.read_parquet(mixed / "families.parquet")
    assert (line.kind, line.rows) == (told, int((frame["local_authority"] == code).sum()))
    assert line.advice
    if code != "E06000058":
        return
    (mixed / "family_moves.parquet").unlink()
    found = cohort(open_records(mixed), phase="one", horizon=(6,))
    states = found.sources.groupby("state")[["treated", "comparison"]].sum().sum(axis=1)
    assert states["not_placed"] > 0 and states.get("not_covered", 0) == 0


def test_a_pseudonymised_extract_has_the_code_of_2012():
    column = TABLES["families"].columns["local_authority"]
    assert spelt("e06000060", column) == "E10000002"
    assert spelt("E06000058", column) is None
