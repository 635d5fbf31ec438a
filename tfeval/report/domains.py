"""What a parameter's value may be: one meaning a name, shared by all notebooks.

The allowed values are facts and come from the published tables, so nothing is listed here twice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tfeval.errors import DataError, ParameterError, nearest, suggest
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


def _phase(value: str) -> str:
    if value.casefold() not in ("one", "two"):
        raise ParameterError(f'The parameter phase is "one" or "two", not "{value}".')
    return value.casefold()


def _price_year(value: int) -> int:
    first, last = price_years()
    if not first <= value <= last:
        raise ParameterError(
            f"The parameter price_year lies between {first} and {last} (2014 means 2014-15), "
            f"not {value}: there is no deflator for it."
        )
    return value


def _green_book_edition(value: str | int) -> str | int:
    editions = green_book_editions()
    if str(value) not in editions:
        raise ParameterError(
            f'There is no Green Book edition "{value}" here. Known: {", ".join(editions)}.'
        )
    return value


def _comparison(value: str) -> str:
    from tfeval.cohort.settings import COMPARISONS  # noqa: PLC0415

    if value not in COMPARISONS:
        raise ParameterError(
            f'There is no comparison group "{value}". {suggest(value, COMPARISONS)}'
        )
    return value


def _horizon(value: int) -> int:
    from tfeval.cohort.settings import HORIZONS  # noqa: PLC0415

    if value not in HORIZONS:
        known = ", ".join(map(str, HORIZONS))
        raise ParameterError(f"The parameter horizon is one of {known} months, not {value}.")
    return value


def _design(value: str) -> str:
    from tfeval.report.chapters.comparison import DESIGNS  # noqa: PLC0415

    if value not in DESIGNS:
        raise ParameterError(f'There is no design "{value}". {suggest(value, DESIGNS)}')
    return value


def _estimator(value: str) -> str:
    from tfeval.impact.effects.estimate import METHODS  # noqa: PLC0415

    if value not in METHODS:
        raise ParameterError(f'There is no estimator "{value}". {suggest(value, METHODS)}')
    return value


def _caliper(value: float) -> float:
    if not 0.01 <= value <= 2:
        raise ParameterError(
            "The parameter caliper lies between 0.01 and 2 standard deviations of the linear "
            f"predictor, not {value:g}."
        )
    return value


def _within(name: str, unit: str = "") -> Callable[[float], float]:
    """Return a domain that is a range of the appraisal's own."""

    def check(value: float) -> float:
        from tfeval.money.appraisal_settings import RANGES  # noqa: PLC0415

        low, high, _ = RANGES["horizon"] if name == "appraisal_years" else (0, 1, "")
        if not low <= value <= high:
            raise ParameterError(
                f"The parameter {name} lies between {low:g} and {high:g}{unit}, not {value:g}."
            )
        return value

    return check


def _perspective(value: str) -> str:
    from tfeval.money.appraisal_settings import PERSPECTIVES  # noqa: PLC0415

    if value not in PERSPECTIVES:
        raise ParameterError(f'There is no perspective "{value}". {suggest(value, PERSPECTIVES)}')
    return value


def _extract(value: str) -> str:
    if value != "simulated" and not Path(value).exists():
        raise ParameterError(
            f'There is no extract "{value}": name a folder or a DuckDB file, or "simulated".'
        )
    return value


def _plan(value: str) -> str:
    if value != "project" and not Path(value).is_file():
        raise ParameterError(f'There is no plan "{value}": name a TOML file, or "project".')
    return value


DOMAINS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "phase": _phase,
        "local_authority": local_authority,
        "price_year": _price_year,
        "green_book_edition": _green_book_edition,
        "comparison": _comparison,
        "horizon": _horizon,
        "extract": _extract,
        "design": _design,
        "estimator": _estimator,
        "caliper": _caliper,
        "plan": _plan,
        "appraisal_years": _within("appraisal_years", " years"),
        "persistence": _within("persistence"),
        "perspective": _perspective,
    }
)


def check_domain(name: str, value: Any) -> Any:
    """Return a parameter's value in its official form; any value where the name has no domain.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        Of the parameter's declared type.

    Raises
    ------
    ParameterError
        If the value lies outside the domain; the message gives the range or the known values.

    Examples
    --------
    >>> check_domain("phase", "One"), check_domain("n_draws", 500)
    ('one', 500)
    """
    return DOMAINS[name](value) if name in DOMAINS else value
