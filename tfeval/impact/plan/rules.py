"""What an analysis plan may say: every fault of a plan file at once, and its choices in words."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from tfeval.cohort.analysis_table import COMPARISONS, HORIZONS, LEVELS, TREATMENTS
from tfeval.errors import ParameterError, nearest, suggest
from tfeval.impact.inference.rules import ERRORS, columns_of
from tfeval.impact.means.methods import METHODS, OUTCOME_MODELS, logistic_methods
from tfeval.programme.outcomes import cohort_outcomes
from tfeval.programme.phases import CRITERIA

#: Returns what a value should be, empty where it is.
Check = Callable[[Any], str]
#: A section's keys: how a value is checked, and whether it is needed.
Keys = Mapping[str, tuple[Check, bool]]


#: The covariates of a plan: all of a cohort that were measured before the index date.
ALL_BEFORE = "all measured before"
NONE = "none"  # TOML has no word for nothing
CORRECTIONS = ("holm", "benjamini_hochberg", "romano_wolf", NONE)
#: Which outcomes are corrected together: the primary ones of all horizons or of each by itself, or
#: all that are planned.
FAMILIES = ("primary", "primary_by_horizon", "planned")
#: Sections of which a sensitivity analysis may change a part.
VARIED = ("cohort", "covariates", "design", "estimate", "correction")
#: What the section on the design holds beside the settings of `match`.
BESIDE = ("within", "model", "folds", "why")
_SHARED = ("within", "model", "folds", "estimand", "distance", "support", "seed")


def text(value: Any) -> str:
    """Check for a text that is not empty."""
    return "" if isinstance(value, str) and value.strip() else "a text"


def whole(value: Any) -> str:
    """Check for a whole number."""
    return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"


def counting(value: Any) -> str:
    """Check for a whole number from 1."""
    return "a whole number of at least 1" if whole(value) or value < 1 else ""


def flag(value: Any) -> str:
    """Check for true or false."""
    return "" if isinstance(value, bool) else "true or false"


def number(value: Any) -> str:
    """Check for a number; None, which the file writes as "none", is for no limit."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if good or value is None else 'a number, or "none"'


def share(value: Any) -> str:
    """Check for a level of confidence."""
    good = isinstance(value, float) and 0.5 <= value < 1
    return "" if good else "a number from 0.5 to below 1"


def day(value: Any) -> str:
    """Check for a date without a time."""
    good = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return "" if good else "a date such as 2026-11-24, without quotation marks"


def one_of(known: Iterable[str]) -> Check:
    """Return a check for one of some names."""
    names = list(known)

    def check(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return ""
        near = nearest(str(value), names)
        return f"one of {', '.join(names)}" + (f". Did you mean {near}?" if near else "")

    return check


def several(known: Iterable[str | int] | None = None, fewest: int = 0) -> Check:
    """Return a check for a list without repeats, of names or of what is known."""
    names = None if known is None else list(known)

    def check(value: Any) -> str:
        if not isinstance(value, list) or len(value) < fewest:
            return f"a list{f' of at least {fewest}' if fewest else ''}"
        for item in value:
            if isinstance(item, bool) or not isinstance(item, str | int):
                return "a list of names"
            if names is not None and item not in names:
                return f"a list of what is known, and {item} is not. " + suggest(
                    str(item), map(str, names)
                )
        return "a list without repeats" if len(set(value)) < len(value) else ""

    return check


def section_faults(section: str, values: Mapping[str, Any], keys: Keys) -> list[str]:
    """Return what is wrong in one section, in words.

    Examples
    --------
    >>> section_faults("cohort", {"sede": 1}, {"seed": (whole, True)})
    ['cohort.seed is missing.', 'cohort.sede is unknown. Did you mean seed?']
    """
    place = f"{section}." if section else ""
    faults = []
    for name, (check, needed) in keys.items():
        if name in values and (wanted := check(values[name])):
            faults.append(f"{place}{name} should be {wanted.rstrip('?.')}{_end(wanted)}")
        elif needed and name not in values:
            faults.append(f"{place}{name} is missing.")
    unknown = [name for name in values if name not in keys]
    return faults + [f"{place}{name} is unknown. {suggest(name, keys)}" for name in unknown]


def _end(sentence: str) -> str:
    return "?" if sentence.endswith("?") else "."


def _covariates(value: Any) -> str:
    wrong = value != ALL_BEFORE and several(fewest=1)(value)
    return f'"{ALL_BEFORE}", or a list of columns' if wrong else ""


def _sections() -> dict[str, Keys]:
    why, outcomes = {"why": (text, False)}, [row.name for row in cohort_outcomes()]
    return {
        "cohort": {"phase": (one_of(CRITERIA), True), "level": (one_of(LEVELS), True),
                   "comparison": (one_of(COMPARISONS), True),
                   "treatment": (one_of(TREATMENTS), True), "seed": (whole, True), **why},
        "outcomes": {"primary": (several(outcomes, 1), True),
                     "secondary": (several(outcomes), True),
                     "horizons": (several(HORIZONS, 1), True), **why},
        "covariates": {"use": (_covariates, True), "fewest": (counting, False), **why},
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
    faults = [*section_faults("", head, _HEAD), *_analysis_faults(content, sections)]
    faults += [f"{name} is not part of a plan. {suggest(name, [*_HEAD, *parts])}"
              for name in content if name not in _HEAD and name not in parts]  # fmt: skip
    given = content.get("sensitivity", [])
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        return [*faults, "sensitivity is written as [[sensitivity]], once for each analysis."]
    for place, item in enumerate(given, start=1):
        called = f'Sensitivity analysis {place} ("{item.get("name", "without a name")}"): '
        # What is wrong in the main analysis is said once.
        own = [f for f in _sensitivity_faults(content, item, sections) if f not in faults]
        if item.get("name") in [other.get("name") for other in given[: place - 1]]:
            own.append("its name is another's too.")
        faults += [called + fault for fault in own]
    return faults


def _analysis_faults(content: Mapping[str, Any], sections: Mapping[str, Keys]) -> list[str]:
    faults = []
    for section, keys in sections.items():
        values = content.get(section)
        if not isinstance(values, Mapping):
            faults.append(f"The section [{section}] is missing.")
        elif section == "design":
            ours = {name: values[name] for name in keys if name in values}
            wrong = section_faults(section, ours, keys)
            faults += wrong or _match_faults(values)
        else:
            faults += section_faults(section, values, keys)
    return faults or _together(content)


def _sensitivity_faults(
    content: Mapping[str, Any], item: Mapping[str, Any], sections: Mapping[str, Keys]
) -> list[str]:
    keys: dict[str, tuple[Check, bool]] = {"name": (text, True), "why": (text, True)}
    own = {name: value for name, value in item.items() if name not in VARIED}
    changes = {name: value for name, value in item.items() if name in VARIED}
    faults = section_faults("", own, keys)
    faults += [f"{name} is a table, such as {name} = {{ ... }}."
              for name, value in changes.items() if not isinstance(value, Mapping)]  # fmt: skip
    if isinstance(one := changes.get("covariates"), Mapping) and "fewest" in one:
        faults.append("covariates.fewest is that of the main analysis: leave it out.")
    if not changes:
        faults.append(f"it changes nothing; give one of {', '.join(VARIED)}.")
    return faults or _analysis_faults(varied(content, item), sections)


def _together(content: Mapping[str, Any]) -> list[str]:
    """Return what is wrong between values that are each right."""
    outcomes, recipe = content["outcomes"], content["estimate"]
    faults = [f"{name} is a primary and a secondary outcome."
             for name in outcomes["primary"] if name in outcomes["secondary"]]  # fmt: skip
    wanted = columns_of(recipe["errors"])
    if len(recipe["cluster"]) != wanted:
        faults.append(f'estimate.errors = "{recipe["errors"]}" goes with {wanted} columns in '
                     "estimate.cluster.")  # fmt: skip
    if recipe["outcome_model"] not in METHODS[recipe["method"]].outcome_models:
        faults.append(f"estimate.outcome_model = logistic goes with {logistic_methods()}.")
    return faults


def _match_faults(design: Mapping[str, Any]) -> list[str]:
    """Return what `match` would refuse."""
    from tfeval.impact.matching.settings import Settings, settings  # noqa: PLC0415

    options = match_settings(design)
    checks = {bool: flag, float: number, int: whole, str: text}
    kinds = {item.name: type(item.default) for item in fields(Settings)}
    for name, value in options.items():
        check = checks.get(kinds.get(name, object))
        if check is not None and (wanted := check(value)):
            return [f"design.{name} should be {wanted}."]
    try:
        settings(options.pop("method"), options)
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


def plan_lines(content: Mapping[str, Any]) -> list[str]:
    """Return a plan's choices, a line each; its reasons are in the file.

    Parameters
    ----------
    content : mapping
        Of a plan, checked.
    """
    cohort, outcomes, design = content["cohort"], content["outcomes"], content["design"]
    recipe, correction = content["estimate"], content["correction"]
    fixed = {name: one for name, one in _without_why(design).items() if name != "method"}
    lines = [
        f"Primary outcomes: {_list(outcomes['primary'])}",
        f"Secondary outcomes: {_list(outcomes['secondary'])}",
        f"Horizons: {_list(outcomes['horizons'])} months",
        f"Cohort: phase {cohort['phase']}, by {cohort['level']}, comparison group "
        f"{_words(cohort['comparison'])}, treatment {_words(cohort['treatment'])}, "
        f"seed {cohort['seed']}",
        f"Covariates: {_settings(_without_why(content['covariates']))}",
        f"Design: {_words(design['method'])}, {_settings(fixed)}",
        f"Estimate: {_words(recipe['method'])}, {_words(recipe['outcome_model'])} outcome model",
        f"Errors: {_words(recipe['errors'])} {_list(recipe['cluster'])}, level {recipe['level']:g}",
        f"Correction: {_words(correction['method'])}, family {_words(correction['family'])}",
    ]
    for item in content.get("sensitivity", []):
        changes = {
            name: value
            for section, values in item.items() if section not in ("name", "why")
            for name, value in _without_why(values).items()
        }  # fmt: skip
        lines.append(f"Sensitivity analysis, {item['name']}: {_settings(changes)}")
    return lines


def _without_why(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "why"}


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_words(name)} {_list(value)}" for name, value in values.items())


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
