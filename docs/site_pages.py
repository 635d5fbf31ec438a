"""What `make docs` adds to the written pages: notebooks as stored, public names, a last look."""

from __future__ import annotations

import ast
import html
import json
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

PROJECT = Path(__file__).parent.parent
OUTPUT = "<!-- output {} -->"
NAMES = "<!-- public names -->"
CHART = "application/vnd.tfeval.chart+json"
LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]* src=\"([^\"]+)\"|<link[^>]* href=\"([^\"]+)\""
)
LINKED = re.compile(r"<a [^>]*href=\"([^\"]+)\"")
ELSEWHERE = re.compile(r"data:|mailto:|javascript:|/")
REPORT = re.compile(r"<a href=\"\.\./(\w+)/report\.html(?:#[^\"]*)?\"")
MADE = re.compile(r"<a href=\"(?![a-z]+:|#|\w+\.html)[^\"]*\"[^>]*>(.*?)</a>", re.S)
#: A link of one notebook to another.
NOTEBOOK = re.compile(r"\]\((\w+)\.ipynb")
log = logging.getLogger("mkdocs.hooks")


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook of `notebooks/`, which `nav` names."""
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        name = f"notebooks/{path.stem}.md"
        files.append(File.generated(config, name, content=_markdown_of(_cells_of(path))))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fill in the list of public names."""
    return markdown.replace(NAMES, _names()) if NAMES in markdown else markdown


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Put stored outputs where the Markdown left their places: they are HTML already."""
    path = PROJECT / "notebooks" / f"{Path(page.file.src_uri).stem}.ipynb"
    if not page.file.src_uri.startswith("notebooks/") or not path.exists():
        return content
    for number, cell in enumerate(_cells_of(path)):
        content = content.replace(OUTPUT.format(number), _outputs_of(cell))
    return content


def on_post_build(config: Any) -> None:
    """Warn, which ends a strict build, of links that lead nowhere and of anything from afar."""
    site = Path(config.site_dir)
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        loaded = {one for pair in LOADED.findall(text) for one in pair if one}
        for address in loaded | set(LINKED.findall(text)):
            path = unquote(urldefrag(html.unescape(address)).url)
            if re.match(r"https?:|//", path):
                if address in loaded:
                    log.warning("%s loads %s from the network", page.relative_to(site), address)
            elif path and not ELSEWHERE.match(path) and not (page.parent / path).exists():
                log.warning("%s: nothing is at %s", page.relative_to(site), address)


def _cells_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _markdown_of(cells: list[dict[str, Any]]) -> str:
    parts = []
    for number, cell in enumerate(cells):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(NOTEBOOK.sub(r"](\1.md", text))
        elif cell["cell_type"] == "code" and text:
            parts.append(f"```python\n{text}\n```\n\n{OUTPUT.format(number)}")
    return "\n\n".join(parts) + "\n"


def _outputs_of(cell: dict[str, Any]) -> str:
    shown = [_shown(one.get("data", {})) for one in cell.get("outputs", [])]
    # Links to other chapters lead to their pages here; files that a run makes are not here.
    shown = [MADE.sub(r"\1", REPORT.sub(r'<a href="\1.html"', one)) for one in shown if one]
    return f'<div class="tfeval-output">{"".join(shown)}</div>' if shown else ""


def _shown(data: dict[str, Any]) -> str:
    if "text/html" in data:
        return "".join(data["text/html"])
    if "image/svg+xml" in data:
        return "".join(data["image/svg+xml"])
    if "image/png" in data:
        words = html.escape(data.get(CHART, {}).get("alt", ""), quote=True)
        source = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="{words}" src="data:image/png;base64,{source}">'
    if any(kind.startswith("application/") for kind in data):
        return ""  # what only the runner reads
    return f"<pre>{html.escape(''.join(data.get('text/plain', '')))}</pre>"


def _names() -> str:
    pages = {}
    for path in sorted((PROJECT / "docs" / "reference").glob("*.md")):
        for target in re.findall(r"^::: (\S+)", path.read_text(encoding="utf-8"), re.M):
            pages[target.rpartition(".")[2]] = f"{path.name}#{target}"
    rows = []
    for name, module in sorted(_public().items(), key=lambda one: one[0].lower()):
        if name not in pages:
            raise PluginError(f"{name} is public and on no page of docs/reference: add it to one.")
        rows.append(f"| [`{name}`]({pages[name]}) | {_first_line(module, name)} |")
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def _public() -> dict[str, str]:
    tree = ast.parse((PROJECT / "tfeval" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PUBLIC":
            return ast.literal_eval(node.value)
    raise LookupError("tfeval/__init__.py has no _PUBLIC")


def _first_line(module: str, name: str) -> str:
    path = PROJECT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = [node for node in tree.body if getattr(node, "name", None) == name]
    return (ast.get_docstring(own[0] if own else tree) or "").partition("\n")[0]
