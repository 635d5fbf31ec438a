"""Published effects through our unit costs: the 2019 evaluation beside its own ratios.

The 2019 effects are shares of people at the end of a window; a unit cost is for a day in care, a
sentence, a day on an allowance. Between them stand the people in a family and when the effect
began: both assumed, both told, both turned in `account_2019`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.errors import ParameterError, suggest
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.published import published_effects, without_values
from tfeval.money.additional import people_in_family
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import phase
from tfeval.programme.published import figure, published

#: When an effect on a state (in care, on an allowance) seen at months 19 to 24 began.
BEGINS = {
    "first_day": "held from the first day, though it was seen at months 19 to 24 only",
    "month_19": "began when it was seen, in month 19",
}
#: Measure to the outcome of its unit cost, and whether it is a state (days) or an event (counts).
VALUED_AS = {
    "looked_after": ("looked_after", "state"),
    "jobseekers_allowance": ("jobseekers_allowance", "state"),
    "protection_plan": ("protection_plan", "state"),
    "out_of_work": ("out_of_work", "state"),
    "custody": ("custody", "event"),
    "conviction": ("court_event", "event"),
}
_WINDOW, _SEEN, _YEAR = 24, 6, 365.0


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

    def benefits_at(self, persistence: float) -> float:
        """Return the benefits if this share of each effect were left in each further year."""
        total = 0.0
        for part in self.parts:
            point = part.model.point()
            held = point.with_(powers=part.model.powers([persistence]))
            total += float(part.model.by_outcome(held).sum())
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
            unit = part.found.costs.groupby("outcome")["per"].first()
            for row in part.found.effects.to_dict("records"):
                rows.append((row["name"], row["months"], row["estimate"],
                             unit[row["outcome"]], part.settings.lag))  # fmt: skip
        return pd.DataFrame(rows, columns=["outcome", "months", "effect", "per", "lag"])


#: Outcomes that are a family's in two populations: one row each.
_BY_POPULATION = {
    ("custody", "adults"): "custody_adults",
    ("custody", "juveniles"): "custody_juveniles",
}
#: Which unit cost values an effect on a family that is not named like it, for `appraise`.
CONVERT = {
    "custody_adults": ("custody", 1.0),
    "custody_juveniles": ("custody", 1.0),
    "conviction": ("court_event", 1.0),
}


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
    >>> two = {"children": 2.0, "juveniles": 1.0, "adults": 1.0}
    >>> found = family_effects(published_effects("2019"), two).to_frame().set_index("outcome")
    >>> round(float(found.loc["looked_after", "estimate"]), 2)  # -0.8% of 730 days, two children
    -11.68
    """
    if begins not in BEGINS:
        raise ParameterError(f"There is no beginning {begins}. {suggest(begins, BEGINS)}")
    held = _people(people)
    frame = effects.to_frame()
    states = np.array([VALUED_AS[name][1] == "state" for name in frame["outcome"]])
    months = np.where(states & (begins == "month_19"), _SEEN, _WINDOW)
    times = np.where(states, months / 12 * _YEAR, 1.0)
    times = times * frame["population"].map(held).to_numpy(dtype=float)
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


def _people(given: Mapping[str, float] | None) -> dict[str, float]:
    held = {name: item.value for name, item in people_in_family().items()}
    for name, number in (given or {}).items():
        if name not in held:
            raise ParameterError(f"There are no {name} in a family. {suggest(name, held)}")
        if not 0 < number < 20:
            raise ParameterError(f"{name} in a family are a number above 0, not {number}.")
        held[name] = float(number)
    return held


def appraise_2019(
    *,
    people: Mapping[str, float] | None = None,
    begins: str = "first_day",
    view: str = "total",
    persistence: Any = (0.5, 0.0, 1.0),
    perspective: str = "fiscal",
    without: tuple[str, ...] = (),
    price_year: int = 2024,
    edition: str = "2026",
    horizon: int = 5,
    **settings: Any,
) -> Published:
    """Appraise the effects that the 2019 evaluation published, through our own unit costs.

    Parameters
    ----------
    people, begins
        As in `family_effects`.
    view : {"total", "central", "marginal"}
        Which costs of phase two; see `programme_costs`.
    persistence, perspective, price_year, edition, horizon, **settings
        As in `appraise`. The published analysis counted five years.
    without : tuple of str
        Effects to leave out.

    Returns
    -------
    Published

    Examples
    --------
    >>> found = appraise_2019(persistence=1.0)
    >>> 1.0 < found.benefit_cost_ratio < 1.4
    True
    """
    effects = family_effects(published_effects("2019"), people, begins)
    kept = [name for name in effects.to_frame()["outcome"] if name not in without]
    costs = programme_costs("two", view, price_year)
    asked = {"families": families_by_year(), "price_year": price_year, "edition": edition,
             "horizon": horizon, "persistence": persistence, "perspective": perspective,
             "convert": CONVERT, "base_year": 2015, **settings}  # fmt: skip
    frame = effects.to_frame()
    parts: list[Appraisal] = []
    for window in sorted(frame["months"].unique(), reverse=True):
        own = frame.loc[frame["months"] == window, "outcome"]
        names = [name for name in kept if name in set(own)]
        if not names:
            continue
        lag = 0 if window == _WINDOW else _WINDOW - _SEEN
        spent = costs if not parts else 0.0
        parts.append(appraise(effects.select(names), spent, lag=lag, **asked))
    told = {"begins": begins, "view": view, "people": _people(people), **asked}
    return Published(tuple(parts), told)


def families_by_year() -> dict[int | str, float]:
    """Return phase two's families by the year in which they join: the same in each (assumed)."""
    total = phase("two").families.value
    return dict.fromkeys(range(2015, 2020), total / 5)


# Why our ratios and the published ones of 2019 differ: one thing turned at a time.

VIEWS = ("total", "central")


def published_ratios() -> dict[str, float]:
    """Return the ratios that the 2019 evaluation published, by account.

    Examples
    --------
    >>> published_ratios()
    {'fiscal': 1.51, 'economic': 2.28}
    """
    names = ("fiscal", "economic")
    return {name: figure("evaluations", f"{name}_benefit_per_pound").value for name in names}


def account_2019(price_year: int = 2024, edition: str = "2026") -> pd.DataFrame:
    """Return our ratio of the 2019 effects, and what each assumption does to it.

    Parameters
    ----------
    price_year : int
    edition : str
        Of the Green Book.

    Returns
    -------
    DataFrame
        `turned` (what is changed), `how`, and benefits for each pound of cost: `total` (all
        public costs counted), `central` (central government's alone). The first row is the
        reference: the fiscal account over five years, half of each effect left in each further
        year, from the first day on.
    """
    base = {"price_year": price_year, "edition": edition}
    costs = _costs(base)
    rows = [
        (turned, how, appraise_2019(**{**base, **change}).benefits)
        for turned, how, change in _changes(price_year)
    ]
    rows.append(_protection_plans(base, rows[0][2]))
    return pd.DataFrame([(turned, how, *worth / costs) for turned, how, worth in rows],
                        columns=["turned", "how", *VIEWS])  # fmt: skip


def _costs(base: dict[str, Any]) -> np.ndarray:
    """Return the programme's costs in each view, pounds of present value."""
    return np.array([appraise_2019(view=view, **base).costs for view in VIEWS])


def _changes(price_year: int) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what is turned, in words, and the settings that turn it."""
    people = people_in_family()

    def ends(end: str) -> dict[str, float]:
        return {name: getattr(item, end) for name, item in people.items()}

    fewer, more = ends("low"), ends("high")
    cost = figure_range("looked_after", price_year)
    return [
        ("As here", "half of each effect left each further year, from the first day", {}),
        ("How long effects last", "none after the two years", {"persistence": 0.0}),
        ("How long effects last", "all of it to year five", {"persistence": 1.0}),
        ("When they began", "in month 19, when they were seen", {"begins": "month_19"}),
        ("People in a family", _named(fewer), {"people": fewer}),
        ("People in a family", _named(more), {"people": more}),
        ("Cost of a year in care", f"£{cost[0]:,.0f}: foster care",
         {"unit_cost_table": _at_end("looked_after", "low")}),
        ("Cost of a year in care", f"£{cost[1]:,.0f}: residential care",
         {"unit_cost_table": _at_end("looked_after", "high")}),
        ("What is counted", "without children looked after", {"without": ("looked_after",)}),
        ("Whose account", "everybody's: an allowance saved is a household's loss",
         {"perspective": "social"}),
    ]  # fmt: skip


def _named(people: Mapping[str, float]) -> str:
    return ", ".join(f"{number:.1f} {name}" for name, number in people.items())


def figure_range(outcome: str, price_year: int) -> tuple[float, float]:
    """Return the low and high cost of a year of a state, pounds in `price_year` prices."""
    rows = unit_costs(price_year, [outcome])
    return float(rows["low"].sum() * 365), float(rows["high"].sum() * 365)


def _at_end(outcome: str, end: str) -> pd.DataFrame:
    """Return the unit costs with one outcome's at an end of its range."""
    rows = published("unit_costs")
    rows = rows[rows["figure"] == "unit_cost"].copy()
    chosen = rows["outcome"] == outcome
    at = rows.loc[chosen, end].astype(float)
    for name in ("value", "low", "high"):
        rows.loc[chosen, name] = at
    return rows


def _protection_plans(base: dict[str, Any], worth: float) -> tuple[str, str, float]:
    """Take off what each point more of children on a plan would cost, had it been published."""
    missing = without_values("2019")
    named = ", ".join(missing.loc[missing["finding"].str.contains("adverse"), "months"])
    frame = pd.DataFrame({"outcome": ["protection_plan"], "population": ["children"],
                          "months": [24], "estimate": [0.01], "std_error": [0.0]})  # fmt: skip
    more = family_effects(Effects(frame, np.zeros((1, 1))))
    lost = appraise(
        more, 0.0, families=families_by_year(), base_year=2015, perspective="fiscal", **base
    ).benefits
    how = (
        f"if one child in a hundred more was on one (adverse at months {named}; the size was not "
        "published where seen)"
    )
    return ("Child protection plans", how, worth + lost)


def needed_2019(price_year: int = 2024, edition: str = "2026") -> pd.DataFrame:
    """Return what would have to hold for the effects to be worth the published fiscal ratio.

    Parameters
    ----------
    price_year : int
    edition : str
        Of the Green Book.

    Returns
    -------
    DataFrame
        `what`, `total`, `central`: the share of an effect left in each further year, and the
        people in a family as a multiple of those taken, at which our ratio is the published one;
        NaN where no share from 0 to 1 would do.
    """
    wanted = published_ratios()["fiscal"]
    base: dict[str, Any] = {"price_year": price_year, "edition": edition}
    found, costs = appraise_2019(**base), _costs(base)
    shares = [_share_for(found, wanted * cost) for cost in costs]
    # Every benefit is proportional to the people in a family.
    times = wanted * costs / found.benefits
    return pd.DataFrame(
        [
            ("Share of an effect left in each further year", *shares),
            ("People in a family, times those taken", *times),
        ],
        columns=["what", *VIEWS],
    )


def _share_for(found: Published, worth: float) -> float:
    from scipy.optimize import brentq  # noqa: PLC0415

    if not found.benefits_at(0.0) <= worth <= found.benefits_at(1.0):
        return float("nan")
    return float(brentq(lambda share: found.benefits_at(share) - worth, 0.0, 1.0, xtol=1e-6))
