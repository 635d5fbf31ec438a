"""The charts of the report: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfeval.display.chart_parts import (
    LINES,
    MARKERS,
    Numbers,
    chart_frame,
    date_axis,
    minus,
    name_line_ends,
    name_rows,
    number_axis,
    whiskers,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    ORANGE,
    PALE,
    PALETTE,
    TURQUOISE,
    Chart,
    drawing,
)
from tfeval.display.sources import citations
from tfeval.display.words import Format, written
from tfeval.errors import ReportError


def bar_chart(
    labels: Sequence[str],
    values: Numbers,
    *,
    title: str,
    alt: str,
    x_label: str = "",
    highlight: str | None = None,
    low: Numbers | None = None,
    high: Numbers | None = None,
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw horizontal bars, the first at the top, each with its value.

    Parameters
    ----------
    labels : sequence of str
        One a bar.
    values : sequence of float
        Lengths; a missing one is written "not published".
    title, alt : str
        Heading, and the description for who cannot see the picture.
    x_label : str, optional
        What the values are, with unit.
    highlight : str, optional
        The label of the one bar in strong colour; the others turn pale.
    low, high : sequence of float, optional
        Ends of an error range on each bar.
    value_format : str or callable, default "{:,.0f}"
        How values are written.
    sources : optional
        As in `tfeval.display.tables.table`.

    Returns
    -------
    Chart
        Its data: label, value and, if given, low and high.

    Raises
    ------
    ReportError
        If lengths differ, or `highlight` is not among the labels.
    """
    data = chart_frame({"label": labels, "value": values, "low": low, "high": high})
    if highlight is not None and highlight not in set(data["label"]):
        raise ReportError(f"There is no bar {highlight} to highlight.")
    bold = [highlight in (None, label) for label in data["label"]]
    places = np.arange(len(data))
    with drawing(title, 1.4 + 0.42 * len(data), alt) as (figure, axes):
        colours = [DARK_BLUE if strong else PALE for strong in bold]
        axes.barh(places, data["value"].fillna(0), color=colours, height=0.68)
        ends = data["value"].clip(lower=0).fillna(0)
        if "low" in data:
            whiskers(axes, places, data)
            ends = ends.where(ends > data["high"], data["high"])
        for place, end, value, strong in zip(places, ends, data["value"], bold, strict=True):
            text = "not published" if np.isnan(value) else minus(written(value, value_format))
            axes.annotate(text, (end, place), (6, 0), textcoords="offset points", va="center",
                          fontweight="bold" if highlight and strong else "normal")  # fmt: skip
        name_rows(axes, data["label"], bold if highlight else None)
        axes.set_xlabel(x_label, loc="left")
        axes.margins(x=0.14)
        axes.set_xlim(left=min(0.0, float(np.nanmin(np.r_[data.get("low", data["value"]), 0.0]))))
    return Chart(figure, title, alt, data, citations(sources))


def line_chart(
    frame: pd.DataFrame,
    *,
    title: str,
    alt: str,
    y_label: str = "",
    x_label: str = "",
    reference: float | None = None,
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw one line a column over the frame's index, each named at its end.

    Parameters
    ----------
    frame : DataFrame
        Index of dates or numbers; one column a series (six at most); missing values are skipped.
    reference : float, optional
        A level to mark with a line.
    title, alt, y_label, x_label, value_format, sources
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: the frame, the index as first column.

    Raises
    ------
    ReportError
        If there are more than six series, or none.
    """
    if not 1 <= frame.shape[1] <= len(PALETTE):
        raise ReportError(f"A line chart takes 1 to {len(PALETTE)} series, not {frame.shape[1]}.")
    data = frame.sort_index()
    with drawing(title, 4.4, alt) as (figure, axes):
        ends = []
        for name, colour, marker, line in zip(data, PALETTE, MARKERS, LINES, strict=False):
            series = data[name].dropna()
            axes.plot(series.index, series, color=colour, marker=marker, linestyle=line)
            if len(series):
                last = f"{name} {minus(written(series.iloc[-1], value_format))}"
                ends.append((series.index[-1], float(series.iloc[-1]), last, colour))
        axes.set_ylabel(y_label)
        axes.set_xlabel(x_label)
        axes.grid(axis="y")
        if reference is not None:
            axes.axhline(reference, color=DARK_GREY, linewidth=1.5)
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(data.to_numpy(dtype=float)))))
        axes.margins(y=0.1)
        number_axis(axes.yaxis, value_format)
        if isinstance(data.index, pd.DatetimeIndex):
            date_axis(axes)
        name_line_ends(axes, ends)
    shown = data.rename_axis(str(data.index.name or "date")).reset_index()
    return Chart(figure, title, alt, shown, citations(sources))


def waterfall_chart(
    labels: Sequence[str],
    values: Numbers,
    *,
    title: str,
    alt: str,
    total: float | None = None,
    total_label: str = "Total",
    remainder_label: str = "Not explained",
    x_label: str = "",
    value_format: Format = "{:,.1f}",
    sources: object = None,
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
    title, alt, x_label, value_format, sources
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
    data = pd.DataFrame(
        {
            "label": [*names, total_label],
            "value": [*amounts, ends[-1]],
            "start": [*(ends - amounts), 0.0],
            "end": [*ends, ends[-1]],
            "kind": [*kinds, "total"],
        }
    )
    colours = {"part": TURQUOISE, "remainder": ORANGE, "total": DARK_BLUE}
    with drawing(title, 1.4 + 0.46 * len(data), alt) as (figure, axes):
        for place, (start, end, kind) in enumerate(
            zip(data["start"], data["end"], data["kind"], strict=True)
        ):
            axes.barh(place, end - start, left=start, height=0.62, color=colours[kind],
                      hatch="///" if kind == "remainder" else None, edgecolor="white")  # fmt: skip
            if kind != "total":
                axes.plot([end] * 2, [place, place + 1], color=DARK_GREY, linewidth=1, zorder=0)
            text = minus(written(end - start, value_format))
            axes.annotate(text, (max(start, end), place), (6, 0), textcoords="offset points",
                          va="center")  # fmt: skip
        name_rows(axes, data["label"], [kind == "total" for kind in data["kind"]])
        axes.set_xlabel(x_label, loc="left")
        axes.margins(x=0.14)
        axes.set_xlim(left=min(0.0, float(data[["start", "end"]].min().min())))
    return Chart(figure, title, alt, data, citations(sources))
