"""Chapter 4: do other choices say the same? The headline that follows from the page's own rows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tfeval.impact.balance.verdict import NOT_BALANCED
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.programme.outcomes import is_more_better, outcome_label
from tfeval.report.chapters import impact
from tfeval.report.chapters.impact import Analysis
from tfeval.report.chapters.specifications import KEYS, UNWEIGHTED, repeats

#: What an interval that leaves no effect out says of an outcome.
BETTER, WORSE = "better", "worse"


def headline(found: Analysis, rows: pd.DataFrame) -> str:
    """Say what was caused in one sentence, and in another whether other choices say the same.

    Parameters
    ----------
    found : Analysis
    rows : DataFrame
        As from `specifications`.
    """
    said = impact.headline(found)
    if found.balance.verdict().word == NOT_BALANCED:
        return said
    return f"{said} {agreement(rows, found.plan)}".rstrip()


def agreement(rows: pd.DataFrame, plan: AnalysisPlan) -> str:
    """Say how many other choices put a primary outcome apart from no effect, and which way.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`; the first is the choice made.
    plan : AnalysisPlan
        Which outcomes are primary.

    Returns
    -------
    str
        Counts of the rows that the page's table shows: those with groups alike or partly alike,
        a primary outcome with an interval, and estimates of their own. The naive difference is
        no choice.
    """
    others = _others(rows, plan)
    if not others:
        return "No other choice has groups alike and an interval to compare it with."
    told: dict[str, dict[str, int]] = {}
    apart = 0
    for part in others:
        own = {str(row["outcome"]): way for row in part if (way := direction(row))}
        apart += bool(own)
        for name, way in own.items():
            counts = told.setdefault(name, {BETTER: 0, WORSE: 0})
            counts[way] += 1
    count = len(others)
    choices = "choice" if count == 1 else "choices"
    if not apart:
        return (
            f"Nor does any of {count} other {choices} with groups alike or partly alike put a "
            "primary outcome apart from no effect."
        )
    return (
        f"The answer hangs on the choice: {apart} of {count} other {choices} with groups alike or "
        "partly alike put a primary outcome apart from no effect, by intervals not corrected for "
        f"their number: {'; '.join(_counted(name, counts) for name, counts in told.items())}."
    )


def direction(row: dict[str, Any]) -> str:
    """Return whether an interval says better or worse; empty where it holds no effect or is none.

    Examples
    --------
    >>> direction({"outcome": "offences", "conf_low": -0.3, "conf_high": -0.1})
    'better'
    >>> direction({"outcome": "offences", "conf_low": -0.3, "conf_high": float("nan")})
    ''
    """
    more = is_more_better(str(row["outcome"]))
    if row["conf_low"] > 0:
        return BETTER if more else WORSE
    if row["conf_high"] < 0 and not pd.isna(row["conf_low"]):
        return WORSE if more else BETTER
    return ""


def _others(rows: pd.DataFrame, plan: AnalysisPlan) -> list[list[dict[str, Any]]]:
    same = repeats(rows)
    found = []
    keys: Any
    for place, (keys, part) in enumerate(rows.groupby(list(KEYS), sort=False)):
        naive = keys[1] == UNWEIGHTED and keys[2] == "difference"
        if not place or naive or keys in same or part["alike"].iloc[0] == NOT_BALANCED:
            continue
        own = part[[bool(name) and plan.role(name) == "primary" for name in part["outcome"]]]
        own = own[own["conf_low"].notna() & own["conf_high"].notna()]
        if len(own):
            found.append([{str(key): value for key, value in row.items()}
                          for row in own.to_dict("records")])  # fmt: skip
    return found


def _counted(name: str, counts: dict[str, int]) -> str:
    label = outcome_label(name)
    ways = [f"{way} in {count}" for way, count in counts.items() if count]
    return f"{label[0].lower()}{label[1:]} {' and '.join(ways)}"
