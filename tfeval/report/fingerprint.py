"""Hashes and versions: what a result rests on, and whether a run is still up to date."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tfeval.paths import project_folder

_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn", "pandera", "matplotlib",
              "papermill", "nbconvert", "ipykernel", "beautifulsoup4", "latex2mathml")  # fmt: skip
_CODE = Path(__file__).resolve().parent.parent
_DATA_SUFFIXES = (".csv", ".json", ".parquet", ".toml")


@dataclass(frozen=True)
class DataFile:
    """A data file of the project.

    Attributes
    ----------
    name : str
        Path inside the data folder.
    sha256 : str
        Of its bytes.
    rows : int or None
        Lines of data of a CSV file; None for other kinds.
    """

    name: str
    sha256: str
    rows: int | None


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_hash(folder: Path = _CODE) -> str:
    """Return one SHA-256 over tfeval's code, templates and style, by path and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix in (".py", ".j2", ".css", ".json") and inside.parts[0] != "_project":
            digest.update(f"{inside.as_posix()}\0{file_hash(path)}\0".encode())
    return digest.hexdigest()


def data_files(folder: Path | None = None) -> tuple[DataFile, ...]:
    """Return the project's data files with hash and number of rows, by name."""
    folder = folder or project_folder("data")
    found = sorted(path for path in folder.rglob("*") if path.suffix in _DATA_SUFFIXES)
    return tuple(
        DataFile(path.relative_to(folder).as_posix(), file_hash(path), _rows(path))
        for path in found
    )


def _rows(path: Path) -> int | None:
    if path.suffix != ".csv":
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        return max(sum(1 for row in csv.reader(stream) if row) - 1, 0)


def extract_state(named: str) -> str:
    """Return a hash of the names, sizes and times of an extract's files; empty if there is none.

    Records may be far too large to read for their hash.

    Parameters
    ----------
    named : str
        A folder or file.
    """
    path = Path(named)
    if not named or not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    digest = hashlib.sha256()
    for item in files:
        state = item.stat()
        digest.update(f"{item.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions of tfeval and of the installed libraries that results depend on."""
    found = {"tfeval": tfeval_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def tfeval_version() -> str:
    """Return the package's version, from a checkout that is not installed too."""
    project = _CODE.parent / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    return version("tfeval")


def all_versions() -> dict[str, str]:
    """Return the Python version and those of the libraries."""
    return {"python": platform.python_version(), **library_versions()}


def notebook_hash(notebook: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a notebook's source: cells, tags and tfeval's metadata, no outputs."""
    cells = [
        [cell["cell_type"], source(cell), sorted(cell.get("metadata", {}).get("tags", []))]
        for cell in notebook["cells"]
    ]
    content = [cells, notebook.get("metadata", {}).get("tfeval", {})]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def source(cell: Mapping[str, Any]) -> str:
    """Return a cell's source as one string, however the file splits it."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)
