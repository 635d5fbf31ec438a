"""Extracts of lives that are strange but can be: the cohort equals the slow reference, all add up.

Each extract has a few kinds of strangeness at once, drawn from its seed.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.cohort.extracts import as_records, tables_of
from tests.cohort.reference import Slow, after, slow_cohort
from tests.cohort.test_cohort import ENDS_ON, HORIZONS, same
from tests.cohort.test_repeated import check_flow
from tfeval.cohort.cohort import cohort
from tfeval.errors import DataError
from tfeval.programme.phases import phase as phase_of
from tfeval.records.simulate import simulate

DATES = {"offences": "offence_on", "asb_incidents": "incident_on",
         "hospital_episodes": "arrived_on", "domestic_abuse_incidents": "incident_on"}  # fmt: skip
SPELLS = ("benefit_spells", "employment_spells", "social_care_episodes")


def some(rng, size, share=0.4):
    return np.flatnonzero(rng.random(size) < share)


def put(frame, places, column, values):
    """Set a column of dates row by row, so that days stay days."""
    days = list(frame[column])
    for place, value in zip(places, values, strict=True):
        days[place] = value
    return frame.assign(**{column: days})


def on_one_day(frames, rng):
    """Identified, attached, moved, all that happens: on one day of each family."""
    families = frames["families"]
    day = dict(zip(families["family_id"], families["identified_on"], strict=True))
    home = dict(zip(frames["people"]["person_id"], frames["people"]["family_id"], strict=True))
    attached = [place for place in some(rng, len(families))
                if not pd.isna(families["attached_on"].iloc[place])]  # fmt: skip
    frames["families"] = put(families, attached, "attached_on",
                             families["identified_on"].iloc[attached])  # fmt: skip
    for name, column in DATES.items():
        rows = frames[name]
        who = rows["family_id"] if "family_id" in rows else rows["person_id"].map(home)
        here = [place for place in some(rng, len(rows)) if who.iloc[place] in day]
        frames[name] = put(rows, here, column, [day[who.iloc[place]] for place in here])


def identified_late(frames, rng):
    """Attached before it was identified: by days, months, or years."""
    families = frames["families"]
    here = [place for place in some(rng, len(families))
            if not pd.isna(families["attached_on"].iloc[place])]  # fmt: skip
    shift = rng.choice([1, 40, 400], len(here))
    late = [families["attached_on"].iloc[place] + timedelta(days=int(days))
            for place, days in zip(here, shift, strict=True)]  # fmt: skip
    frames["families"] = put(families, here, "identified_on", late)


def attached_twice(frames, rng):
    """Once in each phase, in either order, or on the same day."""
    families = frames["families"]
    again = families.iloc[some(rng, len(families), 0.3)].copy()
    again["phase"] = again["phase"].map({"one": "two", "two": "one"})
    again = again[~again.set_index(["family_id", "phase"]).index.isin(
        families.set_index(["family_id", "phase"]).index)]  # fmt: skip
    moved = [None if pd.isna(day) else day + timedelta(days=int(rng.choice([-300, 0, 0, 200])))
             for day in again["attached_on"]]  # fmt: skip
    again["attached_on"] = moved
    frames["families"] = pd.concat([families, again], ignore_index=True)


def moving(frames, rng):
    """Three moves a family, some before it was identified, some to where it was."""
    families, rows = frames["families"].drop_duplicates("family_id"), []
    places = families["local_authority"].unique()
    for family in families.iloc[some(rng, len(families))].to_dict("records"):
        days = rng.choice(np.arange(-700, 900), 3, replace=False)
        rows += [{"family_id": family["family_id"], "local_authority": rng.choice(places),
                  "moved_on": family["identified_on"] + timedelta(days=int(days_))}
                 for days_ in days]  # fmt: skip
    made = pd.DataFrame(rows, columns=frames["family_moves"].columns)
    frames["family_moves"] = pd.concat([frames["family_moves"], made], ignore_index=True)


def split_and_merged(frames, rng):
    """Children of a family in a second one too; other families have lost all their people."""
    people, families = frames["people"], frames["families"]["family_id"].unique()
    split = people.iloc[some(rng, len(people), 0.15)].copy()
    split["family_id"] = rng.choice(families, len(split))
    whole = pd.concat([people, split], ignore_index=True)
    whole = whole.drop_duplicates(["person_id", "family_id"])
    frames["people"] = whole[~whole["family_id"].isin(rng.choice(families, 4))]


def of_age(frames, rng):
    """Children who turn 5, 16 or 18 about the index date, or are not born before it."""
    people, families = frames["people"], frames["families"]
    day = dict(zip(families["family_id"], families["identified_on"], strict=True))
    here = some(rng, len(people))
    years = rng.choice([-1, 0, 5, 16, 17, 18, 66], len(here))
    months = rng.integers(-2, 14, len(here))
    born = [after(day[people["family_id"].iloc[place]], int(-12 * own + more)).replace(day=1)
            for place, own, more in zip(here, years, months, strict=True)]  # fmt: skip
    frames["people"] = put(people, here, "birth_month", born)
    for flag in ("linked_school", "linked_benefits", "linked_health"):
        frames["people"][flag] = [None if draw < 0.05 else bool(draw > 0.2)
                                  for draw in rng.random(len(people))]  # fmt: skip


def before_birth(frames, rng):
    """What happened before the person was born, and after the records end."""
    for name, column in DATES.items():
        rows = frames[name]
        here = some(rng, len(rows), 0.2)
        days = [date(1905, 2, 3) if low else ENDS_ON + timedelta(days=9)
                for low in rng.random(len(here)) < 0.5]  # fmt: skip
        frames[name] = put(rows, here, column, days)


def leap_days(frames, rng):
    """Identified and attached about 29 February; spells that begin or end on it."""
    about = [date(2012, 2, 28), date(2012, 2, 29), date(2012, 3, 1), date(2016, 2, 29)]
    for name, columns in (("families", ("identified_on", "attached_on")),
                          *((name, ("started_on", "ended_on")) for name in SPELLS)):  # fmt: skip
        for column in columns:
            rows = frames[name]
            here = [place for place in some(rng, len(rows))
                    if not pd.isna(rows[column].iloc[place])]  # fmt: skip
            frames[name] = put(rows, here, column, rng.choice(about, len(here)))
    for name in SPELLS:
        rows = frames[name]
        both = zip(rows["started_on"], rows["ended_on"], strict=True)
        frames[name] = rows[[pd.isna(end) or start <= end for start, end in both]]


def with_gaps(frames, rng):
    """Records sent in two or three periods, apart by a day or by years, in no order."""
    rows = []
    for own in frames["coverage"].to_dict("records"):
        length = (own["covered_to"] - own["covered_from"]).days
        begins = own["covered_from"]
        for at in np.sort(rng.integers(1, length, rng.integers(0, 3))):
            end = max(begins, own["covered_from"] + timedelta(days=int(at)))
            rows.append({**own, "covered_from": begins, "covered_to": end})
            begins = end + timedelta(days=int(rng.choice([1, 2, 30, 500])))
        if begins <= own["covered_to"]:
            rows.append({**own, "covered_from": begins})
    frames["coverage"] = pd.DataFrame(rows).sample(frac=1.0, random_state=int(rng.integers(99)))


def at_edges(frames, rng):
    """Terms, spells and events that begin or end on, before or after an edge of a window."""
    families = frames["families"]
    home = dict(zip(frames["people"]["person_id"], frames["people"]["family_id"], strict=True))
    days = {row["family_id"]: row["identified_on"] if pd.isna(row["attached_on"])
            else row["attached_on"] for row in families.to_dict("records")}  # fmt: skip

    def edge(who):
        day = after(days[who], int(rng.choice([-12, 0, 6, 12, 18, 24])))
        return day + timedelta(days=int(rng.integers(-1, 2)))

    columns = {name: (column,) for name, column in DATES.items()}
    columns |= dict.fromkeys(SPELLS, ("started_on", "ended_on"))
    columns["school_terms"] = ("term_start", "term_end")
    for name, own in columns.items():
        rows = frames[name]
        who = list(rows["family_id"] if "family_id" in rows else rows["person_id"].map(home))
        here = [place for place in some(rng, len(rows)) if who[place] in days]
        made = [sorted(edge(who[place]) for _ in own) for place in here]
        for at, column in enumerate(own):
            frames[name] = put(frames[name], here, column, [pair[at] for pair in made])


def at_the_ends_of_phases(frames, rng):
    """Identified or attached on, before or after the first or last day of a phase or of records."""
    phases = [phase_of(name) for name in ("one", "two")]
    ends = [*(day for one in phases for day in (one.start, one.end)), ENDS_ON]
    for column in ("identified_on", "attached_on"):
        rows = frames["families"]
        here = [place for place in some(rng, len(rows), 0.3)
                if not pd.isna(rows[column].iloc[place])]  # fmt: skip
        made = [ends[int(rng.integers(len(ends)))] + timedelta(days=int(rng.integers(-1, 2)))
                for _place in here]  # fmt: skip
        frames["families"] = put(rows, here, column, made)


def identified_twice(frames, rng):
    """In both phases, by other authorities, on one day or in either order; attached in one."""
    families = frames["families"]
    again = families.drop_duplicates("family_id", keep=False)
    again = again.iloc[some(rng, len(again))].copy()
    again["phase"] = again["phase"].map({"one": "two", "two": "one"})
    again["local_authority"] = rng.choice(families["local_authority"].unique(), len(again))
    again["identified_on"] = [day + timedelta(days=int(rng.choice([-800, -1, 0, 1, 800])))
                              for day in again["identified_on"]]  # fmt: skip
    again["attached_on"] = [None if rng.random() < 0.6 else day for day in again["attached_on"]]
    frames["families"] = pd.concat([families, again], ignore_index=True)


def codes_change(frames, rng):
    """Two authorities become a third: families move on the day, and it alone sends from then."""
    places = frames["families"]["local_authority"].unique()
    (*old, new), day = rng.choice(places, 3, replace=False), date(2014, 4, 1)
    own = frames["families"].drop_duplicates("family_id")
    own = own[own["local_authority"].isin(old)]
    moved = pd.DataFrame({"family_id": own["family_id"], "local_authority": new, "moved_on": day})
    moves = pd.concat([frames["family_moves"], moved], ignore_index=True)
    frames["family_moves"] = moves.drop_duplicates(["family_id", "moved_on"])
    sent = frames["coverage"]
    until, begun = sent["local_authority"].isin(old), sent["local_authority"] == new
    sent.loc[until, "covered_to"] = [min(one, day - timedelta(days=1))
                                     for one in sent.loc[until, "covered_to"]]  # fmt: skip
    sent.loc[begun, "covered_from"] = [max(one, day) for one in sent.loc[begun, "covered_from"]]
    frames["coverage"] = sent[sent["covered_from"] <= sent["covered_to"]]


def spells_of_no_length(frames, rng):
    """Spells of no day, of one day, one within another, one after another, and without an end."""
    for name in SPELLS:
        rows = frames[name]
        here = some(rng, len(rows))
        length = rng.choice([0, 1, 30], len(here))
        ends = [None if draw < 0.2 else rows["started_on"].iloc[place] + timedelta(days=int(days))
                for place, days, draw in
                zip(here, length, rng.random(len(here)), strict=True)]  # fmt: skip
        rows = put(rows, here, "ended_on", ends)
        again = rows.iloc[some(rng, len(rows))].copy()
        again["started_on"] = [day + timedelta(days=int(rng.choice([-1, 0, 1, 30])))
                               for day in again["started_on"]]  # fmt: skip
        rows = pd.concat([rows, again], ignore_index=True)
        both = zip(rows["started_on"], rows["ended_on"], strict=True)
        frames[name] = rows[[pd.isna(end) or start <= end for start, end in both]]


def criteria_not_known(frames, rng):
    """What decides who could join is empty for some, and says other things on a second row."""
    families = frames["families"]
    for name in [*phase_of("one").criteria, *phase_of("two").criteria, "local_discretion"]:
        values = families[name].astype(object)
        values.iloc[some(rng, len(families), 0.05)] = None
        families[name] = values
    again = families.iloc[some(rng, len(families), 0.1)].copy()
    flag = phase_of("one").criteria[0]
    again[flag] = [None if pd.isna(one) else not one for one in again[flag]]
    frames["families"] = pd.concat([families, again], ignore_index=True)


def without_a_practitioner(frames, rng):
    """Attached by records alone in one phase or in both: treated only by what is asked."""
    rows = frames["families"]
    here = some(rng, len(rows), 0.5)
    frames["families"] = put(rows, here, "lead_practitioner_on", [None] * len(here))


KINDS = (on_one_day, identified_late, attached_twice, moving, split_and_merged, of_age,
         before_birth, leap_days, with_gaps, at_edges, at_the_ends_of_phases, identified_twice,
         codes_change, spells_of_no_length, criteria_not_known,
         without_a_practitioner)  # fmt: skip


def strange(seed: int, kinds=(), more=()) -> dict[str, pa.Table]:
    """Return an extract with the kinds of strangeness given, or three drawn, and more."""
    rng = np.random.default_rng(seed)
    tables = tables_of(simulate(families=60, seed=seed % 20 + 1).records)
    frames = {name: table.to_pandas(date_as_object=True) for name, table in tables.items()}
    drawn = kinds or rng.choice(np.array(KINDS, dtype=object), 3, replace=False)
    for kind in (*drawn, *more):
        kind(frames, rng)
    return {name: pa.Table.from_pandas(frame, schema=tables[name].schema, preserve_index=False)
            for name, frame in frames.items()}  # fmt: skip


#: What is asked: few, since each is put into SQL anew.
ASKED = (("one", "family", "waiting"), ("two", "person", "not_yet_treated"),
         ("one", "person", "below_threshold"), ("two", "family", "other_authorities"))  # fmt: skip
TREATED_BY = ("supported", "claimed", "data_matched_apart")


def held_to_the_reference(seed: int, kinds=()) -> int:
    """Compare one extract in one group, phase and level; return how many units it has."""
    phase, level, comparison = ASKED[seed % len(ASKED)]
    treatment = TREATED_BY[seed % len(TREATED_BY)]
    tables = strange(seed, kinds, () if treatment == "supported" else (without_a_practitioner,))
    asked = {"phase": phase, "comparison": comparison, "level": level, "treatment": treatment}
    slow = Slow({name: table.to_pandas(date_as_object=True)
                 for name, table in tables.items()}, ENDS_ON, treatment)  # fmt: skip
    try:
        found = cohort(as_records(tables, ENDS_ON), horizon=HORIZONS, **asked)
    except DataError as fault:
        own = [row for row in slow.rows["families"] if row["phase"] == phase]
        treated = [row for row in own if slow.is_treated(row)]
        unclear = [row["family_id"] for row in slow.assessed(phase)[1]]
        assert ("there is nothing to compare" if not treated else "can be read") in str(fault)
        assert not [row for row in treated if row["family_id"] not in unclear
                    and row["identified_on"] <= slow.treated_on(row)
                    and slow.treated_on(row) == slow.first[row["family_id"]]]  # fmt: skip
        return 0
    rows = found.to_pandas()
    expected = slow_cohort(slow, phase, HORIZONS, comparison, 1, level)
    if not expected:
        assert rows.empty
        return 0
    same(rows, expected)
    if level == "family":
        check_flow(found)
    return len(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_each_strangeness_equals_the_slow_reference(kind):
    # A seed under which families are left: few are matched by records alone and one short.
    seed = 321 if kind is criteria_not_known else KINDS.index(kind) + 300
    assert held_to_the_reference(seed, (kind,)) > 0


@pytest.mark.parametrize("seed", [402, 435])
def test_what_another_phase_lacks_or_cannot_be_read_decides_nothing(seed):
    assert held_to_the_reference(seed, (attached_twice, criteria_not_known)) > 0


@pytest.mark.slow(reason="12 extracts, each counted row by row as well")
@pytest.mark.parametrize("seed", range(12))
def test_several_at_once_equal_the_slow_reference(seed):
    held_to_the_reference(seed)


def test_what_was_sent_before_a_gap_counts_and_what_spans_it_does_not():
    whole = tables_of(simulate(families=200, seed=5).records)
    rows = whole["coverage"].to_pandas(date_as_object=True)
    first, second = date(2018, 1, 1), date(2018, 1, 10)
    parts = [rows.assign(covered_to=first), rows[rows["covered_to"] > second].assign(
        covered_from=second)]  # fmt: skip
    gap = pd.concat(parts, ignore_index=True)
    gapped = {**whole, "coverage": pa.Table.from_pandas(
        gap, schema=whole["coverage"].schema, preserve_index=False)}  # fmt: skip
    plain, found = (cohort(as_records(tables, ENDS_ON), phase="two", horizon=HORIZONS).to_pandas()
                    for tables in (whole, gapped))  # fmt: skip
    for months in HORIZONS:
        name = f"out_of_work_{months}"
        ends = np.array([after(day.date(), months) for day in pd.to_datetime(plain["index_on"])])
        before, begun = ends <= first, pd.to_datetime(plain["index_on"]).dt.date.to_numpy()
        own = plain.loc[before, name]
        pd.testing.assert_series_equal(found.loc[before, name], own)
        spans = (ends > second) & (begun <= first)
        assert own.notna().sum() > 5 and plain.loc[spans, name].notna().any()
        assert found.loc[spans, name].isna().all()
