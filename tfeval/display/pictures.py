"""Pictures of one kind each: a map of tiles, a flow, a line of time, choices side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd

from tfeval.display.axes import (
    LINE,
    Numbers,
    chart_frame,
    lay_rows,
    name_rows,
    name_values,
    number_axis,
    x_words,
)
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    GRID,
    INK,
    ORANGE,
    PALE,
    SMALL,
    WIDTH,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.words import in_digits
from tfeval.errors import ReportError

#: How kinds of a tile are drawn, in order: face, hatch, its colour, colour of words, bold.
_TILES = (
    (DARK_BLUE, None, DARK_BLUE, "white", True),
    (ORANGE, None, ORANGE, INK, True),
    (PALE, None, PALE, INK, False),
    ("white", "////", GRID, DARK_GREY, False),
)


def tile_chart(
    tiles: pd.DataFrame,
    kinds: Sequence[str],
    **captions: Unpack[Captions],
) -> Chart:
    """Draw a map of tiles, each with its letters and, where it has one, a second line.

    Parameters
    ----------
    tiles : DataFrame
        `name`, `short`, `row`, `column`, `kind` (one of `kinds`) and `text` (a second line).
    kinds : sequence of str
        From the strongest to the last, which is hatched: what is not there. Four at most.

    Returns
    -------
    Chart
        Its data: short, name, kind, text.
    """
    if not 1 < len(kinds) <= len(_TILES) or not tiles["kind"].isin(kinds).all():
        raise ReportError(f"A map of tiles takes 2 to {len(_TILES)} kinds, and each tile has one.")
    looks = dict(zip(kinds, [*_TILES[: len(kinds) - 1], _TILES[-1]], strict=True))
    across, down = int(tiles["column"].max()) + 1, int(tiles["row"].max()) + 1
    side = (WIDTH - 0.2) / across
    with drawing(side * down + 0.3 + 0.25 * len(kinds), **captions) as (figure, axes):
        from matplotlib.patches import Patch, Rectangle  # noqa: PLC0415

        for one in tiles.to_dict("records"):
            face, hatch, edge, ink, strong = looks[one["kind"]]
            axes.add_patch(Rectangle((one["column"], one["row"]), 0.94, 0.94, facecolor=face,
                                     hatch=hatch, edgecolor=edge, linewidth=0.8))  # fmt: skip
            words = f"{one['short']}\n{one['text']}" if one["text"] else one["short"]
            axes.annotate(words, (one["column"] + 0.47, one["row"] + 0.48), ha="center",
                          va="center", fontsize=SMALL, color=ink, linespacing=1.0,
                          fontweight="bold" if strong and len(one["text"]) < 4 else "normal",
                          )  # fmt: skip
        axes.set_xlim(-0.03, across)
        axes.set_ylim(down, -0.03)
        axes.set_aspect("equal")
        axes.set_axis_off()
        keys = [Patch(facecolor=face, hatch=hatch, edgecolor=edge, label=kind)
                for kind, (face, hatch, edge, _, _) in looks.items()]  # fmt: skip
        figure.legend(handles=keys, loc="outside lower left", ncols=1)
    data = tiles[["short", "name", "kind", "text"]].reset_index(drop=True)
    return chart_of(figure, data, **captions)


def flow_chart(
    steps: Sequence[str],
    counts: Mapping[str, Sequence[str]],
    lost: Mapping[str, Sequence[str]],
    **captions: Unpack[Captions],
) -> Chart:
    """Draw who was left after each step, an arm a column, with how many each step left out.

    Parameters
    ----------
    steps : sequence of str
        What was asked, the first at the top.
    counts : mapping of str to sequence of str
        By arm: how many were left after each step, as it may be shown. Two arms.
    lost : mapping of str to sequence of str
        By arm: how many each step left out; empty where nothing is said.

    Returns
    -------
    Chart
        Its data: step, and for each arm who was left and who was left out.
    """
    arms = list(counts)
    if len(arms) != 2 or any(len(counts[arm]) != len(steps) for arm in arms):
        raise ReportError("A flow takes two arms, and a count of each after each step.")
    wide, gap = (WIDTH - 0.3) / 2, 0.42
    lines = [broken(step, WIDTH - 0.5) for step in steps]
    heights = [LINE * (len(one) + 1) + 0.2 for one in lines]
    tops = np.cumsum([0.0, *(height + gap for height in heights)])
    whole = float(tops[-1]) - gap + 0.35
    with drawing(whole + 0.1, **captions) as (figure, axes):
        from matplotlib.patches import Rectangle  # noqa: PLC0415

        axes.set_xlim(0, WIDTH - 0.2)
        axes.set_ylim(whole, 0)
        axes.set_axis_off()
        for side, arm in enumerate(arms):
            middle = wide * (side + 0.5) + 0.05
            axes.annotate(arm, (middle, 0.14), ha="center", va="center", fontweight="bold")
            for place, count in enumerate(counts[arm]):
                top = 0.35 + tops[place]
                base = top + heights[place]
                if place + 1 < len(steps):
                    axes.annotate("", (middle, base + gap), (middle, base),
                                  arrowprops={"arrowstyle": "->", "color": DARK_GREY})  # fmt: skip
                    out = lost[arm][place + 1]
                    axes.annotate("\n".join(broken(out, 1.3)), (middle + 0.1, base + gap / 2),
                                  va="center", color=DARK_GREY, linespacing=1.0)  # fmt: skip
                axes.annotate(count, (middle, base - LINE / 2 - 0.08), ha="center", va="center",
                              fontweight="bold")  # fmt: skip
        for words, top, height in zip(lines, tops, heights, strict=False):
            axes.add_patch(Rectangle((0.03, 0.35 + top), WIDTH - 0.28, height, facecolor="#F2F5F8",
                                     edgecolor=DARK_BLUE, linewidth=1.2, zorder=0))  # fmt: skip
            axes.annotate("\n".join(words), ((WIDTH - 0.2) / 2, 0.35 + top + 0.08), ha="center",
                          va="top")  # fmt: skip
    data = pd.DataFrame({"step": list(steps)})
    for arm in arms:
        data[arm], data[f"{arm}: left out"] = list(counts[arm]), list(lost[arm])
    return chart_of(figure, data, **captions)


def choices_chart(
    labels: Sequence[str],
    panels: Mapping[str, pd.DataFrame],
    *,
    bold: Sequence[bool] | None = None,
    **captions: Unpack[Captions],
) -> Chart:
    """Draw one effect under many choices, a row each, and a panel for each outcome.

    Parameters
    ----------
    labels : sequence of str
        The choices, the first at the top.
    panels : mapping of str to DataFrame
        By outcome: `value`, `low`, `high`, a row a label; missing where there is none.
        Intervals more than two and a half times as wide as the middle one go beyond the edge.
    bold : sequence of bool, optional
        Which labels are strong.

    Returns
    -------
    Chart
        Its data: label, outcome, value, low, high.
    """
    if not panels or any(len(rows) != len(labels) for rows in panels.values()):
        raise ReportError("A chart of choices takes a row for each choice in each panel.")
    rows = lay_rows(labels, 0.26, inches=1.55, gap=0.08, bold=bool(bold))
    heads = {name: broken(name, 0.85) for name in panels}
    above = max(len(head) for head in heads.values())
    with drawing(rows.space(legend=3, above=above), **captions) as (figure, axes):
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

        axes.remove()
        drawn: dict[str, Any] = {}
        layout: Any = figure.get_layout_engine()
        layout.set(wspace=0.05)
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, (name, panel) in zip(grid, panels.items(), strict=True):
            place.axvline(0, color=INK, linewidth=1.2, zorder=1)
            clear = ((panel["low"] > 0) | (panel["high"] < 0)).to_numpy()
            for kind, colour, marker, words in (
                (clear, ORANGE, "D", "95% interval leaves 0 out"),
                (~clear, DARK_GREY, "o", "0 lies within"),
            ):
                at, own = rows.places[kind], panel[kind]
                place.hlines(at, own["low"], own["high"], color=colour, linewidth=2)
                drawn[words] = place.scatter(
                    own["value"], at, s=26, marker=marker, color="white" if marker == "o"
                    else colour, edgecolor=colour, linewidth=1.4, zorder=3, label=words,
                )  # fmt: skip
            name_rows(place, rows, bold)
            place.set_title("\n".join(heads[name]), loc="left", fontsize=SMALL, fontweight="normal")
            low, high = _near(panel)
            place.set_xlim(low, high)
            ticks = [one for one in MaxNLocator(3).tick_values(low, high) if low <= one <= high]
            place.set_xticks([0.0, max(ticks, key=abs)])
            number_axis(place.xaxis, in_digits(3))
            for edge, marker, beyond in ((low, "<", panel["value"] < low),
                                       (high, ">", panel["value"] > high)):  # fmt: skip
                if beyond.any():
                    drawn["The estimate lies beyond the edge"] = place.scatter(
                        np.full(beyond.sum(), edge), rows.places[beyond], s=48, marker=marker,
                        color=DARK_BLUE, zorder=4, clip_on=False,
                        label="The estimate lies beyond the edge",
                    )  # fmt: skip
        figure.legend(handles=list(drawn.values()), loc="outside lower left", ncols=1)
    parts = [panel.assign(label=list(labels), outcome=name) for name, panel in panels.items()]
    data = pd.concat(parts)[["label", "outcome", "value", "low", "high"]].reset_index(drop=True)
    return chart_of(figure, data, **captions)


def time_chart(
    times: Sequence[float],
    dates: Sequence[str],
    texts: Sequence[str],
    *,
    spans: Mapping[str, tuple[float, float]] | None = None,
    **captions: Unpack[Captions],
) -> Chart:
    """Draw what happened when, from the top down; what lies close is moved apart and led to.

    Parameters
    ----------
    times : sequence of float
        Years with their part, rising.
    dates, texts : sequence of str
        What is written beside each.
    spans : mapping of str to (start, end), optional
        Periods, drawn as bars beside the line.

    Returns
    -------
    Chart
        Its data: date, what.
    """
    at = np.asarray(times, dtype=float)
    if not len(at) or (np.diff(at) < 0).any() or len(texts) != len(at):
        raise ReportError("A line of time takes one text for each time, and times that rise.")
    lines = [broken(f"{date}: {text}", WIDTH - 1.75) for date, text in zip(dates, texts,
                                                                         strict=True)]  # fmt: skip
    heights = np.array([LINE * len(one) + 0.12 for one in lines])
    spread = spans or {}
    start = min([np.floor(at[0]), *(first for first, _ in spread.values())])
    end = max([np.ceil(at[-1]), *(last for _, last in spread.values())])
    tall = max(1.12 * float(heights.sum()), 0.32 * (end - start))
    true = (at - start) / (end - start) * tall
    places = _apart(true, heights, tall)
    with drawing(tall + 0.25, **captions) as (figure, axes):
        axes.set_xlim(0, WIDTH - 0.2)
        axes.set_ylim(tall + 0.12, -0.12)
        axes.set_axis_off()
        axes.plot([0.95, 0.95], [0, tall], color=DARK_GREY, linewidth=2)
        for year in range(int(np.ceil(start)), int(end) + 1):
            y = (year - start) / (end - start) * tall
            axes.plot([0.9, 0.95], [y, y], color=DARK_GREY, linewidth=1.5)
            axes.annotate(f"{year}", (0.84, y), ha="right", va="center")
        for number, (first, last) in enumerate(spread.values()):
            y = (np.array([first, last]) - start) / (end - start) * tall
            axes.barh(y.mean(), 0.12, left=1.0, height=np.ptp(y), color=_SPANS[number % 3],
                      hatch=("", "///", "xx")[number % 3], edgecolor="white")  # fmt: skip
        for y, place, words in zip(true, places, lines, strict=True):
            axes.plot([0.95, 1.16, 1.38], [y, y, place], color=DARK_GREY, linewidth=1)
            axes.scatter([0.95], [y], s=36, color=ORANGE, edgecolor=INK, zorder=3)
            axes.annotate("\n".join(words), (1.43, place), va="center")
    data = pd.DataFrame({"date": list(dates), "what": list(texts)})
    return chart_of(figure, data, **captions)


def _near(panel: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of an axis on which a few wide intervals do not press the others flat."""
    wide = panel["high"] - panel["low"]
    narrow = panel[wide <= _WIDE * wide.median()]
    if narrow.empty:
        return -1.0, 1.0
    low, high = min(0.0, float(narrow["low"].min())), max(0.0, float(narrow["high"].max()))
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


#: Medians of an interval's width up to which it is drawn whole.
_WIDE = 2.5
_SPANS = (DARK_BLUE, PALE, DARK_GREY)


def _apart(true: Numbers, heights: Numbers, tall: float) -> np.ndarray:
    """Return places near the true ones at which boxes of these heights do not meet."""
    at, half = np.array(true, dtype=float), np.asarray(heights, dtype=float) / 2
    at[0] = max(at[0], half[0])
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + half[i - 1] + half[i])
    limit = tall
    for i in reversed(range(len(at))):
        at[i] = min(at[i], limit - half[i])
        limit = at[i] - half[i]
    return at


def pairs_chart(
    labels: Sequence[str],
    pairs: Mapping[str, Numbers],
    texts: Sequence[str],
    *,
    x_label: str = "",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw two values a row as two marks with a line between, and words beside them.

    Parameters
    ----------
    labels : sequence of str
        One a row, the first at the top.
    pairs : mapping of str to sequence of float
        Two, by their names in the legend; missing where a row has none.
    texts : sequence of str
        What stands beside each row.
    x_label
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: label, both values, what.
    """
    if len(pairs) != 2:
        raise ReportError(f"A chart of pairs takes two values a row, not {len(pairs)}.")
    data = chart_frame({"label": labels, **pairs})
    if len(texts) != len(data):
        raise ReportError(f"There are {len(data)} rows and {len(texts)} texts: give one each.")
    words = [broken(text, 1.45) for text in texts]
    rows = lay_rows(data["label"], [LINE * len(one) + 0.15 for one in words], inches=1.75)
    (first, start), (second, end) = ((name, data[name]) for name in pairs)
    with drawing(rows.space(x_label, legend=2), **captions) as (figure, axes):
        axes.hlines(rows.places, start, end, color=PALE, linewidth=5, zorder=1)
        axes.scatter(start, rows.places, s=60, color="white", edgecolor=DARK_GREY, linewidth=1.8,
                     marker="s", zorder=3, label=first)  # fmt: skip
        axes.scatter(end, rows.places, s=60, color=DARK_BLUE, zorder=3, label=second)
        name_rows(axes, rows)
        name_values(axes, rows, ["\n".join(one) for one in words])
        axes.set_xlim(left=0.0)
        x_words(axes, x_label, rows)
        figure.legend(loc="outside lower left", ncols=1)
    data["what"] = list(texts)
    return chart_of(figure, data, **captions)
