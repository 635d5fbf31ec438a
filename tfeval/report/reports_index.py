"""The index of all reports: what is where, what failed and why, what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tfeval.display.names import SIMULATED
from tfeval.report.fingerprint import (
    code_hash,
    data_files,
    make_private,
    read_manifest,
    write_whole,
)
from tfeval.report.plan import AREA, REGION, reading_place, scope_words

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

    entries, versions = _pages_in(out)
    html = finish(_render(entries, versions), TITLE)
    path = out / "index.html"
    make_private(out)
    write_whole(path, html)
    return path


def _pages_in(out: Path) -> tuple[list[dict[str, Any]], str]:
    """Return an entry for each run on disk, by scope and notebook, and what all were made with."""
    code = code_hash()
    folders = sorted(path.parent for path in out.glob("[!.]*/[!.]*/manifest.json"))
    manifests = {folder: manifest for folder in folders if (manifest := read_manifest(folder))}
    versions: dict[str, set[str]] = {}
    for manifest in manifests.values():
        for name, number in manifest["rests_on"].get("versions", {}).items():
            versions.setdefault(name, set()).add(number)
    spread = (f"{name} {' and '.join(sorted(versions[name]))}" for name in sorted(versions))
    return [_entry(*item, code) for item in manifests.items()], ", ".join(spread)


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
        "kind": REGION if REGION in values else AREA,
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


#: Areas of one kind: the parameter that names one, the group's title, what one is.
_KINDS = ((REGION, "Regions", "Region"), (AREA, "Local authorities", "Authority"))


def _groups(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return national reports by scope, then a table of all regions and one of all authorities."""
    national: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        if entry["scope"].split("--")[0] == "national":
            national.setdefault(entry["scope"], []).append(entry | {"label": entry["title"]})
    for chapters in national.values():
        chapters.sort(key=lambda entry: reading_place(entry["name"]))
    reports = [
        {
            "about": chapters[-1]["about"],
            "caption": f"Chapters: {chapters[-1]['about']}",
            "entries": chapters,
        }
        for chapters in national.values()
    ]
    groups = []
    if reports:
        groups.append({"title": "National report", "first": "Chapter", "reports": reports,
                       "several": len(reports) > 1, "listed": False})  # fmt: skip
    for kind, title, first in _KINDS:
        areas = [one for one in entries if one["scope"] not in national and one["kind"] == kind]
        if not areas:
            continue
        titles = {entry["title"] for entry in areas}
        one = len(titles) == 1 and len(areas) > 1  # it stands in the caption then, and once
        areas = [entry | {"label": entry["about"] if one else f"{entry['about']}: {entry['title']}"}
                 for entry in areas]  # fmt: skip
        caption = f"Pages on one {first.lower()}" + (f": {min(titles)}" if one else "")
        report = {"about": "", "caption": caption, "entries": areas}
        groups.append({"title": title, "first": first, "reports": [report], "several": False,
                       "listed": True})  # fmt: skip
    return groups
