"""What an appraisal takes as given, and no record says."""

from __future__ import annotations

from dataclasses import dataclass

from tfeval.money.appraisal_settings import PERSPECTIVES, RANGES
from tfeval.programme.claims import edition, price_years
from tfeval.settings import Settings, setting

#: By how much the share of an effect left each year may lie beside what is assumed.
EITHER_SIDE = 0.5


def _years() -> tuple[float, float]:
    low, high, _ = RANGES["horizon"]
    return low, high


@dataclass(frozen=True)
class Assumptions(Settings):
    """What every appraisal of a report takes as given: frozen, checked, comparable, hashable.

    Attributes
    ----------
    price_year : int
        Financial year of prices, by its first calendar year.
    green_book_edition : str
        Whose discount rates apply.
    appraisal_years : int
        Years counted from when a family joins.
    persistence : float
        Share of an effect left in each further year; it may lie by a half on either side.
    perspective : {"social", "fiscal"}

    Examples
    --------
    >>> Assumptions(persistence=0.8).lasting
    (0.8, 0.3, 1.0)
    """

    price_year: int = setting(
        2024,
        "financial year of prices, by its first calendar year",
        between=price_years,
        why=": there is no deflator for it",
    )
    green_book_edition: str = setting(
        "2026", "Green Book edition whose discount rates apply", official=edition
    )
    appraisal_years: int = setting(
        5,
        "years of benefits counted from when a family joins, 1 to 60",
        between=_years,
        unit="years",
    )
    persistence: float = setting(
        0.5, "share of an effect left in each further year, 0 to 1", between=lambda: (0, 1)
    )
    perspective: str = setting(
        "social",
        "social: everybody's account; fiscal: the public purse",
        known=lambda: PERSPECTIVES,
    )

    @property
    def lasting(self) -> tuple[float, float, float]:
        """Share of an effect left each year: assumed, least, most."""
        return (
            self.persistence,
            round(max(0.0, self.persistence - EITHER_SIDE), 12),
            min(1.0, self.persistence + EITHER_SIDE),
        )

    @property
    def appraisal(self) -> dict[str, object]:
        """The same as `appraise` names its settings."""
        return {
            "price_year": self.price_year, "edition": str(self.green_book_edition),
            "horizon": self.appraisal_years, "persistence": self.lasting,
            "perspective": self.perspective,
        }  # fmt: skip
