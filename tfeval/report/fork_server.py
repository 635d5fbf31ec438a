"""The process from which warm kernels are forked: it has imported what notebooks import.

It belongs to one run, which started it and speaks to it over a pair of sockets without a name;
when the run ends, however it ends, this process and its kernels end too. It has one thread and no
shell, so that there is no history to write and nothing that a fork could cut in two.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

#: The longest request: a kernel's command line and environment.
LONGEST = 1 << 18
#: pyarrow's allocator otherwise starts a thread with the import.
NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
#: Rooms, or modules of them, that no notebook imports.
_RUNNER = (
    *("cli", "explorer", "impact.compile_kernels", "release"),
    *("report.cluster", "report.execute", "report.finish", "report.fork_server", "report.kernels"),
    *("report.print_pdf", "report.progress", "report.publish", "report.reports_index"),
    *("report.run", "report.set_aside", "report.task", "report.warm"),
)
#: What tfeval imports where it is first used. Not pyplot, which looks for its kernel, nor duckdb,
#: which starts a thread with the import.
_LIBRARIES = (
    *("pandas", "matplotlib.backends.backend_agg", "matplotlib.style", "PIL.PngImagePlugin"),
    *("scipy.stats", "scipy.optimize", "statsmodels.api", "sklearn.linear_model"),
    *("sklearn.ensemble", "sklearn.model_selection", "numba", "formulaic", "pyarrow.parquet"),
)


def main() -> None:
    """Load, then fork a kernel for each request until the run closes its end."""
    link, given = socket.socket(fileno=int(sys.argv[1])), set(os.environ)
    # ipykernel reads it when it is imported: a kernel ends when this process does.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends this
    import ipykernel.ipkernel  # noqa: PLC0415
    import ipykernel.kernelapp  # noqa: F401, PLC0415

    from tfeval.report import fingerprint, set_aside  # noqa: PLC0415

    fingerprint.imported()  # which module is of which library: read once
    aside = set_aside.SetAside()
    aside.load(groups())
    gc.collect()
    gc.freeze()  # so that a collection in a kernel does not copy what all share
    _serve(link, aside.modules, given)


def groups() -> Iterator[Iterable[str]]:
    """Return what is to be loaded: libraries, each by itself, and tfeval's own modules."""
    yield from ((name,) for name in _LIBRARIES)
    yield _own()


def _own() -> Iterator[str]:
    package = importlib.import_module("tfeval")
    left_out = tuple(f"tfeval.{name}" for name in _RUNNER)
    for module in pkgutil.walk_packages(package.__path__, "tfeval."):
        if not module.name.startswith(left_out):
            yield module.name
    from tfeval.programme.published import check_published  # noqa: PLC0415

    with suppress(Exception):  # what is wrong with a table, the page that reads it says
        check_published()  # reads every table, once for all kernels
        _work_that_is_alike()


def _work_that_is_alike() -> None:
    """Do once what the page of every area does alike: it is remembered, or warms what draws."""
    from tfeval.display.axes import lay_rows  # noqa: PLC0415
    from tfeval.display.interval_charts import range_chart  # noqa: PLC0415
    from tfeval.money.appraisal_settings import Assumptions  # noqa: PLC0415
    from tfeval.programme.claims import authorities  # noqa: PLC0415
    from tfeval.report.chapters import authority, claims  # noqa: PLC0415

    names = list(authorities().values())
    Assumptions().words("one")
    authority.neighbours_table(names[0])
    claims.funnel_chart()._repr_mimebundle_()
    lay_rows(names, bold=True)
    alike = range_chart(names, range(len(names)), range(len(names)), title="Every name",
                        alt="One row for each of the authorities.")  # fmt: skip
    alike._repr_mimebundle_()


def _serve(link: socket.socket, modules: dict[str, ModuleType], given: set[str]) -> None:
    kernels: set[int] = set()
    while True:
        message, files, _, _ = socket.recv_fds(link, LONGEST, 1)
        if not message:
            break
        while kernels and (ended := os.waitpid(-1, os.WNOHANG)[0]):
            kernels.discard(ended)
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads > 1:  # what another thread holds at a fork stays held for ever
            link.send(json.dumps({"threads": threads}).encode())
        elif pid := os.fork():
            kernels.add(pid)
            handle = os.pidfd_open(pid)
            socket.send_fds(link, [json.dumps({"pid": pid}).encode()], [handle])
            os.close(handle)
        else:
            link.close()
            request = json.loads(message)
            for name in given - set(request["env"]):
                os.environ.pop(name, None)  # what libraries set as they were imported stays
            _become(request, files[0], modules)
        for handle in files:
            os.close(handle)
    for pid in kernels:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become(request: dict[str, Any], errors: int, modules: dict[str, ModuleType]) -> NoReturn:
    """Be the kernel that was asked for, as if it had been started by its own command."""
    status = 1
    try:
        os.setsid()
        os.dup2(errors, 2)
        os.close(errors)
        os.chdir(request["cwd"])
        os.environ.update(request["env"] | {"JPY_PARENT_PID": str(os.getppid())})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.modules["__main__"] = ModuleType("__main__")
        if "numpy.random" in modules:  # all kernels would draw the same
            modules["numpy.random"].seed()
        launcher = importlib.util.find_spec("ipykernel_launcher")
        sys.argv = [str(launcher and launcher.origin), *request["command"][3:]]
        importlib.import_module("ipykernel.kernelapp").launch_new_instance()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except Exception:
        traceback.print_exc()  # into the run's own private file
    finally:
        atexit._run_exitfuncs()
        os._exit(status)


if __name__ == "__main__":
    main()
