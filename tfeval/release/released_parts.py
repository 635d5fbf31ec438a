"""What stands in a chapter's cells when it is made from released numbers, by the call in the cell.

Each part is a function of the released numbers and the cell's text. Numbers of the records enter
by `Numbers` alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.columns import covariate_label
from tfeval.display import release_words as words
from tfeval.display.charts import bar_chart
from tfeval.display.figures import Chart
from tfeval.display.names import VERDICTS
from tfeval.display.tables import Table, table
from tfeval.display.words import simulated_mark
from tfeval.errors import DataError
from tfeval.impact.balance.charts import love_plot
from tfeval.impact.balance.tables import NOT_BALANCED, PARTLY, THRESHOLDS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.plan.analysis_plan import read_plan
from tfeval.programme.outcomes import outcome_label
from tfeval.release.results import results_of_cells
from tfeval.release.values import (
    Numbers,
    areas_of,
    balance_of,
    differences_of,
    effects_of,
    verdict_of,
)
from tfeval.report.chapters import additional
from tfeval.report.chapters.areas import areas_chart, effects_table
from tfeval.report.chapters.impact import told_apart
from tfeval.report.notebook_parts import Box, answer

_GROUPS = ("treated", "comparison")


def _answer(method: str, headline: Callable[[Numbers], str]) -> Callable[[Numbers, str], Box]:
    def make(numbers: Numbers, text: str) -> Box:
        label = simulated_mark(numbers.simulated)
        return answer(question=_question(text), data=words.FROM_CELLS, method=method,
                      headline=label + headline(numbers))  # fmt: skip

    return make


def _question(text: str) -> str:
    """Return the question that a cell's answer box asks: a text of the notebook's own."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg == "question":
            return str(ast.literal_eval(node.value))
    raise DataError("The cell asks no question.")


def _nothing(_: Numbers, __: str) -> None:
    return None


def _count(value: float) -> str:
    return words.HIDDEN if np.isnan(value) else f"{value:,.0f}"


def _counts_line(numbers: Numbers, number: str) -> str:
    on, beside = (_count(numbers.value(number, arm)) for arm in _GROUPS)
    return f"{on} families on the programme beside {beside} comparison families"


def _table(rows: list[tuple[Any, ...]], columns: list[str], caption: str, notes: str) -> Table:
    if not rows:
        raise DataError("Nothing of it is released.")
    return table(pd.DataFrame(rows, columns=columns), caption=caption,
                 notes=[words.ROUNDED, *([notes] if notes else [])])  # fmt: skip


# Chapter 2.


def _families_headline(numbers: Numbers) -> str:
    return f"{_counts_line(numbers, 'families')}, followed for {numbers.horizon} months."


def _attached(numbers: Numbers, _: str) -> Chart:
    own = numbers.of("count")
    own = own[own["number"].str.startswith("attached:")].sort_values("number")
    if own.empty:
        raise DataError("No year is shown.")
    years, counts = own["number"].str.split(":").str[1].tolist(), own["value"].tolist()
    listed = "; ".join(f"{year} {count:,.0f}" for year, count in zip(years, counts, strict=True))
    most = years[int(np.argmax(counts))]
    label = simulated_mark(numbers.simulated)
    return bar_chart(years, counts, title=f"{label}{most} saw the most families attached",
                     subtitle="Families on the programme followed, by year of their index date",
                     alt=f"Bar chart of families by year: {listed}.",
                     x_label="Families, to the nearest ten")  # fmt: skip


def _flow(numbers: Numbers, _: str) -> Table:
    steps = {"families": f"Followed for {numbers.horizon} months", "compared": "Compared"}
    rows = [(said, *(_count(numbers.value(number, arm)) for arm in _GROUPS))
            for number, said in steps.items()]  # fmt: skip
    return _table(rows, ["Step", "On the programme", "Comparison"], "Families left",
                  "Of the steps before, no number is released.")  # fmt: skip


def _base_rates(numbers: Numbers, _: str) -> Table:
    names = [str(one).split(":")[2] for one in numbers.frame["number"]
             if str(one).startswith("known:before:")]  # fmt: skip
    rows = []
    for name in dict.fromkeys(names):
        line = [outcome_label(name, unit=True)]
        for when in ("before", "after"):
            for arm in _GROUPS:
                line += [_number(numbers.value(f"mean:{when}:{name}", arm))]
        rows.append(tuple(line))
    columns = ["Outcome", *(f"{who}, {numbers.horizon if when == 'after' else 12} months {when}"
               for when in ("before", "after")
               for who in ("On the programme", "Comparison"))]  # fmt: skip
    return _table(rows, columns, "Base rates by group: means of families followed",
                  "Not an effect: the groups differ before the index date.")  # fmt: skip


def _number(value: float) -> str:
    return words.HIDDEN if np.isnan(value) else f"{value:.4g}"


def _results(numbers: Numbers, _: str) -> Table:
    own = numbers.of("share")
    names = own.loc[own["number"].str.startswith("share:result:"), "outcome"]
    rows = [(words.RESULTS.get(name, name),
             *(_number(numbers.value(f"share:result:{name}", arm)) for arm in _GROUPS))
            for name in dict.fromkeys(map(str, names))]  # fmt: skip
    return _table(rows, ["Share of families that can be judged", "On the programme", "Comparison"],
                  "Who would have met the programme's results tests",
                  "The difference is not yet an effect: the groups differ before.")  # fmt: skip


# Chapters 3 and 4.


def _balance_frame(numbers: Numbers) -> pd.DataFrame:
    balance = balance_of(numbers)
    return pd.DataFrame({
        "covariate": [covariate_label(str(one)) for one in balance["outcome"]],
        "smd_before": balance["before"], "smd_after": balance["after"],
        "hidden": balance[["before", "after"]].isna().any(axis=1),
    })  # fmt: skip


def _balance_headline(numbers: Numbers) -> str:
    largest = differences_of(numbers).max()
    if np.isnan(largest):
        raise DataError("No difference is released finely enough to judge by.")
    return (
        f"{_counts_line(numbers, 'compared')}; by the differences released the groups are "
        f"{VERDICTS[verdict_of(numbers)]}, the largest {largest:.2g} standard deviations."
    )


def _love(numbers: Numbers, _: str) -> Chart:
    return love_plot(
        _balance_frame(numbers), THRESHOLDS, words.RELEASED, "treated", numbers.simulated
    )


def _balance(numbers: Numbers, _: str) -> Table:
    rows = [(row["covariate"], _number(row["smd_before"]), _number(row["smd_after"]))
            for row in _balance_frame(numbers).to_dict("records")]  # fmt: skip
    return _table(rows, ["Covariate", "Before", "After"],
                  "Differences in means over the standard deviation",
                  "Variance ratios, and distances between distributions, stay inside.")  # fmt: skip


def _kept(numbers: Numbers, _: str) -> Table:
    rows = [(who, _count(numbers.value("compared", arm)))
            for arm, who in words.ARMS.items() if arm in _GROUPS]  # fmt: skip
    return _table(rows, ["Group", "Families compared"], "Who is kept", "")


def _effects(numbers: Numbers, _: str = "") -> Effects:
    return effects_of(numbers)


def effects_headline(numbers: Numbers) -> str:
    """Say which released primary effects can be told from none, if the groups are alike.

    Parameters
    ----------
    numbers : Numbers
        With effects.
    """
    alike, balance = "", balance_of(numbers)
    if not balance.empty and verdict_of(numbers) == NOT_BALANCED:
        return (
            "by the differences released the groups are NOT ALIKE before the programme, so none of "
            "the outcomes can be read as its effect."
        )
    if not balance.empty and verdict_of(numbers) == PARTLY:
        alike = "the groups are only partly alike; "
    plan, effects = read_plan(), _effects(numbers).to_frame()
    primary = effects[[plan.role(str(name)) == "primary" for name in effects["outcome"]]]
    known, _ = told_apart(primary, plan)
    clear = known[known["p_adjusted"] < 0.05]
    of = f"{alike}of {len(known)} primary outcomes released at {numbers.horizon} months"
    if clear.empty:
        return f"{of}, none can be told from no effect; intervals say how large one could be."
    changes = "; ".join(f"{outcome_label(str(row['outcome'])).lower()} {row['relative']:+.0%} "
                     f"({row['relative_low']:+.0%} to {row['relative_high']:+.0%})"
                     for row in clear.to_dict("records"))  # fmt: skip
    return f"{of}, {len(clear)} can be told from no effect after correction: {changes}."


def _forest(numbers: Numbers, _: str) -> Chart:
    return _effects(numbers).plot("relative")


def _areas(numbers: Numbers, _: str) -> Chart | Table:
    return areas_chart(areas_of(numbers), "out_of_work")


def _areas_counted(numbers: Numbers, _: str) -> Table:
    return effects_table(areas_of(numbers))


# Chapters 6 and 8.


def _results_banner(numbers: Numbers, _: str) -> Box | None:
    return additional.banner(results_of_cells(numbers))


def _no_workbook(_: Numbers, __: str) -> Box:
    return Box("note", (("", words.NO_WORKBOOK),))


Part = Callable[[Numbers, str], Any]
PARTS: Mapping[str, Mapping[str, Part]] = {
    "02_families_and_data": {
        "families.banner(": _nothing,
        "tf.answer(": _answer(words.METHOD, _families_headline),
        "families.attached_chart(": _attached,
        "families.flow_table(": _flow,
        "families.base_rates_table(": _base_rates,
        "families.results_table(": _results,
    },
    "03_comparison_group": {
        "comparison.banner(": _nothing,
        "tf.answer(": _answer(words.METHOD, _balance_headline),
        "compared.left_out(": _kept,
        "balance.plot(": _love,
        "balance": _balance,
    },
    "04_impact": {
        "comparison.banner(": _nothing,
        "tf.answer(": _answer(words.METHOD, effects_headline),
        "balance.plot(": _love,
        "effects": _effects,
        "impact.forest(": _forest,
        "areas.areas_chart(": _areas,
        "areas.effects_table(": _areas_counted,
    },
    "06_claims_against_impact": {
        "tf.chapters.additional.results_met(": _results_banner,
    },
    "07_value_for_money": {"tf.chapters.value.workbook(": _no_workbook},
    "08_annex": {"tf.chapters.summary.workbook_link(": _no_workbook},
}
#: Names that a chapter makes of records, and what makes them of released numbers.
BOUND: Mapping[str, Mapping[str, Callable[[Numbers], Any]]] = {
    "06_claims_against_impact": {"found": results_of_cells},
}
