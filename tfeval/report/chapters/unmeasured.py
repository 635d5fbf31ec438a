"""Chapter 4: how strong something unmeasured would have to be to change the primary effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError, public_line
from tfeval.impact.effects.words import decimals, hidden_rows, number, percentages
from tfeval.impact.sensitivity.results import Sensitivity
from tfeval.impact.sensitivity.unmeasured import sensitivity
from tfeval.programme.outcomes import outcome_label
from tfeval.report.chapters.common import span
from tfeval.report.chapters.comparison import covariate_label
from tfeval.report.chapters.impact import Impact, outcomes_of

#: What of the whole table is left to `tf.sensitivity` itself, so that a page can hold the rest.
_LEFT = ("Partial R2", "Delta", "Effect at a delta of 1")
_CAPTION = "How strong would something unmeasured have to be? Primary outcomes"


def unmeasured_table(found: Impact) -> Table:
    """Return the primary effects' sensitivity to what was not measured, read in two sentences.

    Parameters
    ----------
    found : Impact
        As from `load`.
    """
    held = unmeasured(found)
    if isinstance(held, str):
        return table(pd.DataFrame({"": [held]}), caption=_CAPTION)
    whole = held.table()
    kept = [place for place, name in enumerate(whole.columns) if name not in _LEFT]
    notes = [note for note in whole.notes if not note.startswith(tuple(f"{n}:" for n in _LEFT))]
    said = whole.notes[:1] if held.effects.simulated else ()
    return replace(
        whole, caption=_CAPTION,
        columns=tuple(whole.columns[place] for place in kept),
        kinds=tuple(whole.kinds[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in whole.rows),
        notes=(*said, *reading(held), *notes[len(said):]),
    )  # fmt: skip


def unmeasured(found: Impact) -> Sensitivity | str:
    """Return the primary effects' sensitivity, or why there is none.

    Parameters
    ----------
    found : Impact
        As from `load`.
    """
    names = [name for name in found.effects.frame["outcome"]
             if found.plan.role(name) == "primary"]  # fmt: skip
    if not names:
        return "No primary outcome is recorded for enough families."
    outcomes = outcomes_of(found.comparison, found.horizon)[names]
    effects = found.effects.select(names)
    words = {column.source: covariate_label(column.source)
             for column in found.comparison.study.covariates.columns}  # fmt: skip
    labels = {**words, **effects.settings["labels"]}
    effects = replace(effects, settings={**effects.settings, "labels": labels})
    try:
        return sensitivity(found.comparison.design, outcomes, effects, months=found.horizon)
    except TfevalError as fault:
        return public_line(fault)


def reading(held: Sensitivity) -> tuple[str, ...]:
    """Return what the table says, in two sentences.

    Parameters
    ----------
    held : Sensitivity
        What may not be shown is not read.
    """
    frame = held.frame.assign(
        scale=np.where(percentages(held.frame, held.effects.settings), 100.0, 1.0)
    )
    frame = frame[~hidden_rows(held.effects.frame)].reset_index(drop=True)
    return _explained(frame[frame["e_value"].notna()]), _like(frame)


def _explained(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "Of no primary outcome can it be said how easily its effect is explained away."
    clear = rows[rows["e_value_interval"] > 1]
    if clear.empty:
        low, high = rows["e_value"].min(), rows["e_value"].max()
        return (
            "No interval here leaves no effect out, so there is nothing that would have to be "
            "explained away; the estimates themselves would be by risk ratios of "
            f"{span(low, high, '{:.2f}'.format)}."
        )
    first = clear.sort_values("e_value_interval").to_dict("records")[0]
    return (
        f"Most easily explained away is the effect on {_lower(first['outcome'])}: by something "
        f"unmeasured that goes with both treatment and outcome by a risk ratio of "
        f"{first['e_value']:.2f}; by one of {first['e_value_interval']:.2f} its interval would "
        "hold no effect."
    )


def _like(frame: pd.DataFrame) -> str:
    rows = frame[frame["benchmark_estimate"].notna()]
    if rows.empty:
        return "No covariate is there to measure the unmeasured by."
    rows = rows.assign(left=rows["benchmark_estimate"] / rows["regression_estimate"])
    first = rows.sort_values("left").to_dict("records")[0]
    one = float(first["scale"])
    digits = decimals(float(first["regression_std_error"]) * one)
    before, after = (
        number(float(first[name]) * one, digits)
        for name in ("regression_estimate", "benchmark_estimate")
    )
    turned = ", the other way" if first["left"] < 0 else ""
    unit = " points" if one == 100 else ""
    return (
        "Something unmeasured and as strong as the covariate "
        f"“{covariate_label(str(first['benchmark']))}” would move one effect most: that on "
        f"{_lower(first['outcome'])}, from {before} in the regression this rests on to "
        f"{after}{unit}{turned}."
    )


def _lower(name: str) -> str:
    label = outcome_label(name)
    return label[0].lower() + label[1:]
