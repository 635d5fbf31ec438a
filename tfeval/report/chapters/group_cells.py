"""Cells of how the groups stood: attached by year, before and after, and how alike they were made.

Of England alone: what chapters 2 and 3 show beside their counts by area.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tfeval.impact.balance.balance import DENOMINATORS
from tfeval.impact.balance.rows import Compared
from tfeval.programme.outcomes import outcome as registered
from tfeval.programme.outcomes import reported_outcomes
from tfeval.programme.programmes import Programme
from tfeval.report.cells import ENGLAND, FEW, Maker, least_of, more_than_one, most, moved_by, tenth

#: Each group, by the key of its cells.
ARMS = {"treated": True, "comparison": False}
_NAMED = {which: arm for arm, which in ARMS.items()}
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


def add_balance(
    maker: Maker, design: Compared, frame: pd.DataFrame, months: int, every: pd.DataFrame
) -> None:
    """Add standardised differences of covariates, before and after a design.

    Parameters
    ----------
    maker : Maker
    design : Design
    frame : DataFrame
        Of `balance`: the differences themselves, and what they are divided by.
    months : int
    every : DataFrame
        All covariates that a cohort has, in the order of the maker's families. One that tells
        too few families apart to be compared has its rows too, hidden: none at all would say that.

    Notes
    -----
    How far families move a difference is bounded, not to first order: one odd family can make most
    of the standard deviation, and without it all families lie far from each other.
    """
    study = design.study
    rows = frame[frame["kind"].isin(["number", "binary"])].set_index("source")
    compared = {one.source: np.asarray(one.raw, dtype=float) for one in study.covariates.columns
                if one.level is None and not one.absent and one.source in rows.index}  # fmt: skip
    for name in dict.fromkeys([*every, *compared]):
        values = compared.get(name)
        if values is not None:
            row = rows.loc[[name]].to_dict("records")[0]
            spread = _spread(values, study.treated, study.sampling, DENOMINATORS[design.estimand])
        for word, weights in (("before", study.sampling), ("after", design.weights)):
            cell = {"kind": "balance", "number": f"balance:{word}:{name}", "arm": "both",
                    "outcome": name, "months": months, "signed": True, "unit": "sd",
                    **_ENGLAND}  # fmt: skip
            difference = None if values is None else _difference(
                values, study.treated, weights, float(row[f"smd_{word}"]), float(row["sd"]), spread
            )  # fmt: skip
            if difference is None:
                maker.none(_known(every[name].to_numpy(dtype=float), weights), **cell)
                continue
            known, least, moved = difference
            maker.add(known, n=int(known.sum()), value=row[f"smd_{word}"], least=least, **moved,
                      **cell)  # fmt: skip


def _known(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return ~np.isnan(values) & (weights > 0)


def _spread(
    values: np.ndarray, treated: np.ndarray, weights: np.ndarray, denominator: str
) -> np.ndarray:
    """Return each family's share of the variance that a difference is divided by."""
    share = np.zeros(len(values))
    for which in ARMS.values():
        own = ~np.isnan(values) & (weights > 0) & (treated == which)
        if denominator in ("pooled", _NAMED[which]) and own.any():
            mean = np.average(values[own], weights=weights[own])
            share[own] = weights[own] / weights[own].sum() * (values[own] - mean) ** 2
    return share / share.sum() if share.sum() > 0 else share


def _difference(  # noqa: PLR0917
    values: np.ndarray, treated: np.ndarray, weights: np.ndarray, difference: float, sd: float,
    spread: np.ndarray,
) -> tuple[np.ndarray, int, dict[str, float]] | None:  # fmt: skip
    """Return whose a difference is, the smallest count that it tells, and what moves it.

    Without some families it is D' / s' where it was D / s: it moves by (D' - D) / s' and by
    D (1 / s' - 1 / s) at most, and s' is no less than what their shares of the variance leave.
    """
    known = _known(values, weights)
    pulls, least, fewest = np.zeros(len(values)), [], np.inf
    for which in ARMS.values():
        own = known & (treated == which)
        if not own.any() or not sd > 0 or not np.isfinite(difference):
            return None
        mean, _ = moved_by(values[own], weights[own])
        share = weights[own] / weights[own].sum()
        left = 1.0 - most(share)
        fewest = min(fewest, own.sum() - FEW)
        pulls[own] = np.abs(values[own] - mean) / sd * share / left if left > 0 else np.inf
        least.append(least_of(values[own]))

    def moved(pull: Any, taken: Any, count: int) -> Any:
        # Those left have another mean than before; and there are fewer to divide by.
        stays = 1.0 - taken * (1.0 + count / max(fewest, 1))
        wider = 1.0 / np.sqrt(np.where(stays > 0, stays, np.nan)) + count / max(fewest, 1)
        return np.nan_to_num(pull * wider + abs(difference) * (wider - 1.0), nan=np.inf)

    alone = moved(pulls, spread, 1)
    return known, min(least), {
        "largest": float(alone.max()), "drop": float(moved(most(pulls), most(spread), FEW)),
        "tenth": tenth(pulls) * (1 - FEW / max(int(known.sum()), FEW)),
    }  # fmt: skip
