"""An analysis plan in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfeval.impact.plan.analysis_plan import AnalysisPlan


def plan_text(plan: AnalysisPlan) -> str:
    """Return a plan in a few lines, its whole hash last.

    Examples
    --------
    >>> from tfeval.impact.plan.analysis_plan import read_plan
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
        f"{_words(cohort['comparison'])}, seed {cohort['seed']}",
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
