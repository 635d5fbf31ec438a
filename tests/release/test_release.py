"""From a folder of reports to one that may leave, and what finds fault with such a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.attacks.world import cells_of, families
from tests.release.conftest import write_report
from tfeval.cli import app
from tfeval.errors import TfevalError
from tfeval.programme.claims import authorities
from tfeval.release.ledger import Ledger
from tfeval.release.pages import read_register, register_of
from tfeval.release.release import Release, _name_outside, release
from tfeval.release.released import release_cells
from tfeval.release.scan import choice_faults, faults, near


@pytest.fixture(scope="module")
def made(cells, tmp_path_factory) -> Path:
    """What one release leaves: reports, outside, ledger."""
    root = tmp_path_factory.mktemp("release")
    write_report(root / "reports" / "national" / "04_impact", cells, phase="one", caliper=0.2,
                 extract="/secure/place/of records")  # fmt: skip
    release(root / "reports", root / "outside", root / "ledger")
    return root


@pytest.fixture
def done(made, tmp_path) -> Release:
    """The same, to be spoilt."""
    for name in ("reports", "outside", "ledger"):
        shutil.copytree(made / name, tmp_path / name)
    return Release(tmp_path / "outside", tmp_path / "reports" / "checker" / "0001", "0001", ())


def modes(folder: Path) -> set[tuple[bool, int]]:
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")}


def test_what_leaves_is_cells_and_pages_made_of_them(made):
    tmp_path, outside, reports = made, made / "outside", made / "reports"
    names = {path.relative_to(outside).as_posix() for path in outside.rglob("*") if path.is_file()}
    assert {"index.html", "national/index.html", "national/cells.csv",
            "national/about.csv", "national/North_East.html"} <= names  # fmt: skip
    assert not [name for name in names if "report.html" in name or name.endswith((".json", ".npz"))]
    for folder in (outside, reports, tmp_path / "ledger"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert modes(folder) <= {(True, 0o700), (False, 0o600)}
    assert faults(outside, Ledger(tmp_path / "ledger")) == []
    told = "".join(path.read_text() for path in outside.rglob("*") if path.is_file())
    assert "/secure" not in told and str(tmp_path) not in told and "7 families, ex" not in told
    assert "From simulated records" in (outside / "index.html").read_text()


def test_numbers_on_pages_are_those_of_the_table(done):
    from bs4 import BeautifulSoup

    register = read_register(done.outside / "national" / "cells.csv").set_index("id")["value"]
    seen = 0
    for path in done.outside.glob("national/*.html"):
        soup = BeautifulSoup(path.read_text(), "html.parser")
        for item in soup.find_all("data"):
            assert item.get_text() == register[item["value"]]
            seen += 1
        for grid in soup.find_all("table") if path.name in ("index.html", "E06000001.html") else ():
            assert grid.caption and all(cell["scope"] for cell in grid.find_all("th"))
    # Those of England stand on the index, and of each area with a page on its own.
    own = register[register.index.str.endswith(("|England", "|North East", "|E06000001"))]
    assert seen == int((own != "").sum())


def test_a_second_edition_one_family_apart_says_the_same(done, cells, tmp_path):
    from dataclasses import replace

    frame = cells.frame.copy()
    fewer = replace(cells, frame=frame.assign(value=frame["value"] - (frame["kind"] == "count")))
    write_report(tmp_path / "again" / "national" / "04_impact", fewer, phase="one", caliper=0.19)
    second = release(tmp_path / "again", tmp_path / "outside2", tmp_path / "ledger")
    tables = [read_register(one.outside / "national" / "cells.csv").set_index("id")
              for one in (done, second)]  # fmt: skip
    both = tables[0].join(tables[1], rsuffix="_second")
    shown = both[both["shown"].eq("yes") & both["shown_second"].eq("yes")]
    assert len(shown) > 50 and (shown["value"] == shown["value_second"]).all()


def test_a_release_again_is_the_same_to_the_byte(done, tmp_path):
    """One that was stopped once its numbers were in the ledger is repeated so."""
    second = release(tmp_path / "reports", tmp_path / "outside2", tmp_path / "ledger")
    first, other = ({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
                    for folder in (done.outside, second.outside))  # fmt: skip
    assert first == other and (second.name, second.checker.name) == ("0002", "0002")


def test_the_checkers_folder_is_what_the_viewer_reads(done):
    # As sacro/models.py of AI-SDC/SACRO-Viewer reads it.
    folder = done.checker
    held = json.loads((folder / "results.json").read_text())
    assert [int(one) for one in held["version"].split(".")[:2]] >= [0, 4]
    for uid, result in held["results"].items():
        assert {"uid", "status", "type", "properties", "files", "outcome", "command", "summary",
                "timestamp", "comments", "exception"} == set(result)  # fmt: skip
        assert result["uid"] == uid and result["files"]
        for item in result["files"]:
            path = folder / item["name"]
            said = (folder / "checksums" / f"{item['name']}.txt").read_text()
            assert said == hashlib.sha256(path.read_bytes()).hexdigest()
            for row, column in item["sdc"].get("cells", {}).get("threshold", []):
                line = pd.read_csv(path, index_col=0).iloc[row]
                assert line["least"] < 10 and pd.isna(line.iloc[column])
    assert modes(folder) <= {(True, 0o700), (False, 0o600)}
    counts = pd.read_csv(folder / "national_count.csv", index_col=0)
    hidden = counts[counts["reason"] == "small"]
    assert len(hidden) and ((hidden["high"] - hidden["low"]) >= hidden["unit"] * 0.999).all()


SPOILT = {
    "a number changed": (lambda page: page.replace('">280<', '">281<'), "not what its cells make"),
    "a script": (lambda page: page.replace("<main", "<script>1</script><main"), "embedded data"),
    "an identifier": (lambda page: page.replace("</p>", " AB 12 34 56 C</p>", 1), "Insurance"),
    "a path": (lambda page: page.replace("</p>", " /home/me/x</p>", 1), "a path of a machine"),
    "a small count": (lambda page: page.replace("</p>", " 7 families</p>", 1), "under 10"),
    "a picture": (lambda page: page.replace("</p>", "<img src='data:image/png;base64,aaaa'></p>",
                                            1), "embedded data"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_a_page_that_was_changed_is_found(done, kind):
    change, words = SPOILT[kind]
    path = done.outside / "national" / "index.html"
    text = path.read_text()
    if kind == "a number changed":
        register = read_register(path.with_name("cells.csv"))
        value = register[(register["level"] == "england") & (register["kind"] == "count")]
        change = lambda page: page.replace(f">{value['value'].iloc[0]}<", ">1234<", 1)  # noqa: E731
    assert change(text) != text
    path.write_text(change(text))
    assert any(words in fault for fault in faults(done.outside))


def spoil_table(done: Release, change) -> list[str]:
    path = done.outside / "national" / "cells.csv"
    frame = read_register(path)
    changed = change(frame)
    (frame if changed is None else changed).to_csv(path, index=False, lineterminator="\n")
    return faults(done.outside, Ledger(done.outside.parent / "ledger"))


def at(frame: pd.DataFrame, kind: str, shown: str = "yes") -> int:
    return frame.index[(frame["kind"] == kind) & (frame["shown"] == shown)][0]


def test_a_table_that_was_changed_is_found(done):
    def finer(frame):
        frame.loc[at(frame, "mean"), "value"] += "1"

    def small(frame):
        frame.loc[at(frame, "count"), ["value", "unit"]] = ["7", "1.0"]

    def others(frame):
        frame.loc[at(frame, "count"), "value"] = "990"

    def uncovered(frame):
        frame.loc[at(frame, "count", "no"), "value"] = "10"

    def told(column, text, shown="yes"):
        def change(frame):
            frame.loc[at(frame, "count", shown), column] = text

        return change

    before = read_register(done.outside / "national" / "cells.csv")
    for change, words in ((finer, "more digits"), (small, "under 10"),
                          (others, "the ledger has not released"),
                          (uncovered, "a hidden cell has a number"),
                          (told("unit", "1.0"), "not to the nearest 10"),
                          (told("error", "Smith"), "no number, or no unit"),
                          (told("unit_of", "7 of Smith"), "column unit_of"),
                          (told("guarded", "Smith", "no"), "column guarded"),
                          (told("id", "Smith|12|treated|England"), "column id"),
                          (told("number", "AB123456C", "no"), "National Insurance")):  # fmt: skip
        assert any(words in fault for fault in spoil_table(done, change)), words
        before.to_csv(done.outside / "national" / "cells.csv", index=False, lineterminator="\n")


def test_choices_that_are_none_are_found(done):
    path = done.outside / "national" / "about.csv"
    for line, words in (("n,3.14159", "a choice that is none"), ("caliper,-7", "cannot have")):
        before = path.read_text()
        path.write_text(f"{before}{line}\n")
        assert any(words in fault for fault in faults(done.outside)), words
        path.write_text(before)


def test_a_choice_is_as_the_chapters_write_it():
    good = {"horizon": "12", "earlier": "no", "optimism_bias": "B=0.2",
            "optimism_bias_source": "a source that is told inside"}  # fmt: skip
    assert list(choice_faults(good)) == []
    for name, value in (("horizon", " 12 "), ("earlier", "Smith"), ("optimism_bias", "B = 0.2"),
                        ("optimism_bias_source", "=1+1")):  # fmt: skip
        assert "cannot have" in next(choice_faults(good | {name: value})), name


def test_complements_are_found(done):
    # A region of about 50 with five authorities of ten at least leaves little for the sixth.
    def give_away(frame):
        own = frame["area"].eq("North East") | frame["parent"].eq("North East")
        kept = frame[own & frame["number"].eq("families")].copy()
        inside = kept["level"].eq("authority")
        first = kept.index[inside][0]
        kept.loc[inside, "value"] = "10"
        kept.loc[~inside, "value"] = "50"
        kept.loc[first, ["shown", "value", "unit"]] = ["no", "", ""]
        return kept

    assert any("the ledger has not released" in one for one in spoil_table(done, give_away))
    assert any("can be worked out" in fault for fault in faults(done.outside))


@pytest.mark.slow(reason="forty releases, each with its linear programmes")
def test_a_clean_table_is_found_clean_and_its_leak_a_leak(tmp_path):
    codes, leaks = list(authorities())[:6], 0
    regions = dict.fromkeys(codes[:3], "North East") | dict.fromkeys(codes[3:], "North West")
    for seed in range(30):
        frame, rng = families(150, seed), np.random.default_rng(seed)
        # Of every other world some families have no authority; of every third there is a second
        # edition.
        frame["area"] = rng.choice([*codes, "none"][: 7 - seed % 2], len(frame))
        for edition in (frame, frame.iloc[3:])[: 2 - bool(seed % 3)]:
            ledger = Ledger(tmp_path / f"{seed}")
            made = release_cells(cells_of(edition.reset_index(drop=True), regions=regions), ledger)
            ledger.save()
            register = register_of(made)
            assert list(near(register, earlier=edition is not frame)) == [], seed
        # A region as large as all but one of its authorities leaves little for that one.
        own = register[register["number"].eq("families") & register["level"].ne("england")].copy()
        inside = own["parent"].eq("North East")
        own.loc[inside, ["shown", "value"]] = ["yes", "10"]
        own.loc[own["area"].eq("North East"), ["shown", "value"]] = ["yes", "20"]
        own.loc[own.index[inside][:1], ["shown", "value", "unit"]] = ["no", "", ""]
        leaks += any(near(own, earlier=False))
    assert leaks == 30


def test_a_ledger_knows_the_tables_that_it_released(done):
    register = read_register(done.outside / "national" / "cells.csv")
    ledger = Ledger(done.outside.parent / "ledger")
    assert faults(done.outside, ledger) == []
    register.iloc[::-1].to_csv(done.outside / "national" / "cells.csv", index=False)
    assert any("a table of cells that the ledger" in one for one in faults(done.outside, ledger))


def test_what_is_missing_or_differs_in_ends_of_lines_is_found(done):
    folder = done.outside / "national"
    (folder / "North_East.html").unlink()
    page = folder / "index.html"
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    told = faults(done.outside)
    assert "national/North_East.html: is not there, or is no file" in told
    assert "national/index.html: is not what its cells make" in told


def test_what_does_not_belong_is_found(done):
    outside = done.outside
    with zipfile.ZipFile(outside / "value.xlsx", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", '<c><f>HYPERLINK("x")</f><v>3.14159</v></c>')
        book.writestr("docProps/core.xml", "<dc:creator>somebody</dc:creator>")
    (outside / "figure.json").write_text('{"rows": [[0.1234567]]}')
    (outside / "more.csv").write_text("a,b\n=1+1,2\n")
    (outside / "picture.png").write_bytes(b"PNG")
    (outside / "link").symlink_to("/etc/hostname")
    (outside / "E06000001 has 7").mkdir()
    (outside / "national" / "index.html").chmod(0o644)
    text = "\n".join(faults(outside))
    for words in ("value.xlsx: xl/worksheets/sheet1.xml: a live formula", "who made it",
                  "sheet1.xml: line 5: a number that is no registered cell",
                  "figure.json: line 2: a number that is no registered cell",
                  "more.csv: line 2: a live formula", "picture.png: was not written",
                  "link: is a link", "E06000001 has 7: was not written",
                  "national/index.html: is open to others"):  # fmt: skip
        assert words in text, words


def test_the_commands(reports, tmp_path):
    run = CliRunner()
    words = ["release", str(reports), str(tmp_path / "out"), "--ledger", str(tmp_path / "ledger")]
    done = run.invoke(app, words)
    assert done.exit_code == 0 and "numbers released" in done.output
    checked = run.invoke(app, ["check-release", str(tmp_path / "out")])
    assert (checked.exit_code, checked.output) == (0, "No fault found.\n")
    (tmp_path / "out" / "note.txt").write_text("1385 families")
    checked = run.invoke(app, ["check-release", str(tmp_path / "out")])
    assert checked.exit_code == 1 and len(checked.output.splitlines()) >= 2
    with pytest.raises(TfevalError, match="exists already"):
        release(reports, tmp_path / "out", tmp_path / "ledger")


def test_a_release_that_fails_is_in_no_ledger(reports, tmp_path, monkeypatch):
    monkeypatch.setattr("tfeval.release.release.faults", lambda *_, **__: ["cells.csv: wrong"])
    with pytest.raises(TfevalError, match="Nothing is released"):
        release(reports, tmp_path / "outside", tmp_path / "ledger")
    assert not (tmp_path / "outside").exists()
    assert not list((tmp_path / "ledger" / "releases").iterdir())
    monkeypatch.undo()
    first = release(reports, tmp_path / "outside", tmp_path / "ledger")
    second = release(reports, tmp_path / "outside2", tmp_path / "another")
    assert (first.checker.name, second.checker.name) == ("0001", "0001-2")


def test_what_cannot_be_released_is_refused(reports, tmp_path):
    with pytest.raises(TfevalError, match="lies inside"):
        release(reports, reports / "outside", tmp_path / "ledger")
    path = next(reports.rglob("cells.npz"))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(TfevalError, match="not as its page made it"):
        release(reports, tmp_path / "outside", tmp_path / "ledger")
    shutil.rmtree(path.parent)
    with pytest.raises(TfevalError, match=r"No page .* has cells"):
        release(reports, tmp_path / "outside", tmp_path / "ledger")
    assert not (tmp_path / "outside").exists()


def test_what_a_report_is_called_outside_has_nothing_of_an_extract():
    """Its folder has the extract's name, and a hash of where it lies."""
    scopes = [
        "national--caliper-0.19--extract-kent-smith-family~0123456789ab",
        "national--caliper-0.19--extract-other~ba9876543210",
        "kent",
        "smith-family",
    ]
    names: list[str] = []
    for scope in scopes:
        names.append(_name_outside(scope, {"caliper": 0.19}, names))
    assert names == ["national--caliper-0.19", "national--caliper-0.19--2", "kent", "report"]
    # Somebody may have named the folder himself.
    assert _name_outside("kent--caliper-smith", {"caliper": 0.19}, []) == "kent"
