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
from tfeval.impact.effects.published import published_effects
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.money.people import people_in_family
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.phases import phase

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
            held = point.with_(persistence=np.full_like(point.persistence, persistence))
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
