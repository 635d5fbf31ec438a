"""Rows that stand twice, say two things, or lie at the ends of the calendar; flows that add up."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.cohort.extracts import as_records, tables_of
from tests.cohort.reference import Slow, slow_cohort
from tests.cohort.test_cohort import same
from tfeval.cohort.cohort import cohort
from tfeval.errors import DataError
from tfeval.records.simulate import simulate

ENDS_ON = date(2019, 12, 31)
HORIZONS = (12,)


@pytest.fixture(scope="module")
def tables():
    return tables_of(simulate(families=70, seed=7).records)


@pytest.fixture(scope="module")
def plain(tables):
    return cohort(as_records(tables, ENDS_ON), horizon=HORIZONS).to_pandas()


def frame(tables, name):
    return tables[name].to_pandas(date_as_object=True)


def changed(tables, **frames):
    new = {name: pa.Table.from_pandas(rows, schema=tables[name].schema, preserve_index=False)
           for name, rows in frames.items()}  # fmt: skip
    return {**tables, **new}


def twice(tables):
    """The same row of a family sent again, but for what no cohort reads."""
    rows = frame(tables, "families")
    return {"families": pd.concat([rows, rows.head(20).assign(claim_kind=None, claimed_on=None)])}


def two_things(tables):
    """A family attached by one authority, and assessed by another that never attached it."""
    rows = frame(tables, "families")
    own = rows[rows["attached_on"].notna()].head(8)
    other = own.assign(local_authority="E08000014", attached_on=None, lead_practitioner_on=None)
    return {"families": pd.concat([rows, other])}


def two_moves(tables):
    """Moves to two authorities on one day, before anybody's index date."""
    some = frame(tables, "families")["family_id"].drop_duplicates().head(30)
    moves = pd.DataFrame({"family_id": some, "moved_on": date(2011, 5, 1)})
    places = [moves.assign(local_authority=code) for code in ("E08000014", "E08000012")]
    return {"family_moves": pd.concat(places)}


def two_periods(tables):
    """What was sent under two codes of an authority, one after the other."""
    rows = frame(tables, "coverage")
    turn = date(2013, 6, 1)
    before = rows.assign(covered_to=[min(day, turn - timedelta(days=1))
                                     for day in rows["covered_to"]])  # fmt: skip
    after = rows[rows["covered_to"] >= turn].assign(covered_from=turn)
    return {"coverage": pd.concat([before, after])}


def at_once(tables):
    """Every spell again, once or twice, some days later or sooner, ended or not."""
    rng, new = np.random.default_rng(1), {}
    for name in ("benefit_spells", "employment_spells", "social_care_episodes"):
        rows = frame(tables, name)
        parts = [rows]
        for share in (1.0, 0.5):
            some = rows[rng.random(len(rows)) < share].copy()
            some["started_on"] = [first + timedelta(days=int(rng.integers(-60, 60)))
                                  for first in some["started_on"]]  # fmt: skip
            some["ended_on"] = [None if pd.isna(end) or rng.random() < 0.1
                                else max(end + timedelta(days=int(rng.integers(-60, 60))), first)
                                for first, end in zip(some["started_on"], some["ended_on"],
                                                      strict=True)]  # fmt: skip
            parts.append(some)
        new[name] = pd.concat(parts)
    return new


@pytest.mark.parametrize("how", [twice, two_things, two_moves, two_periods, at_once])
def test_rows_that_stand_twice_equal_the_slow_reference(tables, plain, how):
    now = changed(tables, **how(tables))
    found = cohort(as_records(now, ENDS_ON), horizon=HORIZONS)
    slow = Slow({n: t.to_pandas(date_as_object=True) for n, t in now.items()}, ENDS_ON)
    rows = found.to_pandas()
    same(rows, slow_cohort(slow, "one", HORIZONS, "not_yet_treated", 1))
    # What says the same counts once; what says two things is not known, and never none.
    if how in (twice, two_periods):
        pd.testing.assert_frame_equal(rows, plain)
    elif how is at_once:
        own = rows["out_of_work_12"].dropna()
        assert (own > plain["out_of_work_12"].loc[own.index]).any()
        assert (own <= 366 * rows["people"].loc[own.index]).all()
    elif how is two_things:
        assert len(rows) < len(plain)
    else:
        assert (rows["local_authority"] == "not known").sum() > 5
        unknown = rows[rows["local_authority"] == "not known"]
        assert unknown["asb_incidents_12"].isna().all()
    check_flow(found)


def check_flow(found):
    rows = found.to_pandas()
    flow = found.flow.set_index("step")
    assert flow["treated"].iloc[0] == flow["comparison"].iloc[0]
    for arm, value in (("treated", 1), ("comparison", 0)):
        assert flow[arm].is_monotonic_decreasing
        assert flow[arm].iloc[-1] == (rows["treated"] == value).sum()
    assert rows["unit"].is_unique


@pytest.mark.parametrize("day", [date(9999, 12, 31), date(1, 1, 2)])
@pytest.mark.parametrize("column", ["identified_on", "attached_on"])
def test_days_at_the_ends_of_the_calendar_leave_a_flow_that_adds_up(tables, column, day):
    rows = frame(tables, "families")
    places = rows.index[rows["attached_on"].notna()][:10]
    rows.loc[places, column] = day
    found = cohort(as_records(changed(tables, families=rows), ENDS_ON), horizon=HORIZONS)
    check_flow(found)
    compared = found.to_pandas().query("treated == 1")["family_id"]
    assert not set(compared) & set(rows.loc[places].query("phase == 'one'")["family_id"])


def test_a_person_who_stands_twice_in_a_family_is_refused(tables):
    people = frame(tables, "people")
    again = changed(tables, people=pd.concat([people, people.head(3)]))
    with pytest.raises(DataError, match="fewer than 10 rows name somebody of a family again"):
        cohort(as_records(again, ENDS_ON))
    # One that is in two families is in both of them.
    moved = people.head(12).assign(family_id=people["family_id"].iloc[::-1].head(12).to_numpy())
    now = changed(tables, people=pd.concat([people, moved]))
    slow = Slow({n: t.to_pandas(date_as_object=True) for n, t in now.items()}, ENDS_ON)
    found = cohort(as_records(now, ENDS_ON), horizon=HORIZONS).to_pandas()
    same(found, slow_cohort(slow, "one", HORIZONS, "not_yet_treated", 1))
