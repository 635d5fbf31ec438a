"""The second simulator: clean records, a truth that they obey, published levels, worlds apart."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tfeval as tf
from tfeval.programme.outcomes import OUTCOMES
from tfeval.programme.published import figure, published
from tfeval.records.simulate import SimulatedRecords
from tfeval.records.simulate_histories import simulate_histories
from tfeval.records.store import from_tables

EFFECTS = {
    "offences": 0.6, "custody": 0.5, "asb_incidents": 1.4, "sessions_unauthorised": 0.7,
    "fixed_exclusions": 0.8, "out_of_work": 0.5, "employment": 1.5, "looked_after": 0.5,
    "ae_attendances": 0.7,
}  # fmt: skip
#: Everything at once, as far as it leaves rows alone.
BUSY = {"effects": EFFECTS, "effect_ramp_months": 3.0, "effect_share": 0.8, "other_help": 0.3,
        "data_matched": 0.5}  # fmt: skip
LOSSES = {"missed_links": 0.1, "false_links": 0.1, "late_authorities": 0.2, "moved": 0.2,
          "missing_authorities": 0.1}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> SimulatedRecords:
    """Return a world in which nothing is wrong."""
    return simulate_histories(families=1500, seed=2)


@pytest.fixture(scope="module")
def busy() -> SimulatedRecords:
    """Return the same families with effects."""
    return simulate_histories(families=1500, seed=2, **BUSY)


def frames(made: SimulatedRecords) -> dict[str, pd.DataFrame]:
    """Return the tables."""
    return {name: table.to_pandas() for name, table in made.records.tables.items()}


def differing(one: SimulatedRecords, other: SimulatedRecords) -> set[str]:
    """Return the names of tables that are not the same."""
    first, second = frames(one), frames(other)
    return {name for name in first if not first[name].equals(second[name])}


def kept_rows(fewer: pd.DataFrame, more: pd.DataFrame) -> bool:
    """Say whether one table's rows, apart from their numbers, are some of the other's."""
    names = [name for name in more if name not in ("offence_id", "incident_id", "episode_id")]
    both = fewer[names].drop_duplicates().merge(more[names].drop_duplicates(), how="left",
                                                indicator=True)  # fmt: skip
    return bool((both["_merge"] == "both").all())


def small(**world: object) -> SimulatedRecords:
    """Return a small world."""
    return simulate_histories(families=400, seed=3, **world)


# Records.


@pytest.mark.parametrize(
    "world",
    [
        {**BUSY, **LOSSES, "selection_recorded": 1.0, "selection_unrecorded": 1.0},
        {"phase": "two", **BUSY, **LOSSES, "entry_by_year": (0.5, 0.3, 0.2)},
        {"authorities": 1, "places": 1.0, "crisis": 0.0},
    ],
    ids=["everything", "phase two", "one authority, nothing wrong"],
)
def test_records_are_clean_whatever_the_world(world: dict) -> None:
    made = simulate_histories(families=300, seed=1, **world)
    assert made.records.simulated
    assert tf.check_records(made.records).text().endswith("No fault found.")
    assert len(made.truth.families) == 300


def test_a_seed_reproduces_and_another_does_not() -> None:
    def hashed(seed: int) -> str:
        made = simulate_histories(families=200, seed=seed, **BUSY, **LOSSES)
        text = "".join(table.to_csv() for table in frames(made).values())
        text += made.truth.people_outcomes.to_csv() + made.truth.family_outcomes.to_csv()
        return hashlib.sha256(text.encode()).hexdigest()

    assert hashed(1) == hashed(1) != hashed(2)


@pytest.mark.parametrize("group", sorted(tf.comparison_groups()))
def test_cohorts_of_every_group_can_be_built(plain: SimulatedRecords, group: str) -> None:
    cohort = tf.cohort(plain.records, comparison=group, horizon=(6, 12))
    arms = cohort.to_pandas()["treated"].value_counts()
    assert (arms > 30).all(), arms
    assert cohort.outcomes(12).notna().any().all()


# Truth.


@pytest.mark.parametrize("months", [6, 12, 24])
def test_what_a_cohort_counts_is_the_outcome_of_the_world_that_came_about(
    busy: SimulatedRecords, months: int
) -> None:
    # Said to be attached on their index day, the untreated are counted by the cohort as well.
    tables = {name: table.to_pyarrow() for name, table in busy.records.tables.items()}
    truth = busy.truth.families.set_index("family_id")
    rows = tables["families"]
    days = truth["index_on"].reindex(rows["family_id"].to_pylist()).to_list()
    place = rows.column_names.index("attached_on")
    tables["families"] = rows.set_column(place, "attached_on", pa.array(days, pa.date32()))
    records = from_tables(tables, about=busy.records.about, source="everybody attached")
    rows = tf.cohort(records, horizon=months, treatment="claimed").to_pandas()
    rows = rows[rows["treated"] == 1].set_index("family_id")
    worlds = truth["group"].eq("attached").reindex(rows.index).astype(int)
    assert worlds.value_counts().min() > 300
    people, homes = busy.truth.people_outcomes, busy.truth.family_outcomes
    people = people[people["horizon_months"] == months].groupby("family_id").sum(numeric_only=True)
    homes = homes[homes["horizon_months"] == months].set_index("family_id")
    both = people.join(homes, rsuffix="_home")
    checked = 0
    for name, outcome in OUTCOMES.items():
        if not outcome.counted:
            continue
        true = both[[f"y{world}_{outcome.truth or name}" for world in (0, 1)]].reindex(rows.index)
        came = true.to_numpy()[np.arange(len(rows)), worlds]
        seen = rows[f"{name}_{months}"].astype(float)
        known = seen.notna() & ~np.isnan(came)
        assert known.mean() > 0.95
        np.testing.assert_array_equal(seen[known], came[known], err_msg=name)
        checked += 1
    assert checked > 12


def test_without_an_effect_both_worlds_are_equal_row_by_row(busy: SimulatedRecords) -> None:
    # The worlds of `busy` are counted apart, and these outcomes have no effect in it.
    people, homes = busy.truth.people_outcomes, busy.truth.family_outcomes
    for frame, names in (
        (people, ("emergency_admissions", "permanent_exclusions", "sessions_possible")),
        (homes, ("domestic_abuse_incidents",)),
    ):
        for name in names:
            assert frame[f"y1_{name}"].sum() > 0
            assert frame[f"y0_{name}"].equals(frame[f"y1_{name}"]), name
    assert (small().truth.effects()["effect"] == 0).all()


def test_by_family_adds_up_to_the_effects(busy: SimulatedRecords) -> None:
    attached = busy.truth.families.query("group == 'attached'")["family_id"]
    by_family = busy.truth.by_family(12).reindex(attached).dropna()
    effects = busy.truth.effects().query("horizon_months == 12 and population == 'families'")
    told = effects.set_index("outcome")["effect"]
    assert by_family["asb_incidents"].mean() == pytest.approx(told["asb_incidents"])
    assert told["asb_incidents"] > 0 > by_family["out_of_work_days"].mean()


def test_effects_are_as_large_as_asked() -> None:
    asked = {"ae_attendances": 0.6, "asb_incidents": 1.5, "sessions_unauthorised": 0.7}
    truth = simulate_histories(families=1000, seed=5, effects=asked).truth
    homes, people = truth.family_outcomes, truth.people_outcomes
    for frame, name, factor in (
        (people, "ae_attendances", 0.6), (homes, "asb_incidents", 1.5),
        (people, "sessions_unauthorised", 0.7),
    ):  # fmt: skip
        rows = frame[frame["horizon_months"] == 24]
        ratio = rows[f"y1_{name}"].sum() / rows[f"y0_{name}"].sum()
        assert ratio == pytest.approx(factor, rel=0.03), name


def test_effects_on_states_take_time_and_go_the_way_asked() -> None:
    truth = simulate_histories(
        families=1000, seed=5, effects={"out_of_work": 0.5, "looked_after": 0.4, "employment": 1.5}
    ).truth
    effects = truth.effects().set_index(["outcome", "population", "horizon_months"]).sort_index()
    change = effects["effect"] / effects["mean_without"]
    for name, population in (("out_of_work_days", "adults"), ("looked_after_days", "children")):
        by_months = change.loc[(name, population)]
        assert by_months[24] < by_months[6] < 0, name
    worked = change.loc[("employed_days", "adults")]
    assert worked[24] > worked[6] > 0


def test_nothing_changes_before_the_index_day(
    plain: SimulatedRecords, busy: SimulatedRecords
) -> None:
    first = busy.truth.families.set_index("family_id")["index_on"]
    without, with_effects = frames(plain), frames(busy)
    for name in ("asb_incidents", "domestic_abuse_incidents"):
        early = [
            rows[pd.to_datetime(rows["incident_on"]) < pd.to_datetime(rows["family_id"].map(first))]
            for rows in (without[name], with_effects[name])
        ]
        assert len(early[0]) > 1000
        pd.testing.assert_series_equal(
            early[0].groupby("family_id").size(), early[1].groupby("family_id").size()
        )
    later = with_effects["asb_incidents"]["incident_on"].count()
    assert later != without["asb_incidents"]["incident_on"].count()


def test_an_effect_that_builds_up_is_smaller_at_first() -> None:
    asked = {"effects": {"asb_incidents": 0.4}}
    slow, quick = (
        small(**asked, effect_ramp_months=ramp).truth.effects().query(
            "outcome == 'asb_incidents' and population == 'families'"
        ).set_index("horizon_months")["effect"]
        for ramp in (12.0, 0.0)
    )  # fmt: skip
    assert quick[6] < slow[6] < 0
    assert slow[24] / quick[24] > slow[6] / quick[6]


def test_an_effect_in_some_families_only() -> None:
    moved = [
        (small(effects={"ae_attendances": 0.2}, effect_share=share).truth.by_family(24)[
            "ae_attendances"] != 0).mean()
        for share in (0.3, 1.0)
    ]  # fmt: skip
    assert 0 < moved[0] < 0.5 * moved[1]


def test_other_help_is_part_of_the_world_without_the_programme() -> None:
    asked = {"effects": {"asb_incidents": 0.4}}
    alone, helped = (
        small(**asked, other_help=share).truth.effects().query(
            "outcome == 'asb_incidents' and horizon_months == 12"
        ).iloc[0]
        for share in (0.0, 1.0)
    )  # fmt: skip
    assert helped["mean_with"] == alone["mean_with"]
    # Half the effect came about without the programme.
    assert helped["effect"] == pytest.approx(alone["effect"] / 2, rel=0.15)


# Levels, each with its source.


def test_entry_keeps_the_published_pace(plain: SimulatedRecords) -> None:
    families = plain.records.table("families").to_pandas()
    for column, measure in (("identified_on", "identified"), ("attached_on", "worked_with")):
        days = pd.to_datetime(families[column].dropna())
        rows = published("progress_national")
        rows = rows[(rows["figure"] == measure) & (rows["period"] == "2012-15")]
        most = rows["value"].max()
        for month, tolerance in (("2013-03", 0.02), ("2013-09", 0.03)):
            told = rows.loc[rows["as_of"] == month, "value"].max() / most
            end = pd.Period(month).end_time
            assert (days <= end).mean() == pytest.approx(told, abs=tolerance), (column, month)


def test_time_on_the_programme_and_claims_are_as_published(plain: SimulatedRecords) -> None:
    families = plain.records.table("families").to_pandas()
    closed, attached = (pd.to_datetime(families[name]) for name in ("closed_on", "attached_on"))
    months = ((closed - attached).dt.days / 30.4).median()
    told = figure("evaluations", "time_on_programme").low
    assert months == pytest.approx(told, abs=1.0)
    claimed, targeted = (
        figure("progress_national", name, as_of=as_of, period="2012-15").low
        for name, as_of in (("turned_around", "2015-05"), ("targeted", "2012-04"))
    )
    share = families["claimed_on"].notna().sum() / attached.notna().sum()
    assert share == pytest.approx(claimed / targeted, abs=0.015)


@pytest.mark.slow(reason="8,000 simulated families: few juveniles are convicted")
def test_levels_at_entry_and_after_are_those_published() -> None:
    made = simulate_histories(families=8000, seed=5)
    truth = made.truth
    facts = truth.families.set_index("family_id")
    people = truth.people_outcomes
    people = people[people["family_id"].map(facts["group"]) != "below_threshold"]
    of = {months: rows.set_index("person_id") for months, rows in people.groupby("horizon_months")}
    age = of[24]["age_at_index"]
    young, adults = of[24][(age >= 10) & (age < 18)], of[24][age >= 18]
    children = of[24][(age >= 0) & (age < 18)]
    late = children["y0_looked_after_days"] - of[18]["y0_looked_after_days"].reindex(children.index)
    spells = made.records.table("benefit_spells").to_pandas()
    spells = spells[spells["benefit"] == "jobseekers_allowance"]
    spells = spells.merge(adults[["family_id"]], left_on="person_id", right_index=True)
    index = pd.to_datetime(spells["family_id"].map(facts["index_on"]))
    ended = pd.to_datetime(spells["ended_on"]).fillna(pd.Timestamp("2100-01-01"))
    on = (pd.to_datetime(spells["started_on"]) < index + pd.DateOffset(months=24)) & (
        ended > index + pd.DateOffset(months=18)
    )
    rows = published("evaluation_outcomes").set_index(["outcome", "population"])["comparison"]
    rows = rows.sort_index()
    for share, key in (
        (young["y0_convictions"].gt(0).mean(), ("conviction", "juveniles")),
        (young["y0_custody"].gt(0).mean(), ("custodial sentence", "juveniles")),
        (adults["y0_custody"].gt(0).mean(), ("custodial sentence", "adults")),
        (late.gt(0).mean(), ("looked after child", "children")),
        (spells[on]["person_id"].nunique() / len(adults),
         ("claiming Jobseeker's Allowance", "adults")),
    ):  # fmt: skip
        assert 100 * share == pytest.approx(rows.loc[[key]].item(), rel=0.25), key
    entered = people[(people["horizon_months"] == 6) & people["age_at_index"].between(0, 17)]
    attached = facts.index[facts["group"] == "attached"]
    large = entered.groupby("family_id").size().reindex(attached, fill_value=0) >= 3
    told = figure("evaluations", "families_three_children").low
    assert 100 * large.mean() == pytest.approx(told, abs=3.0)


# What a world without anything wrong is like, and that each switch changes what it says.


def gap(made: SimulatedRecords, column: str) -> tuple[float, float]:
    """Return by how much those with a place differ from the other eligible, and its error."""
    families = made.truth.families
    one, other = (
        families.loc[families["group"] == group, column] for group in ("attached", "eligible")
    )
    error = np.sqrt(one.var() / len(one) + other.var() / len(other))
    return one.mean() - other.mean(), error


def waits(made: SimulatedRecords) -> pd.Series:
    """Return days from identification to attachment, by family."""
    rows = made.truth.families.query("worked_with").set_index("family_id")
    return (pd.to_datetime(rows["index_on"]) - pd.to_datetime(rows["identified_on"])).dt.days


def test_places_and_waits_are_chance_unless_asked(plain: SimulatedRecords) -> None:
    for column in ("need", "unrecorded"):
        difference, error = gap(plain, column)
        assert abs(difference) < 3 * error, column
    assert not plain.truth.families[["claimed_by_data_matching", "other_help"]].any(axis=None)


@pytest.mark.parametrize("column", ["need", "unrecorded"])
def test_selection_is_on_what_it_says(column: str) -> None:
    setting = {"need": "selection_recorded", "unrecorded": "selection_unrecorded"}[column]
    difference, error = gap(small(**{setting: 1.5}), column)
    assert difference > 4 * error


def test_waits_that_depend_on_need_are_shorter_for_the_needy() -> None:
    def link(weight: float) -> float:
        made = simulate_histories(families=800, seed=3, informative_waits=weight)
        needy = made.truth.families.set_index("family_id")["need"]
        held = waits(made)
        return float(held.corr(needy[held.index], method="spearman"))

    assert link(2.0) < link(0.0) - 0.1


def test_families_are_seen_at_their_worst_and_improve_by_themselves() -> None:
    made = simulate_histories(families=800, seed=3, crisis=0.0)
    rows = made.records.table("asb_incidents").to_pandas()
    seen = made.truth.families.set_index("family_id")["identified_on"]
    days = (pd.to_datetime(rows["incident_on"]) - pd.to_datetime(rows["family_id"].map(seen))).dt
    before, after = days.days.between(-182, -1).sum(), days.days.between(182, 363).sum()
    assert after < 0.85 * before
    assert made.truth.families["crisis_on"].isna().all()


def test_crises_bring_families_to_notice(plain: SimulatedRecords) -> None:
    rows = plain.truth.families
    ago = (pd.to_datetime(rows["identified_on"]) - pd.to_datetime(rows["crisis_on"])).dt.days
    by_chance = 1 - np.exp(-0.5 * 120 / 365)
    assert ago.lt(120).mean() > 1.2 * by_chance


def test_data_matching_claims_families_that_improved_without_a_practitioner() -> None:
    made = simulate_histories(families=800, seed=3, data_matched=1.0, effects={"offences": 0.5})
    families = made.records.table("families").to_pandas().set_index("family_id")
    matched = made.truth.families.set_index("family_id")["claimed_by_data_matching"]
    rows = families[matched.reindex(families.index)]
    assert len(rows) > 30
    assert rows["lead_practitioner_on"].isna().all()
    assert rows[["attached_on", "claimed_on"]].notna().all(axis=None)
    effects = made.truth.by_family(12).loc[rows.index.intersection(made.truth.by_family(12).index)]
    assert (effects == 0).all(axis=None)
    # Those who improved by 60%: the others without a place did so far less often.
    counts = made.records.table("asb_incidents").to_pandas()
    seen = pd.to_datetime(counts["family_id"].map(families["identified_on"]))
    days = (pd.to_datetime(counts["incident_on"]) - seen).dt.days
    late = counts[days.between(100, 270)].groupby("family_id").size()
    left = families.index.difference(rows.index)
    assert (
        late.reindex(rows.index, fill_value=0).mean()
        < 0.5 * late.reindex(left, fill_value=0).mean()
    )
    # Who was supported is the same as without matching.
    without = simulate_histories(families=800, seed=3, effects={"offences": 0.5})
    assert waits(without).equals(waits(made))


def test_missed_links_only_lose_rows() -> None:
    whole, missed = small(), small(missed_links=0.3)
    tables = ("school_terms", "benefit_spells", "employment_spells")
    assert differing(whole, missed) == {"people", *tables}
    before, after = frames(whole), frames(missed)
    lost = ["linked_school", "linked_benefits"]
    assert before["people"].drop(columns=lost).equals(after["people"].drop(columns=lost))
    assert before["people"][lost].all(axis=None)
    for table in tables:
        flag = "linked_school" if table == "school_terms" else "linked_benefits"
        found = after["people"].set_index("person_id")[flag]
        assert found.mean() == pytest.approx(0.7, abs=0.05)
        rows = before[table][before[table]["person_id"].map(found)].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, after[table])
    pd.testing.assert_frame_equal(whole.truth.people_outcomes, missed.truth.people_outcomes)


def test_false_links_give_rows_to_another_of_about_the_same_age() -> None:
    whole, swapped = small(), small(false_links=0.3)
    assert differing(whole, swapped) == {"school_terms", "benefit_spells", "employment_spells"}
    before, after = frames(whole), frames(swapped)
    for table in ("school_terms", "employment_spells"):
        names = [name for name in before[table] if name != "person_id"]
        assert kept_rows(after[table][names], before[table][names])
        assert len(before[table]) * 0.8 < len(after[table]) <= len(before[table])
        assert not kept_rows(after[table], before[table])
    pd.testing.assert_frame_equal(whole.truth.people_outcomes, swapped.truth.people_outcomes)


def test_late_and_missing_authorities_only_lose_their_own_records() -> None:
    whole, lacking = small(), small(late_authorities=0.3, missing_authorities=0.3)
    local = {"asb_incidents", "social_care_episodes", "domestic_abuse_incidents"}
    assert differing(whole, lacking) == {"coverage", *local}
    before, after = frames(whole), frames(lacking)
    cover = after["coverage"][after["coverage"]["source_table"] == "asb_incidents"]
    cover = cover.set_index("local_authority")["covered_from"]
    home = after["families"].set_index("family_id")["local_authority"]
    assert 0.5 * 152 < len(cover) < 0.9 * 152
    assert cover.nunique() == 2
    rows = before["asb_incidents"]
    since = pd.to_datetime(rows["family_id"].map(home).map(cover))
    sent = rows[pd.to_datetime(rows["incident_on"]) >= since].reset_index(drop=True)
    pd.testing.assert_frame_equal(sent, after["asb_incidents"])


def test_only_some_authorities_and_entry_year_by_year() -> None:
    made = small(authorities=56, entry_by_year=(0.4, 0.3, 0.3))
    families = made.records.table("families").to_pandas()
    assert 40 < families["local_authority"].nunique() <= 56
    assert made.records.table("coverage").to_pandas()["local_authority"].nunique() == 56
    began = pd.to_datetime(families.groupby("local_authority")["identified_on"].min())
    assert (began < "2013-04-01").mean() == pytest.approx(0.4, abs=0.2)
    assert (began >= "2014-03-25").mean() == pytest.approx(0.3, abs=0.2)


def test_moves_change_the_table_of_moves_alone() -> None:
    assert differing(small(), small(moved=0.4)) == {"family_moves"}


@pytest.mark.parametrize(
    ("world", "says"),
    [
        ({"phase": "three"}, "There is no phase three"),
        ({"effects": {"offenses": 0.5}}, "Did you mean offences"),
        ({"effects": {"offences": 0.0}}, "above 0"),
        ({"places": 1.5}, "places is a share"),
        ({"crisis_days": 0.0}, "crisis_days"),
        ({"entry_by_year": (0.5, 0.2)}, "add up to 1"),
        ({"authorities": 153}, "authorities"),
        ({"crises": 1.0}, "no setting crises"),
    ],
)
def test_worlds_that_mean_nothing_are_refused(world: dict, says: str) -> None:
    with pytest.raises(tf.ParameterError, match=says):
        tf.simulate_histories(families=10, seed=1, **world)
