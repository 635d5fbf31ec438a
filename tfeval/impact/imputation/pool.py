"""Effects of several imputations as one table, by Rubin's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

from tfeval.errors import ParameterError
from tfeval.impact.effects.columns import COLUMNS, MADE_BY
from tfeval.impact.effects.effects import Effects
from tfeval.impact.effects.words import hidden_rows
from tfeval.impact.imputation.rubin import complete_freedom, pooled, t_bounds

#: What a row is of: the same in every table, or they cannot be pooled.
KEYS = ("outcome", "population", "months", "estimand", *MADE_BY)
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
