from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tfeval.errors import ParameterError
from tfeval.programme import claims
from tfeval.report.fingerprint import tfeval_version
from tfeval.settings import project_folder

ROOT = Path(__file__).resolve().parent.parent
RUN = "import sys\nfrom tfeval.cli import main\ntry:\n    main()\nfinally:\n"
HEAVY = ["IPython", "matplotlib", "nbconvert", "nbformat", "papermill"]
CHECK = f"    print('LOADED', [name for name in {HEAVY} if name in sys.modules])\n"


def tfeval(*arguments, code=RUN + "    pass\n"):
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def write(folder, name, *sources, parameters="", **metadata):
    cells = [nbformat.v4.new_markdown_cell(f"# What is {name}?")]
    if parameters:
        tags = {"tags": ["parameters"]}
        cells.append(nbformat.v4.new_code_cell(parameters, metadata=tags))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    made = nbformat.v4.new_notebook(cells=cells, metadata={"tfeval": metadata} if metadata else {})
    nbformat.write(made, str(folder / f"{name}.ipynb"))


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder, "01_programme_and_budget", "1", parameters=(
        'phase: str = "one"  # phase of the programme\n'
        "price_year: int = 2014  # prices of this financial year\n"))  # fmt: skip
    return folder


def test_a_mistyped_parameter_is_refused_before_anything_heavy_is_loaded(notebooks, tmp_path):
    out = tmp_path / "reports"
    done = tfeval("run", "01_programme_and_budget", "-p", "prise_year=2015", "--out", out,
                  "--notebooks", notebooks, code=RUN + CHECK)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "tfeval: 01_programme_and_budget has no parameter prise_year. Did you mean price_year?\n"
    )
    assert done.stdout == "LOADED []\n"
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["run", "01_programm"], 1, "Did you mean 01_programme_and_budget?"),
        (["run", "-p", "price_year"], 1, 'name=value, not "price_year"'),
        (["run", "-p", "price_year=abc"], 1, 'price_year needs a whole number, not "abc"'),
        (["run", "-p", "phase=three"], 1, 'phase is "one", "two" or'),
        (["run", "--area", "Sefton"], 1, "There is no notebook local_authority."),
        (["run", "--area", "x", "-p", "local_authority=y"], 1, "not both"),
        (["run", "--forse"], 2, "No such option"),
        (["run", "--jobs", "0"], 2, "--jobs"),
        (["rnu"], 2, "No such command"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(notebooks, arguments, status, message):
    extra = ["--notebooks", notebooks] if arguments[0] == "run" else []
    done = tfeval(*arguments, *extra)
    assert done.returncode == status
    assert message in done.stderr and "Traceback" not in done.stderr
    if status == 1:
        assert done.stderr.startswith("tfeval: ") and done.stderr.count("\n") == 1


def test_a_missing_folder_is_named(tmp_path):
    done = tfeval("run", "--notebooks", tmp_path / "no")
    assert done.returncode == 1 and "There is no folder" in done.stderr
    (tmp_path / "empty").mkdir()
    assert "no national chapters" in tfeval("report", "--notebooks", tmp_path / "empty").stderr


def test_the_version_is_told():
    assert tfeval("--version").stdout == f"tfeval {tfeval_version()}\n"


def test_a_failing_chapter_fails_the_command_but_not_the_others(notebooks, tmp_path):
    write(notebooks, "02_broken", "1 / 0")
    arguments = ("run", "--notebooks", notebooks, "--out", tmp_path / "reports")
    done = tfeval(*arguments)
    assert done.returncode == 1
    assert "made " in done.stdout and "FAILED " in done.stdout
    assert done.stdout.splitlines()[-1] == f"Index: {tmp_path / 'reports' / 'index.html'}"
    assert "1 of 2 pages are not complete" in done.stderr
    (notebooks / "02_broken.ipynb").unlink()
    again = tfeval(*arguments, code=RUN + CHECK)
    assert again.returncode == 0 and "up to date " in again.stdout
    assert again.stdout.endswith("LOADED []\n")


def test_storing_keeps_outputs_in_the_notebook(notebooks):
    done = tfeval("store", "--notebooks", notebooks)
    assert (done.returncode, done.stdout) == (0, "stored 01_programme_and_budget.ipynb\n")
    content = json.loads((notebooks / "01_programme_and_budget.ipynb").read_text())
    assert content["cells"][-1]["execution_count"] == 2


# A shell that runs the tests in the background has switched interrupts off.
AWAKE = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


@pytest.mark.slow(reason="a command in a process of its own waits for its kernel to begin")
@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.parametrize("asked", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_is_quiet_and_leaves_an_index(notebooks, tmp_path, asked):
    marker = tmp_path / "begun"
    code = f"import pathlib, time\npathlib.Path({str(marker)!r}).touch()\ntime.sleep(60)"
    write(notebooks, "02_slow", code)
    process = subprocess.Popen(
        [sys.executable, "-c", AWAKE + RUN + "    pass\n", "run", "01_programme_and_budget",
         "02_slow", "--jobs", "1", "--notebooks", str(notebooks),
         "--out", str(tmp_path / "reports")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for _ in range(300):
        if marker.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert marker.exists()
    process.send_signal(getattr(signal, asked))
    _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, asked)
    assert told == "tfeval: stopped. What is whole is kept; run the same again to go on.\n"
    out = tmp_path / "reports"
    assert "national/01_programme_and_budget/report.html" in (out / "index.html").read_text()
    assert [path.name for path in out.glob("*/*")] == ["01_programme_and_budget"]


@pytest.fixture
def planned(notebooks, monkeypatch, tmp_path):
    """What a command would run, in the order planned, as scope/notebook."""
    from tfeval import cli

    published = tmp_path / "data" / "published"
    published.mkdir(parents=True)
    rows = [f"{area},North West" for area in (
        "E08000014,Sefton", "E08000012,Liverpool", "E08000015,Wirral")]  # fmt: skip
    rows += ["E06000017,Rutland,East Midlands"]
    (published / "local_authorities.csv").write_text("\n".join(["code,name,region", *rows]))
    monkeypatch.setattr(claims, "project_folder", lambda name: tmp_path / name)
    write(
        notebooks, "local_authority", "1", parameters='local_authority: str = "Sefton"  # which\n'
    )
    write(notebooks, "region", "1", parameters='region: str = "North West"  # which\n')
    found = []
    monkeypatch.setattr(
        cli, "_run", lambda jobs, *_: found.extend("/".join(job.key) for job in jobs)
    )

    def run(*arguments):
        found.clear()
        cli.app([*arguments, "--notebooks", str(notebooks)], standalone_mode=False)
        return list(found)

    return run


def test_the_report_is_the_national_chapters_and_four_authorities(planned):
    areas = ("sefton", "liverpool", "wirral", "rutland")
    pages = [f"{area}/local_authority" for area in areas]
    assert planned("report") == ["national/01_programme_and_budget", *pages]


def test_an_area_is_found_by_name_or_code_and_all_is_every_one(planned):
    assert planned("run", "--area", "wirral", "--area", "E08000014", "--area", "Sefton") == [
        "wirral/local_authority", "sefton/local_authority"]  # fmt: skip
    areas = [f"{area}/local_authority" for area in ("liverpool", "rutland", "sefton", "wirral")]
    regions = ["east-midlands/region", "north-west/region"]
    assert planned("run", "--area", "all") == ["national/01_programme_and_budget", *regions, *areas]
    assert planned("run", "local_authority", "--area", "all") == areas
    assert planned("run", "--area", "north WEST") == regions[1:]
    assert planned("run", "region", "-p", "region=North West") == regions[1:]
    with pytest.raises(ParameterError, match="no region"):
        planned("run", "region", "-p", "region=North Vest")
    with pytest.raises(ParameterError, match="not both"):
        planned("run", "--area", "all", "-p", "region=North West")


def test_a_notebook_may_be_named_with_its_ending(planned):
    assert planned("run", "01_programme_and_budget.ipynb") == ["national/01_programme_and_budget"]


def test_a_plan_is_shown_with_its_hash_or_with_every_fault(tmp_path):
    import tfeval as tf

    shown = tfeval("plan")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-1] == f"SHA-256: {tf.read_plan().hash}"
    assert "Primary outcomes: absence, offences" in shown.stdout
    text = (project_folder("data") / "analysis_plan.toml").read_text(encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(text.replace("ratio = 1", "ratio = 0").replace("phase = ", "phas = "))
    shown = tfeval("plan", path)
    assert shown.returncode == 1 and "Traceback" not in shown.stderr
    assert shown.stdout.splitlines() == [
        "cohort.phase is missing.",
        "cohort.phas is unknown. Did you mean phase?",
        "design: ratio is a whole number of at least 1, not 0.",
    ]
    missing = tfeval("plan", tmp_path / "absent.toml")
    assert missing.returncode == 1 and "There is no plan" in missing.stderr


def test_a_plan_is_registered_and_an_edit_of_it_is_refused(tmp_path):
    import tfeval as tf

    said = tfeval("plan").stdout.splitlines()[-2]
    assert said.startswith(f"Registered as version {tf.read_plan().version} on ")
    text = (project_folder("data") / "analysis_plan.toml").read_text(encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    assert "Not registered: nothing shows" in tfeval("plan", path).stdout
    elsewhere = ("--register", tmp_path / "own.register")
    done = tfeval("plan", "register", path, *elsewhere, "--cohort", "0" * 64)
    assert done.returncode == 0, done.stderr
    assert "in line 1, unchanged since. Its line is not committed" in done.stdout
    assert "in line 1" in tfeval("plan", path, *elsewhere).stdout
    path.write_text(text.replace("caliper = 0.2", "caliper = 0.3"), encoding="utf-8")
    refused = tfeval("plan", "register", path, *elsewhere)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "raise its version and its date" in refused.stderr
    assert "Not registered" in tfeval("plan", path, *elsewhere).stdout
    assert tfeval("plan", path, "more").returncode == 1
