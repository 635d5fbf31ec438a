"""What is not whole, or is another thing, is refused in a line; and nothing of it is written."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tfeval.errors import TfevalError
from tfeval.release import foreign
from tfeval.release.ledger import Ledger
from tfeval.release.release import release
from tfeval.release.scan import faults
from tfeval.report.cells import FILE
from tfeval.report.fingerprint import MANIFEST, file_hash

WHO = "Zebediah Quillfeather"
#: The page, the ledger's key, its first release.
PAGE, KEY, FIRST = f"reports/national/04_impact/{FILE}", "ledger/key", "ledger/releases/0001.npz"
MADE = f"reports/national/04_impact/{MANIFEST}"
Spoil = Callable[[Path], object]


def content(place: str, change: Callable[[bytes], bytes]) -> Spoil:
    return lambda root: (root / place).write_bytes(change((root / place).read_bytes()))


def instead(place: str, make: Callable[[Path], object]) -> Spoil:
    return lambda root: ((root / place).unlink(), make(root / place))


def as_made(root: Path) -> None:
    """Let a page's manifest say that its cells are what it made."""
    told = json.loads((root / MADE).read_text())
    told["outputs"] = {FILE: file_hash(root / PAGE)}
    (root / MADE).write_text(json.dumps(told))


def packed(place: str, change: Callable[[dict, dict], object]) -> Spoil:
    """Return what changes an archive's arrays, and what is told in it."""

    def spoil(root: Path) -> None:
        with np.load(root / place) as archive:
            arrays = dict(archive)
        told = json.loads(str(arrays["told"]))
        change(arrays, told)
        np.savez(root / place, **{**arrays, "told": np.array(json.dumps(told))})
        as_made(root)

    return spoil


def manifest(**more: object) -> Spoil:
    return lambda root: (root / MADE).write_text(
        json.dumps(json.loads((root / MADE).read_text()) | more)
    )


def parameter(name: str, value: object) -> Spoil:
    return manifest(parameters={name: {"value": value}})


def loop(path: Path) -> None:
    path.symlink_to(path)


NO_CELLS, NO_PAGE, NOT_MADE = "holds no cells", "manifest.json cannot be read", "as its page made"
NO_KEY, NO_RELEASE, LACKS = "not the key of a ledger", "0001.npz cannot be read", "lacks 00"
KINDS: dict[str, tuple[Spoil, str]] = {
    "cells empty": (lambda root: ((root / PAGE).write_bytes(b""), as_made(root)), NO_CELLS),
    "cells cut": (lambda root: (content(PAGE, lambda own: own[:400])(root), as_made(root)),
                  NO_CELLS),
    "cells a pipe": (instead(PAGE, os.mkfifo), NOT_MADE),
    "cells a loop": (instead(PAGE, loop), NOT_MADE),
    "cells gone": (instead(PAGE, bool), NOT_MADE),
    "members before the first": (packed(PAGE, lambda arrays, _: arrays.update(
        members=arrays["members"].astype(np.int64) - 10**6)), NO_CELLS),
    "sets that are not there": (packed(PAGE, lambda arrays, _: arrays.update(
        starts=arrays["starts"][:3])), NO_CELLS),
    "rows of an older kind": (packed(PAGE, lambda _, told: told.update(
        rows=[row[:-1] for row in told["rows"]])), NO_CELLS),
    "no rows": (packed(PAGE, lambda _, told: told.update(rows=[])), NO_CELLS),
    "a manifest cut": (content(MADE, lambda own: own[:99]), NO_PAGE),
    "a manifest a folder": (instead(MADE, Path.mkdir), NO_PAGE),
    "a manifest without end": (content(MADE, lambda _: b"[" * 99_999), NO_PAGE),
    "outputs that are none": (manifest(outputs=[WHO]), NO_PAGE),
    "a parameter that is none": (parameter("horizon", WHO), "a value that it cannot have"),
    "half a letter": (parameter("caliper", "\ud800"), "a value that it cannot have"),
    "outside a loop": (lambda root: loop(root / "outside"), "exists already"),
    "a key cut": (content(KEY, lambda own: own[:40]), NO_KEY),
    "no key in it": (content(KEY, lambda _: b""), NO_KEY),
    "a key of letters": (content(KEY, lambda _: WHO.encode()), NO_KEY),
    "another's key": (content(KEY, lambda _: b"ab" * 32), NO_RELEASE),
    "releases gone": (lambda root: shutil.rmtree(root / "ledger" / "releases"), "has no releases"),
    "a release cut": (content(FIRST, lambda own: own[:-99]), NO_RELEASE),
    "a release a pipe": (instead(FIRST, os.mkfifo), NO_RELEASE),
    "a release of no set": (packed(FIRST, lambda _, told: told["numbers"][0].update(set=-1)),
                            NO_RELEASE),
    "a release in words": (packed(FIRST, lambda _, told: told["numbers"][0].update(released=WHO)),
                           NO_RELEASE),
    "a release that is missing": (
        lambda root: (root / FIRST).rename(root / "ledger" / "releases" / "0002.npz"), LACKS),
    "what is no release": (lambda root: (root / "ledger" / "releases" / "x").touch(), LACKS),
}  # fmt: skip


@pytest.fixture
def root(reports) -> Path:
    """Reports, and a ledger with a release."""
    book = Ledger(reports.parent / "ledger")
    said = {"released": 20.0, "unit": 10.0, "error": None}
    book.add("count", np.arange(20, dtype=np.uint64), said)
    book.save()
    return reports.parent


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_whole_is_refused(root, kind):
    spoil, words = KINDS[kind]
    spoil(root)
    before = {*files(root), "reports/checker"}  # which may be empty
    with pytest.raises(TfevalError, match=words) as refused:
        release(root / "reports", root / "outside", root / "ledger")
    assert "\n" not in str(refused.value) and WHO not in str(refused.value)
    assert before - {"reports/checker"} <= {*files(root)} <= before


def test_pages_of_one_report_that_differ_in_a_choice_are_refused(root):
    shutil.copytree(root / "reports" / "national" / "04_impact", root / "reports/national/02_x")
    parameter("caliper", 0.3)(root)
    with pytest.raises(TfevalError, match="differ in caliper"):
        release(root / "reports", root / "outside", root / "ledger")


def test_a_packed_file_is_unpacked_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "_MOST", 50_000)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        for place in range(8):
            book.writestr(f"xl/{place}.xml", "1" * 9_000)
    assert any("a.xlsx: cannot be looked through" in one for one in faults(tmp_path))


def test_a_table_of_another_encoding_is_a_fault(tmp_path):
    for name in ("cells.csv", "about.csv"):
        (tmp_path / name).write_bytes(b"name,value\n\xe9,\xff\n")
    (tmp_path / "a\nb.txt").touch()
    told = faults(tmp_path)
    assert any(one.startswith("cells.csv: ") for one in told)
    assert not any("\n" in one for one in told)
