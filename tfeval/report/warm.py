"""Kernels forked from a process that has its imports: the run's end of `fork_server`."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfeval.report.fork_server import LONGEST, NO_THREAD
from tfeval.settings import project_folder

_PACKAGE = Path(__file__).resolve().parent.parent
#: What Python is asked to run, before the number of its socket.
COMMAND: list[str] = ["-m", "tfeval.report.fork_server"]
#: Seconds in which a server has loaded all, or answered; in a tenth of them it has ended.
_PATIENCE = 120.0


class Forked:
    """A process that is not our child, by a handle that no later process can take over."""

    stdin = stdout = stderr = None  # as those of a subprocess that were not asked for

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle
        self._ends = select.poll()
        self._ends.register(handle, select.POLLIN)

    def __del__(self) -> None:
        os.close(self._handle)

    def poll(self) -> int | None:
        """Return None while it runs; how it ended only its parent knows."""
        return 0 if self._ends.poll(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        self._ends.poll(None if timeout is None else 1000 * timeout)
        return 0

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class WarmKernels:
    """Kernels forked from one process that has imported what notebooks import.

    Papermill, and what a notebook sees, are as with a kernel that is started anew; only Linux can
    do it. The process is started with the first kernel, and anew when tfeval's code
    or data have changed.

    Notes
    -----
    A context manager: at its end the process ends, and with it its kernels.
    """

    #: Why the last kernel was started anew; empty if it was forked.
    refused: str = ""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._link: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._code = 0  # when it was last changed

    def __enter__(self) -> WarmKernels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def fork(
        self, command: list[str], *, cwd: str, env: Mapping[str, str], stderr: Any, **_: Any
    ) -> Forked | None:
        """Return a kernel; None where none can be forked.

        Parameters
        ----------
        command : list of str
            That starts ipykernel.
        cwd : str
            Its folder.
        env : mapping of str to str
            Its environment.
        stderr : file
            Where its errors go.
        """
        if not (sys.platform == "linux" and hasattr(os, "pidfd_open")):
            self.refused = "only Linux can"
            return None
        request = json.dumps({"command": command, "cwd": str(cwd), "env": dict(env)}).encode()
        with self._turn:
            self.refused = "its server failed"
            try:
                link = self._started(env)
                socket.send_fds(link, [request], [stderr.fileno()])
                reply, handles = socket.recv_fds(link, LONGEST, 1)[:2]
                answer: dict[str, Any] = json.loads(reply)
            except (OSError, ValueError):  # the server has ended, or cannot take this
                self._end()
                return None
        if not handles:
            self.refused = f"its server has {answer['threads']} threads"
            return None
        self.refused = ""
        return Forked(answer["pid"], handles[0])

    def _started(self, env: Mapping[str, str]) -> socket.socket:
        code = _newest()
        if self._link is not None and self._code == code:
            return self._link
        self._end()
        self._code = code
        self._link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.settimeout(_PATIENCE)
        with other:
            self._process = subprocess.Popen(
                # Not the folder of the run before the libraries.
                [sys.executable, "-P", *COMMAND, str(other.fileno())],
                env={**env, **NO_THREAD}, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=[other.fileno()], start_new_session=True,
            )  # fmt: skip
        return self._link

    def _end(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE / 10)
            self._process.kill()  # one that hangs
            self._process.wait()
        self._link = self._process = None


def _newest() -> int:
    """Return when tfeval's code or data were last changed, in nanoseconds."""
    places = (_PACKAGE, project_folder("data"))
    return max(path.stat().st_mtime_ns for place in places for path in place.rglob("*")
               if path.suffix in (".py", ".csv", ".toml"))  # fmt: skip
