"""Chapter 6, the causes: who would have met the programme's own tests anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.results import results_tests
from tfeval.display.charts import line_chart
from tfeval.display.figures import Chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.display.words import MINUS, Sentence
from tfeval.errors import TfevalError
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import hidden_rows
from tfeval.impact.specification import Specification
from tfeval.money.additional import Range, Results, results_of
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.claimed import (
    CENTRAL_COST,
    NATIONAL,
    WHOLE_COST,
    break_even_2015,
    break_even_deadweight,
    claim_by_deadweight,
    national_claim_rebuilt,
)
from tfeval.programme.phases import phase
from tfeval.programme.programmes import programmes
from tfeval.programme.published import Source, distinct_sources, published
from tfeval.report.cells import keep_cells
from tfeval.report.chapters.cells import results_cells
from tfeval.report.chapters.common import (
    month,
    not_published,
    of_another,
    of_phase,
    percent,
    pounds,
    with_sources,
)
from tfeval.report.chapters.impact import Analysis
from tfeval.report.chapters.linked import kept_result, records_of
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Record, keep, make_record

# Chapter 6, the money: the savings claimed, what they need to hold, and what was found.


@of_phase("one")
def break_even_table(assumptions: Assumptions) -> Table:
    """Return the share of the claimed benefit that must be the programme's own to break even.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario: how long a benefit lasts beyond the 12 months claimed.
    """
    rows = break_even_2015(assumptions)
    frame = pd.DataFrame(
        {
            "Claim": rows["claim"],
            "Cost counted": rows["cost_counted"],
            "Gross benefit claimed": rows["benefit"],
            "Cost": rows["cost"],
            "Share that must be its own: 12 months, as claimed": rows["share"],
            "The same, if it lasts as this report takes effects to": [
                f"{percent(row['lasting'])} ({percent(row['lasting_low'])} to "
                f"{percent(row['lasting_high'])})"
                for row in rows.to_dict("records")
            ],
        }
    )
    return table(
        frame,
        caption="How much of the change must be the programme's own for it to break even",
        formats=dict.fromkeys(frame.columns[2:4], pounds) | {frame.columns[4]: percent},
        sources=claim_sources(),
        notes=[
            "One less the share is the deadweight at which the programme just pays for itself. "
            "Central cost a family is the whole budget over the families targeted. Benefits are "
            "gross, over 12 months, from seven areas, with no comparison group.",
            f"As this report takes effects to last: {assumptions.lasting_words()}; the range is "
            "between these. The claim is of money of the public purse and stands in that account. "
            f"{assumptions.money_words('one')}",
        ],
    )


@of_phase("one")
def rebuilt_table() -> Table:
    """Return the national claim of £1.2bn rebuilt from families and benefit a family."""
    frame = national_claim_rebuilt().assign(as_of=lambda rows: rows["as_of"].map(month))
    frame.columns = pd.Index(
        ["As of", "Families claimed", "Benefit a family", "Gross", "Cost of helping them", "Net"]
    )
    formats = dict.fromkeys(frame.columns[2:], pounds) | {"Families claimed": "{:,.0f}"}
    return table(
        frame,
        caption="The claim of £1.2bn, rebuilt: gross, with all of every family's change counted",
        formats=formats,
        sources=claim_sources(),
    )


def claim_sources() -> list[Source]:
    """Return the sources of the 2015 claim and of the money it is held against."""
    rows = published("benefits_claim_2015")
    used = rows[
        rows["figure"].isin(
            ["gross_benefit_per_family", "average_cost_per_family", "national_claim"]
        )
    ]
    budget = published("budget")
    money = budget[budget["figure"].isin(["phase_one_budget", "local_contribution_expected"])]
    return distinct_sources(used, money)


def findings_table(name: str, page: str = "") -> Table:
    """Return what the national evaluations found, by outcome.

    Parameters
    ----------
    name : str
        The phase.
    page : str, optional
        The page's phase: a page says nothing of findings on an earlier one.
    """
    rows = published("evaluation_outcomes")
    rules = phase(name)
    if page and rules.start < phase(page).start:
        return of_another(name)
    rows = rows[rows["evaluation"] == rules.evaluation.name]
    caption = f"What the national evaluations found, {rules.title}"
    if rows.empty:
        return not_published(caption, f"A study of the impact of {rules.words}")
    frame = pd.DataFrame(
        {
            "Outcome": rows["outcome"].str.capitalize() + " (" + rows["population"] + ")",
            "Months after": rows["months"],
            "On the programme, and comparison": [_against(row) for row in rows.to_dict("records")],
            "Finding": rows["finding"],
        }
    )
    if rows["value"].isna().all():
        frame = frame.drop(columns="On the programme, and comparison")
    return table(
        with_sources(frame, rows),
        caption=caption,
        notes="An estimate that is not statistically significant is not an estimate of zero: "
        "without its standard error, which was not published where seen, its range is unknown.",
    )


def _against(row: dict) -> str:
    if pd.isna(row["value"]):
        return "not published where seen"
    return (
        f"{row['treated']:.1f}% and {row['comparison']:.1f}%: {row['value']:+.1f} points".replace(
            "-", "\N{MINUS SIGN}"
        )
    )


def finding_2016() -> str:
    """Return the finding of the 2016 national impact study, as published."""
    rows = published("evaluations")
    lines = rows[rows["figure"] == "headline"]
    lines = lines[lines["phase"] == phase("one").name]
    return str(lines["text"].iloc[0])


def effects_with_values() -> int:
    """Return how many effects of the 2019 study were seen with their values."""
    rows = published("evaluation_outcomes")
    return int(rows[rows["evaluation"] == phase("two").evaluation.name]["value"].notna().sum())


# Chapter 6, the 2015 claim as the share that would have come anyway goes from none to all.

_WORDS = {
    CENTRAL_COST: "Net of central government's budget",
    WHOLE_COST: "Net of all costs expected",
}


@of_phase("one")
def deadweight_chart() -> Chart:
    """Draw the value of the claimed £1.2bn as the share that would have come anyway goes up."""
    rows = claim_by_deadweight()
    rows = rows[rows["claim"] == NATIONAL]
    wide = rows.pivot_table(index="deadweight", columns="cost_counted", values="npv")
    wide.index = pd.Index([round(100 * float(share), 6) for share in wide.index])
    known = break_even_deadweight().query("claim == @NATIONAL")
    ends = dict(zip(known["cost_counted"], known["deadweight"], strict=True))
    listed = "; ".join(
        f"{_WORDS[name].lower()} it breaks even at {percent(ends[name])}" for name in _WORDS
    )
    return line_chart(
        wide[list(_WORDS)].rename(columns=_WORDS),
        title=f"If {percent(ends[CENTRAL_COST])} would have come anyway, the claimed £1.2bn is "
        "worth no more than central government's budget",
        subtitle="Net value of the claim, as more of it would have come anyway",
        alt=f"Two falling lines of net value against the share that would have come "
        f"anyway: {listed}.",
        y_label="Net value, if it lasted 12 months",
        value_format=_whole_millions,
        x_label="Share of the claimed saving that would have come anyway, %",
        reference=0.0,
        sources=claim_sources(),
    )  # fmt: skip


def _whole_millions(value: float) -> str:
    return f"{MINUS if value < 0 else ''}£{abs(value) / 1e6:,.0f}m"


@of_phase("one")
def deadweight_table(assumptions: Assumptions) -> Table:
    """Return all published pairs of claim and cost as deadweight goes from none to all.

    Parameters
    ----------
    assumptions : Assumptions
        The scenario, for a benefit that lasts.
    """
    rows = claim_by_deadweight([0.0, 0.25, 0.5, 0.75, 1.0])
    wide = rows.pivot_table(
        index=["claim", "cost_counted"], columns="deadweight", values="ratio", sort=False
    )
    wide.columns = pd.Index([f"{share:.0%} anyway" for share in wide.columns])
    names = list(wide.columns)
    keys, frame = ["claim", "cost_counted"], wide.reset_index()
    for own in (None, assumptions):
        frame = frame.merge(break_even_deadweight(own), on=keys, validate="one_to_one")
    ends = ["Breaks even at", "Breaks even at, if it lasts"]
    frame.columns = pd.Index(["Claim", "Cost counted", *names, *ends])
    return table(
        frame,
        caption="Benefit for each £1 of cost, as more of the claimed benefit would have come "
        "anyway",
        formats=dict.fromkeys(names, "£{:.2f}".format) | dict.fromkeys(ends, percent),
        sources=claim_sources(),
        notes="Through the same appraisal as every other number of benefits here, over the 12 "
        f"months claimed; in the last column over {assumptions.lasting_words()}. Nothing is "
        "assumed of what the true share is: nobody measured it.",
    )


#: The families that results are shown per.
PER = 1_000
_ESTIMATOR = "adjusted"
_PARTLY = (
    f"{SIMULATED}. On this page that holds for the parts marked “simulated records”; all others "
    "are published figures"
)


#: Other readings of the tests: in words, the terms looked at, and what stands for what cannot be
#: judged (None: nothing, such families are left out).
_READINGS = (
    ("Who cannot be judged has not met them", "published", 0.0),
    ("Who cannot be judged has met them", "published", 1.0),
    ("School terms after the index date alone", "after_entry", None),
)


@dataclass(frozen=True)
class Additional:
    """What the records say of the results claimed.

    Attributes
    ----------
    phase : str
    horizon : int
        Months after the index date at which the tests are taken.
    families : Cohort
        Treated and comparison families.
    design : Design
        Who is compared with whom.
    effects : Effects or None
        On having met the tests.
    results : Results or None
        None where the records cannot say.
    why : str
        Why they cannot.
    readings : dict of str to Results or None
        The same by other readings of the tests, in words; None where the records cannot say.
    judged : tuple of float
        Share of the families on the programme, and of the comparison, that can be judged.
    """

    phase: str
    horizon: int
    families: Cohort
    design: Design
    effects: Effects | None
    results: Results | None
    why: str = ""
    readings: Mapping[str, Results | None] = field(default_factory=dict)
    judged: tuple[float, float] = (1.0, 1.0)

    @property
    def simulated(self) -> bool:
        """Whether the records are simulated."""
        return self.design.study.simulated

    def as_read(self) -> dict[str, tuple[float, float]]:
        """Return how far `anyway`, `additional` and `own` reach over all readings of the tests.

        The ends of the last two are those of the outermost intervals.
        """
        known = [one for one in (self.results, *self.readings.values()) if one is not None]
        if len(known) < 2:
            return {}
        anyway = [one.anyway for one in known]
        ranges = {"additional": [one.additional for one in known],
                  "own": [one.own for one in known]}  # fmt: skip
        return {"anyway": (min(anyway), max(anyway))} | {
            name: (min(one.low for one in each), max(one.high for one in each))
            for name, each in ranges.items()
        }


def results_met(
    extract: str, families: Cohort, design: Design, specification: Specification
) -> Additional:
    """Put both groups to the programme's own tests.

    Parameters
    ----------
    extract : str
        Where the records are.
    families : Cohort
    design : Design
        Of a study of these families.
    specification : Specification
    """
    phase, horizon = specification.phase, specification.horizon
    subject = (phase, horizon, families, design)
    try:
        met = _met(extract, families, design, specification)
        effects = estimate(design, met, months=horizon, method=_ESTIMATOR)
        own = _claimed(extract, families, design, phase)
        tested = Analysis(replace(specification, estimator=_ESTIMATOR), extract, families, design,
                          cast(Any, None), effects, cast(Any, None))  # fmt: skip
        keep_cells(lambda: results_cells(tested, met, own))
        if hidden_rows(effects.to_frame()).any():
            return Additional(*subject, None, None,
                              "too few families met the tests for numbers to be shown")  # fmt: skip
        claimed = _share(own[design.study.treated & (design.weights > 0)])
        results = results_of(effects, claimed)
    except TfevalError as fault:
        return Additional(*subject, None, None, str(fault))
    readings: dict[str, Results | None] = {}
    for words, reading, unjudged in _READINGS:
        try:
            other = met if reading == "published" else _met(
                extract, families, design, specification, reading
            )  # fmt: skip
            other = other if unjudged is None else other.fillna(unjudged)
            read = estimate(design, other, months=horizon)
            hidden = hidden_rows(read.to_frame()).any()
            readings[words] = None if hidden else results_of(read, claimed)
        except TfevalError:
            readings[words] = None
    kept = design.weights > 0
    arms = (design.study.treated & kept, ~design.study.treated & kept)
    treated, compared = (float(met[arm].notna().mean()) for arm in arms)
    return Additional(*subject, effects, results, "", readings, (treated, compared))


def _met(
    extract: str, families: Cohort, design: Design, specification: Specification,
    reading: str = "published",
) -> pd.Series:  # fmt: skip
    """Return which families of a study met the tests: 1, 0, or missing if that cannot be judged."""
    phase, months = specification.phase, specification.horizon
    name = programmes()[phase].result.name
    records, frame = records_of(extract, phase), families.to_pandas()
    tests = kept_result(
        records, lambda: results_tests(records, families, months, reading=reading),
        results_tests.__qualname__, families.settings, frame, months, reading,
    )  # fmt: skip
    units = frame.loc[design.study.index, "unit"]
    met = tests.set_index("unit")[name].reindex(units).set_axis(design.study.index)
    return met.rename(name)


def _claimed(extract: str, families: Cohort, design: Design, phase: str) -> np.ndarray:
    """Return for which families of a study a result was claimed."""
    rows = records_of(extract, phase).table("families")
    rows = rows.filter(rows["phase"] == phase).select("family_id", "claimed_on").to_pandas()
    claimed = rows["claimed_on"].notna().groupby(rows["family_id"]).any()  # rows may come twice
    own = families.to_pandas().loc[design.study.index, "family_id"]
    return claimed.reindex(own).fillna(False).to_numpy(dtype=bool)


def _share(claimed: np.ndarray) -> float:
    """Return for what share of families a result was claimed.

    Fewer than ten without a claim, or with one, are not told: they count with the others.
    """
    yes, no = int(claimed.sum()), int((~claimed).sum())
    if no < THRESHOLD:
        return 1.0
    return 0.0 if yes < THRESHOLD else yes / (yes + no)


def banner(additional: Additional) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return Box("simulated", (("", _PARTLY),), simulated=True) if additional.simulated else None


def headline(additional: Additional) -> Sentence:
    """Say in one sentence how many results the programme added."""
    if additional.results is None:
        return Sentence(
            f"The records cannot say who would have met the tests anyway: {additional.why}."
        )
    said, label = (
        facts(additional),
        "In simulated records" if additional.simulated else "In the records",
    )
    return Sentence(
        f"{label}, of {PER:,} families {said['results_claimed']:short} were claimed, "
        f"{said['results_met']:short} met the tests and {said['results_anyway']:short} would have "
        f"met them anyway: {said['results_additional'].interval()} were additional"
        f"{read_words(said)}."
    )


def read_words(said: Mapping[str, Record]) -> str:
    """Say how far the additional results reach over all readings of the tests, if that is known."""
    if "results_additional_read" not in said:
        return ""
    reach, anyway = said["results_additional_read"], said["results_anyway_read"]
    return (
        f" ({reach.end('low'):short} to {reach.end('high'):short} over all readings of the tests, "
        f"and {anyway.end('low'):short} to {anyway.end('high'):short} anyway)"
    )


def interval(number: Range, digits: int = 0) -> str:
    """Write a number with its interval, rounded to decimals or, below 0, to tens."""
    value, low, high = (
        f"{round(end, digits):,.0f}".replace("-", "\N{MINUS SIGN}")
        for end in (number.value, number.low, number.high)
    )
    return f"{value} ({low} to {high})"


def nothing_table(additional: Additional) -> Table:
    """Return why the records cannot say what was additional."""
    return table(
        pd.DataFrame({"What is missing": [additional.why]}),
        caption="Who would have met the tests anyway is not known from these records",
    )


def facts(additional: Additional) -> dict[str, Record]:
    """Return what is recorded of results: the steps of 1,000 families, with their intervals."""
    if additional.results is None:
        return {"results_unknown": make_record("results_unknown", additional.why)}
    results, unit = additional.results, f"of {PER:,} families"
    label = "simulated" if additional.simulated else "records"
    steps = {"claimed": results.claimed, "met": results.met, "anyway": results.anyway}
    made = [make_record("results_basis", label)]
    made += [make_record(f"results_{name}", PER * share, unit, digits=3)
             for name, share in steps.items()]  # fmt: skip
    ranges = {
        "results_additional": (results.additional.times(PER), unit),
        "own_share": (results.own.times(100), "%"),
    }
    made += [
        make_record(name, one.value, unit, digits=3, interval=(one.low, one.high))
        for name, (one, unit) in ranges.items()
    ]
    middle = {"anyway": results.anyway, "additional": results.additional.value}
    made += [
        make_record(f"results_{name}_read", PER * middle[name], unit, digits=3,
                    interval=(PER * low, PER * high))
        for name, (low, high) in additional.as_read().items()
        if name in middle
    ]  # fmt: skip
    return {record.name: record for record in made}


def record_results(additional: Additional) -> None:
    """Record the steps per 1,000 families, with the interval, for later chapters."""
    for made in facts(additional).values():
        keep(made)
