"""Comparison families treated meanwhile: weights that let those followed stand for them too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.errors import DataError, ParameterError
from tfeval.impact.study.censoring import (
    CENSORED,
    OVER_TIME,
    censoring_weights,
    followed,
    stay_weights,
)


@pytest.fixture(scope="module")
def families():
    return tf.cohort(tf.simulate(families=6_000, seed=8).records, horizon=12)


def at_risk(families):
    """Return who of the comparison began in it and was followed or treated, read row by row."""
    frame = families.to_pandas()
    units = families.units.select("unit", "attached_on", "index_on").to_pandas().set_index("unit")
    seen = families.followed(12).to_numpy()
    risk = []
    for place, row in frame.iterrows():
        unit = units.loc[row["unit"]]
        end = pd.Timestamp(unit["index_on"]) + pd.DateOffset(months=12)
        treated = pd.notna(unit["attached_on"]) and pd.Timestamp(unit["attached_on"]) < end
        assert not (row["treated"] == 0 and treated and seen[place])
        risk.append(row["treated"] == 0 and (treated or seen[place]))
    return frame, seen, np.array(risk)


def test_those_followed_and_weighted_are_as_all_that_were_at_risk(families):
    frame, seen, risk = at_risk(families)
    stays = censoring_weights(families, 12)
    weights, differs = stays.weights, stays.differs
    followed_on = seen & risk
    assert 0.5 < followed_on.sum() / risk.sum() < 0.95
    assert weights[(frame["treated"] == 1).to_numpy()].eq(1).all()
    assert weights[followed_on].mean() == pytest.approx(1)
    assert differs["after"] < 0.35 * differs["before"]
    assert differs["weight"] == weights[followed_on].max()
    gaps = {}
    for name in ("days_identified", "out_of_work_before", "met_work", "people"):
        values = frame[name].astype(float)
        known = values.notna().to_numpy()
        spread = values[risk].std()
        bare = values[followed_on].mean() - values[risk].mean()
        chosen = followed_on & known
        weighed = np.average(values[chosen], weights=weights[chosen]) - values[risk].mean()
        gaps[name] = abs(bare / spread), abs(weighed / spread)
    assert max(after for _before, after in gaps.values()) < 0.05
    assert max(before for before, _after in gaps.values()) > 0.05


def test_a_study_with_weights_says_so_and_one_without_is_as_ever(families):
    plain = tf.study(families, months=12)
    weighed = tf.study(families, months=12, censoring="weighted")
    assert plain.weight is None
    assert "censoring" not in plain.cohort
    assert weighed.cohort["censoring"]["after"] < weighed.cohort["censoring"]["before"]
    frame = followed(families, 12, "weighted")
    assert np.allclose(weighed.sampling, frame[CENSORED])
    assert np.array_equal(plain.treated, weighed.treated)
    outcomes = families.outcomes(12)[["absence"]]
    for study in (plain, weighed):
        row = tf.estimate(tf.match(study, caliper=0.2), outcomes, method="adjusted").to_frame()
        assert np.isfinite(row[["estimate", "std_error"]].to_numpy()).all()


def leaving(seed, n=4_000, periods=6):
    """Families who leave after trouble: events of each period, when each left, what was known."""
    rng = np.random.default_rng(seed)
    recorded, frailty = rng.normal(size=n), rng.normal(size=n)
    events = rng.poisson(np.exp(-1.5 + 0.4 * recorded + 0.6 * frailty)[:, None], (n, periods))
    left = np.full(n, periods)
    for period in range(1, periods):
        leaves = rng.random(n) < 1 / (1 + np.exp(3 - 1.2 * np.minimum(events[:, period - 1], 3)))
        left[(left == periods) & leaves] = period
    known = [np.column_stack([recorded, events[:, :period].sum(axis=1),
                              events[:, max(period - 1, 0) : period].sum(axis=1)])
             for period in range(periods)]  # fmt: skip
    return events.sum(axis=1), left, known


def test_weights_over_time_answer_for_all_where_trouble_leads_to_treatment():
    """Leaving hangs on events after the index date: the covariates of that date do not mend it."""
    gaps = {"left_out": [], "weighted": [], "over_time": []}
    for seed in range(12):
        total, left, known = leaving(seed)
        stayed = left == len(known)
        gaps["left_out"].append(total[stayed].mean() - total.mean())
        once, _ = stay_weights(stayed.astype(int), known[:1])
        gaps["weighted"].append(np.average(total, weights=once) - total.mean())
        always, differs = stay_weights(left, known)
        gaps["over_time"].append(np.average(total, weights=always) - total.mean())
        assert differs["after"] < differs["before"]
        assert always[stayed].mean() == pytest.approx(1) and not always[~stayed].any()
    bias = {name: np.mean(one) for name, one in gaps.items()}
    noise = np.std(gaps["over_time"]) / np.sqrt(12)
    assert bias["left_out"] < -0.2 and bias["weighted"] < 0.7 * bias["left_out"]
    assert abs(bias["over_time"]) < 0.1 * abs(bias["left_out"]) + 3 * noise


def test_weights_over_time_of_a_cohort(families):
    """The same families, other weights; what was counted until each month is made alike too."""
    stays = censoring_weights(families, 12, over_time=True)
    plain = censoring_weights(families, 12)
    assert stays.weights.gt(0).eq(plain.weights.gt(0)).all()
    assert not np.allclose(stays.weights, plain.weights)
    assert stays.differs["after"] < stays.differs["before"]
    weighed = tf.study(families, months=12, censoring=OVER_TIME)
    assert np.allclose(weighed.sampling, followed(families, 12, OVER_TIME)[CENSORED])
    with pytest.raises(ParameterError, match="The outcomes are closed"):
        tf.study(families.close(), months=12, censoring=OVER_TIME)


def test_what_weights_need_is_said(families):
    with pytest.raises(ParameterError, match="need months"):
        tf.study(families, censoring="weighted")
    with pytest.raises(ParameterError, match="Did you mean weighted"):
        tf.study(families, months=12, censoring="weigted")
    with pytest.raises(ParameterError, match="censoring goes with a cohort"):
        tf.study(families.to_pandas(), covariates=["people"], censoring="weighted")
    with pytest.raises(ParameterError, match="not both"):
        tf.study(families, months=12, weight="people", censoring="weighted")
    never = tf.cohort(
        tf.simulate(families=2_000, seed=8).records, comparison="below_threshold", horizon=12
    )
    with pytest.raises(DataError, match="no censoring to weigh for"):
        tf.study(never, months=12, censoring="weighted")
