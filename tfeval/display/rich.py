"""How a result that has no table of its own shows itself in a notebook: what it holds, by name.

One base class for all of them, and one place that says what of each may be seen: no count of a
unit stands here exactly, and no frame of units with its values.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.calls import Checked
from tfeval.display.names import SIMULATED
from tfeval.display.tables import Table, citation, is_source, safe_count, table
from tfeval.display.words import written

_MOST = 12


class Rich(Checked):
    """A result that shows what it holds, as a table, as the last line of a notebook's cell."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # What a class says in lines of its own is said so here.
        lines = getattr(self, "text", None)
        if callable(lines):
            style = "white-space: pre-wrap; font-family: inherit"
            said = str(lines())
            return {"text/html": f'<pre style="{style}">{escape(said)}</pre>', "text/plain": said}
        rows = [f"{name}: {value}" for name, value in facts(self).items()]
        plain = "\n".join([type(self).__name__, *rows])
        return {"text/html": facts_table(self).html(), "text/plain": plain}

    def __repr__(self) -> str:
        # Of dataclasses with repr=False: those whose fields hold counts that may be small.
        return self._repr_mimebundle_()["text/plain"]


class Tabled(Checked):
    """A result that shows its table; `dataclass(repr=False)` leaves its words to it."""

    def table(self) -> Table:
        """Return the result as a table for readers."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def __repr__(self) -> str:
        return self.table().text()


def facts_table(thing: Any) -> Table:
    """Return what a result holds, by the name under which it can be had.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Window(Rich):
    ...     '''A span of time.'''
    ...     months: int
    ...     used: bool = True
    >>> print(facts_table(Window(12)).text())
    A span of time.
    <BLANKLINE>
    Attribute What it holds
       months            12
         used           yes
    """
    kind = type(thing)
    caption = (inspect.getdoc(kind) or kind.__name__).partition("\n")[0]
    notes = [f"{SIMULATED}."] if getattr(thing, "simulated", False) is True else []
    frame = pd.DataFrame(list(facts(thing).items()), columns=["Attribute", "What it holds"])
    return table(frame, caption, notes=notes)


def facts(thing: Any) -> dict[str, str]:
    """Return what a result holds, in words, by the name under which it can be had."""
    own = _OWN.get(type(thing).__name__, _fields)
    return {name: said(value, name) for name, value in own(thing).items()}


def _fields(thing: Any) -> dict[str, Any]:
    return {one.name: getattr(thing, one.name) for one in fields(thing)
            if not one.name.startswith("_")}  # fmt: skip


def said(value: Any, name: str = "") -> str:
    """Return an attribute's value in a few words.

    Examples
    --------
    >>> said(("a", "b")), said(7, "n_treated"), said(pd.DataFrame({"x": [1]})), said(None)
    ('a, b', 'fewer than 10', 'table with x', 'none')
    """
    if name.startswith("n_") and isinstance(value, numbers.Real):
        return safe_count(float(value))
    for kinds, how in _HOW:
        if isinstance(value, kinds):
            return how(value)
    if is_source(value):
        return citation(value).text()
    # Settings within settings are named; of ours, what says itself in words does so.
    if isinstance(own := getattr(value, "name", None), str):
        return own
    kind = type(value)
    ours = kind.__module__.startswith("tfeval") and kind.__str__ is not object.__str__
    return str(value) if ours else kind.__name__


def _number(value: Any) -> str:
    return "not known" if math.isnan(value) else written(value)


def _several(values: Iterable[Any]) -> str:
    every = list(values)
    shown = [said(one) for one in every[:_MOST]]
    more = [f"and {len(every) - _MOST} more"] if len(every) > _MOST else []
    return ", ".join([*shown, *more]) or "none"


def _frame(frame: pd.DataFrame) -> str:
    return f"table with {_several(map(str, frame.columns))}"


#: The first that fits says how: what is long is named, not printed.
_HOW: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (type(None), lambda _value: "none"),
    (str, lambda value: value or "none"),
    (bool, lambda value: "yes" if value else "no"),
    (int, str),
    (numbers.Real, _number),
    (date, str),
    (Path, lambda value: value.name),
    (pd.DataFrame, _frame),
    (pd.Series | pd.Index | np.ndarray, lambda _value: "values"),
    (Mapping, lambda value: _several(map(str, value))),
    (tuple | list | set | frozenset, _several),
)


def _study(thing: Any) -> dict[str, Any]:
    return {
        "n_treated": thing.n_treated,
        "n_comparison": thing.n_comparison,
        "covariates": tuple(dict.fromkeys(one.source for one in thing.covariates.columns)),
        "left_out": thing.left_out,
        "clusters": tuple(thing.clusters),
        "strata_names": thing.strata_names,
        "weight": "none" if thing.weight is None else "sampling weights",
    }


def _cohort(thing: Any) -> dict[str, Any]:
    settings, steps = thing.settings, thing.flow.iloc[-1]
    return {
        "settings": (settings.phase, settings.comparison, settings.treatment),
        "horizons": tuple(f"{months} months" for months in settings.horizons),
        "flow": tuple(f"{safe_count(steps[arm])} {arm}" for arm in ("treated", "comparison")),
        "covariates": tuple(thing.covariates),
        "outcomes(months)": tuple(
            dict.fromkeys(thing.columns.loc[thing.columns["timing"] == "after", "outcome"])
        ) + (("closed",) if thing.closed else ()),
        "left_out": thing.left_out,
    }  # fmt: skip


def _records(thing: Any) -> dict[str, Any]:
    return {
        "source": thing.source, "ends_on": thing.ends_on, "tables": thing.tables,
        "missing": thing.missing, "unknown": thing.unknown,
    }  # fmt: skip


def _simulated(thing: Any) -> dict[str, Any]:
    return {"records": thing.records.tables, "truth": "effects(), by_family(months)",
            "seed": thing.seed}  # fmt: skip


#: Classes of which not all is shown, or more than their attributes.
_OWN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Study": _study,
    "Cohort": _cohort,
    "Records": _records,
    "SimulatedRecords": _simulated,
}
