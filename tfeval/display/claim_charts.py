"""Charts of claims beside what is left of them: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfeval.display.charts import Numbers, chart_frame, minus, name_rows, whiskers
from tfeval.display.figures import DARK_BLUE, DARK_GREY, DARK_PINK, ORANGE, PALE, Chart, drawing
from tfeval.display.sources import citations
from tfeval.display.words import Format, written
from tfeval.errors import ReportError


def narrowing_chart(
    labels: Sequence[str],
    values: Numbers,
    texts: Sequence[str],
    *,
    title: str,
    alt: str,
    low: Numbers | None = None,
    high: Numbers | None = None,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw steps that narrow from what was claimed to what is left, the last in strong colour.

    Parameters
    ----------
    labels, values : sequence
        The steps, the widest first.
    texts : sequence of str
        A second line beside each bar, such as what was paid for each; may be empty.
    low, high : sequence of float, optional
        Ends of an interval on each bar; equal to the value where there is none.
    title, alt, x_label, value_format, sources
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, value and, if given, low and high.

    Raises
    ------
    ReportError
        If lengths differ.
    """
    data = chart_frame({"label": labels, "value": values, "low": low, "high": high})
    if len(texts) != len(data):
        raise ReportError(f"There are {len(data)} steps and {len(texts)} texts: give one each.")
    places = np.arange(len(data))
    colours = [PALE, *[DARK_BLUE] * (len(data) - 2), ORANGE][: len(data)]
    with drawing(title, 1.3 + 0.72 * len(data), alt) as (figure, axes):
        axes.barh(places, data["value"], color=colours, height=0.62)
        ends = data["value"].clip(lower=0)
        if "low" in data:
            spread = data["low"] < data["high"]
            if spread.any():
                whiskers(axes, places[spread], data[spread])
            ends = ends.where(ends > data["high"], data["high"])
        for place, end, value, text in zip(places, ends, data["value"], texts, strict=True):
            words = minus(written(value, value_format)) + (f"\n{text}" if text else "")
            axes.annotate(words, (end, place), (8, 0), textcoords="offset points", va="center",
                          fontsize=11, linespacing=1.25)  # fmt: skip
        name_rows(axes, data["label"], [place == len(data) - 1 for place in places])
        axes.set_xlabel(x_label, loc="left")
        least = float(np.nanmin(data["low"])) if "low" in data else 0.0
        axes.set_xlim(min(0.0, least * 1.1), float(np.nanmax(ends)) * 1.42)
    return Chart(figure, title, alt, data, citations(sources))


def reach_chart(
    labels: Sequence[str],
    seen_low: Numbers,
    seen_high: Numbers,
    needed_low: Numbers,
    needed_high: Numbers,
    *,
    title: str,
    alt: str,
    seen_label: str,
    needed_label: str,
    most: Numbers | None = None,
    most_label: str = "",
    x_label: str = "",
    sources: object = None,
) -> Chart:
    """Draw what a study could see beside what would be needed, a row each, on a log scale.

    Parameters
    ----------
    labels : sequence of str
        One a row, the first at the top.
    seen_low, seen_high : sequence of float
        The smallest effect that could be seen, from the best to the worst case; above 0.
    needed_low, needed_high : sequence of float
        The effect that would be needed, from its low to its high; above 0.
    most : sequence of float, optional
        The largest effect that there can be, a mark in each row, named `most_label`. Ends above
        it are given as missing: the range is drawn up to it, and no such end is marked.
    seen_label, needed_label, most_label : str
        Names in the legend.
    title, alt, x_label, sources
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, seen_low, seen_high, needed_low, needed_high and, if given, most.

    Raises
    ------
    ReportError
        If lengths differ, a value is not above 0, an end lies above the most that there can be,
        or is missing though nothing is said of that.
    """
    data = chart_frame({"label": labels, "seen_low": seen_low, "seen_high": seen_high,
                        "needed_low": needed_low, "needed_high": needed_high,
                        "most": most})  # fmt: skip
    values = data.drop(columns="label")
    absent = values.isna() & (most is not None)
    if not ((values > 0) | absent).all(axis=None):
        raise ReportError("A chart on a log scale takes values above 0.")
    if most is not None and values.gt(data["most"] * (1 + 1e-9), axis=0).any(axis=None):
        raise ReportError("An effect is larger than the most that there can be: leave it out.")
    places = np.arange(len(data))
    rows = (("seen", DARK_BLUE, "o", seen_label, -0.14),
            ("needed", DARK_PINK, "D", needed_label, 0.14))  # fmt: skip
    with drawing(title, 2.2 + 0.62 * len(data), alt) as (figure, axes):
        for name, colour, marker, label, shift in rows:
            low, high = data[f"{name}_low"], data[f"{name}_high"]
            at = places + shift
            until = high.fillna(data["most"]) if most is not None else high
            axes.hlines(at, low, until, color=colour, linewidth=4, alpha=0.45)
            axes.scatter(low, at, s=55, color=colour, marker=marker, zorder=3, label=label)
            axes.scatter(high, at, s=55, color=colour, marker=marker, zorder=3)
        if most is not None:
            axes.vlines(data["most"], places - 0.3, places + 0.3, color=DARK_GREY, linewidth=3,
                        label=most_label)  # fmt: skip
        name_rows(axes, data["label"])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(x_label, loc="left")
        figure.legend(loc="outside lower left", ncols=1)
    return Chart(figure, title, alt, data, citations(sources))
