"""How far a run has come: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfeval.report.task import Outcome

_WORDS = {"ok": "made", "kept": "up to date", "failed": "FAILED", "skipped": "SKIPPED"}


def line(outcome: Outcome) -> str:
    """Return one line on an outcome: what became of it and where its page is."""
    told = f"{_WORDS[outcome.status]:<10}  {outcome.page}"
    return f"{told}\n{'':<12}{outcome.error}" if outcome.error else told


@contextmanager
def follow(total: int) -> Iterator[Callable[[Outcome], None]]:
    """Give a function to be told each outcome.

    Parameters
    ----------
    total : int
        How many there will be.
    """
    if not sys.stderr.isatty():
        yield lambda outcome: print(line(outcome), flush=True)  # noqa: T201
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("Notebooks"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def tell(outcome: Outcome) -> None:
            bar.console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            bar.advance(task)

        yield tell
