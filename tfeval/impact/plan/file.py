"""The file of an analysis plan: found, read, and turned into what its hash is taken of."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfeval.errors import ParameterError
from tfeval.paths import project_folder

FILE = "analysis_plan.toml"
#: Lists whose order says nothing.
_SETS = ("primary", "secondary", "horizons", "use", "within", "cluster", "on")


def load_plan(path: str | Path | None = None) -> Mapping[str, Any]:
    """Return a plan file's content, not yet checked.

    Parameters
    ----------
    path : str or Path, optional
        By default, and for "project", the project's own.

    Raises
    ------
    ParameterError
        If there is no such file, or it is not TOML.
    """
    # A notebook runs in a folder of its own; a file is named from where the report was started.
    start = Path(os.environ.get("TFEVAL_STARTED_IN", "."))
    own = path is None or path == "project"
    place = project_folder("data") / FILE if own else start / str(path)
    if not place.is_file():
        raise ParameterError(f"There is no plan {FILE if own else path}: name a TOML file.")
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ParameterError(f"{place.name} is not TOML: {fault}.") from None


def content_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of what a plan says.

    Taken of JSON without spaces, keys in order. Comments, spacing, the order of keys, the order
    within lists that are sets, and where a text is broken into lines do not count.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2.0}) == content_hash({"b": 2, "a": 1})
    True
    """
    plain = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(value: Any, key: str = "") -> Any:
    """Return a value as JSON has it, the same for all ways of writing the same."""
    if isinstance(value, Mapping):
        return {name: _plain(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(inner) for inner in value]
        return sorted(items, key=str) if key in _SETS else items
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, datetime.date):
        return value.isoformat()
    return int(value) if isinstance(value, float) and value.is_integer() else value
