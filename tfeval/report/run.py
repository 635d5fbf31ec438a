"""Strict, resumable runs of notebooks into reports: each after what it reads, some at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from tfeval.errors import ParameterError
from tfeval.report.fingerprint import clean_leftovers
from tfeval.report.plan import Job
from tfeval.report.task import Basis, Outcome, Task

if TYPE_CHECKING:
    from tfeval.report.task import Outcome


# How far a run has come: a bar in a terminal, plain lines elsewhere.

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
        step = max(total // 20, 1)

        def say(done: int, of: int) -> None:
            if done % step == 0 or done == of:
                print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)  # noqa: T201

        yield say
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, _of: bar.update(task, completed=done)


Key = tuple[str, str]


def run_jobs(
    jobs: Iterable[Job],
    out: Path,
    *,
    force: bool = False,
    workers: int = 2,
    report: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run jobs, each after what it reads; what is up to date is kept.

    Parameters
    ----------
    jobs : iterable of Job
        As `plan` returns them.
    out : Path
        Where reports go.
    force : bool, default False
        Run again even what is up to date.
    workers : int, default 2
        Notebooks at a time, each with a kernel of its own.
    report : callable, optional
        Called with each outcome as it is known.

    Returns
    -------
    list of Outcome
        In the order of the jobs.

    Raises
    ------
    ParameterError
        If `workers` is not positive.
    """
    if workers < 1:
        raise ParameterError(f"--jobs needs at least 1, not {workers}.")
    jobs = list(jobs)
    basis = Basis.now()
    for scope in {job.scope for job in jobs}:
        clean_leftovers(out / scope)
    done: dict[Key, Outcome] = {}
    running: dict[Future[Outcome], Key] = {}
    waiting = {job.key: job for job in jobs}
    pool = ThreadPoolExecutor(workers)
    try:
        while waiting or running:
            for key in [key for key, job in waiting.items() if all(n in done for n in job.needs)]:
                failed = [name for name in waiting[key].needs if not done[name].good]
                task = Task(waiting.pop(key), out, basis, force, failed[0][1] if failed else "")
                running[pool.submit(task.run)] = key
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = done[running.pop(future)] = future.result()
                if report:
                    report(outcome)
    except BaseException:
        _abandon(pool, basis.stop)
        raise
    pool.shutdown()
    return [done[job.key] for job in jobs]


def _abandon(pool: ThreadPoolExecutor, stop: Event) -> None:
    """Stop at once: what has not begun is dropped, what runs is killed and leaves nothing."""
    stop.set()
    pool.shutdown(wait=False, cancel_futures=True)
    execute = sys.modules.get("tfeval.report.execute")
    if execute is not None:
        execute.stop_kernels()
    pool.shutdown(wait=True)
