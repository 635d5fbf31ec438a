"""What an analysis plan may say: every fault of a plan file, found at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tfeval.cohort.settings import COMPARISONS, HORIZONS, LEVELS
from tfeval.errors import ParameterError, suggest
from tfeval.impact.plan.checks import (
    Check,
    Keys,
    day,
    flag,
    number,
    one_of,
    section_faults,
    several,
    share,
    text,
    whole,
)
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.programme.phases import CRITERIA

ALL_BEFORE = "all measured before"
NONE = "none"  # TOML has no word for nothing
CORRECTIONS = ("holm", "benjamini_hochberg", "romano_wolf", NONE)
FAMILIES = ("primary", "planned")
#: Sections of which a sensitivity analysis may change a part.
VARIED = ("cohort", "covariates", "design", "estimate", "correction")
#: What the section on the design holds beside the settings of `match`.
BESIDE = ("within", "model", "folds", "why")
_SHARED = ("within", "model", "folds", "estimand", "distance", "support", "seed")


def _covariates(value: Any) -> str:
    wrong = value != ALL_BEFORE and several(fewest=1)(value)
    return f'"{ALL_BEFORE}", or a list of columns' if wrong else ""


def _sections() -> dict[str, Keys]:
    from tfeval.impact.effects.estimate import METHODS, OUTCOME_MODELS  # noqa: PLC0415
    from tfeval.impact.inference.inference import ERRORS  # noqa: PLC0415

    why, outcomes = {"why": (text, False)}, [row.name for row in cohort_outcomes()]
    return {
        "cohort": {"phase": (one_of(CRITERIA), True), "level": (one_of(LEVELS), True),
                   "comparison": (one_of(COMPARISONS), True), "seed": (whole, True), **why},
        "outcomes": {"primary": (several(outcomes, 1), True),
                     "secondary": (several(outcomes), True),
                     "horizons": (several(HORIZONS, 1), True), **why},
        "covariates": {"use": (_covariates, True), **why},
        "design": {"method": (text, True), "within": (several(), True),
                   "model": (one_of(["logit"]), True), "folds": (whole, True), **why},
        "estimate": {"method": (one_of(METHODS), True),
                     "outcome_model": (one_of(OUTCOME_MODELS), True),
                     "errors": (one_of(ERRORS), True), "cluster": (several(), True),
                     "level": (share, True), **why},
        "correction": {"method": (one_of(CORRECTIONS), True),
                       "family": (one_of(FAMILIES), True), **why},
    }  # fmt: skip


_HEAD: Keys = {
    "title": (text, True), "version": (text, True), "date": (day, True), "known": (text, False),
}  # fmt: skip


def plan_faults(content: Mapping[str, Any]) -> list[str]:
    """Return every fault of a plan, in words; none for a good one.

    Parameters
    ----------
    content : mapping
        As read from TOML.

    Examples
    --------
    >>> plan_faults({"titel": "Effects"})[-1]
    'titel is not part of a plan. Did you mean title?'
    """
    sections = _sections()
    parts = (*sections, "sensitivity")
    head = {name: value for name, value in content.items() if name in _HEAD}
    found = [*section_faults("", head, _HEAD), *_analysis_faults(content, sections)]
    found += [f"{name} is not part of a plan. {suggest(name, [*_HEAD, *parts])}"
              for name in content if name not in _HEAD and name not in parts]  # fmt: skip
    given = content.get("sensitivity", [])
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return [*found, "sensitivity is written as [[sensitivity]], once for each analysis."]
    for place, item in enumerate(given, start=1):
        called = f'Sensitivity analysis {place} ("{item.get("name", "without a name")}"): '
        # What is wrong in the main analysis is said once.
        own = [f for f in _sensitivity_faults(content, item, sections) if f not in found]
        if item.get("name") in [other.get("name") for other in given[: place - 1]]:
            own.append("its name is another's too.")
        found += [called + fault for fault in own]
    return found


def _analysis_faults(content: Mapping[str, Any], sections: Mapping[str, Keys]) -> list[str]:
    found = []
    for section, keys in sections.items():
        held = content.get(section)
        if not isinstance(held, Mapping):
            found.append(f"The section [{section}] is missing.")
        elif section == "design":
            ours = {name: held[name] for name in keys if name in held}
            wrong = section_faults(section, ours, keys)
            found += wrong or _match_faults(held)
        else:
            found += section_faults(section, held, keys)
    return found or _together(content)


def _sensitivity_faults(
    content: Mapping[str, Any], item: Mapping[str, Any], sections: Mapping[str, Keys]
) -> list[str]:
    keys: dict[str, tuple[Check, bool]] = {"name": (text, True), "why": (text, True)}
    own = {name: value for name, value in item.items() if name not in VARIED}
    changes = {name: value for name, value in item.items() if name in VARIED}
    found = section_faults("", own, keys)
    found += [f"{name} is a table, such as {name} = {{ ... }}."
              for name, value in changes.items() if not isinstance(value, Mapping)]  # fmt: skip
    if not changes:
        found.append(f"it changes nothing; give one of {', '.join(VARIED)}.")
    return found or _analysis_faults(varied(content, item), sections)


def _together(content: Mapping[str, Any]) -> list[str]:
    """Return what is wrong between values that are each right."""
    from tfeval.impact.inference.inference import columns_of  # noqa: PLC0415

    outcomes, asked = content["outcomes"], content["estimate"]
    found = [f"{name} is a primary and a secondary outcome."
             for name in outcomes["primary"] if name in outcomes["secondary"]]  # fmt: skip
    wanted = columns_of(asked["errors"])
    if len(asked["cluster"]) != wanted:
        found.append(f'estimate.errors = "{asked["errors"]}" goes with {wanted} columns in '
                     "estimate.cluster.")  # fmt: skip
    if asked["outcome_model"] == "logistic" and asked["method"] not in (
        "adjusted",
        "doubly_robust",
    ):
        found.append("estimate.outcome_model = logistic goes with adjusted or doubly_robust.")
    return found


def _match_faults(design: Mapping[str, Any]) -> list[str]:
    """Return what `match` would refuse."""
    from tfeval.impact.matching.settings import Settings, settings  # noqa: PLC0415

    asked = match_settings(design)
    checks = {bool: flag, float: number, int: whole, str: text}
    kinds = {item.name: type(item.default) for item in fields(Settings)}
    for name, value in asked.items():
        check = checks.get(kinds.get(name, object))
        if check is not None and (wanted := check(value)):
            return [f"design.{name} should be {wanted}."]
    try:
        settings(asked.pop("method"), asked)
    except ParameterError as fault:
        return [f"design: {fault}"]
    except (TypeError, AttributeError):
        return ["design: a list, table or number stands where another is needed."]
    return []


def match_settings(design: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan's section on the design says in the words of `match`.

    Examples
    --------
    >>> match_settings({"method": "nearest", "caliper": "none", "model": "logit"})
    {'method': 'nearest', 'caliper': None}
    """
    plain = {name: value for name, value in design.items() if name not in BESIDE}
    read = {name: None if value == NONE else value for name, value in plain.items()}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in read.items()}


def varied(content: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's content with what a sensitivity analysis changes.

    A design of another method takes over only what all methods have.

    Examples
    --------
    >>> varied({"cohort": {"phase": "one", "seed": 1}}, {"cohort": {"seed": 2}})
    {'cohort': {'phase': 'one', 'seed': 2}}
    """
    made = {name: value for name, value in content.items() if name != "sensitivity"}
    for section in VARIED:
        if not isinstance(new := change.get(section), Mapping):
            continue
        old = made.get(section)
        old = dict(old) if isinstance(old, Mapping) else {}
        if section == "design" and new.get("method", old.get("method")) != old.get("method"):
            old = {name: old[name] for name in _SHARED if name in old}
        made[section] = {**old, **new}
    return made
