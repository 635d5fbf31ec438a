"""The charts of the report: plain arrays in, a `Chart` out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    GRID,
    INK,
    LIGHT_PURPLE,
    ORANGE,
    PALE,
    PALETTE,
    TURQUOISE,
    Chart,
    drawing,
)
from tfeval.display.tables import citations
from tfeval.display.words import Format, written
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Axes, labels and marks that the charts share.

#: What a chart takes for numbers.
Numbers = Sequence[float] | np.ndarray | pd.Series

MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (6, 2)), (0, (3, 1, 1, 1)))

# The palette's lighter colours are too pale for words on white (WCAG asks for 4.5 to 1).
_WORDS = {TURQUOISE: "#1B6E67", ORANGE: "#B5450C", LIGHT_PURPLE: "#6A47A8"}


def chart_frame(columns: Mapping[str, Sequence[Any] | Numbers | None]) -> pd.DataFrame:
    """Return the arrays as columns; refuse arrays of different lengths."""
    given = {name: list(values) for name, values in columns.items() if values is not None}
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ReportError(f"A chart needs arrays of one length, at least 1; here: {listed}.")
    if ("low" in given and "high" not in given) or ("high" in given and "low" not in given):
        raise ReportError("Give both low and high, or neither.")
    text = ("label", "name")
    return pd.DataFrame(
        {name: [str(v) for v in vs] if name in text else np.asarray(vs, dtype=float)
         for name, vs in given.items()}
    )  # fmt: skip


def name_rows(axes: Axes, labels: pd.Series, bold: Sequence[bool] | None = None) -> None:
    """Name the rows, the first at the top, and draw the light grid along the values."""
    axes.set_yticks(np.arange(len(labels)), [textwrap.fill(label, 30) for label in labels])
    for tick, strong in zip(axes.get_yticklabels(), bold or [], strict=False):
        tick.set_fontweight("bold" if strong else "normal")
    axes.tick_params(axis="y", length=0, pad=8)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.spines["left"].set_color(GRID)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=5)
    number_axis(axes.xaxis, None)


def number_axis(axis: Any, how: Format | None) -> None:
    """Write an axis's numbers with thousands separators, or in a given format."""
    axis.set_major_formatter(lambda value, _: minus(written(round(value, 10), how)))


def minus(text: str) -> str:
    """Put a true minus sign before a negative number or amount."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith(("-", "£-")) else text


def date_axis(axes: Axes) -> None:
    """Write months over years, at most seven."""
    from matplotlib.dates import AutoDateLocator, DateFormatter  # noqa: PLC0415

    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=7))
    axes.xaxis.set_major_formatter(DateFormatter("%b\n%Y"))


def whiskers(axes: Axes, places: np.ndarray, data: pd.DataFrame) -> None:
    """Draw error ranges that can be seen on and beside the bars."""
    spread = np.vstack([data["value"] - data["low"], data["high"] - data["value"]])
    if (spread < 0).any():
        raise ReportError("A bar's value lies outside its range.")
    for colour, width in (("white", 5), (INK, 2)):
        axes.errorbar(data["value"], places, xerr=spread, fmt="none", ecolor=colour,
                      elinewidth=width, capsize=width + 3, capthick=width)  # fmt: skip


def name_line_ends(axes: Axes, ends: list[tuple[Any, float, str, Any]]) -> None:
    """Name each line at its end; names that would overlap are moved apart."""
    low, high = axes.get_ylim()
    step = 0.062 * (high - low)
    at = -np.inf
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        at = max(y, at + step)
        axes.annotate(textwrap.fill(text, 26), (x, at), (12, 0), textcoords="offset points",
                      va="center", color=_WORDS.get(colour, colour), fontweight="bold",
                      annotation_clip=False)  # fmt: skip


def limit_lines(axes: Axes, at: np.ndarray, limits: Mapping[str, tuple[Numbers, Numbers]]) -> None:
    """Draw control limits, named in a legend."""
    styles = (("--", TURQUOISE), ("-", DARK_PINK), (":", DARK_GREY))
    for (name, (low, high)), (line, colour) in zip(limits.items(), styles, strict=False):
        axes.plot(at, low, linestyle=line, color=colour, linewidth=1.8, label=f"{name} limits")
        axes.plot(at, high, linestyle=line, color=colour, linewidth=1.8)
    axes.legend(loc="lower right")


def name_points(axes: Axes, marked: pd.DataFrame) -> None:
    """Write names beside the marked points."""
    for name, size, share in zip(marked["name"], marked["size"], marked["share"], strict=True):
        axes.annotate(name, (size, share), (9, -13), textcoords="offset points",
                      fontweight="bold")  # fmt: skip


def percent_axis(axes: Axes, shares: Numbers) -> None:
    """Write shares as percentages, from a little below the lowest; none above 100%."""
    low = min(shares)
    axes.set_ylim(max(0.0, low - 0.08), 1.02 if max(shares) > 0.9 else max(shares) + 0.08)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value <= 1 else "")


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


def heat_chart(
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    *,
    title: str,
    alt: str,
    limit: float,
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
    title, alt : str
        As in `bar_chart`.
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
    with drawing(title, 1.6 + 0.62 * len(rows), alt) as (figure, axes):
        for i, j in np.ndindex(numbers.shape):
            value = float(numbers[i, j])
            strength = float(np.nan_to_num(np.clip(abs(value) / limit, 0.0, 1.0)))
            colour = DARK_BLUE if value < 0 else ORANGE
            axes.barh(i, 1.0, left=j, height=1.0, color=colour, alpha=0.85 * strength,
                      edgecolor="none")  # fmt: skip
            axes.barh(i, 1.0, left=j, height=1.0, color="none", edgecolor=GRID, linewidth=1.0)
            white = value < 0 and strength > 0.6
            axes.annotate(minus(texts[i][j]), (j + 0.5, i), ha="center", va="center", fontsize=10,
                          color="white" if white else INK)  # fmt: skip
        name_rows(axes, pd.Series(list(rows)))
        axes.set_xticks(np.arange(len(columns)) + 0.5,
                        [textwrap.fill(name, 14) for name in columns])  # fmt: skip
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.grid(visible=False)
    return Chart(figure, title, alt, data)


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
