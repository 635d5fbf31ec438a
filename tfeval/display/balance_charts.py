"""Charts of how alike two arms are, before and after: plain arrays in, a `Chart` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.charts import Numbers, chart_frame, name_rows, number_axis
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    GRID,
    INK,
    ORANGE,
    Chart,
    drawing,
)
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ARMS = {"treated": (DARK_BLUE, ""), "comparison": (ORANGE, "////")}
_WHEN = ("before", "after")


def love_chart(
    labels: Sequence[str],
    before: Numbers,
    after: Numbers,
    *,
    title: str,
    alt: str,
    good: float,
    limit: float,
    x_label: str = "Absolute standardised difference",
    missing: str = "hidden",
) -> Chart:
    """Draw absolute standardised differences before and after, the first at the top.

    Parameters
    ----------
    labels, before, after : sequence
        One a covariate; a missing difference is written as `missing`.
    title, alt : str
        As in `bar_chart`.
    good, limit : float
        Thresholds, drawn as lines.
    x_label, missing : str
        What the values are, and what is written for those not shown.

    Returns
    -------
    Chart
        Its data: label, before, after.
    """
    data = chart_frame({"label": labels, "before": before, "after": after})
    values = data[["before", "after"]].abs()
    edge = 1.08 * max(float(np.nanmax(np.r_[values.to_numpy().ravel(), 0.0])), 1.3 * limit)
    height = 0.48 if data["label"].str.len().max() > 30 else 0.34
    places = np.arange(len(data))
    with drawing(title, 1.9 + height * len(data), alt) as (figure, axes):
        axes.hlines(places, values["before"], values["after"], color=GRID, linewidth=3, zorder=1)
        axes.axvline(good, color=DARK_GREY, linestyle="--", linewidth=1.6, zorder=1,
                     label=f"{good:g}: good up to here")  # fmt: skip
        axes.axvline(limit, color=DARK_PINK, linewidth=1.8, zorder=1, label=f"{limit:g}: the limit")
        axes.plot(values["before"], places, "o", color="white", markeredgecolor=ORANGE,
                  markeredgewidth=2, label="Before", clip_on=False)  # fmt: skip
        axes.plot(values["after"], places, "D", color=DARK_BLUE, markersize=7, label="After",
                  clip_on=False)  # fmt: skip
        for place in places[values.isna().any(axis=1)]:
            axes.annotate(missing, (0.02 * edge, place), va="center", style="italic",
                          color=DARK_GREY, backgroundcolor="white")  # fmt: skip
        name_rows(axes, data["label"])
        axes.set_xlim(-0.012 * edge, edge)
        axes.set_xlabel(x_label, loc="left")
        _legend(figure, axes, [2, 3, 0, 1])
    return Chart(figure, title, alt, data)


def mirrored_chart(
    edges: Numbers,
    shares: Mapping[tuple[str, str], Numbers],
    *,
    title: str,
    alt: str,
    x_label: str,
) -> Chart:
    """Draw two distributions, the treated upwards and the comparison units downwards.

    Parameters
    ----------
    edges : sequence of float, length bins + 1
        Ends of the bins.
    shares : mapping of (when, arm) to sequence of float, length bins
        For when "before" and "after", and arm "treated" and "comparison"; a missing share is not
        drawn.
    title, alt, x_label : str
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: when, arm, low, high, share.
    """
    ends = np.asarray(edges, dtype=float)
    held = {key: np.asarray(values, dtype=float) for key, values in shares.items()}
    _check_arms(held, len(ends) - 1)
    data = pd.DataFrame(
        {"when": when, "arm": arm, "low": low, "high": high, "share": share}
        for (when, arm), values in held.items()
        for low, high, share in zip(ends[:-1], ends[1:], values, strict=True)
    )
    with drawing(title, 4.8, alt) as (figure, axes):
        axes.remove()
        _apart(figure)
        top = 1.25 * max(float(np.nanmax(np.r_[values, 0.01])) for values in held.values())
        for panel, when in zip(figure.subplots(1, 2, sharey=True), _WHEN, strict=True):
            for (arm, (colour, hatch)), side in zip(_ARMS.items(), (1, -1), strict=True):
                panel.bar(ends[:-1], side * np.nan_to_num(held[when, arm]), np.diff(ends),
                         align="edge", color=colour, hatch=hatch, edgecolor="white",
                         linewidth=0.6)  # fmt: skip
                panel.annotate(arm.capitalize(), (0.985, 0.985 if side > 0 else 0.015),
                              xycoords="axes fraction", ha="right",
                              va="top" if side > 0 else "bottom", fontweight="bold",
                              color=DARK_BLUE if side > 0 else "#B5450C")  # fmt: skip
            panel.axhline(0, color=INK, linewidth=1.2)
            panel.set_ylim(-top, top)
            panel.set_title(when.capitalize(), loc="left", fontsize=12)
            panel.grid(axis="y")
            panel.locator_params(axis="x", nbins=5)
            panel.locator_params(axis="y", nbins=7)
            number_axis(panel.xaxis, None)
            panel.yaxis.set_major_formatter(lambda value, _: f"{100 * abs(value):.3g}%")
        figure.supxlabel(x_label, x=0.02, ha="left", fontsize=12,
                       linespacing=1.4)  # fmt: skip
        figure.axes[0].set_ylabel("Share of the arm")
    return Chart(figure, title, alt, data)


def levels_chart(
    labels: Sequence[str],
    shares: Mapping[tuple[str, str], Numbers],
    *,
    title: str,
    alt: str,
    x_label: str = "Share of the arm",
) -> Chart:
    """Draw the share of each level of a category, by arm, before and after.

    Parameters
    ----------
    labels : sequence of str
        Levels, the first at the top.
    shares : mapping of (when, arm) to sequence of float
        As in `mirrored_chart`, one share a level; a missing one is written "hidden".
    title, alt, x_label : str
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: when, arm, label, share.
    """
    held = {key: np.asarray(values, dtype=float) for key, values in shares.items()}
    _check_arms(held, len(labels))
    data = pd.DataFrame(
        {"when": when, "arm": arm, "label": str(label), "share": share}
        for (when, arm), values in held.items()
        for label, share in zip(labels, values, strict=True)
    )
    places = np.arange(len(labels))
    with drawing(title, 2.1 + 0.62 * len(labels), alt) as (figure, axes):
        axes.remove()
        _apart(figure)
        top = 1.3 * max(float(np.nanmax(np.r_[values, 0.01])) for values in held.values())
        for panel, when in zip(figure.subplots(1, 2, sharey=True), _WHEN, strict=True):
            for (arm, (colour, hatch)), shift in zip(_ARMS.items(), (-0.2, 0.2), strict=True):
                values = held[when, arm]
                panel.barh(places + shift, np.nan_to_num(values), height=0.38, color=colour,
                          hatch=hatch, edgecolor="white", linewidth=0.6,
                          label=arm.capitalize())  # fmt: skip
                for place, value in zip(places + shift, values, strict=True):
                    text = "hidden" if np.isnan(value) else _percent(value)
                    panel.annotate(text, (np.nan_to_num(value), place), (5, 0), va="center",
                                  textcoords="offset points")  # fmt: skip
            name_rows(panel, pd.Series([str(label) for label in labels]))
            panel.set_xlim(0, top)
            panel.locator_params(axis="x", nbins=3)
            panel.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
            panel.set_title(when.capitalize(), loc="left", fontsize=12)
        figure.axes[0].set_xlabel(x_label, loc="left")
        _legend(figure, figure.axes[0], [0, 1])
    return Chart(figure, title, alt, data)


def _check_arms(shares: Mapping[tuple[str, str], np.ndarray], length: int) -> None:
    for key in [(when, arm) for when in _WHEN for arm in _ARMS]:
        if key not in shares or len(shares[key]) != length or not length:
            raise ReportError(
                f"The chart needs {max(length, 1)} shares of the {key[1]} arm {key[0]}."
            )


def _percent(share: float) -> str:
    return f"{share:.0%}" if round(share, 6) >= 0.01 or not round(share, 6) else f"{share:.1%}"


def _apart(figure: Figure) -> None:
    layout: Any = figure.get_layout_engine()
    layout.set(wspace=0.06)


def _legend(figure: Figure, axes: Axes, order: Sequence[int]) -> None:
    handles, names = axes.get_legend_handles_labels()
    chosen: Any = [handles[place] for place in order], [names[place] for place in order]
    figure.legend(*chosen, loc="outside lower left", ncols=len(order), columnspacing=1.4,
                  handletextpad=0.5)  # fmt: skip
