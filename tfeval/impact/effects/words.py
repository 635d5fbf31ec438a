"""Effects in words: names of outcomes, numbers as they are read, and which may not be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.chart_parts import minus
from tfeval.display.disclosure import THRESHOLD
from tfeval.display.words import settled
from tfeval.impact.design.set_weights import ESTIMANDS
from tfeval.impact.inference.rules import (
    DETERMINED,
    ENOUGH_CLUSTERS,
    ENOUGH_TO_DRAW,
    ENOUGH_UNITS,
    FEW_CLUSTERS,
    FEW_EVENTS,
    FEW_UNITS,
    FEWEST_CLUSTERS,
    FEWEST_EVENTS,
    FEWEST_UNITS,
    NO_VARIATION,
    NOT_FITTED,
)

HIDDEN = "hidden"
#: The same words as on the pages; `tfeval.report.notebook_parts` is a later room.
SIMULATED = "Simulated records: not findings about the programme"
#: Why an effect or its interval is missing, by status; {who} are families or people.
STATUSES = {
    NO_VARIATION: "Not estimable: the outcome is the same for all who are compared.",
    NOT_FITTED: "Not estimable: the outcome's logistic model does not settle in one arm.",
    FEW_UNITS: "No interval: too few {who} in an arm for an error of its own "
    f"(at least {FEWEST_UNITS} are needed, more for some errors).",
    FEW_CLUSTERS: "No interval: too few clusters hold treated or comparison {who} to say how "
    f"clusters vary (at least {FEWEST_CLUSTERS} of each are needed, {ENOUGH_TO_DRAW} for a "
    "bootstrap or two clusterings).",
    FEW_EVENTS: f"No interval: fewer than {FEWEST_EVENTS} {{who}} of an arm would have the rarer "
    "values of the outcome, were both arms alike.",
    DETERMINED: "No interval: the covariates determine the outcome, so nothing is left to chance.",
}
#: Forms of the error that small numbers call for.
SMALL_SAMPLES = {
    "hc2": f"fewer than {ENOUGH_UNITS} {{who}} in an arm: HC2 and Satterthwaite's t",
    "hc3": "HC3 and Satterthwaite's t",
    "cr2": f"fewer than {ENOUGH_CLUSTERS} clusters hold an arm's {{who}}: CR2 and Satterthwaite's "
    "t",
    "cr3": "CR3 and Satterthwaite's t",
    "score": "few {who} with the outcome: Newcombe's interval by score",
}
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
    several = [name for name in columns if frame[name].nunique() > 1]
    spans = frame["months"].nunique(dropna=False) > 1
    names = []
    for row in frame.to_dict("records"):
        parts = [label_of(row["outcome"], labels)]
        if spans and not pd.isna(row["months"]):
            parts.append(f"{row['months']:.0f} months")
        parts += [str(row[name]) for name in several]
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


def method_notes(frame: pd.DataFrame) -> list[str]:
    """Say whose effect it is, by which method, and what kind of errors; each in full."""
    estimands = [
        f"{name}, {ESTIMANDS[name]}" if name in ESTIMANDS else str(name)
        for name in dict.fromkeys(frame["estimand"])
    ]
    methods = [str(name) for name in dict.fromkeys(frame["method"])]
    notes = [f"Estimand: {'; '.join(estimands)}.", f"Method: {'; '.join(methods)}."]
    errors = []
    for name, rows in frame.groupby("errors", sort=False):
        counts = rows["clusters"].dropna()
        text = str(name)
        if len(counts):
            low, high = int(counts.min()), int(counts.max())
            text += f" ({low:,} clusters)" if low == high else f" ({low:,} to {high:,} clusters)"
        errors.append(text)
    return [*notes, f"Errors: {'; '.join(errors)}."]


def status_notes(frame: pd.DataFrame, who: str) -> list[str]:
    """Say why effects or intervals are missing, and which errors are of a form for few."""
    found = [
        text.format(who=who) for key, text in STATUSES.items() if (frame["status"] == key).any()
    ]
    forms = [text.format(who=who) for key, text in SMALL_SAMPLES.items()
             if (frame["small_sample"] == key).any()]  # fmt: skip
    return [*found, *([f"Intervals of some effects: {'; '.join(forms)}."] if forms else [])]


def not_estimated(status: str) -> bool:
    """Tell whether an effect is known to have no estimate or no error."""
    return status in STATUSES


def plan_notes(frame: pd.DataFrame) -> list[str]:
    """Say what was not planned."""
    exploratory = [is_exploratory(value) for value in frame["planned"]]
    if any(exploratory):
        return ["Exploratory: not in the analysis plan, so a lead to follow and no finding."]
    if frame["planned"].isna().any():
        return ["Not held to an analysis plan."]
    return []
