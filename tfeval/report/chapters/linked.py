"""Linked records for the chapters that read them: a real extract, or simulated on the spot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import cohort
from tfeval.records.store import Records, open_records
from tfeval.records.truth import Truth
from tfeval.report.notebook_parts import Box, simulated_banner
from tfeval.report.simulated import simulated_records, simulated_truth
from tfeval.report.subject import simulated_extract

SIMULATED = "simulated"
_SEED = 1
#: So many that about half the authorities have enough families to show.
_families: ContextVar[int] = ContextVar("families", default=40_000)


@contextmanager
def simulated_families(number: int) -> Iterator[None]:
    """Let "simulated" stand for records of so many families: for a quick look, and for tests.

    Parameters
    ----------
    number : int
        Of families simulated.

    Examples
    --------
    >>> with simulated_families(40):
    ...     records_of("simulated").table("families").count().execute() < 60
    True
    """
    before = _families.set(number)
    try:
        yield
    finally:
        _families.reset(before)


def records_of(extract: str) -> Records:
    """Open an extract, or simulate one.

    Parameters
    ----------
    extract : str
        "simulated" for records simulated on the spot, or a folder or DuckDB file.
    """
    opened = _records(_meant(extract))
    if opened.simulated and extract != SIMULATED:
        simulated_extract(extract)
    return opened


def _meant(extract: str) -> int | Path:
    """Return how many families are to be simulated, or where the extract is."""
    if extract == SIMULATED:
        return _families.get()
    # A report's kernel works in a folder of its own; the extract is named from where it began.
    return Path(os.environ.get("TFEVAL_STARTED_IN", ".")) / extract


@lru_cache(maxsize=4)
def _records(meant: int | Path) -> Records:
    # Opened once: a cohort and its records must stand on the same connection.
    return simulated_records(meant, _SEED) if isinstance(meant, int) else open_records(meant)


def truth_of(extract: str) -> Truth | None:
    """Return what is true of simulated records; None for an extract."""
    return _truth(_families.get()) if extract == SIMULATED else None


@lru_cache(maxsize=2)
def _truth(families: int) -> Truth:
    return simulated_truth(families, _SEED)


def cohort_of(extract: str, phase: str, comparison: str, horizon: int) -> Cohort:
    """Build a cohort; one asked for again is not built again."""
    return _cohort(_meant(extract), phase, comparison, horizon)


@lru_cache(maxsize=4)
def _cohort(meant: int | Path, phase: str, comparison: str, horizon: int) -> Cohort:
    return cohort(_records(meant), phase=phase, horizon=horizon, comparison=comparison)


def banner_of(records: Records) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return simulated_banner() if records.simulated else None
