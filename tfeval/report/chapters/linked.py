"""Linked records for the chapters that read them: a real extract, or simulated on the spot."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import cohort
from tfeval.programme.programmes import programmes
from tfeval.records.simulate import simulate
from tfeval.records.simulation.settings import PHASE_SHARES
from tfeval.records.store import Records, open_records
from tfeval.records.truth import Truth
from tfeval.report.notebook_parts import Box, simulated_banner

SIMULATED = "simulated"
#: So many that about half the authorities have enough families to show.
_FAMILIES, _SEED = 40_000, 1


@lru_cache(maxsize=1)
def _simulation(phase: str = "") -> tuple[Records, Truth]:
    """Simulate the phases that are simulated together, or one that stands alone."""
    alone: dict[str, Any] = {}
    if phase:
        until = programmes()[phase].simulation.records_to
        alone = {"phase_shares": {phase: 1.0}, "records_to": until}
    made = simulate(families=_FAMILIES, seed=_SEED, **alone)
    return made.records, made.truth


def _world(phase: str) -> tuple[Records, Truth]:
    return _simulation(*([] if phase in PHASE_SHARES else [phase]))


def records_of(extract: str, phase: str) -> Records:
    """Open an extract, or simulate one.

    Parameters
    ----------
    extract : str
        "simulated" for records simulated on the spot, or a folder or DuckDB file.
    phase : str
        The phase whose families are wanted; simulated records need not hold those of all.
    """
    if extract == SIMULATED:
        return _world(phase)[0]
    # A report's kernel works in a folder of its own; the extract is named from where it began.
    return _opened(Path(os.environ.get("TFEVAL_STARTED_IN", ".")) / extract)


@lru_cache(maxsize=4)
def _opened(place: Path) -> Records:
    # Opened once: a cohort and its records must stand on the same connection.
    return open_records(place)


def truth_of(extract: str, phase: str) -> Truth | None:
    """Return what is true of simulated records; None for an extract."""
    return _world(phase)[1] if extract == SIMULATED else None


@lru_cache(maxsize=4)
def cohort_of(extract: str, phase: str, comparison: str, horizon: int) -> Cohort:
    """Build a cohort; one asked for again is not built again."""
    return cohort(records_of(extract, phase), phase=phase, horizon=horizon, comparison=comparison)


def banner_of(records: Records) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return simulated_banner() if records.simulated else None
