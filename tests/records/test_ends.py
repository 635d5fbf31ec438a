"""Killed at any moment, on a full disk, twice at once: an extract is whole or it is not there.

A process of its own loads all once and forks a child for each moment: before each thing that the
child does to files below a folder (of those Python does), it kills itself, or has no room.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tfeval.errors import TfevalError
from tfeval.records.private import written_whole
from tfeval.records.simulate import simulate_to

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it forks")
CHILDREN = """
import errno, json, os, random, sys
from pathlib import Path
import duckdb, ibis.backends.duckdb
from tfeval.errors import TfevalError
from tfeval.records.preparation.prepare import prepare
from tfeval.records.pseudonyms import new_key, pseudonymise

source, place, end = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
KEY = b"a secret that nobody would guess, 2012"
ACTS = {
    "pseudonymise": lambda: pseudonymise(source, place / "out", KEY),
    "prepare": lambda: prepare(source, place / "out", source.parent / "mapping.toml"),
    "new-key": lambda: new_key(place / "out"),
}
CHANGES = {"open", "os.mkdir", "os.rename", "os.chmod", "os.link", "os.remove", "os.rmdir"}

def at(moment):
    "End at a moment; without one, count them."
    global seen
    seen = 0
    def hook(event, given):
        global seen
        if event not in CHANGES or not given or str(place) not in str(given[0]):
            return
        if event == "open" and not (given[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        seen += 1
        if moment is None:
            return
        if seen > moment and end == "full" and event in ("open", "os.mkdir", "os.link"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if seen == moment + 1 and end == "killed":
            os.kill(os.getpid(), 9)
    sys.addaudithook(hook)

counted = os.fork()
if not counted:
    at(None)
    ACTS[sys.argv[4]]()
    (place.parent / "moments").write_text(str(seen))
    os._exit(0)
os.waitpid(counted, 0)
os.rename(place / "out", place.parent / "undisturbed")
number = int((place.parent / "moments").read_text())
some = random.Random(5).sample(range(number - 2), min(3, number - 2))
for moment in [*sorted(some), number - 2, number - 1, number]:
    child = os.fork()
    if not child:
        at(moment)
        try:
            ACTS[sys.argv[4]]()
        except TfevalError as fault:
            print(json.dumps(str(fault)), flush=True)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    made = sorted(str(one.relative_to(place)) for one in place.rglob("*") if one.is_file())
    print(json.dumps([status, [one for one in made if one.split("/")[0] == "out"],
                      [one for one in made if one.split("/")[0] != "out"]]), flush=True)
    if moment < number and any(one.split("/")[0] == "out" for one in made):
        os.rename(place / "out", place.parent / f"made-{moment}")
"""


@pytest.fixture(scope="module")
def sent(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sent")
    made = simulate_to(folder / "records", families=12, seed=3)[0]
    for path in made.glob("*.parquet"):
        if path.stem not in ("families", "people"):
            path.unlink()
    (folder / "mapping.toml").write_text("".join(
        f"[tables.{name}.columns]\n" + "".join(f'{one} = "{one}"\n' for one in columns)
        for name, columns in (("families", ("family_id", "phase")), ("people", ("person_id",)))
    ))  # fmt: skip
    return made


def children(sent: Path, place: Path, end: str, act: str) -> list[object]:
    place.mkdir()
    words = [sys.executable, "-W", "ignore", "-c", CHILDREN, str(sent), str(place), end, act]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("end", "act"),
    [("killed", "pseudonymise"), ("full", "prepare"), ("killed", "new-key"), ("full", "new-key")],
)
def test_what_is_written_is_whole_or_not_there(sent, tmp_path, end, act):
    *ended, (status, whole, _) = children(sent, tmp_path / "place", end, act)
    assert status == 0 and whole and len(ended) > 3
    for one in ended:
        if isinstance(one, str):  # what a full disk has somebody told
            assert "\n" not in one and ("room" in one or "No space left" in one)
        else:
            assert one[1] in ([], whole)
            assert one[0] if end == "killed" else not one[2]
            assert one[0] or one[1] == whole
    if act != "new-key":  # that is drawn
        made = files(tmp_path / "undisturbed")
        for other in (tmp_path / "place" / "out", *tmp_path.glob("made-*")):
            assert files(other) == made


def test_of_two_that_write_one_folder_one_is_kept_and_the_other_told(tmp_path):
    told = pytest.raises(TfevalError, match="made by another run meanwhile and is whole")
    with told, written_whole(tmp_path / "out") as (first,):
        (first / "a").write_text("first")
        with written_whole(tmp_path / "out") as (second,):
            (second / "a").write_text("second")
    assert (tmp_path / "out" / "a").read_text() == "second"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
