"""The phases of the programme as they are written down in `data/programmes`, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from tfeval.errors import DataError, suggest
from tfeval.settings import project_folder

#: Tests that records can put to a need, and the cohort's measure of each table that they look at.
TESTS: dict[str, dict[str, str]] = {
    "school": {"school_terms": "sessions_possible"},
    "less_crime": {"offences": "offences", "asb_incidents": "asb_incidents"},
    "work": {"benefit_spells": "out_of_work", "employment_spells": "employment"},
    "children_helped": {"social_care_episodes": "in_need"},
    "no_admission": {"hospital_episodes": "emergency_admissions"},
    "safe_from_abuse": {"domestic_abuse_incidents": "domestic_abuse"},
}


@dataclass(frozen=True)
class Need:
    """A headline problem of families: column `name`, and `label` for readers.

    `problem` is what the simulator makes of it, empty where no record shows it; `test` is one of
    `TESTS`, or `untested` says why records cannot tell whether it was resolved; `counts` is False
    where it need not be, since it is a result of its own.
    """

    name: str
    label: str
    problem: str = ""
    test: str = ""
    untested: str = ""
    counts: bool = True


@dataclass(frozen=True)
class Result:
    """What counts as a result: its column `name` and its `words`, as a whole.

    `behaviour`, `progress` and `employment` are kinds that stand apart, if any: all problems but
    work resolved, progress to work beside it, and continuous employment, which counts whatever
    else is left. `minors_only` says whose offences are looked at; `claims` and `paid` are kinds
    as claims and as the tariff name them.
    """

    name: str
    words: str
    claims: tuple[str, ...]
    paid: tuple[str, ...]
    behaviour: str = ""
    progress: str = ""
    employment: str = ""
    minors_only: bool = False


@dataclass(frozen=True)
class Allocation:
    """A sum of the budget (a figure of `budget.csv`) and the financial years that it is for."""

    figure: str
    years: tuple[str, ...]


@dataclass(frozen=True)
class Unknown:
    """A cost that is known to be missing, and why."""

    cost: str
    why: str


@dataclass(frozen=True)
class Costs:
    """What is known of the costs: which lines can be made, sums by year, and what is missing.

    `ledger` says whether families and results by year were published, so that fees and payments
    due can be worked out; `basis` is how the allocations were arrived at.
    """

    lines: tuple[str, ...]
    unknown: tuple[Unknown, ...]
    ledger: bool = False
    allocations: tuple[Allocation, ...] = ()
    basis: str = ""


@dataclass(frozen=True)
class Claims:
    """What was claimed: measures of `progress_national.csv`, and the latest count of the result.

    `final` says whether that is the count at the end, `by_authority` whether authorities' claims
    were published too, and `saving` whether pounds saved were claimed.
    """

    measures: tuple[str, ...]
    latest: str
    as_of: str
    final: bool = False
    by_authority: bool = False
    saving: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The national evaluation: its name in `evaluation_outcomes.csv`, what it found and cost."""

    finding: str
    name: str = ""
    cost_figure: str = ""


@dataclass(frozen=True)
class Simulated:
    """How the simulator makes families of the phase.

    `share` is their share of all by default, `claimed` that of attached families with a claim,
    `again` what those of the phase before are nominated for when they come back in this one, and
    `records_to` the last day of records of this phase alone.
    """

    claimed: float
    share: float = 0.0
    data_matched: bool = False
    again: tuple[tuple[str, ...], ...] = ()
    records_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class Programme:
    """A phase of the programme as its file has it; figures by their names in `data/published`.

    Attributes
    ----------
    name : str
        Its name in parameters and records.
    title, words, programme : str
        As a heading, in a sentence, and of the programme that it belongs to.
    period : str
        As the published tables write it.
    start, end : date
        First and last day.
    dates : str
        Where these come from.
    unit : str
        What is counted.
    price_year : int
        Financial year of prices where none is asked for.
    budget_figure, families_figure, needed_figure : str
        Central budget, families to be reached, needs that make a family eligible.
    discretion : str
        Column of the authority's own filter, with which one need fewer is enough; empty if none.
    columns_optional : bool
        Whether an extract may lack the columns of needs that it shares with no other phase.
    needs : tuple of Need
    result : Result
    costs : Costs
    claims : Claims
    evaluation : Evaluation
    simulation : Simulated
    """

    name: str
    title: str
    words: str
    programme: str
    period: str
    start: date
    end: date
    dates: str
    unit: str
    price_year: int
    budget_figure: str
    families_figure: str
    needed_figure: str
    discretion: str = ""
    columns_optional: bool = False
    needs: tuple[Need, ...]
    result: Result
    costs: Costs
    claims: Claims
    evaluation: Evaluation
    simulation: Simulated
    file: str = field(default="", metadata={"written": False})

    @property
    def has_local_discretion(self) -> bool:
        """Whether an authority may take families with one need fewer."""
        return bool(self.discretion)

    @property
    def nominated(self) -> tuple[str, ...]:
        """Columns of the records that hold its needs, and the authority's filter."""
        return (*(need.name for need in self.needs), *filter(None, [self.discretion]))

    @property
    def untested(self) -> dict[str, str]:
        """Needs whose resolution records cannot show, by label, and why."""
        return {need.label: need.untested for need in self.needs if need.untested}

    @property
    def looks_at(self) -> dict[str, str]:
        """Tables that its results tests need, and the cohort's measure of each."""
        used = {need.test for need in self.needs if need.counts}
        used |= {"work"} if self.result.employment else set()
        return {
            table: measure
            for test, tables in TESTS.items()
            if test in used
            for table, measure in tables.items()
        }

    @property
    def years(self) -> range:
        """Its financial years, by first calendar year."""
        return range(self.start.year, self.end.year)


@lru_cache(maxsize=8)
def programmes(folder: Path | None = None) -> Mapping[str, Programme]:
    """Return every phase that is written down, by name, the earliest first.

    Parameters
    ----------
    folder : Path, optional
        Where the files lie; by default the project's `data/programmes`.

    Raises
    ------
    DataError
        At the first mistake, with its file and key.

    Examples
    --------
    >>> list(programmes())
    ['one', 'two', 'supporting_families']
    """
    folder = folder or project_folder("data") / "programmes"
    read = [_programme(path, path.relative_to(folder).as_posix()) for path in
            sorted(folder.rglob("*.toml"))]  # fmt: skip
    if not read:
        raise DataError("data/programmes holds no file: restore it.")
    ordered = {one.name: one for one in sorted(read, key=lambda one: one.start)}
    if len(ordered) < len(read):
        raise DataError("data/programmes has two files of one name: give each key name its own.")
    return MappingProxyType(ordered)


def _programme(path: Path, file: str) -> Programme:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as fault:
        raise DataError(f"data/programmes/{file} is not TOML: {fault}.") from None
    made = _made(Programme, table, file, "")
    for number, need in enumerate(made["needs"], 1):
        key = f"needs {number}"
        if need.test and need.test not in TESTS:
            raise _fault(file, f"{key}, test", f"is {need.test}. {suggest(need.test, TESTS)}")
        if need.counts and bool(need.test) == bool(need.untested):
            raise _fault(file, key, "needs either a test, or why it is untested")
    if made["start"] >= made["end"]:
        raise _fault(file, "end", "is not after start")
    return Programme(**made, file=file)


def _made(kind: type, table: Mapping[str, Any], file: str, where: str) -> dict[str, Any]:
    """Return the values of a dataclass from a table of the file, each of its declared type."""
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind) if one.metadata.get("written", True)}
    for key in table:
        if key not in known:
            raise _fault(file, f"{where}{key}", f"is not known. {suggest(key, known)}")
    values = {}
    for name, one in known.items():
        if name in table:
            values[name] = _value(hints[name], table[name], file, f"{where}{name}")
        elif one.default is MISSING:
            raise _fault(file, f"{where}{name}", "is missing: add it")
    return values


def _value(kind: Any, item: Any, file: str, where: str) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(item, list):
            raise _fault(file, where, "must be a list")
        inner = get_args(kind)[0]
        return tuple(_value(inner, one, file, f"{where} {at}") for at, one in enumerate(item, 1))
    if is_dataclass(kind):
        if not isinstance(item, dict):
            raise _fault(file, where, "must be a table")
        return kind(**_made(kind, item, file, f"{where}, "))  # type: ignore
    wanted = get_args(kind) or (kind,)
    item = float(item) if float in wanted and type(item) is int else item
    if type(item) not in wanted or item == "":
        words = {str: "a text that is not empty", bool: "true or false", int: "a whole number",
                 float: "a number", date: "a day, as 2012-04-01"}  # fmt: skip
        raise _fault(file, where, f"must be {words[wanted[0]]}")
    return item


def _fault(file: str, key: str, what: str) -> DataError:
    return DataError(f"data/programmes/{file}: key {key} {what.rstrip('.')}.")
