"""Write a department's extract in the dictionary's form, whole or not at all; say what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tfeval.errors import DataError, ParameterError, in_own_words
from tfeval.records.check import shown
from tfeval.records.folders import ABOUT, PREPARED, kind_of
from tfeval.records.preparation.authorities import (
    families_across,
    join_windows,
    leave_out_families,
    leave_out_moves,
)
from tfeval.records.preparation.draft import draft_mapping as draft_mapping  # noqa: PLC0414
from tfeval.records.preparation.log import Change, Prepared
from tfeval.records.preparation.making import Making
from tfeval.records.preparation.mapping import LEAVE_OUT, Plan, read_plan
from tfeval.records.preparation.sources import Source, is_book, opened_source
from tfeval.records.preparation.values import LIES_ACROSS, PART_OF_ONE, WHY
from tfeval.records.private import written_whole
from tfeval.records.schema import TABLES
from tfeval.records.store import FIELDS, checked_about, read_about

_ROWS_AT_ONCE = 200_000
#: Places named in one line.
_NAMED = 8


@in_own_words("The extract cannot be prepared")
def prepare(source: str | Path, target: str | Path, mapping: str | Path) -> Prepared:
    """Write a department's extract in the form of the data dictionary.

    Parameters
    ----------
    source : path
        What was sent: a folder of CSV, Parquet or workbooks, one such file, or a DuckDB file.
    target : path
        A folder that does not exist yet; it gets one Parquet file a table, `about.json` and the
        log, `prepared.json`. Only its owner may enter it (0700) or read them (0600).
    mapping : path
        A TOML file: which table and column is which, how days are written, what stands for no
        value, what words, units and codes mean. `draft_mapping` begins one.

    Returns
    -------
    Prepared
        The log: how many values of which column were changed by which rule.

    Raises
    ------
    ParameterError
        If the mapping says something unknown or contradictory.
    DataError
        If a value cannot be read by what the mapping says, with table, column, reason and count,
        never the value; then nothing is written. `unread = "mark"` in the mapping writes such
        values as the word "unread" instead, which checks count and cohorts take for not known.
    TfevalError
        If the target exists.

    Notes
    -----
    Nothing is guessed: a day is read by the forms named and no other, and not at all where two of
    them say different days; a word for no value is one only if it is named; what the mapping does
    not name is not copied. Words of the dictionary in other capitals, punctuation or space, and
    codes that an authority of 2012-15 had in other years, are taken for what they are. Identifiers
    pass as they are: `pseudonymise` comes next where they are real.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from tfeval.records.simulate import simulate
    >>> place = Path(mkdtemp())
    >>> people = simulate(families=30, seed=1).records.table("people").to_pandas()
    >>> people.rename(columns=str.upper).to_csv(place / "PEOPLE.csv", index=False)
    >>> draft = draft_mapping(place / "PEOPLE.csv")
    >>> _ = (place / "mapping.toml").write_text(draft)
    >>> log = prepare(place / "PEOPLE.csv", place / "mine", place / "mapping.toml")
    >>> log.rows["people"] == len(people), log.unread
    (True, ())
    """
    plan = read_plan(mapping)
    about = _about(Path(source), plan)
    ends_on = date.fromisoformat(about.get("records_to", date.today().isoformat()))
    with opened_source(Path(source)) as came:
        made = [Making(came, rule, plan, ends_on) for rule in plan.tables.values()]
        for one in made:
            one.make()
        _refuse(came, made)
        rest = list(_place_authorities(came, made, plan))
        with written_whole(Path(target), private=True) as (folder,):
            rows = {one.name: _write(came, one, folder / f"{one.name}.parquet") for one in made}
            log = Prepared(
                Path(target), rows,
                tuple(sorted([*_changes(made, "done"), *rest])),
                tuple(sorted(_changes(made, "unread"))),
                tuple(place for one in made for place in one.left_out), tuple(_lacking(plan)),
            )  # fmt: skip
            (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
            lines = log.to_frame().to_dict("records")
            (folder / PREPARED).write_text(json.dumps(lines, indent=1) + "\n", "utf-8")
    return log


def _about(source: Path, plan: Plan) -> dict[str, Any]:
    """Return what is said of the records: by the extract of itself, then by the mapping.

    Raises
    ------
    ParameterError
        If the mapping calls records real that call themselves simulated.
    """
    database = not (source.is_dir() or is_book(source) or kind_of(source))
    beside = source.with_suffix(".json") if database else source / ABOUT
    own = checked_about(read_about(beside), beside.name)
    if own.get("simulated") and plan.about.get("simulated") is False:
        raise ParameterError(
            "The extract says of itself that it is simulated, and the mapping that it is not: "
            "leave about.simulated out."
        )
    return {key: value for key, value in {**own, **plan.about}.items() if key in FIELDS}


def _changes(made: list[Making], which: str) -> Iterator[Change]:
    for one in made:
        for (column, rule), times in getattr(one, which).items():
            if times:
                yield Change(one.name, column, WHY.get(rule, rule), times)


def _lacking(plan: Plan) -> Iterator[str]:
    for name, table in TABLES.items():
        if name in plan.tables:
            columns = plan.tables[name].columns
            yield from (f"{name}.{c}" for c, one in table.columns.items()
                        if one.required and c not in columns)  # fmt: skip
        elif table.needed:
            yield name


_CURES = {
    LIES_ACROSS: "give the earlier code, or leave these families out (authorities.across = "
    '"leave_out")',
    PART_OF_ONE: "give the earlier code, or take the part for the whole (authorities.parts = "
    '"whole")',
}


def _refuse(came: Source, made: list[Making]) -> None:
    """Refuse what cannot be read, every place in one line.

    Raises
    ------
    DataError
        With table, column, reason and count as it may be shown.
    """
    refused = sorted(_changes(made, "refused"))
    if not refused:
        return
    unread = [f"{one.table}.{one.column} ({one.rule}, {shown(one.values, exact=False)} values)"
            for one in refused]  # fmt: skip
    more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    rules = {rule for one in made for _, rule in +one.refused}
    cures = [cure for rule, cure in _CURES.items() if rule in rules]
    if rules - set(_CURES):
        cures.append('say in the mapping how they are written, or unread = "mark"')
    families = ""
    if rules & set(_CURES):
        count = families_across(came.connection, {one.name: one.out for one in made})
        families = f", of {shown(count, exact=False)} families by their authority" if count else ""
    raise DataError(
        "Nothing is written, since the mapping does not say how to read "
        f"{', '.join(unread[:_NAMED])}{more}{families}: {'; '.join(cures)}."
    )


def _place_authorities(came: Source, made: list[Making], plan: Plan) -> Iterator[Change]:
    """Leave out families that cannot be placed, moves that were none, and join windows."""
    places = {one.name: one.out for one in made}
    if plan.across == LEAVE_OUT:
        for name, rows in leave_out_families(came.connection, places).items():
            yield Change(name, "", "rows of families over several authorities left out", rows)
    if rows := leave_out_moves(came.connection, places):
        yield Change("family_moves", "", "moves that were a change of code left out", rows)
    if rows := join_windows(came.connection, places):
        yield Change("coverage", "", "windows of one authority joined", rows)


def _write(came: Source, one: Making, file: Path) -> int:
    definition = TABLES[one.name]
    types = {"int64": pa.int64(), "string": pa.string(), "date": pa.date32(), "boolean": pa.bool_()}
    table = came.connection.table(one.out)
    names = [name for name in definition.columns if name in table.columns]
    schema = pa.schema([
        (name, pa.string() if name in one.marked else types[definition.columns[name].type])
        for name in names
    ])  # fmt: skip
    key = [name for name in definition.key if name in names] or names
    done = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        ordered = table.select(*names).order_by(key)
        for batch in ordered.to_pyarrow_batches(chunk_size=_ROWS_AT_ONCE):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            done += len(batch)
    return done
