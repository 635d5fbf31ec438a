"""Read a mapping: a TOML file that says what a department's names, dates and codes mean."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tfeval.errors import ParameterError, suggest
from tfeval.records.preparation.dates import MONTH_ONLY, DateForm
from tfeval.records.schema import TABLES, Column
from tfeval.records.store import FIELDS, checked_about

REFUSE, MARK, MISSING = "refuse", "mark", "missing"
#: What becomes of a value that cannot be read.
UNREAD = (REFUSE, MARK, MISSING)
WHOLE, LEAVE_OUT = "whole", "leave_out"
#: Of windows of coverage: a part is told apart until all are there.
KEEP = "keep"
TAB = "tab"
#: From a unit to the schema's: what one of it is. Months, of no one length, are none.
UNITS = {("days", "half days"): 2.0, ("weeks", "days"): 7.0, ("nights", "days"): 1.0}


@dataclass(frozen=True)
class ColumnRule:
    """What becomes of one column.

    Attributes
    ----------
    source : str
        Its name in the extract; empty if `value` or `number_rows` says all.
    value : str or None
        What every row has.
    dates : tuple of DateForm
        How its days are written.
    null_words : frozenset of str
        What stands for no value, in small letters.
    words : mapping of str to str
        From the extract's word, in small letters, to the dictionary's; empty is no value.
    unit : str
        In what it is counted.
    cut_to_month, last_day, number_rows : bool
        A day becomes the first of its month; is the last on which a spell held; rows are numbered.
    unread : str
        One of `UNREAD`.
    """

    source: str = ""
    value: str | None = None
    dates: tuple[DateForm, ...] = ()
    null_words: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    cut_to_month: bool = False
    last_day: bool = False
    number_rows: bool = False
    unread: str = REFUSE


@dataclass(frozen=True)
class TableRule:
    """Where one table of the dictionary comes from.

    Attributes
    ----------
    name : str
    source : tuple of str
        Files or folders in the extract, a table of a database, a sheet of a workbook.
    sheet : str
        Of a workbook among the files; by default its only one.
    encoding, delimiter : str
        Of text; empty if the file's own first line says it.
    skip_lines, drop_last_lines : int
        Titles before the line of names, and totals after the rows.
    columns : mapping of str to ColumnRule
        By the dictionary's name.
    """

    name: str
    source: tuple[str, ...]
    columns: Mapping[str, ColumnRule]
    sheet: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""
    skip_lines: int = 0
    drop_last_lines: int = 0


@dataclass(frozen=True)
class Plan:
    """A whole mapping.

    Attributes
    ----------
    tables : mapping of str to TableRule
    about : mapping
        What `about.json` will say.
    parts, across : str
        What becomes of authorities' codes that are part of one of 2012-15 ("refuse" or "whole"),
        or lie over several ("refuse" or "leave_out").
    """

    tables: Mapping[str, TableRule]
    about: Mapping[str, Any]
    parts: str = REFUSE
    across: str = REFUSE


_TOP = ("about", "authorities", "defaults", "tables")
_FILE = ("encoding", "delimiter", "skip_lines", "drop_last_lines")
_VALUES = ("dates", "pivot", "null_words", "unread")
_TABLE = ("from", "sheet", "columns", *_FILE, *_VALUES)
_COLUMN = ("from", "value", "words", "unit", "cut_to_month", "last_day", "number_rows", *_VALUES)
_TYPES: dict[str, tuple[type, str]] = {
    "encoding": (str, "text"), "delimiter": (str, "text"), "sheet": (str, "text"),
    "skip_lines": (int, "a whole number"), "drop_last_lines": (int, "a whole number"),
    "pivot": (int, "a whole number from 0 to 99"), "unread": (str, "text"), "unit": (str, "text"),
    "cut_to_month": (bool, "true or false"), "last_day": (bool, "true or false"),
    "number_rows": (bool, "true or false"), "dates": (list, "a list of forms in quotes"),
    "null_words": (list, "a list of words in quotes"), "columns": (dict, "a table"),
    "words": (dict, "a table of words in quotes"), "parts": (str, "text"), "across": (str, "text"),
    "tables": (dict, "a table"), "defaults": (dict, "a table"), "about": (dict, "a table"),
    "authorities": (dict, "a table"),
}  # fmt: skip


def read_plan(file: str | Path) -> Plan:
    """Read a mapping and hold all of it to what a mapping may say.

    Parameters
    ----------
    file : path
        TOML, in UTF-8.

    Raises
    ------
    ParameterError
        Naming the place and, of a key or word that is unknown, the nearest known one.
    """
    path = Path(file)
    if not path.is_file():
        raise ParameterError(f"There is no mapping {path.name}: name the file.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ParameterError(f"{path.name} is not UTF-8: save it as plain text in UTF-8.") from None
    except tomllib.TOMLDecodeError as fault:
        line = re.search(r"line\s([0-9]+)", str(fault))
        where = f" from line {line[1]} on" if line else ""
        raise ParameterError(f"{path.name} is no TOML{where}: correct it.") from None
    return plan_of(content)


def plan_of(content: Mapping[str, Any]) -> Plan:
    """Return what a mapping says, all of it checked; see `read_plan`."""
    _known("the mapping", content, _TOP)
    defaults = content.get("defaults", {})
    _known("defaults", defaults, (*_FILE, *_VALUES))
    about = content.get("about", {})
    _known("about", about, FIELDS)
    authorities = content.get("authorities", {})
    _known("authorities", authorities, ("parts", "across"))
    tables = content.get("tables", {})
    if not tables:
        raise ParameterError("The mapping has no [tables.NAME]: say where a table comes from.")
    _known("tables", tables, tuple(TABLES), typed=False)
    return Plan(
        MappingProxyType({name: _table(name, said, defaults) for name, said in tables.items()}),
        MappingProxyType(checked_about(about, "[about]")),
        _one_of("authorities.parts", authorities.get("parts", REFUSE), (REFUSE, WHOLE)),
        _one_of("authorities.across", authorities.get("across", REFUSE), (REFUSE, LEAVE_OUT)),
    )


def _known(
    place: str, said: Any, known: tuple[str, ...], *, typed: bool = True
) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise ParameterError(f"{place} is a table: write it as [{place}].")
    for key, value in said.items():
        if key not in known:
            raise ParameterError(f"{place} has an unknown key, {_plainly(key)}. "
                                 f"{suggest(key, known)}")  # fmt: skip
        wanted, words = _TYPES.get(key, (object, "")) if typed else (object, "")
        wrong = not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))
        texts = value if wanted is list else value.values() if key == "words" else ()
        if wrong or not all(isinstance(one, str) for one in ([] if wrong else texts)):
            raise ParameterError(f"{place}.{key} is {words}: correct it.")
        if wanted is int and not 0 <= value < 100:
            raise ParameterError(f"{place}.{key} is a whole number from 0 to 99: correct it.")
    return said


def _plainly(key: str) -> str:
    return f'"{key}"' if re.fullmatch(r"[\w -]{1,40}", key) else "whose name is not shown"


def _one_of(place: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ParameterError(f"{place} is one of: {', '.join(known)}. {suggest(value, known)}")
    return value


def _table(name: str, said: Any, defaults: Mapping[str, Any]) -> TableRule:
    place = f"tables.{name}"
    _known(place, said, _TABLE)
    source = said.get("from", name)
    source = [source] if isinstance(source, str) else source
    if not isinstance(source, list) or not source or not all(isinstance(x, str) for x in source):
        raise ParameterError(f"{place}.from is a file, or a list of files in quotes: correct it.")
    files = {**{key: defaults[key] for key in _FILE if key in defaults},
             **{key: said[key] for key in _FILE if key in said}}  # fmt: skip
    values = {**{key: defaults[key] for key in _VALUES if key in defaults},
              **{key: said[key] for key in _VALUES if key in said}}  # fmt: skip
    columns = said.get("columns", {})
    _known(f"{place}.columns", columns, tuple(TABLES[name].columns), typed=False)
    if not columns:
        raise ParameterError(f"{place} has no columns: say where each comes from.")
    rules = {column: _column(f"{place}.columns.{column}", TABLES[name].columns[column], one, values)
             for column, one in columns.items()}  # fmt: skip
    _hold_to_spells(name, rules)
    return TableRule(
        name, tuple(source), MappingProxyType(rules), said.get("sheet", ""),
        _encoding(place, files.get("encoding", "utf-8")),
        _delimiter(place, files.get("delimiter", "")),
        files.get("skip_lines", 0), files.get("drop_last_lines", 0),
    )  # fmt: skip


def _hold_to_spells(name: str, rules: Mapping[str, ColumnRule]) -> None:
    table = TABLES[name]
    for column, rule in rules.items():
        if rule.last_day and (column != table.ends_on or table.closed):
            raise ParameterError(
                f"tables.{name}.columns.{column}.last_day is for the end of a spell: leave it out."
            )


def _encoding(place: str, name: str) -> str:
    try:
        # Not every codec that Python knows by name is of text.
        "a".encode(codecs.lookup(name).name)
    except (LookupError, UnicodeError, ValueError):
        raise ParameterError(
            f'{place}.encoding is none that is known: such as "utf-8", "cp1252" or "utf-16".'
        ) from None
    return codecs.lookup(name).name


def _delimiter(place: str, text: str) -> str:
    text = "\t" if text.lower() == TAB else text
    if text and (len(text) != 1 or text in '"\r\n' or text.isalnum()):
        raise ParameterError(f'{place}.delimiter is one character, or "tab": correct it.')
    return text


def _column(place: str, column: Column, said: Any, values: Mapping[str, Any]) -> ColumnRule:
    said = {"from": said} if isinstance(said, str) else said
    _known(place, said, _COLUMN)
    given = [key for key in ("from", "value", "number_rows") if said.get(key) not in (None, False)]
    if len(given) != 1:
        raise ParameterError(f"{place} says one of from, value and number_rows: correct it.")
    if not all(isinstance(said.get(key, ""), str) for key in ("from", "value")):
        raise ParameterError(f"{place}.{given[0]} is text in quotes: correct it.")
    _hold_to_kind(place, column, said)
    merged = {**values, **{key: said[key] for key in _VALUES if key in said}}
    forms = merged.get("dates", ()) if column.kind in ("date", "month") else ()
    if column.kind == "date" and MONTH_ONLY in forms:
        raise ParameterError(f"{place}: a month tells no day: give the form of one.")
    unread = _one_of(f"{place}.unread", merged.get("unread", REFUSE), UNREAD)
    if unread == MISSING and column.nullable and column.kind in ("date", "flag"):
        raise ParameterError(
            f"{place}.unread: an empty value there says that it never happened, so what cannot be "
            'read may be "refuse" or "mark".'
        )
    return ColumnRule(
        said.get("from", "").strip(), said.get("value"),
        tuple(DateForm(form, merged.get("pivot")) for form in forms),
        frozenset(word.strip().lower() for word in merged.get("null_words", ())),
        {word.strip().lower(): to for word, to in said.get("words", {}).items()},
        said.get("unit", ""), said.get("cut_to_month", False), said.get("last_day", False),
        said.get("number_rows", False), unread,
    )  # fmt: skip


#: Settings of a column, and the kinds of column that they are for.
_FOR = {
    "dates": ("date", "month"), "pivot": ("date", "month"), "cut_to_month": ("month",),
    "last_day": ("date",), "unit": ("count",), "number_rows": ("row number",),
    "words": ("category", "authority", "flag"),
}  # fmt: skip
_FLAGS = ("true", "false")


def _hold_to_kind(place: str, column: Column, said: Mapping[str, Any]) -> None:
    for key, kinds in _FOR.items():
        if key in said and column.kind not in kinds:
            raise ParameterError(f"{place}.{key} is for a {' or '.join(kinds)}: leave it out.")
    unit = said.get("unit", column.unit)
    if unit != column.unit and (unit, column.unit) not in UNITS:
        known = [one for one, to in UNITS if to == column.unit]
        raise ParameterError(
            f"{place}.unit: how many {column.unit} one of it is would be guessed. "
            f"{suggest(unit, [column.unit, *known])}"
        )
    allowed = _FLAGS if column.kind == "flag" else column.allowed
    for word in said.get("words", {}).values():
        if word and allowed and word not in allowed:
            raise ParameterError(
                f"{place}.words lead to the dictionary's own words. {suggest(word, allowed)}"
            )
