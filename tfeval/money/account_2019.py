"""Why our ratios and the published ones of 2019 differ: one thing turned at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import without_values
from tfeval.money.appraise import appraise
from tfeval.money.evaluation_2019 import Published, appraise_2019, families_by_year, family_effects
from tfeval.money.people import people_in_family
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.published import figure, published

VIEWS = ("total", "central")


def published_ratios() -> dict[str, float]:
    """Return the ratios that the 2019 evaluation published, by account.

    Examples
    --------
    >>> published_ratios()
    {'fiscal': 1.51, 'economic': 2.28}
    """
    names = ("fiscal", "economic")
    return {name: figure("evaluations", f"{name}_benefit_per_pound").value for name in names}


def account_2019(price_year: int = 2024, edition: str = "2026") -> pd.DataFrame:
    """Return our ratio of the 2019 effects, and what each assumption does to it.

    Parameters
    ----------
    price_year : int
    edition : str
        Of the Green Book.

    Returns
    -------
    DataFrame
        `turned` (what is changed), `how`, and benefits for each pound of cost: `total` (all
        public costs counted), `central` (central government's alone). The first row is the
        reference: the fiscal account over five years, half of each effect left in each further
        year, from the first day on.
    """
    base = {"price_year": price_year, "edition": edition}
    costs = _costs(base)
    rows = [
        (turned, how, appraise_2019(**{**base, **change}).benefits)
        for turned, how, change in _changes(price_year)
    ]
    rows.append(_protection_plans(base, rows[0][2]))
    return pd.DataFrame([(turned, how, *worth / costs) for turned, how, worth in rows],
                        columns=["turned", "how", *VIEWS])  # fmt: skip


def _costs(base: dict[str, Any]) -> np.ndarray:
    """Return the programme's costs in each view, pounds of present value."""
    return np.array([appraise_2019(view=view, **base).costs for view in VIEWS])


def _changes(price_year: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what is turned, in words, and the settings that turn it."""
    people = people_in_family()

    def ends(end: str) -> dict[str, float]:
        return {name: getattr(item, end) for name, item in people.items()}

    fewer, more = ends("low"), ends("high")
    cost = figure_range("looked_after", price_year)
    return [
        ("As here", "half of each effect left each further year, from the first day", {}),
        ("How long effects last", "none after the two years", {"persistence": 0.0}),
        ("How long effects last", "all of it to year five", {"persistence": 1.0}),
        ("When they began", "in month 19, when they were seen", {"begins": "month_19"}),
        ("People in a family", _named(fewer), {"people": fewer}),
        ("People in a family", _named(more), {"people": more}),
        ("Cost of a year in care", f"£{cost[0]:,.0f}: foster care",
         {"unit_cost_table": _at_end("looked_after", "low")}),
        ("Cost of a year in care", f"£{cost[1]:,.0f}: residential care",
         {"unit_cost_table": _at_end("looked_after", "high")}),
        ("What is counted", "without children looked after", {"without": ("looked_after",)}),
        ("Whose account", "everybody's: an allowance saved is a household's loss",
         {"perspective": "social"}),
    ]  # fmt: skip


def _named(people: Mapping[str, float]) -> str:
    return ", ".join(f"{number:.1f} {name}" for name, number in people.items())


def figure_range(outcome: str, price_year: int) -> tuple[float, float]:
    """Return the low and high cost of a year of a state, pounds in `price_year` prices."""
    rows = unit_costs(price_year, [outcome])
    return float(rows["low"].sum() * 365), float(rows["high"].sum() * 365)


def _at_end(outcome: str, end: str) -> pd.DataFrame:
    """Return the unit costs with one outcome's at an end of its range."""
    rows = published("unit_costs")
    rows = rows[rows["figure"] == "unit_cost"].copy()
    chosen = rows["outcome"] == outcome
    rows.loc[chosen, "value"] = rows.loc[chosen, end].astype(float)
    return rows


def _protection_plans(base: dict[str, Any], worth: float) -> tuple[str, str, float]:
    """Take off what each point more of children on a plan would cost, had it been published."""
    missing = without_values("2019")
    named = ", ".join(missing.loc[missing["finding"].str.contains("adverse"), "months"])
    frame = pd.DataFrame({"outcome": ["protection_plan"], "population": ["children"],
                          "months": [24], "estimate": [0.01], "std_error": [0.0]})  # fmt: skip
    more = family_effects(Effects(frame, np.zeros((1, 1))))
    lost = appraise(
        more, 0.0, families=families_by_year(), base_year=2015, perspective="fiscal", **base
    ).benefits
    how = (
        f"if one child in a hundred more was on one (adverse at months {named}; the size was not "
        "published where seen)"
    )
    return ("Child protection plans", how, worth + lost)


def needed_2019(price_year: int = 2024, edition: str = "2026") -> pd.DataFrame:
    """Return what would have to hold for the effects to be worth the published fiscal ratio.

    Parameters
    ----------
    price_year : int
    edition : str
        Of the Green Book.

    Returns
    -------
    DataFrame
        `what`, `total`, `central`: the share of an effect left in each further year, and the
        people in a family as a multiple of those taken, at which our ratio is the published one;
        NaN where no share from 0 to 1 would do.
    """
    wanted = published_ratios()["fiscal"]
    base: dict[str, Any] = {"price_year": price_year, "edition": edition}
    found, costs = appraise_2019(**base), _costs(base)
    shares = [_share_for(found, wanted * cost) for cost in costs]
    # Every benefit is proportional to the people in a family.
    times = wanted * costs / found.benefits
    return pd.DataFrame(
        [
            ("Share of an effect left in each further year", *shares),
            ("People in a family, times those taken", *times),
        ],
        columns=["what", *VIEWS],
    )


def _share_for(found: Published, worth: float) -> float:
    from scipy.optimize import brentq  # noqa: PLC0415

    if not found.benefits_at(0.0) <= worth <= found.benefits_at(1.0):
        return float("nan")
    return float(brentq(lambda share: found.benefits_at(share) - worth, 0.0, 1.0, xtol=1e-6))
