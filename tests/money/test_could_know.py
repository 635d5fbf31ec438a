"""Detectable beside break-even effects, and what an insignificant study leaves open."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfeval as tf
from tfeval.display.names import PAY_FOR
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import (
    comparison_shares,
    phase_one_design,
    published_effects,
)
from tfeval.money.additional import CONVERT, family_effects, people_in_family
from tfeval.money.could_know import (
    cost_of_a_family,
    costs_of_a_family,
    could_have_known,
    detectable_curve,
    families_one,
    hidden_value,
    possible_fall,
    together,
    worth_of_a_point,
)
from tfeval.report.chapters import budget, known

PURSE = tf.Assumptions(perspective="fiscal")


@pytest.fixture(scope="module")
def rows():
    return could_have_known(assumptions=PURSE).set_index("outcome")


def test_worth_of_a_point_by_hand():
    """One child in a hundred less in care for two years, then a half, a quarter, an eighth."""
    years = 2 + 0.5 + 0.25 + 0.125
    children = people_in_family()["children"].value
    day = tf.unit_costs(2013, ["looked_after"])["amount"].sum()
    undiscounted = 0.01 * children * years * 365 * day
    found = worth_of_a_point("looked_after", "children", replace(PURSE, price_year=2013))
    # Discounted at 3.5% from 2011: a family joins in 2012-15 and gains over five years.
    assert undiscounted / 1.035**8 < found < undiscounted / 1.035**1


def test_costs_are_those_of_the_ledger():
    spent = tf.programme_costs("one", "central", 2024)
    assert cost_of_a_family("central") < spent["amount"].sum() / 117_910  # discounted
    assert cost_of_a_family("central") > 0.9 * spent["amount"].sum() / 117_910
    assert sum(families_one().values()) == 117_910


@pytest.mark.parametrize("phase", ["one", "two", "supporting_families"])
def test_a_cost_a_family_is_that_of_an_appraisal_to_the_scenario_s_base_year(phase):
    held = tf.Assumptions(base_year=2010, timing="end", price_year=2015)
    for view in ("total", "central", "marginal"):
        spent = tf.programme_costs(phase, view, 2015)
        years = spent["year"].str[:4].astype(int)
        by_hand = (spent["amount"] / 1.035 ** (years - 2010)).sum()
        by_hand /= tf.phase(phase).families.value
        assert cost_of_a_family(view, held, phase) == pytest.approx(by_hand)
    frame = pd.DataFrame({"outcome": ["custody"], "months": [12], "estimate": [-0.01],
                          "std_error": [0.0]})  # fmt: skip
    found = tf.appraise(
        Effects(frame, np.zeros((1, 1))), tf.programme_costs(phase, "total", 2024),
        families=tf.phase(phase).families.value, first_year=tf.phase(phase).years[0],
        **PURSE.of_phase(phase),
    )  # fmt: skip
    assert cost_of_a_family("total", PURSE, phase) == pytest.approx(found.cost_per_family)


def test_every_cost_a_family_of_the_report_is_in_one_table():
    held = tf.Assumptions()
    rows = costs_of_a_family(held)
    published = {(row.phase, round(row.pounds)) for row in rows.itertuples() if not row.view}
    wanted = [("one", 3_800), ("one", 4_000), ("one", 5_214), ("one", 5_493), ("one", 6_454),
              ("one", 10_000), ("two", 1_800), ("two", 2_300), ("two", 4_500)]  # fmt: skip
    assert set(wanted) <= published
    for name in ("one", "two", "supporting_families"):
        used = rows[rows["used"] & (rows["phase"] == name)]
        assert used["view"].tolist() == [held.costs]
        assert used["pounds"].tolist() == [cost_of_a_family(held.costs, held, name)]
        cash = rows[(rows["phase"] == name) & (rows["money"] == "cash") & (rows["view"] == "total")]
        spent = tf.programme_costs(name)["cash"].sum() / tf.phase(name).families.value
        assert cash["pounds"].tolist() == [pytest.approx(spent)]
    assert rows["sources"].map(len).min() > 0
    assert (rows["what"] != "").all()
    other = costs_of_a_family(tf.Assumptions(costs="marginal"))
    assert other.loc[other["used"], "view"].unique().tolist() == ["marginal"]


def test_the_page_says_whose_each_cost_is_and_which_is_used():
    shown = budget.family_costs_table("one", PURSE)
    used = [row for row in shown.rows if row[5].text == "yes"]
    assert [row[0].text.split(",")[0] for row in used] == [
        "Phase one", "Phase two", "Supporting Families"]  # fmt: skip
    assert all("all public bodies" in row[2].text for row in used)
    assert "discounted to 2011-12" in shown.text()
    later = budget.family_costs_table("two", PURSE).text()
    assert "Phase one" not in later
    assert "£2,300" in later


def test_an_effect_at_break_even_pays_exactly(rows):
    """The break-even effect, put through the one appraisal, has a value of nothing."""
    needed = rows.loc["looked_after", "break_even_central"] / 100
    frame = pd.DataFrame({"outcome": ["looked_after"], "population": ["children"], "months": [24],
                          "estimate": [-needed], "std_error": [0.0]})  # fmt: skip
    effects = family_effects(Effects(frame, np.zeros((1, 1))))
    found = tf.appraise(
        effects, tf.programme_costs("one", "central", 2024), families=families_one(),
        convert=CONVERT, **PURSE.of_phase("one"),
    )  # fmt: skip
    assert found.npv == pytest.approx(0.0, abs=1e-6 * found.costs)
    assert found.break_even()["break_even"].iloc[0] == pytest.approx(
        effects.to_frame()["estimate"].iloc[0]
    )


def test_detectable_effects_are_those_of_the_design(rows):
    row = rows.loc["jobseekers_allowance"]
    found = tf.minimum_detectable_effect(
        10_000, 10_000, share=0.105, clusters=56, icc=0.02, allocation="between"
    )
    assert row["detectable_high"] == pytest.approx(100 * found)
    assert not (rows["detectable_low"] >= rows["detectable_high"]).any()
    assert not (rows["break_even_central"] >= rows["break_even_total"]).any()


def test_a_small_study_could_not_have_known():
    rows = could_have_known(records=300, icc=0.05, assumptions=PURSE)
    assert set(rows.loc[rows["detectable_low"].isna(), "could"]) <= {"no", "cannot pay"}
    assert rows["detectable_low"].isna().any()
    large = could_have_known(records=10_000_000, icc=0.0, assumptions=PURSE)
    assert set(large.loc[large["possible_central"], "could"]) == {"yes"}


def test_no_outcome_can_fall_below_nothing(rows):
    """What a point is worth says alone whether a fall to nothing pays, for either cost."""
    for name, row in rows.iterrows():
        most = 100 * row["share"] * worth_of_a_point(name, row["population"], PURSE)
        for view in ("central", "total"):
            assert row[f"possible_{view}"] == (most >= cost_of_a_family(view, PURSE))
    assert rows.loc["conviction", "could"] == "cannot pay"  # even none convicted would not pay


def test_costs_that_grow_with_families_are_judged_where_they_are_the_scenario_s():
    made = could_have_known(assumptions=replace(PURSE, costs="marginal"))
    assert {"break_even_marginal", "possible_marginal"} <= set(made.columns)
    shown = known.reach_table(replace(PURSE, costs="marginal")).text()
    assert "costs that grow with families" in shown
    assert "break_even_marginal" not in could_have_known(assumptions=PURSE)


POINTS = ["detectable_low", "detectable_high", "break_even_central", "break_even_total"]


SCENARIOS = (
    PURSE, tf.Assumptions(), replace(PURSE, costs="marginal", persistence=1.0),
    replace(PURSE, persistence=0.0, appraisal_years=1), replace(PURSE, appraisal_years=60),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(records=st.floats(4, 1e8), icc=st.floats(0, 0.99), held=st.sampled_from(SCENARIOS))
def test_no_number_of_points_is_larger_than_the_share_there_is(records, icc, held):
    """Over records, likeness, scenarios and costs: every outcome, and the curve."""
    made = could_have_known(records, icc, assumptions=held)
    most = 100 * made["share"]
    for name in [column for column in made if column.startswith(("detectable", "break_even"))]:
        assert (made[name].isna() | ((made[name] > 0) & (made[name] <= most))).all()
    for view in {"total", "central", held.costs}:
        assert (made[f"break_even_{view}"].notna() == made[f"possible_{view}"]).all()
    for allocation in ("within", "between"):
        hidden = hidden_value(allocation, records=records, icc=icc, assumptions=held)
        assert (hidden["points"] <= 100 * hidden["share"] + 1e-12).all()
        assert (hidden["rise"] <= 100 * (1 - hidden["share"]) + 1e-12).all()
        for side, at in (("worth", 0), ("loss", 1)):
            independent, worst = together(hidden)[at], together(hidden, "worst")[at]
            assert 0 <= independent <= worst + 1e-9
            assert independent == pytest.approx(np.sqrt((hidden[side] ** 2).sum()))
    shares = dict(zip(made["outcome"], made["share"], strict=True))
    curve = detectable_curve(shares, (records, 2 * records), icc)
    for name in curve:
        assert (curve[name].isna() | (curve[name] <= 100 * shares[name.split(",")[0]])).all()


@given(points=st.lists(st.floats(0, 1e6), min_size=1), share=st.floats(0, 1))
def test_a_fall_is_kept_or_missing_and_never_moved(points, share):
    found = possible_fall(points, share)
    for before, after in zip(points, found, strict=True):
        assert after == before <= 100 * share or (np.isnan(after) and before > 100 * share)


@pytest.mark.parametrize("records", [100, 300, 2_000, 20_000, 500_000])
@pytest.mark.parametrize("icc", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("persistence", [0.0, 0.5, 1.0])
def test_no_effect_is_larger_than_the_share_there_is(records, icc, persistence):
    held = replace(PURSE, persistence=persistence)
    rows = could_have_known(records, icc, assumptions=held)
    most = 100 * rows["share"]
    for name in POINTS:
        assert (rows[name].isna() | (rows[name] <= most)).all()
    for row in rows.to_dict("records"):
        seen, paid = not np.isnan(row["detectable_low"]), row["possible_central"]
        if row["could"] in ("yes", "it depends"):
            assert seen
            assert paid
        assert (row["could"] == "cannot pay") == (not paid)
        if paid and not seen:
            assert row["could"] == "no"
            assert "even if it fell to nothing" in known._verdict(
                row, ("central", "total"), "fiscal"
            )
        if row["could"] == "yes":
            assert row["detectable_high"] <= row["break_even_central"]
    for allocation in ("within", "between"):
        hidden = hidden_value(allocation, records=records, icc=icc, assumptions=held)
        assert (hidden["loss"] >= hidden["worth"]).all()


@pytest.mark.parametrize("records", [100.0, 1_000.0, 20_000.0])
def test_the_curve_and_published_intervals_stop_at_the_share_too(records):
    shares = {name: share for name, (share, _) in comparison_shares().items()}
    curve = detectable_curve(shares, (records, 10 * records), icc=0.1)
    for name in curve:
        most = 100 * shares[name.split(",")[0]]
        assert (curve[name].isna() | (curve[name] <= most)).all()
    for allocation in ("within", "between"):
        design = phase_one_design(records, 0.1, allocation)
        for row in published_effects("2016", design=design).to_frame().to_dict("records"):
            assert -shares[row["outcome"]] <= row["conf_low"]
            assert row["conf_high"] <= 1 - shares[row["outcome"]]
    held = published_effects("2019").to_frame()
    assert (held["conf_low"] >= -held["mean_comparison"]).all()


@pytest.mark.parametrize("held", [
    PURSE, tf.Assumptions(), tf.Assumptions(costs="marginal"),
    tf.Assumptions(price_year=2012, green_book_edition="2003", perspective="fiscal"),
])  # fmt: skip
def test_pages_never_show_an_effect_that_cannot_be(held):
    rows = could_have_known(assumptions=held)
    most = (100 * rows["share"]).tolist()
    shown = [[cell.text for cell in row] for row in known.reach_table(held).rows]
    for cells, largest in zip(shown, most, strict=True):
        numbers = [float(text) for cell in cells[2:-1] for text in re.findall(r"[0-9.]+", cell)]
        assert all(number <= largest + 0.05 for number in numbers)
    verdicts = dict(zip(rows["outcome"], (cells[-1] for cells in shown), strict=True))
    for row in rows.to_dict("records"):
        can = [row["possible_central"], row["possible_total"]]
        told = verdicts[row["outcome"]]
        words = PAY_FOR[held.perspective]
        assert (f"Alone, at its price here, it could never {words} any" in told) == (
            not any(can) and not row.get("possible_marginal")
        )
        assert (f"No fall could {words} all public costs" in told) == (can == [True, False])
    chart = known.reach(held)
    ends = chart.data[["seen_low", "seen_high", "needed_low", "needed_high"]]
    assert not ends.gt(chart.data["most"] + 1e-9, axis=0).any(axis=None)
    drawn = [float(x) for line in chart.figure.axes[0].collections
             for x in np.ma.filled(line.get_offsets(), np.nan)[:, 0]]  # fmt: skip
    assert np.nanmax(drawn) <= max(most)
    for row in known.silence_table(held).rows[:4]:
        label = row[0].text
        share = next(m for r, m in zip(rows.itertuples(), most, strict=True)
                     if known._label(r._asdict()) == label)  # fmt: skip
        for cell in (row[1].text, row[3].text):
            assert float(cell.split(" to ")[0].lstrip("−")) <= share + 0.05


def test_the_curve_falls_with_records_within_authorities_and_stays_between():
    curve = detectable_curve({"looked after": 0.025}, (10_000.0, 1_000_000.0))
    inside, across = curve["looked after, within"], curve["looked after, between"]
    assert inside.iloc[1] < inside.iloc[0] / 9
    assert across.iloc[1] > 0.8 * across.iloc[0]  # more records do not make more authorities


@pytest.mark.parametrize("allocation", ["within", "between"])
def test_what_is_hidden_is_the_interval_of_2016_times_its_worth(allocation):
    found = hidden_value(allocation, assumptions=PURSE).set_index("outcome")
    interval = published_effects("2016", design=phase_one_design(allocation=allocation))
    ends = interval.to_frame().drop_duplicates("outcome").set_index("outcome")["conf_high"]
    for outcome in ("looked_after", "out_of_work", "conviction"):
        assert found.loc[outcome, "points"] == pytest.approx(100 * ends[outcome])
    point = worth_of_a_point("looked_after", "children", PURSE)
    row = found.loc["looked_after"]
    assert row["worth"] == pytest.approx(row["points"] * point)


def test_ends_together_are_named_and_the_page_shows_both():
    rows = pd.DataFrame({"worth": [3.0, 4.0], "loss": [5.0, 12.0]})
    assert together(rows) == (5.0, 13.0)
    assert together(rows, "worst") == (7.0, 17.0)
    with pytest.raises(ParameterError, match="no way sum"):
        together(rows, "sum")
    text = known.silence_table(PURSE).text()
    assert "in quadrature" in text
    assert "at worst" in text
    said = known.facts(PURSE)
    for how in ("within", "between"):
        for side in ("", "_loss"):
            name = f"open_2016_central_{how}{side}"
            assert said[name].value < said[f"{name}_worst"].value


def test_an_outcome_that_cannot_be_valued_is_named():
    with pytest.raises(ParameterError, match="attendance"):
        worth_of_a_point("attendance", "children")
