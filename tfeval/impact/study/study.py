"""A study: a frame and the roles of its columns, checked once. It holds no outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.cohort.analysis_table import Cohort, Origin, origin_of
from tfeval.cohort.expressions import evaluated
from tfeval.display.rich import Rich
from tfeval.display.tables import safe_count
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.impact.study.censoring import CENSORED, LEFT_OUT, followed
from tfeval.impact.study.checks import (
    FEWEST,
    check_names,
    check_timing,
    codes_of,
    names_of,
    own_covariates,
    telling,
    treated_of,
    unit_of,
    varying,
    weight_of,
)
from tfeval.impact.study.covariates import Column, Covariates, encoded
from tfeval.impact.study.formula import Named, encoded_by, formula_of

# A study's columns from a Parquet file, one at a time: no others are read, outcomes neither.

#: Rows that are decoded at a time, and bytes that are read at a time.
ROWS, BUFFER = 131_072, 262_144


def read_columns(path: str | Path, names: Iterable[str]) -> pd.DataFrame:
    """Read some columns of a Parquet file, with the index and the attributes pandas wrote.

    Column by column, the file never stands in memory twice, as it does where a whole table is
    read and then made a frame: 1.6 million rows of 20 numbers take 270 MB, not 550.

    Returns
    -------
    DataFrame
        Each column an array of its own.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "families.parquet"
    >>> pd.DataFrame({"treated": [1, 0], "age": [30.0, 31.0], "y": [0, 1]}).to_parquet(path)
    >>> read_columns(path, ["treated", "age"]).columns.tolist()
    ['treated', 'age']
    """
    wanted = list(dict.fromkeys(names))
    file = _opened(Path(path))
    known = set(file.schema_arrow.names)
    for name in wanted:
        if file.schema_arrow.names.count(name) > 1:
            raise DataError(f"{Path(path).name} has more than one column named {name}.")
        if name not in known:
            raise ParameterError(f"{Path(path).name} has no column {name}. {suggest(name, known)}")
    # Without a column of its own, the index and the attributes as pandas wrote them.
    empty = file.read(columns=[], use_pandas_metadata=True).to_pandas()
    columns = {name: _column(file, name) for name in wanted}
    frame = pd.DataFrame(columns, index=empty.index, copy=False)
    frame.attrs = empty.attrs
    _give_back()
    return frame


def _opened(path: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
    except pa.ArrowInvalid:
        raise DataError(
            f"{path.name} is not a Parquet file. Read it with pandas, and give the frame."
        ) from None


def _column(file: Any, name: str) -> Any:
    from pyarrow.types import is_floating  # noqa: PLC0415

    if not is_floating(file.schema_arrow.field(name).type):
        return file.read(columns=[name], use_threads=False).to_pandas()[name].array
    kind = file.schema_arrow.field(name).type.to_pandas_dtype()
    values, at = np.empty(file.metadata.num_rows, kind), 0
    for batch in file.iter_batches(ROWS, columns=[name], use_threads=False):
        values[at : at + len(batch)] = batch.column(0).to_numpy(zero_copy_only=False)
        at += len(batch)
    return values


def _give_back() -> None:
    # What the reader keeps for its next file is as much as several columns.
    import pyarrow as pa  # noqa: PLC0415

    pa.default_memory_pool().release_unused()


@dataclass(frozen=True, eq=False)
class Study(Rich):
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
        Codes from 0 of families; one may stand in both arms, and is then never paired with itself
        by nearest-neighbour matching. Other designs note where it stands in one set.
    timing : dict of str to str
        "before" or "after" the index date, where known.
    left_out : dict of str to str
        Covariates left out, and why.
    simulated : bool
        Whether the records are simulated.
    cohort : dict
        Phase, comparison, level, seed and number of units of the cohort it comes from, and how far
        weights for censoring make the families followed like all (`censoring`); empty if from
        none.
    origin : Origin or None
        That cohort as it was built: what effects held to a plan are compared with.
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
    treated_name: str = "treated"
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = field(default=None, repr=False)

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
            phrase = "a cluster" if name is None else f"a cluster named {name}"
            near = f" {suggest(str(name), self.clusters)}" if name and self.clusters else ""
            raise ParameterError(
                f"The study has not {phrase}.{near} Name it when the study is made: "
                'study(frame, ..., cluster="local_authority").'
            )
        return self.clusters[name]

    def named(self, labels: Mapping[str, str]) -> Study:
        """Return the study with its covariates named for readers.

        Parameters
        ----------
        labels : mapping of str to str
            Words by column, such as `labels` of a cohort; a column that lacks keeps its name.

        Examples
        --------
        >>> frame = pd.DataFrame({"treated": [1, 0, 1, 0], "age": [30.0, 31.0, 45.0, 40.0]})
        >>> made = study(frame, covariates=["age"]).named({"age": "Age in years"})
        >>> made.covariates.columns[0].name
        'Age in years'
        """

        def shown(column: Column) -> str:
            own = labels.get(column.source)
            if own is None:
                return column.name
            level = column.name.removeprefix(column.source)
            return f"{own}: not recorded" if column.absent else own + level

        columns = tuple(replace(one, name=shown(one)) for one in self.covariates.columns)
        covariates = replace(self.covariates, columns=columns)
        return replace(self, covariates=covariates, labels={**self.labels, **labels})

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
            f"Study: {safe_count(self.n_treated)} treated, "
            f"{safe_count(self.n_comparison)} comparison, "
            f"{self.covariates.count} covariates"
        )


def check_study(given: object, verb: str) -> None:
    """Refuse anything but a study."""
    if not isinstance(given, Study):
        raise ParameterError(
            f"{verb} takes a study, not a {type(given).__name__}: make one with "
            "study(frame, covariates=[...]), or with study(cohort)."
        )


def study(
    records: pd.DataFrame | Cohort | str | Path,
    *,
    treated: str | None = None,
    covariates: str | Iterable[str] | None = None,
    formula: str | None = None,
    cluster: str | Iterable[str] | None = None,
    strata: str | Iterable[str] | None = None,
    weight: str | None = None,
    unit: str | None = None,
    family: str | None = None,
    missing: str = "indicator",
    fewest: int | None = None,
    months: int | None = None,
    censoring: str = LEFT_OUT,
    subset: str | None = None,
) -> Study:
    """Name the roles of a frame's columns, and check them.

    Parameters
    ----------
    records : DataFrame, Cohort, or path of a Parquet file
        One row a unit. From a cohort, covariates, cluster, unit and family have defaults. Of a
        file only the columns named are read, one at a time: outcomes are not.
    treated : str, optional
        Column of 0 and 1, or of true and false; "treated" if neither this nor a formula says.
    covariates : iterable of str, or str, optional
        Columns measured before the index date: numbers or categories. From a cohort by default
        all of them, but the criteria where these decide who is compared. One text with an
        operator is the right side of a formula: "age + C(region) + age:income".
    formula : str, optional
        In place of both: "treated ~ age + C(region)", as the package formulaic reads it; its
        columns become the covariates, under its names. Nothing in it may be missing.
    cluster : str or iterable of str, optional
        Columns within which units are alike, such as the local authority.
    strata : str or iterable of str, optional
        Columns within which comparisons are made (exact matching).
    weight : str, optional
        Sampling weights, at least 0; who weighs 0 is not in the sample, and has no say.
    unit : str, optional
        Unique identifiers.
    family : str, optional
        Families; one that stands in both arms is not matched to itself by nearest neighbours.
    missing : {"indicator", "refuse"}
        What to do with missing covariates; see `encoded`.
    fewest : int, optional
        Leave a covariate out where it differs from its commonest value in fewer units of an
        arm, and so a level of it, or the mark of its missing values; 10 for a cohort. For a
        frame, by default, a constant covariate is refused.
    months : int, optional
        From a cohort: only units followed for so long. Comparison families attached earlier are
        censored, so they have no outcomes to compare.
    censoring : {"left_out", "weighted", "weighted_over_time"}
        Of these families. Left out, the others answer for families who would not be treated
        meanwhile. Weighted, each family followed stands for those alike who were treated too: the
        inverse of its chance to be followed is its sampling weight, and the estimate answers for
        all who were at risk on the index date. Alike in the covariates of the index date alone;
        or over time, in what happened until each month as well.
    subset : str, optional
        Only units of which this holds: an expression of columns known on the index date, as in
        `add_covariates`, such as 'local_authority == "E08000014"'. Not of a file.

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
    >>> frame = pd.DataFrame({"treated": [1, 0, 0] * 10, "age": range(30)})
    >>> study(frame, covariates=["age"])
    Study: 10 treated, 20 comparison, 1 covariates
    """
    left_out, simulated = dict[str, str](), False
    timing = dict(getattr(records, "attrs", {}).get("timing", {}))
    frame, by = records, formula_of(formula, covariates, treated, records)
    treated = treated or (None if by is None else by.treated) or "treated"
    if isinstance(records, Cohort):
        frame, simulated = followed(records, months, censoring), records.simulated
        timing = dict(zip(records.columns["name"], records.columns["timing"], strict=True))
        if covariates is None and by is None:
            covariates, left_out = own_covariates(
                records.columns, records.settings.comparison, _bare(frame)
            )
        cluster = "local_authority" if cluster is None else cluster
        unit, family = unit or "unit", family or "family_id"
        fewest = FEWEST if fewest is None else fewest
        weight = _weight_for(censoring, weight)
    else:
        _refuse_of_frames(months, censoring)
    frame = _chosen(frame, subset, timing)
    named = _named(covariates, by)
    clusters, strata_names = names_of(cluster), names_of(strata)
    singles = [name for name in (weight, unit, family) if name is not None]
    every = [treated, *named, *clusters, *strata_names, *singles]
    if not isinstance(frame, pd.DataFrame):
        frame = read_columns(frame, every)
        timing = dict(frame.attrs.get("timing", {}))
    facts, frame = dict(frame.attrs.get("cohort", {})), _bare(frame)
    check_names(frame, every)
    check_timing(named, timing, treated)
    arms = treated_of(frame[treated], treated)
    weights, counted = _weighed(frame, weight, arms)
    kept, rare = varying(frame, named, arms, fewest, counted)
    columns = encoded(frame, kept, missing, counted) if by is None else encoded_by(frame, by, rare)
    columns, unsaid = telling(columns, arms, None if by else fewest, counted)
    return Study(
        treated=arms,
        covariates=columns,
        index=frame.index,
        clusters={name: codes_of(frame, [name]) for name in clusters},
        strata=codes_of(frame, strata_names) if strata_names else None,
        strata_names=tuple(strata_names),
        weight=weights,
        unit=None if unit is None else unit_of(frame[unit], unit),
        family=None if family is None else codes_of(frame, [family]),
        timing=timing,
        left_out={**left_out, **rare, **unsaid},
        simulated=simulated,
        cohort=facts,
        treated_name=str(treated),
        origin=origin_of(facts.get("origin")),
    )


def _bare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that bears nothing for pandas to copy at each column that is read."""
    bare = frame.copy(deep=False)
    bare.attrs = {}
    return bare


def _chosen(frame: Any, subset: str | None, timing: Mapping[str, str]) -> Any:
    """Return the frame, or the units of it that a subset names; a file stays a file."""
    if not isinstance(frame, pd.DataFrame | str | Path):
        raise ParameterError("A study is made from a DataFrame, a cohort or a Parquet file.")
    if subset is None:
        return frame
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError("subset goes with a cohort or a frame: read the file with pandas.")
    kept = frame[evaluated(frame, subset, timing) == 1]
    if not len(kept):
        raise DataError(f"Of no unit it holds that {subset}: there is nobody to compare.")
    if facts := frame.attrs.get("cohort"):
        kept.attrs = {**frame.attrs, "cohort": {**facts, "units": len(kept)}}
    return kept


def _weight_for(censoring: str, given: str | None) -> str | None:
    """Return the column of the sampling weights of a cohort's families."""
    if censoring == LEFT_OUT:
        return given
    if given is not None:
        raise ParameterError('Give weight or censoring="weighted", not both.')
    return CENSORED


def _refuse_of_frames(months: int | None, censoring: str) -> None:
    if months is not None or censoring != LEFT_OUT:
        what = "months" if months is not None else "censoring"
        raise ParameterError(f"{what} goes with a cohort: a frame does not say who was followed.")


def _named(covariates: Iterable[str] | None, by: Named | None) -> list[str]:
    """Return the columns that covariates are made of."""
    if by is not None:
        return list(by.variables)
    if covariates is None:
        raise ParameterError("Name the covariates: study(frame, covariates=[...]).")
    if not (named := names_of(covariates)):
        raise ParameterError("Name at least one covariate: there is nothing to compare on.")
    return named


def _weighed(
    frame: pd.DataFrame, name: str | None, arms: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return sampling weights, and who has one above 0; None where all count alike, or all do."""
    if name is None:
        return None, None
    weights = weight_of(frame[name], name, arms)
    return weights, None if weights.all() else weights > 0


def _within(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Return whether each code of `inner` goes with one code of `outer` only."""
    first = np.zeros(int(inner.max()) + 1, dtype=np.int64)
    first[inner] = outer
    return bool((first[inner] == outer).all())
