"""Simulated records kept on disk: the same as made anew, made once, never stale."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

from tfeval.cohort.cohort import cohort
from tfeval.cohort.counting import outcomes_around
from tfeval.impact.study.study import study
from tfeval.impact.weighting.weights import unweighted
from tfeval.records import relations
from tfeval.records.simulate import simulate
from tfeval.records.store import open_records
from tfeval.report.chapters import linked as simulated
from tfeval.report.chapters.impact import or_why_not

FAMILIES = 100


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Keep records in a folder of this test's own."""
    monkeypatch.setenv(simulated.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(simulated, "_FEWEST", FAMILIES)
    simulated._simulation.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch):
    """List what is simulated."""
    calls = []

    def counted(*, families, seed):
        calls.append((families, seed))
        return simulate(families=families, seed=seed)

    monkeypatch.setattr(simulated, "simulate", counted)
    return calls


def kept(place):
    return sorted(one.name for one in place.glob("*simulated-*"))


def same(seed: int) -> None:
    """Hold what is given, rows and their order, types and truth, to what `simulate` makes."""
    fresh = simulate(families=FAMILIES, seed=seed)
    records = simulated.simulated_records(FAMILIES, seed)
    assert (records.source, records.simulated) == (fresh.records.source, True)
    assert dict(records.about) == dict(fresh.records.about)
    assert list(records.raw) == list(fresh.records.raw)
    for name, table in fresh.records.raw.items():
        assert records.raw[name].to_pyarrow().equals(table.to_pyarrow()), name
    truth = simulated.simulated_truth(FAMILIES, seed)
    assert truth.settings == fresh.truth.settings
    for name in ("families", "people_outcomes", "family_outcomes"):
        pd.testing.assert_frame_equal(getattr(truth, name), getattr(fresh.truth, name))


def test_what_is_read_is_what_would_be_made_and_is_made_once(place, made):
    same(1)
    same(1)
    assert made == [(FAMILIES, 1)]
    assert len(kept(place)) == 1


def test_two_that_ask_at_once_make_them_once(place, made):
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda _: simulated.simulated_records(FAMILIES, 2), range(2)))
    assert made == [(FAMILIES, 2)]
    first, second = (one.table("families").to_pandas() for one in found)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("part", ["version", "code_hash", "file_hash", "data_files"])
def test_whatever_they_rest_on_changes_their_name(place, made, monkeypatch, part):
    simulated.simulated_records(FAMILIES, 1)
    before = getattr(simulated, part)
    if part == "data_files":
        monkeypatch.setattr(simulated, part, lambda: before()[1:])
    else:
        monkeypatch.setattr(simulated, part, lambda named: before(named) + "0")
    simulated.simulated_records(FAMILIES, 1)
    assert len(made) == len(kept(place)) == 2


@pytest.mark.parametrize("why", ["code changed since", "not wanted", "no folder", "few families"])
def test_nothing_is_kept_where_it_could_be_stale_or_cannot_be(place, made, monkeypatch, why):
    families = FAMILIES
    if why == "code changed since":
        monkeypatch.setattr(simulated, "_BEGAN", 0.0)
    elif why == "not wanted":
        monkeypatch.setenv(simulated.VARIABLE, "")
    elif why == "no folder":
        place.write_text("a file")
    else:
        families -= 1
    assert simulated.simulated_records(families, 1).simulated
    assert len(simulated.simulated_truth(families, 1).families) >= families
    assert made == [(families, 1)]
    assert not kept(place)


def test_a_spoiled_file_is_not_in_the_way(place, made):
    simulated.simulated_records(FAMILIES, 1)
    (folder,) = place.glob("simulated-*")
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:100])
    same(1)


def test_the_newest_stay_and_what_is_open_can_still_be_read(place):
    first = simulated.simulated_records(FAMILIES, 1)
    for seed in (2, 3, 4):
        simulated.simulated_records(FAMILIES, seed)
    assert len(kept(place)) == simulated._KEPT
    assert first.table("people").count().execute() > FAMILIES


# What is counted in them, kept beside them.

SPANS = {"quarter": (-3, 0), "half year": (0, 6)}


def counts_of(records):
    families = cohort(records)
    around = outcomes_around(families, records, SPANS)
    return families.to_pandas(), around, families.flow, families.sources


@pytest.fixture
def shelf(place, monkeypatch):
    """Make and count records with a shelf for even the quickest step; return what it holds."""
    monkeypatch.setattr(relations, "_QUICK", 0.0)
    first = counts_of(simulated.simulated_records(FAMILIES, 1))
    (folder,) = place.glob("simulated-*/steps")
    return folder, first


def test_counts_are_those_of_records_without_a_shelf_and_are_made_once(shelf, monkeypatch):
    monkeypatch.setattr(relations, "_put", None)  # called, it fails
    again = counts_of(simulated.simulated_records(FAMILIES, 1))
    fresh = counts_of(simulate(families=FAMILIES, seed=1).records)
    for one, two, expected in zip(shelf[1], again, fresh, strict=True):
        pd.testing.assert_frame_equal(one, expected)
        pd.testing.assert_frame_equal(two, expected)


def test_a_spoiled_step_is_made_anew(shelf):
    folder, first = shelf
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    again = counts_of(simulated.simulated_records(FAMILIES, 1))
    for one, two in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_results_are_kept_of_simulated_records_alone_by_what_they_rest_on(shelf, monkeypatch):
    records, made = simulated.simulated_records(FAMILIES, 1), []

    def result(one=records, *rests_on):
        made.append(rests_on)
        return {"frame": shelf[1][0]}

    def ask(one, *rests_on):
        return simulated.kept_result(one, lambda: result(one, *rests_on), *rests_on)["frame"]

    frame = shelf[1][0]
    for _ in range(2):
        pd.testing.assert_frame_equal(ask(records, "a", frame), frame)
    assert len(made) == 1
    other = frame.assign(treated=~frame["treated"].astype(bool))
    for rests_on in (("b", frame), ("a", other), ("a", frame.to_numpy()[:1].astype(str))):
        ask(records, *rests_on)
    assert len(made) == 4
    for path in shelf[0].glob("*.pickle"):
        path.write_bytes(path.read_bytes()[:-10])
    ask(records, "a", frame)
    assert len(made) == 5
    monkeypatch.setattr(simulated, "code_hash", lambda *_: "another state of the code")
    ask(records, "a", frame)
    assert len(made) == 6
    held = len(list(shelf[0].iterdir()))
    for _ in range(2):
        ask(simulate(families=100, seed=1).records, "a", frame)
        ask(None, "a", frame)
    assert len(made) == 10 and len(list(shelf[0].iterdir())) == held


def test_what_a_verb_gives_of_a_design_is_kept_of_simulated_records_alone(place):
    made, records = [], simulated.simulated_records(FAMILIES, 1)
    families = cohort(records, horizon=12, comparison="not_yet_treated")
    rows = pd.DataFrame({"age": range(60), "treated": [True, False, False] * 20})
    designs = [unweighted(study(rows.loc[:end], covariates=["age"])) for end in (50, 59)]

    def verb(design, families, *, records, months):
        made.append(records)
        return months * design.weights.sum()

    def ask(records, design=designs[0], months=12):
        return or_why_not(verb, design, families, records=records, months=months)

    assert ask(records) == ask(records) and len(made) == 1
    assert ask(records, designs[1]) != ask(records, months=6) and len(made) == 3
    for _ in range(2):  # of these there is no shelf
        ask(replace(records))
    assert len(made) == 5


def test_other_rows_have_no_shelf(place):
    records = simulated.simulated_records(FAMILIES, 1)
    assert records.shelf is not None
    (file,) = place.glob("simulated-*/records.duckdb")
    fewer = {**records.raw, "offences": records.raw["offences"].limit(1)}
    assert replace(records, raw=fewer).shelf is open_records(file).shelf is None
