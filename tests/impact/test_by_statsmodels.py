"""Effects beside statsmodels: the same estimates, errors to the small samples' factor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf


def drawn(n=1500, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(size=n), "kind": rng.choice(list("abc"), n)})
    frame["area"] = rng.integers(60, size=n)
    frame["treated"] = rng.random(n) < 1 / (1 + np.exp(1 - 0.7 * frame["age"]))
    frame["y"] = frame["age"] + (frame["kind"] == "b") + frame["treated"] + rng.normal(size=n)
    frame["z"] = (frame["y"] + rng.normal(size=n)).where(rng.random(n) < 0.9)
    return frame


@pytest.mark.parametrize("method", ["difference", "adjusted", "covariance_adjusted"])
@pytest.mark.parametrize("cluster", [None, "area"])
@pytest.mark.parametrize("make", [tf.unweighted, tf.weight, tf.match])
def test_estimates_are_the_same_and_errors_nearly(method, cluster, make):
    frame = drawn()
    made = tf.study(frame, covariates=["age", "kind"], cluster=cluster)
    both = tf.by_statsmodels(make(made), frame[["y", "z"]], method=method)
    assert both.largest_gap < 1e-7
    shown = both.to_frame()
    ratio = shown["std_error_same_terms"] / shown["std_error_statsmodels"]
    # 1,500 units or 60 clusters, at most 8 coefficients.
    assert ratio.between(0.985, 1.015).all()
    assert "by at most" in both.table().text()


def test_what_is_no_regression_is_refused():
    frame = drawn()
    design = tf.weight(tf.study(frame, covariates=["age"]))
    with pytest.raises(tf.ParameterError, match="no coefficient of one regression"):
        tf.by_statsmodels(design, frame["y"], method="doubly_robust")


def test_what_is_not_estimated_has_no_number():
    frame = drawn()
    frame["same"] = 1.0
    design = tf.weight(tf.study(frame, covariates=["age"]))
    both = tf.by_statsmodels(design, frame[["y", "same"]])
    assert both.to_frame()["estimate_statsmodels"].isna().tolist() == [False, True]
    assert "not estimated" in both.table().text()


def test_a_regression_with_no_freedom_left_has_no_error():
    frame = drawn(26, seed=5)
    for name in "bcdefghijklm":
        frame[name] = np.random.default_rng(ord(name)).normal(size=26)
    frame["treated"] = np.arange(26) % 2 == 0
    made = tf.study(frame, covariates=["age", *"bcdefghijklm"])
    shown = tf.by_statsmodels(tf.unweighted(made), frame["y"], method="adjusted").to_frame()
    assert shown["std_error_statsmodels"].isna().all()
