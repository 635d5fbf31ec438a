"""Text that may hold rows: kept in private files beside a run, never on a page."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

#: Files of a run that only their owner may read; nothing refers to what is in them.
TRACEBACK = "private-traceback.txt"
STDERR = "private-stderr.txt"
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
