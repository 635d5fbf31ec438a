"""Strict, resumable runs of notebooks into reports, each after what it reads; and their index."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tfeval.display.names import SIMULATED
from tfeval.errors import DataError, ParameterError, ReportError
from tfeval.report.fingerprint import (
    clean_leftovers,
    code_hash,
    data_files,
    is_full,
    make_private,
    read_manifest,
    write_whole,
)
from tfeval.report.plan import Job, reading_place, scope_words
from tfeval.report.subject import SIMULATED as SIMULATED_EXTRACTS
from tfeval.report.task import Accepted, Basis, Outcome, Task
from tfeval.settings import CELL_MINUTES

if TYPE_CHECKING:
    from tfeval.report.task import Outcome


# How far a run has come: a bar in a terminal, plain lines elsewhere.

_WORDS = {"ok": "made", "kept": "up to date", "failed": "FAILED", "skipped": "SKIPPED"}


def line(outcome: Outcome) -> str:
    """Return one line on an outcome: what became of it and where its page is."""
    told = f"{_WORDS[outcome.status]:<10}  {outcome.page}"
    return f"{told}\n{'':<12}{outcome.error}" if outcome.error else told


@contextmanager
def follow(total: int) -> Iterator[Callable[[Outcome], None]]:
    """Give a function to be told each outcome.

    Parameters
    ----------
    total : int
        How many there will be.
    """
    if not sys.stderr.isatty():
        yield lambda outcome: print(line(outcome), flush=True)  # noqa: T201
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("Notebooks"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def tell(outcome: Outcome) -> None:
            bar.console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            bar.advance(task)

        yield tell


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told how many are done: a bar in a terminal, lines elsewhere.

    Parameters
    ----------
    what : str
        That is counted.
    total : int
        How many there will be.
    """
    if not sys.stderr.isatty():
        step = max(total // 20, 1)

        def say(done: int, of: int) -> None:
            if done % step == 0 or done == of:
                print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)  # noqa: T201

        yield say
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, _of: bar.update(task, completed=done)


Key = tuple[str, str]


def run_jobs(
    jobs: Iterable[Job],
    out: Path,
    *,
    force: bool = False,
    workers: int = 2,
    report: Callable[[Outcome], None] | None = None,
    accept_faults: str = "",
    cell_minutes: float = CELL_MINUTES,
) -> list[Outcome]:
    """Run jobs, each after what it reads; what is up to date is kept.

    Parameters
    ----------
    jobs : iterable of Job
        As `plan` returns them.
    out : Path
        Where reports go.
    force : bool, default False
        Run again even what is up to date.
    workers : int, default 2
        Notebooks at a time, each with a kernel of its own.
    report : callable, optional
        Called with each outcome as it is known.
    accept_faults : str, optional
        Why the jobs run though their extract has faults; each page that rests on it says so.
    cell_minutes : float, default 60
        How long a cell may take; its page then says so, and other pages are made.

    Returns
    -------
    list of Outcome
        In the order of the jobs.

    Raises
    ------
    ParameterError
        If `workers` or `cell_minutes` is not positive.
    DataError
        If an extract has faults and no reason to accept them is given: nothing is run then.

    Notes
    -----
    An extract is checked once, before any notebook starts. Two runs may share a folder: a page
    that one is making the other waits for, and then keeps.
    """
    if workers < 1:
        raise ParameterError(f"--jobs needs at least 1, not {workers}.")
    if not cell_minutes > 0:
        raise ParameterError(f"--cell-minutes is more than 0, not {cell_minutes:g}.")
    jobs = list(jobs)
    accepted = _accepted(jobs, accept_faults.strip())
    basis = Basis.now()
    for scope in {job.scope for job in jobs}:
        clean_leftovers(out / scope)
    done: dict[Key, Outcome] = {}
    running: dict[Future[Outcome], Key] = {}
    waiting = {job.key: job for job in jobs}
    pool = ThreadPoolExecutor(workers)
    try:
        while waiting or running:
            for key in [key for key, job in waiting.items() if all(n in done for n in job.needs)]:
                failed = [name for name in waiting[key].needs if not done[name].good]
                broken = failed[0][1] if failed else ""
                task = Task(waiting.pop(key), out, basis, force, broken, accepted.get(key),
                            cell_minutes)  # fmt: skip
                running[pool.submit(task.run)] = key
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = done[running.pop(future)] = future.result()
                if report:
                    report(outcome)
    except BaseException:
        _abandon(pool, basis.stop)
        raise
    pool.shutdown()
    return [done[job.key] for job in jobs]


#: Kinds of fault named in one line; `tfeval check` has them all.
_NAMED = 4


def _accepted(jobs: list[Job], reason: str) -> dict[Key, Accepted]:
    """Check each extract that is to be read; return the faults that each job rests on."""
    found: dict[Key, Accepted] = {}
    checked: dict[str, Accepted | None] = {}
    for job in jobs:  # each after what it reads
        extract = str(job.values.get("extract", "simulated"))
        if extract not in SIMULATED_EXTRACTS:
            if extract not in checked:
                checked[extract] = _checked(extract, reason)
            own = [checked[extract]]
        else:
            own = [found.get(key) for key in job.needs]
        if faulty := [one for one in own if one]:
            found[job.key] = faulty[0]
    return found


def _checked(extract: str, reason: str) -> Accepted | None:
    from tfeval.records.check import check_records  # noqa: PLC0415 - heavy, and often not needed

    faults = tuple(fault.text() for fault in check_records(extract).faults)
    if not faults:
        return None
    if not reason:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise DataError(
            f"{Path(extract).name} has faults: {'; '.join(faults[:_NAMED])}{more}. tfeval check "
            'says what to do; mend them, or give a reason with --accept-faults "REASON".'
        )
    return Accepted(reason, faults)


def _abandon(pool: ThreadPoolExecutor, stop: Event) -> None:
    """Stop at once: what has not begun is dropped, what runs is killed and leaves nothing."""
    stop.set()
    pool.shutdown(wait=False, cancel_futures=True)
    execute = sys.modules.get("tfeval.report.execute")
    if execute is not None:
        execute.stop_kernels()
    pool.shutdown(wait=True)


# The index of all reports: what is where, what failed and why, what it rests on.

TITLE = "What the Troubled Families Programme claimed, caused and was worth"
_TEMPLATES = Path(__file__).resolve().parent / "templates"
_STATES = {"ok": "complete", "failed": "failed", "skipped": "not run"}


def write_index(out: Path) -> Path:
    """Write `index.html` from the manifests found under `out`.

    Parameters
    ----------
    out : Path
        The folder of reports.

    Returns
    -------
    Path
        The index.
    """
    from tfeval.report.finish import finish  # noqa: PLC0415

    entries, versions = _found(out)
    html = finish(_render(entries, versions), TITLE)
    path = out / "index.html"
    make_private(out)
    write_whole(path, html)
    return path


@contextmanager
def ending_with_index(out: Path) -> Iterator[None]:
    """Let a run that is stopped, by a signal or a fault, leave an index of what is whole.

    Parameters
    ----------
    out : Path
        The folder of reports. A run that ends well writes its index itself.

    Raises
    ------
    KeyboardInterrupt
        In place of the end of the process, with the signal's number, where it is asked to end.
    ReportError
        In place of the system's own error, where the disk is full.
    """
    with _asked_to_end():
        try:
            yield
        except BaseException as fault:
            with suppress(Exception):  # whatever ends the run is what is told
                if out.is_dir():
                    write_index(out)
            if is_full(fault):
                raise ReportError(
                    f"The disk is full, so not every page is in {out}: make room and run the "
                    "same again. What is whole is kept."
                ) from None
            raise


#: How a process is asked to end: by another, and by a terminal that goes.
_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """End as by Ctrl-C when asked to, once; asked again, at once."""
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(number: int, _: object) -> None:
        restore()
        raise KeyboardInterrupt(number)

    if threading.current_thread() is threading.main_thread():
        # What the process was started to ignore, as by nohup, it ignores.
        asked = [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]
        before |= {number: signal.signal(number, end) for number in asked}
    try:
        yield
    finally:
        restore()


def _found(out: Path) -> tuple[list[dict[str, Any]], str]:
    """Return an entry for each run on disk, by scope and notebook, and what all were made with."""
    code = code_hash()
    folders = sorted(path.parent for path in out.glob("[!.]*/[!.]*/manifest.json"))
    manifests = {folder: found for folder in folders if (found := read_manifest(folder))}
    versions: dict[str, set[str]] = {}
    for found in manifests.values():
        for name, number in found["rests_on"].get("versions", {}).items():
            versions.setdefault(name, set()).add(number)
    told = (f"{name} {' and '.join(sorted(versions[name]))}" for name in sorted(versions))
    return [_entry(*item, code) for item in manifests.items()], ", ".join(told)


def _entry(folder: Path, manifest: Mapping[str, Any], code: str) -> dict[str, Any]:
    values = {name: item["value"] for name, item in manifest["parameters"].items()}
    changed = {n: i["value"] for n, i in manifest["parameters"].items() if not i["default"]}
    earlier = manifest["rests_on"].get("code") != code
    state = _STATES.get(manifest["status"], manifest["status"])
    if manifest["rests_on"].get("accepted_faults"):
        state += ", faults of the records accepted"
    return {
        "scope": folder.parent.name,
        "name": folder.name,
        "title": manifest["title"],
        "about": scope_words(folder.parent.name, values, changed),
        "headline": manifest.get("headline", ""),
        "status": manifest["status"],
        "state": f"{state}, earlier code" if earlier else state,
        "error": manifest.get("error", ""),
        "simulated": manifest.get("simulated", False),
        "link": quote(f"{folder.parent.name}/{folder.name}/report.html"),
    }


def _render(entries: list[dict[str, Any]], versions: str) -> str:
    from jinja2 import Environment, FileSystemLoader  # noqa: PLC0415

    pages = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=False)
    failures = [entry for entry in entries if entry["status"] != "ok"]
    scopes = len({entry["scope"] for entry in entries})
    data = data_files()
    rows = sum(item.rows or 0 for item in data)
    return pages.get_template("page/reports.html.j2").render(
        title=TITLE,
        summary=_summary(len(entries), scopes, len(failures)),
        failures=failures,
        groups=_groups(entries),
        simulated=SIMULATED if any(entry["simulated"] for entry in entries) else "",
        data=data,
        made=(
            ("Code, SHA-256", code_hash()[:12]),
            ("Data", f"{len(data)} files, {rows:,} rows"),
            *([("Versions", versions)] if versions else []),
        ),
    )


def _summary(pages: int, reports: int, failed: int) -> str:
    if not pages:
        return "There are no reports here yet: tfeval report makes them."
    counted = f"{pages} page{'s' * (pages != 1)} in {reports} report{'s' * (reports != 1)}"
    return f"{counted}. " + (f"{failed} could not be completed." if failed else "All are complete.")


def _groups(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return national reports by scope, then one table of all areas."""
    national: dict[str, list[dict[str, Any]]] = {}
    areas = []
    for entry in entries:
        if entry["scope"].split("--")[0] == "national":
            national.setdefault(entry["scope"], []).append(entry | {"label": entry["title"]})
        else:
            areas.append(entry | {"label": f"{entry['about']}: {entry['title']}"})
    for found in national.values():
        found.sort(key=lambda entry: reading_place(entry["name"]))
    reports = [
        {
            "about": found[-1]["about"],
            "caption": f"Chapters: {found[-1]['about']}",
            "entries": found,
        }
        for found in national.values()
    ]
    local = [{"about": "", "caption": "Pages on one authority", "entries": areas}]
    groups = []
    if reports:
        groups.append({"title": "National report", "first": "Chapter", "reports": reports,
                       "several": len(reports) > 1})  # fmt: skip
    if areas:
        groups.append({"title": "Local authorities", "first": "Authority", "reports": local,
                       "several": False})  # fmt: skip
    return groups
