"""Linked records for the chapters that read them: a real extract, or simulated on the spot."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tfeval.cohort.analysis_table import Cohort
from tfeval.cohort.cohort import cohort
from tfeval.errors import TfevalError
from tfeval.impact.study.study import Study
from tfeval.programme.programmes import programmes
from tfeval.records.private import written_whole
from tfeval.records.relations import Shelf, shelved
from tfeval.records.simulate import SimulatedRecords, Truth, read_truth, simulate
from tfeval.records.simulation.settings import PHASE_SHARES
from tfeval.records.store import Records, open_records, with_shelf
from tfeval.report.fingerprint import code_hash, data_files, file_hash
from tfeval.report.notebook_parts import Box, simulated_banner
from tfeval.report.subject import simulated_extract
from tfeval.settings import project_folder

SIMULATED = "simulated"
Made = TypeVar("Made")
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
    extract: str,
    phase: str,
    comparison: str,
    horizon: int | tuple[int, ...],
    treatment: str = "supported",
) -> Cohort:
    """Build a cohort; one asked for again is not built again."""
    return _cohort(_meant(extract, phase), phase, comparison, horizon, treatment)


@lru_cache(maxsize=4)
def _cohort(
    meant: World | Path,
    phase: str,
    comparison: str,
    horizon: int | tuple[int, ...],
    treatment: str,
) -> Cohort:
    return cohort(
        _records(meant), phase=phase, horizon=horizon, comparison=comparison, treatment=treatment
    )


def kept_result(records: Records | None, make: Callable[[], Made], *rests_on: Any) -> Made:
    """Return what a function gives; of simulated records, from disk where it was made before.

    Parameters
    ----------
    records : Records or None
        Of a real extract nothing is kept: it has no shelf.
    make : callable
        Pure: it rests on the records, all of the package, its data, and what follows.
    *rests_on : object
        Arrays, frames, and what its `repr` tells in full; its name among them.
    """
    shelf = None if records is None else records.shelf
    if shelf is None or _changed_since([_PACKAGE]):
        return make()
    digest = hashlib.sha256(repr((code_hash(), *map(version, _FITTING))).encode())
    for one in rests_on:
        if isinstance(one, pd.DataFrame):
            rows = pd.util.hash_pandas_object(one).to_numpy().tobytes()
            digest.update(repr([*one.columns]).encode() + rows)
        else:
            digest.update(one.tobytes() if isinstance(one, np.ndarray) else repr(one).encode())
    place = shelf.folder / f"{digest.hexdigest()}.pickle"
    with suppress(Exception):  # not there, or spoilt: unpickling may then raise anything
        return pickle.loads(place.read_bytes())  # from this user's own folder
    made = make()
    with suppress(OSError), shelved(place) as draft:  # no room
        draft.write_bytes(pickle.dumps(made))
    return made


def parts_of(study: Study) -> tuple[Any, ...]:
    """Return what decides results of a study, as `kept_result` takes it."""
    columns = [(one.name, one.source) for one in study.covariates.columns]
    return (
        np.asarray(study.index), study.treated, study.sampling, study.covariates.matrix, columns,
        study.strata_names, *study.clusters, *study.clusters.values(),
    )  # fmt: skip


def banner_of(records: Records) -> Box | None:
    """Return the banner that simulated records carry, and nothing for real ones."""
    return simulated_banner() if records.simulated else None


# Simulated records made once on a machine, for every kernel of a report that asks for them.

#: Names the folder where records are kept; empty: they are made anew by each process.
VARIABLE = "TFEVAL_CACHE"
_FEWEST = 1_000  # fewer are made sooner than read
_KEPT = 3  # the newest stay: a state of the code, the one before, another size
_RECORDS, _TRUTH, _STEPS = "records.duckdb", "truth", "steps"
_TRUTHS = ("families", "people_outcomes", "family_outcomes")
_DAY = 86_400
_PACKAGE = Path(__file__).resolve().parents[2]
#: The rooms that records, and what is counted in them, are made by: each imports those before it.
_ROOMS = ("display", "programme", "records", "cohort")
_FILES = ("errors.py", "calls.py", "settings.py", "impact/panel/families.py")
_CODE = ("tfeval.records.", "tfeval.cohort.", "tfeval.impact.panel.families")
_FITTING = ("numba", "scikit-learn", "statsmodels")  # beside those of the records
_LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "duckdb", "ibis-framework")
_BEGAN = time.time()
_SPOILED = (OSError, ValueError, TfevalError)


def simulated_records(families: int, seed: int, alone: str = "") -> Records:
    """Return the records that `simulate` makes, from disk where they were made before.

    Kernels are processes of their own, and each needs the same records, and much the same counts
    of them. Both are kept in the user's cache folder (or that named by `TFEVAL_CACHE`) under a hash
    of all that they rest on: number, seed, the code that makes them, figures, versions of Python
    and libraries. So they are never stale; and no real extract is ever kept.

    Parameters
    ----------
    families, seed : int
        As for `simulate`.
    alone : str
        A phase that is simulated by itself; empty for those that are simulated together.

    Examples
    --------
    >>> simulated_records(40, 1).simulated
    True
    """
    place = _place(families, seed, alone)
    if place is not None:
        with suppress(*_SPOILED):
            os.utime(place)  # what is used is not removed
            records = open_records(place / _RECORDS)
            source = json.loads((place / "source.json").read_text())
            return with_shelf(replace(records, source=source), Shelf(place / _STEPS, _CODE))
    return _simulation(families, seed, alone).records


def simulated_truth(families: int, seed: int, alone: str = "") -> Truth:
    """Return what is true of the same records."""
    place = _place(families, seed, alone)
    if place is not None:
        with suppress(*_SPOILED):
            return read_truth(place / _TRUTH)
    return _simulation(families, seed, alone).truth


def _made(families: int, seed: int, alone: str) -> SimulatedRecords:
    if not alone:
        return simulate(families=families, seed=seed)
    until = programmes()[alone].simulation.records_to
    settings: dict[str, Any] = {} if until is None else {"records_to": until}
    return simulate(families=families, seed=seed, phase_shares={alone: 1.0}, **settings)


_simulation = lru_cache(maxsize=1)(_made)


def _place(families: int, seed: int, alone: str) -> Path | None:
    """Return the folder that holds the records, filled if need be; None where none can be."""
    folder = _folder()
    if folder is None or families < _FEWEST or _changed_since():
        return None
    rests_on = [
        *(families, alone, seed, platform.python_version(), *map(version, _LIBRARIES)),
        *(code_hash(_PACKAGE / room) for room in _ROOMS),
        *(file_hash(_PACKAGE / name) for name in _FILES),
        *((one.name, one.sha256) for one in data_files()),
    ]
    name = hashlib.sha256(json.dumps(rests_on, sort_keys=True).encode()).hexdigest()[:32]
    place = folder / f"simulated-{name}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _one_at_a_time(folder / "simulated.lock"):
            if not place.exists():
                _write(_made(families, seed, alone), place)
                _remove_old(folder)
    except (OSError, TfevalError):  # no room, not ours to write in, or just made by another
        return None
    return place


def _folder() -> Path | None:
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).absolute() if named else None
    if sys.platform == "win32":
        usual = os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        usual = Path.home() / "Library" / "Caches"
    else:
        usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(usual) / "tfeval"


def _changed_since(places: Iterable[Path] = ()) -> bool:
    # What runs is then not what would be hashed.
    places = places or [_PACKAGE / name for name in (*_ROOMS, *_FILES)]
    places = [*places, project_folder("data")]
    files = (path for place in places for path in (place, *place.rglob("*")) if path.is_file())
    return any(path.stat().st_mtime > _BEGAN for path in files if "__pycache__" not in path.parts)


def _write(made: SimulatedRecords, place: Path) -> None:
    with written_whole(place) as (draft,):
        quoted = str(draft / _RECORDS).replace("'", "''")
        connection = made.records.connection
        connection.raw_sql(f"ATTACH '{quoted}' AS kept")
        for name in made.records.sent:
            connection.raw_sql(f"CREATE TABLE kept.{name} AS FROM {name}")
        connection.raw_sql("DETACH kept")
        (draft / _RECORDS).with_suffix(".json").write_text(json.dumps(dict(made.records.about)))
        (draft / "source.json").write_text(json.dumps(made.records.source))
        truth = draft / _TRUTH
        truth.mkdir()
        for name in _TRUTHS:
            table = pa.Table.from_pandas(getattr(made.truth, name), preserve_index=False)
            pq.write_table(table, truth / f"{name}.parquet")
        about = {"settings": made.truth.settings.as_dict()}
        (truth / "about.json").write_text(json.dumps(about))


def _remove_old(folder: Path) -> None:
    """Remove all but the newest, and what killed processes left; who has one open keeps it."""
    kept = sorted(folder.glob("simulated-*"), key=lambda one: one.stat().st_mtime, reverse=True)
    left = [one for one in folder.glob(".simulated-*") if one.stat().st_mtime < time.time() - _DAY]
    for one in [*kept[_KEPT:], *left]:
        shutil.rmtree(one, ignore_errors=True)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait for others that make records; without such locks two may make the same."""
    with path.open("a") as stream:
        with suppress(ImportError, OSError):
            import fcntl  # noqa: PLC0415

            fcntl.flock(stream, fcntl.LOCK_EX)  # given back when closed, and when killed
        yield
