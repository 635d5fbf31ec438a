"""A plan before the outcomes: what was to be estimated, how, and what was not planned."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.display.plans import SHORT, show_plan
from tfeval.errors import ParameterError
from tfeval.impact.plan.deviations import MAIN, Analysis, measure_and_months
from tfeval.impact.plan.file import FILE, content_hash, load_plan
from tfeval.impact.plan.rules import plan_faults, varied

if TYPE_CHECKING:
    from tfeval.impact.effects.effects import Effects


@dataclass(frozen=True, eq=False)
class AnalysisPlan:
    """What was to be estimated, and how, before outcomes were seen. Made by `read_plan`.

    Attributes
    ----------
    title, version : str
    date : datetime.date
        Of this version.
    primary, secondary : tuple of str
        Outcomes, by measure: "offences", not "offences_12".
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
        """Return "primary", "secondary" or "exploratory" for an outcome, with or without months.

        Examples
        --------
        >>> plan = read_plan()
        >>> plan.role("offences_12"), plan.role("sessions_possible")
        ('primary', 'exploratory')
        """
        name = measure_and_months(outcome)[0]
        if name in self.primary:
            return "primary"
        return "secondary" if name in self.secondary else "exploratory"

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
            A measure, or a cohort's column such as "offences_12". What is not given is not
            looked at.
        months : int, optional
            Horizon; the one in an outcome's name comes first.
        comparison : str, optional
        design : mapping, optional
            Settings of `match`, such as {"caliper": 0.2}, with `within`, `model` and `folds`.
        method, errors : str, optional
            Of `estimate`, by name or in the words of a table of effects.
        **more
            `phase`, `rows` ("family" or "person"), `cohort_seed`, `population`, `level`,
            `outcome_model`, `cluster`, `covariates`, `correction`.

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
            Column `planned` filled in; departures, sensitivity analyses and planned primary
            outcomes that are absent in the notes; the plan in `settings["plan"]`. In a notebook
            the cell's outputs say so too, and from there the report's page and manifest.
        """
        from tfeval.impact.plan.marks import marked, plan_summary  # noqa: PLC0415

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
        name, own = measure_and_months(outcome) if outcome is not None else ("", None)
        months = months if own is None else own
        found = []
        if name and self.role(name) == "exploratory":
            found.append("outcome: not among those planned")
        if months is not None and months not in self.horizons:
            planned = " or ".join(map(str, self.horizons))
            found.append(f"months: {months}, where {planned} were planned")
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
