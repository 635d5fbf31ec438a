"""Chapter 5's second half: averages and charts of staggered entry, and few families hidden."""

from __future__ import annotations

import dataclasses

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
    assert "Simulated records" in chart.title
    rare = matched.to_frame().assign(n_treated=9)
    told = records_over_time.beside_table(entry, tf.Effects(rare, np.array([[0.01]])), 3).text()
    assert HIDDEN in told and "0.150" not in told


def test_what_cannot_be_estimated_says_why(entry, matched):
    nobody = {**entry, NAMES[0]: "The outcome is seen of no unit that could be compared."}
    why = tf.table(pd.DataFrame({"": ["no"]}), caption="Not possible")
    told = records_over_time.beside_table(nobody, why, 3).text()
    assert "seen of no unit" in told and "not in it" in told
    chart = records_over_time.entry_chart(nobody, tuple(NAMES))
    assert chart.data["panel"].nunique() == 1
    none = records_over_time.entry_chart({NAMES[0]: nobody[NAMES[0]]}, (NAMES[0],))
    assert "No period has an effect" in none.text()


def test_rare_outcomes_are_hidden_though_families_are_many():
    panel = _rare_panel(per_arm=300, having=6)
    design = tf.group_time("first_treated", aggregate="event")
    found = records_over_time.fits(design, panel)
    rows = found["arrest"].aggregate("overall").frame
    assert rows["n_treated"].iloc[0] == 300
    assert rows["events_treated"].iloc[0] <= 6
    chart = records_over_time.entry_chart(found, ("arrest",))
    assert "No period has an effect" in chart.text()
    often = records_over_time.fits(design, _rare_panel(per_arm=300, having=120))
    assert len(records_over_time.entry_chart(often, ("arrest",)).data)


def _rare_panel(per_arm: int, having: int) -> tf.Panel:
    """Return units of which the first `having` of either arm have the outcome, in turn."""
    units = np.arange(2 * per_arm)
    times = np.arange(1, 6)
    frame = pd.DataFrame(
        [(unit, time, float(unit % per_arm < having and (unit + time) % 2))
         for unit in units for time in times], columns=["unit", "time", "arrest"],
    )  # fmt: skip
    frame["first_treated"] = np.where(frame["unit"] < per_arm, 4.0, np.nan)
    return tf.panel(frame, unit="unit", time="time", outcomes=["arrest"], fixed=["first_treated"])


def test_events_are_counted_at_least_as_a_slow_count_has_them(entry):
    found = entry[NAMES[0]]
    panel_events = found.frame[["events_treated", "events_comparison"]].to_numpy()
    sizes = found.frame[["n_treated", "n_comparison"]].to_numpy()
    assert (panel_events <= sizes).all() and (panel_events >= 0).all()
    rows = found.aggregate("event").frame
    for _, row in rows.iterrows():
        own = found.frame[found.frame["event"] == row["event"]]
        assert row["events_treated"] == own["events_treated"].sum()
        assert row["events_comparison"] == own["events_comparison"].max()


def test_one_authority_has_errors_by_family():
    records = tf.simulate(families=1_500, seed=2, phase_shares={"one": 1.0}).records
    panel = tf.family_panel(records, outcomes=NAMES[:1], before=1, after=2)
    one = panel.fixed.assign(local_authority="E08000014")
    design = tf.group_time("first_treated", cluster="local_authority")
    found = records_over_time.fits(design, dataclasses.replace(panel, fixed=one))
    assert found[NAMES[0]].settings.cluster is None
