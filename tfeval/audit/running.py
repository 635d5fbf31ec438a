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
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.audit.replication import Task, settings_of, tasks
from tfeval.audit.worlds import SIMULATORS
from tfeval.cohort.analysis_table import COMPARISONS
from tfeval.errors import DataError, ParameterError, suggest
from tfeval.settings import THREADS

if TYPE_CHECKING:
    import pandas as pd

    from tfeval.audit.replication import Cell
    from tfeval.audit.summary import KnownTruth

PARTS = "parts"
_META = b"tfeval"


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

    @classmethod
    def of(cls, comparisons: Iterable[str] = (), *, full: bool = False) -> Plan:
        """Return a plan of these groups, by default all; `full` as in `cells`.

        Raises
        ------
        ParameterError
            If there is no such group.
        """
        from tfeval.audit.replication import cells  # noqa: PLC0415

        given = tuple(comparisons) or tuple(COMPARISONS)
        for name in given:
            if name not in COMPARISONS:
                raise ParameterError(
                    f'There is no comparison group "{name}". {suggest(name, COMPARISONS)}'
                )
        return cls(given, cells(full=full), {})


def part_of(task: Task, out: Path, changes: Mapping[str, Any]) -> Path:
    """Return the file of a replication: its name changes with any setting of its world."""
    settings = json.dumps(settings_of(task, changes), sort_keys=True, default=str)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
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
    work, together = partial(_work_together, plan=plan), _together(open_)
    with _backend(min(workers, len(together)), scheduler) as results:
        for jobs, made in results(work, together):
            for (task, _), (rows, seconds) in zip(jobs, made, strict=True):
                _keep(task, out, plan, rows, {**(made_with or {}), "seconds": f"{seconds:.2f}"})
                done += 1
                if tell:
                    tell(done, len(listed))


Job = tuple[Task, tuple[str, ...]]
Result = tuple["pd.DataFrame", float]
#: Replications of one world that differ in its effect alone, for one worker.
Jobs = list[Job]


def _together(jobs: Jobs) -> list[Jobs]:
    alike: dict[Task, Jobs] = {}
    for job in jobs:
        alike.setdefault(replace(job[0], effects=""), []).append(job)
    return list(alike.values())


def _lacking(task: Task, out: Path, plan: Plan) -> tuple[str, ...]:
    """Return the groups that a part lacks, wholly or some cells of."""
    part = part_of(task, out, plan.changes)
    if not part.is_file():
        return plan.comparisons
    import pandas as pd  # noqa: PLC0415

    names = ["comparison", "horizon", "design", "estimator"]
    present = set(pd.read_parquet(part, columns=names).itertuples(index=False, name=None))
    return tuple(
        name for name in plan.comparisons
        if any((name, *vars(cell).values()) not in present for cell in plan.wanted)
    )  # fmt: skip


def _work_together(jobs: Jobs, plan: Plan) -> list[Result]:
    """Run replications whose families live the same lives until they are treated."""
    from tfeval.audit.designs import designs_shared  # noqa: PLC0415
    from tfeval.records.simulate_histories import lives_shared  # noqa: PLC0415

    with lives_shared(), designs_shared():
        return [_work(job, plan) for job in jobs]


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
        for name in (*THREADS, "NUMBA_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                yield lambda work, jobs: _submitted(pool, work, jobs)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _submitted(
    pool: ProcessPoolExecutor, work: Callable[[Jobs], list[Result]], jobs: list[Jobs]
) -> Iterator[tuple[Jobs, list[Result]]]:
    futures: dict[Future[list[Result]], Jobs] = {pool.submit(work, each): each for each in jobs}
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

        def results(
            work: Callable[[Jobs], list[Result]], jobs: list[Jobs]
        ) -> Iterator[tuple[Jobs, list[Result]]]:
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
    history = [dict(about)]
    if part.is_file():
        before = pd.read_parquet(part)
        history = [*about_part(part), *history]
        kept = before[~before["comparison"].isin(rows["comparison"].unique())]
        rows = pd.concat([kept, rows], ignore_index=True)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({_META: json.dumps(history)})
    draft = part.with_suffix(f".{os.getpid()}.tmp")
    pq.write_table(table, draft, compression="zstd")
    draft.replace(part)


def about_part(part: Path) -> list[dict[str, str]]:
    """Return what is kept with a part, one entry a time that it was written: seconds, commit."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    return json.loads((pq.read_schema(part).metadata or {}).get(_META, b"[]"))


def held_parts(out: Path, families: int, seed: int, changes: Mapping[str, Any]) -> list[Path]:
    """Return all replications that a folder holds of an audit, whichever run made them."""
    numbers = [int(path.stem.split("-")[-2]) for path in (out / PARTS).glob("*.parquet")]
    every = tasks(simulators=tuple(SIMULATORS), replications=max(numbers, default=0) + 1,
                  families=families, seed=seed)  # fmt: skip
    return [part for task in every if (part := part_of(task, out, changes)).is_file()]


def tabulate(
    out: Path, families: int, seed: int, changes: Mapping[str, Any], about: Mapping[str, Any]
) -> KnownTruth:
    """Make the table of all replications that a folder holds, and keep there what it follows from.

    Parameters
    ----------
    out : Path
    families, seed, changes
        Of the audit.
    about : mapping
        What else the table is to say of how it was made.

    Raises
    ------
    DataError
        If no replication is done yet.
    """
    import pandas as pd  # noqa: PLC0415

    from tfeval.audit import summary  # noqa: PLC0415

    parts = held_parts(out, families, seed, changes)
    if not parts:
        raise DataError("No replication is done yet: let tfeval audit run one at least.")
    rows = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    history = [one for part in parts for one in about_part(part)]
    seconds = sum(float(one["seconds"]) for one in history)
    made = {
        **{name: value for name, value in about.items() if name != "commit"},
        "families": families, "seeds": [seed], "worlds_simulated": len(parts),
        "processor_hours": round(seconds / 3600, 2),
        "commits": sorted({one["commit"] for one in history if one.get("commit")}),
    }  # fmt: skip
    draft = out / f"{summary.SAMPLE}.tmp"
    summary.page_rows(rows).to_parquet(draft, compression="zstd", index=False)
    draft.replace(out / summary.SAMPLE)
    return summary.write_sums(summary.sums(rows), made, out)
