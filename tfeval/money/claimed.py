"""Claims of savings: what they imply, and what they would need in order to break even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from tfeval.errors import DataError, ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.appraise import appraise
from tfeval.money.prices import deflate
from tfeval.programme.published import figure, published
from tfeval.settings import once

#: The claims and costs that are held against each other.
NATIONAL = "National claim"
CENTRAL_COST, WHOLE_COST = "central only", "authority-contributed and central"


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


def break_even_2015(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return what share of the benefits claimed in 2015 must be the programme's own to break even.

    Two published pairs of benefit and cost a family (the report's and the press notice's), each
    against the whole cost and against central government's part of it; and the national claim
    against the budget, alone and with what authorities were expected to add.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario: how long a benefit lasts beyond the 12 months that were claimed. Money is
        the public purse's, as the claim was.

    Returns
    -------
    DataFrame
        `claim`, `cost_counted`, `benefit`, `cost` (pounds; a family or in all), `share` (if the
        benefit lasted the 12 months claimed and no longer), `lasting` (if it lasts as the scenario
        has it), `lasting_low`, `lasting_high` (with all, and with the least of it left that the
        scenario allows).

    Examples
    --------
    >>> rows = break_even_2015()
    >>> rows["share"].round(3).tolist()
    [0.466, 0.339, 0.458, 0.317, 0.373, 0.873]
    >>> bool((rows["lasting"] < rows["share"]).all())
    True
    """
    benefit = figure("benefits_claim_2015", "gross_benefit_per_family")
    cost = figure("benefits_claim_2015", "average_cost_per_family")
    budget = figure("budget", "phase_one_budget").pounds()[0]
    local = figure("budget", "local_contribution_expected").pounds()[0]
    families = figure("progress_national", "targeted", period="2012-15").value
    national = figure("benefits_claim_2015", "national_claim").pounds()[0]
    central = budget / families
    rows = [
        ("Report, a family", WHOLE_COST, benefit.low, cost.low),
        ("Report, a family", CENTRAL_COST, benefit.low, central),
        ("Press notice, a family", WHOLE_COST, benefit.high, cost.high),
        ("Press notice, a family", CENTRAL_COST, benefit.high, central),
        (NATIONAL, CENTRAL_COST, national, budget),
        (NATIONAL, WHOLE_COST, national, budget + local),
    ]
    frame = pd.DataFrame(rows, columns=["claim", "cost_counted", "benefit", "cost"])
    frame["share"] = [
        break_even_share(b, c) for b, c in zip(frame["benefit"], frame["cost"], strict=True)
    ]
    times, least, most = times_lasting(assumptions or Assumptions())
    return frame.assign(lasting=frame["share"] / times, lasting_low=frame["share"] / most,
                        lasting_high=frame["share"] / least)  # fmt: skip


@lru_cache(maxsize=16)
def times_lasting(assumptions: Assumptions) -> tuple[float, float, float]:
    """Return how many times its 12 months a benefit is worth, if it lasts as a scenario has it.

    Optimism bias of the scenario, if any, is taken off it.

    Parameters
    ----------
    assumptions : Assumptions

    Returns
    -------
    tuple of float
        With the share left in each further year as assumed, at least, and at most; present value
        over that of the 12 months.

    Examples
    --------
    >>> times_lasting(Assumptions(appraisal_years=1))
    (1.0, 1.0, 1.0)
    """
    appraisal = appraise_claim(1.0, 1.0, assumptions=assumptions)
    claimed = replace(assumptions, appraisal_years=1, optimism_bias="")
    once = appraise_claim(1.0, 1.0, assumptions=claimed).benefits
    point = appraisal.model.point()
    least, most = (
        round(float(appraisal.model.by_outcome(
            point.with_(powers=appraisal.model.powers([share]))).sum()) / once, 12)
        for share in assumptions.lasting[1:]
    )  # fmt: skip
    return round(appraisal.benefits / once, 12), least, most


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


# The 2015 claim through the appraisal code, as its deadweight goes from none to all of it.

#: The claim is of 12 months and was made in March 2015, in the prices of its year.
_CLAIM_YEAR, _MONTHS = 2014, 12
_OUTCOME = "claimed_saving"


@once
def appraise_claim(
    benefit: float,
    cost: float,
    deadweight: float = 0.0,
    *,
    families: float = 1.0,
    assumptions: Assumptions | None = None,
) -> Appraisal:
    """Appraise a claimed benefit, of which a share would have come anyway.

    Parameters
    ----------
    benefit, cost : float
        Pounds a family, in 2014-15 prices.
    deadweight : float, default 0
        Share of the benefit, 0 to 1, that would have come without the programme.
    families : float, default 1
    assumptions : Assumptions, optional
        The scenario: in whose prices, and how long the benefit lasts. By default as claimed: the
        twelve months and no longer, in 2014-15 prices.

    Returns
    -------
    Appraisal
        In the account of the public purse, as the claim was: who saves was not published.

    Raises
    ------
    ParameterError
        If the deadweight lies outside 0 to 1.

    Examples
    --------
    >>> found = appraise_claim(11_200, 5_214, deadweight=0.5)
    >>> round(found.npv), round(found.benefit_cost_ratio, 3)
    (386, 1.074)
    """
    if not 0 <= deadweight <= 1:
        raise ParameterError(f"deadweight lies between 0 and 1, not {deadweight}.")
    scenario = assumptions or Assumptions(
        price_year=_CLAIM_YEAR, appraisal_years=1, timing="end", base_year=_CLAIM_YEAR
    )
    options = {**scenario.of_phase("one"), "perspective": "fiscal"}
    rows = pd.DataFrame(
        {
            "outcome": [_OUTCOME],
            "months": [_MONTHS],
            "estimate": [-benefit * (1 - deadweight)],
            "std_error": [0.0],
        }
    )
    return appraise(
        Effects(rows, np.zeros((1, 1))), deflate(cost * families, _CLAIM_YEAR, scenario.price_year),
        families=families, first_year=_CLAIM_YEAR, unit_cost_table=_one_pound(), **options,
    )  # fmt: skip


def _one_pound() -> pd.DataFrame:
    """Return a unit cost of a pound for each pound claimed; the claim does not say who saves it."""
    claim = published("benefits_claim_2015")
    claim = claim[claim["figure"] == "gross_benefit_per_family"].iloc[[0]]
    return claim.assign(
        figure="unit_cost", outcome=_OUTCOME, component="claimed", code="", price_year="2014-15",
        payer="local authority", per="pound claimed", times=1.0, divided_by=1.0,
        conversion="none needed", value=1.0, low=1.0, high=1.0, range_basis="as claimed",
        price_index="gdp_deflator", transfer="no", cashable=0.0, cashable_low=0.0,
        cashable_high=0.0, own=1.0, own_low=1.0, own_high=1.0, overlaps="", priced="average",
        made="C", reached="second", note="As claimed",
    )  # fmt: skip


def claim_by_deadweight(
    shares: Sequence[float] = tuple(np.linspace(0, 1, 11)), assumptions: Assumptions | None = None
) -> pd.DataFrame:
    """Return the 2015 claims' value as the share that would have come anyway goes up.

    Parameters
    ----------
    shares : sequence of float
        Deadweight, 0 to 1.
    assumptions : Assumptions, optional
        As in `appraise_claim`: by default the twelve months claimed.

    Returns
    -------
    DataFrame
        `claim`, `cost_counted` (as in `break_even_2015`), `deadweight`, `benefits`, `costs`,
        `npv` (pounds), `ratio`.

    Examples
    --------
    >>> rows = claim_by_deadweight([0.0, 1.0])
    >>> rows["ratio"].round(2).tolist()[:2], rows["npv"].round().tolist()[-1]
    ([2.15, 0.0], -1048000000.0)
    """
    deadweight = np.asarray(shares, dtype=float)
    if not ((deadweight >= 0) & (deadweight <= 1)).all():
        raise ParameterError("Shares that would have come anyway lie between 0 and 1.")
    rows = []
    for row in break_even_2015().to_dict("records"):
        model = appraise_claim(row["benefit"], row["cost"], assumptions=assumptions).model
        point = model.point()
        # The appraisal's own arithmetic, with the effect alone moved.
        inputs = replace(
            point, effect=np.outer(1 - deadweight, model.estimate),
            amount=np.repeat(point.amount, len(deadweight), axis=0),
            powers=np.repeat(point.powers, len(deadweight), axis=0),
            cost=np.zeros(len(deadweight)),
        )  # fmt: skip
        benefits, costs = model.by_outcome(inputs).sum(axis=1), model.cost(inputs.cost)
        for share, gained, spent in zip(deadweight, benefits, costs, strict=True):
            rows.append((row["claim"], row["cost_counted"], share, gained, spent, gained - spent,
                          gained / spent))  # fmt: skip
    columns = ["claim", "cost_counted", "deadweight", "benefits", "costs", "npv", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def break_even_deadweight(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return the deadweight at which each 2015 claim just pays for itself, by the appraisal.

    Parameters
    ----------
    assumptions : Assumptions, optional
        As in `appraise_claim`: by default the twelve months claimed.

    Returns
    -------
    DataFrame
        `claim`, `cost_counted`, `deadweight`: one less the shares of `break_even_2015`.
    """
    rows = break_even_2015()
    needed = [
        -appraise_claim(row["benefit"], row["cost"], assumptions=assumptions)
        .break_even()["break_even"].iloc[0] / row["benefit"]
        for row in rows.to_dict("records")
    ]  # fmt: skip
    return rows[["claim", "cost_counted"]].assign(deadweight=1 - np.array(needed))
