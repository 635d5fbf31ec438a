"""Published effects: the figures as printed, errors as bounds, and no finding as zero."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import tfeval as tf
from tfeval.errors import ParameterError
from tfeval.impact.effects.power import ClusteredDesign
from tfeval.impact.effects.published import (
    NAMES,
    evaluation_sources,
    phase_one_design,
    phase_one_inputs,
    without_values,
)
from tfeval.programme.published import published


def test_the_2019_effects_are_those_printed():
    frame = tf.published_effects("2019").to_frame().set_index(["outcome", "population"])
    points = (frame["estimate"] * 100).round(6).to_dict()
    assert points == {
        ("looked_after", "children"): -0.8,
        ("custody", "adults"): -0.4,
        ("custody", "juveniles"): -0.3,
        ("conviction", "juveniles"): -0.7,
        ("jobseekers_allowance", "adults"): -1.2,
    }
    gaps = frame["mean_treated"] - frame["mean_comparison"]
    assert gaps.to_list() == pytest.approx(frame["estimate"].to_list())
    relative = (frame["relative"] * 100).round().tolist()
    assert relative == [-32, -25, -38, -15, -11]  # as the press printed them
    assert frame["months"].unique().tolist() == [24]


def test_an_error_is_the_most_that_significance_allows():
    found = tf.published_effects("2019")
    frame = found.to_frame()
    assert (np.abs(frame["estimate"]) / frame["std_error"]).tolist() == pytest.approx(
        [1.959964] * 5
    )
    assert frame["conf_high"].tolist() == [0.0] * 5
    assert frame["conf_low"].to_list() == pytest.approx((2 * frame["estimate"]).to_list())
    assert np.allclose(np.diag(found.joint), frame["std_error"] ** 2)
    assert np.isnan(found.joint[0, 1])
    looser = tf.published_effects("2019", significance=0.10).to_frame()
    assert (looser["std_error"] > frame["std_error"]).all()


def test_a_bound_on_the_error_is_kept_by_any_significant_study():
    """Whatever the true error: where a study finds significance, its error is below the bound."""
    rng = np.random.default_rng(1)
    error = rng.uniform(0.001, 0.02, 20_000)
    estimate = rng.normal(-0.008, error)
    p = 2 * stats.norm.sf(np.abs(estimate / error))
    assert (error[p < 0.05] <= np.abs(estimate[p < 0.05]) / 1.959963).all()


def test_no_consistent_effect_is_an_interval_and_no_zero():
    found = tf.published_effects("2016")
    frame = found.to_frame()
    assert frame["estimate"].isna().all()
    assert (frame["conf_low"] == -frame["conf_high"]).all()
    assert (frame["conf_high"] > 0.002).all()
    assert "not an estimate of zero" in found.table().text()
    assert "no estimate; " in found.table().text()


def test_the_2016_interval_holds_what_the_design_would_mostly_miss():
    """At its ends a study finds nothing in one of twenty tries; outside more rarely."""
    rng = np.random.default_rng(2)
    design = ClusteredDesign(400, 400, clusters=20, icc=0.05)
    row = tf.published_effects("2016", design=design).to_frame().iloc[0]
    sd = 0.5
    noise = np.sqrt(0.95 * sd**2 * 2 / 20)  # of each of 20 authorities: 20 in each group
    for times, expected in ((1.0, 0.05), (0.5, None), (1.3, None)):
        gaps = row["conf_high"] * times + rng.normal(0, noise, (20_000, 20))
        missed = (stats.ttest_1samp(gaps, 0, axis=1).pvalue >= 0.05).mean()
        if expected is None:
            assert (missed > 0.05) == (times < 1)
        else:
            assert missed == pytest.approx(expected, abs=0.006)


def test_a_larger_study_or_one_within_authorities_rules_out_more():
    def width(**made: object) -> float:
        frame = tf.published_effects("2016", design=phase_one_design(**made)).to_frame()
        return float(frame["conf_high"].iloc[0])

    assert width(records=80_000) < width(records=20_000)
    assert width() < width(allocation="between")
    assert width(allocation="between", icc=0.01) < width(allocation="between", icc=0.05)


def test_inputs_of_the_design_are_published_or_said_to_be_assumed():
    inputs = {item.name: item for item in phase_one_inputs()}
    assert inputs["clusters"].value == 56
    assert inputs["clusters"].sources
    assert inputs["records"].sources
    assert inputs["icc"].basis == "assumed"


def test_findings_without_a_value_are_named():
    assert set(without_values("2019")["outcome"]) == {"on child protection plan"}
    assert len(without_values("2019")) == 3
    assert "child protection plan" in tf.published_effects("2019").table().text()
    assert all(source.url for name in ("2016", "2019") for source in evaluation_sources(name))


def test_every_2019_outcome_with_a_value_has_a_name():
    rows = published("evaluation_outcomes")
    rows = rows[(rows["evaluation"] == "2019 phase two") & rows["value"].notna()]
    assert set(rows["outcome"]) <= set(NAMES)


def test_mistakes_are_named():
    with pytest.raises(ParameterError, match="Did you mean 2019"):
        tf.published_effects("2018")
    with pytest.raises(ParameterError, match="significance"):
        tf.published_effects("2019", significance=5)
