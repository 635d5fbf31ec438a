"""The analysis table that a cohort is, and what it is asked for; how it is built is elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4
from weakref import WeakValueDictionary

import pandas as pd

from tfeval.cohort.columns import BEFORE, label_of
from tfeval.display.rich import Rich
from tfeval.errors import ParameterError, in_own_words, suggest
from tfeval.programme.phases import CRITERIA

if TYPE_CHECKING:
    import ibis

    from tfeval.records.store import Records


# What a cohort is asked for, and what its columns are called.

#: Months after the index date at which outcomes are taken.
HORIZONS = (6, 12, 18, 24)
LEVELS = ("family", "person")
#: What no design mends, said at every effect against such a group.
CAVEATS = {
    "waiting": "Families that waited are chosen by what came after: they joined later, and only "
    "those that had not joined by the end of the horizon are followed.",
    "below_threshold": "Families below the threshold are kept out by a rule that looked at the "
    "year before identification, and were never on the programme: without any effect they look "
    "better than those on it, whatever is held equal.",
}
#: Which attachments are the treatment; what else was attached, by another rule, is none.
TREATMENTS = {
    "supported": "attached and given a lead practitioner",
    "claimed": "attached in any way, by matching of records alone too",
    "data_matched_apart": "attached by matching of records alone, without a lead practitioner",
}
#: What is known of a unit from one source over a window. Only what was seen is counted.
SEEN = {
    "seen": "Seen",
    "not_placed": "Its authority's code is none of 2012-15, so what was sent of it is not known",
    "not_covered": "Not sent by the authority for all of the time",
    "not_linked": "Somebody in it was not found in the source, or not looked for",
    "unreadable": "A row of it has a value that cannot be read",
}
COMPARISONS = {
    "waiting": "eligible, attached later: followed until attached",
    "not_yet_treated": "eligible and not attached by the index date: followed until attached",
    "below_threshold": "met one criterion fewer than needed, never attached",
    "other_authorities": "eligible and never attached, in the quarter of authorities that "
    "attached the smallest share of their eligible families",
}


@dataclass(frozen=True)
class Settings:
    """What a cohort is asked for.

    Attributes
    ----------
    phase : str
        Phase of the programme.
    comparison : str
        A key of `COMPARISONS`.
    horizons : tuple of int
        Months after the index date.
    seed : int
        For the index dates of comparison families.
    level : {"family", "person"}
        What a row is.
    treatment : str
        A key of `TREATMENTS`.
    """

    phase: str
    comparison: str
    horizons: tuple[int, ...]
    seed: int
    level: str = "family"
    treatment: str = "supported"

    def __post_init__(self) -> None:
        if self.phase not in CRITERIA:
            raise ParameterError(f"There is no phase {self.phase}. {suggest(self.phase, CRITERIA)}")
        if self.comparison not in COMPARISONS:
            known = suggest(self.comparison, COMPARISONS)
            raise ParameterError(f"There is no comparison group {self.comparison}. {known}")
        if self.treatment not in TREATMENTS:
            known = suggest(self.treatment, TREATMENTS)
            raise ParameterError(f"There is no treatment {self.treatment}. {known}")
        if self.level not in LEVELS:
            raise ParameterError(f"There is no level {self.level}. {suggest(self.level, LEVELS)}")
        odd = [months for months in self.horizons if months not in HORIZONS]
        if odd or not self.horizons:
            raise ParameterError(f"A horizon is one of {', '.join(map(str, HORIZONS))} months.")


# What a cohort was when it was built: the reference of effects that are held to a plan.


def column_hash(values: pd.Series) -> str:
    """Return the SHA-256 of a column's values in their order, whatever an engine calls their type.

    Examples
    --------
    >>> column_hash(pd.Series([1, 0])) == column_hash(pd.Series([1.0, 0.0]))
    True
    >>> column_hash(pd.Series([1, 0])) == column_hash(pd.Series([0, 1]))
    False
    """
    plain = values.astype("float64") if pd.api.types.is_numeric_dtype(values) else values
    if pd.api.types.is_datetime64_any_dtype(values):
        plain = values.astype("datetime64[s]")
    return hashlib.sha256(pd.util.hash_array(plain.to_numpy()).tobytes()).hexdigest()


@dataclass(frozen=True, eq=False)
class Origin:
    """A cohort as `cohort` built it: read anew each time, so no frame handed out can change it.

    Attributes
    ----------
    columns : DataFrame
        As `Cohort.columns`.
    settings : Settings
    units : ibis.Table
        As `Cohort.units`.
    opened : list of str
        Under what outcomes of its records were opened, in order, in whichever cohort of them: the
        hash of a plan that was registered by then, or "" for none. Empty while all are closed.
    mark : str
        What frames of the cohort carry, to be told by.
    """

    _table: ibis.Table
    columns: pd.DataFrame
    settings: Settings
    units: ibis.Table
    opened: list[str] = field(default_factory=list)
    mark: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        _ORIGINS[self.mark] = self

    @in_own_words("The cohort cannot be read")
    def _read(self, names: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the rows in order of unit, or some of their columns, outcomes too."""
        rows = self._table.order_by("unit")
        return rows_of(rows if names is None else rows.select(*names))

    def __deepcopy__(self, memo: object) -> Origin:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A study that is sent to another process comes from no cohort there.
        return origin_of, (self.mark,)


#: Those in use, by their mark: a frame that pandas copies or writes can carry no more than a text.
_ORIGINS: WeakValueDictionary[str, Origin] = WeakValueDictionary()


def origin_of(mark: object) -> Origin | None:
    """Return the cohort that a frame's mark names, while something in this process holds it."""
    return _ORIGINS.get(str(mark))


def cohort_hash(settings: Settings, hashes: Mapping[str, str]) -> str:
    """Return the SHA-256 of a cohort: what was asked for, and every column by its hash."""
    said = {"settings": asdict(settings), "columns": dict(hashes)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Registrable(Protocol):
    """What opening outcomes asks of an analysis plan; named here because plans import cohorts."""

    @property
    def hash(self) -> str:
        """What names it."""

    def check_registered(self) -> None:
        """Refuse a plan that is not in its register as it stands."""


@dataclass(frozen=True, repr=False)
class Cohort(Rich):
    """An analysis table, not yet read, and how it came about.

    Attributes
    ----------
    table : ibis.Table
        One row a unit: a family as treated, or as comparison. A family attached later may stand
        in it twice, once in each arm; `family_id` tells.
    columns : DataFrame
        One row a column: `name`, `outcome` (as in `tfeval.programme.outcomes`; empty for who the
        unit is), `window` ("before" the index date, "before_identification", or months after),
        `timing` ("who", "before", "after"), `months`, `source_table`, `unit`, `description`. A
        column measured after the index date is never a covariate.
    flow : DataFrame
        Families left after each step, by arm; exact.
    sources : DataFrame
        By `source_table`: of the units followed to the last horizon, `treated` and `comparison`
        by `state` of its records over it, a key of `SEEN`; exact.
    settings : Settings
        What was asked for.
    left_out : dict of str to str
        Tables the extract lacks, and what is therefore not in the cohort.
    simulated : bool
        Whether the records are simulated.
    units : ibis.Table
        The units with the edges of their windows as day numbers.
    closed : bool
        Whether outcomes are kept closed, as those of a cohort that was given a plan are; `open`
        opens them.
    records : Records or None
        What it was made from.
    """

    table: ibis.Table
    columns: pd.DataFrame
    flow: pd.DataFrame
    sources: pd.DataFrame
    settings: Settings
    left_out: dict[str, str]
    simulated: bool
    units: ibis.Table = field(repr=False)
    closed: bool = False
    origin: Origin | None = field(default=None, repr=False)
    records: Records | None = field(default=None, repr=False)
    _frame: list[pd.DataFrame] = field(default_factory=list, repr=False)

    def close(self) -> Cohort:
        """Return the cohort without its outcomes, until `open` is called."""
        left = self.table.drop(*self._after()["name"])
        return replace(self, table=left, closed=True, _frame=[])

    def open(self, plan: Registrable | None = None) -> Cohort:
        """Return the cohort with its outcomes.

        Parameters
        ----------
        plan : AnalysisPlan, optional
            Opened under a plan, outcomes were closed until it was registered. Without one they
            are open as well, and every effect held to a plan says so.

        Returns
        -------
        Cohort
            Itself, where it was open.

        Raises
        ------
        ParameterError
            If the plan is not in its register as it stands, or the register was edited.

        Examples
        --------
        >>> from tfeval.cohort.cohort import cohort
        >>> from tfeval.impact.plan.analysis_plan import read_plan
        >>> from tfeval.records.simulate import simulate
        >>> plan = read_plan()
        >>> families = cohort(simulate(families=400, seed=1).records, plan=plan)
        >>> families.closed, families.open(plan).closed
        (True, False)
        >>> len(families.to_pandas().columns) < len(families.open(plan).to_pandas().columns)
        True
        """
        if not self.closed or self.origin is None:
            return self
        if plan is not None:
            plan.check_registered()
        self.origin.opened.append("" if plan is None else plan.hash)
        return replace(self, table=self.origin._table, closed=False, _frame=[])

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of its settings and of every column, outcomes too."""
        return cohort_hash(self.settings, self.hashes())

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every column's values, by name, in order of unit."""
        whole = self.to_pandas() if self.origin is None else self.origin._read()
        return {str(name): column_hash(whole[name]) for name in whole}

    @property
    def covariates(self) -> list[str]:
        """Names of the columns measured before the index date."""
        return list(self.columns.loc[self.columns["timing"] == "before", "name"])

    @property
    def labels(self) -> dict[str, str]:
        """Covariates' names for readers, by column."""
        rows = self.columns[self.columns["timing"] == "before"]
        return {row["name"]: label_of(row) for row in rows.to_dict("records")}

    @property
    def horizons(self) -> list[int]:
        """Months after the index date over which outcomes are held."""
        return sorted(set(self.columns.loc[self.columns["timing"] == "after", "months"]))

    def outcomes(self, months: int | None = None) -> pd.DataFrame:
        """Return the outcomes after the index date, one row a unit, in the order of `to_pandas`.

        Parameters
        ----------
        months : int, optional
            After the index date; by default all that the cohort has.

        Returns
        -------
        DataFrame
            One column an outcome, by its name in `tfeval.programme.outcomes`; without `months`
            the columns have two levels, `outcome` and `months`. Missing where the records do not
            cover the time or the unit was not followed.

        Raises
        ------
        ParameterError
            If the cohort has no outcomes at these months, or they are closed.

        Examples
        --------
        >>> from tfeval.cohort.cohort import cohort
        >>> from tfeval.records.simulate import simulate
        >>> families = cohort(simulate(families=400, seed=1).records, horizon=(6, 12))
        >>> families.outcomes(12)["offences"].ge(0).any()
        np.True_
        >>> families.outcomes().columns.names
        FrozenList(['outcome', 'months'])
        """
        rows = self._after(months)
        self.check_open()
        frame = self._named(rows)
        frame.attrs["months"] = months
        if months is None:
            frame.columns = pd.MultiIndex.from_frame(rows[["outcome", "months"]])
        return frame

    def check_open(self) -> None:
        """Refuse to look after the index date while outcomes are closed."""
        if self._unopened():
            raise ParameterError(
                "The outcomes are closed, since the cohort was given a plan: register it, then "
                "families = families.open(plan)."
            )

    def _unopened(self) -> bool:
        # Nor is a cohort open that was only said to be.
        return self.closed or (self.origin is not None and not self.origin.opened)

    def followed(self, months: int) -> pd.Series:
        """Return whether each unit has any outcome over a horizon, in the order of `to_pandas`.

        It has none where a comparison family was attached within it, or the records end or do not
        cover it.

        Parameters
        ----------
        months : int
            After the index date.
        """
        # Who was followed may be known while outcomes are closed: the design stage needs it.
        names = list(self._after(months)["name"])
        unseen = self.origin if self._unopened() else None
        outcomes = unseen._read(names) if unseen else self._rows()[names]
        return outcomes.notna().any(axis=1)

    def _after(self, months: int | None = None) -> pd.DataFrame:
        rows = self.columns[self.columns["timing"] == "after"]
        if months is None:
            return rows
        if months not in self.horizons:
            raise ParameterError(
                f"The cohort has no outcomes at {months} months, only at {self.horizons}."
            )
        return rows[rows["months"] == months]

    def treated_on(self) -> pd.Series:
        """Return when each unit was first treated, whenever that was, in the order of `to_pandas`.

        Missing if it never was.
        """
        rows = self.units.select("unit", "attached_on").order_by("unit").to_pandas()
        return pd.to_datetime(rows["attached_on"]).rename("treated_on")

    def baseline(self) -> pd.DataFrame:
        """Return the same outcomes over the months before the index date, as `outcomes` does.

        They are among the covariates.
        """
        return self._named(self.columns[self.columns["window"] == BEFORE])

    def _named(self, rows: pd.DataFrame) -> pd.DataFrame:
        frame = self._rows()[list(rows["name"])].set_axis(list(rows["outcome"]), axis=1)
        # Read by `estimate`: whose outcomes these are.
        frame.attrs["cohort"] = self.facts()
        return frame

    def facts(self) -> dict[str, Any]:
        """Return what an analysis plan reads of who was compared with whom."""
        settings = self.settings
        return {
            "phase": settings.phase, "comparison": settings.comparison, "level": settings.level,
            "seed": settings.seed, "treatment": settings.treatment, "units": len(self._rows()),
            "origin": self.origin.mark if self.origin else "",
        }  # fmt: skip

    @in_own_words("The cohort cannot be read")
    def to_pandas(self) -> pd.DataFrame:
        """Return the rows, in order of unit; read once and kept."""
        frame = self._rows().copy()
        # A study reads the timing, and refuses a covariate measured after the index date.
        timing = dict(zip(self.columns["name"], self.columns["timing"], strict=True))
        frame.attrs = {"timing": timing, "cohort": self.facts()}
        return frame

    def _rows(self) -> pd.DataFrame:
        """Return the rows kept, for nobody else to change; they bear nothing for pandas to copy."""
        if not self._frame:
            self._frame.append(rows_of(self.table.order_by("unit")))
        return self._frame[0]


def rows_of(table: ibis.Table) -> pd.DataFrame:
    """Return a table's rows as Ibis does, of DuckDB in half the time where columns are many."""
    if table.get_backend().name != "duckdb":
        return table.to_pandas()
    frame = table.to_pyarrow().to_pandas(date_as_object=False)
    days = frame.columns[frame.dtypes == "datetime64[ms]"]
    return frame.astype(dict.fromkeys(days, "datetime64[s]"))
