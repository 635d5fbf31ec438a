"""Kernels that answer through files of their own, not through ports.

Ports are looked for, let go, and taken by the kernel a moment later: of many kernels started
side by side, one sometimes finds its port taken and dies. Loaded by ``-p tests.kernels_apart``
where nbval runs the notebooks; tests that start a kernel use `Apart` itself.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_client.manager import KernelManager

_FOLDER = tempfile.TemporaryDirectory(prefix="k")  # short: a socket's path has 107 bytes at most


class Apart(KernelManager):
    """A manager of one kernel, with a connection file that no other kernel has."""

    def __init__(self, **options: Any) -> None:
        if os.name != "nt":  # there are no such files there
            name = str(Path(_FOLDER.name, f"{uuid4().hex}.json"))
            options = {"transport": "ipc", "connection_file": name} | options
        super().__init__(**options)


def pytest_configure() -> None:
    """Let nbval start its kernels in this way."""
    from nbval import kernel

    kernel.KernelManager = Apart
