"""Write an extract anew from what the schema allows: pseudonyms for identifiers, months for births.

What leaves is decided by the schema and not by what looks identifying, since nobody can list all
that does. `tfeval.records.allow_list` reads the columns; here identifiers are replaced, rows put
in the order of their pseudonyms, and files written for their owner alone.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfeval.display.rich import Rich
from tfeval.display.tables import safe_count
from tfeval.errors import DataError, ParameterError, in_own_words, suggest
from tfeval.records.allow_list import (
    Reading,
    is_none,
    key_text,
    read_columns,
    refuse_strays,
)
from tfeval.records.anonymity import PERIODS, Anonymity, anonymity
from tfeval.records.identifiers import plain_names
from tfeval.records.identities import PSEUDONYM, Spellings, is_cut, pseudonyms
from tfeval.records.private import open_to_others, write_private, written_whole
from tfeval.records.schema import TABLES, Column, Table, authority_codes
from tfeval.records.store import Records, connect, refuse_unread

#: Where the key is looked for, unless a file is named.
KEY_VARIABLE = "TFEVAL_PSEUDONYM_KEY"
#: Bytes: as long as the hash, as RFC 2104, section 3, asks for.
SHORTEST_KEY = 32
_DRAW = "Draw one with `tfeval new-key FILE`."
_BIRTHS = ("birth_month", "birth_date", "date_of_birth", "dob")
#: Nothing that is written freely, such as a title.
_KEPT_ABOUT = ("simulated", "records_from", "records_to")
_ROWS_AT_ONCE = 200_000


def new_key(file: str | Path) -> None:
    """Draw a key of 256 bits and write it into a new file that only its owner may read.

    Parameters
    ----------
    file : path
        It must not exist: what was made with a key cannot be made again without it. Its mode
        will be 0600.

    Raises
    ------
    ParameterError
        If the file exists, or its folder does not.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> file = Path(mkdtemp()) / "key"
    >>> new_key(file)
    >>> len(read_key(file))
    64
    """
    write_private(Path(file), secrets.token_hex(32) + "\n")


def read_key(file: str | Path | None = None, *, variable: str = KEY_VARIABLE) -> bytes:
    """Read the key of the pseudonyms from a file, or from an environment variable.

    Parameters
    ----------
    file : path, optional
        A file of one line that holds the key and nothing else, and that nobody else may read.
        Space around the key, a line end and a UTF-8 byte-order mark are no part of it.
    variable : str
        The environment variable that holds it, if no file is named.

    Raises
    ------
    ParameterError
        If there is no key, others may read its file, the file is not one line of plain text, or
        the key is too short or too simple to keep a secret.
    """
    if file is not None:
        key = _from_file(Path(file))
    else:
        key = _bare(os.fsencode(os.environ.get(variable, "")))
        if not key:
            raise ParameterError(f"There is no key: name a key file, or set {variable}. {_DRAW}")
    _judge(key)
    return key


def _from_file(file: Path) -> bytes:
    if not file.is_file():
        raise ParameterError(f"The key file does not exist: name the file of the key. {_DRAW}")
    if open_to_others(file):
        raise ParameterError(
            "Others on this machine may read the key file: close it with `chmod 600`, and draw "
            "another key if they might have."
        )
    key = file.read_bytes()
    if key.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ParameterError("The key file is UTF-16: save it as plain text (UTF-8).")
    key = _bare(key)
    if len(key.splitlines()) > 1:
        raise ParameterError("The key file has more than one line: it must hold the key alone.")
    return key


def _bare(key: bytes) -> bytes:
    return key.removeprefix(b"\xef\xbb\xbf").strip()


def _judge(key: bytes) -> None:
    """Refuse a key that is short, or that could be said in fewer characters than it has."""
    if len(key) < SHORTEST_KEY:
        raise ParameterError(
            f"The key has {len(key)} bytes: it needs at least {SHORTEST_KEY}. {_DRAW}"
        )
    runs = [key[at : at + 3] for at in range(len(key) - 2)]
    steps = Counter(second - first for first, second in pairwise(key))
    # Of 32 digits drawn at random seven in ten runs of three differ in nearly every draw, and no
    # step between neighbours comes nearly so often.
    repeats = len(set(runs)) < 0.7 * len(runs)
    counts_on = max(steps.values()) > 0.5 * len(key)
    if len(set(key)) < 8 or repeats or counts_on:
        raise ParameterError(f"The key repeats itself or counts on: it would be guessed. {_DRAW}")


@dataclass(frozen=True, repr=False)
class Pseudonymised(Rich):
    """What `pseudonymise` did. It shows itself with small counts hidden.

    Attributes
    ----------
    folder : Path
        Where the new extract is.
    rows : dict of str to int
        Rows of each table, exactly.
    left_out : tuple of str
        Columns ("table.column") and tables that the schema does not know, and so were not copied.
    set_missing : dict of str to int
        Rows in which a value was set missing, exactly, by "table.column".
    words : dict of str to int
        Rows in which a word for no value ("NULL", "N/A", "-") was taken for one, exactly.
    spellings : dict of str to Spellings
        How many identifiers were written in several ways, exactly, by what they identify.
    anonymity : Anonymity or None
        How many families and people stand alone by what others may know of them; None if the
        extract lacks the columns.
    """

    folder: Path
    rows: dict[str, int]
    left_out: tuple[str, ...]
    set_missing: dict[str, int]
    words: dict[str, int]
    spellings: dict[str, Spellings]
    anonymity: Anonymity | None

    def text(self) -> str:
        """Return the report as lines of text, small counts hidden."""
        lines = [f"Written: {self.folder}, {len(self.rows)} tables, for you alone."]
        if self.left_out:
            lines.append(
                f"Not copied, unknown to the schema: {', '.join(plain_names(self.left_out))}"
            )
        for what, counts in (("Set missing", self.set_missing), ("Read as missing", self.words)):
            for place, rows in counts.items():
                lines.append(f"{what}: {place}, {safe_count(rows)} rows")
        for kind, one in self.spellings.items():
            if one.joined:
                lines.append(
                    f"Written in several ways, and taken for one: {safe_count(one.joined)} "
                    f"identifiers of a {kind} (space around it, forms of characters, 1001.0)."
                )
            if one.apart:
                lines.append(
                    f"Alike but for capitals, punctuation, space or zeros, and kept apart: "
                    f"{safe_count(one.apart)} identifiers of a {kind}. Write those that are one "
                    "alike, and begin again."
                )
        if self.anonymity is None:
            lines.append("How many stand alone cannot be said: columns of families or people lack.")
        else:
            lines.append(self.anonymity.text())
        return "\n".join(lines)

    __str__ = __repr__ = text


@in_own_words("The extract cannot be pseudonymised")
def pseudonymise(
    source: str | Path,
    target: str | Path,
    key: bytes,
    *,
    set_missing: bool = False,
    birth: str = "month",
) -> Pseudonymised:
    """Write an extract anew: what the schema allows, with pseudonyms for identifiers.

    Parameters
    ----------
    source : path
        A folder of Parquet or CSV, or a DuckDB file, as `open_records` takes.
    target : path
        A folder that does not exist yet; it gets one Parquet file for each table, and only its
        owner may enter it or read them.
    key : bytes
        From `read_key`. The same key gives the same pseudonyms, in every table and extract. It is
        never stored.
    set_missing : bool, default False
        Set missing, and count, what the schema does not allow; else an extract that holds such is
        refused. It is refused all the same where an empty value would say that something never
        happened (a day or a flag that may be empty).
    birth : {"month", "quarter", "year"}
        The period of birth that is kept, written as its first day. By a coarser one people are up
        to 2 or 11 months too old, and checks may find a few at ages that cannot be.

    Returns
    -------
    Pseudonymised

    Raises
    ------
    DataError
        If the source holds no table of the schema, a file of one that is not read, or what the
        schema does not allow, said with table, column, count and the kinds of identifier that it
        looks like.
    TfevalError
        If the target exists. Nothing half-written stays behind.

    Notes
    -----
    Only columns of the schema are written, and of these only what it allows: days, whole numbers,
    true and false, its own words for categories, codes of authorities (also from official names).
    No text that came is copied. Every row is read. A date in `birth_month` (or in `date_of_birth`,
    `birth_date`, `dob`) becomes the first day of its month, quarter or year.

    Words for no value ("NULL", "N/A", "none", "-") are missing, not an identifier that many share.
    Identifiers that differ in nothing that is seen are one (see `spelt_once`); all others stay
    apart, and those that are probably one are counted. Numbers that a spreadsheet or floating
    point has cut ("9.43477E+09") are refused: several became one before they came.
    Rows are in the order of their pseudonyms, then of their values, and numbered anew, so that
    nothing of the source's order is left. What is written is read once more before it gets its
    name. Faults between rows are kept, for `check_records` to find.

    A day on which something happened stays a day: a date of birth that stands as a day of an
    event cannot be told from one, and who knows one such day of a family may find it.
    """
    _judge(key)
    if birth not in PERIODS:
        raise ParameterError(f"birth is a period of birth. {suggest(birth, PERIODS)}")
    records = connect(source)
    refuse_unread(records)
    if not records.sent:
        raise DataError("The source holds no table of the schema: there is nothing to write.")
    readings = {name: _read(records, name) for name in records.sent}
    every = [(f"{t}.{c}", one) for t, fields in readings.items() for c, one in fields.items()]
    strays = [one.stray for _, one in every if one.stray]
    refuse_strays(strays, set_missing=set_missing)
    words = Counter({place: one.words for place, one in every if one.words})
    spellings = {}
    for kind in ("person", "family"):
        spellings[kind], none = _make_map(records, kind, key)
        words += none
    rows = {}
    with written_whole(Path(target), private=True) as (folder,):
        for name in records.sent:
            rewritten = _rewritten(records, name, readings[name], birth)
            rows[name] = _write(rewritten, TABLES[name], folder / f"{name}.parquet")
            _hold_to_schema(folder / f"{name}.parquet", TABLES[name])
        about = {k: v for k, v in records.about.items() if k in _KEPT_ABOUT}
        text = json.dumps({**about, "pseudonymised": True}, indent=2)
        (folder / "about.json").write_text(text + "\n", encoding="utf-8")
    left = tuple(sorted([*records.unknown, *_left_out(records)]))
    missing = {one.place: one.rows for one in strays}
    return Pseudonymised(
        Path(target), rows, left, missing, dict(sorted(words.items())), spellings,
        _alone(Path(target)),
    )  # fmt: skip


def _alone(folder: Path) -> Anonymity | None:
    try:
        return anonymity(connect(folder))
    except DataError:
        return None


def _kind(column: str) -> str:
    """Return what an identifier column identifies."""
    return "person" if column == "person_id" else "family"


def _born_in(raw: ibis.Table) -> str | None:
    return next((column for column in _BIRTHS if column in raw.columns), None)


def _read(records: Records, name: str) -> dict[str, Reading]:
    """Read all columns of a table but its identifiers and row numbers."""
    raw, columns = records.sent[name], dict(TABLES[name].columns)
    born = columns.pop("birth_month", None)
    wanted: dict[str, Column] = {
        column: one
        for column, one in columns.items()
        if column in raw.columns and one.kind not in ("identifier", "row number")
    }
    source = _born_in(raw)
    if born and source:
        wanted[source] = born
    return read_columns(name, raw, wanted, records.ends_on)


def _keys(name: str, raw: ibis.Table) -> Mapping[str, ibis.Value]:
    """Return the identifier columns of a table, as text."""
    return {
        column: key_text(raw[column], f"{name}.{column}")
        for column, one in TABLES[name].columns.items()
        if one.kind == "identifier" and column in raw.columns
    }


def _make_map(records: Records, kind: str, key: bytes) -> tuple[Spellings, Counter[str]]:
    """Make a temporary table from identifiers, as they came, to pseudonyms; count the missing."""
    columns = [
        (f"{name}.{column}", raw.select(real=text))
        for name, raw in records.sent.items()
        for column, text in _keys(name, raw).items()
        if _kind(column) == kind
    ]
    known: list[str] = []
    none: list[str] = []
    if columns:
        each = [values.distinct() for _, values in columns]
        values = ibis.union(*each, distinct=True) if len(each) > 1 else each[0]
        for text in records.connection.to_pyarrow(values)["real"].to_pylist():
            if text and text.strip():
                (none if is_none(text) else known).append(text)
    if cut := [text for text in known if is_cut(text)]:
        raise DataError(
            f"Nothing is written: {', '.join(sorted(_rows_of(cut, columns)))} holds numbers whose "
            "last digits are lost (1.23E+09, or too long for floating point), so that several "
            "identifiers became one: have them sent as text."
        )
    named, spellings = pseudonyms(known, key, kind)
    table = pa.table({
        "real": pa.array(named.keys(), pa.string()),
        "pseudonym": pa.array(named.values(), pa.string()),
    })  # fmt: skip
    records.connection.create_table(_map_name(kind), table, temp=True)
    return spellings, _rows_of(none, columns)


def _rows_of(texts: list[str], columns: list[tuple[str, ibis.Table]]) -> Counter[str]:
    """Return how many rows of each column hold one of some texts, columns without left out."""
    counts = {place: values.real.isin(texts).sum().to_pyarrow().as_py() if texts else 0
              for place, values in columns}  # fmt: skip
    return Counter({place: int(number) for place, number in counts.items() if number})


def _map_name(kind: str) -> str:
    return f"pseudonyms_of_{kind}"


def _rewritten(
    records: Records, name: str, readings: Mapping[str, Reading], birth: str
) -> ibis.Table:
    raw, columns = records.sent[name], TABLES[name].columns
    values = {column: one.value for column, one in readings.items()}
    born = _born_in(raw) if name == "people" else None
    if born:
        first = values.pop(born).truncate(PERIODS[birth]).cast("date")
        values["birth_month"] = first
    keys = _keys(name, raw)
    table = raw.select(**values, **keys)
    for column in keys:
        pairs = records.connection.table(_map_name(_kind(column)))
        renamed = pairs.select(**{f"{column}_real": pairs.real, f"{column}_new": pairs.pseudonym})
        table = table.left_join(renamed, table[column] == renamed[f"{column}_real"])
        table = table.drop(f"{column}_real", column).rename({column: f"{column}_new"})
    chosen = [column for column in columns if column in table.columns]
    return table.select(*chosen).order_by([*keys, *[one for one in chosen if one not in keys]])


def _write(table: ibis.Table, definition: Table, file: Path) -> int:
    """Write rows as they come, numbered anew, and return how many there are."""
    numbers = [one for one, column in definition.columns.items() if column.kind == "row number"]
    names = [one for one in definition.columns if one in (*table.columns, *numbers)]
    types = {"int64": pa.int64(), "string": pa.string(), "date": pa.date32(), "boolean": pa.bool_()}
    schema = pa.schema([(one, types[definition.columns[one].type]) for one in names])
    done = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in table.to_pyarrow_batches(chunk_size=_ROWS_AT_ONCE):
            arrays: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
            arrays |= dict.fromkeys(numbers, pa.array(np.arange(done, done + len(batch)) + 1))
            writer.write_table(pa.table([arrays[one] for one in names], schema=schema))
            done += len(batch)
    return done


def _hold_to_schema(file: Path, definition: Table) -> None:
    """Read what was written: any text that is neither a pseudonym nor the schema's own is refused.

    Raises
    ------
    DataError
        Then nothing takes its name. It is a fault of this package, and says so.
    """
    written = pq.ParquetFile(file)
    for name, column in definition.columns.items():
        if column.type != "string" or name not in written.schema_arrow.names:
            continue
        values = pc.unique(written.read(columns=[name])[name]).drop_null()
        if column.kind == "identifier":
            good = pc.match_substring_regex(values, PSEUDONYM)
        else:
            allowed = authority_codes() if column.kind == "authority" else column.allowed
            good = pc.is_in(values, pa.array(allowed, pa.string()))
        if not pc.all(good, min_count=0).as_py():
            raise DataError(
                f"{definition.name}.{name} was not written as the schema says: a fault of tfeval, "
                "to be reported without the records."
            )


def _left_out(records: Records) -> list[str]:
    return [
        f"{name}.{column}"
        for name, raw in records.sent.items()
        for column in raw.columns
        if column not in TABLES[name].columns
    ]
