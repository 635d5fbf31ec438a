"""Simulated linked records with a known effect and a known selection, and the truth about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfeval.errors import ParameterError, names_settings
from tfeval.records.relations import written_whole
from tfeval.records.schema import TABLES
from tfeval.records.simulation.block import (
    BLOCK_FAMILIES,
    Block,
    Context,
    TableWriters,
    context,
    coverage_table,
    simulate_block,
)
from tfeval.records.simulation.settings import (
    CLAIMED_SHARES,
    PHASE_SHARES,
    PHASE_TWO_EFFECTS,
    USUAL_RATES,
    SimulationSettings,
    settings_of,
)
from tfeval.records.store import Records, from_tables
from tfeval.records.truth import Truth

TITLE = "Simulated records: not findings about the programme"


@dataclass(frozen=True)
class SimulatedRecords:
    """Simulated records, with the truth kept apart from them.

    Attributes
    ----------
    records : Records
        As `open_records` would return them; all that an estimator may see.
    truth : Truth
        Potential outcomes.
    seed : int
        What they were drawn from.
    """

    records: Records
    truth: Truth
    seed: int


@names_settings
def simulate(
    *,
    families: int,
    seed: int,
    effects: Mapping[str, float | Mapping[str, float]] = PHASE_TWO_EFFECTS,
    effect_ramp_months: float = 6.0,
    records_from: date = date(2010, 1, 1),
    records_to: date = date(2019, 12, 31),
    phase_shares: Mapping[str, float] = PHASE_SHARES,
    attached_share: float = 0.25,
    eligible_share: float = 0.60,
    waiting_share: float = 0.25,
    wait_days: float = 40.0,
    long_wait_days: tuple[float, float] = (180.0, 540.0),
    selection_recorded: float = 0.5,
    selection_unrecorded: float = 0.25,
    unrecorded_loading: float = 0.20,
    need_loading: float = 0.35,
    frailty: float = 0.7,
    kind_ratio: float = 2.0,
    crisis_share: float = 0.6,
    crisis_height: float = 2.0,
    crisis_days: float = 120.0,
    crisis_lag_days: float = 45.0,
    other_help_share: float = 0.25,
    other_help_strength: float = 0.4,
    authority_sd: float = 0.15,
    authority_selection_sd: float = 0.4,
    no_data_share: float = 0.04,
    late_data_share: float = 0.08,
    late_months: tuple[int, int] = (6, 18),
    missed_link_share: float = 0.05,
    false_link_share: float = 0.01,
    data_matched_share: float = 0.10,
    claimed_shares: Mapping[str, float] = CLAIMED_SHARES,
    move_share: float = 0.05,
    again_share: float = 0.04,
    rate_ratios: Mapping[str, float] = USUAL_RATES,
    more_children: float = 0.9,
) -> SimulatedRecords:
    """Simulate linked records in memory.

    Parameters
    ----------
    families : int
        How many families, attached or not; a quarter is attached unless `attached_share` says
        otherwise. Up to some ten thousands; beyond, use `simulate_to`.
    seed : int
        The same seed, number and settings give the same records.
    effects, effect_ramp_months, records_from, records_to, ...
        The world that is simulated: the attributes of `SimulationSettings`, which says what each
        is and has the same defaults.

    Raises
    ------
    ParameterError
        If a setting is unknown or out of its range.

    Examples
    --------
    >>> found = simulate(families=200, seed=1, effects={"looked_after": 0.5})
    >>> found.records.table("families").count().execute() >= 200
    True
    >>> found.truth.families["group"].unique().tolist()
    ['below_threshold', 'eligible', 'attached']
    """
    shared = _context(families, seed, settings_of(locals()))
    blocks = list(_blocks(families, shared))
    records = {
        name: _plain(pa.concat_tables([block.records[name] for block in blocks]))
        for name in blocks[0].records
    }
    records["coverage"] = coverage_table(shared)
    ordered = {name: records[name] for name in TABLES}
    truth = {
        name: _plain(pa.concat_tables([block.truth[name] for block in blocks])).to_pandas()
        for name in blocks[0].truth
    }
    about = about_records(families, shared)
    return SimulatedRecords(
        records=from_tables(ordered, about=about, source=f"{TITLE} (seed {seed})"),
        truth=Truth(**truth, settings=shared.settings),
        seed=seed,
    )


@names_settings
def simulate_to(
    folder: str | Path,
    *,
    families: int,
    seed: int,
    families_at_once: int = 8 * BLOCK_FAMILIES,
    effects: Mapping[str, float | Mapping[str, float]] = PHASE_TWO_EFFECTS,
    effect_ramp_months: float = 6.0,
    records_from: date = date(2010, 1, 1),
    records_to: date = date(2019, 12, 31),
    phase_shares: Mapping[str, float] = PHASE_SHARES,
    attached_share: float = 0.25,
    eligible_share: float = 0.60,
    waiting_share: float = 0.25,
    wait_days: float = 40.0,
    long_wait_days: tuple[float, float] = (180.0, 540.0),
    selection_recorded: float = 0.5,
    selection_unrecorded: float = 0.25,
    unrecorded_loading: float = 0.20,
    need_loading: float = 0.35,
    frailty: float = 0.7,
    kind_ratio: float = 2.0,
    crisis_share: float = 0.6,
    crisis_height: float = 2.0,
    crisis_days: float = 120.0,
    crisis_lag_days: float = 45.0,
    other_help_share: float = 0.25,
    other_help_strength: float = 0.4,
    authority_sd: float = 0.15,
    authority_selection_sd: float = 0.4,
    no_data_share: float = 0.04,
    late_data_share: float = 0.08,
    late_months: tuple[int, int] = (6, 18),
    missed_link_share: float = 0.05,
    false_link_share: float = 0.01,
    data_matched_share: float = 0.10,
    claimed_shares: Mapping[str, float] = CLAIMED_SHARES,
    move_share: float = 0.05,
    again_share: float = 0.04,
    rate_ratios: Mapping[str, float] = USUAL_RATES,
    more_children: float = 0.9,
) -> tuple[Path, Path]:
    """Simulate linked records into a folder of Parquet, and the truth into another beside it.

    Parameters
    ----------
    folder : path
        Where the records go; the truth goes to `<folder>-truth`, out of an estimator's way.
        Neither may exist.
    families : int
        How many families, attached or not.
    seed : int
        The same seed, number and settings give the same rows.
    families_at_once : int
        About how many to hold in memory; changes neither rows nor their order.
    effects, effect_ramp_months, records_from, records_to, ...
        The world that is simulated: the attributes of `SimulationSettings`, which says what each
        is and has the same defaults.

    Returns
    -------
    Path, Path
        The two folders.

    Raises
    ------
    ParameterError
        If a setting is unknown or out of its range.
    TfevalError
        If a folder exists already. Nothing half-written stays behind.
    """
    shared = _context(families, seed, settings_of(locals()))
    target = Path(folder)
    beside = target.with_name(f"{target.name}-truth")
    if families_at_once < 1:
        raise ParameterError("families_at_once must be at least 1.")
    with written_whole(target, beside) as (records_at, truth_at):
        with TableWriters(records_at) as records, TableWriters(truth_at) as truth:
            records.write({"coverage": coverage_table(shared)})
            for group in _groups(_blocks(families, shared), families_at_once):
                records.write(_joined([block.records for block in group]))
                truth.write(_joined([block.truth for block in group]))
        about = about_records(families, shared)
        _write_json(records_at / "about.json", about)
        told = {**about, "settings": shared.settings.as_dict()}
        _write_json(truth_at / "about.json", told)
    return target, beside


def about_records(families: int, shared: Context) -> dict[str, Any]:
    """Return what `about.json` says of simulated records; nothing of the truth is in it."""
    return {
        "simulated": True,
        "title": TITLE,
        "families": families,
        "seed": shared.seed,
        "records_from": shared.settings.records_from.isoformat(),
        "records_to": shared.settings.records_to.isoformat(),
    }


def _context(families: int, seed: int, settings: SimulationSettings) -> Context:
    if families < 1:
        raise ParameterError("families must be at least 1.")
    if seed < 0:
        raise ParameterError("seed must not be negative.")
    return context(seed, settings)


def _blocks(families: int, shared: Context) -> Iterator[Block]:
    for number, first in enumerate(range(0, families, BLOCK_FAMILIES)):
        yield simulate_block(number, min(BLOCK_FAMILIES, families - first), shared)


def _groups(blocks: Iterator[Block], families_at_once: int) -> Iterator[list[Block]]:
    size = max(1, families_at_once // BLOCK_FAMILIES)
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def _joined(tables: list[dict[str, pa.Table]]) -> dict[str, pa.Table]:
    return {name: pa.concat_tables([one[name] for one in tables]) for name in tables[0]}


def _plain(table: pa.Table) -> pa.Table:
    """Return a table whose dictionary-encoded columns are plain text."""
    types = [
        pa.field(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type)
        for one in table.schema
    ]
    return table.cast(pa.schema(types))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
