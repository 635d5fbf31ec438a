"""A plan before the outcomes: what was to be estimated, how, and what was not planned."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.display.figures import SHORT, show_plan
from tfeval.display.plan_words import plan_summary, shown
from tfeval.display.rich import Rich
from tfeval.errors import ParameterError
from tfeval.impact.plan.deviations import MAIN, Analysis
from tfeval.impact.plan.register import (
    Registration,
    committed,
    register_beside,
    registered,
    registration_of,
)
from tfeval.impact.plan.rules import plan_faults, plan_lines, varied
from tfeval.impact.study.study import FEWEST
from tfeval.settings import project_folder

if TYPE_CHECKING:
    from tfeval.impact.design.design import Design
    from tfeval.impact.effects.effects import Effects
    from tfeval.impact.means.outcomes import Outcomes


# The file of an analysis plan: found, read, and turned into what its hash is taken of.

FILE = "analysis_plan.toml"
#: Lists whose order says nothing.
_SETS = ("primary", "secondary", "horizons", "use", "within", "cluster", "on")


def load_plan(path: str | Path | None = None) -> Mapping[str, Any]:
    """Return a plan file's content, not yet checked.

    Parameters
    ----------
    path : str or Path, optional
        By default, and for "project", the project's own.
    """
    place = _place(path)
    if not place.is_file():
        own = path is None or path == "project"
        raise ParameterError(f"There is no plan {FILE if own else path}: name a TOML file.")
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ParameterError(f"{place.name} is not TOML: {fault}.") from None


def _place(path: str | Path | None) -> Path:
    # A notebook runs in a folder of its own; a file is named from where the report was started.
    start = Path(os.environ.get("TFEVAL_STARTED_IN", "."))
    own = path is None or path == "project"
    return project_folder("data") / FILE if own else start / str(path)


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of what a plan says.

    Taken of JSON without spaces, keys in order. Comments, spacing, the order of keys, the order
    within lists that are sets, and where a text is broken into lines do not count.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2.0}) == content_hash({"b": 2, "a": 1})
    True
    """
    plain = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(value: Any, key: str = "") -> Any:
    """Return a value as JSON has it, the same for all ways of writing the same."""
    if isinstance(value, Mapping):
        return {name: _plain(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(inner) for inner in value]
        return sorted(items, key=str) if key in _SETS else items
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, datetime.date):
        return value.isoformat()
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: What an outcome is in a plan, the most important first.
ROLES = ("primary", "secondary", "exploratory")


@dataclass(frozen=True, eq=False)
class AnalysisPlan(Rich):
    """What was to be estimated, and how, before outcomes were seen. Made by `read_plan`.

    Attributes
    ----------
    title, version : str
    date : datetime.date
        Of this version.
    primary, secondary : tuple of str
        Outcomes, as in `tfeval.programme.outcomes`.
    horizons : tuple of int
        Months after the index date.
    main : Analysis
        Cohort, covariates, design, estimator, errors.
    sensitivity : dict of str to Analysis
        What was planned beside it, by name.
    correction : dict of str to str
        For many outcomes: `method` and `family`.
    content : mapping
        As read.
    register : Path or None
        The file in which it is looked for; None for none.
    """

    title: str
    version: str
    date: datetime.date
    primary: tuple[str, ...]
    secondary: tuple[str, ...]
    horizons: tuple[int, ...]
    main: Analysis
    sensitivity: Mapping[str, Analysis]
    correction: Mapping[str, str]
    content: Mapping[str, Any] = field(repr=False)
    register: Path | None = field(default=None, repr=False)

    @property
    def registration(self) -> Registration:
        """What the register says of the plan as it stands: `good`, and in words.

        Examples
        --------
        >>> str(read_plan().registration)[:22]
        'registered as version '
        """
        return registration_of(content_hash(self.content), self.register)

    def check_registered(self) -> None:
        """Refuse a plan that is not registered as it stands.

        Raises
        ------
        ParameterError
        """
        said = self.registration
        if not said.good:
            raise ParameterError(
                f"{self.title}, version {self.version}, is {said}. Register it (tfeval plan "
                "register), or open outcomes without it: families.open()."
            )

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of what the plan says.

        See `content_hash`: comments and spacing do not count, every choice does.
        """
        return content_hash(self.content)

    @property
    def short_hash(self) -> str:
        """The first digits of the hash."""
        return self.hash[:SHORT]

    def role(self, outcome: str) -> str:
        """Return "primary", "secondary" or "exploratory" for an outcome.

        Examples
        --------
        >>> plan = read_plan()
        >>> plan.role("offences"), plan.role("sessions_possible")
        ('primary', 'exploratory')
        """
        if outcome in self.primary:
            return "primary"
        return "secondary" if outcome in self.secondary else "exploratory"

    def covers(
        self,
        *,
        outcome: str | None = None,
        months: int | None = None,
        comparison: str | None = None,
        design: Mapping[str, Any] | None = None,
        method: str | None = None,
        errors: str | None = None,
        **more: Any,
    ) -> list[str]:
        """Return how an estimate departs from the plan, in words; empty if it was planned.

        Parameters
        ----------
        outcome : str, optional
            By its name, such as "offences". What is not given is not looked at.
        months : int, optional
            Horizon.
        comparison : str, optional
        design : mapping, optional
            Settings of `match`, such as {"caliper": 0.2}, with `within`, `model` and `folds`.
        method, errors : str, optional
            Of `estimate`.
        **more
            `phase`, `treatment`, `rows` ("family" or "person"), `cohort_seed`, `population`,
            `level`, `outcome_model`, `cluster`, `covariates`, `fixed_covariates`, `correction`,
            `family`, `correction_drawn`, `errors_drawn`.

        Returns
        -------
        list of str
            Departures from the main analysis; none if a sensitivity analysis of the plan is
            exactly this.

        Raises
        ------
        ParameterError
            If there is no such thing to look at.

        Examples
        --------
        >>> plan = read_plan()
        >>> plan.covers(outcome="offences", months=12, comparison="waiting")
        []
        >>> plan.covers(outcome="offences", months=24)
        ['months: 24, where 12 or 18 were planned']
        """
        done = {"comparison": comparison, "design": design, "method": method, "errors": errors}
        given = {name: value for name, value in {**done, **more}.items() if value is not None}
        return self.compare(outcome, months, given)[1]

    def mark(
        self,
        effects: Effects,
        *,
        design: Design | None = None,
        outcomes: Outcomes | None = None,
    ) -> Effects:
        """Say of each effect whether it was planned.

        Parameters
        ----------
        effects : Effects
            As from `estimate`. What cannot be seen from it, such as the comparison group of a
            study that was not made from a cohort, does not count as planned.
        design, outcomes
            As `estimate(..., plan=plan)` gives them, to be compared with the cohort, value by
            value. Effects that were estimated without the plan are traced to no cohort.

        Returns
        -------
        Effects
            Column `planned` filled in, and `role` added; departures, sensitivity analyses and
            planned primary outcomes that are absent in the notes; the plan in
            `settings["plan"]`. In a notebook the cell's outputs say so too, and from there the
            report's page and manifest.
        """
        from tfeval.impact.plan.deviations import marked  # noqa: PLC0415
        from tfeval.impact.plan.trace import traced  # noqa: PLC0415

        own = _made(self.content, self.register)
        changed = ["plan: changed after it was read"] * (not _alike(own, self))
        if design is not None and outcomes is not None:
            fewest = own.content["covariates"].get("fewest", FEWEST)
            trace = traced(own.hash, effects, design, outcomes, fewest=fewest)
            effects = replace(effects, settings={**effects.settings, "trace": trace})
        made, said = marked(own, effects, self, changed)
        show_plan({**own.as_dict(), **said}, f"{own}: {plan_summary(said)}")
        return made

    def as_dict(self) -> dict[str, str]:
        """Return what names the plan: title, version, date and hash."""
        when = self.date.isoformat()
        return {"title": self.title, "version": self.version, "date": when, "sha256": self.hash}

    def __str__(self) -> str:
        return f"Analysis plan: {self.title}, version {self.version}, SHA-256 {self.short_hash}"

    def compare(
        self, outcome: str | None, months: Any, done: Mapping[str, Any], *, whole: bool = False
    ) -> tuple[str, list[str]]:
        """Return which analysis of the plan this is, empty for none, and the departures.

        Parameters
        ----------
        outcome, months, done
            As in `covers`.
        whole : bool
            Whether `done` holds the whole design: a setting it lacks is then a departure.
        """
        reasons = self._questions(outcome, months)
        departures = self.main.departures(done, whole=whole)
        if not departures:
            return ("" if reasons else MAIN), reasons
        for name, analysis in self.sensitivity.items():
            if not analysis.departures(done, whole=whole):
                return ("" if reasons else name), reasons
        return "", [*reasons, *departures]

    def _questions(self, outcome: str | None, months: Any) -> list[str]:
        reasons = []
        if outcome is not None and self.role(outcome) == "exploratory":
            reasons.append("outcome: not among those planned")
        if months is not None and months not in self.horizons:
            planned = " or ".join(map(str, self.horizons))
            reasons.append(f"months: {shown(months)}, where {planned} were planned")
        return reasons


def read_plan(
    path: str | Path | None = None, *, register: str | Path | None = None
) -> AnalysisPlan:
    """Read an analysis plan, checked in every value.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; by default, and for "project", the project's `data/analysis_plan.toml`.
    register : str or Path, optional
        The file in which it is looked for; by default `analysis_plan.register` beside it.

    Returns
    -------
    AnalysisPlan

    Raises
    ------
    ParameterError
        If it is missing or at fault; the message has every fault.

    References
    ----------
    Rubin (2007), The design versus the analysis of observational studies for causal effects,
    Statistics in Medicine 26(1): design without sight of outcomes.

    Examples
    --------
    >>> plan = read_plan()
    >>> plan.horizons, plan.main.cohort["comparison"], len(plan.hash)
    ((12, 18), 'not_yet_treated', 64)
    """
    content = load_plan(path)
    if faults := plan_faults(content):
        name = FILE if path in (None, "project") else Path(str(path)).name
        raise ParameterError(f"{name}: {' '.join(faults)}")
    made = _made(content, register_beside(_place(path)) if register is None else Path(register))
    show_plan(made.as_dict(), str(made))
    return made


def register_plan(
    path: str | Path | None = None,
    *,
    register: str | Path | None = None,
    cohort: str = "",
) -> Registration:
    """Write a plan into its register: one line with its hash, chained to the line before it.

    A line shows that the plan was written before whatever came after it, as far as nobody wrote
    the whole file anew; committed to git, it has a date that others hold too.

    Parameters
    ----------
    path, register
        As `read_plan` takes them.
    cohort : str
        Hash of the cohort (`families.hash`), where that is known beforehand: effects of another
        one are then exploratory.

    Returns
    -------
    Registration
        Of the line that was there already, if the plan was registered.

    Raises
    ------
    ParameterError
        If the plan is at fault; if the register has its version, or a date that is not before
        its, with another content; or if the register was edited.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> str(register_plan(register=Path(mkdtemp()) / "plans.register"))[-26:]
    'in line 1, unchanged since'
    """
    plan = read_plan(path, register=register)
    now = datetime.datetime.now(datetime.UTC)
    return registered(plan.as_dict(), plan.register or Path(), cohort=cohort, now=now)


def _made(content: Mapping[str, Any], register: Path | None) -> AnalysisPlan:
    return AnalysisPlan(
        title=content["title"],
        version=content["version"],
        date=content["date"],
        primary=tuple(content["outcomes"]["primary"]),
        secondary=tuple(content["outcomes"]["secondary"]),
        horizons=tuple(sorted(content["outcomes"]["horizons"])),
        main=Analysis.of(content),
        sensitivity={
            item["name"]: Analysis.of(varied(content, item))
            for item in content.get("sensitivity", [])
        },
        correction={name: content["correction"][name] for name in ("method", "family")},
        content=content,
        register=register,
    )


def _alike(one: AnalysisPlan, other: AnalysisPlan) -> bool:
    """Return whether a plan still says what its content, and its hash when read, say."""
    names = ("title", "version", "date", "primary", "secondary", "horizons", "correction", "hash")
    analyses = [
        {MAIN: vars(plan.main), **{name: vars(item) for name, item in plan.sensitivity.items()}}
        for plan in (one, other)
    ]
    same = all(getattr(one, name) == getattr(other, name) for name in names)
    return same and analyses[0] == analyses[1]


def plan_text(plan: AnalysisPlan) -> str:
    """Return a plan in a few lines, its registration and its whole hash last.

    Examples
    --------
    >>> plan_text(read_plan()).splitlines()[1]
    'Primary outcomes: absence, offences, asb incidents, out of work'
    """
    head = f"{plan.title}, version {plan.version} of {plan.date.isoformat()}"
    said = f"{str(plan.registration).capitalize()}."
    if plan.registration.good and plan.register is not None:
        # A commit is held by others too; a page does not say it, since not every copy knows it.
        commit = committed(plan.hash, plan.register)
        said += " Its line is not committed to git." if commit is None else (
            f" Its line was committed to git as {commit[0]} on {commit[1]}."
        )  # fmt: skip
    return "\n".join([head, *plan_lines(plan.content), said, f"SHA-256: {plan.hash}"])
