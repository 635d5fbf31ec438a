"""Read one value of a department's extract as the dictionary has it, and say by which rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tfeval.errors import ParameterError
from tfeval.programme.authority_codes import PART, across, codes_over_time, parts_of, renamed_codes
from tfeval.records.allow_list import spelt
from tfeval.records.preparation.dates import ISO, DateForm, read_day
from tfeval.records.preparation.mapping import KEEP, UNITS, WHOLE, ColumnRule
from tfeval.records.schema import Column

#: What a value that cannot be read is written as where it is to be marked: never as it came.
MARKED = "unread"
_YES, _NO = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(?:[.][0-9]{0,9})?")


@dataclass(frozen=True)
class Read:
    """A value as read.

    Attributes
    ----------
    value : str or None
        As the dictionary writes it.
    rules : tuple of str
        What was done to it, in words; empty if nothing was.
    unread : str
        Why it cannot be read, a key of `WHY`; empty if it can.
    """

    value: str | None
    rules: tuple[str, ...] = ()
    unread: str = ""


#: What makes a value of a text that is not empty and stands for one.
Reader = Callable[[str], Read]
NOT_ITS_FORM, TWO_FORMS, NOT_WHOLE, NOT_A_MONTH, TWO_NAMES, LIES_ACROSS, PART_OF_ONE = (
    "form", "two_forms", "not_whole", "not_a_month", "two_names", "across", "part")  # fmt: skip
#: Why a value cannot be read, in words.
WHY = {
    NOT_ITS_FORM: "not in its form",
    TWO_FORMS: "by two forms two days",
    NOT_WHOLE: "not whole",
    NOT_A_MONTH: "a day and no month (cut_to_month)",
    TWO_NAMES: "a name that two authorities had",
    LIES_ACROSS: "a code over several authorities of 2012-15",
    PART_OF_ONE: "a code of a part of an authority of 2012-15",
}


def reader(column: Column, rule: ColumnRule, *, ends_on: date, parts: str) -> Reader:
    """Return how values of a column are read.

    Parameters
    ----------
    column : Column
        What the dictionary says of it.
    rule : ColumnRule
        What the mapping says.
    ends_on : date
        The last day of the records.
    parts : str
        What becomes of codes that are part of an authority of 2012-15.

    Examples
    --------
    >>> from tfeval.records.schema import TABLES
    >>> sex = TABLES["people"].columns["sex"]
    >>> read = reader(sex, ColumnRule("s", words={"1": "male"}), ends_on=date.today(), parts="")
    >>> read("1").value, read(" Female ").value, read("9").unread
    ('male', 'female', 'form')
    """
    kinds = {"date": _dates, "month": _dates, "count": _counts, "row number": _counts,
             "flag": _flags, "category": _categories}  # fmt: skip
    if column.kind == "authority":
        own: Reader = _authorities(ends_on, parts, column)
    else:
        own = kinds[column.kind](column, rule)

    def read(text: str) -> Read:
        bare = text.strip()
        if not bare:
            return Read(None)
        if bare.lower() in rule.null_words:
            return Read(None, ("word for no value",))
        said = rule.words.get(bare.lower())
        if said == "":
            return Read(None, ("word for no value",))
        reading = own(bare if said is None else said)
        if said is not None:
            return Read(reading.value, ("word of the mapping", *reading.rules), reading.unread)
        space = ("space around it",) if bare != text else ()
        return Read(reading.value, (*space, *reading.rules), reading.unread)

    return read


def constant(place: str, column: Column, rule: ColumnRule, *, ends_on: date) -> str:
    """Return the value that a mapping gives every row, as the dictionary writes it.

    Raises
    ------
    ParameterError
        If the dictionary does not allow it.
    """
    assert rule.value is not None
    if column.kind == "identifier":
        raise ParameterError(f"{place}.value: every row would be of one: give its column.")
    read = reader(column, ColumnRule(), ends_on=ends_on, parts="")(rule.value)
    if read.unread or read.value is None:
        raise ParameterError(f"{place}.value is none that the dictionary allows: correct it.")
    return read.value


def _dates(column: Column, rule: ColumnRule) -> Reader:
    # A day written YYYY-MM-DD is of one form alone, but for one that turns it round.
    turned = any(one.form.startswith("YYYY-") for one in rule.dates)
    forms = rule.dates if turned else (*rule.dates, DateForm(ISO))

    def read(text: str) -> Read:
        day, form = read_day(text, forms)
        if day is None:
            return Read(None, (), TWO_FORMS if form else NOT_ITS_FORM)
        rules = () if form == ISO else (f"day as {form}",)
        if rule.last_day:
            day, rules = day + timedelta(days=1), (*rules, "a day added to the last one")
        if column.kind == "month" and rule.cut_to_month and day.day != 1:
            day, rules = day.replace(day=1), (*rules, "cut to its month")
        elif column.kind == "month" and day.day != 1:
            return Read(None, (), NOT_A_MONTH)
        return Read(day.isoformat(), rules)

    return read


def _counts(column: Column, rule: ColumnRule) -> Reader:
    times = UNITS.get((rule.unit, column.unit), 1.0)

    def read(text: str) -> Read:
        if not _WHOLE.fullmatch(text):
            return Read(None, (), NOT_ITS_FORM)
        number = times * float(text)
        if number != int(number):
            return Read(None, (), NOT_WHOLE)
        written = str(int(number))
        rules = (f"{rule.unit} to {column.unit}",) if times != 1 else ()
        return Read(written, (*rules, "whole number") if not rules and written != text else rules)

    return read


def _flags(_: Column, __: ColumnRule) -> Reader:
    def read(text: str) -> Read:
        low = text.lower()
        if low not in (*_YES, *_NO):
            return Read(None, (), NOT_ITS_FORM)
        value = "true" if low in _YES else "false"
        return Read(value, () if value == text else ("other word for true or false",))

    return read


def _categories(column: Column, _: ColumnRule) -> Reader:
    def read(text: str) -> Read:
        value = spelt(text, column)
        if value is None:
            return Read(None, (), NOT_ITS_FORM)
        return Read(value, () if value == text else ("other spelling",))

    return read


def _authorities(ends_on: date, parts: str, column: Column) -> Reader:
    later = parts_of()
    # A name that a part has had too since a day within the records does not tell which is meant.
    twice = {one.name.lower() for one in codes_over_time().values()
             if one.area == PART and one.valid_from and one.valid_from <= ends_on}  # fmt: skip

    def read(text: str) -> Read:
        code = text.upper()
        if code in across():
            return Read(code, (), LIES_ACROSS)
        if code in later:
            whole = {WHOLE: later[code], KEEP: code}.get(parts)
            known = ("part taken for the whole",) if whole else ()
            return Read(whole or code, known, "" if whole else PART_OF_ONE)
        value = spelt(text, column)
        if value is None or text.lower() in twice:
            return Read(None, (), TWO_NAMES if value else NOT_ITS_FORM)
        renamed = "code of other years" if code in renamed_codes() else "other spelling"
        return Read(value, () if value == text else (renamed,))

    return read
