"""What the published tables allow a parameter to be: authorities, price years, editions."""

from __future__ import annotations

import csv
import re

from tfeval.errors import DataError, ParameterError, nearest
from tfeval.paths import project_folder


def _rows(table: str) -> list[dict[str, str]]:
    # The csv module and not pandas: a mistyped parameter is refused within the blink of an eye.
    path = project_folder("data") / "published" / f"{table}.csv"
    if not path.is_file():
        raise DataError(f"data/published/{table}.csv is missing: it says which values are allowed.")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def authorities() -> dict[str, str]:
    """Return the upper-tier local authorities, ONS code to name."""
    return {row["code"]: row["name"] for row in _rows("local_authorities")}


def price_years() -> tuple[int, int]:
    """Return the first and last price year with a deflator; 2014 means 2014-15."""
    years = [
        int(row["period"][:4])
        for row in _rows("deflators")
        if row["figure"] == "gdp_deflator_financial_year"
        and re.fullmatch(r"\d{4}-\d\d", row["period"])
    ]
    if not years:
        raise DataError("data/published/deflators.csv has no gdp_deflator_financial_year.")
    return min(years), max(years)


def green_book_editions() -> tuple[str, ...]:
    """Return the editions of the Green Book with a discount schedule, in order."""
    rows = _rows("discount_rates")
    return tuple(sorted({row["edition"] for row in rows if row.get("status", "read") == "read"}))


def local_authority(value: str) -> str:
    """Return "all" or an authority's official name, from its name or ONS code in any case.

    Raises
    ------
    ParameterError
        If there is no such authority; the message offers the nearest.
    """
    wanted = " ".join(value.split()).casefold()
    if wanted == "all":
        return "all"
    names = authorities()
    for code, name in names.items():
        if wanted in (code.casefold(), name.casefold()):
            return name
    near = nearest(" ".join(value.split()), names.values())
    hint = f'Give "all", an ONS code, or one of the {len(names)} names.'
    if near:
        hint = f"Did you mean {near}?"
    raise ParameterError(f'There is no upper-tier local authority "{value}". {hint}')


def edition(value: str | int) -> str | int:
    """Return an edition of the Green Book whose rates are held, as it was given.

    Raises
    ------
    ParameterError
        If there is no such edition; the message lists those known.
    """
    known = green_book_editions()
    if str(value) not in known:
        raise ParameterError(
            f'There is no Green Book edition "{value}" here. Known: {", ".join(known)}.'
        )
    return value
