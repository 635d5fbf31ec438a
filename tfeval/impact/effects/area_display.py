"""Partly pooled effects of areas, as a table and as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.charts import name_rows, number_axis
from tfeval.display.figures import DARK_BLUE, DARK_GREY, DARK_PINK, INK, PALE, Chart, drawing
from tfeval.display.names import POOLINGS, PRIORS, SIMULATED
from tfeval.display.tables import THRESHOLD, Table, safe_count, table
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.words import HIDDEN, decimals, number, p_words, with_interval

#: More areas than this are drawn without their names.
_NAMED = 40
#: Areas left out that a note names before it only counts them.
_LEFT_OUT = 5

#: An `AreaEffects`, whose file imports this one.
Pooled = Any


def areas_table(pooled: Pooled) -> Table:
    """Return the areas as a table, in order of their pooled effect, the hidden ones last."""
    frame = pooled.frame.sort_values(["hidden", "pooled"], kind="stable")
    digits = decimals(float(frame["std_error"].median()))
    share = f"{pooled.level:.0%} interval"
    known = bool(frame["n_treated"].notna().any())
    rows = []
    for row in frame.to_dict("records"):
        own = number(row["estimate"], digits)
        drawn = with_interval(row["pooled"], row["pooled_low"], row["pooled_high"], digits)
        rank = f"{row['rank']:.0f} ({row['rank_low']} to {row['rank_high']})"
        counts = [_count(row[f"n_{arm}"]) for arm in ("treated", "comparison")] if known else []
        shown = [HIDDEN] * 3 if row["hidden"] else [own, drawn, rank]
        rows.append([row["name"], *shown, *counts])
    counted = ["Treated families", "Comparison families"] if known else []
    headings = ["Area", "Own estimate", f"Partly pooled ({share})", f"Rank ({share})", *counted]
    label = pooled.settings.get("label", "Difference")
    return table(
        pd.DataFrame(rows, columns=headings),
        f"{label} by area, partly pooled",
        notes=[*_notes(pooled, digits), *pooled.notes],
    )


def _count(value: float) -> str:
    return "unknown" if pd.isna(value) else safe_count(value)


def _notes(pooled: Pooled, digits: int) -> list[str]:
    settings = pooled.settings
    notes = [SIMULATED + "."] if pooled.simulated else []
    mean = with_interval(pooled.mean, pooled.mean_low, pooled.mean_high, digits)
    tau = with_interval(pooled.tau, pooled.tau_low, pooled.tau_high, digits)
    if np.isnan(pooled.tau_high):
        tau += ", the estimates differing by less than their errors alone would have them"
    ends = (number(end, digits) for end in (pooled.prediction_low, pooled.prediction_high))
    notes += [
        f"Mean over areas {mean}, interval of Knapp and Hartung, tau by "
        f"{POOLINGS[settings['estimator']]}.",
        f"True effects differ between areas with a standard deviation (tau) of {tau}; test that "
        f"they are all alike: p {p_words(pooled.q_p)}; {pooled.i_squared:.0%} of the estimates' "
        "variance lies between areas.",
        f"Another area like these would have an effect of {' to '.join(ends)}.",
        f"Pooled effects are averaged over what is not known of tau ({PRIORS[settings['prior']]} "
        "prior); ranks from draws: an interval that is wide says that the order is not known.",
    ]
    if pooled.frame["hidden"].any():
        notes.append(
            f"Hidden: areas where an arm has fewer than {THRESHOLD} families, or fewer than "
            f"{THRESHOLD} with the outcome or without it. They count in the pooling."
        )
    if left_out := settings.get("left_out"):
        more = len(left_out) - _LEFT_OUT
        named = ", ".join(left_out[:_LEFT_OUT]) + (f" and {more:,} more" if more > 0 else "")
        notes.append(f"Without an estimate, or an error that holds, so left out: {named}.")
    if not pooled.frame["n_treated"].notna().any():
        notes.append("The numbers of families were not given, so small areas are not hidden.")
    return notes


def caterpillar_chart(
    pooled: Pooled, label: Sequence[str] = (), *, title: str | None = None
) -> Chart:
    """Draw areas from the lowest pooled effect to the highest, each with its interval.

    Parameters
    ----------
    pooled : AreaEffects
    label : sequence of str
        Areas to name, where there are too many to name all.
    title : str, optional

    Returns
    -------
    Chart
        Its data: label, own, value, low, high.

    Raises
    ------
    ParameterError
        If an area to name is unknown or hidden.
    DataError
        If all areas are hidden.
    """
    frame = pooled.frame[~pooled.frame["hidden"]].sort_values("pooled", kind="stable")
    if frame.empty:
        raise DataError("All areas are too small to show.")
    for name in label:
        if name not in set(frame["name"]):
            known = suggest(name, frame["name"])
            raise ParameterError(f"There is no area {name} to name, or it is hidden. {known}")
    data = frame[["name", "estimate", "pooled", "pooled_low", "pooled_high"]].copy()
    data.columns = pd.Index(["label", "own", "value", "low", "high"])
    words = pooled.settings.get("label", "Difference")
    heading = title or f"{words} by area, partly pooled"
    heading = f"Simulated records: {heading}" if pooled.simulated else heading
    step = 0.42 if len(data) <= _NAMED else max(7.0 / len(data), 0.055)
    with drawing(heading, 2.2 + step * len(data), _alt(pooled, data)) as (figure, axes):
        _draw(axes, pooled, data, set(label))
        axes.set_xlabel(words, loc="left")
        figure.legend(loc="outside lower left", ncols=1)
    return Chart(figure, heading, _alt(pooled, data), data.reset_index(drop=True))


def _draw(axes: Any, pooled: Pooled, data: pd.DataFrame, named: set[str]) -> None:
    places = np.arange(len(data))
    few = len(data) <= _NAMED
    told = ((data["low"] > 0) | (data["high"] < 0)).to_numpy()
    axes.axvspan(pooled.mean_low, pooled.mean_high, color=PALE, alpha=0.45, linewidth=0,
                 label="Mean over areas, with its interval")  # fmt: skip
    axes.axvline(pooled.mean, color=DARK_PINK, linestyle="--", linewidth=1.8)
    axes.axvline(0, color=INK, linewidth=1.2)
    low, high = _ends(pooled, data)
    beyond = int(((data["own"] < low) | (data["own"] > high)).sum())
    more = f" ({beyond} beyond the edges)" if beyond else ""
    axes.scatter(data["own"], places, s=32 if few else 10, marker="x", color=DARK_GREY,
                 linewidth=1.2 if few else 0.8, label=f"Own estimate{more}", zorder=2)  # fmt: skip
    for kind, colour, words in (
        (told, DARK_BLUE, "Partly pooled: differs from 0"),
        (~told, DARK_GREY, "Partly pooled: cannot be told from 0"),
    ):
        if kind.any():
            axes.hlines(places[kind], data["low"][kind], data["high"][kind], color=colour,
                        linewidth=2.5 if few else 1.2, alpha=0.8, zorder=3)  # fmt: skip
            axes.scatter(data["value"][kind], places[kind], s=60 if few else 14, edgecolor=colour,
                         color=colour if kind is told else "white", label=words,
                         linewidth=1.8 if few else 1.0, zorder=4)  # fmt: skip
    shown = data["label"].where(few | data["label"].isin(named), "")
    name_rows(axes, shown, [name in named for name in shown])
    number_axis(axes.xaxis, None)
    axes.set_xlim(low, high)


def _ends(pooled: Pooled, data: pd.DataFrame) -> tuple[float, float]:
    """Return the axis' ends: a wild estimate of a small area shall not press the others flat."""
    held = np.concatenate([data[["low", "high"]].to_numpy().ravel(), [0.0, pooled.mean]])
    reach = np.ptp(held)
    own = data["own"].clip(held.min() - 0.35 * reach, held.max() + 0.35 * reach)
    inside = np.concatenate([held, own])
    return inside.min() - 0.05 * reach, inside.max() + 0.05 * reach


def _alt(pooled: Pooled, data: pd.DataFrame) -> str:
    digits = decimals(float(pooled.frame["std_error"].median()))
    below, above = int((data["high"] < 0).sum()), int((data["low"] > 0).sum())
    ends = " to ".join(number(data["value"].iloc[at], digits) for at in (0, -1))
    hidden = int(pooled.frame["hidden"].sum())
    text = (
        f"Caterpillar chart of {len(data)} areas' partly pooled effects with {pooled.level:.0%} "
        f"intervals, from {ends}; mean {number(pooled.mean, digits)}. {below} can be told to be "
        f"below 0, {above} above."
    )
    return text + (f" {hidden} too small to show." if hidden else "")
