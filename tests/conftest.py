"""Shared fixtures: simulated records on disk, and published figures that a test may break."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pandas as pd
import pytest

from tests.test_durations import LISTED
from tfeval.programme import published as module
from tfeval.programme.published import published_folder
from tfeval.report.chapters import linked
from tfeval.settings import THREADS

#: Scripts that make golden numbers, with packages that the project has not.
collect_ignore_glob = ["golden/make_*.py"]

for _library in THREADS:  # workers inherit it
    os.environ.setdefault(_library, "1")


# An example that is the first to read a file takes longer than the rest: that is no fault.
hypothesis.settings.register_profile("tfeval", deadline=None)
hypothesis.settings.load_profile("tfeval")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what was measured to be long; refuse a slow test that does not say why."""
    long = set(LISTED.read_text(encoding="utf-8").split())
    for item in items:
        if item.nodeid.partition("[")[0] in long:
            item.add_marker("long")
        if any(not mark.kwargs.get("reason") for mark in item.iter_markers("slow")):
            raise pytest.UsageError(f'{item.nodeid}: say why, slow(reason="...").')


def pytest_collection_finish() -> None:
    """Let the collector pass over libraries and tests: it took a quarter of a cohort's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep simulated records where all workers of this run find them, and nobody else."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(linked.VARIABLE, str(folder))
        yield folder


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """Return a private copy of data/published."""
    folder = tmp_path / "published"
    shutil.copytree(published_folder(), folder)
    module._read.cache_clear()
    module._only_read.cache_clear()
    return folder


@pytest.fixture
def edit(figures: Path):
    """Return a function that rewrites one published table of the private copy."""

    def change(table: str, how) -> Path:
        path = figures / f"{table}.csv"
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        how(frame).to_csv(path, index=False)
        return figures

    return change
