"""Payment-by-results tests: turned around, and significant and sustained progress."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.programme.phases import Phase

_COUNTS = ("asb_before", "asb_after", "offences_before", "offences_after")


def fallen_by(before: pd.Series, after: pd.Series, share: float) -> pd.Series:
    """Return whether counts fell by at least a share of what they were.

    Parameters
    ----------
    before, after : Series of int
        Counts over periods of the same length.
    share : float
        Between 0 and 1.

    Returns
    -------
    Series of bool
        True where after <= before x (1 - share); with none before, only where none came after.

    Notes
    -----
    "A third" is published as 33%, so one offence left of three is a fall by 66.7% and two of
    three (33.3%) passes.

    Examples
    --------
    >>> fallen_by(pd.Series([5, 5, 0]), pd.Series([2, 3, 0]), 0.60).tolist()
    [True, False, True]
    """
    # Rounded, or 5 x (1 - 0.6) = 2.0000000000000004 would hang on the last binary digit.
    return after <= np.round(before * (1 - share), 9)


def school_test(children: pd.DataFrame, phase: Phase) -> pd.Series:
    """Return whether each child passes the phase's school test over its terms.

    Parameters
    ----------
    children : DataFrame
        One row a child: `fixed_exclusions`, `sessions_possible`, `sessions_unauthorised`,
        `sessions_absent` (all absence) and `terms` (whole consecutive terms covered).
    phase : Phase
        Phase one: fewer than 3 fixed exclusions and under 15% unauthorised absence.
        Phase two: attendance of at least 90%.

    Returns
    -------
    Series of bool
        A child not covered for all the terms, or with no possible session, does not pass.

    References
    ----------
    London Councils (2015); Sefton Council (2016); `data/published/results_definitions.csv`.
    """
    rule = phase.results
    possible = children["sessions_possible"]
    passed = (children["terms"] >= rule.school_terms) & (possible > 0)
    if rule.fixed_exclusions_below is not None:
        passed &= children["fixed_exclusions"] < rule.fixed_exclusions_below
    if rule.unauthorised_absence_below is not None:
        limit = round(rule.unauthorised_absence_below * 100)
        passed &= children["sessions_unauthorised"] * 100 < possible * limit
    if rule.attendance_at_least is not None:
        limit = round(rule.attendance_at_least * 100)
        passed &= (possible - children["sessions_absent"]) * 100 >= possible * limit
    return passed


def turned_around(families: pd.DataFrame, phase: Phase) -> pd.DataFrame:
    """Return which phase one results each family achieved, and whether it is "turned around".

    A family is turned around when it passes every one of the school, anti-social behaviour and
    youth offending tests that bear on a problem it had at entry, or when an adult has moved off
    out-of-work benefits into continuous work. Progress to work is paid beside the first kind and
    does not turn a family around alone.

    Parameters
    ----------
    families : DataFrame
        One row a family: `education`, `crime_asb` (bool, problem at entry); `school_passed`
        (bool, every child passes `school_test`); `asb_before`, `asb_after`, `offences_before`,
        `offences_after` (counts over `phase.results.offending_months` before entry and before
        the claim); `weeks_in_work` (longest spell of an adult who was on out-of-work benefits at
        entry), `volunteered_for_work` (bool, joined the Work Programme or the European Social
        Fund provision).
    phase : Phase
        Phase one.

    Returns
    -------
    DataFrame of bool
        `crime_asb_education`, `progress_to_work`, `continuous_employment`, `turned_around`.

    Raises
    ------
    DataError
        If counts are negative or the phase has no such test.

    References
    ----------
    London Councils (2015) for the tests; Written answer 226403 (2015) for 13 weeks in work.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> family = pd.DataFrame({"education": [True], "crime_asb": [True], "school_passed": [True],
    ...     "asb_before": [5], "asb_after": [2], "offences_before": [3], "offences_after": [2],
    ...     "weeks_in_work": [0], "volunteered_for_work": [True]})
    >>> turned_around(family, phase("one")).iloc[0].tolist()
    [True, True, False, True]
    """
    rule = phase.results
    if rule.asb_reduction is None or rule.offending_reduction is None:
        raise DataError(f"Phase {phase.name} has no turned-around test: use sustained_progress.")
    _no_negative(families)
    school = families["school_passed"].astype(bool) | ~families["education"].astype(bool)
    calmer = fallen_by(families["asb_before"], families["asb_after"], rule.asb_reduction)
    lawful = fallen_by(
        families["offences_before"], families["offences_after"], rule.offending_reduction
    )
    crime = (calmer & lawful) | ~families["crime_asb"].astype(bool)
    relevant = families["education"].astype(bool) | families["crime_asb"].astype(bool)
    behaviour = relevant & school & crime
    work = families["weeks_in_work"] >= rule.employment_weeks
    progress = behaviour & ~work & families["volunteered_for_work"].astype(bool)
    return pd.DataFrame(
        {
            "crime_asb_education": behaviour & ~work,
            "progress_to_work": progress,
            "continuous_employment": work,
            "turned_around": behaviour | work,
        },
        index=families.index,
    )


def sustained_progress(families: pd.DataFrame, phase: Phase) -> pd.DataFrame:
    """Return which phase two results each family achieved.

    Significant and sustained progress is progress with every headline problem the family had at
    entry, each by its own test; or an adult moving off benefits into continuous work. Two of the
    six tests (children who need help, domestic abuse) were set by each authority's own outcomes
    plan, so their result is an input.

    Parameters
    ----------
    families : DataFrame
        One row a family: a bool column for each of `phase.criteria` (problem at entry), and
        `school_passed`, `offences_after`, `asb_after`, `children_helped`, `safe_from_abuse`,
        `weeks_in_work`, `emergency_admissions_after` (over `admission_free_months`).
    phase : Phase
        Phase two.

    Returns
    -------
    DataFrame of bool
        `continuous_employment`, `sustained_progress`.

    Raises
    ------
    DataError
        If the phase has no such test.

    References
    ----------
    Sefton Council (2016), Turnaround programme; `data/published/results_definitions.csv`.
    """
    rule = phase.results
    if rule.admission_free_months is None:
        raise DataError(f"Phase {phase.name} has no sustained-progress test: use turned_around.")
    work = families["weeks_in_work"] >= rule.employment_weeks
    passed = {
        "crime_asb": (families["offences_after"] == 0) & (families["asb_after"] == 0),
        "school_attendance": families["school_passed"].astype(bool),
        "children_need_help": families["children_helped"].astype(bool),
        "work_finance": work,
        "domestic_abuse": families["safe_from_abuse"].astype(bool),
        "health": families["emergency_admissions_after"] == 0,
    }
    problems = families[list(phase.criteria)].astype(bool)
    solved = pd.DataFrame(passed, index=families.index)
    everything = problems.any(axis=1) & (solved | ~problems).all(axis=1)
    return pd.DataFrame(
        {"continuous_employment": work, "sustained_progress": everything | work},
        index=families.index,
    )


def _no_negative(families: pd.DataFrame) -> None:
    below = [name for name in _COUNTS if (families[name] < 0).any()]
    if below:
        count = int((families[below] < 0).any(axis=1).sum())
        raise DataError(
            f"Families table: column {', '.join(below)} is negative in {count} rows: "
            "counts cannot be; correct them."
        )
