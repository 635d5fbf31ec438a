"""Each way around a plan that we could think of is marked, and an honest run is not."""

from __future__ import annotations

import pickle
import re
import time
import tomllib
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.cohort.analysis_table import column_hash
from tfeval.impact.matching import settings as matching
from tfeval.impact.plan.analysis_plan import FILE
from tfeval.settings import project_folder

TEXT = (project_folder("data") / FILE).read_text(encoding="utf-8")
CONTENT = tomllib.loads(TEXT)
ANALYSES = ["main", *(item["name"] for item in CONTENT["sensitivity"])]


@pytest.fixture(scope="module")
def plan():
    return tf.read_plan()


@pytest.fixture(scope="module")
def records():
    return tf.simulate(families=4000, seed=5).records


@pytest.fixture(scope="module")
def closed(records, plan):
    """Return cohorts by what they are asked for, each built once and closed."""
    # Where authorities did not send a table, few of other authorities are told apart by that alone.
    whole = cache(lambda: tf.simulate(families=4000, seed=5, no_data_share=0, late_data_share=0))

    def made(asked):
        other = ("comparison", "other_authorities") in asked
        own = whole().records if other else records
        own = replace(own, opened=[])  # the others of these records are not closed
        return tf.cohort(own, horizon=(12, 18), plan=plan, **dict(asked))

    return cache(made)


@pytest.fixture(scope="module")
def families(records):
    return tf.cohort(records, horizon=(12, 18))


@pytest.fixture(scope="module")
def other_seed(records):
    return tf.cohort(records, horizon=12, seed=2)


@pytest.fixture(scope="module")
def shared_design(families):
    return tf.match(tf.study(families, months=12), order="random")


@pytest.fixture
def design(shared_design):
    """A design that a test may spoil."""
    return deepcopy(shared_design)


@pytest.fixture
def outcomes(families):
    return families.outcomes(12)[["offences", "absence", "asb_incidents", "out_of_work"]]


def planned(effects):
    return dict(zip(effects.frame["outcome"], effects.frame["planned"], strict=True))


def departures(effects):
    """Return the notes that say how effects depart, in one text."""
    return " ".join(note for note in effects.notes if note.startswith("Exploratory"))


def marked(effects, why):
    assert not any(planned(effects).values()), planned(effects)
    assert re.search(why, departures(effects)), departures(effects)


def rewritten(array, rows, values):
    """Write into an array, whether or not it is read-only."""
    array.flags.writeable = True
    array[rows] = values


# --- honest runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "months"),
    [(name, months) for name in ANALYSES for months in (12, 18)
     if (name, months) != ("families that waited", 18)],  # nobody is followed for so long
)  # fmt: skip
def test_an_honest_run_of_each_analysis_is_planned(closed, plan, name, months):
    held = plan.main if name == "main" else plan.sensitivity[name]
    asked = ("phase", "comparison", "treatment", "seed")
    families = closed(tuple((key, held.cohort[key]) for key in asked))
    within = held.design["within"]
    study = tf.study(families, months=months, strata=within or None).named(families.labels)
    asked = {key: value for key, value in held.design.items() if key not in ("within", "model")}
    effects = tf.estimate(
        tf.match(study, **asked), families.open(plan), months=months, plan=plan,
        method=held.estimate["method"],
    ).with_corrections(held.correction, family="role")  # fmt: skip
    asked_for = (*plan.primary, *plan.secondary)
    wanted = {row: row in asked_for for row in effects.frame["outcome"]}
    assert planned(effects) == wanted, departures(effects)
    assert all(planned(effects)[row] for row in plan.primary)
    if name != "main":
        assert f'Planned as sensitivity analysis "{name}"' in " ".join(effects.notes)
    assert not [
        note for note in effects.notes if "Outcomes were open" in note or "Nothing kept" in note
    ]


def test_a_frame_of_the_cohort_and_a_part_of_its_outcomes_are_traced(families, plan, outcomes):
    roles = {"covariates": families.covariates, "cluster": "local_authority", "unit": "unit",
             "family": "family_id", "fewest": 10}  # fmt: skip
    frame = families.to_pandas()[families.followed(12)]
    frame = frame.sample(frac=1, random_state=1).set_index("family_id", drop=False)
    frame.index = frame.index + frame["treated"].astype(str)  # a family may stand in both arms
    frame.attrs["cohort"] |= {"units": len(frame)}
    named = outcomes.set_index(
        families.to_pandas()["family_id"] + families.to_pandas()["treated"].astype(str)
    )
    effects = tf.estimate(tf.match(tf.study(frame, **roles), order="random"), named, plan=plan,
                          months=12)  # fmt: skip
    assert all(planned(effects).values()), departures(effects)


def test_a_plan_with_abadie_and_imbens_does_not_stamp_its_own_run(families, tmp_path):
    text = TEXT.replace("replace = false", "replace = true").replace(
        'errors = "cluster"\ncluster = ["local_authority"]',
        'errors = "abadie_imbens"\ncluster = []',
    )
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    design = tf.match(tf.study(families, months=12), order="random", replace=True)
    effects = tf.estimate(design, families, months=12, errors="abadie_imbens",
                          plan=tf.read_plan(path))  # fmt: skip
    assert planned(effects)["offences"], departures(effects)
    assert set(effects.frame["errors"]) == {"abadie_imbens"}


def test_combined_tables_stay_what_they_were_and_their_correction_is_looked_at(
    families, plan, design, outcomes
):
    main = tf.estimate(design, outcomes, months=12, plan=plan)
    alone = tf.estimate(design, outcomes, months=12, method="difference", plan=plan)
    both = tf.combine_effects([main, alone])
    assert both.with_corrections("romano_wolf", family="method").frame["planned"].all()
    one = both.with_corrections("romano_wolf", family=("method", "outcome"))
    marked(one, "correction: without")


# --- the cheats that were found ------------------------------------------------------------------


def test_outcomes_of_the_worst_treated_set_missing(families, plan, design, outcomes):
    treated = families.to_pandas()["treated"] == 1
    inside = families.followed(12)
    value = outcomes["offences"]
    worst = treated & inside & value.ge(value[treated & inside].quantile(0.9)) & value.gt(0)
    effects = tf.estimate(design, outcomes.mask(worst), months=12, plan=plan)
    marked(effects, "outcome: missing where the cohort has them")
    tens = int(worst.sum()) // 10 * 10
    assert tens >= 10
    assert f"at least {tens} treated, no comparison" in departures(effects)


def test_another_outcome_under_a_planned_name(families, plan, design, outcomes):
    outcomes["offences"] = families.outcomes(12)["ae_attendances"]
    effects = tf.estimate(design, outcomes, months=12, plan=plan)
    assert planned(effects) == {"offences": False, "absence": True, "asb_incidents": True,
                                "out_of_work": True}  # fmt: skip
    assert "these are the cohort's ae attendances at 12 months" in departures(effects)


@pytest.mark.parametrize("fewest", [1, 60])
def test_covariates_left_out_by_fewest_or_kept(families, plan, outcomes, fewest):
    made = tf.study(families, months=12, fewest=fewest)
    usual = tf.study(families, months=12)
    assert set(made.left_out) != set(usual.left_out)
    effects = tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan)
    why = "left out where the plan keeps" if fewest > 1 else "kept where the plan leaves them out"
    marked(effects, why)


def test_a_covariate_left_out_by_name(families, plan, outcomes):
    names = families.covariates[3:]
    made = tf.study(families, months=12, covariates=names)
    marked(tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan),
           "covariates: planned and not used")  # fmt: skip


def test_a_covariate_said_to_have_been_left_out_by_the_rule(families, plan, outcomes):
    names = families.covariates
    made = tf.study(families, months=12, covariates=[name for name in names if name != "people"])
    made.left_out["people"] = "differs from its commonest value in fewer than 10 units of an arm"
    marked(tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan),
           "left out where the plan keeps them, people")  # fmt: skip


def test_sampling_weight_0_for_bad_outcomes(families, plan, outcomes):
    frame = families.to_pandas()[families.followed(12)]
    bad = (frame["treated"] == 1) & (frame["offences_12"] > 0)
    frame["weight"] = np.where(bad, 0.0, 1.0)
    made = tf.study(frame, covariates=families.covariates, cluster="local_authority", unit="unit",
                    family="family_id", fewest=10, weight="weight")  # fmt: skip
    effects = tf.estimate(tf.match(made, order="random"), outcomes.loc[frame.index], months=12,
                          plan=plan)  # fmt: skip
    marked(effects, "sampling weights: given, where none was planned; 0 for at least")


def test_sampling_weights_put_into_a_study_afterwards(families, plan, outcomes):
    made = tf.study(families, months=12)
    weighed = replace(made, weight=np.random.default_rng(1).uniform(0.5, 2, made.size))
    marked(tf.estimate(tf.match(weighed, order="random"), outcomes, months=12, plan=plan),
           "sampling weights")  # fmt: skip


def test_rows_dropped_and_attributes_edited(families, plan, outcomes):
    frame = families.to_pandas()[families.followed(12)]
    bad = (frame["treated"] == 1) & (frame["offences_12"] > 0)
    kept = frame[~bad]
    kept.attrs["cohort"] = {**frame.attrs["cohort"], "units": len(kept), "followed": 12}
    made = tf.study(kept, covariates=families.covariates, cluster="local_authority", unit="unit",
                    family="family_id", fewest=10)  # fmt: skip
    object.__setattr__(made, "cohort", {**made.cohort, "units": made.size})
    effects = tf.estimate(tf.match(made, order="random"), outcomes.loc[kept.index], months=12,
                          plan=plan)  # fmt: skip
    marked(effects, r"left out before the design: (at least \d+|fewer than ten) treated, no comp")


def test_another_cohort_s_seed_hidden_in_the_attributes(families, other_seed, plan):
    assert families.hash != other_seed.hash
    made = tf.study(other_seed, months=12)
    made.cohort.update(seed=1)
    outcomes = other_seed.outcomes(12)
    outcomes.attrs["cohort"]["seed"] = 1
    effects = tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan)
    marked(effects, "seed of the cohort: 2, where 1 was planned")


def test_fixed_covariates(plan, design, outcomes):
    effects = tf.estimate(design, outcomes, months=12, fixed_covariates=True, plan=plan)
    marked(effects, "covariates counted as fixed: yes, where no was planned")


@pytest.mark.parametrize("before", [False, True])
def test_a_correction_over_a_family_of_one(families, plan, design, before):
    effects = tf.estimate(design, families, months=12, plan=plan)
    one = effects if before else effects.select("offences")
    one = one.with_corrections("romano_wolf", family="outcome" if before else "role")
    assert not planned(one)["offences"]
    assert "correction: without" in departures(one)
    own = effects.with_corrections("romano_wolf", family="role")
    assert planned(own)["offences"]
    assert not planned(own.with_corrections("none_such" if False else "benjamini_hochberg"))[
        "offences"
    ]


def test_draws_of_a_correction_that_please(plan, design, outcomes):
    effects = tf.estimate(design, outcomes, months=12, plan=plan)
    marked(effects.with_corrections("romano_wolf", family="role", seed=2),
           "draws of the correction: from seed 2, where from seed 1 was planned")  # fmt: skip
    flat = np.tile(effects.frame["estimate"].to_numpy(dtype=float), (200, 1))
    marked(effects.with_corrections("romano_wolf", replicates=flat),
           "draws of the correction: given")  # fmt: skip


def test_a_seed_of_the_bootstrap_that_pleases(plan, design, outcomes):
    effects = tf.estimate(design, outcomes[["offences"]], months=12, errors="bootstrap",
                          draws=99, seed=2, plan=plan)  # fmt: skip
    marked(effects, "draws of the errors: 99 from seed 2, where 999 from seed 1 was planned")


def test_a_correction_over_one_horizon_where_both_were_planned(families, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.replace('"primary_by_horizon"', '"primary"'), encoding="utf-8")
    held = tf.read_plan(path)
    design = tf.match(tf.study(families), order="random")
    effects = tf.estimate(design, families, plan=held)
    assert planned(effects.with_corrections("holm", family="role").select(months=12))["offences"]
    less = effects.select(months=12).with_corrections("holm", family="role")
    assert not planned(less)["offences"] and "absence at 18 months" in departures(less)


# --- ten and more of our own ---------------------------------------------------------------------


def test_outcomes_shifted_by_a_row(plan, design, outcomes):
    moved = outcomes.apply(lambda own: pd.Series(np.roll(own, 1), index=own.index))
    marked(
        tf.estimate(design, moved, months=12, plan=plan), "outcome: (other values|missing|known)"
    )


def test_the_index_of_outcomes_permuted(plan, design, outcomes):
    mixed = outcomes.set_axis(np.random.default_rng(1).permutation(outcomes.index))
    mixed = mixed.loc[design.study.index]
    marked(tf.estimate(design, mixed, months=12, plan=plan), "outcome: other values")


def test_the_index_of_a_study_permuted(families, plan, outcomes):
    made = tf.study(families, months=12)
    mixed = replace(made, index=made.index[::-1])
    marked(tf.estimate(tf.match(mixed, order="random"), outcomes, months=12, plan=plan),
           "outcome: other values")  # fmt: skip


def test_outcomes_of_another_horizon(families, plan):
    made = tf.match(tf.study(families, months=18), order="random")
    later = families.outcomes(18)
    later.attrs["months"] = 12
    effects = tf.estimate(made, later[["offences", "out_of_work"]], months=12, plan=plan)
    marked(effects, "left out before the design")
    assert "these are the cohort's offences at 18 months" in departures(effects)


def test_those_followed_longer_are_not_those_followed(families, plan, outcomes):
    made = tf.match(tf.study(families, months=18), order="random")
    effects = tf.estimate(made, outcomes.loc[made.study.index], months=12, plan=plan)
    marked(effects, "left out before the design: .* comparison of those followed over 12 months")


@pytest.mark.parametrize("where", ["study", "design"])
def test_arms_swapped_for_a_few(families, plan, outcomes, where):
    made = tf.study(families, months=12)
    if where == "design":
        design = tf.match(made, order="random")
    rows = [*np.flatnonzero(made.treated)[:5], *np.flatnonzero(~made.treated)[:5]]
    rewritten(made.treated, rows, ~made.treated[rows])
    if where == "study":
        design = tf.match(made, order="random")
    effects = tf.estimate(design, outcomes, months=12, plan=plan)
    marked(effects, "other arm than the cohort has them in .fewer than ten treated, fewer than ten")


def test_rows_taken_twice(families, plan, outcomes):
    made = tf.study(families, months=12)
    rows = np.r_[np.arange(made.size), np.flatnonzero(~made.treated)[:40]]
    twice = made.take(rows, np.r_[np.zeros(made.size, int), np.ones(40, int)])
    twice = replace(twice, unit=made.unit[rows], index=pd.Index(range(len(rows)), name="row"))
    own = outcomes.loc[made.index[rows]].set_axis(twice.index)
    effects = tf.estimate(tf.match(twice, order="random"), own, months=12, plan=plan)
    marked(effects, "in the study twice, or not in the cohort .no treated, at least 40 comparison")


def test_another_treatment_told_as_the_planned_one(closed, plan):
    claimed = closed((("treatment", "claimed"),)).open(plan)
    made = tf.study(claimed, months=12)
    made.cohort["treatment"] = "supported"
    outcomes = claimed.outcomes(12)
    outcomes.attrs["cohort"]["treatment"] = "supported"
    design = tf.match(made, order="random")
    notes = " ".join(tf.estimate(design, outcomes, months=12, plan=plan).notes)
    assert 'Planned as sensitivity analysis "all that were claimed"' in notes
    wide = tf.match(made, order="random", caliper=0.5)
    marked(tf.estimate(wide, outcomes, months=12, plan=plan),
           "treatment: claimed, where supported was planned")  # fmt: skip


def test_covariates_overwritten_after_the_study_was_made(families, plan, outcomes):
    made = tf.study(families, months=12)
    column = next(one for one in made.covariates.columns if one.source == "people")
    rewritten(column.raw, slice(0, 30), column.raw[0] + 1)
    effects = tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan)
    marked(effects, "covariates: values that are not the cohort's, people")


def test_a_covariate_of_one_s_own_told_as_measured_before(families, plan, outcomes):
    frame = families.to_pandas()[families.followed(12)]
    frame["own"] = frame["offences_12"] + np.random.default_rng(1).normal(size=len(frame))
    frame.attrs["timing"]["own"] = "before"
    made = tf.study(frame, covariates=[*families.covariates, "own"], cluster="local_authority",
                    unit="unit", family="family_id", fewest=10)  # fmt: skip
    effects = tf.estimate(tf.match(made, order="random"), outcomes.loc[frame.index], months=12,
                          plan=plan)  # fmt: skip
    marked(effects, "covariates: not planned, own")


@pytest.mark.parametrize("by", [2.0, 0.5])
def test_weights_of_a_design_multiplied(plan, design, outcomes, by):
    own = design.weights * np.where(np.arange(design.study.size) % 2, by, 1.0)
    effects = tf.estimate(replace(design, weights=own), outcomes, months=12, plan=plan)
    marked(effects, "design: not what its settings make of the cohort, weights")


def test_bad_pairs_taken_out_of_a_design_in_place(families, plan, design, outcomes):
    value = outcomes["out_of_work"].loc[design.study.index].to_numpy()
    bad = np.flatnonzero(design.study.treated & (design.weights > 0) & (value > 0))[:20]
    assert len(bad) == 20
    rewritten(design.weights, bad, 0.0)
    rewritten(design.target, bad, 0.0)
    marked(tf.estimate(design, outcomes, months=12, plan=plan), "design: not what its settings")


def test_settings_of_a_design_that_are_not_its_own(families, plan, outcomes):
    wide = tf.match(tf.study(families, months=12), order="random", caliper=2.0)
    told = replace(wide, settings={**wide.settings, "caliper": 0.2})
    marked(tf.estimate(told, outcomes, months=12, plan=plan), "design: not what its settings")


def test_columns_taken_out_after_the_design_was_made(plan, design, outcomes):
    held = design.study.covariates
    for less in (
        [one for one in held.columns if not one.absent],
        [one for one in held.columns if one.source != "people"],
        [*held.columns, held.columns[0]],
    ):
        made = replace(design.study, covariates=replace(held, columns=tuple(less)))
        effects = tf.estimate(replace(design, study=made), outcomes, months=12, plan=plan)
        marked(effects, "covariates: (values that are not|planned and not used|left out)")


def test_a_model_of_weights_put_into_a_matched_design(families, plan, design, outcomes):
    weighted = tf.weight(tf.study(families, months=12), "inverse_propensity")
    told = replace(design, weight_model=weighted.weight_model)
    marked(tf.estimate(told, outcomes, months=12, plan=plan), "design: another than its settings")


def test_other_levels_designs_and_errors_are_traced_without_fault(
    records, families, plan, outcomes
):
    """What cannot be planned is looked at all the same, and is said to be what it is."""
    people = tf.cohort(records, horizon=12, level="person")
    design = tf.match(tf.study(people, months=12), order="random")
    marked(tf.estimate(design, people, months=12, plan=plan), "rows of the cohort: person")
    made = tf.study(families, months=12)
    for other in (tf.weight(made, "entropy"), tf.weight(made, "overlap"), tf.unweighted(made)):
        effects = tf.estimate(other, outcomes, months=12, plan=plan)
        marked(effects, "design: .* where nearest was planned")
        assert "not what its settings" not in departures(effects)
    twice = tf.match(made, order="random", replace=True)
    pairs = tf.estimate(twice, outcomes, months=12, errors="two_way", cluster=("pair", "unit"),
                        plan=plan)  # fmt: skip
    marked(pairs, "replace: yes, where no was planned")
    assert "outcome:" not in departures(pairs) and "cohort" not in departures(pairs)


def test_a_score_fitted_elsewhere(families, plan, outcomes):
    made = tf.study(families, months=12)
    score = tf.fit_propensity(tf.study(families, months=12, covariates=["people"]))
    effects = tf.estimate(tf.match(made, order="random", propensity=score), outcomes, months=12,
                          plan=plan)  # fmt: skip
    marked(effects, "design: not what its settings make of the cohort")


def test_some_authorities_alone(families, plan, outcomes):
    frame = families.to_pandas()[families.followed(12)]
    names = sorted(frame["local_authority"].unique())
    part = frame[frame["local_authority"].isin(names[: len(names) * 3 // 4])]
    made = tf.study(part, covariates=families.covariates, cluster="local_authority", unit="unit",
                    family="family_id", fewest=10)  # fmt: skip
    effects = tf.estimate(tf.match(made, order="random"), outcomes.loc[part.index], months=12,
                          plan=plan)  # fmt: skip
    marked(effects, "units of the cohort were left out before the design")


def test_clusters_made_finer(families, plan, outcomes):
    made = tf.study(families, months=12)
    made.clusters["local_authority"] = np.arange(made.size)
    marked(tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan),
           "local authority: not as the cohort has them")  # fmt: skip


def test_a_cohort_that_was_made_over(families, plan):
    changed = families.table.mutate(
        offences_12=families.table["offences_12"] * families.table["treated"]
    )
    own = replace(families, table=changed, _frame=[])
    effects = tf.estimate(tf.match(tf.study(own, months=12), order="random"), own, months=12,
                          plan=plan)  # fmt: skip
    assert not planned(effects)["offences"] and planned(effects)["absence"]


def test_a_cohort_s_frame_written_into(records, plan):
    families = tf.cohort(records, horizon=12)
    families.to_pandas()
    families._frame[0].loc[families._frame[0]["treated"] == 1, "offences_12"] = 0.0
    design = tf.match(tf.study(families, months=12), order="random")
    effects = tf.estimate(design, families, months=12, plan=plan)
    assert not planned(effects)["offences"] and planned(effects)["absence"]


def test_a_study_that_names_another_cohort(families, other_seed, plan, design, outcomes):
    made = replace(design.study, origin=other_seed.origin)
    effects = tf.estimate(tf.match(made, order="random"), outcomes, months=12, plan=plan)
    marked(effects, "not in the cohort|left out before|values that are not")


def test_what_no_cohort_stands_behind(families, plan, outcomes, tmp_path):
    roles = {"covariates": families.covariates, "cluster": "local_authority", "unit": "unit",
             "family": "family_id", "fewest": 10}  # fmt: skip
    frame = families.to_pandas()
    bare = pd.DataFrame({name: frame[name].to_numpy() for name in frame})
    design = tf.match(tf.study(bare, **roles), order="random")
    marked(tf.estimate(design, outcomes, months=12, plan=plan), "cohort: not traced to one")
    elsewhere = pickle.loads(pickle.dumps(replace(design.study, origin=None)))
    marked(tf.estimate(tf.match(elsewhere, order="random"), outcomes, months=12, plan=plan),
           "cohort: not traced to one")  # fmt: skip


def test_effects_estimated_without_the_plan_are_not_traced(plan, design, outcomes):
    marked(plan.mark(tf.estimate(design, outcomes, months=12)), "cohort: not traced to one")


def test_effects_changed_after_they_were_estimated(plan, design, outcomes):
    effects = tf.estimate(design, outcomes, months=12, plan=plan)
    frame = effects.to_frame()
    frame.loc[0, "p_value"] /= 10
    again = plan.mark(replace(effects, frame=frame))
    assert not planned(again)["offences"] and planned(again)["absence"]
    assert "effects: changed after they were estimated" in departures(again)


@pytest.mark.parametrize("how", ["field", "content", "analysis"])
def test_a_plan_changed_in_memory(families, design, outcomes, how):
    held = tf.read_plan()
    if how == "field":
        held = replace(held, primary=(*held.primary, "sessions_possible"))
        _ = held.hash
        outcomes["sessions_possible"] = families.outcomes(12)["sessions_possible"]
    elif how == "content":
        held.content["design"]["caliper"] = 0.5
        design = tf.match(design.study, order="random", caliper=0.5)
    else:
        held.main.design["caliper"] = 0.5
        design = tf.match(design.study, order="random", caliper=0.5)
    effects = tf.estimate(design, outcomes, months=12, plan=held)
    marked(effects, "plan: changed after it was read")
    if how == "content":
        assert "The plan is not registered" in " ".join(effects.notes)


def test_effects_of_another_plan(plan, design, outcomes, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.replace("horizons = [12, 18]", "horizons = [12]"), encoding="utf-8")
    effects = tf.estimate(design, outcomes, months=12, plan=plan)
    marked(tf.read_plan(path).mark(effects), "plan: another than the one")


# --- what is counted, and what it costs ----------------------------------------------------------


def test_counts_are_those_of_a_slow_comparison_and_small_ones_are_not_said(
    families, plan, design, outcomes
):
    rng = np.random.default_rng(7)
    frame = families.to_pandas()
    for share in (0.002, 0.3):
        changed = outcomes.copy()
        hit = rng.random(len(changed)) < share
        changed.loc[hit, "offences"] = changed.loc[hit, "offences"] + 1
        counts = {1: 0, 0: 0}
        for label in design.study.index:
            before, after = outcomes.loc[label, "offences"], changed.loc[label, "offences"]
            counts[frame.loc[label, "treated"]] += bool(not np.isnan(before) and before != after)
        words = ["no" if not n else "fewer than ten" if n < 10 else f"at least {n // 10 * 10:,}"
                 for n in counts.values()]  # fmt: skip
        effects = tf.estimate(design, changed, months=12, plan=plan)
        said = f"other values than the cohort's, {words[0]} treated, {words[1]} comparison"
        assert said in departures(effects)
        if share < 0.1:
            assert "fewer than ten" in said and not re.search(r"[^\d][1-9] (treated|compar)", said)


def test_hashes_are_cheap_and_made_for_a_plan_alone(families, design, outcomes, monkeypatch):
    rng = np.random.default_rng(1)
    wide = pd.DataFrame(rng.integers(0, 9, (12_000, 70)).astype(float))
    wide["unit"] = [f"{number:026d}:comparison" for number in range(12_000)]
    spent = []
    for _ in range(7):
        start = time.process_time()
        for name in wide:
            column_hash(wide[name])
        spent.append(time.process_time() - start)
    assert min(spent) < 0.05
    monkeypatch.setattr(
        type(families.origin), "_read", lambda *_: pytest.fail("read without a plan")
    )
    tf.estimate(design, outcomes, months=12)


def test_the_hash_of_a_cohort_is_of_its_settings_and_of_every_value(records, families, other_seed):
    assert tf.cohort(records, horizon=(12, 18)).hash == families.hash
    assert len({families.hash, other_seed.hash, tf.cohort(records, horizon=12).hash}) == 3
    hashes, frame = families.hashes(), families.to_pandas()
    assert list(hashes) == list(frame)
    moved = frame["offences_12"].copy()
    moved.iloc[0] += 1
    assert column_hash(frame["offences_12"]) == hashes["offences_12"] != column_hash(moved)


def test_every_method_of_matching_is_made_again_as_it_was(families, outcomes, tmp_path):
    """A plan with another method of matching is not told that its design is not its settings'."""
    for method in matching.METHODS:
        if method in ("optimal", "coarsened_exact"):
            continue  # refuses so many units, finds no cell with both arms
        design = tf.match(tf.study(families, months=12), method)
        fixed = {key: value for key, value in design.settings.items()
                 if value is not None and key != "calipers"}  # fmt: skip
        lines = [f"{key} = {_toml(value)}" for key, value in fixed.items()]
        none = [f'{key} = "none"' for key, value in design.settings.items() if value is None]
        head, rest = TEXT.split("[design]")
        rest = rest[rest.index("[estimate]") :]
        body = "\n".join([*lines, *none, "within = []"])
        body += "" if "model" in fixed else '\nmodel = "logit"\nfolds = 1'
        rest = rest[: rest.index('[[sensitivity]]\nname = "within')]
        path = tmp_path / f"{method}.toml"
        path.write_text(f"{head}[design]\n{body}\n\n{rest}", encoding="utf-8")
        effects = tf.estimate(design, outcomes, months=12, errors="cluster",
                              cluster="local_authority", plan=tf.read_plan(path))  # fmt: skip
        assert all(planned(effects).values()), (method, departures(effects))


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return (
        f'"{value}"'
        if isinstance(value, str)
        else repr(list(value) if isinstance(value, tuple) else value)
    )
