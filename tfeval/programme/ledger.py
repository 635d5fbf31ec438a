"""Payment by results: from families attached and results claimed to fees and payments due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfeval.errors import DataError, suggest
from tfeval.programme.phases import RESULT_KINDS, Tariff
from tfeval.programme.published import Figure, Source

_ATTACHED = ("area", "attached_year", "families")
_RESULTS = ("area", "attached_year", "paid_year", "kind", "families")


def fundable(families: Sequence[float] | pd.Series, share: float) -> np.ndarray:
    """Return how many of cumulative families are funded, to the nearest whole family.

    Parameters
    ----------
    families : sequence of float
        Families, counted cumulatively.
    share : float
        The share that is funded: five-sixths in phase one, since one family in six was expected
        to be helped, or paid for, in other ways (deadweight and double payment).

    Returns
    -------
    ndarray of int, of the same length

    Examples
    --------
    >>> fundable([290, 540], 5 / 6).tolist()      # Hartlepool; Hammersmith and Fulham
    [242, 450]
    """
    return np.floor(np.round(np.asarray(families, dtype=float) * share, 9) + 0.5).astype(int)


def payments_due(attached: pd.DataFrame, results: pd.DataFrame, tariff: Tariff) -> pd.DataFrame:
    """Return the fees and payments due under the tariff, by authority, year and kind.

    A family's results payment follows the year in which it was attached, so that no family can
    earn more than the maximum. Funded families are rounded cumulatively over the years, so the
    years add up to the funded number of the whole.

    Parameters
    ----------
    attached : DataFrame
        `area`, `attached_year` (financial year), `families` (newly attached in that year).
    results : DataFrame
        `area`, `attached_year`, `paid_year`, `kind` (a result kind), `families`.
    tariff : Tariff
        What is paid for.

    Returns
    -------
    DataFrame
        `area`, `paid_year`, `attached_year`, `kind` ("attachment" or a result kind), `families`,
        `funded` (families), `rate` (pounds a family), `payment` (pounds).

    Raises
    ------
    DataError
        If columns are missing, counts negative, years or kinds unknown, results outnumber the
        families attached, or progress to work outnumbers the results that it stands beside.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> year = pd.DataFrame({"area": ["Sefton"], "attached_year": ["2012-13"], "families": [220]})
    >>> none = pd.DataFrame(columns=["area", "attached_year", "paid_year", "kind", "families"])
    >>> payments_due(year, none, phase("one").tariff)["payment"].tolist()
    [585600.0]
    """
    _check(attached, results, tariff)
    fees = attached.assign(kind="attachment", paid_year=attached["attached_year"])
    fees["rate"] = fees["attached_year"].map(tariff.fee)
    paid = results.assign(
        rate=[
            tariff.results_payment[pair]
            for pair in zip(results["attached_year"], results["kind"], strict=True)
        ]
    )
    lines = pd.concat([fees, paid], ignore_index=True) if len(paid) else fees
    lines = lines.sort_values(["area", "kind", "attached_year", "paid_year"], kind="stable")
    running = lines.groupby(["area", "kind"])["families"].cumsum()
    whole = pd.Series(fundable(running, tariff.funded_share), index=lines.index)
    before = whole.groupby([lines["area"], lines["kind"]]).shift(fill_value=0)
    lines["funded"] = whole - before
    lines["payment"] = lines["funded"] * lines["rate"].astype(float)
    columns = [
        "area",
        "paid_year",
        "attached_year",
        "kind",
        "families",
        "funded",
        "rate",
        "payment",
    ]
    return lines[columns].reset_index(drop=True)


def maximum_payable(families: float, tariff: Tariff) -> float:
    """Return the most that the tariff can pay for a number of families, in pounds.

    Parameters
    ----------
    families : float
        Families to be turned around.
    tariff : Tariff
        What is paid for; the maximum is that of the dearest year.

    Examples
    --------
    >>> from tfeval.programme.phases import phase
    >>> maximum_payable(4180, phase("one").tariff)      # Birmingham, published as £13.9m
    13932000.0
    """
    best = max(tariff.maximum(year) for year in tariff.years)
    return float(fundable([families], tariff.funded_share)[0] * best)


def year_two_release(worked_with: float, agreed: float) -> float:
    """Return the share of year two's attachment fees that was paid in its first quarter.

    Parameters
    ----------
    worked_with : float
        Families worked with by the end of year one.
    agreed : float
        Families the authority had agreed to work with in year one.

    Returns
    -------
    float
        1 at 75% or more of the agreed number; one half from 33%, the rest on catching up; 0 below.

    References
    ----------
    The MJ, February 2013; `data/published/tariff.csv`.

    Examples
    --------
    >>> year_two_release(35_618, 41_835), year_two_release(50, 100), year_two_release(32, 100)
    (1.0, 0.5, 0.0)
    """
    if agreed <= 0 or worked_with < 0:
        raise DataError("Families agreed must be above 0, and families worked with not below 0.")
    share = worked_with / agreed
    return 1.0 if share >= 0.75 else 0.5 if share >= 0.33 else 0.0


@dataclass(frozen=True)
class Part:
    """A part of a budget, in pounds, as a range.

    Attributes
    ----------
    name : str
        What it paid for.
    low, high : float
        Pounds.
    basis : str
        How it was arrived at.
    sources : tuple of Source
        Where its figures come from.
    assumed : bool
        Whether its size rests on an assumption that no source makes.
    """

    name: str
    low: float
    high: float
    basis: str
    sources: tuple[Source, ...] = ()
    assumed: bool = False


@dataclass(frozen=True)
class Reconciliation:
    """A budget beside its parts, with what is left unexplained: it always adds up.

    Attributes
    ----------
    total : Figure
        The published budget.
    parts : tuple of Part
        What is known of it.
    """

    total: Figure
    parts: tuple[Part, ...]

    @property
    def budget(self) -> float:
        """The published budget in pounds."""
        return self.total.pounds()[0]

    @property
    def explained(self) -> tuple[float, float]:
        """Pounds explained by the parts, low and high."""
        return sum(part.low for part in self.parts), sum(part.high for part in self.parts)

    @property
    def remainder(self) -> tuple[float, float]:
        """Pounds left unexplained, low and high; below zero, the parts exceed the budget."""
        low, high = self.explained
        return self.budget - high, self.budget - low

    @property
    def sourced_remainder(self) -> tuple[float, float]:
        """As `remainder`, of the parts that rest on no assumption."""
        return Reconciliation(
            self.total, tuple(part for part in self.parts if not part.assumed)
        ).remainder

    def to_frame(self) -> pd.DataFrame:
        """Return the parts, the remainder and the total.

        Returns
        -------
        DataFrame
            `part`, `low`, `high` (pounds), `share_low`, `share_high` (of the budget), `basis`.
            For either end, parts and the remainder add up to the budget: the low remainder
            belongs to the high parts.
        """
        rows = [(part.name, part.low, part.high, part.basis) for part in self.parts]
        rows.append(("Left unexplained", *self.remainder, "budget less the parts above"))
        rows.append((self.total.definition, self.budget, self.budget, "published"))
        frame = pd.DataFrame(rows, columns=["part", "low", "high", "basis"])
        frame.insert(3, "share_low", frame["low"] / self.budget)
        frame.insert(4, "share_high", frame["high"] / self.budget)
        return frame


def _check(attached: pd.DataFrame, results: pd.DataFrame, tariff: Tariff) -> None:
    for name, frame, columns in (("attached", attached, _ATTACHED), ("results", results, _RESULTS)):
        missing = [column for column in columns if column not in frame]
        if missing:
            raise DataError(f"Table {name}: column {', '.join(missing)} is missing: add it.")
        below = int((pd.to_numeric(frame["families"]) < 0).sum())
        if below:
            raise DataError(
                f"Table {name}: column families is negative in {below} rows: correct it."
            )
        for year in frame["attached_year"].unique():
            if year not in tariff.years:
                raise DataError(
                    f"Table {name}: the tariff has no year {year}. {suggest(year, tariff.years)}"
                )
    for kind in results["kind"].unique():
        if kind not in RESULT_KINDS:
            raise DataError(f"Table results: unknown kind {kind}. {suggest(kind, RESULT_KINDS)}")
    _check_counts(attached, results)


def _check_counts(attached: pd.DataFrame, results: pd.DataFrame) -> None:
    if not len(results):
        return
    keys = ["area", "attached_year"]
    wide = results.pivot_table(index=keys, columns="kind", values="families", aggfunc="sum")
    wide = wide.reindex(columns=list(RESULT_KINDS)).fillna(0)
    beside = int((wide["progress_to_work"] > wide["crime_asb_education"]).sum())
    if beside:
        raise DataError(
            f"Table results: in {beside} areas and years progress_to_work outnumbers "
            "crime_asb_education, beside which alone it is paid: check both."
        )
    turned = wide["crime_asb_education"] + wide["continuous_employment"]
    entered = attached.groupby(keys)["families"].sum().reindex(turned.index).fillna(0)
    over = int((turned > entered).sum())
    if over:
        raise DataError(
            f"Table results: in {over} areas and years more families have a result than were "
            "attached: check both."
        )
