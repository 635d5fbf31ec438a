from __future__ import annotations

import json
import re
import shutil

from bs4 import BeautifulSoup

from tfeval.report import reports_index as index
from tfeval.report.plan import plan
from tfeval.report.reports_index import write_index
from tfeval.report.run import run_jobs


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_the_index_says_what_is_where_what_failed_and_what_it_rests_on(built, facts, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(built.out, out)
    (out / "national" / ".05_x.1.tmp").mkdir()
    (out / "stray").mkdir()
    run_jobs(plan(["local_authority"], {"local_authority": "Rutland"}, built.folder), out)
    path = write_index(out)
    page = read(path)
    assert path == out / "index.html"
    assert page.find(class_="lead").string == "5 pages in 2 reports. 2 could not be completed."
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in page.find_all("tr")]
    assert ["What did it cost?", "£448 million <in all>.", "complete"] in rows
    assert ["Does it break?", "", "failed"] in rows
    assert ["Rutland: What happened here?", "", "complete"] in rows
    failed = page.find(class_="failure").get_text(" ")
    assert "3 rows without a date" in failed and "reads 03_broken, which failed" in failed
    assert [row[:2] for row in rows if row[0].startswith("published/")] == [
        ["published/deflators.csv", "6"], ["published/discount_rates.csv", "3"],
        ["published/local_authorities.csv", "4"]]  # fmt: skip


def test_every_link_leads_to_a_page(built, facts):
    path = write_index(built.out)
    links = [a["href"] for a in read(path).main.find_all("a")]
    assert len(links) >= 4 and all((built.out / link).is_file() for link in links)
    path.unlink()


def test_pages_of_earlier_code_are_told(built, facts, monkeypatch):
    monkeypatch.setattr(index, "code_hash", lambda: "another")
    path = write_index(built.out)
    states = [tag.get_text() for tag in read(path).find_all("td", class_="state")]
    assert set(states) == {
        "complete, earlier code",
        "failed, earlier code",
        "not run, earlier code",
    }
    path.unlink()


def test_an_empty_folder_has_an_index_too(facts, tmp_path):
    page = read(write_index(tmp_path / "new"))
    assert "There are no reports here yet" in page.find(class_="lead").string
    assert len(page.find_all("h1")) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["index.html"]


def listed(out, areas, kind="local_authority"):
    """Put pages of areas beside those of a report, without running them."""
    for area, headline in areas.items():
        folder = out / area.casefold() / kind
        shutil.copytree(out / "national" / "01_ok", folder)
        path = folder / "manifest.json"
        made = json.loads(path.read_text())
        made |= {"title": "What happened here?", "headline": headline, "scope": area.casefold()}
        made["parameters"][kind] = {"value": area, "default": False}
        path.write_text(json.dumps(made))


def test_areas_are_listed_by_kind_and_what_all_ask_stands_once(built, facts, tmp_path):
    shutil.copytree(built.out, tmp_path / "out")
    listed(tmp_path / "out", {"Wirral": "b", "Sefton": "a"})
    listed(tmp_path / "out", {"London": "c"}, "region")
    page = read(write_index(tmp_path / "out"))
    lists = {table.caption.string: [row.th.get_text() for row in table.tbody.find_all("tr")]
             for table in page.find_all("table", class_="listed")}  # fmt: skip
    assert lists == {
        "Pages on one region": ["London: What happened here?"],
        "Pages on one authority: What happened here?": ["Sefton", "Wirral"],
    }
    # Without its script it is whole, and its script fetches nothing.
    assert page.find("input") is None and page.find("button") is None
    (script,) = page.find_all("script")
    assert not script.attrs and not re.search(r"https?:|import|fetch|innerHTML|eval", script.string)
