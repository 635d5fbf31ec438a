"""Minimum detectable effects: against statsmodels, by closed form, and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import tt_ind_solve_power

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import ClusteredDesign, detectable_effects, multiplier

mde = tf.minimum_detectable_effect
DRAWS = 4000
#: Three standard errors of a share of 0.8 in so many draws.
WITHIN = 3 * np.sqrt(0.8 * 0.2 / DRAWS)


@pytest.mark.parametrize(("treated", "comparison"), [(60, 60), (100, 400), (25, 3000)])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_without_clusters_it_is_what_statsmodels_finds(treated, comparison, power):
    exact = tt_ind_solve_power(
        nobs1=treated, ratio=comparison / treated, alpha=0.05, power=power
    )  # exact, by the noncentral t
    assert mde(treated, comparison, sd=1.0, power=power) == pytest.approx(exact, rel=2e-3)


def test_blooms_multipliers():
    # Bloom (1995), table 1: two-sided at 0.05, power 80%: 2.80 for many, 3.11 with 10 degrees.
    assert multiplier(np.inf) == pytest.approx(2.80, abs=0.005)
    assert multiplier(10) == pytest.approx(2.228 + 0.879, abs=0.001)


def test_design_effect_by_hand():
    # 20 authorities of 50: 1 + (50 - 1) x 0.05 = 3.45; half in each group.
    alone = ClusteredDesign(500, 500).std_error(2.0)
    assert alone == pytest.approx(2 * np.sqrt(2 / 500))
    across = ClusteredDesign(500, 500, clusters=20, icc=0.05, allocation="between")
    assert across.std_error(2.0) == pytest.approx(alone * np.sqrt(3.45))
    assert across.freedom == 18
    uneven = ClusteredDesign(
        500, 500, clusters=20, icc=0.05, allocation="between", cluster_cv=0.6
    ).std_error(2.0)
    assert uneven == pytest.approx(alone * np.sqrt(1 + (50 * 1.36 - 1) * 0.05))
    inside = ClusteredDesign(500, 500, clusters=20, icc=0.05)
    assert inside.std_error(2.0) == pytest.approx(alone * np.sqrt(0.95))
    assert inside.freedom == 19


def test_covariates_lessen_each_part():
    made = {"clusters": 20, "icc": 0.2, "allocation": "between"}
    plain = ClusteredDesign(500, 500, **made).std_error(1.0) ** 2
    only_within = ClusteredDesign(500, 500, **made, r2=0.5, r2_between=0).std_error(1.0) ** 2
    both = ClusteredDesign(500, 500, **made, r2=0.5).std_error(1.0) ** 2
    assert plain - only_within == pytest.approx(0.5 * 0.8 * 2 / 500)
    assert both == pytest.approx(plain / 2)


def test_a_curve_is_one_call():
    sizes = np.array([1000, 2000, 4000])
    found = mde(sizes, sizes, share=0.1)
    assert found.shape == (3,)
    assert found[0] / found[2] == pytest.approx(2, rel=2e-3)
    grid = mde(sizes, sizes, share=0.1, clusters=56, icc=np.array([[0.0], [0.05]]))
    assert grid.shape == (2, 3)


def rejected_between(effect, *, sizes, icc, share, rng):
    """Share of studies that find an effect, whole authorities in one group; by cluster means."""
    half = len(sizes) // 2
    treated = np.r_[np.ones(half, bool), np.zeros(len(sizes) - half, bool)]
    level = np.where(treated, effect, 0.0) + (share or 0.0)
    if share is None:
        own = rng.normal(0, np.sqrt(icc), (DRAWS, len(sizes)))
        own = own + rng.normal(0, np.sqrt((1 - icc) / sizes), (DRAWS, len(sizes)))
        means = level + own
    else:  # authorities' shares are beta, so that icc is their intraclass correlation
        weight = 1 / icc - 1
        drawn = rng.beta(level * weight, (1 - level) * weight, (DRAWS, len(sizes)))
        means = rng.binomial(sizes, drawn) / sizes
    p = stats.ttest_ind(means[:, treated], means[:, ~treated], axis=1).pvalue
    return (p < 0.05).mean()


def test_power_between_authorities_is_as_asked():
    rng = np.random.default_rng(1)
    sizes = np.full(20, 40)
    effect = mde(400, 400, sd=1.0, clusters=20, icc=0.06, allocation="between")
    found = rejected_between(effect, sizes=sizes, icc=0.06, share=None, rng=rng)
    assert found == pytest.approx(0.8, abs=WITHIN + 0.005)
    # Errors that forgot the authorities would promise far more than the study can do.
    forgotten = mde(400, 400, sd=1.0)
    assert rejected_between(forgotten, sizes=sizes, icc=0.06, share=None, rng=rng) < 0.45


def test_power_of_a_share_is_as_asked_and_errs_to_the_safe_side():
    rng = np.random.default_rng(2)
    effect = mde(2000, 2000, share=0.3, clusters=40, icc=0.02, allocation="between")
    made = {"sizes": np.full(40, 100), "icc": 0.02, "share": 0.3, "rng": rng}
    assert 0.79 < rejected_between(-effect, **made) < 0.87


def test_power_within_authorities_is_as_asked():
    rng = np.random.default_rng(3)
    clusters, treated, comparison, icc, spread = 16, 20, 60, 0.10, 0.1
    effect = mde(
        clusters * treated, clusters * comparison, sd=1.0, clusters=clusters, icc=icc,
        effect_sd=spread,
    )  # fmt: skip
    own = rng.normal(effect, spread, (DRAWS, clusters))
    noise = np.sqrt((1 - icc) * (1 / treated + 1 / comparison))
    gaps = own + rng.normal(0, noise, (DRAWS, clusters))
    found = (stats.ttest_1samp(gaps, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=WITHIN + 0.005)


def test_power_is_there_for_other_powers_too():
    rng = np.random.default_rng(4)
    effect = mde(400, 400, sd=1.0, clusters=20, icc=0.06, allocation="between", power=0.95)
    found = rejected_between(effect, sizes=np.full(20, 40), icc=0.06, share=None, rng=rng)
    assert found == pytest.approx(0.95, abs=0.015)


def effects(**columns):
    rows = pd.DataFrame({"outcome": ["offences", "absence"], "estimate": [-0.2, 0.01],
                         "std_error": [0.1, 0.004], **columns})  # fmt: skip
    return Effects(rows, np.diag([0.01, 0.000016]))


def test_of_effects_already_estimated():
    found = detectable_effects(effects(clusters=[16, np.nan], mean_comparison=[0.5, 0.0]))
    assert found["freedom"].tolist() == [15, np.inf]
    assert found["detectable"].to_list() == pytest.approx(
        [(stats.t.ppf(0.975, 15) + stats.t.ppf(0.8, 15)) * 0.1, 2.8015852 * 0.004]
    )
    assert found["relative"][0] == pytest.approx(found["detectable"][0] / 0.5)
    assert np.isnan(found["relative"][1])
    stricter = detectable_effects(effects(), power=0.9, level=0.99)
    assert (stricter["detectable"] > detectable_effects(effects())["detectable"]).all()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({}, "sd, or share"),
        ({"sd": 1.0, "share": 0.1}, "not both"),
        ({"share": 10.5}, "0.105"),
        ({"sd": 0.0}, "above 0"),
        ({"sd": 1.0, "icc": 0.1}, "number of clusters"),
        ({"sd": 1.0, "clusters": 56, "icc": 2.0}, "icc lies between"),
        ({"sd": 1.0, "clusters": 2, "allocation": "between"}, "at least 3"),
        ({"sd": 1.0, "allocation": "random"}, "within"),
        ({"sd": 1.0, "power": 80}, "power lies"),
        ({"sd": 1.0, "level": 95}, "level lies"),
    ],
)
def test_mistakes_are_named(made, says):
    with pytest.raises(ParameterError, match=says):
        mde(1000, 1000, **made)


def test_nothing_to_find_a_power_from():
    rows = pd.DataFrame({"outcome": ["a"], "estimate": [1.0], "std_error": [np.nan]})
    with pytest.raises(DataError, match="standard error"):
        detectable_effects(Effects(rows, np.array([[np.nan]])))
