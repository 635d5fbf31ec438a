"""Hashes and versions: what a result rests on, and whether a run is still up to date."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
import tomllib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path
from typing import Any

from tfeval.errors import NOT_SHOWN, TfevalError, public_line
from tfeval.settings import project_folder

try:
    import fcntl
except ImportError:  # Windows has none: two runs in one folder at once are not kept apart there
    fcntl = None  # type: ignore[assignment]

# Text that may hold rows: kept in private files beside a run, never on a page.

#: Files of a run that only their owner may read; nothing refers to what is in them.
TRACEBACK = "private-traceback.txt"
STDERR = "private-stderr.txt"
#: Where a kernel leaves, after each cell, the names of the libraries that it has imported.
IMPORTED = ".imported.json"
PRIVATE = (TRACEBACK, STDERR)


def keep_private(text: str, path: Path) -> None:
    """Add text to a file that only its owner may read or write (mode 0600).

    Parameters
    ----------
    text : str
        What may hold rows.
    path : Path
        The file; made if need be, and never a link to another.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="replace") as stream:
        stream.write(text if text.endswith("\n") else f"{text}\n")
    path.chmod(0o600)


def trace(fault: BaseException) -> str:
    """Return an exception's whole traceback: for a private file alone."""
    return "".join(traceback.format_exception(fault))


# What a report's kernel lets out: of an exception this package's own line or a type; its imports.
# Loaded into the kernel as an IPython extension, so that a library's text, which may quote a row,
# does not even reach the notebook that is being written. It stands here because this module loads
# in no time: what runs notebooks takes a kernel two seconds to import.

#: Stands in a notebook where the traceback would: the exception was made fit to be shown.
OWN, FOREIGN = "shown by tfeval: own words", "shown by tfeval: type alone"


def load_ipython_extension(shell: Any) -> None:
    """Let a kernel show exceptions in this package's words and say what it has imported.

    Parameters
    ----------
    shell : ipykernel.zmqshell.ZMQInteractiveShell
        The kernel's shell; its working folder is the run's own.
    """
    send, private = shell._showtraceback, Path.cwd() / TRACEBACK
    names = Path.cwd() / IMPORTED

    def show(kind: type[BaseException], fault: BaseException, lines: list[str]) -> None:
        own = isinstance(fault, TfevalError)
        text = public_line(fault) if own else NOT_SHOWN
        if NOT_SHOWN in text:  # else the line says all
            keep_private("\n".join(lines), private)
        shown = type(kind.__name__, (Exception,), {})
        send(shown, shown(text), [OWN if own else FOREIGN])

    def show_any(
        _: Any, kind: type[BaseException], fault: BaseException, *__: Any, **___: Any
    ) -> None:
        show(kind, fault, [trace(fault)])

    shell.events.register(
        "post_run_cell", lambda _: names.write_text(json.dumps(imported()), encoding="utf-8")
    )
    shell._showtraceback = show
    # IPython prints some tracebacks itself (of groups), and such a cell would pass for a good one.
    shell.set_custom_exc((Exception, BaseExceptionGroup), show_any)


#: What makes a page of a notebook that was run, in the runner and not in the notebook's kernel.
PAGE = ("beautifulsoup4", "jinja2", "latex2mathml", "nbclient", "nbconvert", "nbformat", "pandas",
        "papermill")  # fmt: skip
_CODE = Path(__file__).resolve().parent.parent
_DATA_SUFFIXES = (".csv", ".json", ".parquet", ".register", ".toml")


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
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _DATA_SUFFIXES)
    return tuple(
        DataFile(path.relative_to(folder).as_posix(), file_hash(path), _rows(path))
        for path in paths
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


def imported() -> tuple[str, ...]:
    """Return which of the libraries that tfeval needs this process has imported, by name.

    Examples
    --------
    >>> import numpy
    >>> "numpy" in imported()
    True
    """
    modules = {name.partition(".")[0] for name in tuple(sys.modules)}
    return tuple(sorted(name for module in modules for name in _modules().get(module, ())))


@cache
def _modules() -> dict[str, tuple[str, ...]]:
    """Return the libraries that tfeval itself needs, by the modules that they bring."""
    project = _project()
    libraries = (
        project["dependencies"]
        if project
        else [item for item in requires("tfeval") or () if "extra ==" not in item]
    )
    needed = {_normal(item) for item in libraries}
    return {
        module: tuple(needed & {_normal(name) for name in names})
        for module, names in packages_distributions().items()
    }


def _normal(requirement: str) -> str:
    """Return the name in a requirement, written as the index writes it."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, of tfeval and of some libraries, as they are installed now.

    Parameters
    ----------
    names : iterable of str
        Libraries; one that is not installed is left out.
    """
    versions = {"python": platform.python_version(), "tfeval": tfeval_version()}
    versions |= {name: _version(name) for name in sorted(set(names) - set(versions))}
    return {name: number for name, number in versions.items() if number}


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def tfeval_version() -> str:
    """Return the package's version, from a checkout that is not installed too."""
    project = _project()
    return project["version"] if project else version("tfeval")


@cache
def _project() -> dict[str, Any]:
    """Return the project's own table of pyproject.toml; empty where there is no checkout."""
    path = _CODE.parent / "pyproject.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.is_file() else {}


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


# Folders of finished runs: put in place whole, checked by hash, cleaned after a kill.

MANIFEST = "manifest.json"
#: Reports are for those inside: what may leave is released from them.
_FOLDER, _FILE = 0o700, 0o600


def make_private(folder: Path) -> None:
    """Make a folder, and those that it lies in, for its owner alone; those there stay as they are.

    Parameters
    ----------
    folder : Path
    """
    for one in (*reversed([one for one in folder.parents if not one.exists()]), folder):
        one.mkdir(mode=_FOLDER, exist_ok=True)


def close_to_others(folder: Path) -> None:
    """Let nobody but its owner enter a folder or read what is in it."""
    folder.chmod(_FOLDER)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(_FOLDER if path.is_dir() else _FILE)


def stage_for(folder: Path) -> Path:
    """Return a new, empty folder beside `folder`, to be filled and then put in its place."""
    stage = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(stage, ignore_errors=True)
    make_private(stage.parent)
    stage.mkdir(mode=_FOLDER)
    return stage


def is_current(folder: Path, rests_on: Mapping[str, Any]) -> bool:
    """Tell whether a finished folder rests on exactly this and its files are as they were made."""
    manifest = read_manifest(folder)
    if manifest is None or manifest["status"] != "ok" or manifest["rests_on"] != rests_on:
        return False
    files = {path.name for path in folder.iterdir()} - {MANIFEST, *PRIVATE}
    return files == set(manifest["outputs"]) and all(
        file_hash(folder / name) == made for name, made in manifest["outputs"].items()
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return a folder's manifest, None if it has none that can be read."""
    try:  # to open a pipe would wait for somebody to write
        manifest: Any = (path := folder / MANIFEST).is_file() and json.loads(path.read_bytes())
        texts = [manifest[name] for name in ("notebook", "title", "scope", "status")]
        parts = [{**manifest[name]} for name in ("rests_on", "outputs", "parameters")]
        whole = all("value" in {**one} for one in parts[-1].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return manifest if whole and {*map(type, texts)} == {str} else None


def put_in_place(stage: Path, folder: Path) -> None:
    """Move a finished folder, once it is on the disk, to its name; an older one then goes.

    It is for its owner alone, whatever wrote what is in it.
    """
    close_to_others(stage)
    for path in (*(one for one in stage.rglob("*") if one.is_file()), stage):
        _to_disk(path)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    stepped = folder.exists()
    if stepped:
        folder.rename(aside)
    try:
        stage.rename(folder)
    except OSError:
        if stepped:
            aside.rename(folder)
        raise
    try:
        _to_disk(folder.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _to_disk(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # a file system that cannot be asked
            raise
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a text file for its owner: its name holds all of it, or what it held before."""
    stage = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        stage.touch(mode=_FILE)
        stage.write_text(text, encoding="utf-8")
        _to_disk(stage)
        stage.replace(path)
    finally:
        stage.unlink(missing_ok=True)


#: Seconds between two looks at a folder that another run is making.
_LOOK = 0.2


@contextmanager
def alone(folder: Path, stopped: Callable[[], bool], wait: Callable[[], None]) -> Iterator[None]:
    """Keep other runs away from a folder while it is made; wait for one that is making it.

    Parameters
    ----------
    folder : Path
        To be made; what it lies in is made if need be.
    stopped : callable
        Whether to give up waiting.
    wait : callable
        Called once if another run must be waited for.

    Raises
    ------
    KeyboardInterrupt
        If `stopped` says so while it waits.
    """
    make_private(folder.parent)
    path = folder.with_name(f".{folder.name}.lock")
    handle = _locked(path)
    if handle is None:
        wait()
    while handle is None:
        if stopped():
            raise KeyboardInterrupt
        time.sleep(_LOOK)
        handle = _locked(path)
    try:
        yield
    finally:
        _unlock(path, handle)


def _locked(path: Path) -> int | None:
    """Return an open file that nobody else has locked, None where somebody has."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not fcntl:
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:  # a file system without locks
        return handle
    # The file may be one that its holder has taken away meanwhile: it keeps nobody out.
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    os.close(handle)
    return None


def _unlock(path: Path, handle: int) -> None:
    if fcntl:
        path.unlink(missing_ok=True)
    os.close(handle)


#: What a file system says when it takes no more.
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
#: With fewer bytes than this left a page cannot be written.
_LEAST_ROOM = 1 << 16


def is_full(fault: BaseException | None, *folders: Path) -> bool:
    """Tell whether something failed because a disk is full.

    Parameters
    ----------
    fault : BaseException or None
        What was raised, with what it is chained to; None where only a kernel knows it.
    *folders : Path
        Where the room that is left is looked at.
    """
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _FULL:
            return True
        fault = fault.__cause__ or fault.__context__
    return any(shutil.disk_usage(one).free < _LEAST_ROOM for one in folders if one.is_dir())


def clean_leftovers(scope: Path) -> None:
    """Remove what killed runs left; give back a folder that had only stepped aside."""
    for path in sorted(scope.glob(".*.*.tmp")) + sorted(scope.glob(".*.*.old")):
        name, pid, kind = path.name[1:].rsplit(".", 2)
        if pid.isdigit() and _is_running(int(pid)):
            continue
        lock = scope / f".{name}.lock"
        handle = _locked(lock)
        if handle is None:  # another run is making it, on another machine perhaps
            continue
        if kind == "old" and not (scope / name).exists():
            path.rename(scope / name)
        else:
            shutil.rmtree(path, ignore_errors=True)
        _unlock(lock, handle)
    for lock in scope.glob(".*.lock"):
        if (handle := _locked(lock)) is not None:
            _unlock(lock, handle)


def _is_running(pid: int) -> bool:
    # On Windows signal 0 would end the process.
    if pid == os.getpid() or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON the same way every time."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
