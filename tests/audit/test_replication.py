"""A replication sets every cell beside the right truth, and counts what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.audit.replication import (
    COLUMNS,
    PAGE,
    PRIMARY,
    Cell,
    Task,
    cells,
    replicate,
    simulated,
    true_effects,
)
from tfeval.audit.worlds import KNOWN, NONE
from tfeval.impact.plan.analysis_plan import read_plan
from tfeval.programme.outcomes import outcome

WANTED = [PAGE, Cell(12, "overlap", "adjusted"), Cell(12, "unweighted", "difference")]


@pytest.fixture(scope="module")
def task():
    return Task("rates", "crisis", KNOWN, families=900, seed=5, replication=2)


@pytest.fixture(scope="module")
def rows(task):
    return replicate(task, ["not_yet_treated", "waiting"], WANTED)


def test_the_outcomes_are_those_of_the_plan():
    assert set(PRIMARY) == set(read_plan().primary)


def test_every_group_cell_and_outcome_has_its_row(rows):
    assert list(rows.columns) == list(COLUMNS)
    keys = ["comparison", "horizon", "design", "estimator", "outcome"]
    expected = [(group, *vars(cell).values(), name) for group in ("not_yet_treated", "waiting")
                for cell in WANTED for name in cell.outcomes]  # fmt: skip
    assert sorted(rows[keys].itertuples(index=False, name=None)) == sorted(expected)
    unknown = rows["estimate"].isna() | rows["std_error"].isna()
    assert (rows.loc[unknown, "why"] != "").all()
    assert (rows.loc[~unknown, "why"] == "").all()


def test_estimates_are_those_of_the_public_verbs(task, rows):
    families = tf.cohort(simulated(task).records, phase="one", horizon=(6, 12))
    made = tf.design(tf.study(families, months=12), "nearest")
    effects = tf.estimate(made, families, months=12).to_frame().set_index("outcome")
    primary = tf.estimate(made, families.outcomes(12)[list(PRIMARY)], months=12)
    corrected = tf.correct(primary, "romano_wolf").to_frame().set_index("outcome")
    own = rows[(rows["comparison"] == "not_yet_treated") & (rows["design"] == "nearest")]
    here = own[own["outcome"].isin(PRIMARY)].set_index("outcome")["p_adjusted"].astype(float)
    pd.testing.assert_series_equal(here, corrected.loc[here.index, "p_adjusted"])
    for row in own.to_dict("records"):
        assert row["estimate"] == pytest.approx(effects.loc[row["outcome"], "estimate"], rel=1e-9)
        assert row["verdict"] == made.balance().verdict().word


def test_truth_is_the_mean_over_those_compared_as_weighted(task, rows):
    """A slow reading: family by family, from the simulator's own potential outcomes."""
    made = simulated(task)
    families = tf.cohort(made.records, phase="one", horizon=(6, 12))
    frame = families.to_pandas()
    people = made.truth.people_outcomes.query("horizon_months == 12")
    for name in ("nearest", "overlap"):
        design = tf.design(tf.study(families, months=12), name)
        known = families.outcomes(12).loc[design.study.index, "out_of_work"].notna().to_numpy()
        total = weight = 0.0
        for place, at in enumerate(design.study.index):
            if not design.study.treated[place] or design.weights[place] <= 0 or not known[place]:
                continue
            own = people[people["family_id"] == frame.loc[at, "family_id"]]
            gain = (own["y1_out_of_work_days"] - own["y0_out_of_work_days"]).sum()
            total += design.target[place] * gain
            weight += design.target[place]
        found = rows[(rows["comparison"] == "not_yet_treated") & (rows["design"] == name)
                     & (rows["outcome"] == "out_of_work")]  # fmt: skip
        assert found["truth"].item() == pytest.approx(total / weight, rel=1e-9)


def test_absence_is_a_share_in_each_world(task):
    truth = simulated(task).truth
    found = true_effects(truth, 12)["absence"]
    people = truth.people_outcomes.query("horizon_months == 12")
    for family, own in list(people.groupby("family_id"))[:60]:
        shares = []
        for world in (0, 1):
            missed = own[f"y{world}_sessions_authorised"] + own[f"y{world}_sessions_unauthorised"]
            possible = own[f"y{world}_sessions_possible"].sum()
            shares.append(missed.sum() / possible if possible else np.nan)
        assert found[family] == pytest.approx(shares[1] - shares[0], nan_ok=True)
    effects = truth.by_family(12)
    names = [name for name in PRIMARY if outcome(name).truth]
    same = true_effects(truth, 12)[names].set_axis([outcome(name).truth for name in names], axis=1)
    pd.testing.assert_frame_equal(same, effects[same.columns], check_names=False)


def test_what_cannot_be_estimated_is_counted_with_its_reason():
    tiny = Task("rates", "nothing_wrong", NONE, families=40, seed=1, replication=0)
    rows = replicate(tiny, ["waiting", "other_authorities"], WANTED)
    assert len(rows) == 2 * sum(len(cell.outcomes) for cell in WANTED)
    failed = rows[rows["estimate"].isna()]
    assert len(failed) and (failed["why"].str.len() > 10).all()


def test_a_fault_of_the_package_is_counted_too(task, monkeypatch):
    def broken(*_, **__):
        raise np.linalg.LinAlgError("Singular matrix of family xyz")

    monkeypatch.setattr("tfeval.audit.replication.estimate", broken)
    rows = replicate(task, ["not_yet_treated"], [PAGE])
    assert rows["estimate"].isna().all() and len(rows) == len(PAGE.outcomes)
    assert set(rows["why"]) == {"LinAlgError; its own text is withheld"}


def test_a_fault_that_does_not_come_again_is_none(task, rows, monkeypatch):
    left = [OSError("No space left on device")]

    def unlucky(*given, **named):
        if left:
            raise left.pop()
        return cohort(*given, **named)

    from tfeval.audit.replication import cohort

    monkeypatch.setattr("tfeval.audit.replication.cohort", unlucky)
    again = replicate(task, ["not_yet_treated", "waiting"], WANTED)
    assert not left
    pd.testing.assert_frame_equal(again, rows, check_exact=True)


def test_the_short_grid_changes_one_thing_at_a_time():
    for cell in cells():
        changed = sum(getattr(cell, name) != getattr(PAGE, name) for name in vars(PAGE))
        assert changed <= 1 or cell.design == "unweighted"
