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
_HEADINGS = {
    "npv": "Net present value", "npv per family": "Net present value a family",
    "benefit cost ratio": "Benefit for each pound of cost", "of": "Of how many",
    "conf low": "Interval from", "conf high": "Interval to", "low": "From", "high": "To",
    "rank low": "Rank from", "rank high": "Rank to", "name": "Authority",
    "value": "Worth, pounds", "evaluations": "Evaluations that it would pay for",
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
               for name, (frame, text) in {**_told(appraised, drawn), **(more or {})}.items()
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
        auto_width=False, workbook_options={"nan_inf_to_errors": True},
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
    styles = []
    for at, column in enumerate(sheet.columns):
        style = {"text_wrap": True, "valign": "top"}
        style |= {"num_format": form} if (form := KINDS[column.kind][0]) else {}
        style |= {"bg_color": _FILL} if column.turn else {}
        styles.append({"column": {"columns": [at], "format": style, "include_names": False}})
    wrapped = {"columns": list(range(len(sheet.columns))), "include_names": True,
               "format": {"text_wrap": True, "valign": "top"}}  # fmt: skip
    return gptables.GPTable(
        table=frame, table_name=sheet.name.lower().replace(" ", "_").replace("-", "_"),
        title=sheet.title + marks, index_columns={2: 0}, instructions=sheet.about,
        legend=[f"{NONE} not applicable"], table_row_index=HEADINGS,
        additional_formatting=[{"column": wrapped}, *styles],
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
        return {words: address} if address else (words or NONE)
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
        values = frame[key].tolist()
        plain = key.replace("_", " ")
        kind = "text"
        if key in ("outcome", "instead", "what"):
            values = [words.get(value, value) if key == "what" or value else value
                      for value in values]  # fmt: skip
        if any(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            large = any(isinstance(v, float) and np.isfinite(v) and abs(v) >= 1000 for v in values)
            kind = "pounds" if key in _POUNDS or large else "any"
        elif any(len(str(value)) > 30 for value in values):
            kind = "long"
        columns.append(Column(key, _HEADINGS.get(plain, said(plain)), values, kind))
    return Sheet(name, text, _AS_RUN, tuple(columns))


def _told(appraised: Appraised, drawn: Appraised | None) -> dict[str, tuple[pd.DataFrame, str]]:
    held = {
        "Break-even": (appraised.break_even(), "The effect at which the programme pays for itself"),
        "Not valued": (
            appraised.not_monetised().replace({"kind": NOT_VALUED}),
            "What is not in the account, and why",
        ),
    }
    if drawn is not None:
        rows = drawn.to_frame().rename(columns={"estimate": "expected"})
        rows["measure"] = [
            _HEADINGS.get(said(name).lower(), said(name)) for name in rows["measure"]
        ]
        rows.insert(0, "account", appraised.settings.perspective)
        share = f"{drawn.level:.0%} intervals from {drawn.settings['draws']:,} joint draws"
        held["Uncertainty"] = (rows, share)
    return held
