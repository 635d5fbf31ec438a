"""Axes, labels and marks that the charts share."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tfeval.display.figures import (
    DARK_GREY,
    DARK_PINK,
    GRID,
    INK,
    LIGHT_PURPLE,
    ORANGE,
    TURQUOISE,
)
from tfeval.display.words import Format, written
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
