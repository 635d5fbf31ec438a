"""Overlap and censoring: against slow references and closed forms, planted faults, clean worlds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import tfeval as tf
from tfeval.cohort.counting import outcomes_around
from tfeval.impact.diagnostics import left_out
from tfeval.impact.diagnostics.left_out import Censored, judged_censoring, judged_overlap
from tfeval.impact.diagnostics.placebos import TOGETHER
from tfeval.impact.diagnostics.verdicts import adjusted_p

# ------------------------------------------------------------------ overlap


def shifted(by, seed=1, size=3_000):
    """Return a study of two arms of one size whose covariate lies `by` deviations apart."""
    rng = np.random.default_rng(seed)
    treated = np.arange(size) % 2
    return tf.study(
        pd.DataFrame({"treated": treated, "need": rng.normal(size=size) + by * treated}),
        covariates=["need"],
    )


def verdict(design):
    row = judged_overlap(left_out.overlap(design))
    return row["verdict"], row["reason"]


@pytest.mark.parametrize("strata", [1, 4])
def test_who_lies_outside_is_whom_a_slow_count_finds(strata):
    rng = np.random.default_rng(strata)
    for size in (12, 60, 200):
        score = rng.beta(0.6, 0.6, size)
        treated = rng.random(size) < score
        treated[:2] = [True, False]
        codes = rng.integers(0, strata, size)
        linear = np.log(score / (1 - score))
        spread = np.sqrt((linear[treated].var() + linear[~treated].var()) / 2)
        expected = []
        for one in range(size):
            like = [abs(linear[one] - linear[other]) <= 0.2 * spread
                    for other in range(size)
                    if treated[other] != treated[one] and codes[other] == codes[one]]  # fmt: skip
            own = score[one] if treated[one] else 1 - score[one]
            expected.append(not any(like) or own > 0.9)
        assert left_out.lies_outside(score, treated, codes).tolist() == expected


@pytest.mark.parametrize("by", [1.5, 2.0, 2.5])
def test_the_share_outside_is_that_of_two_normal_distributions(by):
    # By Bayes the log odds at x are by * x - by^2 / 2: 9 of 10 are treated above this x.
    above = np.log(9) / by + by / 2
    expected = stats.norm.sf(above - by)
    check = left_out.overlap(tf.weight(shifted(by, size=12_000)))
    assert check.outside == pytest.approx(expected, abs=0.025)
    failed = expected > left_out.MOST_OUTSIDE
    assert judged_overlap(check)["verdict"] == ("failed" if failed else "passed")


def test_a_lack_of_overlap_is_seen_and_clean_draws_pass():
    for seed in range(20):
        assert verdict(tf.match(shifted(0.5, seed, 800))) == ("passed", "overlaps")
    far = tf.unweighted(shifted(3.0))
    assert verdict(far) == ("failed", "outside")
    apart = tf.unweighted(shifted(12.0))
    assert verdict(apart) == ("failed", "told_apart")


def test_weights_that_rest_on_few_are_seen():
    even = tf.unweighted(shifted(0.0))
    one = even.weights.copy()
    one[1] *= 200  # of 1,500: 200 of 1,699 is more than a twentieth
    assert verdict(replace(even, weights=one)) == ("failed", "few_carry")
    few = np.where(np.arange(3_000) < 100, 1.0, 1e-4)
    check = left_out.overlap(replace(even, weights=few))
    # By hand: 50 of weight 1, 1,450 of 0.0001.
    assert check.effective == pytest.approx(50.145**2 / (50 + 1_450e-8) / 1_500)
    assert judged_overlap(check)["reason"] == "few_carry"


def test_whom_the_effect_is_about_decides_who_may_not_be_alone():
    rng = np.random.default_rng(3)
    need = np.r_[rng.normal(size=500), rng.normal(size=500), rng.normal(4, 0.3, size=500)]
    study = tf.study(
        pd.DataFrame({"treated": np.repeat([1, 0, 0], 500), "need": need}), covariates=["need"]
    )
    about = {one: left_out.overlap(tf.weight(study, estimand=one)).outside
             for one in ("ATT", "ATC")}  # fmt: skip
    assert about["ATT"] < 0.02 and about["ATC"] > 0.4


# ------------------------------------------------------------------ censoring


def lives(seed, by_trouble, n=1_200, periods=4):
    """Return families of whom some leave: by what was recorded first, and by trouble since."""
    rng = np.random.default_rng(seed)
    recorded = rng.normal(size=(n, 2))
    rate = np.exp(-1 + 0.4 * recorded[:, 0] + 0.5 * rng.normal(size=n))
    trouble = rng.poisson(rate[:, None], (n, periods)).cumsum(axis=1)
    left = np.full(n, periods)
    for period in range(1, periods):
        log_odds = -2.5 + 0.8 * recorded[:, 0] + by_trouble * trouble[:, period - 1]
        leaves = rng.random(n) < 1 / (1 + np.exp(-log_odds))
        left[(left == periods) & leaves] = period
    there = [left >= period for period in range(1, periods)]
    happened = [trouble[own, period] / 2.0 for period, own in enumerate(there)]
    known = np.column_stack([np.ones(n), recorded])
    return left < periods, known, list(zip(there, happened, strict=True)), np.arange(n) % 60


def test_who_leaves_after_trouble_is_told_from_who_leaves_by_what_was_recorded():
    p = {0.0: [], 0.5: []}
    for by_trouble, own in p.items():
        for seed in range(60 if not by_trouble else 5):
            leaves, *rest = lives(seed, by_trouble)
            estimate, error, freedom = left_out.told_by(leaves, *rest)
            check = Censored(len(leaves), int(leaves.sum()), -estimate, error, freedom)
            row = judged_censoring(check, 1.0)
            assert row["reason"] == ("censored_small" if row["p_value"] < 0.05
                                     else "censored_alike")  # fmt: skip
            own.append(row["p_value"])
            assert not by_trouble or row["estimate"] < 0
    assert max(p[0.5]) < 0.01
    # Of 60 at 5%, more than 8 would come about by chance in 1 of 300.
    assert np.sum(np.array(p[0.0]) < 0.05) <= 8


def test_the_difference_and_its_error_are_those_of_one_clustered_regression():
    leaves, known, periods, clusters = lives(1, 0.3, n=400)
    rows, values, owners, blocks = [], [], [], []
    for at, (there, happened) in enumerate(periods):
        part = np.zeros((there.sum(), known.shape[1] * len(periods)))
        part[:, at * known.shape[1] : (at + 1) * known.shape[1]] = known[there]
        blocks.append(part)
        rows += leaves[there].tolist()
        values += happened.tolist()
        owners += clusters[there].tolist()
    x = np.column_stack([np.array(rows, dtype=float), np.vstack(blocks)])
    fit = sm.OLS(values, x).fit(
        cov_type="cluster", cov_kwds={"groups": owners, "use_correction": False}
    )
    groups = len(set(owners))
    estimate, error, freedom = left_out.told_by(leaves, known, periods, clusters)
    assert estimate == pytest.approx(fit.params[0])
    assert error == pytest.approx(fit.bse[0] * np.sqrt(groups / (groups - 1)))
    assert freedom == groups - 1


def slow_slope(values, leaves, known, owners):
    """Return the slope on leaving over all periods, each with its covariates; who has a value."""
    blocks = [np.zeros((len(one), known[0].shape[1] * len(known))) for one in known]
    for at, (block, one) in enumerate(zip(blocks, known, strict=True)):
        block[:, at * one.shape[1] : (at + 1) * one.shape[1]] = one
    y = np.concatenate(values)
    x = np.column_stack([np.concatenate(leaves).astype(float), np.vstack(blocks)])
    kept = ~np.isnan(y)
    slope = np.linalg.lstsq(x[kept], y[kept], rcond=None)[0][0]
    return slope, len(set(np.concatenate(owners)[kept]))


def test_the_check_of_a_cohort_is_what_a_slow_reading_finds():
    records, names = tf.simulate(families=1_500, seed=4).records, ["offences", "out_of_work"]
    families = tf.cohort(records, phase="one")
    design = tf.design(tf.study(families, months=12))
    check = left_out.censoring(
        left_out.Asked(design, families, records, 12, "adjusted", tuple(names))
    )
    units = families.units.order_by("unit").to_pandas()
    leaves = ~families.followed(12).to_numpy()
    begun, attached = (pd.to_datetime(units[name]) for name in ("index_on", "attached_on"))

    def joined_before(month):
        return np.array([pd.notna(day) and day < start + pd.DateOffset(months=month)
                         for start, day in zip(begun, attached, strict=True)])  # fmt: skip

    risk = (units["treated"] == 0).to_numpy() & (~leaves | joined_before(12))
    assert (check.at_risk, check.left) == (risk.sum(), (risk & leaves).sum())
    covariates = left_out.known_of(families, left_out.at_risk(families, 12))
    known = np.column_stack([np.ones(risk.sum()), covariates])
    values, left, own, owners = [], [], [], []
    for month in (3, 6, 9):
        inside = risk & ~joined_before(month)
        counts = outcomes_around(families, records, {"until": (0, month)}, censored=False)["until"]
        part = counts.loc[inside, names].to_numpy()
        values.append(np.nanmean((part - np.nanmean(part, 0)) / np.nanstd(part, 0), axis=1))
        left.append(leaves[inside])
        own.append(known[inside[risk]])
        owners.append(units.loc[inside, "local_authority"].to_numpy())
    slope, groups = slow_slope(values, left, own, owners)
    assert check.estimate == pytest.approx(-slope * check.left / check.at_risk)
    assert check.freedom == groups - 1


def test_verdicts_on_censoring_by_hand():
    def reason(*given, **named):
        row = judged_censoring(Censored(*given, **named), 0.1)
        return row["verdict"], row["reason"]

    assert reason(500, 0) == reason(500, 9) == ("passed", "hardly_censored")
    assert reason(60, 9) == reason(60, 55) == ("cannot_be_judged", "too_few")
    assert reason(500, 200) == ("cannot_be_judged", "not_estimable")
    clear = judged_censoring(Censored(500, 200, -0.09, 0.03, 100.0), 0.1)
    # By hand: t = 3 with 100 degrees of freedom, and 0.09 and 1.984 errors are 0.1495.
    assert clear["p_value"] == pytest.approx(2 * stats.t.sf(3, 100))
    assert clear["reach"] == pytest.approx(0.14952, abs=1e-5)
    assert (clear["verdict"], clear["reason"]) == ("failed", "censored_differ")
    assert (clear["outcome"], clear["left_out"]) == (TOGETHER, 0.4)
    assert reason(500, 200, -0.03, 0.01, 100.0) == ("passed", "censored_small")
    assert reason(500, 200, 0.01, 0.01, 100.0) == ("passed", "censored_alike")
    # Among four checks of no effect, Holm leaves of 0.02 too much, and of 0.01 enough.
    among = {"p_adjusted": 0.08, "checks": 4}
    spared = judged_censoring(Censored(500, 200, -0.024, 0.01, 100.0), 0.1, **among)
    assert spared["p_value"] < 0.02 and spared["reason"] == "censored_alike"
    reach = stats.t.ppf(1 - 0.05 / 8, 100) + stats.t.ppf(0.8, 100)
    assert spared["detectable"] == pytest.approx(reach * 0.01)
    p = adjusted_p({}, {"censoring": 0.02, "one": 0.9, "two": 0.5, "three": float("nan")})
    assert p["p_adjusted"].round(9).to_dict() == pytest.approx(
        {"censoring": 0.06, "one": 1.0, "two": 1.0, "three": float("nan")}, nan_ok=True
    )
    assert reason(500, 200, 0.01, 0.05, 100.0) == ("cannot_be_judged", "no_power")
    weighed = {"apart": 0.05, "effective": 0.5}
    assert reason(500, 200, **weighed, over_time=True) == ("passed", "stays_mended")
    for bad in ({"apart": 0.2}, {"effective": 0.05}):
        assert reason(500, 200, **{**weighed, **bad}) == ("failed", "stays_not_mended")
    assert reason(500, 200, -0.09, 0.03, 100.0, **weighed) == ("failed", "censored_differ")
