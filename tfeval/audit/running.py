"""Run replications on many processes or a cluster, keep each whole, and go on where it stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.audit.worlds import Task, settings_of
from tfeval.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from tfeval.audit.replication import Cell

PARTS = "parts"
_META = b"tfeval"
#: Threads of linear algebra fight where processes already fill the cores.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Plan:
    """What each replication of a run does.

    Attributes
    ----------
    comparisons : tuple of str
        Comparison groups.
    wanted : tuple of Cell
        Cells of each group.
    changes : mapping
        Settings that imitate an extract.
    """

    comparisons: tuple[str, ...]
    wanted: tuple[Cell, ...]
    changes: Mapping[str, Any]


def part_of(task: Task, out: Path, changes: Mapping[str, Any]) -> Path:
    """Return the file of a replication: its name changes with any setting of its world."""
    told = json.dumps(settings_of(task, changes), sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    name = f"{task.simulator}-{task.world}-{task.effects}-{task.replication:05d}-{digest}"
    return out / PARTS / f"{name}.parquet"


def run(
    todo: Iterable[Task],
    out: Path,
    plan: Plan,
    *,
    workers: int = 1,
    scheduler: str = "",
    made_with: Mapping[str, str] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    """Run what a folder does not hold yet; each replication is written whole, or not at all.

    Parameters
    ----------
    todo : iterable of Task
    out : Path
        Parts go to `parts` in it.
    plan : Plan
        A part that lacks groups or cells of it is completed.
    workers : int, default 1
        Processes on this machine. The numbers do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, in place of processes here.
    made_with : mapping, optional
        Kept with each part: commit, versions.
    tell : callable, optional
        Called with how many are done, and of how many.

    Raises
    ------
    ParameterError
        If `workers` is not positive, or a cluster is named and dask.distributed is not there.
    """
    if workers < 1:
        raise ParameterError(f"--workers needs at least 1, not {workers}.")
    (out / PARTS).mkdir(parents=True, exist_ok=True)
    listed = list(todo)
    open_ = [(task, lacking) for task in listed if (lacking := _lacking(task, out, plan))]
    done = len(listed) - len(open_)
    if tell:
        tell(done, len(listed))
    if not open_:
        return
    work = partial(_work, plan=plan)
    with _backend(min(workers, len(open_)), scheduler) as results:
        for (task, _), (rows, seconds) in results(work, open_):
            _keep(task, out, plan, rows, {**(made_with or {}), "seconds": f"{seconds:.2f}"})
            done += 1
            if tell:
                tell(done, len(listed))


Job = tuple[Task, tuple[str, ...]]
Result = tuple["pd.DataFrame", float]


def _lacking(task: Task, out: Path, plan: Plan) -> tuple[str, ...]:
    """Return the groups that a part lacks, wholly or some cells of."""
    part = part_of(task, out, plan.changes)
    if not part.is_file():
        return plan.comparisons
    import pandas as pd  # noqa: PLC0415

    names = ["comparison", "horizon", "design", "estimator"]
    held = set(pd.read_parquet(part, columns=names).itertuples(index=False, name=None))
    return tuple(
        name for name in plan.comparisons
        if any((name, *vars(cell).values()) not in held for cell in plan.wanted)
    )  # fmt: skip


def _work(job: Job, plan: Plan) -> Result:
    """Run one replication with one thread; what a worker does."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    from tfeval.audit.replication import replicate  # noqa: PLC0415

    task, comparisons = job
    begun = time.process_time()
    with threadpool_limits(1):
        rows = replicate(task, comparisons, plan.wanted, plan.changes)
    return rows, time.process_time() - begun


@contextmanager
def _backend(workers: int, scheduler: str) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a function that yields each job with its result, as they come."""
    if scheduler:
        with _cluster(scheduler) as results:
            yield results
    elif workers == 1:
        yield lambda work, jobs: ((job, work(job)) for job in jobs)
    else:
        for name in _THREADS:
            os.environ.setdefault(name, "1")  # read by a process as it starts
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                yield lambda work, jobs: _submitted(pool, work, jobs)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _submitted(
    pool: ProcessPoolExecutor, work: Callable[[Job], Result], jobs: list[Job]
) -> Iterator[tuple[Job, Result]]:
    futures: dict[Future[Result], Job] = {pool.submit(work, job): job for job in jobs}
    for future in as_completed(futures):
        yield futures.pop(future), future.result()


@contextmanager
def _cluster(address: str) -> Iterator[Callable[..., Iterator[Any]]]:
    """Work on a Dask cluster: what a lost worker had is given to another."""
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ParameterError(
            "--scheduler needs dask.distributed, which is not installed: pip install tfeval[audit]."
        ) from None
    with distributed.Client(address) as client:

        def results(work: Callable[[Job], Result], jobs: list[Job]) -> Iterator[tuple[Job, Result]]:
            futures = dict(zip(client.map(work, jobs, pure=False), jobs, strict=True))
            for future in distributed.as_completed(list(futures)):
                yield futures.pop(future), future.result()
                future.release()

        yield results


def _keep(task: Task, out: Path, plan: Plan, rows: pd.DataFrame, about: Mapping[str, str]) -> None:
    """Write a part whole, beside the groups that it held already."""
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    part = part_of(task, out, plan.changes)
    told = [dict(about)]
    if part.is_file():
        before = pd.read_parquet(part)
        told = [*about_part(part), *told]
        kept = before[~before["comparison"].isin(rows["comparison"].unique())]
        rows = pd.concat([kept, rows], ignore_index=True)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({_META: json.dumps(told)})
    draft = part.with_suffix(f".{os.getpid()}.tmp")
    pq.write_table(table, draft, compression="zstd")
    draft.replace(part)


def about_part(part: Path) -> list[dict[str, str]]:
    """Return what is kept with a part, one entry a time that it was written: seconds, commit."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    return json.loads((pq.read_schema(part).metadata or {}).get(_META, b"[]"))


def read_parts(out: Path, todo: Iterable[Task], changes: Mapping[str, Any]) -> list[Path]:
    """Return the parts that a folder holds of some tasks, in their order."""
    return [part for task in todo if (part := part_of(task, out, changes)).is_file()]
