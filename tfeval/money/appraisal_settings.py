"""What an appraisal is asked for, and the ranges within which it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Real
from typing import Any

from tfeval.calls import kind_of
from tfeval.display.words import financial_year
from tfeval.errors import ParameterError, suggest
from tfeval.money.persistence import Given, Persistence, persistence_of
from tfeval.money.prices import TIMINGS, edition_of, price_years, year_number
from tfeval.money.unit_costs import GRADES
from tfeval.programme.claims import edition
from tfeval.programme.claims import price_years as price_years_offered
from tfeval.settings import Settings, setting

PERSPECTIVES = {
    "social": "everybody's account: participants, victims, taxpayers and others",
    "fiscal": "the public purse: what public bodies spend or no longer spend",
}
ON_OVERLAP = {
    "net": "of two measures of the same pounds that move one way, the one worth more is counted",
    "refuse": "two measures of the same pounds are an error",
}
#: Outcomes that are work, whose gains may displace others'.
WORK = ("employment", "out_of_work", "jobseekers_allowance")
#: Assumed, since no record follows families for longer: half of an effect is left each year
#: after the window measured, at least nothing and at most all of it.
DEFAULT_PERSISTENCE = (0.5, 0.0, 1.0)
RATES = ("standard", "sensitivity")
#: Least and most of every number, with its unit.
RANGES: dict[str, tuple[float, float, str]] = {
    "months": (1, 60, "months"),
    "horizon": (1, 60, "years"),
    "lag": (0, 60, "months"),
    "optimism_bias": (0, 1, ""),
    "displacement": (0, 1, ""),
    "public_funds": (1, 3, "pounds"),
    "relative_income": (0.1, 2, "of the median"),
    "elasticity": (0, 4, ""),
    "valued_share": (0, 1, ""),
    "claims": (1, 10_000_000, "results"),
    "draws": (100, 1_000_000, "draws"),
    "level": (0.5, 0.999, ""),
    "correlation": (0, 1, ""),
}
WHOLE = ("months", "horizon", "lag", "draws")
#: Years in which families may join, and to which money may be discounted.
BASE_YEARS = (1990, 2100)


def within(name: str, value: Any) -> Any:
    """Return a number that lies within its range.

    Raises
    ------
    ParameterError
        With the range, if it does not.

    Examples
    --------
    >>> within("horizon", 5)
    5
    """
    low, high, unit = RANGES[name]
    if not is_number(value) or not low <= value <= high:
        said = f" {unit}" if unit else ""
        raise ParameterError(f"{name} lies between {low} and {high:,}{said}, not {value}.")
    if name in WHOLE and int(value) != value:
        raise ParameterError(f"{name} is a whole number between {low} and {high:,}.")
    return int(value) if name in WHOLE else value


def is_number(value: Any) -> bool:
    """Return whether a value is a number, of numpy too; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _whole_year(name: str, value: Any, low: int, high: int, more: str = "") -> int:
    """Return a year that is one and lies within a range."""
    if not is_number(value) or value != value // 1 or not low <= value <= high:
        raise ParameterError(f"{name} between {low} and {high}{more}, not {value}.")
    return int(value)


@dataclass(frozen=True)
class AppraisalSettings:
    """What an appraisal was asked for; see `appraise`.

    Attributes
    ----------
    families : dict of int to float
        Families by the financial year in which they join.
    persistence : dict of str to Persistence
        By outcome; "" for all others.
    convert : dict of str to (str, float)
        Effect's outcome to the outcome of a unit cost, and units of it for each of the effect's.
    """

    families: dict[int, float]
    months: int | None
    price_year: int
    edition: str
    rate: str
    timing: str
    horizon: int
    lag: int
    persistence: dict[str, Persistence]
    perspective: str
    on_overlap: str
    optimism_bias: dict[str, float]
    optimism_bias_source: str
    displacement: float
    public_funds: float
    base_year: int | None
    cashable_only: bool
    relative_income: float | None
    elasticity: float
    valued_share: float
    claims: float | None
    result: str | None
    convert: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def total_families(self) -> float:
        """All families reached."""
        return float(sum(self.families.values()))

    @property
    def weight(self) -> float:
        """What a pound of the families counts, against one of a household of median income."""
        if self.relative_income is None:
            return 1.0
        return float(self.relative_income**-self.elasticity)


def settings_of(
    families: float | Mapping[int | str, float],
    first_year: int,
    persistence: Given | Mapping[str, Given],
    convert: Mapping[str, tuple[str, float]] | None,
    optimism_bias: float | Mapping[str, float] = 0.0,
    **options: Any,
) -> AppraisalSettings:
    """Check everything that an appraisal is asked for.

    Raises
    ------
    ParameterError
        If something is unknown or out of its range; the message gives the range.
    """
    choices = {"perspective": PERSPECTIVES, "on_overlap": ON_OVERLAP, "timing": TIMINGS,
               "rate": RATES}  # fmt: skip
    for name, known in choices.items():
        if not isinstance(options[name], str) or options[name] not in known:
            raise ParameterError(
                f"There is no {name} {options[name]}. {suggest(options[name], known)}"
            )
    if options["rate"] not in edition_of(options["edition"]).kinds:
        raise ParameterError(f"Edition {options['edition']} has no {options['rate']} rate here.")
    for name in ("horizon", "lag", "elasticity", "valued_share", "displacement", "public_funds"):
        options[name] = within(name, options[name])
    for name in ("months", "relative_income", "claims"):
        if options[name] is not None:
            options[name] = within(name, options[name])
    years = price_years()
    options["price_year"] = _whole_year(
        "price_year lies", options["price_year"], years[0], years[-1]
    )
    if options["base_year"] is not None:
        options["base_year"] = _whole_year("base_year lies", options["base_year"], *BASE_YEARS)
    options["optimism_bias_source"] = _source(options["optimism_bias_source"])
    if not isinstance(options["cashable_only"], bool):
        raise ParameterError(f"cashable_only is True or False, not {options['cashable_only']}.")
    lasting = persistence if isinstance(persistence, Mapping) else {"": persistence}
    by_outcome = {"": DEFAULT_PERSISTENCE, **lasting}
    return AppraisalSettings(
        families=_families(families, first_year),
        persistence={name: persistence_of(given) for name, given in by_outcome.items()},
        convert=_conversions(convert or {}),
        optimism_bias=_biases(optimism_bias),
        **options,
    )


def _biases(given: float | Mapping[str, float]) -> dict[str, float]:
    """Return optimism bias by grade of evidence."""
    by_grade = dict(given) if isinstance(given, Mapping) else dict.fromkeys(GRADES, given)
    for grade, share in by_grade.items():
        if grade not in GRADES:
            raise ParameterError(f"There is no grade {grade}. {suggest(grade, GRADES)}")
        within("optimism_bias", share)
    return {grade: float(by_grade.get(grade, 0.0)) for grade in GRADES}


def _families(given: float | Mapping[int | str, float], first_year: int) -> dict[int, float]:
    by_year = given if isinstance(given, Mapping) else {first_year: given}
    counts: dict[int, float] = {}
    for year, count in by_year.items():
        number = year_number(year) if isinstance(year, str) else year
        number = _whole_year("Families join in a year", number, *BASE_YEARS)
        if not is_number(count) or not 0 <= count < float("inf"):
            raise ParameterError(f"Families who join in {number} are a number, not below 0.")
        # One year may be written in two ways, as 2012 and "2012-13".
        counts[number] = counts.get(number, 0.0) + float(count)
    if not sum(counts.values()) > 0:
        raise ParameterError("families says how many were reached: a number above 0.")
    return dict(sorted(counts.items()))


def _conversions(given: Mapping[str, tuple[str, float]]) -> dict[str, tuple[str, float]]:
    if not isinstance(given, Mapping):
        raise ParameterError("convert is a mapping of an effect's outcome to an outcome and units.")
    pairs = {}
    for name, pair in given.items():
        whole = isinstance(pair, tuple | list) and len(pair) == 2 and is_number(pair[1])
        if not whole or not 0 < abs(float(pair[1])) < float("inf"):
            raise ParameterError(
                f"convert[{name!r}] is the outcome of a unit cost and how many units of it one "
                'unit of the effect is, such as ("sessions_unauthorised", 380.0).'
            )
        pairs[name] = (str(pair[0]), float(pair[1]))
    return pairs


# What every appraisal of a report takes as given, and no record says: one scenario.

#: By how much the share of an effect left each year may lie beside what is assumed.
EITHER_SIDE = 0.5
#: The words of a scenario: what is counted as cost, whose account, when money flows, what is left.
_COSTS = {
    "total": "all public costs, those of authorities among them",
    "central": "central government's costs alone",
    "marginal": "the costs that grow with the number of families",
}
_ACCOUNTS = {"social": "everybody's account", "fiscal": "the account of the public purse"}
_FLOWS = {"mid": "in mid-year", "end": "at the end of the year"}
_SHARES = {0.0: "nothing", 0.5: "half", 1.0: "all"}


def _years() -> tuple[float, float]:
    low, high, _ = RANGES["horizon"]
    return low, high


def _base_year(value: Any) -> int | None:
    """Return the year to which money is discounted, as given; None leaves it to the phase."""
    if value is None:
        return None
    return _whole_year("The parameter base_year is a year", value, *BASE_YEARS, ", or none")


def _bias(value: Any) -> str:
    """Return optimism bias as text, by grade, to compare and to record by: "B=0.1, C=0.4"."""
    given: Any = _read_shares(value) if isinstance(value, str) else value
    if not is_number(given) and not isinstance(given, Mapping):
        raise ParameterError(
            "The parameter optimism_bias is a share between 0 and 1, or one for each grade of "
            f'evidence ({", ".join(GRADES)}), such as "B=0.1, C=0.4", not {value}.'
        )
    shares = _biases(given)
    return ", ".join(f"{grade}={share!r}" for grade, share in shares.items() if share)


def _read_shares(text: str) -> float | dict[str, float] | None:
    """Return one share, or shares by grade; None of a text that says neither."""
    try:
        if "=" not in text and text.strip():
            return float(text)
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        return {grade.strip(): float(share) for grade, _, share in parts}
    except ValueError:
        return None


def _source(value: Any) -> str:
    if not isinstance(value, str):
        raise ParameterError(f"The parameter optimism_bias_source is a text, not {kind_of(value)}.")
    return " ".join(value.split()).rstrip(".")


@lru_cache(maxsize=16)
def _first_spent(phase: str) -> int:
    from tfeval.money.costs import programme_costs  # noqa: PLC0415 (it may read settings)

    return min(map(year_number, programme_costs(phase)["year"]))


@dataclass(frozen=True)
class Assumptions(Settings):
    """What every appraisal of a report takes as given: frozen, checked, comparable, hashable.

    Attributes
    ----------
    price_year : int
        Financial year of prices, by its first calendar year.
    green_book_edition : str
        Whose discount rates apply.
    appraisal_years : int
        Years counted from when a family joins.
    persistence : float
        Share of an effect left in each further year; it may lie by a half on either side.
    perspective : {"social", "fiscal"}
    costs : {"total", "central", "marginal"}
        What counts as the programme's costs: a view of `programme_costs`.
    timing : {"mid", "end"}
        When in the year money flows.
    base_year : int or None
        The year to which money is discounted; None is the first in which the phase spends.
    optimism_bias : str, float or mapping of grade to float
        Share, 0 to 1, by which benefits are taken to be overstated, as in `appraise`; kept as text
        by grade, such as "B=0.1, C=0.4". By default none: what was published was not read.
    optimism_bias_source : str
        Whose shares these are: needed where any is above 0, and printed with them.

    Raises
    ------
    ParameterError
        If a value is none that it may have, or optimism bias has no source.

    Examples
    --------
    >>> Assumptions(persistence=0.8).lasting
    (0.8, 0.3, 1.0)
    >>> careful = Assumptions(optimism_bias={"C": 0.4}, optimism_bias_source="our board, June 2026")
    >>> careful.words("one").split(". ")[-1]
    'Benefits are taken to be overstated by 40% of grade C (our board, June 2026).'
    >>> print(Assumptions().words("one"))
    Prices of 2024-25, discounted to 2011-12 at the rates of Green Book 2026, flows in mid-year. \
Counted are 5 years from when a family joins, half of an effect left in each further year (between \
nothing and all), all public costs, those of authorities among them, and everybody's account.
    """

    price_year: int = setting(
        2024,
        "financial year of prices, by its first calendar year",
        between=price_years_offered,
        why=": there is no deflator for it",
        whole=True,
    )
    green_book_edition: str = setting(
        "2026", "Green Book edition whose discount rates apply", official=edition
    )
    appraisal_years: int = setting(
        5,
        "years of benefits counted from when a family joins, 1 to 60",
        between=_years,
        unit="years",
        whole=True,
    )
    persistence: float = setting(
        0.5, "share of an effect left in each further year, 0 to 1", between=lambda: (0, 1)
    )
    perspective: str = setting(
        "social",
        "social: everybody's account; fiscal: the public purse",
        known=lambda: PERSPECTIVES,
    )
    costs: str = setting(
        "total",
        "total: all public costs; central: central government's; marginal: those by family",
        noun="view of costs",
        known=lambda: _COSTS,
    )
    timing: str = setting(
        "mid",
        "mid: money flows in mid-year; end: at the end of the year",
        known=lambda: TIMINGS,
    )
    base_year: int | None = setting(
        None,
        "year to which money is discounted; None: the first in which the phase spends",
        official=_base_year,
    )
    optimism_bias: str | float | Mapping[str, float] = setting(
        "", "share by which benefits are overstated, or one by grade of evidence", official=_bias
    )
    optimism_bias_source: str = setting(
        "", "where the shares of optimism bias are from: title, page or address", official=_source
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(self.bias.values()) and not self.optimism_bias_source:
            raise ParameterError(
                "optimism_bias: nobody's shares are assumed here; give optimism_bias_source= too, "
                "the title and page, or the address, that they are taken from."
            )

    @property
    def bias(self) -> dict[str, float]:
        """Share by which benefits are taken to be overstated, by grade of evidence."""
        pairs = (part.split("=") for part in str(self.optimism_bias).split(", ") if part)
        return _biases({grade: float(share) for grade, share in pairs})

    @property
    def lasting(self) -> tuple[float, float, float]:
        """Share of an effect left each year: assumed, least, most."""
        return (
            self.persistence,
            round(max(0.0, self.persistence - EITHER_SIDE), 12),
            min(1.0, self.persistence + EITHER_SIDE),
        )

    @property
    def appraisal(self) -> dict[str, Any]:
        """The same as `appraise` names its settings; `of_phase` settles the base year too."""
        return {
            "price_year": self.price_year, "edition": str(self.green_book_edition),
            "horizon": self.appraisal_years, "persistence": self.lasting,
            "perspective": self.perspective, "timing": self.timing, "base_year": self.base_year,
            "optimism_bias": self.bias, "optimism_bias_source": self.optimism_bias_source,
        }  # fmt: skip

    def discounted_to(self, phase: str) -> int:
        """Return the year to which a phase's money is discounted: the same whichever costs count.

        Examples
        --------
        >>> Assumptions().discounted_to("one"), Assumptions().discounted_to("two")
        (2011, 2015)
        """
        return _first_spent(phase) if self.base_year is None else self.base_year

    def of_phase(self, phase: str) -> dict[str, Any]:
        """Return what `appraise` takes for a phase: `appraisal` with its own base year."""
        return {**self.appraisal, "base_year": self.discounted_to(phase)}

    def money_words(self, phase: str) -> str:
        """Say in one sentence in what pounds a phase's money is."""
        return (
            f"Prices of {financial_year(self.price_year)}, discounted to "
            f"{financial_year(self.discounted_to(phase))} at the rates of "
            f"{edition_of(str(self.green_book_edition)).label}, flows {_FLOWS[self.timing]}."
        )

    def lasting_words(self) -> str:
        """Say over how many years benefits count, and what is left of them in each."""
        share, low, high = map(share_words, self.lasting)
        years = f"{self.appraisal_years} year{'s' * (self.appraisal_years > 1)}"
        return (
            f"{years} from when a family joins, {share} of an effect left in each further year "
            f"(between {low} and {high})"
        )

    def words(self, phase: str) -> str:
        """Say the whole scenario of a phase in two or three sentences, for readers."""
        return (
            f"{self.money_words(phase)} Counted are {self.lasting_words()}, {_COSTS[self.costs]}, "
            f"and {_ACCOUNTS[self.perspective]}.{self._bias_words()}"
        )

    def _bias_words(self) -> str:
        """Say by how much benefits are taken to be overstated, and who says so."""
        shares = [f"{share:.0%} of grade {grade}" for grade, share in self.bias.items() if share]
        if not shares:
            return ""
        said = f"{', '.join(shares)} ({self.optimism_bias_source})"
        return f" Benefits are taken to be overstated by {said}."


def share_words(share: float) -> str:
    """Write a share of an effect.

    Examples
    --------
    >>> share_words(0.5), share_words(0.8)
    ('half', '80%')
    """
    return _SHARES.get(share, f"{100 * share:g}%")
