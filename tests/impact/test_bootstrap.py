"""The cluster bootstrap: by counts of clusters it gives what copied rows give."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tests.impact.simulated import simulated
from tfeval.impact.inference import bootstrap_counts
from tfeval.impact.inference.bootstrap import Repeat, cluster_counts, replicates
from tfeval.impact.inference.bootstrap_counts import by_counts
from tfeval.impact.inference.rules import Asked
from tfeval.impact.matching.ordering import ascending
from tfeval.impact.means.influence import weighted_means
from tfeval.impact.means.methods import adjusted_means, covariance_adjusted_means
from tfeval.impact.means.outcomes import aligned
from tfeval.impact.propensity.logit import fit_logit

ADJUSTED = partial(adjusted_means, fixed=False)
AREAS, DRAWS = 20, 12
DESIGNS = {
    "pairs": tf.match,
    "on the probability": lambda study: tf.match(
        study, distance="probability", order="smallest", caliper_spread="pooled"
    ),
    "closest first": lambda study: tf.match(study, order="closest", caliper_spread="treated"),
    "no caliper": lambda study: tf.match(study, caliper=None),
    "pairs, ATC": lambda study: tf.match(study, estimand="ATC"),
    "odds": tf.weight,
    "odds, ATE": lambda study: tf.weight(study, estimand="ATE"),
    "odds, ATC": lambda study: tf.weight(study, estimand="ATC"),
}


def _study(size=1_500, **roles):
    frame, names = simulated(size, 4, seed=2)
    rng = np.random.default_rng(5)
    frame["area"] = np.minimum(rng.integers(0, AREAS + 6, size), AREAS - 1)  # of unequal size
    frame["y"] = frame["x0"] + 0.3 * frame["treated"] + rng.normal(size=size)
    frame["z"] = np.where(rng.random(size) < 0.1, np.nan, rng.random(size) < 0.3)
    return tf.study(frame, covariates=names, cluster="area", **roles), frame


def _both(design, frame, method):
    outcomes = aligned(design.study, frame[["y", "z"]])
    repeat = Repeat(design, Asked("bootstrap", ("area",)), outcomes, None, method)
    codes = design.study.cluster()
    counts = cluster_counts(AREAS, DRAWS, seed=3)
    assert by_counts(design, outcomes, method, codes) is not None
    quick = np.array(list(replicates(repeat, codes, counts)))
    return quick, np.array(list(replicates(repeat, codes, counts, copying=True)))


@pytest.mark.parametrize("method", [weighted_means, ADJUSTED], ids=["difference", "adjusted"])
@pytest.mark.parametrize("name", DESIGNS)
def test_counts_give_what_copied_rows_give(name, method):
    study, frame = _study()
    quick, copied = _both(DESIGNS[name](study), frame, method)
    np.testing.assert_allclose(quick, copied, atol=1e-6 if "odds" in name else 1e-9)


@pytest.mark.parametrize("name", ["no caliper", "odds"])
def test_sampling_weights_count_in_both(name):
    study, frame = _study(weight="sw")
    quick, copied = _both(DESIGNS[name](study), frame, weighted_means)
    # Scores that differ by 1e-9 may lead to another of two units as near.
    np.testing.assert_allclose(quick, copied, atol=3e-3 if name == "no caliper" else 1e-6)
    assert np.median(np.abs(quick - copied)) < 1e-6


def test_more_units_than_the_loops_take_as_plain_python():
    study, frame = _study(6_000)
    quick, copied = _both(tf.match(study), frame, weighted_means)
    assert np.median(np.abs(quick - copied)) < 1e-6
    np.testing.assert_allclose(quick, copied, atol=2e-3)


def test_a_refit_is_the_fit_from_scratch():
    study, _ = _study(weight="sw")
    codes = study.cluster()
    counts = cluster_counts(AREAS, 4, seed=1)
    for most in (bootstrap_counts.MOST, 0):  # by cluster, and as where there are too many clusters
        shared = pytest.MonkeyPatch()
        shared.setattr(bootstrap_counts, "MOST", most)
        held = bootstrap_counts.refits_of(study, codes)
        shared.undo()
        moved, reached = held.moved(counts)
        assert reached.all()
        for draw, own in zip(counts, moved, strict=True):
            fit = fit_logit(study.covariates, study.treated, study.weight * draw[codes])
            np.testing.assert_allclose(held.linear + own, fit.linear, atol=1e-6)


def test_a_draw_that_lacks_a_category_is_left_to_copied_rows():
    study, frame = _study()
    frame["rare"] = (frame["area"] == 0).astype(int)
    study = tf.study(frame, covariates=["x0", "rare"], cluster="area")
    counts = cluster_counts(AREAS, DRAWS, seed=3)
    _moved, reached = bootstrap_counts.refits_of(study, study.cluster()).moved(counts)
    np.testing.assert_array_equal(reached, counts[:, 0] > 0)
    assert 0 < reached.sum() < DRAWS
    quick, copied = _both(tf.weight(study), frame, weighted_means)
    np.testing.assert_allclose(quick, copied, atol=1e-6)


@pytest.mark.parametrize(
    ("design", "method"),
    [
        (lambda study: tf.match(study, ratio=2), weighted_means),
        (lambda study: tf.match(study, calipers={"x0": 0.5}), weighted_means),
        (lambda study: tf.match(study, folds=2), weighted_means),
        (lambda study: tf.match(study, "full"), weighted_means),
        (tf.match, covariance_adjusted_means),
        (lambda study: tf.weight(study, trim=0.99), weighted_means),
        (lambda study: tf.weight(study, "overlap"), weighted_means),
    ],
)
def test_what_counts_cannot_repeat_is_left_to_copied_rows(design, method):
    study, frame = _study()
    outcomes = aligned(study, frame[["y"]])
    assert by_counts(design(study), outcomes, method, study.cluster()) is None


def test_the_public_call_has_the_spread_of_the_replicates(monkeypatch):
    study, frame = _study()
    asked = {"method": "difference", "errors": "bootstrap", "draws": 99, "seed": 4}
    quick = tf.estimate(tf.match(study), frame[["y", "z"]], **asked).to_frame()
    monkeypatch.setattr("tfeval.impact.inference.bootstrap.by_counts", lambda *_: None)
    copied = tf.estimate(tf.match(study), frame[["y", "z"]], **asked).to_frame()
    pd.testing.assert_frame_equal(quick, copied, rtol=1e-6)


def test_a_draw_of_all_units_once_is_the_design_itself():
    study, frame = _study()
    design = tf.match(study)
    held = by_counts(design, aligned(study, frame[["y"]]), weighted_means, study.cluster())
    pair = next(held.means(np.ones((1, AREAS), dtype=int)))
    effect = tf.estimate(design, frame["y"], method="difference").to_frame().iloc[0]
    np.testing.assert_allclose(
        pair[:, 0], [effect["mean_treated"], effect["mean_comparison"]], atol=1e-12
    )


def test_three_copies_have_three_matches():
    score, focal = np.array([0.5, 0.4, 0.41, 0.9]), np.array([True, False, False, False])
    found = bootstrap_counts.matched_copies(score, focal, np.array([3, 2, 0, 4]), 1.0, "largest")
    assert found.tolist() == [3.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize("decimals", [1, 6, 17])
@pytest.mark.parametrize("stretch", [1.0, 1e9])
def test_sorting_is_stable_and_exact_however_near_values_are(decimals, stretch):
    values = np.round(np.random.default_rng(1).normal(size=30_000), decimals)
    values[:2] = stretch, -stretch
    values[2:100] = 0.1 + 1e-16 * np.arange(98)
    found, order = ascending(values)
    np.testing.assert_array_equal(order, np.argsort(values, kind="stable"))
    np.testing.assert_array_equal(found, np.sort(values))
