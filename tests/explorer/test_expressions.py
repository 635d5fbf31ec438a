"""Covariates and subgroups by expression: missing is not no, and nothing of what came after."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import tfeval as tf
from tfeval.cohort.expressions import evaluated


@pytest.fixture(scope="module")
def families(extract):
    return tf.cohort(tf.open_records(extract))


def test_a_covariate_is_worked_out_row_by_row_and_missing_where_a_part_is(families):
    made = tf.add_covariates(families, {"trouble": "offences_before > 0 or absence_before > 0.1"})
    rows = made.to_pandas()
    assert rows["absence_before"].isna().any()
    for offences, absence, found in zip(
        rows["offences_before"], rows["absence_before"], rows["trouble"], strict=True
    ):
        if math.isnan(offences) or math.isnan(absence):
            assert math.isnan(found)
        else:
            assert found == float(offences > 0 or absence > 0.1)
    pd.testing.assert_frame_equal(
        rows.drop(columns="trouble"), families.to_pandas(), check_like=True
    )
    assert families.covariates == made.covariates[:-1]


def test_a_closed_cohort_stays_closed_and_what_is_added_is_exploratory(extract):
    plan = tf.read_plan()
    closed = tf.cohort(tf.open_records(extract), plan=plan)
    more = tf.add_covariates(closed, {"trouble": "offences_before > 0"})
    with pytest.raises(tf.ParameterError, match="outcomes are closed"):
        more.outcomes(12)
    design = tf.design(tf.study(more, months=12), "entropy")
    held = tf.estimate(design, closed.open(plan).outcomes(12), months=12, plan=plan)
    assert not held.to_frame()["planned"].astype(bool).any()


def test_a_subset_is_the_study_of_these_rows(families):
    rows = families.to_pandas()
    inside = (rows["offences_before"] > 0) & families.followed(12)
    made = tf.study(families, months=12, subset="offences_before > 0")
    assert list(made.index) == list(rows.index[inside])
    by_hand = tf.study(rows[inside], covariates=["people", "children"], cluster="local_authority")
    again = tf.study(families, covariates=["people", "children"], months=12,
                     subset="offences_before > 0")  # fmt: skip
    assert (by_hand.covariates.matrix == again.covariates.matrix).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("offences_12 > 0", "measured after the index date"),
        ("offence_before > 0", "Did you mean offences_before?"),
        ("__import__('os').getcwd()", "is no expression"),
        ("people.sum() > 0", "is no expression"),
        ("people[0]", "is no expression"),
        ("people >", "is no expression"),
        ("@people > 0", "is no expression"),
        ("1 > 0", "names no column"),
        ("local_authority", "no number and to no yes or no"),
        ("local_authority > 0", "cannot be worked out"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(families, text, message):
    for verb in (
        lambda: tf.add_covariates(families, {"mine": text}),
        lambda: tf.study(families, months=12, subset=text),
    ):
        with pytest.raises(tf.ParameterError) as fault:
            verb()
        assert message in str(fault.value)
        assert "\n" not in str(fault.value)


def test_names_that_are_taken_or_are_none_are_refused(families):
    for name, message in (("people", "already"), ("offences_12", "already"), ("a b", "no name")):
        with pytest.raises(tf.ParameterError, match=message):
            tf.add_covariates(families, {name: "people > 3"})
    with pytest.raises(tf.DataError, match="nobody to compare"):
        tf.study(families, months=12, subset="people > 1000")


def test_text_and_numbers_and_lists_are_understood():
    rows = pd.DataFrame({"area": ["a", "b", "c"], "n": [1.0, 2.0, math.nan]})
    assert evaluated(rows, "area in ['a', 'c']", {}).tolist() == [1.0, 0.0, 1.0]
    assert evaluated(rows, "not (n * 2 > 3)", {}).tolist()[:2] == [1.0, 0.0]
    assert math.isnan(evaluated(rows, "not n > 3", {}).iloc[2])
