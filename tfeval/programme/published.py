"""Published figures, each with its source; none without one, and none from memory in a result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec

import pandas as pd

from tfeval.display.rich import Rich
from tfeval.errors import DataError, SourceError, suggest
from tfeval.programme.published_tables import SOURCE_COLUMNS, TABLES, PublishedTable, faults
from tfeval.settings import project_folder

_POUNDS = {"£": 1.0, "£m": 1e6, "£bn": 1e9, "£bn/year": 1e9, "£m/year": 1e6}
_NUMERIC = (
    *("value", "treated", "comparison", "families", "rounded_to", "from_year", "to_year"),
    *("times", "divided_by", "low", "high", "cashable", "cashable_low", "cashable_high"),
    *("own", "own_low", "own_high"),
    *("first_treated", "first_year", "last_year", "authorities", "cells", "year"),
)
Parameters = ParamSpec("Parameters")


@dataclass(frozen=True)
class Source(Rich):
    """Where a figure was published.

    Attributes
    ----------
    title, publisher, date, url : str
        The document, who published it, when (YYYY, YYYY-MM or YYYY-MM-DD) and its address.
    status : {"read", "recalled"}
        Whether the figure was seen in the source; a recalled one is shown, never computed with.
    """

    title: str
    publisher: str
    date: str
    url: str
    status: str = "read"

    def __str__(self) -> str:
        """Return the source as it is cited."""
        return f"{self.title}, {self.publisher}, {self.date}"


@dataclass(frozen=True)
class Figure(Rich):
    """A published figure: one value, or a range where its sources disagree.

    Attributes
    ----------
    name, unit, period, definition : str
        What it is.
    values : tuple of float
        One for each source, in the file's order.
    sources : tuple of Source
        As long as `values`.
    """

    name: str
    unit: str
    period: str
    definition: str
    values: tuple[float, ...]
    sources: tuple[Source, ...]

    @property
    def low(self) -> float:
        """The smallest published value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest published value."""
        return max(self.values)

    @property
    def value(self) -> float:
        """The value, where all sources agree.

        Raises
        ------
        SourceError
            If they do not: use `low` and `high`, and show both.
        """
        if self.low != self.high:
            listed = " and ".join(f"{value:,.10g}" for value in sorted(set(self.values)))
            raise SourceError(
                f"Sources disagree on {self.name} ({listed} {self.unit}): "
                "use .low and .high and show the range."
            )
        return self.low

    def pounds(self) -> tuple[float, float]:
        """Return low and high in pounds.

        Raises
        ------
        SourceError
            If the unit is not an amount of money.
        """
        if self.unit not in _POUNDS:
            raise SourceError(f"{self.name} is in {self.unit}, not an amount in pounds.")
        return self.low * _POUNDS[self.unit], self.high * _POUNDS[self.unit]


def published(table: str, *, unverified: bool = False, folder: Path | None = None) -> pd.DataFrame:
    """Return a table of published figures, checked, with the source of every row.

    Parameters
    ----------
    table : str
        A name from `published_tables()`.
    unverified : bool, default False
        Also return rows that are recalled and were never seen in a source. They are for showing
        as unverified; everything that computes leaves this False.
    folder : Path, optional
        Where the tables lie; by default the project's `data/published`.

    Returns
    -------
    DataFrame
        One row a figure and source.

    Raises
    ------
    DataError
        If the file breaks its definition; the message lists each kind of fault once.

    Examples
    --------
    >>> len(published("local_authorities"))
    152
    """
    if table not in TABLES:
        raise SourceError(f"There is no published table {table}. {suggest(table, TABLES)}")
    folder = folder or published_folder()
    return (_read(table, folder) if unverified else _only_read(table, folder)).copy()


def remembered(
    made: Callable[Parameters, pd.DataFrame],
) -> Callable[Parameters, pd.DataFrame]:
    """Let a function of published tables make each of its tables once; each caller has a copy."""

    @lru_cache(maxsize=32)
    def known(_: Path, rest: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> pd.DataFrame:
        return made(*rest, **dict(named))

    @wraps(made)
    def own(*rest: Parameters.args, **named: Parameters.kwargs) -> pd.DataFrame:
        return known(published_folder(), rest, tuple(named.items())).copy()

    return own


@lru_cache(maxsize=64)
def _only_read(table: str, folder: Path) -> pd.DataFrame:
    frame, beside = _read(table, folder), TABLES[table].described_by
    if not beside:
        return frame[frame["status"] == "read"].reset_index(drop=True)
    described = _read(beside, folder)
    recalled = described[described["status"] != "read"]
    if "series" in frame:
        return frame[~frame["series"].isin(recalled["series"])].reset_index(drop=True)
    return frame.drop(columns=recalled["measure"], errors="ignore")


def published_folder() -> Path:
    """Return the folder of the published figures."""
    return project_folder("data") / "published"


def published_tables() -> dict[str, str]:
    """Return the name and title of every published table.

    Examples
    --------
    >>> published_tables()["tariff"]
    'Payment-by-results tariff'
    """
    return {name: table.title for name, table in TABLES.items()}


def check_published(folder: Path | None = None) -> None:
    """Check every published table.

    Raises
    ------
    DataError
        With the faults of all the tables together.
    """
    problems = []
    for name in TABLES:
        try:
            _read(name, folder or published_folder())
        except DataError as error:
            problems.append(str(error))
    if not problems:
        problems = [f"area_years.csv: {one}" for one in _total_faults(folder or published_folder())]
    if problems:
        raise DataError("\n".join(problems))


#: The most by which the authorities together may miss the nation's own figure, as a share of it;
#: rates are weighted. A few small authorities may lack the weight: the mean hardly moves.
_TOTALS = {"looked_after": ("", 0.002, 0), "persistent_absence": ("pupils", 0.005, 4)}


def _total_faults(folder: Path) -> Iterator[str]:
    """Yield where the authorities do not add up to England, in years in which all are there."""
    count = len(_authority_names(folder))
    nations = _read("nation_years", folder)
    for name, (weight, allowed, lacking) in _TOTALS.items():
        england = nations[nations["series"] == f"{name}_england"].set_index("year")["value"]
        rows = _read("area_years", folder).assign(one=1.0)
        rows = rows.assign(weight=rows[weight or "one"]).dropna(subset=[name, "weight"])
        sums = rows.assign(value=rows[name] * rows["weight"]).groupby("year")[["value", "weight"]]
        whole = sums.sum()[rows.groupby("year").size() >= count - lacking]
        ours = whole["value"] / (whole["weight"] if weight else 1)
        miss = (ours / england - 1).abs().dropna()
        over = int((miss > allowed).sum())
        if over or miss.empty:
            yield (
                f"column {name}: the authorities miss England by more than {100 * allowed:g}% in "
                f"{over} of {len(miss)} years: check both."
            )


@lru_cache(maxsize=64)
def _read(table: str, folder: Path) -> pd.DataFrame:
    definition = TABLES[table]
    frame = _text(definition, folder)
    authorities = frame if table == "local_authorities" else _authority_names(folder)
    beside = definition.described_by
    if beside:
        _read(beside, folder)  # its own faults come first
    described = _text(TABLES[beside], folder) if beside else None
    problems = list(faults(definition, frame, authorities, described))
    if problems:
        raise DataError("\n".join(f"{table}.csv: {fault}" for fault in problems))
    columns = frame.columns if beside == "area_measures" else _NUMERIC
    for name in columns:
        if name != "code" and name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = pd.to_numeric(frame[name])
    return frame


def _text(definition: PublishedTable, folder: Path) -> pd.DataFrame:
    path = folder / f"{definition.name}.csv"
    if not path.is_file():
        raise DataError(f"{path.name} is missing from {folder.name}/: restore it.")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, UnicodeError):
        raise DataError(f"{path.name} is not a table: every line needs as many fields.") from None


def _authority_names(folder: Path) -> pd.DataFrame:
    frame = _text(TABLES["local_authorities"], folder)
    if not {"code", "name"} <= set(frame.columns):
        raise DataError("local_authorities.csv: column code or name is missing: add it.")
    return frame


def figure(table: str, name: str, *, folder: Path | None = None, **where: str) -> Figure:
    """Return one published figure with its sources, as a range where they disagree.

    Parameters
    ----------
    table : str
        A name from `published_tables()`.
    name : str
        The figure's name in that table.
    folder : Path, optional
        Where the tables lie.
    **where : str
        Further columns that must hold these values, such as `as_of="2015-05"`.

    Raises
    ------
    SourceError
        If no row that was read in a source fits.

    Examples
    --------
    >>> figure("budget", "phase_one_budget").pounds()
    (448000000.0, 448000000.0)
    >>> cost = figure("benefits_claim_2015", "average_cost_per_family")
    >>> cost.low, cost.high
    (5214.0, 5493.0)
    """
    return _figure(table, name, folder or published_folder(), tuple(where.items()))


@lru_cache(maxsize=1024)
def _figure(table: str, name: str, folder: Path, where: tuple[tuple[str, str], ...]) -> Figure:
    frame = published(table, folder=folder)
    rows = frame[frame["figure"] == name]
    for column, wanted in where:
        rows = rows[rows[column] == wanted]
    rows = rows[rows["value"].notna()]
    if rows.empty:
        recalled = published(table, unverified=True, folder=folder)["figure"].eq(name).any()
        why = (
            "it is only recalled, not seen in a source, so it cannot be used in a result"
            if recalled and not frame["figure"].eq(name).any()
            else suggest(name, set(frame["figure"]))
        )
        conditions = "".join(f", {column} {wanted}" for column, wanted in where)
        raise SourceError(f"No sourced figure {name}{conditions} in {table}: {why}")
    if rows["unit"].nunique() > 1:
        raise SourceError(f"{name} in {table} has rows in several units: narrow it down.")
    first = rows.iloc[0]
    return Figure(
        name=name,
        unit=str(first["unit"]),
        period=str(first["period"]),
        definition=str(first["definition"]),
        values=tuple(float(value) for value in rows["value"]),
        sources=tuple(sources(rows)),
    )


def sources(frame: pd.DataFrame) -> list[Source]:
    """Return the sources of a table's rows, in order.

    Parameters
    ----------
    frame : DataFrame
        Rows with the source columns.
    """
    rows = frame[list(SOURCE_COLUMNS)].itertuples(index=False)
    return [Source(*map(str, row)) for row in rows]


def distinct_sources(*frames: pd.DataFrame) -> list[Source]:
    """Return each source of the tables once, in the order met.

    Parameters
    ----------
    *frames : DataFrame
        Rows with the source columns.
    """
    return list(dict.fromkeys(source for frame in frames for source in sources(frame)))
