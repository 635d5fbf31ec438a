"""Recorded values: the facts that later chapters quote and tests check, each with its subject."""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.display.words import fact, marked, settled, significant, unmarked
from tfeval.errors import ReportError, TfevalError, suggest
from tfeval.report.gathering import gathered
from tfeval.report.notebook_parts import frame_of, tables_of
from tfeval.report.subject import (
    PLACES,
    READ,
    Subject,
    page_parameters,
    page_subject,
    parameters_among,
    refusal,
    shell,
)
from tfeval.settings import project_folder

if TYPE_CHECKING:
    import pandas as pd

RECORD_MIME = "application/vnd.tfeval.record+json"
#: Significant digits of numbers in a stored notebook that a rerun is compared on.
_COMPARED = 6

_seen: dict[str, tuple[Record, tuple[str, int]]] = {}


@dataclass(frozen=True)
class Record:
    """One recorded fact.

    Attributes
    ----------
    name : str
        What it is; unique in its notebook.
    value : float, int, str or bool
        Not rounded, beyond the last digits that hang on the processor.
    unit : str
        "£", "£ for each £1", "%", "probability", "families"; empty for a pure number or text.
    digits : int or None
        Significant digits of its words; None for what the unit asks for.
    low, high : float or None
        Its interval.
    source : str
        Where it was published; empty where it is computed.
    subject : Subject
        For whom, when and from what it is.
    notebook : str
        Whose record it is; empty on that notebook's own page.
    """

    name: str
    value: float | int | str | bool
    unit: str = ""
    digits: int | None = None
    low: float | None = None
    high: float | None = None
    source: str = ""
    subject: Subject = field(default_factory=Subject)
    notebook: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return the value with its unit, rounded once, as it is written in a sentence."""
        return fact(self.value, self.unit, self.digits)

    def __format__(self, spec: str) -> str:
        """Return the words in a sentence, marked as this record's; "short" leaves the unit out."""
        words = fact(self.value, self.unit, self.digits, short=spec == "short")
        return marked(f"{self.notebook}/{self.name}".lstrip("/"), words)

    @property
    def number(self) -> float:
        """The value to calculate with; ReportError where it is none."""
        if isinstance(self.value, str | bool):
            raise ReportError(f"The record {self.name} is text: nothing is calculated from it.")
        return float(self.value)

    def end(self, side: str) -> Record:
        """Return one end of the interval, "low" or "high", as a fact of its own."""
        value = getattr(self, side)
        if value is None:
            raise ReportError(f"The record {self.name} has no interval.")
        return replace(self, name=f"{self.name}.{side}", value=value, low=None, high=None)

    def interval(self) -> str:
        """Return "value (low to high)", marked, without the unit's words."""
        return f"{self:short} ({self.end('low'):short} to {self.end('high'):short})"

    def ends(self) -> str:
        """Return "low to high", marked; the value alone where both ends read the same."""
        low, high = self.end("low"), self.end("high")
        return f"{self}" if str(low) == str(high) else f"{low} to {high}"

    def text(self) -> str:
        """Return "name: value unit"."""
        if self.low is None or self.high is None:
            return f"{self.name}: {self!s}"
        return f"{self.name}: {self!s} ({self.end('low')!s} to {self.end('high')!s})"

    def content(self) -> dict[str, Any]:
        """Return the record as JSON can hold it, without what is empty."""
        fields = {name: getattr(self, name) for name in _KEPT}
        given = {name: value for name, value in fields.items() if value not in ("", None)}
        subject = self.subject.written()
        return {"name": self.name, "value": self.value, "unit": self.unit, **given} | (
            {"subject": subject} if subject else {})  # fmt: skip


_KEPT = ("digits", "low", "high", "source")


def from_content(content: Mapping[str, Any], notebook: str = "") -> Record:
    """Return the record that `Record.content` wrote."""
    subject = Subject.read(content.get("subject", {}))
    return Record(**{**content, "subject": subject, "notebook": notebook})


class Records(Mapping[str, Record]):
    """The records of one notebook by name; a missing name raises an error that suggests another.

    Parameters
    ----------
    notebook : str
    records : mapping of str to Record
    tables : mapping of str to dict, optional
    parameters : mapping, optional
        The parameters of the page that reads. A record of another subject is not among them.
    """

    def __init__(
        self,
        notebook: str,
        records: Mapping[str, Record],
        tables: Mapping[str, Mapping[str, Any]] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.notebook = notebook
        self._all = {name: replace(item, notebook=notebook) for name, item in records.items()}
        self._tables = dict(tables or {})
        self._parameters = dict(parameters or {})
        self._records = {
            name: item for name, item in self._all.items()
            if not item.subject.differences(self._parameters)
        }  # fmt: skip

    def __getitem__(self, name: str) -> Record:
        if name in self._all and name not in self._records:
            other = self._all[name].subject.differences(self._parameters)
            raise TfevalError(refusal(f"{self.notebook}, {name},", other))
        if name not in self._records:
            known = suggest(name, self._records) if self._records else "It recorded nothing."
            raise TfevalError(f"{self.notebook} has no record {name}. {known}")
        return self._records[name]

    @property
    def subject(self) -> Subject:
        """All that the notebook's facts rest on together."""
        joint = Subject()
        for item in self._all.values():
            joint = joint.joined(item.subject)
        for content in self._tables.values():
            joint = joint.joined(Subject.read(content.get("subject", {})))
        return joint

    def of(self, **parameters: object) -> Records:
        """Return the records of another subject, named on purpose: another phase's, say."""
        return Records(self.notebook, self._all, self._tables, self._parameters | parameters)

    def table(self, name: str) -> pd.DataFrame:
        """Return a recorded table.

        Raises
        ------
        TfevalError
            If the notebook recorded no such table, or it is of another subject.
        """
        if name not in self._tables:
            known = suggest(name, self._tables) if self._tables else "It recorded none."
            raise TfevalError(f"{self.notebook} has no table {name}. {known}")
        other = Subject.read(self._tables[name].get("subject", {})).differences(self._parameters)
        if other:
            raise TfevalError(refusal(f"{self.notebook}, {name},", other))
        return frame_of(self._tables[name])

    # Mapping's own versions expect a KeyError.
    def __contains__(self, name: object) -> bool:
        return name in self._records

    def get(self, name: str, default: Any = None) -> Any:
        """Return the record, or `default` where there is none of this subject."""
        return self._records.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return "\n".join(record.text() for record in self._records.values())


def record(
    name: str,
    value: Any,
    unit: str = "",
    *,
    digits: int | None = None,
    interval: tuple[float, float] | None = None,
    source: str = "",
    subject: object = None,
) -> None:
    """Display a fact so that later chapters can read it and tests can check it.

    Parameters
    ----------
    name : str
        What it is; unique in the notebook.
    value : int, float, str or bool
        Not rounded: words are rounded once, on the page that shows them.
    unit : str, default ""
        "families", "£", "%", "probability".
    digits : int, optional
        Significant digits of its words.
    interval : tuple of float, optional
        Both ends.
    source : str, optional
        Where it was published.
    subject : Subject, mapping or dataclass, optional
        What it is about; by default the notebook's own parameters and what it has read. A
        published figure that hangs on few of these names those, as ``{"phase": phase}``.

    Raises
    ------
    ReportError
        If the name has another value already, or the value is not a finite number, text or
        True/False.

    Examples
    --------
    >>> record("claimed_families", 116654, "families", subject={"phase": "one"})
    claimed_families: 116,654 families
    """
    keep(
        make_record(
            name, value, unit, digits=digits, interval=interval, source=source, subject=subject
        )
    )


def keep(made: Record) -> None:
    """Display a record that was made before, so that it is kept; as `record` does."""
    if (here := gathered()) is not None:
        here.records[made.name] = made.content()
        return
    name, place = made.name, _place()
    before, earlier = _seen.get(name, (made, place))
    cell_ran_again = earlier[0] == place[0] and earlier[1] != place[1]
    if before != made and not cell_ran_again:
        raise ReportError(
            f'The record {name} has the value "{before!s}" already and cannot also be "{made!s}": '
            "give the second one a name of its own."
        )
    _seen[name] = (made, place)
    _display(made)


def make_record(
    name: str,
    value: Any,
    unit: str = "",
    *,
    digits: int | None = None,
    interval: tuple[float, float] | None = None,
    source: str = "",
    subject: object = None,
) -> Record:
    """Return a checked record without showing it; parameters as of `record`.

    Examples
    --------
    >>> made = make_record("share", 609 / 650, digits=3)
    >>> made.value, str(made)
    (0.936923076923, '0.937')
    """
    if not name or name.strip() != name:
        raise ReportError("A record needs a name without spaces around it.")
    if type(value).__name__ in ("bool", "bool_"):  # numpy's too, by its old and new name
        value = bool(value)
    if not isinstance(value, bool | str | numbers.Real):
        raise ReportError(
            f"The record {name} is a {type(value).__name__}: record a number, text or True/False."
        )
    numeric = [value, *(interval or ())]
    if any(isinstance(one, numbers.Real) and not math.isfinite(one) for one in numeric):
        raise ReportError(f"The record {name} is not a finite number: check what it is made from.")
    low, high = (float(settled(end)) for end in interval) if interval else (None, None)
    about = page_subject() if subject is None else Subject.of(subject)
    return Record(name, _stable(value), unit, digits, low, high, source, about)


def _stable(value: Any) -> Any:
    if isinstance(value, str):
        return unmarked(value)
    if isinstance(value, bool | numbers.Integral):
        return value if isinstance(value, bool) else int(value)
    return settled(float(value))


def _place() -> tuple[str, int]:
    """Return the running cell and its execution, which tell a second run from a second use."""
    running = shell()
    if running is None or not hasattr(running, "get_parent"):
        return "", 0
    cell = running.get_parent().get("metadata", {}).get("cellId", "")
    return cell, running.execution_count if cell else 0


def _display(made: Record) -> None:
    if shell() is None:
        print(made.text())  # noqa: T201
        return
    from IPython.display import display  # noqa: PLC0415

    whole = made.content()
    # A rerun elsewhere is compared on what is shown; all digits stand beside it.
    shown = {name: significant(item, _COMPARED) for name, item in whole.items()}
    display(
        {RECORD_MIME: shown, "text/plain": made.text()}, metadata={RECORD_MIME: whole}, raw=True
    )


def read_records(notebook: str, folder: str | Path = "stored", subject: object = None) -> Records:
    """Read what a notebook recorded, and refuse it where it is not about what this page is.

    Parameters
    ----------
    notebook : str
        Its name, with or without .ipynb.
    folder : str or Path, default "stored"
        "stored" for the outputs kept inside the project's notebook; else the folder of a report,
        or several joined as paths are, of which the first that has the notebook counts.
    subject : Subject, mapping or dataclass, optional
        What the page is about; by default the parameters of the notebook that reads.

    Returns
    -------
    Records
        Name to `Record`.

    Raises
    ------
    TfevalError
        If the notebook or its records are not there; if it was run on another value of a
        parameter of this page, or of one that other records of this page rest on.
    """
    name = notebook.removesuffix(".ipynb")
    wanted = page_parameters() if subject is None else Subject.of(subject).parameters()
    records, tables, ran = _content(name, folder)
    # An authority chooses what a page shows; of which area a record is, its own subject says.
    others = {key: value for key, value in wanted.items() if key not in PLACES}
    other = Subject.of(ran).differences(others)
    # What was run without a choice is not what a page that makes one asks for.
    other |= {
        key: ("none", others[key]) for key, value in ran.items()
        if value in (None, "") and others.get(key) not in (None, "")
    }  # fmt: skip
    if other:
        raise TfevalError(refusal(name, other))
    made = Records(name, records, tables, others)
    # A page rests on all that it reads; a script compares as it likes.
    if shell() is not None and gathered() is None:
        _rest_on(name, made.subject, folder)
    return made


def _rest_on(name: str, made: Subject, folder: str | Path) -> None:
    """Note what a page reads; refuse what rests on other choices than what it has read."""
    for before in [key for key in READ if key != name]:
        differing = _told_apart(READ[before][0], made)
        if differing:  # unless that was run again since
            where = READ[before][1]
            subject = Records(before, *_content(before, where)[:2]).subject
            READ[before] = (subject, where)
            differing = _told_apart(subject, made)
        if differing:
            raise TfevalError(
                f"{name} rests on {differing} as {before} does: run both on the same parameters, "
                "by `tfeval run` of the page that reads them."
            )
    READ[name] = (made, folder)


def _told_apart(before: Subject, made: Subject) -> str:
    # Another phase's or area's facts are told apart when they are read.
    other = before.differences(made.parameters())
    return " and ".join(
        f"{key} {pair[1]} and not {pair[0]}" for key, pair in other.items()
        if key not in ("phase", *PLACES)
    )  # fmt: skip


_Content = tuple[dict[str, Record], Mapping[str, Any], Mapping[str, Any]]


def _content(name: str, folder: str | Path) -> _Content:
    return _stored(name) if str(folder) == "stored" else _in_report(name, folder)


def _stored(name: str) -> _Content:
    path = project_folder("notebooks") / f"{name}.ipynb"
    known = [item.stem for item in path.parent.glob("*.ipynb")]
    if not path.is_file():
        raise TfevalError(f"There is no stored notebook {name}. {suggest(name, known)}")
    content = json.loads(path.read_text(encoding="utf-8"))
    cells = ["".join(cell.get("source", "")) for cell in content.get("cells", [])]
    return records_of(content, name), tables_of(content, name), parameters_among(cells)


def _in_report(name: str, folder: str | Path) -> _Content:
    folders = [Path(part) for part in str(folder).split(os.pathsep)]
    places = [part / name / "records.json" for part in folders]
    path = next((each for each in places if each.is_file()), places[0])
    if not path.is_file():
        known = sorted(item.parent.name for part in folders for item in part.glob("*/records.json"))
        raise TfevalError(
            f"The report has no records of {name}: run that notebook first. {suggest(name, known)}"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = {row["name"]: from_content(row, name) for row in content["records"]}
    return rows, content.get("tables", {}), content.get("parameters", {})


def records_of(notebook: Mapping[str, Any], name: str = "the notebook") -> dict[str, Record]:
    """Return the records among a notebook's outputs.

    Parameters
    ----------
    notebook : mapping
        The notebook's JSON content.
    name : str
        For messages.

    Raises
    ------
    ReportError
        If a name has two values.
    """
    records: dict[str, Record] = {}
    for cell in notebook.get("cells", []):
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(RECORD_MIME)
            if content is None:
                continue
            made = from_content(output.get("metadata", {}).get(RECORD_MIME, content))
            if records.setdefault(made.name, made) != made:
                raise ReportError(f"{name} records {made.name} twice with different values.")
    return records
