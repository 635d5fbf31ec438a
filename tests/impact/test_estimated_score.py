"""Errors of matching with replacement that count the score's estimation."""

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.impact.inference.abadie_imbens import local_means
from tfeval.impact.means.influence import Through
from tfeval.impact.propensity.propensity import fit_propensity


def families(seed, size=800):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(size, 3)), columns=["a", "b", "c"])
    frame["old"] = (rng.random(size) < 0.4).astype(float)
    odds = -0.8 + 0.6 * frame["a"] - 0.4 * frame["b"] + 0.3 * frame["old"]
    frame["treated"] = rng.random(size) < 1 / (1 + np.exp(-odds))
    gain = 0.5 + 0.3 * frame["a"]
    frame["y"] = 1 + frame["a"] + 0.5 * frame["b"] + gain * frame["treated"] + rng.normal(size=size)
    frame["z"] = np.exp(frame["b"]) + rng.normal(size=size)
    return frame


COVARIATES = ["a", "b", "c", "old"]
ASKED = {"method": "difference", "errors": "abadie_imbens"}


def design_of(frame, **more):
    return tf.match(tf.study(frame, covariates=COVARIATES), replace=True, caliper=None, **more)


def slowly(design, y):
    """Return the error by theorem 2, unit by unit, with the same local means."""
    arm, score, size = design.study.treated, design.score, design.study.size
    x = np.column_stack([np.ones(size), design.study.covariates.rows(slice(None))])
    used = np.zeros(size)
    for (_, match), share in zip(design.pairs, design.pair_shares, strict=True):
        used[match] += share
    smooth = np.empty(size)
    pool = np.flatnonzero(~arm)
    order = pool[np.argsort(design.distance[pool])]
    half = max(1, int(np.ceil(np.sqrt(len(order)) / 2)))
    for unit in range(size):
        at = np.searchsorted(design.distance[order], design.distance[unit])
        near = order[max(at - half, 0) : at + half]
        smooth[unit] = y[near[near != unit]].mean()
    mean = {True: y[arm].mean(), False: used @ y / used.sum()}
    count, information = arm.sum(), np.zeros((x.shape[1], x.shape[1]))
    along, slope = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    root = np.sqrt(score[~arm])[:, None]
    line = np.linalg.lstsq(x[~arm] * root, y[~arm] * root[:, 0], rcond=None)[0]
    for unit in range(size):
        information += score[unit] * (1 - score[unit]) * np.outer(x[unit], x[unit])
        own = (1 - score[unit]) * x[unit] / count
        if arm[unit]:
            effect = mean[True] - mean[False]
            along += own * (y[unit] - smooth[unit] - effect)
            # Of the treated, what the score predicts and what the covariates do is the same.
            slope += own * (y[unit] - mean[True] - (x[unit] @ line - mean[False]))
        else:
            along += score[unit] * x[unit] / count * used[unit] * (y[unit] - smooth[unit])
    inverse = np.linalg.inv(information)
    return -along @ inverse @ along + slope @ inverse @ slope


@pytest.mark.parametrize("seed", [1, 2])
def test_theorem_2_unit_by_unit(seed):
    frame = families(seed)
    design = design_of(frame)
    counted, known = (
        tf.estimate(design, frame[["y", "z"]], stacked=stacked, **ASKED).to_frame()["std_error"]
        for stacked in (True, False)
    )
    for place, name in enumerate(["y", "z"]):
        expected = slowly(design, frame[name].to_numpy())
        assert counted[place] ** 2 - known[place] ** 2 == pytest.approx(expected, rel=1e-8)
    # Here estimation makes the first more certain than the score's own errors say.
    assert counted[0] < known[0]


def test_rows_relabelling_and_scale_have_no_say():
    frame = families(3)
    rng = np.random.default_rng(0)

    def error(frame, covariates=COVARIATES):
        design = tf.match(tf.study(frame, covariates=covariates), replace=True, caliper=None)
        return tf.estimate(design, frame["y"], **ASKED).to_frame()["std_error"].iloc[0]

    expected = error(frame)
    assert error(frame.iloc[rng.permutation(len(frame))]) == pytest.approx(expected, rel=1e-9)
    moved = frame.assign(a=1e4 + 50 * frame["a"], b=-frame["b"], more=frame["a"] + frame["b"])
    assert error(moved, [*COVARIATES, "more"]) == pytest.approx(expected, rel=1e-6)
    assert error(frame.assign(y=7 - 3 * frame["y"])) == pytest.approx(3 * expected, rel=1e-9)


def test_effects_of_groups_and_of_missing_outcomes_vary_together():
    frame = families(4)
    frame.loc[frame.index[:60], "z"] = np.nan
    design = design_of(frame)
    found = tf.estimate(design, frame[["y", "z"]], by=frame["old"] > 0, **ASKED)
    assert len(found.to_frame()) == 4
    assert np.linalg.eigvalsh(found.joint).min() > 0
    once = tf.estimate(design, frame[["y", "z"]], **ASKED)
    one_group = tf.estimate(design, frame[["y", "z"]], by=np.ones(len(frame), int), **ASKED)
    np.testing.assert_allclose(one_group.joint, once.joint, rtol=1e-12)
    # Outcomes vary together as their sum does.
    sound = frame.dropna()
    design = design_of(sound)
    pair = tf.estimate(design, sound[["y", "z"]], **ASKED).joint
    added = tf.estimate(design, (sound["y"] + sound["z"]).rename("both"), **ASKED).joint
    assert pair.sum() == pytest.approx(added[0, 0], rel=1e-9)


def test_it_says_so_and_only_where_it_can():
    frame = families(5)
    frame["w"], frame["area"] = 1.0, np.arange(len(frame)) % 4
    counted = tf.estimate(design_of(frame), frame["y"], **ASKED)
    assert counted.to_frame()["stacked"].all() and "counting that the propensity score was" in (
        " ".join(counted.table().text().split())
    )
    assert not any("errors are too large" in note for note in counted.notes)
    roles = {"covariates": COVARIATES}
    plain = tf.study(frame, **roles)
    score = fit_propensity(plain)
    for design in (
        tf.match(tf.study(frame, weight="w", **roles), replace=True),
        tf.match(tf.study(frame, strata="area", **roles), replace=True),
        tf.match(plain, replace=True, folds=2),
        tf.match(plain, replace=True, distance=score.linear),
    ):
        found = tf.estimate(design, frame["y"], **ASKED)
        assert not found.to_frame()["stacked"].any()
        assert any("errors are too large" in note for note in found.notes)
    adjusted = tf.estimate(design_of(frame), frame["y"], errors="abadie_imbens")
    assert not adjusted.to_frame()["stacked"].any()


def test_a_given_fit_of_the_same_study_counts_too():
    frame = families(6)
    made = tf.study(frame, covariates=COVARIATES)
    ours = tf.match(made, replace=True, propensity=fit_propensity(made))
    theirs = tf.match(made, replace=True)
    one, other = (tf.estimate(design, frame["y"], **ASKED).to_frame() for design in (ours, theirs))
    assert one["std_error"].tolist() == other["std_error"].tolist()


def test_local_means_do_not_hang_on_the_order_of_ties():
    rng = np.random.default_rng(7)
    distance, values = rng.integers(0, 12, 400) / 4, rng.normal(size=(400, 2))
    pool = np.flatnonzero(rng.random(400) < 0.6)
    expected = local_means(distance, values, pool)
    again = local_means(distance, values, rng.permutation(pool))
    np.testing.assert_allclose(again, expected, atol=1e-12)


def test_more_is_never_taken_off_than_there_is():
    psi = np.array([[0.5, 0.2], [-0.5, 0.1]])
    before = psi.T @ psi
    through = Through(np.array([[10.0, 0.01]]), np.array([[-0.1, 0.2]]))
    found = through.added_to(before)
    assert found[0, 0] == before[0, 0]
    assert found[1, 1] == pytest.approx(before[1, 1] + 2 * 0.01 * 0.2 + 0.2**2)
