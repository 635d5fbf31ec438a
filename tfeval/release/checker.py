"""What an output checker opens, inside: each cell with what it was made from, and why it stands so.

In the form of ACRO (version 0.4 of its results.json, with a checksum beside each file), which
SACRO's viewer reads. Reference: Smith et al. (2023), SACRO: semi-automated checking of research
outputs; github.com/AI-SDC/ACRO, github.com/AI-SDC/SACRO-Viewer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfeval.display.tables import THRESHOLD
from tfeval.release.keys import DOMINANCE, REACH
from tfeval.release.released import SECONDARY, SMALL, Released

_VERSION = "0.4.8"
_TABLES = ("count", "share", "mean", "effect", "balance")
#: What of a cell the checker sees.
_INSIDE = ["number", "outcome", "months", "arm", "level", "area", "exact", "released", "unit",
           "error", "released_error", "n", "events", "least", "largest", "drop", "reason", "apart",
           "low", "high", "within_unit", "p_share"]  # fmt: skip


def write_checker(
    folder: Path, released: Mapping[str, Released], outside: Path, name: str,
    *, stays: Iterable[str] = (),
) -> None:  # fmt: skip
    """Write the folder for the output checker.

    Parameters
    ----------
    folder : Path
        An empty folder, inside.
    released : mapping of str to Released
        By report.
    outside : Path
        What is to leave, of whose files the hashes are told.
    name : str
        Of the release.
    stays : iterable of str
        Titles of pages that are not released.
    """
    results: dict[str, Any] = {}
    (folder / "checksums").mkdir()
    for scope, one in released.items():
        frame = _inside(one)
        for kind in _TABLES:
            own = frame[frame["kind"] == kind].reset_index(drop=True)
            if len(own):
                uid = f"{scope}_{kind}"
                _write(folder, f"{uid}.csv", own[_INSIDE].to_csv(index=True))
                results[uid] = _result(uid, kind, own, name)
    hashes = {path.relative_to(outside).as_posix(): _sha256(path)
              for path in sorted(outside.rglob("*")) if path.is_file()}  # fmt: skip
    record = {"release": name, "outside": hashes, "stays_inside": list(stays),
              "not_covered": _NOT_COVERED}  # fmt: skip
    _write(folder, "release.txt", json.dumps(record, indent=1))
    results["release"] = _custom(name)
    content = {"version": _VERSION, "results": results}
    (folder / "results.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    config = {"safe_threshold": THRESHOLD, "safe_p_percent": 1 / DOMINANCE}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


_NOT_COVERED = [
    "effects behind a regression: how far families move them is to first order, with the design "
    "held, and was not worked out by making the design again",
    "means and effects of earlier releases are not among what the linear programmes know: there "
    "only the ledger stands between two sets of nearly the same families",
    "sums and differences of more than three earlier sets, or of sets of different numbers",
    "who knows how cells are chosen to be hidden",
    "text, charts and spreadsheets of pages inside, none of which is released: chapters outside "
    "are made of released cells and published figures alone",
]


def _inside(released: Released) -> pd.DataFrame:
    frame = released.frame.copy()
    near = {one.cell: one for one in released.reached if not one.complement}
    frame["low"] = [near[at].low if at in near else np.nan for at in frame.index]
    frame["high"] = [near[at].high if at in near else np.nan for at in frame.index]
    off = (frame["exact"] - frame["released"]).abs()
    frame["within_unit"] = np.where(frame["shown"] & off.notna(), off <= REACH * frame["unit"], "")
    frame["p_share"] = frame["largest"] / frame["unit"]
    return frame


def _result(uid: str, kind: str, own: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return a table as ACRO describes one: all that is under ten is hidden, so it is to review."""
    small = np.flatnonzero(own["reason"] == SMALL).tolist()
    more = np.flatnonzero(own["reason"] == SECONDARY).tolist()
    earlier = np.flatnonzero(own["apart"] >= 0).tolist()
    place = _INSIDE.index("released")
    cells = {"negative": [], "missing": [], "threshold": [[at, place] for at in small],
             "p-ratio": [], "nk-rule": [], "all-values-are-same": []}  # fmt: skip
    counts = {key: len(places) for key, places in cells.items()}
    said = np.where(own["reason"] == SMALL, "threshold; ", np.where(own["shown"], "ok", "hidden; "))
    summary = (
        f"pass; threshold: {len(small)} cells suppressed; secondary: {len(more)} cells suppressed; "
        f"{len(earlier)} said as in an earlier table or release"
    )
    return {
        "uid": uid, "status": "pass", "type": "table",
        "properties": {"method": "tfeval release", "release": name},
        "files": [{"name": f"{uid}.csv",
                   "sdc": {"summary": {"suppressed": True, **counts}, "cells": cells}}],
        "outcome": {"released": {str(at): str(one) for at, one in enumerate(said)}},
        "command": f"tfeval release: {kind}", "summary": summary, "timestamp": _now(),
        "comments": ["Exact numbers, for the output checker alone: this file does not leave."],
        "exception": "",
    }  # fmt: skip


def _custom(name: str) -> dict[str, Any]:
    return {
        "uid": "release", "status": "review", "type": "custom",
        "properties": {"release": name}, "files": [{"name": "release.txt", "sdc": {}}],
        "outcome": {}, "command": "custom", "summary": "review", "timestamp": _now(),
        "comments": ["Hashes of what leaves, what stays, and what no rule here covers."],
        "exception": "",
    }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    (folder / "checksums" / f"{name}.txt").write_text(_sha256(path), encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
