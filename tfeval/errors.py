"""Errors a user can act on: what is wrong, where, and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class TfevalError(Exception):
    """The family of all errors that are the input's fault and not the program's.

    The command line prints the message alone and exits with a non-zero status;
    a notebook shows it under the cell that asked.
    """


class DataError(TfevalError):
    """A table that breaks its own definition: table, column and count of rows, never a value."""


class SourceError(TfevalError):
    """A figure without a source, or one whose status bars it from results."""


class ParameterError(TfevalError):
    """A report parameter that is unknown, of the wrong type, or out of its range."""


class ReportError(TfevalError):
    """A report that cannot be run or published."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest known name, or lists them all.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What could have been given.

    Examples
    --------
    >>> suggest("prise_year", ["price_year", "phase"])
    'Did you mean price_year?'
    >>> suggest("x", ["phase", "price_year"])
    'Known: phase, price_year.'
    """
    names = sorted(known)
    lowered = {item.lower(): item for item in names}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {lowered[close[0]]}?"
    return f"Known: {', '.join(names)}."


def names_settings(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function refuse an unknown setting with the nearest known one.

    Examples
    --------
    >>> @names_settings
    ... def weigh(study, *, estimand="ATT"):
    ...     return estimand
    >>> weigh("a study", estimant="ATE")
    Traceback (most recent call last):
    tfeval.errors.ParameterError: weigh takes no estimant. Did you mean estimand?
    """
    known = list(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> R:
        for name in given:
            if name not in known:
                raise ParameterError(f"{function.__name__} takes no {name}. {suggest(name, known)}")
        return function(*args, **given)

    return checked
