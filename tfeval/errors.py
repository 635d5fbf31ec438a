"""Errors a user can act on: what is wrong, where, and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from numbers import Integral
from typing import ParamSpec, TypeVar

#: What stands for a library's own text, which may hold rows of the records.
NOT_SHOWN = "its own text is withheld"

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


def public_line(fault: BaseException) -> str:
    """Return what may be said of an exception anywhere: this package's own first line, or a type.

    Parameters
    ----------
    fault : BaseException
        What was raised.

    Examples
    --------
    >>> public_line(DataError("Table families: 12 rows without a date. Give each a date."))
    'Table families: 12 rows without a date. Give each a date.'
    >>> public_line(ValueError("could not convert 'Jane Doe, 943 476 5919'"))
    'ValueError; its own text is withheld'
    """
    if isinstance(fault, TfevalError):
        return (str(fault).splitlines() or [type(fault).__name__])[0]
    return f"{type(fault).__name__}; {NOT_SHOWN}"


def in_own_words(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function that reads records say its faults in this package's words alone.

    A library's exception may quote a row, and so may the one it is chained to. Neither leaves:
    what is raised has the frames of the fault, so that it can be found, and none of its text.

    Parameters
    ----------
    what : str
        What failed, as the beginning of a sentence.

    Raises
    ------
    DataError
        In place of any exception that is not this package's own.

    Examples
    --------
    >>> @in_own_words("The extract cannot be read")
    ... def read(row):
    ...     return int(row)
    >>> read("Jane Doe")
    Traceback (most recent call last):
    tfeval.errors.DataError: The extract cannot be read (ValueError; its own text is withheld): \
run tfeval check on it.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def guarded(*args: P.args, **given: P.kwargs) -> R:
            try:
                signature.bind(*args, **given)
            except TypeError:  # a wrong call is no fault of the records: Python says what it is
                return function(*args, **given)
            try:
                return function(*args, **given)
            except TfevalError as own:
                own.__cause__ = own.__context__ = None
                raise
            except Exception as foreign:
                text, place = public_line(foreign), foreign.__traceback__
                full = is_out_of_room(foreign)
            # Raised out here, where nothing of the library's can be chained to it.
            cure = "memory or disk is full, so make room" if full else "run tfeval check on it"
            raise DataError(f"{what} ({text}): {cure}.").with_traceback(place)

        return guarded

    return decorate


def is_out_of_room(fault: BaseException) -> bool:
    """Return whether a library failed because a disk, or memory, is full."""
    short = "memory" in type(fault).__name__.lower()
    return short or "no space left" in str(fault).lower()


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
    near = nearest(name, names)
    return f"Did you mean {near}?" if near else f"Known: {', '.join(names)}."


def check_choice(name: str, given: object, known: Iterable[str]) -> None:
    """Refuse a setting that is none of those on offer.

    Examples
    --------
    >>> check_choice("ties", "frist", ("average", "first"))
    Traceback (most recent call last):
    tfeval.errors.ParameterError: ties 'frist' is not offered. Did you mean first?
    """
    names = list(known)
    if not isinstance(given, str) or given not in names:
        raise ParameterError(f"{name} {given!r} is not offered. {suggest(str(given), names)}")


def check_seed(seed: object) -> None:
    """Refuse a seed that no draw can begin from.

    Examples
    --------
    >>> check_seed(-1)
    Traceback (most recent call last):
    tfeval.errors.ParameterError: seed is a whole number from 0 on, not -1.
    """
    if not isinstance(seed, Integral) or seed < 0:
        raise ParameterError(f"seed is a whole number from 0 on, not {seed!r}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name nearest to one given; empty where none is near.

    Examples
    --------
    >>> nearest("prise_year", ["price_year", "phase"]), nearest("x", ["phase"])
    ('price_year', '')
    """
    lowered = {item.lower(): item for item in known}
    close = get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else ""
