"""One notebook through Papermill, with outputs that are the same on every run and machine."""

from __future__ import annotations

import ast
import json
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets.config import Config

from tfeval.errors import NOT_SHOWN, ReportError
from tfeval.report.fingerprint import (
    FOREIGN,
    OWN,
    STDERR,
    TRACEBACK,
    is_full,
    keep_private,
    source,
    trace,
)
from tfeval.report.kernels import PACKAGE_PARENT, kernels
from tfeval.report.plan import notebook_names, plan
from tfeval.report.subject import EXTRACT, told
from tfeval.report.warm import WarmKernels
from tfeval.settings import CELL_MINUTES

# jsonschema would compile a grammar of addresses, which no notebook's schema asks for: as long as
# all else that Papermill imports.
_GRAMMAR = "rfc3987_syntax"
_absent = sys.modules.setdefault(_GRAMMAR, None) is None  # type: ignore[arg-type]
import papermill  # noqa: E402
from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402

if _absent:
    del sys.modules[_GRAMMAR]

INJECTED = "injected-parameters"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_EXTRACT = re.compile(rf"^({EXTRACT}) = (.+)$", re.MULTILINE)
_ERROR_MARKER = "papermill-error-cell-tag"
_PYTHON = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py",
           "pygments_lexer": "ipython3", "codemirror_mode": {"name": "ipython", "version": 3},
           "nbconvert_exporter": "python"}  # fmt: skip
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# That a kernel died or ran out of time is told in our words, not on stderr as well.
logging.getLogger("papermill").addHandler(logging.NullHandler())


_ENGINE = "tfeval"


class _SavedOnce(NBClientEngine):
    """Papermill's own engine, but that it writes the whole notebook at its end, not twice a cell.

    What a killed run leaves is no page either way, and the writing took most of the runner's time.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        save, nb_man.save = nb_man.save, lambda **_: None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.save = save


papermill_engines.register(_ENGINE, _SavedOnce)


@dataclass(frozen=True)
class Failure:
    """Why a notebook failed.

    Attributes
    ----------
    cell : int
        Which code cell, counted from 1; 0 if none can be blamed.
    kind : str
        The exception's class.
    message : str
        What it said.
    own : bool
        Whether these are this package's own words; else they are never shown.
    """

    cell: int
    kind: str
    message: str
    own: bool = False

    @property
    def by_chance(self) -> bool:
        """Whether it may go well another time: its kernel died, or a library failed."""
        return not self.own or self.kind == DeadKernelError.__name__

    def shown(self) -> str:
        """Return what a page may say of it."""
        return f"{self.kind}: {self.message if self.own else NOT_SHOWN}"

    def public(self) -> str:
        """Return one line for a log: this package's own message, or the kind and where it was."""
        where = f" in code cell {self.cell}" if self.cell else ""
        if self.own:
            return f"{self.message} ({self.kind}{where})"
        return f"{self.kind}{where}; {TRACEBACK} beside the page says more"


def execute(
    content: Mapping[str, Any], parameters: Mapping[str, Any], folder: Path, *,
    keeps_files: bool = False, drawings_alone: bool = False, cell_minutes: float = CELL_MINUTES,
    warm: WarmKernels | None = None, started_in: str = "",
) -> tuple[dict[str, Any], Failure | None]:  # fmt: skip
    """Run a notebook in a kernel of its own.

    Parameters
    ----------
    content : mapping
        The notebook's JSON.
    parameters : mapping
        What differs from the notebook's defaults.
    folder : Path
        The kernel's working folder; `notebook.ipynb` is written there.
    keeps_files : bool, default False
        Whether the folder is a report's, in which what a page writes beside it stays.
    drawings_alone : bool, default False
        Whether charts are kept as drawings alone, which pages show, and not as pictures too.
    cell_minutes : float, default 60
        How long a cell may take.
    warm : WarmKernels, optional
        Where the kernel is forked; by default it is started anew. What it makes is the same.
    started_in : str, optional
        The folder from which an extract is named; by default this process's own.

    Returns
    -------
    notebook : dict
        The executed notebook, normalised; up to the failing cell where one failed.
    failure : Failure or None
        Why it failed.

    Raises
    ------
    OSError
        If the disk is full.
    """
    prepared = _prepared(content)
    path = folder / "notebook.ipynb"
    write_notebook(prepared, path)
    escaped = str(path).replace("{", "{{").replace("}", "}}")
    died = late = None
    with tempfile.TemporaryDirectory(prefix="tfeval-") as private:
        config = Config()
        # Sockets as private files: nobody else on a shared server can read them.
        config.KernelManager.transport = "tcp" if os.name == "nt" else "ipc"
        config.KernelManager.connection_file = str(Path(private) / "kernel.json")
        config.KernelManager.keeps_files = keeps_files
        config.KernelManager.drawings_alone = drawings_alone
        try:
            papermill.execute_notebook(
                escaped, escaped, dict(parameters), kernel_name="python3", progress_bar=False,
                engine_name=_ENGINE,
                start_timeout=120, kernel_manager_class=kernels(warm, started_in), config=config,
                execution_timeout=math.ceil(60 * cell_minutes),
                resources={"metadata": {"path": str(folder)}},
            )  # fmt: skip
        except PapermillExecutionError:
            pass
        except CellTimeoutError:
            late = f"A cell took longer than {cell_minutes:g} minutes, which is as long as it may"
        except Exception as fault:
            if is_full(fault):
                raise
            own = isinstance(fault, DeadKernelError)
            died = Failure(0, type(fault).__name__, "The kernel died." if own else NOT_SHOWN, own)
            keep_private(trace(fault), folder / TRACEBACK)
    done = json.loads(path.read_text(encoding="utf-8"))
    if late:
        _mark_late(done, f"{late}: see that it ends, or give it more with --cell-minutes.")
    _withhold(done, folder)
    done = _normalised(done, prepared)
    write_notebook(done, path)
    return done, _failure(done) or died


def _mark_late(notebook: dict[str, Any], message: str) -> None:
    """Let the cell that was running say that its time ran out, in our own words."""
    begun = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"
             and cell["metadata"].get("papermill", {}).get("start_time")]  # fmt: skip
    error = {"output_type": "error", "ename": "CellTimeoutError", "evalue": message,
             "traceback": [OWN]}  # fmt: skip
    # Its end interrupted it, which is not what went wrong.
    kept = [output for output in begun[-1]["outputs"] if output["output_type"] != "error"]
    begun[-1]["outputs"] = [*kept, error]


def _withhold(notebook: dict[str, Any], folder: Path) -> None:
    """Take out of a notebook what may quote a row: foreign exceptions, and what went to stderr."""
    for cell in notebook["cells"]:
        kept = []
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream" and output["name"] == "stderr":
                keep_private(source({"source": output["text"]}), folder / STDERR)
                continue
            if output["output_type"] == "error":
                kept.append(_withheld(output, folder))
                continue
            kept.append(output)
        if "outputs" in cell:
            cell["outputs"] = kept
    empty = folder / STDERR
    if empty.is_file() and not empty.read_bytes().strip():
        empty.unlink()


def _withheld(error: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return an exception without its traceback, and without its text unless that is our own."""
    if error["traceback"] in ([OWN], [FOREIGN]):
        return {**error, "traceback": []}
    # The kernel could not make it fit to be shown.
    keep_private("\n".join([error["evalue"], *error["traceback"]]), folder / TRACEBACK)
    return {**error, "evalue": NOT_SHOWN, "traceback": []}


def _prepared(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook without outputs, with an id on each cell."""
    cells = []
    for number, cell in enumerate(content["cells"], start=1):
        kept = {**cell, "source": source(cell), "id": cell.get("id", f"cell-{number}")}
        if cell["cell_type"] == "code":
            kept |= {"outputs": [], "execution_count": None}
        cells.append(kept)
    metadata = {"kernelspec": _KERNEL, "language_info": _PYTHON}
    if "tfeval" in content["metadata"]:
        metadata["tfeval"] = content["metadata"]["tfeval"]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _normalised(done: dict[str, Any], prepared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the executed notebook without times, random ids, colours and paths."""
    identities = iter(prepared["cells"])
    cells = []
    for cell in done["cells"]:
        tags = cell["metadata"].get("tags", [])
        if _ERROR_MARKER in tags:
            continue
        kept = {**cell, "source": source(cell)}
        if INJECTED in tags:
            kept |= {"id": INJECTED, "metadata": {"tags": [INJECTED]}}
            kept["source"] = _EXTRACT.sub(_told_line, kept["source"])
            kept["source"] = kept["source"].replace("# Parameters\n", "# Parameters of this run\n")
        else:
            original = next(identities)
            kept |= {"id": original["id"], "metadata": original["metadata"]}
        if cell["cell_type"] == "code":
            kept["outputs"] = _outputs(cell["outputs"])
        cells.append(kept)
    return {**prepared, "cells": cells}


def _told_line(line: re.Match[str]) -> str:
    """Return a parameter's line with an extract's name in the place of its path."""
    name, value = line[1], ast.literal_eval(line[2])
    return f"{name} = {json.dumps(told(name, value), ensure_ascii=False)}"


def _outputs(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            text = _clean(source({"source": output["text"]}))
            before = next((o for o in _last_streams(kept) if o["name"] == output["name"]), None)
            if before is not None:  # how a stream is cut into pieces depends on the clock
                before["text"] += text
            else:
                kept.append({**output, "text": text})
        elif output["output_type"] == "error":
            kept.append({**output, "evalue": _clean(output["evalue"])})
        else:
            # Widgets live in a kernel: without one, what is shown beside them stands for them.
            data = {kind: content for kind, content in output.get("data", {}).items()
                    if kind != WIDGET_MIME}  # fmt: skip
            kept.append({**output, "data": data} if "data" in output else output)
    return kept


WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def _last_streams(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    streams = []
    for output in reversed(kept):
        if output["output_type"] != "stream":
            break
        streams.append(output)
    return streams


def _clean(text: str) -> str:
    """Return text without terminal colours and without this machine's folders."""
    text = _ANSI.sub("", text)
    for folder, name in ((PACKAGE_PARENT, ""), (Path(sys.prefix), "python"), (Path.home(), "~")):
        if folder != Path(folder.anchor):
            text = text.replace(f"{folder}{os.sep}", f"{name}/" if name else "")
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/ipykernel_\d+/\d+\.py", "cell", text)


def _failure(done: Mapping[str, Any]) -> Failure | None:
    number = 0
    for cell in done["cells"]:
        if cell["cell_type"] != "code" or INJECTED in cell["metadata"].get("tags", []):
            continue
        number += 1
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                text = output["evalue"].strip() or "no message"
                return Failure(number, output["ename"], text, text != NOT_SHOWN)
    return None


def write_notebook(content: Mapping[str, Any], path: Path) -> None:
    """Write a notebook's JSON the same way every time, text by lines so that changes show."""
    cells = []
    for cell in content["cells"]:
        kept = {**cell, "source": cell["source"].splitlines(keepends=True)}
        if "outputs" in cell:
            kept["outputs"] = [
                {**out, "text": source({"source": out["text"]}).splitlines(keepends=True)}
                if "text" in out
                else out
                for out in cell["outputs"]
            ]
        cells.append(kept)
    written = {**content, "cells": cells}
    text = json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


# The project's notebooks kept with the outputs of their default parameters.


def store(
    names: Iterable[str], folder: Path, report: Callable[[Path], None] | None = None
) -> list[Path]:
    """Run notebooks on their defaults and keep them, with outputs, where they are.

    Parameters
    ----------
    names : iterable of str
        Notebooks; none for all.
    folder : Path
        The project's notebooks.
    report : callable, optional
        Called with each path once it is stored.

    Returns
    -------
    list of Path
        What was stored, each after what it reads.

    Raises
    ------
    ReportError
        If one fails; it stays as it was, and so do those after it.
    """
    wanted = {name.removesuffix(".ipynb") for name in names} or set(notebook_names(folder))
    stored = []
    chapters = {job.chapter.name: job.chapter for job in plan(sorted(wanted), {}, folder)}
    for chapter in chapters.values():
        if chapter.name not in wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="tfeval-") as private:
            notebook, failure = execute(chapter.content, {}, Path(private))
        if failure:
            raise ReportError(f"{chapter.name} is not stored: {failure.public()}.")
        path = folder / f"{chapter.name}.ipynb"
        stage = folder / f".{chapter.name}.{os.getpid()}.tmp"
        try:
            write_notebook(notebook, stage)
            stage.replace(path)
        finally:
            stage.unlink(missing_ok=True)
        stored.append(path)
        if report:
            report(path)
    return stored
