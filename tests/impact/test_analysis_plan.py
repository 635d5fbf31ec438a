"""A plan before the outcomes: what it may say, its hash, and what departs from it."""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import tomllib

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.cohort.analysis_table import HORIZONS
from tfeval.cohort.cohort import cohort
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import COLUMNS, Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.matching.match import match
from tfeval.impact.plan import analysis_plan
from tfeval.impact.plan.analysis_plan import FILE, content_hash, read_plan
from tfeval.impact.plan.rules import plan_faults
from tfeval.impact.study.study import study
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.records.simulate import simulate
from tfeval.settings import project_folder

TEXT = (project_folder("data") / FILE).read_text(encoding="utf-8")


@pytest.fixture
def content():
    return tomllib.loads(TEXT)


@pytest.fixture(scope="module")
def plan():
    return read_plan()


@pytest.fixture(scope="module")
def records():
    return simulate(families=3000, seed=5).records


@pytest.fixture(scope="module")
def not_yet_treated(records):
    return cohort(records, phase="one", horizon=(6, 12), comparison="not_yet_treated")


@pytest.fixture(scope="module")
def effects(not_yet_treated, plan):
    return estimate(match(study(not_yet_treated), order="random"), not_yet_treated, plan=plan)


def written(folder, text):
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- the file -----------------------------------------------------------------------------------


def test_the_project_s_plan_is_without_fault(plan, content):
    assert plan_faults(content) == []
    assert inspect.unwrap(tf.read_plan) is read_plan
    assert plan.horizons == (12, 18) and plan.main.cohort["comparison"] == "not_yet_treated"
    assert plan.correction == {"method": "romano_wolf", "family": "primary_by_horizon"}
    assert not set(plan.primary) & set(plan.secondary)


def test_every_outcome_of_a_cohort_can_be_planned_and_no_other(not_yet_treated):
    names = list(not_yet_treated.outcomes(12))
    assert sorted(names) == sorted(row.name for row in cohort_outcomes())


FAULTS = {
    ("title = ", "titel = "): "titel is not part of a plan. Did you mean title?",
    ('version = "1.2"', "version = 1.2"): "version should be a text.",
    ("date = 2026-11-29", 'date = "2026-11-29"'): "date should be a date such as",
    ("date = 2026-11-29", "date = 2026-11-29T10:00:00"): "date should be a date such as",
    ('phase = "one"', 'phase = "three"'): "cohort.phase should be one of one, two, sup",
    ('comparison = "not_yet_treated"', 'comparison = "wating"'): "Did you mean waiting?",
    ('level = "family"', 'levle = "family"'): "cohort.levle is unknown. Did you mean level?",
    ('level = "family"', ""): "cohort.level is missing.",
    ('"offences", "asb', '"offenses", "asb'): "offenses is not. Did you mean offences?",
    ('"offences", "asb', '"offences", "offences", "asb'): "a list without repeats",
    ('  "custody",', '  "custody",\n  "offences",'): "offences is a primary and a secondary",
    ("horizons = [12, 18]", "horizons = [12, 13]"): "13 is not. Known: 12, 18, 24, 6.",
    ("horizons = [12, 18]", "horizons = 12"): "outcomes.horizons should be a list",
    ("horizons = [12, 18]", "horizons = []"): "a list of at least 1",
    ('use = "all measured before"', 'use = "all"'): '"all measured before", or a list of columns',
    ("caliper = 0.2", "calliper = 0.2"): "takes no calliper. Did you mean caliper?",
    ("caliper = 0.2", "caliper = -0.2"): "The width of caliper is a number above 0",
    ("caliper = 0.2", 'caliper = "narrow"'): "design.caliper should be a number",
    ("replace = false", 'replace = "no"'): "design.replace should be true or false.",
    ("ratio = 1", "ratio = 0"): "ratio is a whole number of at least 1",
    ("ratio = 1", "ratio = true"): "design.ratio should be a whole number.",
    ('order = "random"', 'order = "rendom"'): "Did you mean random?",
    ('method = "nearest"', 'method = "nearst"'): "Did you mean nearest?",
    ('method = "nearest"', 'method = "kernel"'): "kernel matching takes no",
    ('model = "logit"', 'model = "probit"'): "design.model should be one of logit.",
    ("calipers = {}", 'calipers = {age = "x"}'): "The width of age is a number above 0",
    ('method = "adjusted"', 'method = "ajusted"'): "Did you mean adjusted?",
    ('outcome_model = "linear"', 'outcome_model = "probit"'): "estimate.outcome_model should be",
    ('errors = "cluster"', 'errors = "two_way"'): "goes with 2 columns in estimate.cluster",
    ("level = 0.95", "level = 95"): "estimate.level should be a number from 0.5 to below 1.",
    ('method = "romano_wolf"', 'method = "romano"'): "Did you mean romano_wolf?",
    ('family = "primary_by_horizon"', 'family = "all"'): "correction.family should be one of prim",
    ("fewest = 10", "fewest = 0"): "covariates.fewest should be a whole number of at least 1.",
    ("design = { caliper = 0.1 }", "covariates = { fewest = 9 }"): "that of the main analysis",
    ("design = { caliper = 0.1 }", "design = { calipper = 0.1 }"): '("narrow caliper"): design',
    ("design = { caliper = 0.1 }", "design = 0.1"): "design is a table, such as",
    ("design = { caliper = 0.1 }", ""): "it changes nothing",
    ('name = "Holm"', 'name = "narrow caliper"'): "its name is another's too.",
    ('name = "Holm"\nwhy = "A', 'name = "Holm"\nwhat = "A'): "what is unknown.",
    ("[correction]", "[corrections]"): "The section [correction] is missing.",
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FAULTS.items(), ids=lambda item: str(item)[:40])
def test_what_a_plan_may_not_say_is_named(tmp_path, change, message):
    before, after = change
    assert before in TEXT
    path = written(tmp_path, TEXT.replace(before, after, 1))
    with pytest.raises(ParameterError, match=r"^plan\.toml: ") as caught:
        read_plan(path)
    assert message in str(caught.value)


def test_all_faults_are_found_at_once_and_each_said_once(content):
    content["cohort"]["phase"] = "three"
    content["design"]["ratio"] = 0
    del content["version"]
    faults = plan_faults(content)
    assert len(faults) == 3  # and not again for each sensitivity analysis


def test_a_file_that_is_not_there_or_no_toml(tmp_path):
    with pytest.raises(ParameterError, match=r"There is no plan .*absent\.toml: name a TOML file"):
        read_plan(tmp_path / "absent.toml")
    with pytest.raises(ParameterError, match=r"plan\.toml is not TOML"):
        read_plan(written(tmp_path, "title = "))
    assert read_plan("project").hash == read_plan().hash


def test_a_file_is_named_from_where_the_report_was_started(tmp_path, monkeypatch):
    written(tmp_path, TEXT)
    monkeypatch.setenv("TFEVAL_STARTED_IN", str(tmp_path))
    assert read_plan("plan.toml").hash == read_plan().hash


# --- the hash -----------------------------------------------------------------------------------


def test_the_hash_can_be_had_without_this_package():
    content = {"b": {"y": 0.2, "x": [2, 1]}, "a": "t", "c": True}
    plain = '{"a":"t","b":{"x":[2,1],"y":0.2},"c":true}'
    assert content_hash(content) == hashlib.sha256(plain.encode()).hexdigest()
    assert json.loads(plain) == content


REWRITTEN = {
    "comments": lambda t: "\n".join(line for line in t.splitlines() if not line.startswith("#")),
    "spaces": lambda t: t.replace(" = ", "   =  ").replace("\n\n", "\n\n\n"),
    "windows": lambda t: t.replace("\n", "\r\n"),
    "key order": lambda t: t.replace(
        'phase = "one"\nlevel = "family"', 'level = "family"\nphase = "one"'
    ),
    "outcome order": lambda t: t.replace('"absence", "offences"', '"offences", "absence"'),
    "horizon order": lambda t: t.replace("[12, 18]", "[18, 12]"),
    "number": lambda t: t.replace("caliper = 0.2", "caliper = 2e-1"),
    "broken lines": lambda t: t.replace("followed over the horizon", "followed\nover the horizon"),
    "section order": lambda t: t.replace(
        '[covariates]\nuse = "all measured before"  # or a list of columns\nfewest = 10', ""
    ) + '\n[covariates]\nfewest = 10\nuse = "all measured before"\n',
}  # fmt: skip


@pytest.mark.parametrize("how", REWRITTEN)
def test_the_hash_is_the_same_however_the_same_is_written(tmp_path, plan, how):
    text = REWRITTEN[how](TEXT)
    assert text != TEXT
    assert read_plan(written(tmp_path, text)).hash == plan.hash


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, "more"]
    return f"{value} more" if isinstance(value, str) else value.replace(year=2030)


PATHS = [path for path in leaves(tomllib.loads(TEXT)) if path != ("design", "calipers")]


def test_the_paths_reach_everything():
    assert len(PATHS) > 45 and ("design", "caliper") in PATHS
    assert ("sensitivity", 4, "design", "caliper") in PATHS


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_the_hash_changes_with_every_value_and_every_key(content, plan, path):
    assert content_hash(content) == plan.hash
    inner = content
    for name in path[:-1]:
        inner = inner[name]
    without = copy.deepcopy(inner[path[-1]])
    inner[path[-1]] = changed(without)
    assert content_hash(content) != plan.hash
    del inner[path[-1]]
    assert content_hash(content) != plan.hash


# --- what departs -------------------------------------------------------------------------------

DEPARTURES = [
    ({"outcome": "offences", "months": 12}, None),
    ({"outcome": "offences", "months": 18}, None),
    ({"outcome": "offences", "months": 24}, "months: 24, where 12 or 18 were planned"),
    ({"outcome": "offences_12", "months": 12}, "outcome: not among those planned"),
    ({"outcome": "sessions_possible"}, "outcome: not among those planned"),
    ({"outcome": "happiness"}, "outcome: not among those planned"),
    ({"months": 6}, "months: 6, where 12 or 18 were planned"),
    ({"comparison": "not_yet_treated"}, None),
    ({"comparison": "waiting"}, None),  # a sensitivity analysis
    ({"comparison": "below_threshold"}, "comparison group: below_threshold, where not_yet"),
    ({"design": {"caliper": 0.2, "ratio": 1, "seed": 1}}, None),
    ({"design": {"caliper": 0.1}}, None),  # a sensitivity analysis
    ({"design": {"caliper": 0.5}}, "caliper: 0.5, where 0.2 was planned"),
    ({"design": {"caliper": None}}, "caliper: none, where 0.2 was planned"),
    ({"design": {"replace": True}}, "replace: yes, where no was planned"),
    ({"design": {"ratio": True}}, "ratio: yes, where 1 was planned"),
    ({"design": {"seed": 2}}, "seed: 2, where 1 was planned"),
    ({"design": {"ties": "first"}}, None),  # without replacement there is nothing to share
    ({"design": {"model": "logit"}}, None),
    ({"design": {"model": "random forest"}}, "model: random forest, where logit was planned"),
    ({"design": {"within": ["local_authority"]}}, None),  # a sensitivity analysis
    ({"design": {"within": "region"}}, "within: region, where none was planned"),
    ({"design": {"method": "full"}}, "design: full, where nearest was planned"),
    ({"design": {"bandwidth": 0.1}}, "bandwidth: 0.1, which nearest has not"),
    ({"method": "adjusted"}, None),
    ({"method": "adjusted", "outcome_model": "linear"}, None),
    ({"method": "adjusted", "outcome_model": "logistic"}, "estimator: regression"),
    ({"method": "difference"}, None),  # a sensitivity analysis
    ({"method": "doubly_robust"}, "estimator: doubly robust (augmented weighting), where reg"),
    ({"errors": "cluster"}, None),
    ({"errors": "cluster", "cluster": "local_authority"}, None),
    ({"errors": "cluster", "cluster": "family"}, "errors: clustered by family, where clustered"),
    ({"errors": "robust"}, "errors: robust to unequal variances (HC1), where clustered"),
    ({"cluster": "local_authority"}, None),
    ({"cluster": ("family",)}, "clusters: family, where local_authority was planned"),
    ({"level": 0.95}, None),
    ({"level": 0.9}, "level of the intervals: 0.9, where 0.95 was planned"),
    ({"correction": "holm"}, None),  # a sensitivity analysis
    ({"correction": "none"}, "correction: none, where romano_wolf was planned"),
    ({"phase": "two"}, "phase: two, where one was planned"),
    ({"rows": "person"}, "rows of the cohort: person, where family was planned"),
    ({"cohort_seed": 2}, "seed of the cohort: 2, where 1 was planned"),
    ({"population": "Sefton"}, "population: Sefton, where all was planned"),
    ({"outcome_model": "logistic"}, "outcome model: logistic, where linear was planned"),
    ({"covariates": "all measured before"}, None),
    ({"covariates": ["age"]}, "covariates: age, where all measured before was planned"),
]  # fmt: skip


@pytest.mark.parametrize(("done", "message"), DEPARTURES, ids=str)
def test_a_departure_is_said_in_words(plan, done, message):
    found = plan.covers(**done)
    assert len(found) == (message is not None)
    assert message is None or found[0].startswith(message)


def test_two_sensitivity_analyses_at_once_are_none(plan):
    assert plan.covers(comparison="waiting", method="difference") == [
        "comparison group: waiting, where not_yet_treated was planned",
        "estimator: difference of weighted means, where regression-adjusted (g-computation) was "
        "planned",
    ]


def test_all_departures_are_said(plan):
    found = plan.covers(outcome="custody", months=6, design={"caliper": 1, "ratio": 2}, level=0.9)
    assert [line.split(":")[0] for line in found] == [
        "months", "level of the intervals", "caliper", "ratio"]  # fmt: skip


@pytest.mark.parametrize("done", [{"comparision": "not_yet_treated"}, {"design": {"calliper": 1}}])
def test_what_a_plan_does_not_speak_of_is_refused(plan, done):
    with pytest.raises(ParameterError, match=r"The plan says nothing about .*Did you mean"):
        plan.covers(**done)


def test_roles(plan):
    assert plan.role("offences") == "primary"
    assert plan.role("custody") == "secondary"
    assert plan.role("sessions_possible") == plan.role("age") == "exploratory"


def test_a_plan_of_other_covariates_and_of_another_design(tmp_path):
    text = TEXT.replace('use = "all measured before"', 'use = ["people", "children"]')
    text = text.replace("design = { caliper = 0.1 }", 'design = { method = "full" }')
    held = read_plan(written(tmp_path, text))
    assert not held.covers(covariates=["children", "people"])
    assert held.covers(covariates=["people"]) == [
        "covariates: people, where people, children was planned"
    ]
    full = held.sensitivity["narrow caliper"].design
    assert full["method"] == "full" and "ratio" not in full and full["caliper"] == 0.2
    assert not held.covers(design={"method": "full"})


# --- marks --------------------------------------------------------------------------------------


def planned_of(effects):
    return effects.frame.set_index("outcome")["planned"].to_dict()


def test_estimates_by_the_plan_are_planned_and_the_others_exploratory(effects, plan):
    assert set(effects.frame["months"]) == {6, 12}
    for row in effects.frame.to_dict("records"):
        asked = row["outcome"] in (*plan.primary, *plan.secondary)
        assert row["planned"] == (asked and row["months"] in plan.horizons), row["outcome"]
    assert effects.frame["planned"].dtype == "boolean"
    assert effects.settings["plan"]["sha256"] == plan.hash
    notes = " ".join(effects.notes)
    assert plan.short_hash in notes
    assert "offences at 6 months" in notes and "offences at 12 months" not in notes


def test_marking_changes_nothing_else(not_yet_treated, plan):
    design = match(study(not_yet_treated), order="random")
    plain = estimate(design, not_yet_treated, months=12)
    before = plain.to_frame()
    marked = plan.mark(plain)
    pd.testing.assert_frame_equal(plain.frame, before)
    pd.testing.assert_frame_equal(
        marked.frame.drop(columns=["planned", "role"]), before.drop(columns="planned")
    )
    assert marked.frame["role"].tolist() == [plan.role(name) for name in before["outcome"]]
    assert marked.notes[: len(plain.notes)] == plain.notes
    assert plain.frame["planned"].isna().all() and "plan" not in plain.settings
    again = plan.mark(marked)
    assert again.notes == marked.notes


@pytest.mark.parametrize(
    ("of_design", "of_estimate", "reason"),
    [
        ({"order": "largest"}, {}, "order: largest, where random was planned"),
        ({"caliper": 0.3}, {}, "caliper: 0.3, where 0.2 was planned"),
        ({"seed": 7}, {}, "seed: 7, where 1 was planned"),
        ({"folds": 3}, {}, "folds: 3, where 1 was planned"),
        ({"support": "both"}, {}, "support: both, where none was planned"),
        ({"distance": "probability"}, {}, "distance: probability, where linear was planned"),
        ({}, {"method": "covariance_adjusted"}, "estimator: analysis of covariance"),
        ({}, {"errors": "robust"}, "errors: robust to unequal variances"),
        ({}, {"level": 0.8}, "level of the intervals: 0.8"),
    ],
)
def test_each_choice_of_another_makes_all_exploratory(
    not_yet_treated, plan, of_design, of_estimate, reason
):
    design = match(study(not_yet_treated), **{"order": "random", **of_design})
    marked = estimate(design, not_yet_treated, months=12, plan=plan, **of_estimate)
    assert not marked.frame["planned"].any()
    assert any(f"all effects here ({reason}" in note for note in marked.notes)


def test_another_model_of_being_treated_is_seen(not_yet_treated, plan):
    from sklearn.naive_bayes import GaussianNB

    design = match(study(not_yet_treated), order="random", model=GaussianNB(), folds=1)
    marked = plan.mark(estimate(design, not_yet_treated, months=12))
    assert not marked.frame["planned"].any()
    assert "where logit was planned" in " ".join(marked.notes)


def test_other_covariates_are_seen(not_yet_treated, plan):
    names = not_yet_treated.covariates
    design = match(study(not_yet_treated, covariates=names[1:]), order="random")
    marked = estimate(design, not_yet_treated, months=12, plan=plan)
    assert not marked.frame["planned"].any()
    assert f"planned and not used, {names[0]}" in " ".join(marked.notes)
    frame = not_yet_treated.to_pandas()
    frame["own"] = np.arange(len(frame)) % 7
    added = study(frame, covariates=[*names, "own"], cluster="local_authority", unit="unit",
                  family="family_id", fewest=10)  # fmt: skip
    marked = estimate(match(added, order="random"), not_yet_treated, months=12, plan=plan)
    assert "covariates: not planned, own" in " ".join(marked.notes)


def test_a_frame_from_a_cohort_is_known_and_a_part_of_it_is_seen(not_yet_treated, plan):
    roles = {"covariates": not_yet_treated.covariates, "cluster": "local_authority", "unit": "unit",
             "family": "family_id", "fewest": 10}  # fmt: skip
    frame = not_yet_treated.to_pandas()
    outcomes = not_yet_treated.outcomes(12)[["offences"]]
    whole = estimate(match(study(frame, **roles), order="random"), outcomes, plan=plan)
    assert whole.frame["planned"].tolist() == [True]
    part = frame[frame["local_authority"] != frame["local_authority"].iloc[0]]
    made = estimate(match(study(part, **roles), order="random"), outcomes, plan=plan)
    assert made.frame["planned"].tolist() == [False]
    assert "units of the cohort were left out before the design" in " ".join(made.notes)


def test_what_cannot_be_known_is_not_planned(plan):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"age": rng.normal(size=400), "local_authority": np.arange(400) % 20})
    frame["treated"] = rng.random(400) < 0.3
    frame["offences"] = rng.poisson(1.0, 400)
    made = study(frame, covariates=["age"], cluster="local_authority")
    marked = estimate(match(made, order="random"), frame["offences"], plan=plan)
    notes = " ".join(marked.notes)
    assert not marked.frame["planned"].any()
    assert "comparison group: not known, where not_yet_treated was planned" in notes
    assert "months: not known" in notes and "covariates: not known whether" in notes


def test_a_sensitivity_analysis_is_planned_and_named(records, plan):
    other = cohort(records, phase="one", horizon=12, comparison="waiting")
    marked = estimate(match(study(other), order="random"), other, plan=plan)
    assert planned_of(marked)["offences"]
    assert not planned_of(marked)["sessions_possible"]
    assert 'Planned as sensitivity analysis "families that waited": ' in " ".join(marked.notes)
    two = estimate(match(study(other), order="random"), other, method="difference", plan=plan)
    assert not two.frame["planned"].any()


def test_matching_within_authorities_is_seen(not_yet_treated, plan):
    within = match(study(not_yet_treated, strata="local_authority"), order="random")
    assert planned_of(estimate(within, not_yet_treated, months=12, plan=plan))["offences"]
    note = 'sensitivity analysis "within authorities"'
    assert note in " ".join(estimate(within, not_yet_treated, months=12, plan=plan).notes)


def test_a_subgroup_is_exploratory(not_yet_treated, plan):
    frame = not_yet_treated.to_pandas()
    by = pd.Series(np.where(frame["children"] > 2, "many", "few"), index=frame.index)
    design = match(study(not_yet_treated), order="random")
    marked = estimate(design, not_yet_treated.outcomes(12)[["offences"]], by=by, plan=plan)
    assert len(marked.frame) == 2 and not marked.frame["planned"].any()
    assert "population: many, where all was planned" in " ".join(marked.notes)


def test_planned_primary_outcomes_that_are_not_shown_are_named(not_yet_treated, plan):
    design = match(study(not_yet_treated), order="random")
    outcomes = not_yet_treated.outcomes(12)[["offences", "custody"]]
    marked = estimate(design, outcomes, plan=plan)
    assert marked.notes[-1] == (
        "Planned primary outcomes that are not here: absence at 12 months, asb incidents at 12 "
        "months, out of work at 12 months."
    )


def test_a_correction_is_held_to_the_plan(effects, plan):
    from dataclasses import replace

    for method, which in (("romano_wolf", ""), ("holm", '"Holm"'), ("benjamini_hochberg", "(corr")):
        settings = {**effects.settings, "correction": {"method": method, "family": ()}}
        marked = plan.mark(replace(effects, settings=settings))
        found = planned_of(marked.select(months=12))
        assert found["offences"] == (method != "benjamini_hochberg")
        assert which in " ".join(marked.notes)


def test_a_table_without_settings_is_not_planned_and_does_not_break(plan):
    row = dict.fromkeys(COLUMNS, np.nan) | {"outcome": "offences", "population": "all",
                                            "months": 12, "method": "?", "errors": "?"}  # fmt: skip
    marked = plan.mark(Effects(pd.DataFrame([row]), np.zeros((1, 1))))
    assert marked.frame["planned"].tolist() == [False]


# --- what a notebook is told --------------------------------------------------------------------


def test_reading_and_marking_leave_word_in_a_notebook(monkeypatch, effects):
    told = []
    monkeypatch.setattr(
        analysis_plan, "show_plan", lambda content, text: told.append((content, text))
    )
    plan = read_plan()
    plan.mark(effects)
    (first, line), (second, summary) = told
    assert first == plan.as_dict() and first["sha256"] == plan.hash
    assert line == f"Analysis plan: {plan.title}, version 1.2, SHA-256 {plan.hash[:12]}"
    assert set(second) == {*first, "planned", "sensitivity", "exploratory", "reasons", "absent",
                           "standing", "table"}  # fmt: skip
    asked = len(plan.primary) + len(plan.secondary)
    assert len(second["planned"]) == asked and f"{asked} of {len(effects.frame)} effects" in summary
    assert json.loads(json.dumps(second)) == second


def test_horizons_are_those_of_a_cohort():
    assert set(read_plan().horizons) <= set(HORIZONS)
