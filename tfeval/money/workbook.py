"""An appraisal as an accessible spreadsheet: every pound, its price and its source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import NOT_VALUED
from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError, ReportError
from tfeval.impact.effects.words import made_words
from tfeval.money.appraisal_display import heading, notes_of
from tfeval.money.appraisal_settings import RANGES

#: An `Appraisal` and an `Uncertainty`, whose files import this one.
Appraised = Any
_NONE = "[z]"
_POUNDS = {"num_format": "#,##0.00"}
_MONEY = ("value", "amount", "low", "high", "unit cost", "undiscounted", "present value",
          "benefits", "costs", "net", "expected")  # fmt: skip
_READ = (
    "Multiply along a row of Lines: effect x families x profile x scale gives the quantity; less "
    "the quantity x unit cost x factor gives the undiscounted pounds; x discount factor, the "
    "present value."
)


def write_workbook(
    appraised: Appraised,
    path: str | Path,
    drawn: Appraised | None = None,
    more: Mapping[str, tuple[pd.DataFrame, str]] | None = None,
) -> Path:
    """Write an appraisal as a workbook that screen readers can read.

    Parameters
    ----------
    appraised : Appraisal
    path : str or Path
        Ends in .xlsx; its folder exists.
    drawn : Uncertainty, optional
        Adds the intervals.
    more : mapping of str to (DataFrame, str), optional
        Further sheets by name: a table, and what it holds.

    Returns
    -------
    Path

    Raises
    ------
    ReportError
        If the path is not one of a workbook, or its folder is missing.
    DataError
        If it tells of fewer than ten families.

    Notes
    -----
    Made with gptables, after the Government Analysis Function's guidance on spreadsheets: one
    table a sheet, a cover, contents and notes, no merged and no empty cells.
    """
    import gptables  # noqa: PLC0415

    target = Path(path)
    if target.suffix != ".xlsx" or not target.parent.is_dir():
        raise ReportError(f"{target.name}: a workbook is an .xlsx file in a folder that exists.")
    if appraised.settings.total_families < THRESHOLD:
        raise DataError(f"A workbook of fewer than {THRESHOLD} families would tell of them.")
    title = heading(appraised, f"Value for money, {appraised.settings.perspective} account")
    notes = notes_of(appraised)
    marks = "".join(f"$$note{at}$$" for at in range(1, len(notes) + 1))
    sheets = {
        label: _sheet(gptables, label, frame, text + (marks if label == "Summary" else ""))
        for label, (frame, text) in {**_tables(appraised, drawn), **(more or {})}.items()
        if len(frame)
    }
    book = gptables.produce_workbook(
        target.as_posix(), sheets,
        cover=gptables.Cover(title=title, intro=["How to trace a pound", _READ],
                             about=["About this appraisal", *notes]),
        notes_table=pd.DataFrame(
            {"Note reference": [f"note{at}" for at in range(1, len(notes) + 1)],
             "Note text": notes}
        ),
        workbook_options={"nan_inf_to_errors": True},
    )  # fmt: skip
    # The same appraisal gives the same file: no time of writing in it.
    book.set_properties({"title": title, "author": "tfeval", "created": dt.datetime(2000, 1, 1)})
    book.close()
    return target


def _sheet(gptables: Any, label: str, frame: pd.DataFrame, text: str) -> Any:
    frame = frame.reset_index(drop=True)
    frame.columns = [_words(name) for name in frame.columns]
    money = [name for name in frame.columns if name.lower() in _MONEY]
    shown = frame.apply(lambda column: column.map(_cell))
    styled = [{"column": {"columns": money, "format": _POUNDS, "include_names": False}}]
    return gptables.GPTable(
        table=shown, table_name=label.lower().replace(" ", "_").replace("-", "_"), title=text,
        instructions="This worksheet contains one table.", index_columns={2: 0},
        legend=[f"{_NONE} not applicable"], additional_formatting=styled if money else [],
        source="Made from effects and published unit costs; see the sheets Unit costs and Costs.",
    )  # fmt: skip


def _words(name: Any) -> str:
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return _NONE if np.isnan(value) else "no end"
    if isinstance(value, str) and value == "£":
        return "pounds"  # a sign alone is nothing that a screen reader reads
    return _NONE if value is None or value == "" else value


def _tables(appraised: Appraised, drawn: Appraised | None) -> dict[str, tuple[pd.DataFrame, str]]:
    prices = appraised.found.costs
    described = ["outcome", "component", "code", "amount", "low", "high", "per", "payer", "party",
                 "transfer", "cashable", "own", "overlaps", "priced", "grade", "value",
                 "original_price_year", "conversion", "range_basis", "definition", "note",
                 "source_title", "publisher", "date", "url", "status"]  # fmt: skip
    effects = appraised.effects.to_frame()
    effects["method"] = made_words(effects)["method"]
    told = ["outcome", "population", "months", "estimand", "method", "estimate", "std_error",
            "conf_low", "conf_high", "mean_comparison"]  # fmt: skip
    held = {
        "Summary": (appraised.summary(), "Measures of value for money"),
        "Lines": (appraised.lines, "Every pound counted, line by line"),
        "Years and payers": (appraised.by("year", "payer"), "Benefits and costs by year and payer"),
        "Effects": (effects[told], "Effects for one family, and their errors"),
        "Additional": (appraised.additional(), "Additional outcomes over the window measured"),
        "Break-even": (appraised.break_even(), "The effect at which benefits reach the costs"),
        "Unit costs": (prices[described], "Unit costs in the appraisal's prices, with sources"),
        "Costs": (appraised.spent, "The programme's costs in the appraisal's prices, with sources"),
        "Not valued": (
            appraised.not_monetised().replace({"kind": NOT_VALUED}),
            "What is not in the account, and why",
        ),
        "Parameters": (_parameters(appraised), "What was asked for, and the ranges allowed"),
    }
    if drawn is not None:
        rows = drawn.to_frame().rename(columns={"estimate": "expected"})
        share = f"{drawn.level:.0%} intervals from {drawn.settings['draws']:,} joint draws"
        held["Uncertainty"] = (rows, share)
    return held


def _parameters(appraised: Appraised) -> pd.DataFrame:
    rows = []
    for item in fields(appraised.settings):
        value = getattr(appraised.settings, item.name)
        low, high, unit = RANGES.get(item.name, ("", "", ""))
        allowed = f"{low} to {high:,} {unit}".strip() if item.name in RANGES else ""
        rows.append((item.name, _written(value), allowed))
    return pd.DataFrame(rows, columns=["parameter", "value_asked", "range"])


def _written(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, dict):
        parts = [f"{key or 'all others'}: {_written(item)}" for key, item in value.items()]
        return "; ".join(parts) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"{value:,g}" if isinstance(value, float) else str(value)
