"""Chapter 7: what the programme's effects were worth, beside what it cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table
from tfeval.errors import public_line
from tfeval.impact.balance.verdict import NOT_BALANCED
from tfeval.impact.effects.effects import Effects
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_display import amount
from tfeval.money.appraise import appraise
from tfeval.money.costs import programme_costs
from tfeval.money.designs import DesignAppraisals, appraise_designs
from tfeval.money.monetised import NothingValuedError
from tfeval.money.uncertainty import Uncertainty
from tfeval.programme.national import attached_by_year
from tfeval.programme.phases import phase as phase_of
from tfeval.programme.published import figure
from tfeval.report.chapters.effects_record import not_shown, read_effects
from tfeval.report.chapters.unvalued import Unknown, Unvalued, or_why
from tfeval.report.chapters.value_designs import design_effects, design_labels, not_appraised
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Records, record

WORKBOOK = "value_for_money.xlsx"
_DRAWS, _DESIGN_DRAWS = 10_000, 4_000
#: By how much the share of an effect left each year may lie beside what is assumed.
_EITHER_SIDE = 0.5


@dataclass(frozen=True)
class Value:
    """What chapter 7 shows.

    Attributes
    ----------
    appraisal : Appraisal
        Of chapter 4's effects, for all families whom the phase reached.
    drawn : Uncertainty
        Joint draws of it.
    designs : DesignAppraisals
        The same under each comparison group, design and estimator.
    impact : Records
        Of chapter 4.
    phase : str
    asked : dict
        What every appraisal was asked for.
    """

    appraisal: Appraisal
    drawn: Uncertainty
    designs: DesignAppraisals
    impact: Records
    phase: str
    asked: dict

    @property
    def label(self) -> str:
        """What must stand before every sentence on simulated records."""
        return "Simulated records: " if self.appraisal.simulated else ""


def load(
    impact: Records,
    *,
    phase: str,
    price_year: int,
    green_book_edition: str,
    appraisal_years: int,
    persistence: float,
    perspective: str,
) -> Value | Unvalued:
    """Appraise the effects that chapter 4 recorded; say why where none can be valued.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    phase : {"one", "two"}
    price_year : int
        Of all pounds.
    green_book_edition : str
        Whose discount rates apply.
    appraisal_years : int
        Years counted from when a family joins.
    persistence : float
        Share of an effect left in each further year; it may lie by a half on either side.
    perspective : {"social", "fiscal"}
    """
    effects = read_effects(impact)
    lasting = (persistence, max(0.0, persistence - _EITHER_SIDE),
               min(1.0, persistence + _EITHER_SIDE))  # fmt: skip
    asked: dict[str, Any] = {
        "families": families_by_year(phase), "months": int(impact["horizon"].value),
        "price_year": price_year, "edition": str(green_book_edition), "horizon": appraisal_years,
        "persistence": lasting, "perspective": perspective,
        "convert": conversions(effects, impact), "claims": claimed_results(phase),
    }  # fmt: skip
    costs = programme_costs(phase, "total", price_year)
    if effects.frame.empty:
        why = "Chapter 4 has no effect that may be shown: too few families have any outcome."
        return _unvalued(why, impact, asked)
    try:
        found = appraise(effects, costs, **asked)
    except NothingValuedError as fault:
        return _unvalued(public_line(fault), impact, asked)
    chosen = impact.table("specifications")
    designs = appraise_designs(
        design_effects(chosen, effects), costs, draws=_DESIGN_DRAWS, labels=design_labels(chosen),
        **asked,
    )  # fmt: skip
    designs = replace(designs, left_out={**not_appraised(chosen), **designs.left_out})
    return Value(found, found.uncertainty(draws=_DRAWS), designs, impact, phase, asked)


def _unvalued(why: str, impact: Records, asked: dict[str, Any]) -> Unvalued:
    simulated, families = bool(impact["simulated"].value), float(sum(asked["families"].values()))
    return Unvalued(Unknown(why, simulated), impact, families)


def families_by_year(phase: str) -> dict[int, float]:
    """Return the families that a phase reached by the financial year in which they joined.

    Parameters
    ----------
    phase : {"one", "two"}
        Of phase two only the number to be reached was seen: the same in each of its years.

    Examples
    --------
    >>> families_by_year("one")
    {2012: 35618.0, 2013: 67882.0, 2014: 14410.0}
    """
    if phase == "one":
        paces = [attached_by_year(pace).set_index("attached_year")["families"]
                 for pace in ("slow", "fast")]  # fmt: skip
        mean = (paces[0] + paces[1]) / 2
        return {int(str(year)[:4]): float(count) for year, count in mean.items()}
    held = phase_of(phase)
    years = range(held.start.year, held.end.year)
    return {year: held.families.value / len(years) for year in years}


def claimed_results(phase: str) -> float | None:
    """Return the results claimed by the end of a phase; None where no final count was seen.

    Examples
    --------
    >>> claimed_results("one"), claimed_results("two")
    (116654.0, None)
    """
    if phase != "one":
        return None
    return float(figure("progress_national", "turned_around", as_of="2015-05").value)


def conversions(effects: Effects, impact: Records) -> dict[str, tuple[str, float]]:
    """Return which effect is valued by another's unit cost: a share of sessions, by half days."""
    names = set(effects.frame["outcome"])
    months = int(impact["horizon"].value)
    name = f"unauthorised_absence_{months}"
    possible = impact.get("sessions_possible")
    if name not in names or possible is None:
        return {}
    return {name: ("sessions_unauthorised", float(possible.value))}


def banner(found: Value | Unvalued) -> Box | None:
    """Return what stands at the head of the page: simulated records, groups that are not alike."""
    lines = [("", SIMULATED)] if found.appraisal.simulated else []
    if found.impact["balance"].value == NOT_BALANCED:
        lines.append(
            ("Alarm", "The groups are NOT ALIKE before the programme (chapter 3): the effects "
             "valued here cannot be read as the programme's.")
        )  # fmt: skip
    simulated = found.appraisal.simulated
    return Box("simulated" if simulated else "alarm", tuple(lines), simulated) if lines else None


def headline(found: Value | Unvalued) -> str:
    """Say in one sentence what each pound brought, and how likely it is that it paid."""
    if isinstance(found, Unvalued):
        return found.headline()
    low, high = map(amount, found.drawn.interval())
    least, most = map(amount, found.designs.range)
    return (
        f"{found.label}each £1 brought £{found.appraisal.benefit_cost_ratio:.2f}; the net present "
        f"value is {amount(found.appraisal.npv)} ({low} to {high}) and the probability that it "
        f"paid for itself {chance(found.drawn.probability())}. Over other comparison groups, "
        f"designs and estimators the value runs from {least} to {most}.{_not_in_it(found)}"
    )


def _not_in_it(found: Value) -> str:
    left = found.appraisal.not_monetised()
    small = len(not_shown(found.impact)) + int((left["kind"] == "too_few").sum())
    unknown = int((left["kind"] == "not_estimated").sum())
    kinds = {"with too few families to show": small, "without an error": unknown}
    told = [f"{count} outcome{'s' * (count > 1)} {why}" for why, count in kinds.items() if count]
    if not told:
        return ""
    return f" Not in it: {' and '.join(told)}; what that is worth is not known, and not nothing."


def chance(share: float) -> str:
    """Write a probability as a reader needs it.

    Examples
    --------
    >>> chance(0.003), chance(0.314), chance(0.996)
    ('under 1%', '31%', 'over 99%')
    """
    if share < 0.01:
        return "under 1%"
    return "over 99%" if share > 0.99 else f"{share:.0%}"


@or_why
def acceptability(found: Value) -> Chart:
    """Draw the probability that it was worth it against the benefit asked for each pound."""
    return found.drawn.plot()


@or_why
def five_es(found: Value) -> Table:
    """Return economy, efficiency, effectiveness, equity and cost-effectiveness as evidence."""
    return found.appraisal.five_es(found.drawn)


@or_why
def workbook(found: Value, areas: pd.DataFrame, folder: str | Path = ".") -> Box:
    """Write the spreadsheet in which every pound can be traced, and link it.

    Parameters
    ----------
    found : Value
        As from `load`.
    areas : DataFrame
        Value by authority, as recorded.
    folder : str or Path, default "."
        Where the page is.
    """
    more = {
        "Designs": (
            found.designs.in_words(),
            "Net present value under each design, one thing changed",
        ),
        "Information": (information(found), "What knowing more would be worth"),
        "Authorities": (areas, "Net value a family by authority, partly pooled"),
    }
    path = found.appraisal.to_workbook(Path(folder) / WORKBOOK, found.drawn, more)
    words = "effect × families × profile × unit cost, line by line, with sources"
    return Box("file", ((path.name, f"Spreadsheet: {found.label}{words} ({path.name})"),))


def record_value(found: Value | Unvalued) -> None:
    """Record what the summary page says of value; where there is none, why."""
    if isinstance(found, Unvalued):
        record("value_unknown", found.appraisal.why)
        record("headline", headline(found))
        record("simulated", found.appraisal.simulated)
        record("families", found.families, "families")
        return
    held, drawn = found.appraisal, found.drawn
    low, high = drawn.interval()
    least, most = found.designs.range
    values = {
        "benefits": held.benefits, "costs": held.costs, "npv": held.npv, "npv_low": low,
        "npv_high": high, "npv_least_design": least, "npv_most_design": most,
        "information_value": float(information(found)["value"].iloc[0]),
    }  # fmt: skip
    for name, value in values.items():
        record(name, amount(value))
    record("cost_per_family", round(held.cost_per_family), "£")
    record("headline", headline(found))
    record("benefit_cost_ratio", f"£{held.benefit_cost_ratio:.2f}")
    record("fiscal_return", f"£{held.fiscal_return:.2f}")
    record("probability", chance(drawn.probability()))
    record("designs", len(found.designs.frame))
    record("designs_agree", found.designs.same_sign)
    record("simulated", held.simulated)
    record("families", held.settings.total_families, "families")
    if not np.isnan(held.cost_per_claimed):
        record("cost_per_claimed", amount(held.cost_per_claimed))
    record("turning", turning(found))


def information(found: Value) -> pd.DataFrame:
    """Return what it would be worth to know more, the most first."""
    return found.drawn.information().sort_values("value", ascending=False, kind="stable")


def turning(found: Value) -> str:
    """Say what would have to be otherwise for value to turn."""
    rows = found.appraisal.switching_values().set_index("parameter")["switches_at"]
    times = rows["all effects"]
    if np.isnan(times):
        return "no size of these effects would: what they cost outweighs what they save"
    text = f"effects {times:,.1f} times as large as estimated"
    lasting = rows["persistence"]
    if np.isnan(lasting):
        return f"{text}; no persistence of them would do alone"
    return f"{text}, or {lasting:.0%} of each effect left in every further year"
