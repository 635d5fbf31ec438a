"""Measures of value for money, from an appraisal's lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.money.account import HOUSEHOLDS

GROUPS = ("kind", "year", "joined", "outcome", "line", "component", "payer", "layer", "transfer",
          "cashability", "grade")  # fmt: skip


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


def fiscal_benefits(lines: pd.DataFrame) -> float:
    """Return the present value of what public bodies no longer spend, transfers among it."""
    kept = (lines["kind"] == "benefit") & (lines["layer"] == "fiscal")
    kept &= lines["payer"] != HOUSEHOLDS
    return float(lines.loc[kept, "present_value"].sum())


def own_gain(lines: pd.DataFrame, weight: float = 1.0) -> float:
    """Return what households gain apart from benefit payments, in present value, unweighted.

    Payments that end because somebody enters work are left out: at the margin who chooses to
    work is about as well off as before (the envelope theorem).
    """
    kept = (lines["kind"] == "benefit") & (lines["payer"] == HOUSEHOLDS)
    kept &= lines["transfer"] != "yes"
    return float(lines.loc[kept, "present_value"].sum()) / weight


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
