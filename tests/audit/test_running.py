"""A run goes on where it stopped, gives the same for any number of workers, and loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tfeval.audit import running
from tfeval.audit.replication import COLUMNS, PAGE, Cell, tasks
from tfeval.audit.running import Plan, about_part, held_parts, part_of, run, tabulate
from tfeval.errors import DataError, ParameterError

ROOT = Path(__file__).resolve().parent.parent.parent
PLAN = Plan(("not_yet_treated",), (PAGE,), {})
KEYS = ["comparison", "horizon", "design", "estimator", "outcome"]


def few(replications=2, **more):
    return tasks(worlds=("crisis",), effects=("none",), replications=replications, families=300,
                 seed=1, **more)  # fmt: skip


def made(job, plan):
    """Stand in for a replication: rows that say which it was."""
    task, comparisons = job
    rows = [{**vars(task), "comparison": group, **vars(cell), "outcome": "offences",
             "estimate": float(task.replication), "why": ""}
            for group in comparisons for cell in plan.wanted]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS)), 1.0


@pytest.fixture
def work(monkeypatch):
    """Count the replications that are worked on, and work none."""
    jobs = []

    def counted(job, plan):
        jobs.append(job)
        return made(job, plan)

    monkeypatch.setattr(running, "_work", counted)
    return jobs


def test_what_is_done_is_not_done_again_and_more_is_added(tmp_path, work):
    told = []
    run(few(2), tmp_path, PLAN, tell=lambda done, of: told.append((done, of)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    run(few(3), tmp_path, PLAN)
    assert [task.replication for task, _ in work] == [0, 1, 2]
    wider = Plan(("not_yet_treated", "waiting"), (PAGE,), {})
    run(few(3), tmp_path, wider)
    assert [groups for _, groups in work[3:]] == [("waiting",)] * 3
    more = Plan(wider.comparisons, (PAGE, Cell(12, "entropy", "adjusted")), {})
    run(few(1), tmp_path, more)
    assert work[6:] == [(few(1)[0], more.comparisons)]
    parts = held_parts(tmp_path, 300, 1, {})
    assert [len(pd.read_parquet(part)) for part in parts] == [4, 2, 2]
    assert [one["seconds"] for one in about_part(parts[1])] == ["1.00", "1.00"]


def test_another_setting_is_another_part(tmp_path):
    task = few(1)[0]
    names = {part_of(task, tmp_path, changes) for changes in ({}, {"wait_days": 50.0})}
    names |= {part_of(other, tmp_path, {}) for other in tasks(
        worlds=("crisis",), effects=("none",), replications=1, families=301, seed=1)}  # fmt: skip
    assert len(names) == 3


def test_a_run_that_stops_keeps_what_is_done(tmp_path, work):
    def stop(done, of):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(few(3), tmp_path, PLAN, tell=stop)
    (tmp_path / "parts" / "half.123.tmp").write_bytes(b"not whole")
    assert len(held_parts(tmp_path, 300, 1, {})) == 1
    run(few(3), tmp_path, PLAN)
    assert [task.replication for task, _ in work] == [0, 1, 2]
    found = tabulate(tmp_path, 300, 1, {}, {"commit": "x"})
    assert found.select(outcome="offences")["replications"].tolist() == [3]
    assert found.about["processor_hours"] == 0.0 and found.about["worlds_simulated"] == 3


def test_nothing_done_is_said(tmp_path):
    with pytest.raises(DataError, match="No replication is done yet"):
        tabulate(tmp_path, 300, 1, {}, {})
    with pytest.raises(ParameterError, match="--workers"):
        run(few(1), tmp_path, PLAN, workers=0)
    with pytest.raises(ParameterError, match="Did you mean waiting"):
        Plan.of(["wating"])


SCRIPT = """
from pathlib import Path
import sys
from tests.audit.test_running import PLAN, few
from tfeval.audit.running import run

if __name__ == "__main__":
    run(few(3), Path(sys.argv[1]), PLAN, workers=int(sys.argv[2]))
"""


def start(folder, workers):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(workers)],
                            env=environment, cwd=ROOT)  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Four replications of this process, one after the other."""
    folder = tmp_path_factory.mktemp("here")
    run(few(4), folder, PLAN)
    return frames(folder)


def frames(folder):
    return [pd.read_parquet(part).sort_values(KEYS, ignore_index=True)
            for part in held_parts(folder, 300, 1, {})]  # fmt: skip


@pytest.mark.slow(reason="new processes, each of which loads the package")
def test_killed_and_resumed_by_other_workers_the_numbers_are_the_same(tmp_path, here):
    two = tmp_path / "two"
    killed = start(two, 1)
    while killed.poll() is None and not list(two.rglob("*.parquet")):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 1 <= len(frames(two)) < 3
    (tmp_path / "run.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(tmp_path / "run.py"), str(two), "2"], cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert done.returncode == 0
    for first, second in zip(here[:3], frames(two), strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)


# ------------------------------------------------------------------ a cluster


def test_without_dask_a_scheduler_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ParameterError, match=r"pip install tfeval\[audit\]"):
        run(few(1), tmp_path, PLAN, scheduler="tcp://127.0.0.1:8786")


class Future:
    def __init__(self, value):
        self.value = value

    def result(self):
        return self.value

    def release(self):
        self.value = None


class Client:
    """Stands in for dask's: it works at once, and gives back in another order."""

    def __init__(self, address):
        self.address = address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def map(self, work, jobs, *, pure):
        assert not pure  # the same job twice is not one job
        return [Future(work(job)) for job in jobs]


def test_a_cluster_s_results_are_kept_under_their_own_task(tmp_path, monkeypatch, work):
    fake = SimpleNamespace(Client=Client, as_completed=reversed)
    monkeypatch.setitem(sys.modules, "distributed", fake)
    run(few(3), tmp_path, PLAN, scheduler="tcp://127.0.0.1:8786")
    for task in few(3):
        rows = pd.read_parquet(part_of(task, tmp_path, {}))
        assert rows["replication"].tolist() == [task.replication]
        assert rows["estimate"].tolist() == [float(task.replication)]


@pytest.mark.engine
def test_a_worker_of_a_cluster_that_dies_loses_nothing(tmp_path, here):
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        victims = [worker.process.pid for worker in cluster.workers.values()]

        def kill(done, of):
            if done == 1:
                os.kill(victims[0], signal.SIGKILL)

        run(few(4), tmp_path, PLAN, scheduler=cluster.scheduler_address, tell=kill)
    for first, second in zip(frames(tmp_path), here, strict=True):
        assert list(first["why"]) == list(second["why"])
        pd.testing.assert_frame_equal(first, second, check_exact=True)
