"""Files for their owner alone: folders written whole, keys, and where DuckDB may spill."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from glob import escape
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any

import ibis

from tfeval.errors import ParameterError, TfevalError

_FOLDER, _FILE = 0o700, 0o600


@contextmanager
def written_whole(*targets: Path, private: bool = False) -> Iterator[list[Path]]:
    """Give folders to write in, which take their names only when all is written.

    Parameters
    ----------
    *targets : Path
        Folders to be made; none may exist, so nothing is ever overwritten.
    private : bool, default False
        Whether nobody but the owner may enter them (mode 0700) or read what is in them (0600), at
        any time.

    Raises
    ------
    TfevalError
        If one exists.
    """
    for target in targets:
        if os.path.lexists(target):
            raise TfevalError(f"{target} exists already: remove it, or choose another folder.")
    for target in targets:
        with _saying_why(target):
            _make_parents(target, private)
    drafts = [target.with_name(f".{target.name}-{uuid.uuid4().hex[:12]}") for target in targets]
    locks = ExitStack()
    try:
        for draft, target in zip(drafts, targets, strict=True):
            _remove_drafts(target)
            with _saying_why(target):
                draft.mkdir(mode=_FOLDER if private else 0o777)
            locks.enter_context(_being_written(draft))
        yield drafts
        for draft, target in zip(drafts, targets, strict=True):
            if private:
                _close(draft)
            try:
                draft.rename(target)
            except OSError:
                if not os.path.lexists(target):
                    raise
                raise TfevalError(
                    f"{target} was made by another run meanwhile and is whole: keep it, or choose "
                    "another folder."
                ) from None
    finally:
        locks.close()
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _saying_why(target: Path) -> Iterator[None]:
    """Say that it is the new folder that cannot be made, and not what was read."""
    try:
        yield
    except OSError as fault:
        reason = os.strerror(fault.errno or 0)
        raise TfevalError(
            f"{target} cannot be made ({reason}): choose another folder, or make room."
        ) from None


#: A draft that nobody writes is taken for one that a killed process left after so many seconds.
_YOUNG = 60.0


@contextmanager
def _being_written(folder: Path) -> Iterator[bool]:
    """Lock a folder, and say whether it was free; the lock ends with its holder."""
    handle = os.open(folder, os.O_RDONLY) if os.name == "posix" else -1
    try:
        yield handle < 0 or _lock(handle)
    finally:
        if handle >= 0:
            os.close(handle)


def _remove_drafts(target: Path) -> None:
    """Remove what killed processes left of a folder that they were writing."""
    for left in target.parent.glob(f".{escape(target.name)}-{'[0-9a-f]' * 12}"):
        with suppress(OSError):
            old = time.time() - left.lstat().st_mtime > _YOUNG and os.name == "posix"
            if old and left.is_dir() and not left.is_symlink():
                with _being_written(left) as free:
                    if free:
                        shutil.rmtree(left, ignore_errors=True)


def _make_parents(target: Path, private: bool) -> None:
    for parent in reversed([one for one in target.parents if not one.exists()]):
        parent.mkdir(mode=_FOLDER if private else 0o777, exist_ok=True)


def _close(folder: Path) -> None:
    # Who may not enter the folder never could read its files, whatever their mode was.
    for path in folder.rglob("*"):
        path.chmod(_FOLDER if path.is_dir() else _FILE)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a new file that only its owner may read (mode 0600): whole, or not at all.

    Parameters
    ----------
    path : Path
        It must not exist, not even as a link.
    content : str or bytes
        What it holds.

    Raises
    ------
    ParameterError
        If it exists, or its folder does not.
    """
    if not path.parent.is_dir():
        raise ParameterError(f"There is no folder {path.parent}: make it first.")
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex[:12]}")
    try:
        with open(draft, "xb", opener=lambda name, how: os.open(name, how, _FILE)) as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        _name(draft, path)
    except FileExistsError:
        raise ParameterError(
            f"{path} exists already and is not overwritten: name another file."
        ) from None
    except OSError as fault:
        reason = os.strerror(fault.errno or 0)
        raise TfevalError(f"{path} could not be written, and is not there: {reason}.") from None
    finally:
        draft.unlink(missing_ok=True)


def _name(draft: Path, path: Path) -> None:
    """Give a written file its name, if nothing has that name."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # where files cannot have two names
        path.touch(mode=_FILE, exist_ok=False)
        draft.replace(path)


def open_to_others(path: Path) -> bool:
    """Return whether anybody but its owner may read or change a file; never so on Windows."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


# DuckDB puts what its memory cannot hold into files of mode 0644, by default where the work is
# done, and leaves them there when it is killed. It is given a folder that nobody else can enter.

_PREFIX = "tfeval-spill-"
_LOCK = "held"
_numbers = count()
#: Of connections being opened and folders being made for them: one at a time.
_OPENING = RLock()
#: By process, since a fork shares the others and must not remove them, and place: folder, lock.
_roots: dict[tuple[int, Path], tuple[Path, Any]] = {}


#: Threads of connections made here; none leaves them to DuckDB.
_threads: ContextVar[int | None] = ContextVar("threads", default=None)


@contextmanager
def duckdb_threads(number: int) -> Iterator[None]:
    """Have connections that are made meanwhile work with so many threads each."""
    before = _threads.set(number)
    try:
        yield
    finally:
        _threads.reset(before)


def duckdb_connection(
    database: Path | None = None,
    *,
    memory_limit: str | None = None,
    spill_to: str | Path | None = None,
) -> Any:
    """Connect to DuckDB so that it spills in private; a file, for reading it and nothing else.

    Parameters
    ----------
    database : Path, optional
        A DuckDB file; without one the connection is to memory.
    memory_limit : str, optional
        How much memory it may take, such as "1GB".
    spill_to : path, optional
        The folder in which the private one is made; by default the system's for temporary files
        (`TMPDIR`).

    Notes
    -----
    With a file, nothing that it holds (a view, a macro) reaches other files: DuckDB's
    `enable_external_access` is off, and stays off for as long as the file is open.
    """
    import duckdb  # noqa: PLC0415 - starts a thread, beside which no kernel is forked

    limits: dict[str, Any] = {"memory_limit": memory_limit} if memory_limit else {}
    if threads := _threads.get():
        limits["threads"] = threads
    with _OPENING:  # one file opened twice at once has one set of settings
        if database is None:
            connection = ibis.duckdb.connect(**limits)
        else:
            connection = ibis.duckdb.connect(database, read_only=True, **limits)
        # In a notebook it would be a widget. Where there are none, DuckDB draws none, and refuses
        # to be told not to.
        with suppress(duckdb.InvalidInputException):
            connection.raw_sql("SET enable_progress_bar = false")
        query = "SELECT current_setting('enable_external_access')"
        if not connection.raw_sql(query).fetchall()[0][0]:
            return connection  # the file is open in this process already
        connection.raw_sql(f"SET temp_directory = {_quoted(_spill_folder(spill_to))}")
        if database is not None:
            for name in ("autoload_known_extensions", "autoinstall_known_extensions",
                         "enable_external_access"):  # fmt: skip
                connection.raw_sql(f"SET {name} = false")
        return connection


def private_folder() -> Path:
    """Make a folder among the system's temporary files that nobody else can enter.

    It is removed at the end; what a killed process left is removed by the next.
    """
    made = _spill_folder(None)
    made.mkdir(mode=_FOLDER)
    return made


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _spill_folder(spill_to: str | Path | None) -> Path:
    """Return a place for one connection's files, which DuckDB makes only if it needs it."""
    if spill_to is not None:
        Path(spill_to).mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    place = Path(tempfile.gettempdir() if spill_to is None else spill_to).absolute()
    with _OPENING:  # else two threads' roots, and the lock of one of them would be let go
        return _root(place) / str(next(_numbers))


def _root(place: Path) -> Path:
    key = (os.getpid(), place)
    if key not in _roots or not _roots[key][0].is_dir():
        _remove_left(place)
        while True:
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            lock = (made / _LOCK).open("w")
            if _lock(lock) and made.is_dir():  # nobody else took it for one left behind
                break
            lock.close()
        _roots[key] = (made, lock)
    return _roots[key][0]


def _lock(stream: Any) -> bool:
    """Take a lock that the system gives back when its holder ends, however it ends."""
    try:
        import fcntl  # noqa: PLC0415

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return True
    except OSError:
        return False
    return True


def _remove_left(place: Path) -> None:
    """Remove what killed processes of this user left: its lock is free."""
    for left in place.glob(f"{_PREFIX}*") if os.name == "posix" else ():
        with suppress(OSError):
            mine = left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.getuid()
            if mine and (left / _LOCK).is_file():
                with (left / _LOCK).open("a") as stream:
                    if _lock(stream):
                        shutil.rmtree(left, ignore_errors=True)


@atexit.register
def _remove_own() -> None:
    for (process, _), (folder, lock) in list(_roots.items()):
        if process == os.getpid():
            lock.close()
            shutil.rmtree(folder, ignore_errors=True)
