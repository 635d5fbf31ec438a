"""The project's notebooks kept with the outputs of their default parameters."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tfeval.errors import ReportError
from tfeval.report.plan import notebook_names, plan


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
    from tfeval.report.execute import execute, write_notebook  # noqa: PLC0415

    asked = {name.removesuffix(".ipynb") for name in names} or set(notebook_names(folder))
    stored = []
    chapters = {job.chapter.name: job.chapter for job in plan(sorted(asked), {}, folder)}
    for chapter in chapters.values():
        if chapter.name not in asked:
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
