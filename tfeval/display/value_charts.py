"""Charts of value for money: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd

from tfeval.display.axes import (
    BAR,
    LINES,
    MARKERS,
    Numbers,
    chart_frame,
    lay_rows,
    minus,
    name_line_ends,
    name_rows,
    name_values,
    number_axis,
    x_words,
    y_words,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    SMALL,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.words import Format, chance, in_digits, written
from tfeval.errors import ReportError

#: Patterns for more series than the palette has colours.
_HATCHES = ("", "///", "...", "xxx")


def stacked_chart(
    frame: pd.DataFrame,
    *,
    y_label: str = "",
    total_label: str = "Net",
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw a stacked bar for each row, losses below the line, the sum marked.

    Parameters
    ----------
    frame : DataFrame
        One row a bar (its index names it), one column a series; no missing values.
    y_label : str, optional
        What the values are, with unit.
    total_label : str
        What the mark on each bar is called.
    value_format : str or callable
        How the axis is written.
    **captions
        See `Captions`.

    Returns
    -------
    Chart
        Its data: the frame, its index as first column, and the totals.
    """
    values = frame.to_numpy(dtype=float)
    if not values.size or not np.isfinite(values).all():
        raise ReportError("A stacked chart needs at least one bar, and no missing values.")
    if frame.shape[1] > len(PALETTE) * len(_HATCHES):
        raise ReportError(f"A stacked chart takes 24 series at most, not {frame.shape[1]}.")
    places = np.arange(len(frame))
    bars = [str(label) for label in frame.index]
    if len(bars) > 7:  # a financial year on two lines
        bars = [label.replace("-", "-\n") for label in bars]
    lines = -(-(frame.shape[1] + 1) // 2)
    with drawing(3.6 + 0.24 * lines, **captions) as (figure, axes):
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
        axes.set_xticks(places, bars)
        y_words(axes, y_label)
        axes.grid(axis="y")
        number_axis(axes.yaxis, value_format)
        figure.legend(loc="outside lower left", ncols=2)
    shown = frame.rename_axis(str(frame.index.name or "label")).reset_index()
    shown[total_label] = values.sum(axis=1)
    return chart_of(figure, shown, **captions)


def acceptability_chart(
    willingness: Numbers,
    probabilities: Mapping[str, Numbers],
    *,
    x_label: str,
    reference: float | None = None,
    reference_label: str = "",
    value_format: Format = "£{:,.0f}",
    **captions: Unpack[Captions],
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
    value_format
        As in `stacked_chart`.

    Returns
    -------
    Chart
        Its data: willingness, then one column a curve.
    """
    if not 1 <= len(probabilities) <= len(PALETTE):
        raise ReportError(f"An acceptability chart takes 1 to {len(PALETTE)} curves.")
    data = chart_frame({"willingness": willingness, **probabilities})
    curves = data.drop(columns="willingness")
    if not ((curves >= 0) & (curves <= 1)).to_numpy().all():
        raise ReportError("Probabilities in an acceptability chart lie between 0 and 1.")
    with drawing(3.9, **captions) as (figure, axes):
        ends = []
        for name, colour, line in zip(curves, PALETTE, LINES, strict=False):
            axes.plot(data["willingness"], curves[name], color=colour, linestyle=line)
            text = f"{name}: {chance(curves[name].iloc[-1])}"
            ends.append((data["willingness"].iloc[-1], curves[name].iloc[-1], text, colour))
        axes.set_ylim(0, 1.02)
        axes.axhline(0.5, color=INK, linewidth=1, linestyle=":")
        if reference is not None:
            axes.axvline(reference, color=DARK_PINK, linestyle="--", linewidth=1.8)
            axes.annotate(
                reference_label, (reference, 1), (5, -4), color=DARK_PINK, va="top",
                xycoords=("data", "axes fraction"), textcoords="offset points",
            )  # fmt: skip
        axes.set_xlabel("\n".join(broken(x_label, 4.2)), loc="left")
        y_words(axes, "Probability that it is worth it")
        axes.grid(axis="y")
        number_axis(axes.xaxis, value_format)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value <= 1 else "")
        name_line_ends(axes, ends)
    return chart_of(figure, data, **captions)


def tornado_chart(
    labels: Sequence[str],
    at_low: Numbers,
    at_high: Numbers,
    *,
    centre: float,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
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
    x_label, value_format
        As in `stacked_chart`; `value_format` writes the ends too.

    Returns
    -------
    Chart
        Its data: label, at_low, at_high.
    """
    data = chart_frame({"label": labels, "at_low": at_low, "at_high": at_high})
    widest = (data["at_high"] - data["at_low"]).abs().sort_values(ascending=False, kind="stable")
    data = data.loc[widest.index].reset_index(drop=True)
    rows = lay_rows(data["label"], 0.42, inches=1.85)
    texts = [" to ".join(minus(written(value, value_format)) for value in sorted(pair))
             for pair in zip(data["at_low"], data["at_high"], strict=True)]  # fmt: skip
    with drawing(rows.space(x_label, legend=2), **captions) as (figure, axes):
        for name, column, colour, hatch in (
            ("At its low end", "at_low", DARK_BLUE, None),
            ("At its high end", "at_high", ORANGE, "///"),
        ):
            axes.barh(rows.places, data[column] - centre, left=centre, height=BAR, color=colour,
                      label=name, hatch=hatch, edgecolor="white")  # fmt: skip
        middle = f"All at their estimates: {minus(written(centre, value_format))}"
        axes.axvline(centre, color=INK, linewidth=1.4, label=middle)
        axes.axvline(0, color=DARK_PINK, linewidth=1.8, linestyle="--",
                     label="Benefits reach costs")  # fmt: skip
        name_values(axes, rows, texts)
        name_rows(axes, rows)
        number_axis(axes.xaxis, value_format)
        x_words(axes, x_label, rows)
        axes.margins(x=0.06)
        figure.legend(loc="outside lower left", ncols=2)
    return chart_of(figure, data, **captions)


def lasting_chart(
    edges: Numbers,
    prior: Numbers,
    posterior: Numbers,
    panels: Sequence[tuple[str, pd.DataFrame, pd.DataFrame]],
    **captions: Unpack[Captions],
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

    Returns
    -------
    Chart
        Its data: `panel`, `series` ("as assumed", "by the records", "measured" or "fitted"), `x`,
        `value`, `low`, `high`.
    """
    curves = {"as assumed": prior, "by the records": posterior}
    parts = [_shares(edges, weights).assign(series=name) for name, weights in curves.items()]
    lines = -(-(len(panels) + 1) // 2)
    with drawing(0.9 + 2.35 * lines, **captions) as (figure, axes):
        axes.remove()
        first, *others = figure.subplots(lines, 2, squeeze=False).ravel()
        for part, colour, line in zip(parts, (DARK_GREY, DARK_BLUE), ("--", "-"), strict=True):
            first.stairs(part["value"], _BINS, color=colour, linestyle=line, linewidth=2,
                         label=f"Share, {part['series'].iloc[0]}")  # fmt: skip
        first.set_title("\n".join(broken(parts[0]["panel"].iloc[0], 2.1, bold=True)), loc="left")
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
    return chart_of(figure, pd.concat(parts).reindex(columns=columns), **captions)


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
    place.set_title("\n".join(broken(heading, 2.1, bold=True)), loc="left")
    place.set_xticks(sorted({0, *measured["x"]}))
    number_axis(place.yaxis, in_digits(3))
    place.set_xlabel("Months from index date", loc="left")


def marks_chart(
    labels: Sequence[str],
    marks: Mapping[str, Numbers],
    *,
    x_label: str = "",
    value_format: Format = "{:,.0f}",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw several named values a row as marks, on a log scale: what could be seen, what was said.

    Parameters
    ----------
    labels : sequence of str
        One a row, the first at the top.
    marks : mapping of str to sequence of float
        By name in the legend, six at most: one value a row, above 0; missing where there is none.
        The first is drawn as a bar from the left: what lies within it could not be told from 0.
    x_label, value_format
        As in `bar_chart`.
    """
    if not 1 <= len(marks) <= len(PALETTE):
        raise ReportError(f"A chart of marks takes 1 to {len(PALETTE)} of them, not {len(marks)}.")
    data = chart_frame({"label": labels, **marks})
    values = data.drop(columns="label")
    if not ((values > 0) | values.isna()).all(axis=None):
        raise ReportError("A chart on a log scale takes values above 0.")
    least = float(np.nanmin(values.to_numpy(dtype=float))) / 2
    names = list(marks)
    step = 0.22
    lines = lay_rows(data["label"], step * max(len(names) - 1, 1) + 0.2, inches=1.7)
    shifts = step * (np.arange(len(names) - 1) - (len(names) - 2) / 2)
    with drawing(lines.space(x_label, legend=len(names)), **captions) as (figure, axes):
        axes.barh(lines.places, data[names[0]] - least, left=least,
                  height=step * len(names) - 0.1, color=PALE, label=names[0])  # fmt: skip
        rest = zip(names[1:], PALETTE, MARKERS, shifts, strict=False)
        for name, colour, marker, shift in rest:
            axes.scatter(data[name], lines.places + shift, s=60, color=colour, marker=marker,
                         zorder=3, label=name)  # fmt: skip
            for place, value in zip(lines.places, data[name], strict=True):
                if np.isfinite(value):
                    axes.annotate(minus(written(value, value_format)), (value, place + shift),
                                  (9, 0), textcoords="offset points", va="center",
                                  fontsize=SMALL)  # fmt: skip
        name_rows(axes, lines)
        axes.set_xscale("log")
        most = float(np.nanmax(values.to_numpy(dtype=float)))
        axes.set_xlim(least, most * (most / least) ** 0.25)
        axes.xaxis.set_major_formatter(lambda value, _: minus(written(value, value_format)))
        x_words(axes, x_label, lines)
        figure.legend(loc="outside lower left", ncols=1)
    return chart_of(figure, data, **captions)
