"""Units by periods: rows in any order, what is missing stays missing, what is wrong is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf

ROWS = pd.DataFrame(
    {"area": ["b", "a", "a", "b", "a"], "year": [2012, 2012, 2011, 2010, 2010],
     "rate": [6.0, 3.0, 2.0, 4.0, np.nan], "dose": [7.0, 5.0, 5.0, 7.0, 5.0]}
)  # fmt: skip


def made(rows=ROWS):
    return tf.panel(rows, unit="area", time="year", outcomes=["rate"], fixed=["dose"])


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_rows_come_in_any_order_and_missing_is_missing(order):
    panel = made(ROWS.iloc[order])
    assert list(panel.units) == ["a", "b"]
    assert panel.times.tolist() == [2010, 2011, 2012]
    np.testing.assert_array_equal(panel.outcome("rate"), [[np.nan, 2, 3], [4, np.nan, 6]])
    np.testing.assert_array_equal(panel.column("dose"), [5, 7])


def test_some_units_and_some_periods():
    panel = made().take(np.array([False, True])).during([2012, 2010])
    np.testing.assert_array_equal(panel.outcome("rate"), [[4, 6]])
    assert panel.column("dose").tolist() == [7]
    assert made().take(np.array([1, 0])).column("dose").tolist() == [7, 5]
    with pytest.raises(tf.ParameterError, match="no period 2015"):
        made().during([2012, 2015])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "1 rows of the table repeat"),
        (lambda rows: rows.assign(dose=[1.0, 2, 3, 4, 5]), "dose must not change"),
        (lambda rows: rows.assign(year=rows["year"] + 0.5), "whole numbers"),
        (lambda rows: rows.assign(area=["b", None, "a", "b", "a"]), "may not be missing"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(change, said):
    with pytest.raises(tf.DataError, match=said):
        made(change(ROWS))


def test_names_that_are_not_there_are_said():
    with pytest.raises(tf.ParameterError, match="no column rat"):
        tf.panel(ROWS, unit="area", time="year", outcomes=["rat"])
    with pytest.raises(tf.ParameterError, match="rate"):
        made().outcome("rates")
    with pytest.raises(tf.ParameterError, match="dose"):
        made().column("doses")
