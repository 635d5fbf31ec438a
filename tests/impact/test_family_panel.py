"""Families by period since identification: counts by a slow reference, and known effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.audit.worlds import SIMULATORS

COUNTED = ["offences", "asb_incidents", "domestic_abuse", "ae_attendances"]


@pytest.fixture(scope="module")
def records():
    return tf.simulate(families=600, seed=4, phase_shares={"one": 1.0}).records


def month_later(day, months):
    return day + pd.DateOffset(months=months)


def test_counts_and_first_period_are_those_of_a_slow_reference(records):
    panel = tf.family_panel(records, outcomes=["asb_incidents"], months=4, before=2, after=5)
    families = records.table("families").to_pandas()
    families = families[families["phase"] == "one"].set_index("family_id")
    incidents = records.table("asb_incidents").to_pandas()
    held = panel.outcome("asb_incidents")
    looked = 0
    for row, unit in enumerate(panel.units[:150]):
        family = str(unit).split(":", maxsplit=1)[0]
        found = pd.to_datetime(families.loc[family, "identified_on"])
        own = pd.to_datetime(incidents.loc[incidents["family_id"] == family, "incident_on"])
        for column, period in enumerate(panel.times):
            start, end = month_later(found, 4 * period), month_later(found, 4 * (period + 1))
            if np.isfinite(held[row, column]):
                assert held[row, column] == ((own >= start) & (own < end)).sum()
                looked += 1
        attached = families.loc[family, "attached_on"]
        first = panel.fixed["first_treated"][row]
        if pd.notna(attached) and pd.notna(families.loc[family, "lead_practitioner_on"]):
            inside = [
                period for period in range(5)
                if month_later(found, 4 * period) <= pd.Timestamp(attached)
                < month_later(found, 4 * (period + 1))
            ]  # fmt: skip
            assert (inside or [None])[0] == (None if pd.isna(first) else first)
        else:
            assert pd.isna(first)
    assert looked > 500


def test_an_event_lies_in_one_period_whatever_their_length(records):
    long = tf.family_panel(records, outcomes=COUNTED, months=6, before=1, after=4)
    short = tf.family_panel(records, outcomes=COUNTED, months=2, before=3, after=12)
    for name in COUNTED:
        sums = short.outcome(name).reshape(len(short.units), -1, 3).sum(axis=2)
        known = np.isfinite(sums)
        np.testing.assert_array_equal(long.outcome(name)[known], sums[known])
    assert list(long.units) == list(short.units)


def test_what_is_not_covered_is_missing_and_what_cannot_be_asked_is_refused(records):
    panel = tf.family_panel(records, outcomes=["offences"], months=12, before=1, after=9)
    assert np.isnan(panel.outcome("offences")[:, -1]).all()  # after the records' end
    with pytest.raises(tf.ParameterError, match="absence"):
        tf.family_panel(records, outcomes=["absence"])
    with pytest.raises(tf.ParameterError, match="2 after"):
        tf.family_panel(records, after=1)


SIMULATE = {"rates": tf.simulate, "histories": tf.simulate_histories}


def averages(world, effect, draws, *, families=2_000, simulator="histories"):
    """Return the average effect a quarter of each draw, its error, and the truth's."""
    made = SIMULATORS[simulator]
    design = tf.group_time("first_treated", aggregate="overall", cluster="local_authority")
    rows = []
    for seed in range(draws):
        setting = {**made.base, **made.worlds[world], **made.effects[effect]}
        found = SIMULATE[simulator](families=families, seed=900 + seed, **setting)
        panel = tf.family_panel(found.records, outcomes=["asb_incidents"], after=6)
        row = design.fit(panel, "asb_incidents").aggregate("overall").frame.iloc[0]
        true = found.truth.effects().query("outcome == 'asb_incidents' and horizon_months == 12")
        rows.append((row["estimate"], row["std_error"], true["effect"].item() / 4))
    return pd.DataFrame(rows, columns=["estimate", "std_error", "true"])


@pytest.mark.slow(reason="a known truth needs many draws of two simulators")
@pytest.mark.parametrize("simulator", ["rates", "histories"])
def test_without_an_effect_a_crisis_makes_none_in_either_simulator(simulator):
    rows = averages("crisis", "none", 4, simulator=simulator)
    error = np.sqrt((rows["std_error"] ** 2).sum()) / len(rows)
    assert abs(rows["estimate"].mean()) < 3.3 * error
    assert (rows["estimate"].abs() > 1.96 * rows["std_error"]).sum() <= 2


@pytest.mark.slow(reason="a known truth needs many draws of two simulators")
@pytest.mark.parametrize(("simulator", "families"), [("rates", 5_000), ("histories", 2_000)])
def test_a_known_effect_is_found_in_either_simulator(simulator, families):
    rows = averages("nothing_wrong", "known", 6, simulator=simulator, families=families)
    error = np.sqrt((rows["std_error"] ** 2).sum()) / len(rows)
    # The first period holds families from the middle of it on average, so a little less.
    assert rows["true"].mean() < 0
    assert abs(rows["estimate"].mean() - rows["true"].mean()) < 3.3 * error + 0.2 * abs(
        rows["true"].mean()
    )
    assert rows["estimate"].mean() < -2 * error


@pytest.mark.slow(reason="a broken assumption needs a study of some size to show")
def test_waits_that_hang_on_the_family_show_before_attachment():
    made = SIMULATORS["histories"]
    setting = {**made.base, **made.worlds["crisis"], **made.worlds["informative_waits"]}
    found = tf.simulate_histories(families=8_000, seed=3, **setting)
    panel = tf.family_panel(found.records, outcomes=["offences", "asb_incidents"])
    design = tf.group_time("first_treated", cluster="local_authority")
    tests = [design.fit(panel, name).pre_trend["p_value"] for name in panel.outcomes]
    assert min(tests) < 0.05
