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
    ],
)
def test_what_an_appraisal_cannot_take_is_refused(asked, says):
    refused(lambda: tf.appraise(EFFECTS, COSTS, **{"families": 1_000, **asked}), says=says)


def test_kinds_of_error_say_whose_fault_it_is():
    with pytest.raises(DataError):
        check_unit_costs(swapped(PRICES, 0))
    with pytest.raises(ParameterError):
        tf.Assumptions(price_year=2014.5)
