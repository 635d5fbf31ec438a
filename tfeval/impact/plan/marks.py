"""Which effects of a table were planned, and how the others depart from the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import pandas as pd

from tfeval.impact.effects.effects import Effects
from tfeval.impact.plan.deviations import MAIN, NOT_KNOWN, Covered, design_names

_SHOWN = 12
#: What a plan fixes of a single effect.
_ROW = ("population", "method", "outcome_model", "errors", "cluster")


class Plan(Protocol):
    """What is needed of an `AnalysisPlan`."""

    @property
    def primary(self) -> tuple[str, ...]:
        """Outcomes that are primary."""

    @property
    def horizons(self) -> tuple[int, ...]:
        """Months after the index date."""

    def role(self, outcome: str) -> str:
        """Return "primary", "secondary" or "exploratory"."""

    def compare(
        self, outcome: str | None, months: Any, done: Mapping[str, Any], *, whole: bool = False
    ) -> tuple[str, list[str]]:
        """Return which analysis this is, and how it departs."""

    def as_dict(self) -> dict[str, str]:
        """Return what names the plan."""


def marked(plan: Plan, effects: Effects) -> tuple[Effects, dict[str, Any]]:
    """Return effects with `planned` and `role` filled in and notes, and what is to be said of them.

    Parameters
    ----------
    plan : Plan
    effects : Effects

    Returns
    -------
    marked : Effects
    said : dict
        `planned`: labels of effects as in the main analysis; `sensitivity`: by name, labels;
        `exploratory`: labels; `reasons`: list of {`why`, `what`}, an effect once for each reason;
        `absent`: planned primary outcomes that are not here, at the horizons that are.
    """
    common = done_by(effects)
    left_out = ["units of the cohort were left out before the design"] * _lacks(effects)
    planned: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    exploratory: list[str] = []
    flags: list[bool] = []
    for row in _rows(effects):
        name, months = _which(row)
        own = {name: row[name] for name in _ROW}
        which, why = plan.compare(name, months, {**common, **own}, whole=True)
        why = [*why, *left_out]
        for reason in why:
            reasons.setdefault(reason, []).append(_label(row))
        (exploratory if why else planned.setdefault(which, [])).append(_label(row))
        flags.append(not why)
    said = {
        "planned": planned.pop(MAIN, []),
        "sensitivity": planned,
        "exploratory": exploratory,
        "reasons": [{"why": why, "what": what} for why, what in reasons.items()],
        "absent": _absent(plan, effects),
    }
    notes = (f"{plan}.", *plan_notes(said))
    names = effects.frame["outcome"]
    roles = [plan.role(str(name)) for name in names]
    groups = {
        name: f"{role.capitalize()} outcomes" for name, role in zip(names, roles, strict=True)
    }
    # A table that is marked again, such as after a correction, says it once.
    earlier = effects.settings.get("plan", {}).get("notes", ())
    made = replace(
        effects,
        frame=effects.frame.assign(planned=pd.array(flags, dtype="boolean"), role=roles),
        notes=(*(note for note in effects.notes if note not in earlier), *notes),
        settings={**effects.settings, "groups": groups, "plan": {**plan.as_dict(), "notes": notes}},
    )
    return made, said


def done_by(effects: Effects) -> dict[str, Any]:
    """Return what a table of effects tells of how it was made; what it does not, is not known."""
    held = effects.settings
    cohort: Mapping[str, Any] = held.get("cohort") or {}
    done = {
        "phase": cohort.get("phase", NOT_KNOWN),
        "comparison": cohort.get("comparison", NOT_KNOWN),
        "rows": cohort.get("level", NOT_KNOWN),
        "cohort_seed": cohort.get("seed", NOT_KNOWN),
        "level": effects.level,
        "design": {name: held[name] for name in design_names() if name in held},
        "covariates": Covered(
            held.get("covariates", ()),
            held.get("covariates_not_used"),
            held.get("covariates_added", ()),
        ),
    }
    corrected = held.get("correction")
    if corrected is not None:  # most tables are corrected after they are marked
        method = corrected.get("method") if isinstance(corrected, Mapping) else corrected
        done["correction"] = method
    return done


def plan_summary(said: Mapping[str, Any]) -> str:
    """Return in one line how many effects were planned.

    Examples
    --------
    >>> plan_summary({"planned": ["a"], "sensitivity": {}, "exploratory": ["b"]})
    '1 of 2 effects as planned, 1 exploratory'
    """
    checks = sum(len(what) for what in said["sensitivity"].values())
    others = len(said["exploratory"])
    parts = [f"{len(said['planned'])} of {len(said['planned']) + checks + others} effects as "
             "planned"]  # fmt: skip
    parts += [f"{checks} in planned sensitivity analyses"] if checks else []
    return ", ".join([*parts, *([f"{others} exploratory"] if others else [])])


def plan_notes(said: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know of a table held to a plan, a sentence each.

    Examples
    --------
    >>> plan_notes({"planned": ["a"], "sensitivity": {}, "exploratory": ["b"], "absent": [],
    ...             "reasons": [{"why": "months: 24, where 12 was planned", "what": ["b"]}]})
    ['Exploratory, not planned: b (months: 24, where 12 was planned).']
    """
    checks = sum(len(what) for what in said["sensitivity"].values())
    rows = len(said["planned"]) + checks + len(said["exploratory"])

    def which(what: list[str]) -> str:
        return "all effects here" if len(what) == rows else listed(what)

    found = [f'Planned as sensitivity analysis "{name}": {which(what)}.'
             for name, what in said["sensitivity"].items()]  # fmt: skip
    found += [f"Exploratory, not planned: {which(item['what'])} ({item['why']})."
              for item in said["reasons"]]  # fmt: skip
    if said["absent"]:
        found.append(f"Planned primary outcomes that are not here: {listed(said['absent'])}.")
    return found


def listed(names: list[str]) -> str:
    """Return names as they stand in a sentence, the first of many.

    Examples
    --------
    >>> listed(["absence", "offences"])
    'absence, offences'
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _rows(effects: Effects) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in effects.frame.to_dict("records")]


def _lacks(effects: Effects) -> bool:
    cohort = effects.settings.get("cohort") or {}
    return "units" in cohort and effects.settings.get("study_units") != cohort["units"]


def _which(row: Mapping[str, Any]) -> tuple[str, Any]:
    months = row["months"]
    return str(row["outcome"]), NOT_KNOWN if pd.isna(months) else int(months)


def _label(row: Mapping[str, Any]) -> str:
    name, months = _which(row)
    text = name.replace("_", " ") + ("" if months == NOT_KNOWN else f" at {months} months")
    return text if row["population"] == "all" else f"{text}, {row['population']}"


def _absent(plan: Plan, effects: Effects) -> list[str]:
    here = {_which(row) for row in _rows(effects)}
    spans = sorted({months for _, months in here if months in plan.horizons})
    return [f"{name.replace('_', ' ')} at {months} months"
            for months in spans for name in plan.primary if (name, months) not in here]  # fmt: skip
