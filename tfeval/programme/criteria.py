"""Which headline problems a family has, and whether they make it eligible."""

from __future__ import annotations

import pandas as pd

from tfeval.errors import DataError
from tfeval.programme.phases import Phase

#: Phase one, education: fixed exclusions, and the share of sessions missed without authorisation,
#: over the last three terms (Nottinghamshire County Council, 2013, quoted in
#: `data/published/eligibility.csv`).
EXCLUSIONS_AT_ENTRY = 3
ABSENCE_AT_ENTRY = 0.15


def eligible(problems: pd.DataFrame, phase: Phase) -> pd.Series:
    """Return how each family is eligible: "national", "local" or "no".

    A family with as many of the phase's problems as it asks for is eligible. In phase one that is
    all three; one with two may be included where it also meets the authority's local filter (high
    cost).

    Parameters
    ----------
    problems : DataFrame
        One row a family; one bool column for each of `phase.nominated`: its criteria, and in phase
        one `local_discretion` (whether the authority's own filter is met).
    phase : Phase
        The phase whose rule applies.

    Returns
    -------
    Series of str
        Indexed as `problems`.

    Raises
    ------
    DataError
        If a criterion's column is missing or holds an empty cell.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> family = pd.DataFrame({"crime_asb": [True], "education": [True], "work": [False],
    ...                        "local_discretion": [True]})
    >>> eligible(family, phase("one")).tolist()
    ['local']
    """
    _require(problems, list(phase.nominated))
    met = problems[list(phase.criteria)].astype(bool).sum(axis=1)
    kind = pd.Series("no", index=problems.index)
    if phase.has_local_discretion:
        one_short = met == phase.criteria_needed - 1
        kind[one_short & problems[phase.discretion].astype(bool)] = "local"
    kind[met >= phase.criteria_needed] = "national"
    return kind


def _require(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(f"Families table: column {', '.join(missing)} is missing: add it.")
    empty = [name for name in columns if frame[name].isna().any()]
    if empty:
        count = int(frame[empty].isna().any(axis=1).sum())
        raise DataError(
            f"Families table: column {', '.join(empty)} is empty in {count} rows: "
            "say yes or no for each family, or leave the family out."
        )
