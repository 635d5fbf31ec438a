"""What `about.json` says of an extract, held to its types before anything rests on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tfeval.errors import DataError

#: Fields that something rests on, and how each is written.
_FLAGS = ("simulated", "pseudonymised")
_DAYS = ("records_from", "records_to")
_TEXTS = ("title",)
FIELDS = (*_FLAGS, *_DAYS, *_TEXTS)
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def read_about(path: Path) -> dict[str, Any]:
    """Read what stands beside the records; nothing if there is no such file.

    Parameters
    ----------
    path : Path
        `about.json` in a folder, or the file beside a DuckDB file.

    Raises
    ------
    DataError
        If it is not one JSON object, names a field twice, or a field has a wrong type.
    """
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except ValueError:
        raise DataError(f"{path.name} beside the records is not JSON: mend or remove it.") from None
    return checked_about(about, path.name)


def checked_about(about: Any, name: str = "about.json") -> dict[str, Any]:
    """Return what is said of an extract if every field has its type.

    Whether records are simulated decides what every page says of them, so nothing but a JSON
    true or false is taken for it, and no field that is misspelt is passed over.

    Parameters
    ----------
    about : mapping
        The fields; those that nothing rests on may hold anything.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        Naming the field and how it is written; never what it holds.

    Examples
    --------
    >>> checked_about({"simulated": True, "records_to": "2019-12-31"})["simulated"]
    True
    >>> checked_about({"simulated": "false"})
    Traceback (most recent call last):
    tfeval.errors.DataError: about.json: "simulated" is true or false, without quotes: correct it.
    """
    if not isinstance(about, Mapping):
        raise DataError(f"{name} beside the records must hold one JSON object: correct it.")
    for field in about:
        meant = get_close_matches(_folded(field), FIELDS, n=1, cutoff=0.85)
        if field not in FIELDS and meant:
            raise DataError(f'{name}: a field is named almost like "{meant[0]}": spell it so.')
    for field in _FLAGS:
        if field in about and not isinstance(about[field], bool):
            raise DataError(f'{name}: "{field}" is true or false, without quotes: correct it.')
    for field in _TEXTS:
        if field in about and not isinstance(about[field], str):
            raise DataError(f'{name}: "{field}" is text in quotes: correct it.')
    days = {field: _day(about[field], field, name) for field in _DAYS if field in about}
    if len(days) == len(_DAYS) and days["records_from"] > days["records_to"]:
        raise DataError(f'{name}: "records_from" is after "records_to": correct either.')
    return dict(about)


def _folded(field: object) -> str:
    return re.sub(r"[\s-]+", "_", str(field).strip().casefold())


def _day(value: object, field: str, name: str) -> date:
    if isinstance(value, str) and re.fullmatch(_DAY, value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise DataError(f'{name}: "{field}" is a day written "YYYY-MM-DD": correct it.')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise DataError("about.json names a field twice: keep one of each.")
    return dict(pairs)
