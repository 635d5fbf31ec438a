"""What is imported is asked for, what is asked for is pinned, and the documents say the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DOCUMENT = ROOT / "docs" / "dependencies.md"
START, END = "<!-- written by tests/test_dependencies.py -->", "<!-- end -->"
#: Asked for and imported nowhere in tfeval: engines that others start, and a pin.
NOT_IMPORTED = {"duckdb", "ipykernel", "sqlglot"}
REPORT, DEVELOPERS = "requirements.lock", "requirements-dev.lock"

Lock = dict[str, tuple[set[str], set[str]]]


def named(requirements: list[str]) -> set[str]:
    """Return the packages of some requirements."""
    names = {re.match(r"[A-Za-z0-9._-]+", item)[0] for item in requirements}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def pinned(name: str) -> Lock:
    """Return a lock's packages: pins, and who asks for each."""
    found: Lock = {}
    own = ""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if pin := re.match(r"([a-z0-9._-]+)==(.+?) \\$", line):
            own = pin[1]
            found.setdefault(own, (set(), set()))[0].add(pin[2])
        elif said := re.match(r"    # (?:via)?\s*([a-z0-9._-]+)?", line):
            found[own][1].update({said[1]} - {None})
        elif not re.match(r"    --hash=sha256:[0-9a-f]{64}", line):
            raise AssertionError(f"{name}: {line}")
    return found


DIRECT = named(PROJECT["dependencies"]) | named(EXTRAS["install"])


def brought_in() -> str:
    """Return the table of packages that others bring in, by those of ours that need them."""
    lock = pinned(REPORT)

    def ours(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        parents = lock[name][1] - {"tfeval"} - seen
        above = (
            {one} if one in DIRECT else ours(one, seen | {name}) for one in parents if one in lock
        )
        return set().union(*above)

    rows = [
        f"| `{name}` | {', '.join(f'`{one}`' for one in sorted(ours(name)))} |"
        for name in sorted(set(lock) - DIRECT)
    ]
    counted = f"{len(lock)} packages: {len(DIRECT)} asked for, {len(rows)} brought in."
    return "\n".join([START, counted, "", "| package | needed by |", "|---|---|", *rows, END])


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="one version tells")
def test_what_is_imported_is_asked_for_and_the_other_way_round():
    modules = set()
    for path in (ROOT / "tfeval").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.Import):
                modules |= {one.name.partition(".")[0] for one in node.names}
    known = packages_distributions()
    third = modules - sys.stdlib_module_names - {"tfeval"}
    imported = named([known[module][0] for module in third])
    assert imported | NOT_IMPORTED == named(PROJECT["dependencies"])


def test_the_report_s_lock_is_part_of_the_developers_and_at_the_same_versions():
    report, developers = pinned(REPORT), pinned(DEVELOPERS)
    assert set(report) < set(developers)
    for name, (pins, _) in report.items():
        assert {pin.partition(" ")[0] for pin in pins} <= {
            pin.partition(" ")[0] for pin in developers[name][0]
        }, name
    assert set(report) >= DIRECT
    assert set(developers) >= named(EXTRAS["lab"]) | named(EXTRAS["dev"]) - {"tfeval"}


def test_a_report_needs_neither_jupyterlab_nor_what_tests_need():
    report = set(pinned(REPORT))
    assert not report & (named(EXTRAS["lab"]) | named(EXTRAS["dev"]))
    assert not report & {"pytest", "jupyter-server", "pydantic-settings", "pandera", "mypy"}


def test_no_lock_names_where_packages_come_from():
    for name in (REPORT, DEVELOPERS):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|--(extra-)?index|--find-links|@ ", text)


def test_the_document_says_what_each_is_for():
    text = DOCUMENT.read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]*[^|`]) \|$", text, re.MULTILINE))
    assert set(said) == DIRECT
    assert brought_in() in text, "run: python -m tests.test_dependencies"


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
    DOCUMENT.write_text(before + brought_in() + rest.partition(END)[2], encoding="utf-8")
