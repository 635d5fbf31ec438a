"""Eligibility and results tests, against cases worked by hand and a slow reading of the rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfeval.errors import DataError, ParameterError
from tfeval.programme.phases import eligible, phase
from tfeval.programme.results import fallen_by, results_met, school_test

ONE, TWO = phase("one"), phase("two")


def test_phases_hold_the_published_numbers():
    assert ONE.budget.pounds()[0] == 448e6
    assert TWO.budget.pounds()[0] == 920e6
    assert ONE.families.value == 117_910
    assert [ONE.tariff.maximum(year) for year in ONE.tariff.years] == [4000, 4000, 4000]
    assert ONE.tariff.funded_share == pytest.approx(5 / 6)
    assert ONE.results.employment_weeks == 13
    assert TWO.criteria_needed == 2
    with pytest.raises(ParameterError, match="There is no phase three"):
        phase("three")


def test_every_year_pays_3900_for_behaviour_and_4000_for_work():
    for year in ONE.tariff.years:
        fee = ONE.tariff.attachment_fee[year]
        assert fee + ONE.tariff.results_payment[(year, "crime_asb_education")] == 3900
        assert fee + ONE.tariff.results_payment[(year, "continuous_employment")] == 4000


@pytest.mark.parametrize(
    ("crime", "school", "work", "local", "expected"),
    [
        (1, 1, 1, 0, "national"),
        (1, 1, 0, 1, "local"),
        (1, 1, 0, 0, "no"),
        (1, 0, 0, 1, "no"),
        (0, 0, 0, 0, "no"),
    ],
)
def test_phase_one_eligibility(crime, school, work, local, expected):
    family = pd.DataFrame(
        {
            "crime_asb": [bool(crime)],
            "education": [bool(school)],
            "work": [bool(work)],
            "local_discretion": [bool(local)],
        }
    )
    assert eligible(family, ONE).tolist() == [expected]


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_phase_two_needs_two_of_six(problems):
    family = pd.DataFrame([dict(zip(TWO.criteria, problems, strict=True))])
    assert (eligible(family, TWO).iloc[0] == "national") == (sum(problems) >= 2)


def test_eligibility_names_what_is_missing():
    with pytest.raises(DataError, match="column work, local_discretion is missing"):
        eligible(pd.DataFrame({"crime_asb": [True], "education": [True]}), ONE)
    holes = pd.DataFrame(
        {"crime_asb": [True, None], "education": True, "work": True, "local_discretion": False}
    )
    with pytest.raises(DataError, match="column crime_asb is empty in 1 rows"):
        eligible(holes, ONE)


PUPIL = {
    "fixed_exclusions": 0,
    "sessions_possible": 300,
    "sessions_unauthorised": 0,
    "sessions_absent": 0,
    "terms": 3,
}


@pytest.mark.parametrize(
    ("rules", "change", "expected"),
    [
        (ONE, {}, True),
        (ONE, {"fixed_exclusions": 3}, False),
        (ONE, {"sessions_unauthorised": 45}, False),
        (ONE, {"sessions_unauthorised": 44}, True),
        (ONE, {"terms": 2}, pd.NA),
        (ONE, {"terms": 2, "sessions_unauthorised": 299}, pd.NA),
        (ONE, {"terms": 1, "fixed_exclusions": 3}, False),
        (ONE, {"sessions_possible": 0}, pd.NA),
        (TWO, {"sessions_absent": 30}, True),
        (TWO, {"sessions_absent": 31}, False),
        (TWO, {"fixed_exclusions": 9}, True),
    ],
)
def test_school_tests(rules, change, expected):
    (got,) = school_test(pd.DataFrame([PUPIL | change]), rules).tolist()
    assert got is expected


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_fall_by_60_percent_is_read_as_written(before, after):
    got = fallen_by(pd.Series([before]), pd.Series([after]), 0.60).iloc[0]
    assert got == (100 * after <= 40 * before)


FAMILY = {
    "education": True,
    "crime_asb": True,
    "school_passed": True,
    "asb_before": 5,
    "asb_after": 2,
    "offences_before": 3,
    "offences_after": 2,
    "weeks_in_work": 0,
    "volunteered_for_work": False,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [True, False, False, True]),
        ({"volunteered_for_work": True}, [True, True, False, True]),
        ({"school_passed": False}, [False, False, False, False]),
        ({"school_passed": False, "education": False}, [True, False, False, True]),
        ({"asb_after": 3}, [False, False, False, False]),
        ({"asb_after": 3, "crime_asb": False}, [True, False, False, True]),
        ({"offences_after": 3}, [False, False, False, False]),
        ({"education": False, "crime_asb": False}, [False, False, False, False]),
        ({"weeks_in_work": 12}, [True, False, False, True]),
        ({"weeks_in_work": 13, "volunteered_for_work": True}, [False, False, True, True]),
        ({"weeks_in_work": 13, "school_passed": False}, [False, False, True, True]),
        ({"volunteered_for_work": True, "asb_after": 3}, [False, False, False, False]),
        ({"school_passed": None}, [None, False, False, None]),
        ({"school_passed": None, "asb_after": 3}, [False, False, False, False]),
        ({"school_passed": None, "weeks_in_work": 13}, [False, False, True, True]),
        ({"school_passed": None, "education": False}, [True, False, False, True]),
        ({"asb_before": np.nan}, [None, False, False, None]),
        ({"asb_before": np.nan, "offences_after": 3}, [False, False, False, False]),
        ({"weeks_in_work": np.nan}, [None, False, None, True]),
        ({"weeks_in_work": np.nan, "asb_after": 3}, [False, False, None, None]),
    ],
)
def test_turned_around(change, expected):
    """True: met. False: not met. None: cannot be judged."""
    got = results_met(pd.DataFrame([FAMILY | change]), ONE).iloc[0]
    assert [None if pd.isna(value) else bool(value) for value in got] == expected


def test_results_tests_refuse_the_other_phase_and_negative_counts():
    with pytest.raises(DataError, match=r"column school_attendance, .* is missing"):
        results_met(pd.DataFrame([FAMILY]), TWO)
    with pytest.raises(DataError, match="column education is missing"):
        results_met(pd.DataFrame([PROGRESS]), ONE)
    with pytest.raises(DataError, match="column asb_after is negative in 1 rows"):
        results_met(pd.DataFrame([FAMILY | {"asb_after": -1}]), ONE)


PROGRESS = {
    "asb_before": 1,
    "offences_before": 1,
    "crime_asb": True,
    "school_attendance": False,
    "children_need_help": True,
    "work_finance": False,
    "domestic_abuse": False,
    "health": True,
    "school_passed": False,
    "offences_after": 0,
    "asb_after": 0,
    "children_helped": True,
    "safe_from_abuse": False,
    "weeks_in_work": 0,
    "emergency_admissions_after": 0,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [False, True]),
        ({"offences_after": 1}, [False, False]),
        ({"children_helped": False}, [False, False]),
        ({"emergency_admissions_after": 1}, [False, False]),
        ({"emergency_admissions_after": 1, "health": False}, [False, True]),
        ({"work_finance": True}, [False, False]),
        ({"weeks_in_work": 26, "children_helped": False}, [True, True]),
        (dict.fromkeys(TWO.criteria, False), [False, False]),
    ],
)
def test_sustained_progress(change, expected):
    assert results_met(pd.DataFrame([PROGRESS | change]), TWO).iloc[0].tolist() == expected
