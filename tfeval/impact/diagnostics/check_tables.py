"""Tables of the checks of a comparison: verdicts in words, both arms by quarter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tfeval.display import check_words
from tfeval.display.names import SIMULATED, capital
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.display.words import in_digits
from tfeval.impact.diagnostics.placebos import QUARTER
from tfeval.impact.diagnostics.threats import FEWEST_AUTHORITIES
from tfeval.impact.diagnostics.verdicts import MATTERS, TIMES
from tfeval.impact.effects.words import (
    HIDDEN,
    decimals,
    hidden_rows,
    label_of,
    number,
    p_words,
    with_interval,
)


def checks_table(frame: pd.DataFrame, settings: Mapping[str, Any], simulated: bool) -> Table:
    """Return one row a check, in words, small numbers hidden."""
    units, labels = settings.get("units", {}), settings.get("labels", {})
    lines = [_line(row, labels, units) for row in frame.to_dict("records")]
    notes = [f"{SIMULATED}."] * simulated + [
        "A check's numbers are of the outcome that speaks most against the design. Of the checks "
        "of no effect, p counts how many outcomes were looked at, and, by Holm, how many checks; "
        "one that fails at 0.05 says that the design leaves something out.",
        "Not ruled out: the largest shift, in standard deviations, that is in keeping with what "
        f"was seen. Matters from: {1 / TIMES:.0%} of the effect found on the same outcomes, and of "
        f"{settings.get('matters', MATTERS):g} where none is told from none, or more is. "
        "A check passes only where no shift that matters is in keeping with what was seen. Where "
        "one is, it fails if a shift is told from none, and else cannot be judged.",
        "Would have seen: the shift that a check tells from none in 8 of 10 such studies where it "
        "is on all outcomes, and where it is on one alone.",
        "Without each authority, and of contamination, the range in brackets is no interval but "
        "the least and the greatest effect.",
        "A comparison can pass every check and be wrong.",
    ]
    return table(pd.DataFrame(lines), "Does the comparison stand up to checks it could fail?",
                 notes=notes)  # fmt: skip


#: Sizes that are of the row's own outcome, and hidden with it.
_OF_ONE = ("margin", "reach")
_SIZE = in_digits(2)


def _line(
    row: dict[Any, Any], labels: Mapping[str, str], units: Mapping[str, str]
) -> dict[str, str]:  # fmt: skip
    said = label_of(row["outcome"], labels) if row["outcome"] else ""
    if said and row["hidden"]:
        said = f"{said}: {HIDDEN}"
    elif said:
        scale = 100.0 if units.get(row["outcome"]) in ("share", "0 or 1") else 1.0
        digits = decimals(row["std_error"] * scale)
        value, low, high = (row[name] * scale for name in ("estimate", "conf_low", "conf_high"))
        unit = " points" if scale == 100 else ""
        said = f"{said}: {with_interval(value, low, high, digits, unit)}"
    adjusted = row["p_adjusted"]
    sizes = {"Not ruled out, up to": "reach", "Matters from": "margin"}
    seen = [_size(row, name) for name in ("detectable", "detectable_single")]
    counts = ["none" if pd.isna(row[name]) else safe_count(row[name])
              for name in ("n_treated", "n_comparison")]  # fmt: skip
    return {
        "Check": capital(check_words.CHECKS[row["check"]]),
        "Verdict": check_words.CHECK_VERDICTS[row["verdict"]],
        "What it asks, and what was found":
            f"{check_words.CHECK_QUESTIONS[row['check']]} {capital(reason_words(row))}.",
        "What speaks most against it": said or "nothing known",
        "p, adjusted": "none" if pd.isna(adjusted) else
            HIDDEN if row["hidden"] else p_words(adjusted),
        **{heading: _size(row, name) for heading, name in sizes.items()},
        "Would have seen, on all; on one": _pair(seen),
        "Families, treated; compared": _pair(counts),
    }  # fmt: skip


def _size(row: Mapping[Any, Any], name: str) -> str:
    """Return a shift in standard deviations, hidden where it is of few."""
    if pd.isna(row[name]):
        return "none"
    return HIDDEN if row["hidden"] and name in _OF_ONE else _SIZE(row[name])


def _pair(texts: list[str]) -> str:
    return "none" if set(texts) == {"none"} else "; ".join(texts)


def reason_words(row: Mapping[Any, Any]) -> str:
    """Say why a check has its verdict."""
    percent = {
        name: "none" if pd.isna(row[name]) else f"{row[name]:.0%}"
        for name in ("share", "left_out", "effective", "largest")
    }
    if row["hidden"]:
        percent["share"] = f"fewer than {THRESHOLD}" if row["share"] < 0.5 else "nearly all"
    tests = 0 if pd.isna(row["tests"]) else int(row["tests"])
    sizes = {name: HIDDEN if row["hidden"] else _SIZE(row[name]) for name in _OF_ONE}
    return check_words.CHECK_REASONS[row["reason"]].format(
        tests=tests, **percent, **sizes, fewest=THRESHOLD, authorities=FEWEST_AUTHORITIES
    )


def quarters_table(rows: pd.DataFrame, settings: Mapping[str, Any], simulated: bool) -> Table:
    """Return both arms by quarter, small numbers hidden."""
    hidden = hidden_rows(rows)
    lines = []
    for row, hide in zip(rows.to_dict("records"), hidden, strict=True):
        digits = decimals(row["std_error"])
        shown = [number(row[name], digits) for name in ("mean_treated", "mean_comparison")]
        known = not pd.isna(row["std_error"])
        interval = with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)
        cells = [*shown, interval if known else "no interval"]
        lines.append(
            [label_of(row["outcome"], settings.get("long_labels", {})), _quarter(row["month"]),
             *([HIDDEN] * 3 if hide else cells)]
        )  # fmt: skip
    columns = ["Outcome", "Months from the index date", "On the programme", "Compared",
               "Difference (95% interval)"]  # fmt: skip
    notes = [f"{SIMULATED}."] * simulated + [
        "Weighted means of a quarter. What is counted by school term is not known by quarter.",
        f"Hidden: where an arm has fewer than {THRESHOLD} families with the outcome, or without.",
    ]
    return table(pd.DataFrame(lines, columns=columns), "Both groups by quarter around the index "
                 "date", notes=notes)  # fmt: skip


def _quarter(month: float) -> str:
    start = int(month)
    return f"{number(start, 0)} to {number(start + QUARTER, 0)}"
