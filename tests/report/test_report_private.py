"""What a failing chapter lets out: this package's own line, or a type, and nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tfeval.report import task as task_module
from tfeval.report.fingerprint import STDERR, TRACEBACK, keep_private
from tfeval.report.plan import plan
from tfeval.report.reports_index import write_index
from tfeval.report.run import run_jobs

CANARIES = ("Zebediah", "Quillfeather", "943 476 5919")
#: A chapter's text must not hold them, or its source would.
WHO = 'who = "haidebeZ"[::-1] + " " + "rehtaefilluQ"[::-1] + " 943" + " 476 " + "5919"\n'
FAULTS = {
    "a library's": "import duckdb\nduckdb.sql(f\"SELECT CAST('{who}' AS INTEGER)\").fetchall()",
    "named like ours": "import duckdb\nraise duckdb.DataError(who)",
    "from builtins": "int(who)",
    "a key": "{}[who]",
    "chained": "from tfeval.errors import DataError\ntry:\n    int(who)\n"
               'except ValueError as fault:\n    raise DataError("One line of ours.") from fault',
    "two lines": "from tfeval.errors import DataError\n"
                 'raise DataError("One line of ours.\\n" + who)',
    "in a group": "raise ExceptionGroup(who, [ValueError(who)])",
    "of our name": "class DataError(Exception):\n    pass\nraise DataError(who)",
    "with a note": "fault = ValueError(who)\nfault.add_note(who)\nraise fault",
    "exit": "raise SystemExit(who)",
    "to stderr": "import sys\nprint(who, file=sys.stderr)\nint(who)",
    "past Python": "import os\nos.write(2, who.encode())\nraise RuntimeError(who)",
    "a warning": "import warnings\nwarnings.warn(who)\nraise RuntimeError(who)",
    "a log": "import logging\nlogging.getLogger('x').error(who)\nraise RuntimeError(who)",
    "dead": "import os, sys\nprint(who, file=sys.stderr, flush=True)\nos._exit(3)",
    "elsewhere": "import os\nos.chdir('/')\nint(who)",
}  # fmt: skip


def leaks(folder: Path) -> list[str]:
    """Return the files meant to be read that hold a canary; private ones must be private."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name in (TRACEBACK, STDERR):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.name}: {canary}" for canary in CANARIES if canary in text]
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_no_words_of_others_reach_a_page(write, facts, tmp_path, capfd, fault):
    write(tmp_path / "n", "01_a", ["# A?", ("code", WHO + FAULTS[fault]), ("code", "2")])
    (outcome,) = run_jobs(plan(["01_a"], {}, tmp_path / "n"), tmp_path / "out")
    write_index(tmp_path / "out")
    assert outcome.status == "failed"
    assert leaks(tmp_path / "out") == []
    said = capfd.readouterr()
    for canary in CANARIES:
        assert canary not in outcome.error + said.out + said.err
    page = outcome.page.read_text(encoding="utf-8")
    assert "This page is not complete" in page
    kept = outcome.page.with_name(TRACEBACK)
    if fault in ("chained", "two lines"):
        assert "One line of ours." in page
        assert "One line of ours." in outcome.error
    else:
        assert kept.is_file()
        assert TRACEBACK in page
    if fault in ("a library's", "from builtins", "named like ours"):
        assert "Zebediah" in kept.read_text(encoding="utf-8")  # for whoever mends it


def test_what_a_good_chapter_writes_to_stderr_stays_private(write, facts, tmp_path):
    cells = ["# A?", ("code", WHO + "import sys\nprint(who, file=sys.stderr)"), ("code", "2")]
    write(tmp_path / "n", "01_a", cells)
    jobs = plan(["01_a"], {}, tmp_path / "n")
    (outcome,) = run_jobs(jobs, tmp_path / "out")
    assert outcome.status == "ok"
    assert leaks(tmp_path / "out") == []
    assert "Zebediah" in outcome.page.with_name(STDERR).read_text(encoding="utf-8")


def test_a_fault_in_publication_is_a_failed_page(write, facts, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("Zebediah Quillfeather")

    write(tmp_path / "n", "01_a", ["# A?", ("code", "1")])
    monkeypatch.setattr("tfeval.report.record.records_of", broken)
    (outcome,) = run_jobs(plan(["01_a"], {}, tmp_path / "n"), tmp_path / "out")
    assert outcome.status == "failed"
    assert outcome.error == "RuntimeError; its own text is withheld"
    assert leaks(tmp_path / "out") == []
    assert "Zebediah" in outcome.page.with_name(TRACEBACK).read_text(encoding="utf-8")
    assert task_module.PRIVATE == (TRACEBACK, STDERR)


def test_a_private_file_is_private_from_the_first_byte(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("before")
    path.chmod(0o644)
    keep_private("after", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if hasattr(os, "O_NOFOLLOW"):
        (tmp_path / "link").symlink_to(tmp_path / "other.txt")
        with pytest.raises(OSError, match="link"):
            keep_private("text", tmp_path / "link")


def test_the_command_line_shows_no_traceback(tmp_path):
    program = (
        "import sys\nfrom tfeval import cli\n"
        "def broken(*_, **__): raise RuntimeError(' '.join(['Zebe' + 'diah', 'x']))\n"
        "cli.parse_options = broken\nsys.argv = ['tfeval', 'run']\ncli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "Zebediah" not in done.stderr
    assert done.stderr.startswith("tfeval: RuntimeError; its own text is withheld; its traceback")
    (kept,) = tmp_path.glob("tfeval-*.txt")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "Zebediah" in kept.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_report_is_for_its_owner_alone(write, facts, tmp_path):
    cells = [
        "# A?",
        ("code", "import os\nopen('made.txt', 'w').write('a')\nos.chmod('made.txt', 0o666)"),
    ]
    write(tmp_path / "n", "01_a", cells)
    before = os.umask(0)
    try:
        run_jobs(plan(["01_a"], {}, tmp_path / "n"), tmp_path / "deep" / "out")
        write_index(tmp_path / "deep" / "out")
    finally:
        os.umask(before)
    made = [tmp_path / "deep", *(tmp_path / "deep").rglob("*")]
    assert {path.name for path in made} >= {"out", "index.html", "report.html", "made.txt"}
    for path in made:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
