"""Effects as a forest chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.axes import lay_rows, name_rows
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    INK,
    ORANGE,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.names import capital
from tfeval.display.words import out_of
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.words import (
    caption,
    decimals,
    hidden_rows,
    made_words,
    not_estimated,
    percentages,
    row_labels,
    told_apart,
    with_interval,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES = {
    "relative": "Difference, % of the comparison's mean",
    "sd": "Difference, standard deviations of the comparison",
    "own": "Difference",
}
_SUFFIX = {"relative": "%", "sd": "", "own": ""}
#: What an effect's mark says: colour, marker, filled.
_MARKS = {
    "after": (DARK_BLUE, "o", True),
    "before": (ORANGE, "D", False),
    "none": (DARK_GREY, "o", False),
}


def forest_chart(
    frame: pd.DataFrame,
    settings: Mapping[str, Any],
    *,
    scale: str | None = None,
    group: str | None = None,
    title: str | None = None,
    level: float = 0.95,
    simulated: bool = False,
) -> Chart:
    """Draw effects with their intervals, the outcomes of a group together, the lowest first.

    Parameters
    ----------
    frame : DataFrame
        Columns of `effects.COLUMNS`. What small numbers hide is not drawn.
    settings : mapping
        `labels`, `units` and `groups` (outcome to its group) are used.
    scale : {"relative", "sd", "own"}, optional
        Outcomes have different units: as a share of the comparison's mean, in its standard
        deviations, or each unit in a panel of its own. By default "relative" where every effect
        shown has such a share, else "own": a mean of 0 or below has none.
    group : str, optional
        Column to group by; by default the population, design or method, where there are
        several, else `settings["groups"]`.
    level : float
        Of the intervals.

    Returns
    -------
    Chart
        Its data: label, group, value, low, high, p, p_adjusted, state.

    Raises
    ------
    ParameterError
        If the scale or column is unknown.
    DataError
        If no effect can be shown on the scale.
    """
    if scale is None:
        scale = _suited(frame)
    if scale not in SCALES:
        raise ParameterError(f"There is no scale {scale}. {suggest(scale, SCALES)}")
    data = _drawn(frame, settings, scale, group, 1 - level)
    panels = [rows for _, rows in data.groupby("panel", sort=False)]
    heights = [lay_rows(_labels(rows)[0], inches=_LABEL).height for rows in panels]
    captions: Captions = {
        "title": title or _finding(data, frame, simulated), "subtitle": caption(frame, settings),
        "alt": _alt(data, len(frame) - len(data), scale, level),
    }  # fmt: skip
    height = 0.8 + sum(heights) + 0.65 * len(panels)
    with drawing(height, **captions) as (figure, axes):
        axes.remove()
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for place, rows in zip(grid, panels, strict=True):
            _panel(place, rows)
        states = [state for state in _MARKS if (data["state"] == state).any()]
        handles = [_handle(state, bool(data["p_adjusted"].notna().any())) for state in states]
        figure.legend(handles=handles, loc="outside lower left", ncols=1)
    shown = data.drop(columns=["panel", "axis", "digits", "suffix"])
    return chart_of(figure, shown, **captions)


def _suited(frame: pd.DataFrame) -> str:
    """Return the scale for effects that need not all have a share of the comparison's mean."""
    shown = frame[~hidden_rows(frame) & ~frame["status"].map(not_estimated)]
    own = {"estimate": "relative", "conf_low": "relative_low", "conf_high": "relative_high"}
    lacks = [(shown[share].isna() & shown[name].notna()).any() for name, share in own.items()]
    return "own" if any(lacks) else "relative"


def _drawn(
    frame: pd.DataFrame, settings: Mapping[str, Any], scale: str, group: str | None, alpha: float
) -> pd.DataFrame:
    """Return what is drawn, on the scale and in order."""
    groups, telling = _groups(frame, settings, group)
    factor = _factor(frame, settings, scale)
    columns = ("relative", "relative_low", "relative_high") if scale == "relative" else (
        "estimate", "conf_low", "conf_high")  # fmt: skip
    low, high = (frame[name] * factor for name in columns[1:])
    percent = percentages(frame, settings)
    data = pd.DataFrame({
        "label": row_labels(frame, settings, *telling), "group": groups,
        "value": frame[columns[0]] * factor, "low": low, "high": high,
        "p": frame["p_value"], "p_adjusted": frame["p_adjusted"],
        "state": _states(frame, alpha),
        **_panels(frame, settings, scale),
        "digits": [decimals(wide, 1 if scale == "relative" else 6) for wide in (high - low) / 4],
        "suffix": np.where(percent & (scale == "own"), " points", _SUFFIX[scale]),
    })  # fmt: skip
    no_interval = frame["status"].map(not_estimated)
    data = data[~hidden_rows(frame) & ~no_interval & data["value"].notna()]
    if data.empty:
        raise DataError(
            f"No effect can be drawn on the scale {scale}: numbers are too small to show, or the "
            "comparison's mean or standard deviation is not known. Try scale='own'."
        )
    rank = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    order = np.lexsort((data["value"], data["group"].map(rank)))
    return data.iloc[order].reset_index(drop=True)


def _groups(
    frame: pd.DataFrame, settings: Mapping[str, Any], group: str | None
) -> tuple[list[str], list[str]]:
    """Return each row's group, and the columns that must still tell rows apart."""
    telling = ["population", "design", "method"]
    named = settings.get("groups", {})
    if group is None:
        group = next(iter(told_apart(frame, telling)), None)
    if group is None:
        return [
            str(named.get(name, "Other")) if named else "" for name in frame["outcome"]
        ], telling
    if group not in frame:
        known = suggest(group, map(str, frame.columns))
        raise ParameterError(f"A table of effects has no column {group}. {known}")
    in_words = made_words(frame)
    texts = in_words[group] if group in in_words else frame[group].astype(str).tolist()
    return texts, [name for name in telling if name != group]


def _factor(frame: pd.DataFrame, settings: Mapping[str, Any], scale: str) -> np.ndarray:
    if scale == "relative":
        return np.full(len(frame), 100.0)
    if scale == "sd":
        spread = frame["sd_comparison"].to_numpy(dtype=float)
        return np.divide(1.0, spread, out=np.full(len(frame), np.nan), where=spread > 0)
    return np.where(percentages(frame, settings), 100.0, 1.0)


def _panels(frame: pd.DataFrame, settings: Mapping[str, Any], scale: str) -> dict[str, list[str]]:
    """Return which panel each row is drawn in, and what its axis shows; unknown units apart."""
    if scale != "own":
        return dict.fromkeys(("panel", "axis"), [SCALES[scale]] * len(frame))
    units, percent = settings.get("units", {}), percentages(frame, settings)
    known = ["percentage points" if per else units.get(name, "")
             for name, per in zip(frame["outcome"], percent, strict=True)]  # fmt: skip
    return {
        "panel": [unit or str(name) for unit, name in zip(known, frame["outcome"], strict=True)],
        "axis": [f"{SCALES[scale]}, {unit}" if unit else SCALES[scale] for unit in known],
    }


def _states(frame: pd.DataFrame, alpha: float) -> np.ndarray:
    before = (frame["p_value"] < alpha).to_numpy()
    is_adjusted = frame["p_adjusted"].notna().to_numpy()
    after = np.where(is_adjusted, frame["p_adjusted"] < alpha, before)
    return np.select([after, before], ["after", "before"], "none")


#: Inches of a label.
_LABEL = 1.75


def _labels(rows: pd.DataFrame) -> tuple[list[str], list[bool]]:
    """Return the labels of a panel, each group's name over its rows, and which are names."""
    labels: list[str] = []
    bold: list[bool] = []
    for name, part in rows.groupby("group", sort=False):
        own = ([str(name)] if name else []) + part["label"].tolist()
        bold += [True] * bool(name) + [False] * len(part)
        labels += own
    return labels, bold


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the rows of one unit, each group under its name."""
    labels, bold = _labels(rows)
    lines = lay_rows(labels, inches=_LABEL)
    effects = [row for _, part in rows.groupby("group", sort=False)
               for row in part.to_dict("records")]  # fmt: skip
    places = lines.places[~np.array(bold)]
    for place, row in zip(places, effects, strict=True):
        _effect(axes, float(place), row)
    axes.axvline(0, color=INK, linewidth=1.2, zorder=1)
    name_rows(axes, lines, bold)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("\n".join(broken(rows["axis"].iloc[0], 3.4)), loc="left")
    axes.margins(x=0.08)


def _effect(axes: Axes, place: float, row: Mapping[Any, Any]) -> None:
    colour, marker, filled = _MARKS[row["state"]]
    axes.hlines(place, row["low"], row["high"], color=colour, linewidth=2.5, zorder=2)
    axes.scatter(row["value"], place, s=75, marker=marker, edgecolor=colour, linewidth=2,
                 color=colour if filled else "white", zorder=3)  # fmt: skip
    text = with_interval(row["value"], row["low"], row["high"], row["digits"], row["suffix"])
    axes.annotate(text, (1.03, place), xycoords=("axes fraction", "data"), va="center",
                  annotation_clip=False)  # fmt: skip


def _finding(data: pd.DataFrame, frame: pd.DataFrame, simulated: bool) -> str:
    """Return in a sentence how many effects can be told from 0, and how many are not drawn."""
    after, before = (int((data["state"] == state).sum()) for state in ("after", "before"))
    is_adjusted = bool(data["p_adjusted"].notna().any())
    hidden = int(hidden_rows(frame).sum())
    left = {"hidden": hidden, "not drawn": len(frame) - len(data) - hidden}
    who, rest = out_of(after, len(data), "effects", left)
    text = f"{who} can be told from 0" + " with p adjusted" * is_adjusted
    text += f", {before}{' more' * bool(after)} without" if before else ""
    return (f"Simulated records: {text}" if simulated else capital(text)) + rest


def _handle(state: str, is_adjusted: bool) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    colour, marker, filled = _MARKS[state]
    words = {
        "after": "Differs from 0" + (", also with p adjusted" if is_adjusted else ""),
        "before": "Differs from 0 only before p is adjusted",
        "none": "Cannot be told from 0",
    }
    return Line2D([], [], color=colour, marker=marker, label=words[state], markeredgewidth=2,
                  markerfacecolor=colour if filled else "white")  # fmt: skip


def _alt(data: pd.DataFrame, left_out: int, scale: str, level: float) -> str:
    sure = data[data["state"] == "after"]
    text = (
        f"Forest chart of {len(data)} effects with {level:.0%} intervals; "
        f"{SCALES[scale][0].lower()}{SCALES[scale][1:]}."
    )
    for words, rows in (("below", sure[sure["value"] < 0]), ("above", sure[sure["value"] > 0])):
        if len(rows):
            named = [
                with_interval(row["value"], row["low"], row["high"], row["digits"], row["suffix"])
                for row in rows.to_dict("records")
            ]
            listed = "; ".join(f"{a} {b}" for a, b in zip(rows["label"], named, strict=True))
            text += f" Told to be {words} 0: {listed}."
    if len(sure) < len(data):
        text += f" {len(data) - len(sure)} cannot be told from 0."
    return text + (f" {left_out} not drawn." if left_out else "")
