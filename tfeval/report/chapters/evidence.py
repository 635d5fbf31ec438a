"""Chapter 6, the published evidence through the one appraisal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd

from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, table
from tfeval.display.words import Sentence
from tfeval.impact.effects.published import evaluation_sources, published_effects
from tfeval.money.additional import people_in_family
from tfeval.money.claimed import implied_costs_2019
from tfeval.money.costs import cost_sources, programme_costs
from tfeval.money.evaluation_2019 import (
    Published,
    account_2019,
    appraise_2019,
    needed_2019,
    published_ratios,
)
from tfeval.money.unit_costs import unit_costs
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.programmes import programmes
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.chapters import additional, claims, known
from tfeval.report.chapters.additional import Additional
from tfeval.report.chapters.common import percent, pounds, span
from tfeval.report.record import Record, Records, keep, make_record

# Chapter 7 where nothing can be valued: what stands in the place of pounds, and why.

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Unknown:
    """What stands where an appraisal would: that there is none, and why.

    Attributes
    ----------
    why : str
    simulated : bool
    """

    why: str
    simulated: bool

    def table(self) -> Table:
        """Return the reason as a table for readers."""
        said = pd.DataFrame({"What is missing": [self.why]})
        return table(
            said, caption="What the effects were worth is not known from these records",
            notes=[f"{SIMULATED}."] * self.simulated
            + ["Not known is not nothing: no pound of benefit is shown, and none is ruled out."],
        )  # fmt: skip

    def uncertainty(self, **_asked: object) -> Unknown:
        """Return the same: there is nothing to draw from."""
        return self

    def plot(self, *_kind: object, **_asked: object) -> Table:
        """Return the same: there is nothing to draw."""
        return self.table()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()


@dataclass(frozen=True)
class Unvalued:
    """What chapter 7 shows where no effect can be valued.

    Attributes
    ----------
    appraisal, drawn, designs : Unknown
        In the place of those of `Value`.
    impact : Records
        Of chapter 4.
    families : float
        Whom the phase reached.
    """

    appraisal: Unknown
    impact: Records
    families: float

    @property
    def drawn(self) -> Unknown:
        """In the place of joint draws."""
        return self.appraisal

    @property
    def designs(self) -> Unknown:
        """In the place of the same under each design."""
        return self.appraisal

    @property
    def label(self) -> str:
        """What must stand before every sentence on simulated records."""
        return "Simulated records: " if self.appraisal.simulated else ""

    def headline(self) -> str:
        """Say that what the programme was worth is not known, and why."""
        return (
            f"{self.label}what the programme was worth cannot be said from these records. "
            f"{self.appraisal.why}"
        )


def or_why(shows: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R | Table]:
    """Make a table or chart of a value say why there is none, where nothing can be valued."""

    @wraps(shows)
    def shown(found: Any, *rest: P.args, **more: P.kwargs) -> R | Table:
        if isinstance(found, Unvalued):
            return found.appraisal.table()
        return shows(found, *rest, **more)

    return shown


_COHORT_YEAR = "2017-18"


def headline(phase: str, found: Additional, price_year: int, edition: str) -> Sentence:
    """Say in short what was claimed, what of it was caused as far as known, and what it is worth.

    Parameters
    ----------
    phase : str
    found : Additional
        What the records say; simulated ones are not quoted.
    price_year : int
    edition : str
    """
    parts: list[str] = [claims.headline(phase)]
    if not found.simulated:
        parts.append(additional.headline(found))
    said = facts(price_year, edition)
    total, central = said["ratio_2019_total"], said["ratio_2019_central"]
    parts.append(
        f"By our unit costs the effects published in 2019, of phase two, are worth {total:short} "
        f"for each £1 that all public bodies spent ({_turned(total)}) and {central:short} for each "
        f"£1 of central government ({_turned(central)}), as one assumption at a time is turned; "
        f"{said['ratio_2019_published_fiscal']:short} was published."
    )
    if programmes()[phase].claims.saving:
        said = known.facts(price_year, edition)
        parts.append(
            "The 2016 finding of no consistent effect still leaves room for a gain of up to "
            f"{said['open_2016_central_within']:short} for each £1 of central government or a loss "
            f"of up to {said['open_2016_central_within_loss']:short}, or up to "
            f"{said['open_2016_central_between']:short} and "
            f"{said['open_2016_central_between_loss']:short} if families were compared only "
            "between authorities."
        )
    return Sentence(" ".join(parts))


def _turned(ratio: Record) -> str:
    return f"{ratio.end('low'):short} to {ratio.end('high'):short}"


def intervals_table() -> Table:
    """Return the published effects of 2019 with the most that their errors can be."""
    effects = published_effects("2019")
    rows = effects.to_frame().to_dict("records")
    frame = pd.DataFrame(
        {
            "Outcome": [f"{outcome_label(row['outcome'])} ({row['population']})" for row in rows],
            "On the programme, and comparison": [
                f"{row['mean_treated']:.1%} and {row['mean_comparison']:.1%}" for row in rows
            ],
            "Difference (points)": [_minus(f"{100 * row['estimate']:.1f}") for row in rows],
            "Error, at most": [f"{100 * row['std_error']:.2f}" for row in rows],
            "95% interval, at most": [
                _minus(f"{100 * row['conf_low']:.1f} to {100 * row['conf_high']:.1f}")
                for row in rows
            ],
            "People in each group, at least": [_implied(row) for row in rows],
        }
    )
    return table(
        frame,
        caption="The effects published in 2019, as intervals",
        sources=evaluation_sources("2019"),
        notes=[
            *effects.notes,
            "People in each group: how many, if all were independent, give an error of that size "
            "at the published shares. The sizes themselves were not published where seen.",
        ],
    )


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def _implied(row: dict) -> str:
    variance = sum(share * (1 - share) for share in (row["mean_treated"], row["mean_comparison"]))
    return f"{round(variance / row['std_error'] ** 2, -2):,.0f}"


@lru_cache(maxsize=8)
def ours(price_year: int, edition: str, view: str = "total") -> Published:
    """Return the 2019 effects through our unit costs: the reference of the account.

    Parameters
    ----------
    price_year : int
    edition : str
    view : {"total", "central"}
        Which costs are counted.
    """
    return appraise_2019(price_year=price_year, edition=edition, view=view)


def benefits_table(price_year: int, edition: str) -> Table:
    """Return the 2019 effects through our unit costs, by outcome, beside the published ratios."""
    found = ours(price_year, edition)
    central, said = ours(price_year, edition, "central"), facts(price_year, edition)
    rows = found.by_outcome()
    counted = found.counted().set_index("outcome")
    labels = found.labels
    lines: list[tuple] = [
        (labels[row["outcome"]], _quantity(counted.loc[row["outcome"]]), pounds(row["a_family"]),
         row["benefits"] / found.costs, row["benefits"] / central.costs)
        for row in rows.sort_values("benefits", ascending=False).to_dict("records")
    ]  # fmt: skip
    lines.append(
        ("All together", "", pounds(found.benefits / found.families),
         f"{said['ratio_2019_total']:short}", f"{said['ratio_2019_central']:short}")
    )  # fmt: skip
    lines.append(("The same, at worst and at best", "", "", _ends(found), _ends(central)))
    fiscal = f"{said['ratio_2019_published_fiscal']:short}"
    lines.append(("Published, fiscal", "", "", fiscal, fiscal))
    frame = pd.DataFrame(
        lines,
        columns=["Effect", "Change a family, two years", "Worth a family over five years",
                 "For each £1 of all public costs", "For each £1 of central costs"],
    )  # fmt: skip
    money = dict.fromkeys(frame.columns[3:], _ratio)
    return table(
        frame,
        caption="The effects published in 2019, through our own unit costs",
        formats=money,
        sources=_sources_2019(),
        notes=[
            "Public money, over five years from when a family joins; half of an effect is left "
            "in each year after the two that were followed (assumed).",
            "At worst and at best: errors were not published, only that effects were significant. "
            "At most, that leaves each between none and twice what was found; the ends take all "
            "to err one way (Vohra, 2024).",
            f"People in a family: {_people()}.",
        ],
    )


def _ratio(value: object) -> str:
    return value if isinstance(value, str) else f"£{value:.2f}"


def _ends(found: Published) -> str:
    low, high = found.ratio_interval()
    return f"£{max(low, 0):.2f} to £{high:.2f}"


def _quantity(row: pd.Series) -> str:
    unit = {"person-day": "days", "custodial sentence": "sentences", "court event": "convictions"}
    digits = 1 if row["per"] == "person-day" else 3
    return f"−{abs(row['effect']):.{digits}f} {unit[row['per']]}"


def _people() -> str:
    return "; ".join(
        f"{item.value:.1f} {item.population} ({item.low:.1f} to {item.high:.1f}; {item.basis})"
        for item in people_in_family().values()
    )


def _sources_2019() -> list[Source]:
    costs = published("unit_costs")
    used = costs[costs["outcome"].isin(["looked_after", "jobseekers_allowance", "custody",
                                        "court_event"])]  # fmt: skip
    people = [source for item in people_in_family().values() for source in item.sources]
    found = [*evaluation_sources("2019"), *_ratio_sources(), *distinct_sources(used), *people,
             *cost_sources("two")]  # fmt: skip
    return list(dict.fromkeys(found))


def _ratio_sources() -> list[Source]:
    rows = published("evaluations")
    names = "economic|fiscal|benefits_from|outcomes_counted|not_linked"
    return distinct_sources(rows[rows["figure"].str.contains(names)])


def account_table(price_year: int, edition: str) -> Table:
    """Return what each assumption does to our ratio of the 2019 effects."""
    rows = account_2019(price_year, edition)
    ratios = published_ratios()
    frame = pd.DataFrame(
        {
            "What is turned": rows["turned"],
            "How": rows["how"],
            "All public costs": rows["total"],
            "Central costs": rows["central"],
        }
    )
    money = "£{:.2f}".format
    return table(
        frame,
        caption=f"Why ours is not £{ratios['fiscal']:.2f}: one assumption turned at a time, "
        "benefit for each £1",
        formats={"All public costs": money, "Central costs": money},
        sources=_ratio_sources(),
        notes=[_needed_words(price_year, edition)],
    )


def _needed_words(price_year: int, edition: str) -> str:
    lasting, people = needed_2019(price_year, edition)[["total", "central"]].to_dict("records")
    wanted = f"£{published_ratios()['fiscal']:.2f}"
    found = {
        view: f"{percent(share)} of an effect must be left in each further year"
        if pd.notna(share)
        else f"not even lasting effects give it: it would take {people[view]:.1f} times the people"
        for view, share in lasting.items()
    }
    return (
        f"What it takes to be {wanted}: with central costs {found['central']}; with all public "
        f"costs {found['total']}."
    )


def differences_table(price_year: int, edition: str) -> Table:
    """Return, reason by reason, why the published ratios and ours differ, computed or sourced."""
    implied = implied_costs_2019()
    cost = span(implied["low"].max(), implied["high"].min(), _millions)
    spent = {view: _spent_in_year(view) for view in ("central", "total")}
    care = facts(price_year, edition)["care_share_2019"]
    ratios = published_ratios()
    layers = sorted(set(unit_costs(price_year)["party"]))
    lines = [
        ("Costs", f"The two ratios imply {cost} for the {_COHORT_YEAR} cohort. That year's "
         f"central costs were {_millions(spent['central'])} and all public costs "
         f"{_millions(spent['total'])} here: what they counted lies between."),
        ("Where benefits arise", f"{_text('benefits_from')} Here children looked after are "
         f"{care} of them."),
        ("Outcomes", f"{_text('outcomes_counted')} Which these were was not read; only effects "
         "whose values were printed where we could read them are here. Adverse effects on child "
         "protection plans are among those without a value, and would lower ours."),
        ("Health", f"{_text('not_linked')} So neither account holds any saving of the NHS from "
         "fewer admissions."),
        ("Economic value", f"£{ratios['economic'] - ratios['fiscal']:.2f} of the "
         f"£{ratios['economic']:.2f} was value to others than public bodies. Our unit costs hold "
         f"{', '.join(layers)} values alone, so that part cannot be rebuilt here."),
        ("Unit costs", "Theirs were not read. Ours take the average cost of a child in care; a "
         "child kept out of care by a family worker may be one of the cheaper cases (see above)."),
        ("Persistence", "How long they let effects last within five years was not read."),
    ]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=["Difference", "What is known of it"]),
        caption="Published and ours: the account of the difference",
        sources=_ratio_sources(),
    )


def _millions(value: float) -> str:
    return f"£{value:,.0f}m"


def _text(name: str) -> str:
    rows = published("evaluations")
    return str(rows.loc[rows["figure"] == name, "text"].iloc[0])


def _spent_in_year(view: str) -> float:
    rows = programme_costs("two", view, 2017)
    return float(rows.loc[rows["year"] == _COHORT_YEAR, "cash"].sum()) / 1e6


@lru_cache(maxsize=8)
def facts(price_year: int, edition: str) -> dict[str, Record]:
    """Return what is recorded of the 2019 study, which is of phase two.

    Parameters
    ----------
    price_year : int
    edition : str

    Returns
    -------
    dict of str to Record
        Our ratios have as their interval the least and the most over the rows of `account_table`.
    """
    about = {"phase": "two", "price_year": price_year, "green_book_edition": edition}
    unit, turned, made = "£ for each £1", account_2019(price_year, edition), []
    for view in ("total", "central"):
        ratio = ours(price_year, edition, view).benefit_cost_ratio
        ends = [ratio, *turned[view].dropna()]
        made.append(make_record(f"ratio_2019_{view}", ratio, unit, interval=(min(ends), max(ends)),
                                subject=about))  # fmt: skip
    for kind, ratio in published_ratios().items():
        made.append(make_record(f"ratio_2019_published_{kind}", ratio, unit, subject={
            "phase": "two"}))  # fmt: skip
    rows = ours(price_year, edition).by_outcome().set_index("outcome")["benefits"]
    share = 100 * float(rows["looked_after"] / rows.sum())
    made.append(make_record("care_share_2019", share, "%", digits=3, subject=about))
    return {record.name: record for record in made}


def record_evidence(price_year: int, edition: str) -> None:
    """Record the ratios of the 2019 effects by our unit costs, for later chapters."""
    for made in facts(price_year, edition).values():
        keep(made)
