"""Price bases: GDP deflators, and money put into the prices of one financial year."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.programme.published import published

# Discounting by edition of the Green Book: rates, factors, present and annual values.

#: When in the year money flows, in words.
TIMINGS = {"end": "whole years after it", "mid": "in the middle of each year"}
_NOT_IN_FORCE = "not in force"


@dataclass(frozen=True)
class Edition:
    """An edition of the Green Book, or a proposal to change it, as far as its rates are held.

    Attributes
    ----------
    name : str
        Such as "2022"; "2026-review" is a proposal.
    period : str
        When it was in force, as "2003-04 to 2018-03", "since 2026-02" or "not in force".
    adopted : bool
        False for a proposal: not in force, now or ever before.
    in_force : bool
        Whether it is in force now.
    kinds : tuple of str
        Rates that are held: "standard", "health", "sensitivity".
    """

    name: str
    period: str
    adopted: bool
    in_force: bool
    kinds: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name to print, which says so where a proposal is not in force."""
        if self.adopted:
            return f"Green Book {self.name}"
        return f"Green Book discount rate {self.name.replace('-', ' ')} (a proposal, not in force)"


def editions() -> list[str]:
    """Return the editions whose rates are held, oldest first, without the `proposals`.

    Examples
    --------
    >>> editions()
    ['2003', '2018', '2022', '2026']
    """
    return [name for name in _names() if edition_of(name).adopted]


def proposals() -> list[str]:
    """Return the proposed schedules that are not in force, such as "2026-review"."""
    return [name for name in _names() if not edition_of(name).adopted]


def _names() -> list[str]:
    return sorted(published("discount_rates")["edition"].unique())


@lru_cache(maxsize=32)
def edition_of(name: str) -> Edition:
    """Return what is held of an edition.

    Raises
    ------
    ParameterError
        If it is neither in `editions()` nor in `proposals()`.

    Examples
    --------
    >>> edition_of("2026-review").in_force
    False
    >>> edition_of("2026-review").label
    'Green Book discount rate 2026 review (a proposal, not in force)'
    """
    rows = published("discount_rates")
    if name not in set(rows["edition"]):
        known = suggest(name, rows["edition"].unique())
        raise ParameterError(f"There is no Green Book edition {name}. {known}")
    rows = rows[rows["edition"] == name]
    period = str(rows["in_force"].iloc[0])
    return Edition(
        name=name,
        period=period,
        adopted=period != _NOT_IN_FORCE,
        in_force=period.startswith("since "),
        kinds=tuple(dict.fromkeys(rows["rate_kind"])),
    )


def discount_rates(edition: str, kind: str = "standard") -> pd.DataFrame:
    """Return the schedule of discount rates of an edition.

    Parameters
    ----------
    edition : str
        One of `editions()` or `proposals()`.
    kind : {"standard", "health", "sensitivity"}
        "health" is for health benefits measured as such (life years), never for money that the
        health service saves. "sensitivity" leaves pure time preference out. Of the edition of
        2003 and of the review of 2026 only the standard rates are held, of that of 2018 no
        sensitivity rate; the schedule of the edition of 2020 was not read.

    Returns
    -------
    DataFrame
        `from_year`, `to_year` (years after the base year, both inclusive), `rate` (a year, as a
        fraction), `in_force` (False for a proposal and for past editions) and the source columns.

    Raises
    ------
    ParameterError
        If the edition or the kind is not held.
    """
    book = edition_of(edition)
    if kind not in book.kinds:
        raise ParameterError(f"{book.label} has no {kind} rate here. {suggest(kind, book.kinds)}")
    rows = published("discount_rates")
    rows = rows[(rows["edition"] == edition) & (rows["rate_kind"] == kind)]
    rows = rows.sort_values("from_year").reset_index(drop=True)
    rows.insert(0, "rate", rows["value"] / 100)
    rows["in_force"] = book.in_force
    columns = ["from_year", "to_year", "rate", "in_force"]
    return rows[[*columns, "source_title", "publisher", "date", "url", "status"]]


def discount_factors(
    years: int, edition: str, kind: str = "standard", timing: str = "end"
) -> npt.NDArray[np.float64]:
    """Return the factors that turn money of later years into present value.

    Each year's factor is the one before, divided by one plus that year's rate: the rate of a
    band applies to the step into each of its years.

    Parameters
    ----------
    years : int
        How many years after the base year.
    edition : str
        One of `editions()` or `proposals()`.
    kind : {"standard", "health", "sensitivity"}
        Which schedule.
    timing : {"end", "mid"}
        Whether money of year t comes t years after the base date, as the Green Book's tables have
        it, or is spread over the year that begins then, and so comes half a year later on
        average. Consecutive years are a whole year apart in both.

    Returns
    -------
    ndarray of float, shape (years + 1,)
        Factor for years 0 to `years`; the first is 1, or half a year's.

    Raises
    ------
    ParameterError
        If years are below 0 or beyond the schedule, or an argument is unknown.

    References
    ----------
    Green Book 2003, Annex 6, Table 6.1; Green Book 2022, Annex A6;
    `data/published/discount_rates.csv`.

    Examples
    --------
    >>> [round(float(factor), 4) for factor in discount_factors(2, "2022")]
    [1.0, 0.9662, 0.9335]
    >>> [round(float(factor), 4) for factor in discount_factors(2, "2022", timing="mid")]
    [0.9829, 0.9497, 0.9176]
    """
    schedule = discount_rates(edition, kind)
    last = int(schedule["to_year"].max())
    if not 0 <= years <= last:
        raise ParameterError(
            f"The {kind} schedule of {edition_of(edition).label} is held for years 0 to {last} "
            f"after the base year, not {years}: use a year within, or another edition."
        )
    if timing not in TIMINGS:
        raise ParameterError(f"There is no timing {timing}. {suggest(timing, TIMINGS)}")
    into = np.minimum(np.arange(1, years + 2), last)
    band = np.searchsorted(schedule["to_year"].to_numpy(dtype=float), into)
    step = 1 / (1 + schedule["rate"].to_numpy(dtype=float)[band])
    starts = np.concatenate([[1.0], np.cumprod(step[:-1])])
    return starts if timing == "end" else starts * np.sqrt(step)


def present_value(
    flows: npt.ArrayLike, edition: str, kind: str = "standard", timing: str = "end"
) -> float:
    """Return the present value of yearly flows, the first in the base year.

    Parameters
    ----------
    flows : array of float, shape (years,)
        Money in constant prices.
    edition, kind, timing : str
        As in `discount_factors`.

    Returns
    -------
    float
        Money in the same prices, seen from the base year.

    Examples
    --------
    >>> round(present_value([100.0, 100.0, 100.0], "2022"), 2)
    289.97
    """
    amounts = np.asarray(flows, dtype=float)
    if amounts.ndim != 1 or not len(amounts):
        raise ParameterError("A present value needs a row of yearly flows: one amount a year.")
    return float(amounts @ discount_factors(len(amounts) - 1, edition, kind, timing))


def equivalent_annual(
    amount: float, years: int, edition: str, kind: str = "standard", timing: str = "end"
) -> float:
    """Return the level yearly amount, in years 1 to `years`, that has a given present value.

    Parameters
    ----------
    amount : float
        Present value, in pounds.
    years : int
        For how many years; at least 1.
    edition, kind, timing : str
        As in `discount_factors`.

    Returns
    -------
    float
        Pounds a year.

    Examples
    --------
    >>> round(equivalent_annual(1000.0, 5, "2022"), 2)
    221.48
    """
    if years < 1:
        raise ParameterError(f"An equivalent annual amount needs at least 1 year, not {years}.")
    return amount / float(discount_factors(years, edition, kind, timing)[1:].sum())


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
    for wanted in (year, price_year):
        if wanted not in deflators.index:
            years = price_years()
            raise ParameterError(
                f"There is no deflator for {wanted}: use a year from {years[0]} to {years[-1]}."
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
