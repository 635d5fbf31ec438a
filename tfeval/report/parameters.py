"""A notebook's parameters: read without running it, and refused before a kernel starts.

Papermill only warns about an unknown parameter and takes any type; a value computed in the
parameters cell keeps its default. So the cell is read as text here: typed literals, each with a
line of help, and nothing else.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfeval.errors import ParameterError, ReportError, suggest
from tfeval.programme.claims import local_authority, region_of
from tfeval.report.fingerprint import source
from tfeval.settings import Meaning, meanings

_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
RUNNER_SETS = "records"
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
}


def extract(value: str) -> str:
    """Return the place of an extract, if there is one.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if value != "simulated" and not Path(value).exists():
        raise ParameterError(
            f'There is no extract "{value}": name a folder or a DuckDB file, or "simulated".'
        )
    return value


def plan_file(value: str) -> str:
    """Return the place of an analysis plan, if there is one.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if value != "project" and not Path(value).is_file():
        raise ParameterError(f'There is no plan "{value}": name a TOML file, or "project".')
    return value


def audit(value: str) -> str:
    """Return the folder of an audit, if there is one.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if value != "committed" and not Path(value).is_dir():
        raise ParameterError(
            f'There is no audit "{value}": name the folder of tfeval audit, or "committed".'
        )
    return value


#: Of the parameters that belong to no settings: what is read, and of which authority or region.
_OTHERS: dict[str, Callable[[Any], Any]] = {
    "local_authority": local_authority,
    "region": region_of,
    "extract": extract,
    "plan": plan_file,
    "audit": audit,
}

#: Parameters of which one is nothing without the other.
_TOGETHER = ("optimism_bias", "optimism_bias_source")


def declared() -> dict[str, Meaning]:
    """Return what the parameters of all notebooks mean, by name: each is defined once."""
    from tfeval.impact.specification import Specification  # noqa: PLC0415
    from tfeval.money.appraisal_settings import Assumptions  # noqa: PLC0415

    return {**meanings(Specification), **meanings(Assumptions)}


def check_domain(name: str, value: Any) -> Any:
    """Return a parameter's value in its official form; any value where the name has no domain.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        Of the parameter's declared type.

    Raises
    ------
    ParameterError
        If the value lies outside the domain; the message gives the range or the known values.

    Examples
    --------
    >>> check_domain("phase", "One"), check_domain("n_draws", 500)
    ('one', 500)
    """
    if name in _OTHERS:
        return _OTHERS[name](value)
    meaning = declared().get(name)
    return value if meaning is None else meaning.checked(name, value)


@dataclass(frozen=True)
class Parameter:
    """One parameter that a notebook declares.

    Attributes
    ----------
    name : str
        As in the notebook.
    kind : {"int", "float", "str", "bool"}
        Its type.
    default : int, float, str, bool or None
        What the notebook runs on when nothing else is asked.
    help : str
        The comment on its line.
    optional : bool
        Whether None is allowed.
    """

    name: str
    kind: str
    default: Any
    help: str
    optional: bool = False

    def parse(self, text: str) -> Any:
        """Return `text` as a value of the parameter's type and domain.

        Raises
        ------
        ParameterError
            Naming what is wrong and what is wanted.

        Examples
        --------
        >>> Parameter("n_draws", "int", 1000, "draws").parse("500")
        500
        """
        given = text.strip()
        if self.optional and given.lower() == "none":
            return None
        value = _read(given, self.kind)
        if value is None:
            wanted = _WANTED[self.kind] + (" or none" if self.optional else "")
            raise ParameterError(
                f'The parameter {self.name} needs {wanted}, not "{text}". It means: {self.help}.'
            )
        return check_domain(self.name, value)


def _read(text: str, kind: str) -> Any:
    if kind == "str":
        return text
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower())
    pattern = r"[+-]?\d+" if kind == "int" else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    if not re.fullmatch(pattern, text):
        return None
    value = int(text) if kind == "int" else float(text)
    return value if math.isfinite(value) else None


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook's JSON content.

    Raises
    ------
    ReportError
        If the file is not a notebook of format 4.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ReportError(
            f"{path.name} cannot be read as a notebook ({type(fault).__name__}): restore it."
        ) from None
    if not isinstance(content, dict) or content.get("nbformat") != 4 or "cells" not in content:
        raise ReportError(f"{path.name} is not a Jupyter notebook of format 4.")
    return content


def notebook_parameters(notebook: Mapping[str, Any], name: str) -> tuple[Parameter, ...]:
    """Return the parameters that a notebook declares, in order.

    Parameters
    ----------
    notebook : mapping
        Its JSON content.
    name : str
        Its name, for messages.

    Raises
    ------
    ReportError
        If there are several parameters cells, or a line is not ``name: type = literal  # help``.
    """
    tagged = [
        source(cell)
        for cell in notebook["cells"]
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) > 1:
        raise ReportError(f"{name} has {len(tagged)} cells tagged parameters: keep one.")
    if not tagged:
        return ()
    where = f"The parameters cell of {name}"
    try:
        lines = ast.parse(tagged[0]).body
    except SyntaxError as fault:
        raise ReportError(f"{where}, line {fault.lineno}, is not Python: {fault.msg}.") from None
    comments = _comments(tagged[0])
    parameters = tuple(_parameter(line, comments, f"{where}, line {line.lineno}") for line in lines)
    names = [parameter.name for parameter in parameters]
    repeated = sorted({item for item in names if names.count(item) > 1})
    if repeated:
        raise ReportError(f"{where} sets {repeated[0]} twice.")
    return parameters


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _parameter(line: ast.stmt, comments: Mapping[int, str], where: str) -> Parameter:
    wanted = "write name: type = literal  # help"
    if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
        raise ReportError(f"{where}, is no typed parameter: {wanted}.")
    name = line.target.id
    kind, _, rest = ast.unparse(line.annotation).partition(" | ")
    if kind not in _TYPES or rest not in ("", "None"):
        raise ReportError(
            f"{where}: {name} has the type {ast.unparse(line.annotation)}; "
            "use int, float, str or bool, or one of them | None."
        )
    try:
        default = ast.literal_eval(line.value) if line.value is not None else ...
    except (ValueError, TypeError):
        default = ...
    if default is ...:
        raise ReportError(f"{where}: {name} is computed or has no value; {wanted}.")
    if not _fits(default, kind, bool(rest)):
        raise ReportError(f"{where}: {name} is declared {kind} but its value is not one.")
    comment = comments.get(line.end_lineno or line.lineno, "")
    if not comment:
        raise ReportError(f"{where}: {name} has no comment that says what it means; {wanted}.")
    return Parameter(name, kind, default, comment, bool(rest))


def _fits(value: Any, kind: str, optional: bool) -> bool:
    if value is None:
        return optional
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is _TYPES[kind]


def parse_options(options: list[str]) -> dict[str, str]:
    """Return ``["name=value", ...]`` as a mapping.

    Raises
    ------
    ParameterError
        If an option has no "=", or a name comes twice.

    Examples
    --------
    >>> parse_options(["phase=one", "local_authority=Sefton"])
    {'phase': 'one', 'local_authority': 'Sefton'}
    """
    parsed: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError(f'-p takes name=value, not "{option}".')
        if name in parsed:
            raise ParameterError(f"The parameter {name} is given twice.")
        parsed[name] = value
    return parsed


def refuse_unknown(given: Mapping[str, str], declared: Mapping[str, Iterable[Parameter]]) -> None:
    """Refuse a parameter that none of the notebooks declares, or that only the runner may set.

    Parameters
    ----------
    given : mapping
        Names and values asked for.
    declared : mapping of notebook name to parameters
        What could be asked for: its own, and those of what it reads.

    Raises
    ------
    ParameterError
        Naming the parameter and suggesting the nearest.
    """
    known = {item.name for items in declared.values() for item in items} - {RUNNER_SETS}
    for name in given:
        if name == RUNNER_SETS:
            raise ParameterError(f"The parameter {RUNNER_SETS} is set by the runner itself.")
        if name not in known:
            where = next(iter(declared)) if len(declared) == 1 else "None of the notebooks"
            verb = "has no" if len(declared) == 1 else "has a"
            hint = suggest(name, known) if known else "It has no parameters."
            raise ParameterError(f"{where} {verb} parameter {name}. {hint}")


def resolve(parameters: tuple[Parameter, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of all of a notebook's parameters, those given parsed and checked.

    Parameters
    ----------
    parameters : tuple of Parameter
        What the notebook declares.
    given : mapping of name to text
        What was asked for; names of other notebooks' parameters are passed over.

    Raises
    ------
    ParameterError
        If a value has the wrong type, lies outside its domain, or lacks what it needs beside it.
    """
    values = {
        item.name: item.parse(given[item.name]) if item.name in given else item.default
        for item in parameters
    }
    if any(values.get(name) for name in _TOGETHER):
        from tfeval.money.appraisal_settings import Assumptions  # noqa: PLC0415

        Assumptions(**{name: values[name] for name in _TOGETHER if name in values})
    return values
