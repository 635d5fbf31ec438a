"""Bounds for the outcomes that were not seen: against all ways in which they may have been."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import ParameterError


def made(seed: int, size: int = 400, lost: float = 0.15):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"treated": rng.random(size) < 0.4, "age": rng.normal(size=size)})
    out = pd.Series((rng.random(size) < 0.3).astype(float), name="out")
    return frame, out.mask(rng.random(size) < lost)


@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_the_outermost_of_all_ways_to_fill_what_lacks(seed):
    frame, out = made(seed, size=60, lost=0.12)
    design = tf.unweighted(tf.study(frame, covariates=["age"]))
    row = tf.unobserved(design, out, tf.estimate(design, out, method="difference")).iloc[0]
    gaps = np.flatnonzero(out.isna())
    assert 1 < len(gaps) < 14
    treated = frame["treated"].to_numpy()
    effects = []
    for filled in itertools.product((0.0, 1.0), repeat=len(gaps)):
        whole = out.to_numpy(copy=True)
        whole[gaps] = filled
        effects.append(whole[treated].mean() - whole[~treated].mean())
    assert row["bound_low"] == pytest.approx(min(effects))
    assert row["bound_high"] == pytest.approx(max(effects))
    assert row["observed_treated"] == pytest.approx(out[treated].notna().mean())


def test_the_tipping_point_makes_the_effect_nought():
    frame, out = made(5)
    design = tf.unweighted(tf.study(frame, covariates=["age"]))
    row = tf.unobserved(design, out, tf.estimate(design, out, method="difference")).iloc[0]
    treated, seen = frame["treated"].to_numpy(), out.notna().to_numpy()
    whole = out.to_numpy(copy=True)
    whole[treated & ~seen] = row["times"] * out[treated & seen].mean()
    whole[~treated & ~seen] = out[~treated & seen].mean()
    assert whole[treated].mean() - whole[~treated].mean() == pytest.approx(0, abs=1e-12)


def test_nothing_lost_bounds_nothing_and_an_unknown_outcome_is_named():
    frame, out = made(6, lost=0.0)
    design = tf.match(tf.study(frame, covariates=["age"]))
    effects = tf.estimate(design, out)
    row = tf.unobserved(design, out, effects).iloc[0]
    assert row["bound_low"] == pytest.approx(row["estimate"])
    assert row["bound_high"] == pytest.approx(row["estimate"])
    assert np.isnan(row["times"])
    with pytest.raises(ParameterError, match="out is no outcome given"):
        tf.unobserved(design, out.rename("oud"), effects)
