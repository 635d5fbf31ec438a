"""The account of an appraisal: what each unit less of an outcome is worth, and to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError
from tfeval.money.appraisal_settings import AppraisalSettings
from tfeval.money.prices import in_prices, year_number

HOUSEHOLDS = "households"
#: Whose account a household's loss of a benefit payment is on.
HOUSEHOLD_LAYER = "economic"
PROGRAMME = "programme costs"
_KEPT = ["outcome", "component", "code", "payer", "layer", "transfer", "cashability", "grade",
         "per"]  # fmt: skip


def account(effects: pd.DataFrame, costs: pd.DataFrame, asked: AppraisalSettings) -> pd.DataFrame:
    """Return every component of value of every effect.

    A benefit payment saved stands twice: as a gain of the payer's, and as the household's loss.

    Parameters
    ----------
    effects, costs : DataFrame
        As in `Valued`.
    asked : AppraisalSettings

    Returns
    -------
    DataFrame
        The unit cost's description, `line` (the effect's name), `of` and `unit` (places of the
        effect and of the unit cost), `unit_cost` (pounds; of opposite sign for a household's
        loss), `weight` (what a pound counts) and `counted` (whether in the perspective).
    """
    units = costs[_KEPT].assign(unit=np.arange(len(costs)), unit_cost=costs["amount"], turned=1.0)
    lost = units[units["transfer"] == "yes"].copy()
    lost["unit_cost"] *= -1
    lost = lost.assign(payer=HOUSEHOLDS, layer=HOUSEHOLD_LAYER, turned=-1.0)
    both = pd.concat([units, lost], ignore_index=True)
    named = effects[["name", "outcome"]].rename(columns={"name": "line"})
    named["of"] = np.arange(len(named))
    rows = named.merge(both, on="outcome", how="inner", validate="many_to_many")
    own = rows["payer"] == HOUSEHOLDS
    rows["weight"] = np.where(own, asked.weight, 1.0)
    counted = pd.Series(True, index=rows.index)
    if asked.perspective == "fiscal":
        counted &= (rows["layer"] == "fiscal") & ~own
    if asked.cashable_only:
        counted &= rows["cashability"] == "cashable"
    rows["counted"] = counted
    return rows.sort_values(["of", "unit", "turned"], ascending=[True, True, False]).reset_index(
        drop=True
    )


def programme_lines(costs: Any, asked: AppraisalSettings) -> pd.DataFrame:
    """Return the programme's costs, line by line, in the appraisal's prices.

    Parameters
    ----------
    costs : DataFrame or float
        As from `programme_costs`, or with `year`, `amount` and `price_year` at least; or one sum,
        in the appraisal's prices, in the first year.
    asked : AppraisalSettings

    Returns
    -------
    DataFrame
        `year` (number), `line`, `payer`, `amount`, `low`, `high`, `basis`, `sources`, `urls`.

    Raises
    ------
    DataError
        If a column is missing, or an amount is not a number of pounds.
    """
    if isinstance(costs, int | float) and not isinstance(costs, bool):
        first = min(asked.families)
        costs = pd.DataFrame(
            {"year": [first], "amount": [float(costs)], "price_year": [asked.price_year]}
        )
    if not isinstance(costs, pd.DataFrame):
        raise ParameterError("costs is a table such as programme_costs gives, or a sum in pounds.")
    missing = [name for name in ("year", "amount", "price_year") if name not in costs]
    if missing or costs.empty:
        named = ", ".join(missing) or "rows"
        raise DataError(f"The programme's costs lack {named}: give year, amount and price_year.")
    frame = costs.reset_index(drop=True)
    for name in ("amount", "low", "high"):
        if name not in frame:
            frame[name] = frame["amount"]
    defaults = {"line": "Programme", "payer": "central government", "basis": "", "sources": "",
                "urls": ""}  # fmt: skip
    for name, text in defaults.items():
        if name not in frame:
            frame[name] = text
    money = frame[["amount", "low", "high"]].apply(pd.to_numeric, errors="coerce")
    if not np.isfinite(money.to_numpy(dtype=float)).all():
        raise DataError("The programme's costs hold amounts that are not numbers: give pounds.")
    years = [
        year_number(year) if isinstance(year, str) else int(year) for year in frame["year"].tolist()
    ]
    frame = in_prices(frame.assign(year=years), ["amount", "low", "high"], asked.price_year)
    return frame[["year", "line", "payer", "amount", "low", "high", *list(defaults)[2:]]]
