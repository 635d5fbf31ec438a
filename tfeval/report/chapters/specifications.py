"""Chapter 4: the same effects by other estimators, designs, groups and windows, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import HORIZONS, Cohort
from tfeval.cohort.cohort import comparison_groups, treatments
from tfeval.display.names import estimand_words
from tfeval.display.tables import THRESHOLD, Table, table
from tfeval.display.words import worded
from tfeval.errors import TfevalError, public_line
from tfeval.impact.balance.tables import NOT_BALANCED
from tfeval.impact.design.design import Design
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.estimate import METHODS, estimate
from tfeval.impact.effects.words import (
    decimals,
    hidden_rows,
    number,
    status_notes,
    with_interval,
)
from tfeval.impact.plan.analysis_plan import AnalysisPlan
from tfeval.impact.specification import DESIGNS, Specification
from tfeval.impact.study.censoring import CENSORING
from tfeval.impact.study.study import study
from tfeval.money.appraisal_settings import Assumptions
from tfeval.money.decay import Decay, decay
from tfeval.programme.outcomes import outcome, outcome_label, outcome_words, reported_outcomes
from tfeval.report.chapters.impact import Analysis, outcomes_shown
from tfeval.report.chapters.linked import cohort_of, truth_of
from tfeval.report.notebook_parts import Box, record_table
from tfeval.report.record import Records, record

#: Columns of the recorded table of specifications; `why` says why one has no effects.
COLUMNS = ("comparison", "design", "estimator", "treatment", "censoring", "alike", "estimand",
           "outcome", "months", "estimate", "std_error", "conf_low", "conf_high", "status",
           "why")  # fmt: skip
KEYS = ("comparison", "design", "estimator", "treatment", "censoring")
#: The design in which nobody is matched or weighted.
UNWEIGHTED = "unweighted"
_TOO_FEW = "Too few families have any outcome, or lack it, to show."
_UNADJUSTED = {
    "difference": "naive difference: nobody matched, weighted or adjusted",
    "adjusted": "regression adjustment alone: nobody matched or weighted",
}
_LEFT_OUT = CENSORING[0]
#: Estimates as near as this, in standard errors, are one estimate.
_SAME = 1e-6


def specifications(analysis: Analysis) -> pd.DataFrame:
    """Estimate every outcome under each comparison group, design and estimator, one changed.

    The naive difference and regression adjustment alone stand among them: what a design is for.

    Parameters
    ----------
    analysis : Analysis
        Its own specification comes first.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: effects that may be shown, one a row. A specification that is not
        possible, or of which nothing may be shown, has one row without an outcome, and `why`.
    """
    return analysis.kept(_specifications)


def _specifications(analysis: Analysis) -> pd.DataFrame:
    rows: list[dict[Any, Any]] = []
    chosen = analysis.specification
    for keys in _keys(chosen):
        choice: dict[Any, Any] = dict(zip(KEYS, keys, strict=True))
        try:
            the_same = (keys[0], keys[3]) == (chosen.comparison, chosen.treatment)
            families = analysis.families if the_same else cohort_of(
                analysis.extract, chosen.phase, keys[0], chosen.horizon, keys[3]
            )  # fmt: skip
            design, balance = analysis.design, analysis.balance
            as_made = families is analysis.families and keys[4] == _LEFT_OUT
            if not as_made or keys[1] != chosen.design:
                own = analysis.study if as_made else study(
                    families, months=chosen.horizon, censoring=keys[4]
                ).named(families.labels)  # fmt: skip
                design = DESIGNS[keys[1]].make(own, chosen.caliper)
                balance = design.balance()
            outcomes = outcomes_shown(families, design, chosen.horizon, analysis.plan)
            frame = estimate(design, outcomes, months=chosen.horizon, method=keys[2]).to_frame()
        except TfevalError as fault:
            why = worded(public_line(fault), analysis.families.labels)
            rows.append({**choice, "outcome": "", "why": why})
            continue
        choice["alike"] = balance.verdict().word
        shown = frame[~hidden_rows(frame)].to_dict("records")
        rows += [{**row, **choice, "why": ""} for row in shown]
        rows += [{**choice, "outcome": "", "why": _TOO_FEW}] * (not shown)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _keys(chosen: Specification) -> list[tuple[str, ...]]:
    """Return what was chosen, by `KEYS`, then all with one of them changed."""
    own = _own(chosen)
    designs = [name for name, row in DESIGNS.items() if row.adjusts and name != own[1]]
    return [
        own,
        *((*own[:2], name, *own[3:]) for name in METHODS if name != own[2]),
        *((own[0], name, *own[2:]) for name in designs),
        *((name, *own[1:]) for name in comparison_groups() if name != own[0]),
        *((*own[:3], name, own[4]) for name in treatments() if name != own[3]),
        *((*own[:4], name) for name in CENSORING if name != own[4]),
        *((own[0], UNWEIGHTED, name, *own[3:]) for name in _UNADJUSTED),
    ]


def _own(chosen: Specification) -> tuple[str, ...]:
    return chosen.comparison, chosen.design, chosen.estimator, chosen.treatment, _LEFT_OUT


def specifications_table(analysis: Analysis, rows: pd.DataFrame) -> Table:
    """Return the primary effects under each specification.

    Parameters
    ----------
    analysis : Analysis
    rows : DataFrame
        As from `specifications`.
    """
    primary = [name for name in dict.fromkeys(rows["outcome"])
               if name and analysis.plan.role(name) == "primary"]  # fmt: skip
    lines, failed = [], []
    for keys, part in rows.groupby(list(KEYS), sort=False):
        what, key = changed(keys, _own(analysis.specification))
        if part["why"].iloc[0]:
            failed.append(f"{what}, {key}: {part['why'].iloc[0]}")
            lines.append([what, key, "not known", *["no effect: see below"] * len(primary)])
            continue
        by_name = part.set_index("outcome")
        alike = {"balanced": "yes", "partly": "partly"}.get(part["alike"].iloc[0], "NO")
        lines.append([what, key, alike, *(_cell(by_name, name) for name in primary)])
    headings = ["Changed", "To", "Groups alike", *(outcome_label(name, True) for name in primary)]
    return table(
        pd.DataFrame(lines, columns=headings),
        caption=f"Primary effects over {analysis.horizon} months, one choice changed at a time",
        notes=[
            f"Differences with their 95% intervals, not corrected for their number; "
            f"estimand {estimand_words(analysis.design.estimand)}; the overlap design is about "
            "those who could have been in either group.",
            "Exploratory, but for those that the plan has among its sensitivity analyses.",
            "Comparison families treated within the months are left out, and the others answer for "
            "families who would not have been; with censoring weighted, those followed stand for "
            "all who were at risk on the index date, as far as that day's covariates foretell "
            "who was treated, or, over time, what was counted until each month as well.",
            *[f"No effect. {text}" for text in failed],
            *status_notes(rows[rows["outcome"].isin(primary)].assign(small_sample=""), "families"),
            *_repeated(rows, _own(analysis.specification)),
        ],
    )


def opinions(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Yield the specifications that answer the page's question, its own first, by their keys.

    The naive difference answers none, and another treatment another one.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`.
    """
    treatment = rows["treatment"].iloc[0]
    keys: Any
    for keys, part in rows.groupby(list(KEYS), sort=False):
        if keys[1:3] != (UNWEIGHTED, "difference") and keys[3] == treatment:
            yield keys, part


def others(rows: pd.DataFrame, plan: AnalysisPlan) -> dict[Any, pd.DataFrame]:
    """Return the primary effects of the other choices, by their keys: whoever counts, counts these.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`; the first is the choice made.
    plan : AnalysisPlan
        Which outcomes are primary.

    Returns
    -------
    dict of tuple to DataFrame
        Of those with groups alike or partly alike, a primary outcome with an interval, and
        estimates of their own, on the same treatment. The naive difference is no choice.
    """
    same, choices = repeats(rows), {}
    for place, (keys, part) in enumerate(opinions(rows)):
        if not place or keys in same or part["alike"].iloc[0] == NOT_BALANCED:
            continue
        own = part[[bool(name) and plan.role(name) == "primary" for name in part["outcome"]]]
        own = own[own["conf_low"].notna() & own["conf_high"].notna()]
        if len(own):
            choices[keys] = own
    return choices


def changed(keys: Any, own: tuple[str, ...]) -> tuple[str, str]:
    """Return which choice a specification changes, and to what."""
    if keys[1] == UNWEIGHTED:
        return "Without a design", _UNADJUSTED[keys[2]]
    for what, key, mine in zip(KEYS, keys, own, strict=True):
        if key != mine:
            return what.capitalize(), key.replace("_", " ")
    return "As chosen", ", ".join(own).replace("_", " ")


def _cell(rows: pd.DataFrame, name: str) -> str:
    if name not in rows.index:
        return "hidden"
    return interval_words(rows.loc[[name]].to_dict("records")[0])


def interval_words(row: dict[Any, Any]) -> str:
    """Write an effect with its interval, or that there is none.

    Examples
    --------
    >>> row = {"estimate": 1.5, "std_error": 0.5, "conf_low": 0.5, "conf_high": 2.5}
    >>> interval_words(row)
    '1.50 (0.50 to 2.50)'
    >>> interval_words({**row, "std_error": float("nan"), "conf_low": float("nan")})
    '1.500; no interval'
    >>> interval_words({**row, "estimate": float("nan")})
    'not estimable'
    """
    if pd.isna(row["estimate"]):
        return "not estimable"
    digits = decimals(float("nan") if pd.isna(row["std_error"]) else row["std_error"])
    if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
        return f"{number(row['estimate'], digits)}; no interval"
    return with_interval(row["estimate"], row["conf_low"], row["conf_high"], digits)


def _repeated(rows: pd.DataFrame, own: tuple[str, ...]) -> list[str]:
    repeated: dict[str, list[str]] = {}
    for keys, twin in repeats(rows).items():
        other = "chosen" if twin == own else changed(twin, own)[1]
        repeated.setdefault(other, []).append(changed(keys, own)[1])
    return [
        f"The same estimates as {other}, so no second opinion: {', '.join(same)}."
        for other, same in repeated.items()
    ]


def repeats(rows: pd.DataFrame) -> dict[Any, Any]:
    """Return the specifications whose effects are those of an earlier one, and of which.

    The same to a millionth of the error: doubly robust and regression adjustment are one estimator
    where all weights are 1.

    Parameters
    ----------
    rows : DataFrame
        As from `specifications`.
    """
    kept: list[tuple[Any, pd.DataFrame]] = []
    same_as = {}
    for keys, part in rows.groupby(list(KEYS), sort=False):
        own = part.set_index("outcome")
        same = next((earlier for earlier, other in kept if _the_same(own, other)), None)
        if same is None:
            kept.append((keys, own))
        else:
            same_as[keys] = same
    return same_as


def _the_same(part: pd.DataFrame, other: pd.DataFrame) -> bool:
    estimate, before = part["estimate"].astype(float), other["estimate"].astype(float)
    gap = (estimate - before).abs() / other["std_error"].astype(float)
    return bool(gap.notna().any() and (gap.dropna() < _SAME).all())


def truth_table(analysis: Analysis) -> Table:
    """Return the known effects of simulated records beside the estimates.

    Parameters
    ----------
    analysis : Analysis
    """
    truth = truth_of(analysis.extract, analysis.specification.phase)
    if truth is None:
        said = (
            "The truth of simulated records lies apart from them, and was not read."
            if analysis.study.simulated
            else "These are real records: the true effect is not known."
        )
        note = pd.DataFrame({"": [said]})
        return table(note, caption="The truth beside the estimates")
    frame = analysis.families.to_pandas().loc[analysis.study.index]
    families = frame.loc[analysis.design.target > 0, "family_id"]
    known = truth.by_family(analysis.horizon).reindex(families.unique())
    rows, without = [], []
    shown = analysis.effects.to_frame()
    for row in shown[~hidden_rows(shown)].to_dict("records"):
        name = row["outcome"]
        if why := outcome(name).no_truth:
            without.append(f"{outcome_label(name)} ({why})")
            continue
        true, digits = float(known[outcome(name).truth].mean()), decimals(row["std_error"])
        inside = "yes" if row["conf_low"] <= true <= row["conf_high"] else "NO"
        if pd.isna(row["conf_low"]) or pd.isna(row["conf_high"]):
            inside = "no interval"
        label = outcome_label(name, unit=True)
        rows.append((label, number(true, digits), interval_words(row), inside))
    columns = ["Outcome", "True effect", "Estimate (95% interval)", "Interval holds the truth"]
    return table(
        pd.DataFrame(rows, columns=columns),
        caption="The truth beside the estimates, for the families compared",
        notes=[
            "Only simulated records know both what happened and what would have happened; an "
            "interval of 95% misses the truth once in twenty by chance alone.",
            *[f"No truth beside it: {text}." for text in without],
        ],
    )


# How long effects last: over every window that the records hold, of the same families.

#: Of those followed over the page's months, the least share followed over a longer window.
_FOLLOWED = 0.5
_WINDOW = ["outcome", "months", "estimand", "estimate", "std_error", "conf_low", "conf_high",
           "freedom", "status"]  # fmt: skip


def windows(analysis: Analysis) -> Effects:
    """Estimate primary and valued outcomes over every window, of the same families in all.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    Effects
        Of those followed over the longest window over which half of each group still are, by the
        design chosen, made anew for them; so that who is compared changes from no window to the
        next. They are not held to the plan. What could tell of few, by itself or beside the window
        before, is left out; there is no row where no longer window can be compared. In settings,
        `balance` is the design's verdict.
    """
    return analysis.kept(_windows)


def _windows(analysis: Analysis) -> Effects:
    spec, none = analysis.specification, Effects(pd.DataFrame(columns=_WINDOW), np.empty((0, 0)))
    try:
        families = cohort_of(
            analysis.extract, spec.phase, spec.comparison, HORIZONS, spec.treatment
        )
        spans = _spans(families, spec.horizon)
        if max(spans) <= spec.horizon:
            return none
        followed = study(families, months=max(spans)).named(families.labels)
        design = DESIGNS[spec.design].make(followed, spec.caliper)
        outcomes = _in_all(families, design, spans, spec.horizon, analysis.plan)
        if outcomes.empty:
            return none
        effects = estimate(design, outcomes, method=spec.estimator)
    except TfevalError:
        return none  # too few families: chapter 7 says that no longer window is known
    kept = np.flatnonzero(~_tell_of_few(effects.frame, outcomes, design))
    settings = {**effects.settings, "balance": design.balance().verdict().word}
    return replace(effects, frame=effects.frame.iloc[kept], joint=effects.joint[np.ix_(kept, kept)],
                   settings=settings, pooling=None)  # fmt: skip


def _spans(families: Cohort, months: int) -> list[int]:
    """Return the windows over which enough of either group are followed."""
    treated = families.to_pandas()["treated"].to_numpy() == 1

    def followed(span: int) -> np.ndarray:
        inside = families.followed(span).to_numpy()
        return np.array([inside[treated].sum(), inside[~treated].sum()])

    least = _FOLLOWED * followed(months)
    return [span for span in HORIZONS if span <= months or (followed(span) >= least).all()]


def _in_all(
    families: Cohort, design: Design, spans: Sequence[int], months: int, plan: AnalysisPlan
) -> pd.DataFrame:
    """Return outcomes of those in whom each is known over every window from the page's on."""
    whole = families.outcomes()
    frame = whole.loc[design.study.index]
    arms = [(design.weights > 0) & arm for arm in (design.study.treated, ~design.study.treated)]
    columns: dict[tuple[str, int], pd.Series] = {}
    for name in reported_outcomes():
        wanted = plan.role(name) == "primary" or not outcome(name).no_price
        if not wanted or name not in frame.columns.get_level_values("outcome"):
            continue
        own = frame.loc[:, [(name, span) for span in spans]].set_axis(list(spans), axis=1)
        later = own.loc[:, [span for span in spans if span >= months]]
        own = own[later.notna().all(axis=1)].reindex(frame.index)
        columns |= {
            (name, span): own[span] for span in spans
            if all(own.loc[arm, span].notna().sum() >= THRESHOLD for arm in arms)
        }  # fmt: skip
    wide = pd.DataFrame(columns, index=frame.index)
    wide.columns = pd.MultiIndex.from_tuples(list(columns), names=whole.columns.names)
    wide.attrs = dict(whole.attrs)
    return wide


def _tell_of_few(frame: pd.DataFrame, outcomes: pd.DataFrame, design: Design) -> np.ndarray:
    """Return which windows tell of few: by themselves, or of whom they add to the one before."""
    hidden = hidden_rows(frame)
    treated, inside = design.study.treated, design.weights > 0
    before: dict[str, pd.Series] = {}
    for place, row in enumerate(frame.to_dict("records")):
        name = row["outcome"]
        own = outcomes[name, int(row["months"])]
        if name in before:
            both = inside & own.notna() & before[name].notna()
            changed = both & (own != before[name])
            counts = {"mean_treated": [np.nan], "mean_comparison": [np.nan]}
            for who, arm in (("treated", treated), ("comparison", ~treated)):
                counts[f"n_{who}"] = [float((both & arm).sum())]
                counts[f"events_{who}"] = [float((changed & arm).sum())]
            hidden[place] |= hidden_rows(pd.DataFrame(counts))[0]
        if not hidden[place]:
            before[name] = own
    return hidden


def record_windows(effects: Effects) -> None:
    """Record effects over several windows, and how they vary together.

    Parameters
    ----------
    effects : Effects
        As from `windows`.
    """
    rows = effects.to_frame()[_WINDOW].replace({"freedom": {np.inf: np.nan}})
    record_table("windows", rows)
    record_table("windows_covariance", pd.DataFrame(effects.joint, columns=effects.names))
    record("windows_balance", effects.settings.get("balance", ""))


def lasting(impact: Records, assumptions: Assumptions) -> Decay:
    """Return the share of an effect left each year, by the windows that chapter 4 recorded.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    assumptions : Assumptions
        Whose persistence is what is assumed before.
    """
    frame = impact.table("windows")
    effects = Effects(
        frame=frame, joint=impact.table("windows_covariance").to_numpy(dtype=float),
        settings=outcome_words(frame["outcome"]), simulated=bool(impact["simulated"].value),
    )  # fmt: skip
    # Those followed over all windows are some of the families whose effects are appraised.
    return decay(
        effects, persistence=assumptions.lasting, months=int(impact["horizon"].value), part=True
    )


def lasting_words(decay: Decay, impact: Records) -> Box:
    """Say what is left of an effect, and where the groups followed for long are not alike.

    Parameters
    ----------
    decay : Decay
        As from `lasting`.
    impact : Records
        Of chapter 4.
    """
    said = decay.words()
    if impact["windows_balance"].value == NOT_BALANCED:
        said += " The groups followed for so long are NOT ALIKE, so this may be no effect at all."
    return Box("note", (("", said),))
