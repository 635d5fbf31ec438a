"""Price bases: GDP deflators, and money put into the prices of one financial year."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd

from tfeval.errors import DataError, ParameterError
from tfeval.money.discounting import (
    discount_factors,
    discount_rates,
    editions,
    present_value,
)
from tfeval.programme.published import published

__all__ = [
    "deflate",
    "discount_factors",
    "discount_rates",
    "editions",
    "in_prices",
    "present_value",
    "price_years",
    "year_number",
]

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


def year_number(label: str) -> int:
    """Return a financial year's number from its label.

    Parameters
    ----------
    label : str
        Such as "2014-15".

    Raises
    ------
    DataError
        If it is not two years that follow each other.

    Examples
    --------
    >>> year_number("2014-15")
    2014
    """
    first, dash, second = label.partition("-")
    whole = len(first) == 4 and len(second) == 2 and (first + second).isdigit() and dash
    if not whole or (int(first) + 1) % 100 != int(second):
        raise DataError(f'"{label}" is not a financial year: write it as 2014-15.')
    return int(first)


def in_prices(frame: pd.DataFrame, columns: list[str], price_year: int) -> pd.DataFrame:
    """Put columns of money into the prices of one year; each row says which year it is in.

    Parameters
    ----------
    frame : DataFrame
        With `price_year`, as "2014-15" or as 2014, and the columns of money.
    columns : list of str
        Columns in pounds.
    price_year : int
        First calendar year of the financial year wanted.

    Returns
    -------
    DataFrame
        A copy, with `price_year` the year wanted, and `original_price_year` what it was.

    Raises
    ------
    DataError
        If a row does not say which year's prices it is in.

    Examples
    --------
    >>> money = pd.DataFrame({"amount": [448.0], "price_year": ["2013-14"]})
    >>> in_prices(money, ["amount"], 2024)["amount"].round(1).tolist()
    [613.4]
    """
    if "price_year" not in frame:
        raise DataError("Money without a price year: give the table a column price_year.")
    years = [
        year if isinstance(year, int) else year_number(str(year))
        for year in frame["price_year"].tolist()
    ]
    factors = [deflate(1.0, year, price_year) for year in years]
    out = frame.assign(original_price_year=years, price_year=price_year)
    for column in columns:
        out[column] = frame[column].to_numpy(dtype=float) * factors
    return out
