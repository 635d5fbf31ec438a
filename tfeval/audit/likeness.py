"""Settings of the simulator that imitate an extract; only counts and means of it are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tfeval.audit.replication import PHASE
from tfeval.audit.worlds import ALL_AUTHORITIES, SIMULATORS
from tfeval.cohort.cohort import cohort
from tfeval.display.tables import THRESHOLD
from tfeval.errors import DataError
from tfeval.programme.outcomes import outcome
from tfeval.records.simulation.settings import PROCESS_NAMES, SimulationSettings
from tfeval.records.simulation.supply import LOCAL_TABLES
from tfeval.records.store import Records

#: Families of the simulation that the extract's means are set against, and rounds of it.
_FAMILIES, _ROUNDS = 6_000, 2
#: Waits of more days are long ones.
_LONG = 180.0
#: Fewest families whose means are taken.
_FEWEST = 10 * THRESHOLD


@dataclass(frozen=True)
class Aggregates:
    """What is read of an extract: counts and means over all families of phase one.

    Attributes
    ----------
    families, authorities : int
        Assessed in the phase, and where.
    attached, eligible, data_matched : float
        Shares of the families; of the attached, the share without a lead practitioner.
    wait, long_waits : float
        Mean days of waits up to 180 days, and the share of the attached that waited longer.
    children : float
        Mean number under 18 on the index date.
    rates : mapping of str to float
        Mean over the twelve months before the index date, a family, by outcome.
    missed_links : float
        Share of people not found in a source.
    no_data, late_data : float
        Shares of authorities that sent nothing of a local table, or whose records of it stop
        before those of most.
    late_months : (int, int)
        How early these stop.
    """

    families: int
    authorities: int
    attached: float
    eligible: float
    data_matched: float
    wait: float
    long_waits: float
    children: float
    rates: Mapping[str, float]
    missed_links: float = 0.0
    no_data: float = 0.0
    late_data: float = 0.0
    late_months: tuple[int, int] = (0, 0)


def aggregates(records: Records) -> Aggregates:
    """Read the counts and means of an extract.

    Parameters
    ----------
    records : Records

    Raises
    ------
    DataError
        If it holds fewer than a hundred families of phase one: means of so few tell of each.

    Examples
    --------
    >>> from tfeval.records.simulate import simulate
    >>> found = aggregates(simulate(families=900, seed=1, phase_shares={"one": 1.0}).records)
    >>> found.families, 0.2 < found.attached < 0.3, found.rates["asb_incidents"] > 0
    (900, True, True)
    """
    families = cohort(records, phase=PHASE, horizon=6, treatment="claimed")
    steps = families.flow.set_index("step")
    assessed, attached, eligible = (
        int(steps[arm].iloc[place])
        for arm, place in (("treated", 0), ("treated", 1), ("comparison", 1))
    )
    if min(assessed, attached, eligible) < _FEWEST:
        raise DataError(
            f"The extract holds fewer than {_FEWEST} families of phase one, attached or eligible: "
            "too few to imitate. Name a larger one."
        )
    frame = families.to_pandas()
    own = records.table("families")
    own = own.filter(own["phase"] == PHASE)
    matched = own.filter(own["attached_on"].notnull() & own["lead_practitioner_on"].isnull())
    waits = frame.loc[frame["treated"] == 1, "days_identified"]
    before = families.baseline()
    return Aggregates(
        families=assessed,
        authorities=int(own["local_authority"].nunique().execute()),
        attached=attached / assessed,
        eligible=eligible / assessed,
        data_matched=int(matched.count().execute()) / attached,
        wait=float(waits[waits <= _LONG].mean()),
        long_waits=float((waits > _LONG).mean()),
        children=float(frame["children"].mean()),
        rates={name: float(before[name].mean()) for name in _imitated() if name in before},
        missed_links=_missed(records),
        **_gaps(records),
    )


def _imitated() -> list[str]:
    return [name for name in PROCESS_NAMES if outcome(name).in_cohort]


def _missed(records: Records) -> float:
    people = records.table("people")
    shares = [
        float(1 - people[name].cast("int8").mean().execute())
        for name in ("linked_school", "linked_benefits") if name in people.columns
    ]  # fmt: skip
    known = [share for share in shares if not np.isnan(share)]
    return float(np.mean(known)) if known else 0.0


def _gaps(records: Records) -> dict[str, Any]:
    """Return which share of authorities sent nothing of a local table, or stopped early."""
    if "coverage" not in records.tables:
        return {}
    cover = records.table("coverage").to_pandas()
    everywhere = cover["local_authority"].nunique()
    local = cover[cover["source_table"].isin(LOCAL_TABLES)]
    tables = local["source_table"].nunique()
    if not everywhere or not tables:
        return {}
    days = pd.to_datetime(local["covered_to"])
    early = (days.max() - days).dt.days / 30.4
    late = early[early > 1]
    months = (int(late.quantile(0.1)), int(np.ceil(late.quantile(0.9)))) if len(late) else (0, 0)
    return {
        "no_data": 1 - len(local) / (everywhere * tables),
        "late_data": len(late) / (everywhere * tables),
        "late_months": months,
    }


def imitation(found: Aggregates, simulator: str = "rates", seed: int = 1) -> dict[str, Any]:
    """Return settings under which simulated records have an extract's counts and means.

    Parameters
    ----------
    found : Aggregates
        Of the extract.
    simulator : str, default "rates"
        A key of `SIMULATORS`; only those that call `tfeval.simulate` can imitate.
    seed : int, default 1
        Of the simulations that means are set against.

    Returns
    -------
    dict
        Settings over those of the base, and `authorities`.

    Notes
    -----
    Rates and the number of children are set by simulating as the world "everything" does, and
    multiplying each by what is lacking, twice. Absence from school is not imitated.
    """
    usual = SimulationSettings()
    changes: dict[str, Any] = {
        "authorities": min(found.authorities, ALL_AUTHORITIES),
        "attached_share": found.attached,
        "eligible_share": max(found.eligible, found.attached),
        "waiting_share": found.long_waits,
        # The mean of those up to the limit is below that of the distribution they are cut from.
        "wait_days": max(found.wait, 1.0) if np.isfinite(found.wait) else usual.wait_days,
        "missed_link_share": found.missed_links,
        "no_data_share": found.no_data,
        "late_data_share": found.late_data,
        "late_months": found.late_months,
        "data_matched_share": found.data_matched,
        "rate_ratios": dict.fromkeys(found.rates, 1.0),
        "more_children": usual.more_children,
    }
    row = SIMULATORS[simulator]
    own = row.worlds["everything"]
    for _ in range(_ROUNDS):
        asked = {
            **row.base,
            **(own if isinstance(own, Mapping) else {}),
            **row.effects["none"],
            **{name: value for name, value in changes.items() if name != "authorities"},
        }
        mine = aggregates(row.simulate(families=_FAMILIES, seed=seed, **asked).records)
        ratios = changes["rate_ratios"]
        changes["rate_ratios"] = {
            name: float(np.clip(ratios[name] * _ratio(value, mine.rates.get(name, 0.0)), 0.05, 20))
            for name, value in found.rates.items()
        }
        more = changes["more_children"] + found.children - mine.children
        changes["more_children"] = float(np.clip(more, 0.0, 5.0))
    return changes


def _ratio(wanted: float, mine: float) -> float:
    known = np.isfinite(wanted) and wanted > 0 and mine > 0
    return float(wanted / mine) if known else 1.0
