"""Published effects through our unit costs: the 2019 evaluation beside its own ratios.

The 2019 effects are shares of people at the end of a window; a unit cost is for a day in care, a
sentence, a day on an allowance. Between them stand the people in a family and when the effect
began: both assumed, both told, both turned in `account_2019`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.words import financial_year
from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import published_effects, without_values
from tfeval.money.additional import (
    CONVERT,
    SEEN,
    WINDOW,
    family_effects,
    people_held,
    people_in_family,
)
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.phases import phase
from tfeval.programme.published import figure, published


@dataclass(frozen=True)
class Published:
    """A published evaluation appraised: what it counted, through our unit costs.

    Attributes
    ----------
    parts : tuple of Appraisal
        One for effects that began at once, and one for those that began later, if any; the
        programme's costs stand in the first.
    settings : dict
        What it was asked for.
    """

    parts: tuple[Appraisal, ...]
    settings: dict[str, Any]

    @property
    def benefits(self) -> float:
        """Present value of benefits, pounds."""
        return float(sum(part.benefits for part in self.parts))

    @property
    def costs(self) -> float:
        """Present value of the programme's costs, pounds."""
        return float(sum(part.costs for part in self.parts))

    @property
    def npv(self) -> float:
        """Benefits less costs, pounds."""
        return self.benefits - self.costs

    @property
    def benefit_cost_ratio(self) -> float:
        """Benefits for each pound of cost."""
        return self.benefits / self.costs

    @property
    def families(self) -> float:
        """Families reached."""
        return self.parts[0].settings.total_families

    def ratio_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return an interval of the ratio that holds whatever the errors' covariances.

        Of the effects' errors alone, themselves the largest that significance allows.
        """
        half = sum((high - low) / 2 for low, high in (p.worst_case(level) for p in self.parts))
        return (self.benefits - half) / self.costs, (self.benefits + half) / self.costs

    def by_payer(self) -> pd.Series:
        """Return the present value of benefits by whose account it is on, pounds."""
        rows = pd.concat([part.by("kind", "payer") for part in self.parts], ignore_index=True)
        return rows[rows["kind"] == "benefit"].groupby("payer", sort=False)["benefits"].sum()

    def benefits_at(self, persistence: float) -> float:
        """Return the benefits if this share of each effect were left in each further year."""
        total = 0.0
        for part in self.parts:
            point = part.model.point()
            inputs = point.with_(powers=part.model.powers([persistence]))
            total += float(part.model.by_outcome(inputs).sum())
        return total

    @property
    def labels(self) -> dict[str, str]:
        """The words for each effect."""
        return {name: text for part in self.parts
                for name, text in part.effects.settings["labels"].items()}  # fmt: skip

    def by_outcome(self) -> pd.DataFrame:
        """Return the present value of benefits by effect.

        Returns
        -------
        DataFrame
            `outcome`, `benefits` (pounds), `a_family`, `per_pound` (for each pound of cost).
        """
        rows = pd.concat([part.by("kind", "line") for part in self.parts], ignore_index=True)
        rows = rows[rows["kind"] == "benefit"].rename(columns={"line": "outcome"})
        rows = rows[["outcome", "benefits"]].reset_index(drop=True)
        return rows.assign(
            a_family=rows["benefits"] / self.families, per_pound=rows["benefits"] / self.costs
        )

    def counted(self) -> pd.DataFrame:
        """Return how each published effect became a quantity for one family.

        Returns
        -------
        DataFrame
            `outcome`, `months`, `effect` (of a family over the window), `per` (unit), `lag`.
        """
        rows = []
        for part in self.parts:
            unit = part.valued.costs.groupby("outcome")["per"].first()
            for row in part.valued.effects.to_dict("records"):
                rows.append((row["name"], row["months"], row["estimate"],
                             unit[row["outcome"]], part.settings.lag))  # fmt: skip
        return pd.DataFrame(rows, columns=["outcome", "months", "effect", "per", "lag"])


def appraise_2019(
    assumptions: Assumptions | None = None,
    *,
    people: Mapping[str, float] | None = None,
    begins: str = "first_day",
    without: tuple[str, ...] = (),
    cohort: int | None = None,
    **settings: Any,
) -> Published:
    """Appraise the effects that the 2019 evaluation published, through our own unit costs.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario; by default its defaults, in the account of the public purse, which is what
        the published ratio of 1.51 is of.
    people, begins
        As in `family_effects`.
    without : tuple of str
        Effects to leave out.
    cohort : int, optional
        The families of this financial year alone, 2015 to 2019, and the costs of it.
    **settings
        Others of `appraise`.

    Returns
    -------
    Published

    Raises
    ------
    ParameterError
        If no families of phase two joined in the year of the cohort.

    Examples
    --------
    >>> found = appraise_2019()
    >>> found.settings["horizon"], found.settings["base_year"]
    (5, 2015)
    """
    scenario = assumptions or Assumptions(perspective="fiscal")
    effects = family_effects(published_effects("2019"), people, begins)
    kept = [name for name in effects.to_frame()["outcome"] if name not in without]
    costs, families = (
        programme_costs("two", scenario.costs, scenario.price_year),
        families_by_year(),
    )
    if cohort is not None:
        if cohort not in families:
            raise ParameterError(f"Families of phase two joined in {min(families)} to "
                                 f"{max(families)}, not in {cohort}.")  # fmt: skip
        families = {cohort: families[cohort]}
        costs = costs[costs["year"] == financial_year(cohort)]
    options = {"families": families, "convert": dict(CONVERT),
               **scenario.of_phase("two"), **settings}  # fmt: skip
    frame = effects.to_frame()
    parts: list[Appraisal] = []
    for window in sorted(frame["months"].unique(), reverse=True):
        own = frame.loc[frame["months"] == window, "outcome"]
        names = [name for name in kept if name in set(own)]
        if not names:
            continue
        lag = 0 if window == WINDOW else WINDOW - SEEN
        spent = costs if not parts else 0.0
        parts.append(appraise(effects.select(names), spent, lag=lag, **options))
    choices = {"begins": begins, "view": scenario.costs, "people": people_held(people), **options}
    return Published(tuple(parts), choices)


def families_by_year() -> dict[int | str, float]:
    """Return phase two's families by the year in which they join: the same in each (assumed)."""
    total = phase("two").families.value
    return dict.fromkeys(range(2015, 2020), total / 5)


def fiscal(assumptions: Assumptions | None, costs: str | None = None) -> Assumptions:
    """Return a scenario in the account of the public purse, whose ratio is the published 1.51.

    Parameters
    ----------
    assumptions : Assumptions, optional
    costs : str, optional
        Which costs count, if others than the scenario's.
    """
    scenario = assumptions or Assumptions()
    return replace(scenario, perspective="fiscal", costs=costs or scenario.costs)


# Why our ratios and the published ones of 2019 differ: one thing turned at a time.


def views(assumptions: Assumptions | None = None) -> tuple[str, ...]:
    """Return the views of costs that are shown: the scenario's first.

    Examples
    --------
    >>> views(), views(Assumptions(costs="marginal"))
    (('total', 'central'), ('marginal', 'total', 'central'))
    """
    own = (assumptions or Assumptions()).costs
    return tuple(dict.fromkeys((own, "total", "central")))


def published_ratios() -> dict[str, float]:
    """Return the ratios that the 2019 evaluation published, by account.

    Examples
    --------
    >>> published_ratios()
    {'fiscal': 1.51, 'economic': 2.28}
    """
    names = ("fiscal", "economic")
    return {name: figure("evaluations", f"{name}_benefit_per_pound").value for name in names}


def account_2019(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return our ratio of the 2019 effects, and what each assumption does to it.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario, which is the first row; in the account of the public purse, whichever it
        names.

    Returns
    -------
    DataFrame
        `turned` (what is changed), `how`, and benefits for each pound of cost in each of `views`:
        `total` (all public costs counted), `central` (central government's alone).
    """
    scenario = fiscal(assumptions)
    names = views(scenario)
    costs = np.array([appraise_2019(replace(scenario, costs=view)).costs for view in names])
    rows = [(turned, how, made.benefits) for turned, how, made in _turned(scenario)]
    rows.append(_protection_plans(scenario, rows[0][2]))
    return pd.DataFrame([(turned, how, *worth / costs) for turned, how, worth in rows],
                        columns=["turned", "how", *names])  # fmt: skip


def _turned(scenario: Assumptions) -> Iterator[tuple[str, str, Published]]:
    """Yield what is turned, in words, and the appraisal with it turned."""
    years = f"to year {scenario.appraisal_years}"
    yield "As here", scenario.lasting_words(), appraise_2019(scenario)
    yield ("How long effects last", "none after the two years",
           appraise_2019(scenario, persistence=0.0))  # fmt: skip
    yield (
        "How long effects last",
        f"all of it {years}",
        appraise_2019(scenario, persistence=1.0),
    )
    yield ("When they began", "in month 19, when they were seen",
           appraise_2019(scenario, begins="month_19"))  # fmt: skip
    for end in ("low", "high"):
        people = {name: getattr(item, end) for name, item in people_in_family().items()}
        words = ", ".join(f"{number:.1f} {name}" for name, number in people.items())
        yield "People in a family", words, appraise_2019(scenario, people=people)
    for end in ("low", "high"):
        year = float(unit_costs(scenario.price_year, ["looked_after"])[end].sum()) * 365
        yield ("Cost of a year in care", f"£{year:,.0f}, the {end} end of its range",
               appraise_2019(scenario, unit_cost_table=with_end("looked_after", end)))  # fmt: skip
    yield ("What is counted", "without children looked after",
           appraise_2019(scenario, without=("looked_after",)))  # fmt: skip
    yield ("Whose account", "everybody's: an allowance saved is a household's loss",
           appraise_2019(replace(scenario, perspective="social")))  # fmt: skip


def with_end(outcome: str, end: str) -> pd.DataFrame:
    """Return the unit costs with one outcome's at an end of its range, as if that were known."""
    rows = published("unit_costs")
    rows = rows[rows["figure"] == "unit_cost"].copy()
    chosen = rows["outcome"] == outcome
    ends = rows.loc[chosen, end].astype(float)
    for name in ("value", "low", "high"):
        rows.loc[chosen, name] = ends
    return rows


def _protection_plans(scenario: Assumptions, worth: float) -> tuple[str, str, float]:
    """Take off what each point more of children on a plan would cost, had it been published."""
    missing = without_values("2019")
    named = ", ".join(missing.loc[missing["finding"].str.contains("adverse"), "months"])
    how = (
        f"if one child in a hundred more was on one (adverse at months {named}; the size was not "
        "published where seen)"
    )
    return "Child protection plans", how, worth + plans_worth(scenario, families_by_year())


def plans_worth(scenario: Assumptions, families: dict[int | str, float]) -> float:
    """Return what one child in a hundred more on a protection plan is worth: below nothing.

    Parameters
    ----------
    scenario : Assumptions
    families : dict of year to float
        By the year in which they join.
    """
    frame = pd.DataFrame({"outcome": ["protection_plan"], "population": ["children"],
                          "months": [WINDOW], "estimate": [0.01], "std_error": [0.0]})  # fmt: skip
    more = family_effects(Effects(frame, np.zeros((1, 1))))
    return appraise(more, 0.0, families=families, **scenario.of_phase("two")).benefits


def needed_2019(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return what would have to hold for the effects to be worth the published fiscal ratio.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario, in the account of the public purse.

    Returns
    -------
    DataFrame
        `what`, and for each of `views` the share of an effect left in each further year, and the
        people in a family as a multiple of those taken, at which our ratio is the published one;
        NaN where no share from 0 to 1 would do.
    """
    wanted, scenario = published_ratios()["fiscal"], fiscal(assumptions)
    names = views(scenario)
    costs = np.array([appraise_2019(replace(scenario, costs=view)).costs for view in names])
    appraisal = appraise_2019(scenario)
    shares = [_share_for(appraisal, wanted * cost) for cost in costs]
    # Every benefit is proportional to the people in a family.
    times = wanted * costs / appraisal.benefits
    return pd.DataFrame(
        [
            ("Share of an effect left in each further year", *shares),
            ("People in a family, times those taken", *times),
        ],
        columns=["what", *names],
    )


def _share_for(appraisal: Published, worth: float) -> float:
    from scipy.optimize import brentq  # noqa: PLC0415

    if not appraisal.benefits_at(0.0) <= worth <= appraisal.benefits_at(1.0):
        return float("nan")
    return float(brentq(lambda share: appraisal.benefits_at(share) - worth, 0.0, 1.0, xtol=1e-6))
