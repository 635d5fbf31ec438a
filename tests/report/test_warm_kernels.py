"""Kernels that are forked: what they make is what kernels make that are started anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import pytest
from conftest import notebook

from tfeval.report import warm
from tfeval.report.execute import execute
from tfeval.report.plan import plan
from tfeval.report.run import run_jobs
from tfeval.report.warm import WarmKernels

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

#: What differs where something of the process that was forked shows through.
TELLING = [
    "# What shows?",
    ("code", "import os, sys\nprint(sys.modules['__main__'].__dict__ is globals(), __name__)\n"
             "print(os.environ['JPY_PARENT_PID'] == str(os.getppid()), sys.path[:1])\n"
             "print(sorted(name for name in os.environ if name.startswith('JE_')))"),
    ("code", "print([name for name in ('pandas', 'scipy', 'statsmodels', 'pyarrow', 'polars',\n"
             "                        'matplotlib.pyplot') if name in sys.modules])"),
    ("code", "import pandas as pd\npd.DataFrame([range(40)] * 100)"),
    ("code", "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);"),
    ("code", "from scipy import stats\nprint(stats.norm.ppf(0.975))\nstats"),
    ("code", "print(open(os.devnull).read(), sys.argv[0].endswith('ipykernel_launcher.py'))"),
    ("code", "from tfeval.report.notebook_parts import provenance\nprovenance()"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with WarmKernels() as made:
        yield made


def ran(cells, folder: Path, server=None, **options):
    folder.mkdir(parents=True)
    content = json.loads(nbformat.writes(notebook(cells)))
    done, failure = execute(content, {}, folder, warm=server, **options)
    return done, failure, {path.name: path.read_bytes() for path in folder.iterdir()}


def texts(done) -> str:
    outputs = [output for cell in done["cells"] for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def test_a_forked_kernel_shows_and_imports_what_a_new_one_does(server, tmp_path):
    done, failure, forked = ran(TELLING, tmp_path / "forked", server)
    assert failure is None and server.refused == ""
    _, _, anew = ran(TELLING, tmp_path / "anew")
    assert forked == anew  # the notebook, and which libraries it has imported
    assert set(forked) == {"notebook.ipynb", ".imported.json"}
    assert texts(done).startswith("True __main__\nTrue [")
    kinds = [kind for cell in done["cells"] for output in cell.get("outputs", [])
             for kind in output.get("data", {})]  # fmt: skip
    assert "image/png" in kinds and "statsmodels" not in forked[".imported.json"].decode()


def test_what_a_kernel_says_as_it_closes_is_not_of_the_page(tmp_path):
    says = [
        "# Says?",
        (
            "code",
            "import atexit, os\nos.write(2, b'in time')\natexit.register(os.write, 2, b' late')",
        ),
    ]
    _, failure, written = ran(says, tmp_path / "says")
    assert failure is None and written["private-stderr.txt"].split() == [b"in", b"time"]


def test_one_of_many_pages_has_drawings_alone_and_the_next_kernel_pictures_too(server, tmp_path):
    draws = [
        "# Drawn?",
        (
            "code",
            "from tfeval.display.charts import bar_chart\n"
            "bar_chart(['a'], [1], title='One', alt='A bar that is one long.')",
        ),
    ]

    def kinds(folder: str, *server: WarmKernels, **options: bool) -> set[str]:
        done, failure, _ = ran(draws, tmp_path / folder, *server, **options)
        assert failure is None
        (output,) = [output for cell in done["cells"] for output in cell.get("outputs", [])]
        assert output["metadata"].keys() == output["data"].keys() & {"image/png"}
        return set(output["data"])

    alone = kinds("alone", server, drawings_alone=True)
    assert alone == kinds("anew", drawings_alone=True)
    assert kinds("both", server) == alone | {"image/png"} != alone and server.refused == ""


def test_each_draws_its_own_numbers(server, tmp_path):
    draws = ["# Chance?", ("code", "import random\nimport numpy as np\n"
                                   "print(random.random(), np.random.rand())")]  # fmt: skip
    first, second = (texts(ran(draws, tmp_path / name, server)[0]).split() for name in "ab")
    assert server.refused == "" and not set(first) & set(second)


def test_one_that_dies_or_does_not_end_is_told_as_any_other(server, tmp_path):
    dies = ["# Dies?", ("code", "import os\nos._exit(1)")]
    _, failure, _ = ran(dies, tmp_path / "dies", server)
    assert failure is not None and failure.kind == "DeadKernelError" and failure.by_chance
    late = ["# Late?", ("code", "import time\ntime.sleep(600)")]
    _, failure, _ = ran(late, tmp_path / "late", server, cell_minutes=1 / 30)
    assert server.refused == "" and failure is not None and failure.kind == "CellTimeoutError"
    assert not failure.by_chance


def test_what_has_threads_forks_nothing_and_the_page_is_made_all_the_same(
    monkeypatch, tmp_path, server
):
    main = """
        import socket, sys, threading, time
        from tfeval.report import fork_server
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        fork_server._serve(socket.socket(fileno=int(sys.argv[1])), {}, set())
    """
    monkeypatch.setattr(warm, "COMMAND", ["-c", textwrap.dedent(main)])
    with WarmKernels() as other:
        done, failure, _ = ran(["# A?", ("code", "print(6 * 7)")], tmp_path / "a", other)
        assert other.refused == "its server has 2 threads"
    assert failure is None and texts(done) == "42\n"


@pytest.mark.parametrize("end", ["killed", "elsewhere"])
def test_without_a_server_the_kernel_is_started_anew(monkeypatch, tmp_path, end):
    if end == "killed":
        monkeypatch.setattr(warm, "COMMAND", ["-c", "import os; os.kill(os.getpid(), 9)"])
    else:
        monkeypatch.setattr(warm.sys, "platform", "darwin")
    with WarmKernels() as other:
        asked = {"cwd": str(tmp_path), "env": dict(os.environ), "stderr": sys.__stderr__}
        assert other.fork(["python", "-m", "ipykernel_launcher"], **asked) is None
        assert other.refused == {"killed": "its server failed", "elsewhere": "only Linux can"}[end]


def test_changed_code_has_another_server(monkeypatch):
    monkeypatch.setattr(warm, "COMMAND", ["-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(warm, "_newest", lambda: 1)
    other = WarmKernels()
    first = other._started(os.environ)
    assert other._started(os.environ) is first
    before = other._process
    monkeypatch.setattr(warm, "_newest", lambda: 2)
    monkeypatch.setattr(warm, "_PATIENCE", 1.0)  # it does not look at its socket: it is killed
    assert other._started(os.environ) is not first and other._process is not before
    assert before.poll() is not None
    other.close()
    assert other._process is None


def test_nothing_outlives_a_run_that_is_killed(tmp_path):
    program = f"""
        import json, sys
        from pathlib import Path
        from tfeval.report.execute import execute
        from tfeval.report.warm import WarmKernels
        cells = ["import os, time; from pathlib import Path\\n"
                 "Path('pids').write_text(f'{{os.getpid()}} {{os.getppid()}}'); time.sleep(600)"]
        content = {{"cells": [{{"cell_type": "code", "source": text, "metadata": {{}},
                               "outputs": [], "execution_count": None}} for text in cells],
                   "metadata": {{}}}}
        execute(content, {{}}, Path({str(tmp_path)!r}), warm=WarmKernels())
    """
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    told = tmp_path / "pids"
    until(lambda: told.is_file() and told.read_text())
    pids = [int(pid) for pid in told.read_text().split()]
    assert all(alive(pid) for pid in pids) and run.pid not in pids
    run.send_signal(signal.SIGKILL)
    run.wait()
    until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:  # one that has ended and that nobody has asked for is a zombie
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


#: Prints, a line each, the libraries' modules that an import brings.
BRINGS = """
import importlib, os, sys
from importlib.metadata import packages_distributions
from tfeval.report import fingerprint, set_aside
libraries = {*packages_distributions(), "tfeval"}
LOADED
for name in sys.argv[1:]:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        continue
    before = set(sys.modules)
    importlib.import_module(name)
    new = {one for one in set(sys.modules) - before if one.partition(".")[0] in libraries}
    print(*sorted(new), flush=True)
    os._exit(0)
"""


def test_a_module_comes_back_with_all_that_it_brings_and_nothing_else():
    """Against a process that really imports it."""
    names = ["matplotlib.figure", "tfeval.report.chapters.authority", "formulaic"]
    loaded = [[name] for name in (*names, "statsmodels.api", "sklearn.ensemble")]
    loaded = f"set_aside.SetAside().load({loaded})"
    told = []
    for before in ("", loaded):
        command = [sys.executable, "-c", BRINGS.replace("LOADED", before), *names]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told.append([set(line.split()) for line in done.stdout.splitlines()])
    for name, anew, back in zip(names, *told, strict=True):
        assert len(anew) > 50
        assert anew == back, (name, sorted(anew ^ back)[:20])


def test_warm_or_cold_in_any_order_by_any_number_pages_are_the_same(write, facts, tmp_path):
    made = {}
    for name in ("01_a", "02_b", "03_c"):
        write(
            tmp_path / "n", name, [f"# {name}?", ("code", "import os\nlen(os.environ)\nprint(1)")]
        )
    jobs = plan(["01_a", "02_b", "03_c"], {}, tmp_path / "n")
    for out, order, workers in (("warm", 1, 3), ("cold", -1, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tfeval.report.run.WARM_FROM", 1)
            done = run_jobs(jobs[::order], tmp_path / out, workers=workers, warm=out == "warm")
        assert [one.status for one in done] == ["ok"] * 3
        made[out] = {path.relative_to(tmp_path / out): path.read_bytes()
                     for path in (tmp_path / out).rglob("*") if path.is_file()}  # fmt: skip
    assert made["warm"] == made["cold"] and len(made["cold"]) == 12
