"""Could the 2016 study have known? What it could detect, beside what would have paid."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import ALLOCATIONS, minimum_detectable_effect, multiplier
from tfeval.impact.effects.published import comparison_shares, phase_one_inputs
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.money.evaluation_2019 import VALUED_AS, family_effects
from tfeval.programme.national import attached_by_year

#: Outcomes of the 2016 study that a unit cost values, and whose share is counted.
OUTCOMES = {
    "out_of_work": "adults",
    "jobseekers_allowance": "adults",
    "looked_after": "children",
    "custody": "juveniles",
    "conviction": "juveniles",
}
VIEWS = ("total", "central")
#: Grants to prepare were paid in 2011-12: all values are at that year.
BASE_YEAR = 2011


def worth_of_a_point(
    outcome: str, population: str, *, price_year: int = 2024, edition: str = "2026",
    horizon: int = 5, persistence: float = 0.5,
) -> float:  # fmt: skip
    """Return what one person in a hundred less with an outcome is worth, for a phase one family.

    Parameters
    ----------
    outcome : str
        One of `OUTCOMES`.
    population : {"children", "juveniles", "adults"}
    price_year, edition, horizon, persistence
        As in `appraise`.

    Returns
    -------
    float
        Pounds of public money, present value.
    """
    if outcome not in VALUED_AS:
        raise ParameterError(f"No published effect on {outcome} can be valued.")
    return _worth(outcome, population, price_year, edition, horizon, persistence)


@lru_cache(maxsize=64)
def _worth(outcome: str, population: str, *asked: float) -> float:
    rows = pd.DataFrame({"outcome": [outcome], "population": [population], "months": [24],
                         "estimate": [-0.01], "std_error": [0.0]})  # fmt: skip
    price_year, edition, horizon, persistence = asked
    effects = family_effects(Effects(rows, np.zeros((1, 1))))
    name = effects.to_frame()["outcome"].iloc[0]
    families = families_one()
    found = appraise(
        effects, 0.0, families=families, price_year=int(price_year), edition=str(edition),
        horizon=int(horizon), persistence=persistence, perspective="fiscal", base_year=BASE_YEAR,
        convert={name: (VALUED_AS[outcome][0], 1.0)},
    )  # fmt: skip
    return found.benefits / sum(families.values())


def families_one() -> dict[int | str, float]:
    """Return phase one's families by the year in which they joined, as bounded by counts."""
    rows = attached_by_year("slow")
    return dict(zip(rows["attached_year"], rows["families"], strict=True))


@lru_cache(maxsize=64)
def cost_of_a_family(view: str, *, price_year: int = 2024, edition: str = "2026") -> float:
    """Return what phase one cost a family, pounds of present value, by the appraisal.

    Parameters
    ----------
    view : {"total", "central", "marginal"}
    price_year : int
    edition : str
    """
    rows = pd.DataFrame({"outcome": ["looked_after"], "months": [12], "estimate": [0.0],
                         "std_error": [0.0]})  # fmt: skip
    families = families_one()
    found = appraise(
        Effects(rows, np.zeros((1, 1))), programme_costs("one", view, price_year),
        families=families, price_year=price_year, edition=edition, base_year=BASE_YEAR,
    )  # fmt: skip
    return found.costs / sum(families.values())


def could_have_known(
    records: float | None = None,
    icc: float | None = None,
    *,
    power: float = 0.8,
    price_year: int = 2024,
    edition: str = "2026",
    persistence: float = 0.5,
) -> pd.DataFrame:
    """Set what the 2016 study could detect beside what would have paid for the programme.

    Parameters
    ----------
    records : float, optional
        Of both groups together; by default the least that "tens of thousands" can mean.
    icc : float, optional
        Share of the variance between authorities; by default 0.02, assumed.
    power : float, default 0.8
    price_year, edition, persistence
        Of the appraisal that the break-even effects come from.

    Returns
    -------
    DataFrame
        One row an outcome: `outcome`, `population`, `share` (comparison group), `share_basis`;
        `detectable_low` and `detectable_high` (points: families compared within authorities, and
        between them); `break_even_central` and `break_even_total` (points at which this outcome
        alone pays for what central government, or all public bodies, spent); `could` (whether an
        effect that pays would have been found: "yes", "no", "it depends"; "cannot pay" where not
        even a fall to nothing pays);
        `possible` and `possible_total` (whether a fall can pay central, and all public, costs).
        A fall is at most the share itself: points are missing where it would have to be more.

    Examples
    --------
    >>> rows = could_have_known().set_index("outcome")
    >>> rows.loc["out_of_work", "could"], rows.loc["looked_after", "could"]
    ('yes', 'it depends')
    """
    shares, inputs = comparison_shares(), {item.name: item.value for item in phase_one_inputs()}
    half = (inputs["records"] if records is None else records) / 2
    alike = inputs["icc"] if icc is None else icc
    money = {"price_year": price_year, "edition": edition}
    costs = {view: cost_of_a_family(view, **money) for view in VIEWS}
    rows = []
    for outcome, population in OUTCOMES.items():
        share, basis = shares[outcome]
        found = [
            100 * minimum_detectable_effect(
                half, half, share=share, power=power, clusters=inputs["clusters"], icc=alike,
                allocation=allocation,
            )
            for allocation in ALLOCATIONS
        ]  # fmt: skip
        point = worth_of_a_point(outcome, population, persistence=persistence, **money)  # type: ignore[arg-type]
        needed = [costs[view] / point for view in ("central", "total")]
        can = [bool(value <= 100 * share) for value in needed]
        rows.append((outcome, population, share, basis, *possible_fall([*found, *needed], share),
                     _could(found, needed, 100 * share), *can))  # fmt: skip
    columns = ["outcome", "population", "share", "share_basis", "detectable_low",
               "detectable_high", "break_even_central", "break_even_total", "could",
               "possible", "possible_total"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def possible_fall(points: Any, share: float) -> np.ndarray:
    """Return falls that can be, missing where more would have to fall than there is.

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


def _could(found: list[float], needed: list[float], most: float) -> str:
    """Say whether a fall that pays, of at most `most` points, would have been found."""
    if min(needed) > most:
        return "cannot pay"
    if max(found) <= min(needed):
        return "yes"
    return "no" if min(found) > min(max(needed), most) else "it depends"


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
    price_year: int = 2024, edition: str = "2026", persistence: float = 0.5,
) -> pd.DataFrame:  # fmt: skip
    """Return what effects that the 2016 study could not rule out would be worth together.

    Parameters
    ----------
    allocation : {"within", "between"}
        How families were compared.
    records, icc, price_year, edition, persistence
        As in `could_have_known`.

    Returns
    -------
    DataFrame
        `outcome`, `population`, `share`, `points` (the largest fall not ruled out: the end of the
        2016 interval, at most the share itself), `rise` (the largest rise: at most what is left
        above the share), `worth` and `loss` (pounds a family of the fall, and of the rise).
        Outcomes that hold the same pounds are counted once: out-of-work benefits stand for the
        allowance.
    """
    shares, inputs = comparison_shares(), {item.name: item.value for item in phase_one_inputs()}
    half = (inputs["records"] if records is None else records) / 2
    times = _interval_over_detectable(inputs["clusters"], allocation)
    rows = []
    for outcome, population in OUTCOMES.items():
        if outcome == "jobseekers_allowance":
            continue
        share = shares[outcome][0]
        found = minimum_detectable_effect(
            half, half, share=share, clusters=inputs["clusters"],
            icc=inputs["icc"] if icc is None else icc, allocation=allocation,
        )  # fmt: skip
        end = 100 * found * times
        fall, rise = min(end, 100 * share), min(end, 100 * (1 - share))
        point = worth_of_a_point(
            outcome, population, price_year=price_year, edition=edition, persistence=persistence
        )
        rows.append((outcome, population, share, fall, rise, fall * point, rise * point))
    columns = ["outcome", "population", "share", "points", "rise", "worth", "loss"]
    return pd.DataFrame(rows, columns=columns)


def _interval_over_detectable(clusters: float, allocation: str) -> float:
    """Return the 95% interval of "not significant" over the effect detected in 80% of tries."""
    freedom = clusters - (1 if allocation == "within" else 2)
    return float(multiplier(freedom, 0.95) / multiplier(freedom, 0.8))
