"""The notebook in JupyterLab itself, in a browser: run whole, a widget moved, no error shown."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from tfeval.programme.outcomes import outcome_label
from tfeval.settings import project_folder

pytestmark = pytest.mark.browser
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = {"fetchNews": "false", "checkForUpdates": False}
ERRORS = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
ALARM = 'p[role="alert"]'
WAIT = 90_000  # milliseconds: longer than a machine that others use needs
DONE = 'p[role="status"]:has-text("Done")'
#: By the label of the widget: what is chosen, and the call that must then be shown.
MOVES = {
    "Estimator": ("Difference of weighted means", 'method="difference"'),
    "Design": ("Comparison families weighted until the means agree", '"entropy"'),
    "Outcome": (outcome_label("offences"), 'outcomes[["offences"]]'),
    "Compared": ("Met one criterion fewer than needed, never attached", '"below_threshold"'),
    "Months after": ("6", "months=6"),
    "Phase": ("Two", 'phase="two"'),
}


@pytest.fixture
def lab(extract, tmp_path):
    """Start JupyterLab on a free port of this machine, with nobody's settings, for a moment."""
    pytest.importorskip("jupyterlab")
    notebook = json.loads((project_folder("notebooks") / "explore.ipynb").read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace('"simulated"  #', f"{extract!r}  #")
    work = tmp_path / "work"
    work.mkdir()
    (work / "explore.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    said = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    said.mkdir(parents=True)
    (said / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR")
    runtime = tempfile.TemporaryDirectory(prefix="k")  # short: a socket's path has 107 bytes
    environment = {**os.environ, **{name: str(tmp_path / name) for name in own},
                   "JUPYTER_RUNTIME_DIR": runtime.name,
                   "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings")}  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
         "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
         f"--ServerApp.root_dir={work}", "--ServerApp.port_retries=0",
         "--KernelManager.transport=ipc"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"{address}/lab/tree/explore.ipynb?reset"
    finally:
        server.terminate()
        server.wait(30)
        runtime.cleanup()


@pytest.fixture
def page():
    path = next((one for one in map(shutil.which, NAMES) if one), os.environ.get("CHROMIUM"))
    if path is None:
        pytest.skip("no Chromium: install chromium, or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page(viewport={"width": 1400, "height": 1800})
        browser.close()


def menu(page, *names):
    page.locator(f'li.lm-MenuBar-item:has-text("{names[0]}")').first.click()
    for name in names[1:]:
        page.locator(f'li.lm-Menu-item:has-text("{name}")').first.click()


def test_the_notebook_runs_and_every_widget_moves(lab, page, tmp_path):
    page.goto(lab)
    page.wait_for_selector("text=/ipykernel. . Idle/", timeout=WAIT)
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    menu(page, "Run", "Run All Cells")
    # Cells out of sight are taken out of the page: the widgets' own is brought into it.
    page.wait_for_selector(".widget-dropdown select", state="attached", timeout=WAIT)
    page.wait_for_selector(DONE, state="attached", timeout=WAIT)
    page.wait_for_selector("text=/ipykernel. . Idle/", timeout=WAIT)
    shown = page.locator(".jp-OutputArea:has(.widget-dropdown)").first
    for label, (words, call) in MOVES.items():
        shown.get_by_label(label, exact=True).select_option(label=words)
        shown.locator(f"pre:has-text({json.dumps(call)})").first.wait_for(timeout=WAIT)
        shown.locator(DONE).wait_for(timeout=WAIT)
    slider = shown.get_by_role("slider")
    slider.press("ArrowRight")
    shown.locator("pre:has-text('caliper=0.25')").first.wait_for(timeout=WAIT)
    # One authority has few families: results, or one line that says why not, but no error.
    shown.get_by_label("Authority", exact=True).select_option(label="Birmingham")
    shown.locator(f"{ALARM}, pre:has-text('E08000025')").first.wait_for(timeout=WAIT)
    shown.get_by_label("Authority", exact=True).select_option(label="All")
    shown.locator(DONE).wait_for(timeout=WAIT)
    field = shown.get_by_label("Records", exact=True)
    field.fill("nowhere")
    field.press("Enter")
    shown.locator(f"{ALARM}:has-text('There is no extract nowhere')").wait_for(timeout=WAIT)
    assert page.locator(ERRORS).count() == 0
    folder = Path(os.environ.get("TFEVAL_PICTURES", tmp_path))
    page.screenshot(path=str(folder / "jupyterlab.png"))
