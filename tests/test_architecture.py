"""The house: imports go one way, without circles, and files stay small enough to read."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tfeval

PACKAGE = Path(tfeval.__file__).parent
ROOMS = (
    "errors",
    "calls",
    "display",
    "settings",
    "programme",
    "records",
    "cohort",
    "impact",
    "money",
    "audit",
    "report",
    "explorer",
    "release",
    "cli_records",
    "cli",
)
#: Within `impact`, too, imports go one way.
IMPACT = ("study", "propensity", "balance", "design", "matching", "weighting", "means",
          "inference", "effects", "panel", "sensitivity", "imputation", "diagnostics",
          "plan", "specification", "compile_kernels")  # fmt: skip
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path: Path) -> str:
    """Return the dotted name of a module, without the package's own."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports_of(path: Path) -> set[str]:
    """Return the tfeval modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfeval"):
            module = node.module.removeprefix("tfeval").lstrip(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".lstrip(".")
                found.add(inner if inner in NAMES else module)
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("tfeval.")
                for alias in node.names
                if alias.name.startswith("tfeval.")
            }
    return found - {"", name_of(path)}


NAMES = {name_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_rooms_before_it(path):
    own = ROOMS.index(name_of(path).split(".", maxsplit=1)[0])
    for module in imports_of(path):
        room = module.split(".", maxsplit=1)[0]
        if room.startswith("__"):
            continue
        assert room in ROOMS, f"{module} is in no room"
        assert ROOMS.index(room) <= own, f"{name_of(path)} imports {module}, a later room"


@pytest.mark.parametrize("path", sorted((PACKAGE / "impact").rglob("*.py")), ids=name_of)
def test_within_impact_too(path):
    own = name_of(path).split(".")[1:]
    for module in imports_of(path):
        room = module.split(".")[1:2]
        if module.startswith("impact.") and own and room:
            assert IMPACT.index(room[0]) <= IMPACT.index(own[0]), (
                f"{name_of(path)} imports {module}, a later room"
            )


def test_there_are_no_circles():
    TopologicalSorter({name_of(path): imports_of(path) for path in FILES}).prepare()


#: What a name of a value never is: it says that there is something, and not what.
VAGUE = {"found", "held", "asked", "told"}


def vague_names(tree):
    """Return the variables and arguments of such names, a function's own word apart."""
    stored = {node.id for node in ast.walk(tree)
              if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}  # fmt: skip
    return VAGUE & (stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_values_are_named_for_what_they_are(path):
    assert not vague_names(ast.parse(path.read_text(encoding="utf-8")))


def test_a_vague_name_would_be_seen():
    assert vague_names(ast.parse("def of(told): return told")) == {"told"}
    assert vague_names(ast.parse("found = [held for held in range(3)]")) == {"found", "held"}
    assert not vague_names(ast.parse("effects = asked(found=3)"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_readable(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 500, f"{name_of(path)} has {lines} lines: split it by what it does"
