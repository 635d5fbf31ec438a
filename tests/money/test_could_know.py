"""Detectable beside break-even effects, and what an insignificant study leaves open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import phase_one_design, published_effects
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
from tfeval.money.people import people_in_family


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
    needed = rows.loc["looked_after", "break_even_total"] / 100
    frame = pd.DataFrame({"outcome": ["looked_after"], "population": ["children"], "months": [24],
                          "estimate": [-needed], "std_error": [0.0]})  # fmt: skip
    effects = family_effects(Effects(frame, np.zeros((1, 1))))
    found = tf.appraise(
        effects, tf.programme_costs("one", "total", 2024), families=families_one(),
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
    assert (rows["detectable_low"] < rows["detectable_high"]).all()
    assert (rows["break_even_central"] < rows["break_even_total"]).all()


def test_a_small_study_could_not_have_known():
    rows = could_have_known(records=300, icc=0.05).set_index("outcome")
    assert rows.loc["looked_after", "could"] == "no"
    assert set(could_have_known(records=10_000_000, icc=0.0)["could"]) == {"yes"}


def test_no_outcome_can_fall_below_nothing(rows):
    assert not rows.loc["conviction", "possible"]  # even none convicted would not pay
    assert rows.loc["looked_after", "possible"]


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
