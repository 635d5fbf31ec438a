"""What is no price, no cost and no scenario is refused in one line, and what is one is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfeval as tf
from tests.money.appraised import effects_of, price_list
from tfeval.errors import DataError, ParameterError, TfevalError
from tfeval.money.unit_costs import check_unit_costs

PRICES = price_list(
    ("offences", "police", 100.0, "Home Office/police", "no"),
    ("offences", "courts", 50.0, "MoJ", "no"),
    ("out_of_work", "benefits", 20.0, "DWP", "yes"),
    spread=0.2,
)
COSTS = pd.DataFrame(
    {
        "year": ["2012-13", "2013-14"], "payer": ["central government", "local authority"],
        "amount": [3e5, 2e5], "low": [2e5, 0.0], "high": [4e5, 3e5],
        "price_year": ["2012-13", "2012-13"],
    }
)  # fmt: skip
EFFECTS = effects_of({"offences": -0.1, "out_of_work": -5.0}, 0.5)


def swapped(frame: pd.DataFrame, row: int) -> pd.DataFrame:
    """Return a table with low and high of one row the other way round."""
    out = frame.copy()
    out.loc[row, ["low", "high"]] = frame.loc[row, ["high", "low"]].to_numpy()
    return out


def with_value(frame: pd.DataFrame, row: int, **cells: object) -> pd.DataFrame:
    """Return a table with some cells of one row changed."""
    out = frame.copy()
    for name, value in cells.items():
        out[name] = [value if at == row else one for at, one in enumerate(out[name].tolist())]
    return out


def refused(call, *, says: str) -> None:
    """Hold that a call is refused in one line that says what, where and what to do."""
    with pytest.raises(TfevalError) as caught:
        call()
    told = str(caught.value)
    assert says in told
    assert "\n" not in told


#: What a cell of the unit costs may not be, and what is said of it.
PRICE_FAULTS = {
    "swapped": (swapped, "columns low and high: not around the value"),
    "above": (lambda rows, at: with_value(rows, at, value=1e6), "not around the value in 1 rows"),
    "negative": (lambda rows, at: with_value(rows, at, low=-2e3, value=-1e3, high=-5e2),
                 "column low: below 0 in 1 rows"),
    "endless": (lambda rows, at: with_value(rows, at, high=np.inf), "column high: not a number"),
    "share": (lambda rows, at: with_value(rows, at, own_high=1.2), "column own: no share"),
    "cash": (lambda rows, at: with_value(rows, at, cashable=-0.1), "column cashable: no share"),
    "payer": (lambda rows, at: with_value(rows, at, payer="the Queen"), "column payer: none of"),
    "year": (lambda rows, at: with_value(rows, at, price_year="1989-90"),
             "column price_year: no financial year with a deflator"),
    "no year": (lambda rows, at: with_value(rows, at, price_year="2014"),
                "column price_year: no financial year with a deflator"),
    "turned": (lambda rows, at: with_value(rows, at, times=-1.0), "column times: of the wrong"),
    "whose": (lambda rows, at: with_value(rows, at, transfer="yes", payer="victims"),
              "column transfer: of no public body in 1 rows"),
}  # fmt: skip


@pytest.mark.parametrize("fault", PRICE_FAULTS)
@given(row=st.integers(0, 2))
@settings(max_examples=6, deadline=None)
def test_a_fault_in_any_row_of_prices_is_refused(fault, row):
    made, says = PRICE_FAULTS[fault]
    check_unit_costs(PRICES)  # without the fault it is taken
    refused(lambda: tf.appraise(EFFECTS, COSTS, families=1_000,
                                unit_cost_table=made(PRICES, row)), says=says)  # fmt: skip


def test_faults_of_several_rows_are_refused():
    twice = pd.concat([PRICES, PRICES.head(1)], ignore_index=True)
    refused(lambda: check_unit_costs(twice), says="repeated outcome and component in 1 rows")
    units = with_value(PRICES, 0, per="incident")
    refused(lambda: check_unit_costs(units), says="column per: of several units in 1 outcomes")


#: What the programme's costs may not be.
COST_FAULTS = {
    "swapped": (swapped, "low and high: not around the amount"),
    "outside": (lambda rows, at: with_value(rows, at, amount=9e9), "not around the amount"),
    "negative": (lambda rows, at: with_value(rows, at, amount=-1.0), "below 0, in 1 rows"),
    "missing": (lambda rows, at: with_value(rows, at, high=np.nan), "not a number of pounds"),
    "words": (lambda rows, at: with_value(rows, at, low="few"), "not a number of pounds"),
    "payer": (lambda rows, at: with_value(rows, at, payer="me"), "payer: none of DWP"),
    "year": (lambda rows, at: with_value(rows, at, year=np.nan), "year: no financial year"),
    "half": (lambda rows, at: with_value(rows, at, year=2012.5), "year: no financial year"),
    "label": (lambda rows, at: with_value(rows, at, year="2012-14"), "year: no financial year"),
    "price": (lambda rows, at: with_value(rows, at, price_year=""), "price_year: no financial"),
    "deflator": (lambda rows, at: with_value(rows, at, price_year="1989-90"), "no deflator"),
}  # fmt: skip


@pytest.mark.parametrize("fault", COST_FAULTS)
@given(row=st.integers(0, 1))
@settings(max_examples=4, deadline=None)
def test_a_fault_in_any_row_of_costs_is_refused(fault, row):
    made, says = COST_FAULTS[fault]
    refused(lambda: tf.appraise(EFFECTS, made(COSTS, row), families=1_000), says=says)


def test_published_costs_are_taken_and_their_ends_are_not_turned_round():
    """In one year a low may lie above the high, since ends of all years go together."""
    costs = tf.programme_costs("one", "total", 2024)
    assert (costs["low"] > costs["high"]).any()
    found = tf.appraise(EFFECTS, costs, families=1_000)
    assert found.costs > 0
    turned = costs.rename(columns={"low": "high", "high": "low"})
    refused(lambda: tf.appraise(EFFECTS, turned, families=1_000), says="not around the amount")


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf")])
def test_a_sum_that_is_no_cost_is_refused(cost):
    refused(lambda: tf.appraise(EFFECTS, cost, families=1_000), says="The programme's costs")


@given(
    ends=st.tuples(*[st.floats(0, 1e6)] * 3).map(sorted), spread=st.floats(0.01, 0.9),
    value=st.floats(0.01, 1e6),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_what_rises_from_low_to_high_is_taken(ends, spread, value):
    """No rule refuses what is sound: a rule that refused everything would pass the tests above."""
    low, middle, high = ends
    costs = COSTS.head(1).assign(low=low, amount=middle, high=high)
    prices = PRICES.assign(value=value, low=value * (1 - spread), high=value * (1 + spread))
    found = tf.appraise(EFFECTS, costs, families=1_000, unit_cost_table=prices)
    assert found.costs >= 0
    assert np.isfinite(found.npv)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"price_year": 2014.5}, "price_year is a whole number, not 2014.5"),
        ({"price_year": 1066}, "price_year lies between"),
        ({"price_year": float("nan")}, "price_year is a whole number"),
        ({"appraisal_years": 2.5}, "appraisal_years is a whole number, not 2.5"),
        ({"appraisal_years": 0}, "appraisal_years lies between 1 and 60"),
        ({"persistence": 1.2}, "persistence lies between 0 and 1"),
        ({"persistence": -0.1}, "persistence lies between 0 and 1"),
        ({"persistence": float("nan")}, "persistence lies between 0 and 1"),
        ({"persistence": True}, "persistence lies between 0 and 1"),
        ({"perspective": "mine"}, "There is no perspective"),
        ({"costs": "all"}, "no view of costs"),
        ({"green_book_edition": "1066"}, "Green Book"),
        ({"timing": ["mid"]}, "There is no timing"),
        ({"perspective": None}, "There is no perspective"),
        ({"discount_rate": 3.5}, "Assumptions has no setting discount_rate"),
        ({"persistance": 0.5}, "Did you mean persistence?"),
        ({"optimism_bias": 40, "optimism_bias_source": "x"}, "optimism_bias lies between 0 and 1"),
        ({"optimism_bias": {"D": 0.1}, "optimism_bias_source": "x"}, "no grade D"),
        ({"optimism_bias": [0.1]}, "a share between 0 and 1, or one for each grade"),
        ({"optimism_bias": "a tenth"}, "each grade of evidence (A, B, C)"),
        ({"optimism_bias": "C=much"}, "not C=much"),
        ({"optimism_bias": 0.1}, "give optimism_bias_source= too"),
        ({"optimism_bias": {"C": 0.4}, "optimism_bias_source": " "}, "optimism_bias_source= too"),
    ],
)
def test_what_is_no_scenario_is_refused(asked, says):
    refused(lambda: tf.Assumptions(**asked), says=says)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"persistence": (0.5, 0.8, 1.0)}, "Persistence is the share of an effect left"),
        ({"persistence": {"offences": (0.5, 0.6, 0.4)}}, "Persistence is the share"),
        ({"persistence": {"ofences": 0.5}}, "persistence: there is no effect on ofences"),
        ({"families": -5}, "not below 0"),
        ({"families": float("nan")}, "not below 0"),
        ({"optimism_bias": {"D": 0.1}}, "no grade D"),
        ({"optimism_bias": 1.5}, "optimism_bias lies between 0 and 1"),
        ({"horizon": 2.5}, "whole number"),
        ({"horizon": 0}, "horizon lies between 1 and 60"),
        ({"families": "many"}, "are a number, not below 0"),
        ({"families": True}, "are a number, not below 0"),
        ({"families": {2012.5: 10}}, "Families join in a year between 1990 and 2100, not 2012.5"),
        ({"families": {None: 10}}, "Families join in a year between 1990 and 2100, not None"),
        ({"base_year": 2010.5}, "base_year lies between 1990 and 2100, not 2010.5"),
        ({"base_year": "2010-11"}, "base_year lies between"),
        ({"base_year": 1700}, "base_year lies between"),
        ({"price_year": float("nan")}, "price_year lies between"),
        ({"persistence": True}, "Persistence is the share"),
        ({"cashable_only": "no"}, "cashable_only is True or False"),
        ({"rate": 3.5}, "There is no rate 3.5"),
        ({"edition": 2022}, "There is no Green Book edition 2022"),
        ({"perspective": ["social"]}, "There is no perspective"),
        ({"convert": {"offences": ("court_event", float("inf"))}}, "how many units of it"),
        ({"convert": {"offences": 3}}, "how many units of it"),
        ({"unit_cost_table": "prices.csv"}, "unit_cost_table is a table"),
        ({"result": ["offences"]}, "There is no effect on"),
        ({"discount": 0.035}, "appraise has no setting discount"),
    ],
)
def test_what_an_appraisal_cannot_take_is_refused(asked, says):
    refused(lambda: tf.appraise(EFFECTS, COSTS, **{"families": 1_000, **asked}), says=says)


@pytest.mark.parametrize("months", [0, -12, 12.5, 61, float("inf")])
def test_windows_that_are_none_are_refused(months):
    """Months of 0 once left nothing of any benefit, without a word."""
    effects = effects_of({"offences": -0.1, "out_of_work": -5.0}, 0.5, months=months)
    refused(lambda: tf.appraise(effects, COSTS, families=1_000), says="The effects' months")


@given(
    count=st.integers(10, 10**6), years=st.integers(1, 60), lag=st.integers(0, 60),
    share=st.floats(0, 1, width=32),
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_numbers_of_other_kinds_are_numbers(count, years, lag, share):
    asked = {"families": count, "horizon": years, "lag": lag, "persistence": share}
    own = tf.appraise(EFFECTS, COSTS, **asked)
    asked = {"families": np.int64(count), "horizon": float(years), "lag": np.float64(lag),
             "persistence": np.float32(share), "price_year": np.int64(2024)}  # fmt: skip
    assert tf.appraise(EFFECTS, COSTS, **asked).npv == pytest.approx(own.npv, rel=1e-9, abs=1e-6)


def test_one_year_written_twice_has_the_families_of_both():
    once = tf.appraise(EFFECTS, COSTS, families={2012: 800})
    twice = tf.appraise(EFFECTS, COSTS, families={"2012-13": 500, 2012: 300})
    assert twice.settings.families == once.settings.families
    assert twice.npv == once.npv


def test_what_draws_are_asked_for_is_a_number():
    found = tf.appraise(EFFECTS, COSTS, families=1_000)
    drawn = found.uncertainty(np.int64(200), seed=2)
    for seed in ("one", -1, 1.5):
        refused(lambda seed=seed: found.uncertainty(200, seed), says="seed is a whole number")
    for level in (95, float("nan"), 0.0):
        refused(lambda level=level: drawn.interval("npv", level), says="level lies between")
    refused(lambda: drawn.acceptability(["much"]), says="willingness is a row of amounts")


def test_an_effect_with_an_error_below_nothing_is_not_certain():
    frame = EFFECTS.frame.assign(std_error=[-0.05, 2.5])
    found = tf.appraise(tf.Effects(frame, EFFECTS.joint), COSTS, families=1_000)
    assert found.model.outcomes == ("out_of_work",)


def test_costs_at_an_end_of_their_range_are_said_to_be_taken_as_certain():
    ends = {"low": 3e5, "high": 9e5}
    for amount, said in ((3e5, True), (9e5, True), (5e5, False)):
        found = tf.appraise(EFFECTS, COSTS.head(1).assign(amount=amount, **ends), families=1_000)
        assert any("at an end of the range" in note for note in found.notes) == said
        assert (np.ptp(found.uncertainty(200).costs) == 0) == said


def test_kinds_of_error_say_whose_fault_it_is():
    with pytest.raises(DataError):
        check_unit_costs(swapped(PRICES, 0))
    with pytest.raises(ParameterError):
        tf.Assumptions(price_year=2014.5)
