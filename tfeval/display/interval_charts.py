"""Charts of values beside limits and ranges: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd

from tfeval.display.axes import (
    BAR,
    LINE,
    Numbers,
    chart_frame,
    lay_rows,
    leave_room,
    limit_lines,
    minus,
    name_points,
    name_rows,
    name_values,
    number_axis,
    percent_axis,
    whiskers,
    x_words,
    y_words,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    ORANGE,
    PALE,
    WIDTH,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.names import WINDOWS
from tfeval.display.words import Format, in_digits, written
from tfeval.errors import ReportError


def funnel_plot(
    sizes: Numbers,
    shares: Numbers,
    *,
    centre: float,
    limit_sizes: Numbers,
    limits: Mapping[str, tuple[Numbers, Numbers]],
    names: Sequence[str] | None = None,
    label: Sequence[str] = (),
    exact: Sequence[bool] | None = None,
    x_label: str = "Families targeted",
    y_label: str = "Turned around",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw each unit's share against its size, with the limits that chance alone would keep to.

    Parameters
    ----------
    sizes, shares : sequence of float
        One a unit; shares between 0 and 1.
    centre : float
        The share that all would have without differences.
    limit_sizes : sequence of float
        Sizes at which the limits are given, rising.
    limits : mapping of str to (low, high)
        Such as ``{"95%": (low, high), "99.8%": (low, high)}``, arrays as long as `limit_sizes`.
    names : sequence of str, optional
        Names of the units.
    label : sequence of str, optional
        Which of `names` to mark and name. Those below the last limits are named too, where
        there is room.
    exact : sequence of bool, optional
        Which shares rest on exact counts; the others are drawn hollow.
    x_label, y_label
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: name, size, share and, if given, exact ("yes" or "no").
    """
    names = [str(place + 1) for place in range(len(sizes))] if names is None else names
    data = chart_frame({"name": names, "size": sizes, "share": shares})
    if exact is not None:
        data["exact"] = ["yes" if one else "no" for one in exact]
    unknown = sorted(set(label) - set(data["name"]))
    if unknown:
        raise ReportError(f"There is no unit {unknown[0]} to label in the funnel plot.")
    if not data["share"].dropna().between(0, 1).all():
        raise ReportError("Shares in a funnel plot lie between 0 and 1.")
    marked = data[data["name"].isin(label)]
    with drawing(4.2, **captions) as (figure, axes):
        firm = np.ones(len(data), bool) if exact is None else np.asarray(exact, dtype=bool)
        axes.scatter(data["size"][firm], data["share"][firm], s=30, color=DARK_BLUE, alpha=0.55,
                     linewidth=0)  # fmt: skip
        if not firm.all():
            axes.scatter(
                data["size"][~firm],
                data["share"][~firm],
                s=34,
                linewidth=1.4,
                facecolor="none",
                edgecolor=DARK_BLUE,
                label="Not an exact count",
            )
        axes.axhline(centre, color=DARK_GREY, linewidth=1.5, label=f"All together {centre:.1%}")
        limit_lines(axes, np.asarray(limit_sizes, dtype=float), limits)
        axes.scatter(marked["size"], marked["share"], s=95, marker="D", color=ORANGE,
                     edgecolor="black", zorder=4)  # fmt: skip
        percent_axis(axes, [*data["share"].dropna(), centre])
        number_axis(axes.xaxis, None)
        axes.set_xlabel(x_label, loc="left")
        y_words(axes, y_label)
        axes.grid(axis="y")
        if len(limit_sizes):
            floor = np.asarray(list(limits.values())[-1][0], dtype=float)
            below = data["share"] < np.interp(data["size"], limit_sizes, floor)
            rest = data[below & ~data["name"].isin(label)].sort_values("size", ascending=False)
            points = pd.concat([marked, rest])
            name_points(axes, points["size"], points["share"], points["name"].tolist())
    return chart_of(figure, data, **captions)


def range_chart(
    labels: Sequence[str],
    low: Numbers,
    high: Numbers,
    *,
    x_label: str = "",
    reference: float | None = None,
    reference_label: str = "",
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw an interval a category: conflicting sources, or the share needed to break even.

    Parameters
    ----------
    labels, low, high : sequence
        One interval a category, the first at the top; equal ends are drawn as one dot.
    reference : float, optional
        A vertical line, named `reference_label`.
    x_label, value_format
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, low, high.
    """
    data = chart_frame({"label": labels, "low": low, "high": high})
    if (data["low"] > data["high"]).any():
        raise ReportError("A range has its low end above its high end.")
    rows = lay_rows(data["label"], inches=1.75)
    with drawing(rows.space(x_label, above=reference is not None), **captions) as (
        figure, axes,
    ):  # fmt: skip
        axes.hlines(rows.places, data["low"], data["high"], color=DARK_BLUE, linewidth=5,
                    alpha=0.45)  # fmt: skip
        for end in ("low", "high"):
            axes.scatter(data[end], rows.places, s=70, color=DARK_BLUE, zorder=3)
        texts = []
        for start, end in zip(data["low"], data["high"], strict=True):
            first, last = (minus(written(at, value_format)) for at in (start, end))
            texts.append(first if first == last else f"{first} to {last}")
        name_values(axes, rows, texts)
        if reference is not None:
            axes.axvline(reference, color=DARK_PINK, linestyle="--", linewidth=2)
        name_rows(axes, rows)
        x_words(axes, x_label, rows)
        axes.margins(x=0.06)
        least, most = float(data["low"].min()), float(data["high"].max())
        # A dot at the end is drawn whole.
        axes.set_xlim(left=least - 0.06 * (most - least) if least < 0 else 0.0)
        if reference is not None:
            left = reference < sum(axes.get_xlim()) / 2
            axes.annotate(reference_label, (reference, 1), (0, 4), ha="left" if left else "right",
                          color=DARK_PINK, xycoords=("data", "axes fraction"),
                          textcoords="offset points")  # fmt: skip
    return chart_of(figure, data, **captions)


def event_chart(
    months: Numbers,
    treated: Numbers,
    comparison: Numbers,
    low: Numbers,
    high: Numbers,
    *,
    y_label: str = "",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw both arms over the months around the index date, with a band about the comparison.

    Parameters
    ----------
    months : sequence of float
        Middle of each period; 0 is the index date.
    treated, comparison : sequence of float
        Mean outcomes.
    low, high : sequence of float
        The band: where the treated would lie were the arms apart by chance alone.
    y_label
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: month, treated, comparison, low, high.
    """
    data = chart_frame(
        {"month": months, "treated": treated, "comparison": comparison, "low": low, "high": high}
    )
    if (data["low"] > data["high"]).any():
        raise ReportError("A band has its low end above its high end.")
    with drawing(4.2, **captions) as (figure, axes):
        axes.fill_between(data["month"], data["low"], data["high"], color=DARK_GREY, alpha=0.18,
                          linewidth=0, label="Compared: 95% band")  # fmt: skip
        axes.plot(data["month"], data["comparison"], color=DARK_GREY, marker="s", linestyle="--",
                  label="Compared")  # fmt: skip
        axes.plot(data["month"], data["treated"], color=DARK_BLUE, marker="o",
                  label="On the programme")  # fmt: skip
        axes.axvline(0, color=DARK_PINK, linewidth=2)
        axes.annotate("Index date", (0, 1), (5, -4), xycoords=("data", "axes fraction"),
                      textcoords="offset points", va="top", color=DARK_PINK)  # fmt: skip
        axes.set_ylim(bottom=min(0.0, float(data["low"].min())))
        axes.margins(y=0.15)
        number_axis(axes.yaxis, in_digits(3))
        axes.set_xlabel("Months from the index date", loc="left")
        y_words(axes, y_label)
        axes.grid(axis="y")
        figure.legend(loc="outside lower left", ncols=2)
    return chart_of(figure, data, **captions)


#: How a period's coefficient is drawn: colour, filled, what the legend says.
_PERIODS = {
    "earlier": (DARK_GREY, False, WINDOWS["earlier"]),
    "pre": (DARK_GREY, True, WINDOWS["pre"]),
    "base": (DARK_PINK, True, WINDOWS["base"]),
    "partly": (ORANGE, False, WINDOWS["partly"]),
    "post": (DARK_BLUE, True, WINDOWS["post"]),
    "later": (DARK_BLUE, False, WINDOWS["later"]),
}


def period_chart(
    panels: Mapping[str, pd.DataFrame],
    *,
    y_label: str = "",
    alike: bool = False,
    **captions: Unpack[Captions],
) -> Chart:
    """Draw the coefficients of event studies with their intervals, a small chart for each.

    Parameters
    ----------
    panels : mapping of str to DataFrame
        By heading: `time`, `window` (a key of `names.WINDOWS`), `estimate`, `conf_low` and
        `conf_high`; the ends of the base period's interval are missing.
    alike : bool, default False
        Draw all on one scale.
    y_label
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: panel and the columns above.
    """
    if not panels:
        raise ReportError("A chart of periods needs an event study.")
    across = min(len(panels), 2)
    down = -(-len(panels) // across)
    with drawing(1.0 + 2.3 * down + 0.4 * (2 - across), **captions) as (figure, axes):
        axes.remove()
        grid = figure.subplots(down, across, squeeze=False, sharey=alike).ravel()
        drawn: dict[str, Any] = {}
        for place, (heading, rows) in zip(grid, panels.items(), strict=False):
            place.axhline(0, color=DARK_GREY, linewidth=1)
            for window, (colour, filled, label) in _PERIODS.items():
                own = rows[rows["window"] == window]
                if len(own):
                    place.vlines(own["time"], own["conf_low"], own["conf_high"], color=colour,
                                 linewidth=3)  # fmt: skip
                    (drawn[label],) = place.plot(
                        own["time"], own["estimate"], "o", color=colour, label=label,
                        markerfacecolor=colour if filled else "white",
                    )  # fmt: skip
            words = broken(heading, 5.0 if across == 1 else 2.2, bold=True)
            place.set_title("\n".join([*words, *([y_label] if y_label else [])]), loc="left")
            place.locator_params(axis="x", integer=True, nbins=5)
            number_axis(place.yaxis, in_digits(3))
            place.grid(axis="y")
        for place in grid[len(panels) :]:
            place.remove()
        figure.legend(handles=list(drawn.values()), loc="outside lower left", ncols=2)
    columns = ["panel", "time", "window", "estimate", "conf_low", "conf_high"]
    data = pd.concat([rows.assign(panel=heading) for heading, rows in panels.items()])
    return chart_of(figure, data[columns].reset_index(drop=True), **captions)  # fmt: skip


# Claims beside what is left of them.


def narrowing_chart(
    labels: Sequence[str],
    values: Numbers,
    texts: Sequence[str],
    *,
    low: Numbers | None = None,
    high: Numbers | None = None,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
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
    x_label, value_format
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, value and, if given, low and high.
    """
    data = chart_frame({"label": labels, "value": values, "low": low, "high": high})
    if len(texts) != len(data):
        raise ReportError(f"There are {len(data)} steps and {len(texts)} texts: give one each.")
    colours = [PALE, *[DARK_BLUE] * (len(data) - 2), ORANGE][: len(data)]
    words = [minus(written(value, value_format)) + (f"\n{text}" if text else "")
             for value, text in zip(data["value"], texts, strict=True)]  # fmt: skip
    least = max(text.count("\n") + 1 for text in words) * LINE * 1.1 + 0.1
    rows = lay_rows(data["label"], least, bold=True)
    with drawing(rows.space(x_label), **captions) as (figure, axes):
        axes.barh(rows.places, data["value"], color=colours, height=1.3 * BAR)
        ends = data["value"].clip(lower=0)
        if "low" in data:
            spread = data["low"] < data["high"]
            if spread.any():
                whiskers(axes, rows.places[spread], data[spread])
            ends = ends.where(ends > data["high"], data["high"])
        for place, end, text in zip(rows.places, ends, words, strict=True):
            axes.annotate(text, (end, place), (8, 0), textcoords="offset points", va="center",
                          linespacing=1.1)  # fmt: skip
        name_rows(axes, rows, [place == len(data) - 1 for place in range(len(data))])
        x_words(axes, x_label, rows)
        lowest = float(np.nanmin(data["low"])) if "low" in data else 0.0
        axes.set_xlim(min(0.0, lowest * 1.1))
        leave_room(axes, ends, words, rows.plot)
    return chart_of(figure, data, **captions)


def reach_chart(
    labels: Sequence[str],
    seen_low: Numbers,
    seen_high: Numbers,
    needed_low: Numbers,
    needed_high: Numbers,
    *,
    seen_label: str,
    needed_label: str,
    most: Numbers | None = None,
    most_label: str = "",
    x_label: str = "",
    **captions: Unpack[Captions],
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
    x_label
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, seen_low, seen_high, needed_low, needed_high and, if given, most.
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
    lines = lay_rows(data["label"], 0.55)
    kinds = (("seen", DARK_BLUE, "o", seen_label, -0.1),
             ("needed", DARK_PINK, "D", needed_label, 0.1))  # fmt: skip
    wide = WIDTH - 0.9
    with drawing(lines.space(x_label, legend=5), **captions) as (figure, axes):
        for name, colour, marker, label, shift in kinds:
            low, high = data[f"{name}_low"], data[f"{name}_high"]
            at = lines.places + shift
            until = high.fillna(data["most"]) if most is not None else high
            axes.hlines(at, low, until, color=colour, linewidth=4, alpha=0.45)
            axes.scatter(low, at, s=55, color=colour, marker=marker, zorder=3,
                         label="\n".join(broken(label, wide)))  # fmt: skip
            axes.scatter(high, at, s=55, color=colour, marker=marker, zorder=3)
        if most is not None:
            axes.vlines(data["most"], lines.places - 0.18, lines.places + 0.18, color=DARK_GREY,
                        linewidth=3, label="\n".join(broken(most_label, wide)))  # fmt: skip
        name_rows(axes, lines)
        axes.set_xscale("log")
        axes.margins(x=0.06)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        x_words(axes, x_label, lines)
        figure.legend(loc="outside lower left", ncols=1)
    return chart_of(figure, data, **captions)
