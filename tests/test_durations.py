"""Which tests took long, measured: `make test` leaves them out.

`python -m tests.test_durations` measures them anew and rewrites `tests/long_tests.txt`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

LISTED = Path(__file__).with_name("long_tests.txt")
PROJECT = Path(__file__).parents[1]

#: Processor seconds of a test, all its sets of parameters and its own processes included.
_LONG = 0.5
#: What says at once where a line breaks a rule of the code runs always.
_ALWAYS = ("tests/test_keys.py", "tests/test_architecture.py")
_FOLDER = "TFEVAL_DURATIONS"


def test_every_long_test_is_there():
    for name in LISTED.read_text(encoding="utf-8").split():
        path, _, function = name.partition("::")
        text = (PROJECT / path).read_text(encoding="utf-8")
        assert re.search(rf"\b(def|class) {function.rpartition('.')[2]}\b", text), (
            f"tests/long_tests.txt: {name} is no test any more: "
            "python -m tests.test_durations lists them anew"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note what a test took, where the command below asked for it."""
    before = sum(os.times()[:4])
    try:
        return (yield)
    finally:
        took = sum(os.times()[:4]) - before
        if folder := os.environ.get(_FOLDER):
            name = item.nodeid.partition("[")[0]
            with Path(folder, str(os.getpid())).open("a", encoding="utf-8") as file:
                file.write(f"{took:.3f} {name}\n")


def _measure() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_FOLDER] = folder
        tests = ["-m", "not slow and not engine and not browser", "-p", "tests.test_durations"]
        status = pytest.main(["-n", "auto", "--dist", "loadfile", *tests])
        text = "".join(file.read_text(encoding="utf-8") for file in Path(folder).iterdir())
    together: Counter[str] = Counter()
    for line in text.splitlines():
        took, name = line.split(" ", 1)
        together[name] += float(took)
    long = sorted(
        name for name, took in together.items() if took > _LONG and not name.startswith(_ALWAYS)
    )
    LISTED.write_text("".join(f"{name}\n" for name in long), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    raise SystemExit(_measure())
