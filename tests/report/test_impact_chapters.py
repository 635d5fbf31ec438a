"""Chapters 3 and 4 on small simulated records: warnings, choices, what is recorded."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.report.analyses import analysis
from tfeval.display.check_words import CHECKS, CONFIDENCES, UNMEASURED
from tfeval.display.names import VERDICTS
from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError
from tfeval.impact.effects.words import hidden_rows
from tfeval.report.chapters import (
    areas,
    comparison,
    impact,
    linked,
    specifications,
    unmeasured,
)
from tfeval.report.notebook_parts import content_of
from tfeval.report.record import Record, Records

SIMULATED = SimpleNamespace(simulated=True)


@pytest.fixture(scope="module")
def found():
    with linked.simulated_families(6_000):
        yield analysis()


@pytest.fixture(scope="module")
def choices(found):
    return specifications.specifications(found)


def failing(found):
    """Return the same comparison held to thresholds that nothing meets."""
    strict = {**found.balance.thresholds, "smd": 1e-9, "smd_limit": 1e-8}
    return replace(found, balance=replace(found.balance, thresholds=strict))


def test_nobody_can_miss_that_balance_failed(found):
    failed = failing(found)
    page = comparison.banner(SIMULATED, failed.balance)
    assert 'role="alert"' in page.html()
    assert "NOT ALIKE" in page.html()
    assert "not findings about the programme" in page.html()
    assert "NOT ALIKE" in comparison.headline(failed.design, failed.balance)
    assert "NOT ALIKE before the programme" in impact.headline(failed)
    assert "WARNING: NOT BALANCED" in repr(failed.balance)
    good = comparison.banner(SIMULATED, found.balance).html()
    assert "alert" not in good
    assert "not findings" in good


def test_covariates_are_named_in_words_everywhere(found):
    shown = [
        found.balance.plot().data["label"].str.cat(),
        found.balance.summary().text(),
        found.design.distribution(comparison.worst_covariate(found.families, found.balance)).title,
        found.effects.table().text(),
    ]
    assert not any("_before" in text for text in shown)
    told = comparison.covariates_table(found.families, found.study)
    assert len(told.rows) == len(found.families.covariates)


def test_whose_effect_it_is_and_adjusted_p_values_are_shown(found):
    text = found.effects.table().text()
    assert "Estimand: ATT, the average effect on the treated" in text
    assert "p, adjusted" in text
    assert "person-days a family" in text
    frame = found.effects.to_frame()
    # An effect without an error has neither p.
    known = frame[frame["status"] == "estimated"]
    assert (known["p_adjusted"] >= known["p_value"] - 1e-9).all()
    assert (
        frame.loc[frame["status"] != "estimated", ["p_value", "p_adjusted"]].isna().all(axis=None)
    )
    assert "ATT" in impact.plan_table(found).text()
    assert found.plan.hash in impact.plan_table(found).text()


def test_the_page_says_what_the_register_shows_and_no_more(found, tmp_path):
    said = str(found.plan.registration)
    assert said.startswith(f"registered as version {found.plan.version} on ")
    text = " ".join(impact.plan_table(found).text().split())
    assert said[1:] in text and "written before" not in text
    elsewhere = tf.read_plan(register=tmp_path / "none.register")
    text = " ".join(impact.plan_table(replace(found, plan=elsewhere)).text().split())
    assert "Not registered: nothing shows that it was written before outcomes were read" in text


def test_outcomes_are_opened_under_the_plan_or_without_it(tmp_path):
    plan = tf.read_plan()
    for register, under in ((None, plan.hash), (tmp_path / "none.register", "")):
        records = tf.simulate(families=400, seed=1).records
        own = tf.read_plan(register=register)
        families = tf.cohort(records, plan=own)
        opened = impact.opened(families, own)
        assert families.closed and not opened.closed and families.origin.opened == [under]


def test_what_was_not_planned_is_said_in_the_headline_and_the_table():
    other = analysis(horizon=6, design="entropy")
    assert "exploratory, not as planned" in impact.headline(other)
    assert "(exploratory)" in other.effects.table().text()


def test_choices_change_one_thing_at_a_time_and_begin_with_the_one_made(found, choices):
    keys = choices[list(specifications.KEYS)].drop_duplicates(ignore_index=True)
    own = ("not_yet_treated", "nearest", "adjusted", "supported", "left_out")
    assert tuple(keys.iloc[0]) == own
    changed = (keys != own).sum(axis=1)
    # The naive difference has neither design nor estimator of the one chosen.
    naive = (keys["design"] == "unweighted") & (keys["estimator"] == "difference")
    assert changed.tolist() == [0] + [1] * (len(keys) - 3) + [2, 1]
    assert changed[naive].tolist() == [2]
    first = choices[(choices[list(specifications.KEYS)] == own).all(axis=1)]
    frame = found.effects.to_frame()
    frame = frame[~hidden_rows(frame)].set_index("outcome")
    assert set(first["outcome"]) == set(frame.index)
    for row in first.to_dict("records"):
        assert row["estimate"] == frame.loc[row["outcome"], "estimate"]
    text = specifications.specifications_table(found, choices).text()
    assert "As chosen" in text
    assert "estimand ATT" in text


def test_the_truth_beside_the_estimates_is_that_of_the_families_compared(found):
    truth = linked.truth_of("simulated")
    frame = found.families.to_pandas().loc[found.study.index]
    kept = frame.loc[found.design.target > 0, "family_id"].unique()
    one = truth.people_outcomes.query("horizon_months == 12")
    one = one[one["family_id"].isin(kept)]
    expected = (one["y1_out_of_work_days"] - one["y0_out_of_work_days"]).sum() / len(kept)
    rows = specifications.truth_table(found).text()
    line = next(line for line in rows.splitlines() if "Out-of-work benefits" in line)
    assert f"{expected:.1f}".replace("-", "−") in line


def test_effects_are_recorded_and_read_as_they_were(found, monkeypatch):
    told, tables = {}, {}
    monkeypatch.setattr(
        impact,
        "record",
        lambda name, value, *rest, **more: told.__setitem__(name, Record(name, value)),
    )
    monkeypatch.setattr(
        impact, "record_table",
        lambda name, frame: tables.__setitem__(name, content_of(name, frame)),
    )  # fmt: skip
    impact.record_effects(found)
    again = impact.read_effects(Records("04", told, tables))
    exact = found.effects
    kept = np.flatnonzero(~hidden_rows(exact.to_frame()))
    assert again.frame["estimate"].to_numpy() == pytest.approx(
        exact.frame["estimate"].to_numpy()[kept], rel=1e-5
    )
    assert again.joint == pytest.approx(exact.joint[np.ix_(kept, kept)], rel=1e-5)
    assert again.simulated
    # Counts of families leave rounded, and small ones not at all.
    assert told["families_followed"].value % 10 == 0
    assert not {"n_treated", "events_treated"} & set(tables["effects"]["columns"])


def test_authorities_too_small_to_show_leave_no_number(found):
    pooled = areas.areas(found)
    rows = areas.areas_record(pooled)
    assert rows["hidden"].any()
    hidden = rows[rows["hidden"]]
    numbers = hidden.drop(columns=["name", "hidden", "outcome", "treated", "comparison"])
    assert numbers.isna().all(axis=None)
    held = next(iter(pooled.values())).to_frame().set_index("name")
    small = held.index[held["n_treated"] < THRESHOLD]
    assert len(small)
    first = rows[rows["outcome"] == next(iter(pooled))].set_index("name")
    assert (first.loc[small, "treated"] == "fewer than 10").all()


def test_a_comparison_group_that_nobody_was_followed_in_is_named(found):
    with pytest.raises(DataError, match=r"waiting could be followed for 18 months: choose"):
        analysis(comparison="waiting", horizon=18)


def test_real_records_carry_no_banner_and_no_truth(monkeypatch, found):
    assert comparison.banner(SimpleNamespace(simulated=False), found.balance) is None
    monkeypatch.setattr(specifications, "truth_of", lambda extract, phase: None)
    real = replace(
        found, design=replace(found.design, study=replace(found.design.study, simulated=False))
    )
    assert "not known" in specifications.truth_table(real).text()


# ------------------------------------------------------------------ how sure


@pytest.fixture(scope="module")
def checked(found):
    with linked.simulated_families(6_000):
        return tf.diagnose(
            found.design, found.families, tf.records_of("simulated"), months=found.horizon,
            outcomes=["offences", "out_of_work", "asb_incidents"],
        )  # fmt: skip


def recorded(sure, monkeypatch):
    """Return what chapter 4 records of confidence, as chapter 8 reads it."""
    made = {"balance": Record("balance", sure.balance)}
    monkeypatch.setattr(
        unmeasured, "record",
        lambda name, value, **_: made.update({name: Record(name, value)}),
    )  # fmt: skip
    unmeasured.record_confidence(sure)
    return Records(
        "04_impact", made, {"checks": content_of("checks", unmeasured.checks_record(sure))}
    )


def test_the_summary_says_of_confidence_what_chapter_4_does(found, checked, monkeypatch):
    sure = unmeasured.sureness(found, checked)
    said = unmeasured.sure_words(recorded(sure, monkeypatch))
    assert f"Confidence: {CONFIDENCES[sure.level]}." in said
    for check in (*sure.failed, *sure.not_judged):
        assert CHECKS[check] in said
        assert CHECKS[check] in unmeasured.confidence_table(sure).text()
    assert sure.level != "high"
    assert unmeasured.event_study(checked).alt


def test_groups_are_never_called_balanced_without_the_unmeasured_beside_it(monkeypatch):
    for balance in VERDICTS:
        for bound in UNMEASURED:
            sure = tf.Confidence("moderate", (), (), balance, bound)
            said = unmeasured.sure_words(recorded(sure, monkeypatch))
            assert f"the groups are {VERDICTS[balance]}; {UNMEASURED[bound]}" in said
    alone = Records("04_impact", {"balance": Record("balance", "balanced")}, {})
    assert UNMEASURED["not_known"] in unmeasured.sure_words(alone)
    assert "not known" in unmeasured.sure_words(alone).split(".")[0]


def test_a_failed_placebo_is_never_read_as_high_confidence(found, checked, monkeypatch):
    frame = checked.frame.assign(verdict="passed")
    frame.loc[frame["check"] == "placebo_outcomes", "verdict"] = "failed"
    sure = unmeasured.sureness(found, replace(checked, frame=frame))
    said = unmeasured.sure_words(recorded(sure, monkeypatch))
    assert "Confidence: low. Failed: placebo outcomes." in said
    # Where the checks are not possible, none of them is taken for passed.
    none = unmeasured.sureness(found, impact.or_why_not(tf.diagnose, None, found.families,
                                                        records=None))  # fmt: skip
    assert none.level == "moderate"


# ------------------------------------------------------------------ effects over several windows


@pytest.fixture(scope="module")
def windows(found):
    with linked.simulated_families(6_000):
        return specifications.windows(found)


def test_windows_are_of_the_same_families(found, windows):
    frame = windows.frame
    assert set(frame["months"]) == {6, 12, 18, 24}
    assert {"absence", "offences", "out_of_work"} <= set(frame["outcome"])
    for _, rows in frame[frame["months"] >= found.horizon].groupby("outcome"):
        assert rows["n_treated"].nunique() == rows["n_comparison"].nunique() == 1
        assert rows["n_missing"].nunique() == 1
    assert not hidden_rows(frame).any()
    assert windows.settings["balance"] == "balanced"


def test_windows_vary_together_as_their_families_do(found):
    plain = replace(found, specification=replace(found.specification, estimator="difference"))
    with linked.simulated_families(6_000):
        effects = specifications.windows(plain).select("out_of_work", months=[12, 24])
        spec = found.specification
        families = linked.cohort_of("simulated", spec.phase, spec.comparison, (6, 12, 18, 24))
    study = tf.study(families, months=24)
    design = tf.design(study, spec.design, caliper=spec.caliper)
    values = families.outcomes()["out_of_work"].loc[study.index, [12, 18, 24]]
    known = values.notna().all(axis=1).to_numpy() & (design.weights > 0)
    y, weights = values[[12, 24]].to_numpy()[known], design.weights[known]
    psi, differences = np.zeros_like(y), []
    for arm, sign in ((study.treated[known], 1), (~study.treated[known], -1)):
        mean = np.average(y[arm], axis=0, weights=weights[arm])
        differences.append(sign * mean)
        psi[arm] = sign * weights[arm][:, None] * (y[arm] - mean) / weights[arm].sum()
    codes = study.cluster()[known]
    sums = np.stack([psi[codes == code].sum(axis=0) for code in np.unique(codes)])
    assert effects.frame["estimate"].to_numpy() == pytest.approx(sum(differences), rel=1e-9)
    by_hand = sums.T @ sums
    together = by_hand[0, 1] / np.sqrt(by_hand[0, 0] * by_hand[1, 1])
    assert effects.correlation()[0, 1] == pytest.approx(together, abs=1e-6)


def test_a_window_that_adds_fewer_than_ten_is_left_out():
    treated = np.repeat([True, False], 100)
    design = SimpleNamespace(study=SimpleNamespace(treated=treated), weights=np.ones(200))

    def events(count):  # the first of either arm
        return np.tile(np.arange(100) < count, 2).astype(float)

    counts = {12: 20, 18: 25, 24: 31}
    outcomes = pd.DataFrame({("offences", span): events(count) for span, count in counts.items()})
    rows = pd.DataFrame(
        {
            "outcome": "offences", "months": list(counts), "n_treated": 100, "n_comparison": 100,
            "events_treated": list(counts.values()), "events_comparison": list(counts.values()),
            "mean_treated": 0.5, "mean_comparison": 0.5,
        }
    )  # fmt: skip
    # Five more by eighteen months; eleven more, by two years, than the last that is shown.
    assert specifications._tell_of_few(rows, outcomes, design).tolist() == [False, True, False]


def read_back(effects, monkeypatch, horizon=12):
    """Return what chapter 7 makes of what chapter 4 records, and the records."""
    told, tables = {}, {}
    monkeypatch.setattr(
        specifications, "record", lambda name, value: told.update({name: Record(name, value)})
    )
    monkeypatch.setattr(
        specifications, "record_table",
        lambda name, frame: tables.update({name: content_of(name, frame)}),
    )  # fmt: skip
    specifications.record_windows(effects)
    told |= {"horizon": Record("horizon", horizon), "simulated": Record("simulated", True)}
    records = Records("04_impact", told, tables)
    return specifications.lasting(records, tf.Assumptions(persistence=0.6)), records


def test_windows_are_recorded_and_read_as_they_were(windows, monkeypatch):
    again, records = read_back(windows, monkeypatch)
    exact = tf.decay(windows, persistence=(0.6, 0.1, 1.0))
    assert again.posterior == pytest.approx(exact.posterior, rel=1e-4)
    assert again.p_value == pytest.approx(exact.p_value, rel=1e-4)
    assert again.assumed[0] == pytest.approx(0.6)
    said = specifications.lasting_words(again, records).text()
    assert said == again.words()
    assert said.startswith("Simulated records: ")
    held = replace(windows, settings={**windows.settings, "balance": "not_balanced"})
    again, records = read_back(held, monkeypatch)
    assert "NOT ALIKE" in specifications.lasting_words(again, records).text()


def test_without_a_longer_window_the_share_is_as_assumed(found, monkeypatch):
    longest = replace(found, specification=replace(found.specification, horizon=24))
    with linked.simulated_families(6_000):
        effects = specifications._windows(longest)
    assert effects.frame.empty
    again, records = read_back(effects, monkeypatch, horizon=24)
    assert again.why == "one_window"
    assert "do not say how long effects last" in specifications.lasting_words(again, records).text()
    assert again.moments(1)[1] == pytest.approx(0.6)


def test_what_is_kept_of_the_choices_is_what_they_are(found):
    kept, made = specifications.specifications(found), specifications._specifications(found)
    pd.testing.assert_frame_equal(kept, made)
    pd.testing.assert_frame_equal(specifications.specifications(found), made)
    pooled, again = areas.areas(found), areas._areas(found)
    assert list(pooled) == list(again) and pooled.simulated and pooled.failed == again.failed
    for name, one in pooled.items():
        pd.testing.assert_frame_equal(one.frame, again[name].frame)
