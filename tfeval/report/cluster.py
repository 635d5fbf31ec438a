"""Notebooks run by the workers of a Dask cluster; where pages go and which are kept stays here.

A worker gets a notebook with the records that it reads and gives back its files. Nothing of a
run lies on a worker, so a lost one loses no report: Dask gives what it had to another.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfeval.errors import ParameterError, ReportError
from tfeval.report.fingerprint import code_hash
from tfeval.report.warm import WarmKernels

if TYPE_CHECKING:
    from tfeval.report.task import Task

#: Seconds until a cluster must have answered, and between two looks whether the run is stopped.
_ANSWER, _LOOK = 20, 0.5
_Files = dict[str, bytes]
_warm = WarmKernels()
atexit.register(_warm.close)


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster.

    Attributes
    ----------
    client : distributed.Client
    places : int
        How many notebooks to give it at a time: its threads have another each.
    warm : bool
        Whether its workers fork kernels.
    """

    client: Any
    places: int
    warm: bool = False

    def make(self, task: Task, stage: Path) -> tuple[str, str, bool]:
        """Let a worker make a task's files, and put them into `stage`.

        Raises
        ------
        KeyboardInterrupt
            If the run is stopped.
        ReportError
            If a worker has another tfeval.
        """
        reads = [task.out / scope / name / "records.json" for name, scope in task.job.reads.items()]
        inputs = {path.relative_to(task.out).as_posix(): path.read_bytes()
                  for path in reads if path.is_file()}  # fmt: skip
        sent = replace(task, out=Path(), warm=None, cluster=None, started_in=str(Path.cwd()))
        future = self.client.submit(_made, sent, inputs, self.warm, pure=False)
        try:
            outcome, files = self._result(future, task)
        except import_module("distributed").KilledWorker:  # it took several workers with it
            return task.make(stage)
        finally:
            future.release()
        for name, content in files.items():
            (stage / name).write_bytes(content)
        return outcome

    @staticmethod
    def _result(future: Any, task: Task) -> tuple[tuple[str, str, bool], _Files]:
        while True:
            try:
                return future.result(timeout=_LOOK)
            except TimeoutError:
                if task.basis.stop.is_set():
                    future.cancel()
                    raise KeyboardInterrupt from None


@contextmanager
def cluster_at(address: str, *, warm: bool) -> Iterator[Cluster]:
    """Give the cluster at an address such as tcp://scheduler:8786.

    Parameters
    ----------
    address : str
    warm : bool
        Whether its workers are to fork kernels.

    Raises
    ------
    ParameterError
        If dask.distributed is not installed, nothing answers, or it has no worker.
    """
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ParameterError(
            "--cluster needs dask.distributed, which is not installed: pip install tfeval[audit]."
        ) from None
    try:
        client = distributed.Client(address, timeout=_ANSWER)
    except (OSError, ValueError):  # nothing there in time, or no address
        raise ParameterError(
            f"No Dask scheduler answers at {address}: start one by dask scheduler, or mend the "
            "address."
        ) from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ParameterError(
                f"The cluster at {address} has no worker: start one by dask worker."
            )
        yield Cluster(client, 2 * threads, warm)


def _made(task: Task, inputs: _Files, warm: bool) -> tuple[tuple[str, str, bool], _Files]:
    """Return what a task makes: what a worker does."""
    if code_hash() != task.basis.code:
        raise ReportError("A worker has another tfeval than this run: install the same there.")
    with tempfile.TemporaryDirectory(prefix="tfeval-") as private:
        task = replace(task, out=Path(private), warm=_warm if warm else None)
        for name, content in inputs.items():
            path = task.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        task.folder.mkdir(parents=True)
        outcome = task.make(task.folder)
        files = [path for path in task.folder.iterdir() if path.is_file()]
        return outcome, {path.name: path.read_bytes() for path in files}
