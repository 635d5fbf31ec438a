"""What was not seen is missing: people not linked, values that cannot be read, records not sent."""

from __future__ import annotations

import os
import shutil
from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from tests.cohort.extracts import as_records, tables_of
from tfeval.cohort.analysis_table import SEEN
from tfeval.cohort.cohort import cohort
from tfeval.records.schema import TABLES
from tfeval.records.simulate import simulate
from tfeval.records.store import open_records

WORLD = {"families": 1_500, "seed": 6, "false_link_share": 0.0, "no_data_share": 0.0,
         "late_data_share": 0.0}  # fmt: skip
OF_LINKED = ("absence", "sessions_possible", "out_of_work", "employment", "ae_attendances")


@pytest.fixture(scope="module")
def whole():
    return cohort(simulate(**WORLD, missed_link_share=0.0).records)


def test_who_was_not_found_is_missing_and_all_others_are_as_if_everybody_was(whole):
    lost = cohort(simulate(**WORLD, missed_link_share=0.15).records)
    before = whole.to_pandas().set_index("unit")
    after = lost.to_pandas().set_index("unit").reindex(before.index)
    for name in OF_LINKED:
        for column in (f"{name}_12", f"{name}_before", f"{name}_before_identification"):
            seen = after[column].notna()
            assert 0.4 < seen[before[column].notna()].mean() < 0.95
            pd.testing.assert_series_equal(
                after.loc[seen, column], before.loc[seen, column], check_dtype=False
            )
    pd.testing.assert_series_equal(after["asb_incidents_12"], before["asb_incidents_12"])


def test_a_flag_that_the_extract_lacks_hides_nobody_and_an_empty_one_everybody(whole, tables):
    people = tables["people"]
    without = tables | {"people": people.drop_columns(["linked_school"])}
    found = cohort(as_records(without, date(2019, 12, 31))).to_pandas()
    assert found["absence_12"].notna().sum() == whole.to_pandas()["absence_12"].notna().sum()
    empty = pa.nulls(len(people), pa.bool_())
    place = people.schema.get_field_index("linked_school")
    blank = tables | {"people": people.set_column(place, "linked_school", empty)}
    blank = cohort(as_records(blank, date(2019, 12, 31)))
    frame = blank.to_pandas()
    at_school = frame["sessions_possible_12"].fillna(1) > 0
    assert frame.loc[at_school, "sessions_possible_12"].isna().all()
    states = blank.sources.set_index(["source_table", "state"])
    assert states.loc[("school_terms", "not_linked"), "comparison"] > 50
    assert frame["offences_12"].notna().any()


def test_sources_add_up_to_the_families_followed(whole):
    frame, states = whole.to_pandas(), whole.sources
    assert list(states["state"].unique()) == list(SEEN)
    followed = whole.followed(12)
    sums = states.groupby("source_table")[["treated", "comparison"]].sum()
    for arm, name in ((1, "treated"), (0, "comparison")):
        assert set(sums[name]) == {int((followed & (frame["treated"] == arm)).sum())}


#: By table: a column, and values that stand for an event and cannot be read as one.
UNREADABLE = [
    ("benefit_spells", "started_on", "31/01/2013"),
    ("benefit_spells", "ended_on", "NULL"),
    ("benefit_spells", "benefit", "JSA"),
    ("employment_spells", "started_on", "01-May-2013"),
    ("offences", "offence_on", "41395"),
    ("offences", "outcome", "Convicted "),
    ("offences", "custody_days", "thirty"),
    ("asb_incidents", "incident_on", ""),
    ("school_terms", "sessions_unauthorised", "n/a"),
    ("school_terms", "term_end", "2013"),
    ("social_care_episodes", "kind", "CiN"),
    ("hospital_episodes", "arrived_on", "2013-02-30"),
    ("domestic_abuse_incidents", "incident_on", "unknown"),
]


@pytest.fixture(scope="module")
def tables():
    return tables_of(simulate(**WORLD, missed_link_share=0.0).records)


@pytest.fixture(scope="module")
def as_text(tables, tmp_path_factory):
    """Return a folder with all tables as text."""
    folder = tmp_path_factory.mktemp("csv")
    for name, one in tables.items():
        one.to_pandas(date_as_object=True).to_csv(folder / f"{name}.csv", index=False)
    (folder / "about.json").write_text('{"simulated": true, "records_to": "2019-12-31"}')
    return folder


@pytest.mark.parametrize(("table", "column", "value"), UNREADABLE)
def test_a_value_that_cannot_be_read_is_missing_and_never_none(
    table, column, value, *, tmp_path, tables, as_text, whole
):
    folder = shutil.copytree(as_text, tmp_path / "csv", copy_function=os.link)
    people = tables["people"].to_pandas().set_index("person_id")["family_id"]
    spoilt = tables[table].to_pandas(date_as_object=True).astype(object)
    rows = range(0, len(spoilt), 40)
    spoilt.iloc[list(rows), spoilt.columns.get_loc(column)] = value
    hit = spoilt.iloc[list(rows)]
    hit = set(hit["family_id"] if "family_id" in hit else people.reindex(hit["person_id"]))
    (folder / f"{table}.csv").unlink()
    spoilt.to_csv(folder / f"{table}.csv", index=False)
    found = cohort(open_records(folder)).to_pandas().set_index("unit")
    before = whole.to_pandas().set_index("unit").reindex(found.index)
    own = list(whole.columns.query("source_table == @table and outcome != ''")["name"])
    struck = found["family_id"].isin(hit)
    assert found.loc[struck, own].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        found.loc[~struck, own].astype(float), before.loc[~struck, own].astype(float)
    )
    assert struck.sum() > 5
    others = [name for name in whole.covariates if name not in own and "absence" not in name]
    pd.testing.assert_frame_equal(found[others].astype(float), before[others].astype(float))


def test_each_source_with_a_flag_says_who_would_be_in_it():
    for table in TABLES.values():
        assert bool(table.linked) == (table.expected is not None)
        assert not table.linked or table.linked in TABLES["people"].columns
