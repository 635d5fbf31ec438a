"""What a report's kernel lets out: of an exception this package's own line or a type; its imports.

Loaded into the kernel as an IPython extension, so that a library's text, which may quote a row,
does not even reach the notebook that is being written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfeval.errors import NOT_SHOWN, TfevalError, public_line
from tfeval.report.fingerprint import imported
from tfeval.report.private import TRACEBACK, keep_private, trace

#: Stands in a notebook where the traceback would: the exception was made fit to be shown.
OWN, FOREIGN = "shown by tfeval: own words", "shown by tfeval: type alone"
#: Where a kernel leaves, after each cell, the names of the libraries that it has imported.
IMPORTED = ".imported.json"


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
