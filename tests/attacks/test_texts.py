"""Texts that whoever runs a report may write: none of them leaves, as itself or as a formula."""

from __future__ import annotations

from pathlib import Path

from tests.attacks.world import cells_of, families
from tests.release.conftest import write_report
from tfeval.errors import TfevalError
from tfeval.programme.claims import authorities
from tfeval.release import chapters
from tfeval.release import release as layer
from tfeval.release.release import release
from tfeval.release.values import notebook_of
from tfeval.report.plan import slug

CANARIES = ("=HYPERLINK(\"http://x\";\"Jane Canary\")", "@SUM(1+1) canary", "+cmd|' /C canary'!A0",
            "-canary", "\tcanary", "7 canary families, \uff21\uff22123456C",
            "<script>canary</script>")  # fmt: skip


def test_no_parameter_that_leaves_takes_any_text_but_those_that_are_told_by_a_word():
    taken = set()
    for chapter in chapters.CHAPTERS:
        for one in notebook_of(chapter)[1]:
            for canary in CANARIES:
                try:
                    one.parse(canary)
                except TfevalError:
                    continue
                taken.add(one.name)
    assert taken & chapters.told() == set(chapters.FREE_TEXT) != set()


def texts_outside(folder: Path, canary: str) -> str:
    codes = list(authorities())[:4]
    frame = families(400).assign(area=lambda own: [codes[one % 4] for one in own.index])
    cells = cells_of(frame, regions=dict.fromkeys(codes, "North East"))
    chosen = {"optimism_bias": "C=0.4", "optimism_bias_source": canary}
    # A run names the folder by its choices.
    report = folder / "reports" / f"national--optimism_bias_source-{slug(canary)}"
    write_report(report / "04_impact", cells, phase="one", **chosen)
    release(folder / "reports", folder / "outside", folder / "ledger")
    made = sorted((folder / "outside").rglob("*"))
    return "".join(f"{path.name} {path.read_text() if path.is_file() else ''}" for path in made)


def test_a_free_text_leaves_neither_in_files_nor_in_names(tmp_path, monkeypatch):
    only = "07_value_for_money"  # which has the text; and no area
    monkeypatch.setattr(chapters, "CHAPTERS", {only: chapters.CHAPTERS[only]})
    monkeypatch.setattr(chapters, "areas_made", list)
    on = texts_outside(tmp_path / "on", " ".join(CANARIES)).casefold()
    assert "canary" not in on and "a source that is told inside" in on
    monkeypatch.setattr(chapters, "FREE_TEXT", {})
    monkeypatch.setattr(layer, "FREE_TEXT", {})
    off = texts_outside(tmp_path / "off", CANARIES[0]).casefold()
    assert 'optimism_bias_source,"=hyperlink' in off and "canary" in off
