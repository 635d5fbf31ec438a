"""Love plot, overlap plot and distribution plot of a design; small numbers stay in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from tfeval.display.axes import Numbers, chart_frame, lay_rows, name_rows, number_axis
from tfeval.display.figures import (
    DARK_BLUE,
    DARK_GREY,
    DARK_PINK,
    GRID,
    INK,
    ORANGE,
    TEXT,
    WIDTH,
    Captions,
    Chart,
    broken,
    chart_of,
    drawing,
)
from tfeval.display.tables import THRESHOLD, hidden_parts
from tfeval.display.words import titled
from tfeval.errors import ParameterError, ReportError, suggest
from tfeval.impact.balance.measures import Arms, compare_levels
from tfeval.impact.balance.rows import (
    Compared,
    hidden_levels,
    in_sample,
    level_columns,
    reference_column,
)
from tfeval.impact.balance.tables import denominator_words
from tfeval.impact.study.covariates import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What a design says in them.

#: Rows of a love plot, and levels of a distribution plot, at most.
ROWS, LEVELS = 40, 12
#: Bars tried, and the share of an arm that may stay hidden before wider ones are.
BARS, HIDDEN = (24, 16, 12, 8, 6, 4), 0.1
KEYS = tuple((when, arm) for when in ("before", "after") for arm in ("treated", "comparison"))

Shares = dict[tuple[str, str], np.ndarray]


def _over(denominator: str) -> str:
    words = denominator_words(denominator).replace(" before", "\nbefore")
    return f"Absolute difference over\n{words}"


def love_plot(
    frame: pd.DataFrame, thresholds: Mapping[str, float], method: str, denominator: str,
    simulated: bool = False,
) -> Chart:  # fmt: skip
    """Draw standardised differences before and after, the largest before at the top.

    Parameters
    ----------
    frame : DataFrame
        Balance with the columns `COLUMNS`. Differences of covariates that fewer than ten units
        have or lack are not drawn.
    thresholds : mapping of str to float
        With smd and smd_limit.
    method, denominator : str
        Of the design and of the differences.
    simulated : bool
        Whether the title says that records are simulated.
    """
    sizes = frame[["smd_before", "smd_after"]].abs()
    sizes = sizes.mask(frame["hidden"])  # and last, for an order would tell too
    open_ = sizes.dropna()
    worst = sizes.max(axis=1).sort_values(ascending=False, kind="stable").index[:ROWS]
    sizes = sizes.loc[worst].sort_values("smd_before", ascending=False, kind="stable")
    shown = frame.loc[sizes.index]
    good, limit = thresholds["smd"], thresholds["smd_limit"]
    after = open_["smd_after"]
    alt = f"Love plot of {len(sizes)} rows."
    if len(open_):
        names = frame["covariate"].loc[open_.index].tolist()
        first, last = (int(open_[column].to_numpy().argmax()) for column in open_)
        alt += (
            f" The largest standardised difference is {open_['smd_before'].iloc[first]:.2f} before "
            f"({names[first]}) and {after.iloc[last]:.2f} after ({names[last]}). After, "
            f"{int((after > good).sum())} are over {good:g}, of which "
            f"{int((after > limit).sum())} over the limit of {limit:g}."
        )
    part = "" if len(sizes) == len(frame) else f", the {len(sizes)} least alike of {len(frame)}"
    was, left = (int((open_[when] > good).sum()) for when in ("smd_before", "smd_after"))
    title = f"{was} differences over {good:g} before, {left} after"
    heading = f"Differences between the arms before and after{part}: {method}"
    return love_chart(
        shown["covariate"].tolist(), sizes["smd_before"], sizes["smd_after"],
        title=titled(title if len(open_) else heading, simulated),
        alt=alt, subtitle=heading if len(open_) else "",
        good=good, limit=limit, missing="hidden: small numbers",
        x_label=_over(denominator),
    )  # fmt: skip


def overlap_plot(design: Compared) -> Chart:
    """Draw the propensity score by arm, before and after; bars of fewer than ten are left out."""
    if design.score is None:
        raise ParameterError(
            f"{design.title}: the design has no propensity score to show the overlap of. "
            "Show a covariate: design.distribution(name)."
        )
    design = in_sample(design)
    assert design.score is not None
    return _numbers_plot(
        design, design.score, "the propensity score", "Probability of being treated"
    )


def distribution_plot(design: Compared, covariate: str) -> Chart:
    """Draw a covariate's distribution by arm, before and after.

    Parameters
    ----------
    covariate : str
        Column of the frame that the study was made from, or a level as named in the balance.
    """
    design = in_sample(design)
    covariates = design.study.covariates
    known = [column for column in covariates.columns if covariate in (column.name, column.source)]
    if not known:
        sources = dict.fromkeys(column.source for column in covariates.columns)
        own = [source for source in covariates.reference
               if covariate == reference_column(covariates, source).name]  # fmt: skip
        if not own:
            raise ParameterError(
                f"The study has no covariate {covariate}. {suggest(covariate, sources)}"
            )
        known = [column for column in covariates.columns if column.source == own[0]]
    column = known[0]
    if column.level is not None:
        return _category_plot(design, column)
    numbers = column.raw
    values = np.isnan(numbers) if column.absent else numbers
    low, high = values.min(), values.max()
    if ((values == low) | (values == high)).all():
        names = ["no", "yes"] if (low, high) == (0, 1) else [f"{low:g}", f"{high:g}"]
        return _levels_plot(design, (values == high).astype(np.int64), names, column.name)
    return _numbers_plot(design, values, column.name, column.name)


def bar_edges(values: np.ndarray, bars: int = 24) -> np.ndarray:
    """Return the ends of bars that show a distribution; the outer ones take what lies beyond.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Not missing.
    bars : int, default 24
        About how many.

    Notes
    -----
    Round widths between the 1st and the 99th percentile: the extremes belong to single units and
    are not shown. Whole numbers stand in the middle of their bar.

    Examples
    --------
    >>> bar_edges(np.arange(6.0)).tolist()
    [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    >>> bar_edges(np.linspace(0, 1, 101), bars=4).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    low, high = np.quantile(values, [0.01, 0.99])
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.array([low - 0.5, low + 0.5])
    whole = np.array_equal(values, np.floor(values))
    step = max((high - low) / bars, 1.0 if whole else 0.0)
    size = 10.0 ** np.floor(np.log10(step))
    step = next(size * nice for nice in (1, 2, 2.5, 5, 10) if size * nice >= step * 0.99)
    step, shift = (np.ceil(step), 0.5) if whole else (step, 0.0)
    first, last = np.floor((low + shift) / step), np.ceil((high + shift) / step)
    return step * np.arange(first, last + 1) - shift


def _numbers_plot(design: Compared, values: np.ndarray, name: str, x_label: str) -> Chart:
    known = np.isfinite(values)
    part = values[known].astype(float)
    arms = Arms(design.study.treated, design.study.sampling, design.weights).only(known)
    for bars in BARS:
        edges = bar_edges(part, bars)
        codes = np.clip(np.searchsorted(edges, part, side="right") - 1, 0, len(edges) - 2)
        shares, hidden = _shares(codes, len(edges) - 1, arms)
        # Wider bars, until little is hidden.
        if max(float(shares[key][hidden[key]].sum()) for key in KEYS) <= HIDDEN:
            break
    shown = {key: np.where(hidden[key], np.nan, np.round(shares[key], 3)) for key in KEYS}
    note = "The outer bars hold what lies beyond."
    if any(one.any() for one in hidden.values()):
        note += f" Bars of fewer than {THRESHOLD} are not shown."
    return mirrored_chart(
        edges, shown, x_label=f"{x_label}\n{note}", alt=_overlap_words(name, shares),
        title=titled(_overlap(shares), design.study.simulated),
        subtitle=f"Distribution of {name}: {design.title}",
    )  # fmt: skip


def _category_plot(design: Compared, column: Column) -> Chart:
    levels = level_columns(design.study.covariates, column.source)
    names = [each.name.removeprefix(f"{column.source}: ") for each in levels]
    codes = [int(each.level or 0) for each in levels]
    return _levels_plot(design, column.raw, names, column.source, codes)


def _levels_plot(
    design: Compared, values: np.ndarray, names: Sequence[str], name: str,
    codes: Sequence[int] = (0, 1),
) -> Chart:  # fmt: skip
    arms = Arms(design.study.treated, design.study.sampling, design.weights)
    levels = compare_levels(values, codes, arms)
    hidden = hidden_levels(levels)
    common = np.argsort([-sum(each.have[:2]) for each in levels], kind="stable")[:LEVELS]
    top = sorted(common.tolist())
    exact, shown = {}, {}
    for key in KEYS:
        side, place = f"mean_{key[1]}", int(key[0] == "after")
        exact[key] = np.array([getattr(each, side)[place] for each in levels])
        shown[key] = np.where(hidden, np.nan, np.round(exact[key], 3))[top]
    part = "" if len(top) == len(levels) else f" ({len(top)} of {len(levels)} levels)"
    return levels_chart(
        [names[row] for row in top], shown, alt=_overlap_words(name, exact),
        title=titled(_overlap(exact), design.study.simulated),
        subtitle=f"Distribution of {name}{part}: {design.title}",
    )  # fmt: skip


def _shares(codes: np.ndarray, size: int, arms: Arms) -> tuple[Shares, Shares]:
    # Exact shares, and which of them may not be shown.
    parts = arms.divide(codes) * 2
    weights = [weight for pair in arms.weights for weight in pair]
    shares, hidden = {}, {}
    for key, part, weight, here in zip(KEYS, parts, weights, arms.present, strict=True):
        shares[key] = np.bincount(part, weights=weight, minlength=size)
        hidden[key] = hidden_parts(np.bincount(part[here], minlength=size)[:, None])
    return shares, hidden


def _overlap(shares: Shares) -> str:
    # What both arms have in common: the sum of the smaller share in each bar.
    common = []
    for when in ("before", "after"):
        both = np.minimum(shares[when, "treated"], shares[when, "comparison"])
        common.append(f"{float(both.sum()):.0%} {when}")
    return f"The groups overlap by {common[0]} and {common[1]} the design"


def _overlap_words(name: str, shares: Shares) -> str:
    overlap = _overlap(shares)
    return (
        f"Bars of {name}, treated against comparison units, before and after the design. "
        f"{overlap}, in these bars."
    )


# The charts themselves: plain arrays in, a `Chart` out.

_ARMS = {"treated": (DARK_BLUE, ""), "comparison": (ORANGE, "////")}
_WHEN = ("before", "after")


def love_chart(
    labels: Sequence[str],
    before: Numbers,
    after: Numbers,
    *,
    good: float,
    limit: float,
    x_label: str = "Absolute standardised difference",
    missing: str = "hidden",
    **captions: Unpack[Captions],
) -> Chart:
    """Draw absolute standardised differences before and after, the first at the top.

    Parameters
    ----------
    labels, before, after : sequence
        One a covariate; a missing difference is written as `missing`.
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
    rows = lay_rows(data["label"], 0.3, gap=0.1)
    places = rows.places
    height = rows.height + 0.5 + 0.24 * (x_label.count("\n") + 1) + 0.55
    with drawing(height, **captions) as (figure, axes):
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
        name_rows(axes, rows)
        axes.set_xlim(-0.012 * edge, edge)
        axes.set_xlabel(x_label, loc="left")
        _legend(figure, axes, [2, 3, 0, 1])
    return chart_of(figure, data, **captions)


def mirrored_chart(
    edges: Numbers,
    shares: Mapping[tuple[str, str], Numbers],
    *,
    x_label: str,
    **captions: Unpack[Captions],
) -> Chart:
    """Draw two distributions, the treated upwards and the comparison units downwards.

    Parameters
    ----------
    edges : sequence of float, length bins + 1
        Ends of the bins.
    shares : mapping of (when, arm) to sequence of float, length bins
        For when "before" and "after", and arm "treated" and "comparison"; a missing share is not
        drawn.
    x_label : str
        As in `bar_chart`.

    Returns
    -------
    Chart
        Its data: when, arm, low, high, share.
    """
    ends = np.asarray(edges, dtype=float)
    bars = {key: np.asarray(values, dtype=float) for key, values in shares.items()}
    _check_arms(bars, len(ends) - 1)
    data = pd.DataFrame(
        {"when": when, "arm": arm, "low": low, "high": high, "share": share}
        for (when, arm), values in bars.items()
        for low, high, share in zip(ends[:-1], ends[1:], values, strict=True)
    )
    with drawing(4.0, **captions) as (figure, axes):
        axes.remove()
        _apart(figure)
        top = 1.25 * max(float(np.nanmax(np.r_[values, 0.01])) for values in bars.values())
        for panel, when in zip(figure.subplots(1, 2, sharey=True), _WHEN, strict=True):
            for (arm, (colour, hatch)), side in zip(_ARMS.items(), (1, -1), strict=True):
                panel.bar(ends[:-1], side * np.nan_to_num(bars[when, arm]), np.diff(ends),
                         align="edge", color=colour, hatch=hatch, edgecolor="white",
                         linewidth=0.6)  # fmt: skip
                panel.annotate(arm.capitalize(), (0.985, 0.985 if side > 0 else 0.015),
                              xycoords="axes fraction", ha="right",
                              va="top" if side > 0 else "bottom", fontweight="bold",
                              color=DARK_BLUE if side > 0 else "#B5450C")  # fmt: skip
            panel.axhline(0, color=INK, linewidth=1.2)
            panel.set_ylim(-top, top)
            panel.set_title(f"{when.capitalize()}, share of the arm", loc="left")
            panel.grid(axis="y")
            panel.locator_params(axis="x", nbins=5)
            panel.locator_params(axis="y", nbins=7)
            number_axis(panel.xaxis, None)
            panel.yaxis.set_major_formatter(lambda value, _: f"{100 * abs(value):.3g}%")
        words = "\n".join(broken(x_label, WIDTH - 0.4))
        figure.supxlabel(words, x=0.1 / WIDTH, ha="left", fontsize=TEXT)
    return chart_of(figure, data, **captions)


def levels_chart(
    labels: Sequence[str],
    shares: Mapping[tuple[str, str], Numbers],
    **captions: Unpack[Captions],
) -> Chart:
    """Draw the share of each level of a category, by arm, before and after.

    Parameters
    ----------
    labels : sequence of str
        Levels, the first at the top.
    shares : mapping of (when, arm) to sequence of float
        As in `mirrored_chart`, one share a level; a missing one is written "hidden".

    Returns
    -------
    Chart
        Its data: when, arm, label, share.
    """
    bars = {key: np.asarray(values, dtype=float) for key, values in shares.items()}
    _check_arms(bars, len(labels))
    data = pd.DataFrame(
        {"when": when, "arm": arm, "label": str(label), "share": share}
        for (when, arm), values in bars.items()
        for label, share in zip(labels, values, strict=True)
    )
    rows = lay_rows(labels, 0.6, inches=1.3)
    with drawing(rows.space("Share of the arm", legend=1) + 0.25, **captions) as (figure, axes):
        axes.remove()
        _apart(figure)
        top = 1.5 * max(float(np.nanmax(np.r_[values, 0.01])) for values in bars.values())
        for panel, when in zip(figure.subplots(1, 2, sharey=True), _WHEN, strict=True):
            for (arm, (colour, hatch)), shift in zip(_ARMS.items(), (-0.12, 0.12), strict=True):
                values, places = bars[when, arm], rows.places + shift
                panel.barh(places, np.nan_to_num(values), height=0.21, color=colour,
                          hatch=hatch, edgecolor="white", linewidth=0.6,
                          label=arm.capitalize())  # fmt: skip
                for place, value in zip(places, values, strict=True):
                    text = "hidden" if np.isnan(value) else _percent(value)
                    panel.annotate(text, (np.nan_to_num(value), place), (5, 0), va="center",
                                  textcoords="offset points")  # fmt: skip
            name_rows(panel, rows)
            panel.set_xlim(0, top)
            panel.locator_params(axis="x", nbins=3)
            panel.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
            panel.set_title(when.capitalize(), loc="left")
        figure.axes[0].set_xlabel("Share of the arm", loc="left")
        _legend(figure, figure.axes[0], [0, 1])
    return chart_of(figure, data, **captions)


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
    figure.legend(*chosen, loc="outside lower left", ncols=2, columnspacing=1.4,
                  handletextpad=0.5)  # fmt: skip
