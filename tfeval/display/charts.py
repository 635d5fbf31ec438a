"""The charts of the report: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from tfeval.display.axes import (
    BAR,
    LINES,
    MARKERS,
    Numbers,
    chart_frame,
    date_axis,
    lay_rows,
    leave_room,
    minus,
    name_line_ends,
    name_rows,
    number_axis,
    signed,
    whiskers,
    x_words,
    y_words,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    GRID,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    SMALL,
    TURQUOISE,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.words import Format, written
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bar_chart(
    labels: Sequence[str],
    values: Numbers,
    *,
    x_label: str = "",
    highlight: str | None = None,
    low: Numbers | None = None,
    high: Numbers | None = None,
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw horizontal bars, the first at the top, each with its value.

    Parameters
    ----------
    labels : sequence of str
        One a bar.
    values : sequence of float
        Lengths; a missing one is written "not published".
    x_label : str, optional
        What the values are, with unit.
    highlight : str, optional
        The label of the one bar in strong colour; the others turn pale.
    low, high : sequence of float, optional
        Ends of an error range on each bar.
    value_format : str or callable, default "{:,.0f}"
        How values are written.
    **captions
        See `Captions`.

    Returns
    -------
    Chart
        Its data: label, value and, if given, low and high.
    """
    data = chart_frame({"label": labels, "value": values, "low": low, "high": high})
    if highlight is not None and highlight not in set(data["label"]):
        raise ReportError(f"There is no bar {highlight} to highlight.")
    bold = [highlight in (None, label) for label in data["label"]]
    rows = lay_rows(data["label"], bold=highlight is not None)
    texts = ["not published" if np.isnan(value) else minus(written(value, value_format))
             for value in data["value"]]  # fmt: skip
    with drawing(rows.space(x_label), **captions) as (figure, axes):
        colours = [DARK_BLUE if strong else PALE for strong in bold]
        axes.barh(rows.places, data["value"].fillna(0), color=colours, height=BAR)
        ends = data["value"].clip(lower=0).fillna(0)
        if "low" in data:
            whiskers(axes, rows.places, data)
            ends = ends.where(ends > data["high"], data["high"])
        for place, end, text, strong in zip(rows.places, ends, texts, bold, strict=True):
            axes.annotate(text, (end, place), (6, 0), textcoords="offset points", va="center",
                          fontweight="bold" if highlight and strong else "normal")  # fmt: skip
        name_rows(axes, rows, bold if highlight else None)
        x_words(axes, x_label, rows)
        axes.set_xlim(left=min(0.0, float(np.nanmin(np.r_[data.get("low", data["value"]), 0.0]))))
        leave_room(axes, ends, texts, rows.plot)
    return chart_of(figure, data, **captions)


def line_chart(
    frame: pd.DataFrame,
    *,
    y_label: str = "",
    x_label: str = "",
    reference: float | None = None,
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw one line a column over the frame's index, each named at its end.

    Parameters
    ----------
    frame : DataFrame
        Index of dates or numbers; one column a series (six at most). A series that has a value
        at half of them or more is joined across what is missing; one with fewer is left as
        points, for a line would say what happened between them.
    reference : float, optional
        A level to mark with a line.
    y_label, x_label, value_format
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: the frame, the index as first column.
    """
    if not 1 <= frame.shape[1] <= len(PALETTE):
        raise ReportError(f"A line chart takes 1 to {len(PALETTE)} series, not {frame.shape[1]}.")
    data = frame.sort_index()
    with drawing(3.6, **captions) as (figure, axes):
        ends = []
        for name, colour, marker, line in zip(data, PALETTE, MARKERS, LINES, strict=False):
            series = data[name].dropna()
            sparse = 2 * len(series) < len(data)
            axes.plot(series.index, series, color=colour, marker=marker, clip_on=False,
                      linestyle="none" if sparse else line, zorder=3)  # fmt: skip
            if len(series):
                last = f"{name} {minus(written(series.iloc[-1], value_format))}"
                ends.append((series.index[-1], float(series.iloc[-1]), last, colour))
        x_lines = broken(x_label, 4.0) if x_label else []
        axes.set_xlabel("\n".join(x_lines), loc="left")
        axes.grid(axis="y")
        if reference is not None:
            axes.axhline(reference, color=DARK_GREY, linewidth=1.5)
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(data.to_numpy(dtype=float)))))
        axes.margins(y=0.1)
        number_axis(axes.yaxis, value_format)
        if isinstance(data.index, pd.DatetimeIndex):
            date_axis(axes)
        y_words(axes, y_label)
        name_line_ends(axes, ends)
    shown = data.rename_axis(str(data.index.name or "date")).reset_index()
    return chart_of(figure, shown, **captions)


def heat_chart(
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    *,
    limit: float,
    **captions: Unpack[Captions],
) -> Chart:
    """Draw a map of numbers: stronger in colour the further they are from 0, each written out.

    Parameters
    ----------
    rows, columns : sequence of str
        Labels; the first row at the top.
    values : ndarray of float, shape (rows, columns)
        A missing one has no colour.
    texts : sequence of sequence of str
        What stands in each cell: colour alone says nothing to some readers.
    limit : float
        Distance from 0 at which the colour is strongest.

    Returns
    -------
    Chart
        Its data: row, column, value, text.
    """
    numbers = np.asarray(values, dtype=float)
    cells = [(row, column, float(numbers[i, j]), texts[i][j])
             for i, row in enumerate(rows) for j, column in enumerate(columns)]  # fmt: skip
    data = pd.DataFrame(cells, columns=["row", "column", "value", "text"])
    lines = lay_rows(rows, 0.5, inches=2.2)
    cell = lines.plot / len(columns) - 0.1
    heads = [broken(name, cell) for name in columns]
    above = max(len(head) for head in heads)
    with drawing(lines.space(above=above), **captions) as (figure, axes):
        tops = np.r_[0.0, _ends(lines.places)]
        for i, j in np.ndindex(numbers.shape):
            value = float(numbers[i, j])
            strength = float(np.nan_to_num(np.clip(abs(value) / limit, 0.0, 1.0)))
            place = {"left": j, "height": tops[i + 1] - tops[i], "linewidth": 1.0}
            # Never so dark that black words on it could not be read.
            colour = _mixed(DARK_BLUE if value < 0 else ORANGE, 0.6 * strength)
            missing = bool(np.isnan(value))
            axes.barh(lines.places[i], 1.0, color="white" if missing else colour,
                      edgecolor=GRID, **place)  # fmt: skip
            words = "\n".join(broken(minus(texts[i][j]), cell))
            axes.annotate(words, (j + 0.5, lines.places[i]), ha="center",
                          va="center", fontsize=SMALL, color=INK)  # fmt: skip
        name_rows(axes, lines)
        axes.set_xticks(np.arange(len(columns)) + 0.5, ["\n".join(head) for head in heads])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_xlim(0, len(columns))
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.grid(visible=False)
    return chart_of(figure, data, **captions)


def _ends(places: np.ndarray) -> np.ndarray:
    """Return where rows end, from their middles."""
    ends, last = [], 0.0
    for place in places:
        last = 2 * place - last
        ends.append(last)
    return np.array(ends)


def _mixed(colour: str, strength: float) -> tuple[float, ...]:
    """Return a colour laid over white."""
    from matplotlib.colors import to_rgb  # noqa: PLC0415

    return tuple(1 - strength * (1 - part) for part in to_rgb(colour))


def waterfall_chart(
    labels: Sequence[str],
    values: Numbers,
    *,
    total: float | None = None,
    total_label: str = "Total",
    remainder_label: str = "Not explained",
    subtotals: Mapping[int, str] | None = None,
    x_label: str = "",
    value_format: Format = "{:,.1f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw how parts add up to a total, with what they leave unexplained, signed.

    Parameters
    ----------
    labels, values : sequence
        The parts, in order; negative ones step back.
    total : float, optional
        What they should add up to; the difference becomes the bar `remainder_label`. By default
        the sum of the parts.
    total_label, remainder_label : str
        Names of the last two bars.
    subtotals : mapping of int to str, optional
        After how many parts their sum so far stands as a bar of its own, and its name.
    x_label, value_format
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, value, start, end, kind ("part", "remainder", "total").
    """
    parts = chart_frame({"label": labels, "value": values})
    names, amounts = list(parts["label"]), list(parts["value"])
    kinds = ["part"] * len(names)
    if total is not None:
        names, kinds = [*names, remainder_label], [*kinds, "remainder"]
        amounts.append(float(total) - float(np.sum(amounts)))
    ends = np.cumsum(amounts)
    bars = []
    for place, (name, amount, end, kind) in enumerate(zip(names, amounts, ends, kinds,
                                                          strict=True), start=1):  # fmt: skip
        bars.append((name, amount, end - amount, end, kind))
        if subtotals and place in subtotals:
            bars.append((subtotals[place], end, 0.0, end, "total"))
    bars.append((total_label, ends[-1], 0.0, ends[-1], "total"))
    data = pd.DataFrame(bars, columns=["label", "value", "start", "end", "kind"])
    rows = lay_rows(data["label"], bold=True)
    tops = data[["start", "end"]].max(axis=1)
    texts = [minus(written(value, value_format)) if kind == "total"
             else signed(written(value, value_format))
             for value, kind in zip(data["value"], data["kind"], strict=True)]  # fmt: skip
    with drawing(rows.space(x_label, legend=1), **captions) as (figure, axes):
        for place, row in zip(rows.places, data.to_dict("records"), strict=True):
            colour, hatch, words = _PARTS[_part(row)]
            axes.barh(place, row["end"] - row["start"], left=row["start"], height=BAR,
                      color=colour, hatch=hatch, edgecolor="white", label=words)  # fmt: skip
        for here, after, end in zip(rows.places[:-1], rows.places[1:], data["end"], strict=False):
            axes.plot([end] * 2, [here, after], color=DARK_GREY, linewidth=1, zorder=0)
        for place, top, text in zip(rows.places, tops, texts, strict=True):
            axes.annotate(text, (top, place), (6, 0), textcoords="offset points", va="center")
        name_rows(axes, rows, [kind == "total" for kind in data["kind"]])
        _keep_off_edge(figure)
        x_words(axes, x_label, rows)
        low = float(data[["start", "end"]].min().min())
        axes.set_xlim(low - 0.02 * (float(tops.max()) - low) if low < 0 else 0.0)
        leave_room(axes, tops, texts, rows.plot)
        handles, names = axes.get_legend_handles_labels()
        named = dict(zip(names, handles, strict=True))
        chosen = [name for _, _, name in _PARTS.values() if name in named]
        figure.legend([named[name] for name in chosen], chosen, loc="outside lower left",
                      ncols=4, columnspacing=1.2)  # fmt: skip
    return chart_of(figure, data, **captions)


def _keep_off_edge(figure: Figure) -> None:
    # The layout takes bold names for narrower than they are.
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(w_pad=0.12)


#: How a bar of a waterfall is drawn: colour, hatch, what the legend says.
_PARTS = {
    "gain": (TURQUOISE, None, "Adds"),
    "loss": (DARK_PINK, "\\\\\\", "Takes away"),
    "remainder": (ORANGE, "xx", "Not explained"),
    "total": (DARK_BLUE, None, "Sum"),
}


def _part(row: Mapping[Any, Any]) -> str:
    return str(row["kind"]) if row["kind"] != "part" else "loss" if row["value"] < 0 else "gain"
