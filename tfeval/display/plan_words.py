"""What is said of a table of effects that was held to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfeval.display.names import NOT_KNOWN, plain

_SHOWN = 12


def shown(value: Any) -> str:
    """Return a value of a plan, or what was done in its place, as text."""
    if isinstance(value, tuple | list):
        more = f" and {len(value) - 5} more" if len(value) > 5 else ""
        return ", ".join(map(str, value[:5])) + more or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == NOT_KNOWN:
        return "none" if value is None else plain(NOT_KNOWN)
    return str(value)


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

    notes = list(said.get("standing", ()))
    notes += [f'Planned as sensitivity analysis "{name}": {which(what)}.'
             for name, what in said["sensitivity"].items()]  # fmt: skip
    notes += [f"Exploratory, not planned: {which(item['what'])} ({item['why']})."
              for item in said["reasons"]]  # fmt: skip
    if said["absent"]:
        notes.append(f"Planned primary outcomes that are not here: {listed(said['absent'])}.")
    return notes


def listed(names: list[str]) -> str:
    """Return names as they stand in a sentence, the first of many.

    Examples
    --------
    >>> listed(["absence", "offences"])
    'absence, offences'
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
