"""What can be asked of a matching, checked before any work is done."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from tfeval.display.names import DESIGNS
from tfeval.errors import ParameterError, check_choice, suggest
from tfeval.impact.matching.nearest import ORDERS

P = ParamSpec("P")
R = TypeVar("R")

#: Which settings each method takes besides those that all do.
_CALIPERS = {"caliper", "caliper_unit", "caliper_spread", "calipers"}
TAKES = {
    "nearest": {"ratio", "replace", "order", "ties", *_CALIPERS},
    "mahalanobis": {"ratio", "replace", "order", "on", *_CALIPERS},
    "optimal": {"ratio", "caliper", "caliper_unit", "caliper_spread"},
    "full": {"caliper", "caliper_unit", "caliper_spread"},
    "coarsened_exact": {"cutpoints", "grouping"},
    "subclass": {"number", "fewest"},
    "kernel": {"bandwidth", "kernel"},
    "radius": {"bandwidth"},
}
METHODS = tuple(TAKES)
#: What every method takes.
COMMON = {"estimand", "distance", "support", "seed"}
_ESTIMANDS = {"full": ("ATT", "ATC", "ATE"), "coarsened_exact": ("ATT", "ATC", "ATE"),
              "subclass": ("ATT", "ATC", "ATE"), "nearest": ("ATT", "ATC")}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Settings of `match`, which has their meaning, and the same names, kinds and defaults."""

    method: str = "nearest"
    estimand: str = "ATT"
    distance: str = "linear"
    ratio: int = 1
    replace: bool = False
    order: str = "largest"
    ties: str = "average"
    caliper: float | None = 0.2
    caliper_unit: str = "sd"
    caliper_spread: str = "all"
    calipers: Mapping[str, float] = field(default_factory=dict)
    on: Sequence[str] = ()
    support: str | tuple[float, float] | None = None
    cutpoints: Mapping[str, Any] | None = None
    grouping: Mapping[str, Any] | None = None
    number: int = 6
    fewest: int = 1
    bandwidth: float = 0.06
    kernel: str = "epanechnikov"
    seed: int = 1

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        _check_estimand(self.method, self.estimand)
        if self.distance != "given":
            check_choice("distance", self.distance, ("linear", "probability"))
        check_choice("order", self.order, ORDERS)
        check_choice("ties", self.ties, ("average", "first"))
        check_choice("caliper_unit", self.caliper_unit, ("sd", "raw"))
        check_choice("caliper_spread", self.caliper_spread, ("all", "pooled", "treated"))
        for name, low in (("ratio", 1), ("number", 2), ("fewest", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
                raise ParameterError(f"{name} is a whole number of at least {low}, not {value!r}.")
        if not isinstance(self.calipers, Mapping):
            raise ParameterError('calipers is a limit for each covariate, such as {"age": 0.2}.')
        widths = {"caliper": self.caliper, "bandwidth": self.bandwidth, **self.calipers}
        for name, width in widths.items():
            if width is not None and not (isinstance(width, float | int | np.number) and width > 0):
                raise ParameterError(f"The width of {name} is a number above 0, not {width!r}.")
        _check_support(self.support)

    def as_dict(self) -> dict[str, Any]:
        """Return what holds for the method, by name."""
        named = {"method"} | COMMON | TAKES[self.method]
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name in named}


def settings(method: str, given: Mapping[str, Any]) -> Settings:
    """Return checked settings; refuse one that the method does not take.

    Examples
    --------
    >>> settings("nearest", {"ratio": 2}).ratio
    2
    >>> settings("subclass", {"ratio": 2})
    Traceback (most recent call last):
    tfeval.errors.ParameterError: subclassification takes no ratio. Known: fewest, number.
    """
    _check_taken(method, given)
    return Settings(method=method, **given)


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """Return the checked settings among the arguments of `match`.

    Examples
    --------
    >>> settings_of({"method": "full", "caliper": None, "calipers": None, "folds": 2}).caliper
    """
    held = {item.name: arguments[item.name] for item in fields(Settings) if item.name in arguments}
    if not isinstance(held.get("distance", ""), str):
        held["distance"] = "given"
    if held.get("calipers") is None:
        held["calipers"] = {}
    return Settings(**held)


def checks_settings(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function with the signature of `match` refuse settings that are not its method's.

    What was given can be told only here: inside, a setting that was left out has its default.
    """
    signature = inspect.signature(function).parameters
    own = set(signature) - {item.name for item in fields(Settings)} | {"method"}
    usual = signature["method"].default

    @wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> R:
        method = args[1] if len(args) > 1 else given.get("method", usual)
        _check_taken(method, set(given) - own)
        return function(*args, **given)

    return checked


def _check_taken(method: Any, names: Iterable[str]) -> None:
    check_choice("method", method, METHODS)
    for name in names:
        if name not in COMMON | TAKES[method]:
            raise ParameterError(
                f"{DESIGNS[method]} takes no {name}. {suggest(name, TAKES[method])}"
            )


def _check_estimand(method: str, estimand: str) -> None:
    possible = _ESTIMANDS.get(method, ("ATT",))
    if estimand in possible:
        return
    others = [f'"{name}"' for name, those in _ESTIMANDS.items() if estimand in those]
    where = f" For the {estimand} there is {', '.join(others)}." if others else ""
    raise ParameterError(
        f"estimand {estimand!r} is not offered for {DESIGNS[method]}, only "
        f"{' and '.join(possible)}.{where}"
    )


def _check_support(support: str | tuple[float, float] | None) -> None:
    if support is None or support in ("both", "treated", "comparison"):
        return
    pair = support if isinstance(support, tuple | list) and len(support) == 2 else (1.0, 0.0)
    if not 0 <= pair[0] < pair[1] <= 1:
        raise ParameterError(
            'support is "both", "treated", "comparison", or two probabilities such as (0.1, 0.9).'
        )
