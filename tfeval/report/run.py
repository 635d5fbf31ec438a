"""Strict, resumable runs of notebooks into reports, each after what it reads."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from tfeval.errors import DataError, ParameterError, ReportError
from tfeval.report.cluster import cluster_at
from tfeval.report.fingerprint import clean_leftovers, is_full
from tfeval.report.plan import Job
from tfeval.report.reports_index import write_index
from tfeval.report.subject import SIMULATED as SIMULATED_EXTRACTS
from tfeval.report.task import Accepted, Basis, Outcome, Task
from tfeval.report.warm import WarmKernels
from tfeval.settings import CELL_MINUTES

Key = tuple[str, str]
#: With fewer notebooks, loading all that they may import takes longer than each loading its own.
WARM_FROM = 6


def run_jobs(
    jobs: Iterable[Job],
    out: Path,
    *,
    force: bool = False,
    workers: int = 2,
    report: Callable[[Outcome], None] | None = None,
    accept_faults: str = "",
    cell_minutes: float = CELL_MINUTES,
    warm: bool = True,
    cluster: str = "",
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
    accept_faults : str, optional
        Why the jobs run though their extract has faults; each page that rests on it says so.
    cell_minutes : float, default 60
        How long a cell may take; its page then says so, and other pages are made.
    warm : bool, default True
        Fork kernels, where that is quicker; the pages are the same.
    cluster : str, optional
        Address of a Dask scheduler whose workers run the notebooks, in place of this machine.

    Returns
    -------
    list of Outcome
        In the order of the jobs.

    Raises
    ------
    ParameterError
        If `workers` or `cell_minutes` is not positive, or a cluster cannot be reached.
    DataError
        If an extract has faults and no reason to accept them is given: nothing is run then.

    Notes
    -----
    An extract is checked once, before any notebook starts. Two runs may share a folder: a page
    that one is making the other waits for, and then keeps. What fails by chance (a kernel that
    dies, an error that is not this package's own) is tried a second time at the end, in a kernel
    that is started anew. With several notebooks kernels are forked: see `WarmKernels`.
    """
    if workers < 1:
        raise ParameterError(f"--jobs needs at least 1, not {workers}.")
    if not cell_minutes > 0:
        raise ParameterError(f"--cell-minutes is more than 0, not {cell_minutes:g}.")
    jobs = list(jobs)
    accepted = _accepted(jobs, accept_faults.strip())
    basis = Basis.now()
    for scope in {job.scope for job in jobs}:
        clean_leftovers(out / scope)
    with ExitStack() as ends:
        many = warm and len(jobs) >= WARM_FROM
        far = ends.enter_context(cluster_at(cluster, warm=many)) if cluster else None
        server = ends.enter_context(WarmKernels()) if many and not far else None

        def task_of(job: Job, broken: str) -> Task:
            return Task(job, out, basis, force, broken, accepted.get(job.key), cell_minutes,
                        server, far)  # fmt: skip

        pool = ThreadPoolExecutor(far.places if far else workers)
        try:
            done = _run_all(jobs, task_of, pool, report or (lambda _: None))
        except BaseException:
            _abandon(pool, basis.stop)
            raise
        pool.shutdown()
    return [done[job.key] for job in jobs]


def _run_all(
    jobs: list[Job],
    task_of: Callable[[Job, str], Task],
    pool: Executor,
    tell: Callable[[Outcome], None],
) -> dict[Key, Outcome]:
    """Run each job once what it reads is done, and a second time what failed by chance."""
    done: dict[Key, Outcome] = {}
    again: list[Task] = []
    running: dict[Future[Outcome], Task] = {}
    waiting = {job.key: job for job in jobs}
    while waiting or running or again:
        for key in [key for key, job in waiting.items() if all(n in done for n in job.needs)]:
            failed = [name for name in waiting[key].needs if not done[name].good]
            task = task_of(waiting.pop(key), failed[0][1] if failed else "")
            running[pool.submit(task.run)] = task
        if not running:  # all else is done, and no longer in the way of what failed by chance
            tasks = [replace(task, second=True, warm=None) for task in again]
            running, again = {pool.submit(task.run): task for task in tasks}, []
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task, outcome = running.pop(future), future.result()
            if outcome.by_chance and not task.second:
                again.append(task)
                continue
            done[task.job.key] = outcome
            tell(outcome)
    return done


#: Kinds of fault named in one line; `tfeval check` has them all.
_NAMED = 4


def _accepted(jobs: list[Job], reason: str) -> dict[Key, Accepted]:
    """Check each extract that is to be read; return the faults that each job rests on."""
    accepted: dict[Key, Accepted] = {}
    checked: dict[str, Accepted | None] = {}
    for job in jobs:  # each after what it reads
        extract = str(job.values.get("extract", "simulated"))
        if extract not in SIMULATED_EXTRACTS:
            if extract not in checked:
                checked[extract] = _checked(extract, reason)
            own = [checked[extract]]
        else:
            own = [accepted.get(key) for key in job.needs]
        if faulty := [one for one in own if one]:
            accepted[job.key] = faulty[0]
    return accepted


def _checked(extract: str, reason: str) -> Accepted | None:
    from tfeval.records.check import check_records  # noqa: PLC0415 - heavy, and often not needed

    faults = tuple(fault.text() for fault in check_records(extract).faults)
    if not faults:
        return None
    if not reason:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise DataError(
            f"{Path(extract).name} has faults: {'; '.join(faults[:_NAMED])}{more}. tfeval check "
            'says what to do; mend them, or give a reason with --accept-faults "REASON".'
        )
    return Accepted(reason, faults)


def _abandon(pool: ThreadPoolExecutor, stop: Event) -> None:
    """Stop at once: what has not begun is dropped, what runs is killed and leaves nothing."""
    stop.set()
    pool.shutdown(wait=False, cancel_futures=True)
    kernels = sys.modules.get("tfeval.report.kernels")
    if kernels is not None:
        kernels.stop_kernels()
    pool.shutdown(wait=True)


# However a run ends, an index of what is whole is left.


@contextmanager
def ending_with_index(out: Path) -> Iterator[None]:
    """Let a run that is stopped, by a signal or a fault, leave an index of what is whole.

    Parameters
    ----------
    out : Path
        The folder of reports. A run that ends well writes its index itself.

    Raises
    ------
    KeyboardInterrupt
        In place of the end of the process, with the signal's number, where it is asked to end.
    ReportError
        In place of the system's own error, where the disk is full.
    """
    with _asked_to_end():
        try:
            yield
        except BaseException as fault:
            with suppress(Exception):  # whatever ends the run is what is told
                if out.is_dir():
                    write_index(out)
            if is_full(fault):
                raise ReportError(
                    f"The disk is full, so not every page is in {out}: make room and run the "
                    "same again. What is whole is kept."
                ) from None
            raise


#: How a process is asked to end: by another, and by a terminal that goes.
_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """End as by Ctrl-C when asked to, once; asked again, at once."""
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(number: int, _: object) -> None:
        restore()
        raise KeyboardInterrupt(number)

    if threading.current_thread() is threading.main_thread():
        # What the process was started to ignore, as by nohup, it ignores.
        signals = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
        before |= {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        restore()
