"""Chapter 7: what the programme's effects were worth, beside what it cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.names import ACCOUNTS, SIMULATED, plain
from tfeval.display.tables import Table
from tfeval.display.words import Sentence, simulated_mark
from tfeval.errors import public_line
from tfeval.impact.balance.tables import NOT_BALANCED
from tfeval.impact.effects.effects import Effects
from tfeval.money import appraisal_display
from tfeval.money.appraisal import Appraisal
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.decay import Decay
from tfeval.money.decisions import value_of_information
from tfeval.money.designs import DesignAppraisals, appraise_designs
from tfeval.money.monetised import NothingValuedError
from tfeval.money.uncertainty import Uncertainty
from tfeval.programme.national import attached_by_year
from tfeval.programme.phases import phase as phase_of
from tfeval.report.chapters.evidence import Unknown, Unvalued, or_why
from tfeval.report.chapters.impact import not_shown
from tfeval.report.chapters.specifications import KEYS, UNWEIGHTED, opinions, repeats
from tfeval.report.notebook_parts import Box
from tfeval.report.record import Record, Records, keep, make_record, record
from tfeval.settings import KEEPS_FILES

# Chapter 7: the effects of chapter 4's other choices, as they enter an appraisal.


def design_effects(rows: pd.DataFrame, main: Effects) -> dict[str, Effects]:
    """Return the effects under each specification, by its key; the naive difference is none.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications; the first is the one chosen.
    main : Effects
        Of the chosen one: how outcomes vary together is taken from it.
    """
    correlation = pd.DataFrame(
        main.correlation(), index=main.frame["outcome"], columns=main.frame["outcome"]
    )
    by_design, left = {}, not_appraised(rows)
    for key, part in _appraised(rows):
        if key in left:
            continue
        kept = ["outcome", "months", "estimand", "estimate", "std_error", "conf_low", "conf_high",
                "status"]  # fmt: skip
        frame = part[[column for column in kept if column in part]].reset_index(drop=True)
        aligned = correlation.reindex(index=frame["outcome"], columns=frame["outcome"]).fillna(0.0)
        together = aligned.to_numpy(copy=True)
        np.fill_diagonal(together, 1.0)
        error = frame["std_error"].to_numpy(dtype=float)
        by_design[key] = Effects(frame, together * np.outer(error, error), simulated=main.simulated)
    return by_design


def not_appraised(rows: pd.DataFrame) -> dict[str, str]:
    """Return the specifications that are no opinion of their own, by key, and why.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications.

    Returns
    -------
    dict of str to str
        Those without effects, and those whose estimates are an earlier one's again.
    """
    same, left = repeats(rows), {}
    labels = design_labels(rows)
    for key, part in _appraised(rows):
        twin = same.get(tuple(part.iloc[0][list(KEYS)]))
        if twin is not None:
            other = "chosen" if twin == _own(rows) else labels[_key(twin)]
            left[key] = f"The same estimates as {other}: no second opinion."
        if (part["outcome"] == "").any():
            left[key] = str(part["why"].iloc[0])
    return left


def design_labels(rows: pd.DataFrame) -> dict[str, str]:
    """Return the specifications in words, by key: what each changes, and where groups differ.

    Parameters
    ----------
    rows : DataFrame
        As chapter 4 records its specifications.
    """
    own, labels = rows.iloc[0][list(KEYS)].tolist(), {}
    for key, part in _appraised(rows):
        keys = part.iloc[0][list(KEYS)].tolist()
        changed = [
            f"censoring {plain(value)}" if name == "censoring" else plain(value)
            for name, value, mine in zip(KEYS, keys, own, strict=True)
            if value != mine
        ]
        one = keys[1] == UNWEIGHTED
        words = "regression adjustment alone" if one else ", ".join(changed) or "as chosen"
        alike = part["alike"].iloc[0] != NOT_BALANCED
        labels[key] = words if alike else f"{words} (groups NOT ALIKE)"
    return labels


def _appraised(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the key and the rows of each specification that is one."""
    for keys, part in opinions(rows):
        yield _key(keys), part


def chosen_key(rows: pd.DataFrame) -> str:
    """Return the key of the specification that the page is about."""
    return _key(_own(rows))


def _own(rows: pd.DataFrame) -> tuple[str, ...]:
    return tuple(rows.iloc[0][list(KEYS)])


def _key(keys: tuple[str, ...]) -> str:
    return "/".join(keys)


WORKBOOK = "value_for_money.xlsx"
_DESIGN_DRAWS = 4_000
Valued = TypeVar("Valued")


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
    settings : dict
        What every appraisal was asked for.
    """

    appraisal: Appraisal
    drawn: Uncertainty
    designs: DesignAppraisals
    impact: Records
    phase: str
    settings: dict

    @property
    def label(self) -> str:
        """What must stand before every sentence on simulated records."""
        return simulated_mark(self.appraisal.simulated)

    def marked(self, notes: list[str]) -> list[str]:
        """Return notes, first whether records are simulated."""
        return [f"{SIMULATED}.", *notes] if self.appraisal.simulated else notes


def asked(
    impact: Records, effects: Effects, phase: str, assumptions: Assumptions,
    lasting: Decay | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what every appraisal of the page is asked for, as `appraise` names it.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    effects : Effects
        That it recorded.
    phase : str
    assumptions : Assumptions
    lasting : Decay, optional
        What the records say of how long effects last; without, it is as assumed.
    """
    known = {} if lasting is None else {"persistence": lasting}
    return {
        "families": families_by_year(phase), "months": int(impact["horizon"].value),
        "convert": conversions(effects, impact), "claims": claimed_results(phase),
        **assumptions.of_phase(phase), **known,
    }  # fmt: skip


def or_why_not(
    verb: Callable[..., Valued], effects: Effects, costs: pd.DataFrame, **settings: Any
) -> Valued | Unknown:
    """Appraise effects; where nothing can be valued, return what says why.

    Parameters
    ----------
    verb : callable
        `appraise`.
    effects, costs, **settings
        As it takes them.
    """
    if effects.frame.empty:
        why = "Chapter 4 has no effect that may be shown: too few families have any outcome."
        return Unknown(why, effects.simulated)
    try:
        return verb(effects, costs, **settings)
    except NothingValuedError as fault:
        return Unknown(public_line(fault), effects.simulated)


def under_designs(
    drawn: Uncertainty | Unknown, impact: Records, effects: Effects, costs: pd.DataFrame,
    settings: Mapping[str, Any],
) -> DesignAppraisals | Unknown:  # fmt: skip
    """Appraise alike the effects of chapter 4's other choices.

    Parameters
    ----------
    drawn : Uncertainty or Unknown
        Of the choice made: one interval has one pair of ends.
    impact : Records
        Of chapter 4.
    effects : Effects
    costs : DataFrame
    settings : mapping
        As from `asked`.
    """
    if isinstance(drawn, Unknown):
        return drawn
    chosen = impact.table("specifications")
    designs = appraise_designs(
        design_effects(chosen, effects), costs, draws=_DESIGN_DRAWS,
        drawn={chosen_key(chosen): drawn}, labels=design_labels(chosen), **settings,
    )  # fmt: skip
    return replace(designs, left_out={**not_appraised(chosen), **designs.left_out})


def together(
    worth: Appraisal | Unknown, drawn: Uncertainty | Unknown, designs: DesignAppraisals | Unknown,
    impact: Records, *, phase: str, settings: dict[str, Any],
) -> Value | Unvalued:  # fmt: skip
    """Return the results of the page's cells together.

    Parameters
    ----------
    worth, drawn, designs
        Of the choice made, its draws, and other choices; or what says why there are none.
    impact : Records
        Of chapter 4.
    phase : str
    settings : dict
        As from `asked`.
    """
    for part in (worth, drawn, designs):
        if isinstance(part, Unknown):
            return Unvalued(part, impact, float(sum(settings["families"].values())))
    return Value(worth, drawn, designs, impact, phase, settings)  # type: ignore[arg-type]


def families_by_year(phase: str) -> dict[int, float]:
    """Return the families that a phase reached by the financial year in which they joined.

    Parameters
    ----------
    phase : str
        Where only the number to be reached was seen, it is the same in each year.

    Examples
    --------
    >>> families_by_year("one")
    {2012: 35618.0, 2013: 67882.0, 2014: 14410.0}
    """
    rules = phase_of(phase)
    if rules.costs.ledger:
        paces = [attached_by_year(pace).set_index("attached_year")["families"]
                 for pace in ("slow", "fast")]  # fmt: skip
        mean = (paces[0] + paces[1]) / 2
        return {int(str(year)[:4]): float(count) for year, count in mean.items()}
    return {year: rules.families.value / len(rules.years) for year in rules.years}


def claimed_results(phase: str) -> float | None:
    """Return the results claimed by the end of a phase; None where no final count was seen.

    Examples
    --------
    >>> claimed_results("one"), claimed_results("two")
    (116654.0, None)
    """
    rules = phase_of(phase)
    return rules.latest_claim().value if rules.claims.final else None


def conversions(effects: Effects, impact: Records) -> dict[str, tuple[str, float]]:
    """Return which effect is valued by another's unit cost: a share of sessions, by half days."""
    names = set(effects.frame["outcome"])
    name = "unauthorised_absence"
    possible = impact.get("sessions_possible")
    if name not in names or possible is None:
        return {}
    return {name: ("sessions_unauthorised", float(possible.value))}


def banner(value: Value | Unvalued) -> Box | None:
    """Return what stands at the head of the page: simulated records, groups that are not alike."""
    lines = [("", SIMULATED)] if value.appraisal.simulated else []
    if value.impact["balance"].value == NOT_BALANCED:
        lines.append(
            ("Alarm", "The groups are NOT ALIKE before the programme (chapter 3): the effects "
             "valued here cannot be read as the programme's.")
        )  # fmt: skip
    simulated = value.appraisal.simulated
    return Box("simulated" if simulated else "alarm", tuple(lines), simulated) if lines else None


def facts(valued: Value) -> dict[str, Record]:
    """Return what is recorded of value: every number that the page and the summary state.

    Parameters
    ----------
    valued : Value
        As from `together`.
    """
    appraisal, drawn = valued.appraisal, valued.drawn
    least, most = valued.designs.range
    number: dict[str, tuple[float, str]] = {
        "npv_least_design": (least, "£"), "npv_most_design": (most, "£"),
        "cost_per_family": (appraisal.cost_per_family, "£"),
        "cost_per_claimed": (appraisal.cost_per_claimed, "£"),
        "probability": (drawn.probability(), "probability"),
        "designs": (len(valued.designs.frame), ""),
        "designs_paying": (int((valued.designs.frame["npv"] >= 0).sum()), ""),
        "families": (appraisal.settings.total_families, "families"),
    }  # fmt: skip
    units = {"npv": "£", "benefits": "£", "costs": "£", "benefit_cost_ratio": "£ for each £1"}
    made = [make_record(name, float(getattr(appraisal, name)), unit, interval=drawn.interval(name))
            for name, unit in units.items()]  # fmt: skip
    for row in drawn.accounts().to_dict("records"):
        for name, unit in (("npv", "£"), ("ratio", "£ for each £1")):
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            made.append(make_record(f"{row['account']}_{name}", row[name], unit, interval=ends))
        number[f"{row['account']}_probability"] = (row["probability"], "probability")
    made += [make_record(name, value, unit) for name, (value, unit) in number.items()
             if not np.isnan(value)]  # fmt: skip
    # More digits of it would hang on the draws.
    made.append(
        make_record("information_value", information(valued)["value"].iloc[0], "£", digits=3)
    )
    return {record.name: record for record in made}


def headline(value: Value | Unvalued) -> Sentence:
    """Say what each pound brought to whom, and how likely it is that it was worth it, or paid."""
    if isinstance(value, Unvalued):
        return Sentence(value.headline())
    said = facts(value)
    return Sentence(
        f"{value.label}each £1 of public money is expected to have brought "
        f"{said['social_ratio']:short} to everybody (net present value "
        f"{said['social_npv'].interval()}; probability that it was worth more than it cost "
        f"{said['social_probability']}), and {said['fiscal_ratio']:short} back to the public purse "
        f"(probability that it paid for itself {said['fiscal_probability']}). "
        f"{designs_sentence(said, value.appraisal.settings.perspective)}{_not_in_it(value)}"
    )


def designs_sentence(said: Mapping[str, Record], account: str = "") -> str:
    """Say over how many designs value was taken, in how many it reached costs, and its range.

    Parameters
    ----------
    said : mapping of str to Record
        As from `facts`, or as chapter 7 recorded them.
    account : str, optional
        Whose account they are of, by its key.
    """
    count, paying = said["designs"], said["designs_paying"]
    if count.number < 2:
        return "No other comparison group, design or estimator gives a value to set beside it."
    return (
        f"Benefits{account and ' to ' + ACCOUNTS[account]} reach the costs in {paying} of {count} "
        "comparison groups, designs and estimators, whose net present value runs from "
        f"{said['npv_least_design']} to {said['npv_most_design']}."
    )


def _not_in_it(value: Value) -> str:
    left = value.appraisal.not_monetised()
    small = len(not_shown(value.impact)) + int((left["kind"] == "too_few").sum())
    unknown = int((left["kind"] == "not_estimated").sum())
    kinds = {"with too few families to show": small, "without an error": unknown}
    reasons = [f"{count} outcome{'s' * (count > 1)} {why}" for why, count in kinds.items() if count]
    if not reasons:
        return ""
    return f" Not in it: {' and '.join(reasons)}; what that is worth is not known, and not nothing."


@or_why
def accounts_table(value: Value) -> Table:
    """Return the fiscal and the social account side by side, each with what it lacks."""
    left = value.appraisal.not_monetised()
    return appraisal_display.accounts_table(value.drawn, left[left["account"].notna()])


@or_why
def who_table(value: Value) -> Table:
    """Return benefits by who they fall to, in both accounts."""
    return appraisal_display.who_table(value.appraisal)


@or_why
def card(value: Value) -> Table:
    """Return cost, benefits and chances of one family, beside benchmarks."""
    return value.appraisal.card(value.drawn)


@or_why
def acceptability(value: Value) -> Chart:
    """Draw the probability that it was worth it against the benefit asked for each pound."""
    return value.drawn.plot()


@or_why
def five_es(value: Value) -> Table:
    """Return economy, efficiency, effectiveness, equity and cost-effectiveness as evidence."""
    return value.appraisal.five_es(value.drawn)


@or_why
def workbook(value: Value, areas: pd.DataFrame, folder: str | Path | None = None) -> Box:
    """Write the spreadsheet in which every pound can be traced, and link it.

    Parameters
    ----------
    value : Value
        As from `together`.
    areas : DataFrame
        Value by authority, as recorded.
    folder : str or Path, optional
        Where the page is; by default the folder of a report's run. Elsewhere, as in JupyterLab,
        none is written.
    """
    if folder is None and KEEPS_FILES not in os.environ:
        say = f"`tfeval run 07_value_for_money` writes the spreadsheet, {WORKBOOK}, beside its page"
        return Box("note", (("", f"{say}."),))
    more = {
        "Designs": (
            value.designs.in_words(),
            "Net present value under each design, one thing changed",
        ),
        "Information": (information(value), "What knowing more would be worth"),
        "Authorities": (areas, "Net value a family by authority, partly pooled"),
    }
    path = value.appraisal.to_workbook(Path(folder or ".") / WORKBOOK, value.drawn, more)
    words = "effect × families × profile × unit cost, line by line, with sources"
    return Box("file", ((path.name, f"Spreadsheet: {value.label}{words} ({path.name})"),))


def record_value(value: Value | Unvalued) -> None:
    """Record what the summary page says of value; where there is none, why."""
    record("headline", headline(value))
    record("simulated", value.appraisal.simulated)
    if isinstance(value, Unvalued):
        record("value_unknown", value.appraisal.why)
        record("families", value.families, "families")
        return
    for made in facts(value).values():
        keep(made)
    record("turning", turning(value))


def information(value: Value) -> pd.DataFrame:
    """Return what it would be worth to know more, the most first."""
    rows = value_of_information(value.appraisal, value.drawn, phase=value.phase)
    return rows.sort_values("value", ascending=False, kind="stable")


def turning(value: Value) -> str:
    """Say what would have to be otherwise for value to turn."""
    rows = value.appraisal.switching_values().set_index("parameter")["switches_at"]
    times = rows["all effects"]
    if np.isnan(times):
        return "no size of these effects would: what they cost outweighs what they save"
    text = f"effects {times:,.1f} times as large as estimated"
    lasting = rows["persistence"]
    if np.isnan(lasting):
        return f"{text}; no persistence of them would do alone"
    return f"{text}, or {lasting:.0%} of each effect left in every further year"
