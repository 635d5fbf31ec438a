"""Simulated linked records with a known effect and a known selection, and the truth about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tfeval.display.rich import Rich
from tfeval.errors import ParameterError, TfevalError, suggest
from tfeval.records.private import written_whole
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

_TRUTH_TABLES = ("families", "people_outcomes", "family_outcomes")
TITLE = "Simulated records: not findings about the programme"


#: Ages in whole years at the index date, from and below.
POPULATIONS = {"people": (0, 200), "children": (0, 18), "juveniles": (10, 18), "adults": (18, 200)}


@dataclass(frozen=True)
class Truth(Rich):
    """What was true of simulated families; never part of their records.

    Attributes
    ----------
    families : DataFrame
        One row a family: `group` (attached, eligible, below_threshold), `kind`, `index_on` (day
        of attachment, or on which it would have been), `identified_on`, `crisis_on`, `need`,
        `unrecorded` (the confounder), `worked_with`, `claimed_by_data_matching`, `other_help`.
    people_outcomes, family_outcomes : DataFrame
        One row a person (or family) and horizon in months, for horizons that the records reach:
        each outcome counted from `index_on` (included) to the horizon (excluded) in both worlds,
        `y0_*` never attached and `y1_*` attached on `index_on`. `_days` are days of a spell in
        that window; `_at` says whether one is open on the horizon's day; terms count if they lie
        wholly inside. What was observed is y1 of the attached and y0 of the others.
    settings : SimulationSettings or HistorySettings
        What was assumed.
    """

    families: pd.DataFrame = field(repr=False)
    people_outcomes: pd.DataFrame = field(repr=False)
    family_outcomes: pd.DataFrame = field(repr=False)
    settings: Any

    def effects(self, *, group: str = "attached", by: str | None = None) -> pd.DataFrame:
        """Return the true mean effects; of the attached, they are the ATT.

        Parameters
        ----------
        group : {"attached", "eligible", "below_threshold"}
            Families to average over.
        by : str, optional
            A column of `families` to split by, such as "kind".

        Returns
        -------
        DataFrame
            `outcome`, `population` (families, people, children, juveniles or adults by age at the
            index date), `horizon_months`, `by` if given, `n`, `mean_without`, `mean_with`,
            `effect`. People not yet born at the index date are left out.

        Raises
        ------
        ParameterError
            If there is no such group or column.

        Examples
        --------
        >>> from tfeval.records.simulate import simulate
        >>> found = simulate(families=500, seed=1, effects={}).truth.effects()
        >>> bool((found["effect"] == 0).all())
        True
        """
        if group not in set(self.families["group"]):
            raise ParameterError(f"No group {group}. {suggest(group, set(self.families['group']))}")
        if by is not None and by not in self.families:
            raise ParameterError(f"No column {by}. {suggest(by, map(str, self.families))}")
        chosen = self.families[self.families["group"] == group]
        facts = chosen[["family_id", *([by] if by else [])]]
        people = self.people_outcomes.merge(facts, on="family_id")
        parts = [_means(self.family_outcomes.merge(facts, on="family_id"), "families", by)]
        for name, (youngest, too_old) in POPULATIONS.items():
            age = people["age_at_index"]
            parts.append(_means(people[(age >= youngest) & (age < too_old)], name, by))
        return pd.concat(parts, ignore_index=True)

    def by_family(self, months: int) -> pd.DataFrame:
        """Return each family's true effects: of its own outcomes, and summed over its people.

        Parameters
        ----------
        months : int
            Horizon.

        Returns
        -------
        DataFrame
            Indexed by `family_id`, one column an outcome. Families that the horizon does not
            reach are not in it.

        Examples
        --------
        >>> from tfeval.records.simulate import simulate
        >>> found = simulate(families=200, seed=1, effects={}).truth.by_family(12)
        >>> bool((found == 0).all(axis=None))
        True
        """
        parts = []
        for frame in (self.people_outcomes, self.family_outcomes):
            rows = frame[frame["horizon_months"] == months]
            names = [name[3:] for name in rows.columns if name.startswith("y0_")]
            effects = pd.DataFrame(
                {name: rows[f"y1_{name}"].astype(float) - rows[f"y0_{name}"] for name in names}
            )
            parts.append(effects.groupby(rows["family_id"]).sum())
        return pd.concat(parts, axis=1)


def read_truth(folder: str | Path) -> Truth:
    """Read the truth that `simulate_to` wrote.

    Parameters
    ----------
    folder : path
        The truth's own folder, `<folder>-truth`.

    Raises
    ------
    TfevalError
        If there is none.
    """
    place = Path(folder)
    if not (place / "people_outcomes.parquet").is_file():
        raise TfevalError(
            f"{place.name} holds no truth: give the folder whose name ends in -truth."
        )
    settings = json.loads((place / "about.json").read_text(encoding="utf-8"))["settings"]
    return Truth(
        **{name: pd.read_parquet(place / f"{name}.parquet") for name in _TRUTH_TABLES},
        settings=SimulationSettings.from_dict(settings),
    )


def _means(rows: pd.DataFrame, population: str, by: str | None) -> pd.DataFrame:
    """Return mean outcomes in both worlds, by horizon, one row an outcome."""
    keys = ["horizon_months", *([by] if by else [])]
    outcomes = [name[3:] for name in rows.columns if name.startswith("y0_")]
    grouped = rows.groupby(keys, observed=True)
    means = grouped[[f"y{world}_{name}" for world in (0, 1) for name in outcomes]].mean()
    size = grouped.size()
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "outcome": name,
                    "population": population,
                    "n": size,
                    "mean_without": means[f"y0_{name}"],
                    "mean_with": means[f"y1_{name}"],
                    "effect": means[f"y1_{name}"] - means[f"y0_{name}"],
                }
            ).reset_index()
            for name in outcomes
        ],
        ignore_index=True,
    )


@dataclass(frozen=True)
class SimulatedRecords(Rich):
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

    def __getattribute__(self, name: str) -> Any:
        """Return an attribute; whoever takes the truth has opened the records' outcomes."""
        if name == "truth":
            self.records.opened.append("")
        return super().__getattribute__(name)


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
        about_truth = {**about, "settings": shared.settings.as_dict()}
        _write_json(truth_at / "about.json", about_truth)
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
    group: list[Block] = []
    for block in blocks:
        group.append(block)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


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
