"""The register of plans: a line for each, chained to the line before it, and what it proves."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tfeval.display.names import registration_words
from tfeval.display.rich import Rich
from tfeval.errors import ParameterError

#: Ends the name of the register that lies beside a plan.
SUFFIX = ".register"
REGISTERED, NOT_REGISTERED, BROKEN = "registered", "not_registered", "broken_register"
#: What stands in the first line for the line before it.
START = "0" * 64
_TEXTS = ("title", "version", "date", "sha256", "registered", "tfeval", "cohort", "before", "check")
_SECONDS = 10


@dataclass(frozen=True)
class Registration(Rich):
    """What a register says of a plan as it stands.

    Attributes
    ----------
    state : str
        "registered"; "not_registered" where no line has its hash; "broken_register" where the
        register was edited, so that none of its lines says anything.
    line : int
        Of the register, from 1: the plan's, or the first that does not follow; 0 for none.
    version : str
        Of the plan.
    date : str
        The day on which it was registered.
    cohort : str
        Hash of the cohort that was registered with it, if any.
    """

    state: str
    line: int = 0
    version: str = ""
    date: str = ""
    cohort: str = ""

    @property
    def good(self) -> bool:
        """Whether the plan is registered as it stands."""
        return self.state == REGISTERED

    def __str__(self) -> str:
        return registration_words(self.state, self.version, self.date, self.line)


def register_beside(plan: Path) -> Path:
    """Return the register of a plan's file.

    Examples
    --------
    >>> register_beside(Path("data/analysis_plan.toml")).name
    'analysis_plan.register'
    """
    return plan.with_suffix(SUFFIX)


def registration_of(sha256: str, register: Path | None) -> Registration:
    """Return what a register says of the plan with a hash.

    Parameters
    ----------
    register : Path or None
        A file that is not there has no line.
    """
    try:
        rows = _rows(register)
    except _EditedError as fault:
        return Registration(BROKEN, fault.line)
    for place, row in enumerate(rows, start=1):
        if row["sha256"] == sha256:
            day = row["registered"][:10]
            return Registration(REGISTERED, place, row["version"], day, row["cohort"])
    return Registration(NOT_REGISTERED)


def registered(
    plan: Mapping[str, str], register: Path, *, cohort: str = "", now: datetime.datetime
) -> Registration:
    """Append a plan to a register, unless it stands there already.

    Parameters
    ----------
    plan : mapping of str to str
        `title`, `version`, `date` and `sha256`.
    register : Path
        Made where it is not there.
    cohort : str
        Hash of the cohort, where it is known beforehand.
    now : datetime
        With its time zone.
    """
    try:
        rows = _rows(register)
    except _EditedError as fault:
        said = Registration(BROKEN, fault.line)
        raise ParameterError(
            f"{register.name}: {said}. Take the register from where it was kept."
        ) from None
    if any(row["sha256"] == plan["sha256"] for row in rows):
        return registration_of(plan["sha256"], register)
    for place, row in enumerate(rows, start=1):
        same = row["version"] == plan["version"]
        if same or row["date"] >= plan["date"]:
            what = f"version {row['version']}" if same else f"a plan dated {row['date']}"
            raise ParameterError(
                f"{register.name} has {what} in line {place}, and this plan says something else: "
                "raise its version and its date."
            )
    moment = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
    if rows and moment < rows[-1]["registered"]:
        raise ParameterError(
            f"{register.name}: line {len(rows)} was registered after now: set the clock right."
        )
    line = {
        **{name: plan[name] for name in ("title", "version", "date", "sha256")},
        "registered": moment, "tfeval": str(import_module("tfeval").__version__),
        "cohort": cohort, "before": rows[-1]["check"] if rows else START,
    }  # fmt: skip
    line["check"] = _check(line)
    with register.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return registration_of(plan["sha256"], register)


def committed(sha256: str, register: Path) -> tuple[str, str] | None:
    """Return the first commit that has a plan's line as it stands, and its date; None for none.

    Parameters
    ----------
    sha256 : str
        Of the plan.
    register : Path
        Where it is in no git work tree, or there is no git, nothing is committed.
    """
    texts = [text for text in _texts(register) if f'"{sha256}"' in text]
    if len(texts) != 1 or texts[0] not in _git(register, "show", f"HEAD:./{register.name}"):
        return None
    log = _git(register, "log", "--reverse", "--format=%h %cs", f"-S{texts[0]}", "--",
               register.name)  # fmt: skip
    first = log[0].split() if log else []
    return (first[0], first[1]) if len(first) == 2 else None


def _git(register: Path, *asked: str) -> list[str]:
    # Fixed arguments but for the register's own name and text; nothing goes through a shell.
    command = ["git", "-C", str(register.resolve().parent), *asked]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []


class _EditedError(Exception):
    """A line that does not follow from the one before it."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _texts(register: Path | None) -> list[str]:
    if register is None or not register.is_file():
        return []
    try:
        return register.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise _EditedError(1) from None


def _rows(register: Path | None) -> list[dict[str, str]]:
    """Return the lines of a register, each checked against its own hash and the line before it."""
    return list(_checked(_texts(register)))


def _checked(texts: list[str]) -> Iterator[dict[str, str]]:
    before, moment, day = START, "", ""
    for place, text in enumerate(texts, start=1):
        row = _read(text)
        if row is None or row["before"] != before or row["check"] != _check(row):
            raise _EditedError(place)
        # Whoever writes the whole chain anew with another order of time is seen as well.
        if row["registered"] < moment or row["date"] <= day:
            raise _EditedError(place)
        before, moment, day = row["check"], row["registered"], row["date"]
        yield row


def _read(text: str) -> dict[str, str] | None:
    try:
        row = json.loads(text)
    except ValueError:
        return None
    good = isinstance(row, dict) and set(row) == set(_TEXTS)
    return row if good and all(isinstance(value, str) for value in row.values()) else None


def _check(row: Mapping[str, Any]) -> str:
    said = {name: row[name] for name in _TEXTS if name != "check"}
    plain = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()
