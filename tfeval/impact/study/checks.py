"""Checks of the columns of a study, one a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from tfeval.cohort.columns import BEFORE, IDENTIFIED
from tfeval.display.tables import exact_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.study.covariates import Covariates
from tfeval.impact.study.numbers import (
    CATEGORY,
    MIXED,
    NUMBERS,
    OTHER,
    TEXT,
    floats_of,
    kind_of,
    numbers_of,
    plain,
)

# What errors and notes call covariates: a level is a value, and is not shown.


def sources_of(covariates: Covariates, names: Iterable[str]) -> list[str]:
    """Name the columns of the frame behind some covariates, each once, in the order given.

    Parameters
    ----------
    names : iterable of str
        Of its columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from tfeval.impact.study.covariates import encoded
    >>> x = encoded(pd.DataFrame({"age": [1.0, 2, 3], "area": ["a", "b", "c"]}), ["age", "area"])
    >>> sources_of(x, ["area: c", "age"])
    ['area (1 of its 3 levels)', 'age']
    """
    columns = {column.name: column for column in covariates.columns}
    subset = [columns[name] for name in names]
    shown = []
    for source in dict.fromkeys(column.source for column in subset):
        hit = [column for column in subset if column.source == source]
        if hit[0].level is not None:
            levels = 1 + sum(column.source == source for column in covariates.columns)
            shown.append(f"{source} ({len(hit)} of its {levels} levels)")
        else:
            lacking = all(column.absent for column in hit)
            shown.append(f"{source} (where it is missing)" if lacking else source)
    return shown


def known_names(covariates: Covariates) -> list[str]:
    """Return what a covariate may be called in a suggestion: its column, levels left out."""
    return list(dict.fromkeys(str(column.source) for column in covariates.columns))


def names_of(given: str | Iterable[str] | None) -> list[str]:
    """Return names as a list; refuse one given twice."""
    names = [given] if isinstance(given, str) else list(given or ())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ParameterError(f"{twice[0]} is named twice.")
    return names


def check_names(frame: pd.DataFrame, names: list[str]) -> None:
    """Refuse a frame without rows, and names that are not its columns."""
    for name in names:
        if name not in frame.columns:
            raise ParameterError(f"The frame has no column {name}. {suggest(name, frame.columns)}")
        if frame.columns.tolist().count(name) > 1:
            raise DataError(f"The frame has more than one column named {name}.")
    if not len(frame):
        raise DataError("The frame has no rows.")


def check_timing(covariates: list[str], timing: dict[str, str], treated: str) -> None:
    """Refuse covariates measured after the index date, and the treatment as one."""
    if treated in covariates:
        raise ParameterError(f"{treated} says who was treated; it cannot be a covariate too.")
    late = [name for name in covariates if timing.get(name) == "after"]
    if late:
        raise ParameterError(
            f"{', '.join(late[:5])}: measured after the index date, so an outcome and not a "
            "covariate. What the programme may have changed cannot be held equal."
        )


def treated_of(series: pd.Series, name: str) -> np.ndarray:
    """Return who was treated, shape (n,); refuse other values and a missing arm."""
    values = numbers_of(series, f"Treatment {name}")
    if values.dtype.kind == "f" and (absent := int(np.count_nonzero(np.isnan(values)))):
        raise DataError(
            f"{name} is missing in {exact_count(absent)} rows: who was treated must be known."
        )
    if values.dtype != bool:
        ones = values == 1
        if not (ones | (values == 0)).all():
            raise DataError(
                f"{name} holds other values than 0 and 1. Say 1 for units on the programme, 0 for "
                "the others."
            )
        values = ones
    if values.all() or not values.any():
        who = "treated" if values.all() else "comparison"
        raise DataError(f"Every row is {who} ({name}): there is nobody to compare with.")
    return np.ascontiguousarray(values)


def varying(
    frame: pd.DataFrame,
    names: list[str],
    arms: np.ndarray,
    fewest: int | None,
    counted: np.ndarray | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Return the covariates that vary enough to compare on, and why others are left out.

    Parameters
    ----------
    names : list of str
        Its covariates.
    arms : ndarray of bool
        Who was treated.
    fewest : int or None
        A covariate is left out where it differs from its commonest value in fewer units of an
        arm. None refuses one that is the same in every row, and keeps the others.
    counted : ndarray of bool, optional, shape (n,)
        Who is looked at, where not everybody counts.
    """
    if counted is not None:
        frame, arms = frame.loc[counted, names], arms[counted]
    if fewest is None:
        same = [name for name in names if _says_nothing(_plain(frame[name]))]
        if same:
            raise DataError(
                f"{', '.join(same[:5])}: the same value in every row, so nothing to compare on. "
                "Leave it out, or say fewest=1."
            )
        return names, {}
    if isinstance(fewest, bool) or not isinstance(fewest, int) or fewest < 1:
        raise ParameterError(f"fewest is a whole number of at least 1, not {fewest!r}.")
    out = {
        name: f"differs from its commonest value in fewer than {fewest} units of an arm"
        for name in names
        if _differing(_plain(frame[name]), arms) < fewest
    }
    # Such as where an authority never sent the table that it comes from.
    out |= {name: "is missing for everybody" for name in names if _is_missing(frame[name])}
    if len(out) == len(names):
        raise DataError("No covariate varies enough: there is nothing to compare on.")
    return [name for name in names if name not in out], out


def telling(
    covariates: Covariates, arms: np.ndarray, fewest: int | None, counted: np.ndarray | None = None
) -> tuple[Covariates, dict[str, str]]:
    """Return covariates without the levels and marks of missing values that few units differ in.

    Parameters
    ----------
    arms : ndarray of bool
        Who was treated.
    fewest : int or None
        As for `varying`; None and 1 keep all.
    counted : ndarray of bool, optional, shape (n,)
        Who is looked at.

    Notes
    -----
    A value that is missing in one arm alone would tell the arms apart by itself. Without the mark
    the mean stands for it; a rare level counts as the one left out.
    """
    if fewest is None or fewest == 1:
        return covariates, {}
    looked = slice(None) if counted is None else counted
    rare: dict[str, str] = {}
    marks: dict[str, np.ndarray] = {}
    for column in covariates.columns:
        if not column.absent and column.level is None:
            continue
        values, arm = covariates.column(column.name)[looked], arms[looked]
        if _differing(pd.Series(values), arm) < fewest:
            rare[column.name] = f"holds for fewer than {fewest} units of an arm, or all but so few"
            continue
        # What comes from one source is missing together: nearly the same mark says little more.
        near = (name for name, mark in marks.items() if _fewer(mark != values, arm) < fewest)
        if column.absent and (twin := next(near, None)):
            rare[column.name] = f"holds for the same units as {twin}, or all but a few of an arm"
        elif column.absent:
            marks[column.name] = values
    kept = tuple(column for column in covariates.columns if column.name not in rare)
    if not kept:
        raise DataError("No covariate varies enough: there is nothing to compare on.")
    return replace(covariates, columns=kept), rare


def _plain(series: pd.Series) -> pd.Series:
    """Return a column's numbers, or its categories as they are; None of what is refused later."""
    column = plain(series)
    kind = kind_of(column)
    if kind == NUMBERS and column.dtype == object:
        return pd.Series(numbers_of(column, f"Covariate {series.name}"))
    return column if kind in (NUMBERS, TEXT, CATEGORY) else pd.Series(range(len(column)))


def _is_missing(series: pd.Series) -> bool:
    # Not so of dates and the like: that they are refused as what they are comes first.
    if not len(series) or not pd.isna(series.iloc[0]) or not series.isna().all():
        return False
    return kind_of(plain(series)) in (NUMBERS, TEXT, CATEGORY)


def _says_nothing(series: pd.Series) -> bool:
    return _is_constant(series) and _is_known(series)


def _is_constant(series: pd.Series) -> bool:
    values = series.to_numpy()
    if np.issubdtype(values.dtype, np.number) and len(values) and values[0] == values[0]:
        # Most columns differ within the first rows; the whole is read only where they do not.
        return bool((values[:1000] == values[0]).all() and (values == values[0]).all())
    return series.nunique(dropna=False) <= 1


def _is_known(series: pd.Series) -> bool:
    """Return whether a constant is a value; what is missing or infinite has an error of its own."""
    first = series.iloc[0]
    return not (pd.isna(first) or (isinstance(first, float | np.floating) and np.isinf(first)))


def _differing(series: pd.Series, arms: np.ndarray) -> int:
    """Return in how many units of the arm with fewer a known value is not the commonest known.

    What is missing says nothing here: its mark is looked at by itself.
    """
    if series.dtype.kind in "biuf" and isinstance(series.dtype, np.dtype):
        values = series.to_numpy()
        known = ~np.isnan(values)
        levels, times = np.unique(values[known], return_counts=True)
        # Of several that are as common pandas says which comes first.
        if len(levels) and np.count_nonzero(times == times.max()) == 1:
            return _fewer(known & (values != levels[times.argmax()]), arms)
    counts = series.value_counts()
    if counts.empty:
        return 0
    other = (series.notna() & (series != counts.index[0])).to_numpy(dtype=bool, na_value=False)
    return _fewer(other, arms)


def _fewer(flags: np.ndarray, arms: np.ndarray) -> int:
    return int(min(flags[arms].sum(), flags[~arms].sum()))


def codes_of(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Return codes from 0 of one column or several together, in order of their values."""
    codes = [_codes(frame[name], name) for name in names]
    if len(codes) == 1:
        return codes[0]
    together = pd.DataFrame(dict(enumerate(codes)))
    return together.groupby(list(together), sort=True).ngroup().to_numpy().astype(np.int64)


def _codes(series: pd.Series, name: str) -> np.ndarray:
    try:
        codes = pd.factorize(plain(series), sort=True)[0].astype(np.int64)
    except TypeError:
        raise DataError(
            f"{name} holds values of kinds that have no order together. Make all of it text with "
            "astype(str)."
        ) from None
    if (codes < 0).any():
        raise DataError(
            f"{name} is missing in some rows: every unit needs one. Give these a code of "
            "their own, or leave them out of the frame."
        )
    return codes


def weight_of(series: pd.Series, name: str, arms: np.ndarray) -> np.ndarray:
    """Return sampling weights; refuse negative ones, and an arm that weighs nothing."""
    values = floats_of(series, f"Sampling weight {name}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError(
            f"{name}: a sampling weight is a number of at least 0, in every row. Some are "
            "negative, missing or infinite: correct them, or leave these units out."
        )
    for who, mask in (("treated", arms), ("comparison", ~arms)):
        if not values[mask].sum() > 0:
            raise DataError(
                f"{name}: the weights of the {who} units sum to nothing, so nobody stands for "
                "them. Check the column, or leave the weights out."
            )
    return values


def unit_of(series: pd.Series, name: str) -> np.ndarray:
    """Return identifiers; refuse any that is missing or repeated."""
    column = plain(series)
    kind = kind_of(column)
    if kind in (MIXED, OTHER):
        # They break ties and assign folds, so they need an order: that of their words.
        column = column.where(column.isna(), column.astype(str))
    if column.isna().any() or not column.is_unique:
        raise DataError(
            f"{name} does not identify the units: missing, or the same in two rows. Give a column "
            "with one identifier a row, or none."
        )
    if column.dtype == object and pd.api.types.infer_dtype(column) == "integer":
        # As a frame of whole numbers has them, but for numbers of more than 64 bits.
        column = pd.to_numeric(column, errors="coerce") if _fits(column) else column
    return column.to_numpy()


def _fits(numbers: pd.Series) -> bool:
    return min(numbers) >= -(2**63) and max(numbers) < 2**63


# On what a cohort's rows are compared.


#: A covariate of a cohort that differs in fewer units of an arm says little, and separates arms.
FEWEST = 10


def own_covariates(
    columns: pd.DataFrame, comparison: str, frame: pd.DataFrame
) -> tuple[list[str], dict[str, str]]:
    """Return the covariates that a cohort's rows are compared on, and why others are left out."""
    names = columns.loc[columns["timing"] == BEFORE, "name"].tolist()
    arms, out = frame["treated"].to_numpy(dtype=bool), dict[str, str]()
    if comparison == "below_threshold":
        criteria = [name for name in names if name.startswith("met_")]
        out |= dict.fromkeys(criteria, "decides who is treated and who is compared")
    measured: dict[str, dict[str, str]] = {BEFORE: {}, IDENTIFIED: {}}
    for name, window, what in columns[["name", "window", "outcome"]].itertuples(index=False):
        measured.get(window, {}).setdefault(what, name)
    # The two years before nearly agree where waits are short, or what they count is rare.
    for what in sorted(measured[BEFORE].keys() & measured[IDENTIFIED].keys()):
        before, identified = measured[BEFORE][what], measured[IDENTIFIED][what]
        one, other = frame[before].to_numpy(float), frame[identified].to_numpy(float)
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        if _fewer(~same, arms) < FEWEST:
            out[identified] = f"differs from {before} in fewer than {FEWEST} units of an arm"
    return [name for name in names if name not in out], out
