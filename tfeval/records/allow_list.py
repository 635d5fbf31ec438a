"""What of an extract may pass: column by column, as the schema says; all else is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import ibis

from tfeval.display.tables import safe_count
from tfeval.errors import DataError
from tfeval.programme.authority_codes import renamed_codes
from tfeval.programme.claims import authorities
from tfeval.records.identifiers import folded, tally
from tfeval.records.relations import cast
from tfeval.records.schema import EARLIEST, Column, authority_codes

#: Words for no value at all, folded and without space. "-" and an empty field are among them.
_NONE = frozenset({"", "NULL", "NA", "NAN", "NAT", "NONE", "NIL"})
#: Words for a value that there is, but that is not known: no such words for "it never happened".
_UNKNOWN = frozenset({"UNKNOWN", "NOTKNOWN", "NK", "MISSING", "NOTSTATED", "NOTRECORDED"})
_YES, _NO = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]00:00(:00([.]0+)?)?)?$"
_WHOLE = r"^[0-9]{1,6}([.]0+)?$"


@dataclass(frozen=True)
class Stray:
    """What a column holds that the schema does not allow.

    Attributes
    ----------
    place : str
        "table.column".
    rows : int
        How many rows, exactly.
    kinds : tuple of str
        Kinds of real identifier that some of them look like or hold.
    needed : bool
        Whether it must be corrected: an empty value would say that something never happened.
    """

    place: str
    rows: int
    kinds: tuple[str, ...] = ()
    needed: bool = False

    def text(self) -> str:
        """Return one line, its count as it may be shown."""
        like = f"; like a {' or a '.join(self.kinds)}" if self.kinds else ""
        return f"{self.place} ({safe_count(self.rows)} rows{like})"


@dataclass(frozen=True)
class Reading:
    """A column as it may pass.

    Attributes
    ----------
    value : ibis expression
        With the schema's type; null where nothing may pass.
    stray : Stray or None
        What may not.
    words : int
        Rows with a word for no value ("NULL", "N/A", "-").
    """

    value: ibis.Value
    stray: Stray | None = None
    words: int = 0


def read_columns(
    name: str, raw: ibis.Table, columns: Mapping[str, Column], ends_on: date
) -> dict[str, Reading]:
    """Return how columns of a table pass, all of their rows read.

    Parameters
    ----------
    name : str
        Of the table.
    raw : ibis.Table
        It as it came.
    columns : mapping of str to Column
        Those to read, by the names they have there.
    ends_on : date
        The last day of the records.

    Notes
    -----
    A value passes if it is of the schema's set: a day from 1900 to the end of the records, a
    whole number from 0 to the most there can be, true or false, a category or an authority. These
    may be written in other case, forms of characters, punctuation and space, an authority by its
    code or its official name: what passes is the schema's own word, never the text that came.
    """
    exact = {column: _exact(raw[column], one, ends_on) for column, one in columns.items()}
    odd = {column: _there(raw[column]) & value.isnull() for column, value in exact.items()}
    if not odd:
        return {}
    counts = raw.aggregate(**{column: rows.sum() for column, rows in odd.items()}).to_pyarrow()
    readings = {}
    for column, one in columns.items():
        readings[column] = Reading(exact[column])
        if counts[column][0].as_py():
            rows = raw.filter(odd[column])
            readings[column] = _judged(f"{name}.{column}", rows, raw[column], one, exact[column])
    return readings


def _judged(
    place: str, rows: ibis.Table, came: ibis.Value, column: Column, exact: ibis.Value
) -> Reading:
    """Read again, each value once, what is not written as the schema writes it."""
    if not _plain(came):
        return Reading(exact, _stray(place, column, [(None, rows.count().to_pyarrow().as_py())]))
    values = rows.select(value=rows[came.get_name()].cast("string"))
    tally = values.group_by("value").aggregate(times=values.count()).to_pyarrow()
    meant: dict[str, str] = {}
    words, strays = 0, []
    for text, times in zip(tally["value"].to_pylist(), tally["times"].to_pylist(), strict=True):
        if known := spelt(text, column):
            meant[text] = known
        elif is_none(text, unknown=column.kind in ("category", "authority")):
            words += times
        else:
            strays.append((text, times))
    value = exact
    if meant:
        other = came.cast("string").cases(*meant.items(), else_=ibis.null("string"))
        value = ibis.coalesce(exact, other)
    return Reading(value, _stray(place, column, strays), words)


def _stray(place: str, column: Column, strays: list[tuple[str | None, int]]) -> Stray | None:
    if not strays:
        return None
    needed = column.nullable and column.kind in ("date", "flag")
    return Stray(place, sum(times for _, times in strays), tuple(tally(strays)), needed)


def spelt(text: str, column: Column) -> str | None:
    """Return the schema's own word for a category or an authority, None if there is none.

    Examples
    --------
    >>> from tfeval.records.schema import TABLES
    >>> people, families = TABLES["people"].columns, TABLES["families"].columns
    >>> spelt(" Parent or carer", people["role"]), spelt("FEMALE", people["sex"])
    ('parent_or_carer', 'female')
    >>> spelt("Bath & North East Somerset", families["local_authority"])
    'E06000022'
    """
    if column.kind == "authority":
        return _authorities().get(_key(text))
    return {_key(word): word for word in column.allowed}.get(_key(text))


def is_none(text: str, *, unknown: bool = True) -> bool:
    """Return whether text is a word for no value, and not a value.

    Parameters
    ----------
    text : str
        As it came.
    unknown : bool, default True
        Whether words for what is not known count. They do not where empty means "never".

    Examples
    --------
    >>> [is_none(word) for word in ("NULL", "n/a", "-", "Not known", "1001")]
    [True, True, True, True, False]
    >>> is_none("Not known", unknown=False)
    False
    """
    key = _key(text)
    hidden = not unknown and any(mark in text for mark in "*?")
    return (key in _NONE and not hidden) or text == r"\N" or (unknown and key in _UNKNOWN)


def _key(text: str) -> str:
    if "\0" in text:  # no engine takes it in a query, so it stands for nothing
        return text
    return folded(text.replace("&", " and ")).replace(" ", "")


@lru_cache(maxsize=1)
def _authorities() -> dict[str, str]:
    known = {_key(word): code for code, name in authorities().items() for word in (code, name)}
    return known | {_key(code): then for code, then in renamed_codes().items()}


def _plain(value: ibis.Value) -> bool:
    """Return whether a column's values are single ones that can be written as text."""
    kind = value.type()
    tests = (kind.is_string, kind.is_numeric, kind.is_boolean, kind.is_date, kind.is_timestamp,
             kind.is_uuid)  # fmt: skip
    return any(test() for test in tests)


def _there(value: ibis.Value) -> Any:
    there = value.notnull()
    if value.type().is_string():
        return there & (value.strip() != "")
    return there & ~value.isnan() if value.type().is_floating() else there


def _exact(value: ibis.Value, column: Column, ends_on: date) -> ibis.Value:
    if not _plain(value):
        return ibis.null(column.type)
    return _EXACT[column.kind](value, column, ends_on)


def _if(true: Any, value: ibis.Value) -> ibis.Value:
    return ibis.ifelse(true, value, ibis.null(value.type()))


def _word(value: ibis.Value, column: Column, _: date) -> ibis.Value:
    allowed = authority_codes() if column.kind == "authority" else column.allowed
    return (
        _if(value.isin(list(allowed)), value) if value.type().is_string() else ibis.null("string")
    )


def _day(value: ibis.Value, _: Column, ends_on: date) -> ibis.Value:
    kind = value.type()
    if not (kind.is_string() or kind.is_date() or kind.is_timestamp()):
        return ibis.null("date")
    read = cast(value, "date")
    good = read.between(ibis.date(EARLIEST.date().isoformat()), ibis.date(ends_on.isoformat()))
    return _if(good & value.strip().re_search(_DAY) if kind.is_string() else good, read)


def _number(value: ibis.Value, column: Column, _: date) -> ibis.Value:
    kind = value.type()
    if not (kind.is_string() or kind.is_numeric()):
        return ibis.null("int64")
    if kind.is_string():
        text = value.strip()
        value = _if(text.re_search(_WHOLE), text).try_cast("float64")
    good = value.between(0, column.most) & (value == value.floor())
    return _if(good, value).try_cast("int64")


def _true_or_false(value: ibis.Value, _: Column, __: date) -> ibis.Value:
    kind = value.type()
    if kind.is_boolean():
        return value
    if kind.is_string():
        text = value.strip().lower()
        return _if(text.isin([*_YES, *_NO]), text.isin(list(_YES)))
    return _if(value.isin([0, 1]), value == 1) if kind.is_numeric() else ibis.null("boolean")


_EXACT: dict[str, Callable[[Any, Column, date], ibis.Value]] = {
    "category": _word,
    "authority": _word,
    "date": _day,
    "month": _day,
    "count": _number,
    "flag": _true_or_false,
}


def key_text(value: ibis.Value, place: str) -> ibis.Value:
    """Return a column of identifiers as text: a whole number as its digits, whatever its type.

    Of floating point, "inf" stands for a number too long for it: others may have become the same.

    Parameters
    ----------
    value : ibis expression
        The column as it came.
    place : str
        "table.column", for the message.

    Raises
    ------
    DataError
        If its type is none of an identifier.
    """
    kind = value.type()
    if kind.is_floating():
        # A column of numbers with gaps comes as floating point from many programs.
        value = value.cast("float64").nullif(float("nan"))
        whole = _if(value == value.floor(), value).try_cast("int64").cast("string")
        exact = 2**24 if kind.nbytes == 4 else 2**53  # a float32 holds no more
        kept = ibis.coalesce(whole, value.cast("string"))
        return ibis.ifelse(value.abs() < exact, kept, _if(value.notnull(), ibis.literal("inf")))
    if not (kind.is_string() or kind.is_integer() or kind.is_decimal() or kind.is_uuid()):
        raise DataError(f"{place} has a type that is none of an identifier: make it text.")
    return value.cast("string")


def refuse_strays(strays: list[Stray], *, set_missing: bool) -> None:
    """Refuse what the schema does not allow, unless it may be set missing and is to be.

    Raises
    ------
    DataError
        Naming every place, with the count of rows as it may be shown; never a value.
    """
    if set_missing:
        kept = [one for one in strays if one.needed]
        cure = "There an empty value would say that it never happened, so it must be corrected"
    else:
        kept = strays
        cure = "Correct it, or set it missing (--set-missing)"
    if kept:
        raise DataError(
            "Nothing is written: the schema does not allow what is in "
            f"{', '.join(one.text() for one in kept)}. {cure}; data/README.md says what a column "
            "holds."
        )
