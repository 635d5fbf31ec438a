"""What cannot be read is not known; it is never taken for what did not happen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tfeval.cohort.cohort import Cohort, cohort
from tfeval.errors import DataError
from tfeval.records.simulate import simulate_to
from tfeval.records.store import open_records

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("few") / "records", families=150, seed=5)[0]


@pytest.fixture(scope="module")
def whole(few) -> Cohort:
    return cohort(open_records(few), phase="one", horizon=(6,))


def spoilt(few: Path, target: Path, name: str, change: Change) -> Path:
    shutil.copytree(few, target)
    frame = pd.read_parquet(target / f"{name}.parquet")
    (target / f"{name}.parquet").unlink()
    change(frame).to_csv(target / f"{name}.csv", index=False)
    return target


def test_a_family_whose_attachment_cannot_be_read_is_no_comparison_family(few, whole, tmp_path):
    treated = whole.to_pandas().query("treated == 1")["family_id"].sort_values()
    lost = set(treated.iloc[::3])

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        day = pd.to_datetime(frame["attached_on"])
        other = frame["family_id"].isin(lost)
        text = day.dt.strftime("%Y-%m-%d").where(~other, day.dt.strftime("%d/%m/%Y"))
        return frame.assign(attached_on=text)

    found = cohort(
        open_records(spoilt(few, tmp_path / "records", "families", change)),
        phase="one", horizon=(6,),
    ).to_pandas()  # fmt: skip
    assert lost and not lost & set(found["family_id"])
    assert set(found.query("treated == 1")["family_id"]) == set(treated) - lost


def test_whose_birth_cannot_be_read_may_be_of_an_age_to_be_in_a_source(few, whole, tmp_path):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            birth_month=pd.to_datetime(frame["birth_month"]).dt.strftime("%d/%m/%Y")
        )

    found = cohort(
        open_records(spoilt(few, tmp_path / "records", "people", change)),
        phase="one", horizon=(6,),
    ).to_pandas()  # fmt: skip
    people = pd.read_parquet(few / "people.parquet")
    unlinked = people[people["linked_benefits"].ne(True)]
    known = found.loc[found["out_of_work_6"].notna(), "family_id"]
    assert len(known) and not set(known) & set(unlinked["family_id"])
    assert len(known) < whole.to_pandas()["out_of_work_6"].notna().sum()


@pytest.mark.parametrize("how", [str.upper, " {}".format, "0{}".format])
def test_a_table_of_nobody_who_is_known_is_refused(few, tmp_path, how):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(person_id=frame["person_id"].map(how))

    with pytest.raises(DataError, match="No person_id of the first rows of benefit_spells is in"):
        open_records(spoilt(few, tmp_path / "records", "benefit_spells", change))
