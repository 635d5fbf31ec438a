"""Kernels of reports: processes of this interpreter, started anew or forked."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Bool

from tfeval.display.figures import DRAWINGS_ALONE
from tfeval.report.fingerprint import STDERR, keep_private
from tfeval.report.warm import WarmKernels
from tfeval.settings import KEEPS_FILES, THREADS

PACKAGE_PARENT = Path(__file__).resolve().parent.parent.parent
_running: set[ThisPython] = set()
_lock = threading.Lock()


class ThisPython(AsyncKernelManager):
    """A kernel of the running interpreter, whatever kernels are installed elsewhere."""

    keeps_files = Bool(False, config=True)
    drawings_alone = Bool(False, config=True)
    #: Where they are forked, None if each is started anew; where an extract is named from, empty
    #: for this process's folder. Given by a subclass: see `kernels`.
    server: WarmKernels | None = None
    started_in = ""
    _written: Path
    _until: int | None = None

    @property
    def kernel_spec(self) -> KernelSpec:
        """Start ipykernel from this interpreter with a plotting backend that needs no screen."""
        path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                # A shutdown interrupts the idle kernel first, which it would log as an error.
                f"--IPKernelApp.log_level={logging.CRITICAL}",
                "--IPKernelApp.extra_extensions=tfeval.report.fingerprint",
            ],
            display_name="Python 3",
            language="python",
            env={
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "PYTHONPATH": path,
                "PYTHONHASHSEED": "0",
                **{name: os.environ.get(name, "1") for name in THREADS},
                # The kernel works in the run's own folder; an extract is named from here.
                "TFEVAL_STARTED_IN": self.started_in or str(Path.cwd()),
                **({KEEPS_FILES: "yes"} if self.keeps_files else {}),
                **({DRAWINGS_ALONE: "yes"} if self.drawings_alone else {}),
                "IPYTHONDIR": str(Path(self.connection_file).parent / "ipython"),
            },
        )

    async def _async_start_kernel(self, **options: Any) -> None:
        with _lock:
            _running.add(self)
        if self.server is not None and self.provisioner is None:
            self.provisioner = _Forking(kernel_spec=self.kernel_spec, parent=self)
        # What libraries write past Python's own stream may hold rows as well.
        self._written = Path(options.get("cwd") or ".") / STDERR
        keep_private("", self._written)
        with self._written.open("ab") as stream:
            await super()._async_start_kernel(**options | {"stderr": stream})

    start_kernel = _async_start_kernel

    async def _async_shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        self._until = self._written.stat().st_size
        await super()._async_shutdown_kernel(now, restart)

    shutdown_kernel = _async_shutdown_kernel

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        with _lock:
            _running.discard(self)
        if self._until is not None:
            # What it says as its sockets close is nothing of the page's, and depends on the clock.
            os.truncate(self._written, self._until)
        await super()._async_cleanup_resources(restart)

    cleanup_resources = _async_cleanup_resources


def kernels(server: WarmKernels | None, started_in: str) -> type[ThisPython]:
    """Return the class of kernels that a server forks, where it can, and where they began."""
    return type("Kernel", (ThisPython,), {"server": server, "started_in": started_in})


def stop_kernels() -> None:
    """Kill the kernels that are running; their notebooks then fail at once."""
    with _lock:
        managers = list(_running)
    for manager in managers:
        process = getattr(manager.provisioner, "process", None)
        if process is not None:
            process.kill()


class _Forking(LocalProvisioner):
    """Asks a server for a kernel; starts one where it has none to give."""

    process: Any

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        manager: Any = self.parent
        self.process = manager.server.fork(cmd, **kwargs)
        if self.process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs["cwd"]
        return self.connection_info
