"""How far a run has come: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tfeval.report.task import Outcome

#: Notebooks from which it is said in plain lines, too, how far the run has come.
_MANY = 20
_WORDS = {"ok": "made", "kept": "up to date", "failed": "FAILED", "skipped": "SKIPPED"}


def line(outcome: Outcome) -> str:
    """Return one line on an outcome: what became of it and where its page is."""
    words = f"{_WORDS[outcome.status]:<10}  {outcome.page}"
    return f"{words}\n{'':<12}{outcome.error}" if outcome.error else words


@contextmanager
def follow(total: int) -> Iterator[Callable[[Outcome], None]]:
    """Give a function to be told each outcome.

    Parameters
    ----------
    total : int
        How many there will be.
    """
    if not sys.stderr.isatty():
        if total < _MANY:
            yield lambda outcome: print(line(outcome), flush=True)  # noqa: T201
            return
        with counting("Notebooks", total) as count:
            numbers = iter(range(1, total + 1))

            def say(outcome: Outcome) -> None:
                print(line(outcome), flush=True)  # noqa: T201
                count(next(numbers), total)

            yield say
        return
    with _bar("Notebooks", total, transient=True) as (bar, task):

        def tell(outcome: Outcome) -> None:
            bar.console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            bar.advance(task)

        yield tell


def left(done: int, total: int, seconds: float) -> str:
    """Return how long the rest takes if it goes on like this, in words; nothing at either end.

    Examples
    --------
    >>> left(30, 120, 60.0), left(119, 120, 240.0), left(120, 120, 240.0)
    (', about 3 minutes left', ', about 2 seconds left', '')
    """
    if not 0 < done < total:
        return ""
    rest = seconds * (total - done) / done
    number, unit = (rest / 60, "minute") if rest >= 100 else (rest, "second")
    return f", about {number:.0f} {unit}{'s' * (round(number) != 1)} left"


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told how many are done: a bar in a terminal, lines elsewhere.

    Parameters
    ----------
    what : str
        That is counted.
    total : int
        How many there will be.
    """
    if not sys.stderr.isatty():
        step, begun = max(total // 20, 1), time.monotonic()

        def say(done: int, of: int) -> None:
            if done % step == 0 or done == of:
                rest = left(done, of, time.monotonic() - begun)
                print(f"{what}: {done} of {of}{rest}", file=sys.stderr, flush=True)  # noqa: T201

        yield say
        return
    with _bar(what, total) as (bar, task):
        yield lambda done, _of: bar.update(task, completed=done)


@contextmanager
def _bar(what: str, total: int, *, transient: bool = False) -> Iterator[tuple[Progress, TaskID]]:
    """Give a bar on the terminal, and the task that it shows."""
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (progress.TextColumn(what), progress.BarColumn(), progress.MofNCompleteColumn(),
               progress.TimeRemainingColumn())  # fmt: skip
    with progress.Progress(*columns, console=Console(stderr=True), transient=transient) as bar:
        yield bar, bar.add_task("", total=total)
