"""Covariates that are missing, completed several times by chained equations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.rich import Tabled
from tfeval.display.tables import Table, safe_count, table
from tfeval.errors import DataError, ParameterError
from tfeval.impact.imputation.draws import category_donors, number_donors
from tfeval.impact.study.checks import check_names, check_timing, names_of, treated_of
from tfeval.impact.study.covariates import one_blas_thread

# Columns of a frame as variables that can be imputed and that predict one another.

#: A variable known in fewer units says too little to be imputed from.
FEWEST = 10
_MOST_LEVELS = 200
_NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float")


@dataclass(frozen=True, eq=False)
class Variable:
    """One column: a number, or a category as codes."""

    name: str
    known: np.ndarray  # (n,) bool
    values: np.ndarray  # (n,): the numbers, or the codes from 0; NaN or -1 where missing
    levels: int = 0  # how many levels; 0 for a number

    @property
    def missing(self) -> np.ndarray:
        """Rows that are missing."""
        return np.flatnonzero(~self.known)

    def predictors(self, donors: np.ndarray | None) -> np.ndarray:
        """Return what predicts others, shape (n, columns), with missing rows taken from donors."""
        values = self.values
        if donors is not None and len(donors):
            values = values.copy()
            values[self.missing] = values[donors]
        if not self.levels:
            return values[:, None]
        return (values[:, None] == np.arange(1, self.levels)).astype(float)

    def drawn(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a known row for each missing one, given predictors of shape (n, k)."""
        if self.levels:
            return category_donors(x, self.known, self.values.astype(np.int64), rng)
        return number_donors(x, self.known, self.values, rng)

    def within(self, rows: np.ndarray) -> Variable:
        """Return the variable of some rows."""
        return Variable(self.name, self.known[rows], self.values[rows], self.levels)


def variable_of(frame: pd.DataFrame, name: str) -> Variable:
    """Return a column as a variable."""
    series = frame[name]
    known = series.notna().to_numpy(dtype=bool)
    if not known.all() and known.sum() < FEWEST:
        raise DataError(
            f"{name} is known in fewer than {FEWEST} rows: too few to complete it from. Leave it "
            "out."
        )
    if _is_number(series, name):
        values = np.full(len(series), np.nan)
        values[known] = series[known].to_numpy(dtype=float)
        if np.isinf(values).any():
            count = int(np.isinf(values).sum())
            some = f"{count:,}" if count >= FEWEST else f"fewer than {FEWEST}"
            raise DataError(f"{name} is infinite in {some} rows. Correct it, or make it missing.")
        return Variable(name, known, values)
    codes, levels = pd.factorize(series, sort=False)
    if len(levels) > _MOST_LEVELS:
        raise DataError(
            f"{name} has {len(levels):,} levels: too many for a category. Group them first."
        )
    return Variable(name, known, codes.astype(float), max(len(levels), 1))


def _is_number(series: pd.Series, name: str) -> bool:
    dtype: Any = series.dtype
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(dtype):
        return not pd.api.types.is_complex_dtype(dtype)
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind in _NUMBERS:
        return True
    if kind in ("string", "boolean", "empty"):
        return False
    raise DataError(
        f"{name} holds {kind} values ({dtype}): give numbers or a category, such as an age in "
        "years for a date of birth."
    )


_WITHOUT = (
    "No outcome helped to complete the covariates: what is imputed goes with the outcome less than "
    "the truth does, so that part of the confounding stays, in proportion to what was missing. "
    "Name the outcome in predictors to mend that."
)
_WITH = (
    "Completed with the help of {names}: name the outcome there, and no design reads it still; it "
    "sees completed covariates alone."
)


@dataclass(frozen=True, eq=False, repr=False)
class Imputations(Tabled):
    """A frame completed several times; iterate over it, or take one by its place.

    Attributes
    ----------
    frame : DataFrame
        As it was given, with what is missing.
    donors : mapping of str to ndarray of int, shape (imputations, missing)
        For each covariate with missing values, the rows whose values are taken, in the order of
        its missing rows.
    count : int
        How many.
    covariates, predictors : tuple of str
        What was completed, and what else helped.
    settings : mapping
        `treated`, `iterations`, `within_arms`, `seed`.
    notes : tuple of str
        What a reader must know.
    """

    frame: pd.DataFrame
    donors: Mapping[str, np.ndarray]
    count: int
    covariates: tuple[str, ...]
    predictors: tuple[str, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> pd.DataFrame:
        if not isinstance(place, int | np.integer) or not -self.count <= place < self.count:
            raise IndexError(f"There are {self.count} imputations, from 0.")
        completed = self.frame.copy()
        for name, donors in self.donors.items():
            column = self.frame[name].copy()
            missing = np.flatnonzero(column.isna().to_numpy())
            column.iloc[missing] = column.array[donors[place]]
            completed[name] = column
        return completed

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (self[place] for place in range(self.count))

    def table(self) -> Table:
        """Return how much of each covariate is missing, by arm, as a table for readers."""
        treated = treated_of(self.frame[self.settings["treated"]], self.settings["treated"])
        rows = []
        for name in self.covariates:
            missing = self.frame[name].isna().to_numpy()
            rows.append((name, *(_share(missing[arm]) for arm in (treated, ~treated))))
        columns = ["Covariate", "Missing, treated", "Missing, comparison"]
        caption = f"Covariates completed in each of {self.count} imputations"
        return table(pd.DataFrame(rows, columns=columns), caption, notes=self.notes)


def impute(
    frame: pd.DataFrame,
    covariates: str | Iterable[str],
    *,
    treated: str = "treated",
    imputations: int = 20,
    seed: int = 1,
    predictors: str | Iterable[str] = (),
    iterations: int = 10,
    within_arms: bool = False,
) -> Imputations:
    """Complete missing covariates several times, for a design in each.

    Parameters
    ----------
    frame : DataFrame
        One row a unit.
    covariates : str or iterable of str
        Columns to complete, and that predict one another: numbers, or categories (text,
        categorical, true or false).
    treated : str, default "treated"
        Who was treated; always predicts.
    imputations : int, default 20
        At least 2.
    seed : int, default 1
    predictors : str or iterable of str, optional
        Other columns that help to predict, outcomes among them; not completed. No other column
        is read.
    iterations : int, default 10
        Rounds through the covariates that have missing values; one where only one has.
    within_arms : bool, default False
        Complete each arm by itself, so that covariates may go with one another, and with an
        outcome, otherwise among the treated.

    Returns
    -------
    Imputations
        Completed frames, with the same index, columns and types.

    Raises
    ------
    ParameterError
        If a setting or a column is unknown.
    DataError
        If a column is neither numbers nor a category, or is known in too few rows.

    Notes
    -----
    Chained equations: each variable in turn is drawn given all others, numbers by predictive mean
    matching and categories by logistic regression, with parameters drawn anew every time. It is
    right where what is missing depends on what is known.

    Outcomes are left out unless named in `predictors`. A design may not depend on outcomes, and
    it does not: it is made from covariates alone, in each completed frame. But a covariate that is
    imputed without the outcome is unrelated to it beyond the other covariates, so comparisons are
    left confounded to the degree that it was missing. Naming the outcome is what the theory asks
    for; leaving it out keeps outcomes unread until the designs stand.

    Neither statsmodels' MICEData, whose donors and receivers share one draw and which knows no
    categories, nor scikit-learn's IterativeImputer, which draws no common parameters, is proper
    for columns of both kinds.

    References
    ----------
    Rubin (1987), Multiple imputation for nonresponse in surveys; van Buuren (2018), Flexible
    imputation of missing data, 2nd edition; Leyrat et al. (2019), Statistical Methods in Medical
    Research 28, on propensity scores: a design in each imputation, effects pooled, and the
    outcome among the predictors.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(40, 9, 200), "treated": np.arange(200) % 2})
    >>> frame["sex"] = rng.choice(["f", "m"], 200)
    >>> frame.loc[:30, "age"], frame.loc[20:50, "sex"] = np.nan, None
    >>> completed = impute(frame, ["age", "sex"], imputations=2)
    >>> [int(one[["age", "sex"]].isna().sum().sum()) for one in completed]
    [0, 0]
    """
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(
            "impute takes a DataFrame with one row a unit, such as families.to_pandas() of a "
            "cohort."
        )
    names, others = names_of(covariates), names_of(predictors)
    if not names:
        raise ParameterError("Name at least one covariate to complete.")
    names_of([*names, *others])
    check_names(frame, [treated, *names, *others])
    check_timing(names, dict(frame.attrs.get("timing", {})), treated)
    _whole("imputations", imputations, 2)
    _whole("iterations", iterations, 1)
    _whole("seed", seed, 0)
    arms = treated_of(frame[treated], treated)
    used = [*names, *(name for name in others if name != treated)]
    variables = [variable_of(frame, name) for name in used]
    seeds = np.random.SeedSequence(seed).spawn(imputations)
    with one_blas_thread(True):
        chains = [
            _completed(variables, arms, iterations, within_arms, np.random.default_rng(one))
            for one in seeds
        ]
    donors = {
        one.name: np.array([chain[one.name] for chain in chains])
        for one in variables if one.name in names and not one.known.all()
    }  # fmt: skip
    return Imputations(
        frame=frame.copy(), donors=donors, count=imputations, covariates=tuple(names),
        predictors=tuple(others), notes=_notes(donors, others),
        settings={"treated": treated, "iterations": iterations, "within_arms": within_arms,
                  "seed": seed},
    )  # fmt: skip


def _completed(
    variables: list[Variable], arms: np.ndarray, iterations: int, within: bool,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return the donors of each variable's missing rows, in their order."""
    if not within:
        return chained(variables, arms[:, None].astype(float), iterations, rng)
    all_donors = {one.name: np.empty(len(one.missing), dtype=np.int64) for one in variables}
    for arm in (True, False):
        rows = np.flatnonzero(arms == arm)
        own = [one.within(rows) for one in variables]
        for one in own:
            if not one.known.all() and one.known.sum() < FEWEST:
                raise DataError(
                    f"{one.name} is known in fewer than {FEWEST} rows of an arm: too few to "
                    "complete each by itself. Say within_arms=False."
                )
        donors = chained(own, np.empty((len(rows), 0)), iterations, rng)
        for one in variables:
            all_donors[one.name][arms[one.missing] == arm] = rows[donors[one.name]]
    return all_donors


def chained(
    variables: list[Variable], fixed: np.ndarray, iterations: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw all missing values by chained equations, those with least missing first.

    Parameters
    ----------
    fixed : ndarray of float, shape (n, k)
        What else predicts; never missing.

    Returns
    -------
    dict of str to ndarray of int
        For each variable, a known row for each missing one.
    """
    incomplete = sorted(
        (one for one in variables if len(one.missing)), key=lambda one: len(one.missing)
    )
    donors = {one.name: np.empty(0, dtype=np.int64) for one in variables}
    for one in incomplete:
        donors[one.name] = rng.choice(np.flatnonzero(one.known), size=len(one.missing))
    parts = {one.name: one.predictors(donors[one.name]) for one in variables}
    for _ in range(iterations if len(incomplete) > 1 else 1):
        for one in incomplete:
            others = [part for name, part in parts.items() if name != one.name]
            donors[one.name] = one.drawn(np.column_stack([fixed, *others]), rng)
            parts[one.name] = one.predictors(donors[one.name])
    return donors


def _notes(donors: Mapping[str, np.ndarray], predictors: list[str]) -> tuple[str, ...]:
    if not donors:
        return ("No covariate has missing values: the frames are all alike.",)
    if not predictors:
        return (_WITHOUT,)
    return (_WITH.format(names=", ".join(predictors)),)


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} is a whole number of at least {least}, not {value!r}.")


def _share(missing: np.ndarray) -> str:
    # A share of fewer than ten gives their number away.
    count = int(missing.sum())
    if count == 0:
        return "none"
    if count < FEWEST or 0 < len(missing) - count < FEWEST:
        return f"{safe_count(min(count, FEWEST - 1))}" if count < FEWEST else "nearly all"
    return f"{count / len(missing):.0%}"
