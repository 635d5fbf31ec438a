"""The plan of the areas: registered as it stands, and true to the data that it names."""

from __future__ import annotations

import datetime
import json
import re
import tomllib

import pytest

from tfeval.impact.plan.analysis_plan import content_hash
from tfeval.impact.plan.register import register_beside, registration_of
from tfeval.programme.areas import area_measures, area_statistics, doses
from tfeval.programme.published import figure, published
from tfeval.settings import project_folder

FILE = project_folder("data") / "area_analysis_plan.toml"
PAGE = project_folder("notebooks").parent / "docs" / "area_plan.md"
PLAN = tomllib.loads(FILE.read_text(encoding="utf-8"))
FIRST = PLAN["outcomes"]["first_rank"]


def test_the_plan_is_registered_as_it_stands():
    said = registration_of(content_hash(PLAN), register_beside(FILE))
    assert said.good
    assert (said.version, said.date) == (PLAN["version"], PLAN["date"].isoformat())
    text = register_beside(FILE).read_text(encoding="utf-8")
    line = json.loads(text.splitlines()[said.line - 1])
    assert datetime.date.fromisoformat(line["registered"][:10]) >= PLAN["date"]
    assert f"version {PLAN['version']} of {PLAN['date']:%-d %B %Y}" in PAGE.read_text("utf-8")


def test_one_choice_changed_and_it_is_not_registered():
    for section, key, value in (
        ("finding", "pre_trend", 0.05),
        ("doses", "main", "grant_per_child"),
        ("covariates", "by_year", []),
    ):
        changed = {**PLAN, section: {**PLAN[section], key: value}}
        assert not registration_of(content_hash(changed), register_beside(FILE)).good


def test_outcomes_doses_and_covariates_are_there_with_their_ranks():
    told = area_measures().set_index("measure")
    outcomes = told[told["role"] == "outcome"]
    assert outcomes.index[outcomes["rank"] == "first"].tolist() == FIRST
    assert set(PLAN["outcomes"]["second_rank"]) == set(outcomes.index[outcomes["rank"] == "second"])
    names = set(doses().columns)
    assert {PLAN["doses"]["main"], *PLAN["doses"]["sensitivity"]} <= names
    sets = [PLAN["covariates"], *(one["covariates"] for one in PLAN["sensitivity"]
                                  if "covariates" in one)]  # fmt: skip
    for name in {name.split()[0] for one in sets for name in one["by_year"]} - {"region"}:
        assert told.loc[name, "role"] == "covariate"
        assert told.loc[name, "last_year"] <= 2011  # known before the programme


@pytest.mark.parametrize("outcome", FIRST)
def test_windows_end_before_the_first_treated_year_and_have_values(outcome):
    windows = PLAN["windows"][outcome]
    told = area_measures().set_index("measure").loc[outcome]
    assert windows["base"] == windows["pre"][-1] == told["first_treated"] - 1
    treated = sorted([*windows["partly_treated"], *windows["post"]])
    assert treated == list(range(int(told["first_treated"]), 2016))
    years = [*windows["pre"], *treated, *windows["later"]]
    assert years == list(range(years[0], years[-1] + 1))
    assert windows["year_means"].split()[0] in told["year_means"].lower()
    seen = area_statistics([outcome], years)
    assert sorted(seen["year"].unique()) == years
    assert seen.groupby("year")["value"].count().min() >= 140


def test_numbers_of_authorities_are_those_of_the_doses():
    rows = doses()
    kept = rows[~rows["name"].isin(PLAN["unit"]["excluded"])]
    assert len(kept) == 150
    assert kept["target"].notna().sum() == 92
    assert kept["target_rate"].min() == pytest.approx(42, abs=0.5)
    assert "92 of the 150 authorities" in " ".join(PLAN["doses"]["why"].split())


def test_benchmarks_follow_from_published_figures_and_the_assumptions_named():
    told = PLAN["benchmarks"]
    families, children = PLAN["doses"]["scale"], told["children_per_family"]
    wide = area_statistics(["pupils", "children"], [2012], wide=True)
    pupils = wide["pupils"].sum() / wide["children"].sum()
    assert told["pupils_per_child"] == pytest.approx(pupils, abs=5e-5)
    per_pupil = -100 * families / (10_000 * pupils)
    asked = figure("results_definitions", "fixed_exclusions_below").value
    work = figure("progress_national", "continuous_employment", as_of="2015-02").value
    all_claims = figure("progress_national", "turned_around", as_of="2015-02").value
    assert (work, all_claims) == (10_508, 105_671)
    per_adult = -100 * families / (10_000 * told["residents_16_64_per_child"])
    costs = published("unit_costs")
    care = costs[(costs["outcome"] == "looked_after") & (costs["figure"] == "unit_cost")]
    saving = figure("benefits_claim_2015", "gross_benefit_per_family").low
    claim = {
        "persistent_absence": children * per_pupil,
        "fixed_exclusion_rate": asked * per_pupil,
        "permanent_exclusion_rate": per_pupil,
        "claimant_rate": work / all_claims * per_adult,
        "looked_after_rate": -families * saving / care["value"].iloc[0],
    }
    found = published("evaluation_outcomes").query("evaluation == '2019 phase two'")

    def effect(outcome: str) -> float:
        return found[found["outcome"] == outcome]["value"].dropna().iloc[0] / 100

    later = {
        "looked_after_rate": families * children * effect("looked after child"),
        "claimant_rate": -per_adult * told["adults_per_family"]
        * effect("claiming Jobseeker's Allowance"),
    }  # fmt: skip
    for name, values in (("claim_2015", claim), ("found_2019", later)):
        said = {key: value for key, value in told[name].items() if key != "why"}
        assert said.keys() == values.keys()
        for key, value in said.items():
            digits = len(re.search(r"\.(\d+)", f"{value}")[1])
            assert value == pytest.approx(values[key], abs=0.5001 * 10**-digits), key


def test_what_others_had_seen_is_in_the_plan():
    looks = {one["look"]: one for one in PLAN["seen"]}
    assert (looks["first"]["tests"], looks["second"]["tests"]) == (24, 10)
    for one in looks.values():
        assert len(one["what"].split()) > 40
