"""A table with a row a unit and period as units by periods: the same however it is given."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import tfeval as tf
from tfeval.impact.panel.group_time_effects import AVERAGES


def rows(units=40, lacking=False):
    rng = np.random.default_rng(5)
    made = pd.MultiIndex.from_product([range(units), [2011, 2012, 2014, 2015]],
                                      names=["unit", "year"]).to_frame(index=False)  # fmt: skip
    made["first"] = np.array([2014.0, 2015, np.nan])[made["unit"] % 3]
    made["x"] = rng.normal(size=units)[made["unit"]]
    made["region"] = np.array(list("abcd"))[made["unit"] % 4]
    made["rate"] = rng.normal(size=len(made))
    return made[rng.random(len(made)) > 0.2] if lacking else made


def of(frame, **named):
    asked = {"unit": "unit", "time": "year", "outcomes": "rate", "fixed": ["first", "x", "region"]}
    return tf.panel(frame, **(asked | named))


def same(one, other):
    assert one.units.equals(other.units)
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.outcome("rate"), other.outcome("rate"))
    pd.testing.assert_frame_equal(one.fixed, other.fixed)


@pytest.mark.parametrize("lacking", [False, True])
def test_the_order_of_rows_makes_no_panel_other(lacking):
    frame = rows(lacking=lacking)
    wide = frame.set_index(["unit", "year"])["rate"].unstack()  # noqa: PD010
    for given in (frame, frame.iloc[::-1], frame.sample(frac=1, random_state=2)):
        made = of(given)
        np.testing.assert_array_equal(made.outcome("rate"), wide.to_numpy())
        same(made, of(frame))


def test_a_panel_is_a_copy_of_its_table():
    frame = rows()
    made = of(frame)
    before = made.outcome("rate").copy()
    frame["rate"] = frame["rate"].to_numpy() * 0 + 9
    made.outcome("rate")[0, 0] += 1
    assert (frame["rate"] == 9).all()
    assert made.outcome("rate")[1:].tolist() == before[1:].tolist()


@pytest.mark.parametrize("at", ["first", "x", "region"])
@pytest.mark.parametrize("mixed", [False, True])
def test_what_changes_within_a_unit_is_seen(at, mixed):
    frame = rows()
    frame.loc[7, at] = {"first": np.nan, "x": 0.0, "region": "z"}[at]
    with pytest.raises(tf.DataError, match=f"{at} must not change"):
        of(frame.sample(frac=1, random_state=1) if mixed else frame)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.iloc[:0], "no rows"),
        (lambda frame: pd.concat([frame, frame[["rate"]]], axis=1), "more than one column rate"),
        (lambda frame: pd.concat([frame, frame.iloc[[3]]]), "1 rows of the table repeat"),
        (lambda frame: frame.assign(rate=np.inf), "infinite in 160"),
        (lambda frame: frame.assign(rate=pd.Timestamp("2012-04-01")), "dates: give a number"),
        (lambda frame: frame.assign(rate="Jane Doe"), "not a number"),
        (lambda frame: frame.assign(year=pd.Timestamp("2012-04-01")), "dates: give a number"),
        (lambda frame: frame.assign(year=frame["year"] + 0.5), "whole numbers of periods"),
    ],
)  # fmt: skip
def test_what_is_no_panel_is_said_in_a_line_without_values(spoil, said):
    with pytest.raises(tf.DataError, match=said) as raised:
        of(spoil(rows()))
    assert len(str(raised.value).splitlines()) == 1
    assert "Jane" not in str(raised.value)


def test_numbers_of_any_kind_are_numbers():
    frame = rows()
    plain = of(frame)
    for made in (
        frame.assign(rate=[Decimal(repr(one)) for one in frame["rate"]]),
        frame.assign(rate=frame["rate"].astype("Float64"), first=frame["first"].astype("Int64")),
    ):
        np.testing.assert_allclose(of(made).outcome("rate"), plain.outcome("rate"))
        np.testing.assert_array_equal(of(made).numbers("first"), plain.numbers("first"))


def study_of(dose, cluster=None, small_sample="cr2", units=20):
    rng, treated = np.random.default_rng(1), np.isin(np.arange(units), dose) * 1.0
    made = tf.Panel(
        pd.RangeIndex(units), np.arange(4),
        {"y": rng.normal(size=(units, 4)), "still": np.outer(7.3 * np.arange(units), np.ones(4))},
        pd.DataFrame({"treated": treated, "half": np.arange(units) // 2}),
    )  # fmt: skip
    design = tf.event_study(
        "treated", base=1, post=[2, 3], cluster=cluster, small_sample=small_sample
    )
    return design, made


@pytest.mark.parametrize(
    ("dose", "settings", "known"),
    [
        ([3], {}, False),  # intervals from the others' residuals alone hold the truth in 38%
        ([3, 8], {}, True),
        ([2, 3], {"cluster": "half"}, False),
        ([2, 4], {"cluster": "half"}, True),
        (range(11), {"small_sample": "cr1", "units": 30}, False),
        (range(12), {"small_sample": "cr1", "units": 30}, True),
        (range(1, 20), {}, False),
    ],
)
def test_an_event_study_has_no_error_where_one_cluster_is_an_arm(dose, settings, known):
    design, made = study_of(list(dose), **settings)
    found, effects = (
        design.fit(made, "y"),
        tf.estimate(design, made).to_frame().set_index("outcome"),
    )
    assert np.isfinite(found.estimate)
    for number in (
        found.std_error,
        found.conf_low,
        effects["p_value"]["y"],
    ):
        assert np.isfinite(number) == known
    assert effects["status"].tolist() == (
        ["estimated", "no_variation"] if known else ["few_clusters", "few_clusters"]
    )
    assert np.isnan(design.fit(made, "still").p_value)
    few = replace(design, small_sample="cr2").fit(made, "y").pre_trend
    np.testing.assert_equal(vars(found.pre_trend), vars(few))  # with CR1 too: HTZ of CR2
    assert np.isfinite(few.p_value) == (known or "small_sample" in settings)


def test_the_test_before_refuses_clean_draws_of_few_treated_as_often_as_it_says():
    # With four of 60 treated, a plain F of CR1 refused 30% of such draws.
    rng, refused = np.random.default_rng(4), 0
    for _ in range(100):
        made = tf.Panel(pd.RangeIndex(60), np.arange(5), {"y": rng.normal(size=(60, 5))},
                        pd.DataFrame({"treated": np.arange(60) < 4}))  # fmt: skip
        design = tf.event_study("treated", base=2, post=[3, 4], small_sample="cr1")
        refused += design.fit(made, "y").pre_trend.p_value < 0.05
    assert refused <= 12  # of 5 expected: more has a chance of 0.1%


@pytest.mark.parametrize(
    "design",
    [
        tf.event_study("pilot", base=2012, post=[2014, 2015]),
        tf.group_time("first"),
        tf.synthetic("pilot", first=2014),
    ],
)
def test_an_outcome_that_is_never_seen_harms_no_other(design):
    frame = rows().assign(lacking=np.nan)
    frame["pilot"] = frame["first"].eq(2014) * 1.0
    if design.kind != "group_time":
        frame["first"] = np.nan
    made = of(frame, outcomes=["lacking", "rate"], fixed=["pilot", "first"])
    alone = of(frame, fixed=["pilot", "first"])
    both, one = (tf.estimate(design, each).to_frame() for each in (made, alone))
    assert both["status"].tolist()[0] == "not_in_panel"
    assert both["estimate"].isna().tolist() == [True] + [False] * len(one)
    for column in ("estimate", "std_error", "p_value"):
        np.testing.assert_array_equal(both[column][1:], one[column])
    with pytest.raises(tf.DataError):
        tf.estimate(design, of(frame, outcomes="lacking", fixed=["pilot", "first"]))


def test_what_is_infinite_is_refused_and_few_clusters_have_no_error():
    design, made = study_of([2, 4, 7], cluster="third")
    fixed = made.fixed.assign(third=np.arange(20) % 3)
    one = tf.estimate(design, replace(made, fixed=fixed)).to_frame().iloc[0]
    assert (
        one["status"] == "few_clusters"
        and np.isnan(one[["std_error", "conf_low"]].astype(float)).all()
    )
    lost = replace(made, fixed=made.fixed.assign(treated=np.inf))
    with pytest.raises(tf.errors.DataError, match="treated of the panel is infinite in 20 rows"):
        tf.event_study("treated", base=1, post=[2]).fit(lost, "y")
    half = made.fixed.assign(first=np.where(made.fixed["treated"] == 1, 2.5, np.nan))
    with pytest.raises(tf.errors.DataError, match="whole numbers of periods"):
        tf.synthetic("treated", first="first").fit(replace(made, fixed=half), "y")


def test_never_treated_is_missing_and_not_0():
    made = of(rows().fillna({"first": 0}))
    with pytest.raises(tf.DataError, match="is 0 for 15 units, before any period: make it missing"):
        tf.group_time("first").fit(made, "rate")


@pytest.mark.parametrize("aggregate", AVERAGES)
@pytest.mark.parametrize("lacking", [False, True])
def test_averages_made_at_once_are_those_of_all_groups_and_periods(aggregate, lacking):
    made = of(rows(400, lacking=lacking))
    design = tf.group_time("first", covariates="x", aggregate=aggregate, base="universal")
    at_once, after = design.averages(made, "rate"), design.fit(made, "rate").aggregate(aggregate)
    pd.testing.assert_frame_equal(at_once.frame, after.frame)
    np.testing.assert_allclose(at_once.influence, after.influence, atol=1e-15)
    pd.testing.assert_series_equal(at_once.average, after.average)
