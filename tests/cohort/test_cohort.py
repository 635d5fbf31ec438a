"""The cohort: equal to the slow reference, blind to what comes after, and its flow adds up."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.cohort.extracts import as_records, nasty, tables_of
from tests.cohort.reference import Slow, blocks_of, index_day, slow_cohort
from tfeval.cohort.analysis_table import TREATMENTS, rows_of
from tfeval.cohort.cohort import cohort, comparison_groups, count_ahead
from tfeval.errors import DataError, ParameterError
from tfeval.records.simulate import simulate

ENDS_ON = date(2019, 12, 31)
HORIZONS = (6, 12, 18, 24)


def index_days(records, phase, comparison) -> dict[str, date]:
    units = cohort(records, phase=phase, comparison=comparison).units
    rows = units.select("family_id", "index_on").to_pandas()
    return dict(zip(rows["family_id"], pd.to_datetime(rows["index_on"]).dt.date, strict=True))


def same(fast: pd.DataFrame, slow: list[dict]) -> None:
    """Assert that both hold the same rows, to the last digit."""
    expected = pd.DataFrame(slow)
    assert list(fast["unit"]) == list(expected["unit"])
    for name in fast.columns:
        left, right = fast[name], expected[name]
        if name.endswith("_on"):
            left, right = pd.to_datetime(left), pd.to_datetime(right)
        if pd.api.types.is_numeric_dtype(left):
            got, want = left.to_numpy(dtype=float), right.astype(float).to_numpy()
            assert ((got == want) | (np.isnan(got) & np.isnan(want))).all(), name
        else:
            assert list(left) == list(right), name


def with_matched(families: pa.Table) -> pa.Table:
    """Let every third family have been attached by matching of records alone."""
    leads = families["lead_practitioner_on"].to_pylist()
    leads = [None if place % 3 == 0 else day for place, day in enumerate(leads)]
    place = families.schema.get_field_index("lead_practitioner_on")
    field = families.schema.field(place)
    return families.set_column(place, field, pa.array(leads, field.type))


def held_to_the_slow_reference(seed, phase, comparison, level, treatment="supported"):
    plain = simulate(families=90, seed=seed).records
    tables = nasty(seed, 90, index_days(plain, phase, comparison))
    tables["families"] = with_matched(tables["families"])
    asked = {"phase": phase, "comparison": comparison, "seed": seed, "level": level,
             "treatment": treatment}  # fmt: skip
    frames = {name: table.to_pandas(date_as_object=True) for name, table in tables.items()}
    clerk = Slow(frames, ENDS_ON, treatment)
    if not any(
        clerk.is_treated(row)
        and row["identified_on"] <= clerk.treated_on(row) == clerk.first[row["family_id"]]
        for row in clerk.rows["families"]
        if row["phase"] == phase
    ):
        with pytest.raises(DataError, match="there is nothing to compare"):
            cohort(as_records(tables, ENDS_ON), horizon=HORIZONS, **asked)
        return
    fast = cohort(as_records(tables, ENDS_ON), horizon=HORIZONS, **asked)
    same(fast.to_pandas(), slow_cohort(clerk, phase, HORIZONS, comparison, seed, level))


def test_one_cohort_equals_the_slow_reference():
    held_to_the_slow_reference(3, "two", "not_yet_treated", "person")


def test_another_treatment_equals_the_slow_reference():
    held_to_the_slow_reference(4, "one", "other_authorities", "family", "data_matched_apart")


@pytest.mark.parametrize(("phase", "level"), [("one", "family"), ("two", "person")])
def test_what_is_counted_ahead_changes_no_cohort(phase, level):
    """Of every comparison group and horizon: the cohort built alone, in all its parts."""
    tables = nasty(7, 90, index_days(simulate(families=90, seed=7).records, phase, "waiting"))
    alone, ahead = as_records(tables, ENDS_ON), as_records(tables, ENDS_ON)
    count_ahead(ahead, phase=phase, level=level)
    whole = {}
    for comparison, horizon in zip(comparison_groups(), ((24,), (6, 18), (12,), (6,)), strict=True):
        asked = {"phase": phase, "level": level, "comparison": comparison, "horizon": horizon}
        one, other = cohort(alone, **asked), cohort(ahead, **asked)
        assert one.hash == other.hash
        for part in ("flow", "sources", "columns"):
            pd.testing.assert_frame_equal(getattr(one, part), getattr(other, part))
        units = [each.units.order_by("unit").to_pandas() for each in (one, other)]
        pd.testing.assert_frame_equal(*units)
        whole[comparison] = len(units[0])
    assert len(set(whole.values())) > 2
    slow = slow_cohort(Slow({name: table.to_pandas(date_as_object=True)
                             for name, table in tables.items()}, ENDS_ON),
                       phase, (6,), "below_threshold", 1, level)  # fmt: skip
    same(cohort(ahead, **{**asked, "comparison": "below_threshold", "horizon": 6}).to_pandas(),
         slow)  # fmt: skip


# No shrinking: each example simulates an extract, and the assertion names the column.
@pytest.mark.slow(reason="ten cohorts over four horizons, each counted row by row as well")
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(1, 10_000),
    phase=st.sampled_from(["one", "two"]),
    comparison=st.sampled_from(sorted(comparison_groups())),
    level=st.sampled_from(["family", "person"]),
    treatment=st.sampled_from(sorted(TREATMENTS)),
)
def test_the_cohort_equals_the_slow_reference(seed, phase, comparison, level, treatment):
    held_to_the_slow_reference(seed, phase, comparison, level, treatment)


def test_nothing_after_the_index_date_touches_a_covariate():
    tables = tables_of(simulate(families=200, seed=5).records)
    first = cohort(as_records(tables, ENDS_ON), phase="two", comparison="not_yet_treated")
    rows = first.to_pandas()
    earliest = pd.to_datetime(rows["index_on"]).dt.date.min()
    cut = {
        name: _without_later(table, earliest)
        for name, table in tables.items()
        if name not in ("families", "people", "coverage", "family_moves")
    }
    second = cohort(
        as_records({**tables, **cut}, ENDS_ON), phase="two", comparison="not_yet_treated"
    )
    again = second.to_pandas()
    assert list(rows["unit"]) == list(again["unit"])
    one = rows[pd.to_datetime(rows["index_on"]).dt.date == earliest]
    other = again[again["unit"].isin(one["unit"])]
    # Without any later term in the extract, nobody knows the calendar; it says nothing of a family.
    measured = [name for name in first.covariates if not name.startswith("sessions_due")]
    pd.testing.assert_frame_equal(
        one[measured].reset_index(drop=True), other[measured].reset_index(drop=True)
    )
    # and the change was there to be seen: outcomes did move
    assert first.outcomes(12).sum().sum() > second.outcomes(12).sum().sum()


def _without_later(table: pa.Table, day: date) -> pa.Table:
    frame = table.to_pandas(date_as_object=True)
    begins = next(
        name
        for name in ("term_start", "offence_on", "started_on", "incident_on", "arrived_on")
        if name in frame
    )
    kept = frame[frame[begins] < day]
    return pa.Table.from_pandas(kept, schema=table.schema, preserve_index=False)


def test_every_row_s_covariates_are_blind_to_its_own_later_records():
    """Cut each family's records at its own index date: no covariate of any row may move."""
    tables = tables_of(simulate(families=150, seed=8).records)
    first = cohort(as_records(tables, ENDS_ON), phase="one", comparison="below_threshold")
    rows = first.to_pandas()
    days = dict(zip(rows["family_id"], pd.to_datetime(rows["index_on"]).dt.date, strict=True))
    home = dict(zip(*tables["people"].select(["person_id", "family_id"]).to_pydict().values(),
                    strict=True))  # fmt: skip
    cut = {}
    for name in (
        "offences",
        "hospital_episodes",
        "benefit_spells",
        "school_terms",
        "asb_incidents",
    ):
        frame = tables[name].to_pandas(date_as_object=True)
        begins = {
            "offences": "offence_on",
            "hospital_episodes": "arrived_on",
            "benefit_spells": "started_on",
            "school_terms": "term_start",
            "asb_incidents": "incident_on",
        }[name]
        who = frame["family_id"] if "family_id" in frame else frame["person_id"].map(home)
        limit = who.map(days)
        kept = frame[limit.isna() | (frame[begins] < limit)]
        cut[name] = pa.Table.from_pandas(kept, schema=tables[name].schema, preserve_index=False)
    second = cohort(
        as_records({**tables, **cut}, ENDS_ON), phase="one", comparison="below_threshold"
    )
    pd.testing.assert_frame_equal(rows[first.covariates], second.to_pandas()[second.covariates])


def test_no_comparison_family_was_attached_by_its_index_date():
    records = simulate(families=800, seed=2, data_matched_share=0.4).records
    families = records.table("families").to_pandas()
    supported = families[families["lead_practitioner_on"].notna()]
    treated = {"claimed": families, "supported": supported, "data_matched_apart": families}
    for name, treatment in product(comparison_groups(), TREATMENTS):
        first = treated[treatment].groupby("family_id")["attached_on"].min()
        asked = {"phase": "one", "comparison": name, "treatment": treatment}
        rows = cohort(records, **asked).to_pandas()
        compared = rows[rows["treated"] == 0]
        attached = compared["family_id"].map(first)
        assert (attached.isna() | (attached > compared["index_on"])).all()
        assert (compared["index_on"] >= compared["identified_on"]).all()
        assert len(compared) > 20


def test_a_comparison_family_is_followed_only_until_it_is_attached():
    records = simulate(families=800, seed=2).records
    families = records.table("families").to_pandas()
    first = pd.to_datetime(families.groupby("family_id")["attached_on"].min())
    found = cohort(records, phase="two", comparison="waiting", horizon=12)
    rows = found.to_pandas()
    compared = rows[rows["treated"] == 0]
    end = pd.to_datetime(compared["index_on"]) + pd.DateOffset(months=12)
    too_soon = compared["family_id"].map(first) < end
    assert too_soon.any()
    assert found.outcomes(12).loc[compared.index[too_soon]].isna().all().all()


def test_who_was_matched_from_records_alone_is_treated_only_where_that_is_asked():
    records = simulate(families=4000, seed=2, data_matched_share=0.4).records
    families = records.table("families").to_pandas()
    matched = set(families.loc[families["attached_on"].notna()
                               & families["lead_practitioner_on"].isna(), "family_id"])  # fmt: skip
    own = families[families["phase"] == "one"]
    days, treated = own.set_index("family_id")["attached_on"], {}
    for treatment in TREATMENTS:
        rows = cohort(records, phase="one", treatment=treatment).to_pandas()
        treated[treatment] = set(rows.loc[rows["treated"] == 1, "family_id"])
        compared = rows[(rows["treated"] == 0) & rows["family_id"].isin(matched)]
        attached = pd.to_datetime(compared["family_id"].map(days))
        assert (attached <= compared["index_on"]).any() == (treatment == "supported")
    assert not treated["supported"] & matched
    assert treated["data_matched_apart"] <= matched
    assert treated["claimed"] == treated["supported"] | treated["data_matched_apart"]


def test_a_comparison_family_s_day_does_not_know_what_became_of_it():
    """Of those treated after a wait, as many are compared as drew a shorter one: no more, no less.

    Each draws a wait of the treated; were it drawn from those that fit, all would be compared, and
    those soon treated would stand nearer to the day on which they were identified.
    """
    records = simulate(families=9000, seed=3, data_matched_share=0.0).records
    found = cohort(records, phase="two", treatment="claimed")
    families = records.table("families").to_pandas().query("phase == 'two'")
    families = families.set_index("family_id")
    wait = (pd.to_datetime(families["attached_on"])
            - pd.to_datetime(families["identified_on"])).dt.days  # fmt: skip
    drawn = wait.dropna().to_numpy()
    rows = found.to_pandas()
    compared = rows[rows["treated"] == 0].set_index("family_id")
    # Early enough that neither the phase's end nor the records' beginning cuts anyone off.
    early = pd.to_datetime(families["identified_on"]).between("2015-06-01", "2016-06-01")
    later = wait[early & wait.notna()]
    chance = np.array([(drawn < own).mean() for own in later])
    seen = later.index.isin(compared.index)
    error = np.sqrt((chance * (1 - chance)).sum())
    assert 0.2 < chance.mean() < 0.8
    assert abs(seen.sum() - chance.sum()) < 4 * error
    never = families.index[early & families["attached_on"].isna()]
    stood = compared.loc[compared.index.isin(never), "days_identified"]
    assert stood.mean() == pytest.approx(drawn.mean(), rel=0.1)


def test_the_flow_only_falls_and_ends_at_the_cohort():
    found = cohort(simulate(families=500, seed=4).records, comparison="not_yet_treated")
    rows = found.to_pandas()
    for arm, value in (("treated", 1), ("comparison", 0)):
        counts = list(found.flow[arm])
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] == (rows["treated"] == value).sum()


def test_a_missing_table_narrows_the_cohort_and_says_so():
    tables = tables_of(simulate(families=120, seed=6).records)
    del tables["hospital_episodes"], tables["family_moves"], tables["coverage"]
    found = cohort(as_records(tables, ENDS_ON))
    assert "emergency_admissions_before" not in found.to_pandas()
    assert "hospital_episodes" in found.left_out
    assert "offences_before" in found.covariates
    del tables["families"]
    with pytest.raises(DataError, match="families"):
        cohort(as_records(tables, ENDS_ON))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"phase": "three"}, "no phase three"),
        ({"comparison": "wating"}, "Did you mean waiting"),
        ({"level": "persons"}, "Did you mean person"),
        ({"horizon": 9}, "6, 12, 18, 24"),
        ({"horizon": ()}, "6, 12, 18, 24"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        cohort(simulate(families=60, seed=1).records, **wrong)


def test_columns_say_what_they_are():
    found = cohort(simulate(families=120, seed=6).records, horizon=(6, 12))
    assert list(found.columns["name"]) == list(found.to_pandas().columns)
    assert set(found.columns["timing"]) == {"who", "before", "after"}
    after = found.columns.loc[found.columns["timing"] == "after", "name"]
    assert len(after) == found.outcomes().shape[1] and not set(found.covariates) & set(after)


@pytest.mark.parametrize("comparison", ["not_yet_treated", "below_threshold"])
def test_waits_are_those_of_the_treated_identified_about_the_same_time(comparison):
    records = simulate(families=3000, seed=9).records
    found = cohort(records, comparison=comparison).to_pandas()
    slow = Slow({"families": records.table("families").to_pandas(), "people": pd.DataFrame()},
                date(2019, 12, 31))  # fmt: skip
    assessed = [row for row in slow.rows["families"] if row["phase"] == "one"]
    day_of = {row["family_id"]: row["identified_on"].date() for row in assessed}
    waits = [
        (day_of[row["family_id"]], (row["attached_on"] - row["identified_on"]).days)
        for row in assessed
        if slow.is_treated(row) and row["attached_on"] == slow.first[row["family_id"]]
    ]
    blocks = blocks_of([(day, wait) for day, wait in waits if wait >= 0])
    assert 3 < len(blocks) <= 12
    ranks = {family: rank for rank, family in enumerate(sorted(day_of), start=1)}
    compared = found[found["treated"] == 0]
    for row in compared.to_dict("records"):
        own = {"identified_on": day_of[row["family_id"]]}
        expected = index_day(own, ranks[row["family_id"]], blocks, 1)
        assert pd.Timestamp(row["index_on"]).date() == expected
    assert len(compared) > 150


def test_rows_are_read_as_ibis_reads_them():
    records = simulate(families=300, seed=4).records
    made = cohort(records, horizon=(6, 24), level="person").table.order_by("unit")
    for table in (made, records.table("employment_spells"), records.table("people")):
        pd.testing.assert_frame_equal(rows_of(table), table.to_pandas(), check_exact=True)
