"""The plan of the areas carried out: numbers beside those made in plain pandas and statsmodels."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import tfeval as tf
from tfeval.impact.plan.areas import MOVED, NOT_ANSWERABLE, NOTHING_FOUND, held_equal
from tfeval.money.could_know import cost_of_a_family
from tfeval.report.chapters import objections, over_time
from tfeval.settings import project_folder

DATA = project_folder("data")
PLAN = tomllib.loads((DATA / "area_analysis_plan.toml").read_text("utf-8"))
FIRST = PLAN["outcomes"]["first_rank"]


@pytest.fixture(scope="module")
def found():
    return tf.area_analysis()


@pytest.fixture(scope="module")
def plain():
    """Published tables put together without the package, but for the targets."""
    years = pd.read_csv(DATA / "published" / "area_years.csv")
    facts = pd.read_csv(DATA / "published" / "area_facts.csv")[["code", "deprivation_2010"]]
    names = pd.read_csv(DATA / "published" / "local_authorities.csv")[["code", "name", "region"]]
    rows = years.merge(facts, on="code").merge(names, on="code")
    rows = rows[~rows["name"].isin(["City of London", "Isles of Scilly"])]
    targets = tf.final_claims()[["code", "targeted"]]
    children = years.loc[years["year"] == 2012, ["code", "children"]]
    rows = rows.drop(columns="children").merge(targets, on="code").merge(children, on="code")
    return rows.assign(dose=rows["targeted"] / rows["children"] * 10_000 / 10)


def by_dummies(plain, outcome, *, deprived=True):
    """Return the mean of the post coefficients, from a regression on dummies."""
    told = PLAN["windows"][outcome]
    years = [*told["pre"], *told["partly_treated"], *told["post"], *told["later"]]
    rows = plain[plain["year"].isin(years)].dropna(subset=[outcome, "dose"]).copy()
    terms = []
    for year in years:
        if year != told["base"]:
            rows[f"d{year}"] = rows["dose"] * (rows["year"] == year)
            terms.append(f"d{year}")
            if deprived:
                rows[f"x{year}"] = rows["deprivation_2010"] * (rows["year"] == year)
                terms.append(f"x{year}")
    model = smf.ols(f"{outcome} ~ {' + '.join(terms)} + C(code) + C(year)", rows).fit()
    return np.mean([model.params[f"d{year}"] for year in told["post"]]), rows


@pytest.mark.parametrize("outcome", FIRST)
def test_the_main_estimate_is_a_regression_on_dummies(found, plain, outcome):
    expected, rows = by_dummies(plain, outcome)
    row = found.answers.set_index("outcome").loc[outcome]
    assert row["estimate"] == pytest.approx(expected, rel=1e-7, abs=1e-10)
    assert (row["cells"], row["units"]) == (len(rows), rows["code"].nunique())


def test_so_is_the_naive_one(found, plain):
    expected, _ = by_dummies(plain, "claimant_rate", deprived=False)
    rows = found.summaries.set_index(["outcome", "analysis"])["estimate"]
    assert rows["claimant_rate", "naive"] == pytest.approx(expected, rel=1e-7)


def test_every_analysis_of_the_plan_is_there_and_none_besides(found):
    planned = {"main", "naive", "selection", "completed", "grant"}
    planned |= {one["name"] for one in PLAN["sensitivity"]}
    everywhere = planned - {"long trend", "one population"}
    for outcome, rows in found.summaries.groupby("outcome"):
        own = set(everywhere)
        own |= {"long trend"} if outcome == "claimant_rate" else set()
        own |= {"one population"} if outcome == "looked_after_rate" else set()
        own |= {"suppressed_1", "suppressed_2"} if outcome in PLAN["suppressed"] else set()
        assert set(rows["analysis"]) == own
    assert found.regions.groupby("outcome")["left_out"].nunique().eq(9).all()
    assert list(found.answers["outcome"]) == FIRST


def test_the_rule_of_a_finding_is_the_plans(found):
    for row in found.answers.to_dict("records"):
        holds = {
            "pre_trend": row["pre_p"] >= 0.10,
            "adjusted_p": row["holm_p"] < 0.05,
            "randomisation_p": row["randomisation_p"] < 0.05,
            "same_sign": row["same_sign"],
            "bounds": row["breakdown"] >= 1.0,
        }
        assert set(row["failed"]) == {name for name, good in holds.items() if not good}
        wanted = MOVED if all(holds.values()) else NOTHING_FOUND
        assert row["answer"] == (wanted if holds["pre_trend"] else NOT_ANSWERABLE)
    ranked = found.answers["p_value"].sort_values()
    stepped = np.minimum(1, np.maximum.accumulate(ranked * np.arange(len(ranked), 0, -1)))
    np.testing.assert_allclose(found.answers.loc[ranked.index, "holm_p"], stepped)


def test_signs_are_those_of_regions_weights_and_completed_targets(found):
    kept = found.summaries[found.summaries["analysis"].isin(["selection", "completed"])]
    for row in found.answers.to_dict("records"):
        others = pd.concat([
            part.loc[part["outcome"] == row["outcome"], "estimate"]
            for part in (kept, found.regions)
        ])  # fmt: skip
        assert row["same_sign"] == bool((np.sign(others) == np.sign(row["estimate"])).all())


def test_weights_for_selection_bring_known_targets_nearer_to_all(found):
    rows = found.selection
    before, after = ((rows[name] - rows["all"]).abs().mean() for name in ("known", "weighted"))
    assert after < before / 2
    assert rows["least_chance"].iloc[0] > 1 / PLAN["selection"]["trim"]  # nothing was trimmed


def test_suppressed_cells_are_one_or_two_and_the_main_estimate_leaves_them_out(found):
    panel = tf.area_panel()
    gone = np.isnan(panel.outcome("permanent_exclusion_rate"))
    one, two = (panel.outcome(f"permanent_exclusion_rate_{number}")[gone] for number in (1, 2))
    filled = np.isfinite(one)
    assert filled.sum() > 20
    np.testing.assert_allclose(two[filled], 2 * one[filled])


# What is said of a benchmark.


def answer(found, **changed):
    rows = found.answers.assign(**{name: [value] * len(found.answers)
                                   for name, value in changed.items()})  # fmt: skip
    return rows.iloc[-1].to_dict()


@pytest.mark.parametrize(
    ("changed", "value", "said"),
    [
        ({"mean_dose": 10.0, "level": 5.0}, -1.0, over_time.MORE_THAN_ALL),
        ({"answer": NOT_ANSWERABLE}, -1.0, over_time.NOT_TOLD),
        ({"conf_low": -2.0, "detectable": 1.5}, -1.0, over_time.TOO_SMALL),
        ({"conf_low": -2.0, "detectable": 0.5}, -1.0, over_time.NOT_RULED_OUT),
        ({"conf_low": -0.5}, -1.0, over_time.IF_PARALLEL),
        ({"conf_low": -0.5}, -5.0, over_time.RULED_OUT),
    ],
)
def test_what_an_interval_says_of_a_claim(found, changed, value, said):
    row = answer(found, **{"mean_dose": 10.0, "level": 60.0, "answer": NOTHING_FOUND, **changed})
    assert over_time.ruling(found, row, value) == said


def test_the_headline_follows_the_answers(found):
    assert "none is shown to have moved" in over_time.headline(found)
    moved = replace(found, answers=found.answers.assign(answer=MOVED))
    assert "children looked after moved with the programme" in over_time.headline(moved)
    assert "Not published" in over_time.headline(found, "two")


def test_another_phases_page_says_so(found):
    for shows in (over_time.verdict_table, over_time.rulings_table, over_time.naive_table,
                  objections.objections_table, objections.thirds_table):  # fmt: skip
        assert "phase one" in shows(found, phase="two").text().lower()
        assert "Change" not in shows(found, phase="two").text()


def test_what_would_repay_the_cost_is_the_cost_over_the_price(found):
    scenario = tf.Assumptions(price_year=2014)
    rows = over_time.benchmarks(found, scenario).set_index("outcome")
    care = tf.unit_costs(2014).query("outcome == 'looked_after'").iloc[0]
    # The amount is the share that is its own already.
    a_family = -rows.loc["looked_after_rate", "break_even"] / 10 * care["amount"] * 365
    assert a_family == pytest.approx(cost_of_a_family("central", scenario))
    assert rows["break_even"].isna().sum() == 2


def test_each_objection_has_a_number_for_each_outcome(found):
    table = objections.objections_table(found)
    text = table.text()
    for words in ("Deprivation", "Austerity", "Other reforms", "dose", "outcomes", "window",
                  "Few authorities", "Spatial", "Known targets", "Many tests"):  # fmt: skip
        assert words in text
    assert "nan" not in text.lower().split()
    # One more covariate, by another way than the plan's own analysis of it.
    squared = found.areas.fixed.set_axis(found.areas.units)["deprivation_2010 squared"]
    curved = found.summaries[found.summaries["analysis"] == "deprivation, curved"]
    made = held_equal(found, squared).set_index("outcome")
    assert made["estimate"].to_dict() == pytest.approx(
        curved.set_index("outcome")["estimate"].to_dict()
    )
    count, correlation = objections.dose_and_cuts(found)
    assert 85 <= count <= len(found.areas.fixed["target_rate"].dropna())
    assert -1 < correlation < 1
