"""Could the 2016 study have known? What it could detect, and what is worth a family's cost."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import ALLOCATIONS, minimum_detectable_effect, multiplier
from tfeval.impact.effects.published import comparison_shares, phase_one_inputs
from tfeval.money.additional import VALUED_AS, family_effects, priced_as
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.appraise import appraise
from tfeval.money.costs import VIEWS, cost_sources, programme_costs
from tfeval.money.evaluation_2019 import views
from tfeval.money.prices import discount_factors, year_number
from tfeval.programme.national import attached_by_year
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.programmes import programmes
from tfeval.programme.published import distinct_sources, published

#: Outcomes of the 2016 study that a unit cost values, and whose share is counted.
OUTCOMES = {
    "out_of_work": "adults",
    "jobseekers_allowance": "adults",
    "looked_after": "children",
    "custody": "juveniles",
    "conviction": "juveniles",
}


@lru_cache(maxsize=64)
def worth_of_a_point(
    outcome: str, population: str, assumptions: Assumptions | None = None, *, fewer: bool = True
) -> float:
    """Return what one person in a hundred less with an outcome is worth, for a phase one family.

    Of a rise it is what one in a hundred more loses: the same, but where there is optimism bias.

    Parameters
    ----------
    outcome : str
        One of `OUTCOMES`.
    population : {"children", "juveniles", "adults"}
    assumptions : Assumptions, optional
        The scenario: its account, prices, years and persistence.

    Returns
    -------
    float
        Pounds, present value, in the scenario's account: what everybody gains, or what public
        bodies no longer spend.
    """
    if outcome not in VALUED_AS:
        raise ParameterError(f"No published effect on {outcome} can be valued.")
    rows = pd.DataFrame({"outcome": [outcome], "population": [population], "months": [24],
                         "estimate": [-0.01 if fewer else 0.01], "std_error": [0.0]})  # fmt: skip
    effects = family_effects(Effects(rows, np.zeros((1, 1))))
    name, families = effects.to_frame()["outcome"].iloc[0], families_one()
    appraisal = appraise(
        effects, 0.0, families=families,
        convert={name: (priced_as(outcome, population), 1.0)},
        **(assumptions or Assumptions()).of_phase("one"),
    )  # fmt: skip
    return (appraisal.benefits if fewer else -appraisal.benefits) / sum(families.values())


def families_one() -> dict[int | str, float]:
    """Return phase one's families by the year in which they joined, as bounded by counts."""
    rows = attached_by_year("slow")
    return dict(zip(rows["attached_year"], rows["families"], strict=True))


@lru_cache(maxsize=64)
def cost_of_a_family(
    view: str, assumptions: Assumptions | None = None, phase: str = "one"
) -> float:
    """Return what a phase cost a family, pounds of present value: what an appraisal counts.

    Parameters
    ----------
    view : {"total", "central", "marginal"}
    assumptions : Assumptions, optional
        The scenario: its prices, and the year to which money is discounted.
    phase : str, default "one"
    """
    scenario = assumptions or Assumptions()
    rows = programme_costs(phase, view, scenario.price_year)
    since = rows["year"].map(year_number).to_numpy() - scenario.discounted_to(phase)
    factors = discount_factors(
        int(since.max()), str(scenario.green_book_edition), timing=scenario.timing
    )
    return float(rows["amount"].to_numpy() @ factors[since]) / phase_of(phase).families.value


#: Published costs a family: phase, table, figure, what is in it, and whose it is.
_PUBLISHED_COSTS = (
    ("one", "tariff", "maximum_per_family", "the most that central government paid for one, in "
     "fees and results", "the department"),
    ("one", "benefits_claim_2015", "average_cost_per_family", "the intervention: what authorities "
     "contributed and central money together, in seven areas", "the department's report and its "
     "press notice"),
    ("one", "benefits_claim_2015", "average_cost_west_sussex", "phase one in one authority, by "
     "its own account", "West Sussex"),
    ("one", "budget", "assumed_cost_of_intervention", "a successful intervention, all public "
     "bodies: assumed beforehand", "the department"),
    ("two", "tariff", "maximum_per_family", "the most that central government paid for one, in "
     "fees and results", "the department"),
    ("two", "budget", "extension_average_investment", "all public bodies, as designed; central "
     "government pays a part", "the department"),
)  # fmt: skip


def costs_of_a_family(assumptions: Assumptions | None = None) -> pd.DataFrame:
    """Return every cost a family of a phase: those published, and ours, each with what is in it.

    Parameters
    ----------
    assumptions : Assumptions, optional
        The scenario: its costs, its prices and the year to which money is discounted.

    Returns
    -------
    DataFrame
        `phase`, `pounds`, `what` (is in it), `whose`, `money` ("cash", or "scenario": its prices
        and present value), `view` (of `programme_costs`; empty for a published one), `used`
        (whether the scenario counts it), `sources` (tuple of Source); by phase, the least first.

    Examples
    --------
    >>> rows = costs_of_a_family()
    >>> rows.loc[rows["used"], "view"].unique().tolist()
    ['total']
    """
    scenario, rows = assumptions or Assumptions(), []
    for name in programmes():
        families, budget = phase_of(name).families, phase_of(name).budget
        rows.append((name, budget.pounds()[0] / families.value, "central government's budget over "
                     "the families to be reached", "the department", "cash", "", False,
                     (*budget.sources, *families.sources)))  # fmt: skip
        for view in views(scenario):
            cash = float(programme_costs(name, view)["cash"].sum()) / families.value
            now = cost_of_a_family(view, scenario, name)
            rows += [
                (name, pounds, f"{VIEWS[view]}, counted line by line", "ours", money, view,
                 view == scenario.costs and money == "scenario", cost_sources(name))
                for money, pounds in (("cash", cash), ("scenario", now))
            ]  # fmt: skip
    for name, sheet, key, what, whose in _PUBLISHED_COSTS:
        figures = published(sheet)
        figures = figures[figures["figure"] == key]
        if "phase" in figures:
            figures = figures[figures["phase"] == name]
        for value, part in figures.groupby("value"):
            rows.append((name, float(str(value)), what, whose, "cash", "", False,
                         tuple(distinct_sources(part))))  # fmt: skip
    columns = ["phase", "pounds", "what", "whose", "money", "view", "used", "sources"]
    frame = pd.DataFrame(rows, columns=columns)
    order = frame["phase"].map({name: place for place, name in enumerate(programmes())})
    return frame.assign(order=order).sort_values(
        ["order", "pounds"], kind="stable", ignore_index=True
    ).drop(columns="order")  # fmt: skip


def could_have_known(
    records: float | None = None,
    icc: float | None = None,
    *,
    power: float = 0.8,
    assumptions: Assumptions | None = None,
) -> pd.DataFrame:
    """Set what the 2016 study could detect beside effects whose value reaches the costs.

    Parameters
    ----------
    records : float, optional
        Of both groups together; by default the least that "tens of thousands" can mean.
    icc : float, optional
        Share of the variance between authorities; by default 0.02, assumed.
    power : float, default 0.8
    assumptions : Assumptions, optional
        The scenario that the break-even effects come from. They are of its account: only in
        that of the public purse does an effect of their size pay for the programme; in
        everybody's it is worth as much.

    Returns
    -------
    DataFrame
        One row an outcome: `outcome`, `population`, `share` (comparison group), `share_basis`;
        `detectable_low` and `detectable_high` (points: families compared within authorities, and
        between them); for each view of costs (total, central, and the scenario's) `break_even_` and
        its name (points at which this outcome alone is worth them) and `possible_` and its name
        (whether any fall can be); `could` (whether an effect worth its cost would have been found:
        "yes", "no", "it depends"; "cannot pay" where not even a fall to nothing is worth it). A
        fall is at most the share itself: points are missing where it would have to be more.

    Examples
    --------
    >>> rows = could_have_known(assumptions=Assumptions(perspective="fiscal"))
    >>> bool((rows["detectable_high"].fillna(0) <= 100 * rows["share"]).all())
    True
    """
    shares, inputs = comparison_shares(), {item.name: item.value for item in phase_one_inputs()}
    half = (inputs["records"] if records is None else records) / 2
    alike = inputs["icc"] if icc is None else icc
    names = views(assumptions)
    rows = []
    for outcome, population in OUTCOMES.items():
        share, basis = shares[outcome]
        detectable = [
            100 * minimum_detectable_effect(
                half, half, share=share, power=power, clusters=inputs["clusters"], icc=alike,
                allocation=allocation,
            )
            for allocation in ALLOCATIONS
        ]  # fmt: skip
        point = worth_of_a_point(outcome, population, assumptions)
        needed = [
            cost_of_a_family(view, assumptions) / point if point > 0 else np.inf for view in names
        ]
        seen, paid = possible_fall(detectable, share), possible_fall(needed, share)
        rows.append((outcome, population, share, basis, *seen, *paid, *np.isfinite(paid),
                     _could(seen, paid)))  # fmt: skip
    columns = [
        *("outcome", "population", "share", "share_basis", "detectable_low", "detectable_high"),
        *(f"break_even_{view}" for view in names), *(f"possible_{view}" for view in names),
        "could",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def possible_fall(points: Any, share: float) -> np.ndarray:
    """Return falls that can be, missing where more would have to fall than there is.

    Every number of points of this module is made here, so that none is more than there is.

    Parameters
    ----------
    points : float or array of float
        Falls, in points.
    share : float
        Share of the comparison group with the outcome, between 0 and 1.

    Examples
    --------
    >>> possible_fall([0.4, 1.3], share=0.008).tolist()
    [0.4, nan]
    """
    given = np.asarray(points, dtype=float)
    return np.where(given <= 100 * share, given, np.nan)


def _could(seen: np.ndarray, paid: np.ndarray) -> str:
    """Say whether a fall worth the costs would have been found; missing ones cannot be."""
    least_paid = float(np.min(paid[np.isfinite(paid)], initial=np.inf))
    if not np.isfinite(least_paid):
        return "cannot pay"
    if np.isfinite(seen).all() and float(np.max(seen)) <= least_paid:
        return "yes"
    least_seen = float(np.min(seen[np.isfinite(seen)], initial=np.inf))
    most_paid = np.inf if np.isnan(paid).any() else float(np.max(paid))
    return "no" if least_seen > most_paid or not np.isfinite(least_seen) else "it depends"


def detectable_curve(
    shares: dict[str, float], records: tuple[float, ...], icc: float = 0.02, power: float = 0.8
) -> pd.DataFrame:
    """Return the detectable effect of a study of 56 authorities as its records grow.

    Parameters
    ----------
    shares : mapping of str to float
        Share of the comparison group with each outcome.
    records : tuple of float
        Of both groups together.
    icc, power : float

    Returns
    -------
    DataFrame
        Index `records`; one column for each outcome and allocation, in points; missing where not
        even a fall to nothing would be found.
    """
    clusters = next(item.value for item in phase_one_inputs() if item.name == "clusters")
    half = np.array(records, dtype=float) / 2
    columns = {
        f"{name}, {allocation}": possible_fall(
            100
            * minimum_detectable_effect(
                half,
                half,
                share=share,
                power=power,
                clusters=clusters,
                icc=icc,
                allocation=allocation,
            ),
            share,
        )
        for name, share in shares.items()
        for allocation in ALLOCATIONS
    }
    return pd.DataFrame(columns, index=pd.Index(records, name="records"))


def hidden_value(
    allocation: str = "within", *, records: float | None = None, icc: float | None = None,
    assumptions: Assumptions | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return what effects that the 2016 study could not rule out would be worth, by outcome.

    Parameters
    ----------
    allocation : {"within", "between"}
        How families were compared.
    records, icc, assumptions
        As in `could_have_known`.

    Returns
    -------
    DataFrame
        `outcome`, `population`, `share`, `points` (the largest fall not ruled out: the end of the
        2016 interval, at most the share itself), `rise` (the largest rise: at most what is left
        above the share), `worth` and `loss` (pounds a family that could be gained, and lost).
        Outcomes that hold the same pounds are counted once: out-of-work benefits stand for the
        allowance. `together` adds them up.
    """
    shares, inputs = comparison_shares(), {item.name: item.value for item in phase_one_inputs()}
    half = (inputs["records"] if records is None else records) / 2
    times = _interval_over_detectable(inputs["clusters"], allocation)
    rows = []
    for outcome, population in OUTCOMES.items():
        if outcome == "jobseekers_allowance":
            continue
        share = shares[outcome][0]
        detectable = minimum_detectable_effect(
            half, half, share=share, clusters=inputs["clusters"],
            icc=inputs["icc"] if icc is None else icc, allocation=allocation,
        )  # fmt: skip
        end = 100 * detectable * times
        fall, rise = min(end, 100 * share), min(end, 100 * (1 - share))
        less, more = (worth_of_a_point(outcome, population, assumptions, fewer=fewer)
                      for fewer in (True, False))  # fmt: skip
        # A fall that costs money, as one may in some account, is a loss, and a rise a gain.
        ends = (fall * less, -rise * more)
        rows.append((outcome, population, share, fall, rise, max(ends), -min(ends)))
    columns = ["outcome", "population", "share", "points", "rise", "worth", "loss"]
    return pd.DataFrame(rows, columns=columns)


#: How the ends of several outcomes are taken together, in words.
TOGETHER = {
    "quadrature": "in quadrature: as if the outcomes' errors were independent",
    "worst": "at worst: each at the same end",
}


def together(rows: pd.DataFrame, how: str = "quadrature") -> tuple[float, float]:
    """Return what could be gained, and what lost, by all outcomes together.

    Parameters
    ----------
    rows : DataFrame
        As from `hidden_value`.
    how : {"quadrature", "worst"}
        The root of the sum of squares, or the sum.

    Returns
    -------
    tuple of float
        Pounds a family: gained, and lost; neither below 0.

    Raises
    ------
    ParameterError
        If there is no such way.

    Examples
    --------
    >>> rows = pd.DataFrame({"worth": [3.0, 4.0], "loss": [6.0, 8.0]})
    >>> together(rows), together(rows, "worst")
    ((5.0, 10.0), (7.0, 14.0))
    """
    if how not in TOGETHER:
        raise ParameterError(f"There is no way {how}. {suggest(how, TOGETHER)}")
    ends = rows[["worth", "loss"]].to_numpy(dtype=float)
    both = ends.sum(axis=0) if how == "worst" else np.sqrt((ends**2).sum(axis=0))
    return float(both[0]), float(both[1])


def _interval_over_detectable(clusters: float, allocation: str) -> float:
    """Return the 95% interval of "not significant" over the effect detected in 80% of tries."""
    freedom = clusters - (1 if allocation == "within" else 2)
    return float(multiplier(freedom, 0.95) / multiplier(freedom, 0.8))
