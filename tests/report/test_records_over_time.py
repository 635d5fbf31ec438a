"""Chapter 5's second half: averages and charts of staggered entry, and few families hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.impact.effects.words import HIDDEN
from tfeval.report.chapters import records_over_time

NAMES = ["asb_incidents", "out_of_work"]


@pytest.fixture(scope="module")
def entry():
    records = tf.simulate(families=1_500, seed=2, phase_shares={"one": 1.0}).records
    panel = tf.family_panel(records, outcomes=NAMES, before=2, after=4)
    design = tf.group_time("first_treated", aggregate="event")
    return records_over_time.fits(design, panel)


@pytest.fixture(scope="module")
def matched():
    rows = {"outcome": NAMES[:1], "estimate": [-0.4], "std_error": [0.1], "months": [12],
            "conf_low": [-0.6], "conf_high": [-0.2], "n_treated": [100],
            "n_comparison": [90]}  # fmt: skip
    return tf.Effects(pd.DataFrame(rows), np.array([[0.01]]))


def test_the_table_has_the_average_and_a_quarter_of_a_years_effect(entry, matched):
    text = records_over_time.beside_table(entry, matched, 3).text()
    row = entry["out_of_work"].aggregate("overall").frame.iloc[0]
    shown = f"{row['estimate']:.1f} ({row['conf_low']:.1f} to {row['conf_high']:.1f})"
    assert shown.replace("-", "\N{MINUS SIGN}") in text
    assert "\N{MINUS SIGN}0.100 (\N{MINUS SIGN}0.150 to \N{MINUS SIGN}0.050)" in text
    assert "not in it" in text  # the matched design has not the second outcome
    assert "Simulated records" in text


def test_few_families_are_not_shown(entry, matched):
    chart = records_over_time.entry_chart(entry, tuple(NAMES))
    shown = entry[NAMES[0]].aggregate("event").frame
    enough = (shown["n_treated"] >= 10) & (shown["n_comparison"] >= 10)
    drawn = chart.data[chart.data["panel"] == chart.data["panel"].iloc[0]]
    assert len(drawn) <= int(enough.sum())
    assert "(simulated records)" in chart.title
    rare = matched.to_frame().assign(n_treated=9)
    told = records_over_time.beside_table(entry, tf.Effects(rare, np.array([[0.01]])), 3).text()
    assert HIDDEN in told and "0.150" not in told
