"""A plan before the outcomes: what was to be estimated, how, and what was not planned."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.display.figures import SHORT, show_plan
from tfeval.errors import ParameterError
from tfeval.impact.plan.deviations import MAIN, Analysis, shown
from tfeval.impact.plan.rules import plan_faults, varied
from tfeval.paths import project_folder

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


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

    Raises
    ------
    ParameterError
        If there is no such file, or it is not TOML.
    """
    # A notebook runs in a folder of its own; a file is named from where the report was started.
    start = Path(os.environ.get("TFEVAL_STARTED_IN", "."))
    own = path is None or path == "project"
    place = project_folder("data") / FILE if own else start / str(path)
    if not place.is_file():
        raise ParameterError(f"There is no plan {FILE if own else path}: name a TOML file.")
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ParameterError(f"{place.name} is not TOML: {fault}.") from None


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
class AnalysisPlan:
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
            `level`, `outcome_model`, `cluster`, `covariates`, `correction`.

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

    def mark(self, effects: Effects) -> Effects:
        """Say of each effect whether it was planned.

        Parameters
        ----------
        effects : Effects
            As from `estimate`. What cannot be seen from it, such as the comparison group of a
            study that was not made from a cohort, does not count as planned.

        Returns
        -------
        Effects
            Column `planned` filled in, and `role` added; departures, sensitivity analyses and
            planned primary outcomes that are absent in the notes; the plan in
            `settings["plan"]`. In a notebook the cell's outputs say so too, and from there the
            report's page and manifest.
        """
        from tfeval.impact.plan.deviations import marked, plan_summary  # noqa: PLC0415

        made, said = marked(self, effects)
        show_plan({**self.as_dict(), **said}, f"{self}: {plan_summary(said)}")
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
        asked = self._asked(outcome, months)
        departures = self.main.departures(done, whole=whole)
        if not departures:
            return ("" if asked else MAIN), asked
        for name, analysis in self.sensitivity.items():
            if not analysis.departures(done, whole=whole):
                return ("" if asked else name), asked
        return "", [*asked, *departures]

    def _asked(self, outcome: str | None, months: Any) -> list[str]:
        found = []
        if outcome is not None and self.role(outcome) == "exploratory":
            found.append("outcome: not among those planned")
        if months is not None and months not in self.horizons:
            planned = " or ".join(map(str, self.horizons))
            found.append(f"months: {shown(months)}, where {planned} were planned")
        return found


def read_plan(path: str | Path | None = None) -> AnalysisPlan:
    """Read an analysis plan, checked in every value.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; by default, and for "project", the project's `data/analysis_plan.toml`.

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
    made = AnalysisPlan(
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
    )
    show_plan(made.as_dict(), str(made))
    return made


def plan_text(plan: AnalysisPlan) -> str:
    """Return a plan in a few lines, its whole hash last.

    Examples
    --------
    >>> plan_text(read_plan()).splitlines()[1]
    'Primary outcomes: absence, offences, asb incidents, out of work'
    """
    head = f"{plan.title}, version {plan.version} of {plan.date.isoformat()}"
    return "\n".join([head, *plan_lines(plan.content), f"SHA-256: {plan.hash}"])


def plan_lines(content: Mapping[str, Any]) -> list[str]:
    """Return a plan's choices, a line each; its reasons are in the file.

    Parameters
    ----------
    content : mapping
        Of a plan, checked.
    """
    cohort, outcomes, design = content["cohort"], content["outcomes"], content["design"]
    asked, correction = content["estimate"], content["correction"]
    fixed = {name: value for name, value in design.items() if name not in ("method", "why")}
    lines = [
        f"Primary outcomes: {_list(outcomes['primary'])}",
        f"Secondary outcomes: {_list(outcomes['secondary'])}",
        f"Horizons: {_list(outcomes['horizons'])} months",
        f"Cohort: phase {cohort['phase']}, by {cohort['level']}, comparison group "
        f"{_words(cohort['comparison'])}, treatment {_words(cohort['treatment'])}, "
        f"seed {cohort['seed']}",
        f"Covariates: {_list(content['covariates']['use'])}",
        f"Design: {_words(design['method'])}, {_settings(fixed)}",
        f"Estimate: {_words(asked['method'])}, {_words(asked['outcome_model'])} outcome model",
        f"Errors: {_words(asked['errors'])} {_list(asked['cluster'])}, level {asked['level']:g}",
        f"Correction: {_words(correction['method'])} over {correction['family']} outcomes",
    ]
    for item in content.get("sensitivity", []):
        changes = {
            name: value
            for section, held in item.items()
            if section not in ("name", "why")
            for name, value in held.items()
            if name != "why"
        }
        lines.append(f"Sensitivity analysis, {item['name']}: {_settings(changes)}")
    return lines


def _settings(held: Mapping[str, Any]) -> str:
    return ", ".join(f"{_words(name)} {_list(value)}" for name, value in held.items())


def _list(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _settings(value) or "none"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_words(item) for item in value) or "none"
    return _words(value)


def _words(value: Any) -> str:
    return str(value).replace("_", " ")
