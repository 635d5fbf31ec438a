"""From a folder of reports, which stays inside, to a folder that may leave."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from tfeval.errors import ReportError, TfevalError
from tfeval.programme.claims import authorities, regions
from tfeval.records.private import written_whole
from tfeval.release.chapters import FREE_TEXT, told, told_as
from tfeval.release.checker import write_checker
from tfeval.release.ledger import Ledger
from tfeval.release.pages import (
    EARLIER,
    INDEX,
    REGISTER,
    count_of,
    csv_of,
    files_of,
    index_of,
    register_of,
)
from tfeval.release.released import Released, release_cells
from tfeval.release.scan import choice_faults, faults
from tfeval.report.cells import FILE, read_cells, together
from tfeval.report.fingerprint import MANIFEST, close_to_others, file_hash, read_manifest
from tfeval.report.plan import area_folder, slug

CHECKER = "checker"
_TOLD_FAULTS = 5


@dataclass(frozen=True)
class Release:
    """What was released.

    Attributes
    ----------
    outside : Path
        What may leave.
    checker : Path
        For the output checker; it stays inside.
    name : str
        Of the release in the ledger.
    scopes : tuple of (str, int, int)
        Each report, with the numbers shown and hidden.
    """

    outside: Path
    checker: Path
    name: str
    scopes: tuple[tuple[str, int, int], ...]

    def text(self) -> str:
        """Return a line for each report, and where things are."""
        lines = [f"{scope}: {shown:,} numbers released, {hidden:,} hidden"
                 for scope, shown, hidden in self.scopes]  # fmt: skip
        return "\n".join([*lines, f"Release {self.name}: {self.outside}",
                          f"For the output checker, inside: {self.checker}"])  # fmt: skip


def release(reports: Path, outside: Path, ledger: Path) -> Release:
    """Release the numbers of finished reports as cells.

    Parameters
    ----------
    reports : Path
        As `tfeval run` writes it. It is closed to all but its owner.
    outside : Path
        A new folder: what may leave.
    ledger : Path
        Of all releases from these records; made, with its key, if it is not there.

    Raises
    ------
    TfevalError
        If there is no report with cells, `outside` exists, or anything in it would be at fault.
    """
    if not reports.is_dir():
        raise TfevalError(f"There is no folder {reports} of reports.")
    if outside.parent.resolve().is_relative_to(reports.resolve()):
        raise TfevalError(f"{outside} lies inside {reports}, which stays inside: choose another.")
    close_to_others(reports)
    scopes = _scopes(reports)
    if not scopes:
        raise TfevalError(
            f"No page in {reports} has cells to release: chapters 2, 4 and 6 write them. Run those."
        )
    book = Ledger(ledger)
    made: dict[str, Released] = {}
    name = book.next_release()
    checker = _free(reports / CHECKER / name)
    # What leaves has its name last: whatever stops a release, all behind it is there.
    with written_whole(checker, outside, private=True) as (inside, draft):
        pages_of = [(scope, folder) for scope, pages in scopes.items() for folder in pages]
        cells = together((read_cells(folder / FILE) for _, folder in pages_of),
                         [scope for scope, _ in pages_of])  # fmt: skip
        whole = release_cells(cells, book)
        for scope, pages in scopes.items():
            made[scope] = whole.of(scope)
            _write_scope(draft / scope, made[scope], pages[0].parent, book)
        _write(draft / INDEX, index_of(draft))
        if wrong := faults(draft, book, proved=True):
            more = f"; and {len(wrong) - _TOLD_FAULTS} more" * (len(wrong) > _TOLD_FAULTS)
            raise ReportError(f"Nothing is released: {'; '.join(wrong[:_TOLD_FAULTS])}{more}.")
        write_checker(inside, made, draft, name, stays=_stays(reports))
        book.save()
    counts = tuple((scope, *count_of(register_of(one))) for scope, one in made.items())
    return Release(outside, checker, name, counts)


def _write_scope(folder: Path, released: Released, report: Path, book: Ledger) -> None:
    """Write what is to leave of one report."""
    folder.mkdir(mode=0o700)
    register = register_of(released)
    _write(folder / REGISTER, csv_of(register))
    again = bool((released.frame["apart"] >= 0).any())
    again = book.add_table(file_hash(folder / REGISTER), again)
    about = _about(_choices(report), released, again)
    if wrong := [*choice_faults(about)]:
        raise ReportError(f"Nothing is released: of {report}, {wrong[0]}.")
    for name, text in files_of(register, about).items():
        _write(folder / name, text)


def _free(folder: Path) -> Path:
    """Return the folder's name, or the next that is free: of another ledger's releases, say."""
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(one for one in chain([folder], others) if not os.path.lexists(one))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _scopes(reports: Path) -> dict[str, list[Path]]:
    """Return by report the folders of the pages that have cells, as they were made."""
    scopes: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    for folder in sorted(reports.glob("[!.]*/[!.]*")):
        path, manifest = folder / FILE, read_manifest(folder)
        if not (os.path.lexists(path) or os.path.lexists(folder / MANIFEST)):
            continue
        if manifest is None:
            raise TfevalError(f"{folder / MANIFEST} cannot be read: run the page again.")
        known = manifest["outputs"].get(FILE)
        if manifest["status"] != "ok" or not (known or os.path.lexists(path)):
            continue
        if not path.is_file() or known != file_hash(path):
            raise TfevalError(f"{path} is not as its page made it: run the page again.")
        own = path.parent.parent.name
        if own not in names:
            names[own] = _name_outside(own, _choices(path.parent.parent), set(names.values()))
        scopes.setdefault(names[own], []).append(path.parent)
    return scopes


def _name_outside(scope: str, choices: Mapping[str, object], taken: Collection[str]) -> str:
    """Return what a report is called outside: by its area and the choices that leave alone.

    A folder of an extract's report has the extract's name, and a hash of where it lies; and
    anybody may name a folder.
    """
    area, *parts = scope.split("--")
    known = {"national", *map(area_folder, [*authorities().values(), *regions()])}
    own = {f"{name}-{slug(value)}" for name, value in choices.items() if name not in FREE_TEXT}
    name = "--".join([area if area in known else "report", *(one for one in parts if one in own)])
    others = (f"{name}--{number}" for number in count(2))
    return next(one for one in chain([name], others) if one not in taken)


def _choices(report: Path) -> dict[str, object]:
    """Return the parameters of a report that may leave: first of the pages that have cells."""
    folders = [path.parent for path in sorted(report.glob("*/manifest.json"))]
    with_cells = {folder for folder in folders if (folder / FILE).exists()}
    folders.sort(key=lambda folder: folder not in with_cells)
    allowed, choices = told(), dict[str, object]()
    for folder in folders:
        for name, item in (read_manifest(folder) or {"parameters": {}})["parameters"].items():
            if name not in allowed:
                continue
            if choices.setdefault(name, item["value"]) != item["value"] and folder in with_cells:
                raise TfevalError(
                    f"Pages with cells in {report} differ in {name}: run all with one value."
                )
    return choices


def _stays(reports: Path) -> list[str]:
    """Return the pages that are not released, by their titles."""
    manifests = (read_manifest(one.parent) for one in sorted(reports.glob("*/*/manifest.json")))
    return sorted({str(one["title"]) for one in manifests if one})


def _about(choices: Mapping[str, object], released: Released, again: bool) -> dict[str, str]:
    return {name: told_as(name, value) for name, value in choices.items()} | {
        "simulated": "yes" if released.simulated else "no", EARLIER: "yes" if again else "no",
    }  # fmt: skip
