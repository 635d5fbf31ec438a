"""Small extracts that are as nasty as records get, yet obey the schema."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.cohort.reference import after
from tfeval.records.simulate import simulate
from tfeval.records.store import Records, from_tables

_POINTS = {
    "offences": "offence_on",
    "asb_incidents": "incident_on",
    "hospital_episodes": "arrived_on",
    "domestic_abuse_incidents": "incident_on",
}
_SPELLS = ("benefit_spells", "employment_spells", "social_care_episodes")


def tables_of(records: Records) -> dict[str, pa.Table]:
    """Return the tables as Arrow."""
    return {name: records.table(name).to_pyarrow() for name in records.tables}


def nasty(seed: int, families: int, index: dict[str, date]) -> dict[str, pa.Table]:
    """Return a simulated extract with events moved onto the edges of the windows.

    Parameters
    ----------
    seed, families : int
        Of the simulation.
    index : dict of family to day
        Days about which events are put: the day itself, the day before, and the days about the
        horizons and the baseline's start.
    """
    found = tables_of(simulate(families=families, seed=seed).records)
    rng = np.random.default_rng(seed)
    index = dict(sorted(index.items()))  # an engine gives rows in any order; draws go through them
    home = dict(zip(*found["people"].select(["person_id", "family_id"]).to_pydict().values(),
                    strict=True))  # fmt: skip
    for table, column in _POINTS.items():
        found[table] = _changed(found[table], lambda f, c=column: _points(f, c, home, index, rng))
    for table in _SPELLS:
        found[table] = _changed(found[table], lambda f: _spells(f, home, index, rng))
    found["people"] = _twins(found, rng)
    found["family_moves"] = _moved(found, index, rng)
    return found


def as_records(tables: dict[str, pa.Table], ends_on: date) -> Records:
    """Open the tables as records."""
    about = {"simulated": True, "records_to": ends_on.isoformat()}
    return from_tables(tables, about=about, source="nasty")


def _changed(table: pa.Table, how) -> pa.Table:
    frame = how(table.to_pandas(date_as_object=True))
    return pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False)


def _edges(day: date) -> list[date]:
    about = [day, after(day, -12), *(after(day, months) for months in (6, 12, 18, 24))]
    return [one + timedelta(days=shift) for one in about for shift in (-1, 0, 1)]


def _family(row: pd.Series, home: dict[str, str]) -> str | None:
    return row["family_id"] if "family_id" in row else home.get(row["person_id"])


def _points(frame: pd.DataFrame, column: str, home, index, rng) -> pd.DataFrame:
    for place in rng.permutation(len(frame))[: len(frame) // 2]:
        day = index.get(_family(frame.iloc[place], home))
        if day is None:
            continue
        new = rng.choice(_edges(day))
        frame.loc[frame.index[place], column] = new
        if column == "offence_on":
            frame.loc[frame.index[place], ["outcome_on", "outcome"]] = [new, "convicted"]
            frame.loc[frame.index[place], "custody_days"] = int(rng.integers(0, 2)) * 30
    return frame


def _spells(frame: pd.DataFrame, home, index, rng) -> pd.DataFrame:
    for place in rng.permutation(len(frame))[: len(frame) // 2]:
        day = index.get(_family(frame.iloc[place], home))
        if day is None:
            continue
        start, end = sorted(rng.choice(_edges(day), 2, replace=False))
        frame.loc[frame.index[place], "started_on"] = start
        frame.loc[frame.index[place], "ended_on"] = None if rng.random() < 0.3 else end
    return frame


def _twins(found: dict[str, pa.Table], rng) -> pa.Table:
    """Give some people a twin: born in the same month, to the same family, in no record."""
    people = found["people"].to_pandas(date_as_object=True)
    twins = people.iloc[rng.permutation(len(people))[:5]].copy()
    twins["person_id"] = [f"twin{number}" for number in range(len(twins))]
    whole = pd.concat([people, twins], ignore_index=True)
    return pa.Table.from_pandas(whole, schema=found["people"].schema, preserve_index=False)


def _moved(found: dict[str, pa.Table], index: dict[str, date], rng) -> pa.Table:
    """Move some families on their index date, the day before and the day after."""
    moves = found["family_moves"].to_pandas(date_as_object=True)
    places = found["families"].to_pandas()["local_authority"].unique()
    rows = [
        {
            "family_id": family,
            "moved_on": day + timedelta(days=int(rng.integers(-1, 2))),
            "local_authority": rng.choice(places),
        }
        for family, day in list(index.items())[::3]
        if family not in set(moves["family_id"])
    ]
    whole = pd.concat([moves, pd.DataFrame(rows, columns=moves.columns)], ignore_index=True)
    return pa.Table.from_pandas(whole, schema=found["family_moves"].schema, preserve_index=False)
