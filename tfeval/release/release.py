"""From a folder of reports, which stays inside, to a folder that may leave."""

from __future__ import annotations

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
from tfeval.release.pages import EARLIER, INDEX, REGISTER, count_of, files_of, index_of, register_of
from tfeval.release.released import Released, release_cells
from tfeval.release.scan import faults
from tfeval.report.cells import FILE, read_cells, together
from tfeval.report.fingerprint import close_to_others, file_hash, read_manifest
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
    if outside.resolve().is_relative_to(reports.resolve()):
        raise TfevalError(f"{outside} lies inside {reports}, which stays inside: choose another.")
    close_to_others(reports)
    scopes = _scopes(reports)
    if not scopes:
        raise TfevalError(
            f"No page in {reports} has cells to release: chapters 2, 4 and 6 write them. Run those."
        )
    book = Ledger(ledger)
    made: dict[str, Released] = {}
    with written_whole(outside, private=True) as (draft,):
        pages_of = [(scope, folder) for scope, pages in scopes.items() for folder in pages]
        cells = together((read_cells(folder / FILE) for _, folder in pages_of),
                         [scope for scope, _ in pages_of])  # fmt: skip
        whole = release_cells(cells, book)
        for scope, pages in scopes.items():
            made[scope] = whole.of(scope)
            (draft / scope).mkdir(mode=0o700)
            about = _about(_choices(pages[0].parent), made[scope])
            for name, text in files_of(register_of(made[scope]), about).items():
                _write(draft / scope / name, text)
            book.add_table(file_hash(draft / scope / REGISTER))
        _write(draft / INDEX, index_of(draft))
        if wrong := faults(draft, book, proved=True):
            more = f"; and {len(wrong) - _TOLD_FAULTS} more" * (len(wrong) > _TOLD_FAULTS)
            raise ReportError(f"Nothing is released: {'; '.join(wrong[:_TOLD_FAULTS])}{more}.")
        name = book.next_release()
        checker = _free(reports / CHECKER / name)
        write_checker(checker, made, draft, name, stays=_stays(reports))
        book.save()
    counts = tuple((scope, *count_of(register_of(one))) for scope, one in made.items())
    return Release(outside, checker, name, counts)


def _free(folder: Path) -> Path:
    """Return the folder's name, or the next that is free: of another ledger's releases, say."""
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(one for one in chain([folder], others) if not one.exists())


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _scopes(reports: Path) -> dict[str, list[Path]]:
    """Return by report the folders of the pages that have cells, as they were made."""
    scopes: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    for path in sorted(reports.glob(f"[!.]*/[!.]*/{FILE}")):
        manifest = read_manifest(path.parent)
        if manifest is None or manifest["status"] != "ok":
            continue
        if manifest["outputs"].get(FILE) != file_hash(path):
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
    folders.sort(key=lambda folder: not (folder / FILE).exists())
    allowed, choices = told(), dict[str, object]()
    for manifest in filter(None, map(read_manifest, folders)):
        for name, item in manifest["parameters"].items():
            if name in allowed:
                choices.setdefault(name, item["value"])
    return choices


def _stays(reports: Path) -> list[str]:
    """Return the pages that are not released, by their titles."""
    manifests = (read_manifest(one.parent) for one in sorted(reports.glob("*/*/manifest.json")))
    return sorted({str(one["title"]) for one in manifests if one})


def _about(choices: Mapping[str, object], released: Released) -> dict[str, str]:
    again = bool((released.frame["apart"] >= 0).any())
    return {name: told_as(name, value) for name, value in choices.items()} | {
        "simulated": "yes" if released.simulated else "no", EARLIER: "yes" if again else "no",
    }  # fmt: skip
