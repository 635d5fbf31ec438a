"""Where DuckDB puts what it cannot hold; what an extract may reach; paths as they stand."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tfeval.errors import DataError
from tfeval.records.check import check_records
from tfeval.records.private import (
    _being_written,
    _remove_drafts,
    duckdb_connection,
    write_private,
    written_whole,
)
from tfeval.records.store import connect, open_records

BIG = "CREATE TEMP TABLE big AS SELECT i, md5(i::VARCHAR) AS h FROM range(600000) r(i) ORDER BY h"


def test_what_is_spilt_is_private_and_not_where_the_work_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spill").mkdir()
    held = duckdb_connection(memory_limit="30MB", spill_to=tmp_path / "spill")
    held.raw_sql("SET threads = 1")
    held.raw_sql(BIG)
    (root,) = (tmp_path / "spill").iterdir()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert list(root.rglob("*.tmp")), "nothing was spilt: make the table larger"
    assert [path.name for path in tmp_path.iterdir()] == ["spill"]
    held.disconnect()
    assert not list(root.rglob("*.tmp"))


KILLED = """
import os, signal, sys
from tfeval.records.private import (
    _being_written,
    _remove_drafts,
    duckdb_connection,
    write_private,
    written_whole,
)
held = duckdb_connection(memory_limit="30MB", spill_to=sys.argv[1])
held.raw_sql("SET threads = 1")
held.raw_sql(sys.argv[2])
if sys.argv[3] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_what_a_process_leaves_is_removed(tmp_path, how):
    place = tmp_path / "spill"
    done = subprocess.run([sys.executable, "-c", KILLED, str(place), BIG, how], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == (-signal.SIGKILL if how == "killed" else 0), done.stderr
    left = list(place.iterdir())
    assert len(left) == (how == "killed")
    other = place / "tfeval-spill-running"  # of a process that still runs: its lock is held
    other.mkdir()
    with (other / "held").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = duckdb_connection(spill_to=place)
        assert other.is_dir()
        assert not any(path.is_dir() for path in left)
    held.disconnect()


@pytest.fixture
def duck(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "extract.duckdb"
    with duckdb.connect(path) as made:
        for file in folder.glob("*.parquet"):
            made.execute(f"CREATE TABLE {file.stem} AS FROM '{file}'")
    return path


@pytest.mark.parametrize(
    "what",
    ["read_csv('{0}')", "read_text('{0}')", "glob('{0}')", "read_blob('{0}')", "'{0}'",
     "(SELECT * FROM outer_one)"],
)  # fmt: skip
def test_a_database_reads_nothing_but_itself(duck, tmp_path, what):
    secret = tmp_path / "secret.csv"
    secret.write_text("person_id,family_id\nZebediah,Quillfeather\n")
    with duckdb.connect(duck) as made:
        made.execute("DROP TABLE asb_incidents")
        made.execute(f"CREATE VIEW outer_one AS SELECT * FROM read_csv('{secret}')")
        made.execute(f"CREATE VIEW asb_incidents AS SELECT * FROM {what.format(secret)}")
    for way in (open_records, check_records, connect):
        with pytest.raises(DataError) as refused:
            way(duck)
        text = "asb_incidents in extract.duckdb is a view that reads other files"
        assert str(refused.value).startswith(text)
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)


def test_nothing_said_to_an_open_database_reaches_a_file(duck, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(duck) as made:
        made.execute("ALTER TABLE families RENAME TO families_")
        made.execute("CREATE VIEW families AS SELECT * FROM families_")
    records = open_records(duck)
    assert int(records.table("families").count().execute()) > 0
    for sql in (f"SELECT * FROM '{tmp_path / 'secret.csv'}'", f"COPY people TO '{tmp_path / 'x'}'",
                f"ATTACH '{tmp_path / 'other.duckdb'}'", "SET enable_external_access = true",
                "INSTALL httpfs", "LOAD httpfs", f"SET temp_directory = '{tmp_path}'"):  # fmt: skip
        with pytest.raises(duckdb.Error):
            records.connection.raw_sql(sql)
    assert open_records(duck).table("people").count().execute() > 0  # open twice in one process


@pytest.mark.parametrize("name", ["st?r*", "sta[rt]*", "sex=male", 'a\'b "c"', "~", "**", "{a,b}"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "parts", "duckdb"])
def test_a_path_is_taken_as_it_stands(tmp_path, name, kind):
    """Neither a pattern, which would read the other extract, nor a column in a folder's name."""
    for place, sex in ((name, "female"), ("start", "unknown")):
        rows = pd.DataFrame({"person_id": ["p1"], "sex": [sex]})
        at = tmp_path / place
        at.mkdir()
        if kind == "csv":
            rows.to_csv(at / "people.csv", index=False)
        elif kind == "duckdb":
            with duckdb.connect(tmp_path / "made.duckdb") as made:
                made.register("given", rows)
                made.execute("CREATE TABLE people AS FROM given")
            (tmp_path / "made.duckdb").rename(at / "x.duckdb")
        else:
            folder = at / "people" if kind == "parts" else at
            folder.mkdir(exist_ok=True)
            rows.to_parquet(folder / ("st*.parquet" if kind == "parts" else "people.parquet"))
        (at / "about.json").write_text('{"simulated": true}' if place == name else "{}")
        if kind == "duckdb":
            (at / "about.json").rename(at / "x.json")
    source = tmp_path / name
    records = connect(source / "x.duckdb" if kind == "duckdb" else source)
    assert records.raw["people"].columns == ("person_id", "sex")
    assert records.raw["people"].to_pandas()["sex"].tolist() == ["female"]
    assert records.simulated


def test_what_a_killed_process_left_of_another_user_is_left_alone(tmp_path, monkeypatch):
    left = tmp_path / "tfeval-spill-other"
    left.mkdir()
    (left / "held").touch()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    duckdb_connection(spill_to=tmp_path)
    assert left.is_dir()


WITHOUT_WIDGETS = """
import sys
from types import SimpleNamespace
import IPython
sys.modules["ipywidgets"] = None
IPython.get_ipython = lambda: SimpleNamespace(config={"IPKernelApp": {}})
import duckdb
try:
    duckdb.connect().execute("SET enable_progress_bar = false")
except duckdb.InvalidInputException:
    print("refused")
from tfeval.records.private import (
    _being_written,
    _remove_drafts,
    duckdb_connection,
    write_private,
    written_whole,
)
print(duckdb_connection().raw_sql("SELECT 1").fetchall())
"""


def test_a_notebook_without_widgets_opens_records_too():
    """As in the environment that makes reports: its lock has no ipywidgets."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_WIDGETS], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["refused", "[(1,)]"], done.stderr


def test_what_a_killed_process_was_writing_is_removed_by_the_next(tmp_path):
    target = tmp_path / "extract"
    code = ("import os, pathlib, sys; from tfeval.records.private import written_whole\n"
            "with written_whole(pathlib.Path(sys.argv[1])) as (draft,):\n"
            "    (draft / 'people').write_text('half'); os.kill(os.getpid(), 9)")  # fmt: skip
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    (left,) = tmp_path.iterdir()
    with written_whole(target):
        assert left.exists()  # it may be being made
    os.utime(left, (1, 1))
    with written_whole(tmp_path / "other"), _being_written(left):
        with written_whole(tmp_path / "extract2"):
            pass
        _remove_drafts(target)
        assert left.exists()  # somebody writes it
    _remove_drafts(target)
    assert not left.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_a_key_is_whole_or_not_there(tmp_path):
    code = ("import resource, pathlib, signal, sys\n"
            "from tfeval.records.private import write_private\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))\n"
            "write_private(pathlib.Path(sys.argv[1]), 'k' * 64)")  # fmt: skip
    key = tmp_path / "key"
    done = subprocess.run([sys.executable, "-c", code, str(key)], capture_output=True, check=False)
    assert done.returncode == 1 and b"could not be written, and is not there" in done.stderr
    assert not list(tmp_path.iterdir())
    write_private(key, "k" * 64)
    assert key.stat().st_mode & 0o777 == 0o600 and [one.name for one in tmp_path.iterdir()] == [
        "key"
    ]
