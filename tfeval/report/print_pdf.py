"""The summary as a tagged PDF, printed by the system's own Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tfeval.errors import ReportError
from tfeval.report.fingerprint import read_manifest
from tfeval.report.plan import SUMMARY

#: Where Chromium is looked for, after what the environment names.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 120
#: What a tagged PDF has and an untagged one has not.
_TAGGED = (b"/StructTreeRoot", b"/MarkInfo", b"/Lang")


def chromium() -> str:
    """Return the path of the system's Chromium.

    Raises
    ------
    ReportError
        If there is none.
    """
    candidates = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES)]
    path = next((path for path in candidates if path), None)
    if path is None:
        raise ReportError(
            "There is no Chromium to print with: install chromium, or set CHROMIUM to its path. "
            "The summary's page can be printed from any browser."
        )
    return path


def brief(reports: Path, out: Path | None = None) -> Path:
    """Print the summary of a report.

    Parameters
    ----------
    reports : Path
        A folder of reports, one of these, or the summary's own folder.
    out : Path, optional
        The PDF; by default brief.pdf in `reports`.

    Returns
    -------
    Path
        The PDF: tagged, in the page's language, with its title, an outline, page numbers and the
        sources with their addresses. It links to nothing on the machine that it is made on.

    Raises
    ------
    ReportError
        If there is no summary, or more than one; if it is not complete; if there is no Chromium,
        or it makes no tagged PDF.
    """
    page = _summary(reports)
    program = chromium()
    target = out or reports / "brief.pdf"
    with tempfile.TemporaryDirectory(prefix="tfeval-") as made:
        copy, pdf = Path(made) / "brief.html", Path(made) / "brief.pdf"
        copy.write_text(_alone(page.read_text(encoding="utf-8")), encoding="utf-8")
        _print(program, copy, pdf)
        content = pdf.read_bytes()
        if not all(mark in content for mark in _TAGGED):
            raise ReportError(
                f"{program} makes no tagged PDF, which screen readers need: take a newer Chromium."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(pdf, target)
    return target


def _summary(reports: Path) -> Path:
    """Return the page of the one summary under a folder; the national one where there are more."""
    patterns = ("report.html", f"{SUMMARY}/report.html", f"*/{SUMMARY}/report.html")
    paths = [path for pattern in patterns for path in sorted(reports.glob(pattern))
             if path.parent.resolve().name == SUMMARY]  # fmt: skip
    plain = [path for path in paths if path.parent.parent.name == "national"]
    if len(plain or paths) != 1:
        many = ", ".join(path.parent.parent.name for path in paths)
        raise ReportError(
            f"{reports} has several summaries ({many}): name the folder of one." if paths
            else f"{reports} has no summary: `tfeval run {SUMMARY} --out {reports}` makes it."
        )  # fmt: skip
    page = (plain or paths)[0]
    manifest = read_manifest(page.parent)
    if not manifest or manifest["status"] != "ok":
        raise ReportError(f"The summary in {reports} is not complete: run it again, then print it.")
    return page


def _alone(html: str) -> str:
    """Return a page that leads nowhere on this machine: what leaves it holds no path."""
    from bs4 import BeautifulSoup  # noqa: PLC0415

    page = BeautifulSoup(html, "html.parser")
    for link in page.find_all("a", href=True):
        if not str(link["href"]).startswith(("#", "https://", "http://")):
            del link["href"]
    return str(page)


def _print(program: str, page: Path, pdf: Path) -> None:
    command = [
        program, "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", f"--user-data-dir={page.parent / 'profile'}",
        "--no-pdf-header-footer", "--export-tagged-pdf", "--generate-pdf-document-outline",
        f"--print-to-pdf={pdf}", page.as_uri(),
    ]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as root Chromium starts only without it
        command.insert(1, "--no-sandbox")
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode or not pdf.is_file():
        raise ReportError(f"{program} printed nothing: try it by hand, or set CHROMIUM to another.")
