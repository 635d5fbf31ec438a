"""Price bases and discounting: deflators, and discount schedules by Green Book edition."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.programme.published import published

_SERIES = "gdp_deflator_financial_year"


@lru_cache(maxsize=1)
def _deflators() -> pd.Series:
    rows = published("deflators")
    rows = rows[rows["figure"] == _SERIES]
    return pd.Series(rows["value"].to_numpy(), index=rows["period"].str[:4].astype(int))


def price_years() -> range:
    """Return the financial years, by their first calendar year, that prices can be put in.

    Examples
    --------
    >>> price_years()[0], 2014 in price_years()
    (2002, True)
    """
    years = _deflators().index
    return range(int(years.min()), int(years.max()) + 1)


def deflate(amount: float, year: int, price_year: int) -> float:
    """Put an amount of one financial year into the prices of another.

    Parameters
    ----------
    amount : float
        Money, in the prices of `year`.
    year, price_year : int
        Financial years by their first calendar year: 2014 is 2014-15.

    Returns
    -------
    float
        Money, in the prices of `price_year`.

    Raises
    ------
    ParameterError
        If there is no deflator for a year.

    References
    ----------
    HM Treasury GDP deflators at market prices, March 2026; `data/published/deflators.csv`.

    Examples
    --------
    >>> round(deflate(448.0, 2013, 2024), 1)
    613.4
    """
    deflators = _deflators()
    for asked in (year, price_year):
        if asked not in deflators.index:
            years = price_years()
            raise ParameterError(
                f"There is no deflator for {asked}: use a year from {years[0]} to {years[-1]}."
            )
    return amount * float(deflators[price_year] / deflators[year])


def editions() -> list[str]:
    """Return the editions of the Green Book whose discount rates are held, oldest first.

    Examples
    --------
    >>> editions()
    ['2003', '2022', '2026']
    """
    return sorted(published("discount_rates")["edition"].unique())


def discount_rates(edition: str, kind: str = "standard") -> pd.DataFrame:
    """Return the schedule of discount rates of an edition.

    Parameters
    ----------
    edition : str
        One of `editions()`.
    kind : {"standard", "health", "sensitivity"}
        The 2003 edition has the standard rates only; the 2026 edition adds a sensitivity test.

    Returns
    -------
    DataFrame
        `from_year`, `to_year` (years after the base year, both inclusive), `rate` (a year, as a
        fraction) and the source columns.

    Raises
    ------
    ParameterError
        If the edition or the kind is not held.
    """
    rows = published("discount_rates")
    if edition not in set(rows["edition"]):
        known = suggest(edition, rows["edition"].unique())
        raise ParameterError(f"There is no Green Book edition {edition}. {known}")
    rows = rows[rows["edition"] == edition]
    if kind not in set(rows["rate_kind"]):
        raise ParameterError(
            f"The Green Book of {edition} has no {kind} rate. "
            f"{suggest(kind, rows['rate_kind'].unique())}"
        )
    rows = rows[rows["rate_kind"] == kind].sort_values("from_year").reset_index(drop=True)
    rows.insert(0, "rate", rows["value"] / 100)
    columns = ["from_year", "to_year", "rate", "source_title", "publisher", "date", "url", "status"]
    return rows[columns]


def discount_factors(years: int, edition: str, kind: str = "standard") -> np.ndarray:
    """Return the factors that turn money of later years into present value.

    Each year's factor is the one before, divided by one plus that year's rate: the rate of a
    band applies to the step into each of its years.

    Parameters
    ----------
    years : int
        How many years after the base year.
    edition : str
        One of `editions()`.
    kind : {"standard", "health", "sensitivity"}
        Which schedule.

    Returns
    -------
    ndarray of float, shape (years + 1,)
        Factor for years 0 to `years`; the first is 1.

    References
    ----------
    Green Book 2003, Annex 6; Green Book 2022, Annex 6; `data/published/discount_rates.csv`.

    Examples
    --------
    >>> [round(float(factor), 4) for factor in discount_factors(2, "2022")]
    [1.0, 0.9662, 0.9335]
    """
    schedule = discount_rates(edition, kind)
    step = np.arange(1, years + 1)
    band = np.searchsorted(schedule["to_year"].to_numpy(dtype=float), step)
    if years > schedule["to_year"].max():
        raise ParameterError(f"The schedule of {edition} ends before year {years}.")
    rates = schedule["rate"].to_numpy(dtype=float)[band]
    return np.concatenate([[1.0], np.cumprod(1 / (1 + rates))])


def present_value(flows: np.ndarray, edition: str, kind: str = "standard") -> float:
    """Return the present value of yearly flows, the first in the base year.

    Parameters
    ----------
    flows : ndarray of float, shape (years,)
        Money in constant prices.
    edition : str
        One of `editions()`.
    kind : {"standard", "health", "sensitivity"}
        Which schedule.

    Examples
    --------
    >>> round(present_value(np.array([100.0, 100.0, 100.0]), "2022"), 2)
    289.97
    """
    flows = np.asarray(flows, dtype=float)
    return float(flows @ discount_factors(len(flows) - 1, edition, kind))
