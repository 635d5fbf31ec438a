"""Effects for readers: their table, keys in words, numbers as read, and what may not be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.axes import minus
from tfeval.display.names import (
    CORRECTIONS,
    DESIGNS,
    SIMULATED,
    SMALL_SAMPLES,
    STATUSES,
    errors_words,
    estimand_words,
    method_words,
    words,
)
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.display.words import settled
from tfeval.impact.inference.rules import LIMITS, NOT_ESTIMATED

HIDDEN = "hidden"
_NOT_DEFINED = "not defined"
#: Units of outcomes that are read as percentages.
SHARES = ("share", "0 or 1", "proportion")


def hidden_rows(frame: pd.DataFrame) -> np.ndarray:
    """Return which effects may not be shown, because they tell of fewer than ten.

    Parameters
    ----------
    frame : DataFrame
        With n_treated, n_comparison, events_treated, events_comparison, mean_treated and
        mean_comparison; what is missing hides nothing.

    Returns
    -------
    ndarray of bool, shape (rows,)

    Notes
    -----
    An effect is hidden where, in either arm, there are fewer than ten units, or fewer than ten
    have the outcome, or fewer than ten have not. The whole effect is hidden, not the one mean:
    the difference of two shares and its error give both shares away. That all have it is told,
    by a mean of 1, only of 0/1 outcomes; a count that is never 0 gives nothing away.

    Examples
    --------
    >>> rows = pd.DataFrame({"n_treated": [200, 200], "n_comparison": [900, 900],
    ...     "events_treated": [4, 50], "events_comparison": [30, 300],
    ...     "mean_treated": [0.02, 0.25], "mean_comparison": [0.03, 0.33]})
    >>> hidden_rows(rows).tolist()
    [True, False]
    """
    hidden = np.zeros(len(frame), dtype=bool)
    for arm in ("treated", "comparison"):
        units = frame[f"n_{arm}"].to_numpy(dtype=float)
        events = frame[f"events_{arm}"].to_numpy(dtype=float)
        mean = frame[f"mean_{arm}"].to_numpy(dtype=float)
        lacking = units - events
        everybody = (lacking <= 0) & np.isclose(mean, 1.0)
        hidden |= (units < THRESHOLD) | (events < THRESHOLD)
        hidden |= ((lacking > 0) & (lacking < THRESHOLD)) | everybody
    return hidden


def label_of(outcome: str, labels: Mapping[str, str]) -> str:
    """Return an outcome's name in words.

    Examples
    --------
    >>> label_of("domestic_abuse", {}), label_of("re78", {"re78": "Earnings in 1978"})
    ('Domestic abuse', 'Earnings in 1978')
    """
    if outcome in labels:
        return labels[outcome]
    words = " ".join(outcome.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def in_full(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose labels have the unit too, where it is known in words."""
    labels = {**settings.get("labels", {}), **settings.get("long_labels", {})}
    return {**settings, "labels": labels}


def row_labels(frame: pd.DataFrame, settings: Mapping[str, Any], *columns: str) -> list[str]:
    """Name the rows in words; months and `columns` are added where they tell rows apart."""
    labels = settings.get("labels", {})
    several = told_apart(frame, columns)
    spans = frame["months"].nunique(dropna=False) > 1
    names = []
    for place, row in enumerate(frame.to_dict("records")):
        parts = [label_of(row["outcome"], labels)]
        if spans and not pd.isna(row["months"]):
            parts.append(f"{row['months']:.0f} months")
        parts += [texts[place] for texts in several.values()]
        name = ", ".join(parts)
        names.append(f"{name} (exploratory)" if is_exploratory(row["planned"]) else name)
    return names


def is_exploratory(planned: Any) -> bool:
    """Tell whether an effect is known not to have been planned."""
    return not pd.isna(planned) and not planned


def decimals(std_error: float, most: int = 6) -> int:
    """Return the decimals that show two digits of an error.

    Examples
    --------
    >>> decimals(0.0123), decimals(2.4), decimals(650.0)
    (3, 1, 0)
    """
    if not (math.isfinite(std_error) and std_error > 0):
        return min(3, most)
    return int(np.clip(1 - math.floor(math.log10(std_error)), 0, most))


def number(value: float, digits: int, suffix: str = "") -> str:
    """Write a number with a true minus sign, and no minus before zero.

    Examples
    --------
    >>> number(-0.0004, 2), number(1234.5, 0), number(12.34, 1, "%")
    ('0.00', '1,234', '12.3%')
    """
    rounded = round(settled(value), digits) + 0.0
    return minus(f"{rounded:,.{digits}f}") + suffix


def with_interval(value: float, low: float, high: float, digits: int, suffix: str = "") -> str:
    """Write an estimate with its interval.

    Examples
    --------
    >>> with_interval(1.234, 0.5, 2.0, 2)
    '1.23 (0.50 to 2.00)'
    >>> with_interval(math.nan, -0.5, 0.5, 1, " points")
    'no estimate; −0.5 to 0.5 points'
    """
    if math.isnan(value) and math.isfinite(low) and math.isfinite(high):
        return f"no estimate; {number(low, digits)} to {number(high, digits, suffix)}"
    if math.isnan(value):
        return "unknown"
    if math.isnan(low) or math.isnan(high):
        return number(value, digits, suffix)
    ends = f"{number(low, digits)} to {number(high, digits)}"
    return f"{number(value, digits, suffix)} ({ends})"


def p_words(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_words(0.00004), p_words(0.0321), p_words(1.0)
    ('under 0.001', '0.032', '1.000')
    """
    if math.isnan(p):
        return "unknown"
    return "under 0.001" if p < 0.001 else f"{p:.3f}"


def percentages(frame: pd.DataFrame, settings: Mapping[str, Any]) -> np.ndarray:
    """Return which outcomes are read as percentages, by their unit."""
    units = settings.get("units", {})
    return np.array([units.get(name, "") in SHARES for name in frame["outcome"]], dtype=bool)


def made_words(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return in words how each effect was made: its design, method and errors."""
    columns = ("method", "outcome_model"), ("errors", "cluster", "stacked")
    method, errors = (frame[list(names)].itertuples(index=False, name=None) for names in columns)
    return {
        "design": [words(DESIGNS, key) for key in frame["design"]],
        "method": [method_words(*keys) for keys in method],
        "errors": [errors_words(*keys) for keys in errors],
    }


def method_notes(frame: pd.DataFrame) -> list[str]:
    """Say whose effect it is, by which method, and what kind of errors; each in full."""
    made = made_words(frame)
    whose = [name for name in ("estimand", "term", "scale") if name in frame]
    estimands = dict.fromkeys(
        estimand_words(*map(str, keys)) for keys in frame[whose].itertuples(index=False, name=None)
    )
    notes = [f"Estimand: {'; '.join(estimands)}.",
             f"Method: {'; '.join(dict.fromkeys(made['method']))}."]  # fmt: skip
    errors = []
    for kind, rows in frame.groupby(pd.Series(made["errors"]).to_numpy(), sort=False):
        text = str(kind)
        counts = rows["clusters"].dropna()
        if len(counts):
            low, high = int(counts.min()), int(counts.max())
            text = f"{text} ({low:,} clusters)" if low == high else (
                f"{text} ({low:,} to {high:,} clusters)")  # fmt: skip
        errors.append(text)
    return [*notes, f"Errors: {'; '.join(errors)}."]


def status_words(status: str, who: str) -> str:
    """Say why an effect or its interval is missing.

    Examples
    --------
    >>> status_words("few_events", "families")[:40]
    'No interval: fewer than 5 families of an'
    """
    return STATUSES[status].format(who=who, **LIMITS)


def status_notes(frame: pd.DataFrame, who: str) -> list[str]:
    """Say why effects or intervals are missing, and which errors are of a form for few."""
    held = set(frame["status"])
    found = [status_words(key, who) for key in STATUSES if key in held]
    held = set(frame["small_sample"])
    forms = [text.format(who=who, **LIMITS) for key, text in SMALL_SAMPLES.items() if key in held]
    return [*found, *([f"Intervals of some effects: {'; '.join(forms)}."] if forms else [])]


def not_estimated(status: str) -> bool:
    """Tell whether an effect is known to have no estimate or no error."""
    return status in NOT_ESTIMATED


def plan_notes(frame: pd.DataFrame) -> list[str]:
    """Say what was not planned."""
    exploratory = [is_exploratory(value) for value in frame["planned"]]
    if any(exploratory):
        return ["Exploratory: not in the analysis plan, so a lead to follow and no finding."]
    if frame["planned"].isna().any():
        return ["Not held to an analysis plan."]
    return []


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
    """
    hidden = hidden_rows(frame)
    who = str(settings.get("who", "families"))
    shown: dict[str, list[str]] = {"Outcome": row_labels(frame, in_full(settings))}
    groups = settings.get("groups", {})
    if len({groups.get(name) for name in frame["outcome"]}) > 1:
        shown = {"Group": [groups.get(name, "Other") for name in frame["outcome"]], **shown}
    shown |= {name.capitalize(): texts for name, texts in told_apart(frame).items()}
    percent = percentages(frame, settings)
    rows = [_row(row, per) for row, per in zip(frame.to_dict("records"), percent, strict=True)]
    share = f"{level:.0%} interval" if round(level * 100, 6) % 1 == 0 else f"{level:.1%} interval"
    headings = (f"Difference ({share})", f"Relative change ({share})", "Mean, treated",
                "Mean, comparison")  # fmt: skip
    for place, heading in enumerate(headings):
        shown[heading] = _kept([row[place] for row in rows], hidden)
    for arm in ("treated", "comparison"):
        shown[f"{arm.capitalize()} {who}"] = [count_words(value) for value in frame[f"n_{arm}"]]
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
    return [f"Adjusted p: {CORRECTIONS[done['method']]}; {over}."]


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


def count_words(value: float) -> str:
    """Write a number of units as it may be shown, or that it is unknown."""
    return "unknown" if pd.isna(value) else safe_count(value)


def _missing_notes(frame: pd.DataFrame, who: str) -> list[str]:
    most = frame["n_missing"].max()
    if pd.isna(most) or most <= 0:
        return []
    return [f"Left out for want of an outcome: at most {safe_count(most)} {who}."]


def told_apart(
    frame: pd.DataFrame, columns: Sequence[str] = ("population", "design", "method")
) -> dict[str, list[str]]:
    """Return, in words, those of some columns in which the effects differ."""
    texts = {**made_words(frame), "population": frame["population"].astype(str).tolist()}
    return {name: texts[name] for name in columns if len(set(texts[name])) > 1}
