"""Extracts with a fault that makes a library quote a row, and canaries in that row."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CANARIES = ("Zebediah", "Quillfeather", "943 476 5919", "9434765919", "ZZ99 9ZZ")
NAMES = "Zebediah, Quillfeather"
ROW = f"{NAMES},943 476 5919,9434765919,ZZ99 9ZZ"


def _after(place: int, *lines: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        held = text.split("\n")
        return "\n".join([*held[:place], *lines, *held[place:]])

    return edit


#: How the text of people.csv is spoilt.
CSV = {
    "unquoted comma first": _after(1, ROW + ",a,b,c,d,e"),
    "unquoted comma later": _after(7, ROW + ",a,b,c,d,e"),
    "unquoted comma last": lambda text: text + ROW + ",a,b,c,d,e\n",
    "short row first": _after(1, "Zebediah,943 476 5919"),
    "short row last": lambda text: text + "Zebediah,943 476 5919\n",
    "no header": lambda text: ROW + "\n" + text.split("\n", 1)[1],
    "title above": lambda text: f"Extract for {NAMES}\n{text}",
    "title with commas": lambda text: f"{ROW}\n{text}",
    "footer": lambda text: text + f"Made by {NAMES}\n",
    "open quote": lambda text: text + f'"{ROW}\n',
    "quote within": lambda text: text + f'a"Zebediah"b,"943 476 5919"x,{NAMES}\n',
    "other delimiter": _after(3, ROW.replace(",", ";")),
    "every row ragged": lambda text: "\n".join(
        line + ("" if place % 2 else f",{ROW}") for place, line in enumerate(text.split("\n"))
    ),
    "header twice": lambda text: text.replace("person_id", "person_id,person_id", 1) + ROW,
    "bad bytes": lambda text: text + "\udcff" + ROW + "\n",
    "zero bytes": _after(4, "\0" + ROW),
    "dates that are none": lambda text: text.replace(
        text.split("\n")[2].split(",")[2], "Zebediah Quillfeather", 1
    ),
}


@cache
def _texts(base: Path) -> dict[str, str]:
    return {path.stem: pd.read_parquet(path).to_csv(index=False)
            for path in sorted(base.glob("*.parquet"))}  # fmt: skip


def csv_extract(
    base: Path, target: Path, how: Callable[[str], str], packed: bool = False,
    only: Iterable[str] = (),
) -> Path:  # fmt: skip
    """Write the records, or some tables of them, as CSV, people.csv spoilt."""
    target.mkdir(parents=True)
    for name in only or _texts(base):
        whole = _texts(base)[name]
        text = how(whole) if name == "people" else whole
        content = text.encode("utf-8", "surrogateescape")
        if packed:
            (target / f"{name}.csv.gz").write_bytes(gzip.compress(content, 1))
        else:
            (target / f"{name}.csv").write_bytes(content)
    return target


#: Columns of people that the second part holds as another type.
PARTS: dict[str, Callable[[pd.DataFrame], Iterable[pd.DataFrame]]] = {
    "key": lambda rows: (rows.assign(person_id=range(len(rows))),
                         rows.assign(person_id="Zebediah Quillfeather 9434765919")),
    "date": lambda rows: (rows.assign(birth_month=pd.to_datetime(rows["birth_month"])),
                          rows.assign(birth_month="Zebediah Quillfeather")),
    "flag": lambda rows: (rows.assign(linked_school=True),
                          rows.assign(linked_school="9434765919")),
    "number": lambda rows: (rows.assign(extra=1), rows.assign(extra="ZZ99 9ZZ")),
}  # fmt: skip


def parts_extract(base: Path, target: Path, kind: str) -> Path:
    """Write the records as Parquet, people in two parts whose types differ."""
    (target / "people").mkdir(parents=True)
    for path in base.glob("*.parquet"):
        if path.stem != "people":
            (target / path.name).write_bytes(path.read_bytes())
    for place, rows in enumerate(PARTS[kind](pd.read_parquet(base / "people.parquet"))):
        pq.write_table(pa.Table.from_pandas(rows), target / "people" / f"{place}.parquet")
    return target


def seen(text: str) -> list[str]:
    """Return the canaries that a text holds."""
    return [canary for canary in CANARIES if canary in text]
