"""Recognise real-world identifiers, which have no place in an extract."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ibis

from tfeval.errors import DataError, TfevalError
from tfeval.records.schema import TABLES, Table

# Write folders whole or not at all.


@contextmanager
def written_whole(*targets: Path) -> Iterator[list[Path]]:
    """Give folders to write in, which take their names only when all is written.

    Parameters
    ----------
    *targets : Path
        Folders to be made; none may exist, so nothing is ever overwritten.

    Raises
    ------
    TfevalError
        If one exists.
    """
    for target in targets:
        if target.exists():
            raise TfevalError(f"{target} exists already: remove it, or choose another folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
    drafts = [target.with_name(f".{target.name}-{uuid.uuid4().hex[:12]}") for target in targets]
    try:
        for draft in drafts:
            draft.mkdir()
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            draft.rename(target)
    finally:
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)


# Give columns the types of the schema, whatever they came as.


def typed(table: ibis.Table, definition: Table) -> ibis.Table:
    """Return the schema's columns of a table, in its order and with its types.

    A value that cannot be read as its type becomes null; `check_records` counts those.
    """
    columns = {}
    for name, column in definition.columns.items():
        if name in table.columns:
            columns[name] = cast(table[name], column.type)
    return table.select(**columns)


def cast(value: ibis.Value, wanted: str) -> ibis.Value:
    """Return a column as a type, null where it cannot be."""
    is_now = value.type()
    if wanted == "date" and is_now.is_timestamp():
        return value.date()
    if is_now.is_string() and wanted != "string":
        # An empty field is how CSV writes null.
        return value.strip().nullif("").try_cast(wanted)
    if is_now == ibis.dtype(wanted) or (is_now.is_integer() and wanted == "int64"):
        return value if is_now == ibis.dtype(wanted) else value.cast(wanted)
    return value.try_cast(wanted)


#: Patterns of whole values, for the regular expressions of DuckDB, PostgreSQL and Spark alike.
PATTERNS = {
    "UPN": r"^[A-Za-z][0-9]{11}[0-9A-Za-z]$",
    "National Insurance number": (
        r"^[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?"
        r"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]$"
    ),
    "full postcode": r"^[A-Za-z]{1,2}[0-9][0-9A-Za-z]? ?[0-9][A-Za-z]{2}$",
    "email address": r"^[^@ ]+@[^@ ]+[.][^@ ]+$",
    "name": r"^[A-Z][A-Za-z'-]+,? ([A-Z][.]? )?[A-Z][A-Za-z'-]+$",
    "full date of birth": r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}/[0-9]{2}/[0-9]{4})$",
}
_TEN_DIGITS = r"^[0-9]{3} ?[0-9]{3} ?[0-9]{4}$"
#: Columns that by their name hold identifying facts, whatever is in them.
IDENTIFYING_COLUMNS = (
    r"(?i)(^|_)(forename|surname|first_?name|last_?name|full_?name|name|post_?code"
)
IDENTIFYING_COLUMNS += r"|address|nhs(_?(no|number|id))?|upn|nino|ni_?(no|number)"
IDENTIFYING_COLUMNS += r"|date_?of_?birth|birth_?date|dob|e_?mail|phone|telephone|mobile|uprn)($|_)"
KINDS = ("NHS number", *PATTERNS)
_FIRST_ROWS = 1000


def looks_like(value: ibis.Value, kind: str) -> ibis.Value:
    """Return whether text looks like a kind of real identifier.

    Parameters
    ----------
    value : ibis string expression
        A text column.
    kind : str
        One of `KINDS`.
    """
    if kind == "NHS number":
        return _nhs_number(value)
    return value.re_search(PATTERNS[kind])


def suspect(value: ibis.Value) -> ibis.Value:
    """Return whether text may look like a real identifier: quick, and never wrongly false."""
    return value.re_search("|".join([*PATTERNS.values(), _TEN_DIGITS]))


def _nhs_number(value: ibis.Value) -> ibis.Value:
    # Ten digits whose weighted sum, the check digit with weight one, is a multiple of 11: any
    # ten-digit key would match a looser pattern. By character code, so that text cannot fail.
    digits = value.replace(" ", "")
    total = sum((digits.substr(i, 1).ascii_str() - 48) * (10 - i) for i in range(10))
    return value.re_search(_TEN_DIGITS) & (total % 11 == 0)


def scanned_columns(name: str, table: ibis.Table) -> list[str]:
    """Return the columns of a table in which a real identifier could stand.

    Dates that the schema asks for, and codes of authorities, are not among them.
    """
    known = TABLES[name].columns
    dated = {column for column, one in known.items() if one.kind in ("date", "month")}
    return [
        column
        for column, kind in table.schema().items()
        if (kind.is_string() or kind.is_integer())
        and column not in dated
        and (column not in known or known[column].kind in ("identifier", "category"))
    ]


def as_text(value: ibis.Value) -> ibis.Value:
    """Return a column as text without space around it."""
    return (value if value.type().is_string() else value.cast("string")).strip()


def refuse_identifiers(tables: Mapping[str, ibis.Table]) -> None:
    """Refuse tables whose first rows, or names of columns, look identifying.

    Parameters
    ----------
    tables : mapping of str to ibis.Table
        The tables as they came.

    Raises
    ------
    DataError
        Naming table, column and kind of identifier; never a value.
    """
    found = [
        f"{name}.{column} (its name)"
        for name, table in tables.items()
        for column in identifying_names(name, table)
    ]
    for name, table in tables.items():
        found += [f"{name}.{column} ({kinds})" for column, kinds in _in_first_rows(name, table)]
    if found:
        raise DataError(
            f"Real identifiers are refused: {', '.join(found)}. Replace them with "
            "`tfeval pseudonymise`, or drop the column, and open the result."
        )


def _in_first_rows(name: str, table: ibis.Table) -> Iterator[tuple[str, str]]:
    columns = scanned_columns(name, table)
    if not columns:
        return
    first = table.select(*columns).limit(_FIRST_ROWS)
    counts = first.aggregate(**{c: suspect(as_text(first[c])).sum() for c in columns}).to_pyarrow()
    for column in columns:
        if counts[column][0].as_py():
            values = first.select(value=first[column], times=ibis.literal(1))
            kinds = count_kinds(values)
            if kinds:
                yield column, " or ".join(kinds)


def count_kinds(values: ibis.Table) -> dict[str, int]:
    """Return how many rows look like each kind of real identifier, kinds without any left out.

    Parameters
    ----------
    values : ibis.Table
        `value`, and `times` that it comes.
    """
    text = as_text(values.value)
    counts = values.aggregate(
        **{
            f"k{place}": looks_like(text, kind).ifelse(values.times, 0).sum()
            for place, kind in enumerate(KINDS)
        }
    ).to_pyarrow()
    found = {kind: counts[f"k{place}"][0].as_py() for place, kind in enumerate(KINDS)}
    return {kind: int(number) for kind, number in found.items() if number}


def identifying_names(name: str, table: ibis.Table) -> list[str]:
    """Return columns that are not in the schema and have an identifying name."""
    known = TABLES[name].columns
    return [
        column
        for column in table.columns
        if column not in known and re.search(IDENTIFYING_COLUMNS, column)
    ]
