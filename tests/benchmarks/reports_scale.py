"""Processor seconds of many reports: as a script, in warm kernels, in cold ones, by Papermill.

`python tests/benchmarks/reports_scale.py [--areas 8] [--out FOLDER] [--jobs 3]` makes what all
pages read first (kept in FOLDER between runs), then the same authorities' pages each way, in
processes of their own; `papermill` is the library as it comes, with nbconvert's page after it,
and `again` a run in which nothing changed. Processor time is of each process with all that it
started and waited for; a wall time says little where others use the machine. What has to be made
once (loading the fork server, planning, the index) is told apart by running 5 areas too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
NAME, REPORTS = "local_authority", 162
WAYS = ("script", "warm", "cold", "papermill")
FEWEST = 5  # with what they read as many as kernels are forked for


def areas(number: int) -> list[str]:
    """Return so many authorities, spread over the list."""
    from tfeval.programme.claims import authorities

    names = sorted(authorities().values())
    return [names[(step * len(names)) // number] for step in range(number)]


def jobs(number: int) -> list:
    """Return the jobs of so many authorities, and of what they read."""
    from tfeval.report.area_jobs import area_jobs

    return area_jobs(None, areas(number), {}, NOTEBOOKS)


def run(number: int, out: Path, workers: int, *, warm: bool, force: bool = True) -> None:
    """Make the pages of so many authorities; what they read is up to date."""
    from tfeval.report.reports_index import write_index
    from tfeval.report.run import run_jobs

    if force:
        for job in jobs(number):
            if job.chapter.name == NAME:
                (out / job.scope / NAME / "manifest.json").unlink(missing_ok=True)
    bad = [one for one in run_jobs(jobs(number), out, workers=workers, warm=warm) if not one.good]
    write_index(out)
    if bad:
        sys.exit(str(bad))


def script(number: int, out: Path) -> None:
    """Run the cells as a script, with all imports loaded: each area in a process forked for it."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from tfeval.display.figures import DRAWINGS_ALONE
    from tfeval.report.fork_server import groups

    os.environ[DRAWINGS_ALONE] = "yes"
    for group in groups():
        for name in group:
            importlib.import_module(name)
    content = json.loads((NOTEBOOKS / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    os.chdir(out / "national")
    for area in areas(number):
        given = f'# Parameters\nlocal_authority = "{area}"\nrecords = "."\n'
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        shell = InteractiveShell.instance()
        for cell in [cells[0], given, *cells[1:]]:
            with capture_output():
                done = shell.run_cell(cell, store_history=True)
            if not done.success:
                sys.stderr.write(f"{area}: {done.error_in_exec}\n")
        os._exit(0)


def papermill(number: int, out: Path) -> None:
    """Run each area's notebook by Papermill as it comes, and make nbconvert's page of it."""
    import nbformat
    import papermill
    from nbconvert import HTMLExporter

    os.chdir(out / "national")
    with tempfile.TemporaryDirectory() as folder:
        for at, area in enumerate(areas(number)):
            written = Path(folder) / f"{at}.ipynb"
            papermill.execute_notebook(
                str(NOTEBOOKS / f"{NAME}.ipynb"), str(written),
                {"local_authority": area, "records": "."}, kernel_name="python3",
                progress_bar=False,
            )  # fmt: skip
            page, _ = HTMLExporter().from_notebook_node(nbformat.read(written, 4))
            written.with_suffix(".html").write_text(page, encoding="utf-8")


def cost(way: str, number: int, out: Path, workers: int) -> tuple[float, float]:
    """Return processor and wall seconds of one way, in a process of its own."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--way", way, "--areas", str(number), "--out", str(out),
               "--jobs", str(workers)]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - begun


def main() -> None:
    """Compare, or be one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--areas", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--way", choices=[*WAYS, "again"])
    given = parser.parse_args()
    if given.way == "script":
        script(given.areas, given.out)
    elif given.way == "papermill":
        papermill(given.areas, given.out)
    elif given.way:
        run(
            given.areas, given.out, given.jobs, warm=given.way == "warm", force=given.way != "again"
        )
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(given.areas, (given.out or Path(folder)).absolute(), given.jobs)


def compare(number: int, out: Path, workers: int) -> None:
    """Print what each way costs a report, and what 162 would take on two idle cores."""
    cost("again", 1, out, workers)  # what all read
    each = {}
    for way in (*WAYS, "again"):
        half, whole = (cost(way, size, out, workers) for size in (FEWEST, number))
        each[way] = (whole[0] - half[0]) / (number - FEWEST)
        print(f"{way:7} {number} areas: {whole[0]:6.1f} s of processor time in {whole[1]:6.1f} s; "
              f"each further area {each[way]:5.2f} s of it", flush=True)  # fmt: skip
        if way in ("warm", "again"):
            every = whole[0] + each[way] * (REPORTS - number)
            print(f"{'':7} {REPORTS} reports: {every:6.1f} s, on two idle cores {every / 2:.0f} s")
    print(f"warm against the script: {each['warm'] / each['script']:.2f}")
    for way in WAYS[2:]:
        print(f"{way} against warm: {each[way] / each['warm']:.2f}")


if __name__ == "__main__":
    main()
