"""Replace real identifiers by keyed pseudonyms, and dates of birth by months."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from tfeval.errors import DataError, ParameterError, in_own_words
from tfeval.records.relations import cast, written_whole
from tfeval.records.schema import TABLES, Table
from tfeval.records.store import Records, connect

#: Where the key is looked for, unless a file is named.
KEY_VARIABLE = "TFEVAL_PSEUDONYM_KEY"
#: Bytes: as long as the hash, as RFC 2104, section 3, asks for.
SHORTEST_KEY = 32
_PSEUDONYM_BYTES = 16
_BIRTH_DATES = ("birth_date", "date_of_birth", "dob")
_KEPT_ABOUT = ("simulated", "title", "records_from", "records_to")


@dataclass(frozen=True)
class Pseudonymised:
    """What `pseudonymise` did.

    Attributes
    ----------
    folder : Path
        Where the new extract is.
    rows : dict of str to int
        Rows of each table.
    left_out : tuple of str
        Columns ("table.column") and tables that the schema does not know, and so were not copied.
    """

    folder: Path
    rows: dict[str, int]
    left_out: tuple[str, ...]


def read_key(file: str | Path | None = None, *, variable: str = KEY_VARIABLE) -> bytes:
    """Read the key of the pseudonyms from a file, or from an environment variable.

    Parameters
    ----------
    file : path, optional
        A file that holds the key and nothing else; space around it is ignored.
    variable : str
        The environment variable that holds it, if no file is named.

    Raises
    ------
    ParameterError
        If there is no key, or it is too short or too simple to keep a secret.
    """
    if file is not None:
        if not Path(file).is_file():
            raise ParameterError("The key file does not exist: give a file that holds the key.")
        key = Path(file).read_bytes().strip()
    else:
        key = os.environ.get(variable, "").strip().encode()
        if not key:
            raise ParameterError(f"There is no key: name a key file, or set {variable}.")
    _judge(key)
    return key


def pseudonym(identifier: str, key: bytes, kind: str) -> str:
    """Return the pseudonym of an identifier: HMAC-SHA256, its first 128 bits in base 32.

    Parameters
    ----------
    identifier : str
        A real identifier; space in it is ignored, as in "943 476 5919".
    key : bytes
        At least 32 bytes, kept secret.
    kind : str
        What it identifies ("person", "family"): the same number of both gets two pseudonyms.

    References
    ----------
    RFC 2104 (HMAC), FIPS 198-1; truncation to 128 bits as in RFC 2104, section 5.

    Examples
    --------
    >>> pseudonym("943 476 5919", b"k" * 31 + b"!", "person")
    'dvi4jqh6plofkjvmxedlzcxbw4'
    """
    text = "".join(identifier.split())
    digest = hmac.digest(key, f"{kind}:{text}".encode(), hashlib.sha256)
    return base64.b32encode(digest[:_PSEUDONYM_BYTES]).decode().rstrip("=").lower()


@in_own_words("The extract cannot be pseudonymised")
def pseudonymise(source: str | Path, target: str | Path, key: bytes) -> Pseudonymised:
    """Write an extract anew, with pseudonyms for identifiers and months for dates of birth.

    Parameters
    ----------
    source : path
        A folder of Parquet or CSV, or a DuckDB file, as `open_records` takes.
    target : path
        A folder that does not exist yet; it gets one Parquet file for each table.
    key : bytes
        From `read_key`. The same key gives the same pseudonyms, in every table and extract. It is
        never stored.

    Returns
    -------
    Pseudonymised

    Raises
    ------
    DataError
        If the source holds no table of the schema, or dates of birth cannot be read.
    TfevalError
        If the target exists. Nothing half-written stays behind.

    Notes
    -----
    Only columns of the schema are copied, so names, addresses and dates of birth in others stay
    behind; `left_out` lists them. A date in `birth_month` (or in `date_of_birth`, `birth_date`,
    `dob`) becomes the first day of its month. Row numbers are given anew. Faults of the source are
    kept, for `check_records` to find.
    """
    _judge(key)
    records = connect(source)
    if not records.raw:
        raise DataError(f"{records.source} holds no table of the schema: nothing to pseudonymise.")
    for kind in ("person", "family"):
        _make_map(records, kind, key)
    rows = {}
    with written_whole(Path(target)) as (folder,):
        for name, raw in records.raw.items():
            rewritten = _rewritten(records, TABLES[name], raw)
            rewritten.to_parquet(folder / f"{name}.parquet", compression="zstd")
            rows[name] = int(records.connection.to_pyarrow(raw.count()).as_py())
        about = {k: v for k, v in records.about.items() if k in _KEPT_ABOUT}
        told = json.dumps({**about, "pseudonymised": True}, indent=2)
        (folder / "about.json").write_text(told + "\n", encoding="utf-8")
    left = [*records.unknown, *_left_out(records)]
    return Pseudonymised(Path(target), rows, tuple(sorted(left)))


def _judge(key: bytes) -> None:
    if len(key) < SHORTEST_KEY:
        raise ParameterError(
            f"The key has {len(key)} bytes: it needs at least {SHORTEST_KEY}, such as "
            "`openssl rand -hex 32` prints."
        )
    if len(set(key)) < 8:
        raise ParameterError("The key repeats a few characters: it would be guessed. Draw one.")


def _kind(table: Table, column: str) -> str | None:
    """Return what an identifier column identifies, None for another column."""
    if column not in table.columns or table.columns[column].kind != "identifier":
        return None
    return "person" if column == "person_id" else "family"


def _identifiers(records: Records, kind: str) -> Iterator[tuple[ibis.Table, str]]:
    for name, raw in records.raw.items():
        for column in raw.columns:
            if _kind(TABLES[name], column) == kind:
                yield raw, column


def _make_map(records: Records, kind: str, key: bytes) -> None:
    """Make a temporary table from identifiers, as they came, to pseudonyms."""
    found = [
        raw.select(real=raw[column].cast("string")).distinct()
        for raw, column in _identifiers(records, kind)
    ]
    known: list[str] = []
    if found:
        values = ibis.union(*found, distinct=True) if len(found) > 1 else found[0]
        answer = records.connection.to_pyarrow(values)["real"].to_pylist()
        known = [value for value in answer if value is not None and value.strip()]
    table = pa.table(
        {
            "real": pa.array(known, pa.string()),
            "pseudonym": pa.array([pseudonym(value, key, kind) for value in known], pa.string()),
        }
    )
    records.connection.create_table(_map_name(kind), table, temp=True)


def _map_name(kind: str) -> str:
    return f"pseudonyms_of_{kind}"


def _rewritten(records: Records, definition: Table, raw: ibis.Table) -> ibis.Table:
    table = raw
    if definition.name == "people":
        table = _with_months(table)
    for column in [name for name in raw.columns if _kind(definition, name)]:
        pairs = records.connection.table(_map_name(str(_kind(definition, column))))
        renamed = pairs.select(**{f"{column}_real": pairs.real, f"{column}_new": pairs.pseudonym})
        table = table.left_join(
            renamed, table[column].cast("string") == renamed[f"{column}_real"]
        ).drop(f"{column}_real")
        table = table.mutate(**{column: table[f"{column}_new"]}).drop(f"{column}_new")
    for column, one in definition.columns.items():
        if one.kind == "row number" and column in table.columns:
            table = table.mutate(**{column: ibis.row_number() + 1})
    return table.select(*[name for name in definition.columns if name in table.columns])


def _with_months(people: ibis.Table) -> ibis.Table:
    column = next((c for c in ("birth_month", *_BIRTH_DATES) if c in people.columns), None)
    if column is None:
        return people
    day = cast(people[column], "date")
    came = people[column].isnull()
    if people[column].type().is_string():
        came = came | (people[column].strip() == "")
    unread = int((day.isnull() & ~came).sum().to_pyarrow().as_py() or 0)
    if unread:
        raise DataError(
            f"people.{column} cannot be read as a date in some rows: write dates as YYYY-MM-DD."
        )
    return people.mutate(birth_month=day.truncate("M").cast("date"))


def _left_out(records: Records) -> list[str]:
    return [
        f"{name}.{column}"
        for name, raw in records.raw.items()
        for column in raw.columns
        if column not in TABLES[name].columns
    ]
