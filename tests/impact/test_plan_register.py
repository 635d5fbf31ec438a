"""The register of plans: what a line proves, how it is edited, and that the edit is seen."""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
from dataclasses import replace

import ibis
import pytest

import tfeval as tf
from tfeval.cohort.counting import counts_around, outcomes_around
from tfeval.display.names import REGISTRATIONS
from tfeval.errors import ParameterError
from tfeval.impact.plan import register as module
from tfeval.impact.plan.analysis_plan import FILE
from tfeval.impact.plan.register import START, committed, registered, registration_of
from tfeval.records.simulate import simulate
from tfeval.settings import project_folder

TEXT = (project_folder("data") / FILE).read_text(encoding="utf-8")
VERSION, DATE = 'version = "1.2"', "date = 2026-11-29"
NOW = datetime.datetime(2026, 12, 30, 12, tzinfo=datetime.UTC)
NOT = "not registered: nothing shows that it was written before outcomes were read"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the plan of a folder of its own, with texts replaced."""

    def written(*changes):
        text = TEXT
        for before, after in changes:
            assert before in text
            text = text.replace(before, after, 1)
        path = tmp_path / "plan.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def version(number, day):
    return [(VERSION, f'version = "{number}"'), (DATE, f"date = {day}")]


@pytest.fixture
def three(write, tmp_path):
    """A register of three versions, and the plan of the last."""
    for number, day in (("1.2", "2026-11-29"), ("1.3", "2026-11-30"), ("1.4", "2026-12-01")):
        path = write(*version(number, day))
        tf.register_plan(path)
    return tmp_path / "plan.register", path


def state(path):
    return tf.read_plan(path).registration


# --- what a line says ----------------------------------------------------------------------------


def test_the_project_s_plan_is_registered_as_it_stands():
    said = tf.read_plan().registration
    assert said.good and str(said) == (
        f"registered as version {tf.read_plan().version} on {said.date} in line {said.line}, "
        "unchanged since"
    )


def test_a_line_can_be_checked_without_this_package(three):
    register, path = three
    before = "0" * 64
    assert before == START
    for text in register.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        check = row.pop("check")
        plain = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert row["before"] == before and check == hashlib.sha256(plain.encode()).hexdigest()
        before = check
    assert row["sha256"] == tf.read_plan(path).hash and row["tfeval"] == tf.__version__
    when = datetime.datetime.fromisoformat(row["registered"])
    assert abs((datetime.datetime.now(datetime.UTC) - when).total_seconds()) < 120


def test_registering_again_writes_nothing_and_says_the_line(three):
    register, path = three
    before = register.read_bytes()
    assert tf.register_plan(path).line == 3
    assert register.read_bytes() == before
    assert state(path).good and state(path).version == "1.4"


def test_an_earlier_version_is_still_registered(three, write):
    assert state(write()).line == 1


def test_comments_and_line_ends_do_not_count(three, tmp_path):
    register, path = three
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    register.write_bytes(register.read_bytes().replace(b"\n", b"\r\n"))
    assert state(path).line == 3
    assert tf.read_plan(path, register=tmp_path / "other.register").registration.good is False


# --- a plan edited afterwards --------------------------------------------------------------------

EDIT = ("caliper = 0.2", "caliper = 0.25")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ([EDIT], "has version 1.2 in line 1"),  # as it was, edited
        ([EDIT, *version("1.3", "2026-11-29")], "has a plan dated 2026-11-29 in line 1"),
        ([EDIT, *version("1.2", "2026-12-24")], "has version 1.2 in line 1"),
        ([EDIT, *version("2.0", "2026-01-01")], "has a plan dated 2026-11-29 in line 1"),  # older
    ],
)
def test_a_plan_edited_afterwards_is_refused_and_not_registered(write, tmp_path, changes, what):
    tf.register_plan(write())
    register = tmp_path / "plan.register"
    before = register.read_bytes()
    path = write(*changes)
    assert str(state(path)) == NOT and not state(path).good
    with pytest.raises(ParameterError, match="raise its version and its date") as caught:
        tf.register_plan(path)
    assert what in str(caught.value) and "\n" not in str(caught.value)
    assert register.read_bytes() == before
    raised = write(EDIT, *version("1.3", "2026-12-24"))
    assert tf.register_plan(raised).line == 2


def test_a_plan_at_fault_is_not_registered(write, tmp_path):
    with pytest.raises(ParameterError, match="ratio"):
        tf.register_plan(write(("ratio = 1", "ratio = 0")))
    assert not (tmp_path / "plan.register").exists()


# --- a register edited ---------------------------------------------------------------------------


def change(place, **what):
    return lambda rows: [{**row, **what} if at == place else row for at, row in enumerate(rows)]


def rehashed(place, **what):
    """Change a line as somebody does who knows how it is checked."""

    def edit(rows):
        row = {**rows[place], **what}
        return [*rows[:place], {**row, "check": module._check(row)}, *rows[place + 1 :]]

    return edit


LONG_AGO = "2020-01-01T00:00:00+00:00"
#: What is done to three lines, and the first that no longer follows.
EDITS = {
    "a hash": (1, change(0, sha256="1" * 64)),
    "the last time": (3, change(2, registered=LONG_AGO)),
    "a new key": (2, change(1, more="")),
    "the second deleted": (2, lambda rows: [rows[0], rows[2]]),
    "the first deleted": (1, lambda rows: rows[1:]),
    "reordered": (1, lambda rows: [rows[1], rows[0], rows[2]]),
    "a line twice": (4, lambda rows: [*rows, rows[2]]),
    "an earlier line rehashed": (2, rehashed(0, registered=LONG_AGO)),
    "a later plan with an older date": (3, rehashed(2, date="2026-01-01")),
    "back in time": (3, rehashed(2, registered=LONG_AGO)),
}


@pytest.mark.parametrize("how", EDITS)
def test_an_edit_of_a_register_is_seen(three, how):
    register, path = three
    line, edit = EDITS[how]
    rows = edit([json.loads(text) for text in register.read_text(encoding="utf-8").splitlines()])
    register.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = state(path)
    assert (said.state, said.line, said.good) == ("broken_register", line, False)
    assert str(said).startswith(f"not registered: line {line} of the register does not follow")
    with pytest.raises(ParameterError, match=f"line {line} of the register does not follow"):
        tf.register_plan(path)


@pytest.mark.parametrize("text", ["nothing\n", "[]\n", '{"title": 1}\n', "\n", "\udcff"])
def test_what_is_no_register_proves_nothing(three, text):
    register, path = three
    register.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert state(path).state == "broken_register"


def test_a_last_line_deleted_leaves_its_plan_unregistered(three):
    register, path = three
    lines = register.read_text(encoding="utf-8").splitlines(keepends=True)
    register.write_text("".join(lines[:-1]), encoding="utf-8")
    assert str(state(path)) == NOT


def test_a_clock_set_back_is_refused(write, tmp_path):
    register = tmp_path / "plan.register"
    first = tf.read_plan(write()).as_dict()
    registered(first, register, now=NOW)
    later = tf.read_plan(write(*version("1.3", "2026-12-24"))).as_dict()
    with pytest.raises(ParameterError, match="line 1 was registered after now"):
        registered(later, register, now=NOW - datetime.timedelta(days=1))


def test_every_state_has_words():
    assert set(REGISTRATIONS) == {module.REGISTERED, module.NOT_REGISTERED, module.BROKEN}
    assert not registration_of("0" * 64, None).good


# --- git -----------------------------------------------------------------------------------------


def git(folder, *asked):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *asked], check=True, capture_output=True)


def test_a_committed_line_is_said_with_its_commit(three, tmp_path):
    register, path = three
    held = tf.read_plan(path)
    assert committed(held.hash, register) is None  # in no work tree
    git(tmp_path, "init", "-q")
    assert committed(held.hash, register) is None  # not committed
    git(tmp_path, "add", "plan.register")
    git(tmp_path, "commit", "-q", "-m", "Register the plan", "--date", "2026-12-01T10:00:00+00:00")
    commit, day = committed(held.hash, register)
    log = subprocess.run(["git", "-C", str(tmp_path), "log", "--format=%h %cs"], check=True,
                         capture_output=True, text=True)  # fmt: skip
    assert log.stdout.split() == [commit, day]
    register.write_text(register.read_text(encoding="utf-8").replace("Effects", "effects"))
    assert committed(held.hash, register) is None  # as it stands, it is not what was committed


def test_without_git_nothing_is_said_to_be_committed(three, monkeypatch):
    register, path = three

    def absent(*_args, **_more):
        raise FileNotFoundError("git")

    monkeypatch.setattr(module.subprocess, "run", absent)
    assert committed(tf.read_plan(path).hash, register) is None


# --- outcomes stay closed until then -------------------------------------------------------------


@pytest.fixture(scope="module")
def records():
    return simulate(families=1500, seed=3).records


def test_outcomes_stay_closed_until_the_plan_is_registered(records, write):
    path = write(("horizons = [12, 18]", "horizons = [6, 12]"), *version("3.0", "2026-12-24"))
    plan = tf.read_plan(path)
    families = tf.cohort(replace(records, opened=[]), horizon=(6, 12), plan=plan)
    whole = tf.cohort(records, horizon=(6, 12))
    after = set(whole.columns.loc[whole.columns["timing"] == "after", "name"])
    assert families.closed and not after & {*families.to_pandas(), *families.table.columns}
    assert families.followed(12).tolist() == whole.followed(12).tolist()
    assert families.baseline().equals(whole.baseline())
    design = tf.match(tf.study(families, months=12), order="random")  # needs no outcome
    for read in (
        families.outcomes,
        lambda: tf.estimate(design, families, months=12),
        lambda: outcomes_around(families, records, {"after": (0, 12)}),
        lambda: tf.study(families, months=12, censoring="weighted_over_time"),
    ):
        with pytest.raises(ParameterError, match="The outcomes are closed"):
            read()
    with pytest.raises(ParameterError, match=r"is not registered: nothing shows .*families\.open"):
        families.open(plan)
    tf.register_plan(path)
    opened = families.open(plan)
    assert not opened.closed and opened.outcomes(12).equals(whole.outcomes(12))
    assert opened.open(plan) is opened and whole.open() is whole
    notes = tf.estimate(design, opened, months=12, plan=plan).notes
    assert any("registered as version 3.0" in note for note in notes)
    assert not any("utcomes were open" in note or "Nothing kept" in note for note in notes)


def test_outcomes_that_were_opened_before_stay_said(records, write):
    path = write(*version("3.0", "2026-12-24"))
    plan = tf.read_plan(path)
    families = tf.cohort(replace(records, opened=[]), plan=plan)
    looked = families.open().outcomes(12)
    design = tf.match(tf.study(families, months=12), order="random")
    said = "Outcomes were open before the plan was registered."
    assert said in tf.estimate(design, looked, months=12, plan=plan).notes
    tf.register_plan(path)
    notes = tf.estimate(design, families.open(plan), months=12, plan=plan).notes
    assert any(note.startswith("Nothing kept outcomes closed") for note in notes)
    assert tf.estimate(design, looked, months=12, plan=plan).frame["planned"].any()


def panel(records):
    tf.family_panel(records, outcomes=["offences"], before=2, after=2)


@pytest.mark.parametrize("look", [tf.cohort, panel])
def test_outcomes_of_the_same_records_that_were_seen_elsewhere_are_said(records, write, look):
    path = write(*version("3.0", "2026-12-24"))
    tf.register_plan(path)
    plan, own = tf.read_plan(path), replace(records, opened=[])
    families = tf.cohort(own, plan=plan)
    look(own)
    design = tf.match(tf.study(families, months=12), order="random")
    notes = tf.estimate(design, families.open(plan), months=12, plan=plan).notes
    assert any(note.startswith("Nothing kept outcomes closed") for note in notes)


def test_another_cohort_than_the_registered_one_is_a_departure(records, write):
    families = tf.cohort(records)
    path = write(*version("3.0", "2026-12-24"))
    assert tf.register_plan(path, cohort=families.hash).cohort == families.hash
    plan = tf.read_plan(path)

    def run(cohort):
        design = tf.match(tf.study(cohort, months=12), order="random")
        return tf.estimate(design, cohort, months=12, plan=plan)

    assert run(families).frame["planned"].any()
    other = run(tf.cohort(simulate(families=1500, seed=4).records))
    assert not other.frame["planned"].any()
    assert "not the one that was registered with the plan" in " ".join(other.notes)


# --- every other way to see outcomes -------------------------------------------------------------

#: Ways to see outcomes of records outside the cohort that was given the plan.
DOORS = {
    "a table": lambda made: made.records.table("offences").to_pandas(),
    "a table by name": lambda made: made.records.tables["asb_incidents"],
    "all tables": lambda made: dict(made.records.tables),
    "a table as it came": lambda made: made.records.raw["benefit_spells"],
    "all as they came": lambda made: list(made.records.raw.values()),
    "the truth": lambda made: made.truth.effects(),
    "another group": lambda made: tf.cohort(made.records, comparison="below_threshold"),
    "another horizon": lambda made: tf.cohort(made.records, horizon=6),
    "people": lambda made: tf.cohort(made.records, level="person"),
    "another seed": lambda made: tf.cohort(made.records, seed=2),
    "a panel": lambda made: panel(made.records),
    "without the plan": lambda made: tf.cohort(made.records, plan=tf.read_plan()).open(),
    "counts by hand": lambda made: counts_around(
        tf.cohort(made.records, plan=tf.read_plan()).units, made.records, {"after": (0, 12)}),
}  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return simulate(families=400, seed=3)


@pytest.mark.parametrize("door", DOORS)
def test_outcomes_seen_by_another_door_stand_as_opened(small, door):
    own = replace(small, records=replace(small.records, opened=[]))
    families = tf.cohort(own.records, plan=tf.read_plan())
    assert own.records.opened == []
    DOORS[door](own)
    assert families.origin.opened[0] == ""
    families.open(tf.read_plan())
    assert families.origin.opened[0] == ""  # what was seen stays seen


def test_who_there_is_and_what_was_before_opens_nothing(small):
    own = replace(small.records, opened=[])
    families = tf.cohort(own, plan=tf.read_plan())
    own.table("families").to_pandas(), own.table("people").to_pandas(), list(own.tables)
    tf.check_records(own)
    families.baseline(), families.followed(12), families.hash, families.to_pandas()
    outcomes_around(families, own, {"before": (-12, 0)})
    tf.match(tf.study(families, months=12), order="random").balance().verdict()
    assert own.opened == [] and "offences" in own.tables


@pytest.mark.parametrize("look", [
    lambda families, own: families.outcomes(12),
    lambda families, own: outcomes_around(families, own, {"after": (0, 12)}),
    lambda families, own: tf.results_tests(own, families, 12),
    lambda families, own: tf.study(families, months=12, censoring="weighted_over_time"),
])  # fmt: skip
def test_a_cohort_that_is_only_said_to_be_open_is_closed(small, look):
    own = replace(small.records, opened=[])
    families = tf.cohort(own, plan=tf.read_plan())
    for one in (families, replace(families, closed=False)):
        with pytest.raises(ParameterError, match="The outcomes are closed"):
            look(one, own)
    assert own.opened == []


def test_a_year_before_another_day_is_refused(small):
    own = replace(small.records, opened=[])
    families = tf.cohort(own, plan=tf.read_plan())
    later = families.units.index_on + ibis.interval(months=12)
    moved = replace(families, units=families.units.mutate(index_on=later))
    with pytest.raises(ParameterError, match="not the cohort's own"):
        outcomes_around(moved, own, {"before": (-12, 0)})


def test_a_real_extract_opened_anew_is_not_unseen(small, tmp_path):
    for name in small.records.tables:
        small.records.table(name).to_pandas().to_parquet(tmp_path / f"{name}.parquet")
    looked = tf.open_records(tmp_path)
    looked.table("offences")
    families = tf.cohort(tf.open_records(tmp_path), plan=tf.read_plan())
    assert families.origin.opened == [""]
