"""The account of an appraisal: what each unit less of an outcome is worth, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.money.appraisal_settings import AppraisalSettings, is_number
from tfeval.money.model import ACCOUNTS, Model
from tfeval.money.prices import in_prices, year_number
from tfeval.money.unit_costs import PUBLIC, TAXPAYERS

PARTICIPANTS = "participants"
PROGRAMME = "programme costs"
_KEPT = ["outcome", "component", "code", "payer", "party", "transfer", "cashable", "grade",
         "per"]  # fmt: skip


def account(
    effects: pd.DataFrame, costs: pd.DataFrame, settings: AppraisalSettings
) -> pd.DataFrame:
    """Return every component of value of every effect.

    A transfer stands twice: as the public body's, and as the participants' with the other sign.

    Parameters
    ----------
    effects, costs : DataFrame
        As in `Valued`.
    settings : AppraisalSettings

    Returns
    -------
    DataFrame
        The unit cost's description, `line` (the effect's name), `of` and `unit` (places of the
        effect and of the unit cost), `unit_cost` (pounds; of opposite sign for participants'
        part of a transfer), and what a pound counts in each account: `fiscal`, `social`.
    """
    units = costs[_KEPT].assign(unit=np.arange(len(costs)), unit_cost=costs["amount"], turned=1.0)
    lost = units[units["transfer"] == "yes"].copy()
    lost["unit_cost"] *= -1
    lost = lost.assign(payer=PARTICIPANTS, party=PARTICIPANTS, turned=-1.0)
    both = pd.concat([units, lost], ignore_index=True)
    named = effects[["name", "outcome"]].rename(columns={"name": "line"})
    named["of"] = np.arange(len(named))
    rows = named.merge(both, on="outcome", how="inner", validate="many_to_many")
    public, own = rows["party"] == TAXPAYERS, rows["party"] == PARTICIPANTS
    if settings.relative_income is not None and not (own & (rows["transfer"] == "no")).any():
        raise ParameterError(
            "relative_income weighs what participants gain, and no gain of theirs is in the "
            "account: without one only their losses would count for more. Leave it out."
        )
    cash = np.where(public & settings.cashable_only, rows["cashable"], 1.0)
    rows["fiscal"] = np.where(public, cash, 0.0)
    others = np.where(own, settings.weight, 1.0) * (0.0 if settings.cashable_only else 1.0)
    rows["social"] = np.where(public, cash * settings.public_funds, others)
    return rows.sort_values(["of", "unit", "turned"], ascending=[True, True, False]).reset_index(
        drop=True
    )


def programme_lines(costs: Any, settings: AppraisalSettings) -> pd.DataFrame:
    """Return the programme's costs, line by line, in the appraisal's prices.

    Parameters
    ----------
    costs : DataFrame or float
        As from `programme_costs`, or with `year`, `amount` and `price_year` at least; or one sum,
        in the appraisal's prices, in the first year.
    settings : AppraisalSettings

    Returns
    -------
    DataFrame
        `year` (number), `line`, `payer`, `amount`, `low`, `high`, `basis`, `sources`, `urls`.

    Raises
    ------
    DataError
        If a column is missing, an amount is not a number of pounds from 0 on, lies outside its
        low and high, or its payer or year is none.
    """
    if is_number(costs):
        first = min(settings.families)
        costs = pd.DataFrame(
            {"year": [first], "amount": [float(costs)], "price_year": [settings.price_year]}
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
    money = frame[["amount", "low", "high"]].apply(pd.to_numeric, errors="coerce").astype(float)
    _check_costs(frame, money)
    for name in ("year", "price_year"):
        frame[name] = [year_number(year) if isinstance(year, str) else int(year)
                       for year in frame[name].tolist()]  # fmt: skip
    frame = frame.assign(**dict(money.items()))
    frame = in_prices(frame, ["amount", "low", "high"], settings.price_year)
    return frame[["year", "line", "payer", "amount", "low", "high", *list(defaults)[2:]]]


def lopsided(spent: pd.DataFrame) -> bool:
    """Return whether the costs' sum is at an end of its range: no mean of what could be drawn."""
    low, middle, high = (float(spent[name].sum()) for name in ("low", "amount", "high"))
    return high - low > _PENNY and min(middle - low, high - middle) <= _PENNY


#: A penny of rounding is no fault of a range.
_PENNY = 0.005


def _check_costs(frame: pd.DataFrame, money: pd.DataFrame) -> None:
    """Refuse costs that are none: the first fault, in one line.

    Ends of published rows, which name their sources, go together over years and lines
    (`CostLine`), so that in one year a low may lie above a high: they are judged by payer.
    """
    apart = frame["sources"].astype(str) == ""
    by_payer = money.groupby(frame["payer"]).transform("sum")
    low, middle, high = (money[name].where(apart, by_payer[name])
                         for name in ("low", "amount", "high"))  # fmt: skip
    year, price = frame["year"], frame["price_year"]
    faults = {
        "amount, low or high: not a number of pounds": ~np.isfinite(money).all(axis=1),
        "amount, low or high: below 0": (money < 0).any(axis=1),
        "low and high: not around the amount (low, amount, high rise)":
            (low > middle + _PENNY) | (middle > high + _PENNY),
        f"payer: none of {', '.join(PUBLIC)}": ~frame["payer"].isin(PUBLIC),
        "year: no financial year, such as 2014-15": ~year.map(_is_year),
        "price_year: no financial year, such as 2014-15": ~price.map(_is_year),
    }  # fmt: skip
    for what, odd in faults.items():
        if odd.any():
            raise DataError(
                f"The programme's costs, {what}, in {int(odd.sum())} rows: correct these."
            )


def _is_year(year: object) -> bool:
    if isinstance(year, str):
        try:
            return year_number(year) > 0
        except DataError:
            return False
    if isinstance(year, bool) or not isinstance(year, int | float | np.integer):
        return False
    return float(year).is_integer()


# Measures of value for money, from an appraisal's lines.

GROUPS = ("kind", "term", "year", "joined", "outcome", "line", "component", "payer", "party",
          "transfer", "grade")  # fmt: skip


def grouped(lines: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return benefits, costs and their difference by some columns of the lines.

    Returns
    -------
    DataFrame
        The columns, then `benefits`, `costs`, `net` (present values) and `undiscounted` (net).

    Raises
    ------
    ParameterError
        If a column is none of `GROUPS`.
    """
    for name in columns:
        if name not in GROUPS:
            raise ParameterError(f"Lines are not grouped by {name}. {suggest(name, GROUPS)}")
    benefit = lines["kind"] == "benefit"
    frame = lines.assign(
        benefits=lines["present_value"].where(benefit, 0.0),
        costs=-lines["present_value"].where(~benefit, 0.0),
        net=lines["present_value"],
    )
    sums = ["benefits", "costs", "net", "undiscounted"]
    return frame.groupby(list(columns), sort=True, dropna=False)[sums].sum().reset_index()


def payback_year(lines: pd.DataFrame) -> int | None:
    """Return the first year from which the value so far is never again below 0, or None.

    Examples
    --------
    >>> rows = pd.DataFrame({"year": [2012, 2013, 2014], "present_value": [-100.0, 60.0, 40.0]})
    >>> payback_year(rows)
    2014
    """
    so_far = lines.groupby("year")["present_value"].sum().sort_index().cumsum()
    # A penny is what adding up in another order may move.
    below = np.flatnonzero(so_far.to_numpy() < -0.005)
    if not len(below):
        return int(so_far.index[0])
    return None if below[-1] == len(so_far) - 1 else int(so_far.index[below[-1] + 1])


def ratio(over: float, under: float) -> float:
    """Divide; NaN where there is nothing to divide by.

    Examples
    --------
    >>> ratio(3, 2), ratio(1, 0)
    (1.5, nan)
    """
    return over / under if under else float("nan")


def public_values(rows: pd.DataFrame, model: Model) -> dict[tuple[str, str], float]:
    """Return what each outcome is worth to each public payer, present value: as it is counted.

    Parameters
    ----------
    rows : DataFrame
        As from `account`.
    model : Model
    """
    rows = rows.assign(pounds=model.by_component(model.point(), "fiscal")[0])
    public = rows[rows["party"] == TAXPAYERS]
    sums = public.groupby(["outcome", "payer"], as_index=False)["pounds"].sum()
    keys = zip(sums["outcome"], sums["payer"], strict=True)
    return dict(zip(keys, sums["pounds"], strict=True))


def accounts(model: Model) -> pd.DataFrame:
    """Return what is expected of each account; see `Appraisal.accounts`."""
    rows, point = [], model.point()
    for name in ACCOUNTS:
        benefits = float(model.by_outcome(point, name).sum())
        costs = float(model.cost(point.cost, name)[0])
        rows.append((name, benefits, costs, benefits - costs, ratio(benefits, costs)))
    return pd.DataFrame(rows, columns=["account", "benefits", "costs", "npv", "ratio"])


def own_gains(frame: pd.DataFrame) -> tuple[float, float]:
    """Return the least and most that all but taxpayers gain apart from transfers; present value.

    A participant who chooses to work is at the margin about as well off as before (the envelope
    theorem): at the least earnings count nothing for the earner, and at the most in full.

    Parameters
    ----------
    frame : DataFrame
        Every line, counted or not; see `Appraisal`.
    """
    rows = frame[(frame["kind"] == "benefit") & (frame["party"] != TAXPAYERS)]
    rows = rows[rows["transfer"] != "yes"]
    worth = -rows["quantity"] * rows["unit_cost"] * rows["kept"] * rows["discount_factor"]
    theirs = rows["party"] == PARTICIPANTS
    rest = float(worth[~theirs].sum())
    ends = sorted((0.0, float(worth[theirs].sum())))
    return rest + ends[0], rest + ends[1]


def marginal_value(willing: float, net_cost: float) -> float:
    """Return the marginal value of public funds.

    Parameters
    ----------
    willing : float
        What those who are served would pay for it; pounds.
    net_cost : float
        Cost to the public purse, less what comes back to it; pounds.

    Returns
    -------
    float
        Infinite where the policy pays for itself and those served gain; NaN where it pays for
        itself and they lose.

    References
    ----------
    Hendren and Sprung-Keyser (2020), A unified welfare analysis of government policies,
    Quarterly Journal of Economics 135(3), section II.

    Examples
    --------
    >>> marginal_value(150.0, 100.0), marginal_value(10.0, -5.0)
    (1.5, inf)
    """
    if net_cost > 0:
        return willing / net_cost
    return float("inf") if willing >= 0 else float("nan")


def additional(effects: pd.DataFrame, families: float, valued: Sequence[str]) -> pd.DataFrame:
    """Return effect x families for each effect; see `Appraisal.additional`."""
    scaled = effects[["estimate", "conf_low", "conf_high"]] * families
    return pd.DataFrame(
        {
            "outcome": effects["outcome"],
            "months": effects["months"],
            "effect": effects["estimate"],
            "families": families,
            "additional": scaled["estimate"],
            "low": scaled["conf_low"],
            "high": scaled["conf_high"],
            "valued": effects["outcome"].isin(valued),
        }
    )
