"""Detectable beside break-even effects, and what an insignificant study leaves open."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import (
    comparison_shares,
    phase_one_design,
    published_effects,
)
from tfeval.money.additional import people_in_family
from tfeval.money.could_know import (
    BASE_YEAR,
    cost_of_a_family,
    could_have_known,
    detectable_curve,
    families_one,
    hidden_value,
    worth_of_a_point,
)
from tfeval.money.evaluation_2019 import CONVERT, family_effects
from tfeval.report.chapters import known


@pytest.fixture(scope="module")
def rows():
    return could_have_known().set_index("outcome")


def test_worth_of_a_point_by_hand():
    """One child in a hundred less in care for two years, then a half, a quarter, an eighth."""
    years = 2 + 0.5 + 0.25 + 0.125
    children = people_in_family()["children"].value
    undiscounted = 0.01 * children * years * 51_080
    found = worth_of_a_point("looked_after", "children", price_year=2013)
    # Discounted at 3.5% from 2011: a family joins in 2012-15 and gains over five years.
    assert undiscounted / 1.035**8 < found < undiscounted / 1.035**1


def test_costs_are_those_of_the_ledger():
    spent = tf.programme_costs("one", "central", 2024)
    assert cost_of_a_family("central") < spent["amount"].sum() / 117_910  # discounted
    assert cost_of_a_family("central") > 0.9 * spent["amount"].sum() / 117_910
    assert sum(families_one().values()) == 117_910


def test_an_effect_at_break_even_pays_exactly(rows):
    """The break-even effect, put through the one appraisal, has a value of nothing."""
    needed = rows.loc["looked_after", "break_even_central"] / 100
    frame = pd.DataFrame({"outcome": ["looked_after"], "population": ["children"], "months": [24],
                          "estimate": [-needed], "std_error": [0.0]})  # fmt: skip
    effects = family_effects(Effects(frame, np.zeros((1, 1))))
    found = tf.appraise(
        effects, tf.programme_costs("one", "central", 2024), families=families_one(),
        persistence=0.5, perspective="fiscal", base_year=BASE_YEAR, convert=CONVERT,
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
    rows = could_have_known(records=300, icc=0.05).set_index("outcome")
    assert rows.loc["looked_after", "could"] == "no"
    large = could_have_known(records=10_000_000, icc=0.0)
    assert set(large.loc[large["possible"], "could"]) == {"yes"}


def test_no_outcome_can_fall_below_nothing(rows):
    assert not rows.loc["conviction", "possible"]  # even none convicted would not pay
    assert rows.loc["looked_after", "possible"]
    assert not rows.loc["looked_after", "possible_total"]  # 2.67 of 2.5
    assert not rows.loc["jobseekers_allowance", "possible_total"]  # 21.6 of 10.5
    assert rows.loc["conviction", "could"] == "cannot pay"


POINTS = ["detectable_low", "detectable_high", "break_even_central", "break_even_total"]


@pytest.mark.parametrize("records", [100, 300, 2_000, 20_000, 500_000])
@pytest.mark.parametrize("icc", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("persistence", [0.0, 0.5, 1.0])
def test_no_effect_is_larger_than_the_share_there_is(records, icc, persistence):
    rows = could_have_known(records, icc, persistence=persistence)
    most = 100 * rows["share"]
    for name in POINTS:
        assert (rows[name].isna() | (rows[name] <= most)).all()
    assert (rows["break_even_central"].notna() == rows["possible"]).all()
    assert (rows["break_even_total"].notna() == rows["possible_total"]).all()
    for row in rows.to_dict("records"):
        seen, paid = not np.isnan(row["detectable_low"]), row["possible"]
        if row["could"] in ("yes", "it depends"):
            assert seen
            assert paid
        assert (row["could"] == "cannot pay") == (not paid)
        if paid and not seen:
            assert row["could"] == "no"
            assert "even if it fell to nothing" in known._verdict(row)
        if row["could"] == "yes":
            assert row["detectable_high"] <= row["break_even_central"]
    for allocation in ("within", "between"):
        hidden = hidden_value(allocation, records=records, icc=icc, persistence=persistence)
        assert (hidden["points"] <= 100 * hidden["share"] + 1e-12).all()
        assert (hidden["rise"] <= 100 * (1 - hidden["share"]) + 1e-12).all()
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


@pytest.mark.parametrize(("price_year", "edition"), [(2024, "2026"), (2012, "2003")])
def test_pages_never_show_an_effect_that_cannot_be(price_year, edition):
    rows = could_have_known(price_year=price_year, edition=edition)
    most = (100 * rows["share"]).tolist()
    shown = [[cell.text for cell in row] for row in known.reach_table(price_year, edition).rows]
    for cells, largest in zip(shown, most, strict=True):
        numbers = [float(text) for cell in cells[2:5] for text in re.findall(r"[0-9.]+", cell)]
        assert all(number <= largest + 0.05 for number in numbers)
    verdicts = dict(zip(rows["outcome"], (cells[5] for cells in shown), strict=True))
    assert "never pay alone" in verdicts["conviction"]
    assert "No fall could pay for all public costs" in verdicts["looked_after"]
    chart = known.reach(price_year, edition)
    ends = chart.data[["seen_low", "seen_high", "needed_low", "needed_high"]]
    assert not ends.gt(chart.data["most"] + 1e-9, axis=0).any(axis=None)
    drawn = [float(x) for line in chart.figure.axes[0].collections
             for x in np.ma.filled(line.get_offsets(), np.nan)[:, 0]]  # fmt: skip
    assert np.nanmax(drawn) <= max(most)
    for row in known.silence_table(price_year, edition).rows[:4]:
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
    found = hidden_value(allocation).set_index("outcome")
    interval = published_effects("2016", design=phase_one_design(allocation=allocation))
    ends = interval.to_frame().drop_duplicates("outcome").set_index("outcome")["conf_high"]
    for outcome in ("looked_after", "out_of_work", "conviction"):
        assert found.loc[outcome, "points"] == pytest.approx(100 * ends[outcome])
    point = worth_of_a_point("looked_after", "children")
    row = found.loc["looked_after"]
    assert row["worth"] == pytest.approx(row["points"] * point)


def test_an_outcome_that_cannot_be_valued_is_named():
    with pytest.raises(ParameterError, match="attendance"):
        worth_of_a_point("attendance", "children")
