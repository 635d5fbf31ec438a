"""Sensitivity for readers: tables, small numbers hidden, and what each number means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import (
    HIDDEN,
    caption,
    decimals,
    hidden_notes,
    hidden_rows,
    label_of,
    number,
    p_words,
    percentages,
    row_labels,
    told_apart,
    with_interval,
)

NOT_ESTIMABLE = "not estimable"
_TOLD_APART = ("population", "design", "method", "errors")


def sensitivity_table(frame: pd.DataFrame, effects: Effects, notes: Sequence[str]) -> Table:
    """Return one row an effect."""
    labels, scale, hidden = _rows(effects)
    units = [" points" if one == 100 else "" for one in scale]
    digits = [decimals(_error(row) * one)
              for row, one in zip(frame.to_dict("records"), scale, strict=True)]  # fmt: skip
    shown = {
        **labels,
        _heading("Difference", effects): _differences(frame, "estimate", "conf", scale),
        "E-value": _texts(frame["e_value"], "{:.2f}"),
        "E-value, interval": _texts(frame["e_value_interval"], "{:.2f}"),
        "Gamma": _texts(frame["gamma_limit"], "{:.2f}"),
        "Robustness value": _texts(frame["robustness_value"], "{:.1%}"),
        "Robustness value, interval": _texts(frame["robustness_value_interval"], "{:.1%}"),
        "Partial R2": _texts(frame["partial_r2"], "{:.1%}"),
        "Strongest covariate": [
            _label(name, effects) if name else NOT_ESTIMABLE for name in frame["benchmark"]
        ],
        "Effect, were the unmeasured like it": _differences(
            frame, "benchmark_estimate", "benchmark", scale
        ),
        "Delta": _texts(frame["oster_delta"], "{:.2f}"),
        "Effect at a delta of 1": [
            NOT_ESTIMABLE if np.isnan(value) else number(value * one, places, unit)
            for value, one, places, unit in zip(
                frame["oster_beta"], scale, digits, units, strict=True
            )
        ],
    }
    return _table(shown, len(labels), hidden, effects,
                  title="Sensitivity to what was not measured", notes=notes)  # fmt: skip


def bounds_table(bounds: pd.DataFrame, effects: Effects) -> Table:
    """Return one row an effect, a column a gamma, with the bounds on its p-value."""
    notes = ["Bounds on the two-sided p-value, if the odds within a pair were as far as gamma from "
             "even."]  # fmt: skip
    labels, _, hidden = _rows(effects)
    shown: dict[str, list[str]] = dict(labels)
    for gamma in dict.fromkeys(bounds["gamma"]) if len(bounds) else ():
        own = bounds[bounds["gamma"] == gamma].set_index("row")
        shown[f"Gamma {gamma:g}"] = [
            f"{p_words(own.loc[row, 'p_low'])} to {p_words(own.loc[row, 'p_high'])}"
            if row in own.index else NOT_ESTIMABLE
            for row in range(len(hidden))
        ]  # fmt: skip
    title = "Bounds on p-values of matched pairs"
    return _table(shown, len(labels), hidden, effects, title=title, notes=notes)


def benchmarks_table(benchmarks: pd.DataFrame, effects: Effects) -> Table:
    """Return one row an effect and covariate."""
    notes = ["The effect, at most, had something unmeasured been so many times as strong as a "
             "covariate; R2 is what it would then explain, of what the rest leaves."]  # fmt: skip
    labels, scale, hidden = _rows(effects)
    rows = benchmarks["row"].to_numpy(dtype=int) if len(benchmarks) else np.array([], dtype=int)
    shown: dict[str, list[str]] = {
        name: [texts[row] for row in rows] for name, texts in labels.items()
    }
    if len(benchmarks):
        shown["Covariate"] = [_label(name, effects) for name in benchmarks["covariate"]]
        shown["Times as strong"] = [f"{value:g}" for value in benchmarks["times"]]
        shown["R2 with treatment"] = _texts(benchmarks["r2_treatment"], "{:.1%}")
        shown["R2 with outcome"] = _texts(benchmarks["r2_outcome"], "{:.1%}")
        shown[_heading("Difference", effects)] = _differences(
            benchmarks, "estimate", "conf", [scale[row] for row in rows]
        )
    count = len(labels) + (2 if len(benchmarks) else 0)
    title = "Effects, were the unmeasured like a covariate"
    return _table(shown, count, hidden[rows], effects, title=title, notes=notes)


def _table(
    shown: dict[str, list[str]], kept: int, hidden: np.ndarray, effects: Effects, *, title: str,
    notes: Sequence[str],
) -> Table:  # fmt: skip
    texts = {
        name: [HIDDEN if hide and place >= kept else text
               for text, hide in zip(column, hidden, strict=True)]
        for place, (name, column) in enumerate(shown.items())
    }  # fmt: skip
    who = str(effects.settings.get("who", "families"))
    below = [SIMULATED + "."] if effects.simulated else []
    named = caption(effects.frame, {**effects.settings, "title": title})
    return table(pd.DataFrame(texts), named, notes=[*below, *notes, *hidden_notes(hidden, who)])


def _rows(effects: Effects) -> tuple[dict[str, list[str]], list[float], np.ndarray]:
    """Return what names each effect, what its numbers are multiplied by, and which are hidden."""
    frame = effects.frame
    labels = {"Outcome": row_labels(frame, effects.settings)}
    labels |= {name.capitalize(): texts for name, texts in told_apart(frame, _TOLD_APART).items()}
    percent = percentages(frame, effects.settings)
    return labels, np.where(percent, 100.0, 1.0).tolist(), hidden_rows(frame)


def _label(name: str, effects: Effects) -> str:
    return label_of(name, effects.settings.get("labels", {}))


def _heading(word: str, effects: Effects) -> str:
    share = effects.level * 100
    return f"{word} ({share:.0f}% interval)" if round(share, 6) % 1 == 0 else (
        f"{word} ({share:.1f}% interval)")  # fmt: skip


def _error(row: dict[Any, Any]) -> float:
    known = row["std_error"] if row["std_error"] > 0 else row["regression_std_error"]
    return float(known)


def _texts(values: pd.Series, how: str) -> list[str]:
    return [NOT_ESTIMABLE if np.isnan(value) else
            _bounded(float(value), how.format) for value in values]  # fmt: skip


def _bounded(value: float, how: Callable[[float], str]) -> str:
    if np.isinf(value):
        return "no limit"
    return how(value).replace("-", "−")


def _differences(
    frame: pd.DataFrame, estimate: str, ends: str, scale: Sequence[float]
) -> list[str]:
    cells = []
    columns = (frame[estimate], frame[f"{ends}_low"], frame[f"{ends}_high"], scale)
    errors = [_error(row) for row in frame.to_dict("records")] if "regression_std_error" in frame \
        else frame["std_error"].tolist()  # fmt: skip
    for value, low, high, one, error in zip(*columns, errors, strict=True):
        if np.isnan(value):
            cells.append(NOT_ESTIMABLE)
            continue
        unit = " points" if one == 100 else ""
        cells.append(with_interval(value * one, low * one, high * one, decimals(error * one), unit))
    return cells


#: The table's errors may be so many times the regression's before it is said.
_LARGER = 1.1
#: What each reason is about: its name, and the number without which nothing is estimated.
_REASONS = {
    "e_value_reason": ("E-value", "e_value"),
    "gamma_reason": ("Gamma", "gamma_limit"),
    "robustness_reason": ("Robustness value", "robustness_value"),
    "benchmark_reason": ("Strongest covariate", "benchmark_estimate"),
    "oster_reason": ("Delta", "oster_delta"),
}


def notes_of(
    frame: pd.DataFrame, effects: Effects, r_max: float, yardstick: str
) -> tuple[str, ...]:
    """Return what a reader must know of the numbers in the table."""
    alpha = f"{round(100 * (1 - effects.level), 6):g}%"
    notes = [
        "These numbers do not say whether something that was not measured is at work. They say "
        "how strong it would have to be.",
        "E-value: to explain the effect away, something unmeasured would have to go with both "
        "treatment and outcome by a risk ratio of at least this, beyond the covariates. For the "
        "interval: the same for its end nearest to no effect; 1 where it holds no effect.",
    ]
    if not frame["binary"].all():
        notes.append("The E-value of an outcome that is a number is approximate: the risk ratio "
                     "is taken as exp(0.91 d), d being the difference in standard deviations "
                     "within arms.")  # fmt: skip
    if frame["gamma_limit"].notna().any():
        notes.append(
            f"Gamma: how far from even the odds could be, within a matched pair, of which of the "
            f"two was treated, before a conclusion at {alpha} falls; 1 where there is none. "
            "McNemar's test of 0/1 outcomes, Wilcoxon's signed ranks of numbers; pairs are taken "
            "as independent."
        )
    if frame["robustness_value"].notna().any():
        notes += _of_regression(alpha, r_max, yardstick)
    return (*notes, *_larger_errors(frame), *_reasons(frame))


def _of_regression(alpha: str, r_max: float, yardstick: str) -> list[str]:
    return [
        "Robustness value: the share of what the covariates leave unexplained, of treatment and "
        "outcome alike, that something unmeasured would have to explain to bring the estimate to "
        f"0; for the interval: to bring it to where it is no longer told from 0 at {alpha}.",
        "Partial R2: something that explained all that is left of the outcome would have to "
        "explain this share of what is left of the treatment.",
        "Strongest covariate: the estimate there would be, at most, if something unmeasured were "
        "as strong as the covariate that would take most off it.",
        "Delta: how strong selection on the unmeasured would have to be, relative to selection on "
        f"the covariates, for the effect to be 0; below 0, the other way. The highest R2 is "
        f"{r_max:g} times that with the covariates, at most 1. With a delta of 1 the effect would "
        "be as shown.",
        "These are of the outcome's regression on treatment and covariates, with the design's "
        "weights and errors for independent units"
        + (
            "."
            if yardstick == "design"
            else "; a covariate's strength with the treatment, and delta, are those of before the "
            "design, which makes covariates alike but not what was not measured."
        ),
    ]


def _larger_errors(frame: pd.DataFrame) -> list[str]:
    with np.errstate(invalid="ignore"):
        larger = frame["std_error"] > _LARGER * frame["regression_std_error"]
    if not larger.any():
        return []
    return [
        f"The errors of {int(larger.sum())} of {len(frame)} effects are larger than those of that "
        "regression, such as by cluster: robustness for the interval is then less than it looks."
    ]


def _reasons(frame: pd.DataFrame) -> list[str]:
    notes = []
    for column, (name, column_of) in _REASONS.items():
        for (reason, known), rows in frame.groupby([column, frame[column_of].notna()], sort=False):
            if not reason:
                continue
            some = "" if len(rows) == len(frame) else f" for {len(rows)} of {len(frame)} effects"
            what = "not known for the interval" if known else "not estimable"
            notes.append(f"{name}: {what}{some}: {reason}.")
    return notes
