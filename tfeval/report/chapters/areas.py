"""Effects by authority, partly pooled: made in chapter 4, shown there and on each one's page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.disclosure import safe_count
from tfeval.display.figures import Chart
from tfeval.display.tables import Table, table
from tfeval.errors import TfevalError
from tfeval.impact.effects.areas import AreaEffects
from tfeval.impact.effects.estimate import estimate
from tfeval.impact.effects.words import SIMULATED, decimals, number, with_interval
from tfeval.report.chapters.common import outcome_label
from tfeval.report.chapters.impact import Impact, named, outcomes_of
from tfeval.report.domains import authorities
from tfeval.report.record import Records

_NUMBERS = ("estimate", "std_error", "pooled", "pooled_low", "pooled_high", "own_share", "rank",
            "rank_low", "rank_high")  # fmt: skip
_TOGETHER = ("mean", "mean_low", "mean_high", "tau", "tau_low", "tau_high", "tau_posterior",
             "tau_posterior_low", "tau_posterior_high", "tau2",
             "prediction_low", "prediction_high", "q", "q_p", "i_squared", "level")  # fmt: skip
_SETTINGS = ("estimator", "prior", "prior_scale", "better", "draws", "label")


def areas(found: Impact) -> dict[str, AreaEffects]:
    """Estimate the primary outcomes' effects in every authority, partly pooled.

    Parameters
    ----------
    found : Impact
        As from `load`.

    Returns
    -------
    dict of str to AreaEffects
        By outcome, where at least two authorities have an estimate.
    """
    outcomes = outcomes_of(found.comparison, found.horizon)
    primary = [name for name in outcomes if found.plan.role(str(name)) == "primary"]
    frame = found.comparison.cohort.to_pandas().loc[found.comparison.study.index]
    titles = frame["local_authority"].map(authorities()).fillna(frame["local_authority"])
    effects = named(estimate(
        found.comparison.design, outcomes[primary], months=found.horizon, method="difference",
        errors="robust", by=titles,
    ), unit=True)  # fmt: skip
    pooled = {}
    for name in primary:
        try:
            pooled[str(name)] = effects.pool(str(name), better="lower")
        except TfevalError:
            continue
    return pooled


def areas_record(pooled: dict[str, AreaEffects]) -> pd.DataFrame:
    """Return the authorities' effects as a table to record; of small ones nothing but the name.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas`.
    """
    parts = []
    for outcome, found in pooled.items():
        frame = found.to_frame()
        frame.loc[frame["hidden"], list(_NUMBERS)] = np.nan
        counts = {arm: frame[f"n_{arm}"].map(safe_count) for arm in ("treated", "comparison")}
        frame = frame[["name", "hidden", *_NUMBERS]].assign(**counts)
        parts.append(frame.assign(outcome=outcome).sort_values("name"))
    return pd.concat(parts, ignore_index=True)


def together_record(pooled: dict[str, AreaEffects]) -> pd.DataFrame:
    """Return what is known of all authorities together, one row an outcome, to record."""
    rows = []
    for outcome, found in pooled.items():
        held: dict[str, Any] = {name: getattr(found, name) for name in _TOGETHER}
        held |= {name: found.settings[name] for name in _SETTINGS}
        rows.append({"outcome": outcome, "simulated": found.simulated, **held})
    return pd.DataFrame(rows)


def read_areas(impact: Records) -> dict[str, AreaEffects]:
    """Return the authorities' effects that chapter 4 recorded, by outcome.

    Parameters
    ----------
    impact : Records
        Of chapter 4.
    """
    rows, together = impact.table("areas"), impact.table("areas_together")
    found = {}
    for held in together.to_dict("records"):
        frame = rows[rows["outcome"] == held["outcome"]].reset_index(drop=True)
        frame = frame.assign(n_treated=np.nan, n_comparison=np.nan)
        settings = {name: held[name] for name in _SETTINGS}
        found[str(held["outcome"])] = AreaEffects(
            frame=frame, **{name: held[name] for name in _TOGETHER}, settings=settings,
            simulated=bool(held["simulated"]),
        )  # fmt: skip
    return found


def areas_chart(pooled: dict[str, AreaEffects], outcome: str, area: str = "all") -> Chart | Table:
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
    name = next((name for name in pooled if name.rpartition("_")[0] == outcome), "")
    shown = pooled[name].to_frame() if name else pd.DataFrame({"hidden": [], "name": []})
    names = set(shown.loc[~shown["hidden"].astype(bool), "name"])
    if not names:
        said = pd.DataFrame({"": ["Every authority has too few families to show."]})
        return table(said, caption=f"{outcome_label(outcome)} by authority")
    return pooled[name].plot([area] if area in names else [])


def authority_table(pooled: dict[str, AreaEffects], area: str) -> Table:
    """Return the effects in one authority: its own, partly pooled, and its rank.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas` or `read_areas`.
    area : str
        Official name.
    """
    rows = [_authority_row(found, name, area) for name, found in pooled.items()]
    columns = ["Outcome", "Its own estimate", "Partly pooled (95% interval)", "Rank (95% interval)",
               "Mean over authorities (95% interval)"]  # fmt: skip
    simulated = any(found.simulated for found in pooled.values())
    notes = [f"{SIMULATED}."] if simulated else []
    notes += [
        "Exploratory: the plan has no effects by authority. Estimand: ATT, of the authority's own "
        "families on the programme; difference of weighted means within the national design.",
        "Partly pooled: drawn towards the mean of all authorities by as much as chance could have "
        "moved its own estimate. Rank 1 is the lowest; its interval says how little ranks tell.",
        "Too few to show: fewer than ten families, or fewer than ten with or without the outcome. "
        "In its place stands the range in which the effect of another authority like these lies.",
    ]
    return table(
        pd.DataFrame(rows, columns=columns), caption=f"Effects in {area} beside the others",
        notes=notes,
    )  # fmt: skip


def _authority_row(found: AreaEffects, outcome: str, area: str) -> list[str]:
    frame = found.to_frame()
    digits = decimals((found.mean_high - found.mean_low) / 4)
    label = outcome_label(outcome, unit=True)
    mean = with_interval(found.mean, found.mean_low, found.mean_high, digits)
    own = frame[(frame["name"] == area) & ~frame["hidden"].astype(bool)]
    if own.empty:
        ends = f"{number(found.prediction_low, digits)} to {number(found.prediction_high, digits)}"
        return [label, "too few to show", f"another like these: {ends}", "not ranked", mean]
    row = own.iloc[0]
    pooled = with_interval(row["pooled"], row["pooled_low"], row["pooled_high"], digits)
    shown = int((~frame["hidden"].astype(bool)).sum())
    rank = f"{row['rank']:.0f} ({row['rank_low']:.0f} to {row['rank_high']:.0f})"
    rank += f" of {len(frame)}, {shown} shown"
    return [label, number(row["estimate"], digits), pooled, rank, mean]


def authority_sentence(pooled: dict[str, AreaEffects], area: str) -> str:
    """Say in one sentence in how many outcomes an authority can be told from no effect.

    Parameters
    ----------
    pooled : dict of str to AreaEffects
        As from `areas` or `read_areas`.
    area : str
        Official name.
    """
    label = "Simulated records: " if any(one.simulated for one in pooled.values()) else ""
    shown, clear = 0, []
    for outcome, found in pooled.items():
        frame = found.to_frame()
        own = frame[(frame["name"] == area) & ~frame["hidden"].astype(bool)]
        shown += len(own)
        if len(own) and (own["pooled_high"].iloc[0] < 0 or own["pooled_low"].iloc[0] > 0):
            clear.append(outcome_label(outcome).lower())
    if not shown:
        return f"{label}too few families of {area} are in the comparison to show its effects."
    told = f"can be told from no effect in {', '.join(clear)}" if clear else (
        "none can be told from no effect")  # fmt: skip
    return f"{label}of {shown} primary outcomes that can be shown for {area}, {told}."
