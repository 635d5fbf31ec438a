"""Folders of finished runs: put in place whole, checked by hash, cleaned after a kill."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfeval.report.fingerprint import file_hash
from tfeval.report.private import PRIVATE

MANIFEST = "manifest.json"


def stage_for(folder: Path) -> Path:
    """Return a new, empty folder beside `folder`, to be filled and then put in its place."""
    stage = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    return stage


def is_current(folder: Path, rests_on: Mapping[str, Any]) -> bool:
    """Tell whether a finished folder rests on exactly this and its files are as they were made."""
    manifest = read_manifest(folder)
    if manifest is None or manifest["status"] != "ok" or manifest["rests_on"] != rests_on:
        return False
    files = {path.name for path in folder.iterdir()} - {MANIFEST, *PRIVATE}
    return files == set(manifest["outputs"]) and all(
        file_hash(folder / name) == made for name, made in manifest["outputs"].items()
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return a folder's manifest, None if it has none that can be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted = {"notebook", "title", "scope", "status", "parameters", "rests_on", "outputs"}
    return found if isinstance(found, dict) and wanted <= set(found) else None


def put_in_place(stage: Path, folder: Path) -> None:
    """Move a finished folder to its name; an older one steps aside first and then goes."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(aside)
    stage.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def clean_leftovers(scope: Path) -> None:
    """Remove what killed runs left; give back a folder that had only stepped aside."""
    for path in sorted(scope.glob(".*.*.tmp")) + sorted(scope.glob(".*.*.old")):
        name, pid, kind = path.name[1:].rsplit(".", 2)
        if pid.isdigit() and _is_running(int(pid)):
            continue
        if kind == "old" and not (scope / name).exists():
            path.rename(scope / name)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_running(pid: int) -> bool:
    # On Windows signal 0 would end the process.
    if pid == os.getpid() or os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON the same way every time."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
