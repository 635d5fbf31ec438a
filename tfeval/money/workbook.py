"""An appraisal as an accessible spreadsheet that calculates: turn a cell, and the value moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.names import NOT_VALUED
from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError, ReportError
from tfeval.money.appraisal_display import heading, labels_of, notes_of
from tfeval.money.workbook_formulas import HEADINGS, NONE, Appraised, Column, Sheet, said
from tfeval.money.workbook_results import live_sheets

#: How each kind of column is written, and how wide it is, in characters.
KINDS = {
    "text": ("", 24), "long": ("", 44), "link": ("", 44), "any": ("General", 14),
    "pounds": ("#,##0.00", 20), "count": ("#,##0", 14), "number": ("0.0000", 14),
    "share": ("0.0%", 12), "rate": ("0.00%", 12), "year": ("0", 12),
}  # fmt: skip
_FILL = "#FFF4CC"
#: Text that begins with =, +, - or @ is text, whoever wrote it; an address is a link where it is
#: meant as one.
_OPTIONS = {"nan_inf_to_errors": True, "strings_to_formulas": False, "strings_to_urls": False}
_LINKS = ("http://", "https://", "internal:")
_HEADINGS = {
    "npv": "Net present value", "npv per family": "Net present value a family",
    "benefit cost ratio": "Benefit for each pound of cost", "of": "Of how many",
    "conf low": "Interval from", "conf high": "Interval to", "low": "From", "high": "To",
    "rank low": "Rank from", "rank high": "Rank to", "name": "Authority",
    "value": "Worth, pounds", "evaluations": "National evaluations of that cost",
    "what": "What is not valued", "kind": "Why, in short", "estimate": "Effect estimated",
    "break even": "Effect that breaks even", "relative": "Over the comparison's mean",
    "given others": "Effect that breaks even, the others as estimated",
    "possible": "Is there so much to reduce", "known": "What would be known",
}  # fmt: skip
_POUNDS = {"npv", "npv_per_family", "value", "benefits", "costs", "net"}
_AS_RUN = "As run: this sheet holds values, which do not follow what is turned."


def write_workbook(
    appraised: Appraised,
    path: str | Path,
    drawn: Appraised | None = None,
    more: Mapping[str, tuple[pd.DataFrame, str]] | None = None,
) -> Path:
    """Write an appraisal as a workbook that calculates, and that screen readers can read.

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
    table a sheet, a cover, contents and notes, no merged and no empty cells. Every number that
    follows from others is a formula, with its value beside it for programs that do not calculate.
    """
    target = Path(path)
    if target.suffix != ".xlsx" or not target.parent.is_dir():
        raise ReportError(f"{target.name}: a workbook is an .xlsx file in a folder that exists.")
    if appraised.settings.total_families < THRESHOLD:
        raise DataError(f"A workbook of fewer than {THRESHOLD} families would tell of them.")
    sheets = live_sheets(appraised)
    sheets += [_of_values(name, frame, text, labels_of(appraised))
               for name, (frame, text) in {**_described(appraised, drawn), **(more or {})}.items()
               if len(frame)]  # fmt: skip
    _write(target, sheets, heading(appraised, "Value for money"), notes_of(appraised))
    return target


# The file.


def _write(target: Path, sheets: list[Sheet], title: str, notes: list[str]) -> None:
    import gptables  # noqa: PLC0415

    marks = "".join(f"$$note{at}$$" for at in range(1, len(notes) + 1))
    intro = [
        "How to trace a pound: each row of Lines is effect x units x families and years x unit "
        "cost, of one payer; Summary adds the rows up, and every step is a formula.",
        "How to ask what if: turn a cell with a pale fill, as the first lines of its sheet say, "
        "and Summary follows. Sheets that hold values as run say so.",
        "What does not follow: which of two measures of the same pounds is counted, and what is "
        "marked fixed in Assumptions. For these run the appraisal again.",
    ]
    book = gptables.produce_workbook(
        target.as_posix(),
        {sheet.name: _gptable(gptables, sheet, marks * (at == 0))
         for at, sheet in enumerate(sheets)},
        cover=gptables.Cover(title=title, intro=intro, about=notes, width=110),
        notes_table=pd.DataFrame(
            {"Note reference": [f"note{at}" for at in range(1, len(notes) + 1)],
             "Note text": notes}
        ),
        auto_width=False, workbook_options=_OPTIONS,
    )  # fmt: skip
    for sheet in sheets:
        _finish(book, book.get_worksheet_by_name(sheet.name), sheet)
    for name, widths in (("Contents", (24, 90)), ("Notes", (14, 110))):
        for at, width in enumerate(widths):
            book.get_worksheet_by_name(name).set_column(at, at, width)
    # The same appraisal gives the same file: no time of writing in it.
    book.set_properties({"title": title, "author": "tfeval", "created": dt.datetime(2000, 1, 1)})
    book.close()


def _gptable(gptables: Any, sheet: Sheet, marks: str) -> Any:
    frame = pd.DataFrame(
        {column.heading: [_cell(value) for value in column.cells] for column in sheet.columns},
        dtype=object,
    )
    styles = [{"column": {"columns": list(range(len(sheet.columns))), "include_names": True,
                          "format": {"text_wrap": True, "valign": "top"}}}]  # fmt: skip
    for at, column in enumerate(sheet.columns):
        if form := KINDS[column.kind][0]:
            styles.append({"column": {"columns": [at], "include_names": False,
                                      "format": {"num_format": form}}})  # fmt: skip
        turn = [column.turn] * len(sheet) if isinstance(column.turn, bool) else column.turn
        # Rows count from 1: the headings are row 0.
        styles += [{"cell": {"cells": (row, at), "format": {"bg_color": _FILL}}}
                   for row, one in enumerate(turn, 1) if one]  # fmt: skip
    return gptables.GPTable(
        table=frame, table_name=sheet.name.lower().replace(" ", "_").replace("-", "_"),
        title=sheet.title + marks, index_columns={2: 0}, instructions=sheet.about,
        legend=[f"{NONE} not applicable"], table_row_index=HEADINGS,
        additional_formatting=styles,
    )  # fmt: skip


def _finish(book: Any, made: Any, sheet: Sheet) -> None:
    """Put formulas over their values, in the same format; set widths, and freeze the headings."""
    for row, at, text in sheet.formulas():
        place = HEADINGS + 1 + row, at
        value = _cell(sheet.columns[at].cells[row])
        made.write_formula(*place, text, made.table[place[0]][place[1]].format, value)
    for at, column in enumerate(sheet.columns):
        made.set_column(at, at, KINDS[column.kind][1])
    made.freeze_panes(HEADINGS + 1, 1)


def _cell(value: Any) -> Any:
    if isinstance(value, tuple):
        words, address = value
        linked = str(address).startswith(_LINKS)
        return {str(words or address): address} if linked else (words or NONE)
    if isinstance(value, float) and not np.isfinite(value):
        return NONE if np.isnan(value) else "no end"
    if isinstance(value, np.generic):
        return _cell(value.item())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value == "£":
        return "pounds"  # a sign alone is nothing that a screen reader reads
    return NONE if value is None or value == "" else value


# Sheets of values, as they were run.


def _of_values(name: str, frame: pd.DataFrame, text: str, words: dict[str, str]) -> Sheet:
    columns = []
    for key in map(str, frame.columns):
        cells = frame[key].tolist()
        if key in ("outcome", "instead", "what"):
            cells = [_named(value, words) for value in cells]
        plain = key.replace("_", " ")
        columns.append(Column(key, _HEADINGS.get(plain, said(plain)), cells, _kind(key, cells)))
    return Sheet(name, text, _AS_RUN, tuple(columns))


def _named(value: Any, words: dict[str, str]) -> Any:
    """Return an outcome in words, alone or before a colon."""
    name, colon, rest = str(value).partition(": ")
    return f"{words[name]}{colon}{rest}" if name in words else value


def _kind(key: str, cells: list[Any]) -> str:
    numbers = [one for one in cells if isinstance(one, int | float) and not isinstance(one, bool)]
    if numbers:
        large = any(np.isfinite(one) and abs(one) >= 1000 for one in numbers)
        return "pounds" if key in _POUNDS or large else "any"
    return "long" if any(len(str(one)) > 30 for one in cells) else "text"


def _described(
    appraised: Appraised, drawn: Appraised | None
) -> dict[str, tuple[pd.DataFrame, str]]:
    sheets = {
        "Break-even": (appraised.break_even(), "The effect at which benefits reach the costs"),
        "Not valued": (
            appraised.not_monetised().replace({"kind": NOT_VALUED}),
            "What is not in the account, and why",
        ),
    }
    if drawn is not None:
        share = f"{drawn.level:.0%} intervals from {drawn.settings['draws']:,} joint draws"
        sheets["Uncertainty"] = (_intervals(drawn), share)
    return sheets


def _intervals(drawn: Appraised) -> pd.DataFrame:
    """Return both accounts with their intervals; of benefits and costs, the page's account."""
    rows, own = [], drawn.to_frame().set_index("measure")
    for one in drawn.accounts().to_dict("records"):
        for name in ("npv", "ratio"):
            rows.append(
                (
                    one["account"],
                    _HEADINGS.get(name, _HEADINGS["benefit cost ratio"]),
                    one[name],
                    one[f"{name}_low"],
                    one[f"{name}_high"],
                )
            )
        rows.append(
            (
                one["account"],
                "Probability that benefits are at least the costs",
                one["probability"],
                float("nan"),
                float("nan"),
            )
        )
    rows += [(drawn.model.account, said(name), *own.loc[name, ["estimate", "low", "high"]])
             for name in ("benefits", "costs")]  # fmt: skip
    return pd.DataFrame(rows, columns=["account", "measure", "expected", "low", "high"])
