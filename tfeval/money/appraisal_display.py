"""An appraisal for readers: tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.charts import (
    LINES,
    Numbers,
    chart_frame,
    minus,
    name_line_ends,
    name_rows,
    number_axis,
    waterfall_chart,
)
from tfeval.display.figures import DARK_BLUE, DARK_PINK, INK, ORANGE, PALETTE, Chart, drawing
from tfeval.display.names import SIMULATED
from tfeval.display.sources import citations
from tfeval.display.tables import Table, table
from tfeval.display.words import Format, amount, chance, financial_year, marked, written
from tfeval.errors import ParameterError, ReportError, suggest
from tfeval.impact.effects.words import label_of

# What an appraisal says in them.

#: An `Appraisal` or an `Uncertainty`, whose files import this one.
Appraised = Any
PLOTS = ("waterfall", "payers", "tornado")
_NAMES = {
    "npv": "Net present value",
    "benefits": "Benefits",
    "costs": "Costs",
    "benefit_cost_ratio": "Benefit for each £1 of cost",
}
#: The measures that a page records, by the record's name.
_FACTS = {
    "families reached": "families", "benefits": "benefits", "costs": "costs",
    "net present value": "npv", "benefit-cost ratio": "benefit_cost_ratio",
    "fiscal return": "fiscal_return", "cost per family": "cost_per_family",
    "cost per claimed result": "cost_per_claimed",
}  # fmt: skip


def _fact(key: str, words: str) -> str:
    return marked(key, words) if key else words


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as they stand in a sentence, the first of many.

    Examples
    --------
    >>> listed(["Bury", "Leeds", "Hull"], most=2)
    'Bury, Leeds and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def heading(appraised: Appraised, text: str) -> str:
    """Return a heading that says where records are simulated."""
    return f"Simulated records: {text}" if appraised.simulated else text


def notes_of(appraised: Appraised) -> list[str]:
    """Return an appraisal's notes, first whether records are simulated."""
    return [f"{SIMULATED}."] * appraised.simulated + list(appraised.notes)


def labels_of(appraised: Appraised) -> dict[str, str]:
    """Return the words for each effect."""
    words = appraised.effects.settings.get("labels", {})
    return {name: label_of(name, words) for name in appraised.effects.frame["outcome"]}


def summary_table(appraised: Appraised) -> Table:
    """Return every measure of value for money as a table for readers."""
    rows = appraised.summary()
    rows = rows[rows["value"].notna() | (rows["unit"] == "year")]
    shown = pd.DataFrame(
        {
            "Measure": rows["measure"].str.capitalize(),
            "Value": [
                _fact(_FACTS.get(row["measure"], ""), amount(row["value"], row["unit"]))
                for row in rows.to_dict("records")
            ],
            "Unit": rows["unit"],
        }
    )
    kind = appraised.settings.perspective
    caption = heading(appraised, f"Value for money, {kind} account")
    return table(shown, caption, notes=notes_of(appraised))


def uncertainty_table(drawn: Appraised) -> Table:
    """Return draws' intervals as a table for readers."""
    rows = []
    for row in drawn.to_frame().to_dict("records"):
        unit = "£ for each £1" if row["measure"] == "benefit_cost_ratio" else "£"
        name = row["measure"]
        low, high = (_fact(f"{name}.{end}", amount(row[end], unit)) for end in ("low", "high"))
        estimate = _fact(name, amount(row["estimate"], unit))
        rows.append((_NAMES[name], estimate, amount(row["mean"], unit), f"{low} to {high}"))
    columns = ["Measure", "At the estimates", "Mean of the draws", f"{drawn.level:.0%} interval"]
    notes = [
        f"{drawn.settings['draws']:,} joint draws; effects normal with their covariance, unit "
        "costs and persistence triangular within their ranges, unit costs of one grade "
        f"correlated by {drawn.settings['correlation']:.1f} (assumed).",
        f"Probability that it pays for itself: "
        f"{_fact('probability', chance(drawn.probability()))}.",
    ]
    if drawn.simulated:
        notes.insert(0, f"{SIMULATED}.")
    caption = heading(drawn, "Value for money with its uncertainty")
    return table(pd.DataFrame(rows, columns=columns), caption, notes=notes)


def plot(appraised: Appraised, kind: str) -> Chart:
    """Draw an appraisal; see `Appraisal.plot`."""
    if kind not in PLOTS:
        raise ParameterError(f"There is no plot {kind}. {suggest(kind, PLOTS)}")
    return {"waterfall": _waterfall, "payers": _payers, "tornado": _tornado}[kind](appraised)


def _waterfall(appraised: Appraised) -> Chart:
    benefit = appraised.by("payer").set_index("payer")["benefits"]
    benefit = benefit[benefit != 0].sort_values(ascending=False)
    spent = appraised.by("kind", "line")
    spent = spent[spent["kind"] == "cost"].set_index("line")["costs"].sort_values(ascending=False)
    labels = [*(f"Benefits: {name}" for name in benefit.index), *spent.index]
    alt = (
        f"Waterfall of benefits of {amount(appraised.benefits)}, by payer, less costs of "
        f"{amount(appraised.costs)}, by line: a net present value of {amount(appraised.npv)}."
    )
    title = heading(appraised, "From benefits to net present value")
    return waterfall_chart(
        labels, [*(benefit / 1e6), *(-spent / 1e6)], title=title, alt=alt,
        total_label="Net present value", x_label="£m, present value",
    )  # fmt: skip


def _payers(appraised: Appraised) -> Chart:
    rows = appraised.by("year", "payer")
    rows = rows.pivot_table("benefits", "year", "payer", aggfunc="sum", fill_value=0.0) / 1e6
    rows = rows.loc[(rows != 0).any(axis=1), (rows != 0).any(axis=0)]
    rows.index = pd.Index([financial_year(year) for year in rows.index], name="year")
    most = rows.sum().idxmax()
    alt = (
        f"Stacked bars of benefits by payer in {len(rows)} financial years, "
        f"{amount(appraised.benefits)} in all; most falls to {most}, "
        f"{amount(float(rows[most].sum()) * 1e6)}."
    )
    title = heading(appraised, "Benefits by payer and year")
    return stacked_chart(rows, title=title, alt=alt, y_label="£m, present value")


def _tornado(appraised: Appraised, most: int = 12) -> Chart:
    rows = appraised.one_way().head(most)
    words = labels_of(appraised)
    names = [_worded(name, words) for name in rows["parameter"]]
    alt = (
        f"Tornado chart of the {len(rows)} parameters that move the net present value of "
        f"{amount(appraised.npv)} most: {names[0]} moves it by {amount(rows['swing'].iloc[0])}."
    )
    return tornado_chart(
        names, rows["at_low"] / 1e6, rows["at_high"] / 1e6, centre=appraised.npv / 1e6,
        title=heading(appraised, "What moves the net present value"), alt=alt,
        x_label="Net present value, £m", value_format="{:,.1f}",
    )  # fmt: skip


def _worded(parameter: str, words: dict[str, str]) -> str:
    kind, colon, rest = parameter.partition(": ")
    name, bracket, grade = rest.partition(" (")
    return f"{kind}{colon}{words.get(name, name)}{bracket and ' ('}{grade}"


def acceptability_plot(drawn: Appraised, outcome: str | None, most: float | None) -> Chart:
    """Draw the acceptability curve; see `Uncertainty.plot`."""
    if outcome is None:
        at = np.linspace(0, most or 3.0, 121)
        what, mark, words = "Benefit asked for each £1 of cost", 1.0, "pays for itself"
    else:
        at = np.linspace(0, most or 50_000.0, 121)
        what, mark, words = f"Worth of one unit of {outcome}", None, ""
    found = drawn.acceptability(at, outcome)["probability"]
    half = np.flatnonzero(np.diff(np.sign(found - 0.5)) != 0)
    turn = f"it crosses one half at £{at[half[0]]:,.2f}" if len(half) else "it never crosses a half"
    alt = (
        f"Curve of the probability that the programme is worth it, from {found.iloc[0]:.0%} at £0 "
        f"to {found.iloc[-1]:.0%} at £{at[-1]:,.2f}; {turn}."
    )
    return acceptability_chart(
        at, {"Worth it": found}, title=heading(drawn, "How likely is it to be worth it?"), alt=alt,
        x_label=what, reference=mark, reference_label=words,
        value_format="£{:,.1f}" if outcome is None else "£{:,.0f}",
    )  # fmt: skip


# The charts themselves: plain arrays in, a `Chart` out.

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
