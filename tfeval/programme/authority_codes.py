"""Codes of upper-tier authorities from 2009 to 2023, and which authority of 2012-15 each is of."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType

import pandas as pd

from tfeval.errors import DataError
from tfeval.settings import project_folder

TABLE = "authority_codes"
#: How the area of a code lies to that of the authority beside it.
SAME, PART, ACROSS = "same", "part", "across"
AREAS = (SAME, PART, ACROSS)


@dataclass(frozen=True)
class AuthorityCode:
    """A code that an upper-tier authority of England had between 2009 and 2023.

    Attributes
    ----------
    code, name : str
        As the Office for National Statistics gives them.
    valid_from, valid_to : date or None
        First and last day; None where it was in force before April 2009, or was in December 2023.
    authorities : tuple of str
        Codes of the authorities of 2012-15 whose areas it touches: with one, its families are that
        authority's.
    area : str
        `same`: the area of one of these, but for single houses; `part`: a part of one; `across`:
        over several.
    """

    code: str
    name: str
    valid_from: date | None
    valid_to: date | None
    authorities: tuple[str, ...]
    area: str


@lru_cache(maxsize=1)
def codes_over_time() -> Mapping[str, AuthorityCode]:
    """Return every code of an upper-tier authority from 2009 to 2023.

    Returns
    -------
    mapping of str to AuthorityCode
        By code: those of 2012-15, and the eleven that came later.

    References
    ----------
    `data/published/authority_codes.csv` has the source of each.

    Examples
    --------
    >>> codes_over_time()["E06000058"].authorities
    ('E06000028', 'E06000029', 'E10000009')
    >>> codes_over_time()["E08000037"].valid_from
    datetime.date(2013, 4, 1)
    """
    # The csv module and not pandas: records are opened within the blink of an eye.
    path = project_folder("data") / "published" / f"{TABLE}.csv"
    if not path.is_file():
        raise DataError(f"data/published/{TABLE}.csv is missing: it says what codes became.")
    codes: dict[str, AuthorityCode] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            known = codes.get(row["code"])
            touched = (*known.authorities, row["authority"]) if known else (row["authority"],)
            codes[row["code"]] = AuthorityCode(
                row["code"], row["name"], _day(row["valid_from"]), _day(row["valid_to"]),
                touched, row["area"],
            )  # fmt: skip
    return MappingProxyType(codes)


@lru_cache(maxsize=1)
def renamed_codes() -> Mapping[str, str]:
    """Return the codes that an authority of 2012-15 had at another time, to its code of then.

    Examples
    --------
    >>> renamed_codes()["E08000037"]
    'E08000020'
    """
    return MappingProxyType({
        code: one.authorities[0] for code, one in codes_over_time().items()
        if one.area == SAME and code != one.authorities[0]
    })  # fmt: skip


@lru_cache(maxsize=1)
def parts_of() -> Mapping[str, str]:
    """Return the codes of parts of an authority of 2012-15, to its code.

    Examples
    --------
    >>> sorted({whole for whole in parts_of().values()})
    ['E10000006', 'E10000009', 'E10000021']
    """
    return MappingProxyType({
        code: one.authorities[0] for code, one in codes_over_time().items() if one.area == PART
    })  # fmt: skip


@lru_cache(maxsize=1)
def across() -> tuple[str, ...]:
    """Return the codes whose area lies over several authorities of 2012-15.

    Examples
    --------
    >>> across()
    ('E06000058',)
    """
    return tuple(code for code, one in codes_over_time().items() if one.area == ACROSS)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def code_faults(frame: pd.DataFrame, authorities: pd.DataFrame) -> Iterator[str]:
    """Yield one sentence for each kind of fault in the table of codes.

    Parameters
    ----------
    frame, authorities : DataFrame
        `authority_codes` and `local_authorities` as text.
    """
    cells = list(_cell_faults(frame, authorities))
    yield from cells or _row_faults(frame, authorities)


def _cell_faults(frame: pd.DataFrame, authorities: pd.DataFrame) -> Iterator[str]:
    odd = ~frame["code"].str.fullmatch(r"E(06|08|09|10)0000[0-9]{2}")
    yield from _said("code", "not the code of an upper-tier authority", odd)
    unknown = ~frame["authority"].isin(authorities["code"])
    yield from _said("authority", "unknown authority", unknown)
    yield from _said("area", f"none of {', '.join(AREAS)}", ~frame["area"].isin(AREAS))
    for column in ("valid_from", "valid_to"):
        unread = _days(frame[column]).isna() & (frame[column] != "")
        yield from _said(column, "not YYYY-MM-DD", unread)


def _row_faults(frame: pd.DataFrame, authorities: pd.DataFrame) -> Iterator[str]:
    begins, ends = _days(frame["valid_from"]), _days(frame["valid_to"])
    yield from _said("valid_to", "before valid_from", ends < begins)
    own = frame["code"] == frame["authority"]
    lost = len(set(authorities["code"]) - set(frame.loc[own, "code"]))
    if lost:
        yield f"column code: without {lost} of the authorities of 2012-15: give each a row."
    touched = frame.groupby("code")["authority"].transform("nunique")
    several = (frame["area"] == ACROSS) != (touched > 1)
    yield from _said("area", "across, and of one authority, or not so and of several", several)
    # A later code begins on the day after the authority's own ended.
    ended = dict(zip(frame.loc[own, "code"], ends[own], strict=True))
    follows = frame["authority"].map(ended) + timedelta(days=1)
    broken = ~own & frame["authority"].isin(ended) & ~(follows == begins)
    yield from _said("valid_from", "not the day after the authority's own code ended", broken)


def _days(texts: pd.Series) -> pd.Series:
    return pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")


def _said(column: str, what: str, rows: pd.Series) -> Iterator[str]:
    times = int(rows.sum())
    if times:
        yield f"column {column}: {what} in {times} row{'s' * (times > 1)}: correct it."
