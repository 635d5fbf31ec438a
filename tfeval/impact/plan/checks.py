"""Checks of single values of an analysis plan: each returns what a value should be."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tfeval.errors import suggest

#: Returns what a value should be, empty where it is.
Check = Callable[[Any], str]
#: A section's keys: how a value is checked, and whether it is needed.
Keys = Mapping[str, tuple[Check, bool]]


def text(value: Any) -> str:
    """Check for a text that is not empty."""
    return "" if isinstance(value, str) and value.strip() else "a text"


def whole(value: Any) -> str:
    """Check for a whole number."""
    return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"


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
        near = suggest(str(value), names)
        # `suggest` lists all where none is near: that is said already.
        more = f". {near}" if near.startswith("Did") else ""
        return f"one of {', '.join(names)}{more}"

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


def section_faults(section: str, held: Mapping[str, Any], keys: Keys) -> list[str]:
    """Return what is wrong in one section, in words.

    Examples
    --------
    >>> section_faults("cohort", {"sede": 1}, {"seed": (whole, True)})
    ['cohort.seed is missing.', 'cohort.sede is unknown. Did you mean seed?']
    """
    place = f"{section}." if section else ""
    found = []
    for name, (check, needed) in keys.items():
        if name in held and (wanted := check(held[name])):
            found.append(f"{place}{name} should be {wanted.rstrip('?.')}{_end(wanted)}")
        elif needed and name not in held:
            found.append(f"{place}{name} is missing.")
    unknown = [name for name in held if name not in keys]
    return found + [f"{place}{name} is unknown. {suggest(name, keys)}" for name in unknown]


def _end(sentence: str) -> str:
    return "?" if sentence.endswith("?") else "."
