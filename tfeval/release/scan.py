"""What is about to leave, looked through: every number a cell, and nothing beside them."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from tfeval.display.release_words import ARMS
from tfeval.display.tables import THRESHOLD
from tfeval.errors import ReportError, TfevalError
from tfeval.programme.outcomes import OUTCOMES
from tfeval.programme.published import published
from tfeval.records.identifiers import KINDS, kinds_in
from tfeval.release.chapters import CHAPTERS, told, told_as
from tfeval.release.foreign import kept_aside, parts_of
from tfeval.release.hiding import reach
from tfeval.release.keys import COUNT_UNIT, REACH
from tfeval.release.ledger import Ledger
from tfeval.release.pages import (
    ABOUT,
    EARLIER,
    INDEX,
    REGISTER,
    files_of,
    index_of,
    is_multiple,
    read_about,
    read_register,
)
from tfeval.release.released import ends, printed
from tfeval.release.values import chosen
from tfeval.report.cells import ENGLAND, FEW
from tfeval.report.fingerprint import file_hash

_NUMBER = re.compile(r"(?<![\w.])[-\u2212]?\d[\d,]*(?:\.\d+)?")
_PATH = re.compile(r"(?<![\w/.])/(?:home|Users|root|tmp|mnt|media|srv|data|work|opt|var)/\w|"
                   r"\b[A-Za-z]:\\\w|\\\\\w+\\\w")  # fmt: skip
_PSEUDONYM = re.compile(r"\b(?=[a-z2-7]*[2-7])(?=[a-z2-7]*[a-z])[a-z2-7]{26}\b")
_EMBEDDED = re.compile(
    r"data:(?!,)[\w/+.-]*[;,]|<script|<object|<embed|<iframe|[A-Za-z0-9+/]{200,}"
)
_FEW = re.compile(rf"\b[1-{THRESHOLD - 1}]\s+(?:famil|pe(?:rson|ople)|child|pupil|adult|case)",
                  re.IGNORECASE)  # fmt: skip
_FORMULA = re.compile(r"^\s*(?:[=@\t\r]|[+-](?![\d.]))")
#: Of identifiers those that a table of names of places does not look like.
_WANTED = tuple(kind for kind in KINDS if kind != "name")
_TEXT = (".html", ".csv", ".json", ".ipynb", ".txt", ".md", ".xml", ".svg")
_TABLES = (".csv", ".tsv", ".txt")
#: Shares have three digits.
_HALF_DIGIT = 0.0005 + 1e-9
#: A number as it is written, or none.
_WRITTEN = re.compile(r"(?:-?\d+(?:\.\d+)?(?:e-?\d+)?)?")
#: What columns say beside keys, areas and numbers.
_UNITS = {"share", "sd", "families", "events"}
_SAID = {
    "kind": {"count", "share", "mean", "effect", "balance"},
    "level": {"england", "region", "authority"},
} | {flag: {"yes", "no"} for flag in ("guarded", "signed", "shown")}
#: Programmes are solved to within this.
_NEARLY = 1e-3
#: Faults of a kind that are named by line before they are only counted.
_NAMED = 5


def faults(folder: Path, ledger: Ledger | None = None, *, proved: bool = False) -> list[str]:
    """Return what is wrong with a folder that is about to leave, one line a fault.

    Parameters
    ----------
    folder : Path
        As `tfeval release` writes it.
    ledger : Ledger, optional
        Of releases: every number, and every table of cells as a whole, must stand in it too.
    proved : bool, default False
        Whether this is the release in the making: linear programmes that know the sets have shown
        that no hidden number can be worked out, and the ledger has its tables when it is made.

    Notes
    -----
    A page must be, byte for byte, what its cells make. Whatever else lies there is a fault, and is
    looked through for identifiers, numbers that are no cell, small counts, embedded data, paths
    and formulas. No value is told.
    """
    if not folder.is_dir():
        raise TfevalError(f"There is no folder {folder} to check.")
    problems = [f".: {fault}" for fault in _mode(folder)]
    try:
        paths = sorted(folder.rglob("*"))
    except (RecursionError, OSError):
        return [".: cannot be looked through: folders lie too deep within folders"]
    made: dict[Path, str] = {}
    registered: set[str] = set()
    for path in (one for one in paths if one.name == REGISTER):
        own, numbers, reasons = _table(path, ledger, proved=proved)
        made |= own
        registered |= numbers
        problems += [f"{one.relative_to(folder)}: {fault}" for one, fault in reasons]
    wanted = {folder / INDEX: "", **made}
    problems += [f"{one.relative_to(folder)}: {_LACKING}" for one in wanted if not one.is_file()]
    for path in paths:
        name = path.relative_to(folder)
        problems += [f"{name}: {fault}" for fault in _mode(path)]
        problems += [f"{name}: its name looks like a {kind}" for kind in _identifiers(path.name)]
        if path.is_dir() and not (path / REGISTER).is_file():
            problems.append(f"{name}: {_FOREIGN}")
        if path.is_file() and not path.is_symlink():
            problems += [f"{name}: {fault}" for fault in _file(path, made.get(path), registered)]
    # A file's name may hold ends of lines.
    return ["".join(one if one.isprintable() else "?" for one in fault) for fault in problems]


def _table(
    path: Path, ledger: Ledger | None, *, proved: bool
) -> tuple[dict[Path, str], set[str], list[tuple[Path, str]]]:
    """Return what a table of cells makes, its numbers, and what is wrong with it, by file."""
    about_path = path.with_name(ABOUT)
    try:
        register, about = read_register(path), read_about(about_path)
        wrong = [(path, fault) for fault in _cells(register, ledger)]
        if not proved:
            wrong += [(path, fault) for fault in _proof(path, register, about, ledger)]
        choices = [*choice_faults(about)]
        made = {} if choices else files_of(register, about)
    except Exception as fault:  # whatever a table that nobody released makes of it
        return {}, set(), [(path, str(fault) if isinstance(fault, TfevalError) else _UNREAD)]
    words = "\n".join(f"{name} {value}" for name, value in about.items())
    choices += [f"what looks like a {kind}" for kind in _identifiers(words)]
    choices += [_PLACE] * bool(_PATH.search(words))
    columns = register[["value", "low", "high", "error"]]
    return ({path.with_name(name): text for name, text in made.items()},
            {value.lstrip("-") for value in columns.to_numpy().ravel()},
            [*wrong, *((about_path, fault) for fault in choices)])  # fmt: skip


def choice_faults(about: Mapping[str, str]) -> Iterator[str]:
    """Yield that a choice is one that no chapter has, or has a value that it may not have."""
    flags = {name: about.get(name, "no") for name in ("simulated", EARLIER)}
    own = {name: value for name, value in about.items() if name not in flags}
    if not own.keys() <= told():
        yield "a choice that is none of the chapters'"
    try:
        official = {name: one for chapter in CHAPTERS for name, one in chosen(chapter, own).items()}
    except TfevalError:
        official = {}
    if not set(flags.values()) <= {"yes", "no"} or any(
        value != told_as(name, official.get(name)) for name, value in own.items()
    ):
        yield "a choice with a value that it cannot have"


def _mode(path: Path) -> Iterator[str]:
    if path.is_symlink():
        yield "is a link to elsewhere"
    elif os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield "is open to others than its owner"


def _identifiers(text: str) -> list[str]:
    kinds = [kind for kind in kinds_in(text) if kind in _WANTED]
    return [*kinds, *["pseudonym"] * bool(_PSEUDONYM.search(text))]


# Cells.


def _cells(register: pd.DataFrame, ledger: Ledger | None) -> Iterator[str]:
    """Return what is wrong with the cells themselves, and what they give away together."""
    shown = register[register["shown"] == "yes"]
    if register["id"].duplicated().any():
        yield "a cell stands there twice"
    hidden = register[register["shown"] != "yes"]
    if (hidden[["value", "unit", "error", "low", "high"]] != "").to_numpy().any():
        yield "a hidden cell has a number"
    yield from _numbers(shown, ledger)
    yield from _shares(shown)
    yield from _texts(register)


def _proof(
    path: Path, register: pd.DataFrame, about: dict[str, str], ledger: Ledger | None
) -> Iterator[str]:
    """Return that a table was not proved when it was released, or what it gives away by itself."""
    if ledger is None or not ledger.tables:
        yield from near(register, earlier=about.get(EARLIER) != "no")
    elif file_hash(path) not in ledger.tables:
        yield "a table of cells that the ledger has not released"


def near(register: pd.DataFrame, *, earlier: bool) -> Iterator[str]:
    """Return how many hidden counts are fewer than ten for certain, and known to within a unit.

    Parameters
    ----------
    register : DataFrame
        As `read_register` returns it.
    earlier : bool
        Whether numbers of earlier releases may stand among these.

    Notes
    -----
    A reader has no sets. What was said before, or of another number, of all but nine of the same
    families may lie nine off its rounding, and a third number of all but nine of those nine more:
    as often as a count stands there in one region and group, and once more in a later release.
    England is no sum of its regions: how many families have none is not told. Of hidden counts
    none but those of fewer than ten are protected.
    """
    frame = _as_read(register)
    if frame.loc[frame["shown"], "released"].isna().any():
        return  # what is no number is a fault of its own
    region = frame["parent"].where(frame["level"] == "authority", frame["area"])
    alike = frame.groupby([region, frame["arm"], frame["released"]])["id"].transform("size")
    frame["unit"] += (alike.fillna(1.0) - 1.0 + earlier) * FEW / REACH
    frame.loc[frame["level"] == "region", "parent"] = ""
    try:
        certain = [one for one in reach(frame) if not one.safe and one.high < THRESHOLD - _NEARLY]
    except ReportError:
        return  # numbers of more than one release that do not add up
    if certain:
        yield f"{len(certain)} hidden counts can be worked out to within their unit by those shown"


def _numbers(shown: pd.DataFrame, ledger: Ledger | None) -> Iterator[str]:
    for where, row in _rows(shown):
        kind, value = row["kind"], row["value"]
        written = [row[name] for name in ("value", "unit", "error", "low", "high")]
        if not all(map(_WRITTEN.fullmatch, written)) or "" in written[:2]:
            yield f"{where}: no number, or no unit"
            continue
        unit, number = float(row["unit"]), float(value)
        if kind == "share":
            continue
        if not is_multiple(value, unit):
            yield f"{where}: more digits than its unit has"
        if kind == "count" and number < THRESHOLD:
            yield f"{where}: a count under {THRESHOLD}"
        if kind == "count" and unit != COUNT_UNIT:
            yield f"{where}: a count that is not to the nearest {COUNT_UNIT}"
        if ledger is not None and not ledger.has(kind, row["number"], value, unit, row["error"]):
            yield f"{where}: a number that the ledger has not released"
        if [row["low"], row["high"]] != _ends(number, unit, row):
            yield f"{where}: an interval that is not that of its error"


def _ends(number: float, unit: float, row: dict[str, str]) -> list[str]:
    """Return the interval as a released number and its error have it."""
    if not row["error"]:
        return ["", ""]
    return [printed(one, unit, row["kind"]) for one in ends(number, float(row["error"]))]


def _rows(register: pd.DataFrame) -> Iterator[tuple[str, dict[str, str]]]:
    for place, row in zip(register.index, register.to_dict("records"), strict=True):
        yield f"cell {int(place) + 1}", {str(name): str(value) for name, value in row.items()}


def _texts(register: pd.DataFrame) -> Iterator[str]:
    """Return texts that are none of the package's own: areas, outcomes, arms."""
    frame = published("local_authorities")
    places = {ENGLAND, "", *frame["code"], *frame["name"], *frame["region"]}
    for column in ("area", "name", "parent"):
        if not set(register[column]) <= places:
            yield f"column {column}: not of the published areas"
    for column in ("number", "outcome", "months", "base", "within"):
        if not register[column].str.fullmatch(r"[A-Za-z0-9_:]*").all():
            yield f"column {column}: no key"
    units = " ".join(f"{one.unit} {one.per}" for one in OUTCOMES.values()).split()
    if not set(" ".join(register["unit_of"]).split()) <= {*units, *OUTCOMES, *_UNITS}:
        yield "column unit_of: what it never says"
    allowed = {"arm": set(ARMS)} | _SAID
    for column in allowed.keys() & {*register.columns}:
        if not set(register[column]) <= allowed[column]:
            yield f"column {column}: what it never says"
    own = register[["number", "months", "arm", "area"]].agg("|".join, axis=1)
    if not (register["id"] == own).all():
        yield "column id: not that of its number, months, group and area"
    keys = (set(register[name]) for name in ("number", "outcome", "base", "within"))
    text = "\n".join(sorted(set().union(*keys)))
    yield from (f"what looks like a {kind}" for kind in _identifiers(text.replace(":", " ")))


def _shares(shown: pd.DataFrame) -> Iterator[str]:
    at = ["number", "months", "arm", "area"]
    counts = shown[shown["kind"] == "count"].drop_duplicates(at).set_index(at)["value"]
    for where, row in _rows(shown[shown["kind"] == "share"]):
        place = (row["months"], row["arm"], row["area"])
        part = counts.get((row["number"].removeprefix("share:"), *place))
        whole = counts.get((row["base"], *place))
        if part is None or whole is None:
            yield f"{where}: a share whose counts are not both shown"
        elif abs(min(float(part) / float(whole), 1.0) - float(row["value"])) > _HALF_DIGIT:
            yield f"{where}: a share that is not that of the counts shown"


def _as_read(register: pd.DataFrame) -> pd.DataFrame:
    """Return counts as a reader has them; of hidden ones all may be of fewer than ten."""
    frame = register[register["kind"] == "count"].reset_index(drop=True)
    flags = {name: frame[name].eq("yes") for name in ("shown", "signed", "guarded")}
    frame = frame.assign(**flags, released=pd.to_numeric(frame["value"], errors="coerce"),
                         unit=float(THRESHOLD), need=float(THRESHOLD), n=0.0,
                         lacking=np.nan)  # fmt: skip
    return frame.assign(sensitive=~frame["shown"])


# Files.


def _file(path: Path, made: str | None, registered: set[str]) -> Iterator[str]:
    if path.suffix.lower() in _TEXT:
        content = path.read_bytes()
        if content == (_index(path) if made is None else made).encode():
            return  # all of it follows from the cells, which were looked through
        text = content.decode(errors="replace")
        yield from (reason for reason, test in _RAW.items() if test.search(text))
    yield _FOREIGN if made is None else "is not what its cells make"
    parts: dict[str, list[str]] = {}
    try:
        yield from kept_aside(path)
        for name, text in parts_of(path):
            parts.setdefault(name, []).append(text)
    except Exception:  # whatever a library says of a damaged file
        yield "cannot be looked through"
    for name, texts in parts.items():
        reason = _lines("\n".join(texts), registered, formulas=path.suffix.lower() in _TABLES)
        yield from (f"{name}: {fault}" if name else fault for fault in reason)


def _index(path: Path) -> str:
    """Return the list of scopes, which has no number of its own, as it would be there; or none."""
    try:
        return index_of(path.parent) if path.name == INDEX else ""
    except Exception:  # what it lists cannot be read, as is said there
        return ""


_FOREIGN = "was not written by tfeval release"
_UNREAD, _LACKING = "cannot be read", "is not there, or is no file"
_PLACE, _PACKED = "a path of a machine", "embedded data or a script"
#: Looked for in a file's source.
_RAW = {_PLACE: _PATH, _PACKED: _EMBEDDED}


def _looks_like(kind: str, line: str) -> bool:
    return kind in kinds_in(line)


def _lines(text: str, registered: set[str], *, formulas: bool) -> Iterator[str]:
    tests: dict[str, Callable[[str], bool]] = {
        f"a count under {THRESHOLD}": lambda line: bool(_FEW.search(line)),
        "a number that is no registered cell": lambda line: any(
            one.replace(",", "").lstrip("-\u2212") not in registered
            for one in _NUMBER.findall(unicodedata.normalize("NFKC", line))),
        "a live formula": lambda line: formulas and any(
            _FORMULA.match(part.strip('"')) for part in re.split("[,;\t]", line)),
        "what looks like a pseudonym": lambda line: bool(_PSEUDONYM.search(line)),
    }  # fmt: skip
    tests |= {f"what looks like a {kind}": partial(_looks_like, kind) for kind in _WANTED}
    lines = text.splitlines()
    for words, test in tests.items():
        at = [place for place, line in enumerate(lines, start=1) if test(line)]
        yield from (f"line {place}: {words}" for place in at[:_NAMED])
        if len(at) > _NAMED:
            yield f"{words}: {len(at) - _NAMED} more lines"
