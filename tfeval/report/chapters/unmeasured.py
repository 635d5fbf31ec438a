"""Chapter 4: how strong something unmeasured would have to be to change the primary effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tfeval.display.check_words import CHECKS, CONFIDENCES, UNMEASURED
from tfeval.display.figures import Chart
from tfeval.display.names import VERDICTS, capital
from tfeval.display.tables import Table, table
from tfeval.display.words import in_digits
from tfeval.errors import DataError, TfevalError, public_line
from tfeval.impact.diagnostics.diagnose import Confidence, Diagnostics, confidence
from tfeval.impact.diagnostics.placebos import CANNOT, FAILED
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.power import minimum_detectable_effect
from tfeval.impact.effects.published import phase_one_inputs
from tfeval.impact.effects.words import (
    decimals,
    hidden_rows,
    number,
    percentages,
    with_interval,
)
from tfeval.impact.sensitivity.regression import Sensitivity
from tfeval.impact.sensitivity.unmeasured import sensitivity, unobserved
from tfeval.money.additional import people_in_family
from tfeval.money.could_know import detectable_curve
from tfeval.programme.outcomes import outcome_label
from tfeval.programme.published import Source, figure, published
from tfeval.report.chapters.common import of_phase, span
from tfeval.report.chapters.impact import Analysis, primary_outcomes
from tfeval.report.record import Records, record

# Chapter 6, the power of published studies: what they are judged by, and what they could see.

#: Stands where a fall would have to be larger than the share that there is.
IMPOSSIBLE = "more than a fall to nothing"
_RECORDS = (10_000.0, 20_000.0, 50_000.0, 100_000.0)
_ALIKE = (0.01, 0.02, 0.05)


@of_phase("one")
def inputs_table() -> Table:
    """Return what is known of the 2016 study's design, and what is assumed."""
    rows = [(item.what, item.value, item.basis) for item in phase_one_inputs()]
    rows += [
        (f"{item.population.capitalize()} in a family", item.value,
         f"{item.basis}; between {item.low:.1f} and {item.high:.1f}")
        for item in people_in_family().values()
    ]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["What", "Number", "Basis"]),
        caption="What the 2016 study is judged by",
        formats={
            "Number": lambda number: f"{number:,.10g}" if number > 10 else in_digits(3)(number)
        },
        sources=design_sources(),
        notes="Its sizes by outcome, the alikeness of an authority's families and its standard "
        "errors were not published where seen.",
    )


def design_sources() -> list[Source]:
    """Return the sources of what the 2016 study is judged by."""
    sources = [source for item in phase_one_inputs() for source in item.sources]
    sources += [source for item in people_in_family().values() for source in item.sources]
    return list(dict.fromkeys(sources))


@of_phase("one")
def curve_table() -> Table:
    """Return the detectable effect by number of records and how alike an authority's families are.

    The number of records was published in words only, so all plausible ones are shown.
    """
    share = figure("evaluation_outcomes", "effect", outcome="looked after child",
                   population="children")  # fmt: skip
    rate = _comparison_rate()
    parts = []
    for alike in _ALIKE:
        curve = detectable_curve({"": rate}, _RECORDS, alike)
        inside, across = (curve[name] for name in curve)
        parts.append([_curve_ends(a, b) for a, b in zip(inside, across, strict=True)])
    frame = pd.DataFrame({"Records, both groups": [f"{count:,.0f}" for count in _RECORDS]})
    for alike, column in zip(_ALIKE, parts, strict=True):
        frame[f"{alike:.0%} of the variance between authorities"] = column
    return table(
        frame,
        caption=f"Smallest change in children looked after that 56 authorities would show, from "
        f"{rate:.1%} (points)",
        sources=[*design_sources(), *share.sources],
        notes="The first number compares families within authorities, the second between them. "
        "More records help little where whole authorities are compared: there are still 56.",
    )


def _curve_ends(low: float, high: float) -> str:
    ends = (IMPOSSIBLE if pd.isna(end) else f"{end:.2f}" for end in (low, high))
    return " to ".join(dict.fromkeys(ends))


def _comparison_rate() -> float:
    rows = published("evaluation_outcomes")
    rows = rows[(rows["outcome"] == "looked after child") & rows["comparison"].notna()]
    return float(rows["comparison"].iloc[0]) / 100


@of_phase("one")
def small_trials_table() -> Table:
    """Return what the Manchester trial of phase one could have seen."""
    treated = figure("evaluations", "trial_treated")
    other = figure("evaluations", "trial_comparison")
    trials = {
        share: 100 * minimum_detectable_effect(treated.value, other.value, share=share)
        for share in (0.1, 0.3, 0.5)
    }
    rows = [
        (f"{share:.0%}", *("impossible" if points > 100 * most else f"{points:.0f}"
                           for most in (share, 1 - share)))
        for share, points in trials.items()
    ]  # fmt: skip
    columns = ["Share without the programme", "Smallest fall (points)", "Smallest rise (points)"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption=f"The Manchester trial: {treated.value:,.0f} families against {other.value:,.0f}",
        sources=list(treated.sources),
        notes="80% power at the 5% level, families taken as independent. “No difference” in a "
        "trial of this size says little.",
    )


#: What of the whole table is left to `tf.sensitivity` itself, so that a page can hold the rest.
_LEFT = ("Partial R2", "Delta", "Effect at a delta of 1")
_CAPTION = "How strong would something unmeasured have to be? Primary outcomes"


def unmeasured_table(analysis: Analysis) -> Table:
    """Return the primary effects' sensitivity to what was not measured, read in two sentences.

    Parameters
    ----------
    analysis : Analysis
    """
    bounds = unmeasured(analysis)
    if isinstance(bounds, str):
        return table(pd.DataFrame({"": [bounds]}), caption=_CAPTION)
    whole = bounds.table()
    kept = [place for place, name in enumerate(whole.columns) if name not in _LEFT]
    notes = [note for note in whole.notes if not note.startswith(tuple(f"{n}:" for n in _LEFT))]
    said = whole.notes[:1] if bounds.effects.simulated else ()
    return replace(
        whole, caption=_CAPTION,
        columns=tuple(whole.columns[place] for place in kept),
        kinds=tuple(whole.kinds[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in whole.rows),
        notes=(*said, *reading(bounds), *notes[len(said):]),
    )  # fmt: skip


def unobserved_table(analysis: Analysis) -> Table:
    """Return of how many each primary outcome was seen, and what the others could change.

    Parameters
    ----------
    analysis : Analysis
    """
    caption = f"Outcomes not seen, over {analysis.horizon} months"
    primary = _primary(analysis)
    if primary is None:
        return table(pd.DataFrame({"": [_NO_PRIMARY]}), caption=caption)
    outcomes, effects = primary
    frame = unobserved(analysis.design, outcomes, effects, months=analysis.horizon)
    frame = frame.assign(
        std_error=effects.frame["std_error"].to_numpy(),
        scale=np.where(percentages(effects.frame, effects.settings), 100.0, 1.0),
    )
    lines = []
    for row in frame[~hidden_rows(effects.frame)].to_dict("records"):
        scale = row["scale"]
        effect, low, high = (scale * row[name] for name in ("estimate", "bound_low", "bound_high"))
        digits, unit = decimals(scale * row["std_error"]), " points" if scale > 1 else ""
        words = with_interval(effect, low, high, digits, unit)
        seen = (f"{row[f'observed_{arm}']:.0%}" for arm in ("treated", "comparison"))
        lines.append((outcome_label(row["outcome"], True), *seen, words, _tipping(row["times"])))
    columns = ["Outcome", "Seen, on the programme", "Seen, compared",
               "Effect on those seen (bounds for all)", "To make it nought"]  # fmt: skip
    return table(
        pd.DataFrame(lines, columns=columns),
        caption=caption,
        notes=[
            "Seen: the share of the families compared, as the design weighs them; of the others "
            "the source was not linked, not sent or not readable (chapter 2), or there was nothing "
            "to take a share of, such as no child at school: no bound is about these. Bounds: if "
            "those not seen had the least or the most that ten families had, whichever arm they "
            "are in; they do not count chance, and are as wide as missing outcomes leave them.",
            "To make it nought: how many times the mean of the families seen on the programme "
            "those not seen there would have to have, those compared being alike.",
        ],
    )


def _tipping(times: float) -> str:
    if np.isnan(times):
        return "all were seen"
    return "none could" if times < 0 else f"{times:.2f} times"


_NO_PRIMARY = "No primary outcome is recorded for enough families."


def _primary(analysis: Analysis) -> tuple[pd.DataFrame, Effects] | None:
    """Return the primary outcomes and the effects on them, labelled; None where there are none."""
    outcomes = primary_outcomes(analysis.outcomes(), analysis.plan)
    if outcomes.empty:
        return None
    effects = analysis.effects.select([str(name) for name in outcomes])
    labels = {**analysis.study.labels, **effects.settings["labels"]}
    return outcomes, replace(effects, settings={**effects.settings, "labels": labels})


def unmeasured(analysis: Analysis) -> Sensitivity | str:
    """Return the primary effects' sensitivity, or why there is none.

    Parameters
    ----------
    analysis : Analysis
    """
    primary = _primary(analysis)
    if primary is None:
        return _NO_PRIMARY
    try:
        return sensitivity(analysis.design, *primary, months=analysis.horizon)
    except TfevalError as fault:
        return public_line(fault)


def reading(bounds: Sensitivity) -> tuple[str, ...]:
    """Return what the table says, in two sentences.

    Parameters
    ----------
    bounds : Sensitivity
        What may not be shown is not read.
    """
    frame = bounds.frame.assign(
        scale=np.where(percentages(bounds.frame, bounds.effects.settings), 100.0, 1.0)
    )
    frame = frame[~hidden_rows(bounds.effects.frame)].reset_index(drop=True)
    return _explained(frame[frame["e_value"].notna()]), _like(
        frame, bounds.effects.settings.get("labels", {})
    )


def _explained(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "Of no primary outcome can it be said how easily its effect is explained away."
    clear = rows[rows["e_value_interval"] > 1]
    if clear.empty:
        low, high = rows["e_value"].min(), rows["e_value"].max()
        return (
            "No interval here leaves no effect out, so there is nothing that would have to be "
            "explained away; the estimates themselves would be by risk ratios of "
            f"{span(low, high, '{:.2f}'.format)}."
        )
    first = clear.sort_values("e_value_interval").to_dict("records")[0]
    return (
        f"Most easily explained away is the effect on {_lower(first['outcome'])}: by something "
        f"unmeasured that goes with both treatment and outcome by a risk ratio of "
        f"{first['e_value']:.2f}; by one of {first['e_value_interval']:.2f} its interval would "
        "hold no effect."
    )


def _like(frame: pd.DataFrame, labels: Mapping[str, str]) -> str:
    rows = frame[frame["benchmark_estimate"].notna()]
    if rows.empty:
        return "No covariate is there to measure the unmeasured by."
    rows = rows.assign(left=rows["benchmark_estimate"] / rows["regression_estimate"])
    first = rows.sort_values("left").to_dict("records")[0]
    one = float(first["scale"])
    digits = decimals(float(first["regression_std_error"]) * one)
    before, after = (
        number(float(first[name]) * one, digits)
        for name in ("regression_estimate", "benchmark_estimate")
    )
    turned = ", the other way" if first["left"] < 0 else ""
    unit = " points" if one == 100 else ""
    name = str(first["benchmark"])
    return (
        "Something unmeasured and as strong as the covariate "
        f"“{labels.get(name, name)}” would move one effect most: that on "
        f"{_lower(first['outcome'])}, from {before} in the regression this rests on to "
        f"{after}{unit}{turned}."
    )


def _lower(name: str) -> str:
    label = outcome_label(name)
    return label[0].lower() + label[1:]


# How sure the comparison lets us be: balance, the checks that it could fail, and the unmeasured.


def sureness(analysis: Analysis, checked: Diagnostics | Table) -> Confidence:
    """Return what confidence balance, the checks and the unmeasured leave.

    Parameters
    ----------
    analysis : Analysis
    checked : Diagnostics or Table
        A table that says why there are no checks leaves them unknown.
    """
    verdicts = checked.verdicts if isinstance(checked, Diagnostics) else {}
    bounds = unmeasured(analysis)
    return confidence(
        analysis.balance.verdict().word,
        verdicts,
        bounds if isinstance(bounds, Sensitivity) else None,
    )


def event_study(checked: Diagnostics | Table) -> Chart | Table:
    """Draw both groups by quarter around the index date; say so where that cannot be shown."""
    try:
        return checked.plot() if isinstance(checked, Diagnostics) else checked
    except DataError as fault:
        return table(pd.DataFrame({"": [public_line(fault)]}), caption="Both groups by quarter")


def confidence_table(sure: Confidence) -> Table:
    """Return how sure the comparison lets us be, and what that rests on.

    Parameters
    ----------
    sure : Confidence
        As from `sureness`.
    """
    rows = [
        ("Confidence", CONFIDENCES[sure.level]),
        ("Alike in what was recorded", VERDICTS[sure.balance]),
        ("In what was not", capital(_bound(sure.bound, sure.e_value))),
        ("Checks failed", _names(sure.failed)),
        ("Checks that could not be judged, and should have been", _names(sure.not_judged)),
    ]
    return table(
        pd.DataFrame(rows, columns=["What", "Verdict"]),
        caption="How sure does the comparison let us be?",
        notes="None where the groups are not alike; low where a check of no effect failed, but for "
        "the placebo date, which a comparison of families chosen on what was recorded fails too; "
        "high only where the groups are alike, all checks were passed, and something unmeasured "
        "would have to be stronger than any covariate that was recorded; else moderate. That no "
        "outcome is a negative control speaks neither way.",
    )


def record_confidence(sure: Confidence) -> None:
    """Record how sure the comparison lets us be, for the summary."""
    record("confidence", sure.level)
    record("unmeasured_bound", sure.bound)
    if not np.isnan(sure.e_value):
        record("e_value", sure.e_value, digits=3)


def checks_record(sure: Confidence) -> pd.DataFrame:
    """Return the checks that were not passed, as they are recorded: `check` and `verdict`."""
    verdicts = dict.fromkeys(sure.failed, FAILED) | dict.fromkeys(sure.not_judged, CANNOT)
    return pd.DataFrame({"check": list(verdicts), "verdict": list(verdicts.values())}, dtype=str)


def sure_words(impact: Records) -> str:
    """Say how sure chapter 4 is of its comparison: never balance without what was not measured.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    balance = f"In what was recorded the groups are {VERDICTS[str(impact['balance'].value)]}"
    if "confidence" not in impact:
        return (
            "Confidence: not known, since no checks were recorded. "
            f"{balance}; {UNMEASURED['not_known']}."
        )
    checks = impact.table("checks")
    listed = {verdict: list(checks.loc[checks["verdict"] == verdict, "check"])
              for verdict in (FAILED, CANNOT)}  # fmt: skip
    sentences = [f"Confidence: {CONFIDENCES[str(impact['confidence'].value)]}."]
    if listed[FAILED]:
        sentences.append(f"Failed: {_names(listed[FAILED])}.")
    if listed[CANNOT]:
        sentences.append(f"Could not be judged: {_names(listed[CANNOT])}.")
    e_value = impact["e_value"].number if "e_value" in impact else float("nan")
    sentences.append(f"{balance}; {_bound(str(impact['unmeasured_bound'].value), e_value)}.")
    return " ".join(sentences)


def _names(checks: Sequence[str]) -> str:
    return ", ".join(CHECKS[check] for check in checks) or "none"


def _bound(bound: str, e_value: float) -> str:
    return UNMEASURED[bound] + ("" if np.isnan(e_value) else f" (E-value {e_value:.2f})")
