"""From people to families, and from results claimed to results caused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import not_estimated, status_words
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.published import Source, distinct_sources, figure, published

# How many people a family has: what turns effects on people into effects on families.
# Neither evaluation's numbers of people in a family were seen. What was published is that four in
# ten families had three or more children; the rest is assumed, and is said to be.

_CHILD_YEARS, _JUVENILE_YEARS = 18, 8


@dataclass(frozen=True)
class PeopleInFamily:
    """People of one kind in an average family, as a range.

    Attributes
    ----------
    population : str
        "children", "juveniles" (10 to 17) or "adults".
    value, low, high : float
    basis : str
        How it was arrived at.
    sources : tuple of Source
    """

    population: str
    value: float
    low: float
    high: float
    basis: str
    sources: tuple[Source, ...] = ()


def people_in_family() -> dict[str, PeopleInFamily]:
    """Return how many children, juveniles and adults a family of the programme has.

    Returns
    -------
    dict of str to PeopleInFamily

    Notes
    -----
    Children: with a share s of families having three or more, and none without a child, there
    are at least 1 + 2s children a family. Between that and more stand two simple spreads that
    give the same s: further children at random (1 + Poisson), and each child followed by another
    with one chance (geometric, mean 1 / (1 - root of s)).

    Examples
    --------
    >>> children = people_in_family()["children"]
    >>> [round(number, 2) for number in (children.low, children.value, children.high)]
    [1.8, 2.38, 2.72]
    """
    known = figure("evaluations", "families_three_children")
    share = known.value / 100
    low, value, high = 1 + 2 * share, 1 + _poisson_mean(share), 1 / (1 - share**0.5)
    part = _JUVENILE_YEARS / _CHILD_YEARS
    text = f"{known.value:.0f}% of families have three or more children (published)"
    return {
        "children": PeopleInFamily(
            "children", value, low, high,
            f"{text}; none has no child; the others' children spread at random (assumed)",
            known.sources,
        ),
        "juveniles": PeopleInFamily(
            "juveniles", value * part, low * part, high * part,
            f"8 of 18 years of childhood: children of all ages alike (assumed); {text}",
            known.sources,
        ),
        "adults": PeopleInFamily("adults", 1.5, 1.0, 2.0, "one or two to a family (assumed)"),
    }  # fmt: skip


def _poisson_mean(share: float) -> float:
    """Return the mean of a Poisson count that is 2 or more with a given chance."""
    from scipy.optimize import brentq  # noqa: PLC0415
    from scipy.special import pdtrc  # noqa: PLC0415

    return float(brentq(lambda mean: pdtrc(1, mean) - share, 1e-9, 50.0))


# From effects on people to effects on a family: what a unit cost is for.

#: When an effect on a state (in care, on an allowance) seen at months 19 to 24 began.
BEGINS = {
    "first_day": "held from the first day, though it was seen at months 19 to 24 only",
    "month_19": "began when it was seen, in month 19",
}
#: Published effects that a unit cost values: states, which last for days, and events, counted.
VALUED_AS = {
    "looked_after": "state",
    "jobseekers_allowance": "state",
    "protection_plan": "state",
    "out_of_work": "state",
    "custody": "event",
    "conviction": "event",
}
#: Months followed, months in which a state was seen, and days in a year.
WINDOW, SEEN, _YEAR = 24, 6, 365.0
#: Outcomes that are a family's in two populations: one row each.
_BY_POPULATION = {
    ("custody", "adults"): "custody_adults",
    ("custody", "juveniles"): "custody_juveniles",
}
#: Which unit cost values an effect on a family that is not named like it, for `appraise`.
CONVERT = {
    "custody_adults": ("custody", 1.0),
    "custody_juveniles": ("custody_juvenile", 1.0),
    "conviction": ("court_event", 1.0),
}


def priced_as(outcome: str, population: str) -> str:
    """Return the outcome whose unit cost values a published effect on some people.

    Examples
    --------
    >>> priced_as("custody", "juveniles"), priced_as("looked_after", "children")
    ('custody_juvenile', 'looked_after')
    """
    name = _BY_POPULATION.get((outcome, population), outcome)
    return CONVERT.get(name, (name, 1.0))[0]


def sources_of_prices(pairs: Iterable[tuple[str, str]]) -> list[Source]:
    """Return the sources of the unit costs that value effects on (outcome, population)."""
    costs = published("unit_costs")
    costs = costs[costs["figure"] != "unit_cost_other"]  # shown elsewhere, never computed with
    names = {priced_as(outcome, population) for outcome, population in pairs}
    return distinct_sources(costs[costs["outcome"].isin(names)])


def family_effects(
    effects: Effects, people: Mapping[str, float] | None = None, begins: str = "first_day"
) -> Effects:
    """Turn effects on shares of people into effects on a family, in the unit costs' units.

    Parameters
    ----------
    effects : Effects
        As from ``published_effects("2019")``.
    people : mapping of str to float, optional
        Children, juveniles and adults in a family; by default `people_in_family`.
    begins : {"first_day", "month_19"}
        When effects on states began.

    Returns
    -------
    Effects
        States in person-days, events in counts, over `months`: 24 from the first day, or for
        states that began in month 19 the 6 that were seen.

    Raises
    ------
    ParameterError
        If people of a population are missing or not above 0, or `begins` is unknown.

    Examples
    --------
    >>> from tfeval.impact.effects.published import published_effects
    >>> two = {"children": 2.0, "juveniles": 1.0, "adults": 1.0}
    >>> found = family_effects(published_effects("2019"), two).to_frame().set_index("outcome")
    >>> round(float(found.loc["looked_after", "estimate"]), 2)  # -0.8% of 730 days, two children
    -11.68
    """
    if begins not in BEGINS:
        raise ParameterError(f"There is no beginning {begins}. {suggest(begins, BEGINS)}")
    members = people_held(people)
    frame = effects.to_frame()
    states = np.array([VALUED_AS[name] == "state" for name in frame["outcome"]])
    months = np.where(states & (begins == "month_19"), SEEN, WINDOW)
    times = np.where(states, months / 12 * _YEAR, 1.0)
    times = times * frame["population"].map(members).to_numpy(dtype=float)
    for name in ("estimate", "std_error", "conf_low", "conf_high", "mean_treated",
                 "mean_comparison"):  # fmt: skip
        frame[name] = frame[name] * times
    frame["months"] = months
    pairs = list(zip(frame["outcome"], frame["population"], strict=True))
    frame["outcome"] = [_BY_POPULATION.get(pair, pair[0]) for pair in pairs]
    labels = {name: f"{outcome_label(own)}, {who}"
              for name, (own, who) in zip(frame["outcome"], pairs, strict=True)}  # fmt: skip
    joint = effects.joint * np.outer(times, times)
    settings = {**effects.settings, "labels": labels, "who": "families", "units": {},
                "title": "Effects on a family"}  # fmt: skip
    frame["population"] = "all"
    return replace(effects, frame=frame, joint=joint, settings=settings)


def people_held(given: Mapping[str, float] | None) -> dict[str, float]:
    """Return the people in a family by kind: those given, and `people_in_family` for the others."""
    members = {name: item.value for name, item in people_in_family().items()}
    for name, number in (given or {}).items():
        if name not in members:
            raise ParameterError(f"There are no {name} in a family. {suggest(name, members)}")
        if not 0 < number < 20:
            raise ParameterError(f"{name} in a family are a number above 0, not {number}.")
        members[name] = float(number)
    return members


@dataclass(frozen=True)
class Range:
    """A number with the interval that sampling leaves.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        """Return the range multiplied by a number not below 0."""
        return Range(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Results:
    """Results of families on the programme, as shares of those families.

    Attributes
    ----------
    claimed : float
        For whom a result was claimed.
    met : float
        Who met the programme's own tests by the records.
    anyway : float
        Who would have met them without the programme: the rate of similar families.
    additional : Range
        Who met them and would not have otherwise.
    own : Range
        The additional as a share of those who met the tests.
    level : float
        Of the intervals.
    simulated : bool
    """

    claimed: float
    met: float
    anyway: float
    additional: Range
    own: Range
    level: float = 0.95
    simulated: bool = False


def results_of(effects: Effects, claimed: float) -> Results:
    """Return results claimed, met, met anyway and additional, from an effect on the tests.

    Parameters
    ----------
    effects : Effects
        One row: the effect on having met the tests, with means of both groups.
    claimed : float
        Share of the families on the programme for whom a result was claimed, 0 to 1.

    Returns
    -------
    Results

    Raises
    ------
    DataError
        If there is not one row, or a mean is not known, or no comparison family met the tests, or
        the effect has no interval: then what is additional would pass for certain.

    Notes
    -----
    With r the relative effect, the additional are r / (1 + r) of those who met the tests; the
    function rises with r, so its interval is that of r carried through.

    Examples
    --------
    >>> import pandas as pd
    >>> row = pd.DataFrame({"outcome": ["turned_around"], "estimate": [0.1], "std_error": [0.02],
    ...     "conf_low": [0.06], "conf_high": [0.14], "mean_treated": [0.5],
    ...     "mean_comparison": [0.4], "relative": [0.25], "relative_low": [0.14],
    ...     "relative_high": [0.37]})
    >>> found = results_of(Effects(row, np.array([[0.0004]])), claimed=0.99)
    >>> found.anyway, round(found.own.value, 3), round(found.own.low, 3)
    (0.4, 0.2, 0.123)
    """
    rows = effects.to_frame()
    if len(rows) != 1:
        raise DataError(f"Results come from one effect, on having met the tests, not {len(rows)}.")
    if not 0 <= claimed <= 1:
        raise DataError(f"The share claimed lies between 0 and 1, not {claimed}.")
    row = rows.iloc[0]
    if not_estimated(row["status"]):
        who = effects.settings.get("who", "families")
        raise DataError(status_words(row["status"], who))
    needed = row[["estimate", "mean_treated", "mean_comparison", "relative"]].to_numpy(dtype=float)
    if not np.isfinite(needed).all() or not row["mean_comparison"] > 0:
        raise DataError(
            "The share of either group that met the tests is not known, or none of the "
            "comparison group did: nothing can be said of who would have met them anyway."
        )
    ends = row[["conf_low", "conf_high", "relative_low", "relative_high"]].to_numpy(dtype=float)
    if not np.isfinite(ends).all():
        raise DataError("No interval: the error of the effect is not known.")
    own = [own_share(float(row[name])) for name in ("relative", "relative_low", "relative_high")]
    return Results(
        claimed=float(claimed), met=float(row["mean_treated"]),
        anyway=float(row["mean_comparison"]),
        additional=Range(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"])),
        own=Range(*own), level=effects.level, simulated=effects.simulated,
    )  # fmt: skip


def own_share(relative: float) -> float:
    """Return the share of results that are the programme's own, from the relative effect.

    Parameters
    ----------
    relative : float
        Difference over the comparison's mean, above -1.

    Examples
    --------
    >>> round(own_share(0.25), 3), round(own_share(-0.2), 3)
    (0.2, -0.25)
    """
    return relative / (1 + relative)


def cost_per(cost: float, number: Range) -> Range:
    """Return a cost for each of an uncertain number.

    Parameters
    ----------
    cost : float
        Pounds, not below 0.
    number : Range

    Returns
    -------
    Range
        The dearest end is infinite where the number may be none or fewer; the value is infinite
        where the estimate is.

    Notes
    -----
    The cost is known and the number alone uncertain, so the interval is the number's, inverted
    (Fieller's interval with an error in the denominator only).

    Examples
    --------
    >>> cost_per(1_000.0, Range(0.1, 0.05, 0.2))
    Range(value=10000.0, low=5000.0, high=20000.0)
    >>> cost_per(1_000.0, Range(0.1, -0.05, 0.2)).high
    inf
    """

    def each(share: float) -> float:
        return cost / share if share > 0 else float("inf")

    return Range(each(number.value), each(number.high), each(number.low))


def surviving(claim: float, own: Range, cost: float) -> tuple[Range, Range]:
    """Return what is left of a claimed saving: the programme's own part, and that less its cost.

    Parameters
    ----------
    claim : float
        Pounds claimed, of all families' change.
    own : Range
        Share of it that was the programme's own.
    cost : float
        Pounds.

    Examples
    --------
    >>> gross, net = surviving(1.2e9, Range(0.2, 0.0, 0.4), 448e6)
    >>> round(gross.value / 1e6), round(net.low / 1e6), round(net.high / 1e6)
    (240, -448, 32)
    """
    gross = own.times(claim)
    return gross, Range(gross.value - cost, gross.low - cost, gross.high - cost)
