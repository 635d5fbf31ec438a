"""A run from an extract checks it once, first, and stops on faults or says which were accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import tfeval as tf
from tests.test_cli import tfeval
from tfeval.errors import DataError
from tfeval.records import check
from tfeval.report.plan import plan
from tfeval.report.reports_index import write_index
from tfeval.report.run import _accepted, run_jobs

TAKES = ("parameters", 'extract: str = "simulated"  # linked records\n')
READS = ("parameters", 'records: str = "stored"  # where the chapters it reads are\n')
WHY = "Known at the source <b>& harmless</b>"


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extract") / "records"
    tf.simulate_to(folder, families=60, seed=3)
    return folder


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory, write):
    """One reads the records, one reads that one, one neither."""
    folder = tmp_path_factory.mktemp("notebooks")
    write(folder, "01_plain", ["# Plain?", ("code", "1")])
    write(folder, "02_takes", ["# Takes?", TAKES, ("code", "1")])
    write(folder, "03_reads", ["# Reads?", READS, ("code", "1")], reads=["02_takes"])
    return folder


def with_text(clean: Path, folder: Path, table: str, column: str, changed) -> Path:
    """Copy an extract with one column of one table as other text, in a CSV file."""
    found = folder / "records"
    found.mkdir()
    for path in clean.iterdir():
        if path.stem != table:
            (found / path.name).write_bytes(path.read_bytes())
    frame = pd.read_parquet(clean / f"{table}.parquet")
    frame[column] = changed(frame[column])
    frame.to_csv(found / f"{table}.csv", index=False)
    return found


def day_first(days: pd.Series) -> pd.Series:
    return pd.to_datetime(days).dt.strftime("%d/%m/%Y")


def serials(days: pd.Series) -> pd.Series:
    return (pd.to_datetime(days) - pd.Timestamp("1899-12-30")).dt.days.astype("Int64")


def words(days: pd.Series) -> pd.Series:
    return pd.to_datetime(days).dt.strftime("%Y-%m-%d").fillna("NULL")


def floats(flags: pd.Series) -> pd.Series:
    return flags.map({True: "1.0", False: "0.0"})


UNREADABLE = {
    "dates day first": ("benefit_spells", "started_on", day_first),
    "serial numbers of a spreadsheet": ("offences", "offence_on", serials),
    "a word for missing": ("families", "attached_on", words),
    "flags as floats": ("families", "crime_asb", floats),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_what_cannot_be_read_stops_a_run_before_it_starts(how, clean, notebooks, tmp_path):
    table, column, changed = UNREADABLE[how]
    extract = with_text(clean, tmp_path, table, column, changed)
    jobs = plan(["03_reads"], {"extract": str(extract)}, notebooks)
    with pytest.raises(DataError) as refused:
        run_jobs(jobs, tmp_path / "out")
    told = str(refused.value)
    assert len(told.splitlines()) == 1
    assert f"{table}.{column}: cannot be read as its type, " in told
    assert "--accept-faults" in told
    values = {text for text in pd.read_csv(extract / f"{table}.csv", dtype=str)[column].dropna()
              if len(text) > 4}  # fmt: skip
    assert not any(value in told for value in values)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def checks(monkeypatch):
    """Count how often an extract is checked."""
    asked = []
    whole = check.check_records
    monkeypatch.setattr(check, "check_records", lambda path: asked.append(path) or whole(path))
    return asked


def test_a_clean_extract_runs_as_ever_and_simulated_records_are_not_checked(
    clean, notebooks, tmp_path, checks
):
    jobs = plan(["02_takes"], {"extract": str(clean)}, notebooks)
    (outcome,) = run_jobs(jobs, tmp_path / "out", accept_faults="there are none")
    assert outcome.status == "ok"
    assert "accepted" not in outcome.page.read_text(encoding="utf-8")
    told = json.loads((outcome.page.parent / "manifest.json").read_text(encoding="utf-8"))
    assert "accepted_faults" not in told["rests_on"]
    assert checks == [str(clean)]
    simulated = plan(["01_plain", "03_reads"], {}, notebooks)
    assert _accepted(simulated, "") == {} and len(checks) == 1


def test_accepted_faults_stand_on_every_page_that_rests_on_them(clean, notebooks, tmp_path, checks):
    extract = with_text(clean, tmp_path, "benefit_spells", "started_on", day_first)
    path = extract / "offences.parquet"
    offences = pd.read_parquet(path)
    offences.loc[offences.index[:3], "outcome"] = "acquited"
    offences.to_parquet(path)
    both = plan(["01_plain", "03_reads"], {"extract": str(extract)}, notebooks)
    assert [name for _, name in _accepted(both, WHY)] == ["02_takes", "03_reads"]
    checks.clear()
    jobs = plan(["03_reads"], {"extract": str(extract)}, notebooks)
    out = tmp_path / "out"
    made = {one.notebook: one for one in run_jobs(jobs, out, accept_faults=WHY)}
    assert len(checks) == 1
    for name in ("02_takes", "03_reads"):
        html = made[name].page.read_text(encoding="utf-8")
        assert "The reason given: Known at the source &lt;b&gt;&amp; harmless&lt;/b&gt;" in html
        assert "<li>benefit_spells.started_on: cannot be read as its type, " in html
        assert "<li>offences.outcome: unknown value, fewer than 10 rows</li>" in html
        assert "acquited" not in html
        folder = made[name].page.parent
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        records = json.loads((folder / "records.json").read_text(encoding="utf-8"))
        told = manifest["rests_on"]["accepted_faults"]
        assert told == records["accepted_faults"]
        assert told["reason"] == WHY and told["faults"] == sorted(told["faults"])
    index = write_index(out).read_text(encoding="utf-8")
    is_told_by_name(extract, made["02_takes"])
    assert index.count("complete, faults of the records accepted") == 2
    again = run_jobs(jobs, out, accept_faults=WHY)
    assert [one.status for one in again] == ["kept"] * 2
    (other,) = run_jobs(jobs[:1], out, accept_faults="Another reason")
    assert (other.notebook, other.status) == ("02_takes", "ok")


def is_told_by_name(extract: Path, made) -> None:
    """Find an extract's name on its page and in its folder's, and where it lies nowhere."""
    page = made.page.read_text(encoding="utf-8")
    assert f"<dt>Parameters</dt><dd>extract = {extract.name}</dd>" in page
    assert made.scope.partition("~")[0] == "national--extract-records"
    for path in (path for path in made.page.parents[2].rglob("*") if path.is_file()):
        assert str(extract.parent) not in path.read_text(encoding="utf-8"), path


def test_the_command_ends_with_one_line_and_an_error(clean, notebooks, tmp_path):
    extract = with_text(clean, tmp_path, "benefit_spells", "started_on", day_first)
    asked = ("run", "02_takes", "-p", f"extract={extract}", "--notebooks", notebooks,
             "--out", tmp_path / "out")  # fmt: skip
    done = tfeval(*asked)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "benefit_spells.started_on" in done.stderr
    assert str(extract.parent) not in done.stderr
    done = tfeval(*asked, "--accept-faults", " ")
    assert done.returncode == 1 and "needs the reason" in done.stderr
