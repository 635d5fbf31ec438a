"""Balance as people read it: a warning nobody can miss, and a table that gives nobody away."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.impact.balance.verdict import BALANCED, KS, NOT_BALANCED, PARTLY, RATIO, SMD, Verdict

WIDTH = 88
_SHORT = {SMD: "difference", RATIO: "variance ratio", KS: "KS"}
_DENOMINATORS = {
    "treated": "the standard deviation of the treated before adjustment",
    "comparison": "the standard deviation of the comparison units before adjustment",
    "pooled": "the pooled standard deviation of both arms before adjustment",
}
_HEADS = {
    BALANCED: "Balanced",
    PARTLY: "CAUTION: ONLY PARTLY BALANCED",
    NOT_BALANCED: "WARNING: NOT BALANCED",
}
_ADVICE = {
    BALANCED: "No measured covariate differs by more than the thresholds allow.",
    PARTLY: "Adjust for these covariates when estimating, or choose another design.",
    NOT_BALANCED: (
        "Do not read a difference in outcomes as an effect of the programme: the arms were "
        "different before it. Choose another design, or narrow whom it is about."
    ),
}


def denominator_words(denominator: str) -> str:
    """Return what differences are divided by, in words.

    Examples
    --------
    >>> denominator_words("treated")
    'the standard deviation of the treated before adjustment'
    """
    return _DENOMINATORS[denominator]


def alert_text(verdict: Verdict, method: str) -> str:
    """Return the verdict as plain text, boxed where balance fails."""
    head = f"{_HEADS[verdict.word]} ({method})"
    lines = [head, *verdict.reasons(), _ADVICE[verdict.word]]
    if verdict.word == BALANCED:
        return " ".join([f"{head}.", *lines[1:]])
    mark = "!" if verdict.word == NOT_BALANCED else "-"
    inner = [part for line in lines for part in textwrap.wrap(line, WIDTH - 6)]
    sides = [f"{mark * 2} {part.ljust(WIDTH - 6)} {mark * 2}" for part in inner]
    return "\n".join([mark * WIDTH, *sides, mark * WIDTH])


def alert_html(verdict: Verdict, method: str) -> str:
    """Return the verdict as HTML; announced at once by screen readers where balance fails."""
    head = f"{_HEADS[verdict.word]} ({method})"
    if verdict.word == BALANCED:
        return (
            f'<p class="tfeval-verdict"><strong>{escape(head)}.</strong> '
            f"{escape(_ADVICE[verdict.word])}</p>"
        )
    failed = verdict.word == NOT_BALANCED
    colour, role, kind = (
        ("#b10e1e", "alert", "failure") if failed else ("#a8430a", "note", "banner")
    )
    style = f"border: 4px solid {colour}; padding: 0.6em 1em; margin: 0 0 1em"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons())
    return (
        f'<div class="tfeval-verdict {kind}" role="{role}" style="{style}">\n'
        f"<p><strong>{escape(head)}</strong></p>\n<ul>{reasons}</ul>\n"
        f"<p>{escape(_ADVICE[verdict.word])}</p>\n</div>"
    )


def balance_table(frame: pd.DataFrame, verdict: Verdict, method: str, denominator: str) -> Table:
    """Return the balance of every covariate as a table for readers.

    Parameters
    ----------
    frame : DataFrame
        As in `COLUMNS`.
    verdict : Verdict
        Whose failures are marked.
    method, denominator : str
        Of the design and of the differences.
    """
    rows = [_shown(row, verdict.thresholds) for row in frame.to_dict("records")]
    shown = pd.DataFrame(rows)
    if _same_means(frame):
        # Nobody treated was left out or weighed: one column says it.
        shown = shown.drop(columns="Treated after")
        shown = shown.rename(columns={"Treated before": "Treated"})
    marks = verdict.failing.groupby("covariate")["measure"].agg(list)
    shown["Fails"] = [
        ", ".join(_SHORT[measure] for measure in marks.get(name, [])) or "nothing"
        for name in frame["covariate"]
    ]
    notes = [
        f"Differences are treated less comparison over {denominator_words(denominator)}, for "
        "shares too; of all units where that is zero.",
        verdict.rules(),
    ]
    if frame["hidden"].any():
        notes.append(
            "Hidden: fewer than 10 units have or lack it, or it would give away another that "
            "fewer than 10 have."
        )
    return table(shown, f"Balance before and after: {method}", notes=notes, missing="n/a")


def _same_means(frame: pd.DataFrame) -> bool:
    """Say whether the treated's means stayed, each in its covariate's own unit."""
    before, after = frame["mean_treated_before"], frame["mean_treated_after"]
    size = np.fmax(np.fmax(before.abs(), after.abs()), frame["sd"])
    same = ((before - after).abs() <= 1e-8 * size) | (before.isna() & after.isna())
    return bool(same.all())


def _shown(row: Mapping[Any, Any], thresholds: Mapping[str, float]) -> dict[str, object]:
    hidden = bool(row["hidden"])
    shown: dict[str, object] = {"Covariate": row["covariate"]}
    for arm in ("treated", "comparison"):
        for when in ("before", "after"):
            value = "hidden" if hidden else _number(row[f"mean_{arm}_{when}"])
            shown[f"{arm.capitalize()} {when}"] = value
    for when in ("before", "after"):
        words = difference_words(row[f"smd_{when}"], hidden, thresholds)
        shown[f"Difference {when}"] = words
    ratio, distance = row["variance_ratio_after"], row["ks_after"]
    two_valued = row["kind"] in ("binary", "level", "missing")
    shown["Variance ratio after"] = None if two_valued else "hidden" if hidden else _number(ratio)
    shown["KS after"] = "hidden" if hidden else _number(distance)
    return shown


def difference_words(value: float, hidden: bool, thresholds: Mapping[str, float]) -> str:
    """Write a standardised difference; of a rare covariate only between which thresholds it lies.

    Examples
    --------
    >>> limits = {"smd": 0.1, "smd_limit": 0.25}
    >>> difference_words(-0.217, False, limits), difference_words(-0.217, True, limits)
    ('-0.22', '0.1 to 0.25')
    """
    number = float(value)
    if np.isnan(number):
        return "not known"
    if not hidden:
        return f"{number + 0.0:.2f}".replace("-0.00", "0.00")
    low, high = thresholds["smd"], thresholds["smd_limit"]
    if abs(number) <= low:
        return f"within {low:g}"
    return f"{low:g} to {high:g}" if abs(number) <= high else f"over {high:g}"


def _number(value: float) -> str:
    number = float(value)
    if np.isnan(number):
        return "not known"
    if np.isinf(number):
        return "no spread"
    return f"{number:,.2f}" if abs(number) < 1000 else f"{number:,.0f}"
