"""Chapter 7: what should have been studied, and the answer with doubt about who was compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
import pandas as pd

from tfeval.audit.summary import PRIMARY_MEAN, KnownTruth
from tfeval.audit.worlds import NONE, WORLDS
from tfeval.display.names import PAYS, capital
from tfeval.display.tables import Table, table
from tfeval.display.words import amount, chance, financial_year, pounds
from tfeval.errors import DataError, ParameterError, TfevalError, public_line
from tfeval.impact.balance.tables import BALANCED
from tfeval.impact.study.censoring import CENSORING
from tfeval.money.decisions import SIZES, StudyValue, value_of_study
from tfeval.money.designs import average_designs, with_doubt
from tfeval.programme.outcomes import is_more_better, outcome_label
from tfeval.programme.phases import phase as phase_of
from tfeval.report.chapters.evidence import or_why
from tfeval.report.chapters.specifications import KEYS, opinions
from tfeval.report.chapters.value import Value

P = ParamSpec("P")
#: Of each world by its key; see `doubts`.
Weights = Mapping[str, float] | None
_KEY = ("comparison", "horizon", "design", "estimator")
#: Pounds, to all of the next families, below which knowing is called worth nothing.
_NOTHING = 1_000.0
KINDS = {"alike": "Same kind of comparison", "unbiased": "Comparison beyond doubt"}
WEIGHTINGS = {
    "equal": "each design alike",
    "balanced": "each design alike, those whose groups are balanced",
    "audit": "by the inverse of the error in the audit",
}


def _or_missing(caption: str) -> Callable[[Callable[P, Table]], Callable[P, Table]]:
    """Make a table say in its place why it cannot be made."""

    def wrap(shows: Callable[P, Table]) -> Callable[P, Table]:
        @wraps(shows)
        def shown(*rest: P.args, **more: P.kwargs) -> Table:
            try:
                return shows(*rest, **more)
            except TfevalError as fault:
                said = pd.DataFrame({"What is missing": [public_line(fault)]})
                return table(said, caption)

        return shown

    return wrap


# Doubt about the comparison group: how far off it is where the truth is known.


def doubts(value: Value, audit: KnownTruth, weights: Weights = None) -> pd.DataFrame:
    """Return how far off the page's own comparison is in each world of the audit.

    Parameters
    ----------
    value : Value
    audit : KnownTruth
    weights : mapping of str to float, optional
        Of each world, by its key: every world that the audit ran of this comparison, 0 to leave one
        out. By default each world alike.

    Returns
    -------
    DataFrame
        As `with_doubt` takes it, one row a world, simulator and valued outcome: `world` (with its
        simulator), `weight` (of its world, divided among the simulators that make it),
        `outcome`, `relative` (mean error over the comparison group's mean), `error` (Monte Carlo
        standard error), `audited` (False where the outcome is not in the audit, and the mean of the
        primary outcomes stands in its place, turned round where more is better).

    Raises
    ------
    DataError
        If the audit has no world of the page's comparison group, design, estimator and horizon.
    ParameterError
        If a world has no weight, a weight no world, or one is below 0.

    Notes
    -----
    Worlds without any effect, in which all that is estimated is error; those that the audit ran
    more than once, so that the size of chance is known.
    """
    keys = {name: value.impact[name].value for name in _KEY}
    rows = audit.select(effects=NONE, **keys | {"horizon": int(keys["horizon"])})
    rows = rows[rows["bias_percent"].notna() & rows["bias_percent_error"].notna()]
    worlds: dict[Any, dict[str, dict[Any, Any]]] = {}
    for row in rows.to_dict("records"):
        worlds.setdefault((row["world"], row["simulator"]), {})[row["outcome"]] = row
    worlds = {key: part for key, part in worlds.items() if PRIMARY_MEAN in part}
    if not worlds:
        raise DataError(
            "The audit has no world of this comparison group, design, estimator and horizon: how "
            "far off such a comparison can be is not known. Run tfeval audit for these choices."
        )
    order, made = [name for name, _ in worlds], []
    given = dict.fromkeys(order, 1.0) if weights is None else dict(weights)
    if set(given) != set(order) or not all(weight >= 0 for weight in given.values()):
        raise ParameterError(
            f"weights: one, not below 0, for each of {', '.join(dict.fromkeys(order))}."
        )
    for (world, simulator), part in worlds.items():
        for name in value.appraisal.model.outcomes:
            audited = name in part
            row = part[name if audited else PRIMARY_MEAN]
            turned = -1.0 if is_more_better(name) and not audited else 1.0
            made.append((
                f"{world}/{simulator}", given[world] / order.count(world), name,
                turned * float(row["bias_percent"]) / 100,
                float(row["bias_percent_error"]) / 100, audited,
            ))  # fmt: skip
    columns = ["world", "weight", "outcome", "relative", "error", "audited"]
    rows = pd.DataFrame(made, columns=columns)
    return rows[rows["weight"] > 0]


@or_why
@_or_missing("Value without and with doubt about the comparison group")
def doubt_table(value: Value, audit: KnownTruth, weights: Weights = None) -> Table:
    """Return value without and with doubt about the comparison group, side by side.

    Parameters
    ----------
    value : Value
    audit : KnownTruth
        Of which the errors are taken.
    weights : mapping of str to float, optional
        As in `doubts`.
    """
    rows = doubts(value, audit, weights)
    sides = (value.drawn, with_doubt(value.appraisal, value.drawn, rows))
    share = f"{value.drawn.level:.0%} interval"
    # The draws' own chance is in both means alike, so the shift between them is without it.
    shift = float(sides[1].npv.mean() - sides[0].npv.mean())
    lines = [
        ("Net present value, expected",
         *(amount(value.appraisal.npv + one) for one in (0.0, shift))),
        (f"Net present value, {share}", *(_ends(*one.interval()) for one in sides)),
        (
            f"Probability that it {PAYS[value.drawn.model.account]}",
            *(chance(one.probability()) for one in sides),
        ),
    ]  # fmt: skip
    columns = ["Measure", "Without doubt about the comparison group",
               "With doubt about the comparison group"]  # fmt: skip
    names = dict.fromkeys(WORLDS[name.partition("/")[0]].words for name in rows["world"])
    likely = "each as likely" if weights is None else "as likely as the next table says"
    notes = [
        f"Doubt: in each draw one of {len(names)} worlds of the audit is taken for true, {likely}, "
        "and the mean error that this comparison group, design and estimator have there is taken "
        f"off all effects together. The worlds: {'; '.join(names)}.",
        "How likely each world is, is assumed; no record says which of them is ours.",
    ]
    return table(
        pd.DataFrame(lines, columns=columns),
        "Value without and with doubt about the comparison group",
        notes=value.marked(notes),
    )


@or_why
@_or_missing("The worlds that doubt about the comparison group is made of")
def doubt_worlds_table(valued: Value, audit: KnownTruth, weights: Weights = None) -> Table:
    """Return the worlds of which the doubt is made, with weights, errors and value in each."""
    rows = doubts(valued, audit, weights)
    lines, whole = [], rows.drop_duplicates("world")["weight"].sum()
    for world, part in rows.groupby("world", sort=False):
        name, _, simulator = str(world).partition("/")
        value = with_doubt(valued.appraisal, valued.drawn, part).npv.mean()
        worst = part.iloc[int(part["relative"].abs().to_numpy().argmax())]
        lines.append((
            f"{capital(WORLDS[name].words)} ({simulator})",
            f"{part['weight'].iloc[0] / whole:.1%}",
            f"{100 * worst['relative']:+.1f}%, {outcome_label(str(worst['outcome'])).lower()}",
            amount(float(value)),
        ))  # fmt: skip
    columns = ["World", "Weight", "Largest error", "Net present value if it were ours"]
    taken = [outcome_label(name) for name in dict.fromkeys(rows.loc[~rows["audited"], "outcome"])]
    spread = rows.groupby("outcome", sort=False)["relative"].std(ddof=0)
    noise = np.sqrt((rows["error"] ** 2).groupby(rows["outcome"], sort=False).mean())
    middle = float((noise / spread).median())
    notes = [
        "Error: of the effect, in % of the comparison group's mean; where there is no effect.",
        "The audit's own chance is in these errors: of the middle outcome it makes "
        f"{min(middle, 1.0) ** 2:.0%} of the variance over worlds, so doubt is drawn too wide "
        "rather than too narrow. More draws of the audit lessen it.",
    ]
    present = {str(name).partition("/")[0] for name in rows["world"]}
    without = [world.words for name, world in WORLDS.items() if name not in present]
    if without:
        notes.append(
            "Without weight, or not run of this comparison without an effect: "
            f"{'; '.join(without)}."
        )
    if taken:
        notes.append(
            "Not in the audit, so given the mean error of its primary outcomes: "
            f"{', '.join(taken)}."
        )
    return table(
        pd.DataFrame(lines, columns=columns),
        "The worlds that doubt about the comparison group is made of",
        notes=valued.marked(notes),
    )


# What should have been studied, at what size, and worth what.


def studies(value: Value, audit: KnownTruth, weights: Weights = None) -> dict[str, StudyValue]:
    """Return what one more study would be worth by size: of the same kind, and beyond doubt.

    Parameters
    ----------
    value : Value
    audit : KnownTruth
    weights : mapping of str to float, optional
        As in `doubts`.

    Returns
    -------
    dict of str to StudyValue
        "alike": a larger study with the same kind of comparison group. "unbiased": one whose
        comparison is beyond doubt, as by lot; not there where the audit cannot say how large that
        doubt is. Both start from the effects with doubt about the comparison group in them.

    Raises
    ------
    DataError
        If the standard deviation of no outcome is known.
    """
    try:
        drawn = with_doubt(value.appraisal, value.drawn, doubts(value, audit, weights))
    except DataError:
        drawn = value.drawn
    followed = value.impact.get("families_followed")
    kinds = ("alike",) if drawn is value.drawn else ("alike", "unbiased")
    most = value.appraisal.settings.total_families / 2
    settings: dict[str, Any] = {
        "phase": value.phase, "families": [size for size in SIZES if size <= most] or [most],
        "reference": None if followed is None else float(followed.value),
    }  # fmt: skip
    return {
        name: value_of_study(value.appraisal, drawn, unbiased=name == "unbiased", **settings)
        for name in kinds
    }


@or_why
@_or_missing("What should have been studied, and at what size?")
def study_table(value: Value, audit: KnownTruth, weights: Weights = None) -> Table:
    """Return what studies of several sizes would be worth, what they cost and what is left.

    Parameters
    ----------
    value : Value
    audit : KnownTruth
    weights : mapping of str to float, optional
        As in `doubts`.
    """
    both = studies(value, audit, weights)
    sizes = both["alike"].frame
    shown = pd.DataFrame({
        "Families in each group": [*(f"{size:,.0f}" for size in sizes["families"]), "without end"],
        "Cost, scaled": [*map(amount, sizes["cost"]), ""],
    })  # fmt: skip
    for name, one in both.items():
        shown[f"{KINDS[name]}: worth"] = [*map(amount, one.frame["next_value"]),
                                          amount(one.next_limit)]  # fmt: skip
        shown[f"{KINDS[name]}: net benefit"] = [*map(amount, one.frame["net_benefit"]), ""]
    notes = [_answer(value, both), *_study_notes(value, both["alike"])]
    if len(both) == 1:
        notes.append("How far off such a comparison can be the audit does not say: it is left out.")
    sources = list(both["alike"].cost.sources)
    return table(
        shown,
        "What should have been studied, and at what size?",
        notes=value.marked(notes),
        sources=sources,
    )


def _study_notes(value: Value, one: StudyValue) -> list[str]:
    year, base = value.appraisal.settings.price_year, value.appraisal.model.years[0]
    notes = [
        f"Worth: the expected gain, to {_whom(value, one)}, from deciding with what the study "
        "says rather than without it. Value and costs of a family are those of this page, "
        f"{one.following.years_later} years later. All pounds in prices of {financial_year(year)}, "
        f"discounted to {financial_year(base)}.",
        f"Cost: the published ceiling of the national evaluation's contract of "
        f"{one.cost.years[0]} to {one.cost.years[-1] + 1}, {pounds(one.cost.cash)} in cash, "
        f"{amount(one.cost.value)} in these prices, is taken to have bought "
        f"{one.reference:,.0f} families a group, and to grow with them. "
        f"{_not_seen(value, one)} was not published where looked: it is taken to cost the same.",
        "A study of the same kind takes away chance, and leaves doubt about the comparison group "
        "as it is. No such study resolves unit costs, persistence or the programme's costs.",
    ]
    if one.not_measured:
        names = ", ".join(map(outcome_label, one.not_measured))
        notes.append(f"Not studied, since their spread between families is not known: {names}.")
    return notes


def _not_seen(value: Value, one: StudyValue) -> str:
    lot = "What a comparison beyond doubt would have cost"
    return (
        lot
        if one.cost.phase == value.phase
        else f"What this phase's evaluation cost, or {lot[:1].lower()}{lot[1:]},"
    )


def _whom(value: Value, one: StudyValue) -> str:
    count = f"{one.following.families:,.0f} families"
    if one.following.phase == value.phase:
        return f"as many again, {count}, since no phase follows"
    return f"the next {count}, of {phase_of(one.following.phase).words}"


@or_why
@_or_missing("Which one outcome would it have been worth most to study?")
def study_outcomes_table(value: Value, audit: KnownTruth, weights: Weights = None) -> Table:
    """Return what a study of each outcome alone would be worth, the most first."""
    name, one = list(studies(value, audit, weights).items())[-1]
    lines = [
        (outcome_label(row["outcome"]), f"{row['resolved']:.0%}", amount(row["next_value"]),
         amount(row["net_benefit"]))
        for row in one.by_outcome.to_dict("records")
    ]  # fmt: skip
    size = one.by_outcome["families"].iloc[0]
    columns = ["Outcome studied alone", "Doubt resolved", "Worth", "Net benefit"]
    notes = [
        f"{size:,.0f} families a group; {KINDS[name].lower()}; at the cost of a study of all; "
        f"to {_whom(value, one)}.",
        "Doubt resolved: of the variance of value that effects make. What one outcome says of "
        "others counts, as far as their errors go together.",
    ]
    if one.next_limit < _NOTHING:
        notes.insert(0, "Where the answer would not change, knowing is worth nothing: so here.")
    return table(
        pd.DataFrame(lines, columns=columns),
        "Which one outcome would it have been worth most to study?",
        notes=value.marked(notes),
    )


def _answer(value: Value, both: dict[str, StudyValue]) -> str:
    """Say in one sentence what should have been studied, at what size, and worth what."""
    yes = float(value.drawn.npv.mean()) >= 0
    if max(one.next_limit for one in both.values()) < _NOTHING:
        return (
            "What should have been studied: nothing, for this decision. Whatever a study of these "
            f"outcomes found, at any size, the answer ({'yes' if yes else 'no'}) would stay as it "
            "is, so knowing is worth nothing for it."
        )
    name, study = max(both.items(), key=lambda pair: float(pair[1].frame["net_benefit"].max()))
    comparison = {"alike": "the same kind of comparison group",
                  "unbiased": "a comparison beyond doubt, as by lot"}[name]  # fmt: skip
    best = study.best
    if best is None:
        last = study.frame.iloc[-1]
        return (
            "What should have been studied: nothing, for this decision. No size is worth its cost: "
            f"{last['families']:,.0f} families a group, with {comparison}, would be worth "
            f"{amount(last['next_value'])} and cost {amount(last['cost'])}."
        )
    first = study.by_outcome.iloc[0]
    return (
        f"What should have been studied: all {len(study.by_outcome)} outcomes, in "
        f"{best['families']:,.0f} families a group, with {comparison}; worth "
        f"{amount(best['next_value'])} to {_whom(value, study)}, {amount(best['net_benefit'])} "
        f"after its cost. Of one outcome alone, {outcome_label(first['outcome']).lower()} is worth "
        f"most: {amount(first['next_value'])}."
    )


# One answer over the designs.


def design_weights(value: Value, audit: KnownTruth) -> dict[str, dict[str, float]]:
    """Return the weight of each design by each of `WEIGHTINGS`; none is left unnamed.

    Parameters
    ----------
    value : Value
    audit : KnownTruth

    Returns
    -------
    dict of str to dict of str to float
        A weighting by which no design has weight is left out.

    Notes
    -----
    The audit's error: root mean square over the worlds without an effect that it ran of every
    such comparison group, each world alike. A design it did not run has no weight there.
    """
    rows = value.impact.table("specifications")
    designs = {"/".join(keys): (dict(zip(KEYS, keys, strict=True)), part["alike"].iloc[0])
            for keys, part in opinions(rows)}  # fmt: skip
    designs = {key: designs[key] for key in value.designs.frame["design"]}
    errors = _audited(audit, {key: keys for key, (keys, _) in designs.items()},
                      int(value.impact["horizon"].value))  # fmt: skip
    made = {
        "equal": dict.fromkeys(designs, 1.0),
        "balanced": {key: float(alike == BALANCED) for key, (_, alike) in designs.items()},
        "audit": {key: 1 / errors[key] if key in errors else 0.0 for key in designs},
    }
    return {name: given for name, given in made.items() if any(given.values())}


def _audited(
    audit: KnownTruth, designs: dict[str, dict[str, str]], horizon: int
) -> dict[str, float]:
    """Return each design's root mean square error, over worlds that all of them share."""
    rows = audit.select(effects=NONE, outcome=PRIMARY_MEAN, horizon=horizon)
    rows = rows[rows["bias_percent_error"].notna()]
    errors = {}
    for key, keys in designs.items():
        own = rows
        for name in ("comparison", "design", "estimator"):
            own = own[own[name] == keys[name]]
        if len(own) and keys["censoring"] == CENSORING[0]:
            errors[key] = own.set_index(["world", "simulator"])["rmse"]
    if not errors:
        return {}
    shared = set.intersection(*(set(one.index) for one in errors.values()))
    return {
        key: float(np.sqrt((one[one.index.isin(shared)] ** 2).groupby(level="world").mean().mean()))
        for key, one in errors.items()
        if shared
    }


@or_why
def averages_table(value: Value, audit: KnownTruth) -> Table:
    """Return one answer over all designs, by several weightings that are said."""
    averaged = average_designs(value.designs, design_weights(value, audit))
    lines = [
        (capital(WEIGHTINGS[row["weighting"]]), f"{row['designs']} of {len(averaged.weights)}",
         amount(row["npv"]), _ends(row["low"], row["high"]), chance(row["probability"]),
         f"{row['between']:.0%}")
        for row in averaged.frame.to_dict("records")
    ]  # fmt: skip
    columns = ["Weights", "Designs", "Net present value, mean", f"{averaged.level:.0%} interval",
               f"Probability that it {PAYS[value.drawn.model.account]}",
               "Of its variance, between designs"]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=columns), "One answer over the designs",
        notes=value.marked([
            "A mixture: draws of each design, as many as its weight. The interval holds what one "
            "design leaves open and how far designs lie apart.",
            "Designs that share an error agree, and are no less wrong: doubt about the comparison "
            "group stands in the section that follows.",
        ]),
    )  # fmt: skip


@or_why
def design_weights_table(value: Value, audit: KnownTruth) -> Table:
    """Return the weight of every design by each weighting, and which have none."""
    weights = average_designs(value.designs, design_weights(value, audit)).weights
    shown = weights.map(lambda share: f"{share:.1%}" if share > 0 else "none").reset_index()
    shown = shown.replace({"design": dict(value.designs.labels)})
    shown.columns = pd.Index(["Design", *(capital(WEIGHTINGS[str(name)]) for name in weights)])
    return table(
        shown, "How much each design counts",
        notes=value.marked([
            "The error in the audit: root mean square of the primary outcomes' mean error, over "
            "the worlds without an effect that were run for every comparison group here. None: "
            "the audit did not run that design, or, second weighting, its groups are not balanced.",
        ]),
    )  # fmt: skip


def _ends(low: float, high: float) -> str:
    return f"{amount(low)} to {amount(high)}"
