"""Effects by authority, partly pooled: made in chapter 4, shown there and on each one's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.figures import Chart
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, safe_count, table
from tfeval.display.words import simulated_mark
from tfeval.errors import TfevalError, public_line
from tfeval.impact.effects.areas import AreaEffects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import decimals, number, with_interval
from tfeval.money.area_values import AreaAppraisals
from tfeval.programme import outcomes as registry
from tfeval.programme.claims import authorities
from tfeval.programme.outcomes import outcome_label
from tfeval.report.chapters.impact import Analysis, primary_outcomes
from tfeval.report.record import Records

_NUMBERS = ("estimate", "std_error", "pooled", "pooled_low", "pooled_high", "own_share", "rank",
            "rank_low", "rank_high")  # fmt: skip
_TOGETHER = ("mean", "mean_low", "mean_high", "tau", "tau_low", "tau_high", "tau_posterior",
             "tau_posterior_low", "tau_posterior_high", "tau2",
             "prediction_low", "prediction_high", "q", "q_p", "i_squared", "level")  # fmt: skip
_SETTINGS = ("estimator", "prior", "prior_scale", "better", "draws", "label")
#: Columns of the authorities' recorded table, and of that of what is known of all together.
COLUMNS = ("name", "hidden", *_NUMBERS, "treated", "comparison", "outcome")
_ALL_COLUMNS = ("outcome", "simulated", *_TOGETHER, *_SETTINGS, "left_out", "why")
#: Between names of authorities, some of which hold commas.
_BETWEEN = "; "


class AreasByOutcome(dict[str, AreaEffects]):
    """Partly pooled effects of authorities by outcome.

    Attributes
    ----------
    failed : dict of str to str
        Outcomes whose effects could not be pooled, and why.
    simulated : bool
        Whether the records are simulated.
    by_region : dict of str to dict
        What a region's page pooled of its own authorities, once for all that shows it.
    """

    def __init__(self, *, simulated: bool = False) -> None:
        super().__init__()
        self.by_region: dict[str, dict[str, AreaEffects]] = {}
        self.failed: dict[str, str] = {}
        self.simulated = simulated


def areas(analysis: Analysis) -> AreasByOutcome:
    """Estimate the primary outcomes' effects in every authority, partly pooled.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    AreasByOutcome
        Where at least two authorities have an estimate and an error; else why not.
    """
    return analysis.kept(_areas)


def _areas(analysis: Analysis) -> AreasByOutcome:
    primary = primary_outcomes(analysis.outcomes(), analysis.plan)
    pooled = AreasByOutcome(simulated=analysis.study.simulated)
    if primary.empty:
        return pooled
    frame = analysis.families.to_pandas().loc[analysis.study.index]
    titles = frame["local_authority"].map(authorities()).fillna(frame["local_authority"])
    effects = estimate(
        analysis.design, primary, months=analysis.horizon, method="difference", errors="robust",
        by=titles,
    )  # fmt: skip
    for name in primary:
        try:
            pooled[str(name)] = effects.pool(str(name), better=registry.outcome(str(name)).better)
        except TfevalError as fault:
            pooled.failed[str(name)] = public_line(fault)
    return pooled


def why_not(pooled: Mapping[str, AreaEffects]) -> dict[str, str]:
    """Return the outcomes whose effects could not be pooled, and why."""
    return pooled.failed if isinstance(pooled, AreasByOutcome) else {}


def is_simulated(pooled: Mapping[str, AreaEffects]) -> bool:
    """Tell whether any of the records is simulated."""
    own = isinstance(pooled, AreasByOutcome) and pooled.simulated
    return own or any(effects.simulated for effects in pooled.values())


def left_out(effects: AreaEffects) -> tuple[str, ...]:
    """Return the authorities that do not count for want of an estimate with an error."""
    return tuple(effects.settings.get("left_out", ()))


def counts_sentence(pooled: Mapping[str, AreaEffects]) -> str:
    """Say of how many authorities each outcome's effects are, and how many were left out.

    Parameters
    ----------
    pooled : mapping of str to AreaEffects
        As from `areas` or `read_areas`.
    """
    parts = []
    for name, effects in pooled.items():
        out, hidden = len(left_out(effects)), int(effects.frame["hidden"].astype(bool).sum())
        count = len(effects.frame)
        parts.append(
            f"{outcome_label(name)}: {count} of {count + out} authorities with families of "
            "both groups count"
            + (f", {hidden} of them too small to show" if hidden else "")
            + (f"; {out} left out for want of an error that holds" if out else "")
            + "."
        )
    failed: dict[str, list[str]] = {}
    for name, why in why_not(pooled).items():
        failed.setdefault(why, []).append(outcome_label(name))
    parts += [f"Not known by authority: {', '.join(names)}. {why}" for why, names in failed.items()]
    return " ".join(parts) or "No primary outcome is recorded for enough families."


def areas_record(pooled: Mapping[str, AreaEffects]) -> pd.DataFrame:
    """Return the authorities' effects as a table to record; of small ones nothing but the name.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas`.
    """
    parts: list[pd.DataFrame] = []
    for outcome, effects in pooled.items():
        frame = effects.to_frame()
        frame.loc[frame["hidden"], list(_NUMBERS)] = np.nan
        counts = {arm: frame[f"n_{arm}"].map(safe_count) for arm in ("treated", "comparison")}
        frame = frame[["name", "hidden", *_NUMBERS]].assign(**counts)
        parts.append(frame.assign(outcome=outcome).sort_values("name"))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts, ignore_index=True)


def together_record(pooled: Mapping[str, AreaEffects]) -> pd.DataFrame:
    """Return what is known of all authorities together, one row an outcome, to record.

    An outcome that could not be pooled has a row with nothing but `why`.
    """
    rows = []
    for outcome, effects in pooled.items():
        numbers: dict[str, Any] = {name: getattr(effects, name) for name in _TOGETHER}
        numbers |= {name: effects.settings[name] for name in _SETTINGS}
        numbers |= {"left_out": _BETWEEN.join(left_out(effects)), "why": ""}
        rows.append({"outcome": outcome, "simulated": effects.simulated, **numbers})
    rows += [{"outcome": name, "simulated": is_simulated(pooled), "why": why}
             for name, why in why_not(pooled).items()]  # fmt: skip
    return pd.DataFrame(rows, columns=list(_ALL_COLUMNS))


def read_areas(impact: Records) -> AreasByOutcome:
    """Return the authorities' effects that chapter 4 recorded, by outcome.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    rows, together = impact.table("areas"), impact.table("areas_together")
    pooled = AreasByOutcome()
    for line in together.to_dict("records"):
        name = str(line["outcome"])
        pooled.simulated |= bool(line["simulated"])
        if line.get("why"):
            pooled.failed[name] = str(line["why"])
            continue
        frame = rows[rows["outcome"] == name].reset_index(drop=True)
        frame = frame.astype(dict.fromkeys(_NUMBERS, float)).assign(
            hidden=frame["hidden"].astype(bool), n_treated=np.nan, n_comparison=np.nan
        )
        out = str(line.get("left_out") or "")
        settings = {key: line[key] for key in _SETTINGS}
        settings["left_out"] = tuple(out.split(_BETWEEN)) if out else ()
        # What is missing of every outcome is read as nothing at all.
        numbers: dict[str, Any] = {
            key: np.nan if line[key] is None else float(line[key]) for key in _TOGETHER
        }
        pooled[name] = AreaEffects(
            frame=frame, **numbers, settings=settings, simulated=bool(line["simulated"])
        )
    return pooled


def areas_chart(
    pooled: Mapping[str, AreaEffects], outcome: str, area: str = "all"
) -> Chart | Table:
    """Draw an outcome's effect in every authority, one of them marked.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas` or `read_areas`.
    outcome : str
        A measure, such as "out_of_work".
    area : str, default "all"
        The authority to mark.
    """
    known = outcome in pooled
    shown = pooled[outcome].to_frame() if known else pd.DataFrame({"hidden": [], "name": []})
    names = set(shown.loc[~shown["hidden"].astype(bool), "name"])
    if not names:
        why = why_not(pooled).get(outcome) or (
            "Every authority has too few families to show." if known else
            "The outcome is not recorded for enough families."
        )  # fmt: skip
        return table(pd.DataFrame({"": [why]}), caption=f"{outcome_label(outcome)} by authority")
    return pooled[outcome].plot([area] if area in names else [])


def authority_table(pooled: Mapping[str, AreaEffects], area: str) -> Table:
    """Return the effects in one authority: its own, partly pooled, and its rank.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas` or `read_areas`.
    area : str
        Official name.
    """
    rows = [_authority_row(effects, name, area) for name, effects in pooled.items()]
    rows += [[outcome_label(name, unit=True), "not known: see below", *["not known"] * 3]
             for name in why_not(pooled)]  # fmt: skip
    columns = ["Outcome", "Its own estimate", "Partly pooled (95% interval)", "Rank (95% interval)",
               "Mean over authorities (95% interval)"]  # fmt: skip
    notes = [f"{SIMULATED}."] if is_simulated(pooled) else []
    notes += [
        "Exploratory: the plan has no effects by authority. Estimand: ATT, of the authority's own "
        "families on the programme; difference of weighted means within the national design.",
        "Partly pooled: drawn towards the mean of all authorities by as much as chance could have "
        "moved its own estimate. Rank 1 is the lowest; its interval says how little ranks tell.",
        "Too few to show: fewer than ten families, or fewer than ten with or without the outcome. "
        "In its place stands the range in which the effect of another authority like these lies.",
        counts_sentence(pooled),
    ]
    return table(
        pd.DataFrame(rows, columns=columns), caption=f"Effects in {area} beside the others",
        notes=notes,
    )  # fmt: skip


def _authority_row(effects: AreaEffects, outcome: str, area: str) -> list[str]:
    frame = effects.to_frame()
    digits = decimals((effects.mean_high - effects.mean_low) / 4)
    label = outcome_label(outcome, unit=True)
    mean = with_interval(effects.mean, effects.mean_low, effects.mean_high, digits)
    own = frame[(frame["name"] == area) & ~frame["hidden"].astype(bool)]
    if own.empty:
        ends = (
            f"{number(effects.prediction_low, digits)} to {number(effects.prediction_high, digits)}"
        )
        why = "too few for an error: left out" if area in left_out(effects) else "too few to show"
        return [label, why, f"another like these: {ends}", "not ranked", mean]
    row = own.iloc[0]
    pooled = with_interval(row["pooled"], row["pooled_low"], row["pooled_high"], digits)
    shown = int((~frame["hidden"].astype(bool)).sum())
    rank = f"{row['rank']:.0f} ({row['rank_low']:.0f} to {row['rank_high']:.0f})"
    rank += f" of {len(frame)}, {shown} shown"
    return [label, number(row["estimate"], digits), pooled, rank, mean]


def authority_sentence(pooled: Mapping[str, AreaEffects], area: str) -> str:
    """Say in one sentence in how many outcomes an authority can be told from no effect.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas` or `read_areas`.
    area : str
        Official name.
    """
    label = simulated_mark(is_simulated(pooled))
    shown, clear = 0, []
    for outcome, effects in pooled.items():
        frame = effects.to_frame()
        own = frame[(frame["name"] == area) & ~frame["hidden"].astype(bool)]
        shown += len(own)
        if len(own) and (own["pooled_high"].iloc[0] < 0 or own["pooled_low"].iloc[0] > 0):
            clear.append(outcome_label(outcome).lower())
    if not pooled and why_not(pooled):
        return f"{label}effects by authority are not known. {next(iter(why_not(pooled).values()))}"
    if not shown:
        return f"{label}too few families of {area} are in the comparison to show its effects."
    ending = f"can be told from no effect in {', '.join(clear)}" if clear else (
        "none can be told from no effect")  # fmt: skip
    return f"{label}of {shown} primary outcomes that can be shown for {area}, {ending}."


# How many authorities effects and values by authority are of, and why others are not.


def effects_table(pooled: Mapping[str, AreaEffects]) -> Table:
    """Return how many authorities the effects by authority are of, an outcome a row.

    Parameters
    ----------
    pooled : mapping of str to AreaEffects
        As from `areas.areas` or `areas.read_areas`.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    for name, effects in pooled.items():
        hidden = int(effects.frame["hidden"].astype(bool).sum())
        shown, out = len(effects.frame) - hidden, len(left_out(effects))
        rows.append((outcome_label(name), f"{shown}", f"{hidden}", f"{out}", ""))
    rows += [(outcome_label(name), "none", "none", "none", why)
             for name, why in why_not(pooled).items()]  # fmt: skip
    columns = ["Outcome", "Shown", "Too small to show", "Left out", "Why none"]
    frame = pd.DataFrame(rows, columns=columns)
    if not why_not(pooled):
        frame = frame.drop(columns="Why none")
    return table(
        frame, caption="Which authorities count, of those with families of both groups", missing="",
        notes=[f"{SIMULATED}."] * is_simulated(pooled) + [
            "Shown and too small to show: they count in the mean, the ranks and what draws the "
            "others. Left out: no estimate, or no error that holds, since too few families, or too "
            "few with the outcome, are in one group; they are in no mean and have no rank.",
        ],
    )  # fmt: skip


def values_table(impact: Records, worth: AreaAppraisals | str) -> Table:
    """Return how many authorities are valued and ranked, and how many are not, with the reason.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    worth : AreaAppraisals or str
        As from `value_tables.area_values`.
    """
    hidden, left = _not_counted(impact)
    names = set() if isinstance(worth, str) else set(worth.frame["name"])
    small = {name for names_out in hidden.values() for name in names_out} - names
    out = {name for names_out in left.values() for name in names_out} - names - small
    rows = [
        ("Valued, and ranked among each other", len(names), "" if names else str(worth)),
        ("Too small to show", len(small), "On at least one outcome fewer than ten families, or "
         "fewer than ten with it or without: they count in chapter 4, and are not here"),
        ("Left out", len(out), "On at least one outcome no estimate, or no error that holds: "
         "too few families, or too few with the outcome"),
    ]  # fmt: skip
    return table(
        pd.DataFrame(rows, columns=["Authorities", "Number", "Why"]),
        caption="Which authorities count, of those with families of both groups",
        notes=[f"{SIMULATED}."] * bool(impact["simulated"].value), missing="",
    )  # fmt: skip


def _not_counted(impact: Records) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return, by outcome, the authorities that are too small to show and those left out."""
    pooled = read_areas(impact)
    hidden = {
        name: [str(one) for one in effects.frame.loc[effects.frame["hidden"], "name"]]
        for name, effects in pooled.items()
    }
    return hidden, {name: left_out(effects) for name, effects in pooled.items()}
