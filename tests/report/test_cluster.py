"""Pages made by the workers of a Dask cluster, in processes of this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from conftest import READS

from tfeval.errors import ParameterError
from tfeval.report import cluster
from tfeval.report.plan import plan
from tfeval.report.run import run_jobs

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def workers():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as made,
        made.get_client() as client,
    ):
        yield made.scheduler_address, client


def contents(out: Path) -> dict:
    return {path.relative_to(out).as_posix(): path.read_bytes()
            for path in out.rglob("*") if path.is_file()}  # fmt: skip


@pytest.mark.slow(reason="starts a Dask cluster")
def test_a_lost_worker_loses_no_report_and_pages_are_those_made_here(
    workers, write, facts, tmp_path
):
    address, client = workers
    begun = tmp_path / "begun"
    waits = (
        f"import pathlib, time\nbegun = pathlib.Path({str(begun)!r})\n"
        "if not begun.exists():\n    begun.touch()\n    time.sleep(600)"
    )
    first = ["from tfeval.report.record import record", 'record("budget", 448.0, "£m")']
    write(tmp_path / "n", "01_ok", ["# A?", ("code", first[0]), ("parameters", PRICE),
                                    ("code", first[1]), ("code", RECORDED)])  # fmt: skip
    write(tmp_path / "n", "02_reads", READS, reads=["01_ok"])
    write(tmp_path / "n", "03_waits", ["# Waits?", ("code", waits)])
    jobs = plan(["02_reads", "03_waits"], {}, tmp_path / "n")
    pids = client.run(os.getpid)
    done: list = []
    running = threading.Thread(
        target=lambda: done.extend(run_jobs(jobs, tmp_path / "far", cluster=address))
    )
    running.start()
    wait_for(begun.exists)
    wait_for(lambda: len([1 for tasks in client.processing().values() if tasks]) == 1)
    lost = next(worker for worker, tasks in client.processing().items() if tasks)
    os.kill(pids[lost], signal.SIGKILL)
    running.join(120)
    assert [one.status for one in done] == ["ok"] * 3
    assert not list((tmp_path / "far").rglob(".*"))
    run_jobs(jobs, tmp_path / "here")
    assert contents(tmp_path / "far") == contents(tmp_path / "here")


PRICE = "price_year: int = 2014  # prices of this financial year\n"
RECORDED = 'record("price_year", price_year)'


def wait_for(true, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_is_no_cluster_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "_ANSWER", 0.5)
    for address in ("tcp://127.0.0.1:1", "nowhere"):
        with pytest.raises(ParameterError, match="No Dask scheduler answers at") as refused:
            run_jobs([], tmp_path, cluster=address)
        assert "\n" not in str(refused.value)
    monkeypatch.setattr(cluster, "import_module", lambda _: (_ for _ in ()).throw(ImportError))
    with pytest.raises(ParameterError, match=r"pip install tfeval\[audit\]"):
        run_jobs([], tmp_path, cluster="tcp://127.0.0.1:1")
