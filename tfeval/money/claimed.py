"""Claims of savings: what they imply, and what they would need in order to break even."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from tfeval.errors import DataError
from tfeval.programme.published import figure


def break_even_share(benefit: float, cost: float) -> float:
    """Return the share of a gross benefit that must be the programme's own to cover a cost.

    One less this share is the deadweight at which the programme exactly pays for itself.

    Parameters
    ----------
    benefit : float
        Gross benefit, whatever its cause; pounds.
    cost : float
        What it cost; pounds, in the same prices and for the same families.

    Returns
    -------
    float
        Above 1 where even the whole benefit would not cover the cost.

    Raises
    ------
    DataError
        If the benefit is not above 0 or the cost below 0.

    Examples
    --------
    >>> round(break_even_share(11_200, 5_214), 3)
    0.466
    """
    if benefit <= 0 or cost < 0:
        raise DataError("A break-even share needs a benefit above 0 and a cost not below 0.")
    return cost / benefit


@dataclass(frozen=True)
class ImpliedCost:
    """The cost that a net benefit and a benefit-cost ratio imply together.

    Attributes
    ----------
    value, low, high : float
        Pounds (millions, if the net benefit is): from the printed figures, and from the ends of
        the intervals they may have been rounded from.
    """

    value: float
    low: float
    high: float


def implied_cost(net: float, ratio: float, net_step: float, ratio_step: float) -> ImpliedCost:
    """Return the cost implied by net benefit = cost x (ratio - 1), with its rounding.

    Parameters
    ----------
    net : float
        Net benefit: benefit less cost.
    ratio : float
        Benefit for each pound of cost; above 1.
    net_step, ratio_step : float
        Precision to which each is printed, such as 1 and 0.01.

    Returns
    -------
    ImpliedCost

    Raises
    ------
    DataError
        If the ratio, less its rounding, is not above 1.

    Examples
    --------
    >>> cost = implied_cost(366, 2.28, 1, 0.01)
    >>> round(cost.value), round(cost.low, 1), round(cost.high, 1)
    (286, 284.4, 287.5)
    """
    if ratio - ratio_step / 2 <= 1:
        raise DataError("A cost is implied only by a benefit-cost ratio above 1.")
    return ImpliedCost(
        value=net / (ratio - 1),
        low=(net - net_step / 2) / (ratio + ratio_step / 2 - 1),
        high=(net + net_step / 2) / (ratio - ratio_step / 2 - 1),
    )


def implied_costs_2019() -> pd.DataFrame:
    """Return the cost implied by each pair of figures of the 2019 cost-benefit analysis.

    Returns
    -------
    DataFrame
        `measure`, `net` (£m), `ratio`, `cost`, `low`, `high` (£m).
    """
    rows = []
    for measure in ("economic", "fiscal"):
        net = figure("evaluations", f"net_{measure}_benefit").value
        ratio = figure("evaluations", f"{measure}_benefit_per_pound").value
        cost = implied_cost(net, ratio, 1, 0.01)
        rows.append((measure, net, ratio, cost.value, cost.low, cost.high))
    return pd.DataFrame(rows, columns=["measure", "net", "ratio", "cost", "low", "high"])


def break_even_2015() -> pd.DataFrame:
    """Return what share of the benefits claimed in 2015 must be the programme's own to break even.

    Two published pairs of benefit and cost a family (the report's and the press notice's), each
    against the whole cost and against central government's part of it; and the national claim
    against the budget, alone and with what authorities were expected to add.

    Returns
    -------
    DataFrame
        `claim`, `cost_counted`, `benefit`, `cost` (pounds; a family or in all), `share`.

    Examples
    --------
    >>> break_even_2015()["share"].round(3).tolist()
    [0.466, 0.339, 0.458, 0.317, 0.373, 0.873]
    """
    benefit = figure("benefits_claim_2015", "gross_benefit_per_family")
    cost = figure("benefits_claim_2015", "average_cost_per_family")
    budget = figure("budget", "phase_one_budget").pounds()[0]
    local = figure("budget", "local_contribution_expected").pounds()[0]
    families = figure("progress_national", "targeted", period="2012-15").value
    national = figure("benefits_claim_2015", "national_claim").pounds()[0]
    central = budget / families
    rows = [
        ("Report, a family", "authority-contributed and central", benefit.low, cost.low),
        ("Report, a family", "central only", benefit.low, central),
        ("Press notice, a family", "authority-contributed and central", benefit.high, cost.high),
        ("Press notice, a family", "central only", benefit.high, central),
        ("National claim", "central only", national, budget),
        ("National claim", "authority-contributed and central", national, budget + local),
    ]
    frame = pd.DataFrame(rows, columns=["claim", "cost_counted", "benefit", "cost"])
    frame["share"] = [
        break_even_share(b, c) for b, c in zip(frame["benefit"], frame["cost"], strict=True)
    ]
    return frame


def national_claim_rebuilt() -> pd.DataFrame:
    """Return the national claim rebuilt: families claimed times the claimed benefit of each.

    The claim stands in neither report; this shows which published figures it agrees with.

    Returns
    -------
    DataFrame
        `families` (claimed by February 2015, by May 2015), `benefit` (pounds a family), `gross`
        (pounds), `cost` (pounds, at the pair's own cost a family), `net` (pounds).
    """
    benefit = figure("benefits_claim_2015", "gross_benefit_per_family")
    cost = figure("benefits_claim_2015", "average_cost_per_family")
    rows = []
    for month in ("2015-02", "2015-05"):
        families = figure("progress_national", "turned_around", as_of=month).value
        for gain, price in ((benefit.low, cost.low), (benefit.high, cost.high)):
            rows.append((month, families, gain, families * gain, families * price))
    frame = pd.DataFrame(rows, columns=["as_of", "families", "benefit", "gross", "cost"])
    frame["net"] = frame["gross"] - frame["cost"]
    return frame
