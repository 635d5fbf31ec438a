"""One notebook on its way from source to a finished folder: all of it, or nothing."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from urllib.parse import quote

from tfeval.display.words import day
from tfeval.errors import TfevalError, public_line
from tfeval.impact.plan.register import register_beside
from tfeval.report.fingerprint import (
    IMPORTED,
    MANIFEST,
    PAGE,
    PRIVATE,
    TRACEBACK,
    alone,
    code_hash,
    data_files,
    extract_state,
    file_hash,
    installed_versions,
    is_current,
    is_full,
    keep_private,
    notebook_hash,
    put_in_place,
    read_manifest,
    stage_for,
    trace,
    write_json,
)
from tfeval.report.notebook_parts import headline_of, shows_simulated
from tfeval.report.parameters import RUNNER_SETS, read_notebook
from tfeval.report.plan import Job, named, place_of, scope_words
from tfeval.report.subject import Subject, told
from tfeval.report.warm import WarmKernels
from tfeval.settings import CELL_MINUTES


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended.

    Attributes
    ----------
    scope, notebook : str
        The report's folder and the notebook in it.
    status : {"ok", "kept", "failed", "skipped"}
        "kept": nothing had changed, so it was not run again.
    page : Path
        The HTML page.
    error : str
        One line; empty unless failed or skipped.
    by_chance : bool
        Whether it failed by what may not come again: its kernel died, or a library failed.
    """

    scope: str
    notebook: str
    status: str
    page: Path
    error: str = ""
    by_chance: bool = False

    @property
    def good(self) -> bool:
        """Whether its results can be read."""
        return self.status in ("ok", "kept")


@dataclass(frozen=True)
class Basis:
    """What all runs rest on; the same for every job of one command."""

    code: str
    data: dict[str, str]
    stop: Event = field(default_factory=Event)

    def __reduce__(self) -> tuple[type[Basis], tuple[str, dict[str, str]]]:
        """Leave behind what stops it: elsewhere nobody could."""
        return Basis, (self.code, self.data)

    @classmethod
    def now(cls) -> Basis:
        """Read code and data as they are."""
        data = {item.name: item.sha256 for item in data_files()}
        return cls(code_hash(), data)


@dataclass(frozen=True)
class Accepted:
    """Faults of an extract that its user accepted.

    Attributes
    ----------
    reason : str
        Why, in the user's words.
    faults : tuple of str
        One line each: table, column, kind, and how many rows, small counts hidden.
    """

    reason: str
    faults: tuple[str, ...]


class Elsewhere(Protocol):
    """Other machines that make what a task makes."""

    def make(self, task: Task, stage: Path) -> tuple[str, str, bool]:
        """Fill a folder, as `Task.make` does."""


@dataclass(frozen=True)
class Task:
    """One job on its way from source to a finished folder.

    Attributes
    ----------
    job : Job
        What to run.
    out : Path
        Where reports go.
    basis : Basis
        What it rests on beside the notebook.
    force : bool
        Run even what is up to date.
    broken_input : str
        A chapter that it reads and that failed; empty if none.
    accepted : Accepted, optional
        Faults of the records that it rests on.
    cell_minutes : float
        How long one of its cells may take.
    warm : WarmKernels, optional
        Where its kernel is forked.
    cluster : Elsewhere, optional
        Whose workers make it; by default this machine does.
    second : bool
        Whether it was tried before.
    started_in : str
        The folder from which an extract is named; empty for this process's own.
    """

    job: Job
    out: Path
    basis: Basis
    force: bool
    broken_input: str
    accepted: Accepted | None = None
    cell_minutes: float = CELL_MINUTES
    warm: WarmKernels | None = None
    cluster: Elsewhere | None = None
    second: bool = False
    started_in: str = ""

    @property
    def folder(self) -> Path:
        """Where the finished run goes."""
        return self.out / self.job.scope / self.job.chapter.name

    def run(self) -> Outcome:
        """Run the notebook unless it is up to date, and put the whole folder in place."""
        if self._is_current(self._rests_on()):
            return self._outcome("kept")
        with alone(self.folder, self.basis.stop.is_set, self._tell_waiting):
            return self._run_alone()

    def _is_current(self, rests_on: Mapping[str, Any]) -> bool:
        return not self.force and not self.broken_input and is_current(self.folder, rests_on)

    def _tell_waiting(self) -> None:
        name = f"{self.job.scope}/{self.job.chapter.name}"
        sys.stderr.write(f"Another run is making {name}: waiting for it.\n")

    def _run_alone(self) -> Outcome:
        rests_on = self._rests_on()
        if self._is_current(rests_on):  # another run has made it meanwhile
            return self._outcome("kept")
        stage = stage_for(self.folder)
        try:
            status, error, by_chance = self._made(stage)
            if self.basis.stop.is_set():
                raise KeyboardInterrupt
            made = {**rests_on, "versions": _versions(stage)}
            (stage / IMPORTED).unlink(missing_ok=True)
            self._write_manifest(stage, made, status, error)
            put_in_place(stage, self.folder)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return self._outcome(status, error, by_chance)

    def _outcome(self, status: str, error: str = "", by_chance: bool = False) -> Outcome:
        page = self.folder / "report.html"
        return Outcome(self.job.scope, self.job.chapter.name, status, page, error, by_chance)

    def _made(self, stage: Path) -> tuple[str, str, bool]:
        if self.broken_input:
            return self._skip(stage)
        return self.cluster.make(self, stage) if self.cluster else self.make(stage)

    def make(self, stage: Path) -> tuple[str, str, bool]:
        """Run the notebook and publish it into a folder.

        Returns
        -------
        status, error : str
            As of an `Outcome`.
        by_chance : bool
        """
        from tfeval.report.execute import execute  # noqa: PLC0415 - heavy, and often not needed

        chapter = self.job.chapter
        changed = self.job.changed()
        if RUNNER_SETS in {item.name for item in chapter.parameters}:
            changed[RUNNER_SETS] = self.job.reads_from
        notebook, failure = execute(
            chapter.content,
            changed,
            stage,
            keeps_files=True,
            drawings_alone=place_of(self.job.values) != "all",
            cell_minutes=self.cell_minutes,
            warm=self.warm,
            started_in=self.started_in,
        )
        if failure and is_full(None, stage):
            raise OSError(errno.ENOSPC, "The disk is full")
        error = failure.public() if failure else ""
        page = self._page(stage)
        if failure:
            page |= {"failed_in": failure.cell, "message": failure.shown()}
            page["private"] = TRACEBACK if (stage / TRACEBACK).is_file() else ""
        unpublished = self._publish(notebook, page, stage)
        error = error or unpublished
        return ("failed" if error else "ok"), error, failure is not None and failure.by_chance

    def _publish(self, notebook: Mapping[str, Any], page: dict[str, Any], stage: Path) -> str:
        """Write a run's page, and its records where nothing failed; return what went wrong."""
        from tfeval.report.notebook_parts import tables_of  # noqa: PLC0415
        from tfeval.report.publish import publish  # noqa: PLC0415
        from tfeval.report.record import records_of  # noqa: PLC0415

        chapter, error = self.job.chapter, ""
        try:
            records = records_of(notebook, chapter.name)
            html = publish(notebook, _new_page(page))
        except Exception as fault:
            if is_full(fault):
                raise
            own = isinstance(fault, TfevalError)
            if not own:
                keep_private(trace(fault), stage / TRACEBACK)
                page["private"] = TRACEBACK
            line = public_line(fault)
            error = f"{line} ({type(fault).__name__} in publication)" if own else line
            html = _failed_page(page, line)
        (stage / "report.html").write_text(html, encoding="utf-8")
        if error or "failed_in" in page:
            return error
        content: dict[str, Any] = {
            "notebook": chapter.name,
            "parameters": Subject.of(self.job.values).parameters(),
            "records": [record.content() for record in records.values()],
            **self._accepted(),
        }
        if tables := tables_of(notebook, chapter.name):
            content["tables"] = tables
        write_json(stage / "records.json", content)
        return ""

    def _skip(self, stage: Path) -> tuple[str, str, bool]:
        error = f"It reads {self.broken_input}, which failed; run it again when that is mended."
        (stage / "report.html").write_text(_failed_page(self._page(stage), error), encoding="utf-8")
        return "skipped", error, False

    def _page(self, stage: Path) -> dict[str, Any]:
        made = [
            ("Parameters", self._parameters_told),
            ("Notebook, SHA-256", notebook_hash(self.job.chapter.content)[:12]),
            ("Code, SHA-256", self.basis.code[:12]),
            ("Data", f"{len(self.basis.data)} files, each with its SHA-256 in manifest.json"),
            ("Versions", _sentence(_versions(stage), " ")),
        ]
        return {
            "title": self._title,
            **self._places(),
            "scope": scope_words(self.job.scope, self._told, self._changed()),
            "date": day(_today()),
            "made": tuple(made),
            "home": "../../index.html",
            "accepted": self._accepted().get("accepted_faults"),
        }

    @property
    def _parameters_told(self) -> str:
        said = {n: "none" if v == "" else named(n, v) for n, v in self._told.items()}
        return _sentence(said) or "none"

    @property
    def _title(self) -> str:
        """The page's heading: of one authority's or region's page it names that."""
        title, area = self.job.chapter.title, place_of(self.job.values)
        return title if area == "all" else f"{area}: {title}"

    def _places(self) -> dict[str, Any]:
        """Return where other pages of the run are, and which are read before and after it."""
        scope, names = self.job.scope, [name for name, _ in self.job.beside]
        links = [(f"../{name}/report.html", title) for name, title in self.job.beside]
        places = {name: f"../{name}/report.html" for name in names}
        for name, other in self.job.reads.items():
            places[name] = f"../{name}/report.html" if other == scope else (
                f"../../{quote(other)}/{name}/report.html")  # fmt: skip
        own = names.index(self.job.chapter.name) if self.job.chapter.name in names else -1
        return {
            "places": places,
            "before": links[own - 1] if own > 0 else None,
            "after": links[own + 1] if 0 <= own < len(links) - 1 else None,
        }

    @property
    def _told(self) -> dict[str, Any]:
        """Its parameters as they may be told."""
        return {name: told(name, value) for name, value in self.job.values.items()}

    def _changed(self) -> dict[str, Any]:
        return {name: self._told[name] for name in self.job.changed()}

    def _rests_on(self) -> dict[str, Any]:
        inputs = {
            name: file_hash(path)
            for name, scope in self.job.reads.items()
            if (path := self.out / scope / name / "records.json").is_file()
        }
        # A plan of the project's own is among its data.
        plan = Path(str(self.job.values.get("plan", "")))
        own = {"plan": file_hash(plan)} if plan.is_file() else {}
        # Whether it is registered stands beside it.
        if own and (beside := register_beside(plan)).is_file():
            own["register"] = file_hash(beside)
        before = read_manifest(self.folder) or {"rests_on": {}}
        return {
            "notebook": notebook_hash(self.job.chapter.content),
            **own,
            "code": self.basis.code,
            "data": self.basis.data,
            # Of what its run imported: only a run can say what that is.
            "versions": installed_versions(before["rests_on"].get("versions", ())),
            "parameters": self._told,
            "inputs": inputs,
            "extract": extract_state(str(self.job.values.get("extract", ""))),
            **self._accepted(),
        }

    def _accepted(self) -> dict[str, Any]:
        if self.accepted is None:
            return {}
        given = {"reason": self.accepted.reason, "faults": list(self.accepted.faults)}
        return {"accepted_faults": given}

    def _write_manifest(
        self, stage: Path, rests_on: Mapping[str, Any], status: str, error: str
    ) -> None:
        from tfeval.report.plan import plans_of  # noqa: PLC0415

        changed, values = self.job.changed(), self._told.items()
        run = stage / "notebook.ipynb"
        made = read_notebook(run) if run.is_file() else {"cells": [], "metadata": {}}
        # Of a private file not even the hash: a short text could be found from it.
        shown = [path for path in sorted(stage.iterdir()) if path.name not in PRIVATE]
        outputs = {path.name: file_hash(path) for path in shown}
        content = {
            "notebook": self.job.chapter.name,
            "title": self.job.chapter.title,
            "scope": self.job.scope,
            "reads": list(self.job.chapter.reads),
            "status": status,
            "error": error,
            "parameters": {n: {"value": v, "default": n not in changed} for n, v in values},
            "headline": headline_of(made) if status == "ok" else "",
            "simulated": shows_simulated(made),
            "rests_on": rests_on,
            "outputs": outputs,
        }
        if plans := plans_of(made):
            content["plans"] = plans
        write_json(stage / MANIFEST, content)


def _today() -> str:
    """Return the day on which a page is made; that of SOURCE_DATE_EPOCH where it is set."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = dt.datetime.fromtimestamp(int(given) if given.isdigit() else time.time(), dt.UTC)
    return now.date().isoformat()


def _versions(stage: Path) -> dict[str, str]:
    """Return the versions of what a run imported, and of what makes its page."""
    path = stage / IMPORTED
    ran = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return installed_versions([*ran, *PAGE])


def _new_page(fields: Mapping[str, Any]) -> Any:
    from tfeval.report.publish import Page  # noqa: PLC0415

    return Page(**fields)


def _failed_page(fields: Mapping[str, Any], message: str) -> str:
    from tfeval.report.publish import publish  # noqa: PLC0415

    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return publish(empty, _new_page({**fields, "failed_in": 0, "message": message}))


def _sentence(values: Mapping[str, Any], between: str = " = ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())
