"""What is chosen, the calls that it stands for, and what they made, kept while it stays the same.

The calls that are shown are the ones that run: there is no second way to a result.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from threading import RLock, Timer
from typing import Any

import tfeval
from tfeval.cohort.analysis_table import COMPARISONS, HORIZONS
from tfeval.cohort.cohort import count_ahead
from tfeval.errors import DataError, ParameterError, TfevalError, suggest
from tfeval.impact.plan.analysis_plan import load_plan
from tfeval.impact.specification import Specification
from tfeval.programme.claims import authorities, local_authority
from tfeval.programme.outcomes import outcome_label, reported_outcomes
from tfeval.records.store import Records

#: In place of one outcome: all that may be shown, or the primary ones of the project's plan.
EVERY, PRIMARY = "all", "primary"
ALL_AREAS = "all"
#: The comparison group that lives in other authorities.
ELSEWHERE = "other_authorities"
#: Results kept of each call: a choice gone back to is there at once.
KEPT = 32
#: The design that takes longest. It and the neighbours of what is shown are made ahead for up to
#: so many units, after so many seconds of peace.
SLOW, MANY, PAUSE = "boosted", 50_000, 1.0
#: One thread at a time: neither the engine's connection nor a drawing is for two.
WORKING = RLock()


@dataclass(frozen=True)
class Choice:
    """One analysis.

    Attributes
    ----------
    extract : str
        "simulated", or a folder or DuckDB file.
    specification : Specification
        Phase, comparison group, treatment, horizon, design, caliper, estimator.
    local_authority : str
        An upper-tier authority's name, or "all".
    outcome : str
        A name of the registry, "primary" or "all".
    added : tuple of (str, str)
        Covariates added, each with its expression.
    """

    extract: str = "simulated"
    specification: Specification = field(default_factory=Specification)
    local_authority: str = ALL_AREAS
    outcome: str = PRIMARY
    added: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "local_authority", local_authority(self.local_authority))
        known = (PRIMARY, EVERY, *reported_outcomes())
        if self.outcome not in known:
            near = suggest(self.outcome, known)
            raise ParameterError(f"There is no outcome {self.outcome}. {near}")

    def but(self, changes: Mapping[str, Any]) -> Choice:
        """Return the choice with some of it changed, settings of the specification too.

        Examples
        --------
        >>> Choice().but({"caliper": 0.1, "outcome": "offences"}).specification.caliper
        0.1
        """
        own = {one.name for one in fields(self)}
        inside = {name: value for name, value in changes.items() if name not in own}
        if unknown := set(inside) - {one.name for one in fields(Specification)}:
            known = own | {one.name for one in fields(Specification)}
            name = sorted(unknown)[0]
            raise ParameterError(f"There is no choice {name}. {suggest(name, known)}")
        direct = {name: value for name, value in changes.items() if name in own}
        return replace(self, specification=replace(self.specification, **inside), **direct)


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes
    ----------
    name : str
        What its result is called.
    call : str
        Python, in which the names of the steps before may stand.
    needs : tuple of str
        Which do.
    counted_for : tuple of str
        Phase and treatment for which records are counted once, ahead of a cohort.
    """

    name: str
    call: str
    needs: tuple[str, ...] = ()
    counted_for: tuple[str, ...] = ()

    def line(self) -> str:
        """Return it as a line of code."""
        return f"{self.name} = {self.call}"


def steps(choice: Choice) -> dict[str, Step]:
    """Return the calls that a choice stands for, in order, by what their results are called.

    Examples
    --------
    >>> print(steps(Choice())["design"].line())
    design = tf.design(study, "nearest", caliper=0.2)
    """
    spec = choice.specification
    months = spec.horizon
    settings = ", ".join(f"{name}={_code(value)}" for name, value in spec.cohort.items())
    families = f"tf.cohort(records, {settings})"
    if choice.added:
        listed = ", ".join(f"{_code(name)}: {_code(text)}" for name, text in choice.added)
        families = f"tf.add_covariates({families}, {{{listed}}})"
    subset = _subset(choice)
    listed_steps = [
        Step("records", f"tf.records_of({_code(choice.extract)}, {_code(spec.phase)})"),
        Step(
            "families",
            families,
            ("records",),
            (spec.phase, spec.treatment),
        ),
        Step(
            "study",
            f"tf.study(families, months={months}{subset}).named(families.labels)",
            ("families",),
        ),
        Step(
            "design", f"tf.design(study, {_code(spec.design)}, caliper={spec.caliper})", ("study",)
        ),
        Step("balance", "tf.balance(design)", ("design",)),
        # Outcomes recorded for fewer than ten families of a group are left out here.
        Step(
            "outcomes",
            f"tf.chapters.impact.outcomes_shown(families, design, {months})",
            ("families", "design"),
        ),
        Step(
            "effects",
            f"tf.estimate(design, outcomes{_selected(choice.outcome)}, months={months}, "
            f"method={_code(spec.estimator)})",
            ("design", "outcomes"),
        ),
    ]
    return {step.name: step for step in listed_steps}


def neighbours(choice: Choice) -> list[Choice]:
    """Return the choices that differ by comparison group or by horizon alone.

    Examples
    --------
    >>> [one.specification.horizon for one in neighbours(Choice())]
    [12, 12, 12, 6, 18, 24]
    """
    values: dict[str, Collection[Any]] = {"comparison": COMPARISONS, "horizon": HORIZONS}
    return [
        choice.but({name: value})
        for name, every in values.items()
        for value in every
        if value != getattr(choice.specification, name)
    ]


def _subset(choice: Choice) -> str:
    if choice.local_authority == ALL_AREAS:
        return ""
    codes = {name: code for code, name in authorities().items()}
    inside = f"local_authority == '{codes[choice.local_authority]}'"
    # Of one authority the families on the programme; whom they are compared with live elsewhere.
    elsewhere = "treated == 0 or " if choice.specification.comparison == ELSEWHERE else ""
    return f", subset={_code(elsewhere + inside)}"


def _code(value: object) -> str:
    """Return a value as code, texts in double quotes where they can be."""
    text = repr(value)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def _selected(outcome: str) -> str:
    if outcome == EVERY:
        return ""
    if outcome == PRIMARY:
        return f".filter([{', '.join(_code(name) for name in _planned())}])"
    return f"[[{_code(outcome)}]]"


@lru_cache(maxsize=1)
def _planned() -> tuple[str, ...]:
    # Read, not taken up: nothing here is held to a plan.
    return tuple(load_plan()["outcomes"]["primary"])


class Results:
    """Results of calls, each made once for as long as its call and those it needs stay the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._coming: dict[tuple[str, ...], Future[Any]] = {}
        self._timer: Timer | None = None

    def look_ahead(self, choice: Choice) -> None:
        """Have the design that takes longest made while the reader looks, if it is not there.

        It is the same call, made in a thread of its own once nothing was chosen for a moment.
        """
        self.look_here()
        self._timer = Timer(PAUSE, self._make_slow, [choice.but({"design": SLOW})])
        self._timer.daemon = True
        self._timer.start()

    def look_here(self) -> None:
        """Begin nothing ahead: another choice was made."""
        if self._timer is not None:
            self._timer.cancel()

    def _make_slow(self, choice: Choice) -> None:
        every = steps(choice)
        key, study = self._key(every, "design"), self._key(every, "study")
        made: Future[Any] = Future()
        with WORKING:
            if key in self._kept or self._coming or not self.holds_few(choice):
                return
            records = self._kept[study]
            self._coming[key] = made
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        try:
            with threadpool_limits(1, "openmp"):  # of this thread: a core stays for the reader
                made.set_result(eval(every["design"].call, {"tf": tfeval, "study": records}))
        except Exception as fault:
            made.set_exception(fault)
        with WORKING:
            if made.exception() is None:
                self._kept[key] = made.result()
            del self._coming[key]

    def of(self, choice: Choice, name: str) -> Any:
        """Return the result of one step.

        Raises
        ------
        TfevalError
            If it cannot be made of these records.
        """
        with WORKING:
            if name == "effects":
                self._refuse_lacking(choice)
            return self._made(steps(choice), name)

    def holds(self, choice: Choice, name: str) -> bool:
        """Return whether the result of one step is there already."""
        return self._key(steps(choice), name) in self._kept

    def holds_few(self, choice: Choice) -> bool:
        """Return whether the study is there, and small enough for work ahead."""
        study = self._kept.get(self._key(steps(choice), "study"))
        return study is not None and len(study.treated) <= MANY

    def _key(self, every: Mapping[str, Step], name: str) -> tuple[str, ...]:
        return name, *(every[one].call for one in _all_needs(every, name))

    def _refuse_lacking(self, choice: Choice) -> None:
        outcomes = self._made(steps(choice), "outcomes")
        if choice.outcome in (EVERY, PRIMARY) or choice.outcome in outcomes:
            return
        label = outcome_label(choice.outcome)
        raise DataError(
            f"{label} is not recorded for ten families of both groups over this horizon: choose "
            "another outcome, horizon, comparison group or authority."
        )

    def _made(self, every: Mapping[str, Step], name: str) -> Any:
        key = self._key(every, name)
        if key not in self._kept:
            step = every[name]
            before = {one: self._made(every, one) for one in step.needs}
            if step.counted_for:
                _ready(before["records"], *step.counted_for)
            coming = self._coming.get(key)
            made = coming.result() if coming else eval(step.call, {"tf": tfeval, **before})
            self._kept[key] = made
            same = [one for one in self._kept if one[0] == name]
            for old in same[:-KEPT]:
                del self._kept[old]
        self._kept.move_to_end(key)
        return self._kept[key]


def _ready(records: Records, phase: str, treatment: str) -> None:
    """Count once for all comparison groups and horizons, so that the next choice is quick."""
    # What cannot be counted is told by the call that is shown.
    with suppress(TfevalError):
        count_ahead(records, phase=phase, treatment=treatment)


def _all_needs(every: Mapping[str, Step], name: str) -> list[str]:
    needed = [one for above in every[name].needs for one in _all_needs(every, above)]
    return list(dict.fromkeys([*needed, name]))
