"""Open an extract of linked records: a folder, a DuckDB file or any Ibis connection."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
from ibis.common.exceptions import TableNotFound

from tfeval.display.rich import Rich
from tfeval.errors import DataError, ParameterError, in_own_words, suggest
from tfeval.records.files import almost_tables, database_cure, in_schemas, refuse_log
from tfeval.records.folders import ABOUT, contents, read_folder, spelt_otherwise
from tfeval.records.identifiers import refuse_identifiers
from tfeval.records.private import duckdb_connection
from tfeval.records.relations import Shelf, kept, kept_frame, typed
from tfeval.records.schema import TABLES
from tfeval.records.watched import Watched, opened_of

# What `about.json` says of an extract, held to its types before anything rests on it.
#: Fields that something rests on, and how each is written.
_FLAGS = ("simulated", "pseudonymised")
_DAYS = ("records_from", "records_to")
_TEXTS = ("title",)
FIELDS = (*_FLAGS, *_DAYS, *_TEXTS)
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def read_about(path: Path) -> dict[str, Any]:
    """Read what stands beside the records; nothing if there is no such file.

    Parameters
    ----------
    path : Path
        `about.json` in a folder, or the file beside a DuckDB file.

    Raises
    ------
    DataError
        If it is not one JSON object, names a field twice, or a field has a wrong type.
    """
    if not path.is_file():
        if path.exists() or path.is_symlink():  # what it says is not as if it had not been said
            raise DataError(f"{path.name} beside the records is not a file: mend or remove it.")
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise DataError(f"{path.name} beside the records is not JSON: mend or remove it.") from None
    return checked_about(about, path.name)


def checked_about(about: Any, name: str = "about.json") -> dict[str, Any]:
    """Return what is said of an extract if every field has its type.

    Whether records are simulated decides what every page says of them, so nothing but a JSON
    true or false is taken for it, and no field that is misspelt is passed over.

    Parameters
    ----------
    about : mapping
        The fields; those that nothing rests on may hold anything.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        Naming the field and how it is written; never what it holds.

    Examples
    --------
    >>> checked_about({"simulated": True, "records_to": "2019-12-31"})["simulated"]
    True
    >>> checked_about({"simulated": "false"})
    Traceback (most recent call last):
    tfeval.errors.DataError: about.json: "simulated" is true or false, without quotes: correct it.
    """
    if not isinstance(about, Mapping):
        raise DataError(f"{name} beside the records must hold one JSON object: correct it.")
    for key in about:
        meant = get_close_matches(_folded(key), FIELDS, n=1, cutoff=0.85)
        if key not in FIELDS and meant:
            raise DataError(f'{name}: a field is named almost like "{meant[0]}": spell it so.')
    for key in _FLAGS:
        if key in about and not isinstance(about[key], bool):
            raise DataError(f'{name}: "{key}" is true or false, without quotes: correct it.')
    for key in _TEXTS:
        if key in about and not isinstance(about[key], str):
            raise DataError(f'{name}: "{key}" is text in quotes: correct it.')
    days = {key: _day(about[key], key, name) for key in _DAYS if key in about}
    if len(days) == len(_DAYS) and days["records_from"] > days["records_to"]:
        raise DataError(f'{name}: "records_from" is after "records_to": correct either.')
    return dict(about)


def _folded(field: object) -> str:
    return re.sub(r"[\s-]+", "_", str(field).strip().casefold())


def _day(value: object, field: str, name: str) -> date:
    if isinstance(value, str) and re.fullmatch(_DAY, value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise DataError(f'{name}: "{field}" is a day written "YYYY-MM-DD": correct it.')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise DataError("about.json names a field twice: keep one of each.")
    return dict(pairs)


@dataclass(frozen=True, repr=False)
class Records(Rich):
    """An extract of linked records, open for questions and not yet read.

    Attributes
    ----------
    tables : mapping of str to ibis.Table
        The tables found, by name, with the types that the schema gives their columns.
    raw : mapping of str to ibis.Table
        The same tables as they came, with columns that the schema does not know.
    connection : ibis backend
        Where expressions on the tables run.
    source : str
        What was opened, without its place on disk.
    simulated : bool
        Whether the records are simulated: then no result from them is a finding.
    about : mapping
        What `about.json` says (for a folder or beside a file), if there is one.
    unknown : tuple of str
        Tables in a folder that the schema does not know; of a database, those named almost like
        one that it lacks.
    ignored : tuple of str
        Files in a folder that hold no records: hidden ones, what programs leave, documents.
    unread : mapping of str to str
        Files in a folder that may hold records and are not read, with what to do.
    files : mapping of str to int
        How many files each table of a folder was read from.
    opened : list of str
        Under what outcomes of cohorts of these records were opened, in order: the hash of a plan
        that was registered by then, or "" for none.
    shelf : Shelf, optional
        Where steps' rows are kept for other processes.
    """

    tables: Mapping[str, ibis.Table]
    raw: Mapping[str, ibis.Table] = field(repr=False)
    connection: Any = field(repr=False)
    source: str
    simulated: bool
    about: Mapping[str, Any] = field(repr=False)
    unknown: tuple[str, ...] = field(default=(), repr=False)
    ignored: tuple[str, ...] = field(default=(), repr=False)
    unread: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, int] = field(default_factory=dict, repr=False)
    #: What cohorts of these records can be taken from; see `tfeval.cohort.cohort.count_ahead`.
    ahead: dict[tuple[object, ...], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    opened: list[str] = field(default_factory=list, repr=False, compare=False)
    #: Not of another `Records` made from these: it may hold other rows.
    shelf: Shelf | None = field(default=None, init=False, repr=False, compare=False)
    #: `raw`, for this package's own steps: who hands out what happened to anybody says so itself.
    sent: Mapping[str, ibis.Table] = field(init=False, repr=False, compare=False)
    _typed: Mapping[str, ibis.Table] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, quiet in (("tables", "_typed"), ("raw", "sent")):
            own = getattr(self, name)
            own = own.quiet if isinstance(own, Watched) else own
            object.__setattr__(self, quiet, own)
            object.__setattr__(self, name, Watched(own, self.opened))

    def table(self, name: str) -> ibis.Table:
        """Return a table as an Ibis expression.

        One of what happened to people opens outcomes: a plan registered later says so.

        Parameters
        ----------
        name : str
            A table of the schema.

        Raises
        ------
        DataError
            If the extract lacks it, with what can therefore not be answered.
        """
        rows = self.rows(name)
        return self.tables.get(name, rows)

    def rows(self, name: str) -> ibis.Table:
        """Return a table for this package's own steps, as `table` does; it opens nothing."""
        if name in self._typed:
            return self._typed[name]
        if name in TABLES:
            raise DataError(
                f"The extract has no table {name}, so it cannot answer: {TABLES[name].answers}."
            )
        raise DataError(f"There is no table {name} in the schema. {suggest(name, TABLES)}")

    def keep(self, step: Callable[..., ibis.Table], *inputs: Any) -> ibis.Table:
        """Return the rows of a step, kept by the engine; see `relations.kept`.

        Parameters
        ----------
        step : callable
            A pure function of its inputs: of these records, tables kept before, and settings.
        """
        return kept(self.connection, self._form, step, *inputs, shelf=self.shelf)

    def keep_frame(self, frame: pd.DataFrame) -> ibis.Table:
        """Return a small table, kept by the engine beside the steps."""
        return kept_frame(self.connection, frame, shelf=self.shelf)

    @cached_property
    def _form(self) -> str:
        forms = [(one.get_name(), one.op().namespace, one.schema()) for one in self.sent.values()]
        return repr((forms, self.ends_on))

    @property
    def missing(self) -> dict[str, str]:
        """Tables that the extract lacks, and what can therefore not be answered."""
        return {name: table.answers for name, table in TABLES.items() if name not in self.tables}

    @property
    def ends_on(self) -> date:
        """The last day of the records: as `about.json` says, else today."""
        stated = self.about.get("records_to")
        return date.fromisoformat(stated) if stated else date.today()


def with_shelf(records: Records, shelf: Shelf) -> Records:
    """Return the same records, with a place in which steps' rows are kept for other processes."""
    made = replace(records)
    object.__setattr__(made, "shelf", shelf)
    return made


@in_own_words("The extract cannot be opened")
def open_records(
    source: str | Path | Any, *, memory_limit: str | None = None, spill_to: str | Path | None = None
) -> Records:
    """Open an extract of linked records.

    Parameters
    ----------
    source : path or Ibis connection
        A folder with one Parquet or CSV file for each table (`families.parquet`, or a folder
        `families/` of parts, also in folders like `year=2013`), a DuckDB file (opened for reading
        only), or a connection from `ibis.duckdb.connect`, `ibis.postgres.connect`,
        `ibis.pyspark.connect`...
    memory_limit : str, optional
        How much memory DuckDB may take, such as "1GB"; what needs more goes to disk.
    spill_to : path, optional
        The folder for that, which must be as safe as the records; by default the system's for
        temporary files (`TMPDIR`). In it a folder that nobody else can enter is made and, at the
        end, removed; what a killed process left is removed by the next.

    Returns
    -------
    Records
        Tables that are missing narrow what can be answered: see `Records.missing`.

    Raises
    ------
    DataError
        If nothing is there, a needed table or column is missing, a view of a DuckDB file reads
        other files, or identifiers look like real ones (names, NHS numbers, full postcodes...):
        `pseudonymise` replaces them.

    Notes
    -----
    Opening looks at names and types, and at the first thousand rows for real identifiers and for
    anybody who is known; `check_records` reads everything. Parquet and databases are read only
    when asked a question; CSV is read in at once, as it can only be read from end to end.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> records = simulate(families=40, seed=1).records
    >>> records.simulated, records.missing
    (True, {})
    """
    records = connect(source, memory_limit=memory_limit, spill_to=spill_to)
    _refuse_vanishing(records)
    refuse_identifiers(records.sent)
    _refuse_strangers(records)
    absent = [name for name, table in TABLES.items() if table.needed and name not in records.sent]
    if absent:
        raise DataError(
            f"{records.source} has no table {' and '.join(absent)}: nothing can be answered "
            f"without. Tables found: {', '.join(records.sent) or 'none'}."
        )
    lacking = [
        f"{name}.{column}"
        for name, table in records.sent.items()
        for column, definition in TABLES[name].columns.items()
        if definition.required and column not in table.columns
    ]
    if lacking:
        raise DataError(
            f"{records.source} lacks {_listed(lacking)}: add the columns (data/README.md says "
            "what they hold), or leave the whole table out."
        )
    if records.simulated or not isinstance(source, str | Path):
        return records
    return replace(records, opened=opened_of(Path(source)))


def refuse_unread(records: Records) -> None:
    """Refuse a table whose file is of a kind that is not read, as if it had not been sent."""
    for file, cure in records.unread.items():
        if file.partition("/")[0].partition(".")[0] in TABLES:
            raise DataError(f"{file} in {records.source} is not read. {cure}")


def _refuse_vanishing(records: Records) -> None:
    """Refuse what would else be passed over as if it had not been sent."""
    refuse_unread(records)
    for name in sorted(spelt_otherwise(records.unknown, set(TABLES))):
        raise DataError(f"{records.source} spells {name} in another way: call the table so.")
    for name, raw in records.sent.items():
        if odd := spelt_otherwise(raw.columns, set(TABLES[name].columns)):
            raise DataError(
                f"{name} in {records.source} spells {_listed(sorted(odd))} in another way "
                "(capitals, space): spell it so, or have `tfeval prepare` do it."
            )


#: Rows of which one at least must be of somebody who is known.
_FIRST_ROWS = 1_000


def _refuse_strangers(records: Records) -> None:
    """Refuse a table of nobody who is known: nothing would seem to have happened to anybody."""
    if records.connection.name != "duckdb":
        return
    for name, raw in records.sent.items():
        for column, target in TABLES[name].links.items():
            other, key = target.split(".")
            if column in raw.columns and key in getattr(records.sent.get(other), "columns", ()):
                # In the engine's own words, which Ibis would take ten times as long to find.
                some = f'SELECT CAST("{column}" AS VARCHAR) FROM {_place(raw)} '
                some += f'WHERE "{column}" IS NOT NULL LIMIT {_FIRST_ROWS}'
                known = f"SELECT 1 FROM {_place(records.sent[other])} "
                known += f'WHERE CAST("{key}" AS VARCHAR) IN ({some})'
                question = f"SELECT EXISTS({some}) AND NOT EXISTS({known})"
                if records.connection.raw_sql(question).fetchone()[0]:
                    raise DataError(
                        f"No {column} of the first rows of {name} is in {other}: see that both "
                        "write it alike (space, capitals, zeros at its beginning)."
                    )


def _place(table: ibis.Table) -> str:
    """Return a table of the engine as DuckDB's SQL names it."""
    at = table.op().namespace
    parts = [one for one in (at.catalog, at.database, table.op().name) if one]
    return ".".join('"' + one.replace('"', '""') + '"' for one in parts)


@in_own_words("The extract cannot be opened")
def connect(
    source: str | Path | Any, *, memory_limit: str | None = None, spill_to: str | Path | None = None
) -> Records:
    """Connect to an extract and judge nothing: the way in for checks and pseudonyms.

    Parameters
    ----------
    source, memory_limit, spill_to
        As for `open_records`.
    """
    if not isinstance(source, str | Path):
        if memory_limit or spill_to:
            raise ParameterError("Set limits on the connection itself, where you made it.")
        return _from_connection(source, "a connection to " + str(source.name), {})
    path = Path(source)
    if path.is_dir():
        engine = duckdb_connection(memory_limit=memory_limit, spill_to=spill_to)
        return _from_folder(path, engine)
    if not path.is_file():
        raise DataError(f"There is no extract {path.name}: give a folder or a DuckDB file.")
    refuse_log(path)
    try:
        connection = duckdb_connection(path, memory_limit=memory_limit, spill_to=spill_to)
    except Exception as fault:
        raise DataError(database_cure(path.name, fault)) from None
    try:
        _refuse_views(connection, path.name)
        return _from_connection(connection, path.name, read_about(path.with_suffix(".json")))
    except DataError:
        connection.disconnect()  # else the file stays open while the fault is held
        raise


_GIVEN = "tfeval_given"


def from_tables(tables: Mapping[str, Any], *, about: Mapping[str, Any], source: str) -> Records:
    """Return records held in memory.

    Parameters
    ----------
    tables : mapping of str to DataFrame or pyarrow.Table
        The tables by name.
    about : mapping
        What `about.json` would say.
    source : str
        What to call them.
    """
    connection = duckdb_connection()
    for name, table in tables.items():
        if isinstance(table, pa.Table):  # in one go; Ibis would make it twice
            connection.con.register(_GIVEN, table)
            connection.raw_sql(f'CREATE TABLE "{name}" AS SELECT * FROM {_GIVEN}')
            connection.con.unregister(_GIVEN)
        else:
            connection.create_table(name, table)
    return _from_connection(connection, source, about)


def _from_folder(folder: Path, connection: Any) -> Records:
    inside = contents(folder)
    read_folder(folder, connection, inside)
    records = _from_connection(connection, folder.name, read_about(folder / ABOUT))
    return replace(
        records,
        unknown=tuple(name for name in inside.tables if name not in TABLES),
        ignored=inside.ignored,
        unread=MappingProxyType(inside.unread),
        files=MappingProxyType({name: len(parts) for name, parts in inside.tables.items()}),
    )


def _refuse_views(connection: Any, source: str) -> None:
    """Refuse a view that reads what is not in the file: it would read whatever its opener may."""
    views = connection.raw_sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    for name in sorted({view for (view,) in views} & set(TABLES)):
        try:
            connection.raw_sql(f'DESCRIBE SELECT * FROM "{name}"')
        except Exception:
            raise DataError(
                f"{name} in {source} is a view that reads other files, or cannot be read: make it "
                "a table."
            ) from None


def unknown_tables(records: Records) -> dict[str, str]:
    """Return tables that the schema does not know, with the name that may have been meant."""
    return {name: suggest(name, TABLES) for name in records.unknown}


def _from_connection(connection: Any, source: str, about: Mapping[str, Any]) -> Records:
    about = checked_about(about)
    raw = {}
    elsewhere = in_schemas(connection, source)
    for name in TABLES:
        # Asked one by one: ibis 12.0 cannot list the tables of duckdb 2.0.
        with suppress(TableNotFound):
            raw[name] = connection.table(name, database=elsewhere.get(name))
    for name, table in raw.items():
        if not set(table.columns) & set(TABLES[name].columns):
            raise DataError(
                f"{name} in {source} has none of the schema's columns: see that its first line "
                "names them as data/README.md does, and that every line has as many fields."
            )
    return Records(
        tables=MappingProxyType({name: typed(table, TABLES[name]) for name, table in raw.items()}),
        raw=MappingProxyType(raw),
        connection=connection,
        source=source,
        simulated=about.get("simulated", False),
        unknown=almost_tables(connection, set(raw)),
        about=MappingProxyType(dict(about)),
    )


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
