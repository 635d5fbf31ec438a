"""Payment-by-results tests, as each phase's file combines them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tfeval.errors import DataError
from tfeval.programme.phases import Phase, ResultsTest

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
    Series of boolean
        True where after <= before x (1 - share); with none before, only where none came after.
        Missing where either count is.

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
    fell = (after <= np.round(before * (1 - share), 9)).astype("boolean")
    return fell.where(before.notna() & after.notna())


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
    Series of boolean
        Missing where it cannot be judged: fewer terms than the rule looks at, or no possible
        session. Exclusions in fewer terms that are already too many fail all the same.

    References
    ----------
    London Councils (2015); Sefton Council (2016); `data/published/results_definitions.csv`.
    """
    rule = phase.results
    possible = children["sessions_possible"]
    passed = pd.Series(True, index=children.index, dtype="boolean")
    if rule.unauthorised_absence_below is not None:
        limit = round(rule.unauthorised_absence_below * 100)
        passed &= children["sessions_unauthorised"] * 100 < possible * limit
    if rule.attendance_at_least is not None:
        limit = round(rule.attendance_at_least * 100)
        passed &= (possible - children["sessions_absent"]) * 100 >= possible * limit
    passed = passed.where((children["terms"] >= rule.school_terms) & (possible > 0))
    if rule.fixed_exclusions_below is not None:
        passed &= children["fixed_exclusions"] < rule.fixed_exclusions_below
    return passed


def results_met(families: pd.DataFrame, phase: Phase) -> pd.DataFrame:
    """Return which of a phase's results each family achieved.

    A result is every problem that the family had at entry resolved, each by its own test; and
    where the phase has such a result, an adult moving off benefits into continuous work, whatever
    else is left. Tests that authorities set themselves have their result as an input.

    Parameters
    ----------
    families : DataFrame
        One row a family: a bool column for each of the phase's needs that count (problem at
        entry), and what their tests look at: `school_passed` (bool, every child passes
        `school_test`); `asb_before`, `asb_after`, `offences_before`, `offences_after` (counts
        over `phase.results.offending_months` before entry and before the claim); `children_helped`,
        `safe_from_abuse` (bool); `emergency_admissions_after` (over `admission_free_months`);
        `weeks_in_work` (longest spell of an adult who was on out-of-work benefits at entry);
        `volunteered_for_work` (bool, joined the Work Programme or the European Social Fund
        provision).
    phase : Phase
        The phase whose tests apply.

    Returns
    -------
    DataFrame of float
        The kinds that the phase tells apart, and `phase.result.name`, the result as a whole: 1
        (met), 0 (not met), or missing where it cannot be judged: an input that decides is missing,
        or the family has a need whose resolution records cannot show (`phase.untested`). A test
        that is failed by what is known is not met, whatever else is missing.

    Raises
    ------
    DataError
        If a column is missing or counts are negative.

    References
    ----------
    London Councils (2015), and Written answer 226403 (2015) for 13 weeks in work; Sefton Council
    (2016), Turnaround programme; Hertfordshire Families First (2023);
    `data/published/results_definitions.csv`.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> family = pd.DataFrame({"education": [True], "crime_asb": [True], "school_passed": [True],
    ...     "asb_before": [5], "asb_after": [2], "offences_before": [3], "offences_after": [2],
    ...     "weeks_in_work": [0], "volunteered_for_work": [True]})
    >>> results_met(family, phase("one")).iloc[0].to_dict() # doctest: +NORMALIZE_WHITESPACE
    {'crime_asb_education': 1.0, 'progress_to_work': 1.0, 'continuous_employment': 0.0,
     'turned_around': 1.0}
    """
    needs = [need for need in phase.needs if need.counts]
    tests = {need.test for need in needs if need.test}
    kinds = phase.result
    work_tests = {"work"} if kinds.employment else set()
    looked_at = [name for test in sorted(tests | work_tests) for name in _LOOKS_AT[test]]
    _require(families, [*(need.name for need in needs), *looked_at])
    passed = {test: _PASSED[test](families, phase.results) for test in tests | work_tests}
    problems = families[[need.name for need in needs]].astype(bool)
    solved = pd.DataFrame(
        {need.name: passed.get(need.test, False) for need in needs},
        index=families.index, dtype="boolean",
    )  # fmt: skip
    everything = problems.any(axis=1).astype("boolean")
    for need in needs:
        everything &= solved[need.name] | ~problems[need.name]
    unknown = problems[[need.name for need in needs if need.untested]].any(axis=1)
    achieved = {}
    whole = everything
    if kinds.employment:
        work = passed["work"]
        whole = everything | work
        if kinds.behaviour:
            achieved[kinds.behaviour] = everything & ~work
        if kinds.progress:
            joined = families["volunteered_for_work"].astype(bool)
            achieved[kinds.progress] = everything & ~work & joined
        achieved[kinds.employment] = work
    achieved[kinds.name] = whole
    return (
        pd.DataFrame(achieved, index=families.index).astype("Float64").astype(float).where(~unknown)
    )


def _less_crime(families: pd.DataFrame, rule: ResultsTest) -> pd.Series:
    """Return who has less crime; where no share by which it must fall was published, none."""
    share = 1.0 if rule.offending_reduction is None else rule.offending_reduction
    calmer = share if rule.asb_reduction is None else rule.asb_reduction
    return fallen_by(families["asb_before"], families["asb_after"], calmer) & fallen_by(
        families["offences_before"], families["offences_after"], share
    )


def _in_work(families: pd.DataFrame, rule: ResultsTest) -> pd.Series:
    if rule.employment_weeks is None:
        raise DataError("No source gives the weeks in work that count: add employment_weeks.")
    weeks = families["weeks_in_work"]
    return (weeks >= rule.employment_weeks).astype("boolean").where(weeks.notna())


def _none(counts: pd.Series) -> pd.Series:
    return (counts == 0).astype("boolean").where(counts.notna())


_PASSED: dict[str, Callable[[pd.DataFrame, ResultsTest], pd.Series]] = {
    "school": lambda families, _rule: families["school_passed"].astype("boolean"),
    "less_crime": _less_crime,
    "work": _in_work,
    "children_helped": lambda families, _rule: families["children_helped"].astype("boolean"),
    "no_admission": lambda families, _rule: _none(families["emergency_admissions_after"]),
    "safe_from_abuse": lambda families, _rule: families["safe_from_abuse"].astype("boolean"),
}
_LOOKS_AT = {
    "school": ("school_passed",),
    "less_crime": _COUNTS,
    "work": ("weeks_in_work",),
    "children_helped": ("children_helped",),
    "no_admission": ("emergency_admissions_after",),
    "safe_from_abuse": ("safe_from_abuse",),
}


def _require(families: pd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in families]
    if missing:
        raise DataError(
            f"Families table: column {', '.join(missing)} is missing: the phase's results tests "
            "look at it; add it."
        )
    below = [name for name in _COUNTS if name in columns and (families[name] < 0).any()]
    if below:
        count = int((families[below] < 0).any(axis=1).sum())
        raise DataError(
            f"Families table: column {', '.join(below)} is negative in {count} rows: "
            "counts cannot be; correct them."
        )
