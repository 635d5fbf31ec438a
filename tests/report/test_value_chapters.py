"""Chapters 4, 7 and 8 from records made by hand: sums worked out beside, and what must not leak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.money.sheets import read_workbook
from tests.report.analyses import valued
from tfeval.display.words import unmarked
from tfeval.errors import ParameterError, ReportError
from tfeval.impact.effects.areas import pool_areas
from tfeval.report.chapters import areas, summary, value, value_tables
from tfeval.report.chapters.impact import read_effects
from tfeval.report.notebook_parts import content_of
from tfeval.report.parameters import check_domain
from tfeval.report.record import Record, Records, make_record

ASKED = {"phase": "one", "price_year": 2024, "green_book_edition": "2022", "appraisal_years": 1,
         "persistence": 0.5, "perspective": "social"}  # fmt: skip
NAMES = ["Sefton", "Wirral", "Leeds", "Bolton", "Rutland"]


def impact(custody: float = -0.01, balance: str = "balanced", simulated: bool = True) -> Records:
    """Return what chapter 4 records, of two outcomes and five authorities, one of them small."""
    rows = pd.DataFrame(
        {
            "outcome": ["custody", "fixed_exclusions"],
            "months": [12, 12],
            "estimate": [custody, -0.05],
            "std_error": [0.004, 0.02],
            "conf_low": [custody - 0.008, -0.09],
            "conf_high": [custody + 0.008, -0.01],
            "mean_comparison": [0.02, 0.3],
        }
    )
    joint = pd.DataFrame([[16e-6, 8e-6], [8e-6, 4e-4]], columns=rows["outcome"])
    first = rows.assign(comparison="not_yet_treated", design="nearest", estimator="adjusted",
                        treatment="supported", censoring="left_out", alike="balanced",
                        estimand="ATT")  # fmt: skip
    others = first.assign(comparison="waiting", alike="not_balanced", estimate=[2 * custody, 0.0])
    pooled = {
        name: pool_areas(
            np.array([-0.02, -0.01, 0.0, 0.01, 0.02]) - 0.01, np.full(5, 0.01), NAMES,
            n_treated=[200, 100, 150, 120, 4], n_comparison=[200, 100, 150, 120, 40],
            label=name, simulated=simulated,
        )
        for name in ("custody", "offences")
    }  # fmt: skip
    held = {
        "effects": rows, "covariance": joint, "specifications": pd.concat([first, others]),
        "areas": areas.areas_record(pooled), "areas_together": areas.together_record(pooled),
    }  # fmt: skip
    told = {"horizon": 12, "balance": balance, "simulated": simulated, "headline": "said",
            "sessions_possible": 300.0}  # fmt: skip
    return Records(
        "04_impact", {name: Record(name, item) for name, item in told.items()},
        {name: content_of(name, frame) for name, frame in held.items()},
    )  # fmt: skip


def test_a_benefit_is_effect_times_families_times_unit_costs():
    found = valued(impact(), **ASKED)
    unit = tf.unit_costs(2024, ["custody"])["amount"].sum()
    # 0.01 fewer a family, joining as counted in three years; one year of benefits, mid-year, at
    # 3.5%, seen from the start of 2011-12, when grants to prepare were paid.
    families = {1: 35_618.0, 2: 67_882.0, 3: 14_410.0}
    worth = sum(0.01 * count * unit / 1.035 ** (year + 0.5) for year, count in families.items())
    counted = found.appraisal.by("outcome").set_index("outcome")["benefits"]
    assert counted["custody"] == pytest.approx(worth, rel=1e-9)
    lines = found.appraisal.lines
    custody = lines[lines["outcome"] == "custody"]
    assert custody["undiscounted"].sum() == pytest.approx(0.01 * 117_910 * unit, rel=1e-9)
    assert lines["present_value"].sum() == pytest.approx(found.appraisal.npv, rel=1e-12)
    assert found.appraisal.cost_per_claimed == pytest.approx(found.appraisal.costs / 116_654)


def test_designs_keep_their_own_errors_and_borrow_the_correlation():
    held = impact()
    found = value.design_effects(held.table("specifications"), read_effects(held))
    labels = value.design_labels(held.table("specifications"))
    assert list(labels.values()) == ["as chosen", "waiting (groups NOT ALIKE)"]
    assert list(labels) == list(found)
    other = found[list(found)[1]]
    assert other.frame["estimate"].tolist() == [-0.02, 0.0]
    # Correlation 8e-6 / (0.004 x 0.02) = 0.1, and the errors are the design's own.
    assert other.joint == pytest.approx(np.array([[16e-6, 8e-6], [8e-6, 4e-4]]))
    loaded = valued(held, **ASKED)
    benefits = loaded.designs.frame.set_index("design")["npv"] + loaded.appraisal.costs
    assert benefits.iloc[1] == pytest.approx(2 * benefits.iloc[0], rel=1e-9)


def test_breaking_even_pays_exactly():
    found = valued(impact(), **ASKED)
    row = found.appraisal.break_even().iloc[0]
    again = valued(impact(custody=float(row["break_even"])), **ASKED)
    # Recorded effects hold six digits.
    assert again.appraisal.npv == pytest.approx(0.0, abs=1e-5 * found.appraisal.costs)
    text = value_tables.break_even_table(found).text()
    assert "0.0112" in text  # 2.80 standard errors of 0.004
    assert "Simulated records" in text


def test_what_is_simulated_says_so_and_what_is_published_does_not():
    found = valued(impact(), **ASKED)
    assert value.headline(found).startswith("Simulated records: ")
    assert "not findings" in value.banner(found).text()
    real = valued(impact(simulated=False), **ASKED)
    assert "imulated" not in value.headline(real)
    assert value.banner(real) is None


def test_groups_that_are_not_alike_raise_an_alarm_on_the_page():
    box = value.banner(valued(impact(balance="not_balanced"), **ASKED))
    assert "NOT ALIKE" in box.text()
    assert 'role="alert"' in box.html()


def test_small_authorities_leave_nothing_but_their_name():
    held = impact()
    rows = held.table("areas")
    small = rows[rows["name"] == "Rutland"]
    assert small["hidden"].all()
    numbers = small.drop(columns=["name", "hidden", "outcome", "treated", "comparison"])
    assert numbers.isna().all(axis=None)
    assert set(small["treated"]) == {"fewer than 10"}
    pooled = areas.read_areas(held)
    assert "too few to show" in areas.authority_table(pooled, "Rutland").text()
    assert "too few families of Rutland" in areas.authority_sentence(pooled, "Rutland")
    worth = value_tables.area_values_record(value_tables.area_values(held, valued(held, **ASKED)))
    assert sorted(worth["name"]) == sorted(set(NAMES) - {"Rutland"})
    assert "too few families" in value_tables.area_value_sentence(worth, "Rutland", True)


def test_authorities_are_read_as_they_were_recorded():
    held = impact()
    pooled = areas.read_areas(held)["custody"]
    rows = held.table("areas").query("outcome == 'custody' and name == 'Sefton'").iloc[0]
    frame = pooled.to_frame().set_index("name")
    assert frame.loc["Sefton", "pooled"] == rows["pooled"]
    text = areas.authority_table({"custody": pooled}, "Sefton").text()
    assert f"{rows['rank_low']:.0f} to {rows['rank_high']:.0f}) of 5, 4 shown" in text
    assert "Exploratory" in text
    # Partly pooled: between its own estimate and the mean.
    assert rows["estimate"] < rows["pooled"] < pooled.mean


def test_value_by_authority_is_its_effects_at_what_a_family_cost():
    held = impact()
    found = valued(held, **ASKED)
    frame = value_tables.area_values(held, found).to_frame().set_index("name")
    assert frame.loc["Sefton", "families"] == 200
    assert frame["cost"].div(frame["families"]).to_numpy() == pytest.approx(
        found.appraisal.cost_per_family
    )
    # Sefton's effects are the lowest, which is best: it ranks first.
    assert frame["rank"].idxmin() == "Sefton"
    assert frame.loc["Sefton", "npv_per_family"] > frame.loc["Bolton", "npv_per_family"]


def claims(low: float = -0.5, **changes) -> Records:
    """Return what chapter 6 records of results, 2.5% of families having an additional one."""
    told = {"results_basis": "simulated", "results_claimed": 960, "results_met": 340,
            "results_anyway": 315} | changes  # fmt: skip
    held = {name: Record(name, item) for name, item in told.items()}
    held["results_additional"] = Record(
        "results_additional", 25.0, "of 1,000 families", low=10 * low, high=60.0
    )
    held["own_share"] = Record("own_share", 7.35, "%", 3, low=-1.5, high=16.0)
    return Records("06", held)


def test_an_additional_result_costs_what_was_spent_on_all_who_had_none():
    spent = Records("07", {"cost_per_family": Record("cost_per_family", 12_000.0, "£")})
    # 1,000 families cost £12m; 25 of them had a result that they would not have had.
    cost = summary.additional_cost(spent, claims())
    assert (cost.value, cost.low) == pytest.approx((12e6 / 25, 12e6 / 60))
    told = unmarked(summary.results_row(spent, claims())[1])
    assert "£480,000 (at least £200,000; no upper end" in told
    assert "25 (−5 to 60) were additional" in told
    sure = unmarked(summary.results_row(spent, claims(low=1.0, results_basis="records"))[1])
    assert "£480,000 (£200,000 to £1.2m)" in sure
    assert sure.startswith("Of 1,000 families")
    silent = claims(results_unknown="too few families")
    assert "cannot say: too few families" in unmarked(summary.results_row(spent, silent)[1])
    assert summary.additional_cost(spent, silent) is None


def test_a_calculation_takes_numbers_that_were_not_rounded():
    # 11,716.3 a family over 21.77 of 1,000: 538,186. From what readers see, 11,716 over 22, it
    # would be 532,545; from 0.0218, 537,431.
    spent = Records("07", {"cost_per_family": make_record("cost_per_family", 11_716.3, "£")})
    held = claims()
    more = make_record("results_additional", 21.77, "of 1,000 families", interval=(9.1, 30.2))
    held = Records("06", {**held, "results_additional": more})
    cost = summary.additional_cost(spent, held)
    assert cost.value == pytest.approx(538_186, abs=1)
    assert summary.cost_words(cost).startswith("£538,000")
    with pytest.raises(ReportError, match="is text: nothing is calculated from it"):
        _ = make_record("npv", "£1.3bn").number


def test_the_summary_keeps_simulated_answers_apart(tmp_path):
    held = impact()
    found = valued(held, **ASKED)
    told = value.facts(found)
    for name, item in {"headline": value.headline(found), "simulated": True,
                       "turning": value.turning(found)}.items():  # fmt: skip
        told[name] = make_record(name, item)
    worth = value_tables.area_values_record(value_tables.area_values(held, found))
    records = Records(
        "07_value_for_money", told,
        {"area_values": content_of("area_values", worth)},
    )  # fmt: skip
    comparison = Records("03", {"estimand": Record("estimand", "estimand ATT")})
    shown = summary.records_answers(comparison, held, records, claims())
    assert "Simulated records: of 1,000 families" in shown.text()
    assert "NOT findings about the programme" in shown.text()
    assert (
        "Benefits to everybody reach the costs in 0 of 2 comparison groups, designs and estimators"
        in shown.text()
    )
    assert "can be told from the mean" in summary.area_table("all", held, records).text()
    assert "net value" in summary.area_table("Sefton", held, records).text()
    assert "too few families" in summary.area_table("Rutland", held, records).text()


def test_the_workbook_holds_every_pound_of_the_page(tmp_path):
    found = valued(impact(), **ASKED)
    box = value.workbook(found, value_tables.area_values_record(None), tmp_path)
    assert f'href="{value.WORKBOOK}"' in box.html()
    sheets = read_workbook(tmp_path / value.WORKBOOK)
    assert {"Summary", "Lines", "Costs", "Unit costs", "Uncertainty", "Designs",
            "Information"} <= set(sheets)  # fmt: skip
    net = sheets["Summary"].cell("Social account", Measure="Net present value")
    assert net.value == pytest.approx(found.appraisal.npv)
    assert net.formula
    assert sheets["Designs"].table[0]["Net present value"].value == pytest.approx(net.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("appraisal_years", 0, "between 1 and 60 years"),
        ("appraisal_years", 61, "between 1 and 60 years"),
        ("persistence", 1.2, "between 0 and 1"),
        ("perspective", "socal", r"Did you mean social\?"),
    ],
)
def test_what_lies_out_of_range_is_refused_with_the_range(name, text, message):
    with pytest.raises(ParameterError, match=message):
        check_domain(name, text)
