"""The documentation: its links lead somewhere, its code runs, and every public name is in it."""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import io
import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import pytest
import typer

import tfeval as tf
from tfeval.cli import app
from tfeval.settings import project_folder

PROJECT = project_folder("notebooks").parent
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NOTEBOOKS = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
TARGET = re.compile(r"^::: tfeval\.(\S+)", re.M)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
READERS = re.compile(r"^\| (.+?) \| (\d+) minutes? \| .+? \| .+? \| (\d) \| (.+) \|$", re.M)
PLACE = re.compile(r"\]\(([\w/.]+)#([\w-]+)\)|`(README\.md)#([\w-]+)`")
SAME = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def prose_of(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def slug(heading: str) -> str:
    """Return a heading as the site names it in links."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def anchors_of(path: Path) -> set[str]:
    """Return what links may point at: headings as the site names them, and public names."""
    text = prose_of(path)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {slug(one) for one in headings} | {f"tfeval.{one}" for one in TARGET.findall(text)}


def navigation() -> list[str]:
    """Return the pages that `nav` of mkdocs.yml lists."""
    text = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    return re.findall(r"[\w/]+\.md$", text, re.M)


@pytest.mark.parametrize(
    "path", [*PAGES, PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"], ids=name_of
)
def test_links_lead_somewhere(path):
    for address in LINK.findall(prose_of(path)):
        if re.match(r"https?:", address):
            continue
        place, _, anchor = address.partition("#")
        target = (path.parent / place).resolve() if place else path
        if target.parent == DOCS / "notebooks" and target.stem in NOTEBOOKS:
            continue  # made from the stored notebook
        assert target.exists(), f"{address}: there is no such page"
        assert not anchor or anchor in anchors_of(target), f"{address}: the page has no such part"


def test_the_way_to_every_page_is_in_the_navigation():
    written = {path.relative_to(DOCS).as_posix() for path in PAGES}
    made = {f"notebooks/{stem}.md" for stem in NOTEBOOKS}
    listed = navigation()
    assert len(listed) == len(set(listed))
    assert set(listed) == written | made


def test_two_questions_are_answered_from_the_front_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    for question, page in [
        ("Where do I add an outcome?", "tutorials/new_outcome.md"),
        ("How do I use my own statsmodels model?", "tutorials/own_estimator.md"),
    ]:
        assert question in text
        assert f"]({page})" in text[text.index(question) :][:400]


def section(page: str, anchor: str) -> str | None:
    """Return what stands under a heading, as readers meet it; None if there is none."""
    path = PROJECT / page if page == "README.md" else DOCS / page
    stored = PROJECT / "notebooks" / f"{path.stem}.ipynb"
    if path.parent == DOCS / "notebooks" and stored.exists():
        cells = json.loads(stored.read_text(encoding="utf-8"))["cells"]
        shown = [
            "".join(output.get("data", {}).get("text/html", ""))
            if cell["cell_type"] == "code"
            else "".join(cell["source"])
            for cell in cells
            for output in cell.get("outputs", [{}])
        ]
        # Tables of more than ten rows are folded on a page.
        short = [re.sub(r"<table.*?</table>", _if_short, one, flags=re.S) for one in shown]
        text = re.sub(r"<[^>]+>", " ", "\n".join(short))
    else:
        text = path.read_text(encoding="utf-8")
    parts = re.split(r"^##+ (.+)$", text, flags=re.M)
    return dict(zip(map(slug, parts[1::2]), parts[2::2], strict=True)).get(anchor)


def _if_short(grid: re.Match[str]) -> str:
    return grid[0] if grid[0].count("<tr") <= 11 else ""


def test_ten_readers_find_their_answers_in_the_time_they_have():
    rows = READERS.findall((DOCS / "readers.md").read_text(encoding="utf-8"))
    assert len(rows) == 10
    for reader, minutes, clicks, answer in rows:
        told = [section(a or c, b or d) for a, b, c, d in PLACE.findall(answer)]
        assert told and None not in told, reader
        words = sum(len(one.split()) for one in told)
        assert words > 25 and words / 4 + 5 * int(clicks) <= 60 * int(minutes), (reader, words)


def test_every_public_name_is_on_one_page_of_the_reference():
    pages = sorted((DOCS / "reference").glob("*.md"))
    listed = [
        one.rpartition(".")[2]
        for path in pages
        for one in TARGET.findall(path.read_text(encoding="utf-8"))
    ]
    assert sorted(listed) == sorted(tf._PUBLIC)


def documented() -> list[tuple[str, object]]:
    """Return public functions and classes, and the public methods of the latter."""
    things = []
    for name in tf._PUBLIC:
        thing = getattr(tf, name)
        if inspect.ismodule(thing):
            continue
        things.append((name, thing))
        if inspect.isclass(thing):
            for inner, member in inspect.getmembers(thing, inspect.isroutine):
                if not inner.startswith("_") and (
                    getattr(member, "__module__", None) or ""
                ).startswith("tfeval"):
                    things.append((f"{name}.{inner}", member))
    return things


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*one, id=one[0]) for one in documented()])
def test_parameters_that_are_described_are_those_that_there_are(name, thing):
    assert thing.__doc__, f"{name} has no docstring"
    text = inspect.cleandoc(thing.__doc__)
    part = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}$|\Z)", text, re.M | re.S)
    if part is None or inspect.isclass(thing):
        return
    known = inspect.signature(thing).parameters
    for line in re.findall(r"^(\S[^:\n]*)(?: :.*)?$", part[1], re.M):
        for one in line.split(","):
            word = one.strip().lstrip("*")
            assert word in known or word == "...", f"{name}: there is no parameter {word!r}"


class Reader:
    """Runs the code of a page from its top to its end, as a reader would."""

    def __init__(self) -> None:
        self.names: dict = {"__name__": "page"}

    def run(self, code: str) -> str:
        """Return what is printed, and what the last line shows."""
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(tree, "page", "exec"), self.names)
            if last is not None:
                shown = eval(compile(ast.Expression(last.value), "page", "eval"), self.names)
                if shown is not None:
                    printed.write(f"{shown!r}\n")
        return printed.getvalue()


@pytest.fixture
def registries():
    """Skip where what the pages describe is not there; what a page registers does not stay."""
    pytest.importorskip("tfeval.programme.programmes")
    outcomes = pytest.importorskip("tfeval.programme.outcomes")
    with patch.dict(outcomes.OUTCOMES):
        yield


@pytest.mark.slow(reason="runs every tutorial")
@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("path", TUTORIALS, ids=name_of)
def test_a_tutorial_runs_and_shows_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader, shown = Reader(), ""
    for kind, title, text in FENCE.findall(path.read_text(encoding="utf-8")):
        said = re.search(r'title="([^"]+)"', title)
        needs = said[1].partition("needs ")[2] if said else ""
        if kind == "python" and (not needs or find_spec(needs)):
            shown = reader.run(text)
        elif kind == "toml" and said:
            Path(said[1]).parent.mkdir(parents=True)
            Path(said[1]).write_text(text, encoding="utf-8")
        elif kind == "text":
            assert doctest.OutputChecker().check_output(text, shown, SAME), shown


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_are_named_are_there(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`((?:tfeval|tests|data|notebooks|docs)/[\w./]+)`", text)
    lacking = [one for one in named if "NAME" not in one and not (PROJECT / one).exists()]
    assert lacking == []


def commands() -> list[str]:
    lines = []
    for path in [*PAGES, PROJECT / "README.md"]:
        for kind, _, text in FENCE.findall(path.read_text(encoding="utf-8")):
            lines += [
                one for one in text.splitlines() if kind == "sh" and one.startswith("tfeval ")
            ]
    return sorted(set(lines))


@pytest.mark.parametrize("line", commands())
def test_the_command_line_knows_what_is_written(line):
    _, name, *words = shlex.split(line, comments=True)
    known = typer.main.get_command(app).commands
    assert name in known, f"there is no command {name}"
    known[name].make_context(name, words, resilient_parsing=False)


def test_what_make_is_said_to_do_it_does():
    targets = set(
        re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M)
    )
    for path in [*PAGES, PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        said = re.findall(r"`make ([a-z]+)`", text) + re.findall(r"^make ([a-z]+)", text, re.M)
        assert set(said) <= targets, name_of(path)
