"""Love plot, overlap plot and distribution plot of a design; small numbers stay in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tfeval.display.balance_charts import levels_chart, love_chart, mirrored_chart
from tfeval.display.figures import Chart
from tfeval.display.tables import THRESHOLD, hidden_parts
from tfeval.errors import ParameterError, suggest
from tfeval.impact.balance.measures import Arms, compare_levels
from tfeval.impact.balance.rows import Compared, hidden_levels, in_sample, reference_column
from tfeval.impact.balance.tables import denominator_words
from tfeval.impact.study.covariates import Column

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
    frame: pd.DataFrame, thresholds: Mapping[str, float], method: str, denominator: str
) -> Chart:
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
    """
    sizes = frame[["smd_before", "smd_after"]].abs()
    sizes = sizes.mask(frame["hidden"])  # and last, for an order would tell too
    worst = sizes.max(axis=1).sort_values(ascending=False, kind="stable").index[:ROWS]
    sizes = sizes.loc[worst].sort_values("smd_before", ascending=False, kind="stable")
    shown = frame.loc[sizes.index]
    open_ = sizes.dropna()
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
    return love_chart(
        shown["covariate"].tolist(), sizes["smd_before"], sizes["smd_after"],
        title=f"Differences between the arms before and after{part}: {method}", alt=alt,
        good=good, limit=limit, missing="hidden: small numbers",
        x_label=_over(denominator),
    )  # fmt: skip


def overlap_plot(design: Compared) -> Chart:
    """Draw the propensity score by arm, before and after; bars of fewer than ten are left out.

    Raises
    ------
    ParameterError
        If the design has no propensity score.
    """
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
    design : Design
    covariate : str
        Column of the frame that the study was made from, or a level as named in the balance.

    Raises
    ------
    ParameterError
        If the study has no such covariate.
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
    held = column.held
    values = np.isnan(held) if column.absent else held
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
        title=f"Distribution of {name} by arm, before and after: {design.title}",
    )  # fmt: skip


def _category_plot(design: Compared, column: Column) -> Chart:
    covariates = design.study.covariates
    own = [each for each in covariates.columns if each.source == column.source]
    levels = [reference_column(covariates, column.source), *own]
    names = [each.name.removeprefix(f"{column.source}: ") for each in levels]
    codes = [int(each.level or 0) for each in levels]
    return _levels_plot(design, column.held, names, column.source, codes)


def _levels_plot(
    design: Compared, values: np.ndarray, names: Sequence[str], name: str,
    codes: Sequence[int] = (0, 1),
) -> Chart:  # fmt: skip
    arms = Arms(design.study.treated, design.study.sampling, design.weights)
    found = compare_levels(values, codes, arms)
    hidden = hidden_levels(found)
    common = np.argsort([-sum(each.have[:2]) for each in found], kind="stable")[:LEVELS]
    top = sorted(common.tolist())
    exact, shown = {}, {}
    for key in KEYS:
        side, place = f"mean_{key[1]}", int(key[0] == "after")
        exact[key] = np.array([getattr(each, side)[place] for each in found])
        shown[key] = np.where(hidden, np.nan, np.round(exact[key], 3))[top]
    part = "" if len(top) == len(found) else f" ({len(top)} of {len(found)} levels)"
    return levels_chart(
        [names[row] for row in top], shown, alt=_overlap_words(name, exact),
        title=f"Distribution of {name} by arm, before and after{part}: {design.title}",
    )  # fmt: skip


def _shares(codes: np.ndarray, size: int, arms: Arms) -> tuple[Shares, Shares]:
    # Exact shares, and which of them may not be shown.
    parts = arms.divide(codes) * 2
    weights = [held for pair in arms.weights for held in pair]
    shares, hidden = {}, {}
    for key, part, held, here in zip(KEYS, parts, weights, arms.present, strict=True):
        shares[key] = np.bincount(part, weights=held, minlength=size)
        hidden[key] = hidden_parts(np.bincount(part[here], minlength=size)[:, None])
    return shares, hidden


def _overlap_words(name: str, shares: Shares) -> str:
    # What both arms have in common: the sum of the smaller share in each bar.
    common = []
    for when in ("before", "after"):
        both = np.minimum(shares[when, "treated"], shares[when, "comparison"])
        common.append(f"{float(both.sum()):.0%} {when}")
    return (
        f"Bars of {name}, treated against comparison units, before and after the design. In these "
        f"bars the two arms have {common[0]} and {common[1]} in common."
    )
