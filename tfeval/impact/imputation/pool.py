"""Effects of several imputations as one table, by Rubin's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.errors import ParameterError
from tfeval.impact.effects.columns import COLUMNS, KEYS
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import hidden_rows

# Rubin's rules: estimates of several imputations, and how they differ, as one.
# Sources: Rubin (1987), Multiple imputation for nonresponse in surveys, section 3.3; Barnard and
# Rubin (1999), Biometrika 86, equations 3 to 5.

#: Intervals whose middle is further from the estimate, as a share of their width, are not by t.
_SYMMETRIC = 1e-6


@dataclass(frozen=True, eq=False)
class Pooled:
    """Estimates of several imputations as one."""

    estimate: np.ndarray  # (rows,)
    covariance: np.ndarray  # (rows, rows)
    freedom: np.ndarray  # (rows,): Barnard and Rubin's
    #: riv, share, fmi: (rows,): relative increase in variance, share of the variance that is
    #: between imputations, fraction of missing information.
    riv: np.ndarray
    share: np.ndarray
    fmi: np.ndarray

    @property
    def facts(self) -> dict[str, tuple[float, ...]]:
        """What is not in a table of effects, one number a row."""
        names = ("freedom", "riv", "share", "fmi")
        return {name: tuple(getattr(self, name).tolist()) for name in names}


def pooled(estimates: np.ndarray, covariances: np.ndarray, complete: np.ndarray) -> Pooled:
    """Pool estimates.

    Parameters
    ----------
    estimates : ndarray, shape (imputations, rows)
    covariances : ndarray, shape (imputations, rows, rows)
        NaN in the rows and columns of estimates without an error.
    complete : ndarray, shape (rows,)
        Degrees of freedom had nothing been missing; infinite where they are not known.

    Examples
    --------
    >>> found = pooled(np.array([[1.0], [3.0]]), np.full((2, 1, 1), 2.0), np.array([np.inf]))
    >>> found.estimate.tolist(), found.covariance.tolist(), found.riv.tolist()
    ([2.0], [[5.0]], [1.5])
    """
    count = len(estimates)
    middle = estimates.mean(axis=0)
    within = covariances.mean(axis=0)
    apart = estimates - middle
    # Estimates that agree to the last digits differ by rounding alone.
    scale = np.abs(estimates).max(axis=0)
    apart[:, np.abs(apart).max(axis=0) <= 1e-14 * scale] = 0.0
    between = (1 + 1 / count) * (apart.T @ apart) / (count - 1)
    total = within + between
    own, extra, whole = (np.diagonal(one) for one in (within, between, total))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole > 0, extra / whole, np.where(whole == 0, 0.0, np.nan))
        riv = np.where(own > 0, extra / own, np.where(extra > 0, np.inf, 0.0 * own))
        freedom = freedom_of(share, count, complete)
        few = np.where(np.isinf(freedom), 0.0, 2 / (freedom + 3))
        fmi = np.where(np.isinf(riv), 1.0, (riv + few) / (1 + riv))
    return Pooled(middle, total, np.where(np.isnan(whole), np.nan, freedom), riv, share, fmi)


def freedom_of(share: np.ndarray, count: int, complete: np.ndarray) -> np.ndarray:
    """Return Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    share : ndarray, shape (rows,)
        Of the variance that is between imputations.
    count : int
        Imputations.
    complete : ndarray, shape (rows,)
        Degrees of freedom of the complete data.

    Examples
    --------
    >>> freedom_of(np.array([0.0, 0.5, 0.5]), 5, np.array([20.0, 20.0, np.inf])).round(2).tolist()
    [18.26, 5.81, 16.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        old = np.where(share > 0, (count - 1) / share**2, np.inf)
        observed = np.where(
            np.isinf(complete), np.inf, (complete + 1) / (complete + 3) * complete * (1 - share)
        )
        return 1 / (1 / old + 1 / observed)


def complete_freedom(frames: Sequence[pd.DataFrame], level: float) -> np.ndarray:
    """Return the complete data's degrees of freedom of each row: the least of the imputations.

    Parameters
    ----------
    frames : sequence of DataFrame
        Tables of effects.
    level : float
        Of the intervals.

    Returns
    -------
    ndarray, shape (rows,)
        As a column `freedom` tells it; else as the width of the interval in errors does, where it
        is symmetric; else clusters less 1; else infinite.
    """
    found = []
    for frame in frames:
        told = _numbers(frame, "freedom")
        own = np.where(np.isnan(told), _by_width(frame, level), told)
        clusters = _numbers(frame, "clusters") - 1
        own = np.where(np.isnan(own), np.where(clusters >= 1, clusters, np.nan), own)
        found.append(np.where(np.isnan(own), np.inf, own))
    return np.min(found, axis=0)


def t_bounds(
    estimate: np.ndarray, error: np.ndarray, freedom: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of t intervals."""
    width = stdtrit(np.where(np.isnan(freedom), np.inf, freedom), 0.5 + level / 2) * error
    return estimate - width, estimate + width


def _by_width(frame: pd.DataFrame, level: float) -> np.ndarray:
    estimate, error, low, high = (
        _numbers(frame, name) for name in ("estimate", "std_error", "conf_low", "conf_high")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        width = (high - low) / 2 / error
        symmetric = np.abs((high + low) / 2 - estimate) <= _SYMMETRIC * (high - low)
    found = [
        _freedom_with(one, level) if even and np.isfinite(one) else np.nan
        for one, even in zip(width.tolist(), symmetric.tolist(), strict=True)
    ]
    return np.array(found)


def _freedom_with(width: float, level: float) -> float:
    """Return the degrees of freedom whose t interval is so many errors wide on either side."""
    from scipy.optimize import brentq  # noqa: PLC0415

    place = 0.5 + level / 2
    if width <= float(ndtri(place)) * (1 + 1e-7):
        return float("inf")

    def excess(log: float) -> float:
        return float(stdtrit(np.exp(log), place)) - width

    if excess(0.0) <= 0:
        return 1.0
    return float(np.exp(brentq(excess, 0.0, 18.0, xtol=1e-12)))


def _numbers(frame: pd.DataFrame, name: str) -> Any:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(dtype=float, na_value=np.nan)


_COUNTS = ("n_treated", "n_comparison", "events_treated", "events_comparison", "n_missing",
           "ess_comparison", "clusters")  # fmt: skip


def pool_imputations(effects: Iterable[Effects]) -> Effects:
    """Pool the effects of several imputations by Rubin's rules.

    Parameters
    ----------
    effects : iterable of Effects
        One an imputation, at least two, with the same rows in the same order and intervals of one
        level: a design in each completed frame, and its effects.

    Returns
    -------
    Effects
        Estimates are means. The joint covariance is the mean of the covariances and 1 + 1/m times
        the covariance of the estimates. `settings["imputation"]` holds `count` and, for each row,
        `freedom`, `riv` (relative increase in variance), `share` (of the variance that is between
        imputations) and `fmi` (fraction of missing information). Counts are those of the
        imputation with the fewest units.

    Raises
    ------
    ParameterError
        If there are fewer than two, or their rows or levels differ.

    Notes
    -----
    Intervals and p-values are by t with the degrees of freedom of Barnard and Rubin, from those
    of the complete data where they are known (told by the table, or by the width of intervals
    that are symmetric) and infinite ones elsewhere. The interval of the relative change is pooled
    on the scale of the ratio's logarithm. An effect without an error in any imputation has none
    in the pool.

    References
    ----------
    Rubin (1987), Multiple imputation for nonresponse in surveys, chapter 3; Barnard and Rubin
    (1999), Small-sample degrees of freedom with multiple imputation, Biometrika 86.

    Examples
    --------
    >>> def table(estimate):
    ...     row = {"outcome": ["offences"], "estimate": [estimate], "std_error": [0.1]}
    ...     return Effects(pd.DataFrame(row), np.array([[0.01]]))
    >>> found = pool_imputations([table(-0.2), table(-0.3), table(-0.1)]).to_frame()
    >>> found[["estimate", "std_error"]].round(3).to_numpy().tolist()
    [[-0.2, 0.153]]
    """
    tables = list(effects)
    _check(tables)
    frames = [table.frame for table in tables]
    level = tables[0].level
    freedom = complete_freedom(frames, level)
    held = np.array([frame["estimate"].to_numpy(dtype=float) for frame in frames])
    joint = np.array([_known_covariance(table) for table in tables])
    found = pooled(held, joint, freedom)
    error = np.sqrt(np.diagonal(found.covariance))
    low, high = t_bounds(found.estimate, error, found.freedom, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, np.abs(found.estimate / error), np.nan)
    columns = {
        **_ratios(frames, freedom, level),
        **_kept(frames, np.isnan(error)),
        "estimate": found.estimate, "std_error": error, "conf_low": low, "conf_high": high,
        "p_value": 2 * stdtr(found.freedom, -t), "p_adjusted": np.full(len(error), np.nan),
        "freedom": found.freedom,
    }  # fmt: skip
    frame = frames[0].assign(**{name: columns[name] for name in columns if name in frames[0]})
    facts = {"count": len(tables), **found.facts}
    return Effects(
        frame=frame[[name for name in frame if name in COLUMNS]],
        joint=found.covariance,
        level=level,
        settings={**_alike([table.settings for table in tables]), "imputation": facts},
        notes=(*_notes_of(tables), *_notes(facts, frame, np.isnan(error))),
        simulated=any(table.simulated for table in tables),
    )


def _check(tables: Sequence[Any]) -> None:
    if not all(isinstance(table, Effects) for table in tables):
        raise ParameterError("pool_imputations takes tables of effects, as from estimate.")
    if len(tables) < 2:
        raise ParameterError(
            f"pool_imputations: {len(tables)} table of effects, and at least 2 are needed, one an "
            "imputation."
        )
    if len({table.level for table in tables}) > 1:
        raise ParameterError("The effects have intervals of different levels: estimate them alike.")
    first = _rows_of(tables[0])
    if len(set(first)) < len(first):
        raise ParameterError("A table of effects holds a row twice: give each outcome once.")
    for place, table in enumerate(tables[1:], start=2):
        own = _rows_of(table)
        if own != first:
            raise ParameterError(_difference(first, own, place))


def _rows_of(table: Effects) -> list[tuple[str, ...]]:
    return list(map(tuple, table.frame[list(KEYS)].astype(str).to_numpy().tolist()))


def _difference(first: list[tuple[str, ...]], own: list[tuple[str, ...]], place: int) -> str:
    if sorted(first) == sorted(own):
        what = "has the same effects in another order"
    elif len(first) != len(own):
        what = f"has {len(own)} effects, and table 1 has {len(first)}"
    else:
        pair = next((a, b) for a, b in zip(first, own, strict=True) if a != b)
        at = next(at for at, (a, b) in enumerate(zip(*pair, strict=True)) if a != b)
        what = f"differs from table 1 in {KEYS[at]}: {pair[1][at]} and {pair[0][at]}"
    return (
        f"The effects cannot be pooled: table {place} {what}. Estimate every imputation with the "
        "same outcomes, groups, method and errors."
    )


def _known_covariance(table: Effects) -> np.ndarray:
    """Return the covariance, NaN for effects without an estimate or an error."""
    joint = np.array(table.joint, dtype=float)
    columns = ("estimate", "std_error")
    lost = table.frame[list(columns)].isna().any(axis=1).to_numpy()
    joint[lost] = np.nan
    joint[:, lost] = np.nan
    return joint


def _ratios(frames: Sequence[pd.DataFrame], freedom: np.ndarray, level: float) -> dict[str, Any]:
    """Pool the logarithms of the ratios of means, and their errors as the intervals tell them."""
    treated, comparison = (
        np.mean([frame[name].to_numpy(dtype=float) for frame in frames], axis=0)
        for name in ("mean_treated", "mean_comparison")
    )
    estimate = np.mean([frame["estimate"].to_numpy(dtype=float) for frame in frames], axis=0)
    width = stdtrit(np.where(np.isnan(freedom), np.inf, freedom), 0.5 + level / 2)
    logs, variances = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for frame in frames:
            low, high = (
                np.log1p(frame[f"relative_{end}"].to_numpy(dtype=float)) for end in ("low", "high")
            )
            logs.append((low + high) / 2)
            variances.append(((high - low) / 2 / width) ** 2)
        covariances = np.array([np.diag(one) for one in variances])
        found = pooled(np.array(logs), covariances, freedom)
        error = np.sqrt(np.diagonal(found.covariance))
        low, high = t_bounds(found.estimate, error, found.freedom, level)
        relative = np.where(comparison > 0, estimate / comparison, np.nan)
    return {"relative": relative, "relative_low": np.expm1(low), "relative_high": np.expm1(high),
            "mean_treated": treated, "mean_comparison": comparison}  # fmt: skip


def _kept(frames: Sequence[pd.DataFrame], lost: np.ndarray) -> dict[str, Any]:
    """Return counts of the imputation that says least, and words of one that fits."""
    hidden = np.array([hidden_rows(frame) for frame in frames])
    arms = ["n_treated", "n_comparison"]
    units = np.array([frame[arms].to_numpy(dtype=float).min(axis=1) for frame in frames])
    # Whatever may not be shown in one imputation may not be shown of the pool.
    least = np.where(hidden, -np.inf, np.nan_to_num(units, nan=np.inf)).argmin(axis=0)
    missing = np.array([frame["std_error"].isna().to_numpy() for frame in frames])
    without = np.where(lost, missing.argmax(axis=0), 0)
    found: dict[str, Any] = {}
    for name in frames[0].columns:
        if name in _COUNTS:
            found[name] = _picked(frames, name, least)
        elif name in ("status", "small_sample"):
            found[name] = _picked(frames, name, without)
        elif name == "sd_comparison":
            found[name] = np.mean([frame[name].to_numpy(dtype=float) for frame in frames], axis=0)
        elif name == "planned":
            found[name] = [_agreed([frame[name].iloc[row] for frame in frames])
                           for row in range(len(lost))]  # fmt: skip
    return found


def _picked(frames: Sequence[pd.DataFrame], name: str, which: np.ndarray) -> list[Any]:
    return [frames[place][name].iloc[row] for row, place in enumerate(which.tolist())]


def _agreed(values: list[Any]) -> Any:
    if all(pd.isna(value) for value in values):
        return None
    return all(not pd.isna(value) and bool(value) for value in values)


def _alike(settings: Sequence[Any]) -> dict[str, Any]:
    """Return the settings that all imputations share."""
    first = settings[0]
    return {
        name: value
        for name, value in first.items()
        if all(name in other and repr(other[name]) == repr(value) for other in settings[1:])
    }


def _notes_of(tables: Sequence[Effects]) -> list[str]:
    """Return each note once; those that differ only in numbers count as one."""
    kinds: dict[str, list[str]] = {}
    for table in tables:
        for note in dict.fromkeys(table.notes):
            kinds.setdefault(re.sub(r"\d[\d,.]*", "#", note), []).append(note)
    return [
        notes[0] if len(notes) >= len(tables) and len(set(notes)) == 1
        else f"In at least one imputation: {notes[0]}"
        for notes in kinds.values()
    ]  # fmt: skip


def _notes(facts: dict[str, Any], frame: pd.DataFrame, lost: np.ndarray) -> list[str]:
    notes = [
        f"Pooled over {facts['count']} imputations by Rubin's rules, with the degrees of freedom "
        "of Barnard and Rubin."
    ]
    fmi = np.array(facts["fmi"])
    if not np.isnan(fmi).all():
        place = int(np.nanargmax(fmi))
        named = str(frame["outcome"].iloc[place])
        if str(frame["population"].iloc[place]) != "all":
            named += f", {frame['population'].iloc[place]}"
        notes.append(f"Fraction of missing information: at most {fmi[place]:.0%} ({named}).")
    if lost.any():
        notes.append(
            f"{int(lost.sum())} of {len(lost)} effects have no estimate or no error in at least "
            "one imputation, and so none in the pool."
        )
    return notes
