"""The front page's picture is the chart that chapter 5 stores, with its words.

`python -m tests.test_readme` takes it anew from the stored notebook.
"""

from __future__ import annotations

import base64
import json
import re

from tfeval.settings import project_folder

PROJECT = project_folder("notebooks").parent
PICTURE = PROJECT / "docs" / "assets" / "deprivation.png"
CALL = "tf.chapters.over_time.naive_chart("


def stored() -> tuple[bytes, str]:
    """Return the chart of chapter 5 as it is stored, and its words."""
    path = PROJECT / "notebooks" / "05_areas_and_time.ipynb"
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if "".join(cell["source"]).strip().startswith(CALL):
            (shown,) = (one for one in cell["outputs"] if "image/png" in one.get("data", {}))
            words = shown["metadata"]["image/png"]["alt"]
            return base64.b64decode("".join(shown["data"]["image/png"])), words
    raise LookupError(f"chapter 5 does not call {CALL}")


def test_the_picture_is_not_stale():
    picture, words = stored()
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert PICTURE.read_bytes() == picture, "run: python -m tests.test_readme"
    shown = re.search(r"!\[([^\]]+)\]\((docs/assets/[\w.]+)\)", text)
    assert PROJECT / shown[2] == PICTURE
    assert shown[1] == words, "run: python -m tests.test_readme"


def test_a_reader_is_told_what_it_is_and_is_not_within_one_page():
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert headings == ["Two commands", "Five minutes in JupyterLab", "Who it is for",
                        "What it does not know", "Licence"]  # fmt: skip
    assert len(text.split()) < 700


if __name__ == "__main__":
    drawn, said = stored()
    PICTURE.write_bytes(drawn)
    page = PROJECT / "README.md"
    old = page.read_text(encoding="utf-8")
    link = f"](docs/assets/{PICTURE.name})"
    page.write_text(re.sub(r"!\[[^\]]*" + re.escape(link), lambda _found: f"![{said}{link}", old))
