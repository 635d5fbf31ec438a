"""The printed summary: two sheets that a screen reader can read, and nothing of this machine."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import nbformat
import pytest

from tests.report.test_report_browser import chromium
from tfeval.errors import ReportError
from tfeval.report import print_pdf
from tfeval.report.publish import Page, publish
from tfeval.settings import project_folder

TITLE = "What was claimed, what was caused, and was it worth the money?"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A report whose summary is the stored one."""
    folder = tmp_path / "national" / "08_summary"
    folder.mkdir(parents=True)
    stored = nbformat.read(project_folder("notebooks") / "08_summary.ipynb", as_version=4)
    made = (("Parameters", "phase = one, " * 12), ("Versions", "library 1.2.3, " * 20))
    page = Page(TITLE, scope="England", date="1 May 2026", made=made, home="../../index.html")
    (folder / "report.html").write_text(publish(stored, page), encoding="utf-8")
    _manifest(folder, "ok")
    return tmp_path


def _manifest(folder: Path, status: str) -> None:
    content: dict[str, object] = dict.fromkeys(("notebook", "title", "scope"), "")
    content |= {"parameters": {}, "rests_on": {}, "outputs": {}, "status": status}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


def fake(path: Path, content: str) -> str:
    """Write a program that prints `content` in the place of Chromium."""
    path.write_text(
        f"#!/bin/sh\nfor one in \"$@\"; do case $one in --print-to-pdf=*) "
        f"printf '%s' '{content}' > \"${{one#*=}}\";; esac; done\n", encoding="utf-8",
    )  # fmt: skip
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.browser
def test_the_brief_is_two_tagged_sheets_with_title_language_and_outline(reports, monkeypatch):
    if chromium() is None:
        pytest.skip("no Chromium: install chromium, or set CHROMIUM to its path")
    path = print_pdf.brief(reports)
    content = path.read_bytes()
    assert path == reports / "brief.pdf" and content.startswith(b"%PDF-")
    assert re.findall(rb"/Type /Pages\s*/Count (\d+)", content) == [b"2"]
    assert b"/Marked true" in content and b"/StructTreeRoot" in content
    assert re.search(rb"/Lang \(en-GB\)", content) and b"/Outlines" in content
    title = b"FEFF" + TITLE.encode("utf-16-be").hex().upper().encode()
    assert title in content or TITLE.encode() in content
    assert b"/MediaBox [0 0 594.95996 841.91998]" in content
    assert content.count(b"/URI (http") >= 6 and b"file://" not in content
    monkeypatch.setattr(print_pdf, "_alone", lambda html: html)  # what would leave without it
    assert b"file://" in print_pdf.brief(reports, reports / "plain.pdf").read_bytes()


def test_without_chromium_there_is_one_clear_line(reports, monkeypatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ReportError, match="no Chromium to print with: install chromium, or set"):
        print_pdf.brief(reports)
    assert not list(reports.glob("*.pdf"))


def test_what_is_not_tagged_and_what_fails_is_refused(reports, monkeypatch, tmp_path):
    monkeypatch.setenv("CHROMIUM", fake(tmp_path / "old", "%PDF-1.4 plain"))
    with pytest.raises(ReportError, match="makes no tagged PDF"):
        print_pdf.brief(reports)
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nowhere"))
    with pytest.raises(ReportError, match="printed nothing"):
        print_pdf.brief(reports)
    assert not list(reports.glob("*.pdf"))
    monkeypatch.setenv("CHROMIUM", fake(tmp_path / "new", "/StructTreeRoot /MarkInfo /Lang"))
    assert print_pdf.brief(reports / "national" / "08_summary", reports / "a" / "b.pdf").is_file()


def test_only_a_complete_summary_is_printed(reports):
    _manifest(reports / "national" / "08_summary", "failed")
    with pytest.raises(ReportError, match="is not complete"):
        print_pdf.brief(reports)
    with pytest.raises(ReportError, match="has no summary"):
        print_pdf.brief(reports / "national" / "08_summary" / "x")
