"""However a run ends: its time, a signal, a full disk, another run; what is whole stays whole."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tfeval.errors import ParameterError, ReportError
from tfeval.report import execute, fingerprint, progress
from tfeval.report.fingerprint import IMPORTED, MANIFEST, alone, file_hash, is_full, read_manifest
from tfeval.report.plan import plan
from tfeval.report.reports_index import write_index
from tfeval.report.run import ending_with_index, run_jobs
from tfeval.report.task import Outcome


@pytest.fixture
def three(monkeypatch, write, facts, tmp_path):
    """Three chapters whose notebooks are not really run, and who ran which at which time."""
    ran: list[tuple[str, float, float]] = []

    def fake(content, parameters, folder, **_):
        begun = time.monotonic()
        time.sleep(0.02)
        done = {"cells": [{**cell, "source": fingerprint.source(cell)}
                          for cell in content["cells"]],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
        execute.write_notebook(done, folder / "notebook.ipynb")
        (folder / IMPORTED).write_text("[]")
        ran.append((done["cells"][0]["source"], begun, time.monotonic()))
        return done, None

    monkeypatch.setattr(execute, "execute", fake)
    for name in ("01_a", "02_b", "03_c"):
        write(tmp_path / "n", name, [f"# {name}?", ("code", "1")])
    return plan(["01_a", "02_b", "03_c"], {}, tmp_path / "n"), tmp_path / "out", ran


def whole(out: Path) -> list[str]:
    """Return the folders of finished pages; fail if anything under `out` is not one of them."""
    found = []
    for folder in sorted(out.glob("*/*")):
        held = read_manifest(folder)
        assert held is not None, folder
        files = {path.name for path in folder.iterdir()} - {MANIFEST}
        assert files == set(held["outputs"])
        assert all(file_hash(folder / name) == made for name, made in held["outputs"].items())
        found.append(folder.name)
    assert {path.name for path in out.glob("*")} <= {"national", "index.html"}
    return found


# --- time -----------------------------------------------------------------------------------------


def test_a_cell_that_does_not_end_is_a_failed_page_and_others_are_made(write, facts, tmp_path):
    cells = ["# Long?", ("code", "print('before')"), ("code", "import time\ntime.sleep(600)"),
             ("code", "print('never')")]  # fmt: skip
    write(tmp_path / "n", "01_long", cells)
    write(tmp_path / "n", "02_good", ["# Good?", ("code", "1")])
    jobs = plan(["01_long", "02_good"], {}, tmp_path / "n")
    begun = time.monotonic()
    long, good = run_jobs(jobs, tmp_path / "out", cell_minutes=1 / 20)
    assert time.monotonic() - begun < 300
    assert (long.status, good.status) == ("failed", "ok")
    assert long.error.startswith("A cell took longer than 0.05 minutes")
    assert long.error.endswith("--cell-minutes. (CellTimeoutError in code cell 2)")
    page = long.page.read_text(encoding="utf-8")
    assert "It failed in code cell 2" in page and "longer than 0.05 minutes" in page
    assert "before" in page and "never" not in page
    with pytest.raises(ParameterError, match="more than 0"):
        run_jobs(jobs, tmp_path / "out", cell_minutes=0)


# --- the index ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["SIGTERM", "SIGHUP", "Ctrl-C", "fault"])
def test_a_run_that_is_stopped_leaves_an_index_of_what_is_whole(three, end):
    if end == "SIGHUP" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("the suite was started by nohup, so a hang-up ends nothing")
    jobs, out, _ = three
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)]

    def stop(outcome):
        if outcome.notebook != "02_b":
            return
        if end == "Ctrl-C":
            raise KeyboardInterrupt
        if end == "fault":
            raise RuntimeError("a bug")
        os.kill(os.getpid(), getattr(signal, end))
        time.sleep(5)

    kind = RuntimeError if end == "fault" else KeyboardInterrupt
    with pytest.raises(kind) as ended, ending_with_index(out):
        run_jobs(jobs, out, workers=1, report=stop)
    if end.startswith("SIG"):
        assert ended.value.args == (getattr(signal, end),)
    made = whole(out)
    assert made in (["01_a", "02_b"], ["01_a", "02_b", "03_c"])
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(f"national/{name}/report.html" in index for name in made)
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)] == handlers


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    with pytest.raises(ReportError), ending_with_index(tmp_path / "out"):
        raise ReportError("The extract has faults.")
    assert not (tmp_path / "out").exists()


# --- what fails by chance ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "tries", "status"),
    [
        ([("OSError", False)], 2, "ok"),
        ([("DeadKernelError", True)], 2, "ok"),
        ([("OSError", False)] * 3, 2, "failed"),
        ([("DataError", True)], 1, "failed"),
        ([("CellTimeoutError", True)], 1, "failed"),
    ],
)
def test_what_fails_by_chance_is_tried_once_more_after_all_else(
    three, monkeypatch, failures, tries, status
):
    jobs, out, ran = three
    made, left, told = execute.execute, list(failures), []

    def fails(content, *given, **named):
        done, failure = made(content, *given, **named)
        if "02_b" in done["cells"][0]["source"] and left:
            kind, own = left.pop(0)
            failure = execute.Failure(1, kind, "why", own)
        return done, failure

    monkeypatch.setattr(execute, "execute", fails)
    done = run_jobs(jobs, out, workers=1, report=lambda one: told.append(one.notebook))
    assert [one.status for one in done] == ["ok", status, "ok"]
    order = [title[2:6] for title, _, _ in ran]
    assert order.count("02_b") == tries and (order[-1] == "02_b") == (tries == 2)
    assert sorted(told) == ["01_a", "02_b", "03_c"]  # each once, however often it was tried


# --- a full disk ----------------------------------------------------------------------------------


class Full:
    """A disk that takes so many files more."""

    def __init__(self, monkeypatch, number: int) -> None:
        self.left, self.lock = number, threading.Lock()
        whole, synced = Path.write_text, os.fsync

        def written(path, text, *args, **given):
            self.take(lambda: whole(path, text[: len(text) // 2], *args, **given))
            return whole(path, text, *args, **given)

        monkeypatch.setattr(Path, "write_text", written)
        monkeypatch.setattr(os, "fsync", lambda handle: self.take(lambda: None) or synced(handle))

    def take(self, half) -> None:
        with self.lock:
            self.left -= 1
            left = self.left
        if left < 0:
            half()  # what a full disk leaves
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")


@pytest.mark.parametrize("earlier", [False, True])
def test_a_full_disk_leaves_what_is_whole(three, earlier, tmp_path):
    jobs, out, _ = three
    if earlier:
        run_jobs(jobs, out)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    refused = 0
    for room in range(100):
        with pytest.MonkeyPatch.context() as patch:
            full = Full(patch, room)
            try:
                with ending_with_index(out):
                    run_jobs(jobs[:1] if earlier else jobs[:2], out, workers=1, force=True)
            except ReportError as fault:
                refused += 1
                assert str(fault).startswith("The disk is full") and "\n" not in str(fault)
                assert fault.__cause__ is None and fault.__suppress_context__
            else:
                break
        made = whole(out)
        assert not list(out.rglob(".*"))
        if earlier:
            assert made == ["01_a", "02_b", "03_c"]
            assert all(path.read_bytes() == held for path, held in before.items())
    assert full.left >= 0 and refused > 8
    assert whole(out) == (["01_a", "02_b", "03_c"] if earlier else ["01_a", "02_b"])


def test_a_full_disk_is_known_by_what_it_says(tmp_path):
    assert is_full(OSError(errno.ENOSPC, "x")) and not is_full(OSError(errno.EACCES, "x"))
    try:
        try:
            raise OSError(errno.ENOSPC, "x")
        except OSError as fault:
            raise ValueError("half a file") from fault
    except ValueError as fault:
        assert is_full(fault)
    assert not is_full(None, tmp_path)


def test_an_index_is_the_old_one_or_the_new_one(three, monkeypatch):
    jobs, out, _ = three
    run_jobs(jobs[:1], out)
    before = write_index(out).read_bytes()
    run_jobs(jobs, out)
    Full(monkeypatch, 0)
    with pytest.raises(OSError, match="space"):
        write_index(out)
    assert (out / "index.html").read_bytes() == before and not list(out.glob(".*"))


# --- a kill ---------------------------------------------------------------------------------------


def killed_at(moment: int, jobs, out: Path) -> bool:
    """Run in a child that kills itself before it changes a file for so many times."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    seen = itertools.count()
    changing = {"os.mkdir", "os.rename", "os.remove", "os.chmod", "os.truncate"}

    def hook(event, given):
        written = event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR)
        ours = (event in changing or written) and str(out) in str(given[0])
        if ours and next(seen) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run_jobs(jobs, out, workers=1)
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_run_killed_at_any_moment_goes_on_to_the_same_pages(three, tmp_path):
    jobs, out, _ = three
    run_jobs(jobs, tmp_path / "whole", workers=1)

    def pages(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob("*") if path.suffix in (".html", ".ipynb")}  # fmt: skip

    undisturbed = pages(tmp_path / "whole")
    moments = [one for one in range(400) if one % 13 == 4]
    for moment in moments:
        place = out / str(moment)
        killed = killed_at(moment, jobs, place)
        for manifest in place.glob("*/[!.]*/manifest.json"):
            made = read_manifest(manifest.parent)
            assert made is not None
            assert all(file_hash(manifest.parent / name) == one
                       for name, one in made["outputs"].items())  # fmt: skip
        assert all(one.good for one in run_jobs(jobs, place, workers=1))
        assert whole(place) == ["01_a", "02_b", "03_c"] and pages(place) == undisturbed
        if not killed:
            break
    assert not killed and moment > 40


# --- two runs at once -----------------------------------------------------------------------------


def test_two_runs_at_once_make_each_page_once(three, capfd):
    jobs, out, ran = three
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run_jobs(jobs, out, workers=2), range(2)))
    assert len(ran) == len(jobs)
    for pair in zip(*both, strict=True):
        assert sorted(one.status for one in pair) == ["kept", "ok"]
    assert whole(out) == ["01_a", "02_b", "03_c"] and not list(out.rglob(".*"))
    told = capfd.readouterr().err
    assert all(line.startswith("Another run is making ") for line in told.splitlines())


def test_two_runs_that_must_run_never_do_so_in_one_folder_at_once(three):
    jobs, out, ran = three
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: run_jobs(jobs[:1], out, force=True), range(3)))
    assert len(ran) == 3
    turns = sorted(ran, key=lambda one: one[1])
    assert all(first[2] <= then[1] for first, then in itertools.pairwise(turns))
    assert whole(out) == ["01_a"]


def test_who_waits_for_another_run_can_be_stopped(tmp_path):
    stop, asked = threading.Event(), []

    def waiting() -> None:
        asked.append(True)
        stop.set()

    with alone(tmp_path / "a" / "01_a", stop.is_set, waiting):
        assert asked == []  # nobody to wait for
        with pytest.raises(KeyboardInterrupt), alone(tmp_path / "a" / "01_a", stop.is_set, waiting):
            raise AssertionError
    assert asked == [True]
    assert list((tmp_path / "a").iterdir()) == []


# --- what is no notebook of ours ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}, "language_info": {"name": "R"}}, "R"),
        ({"kernelspec": {"name": "ir"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"name": "x", "language": "scala"}}, "scala"),
        ({"kernelspec": {"name": "python3", "language": "python"}}, ""),
        ({"kernelspec": {"name": "my-env"}, "language_info": {"name": "python"}}, ""),
        ({"kernelspec": None}, ""),
        ({}, ""),
    ],
)
def test_a_notebook_in_another_language_is_refused(write, tmp_path, metadata, language):
    path = write(tmp_path, "01_a", ["# A?", ("code", "x <- c(1, 2)")])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "metadata": metadata}))
    if not language:
        assert plan(["01_a"], {}, tmp_path)
        return
    with pytest.raises(ReportError) as refused:
        plan(["01_a"], {}, tmp_path)
    assert f"01_a is a notebook in {language}, and a report runs Python" in str(refused.value)
    assert "\n" not in str(refused.value)


# --- how far it has come --------------------------------------------------------------------------


def test_a_long_run_says_how_far_it_is_and_a_short_one_only_what_it_made(capsys, monkeypatch):
    clock = itertools.count(0, 3)  # three seconds a page
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    for total in (3, 40):
        with progress.follow(total) as tell:
            for number in range(total):
                tell(Outcome("national", f"{number}", "ok", Path(f"{number}.html")))
    told = capsys.readouterr()
    assert told.out.count("made        ") == 43
    lines = told.err.splitlines()
    assert len(lines) == 20 and lines[-1] == "Notebooks: 40 of 40"
    assert lines[0] == "Notebooks: 2 of 40, about 57 seconds left"
