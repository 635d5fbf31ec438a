"""Chapter 4: the same effects by other estimators, designs and comparison groups, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from tfeval.cohort.cohort import comparison_groups
from tfeval.display.names import estimand_words
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError, public_line
from tfeval.impact.design.design import Design
from tfeval.impact.effects.estimate import METHODS, estimate
from tfeval.impact.effects.words import (
    decimals,
    hidden_rows,
    number,
    status_notes,
    with_interval,
)
from tfeval.impact.study.study import Study
from tfeval.impact.weighting.unweighted import unweighted
from tfeval.report.chapters.common import outcome_label
from tfeval.report.chapters.comparison import DESIGNS, Comparison, worded
from tfeval.report.chapters.comparison import load as load_comparison
from tfeval.report.chapters.impact import Impact, in_order, outcomes_of
from tfeval.report.chapters.linked import truth_of

#: What simulated truths call the outcomes of a cohort, and how often they count.
_TRUE_NAMES = {
    "fixed_exclusions": "fixed_exclusions",
    "permanent_exclusions": "permanent_exclusions",
    "offences": "proven_offences",
    "custody": "custody",
    "asb_incidents": "asb_incidents",
    "out_of_work": "out_of_work_days",
    "employment": "employed_days",
    "in_need": "in_need_days",
    "protection_plan": "protection_plan_days",
    "looked_after": "looked_after_days",
    "emergency_admissions": "emergency_admissions",
    "ae_attendances": "ae_attendances",
    "domestic_abuse": "domestic_abuse_incidents",
}
#: Columns of the recorded table of specifications; `why` says why one has no effects.
COLUMNS = ("comparison", "design", "estimator", "alike", "estimand", "outcome", "months",
           "estimate", "std_error", "conf_low", "conf_high", "status", "why")  # fmt: skip
KEYS = ("comparison", "design", "estimator")
#: The design in which nobody is matched or weighted.
UNWEIGHTED = "unweighted"
_TOO_FEW = "Too few families have any outcome, or lack it, to show."
_UNADJUSTED = {
    "difference": "naive difference: nobody matched, weighted or adjusted",
    "adjusted": "regression adjustment alone: nobody matched or weighted",
}
#: Estimates as near as this, in standard errors, are one estimate.
_SAME = 1e-6
Made = Callable[[], Comparison]


def specifications(found: Impact) -> pd.DataFrame:
    """Estimate every outcome under each comparison group, design and estimator, one changed.

    The naive difference and regression adjustment alone stand among them: what a design is for.

    Parameters
    ----------
    found : Impact
        As from `load`; its own specification is among them.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: effects that may be shown, one a row. A specification that is not
        possible, or of which nothing may be shown, has one row without an outcome, and `why`.
    """
    rows: list[dict[Any, Any]] = []
    for keys, made in _asked(found):
        told: dict[Any, Any] = dict(zip(KEYS, keys, strict=True))
        try:
            held = made()
            frame = estimate(
                held.design, outcomes_of(held, found.horizon), months=found.horizon,
                method=keys[2],
            ).to_frame()  # fmt: skip
        except TfevalError as fault:
            rows.append({**told, "outcome": "", "why": worded(public_line(fault))})
            continue
        told["alike"] = held.balance.verdict().word
        shown = frame[~hidden_rows(frame)].to_dict("records")
        rows += [{**row, **told, "why": ""} for row in shown]
        rows += [{**told, "outcome": "", "why": _TOO_FEW}] * (not shown)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _asked(found: Impact) -> Iterator[tuple[tuple[str, str, str], Made]]:
    """Yield the chosen specification, then those that differ from it in one thing."""
    held, own = found.comparison, _own(found)
    yield own, lambda: held
    for estimator in METHODS:
        if estimator != own[2]:
            yield (own[0], own[1], estimator), lambda: held
    for design, (_, make) in DESIGNS.items():
        if design != own[1]:
            yield (own[0], design, own[2]), partial(_designed, held, make)
    for comparison in comparison_groups():
        if comparison != own[0]:
            yield (comparison, own[1], own[2]), partial(
                load_comparison, found.extract, held.cohort.settings.phase, comparison,
                found.horizon, design=own[1], caliper=held.caliper,
            )  # fmt: skip
    for estimator in _UNADJUSTED:
        yield (
            (own[0], UNWEIGHTED, estimator),
            partial(_designed, held, lambda made, _width: unweighted(made)),
        )


def _designed(held: Comparison, make: Callable[[Study, float], Design]) -> Comparison:
    other = make(held.study, held.caliper)
    return replace(held, design=other, balance=other.balance())


def _own(found: Impact) -> tuple[str, str, str]:
    return found.comparison.cohort.settings.comparison, found.comparison.name, found.estimator


def specifications_table(found: Impact, rows: pd.DataFrame) -> Table:
    """Return the primary effects under each specification.

    Parameters
    ----------
    found : Impact
        As from `load`.
    rows : DataFrame
        As from `specifications`.
    """
    primary = [name for name in dict.fromkeys(rows["outcome"])
               if name and found.plan.role(name) == "primary"]  # fmt: skip
    lines, failed = [], []
    for keys, part in rows.groupby(list(KEYS), sort=False):
        what, key = _changed(keys, _own(found))
        if part["why"].iloc[0]:
            failed.append(f"{what}, {key}: {part['why'].iloc[0]}")
            lines.append([what, key, "not known", *["no effect: see below"] * len(primary)])
            continue
        by_name = part.set_index("outcome")
        alike = {"balanced": "yes", "partly": "partly"}.get(part["alike"].iloc[0], "NO")
        lines.append([what, key, alike, *(_cell(by_name, name) for name in primary)])
    headings = ["Changed", "To", "Groups alike", *(outcome_label(name, True) for name in primary)]
    return table(
        pd.DataFrame(lines, columns=headings),
        caption=f"Primary effects over {found.horizon} months, one choice changed at a time",
        notes=[
            f"Differences with their 95% intervals, not corrected for their number; "
            f"estimand {estimand_words(found.comparison.design.estimand)}; the overlap design is "
            "about those who could have been in either group.",
            "Exploratory, but for those that the plan has among its sensitivity analyses.",
            *[f"No effect. {text}" for text in failed],
            *status_notes(rows[rows["outcome"].isin(primary)].assign(small_sample=""), "families"),
            *_repeated(rows, _own(found)),
        ],
    )


def _changed(keys: Any, own: tuple[str, str, str]) -> tuple[str, str]:
    if keys[1] == UNWEIGHTED:
        return "Without a design", _UNADJUSTED[keys[2]]
    for what, key, mine in zip(KEYS, keys, own, strict=True):
        if key != mine:
            return what.capitalize(), key.replace("_", " ")
    return "As chosen", ", ".join(own).replace("_", " ")


def _cell(rows: pd.DataFrame, name: str) -> str:
    if name not in rows.index:
        return "hidden"
    return interval_words(rows.loc[[name]].to_dict("records")[0])


def interval_words(row: dict[Any, Any]) -> str:
    """Write an effect with its interval, or that there is none.

    Examples
    --------
    >>> row = {"estimate": 1.5, "std_error": 0.5, "conf_low": 0.5, "conf_high": 2.5}
    >>> interval_words(row)
    '1.50 (0.50 to 2.50)'
    >>> interval_words({**row, "std_error": float("nan"), "conf_low": float("nan")})
    '1.500; no interval'
    >>> interval_words({**row, "estimate": float("nan")})
    'not estimable'
    """
    if pd.isna(row["estimate"]):
        return "not estimable"
    digits = decimals(float("nan") if pd.isna(row["std_error"]) else row["std_error"])
    if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
        return f"{number(row['estimate'], digits)}; no interval"
    return with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)


def _repeated(rows: pd.DataFrame, own: tuple[str, str, str]) -> list[str]:
    same = [_changed(keys, own)[1] for keys in repeats(rows)]
    if not same:
        return []
    return [f"The same estimates as chosen, so no second opinion: {', '.join(same)}."]


def repeats(rows: pd.DataFrame) -> list[Any]:
    """Return the specifications whose effects are those of the first, to a millionth of the error.

    Doubly robust and regression adjustment are one estimator where all weights are 1.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`.
    """
    parts = [
        (keys, part.set_index("outcome")) for keys, part in rows.groupby(list(KEYS), sort=False)
    ]
    if not parts:
        return []
    first = parts[0][1]["estimate"].astype(float)
    scale = parts[0][1]["std_error"].astype(float)
    if not first.notna().any():
        return []
    found = []
    for keys, part in parts[1:]:
        gap = (part["estimate"].astype(float) - first).abs() / scale
        if gap.notna().any() and (gap.dropna() < _SAME).all():
            found.append(keys)
    return found


def truth_table(found: Impact) -> Table:
    """Return the known effects of simulated records beside the estimates.

    Parameters
    ----------
    found : Impact
        As from `load`.
    """
    truth = truth_of(found.extract)
    if truth is None:
        said = (
            "The truth of simulated records lies apart from them, and was not read."
            if found.comparison.study.simulated
            else "These are real records: the true effect is not known."
        )
        note = pd.DataFrame({"": [said]})
        return table(note, caption="The truth beside the estimates")
    design = found.comparison.design
    frame = found.comparison.cohort.to_pandas().loc[found.comparison.study.index]
    families = frame.loc[design.target > 0, "family_id"]
    known = truth.by_family(found.horizon).reindex(families.unique())
    rows = []
    shown = in_order(found).to_frame()
    for row in shown[~hidden_rows(shown)].to_dict("records"):
        measure = row["outcome"].rpartition("_")[0]
        if measure not in _TRUE_NAMES:
            continue
        true, digits = float(known[_TRUE_NAMES[measure]].mean()), decimals(row["std_error"])
        inside = "yes" if row["conf_low"] <= true <= row["conf_high"] else "NO"
        if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
            inside = "no interval"
        label = outcome_label(measure, unit=True)
        rows.append((label, number(true, digits), interval_words(row), inside))
    columns = ["Outcome", "True effect", "Estimate (95% interval)", "Interval holds the truth"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The truth beside the estimates, for the families compared",
        notes="Only simulated records know both what happened and what would have happened; an "
        "interval of 95% misses the truth once in twenty by chance alone. Absence has no truth "
        "beside it: it is a ratio of two counts.",
    )
