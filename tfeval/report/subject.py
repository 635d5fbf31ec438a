"""What a recorded value is about, and what a page that is running is about."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from tfeval.errors import TfevalError
from tfeval.report.gathering import gathered
from tfeval.report.parameters import declared

#: The parameter that the runner sets says where records are, not what they are about.
NO_SUBJECT = "records"
_AREA, EXTRACT = "local_authority", "extract"
#: What only chooses what a page shows of what is known of all.
PLACES = (_AREA, "region")
#: Extracts of simulated records: made on the spot, and any that was opened and says so.
SIMULATED = {"simulated"}
_OWN = ("phase", *PLACES, "horizon", "price_year")


@dataclass(frozen=True)
class Subject:
    """For whom, when and from what a value is.

    Attributes
    ----------
    phase : str
        "one", "two"; empty where a value is of neither or both.
    area : str
        Official name of the authority, or "all"; empty for a value of the nation that no choice
        of an authority changes.
    region : str
        Official name of the region; empty for a value of no one region.
    population : str
        Whose value it is, in words; empty where the name of the record says so.
    horizon : int or None
        Months after the index date.
    price_year : int or None
        Financial year of prices, by its first calendar year.
    basis : {"published", "simulated", "extract"}
        What it is made from.
    choices : tuple of (parameter, value)
        All other parameters that it was made with, sorted; an extract by its name and a hash of
        where it lies.
    """

    phase: str = ""
    area: str = ""
    region: str = ""
    population: str = ""
    horizon: int | None = None
    price_year: int | None = None
    basis: str = "published"
    choices: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, parameters: object = None, population: str = "") -> Subject:
        """Return the subject of a notebook's parameters.

        Parameters
        ----------
        parameters : Subject, mapping or dataclass, optional
            Names and values; missing and empty ones are left out.
        population : str, default ""

        Raises
        ------
        TfevalError
            If it is none of these.

        Examples
        --------
        >>> Subject.of({"phase": "one", "price_year": 2024, "extract": "simulated"}).basis
        'simulated'
        """
        if isinstance(parameters, Subject):
            return parameters
        if is_dataclass(parameters) and not isinstance(parameters, type):
            parameters = {item.name: getattr(parameters, item.name) for item in fields(parameters)}
        if parameters is not None and not isinstance(parameters, Mapping):
            kind = type(parameters).__name__
            raise TfevalError(
                f"A subject is made from a mapping of parameters or a specification, not a {kind}."
            )
        given = {
            str(name): told(str(name), value)
            for name, value in (parameters or {}).items()
            if value not in (None, "") and name != NO_SUBJECT
        }
        basis = "published"
        if EXTRACT in given:
            basis = "simulated" if given[EXTRACT] in SIMULATED else "extract"
        months, year = given.get("horizon"), given.get("price_year")
        return cls(
            phase=str(given.get("phase", "")), area=str(given.get(_AREA, "")),
            region=str(given.get("region", "")), population=population,
            horizon=None if months is None else int(months),
            price_year=None if year is None else int(year), basis=basis,
            choices=tuple(sorted((n, v) for n, v in given.items() if n not in _OWN)),
        )  # fmt: skip

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Subject:
        """Return the subject that `written` wrote."""
        choices = tuple(sorted(dict(content.get("choices", {})).items()))
        return cls(**{**content, "choices": choices})

    def written(self) -> dict[str, Any]:
        """Return the subject as JSON can hold it, without what is empty."""
        fields = asdict(self) | {"choices": dict(self.choices)}
        return {name: value for name, value in fields.items() if value not in ("", None, {})}

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that the subject is made of, by name."""
        own = {"phase": self.phase, _AREA: self.area, "region": self.region,
               "horizon": self.horizon, "price_year": self.price_year}  # fmt: skip
        return {name: value for name, value in own.items() if value} | dict(self.choices)

    def joined(self, other: Subject) -> Subject:
        """Return this subject with what the other says beside it; where both speak, this one's."""
        joint = Subject.of({**other.parameters(), **self.parameters()}, self.population)
        made = next((one.basis for one in (self, other) if one.basis != "published"), "published")
        return replace(joint, basis=made)

    def differences(self, wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Return the parameters with another value than asked: what is held, and what is asked.

        Examples
        --------
        >>> Subject.of({"phase": "one", "horizon": 12}).differences({"phase": "two", "caliper": 1})
        {'phase': ('one', 'two')}
        """
        own_values = self.parameters()
        return {
            name: (own_values[name], value)
            for name, value in wanted.items()
            if name in own_values and str(own_values[name]) != str(value)
        }


#: What the running page has read so far, by notebook, and from where: it rests on all of it.
READ: dict[str, tuple[Subject, str | Path]] = {}


def simulated_extract(extract: str) -> None:
    """Note that an extract that was opened holds simulated records."""
    SIMULATED.add(told(EXTRACT, extract))


def told(name: str, value: Any) -> Any:
    """Return a parameter's value as it may be told: of an extract its name and a hash of its place.

    Examples
    --------
    >>> told("extract", "/secure/place/records")
    'records#7945313723f8'
    >>> told("extract", "simulated"), told("horizon", 12)
    ('simulated', 12)
    """
    if name != EXTRACT or value in SIMULATED:
        return value
    text = str(value)
    if re.fullmatch(r"[^/\\]*#[0-9a-f]{12}", text):  # told already
        return text
    return f"{PurePath(text).name}#{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def shell() -> Any:
    """Return the notebook's IPython shell; None in a process without one."""
    # A process without IPython should not pay for importing it.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def page_parameters() -> dict[str, Any]:
    """Return the parameters of the notebook that is running; none outside a notebook.

    Read from the cells that ran, since a later cell may give a parameter's name to something else:
    the last cell of typed literals, and what papermill set after it. What a cell changed by hand
    counts where it is of the parameter's type.
    """
    if (here := gathered()) is not None:
        return {name: value for name, value in here.parameters.items() if name != NO_SUBJECT}
    running = shell()
    if running is None:
        return {}
    names = getattr(running, "user_ns", {})
    parameters = parameters_among([str(text) for text in names.get("In", ())])
    if (
        not parameters
    ):  # a kernel that was asked to keep no history: then known parameters as they are
        known = (*declared(), *PLACES, EXTRACT, "audit")
        parameters = {name: names[name] for name in known
                 if isinstance(names.get(name), str | int | float)}  # fmt: skip
    for name, value in parameters.items():
        now = names.get(name, value)
        if type(now) is type(value) or (_number(now) and _number(value)):
            parameters[name] = now
    return {name: value for name, value in parameters.items() if name != NO_SUBJECT}


def page_subject() -> Subject:
    """Return what the running page is about: its parameters, and what the records it read are."""
    joint = Subject.of(page_parameters())
    for made, _ in READ.values():
        joint = joint.joined(made)
    return joint


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parameters_among(cells: Iterable[str]) -> dict[str, Any]:
    """Return the parameters that cells set, in the order in which they ran.

    Examples
    --------
    >>> parameters_among(['phase: str = "one"  # phase', "import tfeval as tf",
    ...                   '# Parameters' + chr(10) + 'phase = "two"'])
    {'phase': 'two'}
    """
    parameters: dict[str, Any] = {}
    for text in cells:
        injected = text.startswith("# Parameters")
        if not injected and ": " not in text:
            continue
        try:
            lines = ast.parse(text).body
            values = dict(_literal(line, injected) for line in lines)
        except (SyntaxError, ValueError, TypeError):
            continue
        if values:
            parameters = parameters | values if injected else values
    return parameters


def _literal(line: ast.stmt, injected: bool) -> tuple[str, Any]:
    """Return the name and value of one line of parameters; anything else raises ValueError."""
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
        return line.target.id, ast.literal_eval(line.value)
    if injected and isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
        return line.targets[0].id, ast.literal_eval(line.value)
    raise ValueError


def refusal(notebook: str, different: Mapping[str, tuple[Any, Any]]) -> str:
    """Return the one line with which a page refuses records of another subject.

    Parameters
    ----------
    notebook : str
        Whose records they are.
    different : mapping of parameter to (held, asked)

    Examples
    --------
    >>> print(refusal("04_impact", {"phase": ("one", "two")}))  # doctest: +ELLIPSIS
    04_impact has records of phase one and this page asks for phase two: run it with what it ...
    """
    recorded, here = (
        " and ".join(f"{name} {pair[end]}" for name, pair in different.items()) for end in (0, 1)
    )
    page = Path(os.environ.get("JPY_SESSION_NAME", "")).stem or "NOTEBOOK"
    options = " ".join(f'-p {name}="{pair[1]}"' for name, pair in different.items())
    return (
        f"{notebook} has records of {recorded} and this page asks for {here}: run it with what it "
        f"reads by `tfeval run {page} {options}`, or ask for {recorded} here."
    )
