"""Axes, rows, names and marks that the charts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    TEXT,
    TURQUOISE,
    WIDTH,
    broken,
    lay_out,
    text_inches,
)
from tfeval.display.words import Format, unsigned_nothing, written
from tfeval.errors import ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a chart takes for numbers.
Numbers = Sequence[float] | np.ndarray | pd.Series

MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (6, 2)), (0, (3, 1, 1, 1)))
#: Inches: a line of text, a bar, the widest label of a row.
LINE, BAR, LABEL = 0.192, 0.27, 2.05
#: Over the axes' own lines and under all that is drawn: where numbers along an axis lie.
_OVER_AXIS = 0.51

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


@dataclass(frozen=True)
class Rows:
    """Rows of a chart, each as high as its label needs; along that axis a unit is an inch."""

    labels: tuple[str, ...]  # broken into lines
    places: np.ndarray  # the middle of each row, in inches from the top
    #: height, wide: inches of all rows, and of the widest label.
    height: float
    wide: float

    def space(self, x_label: str = "", legend: int = 0, above: int = 0) -> float:
        """Return the height of a chart with these rows, and lines of words around them."""
        lines = legend + above + len(broken(x_label, self.plot)) * bool(x_label)
        return self.height + 0.5 + 0.1 * bool(legend) + 1.2 * LINE * lines

    @property
    def plot(self) -> float:
        """Inches that are left beside the labels."""
        return WIDTH - self.wide - 0.35


def lay_rows(
    labels: Sequence[str] | pd.Series, least: float | Sequence[float] = 0.4, *,
    inches: float = LABEL, gap: float = 0.13, bold: bool = False,
) -> Rows:  # fmt: skip
    r"""Return rows of at least a height, and higher where a label has more lines.

    Examples
    --------
    >>> rows = lay_rows(["Short", "One that has to be broken into several lines"], inches=1.5)
    >>> rows.labels[1].count("\n"), rows.places.round(2).tolist()
    (2, [0.2, 0.75])
    """
    lines = [broken(str(label), inches, bold=bold) for label in labels]
    sizes = np.maximum(least, [LINE * len(one) + gap for one in lines])
    wide = max((text_inches(each, bold=bold) for one in lines for each in one), default=0.0)
    made = tuple("\n".join(one) for one in lines)
    return Rows(made, np.cumsum(sizes) - sizes / 2, float(sizes.sum()), wide)


def name_rows(axes: Axes, rows: Rows, bold: Sequence[bool] | None = None) -> None:
    """Name the rows left of a first panel, the first on top, and draw the grid along values."""
    # As texts: a tick is five things to draw, of which a row has one.
    axes.set_yticks([])
    beside, up, across = axes.get_yaxis_text1_transform(8)
    strong = bold or [False] * len(rows.labels)
    panel = axes.get_subplotspec()
    if panel is None or panel.is_first_col():
        for place, name, heavy in zip(rows.places, rows.labels, strong, strict=True):
            axes.text(0, place, name, va=up, ha=across, transform=beside, zorder=_OVER_AXIS,
                      fontweight="bold" if heavy else "normal")  # fmt: skip
    axes.set_ylim(rows.height, 0.0)
    axes.spines["left"].set_color(GRID)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=5)
    number_axis(axes.xaxis, None)


def name_values(
    axes: Axes, rows: Rows, texts: Sequence[str], bold: Sequence[bool] | None = None
) -> None:
    """Write a column of values to the right of all that is drawn."""
    strong = bold or [False] * len(texts)
    for place, text, heavy in zip(rows.places, texts, strong, strict=True):
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center",
                      fontweight="bold" if heavy else "normal", annotation_clip=False)  # fmt: skip


def leave_room(axes: Axes, ends: Numbers, texts: Sequence[str], plot: float) -> None:
    """Widen an axis to the right until words that begin at these ends lie within.

    Parameters
    ----------
    plot : float
        Inches of the axis.
    """
    left, right = axes.get_xlim()
    for end, text in zip(ends, texts, strict=True):
        share = min((max(text_inches(line) for line in text.split("\n")) + 0.12) / plot, 0.8)
        right = max(right, left + (float(end) - left) / (1 - share))
    axes.set_xlim(left, right)


def x_words(axes: Axes, text: str, rows: Rows) -> None:
    """Say under the axis what its values are, in as many lines as that takes."""
    axes.set_xlabel("\n".join(broken(text, rows.plot)), loc="left")


def y_words(axes: Axes, text: str) -> None:
    """Say above an axis what its values are: upright words are read, turned ones are not."""
    axes.annotate(text, (0, 1), (-36, 10), xycoords="axes fraction", textcoords="offset points",
                  annotation_clip=False)  # fmt: skip


def number_axis(axis: Any, how: Format | None) -> None:
    """Write an axis's numbers with thousands separators, or in a given format."""
    axis.set_major_formatter(lambda value, _: minus(written(round(value, 10), how)))


def minus(text: str) -> str:
    """Put a true minus sign before a negative number or amount; none before nothing."""
    text = unsigned_nothing(text)
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith(("-", "£-")) else text


def signed(text: str) -> str:
    """Put a true sign before an amount that is not 0: a gain and a loss differ in more than colour.

    Examples
    --------
    >>> signed("0.43"), signed("-£3m"), signed("0.00")
    ('+0.43', '−£3m', '0.00')
    """
    shown = minus(text)
    nothing = not any(one in "123456789" for one in text)
    return shown if shown.startswith("\N{MINUS SIGN}") or nothing else f"+{shown}"


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


def name_line_ends(
    axes: Axes, ends: list[tuple[Any, float, str, Any]], inches: float = 1.35
) -> None:
    """Name each line in a column beside the axes; names that would overlap are moved apart."""
    low, high = axes.get_ylim()
    figure: Any = axes.get_figure()
    lay_out(figure)
    unit = (high - low) / (axes.get_window_extent().height / figure.dpi)
    named = sorted(ends, key=lambda end: end[1])
    texts = [broken(text, inches, bold=True) for _, _, text, _ in named]
    sizes = [1.04 * LINE * unit * len(lines) + 0.03 * unit for lines in texts]
    at = [y for _, y, _, _ in named]
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + (sizes[i] + sizes[i - 1]) / 2)
    # What went over the top comes down again.
    top = high
    for i in reversed(range(len(at))):
        at[i] = min(at[i], top - sizes[i] / 2)
        top = at[i] - sizes[i] / 2
    _, right = axes.get_xlim()
    for (x, y, _, colour), lines, place in zip(named, texts, at, strict=True):
        shown = _WORDS.get(colour, colour)
        start = float(axes.convert_xunits(x))
        axes.plot([start, right], [y, place], color=shown, linewidth=0.8, linestyle=":",
                  zorder=1, clip_on=False)  # fmt: skip
        axes.annotate("\n".join(lines), (1.02, place), xycoords=("axes fraction", "data"),
                      va="center", color=shown, fontweight="bold",
                      annotation_clip=False)  # fmt: skip
    axes.set_xlim(right=right)


def limit_lines(axes: Axes, at: np.ndarray, limits: Mapping[str, tuple[Numbers, Numbers]]) -> None:
    """Draw control limits, named in a legend."""
    styles = (("--", TURQUOISE), ("-", DARK_PINK), (":", DARK_GREY))
    for (name, (low, high)), (line, colour) in zip(limits.items(), styles, strict=False):
        axes.plot(at, low, linestyle=line, color=colour, linewidth=1.8, label=f"{name} limits")
        axes.plot(at, high, linestyle=line, color=colour, linewidth=1.8)
    axes.legend(loc="lower right")


def name_points(axes: Axes, x: Numbers, y: Numbers, names: Sequence[str]) -> None:
    """Write names beside points, each where it meets no other; the figure is laid out for it."""
    figure: Any = axes.get_figure()
    lay_out(figure)
    others = [axes.transData.transform((a, b)) for a, b in zip(x, y, strict=True)]
    taken: list[Any] = [(px - 5, py - 5, px + 5, py + 5) for px, py in others]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(tuple(legend.get_window_extent().extents))
    edge = axes.get_window_extent().extents
    high = TEXT * 1.2 * figure.dpi / 72
    for (px, py), a, b, name in zip(others, x, y, names, strict=True):
        wide = text_inches(name, bold=True) * figure.dpi
        for dx, dy, align in _AROUND:
            left = px + dx - wide * {"left": 0.0, "right": 1.0, "center": 0.5}[align]
            box = (left, py + dy - high / 2, left + wide, py + dy + high / 2)
            inside = box[0] >= edge[0] and box[2] <= edge[2] and box[1] >= edge[1]
            if inside and not any(_meet(box, one) for one in taken):
                taken.append(box)
                points = (dx * 72 / figure.dpi, dy * 72 / figure.dpi)
                axes.annotate(name, (a, b), points, textcoords="offset points", ha=align,
                              va="center", fontweight="bold")  # fmt: skip
                break


#: Where a name may stand from its point, in pixels.
_AROUND = (
    (10, 0, "left"), (-10, 0, "right"), (0, -16, "center"), (0, 16, "center"),
    (10, -14, "left"), (-10, -14, "right"), (10, 14, "left"), (-10, 14, "right"),
)  # fmt: skip


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def percent_axis(axes: Axes, shares: Numbers) -> None:
    """Write shares as percentages, from a little below the lowest; none above 100%."""
    low = min(shares)
    axes.set_ylim(max(0.0, low - 0.08), 1.02 if max(shares) > 0.9 else max(shares) + 0.08)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value <= 1 else "")
