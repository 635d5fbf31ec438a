"""A malformed extract, as a user types it: no row in any file, on the page or the terminal."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "records"))
from canaries import CSV, csv_extract, parts_extract, seen

from tfeval.records.simulate import simulate_to
from tfeval.report import run as module
from tfeval.report.plan import plan
from tfeval.settings import project_folder


def tfeval(folder: Path, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from tfeval.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return simulate_to(tmp_path_factory.mktemp("base") / "records", families=60, seed=3)[0]


@pytest.mark.slow(reason="two commands and a kernel for each kind of fault")
@pytest.mark.parametrize("fault", ["unquoted comma later", "parts"])
def test_no_row_of_a_malformed_extract_leaves(base, tmp_path, fault, monkeypatch):
    if fault == "parts":
        parts_extract(base, tmp_path / "extract", "key")
    else:
        csv_extract(base, tmp_path / "extract", CSV[fault])
    checked = tfeval(tmp_path, "check", "extract", "--save", "report.txt")
    run = tfeval(tmp_path, "run", "02_families_and_data", "-p", "extract=extract", "--out", "out",
                 "--accept-faults", "all known")  # fmt: skip
    assert (checked.returncode, run.returncode) == (1, 1)
    for done in (checked, run):
        assert not seen(done.stdout + done.stderr)
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    # And a page, had the check seen nothing: an extract may change after it.
    monkeypatch.setattr(module, "_accepted", lambda *_: {})
    jobs = plan(["02_families_and_data"], {"extract": str(tmp_path / "extract")},
                project_folder("notebooks"))  # fmt: skip
    (outcome,) = module.run_jobs(jobs, tmp_path / "out")
    assert outcome.status == "failed" and not seen(outcome.error)
    pages = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.name for path in pages} >= {"report.html", "notebook.ipynb", "manifest.json"}
    for path in pages:
        if path.name.startswith("private-"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        else:
            assert not seen(path.read_text(encoding="utf-8", errors="replace")), path.name
