"""Cells of how the groups stood: attached by year, before and after, and how alike they were made.

Of England alone: what chapters 2 and 3 show beside their counts by area.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.balance.rows import Compared
from tfeval.programme.outcomes import outcome as registered
from tfeval.programme.outcomes import reported_outcomes
from tfeval.programme.programmes import Programme
from tfeval.report.cells import ENGLAND, FEW, Maker, least_of, more_than_one, most, moved_by, tenth

#: Each group, by the key of its cells.
ARMS = {"treated": True, "comparison": False}
_ENGLAND: dict[str, Any] = {"level": "england", "area": ENGLAND, "parent": ""}


def add_attached(
    maker: Maker, index_on: pd.Series, treated: np.ndarray, rules: Programme, months: int
) -> None:  # fmt: skip
    """Add how many families of the programme entered in each year of its phase."""
    years = pd.to_datetime(index_on).dt.year.to_numpy()
    for year in range(rules.start.year, rules.end.year + 1):
        maker.count(treated & (years == year), treated, number=f"attached:{year}", arm="treated",
                    base="families", within="families", months=months, **_ENGLAND)  # fmt: skip


def add_base_rates(
    maker: Maker, when: Mapping[str, pd.DataFrame], treated: np.ndarray, months: int
) -> None:
    """Add families known, families with any, and means, a group and an outcome.

    Parameters
    ----------
    maker : Maker
    when : mapping of str to DataFrame
        "before" and "after": outcomes, in the order of the maker's families.
    treated : ndarray of bool
    months : int
    """
    for word, frame in when.items():
        for name in [one for one in reported_outcomes() if one in frame]:
            values = frame[name].to_numpy(dtype=float)
            for arm, which in ARMS.items():
                own = treated == which
                add_counts(maker, values, own, f"{word}:{name}", "families", name=name, arm=arm,
                           months=months, **_ENGLAND)  # fmt: skip
                add_mean(maker, values, own & ~np.isnan(values), f"mean:{word}:{name}",
                         np.ones(len(values)), name=name, arm=arm, months=months,
                         **_ENGLAND)  # fmt: skip


def add_counts(
    maker: Maker, values: np.ndarray, own: np.ndarray, number: str, base: str, *, name: str,
    **cell: Any,
) -> None:  # fmt: skip
    """Add of how many an outcome is known, and how many have it."""
    known = own & ~np.isnan(values)
    maker.count(known, number=f"known:{number}", base=base, **cell)
    maker.count(known & (values != 0), known, number=f"with:{number}", outcome=name,
                base=f"known:{number}", **cell)  # fmt: skip


def add_mean(
    maker: Maker, values: np.ndarray, known: np.ndarray, number: str, weights: np.ndarray, *,
    name: str, shifted: float = 0.0, **cell: Any,
) -> None:  # fmt: skip
    """Add a mean: hidden where fewer than ten are other than 0 or 1, since counts say the share.

    Parameters
    ----------
    maker : Maker
    values : ndarray of float
    known : ndarray of bool
        Whose mean.
    number : str
    weights : ndarray of float
    name : str
        The outcome.
    shifted : float, default 0
        How far the mean may move beside, as where values are cut down to a cap.
    **cell
        Other columns.
    """
    present, own = values[known], weights[known]
    cell |= {"kind": "mean", "number": number, "outcome": name, "unit": unit_of(name)}
    if not len(present):
        maker.none(**cell)
        return
    mean, moved = moved_by(present, own)
    moved["drop"] += shifted
    n, events = len(present), int(np.count_nonzero(present))
    least = min(least_of(present), more_than_one(present))
    maker.add(known, value=mean, n=n, events=events, least=least, **moved, **cell)


def unit_of(name: str) -> str:
    """Return what an outcome is counted in, for readers; nothing of what is no outcome."""
    return registered(name).per if name in reported_outcomes() else ""


def add_balance(maker: Maker, design: Compared, frame: pd.DataFrame, months: int) -> None:
    """Add standardised differences of covariates, before and after a design.

    Parameters
    ----------
    maker : Maker
    design : Design
    frame : DataFrame
        Of `balance`: the differences themselves, and what they are divided by.
    months : int

    Notes
    -----
    How far families move a difference is to first order: through both means, and through the
    standard deviation that they are divided by.
    """
    study = design.study
    rows = frame[frame["kind"].isin(["number", "binary"])].set_index("source")
    for column in study.covariates.columns:
        if column.level is not None or column.absent or column.source not in rows.index:
            continue
        row = rows.loc[[column.source]].to_dict("records")[0]
        for word, weights in (("before", study.sampling), ("after", design.weights)):
            difference = _difference(np.asarray(column.raw, dtype=float), study.treated, weights,
                                float(row["sd"]), float(row[f"smd_{word}"]))  # fmt: skip
            cell = {"kind": "balance", "number": f"balance:{word}:{column.source}", "arm": "both",
                    "outcome": column.source, "months": months, "signed": True, "unit": "sd",
                    **_ENGLAND}  # fmt: skip
            if difference is None:
                maker.none(**cell)
                continue
            known, least, moved = difference
            maker.add(known, n=int(known.sum()), value=row[f"smd_{word}"], least=least, **moved,
                      **cell)  # fmt: skip


def _difference(
    values: np.ndarray, treated: np.ndarray, weights: np.ndarray, sd: float, difference: float
) -> tuple[np.ndarray, int, dict[str, float]] | None:
    """Return whose a difference is, the smallest count that it tells, and what moves it."""
    known = ~np.isnan(values) & (weights > 0)
    pulls, least = np.zeros(len(values)), []
    for which in ARMS.values():
        own = known & (treated == which)
        if not own.any() or not sd > 0 or not np.isfinite(difference):
            return None
        mean, _ = moved_by(values[own], weights[own])
        apart, share = np.abs(values[own] - mean) / sd, weights[own] / weights[own].sum()
        left = 1.0 - most(share)
        spread = np.abs(difference) / 2 * np.abs(apart**2 - 1) / own.sum()
        pulls[own] = (apart * share + spread) / max(left, 0.5)
        least.append(least_of(values[own]))
    moved = {"largest": float(pulls.max()), "drop": most(pulls),
             "tenth": tenth(pulls) * (1 - FEW / max(int(known.sum()), FEW))}  # fmt: skip
    return known, min(least), moved
