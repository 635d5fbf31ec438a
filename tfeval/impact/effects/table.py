"""Effects as a table for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.disclosure import THRESHOLD, safe_count
from tfeval.display.tables import Table, table
from tfeval.impact.effects.multiple import METHODS
from tfeval.impact.effects.words import (
    HIDDEN,
    SIMULATED,
    decimals,
    hidden_rows,
    in_full,
    method_notes,
    not_estimated,
    number,
    p_words,
    percentages,
    plan_notes,
    row_labels,
    status_notes,
    with_interval,
)

_NOT_DEFINED = "not defined"


def effects_table(
    frame: pd.DataFrame,
    settings: Mapping[str, Any],
    notes: Sequence[str],
    *,
    level: float,
    simulated: bool,
) -> Table:
    """Return effects as a table for readers, with what small numbers hide hidden.

    Parameters
    ----------
    frame : DataFrame
        Columns of `effects.COLUMNS`.
    settings : mapping
        Of it `labels`, `units` and `who` ("families") are used, and `correction`.
    notes : sequence of str
        Shown after the notes on estimand, method and errors.
    level : float
        Of the intervals.
    simulated : bool
    """
    hidden = hidden_rows(frame)
    who = str(settings.get("who", "families"))
    shown: dict[str, list[str]] = {"Outcome": row_labels(frame, in_full(settings))}
    groups = settings.get("groups", {})
    if len({groups.get(name) for name in frame["outcome"]}) > 1:
        shown = {"Group": [groups.get(name, "Other") for name in frame["outcome"]], **shown}
    for column, heading in (("population", "Population"), ("method", "Method")):
        if frame[column].nunique() > 1:
            shown[heading] = [str(value) for value in frame[column]]
    percent = percentages(frame, settings)
    rows = [_row(row, per) for row, per in zip(frame.to_dict("records"), percent, strict=True)]
    share = f"{level:.0%} interval" if round(level * 100, 6) % 1 == 0 else f"{level:.1%} interval"
    headings = (f"Difference ({share})", f"Relative change ({share})", "Mean, treated",
                "Mean, comparison")  # fmt: skip
    for place, heading in enumerate(headings):
        shown[heading] = _kept([row[place] for row in rows], hidden)
    for arm in ("treated", "comparison"):
        shown[f"{arm.capitalize()} {who}"] = [_count(value) for value in frame[f"n_{arm}"]]
    shown["p"] = _kept([p_words(value) for value in frame["p_value"]], hidden)
    if frame["p_adjusted"].notna().any():
        shown["p, adjusted"] = _kept([p_words(value) for value in frame["p_adjusted"]], hidden)
    below = [SIMULATED + "."] if simulated else []
    below += [*plan_notes(frame), *method_notes(frame)]
    below += (
        status_notes(frame, who)
        + _missing_notes(frame, who)
        + correction_notes(settings)
        + hidden_notes(hidden, who)
    )
    return table(pd.DataFrame(shown), caption(frame, settings), notes=[*below, *notes])


def caption(frame: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Say in one line what the effects are of: outcomes, months, population."""
    text = str(settings.get("title", "Effects"))
    months, populations = frame["months"].dropna().unique(), frame["population"].unique()
    if len(months) == 1 and frame["months"].notna().all():
        text += f" over {months[0]:.0f} months"
    if len(populations) == 1 and str(populations[0]) != "all":
        text += f": {populations[0]}"
    return text


def correction_notes(settings: Mapping[str, Any]) -> list[str]:
    """Say how p-values were adjusted."""
    done = settings.get("correction")
    if not done:
        return []
    family = done["family"]
    over = "all rows together" if not family else f"within each {', '.join(family)}"
    return [f"Adjusted p: {METHODS[done['method']]}; {over}."]


def hidden_notes(hidden: np.ndarray, who: str) -> list[str]:
    """Say why effects are hidden."""
    if not hidden.any():
        return []
    return [
        f"Hidden: where an arm has fewer than {THRESHOLD} {who}, or fewer than {THRESHOLD} with "
        "the outcome or without it."
    ]


def _row(row: Mapping[Any, Any], percent: bool) -> tuple[str, str, str, str]:
    scale = 100.0 if percent else 1.0
    digits = decimals(row["std_error"] * scale)
    points, share = (" points", "%") if percent else ("", "")
    difference = with_interval(
        row["estimate"] * scale, row["conf_low"] * scale, row["conf_high"] * scale, digits, points
    )
    if not_estimated(row["status"]):
        known = not pd.isna(row["estimate"])
        difference = f"{difference}; no interval" if known else "not estimable"
    wide = (row["relative_high"] - row["relative_low"]) * 100 / 4
    relative = _NOT_DEFINED if pd.isna(row["relative"]) else with_interval(
        row["relative"] * 100, row["relative_low"] * 100, row["relative_high"] * 100,
        decimals(wide, most=1), "%",
    )  # fmt: skip
    means = (
        "unknown" if pd.isna(row[name]) else number(row[name] * scale, digits, share)
        for name in ("mean_treated", "mean_comparison")
    )
    return difference, relative, *means  # type: ignore[return-value]


def _kept(texts: list[str], hidden: np.ndarray) -> list[str]:
    return [HIDDEN if hide else text for text, hide in zip(texts, hidden, strict=True)]


def _count(value: float) -> str:
    return "unknown" if pd.isna(value) else safe_count(value)


def _missing_notes(frame: pd.DataFrame, who: str) -> list[str]:
    most = frame["n_missing"].max()
    if pd.isna(most) or most <= 0:
        return []
    return [f"Left out for want of an outcome: at most {safe_count(most)} {who}."]
