from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import OK, READS, manifest

from tfeval.errors import ParameterError
from tfeval.report import execute, fingerprint
from tfeval.report.fingerprint import IMPORTED, clean_leftovers, is_current
from tfeval.report.plan import plan
from tfeval.report.record import read_records
from tfeval.report.run import run_jobs

FILES = ["manifest.json", "notebook.ipynb", "records.json", "report.html"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# --- real kernels -------------------------------------------------------------------------------


def test_a_good_run_leaves_four_files_and_no_others(built):
    assert built.outcomes["01_ok"].status == built.outcomes["02_reads"].status == "ok"
    assert names(built.out / "national" / "01_ok") == FILES
    assert names(built.out / "national") == ["01_ok", "02_reads", "03_broken", "04_reads_broken"]


def test_a_chapter_reads_what_this_report_recorded(built):
    found = read_records("02_reads", built.out / "national")
    # Not rounded on the way: twice 448.0000001, and in words £896m.
    assert found["twice"].value == 896.0000002 and str(found["twice"]) == "£896m"
    assert found["price_year_read"].value == 2014 and found["twice"].subject.phase == "one"


def test_the_manifest_says_what_it_rests_on_and_no_more(built):
    found = manifest(built.out / "national" / "02_reads")
    assert found["status"] == "ok" and found["title"] == "What was claimed?"
    assert set(found["rests_on"]) == {
        "notebook",
        "code",
        "data",
        "versions",
        "parameters",
        "inputs",
        "extract",
    }
    records = built.out / "national" / "01_ok" / "records.json"
    assert found["rests_on"]["inputs"] == {"01_ok": fingerprint.file_hash(records)}
    assert found["rests_on"]["data"]["published/deflators.csv"]
    assert set(found["outputs"]) == set(FILES) - {"manifest.json"}
    first = manifest(built.out / "national" / "01_ok")
    assert first["parameters"]["price_year"] == {"value": 2014, "default": True}
    assert first["headline"] == "£448 million <in all>."


def test_a_page_names_what_its_kernel_imported_and_nothing_else(built):
    found = manifest(built.out / "national" / "01_ok")["rests_on"]["versions"]
    assert {"python", "tfeval", "pandas", "numpy", "matplotlib", "ipykernel"} <= set(found)
    # Installed and needed by the project, but not by this notebook.
    assert not {"statsmodels", "numba", "gptables", "duckdb"} & set(found)
    page = (built.out / "national" / "01_ok" / "report.html").read_text()
    shown = {
        tuple(cell.get_text() for cell in row.find_all("td"))
        for row in BeautifulSoup(page, "html.parser").find_all("tr")
        if row.th and row.th.get_text() == "Version"
    }
    # What was shown was imported; beside it the page names only what made the page.
    assert shown <= set(found.items()) and {"pandas", "matplotlib"} <= {name for name, _ in shown}
    assert {name for name, _ in set(found.items()) - shown} <= set(fingerprint.PAGE)
    plain = manifest(built.out / "national" / "03_broken")["rests_on"]["versions"]
    assert "matplotlib" not in plain and set(fingerprint.PAGE) <= set(plain)


def test_nothing_of_the_machine_is_left_in_any_file(built):
    traces = [str(Path.home()), str(built.folder), str(built.out), sys.prefix, str(Path.cwd())]
    for path in built.out.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [trace for trace in traces if len(trace) > 5 and trace in text], path
            assert not re.search(r"ipykernel_\d+|papermill_(error|version)|iopub", text), path


def test_a_failing_notebook_leaves_a_page_that_says_so_first(built):
    outcome = built.outcomes["03_broken"]
    assert outcome.status == "failed" and not outcome.good
    assert "Table families: 3 rows without a date" in outcome.error
    assert "DataError in code cell 2" in outcome.error and "\n" not in outcome.error
    page = outcome.page.read_text(encoding="utf-8")
    main = page[page.index("<main") :]
    assert main.index("Table families: 3 rows") < main.index("before the fault")
    assert "It failed in code cell 2" in main
    assert "after the fault" not in page and "\x1b[" not in page
    assert names(outcome.page.parent) == ["manifest.json", "notebook.ipynb", "report.html"]
    assert manifest(outcome.page.parent)["status"] == "failed"


def test_who_reads_a_failed_chapter_is_skipped_and_the_others_go_on(built):
    outcome = built.outcomes["04_reads_broken"]
    assert outcome.status == "skipped" and "reads 03_broken, which failed" in outcome.error
    assert "reads 03_broken" in outcome.page.read_text(encoding="utf-8")
    assert built.outcomes["01_ok"].good


def test_an_error_of_others_keeps_its_words_out_of_log_and_manifest():
    failure = execute.Failure(3, "ValueError", "could not convert 'Jane Doe'")
    assert "Jane" not in failure.public() and "ValueError in code cell 3" in failure.public()


def test_twice_is_the_same_to_the_last_byte(built, facts, tmp_path):
    jobs = [job for job in built.jobs if job.chapter.name in ("01_ok", "03_broken")]
    run_jobs(jobs, tmp_path, workers=1)
    for name in ("01_ok", "03_broken"):
        assert contents(tmp_path / "national" / name) == contents(built.out / "national" / name)


def test_parameters_reach_the_notebook(built, facts, tmp_path):
    jobs = plan(["01_ok"], {"price_year": "2015", "rate": "3.5"}, built.folder)
    run_jobs(jobs, tmp_path)
    folder = tmp_path / "national--price_year-2015--rate-3.5"
    assert read_records("01_ok", folder)["price_year"].value == 2015
    found = manifest(folder / "01_ok")
    assert found["parameters"]["rate"] == {"value": 3.5, "default": False}
    assert found["parameters"]["phase"] == {"value": "one", "default": True}
    assert "England; price year 2015" in (folder / "01_ok" / "report.html").read_text()


def test_a_kernel_that_dies_is_a_failed_page(write, facts, tmp_path):
    cells = ["# Dies?", ("code", "1"), ("code", "import os\nos._exit(1)")]
    write(tmp_path / "n", "01_dies", cells)
    outcome = run_jobs(plan(["01_dies"], {}, tmp_path / "n"), tmp_path / "out")[0]
    assert outcome.status == "failed" and "DeadKernelError" in outcome.error
    assert "This page is not complete" in outcome.page.read_text()


@pytest.mark.slow(reason="three runs of a report, one in a process of its own")
def test_a_run_killed_before_its_renaming_leaves_the_older_one(write, facts, tmp_path):
    write(tmp_path / "n", "01_a", ["# A?", ("code", "1")])
    jobs = plan(["01_a"], {}, tmp_path / "n")
    run_jobs(jobs, tmp_path / "out")
    folder = tmp_path / "out" / "national" / "01_a"
    before = contents(folder)
    program = f"""
        import os
        from pathlib import Path
        from tfeval.report import run, task
        from tfeval.report.plan import plan
        task.put_in_place = lambda stage, folder: os._exit(9)
        run.run_jobs(plan(["01_a"], {{}}, Path({str(tmp_path / "n")!r})),
                     Path({str(tmp_path / "out")!r}), force=True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == 9
    assert contents(folder) == before
    assert [name for name in names(folder.parent) if name.endswith(".tmp")]
    assert run_jobs(jobs, tmp_path / "out")[0].status == "kept"
    assert names(folder.parent) == ["01_a"]


# --- the bookkeeping, with a notebook that is not really run ------------------------------------


@pytest.fixture
def quick(monkeypatch, write, facts, tmp_path):
    """Two chapters, an empty report, and the list of what was executed."""
    ran = []

    def fake(content, parameters, folder, **_):
        ran.append(content["cells"][0]["source"])
        code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        number = len(fingerprint.source(code[-1]))
        data = {"application/vnd.tfeval.record+json": {"name": "n", "value": number, "unit": ""},
                "text/plain": f"n: {number}"}  # fmt: skip
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        done = {"cells": [{**cell, "outputs": [output]} if cell in code else cell
                          for cell in content["cells"]],
                "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
        done["cells"] = [{**cell, "source": fingerprint.source(cell)} for cell in done["cells"]]
        execute.write_notebook(done, folder / "notebook.ipynb")
        (folder / IMPORTED).write_text('["scipy", "ibis-framework"]')
        return done, None

    monkeypatch.setattr(execute, "execute", fake)
    write(tmp_path / "n", "01_a", ["# A?", ("parameters", OK[3][1]), ("code", "1")])
    write(tmp_path / "n", "02_b", ["# B?", READS[1], ("code", "1")], reads=["01_a"])

    def run(given=None, names=("02_b",), **options):
        ran.clear()
        jobs = plan(names, given or {}, tmp_path / "n")
        statuses = [outcome.status for outcome in run_jobs(jobs, tmp_path / "out", **options)]
        return statuses, len(ran)

    assert run() == (["ok", "ok"], 2)
    assert run() == (["kept", "kept"], 0)
    return run


def test_force_runs_all_again(quick):
    assert quick(force=True) == (["ok", "ok"], 2)


def test_stored_outputs_are_no_change_but_a_source_is(quick, write, tmp_path):
    path = tmp_path / "n" / "01_a.ipynb"
    content = json.loads(path.read_text())
    content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    path.write_text(json.dumps(content))
    assert quick() == (["kept", "kept"], 0)
    write(tmp_path / "n", "01_a", ["# A?", ("parameters", OK[3][1]), ("code", "2")])
    assert quick() == (["ok", "kept"], 1)  # its records are as they were, so 02_b stays


def test_changed_records_of_what_is_read_are_a_change(quick, write, tmp_path):
    write(tmp_path / "n", "01_a", ["# A?", ("parameters", OK[3][1]), ("code", "22")])
    assert quick() == (["ok", "ok"], 2)
    assert quick() == (["kept", "kept"], 0)


@pytest.mark.parametrize("what", ["code_hash", "installed_versions", "data_files"])
def test_code_versions_and_data_are_changes(quick, monkeypatch, what):
    from tfeval.report import task

    other = {"code_hash": "x", "installed_versions": {"numpy": "0"}, "data_files": ()}[what]
    monkeypatch.setattr(task, what, lambda *_: other)
    assert quick() == (["ok", "ok"], 2)
    assert quick() == (["kept", "kept"], 0)


@pytest.mark.parametrize(
    ("name", "again"),
    [("scipy", True), ("ibis-framework", True), ("nbconvert", True), ("statsmodels", False)],
)
def test_only_a_library_that_was_imported_makes_a_page_stale(quick, monkeypatch, name, again):
    version = fingerprint._version
    monkeypatch.setattr(fingerprint, "_version", lambda one: "0" if one == name else version(one))
    assert quick() == ((["ok", "ok"], 2) if again else (["kept", "kept"], 0))
    assert quick() == (["kept", "kept"], 0)
    monkeypatch.setattr(fingerprint, "_version", lambda one: "" if one == name else version(one))
    assert quick()[1] == 2 * again


def test_what_is_imported_is_seen_when_it_is():
    program = """
        import sys
        from tfeval.report.fingerprint import imported
        print(*imported())
        import duckdb, sklearn, sqlglot, pytest
        print(*imported())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = (set(line.split()) for line in done.stdout.splitlines())
    assert not {"duckdb", "scikit-learn", "sqlglot", "statsmodels"} & before
    assert {"duckdb", "scikit-learn", "sqlglot", "scipy"} <= after
    assert "pytest" not in after  # the project does not need it


def test_what_makes_a_page_is_what_its_modules_import():
    third = set()
    for name in ("execute", "publish", "notebook_parts", "finish", "page_sources"):
        path = Path(execute.__file__).with_name(f"{name}.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            third |= {module.partition(".")[0] for module in modules}
    # These only start the kernel or work in it, and it says itself what it imports.
    own = sys.stdlib_module_names | {"tfeval", "jupyter_client", "traitlets", "IPython"}
    names = {name for module in third - own for name in fingerprint._modules()[module]}
    # nbconvert renders the page's template by Jinja.
    assert names | {"jinja2"} == set(fingerprint.PAGE)


def test_a_changed_data_file_is_seen(quick, facts):
    path = facts / "data" / "published" / "deflators.csv"
    before = path.read_text()
    try:
        path.write_text(before + "gdp_deflator_financial_year,2017-18\n")
        assert quick() == (["ok", "ok"], 2)
    finally:
        path.write_text(before)


@pytest.mark.parametrize("fault", ["changed", "deleted", "added", "manifest"])
def test_outputs_that_were_touched_are_made_again(quick, tmp_path, fault):
    folder = tmp_path / "out" / "national" / "02_b"
    if fault == "changed":
        (folder / "report.html").write_text("forged")
    elif fault == "deleted":
        (folder / "records.json").unlink()
    elif fault == "added":
        (folder / "extra.txt").write_text("x")
    else:
        (folder / "manifest.json").write_text("[")
    assert quick() == (["kept", "ok"], 1)
    assert names(folder) == FILES


def test_another_parameter_is_another_report(quick, tmp_path):
    assert quick({"price_year": "2015"}, ["01_a"]) == (["ok"], 1)
    assert names(tmp_path / "out") == ["national", "national--price_year-2015"]
    assert quick() == (["kept", "kept"], 0)


def test_a_failed_run_is_not_up_to_date(built):
    folder = built.out / "national" / "03_broken"
    assert not is_current(folder, manifest(folder)["rests_on"])
    folder = built.out / "national" / "01_ok"
    assert is_current(folder, manifest(folder)["rests_on"])


def test_an_interrupt_leaves_what_was_there(quick, monkeypatch, tmp_path):
    before = contents(tmp_path / "out" / "national" / "01_a")

    def interrupted(*_, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(execute, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(force=True)
    assert contents(tmp_path / "out" / "national" / "01_a") == before
    assert names(tmp_path / "out" / "national") == ["01_a", "02_b"]


def test_a_figure_without_words_fails_the_page_only(quick, monkeypatch, write, tmp_path):
    write(tmp_path / "n", "03_c", ["# C?", "![](data:image/png;base64,AAAA)", ("code", "1")])
    assert quick(names=["03_c"])[0] == ["failed"]
    page = (tmp_path / "out/national/03_c/report.html").read_text()
    assert "has no alternative text" in page
    assert "no alternative text" in manifest(tmp_path / "out/national/03_c")["error"]


def test_at_least_one_at_a_time(quick):
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        quick(workers=0)


def test_leftovers_of_the_dead_are_cleaned_and_of_the_living_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f".01_a.{dead.pid}.tmp", f".02_b.{dead.pid}.old", f".03_c.{dead.pid}.old",
                 f".04_d.{os.getppid()}.tmp", "03_c"):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    clean_leftovers(tmp_path)
    assert names(tmp_path) == [f".04_d.{os.getppid()}.tmp", "02_b", "03_c"]
    assert (tmp_path / "03_c" / "file").read_text() == "03_c"


def test_a_changed_extract_is_another_state(tmp_path):
    path = tmp_path / "extract"
    path.mkdir()
    (path / "families.parquet").write_bytes(b"one")
    before = fingerprint.extract_state(str(path))
    assert before and before == fingerprint.extract_state(str(path))
    (path / "families.parquet").write_bytes(b"another")
    assert fingerprint.extract_state(str(path)) != before
    assert fingerprint.extract_state("simulated") == fingerprint.extract_state("") == ""
