"""Begin a mapping from what an extract shows: names, encodings and forms that leave no doubt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import ibis

from tfeval.errors import DataError, in_own_words, nearest
from tfeval.records.allow_list import is_none
from tfeval.records.files import encoding_of
from tfeval.records.folders import kind_of, plain_name
from tfeval.records.preparation.dates import EXCEL, ISO, MONTH_ONLY, WITH_TIME, DateForm
from tfeval.records.preparation.mapping import ColumnRule, TableRule
from tfeval.records.preparation.sources import Source, as_text, opened_source
from tfeval.records.preparation.values import reader
from tfeval.records.schema import TABLES, Column

#: Forms that are tried; one is proposed only where it alone reads every value.
_FORMS = ("DD/MM/YYYY", "MM/DD/YYYY", "D/M/YYYY", "M/D/YYYY", "DD-MM-YYYY", "MM-DD-YYYY",
          "DD.MM.YYYY", "YYYY/MM/DD", "YYYYMMDD", "DDMMYYYY", "DD-MON-YYYY", "DDMONYYYY",
          "DD MON YYYY", "D MON YYYY", "DD MONTH YYYY", "D MONTH YYYY", EXCEL)  # fmt: skip
_SHORT = ("DD/MM/YY", "DD-MM-YY", "DD-MON-YY", "DDMONYY", "MM/DD/YY")
#: Days that an extract of this programme may hold: other numbers are no days of a spreadsheet.
_FIRST, _LAST = date(1900, 1, 2), date(2100, 1, 1)
_ANY_PIVOT = 49
#: Different values of a column that are looked at.
_MOST = 50_000
_ENCODINGS = {"WINDOWS-1252": "cp1252", "ISO-8859-1": "latin-1", "UTF-16LE": "utf-16-le",
              "UTF-16BE": "utf-16-be", "UTF-16": "utf-16", "UTF-32": "utf-32"}  # fmt: skip


@in_own_words("The extract cannot be looked at")
def draft_mapping(source: str | Path) -> str:
    """Begin a mapping for `prepare` from what an extract shows, for a person to check.

    Parameters
    ----------
    source : path
        As for `prepare`.

    Returns
    -------
    str
        TOML. Tables and columns whose names are the dictionary's in other capitals and
        punctuation; the encoding of text; forms of days by which alone every value can be read;
        words for no value. What would be a guess stands in a comment instead. It holds no value
        but words for none.
    """
    with opened_source(Path(source)) as came:
        lines = [
            "# A draft: check every line against what the department says, then remove this one.",
            "[about]",
            "# records_from, records_to: the first and the last day of the records, in quotes.",
            "",
        ]
        known = {plain_name(name): name for name in TABLES}
        for name in came.names():
            bare = name.split("/")[-1].split(".")
            meant = known.get(plain_name(bare[0])) or known.get(plain_name(bare[-1]))
            if meant:
                lines += [*_table(came, name, meant), ""]
            elif name not in ("about.json", "prepared.json"):
                near = nearest(plain_name(bare[0]), known)
                hint = f" Perhaps [tables.{known[near]}], by from." if near else ""
                lines.append(f"# Something there is called like no table.{hint}")
    text = "\n".join(lines) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()  # a file's name need be no text


def _table(came: Source, name: str, meant: str) -> Iterator[str]:
    yield f"[tables.{meant}]"
    yield f"from = {json.dumps(name)}"
    rule = TableRule(meant, (name,), {})
    place = came.path / name if came.path.is_dir() else came.path
    text = place.is_file() and kind_of(place) == "csv"
    if text and (encoding := encoding_of(place)):
        yield f'encoding = "{_ENCODINGS[encoding]}"  # as it seems: look at names with accents'
        rule = TableRule(meant, (name,), {}, encoding=_ENCODINGS[encoding])
    try:
        table = came.read_any(rule)
    except DataError as fault:
        yield f"# It could not be looked at: {fault}"
        return
    columns = TABLES[meant].columns
    by_name = {plain_name(column): column for column in table.columns}
    for column, definition in columns.items():
        there = by_name.get(plain_name(column))
        if there is not None:
            yield from _column(table, there, column, definition, meant)
        elif definition.required:
            yield f"# [tables.{meant}.columns.{column}] is needed: {definition.description}"


def _column(
    table: ibis.Table, there: str, column: str, definition: Column, meant: str
) -> Iterator[str]:
    yield f"[tables.{meant}.columns.{column}]"
    yield f"from = {json.dumps(there.strip())}"
    if definition.kind == "identifier":
        return
    try:
        text, as_day = as_text(table[there], column)
    except DataError as fault:
        yield f"# {fault}"
        return
    values = [one.strip() for one in _values(text) if one.strip()]
    none = sorted({one for one in values if is_none(one, unknown=False)})
    if none:
        yield f"null_words = {json.dumps(none)}"
    if definition.link is None and definition.nullable is False and none:
        yield "# The dictionary wants a value there."
    rest = [one for one in values if one not in none]
    if definition.kind in ("date", "month"):
        if not as_day:
            yield from _form(rest, definition)
        return
    read = reader(definition, ColumnRule(), ends_on=date.today(), parts="")
    unread = sum(bool(read(one).unread) for one in rest)
    if unread:
        allowed = f": {', '.join(definition.allowed)}" if definition.allowed else ""
        yield f"# words = {{}}  # {unread} of its values are none of the dictionary's{allowed}"


def _values(text: ibis.Value) -> list[str]:
    distinct = text.name("text").as_table().distinct().limit(_MOST)
    return [one for one in distinct.to_pyarrow()["text"].to_pylist() if one is not None]


def _form(values: list[str], definition: Column) -> Iterator[str]:
    """Yield the form by which alone all values can be read, or why there is none."""
    if not values or _reads(ISO, values):
        return
    tried = [*_FORMS, *(form + WITH_TIME for form in _FORMS if form != EXCEL), ISO + WITH_TIME]
    if definition.kind == "month":
        tried.append(MONTH_ONLY)
    by_day: dict[tuple[date | None, ...], str] = {}
    for form in tried:
        if days := _reads(form, values):
            by_day.setdefault(days, form)
    if len(by_day) == 1:
        ((days, form),) = by_day.items()
        yield f"dates = {json.dumps([form])}"
        if definition.kind == "month" and any(day and day.day != 1 for day in days):
            yield "# cut_to_month = true  # days of birth are not kept"
    elif by_day:
        yield f"# dates: every value can be read by {' and by '.join(by_day.values())}: ask which."
    elif short := [one for one in _SHORT if _reads(one, values)]:
        yield f"# dates = {json.dumps(short[:1])} and pivot: two digits do not tell the century."
    else:
        yield "# dates: no form that is known reads every value."


def _reads(form: str, values: list[str]) -> tuple[date | None, ...]:
    """Return the days that values say in a form; empty if one says none."""
    one, days = DateForm(form, _ANY_PIVOT), []
    for value in values:
        day = one.read(value)
        if day is None or not _FIRST <= day < _LAST:
            return ()
        days.append(day)
    return tuple(days)
