"""Shared fixtures: a copy of the published figures that a test may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tfeval.programme import published as module
from tfeval.programme.published import published_folder


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """Return a private copy of data/published."""
    folder = tmp_path / "published"
    shutil.copytree(published_folder(), folder)
    module._read.cache_clear()
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
