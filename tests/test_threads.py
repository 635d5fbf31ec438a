"""Two threads of one process, as of a notebook: neither takes away what the other has."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from threading import Barrier

from tfeval.records import private
from tfeval.settings import while_shared


def in_turns(enter, look):
    """Let one thread go in, another after it; the first out first. Return what each sees."""
    steps = Barrier(2, timeout=30)

    def first():
        with enter():
            steps.wait()
            steps.wait()
            seen = look()
        steps.wait()
        return seen

    def second():
        steps.wait()
        with enter():
            steps.wait()
            steps.wait()
            return look()

    with ThreadPoolExecutor(2) as pool:
        return [one.result() for one in (pool.submit(first), pool.submit(second))]


def test_what_is_shared_for_a_while_is_each_threads_own():
    kept: ContextVar = ContextVar("kept", default=None)

    def look():
        kept.get()["work"] = kept.get().get("work", 0) + 1
        return kept.get()["work"]

    assert in_turns(lambda: while_shared(kept), look) == [1, 1]
    assert kept.get() is None


def test_threads_share_one_private_folder(tmp_path, monkeypatch):
    """The lock of a second one would be let go, and the folder taken for a killed process's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    quick, together = private._remove_left, Barrier(4, timeout=30)
    monkeypatch.setattr(private, "_remove_left", lambda place: (time.sleep(0.05), quick(place)))

    def folder(_):
        together.wait()
        return private.private_folder()

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(folder, range(4)))
    assert len(set(made)) == 4 and len({one.parent for one in made}) == 1
    assert [one.name for one in Path(tmp_path).iterdir()] == [made[0].parent.name]
