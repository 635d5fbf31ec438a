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
from tfeval.records.simulation.settings import PHASE_SHARES
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


def records_of(extract: str, phase: str = "one") -> Records:
    """Open an extract, or simulate one.

    Parameters
    ----------
    extract : str
        "simulated" for records simulated on the spot, or a folder or DuckDB file.
    phase : str, default "one"
        The phase whose families are wanted; simulated records need not hold those of all.
    """
    opened = _records(_meant(extract, phase))
    if opened.simulated and extract != SIMULATED:
        simulated_extract(extract)
    return opened


#: Simulated records: how many families, and the phase if it is simulated alone.
World = tuple[int, str]


def _meant(extract: str, phase: str) -> World | Path:
    """Return what is to be simulated, or where the extract is."""
    if extract == SIMULATED:
        return _families.get(), "" if phase in PHASE_SHARES else phase
    # A report's kernel works in a folder of its own; the extract is named from where it began.
    return Path(os.environ.get("TFEVAL_STARTED_IN", ".")) / extract


@lru_cache(maxsize=4)
def _records(meant: World | Path) -> Records:
    # Opened once: a cohort and its records must stand on the same connection.
    return (
        open_records(meant)
        if isinstance(meant, Path)
        else simulated_records(meant[0], _SEED, meant[1])
    )


def truth_of(extract: str, phase: str = "one") -> Truth | None:
    """Return what is true of simulated records; None for an extract."""
    meant = _meant(extract, phase)
    return None if isinstance(meant, Path) else _truth(meant)


@lru_cache(maxsize=2)
def _truth(meant: World) -> Truth:
    return simulated_truth(meant[0], _SEED, meant[1])


def cohort_of(
    extract: str, phase: str, comparison: str, horizon: int, treatment: str = "supported"
) -> Cohort:
    """Build a cohort; one asked for again is not built again."""
    return _cohort(_meant(extract, phase), phase, comparison, horizon, treatment)


@lru_cache(maxsize=4)
def _cohort(
    meant: World | Path, phase: str, comparison: str, horizon: int, treatment: str
) -> Cohort:
    return cohort(
        _records(meant), phase=phase, horizon=horizon, comparison=comparison, treatment=treatment
    )


def banner_of(records: Records) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return simulated_banner() if records.simulated else None
