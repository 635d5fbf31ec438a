"""2019 rebuilt: from our ratio to the published ones a step at a time, and how far ours may lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from tfeval.display.words import financial_year
from tfeval.impact.effects.published import published_effects
from tfeval.money.additional import CONVERT, family_effects, people_in_family
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.appraise import appraise
from tfeval.money.claimed import implied_costs_2019
from tfeval.money.costs import programme_costs
from tfeval.money.evaluation_2019 import (
    Published,
    appraise_2019,
    families_by_year,
    fiscal,
    plans_worth,
    published_ratios,
    views,
    with_end,
)
from tfeval.money.persistence import split_uniform
from tfeval.programme.phases import phase

#: The year whose families the published analysis is of, and the years that it counted.
COHORT, PUBLISHED_YEARS = 2017, 5
#: What a step rests on.
BASES = {
    "ours": "this report's scenario",
    "published": "as published",
    "hypothesis": "our hypothesis: the published figures agree with it",
    "not_read": "theirs was not read: taken as ours",
    "computed": "by our unit costs",
    "unexplained": "unexplained",
}


def cost_of_a_family_2019() -> pd.DataFrame:
    """Return the cost a family that the published figures of 2019 agree with: a hypothesis.

    Returns
    -------
    DataFrame
        One row an account: `account`, `cost` (pounds that its ratio and net benefit imply
        together), `a_family` (phase two's budget over its families), `families` (whom that cost
        would be of), `benefit` (published, pounds a family at that cost).

    Notes
    -----
    The number of families in the analysis was not read. That the quotient is one that the
    programme could have had in a year does not prove it.

    Examples
    --------
    >>> rows = cost_of_a_family_2019().set_index("account")
    >>> float(rows.loc["economic", "a_family"]), round(rows.loc["fiscal", "benefit"])
    (2300.0, 3473)
    """
    rules = phase("two")
    each = rules.budget.pounds()[0] / rules.families.value
    ratios = published_ratios()
    rows = [
        (
            row["measure"],
            1e6 * row["cost"],
            each,
            1e6 * row["cost"] / each,
            ratios[row["measure"]] * each,
        )
        for row in implied_costs_2019().to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["account", "cost", "a_family", "families", "benefit"])


def rebuilt_2019(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return the way from our ratio to the published ones, one assumption a step.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario from which it starts; in the account of the public purse.

    Returns
    -------
    DataFrame
        Rows of `account` "fiscal" lead to 1.51, of "economic" to 2.28. `step`, `basis` (one of
        `BASES`), `change` (added to the ratio), `times` (by which it is multiplied), `ratio`
        (after the step), `low`, `high` (of a step whose value in the evaluation was not read: the
        ratio if theirs were at either end of our range). Changes add up to, and multiples
        multiply to, the published ratio exactly; what no step explains is the last.
    """
    steps = list(_common_steps(fiscal(assumptions)))
    ratios, rows = published_ratios(), []
    for account in ("fiscal", "economic"):
        own = [*steps, *(_others(fiscal(assumptions), steps[-1][2])
                         if account == "economic" else ())]  # fmt: skip
        own.append(("Not explained", "unexplained", ratios[account], np.nan, np.nan))
        before = np.nan
        for step, basis, after, low, high in own:
            rows.append((account, step, basis, after - before, after / before, after, low, high))
            before = after
    columns = ["account", "step", "basis", "change", "times", "ratio", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


Step = tuple[str, str, float, float, float]


def _common_steps(terms: Assumptions) -> Iterator[Step]:
    """Yield step, basis, the ratio after it, and its ends: first what is known of theirs."""
    none = (np.nan, np.nan)
    yield "Ours, as above", "ours", appraise_2019(terms).benefit_cost_ratio, *none
    terms = replace(terms, appraisal_years=PUBLISHED_YEARS)
    yield (f"{PUBLISHED_YEARS} years counted", "published",
           appraise_2019(terms).benefit_cost_ratio, *none)  # fmt: skip
    terms = replace(terms, costs="central")
    yield ("Central government's costs alone", "hypothesis",
           appraise_2019(terms).benefit_cost_ratio, *none)  # fmt: skip
    terms, year = replace(terms, price_year=COHORT, base_year=COHORT), financial_year(COHORT)
    yearly = appraise_2019(terms, cohort=COHORT)
    yield (f"Families of {year} alone, in that year's pounds", "published",
           yearly.benefit_cost_ratio, *none)  # fmt: skip
    # Spent when the year's costs are, so both are discounted alike.
    each = float(cost_of_a_family_2019()["a_family"].iloc[0])
    costed = programme_costs("two", "central", COHORT)
    spent = float(costed.loc[costed["year"] == year, "amount"].sum()) / yearly.families
    ratio = yearly.benefit_cost_ratio * spent / each
    yield f"£{each:,.0f} a family (for £{spent:,.0f})", "hypothesis", ratio, *none
    costs = yearly.benefits / ratio
    for step, made in _not_read(terms):
        low, high = sorted(one.benefits / costs for one in made)
        yield step, "not_read", ratio, low, high
    lost = plans_worth(terms, {COHORT: yearly.families})
    yield ("Children on protection plans, up to one in a hundred more", "not_read", ratio,
           ratio + lost / costs, ratio)  # fmt: skip


def _not_read(terms: Assumptions) -> Iterator[tuple[str, tuple[Published, ...]]]:
    """Yield what was not read of theirs, with appraisals at either end of what it may be."""
    people = people_in_family()
    ends = ("low", "high")
    yield ("How long effects last", tuple(
        appraise_2019(terms, cohort=COHORT, persistence=share)
        for share in terms.lasting[1:]
    ))  # fmt: skip
    yield ("When effects began", tuple(
        appraise_2019(terms, cohort=COHORT, begins=name) for name in ("month_19", "first_day")
    ))  # fmt: skip
    yield ("People in a family", tuple(
        appraise_2019(terms, cohort=COHORT, people={
            name: getattr(item, end) for name, item in people.items()})
        for end in ends
    ))  # fmt: skip
    yield ("Cost of a year in care", tuple(
        appraise_2019(terms, cohort=COHORT, unit_cost_table=with_end("looked_after", end))
        for end in ends
    ))  # fmt: skip


def _others(terms: Assumptions, ratio: float) -> Iterator[Step]:
    """Yield what each account but the public purse's adds, or takes: transfers net out."""
    terms = replace(terms, appraisal_years=PUBLISHED_YEARS, costs="central", price_year=COHORT,
                   base_year=COHORT)  # fmt: skip
    purse = appraise_2019(terms, cohort=COHORT)
    payers = set(purse.by_payer().index)
    others = appraise_2019(replace(terms, perspective="social"), cohort=COHORT).by_payer()
    costs = purse.benefits / ratio
    for payer, benefits in others.items():
        if payer not in payers:
            ratio += float(benefits) / costs
            yield f"What {payer} gain, less what they lose", "computed", ratio, np.nan, np.nan


# How far the ratio of the 2019 effects may lie from its value: by sampling, and by everything.

#: What is taken to vary, in words.
VARIES = {
    "worst": "the effects' sampling alone, all errors one way",
    "independent": "the effects' sampling alone, errors independent",
    "everything": "everything drawn together: effects, unit costs, how long effects last, people "
    "in a family, and costs",
}


def intervals_2019(
    assumptions: Assumptions | None = None, *, draws: int = 10_000, seed: int = 20190319
) -> pd.DataFrame:
    """Return intervals of our ratio of the 2019 effects, each named by what varies in it.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario, in the account of the public purse.
    draws, seed : int

    Returns
    -------
    DataFrame
        `varies` (one of `VARIES`), and of each of `views` the ends of the 95% interval, `total_low`
        and `total_high` and so on.

    Notes
    -----
    The published effects' covariances are not known: drawn together, their errors are
    independent. "worst" needs none.
    """
    terms, parts = fiscal(assumptions), []
    for view in views(terms):
        appraisal = appraise_2019(replace(terms, costs=view))
        spread = np.sqrt(sum(_variance(part) for part in appraisal.parts))
        half = 1.959964 * spread
        ends = {
            "worst": appraisal.ratio_interval(),
            "independent": ((appraisal.benefits - half) / appraisal.costs,
                            (appraisal.benefits + half) / appraisal.costs),
            "everything": tuple(np.quantile(_drawn_ratios(replace(terms, costs=view), draws, seed),
                                            [0.025, 0.975])),
        }  # fmt: skip
        parts.append(pd.DataFrame(ends, index=[f"{view}_low", f"{view}_high"]).T)
    frame = pd.concat(parts, axis=1).rename_axis("varies").reset_index()
    frame[frame.columns[1:]] = frame[frame.columns[1:]].astype(float)
    return frame


def _variance(part: Appraisal) -> float:
    """Return the variance of a part's benefits if its effects' errors are independent."""
    slope = part.model.slope(part.model.point())[0]
    return float(((slope * part.model.std_error) ** 2).sum())


def _drawn_ratios(terms: Assumptions, draws: int, seed: int) -> np.ndarray:
    """Return benefits for each pound of cost in joint draws of everything, people too."""
    published_rows = published_effects("2019")
    effects = family_effects(published_rows)
    effects = replace(effects, joint=np.diag(np.diag(effects.joint)))
    appraisal = appraise(
        effects, programme_costs("two", terms.costs, terms.price_year),
        families=families_by_year(), convert=CONVERT, **terms.of_phase("two"),
    )  # fmt: skip
    drawn = appraisal.uncertainty(draws=draws, seed=seed)
    rng, people = np.random.default_rng(seed + 1), people_in_family()
    times = {
        name: split_uniform(rng.random(draws), item.low, item.value, item.high) / item.value
        for name, item in people.items()
    }
    whose = dict(zip(effects.to_frame()["outcome"], published_rows.to_frame()["population"],
                     strict=True))  # fmt: skip
    by_people = np.stack([times[whose[name]] for name in appraisal.model.outcomes], axis=1)
    benefits = (appraisal.model.by_outcome(drawn.drawn) * by_people).sum(axis=1)
    return np.asarray(benefits / drawn.costs)
