"""Discounting by edition of the Green Book: rates, factors, present and annual values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.programme.published import published

TIMINGS = ("end", "mid")
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
        health service saves. Of the editions of 2003 and 2018 and of the review of 2026 only
        the standard rates are held; the edition of 2026 adds a sensitivity test.

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
    held = edition_of(edition)
    if kind not in held.kinds:
        raise ParameterError(f"{held.label} has no {kind} rate here. {suggest(kind, held.kinds)}")
    rows = published("discount_rates")
    rows = rows[(rows["edition"] == edition) & (rows["rate_kind"] == kind)]
    rows = rows.sort_values("from_year").reset_index(drop=True)
    rows.insert(0, "rate", rows["value"] / 100)
    rows["in_force"] = held.in_force
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
        Whether money of year t comes at its end, or is spread over it and so comes half a year
        earlier on average. Money of year 0 is not discounted in either.

    Returns
    -------
    ndarray of float, shape (years + 1,)
        Factor for years 0 to `years`; the first is 1.

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
    [1.0, 0.9829, 0.9497]
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
    band = np.searchsorted(schedule["to_year"].to_numpy(dtype=float), np.arange(1, years + 1))
    step = 1 / (1 + schedule["rate"].to_numpy(dtype=float)[band])
    ends = np.concatenate([[1.0], np.cumprod(step)])
    if timing == "end":
        return ends
    return np.concatenate([[1.0], ends[:-1] * np.sqrt(step)])


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
