"""Linked records for the chapters that read them: a real extract, or simulated on the spot."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import cohort
from tfeval.records.simulate import simulate
from tfeval.records.store import Records, open_records
from tfeval.records.truth import Truth
from tfeval.report.notebook_parts import Box, simulated_banner
from tfeval.report.subject import simulated_extract

SIMULATED = "simulated"
#: So many that about half the authorities have enough families to show.
_FAMILIES, _SEED = 40_000, 1


@lru_cache(maxsize=1)
def _simulation() -> tuple[Records, Truth]:
    made = simulate(families=_FAMILIES, seed=_SEED)
    return made.records, made.truth


def records_of(extract: str) -> Records:
    """Open an extract, or simulate one.

    Parameters
    ----------
    extract : str
        "simulated" for records simulated on the spot, or a folder or DuckDB file.
    """
    if extract == SIMULATED:
        return _simulation()[0]
    # A report's kernel works in a folder of its own; the extract is named from where it began.
    opened = _opened(Path(os.environ.get("TFEVAL_STARTED_IN", ".")) / extract)
    if opened.simulated:
        simulated_extract(extract)
    return opened


@lru_cache(maxsize=4)
def _opened(place: Path) -> Records:
    # Opened once: a cohort and its records must stand on the same connection.
    return open_records(place)


def truth_of(extract: str) -> Truth | None:
    """Return what is true of simulated records; None for an extract."""
    return _simulation()[1] if extract == SIMULATED else None


@lru_cache(maxsize=4)
def cohort_of(extract: str, phase: str, comparison: str, horizon: int) -> Cohort:
    """Build a cohort; one asked for again is not built again."""
    return cohort(records_of(extract), phase=phase, horizon=horizon, comparison=comparison)


def banner_of(records: Records) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return simulated_banner() if records.simulated else None
