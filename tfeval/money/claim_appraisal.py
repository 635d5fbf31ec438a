"""The 2015 claim through the appraisal code, as its deadweight goes from none to all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraise import appraise
from tfeval.money.claimed import break_even_2015
from tfeval.money.prices import deflate
from tfeval.programme.published import published

#: The claim is of 12 months and was made in March 2015, in the prices of its year.
_CLAIM_YEAR, _MONTHS = 2014, 12
_OUTCOME = "claimed_saving"


@lru_cache(maxsize=64)
def appraise_claim(
    benefit: float,
    cost: float,
    deadweight: float = 0.0,
    *,
    families: float = 1.0,
    price_year: int = _CLAIM_YEAR,
    edition: str = "2026",
) -> Appraisal:
    """Appraise a claimed benefit, of which a share would have come anyway.

    Parameters
    ----------
    benefit, cost : float
        Pounds a family, in 2014-15 prices.
    deadweight : float, default 0
        Share of the benefit, 0 to 1, that would have come without the programme.
    families : float, default 1
    price_year : int, default 2014
    edition : str

    Returns
    -------
    Appraisal
        Of twelve months, all in one year, as the claim was.

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
    rows = pd.DataFrame(
        {
            "outcome": [_OUTCOME],
            "months": [_MONTHS],
            "estimate": [-benefit * (1 - deadweight)],
            "std_error": [0.0],
        }
    )
    return appraise(
        Effects(rows, np.zeros((1, 1))), deflate(cost * families, _CLAIM_YEAR, price_year),
        families=families, first_year=_CLAIM_YEAR, horizon=1, persistence=0.0,
        perspective="fiscal", price_year=price_year, edition=edition, unit_cost_table=_one_pound(),
    )  # fmt: skip


def _one_pound() -> pd.DataFrame:
    """Return a unit cost of a pound for each pound claimed; the claim does not say who saves it."""
    claim = published("benefits_claim_2015")
    claim = claim[claim["figure"] == "gross_benefit_per_family"].iloc[[0]]
    return claim.assign(
        figure="unit_cost", outcome=_OUTCOME, component="claimed", code="", price_year="2014-15",
        payer="local authority", per="pound claimed", times=1.0, divided_by=1.0,
        conversion="none needed", value=1.0, low=1.0, high=1.0, range_basis="as claimed",
        layer="fiscal", transfer="no", cashability="capacity", grade="C", note="As claimed",
    )  # fmt: skip


def claim_by_deadweight(
    shares: Sequence[float] = tuple(np.linspace(0, 1, 11)), **settings: object
) -> pd.DataFrame:
    """Return the 2015 claims' value as the share that would have come anyway goes up.

    Parameters
    ----------
    shares : sequence of float
        Deadweight, 0 to 1.
    **settings
        `price_year`, `edition`.

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
    asked = np.asarray(shares, dtype=float)
    if not ((asked >= 0) & (asked <= 1)).all():
        raise ParameterError("Shares that would have come anyway lie between 0 and 1.")
    found = []
    for row in break_even_2015().itertuples(index=False):
        model = appraise_claim(row.benefit, row.cost, **settings).model
        point = model.point()
        # The appraisal's own arithmetic, with the effect alone moved.
        held = replace(
            point, effect=np.outer(1 - asked, model.estimate),
            amount=np.repeat(point.amount, len(asked), axis=0),
            persistence=np.repeat(point.persistence, len(asked), axis=0),
            cost=np.zeros(len(asked)),
        )  # fmt: skip
        benefits, costs = model.by_outcome(held).sum(axis=1), model.cost(held.cost)
        for share, gained, spent in zip(asked, benefits, costs, strict=True):
            found.append((row.claim, row.cost_counted, share, gained, spent, gained - spent,
                          gained / spent))  # fmt: skip
    columns = ["claim", "cost_counted", "deadweight", "benefits", "costs", "npv", "ratio"]
    return pd.DataFrame(found, columns=columns)


def break_even_deadweight(**settings: object) -> pd.DataFrame:
    """Return the deadweight at which each 2015 claim just pays for itself, by the appraisal.

    Returns
    -------
    DataFrame
        `claim`, `cost_counted`, `deadweight`: one less the shares of `break_even_2015`.
    """
    rows = break_even_2015()
    needed = [
        -appraise_claim(row.benefit, row.cost, **settings).break_even()["break_even"].iloc[0]
        / row.benefit
        for row in rows.itertuples(index=False)
    ]
    return rows[["claim", "cost_counted"]].assign(deadweight=1 - np.array(needed))
