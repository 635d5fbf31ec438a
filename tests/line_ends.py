"""Refuse files whose lines or last line do not end as they should."""

from __future__ import annotations

import sys
from pathlib import Path


def fault_of(text: str) -> str:
    """Say what is wrong with a file's text; empty if nothing is.

    Examples
    --------
    >>> fault_of("one\\ntwo \\n"), fault_of("one"), fault_of("one\\n")
    ('white space at the end of line 2', 'no line end at its end', '')
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            return f"white space at the end of line {number}"
    if text and not text.endswith("\n"):
        return "no line end at its end"
    return "empty lines at its end" if text.endswith("\n\n") else ""


if __name__ == "__main__":
    faults = {name: fault_of(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]}
    sys.stderr.writelines(f"{name}: {what}\n" for name, what in faults.items() if what)
    sys.exit(any(faults.values()))
