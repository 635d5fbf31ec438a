"""A study: a frame and the roles of its columns, checked once. It holds no outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.cohort import Cohort
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.covariates import Covariates, encoded


@dataclass(frozen=True, eq=False)
class Study:
    """Who is compared with whom, on what. Made by `study`.

    Attributes
    ----------
    treated : ndarray of bool, shape (n,)
        Who was on the programme.
    covariates : Covariates
        Measured before the index date.
    index : Index
        Labels of the rows; outcomes are aligned to it.
    clusters : dict of str to ndarray
        Codes from 0 of each clustering column, the first the main one.
    strata : ndarray of int or None
        Codes from 0; comparisons are made within.
    strata_names : tuple of str
        Columns that make the strata.
    weight : ndarray of float or None
        Sampling weights.
    unit : ndarray or None
        Identifiers that do not depend on the order of rows: they break ties and assign folds.
    family : ndarray of int or None
        Codes from 0 of families; a family may stand in both arms, never in one matched set.
    timing : dict of str to str
        "before" or "after" the index date, where known.
    left_out : dict of str to str
        Covariates left out, and why.
    simulated : bool
        Whether the records are simulated.
    cohort : dict
        Phase, comparison, level, seed and number of units of the cohort it comes from; empty if
        from none.
    """

    treated: np.ndarray
    covariates: Covariates
    index: pd.Index
    clusters: dict[str, np.ndarray] = field(default_factory=dict)
    strata: np.ndarray | None = None
    strata_names: tuple[str, ...] = ()
    weight: np.ndarray | None = None
    unit: np.ndarray | None = None
    family: np.ndarray | None = None
    timing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    simulated: bool = False
    cohort: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Units in both arms."""
        return len(self.treated)

    @property
    def n_treated(self) -> int:
        """Treated units."""
        return int(np.count_nonzero(self.treated))

    @property
    def n_comparison(self) -> int:
        """Units that were not treated."""
        return self.size - self.n_treated

    @property
    def sampling(self) -> np.ndarray:
        """Sampling weights, 1 each where none were given; shape (n,)."""
        return np.ones(self.size) if self.weight is None else self.weight

    def cluster(self, name: str | None = None) -> np.ndarray:
        """Return the codes of a clustering column, the main one by default.

        Raises
        ------
        ParameterError
            If the study has no such column.
        """
        if name is None and self.clusters:
            return next(iter(self.clusters.values()))
        if name == "family" and self.family is not None:
            return self.family
        if name not in self.clusters:
            asked = "a cluster" if name is None else f"a cluster named {name}"
            raise ParameterError(
                f"The study has not {asked}. Name it when the study is made: "
                'study(frame, ..., cluster="local_authority").'
            )
        return self.clusters[name]

    def take(self, rows: np.ndarray, copies: np.ndarray) -> Study:
        """Return the study of some rows, which may repeat, as a bootstrap draws them.

        Parameters
        ----------
        rows : ndarray of int
            Positions.
        copies : ndarray of int, shape (rows,)
            Which copy of its cluster a row belongs to: two copies are two clusters, of other
            families, and are not matched with each other where strata lie within clusters.
        """

        def apart(codes: np.ndarray) -> np.ndarray:
            taken = codes[rows].astype(np.int64)
            mixed = taken * (int(copies.max()) + 1) + copies
            return np.unique(mixed, return_inverse=True)[1].astype(np.int64)

        columns = tuple(column.some(rows) for column in self.covariates.columns)
        clusters = list(self.clusters.values())
        nested = self.strata is not None and bool(clusters) and _within(self.strata, clusters[0])
        strata = None if self.strata is None else self.strata[rows]
        return replace(
            self,
            treated=self.treated[rows],
            covariates=Covariates(columns, len(rows), self.covariates.reference),
            index=pd.RangeIndex(len(rows)),
            clusters={name: apart(codes) for name, codes in self.clusters.items()},
            strata=apart(self.strata) if nested and self.strata is not None else strata,
            weight=None if self.weight is None else self.weight[rows],
            unit=None,
            family=None if self.family is None else apart(self.family),
        )

    def __repr__(self) -> str:
        return (
            f"Study: {self.n_treated:,} treated, {self.n_comparison:,} comparison, "
            f"{self.covariates.count} covariates"
        )


def study(
    records: pd.DataFrame | Cohort,
    *,
    treated: str = "treated",
    covariates: Iterable[str] | None = None,
    cluster: str | Iterable[str] | None = None,
    strata: str | Iterable[str] | None = None,
    weight: str | None = None,
    unit: str | None = None,
    family: str | None = None,
    missing: str = "indicator",
    constant: str = "refuse",
) -> Study:
    """Name the roles of a frame's columns, and check them.

    Parameters
    ----------
    records : DataFrame or Cohort
        One row a unit. From a cohort, covariates, cluster, unit and family have defaults.
    treated : str
        Column of 0 and 1, or of true and false.
    covariates : iterable of str, optional
        Columns measured before the index date: numbers or categories. From a cohort by default
        all of them, constant ones left out.
    cluster : str or iterable of str, optional
        Columns within which units are alike, such as the local authority.
    strata : str or iterable of str, optional
        Columns within which comparisons are made (exact matching).
    weight : str, optional
        Sampling weights, at least 0.
    unit : str, optional
        Unique identifiers.
    family : str, optional
        Families; one that stands in both arms is not matched to itself.
    missing : {"indicator", "refuse"}
        What to do with missing covariates; see `encoded`.
    constant : {"refuse", "drop"}
        What to do with a covariate that has the same value in every row.

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If a column's values do not fit its role.
    ParameterError
        If a column or setting is unknown, or a covariate was measured after the index date.

    Examples
    --------
    >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 40.0]})
    >>> study(frame, covariates=["age"])
    Study: 2 treated, 2 comparison, 1 covariates
    """
    simulated, timing = False, dict(getattr(records, "attrs", {}).get("timing", {}))
    frame = records
    if isinstance(records, Cohort):
        frame, simulated = records.to_pandas(), records.simulated
        timing = dict(zip(records.columns["name"], records.columns["timing"], strict=True))
        covariates = records.covariates if covariates is None else covariates
        cluster = "local_authority" if cluster is None else cluster
        unit, family = unit or "unit", family or "family_id"
        constant = "drop"
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError("A study is made from a DataFrame or a cohort.")
    if covariates is None:
        raise ParameterError("Name the covariates: study(frame, covariates=[...]).")
    named = _names(covariates)
    clusters, strata_names = _names(cluster), _names(strata)
    singles = [name for name in (weight, unit, family) if name is not None]
    _check_names(frame, [treated, *named, *clusters, *strata_names, *singles])
    _check_timing(named, timing, treated)
    arms = _treated(frame[treated], treated)
    kept, left_out = _varying(frame, named, constant)
    return Study(
        treated=arms,
        covariates=encoded(frame, kept, missing),
        index=frame.index,
        clusters={name: _codes(frame, [name]) for name in clusters},
        strata=_codes(frame, strata_names) if strata_names else None,
        strata_names=tuple(strata_names),
        weight=None if weight is None else _weight(frame[weight], weight, arms),
        unit=None if unit is None else _unit(frame[unit], unit),
        family=None if family is None else _codes(frame, [family]),
        timing=timing,
        left_out=left_out,
        simulated=simulated,
        cohort=dict(frame.attrs.get("cohort", {})),
    )


def _names(given: str | Iterable[str] | None) -> list[str]:
    names = [given] if isinstance(given, str) else list(given or ())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ParameterError(f"{twice[0]} is named twice.")
    return names


def _check_names(frame: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in frame.columns:
            raise ParameterError(f"The frame has no column {name}. {suggest(name, frame.columns)}")
        if frame.columns.tolist().count(name) > 1:
            raise DataError(f"The frame has more than one column named {name}.")
    if not len(frame):
        raise DataError("The frame has no rows.")


def _check_timing(covariates: list[str], timing: dict[str, str], treated: str) -> None:
    if treated in covariates:
        raise ParameterError(f"{treated} says who was treated; it cannot be a covariate too.")
    late = [name for name in covariates if timing.get(name) == "after"]
    if late:
        raise ParameterError(
            f"{', '.join(late[:5])}: measured after the index date, so an outcome and not a "
            "covariate. What the programme may have changed cannot be held equal."
        )


def _treated(series: pd.Series, name: str) -> np.ndarray:
    if absent := int(series.isna().sum()):
        some = f"{absent:,}" if absent >= 10 else "fewer than 10"
        raise DataError(f"{name} is missing in {some} rows: who was treated must be known.")
    values = series.to_numpy()
    if values.dtype != bool:
        numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=float)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise DataError(f"{name} holds other values than 0 and 1.")
        values = numbers == 1.0
    if values.all() or not values.any():
        who = "treated" if values.all() else "comparison"
        raise DataError(f"Every row is {who} ({name}): there is nobody to compare with.")
    return np.ascontiguousarray(values)


def _varying(frame: pd.DataFrame, names: list[str], constant: str) -> tuple[list[str], dict]:
    if constant not in ("refuse", "drop"):
        raise ParameterError(f'constant is "refuse" or "drop", not {constant!r}.')
    same = [name for name in names if _is_constant(frame[name])]
    if same and constant == "refuse":
        raise DataError(
            f"{', '.join(same[:5])}: the same value in every row, so nothing to compare on. "
            "Leave it out, or say constant='drop'."
        )
    kept = [name for name in names if name not in same]
    if not kept:
        raise DataError("No covariate varies: there is nothing to compare on.")
    return kept, dict.fromkeys(same, "the same value in every row")


def _is_constant(series: pd.Series) -> bool:
    values = series.to_numpy()
    if np.issubdtype(values.dtype, np.number) and len(values) and values[0] == values[0]:
        # Most columns differ within the first rows; the whole is read only where they do not.
        return bool((values[:1000] == values[0]).all() and (values == values[0]).all())
    return series.nunique(dropna=False) <= 1


def _codes(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    for name in names:
        if frame[name].isna().any():
            raise DataError(f"{name} is missing in some rows: every unit needs one.")
    if len(names) == 1:
        return pd.factorize(frame[names[0]], sort=True)[0].astype(np.int64)
    return frame.groupby(names, sort=True, observed=True).ngroup().to_numpy().astype(np.int64)


def _weight(series: pd.Series, name: str, arms: np.ndarray) -> np.ndarray:
    values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError(f"{name}: a sampling weight is a number of at least 0, in every row.")
    for who, mask in (("treated", arms), ("comparison", ~arms)):
        if not values[mask].sum() > 0:
            raise DataError(f"{name}: the weights of the {who} units sum to nothing.")
    return values


def _unit(series: pd.Series, name: str) -> np.ndarray:
    if series.isna().any() or not series.is_unique:
        raise DataError(f"{name} does not identify the units: missing, or the same in two rows.")
    return series.to_numpy()


def _within(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Return whether each code of `inner` goes with one code of `outer` only."""
    first = np.zeros(int(inner.max()) + 1, dtype=np.int64)
    first[inner] = outer
    return bool((first[inner] == outer).all())
