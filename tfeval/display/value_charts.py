"""Charts of value for money: plain arrays in, a `Chart` out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.charts import (
    LINES,
    MARKERS,
    Numbers,
    chart_frame,
    minus,
    name_line_ends,
    name_rows,
    number_axis,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    Chart,
    drawing,
)
from tfeval.display.tables import citations
from tfeval.display.words import Format, written
from tfeval.errors import ReportError

#: Patterns for more series than the palette has colours.
_HATCHES = ("", "///", "...", "xxx")


def stacked_chart(
    frame: pd.DataFrame,
    *,
    title: str,
    alt: str,
    y_label: str = "",
    total_label: str = "Net",
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw a stacked bar for each row, losses below the line, the sum marked.

    Parameters
    ----------
    frame : DataFrame
        One row a bar (its index names it), one column a series; no missing values.
    title, alt : str
        Heading, and the description for who cannot see the picture.
    y_label : str, optional
        What the values are, with unit.
    total_label : str
        What the mark on each bar is called.
    value_format : str or callable
        How the axis is written.
    sources : optional
        As in `tfeval.display.tables.table`.

    Returns
    -------
    Chart
        Its data: the frame, its index as first column, and the totals.

    Raises
    ------
    ReportError
        If there is nothing to draw, a value is missing, or there are more than 24 series.
    """
    values = frame.to_numpy(dtype=float)
    if not values.size or not np.isfinite(values).all():
        raise ReportError("A stacked chart needs at least one bar, and no missing values.")
    if frame.shape[1] > len(PALETTE) * len(_HATCHES):
        raise ReportError(f"A stacked chart takes 24 series at most, not {frame.shape[1]}.")
    places = np.arange(len(frame))
    with drawing(title, 5.4, alt) as (figure, axes):
        above, below = np.zeros(len(frame)), np.zeros(len(frame))
        for at, name in enumerate(frame):
            gain, loss = np.maximum(values[:, at], 0), np.minimum(values[:, at], 0)
            style: dict[str, Any] = {
                "color": PALETTE[at % len(PALETTE)],
                "hatch": _HATCHES[at // len(PALETTE)],
                "edgecolor": "white",
                "width": 0.7,
            }
            axes.bar(places, gain, bottom=above, label=str(name), **style)
            axes.bar(places, loss, bottom=below, **style)
            above, below = above + gain, below + loss
        axes.scatter(places, values.sum(axis=1), marker="D", s=70, color="white", edgecolor=INK,
                     linewidth=1.8, zorder=4, label=total_label)  # fmt: skip
        axes.axhline(0, color=INK, linewidth=1.2)
        axes.use_sticky_edges = False
        axes.margins(y=0.06)
        axes.set_xticks(places, [str(label) for label in frame.index])
        axes.set_ylabel(y_label)
        axes.grid(axis="y")
        number_axis(axes.yaxis, value_format)
        figure.legend(loc="outside lower left", ncols=2)
    shown = frame.rename_axis(str(frame.index.name or "label")).reset_index()
    shown[total_label] = values.sum(axis=1)
    return Chart(figure, title, alt, shown, citations(sources))


def acceptability_chart(
    willingness: Numbers,
    probabilities: Mapping[str, Numbers],
    *,
    title: str,
    alt: str,
    x_label: str,
    reference: float | None = None,
    reference_label: str = "",
    value_format: Format = "£{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw the probability of value against what one is willing to pay.

    Parameters
    ----------
    willingness : sequence of float
        Rising.
    probabilities : mapping of str to sequence of float
        One curve a name, six at most; between 0 and 1, as long as `willingness`.
    x_label : str
        What one is willing to pay for.
    reference : float, optional
        A vertical line, named `reference_label`.
    title, alt, value_format, sources
        As in `stacked_chart`.

    Returns
    -------
    Chart
        Its data: willingness, then one column a curve.

    Raises
    ------
    ReportError
        If lengths differ, a probability lies outside 0 to 1, or there are more than six curves.
    """
    if not 1 <= len(probabilities) <= len(PALETTE):
        raise ReportError(f"An acceptability chart takes 1 to {len(PALETTE)} curves.")
    data = chart_frame({"willingness": willingness, **probabilities})
    curves = data.drop(columns="willingness")
    if not ((curves >= 0) & (curves <= 1)).to_numpy().all():
        raise ReportError("Probabilities in an acceptability chart lie between 0 and 1.")
    with drawing(title, 4.6, alt) as (figure, axes):
        ends = []
        for name, colour, line in zip(curves, PALETTE, LINES, strict=False):
            axes.plot(data["willingness"], curves[name], color=colour, linestyle=line)
            text = f"{name} {curves[name].iloc[-1]:.0%}"
            ends.append((data["willingness"].iloc[-1], curves[name].iloc[-1], text, colour))
        axes.set_ylim(0, 1.02)
        axes.axhline(0.5, color=INK, linewidth=1, linestyle=":")
        if reference is not None:
            axes.axvline(reference, color=DARK_PINK, linestyle="--", linewidth=1.8)
            axes.annotate(
                reference_label, (reference, 1), (4, 4), color=DARK_PINK,
                xycoords=("data", "axes fraction"), textcoords="offset points",
            )  # fmt: skip
        axes.set_xlabel(x_label, loc="left")
        axes.set_ylabel("Probability that it is worth it")
        axes.grid(axis="y")
        number_axis(axes.xaxis, value_format)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value <= 1 else "")
        name_line_ends(axes, ends)
    return Chart(figure, title, alt, data, citations(sources))


def tornado_chart(
    labels: Sequence[str],
    at_low: Numbers,
    at_high: Numbers,
    *,
    centre: float,
    title: str,
    alt: str,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw how far each parameter moves the answer, the widest at the top.

    Parameters
    ----------
    labels : sequence of str
        One a parameter.
    at_low, at_high : sequence of float
        The answer with the parameter at its low and at its high end.
    centre : float
        The answer with all at their estimates.
    title, alt, x_label, value_format, sources
        As in `stacked_chart`; `value_format` writes the ends too.

    Returns
    -------
    Chart
        Its data: label, at_low, at_high.
    """
    data = chart_frame({"label": labels, "at_low": at_low, "at_high": at_high})
    widest = (data["at_high"] - data["at_low"]).abs().sort_values(ascending=False, kind="stable")
    data = data.loc[widest.index].reset_index(drop=True)
    places = np.arange(len(data))
    with drawing(title, 2.0 + 0.46 * len(data), alt) as (figure, axes):
        for name, column, colour in (
            ("At its low end", "at_low", DARK_BLUE),
            ("At its high end", "at_high", ORANGE),
        ):
            axes.barh(places, data[column] - centre, left=centre, height=0.62, color=colour,
                      label=name, alpha=0.9)  # fmt: skip
        axes.axvline(centre, color=INK, linewidth=1.4)
        axes.axvline(0, color=DARK_PINK, linewidth=1.6, linestyle="--")
        for place, row in zip(places, data.to_dict("records"), strict=True):
            for value, side in zip(sorted((row["at_low"], row["at_high"])), (-1, 1), strict=True):
                axes.annotate(minus(written(value, value_format)), (value, place), (6 * side, 0),
                              textcoords="offset points", va="center", fontsize=10,
                              ha="left" if side > 0 else "right")  # fmt: skip
        name_rows(axes, data["label"])
        number_axis(axes.xaxis, value_format)
        axes.set_xlabel(x_label, loc="left")
        axes.margins(x=0.3)
        figure.legend(loc="outside lower left", ncols=2)
    return Chart(figure, title, alt, data, citations(sources))


def lasting_chart(
    edges: Numbers,
    prior: Numbers,
    posterior: Numbers,
    panels: Sequence[tuple[str, pd.DataFrame, pd.DataFrame]],
    *,
    title: str,
    alt: str,
) -> Chart:
    """Draw how likely each share left is, before and after, and effects by window beside a fit.

    Parameters
    ----------
    edges : sequence of float
        Between which shares are equally likely, one more than the probabilities; two that are
        equal are a share that is certain.
    prior, posterior : sequence of float
        Probabilities.
    panels : sequence of (heading, measured, fitted)
        One a small chart; both frames have `x` (months), `value`, `low` and `high`.
    title, alt : str
        As in `stacked_chart`.

    Returns
    -------
    Chart
        Its data: `panel`, `series` ("as assumed", "by the records", "measured" or "fitted"), `x`,
        `value`, `low`, `high`.
    """
    held = {"as assumed": prior, "by the records": posterior}
    parts = [_shares(edges, weights).assign(series=name) for name, weights in held.items()]
    lines = -(-(len(panels) + 1) // 2)
    with drawing(title, 1.2 + 2.5 * lines, alt) as (figure, axes):
        axes.remove()
        first, *others = figure.subplots(lines, 2, squeeze=False).ravel()
        for part, colour, line in zip(parts, (DARK_GREY, DARK_BLUE), ("--", "-"), strict=True):
            first.stairs(part["value"], _BINS, color=colour, linestyle=line, linewidth=2,
                         label=f"Share, {part['series'].iloc[0]}")  # fmt: skip
        first.set_title(parts[0]["panel"].iloc[0], loc="left", fontsize=11)
        for axis in (first.xaxis, first.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0%}")
        first.set_ylim(bottom=0.0)
        for place, (heading, measured, fitted) in zip(others, panels, strict=False):
            _window_panel(place, heading, measured, fitted)
            parts += [rows.assign(panel=heading, series=name)
                      for name, rows in (("measured", measured), ("fitted", fitted))]  # fmt: skip
        for place in others[len(panels) :]:
            place.remove()
        handles = [one for place in (first, *others[:1])
                   for one in place.get_legend_handles_labels()[0]]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower left", ncols=2)
    columns = ["panel", "series", "x", "value", "low", "high"]
    return Chart(figure, title, alt, pd.concat(parts).reindex(columns=columns), ())


#: Shares between which probabilities are drawn.
_BINS = np.linspace(0.0, 1.0, 21)


def _shares(edges: Numbers, weights: Numbers) -> pd.DataFrame:
    """Return how likely a share is in each of `_BINS`."""
    ends = np.asarray(edges, dtype=float)
    if ends[0] == ends[-1]:
        height = np.histogram(ends[:1], _BINS)[0].astype(float)
    else:
        sums = np.r_[0.0, np.cumsum(np.asarray(weights, dtype=float))]
        height = np.diff(np.interp(_BINS, ends, sums))
    middle = (_BINS[1:] + _BINS[:-1]) / 2
    return pd.DataFrame({"panel": "Share left in each further year", "x": middle, "value": height})


def _window_panel(place: Any, heading: str, measured: pd.DataFrame, fitted: pd.DataFrame) -> None:
    place.fill_between(fitted["x"], fitted["low"], fitted["high"], color=DARK_BLUE, alpha=0.18,
                       linewidth=0, label="Effect, fitted")  # fmt: skip
    place.plot(fitted["x"], fitted["value"], color=DARK_BLUE)
    spread = np.vstack([measured["value"] - measured["low"], measured["high"] - measured["value"]])
    place.errorbar(measured["x"], measured["value"], yerr=spread, fmt="o", color=INK, capsize=4,
                   label="Effect, measured")  # fmt: skip
    place.axhline(0.0, color=DARK_GREY, linewidth=1)
    place.set_title(textwrap.fill(heading, 30), loc="left", fontsize=11)
    place.set_xticks(sorted({0, *measured["x"]}))
    number_axis(place.yaxis, "{:,.3g}")
    place.set_xlabel("Months from the index date")


def marks_chart(
    labels: Sequence[str],
    marks: Mapping[str, Numbers],
    *,
    title: str,
    alt: str,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    sources: object = None,
) -> Chart:
    """Draw several named values a row as marks, on a log scale: what could be seen, what was said.

    Parameters
    ----------
    labels : sequence of str
        One a row, the first at the top.
    marks : mapping of str to sequence of float
        By name in the legend, six at most: one value a row, above 0; missing where there is none.
        The first is drawn as a bar from the left: what lies within it could not be told from 0.
    title, alt, x_label, value_format, sources
        As in `bar_chart`.

    Returns
    -------
    Chart

    Raises
    ------
    ReportError
        If there are more than six marks, lengths differ or a value is not above 0.
    """
    if not 1 <= len(marks) <= len(PALETTE):
        raise ReportError(f"A chart of marks takes 1 to {len(PALETTE)} of them, not {len(marks)}.")
    data = chart_frame({"label": labels, **marks})
    values = data.drop(columns="label")
    if not ((values > 0) | values.isna()).all(axis=None):
        raise ReportError("A chart on a log scale takes values above 0.")
    places = np.arange(len(data))
    least = float(np.nanmin(values.to_numpy(dtype=float))) / 2
    names = list(marks)
    shifts = np.linspace(0.24, -0.24, max(len(names) - 1, 1))
    with drawing(title, 2.0 + 0.7 * len(data), alt) as (figure, axes):
        axes.barh(places, data[names[0]] - least, left=least, height=0.72, color=PALE,
                  label=names[0])  # fmt: skip
        rest = zip(names[1:], PALETTE, MARKERS, shifts, strict=False)
        for name, colour, marker, shift in rest:
            axes.scatter(data[name], places + shift, s=70, color=colour, marker=marker, zorder=3,
                         label=name)  # fmt: skip
            for place, value in zip(places, data[name], strict=True):
                if np.isfinite(value):
                    axes.annotate(minus(written(value, value_format)), (value, place + shift),
                                  (9, 0), textcoords="offset points", va="center",
                                  fontsize=10)  # fmt: skip
        name_rows(axes, data["label"])
        axes.set_xscale("log")
        axes.set_xlim(left=least)
        axes.margins(x=0.15)
        axes.xaxis.set_major_formatter(lambda value, _: minus(written(value, value_format)))
        axes.set_xlabel(x_label, loc="left")
        figure.legend(loc="outside lower left", ncols=1)
    return Chart(figure, title, alt, data, citations(sources))
