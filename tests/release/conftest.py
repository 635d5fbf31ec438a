"""A folder of reports as a run leaves it, with cells and without a kernel."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.world import cells_of, families
from tfeval.programme.claims import authorities
from tfeval.release import chapters
from tfeval.report.cells import FILE, Cells
from tfeval.report.fingerprint import MANIFEST, file_hash


def write_report(folder: Path, cells: Cells, **parameters: object) -> Path:
    """Write what a run of chapter 4 would leave."""
    folder.mkdir(parents=True)
    cells.save(folder / FILE)
    (folder / "report.html").write_text("<p>7 families, exactly</p>")
    manifest = {
        "notebook": "04_impact", "title": "What did the programme cause?", "scope": "national",
        "status": "ok", "rests_on": {}, "outputs": {FILE: file_hash(folder / FILE)},
        "parameters": {name: {"value": one, "default": True} for name, one in parameters.items()},
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def cells() -> Cells:
    """Cells of a few authorities with real codes."""
    codes = list(authorities())
    frame = families(3_000, seed=4)
    # Two of them with some twenty families.
    size = np.where(np.arange(12) % 6 == 0, 0.007, 0.0986)
    frame["area"] = np.random.default_rng(4).choice(codes[:12], len(frame), p=size / size.sum())
    regions = dict.fromkeys(codes[:6], "North East") | dict.fromkeys(codes[6:12], "North West")
    made = cells_of(frame, regions=regions)
    return replace(made, about={"simulated": True})


@pytest.fixture
def reports(cells, tmp_path) -> Path:
    write_report(tmp_path / "reports" / "national" / "04_impact", cells, phase="one", caliper=0.2,
                 extract="/secure/place/of records")  # fmt: skip
    return tmp_path / "reports"


@pytest.fixture(autouse=True, scope="package")
def few_pages():
    """Make few pages: chapters of published figures, and 161 of areas, take their time."""
    kept = ("02_families_and_data", "03_comparison_group", "04_impact", "07_value_for_money")
    every = chapters.areas_made()
    own = [one for one in every if one.name in ("North East", "Hartlepool")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, "CHAPTERS", {name: chapters.CHAPTERS[name] for name in kept})
        patch.setattr(chapters, "areas_made", lambda: own)
        yield every
