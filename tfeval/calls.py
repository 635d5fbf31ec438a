"""A call that fails for what it was given says so in one line, for every public function."""

from __future__ import annotations

import ast
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from tfeval.errors import ParameterError, TfevalError, nearest, public_line, suggest

_HERE = Path(__file__).parent
P = ParamSpec("P")
R = TypeVar("R")


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function say which of its settings were given wrongly, where that made it fail.

    Its signature stays what it was, for readers, type checkers and completers; a call that
    succeeds is not looked at. What the function itself says of a wrong setting is kept, unless
    that may quote a table or a long list: rows may be confidential.

    Raises
    ------
    ParameterError
        In place of what was raised, if a setting is unknown, lacking, or not of its type.

    Examples
    --------
    >>> @public
    ... def weigh(study: Mapping, *, estimand: str = "ATT") -> str:
    ...     return estimand.lower()
    >>> weigh({}, estimant="ATE")
    Traceback (most recent call last):
    tfeval.errors.ParameterError: weigh has no setting estimant. Did you mean estimand?
    >>> weigh({}, estimand=3)
    Traceback (most recent call last):
    tfeval.errors.ParameterError: weigh: estimand takes str, and was given an int.
    """

    @wraps(function)
    def called(*args: P.args, **given: P.kwargs) -> R:
        try:
            return function(*args, **given)
        except Exception as fault:
            mistake, place = _mistake(function, args, given, fault), fault.__traceback__
            if not mistake:
                raise
        # Raised out here, where nothing that quotes what was given can be chained to it.
        raise ParameterError(mistake).with_traceback(place)

    return called


class Checked:
    """A class whose public methods say what they were given wrongly, as `public` functions do."""

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        for name, method in list(vars(cls).items()):
            if isinstance(method, types.FunctionType) and not name.startswith("_"):
                setattr(cls, name, public(method))
            elif isinstance(method, classmethod) and not name.startswith("_"):
                setattr(cls, name, classmethod(public(method.__func__)))


def _mistake(
    function: Callable[..., Any], args: tuple[Any, ...], given: Mapping[str, Any], fault: Exception
) -> str:
    """Return what is wrong with a call; empty if nothing is, or the function said it well."""
    name, signature = function.__name__, inspect.signature(function)
    open_ended = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    for setting in given:
        if setting not in signature.parameters and not open_ended:
            return f"{name} has no setting {setting}. {suggest(setting, signature.parameters)}"
    try:
        bound = signature.bind(*args, **given)
    except TypeError as wrong:
        return f"{name}: {wrong}."
    names = _Names(function)
    said = str(fault) if isinstance(fault, TfevalError) else ""
    for setting, value in bound.arguments.items():
        parameter = signature.parameters[setting]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if (said and not _quotes(said, value)) or _fits(value, names.meaning(parameter.annotation)):
            continue
        takes = " ".join(str(parameter.annotation).split())
        return f"{name}: {setting} takes {takes}, and was given {kind_of(value)}."
    tables = [setting for setting, value in bound.arguments.items() if is_table(value)]
    if not tables or isinstance(fault, TfevalError) or not isinstance(fault, _OF_VALUES):
        return ""
    lacking = _lacking(name, bound.arguments, fault) if isinstance(fault, KeyError) else ""
    return lacking or f"{name} cannot use what is in {' or '.join(tables)} ({public_line(fault)})."


def _lacking(name: str, given: Mapping[str, Any], fault: KeyError) -> str:
    """Return which table that was given lacks a column; of a row's value nothing is said."""
    column = fault.args[0] if fault.args else None
    lines = [Path(one.filename) for one in traceback.extract_tb(fault.__traceback__)]
    own = [line for line in lines if line.is_relative_to(_HERE) and line != Path(__file__)]
    if not isinstance(column, str) or not own or f'"{column}"' not in own[-1].read_text("utf-8"):
        return ""
    for setting, value in given.items():
        columns = [str(one) for one in getattr(value, "columns", [column])]
        if column not in columns:
            near = nearest(column, columns)
            return (
                f"{name}: {setting} has no column {column}.{f' Did you mean {near}?' * bool(near)}"
            )
    return ""


class _Names(dict[str, Any]):
    """What the words of annotations mean, and those among them that only type checkers import."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._module = sys.modules[inspect.unwrap(function).__module__]
        self._imported: dict[str, tuple[str, str]] = {}
        super().__init__(vars(self._module))

    def meaning(self, annotation: Any) -> Any:
        """Return an annotation's type; `Any` where it cannot be told."""
        if not isinstance(annotation, str):
            return Any if annotation is inspect.Parameter.empty else annotation
        try:
            return eval(annotation, {}, self)
        except Exception:
            return Any

    def __missing__(self, name: str) -> Any:
        tree = ast.parse("" if self._imported else inspect.getsource(self._module))
        for line in ast.walk(tree):
            if isinstance(line, ast.ImportFrom) and line.module:
                self._imported |= {one.asname or one.name: (line.module, one.name)
                                   for one in line.names}  # fmt: skip
        module, own = self._imported[name]
        return getattr(import_module(module), own)


#: What a library raises at values that it cannot use, often quoting one.
_OF_VALUES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
#: Letters from which what a function says may quote a list that it was given.
_LONG = 400
#: Values of an array or a column that are looked at.
_MANY = 1000


def _quotes(said: str, value: Any) -> bool:
    if not is_table(value):
        return len(said) > _LONG
    lines = {line.strip() for line in f"{value}\n{value!r}".splitlines()} - {""}
    if len(getattr(value, "shape", ())) == 1:
        lines |= {str(one) for one in islice(value, _MANY)}
    return len(said) > _LONG or any(line in said for line in lines)


def is_table(value: Any) -> bool:
    """Return whether a value holds many: a frame, a column, an array, a table of an engine."""
    return bool(getattr(value, "shape", ())) or hasattr(value, "to_pyarrow")


def kind_of(value: Any) -> str:
    """Return what a value is, in words: its type alone."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


_NO = object()
_SEQUENCES = (Iterable, Collection, Sequence)


def _fits(value: Any, hint: Any) -> bool:
    import numpy.typing as npt  # noqa: PLC0415 - where a call has failed alone

    hint = getattr(hint, "__bound__", hint) or Any
    origin, inner = get_origin(hint), get_args(hint)
    if hint == npt.ArrayLike:
        return not isinstance(value, str | bytes | Mapping)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str | int) and value in inner
    kind = {int: Integral, float: Real}.get(hint, origin or hint)
    return kind is Any or not isinstance(kind, type) or _is_of(value, kind, inner)


def _is_of(value: Any, kind: type, inner: tuple[Any, ...]) -> bool:
    """Return whether a value is of a type, and what it holds of the types within."""
    if getattr(kind, "_is_protocol", False):
        return all(inspect.getattr_static(value, one, _NO) is not _NO for one in _asked_of(kind))
    if (shape := getattr(value, "shape", ())) and kind in _SEQUENCES:  # a column does for a list
        items = islice(value, _MANY)
        return len(shape) == 1 and (not inner or all(_fits(one, inner[0]) for one in items))
    return isinstance(value, kind) and (kind is tuple or _all_fit(value, inner))


def _asked_of(protocol: type) -> set[str]:
    """Return what something must have to stand for a protocol."""
    own = [vars(one) for one in protocol.__mro__ if getattr(one, "_is_protocol", False)]
    names = {name for one in own for name in (*one, *one.get("__annotations__", ()))}
    return {name for name in names if not name.startswith("_")}


def _all_fit(value: Any, hints: tuple[Any, ...]) -> bool:
    """Return whether what a mapping, list or set holds is of the types given."""
    if isinstance(value, Mapping) and len(hints) == 2:
        return all(_fits(one, hints[0]) and _fits(value[one], hints[1]) for one in value)
    if isinstance(value, list | set | frozenset | tuple | str | bytes) and hints:
        return all(_fits(one, hints[0]) for one in value)
    return True
